//! The node cannot reach the registry: name, network, proxy, or the registry itself is down.

use super::pull;
use crate::diagnosis::words::Words;
use crate::diagnosis::{Cause, Certainty, Finding, Fix, Page, Phase, Text, kubectl};
use crate::facts::Facts;
use crate::facts::reading::image::{self, PullFailure};
use crate::facts::reading::text::between;

pub static CAUSE: Cause = Cause {
    id: "registry-unreachable",
    phases: &[Phase::Images],
    guide: &["ContainerCreating/Kubelet 无法访问镜像仓库", "Pending/镜像无法下载"],
    page: Page {
        title: Text { en: "The node cannot reach the registry", zh: "节点无法访问镜像仓库" },
        what: Text {
            en: "The runtime of the node gets no connection to the registry: its name is not resolved (by the node's own resolver, not the cluster's DNS), a firewall or proxy is in the way, or the registry is down. The pause image counts too: every pod needs it.",
            zh: "节点的运行时无法连接镜像仓库：域名无法解析（使用节点的解析器，而不是集群 DNS）、被防火墙或代理阻断，或仓库本身宕机。pause 镜像同理：每个 Pod 都需要它。",
        },
        tell: Text {
            en: "`no such host`, `i/o timeout`, `connection refused`, `TLS handshake timeout`, `proxyconnect`, `503`. A sandbox that fails with `failed to get sandbox image` is this, not a network plugin's fault.",
            zh: "`no such host`、`i/o timeout`、`connection refused`、`TLS handshake timeout`、`proxyconnect`、`503`。Sandbox 报 `failed to get sandbox image` 属于此类，而不是网络插件故障。",
        },
        fix: Text {
            en: "Try the address from the node; correct DNS, firewall or the runtime's proxy settings; use a mirror where the registry cannot be reached at all.",
            zh: "在节点上访问该地址；修正 DNS、防火墙或运行时的代理设置；完全无法访问时使用镜像站。",
        },
        sources: &[
            "https://kubernetes.io/docs/concepts/containers/images/",
            "https://github.com/containerd/containerd/blob/main/docs/hosts.md",
        ],
    },
    check,
};

fn check(facts: &Facts<'_>) -> Option<Finding> {
    let pull = pull::find(facts, |failure| {
        matches!(failure, PullFailure::Dns | PullFailure::Unreachable | PullFailure::Proxy | PullFailure::ServerError)
    })?;
    let (subject, node) = (pull.subject(), pull::node_name(facts));
    let asked = between(&pull.text, "\"https://", "/").or_else(|| between(&pull.text, "\"http://", "/"));
    let host = pull::plain(asked.filter(|host| !host.is_empty()).unwrap_or(pull.registry()));
    let (en, zh) = match pull.failure {
        PullFailure::Dns => {
            let name = pull::plain(image::unresolved_host(&pull.text).unwrap_or(&host));
            (
                format!("Node `{node}` cannot resolve the name `{name}`, so {} is not fetched.", subject.en),
                format!("节点 `{node}` 无法解析域名 `{name}`，因此无法拉取{}。", subject.zh),
            )
        }
        PullFailure::Proxy => (
            format!(
                "The proxy between node `{node}` and registry `{host}` refuses or is down, so {} is not fetched.",
                subject.en
            ),
            format!("节点 `{node}` 到镜像仓库 `{host}` 之间的代理不可用，因此无法拉取{}。", subject.zh),
        ),
        PullFailure::ServerError => (
            format!("Registry `{host}` fails with a server error, so {} is not fetched.", subject.en),
            format!("镜像仓库 `{host}` 返回服务端错误，因此无法拉取{}。", subject.zh),
        ),
        _ => {
            let at = image::dialled(&pull.text)
                .filter(|address| *address != host)
                .map(|address| format!(" ({})", pull::plain(address)))
                .unwrap_or_default();
            (
                format!("Node `{node}` gets no connection to registry `{host}`{at}, so {} is not fetched.", subject.en),
                format!("节点 `{node}` 无法连接镜像仓库 `{host}`{at}，因此无法拉取{}。", subject.zh),
            )
        }
    };
    let finding = pull.finding(&CAUSE, Certainty::Confirmed).shares("registry", "", pull.registry()).says(en, zh).fix(
        Fix::safe(Words::new("Try it from the node (run this there).", "在节点上测试（在节点上执行）。"))
            .command(format!("curl -vI -m 10 {}", kubectl::quoted(&format!("https://{host}/v2/")))),
    );
    let finding = match pull.failure {
        PullFailure::Dns => finding.fix(Fix::safe(Words::new(
            "Check the name for a typo, then the node's /etc/resolv.conf: the runtime does not use the cluster's DNS, so Service names do not resolve.",
            "先检查域名是否写错，再检查节点的 /etc/resolv.conf：运行时不使用集群 DNS，因此无法解析 Service 域名。",
        ))),
        PullFailure::Proxy => finding.fix(Fix::careful(Words::new(
            "Correct HTTP_PROXY, HTTPS_PROXY and NO_PROXY of the runtime's service on the node, then restart it.",
            "修正节点上运行时服务的 HTTP_PROXY、HTTPS_PROXY 和 NO_PROXY，然后重启。",
        ))),
        PullFailure::ServerError => finding.fix(Fix::safe(Words::new(
            "Look at the registry's own status and logs; the kubelet tries again at least every five minutes.",
            "查看仓库自身的状态和日志；kubelet 至少每五分钟重试一次。",
        ))),
        _ => finding.fix(Fix::safe(Words::new(
            "Check that the registry runs, and the firewall and routes from the node to it.",
            "检查仓库是否运行，以及节点到仓库的防火墙和路由。",
        ))),
    };
    finding
        .fix(Fix::careful(Words::new(
            "If the nodes cannot reach it at all: pull through a mirror (the runtime's registry settings), or copy the image to a registry that they reach.",
            "如果节点完全无法访问：在运行时配置镜像站，或把镜像复制到可访问的仓库。",
        )))
        .some()
}

#[cfg(test)]
mod tests {
    use crate::diagnosis::Certainty;
    use crate::diagnosis::causes::images::pull::tests::{answer, causes};

    #[test]
    fn a_name_that_does_not_resolve() {
        let found = answer(
            "r.svc:5000/a:1",
            "Get \"https://r.svc:5000/v2/\": dial tcp: lookup r.svc on 10.1.1.1:53: no such host",
        );
        assert_eq!((found.cause.id, found.certainty), ("registry-unreachable", Certainty::Confirmed));
        assert!(found.summary.en.contains("cannot resolve the name `r.svc`"), "{}", found.summary.en);
    }

    const SANDBOX: &str = "
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: shop, uid: u1, creationTimestamp: '2026-01-01T10:00:00Z'}
spec: {nodeName: n1, containers: [{name: app, image: a}]}
status:
  phase: Pending
  containerStatuses: [{name: app, image: a, ready: false, restartCount: 0, state: {waiting: {reason: ContainerCreating}}}]
---
apiVersion: v1
kind: Event
metadata: {name: e1, namespace: shop}
involvedObject: {kind: Pod, namespace: shop, name: web, uid: u1}
reason: FailedCreatePodSandBox
type: Warning
message: 'Failed to create pod sandbox: rpc error: code = Unknown desc = failed to get sandbox image \"registry.k8s.io/pause:3.9\": failed to pull image \"registry.k8s.io/pause:3.9\": failed to do request: Head \"https://registry.k8s.io/v2/pause/manifests/3.9\": dial tcp 34.96.108.209:443: i/o timeout'
lastTimestamp: '2026-01-01T10:05:00Z'
";

    #[test]
    fn the_pause_image_is_an_image_too() {
        assert_eq!(causes(SANDBOX).first(), Some(&"registry-unreachable"));
    }

    #[test]
    fn a_sandbox_that_came_up_since_is_no_trouble() {
        let later = "
---
apiVersion: v1
kind: Event
metadata: {name: e2, namespace: shop}
involvedObject: {kind: Pod, namespace: shop, name: web, uid: u1, fieldPath: 'spec.containers{app}'}
reason: Pulling
type: Normal
message: Pulling image \"a\"
lastTimestamp: '2026-01-01T10:06:00Z'
";
        assert!(!causes(&format!("{SANDBOX}{later}")).contains(&"registry-unreachable"));
    }
}
