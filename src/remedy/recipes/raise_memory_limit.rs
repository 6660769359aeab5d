//! Gives a container that reached its memory limit more, on its workload.

use super::workload::{GRANTS, PATIENCE, Rolled};
use crate::diagnosis::{Remedy, Text, Words};
use crate::remedy::patch::{Operation, pointer};
use crate::remedy::plan::{Change, Note, Step};
use crate::remedy::recipe::{Cure, Draft, Read, Recipe, Scene};
use serde_json::json;

pub static RECIPE: Recipe = Recipe {
    remedy: Remedy::RaiseMemoryLimit,
    title: Text { en: "raise its memory limit", zh: "调大内存 limit" },
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
    let unknown =
        || Words::new("The evidence does not tell which limit would be enough.", "现有证据无法说明多大的 limit 才够。");
    let finding = scene.diagnosis.answer().ok_or_else(unknown)?;
    let (name, more) =
        (finding.container.as_deref().ok_or_else(unknown)?, finding.aims.memory.as_deref().ok_or_else(unknown)?);
    let spec = rolled.template.spec.as_ref().ok_or_else(unknown)?;
    let lists = [("containers", Some(&spec.containers)), ("initContainers", spec.init_containers.as_ref())];
    let (list, place, container) = lists
        .into_iter()
        .find_map(|(list, containers)| {
            let place = containers?.iter().position(|container| container.name == name)?;
            Some((list, place, &containers?[place]))
        })
        .ok_or_else(|| {
            Words::new(
                format!("{object} has no container `{name}` any more."),
                format!("{object} 已没有容器 `{name}`。"),
            )
        })?;
    let limit = |container: &k8s_openapi::api::core::v1::Container| {
        container.resources.as_ref().and_then(|r| r.limits.as_ref()).and_then(|limits| limits.get("memory")).cloned()
    };
    let was = limit(container).ok_or_else(unknown)?;
    // The pod may be of an older template than its workload has by now.
    let of_pod = scene.facts.pod().and_then(|pod| pod.containers().find(|c| c.name() == name));
    if let Some(own) = of_pod.and_then(|container| limit(container.spec)).filter(|own| *own != was) {
        return Err(Words::new(
            format!("{object} says {} already, and the pod still has {}: its replacement is on its way.", was.0, own.0),
            format!("{object} 已改为 {}，而 Pod 仍是 {}：新的 Pod 正在路上。", was.0, own.0),
        ));
    }
    let place = place.to_string();
    let path = ["spec", "template", "spec", list, &place];
    let mut operations = rolled.unchanged();
    operations.push(Operation::Test { path: pointer(path.into_iter().chain(["name"])), value: json!(name) });
    operations.push(Operation::Put {
        path: pointer(path.into_iter().chain(["resources", "limits", "memory"])),
        was: Some(json!(was.0)),
        value: json!(more),
    });
    let mut notes = rolled.notes();
    notes.push(Note::info(
        format!("The pods are replaced. A limit of {more} is an estimate from the old one; if the use keeps growing, look for a leak instead."),
        format!("Pod 会被替换。{more} 是根据旧 limit 的估计；若内存持续增长，应先排查泄漏。"),
    ));
    let says = Words::new(
        format!("{object}: memory limit of `{name}` from {} to {more}", was.0),
        format!("{object}：`{name}` 的内存 limit 从 {} 调到 {more}", was.0),
    );
    let back = crate::diagnosis::kubectl::set_memory_limit(&scene.facts.workload(), name, &was.0);
    Ok(Draft {
        steps: vec![Step { object, change: Change::Patch { operations }, says }],
        notes,
        undo: Words::new(format!("To take it back: `{back}`."), format!("要改回：`{back}`。")),
    })
}
