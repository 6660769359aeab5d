//! What the controllers report: the statuses of workloads and of disruption budgets, from the pods there are.

use super::{put, rollout};
use crate::playground::cluster::nodes;
use crate::playground::cluster::pods;
use crate::playground::cluster::selector::label_selector_matches;
use crate::playground::cluster::workloads::{self, text};
use crate::playground::cluster::world::World;
use jiff::Timestamp;
use serde_json::json;

pub fn statuses(world: &mut World, now: Timestamp) {
    let count = world.all("Node").len();
    for kind in ["StatefulSet", "DaemonSet"] {
        for set in world.all(kind) {
            let mut new = (*set).clone();
            new["status"] = workloads::set_status(&set, &workloads::owned(world, "Pod", &set), count);
            put(world, new);
        }
    }
    for set in world.all("ReplicaSet") {
        let mut new = (*set).clone();
        new["status"] = workloads::replica_set_status(&set, &workloads::owned(world, "Pod", &set));
        put(world, new);
    }
    for deployment in world.all("Deployment") {
        let sets = workloads::owned(world, "ReplicaSet", &deployment);
        let Some(current) = rollout::current(&deployment, &sets) else { continue };
        let current = text(&current["metadata"]["name"]);
        let completed =
            nodes::condition(&deployment, "Progressing").is_some_and(|c| c["reason"] == "NewReplicaSetAvailable");
        let mut new = (*deployment).clone();
        new["status"] = workloads::deployment_status(&deployment, &sets, current, completed, now);
        put(world, new);
    }
    for budget in world.all("PodDisruptionBudget") {
        let namespace = &budget["metadata"]["namespace"];
        let all = world.all("Pod");
        let own = all.iter().filter(|pod| {
            pod["metadata"]["namespace"] == *namespace
                && label_selector_matches(&budget["spec"]["selector"], &pod["metadata"]["labels"])
        });
        let healthy = own.filter(|pod| pods::is_ready(pod) && !pods::is_deleting(pod)).count() as u64;
        let needed = budget["spec"]["minAvailable"].as_u64().unwrap_or(0);
        let mut new = (*budget).clone();
        let status = &mut new["status"];
        (status["currentHealthy"], status["desiredHealthy"]) = (json!(healthy), json!(needed));
        status["disruptionsAllowed"] = healthy.saturating_sub(needed).into();
        put(world, new);
    }
}
