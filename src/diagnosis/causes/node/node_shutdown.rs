//! The node was shut down in an orderly way and ended its pods.

use crate::diagnosis::cause::{Cause, Page, Phase};
use crate::diagnosis::finding::{Finding, Fix, Remedy};
use crate::diagnosis::kubectl::{delete_pod, describe_node};
use crate::diagnosis::words::{Text, Words};
use crate::facts::{Facts, Stage};

pub static CAUSE: Cause = Cause {
    id: "node-shutdown",
    phases: &[Phase::Node],
    guide: &[],
    page: Page {
        title: Text { en: "The node was shut down", zh: "节点被正常关机" },
        what: Text {
            en: "With graceful node shutdown the kubelet ends its pods before the machine goes down and marks them Failed. Their \
                 controllers make new ones elsewhere; the old objects stay until somebody or the garbage collector deletes them.",
            zh: "启用节点优雅关机时，kubelet 在机器关闭前结束 Pod 并标记为 Failed。控制器会在别处重建；旧对象会一直留到有人或垃圾回收器删除。",
        },
        tell: Text {
            en: "status.reason is Terminated or NodeShutdown (Shutdown in 1.20) and the message speaks of the node's shutdown. A \
                 node that went away without a word shows as node-lost.",
            zh: "status.reason 为 Terminated 或 NodeShutdown（1.20 为 Shutdown），消息提到节点关机。无声消失的节点则是 node-lost。",
        },
        fix: Text {
            en: "Nothing to cure in the pod: see that its replacement runs, and delete the leftover. A bare pod must be made anew.",
            zh: "Pod 本身无需处理：确认替代它的 Pod 已运行，并删除遗留对象。没有控制器的 Pod 需要重新创建。",
        },
        sources: &["kubernetes.io/docs/concepts/cluster-administration/node-shutdown"],
    },
    check,
};

fn check(facts: &Facts<'_>) -> Option<Finding> {
    let pod = facts.pod().filter(|pod| matches!(pod.stage(), Stage::Failed | Stage::Terminating))?;
    let message = pod.message().to_lowercase();
    let told = matches!(pod.reason(), "Terminated" | "NodeShutdown" | "Shutdown")
        && (message.contains("shut") || message.is_empty());
    let condition = pod.condition("DisruptionTarget").filter(|c| c.status == "True").and_then(|c| c.message.as_deref());
    let by_condition = condition.is_some_and(|text| text.to_lowercase().contains("node shutdown"));
    if !told && !by_condition {
        return None;
    }
    let node = pod.node_name().unwrap_or("?");
    Finding::confirmed(&CAUSE)
        .because(pod.reason_evidence())
        .because(pod.condition_evidence("DisruptionTarget"))
        .explains(&["app-exit-error", "killed-by-outsider", "system-oom"])
        .says(
            format!("Node {node} was shut down and ended the pod in order."),
            format!("节点 {node} 正常关机，并结束了此 Pod。"),
        )
        .fix(
            Fix::safe(Words::new(format!("See whether {node} is back."), format!("查看 {node} 是否已恢复。")))
                .command(describe_node(node)),
        )
        .fix(
            Fix::careful(Words::new(
                "Delete the leftover once its replacement runs.",
                "替代的 Pod 运行后删除遗留对象。",
            ))
            .command(delete_pod(facts)),
        )
        .remedy(Remedy::DeleteFailedPods)
        .some()
}

#[cfg(test)]
mod tests {
    use crate::diagnosis::causes::node::testing::{FINE, ids, on_node};

    #[test]
    fn the_kubelet_tells_of_the_shutdown() {
        let yaml = on_node(
            "",
            r#"phase: Failed, reason: Terminated, message: "Pod was terminated in response to imminent node shutdown.""#,
            FINE,
        );
        assert_eq!(ids(&yaml).first(), Some(&"node-shutdown"));
    }

    #[test]
    fn another_failure_is_not_a_shutdown() {
        let yaml =
            on_node("", r#"phase: Failed, reason: Evicted, message: "The node was low on resource: memory.""#, FINE);
        assert!(!ids(&yaml).contains(&"node-shutdown"));
    }
}
