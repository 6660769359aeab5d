//! Probes time out since the node is overloaded, not the program.

use super::{Trouble, times_out_too, troubles};
use crate::diagnosis::cause::{Cause, Page, Phase};
use crate::diagnosis::causes::crashing::named;
use crate::diagnosis::finding::{Certainty, Finding, Fix, Remedy};
use crate::diagnosis::kubectl;
use crate::diagnosis::words::{Text, Words};
use crate::facts::reading::probe::Output;
use crate::facts::{Event, Facts, PodView, node};

pub static CAUSE: Cause = Cause {
    id: "node-overloaded",
    phases: &[Phase::Probes],
    guide: &["健康检查失败/节点负载过高"],
    page: Page {
        title: Text { en: "The node is overloaded", zh: "节点负载过高" },
        what: Text {
            en: "The node has no CPU (or memory, or processes) to spare, so programs on it cannot answer in time, whatever they are. \
                 Restarting them makes it worse.",
            zh: "节点 CPU（或内存、进程数）耗尽，其上的程序无法及时响应，与程序本身无关。重启它们只会更糟。",
        },
        tell: Text {
            en: "Probes of several pods of this node time out in the same minutes, while the same workload is fine elsewhere; or the node \
                 itself reports MemoryPressure, PIDPressure or an unhealthy PLEG.",
            zh: "同一时间该节点上多个 Pod 的探针超时，而同一工作负载在其他节点正常；或节点自身报告 MemoryPressure、PIDPressure、PLEG 异常。",
        },
        fix: Text {
            en: "Move load away (cordon, then drain what can move), give pods honest CPU requests, add nodes.",
            zh: "迁移负载（cordon 后 drain 可迁移的 Pod），设置真实的 CPU request，扩容节点。",
        },
        sources: &["https://kubernetes.io/docs/concepts/scheduling-eviction/node-pressure-eviction/"],
    },
    check,
};

fn check(facts: &Facts<'_>) -> Option<Finding> {
    troubles(facts).iter().find_map(|trouble| overloaded(facts, trouble))
}

fn overloaded(facts: &Facts<'_>, trouble: &Trouble<'_>) -> Option<Finding> {
    if trouble.failure.output != Output::Timeout {
        return None;
    }
    let pod = trouble.container.pod;
    let (on, workload) = (pod.node_name()?, pod.workload());
    let others = |here: bool| {
        facts.world.pods.seen().map(PodView::new).filter(move |other| {
            (other.namespace(), other.name()) != (pod.namespace(), pod.name())
                && other.node_name().is_some_and(|name| (name == on) == here)
                && other.deletion_deadline().is_none()
        })
    };
    let suffering: Vec<(PodView<'_>, &Event)> = others(true)
        .filter_map(|other| Some((other, times_out_too(facts, other.namespace(), other.name(), trouble.event.last)?)))
        .collect();
    let unrelated = suffering.iter().filter(|(other, _)| other.workload() != workload).count();
    // The same workload times out on other nodes as well: then it is the workload, or what it depends on.
    let elsewhere = others(false)
        .filter(|other| other.workload() == workload)
        .any(|other| times_out_too(facts, other.namespace(), other.name(), trouble.event.last).is_some());
    let pressure = facts.node().present().and_then(|n| {
        ["MemoryPressure", "PIDPressure"]
            .into_iter()
            .find(|kind| node::is(n, kind))
            .and_then(|kind| node::condition_evidence(n, kind))
            .or_else(|| {
                let ready = node::condition(n, "Ready")?;
                ready
                    .message
                    .as_deref()
                    .is_some_and(|m| m.contains("PLEG is not healthy"))
                    .then(|| node::condition_evidence(n, "Ready"))?
            })
    });
    let certainty = match (unrelated, suffering.len(), pressure.is_some()) {
        (1.., _, true) | (2.., _, false) => Certainty::Confirmed,
        (1, _, false) | (0, _, true) => Certainty::Likely,
        (0, 1.., false) if !elsewhere => Certainty::Likely,
        _ => return None,
    };
    if unrelated == 0 && elsewhere {
        return None;
    }
    let ((en, zh), (probe_en, probe_zh)) = (named(trouble.container), trouble.name());
    let count = suffering.len();
    let (more_en, more_zh) = match count {
        0 => ("and the node reports pressure".to_owned(), "且节点报告资源压力".to_owned()),
        1 => (
            format!("as those of pod {} there do", suffering[0].0.name()),
            format!("同节点的 Pod {} 也是如此", suffering[0].0.name()),
        ),
        n => (format!("as those of {n} other pods there do"), format!("同节点的另外 {n} 个 Pod 也是如此")),
    };
    let finding = Finding::new(&CAUSE, certainty)
        .says(
            format!("Node {on} is overloaded: the {probe_en} of {en} times out, {more_en}."),
            format!("节点 {on} 负载过高：{zh} 的{probe_zh}超时，{more_zh}。"),
        )
        .fix(
            Fix::safe(Words::new("See what uses the node.", "查看节点被谁占用。"))
                .command(format!("kubectl top node {}", kubectl::quoted(on))),
        )
        .fix(
            Fix::safe(Words::new("See what runs there, and what it requests.", "查看节点上的 Pod 及其 request。"))
                .command(kubectl::describe_node(on)),
        )
        .fix(
            Fix::careful(Words::new(
                "Keep new pods off it while you move load away; what runs there goes on.",
                "先停止向其调度新 Pod，再迁移负载；已运行的不受影响。",
            ))
            .command(format!("kubectl cordon {}", kubectl::quoted(on))),
        )
        .remedy(Remedy::CordonNode);
    trouble
        .tell(finding)
        .because(pressure)
        .because(suffering.iter().take(3).map(|(other, event)| {
            let mut evidence = event.evidence();
            evidence.source = format!("{} of pod {}/{}", evidence.source, other.namespace(), other.name());
            evidence
        }))
        .explains(&["probe-timeout"])
        .some()
}

#[cfg(test)]
mod tests {
    use crate::diagnosis::testing::diagnose_pod;
    use std::fmt::Write;

    fn pod(name: &str, node: &str, owner: &str, fails: bool) -> String {
        let mut yaml = format!(
            r#"
---
kind: Pod
metadata: {{namespace: shop, name: {name}, creationTimestamp: "2026-01-01T09:00:00Z", ownerReferences: [{{kind: ReplicaSet, name: {owner}, controller: true, apiVersion: apps/v1, uid: u}}]}}
spec: {{nodeName: {node}, containers: [{{name: app, image: app, readinessProbe: {{httpGet: {{port: 8080}}}}}}]}}
status:
  phase: Running
  conditions: [{{type: Ready, status: "{}", lastTransitionTime: "2026-01-01T09:20:00Z"}}]
  containerStatuses:
  - {{name: app, restartCount: 0, ready: {}, started: true, image: app, imageID: "", state: {{running: {{startedAt: "2026-01-01T09:00:05Z"}}}}}}
"#,
            if fails { "False" } else { "True" },
            !fails
        );
        if fails {
            write!(
                yaml,
                r#"
---
kind: Event
metadata: {{namespace: shop, name: e-{name}}}
involvedObject: {{kind: Pod, namespace: shop, name: {name}, fieldPath: "spec.containers{{app}}"}}
reason: Unhealthy
message: 'Readiness probe failed: Get "http://10.0.0.9:8080/": context deadline exceeded (Client.Timeout exceeded while awaiting headers)'
firstTimestamp: "2026-01-01T09:19:30Z"
lastTimestamp: "2026-01-01T09:21:00Z"
count: 9
"#
            )
            .unwrap();
        }
        yaml
    }

    fn found(yaml: &str) -> &'static str {
        diagnose_pod(yaml, "shop/web-1", "2026-01-01T09:22:00Z").answer().unwrap().cause.id
    }

    #[test]
    fn others_of_the_node_suffer_too() {
        assert_eq!(found(&(pod("web-1", "n1", "web", true) + &pod("cart-1", "n1", "cart", true))), "node-overloaded");
    }

    #[test]
    fn the_same_workload_everywhere_is_the_workload() {
        let everywhere =
            pod("web-1", "n1", "web", true) + &pod("web-2", "n1", "web", true) + &pod("web-3", "n2", "web", true);
        assert_eq!(found(&everywhere), "probe-timeout");
        assert_eq!(found(&(pod("web-1", "n1", "web", true) + &pod("cart-1", "n1", "cart", false))), "probe-timeout");
    }
}
