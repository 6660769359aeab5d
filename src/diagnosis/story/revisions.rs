//! The revisions of a workload: the one a pod is of, and the one before it.
//!
//! A Deployment keeps them as ReplicaSets (annotation `deployment.kubernetes.io/revision`), a StatefulSet and a
//! DaemonSet as ControllerRevisions, whose data is a patch that holds the whole template.

use crate::facts::workload::controller;
use crate::facts::{Facts, Workload};
use jiff::Timestamp;
use k8s_openapi::api::apps::v1::ReplicaSet;
use k8s_openapi::api::core::v1::PodTemplateSpec;
use serde_json::Value;
use std::borrow::Cow;

const REVISION: &str = "deployment.kubernetes.io/revision";
/// A ReplicaSet that was taken up again: it is older than its rollout.
const HISTORY: &str = "deployment.kubernetes.io/revision-history";

/// A revision of a workload.
#[derive(Debug, Clone)]
pub struct Revision<'w> {
    pub name: String,
    pub number: i64,
    /// When it was rolled out; `None` = not told.
    pub made: Option<Timestamp>,
    pub template: Option<Cow<'w, PodTemplateSpec>>,
    pub pods: i32,
    pub ready: i32,
}

/// The present revision and the one before it.
#[derive(Debug, Clone)]
pub struct Rollout<'w> {
    /// `replicaset` or `controllerrevision`.
    pub kind: &'static str,
    pub present: Revision<'w>,
    pub former: Option<Revision<'w>>,
}

/// Returns the revision of the subject and the one before it, as far as they were read.
pub fn rollout<'w>(facts: &Facts<'w>) -> Option<Rollout<'w>> {
    match facts.workload().kind.as_str() {
        "Deployment" => of_deployment(facts),
        "StatefulSet" | "DaemonSet" => of_controller_revisions(facts),
        _ => None,
    }
}

/// Returns the ReplicaSet of the pod, or the newest one of the Deployment.
pub fn present_set<'w>(facts: &Facts<'w>) -> Option<&'w ReplicaSet> {
    match facts.pod() {
        Some(pod) => {
            let owner = controller(pod.meta()).filter(|owner| owner.kind == "ReplicaSet")?;
            facts.world.replica_sets.get(pod.namespace(), &owner.name).present()
        }
        None => sets(facts, &facts.workload()).into_iter().max_by_key(|set| number(set)),
    }
}

/// Returns how many of the workload's pods are ready, and how many there are, by its owner's own count.
pub fn ready_of_workload(facts: &Facts<'_>) -> Option<(i32, i32)> {
    let workload = facts.workload();
    let (namespace, name, world) = (workload.namespace.as_str(), workload.name.as_str(), facts.world);
    match workload.kind.as_str() {
        "Deployment" => {
            if let Some(status) = world.deployments.get(namespace, name).present().and_then(|d| d.status.as_ref()) {
                return Some((status.ready_replicas.unwrap_or(0), status.replicas.unwrap_or(0)));
            }
            let status = present_set(facts)?.status.as_ref()?;
            Some((status.ready_replicas.unwrap_or(0), status.replicas))
        }
        "ReplicaSet" => {
            let status = world.replica_sets.get(namespace, name).present()?.status.as_ref()?;
            Some((status.ready_replicas.unwrap_or(0), status.replicas))
        }
        "StatefulSet" => {
            let status = world.stateful_sets.get(namespace, name).present()?.status.as_ref()?;
            Some((status.ready_replicas.unwrap_or(0), status.replicas))
        }
        "DaemonSet" => {
            let status = world.daemon_sets.get(namespace, name).present()?.status.as_ref()?;
            Some((status.number_ready, status.current_number_scheduled))
        }
        _ => None,
    }
}

fn of_deployment<'w>(facts: &Facts<'w>) -> Option<Rollout<'w>> {
    let present = present_set(facts)?;
    let present_number = number(present)?;
    let former = sets(facts, &facts.workload())
        .into_iter()
        // A revision that is taken up again gets a new number, so the one before is always the number before: where it was
        // not read, no other one will do.
        .find(|set| number(set) == Some(present_number - 1));
    Some(Rollout { kind: "replicaset", present: of_set(present)?, former: former.and_then(of_set) })
}

fn sets<'w>(facts: &Facts<'w>, workload: &Workload) -> Vec<&'w ReplicaSet> {
    facts
        .world
        .replica_sets
        .seen_in(&workload.namespace)
        .filter(|set| {
            controller(&set.metadata).is_some_and(|owner| owner.kind == "Deployment" && owner.name == workload.name)
        })
        .collect()
}

fn number(set: &ReplicaSet) -> Option<i64> {
    set.metadata.annotations.as_ref()?.get(REVISION)?.parse().ok()
}

fn of_set(set: &ReplicaSet) -> Option<Revision<'_>> {
    let reused = set.metadata.annotations.as_ref().is_some_and(|annotations| annotations.contains_key(HISTORY));
    let status = set.status.as_ref();
    Some(Revision {
        name: set.metadata.name.clone()?,
        number: number(set)?,
        made: set.metadata.creation_timestamp.as_ref().map(|t| t.0).filter(|_| !reused),
        template: set.spec.template.as_ref().map(Cow::Borrowed),
        pods: status.map_or(0, |status| status.replicas),
        ready: status.and_then(|status| status.ready_replicas).unwrap_or(0),
    })
}

fn of_controller_revisions<'w>(facts: &Facts<'w>) -> Option<Rollout<'w>> {
    let pod = facts.pod()?;
    let workload = pod.workload();
    let hash = pod.meta().labels.as_ref()?.get("controller-revision-hash")?;
    let all: Vec<Revision<'w>> = facts
        .world
        .others("ControllerRevision")?
        .seen_in(&workload.namespace)
        .filter(|object| {
            let owners = object.pointer("/metadata/ownerReferences").and_then(Value::as_array);
            owners.into_iter().flatten().any(|owner| owner["kind"] == *workload.kind && owner["name"] == *workload.name)
        })
        .filter_map(of_controller_revision)
        .collect();
    // A StatefulSet's label is the revision's name, a DaemonSet's the hash at its end.
    let is_present = |revision: &&Revision<'_>| {
        revision.name == *hash
            || revision.name.strip_suffix(hash.as_str()).is_some_and(|start| start == format!("{}-", workload.name))
    };
    let present = all.iter().find(is_present)?.clone();
    let former = all.iter().find(|revision| revision.number == present.number - 1);
    Some(Rollout { kind: "controllerrevision", former: former.cloned(), present })
}

fn of_controller_revision(object: &Value) -> Option<Revision<'_>> {
    let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str);
    let number = object.get("revision")?.as_i64()?;
    let template = object.pointer("/data/spec/template").cloned().map(|mut template| {
        if let Some(fields) = template.as_object_mut() {
            fields.remove("$patch");
        }
        template
    });
    Some(Revision {
        name: text("/metadata/name")?.to_owned(),
        number,
        // One that is taken up again keeps its creation and gets a new number: then the time says nothing, and it lies
        // before every other's, so that no finding begins with it.
        made: text("/metadata/creationTimestamp").and_then(|at| at.parse().ok()),
        template: template.and_then(|template| serde_json::from_value(template).ok()).map(Cow::Owned),
        pods: 0,
        ready: 0,
    })
}
