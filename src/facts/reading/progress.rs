//! How far the kubelet has come with a pod, read from its events: which failures of earlier steps still stand.
//!
//! The kubelet goes attach → mount → sandbox → pull → create → start. An event of a later step, or a container that
//! was started, says that every earlier step is through, so an older failure of such a step means nothing any more.

use crate::facts::{Event, PodView, World};
use jiff::{SignedDuration, Timestamp};

/// A step on the way to a running container.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    Attach,
    Mount,
    Sandbox,
    Pull,
    Create,
    Start,
}

/// Returns the step that an event shows to have been reached, and so every step before it to be through.
pub fn reached(event: &Event) -> Option<Step> {
    match event.reason.as_str() {
        // A FailedMount may be the mere wait for an attach, and one volume's attach says nothing of another's.
        "FailedAttachVolume" | "SuccessfulAttachVolume" | "FailedMount" | "FailedMapVolume" => Some(Step::Attach),
        "FailedCreatePodSandBox" | "SandboxChanged" => Some(Step::Sandbox),
        "Pulling" | "Pulled" | "ErrImageNeverPull" | "InspectFailed" => Some(Step::Pull),
        // The pod's folders come before everything else.
        "Failed" if event.text().starts_with("error making pod data directories") => None,
        "Failed" => Some(if is_about_pulling(event.text()) { Step::Pull } else { Step::Create }),
        "Created" => Some(Step::Create),
        "Started" => Some(Step::Start),
        _ => None,
    }
}

/// `Failed to pull image …`, `Error: ErrImagePull` and `Error: ImagePullBackOff` are one and the same failure.
fn is_about_pulling(text: &str) -> bool {
    text.contains("pull") || text.contains("Pull") || text.starts_with("Error: ErrImage")
}

/// Returns the pod's failed tries at a step that still stand, newest first.
///
/// None where a container runs: then volumes and sandbox are there, and events such as a FailedMount of a running pod
/// (its ConfigMap was deleted) do not hold it up. A failure that was not repeated within ten minutes before the newest
/// of its step has been overcome; the kubelet repeats what stands every two minutes at the latest.
pub fn standing<'w>(pod: PodView<'w>, world: &'w World, step: Step) -> Vec<&'w Event> {
    if pod.containers().any(|container| container.is_running()) {
        return Vec::new();
    }
    let through = through(pod, world, step);
    let mut events: Vec<_> = pod
        .events_seen(world)
        .filter(|event| event.warning && fails(event, step))
        .filter(|event| through.is_none_or(|through| event.last.is_none_or(|last| last > through)))
        .collect();
    events.reverse();
    let newest = events.first().and_then(|event| event.last);
    events.retain(|event| match (event.last, newest) {
        (Some(last), Some(newest)) => {
            step == Step::Attach || newest.duration_since(last) <= SignedDuration::from_mins(10)
        }
        _ => true,
    });
    events
}

/// Returns when the pod was last seen beyond a step.
fn through(pod: PodView<'_>, world: &World, step: Step) -> Option<Timestamp> {
    let by_event = pod
        .events_seen(world)
        .filter(|event| reached(event).is_some_and(|reached| reached > step))
        .filter_map(|event| event.last)
        .max();
    let by_start = pod.containers().filter_map(|container| container.latest_end()?.finished).max();
    by_event.max(by_start)
}

fn fails(event: &Event, step: Step) -> bool {
    match step {
        Step::Attach => event.reason == "FailedAttachVolume",
        Step::Mount => matches!(event.reason.as_str(), "FailedMount" | "FailedMapVolume"),
        Step::Sandbox => match event.reason.as_str() {
            "FailedCreatePodSandBox" | "FailedCreatePodContainer" | "NetworkNotReady" => true,
            // Kubelets up to 1.7 told sandbox errors here.
            "FailedSync" => event.text().contains("andbox"),
            _ => false,
        },
        Step::Pull | Step::Create | Step::Start => event.reason == "Failed",
    }
}
