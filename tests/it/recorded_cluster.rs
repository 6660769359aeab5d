//! The recorded cluster of `podoctor try`, used as any API server is: by a real Kubernetes client, over HTTP.

use futures_util::{StreamExt, TryStreamExt};
use jiff::Timestamp;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::authorization::v1::{SelfSubjectAccessReview, SubjectAccessReview};
use k8s_openapi::api::core::v1::{ConfigMap, Event, Node, Pod, Secret};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::api::{
    Api, DeleteParams, EvictParams, ListParams, LogParams, Patch, PatchParams, PostParams, Preconditions, WatchEvent,
    WatchParams,
};
use kube::{Client, Config, ResourceExt};
use podoctor::playground::cluster::RecordedCluster;
use serde_json::json;
use std::net::SocketAddr;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;

/// How long anything may take that is waited for; all of it takes milliseconds.
const PATIENCE: Duration = Duration::from_secs(10);
const MANAGE: &str = "manage-5bd487cf9d-bqmvm";
const BACKUP: &str = "backup-nightly-7xk2p";

async fn serve() -> (Arc<RecordedCluster>, Client) {
    let (cluster, client, _) = serve_at().await;
    (cluster, client)
}

async fn serve_at() -> (Arc<RecordedCluster>, Client, SocketAddr) {
    // Another test may have been faster.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let cluster = RecordedCluster::load(Timestamp::now());
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    tokio::spawn(cluster.clone().serve(listener));
    let mut config = Config::new(format!("http://{address}").parse().expect("an address"));
    // The client would repeat a refused eviction for minutes: to it every 429 is a server that asks for patience.
    config.default_retry = false;
    (cluster, Client::try_from(config).expect("a client"), address)
}

/// The code, reason and message of a refusal.
fn refusal<T: std::fmt::Debug>(result: kube::Result<T>) -> (u16, String, String) {
    match result {
        Err(kube::Error::Api(status)) => (status.code, status.reason.clone(), status.message.clone()),
        other => panic!("no refusal: {other:?}"),
    }
}

#[tokio::test]
async fn what_is_asked_first_is_answered() {
    let (_, client) = serve().await;
    assert_eq!(client.apiserver_version().await.unwrap().git_version, "v1.35.4");
    let groups = client.list_api_groups().await.unwrap();
    let names: Vec<_> = groups.groups.iter().map(|group| group.name.as_str()).collect();
    for group in ["apps", "batch", "coordination.k8s.io", "events.k8s.io", "policy", "storage.k8s.io"] {
        assert!(names.contains(&group), "{names:?}");
    }
    let core = client.list_core_api_resources("v1").await.unwrap();
    assert!(core.resources.iter().any(|resource| resource.name == "pods/log"));
}

#[tokio::test]
async fn objects_are_got_listed_and_selected() {
    let (_, client) = serve().await;
    let pods: Api<Pod> = Api::namespaced(client.clone(), "prod");
    let manage = pods.get(MANAGE).await.unwrap();
    let status = &manage.status.unwrap().container_statuses.unwrap()[0];
    assert_eq!(status.restart_count, 7);
    let end = status.last_state.as_ref().unwrap().terminated.as_ref().unwrap();
    assert_eq!((end.exit_code, end.reason.as_deref()), (137, Some("OOMKilled")));
    assert_eq!(refusal(pods.get("x").await), (404, "NotFound".into(), "pods \"x\" not found".into()));

    let of_manage = pods.list(&ListParams::default().labels("app in (manage)")).await.unwrap();
    assert_eq!(of_manage.items.len(), 3);
    let everywhere: Api<Pod> = Api::all(client.clone());
    let lost = everywhere.list(&ListParams::default().fields("spec.nodeName=node-b1")).await.unwrap();
    assert!(lost.items.iter().any(|pod| pod.name_any() == "kafka-1"));
    let pending = everywhere.list(&ListParams::default().fields("status.phase=Pending")).await.unwrap();
    assert!(pending.items.len() >= 9, "{}", pending.items.len());
    let events: Api<Event> = Api::namespaced(client.clone(), "prod");
    let about = format!("involvedObject.kind=Pod,involvedObject.name={MANAGE}");
    let events = events.list(&ListParams::default().fields(&about)).await.unwrap();
    assert!(events.items.iter().any(|event| event.reason.as_deref() == Some("BackOff")));
    let refused = refusal(everywhere.list(&ListParams::default().fields("spec.priority=1")).await);
    assert_eq!((refused.0, refused.1.as_str()), (400, "BadRequest"));
}

#[tokio::test]
async fn a_list_in_pages_is_the_whole_list() {
    let (cluster, client) = serve().await;
    let pods: Api<Pod> = Api::all(client);
    let whole = pods.list(&ListParams::default()).await.unwrap();
    let mut names = Vec::new();
    let mut page = ListParams::default().limit(7);
    let mut version = None;
    loop {
        let list = pods.list(&page).await.unwrap();
        assert!(list.items.len() <= 7);
        names.extend(list.items.iter().map(|pod| (pod.namespace(), pod.name_any())));
        let first = version.get_or_insert_with(|| list.metadata.resource_version.clone());
        assert_eq!(*first, list.metadata.resource_version);
        match list.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => page = ListParams::default().limit(7).continue_token(&token),
            None => break,
        }
    }
    let expected: Vec<_> = whole.items.iter().map(|pod| (pod.namespace(), pod.name_any())).collect();
    assert_eq!(names, expected);

    let list = pods.list(&ListParams::default().limit(7)).await.unwrap();
    cluster.apply(json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "namespace": "prod"}}));
    cluster.compact();
    let token = list.metadata.continue_.unwrap();
    let refused = refusal(pods.list(&ListParams::default().limit(7).continue_token(&token)).await);
    assert_eq!((refused.0, refused.1.as_str()), (410, "Expired"));
}

#[tokio::test]
async fn a_watch_tells_every_change_that_it_is_about() {
    let (cluster, client) = serve().await;
    let pods: Api<Pod> = Api::namespaced(client.clone(), "data");
    let version = pods.list(&ListParams::default()).await.unwrap().metadata.resource_version.unwrap();
    let only_backup = WatchParams::default().labels("app=backup");
    let mut watch = pods.watch(&only_backup, &version).await.unwrap().boxed();

    // A change elsewhere, then one that this watch is about, then its end by a label that no longer matches.
    let configs: Api<ConfigMap> = Api::namespaced(client, "data");
    let config = ConfigMap {
        metadata: kube::core::ObjectMeta { name: Some("a".into()), ..Default::default() },
        ..Default::default()
    };
    configs.create(&PostParams::default(), &config).await.unwrap();
    for patch in [json!({"metadata": {"labels": {"seen": "yes"}}}), json!({"metadata": {"labels": {"app": "other"}}})] {
        pods.patch(BACKUP, &PatchParams::default(), &Patch::Merge(patch)).await.unwrap();
    }
    let mut seen = Vec::new();
    while seen.len() < 2 {
        let event = tokio::time::timeout(PATIENCE, watch.try_next()).await.unwrap().unwrap().unwrap();
        seen.push(match event {
            WatchEvent::Modified(pod) => format!("modified {}", pod.name_any()),
            WatchEvent::Deleted(pod) => format!("deleted {}", pod.name_any()),
            other => panic!("{other:?}"),
        });
    }
    assert_eq!(seen, [format!("modified {BACKUP}"), format!("deleted {BACKUP}")]);

    // From a version that is forgotten: an error event with 410.
    cluster.apply(json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "b", "namespace": "data"}}));
    cluster.compact();
    let mut old = pods.watch(&WatchParams::default(), &version).await.unwrap().boxed();
    let event = tokio::time::timeout(PATIENCE, old.try_next()).await.unwrap().unwrap();
    assert!(matches!(event, Some(WatchEvent::Error(status)) if status.code == 410));
}

#[tokio::test]
async fn a_streamed_list_ends_with_its_bookmark() {
    let (_, client) = serve().await;
    let pods: Api<Pod> = Api::all(client);
    let count = pods.list(&ListParams::default()).await.unwrap().items.len();
    let mut watch = pods.watch(&WatchParams::default().initial_events(), "0").await.unwrap().boxed();
    let mut added = 0;
    let bookmark = loop {
        match tokio::time::timeout(PATIENCE, watch.try_next()).await.unwrap().unwrap().unwrap() {
            WatchEvent::Added(_) => added += 1,
            WatchEvent::Bookmark(bookmark) => break bookmark,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(added, count);
    assert_eq!(bookmark.metadata.annotations["k8s.io/initial-events-end"], "true");
    let short = WatchParams::default().timeout(1);
    let version = bookmark.metadata.resource_version;
    let rest = pods.watch(&short, &version).await.unwrap().try_collect::<Vec<_>>();
    let rest = tokio::time::timeout(PATIENCE, rest).await.unwrap().unwrap();
    assert!(rest.iter().all(|event| matches!(event, WatchEvent::Bookmark(_))), "{rest:?}");
}

#[tokio::test]
async fn a_finalizer_is_removed_by_a_patch_that_tests_and_only_then_the_pod_goes() {
    let (_, client) = serve().await;
    let pods: Api<Pod> = Api::namespaced(client.clone(), "data");
    let pod = pods.get(BACKUP).await.unwrap();
    let patch = async |query: &str, uid: &str, version: &str, finalizer: &str| {
        let patch = json!([
            {"op": "test", "path": "/metadata/uid", "value": uid},
            {"op": "test", "path": "/metadata/resourceVersion", "value": version},
            {"op": "test", "path": "/metadata/finalizers/0", "value": finalizer},
            {"op": "remove", "path": "/metadata/finalizers/0"},
        ]);
        let request = http::Request::patch(format!("/api/v1/namespaces/data/pods/{BACKUP}{query}"));
        let request = request.header("content-type", "application/json-patch+json");
        client.request::<Pod>(request.body(patch.to_string().into_bytes()).unwrap()).await
    };
    let (uid, version, finalizer) = (pod.uid().unwrap(), pod.resource_version().unwrap(), "backup.example.com/cleanup");
    for (uid, version, finalizer) in [("u", &*version, finalizer), (&*uid, "1", finalizer), (&*uid, &*version, "other")]
    {
        let refused = refusal(patch("", uid, version, finalizer).await);
        assert_eq!((refused.0, refused.1.as_str()), (422, "Invalid"));
    }
    assert!(patch("?dryRun=All", &uid, &version, finalizer).await.unwrap().finalizers().is_empty());
    assert_eq!(pods.get(BACKUP).await.unwrap().finalizers(), [finalizer]);
    patch("", &uid, &version, finalizer).await.unwrap();
    assert_eq!(refusal(pods.get(BACKUP).await).0, 404);
}

#[tokio::test]
async fn a_write_that_is_out_of_date_or_not_allowed_is_refused_as_it_should_be() {
    let (_, client) = serve().await;
    let pods: Api<Pod> = Api::namespaced(client.clone(), "prod");
    let version = json!({"metadata": {"resourceVersion": "7", "labels": {"a": "b"}}});
    let refused = refusal(pods.patch(MANAGE, &PatchParams::default(), &Patch::Merge(version)).await);
    assert_eq!((refused.0, refused.1.as_str()), (409, "Conflict"));
    assert!(refused.2.contains("the object has been modified; please apply your changes to the latest version"));
    let spec = json!({"spec": {"containers": [{"name": "manage", "resources": {"limits": {"memory": "1Gi"}}}]}});
    let refused = refusal(pods.patch(MANAGE, &PatchParams::default(), &Patch::Strategic(spec)).await);
    assert_eq!((refused.0, refused.1.as_str()), (422, "Invalid"));
    let wrong =
        DeleteParams::default().preconditions(Preconditions { uid: Some("other".into()), resource_version: None });
    assert_eq!(refusal(pods.delete(MANAGE, &wrong).await).0, 409);
    let secrets: Api<Secret> = Api::namespaced(client, "prod");
    let refused = refusal(secrets.list(&ListParams::default()).await);
    assert_eq!((refused.0, refused.1.as_str()), (403, "Forbidden"));
}

#[tokio::test]
async fn deleting_gives_a_pod_its_grace_and_forcing_does_not() {
    let (_, client) = serve().await;
    let pods: Api<Pod> = Api::namespaced(client, "prod");
    let going = pods.delete(MANAGE, &DeleteParams::default()).await.unwrap().left().unwrap();
    assert_eq!(going.metadata.deletion_grace_period_seconds, Some(30));
    assert!(pods.get(MANAGE).await.unwrap().metadata.deletion_timestamp.is_some());
    let dry = DeleteParams { dry_run: true, ..DeleteParams::default().grace_period(0) };
    pods.delete(MANAGE, &dry).await.unwrap();
    pods.get(MANAGE).await.unwrap();
    pods.delete(MANAGE, &DeleteParams::default().grace_period(0)).await.unwrap();
    assert_eq!(refusal(pods.get(MANAGE).await).0, 404);
}

#[tokio::test]
async fn an_eviction_honours_the_budget() {
    let (_, client) = serve().await;
    let pods: Api<Pod> = Api::namespaced(client.clone(), "shop");
    let cart = pods.list(&ListParams::default().labels("app=cart")).await.unwrap().items[0].name_any();
    let refused = refusal(pods.evict(&cart, &EvictParams::default()).await);
    assert_eq!((refused.0, refused.1.as_str()), (429, "TooManyRequests"));
    let budgets: Api<PodDisruptionBudget> = Api::namespaced(client, "shop");
    budgets.delete("cart", &DeleteParams::default()).await.unwrap();
    pods.evict(&cart, &EvictParams::default()).await.unwrap();
    let conditions = pods.get(&cart).await.unwrap().status.unwrap().conditions.unwrap();
    assert!(conditions.iter().any(|c| c.reason.as_deref() == Some("EvictionByEvictionAPI")));
}

#[tokio::test]
async fn logs_and_the_words_where_there_are_none() {
    let (_, client) = serve().await;
    let prod: Api<Pod> = Api::namespaced(client.clone(), "prod");
    let (shop, data): (Api<Pod>, Api<Pod>) = (Api::namespaced(client.clone(), "shop"), Api::namespaced(client, "data"));
    let previous = LogParams { previous: true, tail_lines: Some(1), ..LogParams::default() };
    let log = prod.logs("billing-7f54c9d8b6-2vztn", &previous).await.unwrap();
    assert!(log.ends_with("FATAL cannot reach the database after 5 attempts, giving up\n"), "{log}");
    let short = LogParams { limit_bytes: Some(5), ..previous.clone() };
    assert_eq!(prod.logs("billing-7f54c9d8b6-2vztn", &short).await.unwrap().len(), 5);
    assert_eq!(
        refusal(shop.logs("reviews-84f5b6c7d9-6zvlc", &previous).await).2,
        "previous terminated container \"reviews\" in pod \"reviews-84f5b6c7d9-6zvlc\" not found"
    );
    assert_eq!(
        refusal(shop.logs("storefront-85d7c4bb6f-x9k2m", &LogParams::default()).await),
        (
            400,
            "BadRequest".into(),
            "container \"storefront\" in pod \"storefront-85d7c4bb6f-x9k2m\" is waiting to start: trying and failing to \
             pull image"
                .into()
        )
    );
    let lost = refusal(data.logs("kafka-1", &LogParams::default()).await);
    assert_eq!((lost.0, lost.1.as_str()), (500, ""));
    assert!(lost.2.starts_with("Get \"https://10.0.2.21:10250/containerLogs/data/kafka-1/kafka"), "{}", lost.2);
    assert_eq!(data.logs("warehouse-6f9c7b8d54-m2gk8", &LogParams::default()).await.unwrap(), "");
}

#[tokio::test]
async fn who_may_what_is_answered_for_those_who_are_known() {
    let (cluster, client) = serve().await;
    let allowed = async |user: &str| {
        let reviews: Api<SubjectAccessReview> = Api::all(client.clone());
        let review = json!({"spec": {"user": user,
            "resourceAttributes": {"verb": "patch", "resource": "pods", "namespace": "prod", "name": MANAGE}}});
        let review = serde_json::from_value(review).unwrap();
        reviews.create(&PostParams::default(), &review).await.unwrap().status.unwrap().allowed
    };
    assert!(allowed("alice@example.com").await);
    assert!(!allowed("carol@example.com").await);
    cluster.allow("carol@example.com");
    assert!(allowed("carol@example.com").await);
    let own: Api<SelfSubjectAccessReview> = Api::all(client.clone());
    let review = json!({"spec": {"resourceAttributes": {"verb": "get", "resource": "secrets"}}});
    let review = own.create(&PostParams::default(), &serde_json::from_value(review).unwrap()).await.unwrap();
    assert!(!review.status.unwrap().allowed);
}

#[tokio::test]
async fn a_living_cluster_shows_what_a_patch_brings() {
    let (cluster, client) = serve().await;
    let deployments: Api<Deployment> = Api::namespaced(client.clone(), "prod");
    let limit = json!({"spec": {"template": {"spec": {"containers": [
        {"name": "manage", "resources": {"limits": {"memory": "512Mi"}}}]}}}});
    let patched = deployments.patch("manage", &PatchParams::default(), &Patch::Strategic(limit)).await.unwrap();
    assert_eq!((patched.metadata.generation, patched.status.unwrap().observed_generation), (Some(2), Some(1)));
    for _ in 0..90 {
        cluster.skip(Duration::from_secs(1));
        cluster.step();
    }
    let status = deployments.get("manage").await.unwrap().status.unwrap();
    assert_eq!((status.observed_generation, status.ready_replicas, status.replicas), (Some(2), Some(3), Some(3)));
    let pods: Api<Pod> = Api::namespaced(client.clone(), "prod");
    assert_eq!(refusal(pods.get(MANAGE).await).0, 404);

    let nodes: Api<Node> = Api::all(client);
    nodes.cordon("node-b2").await.unwrap();
    cluster.step();
    let taints = nodes.get("node-b2").await.unwrap().spec.unwrap().taints.unwrap();
    assert_eq!(taints[0].key, "node.kubernetes.io/unschedulable");
}

#[tokio::test]
async fn the_cause_of_everything_that_fails_in_it_is_found() {
    let (_, _client, address) = serve_at().await;
    let folder = tempfile::tempdir().unwrap();
    let kubeconfig = folder.path().join("kubeconfig");
    std::fs::write(&kubeconfig, RecordedCluster::kubeconfig(address)).unwrap();
    let mut wrong = Vec::new();
    for (target, cause) in [
        ("prod/manage-5bd487cf9d-bqmvm", "cgroup-oom"),
        ("prod/billing-7f54c9d8b6-2vztn", "app-exit-error"),
        ("prod/notify-6bb4d78c9f-wm4kd", "configmap-missing"),
        ("prod/apigateway-6dc48bf8b6-l8xrw", "subpath-stale-mount"),
        ("shop/storefront-85d7c4bb6f-x9k2m", "image-not-found"),
        ("shop/recommend-7d8f6b5c9d-q5hjz", "registry-auth-failed"),
        ("shop/search-64c8b5d7f9-nd6tr", "registry-unreachable"),
        ("shop/orders-79b8c5f6dd-t8fqx", "probe-port-closed"),
        ("shop/reviews-84f5b6c7d9-6zvlc", "probe-http-status"),
        ("data/backup-nightly-7xk2p", "finalizer-pending"),
        ("data/kafka-1", "node-lost"),
        ("data/wiki-5b9f7c6d8d-8wlqk", "volume-multi-attach"),
        ("data/warehouse-6f9c7b8d54-m2gk8", "node-resources-insufficient"),
        ("data/metrics-0", "pvc-unbound"),
        ("batch/train-7b6d9f5c8c-hk5vz", "untolerated-taint"),
        ("batch/render-6c7d8f9b5d-d4wsp", "container-disk-full"),
        ("batch/transcode-6f8d9c7b5b-5nqhr", "node-pressure-eviction"),
        ("batch/job/import", "app-exit-error"),
        ("team-a/deployment/api", "quota-exceeded"),
        ("team-a/dashboard-7c8f5d9b6d-j7mxv", "secret-missing"),
        ("team-a/worker-59d8f7c6b4-vc2qz", "cni-failure"),
    ] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_podoctor"));
        command.args(["diagnose", target, "-o", "json", "--kubeconfig"]).arg(&kubeconfig);
        let output = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
        let diagnosis: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        let found = &diagnosis["findings"][0]["cause"];
        if found != cause {
            let error = String::from_utf8_lossy(&output.stderr);
            wrong.push(format!("{target}: {found}, not {cause} {error}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
