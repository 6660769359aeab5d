//! The liveness probe restarts a container, and the probe's own reason cannot be told better.

use super::{
    Death, allowance, deaths, events_cover, named, period, probe_of, read_the_log, span, threshold, timeout, times,
};
use crate::diagnosis::cause::{Cause, Page, Phase};
use crate::diagnosis::finding::{Certainty, Finding, Fix};
use crate::diagnosis::kubectl;
use crate::diagnosis::words::{Text, Words};
use crate::facts::reading::exit;
use crate::facts::reading::probe::{self, Kind};
use crate::facts::{Event, Evidence, Facts};

pub static CAUSE: Cause = Cause {
    id: "liveness-probe-killing",
    phases: &[Phase::Crashing],
    guide: &["CrashLoopBackOff/健康检查失败"],
    page: Page {
        title: Text { en: "The liveness probe restarts it", zh: "存活检查失败导致容器被重启" },
        what: Text {
            en: "The kubelet asked the container whether it is alive, got no good answer several times in a row, and restarted \
                 it. The program did not crash by itself.",
            zh: "kubelet 对容器做存活检查，连续多次未得到正常结果，于是重启了它。程序并不是自己崩溃的。",
        },
        tell: Text {
            en: "Event `Killing` \"failed liveness probe, will be restarted\" before the end; exit 137 where the program did not \
                 heed SIGTERM, else 143 or 0. Once the events are gone: runs of nearly constant length.",
            zh: "结束前有事件 `Killing`：“failed liveness probe, will be restarted”；程序不响应 SIGTERM 时退出码 137，否则 143 或 0。\
                 事件过期后的特征：每次运行时长几乎相同。",
        },
        fix: Text {
            en: "Find out why the probe fails; let it ask only whether the process itself is stuck, never its dependencies.",
            zh: "查明探针失败的原因；存活检查只应判断进程自身是否卡死，不应依赖外部服务。",
        },
        sources: &[
            "https://kubernetes.io/docs/tasks/configure-pod-container/configure-liveness-readiness-startup-probes/",
        ],
    },
    check,
};

fn check(facts: &Facts<'_>) -> Option<Finding> {
    killing(facts, Kind::Liveness, &CAUSE)
}

/// Returns the finding that a probe of this kind kills a container.
pub(super) fn killing(facts: &Facts<'_>, kind: Kind, cause: &'static Cause) -> Option<Finding> {
    let deaths = deaths(facts);
    let seen = deaths.iter().find_map(|death| {
        let (_, event) = death.killed_by_probe(facts.world).filter(|(k, _)| *k == kind)?;
        // Old kubectl does not know every kind of probe: what is wrong with one that is not seen cannot be told.
        let is_seen = facts.part().is_none() || probe_of(death.container, kind).is_some();
        let sure = event.reason == "Killing" && is_seen;
        let certainty = if sure { Certainty::Confirmed } else { Certainty::Likely };
        Some(
            told(facts, death, kind, cause, certainty)
                .because([event.evidence()])
                .because(unhealthy(facts, death, kind).map(Event::evidence)),
        )
    });
    let (finding, death) = match seen {
        Some(finding) => (finding, None),
        None => {
            let death = deaths.iter().find(|death| fits_without_events(facts, death, kind))?;
            let certainty = if death.container.restarts() >= 3 { Certainty::Likely } else { Certainty::Possible };
            (told(facts, death, kind, cause, certainty), Some(death))
        }
    };
    let finding = match death {
        Some(death) => finding.because(death.evidence()).because(settings(death, kind)),
        None => finding,
    };
    finding.explains(&["app-exit-clean", "app-exit-error", "killed-by-outsider"]).some()
}

fn told(facts: &Facts<'_>, death: &Death<'_>, kind: Kind, cause: &'static Cause, certainty: Certainty) -> Finding {
    let ((en, zh), (times_en, times_zh)) = (named(death.container), times(death.container));
    let (probe_en, probe_zh) = match kind {
        Kind::Startup => ("startup", "启动检查"),
        _ => ("liveness", "存活检查"),
    };
    let (ran_en, ran_zh) = death
        .end
        .ran_for()
        .map_or_else(Default::default, |ran| (format!(" after {}", span(ran)), format!("（运行 {} 后）", span(ran))));
    Finding::new(cause, certainty)
        .in_container(death.container)
        .says(
            format!("The kubelet restarts {en}{ran_en} since its {probe_en} probe fails{times_en}."),
            format!("{zh} 的{probe_zh}失败，kubelet{ran_zh}将其重启{times_zh}。"),
        )
        .fix(read_the_log(facts, death.container))
        .fix(
            Fix::careful(Words::new(
                "Give the probe more time (timeoutSeconds, failureThreshold, a startupProbe for slow starts), or correct what it asks. \
                 Rolls the pods.",
                "放宽探针（timeoutSeconds、failureThreshold，启动慢则用 startupProbe），或修正探针检查的内容。会滚动重建 Pod。",
            ))
            .command(kubectl::edit(&facts.workload())),
        )
}

fn unhealthy<'w>(facts: &Facts<'w>, death: &Death<'w>, kind: Kind) -> Option<&'w Event> {
    death
        .container
        .events(facts.world)
        .filter(|event| {
            event.reason == "Unhealthy" && probe::unhealthy(event.text()).is_some_and(|failure| failure.kind == kind)
        })
        .last()
}

fn settings(death: &Death<'_>, kind: Kind) -> Option<Evidence> {
    let probe = probe_of(death.container, kind)?;
    let field = if kind == Kind::Startup { "startupProbe" } else { "livenessProbe" };
    let quote = format!(
        "initialDelaySeconds {}, periodSeconds {}, timeoutSeconds {}, failureThreshold {}",
        probe.initial_delay_seconds.unwrap_or(0),
        period(probe),
        timeout(probe),
        threshold(probe)
    );
    Some(death.container.setting(field, quote))
}

/// The events are gone or cannot be read: ended by a signal, after just the time that the probe takes to give up.
fn fits_without_events(facts: &Facts<'_>, death: &Death<'_>, kind: Kind) -> bool {
    let Some(probe) = probe_of(death.container, kind) else { return false };
    // Events that must still be there, and are not: then nobody killed it for a probe.
    if events_cover(facts, death) || death.container.restarts() < 2 || death.end.reason == "OOMKilled" {
        return false;
    }
    if !matches!(death.end.exit_code, exit::KILLED | exit::TERMINATED) || !death.by_itself(facts.world) {
        return false;
    }
    let Some(ran) = death.end.ran_for() else { return false };
    let grace = probe.termination_grace_period_seconds.unwrap_or(death.container.pod.grace().as_secs());
    let least = i64::from(allowance(probe)) - 1;
    let gives_up = i64::from(allowance(probe).saturating_add(period(probe)).saturating_add(timeout(probe)));
    let most = gives_up.saturating_add(grace).saturating_add(10);
    (least..=most).contains(&ran.as_secs())
}

#[cfg(test)]
mod tests {
    use crate::diagnosis::Certainty;
    use crate::diagnosis::testing::diagnose_pod;

    const POD: &str = r#"
kind: Pod
metadata: {namespace: shop, name: web-1, creationTimestamp: "2026-01-01T09:00:00Z"}
spec: {nodeName: n1, containers: [{name: app, image: app, livenessProbe: {exec: {command: [check]}, periodSeconds: 5}}]}
status:
  phase: Running
  containerStatuses:
  - {name: app, restartCount: 4, ready: true, started: true, image: app, imageID: "", state: {running: {startedAt: "2026-01-01T09:05:31Z"}},
     lastState: {terminated: {reason: Error, exitCode: 137, startedAt: "2026-01-01T09:04:50Z", finishedAt: "2026-01-01T09:05:30Z"}}}
"#;
    const KILLING: &str = r#"
---
kind: Event
metadata: {namespace: shop, name: e1}
involvedObject: {kind: Pod, namespace: shop, name: web-1, fieldPath: "spec.containers{app}"}
reason: Killing
message: Container app failed liveness probe, will be restarted
firstTimestamp: "2026-01-01T09:01:00Z"
lastTimestamp: "2026-01-01T09:05:00Z"
count: 4
---
kind: Event
metadata: {namespace: shop, name: e2}
involvedObject: {kind: Pod, namespace: shop, name: web-1, fieldPath: "spec.containers{app}"}
reason: Unhealthy
message: "Liveness probe failed: not well"
lastTimestamp: "2026-01-01T09:05:00Z"
count: 12
"#;

    #[test]
    fn the_kubelet_says_so() {
        let diagnosis = diagnose_pod(&format!("{POD}{KILLING}"), "shop/web-1", "2026-01-01T09:06:00Z");
        let answer = diagnosis.answer().unwrap();
        assert_eq!((answer.cause.id, answer.certainty), ("liveness-probe-killing", Certainty::Confirmed));
    }

    /// The API takes any number of seconds for a grace period.
    #[test]
    fn a_grace_period_without_end_is_no_overflow() {
        let endless = POD.replace(
            "periodSeconds: 5",
            "periodSeconds: 2147483647, terminationGracePeriodSeconds: 9223372036854775807",
        );
        let unhealthy = &KILLING[KILLING.rfind("---").unwrap()..];
        for events in ["", unhealthy] {
            let yaml = format!("{endless}{events}");
            assert!(!diagnose_pod(&yaml, "shop/web-1", "2026-01-01T09:06:00Z").symptom.is_empty());
        }
    }

    #[test]
    fn without_events_the_length_of_its_runs_speaks() {
        let diagnosis = diagnose_pod(POD, "shop/web-1", "2026-01-01T09:06:00Z");
        let answer = diagnosis.answer().unwrap();
        assert_eq!((answer.cause.id, answer.certainty), ("liveness-probe-killing", Certainty::Likely));
        let longer = POD.replace("09:04:50", "09:02:50");
        let diagnosis = diagnose_pod(&longer, "shop/web-1", "2026-01-01T09:06:00Z");
        assert!(
            diagnosis.findings.iter().all(|f| f.cause.id != "liveness-probe-killing"),
            "the probe would have ended it sooner"
        );
    }
}
