//! A pod of which there are events only: as much of its state as their words settle.

use crate::facts::event::Event;
use serde_json::{Value, json};

/// Makes a thin pod of its events, in any order; `None` where it is gone, or nothing tells its state.
pub fn pod(namespace: &str, name: &str, events: &[Event]) -> Option<Value> {
    let newest =
        |of: &dyn Fn(&Event) -> bool| events.iter().filter(|event| of(event)).filter_map(|event| event.last).max();
    let says = |event: &Event, reason: &str, start: &str| event.reason == reason && event.message.starts_with(start);
    let stopped = newest(&|event| event.reason == "Killing" && event.message.starts_with("Stopping container"));
    let last = newest(&|event| event.warning)?;
    if stopped.is_some_and(|stopped| stopped >= last) {
        return None;
    }
    let waits = |reason: &str| ("Running", json!({"waiting": {"reason": reason}}));
    let (phase, state) = if newest(&|event| says(event, "BackOff", "Back-off restarting failed container")).is_some() {
        waits("CrashLoopBackOff")
    } else if newest(&|event| says(event, "BackOff", "Back-off pulling image")).is_some() {
        waits("ImagePullBackOff")
    } else if newest(&|event| event.reason == "Started").is_some()
        || newest(&|event| event.reason == "Unhealthy").is_some()
    {
        ("Running", json!({}))
    } else {
        ("Pending", json!({"waiting": {"reason": "ContainerCreating"}}))
    };
    let phase = if state.pointer("/waiting/reason").is_some_and(|reason| reason == "ImagePullBackOff") {
        "Pending"
    } else {
        phase
    };
    let is_scheduled = events.iter().any(|event| event.reason == "Scheduled" || event.component == "kubelet")
        || !events.iter().any(|event| event.reason == "FailedScheduling");
    let mut pod = json!({
        "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"containers": [{"name": "?"}]},
        "status": {"phase": phase},
    });
    if is_scheduled {
        pod["spec"]["nodeName"] = "?".into();
        pod["status"]["containerStatuses"] =
            json!([{"name": "?", "ready": false, "restartCount": 0, "image": "", "imageID": "", "state": state}]);
    }
    Some(pod)
}
