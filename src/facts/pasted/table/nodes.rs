//! `kubectl get nodes`.

use super::super::object::set;
use super::super::time::ago;
use super::Row;
use jiff::Timestamp;
use serde_json::{Map, Value, json};

/// Makes a thin node. `NotReady` covers both that its kubelet says so and that nothing is heard of it: the condition is
/// left out then, since only describe tells which.
pub fn node(row: &Row<'_>, now: Timestamp) -> Option<Value> {
    let words: Vec<&str> = row.cell("STATUS")?.split(',').collect();
    let mut meta = Map::new();
    meta.insert("name".into(), row.name().into());
    set(&mut meta, "creationTimestamp", row.cell("AGE").and_then(|age| ago(now, age)).map(|t| t.to_string()));
    let mut status = Map::new();
    if words.contains(&"Ready") {
        status.insert("conditions".into(), json!([{"type": "Ready", "status": "True"}]));
    }
    let cordoned = words.contains(&"SchedulingDisabled");
    Some(json!({"kind": "Node", "metadata": meta, "spec": {"unschedulable": cordoned}, "status": status}))
}
