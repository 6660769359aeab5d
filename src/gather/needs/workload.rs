//! What a workload calls for whose pods are not there: whoever refuses them, or does not make them.

use super::{Need, collection, events_of, object};
use crate::cluster::Resource;
use crate::facts::{Facts, Workload};

/// Returns what to read of a workload without a pod.
pub fn of(facts: &Facts<'_>, workload: &Workload) -> Vec<Need> {
    let namespace = workload.namespace.as_str();
    let mut needs = vec![events_of(&workload.kind, namespace, &workload.name)];
    if let Some(resource) = Resource::of_kind(&workload.kind) {
        needs.insert(0, object(resource, namespace, &workload.name));
    }
    let mut said = String::new();
    for event in facts.world.events_seen(&workload.kind, namespace, &workload.name) {
        if event.reason == "FailedCreate" {
            said.push_str(event.text());
        }
    }
    if workload.kind == "Deployment" {
        let owned = |set: &&k8s_openapi::api::apps::v1::ReplicaSet| {
            crate::facts::workload::controller(&set.metadata)
                .is_some_and(|owner| owner.kind == "Deployment" && owner.name == workload.name)
        };
        // The ReplicaSet that wants pods and has none tells why.
        let mut sets: Vec<_> = facts.world.replica_sets.seen_in(namespace).filter(owned).collect();
        sets.sort_by_key(|set| std::cmp::Reverse(set.metadata.creation_timestamp.as_ref().map(|t| t.0)));
        if let Some(set) = sets.first() {
            needs.extend(set.metadata.name.as_deref().map(|name| events_of("ReplicaSet", namespace, name)));
            let conditions = set.status.iter().flat_map(|status| status.conditions.iter().flatten());
            for text in conditions.filter_map(|condition| condition.message.as_deref()) {
                said.push_str(text);
            }
        }
    }
    if workload.kind == "CronJob" {
        let owned = |job: &&k8s_openapi::api::batch::v1::Job| {
            crate::facts::workload::controller(&job.metadata)
                .is_some_and(|owner| owner.kind == "CronJob" && owner.name == workload.name)
        };
        // The newest Job tells why it has no pod.
        let jobs = facts.world.jobs.seen_in(namespace).filter(owned);
        let newest = jobs.max_by_key(|job| job.metadata.creation_timestamp.as_ref().map(|t| t.0));
        if let Some(job) = newest.and_then(|job| job.metadata.name.as_deref()) {
            needs.push(events_of("Job", namespace, job));
            for event in facts.world.events_seen("Job", namespace, job) {
                if event.reason == "FailedCreate" {
                    said.push_str(event.text());
                }
            }
        }
    }
    refusal(&said, namespace, &mut needs);
    needs
}

/// Asks for the object that refused a workload's pods, by the words of the refusal.
pub fn refusal(said: &str, namespace: &str, needs: &mut Vec<Need>) {
    let has = |words: &[&str]| words.iter().any(|word| said.contains(word));
    if has(&["quota"]) {
        needs.push(collection(Resource::ResourceQuotas, namespace));
    }
    if has(&["usage per", "must specify"]) {
        needs.push(collection(Resource::LimitRanges, namespace));
    }
    if has(&["webhook"]) {
        needs.push(collection(Resource::ValidatingWebhooks, ""));
        needs.push(collection(Resource::MutatingWebhooks, ""));
    }
    if has(&["PodSecurity"]) {
        needs.push(object(Resource::Namespaces, "", namespace));
    }
    if has(&["serviceaccount", "service account"]) {
        needs.push(collection(Resource::ServiceAccounts, namespace));
    }
    if has(&["RuntimeClass"]) {
        needs.push(collection(Resource::RuntimeClasses, ""));
    }
    if said.is_empty() {
        // Nobody refuses: is there anybody who makes pods?
        needs.push(object(Resource::Leases, "kube-system", "kube-controller-manager"));
    }
}
