//! Opens a cordoned node for new pods again.

use super::node;
use crate::diagnosis::{Remedy, Text, Words};
use crate::facts::node as facts_of_node;
use crate::remedy::patch::{Operation, pointer};
use crate::remedy::plan::{Change, Note, Step};
use crate::remedy::recipe::{Cure, Draft, Read, Recipe, Scene};
use jiff::SignedDuration;
use serde_json::json;

pub static RECIPE: Recipe = Recipe {
    remedy: Remedy::UncordonNode,
    title: Text { en: "open the cordoned node again", zh: "恢复节点可调度" },
    grants: &[("", "nodes", &["patch"])],
    reads: &[Read::Node],
    cure: Cure::Pods,
    patience: SignedDuration::from_mins(2),
    draft,
};

/// Taints of an autoscaler that is about to take the node away.
const GOING: &[&str] = &[
    "ToBeDeletedByClusterAutoscaler",
    "DeletionCandidateOfClusterAutoscaler",
    "karpenter.sh/disrupted",
    "karpenter.sh/disruption",
];

fn draft(scene: &Scene<'_>) -> Result<Draft, Words> {
    let (object, node) = node::of(scene)?;
    let name = object.name.clone();
    if !facts_of_node::is_cordoned(node) {
        return Err(Words::new(
            format!("Node {name} is not cordoned any more."),
            format!("节点 {name} 已不再被 cordon。"),
        ));
    }
    if !facts_of_node::is_ready(node) {
        return Err(Words::new(
            format!("Node {name} is not ready: it would take no pod.",),
            format!("节点 {name} 未就绪：它无法接收 Pod。"),
        ));
    }
    if let Some(taint) = facts_of_node::taints(node).iter().find(|taint| GOING.contains(&taint.key.as_str())) {
        return Err(Words::new(
            format!("Node {name} is being taken away by an autoscaler (taint `{}`).", taint.key),
            format!("节点 {name} 正被自动伸缩器移除（污点 `{}`）。", taint.key),
        ));
    }
    let operations =
        vec![node::same(&object), Operation::Remove { path: pointer(["spec", "unschedulable"]), was: json!(true) }];
    let notes = vec![Note::warning(
        "Somebody, or an upgrade, cordoned it: make sure that their work is over.",
        "它是被人或升级流程 cordon 的：请确认相关工作已结束。",
    )];
    let says = Words::new(format!("uncordon {object}"), format!("uncordon {object}"));
    Ok(Draft {
        steps: vec![Step { object, change: Change::Patch { operations }, says }],
        notes,
        undo: Words::new(
            format!("To take it back: `kubectl cordon {name}`."),
            format!("要撤销：`kubectl cordon {name}`。"),
        ),
    })
}
