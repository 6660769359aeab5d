//! What is asked for, state by state.

use super::workload::refusal;
use super::*;
use crate::diagnosis::testing::world;
use crate::facts::{Subject, Workload, World, log::ContainerLog};

fn needs(world: &World, name: &str) -> Vec<Need> {
    let pod = PodView::new(world.pods.get("shop", name).present().expect("it is in the yaml"));
    let now = "2026-01-01T10:00:00Z".parse().expect("a time");
    of(&Facts { now, world, subject: Subject::Pod(pod) }, &Catalogue::default())
}

fn pod(spec: &str, status: &str) -> String {
    format!(
        "\n---\napiVersion: v1\nkind: Pod\nmetadata: {{name: web, namespace: shop, uid: u1}}\nspec: {{containers: \
         [{{name: app, image: x}}]{spec}}}\nstatus: {{{status}}}\n"
    )
}

fn event(pod: &str, reason: &str, message: &str) -> String {
    format!(
        "\n---\nkind: Event\nmetadata: {{name: e-{pod}, namespace: shop}}\ninvolvedObject: {{kind: Pod, namespace: shop, name: \
         {pod}}}\nreason: {reason}\nmessage: '{message}'\nlastTimestamp: '2026-01-01T09:59:00Z'\n"
    )
}

const RUNNING: &str = "phase: Running, conditions: [{type: Ready, status: 'False'}], containerStatuses: [{name: app, image: x, \
     imageID: '', ready: false, restartCount: 0, state: {running: {startedAt: '2026-01-01T09:00:00Z'}}}]";

#[test]
fn a_pod_that_no_scheduler_has_looked_at() {
    let yaml = pod(
        ", resourceClaims: [{name: a, resourceClaimName: gpu}, {name: b, resourceClaimTemplateName: nic}]",
        "phase: Pending",
    );
    let needs = needs(&world(&yaml), "web");
    for wanted in [
        object(Resource::ResourceClaims, "shop", "gpu"),
        object(Resource::ResourceClaimTemplates, "shop", "nic"),
        collection(Resource::Leases, "kube-system"),
        collection(Resource::Nodes, ""),
    ] {
        assert!(needs.contains(&wanted), "{wanted:?} in {needs:?}");
    }
    assert!(needs.iter().any(
        |need| matches!(need, Need::Selected { resource: Resource::Pods, namespace, .. } if namespace == "kube-system")
    ));
}

#[test]
fn a_scheduler_that_has_spoken_is_not_looked_for() {
    let said = |text: &str| {
        let conditions =
            format!("phase: Pending, conditions: [{{type: PodScheduled, status: 'False', message: \"{text}\"}}]");
        needs(&world(&pod("", &conditions)), "web")
    };
    let plain = said("0/3 nodes are available: 3 node(s) didn't match Pod's node affinity/selector.");
    assert_eq!(plain, [events_of("Pod", "shop", "web"), collection(Resource::Nodes, "")]);
    let spread = said("0/3 nodes are available: 3 node(s) didn't match pod topology spread constraints.");
    assert!(spread.contains(&collection(Resource::Pods, "shop")));
}

#[test]
fn a_gang_is_read_as_its_annotation_names_it_and_then_its_queue() {
    let yaml = pod("", "phase: Pending").replace("uid: u1", "annotations: {scheduling.k8s.io/group-name: train}");
    let first = needs(&world(&yaml), "web");
    assert!(first.contains(&object(Resource::PodGroups, "shop", "train")));
    assert!(!first.iter().any(|need| matches!(need, Need::Object { resource: Resource::Queues, .. })));
    let group = "\n---\nkind: PodGroup\nmetadata: {name: train, namespace: shop}\nspec: {queue: ml}\n";
    assert!(needs(&world(&(yaml + group)), "web").contains(&object(Resource::Queues, "", "ml")));
}

#[test]
fn a_log_call_that_fails_for_a_certificate_asks_for_the_requests() {
    let yaml = pod(", nodeName: n1", RUNNING);
    let mut world = world(&yaml);
    let requests = collection(Resource::CertificateSigningRequests, "");
    assert!(!needs(&world, "web").contains(&requests));
    let key = ("shop".to_owned(), "web".to_owned(), "app".to_owned());
    let error = Some("Get \"https://10.0.0.1:10250/containerLogs\": remote error: tls: internal error".to_owned());
    world.logs.insert(key, ContainerLog { error, ..ContainerLog::default() });
    assert!(needs(&world, "web").contains(&requests));
}

#[test]
fn probes_that_time_out_ask_what_the_node_s_other_pods_say() {
    let timeout = "Readiness probe failed: context deadline exceeded (Client.Timeout exceeded while awaiting headers)";
    let one = pod(", nodeName: n1", RUNNING) + &event("web", "Unhealthy", timeout);
    let on_node = Need::PodsOn { node: "n1".to_owned() };
    assert!(needs(&world(&one), "web").contains(&on_node));
    let refused = pod(", nodeName: n1", RUNNING) + &event("web", "Unhealthy", "connect: connection refused");
    assert!(!needs(&world(&refused), "web").contains(&on_node));
    let other = pod(", nodeName: n1", RUNNING).replace("name: web", "name: cart");
    assert!(needs(&world(&(one + &other)), "web").contains(&events_of("Pod", "shop", "cart")));
}

#[test]
fn a_container_that_runs_again_and_is_not_ready_is_heard_both_ways() {
    let status = RUNNING
        .replace("restartCount: 0", "restartCount: 1")
        .replace("state: {", "lastState: {terminated: {exitCode: 1}}, state: {");
    let found = needs(&world(&pod(", nodeName: n1", &status)), "web");
    let logs: Vec<bool> = found
        .iter()
        .filter_map(|need| if let Need::Log { previous, .. } = need { Some(*previous) } else { None })
        .collect();
    assert_eq!(logs, [true, false]);
}

#[test]
fn a_volume_held_elsewhere_asks_who_and_whether_that_node_lives() {
    let spec = ", nodeName: n1, volumes: [{name: d, persistentVolumeClaim: {claimName: data}}]";
    let text = "Multi-Attach error for volume \"pv1\" Volume is already used by pod(s) web-0";
    let yaml = pod(spec, "phase: Pending")
        + &event("web", "FailedAttachVolume", text)
        + "\n---\nkind: PersistentVolumeClaim\nmetadata: {name: data, namespace: shop}\nspec: {volumeName: pv1}\n"
        + "\n---\nkind: VolumeAttachment\nmetadata: {name: va}\nspec: {attacher: csi, nodeName: n2, source: {persistentVolumeName: pv1}}\n";
    let found = needs(&world(&yaml), "web");
    for wanted in [
        collection(Resource::VolumeAttachments, ""),
        collection(Resource::Pods, "shop"),
        object(Resource::Nodes, "", "n2"),
        object(Resource::PersistentVolumes, "", "pv1"),
    ] {
        assert!(found.contains(&wanted), "{wanted:?} in {found:?}");
    }
}

#[test]
fn a_refused_workload_asks_for_what_refused_it() {
    let asked = |text: &str| {
        let mut needs = Vec::new();
        refusal(text, "shop", &mut needs);
        needs
    };
    let range = "pods \"web\" is forbidden: maximum cpu usage per Container is 1, but limit is 2";
    assert_eq!(asked(range), [collection(Resource::LimitRanges, "shop")]);
    let hooks = [collection(Resource::ValidatingWebhooks, ""), collection(Resource::MutatingWebhooks, "")];
    assert_eq!(asked("Internal error occurred: failed calling webhook \"a.b\": connection refused"), hooks);
    let guard = "violates PodSecurity \"restricted:latest\": privileged";
    assert_eq!(asked(guard), [object(Resource::Namespaces, "", "shop")]);
}

fn custom(when: &str, phases: &str) -> Catalogue {
    let yaml = format!(
        "id: acme-x\nphases: [{phases}]\ntitle: t\nwhat: w\nrunbook: https://example.com/r\nsummary: s\nwhen: |\n  {when}\n"
    );
    let definition = serde_saphyr::from_str(&yaml).expect("a definition");
    Catalogue::with(vec![crate::diagnosis::custom::Custom::of(&definition).expect("a good cause")])
}

fn needs_with(catalogue: &Catalogue, world: &World) -> Vec<Need> {
    let pod = PodView::new(world.pods.get("shop", "web").present().expect("it is in the yaml"));
    let now = "2026-01-01T10:00:00Z".parse().expect("a time");
    of(&Facts { now, world, subject: Subject::Pod(pod) }, catalogue)
}

#[test]
fn what_a_teams_own_cause_hangs_on_is_read_and_nothing_else() {
    let world = world(&pod(", nodeName: n1", RUNNING));
    let asked = |when: &str| needs_with(&custom(when, "probes"), &world);
    let claim = ", nodeName: n1, volumes: [{name: d, persistentVolumeClaim: {claimName: data}}]";
    let claims =
        needs_with(&custom("size(claims) > 0", "probes"), &crate::diagnosis::testing::world(&pod(claim, RUNNING)));
    let plain = needs(&world, "web");
    let namespace = object(Resource::Namespaces, "", "shop");
    assert!(!plain.contains(&namespace));
    assert!(asked("namespaceObject.metadata.labels.team == 'a'").contains(&namespace));
    assert!(asked("size(nodeEvents) > 3").contains(&events_of("Node", "", "n1")));
    assert!(claims.contains(&collection(Resource::PersistentVolumeClaims, "shop")), "{claims:?}");
    // What decides alone spares the rest.
    assert_eq!(asked("pod.metadata.name == 'cart' && namespaceObject.metadata.name == 'shop'"), plain);
    assert_eq!(
        needs_with(&custom("namespaceObject.metadata.name == 'shop'", "scheduling"), &world),
        plain,
        "not its phase"
    );
}

#[test]
fn the_log_of_just_the_container_that_a_cause_asks_about_is_read() {
    let two = RUNNING.replace(
        "containerStatuses: [",
        "containerStatuses: [{name: side, image: x, imageID: '', ready: true, restartCount: 0, state: {running: {}}}, ",
    );
    let yaml = pod(", nodeName: n1", &two)
        .replace("[{name: app, image: x}]", "[{name: app, image: x}, {name: side, image: x}]");
    let log = |container: &str| Need::Log {
        namespace: "shop".to_owned(),
        pod: "web".to_owned(),
        container: container.to_owned(),
        previous: false,
    };
    let world = world(&yaml);
    assert!(!needs(&world, "web").contains(&log("side")));
    let found =
        needs_with(&custom("container.name == 'side' && log.exists(l, l.contains('sealed'))", "probes"), &world);
    assert!(found.contains(&log("side")), "{found:?}");
}

#[test]
fn a_healthy_pod_costs_a_teams_own_cause_nothing() {
    let ready = RUNNING.replace("status: 'False'", "status: 'True'").replace("ready: false", "ready: true");
    let world = world(&pod(", nodeName: n1", &ready));
    let namespace = object(Resource::Namespaces, "", "shop");
    assert!(!needs_with(&custom("namespaceObject.metadata.name == 'shop'", "probes"), &world).contains(&namespace));
}

#[test]
fn a_pull_that_is_not_through_asks_who_else_pulls_there() {
    let creating = "phase: Pending, containerStatuses: [{name: app, image: x, imageID: '', ready: false, restartCount: 0, state: {waiting: {reason: ContainerCreating}}}]";
    let web = pod(", nodeName: n1", creating);
    let cart = web.replace("name: web", "name: cart").replace("uid: u1", "uid: u2");
    let found = needs(&world(&format!("{web}{cart}{}", event("web", "Pulling", "Pulling image x"))), "web");
    assert!(found.contains(&Need::PodsOn { node: "n1".to_owned() }), "{found:?}");
    assert!(found.contains(&events_of("Pod", "shop", "cart")), "{found:?}");
    let pulled = format!("{web}{cart}{}", event("web", "Pulled", "Successfully pulled"));
    assert!(!needs(&world(&pulled), "web").contains(&events_of("Pod", "shop", "cart")));
}

#[test]
fn room_that_is_being_made_asks_who_leaves() {
    let web = pod(
        "",
        "phase: Pending, nominatedNodeName: n1, conditions: [{type: PodScheduled, status: 'False', message: x}]",
    );
    let leaving = pod(", nodeName: n1", RUNNING)
        .replace("name: web", "name: low")
        .replace("uid: u1", "uid: u2, deletionTimestamp: '2026-01-01T10:00:30Z'");
    let found = needs(&world(&format!("{web}{leaving}")), "web");
    assert!(found.contains(&Need::PodsOn { node: "n1".to_owned() }), "{found:?}");
    assert!(found.contains(&events_of("Pod", "shop", "low")), "{found:?}");
}

#[test]
fn a_cron_job_without_pods_asks_what_its_newest_job_says() {
    let job = |name: &str, at: &str| {
        format!(
            "\n---\napiVersion: batch/v1\nkind: Job\nmetadata: {{name: {name}, namespace: shop, creationTimestamp: '{at}', ownerReferences: [{{apiVersion: batch/v1, kind: CronJob, name: nightly, uid: c, controller: true}}]}}\nspec: {{template: {{}}}}\n"
        )
    };
    let world = world(&(job("nightly-1", "2026-01-01T01:00:00Z") + &job("nightly-2", "2026-01-01T02:00:00Z")));
    let workload = Workload { kind: "CronJob".into(), namespace: "shop".into(), name: "nightly".into() };
    let now = "2026-01-01T10:00:00Z".parse().expect("a time");
    let found = of(&Facts { now, world: &world, subject: Subject::Workload(workload) }, &Catalogue::default());
    assert!(found.contains(&events_of("Job", "shop", "nightly-2")), "{found:?}");
}
