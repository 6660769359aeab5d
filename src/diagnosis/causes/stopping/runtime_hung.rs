//! The container runtime does not answer, so nothing of the pod can be stopped.

use super::Stopping;
use crate::diagnosis::cause::{Cause, Page, Phase};
use crate::diagnosis::causes::creating::step;
use crate::diagnosis::finding::{Certainty, Finding, Fix, Remedy};
use crate::diagnosis::kubectl::{delete_pod, describe_node};
use crate::diagnosis::words::{Text, Words};
use crate::facts::reading::runtime::StartFailure;
use crate::facts::{Event, Evidence, Facts};
use jiff::SignedDuration;

pub static CAUSE: Cause = Cause {
    id: "runtime-hung",
    phases: &[Phase::Stopping, Phase::Creating],
    guide: &["Terminating/docker 17 的 bug"],
    page: Page {
        title: Text { en: "The container runtime does not answer", zh: "容器运行时没有响应" },
        what: Text {
            en: "The kubelet asks containerd, CRI-O or docker to stop a container, and the call never returns or times out. The \
                 runtime or its shim hangs, or the process cannot be killed since it waits in the kernel (a dead disk or NFS \
                 server). Docker 17 was known for it; today it shows as PLEG trouble and stop timeouts.",
            zh: "kubelet 让 containerd、CRI-O 或 docker 停止容器，但调用不返回或超时。运行时或其 shim 卡住，或者进程因等待内核（坏盘、 \
                 失联的 NFS）而无法被杀死。docker 17 以此闻名；如今表现为 PLEG 异常和停止超时。",
        },
        tell: Text {
            en: "CreateContainerError with \"context deadline exceeded\" or \"name … is reserved\"; FailedKillPod or FailedSync with DeadlineExceeded after the delete, or Killing that repeats for minutes; the node \
                 may turn NotReady with \"PLEG is not healthy\" or \"container runtime is down\". A preStop hook or an app that \
                 ignores SIGTERM has one Killing event and ends by itself.",
            zh: "CreateContainerError 带 “context deadline exceeded” 或 “name … is reserved”；删除之后出现带 DeadlineExceeded 的 FailedKillPod 或 FailedSync，或 Killing 重复数分钟；节点可能变为 NotReady 并报 \
                 “PLEG is not healthy” 或 “container runtime is down”。preStop 或忽略 SIGTERM 只有一次 Killing，会自行结束。",
        },
        fix: Text {
            en: "Restart the container runtime on that node (containers survive with containerd; with docker only with \
                 live-restore); if a process hangs in the kernel, drain and reboot the node. Upgrade old runtimes. Forcing the \
                 delete only hides a container that still runs.",
            zh: "重启该节点的容器运行时（containerd 下容器会存活，docker 需开启 live-restore）；如果进程卡在内核，则驱逐并重启节点。 \
                 升级过旧的运行时。强制删除只会掩盖仍在运行的容器。",
        },
        sources: &["kubernetes/kubernetes pkg/kubelet/pod_workers.go", "github.com/containerd/containerd/issues/2709"],
    },
    check,
};

fn check(facts: &Facts<'_>) -> Option<Finding> {
    let Some(stopping) = Stopping::of(facts) else { return while_creating(facts) };
    if stopping.overdue.is_negative() {
        return None;
    }
    let pod = stopping.pod;
    let after = |event: &&Event| event.last.is_none_or(|last| last >= stopping.asked);
    let events: Vec<&Event> = pod.events_seen(facts.world).filter(after).collect();
    let timed_out = events.iter().rev().find(|event| {
        matches!(event.reason.as_str(), "FailedKillPod" | "FailedSync" | "FailedKillContainer")
            && says_hung(event.text())
    });
    let repeated =
        events.iter().rev().find(|event| event.reason == "Killing" && event.count >= 5 && stopping.is_overdue());
    let Some(decisive) = timed_out.or(repeated) else { return survives_its_kill(facts, &stopping) };
    // Near miss: the network plugin or a full disk fails the stop; their own causes name them.
    if ["failed to destroy network", "no space left on device", "device or resource busy"]
        .iter()
        .any(|t| decisive.text().contains(t))
    {
        return None;
    }
    let certainty = if timed_out.is_some() && decisive.count >= 2 { Certainty::Confirmed } else { Certainty::Likely };
    stopping_in_vain(facts, &stopping, certainty, [decisive.evidence(), stopping.evidence()]).some()
}

/// The kubelet asked for the kill, the grace period ended long ago, and the process lives on: SIGKILL was not sent, or
/// the kernel cannot carry it out. One sign, and a hung kubelet looks alike.
fn survives_its_kill(facts: &Facts<'_>, stopping: &Stopping<'_>) -> Option<Finding> {
    let overdue = stopping.overdue > SignedDuration::from_mins(2) && !stopping.all_ended;
    // After a forced delete nobody reports any more: what says "running" is the last report.
    let forced = stopping.pod.meta().deletion_grace_period_seconds == Some(0);
    if !overdue || forced || !stopping.node_is_fine(facts) {
        return None;
    }
    let killing = stopping.pod.last_event(facts.world, "Killing").filter(|event| event.last >= Some(stopping.asked))?;
    let evidence = [stopping.evidence(), killing.evidence()];
    stopping_in_vain(facts, stopping, Certainty::Possible, evidence).some()
}

/// A container that cannot be made since the runtime does not answer: the try before still holds its name.
fn while_creating(facts: &Facts<'_>) -> Option<Finding> {
    let start = step::starts(facts)
        .into_iter()
        // A cache of the kubelet's own that fills times out as well, with another reason.
        .filter(|start| start.reason != "CreateContainerConfigError")
        .find(|start| matches!(start.failure, StartFailure::NameReserved | StartFailure::Deadline))?;
    let (node, name) = (step::node_name(facts), start.container.name());
    let runtime = runtime(facts);
    let finding = Finding::likely(&CAUSE)
        .in_container(start.container)
        .because([start.evidence])
        .explains(&["init-container-waiting", "container-config-error"])
        .says(
            format!("{runtime} on node {node} does not create container `{name}` in time: it is slow, or hangs."),
            format!("节点 {node} 上的 {runtime} 未能及时创建容器 `{name}`：运行时缓慢或卡住。"),
        );
    Some(with_restart_of_the_runtime(finding, node))
}

fn stopping_in_vain(
    facts: &Facts<'_>,
    stopping: &Stopping<'_>,
    certainty: Certainty,
    evidence: impl IntoIterator<Item = Evidence>,
) -> Finding {
    let node = stopping.pod.node_name().unwrap_or("?");
    let runtime = runtime(facts);
    let (en, zh) = if certainty == Certainty::Possible {
        (
            format!("{runtime} on node {node} has not stopped the container, though the grace period is long over."),
            format!("宽限期早已结束，节点 {node} 上的 {runtime} 仍未停止容器。"),
        )
    } else {
        (
            format!("{runtime} on node {node} does not stop the container: the kubelet's calls time out."),
            format!("节点 {node} 上的 {runtime} 无法停止容器：kubelet 的调用超时。"),
        )
    };
    let finding = Finding::new(&CAUSE, certainty)
        .because(evidence)
        .explains(&["kubelet-not-acting", "sigterm-ignored", "pre-stop-hanging", "volume-unmount-stuck"])
        .says(en, zh);
    with_restart_of_the_runtime(finding, node)
        .fix(
            Fix::dangerous(Words::new(
                "Force the delete only once you know that the process is dead: the object goes, a running container stays behind.",
                "只有确认进程已死后才强制删除：对象会消失，仍在运行的容器会留下。",
            ))
            .command(format!("{} --force --grace-period=0", delete_pod(facts))),
        )
        .remedy(Remedy::ForceDeletePod)
}

/// Returns the runtime's name and version, where the node tells.
fn runtime(facts: &Facts<'_>) -> String {
    facts
        .node()
        .present()
        .and_then(|n| Some(n.status.as_ref()?.node_info.as_ref()?.container_runtime_version.clone()))
        .filter(|version| !version.is_empty())
        .unwrap_or_else(|| "the container runtime".to_owned())
}

fn with_restart_of_the_runtime(finding: Finding, node: &str) -> Finding {
    finding
        .fix(Fix::safe(Words::new(format!("Look at node {node}: its conditions and events."), format!("查看节点 {node} 的状态和事件。"))).command(describe_node(node)))
        .fix(Fix::careful(Words::new(
            format!("On node {node}, restart the runtime (systemctl restart containerd, crio or docker); if the process hangs in the kernel, drain and reboot the node."),
            format!("在节点 {node} 上重启运行时（systemctl restart containerd、crio 或 docker）；若进程卡在内核，则驱逐并重启节点。"),
        )))
}

fn says_hung(text: &str) -> bool {
    [
        "DeadlineExceeded",
        "context deadline exceeded",
        "operation timeout",
        "an error occurs during waiting for container",
        "wait container",
        "failed to kill container",
        "failed to stop container",
        "Kill container failed",
        "KillContainerError",
        "did not receive an exit event",
        "cannot stop container",
        "tried to kill container",
        "is not responding",
        "cannot connect to the Docker daemon",
        "connection refused",
    ]
    .iter()
    .any(|pattern| text.contains(pattern))
}

#[cfg(test)]
mod tests {
    use crate::diagnosis::causes::stopping::testing::{RUNNING, event, ids, stopping};

    #[test]
    fn the_stop_times_out_again_and_again() {
        let text = r#"error killing pod: failed to \"KillContainer\" for \"app\" with KillContainerError: \"rpc error: code = DeadlineExceeded desc = context deadline exceeded\""#;
        let yaml = stopping("", "", RUNNING, &event("FailedKillPod", "10:05:00", text));
        assert_eq!(ids(&yaml, "10:06:00").first(), Some(&"runtime-hung"));
    }

    #[test]
    fn a_network_plugin_that_fails_the_stop_is_another_cause() {
        let text = r#"error killing pod: failed to \"KillPodSandbox\": rpc error: failed to destroy network for sandbox: context deadline exceeded"#;
        let yaml = stopping("", "", RUNNING, &event("FailedKillPod", "10:05:00", text));
        assert!(!ids(&yaml, "10:06:00").contains(&"runtime-hung"));
    }

    #[test]
    fn an_old_timeout_before_the_delete_means_nothing() {
        let yaml = stopping("", "", RUNNING, &event("FailedSync", "09:00:00", "context deadline exceeded"));
        assert!(!ids(&yaml, "10:06:00").contains(&"runtime-hung"));
    }

    #[test]
    fn a_process_that_outlives_its_kill_is_a_possibility() {
        let yaml = stopping("", "", RUNNING, &event("Killing", "10:00:01", "Stopping container app"));
        assert_eq!(ids(&yaml, "10:20:00").first(), Some(&"runtime-hung"));
        // Its time is not over by much: the kubelet may be at it.
        assert!(!ids(&yaml, "10:01:00").contains(&"runtime-hung"));
    }

    #[test]
    fn a_container_that_cannot_be_made_in_time() {
        use crate::diagnosis::causes::creating::step::tests::{APP, causes, pod};
        let waiting = |message: &str| {
            causes(&pod(APP, &format!("{{reason: CreateContainerError, message: '{message}'}}"))).first().copied()
        };
        assert_eq!(waiting("context deadline exceeded"), Some("runtime-hung"));
        let reserved = r#"failed to reserve container name "app_web": name "app_web" is reserved for "1""#;
        assert_eq!(waiting(reserved), Some("runtime-hung"));
        assert_ne!(waiting("failed to generate container spec: no command specified"), Some("runtime-hung"));
    }
}
