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
    let pod = format!(
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
    );
    let old = set("old", 6, "2025-12-01T10:00:00Z", former, 3);
    let new = set("new", 7, made, present, 0);
    testing::diagnose_by(catalogue, &testing::world(&format!("{pod}{old}{new}")), "shop/web-new-1", NOW)
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
