//! The command is in the image, and may not be executed.

use super::{capital, deaths, is_script, living_pod, named, read_the_log, start_failure, times};
use crate::diagnosis::cause::{Cause, Page, Phase};
use crate::diagnosis::finding::{Certainty, Finding, Fix};
use crate::diagnosis::kubectl;
use crate::diagnosis::words::{Text, Words};
use crate::facts::reading::app_log::Complaint;
use crate::facts::reading::runtime::{self, StartFailure};
use crate::facts::{ContainerView, Evidence, Facts};

pub static CAUSE: Cause = Cause {
    id: "command-not-executable",
    phases: &[Phase::Crashing],
    guide: &["Error/启动错误", "ContainerCreating/Pod 配置错误"],
    page: Page {
        title: Text { en: "The command may not be executed", zh: "命令不可执行（权限不足）" },
        what: Text {
            en: "The file is there, but the container's user has no right to execute it: the x bit is missing (for \"other\" \
                 where the pod runs as some other user), it comes from a ConfigMap mounted without an executable mode, it \
                 stands on a noexec mount, or the name is a folder.",
            zh: "文件存在，但容器用户没有执行权限：缺少 x 位（以其他用户运行时缺少 other 的 x 位）、来自未设置可执行 mode 的 \
                 ConfigMap 挂载、位于 noexec 挂载上，或该名字其实是目录。",
        },
        tell: Text {
            en: "`StartError` with \"permission denied\" about `exec`, exit 126 of a shell, or the log line `exec user process \
                 caused: permission denied`. \"exec format error\" is another matter: the file is for another platform.",
            zh: "`StartError` 中 exec 报 “permission denied”，或 shell 以 126 退出，或日志 `exec user process caused: permission denied`。\
                 “exec format error” 是另一回事：平台不匹配。",
        },
        fix: Text {
            en: "`RUN chmod +x` in the image, `defaultMode: 0755` on the ConfigMap volume, or run it through its interpreter (`sh script`).",
            zh: "在镜像里 `RUN chmod +x`，或给 ConfigMap 卷设置 `defaultMode: 0755`，或用解释器执行（`sh 脚本`）。",
        },
        sources: &[
            "https://kubernetes.io/docs/concepts/storage/volumes/#configmap",
            "https://www.gnu.org/software/bash/manual/bash.html#Exit-Status",
        ],
    },
    check,
};

fn check(facts: &Facts<'_>) -> Option<Finding> {
    let pod = living_pod(facts)?;
    pod.containers().find_map(|container| not_started(facts, container)).or_else(|| denied_inside(facts))
}

fn not_started(facts: &Facts<'_>, container: ContainerView<'_>) -> Option<Finding> {
    let (failure, evidence) = start_failure(facts, container)?;
    let command = match failure {
        StartFailure::CommandNotExecutable { command } => command,
        // No `#!` line: the kernel does not know what to do with it. Of a program it is another platform's.
        StartFailure::WrongFormat { command } if command.as_deref().is_some_and(is_script) => command,
        _ => return None,
    };
    let command = command.or_else(|| container.spec.command.as_ref()?.first().cloned());
    told(facts, container, Certainty::Confirmed, command.as_deref()).because([evidence]).some()
}

fn denied_inside(facts: &Facts<'_>) -> Option<Finding> {
    deaths(facts).into_iter().filter(|death| death.by_itself(facts.world) && death.end.exit_code != 0).find_map(
        |death| {
            let words = death.last_words(facts.world);
            let (command, line, denied) = match words {
                Some(words) => match words.complaint {
                    Complaint::CommandNotExecutable { command } => (command, Some(words.line), true),
                    Complaint::PermissionDenied { path } if death.end.exit_code == 126 => {
                        (path, Some(words.line), true)
                    }
                    Complaint::WrongFormat => match runtime::start_failure(words.line.text) {
                        StartFailure::WrongFormat { command } if command.as_deref().is_some_and(is_script) => {
                            (command, Some(words.line), true)
                        }
                        // The file is for another platform.
                        _ => return None,
                    },
                    _ if death.end.exit_code == 126 => (None, Some(words.line), false),
                    _ => return None,
                },
                None if death.end.exit_code == 126 => (None, None, false),
                None => return None,
            };
            let certainty = match (death.end.exit_code, denied) {
                (126, true) => Certainty::Confirmed,
                (126, false) => Certainty::Likely,
                // runc ≤1.1 says it in the log, and the code is 1 (or 255 from 1.2 on).
                _ if line.is_some_and(|line| line.from_end == 1) => Certainty::Confirmed,
                _ => Certainty::Likely,
            };
            told(facts, death.container, certainty, command.as_deref())
                .fix(read_the_log(facts, death.container))
                .because(line.map(|line| line.evidence()))
                .because(death.evidence())
                .some()
        },
    )
}

fn told(facts: &Facts<'_>, container: ContainerView<'_>, certainty: Certainty, command: Option<&str>) -> Finding {
    let ((en, zh), (times_en, times_zh)) = (named(container), times(container));
    let (what_en, what_zh) = command.map_or_else(
        || ("its command".to_owned(), "它的启动命令".to_owned()),
        |c| (format!("`{c}`"), format!("`{c}`")),
    );
    let user = container
        .spec
        .security_context
        .as_ref()
        .and_then(|context| context.run_as_user)
        .map(|user| container.setting("securityContext.runAsUser", user));
    let whole = container
        .spec
        .command
        .as_ref()
        .map(|command| Evidence::field(format!("{}.command", container.spec_path()), command.join(" "), None));
    Finding::new(&CAUSE, certainty)
        .in_container(container)
        .says(
            format!("{} may not execute {what_en}{times_en}.", capital(&en)),
            format!("{zh} 没有权限执行 {what_zh}{times_zh}。"),
        )
        .because(user)
        .because(whole)
        .fix(
            Fix::careful(Words::new(
                "Make it executable in the image (`RUN chmod 755`), set `defaultMode: 0755` if it comes from a ConfigMap, or run \
                 it as `sh SCRIPT`. Rolls the pods.",
                "在镜像中赋予执行权限（`RUN chmod 755`）；若来自 ConfigMap，设置 `defaultMode: 0755`；或改用 `sh 脚本` 执行。会滚动重建 Pod。",
            ))
            .command(kubectl::edit(&facts.workload())),
        )
        .explains(&["init-container-failing", "app-exit-error"])
}

#[cfg(test)]
mod tests {
    use crate::diagnosis::Certainty;
    use crate::diagnosis::testing::{diagnose_in, diagnose_pod, world};
    use crate::facts::log::ContainerLog;

    const POD: &str = r#"
kind: Pod
metadata: {namespace: shop, name: web-1, creationTimestamp: "2026-01-01T09:00:00Z"}
spec: {nodeName: n1, containers: [{name: app, image: app, command: [/start.sh]}]}
status:
  phase: Running
  containerStatuses:
  - {name: app, restartCount: 2, ready: false, image: app, imageID: "", state: {waiting: {reason: CrashLoopBackOff, message: x}},
     lastState: {terminated: {END, finishedAt: "2026-01-01T09:05:00Z"}}}
"#;

    #[test]
    fn the_runtime_may_not_start_it() {
        let end = r#"reason: StartError, exitCode: 128, startedAt: "1970-01-01T00:00:00Z", message: 'OCI runtime create failed: runc create failed: unable to start container process: exec: "/start.sh": permission denied: unknown'"#;
        let diagnosis = diagnose_pod(&POD.replace("END", end), "shop/web-1", "2026-01-01T09:06:00Z");
        let answer = diagnosis.answer().unwrap();
        assert_eq!((answer.cause.id, answer.certainty), ("command-not-executable", Certainty::Confirmed));
    }

    #[test]
    fn a_file_that_it_may_not_read_is_its_own_error() {
        let end = r#"reason: Error, exitCode: 1, startedAt: "2026-01-01T09:05:00Z""#;
        let mut world = world(&POD.replace("END", end));
        let log = |text: &str| ContainerLog { previous: Some(text.to_owned()), ..ContainerLog::default() };
        let key = ("shop".to_owned(), "web-1".to_owned(), "app".to_owned());
        let found = |world: &crate::facts::World| {
            diagnose_in(world, "shop/web-1", "2026-01-01T09:06:00Z").answer().unwrap().cause.id
        };
        world
            .logs
            .insert(key.clone(), log("standard_init_linux.go:228: exec user process caused: permission denied\n"));
        assert_eq!(found(&world), "command-not-executable");
        world.logs.insert(key, log("open /data/db: permission denied\n"));
        assert_eq!(found(&world), "app-exit-error");
    }
}
