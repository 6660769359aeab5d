//! Causes of phase `admission`: the API server refuses to make the pod, so there is no pod to look at.
//!
//! What was refused stands in `FailedCreate` events and `ReplicaFailure` conditions of the workload or of the sets it
//! owns. It counts only while the workload still lacks pods: controllers repeat a creation that has long succeeded.

use crate::diagnosis::cause::Cause;
use crate::facts::reading::admission::{self as reading, Refusal};
use crate::facts::{Evidence, Facts, Subject, Workload, World, workload::controller};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

pub mod admission_webhook_denied;
pub mod admission_webhook_down;
pub mod limit_range_violated;
pub mod pod_security_violated;
pub mod quota_exceeded;
pub mod quota_requires_resources;
pub mod rbac_denied;
pub mod service_account_missing;

pub static CAUSES: &[&Cause] = &[
    &quota_exceeded::CAUSE,
    &quota_requires_resources::CAUSE,
    &limit_range_violated::CAUSE,
    &pod_security_violated::CAUSE,
    &service_account_missing::CAUSE,
    &rbac_denied::CAUSE,
    &admission_webhook_denied::CAUSE,
    &admission_webhook_down::CAUSE,
];

/// A creation that was refused, and still is as far as the objects tell.
#[derive(Debug, Clone)]
pub struct Refused<'w> {
    pub refusal: Refusal<'w>,
    /// The event or condition first, then the count of pods that is lacking.
    pub evidence: Vec<Evidence>,
    pub at: Option<Timestamp>,
    /// Who tried: `ReplicaSet/web-5b7`.
    pub by: String,
}

/// Returns the newest refusal that keeps the workload in question from having its pods.
pub fn refused<'w>(facts: &Facts<'w>) -> Option<Refused<'w>> {
    let Subject::Workload(workload) = &facts.subject else { return None };
    makers(facts.world, workload)
        .into_iter()
        .filter(|maker| maker.lacks != Some(false))
        .filter_map(|maker| maker.refused(facts.world))
        .max_by_key(|refused| refused.at)
}

/// An object that makes pods: the workload, or a set that it owns.
struct Maker<'w> {
    kind: &'static str,
    namespace: String,
    name: String,
    /// It has fewer pods than it wants; `None` = its status was not read.
    lacks: Option<bool>,
    counts: Option<Evidence>,
    /// `ReplicaFailure` of its status.
    failure: Option<(&'w str, Evidence, Option<Timestamp>)>,
}

impl<'w> Maker<'w> {
    fn refused(&self, world: &'w World) -> Option<Refused<'w>> {
        let events = world.events_seen(self.kind, &self.namespace, &self.name);
        let last = |reason: &str| events.iter().rfind(|event| event.reason == reason);
        // An attempt that failed before one that succeeded is history; in the same second the failure counts,
        // since a set that still lacks pods tries on after the success.
        let success = last("SuccessfulCreate").and_then(|event| event.last);
        let event = last("FailedCreate")
            .or(last("ReplicaSetCreateError"))
            .filter(|event| success.is_none() || event.last >= success);
        let by = format!("{}/{}", self.kind, self.name);
        let (refusal, mut evidence, at) = match (event, &self.failure) {
            (Some(event), _) => (reading::read(event.text()), vec![event.evidence()], event.last),
            (None, Some((message, evidence, at))) => (reading::read(message), vec![evidence.clone()], *at),
            (None, None) => return None,
        };
        if let Some((_, condition, _)) = &self.failure
            && event.is_some()
        {
            evidence.push(condition.clone());
        }
        evidence.extend(self.counts.clone());
        Some(Refused { refusal, evidence, at, by })
    }
}

/// Returns the objects that make the workload's pods.
fn makers<'w>(world: &'w World, workload: &Workload) -> Vec<Maker<'w>> {
    let (namespace, name) = (workload.namespace.as_str(), workload.name.as_str());
    let bare = |kind: &'static str, name: &str| Maker {
        kind,
        namespace: namespace.to_owned(),
        name: name.to_owned(),
        lacks: None,
        counts: None,
        failure: None,
    };
    match workload.kind.as_str() {
        "Deployment" => {
            let owned = |meta: &ObjectMeta| {
                controller(meta).is_some_and(|owner| owner.kind == "Deployment" && owner.name == name)
            };
            let sets: Vec<_> =
                world.replica_sets.seen_in(namespace).filter(|set| owned(&set.metadata)).map(replica_set).collect();
            if !sets.is_empty() {
                // The Deployment itself fails where not even the set can be made.
                let own = world.deployments.get(namespace, name).present().map(deployment);
                return sets.into_iter().chain(own).collect();
            }
            // The sets were not read: their events still name them.
            let mut names: Vec<&str> = world
                .events_about("ReplicaSet")
                .filter(|event| event.namespace == namespace)
                .map(|event| event.name.as_str())
                .filter(|set| set.strip_prefix(name).and_then(|rest| rest.strip_prefix('-')).is_some_and(is_hash))
                .collect();
            names.sort_unstable();
            names.dedup();
            let mut makers: Vec<_> = names.into_iter().map(|set| bare("ReplicaSet", set)).collect();
            makers.extend(world.deployments.get(namespace, name).present().map(deployment));
            makers
        }
        "ReplicaSet" => {
            vec![
                world.replica_sets.get(namespace, name).present().map_or_else(|| bare("ReplicaSet", name), replica_set),
            ]
        }
        "ReplicationController" => {
            let controllers = &world.replication_controllers;
            let made = controllers.get(namespace, name).present().map(|object| {
                let wanted = object.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(1);
                let status = object.status.as_ref();
                let have = status.map_or(0, |status| status.replicas);
                let conditions = status.and_then(|status| status.conditions.as_deref()).unwrap_or_default();
                let failure = conditions.iter().find(|c| c.type_ == "ReplicaFailure" && c.status == "True");
                let failure = failure.map(|c| (c.message.as_deref(), c.last_transition_time.as_ref().map(|t| t.0)));
                maker("ReplicationController", &object.metadata, wanted, have, failure)
            });
            vec![made.unwrap_or_else(|| bare("ReplicationController", name))]
        }
        "StatefulSet" => {
            let made = world.stateful_sets.get(namespace, name).present().map(|set| {
                let wanted = set.spec.replicas.unwrap_or(1);
                let have = set.status.as_ref().map_or(0, |status| status.replicas);
                maker("StatefulSet", &set.metadata, wanted, have, None)
            });
            vec![made.unwrap_or_else(|| bare("StatefulSet", name))]
        }
        "DaemonSet" => {
            let made = world.daemon_sets.get(namespace, name).present().map(|set| {
                let status = set.status.as_ref();
                let wanted = status.map_or(0, |status| status.desired_number_scheduled);
                let have = status.map_or(0, |status| status.current_number_scheduled);
                maker("DaemonSet", &set.metadata, wanted, have, None)
            });
            vec![made.unwrap_or_else(|| bare("DaemonSet", name))]
        }
        "Job" => {
            let made = world.jobs.get(namespace, name).present().map(|job| {
                let status = job.status.as_ref();
                let over = status.is_some_and(|status| {
                    status
                        .conditions
                        .iter()
                        .flatten()
                        .any(|c| matches!(c.type_.as_str(), "Complete" | "Failed") && c.status == "True")
                });
                let have = status.and_then(|status| status.active).unwrap_or(0);
                maker("Job", &job.metadata, i32::from(!over), have, None)
            });
            vec![made.unwrap_or_else(|| bare("Job", name))]
        }
        "CronJob" => {
            let mut makers = vec![bare("CronJob", name)];
            let owned = world.jobs.seen_in(namespace).filter(|job| {
                controller(&job.metadata).is_some_and(|owner| owner.kind == "CronJob" && owner.name == name)
            });
            makers.extend(owned.filter_map(|job| job.metadata.name.as_deref()).map(|job| bare("Job", job)));
            makers
        }
        _ => Vec::new(),
    }
}

fn replica_set(set: &k8s_openapi::api::apps::v1::ReplicaSet) -> Maker<'_> {
    let wanted = set.spec.replicas.unwrap_or(1);
    let status = set.status.as_ref();
    let have = status.map_or(0, |status| status.replicas);
    let conditions = status.and_then(|status| status.conditions.as_deref()).unwrap_or_default();
    let failure =
        conditions.iter().find(|c| c.type_.as_deref() == Some("ReplicaFailure") && c.status.as_deref() == Some("True"));
    let failure = failure.map(|c| (c.message.as_deref(), c.last_transition_time.as_ref().map(|t| t.0)));
    maker("ReplicaSet", &set.metadata, wanted, have, failure)
}

fn deployment(object: &k8s_openapi::api::apps::v1::Deployment) -> Maker<'_> {
    let wanted = object.spec.replicas.unwrap_or(1);
    let status = object.status.as_ref();
    // Pods of the template before do not count.
    let have = status.and_then(|status| status.updated_replicas).unwrap_or(0);
    let conditions = status.and_then(|status| status.conditions.as_deref()).unwrap_or_default();
    let failure =
        conditions.iter().find(|c| c.type_.as_deref() == Some("ReplicaFailure") && c.status.as_deref() == Some("True"));
    let failure = failure.map(|c| (c.message.as_deref(), c.last_transition_time.as_ref().map(|t| t.0)));
    maker("Deployment", &object.metadata, wanted, have, failure)
}

fn maker<'w>(
    kind: &'static str,
    meta: &ObjectMeta,
    wanted: i32,
    have: i32,
    failure: Option<(Option<&'w str>, Option<Timestamp>)>,
) -> Maker<'w> {
    let name = meta.name.clone().unwrap_or_default();
    let path = format!("{}/{name}", kind.to_lowercase());
    let failure = failure.map(|(message, at)| {
        let message = message.unwrap_or_default();
        let quote = format!("True, FailedCreate, {message}");
        (message, Evidence::field(format!("{path}.status.conditions[ReplicaFailure]"), quote, at), at)
    });
    Maker {
        kind,
        namespace: meta.namespace.clone().unwrap_or_default(),
        lacks: Some(have < wanted),
        counts: Some(Evidence::field(format!("{path} pods"), format!("{have} of {wanted}"), None)),
        failure,
        name,
    }
}

/// Returns true for the last part of a ReplicaSet's name.
fn is_hash(text: &str) -> bool {
    !text.is_empty() && text.len() <= 10 && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
}
