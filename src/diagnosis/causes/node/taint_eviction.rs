//! A NoExecute taint removed the pod from its node.

use crate::diagnosis::cause::{Cause, Page, Phase};
use crate::diagnosis::finding::{Certainty, Finding, Fix};
use crate::diagnosis::kubectl::{describe_node, edit};
use crate::diagnosis::words::{Text, Words};
use crate::facts::{Event, Evidence, Facts, Stage, node};

pub static CAUSE: Cause = Cause {
    id: "taint-eviction",
    phases: &[Phase::Node],
    guide: &[],
    page: Page {
        title: Text { en: "Evicted by a NoExecute taint", zh: "被 NoExecute 污点驱逐" },
        what: Text {
            en: "A taint with effect NoExecute removes the pods that do not tolerate it, at once or after their tolerationSeconds. A \
                 person or a product sets it, or the node controller does when a node is not ready or unreachable.",
            zh: "effect 为 NoExecute 的污点会移除不容忍它的 Pod，立即或在 tolerationSeconds 之后。它由人或产品设置，或由节点控制器在节点未就绪或失联时设置。",
        },
        tell: Text {
            en: "Condition DisruptionTarget with reason DeletionByTaintManager, or the event TaintManagerEviction. Where the node is \
                 silent or not ready, that is the cause and this its consequence.",
            zh: "条件 DisruptionTarget 的原因为 DeletionByTaintManager，或事件 TaintManagerEviction。节点静默或未就绪时，那才是原因，这里是后果。",
        },
        fix: Text {
            en: "Remove the taint if nobody needs it, or give the pod a toleration.",
            zh: "如果没有人需要该污点就移除，或给 Pod 加上容忍。",
        },
        sources: &["kubernetes.io/docs/concepts/scheduling-eviction/taint-and-toleration"],
    },
    check,
};

fn check(facts: &Facts<'_>) -> Option<Finding> {
    let pod = facts.pod().filter(|pod| matches!(pod.stage(), Stage::Failed | Stage::Terminating))?;
    let by_condition = pod
        .condition("DisruptionTarget")
        .is_some_and(|c| c.status == "True" && c.reason.as_deref() == Some("DeletionByTaintManager"));
    let event =
        pod.last_event(facts.world, "TaintManagerEviction").filter(|event| !event.message.contains("Cancelling"));
    if !by_condition && event.is_none() {
        return None;
    }
    let name = pod.node_name().unwrap_or("?");
    let taint = facts.node().present().and_then(|n| node::taints(n).iter().find(|taint| taint.effect == "NoExecute"));
    let (told, told_zh) = match taint {
        Some(taint) => (format!("The taint {}", node::taint_text(taint)), format!("污点 {}", node::taint_text(taint))),
        None => ("A NoExecute taint".to_owned(), "NoExecute 污点".to_owned()),
    };
    // Of a node that could not be read nobody knows which taint it was: that of a lost one is a consequence.
    let certainty = if facts.node().is_unreadable() { Certainty::Likely } else { Certainty::Confirmed };
    Finding::new(&CAUSE, certainty)
        .because(taint.map(|taint| {
            Evidence::field(
                format!("node {name}.spec.taints"),
                node::taint_text(taint),
                taint.time_added.as_ref().map(|t| t.0),
            )
        }))
        .because(pod.condition_evidence("DisruptionTarget").filter(|_| by_condition))
        .because(event.map(Event::evidence))
        .explains(&["sigterm-ignored", "app-exit-error", "killed-by-outsider"])
        .says(
            format!("{told} on node {name} evicted the pod, which does not tolerate it."),
            format!("节点 {name} 上的{told_zh}驱逐了不容忍它的 Pod。"),
        )
        .fix(
            Fix::safe(Words::new(
                format!("See who tainted {name}, and why."),
                format!("查看是谁、为何给 {name} 打了污点。"),
            ))
            .command(describe_node(name)),
        )
        .fix(
            Fix::careful(Words::new(
                "Give the pod a toleration if it belongs there.",
                "如果它应当在那里运行，则添加容忍。",
            ))
            .command(edit(&facts.workload())),
        )
        .some()
}

#[cfg(test)]
mod tests {
    use crate::diagnosis::causes::node::testing::{FINE, SILENT, ids, on_node};

    const EVICTED: &str =
        r#"phase: Running, conditions: [{type: DisruptionTarget, status: "True", reason: DeletionByTaintManager}]"#;
    const DELETED: &str = r#", deletionTimestamp: "2026-01-01T09:59:00Z", deletionGracePeriodSeconds: 30"#;

    #[test]
    fn a_taint_on_a_healthy_node() {
        assert_eq!(ids(&on_node(DELETED, EVICTED, FINE)).first(), Some(&"taint-eviction"));
    }

    #[test]
    fn on_a_lost_node_it_is_a_consequence() {
        assert_eq!(ids(&on_node(DELETED, EVICTED, SILENT)).first(), Some(&"node-lost"));
    }
}
