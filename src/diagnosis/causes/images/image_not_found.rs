//! The registry has no such repository, tag or digest.

use super::pull;
use crate::diagnosis::words::Words;
use crate::diagnosis::{Cause, Certainty, Finding, Fix, Page, Phase, Text, kubectl};
use crate::facts::Facts;
use crate::facts::reading::image::{self, Auth, PullFailure};

pub static CAUSE: Cause = Cause {
    id: "image-not-found",
    phases: &[Phase::Images],
    guide: &["ContainerCreating/配置了错误的镜像"],
    page: Page {
        title: Text { en: "The image does not exist in the registry", zh: "镜像仓库中不存在该镜像" },
        what: Text {
            en: "The registry answered, and knows no such repository, tag or digest: a typo, a tag that was never pushed or was deleted, or the wrong registry.",
            zh: "镜像仓库有响应，但没有对应的仓库、标签或摘要：写错了名字、标签从未推送或已被删除，或者写错了仓库地址。",
        },
        tell: Text {
            en: "The pull error ends in `not found`, `manifest unknown` or `name unknown`. Not this: `no match for platform … not found` (the image exists for other machines) and `could not fetch content descriptor … not found` (a layer is missing in the registry). Docker Hub and some others answer a missing repository with `pull access denied`.",
            zh: "拉取错误以 `not found`、`manifest unknown` 或 `name unknown` 结尾。注意区分：`no match for platform … not found` 表示镜像存在但没有对应架构，`could not fetch content descriptor … not found` 表示仓库缺少某一层。Docker Hub 等对不存在的仓库会返回 `pull access denied`。",
        },
        fix: Text {
            en: "List the tags that exist, then correct the image in the workload or push the missing tag.",
            zh: "列出实际存在的标签，然后修正工作负载中的镜像，或推送缺失的标签。",
        },
        sources: &[
            "https://kubernetes.io/docs/concepts/containers/images/",
            "https://github.com/opencontainers/distribution-spec/blob/main/spec.md#error-codes",
        ],
    },
    check,
};

fn check(facts: &Facts<'_>) -> Option<Finding> {
    let missing = |failure| matches!(failure, PullFailure::NotFound | PullFailure::Auth(Auth::DeniedOrMissing));
    let pull = pull::find(facts, missing)?;
    let certainty = match pull.failure {
        PullFailure::NotFound => Certainty::Confirmed,
        // The registry does not say which. Docker Hub's own namespace holds public images only, so a name without a
        // namespace that is refused does not exist there: mostly an image that was built and never pushed.
        _ if pull.registry() == "docker.io" && !official_may_be_private(facts, &pull.image) => Certainty::Likely,
        _ => Certainty::Possible,
    };
    let subject = pull.subject();
    let (registry, tag) = (pull.registry().to_owned(), image::tag(&pull.image).to_owned());
    let repository = image::repository(&pull.image).to_owned();
    let finding = pull.finding(&CAUSE, certainty).says(
        format!("Registry `{registry}` does not have {}: check the name and the tag `{tag}`.", subject.en),
        format!("镜像仓库 `{registry}` 中没有{}：请检查名称和标签 `{tag}`。", subject.zh),
    );
    let mut finding = finding.fix(
        Fix::safe(Words::new("List the tags that the repository has.", "查看该仓库实际有哪些标签。"))
            .command(format!("skopeo list-tags {}", kubectl::quoted(&format!("docker://{repository}")))),
    );
    if let Some(container) = pull.container {
        finding = finding.fix(
            Fix::careful(Words::new(
                "Name an image that exists, or push this one. The change replaces the pods.",
                "改成存在的镜像，或推送该镜像。修改会替换 Pod。",
            ))
            .command(kubectl::set_image(
                &facts.workload(),
                container.name(),
                &format!("{repository}:TAG"),
            )),
        );
    } else {
        finding = finding.fix(Fix::careful(Words::new(
            format!("Correct the sandbox image in the runtime's settings of node `{}` (containerd: sandbox_image) and restart the runtime.", pull::node_name(facts)),
            format!("修正节点 `{}` 上运行时配置中的 sandbox 镜像（containerd 的 sandbox_image）并重启运行时。", pull::node_name(facts)),
        )));
    }
    pull::offer_undo(facts, finding).some()
}

/// Returns true where a refused Docker Hub image may be a private one: it has a namespace, or a pull secret was given.
fn official_may_be_private(facts: &Facts<'_>, image: &str) -> bool {
    let name = image::repository(image).trim_start_matches("docker.io/").trim_start_matches("library/");
    name.contains('/') || !pull::pull_secrets(facts).is_empty()
}

#[cfg(test)]
mod tests {
    use crate::diagnosis::Certainty;
    use crate::diagnosis::causes::images::pull::tests::{answer, diagnose};

    #[test]
    fn a_tag_that_is_not_there() {
        let found = answer(
            "r.example.com/shop/web:2",
            r#"rpc error: code = NotFound desc = failed to pull and unpack image "r.example.com/shop/web:2": failed to resolve reference "r.example.com/shop/web:2": r.example.com/shop/web:2: not found"#,
        );
        assert_eq!((found.cause.id, found.certainty), ("image-not-found", Certainty::Confirmed));
        assert!(found.summary.en.contains("tag `2`"), "{}", found.summary.en);
    }

    #[test]
    fn a_name_without_namespace_that_docker_hub_refuses_does_not_exist() {
        let text = r#"failed to pull and unpack image "docker.io/library/shop:1": failed to resolve reference "docker.io/library/shop:1": pull access denied, repository does not exist or may require authorization: server message: insufficient_scope: authorization failed"#;
        let found = answer("shop:1", text);
        assert_eq!((found.cause.id, found.certainty), ("image-not-found", Certainty::Likely));
    }

    #[test]
    fn a_missing_platform_is_another_cause() {
        let ids: Vec<_> = diagnose("r/a:1", "no match for platform in manifest: not found");
        assert!(!ids.contains(&"image-not-found"), "{ids:?}");
    }
}
