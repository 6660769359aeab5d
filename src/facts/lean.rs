//! Pods and nodes with only the fields that tell calm from sick, for whoever looks at all of them.

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1 as api;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference, Time};
use serde::{Deserialize, Deserializer};
use std::collections::BTreeMap;

/// Only annotations of ours are kept: others may be long, and hold what nobody should see.
const OUR_ANNOTATIONS: &str = "podoctor.dev/";

/// A pod that has been up for so long since its last restart is calm.
const CALM_AFTER: SignedDuration = SignedDuration::from_mins(30);

/// A pod, lean.
#[derive(Debug, Clone, Deserialize)]
pub struct LeanPod {
    #[serde(deserialize_with = "lean_meta")]
    pub metadata: ObjectMeta,
    #[serde(default)]
    pub spec: LeanPodSpec,
    #[serde(default)]
    pub status: LeanPodStatus,
}

/// What of a pod's spec is kept.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct LeanPodSpec {
    pub node_name: Option<String>,
}

/// What of a pod's status is kept.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct LeanPodStatus {
    pub phase: String,
    pub reason: Option<String>,
    pub conditions: Vec<LeanCondition>,
    pub init_container_statuses: Vec<LeanContainer>,
    pub container_statuses: Vec<LeanContainer>,
}

/// A condition of a pod or node.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LeanCondition {
    pub r#type: String,
    pub status: String,
    pub last_transition_time: Option<Time>,
}

/// The state of a container.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct LeanContainer {
    pub ready: bool,
    pub restart_count: i32,
    pub state: LeanState,
    pub last_state: LeanState,
}

/// One state of a container: waiting, running or ended.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct LeanState {
    pub waiting: Option<LeanWaiting>,
    pub running: Option<LeanRunning>,
    pub terminated: Option<LeanEnd>,
}

/// Why a container waits.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct LeanWaiting {
    pub reason: String,
}

/// Since when a container runs.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct LeanRunning {
    pub started_at: Option<Time>,
}

/// When a container ended.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct LeanEnd {
    pub exit_code: i32,
    pub finished_at: Option<Time>,
}

/// A node, lean.
#[derive(Debug, Clone, Deserialize)]
pub struct LeanNode {
    #[serde(deserialize_with = "lean_meta")]
    pub metadata: ObjectMeta,
    #[serde(default)]
    pub status: LeanNodeStatus,
}

/// What of a node's status is kept.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct LeanNodeStatus {
    pub conditions: Vec<LeanCondition>,
}

impl LeanPod {
    /// Returns what of a whole pod tells calm from sick; of its metadata just the deletion.
    pub fn of(pod: &api::Pod) -> Self {
        let metadata =
            ObjectMeta { deletion_timestamp: pod.metadata.deletion_timestamp.clone(), ..ObjectMeta::default() };
        let containers = |statuses: Option<&Vec<api::ContainerStatus>>| {
            statuses.into_iter().flatten().map(LeanContainer::of).collect()
        };
        let status = pod.status.as_ref().map_or_else(LeanPodStatus::default, |status| LeanPodStatus {
            phase: status.phase.clone().unwrap_or_default(),
            reason: status.reason.clone(),
            conditions: status.conditions.iter().flatten().map(LeanCondition::of).collect(),
            init_container_statuses: containers(status.init_container_statuses.as_ref()),
            container_statuses: containers(status.container_statuses.as_ref()),
        });
        let node_name = pod.spec.as_ref().and_then(|spec| spec.node_name.clone());
        Self { metadata, spec: LeanPodSpec { node_name }, status }
    }

    /// Returns a condition by its type.
    pub fn condition(&self, kind: &str) -> Option<&LeanCondition> {
        self.status.conditions.iter().find(|condition| condition.r#type == kind)
    }

    /// Returns true where a condition is there and true.
    pub fn is(&self, kind: &str) -> bool {
        self.condition(kind).is_some_and(|condition| condition.status == "True")
    }

    /// Returns the pod's namespace.
    pub fn namespace(&self) -> &str {
        self.metadata.namespace.as_deref().unwrap_or_default()
    }

    /// Returns the pod's name.
    pub fn name(&self) -> &str {
        self.metadata.name.as_deref().unwrap_or_default()
    }

    /// Returns true where nothing about the pod calls for a closer look.
    pub fn is_calm(&self, now: Timestamp) -> bool {
        if self.metadata.deletion_timestamp.is_some() {
            return false;
        }
        if self.status.phase == "Succeeded" {
            return true;
        }
        let restarted_lately = self.status.container_statuses.iter().any(|container| {
            let end = container.last_state.terminated.as_ref().and_then(|end| end.finished_at.as_ref());
            container.restart_count > 0 && end.is_none_or(|t| now.duration_since(t.0) < CALM_AFTER)
        });
        self.status.phase == "Running" && self.is("Ready") && !restarted_lately
    }

    /// Returns all containers, those of the start first.
    pub fn containers(&self) -> impl Iterator<Item = &LeanContainer> {
        self.status.init_container_statuses.iter().chain(&self.status.container_statuses)
    }
}

impl LeanCondition {
    fn of(condition: &api::PodCondition) -> Self {
        Self {
            r#type: condition.type_.clone(),
            status: condition.status.clone(),
            last_transition_time: condition.last_transition_time.clone(),
        }
    }
}

impl LeanContainer {
    fn of(status: &api::ContainerStatus) -> Self {
        let state = |state: Option<&api::ContainerState>| state.map_or_else(LeanState::default, LeanState::of);
        Self {
            ready: status.ready,
            restart_count: status.restart_count,
            state: state(status.state.as_ref()),
            last_state: state(status.last_state.as_ref()),
        }
    }
}

impl LeanState {
    fn of(state: &api::ContainerState) -> Self {
        let waiting = state.waiting.as_ref().map(|w| LeanWaiting { reason: w.reason.clone().unwrap_or_default() });
        let running = state.running.as_ref().map(|r| LeanRunning { started_at: r.started_at.clone() });
        let terminated =
            state.terminated.as_ref().map(|t| LeanEnd { exit_code: t.exit_code, finished_at: t.finished_at.clone() });
        Self { waiting, running, terminated }
    }
}

/// Reads metadata without managed fields, and without others' annotations.
fn lean_meta<'de, D: Deserializer<'de>>(deserializer: D) -> Result<ObjectMeta, D::Error> {
    let mut meta = meta_without_managed_fields(deserializer)?;
    if let Some(annotations) = &mut meta.annotations {
        annotations.retain(|key, _| key.starts_with(OUR_ANNOTATIONS));
    }
    meta.annotations = meta.annotations.filter(|annotations| !annotations.is_empty());
    Ok(meta)
}

/// Reads metadata without managed fields, which are the largest part of many objects.
///
/// # Errors
/// Where it is no metadata.
pub fn meta_without_managed_fields<'de, D: Deserializer<'de>>(deserializer: D) -> Result<ObjectMeta, D::Error> {
    #[derive(Deserialize, Default)]
    #[serde(rename_all = "camelCase", default)]
    struct Lean {
        name: Option<String>,
        generate_name: Option<String>,
        namespace: Option<String>,
        uid: Option<String>,
        resource_version: Option<String>,
        generation: Option<i64>,
        creation_timestamp: Option<Time>,
        deletion_timestamp: Option<Time>,
        deletion_grace_period_seconds: Option<i64>,
        labels: Option<BTreeMap<String, String>>,
        annotations: Option<BTreeMap<String, String>>,
        owner_references: Option<Vec<OwnerReference>>,
        finalizers: Option<Vec<String>>,
    }
    let lean = Lean::deserialize(deserializer)?;
    Ok(ObjectMeta {
        name: lean.name,
        generate_name: lean.generate_name,
        namespace: lean.namespace,
        uid: lean.uid,
        resource_version: lean.resource_version,
        generation: lean.generation,
        creation_timestamp: lean.creation_timestamp,
        deletion_timestamp: lean.deletion_timestamp,
        deletion_grace_period_seconds: lean.deletion_grace_period_seconds,
        labels: lean.labels,
        annotations: lean.annotations,
        owner_references: lean.owner_references,
        finalizers: lean.finalizers,
        managed_fields: None,
        self_link: None,
    })
}
