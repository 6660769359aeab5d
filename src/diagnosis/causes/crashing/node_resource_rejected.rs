//! The kubelet refused the pod on arrival: it never ran.

use crate::diagnosis::cause::{Cause, Page, Phase};
use crate::diagnosis::finding::{Finding, Fix, Remedy};
use crate::diagnosis::kubectl;
use crate::diagnosis::words::{Text, Words};
use crate::facts::reading::text::between;
use crate::facts::{Facts, Stage};

pub static CAUSE: Cause = Cause {
    id: "node-resource-rejected",
    phases: &[Phase::Crashing],
    guide: &["Error/请求的资源超过了管理员设置的限制"],
    page: Page {
        title: Text { en: "The node's kubelet refused the pod", zh: "节点 kubelet 拒绝了该 Pod" },
        what: Text {
            en: "The pod was bound to the node, and the kubelet did not admit it: no room (the scheduler and the kubelet saw \
                 different things, or `nodeName` was set by hand), a device or NUMA alignment that cannot be had, a node label \
                 that no longer fits, or a setting that this node does not support. Such a pod never runs; it stays as Failed.",
            zh: "Pod 已绑定到节点，但 kubelet 未准入：资源不足（调度器与 kubelet 看到的不一致，或手工指定了 `nodeName`）、设备或 \
                 NUMA 对齐无法满足、节点标签已变，或节点不支持该设置。这样的 Pod 不会运行，会一直以 Failed 留存。",
        },
        tell: Text {
            en: "Phase Failed, and `status.reason` is one of OutOf…, NodeAffinity, NodePorts, UnexpectedAdmissionError, \
                 TopologyAffinityError and the like; there are no container statuses. `Evicted` is another matter.",
            zh: "phase 为 Failed，`status.reason` 为 OutOf…、NodeAffinity、NodePorts、UnexpectedAdmissionError、TopologyAffinityError \
                 等；没有容器状态。`Evicted` 是另一回事。",
        },
        fix: Text {
            en: "Cure what the message names; the controller makes a new pod by itself, and the Failed ones can be deleted.",
            zh: "解决消息所指的问题；控制器会自动新建 Pod，失败的 Pod 可以删除。",
        },
        sources: &["https://github.com/kubernetes/kubernetes/blob/master/pkg/kubelet/lifecycle/predicate.go"],
    },
    check,
};

/// Reasons of `pkg/kubelet/lifecycle`, `cm` and `nodeshutdown` that a pod is refused with, beside `OutOf…`.
const REASONS: [&str; 17] = [
    "NodeAffinity",
    "NodeName",
    "NodePorts",
    "TaintToleration",
    "UnexpectedAdmissionError",
    "TopologyAffinityError",
    "AppArmor",
    "SysctlForbidden",
    "PodOSNotSupported",
    "PodOSSelectorNodeLabelDoesNotMatch",
    "PodLevelResourcesNotSupported",
    "SupplementalGroupsPolicyNotSupported",
    "PodFeatureUnsupported",
    "InvalidNodeInfo",
    "VolumeAttachmentLimitExceeded",
    "HostPort",
    "MatchNodeSelector",
];

fn check(facts: &Facts<'_>) -> Option<Finding> {
    let pod = facts.pod().filter(|pod| pod.stage() == Stage::Failed)?;
    let reason = pod.reason();
    // Evicted, NodeShutdown, DeadlineExceeded, Preempting: causes of their own.
    if !(reason.starts_with("OutOf") || REASONS.contains(&reason)) {
        return None;
    }
    let node = pod.node_name().unwrap_or_default();
    let message =
        ["Pod was rejected: ", "Pod "].iter().find_map(|p| pod.message().strip_prefix(p)).unwrap_or(pod.message());
    let (en, zh) = words(reason, message, node);
    let by_hand = reason.starts_with("OutOf") && pod.condition("PodScheduled").is_none();
    let event = pod.last_event(facts.world, reason);
    let finding = Finding::confirmed(&CAUSE)
        .says(en, zh)
        .because(pod.reason_evidence())
        .because(event.map(crate::facts::Event::evidence))
        .fix(
            Fix::safe(Words::new(
                "See what the node has, and what is taken of it.",
                "查看节点的可分配资源与已用情况。",
            ))
            .command(kubectl::describe_node(node)),
        );
    let finding = if by_hand {
        finding.fix(
            Fix::careful(Words::new(
                "If `nodeName` was set by hand, take it out and let the scheduler choose; or ask for less.",
                "若手工指定了 `nodeName`，请去掉并交给调度器选择；或减少 request。",
            ))
            .command(kubectl::edit(&facts.workload())),
        )
    } else {
        finding
    };
    finding
        .fix(
            Fix::careful(Words::new(
                "Delete the refused pod; a controller makes a new one, a bare pod is gone.",
                "删除被拒绝的 Pod；由控制器管理的会重建，裸 Pod 则不会。",
            ))
            .command(kubectl::delete_pod(facts)),
        )
        .remedy(Remedy::DeleteFailedPods)
        .some()
}

fn words(reason: &str, message: &str, node: &str) -> (String, String) {
    if reason.starts_with("OutOf")
        && let Some(resource) = between(message, "resource: ", ",")
    {
        let number = |name: &str| {
            between(message, name, ",").or_else(|| message.split(name).nth(1)).unwrap_or("?").trim().to_owned()
        };
        let unit = if resource == "cpu" { "m" } else { "" };
        let (asked, used, all) = (number("requested: "), number("used: "), number("capacity: "));
        return (
            format!(
                "The kubelet of {node} refused the pod: not enough {resource} ({asked}{unit} asked for, {used}{unit} of {all}{unit} in use)."
            ),
            format!(
                "节点 {node} 的 kubelet 拒绝了该 Pod：{resource} 不足（申请 {asked}{unit}，已用 {used}{unit}，总量 {all}{unit}）。"
            ),
        );
    }
    (
        format!("The kubelet of {node} refused the pod ({reason}): {message}"),
        format!("节点 {node} 的 kubelet 拒绝了该 Pod（{reason}）：{message}"),
    )
}

#[cfg(test)]
mod tests {
    use crate::diagnosis::Certainty;
    use crate::diagnosis::testing::diagnose_pod;

    const POD: &str = r#"
kind: Pod
metadata: {namespace: shop, name: web-1, creationTimestamp: "2026-01-01T09:00:00Z"}
spec: {nodeName: n1, containers: [{name: app, image: app}]}
status: {phase: Failed, reason: REASON, message: "MESSAGE"}
"#;

    #[test]
    fn the_kubelet_refuses() {
        for (reason, message, part) in [
            (
                "OutOfcpu",
                "Pod was rejected: Node didn't have enough resource: cpu, requested: 48000, used: 0, capacity: 2000",
                "not enough cpu (48000m asked for, 0m of 2000m in use)",
            ),
            (
                "NodeAffinity",
                "Pod was rejected: Predicate NodeAffinity failed: node(s) didn't match Pod's node affinity/selector",
                "NodeAffinity",
            ),
            (
                "UnexpectedAdmissionError",
                "Pod Allocate failed due to requested number of devices unavailable for nvidia.com/gpu. Requested: 1, Available: 0, which is unexpected",
                "nvidia.com/gpu",
            ),
        ] {
            let yaml = POD.replace("REASON", reason).replace("MESSAGE", message);
            let diagnosis = diagnose_pod(&yaml, "shop/web-1", "2026-01-01T09:06:00Z");
            let answer = diagnosis.answer().unwrap();
            assert_eq!((answer.cause.id, answer.certainty), ("node-resource-rejected", Certainty::Confirmed));
            assert!(answer.summary.en.contains(part), "{}", answer.summary.en);
        }
    }

    #[test]
    fn an_eviction_is_not_a_refusal() {
        let yaml = POD.replace("REASON", "Evicted").replace("MESSAGE", "The node was low on resource: memory.");
        let diagnosis = diagnose_pod(&yaml, "shop/web-1", "2026-01-01T09:06:00Z");
        assert!(diagnosis.findings.iter().all(|f| f.cause.id != "node-resource-rejected"));
    }
}
