//! The kubelet reports, and says that its node is not ready.

use crate::diagnosis::cause::{Cause, Page, Phase};
use crate::diagnosis::finding::{Certainty, Finding, Fix, Remedy};
use crate::diagnosis::kubectl::{describe_node, quoted};
use crate::diagnosis::words::{Text, Words};
use crate::facts::{Facts, Stage, node};

pub static CAUSE: Cause = Cause {
    id: "node-not-ready",
    phases: &[Phase::Node],
    guide: &["Unknown/节点高负载"],
    page: Page {
        title: Text { en: "The node says that it is not ready", zh: "节点自报未就绪" },
        what: Text {
            en: "The kubelet is alive and reports Ready=False with its reason: the runtime does not answer (PLEG), the network \
                 plugin is not set up, a CSI component is missing, or the node is overloaded. Its pods are taken out of service, \
                 and after five minutes they are evicted.",
            zh: "kubelet 存活，并上报 Ready=False 及原因：运行时没有响应（PLEG）、网络插件未就绪、缺少 CSI 组件，或节点负载过高。其上的 Pod 会被摘除流量，五分钟后被驱逐。",
        },
        tell: Text {
            en: "Ready is False (not Unknown) with reason KubeletNotReady and a message; the Lease is fresh.",
            zh: "Ready 为 False（不是 Unknown），原因 KubeletNotReady 并带有消息；Lease 是新的。",
        },
        fix: Text {
            en: "Do what the message says: restart the runtime for PLEG, the network plugin's pod for \"network is not ready\"; look \
                 at load, disk and memory of the node. Drain it if it does not come back.",
            zh: "按消息处理：PLEG 则重启运行时，“network is not ready” 则处理网络插件的 Pod；查看节点的负载、磁盘和内存。若不恢复则驱逐该节点。",
        },
        sources: &["kubernetes/kubernetes pkg/kubelet/runtime.go"],
    },
    check,
};

fn check(facts: &Facts<'_>) -> Option<Finding> {
    let pod = facts.pod()?;
    let object = facts.node().present()?;
    let ready = node::condition(object, "Ready").filter(|condition| condition.status == "False")?;
    let certainty = match pod.stage() {
        Stage::Terminating | Stage::Creating => Certainty::Confirmed,
        // The kubelet lives and keeps reporting its pods: one that is Ready serves on, until the node's taint evicts it.
        Stage::Running if pod.is("Ready") => Certainty::Possible,
        Stage::Running => Certainty::Confirmed,
        _ => return None,
    };
    let name = node::name(object);
    let message = ready.message.as_deref().unwrap_or_default();
    Finding::new(&CAUSE, certainty)
        .because(node::condition_evidence(object, "Ready"))
        .because(pod.last_event(facts.world, "NodeNotReady").map(crate::facts::Event::evidence))
        .explains(&[
            "runtime-hung",
            "kubelet-not-acting",
            "taint-eviction",
            "sigterm-ignored",
            "volume-unmount-stuck",
            "sandbox-create-failed",
        ])
        .says(
            format!("Node {name} reports that it is not ready: {message}"),
            format!("节点 {name} 自报未就绪：{message}"),
        )
        .fix(
            Fix::safe(Words::new(
                format!("Read what {name} says of itself, and see whether its other pods suffer as well."),
                format!("查看 {name} 的状态，以及其上其他 Pod 是否同样异常。"),
            ))
            .command(describe_node(name)),
        )
        .fix(Fix::careful(advice(name, message)))
        .fix(
            Fix::careful(Words::new("Keep new pods away from it meanwhile.", "在此期间不再向其调度新的 Pod。"))
                .command(format!("kubectl cordon {}", quoted(name))),
        )
        .remedy(Remedy::CordonNode)
        .some()
}

fn advice(node: &str, message: &str) -> Words {
    if message.contains("PLEG") || message.contains("container runtime is down") {
        Words::new(
            format!(
                "The container runtime does not answer: restart it on {node} (systemctl restart containerd, crio or docker)."
            ),
            format!("容器运行时没有响应：在 {node} 上重启它（systemctl restart containerd、crio 或 docker）。"),
        )
    } else if message.contains("network") {
        Words::new(
            format!("The network plugin is not set up on {node}: look at its DaemonSet's pod there."),
            format!("{node} 上的网络插件未就绪：查看其 DaemonSet 在该节点的 Pod。"),
        )
    } else {
        Words::new(
            format!("On {node}, read the kubelet's log (journalctl -u kubelet) and look at load, memory and disk."),
            format!("在 {node} 上查看 kubelet 日志（journalctl -u kubelet）以及负载、内存和磁盘。"),
        )
    }
}

#[cfg(test)]
mod tests {
    use crate::diagnosis::Verdict;
    use crate::diagnosis::causes::node::testing::{SILENT, UNREADY, ids, on_node};
    use crate::diagnosis::testing::diagnose_pod;

    #[test]
    fn the_kubelet_says_why() {
        let yaml = on_node("", r#"phase: Running, conditions: [{type: Ready, status: "False"}]"#, UNREADY);
        assert_eq!(ids(&yaml).first(), Some(&"node-not-ready"));
    }

    #[test]
    fn a_pod_that_serves_on_is_no_alarm_and_silence_is_another_cause() {
        let serving = on_node("", r#"phase: Running, conditions: [{type: Ready, status: "True"}]"#, UNREADY);
        let diagnosis = diagnose_pod(&serving, "shop/web", "2026-01-01T10:00:00Z");
        assert_eq!(diagnosis.verdict, Verdict::Unknown);
        assert_eq!(ids(&serving).first(), Some(&"node-not-ready"));
        let silent = on_node("", r#"phase: Running, conditions: [{type: Ready, status: "False"}]"#, SILENT);
        assert!(!ids(&silent).contains(&"node-not-ready"));
    }
}
