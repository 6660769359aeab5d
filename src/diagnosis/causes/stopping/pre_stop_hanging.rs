//! The preStop hook eats the grace period.

use super::Stopping;
use crate::diagnosis::cause::{Cause, Page, Phase};
use crate::diagnosis::finding::{Finding, Fix};
use crate::diagnosis::kubectl::{edit, logs};
use crate::diagnosis::words::{Text, Words};
use crate::facts::{ContainerView, Facts};
use jiff::SignedDuration;

pub static CAUSE: Cause = Cause {
    id: "pre-stop-hanging",
    phases: &[Phase::Stopping],
    guide: &[],
    page: Page {
        title: Text { en: "The preStop hook does not come to its end", zh: "preStop 钩子迟迟不结束" },
        what: Text {
            en: "Before a container gets SIGTERM its preStop hook runs, inside the grace period. A hook that sleeps, waits for \
                 something that never comes, or calls a port that is closed already takes all of it; then the container gets a \
                 few seconds more and is killed.",
            zh: "容器收到 SIGTERM 之前会先运行 preStop 钩子，它计入宽限期。钩子若在 sleep、等待不会发生的事，或调用已关闭的端口，就会耗尽 \
                 宽限期；随后容器只剩几秒便被杀死。",
        },
        tell: Text {
            en: "One Killing event, containers still running late in or after the grace period, and a preStop hook in the spec. A \
                 hook that hangs leaves no event; one that fails leaves FailedPreStopHook and does not delay. Without a hook it \
                 is the process that ignores SIGTERM.",
            zh: "只有一次 Killing 事件，宽限期将尽或已过而容器仍在运行，且 spec 中有 preStop。卡住的钩子没有事件；失败的钩子会留下 \
                 FailedPreStopHook 且不会拖延。没有钩子时，则是进程忽略了 SIGTERM。",
        },
        fix: Text {
            en: "Give the hook an end of its own, well below terminationGracePeriodSeconds, or make the grace period as long as \
                 draining really takes. The pod goes by itself when the grace period is over.",
            zh: "让钩子在远小于 terminationGracePeriodSeconds 的时间内结束，或把宽限期设为真正需要的时长。宽限期结束后 Pod 会自行消失。",
        },
        sources: &["kubernetes.io/docs/concepts/containers/container-lifecycle-hooks"],
    },
    check,
};

/// A hook that has run for this long is worth telling, whatever the grace period.
const LONG: SignedDuration = SignedDuration::from_mins(1);

fn check(facts: &Facts<'_>) -> Option<Finding> {
    let stopping = Stopping::of(facts)?;
    let container = stopping.pod.containers().find(|c| c.is_running() && hook(*c).is_some())?;
    let hook = hook(container)?;
    let ran = facts.since(stopping.asked);
    let grace = stopping.pod.grace();
    // A failed hook does not delay; within its time a hook does what it is for.
    let failed = stopping
        .pod
        .events_seen(facts.world)
        .any(|e| e.reason == "FailedPreStopHook" && e.last >= Some(stopping.asked));
    if failed || (ran < grace && ran < LONG.min(grace)) || stopping.was_begun(facts) == Some(false) {
        return None;
    }
    let endless = sleeps(&hook).is_some_and(|seconds| seconds >= grace.as_secs());
    // A short sleep that should be over does not explain a pod that still stands there.
    if let Some(seconds) = sleeps(&hook)
        && seconds + 15 < ran.as_secs()
    {
        return None;
    }
    let finding = match (endless, stopping.overdue.is_negative()) {
        (true, _) => Finding::confirmed(&CAUSE),
        (false, false) => Finding::likely(&CAUSE),
        (false, true) => Finding::possible(&CAUSE),
    };
    let (name, grace) = (container.name(), grace.as_secs());
    finding
        .in_container(container)
        .because([container.setting("lifecycle.preStop", &hook), stopping.evidence()])
        .explains(&["sigterm-ignored"])
        .says(
            format!("The preStop hook of `{name}` has not ended after {} s and eats the grace period of {grace} s.", ran.as_secs()),
            format!("`{name}` 的 preStop 钩子运行 {} 秒仍未结束，耗尽了 {grace} 秒的宽限期。", ran.as_secs()),
        )
        .fix(Fix::safe(Words::new(
            "Wait: when the grace period is over, the kubelet kills the container and the pod goes.",
            "等待：宽限期结束后 kubelet 会杀死容器，Pod 随之消失。",
        )))
        .fix(
            Fix::careful(Words::new(
                format!("Make the hook end well within {grace} s (a timeout around what it waits for), or raise terminationGracePeriodSeconds."),
                format!("让钩子在远小于 {grace} 秒内结束（给等待加超时），或调大 terminationGracePeriodSeconds。"),
            ))
            .command(edit(&facts.workload())),
        )
        .fix(Fix::safe(Words::new("See what the container says meanwhile.", "查看容器此时的日志。")).command(logs(facts, name, false)))
        .some()
}

/// Returns the hook in a line.
fn hook(container: ContainerView<'_>) -> Option<String> {
    let handler = container.spec.lifecycle.as_ref()?.pre_stop.as_ref()?;
    if let Some(exec) = &handler.exec {
        return Some(format!("exec {}", exec.command.clone().unwrap_or_default().join(" ")));
    }
    if let Some(sleep) = &handler.sleep {
        return Some(format!("sleep {}", sleep.seconds));
    }
    handler.http_get.as_ref().map(|get| format!("httpGet {}", get.path.clone().unwrap_or_default()))
}

/// Returns the seconds of the longest plain sleep in a hook.
fn sleeps(hook: &str) -> Option<i64> {
    let words: Vec<&str> = hook.split(|c: char| c.is_whitespace() || matches!(c, ';' | '&' | '"' | '\'')).collect();
    words
        .windows(2)
        .filter(|pair| pair[0] == "sleep" || pair[0].ends_with("/sleep"))
        .filter_map(|pair| match pair[1] {
            "infinity" | "inf" => Some(i64::MAX),
            text => text.trim_end_matches('s').parse().ok(),
        })
        .max()
}

#[cfg(test)]
mod tests {
    use crate::diagnosis::causes::stopping::testing::{RUNNING, event, ids, stopping};

    fn with_hook(command: &str) -> String {
        let hook = format!(r#", lifecycle: {{preStop: {{exec: {{command: [sh, -c, "{command}"]}}}}}}"#);
        stopping("", &hook, RUNNING, &event("Killing", "10:00:00", "Stopping container app"))
    }

    #[test]
    fn a_hook_that_sleeps_longer_than_the_grace_period() {
        assert_eq!(ids(&with_hook("sleep 999"), "10:00:40").first(), Some(&"pre-stop-hanging"));
    }

    #[test]
    fn a_short_hook_within_its_time() {
        assert!(!ids(&with_hook("sleep 5"), "10:00:10").contains(&"pre-stop-hanging"));
        assert!(!ids(&with_hook("sleep 5"), "10:02:00").contains(&"pre-stop-hanging"), "its sleep is long over");
    }
}
