//! The sandbox cannot be created, for a reason that has no cause of its own.

use super::step;
use crate::diagnosis::words::Words;
use crate::diagnosis::{Cause, Certainty, Finding, Fix, Page, Phase, Text, kubectl};
use crate::facts::Facts;
use crate::facts::reading::kernel::NoSpace;
use crate::facts::reading::progress;
use crate::facts::reading::sandbox::SandboxFailure;
use jiff::SignedDuration;

pub static CAUSE: Cause = Cause {
    id: "sandbox-create-failed",
    phases: &[Phase::Creating],
    guide: &[],
    page: Page {
        title: Text { en: "The pod's sandbox cannot be created", zh: "无法创建 Pod 的 Sandbox" },
        what: Text {
            en: "Before any container the runtime makes the pod's sandbox: its cgroup, namespaces and pause process. It fails for a reason other than network, image, memory limit or disk: kubelet and runtime disagree about the cgroup driver, the runtime is slow or down, a limit of the kernel, a sysctl.",
            zh: "在任何容器之前，运行时要先创建 Pod 的 Sandbox：cgroup、命名空间和 pause 进程。失败原因不是网络、镜像、内存 limit 或磁盘，而是 kubelet 与运行时的 cgroup driver 不一致、运行时缓慢或宕机、内核限制、sysctl 等。",
        },
        tell: Text {
            en: "Event FailedCreatePodSandBox (or FailedCreatePodContainer) whose text fits none of the more exact causes. SandboxChanged is its companion, never the cause.",
            zh: "事件 FailedCreatePodSandBox（或 FailedCreatePodContainer），且内容不属于更具体的原因。SandboxChanged 只是伴随现象。",
        },
        fix: Text {
            en: "Read the error and the runtime's log on the node; other pods on the same node tell whether it is the node.",
            zh: "查看报错和节点上运行时的日志；对比同节点的其他 Pod 判断是否为节点问题。",
        },
        sources: &["https://kubernetes.io/docs/setup/production-environment/container-runtimes/#cgroup-drivers"],
    },
    check,
};

fn check(facts: &Facts<'_>) -> Option<Finding> {
    let Some((failure, event)) = step::sandbox(facts) else { return made_again_and_again(facts) };
    let node = step::node_name(facts);
    let (certainty, en, zh) = match failure {
        // Each has its own cause.
        SandboxFailure::Cni(_) | SandboxFailure::RuntimeClass(Some(_)) => return None,
        SandboxFailure::NoSpace(NoSpace::Disk | NoSpace::Cgroup) => return None,
        SandboxFailure::CgroupDriver => (
            Certainty::Confirmed,
            format!(
                "Kubelet and runtime of node `{node}` use different cgroup drivers (systemd, cgroupfs), so no sandbox can be made."
            ),
            format!(
                "节点 `{node}` 的 kubelet 与运行时使用的 cgroup driver 不一致（systemd、cgroupfs），无法创建 Sandbox。"
            ),
        ),
        SandboxFailure::Sysctl => (
            Certainty::Confirmed,
            format!("Node `{node}` cannot set a sysctl that the pod asks for."),
            format!("节点 `{node}` 无法设置 Pod 要求的 sysctl。"),
        ),
        SandboxFailure::NameReserved | SandboxFailure::Deadline => (
            Certainty::Likely,
            format!("The runtime of node `{node}` is too slow: making the pod's sandbox runs out of time."),
            format!("节点 `{node}` 的运行时太慢，创建 Sandbox 超时。"),
        ),
        SandboxFailure::RuntimeDown => (
            Certainty::Likely,
            format!("The kubelet of node `{node}` gets no connection to the container runtime."),
            format!("节点 `{node}` 的 kubelet 无法连接容器运行时。"),
        ),
        SandboxFailure::NoSpace(NoSpace::Inotify) => (
            Certainty::Confirmed,
            format!("Node `{node}` has no inotify watches left (fs.inotify.max_user_watches); no disk is full."),
            format!("节点 `{node}` 的 inotify 已用尽（fs.inotify.max_user_watches），并不是磁盘满。"),
        ),
        SandboxFailure::NoSpace(_) => (
            Certainty::Likely,
            format!(
                "A limit of node `{node}` other than its disk is used up (namespaces, keys or a tmpfs), so no sandbox can be made."
            ),
            format!("节点 `{node}` 的某个限制（命名空间、密钥或 tmpfs）已用尽，并不是磁盘满，无法创建 Sandbox。"),
        ),
        SandboxFailure::NoMemory(_) => (
            Certainty::Likely,
            format!("Node `{node}` has no memory for the pod's sandbox."),
            format!("节点 `{node}` 没有内存创建 Sandbox。"),
        ),
        SandboxFailure::PauseImage
        | SandboxFailure::MemoryTooSmall
        | SandboxFailure::DiedInStart
        | SandboxFailure::RuntimeClass(None)
        | SandboxFailure::Other => (
            Certainty::Likely,
            format!("The runtime of node `{node}` cannot create the pod's sandbox: {}", tail(event.text())),
            format!("节点 `{node}` 的运行时无法创建 Sandbox：{}", tail(event.text())),
        ),
    };
    let finding =
        Finding::new(&CAUSE, certainty).because([event.evidence()]).explains(&["init-container-waiting"]).says(en, zh);
    let finding = match failure {
        SandboxFailure::CgroupDriver => finding.fix(Fix::careful(Words::new(
            format!("Give both the same driver on node `{node}` (cgroupDriver in the kubelet's configuration; SystemdCgroup in containerd's, native.cgroupdriver in docker's), then drain it and restart both."),
            format!("在节点 `{node}` 上统一 driver（kubelet 配置的 cgroupDriver；containerd 的 SystemdCgroup、docker 的 native.cgroupdriver），驱逐后重启两者。"),
        ))),
        SandboxFailure::Sysctl => finding.fix(
            Fix::careful(Words::new(
                "Take the sysctl out of the pod's securityContext, or allow it on the nodes (--allowed-unsafe-sysctls).",
                "从 Pod 的 securityContext 中去掉该 sysctl，或在节点上放行（--allowed-unsafe-sysctls）。",
            ))
            .command(kubectl::edit(&facts.workload())),
        ),
        _ => finding,
    };
    finding
        .fix(
            Fix::safe(Words::new(
                format!("Read what the runtime says on node `{node}` (run this there)."),
                format!("查看节点 `{node}` 上运行时的日志（在节点上执行）。"),
            ))
            .command("journalctl -u containerd -u crio -u docker --since -15min | tail -50"),
        )
        .fix(
            Fix::safe(Words::new(
                "See whether other pods of the node fail as well.",
                "查看该节点上其他 Pod 是否也失败。",
            ))
            .command(format!("kubectl get pods -A -o wide --field-selector spec.nodeName={}", kubectl::quoted(node))),
        )
        .some()
}

/// Returns the end of the error, which says most.
fn tail(text: &str) -> String {
    let end = text.rsplit("desc = ").next().unwrap_or(text);
    step::plain(end)
}

/// The sandbox comes up and dies, over and over, and nobody says why: a limit of a few bytes, the network, the runtime.
fn made_again_and_again(facts: &Facts<'_>) -> Option<Finding> {
    let pod = step::pod(facts).filter(|pod| pod.containers().all(|container| !container.is_running()))?;
    let event = pod.last_event(facts.world, "SandboxChanged").filter(|event| event.count >= 5)?;
    let again = event.last.is_some_and(|last| facts.since(last) < SignedDuration::from_mins(5));
    let beyond = pod.events_seen(facts.world).any(|later| {
        later.last >= event.last && progress::reached(later).is_some_and(|step| step > progress::Step::Sandbox)
    });
    if !again || beyond {
        return None;
    }
    let (node, count) = (step::node_name(facts), event.count);
    Finding::possible(&CAUSE)
        .because([event.evidence()])
        .says(
            format!(
                "The pod's sandbox on node `{node}` was made anew {count} times and does not last; no event says why."
            ),
            format!("Pod 的 Sandbox 在节点 `{node}` 上已重建 {count} 次仍无法保持，没有事件说明原因。"),
        )
        .fix(
            Fix::safe(Words::new(
                format!("Read what the runtime says on node `{node}` (run this there)."),
                format!("查看节点 `{node}` 上运行时的日志（在节点上执行）。"),
            ))
            .command("journalctl -u containerd -u crio -u docker --since -15min | tail -50"),
        )
        .some()
}

#[cfg(test)]
mod tests {
    use crate::diagnosis::Certainty;
    use crate::diagnosis::causes::creating::step::tests::{APP, CREATING, causes, diagnose, event, pod};

    #[test]
    fn two_cgroup_drivers() {
        let text = "Failed create pod sandbox: rpc error: code = Unknown desc = failed to create a sandbox for pod \"web\": Error response from daemon: cgroup-parent for systemd cgroup should be a valid slice named as \"xxx.slice\"";
        let diagnosis = diagnose(&(pod(APP, CREATING) + &event("FailedCreatePodSandBox", 8, text)));
        let found = diagnosis.answer().unwrap();
        assert_eq!((found.cause.id, found.certainty), ("sandbox-create-failed", Certainty::Confirmed));
    }

    #[test]
    fn what_is_known_better_is_not_told_twice() {
        let text = "Failed create pod sandbox: rpc error: code = Unknown desc = NetworkPlugin cni failed to set up pod network: failed to find plugin \"loopback\" in path [/opt/cni/bin]";
        assert_eq!(causes(&(pod(APP, CREATING) + &event("FailedCreatePodSandBox", 8, text))), ["cni-failure"]);
    }

    #[test]
    fn a_sandbox_that_never_lasts_is_a_possibility() {
        let changed = event("SandboxChanged", 9, "Pod sandbox changed, it will be killed and re-created.");
        let often = changed.replace("count: 3", "count: 60").replace("Warning", "Normal");
        let found = diagnose(&(pod(APP, CREATING) + &often));
        let answer = found.answer().unwrap();
        assert_eq!((answer.cause.id, answer.certainty), ("sandbox-create-failed", Certainty::Possible));
        // Once, after a reboot of the node, is normal.
        assert!(!causes(&(pod(APP, CREATING) + &changed)).contains(&"sandbox-create-failed"));
    }
}
