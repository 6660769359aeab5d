//! What a subject's state calls for: decided from what is already known, in order of worth, without asking anything.

mod custom;
mod workload;

pub use custom::of_custom;

use crate::cluster::Resource;
use crate::diagnosis::Catalogue;
use crate::facts::{ContainerView, Facts, PodView, Role, Stage, node};

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
    /// The pods of a namespace that have failed.
    FailedPods {
        namespace: String,
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

/// How many things are read for a team's own causes alone.
const CUSTOM: usize = 3;
/// How many of a stage's needs come before them.
const BEFORE_CUSTOM: usize = 4;
/// How many nodes' pods are read to see why a pod does not fit.
const CANDIDATE_NODES: usize = 2;

/// Returns what to read next for a subject, the most telling first.
///
/// What is already in the world is asked for again only by the caller's mistake: it keeps what was asked.
pub fn of(facts: &Facts<'_>, catalogue: &Catalogue) -> Vec<Need> {
    let mut needs = match facts.pod() {
        Some(pod) => of_pod(facts, pod),
        None => workload::of(facts, &facts.workload()),
    };
    let custom: Vec<Need> = of_custom(facts, catalogue).into_iter().filter(|need| !needs.contains(need)).collect();
    let place = needs.len().min(BEFORE_CUSTOM);
    needs.splice(place..place, custom.into_iter().take(CUSTOM));
    if let Some(pod) = facts.pod() {
        story(facts, pod, &mut needs);
    }
    needs
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
    let condition = pod.condition("PodScheduled");
    let said = condition.and_then(|c| c.message.as_deref()).unwrap_or_default();
    device_claims(pod, needs);
    group(facts, pod, needs);
    if condition.is_none() {
        // Both controllers' locks, and the scheduler's own pods: is there anybody to look at the pod?
        needs.push(collection(Resource::Leases, "kube-system"));
        needs.push(Need::Selected {
            resource: Resource::Pods,
            namespace: "kube-system".to_owned(),
            selector: "component=kube-scheduler".to_owned(),
        });
    }
    needs.push(collection(Resource::Nodes, ""));
    if has_claims(pod) {
        needs.push(collection(Resource::PersistentVolumeClaims, pod.namespace()));
        if said.contains("max volume count") {
            needs.push(collection(Resource::CsiNodes, ""));
        }
        for claim in claims(facts, pod) {
            of_claim(pod.namespace(), claim, needs);
        }
        for provisioner in provisioners(facts, pod) {
            needs.push(collection(Resource::CsiNodes, ""));
            needs.push(object(Resource::CsiDrivers, "", &provisioner));
        }
    }
    // Room is being made on a node: which pods leave it, and were they told to?
    let nominated = pod.status().and_then(|status| status.nominated_node_name.as_deref()).unwrap_or_default();
    if !nominated.is_empty() {
        needs.push(Need::PodsOn { node: nominated.to_owned() });
        let leaving = facts.world.pods_on(nominated).map(PodView::new).filter(|p| p.deletion_deadline().is_some());
        let untold = leaving.filter(|p| p.condition("DisruptionTarget").is_none());
        needs.extend(untold.map(|p| events_of("Pod", p.namespace(), p.name())).take(2));
    }
    // Rules between pods: held against those of the namespace.
    if ["pod affinity", "anti-affinity", "topology spread"].iter().any(|rule| said.contains(rule)) {
        needs.push(collection(Resource::Pods, pod.namespace()));
    }
    // The scheduler refuses for want of room: see what fills the nodes with the most of it.
    if said.contains("Insufficient") || said.contains("Too many pods") || said.contains("free ports") {
        let mut nodes: Vec<_> =
            facts.world.nodes.seen().filter(|n| node::is_ready(n) && !node::is_cordoned(n)).collect();
        nodes.sort_by_key(|n| std::cmp::Reverse((node::name(n) == nominated, allocatable_memory(n))));
        needs.extend(nodes.into_iter().take(CANDIDATE_NODES).map(|n| Need::PodsOn { node: node::name(n).to_owned() }));
    }
}

/// Returns true where the pod asks for devices (dynamic resource allocation).
pub fn has_device_claims(pod: PodView<'_>) -> bool {
    pod.spec().and_then(|spec| spec.resource_claims.as_ref()).is_some_and(|claims| !claims.is_empty())
}

/// Asks for the ResourceClaims that the pod names, or the templates of those it is to be given.
fn device_claims(pod: PodView<'_>, needs: &mut Vec<Need>) {
    let claims = pod.spec().and_then(|spec| spec.resource_claims.as_deref()).unwrap_or_default();
    needs.extend(claims.iter().take(2).filter_map(|claim| {
        let (resource, name) = match (&claim.resource_claim_name, &claim.resource_claim_template_name) {
            (Some(name), _) => (Resource::ResourceClaims, name),
            (None, Some(name)) => (Resource::ResourceClaimTemplates, name),
            (None, None) => return None,
        };
        Some(object(resource, pod.namespace(), name))
    }));
}

/// Asks for the group that a gang scheduler places as one, and for the queue whose quota it waits for.
fn group(facts: &Facts<'_>, pod: PodView<'_>, needs: &mut Vec<Need>) {
    const KEYS: [&str; 2] = ["scheduling.k8s.io/group-name", "scheduling.volcano.sh/group-name"];
    let annotations = pod.meta().annotations.as_ref();
    let Some(name) = KEYS.iter().find_map(|key| annotations?.get(*key)) else { return };
    needs.push(object(Resource::PodGroups, pod.namespace(), name));
    needs.push(events_of("PodGroup", pod.namespace(), name));
    let group = facts.world.others("PodGroup").and_then(|groups| groups.get(pod.namespace(), name).present());
    if let Some(group) = group {
        let queue = group.pointer("/spec/queue").and_then(serde_json::Value::as_str).unwrap_or("default");
        needs.push(object(Resource::Queues, "", queue));
    }
}

/// Asks for what a claim is bound to, or for what keeps it from being bound.
fn of_claim(namespace: &str, claim: &k8s_openapi::api::core::v1::PersistentVolumeClaim, needs: &mut Vec<Need>) {
    let Some(spec) = claim.spec.as_ref() else { return };
    if let Some(volume) = spec.volume_name.as_deref().filter(|volume| !volume.is_empty()) {
        needs.push(object(Resource::PersistentVolumes, "", volume));
        return;
    }
    needs.push(events_of("PersistentVolumeClaim", namespace, claim.metadata.name.as_deref().unwrap_or_default()));
    if let Some(class) = spec.storage_class_name.as_deref().filter(|class| !class.is_empty()) {
        needs.push(object(Resource::StorageClasses, "", class));
    }
}

/// Returns the drivers that are to make the volumes which the pod's claims wait for.
fn provisioners(facts: &Facts<'_>, pod: PodView<'_>) -> Vec<String> {
    claims(facts, pod)
        .filter_map(|claim| claim.spec.as_ref())
        .filter(|spec| spec.volume_name.as_deref().unwrap_or_default().is_empty())
        .filter_map(|spec| facts.world.storage_classes.get("", spec.storage_class_name.as_deref()?).present())
        .map(|class| class.provisioner.clone())
        .take(1)
        .collect()
}

fn of_creating(facts: &Facts<'_>, pod: PodView<'_>, needs: &mut Vec<Need>) {
    logs(pod, needs);
    certificates(facts, pod, needs);
    let node = pod.node_name();
    let events = || pod.events_seen(facts.world);
    if has_claims(pod) {
        needs.push(collection(Resource::PersistentVolumeClaims, pod.namespace()));
        let attaching = events().any(|e| matches!(e.reason.as_str(), "FailedAttachVolume" | "FailedMount"));
        let silent = events().all(|e| e.reason == "Scheduled");
        if attaching || silent {
            needs.push(collection(Resource::VolumeAttachments, ""));
        }
        if silent {
            // Nobody attaches: is there anybody to do it?
            needs.push(object(Resource::Leases, "kube-system", "kube-controller-manager"));
        }
        if events().any(|e| e.message.contains("Multi-Attach")) {
            needs.push(collection(Resource::Pods, pod.namespace()));
            needs.extend(holders(facts, pod).map(|holder| object(Resource::Nodes, "", holder)).take(1));
        }
        if attaching || silent {
            for claim in claims(facts, pod).take(2) {
                of_claim(pod.namespace(), claim, needs);
            }
            needs.push(collection(Resource::CsiDrivers, ""));
        }
    }
    if let Some(node) = node {
        // A pull that has begun and is not through: does another pod of the node pull, and since when?
        if events().last().is_some_and(|e| e.reason == "Pulling") {
            needs.push(Need::PodsOn { node: node.to_owned() });
            needs.extend(pulling_neighbours(facts, pod).map(|p| events_of("Pod", p.namespace(), p.name())).take(2));
        }
        if events().any(|e| e.message.contains("CSI")) {
            needs.push(object(Resource::CsiNodes, "", node));
        }
        if facts.node().present().is_some_and(|n| !node::is_ready(n)) {
            needs.push(object(Resource::Leases, "kube-node-lease", node));
        }
        // The network's own pods of this node, and how many addresses are taken there.
        if events().any(|e| e.reason == "FailedCreatePodSandBox" || e.reason == "NetworkNotReady") {
            needs.push(Need::PodsOn { node: node.to_owned() });
        }
    }
    let spec = pod.spec();
    if let Some(class) = spec.and_then(|spec| spec.runtime_class_name.as_deref()).filter(|class| !class.is_empty()) {
        needs.push(object(Resource::RuntimeClasses, "", class));
    }
    // Where the pull is refused, the account may name the Secret that was to be used.
    if pod.containers().any(|c| c.waiting().is_some_and(|w| matches!(w.reason, "ErrImagePull" | "ImagePullBackOff"))) {
        let account = spec.and_then(|spec| spec.service_account_name.as_deref()).unwrap_or("default");
        needs.push(object(Resource::ServiceAccounts, pod.namespace(), account));
    }
    needs.extend(node_events(pod));
    if pod.is_of_job() {
        needs.extend(owner(pod));
    }
}

/// Returns the other nodes that hold the volumes of the pod's claims.
fn holders<'w>(facts: &Facts<'w>, pod: PodView<'w>) -> impl Iterator<Item = &'w str> {
    let volumes: Vec<&str> =
        claims(facts, pod).filter_map(|claim| claim.spec.as_ref()?.volume_name.as_deref()).collect();
    let attachments = facts.world.volume_attachments.seen();
    attachments
        .filter(move |a| a.spec.source.persistent_volume_name.as_deref().is_some_and(|name| volumes.contains(&name)))
        .map(|attachment| attachment.spec.node_name.as_str())
        .filter(move |node| Some(*node) != pod.node_name())
}

fn of_running(facts: &Facts<'_>, pod: PodView<'_>, needs: &mut Vec<Need>) {
    logs(pod, needs);
    certificates(facts, pod, needs);
    // Several pods of one node failing together is the node's fault: their events tell, so room is kept for them.
    let times_out = pod.events_seen(facts.world).any(|e| {
        let text = e.message.to_lowercase();
        e.reason == "Unhealthy" && (text.contains("timeout") || text.contains("deadline exceeded"))
    });
    if let Some(node) = pod.node_name() {
        if times_out {
            needs.push(Need::PodsOn { node: node.to_owned() });
            needs.extend(unready_neighbours(facts, pod).map(|p| events_of("Pod", p.namespace(), p.name())).take(3));
            return;
        }
        if facts.node().present().is_some_and(|n| !node::is_ready(n)) {
            needs.push(object(Resource::Leases, "kube-node-lease", node));
        }
    }
    if pod.containers().any(|c| c.latest_end().is_some()) {
        needs.extend(node_events(pod));
    }
    if !pod.is("Ready") {
        needs.extend(owner(pod));
    }
}

/// Returns the pods of other workloads on the pod's node that are not ready either.
fn unready_neighbours<'w>(facts: &Facts<'w>, pod: PodView<'w>) -> impl Iterator<Item = PodView<'w>> {
    let workload = pod.workload();
    let here = pod.node_name().map(|node| facts.world.pods_on(node));
    here.into_iter().flatten().map(PodView::new).filter(move |other| {
        other.deletion_deadline().is_none()
            && other.stage() == Stage::Running
            && !other.is("Ready")
            && other.workload() != workload
    })
}

/// Returns the other pods of the pod's node whose containers are not made yet, the oldest first.
fn pulling_neighbours<'w>(facts: &Facts<'w>, pod: PodView<'w>) -> impl Iterator<Item = PodView<'w>> {
    let here = pod.node_name().map(|node| facts.world.pods_on(node));
    let mut others: Vec<PodView<'w>> = here
        .into_iter()
        .flatten()
        .map(PodView::new)
        .filter(|other| other.uid() != pod.uid() && other.stage() == Stage::Creating)
        .collect();
    others.sort_by_key(|other| (other.scheduled_at(), other.namespace(), other.name()));
    others.into_iter()
}

fn of_terminating(pod: PodView<'_>, needs: &mut Vec<Need>) {
    if let Some(node) = pod.node_name() {
        needs.push(object(Resource::Leases, "kube-node-lease", node));
        needs.extend(node_events(pod));
        if has_claims(pod) {
            needs.push(collection(Resource::VolumeAttachments, ""));
            needs.push(collection(Resource::PersistentVolumeClaims, pod.namespace()));
        }
    }
    needs.extend(owner(pod));
}

/// Asks for the logs of containers that ended, the failing ones first, and of one that runs and is not ready.
fn logs(pod: PodView<'_>, needs: &mut Vec<Need>) {
    let mut failing: Vec<ContainerView<'_>> =
        pod.containers().filter(|c| c.latest_end().is_some() && !c.done()).collect();
    failing.sort_by_key(|c| (c.role == Role::App && c.ready(), c.latest_end().is_some_and(|end| end.exit_code == 0)));
    needs.extend(failing.into_iter().take(2).map(|container| log(pod, container, container.end().is_none())));
    // A running container that is not ready often says why, whatever its last run said.
    let unready = pod.app_containers().find(|c| c.is_running() && !c.ready());
    needs.extend(unready.map(|container| log(pod, container, false)));
}

fn log(pod: PodView<'_>, container: ContainerView<'_>, previous: bool) -> Need {
    let (namespace, name) = (pod.namespace().to_owned(), pod.name().to_owned());
    Need::Log { namespace, pod: name, container: container.name().to_owned(), previous }
}

/// Asks for the kubelets' requests for certificates, where a log call failed for want of one.
fn certificates(facts: &Facts<'_>, pod: PodView<'_>, needs: &mut Vec<Need>) {
    let of_tls = |error: &str| ["tls: ", "x509: ", "TLS handshake"].iter().any(|word| error.contains(word));
    let failed = pod.containers().filter_map(|container| container.log(facts.world)?.error.as_deref()).any(of_tls);
    if failed {
        needs.push(collection(Resource::CertificateSigningRequests, ""));
    }
}

fn node_events(pod: PodView<'_>) -> Option<Need> {
    pod.node_name().map(|node| events_of("Node", "", node))
}

/// Asks for the owner whose conditions tell of deadlines, back-off limits and rollouts.
fn owner(pod: PodView<'_>) -> Option<Need> {
    let owner = crate::facts::workload::controller(pod.meta())?;
    // The owner of a static pod is its node, which stands in no namespace.
    let namespace = if owner.kind == "Node" { "" } else { pod.namespace() };
    Some(object(Resource::of_kind(&owner.kind)?, namespace, &owner.name))
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
        .filter_map(move |volume| match (&volume.persistent_volume_claim, &volume.ephemeral) {
            (Some(source), _) => Some(source.claim_name.clone()),
            (None, Some(_)) => Some(format!("{}-{}", pod.name(), volume.name)),
            (None, None) => None,
        })
        .filter_map(move |name| world.claims.get(pod.namespace(), &name).present())
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

#[cfg(test)]
mod tests;
