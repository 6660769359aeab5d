//! The image's name cannot be parsed, or may not be guessed.

use super::pull;
use crate::diagnosis::words::Words;
use crate::diagnosis::{Cause, Certainty, Finding, Fix, Page, Phase, Text, kubectl};
use crate::facts::Facts;
use crate::facts::reading::image::PullFailure;

pub static CAUSE: Cause = Cause {
    id: "image-name-invalid",
    phases: &[Phase::Images],
    guide: &[],
    page: Page {
        title: Text { en: "The image's name is not valid", zh: "镜像名称不合法" },
        what: Text {
            en: "The reference cannot be parsed: capitals, spaces, a scheme such as `https://`, two colons, an empty tag, or a variable that was never replaced. CRI-O also refuses short names that several registries could mean.",
            zh: "镜像引用无法解析：含大写字母、空格、`https://` 前缀、两个冒号、空标签，或未被替换的变量。CRI-O 还会拒绝可能属于多个仓库的短名称。",
        },
        tell: Text {
            en: "`state.waiting.reason` is InvalidImageName, or the error says `invalid reference format` or `short name mode is enforcing`. It is never retried into success.",
            zh: "`state.waiting.reason` 为 InvalidImageName，或错误为 `invalid reference format`、`short name mode is enforcing`。重试不会成功。",
        },
        fix: Text {
            en: "Correct the name in the workload; write registry, repository and tag in full.",
            zh: "在工作负载中改正名称，完整写出仓库地址、仓库名和标签。",
        },
        sources: &[
            "https://kubernetes.io/docs/concepts/containers/images/#image-names",
            "https://github.com/distribution/reference",
        ],
    },
    check,
};

fn check(facts: &Facts<'_>) -> Option<Finding> {
    let pull = pull::find(facts, |failure| matches!(failure, PullFailure::InvalidName | PullFailure::ShortName))?;
    let container = pull.container?;
    let image = container.image();
    let short = pull.failure == PullFailure::ShortName;
    let (en, zh) = if short {
        ("a short name that several registries could mean".to_owned(), "可能属于多个仓库的短名称".to_owned())
    } else {
        flaw(image)
    };
    let shown = pull::plain(image);
    pull.finding(&CAUSE, Certainty::Confirmed)
        .because([container.setting("image", image)])
        .says(
            format!("The image name `{shown}` of container `{}` cannot be used: {en}.", container.name()),
            format!("容器 `{}` 的镜像名称 `{shown}` 无法使用：{zh}。", container.name()),
        )
        .fix(
            Fix::careful(Words::new(
                "Write the name in full (registry/repository:tag). The change replaces the pods.",
                "写出完整的镜像名称（仓库地址/仓库名:标签）。修改会替换 Pod。",
            ))
            .command(kubectl::set_image(&facts.workload(), container.name(), "REGISTRY/REPOSITORY:TAG")),
        )
        .some()
}

/// Returns what is wrong with a name, as far as it can be seen.
fn flaw(image: &str) -> (String, String) {
    let both = |en: &str, zh: &str| (en.to_owned(), zh.to_owned());
    let name = image.split_once('@').map_or(image, |(name, _)| name);
    let path = crate::facts::reading::image::repository(name);
    if image.is_empty() {
        both("it is empty", "名称为空")
    } else if image.contains("://") {
        both("it must not begin with a scheme such as `https://`", "不能带 `https://` 之类的前缀")
    } else if image.contains(['$', '{', '}']) || image.contains("<") {
        both("it holds a variable that was never replaced", "其中的变量没有被替换")
    } else if image.contains(char::is_whitespace) {
        both("it holds a space or a line break", "含有空格或换行")
    } else if image.ends_with(':') || image.contains(":@") {
        both("its tag is empty", "标签为空")
    } else if path.chars().any(|c| c.is_ascii_uppercase()) {
        both("a repository must be written in lower case", "仓库名必须全部小写")
    } else {
        both("it is not of the form registry/repository:tag", "不符合 仓库地址/仓库名:标签 的格式")
    }
}

#[cfg(test)]
mod tests {
    use crate::diagnosis::causes::images::pull::tests::{causes, waiting};
    use crate::diagnosis::{Certainty, testing};

    #[test]
    fn capitals_are_named() {
        let message = r#"Failed to apply default image tag "shop/Web:1": couldn't parse image reference "shop/Web:1": invalid reference format: repository name must be lowercase"#;
        let yaml = waiting("shop/Web:1", "InvalidImageName", message);
        let diagnosis = testing::diagnose_pod(&yaml, "shop/web", "2026-01-01T10:10:00Z");
        let found = diagnosis.answer().unwrap();
        assert_eq!((found.cause.id, found.certainty), ("image-name-invalid", Certainty::Confirmed));
        assert!(found.summary.en.contains("lower case"), "{}", found.summary.en);
    }

    #[test]
    fn a_name_that_is_merely_unknown_is_another_cause() {
        let yaml = waiting("shop/web:1", "ErrImagePull", "docker.io/shop/web:1: not found");
        assert!(!causes(&yaml).contains(&"image-name-invalid"));
    }
}
