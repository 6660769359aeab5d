//! How a workload stands: the pods it wants, has, and has ready, by its own status.

use crate::facts::{Evidence, Workload, World};
use jiff::Timestamp;

/// A workload's own count of its pods.
#[derive(Debug, Clone)]
pub struct Standing {
    pub wanted: i32,
    pub ready: i32,
    /// Every pod is of the newest template, and the controller has seen the newest settings.
    pub up_to_date: bool,
    pub created: Option<Timestamp>,
    pub evidence: Evidence,
}

impl Standing {
    /// Returns true when it has all the pods that it wants, ready and of the newest template.
    pub fn is_fine(&self) -> bool {
        self.up_to_date && self.ready >= self.wanted
    }
}

/// Returns how a workload stands; `None` where it was not read or is of a kind that does not count (Job, CronJob).
pub fn of(world: &World, workload: &Workload) -> Option<Standing> {
    let (namespace, name) = (workload.namespace.as_str(), workload.name.as_str());
    let created = |meta: &k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta| {
        meta.creation_timestamp.as_ref().map(|t| t.0)
    };
    let seen = |generation: Option<i64>, observed: Option<i64>| match (generation, observed) {
        (Some(generation), Some(observed)) => observed >= generation,
        _ => true,
    };
    let standing = |wanted: i32, ready: i32, up_to_date: bool, created| Standing {
        wanted,
        ready,
        up_to_date,
        created,
        evidence: Evidence::field(format!("{workload}.status"), format!("{ready} of {wanted} pods ready"), None),
    };
    match workload.kind.as_str() {
        "Deployment" => {
            let object = world.deployments.get(namespace, name).present()?;
            let (spec, status) = (&object.spec, object.status.as_ref()?);
            let wanted = spec.replicas.unwrap_or(1);
            let updated = status.updated_replicas.unwrap_or(0) >= wanted;
            let leftover = status.replicas.unwrap_or(0) > status.updated_replicas.unwrap_or(0);
            let seen = seen(object.metadata.generation, status.observed_generation);
            let ready = status.ready_replicas.unwrap_or(0);
            Some(standing(wanted, ready, seen && updated && !leftover, created(&object.metadata)))
        }
        "ReplicaSet" => {
            let object = world.replica_sets.get(namespace, name).present()?;
            let status = object.status.as_ref()?;
            let wanted = object.spec.replicas.unwrap_or(1);
            let seen = seen(object.metadata.generation, status.observed_generation);
            Some(standing(wanted, status.ready_replicas.unwrap_or(0), seen, created(&object.metadata)))
        }
        "ReplicationController" => {
            let object = world.replication_controllers.get(namespace, name).present()?;
            let status = object.status.as_ref()?;
            let wanted = object.spec.as_ref()?.replicas.unwrap_or(1);
            let seen = seen(object.metadata.generation, status.observed_generation);
            Some(standing(wanted, status.ready_replicas.unwrap_or(0), seen, created(&object.metadata)))
        }
        "StatefulSet" => {
            let object = world.stateful_sets.get(namespace, name).present()?;
            let status = object.status.as_ref()?;
            let wanted = object.spec.replicas.unwrap_or(1);
            // OnDelete and partitions leave older pods on purpose: only a rolling update without one must be through.
            let rolls = object.spec.update_strategy.as_ref().is_none_or(|strategy| {
                strategy.type_.as_deref() != Some("OnDelete")
                    && strategy.rolling_update.as_ref().and_then(|r| r.partition).unwrap_or(0) == 0
            });
            let same = status.current_revision == status.update_revision || status.update_revision.is_none();
            let seen = seen(object.metadata.generation, status.observed_generation);
            let ready = status.ready_replicas.unwrap_or(0);
            Some(standing(wanted, ready, seen && (same || !rolls), created(&object.metadata)))
        }
        "DaemonSet" => {
            let object = world.daemon_sets.get(namespace, name).present()?;
            let status = object.status.as_ref()?;
            let seen = seen(object.metadata.generation, status.observed_generation);
            let wanted = status.desired_number_scheduled;
            let updated = status.updated_number_scheduled.is_none_or(|updated| updated >= wanted);
            Some(standing(wanted, status.number_ready, seen && updated, created(&object.metadata)))
        }
        _ => None,
    }
}
