//! Goes back to the template of the revision before, as `kubectl rollout undo` does.

use super::workload::{GRANTS, PATIENCE, Rolled};
use crate::diagnosis::story::revisions;
use crate::diagnosis::{Remedy, Text, Words};
use crate::remedy::patch::{self, Operation, pointer};
use crate::remedy::plan::{Change, Note, Step};
use crate::remedy::recipe::{Cure, Draft, Read, Recipe, Scene};
use k8s_openapi::api::core::v1::PodTemplateSpec;
use serde_json::Value;

pub static RECIPE: Recipe = Recipe {
    remedy: Remedy::UndoRollout,
    title: Text { en: "go back to the revision before", zh: "回滚到上一个版本" },
    grants: GRANTS,
    reads: &[Read::Workload],
    cure: Cure::Workload,
    patience: PATIENCE,
    draft,
};

fn draft(scene: &Scene<'_>) -> Result<Draft, Words> {
    let rolled = Rolled::of(scene)?;
    rolled.must_roll()?;
    let object = rolled.object.clone();
    let none = || {
        Words::new(
            format!("No revision of {object} before this one could be read."),
            format!("没有读到 {object} 更早的版本。"),
        )
    };
    let rollout = revisions::rollout(&scene.facts).ok_or_else(none)?;
    let former = rollout.former.as_ref().ok_or_else(none)?;
    let template = bare(former.template.as_deref().ok_or_else(none)?).ok_or_else(none)?;
    let present = bare(rolled.template).ok_or_else(none)?;
    if template == present {
        return Err(Words::new(
            format!("{object} has the template of revision {} already.", former.number),
            format!("{object} 的模板已与版本 {} 相同。", former.number),
        ));
    }
    let path = pointer(["spec", "template"]);
    let shows = patch::difference(&path, &present, &template);
    let mut operations = rolled.unchanged();
    operations.push(Operation::Replace { path, shows, value: template });
    let mut notes = rolled.notes();
    let (number, ready) = (former.number, former.ready);
    notes.push(if ready > 0 {
        Note::info(
            format!("{ready} pods of revision {number} are ready: it is known to work."),
            format!("版本 {number} 仍有 {ready} 个 Pod 就绪：它确实可用。"),
        )
    } else {
        Note::info(
            format!("Nothing tells whether revision {number} still works: no pod of it is left."),
            format!("无法确认版本 {number} 是否仍可用：它已没有 Pod。"),
        )
    });
    let again = format!(
        "kubectl -n {} rollout undo {}/{} --to-revision={}",
        object.namespace,
        object.kind.word(),
        object.name,
        rollout.present.number
    );
    let says = Words::new(format!("{object}: back to revision {number}"), format!("{object}：回滚到版本 {number}"));
    Ok(Draft {
        steps: vec![Step { object, change: Change::Patch { operations }, says }],
        notes,
        undo: Words::new(format!("To go forward again: `{again}`."), format!("要重新前进：`{again}`。")),
    })
}

/// Returns a template as it stands in its workload: without what marks the pods of one revision.
fn bare(template: &PodTemplateSpec) -> Option<Value> {
    let mut value = serde_json::to_value(template).ok()?;
    if let Some(labels) = value.pointer_mut("/metadata/labels").and_then(Value::as_object_mut) {
        labels.remove("pod-template-hash");
    }
    Some(value)
}
