//! The probe itself is wrong: it can never succeed, whatever the program does.

use super::{Refusal, Trouble, failing, refusal};
use crate::diagnosis::cause::{Cause, Page, Phase};
use crate::diagnosis::causes::crashing::{named, read_the_log};
use crate::diagnosis::finding::{Certainty, Finding};
use crate::diagnosis::words::Text;
use crate::facts::reading::app_log::{self, Complaint};
use crate::facts::reading::probe::Output;
use crate::facts::reading::text::says;
use crate::facts::{Evidence, Facts};

pub static CAUSE: Cause = Cause {
    id: "probe-misconfigured",
    phases: &[Phase::Probes],
    guide: &["健康检查失败/健康检查配置不合理"],
    page: Page {
        title: Text { en: "The probe itself is wrong", zh: "探针配置错误" },
        what: Text {
            en: "The probe asks a port that is not the container's, names a port that does not exist, speaks the wrong protocol (HTTP \
                 to HTTPS, HTTPS to HTTP, gRPC without its health service), or runs a command that is not there or can never succeed.",
            zh: "探针访问的端口不属于容器、引用了不存在的端口名、协议不对（HTTP/HTTPS 混用、服务未实现 gRPC 健康协议），或执行的命令不存在、\
                 永远不可能成功。",
        },
        tell: Text {
            en: "\"server gave HTTP response to HTTPS client\", \"malformed HTTP response\", \"does not implement the grpc health \
                 protocol\", `errored` results, or refused on a port that the container does not declare while it declares others.",
            zh: "“server gave HTTP response to HTTPS client”、“malformed HTTP response”、“does not implement the grpc health protocol”、\
                 结果为 `errored`，或在容器未声明的端口上被拒绝（而它声明了其他端口）。",
        },
        fix: Text {
            en: "Correct the probe; the program is probably fine.", zh: "修正探针；程序本身多半没问题。"
        },
        sources: &[
            "https://kubernetes.io/docs/tasks/configure-pod-container/configure-liveness-readiness-startup-probes/",
            "https://github.com/kubernetes/kubernetes/tree/master/pkg/probe",
        ],
    },
    check,
};

fn check(facts: &Facts<'_>) -> Option<Finding> {
    failing(facts).iter().find_map(|trouble| wrong(facts, trouble))
}

fn wrong(facts: &Facts<'_>, trouble: &Trouble<'_>) -> Option<Finding> {
    let (_, port) = trouble.port().unwrap_or_default();
    let command =
        || trouble.probe.exec.as_ref().and_then(|exec| exec.command.as_ref()).map(|c| c.join(" ")).unwrap_or_default();
    let sure = Certainty::Confirmed;
    let (certainty, en, zh, evidence): (Certainty, String, String, Option<Evidence>) = match &trouble.failure.output {
        Output::UnknownPort(name) => {
            let name = if name.is_empty() { &port } else { name };
            (
                sure,
                format!("asks the port named `{name}`, which the container does not have"),
                format!("引用了容器没有的端口名 `{name}`"),
                Some(declared(trouble)),
            )
        }
        Output::UnknownHost(host) => (
            sure,
            format!("asks the host `{host}`, which cannot be resolved"),
            format!("访问的主机 `{host}` 无法解析"),
            None,
        ),
        Output::PlainAnswerToHttps | Output::NoTls => (
            sure,
            format!("speaks HTTPS to port {port}, which speaks plain HTTP"),
            format!("用 HTTPS 访问只提供 HTTP 的 {port} 端口"),
            None,
        ),
        Output::NotHttp => (
            sure,
            format!("speaks HTTP to port {port}, which speaks another protocol (TLS or gRPC)"),
            format!("用 HTTP 访问使用其他协议（TLS 或 gRPC）的 {port} 端口"),
            None,
        ),
        Output::Status(400) if asks_plain_of_tls(trouble) => (
            Certainty::Likely,
            format!("speaks plain HTTP to port {port}, which by its name or number expects HTTPS"),
            format!("用 HTTP 访问按名称或端口号应为 HTTPS 的 {port} 端口"),
            Some(declared(trouble)),
        ),
        Output::GrpcWithoutHealth => (
            sure,
            format!("asks the gRPC health service on port {port}, which does not implement it"),
            format!("访问的 {port} 端口未实现 gRPC 健康协议"),
            None,
        ),
        Output::CommandMissing(name) => {
            let name = name.clone().unwrap_or_else(command);
            (sure, format!("runs `{name}`, which is not in the image"), format!("执行的命令 `{name}` 不在镜像中"), None)
        }
        Output::CommandNotExecutable(name) => {
            let name = name.clone().unwrap_or_else(command);
            (sure, format!("runs `{name}`, which may not be executed"), format!("执行的命令 `{name}` 不可执行"), None)
        }
        Output::Printed(text) => match can_never_succeed(text) {
            Some((en, zh)) => (
                Certainty::Likely,
                format!("runs `{}`, which {en}", command()),
                format!("执行的 `{}` {zh}", command()),
                None,
            ),
            // It says "not ready", by its own lights: it, or what it looks at.
            None if trouble.killed.is_none() => (
                Certainty::Possible,
                format!("runs `{}`, which fails every time: it, or what it looks at, is not right", command()),
                format!("执行的 `{}` 每次都失败：命令本身或它检查的内容有问题", command()),
                None,
            ),
            None => return None,
        },
        Output::Refused | Output::Timeout if asks_the_node(trouble) => (
            sure,
            format!(
                "asks port {port} of the node's own loopback address: the kubelet asks from the node, not in the pod"
            ),
            format!("访问的是节点自身回环地址的 {port} 端口：kubelet 在节点上发起检查，而不是在 Pod 内"),
            None,
        ),
        Output::Refused | Output::GrpcNoConnection => match refusal(facts, trouble) {
            Refusal::WrongPort => (
                Certainty::Likely,
                format!("asks port {port}, which is refused and is none of the ports that the container declares"),
                format!("访问的 {port} 端口被拒绝，且不是容器声明的端口"),
                Some(declared(trouble)),
            ),
            Refusal::ToldElsewhere { port: other, evidence } => (
                Certainty::Likely,
                format!(
                    "asks port {port}, which is refused; the container's own flags put its health endpoint on {other}"
                ),
                format!("访问的 {port} 端口被拒绝；容器自身的启动参数将健康检查端点设在 {other} 端口"),
                Some(evidence),
            ),
            _ => return None,
        },
        // A mesh's proxy that demands mutual TLS closes what does not speak it.
        Output::Closed if in_a_mesh(facts) => (
            Certainty::Likely,
            format!("is cut off on port {port} by the mesh's proxy, which expects mutual TLS"),
            format!("在 {port} 端口被网格代理断开（代理要求双向 TLS）"),
            None,
        ),
        // Accepted and cut off without a word: mostly TLS or another protocol; or a program that breaks off its answers.
        Output::Closed if trouble.killed.is_none() && trouble.never_answered() => (
            Certainty::Possible,
            format!("is cut off on port {port} without an answer, as by a server that expects TLS or another protocol"),
            format!("在 {port} 端口连接后即被断开、没有响应，像是对方要求 TLS 或其他协议"),
            None,
        ),
        _ => return None,
    };
    let ((who_en, who_zh), (probe_en, probe_zh), (effect_en, effect_zh)) =
        (named(trouble.container), trouble.name(), trouble.effect());
    // A liveness probe that the kubelet cannot even ask never restarts anything: wrong, but nobody suffers.
    let certainty = if trouble.without_effect { Certainty::Possible } else { certainty };
    let finding = Finding::new(&CAUSE, certainty)
        .says(
            format!("The {probe_en} of {who_en} {en}, {effect_en}."),
            format!("{who_zh} 的{probe_zh}{zh}，{effect_zh}。"),
        )
        .fix(trouble.edit(
            facts,
            format!("Correct `{}` of `{}`. Rolls the pods.", trouble.field(), trouble.container.name()),
            format!("修正 `{}` 的 `{}`。会滚动重建 Pod。", trouble.container.name(), trouble.field()),
        ))
        .fix(read_the_log(facts, trouble.container));
    trouble
        .tell(finding)
        .because(evidence)
        .explains(&["probe-port-closed", "probe-http-status", "probe-too-early"])
        .some()
}

/// Returns what a probe's command says where it can never succeed: it is not there, or its credentials are wrong.
fn can_never_succeed(text: &str) -> Option<(&'static str, &'static str)> {
    let lower = text.to_ascii_lowercase();
    if says(
        &lower,
        "noauth|wrongpass|authentication failed|access denied for user|authentication required|login failed|invalid password|permission denied for|no password supplied|unauthorized|role \"",
    ) {
        return Some(("is refused for its credentials", "因凭据错误被拒绝"));
    }
    // `cat: can't open '/tmp/ready'` is how a program says that it is not well; a shell that misses its script is not.
    let last = text.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or_default().trim();
    let missing = says(last, "sh: can't open '|bash: can't open '|ash: 0: cannot open ")
        || (says(last, "sh: /|bash: /") && last.ends_with("No such file or directory"))
        || matches!(
            app_log::complaint(last),
            Some(
                Complaint::CommandNotFound { .. } | Complaint::CommandNotExecutable { .. } | Complaint::BadFlag { .. }
            )
        );
    missing.then_some(("cannot run as it is written", "无法按现有写法执行"))
}

fn declared(trouble: &Trouble<'_>) -> Evidence {
    let ports: Vec<String> = trouble
        .container
        .spec
        .ports
        .iter()
        .flatten()
        .map(|port| {
            port.name
                .as_ref()
                .map_or_else(|| port.container_port.to_string(), |name| format!("{} ({name})", port.container_port))
        })
        .collect();
    trouble.container.setting("ports", if ports.is_empty() { "(none)".to_owned() } else { ports.join(", ") })
}

/// Returns true where a plain HTTP probe asks a port that by its name or number speaks TLS: such servers answer 400.
pub(super) fn asks_plain_of_tls(trouble: &Trouble<'_>) -> bool {
    let Some(get) = &trouble.probe.http_get else { return false };
    if get.scheme.as_deref() == Some("HTTPS") {
        return false;
    }
    let (number, written) = trouble.port().unwrap_or_default();
    let name = number.and_then(|number| {
        let port = trouble.container.spec.ports.iter().flatten().find(|port| port.container_port == number)?;
        port.name.clone()
    });
    matches!(number, Some(443 | 6443 | 8443 | 9443 | 10250))
        || says(&written, "https|tls|ssl")
        || name.is_some_and(|name| says(&name, "https|tls|ssl"))
}

/// Returns true where the probe names the loopback address as its host, and the pod has a network of its own.
fn asks_the_node(trouble: &Trouble<'_>) -> bool {
    let host = trouble.probe.http_get.as_ref().and_then(|get| get.host.as_deref());
    let host = host.or(trouble.probe.tcp_socket.as_ref().and_then(|tcp| tcp.host.as_deref()));
    let of_node = trouble.container.pod.spec().is_some_and(|spec| spec.host_network == Some(true));
    !of_node && host.is_some_and(|host| matches!(host, "localhost" | "127.0.0.1" | "::1"))
}

fn in_a_mesh(facts: &Facts<'_>) -> bool {
    facts.pod().is_some_and(|pod| {
        pod.containers().any(|c| says(c.name(), "istio-proxy|linkerd-proxy|envoy|consul-dataplane|kuma-sidecar"))
    })
}

#[cfg(test)]
mod tests {
    use crate::diagnosis::Certainty;
    use crate::diagnosis::testing::diagnose_pod;

    const POD: &str = r#"
kind: Pod
metadata: {namespace: shop, name: web-1, creationTimestamp: "2026-01-01T09:00:00Z"}
spec:
  nodeName: n1
  containers: [{name: app, image: app, ports: [{containerPort: PORT, name: web}], readinessProbe: {httpGet: {port: 8080, path: /ready}}}]
status:
  phase: Running
  conditions: [{type: Ready, status: "False", lastTransitionTime: "2026-01-01T09:00:00Z"}]
  containerStatuses:
  - {name: app, restartCount: 0, ready: false, started: true, image: app, imageID: "", state: {running: {startedAt: "2026-01-01T09:00:05Z"}}}
---
kind: Event
metadata: {namespace: shop, name: e2}
involvedObject: {kind: Pod, namespace: shop, name: web-1, fieldPath: "spec.containers{app}"}
reason: Unhealthy
message: 'Readiness probe MESSAGE'
firstTimestamp: "2026-01-01T09:00:06Z"
lastTimestamp: "2026-01-01T09:01:46Z"
count: 11
"#;

    fn found(port: &str, message: &str) -> (&'static str, Certainty) {
        let diagnosis =
            diagnose_pod(&POD.replace("PORT", port).replace("MESSAGE", message), "shop/web-1", "2026-01-01T09:02:00Z");
        let answer = diagnosis.answer().unwrap();
        (answer.cause.id, answer.certainty)
    }

    #[test]
    fn it_can_never_succeed() {
        for message in [
            r#"failed: Get "https://10.0.0.9:8080/ready": http: server gave HTTP response to HTTPS client"#,
            r#"errored and resulted in unknown state: strconv.Atoi: parsing "http": invalid syntax"#,
            r#"errored: rpc error: code = Unknown desc = failed to exec in container: failed to start exec "3": OCI runtime exec failed: exec failed: unable to start container process: exec: "curl": executable file not found in $PATH: unknown"#,
        ] {
            assert_eq!(found("8080", message), ("probe-misconfigured", Certainty::Confirmed), "{message}");
        }
    }

    #[test]
    fn what_fits_it_and_others_is_a_possibility() {
        let found = |port: &str, message: &str| {
            let yaml = POD.replace("PORT", port).replace("MESSAGE", message).replace("09:01:46Z", "09:09:46Z");
            let diagnosis = diagnose_pod(&yaml, "shop/web-1", "2026-01-01T09:10:00Z");
            let answer = diagnosis.answer().unwrap();
            (answer.cause.id, answer.certainty)
        };
        for message in
            [r#"failed: Get "http://10.0.0.9:8080/ready": EOF"#, "failed: cat: /tmp/healthy: No such file or directory"]
        {
            assert_eq!(found("8080", message), ("probe-misconfigured", Certainty::Possible), "{message}");
        }
        // A command that tells what it was answered says more.
        let told = "failed: curl: (22) The requested URL returned error: 503";
        assert_eq!(found("8080", told), ("probe-http-status", Certainty::Likely));
    }

    #[test]
    fn the_kubelet_s_own_loopback_is_not_the_pod_s() {
        let refused = r#"failed: Get "http://localhost:8080/ready": dial tcp [::1]:8080: connect: connection refused"#;
        let ask = |host: &str| {
            let yaml = POD.replace("{port: 8080,", &format!("{{host: {host}, port: 8080,"));
            let yaml = yaml.replace("PORT", "8080").replace("MESSAGE", refused);
            diagnose_pod(&yaml, "shop/web-1", "2026-01-01T09:02:00Z").answer().unwrap().cause.id
        };
        assert_eq!(ask("localhost"), "probe-misconfigured");
        assert_eq!(ask("10.0.0.9"), "probe-port-closed");
    }

    #[test]
    fn its_own_flag_puts_the_endpoint_elsewhere() {
        let refused =
            r#"failed: Get "http://10.0.0.9:8080/ready": dial tcp 10.0.0.9:8080: connect: connection refused"#;
        let with = |args: &str| {
            let yaml = POD.replace("image: app, ports", &format!("image: app, args: [{args}], ports"));
            let yaml = yaml.replace("PORT", "8080").replace("MESSAGE", refused);
            diagnose_pod(&yaml, "shop/web-1", "2026-01-01T09:02:00Z").answer().unwrap().cause.id
        };
        assert_eq!(with("'--health-probe-bind-address=:9090'"), "probe-misconfigured");
        assert_eq!(with("'--health-probe-bind-address=:8080'"), "probe-port-closed");
        assert_eq!(
            with("'--health-probe-bind-address=:9090', '--listen=:8080'"),
            "probe-port-closed",
            "8080 is named too"
        );
    }

    #[test]
    fn a_refused_port_is_wrong_only_where_others_are_declared() {
        let refused =
            r#"failed: Get "http://10.0.0.9:8080/ready": dial tcp 10.0.0.9:8080: connect: connection refused"#;
        assert_eq!(found("9090", refused), ("probe-misconfigured", Certainty::Likely));
        assert_eq!(found("8080", refused), ("probe-port-closed", Certainty::Likely));
    }
}
