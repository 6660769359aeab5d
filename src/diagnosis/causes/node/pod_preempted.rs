//! The pod made room for one of higher priority.

use crate::diagnosis::cause::{Cause, Page, Phase};
use crate::diagnosis::finding::{Finding, Fix};
use crate::diagnosis::kubectl::edit;
use crate::diagnosis::words::{Text, Words};
use crate::facts::{Event, Facts, Stage};

pub static CAUSE: Cause = Cause {
    id: "pod-preempted",
    phases: &[Phase::Node],
    guide: &[],
    page: Page {
        title: Text { en: "Preempted by a pod of higher priority", zh: "被更高优先级的 Pod 抢占" },
        what: Text {
            en: "When no node has room for a pod of higher priority, the scheduler removes pods of lower priority to make some; the \
                 kubelet does the same for critical pods of the node itself.",
            zh: "没有节点能容纳更高优先级的 Pod 时，调度器会移除较低优先级的 Pod；kubelet 也会为节点的关键 Pod 这样做。",
        },
        tell: Text {
            en: "Condition DisruptionTarget with reason PreemptionByScheduler, an event Preempted, or status.reason Preempting.",
            zh: "条件 DisruptionTarget 的原因为 PreemptionByScheduler，或事件 Preempted，或 status.reason 为 Preempting。",
        },
        fix: Text {
            en: "Give the workload a higher priority class if it matters more, or the cluster more room.",
            zh: "如果该工作负载更重要，则提高其 PriorityClass；或给集群增加资源。",
        },
        sources: &["kubernetes.io/docs/concepts/scheduling-eviction/pod-priority-preemption"],
    },
    check,
};

fn check(facts: &Facts<'_>) -> Option<Finding> {
    let pod = facts.pod().filter(|pod| matches!(pod.stage(), Stage::Failed | Stage::Terminating))?;
    let by_scheduler = pod
        .condition("DisruptionTarget")
        .is_some_and(|c| c.status == "True" && c.reason.as_deref() == Some("PreemptionByScheduler"));
    let event = pod.last_event(facts.world, "Preempted").or(pod.last_event(facts.world, "Preempting"));
    if !by_scheduler && event.is_none() && pod.reason() != "Preempting" {
        return None;
    }
    Finding::confirmed(&CAUSE)
        .because(pod.condition_evidence("DisruptionTarget").filter(|_| by_scheduler))
        .because(event.map(Event::evidence))
        .because(pod.reason_evidence())
        .explains(&["app-exit-error", "killed-by-outsider"])
        .says(
            "The pod was removed to make room for one of higher priority.".to_owned(),
            "此 Pod 被移除，为更高优先级的 Pod 腾出位置。".to_owned(),
        )
        .fix(
            Fix::safe(Words::new("See who took its place.", "查看谁占用了它的位置。"))
                .command("kubectl get events -A --field-selector reason=Preempted"),
        )
        .fix(
            Fix::careful(Words::new(
                "If this workload matters more, give it a higher priorityClassName.",
                "如果该工作负载更重要，设置更高的 priorityClassName。",
            ))
            .command(edit(&facts.workload())),
        )
        .some()
}

#[cfg(test)]
mod tests {
    use crate::diagnosis::causes::node::testing::{FINE, ids, on_node};

    #[test]
    fn the_scheduler_says_so() {
        let yaml = on_node(
            "",
            r#"phase: Failed, conditions: [{type: DisruptionTarget, status: "True", reason: PreemptionByScheduler}]"#,
            FINE,
        );
        assert_eq!(ids(&yaml).first(), Some(&"pod-preempted"));
    }

    #[test]
    fn another_disruption_is_not_preemption() {
        let yaml = on_node(
            "",
            r#"phase: Failed, conditions: [{type: DisruptionTarget, status: "True", reason: EvictionByEvictionAPI}]"#,
            FINE,
        );
        assert!(!ids(&yaml).contains(&"pod-preempted"));
    }
}
