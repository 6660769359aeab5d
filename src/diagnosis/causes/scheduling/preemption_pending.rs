//! A node is nominated, and the pods that make room on it are still leaving.

use crate::diagnosis::{Cause, Certainty, Finding, Fix, Page, Phase, Text, Words, kubectl};
use crate::facts::{Evidence, Facts, PodView, Stage};

pub static CAUSE: Cause = Cause {
    id: "preemption-pending",
    phases: &[Phase::Scheduling],
    guide: &[],
    page: Page {
        title: Text { en: "Room is being made by preemption", zh: "正在通过抢占腾出资源" },
        what: Text {
            en: "The scheduler has chosen a node for this pod of higher priority and has asked pods of lower priority there to leave. They may take their grace period; the pod is placed when they are gone.",
            zh: "调度器已为这个高优先级 Pod 选定节点，并要求其上低优先级的 Pod 退出。它们可以用完宽限期，全部退出后该 Pod 才会被调度。",
        },
        tell: Text {
            en: "status.nominatedNodeName is set, and pods on that node are terminating with DisruptionTarget PreemptionByScheduler. From 1.35 on others may nominate a node as well.",
            zh: "status.nominatedNodeName 已设置，该节点上有 Pod 正在终止（DisruptionTarget 为 PreemptionByScheduler）。1.35 起其他组件也可能设置提名节点。",
        },
        fix: Text {
            en: "Wait for the grace period of the victims. If one does not go, look at that one: it is stuck terminating.",
            zh: "等待被抢占 Pod 的宽限期结束。如果某个 Pod 迟迟不退出，请排查那个 Pod 的 Terminating 问题。",
        },
        sources: &["https://kubernetes.io/docs/concepts/scheduling-eviction/pod-priority-preemption/"],
    },
    check,
};

fn check(facts: &Facts<'_>) -> Option<Finding> {
    let pod = facts.pod().filter(|pod| pod.stage() == Stage::Unscheduled)?;
    let node = pod.status()?.nominated_node_name.as_deref().filter(|node| !node.is_empty())?;
    // The scheduler's own words, for every pod of lower priority that is leaving the node (1.23 and later).
    let said = super::said(facts);
    let waits = said.as_ref().is_some_and(|said| said.text.contains("due to a terminating pod on the nominated node"));
    let victims: Vec<PodView<'_>> = facts
        .world
        .pods_on(node)
        .map(PodView::new)
        .filter(|victim| victim.deletion_deadline().is_some() && (waits || is_victim(facts, *victim)))
        .collect();
    let preempted = facts.world.events_about("Pod").any(|event| {
        event.reason == "Preempted"
            && (event.text().contains(pod.uid()) && !pod.uid().is_empty() || event.text().contains(pod.name()))
    });
    let certainty = match (victims.is_empty(), preempted || waits) {
        (false, _) => Certainty::Confirmed,
        (true, true) => Certainty::Likely,
        // A nomination alone is left over where its pods are long gone.
        (true, false) => Certainty::Possible,
    };
    let slowest = victims.iter().max_by_key(|victim| victim.deletion_deadline());
    let mut finding = Finding::new(&CAUSE, certainty).explains(super::OF_THE_SENTENCE).because([Evidence::field(
        "pod.status.nominatedNodeName",
        node,
        None,
    )]);
    finding = finding.because(said.filter(|_| waits).into_iter().flat_map(|said| said.evidence));
    for victim in victims.iter().take(5) {
        let deadline = victim.deletion_deadline();
        finding = finding.because([Evidence::field(
            format!("pod {}/{}.metadata.deletionTimestamp", victim.namespace(), victim.name()),
            deadline.map(|at| at.to_string()).unwrap_or_default(),
            deadline,
        )]);
    }
    finding = match slowest {
        Some(victim) => finding.says(
            format!(
                "Pod {} is to go to node {node}; {} pod(s) of lower priority are still leaving it, the last is {}/{} (until {}).",
                pod.name(),
                victims.len(),
                victim.namespace(),
                victim.name(),
                victim.deletion_deadline().map(|at| at.to_string()).unwrap_or_default()
            ),
            format!(
                "Pod {} 将被调度到节点 {node}；仍有 {} 个低优先级 Pod 正在退出，最慢的是 {}/{}（最迟 {}）。",
                pod.name(),
                victims.len(),
                victim.namespace(),
                victim.name(),
                victim.deletion_deadline().map(|at| at.to_string()).unwrap_or_default()
            ),
        ),
        None => finding.says(
            format!("Pod {} is nominated for node {node}, where room is being made for it.", pod.name()),
            format!("Pod {} 已被提名到节点 {node}，正在为其腾出资源。", pod.name()),
        ),
    };
    finding
        .fix(
            Fix::safe(Words::new("See which pods on the node are leaving.", "查看该节点上正在退出的 Pod。"))
                .command(format!("kubectl get pods -A --field-selector spec.nodeName={}", kubectl::quoted(node))),
        )
        .some()
}

fn is_victim(facts: &Facts<'_>, pod: PodView<'_>) -> bool {
    let condition = pod.condition("DisruptionTarget");
    condition.is_some_and(|c| c.reason.as_deref() == Some("PreemptionByScheduler"))
        || pod.last_event(facts.world, "Preempted").is_some()
}

#[cfg(test)]
mod tests {
    use crate::diagnosis::Certainty;
    use crate::diagnosis::testing::diagnose_pod;

    const PAIR: &str = r#"
apiVersion: v1
kind: Pod
metadata: {name: vip, namespace: prod, uid: u-1, creationTimestamp: '2026-01-01T00:00:00Z'}
spec: {priority: 1000, containers: [{name: app, image: x}]}
status:
  phase: Pending
  nominatedNodeName: a
  conditions: [{type: PodScheduled, status: 'False', reason: Unschedulable, message: "0/1 nodes are available: 1 Insufficient cpu."}]
---
apiVersion: v1
kind: Pod
metadata: {name: batch, namespace: prod, deletionTimestamp: '2026-01-01T00:10:00Z'}
spec: {nodeName: a, containers: [{name: app, image: x}]}
status:
  phase: Running
  conditions: [{type: DisruptionTarget, status: 'True', reason: PreemptionByScheduler}]
"#;

    #[test]
    fn the_victim_that_is_leaving_is_named() {
        let diagnosis = diagnose_pod(PAIR, "prod/vip", "2026-01-01T00:02:00Z");
        let answer = diagnosis.answer().unwrap();
        assert_eq!((answer.cause.id, answer.certainty), ("preemption-pending", Certainty::Confirmed));
        assert!(answer.summary.en.contains("prod/batch"));
    }

    #[test]
    fn the_scheduler_says_itself_that_it_waits_for_the_node() {
        let yaml = PAIR.replace("PreemptionByScheduler", "DeletionByTaintManager").replace(
            "1 Insufficient cpu.",
            "1 Insufficient cpu. preemption: not eligible due to a terminating pod on the nominated node.",
        );
        let diagnosis = diagnose_pod(&yaml, "prod/vip", "2026-01-01T00:02:00Z");
        let answer = diagnosis.answer().unwrap();
        assert_eq!((answer.cause.id, answer.certainty), ("preemption-pending", Certainty::Confirmed));
    }

    #[test]
    fn a_nomination_without_victims_does_not_lead() {
        let yaml = PAIR.replace("PreemptionByScheduler", "EvictionByEvictionAPI");
        let diagnosis = diagnose_pod(&yaml, "prod/vip", "2026-01-01T00:02:00Z");
        assert_eq!(diagnosis.answer().unwrap().cause.id, "node-resources-insufficient");
    }
}
