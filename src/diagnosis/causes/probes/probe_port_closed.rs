//! Nothing listens on the port that the probe asks, though the port is right by the settings.

use super::{Refusal, Trouble, refusal, troubles};
use crate::diagnosis::cause::{Cause, Page, Phase};
use crate::diagnosis::causes::crashing::{named, read_the_log};
use crate::diagnosis::finding::{Certainty, Finding, Fix};
use crate::diagnosis::kubectl;
use crate::diagnosis::words::{Text, Words};
use crate::facts::Facts;
use crate::facts::reading::probe::Output;
use crate::facts::reading::text::says;

pub static CAUSE: Cause = Cause {
    id: "probe-port-closed",
    phases: &[Phase::Probes],
    guide: &["健康检查失败/端口监听挂掉"],
    page: Page {
        title: Text { en: "Nothing listens on the port that is probed", zh: "被探测的端口没有监听" },
        what: Text {
            en: "The connection is refused: the program never opened the port, closed it while it lives on, or listens on 127.0.0.1 \
                 only, where the kubelet (which asks the pod's address) cannot reach it.",
            zh: "连接被拒绝：程序从未打开该端口、运行中监听挂掉，或只监听 127.0.0.1（kubelet 访问的是 Pod IP，因此不通）。",
        },
        tell: Text {
            en: "\"connection refused\" while the container runs, long after its start or after good answers. Refused after a crash \
                 is a consequence of the crash; a timeout means that something listens.",
            zh: "容器在运行、启动已久或曾正常响应，却报 “connection refused”。崩溃之后的拒绝只是结果；超时则说明有东西在监听。",
        },
        fix: Text {
            en: "Make the program listen on 0.0.0.0 (or ::) and on the probed port; if the listener dies, let the program end with it.",
            zh: "让程序监听 0.0.0.0（或 ::）上的被探测端口；若监听线程会挂掉，应让进程随之退出。",
        },
        sources: &[
            "https://kubernetes.io/docs/tasks/configure-pod-container/configure-liveness-readiness-startup-probes/",
        ],
    },
    check,
};

fn check(facts: &Facts<'_>) -> Option<Finding> {
    troubles(facts).iter().find_map(|trouble| closed(facts, trouble))
}

fn closed(facts: &Facts<'_>, trouble: &Trouble<'_>) -> Option<Finding> {
    let (seen, command, answered_before) = match &trouble.failure.output {
        Output::Refused => match refusal(facts, trouble) {
            Refusal::Closed { seen, command, answered_before } => (seen, command, answered_before),
            Refusal::TooEarly { .. } | Refusal::WrongPort | Refusal::ToldElsewhere { .. } | Refusal::NotYet => {
                return None;
            }
        },
        // The kubelet's gRPC client tries again until its time is up: a closed port reads as a failed connection.
        Output::GrpcNoConnection => match refusal(facts, trouble) {
            Refusal::WrongPort | Refusal::ToldElsewhere { .. } | Refusal::NotYet => return None,
            _ => return told(facts, trouble, Certainty::Likely, ("Nothing answers", "没有响应"), ""),
        },
        // A command's own words: its server refuses it inside the pod.
        // Where liveness kills for it, all that is sure is that its command says "not well".
        Output::Printed(text)
            if trouble.killed.is_none() && is_refused_at_home(text) && long_enough(facts, trouble) =>
        {
            return told(facts, trouble, Certainty::Likely, ("Nothing listens", "没有监听"), "");
        }
        _ => return None,
    };
    let loopback = command.is_some() || seen.as_ref().is_some_and(|seen| seen.loopback);
    let (certainty, why) = match (&seen, &command, answered_before) {
        (Some(seen), _, _) if seen.loopback => (Certainty::Confirmed, "loopback"),
        (_, Some(_), _) => (Certainty::Confirmed, "loopback"),
        (_, _, true) if trouble.killed.is_some() || trouble.event.count >= 3 => (Certainty::Confirmed, "closed"),
        (Some(seen), _, _) if seen.port.is_some() => (Certainty::Likely, "elsewhere"),
        _ => (Certainty::Likely, ""),
    };
    let evidence = seen.as_ref().map(|seen| seen.line.evidence()).into_iter().chain(command.clone());
    let elsewhere = seen.as_ref().and_then(|seen| seen.port).map(|port| port.to_string()).unwrap_or_default();
    let detail = if loopback { "" } else { elsewhere.as_str() };
    let says = match why {
        "closed" => ("Nothing listens any more", "已不再监听"),
        _ => ("Nothing listens", "没有监听"),
    };
    let mut finding = told(facts, trouble, certainty, says, detail)?.because(evidence);
    if loopback {
        let ((en, zh), (effect_en, effect_zh)) = (named(trouble.container), trouble.effect());
        let port = trouble.port().map(|(_, port)| port).unwrap_or_default();
        finding = finding.says(
            format!("The program in {en} listens on 127.0.0.1 only, so the kubelet is refused on port {port} of the pod's address, {effect_en}."),
            format!("{zh} 中的程序只监听 127.0.0.1，kubelet 访问 Pod IP 的 {port} 端口被拒绝，{effect_zh}。"),
        );
    }
    finding.some()
}

fn told(
    facts: &Facts<'_>,
    trouble: &Trouble<'_>,
    certainty: Certainty,
    what: (&str, &str),
    elsewhere: &str,
) -> Option<Finding> {
    let ((en, zh), (probe_en, probe_zh), (effect_en, effect_zh)) =
        (named(trouble.container), trouble.name(), trouble.effect());
    let port = trouble.port().map_or_else(|| "?".to_owned(), |(_, port)| port);
    let (but_en, but_zh) = if elsewhere.is_empty() {
        (String::new(), String::new())
    } else {
        (format!(" (its log says it listens on {elsewhere})"), format!("（日志显示它监听 {elsewhere}）"))
    };
    let finding = Finding::new(&CAUSE, certainty)
        .says(
            format!("{} on port {port} of {en}{but_en}: its {probe_en} is refused, {effect_en}.", what.0),
            format!("{zh} 的 {port} 端口{}{but_zh}：{probe_zh}被拒绝，{effect_zh}。", what.1),
        )
        .fix(read_the_log(facts, trouble.container));
    let finding = match facts.pod().filter(|_| trouble.container.is_running()) {
        Some(pod) => finding.fix(Fix::safe(Words::new("See what it listens on.", "查看它实际监听的端口。")).command(
            kubectl::namespaced(
                pod.namespace(),
                &format!(
                    "exec {} -c {} -- netstat -tunlp",
                    kubectl::quoted(pod.name()),
                    kubectl::quoted(trouble.container.name())
                ),
            ),
        )),
        None => finding,
    };
    let finding = finding.fix(trouble.edit(
        facts,
        "Let the program listen on 0.0.0.0 and on the port that is probed, or correct the port. Rolls the pods.",
        "让程序监听 0.0.0.0 上的被探测端口，或修正端口。会滚动重建 Pod。",
    ));
    trouble.tell(finding).some()
}

fn is_refused_at_home(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    lower.contains("connection refused") && says(&lower, "127.0.0.1|localhost|::1")
        || says(&lower, "no response|no attempt")
            && lower.contains(':')
            && says(&lower, "/var/run/postgresql|localhost|127.0.0.1")
}

fn long_enough(facts: &Facts<'_>, trouble: &Trouble<'_>) -> bool {
    trouble.runs_for(facts).as_secs() >= 60
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
  containers:
  - {name: app, image: app, command: [serve, --listen, "HOST:8080"], readinessProbe: {httpGet: {port: 8080}, periodSeconds: 3}}
status:
  phase: Running
  conditions: [{type: Ready, status: "False", reason: ContainersNotReady, lastTransitionTime: "2026-01-01T09:00:02Z"}]
  containerStatuses:
  - {name: app, restartCount: 0, ready: false, started: true, image: app, imageID: "", state: {running: {startedAt: "2026-01-01T09:00:05Z"}}}
---
kind: Event
metadata: {namespace: shop, name: e2}
involvedObject: {kind: Pod, namespace: shop, name: web-1, fieldPath: "spec.containers{app}"}
reason: Unhealthy
message: 'Readiness probe failed: Get "http://10.0.0.9:8080/": dial tcp 10.0.0.9:8080: connect: connection refused'
firstTimestamp: "2026-01-01T09:00:06Z"
lastTimestamp: "2026-01-01T09:00:20Z"
count: 6
"#;

    #[test]
    fn it_listens_to_itself_only() {
        let diagnosis = diagnose_pod(&POD.replace("HOST", "127.0.0.1"), "shop/web-1", "2026-01-01T09:00:25Z");
        let answer = diagnosis.answer().unwrap();
        assert_eq!((answer.cause.id, answer.certainty), ("probe-port-closed", Certainty::Confirmed));
    }

    #[test]
    fn it_is_given_time_to_start() {
        let yaml = POD.replace("HOST", "0.0.0.0");
        let found =
            |at| diagnose_pod(&yaml, "shop/web-1", at).answer().map(|finding| (finding.cause.id, finding.certainty));
        assert_ne!(found("2026-01-01T09:00:25Z").map(|f| f.0), Some("probe-port-closed"));
        assert_eq!(found("2026-01-01T09:04:25Z"), Some(("probe-port-closed", Certainty::Likely)));
    }
}
