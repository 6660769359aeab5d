//! Lets go of a volume that is still attached to a node which does not exist any more, or is known to be off.

use super::node::{self, Life};
use crate::diagnosis::{Remedy, Text, Words};
use crate::remedy::object::{Kind, Object};
use crate::remedy::patch::{Operation, pointer};
use crate::remedy::plan::{Change, Note, Step};
use crate::remedy::recipe::{Cure, Draft, Read, Recipe, Scene};
use jiff::SignedDuration;
use serde_json::json;

pub static RECIPE: Recipe = Recipe {
    remedy: Remedy::DeleteVolumeAttachment,
    title: Text { en: "let go of its volume on the dead node", zh: "解除卷在失效节点上的挂载" },
    grants: &[("storage.k8s.io", "volumeattachments", &["delete"])],
    reads: &[Read::Node, Read::Volumes],
    cure: Cure::Pods,
    patience: SignedDuration::from_mins(5),
    draft,
};

fn draft(scene: &Scene<'_>) -> Result<Draft, Words> {
    let none = || {
        Words::new(
            "No volume of the pod is attached to a node that is gone or known to be off.",
            "Pod 的卷都没有挂载在已消失或已确认关机的节点上。",
        )
    };
    let pod = scene.facts.pod().ok_or_else(none)?;
    let world = scene.facts.world;
    let volumes: Vec<&str> = pod
        .spec()
        .and_then(|spec| spec.volumes.as_deref())
        .unwrap_or_default()
        .iter()
        .filter_map(|volume| volume.persistent_volume_claim.as_ref())
        .filter_map(|claim| world.claims.get(pod.namespace(), &claim.claim_name).present())
        .filter_map(|claim| claim.spec.as_ref()?.volume_name.as_deref())
        .collect();
    let mut steps = Vec::new();
    let mut notes = Vec::new();
    for attachment in world.volume_attachments.seen() {
        let volume = attachment.spec.source.persistent_volume_name.as_deref().unwrap_or_default();
        let node = attachment.spec.node_name.as_str();
        let going = attachment.metadata.deletion_timestamp.is_some();
        if going || !volumes.contains(&volume) || pod.node_name() == Some(node) {
            continue;
        }
        if !matches!(node::life(scene, node), Life::Gone | Life::Off) {
            continue;
        }
        let Some(object) = Object::of(Kind::VolumeAttachment, &attachment.metadata) else { continue };
        notes.push(Note::warning(
            format!("Volume `{volume}` is attached to node {node}, which is gone or off. If that machine still writes, data is corrupted."),
            format!("卷 `{volume}` 挂载在节点 {node} 上，该节点已消失或关机。如果那台机器仍在写入，会损坏数据。"),
        ));
        let tests = vec![Operation::Test { path: pointer(["spec", "nodeName"]), value: json!(node) }];
        let says = Words::new(format!("delete {object}"), format!("删除 {object}"));
        steps.push(Step { object, change: Change::Delete { grace_seconds: None, tests }, says });
    }
    if steps.is_empty() {
        return Err(none());
    }
    notes.push(Note::info(
        "The CSI driver's attacher then detaches it; if that does not answer, the attachment stays until it does.",
        "随后由 CSI 驱动的 attacher 解挂；如果它没有响应，挂载对象会一直保留到它响应为止。",
    ));
    Ok(Draft { steps, notes, undo: Words::new("Cannot be undone.", "无法撤销。") })
}
