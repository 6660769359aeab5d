//! The host port is taken on every node that would do.

use super::{Kind, picture};
use crate::diagnosis::fit::{self, Misfit};
use crate::diagnosis::{Cause, Finding, Fix, Page, Phase, Text, Words, kubectl};
use crate::facts::{Evidence, Facts, load, node};

pub static CAUSE: Cause = Cause {
    id: "host-port-conflict",
    phases: &[Phase::Scheduling],
    guide: &[],
    page: Page {
        title: Text { en: "The host port is already taken", zh: "主机端口已被占用" },
        what: Text {
            en: "The pod wants a port of the node itself (hostPort, or any port with hostNetwork), and on every node that would do another pod has it.",
            zh: "Pod 要求使用节点自身的端口（hostPort，或 hostNetwork 下的端口），而所有可用节点上该端口都已被其他 Pod 占用。",
        },
        tell: Text {
            en: "`didn't have free ports for the requested pod ports`. A rolling update with as many replicas as nodes locks itself: the new pod waits for the old one's port.",
            zh: "报错为 `didn't have free ports for the requested pod ports`。副本数等于节点数的滚动更新会自我锁死：新 Pod 等待旧 Pod 释放端口。",
        },
        fix: Text {
            en: "Use a Service instead of a host port, or another port; for a rolling update set maxSurge 0; or remove the pod that holds it.",
            zh: "改用 Service 或换一个端口；滚动更新时把 maxSurge 设为 0；或移除占用端口的 Pod。",
        },
        sources: &["kubernetes/kubernetes pkg/scheduler/framework/plugins/nodeports/node_ports.go"],
    },
    check,
};

fn check(facts: &Facts<'_>) -> Option<Finding> {
    let picture = picture(facts)?;
    let mut finding = picture.finding(&CAUSE, Kind::HostPort)?;
    let pod = picture.pod;
    let ports = load::host_ports(pod);
    let wanted = ports.iter().map(|port| format!("{}/{}", port.port, port.protocol)).collect::<Vec<_>>().join(", ");
    let mut holders = Vec::new();
    if let Some(fit) = fit::compute(facts, pod) {
        for of_node in &fit.nodes {
            for misfit in &of_node.misfits {
                if let Misfit::HostPort { port, holder } = misfit {
                    let on = node::name(of_node.node);
                    finding = finding.because([Evidence::field(
                        format!("pod {holder} on node {on}"),
                        format!("host port {port}"),
                        None,
                    )]);
                    holders.push(format!("{holder} ({on})"));
                }
            }
        }
    }
    holders.dedup();
    let (share_en, share_zh) = picture.share(Kind::HostPort);
    let by = if holders.is_empty() { String::new() } else { format!(", held by {}", holders.join(", ")) };
    let by_zh = if holders.is_empty() { String::new() } else { format!("，占用者：{}", holders.join("、")) };
    let workload = pod.workload();
    finding
        .says(
            format!("Pod {} wants host port {wanted}, which is taken on {share_en}{by}.", pod.name()),
            format!("Pod {} 需要主机端口 {wanted}，但在{share_zh}上已被占用{by_zh}。", pod.name()),
        )
        .fix(
            Fix::safe(Words::new("See which pods bind host ports.", "查看哪些 Pod 绑定了主机端口。")).command(
                "kubectl get pods -A -o custom-columns='NS:.metadata.namespace,NAME:.metadata.name,NODE:.spec.nodeName,HOSTPORTS:.spec.containers[*].ports[*].hostPort'",
            ),
        )
        .fix(
            Fix::careful(Words::new(
                format!("Change the port of {workload}, drop hostPort for a Service, or set maxSurge 0 if it is its own older pod that holds it."),
                format!("修改 {workload} 的端口、用 Service 代替 hostPort；如果占用者是它自己的旧 Pod，把 maxSurge 设为 0。"),
            ))
            .command(kubectl::edit(&workload)),
        )
        .some()
}

#[cfg(test)]
mod tests {
    use crate::diagnosis::Certainty;
    use crate::diagnosis::testing::diagnose_pod;

    fn pending(message: &str) -> String {
        format!(
            r#"
apiVersion: v1
kind: Pod
metadata: {{name: second, namespace: prod, creationTimestamp: '2026-01-01T00:00:00Z'}}
spec: {{containers: [{{name: app, image: x, ports: [{{containerPort: 80, hostPort: 8080}}]}}]}}
status:
  phase: Pending
  conditions: [{{type: PodScheduled, status: 'False', reason: Unschedulable, message: "{message}"}}]
---
apiVersion: v1
kind: Pod
metadata: {{name: first, namespace: prod}}
spec: {{nodeName: a, containers: [{{name: app, image: x, ports: [{{containerPort: 80, hostPort: 8080}}]}}]}}
status: {{phase: Running}}
---
apiVersion: v1
kind: Node
metadata: {{name: a}}
status: {{conditions: [{{type: Ready, status: 'True'}}]}}
"#
        )
    }

    #[test]
    fn names_the_pod_that_holds_the_port() {
        let yaml = pending("0/1 nodes are available: 1 node(s) didn't have free ports for the requested pod ports.");
        let diagnosis = diagnose_pod(&yaml, "prod/second", "2026-01-01T00:10:00Z");
        let answer = diagnosis.answer().unwrap();
        assert_eq!((answer.cause.id, answer.certainty), ("host-port-conflict", Certainty::Confirmed));
        assert!(answer.summary.en.contains("held by prod/first (a)"), "{}", answer.summary.en);
    }

    #[test]
    fn a_full_node_is_another_cause() {
        let yaml = pending("0/1 nodes are available: 1 Too many pods.");
        let diagnosis = diagnose_pod(&yaml, "prod/second", "2026-01-01T00:10:00Z");
        assert_eq!(diagnosis.answer().unwrap().cause.id, "node-resources-insufficient");
    }
}
