//! Small ways to make the JSON of an object from words.

use super::tree::{Field, Fields};
use serde_json::{Map, Value, json};

/// Sets a field where there is a value for it.
pub fn set(object: &mut Map<String, Value>, key: &str, value: Option<impl Into<Value>>) {
    if let Some(value) = value {
        object.insert(key.to_owned(), value.into());
    }
}

/// Returns the `key=value` entries of a field: labels, selectors.
pub fn pairs(field: Option<&Field>) -> Option<Value> {
    let pairs: Map<String, Value> = field?
        .entries()
        .filter_map(|entry| entry.split_once('='))
        .map(|(key, value)| (key.trim().to_owned(), Value::from(value.trim())))
        .collect();
    (!pairs.is_empty()).then_some(Value::Object(pairs))
}

/// Returns the `key: value` entries of a field: annotations. One cut over several lines is known by its key alone.
pub fn annotations(field: Option<&Field>) -> Option<Value> {
    let pairs: Map<String, Value> = field?
        .entries()
        .filter_map(|entry| entry.split_once(": ").or(entry.strip_suffix(':').map(|key| (key, ""))))
        .filter(|(key, _)| !key.contains(' '))
        .map(|(key, value)| (key.to_owned(), Value::from(value.trim())))
        .collect();
    (!pairs.is_empty()).then_some(Value::Object(pairs))
}

/// Returns `key: value` lines below a field as a map: limits, capacity.
pub fn amounts(below: &[Field]) -> Option<Value> {
    let amounts: Map<String, Value> = below
        .iter()
        .filter(|field| !field.key.is_empty() && !field.value.is_empty())
        .map(|field| (field.key.clone(), Value::from(field.value.as_str())))
        .collect();
    (!amounts.is_empty()).then_some(Value::Object(amounts))
}

/// Returns the metadata that most kinds print in the same words.
pub fn metadata(fields: &[Field]) -> Map<String, Value> {
    let mut meta = Map::new();
    set(&mut meta, "name", fields.value("Name"));
    set(&mut meta, "namespace", fields.value("Namespace"));
    set(&mut meta, "labels", pairs(fields.field("Labels")));
    set(&mut meta, "annotations", annotations(fields.field("Annotations")));
    let created = fields.value("CreationTimestamp").and_then(super::time::moment);
    set(&mut meta, "creationTimestamp", created.map(|t| t.to_string()));
    if let Some((kind, name)) = fields.value("Controlled By").and_then(|owner| owner.split_once('/')) {
        meta.insert("ownerReferences".into(), json!([{"kind": kind, "name": name, "controller": true}]));
    }
    meta
}

/// Reads the first whole number of a text.
pub fn number(text: &str) -> Option<i64> {
    let start = text.find(|c: char| c.is_ascii_digit())?;
    let digits: String = text[start..].chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
}
