//! Describe of what makes pods: Deployment, ReplicaSet, StatefulSet, DaemonSet, Job, CronJob.

use super::super::object::{metadata, number, set};
use super::super::time::moment;
use super::super::tree::{Field, Fields};
use super::pod::template;
use crate::facts::event::Event;
use serde_json::{Map, Value, json};

/// Makes a workload of the kind.
pub fn workload(kind: &str, fields: &[Field]) -> Value {
    let meta = metadata(fields);
    let mut spec = Map::new();
    let mut status = Map::new();
    if kind != "CronJob" {
        spec.insert("template".into(), template(fields));
        spec.insert("selector".into(), selector(fields.value("Selector").unwrap_or_default()));
    }
    let replicas = fields.value("Replicas").unwrap_or_default();
    match kind {
        "Deployment" => {
            set(&mut spec, "replicas", before(replicas, "desired"));
            for (word, key) in [
                ("updated", "updatedReplicas"),
                ("total", "replicas"),
                ("available", "availableReplicas"),
                ("unavailable", "unavailableReplicas"),
            ] {
                set(&mut status, key, before(replicas, word));
            }
            let strategy = fields.value("StrategyType").unwrap_or("RollingUpdate");
            spec.insert("strategy".into(), json!({"type": strategy}));
        }
        "ReplicaSet" | "ReplicationController" => {
            set(&mut spec, "replicas", before(replicas, "desired"));
            status.insert("replicas".into(), before(replicas, "current").unwrap_or(0).into());
        }
        "StatefulSet" => {
            set(&mut spec, "replicas", before(replicas, "desired"));
            status.insert("replicas".into(), before(replicas, "total").unwrap_or(0).into());
            spec.insert("serviceName".into(), "".into());
            let strategy = fields.value("Update Strategy").unwrap_or("RollingUpdate");
            spec.insert("updateStrategy".into(), json!({"type": strategy}));
        }
        "DaemonSet" => {
            for (title, key) in [
                ("Desired Number of Nodes Scheduled", "desiredNumberScheduled"),
                ("Current Number of Nodes Scheduled", "currentNumberScheduled"),
                ("Number of Nodes Scheduled with Up-to-date Pods", "updatedNumberScheduled"),
                ("Number of Nodes Scheduled with Available Pods", "numberAvailable"),
                ("Number of Nodes Misscheduled", "numberMisscheduled"),
            ] {
                status.insert(key.into(), fields.value(title).and_then(number).unwrap_or(0).into());
            }
            status.insert("numberReady".into(), status["numberAvailable"].clone());
        }
        "Job" => job(fields, &mut spec, &mut status),
        _ => {
            set(&mut spec, "schedule", fields.value("Schedule"));
            set(&mut spec, "suspend", fields.value("Suspend").map(|text| text.eq_ignore_ascii_case("true")));
            spec.insert("jobTemplate".into(), json!({}));
        }
    }
    let conditions: Vec<Value> = fields.below("Conditions").iter().filter_map(condition).collect();
    set(&mut status, "conditions", Some(conditions).filter(|list| !list.is_empty()));
    json!({"kind": kind, "metadata": meta, "spec": spec, "status": status})
}

fn job(fields: &[Field], spec: &mut Map<String, Value>, status: &mut Map<String, Value>) {
    for (title, key) in [
        ("Parallelism", "parallelism"),
        ("Completions", "completions"),
        ("Backoff Limit", "backoffLimit"),
        ("Active Deadline Seconds", "activeDeadlineSeconds"),
    ] {
        set(spec, key, fields.value(title).and_then(number));
    }
    set(spec, "suspend", fields.value("Suspend").map(|text| text == "true"));
    let pods = fields.value("Pods Statuses").unwrap_or_default();
    for (word, key) in [("Active", "active"), ("Succeeded", "succeeded"), ("Failed", "failed")] {
        set(status, key, before(pods, word));
    }
    set(status, "startTime", fields.value("Start Time").and_then(moment).map(|t| t.to_string()));
    if let Some(done) = fields.value("Completed At").and_then(moment) {
        status.insert("completionTime".into(), done.to_string().into());
        status.insert("conditions".into(), json!([{"type": "Complete", "status": "True"}]));
    }
}

/// Notes that the Job has failed: describe prints no conditions of it, but its controller's event has the same words.
pub fn failed(job: &mut Value, events: &[Event]) {
    const REASONS: [&str; 5] =
        ["BackoffLimitExceeded", "DeadlineExceeded", "FailedIndexes", "MaxFailedIndexesExceeded", "PodFailurePolicy"];
    let fails = |event: &&Event| event.component == "job-controller" && REASONS.contains(&event.reason.as_str());
    let Some(event) = events.iter().rev().find(fails) else { return };
    let mut of = Map::new();
    of.insert("type".into(), "Failed".into());
    of.insert("status".into(), "True".into());
    of.insert("reason".into(), event.reason.as_str().into());
    of.insert("message".into(), event.message.as_str().into());
    set(&mut of, "lastTransitionTime", event.last.map(|at| at.to_string()));
    job["status"]["conditions"] = json!([of]);
}

/// Returns the number before a word: `1 desired | 0 updated`, `2 current / 3 desired`, `1 Active (0 Ready) / 0 Failed`.
fn before(text: &str, word: &str) -> Option<i64> {
    text.split(['|', '/']).map(str::trim).find_map(|part| {
        let (number, rest) = part.split_once(' ')?;
        (rest.split_whitespace().next() == Some(word)).then(|| number.parse().ok())?
    })
}

/// `app=web,tier=x`; of one with expressions just the plain pairs are kept.
fn selector(text: &str) -> Value {
    let labels: Map<String, Value> = text
        .split(',')
        .filter_map(|pair| pair.split_once('='))
        .filter(|(key, _)| !key.contains([' ', '!']))
        .map(|(key, value)| (key.trim().to_owned(), value.trim().into()))
        .collect();
    json!({"matchLabels": labels})
}

/// `Available  False  MinimumReplicasUnavailable`.
fn condition(row: &Field) -> Option<Value> {
    let mut cells = row.text.split_whitespace();
    let (kind, state) = (cells.next()?, cells.next()?);
    if !matches!(state, "True" | "False" | "Unknown") {
        return None;
    }
    let mut of = Map::new();
    of.insert("type".into(), kind.into());
    of.insert("status".into(), state.into());
    set(&mut of, "reason", cells.next());
    Some(Value::Object(of))
}
