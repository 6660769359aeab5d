//! The objects that were read, each kind with how far the reading went, and the reasons for what could not be read.

use super::event::Event;
use super::known::Known;
use super::log::ContainerLog;
use super::objects::{Key, Objects};
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

/// A ConfigMap or Secret: that it exists, and its keys. Values never enter.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Keys {
    pub keys: BTreeSet<String>,
}

/// Something that could not be read.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Unread {
    /// What: `nodes`, `events of prod`, `log of prod/web-1 app`.
    pub what: String,
    /// Why, in words: `forbidden: needs list on nodes`, `not in the snapshot`.
    pub why: String,
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
    /// What could not be read, in order of finding out.
    pub unread: BTreeSet<Unread>,
    events: HashMap<(String, String, String), Vec<Event>>,
    events_read: Objects<()>,
    events_by_object: BTreeSet<(String, String, String)>,
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
        match namespace {
            Some(namespace) => self.events_read.read_namespace(namespace),
            None => self.events_read.read_everywhere(),
        }
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
        fn note<T>(objects: &mut Objects<T>, kind: &str, met: &super::intake::Met) {
            for (_, namespace) in met.kinds.iter().filter(|(k, _)| k == kind) {
                if namespace.is_empty() { objects.read_everywhere() } else { objects.read_namespace(namespace) }
            }
        }
        note(&mut self.pods, "Pod", met);
        note(&mut self.nodes, "Node", met);
        note(&mut self.leases, "Lease", met);
        note(&mut self.namespaces, "Namespace", met);
        note(&mut self.config_maps, "ConfigMap", met);
        note(&mut self.secrets, "Secret", met);
        note(&mut self.service_accounts, "ServiceAccount", met);
        note(&mut self.services, "Service", met);
        note(&mut self.claims, "PersistentVolumeClaim", met);
        note(&mut self.volumes, "PersistentVolume", met);
        note(&mut self.storage_classes, "StorageClass", met);
        note(&mut self.volume_attachments, "VolumeAttachment", met);
        note(&mut self.csi_nodes, "CSINode", met);
        note(&mut self.csi_drivers, "CSIDriver", met);
        note(&mut self.deployments, "Deployment", met);
        note(&mut self.replica_sets, "ReplicaSet", met);
        note(&mut self.stateful_sets, "StatefulSet", met);
        note(&mut self.daemon_sets, "DaemonSet", met);
        note(&mut self.replication_controllers, "ReplicationController", met);
        note(&mut self.jobs, "Job", met);
        note(&mut self.cron_jobs, "CronJob", met);
        note(&mut self.quotas, "ResourceQuota", met);
        note(&mut self.limit_ranges, "LimitRange", met);
        note(&mut self.runtime_classes, "RuntimeClass", met);
        note(&mut self.priority_classes, "PriorityClass", met);
        note(&mut self.disruption_budgets, "PodDisruptionBudget", met);
        note(&mut self.validating_webhooks, "ValidatingWebhookConfiguration", met);
        note(&mut self.mutating_webhooks, "MutatingWebhookConfiguration", met);
        note(&mut self.events_read, "Event", met);
        for (kind, objects) in &mut self.others {
            note(objects, kind, met);
        }
    }

    /// Returns what was read of a container's logs.
    pub fn log(&self, namespace: &str, pod: &str, container: &str) -> Option<&ContainerLog> {
        self.logs.get(&(namespace.to_owned(), pod.to_owned(), container.to_owned()))
    }

    /// Returns the objects of a kind that has no field of its own.
    pub fn others(&self, kind: &str) -> Option<&Objects<serde_json::Value>> {
        self.others.get(kind)
    }

    /// Notes what could not be read.
    pub fn note_unread(&mut self, what: impl Into<String>, why: impl Into<String>) {
        self.unread.insert(Unread { what: what.into(), why: why.into() });
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
