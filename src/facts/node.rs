//! Nodes: their conditions, taints and heartbeat.

use super::evidence::Evidence;
use super::known::Known;
use super::world::World;
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::{Node, NodeCondition, Taint, Toleration};

/// Returns a node's name.
pub fn name(node: &Node) -> &str {
    node.metadata.name.as_deref().unwrap_or_default()
}

/// Returns a condition of a node by its type.
pub fn condition<'a>(node: &'a Node, kind: &str) -> Option<&'a NodeCondition> {
    node.status.as_ref()?.conditions.as_ref()?.iter().find(|condition| condition.type_ == kind)
}

/// Returns a condition of a node as evidence.
pub fn condition_evidence(node: &Node, kind: &str) -> Option<Evidence> {
    let condition = condition(node, kind)?;
    let at = condition.last_transition_time.as_ref().map(|t| t.0);
    let (reason, message) = (condition.reason.as_deref(), condition.message.as_deref());
    Some(Evidence::condition(
        format!("node {}.status.conditions[{kind}]", name(node)),
        &condition.status,
        reason,
        message,
        at,
    ))
}

/// Returns true when the condition is there and `True`.
pub fn is(node: &Node, kind: &str) -> bool {
    condition(node, kind).is_some_and(|condition| condition.status == "True")
}

/// Returns true when the node reports Ready.
pub fn is_ready(node: &Node) -> bool {
    is(node, "Ready")
}

/// Returns true when the node fell silent: the controller says Unknown.
pub fn is_silent(node: &Node) -> bool {
    condition(node, "Ready").is_some_and(|condition| condition.status == "Unknown")
}

/// Returns a node's taints.
pub fn taints(node: &Node) -> &[Taint] {
    node.spec.as_ref().and_then(|spec| spec.taints.as_deref()).unwrap_or_default()
}

/// Returns true when the node is cordoned.
pub fn is_cordoned(node: &Node) -> bool {
    node.spec.as_ref().and_then(|spec| spec.unschedulable) == Some(true)
}

/// Returns a taint as people write it: `special=true:NoSchedule`.
pub fn taint_text(taint: &Taint) -> String {
    match taint.value.as_deref() {
        Some(value) if !value.is_empty() => format!("{}={value}:{}", taint.key, taint.effect),
        _ => format!("{}:{}", taint.key, taint.effect),
    }
}

/// Returns true when a pod with these tolerations may stand on the taint, by the scheduler's rules.
pub fn tolerated(taint: &Taint, tolerations: &[Toleration]) -> bool {
    tolerations.iter().any(|toleration| {
        let effect = toleration.effect.as_deref().unwrap_or_default();
        let key = toleration.key.as_deref().unwrap_or_default();
        let operator = toleration.operator.as_deref().unwrap_or("Equal");
        (effect.is_empty() || effect == taint.effect)
            && match operator {
                "Exists" => key.is_empty() || key == taint.key,
                _ => {
                    key == taint.key
                        && toleration.value.as_deref().unwrap_or_default() == taint.value.as_deref().unwrap_or_default()
                }
            }
    })
}

/// Returns how long ago the node's kubelet last renewed its Lease.
pub fn heartbeat_age(world: &World, node: &str, now: Timestamp) -> Known<SignedDuration> {
    match world.leases.get("kube-node-lease", node) {
        Known::Present(lease) => lease
            .spec
            .as_ref()
            .and_then(|spec| spec.renew_time.as_ref())
            .map_or(Known::Unreadable, |t| Known::Present(now.duration_since(t.0))),
        Known::Absent => Known::Absent,
        Known::Unreadable => Known::Unreadable,
    }
}
