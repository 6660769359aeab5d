//! Causes of phase `stopping`: a deleted pod that does not go.
//!
//! What tells them apart is the stage of the end: are the containers still running, did the kubelet begin (Killing), is
//! the grace period over, are finalizers all that is left?

pub mod finalizer_pending;
pub mod runtime_hung;
pub mod pre_stop_hanging;
pub mod sigterm_ignored;
pub mod volume_unmount_stuck;
pub mod kubelet_not_acting;

use crate::diagnosis::cause::Cause;
use crate::facts::{Evidence, Facts, PodView, Stage, node};
use jiff::{SignedDuration, Timestamp};

pub static CAUSES: &[&Cause] = &[
    &finalizer_pending::CAUSE,
    &runtime_hung::CAUSE,
    &pre_stop_hanging::CAUSE,
    &sigterm_ignored::CAUSE,
    &volume_unmount_stuck::CAUSE,
    &kubelet_not_acting::CAUSE,
];

/// How long after its deadline a pod may take to be gone: the kubelet's own rounds and the API's.
const SLACK: SignedDuration = SignedDuration::from_secs(30);

/// A pod on its way out.
pub struct Stopping<'w> {
    pub pod: PodView<'w>,
    /// When the delete was asked for: the deadline less the grace period.
    pub asked: Timestamp,
    /// When it must be gone.
    pub deadline: Timestamp,
    /// Negative while the grace period runs.
    pub overdue: SignedDuration,
    /// Every container that ran has ended, or none ever ran.
    pub all_ended: bool,
}

impl<'w> Stopping<'w> {
    /// Returns the pod of the facts where it is being deleted.
    pub fn of(facts: &Facts<'w>) -> Option<Self> {
        let pod = facts.pod().filter(|pod| pod.stage() == Stage::Terminating)?;
        let deadline = pod.deletion_deadline()?;
        let asked = pod.deletion_asked()?;
        let all_ended = !pod.containers().any(|container| container.is_running());
        Some(Self { pod, asked, deadline, overdue: facts.since(deadline), all_ended })
    }

    /// Returns true when it should have been gone for a while.
    pub fn is_overdue(&self) -> bool {
        self.overdue > SLACK
    }

    /// Returns since when it is being deleted, as evidence.
    pub fn evidence(&self) -> Evidence {
        let grace = self.pod.grace().as_secs();
        Evidence::field(
            "pod.metadata.deletionTimestamp",
            format!("{} (grace period {grace} s)", self.deadline),
            Some(self.asked),
        )
    }

    /// Returns true where the node's kubelet is known to be alive: nothing here may blame it otherwise.
    pub fn node_is_fine(&self, facts: &Facts<'_>) -> bool {
        facts.node().present().is_some_and(node::is_ready)
    }

    /// Returns true when the kubelet began to stop it after the delete. `None` = the events could not be read.
    pub fn was_begun(&self, facts: &Facts<'_>) -> Option<bool> {
        let events = self.pod.events(facts.world);
        if events.is_unreadable() {
            return None;
        }
        // Event times are cut to the second, deletion times as well.
        let since = self.asked.checked_sub(SignedDuration::from_secs(2)).unwrap_or(self.asked);
        Some(events.present().into_iter().flatten().any(|event| {
            matches!(event.reason.as_str(), "Killing" | "FailedKillPod" | "FailedPreStopHook" | "ExceededGracePeriod")
                && event.last.is_none_or(|last| last >= since)
        }))
    }
}

#[cfg(test)]
pub mod testing {
    /// Returns a pod that was deleted at 10:00:00 with 30 s of grace, on a node that is fine; `extra` goes into metadata,
    /// `spec` into its container and `state` is the state of its container.
    pub fn stopping(extra: &str, container: &str, state: &str, events: &str) -> String {
        format!(
            r#"
apiVersion: v1
kind: Pod
metadata: {{name: web, namespace: shop, uid: u1, creationTimestamp: "2026-01-01T08:00:00Z", deletionTimestamp: "2026-01-01T10:00:30Z", deletionGracePeriodSeconds: 30{extra}}}
spec: {{nodeName: n1, containers: [{{name: app, image: web:1{container}}}]}}
status:
  phase: Running
  conditions: [{{type: Ready, status: "True"}}]
  containerStatuses: [{{name: app, image: web:1, imageID: "", ready: true, restartCount: 0, state: {state}}}]
---
apiVersion: v1
kind: Node
metadata: {{name: n1}}
status: {{conditions: [{{type: Ready, status: "True"}}]}}
---
apiVersion: v1
kind: EventList
items: [{events}]
"#
        )
    }

    /// Returns an event about the pod.
    pub fn event(reason: &str, at: &str, message: &str) -> String {
        format!(
            r#"{{metadata: {{name: "{reason}{at}", namespace: shop}}, involvedObject: {{kind: Pod, namespace: shop, name: web, uid: u1}}, reason: {reason}, message: "{message}", type: Warning, count: 4, lastTimestamp: "2026-01-01T{at}Z"}},"#
        )
    }

    pub const RUNNING: &str = r#"{running: {startedAt: "2026-01-01T08:00:05Z"}}"#;
    pub const ENDED: &str = r#"{terminated: {exitCode: 0, reason: Completed, startedAt: "2026-01-01T08:00:05Z", finishedAt: "2026-01-01T10:00:10Z"}}"#;

    /// Returns the ids that a world leads to, the answer first.
    pub fn ids(yaml: &str, at: &str) -> Vec<&'static str> {
        let diagnosis = crate::diagnosis::testing::diagnose_pod(yaml, "shop/web", &format!("2026-01-01T{at}Z"));
        diagnosis.findings.iter().map(|finding| finding.cause.id).collect()
    }
}
