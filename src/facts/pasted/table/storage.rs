//! `kubectl get pvc` and `kubectl get pv`.

use super::super::describe::mode;
use super::super::object::set;
use super::super::time::ago;
use super::Row;
use jiff::Timestamp;
use serde_json::{Map, Value, json};

fn metadata(row: &Row<'_>, now: Timestamp) -> Map<String, Value> {
    let mut meta = Map::new();
    meta.insert("name".into(), row.name().into());
    set(&mut meta, "creationTimestamp", row.cell("AGE").and_then(|age| ago(now, age)).map(|t| t.to_string()));
    if row.cell("STATUS") == Some("Terminating") {
        meta.insert("deletionTimestamp".into(), now.to_string().into());
    }
    meta
}

fn common(row: &Row<'_>) -> (Map<String, Value>, Map<String, Value>) {
    let (mut spec, mut status) = (Map::new(), Map::new());
    set(&mut spec, "storageClassName", row.cell("STORAGECLASS"));
    let modes: Vec<&str> = row.cell("ACCESS MODES").unwrap_or_default().split(',').filter_map(mode).collect();
    set(&mut spec, "accessModes", Some(modes).filter(|modes| !modes.is_empty()));
    set(&mut status, "phase", row.cell("STATUS").filter(|word| *word != "Terminating"));
    (spec, status)
}

/// Makes a thin claim.
pub fn claim(row: &Row<'_>, now: Timestamp) -> Option<Value> {
    let mut meta = metadata(row, now);
    meta.insert("namespace".into(), row.namespace().into());
    let (mut spec, status) = common(row);
    set(&mut spec, "volumeName", row.cell("VOLUME"));
    Some(json!({"kind": "PersistentVolumeClaim", "metadata": meta, "spec": spec, "status": status}))
}

/// Makes a thin volume.
pub fn volume(row: &Row<'_>, now: Timestamp) -> Option<Value> {
    let (mut spec, status) = common(row);
    set(&mut spec, "persistentVolumeReclaimPolicy", row.cell("RECLAIM POLICY"));
    if let Some((namespace, name)) = row.cell("CLAIM").and_then(|claim| claim.split_once('/')) {
        spec.insert("claimRef".into(), json!({"namespace": namespace, "name": name}));
    }
    Some(json!({"kind": "PersistentVolume", "metadata": metadata(row, now), "spec": spec, "status": status}))
}
