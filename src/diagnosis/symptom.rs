//! What a person sees in `kubectl get pods`, and since when.
//!
//! Follows the API server's own column (`pkg/printers/internalversion/printers.go`), with `NotReady` where that says
//! `Running` of a pod that serves nothing.

use crate::facts::{Facts, PodView, Role, node};
use jiff::Timestamp;

/// Returns the symptom and since when it has been so, where the objects tell.
pub fn of(facts: &Facts<'_>) -> (String, Option<Timestamp>) {
    let Some(pod) = facts.pod() else { return ("NotCreated".to_owned(), None) };
    let since_condition = |kind: &str| {
        pod.condition(kind).filter(|c| c.status != "True").and_then(|c| c.last_transition_time.as_ref()).map(|t| t.0)
    };
    let lost = facts.node().present().is_some_and(node::is_silent);
    if pod.deletion_deadline().is_some() {
        return (if lost { "Unknown" } else { "Terminating" }.to_owned(), pod.deletion_deadline());
    }
    if lost && pod.phase() == "Running" {
        return ("Unknown".to_owned(), since_condition("Ready"));
    }
    let symptom = column(pod);
    let since = match symptom.as_str() {
        "Pending" | "ContainerCreating" | "PodInitializing" | "SchedulingGated" => pod.created(),
        _ => since_condition("Ready").or(pod.created()),
    };
    (symptom, since)
}

fn column(pod: PodView<'_>) -> String {
    if pod.condition("PodScheduled").is_some_and(|c| c.reason.as_deref() == Some("SchedulingGated")) {
        return "SchedulingGated".to_owned();
    }
    if let Some(text) = blocking_init(pod) {
        return text;
    }
    let first = pod.app_containers().find_map(|container| {
        if let Some(waiting) = container.waiting() {
            return Some(if waiting.reason.is_empty() { "ContainerCreating" } else { waiting.reason }.to_owned());
        }
        let end = container.end()?;
        // Between restarts the API says `terminated` for nearly the whole back-off (kubelet ≥1.33).
        let looping = container.is_crash_looping() && pod.phase() == "Running";
        Some(if looping { "CrashLoopBackOff".to_owned() } else { end.reason.to_owned() })
    });
    if !pod.reason().is_empty() {
        return pod.reason().to_owned();
    }
    match first {
        Some(text) if !(text == "Completed" && pod.app_containers().any(|c| c.is_running())) => text,
        _ if pod.phase() == "Running" && !pod.is("Ready") => "NotReady".to_owned(),
        _ => pod.phase().to_owned(),
    }
}

fn blocking_init(pod: PodView<'_>) -> Option<String> {
    let container = pod.blocking_init_container()?;
    container.status?;
    if let Some(end) = container.end().filter(|end| end.exit_code != 0) {
        return Some(format!("Init:{}", end.reason));
    }
    match container.waiting() {
        Some(waiting) if !matches!(waiting.reason, "" | "PodInitializing") => Some(format!("Init:{}", waiting.reason)),
        _ => {
            let total = pod.init_containers().count();
            let done =
                pod.init_containers().take_while(|c| c.done() || (c.role == Role::Sidecar && c.started())).count();
            Some(format!("Init:{done}/{total}"))
        }
    }
}
