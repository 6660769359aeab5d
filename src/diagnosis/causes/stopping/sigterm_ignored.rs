//! PID 1 does not pass on or heed SIGTERM, so each stop takes the whole grace period.

use super::Stopping;
use crate::diagnosis::cause::{Cause, Page, Phase};
use crate::diagnosis::finding::{Finding, Fix};
use crate::diagnosis::kubectl::edit;
use crate::diagnosis::words::{Text, Words};
use crate::facts::{ContainerView, Facts};
use jiff::SignedDuration;

pub static CAUSE: Cause = Cause {
    id: "sigterm-ignored",
    phases: &[Phase::Stopping],
    guide: &["Terminating 慢/bash -c"],
    page: Page {
        title: Text { en: "The process ignores SIGTERM", zh: "进程忽略 SIGTERM" },
        what: Text {
            en: "Kubernetes sends SIGTERM to process 1 of each container. A shell (`sh -c`, `bash -c`) does not pass it on to what \
                 it started, and a process 1 without a handler is not ended by it at all. So every stop and every rollout waits \
                 for the whole grace period, and then the process is killed without cleaning up.",
            zh: "Kubernetes 向每个容器的 1 号进程发送 SIGTERM。shell（`sh -c`、`bash -c`）不会把它转给自己启动的进程，没有处理函数的 1 号 \
                 进程也不会因它结束。于是每次停止和发布都要等满宽限期，然后进程未经清理就被杀死。",
        },
        tell: Text {
            en: "One Killing event and no preStop hook; the container runs on until the grace period is over and ends with 137, \
                 reason Error. A script with a trap for TERM, or one that ends in `exec`, is not this.",
            zh: "只有一次 Killing 事件，没有 preStop；容器一直运行到宽限期结束，以 137、原因 Error 结束。带有 TERM trap 或以 `exec` 结尾的脚本不属于此类。",
        },
        fix: Text {
            en: "Start the program with `exec` in the script (or as the command itself, without a shell), handle SIGTERM in it, or \
                 put tini or dumb-init in front.",
            zh: "在脚本中用 `exec` 启动程序（或不经 shell 直接作为命令），在程序中处理 SIGTERM，或在前面加 tini 或 dumb-init。",
        },
        sources: &["kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-termination"],
    },
    check,
};

/// Draining takes its time: before this nobody can tell it from a process that does not listen.
const DRAINING: SignedDuration = SignedDuration::from_mins(1);

fn check(facts: &Facts<'_>) -> Option<Finding> {
    let stopping = Stopping::of(facts)?;
    // Nobody confirms anything on a node that is silent, and a hook comes before the signal.
    if !stopping.node_is_fine(facts) || stopping.was_begun(facts) == Some(false) {
        return None;
    }
    // It has ended long since: what keeps the pod now is something that the text does not show.
    if facts.part().is_some() && stopping.all_ended && stopping.overdue > DRAINING {
        return None;
    }
    // After the grace period comes SIGKILL, which nobody ignores: what runs on for a minute was never killed.
    if !stopping.all_ended && stopping.overdue > DRAINING {
        return None;
    }
    let grace = stopping.pod.grace();
    let waited = facts.since(stopping.asked);
    let running = stopping.pod.app_containers().find(|c| c.is_running() && no_hook(*c));
    let killed = stopping.pod.app_containers().find(|c| {
        let end = c.end().filter(|end| end.exit_code == 137 && end.reason != "OOMKilled");
        end.and_then(|end| end.finished)
            .is_some_and(|at| at.duration_since(stopping.asked) + SignedDuration::from_secs(3) >= grace)
    });
    let (container, finding) = match (running, killed) {
        (_, Some(container)) if grace >= SignedDuration::from_secs(10) => (container, Finding::likely(&CAUSE)),
        (Some(container), _) if waited >= DRAINING.min(grace) => match script(container) {
            Some(_) => (container, Finding::likely(&CAUSE)),
            // The image's own entrypoint cannot be seen: past its time it fits, and so do others.
            None if !stopping.overdue.is_negative() && !handles(container) => (container, Finding::possible(&CAUSE)),
            None => return None,
        },
        _ => return None,
    };
    let (name, grace) = (container.name(), grace.as_secs());
    let evidence = script(container).map(|script| container.setting("command", script));
    finding
        .in_container(container)
        .because(evidence)
        .because(container.end().map(|end| end.evidence()))
        .because([stopping.evidence()])
        .says(
            format!("`{name}` does not heed SIGTERM: {} s after the delete it still has to be waited for, up to the grace period of {grace} s.", waited.as_secs()),
            format!("`{name}` 不理会 SIGTERM：删除 {} 秒后仍需等待，直到 {grace} 秒的宽限期结束。", waited.as_secs()),
        )
        .fix(Fix::safe(Words::new(
            format!("Wait: after {grace} s the kubelet kills it and the pod goes."),
            format!("等待：{grace} 秒后 kubelet 会将其杀死，Pod 随之消失。"),
        )))
        .fix(
            Fix::careful(Words::new(
                "Start the program with `exec`, without a shell in front, or under tini; let it handle SIGTERM.",
                "用 `exec` 启动程序、去掉前面的 shell，或置于 tini 之下；并让它处理 SIGTERM。",
            ))
            .command(edit(&facts.workload())),
        )
        .some()
}

fn no_hook(container: ContainerView<'_>) -> bool {
    container.spec.lifecycle.as_ref().is_none_or(|lifecycle| lifecycle.pre_stop.is_none())
}

/// Returns the script of a shell that is process 1 and will not pass the signal on.
fn script(container: ContainerView<'_>) -> Option<String> {
    let words: Vec<&str> = container
        .spec
        .command
        .iter()
        .flatten()
        .chain(container.spec.args.iter().flatten())
        .map(String::as_str)
        .collect();
    let shell = words.first()?.rsplit('/').next()?;
    if !matches!(shell, "sh" | "bash" | "ash" | "dash" | "zsh" | "ksh")
        || !words.iter().any(|word| matches!(*word, "-c" | "-ec" | "-lc" | "-ce" | "-xc" | "-exc"))
    {
        return None;
    }
    let script = words.last()?;
    (!handles(container)).then(|| script.to_string())
}

/// Returns true where the script traps the signal or hands process 1 over.
fn handles(container: ContainerView<'_>) -> bool {
    let words = container.spec.command.iter().flatten().chain(container.spec.args.iter().flatten());
    words.into_iter().any(|word| {
        word.contains("trap ") || word.contains("exec ") || word.contains("tini") || word.contains("dumb-init")
    })
}

#[cfg(test)]
mod tests {
    use crate::diagnosis::causes::stopping::testing::{RUNNING, event, ids, stopping};

    fn with_command(script: &str) -> String {
        let command = format!(r#", command: [sh, -c, "{script}"]"#);
        stopping("", &command, RUNNING, &event("Killing", "10:00:00", "Stopping container app"))
    }

    #[test]
    fn a_shell_as_process_one() {
        assert_eq!(ids(&with_command("while true; do sleep 1; done"), "10:00:31").first(), Some(&"sigterm-ignored"));
    }

    #[test]
    fn a_trap_and_an_exec_are_no_such_thing() {
        for script in ["trap 'exit 0' TERM; sleep 1", "exec java -jar app.jar"] {
            assert!(!ids(&with_command(script), "10:00:31").contains(&"sigterm-ignored"), "{script}");
        }
    }
}
