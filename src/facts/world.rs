//! The objects that were read, each kind with how far the reading went, and the reasons for what could not be read.

use super::event::Event;
use super::known::Known;
use super::load::Loads;
use super::log::ContainerLog;
use super::objects::{Extent, Key, Objects};
use super::part::Part;
use jiff::Timestamp;
use k8s_openapi::api::{
    admissionregistration::v1::{MutatingWebhookConfiguration, ValidatingWebhookConfiguration},
    apps::v1::{DaemonSet, Deployment, ReplicaSet, StatefulSet},
    batch::v1::{CronJob, Job},
    coordination::v1::Lease,
    core::v1::{
        LimitRange, Namespace, Node, PersistentVolume, PersistentVolumeClaim, Pod, ReplicationController,
        ResourceQuota, Service, ServiceAccount,
    },
    node::v1::RuntimeClass,
    policy::v1::PodDisruptionBudget,
    scheduling::v1::PriorityClass,
    storage::v1::{CSIDriver, CSINode, StorageClass, VolumeAttachment},
};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::OnceLock;

/// A ConfigMap or Secret: that it exists, and its keys. Values never enter.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Keys {
    pub keys: BTreeSet<String>,
    /// When it was last written, as its managed fields tell; else when it was made.
    pub changed: Option<Timestamp>,
}

/// Something that could not be read.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Unread {
    /// What: `nodes`, `events of prod`, `log of prod/web-1 app`.
    pub what: String,
    /// Why, in words: `forbidden: needs list on nodes`, `not in the snapshot`.
    pub why: String,
}

/// The kinds with a place of their own.
const KINDS: &[&str] = &[
    "Pod",
    "Node",
    "Lease",
    "Namespace",
    "ConfigMap",
    "Secret",
    "ServiceAccount",
    "Service",
    "PersistentVolumeClaim",
    "PersistentVolume",
    "StorageClass",
    "VolumeAttachment",
    "CSINode",
    "CSIDriver",
    "Deployment",
    "ReplicaSet",
    "StatefulSet",
    "DaemonSet",
    "ReplicationController",
    "Job",
    "CronJob",
    "ResourceQuota",
    "LimitRange",
    "RuntimeClass",
    "PriorityClass",
    "PodDisruptionBudget",
    "ValidatingWebhookConfiguration",
    "MutatingWebhookConfiguration",
    "Event",
];

/// How far a reading went: what tells absent from unreadable.
#[derive(Debug, Clone, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Readings {
    kinds: BTreeMap<String, super::objects::Read>,
    #[serde(default)]
    events_of: BTreeSet<(String, String, String)>,
    #[serde(default)]
    pods_of_nodes: BTreeSet<String>,
    /// What could not be read, and why.
    #[serde(default)]
    unread: Vec<(String, String)>,
    /// The calm pods that were not kept: how many of each workload, and what they reserve.
    #[serde(default)]
    calm: Vec<(super::Workload, usize)>,
    #[serde(default)]
    calm_loads: Loads,
}

/// Everything that was read of one cluster.
#[derive(Debug, Clone, Default)]
pub struct World {
    /// The cluster's name as the settings or the question gave it; empty = not said.
    pub cluster: String,
    /// `major.minor` of the API server, where known.
    pub version: Option<(u32, u32)>,
    pub pods: Objects<Pod>,
    pub nodes: Objects<Node>,
    pub leases: Objects<Lease>,
    pub namespaces: Objects<Namespace>,
    pub config_maps: Objects<Keys>,
    pub secrets: Objects<Keys>,
    pub service_accounts: Objects<ServiceAccount>,
    pub services: Objects<Service>,
    pub claims: Objects<PersistentVolumeClaim>,
    pub volumes: Objects<PersistentVolume>,
    pub storage_classes: Objects<StorageClass>,
    pub volume_attachments: Objects<VolumeAttachment>,
    pub csi_nodes: Objects<CSINode>,
    pub csi_drivers: Objects<CSIDriver>,
    pub deployments: Objects<Deployment>,
    pub replica_sets: Objects<ReplicaSet>,
    pub stateful_sets: Objects<StatefulSet>,
    pub daemon_sets: Objects<DaemonSet>,
    pub replication_controllers: Objects<ReplicationController>,
    pub jobs: Objects<Job>,
    pub cron_jobs: Objects<CronJob>,
    pub quotas: Objects<ResourceQuota>,
    pub limit_ranges: Objects<LimitRange>,
    pub runtime_classes: Objects<RuntimeClass>,
    pub priority_classes: Objects<PriorityClass>,
    pub disruption_budgets: Objects<PodDisruptionBudget>,
    pub validating_webhooks: Objects<ValidatingWebhookConfiguration>,
    pub mutating_webhooks: Objects<MutatingWebhookConfiguration>,
    /// Objects of all other kinds, by kind: CertificateSigningRequest, PodGroup, NodeClaim, ResourceClaim, APIService …
    pub others: BTreeMap<String, Objects<serde_json::Value>>,
    pub logs: BTreeMap<(String, String, String), ContainerLog>,
    /// How many pods of each workload were seen to be calm and not kept (a scan keeps only what may be sick).
    pub calm: BTreeMap<super::Workload, usize>,
    /// What those calm pods reserve on their nodes.
    pub calm_loads: Loads,
    /// What could not be read.
    pub unread: BTreeSet<Unread>,
    /// Objects of which a part is here only, by kind, namespace and name.
    parts: BTreeMap<(String, String, String), Part>,
    loads: OnceLock<Loads>,
    events: HashMap<(String, String, String), Vec<Event>>,
    events_read: Objects<()>,
    events_by_object: BTreeSet<(String, String, String)>,
    pods_read_by_node: BTreeSet<String>,
}

impl World {
    /// Adds an event. Call [`sort_events`](Self::sort_events) after the last one.
    pub fn add_event(&mut self, event: Event) {
        let key = (event.kind.clone(), event.namespace.clone(), event.name.clone());
        self.events.entry(key).or_default().push(event);
    }

    /// Puts the events of each object in order of their last time.
    pub fn sort_events(&mut self) {
        for events in self.events.values_mut() {
            events.sort_by(|a, b| {
                (a.last, a.first, &a.reason, &a.message).cmp(&(b.last, b.first, &b.reason, &b.message))
            });
        }
    }

    /// Notes that all events of a namespace (`None` = of the cluster) were read.
    pub fn events_were_read(&mut self, namespace: Option<&str>) {
        self.read_collection("Event", namespace.unwrap_or_default());
    }

    /// Notes that the events of one object were read.
    pub fn events_of_were_read(&mut self, kind: &str, namespace: &str, name: &str) {
        self.events_by_object.insert((kind.to_owned(), namespace.to_owned(), name.to_owned()));
    }

    /// Returns the events about an object, oldest first. `Absent` = they were read and there are none.
    pub fn events(&self, kind: &str, namespace: &str, name: &str) -> Known<&[Event]> {
        let key = (kind.to_owned(), namespace.to_owned(), name.to_owned());
        match self.events.get(&key) {
            Some(events) => Known::Present(events),
            None if self.events_by_object.contains(&key) || self.events_read.get(namespace, "").is_absent() => {
                Known::Absent
            }
            None => Known::Unreadable,
        }
    }

    /// Returns the events about an object, oldest first; none where none could be read.
    pub fn events_seen(&self, kind: &str, namespace: &str, name: &str) -> &[Event] {
        self.events.get(&(kind.to_owned(), namespace.to_owned(), name.to_owned())).map_or(&[], Vec::as_slice)
    }

    /// Returns the events about objects of a kind that happen to be here.
    pub fn events_about<'w>(&'w self, kind: &'w str) -> impl Iterator<Item = &'w Event> {
        self.events.iter().filter(move |((k, _, _), _)| k == kind).flat_map(|(_, events)| events)
    }

    /// Returns the events about the node. The kubelet reports them without a namespace or in `default`.
    pub fn node_events<'w>(&'w self, node: &'w str) -> impl Iterator<Item = &'w Event> {
        ["", "default"].into_iter().flat_map(move |ns| self.events_seen("Node", ns, node))
    }

    /// Concludes from the kinds that a snapshot holds what was read: a kind that is there was read in the namespaces
    /// that it is there for, a kind that is not there is unreadable.
    pub fn conclude(&mut self, met: &super::intake::Met) {
        for (kind, namespace) in &met.kinds {
            self.read_collection(kind, namespace);
        }
    }

    /// Notes that every object of a kind was read: in a namespace, or with an empty one in the cluster.
    pub fn read_collection(&mut self, kind: &str, namespace: &str) {
        if let Some(read) = self.extent(kind) {
            if namespace.is_empty() { read.read_everywhere() } else { read.read_namespace(namespace) }
        }
    }

    /// Notes that one object was asked for: if it is not here, it does not exist.
    pub fn read_name(&mut self, kind: &str, namespace: &str, name: &str) {
        if let Some(read) = self.extent(kind) {
            read.read_name(namespace, name);
        }
    }

    fn extent(&mut self, kind: &str) -> Option<&mut dyn Extent> {
        Some(match kind {
            "Pod" => &mut self.pods,
            "Node" => &mut self.nodes,
            "Lease" => &mut self.leases,
            "Namespace" => &mut self.namespaces,
            "ConfigMap" => &mut self.config_maps,
            "Secret" => &mut self.secrets,
            "ServiceAccount" => &mut self.service_accounts,
            "Service" => &mut self.services,
            "PersistentVolumeClaim" => &mut self.claims,
            "PersistentVolume" => &mut self.volumes,
            "StorageClass" => &mut self.storage_classes,
            "VolumeAttachment" => &mut self.volume_attachments,
            "CSINode" => &mut self.csi_nodes,
            "CSIDriver" => &mut self.csi_drivers,
            "Deployment" => &mut self.deployments,
            "ReplicaSet" => &mut self.replica_sets,
            "StatefulSet" => &mut self.stateful_sets,
            "DaemonSet" => &mut self.daemon_sets,
            "ReplicationController" => &mut self.replication_controllers,
            "Job" => &mut self.jobs,
            "CronJob" => &mut self.cron_jobs,
            "ResourceQuota" => &mut self.quotas,
            "LimitRange" => &mut self.limit_ranges,
            "RuntimeClass" => &mut self.runtime_classes,
            "PriorityClass" => &mut self.priority_classes,
            "PodDisruptionBudget" => &mut self.disruption_budgets,
            "ValidatingWebhookConfiguration" => &mut self.validating_webhooks,
            "MutatingWebhookConfiguration" => &mut self.mutating_webhooks,
            "Event" => &mut self.events_read,
            other => self.others.entry(other.to_owned()).or_default(),
        })
    }

    /// Returns true where an object of a kind that has a field here was read.
    pub fn holds(&self, kind: &str, namespace: &str, name: &str) -> bool {
        match kind {
            "Pod" => self.pods.get(namespace, name).present().is_some(),
            "Node" => self.nodes.get(namespace, name).present().is_some(),
            "Lease" => self.leases.get(namespace, name).present().is_some(),
            "PersistentVolumeClaim" => self.claims.get(namespace, name).present().is_some(),
            "PersistentVolume" => self.volumes.get(namespace, name).present().is_some(),
            "StorageClass" => self.storage_classes.get(namespace, name).present().is_some(),
            "Deployment" => self.deployments.get(namespace, name).present().is_some(),
            "ReplicaSet" => self.replica_sets.get(namespace, name).present().is_some(),
            "StatefulSet" => self.stateful_sets.get(namespace, name).present().is_some(),
            "DaemonSet" => self.daemon_sets.get(namespace, name).present().is_some(),
            "Job" => self.jobs.get(namespace, name).present().is_some(),
            "CronJob" => self.cron_jobs.get(namespace, name).present().is_some(),
            "ResourceQuota" => self.quotas.get(namespace, name).present().is_some(),
            "LimitRange" => self.limit_ranges.get(namespace, name).present().is_some(),
            _ => false,
        }
    }

    /// Returns how far the reading went, for a bundle that is to be read back to the same world.
    pub fn readings(&mut self) -> Readings {
        let mut kinds = BTreeMap::new();
        let others: Vec<String> = self.others.keys().cloned().collect();
        for kind in KINDS.iter().copied().chain(others.iter().map(String::as_str)) {
            if let Some(extent) = self.extent(kind) {
                kinds.insert(kind.to_owned(), extent.read().clone());
            }
        }
        Readings {
            kinds,
            events_of: self.events_by_object.clone(),
            pods_of_nodes: self.pods_read_by_node.clone(),
            unread: self.unread.iter().map(|unread| (unread.what.clone(), unread.why.clone())).collect(),
            calm: self.calm.clone().into_iter().collect(),
            calm_loads: self.calm_loads.clone(),
        }
    }

    /// Says how far the reading went, instead of concluding it from the kinds that are there.
    pub fn set_readings(&mut self, readings: Readings) {
        for (kind, read) in readings.kinds {
            if let Some(extent) = self.extent(&kind) {
                extent.set_read(read);
            }
        }
        self.events_by_object.extend(readings.events_of);
        self.pods_read_by_node.extend(readings.pods_of_nodes);
        self.calm.extend(readings.calm);
        self.calm_loads = readings.calm_loads;
        for (what, why) in readings.unread {
            self.note_unread(what, why);
        }
    }

    /// Returns every event, in no order.
    pub fn all_events(&self) -> impl Iterator<Item = &Event> {
        self.events.values().flatten()
    }

    /// Notes that all pods of a node were read.
    pub fn pods_of_node_were_read(&mut self, node: &str) {
        self.pods_read_by_node.insert(node.to_owned());
    }

    /// Returns true where every pod of the node is here.
    pub fn knows_pods_of(&self, node: &str) -> bool {
        self.pods_read_by_node.contains(node) || self.pods.all().present().is_some()
    }

    /// Returns what was read of a container's logs.
    pub fn log(&self, namespace: &str, pod: &str, container: &str) -> Option<&ContainerLog> {
        self.logs.get(&(namespace.to_owned(), pod.to_owned(), container.to_owned()))
    }

    /// Returns true where a warning about a pod was seen, or its log was asked for in vain.
    pub fn has_complaints(&self, pod: super::PodView<'_>) -> bool {
        let first = (pod.namespace().to_owned(), pod.name().to_owned(), String::new());
        let mut logs =
            self.logs.range(first..).take_while(|((ns, name, _), _)| ns == pod.namespace() && name == pod.name());
        logs.any(|(_, log)| log.error.is_some())
            || self.events_seen("Pod", pod.namespace(), pod.name()).iter().any(|event| event.warning)
    }

    /// Returns the objects of a kind that has no field of its own.
    pub fn others(&self, kind: &str) -> Option<&Objects<serde_json::Value>> {
        self.others.get(kind)
    }

    /// Notes what could not be read.
    pub fn note_unread(&mut self, what: impl Into<String>, why: impl Into<String>) {
        self.unread.insert(Unread { what: what.into(), why: why.into() });
    }

    /// Notes that a part of an object is here only.
    pub fn note_part(&mut self, kind: &str, namespace: &str, name: &str, part: Part) {
        self.parts.insert((kind.to_owned(), namespace.to_owned(), name.to_owned()), part);
    }

    /// Returns how much of an object is here; `None` = all of it, or nothing.
    pub fn part(&self, kind: &str, namespace: &str, name: &str) -> Option<Part> {
        if self.parts.is_empty() {
            return None;
        }
        self.parts.get(&(kind.to_owned(), namespace.to_owned(), name.to_owned())).copied()
    }

    /// Returns what the pods reserve on each node; added up once, when first asked for, so after all pods are in.
    pub fn loads(&self) -> &Loads {
        self.loads.get_or_init(|| Loads::of(self))
    }

    /// Returns the pods that are bound to a node, as far as they were read.
    pub fn pods_on<'w>(&'w self, node: &'w str) -> impl Iterator<Item = &'w Pod> {
        self.pods.seen().filter(move |pod| pod.spec.as_ref().and_then(|spec| spec.node_name.as_deref()) == Some(node))
    }
}

/// Returns the key of an object from its metadata.
pub fn key(meta: &k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta) -> Key {
    (meta.namespace.clone().unwrap_or_default(), meta.name.clone().unwrap_or_default())
}
