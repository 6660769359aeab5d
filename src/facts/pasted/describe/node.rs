//! `kubectl describe node`.

use super::super::object::{amounts, metadata, set};
use super::super::time::moment;
use super::super::tree::{Field, Fields};
use serde_json::{Map, Value, json};

/// Makes the node, and its Lease where it is printed.
pub fn node(fields: &[Field]) -> Vec<Value> {
    let meta = metadata(fields);
    let name = fields.value("Name").unwrap_or_default();
    let mut spec = Map::new();
    let taints: Vec<Value> = fields.field("Taints").into_iter().flat_map(Field::entries).filter_map(taint).collect();
    set(&mut spec, "taints", Some(taints).filter(|list| !list.is_empty()));
    spec.insert("unschedulable".into(), (fields.value("Unschedulable") == Some("true")).into());
    set(&mut spec, "podCIDR", fields.value("PodCIDR"));
    set(&mut spec, "providerID", fields.value("ProviderID"));
    let mut status = Map::new();
    set(&mut status, "capacity", amounts(fields.below("Capacity")));
    set(&mut status, "allocatable", amounts(fields.below("Allocatable")));
    let addresses: Vec<Value> = fields
        .below("Addresses")
        .iter()
        .filter(|field| !field.value.is_empty())
        .map(|field| json!({"type": field.key, "address": field.value}))
        .collect();
    set(&mut status, "addresses", Some(addresses).filter(|list| !list.is_empty()));
    let conditions: Vec<Value> = fields.below("Conditions").iter().filter_map(condition).collect();
    set(&mut status, "conditions", Some(conditions).filter(|list| !list.is_empty()));
    let info = fields.below("System Info");
    let mut node_info = Map::new();
    for (title, key) in [
        ("Machine ID", "machineID"),
        ("System UUID", "systemUUID"),
        ("Boot ID", "bootID"),
        ("Kernel Version", "kernelVersion"),
        ("OS Image", "osImage"),
        ("Operating System", "operatingSystem"),
        ("Architecture", "architecture"),
        ("Container Runtime Version", "containerRuntimeVersion"),
        ("Kubelet Version", "kubeletVersion"),
        ("Kube-Proxy Version", "kubeProxyVersion"),
    ] {
        node_info.insert(key.into(), info.value(title).unwrap_or_default().into());
    }
    if !info.is_empty() {
        status.insert("nodeInfo".into(), node_info.into());
    }
    let mut found = vec![json!({"kind": "Node", "metadata": meta, "spec": spec, "status": status})];
    let lease = fields.below("Lease");
    if let Some(renewed) = lease.value("RenewTime").and_then(moment) {
        found.push(json!({"kind": "Lease", "metadata": {"namespace": "kube-node-lease", "name": name},
            "spec": {"holderIdentity": lease.value("HolderIdentity").unwrap_or(name), "renewTime": micro(renewed)}}));
    }
    found
}

/// A Lease's times have microseconds.
fn micro(time: jiff::Timestamp) -> String {
    format!("{time:.6}")
}

/// `key=value:Effect`, `key:Effect`.
fn taint(text: &str) -> Option<Value> {
    let (key, effect) = text.rsplit_once(':')?;
    let (key, value) = key.split_once('=').unwrap_or((key, ""));
    let mut of = Map::new();
    of.insert("key".into(), key.into());
    of.insert("effect".into(), effect.into());
    set(&mut of, "value", Some(value).filter(|value| !value.is_empty()));
    Some(Value::Object(of))
}

/// `Ready  True  <heartbeat>  <transition>  KubeletReady  kubelet is posting ready status`.
fn condition(row: &Field) -> Option<Value> {
    let (kind, rest) = word(&row.text)?;
    let (state, mut rest) = word(rest)?;
    if !matches!(state, "True" | "False" | "Unknown") {
        return None;
    }
    let mut of = Map::new();
    of.insert("type".into(), kind.into());
    of.insert("status".into(), state.into());
    for key in ["lastHeartbeatTime", "lastTransitionTime"] {
        let Some((time, after)) = time(rest) else { break };
        set(&mut of, key, time);
        rest = after;
    }
    let (reason, message) = word(rest).unwrap_or_default();
    set(&mut of, "reason", Some(reason).filter(|text| !text.is_empty()));
    set(&mut of, "message", Some(message).filter(|text| !text.is_empty()));
    Some(Value::Object(of))
}

/// Returns the first word, and the rest.
fn word(text: &str) -> Option<(&str, &str)> {
    let text = text.trim_start();
    let end = text.find(char::is_whitespace).unwrap_or(text.len());
    (end > 0).then(|| (&text[..end], text[end..].trim_start()))
}

/// Takes a moment off: `Mon, 23 Nov 2026 18:47:16 +0000` or `<unknown>`. One of the year 1 is none.
fn time(text: &str) -> Option<(Option<String>, &str)> {
    if let Some(rest) = text.strip_prefix("<unknown>").or(text.strip_prefix("<unset>")) {
        return Some((None, rest.trim_start()));
    }
    let (mut words, mut rest) = (Vec::new(), text);
    for _ in 0..6 {
        let (next, after) = word(rest)?;
        words.push(next);
        rest = after;
    }
    let found = moment(&words.join(" "));
    (found.is_some() || words[3] == "0001").then(|| (found.map(|t| t.to_string()), rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_condition_with_any_blanks_between_its_columns() {
        let row = "Ready  False   Mon, 23 Nov 2026 18:47:16 +0000   Mon, 01 Jan 0001 00:00:00 +0000   KubeletNotReady   runtime down: a  b";
        for text in [row.to_owned(), row.split_whitespace().collect::<Vec<_>>().join(" ")] {
            let found = condition(&Field { text, ..Field::default() }).unwrap();
            assert_eq!(found["lastHeartbeatTime"], "2026-11-23T18:47:16Z");
            assert_eq!((&found["lastTransitionTime"], &found["reason"]), (&Value::Null, &json!("KubeletNotReady")));
            assert!(found["message"].as_str().unwrap().starts_with("runtime down"));
        }
    }
}
