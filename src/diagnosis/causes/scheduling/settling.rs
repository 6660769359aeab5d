//! What is on its way and needs only time: nodes that join, volumes that are being made.

use super::picture::{Kind, Picture, untolerated_keys};
use crate::diagnosis::fit;
use crate::facts::{Event, Evidence, Facts, node};
use jiff::SignedDuration;

/// Taints that a node carries while it joins and loses by itself.
fn is_of_joining(key: &str) -> bool {
    matches!(
        key,
        "node.kubernetes.io/not-ready"
            | "node.kubernetes.io/network-unavailable"
            | "node.cloudprovider.kubernetes.io/uninitialized"
            | "karpenter.sh/unregistered"
            | "karpenter.sh/not-ready"
    ) || key.ends_with("agent-not-ready")
        || key.contains("startup-taint")
}

/// Returns evidence that every node in the way has joined less than `limit` ago and carries just what a joining node
/// carries.
pub fn nodes_settle(facts: &Facts<'_>, picture: &Picture<'_>, limit: SignedDuration) -> Option<Vec<Evidence>> {
    if !matches!(picture.lead, Kind::Condition | Kind::Uninitialized | Kind::Taint) {
        return None;
    }
    let mut evidence = Vec::new();
    for node in facts.world.nodes.seen() {
        let keys = untolerated_keys(picture.pod, node);
        if !keys.iter().any(|key| is_of_joining(key)) {
            continue;
        }
        let created = node.metadata.creation_timestamp.as_ref()?.0;
        if facts.since(created) >= limit || !keys.iter().all(|key| is_of_joining(key)) {
            return None;
        }
        let path = format!("node {}.metadata.creationTimestamp", node::name(node));
        evidence.push(Evidence::field(path, created, Some(created)));
    }
    (!evidence.is_empty()).then_some(evidence)
}

/// Returns the event that says that an external provisioner is at work on a claim of the pod, where that began less than
/// `limit` ago and has not failed.
pub fn being_provisioned<'w>(facts: &Facts<'w>, picture: &Picture<'w>, limit: SignedDuration) -> Option<&'w Event> {
    if picture.lead != Kind::ClaimUnbound {
        return None;
    }
    fit::claims(picture.pod).find_map(|claim| {
        let events = facts.world.events_seen("PersistentVolumeClaim", picture.pod.namespace(), &claim);
        let last =
            events.iter().rfind(|event| matches!(event.reason.as_str(), "Provisioning" | "ProvisioningFailed"))?;
        let young = last.first.or(last.last).is_some_and(|at| facts.since(at) < limit);
        (last.reason == "Provisioning" && young).then_some(last)
    })
}
