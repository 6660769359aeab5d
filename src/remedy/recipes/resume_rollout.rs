//! Lets a paused rollout go on.

use super::workload::{PATIENCE, Rolled};
use crate::diagnosis::{Remedy, Text, Words};
use crate::remedy::patch::{Operation, pointer};
use crate::remedy::plan::{Change, Note, Step};
use crate::remedy::recipe::{Cure, Draft, Read, Recipe, Scene};
use serde_json::json;

pub static RECIPE: Recipe = Recipe {
    remedy: Remedy::ResumeRollout,
    title: Text { en: "let its paused rollout go on", zh: "恢复已暂停的发布" },
    grants: &[("apps", "deployments", &["patch"])],
    reads: &[Read::Workload],
    cure: Cure::Workload,
    patience: PATIENCE,
    draft,
};

fn draft(scene: &Scene<'_>) -> Result<Draft, Words> {
    let rolled = Rolled::of(scene)?;
    let object = rolled.object.clone();
    if !rolled.is_paused {
        return Err(Words::new(
            format!("The rollout of {object} is not paused."),
            format!("{object} 的发布没有暂停。"),
        ));
    }
    let mut operations = rolled.unchanged();
    operations.push(Operation::Remove { path: pointer(["spec", "paused"]), was: json!(true) });
    let mut notes = rolled.notes();
    notes.push(Note::warning(
        "Somebody paused it: what was changed since is rolled out now, all of it.",
        "有人暂停了它：此后的所有更改现在会一并发布。",
    ));
    let says = Words::new(format!("resume the rollout of {object}"), format!("恢复 {object} 的发布"));
    let pause = format!("kubectl -n {} rollout pause {}/{}", object.namespace, object.kind.word(), object.name);
    Ok(Draft {
        steps: vec![Step { object, change: Change::Patch { operations }, says }],
        notes,
        undo: Words::new(format!("To stop it again: `{pause}`."), format!("要再次暂停：`{pause}`。")),
    })
}
