//! The kubelet evicted the pod since the node was short of memory, disk or process ids.

use crate::diagnosis::cause::{Cause, Page, Phase};
use crate::diagnosis::finding::{Finding, Fix, Remedy};
use crate::diagnosis::kubectl::{delete_pod, describe_node, edit};
use crate::diagnosis::words::{Text, Words};
use crate::facts::Facts;

pub static CAUSE: Cause = Cause {
    id: "node-pressure-eviction",
    phases: &[Phase::Node],
    guide: &[],
    page: Page {
        title: Text { en: "Evicted: the node ran short", zh: "被驱逐：节点资源不足" },
        what: Text {
            en: "When a node falls below its eviction thresholds for memory, disk, inodes or process ids, the kubelet evicts pods: \
                 first those that use more than they request. The pod did nothing wrong by its own limit; the node held more than \
                 it could bear.",
            zh: "节点的内存、磁盘、inode 或进程号低于驱逐阈值时，kubelet 会驱逐 Pod，先驱逐用量超过请求的。Pod 并未超过自身限制；是节点承载过多。",
        },
        tell: Text {
            en: "status.reason Evicted and a message that begins with \"The node was low on resource\" (or \"The node had \
                 condition\": refused before it ran). Messages about the pod's own limits are ephemeral-storage-eviction.",
            zh: "status.reason 为 Evicted，消息以 “The node was low on resource” 开头（或 “The node had condition”：尚未运行即被拒）。提到 Pod \
                 自身限制的消息属于 ephemeral-storage-eviction。",
        },
        fix: Text {
            en: "Give the pod a request as large as what it uses, and the node room: fewer pods, more memory or disk, images and \
                 logs cleaned up. The leftover objects can be deleted.",
            zh: "让 Pod 的 request 与实际用量相当，并给节点腾出空间：减少 Pod、增加内存或磁盘、清理镜像和日志。遗留对象可以删除。",
        },
        sources: &["kubernetes.io/docs/concepts/scheduling-eviction/node-pressure-eviction"],
    },
    check,
};

fn check(facts: &Facts<'_>) -> Option<Finding> {
    let pod = facts.pod().filter(|pod| pod.reason() == "Evicted")?;
    let message = pod.message().trim_start_matches("Pod was rejected: ").trim_start_matches("Pod ");
    let low = message.starts_with("The node was low on resource");
    let refused = message.starts_with("The node had condition") || message.contains("node had condition: [");
    if !low && !refused {
        return None;
    }
    let what = if low {
        message.split("resource: ").nth(1).and_then(|rest| rest.split(['.', ' ']).next()).unwrap_or("a resource")
    } else {
        message.split(['[', ']']).nth(1).unwrap_or("pressure")
    };
    let node = pod.node_name().unwrap_or("?");
    let (en, zh) = if low {
        (
            format!("Node {node} was short of {what}, and the kubelet evicted the pod to make room."),
            format!("节点 {node} 的 {what} 不足，kubelet 驱逐了此 Pod 以腾出空间。"),
        )
    } else {
        (
            format!("Node {node} was under {what}, and the kubelet refused the pod."),
            format!("节点 {node} 处于 {what}，kubelet 拒绝了此 Pod。"),
        )
    };
    let mut finding = Finding::confirmed(&CAUSE)
        .because(pod.reason_evidence())
        .because(pod.condition_evidence("DisruptionTarget"))
        .explains(&["system-oom", "killed-by-outsider", "app-exit-error", "node-resource-rejected", "sigterm-ignored"])
        .says(en, zh)
        .fix(
            Fix::safe(Words::new(format!("See what fills {node}."), format!("查看 {node} 被什么占满。")))
                .command(describe_node(node)),
        );
    if low {
        finding = finding.fix(
            Fix::careful(Words::new(
                format!("Request as much {what} as the pod really uses: it is then placed where there is room, and evicted later than others."),
                format!("把 {what} 的 request 设为实际用量：它会被调度到有空间的节点，也更晚被驱逐。"),
            ))
            .command(edit(&facts.workload())),
        );
    }
    finding
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
    fn the_node_was_low() {
        let yaml = on_node(
            "",
            r#"phase: Failed, reason: Evicted, message: "The node was low on resource: memory. Container app was using 2Gi""#,
            FINE,
        );
        assert_eq!(ids(&yaml).first(), Some(&"node-pressure-eviction"));
    }

    #[test]
    fn the_pods_own_limit_is_another_cause() {
        let yaml = on_node(
            "",
            r#"phase: Failed, reason: Evicted, message: "Usage of EmptyDir volume \"tmp\" exceeds the limit \"1Gi\". ""#,
            FINE,
        );
        assert_eq!(ids(&yaml).first(), Some(&"ephemeral-storage-eviction"));
    }
}
