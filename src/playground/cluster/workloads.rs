//! Workloads as their controllers see them: the pods they own, the pods they make, the status they report.

use super::identity;
use super::kinds::Kind;
use super::nodes::condition;
use super::pods;
use super::time;
use super::world::World;
use jiff::Timestamp;
use serde_json::{Value, json};
use std::sync::Arc;

/// Returns the objects of a kind that an owner controls, in the order of lists.
pub fn owned(world: &World, kind: &str, owner: &Value) -> Vec<Arc<Value>> {
    let namespace = owner["metadata"]["namespace"].as_str().unwrap_or_default();
    let Some(kind) = Kind::by_name(kind) else { return Vec::new() };
    let uid = &owner["metadata"]["uid"];
    let controlled = |object: &&Arc<Value>| controller(object).is_some_and(|owner| owner["uid"] == *uid);
    world.list(kind, Some(namespace)).map(|(_, object)| object).filter(controlled).cloned().collect()
}

/// Returns the reference to the controller of an object.
pub fn controller(object: &Value) -> Option<&Value> {
    object["metadata"]["ownerReferences"].as_array()?.iter().find(|owner| owner["controller"] == true)
}

/// Returns a reference to an owner that controls.
pub fn reference(owner: &Value) -> Value {
    json!({"apiVersion": owner["apiVersion"], "kind": owner["kind"], "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"], "controller": true, "blockOwnerDeletion": true})
}

/// Returns a new ReplicaSet of a Deployment, for a template with its hash.
pub fn replica_set(deployment: &Value, hash: &str, revision: u64, replicas: u64, created: Timestamp) -> Value {
    let name = format!("{}-{hash}", text(&deployment["metadata"]["name"]));
    let mut template = deployment["spec"]["template"].clone();
    template["metadata"]["labels"]["pod-template-hash"] = hash.into();
    let mut selector = deployment["spec"]["selector"].clone();
    selector["matchLabels"]["pod-template-hash"] = hash.into();
    let desired = deployment["spec"]["replicas"].as_u64().unwrap_or(1);
    json!({
        "apiVersion": "apps/v1", "kind": "ReplicaSet",
        "metadata": {
            "name": name, "namespace": deployment["metadata"]["namespace"], "generation": 1,
            "uid": identity::uid(&format!("replicaset/{}/{hash}", deployment["metadata"]["uid"])),
            "creationTimestamp": time::seconds(created), "labels": template["metadata"]["labels"],
            "annotations": {
                "deployment.kubernetes.io/desired-replicas": desired.to_string(),
                "deployment.kubernetes.io/max-replicas": (desired + surge(deployment)).to_string(),
                "deployment.kubernetes.io/revision": revision.to_string(),
            },
            "ownerReferences": [reference(deployment)],
        },
        "spec": {"replicas": replicas, "selector": selector, "template": template},
        "status": {"replicas": 0, "observedGeneration": 1},
    })
}

/// Returns a pod of a workload, without a node and without a status.
pub fn pod(owner: &Value, name: &str, created: Timestamp) -> Value {
    let template = &owner["spec"]["template"];
    let namespace = &owner["metadata"]["namespace"];
    let owner_name = text(&owner["metadata"]["name"]);
    let mut metadata = json!({
        "name": name, "namespace": namespace, "generation": 1, "creationTimestamp": time::seconds(created),
        "uid": identity::uid(&format!("pod/{namespace}/{name}/{created}")),
        "labels": template["metadata"]["labels"], "ownerReferences": [reference(owner)],
    });
    if let Some(annotations) = template["metadata"].get("annotations") {
        metadata["annotations"] = annotations.clone();
    }
    if owner["kind"] != "StatefulSet" {
        metadata["generateName"] = format!("{owner_name}-").into();
    }
    let mut spec = template["spec"].clone();
    match owner["kind"].as_str() {
        Some("StatefulSet") => stateful(owner, name, &mut metadata, &mut spec),
        Some("DaemonSet") => daemon(owner, &mut metadata, &mut spec),
        Some("Job") => {
            for label in ["batch.kubernetes.io/job-name", "job-name"] {
                metadata["labels"][label] = owner_name.into();
            }
            metadata["labels"]["batch.kubernetes.io/controller-uid"] = owner["metadata"]["uid"].clone();
        }
        _ => {}
    }
    pods::fill_spec(&mut spec, &format!("{namespace}/{name}/{created}"));
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec})
}

fn stateful(owner: &Value, name: &str, metadata: &mut Value, spec: &mut Value) {
    metadata["labels"]["statefulset.kubernetes.io/pod-name"] = name.into();
    metadata["labels"]["apps.kubernetes.io/pod-index"] = name.rsplit('-').next().unwrap_or_default().into();
    metadata["labels"]["controller-revision-hash"] = revision_hash(owner).into();
    spec["hostname"] = name.into();
    spec["subdomain"] = owner["spec"]["serviceName"].clone();
    let mut volumes = spec["volumes"].as_array().cloned().unwrap_or_default();
    for claim in owner["spec"]["volumeClaimTemplates"].as_array().into_iter().flatten() {
        let claim = text(&claim["metadata"]["name"]);
        volumes.push(json!({"name": claim, "persistentVolumeClaim": {"claimName": format!("{claim}-{name}")}}));
    }
    spec["volumes"] = volumes.into();
}

fn daemon(owner: &Value, metadata: &mut Value, spec: &mut Value) {
    metadata["labels"]["controller-revision-hash"] = revision_hash(owner).into();
    let mut tolerations = spec["tolerations"].as_array().cloned().unwrap_or_default();
    for (key, effect) in [
        ("node.kubernetes.io/not-ready", "NoExecute"),
        ("node.kubernetes.io/unreachable", "NoExecute"),
        ("node.kubernetes.io/disk-pressure", "NoSchedule"),
        ("node.kubernetes.io/memory-pressure", "NoSchedule"),
        ("node.kubernetes.io/pid-pressure", "NoSchedule"),
        ("node.kubernetes.io/unschedulable", "NoSchedule"),
    ] {
        tolerations.push(json!({"key": key, "operator": "Exists", "effect": effect}));
    }
    spec["tolerations"] = tolerations.into();
}

fn revision_hash(owner: &Value) -> String {
    let name = text(&owner["metadata"]["name"]);
    format!("{name}-{}", identity::letters(&owner["spec"]["template"].to_string(), 10))
}

/// Returns a Deployment's `maxSurge` as a number of pods.
pub fn surge(deployment: &Value) -> u64 {
    share(deployment, "maxSurge", true)
}

/// Returns a Deployment's `maxUnavailable` as a number of pods.
pub fn slack(deployment: &Value) -> u64 {
    let slack = share(deployment, "maxUnavailable", false);
    // Where both round to nothing, one pod may be missing: otherwise nothing could ever move.
    if slack == 0 && surge(deployment) == 0 { 1 } else { slack }
}

fn share(deployment: &Value, field: &str, up: bool) -> u64 {
    let replicas = deployment["spec"]["replicas"].as_u64().unwrap_or(1);
    let strategy = &deployment["spec"]["strategy"];
    if strategy["type"] == "Recreate" {
        return if up { 0 } else { replicas };
    }
    match &strategy["rollingUpdate"][field] {
        Value::Number(number) => number.as_u64().unwrap_or(0),
        Value::String(percent) => {
            let part = replicas * percent.trim_end_matches('%').parse::<u64>().unwrap_or(25);
            if up { part.div_ceil(100) } else { part / 100 }
        }
        _ => {
            if up {
                (replicas * 25).div_ceil(100)
            } else {
                replicas * 25 / 100
            }
        }
    }
}

/// Returns whether a pod counts for its workload: one that ended or is going does not.
pub fn is_active(pod: &Value) -> bool {
    !pods::is_deleting(pod) && !pods::is_finished(pod)
}

/// Returns the status of a ReplicaSet that owns these pods; its conditions are kept.
pub fn replica_set_status(set: &Value, owned: &[Arc<Value>]) -> Value {
    let active = owned.iter().filter(|pod| is_active(pod));
    let ready = active.clone().filter(|pod| pods::is_ready(pod)).count();
    let terminating = owned.iter().filter(|pod| pods::is_deleting(pod) && !pods::is_finished(pod)).count();
    let mut status = json!({
        "replicas": active.clone().count(), "fullyLabeledReplicas": active.count(),
        "terminatingReplicas": terminating, "observedGeneration": set["metadata"]["generation"],
    });
    if ready > 0 {
        (status["readyReplicas"], status["availableReplicas"]) = (ready.into(), ready.into());
    }
    if let Some(conditions) = set["status"].get("conditions") {
        status["conditions"] = conditions.clone();
    }
    status
}

/// Returns the status of a Deployment from its ReplicaSets; `current` is the name of the newest.
///
/// `completed` says that this revision had been rolled out once: a Deployment that was complete does not time out later.
pub fn deployment_status(
    deployment: &Value,
    sets: &[Arc<Value>],
    current: &str,
    completed: bool,
    now: Timestamp,
) -> Value {
    let sum = |field: &str| sets.iter().map(|set| set["status"][field].as_u64().unwrap_or(0)).sum::<u64>();
    let newest = sets.iter().find(|set| set["metadata"]["name"] == current);
    let updated = newest.map_or(0, |set| set["status"]["replicas"].as_u64().unwrap_or(0));
    let wanted = deployment["spec"]["replicas"].as_u64().unwrap_or(1);
    let (total, ready, available) = (sum("replicas"), sum("readyReplicas"), sum("availableReplicas"));
    let complete = updated == wanted && total == wanted && available >= wanted;
    let enough = available + slack(deployment) >= wanted;
    let availability = if enough {
        ("True", "MinimumReplicasAvailable", "Deployment has minimum availability.".to_owned())
    } else {
        ("False", "MinimumReplicasUnavailable", "Deployment does not have minimum availability.".to_owned())
    };
    let old = condition(deployment, "Progressing");
    let late = old.and_then(|old| time::age(&old["lastUpdateTime"], now)).is_some_and(|age| age > deadline(deployment));
    // Once it has timed out it stays so until it is complete.
    let stalled = late || old.is_some_and(|old| old["reason"] == "ProgressDeadlineExceeded");
    let about_current = old.is_some_and(|old| text(&old["message"]).contains(&format!("\"{current}\"")));
    let progress = if complete || completed && about_current {
        ("True", "NewReplicaSetAvailable", format!("ReplicaSet \"{current}\" has successfully progressed."))
    } else if stalled && about_current {
        ("False", "ProgressDeadlineExceeded", format!("ReplicaSet \"{current}\" has timed out progressing."))
    } else {
        ("True", "ReplicaSetUpdated", format!("ReplicaSet \"{current}\" is progressing."))
    };
    let mut conditions =
        vec![settle(deployment, "Available", availability, now), settle(deployment, "Progressing", progress, now)];
    if let Some(failure) = newest.and_then(|set| condition(set, "ReplicaFailure")) {
        let mut failure = failure.clone();
        failure["lastUpdateTime"] = failure["lastTransitionTime"].clone();
        conditions.insert(1, failure);
    }
    let mut status = json!({"observedGeneration": deployment["metadata"]["generation"],
        "terminatingReplicas": sum("terminatingReplicas"), "conditions": conditions});
    for (field, number) in [
        ("replicas", total),
        ("updatedReplicas", updated),
        ("readyReplicas", ready),
        ("availableReplicas", available),
        ("unavailableReplicas", wanted.saturating_sub(available)),
    ] {
        if number > 0 {
            status[field] = number.into();
        }
    }
    status
}

/// Returns how many seconds a rollout may make no progress.
pub fn deadline(deployment: &Value) -> u64 {
    deployment["spec"]["progressDeadlineSeconds"].as_u64().unwrap_or(600)
}

/// A condition that keeps its times as long as it says the same.
fn settle(object: &Value, kind: &str, (status, reason, message): (&str, &str, String), now: Timestamp) -> Value {
    let now = time::seconds(now);
    let old = condition(object, kind);
    let transition = old.filter(|old| old["status"] == status).map_or(&now, |old| &old["lastTransitionTime"]);
    let same = old.filter(|old| old["reason"] == reason && old["message"] == message.as_str());
    let update = same.map_or(&now, |old| &old["lastUpdateTime"]);
    json!({"type": kind, "status": status, "reason": reason, "message": message,
        "lastUpdateTime": update, "lastTransitionTime": transition})
}

/// Returns the status of a StatefulSet or a DaemonSet that owns these pods.
pub fn set_status(set: &Value, owned: &[Arc<Value>], nodes: usize) -> Value {
    let there = owned.iter().filter(|pod| !pods::is_finished(pod));
    let (all, ready) = (there.clone().count(), there.filter(|pod| pods::is_ready(pod)).count());
    let generation = &set["metadata"]["generation"];
    if set["kind"] == "DaemonSet" {
        return json!({"currentNumberScheduled": all, "desiredNumberScheduled": nodes, "numberMisscheduled": 0,
            "numberReady": ready, "numberAvailable": ready, "numberUnavailable": nodes.saturating_sub(ready),
            "updatedNumberScheduled": all, "observedGeneration": generation});
    }
    let revision = revision_hash(set);
    json!({"replicas": all, "readyReplicas": ready, "availableReplicas": ready, "currentReplicas": all,
        "updatedReplicas": all, "currentRevision": revision, "updateRevision": revision, "collisionCount": 0,
        "observedGeneration": generation})
}

pub fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
