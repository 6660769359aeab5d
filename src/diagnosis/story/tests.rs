//! Stories of rollouts: told where times and differences say so, and only there.

use crate::diagnosis::custom::{Custom, Definition};
use crate::diagnosis::{Catalogue, Diagnosis, Remedy, testing};

const NOW: &str = "2026-01-01T10:20:00Z";

fn set(name: &str, revision: u32, made: &str, template: &str, ready: u32) -> String {
    format!(
        "
---
apiVersion: apps/v1
kind: ReplicaSet
metadata:
  name: web-{name}
  namespace: shop
  creationTimestamp: '{made}'
  annotations: {{deployment.kubernetes.io/revision: '{revision}'}}
  ownerReferences: [{{apiVersion: apps/v1, kind: Deployment, name: web, uid: d, controller: true}}]
spec:
  selector: {{matchLabels: {{app: web, pod-template-hash: {name}}}}}
  template: {{spec: {{containers: [{template}]}}}}
status: {{replicas: 3, readyReplicas: {ready}}}
"
    )
}

/// A pod of the newest set that was killed for memory, not ready since `unready`.
fn killed(former: &str, present: &str, made: &str, unready: &str) -> Diagnosis {
    killed_by(&Catalogue::default(), former, present, made, unready)
}

fn killed_by(catalogue: &Catalogue, former: &str, present: &str, made: &str, unready: &str) -> Diagnosis {
    let pod = pod_of(present, made, unready);
    let old = set("old", 6, "2025-12-01T10:00:00Z", former, 3);
    let new = set("new", 7, made, present, 0);
    testing::diagnose_by(catalogue, &testing::world(&format!("{pod}{old}{new}")), "shop/web-new-1", NOW)
}

fn pod_of(present: &str, made: &str, unready: &str) -> String {
    format!(
        "
apiVersion: v1
kind: Pod
metadata:
  name: web-new-1
  namespace: shop
  uid: u1
  creationTimestamp: '{made}'
  labels: {{app: web, pod-template-hash: new}}
  ownerReferences: [{{apiVersion: apps/v1, kind: ReplicaSet, name: web-new, uid: r, controller: true}}]
spec: {{nodeName: n1, containers: [{present}]}}
status:
  phase: Running
  conditions: [{{type: Ready, status: 'False', lastTransitionTime: '{unready}'}}]
  containerStatuses:
  - name: app
    ready: false
    restartCount: 4
    image: x
    imageID: x
    state: {{waiting: {{reason: CrashLoopBackOff, message: back-off}}}}
    lastState: {{terminated: {{reason: OOMKilled, exitCode: 137, startedAt: '2026-01-01T10:18:00Z', finishedAt: '2026-01-01T10:19:00Z'}}}}
"
    )
}

/// The same pod and its sets, with these words of the YAML exchanged and objects added.
fn told(change: &[(&str, &str)], more: &str) -> Diagnosis {
    let made = "2026-01-01T10:00:00Z";
    let mut yaml = format!(
        "{}{}{}{more}",
        pod_of(OLD, made, "2026-01-01T10:02:00Z"),
        set("old", 6, "2025-12-01T10:00:00Z", OLD, 3),
        set("new", 7, made, OLD, 0)
    );
    for (from, to) in change {
        assert!(yaml.contains(from), "{from}");
        yaml = yaml.replace(from, to);
    }
    testing::diagnose_pod(&yaml, "shop/web-new-1", NOW)
}

const OLD: &str = "{name: app, image: 'shop/web:1.4', resources: {limits: {memory: 512Mi}}}";
const NEW: &str = "{name: app, image: 'shop/web:1.5', resources: {limits: {memory: 256Mi}}, \
                   env: [{name: TOKEN, value: hunter2}]}";

#[test]
fn a_finding_that_began_with_a_rollout_says_so() {
    let diagnosis = killed(OLD, NEW, "2026-01-01T10:00:00Z", "2026-01-01T10:02:00Z");
    assert_eq!(diagnosis.answer().map(|f| f.cause.id), Some("cgroup-oom"));
    let change = &diagnosis.story[0];
    for part in
        ["2 min after the rollout of revision 7", "`shop/web:1.4` → `shop/web:1.5`", "512Mi → 256Mi", "`+TOKEN`"]
    {
        assert!(change.text.en.contains(part), "{}", change.text.en);
    }
    assert!(change.text.zh.contains("版本 7 的发布后 2 分钟"), "{}", change.text.zh);
    assert_eq!(change.command.as_deref(), Some("kubectl -n shop rollout undo deployment/web --to-revision=6"));
    let finding = diagnosis.answer().expect("a finding");
    assert!(finding.fixes.iter().any(|fix| fix.command == change.command && fix.text.en.contains("still ready")));
    assert!(finding.remedies.contains(&Remedy::UndoRollout));
    assert!(diagnosis.story[1].text.en.contains("0 of 3 pods ready; revision 6: 3 of 3"), "{:?}", diagnosis.story);
    assert!(!format!("{diagnosis:?}").contains("hunter2"), "a value of the environment is told");
}

#[test]
fn a_teams_own_cause_tells_the_rollout_and_is_no_ground_for_acting() {
    let own: Definition = serde_saphyr::from_str(
        "{id: acme-small, phases: [crashing], certainty: confirmed, title: t, what: w, fix: f, summary: s, \
         when: container.name == 'app', explains: [cgroup-oom]}",
    )
    .expect("a definition");
    let catalogue = Catalogue::with(vec![Custom::of(&own).expect("a good cause")]);
    let diagnosis = killed_by(&catalogue, OLD, NEW, "2026-01-01T10:00:00Z", "2026-01-01T10:02:00Z");
    let finding = diagnosis.answer().expect("a finding");
    assert_eq!(finding.cause.id, "acme-small");
    assert!(finding.fixes.iter().any(|fix| fix.command == diagnosis.story[0].command), "people may undo it");
    assert_eq!(finding.remedies, []);
}

#[test]
fn what_began_long_after_the_rollout_did_not_begin_with_it() {
    let diagnosis = killed(OLD, NEW, "2025-12-20T10:00:00Z", "2026-01-01T10:02:00Z");
    assert!(diagnosis.story.iter().all(|chapter| chapter.at.is_none()), "{:?}", diagnosis.story);
    assert!(!diagnosis.answer().expect("a finding").remedies.contains(&Remedy::UndoRollout));
}

#[test]
fn a_restart_without_a_change_is_no_reason_to_go_back() {
    let diagnosis = killed(NEW, NEW, "2026-01-01T10:00:00Z", "2026-01-01T10:02:00Z");
    assert!(diagnosis.story.iter().all(|chapter| chapter.command.is_none()), "{:?}", diagnosis.story);
}

#[test]
fn a_change_of_another_container_is_not_what_did_it() {
    let beside = |image: &str| format!("{NEW}, {{name: side, image: '{image}'}}");
    let diagnosis = killed(&beside("s:1"), &beside("s:2"), "2026-01-01T10:00:00Z", "2026-01-01T10:02:00Z");
    assert!(diagnosis.story.iter().all(|chapter| chapter.command.is_none()), "{:?}", diagnosis.story);
}

#[test]
fn a_rollout_in_the_future_tells_nothing() {
    let diagnosis = killed(OLD, NEW, "2026-01-01T11:00:00Z", "2026-01-01T10:02:00Z");
    assert!(diagnosis.story.iter().all(|chapter| chapter.at.is_none()), "{:?}", diagnosis.story);
}

#[test]
fn a_daemon_set_tells_its_revisions_too() {
    let revision = |name: &str, number: u32, made: &str, command: &str| {
        format!(
            "
---
apiVersion: apps/v1
kind: ControllerRevision
metadata:
  name: agent-{name}
  namespace: shop
  creationTimestamp: '{made}'
  ownerReferences: [{{apiVersion: apps/v1, kind: DaemonSet, name: agent, uid: d, controller: true}}]
revision: {number}
data: {{spec: {{template: {{$patch: replace, spec: {{containers: [{{name: app, image: a, command: [{command}]}}]}}}}}}}}
"
        )
    };
    let pod = "
apiVersion: v1
kind: Pod
metadata:
  name: agent-1
  namespace: shop
  uid: u1
  creationTimestamp: '2026-01-01T10:01:00Z'
  labels: {controller-revision-hash: bbb}
  ownerReferences: [{apiVersion: apps/v1, kind: DaemonSet, name: agent, uid: d, controller: true}]
spec: {nodeName: n1, containers: [{name: app, image: a, command: [/no]}]}
status:
  phase: Running
  conditions: [{type: Ready, status: 'False', lastTransitionTime: '2026-01-01T10:01:00Z'}]
  containerStatuses:
  - name: app
    ready: false
    restartCount: 4
    image: x
    imageID: x
    state: {waiting: {reason: CrashLoopBackOff, message: back-off}}
    lastState: {terminated: {reason: StartError, exitCode: 128, message: 'failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: exec: \"/no\": stat /no: no such file or directory: unknown', startedAt: '1970-01-01T00:00:00Z', finishedAt: '2026-01-01T10:19:00Z'}}
";
    let yaml = format!(
        "{pod}{}{}",
        revision("aaa", 3, "2025-12-01T10:00:00Z", "/yes"),
        revision("bbb", 4, "2026-01-01T10:00:00Z", "/no")
    );
    let diagnosis = testing::diagnose_pod(&yaml, "shop/agent-1", NOW);
    assert!(diagnosis.story[0].text.en.contains("revision 4: command of `app` changed"), "{:?}", diagnosis.story);
    assert_eq!(
        diagnosis.story[0].command.as_deref(),
        Some("kubectl -n shop rollout undo daemonset/agent --to-revision=3")
    );
}

#[test]
fn a_checksum_in_the_template_tells_of_a_changed_configuration() {
    let annotated = |sum: &str| {
        format!("template: {{metadata: {{annotations: {{checksum/config: {sum}, other: {sum}}}}}, spec: {{")
    };
    let yaml_old = set("old", 6, "2025-12-01T10:00:00Z", OLD, 3).replace("template: {spec: {", &annotated("aaa"));
    let yaml_new = set("new", 7, "2026-01-01T10:00:00Z", OLD, 0).replace("template: {spec: {", &annotated("bbb"));
    let pod = pod_of(OLD, "2026-01-01T10:00:00Z", "2026-01-01T10:02:00Z");
    let diagnosis = testing::diagnose_pod(&format!("{pod}{yaml_old}{yaml_new}"), "shop/web-new-1", NOW);
    let change = &diagnosis.story[0];
    assert!(change.text.en.contains("configuration changed (`checksum/config`)"), "{}", change.text.en);
    assert!(change.command.is_some(), "it touches what crashes");
    assert!(!format!("{diagnosis:?}").contains("bbb"), "what stands in it is not told");
}

#[test]
fn a_restart_is_told_without_a_way_back_and_a_gap_in_the_revisions_tells_nothing() {
    let diagnosis = {
        let new = set("new", 7, "2026-01-01T10:00:00Z", OLD, 0).replace(
            "template: {spec: {",
            "template: {metadata: {annotations: {kubectl.kubernetes.io/restartedAt: '2026-01-01T10:00:00Z'}}, spec: {",
        );
        let pod = pod_of(OLD, "2026-01-01T10:00:00Z", "2026-01-01T10:02:00Z");
        let old = set("old", 6, "2025-12-01T10:00:00Z", OLD, 3);
        testing::diagnose_pod(&format!("{pod}{old}{new}"), "shop/web-new-1", NOW)
    };
    assert!(
        diagnosis.story[0].text.en.contains("a restart of all pods with the same template"),
        "{:?}",
        diagnosis.story
    );
    assert_eq!(diagnosis.story[0].command, None);
    // The revision before 7 was not read: 5 is not what it was changed from.
    let pod = pod_of(NEW, "2026-01-01T10:00:00Z", "2026-01-01T10:02:00Z");
    let old = set("old", 5, "2025-12-01T10:00:00Z", OLD, 3);
    let new = set("new", 7, "2026-01-01T10:00:00Z", NEW, 0);
    let gap = testing::diagnose_pod(&format!("{pod}{old}{new}"), "shop/web-new-1", NOW);
    assert!(gap.story.iter().all(|chapter| chapter.command.is_none()), "{:?}", gap.story);
}

const CONFIG: &str = "
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: web-conf
  namespace: shop
  creationTimestamp: '2025-01-01T00:00:00Z'
  managedFields: [{manager: kubectl, time: '2026-01-01T09:59:00Z'}]
data: {key: hunter2}
";
const READS: (&str, &str) =
    ("containers: [{name: app,", "containers: [{name: app, envFrom: [{configMapRef: {name: web-conf}}],");

#[test]
fn a_config_map_that_was_changed_before_is_told_by_its_time_and_never_by_its_values() {
    let about = |diagnosis: &Diagnosis| {
        diagnosis.story.iter().find(|chapter| chapter.topic == super::Topic::Config).map(|c| c.text.en.clone())
    };
    let diagnosis = told(&[READS], CONFIG);
    assert_eq!(
        about(&diagnosis).as_deref(),
        Some("Began 3 min after ConfigMap `web-conf`, which it reads, was changed")
    );
    assert!(!format!("{diagnosis:?}").contains("hunter2"));
    assert_eq!(about(&told(&[], CONFIG)), None, "it does not read it");
    let long_ago = CONFIG.replace("2026-01-01T09:59", "2025-12-31T09:59");
    assert_eq!(about(&told(&[READS], &long_ago)), None, "long before");
    let later = CONFIG.replace("2026-01-01T09:59", "2026-01-01T10:10");
    assert_eq!(about(&told(&[READS], &later)), None, "changed when it was failing already");
}

fn node(more: &str) -> String {
    format!(
        "\n---\napiVersion: v1\nkind: Node\nmetadata: {{name: n1, creationTimestamp: '2025-01-01T00:00:00Z'}}\n{more}\n"
    )
}

#[test]
fn a_condition_of_the_node_that_came_before_is_told_with_its_time() {
    let pressure = |since: &str| {
        let conditions = format!(
            "status: {{conditions: [{{type: Ready, status: 'True'}}, {{type: PIDPressure, status: 'True', lastTransitionTime: '{since}'}}]}}"
        );
        let story = told(&[], &node(&conditions)).story;
        story.into_iter().find(|chapter| chapter.topic == super::Topic::Node).map(|chapter| chapter.text.en)
    };
    let expected = "Node `n1` has had PIDPressure for 23 min, since 5 min before the trouble began";
    assert_eq!(pressure("2026-01-01T09:57:00Z").as_deref(), Some(expected));
    assert_eq!(pressure("2026-01-01T10:15:00Z"), None, "it came later");
    assert_eq!(pressure("2025-12-01T10:15:00Z"), None, "it has been so for ever");
}

#[test]
fn a_pod_that_a_drain_evicted_says_when_its_node_was_cordoned() {
    let pod = "
apiVersion: v1
kind: Pod
metadata: {name: slow, namespace: shop, uid: u1, creationTimestamp: '2026-01-01T08:00:00Z', deletionTimestamp: '2026-01-01T10:05:00Z', deletionGracePeriodSeconds: 30, finalizers: [example.com/hold]}
spec: {nodeName: n1, containers: [{name: app, image: x}]}
status:
  phase: Running
  conditions: [{type: DisruptionTarget, status: 'True', reason: EvictionByEvictionAPI, lastTransitionTime: '2026-01-01T10:04:30Z'}]
";
    let spec = "spec: {unschedulable: true, taints: [{key: node.kubernetes.io/unschedulable, effect: NoSchedule, timeAdded: '2026-01-01T10:02:00Z'}]}\nstatus: {conditions: [{type: Ready, status: 'True'}]}";
    let diagnosis = testing::diagnose_pod(&format!("{pod}{}", node(spec)), "shop/slow", NOW);
    let told = "Node `n1` is being drained: the pod was evicted 2 min after it was cordoned";
    assert!(
        diagnosis.story.iter().any(|chapter| chapter.text.en == told),
        "{:?} {:?}",
        diagnosis.story,
        diagnosis.answer()
    );
}
