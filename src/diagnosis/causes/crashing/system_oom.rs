//! The node ran out of memory, and the kernel chose this container's process.

use super::{Death, deaths, named, times};
use crate::diagnosis::cause::{Cause, Page, Phase};
use crate::diagnosis::finding::{Certainty, Finding, Fix};
use crate::diagnosis::kubectl;
use crate::diagnosis::words::{Text, Words};
use crate::facts::reading::exit;
use crate::facts::reading::text::between;
use crate::facts::{Event, Evidence, Facts, node};
use jiff::SignedDuration;

pub static CAUSE: Cause = Cause {
    id: "system-oom",
    phases: &[Phase::Crashing],
    guide: &["CrashLoopBackOff/系统 OOM"],
    page: Page {
        title: Text {
            en: "Killed since the node ran out of memory", zh: "节点内存耗尽，进程被系统 OOM 杀死"
        },
        what: Text {
            en: "The node as a whole had no memory left, so the kernel killed a process: first those that use far more than \
                 they request, and pods without requests before all. The container's own limit was not the reason.",
            zh: "整个节点内存耗尽，内核选择进程杀死：用量远超 request 的优先，没有 request 的 Pod 最先。与容器自身的 limit 无关。",
        },
        tell: Text {
            en: "Exit 137 at the very time of a node event `SystemOOM`, or `OOMKilling` with \"Out of memory: Killed \
                 process\" (\"Memory cgroup out of memory\" means the container's own limit). `OOMKilled` without any limit \
                 means the node too.",
            zh: "以 137 退出，且同一时刻节点有 `SystemOOM` 事件，或 `OOMKilling` 事件内容为 “Out of memory: Killed process”\
                 （“Memory cgroup out of memory” 则是容器自身 limit）。没有 limit 却 `OOMKilled` 也是节点内存不足。",
        },
        fix: Text {
            en: "Give pods honest memory requests, so that the scheduler does not overfill the node; move load away or add nodes.",
            zh: "给 Pod 设置真实的内存 request，避免调度器塞满节点；迁移负载或扩容节点。",
        },
        sources: &[
            "https://kubernetes.io/docs/concepts/scheduling-eviction/node-pressure-eviction/#node-out-of-memory-behavior",
            "https://github.com/kubernetes/node-problem-detector/blob/master/config/kernel-monitor.json",
        ],
    },
    check,
};

fn check(facts: &Facts<'_>) -> Option<Finding> {
    deaths(facts).iter().find_map(|death| killed(facts, death))
}

fn killed<'w>(facts: &Facts<'w>, death: &Death<'w>) -> Option<Finding> {
    let end = &death.end;
    let event = event_at(facts, death);
    let oom = end.reason == "OOMKilled";
    let limited = death.container.memory_limit_text().is_some()
        || death
            .container
            .pod
            .spec()
            .and_then(|s| s.resources.as_ref())
            .is_some_and(|r| r.limits.as_ref().is_some_and(|l| l.contains_key("memory")));
    let pressed = facts.node().present().is_some_and(|n| node::is(n, "MemoryPressure"));
    let short = shortage(facts, death);
    let certainty = match event {
        Some(event) if names_victim(event, death) => Certainty::Confirmed,
        Some(_) if oom || pressed => Certainty::Confirmed,
        Some(_) => Certainty::Likely,
        None if oom
            && !limited
            && death.killed_by_probe(facts.world).is_none()
            && end.exit_code != exit::TERMINATED =>
        {
            Certainty::Likely
        }
        // The node told at that very time that its memory ran out; with a limit of its own it may have been that.
        None if short.is_some() && !limited => Certainty::Likely,
        None if short.is_some() => Certainty::Possible,
        None => return None,
    };
    let ((en, zh), (times_en, times_zh)) = (named(death.container), times(death.container));
    let on = death.container.pod.node_name().unwrap_or_default();
    let mut finding = Finding::new(&CAUSE, certainty)
        .in_container(death.container)
        .says(
            format!("Node {on} ran out of memory and the kernel killed {en} to free some{times_en}."),
            format!("节点 {on} 内存耗尽，内核杀死了 {zh}{times_zh}。"),
        )
        .because(event.map(Event::evidence))
        .because(death.evidence())
        .because(short)
        .fix(
            Fix::safe(Words::new("See what uses the node's memory.", "查看该节点的内存被谁占用。"))
                .command(format!("kubectl get pods -A -o wide --field-selector spec.nodeName={}", kubectl::quoted(on))),
        );
    if let Some(evidence) =
        facts.node().present().and_then(|n| node::condition_evidence(n, "MemoryPressure")).filter(|_| pressed)
    {
        finding = finding.because([evidence]);
    }
    match death.container.request("memory") {
        None => {
            finding = finding.because([death.container.setting("resources.requests.memory", "(none)")]).fix(Fix::careful(Words::new(
                "Set a memory request that is as large as its usual use: without one it is the first to be killed. Rolls the pods.",
                "设置与实际用量相当的内存 request：没有 request 会最先被杀。会滚动重建 Pod。",
            )).command(kubectl::edit(&facts.workload())));
        }
        Some(_) => {
            finding = finding.fix(
                Fix::careful(Words::new(
                    "Keep new pods off the node until it has room again; the running ones stay.",
                    "在节点恢复之前先停止向其调度新的 Pod（已运行的不受影响）。",
                ))
                .command(format!("kubectl cordon {}", kubectl::quoted(on))),
            );
        }
    }
    finding
        .explains(&[
            "cgroup-oom",
            "init-container-failing",
            "app-exit-error",
            "killed-by-outsider",
            "liveness-probe-killing",
        ])
        .some()
}

/// Returns the node's word that it was short of memory when something that nobody owns to killed the container.
fn shortage(facts: &Facts<'_>, death: &Death<'_>) -> Option<Evidence> {
    let end = &death.end;
    if end.exit_code != exit::KILLED || end.reason != "Error" || !death.by_itself(facts.world) {
        return None;
    }
    let (name, finished) = (death.container.pod.node_name()?, end.finished?);
    let near = |at: jiff::Timestamp| at.duration_since(finished).abs() <= SignedDuration::from_mins(5);
    let event = facts.world.node_events(name).find(|event| {
        let about = event.reason == "NodeHasInsufficientMemory"
            || (event.reason == "EvictionThresholdMet" && event.text().contains("memory"));
        let around = event.first.zip(event.last).is_some_and(|(first, last)| first <= finished && last >= finished);
        about && (around || event.last.is_some_and(near) || event.first.is_some_and(near))
    });
    event.map(Event::evidence).or_else(|| {
        let node = facts.node().present().filter(|node| node::is(node, "MemoryPressure"))?;
        let since = node::condition(node, "MemoryPressure")?.last_transition_time.as_ref()?.0;
        (since <= finished || near(since)).then(|| node::condition_evidence(node, "MemoryPressure")).flatten()
    })
}

/// Returns the node's event that says the whole node was out of memory at the time of the end.
///
/// Sources: kubelet `pkg/kubelet/oom` (`SystemOOM`, for the root cgroup only), node-problem-detector (`OOMKilling`).
pub(super) fn event_at<'w>(facts: &Facts<'w>, death: &Death<'w>) -> Option<&'w Event> {
    if !(death.end.reason == "OOMKilled" || (death.end.exit_code == exit::KILLED && death.end.reason == "Error")) {
        return None;
    }
    // A probe's kill that took the whole grace ends with 137 as well.
    if death.killed_by_probe(facts.world).is_some() {
        return None;
    }
    let (node, finished) = (death.container.pod.node_name()?, death.end.finished?);
    let of_node: Vec<&Event> = facts.world.node_events(node).filter(|event| is_system_oom(event)).collect();
    let near = |event: &&&Event| {
        let last = event.last.is_some_and(|last| last.duration_since(finished).abs() <= SignedDuration::from_secs(15));
        // Repeated kills are one event: any time between its first and its last may be this one's.
        let within =
            event.count > 1 && event.first.is_some_and(|f| f <= finished) && event.last.is_some_and(|l| l >= finished);
        last || within
    };
    let found = of_node.iter().filter(near);
    found.clone().find(|event| names_victim(event, death)).or_else(|| found.clone().next_back()).copied()
}

fn is_system_oom(event: &Event) -> bool {
    let text = event.text().to_ascii_lowercase();
    event.reason == "SystemOOM"
        || (!text.contains("memory cgroup")
            && (text.contains("out of memory: kill") || text.contains("system oom encountered")))
}

/// Returns true where the event's victim is called as the container's program is.
fn names_victim(event: &Event, death: &Death<'_>) -> bool {
    let text = event.text();
    let victim = between(text, "victim process: ", ",").or_else(|| between(text, "(", ")")).unwrap_or_default().trim();
    let spec = death.container.spec;
    let program =
        |path: &str| path.rsplit('/').next().is_some_and(|name| name.starts_with(victim) || victim.starts_with(name));
    victim.len() >= 2
        && (spec.command.iter().flatten().take(1).any(|c| program(c))
            || spec.args.iter().flatten().any(|c| c.split_whitespace().any(|w| w.len() > 2 && program(w)))
            || spec.name.contains(victim)
            || death.container.image().split([':', '@']).next().is_some_and(|image| image.contains(victim)))
}

#[cfg(test)]
mod tests {
    use crate::diagnosis::Certainty;
    use crate::diagnosis::testing::diagnose_pod;

    const POD: &str = r#"
kind: Pod
metadata: {namespace: shop, name: web-1, creationTimestamp: "2026-01-01T00:00:00Z"}
spec: {nodeName: n1, containers: [{name: app, image: app, command: [java, -jar, a.jar]}]}
status:
  phase: Running
  containerStatuses:
  - {name: app, restartCount: 2, ready: false, image: app, imageID: "", state: {waiting: {reason: CrashLoopBackOff, message: x}},
     lastState: {terminated: {reason: Error, exitCode: 137, startedAt: "2026-01-01T09:00:00Z", finishedAt: "2026-01-01T09:05:00Z"}}}
---
kind: Event
metadata: {namespace: default, name: e1}
involvedObject: {kind: Node, name: n1}
reason: REASON
message: "MESSAGE"
firstTimestamp: "2026-01-01T09:05:01Z"
lastTimestamp: "2026-01-01T09:05:01Z"
"#;

    #[test]
    fn the_node_says_so() {
        for (reason, message) in [
            ("SystemOOM", "System OOM encountered, victim process: java, pid: 4121"),
            ("OOMKilling", "Out of memory: Killed process 4121 (java) total-vm:8123456kB, anon-rss:4123456kB"),
        ] {
            let yaml = POD.replace("REASON", reason).replace("MESSAGE", message);
            let diagnosis = diagnose_pod(&yaml, "shop/web-1", "2026-01-01T09:06:00Z");
            let answer = diagnosis.answer().unwrap();
            assert_eq!((answer.cause.id, answer.certainty), ("system-oom", Certainty::Confirmed));
        }
    }

    #[test]
    fn a_cgroup_kill_is_not_the_nodes() {
        let yaml = POD
            .replace("REASON", "OOMKilling")
            .replace("MESSAGE", "Memory cgroup out of memory: Killed process 4121 (java)");
        let diagnosis = diagnose_pod(&yaml, "shop/web-1", "2026-01-01T09:06:00Z");
        assert!(diagnosis.findings.iter().all(|f| f.cause.id != "system-oom"));
    }

    #[test]
    fn a_node_short_of_memory_at_that_time_is_the_likely_killer() {
        let told = |reason: &str, message: &str, spec: &str| {
            let yaml = POD.replace("REASON", reason).replace("MESSAGE", message).replace("[java, -jar, a.jar]", spec);
            let diagnosis = diagnose_pod(&yaml, "shop/web-1", "2026-01-01T09:06:00Z");
            diagnosis.findings.iter().find(|f| f.cause.id == "system-oom").map(|f| f.certainty)
        };
        let threshold = "Attempting to reclaim memory";
        assert_eq!(told("EvictionThresholdMet", threshold, "[java]"), Some(Certainty::Likely));
        let limited = "[java], resources: {limits: {memory: 1Gi}}";
        assert_eq!(told("EvictionThresholdMet", threshold, limited), Some(Certainty::Possible));
        assert_eq!(told("EvictionThresholdMet", "Attempting to reclaim ephemeral-storage", "[java]"), None);
    }
}
