//! What the scheduler said of a pod, by sort of reason.

use super::OF_THE_SENTENCE;
use super::lead::lead;
use crate::diagnosis::cause::Cause;
use crate::diagnosis::{Certainty, Finding, fit};
use crate::facts::reading::scheduler::{self, NodeReason, PodReason, Reading};
use crate::facts::{Event, Evidence, Facts, PodView, Stage, node};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Node;
use std::collections::BTreeMap;

/// What a scheduler said last about the pod.
#[derive(Debug, Clone)]
pub struct Said<'w> {
    pub text: &'w str,
    /// The condition, and the newest event that says the same.
    pub evidence: Vec<Evidence>,
    /// When it was last said, as far as the event's lagging count tells.
    pub last: Option<Timestamp>,
}

/// Returns what a scheduler said last of a pod without a node: the condition (never cut, always of the last attempt)
/// before the event. Autoscalers report FailedScheduling as well, in words of their own: they are left out.
pub fn said<'w>(facts: &Facts<'w>) -> Option<Said<'w>> {
    let pod = facts.pod().filter(|pod| pod.stage() == Stage::Unscheduled)?;
    let event =
        pod.events_seen(facts.world).filter(|event| event.reason == "FailedScheduling" && !is_autoscaler(event)).last();
    let condition = pod.condition("PodScheduled").filter(|condition| condition.status == "False");
    let text = condition.and_then(|condition| condition.message.as_deref()).filter(|text| !text.is_empty());
    let last = event.and_then(|event| event.last);
    match (text, event) {
        (Some(text), event) => {
            let event = event.filter(|event| event.text().starts_with(&*text.chars().take(40).collect::<String>()));
            let evidence =
                pod.condition_evidence("PodScheduled").into_iter().chain(event.map(Event::evidence)).collect();
            Some(Said { text, evidence, last })
        }
        (None, Some(event)) => Some(Said { text: event.text(), evidence: vec![event.evidence()], last }),
        (None, None) => None,
    }
}

/// Returns true for events of cluster-autoscaler and Karpenter.
pub fn is_autoscaler(event: &Event) -> bool {
    event.component.contains("karpenter") || event.component.contains("autoscaler")
}

/// A sort of reason. The order breaks ties among the late ones: what pins the pod to few nodes comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    ClaimMissing,
    ResourceClaim,
    VolumeElsewhere,
    ClaimUnbound,
    AttachLimit,
    /// Another pod uses a volume that one pod (ReadWriteOncePod) or one node at a time may use.
    VolumeInUse,
    HostPort,
    AntiAffinity,
    PodAffinity,
    Resources,
    Spread,
    Uninitialized,
    Condition,
    Cordoned,
    /// A taint of a person or a product.
    Taint,
    /// The usual taint of control-plane nodes.
    ControlPlane,
    Selector,
    Other,
}

/// What sort of thing a kind is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Something is wrong with the node, or was done to it.
    Fault,
    /// The node would do, but lacks something: it has passed the checks for what the pod is meant for.
    Late,
    /// The pod is not meant for the node.
    ByDesign,
    Unknown,
}

impl Kind {
    pub fn class(self) -> Class {
        match self {
            Kind::Uninitialized | Kind::Condition | Kind::Cordoned => Class::Fault,
            Kind::Taint | Kind::ControlPlane | Kind::Selector => Class::ByDesign,
            Kind::Other => Class::Unknown,
            _ => Class::Late,
        }
    }
}

/// What the scheduler said of the pod, by sort of reason.
#[derive(Debug, Clone)]
pub struct Picture<'w> {
    pub pod: PodView<'w>,
    pub said: Said<'w>,
    pub reading: Reading<'w>,
    /// On how many nodes each sort of reason holds.
    pub counts: BTreeMap<Kind, u32>,
    /// How many nodes the scheduler counted.
    pub total: Option<u32>,
    /// The sort of reason to tell.
    pub lead: Kind,
    /// Nothing but the lead and what is by design stands there.
    sole: bool,
}

/// Returns the picture of a pod that a scheduler has looked at in vain; `None` where none has, or it is held by gates.
pub fn picture<'w>(facts: &Facts<'w>) -> Option<Picture<'w>> {
    let pod = facts.pod()?;
    let condition = pod.condition("PodScheduled");
    if condition.is_some_and(|c| c.status == "True" || c.reason.as_deref() == Some("SchedulingGated")) {
        return None;
    }
    let Some(said) = said(facts) else { return wordless(facts, pod) };
    let reading = scheduler::read(said.text);
    let mut total = None;
    let mut counts = BTreeMap::new();
    match &reading {
        Reading::Nodes { total: n, reasons } => {
            total = *n;
            counts = count(facts, pod, reasons, *n);
        }
        Reading::Pod(reason) => {
            counts.insert(of_pod_reason(reason), 1);
        }
        Reading::Failure(scheduler::Failure::VolumeBinding) => {
            counts.insert(Kind::ClaimUnbound, 1);
        }
        Reading::NoNodes => {
            counts.insert(Kind::Resources, 1);
        }
        Reading::Failure(_) => {
            counts.insert(Kind::Other, 1);
        }
    }
    let lead = lead(facts, pod, &counts)?;
    let rivals = counts.keys().filter(|kind| **kind != lead && kind.class() != Class::ByDesign).count();
    let by_design_rivals = counts.keys().filter(|kind| **kind != lead && **kind != Kind::ControlPlane).count();
    let sole = if lead.class() == Class::ByDesign { by_design_rivals == 0 } else { rivals == 0 };
    Some(Picture { pod, said, reading, counts, total, lead, sole })
}

/// Returns the picture from the nodes alone, where the scheduler has refused the pod and its sentence is gone: events
/// expire, and `kubectl describe` prints no message of a condition. Only taints are told, and only where every node that
/// was read has one: all else may have changed since.
fn wordless<'w>(facts: &Facts<'w>, pod: PodView<'w>) -> Option<Picture<'w>> {
    let evidence: Vec<Evidence> = pod
        .condition("PodScheduled")
        .filter(|condition| condition.reason.as_deref() == Some("Unschedulable"))
        .and_then(|_| pod.condition_evidence("PodScheduled"))
        .into_iter()
        .collect();
    if evidence.is_empty() || pod.stage() != Stage::Unscheduled {
        return None;
    }
    let mut counts: BTreeMap<Kind, u32> = BTreeMap::new();
    for node in facts.world.nodes.seen() {
        *counts.entry(node_taint_kind(pod, node)?).or_default() += 1;
    }
    let total = counts.values().sum();
    let lead = lead(facts, pod, &counts)?;
    let said = Said { text: "", evidence, last: None };
    let reading = Reading::Nodes { total: Some(total), reasons: Vec::new() };
    // Two nodes may be held by different taints, and the sentence is not there to say more: never sure.
    Some(Picture { pod, said, reading, counts, total: Some(total), lead, sole: false })
}

impl<'w> Picture<'w> {
    /// Returns how many nodes a sort of reason holds for.
    pub fn count(&self, kind: Kind) -> u32 {
        self.counts.get(&kind).copied().unwrap_or(0)
    }

    /// Returns the scheduler's reasons by node.
    pub fn reasons(&self) -> &[(u32, NodeReason<'w>)] {
        match &self.reading {
            Reading::Nodes { reasons, .. } => reasons,
            _ => &[],
        }
    }

    /// Returns the start of the cause's finding: sure where the scheduler names nothing else, one possibility among
    /// others where another sort of reason leads. `None` where the scheduler does not name this sort.
    pub fn finding(&self, cause: &'static Cause, kind: Kind) -> Option<Finding> {
        if self.count(kind) == 0 {
            return None;
        }
        let certainty = match (self.lead == kind, self.sole) {
            (true, true) => Certainty::Confirmed,
            (true, false) => Certainty::Likely,
            (false, _) => Certainty::Possible,
        };
        let finding = Finding::new(cause, certainty).because(self.said.evidence.clone());
        Some(if self.lead == kind { finding.explains(OF_THE_SENTENCE) } else { finding })
    }

    /// Returns `3 of 5` (nodes) for a sort of reason.
    pub fn share(&self, kind: Kind) -> (String, String) {
        let count = self.total.map_or(self.count(kind), |total| self.count(kind).min(total));
        match self.total {
            Some(total) => {
                let nodes = if total == 1 { "node" } else { "nodes" };
                (format!("{count} of {total} {nodes}"), format!("{total} 个节点中的 {count} 个"))
            }
            None => (format!("{count} {}", if count == 1 { "node" } else { "nodes" }), format!("{count} 个节点")),
        }
    }
}

fn count(
    facts: &Facts<'_>,
    pod: PodView<'_>,
    reasons: &[(u32, NodeReason<'_>)],
    total: Option<u32>,
) -> BTreeMap<Kind, u32> {
    // A pod of a DaemonSet is about one node: what the others say is noise.
    if let Some(counts) = of_only_node(facts, pod) {
        return counts;
    }
    let mut counts: BTreeMap<Kind, u32> = BTreeMap::new();
    // 1.19 and 1.20 say it twice: in general, and which of the two rules.
    let exact = reasons.iter().any(|(_, r)| matches!(r, NodeReason::PodAffinity | NodeReason::AntiAffinity { .. }));
    for (n, reason) in reasons {
        match reason {
            NodeReason::PodAffinityOrAnti if exact => {}
            NodeReason::Taint(None) => {
                for (kind, n) in taints_of_nodes(facts, pod, *n) {
                    *counts.entry(kind).or_default() += n;
                }
            }
            NodeReason::Taint(Some(taint)) => *counts.entry(of_named_taint(facts, pod, taint.key)).or_default() += n,
            reason => *counts.entry(of_reason(pod, reason)).or_default() += n,
        }
    }
    // One node counts once for each resource that is short.
    if let (Some(total), Some(resources)) = (total, counts.get(&Kind::Resources).copied()) {
        let others: u32 = counts.iter().filter(|(kind, _)| **kind != Kind::Resources).map(|(_, n)| n).sum();
        counts.insert(Kind::Resources, resources.min(total.saturating_sub(others)).max(1));
    }
    counts
}

fn of_only_node(facts: &Facts<'_>, pod: PodView<'_>) -> Option<BTreeMap<Kind, u32>> {
    let name = fit::only_node(pod.spec()?)?;
    let fit = fit::compute(facts, pod)?;
    let misfits = &fit.nodes.iter().find(|fit| node::name(fit.node) == name)?.misfits;
    let counts: BTreeMap<Kind, u32> = misfits
        .iter()
        .map(|misfit| {
            let kind = match misfit {
                fit::Misfit::Cordoned => Kind::Cordoned,
                fit::Misfit::Taint(taint) => taint_kind(&taint.key),
                fit::Misfit::Labels(_) => Kind::Selector,
                fit::Misfit::Short { .. } => Kind::Resources,
                fit::Misfit::HostPort { .. } => Kind::HostPort,
                fit::Misfit::Volume { .. } => Kind::VolumeElsewhere,
            };
            (kind, 1)
        })
        .collect();
    (!counts.is_empty()).then_some(counts)
}

fn of_reason(pod: PodView<'_>, reason: &NodeReason<'_>) -> Kind {
    match reason {
        NodeReason::Insufficient(_) | NodeReason::Resources => Kind::Resources,
        NodeReason::Selector | NodeReason::NodeName => Kind::Selector,
        NodeReason::PodAffinity => Kind::PodAffinity,
        NodeReason::AntiAffinity { .. } => Kind::AntiAffinity,
        NodeReason::PodAffinityOrAnti => {
            let affinity = pod.spec().and_then(|spec| spec.affinity.as_ref());
            let wants = affinity.and_then(|affinity| affinity.pod_affinity.as_ref()).is_some();
            if wants { Kind::PodAffinity } else { Kind::AntiAffinity }
        }
        NodeReason::Spread { .. } => Kind::Spread,
        NodeReason::Cordoned => Kind::Cordoned,
        NodeReason::Condition(_) => Kind::Condition,
        NodeReason::VolumeElsewhere => Kind::VolumeElsewhere,
        NodeReason::NoVolumeToBind | NodeReason::NoStorageLeft => Kind::ClaimUnbound,
        NodeReason::VolumeMissing => Kind::ClaimMissing,
        NodeReason::AttachLimit => Kind::AttachLimit,
        NodeReason::HostPort => Kind::HostPort,
        NodeReason::Claim(_) => Kind::ResourceClaim,
        NodeReason::Plugins(names) if names.contains("NodeAffinity") => Kind::Selector,
        NodeReason::Plugins(names) if names.contains("Volume") => Kind::VolumeElsewhere,
        NodeReason::OfPod(reason) => of_pod_reason(reason),
        NodeReason::ClaimInUse | NodeReason::DiskInUse => Kind::VolumeInUse,
        NodeReason::Taint(_) | NodeReason::DriverMissing(_) | NodeReason::Plugins(_) | NodeReason::Other(_) => {
            Kind::Other
        }
    }
}

fn of_pod_reason(reason: &PodReason<'_>) -> Kind {
    match reason {
        PodReason::ClaimMissing(_) | PodReason::ClaimLost { .. } => Kind::ClaimMissing,
        PodReason::ClaimUnbound | PodReason::ClaimBeingDeleted(_) | PodReason::EphemeralClaimAwaited(_) => {
            Kind::ClaimUnbound
        }
        PodReason::ResourceClaim(_) => Kind::ResourceClaim,
        PodReason::Gang(_) | PodReason::Other(_) => Kind::Other,
    }
}

/// Tells who sets a taint by its key.
pub fn taint_kind(key: &str) -> Kind {
    match key {
        "node.cloudprovider.kubernetes.io/uninitialized" => Kind::Uninitialized,
        "node.kubernetes.io/unschedulable" => Kind::Cordoned,
        "node.kubernetes.io/not-ready"
        | "node.kubernetes.io/unreachable"
        | "node.kubernetes.io/memory-pressure"
        | "node.kubernetes.io/disk-pressure"
        | "node.kubernetes.io/pid-pressure"
        | "node.kubernetes.io/network-unavailable"
        | "node.kubernetes.io/out-of-disk"
        | "node.kubernetes.io/out-of-service"
        | "node.cloudprovider.kubernetes.io/shutdown"
        | "node.alpha.kubernetes.io/notReady"
        | "node.alpha.kubernetes.io/unreachable" => Kind::Condition,
        "node-role.kubernetes.io/control-plane"
        | "node-role.kubernetes.io/master"
        | "node-role.kubernetes.io/etcd"
        | "node-role.kubernetes.io/controlplane"
        | "dedicated-master" => Kind::ControlPlane,
        _ => Kind::Taint,
    }
}

/// The scheduler names the first taint only: a node that waits for its cloud provider is mostly named by `not-ready`.
fn of_named_taint(facts: &Facts<'_>, pod: PodView<'_>, key: &str) -> Kind {
    let kind = taint_kind(key);
    if kind != Kind::Condition {
        return kind;
    }
    let mut named =
        facts.world.nodes.seen().filter(|n| node::taints(n).iter().any(|taint| taint.key == key)).peekable();
    let all = named.peek().is_some()
        && named.all(|node| untolerated_keys(pod, node).iter().any(|key| taint_kind(key) == Kind::Uninitialized));
    if all { Kind::Uninitialized } else { kind }
}

/// Returns the keys of the taints of a node that keep the pod away.
pub fn untolerated_keys<'w>(pod: PodView<'w>, node: &'w Node) -> Vec<&'w str> {
    let tolerations = pod.spec().and_then(|spec| spec.tolerations.as_deref()).unwrap_or_default();
    fit::untolerated(node, tolerations).map(|taint| taint.key.as_str()).collect()
}

/// Returns what keeps the pod off a node by its taints: what is by design outweighs a fault, since the pod would not go
/// there anyhow.
pub fn node_taint_kind(pod: PodView<'_>, node: &Node) -> Option<Kind> {
    let kinds: Vec<Kind> = untolerated_keys(pod, node).into_iter().map(taint_kind).collect();
    let by_design = kinds.iter().find(|kind| kind.class() == Class::ByDesign);
    by_design.or(kinds.iter().find(|kind| **kind == Kind::Uninitialized)).or(kinds.first()).copied()
}

/// The scheduler names no key (before 1.18, from 1.35 on): the nodes tell.
fn taints_of_nodes(facts: &Facts<'_>, pod: PodView<'_>, count: u32) -> BTreeMap<Kind, u32> {
    let mut counts = BTreeMap::new();
    for kind in facts.world.nodes.seen().filter_map(|node| node_taint_kind(pod, node)) {
        *counts.entry(kind).or_default() += 1;
    }
    if counts.is_empty() {
        counts.insert(Kind::Taint, count);
    }
    counts
}
