//! The disk with the runtime's or the kubelet's data is full.

use super::step;
use crate::diagnosis::words::Words;
use crate::diagnosis::{Cause, Certainty, Finding, Fix, Page, Phase, Remedy, Text, kubectl};
use crate::facts::reading::kernel::{self, NoSpace};
use crate::facts::{Evidence, Facts, Known, PodView, Stage, node};
use jiff::SignedDuration;

pub static CAUSE: Cause = Cause {
    id: "container-disk-full",
    phases: &[Phase::Creating, Phase::Stopping],
    guide: &["ContainerCreating/容器数据磁盘被写满", "Terminating/容器数据磁盘被写满"],
    page: Page {
        title: Text { en: "The node's container disk is full", zh: "容器数据磁盘被写满" },
        what: Text {
            en: "The runtime and the kubelet write folders, layers and logs for each container; with their disk full (or out of inodes) nothing can be created, and old runtimes cannot even remove containers. Images, logs and what containers write fill it.",
            zh: "运行时和 kubelet 会为每个容器写入目录、镜像层和日志；磁盘（或 inode）用尽后无法创建容器，旧的运行时甚至无法删除容器。常见占用者是镜像、日志和容器写入的数据。",
        },
        tell: Text {
            en: "`no space left on device` on a path under the runtime's or the kubelet's root. False friends with the same words: paths under /sys/fs/cgroup (cgroup-leak), inotify, a tmpfs sized by a tiny memory limit (memory-limit-too-small), a volume of the pod. DiskPressure may be False while a partition that the kubelet does not watch is full.",
            zh: "运行时或 kubelet 目录下的路径报 `no space left on device`。相同提示的其他原因：/sys/fs/cgroup 路径（cgroup 泄漏）、inotify、因内存 limit 过小而过小的 tmpfs、Pod 自己的卷。kubelet 不监控的分区写满时 DiskPressure 仍可能是 False。",
        },
        fix: Text {
            en: "Remove unused images and old logs on the node, grow the disk, or cordon and drain the node. Never delete files under the runtime's root by hand.",
            zh: "清理节点上未使用的镜像和旧日志、扩容磁盘，或封锁并驱逐节点。不要手动删除运行时目录下的文件。",
        },
        sources: &["https://kubernetes.io/docs/concepts/scheduling-eviction/node-pressure-eviction/"],
    },
    check,
};

fn check(facts: &Facts<'_>) -> Option<Finding> {
    let pod = facts.pod()?;
    if pod.stage() == Stage::Terminating {
        return while_stopping(facts, pod);
    }
    let (evidence, container) = step::texts(facts).into_iter().find_map(|(text, evidence, container)| {
        (kernel::no_space(text) == Some(NoSpace::Disk)).then_some((evidence, container))
    })?;
    let node = step::node_name(facts);
    let mut finding = Finding::confirmed(&CAUSE).because([evidence]).because(node_evidence(facts)).says(
        format!("A disk of node `{node}` is full, so nothing can be created there for the pod."),
        format!("节点 `{node}` 的磁盘已写满，无法为 Pod 创建容器。"),
    );
    if let Some(container) = container {
        finding = finding.in_container(container);
    }
    Some(fixes(node, finding.explains(&EXPLAINED)))
}

/// Everything else that a full disk makes fail.
const EXPLAINED: [&str; 13] = [
    "sandbox-create-failed",
    "volume-mount-failed",
    "cni-failure",
    "container-config-error",
    "init-container-failing",
    "app-exit-error",
    "image-corrupt",
    "image-pull-timeout",
    "runtime-hung",
    "kubelet-not-acting",
    "init-container-waiting",
    "node-not-ready",
    "node-overloaded",
];

/// A pod that cannot be removed: its own events say so, or it is killed again and again on a node short of disk.
fn while_stopping(facts: &Facts<'_>, pod: PodView<'_>) -> Option<Finding> {
    let overdue = facts.since(pod.deletion_deadline()?);
    if overdue < SignedDuration::from_secs(60) {
        return None;
    }
    // The deadline is the moment of the delete plus the grace period.
    let deleted = pod.deletion_asked()?;
    let node = step::node_name(facts);
    let words = |finding: Finding| {
        let finding = finding.says(
            format!("A disk of node `{node}` is full, so the runtime cannot remove the pod's containers."),
            format!("节点 `{node}` 的磁盘已写满，运行时无法删除 Pod 的容器。"),
        );
        Some(fixes(node, finding.explains(&EXPLAINED)))
    };
    let full = |text: &str| kernel::no_space(text) == Some(NoSpace::Disk);
    let said = pod
        .events_seen(facts.world)
        .filter(|event| event.last.is_none_or(|last| last >= deleted))
        .filter(|event| full(event.text()))
        .last();
    if let Some(event) = said {
        return words(Finding::confirmed(&CAUSE).because([event.evidence()]).because(node_evidence(facts)));
    }
    let short = node_evidence(facts);
    let killing = pod.last_event(facts.world, "Killing").filter(|event| event.count >= 10)?;
    let certainty = match (short.is_empty(), facts.node()) {
        (false, _) => Certainty::Likely,
        // A runtime that cannot write is one reason for killing in vain, a hung one another: the node would tell.
        (true, Known::Unreadable) if killing.count >= 100 => Certainty::Possible,
        (true, _) => return None,
    };
    words(Finding::new(&CAUSE, certainty).because([killing.evidence()]).because(short))
}

/// Returns what the node itself says of its disk.
fn node_evidence(facts: &Facts<'_>) -> Vec<Evidence> {
    let pressure = facts.node().present().filter(|node| node::is(node, "DiskPressure"));
    let mut all: Vec<_> =
        pressure.and_then(|node| node::condition_evidence(node, "DiskPressure")).into_iter().collect();
    let Some(name) = facts.pod().and_then(|pod| pod.node_name()) else { return all };
    let recent =
        |event: &&crate::facts::Event| event.last.is_none_or(|last| facts.since(last) < SignedDuration::from_hours(1));
    let says = |event: &&crate::facts::Event| {
        matches!(event.reason.as_str(), "FreeDiskSpaceFailed" | "ImageGCFailed")
            && !event.text().contains("invalid capacity")
            || (event.reason == "EvictionThresholdMet" && event.text().contains("ephemeral-storage"))
            || kernel::no_space(event.text()) == Some(NoSpace::Disk)
    };
    all.extend(facts.world.node_events(name).filter(recent).filter(says).last().map(crate::facts::Event::evidence));
    all
}

fn fixes(node: &str, finding: Finding) -> Finding {
    finding
        .fix(
            Fix::safe(Words::new(
                format!("See what fills it (run this on node `{node}`): space and inodes of the runtime's and the kubelet's disk."),
                format!("查看占用（在节点 `{node}` 上执行）：运行时和 kubelet 所在磁盘的空间和 inode。"),
            ))
            .command("df -h; df -i; crictl stats"),
        )
        .fix(
            Fix::careful(Words::new(
                "Remove images that no container uses (run this on the node). They are pulled again when needed.",
                "删除没有容器使用的镜像（在节点上执行）。需要时会重新拉取。",
            ))
            .command("crictl rmi --prune"),
        )
        .fix(
            Fix::careful(Words::new(
                "Keep new pods away until it is solved; then grow the disk or drain the node.",
                "先封锁节点避免新的 Pod 调度上来；再扩容磁盘或驱逐节点。",
            ))
            .command(format!("kubectl cordon {}", kubectl::quoted(node))),
        )
        .remedy(Remedy::CordonNode)
}

#[cfg(test)]
mod tests {
    use crate::diagnosis::Certainty;
    use crate::diagnosis::causes::creating::step::tests::{APP, CREATING, causes, diagnose, event, pod};

    #[test]
    fn the_runtimes_folder_cannot_be_made() {
        let text = "(combined from similar events): Failed create pod sandbox: rpc error: code = Unknown desc = failed to create a sandbox for pod \"web\": Error response from daemon: mkdir /var/lib/docker/aufs/mnt/1f09-init: no space left on device";
        let diagnosis = diagnose(&(pod(APP, CREATING) + &event("FailedCreatePodSandBox", 8, text)));
        let found = diagnosis.answer().unwrap();
        assert_eq!((found.cause.id, found.certainty), ("container-disk-full", Certainty::Confirmed));
    }

    #[test]
    fn cgroups_that_are_used_up_are_another_cause() {
        let text = "unable to ensure pod container exists: failed to create container for [kubepods burstable podu1] : mkdir /sys/fs/cgroup/memory/kubepods/burstable/podu1: no space left on device";
        let found = causes(&(pod(APP, CREATING) + &event("FailedCreatePodContainer", 8, text)));
        assert_eq!(found.first(), Some(&"cgroup-leak"));
        assert!(!found.contains(&"container-disk-full"));
    }

    #[test]
    fn a_pod_that_is_killed_for_hours_on_a_node_short_of_disk() {
        let yaml = "
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: shop, uid: u1, creationTimestamp: '2026-01-01T08:00:00Z', deletionTimestamp: '2026-01-01T09:00:00Z', deletionGracePeriodSeconds: 30}
spec: {nodeName: n1, containers: [{name: app, image: a}]}
status: {phase: Running}
---
apiVersion: v1
kind: Node
metadata: {name: n1}
status: {conditions: [{type: Ready, status: 'True'}, {type: DiskPressure, status: 'True'}]}
"
        .to_owned()
            + &event("Killing", 9, "Killing container with id docker://app:Need to kill Pod").replace("count: 3", "count: 735");
        let diagnosis = diagnose(&yaml);
        assert!(
            diagnosis.findings.iter().any(|f| f.cause.id == "container-disk-full" && f.certainty == Certainty::Likely)
        );
    }
}
