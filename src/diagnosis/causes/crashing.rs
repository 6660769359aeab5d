//! Causes of phase `crashing`, and what they share: the ends of containers that still count, and who brought them about.

pub mod app_exit_clean;
pub mod app_exit_error;
pub mod cgroup_oom;
pub mod command_not_executable;
pub mod command_not_found;
pub mod deadline_exceeded;
pub mod init_container_failing;
pub mod killed_by_outsider;
pub mod lifecycle_hook_failed;
pub mod liveness_probe_killing;
pub mod node_resource_rejected;
pub mod sidecar_not_ready;
pub mod startup_probe_killing;
pub mod system_oom;

use crate::diagnosis::cause::Cause;
use crate::diagnosis::{Fix, Words, kubectl};
use crate::facts::reading::app_log::{self, Complaint, Decisive};
use crate::facts::reading::exit;
use crate::facts::reading::probe::{self, Kill, Kind};
use crate::facts::reading::runtime::{self, StartFailure};
use crate::facts::workload::controller;
use crate::facts::{ContainerView, End, Event, Evidence, Facts, PodView, Role, Stage, Workload, World, node};
use jiff::SignedDuration;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Probe;

pub static CAUSES: &[&Cause] = &[
    &node_resource_rejected::CAUSE,
    &deadline_exceeded::CAUSE,
    &system_oom::CAUSE,
    &cgroup_oom::CAUSE,
    &command_not_found::CAUSE,
    &command_not_executable::CAUSE,
    &sidecar_not_ready::CAUSE,
    &lifecycle_hook_failed::CAUSE,
    &init_container_failing::CAUSE,
    &startup_probe_killing::CAUSE,
    &liveness_probe_killing::CAUSE,
    &app_exit_error::CAUSE,
    &app_exit_clean::CAUSE,
    &killed_by_outsider::CAUSE,
];

/// The end of a container's run that is still the pod's trouble.
#[derive(Debug, Clone)]
pub struct Death<'w> {
    pub container: ContainerView<'w>,
    pub end: End<'w>,
}

/// Returns the pod whose containers may be looked at: it is not being deleted, was not thrown out or refused as a whole,
/// and its node still reports. Otherwise what stands in its status is a consequence, or stale.
pub fn living_pod<'w>(facts: &Facts<'w>) -> Option<PodView<'w>> {
    let pod = facts.pod()?;
    let stale = facts.node().present().is_some_and(node::is_silent);
    let on_its_own = pod.reason().is_empty() && !pod.is("DisruptionTarget");
    let stage = matches!(pod.stage(), Stage::Creating | Stage::Running | Stage::Failed);
    (stage && on_its_own && !stale).then_some(pod)
}

/// Returns the ends that still count, init containers first. Failed starts are among them.
pub fn deaths<'w>(facts: &Facts<'w>) -> Vec<Death<'w>> {
    let Some(pod) = living_pod(facts) else { return Vec::new() };
    let blocking = pod.blocking_init_container().map(|container| container.name());
    pod.containers()
        .filter(|container| container.role != Role::Init || blocking == Some(container.name()))
        .filter_map(|container| Some(Death { container, end: container.latest_end()? }))
        .filter(|death| counts(facts, death))
        .collect()
}

/// Returns the end of a container that still counts.
pub fn death_of<'w>(facts: &Facts<'w>, container: ContainerView<'w>) -> Option<Death<'w>> {
    deaths(facts).into_iter().find(|d| d.container.role == container.role && d.container.index == container.index)
}

fn counts(facts: &Facts<'_>, death: &Death<'_>) -> bool {
    // It died, and now not even its sandbox can be made anew: the furthest stage that fails is the trouble.
    if !death.container.is_running() && sandbox_failed_since(facts, death) {
        return false;
    }
    if let Some(waiting) = death.container.waiting() {
        // A new image that cannot be pulled, a missing ConfigMap: then that is the trouble, and not how it ended before.
        return matches!(waiting.reason, "CrashLoopBackOff" | "RunContainerError" | "PostStartHookError" | "");
    }
    !is_over(facts, death)
}

fn sandbox_failed_since(facts: &Facts<'_>, death: &Death<'_>) -> bool {
    let newest = |reasons: &[&str]| {
        let pod = death.container.pod;
        pod.events_seen(facts.world).filter(|e| reasons.contains(&e.reason.as_str())).filter_map(|e| e.last).max()
    };
    let Some(failed) = newest(&["FailedCreatePodSandBox", "FailedCreatePodContainer"]) else { return false };
    death.end.finished.is_none_or(|finished| failed > finished)
        && newest(&["Started"]).is_none_or(|started| failed > started)
}

/// Returns true where the container has since run long enough to believe that it is well again.
///
/// A container that died n times must run for n quarters of an hour, at most three hours. Or it is ready and has run
/// much longer than it did the last time, and longer than it took on average to die: it has got past the danger.
pub fn is_over(facts: &Facts<'_>, death: &Death<'_>) -> bool {
    let Some(Some(since)) = death.container.running_since() else { return false };
    let (runs, restarts) = (facts.since(since), death.container.restarts().max(1));
    // By our clock it has not started yet: the clocks differ, and its being ready is all that can be told.
    if runs.is_negative() && death.container.ready() {
        return true;
    }
    if runs >= SignedDuration::from_mins(15) * restarts.min(12) {
        return true;
    }
    // How long it took to die, on average, with the waits in between: all the time before the present run.
    let rhythm = (death.container.pod.age(facts.now) - runs).max(SignedDuration::ZERO) / restarts;
    let last = death.end.ran_for().unwrap_or(SignedDuration::ZERO);
    death.container.ready() && runs > (last * 3).max(SignedDuration::from_secs(30)) && runs > rhythm
}

impl<'w> Death<'w> {
    /// Returns the kubelet's event about the kill, where it killed this run (or is killing the one after it).
    pub fn kill(&self, world: &'w World) -> Option<(&'w Event, Kill)> {
        let slack = SignedDuration::from_secs(2);
        self.container
            .events(world)
            .filter(|event| event.reason == "Killing")
            .filter(|event| match (event.first, event.last) {
                (Some(first), Some(last)) => {
                    self.end.started.is_none_or(|started| last >= started)
                        && self.end.finished.is_none_or(|finished| first <= finished + slack)
                }
                _ => true,
            })
            .last()
            .map(|event| (event, probe::kill(event.text())))
    }

    /// Returns the probe that the kubelet killed it for: by its event, or by failures up to the end of a run that a
    /// signal ended (the recorder drops events of a noisy pod).
    pub fn killed_by_probe(&self, world: &'w World) -> Option<(Kind, &'w Event)> {
        match self.kill(world) {
            Some((event, Kill::Probe(kind))) => return Some((kind, event)),
            Some(_) => return None,
            None => {}
        }
        if !matches!(self.end.exit_code, exit::KILLED | exit::TERMINATED) {
            return None;
        }
        [Kind::Startup, Kind::Liveness].into_iter().find_map(|kind| {
            let settings = probe_of(self.container, kind)?;
            let grace =
                settings.termination_grace_period_seconds.map_or(self.container.pod.grace(), SignedDuration::from_secs);
            let near = SignedDuration::from_secs(i64::from(period(settings)) + 5).saturating_add(grace);
            let event = self.container.events(world).filter(|e| e.reason == "Unhealthy").find(|event| {
                let failure = probe::unhealthy(event.text());
                let in_time = match (event.last, self.end.finished) {
                    (Some(last), Some(finished)) => last <= finished && finished.duration_since(last) <= near,
                    _ => false,
                };
                failure.is_some_and(|f| f.kind == kind && !f.errored)
                    && in_time
                    && event.count >= u32::try_from(threshold(settings)).unwrap_or(3)
            })?;
            Some((kind, event))
        })
    }

    /// Returns true where the program ended by itself: no failed start, no lost status, nobody's kill that we know of.
    pub fn by_itself(&self, world: &'w World) -> bool {
        !self.is_failed_start()
            && !matches!(
                self.end.reason,
                "OOMKilled" | "ContainerStatusUnknown" | "Unknown" | "RestartingAllContainers" | "Evicted"
            )
            && self.kill(world).is_none_or(|(_, kill)| kill == Kill::Other)
            && self.killed_by_probe(world).is_none()
    }

    /// Returns true where the program never ran: the runtime could not start it.
    pub fn is_failed_start(&self) -> bool {
        matches!(self.end.reason, "StartError" | "ContainerCannotRun")
            || (self.end.exit_code == 128 && runtime::is_start_failure(self.end.message))
    }

    /// Returns the line of its log, or of its termination message, that says why it ended.
    pub fn last_words(&self, world: &'w World) -> Option<Decisive<'w>> {
        let from_log = self
            .container
            .log_of_latest_end(world)
            .present()
            .and_then(|log| app_log::decisive(self.container.name(), log));
        let from_message =
            || app_log::decisive(self.container.name(), self.end.message).filter(|_| !self.is_failed_start());
        from_log.or_else(from_message)
    }

    /// Returns what the decisive line complains of.
    pub fn complaint(&self, world: &'w World) -> Option<Complaint> {
        self.last_words(world).map(|words| words.complaint)
    }

    /// Returns the evidence that it ended: how, and how often.
    pub fn evidence(&self) -> Vec<Evidence> {
        let mut evidence = vec![self.end.evidence()];
        if self.container.restarts() > 0 {
            evidence.push(self.container.restarts_evidence());
        }
        evidence
    }
}

/// Returns why a container that does not run could not be created or started, with the place that says so.
pub fn start_failure<'w>(facts: &Facts<'w>, container: ContainerView<'w>) -> Option<(StartFailure, Evidence)> {
    if container.is_running() || container.done() {
        return None;
    }
    if let Some(waiting) = container.waiting()
        && matches!(
            waiting.reason,
            "RunContainerError" | "CreateContainerError" | "CreateContainerConfigError" | "StartError"
        )
        && !waiting.message.is_empty()
    {
        let failure = runtime::start_failure(waiting.message);
        if failure != StartFailure::Other {
            return Some((failure, waiting.evidence()));
        }
    }
    if let Some(end) = container.latest_end() {
        let failed = Death { container, end: end.clone() }.is_failed_start();
        if !end.message.is_empty() && (failed || runtime::is_start_failure(end.message)) {
            return Some((runtime::start_failure(end.message), end.evidence()));
        }
        if !failed {
            return None;
        }
    }
    let started = container.events(facts.world).filter(|event| event.reason == "Started").last().and_then(|e| e.last);
    let event = container
        .events(facts.world)
        .filter(|event| event.reason == "Failed" && event.text().starts_with("Error: "))
        .filter(|event| runtime::is_start_failure(event.text()) && (started.is_none() || event.last >= started))
        .last()?;
    Some((runtime::start_failure(event.text()), event.evidence()))
}

/// Returns the Job that was asked for, or the newest one of the CronJob that was asked for.
pub fn newest_job<'w>(facts: &Facts<'w>, subject: &Workload) -> Option<&'w Job> {
    match subject.kind.as_str() {
        "Job" => facts.world.jobs.get(&subject.namespace, &subject.name).present(),
        "CronJob" => facts
            .world
            .jobs
            .seen_in(&subject.namespace)
            .filter(|job| {
                controller(&job.metadata).is_some_and(|owner| owner.kind == "CronJob" && owner.name == subject.name)
            })
            .max_by_key(|job| job.metadata.creation_timestamp.as_ref().map(|t| t.0)),
        _ => None,
    }
}

/// Returns the settings of one of a container's probes.
pub fn probe_of(container: ContainerView<'_>, kind: Kind) -> Option<&Probe> {
    match kind {
        Kind::Liveness => container.spec.liveness_probe.as_ref(),
        Kind::Readiness => container.spec.readiness_probe.as_ref(),
        Kind::Startup => container.spec.startup_probe.as_ref(),
    }
}

/// Returns true for a file that needs an interpreter: `exec format error` about it means a missing `#!` line.
pub fn is_script(command: &str) -> bool {
    [".sh", ".bash", ".py", ".rb", ".pl", ".js"].iter().any(|ending| command.ends_with(ending))
}

/// Returns how often a probe is asked, in seconds; the default is 10.
pub fn period(probe: &Probe) -> i32 {
    probe.period_seconds.filter(|&n| n > 0).unwrap_or(10)
}

/// Returns after how many failures in a row a probe has failed; the default is 3.
pub fn threshold(probe: &Probe) -> i32 {
    probe.failure_threshold.filter(|&n| n > 0).unwrap_or(3)
}

/// Returns how long a probe waits for an answer, in seconds; the default is 1.
pub fn timeout(probe: &Probe) -> i32 {
    probe.timeout_seconds.filter(|&n| n > 0).unwrap_or(1)
}

/// Returns how long a container has from its start until a probe that never succeeds has failed, in seconds.
pub fn allowance(probe: &Probe) -> i32 {
    probe.initial_delay_seconds.unwrap_or(0).max(0).saturating_add(period(probe).saturating_mul(threshold(probe) - 1))
}

/// Returns true where nothing of the pod's can have been overlooked: its events were read, and the end is so young that
/// an event about it must still be there (events live for an hour).
pub fn events_cover(facts: &Facts<'_>, death: &Death<'_>) -> bool {
    !death.container.pod.events(facts.world).is_unreadable()
        && death.end.finished.is_some_and(|finished| facts.since(finished) < SignedDuration::from_mins(50))
}

/// Returns the fix that every crash begins with: read the last words.
pub fn read_the_log(facts: &Facts<'_>, container: ContainerView<'_>) -> Fix {
    // Of a container that is up again, or waits for it, the run that ended is the previous one.
    let previous = container.end().is_none();
    Fix::safe(Words::new("Read the last lines that it printed.", "查看它最后打印的日志。")).command(kubectl::logs(
        facts,
        container.name(),
        previous,
    ))
}

/// Returns "3 times", in both languages; restarts are what the API counts.
pub fn times(container: ContainerView<'_>) -> (String, String) {
    match container.restarts() {
        0 => (String::new(), String::new()),
        1 => (", restarted once so far".to_owned(), "，已重启 1 次".to_owned()),
        n => (format!(", restarted {n} times so far"), format!("，已重启 {n} 次")),
    }
}

/// Returns a duration as people say it: `45 s`, `12 min`, `3 h`, `2 d`.
pub fn span(duration: SignedDuration) -> String {
    match duration.as_secs().max(0) {
        s @ 0..120 => format!("{s} s"),
        s @ 120..7_200 => format!("{} min", s / 60),
        s @ 7_200..172_800 => format!("{} h", s / 3_600),
        s => format!("{} d", s / 86_400),
    }
}

/// Returns how a container is called in a sentence: "init container `x`" or "container `x`".
pub fn named(container: ContainerView<'_>) -> (String, String) {
    let name = container.name();
    match container.role {
        Role::Init => (format!("init container `{name}`"), format!("init 容器 `{name}`")),
        Role::Sidecar => (format!("sidecar `{name}`"), format!("sidecar 容器 `{name}`")),
        Role::App => (format!("container `{name}`"), format!("容器 `{name}`")),
    }
}

/// Returns the text with its first letter as a capital, to begin a sentence with.
pub fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}
