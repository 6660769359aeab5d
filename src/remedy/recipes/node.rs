//! The node that a plan is about, and how sure it is that it is dead: what the remedies of nodes share.

use crate::diagnosis::Words;
use crate::facts::{Known, node};
use crate::remedy::object::{Kind, Object};
use crate::remedy::patch::{Operation, pointer};
use crate::remedy::recipe::Scene;
use k8s_openapi::api::core::v1::Node;
use serde_json::json;

/// The taint by which a person says that a node is off for good: its pods and volumes are let go of.
pub const OUT_OF_SERVICE: &str = "node.kubernetes.io/out-of-service";
/// The taint of a cloud that has looked: the machine is shut down.
const SHUT_DOWN: &str = "node.cloudprovider.kubernetes.io/shutdown";

/// How a node is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Life {
    /// It reports.
    Alive,
    /// It does not report, and may still run what it ran.
    Silent,
    /// A person or the cloud says that it is off.
    Off,
    /// There is no such node any more.
    Gone,
    Unread,
}

/// Returns the name of the node that the answer aims at, else the pod's.
pub fn name<'s>(scene: &'s Scene<'_>) -> Result<&'s str, Words> {
    let aimed = scene.diagnosis.answer().and_then(|finding| finding.aims.node.as_deref());
    let own = scene.diagnosis.node.as_deref();
    aimed.or(own).ok_or_else(|| Words::new("The pod is on no node.", "Pod 不在任何节点上。"))
}

/// Returns that node.
pub fn of<'w>(scene: &Scene<'w>) -> Result<(Object, &'w Node), Words> {
    let name = name(scene)?;
    let unread = || Words::new(format!("Node {name} could not be read."), format!("无法读取节点 {name}。"));
    let node = scene.facts.world.nodes.get("", name).present().ok_or_else(unread)?;
    Ok((Object::of(Kind::Node, &node.metadata).ok_or_else(unread)?, node))
}

/// Returns how a node is.
pub fn life(scene: &Scene<'_>, name: &str) -> Life {
    match scene.facts.world.nodes.get("", name) {
        Known::Absent => Life::Gone,
        Known::Unreadable => Life::Unread,
        Known::Present(node) => {
            let off = node::taints(node).iter().any(|taint| taint.key == OUT_OF_SERVICE || taint.key == SHUT_DOWN);
            match (node::is_silent(node), off) {
                (true, true) => Life::Off,
                (true, false) => Life::Silent,
                (false, _) => Life::Alive,
            }
        }
    }
}

/// Returns the test that it is that very node.
pub fn same(object: &Object) -> Operation {
    Operation::Test { path: pointer(["metadata", "uid"]), value: json!(object.uid) }
}

/// Returns how many pods are known to be on a node; `None` = they were not all read.
pub fn pods_on(scene: &Scene<'_>, name: &str) -> Option<usize> {
    let world = scene.facts.world;
    world.knows_pods_of(name).then(|| world.pods_on(name).count())
}
