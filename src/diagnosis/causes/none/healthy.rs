//! Nothing is wrong now; what once was does not count.

use super::{standing, waits};
use crate::diagnosis::{Cause, Finding, Page, Phase, Text, Verdict};
use crate::facts::{ContainerView, Evidence, Facts, Part, PodView, Role, Stage, Subject, Workload, node};
use jiff::{SignedDuration, Timestamp};

pub static CAUSE: Cause = Cause {
    id: "healthy",
    phases: &[Phase::None],
    guide: &[],
    page: Page {
        title: Text { en: "Nothing is wrong", zh: "一切正常" },
        what: Text {
            en: "The pod runs and is ready, and its node is there. Warnings of the past hour may still be listed: they are over.",
            zh: "Pod 正在运行且已就绪，节点也正常。过去一小时内的 Warning 事件可能仍然可见，但问题已经过去。",
        },
        tell: Text {
            en: "Ready is True, every container runs, and the present run has outlived the one before it.",
            zh: "Ready 为 True，所有容器都在运行，并且当前这次运行的时间已经超过上一次。",
        },
        fix: Text { en: "Nothing to do.", zh: "无需处理。" },
        sources: &["https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/"],
    },
    check,
};

fn check(facts: &Facts<'_>) -> Option<Finding> {
    if waits::of(facts).is_some() {
        return None;
    }
    match &facts.subject {
        Subject::Pod(pod) => pod_healthy(facts, *pod),
        Subject::Workload(workload) => workload_healthy(facts, workload),
    }
}

fn pod_healthy(facts: &Facts<'_>, pod: PodView<'_>) -> Option<Finding> {
    if pod.stage() != Stage::Running || pod.phase() != "Running" || !is_ready(pod) {
        return None;
    }
    // Text may be cut off: a pod always has a container, and describe prints its conditions below them.
    let is_cut = matches!(facts.part(), Some(Part::Description | Part::Fragment)) && pod.condition("Ready").is_none();
    if pod.app_containers().next().is_none() || is_cut {
        return None;
    }
    // A node that fell silent or is gone leaves the last report standing: it says nothing of now.
    let node = facts.node();
    if node.is_absent() || node.present().is_some_and(|node| !node::is_ready(node)) {
        return None;
    }
    // Of init containers only sidecars still live. A helper that ended with 0 does not keep a pod from being ready.
    let lives = |container: ContainerView<'_>| {
        container.role == Role::Init || container.is_running() || container.end().is_some_and(|end| end.exit_code == 0)
    };
    if !pod.containers().all(lives) || pod.containers().any(|container| may_end_again(facts, container)) {
        return None;
    }
    if flaps(facts, pod) {
        return None;
    }
    let restarted = pod.containers().filter(|c| c.role != Role::Init && c.restarts() > 0).max_by_key(|c| c.restarts());
    let mut finding = Finding::confirmed(&CAUSE)
        .calm(Verdict::Healthy)
        .because(pod.condition_evidence("Ready"))
        .because(restarted.map(|container| container.restarts_evidence()));
    finding = match restarted {
        Some(container) => finding.says(
            format!(
                "Pod {} is running and ready; container {} was restarted {} times before and has been fine since.",
                pod.name(),
                container.name(),
                container.restarts()
            ),
            format!(
                "Pod {} 正在运行且已就绪；容器 {} 之前重启过 {} 次，此后一直正常。",
                pod.name(),
                container.name(),
                container.restarts()
            ),
        ),
        None => finding.says(
            format!("Pod {} is running and ready, nothing is wrong.", pod.name()),
            format!("Pod {} 正在运行且已就绪，没有发现问题。", pod.name()),
        ),
    };
    finding.some()
}

fn is_ready(pod: PodView<'_>) -> bool {
    match pod.condition("Ready") {
        Some(condition) => condition.status == "True",
        None => pod.app_containers().all(|app| app.ready()),
    }
}

/// Returns true while the present run is shorter than the one that ended just before it: what ended that may end this.
fn may_end_again(facts: &Facts<'_>, container: ContainerView<'_>) -> bool {
    let (Some(Some(since)), Some(end)) = (container.running_since(), container.last_end()) else { return false };
    if container.restarts() == 0 || end.exit_code == 0 && end.reason == "Completed" && container.role == Role::Init {
        return false;
    }
    let fresh = end.finished.is_some_and(|finished| facts.since(finished) < SignedDuration::from_mins(10));
    // By our clock it has not started yet: the clocks differ, and how long it has run cannot be told.
    if facts.since(since).is_negative() && container.ready() {
        return false;
    }
    let ran = end.ran_for().unwrap_or(SignedDuration::ZERO);
    // A long run that ended once is a restart, not a loop.
    fresh && ran < SignedDuration::from_mins(10) && facts.since(since) < ran * 3 / 2 + SignedDuration::from_secs(10)
}

/// Returns true where a probe killed it a moment ago, or it fell out of readiness long after its start and has just
/// come back: whatever did that may be there still.
fn flaps(facts: &Facts<'_>, pod: PodView<'_>) -> bool {
    let recent = |at: Option<Timestamp>| at.is_some_and(|at| facts.since(at) < SignedDuration::from_mins(15));
    let killed = pod
        .events_seen(facts.world)
        .any(|event| event.reason == "Killing" && event.text().contains("probe") && recent(event.last));
    let back = pod.condition("Ready").and_then(|ready| ready.last_transition_time.as_ref()).map(|t| t.0);
    let started = pod.app_containers().filter_map(|app| app.running_since().flatten()).max();
    let fell_out = back.zip(started).is_some_and(|(back, started)| {
        recent(Some(back)) && back.duration_since(started) > SignedDuration::from_mins(5)
    });
    let failures = |times| {
        pod.events_seen(facts.world).filter(move |e| e.reason == "Unhealthy" && e.count >= times && recent(e.last))
    };
    // Out once is a moment that has passed (see `came_and_went` of the probes).
    let failed = || failures(6).next().is_some();
    if back.is_none() && facts.part().is_some() {
        // When it became ready is not printed: failures long after its start say that it was not ready meanwhile.
        return killed
            || failures(3).any(|event| {
                let after = event.last.zip(started).map(|(last, started)| last.duration_since(started));
                after.is_some_and(|after| after > SignedDuration::from_mins(5))
            });
    }
    killed || (fell_out && failed())
}

fn workload_healthy(facts: &Facts<'_>, workload: &Workload) -> Option<Finding> {
    let standing = standing::of(facts.world, workload)?;
    if !standing.is_fine() {
        return None;
    }
    let finding = Finding::confirmed(&CAUSE).calm(Verdict::Healthy).because([standing.evidence]);
    let wanted = standing.wanted;
    if wanted == 0 {
        return finding
            .because([Evidence::field(format!("{workload}.spec.replicas"), 0, None)])
            .says(
                format!("{workload} wants no pods at the moment (0 replicas)."),
                format!("{workload} 目前的期望副本数为 0，没有 Pod 属于正常。"),
            )
            .some();
    }
    finding
        .says(
            format!("{workload} has all its {wanted} pods, and they are ready."),
            format!("{workload} 的 {wanted} 个 Pod 全部就绪。"),
        )
        .some()
}

#[cfg(test)]
mod tests {
    use crate::diagnosis::Verdict;
    use crate::diagnosis::testing::{diagnose_in, diagnose_pod, world};

    fn pod(restarts: u32, started: &str, last: &str) -> String {
        format!(
            r"
apiVersion: v1
kind: Pod
metadata: {{name: web, namespace: prod, creationTimestamp: '2026-01-01T00:00:00Z'}}
spec: {{nodeName: a, containers: [{{name: app, image: x}}]}}
status:
  phase: Running
  conditions: [{{type: Ready, status: 'True'}}]
  containerStatuses:
  - name: app
    ready: true
    started: true
    restartCount: {restarts}
    image: x
    imageID: ''
    state: {{running: {{startedAt: '{started}'}}}}
    lastState: {last}
"
        )
    }

    #[test]
    fn a_ready_pod_is_healthy() {
        let yaml = pod(0, "2026-01-01T00:00:10Z", "{}");
        let diagnosis = diagnose_pod(&yaml, "prod/web", "2026-01-01T01:00:00Z");
        assert_eq!(diagnosis.verdict, Verdict::Healthy);
        assert_eq!(diagnosis.answer().unwrap().cause.id, "healthy");
    }

    #[test]
    fn a_run_that_is_younger_than_the_last_is_not_yet_fine() {
        let last = "{terminated: {exitCode: 143, reason: Error, startedAt: '2026-01-01T00:00:10Z', finishedAt: '2026-01-01T00:01:10Z'}}";
        let yaml = pod(1, "2026-01-01T00:01:11Z", last);
        let of = |at| diagnose_pod(&yaml, "prod/web", at).findings.iter().any(|f| f.cause.id == "healthy");
        assert!(!of("2026-01-01T00:01:40Z"), "it may be killed again at the same point");
        assert!(of("2026-01-01T00:04:00Z"));
    }

    #[test]
    fn a_silent_node_leaves_no_pod_healthy() {
        let yaml = format!(
            "{}---\napiVersion: v1\nkind: Node\nmetadata: {{name: a}}\nstatus: {{conditions: [{{type: Ready, status: Unknown}}]}}\n",
            pod(0, "2026-01-01T00:00:10Z", "{}")
        );
        let diagnosis = diagnose_pod(&yaml, "prod/web", "2026-01-01T01:00:00Z");
        assert!(diagnosis.findings.iter().all(|finding| finding.cause.id != "healthy"));
    }

    #[test]
    fn a_workload_with_all_its_pods_is_healthy_whatever_its_events_say() {
        let world = world(
            r"
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db, namespace: prod}
spec: {replicas: 2, serviceName: db, selector: {}, template: {}}
status: {replicas: 2, readyReplicas: 2}
---
apiVersion: v1
kind: Event
metadata: {name: e, namespace: prod}
involvedObject: {kind: StatefulSet, namespace: prod, name: db}
reason: FailedCreate
type: Warning
message: 'create Pod db-0 in StatefulSet db failed error: The POST operation against Pod could not be completed at this time, please try again.'
lastTimestamp: '2026-01-01T00:00:01Z'
",
        );
        let diagnosis = diagnose_in(&world, "prod/StatefulSet/db", "2026-01-01T00:05:00Z");
        assert_eq!(diagnosis.answer().unwrap().cause.id, "healthy");
    }
}
