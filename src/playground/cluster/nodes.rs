//! Reading nodes: whether one answers, its address.

use serde_json::Value;

/// Returns whether the node's kubelet reports: `Unknown` is what the node controller writes of one that does not.
pub fn is_alive(node: &Value) -> bool {
    condition(node, "Ready").is_none_or(|ready| ready["status"] != "Unknown")
}

pub fn is_ready(node: &Value) -> bool {
    condition(node, "Ready").is_some_and(|ready| ready["status"] == "True")
}

/// Returns the node's internal address, empty where it has none.
pub fn address(node: &Value) -> &str {
    let addresses = node["status"]["addresses"].as_array().into_iter().flatten();
    addresses.filter(|a| a["type"] == "InternalIP").find_map(|a| a["address"].as_str()).unwrap_or_default()
}

/// Returns a condition of any object that has conditions.
pub fn condition<'a>(object: &'a Value, kind: &str) -> Option<&'a Value> {
    object["status"]["conditions"].as_array()?.iter().find(|condition| condition["type"] == kind)
}
