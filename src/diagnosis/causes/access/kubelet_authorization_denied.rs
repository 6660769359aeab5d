//! The kubelet refuses the API server's identity.

use super::failed_calls;
use crate::diagnosis::{Cause, Finding, Fix, Page, Phase, Text, Words};
use crate::facts::Facts;
use crate::facts::reading::log_error::{LogError, Refusal};

pub static CAUSE: Cause = Cause {
    id: "kubelet-authorization-denied",
    phases: &[Phase::Access],
    guide: &[],
    page: Page {
        title: Text { en: "The kubelet refuses the API server", zh: "kubelet 拒绝 apiserver 的身份" },
        what: Text {
            en: "The API server reaches the kubelet, and the kubelet does not let it: it does not know its client certificate (401), or knows it and gives its user no right to nodes/proxy (403). It looks like a refusal of whoever asked, and is not.",
            zh: "apiserver 能访问 kubelet，但被拒绝：kubelet 不认其客户端证书（401），或认得但该用户没有 nodes/proxy 权限（403）。看起来像是请求者自己无权，其实不是。",
        },
        tell: Text {
            en: "401: `the server has asked for the client to provide credentials ( pods/log NAME)`; the same without the bracket is the caller's own login. 403: `Forbidden (user=…, verb=get, resource=nodes, subresource(s)=[proxy])`; the caller's own 403 names pods/log.",
            zh: "401：`the server has asked for the client to provide credentials ( pods/log 名称)`，没有括号部分的是请求者自己的登录失败。403：`Forbidden (user=…, verb=get, resource=nodes, subresource(s)=[proxy])`；请求者自己的 403 会写明 pods/log。",
        },
        fix: Text {
            en: "401: give the API server a client certificate (--kubelet-client-certificate) that the kubelet's clientCAFile knows. 403: bind system:kubelet-api-admin to the user that the text names.",
            zh: "401：为 apiserver 配置 kubelet 的 clientCAFile 所信任的客户端证书（--kubelet-client-certificate）。403：将 system:kubelet-api-admin 绑定给文本中的用户。",
        },
        sources: &["https://kubernetes.io/docs/reference/access-authn-authz/kubelet-authn-authz/"],
    },
    check,
};

fn check(facts: &Facts<'_>) -> Option<Finding> {
    let pod = facts.pod()?;
    let call = failed_calls(facts, pod).find(|call| matches!(call.error, LogError::KubeletRefuses(_)))?;
    let LogError::KubeletRefuses(refusal) = call.error else { return None };
    let name = pod.node_name().unwrap_or("?");
    let user =
        call.text.split_once("user=").and_then(|(_, rest)| rest.split([',', ')']).next()).unwrap_or("the API server");
    let finding = Finding::confirmed(&CAUSE).in_container(call.container).because([call.evidence()]);
    match refusal {
        Refusal::Unauthenticated => finding
            .says(
                format!("Logs of pod {} cannot be had: the kubelet of node {name} does not know the API server's client certificate (401).", pod.name()),
                format!("无法获取 Pod {} 的日志：节点 {name} 的 kubelet 不认 apiserver 的客户端证书（401）。", pod.name()),
            )
            .fix(Fix::safe(Words::new(
                "See whether other nodes refuse as well: one node = its clientCAFile, all = the API server's certificate.",
                "确认其他节点是否也拒绝：仅一个节点则检查其 clientCAFile，全部则检查 apiserver 的证书。",
            )))
            .fix(Fix::careful(Words::new(
                "Give the API server --kubelet-client-certificate and --kubelet-client-key, signed by the CA in the kubelet's authentication.x509.clientCAFile; renew them if they have expired.",
                "为 apiserver 配置 --kubelet-client-certificate 与 --kubelet-client-key，由 kubelet 的 authentication.x509.clientCAFile 中的 CA 签发；过期则更新。",
            ))),
        Refusal::Forbidden => finding
            .says(
                format!("Logs of pod {} cannot be had: the kubelet of node {name} gives {user} no right to them (403).", pod.name()),
                format!("无法获取 Pod {} 的日志：节点 {name} 的 kubelet 没有授权给 {user}（403）。", pod.name()),
            )
            .fix(
                Fix::careful(Words::new(
                    format!("Bind the role system:kubelet-api-admin to {user}, which is the API server's own identity."),
                    format!("将角色 system:kubelet-api-admin 绑定给 {user}（apiserver 自己的身份）。"),
                ))
                .command(format!(
                    "kubectl create clusterrolebinding apiserver-kubelet-admin --clusterrole=system:kubelet-api-admin --user={}",
                    crate::diagnosis::kubectl::quoted(user)
                )),
            ),
    }
    .some()
}

#[cfg(test)]
mod tests {
    use crate::diagnosis::testing::{diagnose_in, world};
    use crate::diagnosis::{Certainty, Verdict};
    use crate::facts::World;
    use crate::facts::log::ContainerLog;

    fn pod(error: &str) -> World {
        let mut world = world(
            r"
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: prod, creationTimestamp: '2026-01-01T00:00:00Z'}
spec: {nodeName: a, containers: [{name: app, image: x}]}
status:
  phase: Running
  conditions: [{type: Ready, status: 'True'}]
  containerStatuses: [{name: app, ready: true, started: true, restartCount: 0, image: x, imageID: '', state: {running: {startedAt: '2026-01-01T00:00:01Z'}}}]
",
        );
        let log = ContainerLog { error: Some(error.to_owned()), ..ContainerLog::default() };
        world.logs.insert(("prod".into(), "web".into(), "app".into()), log);
        world
    }

    #[test]
    fn the_bracket_tells_the_kubelets_refusal() {
        let world = pod("the server has asked for the client to provide credentials ( pods/log web)");
        let diagnosis = diagnose_in(&world, "prod/web", "2026-01-01T01:00:00Z");
        let answer = diagnosis.answer().unwrap();
        assert_eq!((answer.cause.id, answer.certainty), ("kubelet-authorization-denied", Certainty::Confirmed));
    }

    #[test]
    fn the_callers_own_lack_of_rights_is_no_fault_of_the_pod() {
        let world = pod(
            r#"pods "web" is forbidden: User "bot" cannot get resource "pods/log" in API group "" in the namespace "prod""#,
        );
        let diagnosis = diagnose_in(&world, "prod/web", "2026-01-01T01:00:00Z");
        assert_eq!(diagnosis.verdict, Verdict::Healthy);
    }
}
