//! The garbage collectors: what lost its owner goes, and what lost its node.

use super::replicas::delete;
use crate::playground::cluster::nodes;
use crate::playground::cluster::pods;
use crate::playground::cluster::time;
use crate::playground::cluster::workloads::{self, text};
use crate::playground::cluster::world::{World, key_of};
use jiff::Timestamp;
use serde_json::Value;
use std::collections::BTreeSet;

/// The kinds that are collected with their owners.
const DEPENDENTS: &[&str] = &["Pod", "ReplicaSet", "Job"];
/// The API server's default, in seconds.
const EVENT_LIFE: u64 = 3600;
const FOREGROUND: &str = "foregroundDeletion";

pub fn collect(world: &mut World, now: Timestamp) {
    let uids: BTreeSet<String> =
        world.everything().map(|(_, object)| text(&object["metadata"]["uid"]).to_owned()).collect();
    let leaving: BTreeSet<String> = world
        .everything()
        .filter(|(_, object)| holds_foreground(object))
        .map(|(_, object)| text(&object["metadata"]["uid"]).to_owned())
        .collect();
    let mut still_owned = BTreeSet::new();
    for kind in DEPENDENTS {
        for object in world.all(kind) {
            let Some(owner) = workloads::controller(&object).map(|owner| text(&owner["uid"]).to_owned()) else {
                continue;
            };
            if leaving.contains(&owner) {
                still_owned.insert(owner.clone());
            }
            if (!uids.contains(&owner) || leaving.contains(&owner)) && !pods::is_deleting(&object) {
                delete(world, &object, now);
            }
        }
    }
    for uid in leaving.difference(&still_owned) {
        let object = world.everything().find(|(_, object)| object["metadata"]["uid"] == uid.as_str());
        let Some((key, mut object)) = object.map(|(key, object)| (key.clone(), (**object).clone())) else { continue };
        if let Some(finalizers) = object["metadata"]["finalizers"].as_array_mut() {
            finalizers.retain(|finalizer| finalizer != FOREGROUND);
            if finalizers.is_empty() {
                world.remove(&key);
            } else {
                world.put(key, object);
            }
        }
    }
    collect_pods(world, now);
    collect_attachments(world);
    collect_events(world, now);
}

/// Events are forgotten an hour after they were last updated.
fn collect_events(world: &mut World, now: Timestamp) {
    for event in world.all("Event") {
        let times = [&event["series"]["lastObservedTime"], &event["lastTimestamp"], &event["eventTime"]];
        let last = times.into_iter().find_map(|moment| time::age(moment, now));
        if let Some(key) = key_of(&event).filter(|_| last.is_some_and(|age| age > EVENT_LIFE)) {
            world.remove(&key);
        }
    }
}

fn holds_foreground(object: &Value) -> bool {
    let finalizers = object["metadata"]["finalizers"].as_array();
    pods::is_deleting(object) && finalizers.is_some_and(|all| all.iter().any(|finalizer| finalizer == FOREGROUND))
}

/// Returns whether somebody has declared a node that is not ready to be out of service.
fn out_of_service(node: &Value) -> bool {
    let taints = node["spec"]["taints"].as_array();
    let tainted = taints.is_some_and(|all| all.iter().any(|t| t["key"] == "node.kubernetes.io/out-of-service"));
    tainted && !nodes::is_ready(node)
}

/// Volumes are taken off a node that is out of service, since nobody there can write to them.
fn collect_attachments(world: &mut World) {
    for attachment in world.all("VolumeAttachment") {
        let node = world.find("Node", "", text(&attachment["spec"]["nodeName"]));
        if let Some(key) = key_of(&attachment).filter(|_| node.is_none_or(|node| out_of_service(node))) {
            world.remove(&key);
        }
    }
}

/// Pods of a node that is gone, or that somebody has declared out of service, are given up.
fn collect_pods(world: &mut World, now: Timestamp) {
    for pod in world.all("Pod") {
        let Some(name) = pod["spec"]["nodeName"].as_str() else { continue };
        let given_up = world.find("Node", "", name).is_none_or(|node| out_of_service(node));
        let daemon = workloads::controller(&pod).is_some_and(|owner| owner["kind"] == "DaemonSet");
        let held = pod["metadata"]["finalizers"].as_array().is_some_and(|all| !all.is_empty());
        if !given_up || daemon || held {
            continue;
        }
        if !pods::is_deleting(&pod) {
            delete(world, &pod, now);
        }
        if let Some(key) = key_of(&pod) {
            world.remove(&key);
        }
    }
}
