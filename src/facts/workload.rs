//! The workload that a pod belongs to: what a person would restart, scale or edit.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use std::fmt;

/// A workload by kind, namespace and name.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub struct Workload {
    /// `Deployment`, `StatefulSet`, `DaemonSet`, `Job`, `CronJob`, `ReplicaSet`, `Pod`, or any owner's kind.
    pub kind: String,
    pub namespace: String,
    pub name: String,
}

impl Workload {
    /// Returns the workload of a pod from its metadata alone: no look-up of owners is needed.
    ///
    /// A ReplicaSet whose name ends in the pod's `pod-template-hash` belongs to a Deployment of the name before it.
    /// Of a Job made by a CronJob (`NAME-<minutes>`) the Job is named: the CronJob is its owner's business.
    pub fn of_pod(meta: &ObjectMeta) -> Self {
        let namespace = meta.namespace.clone().unwrap_or_default();
        let Some(owner) = controller(meta) else {
            return Self { kind: "Pod".to_owned(), namespace, name: meta.name.clone().unwrap_or_default() };
        };
        let hash = meta.labels.as_ref().and_then(|labels| labels.get("pod-template-hash"));
        if owner.kind == "ReplicaSet"
            && let Some(name) = hash.and_then(|hash| owner.name.strip_suffix(hash.as_str()))
            && let Some(name) = name.strip_suffix('-')
        {
            return Self { kind: "Deployment".to_owned(), namespace, name: name.to_owned() };
        }
        Self { kind: owner.kind.clone(), namespace, name: owner.name.clone() }
    }

    /// Returns `deployment/manage`: how kubectl and people name it.
    pub fn reference(&self) -> String {
        format!("{}/{}", self.kind.to_lowercase(), self.name)
    }
}

impl fmt::Display for Workload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.kind.to_lowercase(), self.name)
    }
}

/// Returns the owner that controls an object.
pub fn controller(meta: &ObjectMeta) -> Option<&OwnerReference> {
    let owners = meta.owner_references.as_deref().unwrap_or_default();
    owners.iter().find(|owner| owner.controller == Some(true)).or(owners.first())
}
