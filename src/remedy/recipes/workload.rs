//! The workload that a pod belongs to, where it is one whose pods are rolled: what the remedies of rollouts share.

use super::ownership;
use crate::diagnosis::Words;
use crate::facts::World;
use crate::remedy::object::{Kind, Object};
use crate::remedy::patch::{Operation, pointer};
use crate::remedy::plan::Note;
use crate::remedy::recipe::{Grant, Scene};
use jiff::SignedDuration;
use k8s_openapi::api::core::v1::PodTemplateSpec;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde_json::{Value, json};

/// What a change of a workload's template needs.
pub const GRANTS: &[Grant] =
    &[("apps", "deployments", &["patch"]), ("apps", "statefulsets", &["patch"]), ("apps", "daemonsets", &["patch"])];
/// How long a rollout may take: a Deployment's own deadline (`progressDeadlineSeconds`).
pub const PATIENCE: SignedDuration = SignedDuration::from_mins(10);

/// A Deployment, StatefulSet or DaemonSet.
pub struct Rolled<'w> {
    pub object: Object,
    pub meta: &'w ObjectMeta,
    pub template: &'w PodTemplateSpec,
    pub is_paused: bool,
}

impl<'w> Rolled<'w> {
    /// Returns the workload of a scene.
    ///
    /// # Errors
    /// Where nobody rolls its pods, or it was not read.
    pub fn of(scene: &Scene<'w>) -> Result<Self, Words> {
        let workload = scene.facts.workload();
        let unfit = || {
            Words::new(
                format!("{workload} is not rolled: this is for a Deployment, StatefulSet or DaemonSet."),
                format!("{workload} 不支持滚动更新：此操作只适用于 Deployment、StatefulSet 或 DaemonSet。"),
            )
        };
        let unread = || Words::new(format!("{workload} could not be read."), format!("无法读取 {workload}。"));
        let kind = Kind::of_name(&workload.kind)
            .filter(|kind| matches!(kind, Kind::Deployment | Kind::StatefulSet | Kind::DaemonSet))
            .ok_or_else(unfit)?;
        let (meta, template, is_paused) =
            found(scene.facts.world, kind, &workload.namespace, &workload.name).ok_or_else(unread)?;
        let object = Object::of(kind, meta).ok_or_else(unread)?;
        Ok(Self { object, meta, template, is_paused })
    }

    /// Returns the tests that hold as long as nobody has changed what the workload is to be.
    pub fn unchanged(&self) -> Vec<Operation> {
        let mut tests = vec![Operation::Test { path: pointer(["metadata", "uid"]), value: json!(self.object.uid) }];
        if let Some(generation) = self.meta.generation {
            tests.push(Operation::Test { path: pointer(["metadata", "generation"]), value: json!(generation) });
        }
        tests
    }

    /// Returns an error where the rollout is paused, so that nothing would come of a change.
    pub fn must_roll(&self) -> Result<(), Words> {
        if !self.is_paused {
            return Ok(());
        }
        let object = &self.object;
        Err(Words::new(
            format!(
                "The rollout of {object} is paused, so nothing would come of it: resume it first (resume-rollout)."
            ),
            format!("{object} 的发布已暂停，更改不会生效：请先恢复发布（resume-rollout）。"),
        ))
    }

    /// Returns what to know of the workload before it is changed.
    pub fn notes(&self) -> Vec<Note> {
        let mut notes: Vec<Note> = ownership::note(self.meta).into_iter().collect();
        if self.object.kind == Kind::StatefulSet {
            notes.push(Note::info(
                "A StatefulSet replaces its pods one by one, and stops at one that does not become ready.",
                "StatefulSet 逐个替换 Pod，遇到未就绪的 Pod 会停止。",
            ));
        }
        notes
    }
}

fn found<'w>(
    world: &'w World,
    kind: Kind,
    namespace: &str,
    name: &str,
) -> Option<(&'w ObjectMeta, &'w PodTemplateSpec, bool)> {
    match kind {
        Kind::Deployment => {
            let object = world.deployments.get(namespace, name).present()?;
            Some((&object.metadata, &object.spec.template, object.spec.paused == Some(true)))
        }
        Kind::StatefulSet => {
            let object = world.stateful_sets.get(namespace, name).present()?;
            Some((&object.metadata, &object.spec.template, false))
        }
        Kind::DaemonSet => {
            let object = world.daemon_sets.get(namespace, name).present()?;
            Some((&object.metadata, &object.spec.template, false))
        }
        _ => None,
    }
}

/// Returns the operations that set a member of a map, which may not be there yet.
pub fn set_member(
    parent: &[&str],
    name: &str,
    map: Option<&std::collections::BTreeMap<String, String>>,
    value: &str,
) -> Vec<Operation> {
    let mut operations = Vec::new();
    if map.is_none() {
        operations.push(Operation::Open { path: pointer(parent.iter().copied()) });
    }
    let was = map.and_then(|map| map.get(name)).map(|was| Value::from(was.as_str()));
    let path = pointer(parent.iter().copied().chain([name]));
    operations.push(Operation::Put { path, was, value: json!(value) });
    operations
}
