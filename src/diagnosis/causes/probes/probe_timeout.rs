//! The probe gets no answer in time.

use super::{Trouble, troubles};
use crate::diagnosis::cause::{Cause, Page, Phase};
use crate::diagnosis::causes::crashing::{named, read_the_log, timeout};
use crate::diagnosis::finding::{Certainty, Finding, Fix};
use crate::diagnosis::kubectl;
use crate::diagnosis::words::{Text, Words};
use crate::facts::Facts;
use crate::facts::reading::probe::Output;

pub static CAUSE: Cause = Cause {
    id: "probe-timeout",
    phases: &[Phase::Probes],
    guide: &["健康检查失败/节点负载过高"],
    page: Page {
        title: Text { en: "The probe gets no answer in time", zh: "探针超时" },
        what: Text {
            en: "Something listens, but does not answer within timeoutSeconds (1 s by default): the page is slow or waits for a \
                 dependency, the program is stuck or starved of CPU (limit, garbage collection), or packets are lost.",
            zh: "有程序在监听，但未在 timeoutSeconds（默认 1 秒）内响应：检查的页面慢或在等待依赖、程序卡住或 CPU 不足（limit、GC），\
                 或丢包。",
        },
        tell: Text {
            en: "\"Client.Timeout exceeded\", \"i/o timeout\", \"timed out after\". Refused is another matter: then nothing listens. \
                 Where unrelated pods of the node time out too, it is the node.",
            zh: "“Client.Timeout exceeded”、“i/o timeout”、“timed out after”。“refused” 则是没有监听。若同节点其他不相关 Pod 也超时，\
                 则是节点的问题。",
        },
        fix: Text {
            en: "Raise timeoutSeconds to what the page needs at its worst, let liveness ask something cheap without dependencies, and \
                 look at the CPU limit.",
            zh: "把 timeoutSeconds 调到最坏情况所需；存活检查应简单且不依赖外部；检查 CPU limit。",
        },
        sources: &[
            "https://kubernetes.io/docs/tasks/configure-pod-container/configure-liveness-readiness-startup-probes/#configure-probes",
        ],
    },
    check,
};

fn check(facts: &Facts<'_>) -> Option<Finding> {
    troubles(facts).iter().find_map(|trouble| timed_out(facts, trouble))
}

fn timed_out(facts: &Facts<'_>, trouble: &Trouble<'_>) -> Option<Finding> {
    if trouble.failure.output != Output::Timeout {
        return None;
    }
    let ((en, zh), (probe_en, probe_zh), (effect_en, effect_zh)) =
        (named(trouble.container), trouble.name(), trouble.effect());
    let seconds = timeout(trouble.probe);
    let cpu = trouble
        .container
        .limit("cpu")
        .and_then(|_| trouble.container.spec.resources.as_ref()?.limits.as_ref()?.get("cpu"))
        .map(|cpu| trouble.container.setting("resources.limits.cpu", &cpu.0));
    let finding = Finding::new(&CAUSE, Certainty::Confirmed)
        .says(
            format!("The {probe_en} of {en} gets no answer within {seconds} s, {effect_en}."),
            format!("{zh} 的{probe_zh}在 {seconds} 秒内得不到响应，{effect_zh}。"),
        )
        .fix(read_the_log(facts, trouble.container));
    let finding = match facts.pod() {
        Some(pod) => finding.fix(
            Fix::safe(Words::new("See whether it is short of CPU or memory.", "查看 CPU、内存是否吃紧。")).command(
                kubectl::namespaced(pod.namespace(), &format!("top pod {} --containers", kubectl::quoted(pod.name()))),
            ),
        ),
        None => finding,
    };
    let finding = finding.fix(trouble.edit(
        facts,
        format!("Raise timeoutSeconds (now {seconds}), or let the probe ask something cheaper; raise the CPU limit if it is throttled. Rolls the pods."),
        format!("调大 timeoutSeconds（当前 {seconds}），或让探针检查更轻的接口；若被限流则调大 CPU limit。会滚动重建 Pod。"),
    ));
    trouble.tell(finding).because(cpu).some()
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
  containers: [{name: app, image: app, readinessProbe: {httpGet: {port: 8080}}}]
status:
  phase: Running
  conditions: [{type: Ready, status: "READY", lastTransitionTime: "2026-01-01T09:01:00Z"}]
  containerStatuses:
  - {name: app, restartCount: 0, ready: IS, started: true, image: app, imageID: "", state: {running: {startedAt: "2026-01-01T09:00:05Z"}}}
---
kind: Event
metadata: {namespace: shop, name: e2}
involvedObject: {kind: Pod, namespace: shop, name: web-1, fieldPath: "spec.containers{app}"}
reason: Unhealthy
message: 'Readiness probe failed: Get "http://10.0.0.9:8080/": context deadline exceeded (Client.Timeout exceeded while awaiting headers)'
firstTimestamp: "2026-01-01T09:00:16Z"
lastTimestamp: "2026-01-01T09:00:56Z"
count: 5
"#;

    #[test]
    fn no_answer_in_time() {
        let diagnosis =
            diagnose_pod(&POD.replace("READY", "False").replace("IS", "false"), "shop/web-1", "2026-01-01T09:02:00Z");
        let answer = diagnosis.answer().unwrap();
        assert_eq!((answer.cause.id, answer.certainty), ("probe-timeout", Certainty::Confirmed));
    }

    #[test]
    fn a_slow_start_that_is_over_is_none() {
        let diagnosis =
            diagnose_pod(&POD.replace("READY", "True").replace("IS", "true"), "shop/web-1", "2026-01-01T09:02:00Z");
        assert!(diagnosis.findings.iter().all(|f| f.cause.id != "probe-timeout"));
    }

    #[test]
    fn once_is_over_and_again_and_again_is_not() {
        let ready_again = |first: &str, last: &str, count: &str| {
            let yaml = POD.replace("READY", "True").replace("IS", "true").replace("09:01:00Z", "10:00:20Z");
            let yaml = yaml.replace("2026-01-01T09:00:16Z", first).replace("2026-01-01T09:00:56Z", last);
            let yaml = yaml.replace("count: 5", &format!("count: {count}"));
            let diagnosis = diagnose_pod(&yaml, "shop/web-1", "2026-01-01T10:04:00Z");
            diagnosis.answer().unwrap().cause.id
        };
        assert_eq!(ready_again("2026-01-01T09:59:40Z", "2026-01-01T10:00:10Z", "3"), "healthy");
        assert_eq!(ready_again("2026-01-01T09:40:00Z", "2026-01-01T10:00:10Z", "12"), "probe-timeout");
    }
}
