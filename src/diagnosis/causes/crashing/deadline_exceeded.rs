//! A deadline that the pod or its Job was given has passed.

use super::{newest_job, span};
use crate::diagnosis::cause::{Cause, Page, Phase};
use crate::diagnosis::finding::{Finding, Fix};
use crate::diagnosis::kubectl;
use crate::diagnosis::words::{Text, Words};
use crate::facts::{Evidence, Facts, Stage, Subject, Workload, workload};
use jiff::SignedDuration;
use k8s_openapi::api::batch::v1::{Job, JobCondition};

pub static CAUSE: Cause = Cause {
    id: "deadline-exceeded",
    phases: &[Phase::Crashing],
    guide: &[],
    page: Page {
        title: Text { en: "Its deadline has passed", zh: "超过了运行期限（activeDeadlineSeconds）" },
        what: Text {
            en: "`activeDeadlineSeconds` of the pod or of its Job ran out, so it was ended, however far it was. The time counts \
                 from the start, with waiting for images and retries in it.",
            zh: "Pod 或其 Job 的 `activeDeadlineSeconds` 到期，于是被终止，无论进行到哪一步。计时从启动开始，包含拉镜像与重试的时间。",
        },
        tell: Text {
            en: "`status.reason: DeadlineExceeded` on the pod, or the Job's condition Failed with that reason. A rollout's \
                 `ProgressDeadlineExceeded` is no deadline of this kind: nothing is ended by it.",
            zh: "Pod 的 `status.reason` 为 `DeadlineExceeded`，或 Job 的 Failed 条件为该原因。Deployment 的 `ProgressDeadlineExceeded` \
                 不是这种期限，不会终止任何东西。",
        },
        fix: Text {
            en: "Find out why it took so long; raise the deadline if the time is legitimate, and run it again.",
            zh: "查明为何耗时过长；若时间合理则调大期限并重新运行。",
        },
        sources: &["https://kubernetes.io/docs/concepts/workloads/controllers/job/#job-termination-and-cleanup"],
    },
    check,
};

fn check(facts: &Facts<'_>) -> Option<Finding> {
    match &facts.subject {
        Subject::Workload(subject) => of_workload(facts, subject),
        Subject::Pod(_) => of_pod(facts),
    }
}

fn of_pod(facts: &Facts<'_>) -> Option<Finding> {
    let pod = facts.pod()?;
    if pod.reason() == "DeadlineExceeded" {
        let seconds = pod.spec().and_then(|spec| spec.active_deadline_seconds);
        let limit = seconds.map(|s| Evidence::field("pod.spec.activeDeadlineSeconds", s, None));
        let (en, zh) = allowed(seconds);
        return Finding::confirmed(&CAUSE)
            .says(
                format!("The pod was ended since it ran past its deadline{en}."),
                format!("Pod 运行超过了期限{zh}，已被终止。"),
            )
            .because(pod.reason_evidence())
            .because(limit)
            .fix(
                Fix::safe(Words::new("See what it was busy with.", "查看它当时在做什么。"))
                    .command(kubectl::describe(facts)),
            )
            .explains(&["app-exit-error", "killed-by-outsider", "app-exit-clean", "init-container-failing"])
            .some();
    }
    // A pod that its Job's deadline ended: it was asked to stop, so its own code is 143 or 137.
    if pod.stage() != Stage::Failed {
        return None;
    }
    let owner = workload::controller(pod.meta()).filter(|owner| owner.kind == "Job")?;
    let job = facts.world.jobs.get(pod.namespace(), &owner.name).present()?;
    let condition = passed(job)?;
    let stopped = pod.containers().filter_map(|c| c.latest_end()).any(|end| matches!(end.exit_code, 137 | 143));
    stopped.then(|| of_job(facts, job, condition))
}

fn of_workload(facts: &Facts<'_>, subject: &Workload) -> Option<Finding> {
    let job = newest_job(facts, subject)?;
    Some(of_job(facts, job, passed(job)?))
}

fn passed(job: &Job) -> Option<&JobCondition> {
    let conditions = job.status.as_ref()?.conditions.as_deref()?;
    conditions.iter().find(|c| {
        matches!(c.type_.as_str(), "Failed" | "FailureTarget")
            && c.status == "True"
            && c.reason.as_deref() == Some("DeadlineExceeded")
    })
}

fn of_job(facts: &Facts<'_>, job: &Job, condition: &JobCondition) -> Finding {
    let seconds = job.spec.as_ref().and_then(|spec| spec.active_deadline_seconds);
    let (en, zh) = allowed(seconds);
    let name = job.metadata.name.as_deref().unwrap_or_default();
    let quote = format!("DeadlineExceeded: {}", condition.message.as_deref().unwrap_or_default());
    let at = condition.last_transition_time.as_ref().map(|t| t.0);
    Finding::confirmed(&CAUSE)
        .says(
            format!("Job `{name}` did not finish before its deadline{en}, so its pods were ended."),
            format!("Job `{name}` 未能在期限内完成{zh}，其 Pod 已被终止。"),
        )
        .because([Evidence::field(format!("job.status.conditions[{}]", condition.type_), quote, at)])
        .because(seconds.map(|s| Evidence::field("job.spec.activeDeadlineSeconds", s, None)))
        .fix(Fix::safe(Words::new("See how far it came and what it waited for.", "查看它进行到哪一步、在等什么。")).command(kubectl::describe(facts)))
        .fix(Fix::careful(Words::new(
            "Raise `activeDeadlineSeconds` in the Job's (or CronJob's) manifest and run it again: a finished Job cannot be continued.",
            "在 Job（或 CronJob）清单中调大 `activeDeadlineSeconds` 后重新运行：已结束的 Job 不能继续。",
        )))
        .explains(&["app-exit-error", "killed-by-outsider", "app-exit-clean", "init-container-failing"])
}

fn allowed(seconds: Option<i64>) -> (String, String) {
    seconds.map_or_else(Default::default, |s| {
        let text = span(SignedDuration::from_secs(s));
        (format!(" of {text}"), format!("（{text}）"))
    })
}

#[cfg(test)]
mod tests {
    use crate::diagnosis::Certainty;
    use crate::diagnosis::testing::{diagnose_in, diagnose_pod, world};

    #[test]
    fn the_pods_own_and_the_jobs() {
        let pod = r#"
kind: Pod
metadata: {namespace: shop, name: web-1, creationTimestamp: "2026-01-01T09:00:00Z"}
spec: {nodeName: n1, activeDeadlineSeconds: 60, containers: [{name: app, image: app}]}
status: {phase: Failed, reason: DeadlineExceeded, message: Pod was active on the node longer than the specified deadline}
"#;
        let diagnosis = diagnose_pod(pod, "shop/web-1", "2026-01-01T09:06:00Z");
        let answer = diagnosis.answer().unwrap();
        assert_eq!((answer.cause.id, answer.certainty), ("deadline-exceeded", Certainty::Confirmed));
        let job = r#"
kind: Job
metadata: {namespace: shop, name: nightly}
spec: {activeDeadlineSeconds: 600, template: {spec: {containers: []}}}
status: {failed: 1, conditions: [{type: Failed, status: "True", reason: REASON, message: Job was active longer than specified deadline}]}
"#;
        let found = |reason| {
            let diagnosis =
                diagnose_in(&world(&job.replace("REASON", reason)), "shop/Job/nightly", "2026-01-01T09:06:00Z");
            diagnosis.answer().unwrap().cause.id
        };
        assert_eq!(found("DeadlineExceeded"), "deadline-exceeded");
        assert_eq!(found("BackoffLimitExceeded"), "app-exit-error", "the near miss: it gave up, it was not late");
    }
}
