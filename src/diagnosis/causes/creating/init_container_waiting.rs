//! An init container is still at work, and everything else waits for it.

use super::step;
use crate::diagnosis::words::Words;
use crate::diagnosis::{Cause, Finding, Fix, Page, Phase, Text, Verdict, kubectl};
use crate::facts::log::lines_from_end;
use crate::facts::{Facts, Role, Stage};
use jiff::SignedDuration;

pub static CAUSE: Cause = Cause {
    id: "init-container-waiting",
    phases: &[Phase::Creating],
    guide: &[],
    page: Page {
        title: Text { en: "An init container is still at work", zh: "Init 容器仍在运行" },
        what: Text {
            en: "Init containers run one after another, each to its end; a sidecar must have started. One that waits for a database, a DNS name or a lock holds up the pod for as long as it waits.",
            zh: "Init 容器逐个运行到结束；sidecar 必须先启动成功。如果某个 Init 容器在等待数据库、域名或锁，Pod 就会一直等待。",
        },
        tell: Text {
            en: "Status `Init:i/n` with that init container running and no restarts; its log says what it waits for. One that ends with an error is init-container-failing; a sidecar that runs and does not start waits for its startup probe.",
            zh: "状态为 `Init:i/n`，该 Init 容器在运行且没有重启；日志会说明在等什么。以错误退出的属于 Init 容器失败；sidecar 运行但未 started 是在等 startup 探针。",
        },
        fix: Text {
            en: "Read its log and provide what it waits for.", zh: "查看日志，满足它等待的条件。"
        },
        sources: &["https://kubernetes.io/docs/concepts/workloads/pods/init-containers/"],
    },
    check,
};

/// An init container that has run for less is at its normal work.
const NORMAL: SignedDuration = SignedDuration::from_mins(5);
/// One that was restarted and has run for longer than the longest back-off is waiting, not failing.
const SETTLED: SignedDuration = SignedDuration::from_mins(10);

fn check(facts: &Facts<'_>) -> Option<Finding> {
    let pod = step::pod(facts).filter(|pod| pod.stage() == Stage::Creating)?;
    let container = pod.blocking_init_container()?;
    let since = container.running_since()?;
    let running = since.map(|since| facts.since(since)).unwrap_or(pod.age(facts.now));
    // One that was restarted a moment ago fails: another cause.
    if (container.restarts() > 0 || container.last_end().is_some()) && running < SETTLED {
        return None;
    }
    // A sidecar that fails its startup probe is the probe's business.
    if container.events(facts.world).any(|event| event.reason == "Unhealthy") {
        return None;
    }
    let name = container.name();
    let minutes = running.as_mins();
    let line = container
        .log(facts.world)
        .and_then(|log| log.current.as_deref())
        .and_then(|log| lines_from_end(name, log).next());
    let (for_en, for_zh) = if minutes >= 1 {
        (format!("{minutes} min"), format!("{minutes} 分钟"))
    } else {
        (format!("{} s", running.as_secs()), format!("{} 秒", running.as_secs()))
    };
    let (what_en, what_zh) = match container.role {
        Role::Sidecar => ("Sidecar", "Sidecar 容器"),
        _ => ("Init container", "Init 容器"),
    };
    let state = container.state(
        "state.running.startedAt",
        since.map_or_else(|| "running".to_owned(), |since| since.to_string()),
        since,
    );
    let mut finding = Finding::likely(&CAUSE)
        .in_container(container)
        .because([state])
        .because(line.map(|line| line.evidence()))
        .says(
            format!("{what_en} `{name}` has been running for {for_en} and the rest of the pod waits for it."),
            format!("{what_zh} `{name}` 已运行 {for_zh}，Pod 的其余部分在等待它。"),
        )
        .fix(
            Fix::safe(Words::new("Read what it is doing or waiting for.", "查看它在做什么或等待什么。"))
                .command(kubectl::logs(facts, name, false)),
        );
    // What its log says it waits for will not come sooner for our patience.
    let says_so = line.is_some_and(|line| {
        let lower = line.text.to_ascii_lowercase();
        ["waiting", "retry", "not ready", "refused", "can't resolve", "bad address", "unreachable"]
            .iter()
            .any(|word| lower.contains(word))
    });
    if running < if says_so { NORMAL / 2 } else { NORMAL } {
        finding = finding.calm(Verdict::Waiting);
    }
    finding.some()
}

#[cfg(test)]
mod tests {
    use crate::diagnosis::Verdict;
    use crate::diagnosis::causes::creating::step::tests::{CREATING, diagnose, pod};

    fn with_init(state: &str, restarts: u32) -> String {
        let spec = "  initContainers: [{name: wait-db, image: a}]
  containers: [{name: app, image: a}]";
        pod(spec, CREATING)
            + &format!(
                "  initContainerStatuses: [{{name: wait-db, image: a, ready: false, restartCount: {restarts}, state: {state}}}]\n"
            )
    }

    #[test]
    fn one_that_runs_for_long_holds_up_the_pod() {
        let diagnosis = diagnose(&with_init("{running: {startedAt: '2026-01-01T10:00:10Z'}}", 0));
        let found = diagnosis.answer().unwrap();
        assert_eq!((found.cause.id, diagnosis.verdict), ("init-container-waiting", Verdict::Sick));
        let young = diagnose(&with_init("{running: {startedAt: '2026-01-01T10:09:10Z'}}", 0));
        assert_eq!(young.verdict, Verdict::Waiting);
    }

    #[test]
    fn one_that_was_restarted_fails() {
        let diagnosis = diagnose(&with_init("{running: {startedAt: '2026-01-01T10:00:10Z'}}", 2));
        assert!(diagnosis.findings.iter().all(|found| found.cause.id != "init-container-waiting"));
    }
}
