//! The test control plane keeps its promises; what it promises is in `plane.rs` and `plane/ns.rs`.

use crate::plane::{AuditEntry, Life, Plane, eventually};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::{Event, Node, Pod};
use kube::Api;
use kube::api::ListParams;
use serde_json::json;

/// A crash looping pod of a Deployment on a node, as data.
const SHOP: &str = "
apiVersion: v1
kind: List
items:
- apiVersion: v1
  kind: Node
  metadata: {name: worker-1, labels: {kubernetes.io/hostname: worker-1}}
  status:
    allocatable: {cpu: '4', memory: 8Gi, pods: '110'}
    conditions: [{type: Ready, status: 'True', reason: KubeletReady, lastHeartbeatTime: now, lastTransitionTime: now-2h}]
- apiVersion: apps/v1
  kind: Deployment
  metadata: {name: shop, namespace: prod, uid: d-0}
  spec: &deployment
    replicas: 1
    selector: &selector {matchLabels: {app: shop}}
    template: &template
      metadata: {labels: {app: shop}}
      spec: {containers: [{name: app, image: 'shop:1'}]}
- apiVersion: apps/v1
  kind: ReplicaSet
  metadata:
    name: shop-5bd
    namespace: prod
    uid: r-0
    ownerReferences: [{apiVersion: apps/v1, kind: Deployment, name: shop, uid: d-0, controller: true}]
  spec: {replicas: 1, selector: *selector, template: *template}
  status: {replicas: 1}
- apiVersion: v1
  kind: Pod
  metadata:
    name: shop-5bd-x2x
    namespace: prod
    uid: p-0
    labels: {app: shop}
    creationTimestamp: now-18m
    ownerReferences: [{apiVersion: apps/v1, kind: ReplicaSet, name: shop-5bd, controller: true}]
  spec: {nodeName: worker-1, containers: [{name: app, image: 'shop:1'}]}
  status:
    phase: Running
    startTime: now-18m
    containerStatuses:
    - name: app
      image: shop:1
      imageID: ''
      ready: false
      restartCount: 7
      state: {waiting: {reason: CrashLoopBackOff, message: 'back-off 5m0s restarting failed container=app'}}
      lastState: {terminated: {exitCode: 137, reason: OOMKilled, startedAt: now-3m, finishedAt: now-2m}}
- apiVersion: v1
  kind: Event
  metadata: {namespace: prod}
  involvedObject: {apiVersion: v1, kind: Pod, name: shop-5bd-x2x, namespace: prod}
  type: Warning
  reason: BackOff
  message: Back-off restarting failed container app in pod shop-5bd-x2x on worker-1
  count: 42
  firstTimestamp: now-17m
  lastTimestamp: now-1m
";

#[tokio::test]
async fn a_cluster_given_as_data_reads_back_as_one() {
    let ns = Plane::shared().await.namespace("prod").await;
    assert_eq!(ns.apply(SHOP).await, Vec::<String>::new());
    let client = ns.plane.client("admin").await;

    let pod = Api::<Pod>::namespaced(client.clone(), &ns.name).get("shop-5bd-x2x").await.unwrap();
    assert_eq!(pod.spec.as_ref().unwrap().node_name, Some(ns.node("worker-1")));
    let container = &pod.status.as_ref().unwrap().container_statuses.as_ref().unwrap()[0];
    assert_eq!(container.restart_count, 7);
    let end = container.last_state.as_ref().unwrap().terminated.as_ref().unwrap();
    assert_eq!((end.reason.as_deref(), end.exit_code), (Some("OOMKilled"), 137));
    // Only the server sets this, so a test could otherwise have young pods alone.
    let age = Timestamp::now().duration_since(pod.metadata.creation_timestamp.unwrap().0);
    assert!((18 * 60..20 * 60).contains(&age.as_secs()), "{age}");

    // The data's uids have become the server's, all along the chain.
    let replica_set = ns.get("apps/v1", "ReplicaSet", "shop-5bd").await.unwrap();
    assert_eq!(pod.metadata.owner_references.unwrap()[0].uid, ns.uid("ReplicaSet", "shop-5bd"));
    assert_eq!(replica_set["metadata"]["ownerReferences"][0]["uid"], ns.uid("Deployment", "shop").as_str());
    assert_eq!(replica_set["status"]["replicas"], 1);

    let of_the_pod = ListParams::default().fields(&format!("involvedObject.uid={}", pod.metadata.uid.unwrap()));
    let events = Api::<Event>::namespaced(client.clone(), &ns.name).list(&of_the_pod).await.unwrap().items;
    assert_eq!(events.len(), 1);
    assert!(events[0].message.as_ref().unwrap().ends_with(&format!("on {}", ns.node("worker-1"))), "{events:?}");

    let node = Api::<Node>::all(client).get(&ns.node("worker-1")).await.unwrap();
    assert_eq!(node.metadata.labels.unwrap()["kubernetes.io/hostname"], ns.node("worker-1"));
    assert_eq!(node.spec.unwrap_or_default().taints, None);
}

#[tokio::test]
async fn what_is_there_is_brought_to_what_the_data_say() {
    let ns = Plane::shared().await.namespace("again").await;
    ns.apply(SHOP).await;
    let before = ns.uid("Pod", "shop-5bd-x2x");
    ns.apply(&SHOP.replace("restartCount: 7", "restartCount: 8")).await;
    let pod = ns.get("v1", "Pod", "shop-5bd-x2x").await.unwrap();
    assert_eq!(pod["metadata"]["uid"], before.as_str());
    assert_eq!(pod["status"]["containerStatuses"][0]["restartCount"], 8);
}

#[tokio::test]
async fn a_test_plays_the_kubelet() {
    let ns = Plane::shared().await.namespace("kubelet").await;
    ns.apply(SHOP).await;
    let ready = json!([{"type": "Ready", "status": "True", "lastTransitionTime": Timestamp::now().to_string()}]);
    let pod = ns.patch_pod_status("shop-5bd-x2x", json!({"conditions": ready})).await;
    assert_eq!(pod["status"]["conditions"][0]["type"], "Ready");
    assert_eq!(pod["status"]["containerStatuses"][0]["restartCount"], 7);

    // Nobody but a kubelet would end it, so it stays.
    ns.delete_pod("shop-5bd-x2x", Some(1)).await;
    let pod = ns.get("v1", "Pod", "shop-5bd-x2x").await.unwrap();
    assert_eq!(pod["metadata"]["deletionGracePeriodSeconds"], 1);
    ns.delete_pod("shop-5bd-x2x", Some(0)).await;
    assert_eq!(ns.get("v1", "Pod", "shop-5bd-x2x").await, None);
}

#[tokio::test]
async fn a_pod_can_be_stuck_terminating_since_long_ago() {
    let ns = Plane::shared().await.namespace("stuck").await;
    ns.apply(
        "{apiVersion: v1, kind: Pod, metadata: {name: backup, finalizers: [example.com/guard], creationTimestamp: now-1h, \
          deletionTimestamp: now-30m, deletionGracePeriodSeconds: 0}, spec: {nodeName: n1, containers: [{name: a, image: b}]}, \
          status: {phase: Succeeded}}",
    )
    .await;
    let pod = ns.get("v1", "Pod", "backup").await.unwrap();
    let deleted: Timestamp = pod["metadata"]["deletionTimestamp"].as_str().unwrap().parse().unwrap();
    let since = Timestamp::now().duration_since(deleted);
    assert!(since > SignedDuration::from_mins(29), "{since}");
    // To the server it is a real deletion: it completes when the last finalizer goes.
    let path = format!("/api/v1/namespaces/{}/pods/backup", ns.name);
    ns.api.merge(&path, &json!({"metadata": {"finalizers": null}})).await.unwrap();
    assert_eq!(ns.get("v1", "Pod", "backup").await, None);
}

#[tokio::test]
async fn a_kind_that_the_server_does_not_serve_is_told() {
    let ns = Plane::shared().await.namespace("kinds").await;
    let unserved = ns.apply("{apiVersion: example.com/v1, kind: Queue, metadata: {name: q}}").await;
    assert_eq!(unserved, ["example.com/v1 Queue"]);
}

#[tokio::test]
async fn the_real_scheduler_says_why_a_pod_does_not_fit() {
    let ns = Plane::live().await.namespace("big").await;
    ns.apply(
        "{apiVersion: v1, kind: Pod, metadata: {name: big}, spec: {containers: [{name: app, image: 'app:1', \
          resources: {requests: {cpu: '64'}}}]}}",
    )
    .await;
    let client = ns.plane.client("admin").await;
    let events = Api::<Event>::namespaced(client.clone(), &ns.name);
    let event = eventually("the scheduler has spoken", || async {
        let found = events.list(&ListParams::default()).await.unwrap().items;
        found.into_iter().find(|event| event.reason.as_deref() == Some("FailedScheduling"))
    })
    .await;
    let message = event.message.unwrap();
    assert!(message.contains("nodes are available") || message.contains("no nodes available"), "{message}");
    let pod = Api::<Pod>::namespaced(client, &ns.name).get("big").await.unwrap();
    let scheduled = pod.status.unwrap().conditions.unwrap().into_iter().find(|c| c.type_ == "PodScheduled").unwrap();
    assert_eq!(scheduled.reason.as_deref(), Some("Unschedulable"));
}

#[tokio::test]
async fn a_lost_node_is_found_lost_by_the_real_controllers() {
    let ns = Plane::live().await.namespace("lost").await;
    // What runs on it is not for other tests' pods.
    let taint = "spec: {taints: [{key: only-for, value: the-lost, effect: NoSchedule}]}";
    ns.apply(&format!(
        "apiVersion: v1\nkind: Node\nmetadata: {{name: frail}}\n{taint}\nstatus: {{conditions: [{{type: Ready, status: 'True', \
         reason: KubeletReady, lastHeartbeatTime: now, lastTransitionTime: now}}]}}"
    ))
    .await;
    let node = ns.node("frail");
    let nodes = Api::<Node>::all(ns.plane.client("admin").await);
    let taints = async || {
        let node = nodes.get(&node).await.unwrap();
        let taints = node.spec.unwrap_or_default().taints.unwrap_or_default();
        taints.into_iter().map(|taint| taint.key).collect::<Vec<_>>()
    };
    eventually("the node counts as ready", || async { (taints().await == ["only-for"]).then_some(()) }).await;
    ns.plane.lose(&node);
    eventually("the node counts as lost", || async {
        taints().await.contains(&"node.kubernetes.io/unreachable".to_owned()).then_some(())
    })
    .await;
}

#[tokio::test]
async fn requests_are_counted_by_user() {
    let ns = Plane::shared().await.namespace("counted").await;
    let (kubeconfig, user) = ns.service_account("podoctor").await;
    ns.grant(&user, "[{apiGroups: [''], resources: [pods, pods/log], verbs: [get, list, watch]}]").await;
    let client = crate::plane::client(&kubeconfig).await.unwrap();
    let pods = Api::<Pod>::namespaced(client, &ns.name);

    let mark = ns.plane.mark().await;
    pods.list(&ListParams::default()).await.unwrap();
    assert!(pods.get("none").await.unwrap_err().to_string().contains("not found"));
    let entries = ns.plane.requests_since(mark, &user).await;
    let brief = |entry: &AuditEntry| {
        (entry.verb.clone(), entry.resource.clone(), entry.namespace.clone(), entry.name.clone(), entry.code)
    };
    let asked = |verb: &str, name: &str, code| (verb.into(), "pods".into(), ns.name.clone(), name.into(), code);
    assert_eq!(entries.iter().map(brief).collect::<Vec<_>>(), [asked("list", "", 200), asked("get", "none", 404)]);

    let later = ns.plane.mark().await;
    assert_eq!(ns.plane.requests_since(later, &user).await, []);
}

#[tokio::test]
async fn a_user_without_rights_is_refused_until_they_are_given() {
    let ns = Plane::shared().await.namespace("rights").await;
    ns.apply(SHOP).await;
    let client = ns.plane.client("guest@example.com").await;
    let pods = Api::<Pod>::namespaced(client, &ns.name);
    match pods.get("shop-5bd-x2x").await.unwrap_err() {
        kube::Error::Api(status) => {
            assert_eq!(status.code, 403);
            assert!(status.message.contains("User \"guest@example.com\" cannot get resource \"pods\""), "{status:?}");
        }
        error => panic!("{error}"),
    }
    ns.grant("guest@example.com", "[{apiGroups: [''], resources: [pods], verbs: [get]}]").await;
    pods.get("shop-5bd-x2x").await.unwrap();
    assert!(pods.list(&ListParams::default()).await.is_err());
}

#[tokio::test]
async fn a_restart_of_the_api_server_keeps_the_data_and_forgets_history() {
    let plane = Plane::start(Life::Recorded).await;
    plane.grant("podoctor", "[{apiGroups: [''], resources: [pods], verbs: [get, list, watch]}]").await;
    let ns = plane.namespace("restart").await;
    ns.apply_as_it_is(SHOP).await;
    let client = plane.client("podoctor").await;
    let pods = Api::<Pod>::namespaced(client, &ns.name);
    let old = pods.list(&ListParams::default()).await.unwrap().metadata.resource_version.unwrap();

    plane.stop_apiserver();
    assert!(pods.get("shop-5bd-x2x").await.is_err());
    plane.start_apiserver().await;
    // History ends at the newest revision, so something has to happen after what the client last saw.
    plane.namespace("later").await;
    plane.compact().await;
    plane.restart_apiserver().await;
    let pod = pods.get("shop-5bd-x2x").await.unwrap();
    assert_eq!(pod.spec.unwrap().node_name.as_deref(), Some("worker-1"));

    let at = ListParams {
        resource_version: Some(old),
        version_match: Some(kube::api::VersionMatch::Exact),
        ..ListParams::default()
    };
    match pods.list(&at).await.unwrap_err() {
        kube::Error::Api(status) => assert_eq!(status.code, 410, "{status:?}"),
        error => panic!("{error}"),
    }
}
