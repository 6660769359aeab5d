//! A ConfigMap that the pod names does not exist.

use super::references;
use crate::diagnosis::{Cause, Finding, Page, Phase, Text};
use crate::facts::Facts;
use crate::facts::reading::mount::Source;

pub static CAUSE: Cause = Cause {
    id: "configmap-missing",
    phases: &[Phase::Creating],
    guide: &["Error/ConfigMap 不存在"],
    page: Page {
        title: Text { en: "A ConfigMap does not exist", zh: "ConfigMap 不存在" },
        what: Text {
            en: "The pod names a ConfigMap that is not in its namespace. The kubelet waits for it and tries again for ever.",
            zh: "Pod 引用的 ConfigMap 不在其命名空间中。kubelet 会一直等待并重试。",
        },
        tell: Text {
            en: "As a volume: event FailedMount `configmap \"x\" not found`, status ContainerCreating. In the environment: CreateContainerConfigError with the same words. `failed to sync configmap cache` in the first seconds is noise.",
            zh: "作为卷：事件 FailedMount `configmap \"x\" not found`，状态 ContainerCreating。作为环境变量：CreateContainerConfigError，提示相同。启动最初几秒的 `failed to sync configmap cache` 可以忽略。",
        },
        fix: Text {
            en: "Create it, correct the name, or mark the reference as optional.",
            zh: "创建它、修正名称，或把引用标为 optional。",
        },
        sources: &["https://kubernetes.io/docs/concepts/configuration/configmap/"],
    },
    check,
};

fn check(facts: &Facts<'_>) -> Option<Finding> {
    references::missing_object(facts, &CAUSE, Source::ConfigMap)
}

#[cfg(test)]
mod tests {
    use crate::diagnosis::causes::creating::step::tests::{APP, CREATING, causes, diagnose, event, pod};
    use crate::diagnosis::{Certainty, Verdict};

    #[test]
    fn in_the_environment_and_as_a_volume() {
        let env = pod(APP, "{reason: CreateContainerConfigError, message: 'configmap \"settings\" not found'}");
        let volume = pod(APP, CREATING)
            + &event("FailedMount", 8, "MountVolume.SetUp failed for volume \"c\" : configmap \"settings\" not found");
        for yaml in [env, volume] {
            let diagnosis = diagnose(&yaml);
            let found = diagnosis.answer().unwrap();
            assert_eq!((found.cause.id, found.certainty), ("configmap-missing", Certainty::Confirmed));
            assert!(found.summary.en.contains("`settings`"), "{}", found.summary.en);
        }
    }

    #[test]
    fn one_that_exists_by_now_is_a_wait() {
        let yaml = pod(APP, "{reason: CreateContainerConfigError, message: 'configmap \"settings\" not found'}")
            + "
---
apiVersion: v1
kind: ConfigMap
metadata: {name: settings, namespace: shop}
data: {a: b}
";
        assert_eq!(diagnose(&yaml).verdict, Verdict::Waiting);
    }

    #[test]
    fn the_noise_of_a_start_is_no_cause() {
        let yaml = pod(APP, CREATING)
            + &event(
                "FailedMount",
                0,
                "MountVolume.SetUp failed for volume \"c\" : failed to sync configmap cache: timed out waiting for the condition",
            );
        assert!(!causes(&yaml).contains(&"configmap-missing"));
    }
}
