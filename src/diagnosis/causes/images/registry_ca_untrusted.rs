//! The node does not trust the registry's certificate.

use super::pull;
use crate::diagnosis::words::Words;
use crate::diagnosis::{Cause, Certainty, Finding, Fix, Page, Phase, Text, kubectl};
use crate::facts::Facts;
use crate::facts::reading::image::{self, Certificate, PullFailure};
use crate::facts::reading::text::between;

pub static CAUSE: Cause = Cause {
    id: "registry-ca-untrusted",
    phases: &[Phase::Images],
    guide: &["ImagePullBackOff/https 自签发"],
    page: Page {
        title: Text {
            en: "The node does not trust the registry's certificate", zh: "节点不信任镜像仓库的证书"
        },
        what: Text {
            en: "The certificate is signed by an authority that the node does not know (self-signed, a company's own, a proxy that opens TLS), has expired, or is for another name. The node's trust counts, not the pod's.",
            zh: "证书由节点不认识的机构签发（自签名、企业内部 CA、解密 TLS 的代理），或已过期，或域名不符。起作用的是节点的信任配置，而不是 Pod 的。",
        },
        tell: Text {
            en: "`x509: …`. Expired on one node only: check that node's clock. A host in certs.d whose 404 is followed by another failing host shows the last error only, so a missing tag can read like this.",
            zh: "`x509: …`。只有一个节点提示过期时，检查该节点的时钟。certs.d 中某个主机返回 404 后若下一个主机失败，只会显示最后一个错误，因此标签缺失也可能表现为此错误。",
        },
        fix: Text {
            en: "Install the authority's certificate on every node; renew an expired one. Do not skip the check.",
            zh: "在每个节点上安装 CA 证书；过期则续签。不要跳过校验。",
        },
        sources: &[
            "https://github.com/containerd/containerd/blob/main/docs/hosts.md",
            "https://docs.docker.com/engine/security/certificates/",
        ],
    },
    check,
};

fn check(facts: &Facts<'_>) -> Option<Finding> {
    let pull = pull::find(facts, |failure| matches!(failure, PullFailure::Certificate(_)))?;
    let PullFailure::Certificate(flaw) = pull.failure else { return None };
    // The refused host may be a token service or a mirror, not the one in the image's name.
    let asked = between(&pull.text, "\"https://", "/").map(str::to_owned);
    let host = asked.filter(|host| !host.is_empty()).unwrap_or_else(|| image::registry(&pull.image).to_owned());
    let (host, node) = (pull::plain(&host), pull::node_name(facts));
    let (en, zh) = match flaw {
        Certificate::UnknownAuthority => (
            format!("Node `{node}` does not know the authority that signed the certificate of `{host}`."),
            format!("节点 `{node}` 不信任签发 `{host}` 证书的机构。"),
        ),
        Certificate::Expired => (
            format!("The certificate of `{host}` has expired or is not yet valid, by the clock of node `{node}`."),
            format!("按节点 `{node}` 的时钟，`{host}` 的证书已过期或尚未生效。"),
        ),
        Certificate::WrongName => (
            format!("The certificate of `{host}` is made out for another name, so node `{node}` refuses it."),
            format!("`{host}` 的证书与域名不符，节点 `{node}` 拒绝使用。"),
        ),
    };
    let finding = pull.finding(&CAUSE, Certainty::Confirmed).shares("registry", "", pull.registry()).says(en, zh).fix(
        Fix::safe(Words::new("Look at the certificate (run this on the node).", "查看证书（在节点上执行）。")).command(
            format!(
                "openssl s_client -connect {} -showcerts </dev/null",
                kubectl::quoted(&if host.contains(':') { host.clone() } else { format!("{host}:443") })
            ),
        ),
    );
    match flaw {
        Certificate::UnknownAuthority => finding.fix(Fix::careful(Words::new(
            format!("Install the CA on every node, then restart the runtime. containerd: `ca = \"/path/ca.crt\"` in /etc/containerd/certs.d/{host}/hosts.toml; CRI-O and docker: /etc/containers/certs.d or /etc/docker/certs.d/{host}/ca.crt; or the system's trust store."),
            format!("在每个节点上安装 CA 证书并重启运行时。containerd：在 /etc/containerd/certs.d/{host}/hosts.toml 中写 `ca = \"/path/ca.crt\"`；CRI-O、docker：/etc/containers/certs.d 或 /etc/docker/certs.d/{host}/ca.crt；或加入系统信任库。"),
        ))),
        Certificate::Expired => finding.fix(Fix::safe(Words::new(
            format!("Compare the clock of node `{node}` (`timedatectl`); if it is right, renew the registry's certificate."),
            format!("先核对节点 `{node}` 的时钟（`timedatectl`）；时钟正确则续签仓库证书。"),
        ))),
        Certificate::WrongName => finding.fix(Fix::careful(Words::new(
            "Use the name that the certificate holds, or have it made out for this one (as a subject alternative name). An answer from another server (an ingress, a portal) points at DNS or the network.",
            "使用证书中的域名，或重新签发包含该域名（SAN）的证书。如果应答来自别的服务（Ingress、认证页面），检查 DNS 或网络。",
        ))),
    }
    .some()
}

#[cfg(test)]
mod tests {
    use crate::diagnosis::Certainty;
    use crate::diagnosis::causes::images::pull::tests::answer;

    #[test]
    fn names_the_host_that_was_refused() {
        let found = answer(
            "docker.io/a/b:1",
            "failed to authorize: failed to fetch anonymous token: Get \"https://auth.docker.io/token?scope=x\": x509: certificate signed by unknown authority",
        );
        assert_eq!((found.cause.id, found.certainty), ("registry-ca-untrusted", Certainty::Confirmed));
        assert!(found.summary.en.contains("auth.docker.io"), "{}", found.summary.en);
    }

    #[test]
    fn a_handshake_that_takes_too_long_is_the_network() {
        assert_eq!(answer("r.local/a:1", "net/http: TLS handshake timeout").cause.id, "registry-unreachable");
    }
}
