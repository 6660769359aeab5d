//! `kubectl describe pod`.

use super::super::object::{annotations, metadata, number, pairs, set};
use super::super::time::{ago, moment};
use super::super::tree::{Field, Fields};
use super::container::{containers, message};
use super::volume::volumes;
use crate::facts::event::Event;
use jiff::Timestamp;
use serde_json::{Map, Value, json};

/// Makes the pod. Not printed, so not in it: the message of a wait, finalizers, affinity, security contexts, hooks, the
/// times of its conditions.
pub fn pod(fields: &[Field], now: Timestamp) -> Value {
    let mut meta = metadata(fields);
    let (mut spec, statuses) = pod_spec(fields);
    let status = status(fields, &mut meta, &mut spec, statuses, now);
    json!({"kind": "Pod", "metadata": meta, "spec": spec, "status": status})
}

/// Makes the template of a workload.
pub fn template(fields: &[Field]) -> Value {
    let below = fields.below("Pod Template");
    let mut meta = Map::new();
    set(&mut meta, "labels", pairs(below.field("Labels")));
    set(&mut meta, "annotations", annotations(below.field("Annotations")));
    json!({"metadata": meta, "spec": pod_spec(below).0})
}

struct Statuses {
    init: Vec<Value>,
    app: Vec<Value>,
}

fn pod_spec(fields: &[Field]) -> (Map<String, Value>, Statuses) {
    let mut spec = Map::new();
    let (app, app_statuses) = containers(fields.below("Containers"));
    let (mut init, init_statuses) = containers(fields.below("Init Containers"));
    for (container, status) in init.iter_mut().zip(&init_statuses) {
        // Not printed, but only a sidecar among them can run and be ready.
        if status["ready"] == true && status["state"].get("running").is_some() {
            container["restartPolicy"] = "Always".into();
        }
    }
    spec.insert("containers".into(), app.into());
    set(&mut spec, "initContainers", Some(init).filter(|init| !init.is_empty()));
    set(&mut spec, "volumes", volumes(fields.below("Volumes")));
    set(&mut spec, "nodeSelector", pairs(fields.field("Node-Selectors")));
    set(&mut spec, "serviceAccountName", fields.value("Service Account"));
    set(&mut spec, "priorityClassName", fields.value("Priority Class Name"));
    set(&mut spec, "runtimeClassName", fields.value("Runtime Class Name"));
    set(&mut spec, "priority", fields.value("Priority").and_then(|text| text.parse::<i32>().ok()));
    let tolerations: Vec<Value> =
        fields.field("Tolerations").into_iter().flat_map(Field::entries).filter_map(toleration).collect();
    set(&mut spec, "tolerations", Some(tolerations).filter(|list| !list.is_empty()));
    let spreads: Vec<Value> =
        fields.field("Topology Spread Constraints").into_iter().flat_map(Field::entries).filter_map(spread).collect();
    set(&mut spec, "topologySpreadConstraints", Some(spreads).filter(|list| !list.is_empty()));
    (spec, Statuses { init: init_statuses, app: app_statuses })
}

fn status(
    fields: &[Field],
    meta: &mut Map<String, Value>,
    spec: &mut Map<String, Value>,
    statuses: Statuses,
    now: Timestamp,
) -> Value {
    let mut status = Map::new();
    if let Some(node) = fields.value("Node") {
        let (name, address) = node.split_once('/').unwrap_or((node, ""));
        spec.insert("nodeName".into(), name.into());
        set(&mut status, "hostIP", Some(address).filter(|address| !address.is_empty()));
    }
    let runs = statuses.app.iter().chain(&statuses.init).any(|status| status["state"].get("running").is_some());
    let has_state = !statuses.app.is_empty();
    match fields.value("Status") {
        Some(text) if text.starts_with("Terminating") => {
            let grace = fields.value("Termination Grace Period").and_then(number);
            set(meta, "deletionGracePeriodSeconds", grace);
            let lasts = text.split_once("lasts ").map(|(_, rest)| rest.trim_end_matches(')'));
            let deadline = match lasts {
                // Its grace period is not over: the deadline lies ahead by at most that.
                Some("<invalid>") | None => now.checked_add(jiff::SignedDuration::from_secs(grace.unwrap_or(30))).ok(),
                Some(age) => ago(now, age),
            };
            meta.insert("deletionTimestamp".into(), deadline.unwrap_or(now).to_string().into());
            // The phase is covered up; it decides nothing while the containers tell whether they run.
            status.insert("phase".into(), if runs || has_state { "Running" } else { "Pending" }.into());
        }
        phase => set(&mut status, "phase", phase),
    }
    set(&mut status, "reason", fields.value("Reason"));
    set(&mut status, "message", fields.field("Message").map(message));
    set(&mut status, "podIP", fields.value("IP"));
    set(&mut status, "nominatedNodeName", fields.value("NominatedNodeName"));
    set(&mut status, "qosClass", fields.value("QoS Class"));
    set(&mut status, "startTime", fields.value("Start Time").and_then(moment).map(|t| t.to_string()));
    let conditions: Vec<Value> = fields
        .below("Conditions")
        .iter()
        .filter_map(|row| row.text.split_once(char::is_whitespace))
        .map(|(kind, status)| (kind, status.trim()))
        .filter(|(_, status)| matches!(*status, "True" | "False" | "Unknown"))
        .map(|(kind, status)| json!({"type": kind, "status": status}))
        .collect();
    set(&mut status, "conditions", Some(conditions).filter(|list| !list.is_empty()));
    let gates: Vec<Value> = fields
        .below("Readiness Gates")
        .iter()
        .filter_map(|row| row.text.split_whitespace().next())
        .filter(|kind| *kind != "Type")
        .map(|kind| json!({"conditionType": kind}))
        .collect();
    set(spec, "readinessGates", Some(gates).filter(|list| !list.is_empty()));
    let of_job = meta.get("ownerReferences").is_some_and(|owners| owners[0]["kind"] == "Job");
    if of_job {
        // Not printed, but a Job's pods are never restarted always.
        let restarted = statuses.app.iter().any(|status| status["restartCount"].as_i64() > Some(0));
        spec.insert("restartPolicy".into(), if restarted { "OnFailure" } else { "Never" }.into());
    }
    status.insert("containerStatuses".into(), statuses.app.into());
    set(&mut status, "initContainerStatuses", Some(statuses.init).filter(|list| !list.is_empty()));
    Value::Object(status)
}

/// Notes that an ended pod is being deleted, which kubectl covers up with its phase. The kubelet's events tell: it stops a
/// container that nothing ails only because the pod is deleted; what else ends a pod leaves its reason in the status.
pub fn stopped_from_outside(pod: &mut Value, events: &[Event]) {
    let status = &pod["status"];
    if !matches!(status["phase"].as_str(), Some("Succeeded" | "Failed")) || !status["reason"].is_null() {
        return;
    }
    // A sidecar is stopped when the others have ended.
    let apps: Vec<String> = pod["spec"]["containers"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|container| Some(format!("Stopping container {}", container["name"].as_str()?)))
        .collect();
    let stops = |event: &&Event| event.reason == "Killing" && apps.iter().any(|words| event.message.trim() == words);
    let Some(stop) = events.iter().filter(stops).filter_map(|event| event.last).max() else { return };
    pod["metadata"]["deletionTimestamp"] = stop.to_string().into();
}

/// `key=value:Effect op=Exists for 300s`.
fn toleration(text: &str) -> Option<Value> {
    let mut of = Map::new();
    let (text, seconds) = match text.rsplit_once(" for ") {
        Some((text, seconds)) => (text, seconds.trim_end_matches('s').parse::<i64>().ok()),
        None => (text, None),
    };
    set(&mut of, "tolerationSeconds", seconds);
    let (text, exists) = match text.trim().strip_suffix("op=Exists") {
        Some(text) => (text.trim_end(), true),
        None => (text.trim(), false),
    };
    of.insert("operator".into(), if exists { "Exists" } else { "Equal" }.into());
    let (key, effect) = text.split_once(':').unwrap_or((text, ""));
    let (key, value) = key.split_once('=').unwrap_or((key, ""));
    set(&mut of, "key", Some(key).filter(|key| !key.is_empty()));
    set(&mut of, "value", Some(value).filter(|value| !value.is_empty()));
    set(&mut of, "effect", Some(effect).filter(|effect| !effect.is_empty()));
    (!key.is_empty() || exists).then_some(Value::Object(of))
}

/// `zone:DoNotSchedule when max skew 1 is exceeded for selector app=web`.
fn spread(text: &str) -> Option<Value> {
    let (what, rest) = text.split_once(" when max skew ")?;
    let (key, when) = what.rsplit_once(':')?;
    let mut of = json!({"topologyKey": key, "whenUnsatisfiable": when, "maxSkew": number(rest)?});
    if let Some((_, selector)) = rest.split_once(" for selector ")
        && !selector.contains(['(', '!', ' '])
    {
        let labels: Map<String, Value> =
            selector.split(',').filter_map(|pair| pair.split_once('=')).map(|(k, v)| (k.into(), v.into())).collect();
        of["labelSelector"] = json!({"matchLabels": labels});
    }
    Some(of)
}
