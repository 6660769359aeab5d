//! Lets go of a deleted pod that nobody can confirm the end of: its node is gone, or known to be off.

use super::node::{self, Life};
use crate::diagnosis::{Remedy, Text, Words};
use crate::remedy::object::{Kind, Object};
use crate::remedy::patch::{Operation, pointer};
use crate::remedy::plan::{Change, Note, Step};
use crate::remedy::recipe::{Cure, Draft, Read, Recipe, Scene};
use jiff::SignedDuration;
use serde_json::json;

pub static RECIPE: Recipe = Recipe {
    remedy: Remedy::ForceDeletePod,
    title: Text { en: "let go of it by force", zh: "强制删除" },
    grants: &[("", "pods", &["delete"])],
    reads: &[Read::Node],
    cure: Cure::Pods,
    patience: SignedDuration::from_secs(60),
    draft,
};

fn draft(scene: &Scene<'_>) -> Result<Draft, Words> {
    let missing = || Words::new("There is no pod to be deleted.", "没有可删除的 Pod。");
    let pod = scene.facts.pod().ok_or_else(missing)?;
    let object = Object::of(Kind::Pod, pod.meta()).ok_or_else(missing)?;
    let node = pod.node_name().unwrap_or_default();
    let ended = pod.containers().next().is_some() && pod.containers().all(|container| container.end().is_some());
    let sure = match node::life(scene, node) {
        Life::Gone => Words::new(
            format!("Node {node} does not exist any more, so nothing of the pod runs there."),
            format!("节点 {node} 已不存在，Pod 不可能仍在其上运行。"),
        ),
        Life::Off => Words::new(
            format!("Node {node} is known to be off, so nothing of the pod runs there."),
            format!("已知节点 {node} 已关机，Pod 不可能仍在其上运行。"),
        ),
        Life::Alive if ended => Words::new(
            format!("The kubelet of {node} says itself that every container has ended."),
            format!("{node} 的 kubelet 自己上报所有容器都已结束。"),
        ),
        Life::Alive => {
            return Err(Words::new(
                format!(
                    "Node {node} is alive and containers may still run there: they would go on unseen. Look at the kubelet instead."
                ),
                format!(
                    "节点 {node} 仍然存活，容器可能还在运行：强制删除后它们会在无人知晓的情况下继续运行。请检查 kubelet。"
                ),
            ));
        }
        Life::Silent => {
            return Err(Words::new(
                format!(
                    "Node {node} is silent, and nobody knows whether it is off: the pod may still run. If the machine is off, mark the node out of service."
                ),
                format!(
                    "节点 {node} 失联，无法确认是否已关机：Pod 可能仍在运行。如果机器已关机，请将节点标记为 out-of-service。"
                ),
            ));
        }
        Life::Unread => {
            return Err(Words::new(
                format!("Node {node} could not be read, so whether the pod still runs is not known."),
                format!("无法读取节点 {node}，不知道 Pod 是否仍在运行。"),
            ));
        }
    };
    let mut notes = vec![Note { weight: crate::remedy::Weight::Info, words: sure }];
    if scene.facts.workload().kind == "StatefulSet" {
        notes.push(Note::warning(
            "It is of a StatefulSet, which promises at most one pod of this name: if the old one still runs, two writers may meet on one volume.",
            "它属于 StatefulSet，同名 Pod 最多只能有一个：若旧 Pod 仍在运行，两个写入者可能同时使用一个卷。",
        ));
    }
    if !pod.finalizers().is_empty() {
        let names = pod.finalizers().join("`, `");
        notes.push(Note::warning(
            format!("Its finalizers `{names}` keep it even so, until their owners take them off."),
            format!("即便如此，它的 finalizer `{names}` 仍会留住它，直到其拥有者移除。"),
        ));
    }
    let tests = vec![Operation::Test { path: pointer(["spec", "nodeName"]), value: json!(node) }];
    let says = Words::new(format!("delete {object} with grace period 0"), format!("以宽限期 0 删除 {object}"));
    Ok(Draft {
        steps: vec![Step { object, change: Change::Delete { grace_seconds: Some(0), tests }, says }],
        notes,
        undo: Words::new("Cannot be undone.", "无法撤销。"),
    })
}
