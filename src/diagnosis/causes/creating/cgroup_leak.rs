//! The kernel has no cgroups left: "no space left on device" with no disk full.

use super::step;
use crate::diagnosis::words::Words;
use crate::diagnosis::{Cause, Certainty, Finding, Fix, Page, Phase, Remedy, Text, kubectl};
use crate::facts::Facts;
use crate::facts::reading::kernel::{self, NoMemory, NoSpace};

pub static CAUSE: Cause = Cause {
    id: "cgroup-leak",
    phases: &[Phase::Creating],
    guide: &[],
    page: Page {
        title: Text { en: "The node's kernel has no cgroups left", zh: "节点内核的 cgroup 已用尽" },
        what: Text {
            en: "Old kernels (3.10, early 4.x) leak memory cgroups when kernel memory is accounted: removed pods leave theirs behind until the limit of 65,535 is reached. Then no pod starts on that node, though disk and memory are free.",
            zh: "旧内核（3.10、早期 4.x）在启用 kernel memory 统计时会泄漏 memory cgroup：Pod 删除后 cgroup 残留，直到达到 65535 的上限。此后该节点无法启动任何 Pod，尽管磁盘和内存充足。",
        },
        tell: Text {
            en: "`mkdir /sys/fs/cgroup/memory/kubepods/…: no space left on device`, or `cannot allocate memory` for the same path on a 3.10 kernel. A full disk names a path under the runtime's or the kubelet's root.",
            zh: "`mkdir /sys/fs/cgroup/memory/kubepods/…: no space left on device`，或 3.10 内核上同一路径报 `cannot allocate memory`。磁盘写满时报的是运行时或 kubelet 目录下的路径。",
        },
        fix: Text {
            en: "Drain and reboot the node; for good, a newer kernel or `cgroup.memory=nokmem`.",
            zh: "驱逐并重启节点；长期方案是升级内核或设置 `cgroup.memory=nokmem`。",
        },
        sources: &[
            "https://github.com/kubernetes/kubernetes/issues/61937",
            "https://github.com/kubernetes/kubernetes/issues/70324",
        ],
    },
    check,
};

fn check(facts: &Facts<'_>) -> Option<Finding> {
    let old = step::kernel(facts).is_none_or(|(major, _)| major < 4);
    let (certainty, evidence) = step::texts(facts).into_iter().find_map(|(text, evidence, _)| {
        match (kernel::no_space(text), kernel::no_memory(text)) {
            // systemd's word for it may mean its own limit of units.
            (Some(NoSpace::Cgroup), _) if text.contains("mkdir") => Some((Certainty::Confirmed, evidence)),
            (Some(NoSpace::Cgroup), _) => Some((Certainty::Likely, evidence)),
            // On newer kernels the same refusal is a want of memory in one piece.
            (_, Some(NoMemory::Cgroup)) if old && text.contains("mkdir") => Some((Certainty::Likely, evidence)),
            _ => None,
        }
    })?;
    let node = step::node_name(facts);
    let version = facts.node().present().and_then(|node| {
        let info = node.status.as_ref()?.node_info.as_ref()?;
        let path = format!("node {}.status.nodeInfo.kernelVersion", crate::facts::node::name(node));
        Some(crate::facts::Evidence::field(path, &info.kernel_version, None))
    });
    Finding::new(&CAUSE, certainty)
        .because([evidence])
        .because(version)
        .explains(&["sandbox-create-failed", "container-config-error", "memory-fragmentation", "app-exit-error"])
        .says(
            format!("The kernel of node `{node}` makes no further cgroups (old ones leaked), so no pod can start there; no disk is full."),
            format!("节点 `{node}` 的内核无法再创建 cgroup（旧的已泄漏），因此无法启动 Pod；并不是磁盘满。"),
        )
        .fix(
            Fix::safe(Words::new("Count them (run this on the node): tens of thousands are a leak.", "统计数量（在节点上执行）：上万即为泄漏。"))
                .command("cat /proc/cgroups"),
        )
        .fix(
            Fix::careful(Words::new("Keep new pods away, then drain and reboot the node.", "先封锁节点，再驱逐并重启。"))
                .command(format!("kubectl cordon {}", kubectl::quoted(node))),
        )
        .fix(Fix::careful(Words::new(
            "For good: a newer kernel, or boot with `cgroup.memory=nokmem`.",
            "长期方案：升级内核，或以 `cgroup.memory=nokmem` 启动。",
        )))
        .remedy(Remedy::CordonNode)
        .some()
}

#[cfg(test)]
mod tests {
    use crate::diagnosis::Certainty;
    use crate::diagnosis::causes::creating::step::tests::{APP, CREATING, causes, diagnose, event, pod};

    #[test]
    fn a_folder_of_cgroups_that_cannot_be_made() {
        let text = "unable to ensure pod container exists: failed to create container for [kubepods besteffort podu1] : mkdir /sys/fs/cgroup/memory/kubepods/besteffort/podu1: no space left on device";
        let diagnosis = diagnose(&(pod(APP, CREATING) + &event("FailedCreatePodContainer", 8, text)));
        let found = diagnosis.answer().unwrap();
        assert_eq!((found.cause.id, found.certainty), ("cgroup-leak", Certainty::Confirmed));
    }

    #[test]
    fn a_runtime_that_cannot_fork_is_another_cause() {
        let text = "Failed to create pod sandbox: fork/exec /usr/bin/containerd-shim: cannot allocate memory";
        assert!(!causes(&(pod(APP, CREATING) + &event("FailedCreatePodSandBox", 8, text))).contains(&"cgroup-leak"));
    }
}
