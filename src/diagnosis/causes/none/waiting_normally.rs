//! It is young, or within the time that such a step normally takes.

use super::waits;
use crate::diagnosis::{Cause, Finding, Page, Phase, Text, Verdict};
use crate::facts::Facts;

pub static CAUSE: Cause = Cause {
    id: "waiting-normally",
    phases: &[Phase::None],
    guide: &[],
    page: Page {
        title: Text { en: "Still within its normal time", zh: "仍在正常等待时间之内" },
        what: Text {
            en: "The pod is being placed, started, warmed up or stopped, and that takes no longer than it usually does. Nothing says that it will not come to an end.",
            zh: "Pod 正处于调度、启动、预热或停止的过程中，所用时间没有超出正常范围，也没有任何错误迹象。",
        },
        tell: Text {
            en: "Within its grace period when stopping; under a minute without a word from the scheduler; under five minutes when creating, without a warning; within its probes' own allowance when starting; a rollout within its deadline; a node that an autoscaler has ordered.",
            zh: "停止时仍在宽限期内；调度器未处理不足一分钟；创建不足五分钟且没有告警；启动时仍在探针允许的时间内；滚动更新未超时；自动扩容的节点正在加入。",
        },
        fix: Text {
            en: "Wait, and ask again once the time that is named has passed.",
            zh: "等待，超过所述时间后再次询问。",
        },
        sources: &[
            "https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-termination",
            "https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#progressing-deployment",
        ],
    },
    check,
};

fn check(facts: &Facts<'_>) -> Option<Finding> {
    let wait = waits::of(facts)?;
    Finding::confirmed(&CAUSE)
        .calm(Verdict::Waiting)
        .because(wait.evidence)
        .says(wait.words.en, wait.words.zh)
        .explains(wait.explains)
        .some()
}

#[cfg(test)]
mod tests {
    use crate::diagnosis::Verdict;
    use crate::diagnosis::testing::{diagnose_in, diagnose_pod, world};

    const NEW: &str = r"
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: prod, creationTimestamp: '2026-01-01T00:00:00Z'}
spec: {nodeName: a, containers: [{name: app, image: x}]}
status:
  phase: Pending
  conditions: [{type: PodScheduled, status: 'True', lastTransitionTime: '2026-01-01T00:00:01Z'}]
  containerStatuses:
  - {name: app, ready: false, restartCount: 0, image: x, imageID: '', state: {waiting: {reason: ContainerCreating}}}
";

    #[test]
    fn a_young_pod_without_warnings_waits() {
        assert_eq!(diagnose_pod(NEW, "prod/web", "2026-01-01T00:02:00Z").verdict, Verdict::Waiting);
        assert_ne!(diagnose_pod(NEW, "prod/web", "2026-01-01T00:09:00Z").verdict, Verdict::Waiting, "too long");
    }

    #[test]
    fn a_warning_ends_the_benefit_of_the_doubt() {
        let yaml = format!(
            "{NEW}---\napiVersion: v1\nkind: Event\nmetadata: {{name: e, namespace: prod}}\ninvolvedObject: {{kind: Pod, namespace: prod, name: web}}\nreason: FailedMount\ntype: Warning\nmessage: 'MountVolume.SetUp failed for volume \"d\" : mount failed: exit status 32'\nlastTimestamp: '2026-01-01T00:00:30Z'\n"
        );
        assert_ne!(diagnose_pod(&yaml, "prod/web", "2026-01-01T00:02:00Z").verdict, Verdict::Waiting);
    }

    #[test]
    fn a_cache_that_fills_is_waited_for_and_a_missing_object_is_not() {
        let of = |text: &str| {
            let waiting = format!("waiting: {{reason: CreateContainerConfigError, message: '{text}'}}");
            let yaml = NEW.replace("waiting: {reason: ContainerCreating}", &waiting);
            diagnose_pod(&yaml, "prod/web", "2026-01-01T00:00:10Z").verdict
        };
        assert_eq!(of("failed to sync secret cache: timed out waiting for the condition"), Verdict::Waiting);
        assert_ne!(of("secret \"redis\" not found"), Verdict::Waiting);
    }

    #[test]
    fn stopping_waits_for_its_grace_period_and_no_longer() {
        let yaml = NEW.replace(
            "creationTimestamp: '2026-01-01T00:00:00Z'",
            "creationTimestamp: '2026-01-01T00:00:00Z', deletionTimestamp: '2026-01-01T01:00:30Z', deletionGracePeriodSeconds: 30",
        );
        assert_eq!(diagnose_pod(&yaml, "prod/web", "2026-01-01T01:00:20Z").verdict, Verdict::Waiting);
        assert_ne!(diagnose_pod(&yaml, "prod/web", "2026-01-01T01:05:00Z").verdict, Verdict::Waiting);
    }

    #[test]
    fn a_rollout_waits_within_its_deadline() {
        let yaml = r"
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: prod, generation: 2}
spec: {replicas: 2, selector: {}, template: {}}
status:
  observedGeneration: 2
  replicas: 3
  updatedReplicas: 1
  readyReplicas: 2
  conditions:
  - {type: Progressing, status: 'True', reason: ReplicaSetUpdated, lastUpdateTime: '2026-01-01T00:00:00Z'}
";
        let of = |yaml: &str, at| diagnose_in(&world(yaml), "prod/Deployment/web", at).verdict;
        assert_eq!(of(yaml, "2026-01-01T00:03:00Z"), Verdict::Waiting);
        assert_ne!(of(yaml, "2026-01-01T00:30:00Z"), Verdict::Waiting);
        let failed = yaml
            .replace("status: 'True', reason: ReplicaSetUpdated", "status: 'False', reason: ProgressDeadlineExceeded");
        assert_ne!(of(&failed, "2026-01-01T00:03:00Z"), Verdict::Waiting);
    }

    #[test]
    fn a_job_that_is_held_back_makes_no_pods() {
        let job = |suspend: bool| {
            let yaml = format!(
                "apiVersion: batch/v1\nkind: Job\nmetadata: {{name: load, namespace: prod}}\nspec: {{suspend: {suspend}, template: {{spec: {{containers: []}}}}}}\n"
            );
            diagnose_in(&world(&yaml), "prod/Job/load", "2026-01-01T00:09:00Z").verdict
        };
        assert_eq!(job(true), Verdict::Waiting);
        assert_ne!(job(false), Verdict::Waiting);
    }
}
