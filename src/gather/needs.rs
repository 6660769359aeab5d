//! What a subject's state calls for: decided from what is already known, in order of worth, without asking anything.

use crate::cluster::Resource;
use crate::facts::{ContainerView, Facts, PodView, Role, Stage, Workload, node};

/// Something to read.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Need {
    Object {
        resource: Resource,
        namespace: String,
        name: String,
    },
    /// All objects of a namespace; an empty one = all of the cluster (never for pods or events).
    Collection {
        resource: Resource,
        namespace: String,
    },
    /// The objects of a namespace that carry labels.
    Selected {
        resource: Resource,
        namespace: String,
        selector: String,
    },
    /// The events about one object.
    EventsOf {
        kind: String,
        namespace: String,
        name: String,
    },
    /// The pods that are bound to a node.
    PodsOn {
        node: String,
    },
    /// The end of a container's log.
    Log {
        namespace: String,
        pod: String,
        container: String,
        previous: bool,
    },
}

/// How many nodes' pods are read to see why a pod does not fit.
const CANDIDATE_NODES: usize = 2;

/// Returns what to read next for a subject, the most telling first.
///
/// What is already in the world is asked for again only by the caller's mistake: it keeps what was asked.
pub fn of(facts: &Facts<'_>) -> Vec<Need> {
    match facts.pod() {
        Some(pod) => of_pod(facts, pod),
        None => of_workload(facts, &facts.workload()),
    }
}

fn of_pod(facts: &Facts<'_>, pod: PodView<'_>) -> Vec<Need> {
    let mut needs = vec![events_of("Pod", pod.namespace(), pod.name())];
    if let Some(node) = pod.node_name() {
        needs.push(object(Resource::Nodes, "", node));
    }
    match pod.stage() {
        Stage::Unscheduled => of_unscheduled(facts, pod, &mut needs),
        Stage::Creating => of_creating(facts, pod, &mut needs),
        Stage::Running => of_running(facts, pod, &mut needs),
        Stage::Terminating => of_terminating(pod, &mut needs),
        Stage::Failed => {
            logs(pod, &mut needs);
            needs.extend(node_events(pod));
            needs.extend(owner(pod));
        }
        Stage::Completed => {}
    }
    story(facts, pod, &mut needs);
    needs
}

/// Asks for the revisions of what is not well: whether it began with a rollout, and how the other pods are.
fn story(facts: &Facts<'_>, pod: PodView<'_>, needs: &mut Vec<Need>) {
    let calm = pod.is("Ready") || matches!(pod.stage(), Stage::Completed | Stage::Terminating);
    let Some(owner) = crate::facts::workload::controller(pod.meta()).filter(|_| !calm) else { return };
    let namespace = pod.namespace();
    let selector = match owner.kind.as_str() {
        "ReplicaSet" => {
            needs.push(object(Resource::ReplicaSets, namespace, &owner.name));
            let set = facts.world.replica_sets.get(namespace, &owner.name).present();
            let of_deployment = set.filter(|set| crate::facts::workload::controller(&set.metadata).is_some());
            of_deployment.map(|set| &set.spec.selector)
        }
        "StatefulSet" => {
            needs.push(object(Resource::StatefulSets, namespace, &owner.name));
            facts.world.stateful_sets.get(namespace, &owner.name).present().map(|set| &set.spec.selector)
        }
        "DaemonSet" => {
            needs.push(object(Resource::DaemonSets, namespace, &owner.name));
            facts.world.daemon_sets.get(namespace, &owner.name).present().map(|set| &set.spec.selector)
        }
        _ => None,
    };
    let labels = selector.and_then(|selector| selector.match_labels.as_ref());
    let equal: Vec<String> = labels
        .into_iter()
        .flatten()
        // The hash is what tells a Deployment's revisions apart.
        .filter(|(name, _)| *name != "pod-template-hash")
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    if !equal.is_empty() {
        let resource = if owner.kind == "ReplicaSet" { Resource::ReplicaSets } else { Resource::ControllerRevisions };
        needs.push(Need::Selected { resource, namespace: namespace.to_owned(), selector: equal.join(",") });
    }
}

fn of_unscheduled(facts: &Facts<'_>, pod: PodView<'_>, needs: &mut Vec<Need>) {
    needs.push(collection(Resource::Nodes, ""));
    if pod.condition("PodScheduled").is_none() {
        needs.push(object(Resource::Leases, "kube-system", "kube-scheduler"));
    }
    if has_claims(pod) {
        needs.push(collection(Resource::PersistentVolumeClaims, pod.namespace()));
        for claim in claims(facts, pod) {
            if let Some(volume) = claim.spec.as_ref().and_then(|spec| spec.volume_name.as_deref()) {
                needs.push(object(Resource::PersistentVolumes, "", volume));
            }
            needs.push(events_of(
                "PersistentVolumeClaim",
                pod.namespace(),
                claim.metadata.name.as_deref().unwrap_or_default(),
            ));
            if let Some(class) =
                claim.spec.as_ref().and_then(|spec| spec.storage_class_name.as_deref()).filter(|c| !c.is_empty())
            {
                needs.push(object(Resource::StorageClasses, "", class));
            }
        }
    }
    // The scheduler refuses for want of room: see what fills the nodes with the most of it.
    let short =
        pod.condition("PodScheduled").and_then(|c| c.message.as_deref()).is_some_and(|m| m.contains("Insufficient"));
    if short {
        let mut nodes: Vec<_> =
            facts.world.nodes.seen().filter(|n| node::is_ready(n) && !node::is_cordoned(n)).collect();
        nodes.sort_by_key(|n| std::cmp::Reverse(allocatable_memory(n)));
        needs.extend(nodes.into_iter().take(CANDIDATE_NODES).map(|n| Need::PodsOn { node: node::name(n).to_owned() }));
    }
}

fn of_creating(facts: &Facts<'_>, pod: PodView<'_>, needs: &mut Vec<Need>) {
    logs(pod, needs);
    if has_claims(pod) {
        needs.push(collection(Resource::PersistentVolumeClaims, pod.namespace()));
        let attaching =
            pod.events_seen(facts.world).any(|e| matches!(e.reason.as_str(), "FailedAttachVolume" | "FailedMount"));
        let silent = pod.events_seen(facts.world).all(|e| e.reason == "Scheduled");
        if attaching || silent {
            needs.push(collection(Resource::VolumeAttachments, ""));
        }
    }
    if let Some(node) = pod.node_name() {
        if pod.events_seen(facts.world).any(|e| e.message.contains("CSI")) {
            needs.push(object(Resource::CsiNodes, "", node));
        }
        if facts.node().present().is_some_and(|n| !node::is_ready(n)) {
            needs.push(object(Resource::Leases, "kube-node-lease", node));
        }
    }
    needs.extend(node_events(pod));
    if pod.is_of_job() {
        needs.extend(owner(pod));
    }
}

fn of_running(facts: &Facts<'_>, pod: PodView<'_>, needs: &mut Vec<Need>) {
    logs(pod, needs);
    let died = pod.containers().any(|c| c.latest_end().is_some());
    if died {
        needs.extend(node_events(pod));
    }
    if let Some(node) = pod.node_name() {
        if facts.node().present().is_some_and(|n| !node::is_ready(n)) {
            needs.push(object(Resource::Leases, "kube-node-lease", node));
        }
        // Several pods of one node failing together is the node's fault.
        if pod.events_seen(facts.world).any(|e| e.reason == "Unhealthy") {
            needs.push(Need::PodsOn { node: node.to_owned() });
        }
    }
    if !pod.is("Ready") {
        needs.extend(owner(pod));
    }
}

fn of_terminating(pod: PodView<'_>, needs: &mut Vec<Need>) {
    if let Some(node) = pod.node_name() {
        needs.push(object(Resource::Leases, "kube-node-lease", node));
        needs.extend(node_events(pod));
        if has_claims(pod) {
            needs.push(collection(Resource::VolumeAttachments, ""));
        }
    }
    needs.extend(owner(pod));
}

fn of_workload(facts: &Facts<'_>, workload: &Workload) -> Vec<Need> {
    let namespace = workload.namespace.as_str();
    let mut needs = vec![events_of(&workload.kind, namespace, &workload.name)];
    if let Some(resource) = Resource::of_kind(&workload.kind) {
        needs.insert(0, object(resource, namespace, &workload.name));
    }
    if workload.kind == "Deployment" {
        let owned = |set: &&k8s_openapi::api::apps::v1::ReplicaSet| {
            crate::facts::workload::controller(&set.metadata)
                .is_some_and(|owner| owner.kind == "Deployment" && owner.name == workload.name)
        };
        // The ReplicaSet that wants pods and has none tells why.
        let mut sets: Vec<_> = facts.world.replica_sets.seen_in(namespace).filter(owned).collect();
        sets.sort_by_key(|set| std::cmp::Reverse(set.metadata.creation_timestamp.as_ref().map(|t| t.0)));
        needs.extend(
            sets.first()
                .and_then(|set| set.metadata.name.as_deref())
                .map(|name| events_of("ReplicaSet", namespace, name)),
        );
    }
    needs.push(collection(Resource::ResourceQuotas, namespace));
    needs
}

/// Asks for the logs of containers that ended, the failing ones first.
fn logs(pod: PodView<'_>, needs: &mut Vec<Need>) {
    let mut failing: Vec<ContainerView<'_>> =
        pod.containers().filter(|c| c.latest_end().is_some() && !c.done()).collect();
    failing.sort_by_key(|c| (c.role == Role::App && c.ready(), c.latest_end().is_some_and(|end| end.exit_code == 0)));
    for container in failing.into_iter().take(2) {
        needs.push(Need::Log {
            namespace: pod.namespace().to_owned(),
            pod: pod.name().to_owned(),
            container: container.name().to_owned(),
            previous: container.end().is_none(),
        });
    }
    // A running container that is not ready often says why.
    let unready = pod.app_containers().find(|c| c.is_running() && !c.ready() && c.latest_end().is_none());
    if let Some(container) = unready {
        needs.push(Need::Log {
            namespace: pod.namespace().to_owned(),
            pod: pod.name().to_owned(),
            container: container.name().to_owned(),
            previous: false,
        });
    }
}

fn node_events(pod: PodView<'_>) -> Option<Need> {
    pod.node_name().map(|node| events_of("Node", "", node))
}

/// Asks for the owner whose conditions tell of deadlines, back-off limits and rollouts.
fn owner(pod: PodView<'_>) -> Option<Need> {
    let owner = crate::facts::workload::controller(pod.meta())?;
    Some(object(Resource::of_kind(&owner.kind)?, pod.namespace(), &owner.name))
}

fn has_claims(pod: PodView<'_>) -> bool {
    let volumes = pod.spec().and_then(|spec| spec.volumes.as_deref()).unwrap_or_default();
    volumes.iter().any(|volume| volume.persistent_volume_claim.is_some() || volume.ephemeral.is_some())
}

fn claims<'w>(
    facts: &Facts<'w>,
    pod: PodView<'w>,
) -> impl Iterator<Item = &'w k8s_openapi::api::core::v1::PersistentVolumeClaim> {
    let volumes = pod.spec().and_then(|spec| spec.volumes.as_deref()).unwrap_or_default();
    let world = facts.world;
    volumes
        .iter()
        .filter_map(|volume| Some(volume.persistent_volume_claim.as_ref()?.claim_name.as_str()))
        .filter_map(move |name| world.claims.get(pod.namespace(), name).present())
}

fn allocatable_memory(node: &k8s_openapi::api::core::v1::Node) -> u64 {
    let memory = node.status.as_ref().and_then(|s| s.allocatable.as_ref()).and_then(|a| a.get("memory"));
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "bytes of a machine's memory")]
    let bytes = memory.and_then(crate::facts::quantity::value).unwrap_or(0.0) as u64;
    bytes
}

fn object(resource: Resource, namespace: &str, name: &str) -> Need {
    Need::Object { resource, namespace: namespace.to_owned(), name: name.to_owned() }
}

fn collection(resource: Resource, namespace: &str) -> Need {
    Need::Collection { resource, namespace: namespace.to_owned() }
}

fn events_of(kind: &str, namespace: &str, name: &str) -> Need {
    Need::EventsOf { kind: kind.to_owned(), namespace: namespace.to_owned(), name: name.to_owned() }
}
