//! What the scheduler says of a pod that it cannot place, in every wording since 1.6, and Volcano's.
//!
//! ```text
//! 0/5 nodes are available: 2 node(s) had untolerated taint {k: v}, 3 Insufficient cpu. preemption: …   counted, by node
//! 0/5 nodes are available: persistentvolumeclaim "data" not found. not found                           about the pod
//! running PreBind plugin "VolumeBinding": binding volumes: timed out waiting for the condition          an error
//! ```
//!
//! What follows `preemption:` repeats the counts and is dropped. Each node reports its first failing filter only, and a
//! text about the pod hides every other reason. Sources: `pkg/scheduler/framework/types.go` (FitError),
//! `schedule_one.go`, the filters under `pkg/scheduler/framework/plugins`, and `algorithm/predicates/error.go` before 1.19.

/// What the scheduler said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reading<'a> {
    /// The cluster has no node at all.
    NoNodes,
    /// Reasons by node, with how many nodes each holds for. One node may count for several resources.
    Nodes { total: Option<u32>, reasons: Vec<(u32, NodeReason<'a>)> },
    /// One reason about the pod itself: no node was looked at.
    Pod(PodReason<'a>),
    /// The attempt failed: a plugin, an extender, the binding.
    Failure(Failure<'a>),
}

/// Why nodes do not fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NodeReason<'a> {
    /// Too little of a resource; `pods` = the node's pod slots.
    Insufficient(&'a str),
    /// Node selector or required node affinity: one text for both since 1.21.
    Selector,
    NodeName,
    PodAffinity,
    /// The pod's own rule, or (`existing`) the rule of a pod that is there.
    AntiAffinity {
        existing: bool,
    },
    /// Before 1.20 one text for affinity and anti-affinity.
    PodAffinityOrAnti,
    /// `missing_label`: the nodes do not carry the topology key.
    Spread {
        missing_label: bool,
    },
    /// A taint; no key before 1.18 and from 1.35 on.
    Taint(Option<TaintText<'a>>),
    Cordoned,
    /// A condition that was told without taints before 1.18.
    Condition(NodeCondition),
    /// A bound volume can be reached from other nodes only.
    VolumeElsewhere,
    /// No volume fits the unbound claim on these nodes.
    NoVolumeToBind,
    /// The storage pool that these nodes reach is too full.
    NoStorageLeft,
    VolumeMissing,
    AttachLimit,
    HostPort,
    /// ReadWriteOncePod: another pod holds the claim.
    ClaimInUse,
    /// An in-tree disk that may be mounted once.
    DiskInUse,
    /// Dynamic resources: the claim cannot be had on these nodes.
    Claim(&'a str),
    DriverMissing(&'a str),
    /// Volcano: some resource is short, which one is not told.
    Resources,
    /// A plugin took the nodes out beforehand.
    Plugins(&'a str),
    /// A reason about the pod that 1.18 and 1.19 count by node: `3 pod has unbound immediate PersistentVolumeClaims`.
    OfPod(PodReason<'a>),
    Other(&'a str),
}

/// The taint as the scheduler prints it: `{key: value}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TaintText<'a> {
    pub key: &'a str,
    pub value: &'a str,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NodeCondition {
    NotReady,
    MemoryPressure,
    DiskPressure,
    PidPressure,
    OutOfDisk,
    NetworkUnavailable,
}

/// Reasons about the pod itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PodReason<'a> {
    ClaimMissing(&'a str),
    ClaimBeingDeleted(&'a str),
    /// An immediate claim is not bound.
    ClaimUnbound,
    /// A claim is bound to a volume that is gone.
    ClaimLost {
        claim: &'a str,
        volume: &'a str,
    },
    /// The controller has not yet made the claim of an ephemeral volume.
    EphemeralClaimAwaited(&'a str),
    /// Dynamic resource claims.
    ResourceClaim(&'a str),
    /// A group of pods (gang) that is scheduled together or not at all.
    Gang(&'a str),
    Other(&'a str),
}

/// An attempt that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure<'a> {
    /// Waiting for the volumes to be provisioned or bound timed out.
    VolumeBinding,
    /// The scheduler's own memory contradicts itself: `is in the cache, so can't be assumed`, `nodeinfo not found`.
    Cache,
    /// The API refused the binding.
    Binding(&'a str),
    Extender(&'a str),
    Other(&'a str),
}

/// Reads a scheduler's text: of the PodScheduled condition or of a FailedScheduling event.
pub fn read(text: &str) -> Reading<'_> {
    let text = without_preemption(text.trim());
    if text.contains("no nodes available to schedule pods") {
        return Reading::NoNodes;
    }
    if let Some(failure) = failure(text) {
        return Reading::Failure(failure);
    }
    if let Some((total, body)) = counted_body(text) {
        let reasons: Vec<_> = items(body).into_iter().filter_map(counted).collect();
        if !reasons.is_empty() {
            return Reading::Nodes { total, reasons };
        }
        return Reading::Pod(pod_reason(strip_end(body)));
    }
    // GKE leaves the counts out.
    if let Some((_, reason)) = text.split_once("Cannot schedule pods: ") {
        return Reading::Nodes { total: None, reasons: vec![(1, node_reason(strip_end(reason)))] };
    }
    if let Some(body) = ancient_body(text) {
        let reasons: Vec<_> = body.split(',').filter_map(ancient).collect();
        if !reasons.is_empty() {
            return Reading::Nodes { total: None, reasons };
        }
    }
    // Before 1.4: a line a node.
    let lines: Vec<_> =
        text.lines().filter_map(|line| line.split_once("fit failure on node (")?.1.split_once("): ")).collect();
    if !lines.is_empty() {
        return Reading::Nodes {
            total: None,
            reasons: lines.into_iter().map(|(_, reason)| (1, old_reason(reason))).collect(),
        };
    }
    Reading::Pod(pod_reason(strip_end(text)))
}

/// Cuts off what repeats the counts: `preemption: …`, and DRA's `no new claims to deallocate, ` before it.
fn without_preemption(text: &str) -> &str {
    let text = text.split(" preemption: ").next().unwrap_or(text);
    let text = text.split("no new claims to deallocate").next().unwrap_or(text);
    text.trim_end()
}

/// Returns N and what follows `0/N nodes are available: `. Volcano writes `unavailable`.
fn counted_body(text: &str) -> Option<(Option<u32>, &str)> {
    for mark in ["nodes are available:", "nodes are unavailable:", "nodes available:"] {
        if let Some((head, body)) = text.split_once(mark) {
            let total = head.trim_end().rsplit_once('/').and_then(|(_, n)| n.trim().parse().ok());
            return Some((total, body.trim()));
        }
    }
    None
}

/// Splits at `, `, but only where a count begins: taints and plugin lists hold commas of their own.
fn items(body: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut start = 0;
    for (at, _) in body.match_indices(", ") {
        let next = &body[at + 2..];
        let digits = next.bytes().take_while(u8::is_ascii_digit).count();
        if digits > 0 && next[digits..].starts_with(' ') {
            found.push(&body[start..at]);
            start = at + 2;
        }
    }
    found.push(&body[start..]);
    found
}

fn counted(item: &str) -> Option<(u32, NodeReason<'_>)> {
    let (count, reason) = item.trim().split_once(' ')?;
    Some((count.parse().ok()?, node_reason(strip_end(reason))))
}

/// Takes off the sentence's end; a PreFilter text ends in a stray ` not found`, which callers take off by knowing it.
fn strip_end(text: &str) -> &str {
    text.trim_end().trim_end_matches(['.', ',', ';']).trim_end()
}

fn node_reason(reason: &str) -> NodeReason<'_> {
    if let Some(resource) = reason.strip_prefix("Insufficient ") {
        return NodeReason::Insufficient(resource.trim());
    }
    let has = |part: &str| reason.contains(part);
    if let Some(taint) = taint(reason) {
        return NodeReason::Taint(taint);
    }
    match reason {
        "Too many pods" => return NodeReason::Insufficient("pods"),
        "node(s) were unschedulable" => return NodeReason::Cordoned,
        _ => {}
    }
    if has("didn't match Pod's node affinity") || has("didn't match node selector") || has("didn't match pod's node") {
        NodeReason::Selector
    } else if has("requested node name") || has("requested hostname") {
        NodeReason::NodeName
    } else if has("pod affinity/anti-affinity") {
        NodeReason::PodAffinityOrAnti
    } else if has("existing pods anti-affinity") {
        NodeReason::AntiAffinity { existing: true }
    } else if has("pod anti-affinity rules") {
        NodeReason::AntiAffinity { existing: false }
    } else if has("pod affinity rules") {
        NodeReason::PodAffinity
    } else if has("topology spread constraints") {
        NodeReason::Spread { missing_label: has("missing required label") }
    } else if has("PersistentVolume's node affinity")
        || has("volume node affinity conflict")
        || has("no available volume zone")
    {
        NodeReason::VolumeElsewhere
    } else if has("find available persistent volumes to bind") {
        NodeReason::NoVolumeToBind
    } else if has("enough free storage") {
        NodeReason::NoStorageLeft
    } else if has("non-existent pv") {
        NodeReason::VolumeMissing
    } else if has("exceed max volume count") {
        NodeReason::AttachLimit
    } else if has("have free ports") {
        NodeReason::HostPort
    } else if has("ReadWriteOncePod") {
        NodeReason::ClaimInUse
    } else if has("no available disk") || has("disk conflict") {
        NodeReason::DiskInUse
    } else if has("cannot allocate all claims") || has("resourceclaim") || has("resource claim") {
        NodeReason::Claim(reason)
    } else if has("CSI driver is not installed") {
        NodeReason::DriverMissing(reason)
    } else if has("resource fit failed") {
        NodeReason::Resources
    } else if has("didn't satisfy plugin") {
        NodeReason::Plugins(reason)
    } else if let Some(condition) = condition(reason) {
        NodeReason::Condition(condition)
    } else {
        match pod_reason(reason) {
            PodReason::Other(_) => NodeReason::Other(reason),
            of_pod => NodeReason::OfPod(of_pod),
        }
    }
}

fn condition(reason: &str) -> Option<NodeCondition> {
    Some(match reason {
        "node(s) were not ready" => NodeCondition::NotReady,
        "node(s) had memory pressure" => NodeCondition::MemoryPressure,
        "node(s) had disk pressure" => NodeCondition::DiskPressure,
        "node(s) had pid pressure" => NodeCondition::PidPressure,
        "node(s) were out of disk space" => NodeCondition::OutOfDisk,
        "node(s) had unavailable network" => NodeCondition::NetworkUnavailable,
        _ => return None,
    })
}

/// `Some(None)` = a taint, its key is not told.
fn taint(reason: &str) -> Option<Option<TaintText<'_>>> {
    let inside = reason.strip_prefix("node(s) had untolerated taint").or(reason.strip_prefix("node(s) had taint"))?;
    let braces = inside.split_once('{').and_then(|(_, rest)| rest.rsplit_once('}')).map(|(inside, _)| inside);
    Some(braces.map(|inside| {
        let (key, value) = inside.split_once(':').unwrap_or((inside, ""));
        TaintText { key: key.trim(), value: value.trim() }
    }))
}

fn pod_reason(text: &str) -> PodReason<'_> {
    let has = |part: &str| text.contains(part);
    let claim = || quoted_after(text, "persistentvolumeclaim ").unwrap_or_default();
    if has("waiting for ephemeral volume controller") {
        PodReason::EphemeralClaimAwaited(claim())
    } else if has("unbound immediate PersistentVolumeClaims") || has("unbound PersistentVolumeClaims") {
        PodReason::ClaimUnbound
    } else if has("bound to non-existent persistentvolume") {
        PodReason::ClaimLost {
            claim: claim(),
            volume: quoted_after(text, "non-existent persistentvolume ").unwrap_or_default(),
        }
    } else if has("persistentvolumeclaim") && has("is being deleted") {
        PodReason::ClaimBeingDeleted(claim())
    } else if has("persistentvolumeclaim") && has("not found") {
        PodReason::ClaimMissing(claim())
    } else if let Some(name) = quoted_after(text, "could not find v1.PersistentVolumeClaim ") {
        // 1.18 and 1.19: `could not find v1.PersistentVolumeClaim "ns/name"`
        PodReason::ClaimMissing(name.rsplit('/').next().unwrap_or(name))
    } else if has("resourceclaim")
        || has("resource claim")
        || has("cannot allocate all claims")
        || has("device class")
        || has("ResourceClaim")
    {
        PodReason::ResourceClaim(text)
    } else if has("pod group") || has("minAvailable") || has("minCount") || has("gang") || has("PodGroup") {
        PodReason::Gang(text)
    } else {
        PodReason::Other(text)
    }
}

fn failure(text: &str) -> Option<Failure<'_>> {
    let has = |part: &str| text.contains(part);
    Some(if has("so can't be assumed") || has("nodeinfo not found for node") || has("node not found in cache") {
        Failure::Cache
    } else if (has("VolumeBinding") && (has("PreBind") || has("timed out")))
        || (has("inding volumes") && has("timed out"))
        || has("Failed to bind volumes")
        || has("provisioning failed for PVC")
    {
        Failure::VolumeBinding
    } else if has("binding rejected") || has("Binding rejected") || has("Operation cannot be fulfilled on pods/binding")
    {
        Failure::Binding(text)
    } else if has("extender") && (has("Post ") || has("failed") || has("error")) {
        Failure::Extender(text)
    } else if text.starts_with("running ")
        && has(" plugin ")
        && matches!(pod_reason(text), PodReason::Other(_))
        && counted_body(text).is_none()
    {
        Failure::Other(text)
    } else {
        return None;
    })
}

/// Before 1.10: `No nodes are available that match all of the predicates: Insufficient cpu (2), MatchNodeSelector (1).`,
/// before 1.6: `fit failure summary on nodes : Insufficient cpu (2)`.
fn ancient_body(text: &str) -> Option<&str> {
    let (_, body) = text
        .split_once("predicates:")
        .or_else(|| text.split_once("fit failure summary on nodes"))
        .or_else(|| text.split_once("failed to fit in any node"))?;
    Some(body.trim_start_matches([':', ' ', '\n']))
}

fn ancient(item: &str) -> Option<(u32, NodeReason<'_>)> {
    let (name, count) = strip_end(item.trim()).trim_end_matches(')').rsplit_once(" (")?;
    Some((count.trim().parse().ok()?, old_reason(name)))
}

/// The names of the checks before 1.10.
fn old_reason(name: &str) -> NodeReason<'_> {
    match strip_end(name.trim()) {
        "Insufficient CPU" | "PodExceedsFreeCPU" => NodeReason::Insufficient("cpu"),
        "Insufficient Memory" | "PodExceedsFreeMemory" => NodeReason::Insufficient("memory"),
        "PodExceedsMaxPodNumber" => NodeReason::Insufficient("pods"),
        "PodToleratesNodeTaints" => NodeReason::Taint(None),
        "MatchNodeSelector" | "NodeSelectorMismatching" => NodeReason::Selector,
        "HostName" => NodeReason::NodeName,
        "MatchInterPodAffinity" => NodeReason::PodAffinityOrAnti,
        "PodFitsHostPorts" => NodeReason::HostPort,
        "NoVolumeZoneConflict" | "NoVolumeNodeConflict" => NodeReason::VolumeElsewhere,
        "VolumeNodeAffinityConflict" => NodeReason::VolumeElsewhere,
        "VolumeBindingNoMatch" => NodeReason::NoVolumeToBind,
        "MaxVolumeCount" => NodeReason::AttachLimit,
        "NoDiskConflict" => NodeReason::DiskInUse,
        "NodeUnschedulable" => NodeReason::Cordoned,
        "NodeNotReady" => NodeReason::Condition(NodeCondition::NotReady),
        "NodeUnderMemoryPressure" => NodeReason::Condition(NodeCondition::MemoryPressure),
        "NodeUnderDiskPressure" => NodeReason::Condition(NodeCondition::DiskPressure),
        "NodeOutOfDisk" => NodeReason::Condition(NodeCondition::OutOfDisk),
        "NodeNetworkUnavailable" => NodeReason::Condition(NodeCondition::NetworkUnavailable),
        name => name.strip_prefix("Insufficient ").map_or(NodeReason::Other(name), NodeReason::Insufficient),
    }
}

/// Returns `x` of `… MARK"x" …`.
fn quoted_after<'a>(text: &'a str, mark: &str) -> Option<&'a str> {
    let rest = text.split_once(mark)?.1.strip_prefix('"')?;
    rest.split_once('"').map(|(name, _)| name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn nodes(text: &str) -> (Option<u32>, Vec<(u32, NodeReason<'_>)>) {
        match read(text) {
            Reading::Nodes { total, reasons } => (total, reasons),
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn every_wording_of_a_taint() {
        let named = |key, value| NodeReason::Taint(Some(TaintText { key, value }));
        for (text, reason) in [
            (
                "0/1 nodes are available: 1 node(s) had untolerated taint {node-role.kubernetes.io/control-plane: }. preemption: 0/1 nodes are available: 1 Preemption is not helpful for scheduling..",
                named("node-role.kubernetes.io/control-plane", ""),
            ),
            (
                "0/1 nodes are available: 1 node(s) had taint {special: true}, that the pod didn't tolerate.",
                named("special", "true"),
            ),
            ("0/1 nodes are available: 1 node(s) had taints that the pod didn't tolerate.", NodeReason::Taint(None)),
            (
                "0/1 nodes are available: 1 node(s) had untolerated taint(s). no new claims to deallocate, preemption: 0/1 nodes are available: 1 Preemption is not helpful for scheduling.",
                NodeReason::Taint(None),
            ),
            (
                "No nodes are available that match all of the predicates: PodToleratesNodeTaints (1).",
                NodeReason::Taint(None),
            ),
        ] {
            assert_eq!(nodes(text).1, [(1, reason)], "{text}");
        }
    }

    #[test]
    fn counts_and_drops_the_preemption_part() {
        let (total, reasons) = nodes(
            "0/6 nodes are available: 1 Insufficient nvidia.com/gpu, 1 Too many pods, 2 node(s) had taint {a: b}, that the pod didn't tolerate, 3 Insufficient memory. preemption: 0/6 nodes are available: 6 No preemption victims found for incoming pod.",
        );
        assert_eq!(total, Some(6));
        assert_eq!(
            reasons,
            [
                (1, NodeReason::Insufficient("nvidia.com/gpu")),
                (1, NodeReason::Insufficient("pods")),
                (2, NodeReason::Taint(Some(TaintText { key: "a", value: "b" }))),
                (3, NodeReason::Insufficient("memory")),
            ]
        );
    }

    #[test]
    fn the_oldest_form_has_a_line_a_node() {
        let text = "pod (web) failed to fit in any node\nfit failure on node (n1): Insufficient CPU\nfit failure on node (n2): MatchNodeSelector\n";
        assert_eq!(nodes(text).1, [(1, NodeReason::Insufficient("cpu")), (1, NodeReason::Selector)]);
    }

    #[test]
    fn reasons_about_the_pod_may_be_counted_by_node() {
        let text = "0/2 nodes are available: 2 pod has unbound immediate PersistentVolumeClaims.";
        assert_eq!(nodes(text).1, [(2, NodeReason::OfPod(PodReason::ClaimUnbound))]);
    }

    #[test]
    fn reasons_about_the_pod_hide_the_nodes() {
        for (text, reason) in [
            (
                "0/1 nodes are available: pod has unbound immediate PersistentVolumeClaims. not found",
                PodReason::ClaimUnbound,
            ),
            (
                r#"0/1 nodes are available: persistentvolumeclaim "data-db" not found. not found"#,
                PodReason::ClaimMissing("data-db"),
            ),
            (r#"persistentvolumeclaim "data" not found"#, PodReason::ClaimMissing("data")),
            (
                r#"error while running "VolumeBinding" prefilter plugin for pod "a": could not find v1.PersistentVolumeClaim "prod/data""#,
                PodReason::ClaimMissing("data"),
            ),
            ("pod has unbound immediate PersistentVolumeClaims (repeated 2 times)", PodReason::ClaimUnbound),
            (
                r#"running "VolumeBinding" filter plugin for pod "a": pod has unbound immediate PersistentVolumeClaims"#,
                PodReason::ClaimUnbound,
            ),
            (
                r#"0/2 nodes are available: persistentvolumeclaim "x" bound to non-existent persistentvolume "y"."#,
                PodReason::ClaimLost { claim: "x", volume: "y" },
            ),
            (
                r#"0/2 nodes are available: persistentvolumeclaim "x" is being deleted."#,
                PodReason::ClaimBeingDeleted("x"),
            ),
        ] {
            assert_eq!(read(text), Reading::Pod(reason), "{text}");
        }
    }

    #[test]
    fn failures_are_no_reasons() {
        for (text, failure) in [
            (
                r#"running PreBind plugin "VolumeBinding": binding volumes: timed out waiting for the condition"#,
                Failure::VolumeBinding,
            ),
            ("pod 4a1c is in the cache, so can't be assumed", Failure::Cache),
        ] {
            assert_eq!(read(text), Reading::Failure(failure), "{text}");
        }
        assert_eq!(read("no nodes available to schedule pods"), Reading::NoNodes);
    }

    proptest! {
        #[test]
        fn survives_any_text(text in "\\PC*") {
            read(&text);
        }

        #[test]
        fn survives_its_own_shapes(n in 0u32..9, tail in "[0-9a-z{}():\", .ä]*") {
            read(&format!("0/{n} nodes are available: {n} {tail}"));
        }
    }
}
