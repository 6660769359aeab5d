//! It ran to its end as it should.

use crate::diagnosis::{Cause, Finding, Page, Phase, Text, Verdict};
use crate::facts::{Evidence, Facts, PodView, Stage, Subject, Workload};

pub static CAUSE: Cause = Cause {
    id: "completed",
    phases: &[Phase::None],
    guide: &[],
    page: Page {
        title: Text { en: "It ran to its end as it should", zh: "已正常运行结束" },
        what: Text {
            en: "Every container ended with exit code 0, and nothing is meant to start it again. The pod is kept so that its log can be read.",
            zh: "所有容器都以退出码 0 结束，并且不会再被重启。保留这个 Pod 只是为了可以查看日志。",
        },
        tell: Text {
            en: "The phase is Succeeded. A pod that ends with 0 but is started again and again (restartPolicy Always) is another cause: app-exit-clean.",
            zh: "Pod 的 phase 为 Succeeded。如果以 0 退出却被反复拉起（restartPolicy 为 Always），则属于 app-exit-clean。",
        },
        fix: Text {
            en: "Nothing to do. Set ttlSecondsAfterFinished on the Job to have such pods cleaned up.",
            zh: "无需处理。可以在 Job 上设置 ttlSecondsAfterFinished 自动清理。",
        },
        sources: &["https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-phase"],
    },
    check,
};

fn check(facts: &Facts<'_>) -> Option<Finding> {
    match &facts.subject {
        Subject::Pod(pod) => pod_completed(*pod),
        Subject::Workload(workload) => job_completed(facts, workload),
    }
}

fn pod_completed(pod: PodView<'_>) -> Option<Finding> {
    let ended_well = || {
        let mut apps = pod.app_containers().peekable();
        // Between the last exit and the kubelet's report of the phase.
        apps.peek().is_some() && apps.all(|app| app.end().is_some_and(|end| end.exit_code == 0))
    };
    let over = match pod.stage() {
        Stage::Completed => true,
        Stage::Running => pod.restart_policy() != "Always" && ended_well(),
        _ => false,
    };
    if !over {
        return None;
    }
    let last = pod.app_containers().filter_map(|app| app.end()).max_by_key(|end| end.finished);
    let at = last.as_ref().and_then(|end| end.finished);
    let when = |en: bool| match (at, en) {
        (Some(at), true) => format!(" at {}", at.strftime("%Y-%m-%d %H:%M UTC")),
        (Some(at), false) => format!("（{}）", at.strftime("%Y-%m-%d %H:%M UTC")),
        (None, _) => String::new(),
    };
    Finding::confirmed(&CAUSE)
        .calm(Verdict::Completed)
        .because([Evidence::field("pod.status.phase", pod.phase(), at)])
        .because(last.map(|end| end.evidence()))
        .says(
            format!("Pod {} ran to its end{}: every container ended with exit code 0.", pod.name(), when(true)),
            format!("Pod {} 已正常运行结束{}：所有容器的退出码均为 0。", pod.name(), when(false)),
        )
        .some()
}

fn job_completed(facts: &Facts<'_>, workload: &Workload) -> Option<Finding> {
    if workload.kind != "Job" {
        return None;
    }
    let job = facts.world.jobs.get(&workload.namespace, &workload.name).present()?;
    let conditions = job.status.as_ref()?.conditions.as_deref()?;
    let done = conditions.iter().find(|c| c.type_ == "Complete" && c.status == "True")?;
    Finding::confirmed(&CAUSE)
        .calm(Verdict::Completed)
        .because([Evidence::field(
            format!("{workload}.status.conditions[Complete]"),
            "True",
            done.last_transition_time.as_ref().map(|t| t.0),
        )])
        .says(format!("Job {} is complete.", workload.name), format!("Job {} 已完成。", workload.name))
        .some()
}

#[cfg(test)]
mod tests {
    use crate::diagnosis::Verdict;
    use crate::diagnosis::testing::diagnose_pod;

    const DONE: &str = r"
apiVersion: v1
kind: Pod
metadata: {name: import, namespace: batch, creationTimestamp: '2026-01-01T00:00:00Z'}
spec: {restartPolicy: Never, nodeName: a, containers: [{name: app, image: x}]}
status:
  phase: Succeeded
  containerStatuses:
  - name: app
    ready: false
    restartCount: 0
    image: x
    imageID: ''
    state: {terminated: {exitCode: 0, reason: Completed, finishedAt: '2026-01-01T00:05:00Z'}}
";

    #[test]
    fn a_succeeded_pod_is_completed() {
        let diagnosis = diagnose_pod(DONE, "batch/import", "2026-01-02T00:00:00Z");
        assert_eq!(diagnosis.verdict, Verdict::Completed);
        assert_eq!(diagnosis.answer().unwrap().cause.id, "completed");
    }

    #[test]
    fn a_pod_that_failed_is_not() {
        let failed = DONE.replace("Succeeded", "Failed").replace("exitCode: 0", "exitCode: 1");
        let diagnosis = diagnose_pod(&failed, "batch/import", "2026-01-02T00:00:00Z");
        assert_ne!(diagnosis.verdict, Verdict::Completed);
    }
}
