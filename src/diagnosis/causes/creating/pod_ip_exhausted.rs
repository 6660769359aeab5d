//! The network plugin has no address left for the pod.

use super::cni_failure::agent;
use super::step;
use crate::diagnosis::words::Words;
use crate::diagnosis::{Cause, Finding, Fix, Page, Phase, Text, kubectl};
use crate::facts::reading::sandbox::{self, Cni, SandboxFailure};
use crate::facts::{Evidence, Facts};

pub static CAUSE: Cause = Cause {
    id: "pod-ip-exhausted",
    phases: &[Phase::Creating],
    guide: &["ContainerCreating/CNI 无法分配 Pod IP"],
    page: Page {
        title: Text { en: "No pod address is left", zh: "没有可用的 Pod IP" },
        what: Text {
            en: "The range of the node or of the subnet is used up: too many pods, addresses that leaked when pods were removed, or (in clouds) no free address in the subnet or network interface.",
            zh: "节点或子网的地址段已用完：Pod 太多、Pod 删除时地址泄漏，或（云上）子网、网卡没有空闲地址。",
        },
        tell: Text {
            en: "FailedCreatePodSandBox with `no IP addresses available in range set`, `failed to assign an IP address to container`, `range is full`, `No available addresses`.",
            zh: "FailedCreatePodSandBox 中有 `no IP addresses available in range set`、`failed to assign an IP address to container`、`range is full`、`No available addresses`。",
        },
        fix: Text {
            en: "Free or add addresses: a larger range or subnet, fewer pods a node, and a look for leaked ones.",
            zh: "释放或增加地址：更大的地址段或子网、减少单节点 Pod 数，并检查是否有泄漏。",
        },
        sources: &[
            "https://www.cni.dev/plugins/current/ipam/host-local/",
            "https://docs.aws.amazon.com/eks/latest/userguide/cni-increase-ip-addresses.html",
        ],
    },
    check,
};

fn check(facts: &Facts<'_>) -> Option<Finding> {
    let (SandboxFailure::Cni(Cni::NoAddress), event) = step::sandbox(facts)? else { return None };
    let (node, plugin) = (step::node_name(facts), sandbox::plugin(event.text()));
    let range = facts.node().present().and_then(|node| node.spec.as_ref()?.pod_cidr.as_deref());
    let pods = facts.world.pods_on(node).count();
    let by = plugin.map(|plugin| format!(" ({})", step::plain(plugin))).unwrap_or_default();
    Finding::confirmed(&CAUSE)
        .because([event.evidence()])
        .because(range.map(|range| Evidence::field(format!("node {node}.spec.podCIDR"), range, None)))
        .because((pods > 1).then(|| Evidence::field(format!("pods on node {node}"), format!("{pods} seen"), None)))
        .explains(&["sandbox-create-failed", "cni-failure"])
        .says(
            format!("The network plugin{by} has no address left for pods on node `{node}`."),
            format!("网络插件{by}在节点 `{node}` 上没有可用的 Pod IP。"),
        )
        .fix(
            Fix::safe(Words::new("Count the pods of the node against its range.", "对比节点上的 Pod 数量与地址段大小。"))
                .command(format!("kubectl get pods -A -o wide --field-selector spec.nodeName={}", kubectl::quoted(node))),
        )
        .fix(
            Fix::careful(Words::new(
                "Move pods away for now: cordon the node, so that new ones go elsewhere.",
                "临时措施：封锁节点，让新 Pod 调度到别处。",
            ))
            .command(format!("kubectl cordon {}", kubectl::quoted(node))),
        )
        .fix(Fix::careful(Words::new(
            "For good: a larger pod range or subnet (a node's podCIDR cannot be changed: make new nodes), more interfaces or prefixes in clouds. Far fewer pods than addresses means leaked ones: restart the plugin's agent on the node.",
            "长期方案：扩大 Pod 地址段或子网（节点的 podCIDR 不能修改，需新建节点），云上增加网卡或前缀。如果 Pod 数远少于地址数，则是地址泄漏：重启该节点上的插件代理。",
        )))
        .because(agent(facts, plugin).map(|(_, evidence)| evidence))
        .some()
}

#[cfg(test)]
mod tests {
    use crate::diagnosis::Certainty;
    use crate::diagnosis::causes::creating::step::tests::{APP, CREATING, causes, diagnose, event, pod};

    #[test]
    fn a_range_that_is_used_up() {
        let text = "Failed to create pod sandbox: rpc error: code = Unknown desc = failed to setup network for sandbox \"1\": plugin type=\"bridge\" failed (add): failed to allocate for range 0: no IP addresses available in range set: 10.244.1.1-10.244.1.254";
        let diagnosis = diagnose(&(pod(APP, CREATING) + &event("FailedCreatePodSandBox", 8, text)));
        let found = diagnosis.answer().unwrap();
        assert_eq!((found.cause.id, found.certainty), ("pod-ip-exhausted", Certainty::Confirmed));
    }

    #[test]
    fn an_agent_that_does_not_answer_is_another_cause() {
        let text = "Failed to create pod sandbox: rpc error: code = Unknown desc = failed to setup network for sandbox \"1\": plugin type=\"aws-cni\" name=\"aws-cni\" failed (add): add cmd: Error received from AddNetwork gRPC call: rpc error: code = Unavailable desc = connection error: desc = \"transport: Error while dialing dial tcp 127.0.0.1:50051: connect: connection refused\"";
        assert_eq!(causes(&(pod(APP, CREATING) + &event("FailedCreatePodSandBox", 8, text))), ["cni-failure"]);
    }
}
