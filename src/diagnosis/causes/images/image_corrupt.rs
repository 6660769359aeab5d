//! Layers or digest do not match, a layer is missing, or the image on the node is broken.

use super::pull::{self, Pull};
use crate::diagnosis::words::Words;
use crate::diagnosis::{Cause, Certainty, Finding, Fix, Page, Phase, Text, kubectl};
use crate::facts::reading::image::PullFailure;
use crate::facts::{Facts, Stage};

pub static CAUSE: Cause = Cause {
    id: "image-corrupt",
    phases: &[Phase::Images],
    guide: &["ImagePullBackOff/镜像文件损坏", "ImageInspectError/镜像文件损坏"],
    page: Page {
        title: Text { en: "The image is damaged", zh: "镜像文件损坏" },
        what: Text {
            en: "What the registry sent is not what its manifest promises: a layer is missing, its digest differs or it cannot be unpacked; or the runtime cannot read the copy on the node. A push that broke off, a registry that lost data, or a proxy that changes what it passes on.",
            zh: "仓库返回的内容与清单不符：缺少某一层、摘要不一致或无法解压；或者运行时无法读取节点上的镜像。常见原因是推送中断、仓库丢失数据，或代理改动了内容。",
        },
        tell: Text {
            en: "`unexpected commit digest`, `could not fetch content descriptor … not found` (the tag exists, a layer does not), `invalid tar header`, `unexpected EOF` while unpacking; waiting reason ImageInspectError. The same image failing on all nodes points at the registry, on one node only at that node's copy.",
            zh: "`unexpected commit digest`、`could not fetch content descriptor … not found`（标签存在但缺少层）、`invalid tar header`、解压时 `unexpected EOF`；或等待原因为 ImageInspectError。所有节点都失败说明仓库有问题，只有一个节点失败说明该节点的镜像有问题。",
        },
        fix: Text {
            en: "Push the image again; where one node only is affected, remove its copy there and pull anew.",
            zh: "重新推送镜像；如果只影响一个节点，删除该节点上的镜像后重新拉取。",
        },
        sources: &[
            "https://github.com/containerd/containerd/blob/main/core/remotes/handlers.go",
            "https://github.com/opencontainers/image-spec/blob/main/descriptor.md",
        ],
    },
    check,
};

fn check(facts: &Facts<'_>) -> Option<Finding> {
    let broken = |failure| matches!(failure, PullFailure::Corrupt | PullFailure::BlobMissing | PullFailure::OldFormat);
    if let Some(pull) = pull::find(facts, broken) {
        let (en, zh) = match pull.failure {
            PullFailure::BlobMissing => {
                ("the registry knows the tag and lacks one of its layers", "仓库中有该标签，但缺少其中的层")
            }
            PullFailure::OldFormat => (
                "its manifest is of an old format (schema 1) that the runtime no longer takes",
                "清单是运行时不再支持的旧格式（schema 1）",
            ),
            _ => ("what was fetched does not match its digest or cannot be unpacked", "拉取的内容与摘要不符或无法解压"),
        };
        return Some(finding(facts, &pull, Certainty::Confirmed, en, zh));
    }
    // The runtime cannot even look at the copy on the node. A runtime that does not answer is another matter.
    let pod = facts.pod().filter(|pod| matches!(pod.stage(), Stage::Creating | Stage::Running))?;
    pod.containers()
        .find(|container| container.waiting().is_some_and(|waiting| waiting.reason == "ImageInspectError"))?;
    let pull = pull::find(facts, |failure| failure == PullFailure::Other)?;
    let inspected =
        pull.container.and_then(|container| container.waiting()).is_some_and(|w| w.reason == "ImageInspectError");
    inspected.then(|| {
        finding(
            facts,
            &pull,
            Certainty::Likely,
            "the runtime cannot read the copy on the node",
            "运行时无法读取节点上的镜像",
        )
    })
}

fn finding(facts: &Facts<'_>, pull: &Pull<'_>, certainty: Certainty, en: &str, zh: &str) -> Finding {
    let (subject, node) = (pull.subject(), pull::node_name(facts));
    pull.finding(&CAUSE, certainty)
        .says(
            format!("The {} is damaged: {en}.", subject.en.trim_start_matches("the ")),
            format!("{}已损坏：{zh}。", subject.zh),
        )
        .fix(
            Fix::safe(Words::new(
                format!("Remove the copy on node `{node}` (run this there); the kubelet pulls anew."),
                format!("在节点 `{node}` 上删除该镜像（在节点上执行），kubelet 会重新拉取。"),
            ))
            .command(format!("crictl rmi {}", kubectl::quoted(&pull.image))),
        )
        .fix(Fix::careful(Words::new(
            "If other nodes fail as well: build and push the image again, best under a new tag.",
            "如果其他节点也失败：重新构建并推送镜像，最好使用新标签。",
        )))
}

#[cfg(test)]
mod tests {
    use crate::diagnosis::Certainty;
    use crate::diagnosis::causes::images::pull::tests::{answer, causes, waiting};

    #[test]
    fn a_missing_layer_is_no_missing_image() {
        let text = "rpc error: code = NotFound desc = failed to pull and unpack image \"r.local/a:1\": failed to copy: could not fetch content descriptor sha256:ab (application/vnd.oci.image.layer.v1.tar+gzip) from remote: not found";
        let found = answer("r.local/a:1", text);
        assert_eq!((found.cause.id, found.certainty), ("image-corrupt", Certainty::Confirmed));
    }

    #[test]
    fn an_image_that_cannot_be_inspected() {
        let yaml = waiting(
            "r.local/a:1",
            "ImageInspectError",
            "Failed to inspect image \"r.local/a:1\": rpc error: code = Unknown desc = Error response from daemon: readlink /var/lib/docker/overlay2/l: invalid argument",
        );
        assert_eq!(causes(&yaml), ["image-corrupt"]);
    }

    #[test]
    fn a_download_that_breaks_off_is_the_network() {
        assert_eq!(
            answer("r.local/a:1", "failed to copy: httpReadSeeker: failed open: unexpected EOF").cause.id,
            "registry-unreachable"
        );
    }
}
