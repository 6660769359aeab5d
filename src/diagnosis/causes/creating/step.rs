//! Where a pod is held up on its way to running: the failed steps that still stand, read once for all causes.

use crate::facts::reading::mount::{self, AttachError, MountError, MountFailure};
use crate::facts::reading::progress::{self, Step};
use crate::facts::reading::runtime::{self, StartFailure};
use crate::facts::reading::sandbox::{self, SandboxFailure};
use crate::facts::{ContainerView, Event, Evidence, Facts, PodView, Stage};
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeSet;

/// Returns the pod while it is on its way to running, or should run and does not; `None` for one that is being deleted
/// or has ended.
pub fn pod<'w>(facts: &Facts<'w>) -> Option<PodView<'w>> {
    facts.pod().filter(|pod| matches!(pod.stage(), Stage::Creating | Stage::Running))
}

/// Returns the sandbox failure that stands, and its event: the newest that says something, else the newest.
///
/// A try that only ran out of time, or found the name still reserved, mostly follows one that said why.
pub fn sandbox<'w>(facts: &Facts<'w>) -> Option<(SandboxFailure, &'w Event)> {
    let events = progress::standing(pod(facts)?, facts.world, Step::Sandbox);
    let read: Vec<_> = events.into_iter().map(|event| (sandbox::sandbox_failure(event.text()), event)).collect();
    let says_little = |failure: &SandboxFailure| {
        matches!(failure, SandboxFailure::NameReserved | SandboxFailure::Deadline | SandboxFailure::Other)
    };
    read.iter().find(|(failure, _)| !says_little(failure)).or_else(|| read.first()).cloned()
}

/// Returns the failed mounts that stand, the newest of each volume; those that pass by themselves are left out.
pub fn mounts<'w>(facts: &Facts<'w>) -> Vec<(MountError<'w>, &'w Event)> {
    let Some(pod) = pod(facts) else { return Vec::new() };
    let mut seen = BTreeSet::new();
    progress::standing(pod, facts.world, Step::Mount)
        .into_iter()
        .map(|event| (mount::mount_error(event.text()), event))
        .filter(|(error, event)| error.failure != MountFailure::Passing || lasts(event))
        .filter(|(error, event)| error.failure != MountFailure::TimedOut || attached_at(facts, pod) <= event.last)
        .filter(|(error, _)| seen.insert(error.volume))
        .collect()
}

/// Returns true where an event was repeated over more than five minutes: what passes by itself does not last so long.
fn lasts(event: &Event) -> bool {
    let span = event.last.zip(event.first).map(|(last, first)| last.duration_since(first));
    event.count >= 3 && span.is_some_and(|span| span > SignedDuration::from_mins(5))
}

/// Returns the failed attaches that stand, the newest of each volume.
pub fn attaches<'w>(facts: &Facts<'w>) -> Vec<(AttachError<'w>, &'w Event)> {
    let Some(pod) = pod(facts) else { return Vec::new() };
    let mut seen = BTreeSet::new();
    progress::standing(pod, facts.world, Step::Attach)
        .into_iter()
        .map(|event| (mount::attach_error(event.text()), event))
        .filter(|(error, _)| seen.insert(error.volume))
        .filter(|(error, event)| !attached_since(facts, pod, error.volume, event))
        .collect()
}

/// Returns when a disk of the pod was last attached by an event: a wait that ran out of time before then waited for that.
pub fn attached_at(facts: &Facts<'_>, pod: PodView<'_>) -> Option<Timestamp> {
    pod.last_event(facts.world, "SuccessfulAttachVolume").and_then(|event| event.last)
}

/// The controller says when it got through in the end.
fn attached_since(facts: &Facts<'_>, pod: PodView<'_>, volume: Option<&str>, failed: &Event) -> bool {
    pod.events_seen(facts.world).any(|event| {
        event.reason == "SuccessfulAttachVolume"
            && event.last >= failed.last
            && volume.is_none_or(|volume| event.text().contains(&format!("\"{volume}\"")))
    })
}

/// A container that cannot be created or started now.
#[derive(Debug, Clone)]
pub struct Start<'w> {
    pub container: ContainerView<'w>,
    /// `CreateContainerConfigError`, `StartError` …
    pub reason: &'w str,
    pub text: &'w str,
    pub failure: StartFailure,
    pub evidence: Evidence,
}

/// Returns the containers that cannot be created or started now.
///
/// The failure stands in `state.waiting` or, between tries, in the last end (StartError, ContainerCannotRun). A container
/// that ran before it ended is not among them.
pub fn starts<'w>(facts: &Facts<'w>) -> Vec<Start<'w>> {
    let Some(pod) = pod(facts) else { return Vec::new() };
    pod.containers().filter_map(|container| start(facts, container)).collect()
}

const WAITING: [&str; 6] = [
    "CreateContainerConfigError",
    "CreateContainerError",
    "RunContainerError",
    "PreCreateHookError",
    "PreStartHookError",
    "Blocked",
];

fn start<'w>(facts: &Facts<'w>, container: ContainerView<'w>) -> Option<Start<'w>> {
    if container.is_running() || container.done() {
        return None;
    }
    let read = |reason: &'w str, text: &'w str, evidence| {
        Some(Start { container, reason, text, failure: runtime::start_failure(text), evidence })
    };
    if let Some(waiting) = container.waiting()
        && (WAITING.contains(&waiting.reason) || waiting.reason.contains(' '))
    {
        // Some errors of the kubelet's image manager and hooks become the reason, whole.
        let own =
            if waiting.message.is_empty() && waiting.reason.contains(' ') { waiting.reason } else { waiting.message };
        if !own.is_empty() {
            return read(waiting.reason, own, waiting.evidence());
        }
        let event = container.events(facts.world).filter(|event| event.reason == "Failed").last()?;
        return read(waiting.reason, event.text(), event.evidence());
    }
    let end = container.latest_end()?;
    let failed = matches!(end.reason, "StartError" | "ContainerCannotRun")
        || (end.exit_code >= 126 && end.started.is_none() && runtime::is_start_failure(end.message));
    if failed { read(end.reason, end.message, end.evidence()) } else { None }
}

/// Returns every error text of kubelet and runtime that holds the pod up, with its evidence and its container.
pub fn texts<'w>(facts: &Facts<'w>) -> Vec<(&'w str, Evidence, Option<ContainerView<'w>>)> {
    let Some(pod) = pod(facts) else { return Vec::new() };
    let mut texts: Vec<_> =
        starts(facts).into_iter().map(|start| (start.text, start.evidence, Some(start.container))).collect();
    for step in [Step::Sandbox, Step::Mount] {
        let events = progress::standing(pod, facts.world, step);
        texts.extend(events.into_iter().map(|event| (event.text(), event.evidence(), None)));
    }
    // Pull errors and, at pod level, "error making pod data directories: …".
    for event in progress::standing(pod, facts.world, Step::Pull) {
        let about = event.container.as_deref();
        let container = pod.containers().find(|container| Some(container.name()) == about);
        if container.is_none_or(|container| !container.is_running()) {
            texts.push((event.text(), event.evidence(), container));
        }
    }
    texts
}

/// Returns the kernel of the pod's node, where it was read.
pub fn kernel(facts: &Facts<'_>) -> Option<(u32, u32)> {
    let node = facts.node().present()?;
    let version = &node.status.as_ref()?.node_info.as_ref()?.kernel_version;
    let mut parts = version.split(['.', '-']).map_while(|part| part.parse().ok());
    Some((parts.next()?, parts.next()?))
}

/// Returns true where pod and node are so young that the node's own agents may still be starting.
pub fn node_is_starting(facts: &Facts<'_>) -> bool {
    let young = |age: SignedDuration| age < SignedDuration::from_mins(3);
    let node = facts.node().present().and_then(|node| node.metadata.creation_timestamp.as_ref());
    node.is_some_and(|created| young(facts.since(created.0)))
        && facts.pod().is_some_and(|pod| young(pod.age(facts.now)))
}

/// Returns the pod's node by name, or a placeholder to fill in.
pub fn node_name<'w>(facts: &Facts<'w>) -> &'w str {
    facts.pod().and_then(|pod| pod.node_name()).unwrap_or("NODE")
}

/// Returns a text from outside, short and without what could break a sentence's code marks.
pub fn plain(text: &str) -> String {
    let one_line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).filter(|c| *c != '`').collect();
    crate::facts::evidence::shorten(one_line.trim(), 200)
}

#[cfg(test)]
pub mod tests {
    use crate::diagnosis::{Diagnosis, testing};

    /// Returns a pod `shop/web` on node `n1` that waits for its containers, with `spec` and `status` lines added.
    pub fn pod(spec: &str, waiting: &str) -> String {
        format!(
            "
apiVersion: v1
kind: Pod
metadata: {{name: web, namespace: shop, uid: u1, creationTimestamp: '2026-01-01T10:00:00Z'}}
spec:
  nodeName: n1
{spec}
status:
  phase: Pending
  conditions: [{{type: PodScheduled, status: 'True', lastTransitionTime: '2026-01-01T10:00:00Z'}}]
  containerStatuses:
  - name: app
    image: a
    ready: false
    restartCount: 0
    state: {{waiting: {waiting}}}
"
        )
    }

    /// The containers of the smallest pod.
    pub const APP: &str = "  containers: [{name: app, image: a}]";

    /// The state of a pod that the kubelet has not come to.
    pub const CREATING: &str = "{reason: ContainerCreating}";

    /// Returns a Warning about the pod, seen at 10:`minute`.
    pub fn event(reason: &str, minute: u32, message: &str) -> String {
        let message = message.replace('\'', "''");
        format!(
            "
---
apiVersion: v1
kind: Event
metadata: {{name: 'e{minute}{reason}', namespace: shop}}
involvedObject: {{kind: Pod, namespace: shop, name: web, uid: u1}}
reason: {reason}
type: Warning
message: '{message}'
count: 3
firstTimestamp: '2026-01-01T10:00:05Z'
lastTimestamp: '2026-01-01T10:{minute:02}:00Z'
"
        )
    }

    /// Diagnoses `shop/web` at 10:10.
    pub fn diagnose(yaml: &str) -> Diagnosis {
        testing::diagnose_pod(yaml, "shop/web", "2026-01-01T10:10:00Z")
    }

    /// Returns the causes found for `shop/web` at 10:10.
    pub fn causes(yaml: &str) -> Vec<&'static str> {
        diagnose(yaml).findings.iter().map(|finding| finding.cause.id).collect()
    }
}
