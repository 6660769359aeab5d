//! The image holds nothing for the node's architecture or system.

use super::pull::{self, Pull};
use crate::diagnosis::causes::crashing;
use crate::diagnosis::words::Words;
use crate::diagnosis::{Cause, Certainty, Finding, Fix, Page, Phase, Text, kubectl};
use crate::facts::log::{LogLine, lines_from_end};
use crate::facts::reading::image::PullFailure;
use crate::facts::reading::runtime::{StartFailure, start_failure};
use crate::facts::{ContainerView, Evidence, Facts, Stage};

pub static CAUSE: Cause = Cause {
    id: "image-platform-mismatch",
    phases: &[Phase::Images],
    guide: &[],
    page: Page {
        title: Text {
            en: "The image is not made for the node's architecture", zh: "镜像与节点的架构不匹配"
        },
        what: Text {
            en: "The index lists no image for the node's system and architecture, or the image's program is built for another one. An image of one architecture only is pulled without complaint and dies at its start.",
            zh: "镜像索引中没有与节点系统和架构对应的镜像，或镜像里的程序是为其他架构编译的。单架构镜像可以正常拉取，但一启动就会失败。",
        },
        tell: Text {
            en: "Pull: `no match for platform in manifest` (it ends in `not found`, yet the tag exists). Start: `exec format error`. A script without its `#!` line gives `exec format error` as well: that is command-not-executable.",
            zh: "拉取时：`no match for platform in manifest`（虽以 `not found` 结尾，但标签存在）。启动时：`exec format error`。缺少 `#!` 行的脚本也会报 `exec format error`，那属于 command-not-executable。",
        },
        fix: Text {
            en: "Build the image for the node's architecture too, or keep the pod on nodes that fit (nodeSelector kubernetes.io/arch).",
            zh: "为该架构构建镜像，或用 nodeSelector kubernetes.io/arch 让 Pod 运行在合适的节点上。",
        },
        sources: &[
            "https://kubernetes.io/docs/concepts/containers/images/#multi-architecture-images-with-image-indexes",
            "https://github.com/containerd/platforms",
        ],
    },
    check,
};

fn check(facts: &Facts<'_>) -> Option<Finding> {
    if let Some(pull) = pull::find(facts, |failure| failure == PullFailure::Platform) {
        return Some(of_pull(facts, &pull));
    }
    of_start(facts)
}

fn of_pull(facts: &Facts<'_>, pull: &Pull<'_>) -> Finding {
    let arch = node_arch(facts);
    let (subject, name) = (pull.subject(), pull::node_name(facts));
    let (machine_en, machine_zh) = machine(arch.as_ref().map(|(arch, _)| arch.as_str()), name);
    let finding = pull
        .finding(&CAUSE, Certainty::Confirmed)
        .because(arch.map(|(_, evidence)| evidence))
        .says(
            format!("There is no build of {} for {machine_en}.", subject.en),
            format!("{}没有适用于{machine_zh}的版本。", subject.zh),
        )
        .fix(
            Fix::safe(Words::new("See which platforms the image is built for.", "查看镜像支持哪些平台。"))
                .command(format!("skopeo inspect --raw {}", kubectl::quoted(&format!("docker://{}", pull.image)))),
        );
    fixes(facts, finding)
}

/// `exec format error`: of a program it is the wrong machine; of a script it is a missing `#!` line, another cause.
fn of_start(facts: &Facts<'_>) -> Option<Finding> {
    let pod = facts.pod().filter(|pod| matches!(pod.stage(), Stage::Creating | Stage::Running | Stage::Failed))?;
    let (container, evidence, command) = pod.containers().find_map(|container| {
        let (evidence, command) = wrong_format(facts, container)?;
        Some((container, evidence, command))
    })?;
    if command.as_deref().is_some_and(|command| {
        [".sh", ".py", ".rb", ".pl", ".js", ".bash"].iter().any(|ending| command.ends_with(ending))
    }) {
        return None;
    }
    let arch = node_arch(facts);
    let (machine_en, machine_zh) = machine(arch.as_ref().map(|(arch, _)| arch.as_str()), pull::node_name(facts));
    let (program, image) = (command.unwrap_or_else(|| "its program".to_owned()), pull::plain(container.image()));
    let finding = Finding::likely(&CAUSE)
        .in_container(container)
        .because([evidence])
        .because(arch.map(|(_, evidence)| evidence))
        .explains(&["app-exit-error", "init-container-failing"])
        .says(
            format!(
                "`{}` in image `{image}` is built for another architecture than {machine_en}.",
                pull::plain(&program)
            ),
            format!("镜像 `{image}` 中的 `{}` 不是为{machine_zh}编译的。", pull::plain(&program)),
        );
    Some(fixes(facts, finding))
}

fn wrong_format(facts: &Facts<'_>, container: ContainerView<'_>) -> Option<(Evidence, Option<String>)> {
    if let Some((StartFailure::WrongFormat { command }, evidence)) = crashing::start_failure(facts, container) {
        return Some((evidence, command));
    }
    let end = container.latest_end().filter(|end| end.exit_code != 0)?;
    // A container that runs well since is none of this.
    if container.is_running() && container.ready() {
        return None;
    }
    if let StartFailure::WrongFormat { command } = start_failure(end.message) {
        return Some((end.evidence(), command));
    }
    let log = container.log_of_latest_end(facts.world).present()?;
    let line: LogLine<'_> = lines_from_end(container.name(), log)
        .take(5)
        .find(|line| line.text.to_ascii_lowercase().contains("exec format error"))?;
    match start_failure(line.text) {
        // A shell that cannot run a program it calls names itself first: `sh: ./tool: Exec format error`.
        StartFailure::WrongFormat { command } => Some((line.evidence(), command)),
        _ => None,
    }
}

fn fixes(facts: &Facts<'_>, finding: Finding) -> Finding {
    let workload = facts.workload();
    let finding = finding.fix(
        Fix::careful(Words::new(
            "Name an image that is built for this architecture, or build it for both (docker buildx --platform).",
            "改用支持该架构的镜像，或构建多架构镜像（docker buildx --platform）。",
        ))
        .command(kubectl::edit(&workload)),
    );
    finding.fix(Fix::careful(Words::new(
        "Or keep the pod on nodes that fit: nodeSelector `kubernetes.io/arch`. The change replaces the pods.",
        "或用 nodeSelector `kubernetes.io/arch` 让 Pod 只运行在合适的节点上。修改会替换 Pod。",
    )))
}

fn machine(arch: Option<&str>, node: &str) -> (String, String) {
    match arch {
        Some(arch) => (format!("`{arch}`, the platform of node `{node}`"), format!("节点 `{node}` 的平台 `{arch}` ")),
        None => (format!("node `{node}`"), format!("节点 `{node}` ")),
    }
}

fn node_arch(facts: &Facts<'_>) -> Option<(String, Evidence)> {
    let node = facts.node().present()?;
    let info = node.status.as_ref()?.node_info.as_ref()?;
    if info.architecture.is_empty() {
        return None;
    }
    let system = if info.operating_system.is_empty() { "linux" } else { info.operating_system.as_str() };
    let text = format!("{system}/{}", info.architecture);
    let path = format!("node {}.status.nodeInfo", crate::facts::node::name(node));
    Some((text.clone(), Evidence::field(path, text, None)))
}

#[cfg(test)]
mod tests {
    use crate::diagnosis::Certainty;
    use crate::diagnosis::causes::images::pull::tests::answer;

    #[test]
    fn not_found_for_a_platform_is_no_missing_image() {
        for text in [
            "rpc error: code = NotFound desc = failed to pull and unpack image \"r.local/a:1\": no match for platform in manifest sha256:ab: not found",
            "Error response from daemon: no matching manifest for linux/arm64/v8 in the manifest list entries",
        ] {
            let found = answer("r.local/a:1", text);
            assert_eq!((found.cause.id, found.certainty), ("image-platform-mismatch", Certainty::Confirmed));
        }
    }

    #[test]
    fn a_missing_tag_is_another_cause() {
        assert_eq!(answer("r.local/a:1", "r.local/a:1: not found").cause.id, "image-not-found");
    }
}
