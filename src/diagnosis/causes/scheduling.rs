//! Causes of phase `scheduling`: the pod has no node.
//!
//! All of them look at one [`Picture`]: what the scheduler said, by sort of reason, and which sort is the one to tell.
//! A node tells its first reason only, and many reasons are by design (the pod is not meant for that node): so what
//! leads is found by class, not by the loudest count.

use crate::diagnosis::cause::Cause;

pub use picture::{Kind, Picture, is_autoscaler, picture, said, taint_kind, untolerated_keys};
pub use settling::{being_provisioned, nodes_settle};

pub mod autoscaler_cannot_help;
pub mod cloud_provider_uninitialized;
pub mod host_port_conflict;
mod lead;
pub mod node_condition_taint;
pub mod node_cordoned;
pub mod node_resources_insufficient;
pub mod node_selector_unmatched;
mod picture;
pub mod pod_affinity_unsatisfied;
pub mod pod_anti_affinity_unsatisfied;
pub mod preemption_pending;
pub mod pvc_missing;
pub mod pvc_unbound;
pub mod resource_claim_pending;
pub mod scheduler_bug;
pub mod scheduler_not_running;
pub mod scheduling_gated;
mod settling;
pub mod topology_spread_unsatisfied;
pub mod untolerated_taint;
pub mod volume_attach_limit;
pub mod volume_zone_conflict;

pub static CAUSES: &[&Cause] = &[
    &scheduling_gated::CAUSE,
    &preemption_pending::CAUSE,
    &autoscaler_cannot_help::CAUSE,
    &scheduler_bug::CAUSE,
    &pvc_missing::CAUSE,
    &resource_claim_pending::CAUSE,
    &volume_zone_conflict::CAUSE,
    &pvc_unbound::CAUSE,
    &volume_attach_limit::CAUSE,
    &cloud_provider_uninitialized::CAUSE,
    &node_condition_taint::CAUSE,
    &node_cordoned::CAUSE,
    &node_resources_insufficient::CAUSE,
    &host_port_conflict::CAUSE,
    &pod_anti_affinity_unsatisfied::CAUSE,
    &pod_affinity_unsatisfied::CAUSE,
    &topology_spread_unsatisfied::CAUSE,
    &untolerated_taint::CAUSE,
    &node_selector_unmatched::CAUSE,
    &scheduler_not_running::CAUSE,
];

/// Every cause of this phase: what a wait for a new node makes moot.
pub static IDS: &[&str] = &[
    "node-resources-insufficient",
    "node-selector-unmatched",
    "pod-affinity-unsatisfied",
    "pod-anti-affinity-unsatisfied",
    "topology-spread-unsatisfied",
    "untolerated-taint",
    "node-condition-taint",
    "node-cordoned",
    "cloud-provider-uninitialized",
    "volume-zone-conflict",
    "pvc-unbound",
    "pvc-missing",
    "volume-attach-limit",
    "host-port-conflict",
    "resource-claim-pending",
    "scheduler-not-running",
    "scheduler-bug",
    "scheduling-gated",
    "preemption-pending",
    "autoscaler-cannot-help",
];

/// The causes that are told from the scheduler's sentence alone: what leads explains the others.
pub static OF_THE_SENTENCE: &[&str] = &[
    "node-resources-insufficient",
    "node-selector-unmatched",
    "pod-affinity-unsatisfied",
    "pod-anti-affinity-unsatisfied",
    "topology-spread-unsatisfied",
    "untolerated-taint",
    "node-condition-taint",
    "node-cordoned",
    "cloud-provider-uninitialized",
    "volume-zone-conflict",
    "pvc-unbound",
    "pvc-missing",
    "volume-attach-limit",
    "host-port-conflict",
    "resource-claim-pending",
];

/// Returns the names of nodes, at most three, and how many more there are.
pub fn few(names: &[&str]) -> String {
    let shown = names.iter().take(3).copied().collect::<Vec<_>>().join(", ");
    match names.len() {
        0..=3 => shown,
        n => format!("{shown} +{}", n - 3),
    }
}
