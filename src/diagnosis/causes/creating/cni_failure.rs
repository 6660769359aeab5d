//! The network plugin of the node fails or is not there.

use super::step;
use crate::diagnosis::words::Words;
use crate::diagnosis::{Cause, Certainty, Finding, Fix, Page, Phase, Text, Verdict, kubectl};
use crate::facts::reading::sandbox::{self, Cni, SandboxFailure};
use crate::facts::{Event, Evidence, Facts, PodView, Stage, node};
use jiff::SignedDuration;

pub static CAUSE: Cause = Cause {
    id: "cni-failure",
    phases: &[Phase::Creating, Phase::Stopping],
    guide: &["ContainerCreating/CNI 网络错误"],
    page: Page {
        title: Text { en: "The network plugin (CNI) fails on the node", zh: "CNI 网络错误" },
        what: Text {
            en: "For each sandbox the runtime calls the network plugin: its program in /opt/cni/bin, its configuration in /etc/cni/net.d and mostly an agent pod on the node. One of them is missing, does not answer, or may not ask the API server.",
            zh: "运行时为每个 Sandbox 调用网络插件：/opt/cni/bin 中的程序、/etc/cni/net.d 中的配置，以及通常运行在节点上的代理 Pod。其中之一缺失、无响应，或无权访问 API Server。",
        },
        tell: Text {
            en: "FailedCreatePodSandBox with `failed to setup network for sandbox`, `error adding pod … to CNI network`, `NetworkPlugin cni failed`; NetworkNotReady `cni plugin not initialized`. `failed to get sandbox image` is a matter of images; `no IP addresses available` is pod-ip-exhausted.",
            zh: "FailedCreatePodSandBox 中有 `failed to setup network for sandbox`、`error adding pod … to CNI network`、`NetworkPlugin cni failed`；或 NetworkNotReady `cni plugin not initialized`。`failed to get sandbox image` 属于镜像问题；`no IP addresses available` 属于 Pod IP 耗尽。",
        },
        fix: Text {
            en: "Look at the plugin's pod on that node and its log; restart it; put back missing programs or configuration.",
            zh: "查看该节点上插件的 Pod 及其日志并重启；补齐缺失的程序或配置。",
        },
        sources: &[
            "https://kubernetes.io/docs/concepts/extend-kubernetes/compute-storage-net/network-plugins/",
            "https://github.com/containernetworking/cni/blob/main/libcni/api.go",
        ],
    },
    check,
};

fn check(facts: &Facts<'_>) -> Option<Finding> {
    let pod = facts.pod()?;
    if pod.stage() == Stage::Terminating {
        return while_stopping(facts, pod);
    }
    let node = step::node_name(facts);
    if let Some((SandboxFailure::Cni(cni), event)) = step::sandbox(facts) {
        if cni == Cni::NoAddress {
            return None;
        }
        let plugin = sandbox::plugin(event.text());
        return Some(finding(facts, cni, plugin, Certainty::Confirmed, vec![event.evidence()]));
    }
    // Without an event: the kubelet itself says on the node that it has no network, and the pod is none of the host's.
    let pod = step::pod(facts).filter(|pod| pod.stage() == Stage::Creating)?;
    if pod.spec()?.host_network == Some(true) || pod.containers().any(|container| container.is_running()) {
        return None;
    }
    let object = facts.node().present()?;
    let ready = node::condition(object, "Ready").filter(|ready| ready.status == "False")?;
    let message = ready.message.as_deref().unwrap_or_default().to_ascii_lowercase();
    let network =
        message.contains("network plugin") || message.contains("networkpluginnotready") || message.contains("cni");
    if !network || node != node::name(object) {
        return None;
    }
    Some(finding(
        facts,
        Cni::NotReady,
        None,
        Certainty::Confirmed,
        node::condition_evidence(object, "Ready").into_iter().collect(),
    ))
}

fn finding(
    facts: &Facts<'_>,
    cni: Cni,
    plugin: Option<&str>,
    certainty: Certainty,
    evidence: Vec<Evidence>,
) -> Finding {
    let node = step::node_name(facts);
    let named = plugin.map(|plugin| format!(" `{}`", step::plain(plugin))).unwrap_or_default();
    let (en, zh) = match cni {
        Cni::NotReady => (
            format!("Node `{node}` has no network plugin set up: no CNI configuration, or its pod does not run."),
            format!("节点 `{node}` 的网络插件未就绪：没有 CNI 配置，或插件的 Pod 未运行。"),
        ),
        Cni::PluginMissing => (
            format!("The program of network plugin{named} is missing in /opt/cni/bin on node `{node}`."),
            format!("节点 `{node}` 的 /opt/cni/bin 中缺少网络插件{named}的程序。"),
        ),
        Cni::AgentDown => (
            format!("The agent of network plugin{named} on node `{node}` does not answer or has left no state."),
            format!("节点 `{node}` 上网络插件{named}的代理没有响应或缺少状态文件。"),
        ),
        Cni::ApiRefused => (
            format!(
                "Network plugin{named} on node `{node}` gets no answer from the API server (refused, expired token or certificate, or no connection)."
            ),
            format!("节点 `{node}` 上的网络插件{named}无法访问 API Server（被拒绝、凭据或证书过期，或无法连接）。"),
        ),
        Cni::StaleState => (
            format!("A network setup left over on node `{node}` is in the way of plugin{named}."),
            format!("节点 `{node}` 上残留的网络配置与网络插件{named}冲突。"),
        ),
        Cni::NetworkUnknown => (
            "The pod asks for a network (NetworkAttachmentDefinition) that does not exist.".to_owned(),
            "Pod 请求的网络（NetworkAttachmentDefinition）不存在。".to_owned(),
        ),
        Cni::NoAddress | Cni::Other => (
            format!("Network plugin{named} cannot set up the pod's network on node `{node}`."),
            format!("网络插件{named}无法在节点 `{node}` 上配置 Pod 网络。"),
        ),
    };
    let agent = agent(facts, plugin);
    let mut finding = Finding::new(&CAUSE, certainty)
        .because(evidence)
        .because(agent.iter().map(|(_, evidence)| evidence.clone()))
        .explains(&["sandbox-create-failed", "node-not-ready", "init-container-waiting"])
        .says(en, zh);
    // The network agent of a new node takes a minute or two.
    if step::node_is_starting(facts) && matches!(cni, Cni::NotReady | Cni::AgentDown) {
        finding = finding.calm(Verdict::Waiting);
    }
    finding =
        finding.fix(Fix::safe(Words::new("See the plugin's pods on that node.", "查看该节点上插件的 Pod。")).command(
            format!("kubectl -n kube-system get pods -o wide --field-selector spec.nodeName={}", kubectl::quoted(node)),
        ));
    finding = match (cni, agent) {
        (_, Some((agent, _))) => finding
            .fix(
                Fix::safe(Words::new("Read the log of the plugin's pod.", "查看插件 Pod 的日志。"))
                    .command(kubectl::namespaced(agent.namespace(), &format!("logs {} --all-containers --tail=50", kubectl::quoted(agent.name())))),
            )
            .fix(
                Fix::careful(Words::new(
                    "Restart it; running pods mostly keep their network.",
                    "重启该 Pod；运行中的 Pod 的网络一般不受影响。",
                ))
                .command(kubectl::namespaced(agent.namespace(), &format!("delete pod {}", kubectl::quoted(agent.name())))),
            ),
        (Cni::PluginMissing, None) => finding.fix(Fix::careful(Words::new(
            format!("Put the CNI programs back on node `{node}` (package kubernetes-cni, containernetworking/plugins, or the plugin's installer pod)."),
            format!("在节点 `{node}` 上重新安装 CNI 程序（kubernetes-cni 软件包、containernetworking/plugins，或插件的安装 Pod）。"),
        ))),
        (Cni::StaleState, None) => finding.fix(Fix::dangerous(Words::new(
            "Drain the node, delete the stale bridge (`ip link delete cni0`) and restart the plugin; every pod of the node loses its network meanwhile.",
            "驱逐节点后删除残留网桥（`ip link delete cni0`）并重启插件；期间该节点所有 Pod 断网。",
        ))),
        _ => finding.fix(Fix::careful(Words::new(
            "Restart the plugin's agent pod on that node (mostly a DaemonSet in kube-system); running pods mostly keep their network.",
            "重启该节点上的插件代理 Pod（通常是 kube-system 中的 DaemonSet）；运行中的 Pod 的网络一般不受影响。",
        ))),
    };
    finding
}

/// A network that cannot be taken down keeps the sandbox, and so the pod.
fn while_stopping(facts: &Facts<'_>, pod: PodView<'_>) -> Option<Finding> {
    let deadline = pod.deletion_deadline()?;
    if facts.since(deadline) < SignedDuration::from_secs(60) {
        return None;
    }
    let about = |event: &&Event| {
        matches!(event.reason.as_str(), "FailedKillPod" | "FailedSync")
            && event.last.is_none_or(|last| Some(last) >= pod.deletion_asked())
            && sandbox::cni(&event.text().to_ascii_lowercase()).is_some()
    };
    let event = pod.events_seen(facts.world).filter(about).last()?;
    let plugin = sandbox::plugin(event.text());
    let (node, named) =
        (step::node_name(facts), plugin.map(|plugin| format!(" `{}`", step::plain(plugin))).unwrap_or_default());
    let cni = sandbox::cni(&event.text().to_ascii_lowercase()).unwrap_or(Cni::Other);
    finding(facts, cni, plugin, Certainty::Confirmed, vec![event.evidence()])
        .explains(&["runtime-hung", "kubelet-not-acting", "sigterm-ignored"])
        .says(
            format!("Network plugin{named} on node `{node}` cannot take down the pod's network, so the pod cannot be removed."),
            format!("节点 `{node}` 上的网络插件{named}无法清理 Pod 网络，因此 Pod 无法删除。"),
        )
        .some()
}

/// Returns the plugin's pod on the pod's node where it is not well, and the evidence.
pub fn agent<'w>(facts: &Facts<'w>, plugin: Option<&str>) -> Option<(PodView<'w>, Evidence)> {
    const NAMES: [&str; 11] = [
        "calico-node",
        "cilium",
        "flannel",
        "aws-node",
        "weave-net",
        "antrea-agent",
        "kube-ovn-cni",
        "ovnkube-node",
        "canal",
        "multus",
        "azure-cni",
    ];
    let node = facts.pod()?.node_name()?;
    facts.world.pods_on(node).map(PodView::new).find_map(|pod| {
        let known = NAMES.iter().any(|name| pod.name().contains(name));
        let named = plugin.is_some_and(|plugin| plugin.len() > 3 && pod.name().contains(plugin))
            && pod.workload().kind == "DaemonSet";
        if !(known || named) || pod.is("Ready") || pod.uid() == facts.pod()?.uid() {
            return None;
        }
        let state = pod.containers().find_map(|container| {
            let waiting = container.waiting().map(|waiting| waiting.reason.to_owned());
            waiting.or_else(|| container.end().map(|end| end.reason.to_owned()))
        });
        let quote = state.unwrap_or_else(|| format!("{}, not ready", pod.phase()));
        Some((pod, Evidence::field(format!("pod {}/{} on node {node}", pod.namespace(), pod.name()), quote, None)))
    })
}

#[cfg(test)]
mod tests {
    use crate::diagnosis::Certainty;
    use crate::diagnosis::causes::creating::step::tests::{APP, CREATING, causes, diagnose, event, pod};

    #[test]
    fn an_agent_that_left_no_state() {
        let text = "Failed to create pod sandbox: rpc error: code = Unknown desc = failed to setup network for sandbox \"1\": plugin type=\"calico\" failed (add): stat /var/lib/calico/nodename: no such file or directory: check that the calico/node container is running and has mounted /var/lib/calico/";
        let diagnosis = diagnose(&(pod(APP, CREATING) + &event("FailedCreatePodSandBox", 8, text)));
        let found = diagnosis.answer().unwrap();
        assert_eq!((found.cause.id, found.certainty), ("cni-failure", Certainty::Confirmed));
        assert!(found.summary.en.contains("`calico`"), "{}", found.summary.en);
    }

    #[test]
    fn a_node_without_a_configuration_says_so_itself() {
        let node = "
---
apiVersion: v1
kind: Node
metadata: {name: n1}
status: {conditions: [{type: Ready, status: 'False', reason: KubeletNotReady, message: 'container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady message:Network plugin returns error: cni plugin not initialized'}]}
";
        assert!(causes(&(pod(APP, CREATING) + node)).contains(&"cni-failure"));
        let host = "  hostNetwork: true
  containers: [{name: app, image: a}]";
        assert!(
            !causes(&(pod(host, CREATING) + node)).contains(&"cni-failure"),
            "a pod of the host's network needs no plugin"
        );
    }

    #[test]
    fn the_pause_image_is_a_matter_of_images() {
        let text = "Failed to create pod sandbox: rpc error: code = Unknown desc = failed to get sandbox image \"registry.k8s.io/pause:3.9\": failed to pull image: dial tcp 1.2.3.4:443: i/o timeout";
        assert!(!causes(&(pod(APP, CREATING) + &event("FailedCreatePodSandBox", 8, text))).contains(&"cni-failure"));
    }
}
