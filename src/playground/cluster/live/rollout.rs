//! The deployment controller: a ReplicaSet for every template, and replicas moved from the old ones to the new one.

use super::put;
use crate::playground::cluster::events::{self, Occurrence};
use crate::playground::cluster::identity;
use crate::playground::cluster::pods;
use crate::playground::cluster::workloads::{self, text};
use crate::playground::cluster::world::World;
use jiff::Timestamp;
use serde_json::Value;
use std::sync::Arc;

const REVISION: &str = "deployment.kubernetes.io/revision";

/// Moves every Deployment on by one step.
pub fn deployments(world: &mut World, now: Timestamp) {
    for deployment in world.all("Deployment").into_iter().filter(|deployment| !pods::is_deleting(deployment)) {
        let sets = workloads::owned(world, "ReplicaSet", &deployment);
        match current(&deployment, &sets) {
            Some(set) => {
                if newest_revision(&sets) != revision(&set) {
                    take_up_again(world, &deployment, &set, newest_revision(&sets) + 1);
                } else if deployment["spec"]["paused"] != true {
                    roll(world, &deployment, &sets, &set, now);
                }
            }
            None if deployment["spec"]["paused"] != true => begin(world, &deployment, newest_revision(&sets) + 1, now),
            None => {}
        }
    }
}

/// Returns the ReplicaSet that has the Deployment's template.
pub fn current(deployment: &Value, sets: &[Arc<Value>]) -> Option<Arc<Value>> {
    sets.iter().find(|set| without_hash(&set["spec"]["template"]) == deployment["spec"]["template"]).cloned()
}

fn without_hash(template: &Value) -> Value {
    let mut template = template.clone();
    if let Some(labels) = template["metadata"]["labels"].as_object_mut() {
        labels.remove("pod-template-hash");
    }
    template
}

fn revision(set: &Value) -> u64 {
    text(&set["metadata"]["annotations"][REVISION]).parse().unwrap_or(0)
}

fn newest_revision(sets: &[Arc<Value>]) -> u64 {
    sets.iter().map(|set| revision(set)).max().unwrap_or(0)
}

fn begin(world: &mut World, deployment: &Value, number: u64, now: Timestamp) {
    let mut deployment = deployment.clone();
    pods::fill_template(&mut deployment["spec"]["template"]["spec"]);
    deployment["metadata"]["annotations"][REVISION] = number.to_string().into();
    let hash = identity::letters(&deployment["spec"]["template"].to_string(), 10);
    let set = workloads::replica_set(&deployment, &hash, number, 0, now);
    put(world, deployment);
    put(world, set);
}

/// An old template is wanted again: its ReplicaSet becomes the newest revision.
fn take_up_again(world: &mut World, deployment: &Value, set: &Value, number: u64) {
    for object in [deployment, set] {
        let mut object = object.clone();
        object["metadata"]["annotations"][REVISION] = number.to_string().into();
        put(world, object);
    }
}

fn roll(world: &mut World, deployment: &Value, sets: &[Arc<Value>], current: &Value, now: Timestamp) {
    let replicas = |set: &Value| set["spec"]["replicas"].as_u64().unwrap_or(0);
    let available = |set: &Value| set["status"]["availableReplicas"].as_u64().unwrap_or(0);
    let wanted = deployment["spec"]["replicas"].as_u64().unwrap_or(1);
    let total: u64 = sets.iter().map(|set| replicas(set)).sum();
    let old: Vec<_> = sets.iter().filter(|set| set["metadata"]["name"] != current["metadata"]["name"]).collect();
    let have = replicas(current);
    let recreate = deployment["spec"]["strategy"]["type"] == "Recreate";
    let old_gone = old.iter().all(|set| set["status"]["replicas"].as_u64().unwrap_or(0) == 0);
    let most = wanted + workloads::surge(deployment);
    let target = if have > wanted {
        wanted
    } else if recreate && !old_gone {
        have
    } else {
        wanted.min(have + most.saturating_sub(total))
    };
    if target != have {
        scale(world, deployment, current, have, target, now);
        return;
    }
    let least = wanted.saturating_sub(workloads::slack(deployment));
    let unavailable_new = have.saturating_sub(available(current));
    let mut may_go = if recreate { total } else { total.saturating_sub(least + unavailable_new) };
    let all_available: u64 = sets.iter().map(|set| available(set)).sum();
    let mut spare = if recreate { total } else { all_available.saturating_sub(least) };
    for set in old {
        // Pods that serve nobody go first, then as many as can be spared.
        let unhealthy = replicas(set).saturating_sub(available(set)).min(may_go);
        let healthy = available(set).min(spare).min(may_go - unhealthy);
        let gone = unhealthy + healthy;
        if gone > 0 {
            may_go -= gone;
            spare -= healthy;
            scale(world, deployment, set, replicas(set), replicas(set) - gone, now);
        }
    }
}

fn scale(world: &mut World, deployment: &Value, set: &Value, from: u64, to: u64, now: Timestamp) {
    let mut scaled = set.clone();
    scaled["spec"]["replicas"] = to.into();
    scaled["metadata"]["generation"] = (set["metadata"]["generation"].as_u64().unwrap_or(1) + 1).into();
    put(world, scaled);
    let direction = if to > from { "up" } else { "down" };
    let message = format!("Scaled {direction} replica set {} from {from} to {to}", text(&set["metadata"]["name"]));
    let what = Occurrence {
        warning: false,
        reason: "ScalingReplicaSet",
        message: &message,
        component: "deployment-controller",
        host: "",
        field_path: "",
    };
    events::record(world, now, deployment, what);
}
