//! The image may not be pulled (policy Never) and is not on the node.

use super::pull;
use crate::diagnosis::words::Words;
use crate::diagnosis::{Cause, Finding, Fix, Page, Phase, Text, kubectl};
use crate::facts::{Facts, Stage};

pub static CAUSE: Cause = Cause {
    id: "image-never-pull",
    phases: &[Phase::Images],
    guide: &[],
    page: Page {
        title: Text {
            en: "The image may not be pulled and is not on the node", zh: "镜像不允许拉取，节点上也没有"
        },
        what: Text {
            en: "`imagePullPolicy: Never` uses only what is on the node. From Kubernetes 1.35 on the kubelet says the same where the image is there but was pulled with credentials that this pod does not have.",
            zh: "`imagePullPolicy: Never` 只使用节点上已有的镜像。从 Kubernetes 1.35 起，镜像虽在节点上、但拉取它的凭据与此 Pod 不符时，kubelet 也会给出同样的提示。",
        },
        tell: Text {
            en: "`state.waiting.reason` is ErrImageNeverPull. Another pod of the node that runs the same image points at the credentials.",
            zh: "`state.waiting.reason` 为 ErrImageNeverPull。若同节点上有别的 Pod 正在使用该镜像，则是凭据问题。",
        },
        fix: Text {
            en: "Load the image on every node where the pod may run, or allow the pull (IfNotPresent) from a registry.",
            zh: "在 Pod 可能运行的每个节点上预先导入镜像，或改为允许拉取（IfNotPresent）。",
        },
        sources: &["https://kubernetes.io/docs/concepts/containers/images/#image-pull-policy"],
    },
    check,
};

fn check(facts: &Facts<'_>) -> Option<Finding> {
    let pod = facts.pod().filter(|pod| matches!(pod.stage(), Stage::Creating | Stage::Running))?;
    let (container, waiting) = pod.containers().find_map(|container| {
        let waiting = container.waiting().filter(|waiting| waiting.reason == "ErrImageNeverPull")?;
        Some((container, waiting))
    })?;
    let (image, node) = (container.image(), pull::node_name(facts));
    let shown = pull::plain(image);
    let policy = container.spec.image_pull_policy.as_deref().map(|policy| container.setting("imagePullPolicy", policy));
    Finding::confirmed(&CAUSE)
        .in_container(container)
        .because([waiting.evidence()])
        .because(policy)
        .says(
            format!("Image `{shown}` of container `{}` is not on node `{node}`, and its pull policy Never forbids to fetch it.", container.name()),
            format!("容器 `{}` 的镜像 `{shown}` 不在节点 `{node}` 上，而拉取策略 Never 禁止拉取。", container.name()),
        )
        .fix(Fix::safe(Words::new(
            format!("If it is built locally: load it on node `{node}` (and on every node where the pod may run)."),
            format!("如果镜像是本地构建的：把它导入节点 `{node}`（以及 Pod 可能运行的所有节点）。"),
        ))
        .command(format!("ctr -n k8s.io images import {}", kubectl::quoted("IMAGE.tar"))))
        .fix(
            Fix::careful(Words::new(
                "If a registry has it: set imagePullPolicy to IfNotPresent. The change replaces the pods.",
                "如果仓库中有该镜像：把 imagePullPolicy 改为 IfNotPresent。修改会替换 Pod。",
            ))
            .command(kubectl::edit(&facts.workload())),
        )
        .some()
}

#[cfg(test)]
mod tests {
    use crate::diagnosis::causes::images::pull::tests::{causes, waiting};

    #[test]
    fn never_is_told_by_the_reason() {
        let yaml = waiting(
            "shop:local",
            "ErrImageNeverPull",
            "Container image \"shop:local\" is not present with pull policy of Never",
        );
        assert_eq!(causes(&yaml), ["image-never-pull"]);
    }

    #[test]
    fn a_failed_pull_is_another_cause() {
        let yaml = waiting("r.local/shop:1", "ErrImagePull", "r.local/shop:1: not found");
        assert_eq!(causes(&yaml), ["image-not-found"]);
    }
}
