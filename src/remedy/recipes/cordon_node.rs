//! Keeps new pods away from a node that makes them ill.

use super::node;
use crate::diagnosis::{Remedy, Text, Words};
use crate::facts::node as facts_of_node;
use crate::remedy::patch::{Operation, pointer};
use crate::remedy::plan::{Change, Note, Step};
use crate::remedy::recipe::{Cure, Draft, Read, Recipe, Scene};
use jiff::SignedDuration;
use serde_json::json;

pub static RECIPE: Recipe = Recipe {
    remedy: Remedy::CordonNode,
    title: Text { en: "keep new pods away from its node", zh: "不再向该节点调度新 Pod" },
    grants: &[("", "nodes", &["patch"])],
    reads: &[Read::Node, Read::PodsOnNode],
    cure: Cure::TheChange,
    patience: SignedDuration::from_secs(30),
    draft,
};

fn draft(scene: &Scene<'_>) -> Result<Draft, Words> {
    let (object, node) = node::of(scene)?;
    let name = object.name.clone();
    if facts_of_node::is_cordoned(node) {
        return Err(Words::new(format!("Node {name} is cordoned already."), format!("节点 {name} 已被 cordon。")));
    }
    let was = node.spec.as_ref().and_then(|spec| spec.unschedulable).map(|was| json!(was));
    let operations =
        vec![node::same(&object), Operation::Put { path: pointer(["spec", "unschedulable"]), was, value: json!(true) }];
    let mut notes = vec![match node::pods_on(scene, &name) {
        Some(pods) => Note::info(
            format!("The {pods} pods on it stay there and go on; what is ill of them is not cured by this."),
            format!("节点上的 {pods} 个 Pod 会留在原处继续运行；其中异常的不会因此恢复。"),
        ),
        None => Note::info(
            "The pods on it stay there and go on; what is ill of them is not cured by this.",
            "节点上的 Pod 会留在原处继续运行；其中异常的不会因此恢复。",
        ),
    }];
    notes.push(Note::info(
        "Pods that are made from now on need room on other nodes.",
        "之后新建的 Pod 需要其他节点有空间。",
    ));
    let says = Words::new(format!("cordon {object}"), format!("cordon {object}"));
    Ok(Draft {
        steps: vec![Step { object, change: Change::Patch { operations }, says }],
        notes,
        undo: Words::new(
            format!("To take it back: `kubectl uncordon {name}`."),
            format!("要撤销：`kubectl uncordon {name}`。"),
        ),
    })
}
