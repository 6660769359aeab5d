//! A Secret that the pod names does not exist.

use super::references;
use crate::diagnosis::{Cause, Finding, Page, Phase, Text};
use crate::facts::Facts;
use crate::facts::reading::mount::Source;

pub static CAUSE: Cause = Cause {
    id: "secret-missing",
    phases: &[Phase::Creating],
    guide: &["Error/Secret 不存在"],
    page: Page {
        title: Text { en: "A Secret does not exist", zh: "Secret 不存在" },
        what: Text {
            en: "The pod names a Secret that is not in its namespace. Often something else should have made it: a Job, cert-manager, an external-secrets operator; then that one's failure is the root.",
            zh: "Pod 引用的 Secret 不在其命名空间中。它往往应由别的组件创建（Job、cert-manager、external-secrets 等），那么根因在该组件。",
        },
        tell: Text {
            en: "As a volume: event FailedMount `secret \"x\" not found`, status ContainerCreating. In the environment: CreateContainerConfigError with the same words. A missing pull secret shows as FailedToRetrieveImagePullSecret and is registry-auth-failed.",
            zh: "作为卷：事件 FailedMount `secret \"x\" not found`，状态 ContainerCreating。作为环境变量：CreateContainerConfigError，提示相同。缺少拉取凭据表现为 FailedToRetrieveImagePullSecret，属于镜像仓库认证失败。",
        },
        fix: Text {
            en: "Create it, correct the name, or mark the reference as optional.",
            zh: "创建它、修正名称，或把引用标为 optional。",
        },
        sources: &["https://kubernetes.io/docs/concepts/configuration/secret/"],
    },
    check,
};

fn check(facts: &Facts<'_>) -> Option<Finding> {
    references::missing_object(facts, &CAUSE, Source::Secret)
}

#[cfg(test)]
mod tests {
    use crate::diagnosis::Certainty;
    use crate::diagnosis::causes::creating::step::tests::{APP, CREATING, causes, diagnose, event, pod};

    #[test]
    fn as_a_volume() {
        let yaml = pod(APP, CREATING)
            + &event("FailedMount", 8, "MountVolume.SetUp failed for volume \"cert\" : secret \"ingress\" not found");
        let diagnosis = diagnose(&yaml);
        let found = diagnosis.answer().unwrap();
        assert_eq!((found.cause.id, found.certainty), ("secret-missing", Certainty::Confirmed));
    }

    #[test]
    fn a_mount_that_came_through_since_says_nothing() {
        let yaml = pod(APP, CREATING)
            + &event("FailedMount", 1, "MountVolume.SetUp failed for volume \"cert\" : secret \"ingress\" not found")
            + &event("FailedCreatePodSandBox", 2, "Failed to create pod sandbox: something else");
        assert!(!causes(&yaml).contains(&"secret-missing"));
    }
}
