//! Nodes are tainted by their condition.

use super::{Kind, few, picture, taint_kind, untolerated_keys};
use crate::diagnosis::{Cause, Finding, Fix, Page, Phase, Text, Words, kubectl};
use crate::facts::reading::scheduler::{NodeCondition, NodeReason};
use crate::facts::{Facts, node};
use std::collections::BTreeMap;

pub static CAUSE: Cause = Cause {
    id: "node-condition-taint",
    phases: &[Phase::Scheduling],
    guide: &["Pending/污点 自动"],
    page: Page {
        title: Text {
            en: "Nodes are out of service by their own condition", zh: "节点因自身状况被自动打上污点"
        },
        what: Text {
            en: "Kubernetes taints a node whose condition is bad: not ready, unreachable, short of memory, disk or process ids, without network, shut down. The taint goes by itself when the condition is good again.",
            zh: "节点状况异常时 Kubernetes 会自动添加污点：NotReady、失联、内存/磁盘/PID 压力、网络不可用、已关机等；状况恢复后污点自动消失。",
        },
        tell: Text {
            en: "Taints under node.kubernetes.io/ with the condition's name; the node's conditions say why. After a pressure is over the taint stays for another five minutes.",
            zh: "污点 key 形如 node.kubernetes.io/<状况>，节点的 conditions 给出原因。压力消除后污点还会保留约五分钟。",
        },
        fix: Text {
            en: "Cure the node. Never remove such a taint by hand: it comes back, and it hides the fault. Tolerating it makes the pod the next one to be evicted.",
            zh: "修复节点本身。不要手动移除这类污点：它会再次出现，而且掩盖了故障；给 Pod 加容忍只会使其随后被驱逐。",
        },
        sources: &[
            "https://kubernetes.io/docs/concepts/scheduling-eviction/taint-and-toleration/#taint-nodes-by-condition",
            "kubernetes/kubernetes pkg/controller/nodelifecycle/node_lifecycle_controller.go",
        ],
    },
    check,
};

fn check(facts: &Facts<'_>) -> Option<Finding> {
    let picture = picture(facts)?;
    let mut finding = picture.finding(&CAUSE, Kind::Condition)?;
    let pod = picture.pod;
    let mut by_condition: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for node in facts.world.nodes.seen() {
        for key in untolerated_keys(pod, node).into_iter().filter(|key| taint_kind(key) == Kind::Condition) {
            by_condition.entry(key).or_default().push(node::name(node));
            if let Some(evidence) = condition_of(key).and_then(|kind| node::condition_evidence(node, kind)) {
                finding = finding.because([evidence]);
            }
        }
    }
    // Before taints (≤1.17), or where the nodes were not read, the scheduler's own words name the condition.
    for (_, reason) in picture.reasons() {
        let key = match reason {
            NodeReason::Taint(Some(taint)) if taint_kind(taint.key) == Kind::Condition => taint.key,
            NodeReason::Condition(condition) => key_of(*condition),
            _ => continue,
        };
        by_condition.entry(key).or_default();
    }
    let list = by_condition.keys().map(|key| short(key)).collect::<Vec<_>>().join(", ");
    let mut nodes: Vec<&str> = by_condition.values().flatten().copied().collect();
    nodes.sort_unstable();
    nodes.dedup();
    let (share_en, share_zh) = picture.share(Kind::Condition);
    let on = if nodes.is_empty() { String::new() } else { format!(": {}", few(&nodes)) };
    let on_zh = if nodes.is_empty() { String::new() } else { format!("（{}）", few(&nodes)) };
    finding = finding.says(
        format!("No node takes pod {}: out of service ({list}) on {share_en}{on}.", pod.name()),
        format!("没有节点可以容纳 Pod {}：{share_zh}状况异常（{list}）{on_zh}。", pod.name()),
    );
    finding = match nodes.first() {
        Some(name) => finding.fix(
            Fix::safe(Words::new(
                format!("See what node {name} says about itself, and cure that; the taint goes by itself."),
                format!("查看节点 {name} 的状况并修复，污点会自动消失。"),
            ))
            .command(kubectl::describe_node(name)),
        ),
        None => finding.fix(
            Fix::safe(Words::new("See the conditions of the nodes, and cure them.", "查看各节点的状况并修复。"))
                .command("kubectl describe nodes"),
        ),
    };
    finding
        .fix(Fix::safe(Words::new(
            format!("Do not remove the taint by hand: it comes back and hides the fault. {}", advice(&by_condition).0),
            format!("不要手动移除该污点：它会再次出现并掩盖故障。{}", advice(&by_condition).1),
        )))
        .some()
}

fn advice(found: &BTreeMap<&str, Vec<&str>>) -> (&'static str, &'static str) {
    let has = |part: &str| found.keys().any(|key| key.contains(part));
    if has("disk-pressure") || has("out-of-disk") {
        ("Free or enlarge the node's disk: images, logs, emptyDirs.", "清理或扩大节点磁盘：镜像、日志、emptyDir。")
    } else if has("memory-pressure") {
        ("Move or shrink the node's biggest pods.", "迁移或缩减节点上占用内存最多的 Pod。")
    } else if has("pid-pressure") {
        ("Find what starts so many processes on the node.", "找出节点上产生大量进程的程序。")
    } else if has("network-unavailable") {
        ("Look at the network agent (CNI, route controller) of the node.", "检查该节点的网络组件（CNI、路由控制器）。")
    } else if has("unreachable") || has("shutdown") {
        ("Look whether the machine and its kubelet are up.", "检查机器与 kubelet 是否在运行。")
    } else {
        (
            "Look at the kubelet, the container runtime and the network plugin of the node.",
            "检查该节点的 kubelet、容器运行时与网络插件。",
        )
    }
}

fn short(key: &str) -> &str {
    key.rsplit('/').next().unwrap_or(key)
}

fn condition_of(key: &str) -> Option<&'static str> {
    Some(match short(key) {
        "not-ready" | "unreachable" | "notReady" | "shutdown" | "out-of-service" => "Ready",
        "memory-pressure" => "MemoryPressure",
        "disk-pressure" => "DiskPressure",
        "pid-pressure" => "PIDPressure",
        "network-unavailable" => "NetworkUnavailable",
        "out-of-disk" => "OutOfDisk",
        _ => return None,
    })
}

fn key_of(condition: NodeCondition) -> &'static str {
    match condition {
        NodeCondition::NotReady => "node.kubernetes.io/not-ready",
        NodeCondition::MemoryPressure => "node.kubernetes.io/memory-pressure",
        NodeCondition::DiskPressure => "node.kubernetes.io/disk-pressure",
        NodeCondition::PidPressure => "node.kubernetes.io/pid-pressure",
        NodeCondition::OutOfDisk => "node.kubernetes.io/out-of-disk",
        NodeCondition::NetworkUnavailable => "node.kubernetes.io/network-unavailable",
    }
}

#[cfg(test)]
mod tests {
    use crate::diagnosis::testing::diagnose_pod;
    use crate::diagnosis::{Certainty, Verdict};

    fn pending(joined: &str) -> String {
        format!(
            r#"
apiVersion: v1
kind: Pod
metadata: {{name: web, namespace: prod, creationTimestamp: '2026-01-01T00:00:00Z'}}
spec: {{containers: [{{name: app, image: x}}]}}
status:
  phase: Pending
  conditions: [{{type: PodScheduled, status: 'False', reason: Unschedulable, message: "0/1 nodes are available: 1 node(s) had untolerated taint {{node.kubernetes.io/not-ready: }}."}}]
---
apiVersion: v1
kind: Node
metadata: {{name: a, creationTimestamp: '{joined}'}}
spec: {{taints: [{{key: node.kubernetes.io/not-ready, effect: NoSchedule}}]}}
status: {{conditions: [{{type: Ready, status: 'False', reason: KubeletNotReady, message: PLEG is not healthy}}]}}
"#
        )
    }

    #[test]
    fn names_the_condition_and_the_node() {
        let diagnosis = diagnose_pod(&pending("2025-01-01T00:00:00Z"), "prod/web", "2026-01-01T00:01:00Z");
        let answer = diagnosis.answer().unwrap();
        assert_eq!((answer.cause.id, answer.certainty), ("node-condition-taint", Certainty::Confirmed));
        assert!(answer.summary.en.contains("(not-ready) on 1 of 1 node: a"));
        assert!(answer.evidence.iter().any(|evidence| evidence.quote.contains("PLEG is not healthy")));
    }

    #[test]
    fn a_node_that_joins_is_given_its_time() {
        let diagnosis = diagnose_pod(&pending("2025-12-31T23:59:30Z"), "prod/web", "2026-01-01T00:01:00Z");
        assert_eq!(diagnosis.verdict, Verdict::Waiting);
    }
}
