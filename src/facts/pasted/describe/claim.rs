//! Describe of storage: PersistentVolumeClaim, PersistentVolume, StorageClass.

use super::super::object::{metadata, set};
use super::super::time::ago;
use super::super::tree::{Field, Fields};
use super::volume::source;
use jiff::Timestamp;
use serde_json::{Map, Value, json};

/// Makes the claim. What it asks for is printed only once it is bound.
pub fn claim(fields: &[Field], now: Timestamp) -> Value {
    let mut meta = metadata(fields);
    let mut spec = Map::new();
    let mut status = Map::new();
    set(&mut meta, "finalizers", finalizers(fields));
    set(&mut spec, "storageClassName", fields.value("StorageClass"));
    set(&mut spec, "volumeName", fields.value("Volume"));
    set(&mut spec, "volumeMode", fields.value("VolumeMode"));
    phase(fields, &mut meta, &mut status, now);
    if let Some(modes) = modes(fields) {
        spec.insert("accessModes".into(), modes.clone().into());
        status.insert("accessModes".into(), modes.into());
    }
    if let Some(capacity) = fields.value("Capacity") {
        status.insert("capacity".into(), json!({"storage": capacity}));
        spec.insert("resources".into(), json!({"requests": {"storage": capacity}}));
    }
    json!({"kind": "PersistentVolumeClaim", "metadata": meta, "spec": spec, "status": status})
}

/// Makes the volume.
pub fn volume(fields: &[Field], now: Timestamp) -> Value {
    let mut meta = metadata(fields);
    let mut spec = Map::new();
    let mut status = Map::new();
    set(&mut meta, "finalizers", finalizers(fields));
    phase(fields, &mut meta, &mut status, now);
    set(&mut spec, "storageClassName", fields.value("StorageClass"));
    set(&mut spec, "persistentVolumeReclaimPolicy", fields.value("Reclaim Policy"));
    set(&mut spec, "volumeMode", fields.value("VolumeMode"));
    set(&mut spec, "accessModes", modes(fields));
    if let Some((namespace, name)) = fields.value("Claim").and_then(|claim| claim.split_once('/')) {
        spec.insert("claimRef".into(), json!({"namespace": namespace, "name": name}));
    }
    if let Some(capacity) = fields.value("Capacity") {
        spec.insert("capacity".into(), json!({"storage": capacity}));
    }
    set(&mut status, "message", fields.value("Message"));
    if let Some((key, source)) = source(fields.below("Source")) {
        spec.insert(key.into(), source);
    }
    set(&mut spec, "nodeAffinity", affinity(fields.below("Node Affinity")));
    json!({"kind": "PersistentVolume", "metadata": meta, "spec": spec, "status": status})
}

/// Makes the class.
pub fn class(fields: &[Field]) -> Value {
    let mut meta = metadata(fields);
    if fields.value("IsDefaultClass") == Some("Yes") {
        meta.insert("annotations".into(), json!({"storageclass.kubernetes.io/is-default-class": "true"}));
    } else {
        meta.remove("annotations");
    }
    let mut class = Map::new();
    class.insert("kind".into(), "StorageClass".into());
    class.insert("metadata".into(), meta.into());
    class.insert("provisioner".into(), fields.value("Provisioner").unwrap_or_default().into());
    set(&mut class, "reclaimPolicy", fields.value("ReclaimPolicy"));
    set(&mut class, "volumeBindingMode", fields.value("VolumeBindingMode"));
    if let Some(parameters) = fields.value("Parameters") {
        let parameters: Map<String, Value> = parameters
            .split(',')
            .filter_map(|pair| pair.split_once('='))
            .map(|(key, value)| (key.to_owned(), value.into()))
            .collect();
        class.insert("parameters".into(), parameters.into());
    }
    Value::Object(class)
}

fn phase(fields: &[Field], meta: &mut Map<String, Value>, status: &mut Map<String, Value>, now: Timestamp) {
    match fields.value("Status") {
        Some(text) if text.starts_with("Terminating") => {
            let since = text.split_once("lasts ").and_then(|(_, rest)| ago(now, rest.trim_end_matches(')')));
            meta.insert("deletionTimestamp".into(), since.unwrap_or(now).to_string().into());
        }
        phase => set(status, "phase", phase),
    }
}

/// `[kubernetes.io/pvc-protection other]`.
fn finalizers(fields: &[Field]) -> Option<Vec<String>> {
    let list: Vec<String> =
        fields.value("Finalizers")?.trim_matches(['[', ']']).split_whitespace().map(str::to_owned).collect();
    (!list.is_empty()).then_some(list)
}

/// `RWO,ROX`.
fn modes(fields: &[Field]) -> Option<Vec<&'static str>> {
    let modes: Vec<&str> = fields.value("Access Modes")?.split(',').filter_map(mode).collect();
    (!modes.is_empty()).then_some(modes)
}

/// Returns an access mode by its short name.
pub fn mode(short: &str) -> Option<&'static str> {
    Some(match short.trim() {
        "RWO" => "ReadWriteOnce",
        "ROX" => "ReadOnlyMany",
        "RWX" => "ReadWriteMany",
        "RWOP" => "ReadWriteOncePod",
        _ => return None,
    })
}

/// `Term 0:  topology.kubernetes.io/zone in [eu-1a]`, further expressions on lines below.
fn affinity(below: &[Field]) -> Option<Value> {
    let terms: Vec<Value> = below
        .iter()
        .flat_map(|field| std::iter::once(field).chain(&field.below))
        .filter(|field| field.key.starts_with("Term "))
        .map(|term| {
            let expressions: Vec<Value> = term.entries().filter_map(expression).collect();
            json!({"matchExpressions": expressions})
        })
        .collect();
    (!terms.is_empty()).then(|| json!({"required": {"nodeSelectorTerms": terms}}))
}

fn expression(text: &str) -> Option<Value> {
    let (key, rest) = text.split_once(' ')?;
    let (operator, values) = rest.split_once(" [")?;
    let operator = match operator {
        "in" => "In",
        "notin" | "not in" => "NotIn",
        _ => return None,
    };
    let values: Vec<&str> = values.trim_end_matches(']').split(',').map(str::trim).collect();
    Some(json!({"key": key, "operator": operator, "values": values}))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zone_of_a_volume() {
        let found = expression("topology.kubernetes.io/zone in [eu-1a, eu-1b]").unwrap();
        assert_eq!(found["values"], json!(["eu-1a", "eu-1b"]));
    }
}
