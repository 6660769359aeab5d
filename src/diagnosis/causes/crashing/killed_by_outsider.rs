//! Something killed the process that is neither the kernel's OOM killer nor the kubelet.

use super::{Death, capital, deaths, events_cover, named, read_the_log, times};
use crate::diagnosis::cause::{Cause, Page, Phase};
use crate::diagnosis::finding::{Certainty, Finding, Fix};
use crate::diagnosis::words::{Text, Words};
use crate::facts::reading::exit;
use crate::facts::{Evidence, Facts};
use jiff::SignedDuration;

pub static CAUSE: Cause = Cause {
    id: "killed-by-outsider",
    phases: &[Phase::Crashing],
    guide: &["健康检查失败/容器进程被木马进程杀死"],
    page: Page {
        title: Text { en: "Killed by something outside Kubernetes", zh: "进程被 Kubernetes 之外的东西杀死" },
        what: Text {
            en: "The process got SIGKILL or SIGTERM, and neither the OOM killer nor the kubelet sent it. What is left: a security \
                 agent or another tool on the node, malware, a person, another container of the pod that shares its processes, or \
                 the program itself.",
            zh: "进程收到 SIGKILL 或 SIGTERM，但既不是 OOM killer 也不是 kubelet 发出的。剩下的可能：节点上的安全软件或其他工具、\
                 木马进程、人工操作、共享进程命名空间的其他容器，或程序自己。",
        },
        tell: Text {
            en: "Exit 137 or 143, reason `Error`, and the events of the pod and of its node were read, are young enough, and hold no \
                 `Killing`, no failed liveness probe, no OOM, no reboot. Without those events nothing can be said.",
            zh: "退出码 137 或 143、原因 `Error`，且已读到足够新的 Pod 与节点事件，其中没有 `Killing`、存活检查失败、OOM、重启。\
                 没有这些事件则无法判断。",
        },
        fix: Text {
            en: "Trace who sends the signal on the node (audit rule on kill, bpftrace, SystemTap), and check the node for malware.",
            zh: "在节点上追踪发信号者（针对 kill 的 audit 规则、bpftrace 或 SystemTap），并排查木马。",
        },
        sources: &["https://man7.org/linux/man-pages/man8/auditctl.8.html"],
    },
    check,
};

fn check(facts: &Facts<'_>) -> Option<Finding> {
    deaths(facts).iter().find_map(|death| killed(facts, death))
}

fn killed(facts: &Facts<'_>, death: &Death<'_>) -> Option<Finding> {
    let code = death.end.exit_code;
    if !matches!(code, exit::KILLED | exit::TERMINATED) || death.end.reason != "Error" || !death.by_itself(facts.world)
    {
        return None;
    }
    let (node, finished) = (death.container.pod.node_name()?, death.end.finished?);
    let near = |then: Option<jiff::Timestamp>| {
        then.is_some_and(|t| t.duration_since(finished).abs() <= SignedDuration::from_mins(3))
    };
    // Known: a reboot, a kubelet or runtime that started anew, a shutdown, any OOM of the node.
    let upheaval = facts.world.node_events(node).any(|event| {
        matches!(
            event.reason.as_str(),
            "Rebooted"
                | "Shutdown"
                | "NodeShutdown"
                | "SystemOOM"
                | "OOMKilling"
                | "Starting"
                | "NodeNotReady"
                | "EvictionThresholdMet"
        ) && near(event.last)
    });
    let sandbox =
        death.container.pod.events_seen(facts.world).any(|event| event.reason == "SandboxChanged" && near(event.last));
    if upheaval || sandbox {
        return None;
    }
    let of_node = ["", "default"].iter().any(|ns| !facts.world.events("Node", ns, node).is_unreadable());
    let shared = death.container.pod.spec().and_then(|spec| spec.share_process_namespace) == Some(true);
    // The runtime can miss an OOM kill (reason Error): where there is a limit, only the node's events could tell.
    let certainty = if events_cover(facts, death) && of_node { Certainty::Likely } else { Certainty::Possible };
    let ((en, zh), (times_en, times_zh)) = (named(death.container), times(death.container));
    let signal = if code == exit::KILLED { "SIGKILL" } else { "SIGTERM" };
    let doubt = certainty == Certainty::Possible;
    let (en_more, zh_more) = if doubt {
        ("; the events that would tell whose it was cannot be seen", "；能说明来源的事件已看不到")
    } else {
        (", and neither the kubelet nor the OOM killer sent it", "，且不是 kubelet 或 OOM killer 发出的")
    };
    Finding::new(&CAUSE, certainty)
        .in_container(death.container)
        .says(
            format!("{} was ended by {signal} (exit code {code}){en_more}{times_en}.", capital(&en)),
            format!("{zh} 被 {signal} 结束（退出码 {code}）{zh_more}{times_zh}。"),
        )
        .because(death.evidence())
        .because(shared.then(|| Evidence::field("pod.spec.shareProcessNamespace", "true", None)))
        .fix(read_the_log(facts, death.container))
        .fix(Fix::careful(Words::new(
            format!("On node {node}, record who sends the signal: `auditctl -a always,exit -F arch=b64 -S kill,tkill,tgkill -k whokills`, then \
                     `ausearch -k whokills`. Costs a little; take the rule out afterwards."),
            format!("在节点 {node} 上记录发信号者：`auditctl -a always,exit -F arch=b64 -S kill,tkill,tgkill -k whokills`，之后用 \
                     `ausearch -k whokills` 查看。有少量开销，用完请删除规则。"),
        )))
        .some()
}

#[cfg(test)]
mod tests {
    use crate::diagnosis::Certainty;
    use crate::diagnosis::testing::diagnose_pod;

    const POD: &str = r#"
kind: Pod
metadata: {namespace: shop, name: web-1, creationTimestamp: "2026-01-01T00:00:00Z"}
spec: {nodeName: n1, containers: [{name: app, image: app}]}
status:
  phase: Running
  containerStatuses:
  - {name: app, restartCount: 2, ready: false, image: app, imageID: "", state: {waiting: {reason: CrashLoopBackOff}},
     lastState: {terminated: {reason: Error, exitCode: 137, startedAt: "2026-01-01T08:00:00Z", finishedAt: "2026-01-01T09:05:00Z"}}}
"#;
    const EVENTS: &str = r#"
---
kind: Event
metadata: {namespace: shop, name: e1}
involvedObject: {kind: Pod, namespace: shop, name: web-1, fieldPath: "spec.containers{app}"}
reason: BackOff
message: Back-off restarting failed container
lastTimestamp: "2026-01-01T09:05:10Z"
---
kind: Event
metadata: {namespace: default, name: e2}
involvedObject: {kind: Node, name: n1}
reason: NODE
message: x
lastTimestamp: "2026-01-01T09:04:58Z"
"#;

    #[test]
    fn nobody_known_did_it() {
        let yaml = format!("{POD}{}", EVENTS.replace("NODE", "NodeHasSufficientMemory"));
        let diagnosis = diagnose_pod(&yaml, "shop/web-1", "2026-01-01T09:06:00Z");
        let answer = diagnosis.answer().unwrap();
        assert_eq!((answer.cause.id, answer.certainty), ("killed-by-outsider", Certainty::Likely));
    }

    #[test]
    fn without_events_nothing_is_sure_and_a_reboot_explains_it() {
        let diagnosis = diagnose_pod(POD, "shop/web-1", "2026-01-01T09:06:00Z");
        assert_eq!(diagnosis.answer().unwrap().certainty, Certainty::Possible);
        let rebooted = format!("{POD}{}", EVENTS.replace("NODE", "Rebooted"));
        let diagnosis = diagnose_pod(&rebooted, "shop/web-1", "2026-01-01T09:06:00Z");
        assert!(diagnosis.findings.iter().all(|f| f.cause.id != "killed-by-outsider"));
    }
}
