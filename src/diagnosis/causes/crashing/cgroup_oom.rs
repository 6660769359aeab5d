//! The kernel killed a container's process since the container reached its own memory limit.

use super::{Death, capital, deaths, events_cover, named, probe_of, read_the_log, start_failure, system_oom, times};
use crate::diagnosis::cause::{Cause, Page, Phase};
use crate::diagnosis::finding::{Certainty, Finding, Fix, Remedy};
use crate::diagnosis::kubectl;
use crate::diagnosis::words::{Text, Words};
use crate::facts::reading::exit;
use crate::facts::reading::probe::Kind;
use crate::facts::reading::runtime::StartFailure;
use crate::facts::{ContainerView, Event, Evidence, Facts, Workload, quantity};
use jiff::SignedDuration;

pub static CAUSE: Cause = Cause {
    id: "cgroup-oom",
    phases: &[Phase::Crashing],
    guide: &["CrashLoopBackOff/cgroup OOM"],
    page: Page {
        title: Text {
            en: "Killed for reaching its memory limit", zh: "超过自身内存 limit 被杀（cgroup OOM）"
        },
        what: Text {
            en: "The container used as much memory as its limit allows, and the kernel killed a process in it. Either the \
                 limit is too small for the load, or the program leaks, or it does not know its limit (a JVM heap or a \
                 worker count sized by the node).",
            zh: "容器用到了自己的内存 limit，内核杀掉了其中的进程。要么 limit 对当前负载太小，要么程序内存泄漏，\
                 要么程序不知道自己的 limit（例如按节点大小设置 JVM 堆或 worker 数）。",
        },
        tell: Text {
            en: "`OOMKilled` as the reason, with exit code 137, or with the parent's own code where only a child was killed. \
                 With exit 143 after a failed liveness probe it is no OOM: some runtimes report an old kill. Without any \
                 limit it is the node that ran out of memory.",
            zh: "终止原因为 `OOMKilled`，退出码 137；若只有子进程被杀，则是父进程自己的退出码。存活检查失败后以 143 退出的\
                 `OOMKilled` 不是 OOM（运行时报告的是旧计数）。完全没有 limit 时是节点内存不足。",
        },
        fix: Text {
            en: "Raise the limit if the use is legitimate; otherwise find the leak or tell the program its limit.",
            zh: "若内存使用合理则调大 limit；否则排查泄漏，或让程序感知自己的 limit。",
        },
        sources: &[
            "https://kubernetes.io/docs/tasks/configure-pod-container/assign-memory-resource/",
            "https://github.com/kubernetes/kubernetes/issues/140716",
        ],
    },
    check,
};

fn check(facts: &Facts<'_>) -> Option<Finding> {
    deaths(facts).iter().find_map(|death| killed(facts, death)).or_else(|| full_tmpfs(facts))
}

fn killed<'w>(facts: &Facts<'w>, death: &Death<'w>) -> Option<Finding> {
    let end = &death.end;
    // The node ran out of memory, not the container: that is another cause.
    if system_oom::event_at(facts, death).is_some() {
        return None;
    }
    let limit = memory_limit(death.container);
    let certainty = match (end.reason == "OOMKilled", end.exit_code) {
        // Asked to end (a failed probe, a deletion): the reason comes from a counter that also knows older kills.
        (true, exit::TERMINATED | 0) if death.killed_by_probe(facts.world).is_some() => return None,
        (true, exit::TERMINATED) => Certainty::Possible,
        // Grace over after a failed probe: SIGKILL either way.
        (true, exit::KILLED) if death.killed_by_probe(facts.world).is_some() => Certainty::Likely,
        (true, _) if limit.is_some() => Certainty::Confirmed,
        // No limit anywhere: only the node's memory can have been short.
        (true, _) => return None,
        // The runtime can miss the kernel's word (containerd below 2.3): then only the node's events know it.
        (false, exit::KILLED) if end.reason == "Error" && limit.is_some() => {
            let probed =
                [Kind::Liveness, Kind::Startup].into_iter().any(|kind| probe_of(death.container, kind).is_some());
            match oom_event(facts, death) {
                Some(_) => Certainty::Likely,
                // Whatever killed it, the events that would tell are gone.
                None if !probed && !events_cover(facts, death) && death.by_itself(facts.world) => Certainty::Possible,
                None => return None,
            }
        }
        (false, _) => return None,
    };
    let missed = oom_event(facts, death).filter(|_| end.reason != "OOMKilled");
    let evidence = missed
        .map(Event::evidence)
        .into_iter()
        .chain(death.evidence())
        .chain(limit.as_ref().map(|(_, evidence)| evidence.clone()));
    let limit = limit.map(|(text, _)| text);
    let finding = told(facts, death.container, certainty, limit.as_deref()).because(evidence);
    if end.reason == "Error" && certainty == Certainty::Possible {
        let ((en, zh), limit) = (named(death.container), limit.unwrap_or_default());
        return finding
            .says(
                format!("{} was killed (exit code 137); it may have reached its memory limit of {limit}, but the events that would tell are gone.", capital(&en)),
                format!("{zh} 被强制杀死（退出码 137）；可能达到了内存 limit（{limit}），但能确认的事件已看不到。"),
            )
            .some();
    }
    let child = end.reason == "OOMKilled" && end.exit_code != exit::KILLED;
    if child && certainty != Certainty::Possible {
        let ((en, zh), limit, code) = (named(death.container), limit.unwrap_or_default(), end.exit_code);
        return finding
            .says(
                format!("A process in {en} was killed for reaching the memory limit of {limit}; the main process then ended with {code}."),
                format!("{zh} 中的子进程达到内存 limit（{limit}）被内核杀死，主进程随后以退出码 {code} 结束。"),
            )
            .some();
    }
    finding.some()
}

fn told(facts: &Facts<'_>, container: ContainerView<'_>, certainty: Certainty, limit: Option<&str>) -> Finding {
    let ((en, zh), (times_en, times_zh)) = (named(container), times(container));
    let limit = limit.unwrap_or("?");
    let mut finding = Finding::new(&CAUSE, certainty)
        .in_container(container)
        .says(
            format!("The kernel killed {en} for reaching its memory limit of {limit}{times_en}."),
            format!("{zh} 达到内存 limit（{limit}）被内核杀死{times_zh}。"),
        )
        .fix(read_the_log(facts, container));
    if let Some(more) = suggestion(limit) {
        finding = finding.fix(raise(&facts.workload(), container, limit, &more)).aims_at_memory(more);
    }
    finding.remedy(Remedy::RaiseMemoryLimit).explains(&[
        "init-container-failing",
        "app-exit-error",
        "app-exit-clean",
        "killed-by-outsider",
        "liveness-probe-killing",
        "startup-probe-killing",
        "sidecar-not-ready",
        "probe-port-closed",
    ])
}

fn raise(workload: &Workload, container: ContainerView<'_>, limit: &str, more: &str) -> Fix {
    if workload.kind != "Pod" {
        return Fix::careful(Words::new(
            format!("Raise the memory limit from {limit} to about {more}; the pods are rolled. If the use keeps growing, look for a leak instead."),
            format!("把内存 limit 从 {limit} 调大到约 {more}（会滚动重建 Pod）。若内存持续增长，应先排查泄漏。"),
        ))
        .command(kubectl::set_memory_limit(workload, container.name(), more));
    }
    // Nobody rolls a bare pod, and its settings are fixed, but for its resources (Kubernetes ≥1.33, in place).
    let patch = serde_json::json!({"spec": {"containers": [{"name": container.name(), "resources": {"limits": {"memory": more}}}]}});
    Fix::careful(Words::new(
        format!("Raise the memory limit from {limit} to about {more} in place (Kubernetes 1.33 or later; before that, make the pod anew)."),
        format!("原地把内存 limit 从 {limit} 调大到约 {more}（需 Kubernetes 1.33 及以上；更低版本需重建 Pod）。"),
    ))
    .command(kubectl::namespaced(
        &workload.namespace,
        &format!("patch pod {} --subresource resize --patch {}", kubectl::quoted(&workload.name), kubectl::quoted(&patch.to_string())),
    ))
}

/// A memory-backed emptyDir fills up: one OOM kill, and then no start fits any more, since its files outlive the
/// container and stay charged to the pod.
fn full_tmpfs(facts: &Facts<'_>) -> Option<Finding> {
    let pod = super::living_pod(facts)?;
    let volumes = pod.spec()?.volumes.as_deref().unwrap_or_default();
    let in_memory = |name: &str| {
        volumes
            .iter()
            .any(|v| v.name == name && v.empty_dir.as_ref().is_some_and(|dir| dir.medium.as_deref() == Some("Memory")))
    };
    pod.containers().find_map(|container| {
        let mount = container.spec.volume_mounts.as_deref()?.iter().find(|mount| in_memory(&mount.name))?;
        let (failure, evidence) = start_failure(facts, container)?;
        let (limit, limit_evidence) = memory_limit(container)?;
        // A limit of a few MiB does not suffice for any start: that is memory-limit-too-small.
        let fits = quantity::parse(&limit).is_some_and(|bytes| bytes >= 16.0 * 1024.0 * 1024.0);
        if failure != StartFailure::MemoryTooSmall || !fits || container.restarts() == 0 {
            return None;
        }
        let (en, zh) = named(container);
        let volume = &mount.name;
        told(facts, container, Certainty::Likely, Some(&limit))
            .says(
                format!("The in-memory volume `{volume}` has used up the memory limit of {limit} of {en}, so that it cannot even start any more."),
                format!("内存卷 `{volume}` 占满了 {zh} 的内存 limit（{limit}），容器已无法再启动。"),
            )
            .because([evidence, limit_evidence])
            .explains(&["memory-limit-too-small", "command-not-found"])
            .some()
    })
}

/// Returns the limit that holds the container: its own, or the pod's.
fn memory_limit(container: ContainerView<'_>) -> Option<(String, Evidence)> {
    if let Some((text, evidence)) = container.memory_limit_text() {
        return Some((text.to_owned(), evidence));
    }
    let of_pod = container.pod.spec()?.resources.as_ref()?.limits.as_ref()?.get("memory")?;
    Some((of_pod.0.clone(), Evidence::field("pod.spec.resources.limits.memory", &of_pod.0, None)))
}

/// Returns the node's event about a kill in a memory cgroup at the time of the end.
fn oom_event<'w>(facts: &Facts<'w>, death: &Death<'w>) -> Option<&'w Event> {
    let (node, finished) = (death.container.pod.node_name()?, death.end.finished?);
    let uid = death.container.pod.uid();
    facts
        .world
        .node_events(node)
        .filter(|event| event.text().to_ascii_lowercase().contains("memory cgroup out of memory"))
        .find(|event| {
            let near =
                event.last.is_some_and(|last| last.duration_since(finished).abs() <= SignedDuration::from_secs(10));
            near || (!uid.is_empty() && event.text().contains(uid))
        })
}

fn suggestion(limit: &str) -> Option<String> {
    const STEP: f64 = 64.0 * 1024.0 * 1024.0;
    let bytes = quantity::parse(limit).filter(|bytes| *bytes >= STEP / 4.0)?;
    let more = (bytes * 1.5 / STEP).ceil() * STEP;
    let mebi = more / (1024.0 * 1024.0);
    Some(if mebi % 1024.0 == 0.0 { format!("{}Gi", mebi / 1024.0) } else { format!("{mebi}Mi") })
}

#[cfg(test)]
mod tests {
    use crate::diagnosis::Certainty;
    use crate::diagnosis::testing::diagnose_pod;

    const POD: &str = r#"
kind: Pod
metadata: {namespace: shop, name: web-1, creationTimestamp: "2026-01-01T00:00:00Z", ownerReferences: [{apiVersion: apps/v1, kind: StatefulSet, name: web, uid: u, controller: true}]}
spec: {nodeName: n1, containers: [{name: app, image: app, resources: {limits: {memory: 256Mi}}, livenessProbe: {httpGet: {port: 80}}}]}
status:
  phase: Running
  containerStatuses:
  - {name: app, restartCount: 7, ready: false, image: app, imageID: "", state: {waiting: {reason: CrashLoopBackOff, message: x}},
     lastState: {terminated: {reason: OOMKilled, exitCode: CODE, startedAt: "2026-01-01T09:00:00Z", finishedAt: "2026-01-01T09:05:00Z"}}}
"#;

    #[test]
    fn a_limit_was_reached() {
        for code in ["137", "3", "0"] {
            let diagnosis = diagnose_pod(&POD.replace("CODE", code), "shop/web-1", "2026-01-01T09:06:00Z");
            let answer = diagnosis.answer().unwrap();
            assert_eq!((answer.cause.id, answer.certainty), ("cgroup-oom", Certainty::Confirmed), "exit {code}");
            assert!(answer.fixes.iter().any(|fix| fix.command.as_deref().is_some_and(|c| c.contains("memory=384Mi"))));
        }
    }

    #[test]
    fn a_container_that_a_probe_ended_was_not_out_of_memory() {
        let event = r#"
---
kind: Event
metadata: {namespace: shop, name: e1}
involvedObject: {kind: Pod, namespace: shop, name: web-1, fieldPath: "spec.containers{app}"}
reason: Killing
message: Container app failed liveness probe, will be restarted
firstTimestamp: "2026-01-01T09:04:58Z"
lastTimestamp: "2026-01-01T09:04:58Z"
"#;
        let diagnosis = diagnose_pod(&(POD.replace("CODE", "143") + event), "shop/web-1", "2026-01-01T09:06:00Z");
        assert_eq!(diagnosis.answer().unwrap().cause.id, "liveness-probe-killing");
        assert!(diagnosis.findings.iter().all(|f| f.cause.id != "cgroup-oom"));
    }
}
