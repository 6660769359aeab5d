//! A question about a world: from a target to its answer, the same for a live cluster and for files.

use crate::diagnosis::{Catalogue, Diagnosis, Verdict, diagnose};
use crate::facts::workload::controller;
use crate::facts::{Facts, PodView, Subject, Workload, World};
use crate::target::{Target, What};
use jiff::Timestamp;
use std::collections::BTreeMap;

/// The answer to a question.
#[derive(Debug)]
pub enum Answer {
    /// One pod or workload. `among` = how many pods of the workload fitted; the sickest was taken.
    One { diagnosis: Box<Diagnosis>, among: usize },
    /// Several pods: what is wrong, worst first; empty = nothing.
    Many(Vec<Group>),
}

/// One diagnosis that several pods share.
#[derive(Debug)]
pub struct Group {
    pub diagnosis: Diagnosis,
    /// `namespace/name` of the pods, in order.
    pub pods: Vec<String>,
    /// How many pods the workload has, sick or not, as far as they were read.
    pub of: usize,
    /// How many workloads these pods are of; more than one where their node is what ails them.
    pub workloads: usize,
    /// All its pods are on one node.
    one_node: bool,
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unanswered {
    /// Nothing of that name; the nearest existing names.
    #[error("there is no {what} `{name}`{}{}", place(in_namespace), nearest_words(nearest))]
    NotFound { what: String, name: String, in_namespace: Option<String>, nearest: Vec<String> },
    /// The start of a name fits pods of several workloads.
    #[error("`{prefix}` fits {} pods of several workloads: {}", pods.len(), few(pods))]
    Ambiguous { prefix: String, pods: Vec<String> },
    /// The kind of thing asked for could not be read at all.
    #[error("{what} could not be read: {why}")]
    Unreadable { what: String, why: String },
}

/// Answers a question about a world as it was at a moment, by the causes of a catalogue.
///
/// # Errors
/// Says in words why nothing could be picked.
pub fn answer(world: &World, now: Timestamp, target: &Target, catalogue: &Catalogue) -> Result<Answer, Unanswered> {
    match &target.what {
        What::Cluster => Ok(Answer::Many(survey(world, now, None, catalogue))),
        What::Namespace(namespace) => {
            if world.pods.seen_in(namespace).next().is_none() && !namespace_exists(world, namespace) {
                return Err(no_namespace(world, namespace));
            }
            Ok(Answer::Many(survey(world, now, Some(namespace), catalogue)))
        }
        What::Pod { namespace, prefix } => answer_pod(world, now, namespace, prefix, catalogue),
        What::Workload { namespace, kind, name } => {
            answer_workload(world, now, namespace, kind.name(), name, catalogue)
        }
    }
}

fn answer_pod(
    world: &World,
    now: Timestamp,
    namespace: &str,
    prefix: &str,
    catalogue: &Catalogue,
) -> Result<Answer, Unanswered> {
    if let Some(pod) = world.pods.get(namespace, prefix).present() {
        return Ok(one(diagnose_pod(world, now, PodView::new(pod), catalogue), 1));
    }
    let fitting: Vec<PodView<'_>> =
        world.pods.seen_in(namespace).map(PodView::new).filter(|pod| pod.name().starts_with(prefix)).collect();
    let mut workloads: Vec<Workload> = fitting.iter().map(PodView::workload).collect();
    workloads.dedup();
    match (fitting.len(), workloads.len()) {
        (0, _) => Err(no_pod(world, namespace, prefix)),
        (count, 1) => {
            let sickest = worst(fitting.into_iter().map(|pod| diagnose_pod(world, now, pod, catalogue)).collect());
            sickest.map(|diagnosis| one(diagnosis, count)).ok_or_else(|| no_pod(world, namespace, prefix))
        }
        _ => Err(Unanswered::Ambiguous {
            prefix: format!("{namespace}/{prefix}"),
            pods: fitting.iter().map(|pod| format!("{namespace}/{}", pod.name())).collect(),
        }),
    }
}

fn answer_workload(
    world: &World,
    now: Timestamp,
    namespace: &str,
    kind: &str,
    name: &str,
    catalogue: &Catalogue,
) -> Result<Answer, Unanswered> {
    let named = |name: &str| Workload { kind: kind.to_owned(), namespace: namespace.to_owned(), name: name.to_owned() };
    let names = workload_names(world, namespace, kind);
    let (workload, known) = match names.iter().find(|n| *n == name) {
        Some(_) => (named(name), true),
        None => match names.iter().filter(|n| n.starts_with(name)).collect::<Vec<_>>()[..] {
            [only] => (named(only), true),
            [] => (named(name), false),
            ref several => {
                return Err(Unanswered::Ambiguous {
                    prefix: format!("{namespace}/{name}"),
                    pods: several.iter().map(|n| format!("{namespace}/{}/{n}", kind.to_lowercase())).collect(),
                });
            }
        },
    };
    let pods: Vec<PodView<'_>> =
        world.pods.seen_in(namespace).map(PodView::new).filter(|pod| belongs(world, *pod, &workload)).collect();
    let has_events = !world.events_seen(kind, namespace, &workload.name).is_empty();
    if !known && pods.is_empty() && !has_events {
        return Err(Unanswered::NotFound {
            what: kind.to_lowercase(),
            name: name.to_owned(),
            in_namespace: Some(namespace.to_owned()),
            nearest: nearest(name, names.iter().map(String::as_str)),
        });
    }
    let count = pods.len();
    let of_workload = diagnose(&Facts { now, world, subject: Subject::Workload(workload) }, catalogue);
    // What keeps pods from being made outweighs how the others are.
    if pods.is_empty() || of_workload.verdict == Verdict::Sick {
        return Ok(one(of_workload, count));
    }
    let mut all: Vec<Diagnosis> = pods.into_iter().map(|pod| diagnose_pod(world, now, pod, catalogue)).collect();
    if of_workload.verdict != Verdict::Unknown {
        all.push(of_workload);
    }
    worst(all).map(|diagnosis| one(diagnosis, count)).ok_or_else(|| no_pod(world, namespace, name))
}

/// Returns everything that is wrong in a namespace, or in the cluster: one group a workload and cause, worst first.
///
/// Pods of a lost node are one group of that node, whatever their workload.
pub fn survey(world: &World, now: Timestamp, namespace: Option<&str>, catalogue: &Catalogue) -> Vec<Group> {
    let mut sizes: BTreeMap<Workload, usize> = world.calm.clone();
    let mut groups: BTreeMap<(String, String), Group> = BTreeMap::new();
    let pods: Box<dyn Iterator<Item = _>> = match namespace {
        Some(namespace) => Box::new(world.pods.seen_in(namespace)),
        None => Box::new(world.pods.seen()),
    };
    for pod in pods.map(PodView::new) {
        *sizes.entry(pod.workload()).or_default() += 1;
        if pod.is_calm(now) && !world.has_complaints(pod) {
            continue;
        }
        let diagnosis = diagnose_pod(world, now, pod, catalogue);
        let cause = diagnosis.answer().map_or("", |finding| finding.cause.id);
        let of_node = names_node(&diagnosis);
        let key = match (&diagnosis.node, of_node) {
            (Some(node), true) => (format!("node/{node}"), cause.to_owned()),
            _ => (format!("{}/{}", diagnosis.workload.namespace, diagnosis.workload), cause.to_owned()),
        };
        add(&mut groups, key, diagnosis, format!("{}/{}", pod.namespace(), pod.name()));
    }
    for workload in workloads_without_all_pods(world, namespace) {
        let diagnosis = diagnose(&Facts { now, world, subject: Subject::Workload(workload.clone()) }, catalogue);
        if diagnosis.verdict == Verdict::Sick {
            let cause = diagnosis.answer().map_or("", |finding| finding.cause.id).to_owned();
            add_workload(&mut groups, (format!("{}/{workload}", workload.namespace), cause), diagnosis);
        }
    }
    let mut groups: Vec<Group> = absorbed(groups).into_values().collect();
    for group in &mut groups {
        group.of = sizes.get(&group.diagnosis.workload).copied().unwrap_or(0).max(group.pods.len());
        if let Some(node) = group
            .diagnosis
            .node
            .clone()
            .filter(|_| group.pods.len() > 1 && (names_node(&group.diagnosis) || group.workloads > 1))
        {
            group.diagnosis.target = crate::diagnosis::Target {
                kind: "Node".into(),
                namespace: String::new(),
                name: node,
                uid: String::new(),
            };
        }
    }
    groups.sort_by(|a, b| {
        severity(&a.diagnosis)
            .cmp(&severity(&b.diagnosis))
            .then(b.pods.len().cmp(&a.pods.len()))
            .then(a.diagnosis.target.namespace.cmp(&b.diagnosis.target.namespace))
            .then(a.diagnosis.target.name.cmp(&b.diagnosis.target.name))
    });
    groups
}

/// Causes that a node has, not a workload: several workloads that suffer from one on the same node suffer from the node.
const OF_A_NODE: &[&str] = &[
    "cgroup-leak",
    "cni-failure",
    "container-disk-full",
    "kubelet-not-acting",
    "memory-fragmentation",
    "node-overloaded",
    "node-pressure-eviction",
    "pod-ip-exhausted",
    "runtime-hung",
    "sandbox-create-failed",
    "system-oom",
];

/// How many workloads must suffer from the same on one node to make it the node.
const MANY_WORKLOADS: usize = 3;

/// Makes one group of those whose pods all suffer from the same cause of a node, on the same node.
fn absorbed(groups: BTreeMap<(String, String), Group>) -> BTreeMap<(String, String), Group> {
    let mut by_node: BTreeMap<(String, String), Vec<(String, String)>> = BTreeMap::new();
    for (key, group) in &groups {
        let sure = group.diagnosis.verdict == Verdict::Sick && OF_A_NODE.contains(&key.1.as_str());
        if let Some(node) = group.diagnosis.node.as_ref().filter(|_| sure && group.one_node) {
            by_node.entry((format!("node/{node}"), key.1.clone())).or_default().push(key.clone());
        }
    }
    let mut groups = groups;
    for (node, keys) in by_node.into_iter().filter(|(_, keys)| keys.len() >= MANY_WORKLOADS) {
        let mut members = keys.iter().filter_map(|key| groups.remove(key)).collect::<Vec<_>>().into_iter();
        let Some(mut whole) = members.next() else { continue };
        for member in members {
            whole.pods.extend(member.pods);
            whole.workloads += member.workloads;
            if severity(&member.diagnosis) < severity(&whole.diagnosis) {
                whole.diagnosis = member.diagnosis;
            }
        }
        groups.insert(node, whole);
    }
    groups
}

fn names_node(diagnosis: &Diagnosis) -> bool {
    diagnosis.answer().is_some_and(|f| matches!(f.cause.id, "node-lost" | "node-not-ready" | "node-shutdown"))
}

fn add(groups: &mut BTreeMap<(String, String), Group>, key: (String, String), diagnosis: Diagnosis, pod: String) {
    // Of what a table shows to be well nothing is known for sure, and nothing is to be told.
    let looks_well = diagnosis.answer().is_some_and(|finding| finding.is_calm());
    if !matches!(diagnosis.verdict, Verdict::Sick | Verdict::Unknown) || looks_well {
        return;
    }
    match groups.get_mut(&key) {
        Some(group) => {
            group.pods.push(pod);
            group.one_node &= group.diagnosis.node == diagnosis.node;
            if severity(&diagnosis) < severity(&group.diagnosis) {
                group.diagnosis = diagnosis;
            }
        }
        None => {
            groups.insert(key, Group { diagnosis, pods: vec![pod], of: 0, workloads: 1, one_node: true });
        }
    }
}

fn add_workload(groups: &mut BTreeMap<(String, String), Group>, key: (String, String), diagnosis: Diagnosis) {
    groups.entry(key).or_insert(Group { diagnosis, pods: Vec::new(), of: 0, workloads: 1, one_node: false });
}

/// Returns the workloads that want more pods than they have: their pods may never have been made.
fn workloads_without_all_pods(world: &World, namespace: Option<&str>) -> Vec<Workload> {
    let of = |kind: &str, meta: &k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta| Workload {
        kind: kind.to_owned(),
        namespace: meta.namespace.clone().unwrap_or_default(),
        name: meta.name.clone().unwrap_or_default(),
    };
    let mut found = Vec::new();
    for set in world.replica_sets.seen() {
        let wanted = set.spec.replicas.unwrap_or(0);
        let have = set.status.as_ref().map_or(0, |status| status.replicas);
        if have < wanted {
            let owner = controller(&set.metadata).filter(|owner| owner.kind == "Deployment");
            let own = of("ReplicaSet", &set.metadata);
            found.push(owner.map_or(own.clone(), |owner| Workload {
                kind: "Deployment".into(),
                namespace: own.namespace,
                name: owner.name.clone(),
            }));
        }
    }
    for set in world.stateful_sets.seen() {
        let wanted = set.spec.replicas.unwrap_or(1);
        if set.status.as_ref().map_or(0, |status| status.replicas) < wanted {
            found.push(of("StatefulSet", &set.metadata));
        }
    }
    for set in world.daemon_sets.seen() {
        if set.status.as_ref().is_some_and(|s| s.current_number_scheduled < s.desired_number_scheduled) {
            found.push(of("DaemonSet", &set.metadata));
        }
    }
    found.retain(|workload| namespace.is_none_or(|namespace| workload.namespace == namespace));
    found.sort();
    found.dedup();
    found
}

fn diagnose_pod(world: &World, now: Timestamp, pod: PodView<'_>, catalogue: &Catalogue) -> Diagnosis {
    diagnose(&Facts { now, world, subject: Subject::Pod(pod) }, catalogue)
}

fn one(diagnosis: Diagnosis, among: usize) -> Answer {
    Answer::One { diagnosis: Box::new(diagnosis), among }
}

fn worst(diagnoses: Vec<Diagnosis>) -> Option<Diagnosis> {
    diagnoses.into_iter().min_by_key(severity)
}

/// Returns how bad a diagnosis is: the smaller, the worse.
fn severity(diagnosis: &Diagnosis) -> (Verdict, Option<crate::diagnosis::Certainty>) {
    (diagnosis.verdict, diagnosis.answer().map(|finding| finding.certainty))
}

/// Returns true when a pod belongs to a workload, directly or through its ReplicaSet or Job.
fn belongs(world: &World, pod: PodView<'_>, workload: &Workload) -> bool {
    if pod.workload() == *workload {
        return true;
    }
    let Some(owner) = controller(pod.meta()) else { return false };
    if owner.kind == workload.kind && owner.name == workload.name {
        return true;
    }
    let of_owner = match owner.kind.as_str() {
        "ReplicaSet" => world.replica_sets.get(pod.namespace(), &owner.name).present().map(|set| &set.metadata),
        "Job" => world.jobs.get(pod.namespace(), &owner.name).present().map(|job| &job.metadata),
        _ => None,
    };
    of_owner.and_then(controller).is_some_and(|owner| owner.kind == workload.kind && owner.name == workload.name)
}

fn workload_names(world: &World, namespace: &str, kind: &str) -> Vec<String> {
    fn names<'a, T: k8s_openapi::Metadata<Ty = k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta> + 'a>(
        objects: impl Iterator<Item = &'a T>,
    ) -> Vec<String> {
        objects.filter_map(|object| object.metadata().name.clone()).collect()
    }
    let mut found = match kind {
        "Deployment" => names(world.deployments.seen_in(namespace)),
        "StatefulSet" => names(world.stateful_sets.seen_in(namespace)),
        "DaemonSet" => names(world.daemon_sets.seen_in(namespace)),
        "Job" => names(world.jobs.seen_in(namespace)),
        "CronJob" => names(world.cron_jobs.seen_in(namespace)),
        "ReplicaSet" => names(world.replica_sets.seen_in(namespace)),
        _ => names(world.replication_controllers.seen_in(namespace)),
    };
    // Snapshots often hold pods without their owners.
    let owners = world.pods.seen_in(namespace).map(|pod| Workload::of_pod(&pod.metadata));
    found.extend(owners.filter(|owner| owner.kind == kind).map(|owner| owner.name));
    // And sets and Jobs without theirs.
    let of_sets = world.replica_sets.seen_in(namespace).filter_map(|set| controller(&set.metadata));
    let of_jobs = world.jobs.seen_in(namespace).filter_map(|job| controller(&job.metadata));
    found.extend(of_sets.chain(of_jobs).filter(|owner| owner.kind == kind).map(|owner| owner.name.clone()));
    found.sort();
    found.dedup();
    found
}

fn namespace_exists(world: &World, namespace: &str) -> bool {
    world.namespaces.get("", namespace).present().is_some()
}

fn no_namespace(world: &World, namespace: &str) -> Unanswered {
    let mut known: Vec<&str> = world
        .namespaces
        .seen()
        .filter_map(|ns| ns.metadata.name.as_deref())
        .chain(world.pods.seen().filter_map(|pod| pod.metadata.namespace.as_deref()))
        .collect();
    known.sort_unstable();
    known.dedup();
    Unanswered::NotFound {
        what: "namespace".into(),
        name: namespace.to_owned(),
        in_namespace: None,
        nearest: nearest(namespace, known.into_iter()),
    }
}

fn no_pod(world: &World, namespace: &str, prefix: &str) -> Unanswered {
    let mut pods = world.pods.seen_in(namespace).filter_map(|pod| pod.metadata.name.as_deref()).peekable();
    if pods.peek().is_none() && !namespace_exists(world, namespace) {
        return no_namespace(world, namespace);
    }
    Unanswered::NotFound {
        what: "pod".into(),
        name: prefix.to_owned(),
        in_namespace: Some(namespace.to_owned()),
        nearest: nearest(prefix, pods),
    }
}

/// Returns the at most three existing names nearest to one that does not exist.
pub fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Vec<String> {
    let distance = |known: &str| {
        // People type the start of a pod's name: what follows it must not count.
        let start: String = known.chars().take(name.chars().count()).collect();
        strsim::damerau_levenshtein(name, &start).min(strsim::damerau_levenshtein(name, known))
    };
    let allowed = (name.chars().count() / 3).max(2);
    let mut found: Vec<(usize, &str)> =
        known.map(|known| (distance(known), known)).filter(|(distance, _)| *distance <= allowed).collect();
    found.sort_unstable();
    found.into_iter().take(3).map(|(_, known)| known.to_owned()).collect()
}

fn nearest_words(nearest: &[String]) -> String {
    if nearest.is_empty() { String::new() } else { format!("; nearest: {}", nearest.join(", ")) }
}

fn place(namespace: &Option<String>) -> String {
    namespace.as_ref().map(|namespace| format!(" in namespace `{namespace}`")).unwrap_or_default()
}

fn few(names: &[String]) -> String {
    const SHOWN: usize = 10;
    let more = names.len().saturating_sub(SHOWN);
    let list = names.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(", ");
    if more == 0 { list } else { format!("{list} and {more} more") }
}

#[cfg(test)]
mod tests;
