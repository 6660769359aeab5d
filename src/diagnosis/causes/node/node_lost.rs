//! The node's kubelet stopped reporting: nothing the API says of its pods is news.

use super::STALE;
use crate::diagnosis::cause::{Cause, Page, Phase};
use crate::diagnosis::finding::{Finding, Fix, Remedy};
use crate::diagnosis::kubectl::{self, delete_pod, describe_node, quoted};
use crate::diagnosis::words::{Text, Words};
use crate::facts::{Evidence, Facts, Known, PodView, Stage, node};
use jiff::SignedDuration;

pub static CAUSE: Cause = Cause {
    id: "node-lost",
    phases: &[Phase::Node, Phase::Stopping],
    guide: &["Unknown/节点失联", "Unknown/节点宕机", "Unknown/网络不通"],
    page: Page {
        title: Text { en: "The node is lost", zh: "节点失联" },
        what: Text {
            en: "The kubelet renews its heartbeat every ten seconds. When it has been silent for 40 to 50 s the node turns Unknown, \
                 its pods lose Ready, and after five minutes they are marked for deletion, which nobody on the node confirms: \
                 Running becomes Terminating and stays. The machine is down, overloaded, or cut off from the API server.",
            zh: "kubelet 每十秒上报一次心跳。静默 40 到 50 秒后节点变为 Unknown，其上的 Pod 失去 Ready，五分钟后被标记删除，但节点上没有人确认： \
                 Running 变成 Terminating 并停在那里。机器可能宕机、负载过高，或与 API server 断网。",
        },
        tell: Text {
            en: "The node's Ready condition is Unknown (False would mean that the kubelet is alive and complains), its Lease is old, \
                 or the node object is gone. The pod's own status is the last report and tells nothing.",
            zh: "节点的 Ready 状态为 Unknown（False 表示 kubelet 存活但自报异常）、其 Lease 过期，或节点对象已不存在。Pod 自身的状态只是最后一次上报。",
        },
        fix: Text {
            en: "Look at the machine: power, load, kubelet, network, certificates. If it is truly off and will not return soon, \
                 taint it out-of-service (or delete the node object): then its pods are released and volumes move. Doing so while \
                 the machine still runs can put two writers on one volume.",
            zh: "检查机器：电源、负载、kubelet、网络、证书。如果确实关机且短期不会恢复，打上 out-of-service 污点（或删除节点对象），其 Pod 才会释放、卷 \
                 才能迁移。机器仍在运行时这样做，可能让两个写者同时写一个卷。",
        },
        sources: &[
            "kubernetes.io/docs/concepts/architecture/nodes",
            "kubernetes/kubernetes pkg/controller/nodelifecycle",
        ],
    },
    check,
};

/// A Lease lasts 40 s; twice that is no hiccup.
const STALE_LEASE: SignedDuration = SignedDuration::from_secs(90);

fn check(facts: &Facts<'_>) -> Option<Finding> {
    let pod = facts.pod()?;
    let name = pod.node_name()?;
    if pod.stage() == Stage::Failed {
        return collected(pod, name);
    }
    if pod.stage() == Stage::Completed {
        return None;
    }
    let gone = facts.node().is_absent();
    let object = facts.node().present();
    let silent = object.is_some_and(node::is_silent);
    let lease = node::heartbeat_age(facts.world, name, facts.now);
    // The controller has not spoken yet, but the heartbeat has stopped. A snapshot's Lease may be older than the snapshot.
    let stopped =
        matches!(lease, Known::Present(age) if age > STALE_LEASE) && object.is_some_and(|n| !node::is_ready(n));
    // A pod whose kubelet has done its last delete needs nothing of the node any more.
    let done = pod.deletion_deadline().is_some()
        && pod.meta().deletion_grace_period_seconds == Some(0)
        && !pod.finalizers().is_empty()
        && matches!(pod.phase(), "Succeeded" | "Failed");
    if done {
        return None;
    }
    if !(gone || silent || stopped) {
        return unseen(facts, pod, name);
    }
    // A node that was just removed (scale-down) takes its pods along within a minute: that is collected, not lost.
    if gone && pod.age(facts.now) < SignedDuration::from_mins(1) {
        return None;
    }
    let since = object
        .and_then(|n| node::condition(n, "Ready"))
        .and_then(|c| c.last_transition_time.as_ref())
        .map(|t| facts.since(t.0).as_secs().max(0));
    let lease_evidence = lease.present().map(|age| {
        Evidence::field(
            format!("lease kube-node-lease/{name}.spec.renewTime"),
            format!("{} s ago", age.as_secs()),
            None,
        )
    });
    let for_ = since.map_or(String::new(), |s| format!(" for {} min", s / 60));
    let for_zh = since.map_or(String::new(), |s| format!("已 {} 分钟", s / 60));
    let (en, zh) = if gone {
        (
            format!("Node {name} does not exist any more: nobody runs this pod or confirms its end."),
            format!("节点 {name} 已不存在：没有人运行此 Pod 或确认其结束。"),
        )
    } else {
        (
            format!(
                "Node {name} has been silent{for_}: its kubelet reports no more, the pod's status is only the last report."
            ),
            format!("节点 {name} {for_zh}没有上报：kubelet 静默，Pod 状态只是最后一次上报。"),
        )
    };
    let mut finding = Finding::confirmed(&CAUSE)
        .because(object.and_then(|n| node::condition_evidence(n, "Ready")))
        .because(gone.then(|| Evidence::field("pod.spec.nodeName", format!("{name}, and there is no such node"), None)))
        .because(lease_evidence)
        .because(pod.condition_evidence("Ready"))
        .explains(STALE)
        .says(en, zh)
        .fix(
            Fix::safe(Words::new(
                format!("Look at machine {name}: is it up, is its kubelet running, does it reach the API server?"),
                format!("检查机器 {name}：是否开机、kubelet 是否在运行、能否连到 API server？"),
            ))
            .command(describe_node(name)),
        );
    if !gone {
        finding = finding
            .fix(
                Fix::dangerous(Words::new(
                    "Only if the machine is truly off: mark it out of service, so that its pods and volumes move. On a machine that still runs this can corrupt data.",
                    "仅当机器确实关机：标记为 out-of-service，使 Pod 和卷迁移。机器仍在运行时会损坏数据。",
                ))
                .command(format!("kubectl taint node {} node.kubernetes.io/out-of-service=nodeshutdown:NoExecute", quoted(name))),
            )
            .remedy(Remedy::MarkNodeOutOfService);
    }
    finding
        .fix(
            Fix::dangerous(Words::new(
                "Or release this one pod, if nothing of it can still be running (a StatefulSet's pod may meet its twin).",
                "或只释放这一个 Pod，前提是它不可能仍在运行（StatefulSet 的 Pod 可能与孪生体相遇）。",
            ))
            .command(format!("{} --force --grace-period=0", delete_pod(facts))),
        )
        .remedy(Remedy::ForceDeletePod)
        .some()
}

/// The node could not be read: the controller's word that it is not ready, and nobody who confirms the pod's end since,
/// say what the node would.
fn unseen(facts: &Facts<'_>, pod: PodView<'_>, name: &str) -> Option<Finding> {
    let overdue = facts.since(pod.deletion_deadline()?) > STALE_LEASE;
    let evicted = pod.last_event(facts.world, "TaintManagerEviction");
    let not_ready = pod.last_event(facts.world, "NodeNotReady")?;
    let acted =
        pod.events_seen(facts.world).any(|event| event.component.starts_with("kubelet") && event.last > not_ready.last);
    if !facts.node().is_unreadable() || !overdue || acted {
        return None;
    }
    Finding::likely(&CAUSE)
        .because([not_ready.evidence()])
        .because(evicted.map(crate::facts::Event::evidence))
        .explains(STALE)
        .says(
            format!("Node {name} was reported as not ready, and nobody on it has confirmed the pod's end since."),
            format!("节点 {name} 已被报告为未就绪，此后一直没有人确认 Pod 的结束。"),
        )
        .fix(
            Fix::safe(Words::new(
                format!("Look at node {name}: is it up, does its kubelet report?"),
                format!("查看节点 {name}：是否开机、kubelet 是否上报？"),
            ))
            .command(describe_node(name)),
        )
        .some()
}

/// The pod garbage collector marks what it finds bound to a node that does not exist, before it removes it.
fn collected(pod: PodView<'_>, name: &str) -> Option<Finding> {
    let condition = pod.condition("DisruptionTarget").filter(|condition| condition.status == "True")?;
    if condition.reason.as_deref() != Some("DeletionByPodGC") {
        return None;
    }
    Finding::confirmed(&CAUSE)
        .because(pod.condition_evidence("DisruptionTarget"))
        .explains(STALE)
        .says(
            format!("Node {name} was removed from the cluster with the pod on it: nobody runs this pod any more."),
            format!("节点 {name} 已从集群中移除，其上的此 Pod 不再有人运行。"),
        )
        .fix(
            Fix::safe(Words::new(
                "See whether its replacement runs; the control plane removes this one by itself.",
                "查看替代的 Pod 是否已运行；控制面会自行清除这个 Pod。",
            ))
            .command(kubectl::namespaced(pod.namespace(), "get pods -o wide")),
        )
        .some()
}

#[cfg(test)]
mod tests {
    use crate::diagnosis::causes::node::testing::{FINE, SILENT, UNREADY, ids, on_node};

    #[test]
    fn a_silent_node_leads_whatever_the_pod_says() {
        let yaml = on_node("", r#"phase: Running, conditions: [{type: Ready, status: "False"}]"#, SILENT);
        assert_eq!(ids(&yaml).first(), Some(&"node-lost"));
    }

    #[test]
    fn what_a_lost_node_s_pod_last_complained_of_does_not_lead() {
        let event = |reason: &str, message: &str| {
            format!(
                "---\nkind: Event\nmetadata: {{name: e, namespace: shop}}\ninvolvedObject: {{kind: Pod, namespace: shop, name: web}}\n\
                 reason: {reason}\ntype: Warning\nmessage: '{message}'\ncount: 9\nfirstTimestamp: '2026-01-01T09:30:00Z'\nlastTimestamp: '2026-01-01T09:58:00Z'\n"
            )
        };
        for (reason, message) in [
            (
                "FailedCreatePodSandBox",
                "Failed to create pod sandbox: rpc error: code = Unknown desc = failed to create a sandbox for pod \"web\": cgroup-parent for systemd cgroup should be a valid slice named as \"xxx.slice\"",
            ),
            ("FailedMount", "MountVolume.SetUp failed for volume \"d\" : mount failed: exit status 32"),
        ] {
            let yaml = on_node("", "phase: Pending", SILENT).replace(
                r#"ready: true, restartCount: 0, state: {running: {startedAt: "2026-01-01T08:00:05Z"}}"#,
                "ready: false, restartCount: 0, state: {waiting: {reason: ContainerCreating}}",
            );
            // Without the node's silence the complaint leads; with it, it is an old one.
            let complaint = event(reason, message);
            let alive = ids(&(yaml.replace(SILENT, FINE) + &complaint));
            assert!(matches!(alive.first(), Some(&("sandbox-create-failed" | "volume-mount-failed"))), "{alive:?}");
            assert_eq!(ids(&(yaml + &complaint)).first(), Some(&"node-lost"), "{reason}");
        }
    }

    #[test]
    fn a_kubelet_that_complains_is_not_lost() {
        for ready in [FINE, UNREADY] {
            let yaml = on_node("", r#"phase: Running, conditions: [{type: Ready, status: "False"}]"#, ready);
            assert!(!ids(&yaml).contains(&"node-lost"), "{ready}");
        }
    }

    #[test]
    fn a_pod_that_was_collected_with_its_node_says_so() {
        let collected = |reason: &str| {
            let status = format!(
                r#"phase: Failed, conditions: [{{type: DisruptionTarget, status: "True", reason: {reason}, message: "PodGC: node no longer exists"}}]"#
            );
            ids(&on_node("", &status, FINE))
        };
        assert_eq!(collected("DeletionByPodGC").first(), Some(&"node-lost"));
        // Drained by somebody: the node is there.
        assert!(!collected("EvictionByEvictionAPI").contains(&"node-lost"));
    }
}
