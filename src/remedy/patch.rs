//! A change of fields as a JSON patch (RFC 6902): applied here to see what would become of an object, and whether it has.
//!
//! Each operation knows what it expects to find, so that a patch is refused by the API server, and here, as soon as a
//! field that it changes is no longer what the person saw.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// One operation, with what it expects.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "lowercase")]
pub enum Operation {
    /// The field must be this.
    Test { path: String, value: Value },
    /// The field, or the item of a list, goes; it is tested first.
    Remove { path: String, was: Value },
    /// The field becomes this. What was there is tested first; `None` = there was nothing.
    Put { path: String, was: Option<Value>, value: Value },
    /// The field becomes this, whatever it is: another operation tests that nothing has changed. `shows` = the difference.
    Replace { path: String, shows: Vec<String>, value: Value },
    /// A map that a later operation puts something into, where there may be none yet.
    Open { path: String },
}

/// The object is not what the plan was made for: this path is different.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moved {
    pub path: String,
}

/// Returns the operations as the API server takes them, each change tested before it is made.
pub fn to_json(operations: &[Operation]) -> Value {
    let mut patch = Vec::new();
    for operation in operations {
        match operation {
            Operation::Test { path, value } => patch.push(json!({"op": "test", "path": path, "value": value})),
            Operation::Remove { path, was } => {
                patch.push(json!({"op": "test", "path": path, "value": was}));
                patch.push(json!({"op": "remove", "path": path}));
            }
            Operation::Put { path, was, value } => {
                if let Some(was) = was {
                    patch.push(json!({"op": "test", "path": path, "value": was}));
                }
                // To add a member that is there replaces it.
                let op = if was.is_some() { "replace" } else { "add" };
                patch.push(json!({"op": op, "path": path, "value": value}));
            }
            Operation::Replace { path, value, .. } => {
                patch.push(json!({"op": "replace", "path": path, "value": value}));
            }
            Operation::Open { path } => patch.push(json!({"op": "add", "path": path, "value": {}})),
        }
    }
    Value::Array(patch)
}

/// Returns what an object becomes.
///
/// # Errors
/// Names the first field that is not what the patch expects.
pub fn apply(object: &Value, operations: &[Operation]) -> Result<Value, Moved> {
    let mut after = object.clone();
    for operation in operations {
        let moved = |path: &str| Moved { path: path.to_owned() };
        match operation {
            Operation::Test { path, value } => {
                if after.pointer(path) != Some(value) {
                    return Err(moved(path));
                }
            }
            Operation::Remove { path, was } => {
                if after.pointer(path) != Some(was) {
                    return Err(moved(path));
                }
                take(&mut after, path).ok_or_else(|| moved(path))?;
            }
            Operation::Put { path, was, value } => {
                if after.pointer(path) != was.as_ref() {
                    return Err(moved(path));
                }
                put(&mut after, path, value.clone()).ok_or_else(|| moved(path))?;
            }
            Operation::Replace { path, value, .. } => {
                *after.pointer_mut(path).ok_or_else(|| moved(path))? = value.clone();
            }
            Operation::Open { path } => {
                if after.pointer(path).is_some() {
                    return Err(moved(path));
                }
                put(&mut after, path, json!({})).ok_or_else(|| moved(path))?;
            }
        }
    }
    Ok(after)
}

/// Tells whether an object is as the patch would leave it, whoever did it.
pub fn is_done(object: &Value, operations: &[Operation]) -> bool {
    operations.iter().all(|operation| match operation {
        Operation::Test { .. } | Operation::Open { .. } => true,
        Operation::Remove { path, was } => match split(path).and_then(|(parent, _)| object.pointer(parent)) {
            Some(Value::Array(items)) => !items.contains(was),
            _ => object.pointer(path).is_none(),
        },
        Operation::Put { path, value, .. } => match path.strip_suffix("/-").map(|list| object.pointer(list)) {
            Some(list) => list.and_then(Value::as_array).is_some_and(|items| items.contains(value)),
            None => object.pointer(path) == Some(value),
        },
        Operation::Replace { path, value, .. } => object.pointer(path).is_some_and(|now| bare(now) == bare(value)),
    })
}

/// Returns what differs between two values, a line each, as in a diff. Items of lists that have a name go by it.
pub fn difference(path: &str, before: &Value, after: &Value) -> Vec<String> {
    let mut lines = Vec::new();
    differ(path, &bare(before), &bare(after), &mut lines);
    lines
}

fn differ(path: &str, before: &Value, after: &Value, lines: &mut Vec<String>) {
    if before == after {
        return;
    }
    let named = |items: &[Value]| -> Option<Vec<String>> {
        items.iter().map(|item| item["name"].as_str().map(str::to_owned)).collect()
    };
    match (before, after) {
        (Value::Object(a), Value::Object(b)) => {
            let keys: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
            for key in keys {
                let path = format!("{path}{}", pointer([key.as_str()]));
                differ(&path, a.get(key).unwrap_or(&Value::Null), b.get(key).unwrap_or(&Value::Null), lines);
            }
        }
        (Value::Array(a), Value::Array(b)) if named(a).is_some() && named(a) == named(b) => {
            for (place, (a, b)) in a.iter().zip(b).enumerate() {
                differ(&format!("{path}/{place}"), a, b, lines);
            }
        }
        _ => {
            let field = field(path);
            if !before.is_null() {
                lines.push(format!("- {field}: {}", shown(before)));
            }
            if !after.is_null() {
                lines.push(format!("+ {field}: {}", shown(after)));
            }
        }
    }
}

/// Returns a value without what is `null` or empty: to the API server that is the same as absent.
fn bare(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let kept = fields.iter().map(|(key, value)| (key.clone(), bare(value)));
            Value::Object(kept.filter(|(_, value)| !is_nothing(value)).collect())
        }
        Value::Array(items) => Value::Array(items.iter().map(bare).collect()),
        other => other.clone(),
    }
}

fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Object(fields) => fields.is_empty(),
        Value::Array(items) => items.is_empty(),
        _ => false,
    }
}

/// Returns a value as a person reads it.
pub fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Returns a path of field names as a JSON pointer.
pub fn pointer<'a>(parts: impl IntoIterator<Item = &'a str>) -> String {
    parts.into_iter().map(|part| format!("/{}", part.replace('~', "~0").replace('/', "~1"))).collect()
}

/// Returns a JSON pointer as people write a field: `metadata.finalizers[0]`.
pub fn field(pointer: &str) -> String {
    let mut out = String::new();
    for part in pointer.split('/').skip(1) {
        let part = part.replace("~1", "/").replace("~0", "~");
        if !part.is_empty() && part.chars().all(|c| c.is_ascii_digit()) {
            out.push_str(&format!("[{part}]"));
        } else if part.contains(['.', '/']) {
            out.push_str(&format!("[{part:?}]"));
        } else {
            if !out.is_empty() {
                out.push('.');
            }
            out.push_str(&part);
        }
    }
    out
}

fn put(target: &mut Value, path: &str, value: Value) -> Option<()> {
    let (parent, last) = split(path)?;
    match target.pointer_mut(parent)? {
        Value::Object(map) => drop(map.insert(last, value)),
        Value::Array(items) if last == "-" => items.push(value),
        Value::Array(items) => {
            let index: usize = last.parse().ok()?;
            *items.get_mut(index)? = value;
        }
        _ => return None,
    }
    Some(())
}

fn take(target: &mut Value, path: &str) -> Option<Value> {
    let (parent, last) = split(path)?;
    match target.pointer_mut(parent)? {
        Value::Object(map) => map.remove(&last),
        Value::Array(items) => {
            let index = last.parse::<usize>().ok().filter(|index| *index < items.len())?;
            Some(items.remove(index))
        }
        _ => None,
    }
}

fn split(path: &str) -> Option<(&str, String)> {
    let (parent, last) = path.rsplit_once('/')?;
    Some((parent, last.replace("~1", "/").replace("~0", "~")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn removal() -> Vec<Operation> {
        vec![
            Operation::Test { path: "/metadata/uid".into(), value: json!("u") },
            Operation::Remove { path: "/metadata/finalizers/1".into(), was: json!("b/y") },
        ]
    }

    #[test]
    fn a_change_is_tested_before_it_is_made() {
        let pod = json!({"metadata": {"uid": "u", "finalizers": ["a/x", "b/y"]}});
        let after = apply(&pod, &removal()).expect("it fits");
        assert_eq!(after["metadata"]["finalizers"], json!(["a/x"]));
        assert!(is_done(&after, &removal()) && !is_done(&pod, &removal()));
        assert_eq!(apply(&after, &removal()), Err(Moved { path: "/metadata/finalizers/1".into() }));
        let other = json!({"metadata": {"uid": "v", "finalizers": ["a/x", "b/y"]}});
        assert_eq!(apply(&other, &removal()), Err(Moved { path: "/metadata/uid".into() }));
        assert_eq!(
            to_json(&removal()),
            json!([
                {"op": "test", "path": "/metadata/uid", "value": "u"},
                {"op": "test", "path": "/metadata/finalizers/1", "value": "b/y"},
                {"op": "remove", "path": "/metadata/finalizers/1"},
            ])
        );
    }

    #[test]
    fn a_list_without_the_item_is_done_wherever_it_stood() {
        assert!(is_done(&json!({"metadata": {"uid": "u", "finalizers": ["c/z", "a/x"]}}), &removal()));
        assert!(is_done(&json!({"metadata": {"uid": "u"}}), &removal()));
    }

    #[test]
    fn an_item_is_added_to_a_list() {
        let taint = json!({"key": "off", "effect": "NoExecute"});
        let add = vec![Operation::Put { path: "/spec/taints/-".into(), was: None, value: taint.clone() }];
        let node = json!({"spec": {"taints": [{"key": "other"}]}});
        let after = apply(&node, &add).expect("it fits");
        assert_eq!(after["spec"]["taints"][1], taint);
        assert!(is_done(&after, &add) && !is_done(&node, &add));
    }

    #[test]
    fn a_template_is_replaced_and_its_difference_shown() {
        let container = |image: &str| json!({"name": "app", "image": image, "env": []});
        let before = json!({"metadata": {"creationTimestamp": null}, "spec": {"containers": [container("a:2")]}});
        let after = json!({"spec": {"containers": [container("a:1")], "hostname": "h"}});
        let shows = difference("/spec/template", &before, &after);
        assert_eq!(
            shows,
            [
                "- spec.template.spec.containers[0].image: a:2",
                "+ spec.template.spec.containers[0].image: a:1",
                "+ spec.template.spec.hostname: h",
            ]
        );
        let replace = vec![Operation::Replace { path: "/t".into(), shows, value: after.clone() }];
        assert!(!is_done(&json!({"t": before}), &replace));
        assert!(is_done(&apply(&json!({"t": before}), &replace).expect("it fits"), &replace));
    }

    #[test]
    fn fields_are_put_where_nothing_or_the_expected_was() {
        let path = pointer(["spec", "template", "metadata", "annotations", "example.com/at"]);
        assert_eq!(path, "/spec/template/metadata/annotations/example.com~1at");
        assert_eq!(field(&path), r#"spec.template.metadata.annotations["example.com/at"]"#);
        let open = vec![
            Operation::Open { path: "/spec/template/metadata/annotations".into() },
            Operation::Put { path: path.clone(), was: None, value: json!("now") },
        ];
        let bare = json!({"spec": {"template": {"metadata": {}}}});
        let after = apply(&bare, &open).expect("it fits");
        assert_eq!(after.pointer(&path), Some(&json!("now")));
        assert!(apply(&after, &open).is_err(), "somebody else has put something there meanwhile");
        let replace = vec![Operation::Put { path: "/spec/x".into(), was: Some(json!(1)), value: json!(2) }];
        assert!(apply(&json!({"spec": {"x": 1}}), &replace).is_ok());
        assert!(apply(&json!({"spec": {"x": 3}}), &replace).is_err());
        assert!(apply(&json!({"spec": {}}), &replace).is_err());
    }
}
