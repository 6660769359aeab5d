//! `kubectl describe`: one object, told for people.

mod claim;
mod container;
mod events;
mod node;
mod pod;
mod policy;
mod probe;
mod volume;
mod workload;

use super::attribution;
use super::layout;
use super::object::set;
use super::tree::{Fields, tree};
use crate::facts::event::Event;
use jiff::Timestamp;
use serde_json::Value;

pub use claim::mode;
pub use events::subject;

/// What one describe told.
#[derive(Debug, Default)]
pub struct Described {
    pub kind: &'static str,
    pub namespace: String,
    pub name: String,
    pub objects: Vec<Value>,
    /// `None` = the text has no such section.
    pub events: Option<Vec<Event>>,
}

/// Keys that stand on the outermost level of some kind's text.
const TOP: &[&str] = &[
    "Access Modes",
    "Active Deadline Seconds",
    "Addresses",
    "Allocatable",
    "Allocated resources",
    "AllowVolumeExpansion",
    "AllowedTopologies",
    "Annotations",
    "Backoff Limit",
    "Capacity",
    "Claim",
    "Completed At",
    "Completed Indexes",
    "Completion Mode",
    "Completions",
    "Concurrency Policy",
    "Conditions",
    "Containers",
    "Controlled By",
    "CreationTimestamp",
    "Current Number of Nodes Scheduled",
    "DataSource",
    "Desired Number of Nodes Scheduled",
    "Duration",
    "Ephemeral Containers",
    "Events",
    "ExternalID",
    "Finalizers",
    "IP",
    "IPs",
    "Init Containers",
    "IsDefaultClass",
    "Labels",
    "Last Schedule Time",
    "Active Jobs",
    "Lease",
    "LocalhostProfile",
    "Message",
    "MinReadySeconds",
    "MountOptions",
    "Mounted By",
    "Name",
    "Namespace",
    "NewReplicaSet",
    "Node",
    "Node Affinity",
    "Node-Selector",
    "Node-Selectors",
    "NominatedNodeName",
    "Non-terminated Pods",
    "Number of Nodes Misscheduled",
    "Number of Nodes Scheduled with Available Pods",
    "Number of Nodes Scheduled with Up-to-date Pods",
    "OldReplicaSets",
    "Parallelism",
    "Parameters",
    "Pod Template",
    "PodCIDR",
    "PodCIDRs",
    "Pods",
    "Pods Status",
    "Pods Statuses",
    "Priority",
    "Priority Class Name",
    "ProviderID",
    "Provisioner",
    "QoS Class",
    "Readiness Gates",
    "Reason",
    "Reclaim Policy",
    "ReclaimPolicy",
    "Replicas",
    "Resources",
    "Roles",
    "RollingUpdateStrategy",
    "Runtime Class Name",
    "Schedule",
    "Scopes",
    "SeccompProfile",
    "Selector",
    "Service Account",
    "Source",
    "Start Time",
    "Starting Deadline Seconds",
    "Status",
    "StorageClass",
    "StrategyType",
    "Suspend",
    "System Info",
    "TTL Seconds After Finished",
    "Taints",
    "Termination Grace Period",
    "Tolerations",
    "Topology Spread Constraints",
    "Unschedulable",
    "Update Strategy",
    "Used By",
    "Volume",
    "Volume Claims",
    "VolumeBindingMode",
    "VolumeMode",
    "Volumes",
    "WorkloadRef",
];

/// Reads one describe; `None` where it is of a kind that is not read, or names nothing.
pub fn read(lines: &[String], namespace: Option<&str>, now: Timestamp) -> Option<Described> {
    let is_top = |key: &str| TOP.contains(&key);
    let lines = &layout::restored(lines, is_top);
    let fields = tree(lines, is_top);
    let fields = fields.as_slice();
    let name = fields.value("Name")?.lines().next()?.to_owned();
    let has = |key: &str| fields.field(key).is_some();
    let line_starts = |start: &str| lines.iter().any(|line| line.trim_start().starts_with(start));
    let kind = match () {
        () if has("Roles") || has("Unschedulable") || has("Non-terminated Pods") => "Node",
        () if has("IsDefaultClass") || has("Provisioner") => "StorageClass",
        () if has("StrategyType") => "Deployment",
        () if has("Desired Number of Nodes Scheduled") => "DaemonSet",
        () if has("Schedule") => "CronJob",
        () if has("Pods Statuses") => "Job",
        () if has("Update Strategy") || has("Volume Claims") => "StatefulSet",
        () if has("Pod Template") => "ReplicaSet",
        () if has("Containers") || has("QoS Class") || (has("Node") && has("Status")) => "Pod",
        () if has("Reclaim Policy") => "PersistentVolume",
        () if has("Access Modes") || has("StorageClass") => "PersistentVolumeClaim",
        () if line_starts("Resource ") && line_starts("----") => "ResourceQuota",
        () if line_starts("Type ") && line_starts("----") => "LimitRange",
        () => return None,
    };
    let cluster_wide = matches!(kind, "Node" | "StorageClass" | "PersistentVolume");
    let namespace = if cluster_wide { "" } else { fields.value("Namespace").or(namespace).unwrap_or("default") };
    let about = events::About { kind, namespace, name: &name };
    let mut events = events::events(fields, &about, now);
    let mut objects = match kind {
        "Pod" => vec![pod::pod(fields, now)],
        "Node" => node::node(fields),
        "PersistentVolumeClaim" => vec![claim::claim(fields, now)],
        "PersistentVolume" => vec![claim::volume(fields, now)],
        "StorageClass" => vec![claim::class(fields)],
        "ResourceQuota" => vec![policy::quota(&name, namespace, lines)],
        "LimitRange" => vec![policy::limit_range(&name, namespace, lines)],
        kind => vec![workload::workload(kind, fields)],
    };
    let told = events.as_deref_mut().unwrap_or_default();
    match kind {
        "Pod" => {
            told.iter_mut().for_each(|event| attribution::name_container(event, &objects[0]));
            pod::stopped_from_outside(&mut objects[0], told);
        }
        "Job" => workload::failed(&mut objects[0], told),
        _ => {}
    }
    // The creation is not printed of most kinds. It is no later than what happened to the object.
    let started = objects[0]["status"]["startTime"].as_str().and_then(|t| t.parse::<Timestamp>().ok());
    let first = events.iter().flatten().filter_map(|event| event.first).chain(started).min();
    if let Some(meta) = objects[0]["metadata"].as_object_mut() {
        meta.insert("name".into(), name.as_str().into());
        set(meta, "namespace", Some(namespace).filter(|namespace| !namespace.is_empty()));
        if !meta.contains_key("creationTimestamp") {
            set(meta, "creationTimestamp", first.map(|t| t.to_string()));
        }
    }
    Some(Described { kind, namespace: namespace.to_owned(), name, objects, events })
}
