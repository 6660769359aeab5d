//! The scheduler: which node takes a pod, or why none does, in the words of the real one.
//!
//! It knows the filters that the recorded world has need of: cordons, taints, labels, claims and room for requests.

use super::events::{self, Occurrence};
use super::nodes;
use super::pods;
use super::story::{bytes, millis};
use super::time;
use super::workloads::text;
use super::world::{World, key_of};
use jiff::{Timestamp, ToSpan};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Why a pod stays without a node: the text of its PodScheduled condition.
pub type Unschedulable = String;

/// Room in thousandths of a core, bytes, and pods.
#[derive(Debug, Clone, Copy, Default)]
struct Room {
    cpu: u64,
    memory: u64,
    pods: u64,
}

/// Why one node does not take a pod; `hopeless` where evicting others would not help.
struct Unfit {
    reasons: Vec<&'static str>,
    hopeless: bool,
}

/// Returns the node that suits a pod best: the one with the most memory left.
pub fn place(world: &World, pod: &Value) -> Result<String, Unschedulable> {
    let all = world.all("Node");
    if all.is_empty() {
        return Err("no nodes available to schedule pods".into());
    }
    if let Some(why) = claims(world, pod) {
        // The stray ending is the real scheduler's.
        return Err(format!("0/{} nodes are available: {why}. not found", all.len()));
    }
    let everyone = world.all("Pod");
    let (mut best, mut counts, mut hopeless) = (None, BTreeMap::<&str, usize>::new(), 0);
    for node in &all {
        let free = free(node, &everyone);
        match unfit(node, free, pod) {
            None => {
                if best.as_ref().is_none_or(|(memory, _)| free.memory > *memory) {
                    best = Some((free.memory, text(&node["metadata"]["name"]).to_owned()));
                }
            }
            Some(unfit) => {
                hopeless += usize::from(unfit.hopeless);
                unfit.reasons.into_iter().for_each(|reason| *counts.entry(reason).or_default() += 1);
            }
        }
    }
    if let Some((_, name)) = best {
        return Ok(name);
    }
    let mut reasons: Vec<String> = counts.iter().map(|(reason, count)| format!("{count} {reason}")).collect();
    reasons.sort();
    let (total, others) = (all.len(), all.len() - hopeless);
    let mut preemption: Vec<String> = [
        (hopeless, "Preemption is not helpful for scheduling"),
        (others, "No preemption victims found for incoming pod"),
    ]
    .into_iter()
    .filter(|(count, _)| *count > 0)
    .map(|(count, reason)| format!("{count} {reason}"))
    .collect();
    preemption.sort();
    Err(format!(
        "0/{total} nodes are available: {}. no new claims to deallocate, preemption: 0/{total} nodes are available: {}.",
        reasons.join(", "),
        preemption.join(", ")
    ))
}

/// Writes on a pod, and in an event, why it has no node: since when, and tried again until now.
pub fn tell(world: &mut World, pod: &Value, why: &str, since: Timestamp, now: Timestamp) {
    let mut told = pod.clone();
    let generation = pod["metadata"]["generation"].clone();
    let old = nodes::condition(pod, "PodScheduled").map(|old| old["lastTransitionTime"].clone());
    told["status"]["conditions"] = json!([{"type": "PodScheduled", "status": "False", "reason": "Unschedulable",
        "message": why, "observedGeneration": generation, "lastProbeTime": null,
        "lastTransitionTime": old.unwrap_or_else(|| time::seconds(since))}]);
    if let Some(key) = key_of(&told) {
        world.put(key, told);
    }
    // The event's note is cut where the condition's message is not. It is gone after an hour, but it repeats.
    let first = since.max(now.checked_sub(55.minutes()).unwrap_or(since));
    let tries = u64::try_from(now.duration_since(first).as_secs()).unwrap_or(0) / 300 + 1;
    let what = Occurrence {
        warning: true,
        reason: "FailedScheduling",
        message: why,
        component: "default-scheduler",
        host: "",
        field_path: "",
    };
    events::record_many(world, first, now, tries, pod, what);
}

fn unfit(node: &Value, free: Room, pod: &Value) -> Option<Unfit> {
    let spec = &pod["spec"];
    let hopeless = |reason| Some(Unfit { reasons: vec![reason], hopeless: true });
    if node["spec"]["unschedulable"] == true && !tolerates(spec, "node.kubernetes.io/unschedulable", "", "NoSchedule") {
        return hopeless("node(s) were unschedulable");
    }
    let taints = node["spec"]["taints"].as_array().into_iter().flatten();
    let repelled = taints.filter(|taint| taint["key"] != "node.kubernetes.io/unschedulable").any(|taint| {
        let effect = text(&taint["effect"]);
        effect != "PreferNoSchedule" && !tolerates(spec, text(&taint["key"]), text(&taint["value"]), effect)
    });
    if repelled {
        return hopeless("node(s) had untolerated taint(s)");
    }
    let wanted = spec["nodeSelector"].as_object();
    if wanted.is_some_and(|wanted| wanted.iter().any(|(key, value)| node["metadata"]["labels"][key] != *value)) {
        return hopeless("node(s) didn't match Pod's node affinity/selector");
    }
    let asked = requests(spec);
    let whole = room(&node["status"]["allocatable"]);
    let mut reasons = Vec::new();
    if free.pods == 0 {
        reasons.push("Too many pods");
    }
    if asked.cpu > free.cpu {
        reasons.push("Insufficient cpu");
    }
    if asked.memory > free.memory {
        reasons.push("Insufficient memory");
    }
    let hopeless = asked.cpu > whole.cpu || asked.memory > whole.memory;
    (!reasons.is_empty()).then_some(Unfit { reasons, hopeless })
}

fn tolerates(spec: &Value, key: &str, value: &str, effect: &str) -> bool {
    spec["tolerations"].as_array().into_iter().flatten().any(|toleration| {
        let exists = toleration["operator"] == "Exists";
        let same_key = text(&toleration["key"]) == key || exists && text(&toleration["key"]).is_empty();
        let same_effect = text(&toleration["effect"]).is_empty() || text(&toleration["effect"]) == effect;
        same_key && same_effect && (exists || text(&toleration["value"]) == value)
    })
}

/// What a claim has against scheduling, before any node is looked at.
fn claims(world: &World, pod: &Value) -> Option<String> {
    let namespace = text(&pod["metadata"]["namespace"]);
    for volume in pod["spec"]["volumes"].as_array().into_iter().flatten() {
        let Some(name) = volume["persistentVolumeClaim"]["claimName"].as_str() else { continue };
        let Some(claim) = world.find("PersistentVolumeClaim", namespace, name) else {
            return Some(format!("persistentvolumeclaim \"{name}\" not found"));
        };
        let class = world.find("StorageClass", "", text(&claim["spec"]["storageClassName"]));
        let waits = class.is_some_and(|class| class["volumeBindingMode"] == "WaitForFirstConsumer");
        if claim["status"]["phase"] != "Bound" && !waits {
            return Some("pod has unbound immediate PersistentVolumeClaims".into());
        }
    }
    None
}

fn free(node: &Value, everyone: &[Arc<Value>]) -> Room {
    let mut left = room(&node["status"]["allocatable"]);
    let here =
        everyone.iter().filter(|pod| pod["spec"]["nodeName"] == node["metadata"]["name"] && !pods::is_finished(pod));
    for pod in here {
        let asked = requests(&pod["spec"]);
        left.cpu = left.cpu.saturating_sub(asked.cpu);
        left.memory = left.memory.saturating_sub(asked.memory);
        left.pods = left.pods.saturating_sub(1);
    }
    left
}

fn room(resources: &Value) -> Room {
    Room {
        cpu: millis(text(&resources["cpu"])).unwrap_or(0),
        memory: bytes(text(&resources["memory"])).unwrap_or(0),
        pods: bytes(text(&resources["pods"])).unwrap_or(110),
    }
}

/// The requests of all containers, or of the greediest init container where that is more.
fn requests(spec: &Value) -> Room {
    let of = |container: &Value| room(&container["resources"]["requests"]);
    let sum = pods::containers(spec, "containers").map(of).fold(Room::default(), |sum, asked| Room {
        cpu: sum.cpu + asked.cpu,
        memory: sum.memory + asked.memory,
        pods: 1,
    });
    pods::containers(spec, "initContainers").map(of).fold(sum, |most, asked| Room {
        cpu: most.cpu.max(asked.cpu),
        memory: most.memory.max(asked.memory),
        pods: 1,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn world(nodes: &[Value]) -> World {
        let mut world = World::new();
        for node in nodes {
            world.put(key_of(node).unwrap(), node.clone());
        }
        world
    }

    fn node(name: &str, memory: &str, spec: Value) -> Value {
        json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "labels": {"zone": name}}, "spec": spec,
            "status": {"allocatable": {"cpu": "2", "memory": memory, "pods": "110"}}})
    }

    fn pod(memory: &str, selector: Value) -> Value {
        json!({"metadata": {"namespace": "prod"}, "spec": {"nodeSelector": selector,
            "containers": [{"resources": {"requests": {"memory": memory, "cpu": "100m"}}}]}})
    }

    #[test]
    fn the_roomiest_node_wins() {
        let world = world(&[node("a", "1Gi", json!({})), node("b", "2Gi", json!({}))]);
        assert_eq!(place(&world, &pod("512Mi", Value::Null)), Ok("b".into()));
        assert_eq!(place(&world, &pod("512Mi", json!({"zone": "a"}))), Ok("a".into()));
    }

    #[test]
    fn every_reason_is_counted_as_the_real_scheduler_counts() {
        let taint = json!({"taints": [{"key": "special", "value": "true", "effect": "NoSchedule"}]});
        let world = world(&[
            node("a", "1Gi", json!({})),
            node("b", "8Gi", json!({"unschedulable": true})),
            node("c", "8Gi", taint),
            node("d", "4Gi", json!({})),
        ]);
        assert_eq!(
            place(&world, &pod("6Gi", Value::Null)).unwrap_err(),
            "0/4 nodes are available: 1 node(s) had untolerated taint(s), 1 node(s) were unschedulable, 2 Insufficient \
             memory. no new claims to deallocate, preemption: 0/4 nodes are available: 4 Preemption is not helpful for \
             scheduling."
        );
    }

    #[test]
    fn an_unbound_claim_hides_all_other_reasons() {
        let mut world = world(&[node("a", "1Gi", json!({}))]);
        let mut pod = pod("6Gi", Value::Null);
        pod["spec"]["volumes"] = json!([{"name": "d", "persistentVolumeClaim": {"claimName": "d"}}]);
        let missing = "0/1 nodes are available: persistentvolumeclaim \"d\" not found. not found";
        assert_eq!(place(&world, &pod).unwrap_err(), missing);
        let claim = json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim",
            "metadata": {"name": "d", "namespace": "prod"}, "spec": {}, "status": {"phase": "Pending"}});
        world.put(key_of(&claim).unwrap(), claim);
        let unbound = "0/1 nodes are available: pod has unbound immediate PersistentVolumeClaims. not found";
        assert_eq!(place(&world, &pod).unwrap_err(), unbound);
    }

    #[test]
    fn the_recorded_pods_have_room_where_they_are() {
        let mut world = World::new();
        crate::playground::cluster::recorded::load(&mut world, "2026-11-24T10:00:00Z".parse().unwrap()).unwrap();
        let everyone = world.all("Pod");
        for node in world.all("Node") {
            let left = free(&node, &everyone);
            assert!(left.cpu > 0 && left.memory > 0, "{} has {left:?}", node["metadata"]["name"]);
        }
    }
}
