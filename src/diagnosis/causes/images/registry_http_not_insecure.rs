//! The registry speaks plain HTTP, the runtime expects HTTPS.

use super::pull;
use crate::diagnosis::words::Words;
use crate::diagnosis::{Cause, Certainty, Finding, Fix, Page, Phase, Text, kubectl};
use crate::facts::reading::image::{self, PullFailure};
use crate::facts::{Evidence, Facts, node};

pub static CAUSE: Cause = Cause {
    id: "registry-http-not-insecure",
    phases: &[Phase::Images],
    guide: &["ImagePullBackOff/http 类型 registry"],
    page: Page {
        title: Text {
            en: "The registry speaks HTTP, the node expects HTTPS",
            zh: "镜像仓库是 HTTP，节点按 HTTPS 访问",
        },
        what: Text {
            en: "Runtimes pull over HTTPS unless the registry is named in their settings as an insecure one; this registry answers in plain HTTP.",
            zh: "运行时默认通过 HTTPS 拉取镜像，除非在配置中把仓库声明为 insecure；而该仓库只提供 HTTP。",
        },
        tell: Text {
            en: "`http: server gave HTTP response to HTTPS client`. A trap: containerd with an HTTP mirror falls back to HTTPS when the tag is missing, and then says this as well; where the node has pulled from the registry before, check the tag first.",
            zh: "`http: server gave HTTP response to HTTPS client`。陷阱：containerd 配置了 HTTP mirror 时，如果标签不存在会回退到 HTTPS 并给出同样的错误；节点此前拉取成功过的话，先检查标签。",
        },
        fix: Text {
            en: "Give the registry a certificate, or name it as insecure in the runtime's settings of every node (the traffic is then readable and can be changed on its way).",
            zh: "为仓库配置证书；或在每个节点的运行时配置中把它声明为 insecure（流量将是明文，可能被篡改）。",
        },
        sources: &[
            "https://github.com/containerd/containerd/blob/main/docs/hosts.md",
            "https://docs.docker.com/reference/cli/dockerd/#insecure-registries",
            "https://github.com/containerd/containerd/issues/4141",
        ],
    },
    check,
};

fn check(facts: &Facts<'_>) -> Option<Finding> {
    let pull = pull::find(facts, |failure| {
        matches!(failure, PullFailure::SpeaksHttp | PullFailure::NoTls | PullFailure::SpeaksHttps)
    })?;
    let (registry, node) = (pull.registry().to_owned(), pull::node_name(facts));
    if pull.failure == PullFailure::SpeaksHttps {
        return Some(
            pull.finding(&CAUSE, Certainty::Likely).shares("registry", "", pull.registry())
                .says(
                    format!("Registry `{registry}` wants HTTPS, and node `{node}` asks it in plain HTTP."),
                    format!("镜像仓库 `{registry}` 要求 HTTPS，而节点 `{node}` 用 HTTP 访问。"),
                )
                .fix(Fix::careful(Words::new(
                    format!("Correct the registry's address in the runtime's settings of node `{node}` (`https://`), then restart the runtime."),
                    format!("修正节点 `{node}` 上运行时配置中的仓库地址（`https://`），然后重启运行时。"),
                ))),
        );
    }
    // An image of this registry on the node says that it was spoken to rightly once: then the missing tag of the trap
    // is as good an explanation.
    let known = known_image(facts, &registry);
    let certainty =
        if pull.failure == PullFailure::NoTls || known.is_some() { Certainty::Likely } else { Certainty::Confirmed };
    let (hint_en, hint_zh) = match &known {
        Some(_) => (
            format!(
                " The node has pulled from it before, so check that tag `{}` exists: a missing tag reads the same here.",
                image::tag(&pull.image)
            ),
            format!(
                "该节点曾从此仓库拉取过镜像，请先确认标签 `{}` 存在：标签缺失时也会出现同样的错误。",
                image::tag(&pull.image)
            ),
        ),
        None => (String::new(), String::new()),
    };
    pull.finding(&CAUSE, certainty).shares("registry", "", pull.registry())
        .because(known)
        .says(
            format!("Registry `{registry}` answers in plain HTTP, but the runtime of node `{node}` expects HTTPS.{hint_en}"),
            format!("镜像仓库 `{registry}` 只提供 HTTP，而节点 `{node}` 的运行时按 HTTPS 访问。{hint_zh}"),
        )
        .fix(
            Fix::safe(Words::new("See what the registry speaks (run this on the node).", "查看仓库使用的协议（在节点上执行）。"))
                .command(format!("curl -sI {}", kubectl::quoted(&format!("http://{registry}/v2/")))),
        )
        .fix(Fix::careful(Words::new(
            "Best: serve the registry over HTTPS with a certificate that the nodes trust.",
            "最佳方案：为仓库启用 HTTPS，并使用节点信任的证书。",
        )))
        .fix(Fix::careful(Words::new(
            format!("Or name it as insecure on every node, then restart the runtime. containerd: `server = \"http://{registry}\"` in /etc/containerd/certs.d/{registry}/hosts.toml; CRI-O: `insecure = true` in /etc/containers/registries.conf; docker: `insecure-registries` in daemon.json. The traffic is then readable and can be changed on its way."),
            format!("或在每个节点上将其声明为 insecure 并重启运行时。containerd：在 /etc/containerd/certs.d/{registry}/hosts.toml 中写 `server = \"http://{registry}\"`；CRI-O：在 /etc/containers/registries.conf 中写 `insecure = true`；docker：在 daemon.json 中配置 `insecure-registries`。注意流量为明文，可能被篡改。"),
        )))
        .some()
}

/// Returns an image of this registry that the node holds.
fn known_image(facts: &Facts<'_>, registry: &str) -> Option<Evidence> {
    let node = facts.node().present()?;
    let images = node.status.as_ref()?.images.as_ref()?;
    let mut names = images.iter().filter_map(|image| image.names.as_ref()).flatten();
    let name = names.find(|name| image::registry(name) == registry)?;
    Some(Evidence::field(format!("node {}.status.images", node::name(node)), name, None))
}

#[cfg(test)]
mod tests {
    use crate::diagnosis::causes::images::pull::tests::{answer, waiting};
    use crate::diagnosis::{Certainty, testing};

    const TEXT: &str = "failed to do request: Head \"https://r.local:5000/v2/a/manifests/1\": http: server gave HTTP response to HTTPS client";

    #[test]
    fn plain_http_is_told_by_the_error() {
        let found = answer("r.local:5000/a:1", TEXT);
        assert_eq!((found.cause.id, found.certainty), ("registry-http-not-insecure", Certainty::Confirmed));
    }

    #[test]
    fn a_node_that_has_pulled_from_it_makes_the_tag_suspect() {
        let node = "
---
apiVersion: v1
kind: Node
metadata: {name: n1}
status: {images: [{names: ['r.local:5000/b:2'], sizeBytes: 1}]}
";
        let yaml = waiting("r.local:5000/a:1", "ErrImagePull", TEXT) + node;
        let diagnosis = testing::diagnose_pod(&yaml, "shop/web", "2026-01-01T10:10:00Z");
        let found = diagnosis.answer().unwrap();
        assert_eq!((found.cause.id, found.certainty), ("registry-http-not-insecure", Certainty::Likely));
        assert!(found.summary.en.contains("check that tag `1` exists"), "{}", found.summary.en);
    }

    #[test]
    fn an_untrusted_certificate_is_another_cause() {
        assert_eq!(
            answer("r.local/a:1", "x509: certificate signed by unknown authority").cause.id,
            "registry-ca-untrusted"
        );
    }
}
