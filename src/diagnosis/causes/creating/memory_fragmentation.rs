//! The kernel cannot find memory in one piece though there is free memory.

use super::step;
use crate::diagnosis::words::Words;
use crate::diagnosis::{Cause, Certainty, Finding, Fix, Page, Phase, Remedy, Text, kubectl};
use crate::facts::log::lines_from_end;
use crate::facts::reading::kernel::{self, NoMemory};
use crate::facts::reading::sandbox::{SandboxFailure, sandbox_failure};
use crate::facts::{ContainerView, Event, Evidence, Facts, Known, node};
use jiff::SignedDuration;

pub static CAUSE: Cause = Cause {
    id: "memory-fragmentation",
    phases: &[Phase::Creating, Phase::Crashing],
    guide: &["ContainerCreating/节点内存碎片化", "CrashLoopBackOff/节点内存碎片化"],
    page: Page {
        title: Text { en: "The node's memory is fragmented", zh: "节点内存碎片化" },
        what: Text {
            en: "Some allocations of the kernel need several pages in one piece (new cgroups, namespaces, network devices). On a node that ran long and full the free memory lies in small pieces, so they fail although there is free memory.",
            zh: "内核的某些分配需要连续的多个页（新建 cgroup、命名空间、网络设备等）。节点长期高负载运行后，空闲内存变得零散，即使总量充足也会申请失败。",
        },
        tell: Text {
            en: "`cannot allocate memory` at fork, netlink, mount or in runc's first stage (`setns process for init caused \"exit status N\"`) while the node has no MemoryPressure; the kernel log says `page allocation failure: order:N`. With MemoryPressure or SystemOOM the memory is really used up; OOM-killed texts are the limit's doing.",
            zh: "fork、netlink、mount 或 runc 初始阶段（`setns process for init caused \"exit status N\"`）报 `cannot allocate memory`，而节点没有 MemoryPressure；内核日志有 `page allocation failure: order:N`。若有 MemoryPressure 或 SystemOOM 则是真的内存不足；OOM-killed 则与 limit 有关。",
        },
        fix: Text {
            en: "Compact the memory or drop caches on the node, move load away, raise vm.min_free_kbytes; reboot after a drain.",
            zh: "在节点上整理内存或释放缓存、迁走负载、调大 vm.min_free_kbytes；或驱逐后重启。",
        },
        sources: &[
            "https://docs.kernel.org/admin-guide/sysctl/vm.html",
            "https://github.com/imroc/kubernetes-practice-guide",
        ],
    },
    check,
};

fn check(facts: &Facts<'_>) -> Option<Finding> {
    // A want of memory is another thing than a want of memory in one piece.
    let known = facts.node();
    let short = matches!(known, Known::Present(node) if node::is(node, "MemoryPressure"));
    if short || node_event(facts, |event| event.reason == "SystemOOM").is_some() {
        return None;
    }
    let seen = node_event(facts, |event| {
        event.text().contains("page allocation failure") || event.text().contains("SLUB: Unable to allocate")
    });
    let (evidence, container, certainty) = refused(facts)?;
    let certainty = if seen.is_some() { Certainty::Confirmed } else { certainty };
    let pressure = known.present().and_then(|node| node::condition_evidence(node, "MemoryPressure"));
    let node = step::node_name(facts);
    let mut finding = Finding::new(&CAUSE, certainty)
        .because([evidence])
        .because(seen.map(Event::evidence))
        .because(pressure)
        .explains(&["sandbox-create-failed", "container-config-error", "app-exit-error", "cni-failure"])
        .says(
            format!("The kernel of node `{node}` refuses memory though the node is not short of it: it probably lies in pieces too small (fragmentation)."),
            format!("节点 `{node}` 并不缺内存，但内核分配内存失败：很可能是内存碎片化，缺少连续内存。"),
        )
        .fix(
            Fix::safe(Words::new(
                "Look at the kernel's words and the free pieces by size (run this on the node).",
                "查看内核日志和各阶空闲内存块（在节点上执行）。",
            ))
            .command("dmesg -T | grep -i 'page allocation failure'; cat /proc/buddyinfo"),
        )
        .fix(
            Fix::careful(Words::new(
                "Let the kernel compact its memory (run this on the node; a short stall).",
                "让内核整理内存（在节点上执行，会有短暂卡顿）。",
            ))
            .command("echo 1 > /proc/sys/vm/compact_memory"),
        )
        .fix(
            Fix::careful(Words::new(
                "If it comes back: keep new pods away, drain and reboot the node, raise vm.min_free_kbytes.",
                "若反复出现：封锁节点、驱逐并重启，调大 vm.min_free_kbytes。",
            ))
            .command(format!("kubectl cordon {}", kubectl::quoted(node))),
        )
        .remedy(Remedy::CordonNode);
    if let Some(container) = container {
        finding = finding.in_container(container);
    }
    finding.some()
}

/// Returns the refusal, where it stands, and how sure it is that it is one of memory.
fn refused<'w>(facts: &Facts<'w>) -> Option<(Evidence, Option<ContainerView<'w>>, Certainty)> {
    let texts = step::texts(facts);
    let old = step::kernel(facts).is_none_or(|(major, _)| major < 4);
    let refused = |text: &str| match kernel::no_memory(text) {
        Some(NoMemory::Kernel) => true,
        // Kernels before 4.0 leak memory cgroups instead: cgroup-leak.
        Some(NoMemory::Cgroup) => !old,
        None => false,
    };
    if let Some((_, evidence, container)) = texts.iter().find(|(text, ..)| refused(text)) {
        return Some((evidence.clone(), *container, Certainty::Likely));
    }
    // runc's first stage ends with a bare status where the kernel refuses it namespaces or memory. With a limit of a few
    // bytes it is killed instead, and memory-limit-too-small explains this one.
    let died = |text: &str| sandbox_failure(text) == SandboxFailure::DiedInStart && text.contains("exit status");
    if let Some((_, evidence, container)) = texts.iter().find(|(text, ..)| died(text)) {
        return Some((evidence.clone(), *container, if old { Certainty::Likely } else { Certainty::Possible }));
    }
    in_log(facts)
}

/// A shell that cannot fork says so in its log. The container's own limit kills instead of refusing.
fn in_log<'w>(facts: &Facts<'w>) -> Option<(Evidence, Option<ContainerView<'w>>, Certainty)> {
    let pod = step::pod(facts)?;
    pod.containers().filter(|container| container.is_crash_looping()).find_map(|container| {
        let log = container.log_of_latest_end(facts.world).present()?;
        let forks = |text: &str| {
            let lower = text.to_ascii_lowercase();
            lower.contains("cannot allocate memory")
                && ["fork", "clone", "spawn"].iter().any(|word| lower.contains(word))
        };
        let line = lines_from_end(container.name(), log).take(20).find(|line| forks(line.text))?;
        let sure = if container.limit("memory").is_none() && facts.node().present().is_some() {
            Certainty::Likely
        } else {
            Certainty::Possible
        };
        Some((line.evidence(), Some(container), sure))
    })
}

fn node_event<'w>(facts: &Facts<'w>, fits: impl Fn(&Event) -> bool) -> Option<&'w Event> {
    let name = facts.pod()?.node_name()?;
    facts
        .world
        .node_events(name)
        .filter(|event| event.last.is_none_or(|last| facts.since(last) < SignedDuration::from_hours(1)))
        .filter(|event| fits(event))
        .last()
}

#[cfg(test)]
mod tests {
    use crate::diagnosis::Certainty;
    use crate::diagnosis::causes::creating::step::tests::{APP, CREATING, causes, diagnose, event, pod};

    const FORK: &str = "Failed to create pod sandbox: rpc error: code = Unknown desc = failed to create containerd task: fork/exec /usr/bin/containerd-shim: cannot allocate memory: unknown";

    fn node(pressure: &str) -> String {
        format!(
            "
---
apiVersion: v1
kind: Node
metadata: {{name: n1}}
status: {{conditions: [{{type: Ready, status: 'True'}}, {{type: MemoryPressure, status: '{pressure}'}}]}}
"
        )
    }

    #[test]
    fn a_refusal_without_pressure() {
        let yaml = pod(APP, CREATING) + &event("FailedCreatePodSandBox", 8, FORK) + &node("False");
        let diagnosis = diagnose(&yaml);
        let found = diagnosis.answer().unwrap();
        assert_eq!((found.cause.id, found.certainty), ("memory-fragmentation", Certainty::Likely));
    }

    #[test]
    fn a_node_short_of_memory_is_just_that() {
        let yaml = pod(APP, CREATING) + &event("FailedCreatePodSandBox", 8, FORK) + &node("True");
        assert!(!causes(&yaml).contains(&"memory-fragmentation"));
    }
}
