//! The program ends with 0 though it should stay.

use super::{capital, deaths, events_cover, named, probe_of, read_the_log, times};
use crate::diagnosis::cause::{Cause, Page, Phase};
use crate::diagnosis::finding::{Certainty, Finding, Fix};
use crate::diagnosis::kubectl;
use crate::diagnosis::words::{Text, Words};
use crate::facts::reading::probe::Kind;
use crate::facts::{ContainerView, Evidence, Facts, Role};

pub static CAUSE: Cause = Cause {
    id: "app-exit-clean",
    phases: &[Phase::Crashing],
    guide: &["CrashLoopBackOff/ExitCode"],
    page: Page {
        title: Text {
            en: "The program ends without an error, though it should stay",
            zh: "程序正常退出（退出码 0），但本应常驻",
        },
        what: Text {
            en: "The main process ended with 0, and restartPolicy Always starts it again, with growing pauses. Often nothing \
                 keeps it in the foreground: a shell without a terminal, a daemon that puts itself into the background, a task \
                 that is simply done.",
            zh: "主进程以 0 退出，而 restartPolicy 为 Always，于是被反复重启且间隔越来越长。常见原因：没有前台进程（无终端的 shell、\
                 自行转入后台的守护进程），或任务本来就执行完了。",
        },
        tell: Text {
            en: "Reason `Completed`, exit code 0, without a `Killing` event before it: a program that a failed liveness probe \
                 stops may end with 0 as well.",
            zh: "终止原因 `Completed`、退出码 0，且之前没有 `Killing` 事件：被存活检查停止的程序也可能以 0 退出。",
        },
        fix: Text {
            en: "Run the program in the foreground; for a task that is meant to end use a Job, or restartPolicy OnFailure.",
            zh: "让程序在前台运行；若任务本应结束，请使用 Job 或 restartPolicy OnFailure。",
        },
        sources: &["https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#restart-policy"],
    },
    check,
};

fn check(facts: &Facts<'_>) -> Option<Finding> {
    deaths(facts)
        .iter()
        .filter(|death| death.container.role == Role::App && death.end.exit_code == 0 && is_restarted(death.container))
        .filter(|death| death.by_itself(facts.world))
        .find_map(|death| {
            // Stopped for a probe, or for a start hook that failed, it would look the same once the event is gone.
            let could_be_killed = (has_start_hook(death.container)
                || [Kind::Liveness, Kind::Startup].into_iter().any(|kind| probe_of(death.container, kind).is_some()))
                && !events_cover(facts, death);
            let looping = death.container.is_crash_looping();
            let certainty = match (could_be_killed, looping) {
                (false, true) => Certainty::Confirmed,
                (false, false) => Certainty::Likely,
                (true, _) => Certainty::Possible,
            };
            let ((en, zh), (times_en, times_zh)) = (named(death.container), times(death.container));
            let words = death.last_words(facts.world);
            let command = death.container.spec.command.as_ref().map(|command| {
                Evidence::field(format!("{}.command", death.container.spec_path()), command.join(" "), None)
            });
            Finding::new(&CAUSE, certainty)
                .in_container(death.container)
                .says(
                    format!("{} ends without an error (exit code 0), though it is meant to stay{times_en}.", capital(&en)),
                    format!("{zh} 正常退出（退出码 0），但它本应一直运行{times_zh}。"),
                )
                .because(death.evidence())
                .because(command)
                .because(words.map(|words| words.line.evidence()))
                .fix(read_the_log(facts, death.container))
                .fix(
                    Fix::careful(Words::new(
                        "Run the program in the foreground (`nginx -g 'daemon off;'`, `exec` at a script's end), or make it a Job if \
                         it is a task that ends. Rolls the pods.",
                        "让程序在前台运行（如 `nginx -g 'daemon off;'`、脚本末尾用 `exec`）；若是会结束的任务，改用 Job。会滚动重建 Pod。",
                    ))
                    .command(kubectl::edit(&facts.workload())),
                )
                .explains(&["probe-port-closed", "probe-timeout"])
                .some()
        })
}

/// Returns true where a container that ends with 0 is started again.
fn is_restarted(container: ContainerView<'_>) -> bool {
    container.spec.restart_policy.as_deref().unwrap_or(container.pod.restart_policy()) == "Always"
}

fn has_start_hook(container: ContainerView<'_>) -> bool {
    container.spec.lifecycle.as_ref().is_some_and(|lifecycle| lifecycle.post_start.is_some())
}

#[cfg(test)]
mod tests {
    use crate::diagnosis::Certainty;
    use crate::diagnosis::testing::diagnose_pod;

    const POD: &str = r#"
kind: Pod
metadata: {namespace: shop, name: web-1, creationTimestamp: "2026-01-01T09:00:00Z"}
spec: {restartPolicy: POLICY, nodeName: n1, containers: [{name: app, image: app, command: [sh]}]}
status:
  phase: Running
  containerStatuses:
  - {name: app, restartCount: 1, ready: false, image: app, imageID: "",
     state: {terminated: {reason: Completed, exitCode: 0, startedAt: "2026-01-01T09:05:00Z", finishedAt: "2026-01-01T09:05:00Z"}}}
"#;

    #[test]
    fn nothing_keeps_it_alive() {
        let diagnosis = diagnose_pod(&POD.replace("POLICY", "Always"), "shop/web-1", "2026-01-01T09:05:10Z");
        let answer = diagnosis.answer().unwrap();
        assert_eq!((answer.cause.id, answer.certainty), ("app-exit-clean", Certainty::Confirmed));
    }

    #[test]
    fn where_a_start_hook_may_have_failed_it_is_only_possible() {
        let hook = "command: [sh], lifecycle: {postStart: {exec: {command: [init]}}}";
        let yaml = POD.replace("POLICY", "Always").replace("command: [sh]", hook);
        let diagnosis = diagnose_pod(&yaml, "shop/web-1", "2026-01-01T09:05:10Z");
        let found = diagnosis.findings.iter().find(|f| f.cause.id == "app-exit-clean").unwrap();
        assert_eq!(found.certainty, Certainty::Possible);
    }

    #[test]
    fn a_task_may_end() {
        let diagnosis = diagnose_pod(&POD.replace("POLICY", "OnFailure"), "shop/web-1", "2026-01-01T09:05:10Z");
        assert!(diagnosis.findings.iter().all(|f| f.cause.id != "app-exit-clean"));
    }
}
