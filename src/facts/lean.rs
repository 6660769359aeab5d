//! Pods and nodes with only the fields that tell calm from sick, for whoever looks at all of them.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference, Time};
use serde::{Deserialize, Deserializer};
use std::collections::BTreeMap;

/// Only annotations of ours are kept: others may be long, and hold what nobody should see.
const OUR_ANNOTATIONS: &str = "podoctor.dev/";

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

    /// Returns all containers, those of the start first.
    pub fn containers(&self) -> impl Iterator<Item = &LeanContainer> {
        self.status.init_container_statuses.iter().chain(&self.status.container_statuses)
    }
}

/// Reads metadata without what nobody here needs: managed fields are the largest part of many objects.
fn lean_meta<'de, D: Deserializer<'de>>(deserializer: D) -> Result<ObjectMeta, D::Error> {
    #[derive(Deserialize, Default)]
    #[serde(rename_all = "camelCase", default)]
    struct Lean {
        name: Option<String>,
        namespace: Option<String>,
        uid: Option<String>,
        resource_version: Option<String>,
        creation_timestamp: Option<Time>,
        deletion_timestamp: Option<Time>,
        labels: Option<BTreeMap<String, String>>,
        annotations: Option<BTreeMap<String, String>>,
        owner_references: Option<Vec<OwnerReference>>,
    }
    let lean = Lean::deserialize(deserializer)?;
    let annotations = lean.annotations.map(|mut annotations| {
        annotations.retain(|key, _| key.starts_with(OUR_ANNOTATIONS));
        annotations
    });
    Ok(ObjectMeta {
        name: lean.name,
        namespace: lean.namespace,
        uid: lean.uid,
        resource_version: lean.resource_version,
        creation_timestamp: lean.creation_timestamp,
        deletion_timestamp: lean.deletion_timestamp,
        labels: lean.labels,
        annotations: annotations.filter(|annotations| !annotations.is_empty()),
        owner_references: lean.owner_references,
        ..ObjectMeta::default()
    })
}
