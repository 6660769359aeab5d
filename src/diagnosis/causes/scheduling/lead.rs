//! Which sort of reason is the one to tell, where the scheduler gives several.

use super::picture::{Class, Kind, node_taint_kind, untolerated_keys};
use super::pod_affinity_unsatisfied;
use crate::diagnosis::fit;
use crate::facts::{Facts, PodView, node};
use k8s_openapi::api::core::v1::{Node, PodAffinityTerm};
use std::collections::{BTreeMap, BTreeSet};

/// Picks the sort of reason to tell.
///
/// 1. What is late in the scheduler's order (room, ports, volumes, rules between pods) stands for nodes that the pod is
///    meant for; faults of nodes stand for nodes that it may be meant for. Of these the more frequent one leads, the
///    fault where they are even.
/// 2. What is by design leads only where nothing else is said, or where no faulty node would be for the pod.
pub fn lead(facts: &Facts<'_>, pod: PodView<'_>, counts: &BTreeMap<Kind, u32>) -> Option<Kind> {
    let of = |class: Class| {
        counts.iter().filter(|(kind, _)| kind.class() == class).max_by(|(a, n), (b, m)| n.cmp(m).then(b.cmp(a)))
    };
    let meant_for_a_faulty_node = || {
        let nodes: Vec<&Node> = facts.world.nodes.seen().collect();
        let Some(spec) = pod.spec().filter(|_| !nodes.is_empty() && counts.contains_key(&Kind::Selector)) else {
            return true;
        };
        nodes.into_iter().any(|node| {
            let faulty = node::is_cordoned(node)
                || node_taint_kind(pod, node).is_some_and(|kind| kind.class() == Class::Fault)
                || !node::is_ready(node);
            faulty && fit::label_misses(node, spec).is_empty()
        })
    };
    let fault = of(Class::Fault).filter(|_| meant_for_a_faulty_node());
    // Nodes that hold a sibling already are out by design while there are nodes that hold none.
    let late = of(Class::Late).and_then(|found| {
        let others = counts.iter().filter(|(kind, _)| kind.class() == Class::Late && **kind != Kind::AntiAffinity);
        match found.0 {
            Kind::AntiAffinity if nodes_without_sibling(facts, pod) => {
                others.max_by(|(a, n), (b, m)| n.cmp(m).then(b.cmp(a))).or(fault).or(Some(found))
            }
            _ => Some(found),
        }
    });
    match (fault, late) {
        (Some((fault, n)), Some((late, m))) => return Some(if n >= m { *fault } else { *late }),
        (Some((kind, _)), None) | (None, Some((kind, _))) => return Some(*kind),
        (None, None) => {}
    }
    by_design(facts, pod, counts).or_else(|| counts.keys().next().copied())
}

/// Returns true where a node that is not tainted by design holds no pod that the pod's own anti-affinity per node keeps
/// away: then that node's reason is the one to tell.
fn nodes_without_sibling(facts: &Facts<'_>, pod: PodView<'_>) -> bool {
    let Some(anti) = pod.spec().and_then(|spec| spec.affinity.as_ref()?.pod_anti_affinity.as_ref()) else {
        return false;
    };
    let terms = anti.required_during_scheduling_ignored_during_execution.as_deref().unwrap_or_default();
    if terms.is_empty() || terms.iter().any(|term| term.topology_key != "kubernetes.io/hostname") {
        return false;
    }
    let siblings: BTreeSet<&str> = facts
        .world
        .pods
        .seen_in(pod.namespace())
        .map(PodView::new)
        .filter(|other| {
            let of = |term: &PodAffinityTerm| {
                pod_affinity_unsatisfied::selector_matches(term.label_selector.as_ref(), *other)
            };
            terms.iter().any(of)
        })
        .filter_map(|other| other.node_name())
        .collect();
    facts.world.nodes.seen().any(|node| {
        !siblings.contains(node::name(node))
            && node_taint_kind(pod, node).is_none_or(|kind| kind.class() != Class::ByDesign)
            && pod.spec().is_some_and(|spec| fit::label_misses(node, spec).is_empty())
    })
}

fn by_design(facts: &Facts<'_>, pod: PodView<'_>, counts: &BTreeMap<Kind, u32>) -> Option<Kind> {
    let count = |kind| counts.get(&kind).copied().unwrap_or(0);
    let (taint, control_plane, selector) = (count(Kind::Taint), count(Kind::ControlPlane), count(Kind::Selector));
    let taint_leads = if taint > 0 { Kind::Taint } else { Kind::ControlPlane };
    match (taint + control_plane, selector) {
        (0, 0) => None,
        (_, 0) => Some(taint_leads),
        (0, _) => Some(Kind::Selector),
        _ => {
            let spec = pod.spec()?;
            let mut nodes = facts.world.nodes.seen().peekable();
            if nodes.peek().is_some() {
                // A node that carries the labels and is tainted is the one that the pod is meant for.
                let meant = nodes
                    .any(|node| !untolerated_keys(pod, node).is_empty() && fit::label_misses(node, spec).is_empty());
                return Some(if meant { taint_leads } else { Kind::Selector });
            }
            Some(if taint > selector { Kind::Taint } else { Kind::Selector })
        }
    }
}
