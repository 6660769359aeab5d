//! What a pod is stuck in, and since when, from its own objects alone: a restart of podoctor neither forgets nor counts anew.

use crate::facts::lean::{LeanContainer, LeanPod};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// A state that is no trouble for a while, and trouble after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Symptom {
    /// Not scheduled.
    Pending,
    /// Scheduled, and its containers are not there yet.
    Creating,
    /// Deleted, and its grace period is over.
    Terminating,
    /// Running, and not ready.
    NotReady,
    /// A container keeps ending.
    CrashLooping,
    /// Nobody reports about it any more.
    Unknown,
}

impl Symptom {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Pending, Self::Creating, Self::Terminating, Self::NotReady, Self::CrashLooping, Self::Unknown];

    /// Returns the word for settings and annotations: `crash-looping`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Creating => "creating",
            Self::Terminating => "terminating",
            Self::NotReady => "not-ready",
            Self::CrashLooping => "crash-looping",
            Self::Unknown => "unknown",
        }
    }
}

/// What a pod is in, and since when where its objects tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stuck {
    pub symptom: Symptom,
    pub since: Timestamp,
    /// The moment at which this stops being so if nothing happens: a crash loop that does not crash.
    pub until: Option<Timestamp>,
}

/// A container that has run for so long is no longer in a crash loop: the kubelet starts its back-off anew (10 minutes).
const LOOP_OVER: SignedDuration = SignedDuration::from_mins(10);
/// The kubelet's first back-off; it doubles up to five minutes.
const FIRST_BACK_OFF: i64 = 10;
const LONGEST_BACK_OFF: i64 = 300;
/// One restart is an accident.
const LOOP_RESTARTS: i32 = 2;

/// Returns what a pod is in; `None` = nothing that could become trouble. `silent` = since when its node says nothing.
pub fn of(pod: &LeanPod, silent: Option<Timestamp>, now: Timestamp) -> Option<Stuck> {
    let at = |symptom, since| Some(Stuck { symptom, since, until: None });
    let created = pod.metadata.creation_timestamp.as_ref().map_or(now, |t| t.0);
    let finished = matches!(pod.status.phase.as_str(), "Succeeded" | "Failed");
    if let Some(deleted) = &pod.metadata.deletion_timestamp {
        // The time of deletion holds the grace period already.
        return match silent {
            Some(silent) if !finished => at(Symptom::Unknown, silent),
            _ => at(Symptom::Terminating, deleted.0),
        };
    }
    if finished {
        return None;
    }
    let ready_since = pod.condition("Ready").and_then(|c| c.last_transition_time.as_ref()).map_or(created, |t| t.0);
    if pod.status.phase == "Unknown" || pod.status.reason.as_deref() == Some("NodeLost") {
        return at(Symptom::Unknown, silent.unwrap_or(ready_since));
    }
    if let Some(silent) = silent.filter(|_| pod.spec.node_name.is_some()) {
        return at(Symptom::Unknown, silent);
    }
    if let Some((since, until)) = pod.containers().filter_map(|container| looping(container, created)).min() {
        return (until > now).then_some(Stuck { symptom: Symptom::CrashLooping, since, until: Some(until) });
    }
    match pod.status.phase.as_str() {
        "Running" if pod.is("Ready") => None,
        "Running" => at(Symptom::NotReady, ready_since.max(started(pod).unwrap_or(ready_since))),
        _ if pod.is("PodScheduled") || pod.spec.node_name.is_some() => at(Symptom::Creating, created),
        _ => at(Symptom::Pending, created),
    }
}

/// Returns when the last of the containers that are not ready was started: before, nobody could expect it to be.
fn started(pod: &LeanPod) -> Option<Timestamp> {
    let unready = pod.status.container_statuses.iter().filter(|container| !container.ready);
    unready.filter_map(|container| Some(container.state.running.as_ref()?.started_at.as_ref()?.0)).max()
}

/// Returns since when at the latest a container keeps ending, and when that is over should it not end again.
///
/// The back-offs between `n` restarts tell how long it has gone on at least; no memory is needed.
fn looping(container: &LeanContainer, created: Timestamp) -> Option<(Timestamp, Timestamp)> {
    let waits = container.state.waiting.as_ref().is_some_and(|waiting| waiting.reason == "CrashLoopBackOff");
    let ended = container.state.terminated.as_ref().filter(|end| end.exit_code != 0);
    let last = ended.or(container.last_state.terminated.as_ref())?;
    let finished = last.finished_at.as_ref()?.0;
    // A container that ends well and is started again by policy loops as well, once the kubelet holds it back.
    if !waits && (container.restart_count < LOOP_RESTARTS || (ended.is_none() && last.exit_code == 0)) {
        return None;
    }
    let lasted: i64 =
        (0..container.restart_count.clamp(0, 20)).map(|n| (FIRST_BACK_OFF << n.min(10)).min(LONGEST_BACK_OFF)).sum();
    let since = finished.saturating_sub(SignedDuration::from_secs(lasted)).unwrap_or(created).max(created);
    // While it is held back it loops, however long that takes.
    let until = if waits { Timestamp::MAX } else { finished.saturating_add(LOOP_OVER).unwrap_or(Timestamp::MAX) };
    Some((since, until))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod(yaml: &str) -> LeanPod {
        serde_saphyr::from_str(yaml).expect("a pod")
    }

    fn at(text: &str) -> Timestamp {
        text.parse().expect("a time")
    }

    fn stuck(yaml: &str) -> Option<(Symptom, String)> {
        of(&pod(yaml), None, at("2026-05-01T10:00:00Z")).map(|stuck| (stuck.symptom, stuck.since.to_string()))
    }

    #[test]
    fn a_pod_without_a_node_is_pending_since_it_was_made() {
        let yaml = "metadata: {name: a, creationTimestamp: '2026-05-01T09:50:00Z'}\nstatus: {phase: Pending}";
        assert_eq!(stuck(yaml), Some((Symptom::Pending, "2026-05-01T09:50:00Z".into())));
        let yaml = "metadata: {name: a, creationTimestamp: '2026-05-01T09:50:00Z'}\nspec: {nodeName: n}\nstatus: {phase: Pending}";
        assert_eq!(stuck(yaml), Some((Symptom::Creating, "2026-05-01T09:50:00Z".into())));
    }

    #[test]
    fn a_pod_that_serves_or_has_ended_is_nothing() {
        let ready = "conditions: [{type: Ready, status: 'True'}]";
        assert_eq!(stuck(&format!("metadata: {{name: a}}\nstatus: {{phase: Running, {ready}}}")), None);
        assert_eq!(stuck("metadata: {name: a}\nstatus: {phase: Succeeded}"), None);
        assert_eq!(stuck("metadata: {name: a}\nstatus: {phase: Failed, reason: Evicted}"), None);
    }

    #[test]
    fn a_crash_loop_is_as_old_as_its_back_offs() {
        let yaml = "
metadata: {name: a, creationTimestamp: '2026-05-01T08:00:00Z'}
status:
  phase: Running
  conditions: [{type: Ready, status: 'True', lastTransitionTime: '2026-05-01T09:59:00Z'}]
  containerStatuses:
  - restartCount: 3
    state: {running: {}}
    lastState: {terminated: {exitCode: 1, finishedAt: '2026-05-01T09:58:00Z'}}";
        // 10 + 20 + 40 seconds before the last end; it is up again, and nobody believes it for ten minutes.
        assert_eq!(stuck(yaml), Some((Symptom::CrashLooping, "2026-05-01T09:56:50Z".into())));
        let later = of(&pod(yaml), None, at("2026-05-01T10:08:01Z"));
        assert_eq!(later, None, "it has run for ten minutes");
    }

    #[test]
    fn a_container_that_has_just_started_is_not_late() {
        let yaml = "
metadata: {name: a, creationTimestamp: '2026-05-01T09:00:00Z'}
status:
  phase: Running
  conditions: [{type: Ready, status: 'False', lastTransitionTime: '2026-05-01T09:00:00Z'}]
  containerStatuses: [{ready: false, state: {running: {startedAt: '2026-05-01T09:59:50Z'}}}]";
        assert_eq!(stuck(yaml), Some((Symptom::NotReady, "2026-05-01T09:59:50Z".into())));
    }

    #[test]
    fn a_silent_node_makes_its_pods_unknown() {
        let yaml = "metadata: {name: a}\nspec: {nodeName: n}\nstatus: {phase: Running, conditions: [{type: Ready, status: 'False'}]}";
        let silent = at("2026-05-01T09:30:00Z");
        let found = of(&pod(yaml), Some(silent), at("2026-05-01T10:00:00Z")).expect("stuck");
        assert_eq!((found.symptom, found.since), (Symptom::Unknown, silent));
    }

    #[test]
    fn a_deleted_pod_counts_from_the_end_of_its_grace() {
        let yaml = "metadata: {name: a, deletionTimestamp: '2026-05-01T10:00:30Z'}\nstatus: {phase: Running}";
        assert_eq!(stuck(yaml), Some((Symptom::Terminating, "2026-05-01T10:00:30Z".into())));
    }
}
