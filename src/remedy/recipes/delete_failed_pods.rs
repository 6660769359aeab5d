//! Clears away what is left of pods that were evicted, rejected or have failed, once their workload has others.

use crate::diagnosis::{Remedy, Text, Words};
use crate::facts::PodView;
use crate::remedy::object::{Kind, Object};
use crate::remedy::patch::{Operation, pointer};
use crate::remedy::plan::{Change, MOST_PODS, Note, Step};
use crate::remedy::recipe::{Cure, Draft, Read, Recipe, Scene};
use jiff::SignedDuration;
use serde_json::json;

pub static RECIPE: Recipe = Recipe {
    remedy: Remedy::DeleteFailedPods,
    title: Text { en: "clear away its failed pods", zh: "清理它失败的 Pod" },
    grants: &[("", "pods", &["delete"])],
    reads: &[Read::FailedPods],
    cure: Cure::Pods,
    patience: SignedDuration::from_secs(60),
    draft,
};

fn draft(scene: &Scene<'_>) -> Result<Draft, Words> {
    let workload = scene.facts.workload();
    let of_workload = |pod: &PodView<'_>| pod.workload() == workload;
    let failed = |pod: &PodView<'_>| pod.phase() == "Failed" && pod.meta().deletion_timestamp.is_none();
    if workload.kind == "Job" {
        return Err(Words::new(
            "A Job counts its failed pods: they go with the Job, or by its ttlSecondsAfterFinished.",
            "Job 需要统计失败的 Pod：它们随 Job 一起删除，或由 ttlSecondsAfterFinished 清理。",
        ));
    }
    let all = scene.facts.world.pods.seen_in(&workload.namespace).map(PodView::new);
    let leftovers: Vec<PodView<'_>> = all.filter(|pod| of_workload(pod) && failed(pod)).collect();
    let steps: Vec<Step> = leftovers
        .iter()
        .take(MOST_PODS)
        .filter_map(|pod| {
            let object = Object::of(Kind::Pod, pod.meta())?;
            let why = if pod.reason().is_empty() { pod.phase() } else { pod.reason() };
            let says = Words::new(format!("delete {object} ({why})"), format!("删除 {object}（{why}）"));
            let tests = vec![Operation::Test { path: pointer(["status", "phase"]), value: json!("Failed") }];
            Some(Step { object, change: Change::Delete { grace_seconds: None, tests }, says })
        })
        .collect();
    if steps.is_empty() {
        return Err(Words::new("No failed pod of it is left.", "它没有失败的 Pod 了。"));
    }
    let mut notes = vec![Note::info(
        "They run nothing any more; their logs and the reason of their end go with them.",
        "它们已不再运行；其日志和结束原因会一并消失。",
    )];
    let more = leftovers.len().saturating_sub(MOST_PODS);
    if more > 0 {
        notes.push(Note::info(format!("{more} more are left for another time."), format!("另有 {more} 个留待下次。")));
    }
    if workload.kind == "Pod" {
        notes.push(Note::warning("Nobody makes a bare pod anew.", "没有控制器会重建单独的 Pod。"));
    }
    Ok(Draft { steps, notes, undo: Words::new("Cannot be undone.", "无法撤销。") })
}
