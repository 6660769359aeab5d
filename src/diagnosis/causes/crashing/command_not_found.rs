//! The command that the container is to run is not in its image.

use super::{capital, deaths, living_pod, named, read_the_log, start_failure, times};
use crate::diagnosis::cause::{Cause, Page, Phase};
use crate::diagnosis::finding::{Certainty, Finding, Fix};
use crate::diagnosis::kubectl;
use crate::diagnosis::words::{Text, Words};
use crate::facts::reading::app_log::Complaint;
use crate::facts::reading::runtime::StartFailure;
use crate::facts::{ContainerView, Evidence, Facts};

pub static CAUSE: Cause = Cause {
    id: "command-not-found",
    phases: &[Phase::Crashing],
    guide: &["Error/启动错误", "ContainerCreating/Pod 配置错误"],
    page: Page {
        title: Text { en: "The command is not in the image", zh: "镜像中没有要执行的命令" },
        what: Text {
            en: "The program that `command` (or the image's entrypoint) names does not exist in the image: a typing error, the \
                 wrong image or tag, a volume mounted over the folder it lives in, no shell in a slim image, or a script whose \
                 first line names an interpreter that is missing (Windows line ends do that too).",
            zh: "`command`（或镜像 entrypoint）指定的程序在镜像里不存在：拼写错误、镜像或标签不对、卷挂载盖住了程序所在目录、\
                 精简镜像里没有 shell，或脚本首行的解释器不存在（Windows 换行符也会造成）。",
        },
        tell: Text {
            en: "`StartError` or `ContainerCannotRun` with \"executable file not found\" or \"no such file or directory\"; \
                 or exit 127, where a shell inside looked for it. A mount that fails has the same words but names a path under \
                 `/var/lib/kubelet`.",
            zh: "`StartError` 或 `ContainerCannotRun`，信息含 “executable file not found” 或 “no such file or directory”；\
                 或由容器内 shell 找不到而以 127 退出。挂载失败措辞相似，但路径在 `/var/lib/kubelet` 下。",
        },
        fix: Text {
            en: "Correct the command, or use an image that holds it.",
            zh: "修正 command，或换用包含该命令的镜像。",
        },
        sources: &[
            "https://kubernetes.io/docs/tasks/inject-data-application/define-command-argument-container/",
            "https://github.com/opencontainers/runc",
        ],
    },
    check,
};

fn check(facts: &Facts<'_>) -> Option<Finding> {
    let pod = living_pod(facts)?;
    pod.containers().find_map(|container| not_started(facts, container)).or_else(|| not_found_inside(facts))
}

fn not_started(facts: &Facts<'_>, container: ContainerView<'_>) -> Option<Finding> {
    let (failure, evidence) = start_failure(facts, container)?;
    let StartFailure::CommandNotFound { command } = failure else { return None };
    let command = command.or_else(|| first_word(container));
    told(facts, container, Certainty::Confirmed, command.as_deref(), false).because([evidence]).some()
}

/// A shell inside did not find it, or an old runtime reports it as the program's own end.
fn not_found_inside(facts: &Facts<'_>) -> Option<Finding> {
    deaths(facts).into_iter().filter(|death| death.by_itself(facts.world) && death.end.exit_code != 0).find_map(
        |death| {
            let words = death.last_words(facts.world);
            let (command, line) = match words {
                Some(words) => match words.complaint {
                    Complaint::CommandNotFound { command } => (command, Some(words.line)),
                    // 127 of the dynamic linker: the program is there, its library is not.
                    Complaint::MissingCode { .. } => return None,
                    _ if death.end.exit_code == 127 => (None, Some(words.line)),
                    _ => return None,
                },
                None if death.end.exit_code == 127 => (None, None),
                None => return None,
            };
            // Scripts go on after a missing command: with another code it must have been their very last word.
            let last = line.is_some_and(|line| line.from_end == 1);
            let certainty = match (death.end.exit_code, &command) {
                (127, Some(_)) => Certainty::Confirmed,
                (127, None) => Certainty::Likely,
                // runc ≤1.1 says it in the log, and the code is 1 (or 255 from 1.2 on).
                (1 | 2 | 126 | 128 | 255, _) if last => Certainty::Likely,
                _ => return None,
            };
            let inside = command.is_some() || death.end.exit_code == 127;
            told(facts, death.container, certainty, command.as_deref(), inside)
                .because(line.map(|line| line.evidence()))
                .because(death.evidence())
                .some()
        },
    )
}

fn told(
    facts: &Facts<'_>,
    container: ContainerView<'_>,
    certainty: Certainty,
    command: Option<&str>,
    inside: bool,
) -> Finding {
    let ((en, zh), (times_en, times_zh)) = (named(container), times(container));
    let image = container.image();
    let (what_en, what_zh) = command.map_or_else(
        || ("a command that it runs".to_owned(), "要执行的命令".to_owned()),
        |c| (format!("`{c}`"), format!("`{c}`")),
    );
    let whole = Evidence::field(
        format!("{}.command", container.spec_path()),
        container.spec.command.as_deref().unwrap_or_default().join(" "),
        None,
    );
    let mut finding = Finding::new(&CAUSE, certainty)
        .in_container(container)
        .says(
            format!("{} cannot run {what_en}: it is not in image `{image}`{times_en}.", capital(&en)),
            format!("{zh} 无法执行 {what_zh}：镜像 `{image}` 中没有该命令{times_zh}。"),
        )
        .because(container.spec.command.as_ref().map(|_| whole));
    if inside {
        finding = finding.fix(read_the_log(facts, container));
    }
    finding
        .fix(
            Fix::careful(Words::new(
                "Correct `command` and `args`, or set an image that holds the program. Check for a volume mounted over it, \
                 and for Windows line ends in a script. Rolls the pods.",
                "修正 `command`/`args`，或改用包含该程序的镜像；同时检查是否有卷盖住了它、脚本是否为 Windows 换行。会滚动重建 Pod。",
            ))
            .command(kubectl::edit(&facts.workload())),
        )
        .explains(&["init-container-failing", "app-exit-error", "lifecycle-hook-failed", "killed-by-outsider"])
}

fn first_word(container: ContainerView<'_>) -> Option<String> {
    container.spec.command.as_ref()?.first().cloned()
}

#[cfg(test)]
mod tests {
    use crate::diagnosis::Certainty;
    use crate::diagnosis::testing::{diagnose_in, diagnose_pod, world};
    use crate::facts::log::ContainerLog;

    const POD: &str = r#"
kind: Pod
metadata: {namespace: shop, name: web-1, creationTimestamp: "2026-01-01T09:00:00Z"}
spec: {nodeName: n1, containers: [{name: app, image: app, command: [serve]}]}
status:
  phase: Running
  containerStatuses:
  - {name: app, restartCount: 2, ready: false, image: app, imageID: "", state: {waiting: {reason: CrashLoopBackOff, message: x}},
     lastState: {terminated: {END, finishedAt: "2026-01-01T09:05:00Z"}}}
"#;

    #[test]
    fn the_runtime_says_so() {
        let end = r#"reason: StartError, exitCode: 128, startedAt: "1970-01-01T00:00:00Z", message: 'failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: exec: "serve": executable file not found in $PATH: unknown'"#;
        let diagnosis = diagnose_pod(&POD.replace("END", end), "shop/web-1", "2026-01-01T09:06:00Z");
        let answer = diagnosis.answer().unwrap();
        assert_eq!((answer.cause.id, answer.certainty), ("command-not-found", Certainty::Confirmed));
        assert!(answer.summary.en.contains("`serve`"), "{}", answer.summary.en);
    }

    #[test]
    fn a_missing_library_is_not_a_missing_command() {
        let end = r#"reason: Error, exitCode: 127, startedAt: "2026-01-01T09:05:00Z""#;
        let mut world = world(&POD.replace("END", end));
        let log = |text: &str| ContainerLog { previous: Some(text.to_owned()), ..ContainerLog::default() };
        let key = ("shop".to_owned(), "web-1".to_owned(), "app".to_owned());
        world.logs.insert(key.clone(), log("sh: serve: not found\n"));
        let found = |world: &crate::facts::World| {
            diagnose_in(world, "shop/web-1", "2026-01-01T09:06:00Z").answer().unwrap().cause.id
        };
        assert_eq!(found(&world), "command-not-found");
        world.logs.insert(
            key,
            log("serve: error while loading shared libraries: libpq.so.5: cannot open shared object file\n"),
        );
        assert_eq!(found(&world), "app-exit-error");
    }
}
