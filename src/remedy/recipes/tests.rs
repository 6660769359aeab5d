//! What each remedy makes of small clusters, and where it does not fit.

use super::of;
use crate::diagnosis::{Remedy, testing};
use crate::facts::{Facts, Known, PodView, Subject};
use crate::remedy::patch;
use crate::remedy::plan::{Change, Step};
use crate::remedy::recipe::{Draft, Scene};
use serde_json::json;

const NOW: &str = "2026-01-01T12:00:00Z";

/// Drafts a remedy for `shop/web-1` of a cluster.
fn draft(remedy: Remedy, yaml: &str) -> Result<Draft, String> {
    let mut world = testing::world(yaml);
    // One of each kind stands for all of them.
    for kind in ["Deployment", "StatefulSet", "DaemonSet"].iter().filter(|_| yaml.contains("kind: DaemonSet")) {
        world.read_collection(kind, "");
    }
    let diagnosis = testing::diagnose_in(&world, "shop/web-1", NOW);
    let pod = PodView::new(world.pods.get("shop", "web-1").present().expect("the pod"));
    let facts = Facts { now: NOW.parse().expect("a time"), world: &world, subject: Subject::Pod(pod) };
    let scene = Scene { facts, diagnosis: &diagnosis, around: &world, groups: Known::Unreadable };
    (of(remedy).draft)(&scene).map_err(|words| words.en)
}

fn only(draft: Result<Draft, String>) -> Step {
    let mut steps = draft.expect("it fits").steps;
    assert_eq!(steps.len(), 1, "{steps:#?}");
    steps.remove(0)
}

#[track_caller]
fn does_not_fit(draft: Result<Draft, String>, why: &str) {
    let said = draft.expect_err("it does not fit");
    assert!(said.contains(why), "{said}");
}

/// A pod with more metadata, spec and status.
fn pod(meta: &str, spec: &str, status: &str) -> String {
    format!(
        "
apiVersion: v1
kind: Pod
metadata: {{name: web-1, namespace: shop, uid: u-web-1, creationTimestamp: '2026-01-01T10:00:00Z'{meta}}}
spec: {{containers: [{{name: app, image: 'web:2', resources: {{limits: {{memory: 256Mi}}}}}}]{spec}}}
status: {{phase: Running{status}}}
"
    )
}

const OF_DEPLOYMENT: &str = ", labels: {app: web, pod-template-hash: abc}, ownerReferences: [{apiVersion: apps/v1, kind: ReplicaSet, name: web-abc, uid: u-abc, controller: true}]";
const OF_STATEFUL_SET: &str =
    ", ownerReferences: [{apiVersion: apps/v1, kind: StatefulSet, name: web, uid: u-sts, controller: true}]";

/// A Deployment, with more in its spec and template's metadata, and its two revisions.
fn deployment(meta: &str, spec: &str) -> String {
    format!(
        "
---
apiVersion: apps/v1
kind: Deployment
metadata: {{name: web, namespace: shop, uid: u-deploy, generation: 7{meta}}}
spec:
  selector: {{matchLabels: {{app: web}}}}
  template: {{metadata: {{labels: {{app: web}}}}, spec: {{containers: [{{name: app, image: 'web:2', resources: {{limits: {{memory: 256Mi}}}}}}]}}}}
  {spec}
---
apiVersion: apps/v1
kind: ReplicaSet
metadata: {{name: web-abc, namespace: shop, uid: u-abc, annotations: {{deployment.kubernetes.io/revision: '2'}}, ownerReferences: [{{apiVersion: apps/v1, kind: Deployment, name: web, uid: u-deploy, controller: true}}]}}
spec: {{selector: {{matchLabels: {{app: web}}}}, template: {{metadata: {{labels: {{app: web, pod-template-hash: abc}}}}, spec: {{containers: [{{name: app, image: 'web:2', resources: {{limits: {{memory: 256Mi}}}}}}]}}}}}}
---
apiVersion: apps/v1
kind: ReplicaSet
metadata: {{name: web-old, namespace: shop, uid: u-old, annotations: {{deployment.kubernetes.io/revision: '1'}}, ownerReferences: [{{apiVersion: apps/v1, kind: Deployment, name: web, uid: u-deploy, controller: true}}]}}
spec: {{selector: {{matchLabels: {{app: web}}}}, template: {{metadata: {{labels: {{app: web, pod-template-hash: old}}}}, spec: {{containers: [{{name: app, image: 'web:1', resources: {{limits: {{memory: 256Mi}}}}}}]}}}}}}
status: {{replicas: 1, readyReplicas: 1}}
"
    )
}

/// A node with more in its spec, Ready or not.
fn node(ready: &str, spec: &str) -> String {
    format!(
        "
---
apiVersion: v1
kind: Node
metadata: {{name: a1, uid: u-a1}}
spec: {{podCIDR: 10.0.0.0/24{spec}}}
status: {{conditions: [{{type: Ready, status: '{ready}', lastTransitionTime: '2026-01-01T11:00:00Z'}}]}}
"
    )
}

#[test]
fn finalizers_are_taken_off_from_the_last_to_the_first() {
    let leaving = ", deletionTimestamp: '2026-01-01T11:00:00Z', deletionGracePeriodSeconds: 0, finalizers: [a.example.com/x, b.example.com/y]";
    let step = only(draft(Remedy::RemoveFinalizers, &pod(leaving, "", "")));
    assert_eq!(
        step.diff(),
        "pod shop/web-1\n- metadata.finalizers[1]: b.example.com/y\n- metadata.finalizers[0]: a.example.com/x"
    );
    let Change::Patch { operations } = &step.change else { panic!("a patch") };
    let object = json!({"metadata": {"uid": "u-web-1", "finalizers": ["a.example.com/x", "b.example.com/y"]}});
    assert_eq!(patch::apply(&object, operations).expect("it fits")["metadata"]["finalizers"], json!([]));
    does_not_fit(draft(Remedy::RemoveFinalizers, &pod("", "", "")), "not kept by a finalizer");
}

#[test]
fn an_owner_that_is_alive_speaks_against_it() {
    let leaving = ", deletionTimestamp: '2026-01-01T11:00:00Z', deletionGracePeriodSeconds: 0, finalizers: [backup.example.com/x]";
    let owner = |ready: u32| {
        format!(
            "{}
---
apiVersion: apps/v1
kind: Deployment
metadata: {{name: backup-operator, namespace: ops}}
spec: {{replicas: 1, selector: {{}}, template: {{}}}}
status: {{readyReplicas: {ready}}}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {{name: other, namespace: ops}}
spec: {{serviceName: x, selector: {{}}, template: {{}}}}
---
apiVersion: apps/v1
kind: DaemonSet
metadata: {{name: other, namespace: ops}}
spec: {{selector: {{}}, template: {{}}}}
",
            pod(leaving, "", "")
        )
    };
    let note = |yaml: &str| draft(Remedy::RemoveFinalizers, yaml).expect("it fits").notes.remove(0);
    let alive = note(&owner(1));
    assert!(
        alive.words.en.contains("deployment ops/backup-operator") && alive.words.en.contains("It is alive"),
        "{alive:?}"
    );
    assert!(note(&owner(0)).words.en.contains("If it can be brought back"));
    let gone = note(&owner(1).replace("backup-operator", "cart"));
    assert!(gone.words.en.contains("has `backup` in its name") && gone.words.en.contains("nobody will"), "{gone:?}");
    let unread = note(&pod(leaving, "", ""));
    assert!(unread.words.en.contains("could be read"), "unreadable is never absent: {unread:?}");
}

#[test]
fn a_pod_is_evicted_where_somebody_makes_it_anew() {
    let step = only(draft(Remedy::RestartPod, &pod(OF_DEPLOYMENT, "", "")));
    assert_eq!(step.change, Change::Evict);
    assert_eq!(step.right().resource, "pods/eviction");
    does_not_fit(draft(Remedy::RestartPod, &pod("", "", "")), "it has no controller");
}

#[test]
fn a_rollout_is_restarted_resumed_and_undone() {
    let web = pod(OF_DEPLOYMENT, "", "") + &deployment("", "replicas: 1");
    let restart = only(draft(Remedy::RestartRollout, &web));
    assert!(
        restart.diff().contains(
            r#"+ spec.template.metadata.annotations["kubectl.kubernetes.io/restartedAt"]: 2026-01-01T12:00:00Z"#
        ),
        "{}",
        restart.diff()
    );
    let undo = only(draft(Remedy::UndoRollout, &web));
    assert_eq!(
        undo.diff(),
        "deployment shop/web\n- spec.template.spec.containers[0].image: web:2\n+ spec.template.spec.containers[0].image: web:1"
    );
    let Change::Patch { operations } = &undo.change else { panic!("a patch") };
    let text = patch::to_json(operations).to_string();
    assert!(
        text.contains(r#""path":"/metadata/generation","value":7"#) && !text.contains("pod-template-hash"),
        "{text}"
    );
    does_not_fit(draft(Remedy::ResumeRollout, &web), "is not paused");

    let paused = pod(OF_DEPLOYMENT, "", "") + &deployment("", "paused: true");
    assert_eq!(only(draft(Remedy::ResumeRollout, &paused)).diff(), "deployment shop/web\n- spec.paused: true");
    for remedy in [Remedy::RestartRollout, Remedy::UndoRollout, Remedy::RaiseMemoryLimit] {
        does_not_fit(draft(remedy, &paused), "is paused");
    }
    does_not_fit(draft(Remedy::RestartRollout, &pod("", "", "")), "is not rolled");
    does_not_fit(draft(Remedy::RestartRollout, &pod(OF_DEPLOYMENT, "", "")), "could not be read");
}

#[test]
fn who_puts_a_change_back_is_told() {
    let argo = ", annotations: {argocd.argoproj.io/tracking-id: 'shop:apps/Deployment:shop/web'}";
    let web = pod(OF_DEPLOYMENT, "", "") + &deployment(argo, "replicas: 1");
    let notes = draft(Remedy::UndoRollout, &web).expect("it fits").notes;
    assert!(notes.iter().any(|note| note.words.en.contains("Argo CD")), "{notes:?}");
}

#[test]
fn a_memory_limit_is_raised_to_what_the_evidence_tells() {
    let killed = ", containerStatuses: [{name: app, image: 'web:2', imageID: x, ready: false, restartCount: 5, state: {waiting: {reason: CrashLoopBackOff}}, lastState: {terminated: {exitCode: 137, reason: OOMKilled, startedAt: '2026-01-01T11:50:00Z', finishedAt: '2026-01-01T11:55:00Z'}}}]";
    let web = pod(OF_DEPLOYMENT, ", nodeName: a1", killed) + &deployment("", "replicas: 1");
    let step = only(draft(Remedy::RaiseMemoryLimit, &web));
    let field = "spec.template.spec.containers[0].resources.limits.memory";
    assert_eq!(step.diff(), format!("deployment shop/web\n- {field}: 256Mi\n+ {field}: 384Mi"));
    let raised = web.replacen("memory: 256Mi", "memory: 128Mi", 1);
    does_not_fit(draft(Remedy::RaiseMemoryLimit, &raised), "its replacement is on its way");
}

#[test]
fn only_failed_pods_of_the_workload_are_cleared_away() {
    let failed = |name: &str, owner: &str| {
        pod(OF_DEPLOYMENT, "", ", reason: Evicted")
            .replace("web-1", name)
            .replace("phase: Running", "phase: Failed")
            .replace("web-abc", owner)
    };
    let cluster = [
        failed("web-1", "web-abc"),
        failed("web-2", "web-abc"),
        failed("cart-1", "cart-xyz"),
        pod(OF_DEPLOYMENT, "", "").replace("web-1", "web-3"),
    ]
    .join("---");
    let steps = draft(Remedy::DeleteFailedPods, &cluster).expect("it fits").steps;
    let names: Vec<&str> = steps.iter().map(|step| step.object.name.as_str()).collect();
    assert_eq!(names, ["web-1", "web-2"]);
    let tests = json!([{"op": "test", "path": "/status/phase", "value": "Failed"}]);
    assert!(steps.iter().all(|step| matches!(&step.change, Change::Delete { grace_seconds: None, tests: given } if patch::to_json(given) == tests)));
    does_not_fit(draft(Remedy::DeleteFailedPods, &pod(OF_DEPLOYMENT, "", "")), "No failed pod");
}

#[test]
fn a_node_is_cordoned_and_opened_again() {
    let on_node = |node: &str| pod("", ", nodeName: a1", "") + node;
    let open = only(draft(Remedy::CordonNode, &on_node(&node("True", ""))));
    assert_eq!(open.diff(), "node a1\n+ spec.unschedulable: true");
    does_not_fit(draft(Remedy::UncordonNode, &on_node(&node("True", ""))), "not cordoned any more");
    let cordoned = on_node(&node("True", ", unschedulable: true"));
    assert_eq!(only(draft(Remedy::UncordonNode, &cordoned)).diff(), "node a1\n- spec.unschedulable: true");
    does_not_fit(draft(Remedy::CordonNode, &cordoned), "cordoned already");
    let going =
        on_node(&node("True", ", unschedulable: true, taints: [{key: karpenter.sh/disrupted, effect: NoSchedule}]"));
    does_not_fit(draft(Remedy::UncordonNode, &going), "being taken away");
    does_not_fit(draft(Remedy::UncordonNode, &on_node(&node("False", ", unschedulable: true"))), "is not ready");
    does_not_fit(draft(Remedy::CordonNode, &pod("", ", nodeName: a1", "")), "could not be read");
}

#[test]
fn a_silent_node_is_marked_and_a_living_one_never() {
    let silent = pod("", ", nodeName: a1", "")
        + &node("Unknown", ", taints: [{key: node.kubernetes.io/unreachable, effect: NoExecute}]");
    let step = only(draft(Remedy::MarkNodeOutOfService, &silent));
    assert!(step.diff().contains("node.kubernetes.io/out-of-service"), "{}", step.diff());
    does_not_fit(
        draft(Remedy::MarkNodeOutOfService, &(pod("", ", nodeName: a1", "") + &node("True", ""))),
        "only for a node that is silent",
    );
    let lease = "
---
apiVersion: coordination.k8s.io/v1
kind: Lease
metadata: {name: a1, namespace: kube-node-lease}
spec: {renewTime: '2026-01-01T11:59:50.000000Z'}
";
    does_not_fit(draft(Remedy::MarkNodeOutOfService, &(silent + lease)), "still renews its lease");
}

#[test]
fn a_pod_is_let_go_of_by_force_only_where_nothing_can_still_run() {
    let leaving = ", deletionTimestamp: '2026-01-01T11:00:00Z', deletionGracePeriodSeconds: 30";
    let on = |node: &str| pod(leaving, ", nodeName: a1", "") + node;
    let gone = "
---
apiVersion: v1
kind: Node
metadata: {name: b1, uid: u-b1}
";
    let step = only(draft(Remedy::ForceDeletePod, &on(gone)));
    assert!(matches!(step.change, Change::Delete { grace_seconds: Some(0), .. }));
    let off = node("Unknown", ", taints: [{key: node.kubernetes.io/out-of-service, effect: NoExecute}]");
    assert!(draft(Remedy::ForceDeletePod, &on(&off)).is_ok());
    does_not_fit(draft(Remedy::ForceDeletePod, &on(&node("Unknown", ""))), "nobody knows whether it is off");
    does_not_fit(draft(Remedy::ForceDeletePod, &on(&node("True", ""))), "containers may still run");
    does_not_fit(draft(Remedy::ForceDeletePod, &on("")), "could not be read");
    let of_set = pod(&format!("{leaving}{OF_STATEFUL_SET}"), ", nodeName: a1", "") + gone;
    let notes = draft(Remedy::ForceDeletePod, &of_set).expect("it fits").notes;
    assert!(notes.iter().any(|note| note.words.en.contains("at most one pod")), "{notes:?}");
}

#[test]
fn a_volume_is_let_go_of_where_its_node_is_gone() {
    let claim = ", nodeName: a1, volumes: [{name: data, persistentVolumeClaim: {claimName: data}}]";
    let cluster = |holder: &str| {
        format!(
            "{}{}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {{name: data, namespace: shop}}
spec: {{volumeName: pv-1}}
---
apiVersion: storage.k8s.io/v1
kind: VolumeAttachment
metadata: {{name: csi-1, uid: u-csi-1}}
spec: {{attacher: csi.example.com, nodeName: {holder}, source: {{persistentVolumeName: pv-1}}}}
",
            pod("", claim, ""),
            node("True", "")
        )
    };
    let step = only(draft(Remedy::DeleteVolumeAttachment, &cluster("b9")));
    assert_eq!(step.object.to_string(), "volumeattachment csi-1");
    does_not_fit(draft(Remedy::DeleteVolumeAttachment, &cluster("a1")), "No volume of the pod");
}
