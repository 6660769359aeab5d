//! `kubectl get` of what makes pods: how many it wants and how many it has.

use super::super::object::{number, set};
use super::super::time::ago;
use super::Row;
use jiff::Timestamp;
use serde_json::{Map, Value, json};

fn of(kind: &str, row: &Row<'_>, now: Timestamp, spec: Value, status: Value) -> Option<Value> {
    let mut meta = Map::new();
    meta.insert("name".into(), row.name().rsplit('/').next().unwrap_or_default().into());
    meta.insert("namespace".into(), row.namespace().into());
    set(&mut meta, "creationTimestamp", row.cell("AGE").and_then(|age| ago(now, age)).map(|t| t.to_string()));
    let mut spec = spec;
    spec["selector"] = json!({});
    Some(json!({"kind": kind, "metadata": meta, "spec": spec, "status": status}))
}

fn count(row: &Row<'_>, head: &str) -> Option<i64> {
    row.cell(head).and_then(number)
}

/// `READY` is `1/3`.
fn ready(row: &Row<'_>) -> Option<(i64, i64)> {
    let (ready, wanted) = row.cell("READY")?.split_once('/')?;
    Some((ready.parse().ok()?, wanted.parse().ok()?))
}

/// Makes a thin Deployment. How many pods it has at all is not shown, only how many are of the newest template.
pub fn deployment(row: &Row<'_>, now: Timestamp) -> Option<Value> {
    let (ready, wanted) = ready(row)?;
    let status = json!({"readyReplicas": ready, "updatedReplicas": count(row, "UP-TO-DATE"),
        "availableReplicas": count(row, "AVAILABLE")});
    of("Deployment", row, now, json!({"replicas": wanted, "template": {}}), status)
}

/// Makes a thin ReplicaSet.
pub fn replica_set(row: &Row<'_>, now: Timestamp) -> Option<Value> {
    let status = json!({"replicas": count(row, "CURRENT")?, "readyReplicas": count(row, "READY")});
    of("ReplicaSet", row, now, json!({"replicas": count(row, "DESIRED")?}), status)
}

/// Makes a thin StatefulSet. How many pods it has that are not ready is not shown: it counts as having all.
pub fn stateful_set(row: &Row<'_>, now: Timestamp) -> Option<Value> {
    let (ready, wanted) = ready(row)?;
    let status = json!({"replicas": wanted, "readyReplicas": ready});
    of("StatefulSet", row, now, json!({"replicas": wanted, "template": {}, "serviceName": ""}), status)
}

/// Makes a thin DaemonSet.
pub fn daemon_set(row: &Row<'_>, now: Timestamp) -> Option<Value> {
    let status = json!({"desiredNumberScheduled": count(row, "DESIRED")?, "currentNumberScheduled": count(row, "CURRENT")?,
        "numberReady": count(row, "READY").unwrap_or(0), "numberMisscheduled": 0});
    of("DaemonSet", row, now, json!({"template": {}}), status)
}

/// Makes a thin Job.
pub fn job(row: &Row<'_>, now: Timestamp) -> Option<Value> {
    let (done, wanted) = row.cell("COMPLETIONS")?.split_once('/')?;
    let status = json!({"succeeded": done.parse::<i64>().ok()?});
    of("Job", row, now, json!({"completions": number(wanted), "template": {}}), status)
}
