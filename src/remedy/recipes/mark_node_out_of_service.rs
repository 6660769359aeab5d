//! Says of a silent node that it is off for good, so that its pods are let go of and its volumes move.

use super::node::{self, Life, OUT_OF_SERVICE};
use crate::diagnosis::{Remedy, Text, Words};
use crate::facts::node as facts_of_node;
use crate::remedy::patch::{Operation, pointer};
use crate::remedy::plan::{Change, Note, Step};
use crate::remedy::recipe::{Cure, Draft, Read, Recipe, Scene};
use jiff::SignedDuration;
use serde_json::json;

pub static RECIPE: Recipe = Recipe {
    remedy: Remedy::MarkNodeOutOfService,
    title: Text {
        en: "say that its node is off, so that pods and volumes move",
        zh: "标记节点已停用，使 Pod 和卷迁移",
    },
    grants: &[("", "nodes", &["patch"])],
    reads: &[Read::Node, Read::PodsOnNode],
    cure: Cure::Pods,
    patience: SignedDuration::from_mins(8),
    draft,
};

/// A node that fell silent only now may be back in a moment.
const SILENT_FOR: SignedDuration = SignedDuration::from_mins(2);

fn draft(scene: &Scene<'_>) -> Result<Draft, Words> {
    let (object, found) = node::of(scene)?;
    let name = object.name.clone();
    if node::life(scene, &name) != Life::Silent {
        return Err(Words::new(
            format!("Node {name} reports, or is marked already: this is only for a node that is silent."),
            format!("节点 {name} 仍在上报，或已被标记：此操作只用于失联的节点。"),
        ));
    }
    let heartbeat = facts_of_node::heartbeat_age(scene.facts.world, &name, scene.facts.now);
    if heartbeat.present().is_some_and(|age| age < SILENT_FOR) {
        return Err(Words::new(
            format!("The kubelet of {name} still renews its lease: the machine is on."),
            format!("{name} 的 kubelet 仍在续租：机器还开着。"),
        ));
    }
    let taint = json!({"key": OUT_OF_SERVICE, "value": "nodeshutdown", "effect": "NoExecute"});
    let path = pointer(["spec", "taints"]);
    let put = match found.spec.as_ref().and_then(|spec| spec.taints.as_ref()) {
        Some(_) => Operation::Put { path: format!("{path}/-"), was: None, value: taint },
        None => Operation::Put { path, was: None, value: json!([taint]) },
    };
    let pods = node::pods_on(scene, &name);
    let count = pods.map_or_else(String::new, |pods| format!("{pods} "));
    let notes = vec![
        Note::warning(
            format!(
                "Only if the machine is truly off. If {name} still runs and writes, two writers may meet on one volume and corrupt it."
            ),
            format!("仅当机器确实关机。若 {name} 仍在运行并写入，两个写入者可能同时使用一个卷并损坏数据。"),
        ),
        Note::info(
            format!(
                "The {count}pods on it that do not tolerate the taint are deleted by force at once, and their volumes are detached without waiting."
            ),
            format!("节点上不容忍该污点的 {count}个 Pod 会立即被强制删除，其卷会不经等待直接解挂。"),
        ),
        Note::info(
            "When the machine is back, the taint has to be removed by hand.",
            "机器恢复后，需要手动移除该污点。",
        ),
    ];
    let back = format!("kubectl taint node {name} {OUT_OF_SERVICE}-");
    let says = Words::new(format!("taint {object} out-of-service"), format!("为 {object} 打上 out-of-service 污点"));
    Ok(Draft {
        steps: vec![Step { change: Change::Patch { operations: vec![node::same(&object), put] }, object, says }],
        notes,
        undo: Words::new(
            format!("The taint goes with `{back}`; pods that were deleted do not come back."),
            format!("用 `{back}` 可移除污点；已删除的 Pod 不会回来。"),
        ),
    })
}
