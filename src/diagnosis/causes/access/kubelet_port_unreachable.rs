//! The API server cannot reach the kubelet's port 10250.

use super::failed_calls;
use crate::diagnosis::{Cause, Certainty, Finding, Fix, Page, Phase, Text, Words, kubectl};
use crate::facts::reading::log_error::{LogError, Network};
use crate::facts::{Evidence, Facts, node};

pub static CAUSE: Cause = Cause {
    id: "kubelet-port-unreachable",
    phases: &[Phase::Access],
    guide: &["无法登录或查看日志"],
    page: Page {
        title: Text { en: "The API server cannot reach the kubelet", zh: "apiserver 无法访问 kubelet:10250" },
        what: Text {
            en: "Logs and exec go from the API server to port 10250 of the node. That way is blocked (firewall, security group, route), leads to a wrong address, or nobody listens there. The node can be Ready meanwhile: the kubelet reaches the API server, not the other way round.",
            zh: "kubectl logs 与 exec 由 apiserver 访问节点的 10250 端口实现。该路径被防火墙、安全组或路由阻断，地址不对，或端口没有监听。此时节点仍可能是 Ready：kubelet 能访问 apiserver，反过来不行。",
        },
        tell: Text {
            en: "`dial tcp IP:10250: i/o timeout`, `connection refused`, `no route to host`, `no such host`, `No agent available`. One node: its kubelet or firewall. All nodes: the API server's way out, or its tunnel (konnectivity).",
            zh: "报错为 `dial tcp IP:10250: i/o timeout`、`connection refused`、`no route to host`、`no such host`、`No agent available`。仅一个节点：该节点的 kubelet 或防火墙；所有节点：apiserver 的出口或隧道（konnectivity）。",
        },
        fix: Text {
            en: "Open TCP 10250 from the control plane to the nodes; correct the node's address or the resolver of the API server; see whether the kubelet listens.",
            zh: "放通控制面到节点的 TCP 10250；修正节点地址或 apiserver 的域名解析；确认 kubelet 在监听。",
        },
        sources: &["https://kubernetes.io/docs/reference/networking/ports-and-protocols/"],
    },
    check,
};

fn check(facts: &Facts<'_>) -> Option<Finding> {
    let pod = facts.pod()?;
    let call = failed_calls(facts, pod).find(|call| matches!(call.error, LogError::Unreachable { .. }))?;
    let LogError::Unreachable { problem, address } = call.error else { return None };
    // The kubelet fell silent altogether: that is what is wrong, not the way to it.
    let node = facts.node();
    if node.is_absent() || node.present().is_some_and(node::is_silent) {
        return None;
    }
    let name = pod.node_name().unwrap_or("?");
    let mut stated: Vec<&str> = node
        .present()
        .and_then(|node| node.status.as_ref()?.addresses.as_deref())
        .unwrap_or_default()
        .iter()
        .map(|address| address.address.as_str())
        .collect();
    stated.dedup();
    let dialled = address.and_then(|address| address.rsplit_once(':')).map(|(host, _)| host.trim_matches(['[', ']']));
    let stale = dialled.filter(|dialled| !stated.is_empty() && !stated.contains(dialled));
    let (why, why_zh) = words(problem);
    let to = address.map_or_else(|| format!("port 10250 of node {name}"), |address| format!("{address} (node {name})"));
    let (hint, hint_zh) = match stale {
        Some(old) => (
            format!("; {old} is not among the node's addresses ({})", stated.join(", ")),
            format!("；{old} 不在节点的地址（{}）之中", stated.join(", ")),
        ),
        None => (String::new(), String::new()),
    };
    // A node that could not be read may have fallen silent altogether.
    let certainty = if node.is_unreadable() { Certainty::Likely } else { Certainty::Confirmed };
    let mut finding = Finding::new(&CAUSE, certainty)
        .in_container(call.container)
        .because([call.evidence()])
        .because(
            (!stated.is_empty())
                .then(|| Evidence::field(format!("node {name}.status.addresses"), stated.join(", "), None)),
        )
        .says(
            format!("Logs of pod {} cannot be had: the API server cannot reach {to}: {why}{hint}.", pod.name()),
            format!("无法获取 Pod {} 的日志：apiserver 无法访问 {to}：{why_zh}{hint_zh}。", pod.name()),
        );
    finding = finding.fix(
        Fix::safe(Words::new(
            "See whether it is this node only: ask for a log on another one.",
            "确认是否只有该节点如此：在其他节点上的 Pod 试取日志。",
        ))
        .command(format!("kubectl get pods -A -o wide --field-selector spec.nodeName={}", kubectl::quoted(name))),
    );
    finding = match problem {
        _ if stale.is_some() => finding.fix(Fix::careful(Words::new(
            format!("Let the control plane resolve node {name} to its present address (DNS, /etc/hosts), or use --kubelet-preferred-address-types=InternalIP."),
            format!("让控制面把节点 {name} 解析到当前地址（DNS、/etc/hosts），或使用 --kubelet-preferred-address-types=InternalIP。"),
        ))),
        Network::NoTunnel => finding.fix(
            Fix::safe(Words::new("See whether the tunnel's agents run.", "查看隧道代理是否运行。"))
                .command("kubectl -n kube-system get pods -o wide | grep -i konnectivity"),
        ),
        Network::UnknownHost => finding.fix(Fix::careful(Words::new(
            "Let the API server use an address that it can resolve (--kubelet-preferred-address-types=InternalIP), or correct its DNS.",
            "让 apiserver 使用可解析的地址（--kubelet-preferred-address-types=InternalIP），或修正其 DNS。",
        ))),
        Network::Refused => finding.fix(Fix::safe(Words::new(
            "On the node: does the kubelet run and listen on 10250 (systemctl status kubelet; ss -ltn)?",
            "在节点上检查 kubelet 是否运行并监听 10250（systemctl status kubelet；ss -ltn）。",
        ))),
        _ => finding.fix(Fix::careful(Words::new(
            "Open TCP 10250 from the control plane to the node: security group, firewall, iptables, routes.",
            "放通控制面到该节点的 TCP 10250：检查安全组、防火墙、iptables 与路由。",
        ))),
    };
    finding.some()
}

fn words(problem: Network) -> (&'static str, &'static str) {
    match problem {
        Network::Timeout => ("no answer (timeout)", "无响应（超时）"),
        Network::Refused => ("connection refused, nobody listens there", "连接被拒绝，没有程序监听"),
        Network::NoRoute => ("no route to it", "没有路由"),
        Network::UnknownHost => ("its name cannot be resolved", "无法解析其名称"),
        Network::NoTunnel => ("no tunnel agent is connected", "没有隧道代理连接"),
        Network::Cut => ("the connection is cut", "连接被中断"),
    }
}

#[cfg(test)]
mod tests {
    use crate::diagnosis::testing::{diagnose_in, world};
    use crate::diagnosis::{Certainty, Verdict};
    use crate::facts::World;
    use crate::facts::log::ContainerLog;

    pub fn pod_with_error(error: &str, node_created: &str) -> World {
        let mut world = world(&format!(
            r"
apiVersion: v1
kind: Pod
metadata: {{name: web, namespace: prod, creationTimestamp: '2026-01-01T00:00:00Z'}}
spec: {{nodeName: a, containers: [{{name: app, image: x}}]}}
status:
  phase: Running
  conditions: [{{type: Ready, status: 'True'}}]
  containerStatuses: [{{name: app, ready: true, started: true, restartCount: 0, image: x, imageID: '', state: {{running: {{startedAt: '2026-01-01T00:00:01Z'}}}}}}]
---
apiVersion: v1
kind: Node
metadata: {{name: a, creationTimestamp: '{node_created}'}}
status: {{addresses: [{{type: InternalIP, address: 10.0.0.110}}], conditions: [{{type: Ready, status: 'True'}}]}}
"
        ));
        let log = ContainerLog { error: Some(error.to_owned()), ..ContainerLog::default() };
        world.logs.insert(("prod".into(), "web".into(), "app".into()), log);
        world
    }

    #[test]
    fn an_old_address_is_told_by_the_nodes_own() {
        let error =
            "Get https://a:10250/containerLogs/prod/web/app: dial tcp 10.0.0.109:10250: connect: no route to host";
        let diagnosis = diagnose_in(&pod_with_error(error, "2025-01-01T00:00:00Z"), "prod/web", "2026-01-01T01:00:00Z");
        let answer = diagnosis.answer().unwrap();
        assert_eq!((answer.cause.id, answer.certainty), ("kubelet-port-unreachable", Certainty::Confirmed));
        assert!(answer.summary.en.contains("10.0.0.109 is not among the node's addresses (10.0.0.110)"));
    }

    #[test]
    fn a_container_that_has_not_started_is_no_fault_of_the_way() {
        let error = r#"container "app" in pod "web" is waiting to start: ContainerCreating"#;
        let diagnosis = diagnose_in(&pod_with_error(error, "2025-01-01T00:00:00Z"), "prod/web", "2026-01-01T01:00:00Z");
        assert_eq!(diagnosis.verdict, Verdict::Healthy);
    }
}
