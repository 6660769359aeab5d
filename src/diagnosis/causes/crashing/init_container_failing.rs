//! An init container fails, so that the app never starts.

use super::app_exit_error::reason;
use super::{deaths, read_the_log, times};
use crate::diagnosis::cause::{Cause, Page, Phase};
use crate::diagnosis::finding::{Certainty, Finding, Fix};
use crate::diagnosis::kubectl;
use crate::diagnosis::words::{Text, Words};
use crate::facts::reading::app_log::Complaint;
use crate::facts::{Facts, Role};

pub static CAUSE: Cause = Cause {
    id: "init-container-failing",
    phases: &[Phase::Crashing],
    guide: &["CrashLoopBackOff/ExitCode"],
    page: Page {
        title: Text { en: "An init container fails", zh: "init 容器失败" },
        what: Text {
            en: "Init containers run one after the other before the app, and each must end with 0. This one ends with an \
                 error again and again, so the app waits for ever.",
            zh: "init 容器在应用之前依次运行，且必须以 0 结束。该 init 容器反复出错，应用因此一直无法启动。",
        },
        tell: Text {
            en: "`Init:Error` or `Init:CrashLoopBackOff`; the app's own `PodInitializing` says nothing. Where a more exact cause \
                 shows for it (memory limit, missing command, image), that one leads.",
            zh: "状态为 `Init:Error` 或 `Init:CrashLoopBackOff`；应用容器的 `PodInitializing` 不含信息。若能看出更具体的原因\
                （内存 limit、命令不存在、镜像），以更具体者为准。",
        },
        fix: Text {
            en: "Read the init container's log and cure what it names.",
            zh: "查看该 init 容器的日志并解决其指出的问题。",
        },
        sources: &["https://kubernetes.io/docs/tasks/debug/debug-application/debug-init-containers/"],
    },
    check,
};

fn check(facts: &Facts<'_>) -> Option<Finding> {
    deaths(facts).into_iter().filter(|death| death.container.role == Role::Init && death.end.exit_code != 0).find_map(|death| {
        // A status that was lost with the node's reboot says nothing about the program.
        if matches!(death.end.reason, "ContainerStatusUnknown" | "Unknown" | "RestartingAllContainers") {
            return None;
        }
        let (name, code) = (death.container.name(), death.end.exit_code);
        let words = death.last_words(facts.world).filter(|words| words.complaint != Complaint::WrongFormat);
        let (why_en, why_zh) = reason(code, words.as_ref());
        let (times_en, times_zh) = times(death.container);
        Finding::new(&CAUSE, Certainty::Confirmed)
            .in_container(death.container)
            .says(
                format!("Init container `{name}` fails with exit code {code}{why_en}{times_en}; the app cannot start before it succeeds."),
                format!("init 容器 `{name}` 以退出码 {code} 失败{why_zh}{times_zh}；它成功之前应用无法启动。"),
            )
            .because(words.map(|words| words.line.evidence()))
            .because(death.evidence())
            .because(facts.pod().and_then(|pod| pod.condition_evidence("Initialized")))
            .fix(read_the_log(facts, death.container))
            .fix(
                Fix::careful(Words::new(
                    "Correct its command, settings or rights once the log has told what is wrong. Rolls the pods.",
                    "根据日志修正它的命令、配置或权限。会滚动重建 Pod。",
                ))
                .command(kubectl::edit(&facts.workload())),
            )
            .explains(&["init-container-waiting", "killed-by-outsider"])
            .some()
    })
}

#[cfg(test)]
mod tests {
    use crate::diagnosis::Certainty;
    use crate::diagnosis::testing::diagnose_pod;

    const POD: &str = r#"
kind: Pod
metadata: {namespace: shop, name: web-1, creationTimestamp: "2026-01-01T09:00:00Z"}
spec: {nodeName: n1, initContainers: [{name: migrate, image: app}], containers: [{name: app, image: app}]}
status:
  phase: Pending
  conditions: [{type: Initialized, status: "False", reason: ContainersNotInitialized}]
  initContainerStatuses:
  - {name: migrate, restartCount: 1, ready: false, image: app, imageID: "",
     state: {terminated: {reason: Error, exitCode: CODE, startedAt: "2026-01-01T09:05:00Z", finishedAt: "2026-01-01T09:05:02Z"}}}
  containerStatuses:
  - {name: app, restartCount: 0, ready: false, image: app, imageID: "", state: {waiting: {reason: PodInitializing}}}
"#;

    #[test]
    fn it_fails() {
        let diagnosis = diagnose_pod(&POD.replace("CODE", "1"), "shop/web-1", "2026-01-01T09:05:10Z");
        let answer = diagnosis.answer().unwrap();
        assert_eq!((answer.cause.id, answer.certainty), ("init-container-failing", Certainty::Confirmed));
    }

    #[test]
    fn one_that_has_done_its_part_is_none() {
        let diagnosis = diagnose_pod(&POD.replace("CODE", "0"), "shop/web-1", "2026-01-01T09:05:10Z");
        assert!(diagnosis.findings.iter().all(|f| f.cause.id != "init-container-failing"));
    }
}
