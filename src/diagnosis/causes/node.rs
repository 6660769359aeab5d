//! Causes of phase `node`: what happens to a pod because of its node.

pub mod node_lost;
pub mod node_not_ready;
pub mod node_shutdown;
pub mod node_pressure_eviction;
pub mod ephemeral_storage_eviction;
pub mod pod_preempted;
pub mod taint_eviction;

use crate::diagnosis::cause::Cause;

pub static CAUSES: &[&Cause] = &[
    &node_lost::CAUSE,
    &node_not_ready::CAUSE,
    &node_shutdown::CAUSE,
    &node_pressure_eviction::CAUSE,
    &ephemeral_storage_eviction::CAUSE,
    &pod_preempted::CAUSE,
    &taint_eviction::CAUSE,
];

/// What cannot be believed of a pod once its node reports no more: all of it is the last report.
const STALE: &[&str] = &[
    "taint-eviction",
    "kubelet-not-acting",
    "runtime-hung",
    "sigterm-ignored",
    "pre-stop-hanging",
    "volume-unmount-stuck",
    "probe-timeout",
    "probe-port-closed",
    "probe-http-status",
    "probe-too-early",
    "liveness-probe-killing",
    "app-exit-error",
    "kubelet-port-unreachable",
    "kubelet-cert-error",
    "node-overloaded",
    "cni-failure",
    "finalizer-pending",
    "controller-manager-down",
    "sandbox-create-failed",
    "volume-mount-failed",
    "init-container-waiting",
    "registry-unreachable",
    "image-pull-timeout",
];

#[cfg(test)]
mod testing {
    /// Returns a pod on node n1; `pod` goes into its status, `node` is the status of the node's Ready condition.
    pub fn on_node(meta: &str, pod: &str, ready: &str) -> String {
        format!(
            r#"
apiVersion: v1
kind: Pod
metadata: {{name: web, namespace: shop, uid: u1, creationTimestamp: "2026-01-01T08:00:00Z"{meta}}}
spec: {{nodeName: n1, containers: [{{name: app, image: web:1}}]}}
status: {{{pod}, containerStatuses: [{{name: app, image: web:1, imageID: "", ready: true, restartCount: 0, state: {{running: {{startedAt: "2026-01-01T08:00:05Z"}}}}}}]}}
---
apiVersion: v1
kind: Node
metadata: {{name: n1}}
status: {{conditions: [{{type: Ready, {ready}, lastTransitionTime: "2026-01-01T09:50:00Z"}}]}}
---
apiVersion: v1
kind: EventList
items: []
"#
        )
    }

    pub const SILENT: &str =
        r#"status: Unknown, reason: NodeStatusUnknown, message: "Kubelet stopped posting node status.""#;
    pub const FINE: &str = r#"status: "True", reason: KubeletReady"#;
    pub const UNREADY: &str = r#"status: "False", reason: KubeletNotReady, message: "PLEG is not healthy: pleg was last seen active 4m7s ago""#;

    pub fn ids(yaml: &str) -> Vec<&'static str> {
        let diagnosis = crate::diagnosis::testing::diagnose_pod(yaml, "shop/web", "2026-01-01T10:00:00Z");
        diagnosis.findings.iter().map(|finding| finding.cause.id).collect()
    }
}
