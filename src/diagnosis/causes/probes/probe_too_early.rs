//! The probe gives up before the program can be up.

use super::{Refusal, Trouble, refusal, troubles};
use crate::diagnosis::cause::{Cause, Page, Phase};
use crate::diagnosis::causes::crashing::{allowance, named, read_the_log, span};
use crate::diagnosis::finding::{Certainty, Finding};
use crate::diagnosis::words::Text;
use crate::facts::reading::listening;
use crate::facts::reading::probe::Output;
use crate::facts::{Evidence, Facts};
use jiff::SignedDuration;

pub static CAUSE: Cause = Cause {
    id: "probe-too-early",
    phases: &[Phase::Probes],
    guide: &["健康检查失败/健康检查配置不合理"],
    page: Page {
        title: Text { en: "The probe gives it less time than it needs to start", zh: "探针给的启动时间不够" },
        what: Text {
            en: "initialDelaySeconds, periodSeconds and failureThreshold add up to less than the program needs to come up. The \
                 kubelet restarts it in the middle of its start, and the start begins anew, for ever.",
            zh: "initialDelaySeconds、periodSeconds、failureThreshold 合计小于程序启动所需时间。kubelet 在启动途中就将其重启，\
                 启动从头再来，无限循环。",
        },
        tell: Text {
            en: "Killed in every run after just the time that the settings allow, refused from the first probe on, and the log breaks \
                 off in the middle of starting. A program that listened and then stopped is another matter.",
            zh: "每次运行都在设置允许的时间刚到时被杀，从第一次探测起就被拒绝，日志停在启动过程中。先监听后停止的属于另一种情况。",
        },
        fix: Text {
            en: "A startupProbe with failureThreshold × periodSeconds of at least the longest start; not a huge initialDelaySeconds, \
                 which also delays the discovery of a real hang.",
            zh: "使用 startupProbe，使 failureThreshold × periodSeconds 不小于最长启动时间；不要用很大的 initialDelaySeconds，否则真正卡死时\
                 也发现得晚。",
        },
        sources: &[
            "https://kubernetes.io/docs/tasks/configure-pod-container/configure-liveness-readiness-startup-probes/#define-startup-probes",
        ],
    },
    check,
};

fn check(facts: &Facts<'_>) -> Option<Finding> {
    troubles(facts).iter().find_map(|trouble| too_early(facts, trouble))
}

fn too_early(facts: &Facts<'_>, trouble: &Trouble<'_>) -> Option<Finding> {
    trouble.killed.as_ref()?;
    let (certainty, evidence) = certainty(facts, trouble)?;
    let allowed = span(SignedDuration::from_secs(i64::from(allowance(trouble.probe))));
    let ((en, zh), (probe_en, probe_zh)) = (named(trouble.container), trouble.name());
    let (effect_en, effect_zh) = trouble.effect();
    let name = trouble.container.name();
    let finding = Finding::new(&CAUSE, certainty)
        .says(
            format!("The {probe_en} gives {en} only about {allowed} to start, it is not up by then, {effect_en}."),
            format!("{probe_zh}只给 {zh} 约 {allowed} 的启动时间，届时它尚未就绪，{effect_zh}。"),
        )
        .fix(read_the_log(facts, trouble.container))
        .fix(trouble.edit(
            facts,
            format!("Add a startupProbe to `{name}` (the same request, failureThreshold 30, periodSeconds 10 = 5 min to start); liveness then \
                     waits for it. Rolls the pods."),
            format!("为 `{name}` 增加 startupProbe（同样的检查，failureThreshold 30、periodSeconds 10，即 5 分钟启动时间），存活检查会等它成功后才开始。\
                     会滚动重建 Pod。"),
        ));
    trouble.tell(finding).because(evidence).explains(&["probe-port-closed", "probe-http-status"]).some()
}

fn certainty(facts: &Facts<'_>, trouble: &Trouble<'_>) -> Option<(Certainty, Option<Evidence>)> {
    match &trouble.failure.output {
        Output::Refused => match refusal(facts, trouble) {
            Refusal::TooEarly { evidence } => {
                // Two signals that know nothing of each other: the moment of the kill, and a log that breaks off.
                let agreed = evidence.is_some() && trouble.container.restarts() >= 2;
                Some((if agreed { Certainty::Confirmed } else { Certainty::Likely }, evidence))
            }
            _ => None,
        },
        // "Not ready yet" in a server's words; only where the log agrees that it is still at it.
        Output::Status(502 | 503) if trouble.never_answered() => {
            let log = trouble.log(facts)?;
            let last = crate::facts::log::lines_from_end(trouble.container.name(), log).next()?;
            listening::is_still_starting(log).then(|| (Certainty::Likely, Some(last.evidence())))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use crate::diagnosis::Certainty;
    use crate::diagnosis::testing::{diagnose_in, world};
    use crate::facts::log::ContainerLog;

    const POD: &str = r#"
kind: Pod
metadata: {namespace: shop, name: web-1, creationTimestamp: "2026-01-01T09:00:00Z"}
spec:
  nodeName: n1
  containers:
  - {name: app, image: app, ports: [{containerPort: 8080}],
     livenessProbe: {httpGet: {port: 8080}, initialDelaySeconds: 5, periodSeconds: 3, failureThreshold: 2}}
status:
  phase: Running
  containerStatuses:
  - {name: app, restartCount: 3, ready: true, started: true, image: app, imageID: "", state: {running: {startedAt: "2026-01-01T09:05:31Z"}},
     lastState: {terminated: {reason: Error, exitCode: 137, startedAt: "STARTED", finishedAt: "2026-01-01T09:05:30Z"}}}
---
kind: Event
metadata: {namespace: shop, name: e1}
involvedObject: {kind: Pod, namespace: shop, name: web-1, fieldPath: "spec.containers{app}"}
reason: Killing
message: Container app failed liveness probe, will be restarted
firstTimestamp: "2026-01-01T09:01:00Z"
lastTimestamp: "2026-01-01T09:05:28Z"
count: 3
---
kind: Event
metadata: {namespace: shop, name: e2}
involvedObject: {kind: Pod, namespace: shop, name: web-1, fieldPath: "spec.containers{app}"}
reason: Unhealthy
message: 'Liveness probe failed: Get "http://10.0.0.9:8080/": dial tcp 10.0.0.9:8080: connect: connection refused'
firstTimestamp: "2026-01-01T09:00:50Z"
lastTimestamp: "2026-01-01T09:05:28Z"
count: 6
"#;

    fn found(started: &str, log: &str) -> (&'static str, Certainty) {
        let mut world = world(&POD.replace("STARTED", started));
        let log = ContainerLog { previous: Some(log.to_owned()), ..ContainerLog::default() };
        world.logs.insert(("shop".to_owned(), "web-1".to_owned(), "app".to_owned()), log);
        let diagnosis = diagnose_in(&world, "shop/web-1", "2026-01-01T09:05:35Z");
        let answer = diagnosis.answer().unwrap();
        (answer.cause.id, answer.certainty)
    }

    #[test]
    fn killed_in_the_middle_of_its_start() {
        assert_eq!(found("2026-01-01T09:05:18Z", "booting, step 2 of 8\n"), ("probe-too-early", Certainty::Confirmed));
        assert_eq!(found("2026-01-01T09:05:18Z", ""), ("probe-too-early", Certainty::Likely));
    }

    #[test]
    fn a_listener_that_died_or_binds_elsewhere_is_no_slow_start() {
        assert_eq!(found("2026-01-01T09:03:18Z", "listening\n").0, "probe-port-closed");
        assert_eq!(found("2026-01-01T09:05:18Z", "listening on 127.0.0.1:8080\n").0, "probe-port-closed");
    }
}
