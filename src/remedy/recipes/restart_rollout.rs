//! Replaces all pods of a workload, one after the other, as `kubectl rollout restart` does.

use super::workload::{GRANTS, PATIENCE, Rolled, set_member};
use crate::diagnosis::{Remedy, Text, Words};
use crate::remedy::plan::{Change, Note, Step};
use crate::remedy::recipe::{Cure, Draft, Read, Recipe, Scene};

pub static RECIPE: Recipe = Recipe {
    remedy: Remedy::RestartRollout,
    title: Text { en: "restart its pods one after the other", zh: "逐个重启它的 Pod" },
    grants: GRANTS,
    reads: &[Read::Workload],
    cure: Cure::Workload,
    patience: PATIENCE,
    draft,
};

/// The annotation by which kubectl does the same.
const RESTARTED: &str = "kubectl.kubernetes.io/restartedAt";

fn draft(scene: &Scene<'_>) -> Result<Draft, Words> {
    let rolled = Rolled::of(scene)?;
    rolled.must_roll()?;
    let annotations = rolled.template.metadata.as_ref().and_then(|meta| meta.annotations.as_ref());
    let at = scene.facts.now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let mut operations = rolled.unchanged();
    operations.extend(set_member(&["spec", "template", "metadata", "annotations"], RESTARTED, annotations, &at));
    let object = rolled.object.clone();
    let mut notes = rolled.notes();
    notes.push(Note::info(
        "Every pod is made anew, at the pace of its update strategy; what stands in emptyDir volumes is lost.",
        "每个 Pod 都会按更新策略的节奏重建；emptyDir 卷中的内容会丢失。",
    ));
    let says = Words::new(format!("restart {object}"), format!("重启 {object}"));
    Ok(Draft {
        steps: vec![Step { object, change: Change::Patch { operations }, says }],
        notes,
        undo: Words::new("There is nothing to undo: the same pods are made anew.", "无需撤销：重建的是同样的 Pod。"),
    })
}
