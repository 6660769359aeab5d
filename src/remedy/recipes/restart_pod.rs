//! Has a pod made anew: by eviction, which honours disruption budgets.

use crate::diagnosis::kubectl::{namespaced, quoted};
use crate::diagnosis::{Remedy, Text, Words};
use crate::facts::workload::controller;
use crate::remedy::object::{Kind, Object};
use crate::remedy::plan::{Change, Note, Step};
use crate::remedy::recipe::{Cure, Draft, Recipe, Scene};
use jiff::SignedDuration;

pub static RECIPE: Recipe = Recipe {
    remedy: Remedy::RestartPod,
    title: Text { en: "have the pod made anew", zh: "重建 Pod" },
    grants: &[("", "pods/eviction", &["create"])],
    reads: &[],
    cure: Cure::Workload,
    patience: SignedDuration::from_mins(5),
    draft,
};

fn draft(scene: &Scene<'_>) -> Result<Draft, Words> {
    let missing = || Words::new("There is no pod to be made anew.", "没有可重建的 Pod。");
    let pod = scene.facts.pod().ok_or_else(missing)?;
    let object = Object::of(Kind::Pod, pod.meta()).ok_or_else(missing)?;
    if controller(pod.meta()).is_none_or(|owner| owner.controller != Some(true)) {
        return Err(Words::new(
            format!("Nobody would make {object} anew: it has no controller."),
            format!("没有控制器会重建 {object}。"),
        ));
    }
    if pod.meta().deletion_timestamp.is_some() {
        return Err(Words::new(format!("{object} is on its way out already."), format!("{object} 已在退出。")));
    }
    let mut notes = Vec::new();
    let volumes = pod.spec().and_then(|spec| spec.volumes.as_deref()).unwrap_or_default();
    if volumes.iter().any(|volume| volume.empty_dir.is_some()) {
        notes.push(Note::warning("What stands in its emptyDir volumes is lost.", "它的 emptyDir 卷中的内容会丢失。"));
    }
    let by_hand = namespaced(pod.namespace(), &format!("delete pod {}", quoted(pod.name())));
    notes.push(Note::info(
        format!("Evicted, it goes only where no disruption budget speaks against it; `{by_hand}` would not ask."),
        format!("驱逐会遵守 PodDisruptionBudget；`{by_hand}` 则不会询问。"),
    ));
    let says = Words::new(format!("evict {object}"), format!("驱逐 {object}"));
    Ok(Draft {
        steps: vec![Step { object, change: Change::Evict, says }],
        notes,
        undo: Words::new(
            "Cannot be undone, and need not be: its controller makes another one.",
            "无法撤销，也无需撤销：控制器会新建一个。",
        ),
    })
}
