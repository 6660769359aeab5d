//! The startup probe gives up before the program is up.

use super::liveness_probe_killing::killing;
use crate::diagnosis::cause::{Cause, Page, Phase};
use crate::diagnosis::finding::Finding;
use crate::diagnosis::words::Text;
use crate::facts::Facts;
use crate::facts::reading::probe::Kind;

pub static CAUSE: Cause = Cause {
    id: "startup-probe-killing",
    phases: &[Phase::Crashing],
    guide: &["CrashLoopBackOff/健康检查失败"],
    page: Page {
        title: Text {
            en: "The startup probe gives up before the program is up",
            zh: "启动检查在程序就绪前就放弃并重启容器",
        },
        what: Text {
            en: "The startup probe asked until failureThreshold was reached, never got a good answer, and the kubelet restarted \
                 the container, which then starts from the beginning.",
            zh: "启动检查一直失败直到达到 failureThreshold，kubelet 于是重启容器，启动又从头开始。",
        },
        tell: Text {
            en: "Event `Killing` \"failed startup probe, will be restarted\", `started: false`. Where the probe's own answer says \
                 more (an error status, a refused port, a timeout), that cause leads.",
            zh: "事件 `Killing`：“failed startup probe, will be restarted”，且 `started: false`。若探针结果能说明更多\
                （错误状态码、端口拒绝、超时），以更具体的原因为准。",
        },
        fix: Text {
            en: "Give it failureThreshold × periodSeconds of at least its longest start, or correct what the probe asks.",
            zh: "让 failureThreshold × periodSeconds 不小于最长启动时间，或修正探针检查的内容。",
        },
        sources: &[
            "https://kubernetes.io/docs/tasks/configure-pod-container/configure-liveness-readiness-startup-probes/#define-startup-probes",
        ],
    },
    check,
};

fn check(facts: &Facts<'_>) -> Option<Finding> {
    killing(facts, Kind::Startup, &CAUSE)
}

#[cfg(test)]
mod tests {
    use crate::diagnosis::Certainty;
    use crate::diagnosis::testing::diagnose_pod;

    const POD: &str = r#"
kind: Pod
metadata: {namespace: shop, name: web-1, creationTimestamp: "2026-01-01T09:00:00Z"}
spec: {nodeName: n1, containers: [{name: app, image: app, startupProbe: {exec: {command: [check]}}}]}
status:
  phase: Running
  containerStatuses:
  - {name: app, restartCount: 1, ready: false, started: false, image: app, imageID: "", state: {running: {startedAt: "2026-01-01T09:05:31Z"}},
     lastState: {terminated: {reason: Error, exitCode: 143, startedAt: "2026-01-01T09:04:50Z", finishedAt: "2026-01-01T09:05:30Z"}}}
---
kind: Event
metadata: {namespace: shop, name: e1}
involvedObject: {kind: Pod, namespace: shop, name: web-1, fieldPath: "spec.containers{app}"}
reason: Killing
message: MESSAGE
firstTimestamp: "2026-01-01T09:05:29Z"
lastTimestamp: "2026-01-01T09:05:29Z"
"#;

    #[test]
    fn the_kubelet_says_so() {
        let yaml = POD.replace("MESSAGE", "Container app failed startup probe, will be restarted");
        let answer = diagnose_pod(&yaml, "shop/web-1", "2026-01-01T09:06:00Z");
        let answer = answer.answer().unwrap();
        assert_eq!((answer.cause.id, answer.certainty), ("startup-probe-killing", Certainty::Confirmed));
    }

    #[test]
    fn a_changed_container_is_restarted_on_purpose() {
        let yaml = POD.replace("MESSAGE", "Container app definition changed, will be restarted");
        let diagnosis = diagnose_pod(&yaml, "shop/web-1", "2026-01-01T09:06:00Z");
        assert!(diagnosis.findings.iter().all(|f| !f.cause.id.ends_with("-killing")));
    }
}
