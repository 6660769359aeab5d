//! The controllers that keep as many pods as are wanted, within what quotas allow, and the scheduler's rounds.

use super::{Engine, REPEAT, put};
use crate::playground::cluster::events::{self, Occurrence};
use crate::playground::cluster::identity;
use crate::playground::cluster::nodes;
use crate::playground::cluster::pods;
use crate::playground::cluster::scheduler;
use crate::playground::cluster::story::{bytes, millis};
use crate::playground::cluster::time;
use crate::playground::cluster::workloads::{self, is_active, text};
use crate::playground::cluster::world::{Key, World, key_of};
use crate::playground::cluster::write::{self, DeleteOptions};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::sync::Arc;

/// Counts what is used of every quota.
pub fn quotas(world: &mut World) {
    for quota in world.all("ResourceQuota") {
        let mut new = (*quota).clone();
        new["status"]["hard"] = quota["spec"]["hard"].clone();
        let namespace = quota["metadata"]["namespace"].clone();
        let counted: Vec<_> =
            world.all("Pod").into_iter().filter(|pod| pod["metadata"]["namespace"] == namespace).collect();
        let counted: Vec<_> = counted.iter().filter(|pod| !pods::is_finished(pod)).collect();
        for (resource, _) in quota["spec"]["hard"].as_object().into_iter().flatten() {
            let used = match resource.strip_prefix("requests.") {
                _ if resource == "pods" => counted.len().to_string(),
                Some(asked @ "memory") => {
                    let sum: u64 = counted.iter().flat_map(|pod| requests(pod, asked)).filter_map(|q| bytes(&q)).sum();
                    format!("{}Mi", sum / (1024 * 1024))
                }
                Some(asked @ "cpu") => {
                    let sum: u64 = counted.iter().flat_map(|pod| requests(pod, asked)).filter_map(|q| millis(&q)).sum();
                    format!("{sum}m")
                }
                _ => continue,
            };
            new["status"]["used"][resource] = used.into();
        }
        put(world, new);
    }
}

fn requests(pod: &Value, resource: &str) -> Vec<String> {
    let asked = pods::containers(&pod["spec"], "containers").map(|c| &c["resources"]["requests"][resource]);
    asked.filter_map(Value::as_str).map(str::to_owned).collect()
}

impl Engine {
    pub(super) fn replica_sets(&mut self, world: &mut World, now: Timestamp) {
        for set in world.all("ReplicaSet").into_iter().filter(|set| !pods::is_deleting(set)) {
            let owned = workloads::owned(world, "Pod", &set);
            let mut active: Vec<_> = owned.into_iter().filter(|pod| is_active(pod)).collect();
            let wanted = usize::try_from(set["spec"]["replicas"].as_u64().unwrap_or(1)).unwrap_or(usize::MAX);
            if active.len() > wanted {
                // Those that serve nobody go first, then the youngest.
                active.sort_by_key(|pod| {
                    (pods::is_ready(pod), std::cmp::Reverse(time::read(&pod["metadata"]["creationTimestamp"])))
                });
                for pod in active.iter().take(active.len() - wanted) {
                    delete(world, pod, now);
                    let message = format!("Deleted pod: {}", text(&pod["metadata"]["name"]));
                    say(world, now, &set, false, "SuccessfulDelete", &message, "replicaset-controller");
                }
            }
            for _ in active.len()..wanted {
                let seed = format!("{}/{}", set["metadata"]["uid"], world.version());
                let name = format!("{}-{}", text(&set["metadata"]["name"]), identity::letters(&seed, 5));
                if !self.create(world, &set, &name, None, "replicaset-controller", now) {
                    break;
                }
            }
        }
    }

    pub(super) fn stateful_sets(&mut self, world: &mut World, now: Timestamp) {
        for set in world.all("StatefulSet").into_iter().filter(|set| !pods::is_deleting(set)) {
            let owned = workloads::owned(world, "Pod", &set);
            let wanted = set["spec"]["replicas"].as_u64().unwrap_or(1);
            let ordered = set["spec"]["podManagementPolicy"] != "Parallel";
            let name = |ordinal: u64| format!("{}-{ordinal}", text(&set["metadata"]["name"]));
            let find = |ordinal: u64| owned.iter().find(|pod| pod["metadata"]["name"] == name(ordinal).as_str());
            let mut whole = true;
            for ordinal in 0..wanted {
                match find(ordinal) {
                    Some(pod) => whole &= pods::is_ready(pod) && !pods::is_deleting(pod),
                    None => {
                        whole = false;
                        self.create(world, &set, &name(ordinal), None, "statefulset-controller", now);
                    }
                }
                if ordered && !whole {
                    break;
                }
            }
            let template = workloads::pod(&set, "any-0", now);
            let outdated = |pod: &&Arc<Value>| pod["metadata"]["labels"][HASH] != template["metadata"]["labels"][HASH];
            let stale = owned.iter().rev().find(outdated).filter(|_| whole);
            let surplus = owned
                .iter()
                .find(|pod| (wanted..).take(owned.len()).any(|o| pod["metadata"]["name"] == name(o).as_str()));
            if let Some(pod) = surplus.or(stale).filter(|pod| !pods::is_deleting(pod)) {
                delete(world, pod, now);
            }
        }
    }

    pub(super) fn daemon_sets(&mut self, world: &mut World, now: Timestamp) {
        for set in world.all("DaemonSet").into_iter().filter(|set| !pods::is_deleting(set)) {
            let owned = workloads::owned(world, "Pod", &set);
            let template = workloads::pod(&set, "any", now);
            for node in world.all("Node") {
                let node = text(&node["metadata"]["name"]);
                if !owned.iter().any(|pod| pod["spec"]["nodeName"] == node) {
                    let seed = format!("{}/{node}/{}", set["metadata"]["uid"], world.version());
                    let name = format!("{}-{}", text(&set["metadata"]["name"]), identity::letters(&seed, 5));
                    self.create(world, &set, &name, Some(node), "daemonset-controller", now);
                }
            }
            let whole = owned.iter().all(|pod| pods::is_ready(pod) && !pods::is_deleting(pod));
            let outdated = |pod: &&Arc<Value>| pod["metadata"]["labels"][HASH] != template["metadata"]["labels"][HASH];
            if let Some(pod) = owned.iter().find(outdated).filter(|_| whole) {
                delete(world, pod, now);
            }
        }
    }

    /// Gives every pod that waits a node, or says why there is none.
    pub(super) fn schedule(&mut self, world: &mut World, now: Timestamp) {
        for pod in world.all("Pod") {
            let placed = pod["spec"]["nodeName"].as_str().is_some_and(|node| !node.is_empty());
            let gated = pod["spec"]["schedulingGates"].as_array().is_some_and(|gates| !gates.is_empty());
            let ours = pod["spec"]["schedulerName"].as_str().is_none_or(|name| name == "default-scheduler");
            if placed || gated || !ours || !is_active(&pod) {
                continue;
            }
            let uid = text(&pod["metadata"]["uid"]);
            match scheduler::place(world, &pod) {
                Ok(node) => {
                    let mut bound = (*pod).clone();
                    bound["spec"]["nodeName"] = node.clone().into();
                    bound["status"]["conditions"] = json!([{"type": "PodScheduled", "status": "True",
                        "observedGeneration": pod["metadata"]["generation"], "lastProbeTime": null,
                        "lastTransitionTime": time::seconds(now)}]);
                    put(world, bound);
                    let place = format!("{}/{}", text(&pod["metadata"]["namespace"]), text(&pod["metadata"]["name"]));
                    let message = format!("Successfully assigned {place} to {node}");
                    say(world, now, &pod, false, "Scheduled", &message, "default-scheduler");
                }
                Err(why) => {
                    let told =
                        nodes::condition(&pod, "PodScheduled").is_some_and(|told| told["message"] == why.as_str());
                    if self.due(&format!("unschedulable/{uid}"), REPEAT, now) || !told {
                        scheduler::tell(world, &pod, &why, now, now);
                    }
                }
            }
        }
    }

    /// Creates a pod of a workload where the quota allows it. Returns whether it did.
    fn create(
        &mut self,
        world: &mut World,
        owner: &Value,
        name: &str,
        node: Option<&str>,
        controller: &str,
        now: Timestamp,
    ) -> bool {
        let mut pod = workloads::pod(owner, name, now);
        // Two pods of one name, made in the same second, are still two.
        pod["metadata"]["uid"] = identity::uid(&format!("{name}/{now}/{}", world.version())).into();
        if let Some(refused) = over_quota(world, owner, name) {
            if self.due(&format!("refused/{}", owner["metadata"]["uid"]), REPEAT, now) {
                let message = format!("Error creating: {refused}");
                say(world, now, owner, true, "FailedCreate", &message, controller);
                set_failure(world, owner, Some(&refused), now);
            }
            return false;
        }
        set_failure(world, owner, None, now);
        pod["spec"]["nodeName"] = node.map_or(Value::Null, Value::from);
        if node.is_none()
            && let Some(spec) = pod["spec"].as_object_mut()
        {
            spec.remove("nodeName");
        }
        pod["status"] = json!({"observedGeneration": 1, "phase": "Pending", "qosClass": pods::qos(&pod["spec"])});
        put(world, pod);
        let message = if controller.starts_with("stateful") {
            format!("Create Pod {name} in StatefulSet {} successful", text(&owner["metadata"]["name"]))
        } else {
            format!("Created pod: {name}")
        };
        say(world, now, owner, false, "SuccessfulCreate", &message, controller);
        quotas(world);
        true
    }
}

const HASH: &str = "controller-revision-hash";

/// Returns the refusal of the API server where one more pod would be too many.
fn over_quota(world: &World, owner: &Value, name: &str) -> Option<String> {
    let namespace = &owner["metadata"]["namespace"];
    world.all("ResourceQuota").iter().filter(|quota| quota["metadata"]["namespace"] == *namespace).find_map(|quota| {
        let hard = text(&quota["status"]["hard"]["pods"]).parse::<u64>().ok()?;
        let used = text(&quota["status"]["used"]["pods"]).parse::<u64>().ok()?;
        (used >= hard).then(|| {
            format!(
                "pods \"{name}\" is forbidden: exceeded quota: {}, requested: pods=1, used: pods={used}, limited: pods={hard}",
                text(&quota["metadata"]["name"])
            )
        })
    })
}

/// Writes on a ReplicaSet that it cannot create pods, or takes that back.
fn set_failure(world: &mut World, owner: &Value, failure: Option<&str>, now: Timestamp) {
    let Some(old) = key_of(owner).filter(|_| owner["kind"] == "ReplicaSet").and_then(|key| world.get(&key)) else {
        return;
    };
    let mut set = (**old).clone();
    let before = nodes::condition(&set, "ReplicaFailure").cloned();
    if before.is_some() == failure.is_some() {
        return;
    }
    let mut conditions = set["status"]["conditions"].as_array().cloned().unwrap_or_default();
    conditions.retain(|condition| condition["type"] != "ReplicaFailure");
    if let Some(message) = failure {
        conditions
            .push(json!({"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": message,
            "lastTransitionTime": time::seconds(now)}));
    }
    set["status"]["conditions"] = conditions.into();
    put(world, set);
}

/// Deletes an object in the background, with the grace it has.
pub fn delete(world: &mut World, object: &Value, now: Timestamp) {
    let Some(key) = key_of(object) else { return };
    let kind = crate::playground::cluster::kinds::Kind::by_name(text(&object["kind"]));
    if let Some(kind) = kind {
        let Key { namespace, name, .. } = &key;
        // Gone in the meantime is as good.
        let _ = write::delete(world, (kind, namespace, name), &DeleteOptions::default(), false, now);
    }
}

pub fn say(world: &mut World, now: Timestamp, about: &Value, warning: bool, reason: &str, message: &str, from: &str) {
    let what = Occurrence { warning, reason, message, component: from, host: "", field_path: "" };
    events::record(world, now, about, what);
}
