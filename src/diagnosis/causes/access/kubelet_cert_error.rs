//! TLS between the API server and the kubelet fails.

use super::failed_calls;
use crate::diagnosis::{Cause, Finding, Fix, Page, Phase, Text, Words, kubectl};
use crate::facts::reading::log_error::{LogError, Tls};
use crate::facts::{Evidence, Facts};
use jiff::Timestamp;
use serde_json::Value;

pub static CAUSE: Cause = Cause {
    id: "kubelet-cert-error",
    phases: &[Phase::Access],
    guide: &["无法登录或查看日志"],
    page: Page {
        title: Text {
            en: "TLS between API server and kubelet fails", zh: "apiserver 与 kubelet 之间的 TLS 失败"
        },
        what: Text {
            en: "The API server connects to the kubelet for logs and exec, and the certificates do not agree: the kubelet has no serving certificate (its signing request was never approved), it has expired, is for another name, or is signed by an authority that the API server does not trust.",
            zh: "apiserver 连接 kubelet 获取日志或执行命令时证书不匹配：kubelet 没有服务证书（签名请求未被批准）、证书过期、名称不符，或由 apiserver 不信任的 CA 签发。",
        },
        tell: Text {
            en: "`remote error: tls: internal error` = no serving certificate; look for pending CertificateSigningRequests of kubernetes.io/kubelet-serving. `x509: …` says what is wrong with the one that is there. On a node that has just joined it passes by itself.",
            zh: "`remote error: tls: internal error` 表示没有服务证书，应检查 kubernetes.io/kubelet-serving 类型、处于 Pending 的 CSR；`x509: …` 说明现有证书的问题。刚加入的节点会自行恢复。",
        },
        fix: Text {
            en: "Check and approve the pending request (that it comes from this node and names its addresses only), get the approver running, or renew the certificate.",
            zh: "核对并批准待处理的 CSR（确认来自该节点且只包含其地址）、恢复自动批准组件，或更新证书。",
        },
        sources: &[
            "https://kubernetes.io/docs/reference/access-authn-authz/kubelet-tls-bootstrapping/#certificate-rotation",
        ],
    },
    check,
};

fn check(facts: &Facts<'_>) -> Option<Finding> {
    let pod = facts.pod()?;
    let call = failed_calls(facts, pod).find(|call| matches!(call.error, LogError::Certificate(_)))?;
    let LogError::Certificate(tls) = call.error else { return None };
    let name = pod.node_name().unwrap_or("?");
    let pending = if tls == Tls::NoServingCertificate { pending_requests(facts, name) } else { Vec::new() };
    let (why, why_zh) = words(tls);
    let (hint, hint_zh) = match pending.len() {
        0 => (String::new(), String::new()),
        n => (format!("; {n} of its signing requests wait for approval"), format!("；它有 {n} 个证书签名请求等待批准")),
    };
    let mut finding = Finding::confirmed(&CAUSE)
        .in_container(call.container)
        .because([call.evidence()])
        .because(pending.iter().take(3).map(|(request, created)| {
            Evidence::field(
                format!("certificatesigningrequest {request}"),
                format!("Pending, by system:node:{name}"),
                *created,
            )
        }))
        .says(
            format!(
                "Logs of pod {} cannot be had: TLS between the API server and node {name} fails, {why}{hint}.",
                pod.name()
            ),
            format!("无法获取 Pod {} 的日志：apiserver 与节点 {name} 之间的 TLS 失败，{why_zh}{hint_zh}。", pod.name()),
        );
    if tls == Tls::NoServingCertificate {
        finding = finding.fix(
            Fix::safe(Words::new(
                "See the signing requests; check that one is from this node and names only its own addresses.",
                "查看证书签名请求，确认来自该节点且只包含其自身地址。",
            ))
            .command("kubectl get csr"),
        );
        let target = pending.first().map_or("REQUEST", |(request, _)| request.as_str());
        finding = finding.fix(
            Fix::careful(Words::new(
                "Then approve it, and get whatever approves them by itself running again.",
                "随后批准它，并恢复自动批准组件。",
            ))
            .command(format!("kubectl certificate approve {}", kubectl::quoted(target))),
        );
    } else {
        finding = finding.fix(
            Fix::safe(Words::new(
                "Test whether it is the certificate alone: this call leaves the check out.",
                "测试是否只是证书问题：此调用跳过证书校验。",
            ))
            .command(kubectl::namespaced(
                pod.namespace(),
                &format!("logs {} --insecure-skip-tls-verify-backend --tail=1", kubectl::quoted(pod.name())),
            )),
        );
        finding = finding.fix(Fix::careful(Words::new(
            "Renew the kubelet's serving certificate (serverTLSBootstrap, or restart it after removing the old one), or give the API server the right --kubelet-certificate-authority.",
            "更新 kubelet 的服务证书（serverTLSBootstrap，或删除旧证书后重启），或为 apiserver 配置正确的 --kubelet-certificate-authority。",
        )));
    }
    finding.some()
}

fn words(tls: Tls) -> (&'static str, &'static str) {
    match tls {
        Tls::NoServingCertificate => ("the kubelet has no serving certificate", "kubelet 没有服务证书"),
        Tls::Expired => ("the certificate has expired or is not valid yet", "证书已过期或尚未生效"),
        Tls::UnknownAuthority => ("the certificate's authority is not trusted", "证书的签发机构不受信任"),
        Tls::WrongName => ("the certificate is for other names or addresses", "证书的名称或地址不符"),
        Tls::HandshakeTimeout => ("the handshake does not come to an end", "握手超时"),
        Tls::Other => ("the certificates do not agree", "证书不匹配"),
    }
}

/// Returns the node's requests for a serving certificate that nobody has answered, oldest first.
fn pending_requests(facts: &Facts<'_>, node: &str) -> Vec<(String, Option<Timestamp>)> {
    let Some(requests) = facts.world.others("CertificateSigningRequest") else { return Vec::new() };
    let text =
        |value: &Value, pointer: &str| value.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
    let mut found: Vec<_> = requests
        .seen()
        .filter(|request| {
            let usages = request.pointer("/spec/usages").and_then(Value::as_array);
            let serving = usages.is_some_and(|usages| usages.iter().any(|usage| usage.as_str() == Some("server auth")));
            let open = request.pointer("/status/conditions").and_then(Value::as_array).is_none_or(Vec::is_empty)
                && request.pointer("/status/certificate").is_none();
            serving && open && text(request, "/spec/username") == format!("system:node:{node}")
        })
        .map(|request| (text(request, "/metadata/name"), text(request, "/metadata/creationTimestamp").parse().ok()))
        .collect();
    found.sort_by_key(|(name, created)| (*created, name.clone()));
    found
}

#[cfg(test)]
mod tests {
    use crate::diagnosis::testing::{diagnose_in, world};
    use crate::diagnosis::{Certainty, Verdict};
    use crate::facts::World;
    use crate::facts::log::ContainerLog;

    fn pod(node_created: &str) -> World {
        let mut world = world(&format!(
            r"
apiVersion: v1
kind: Pod
metadata: {{name: web, namespace: prod, creationTimestamp: '2026-01-01T00:00:00Z'}}
spec: {{nodeName: a, containers: [{{name: app, image: x}}]}}
status:
  phase: Running
  conditions: [{{type: Ready, status: 'True'}}]
  containerStatuses: [{{name: app, ready: true, started: true, restartCount: 0, image: x, imageID: '', state: {{running: {{startedAt: '2026-01-01T00:00:01Z'}}}}}}]
---
apiVersion: v1
kind: Node
metadata: {{name: a, creationTimestamp: '{node_created}'}}
status: {{conditions: [{{type: Ready, status: 'True'}}]}}
---
apiVersion: certificates.k8s.io/v1
kind: CertificateSigningRequest
metadata: {{name: csr-1, creationTimestamp: '2026-01-01T00:00:00Z'}}
spec: {{username: 'system:node:a', usages: [digital signature, server auth]}}
status: {{}}
"
        ));
        let error = r#"Get "https://10.0.0.1:10250/containerLogs/prod/web/app": remote error: tls: internal error"#;
        let log = ContainerLog { error: Some(error.to_owned()), ..ContainerLog::default() };
        world.logs.insert(("prod".into(), "web".into(), "app".into()), log);
        world
    }

    #[test]
    fn a_request_that_nobody_answers_is_named() {
        let diagnosis = diagnose_in(&pod("2025-01-01T00:00:00Z"), "prod/web", "2026-01-01T01:00:00Z");
        let answer = diagnosis.answer().unwrap();
        assert_eq!((answer.cause.id, answer.certainty), ("kubelet-cert-error", Certainty::Confirmed));
        assert_eq!(answer.fixes[1].command.as_deref(), Some("kubectl certificate approve csr-1"));
    }

    #[test]
    fn a_node_that_has_just_joined_is_given_its_time() {
        let diagnosis = diagnose_in(&pod("2026-01-01T00:00:00Z"), "prod/web", "2026-01-01T00:00:40Z");
        assert_eq!(diagnosis.verdict, Verdict::Waiting);
    }
}
