//! The three patch formats: JSON patch (RFC 6902), merge patch (RFC 7386) and the strategic merge patch of Kubernetes.

use serde_json::{Map, Value};

/// Applies a JSON patch. `None` where a `test` fails or an operation does not fit the object.
pub fn json_patch(target: &Value, patch: &Value) -> Option<Value> {
    let mut result = target.clone();
    for operation in patch.as_array()? {
        let path = operation["path"].as_str()?;
        match operation["op"].as_str()? {
            "test" => {
                if result.pointer(path)? != operation.get("value")? {
                    return None;
                }
            }
            "add" => add(&mut result, path, operation.get("value")?.clone())?,
            "remove" => drop(take(&mut result, path)?),
            "replace" => *result.pointer_mut(path)? = operation.get("value")?.clone(),
            "copy" => {
                let value = result.pointer(operation["from"].as_str()?)?.clone();
                add(&mut result, path, value)?;
            }
            "move" => {
                let value = take(&mut result, operation["from"].as_str()?)?;
                add(&mut result, path, value)?;
            }
            _ => return None,
        }
    }
    Some(result)
}

/// Applies a merge patch: objects are merged, `null` removes, everything else replaces.
pub fn merge_patch(target: &mut Value, patch: &Value) {
    let Some(changes) = patch.as_object() else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    for (key, change) in changes {
        if change.is_null() {
            target.as_object_mut().expect("made an object above").remove(key);
        } else {
            merge_patch(&mut target[key], change);
        }
    }
}

/// Applies a strategic merge patch: as a merge patch, but lists that have a merge key are merged by it.
pub fn strategic_patch(target: &mut Value, patch: &Value) {
    let Some(changes) = patch.as_object() else {
        *target = patch.clone();
        return;
    };
    if changes.get("$patch").and_then(Value::as_str) == Some("replace") {
        let kept = changes.iter().filter(|(key, _)| *key != "$patch");
        *target = Value::Object(kept.map(|(key, value)| (key.clone(), value.clone())).collect());
        return;
    }
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    for (key, change) in changes {
        if let Some(list) = key.strip_prefix("$deleteFromPrimitiveList/") {
            if let (Some(items), Some(gone)) = (target[list].as_array_mut(), change.as_array()) {
                items.retain(|item| !gone.contains(item));
            }
        } else if key.starts_with('$') {
            // `$setElementOrder`, `$retainKeys`: the order of lists is of no interest here.
        } else if change.is_null() {
            target.as_object_mut().expect("made an object above").remove(key);
        } else if let Some(items) = change.as_array() {
            merge_list(&mut target[key], items, key);
        } else {
            strategic_patch(&mut target[key], change);
        }
    }
}

/// The field by which the items of a list are told apart, or `None` for lists that are replaced as a whole.
fn merge_key(list: &str) -> Option<&'static str> {
    Some(match list {
        "conditions" => "type",
        "containers"
        | "initContainers"
        | "ephemeralContainers"
        | "containerStatuses"
        | "initContainerStatuses"
        | "volumes"
        | "env"
        | "imagePullSecrets"
        | "secrets" => "name",
        "volumeMounts" => "mountPath",
        "volumeDevices" => "devicePath",
        "ports" => "containerPort",
        "ownerReferences" => "uid",
        "hostAliases" | "podIPs" | "hostIPs" => "ip",
        _ => return None,
    })
}

fn merge_list(target: &mut Value, items: &[Value], list: &str) {
    if list == "finalizers" {
        let mut merged = target.as_array().cloned().unwrap_or_default();
        merged.extend(items.iter().filter(|item| !merged.contains(item)).cloned().collect::<Vec<_>>());
        *target = Value::Array(merged);
        return;
    }
    let Some(key) = merge_key(list).filter(|key| items.iter().all(|item| !item[key].is_null() || has_order(item)))
    else {
        *target = Value::Array(items.to_vec());
        return;
    };
    if items.iter().any(has_order) {
        *target = Value::Array(items.iter().filter(|item| !has_order(item)).cloned().collect());
        return;
    }
    let mut merged = target.as_array().cloned().unwrap_or_default();
    for item in items {
        let place = merged.iter().position(|old| old[key] == item[key]);
        match (place, item["$patch"].as_str() == Some("delete")) {
            (Some(place), true) => drop(merged.remove(place)),
            (Some(place), false) => strategic_patch(&mut merged[place], item),
            (None, true) => {}
            (None, false) => merged.push(item.clone()),
        }
    }
    *target = Value::Array(merged);
}

/// `$patch: replace` as an item of its own asks for the whole list to be replaced by the others.
fn has_order(item: &Value) -> bool {
    item["$patch"].as_str() == Some("replace")
}

fn add(target: &mut Value, path: &str, value: Value) -> Option<()> {
    if path.is_empty() {
        *target = value;
        return Some(());
    }
    let (parent, last) = split(path)?;
    match target.pointer_mut(parent)? {
        Value::Object(map) => drop(map.insert(last, value)),
        Value::Array(items) if last == "-" => items.push(value),
        Value::Array(items) => {
            let place = last.parse::<usize>().ok().filter(|place| *place <= items.len())?;
            items.insert(place, value);
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
            let place = last.parse::<usize>().ok().filter(|place| *place < items.len())?;
            Some(items.remove(place))
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
    use serde_json::json;

    #[test]
    fn a_finalizer_is_removed_only_where_every_test_holds() {
        let pod = json!({"metadata": {"uid": "u", "finalizers": ["a/x", "b/y"]}});
        let patch = json!([
            {"op": "test", "path": "/metadata/uid", "value": "u"},
            {"op": "test", "path": "/metadata/finalizers/0", "value": "a/x"},
            {"op": "remove", "path": "/metadata/finalizers/0"},
        ]);
        let patched = json_patch(&pod, &patch).unwrap();
        assert_eq!(patched["metadata"]["finalizers"], json!(["b/y"]));
        assert!(json_patch(&patched, &patch).is_none());
    }

    #[test]
    fn keys_with_slashes_and_ends_of_lists() {
        let node = json!({"metadata": {"labels": {}}, "spec": {"taints": [1]}});
        let patch = json!([
            {"op": "add", "path": "/metadata/labels/a~1b", "value": "c"},
            {"op": "add", "path": "/spec/taints/-", "value": 2},
            {"op": "move", "from": "/spec/taints/0", "path": "/spec/first"},
        ]);
        let patched = json_patch(&node, &patch).unwrap();
        assert_eq!(patched, json!({"metadata": {"labels": {"a/b": "c"}}, "spec": {"taints": [2], "first": 1}}));
        assert!(json_patch(&node, &json!([{"op": "remove", "path": "/spec/none"}])).is_none());
    }

    #[test]
    fn merge_replaces_lists_and_strategic_merges_them() {
        let target = json!({"containers": [{"name": "a", "image": "1"}, {"name": "b"}], "gone": 1});
        let patch = json!({"containers": [{"name": "a", "resources": {"limits": {"memory": "1Gi"}}}], "gone": null});
        let mut merged = target.clone();
        merge_patch(&mut merged, &patch);
        assert_eq!(merged, json!({"containers": [{"name": "a", "resources": {"limits": {"memory": "1Gi"}}}]}));
        let mut strategic = target;
        strategic_patch(&mut strategic, &patch);
        let first = json!({"name": "a", "image": "1", "resources": {"limits": {"memory": "1Gi"}}});
        assert_eq!(strategic, json!({"containers": [first, {"name": "b"}]}));
    }

    #[test]
    fn strategic_directives() {
        let mut target = json!({"finalizers": ["a", "b"], "env": [{"name": "x"}, {"name": "y"}], "m": {"k": 1}});
        let patch = json!({"$deleteFromPrimitiveList/finalizers": ["a"], "finalizers": ["c"],
            "env": [{"name": "x", "$patch": "delete"}], "m": {"$patch": "replace", "n": 2}});
        strategic_patch(&mut target, &patch);
        assert_eq!(target, json!({"finalizers": ["b", "c"], "env": [{"name": "y"}], "m": {"n": 2}}));
    }
}
