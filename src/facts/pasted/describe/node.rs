//! `kubectl describe node`.

use super::super::object::{amounts, metadata, set};
use super::super::table::columns;
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
    let cells = columns(&row.text);
    let (kind, state) = (*cells.first()?, *cells.get(1)?);
    if !matches!(state, "True" | "False" | "Unknown") {
        return None;
    }
    let mut of = Map::new();
    of.insert("type".into(), kind.into());
    of.insert("status".into(), state.into());
    let times = cells.iter().skip(2).take_while(|cell| moment(cell).is_some() || cell.contains(" 0001 ")).count();
    let time =
        |at: usize| cells.get(at).filter(|_| at < 2 + times).and_then(|cell| moment(cell)).map(|t| t.to_string());
    set(&mut of, "lastHeartbeatTime", time(2));
    set(&mut of, "lastTransitionTime", time(3));
    set(&mut of, "reason", cells.get(2 + times).copied());
    set(&mut of, "message", cells.get(3 + times..).map(|rest| rest.join("  ")).filter(|text| !text.is_empty()));
    Some(Value::Object(of))
}
