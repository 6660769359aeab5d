//! Kubernetes objects of any kind, as JSON, taken into a [`World`].
//!
//! Values of Secrets and ConfigMaps are dropped here, before anything else sees them: only their keys enter.

use super::event::Event;
use super::lean::meta_without_managed_fields;
use super::objects::Objects;
use super::world::{Keys, World, key};
use k8s_openapi::Metadata;
use k8s_openapi::api::core::v1::{Pod, PodSpec, PodStatus};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// Why an object could not be taken in.
#[derive(Debug, thiserror::Error)]
pub enum IntakeError {
    #[error("not a Kubernetes object: it has no kind")]
    NoKind,
    #[error("{kind} {name}: {cause}")]
    Malformed { kind: String, name: String, cause: String },
}

/// The namespaces and kinds that were met, to tell what was read.
#[derive(Debug, Default)]
pub struct Met {
    /// Kind and namespace (empty for cluster objects) of each object.
    pub kinds: std::collections::BTreeSet<(String, String)>,
}

/// Takes in one object, or each of a `List`. Errors of single objects do not keep the others out.
pub fn take(world: &mut World, object: Value, met: &mut Met) -> Vec<IntakeError> {
    let Some(kind) = object.get("kind").and_then(Value::as_str).map(str::to_owned) else {
        return vec![IntakeError::NoKind];
    };
    let Value::Object(mut fields) = object else { return vec![IntakeError::NoKind] };
    if kind == "List" || (kind.ends_with("List") && fields.contains_key("items")) {
        let api_version = fields.get("apiVersion").cloned();
        let element = kind.strip_suffix("List").unwrap_or_default().to_owned();
        let items = match fields.remove("items") {
            Some(Value::Array(items)) => items,
            _ => Vec::new(),
        };
        if !element.is_empty() {
            // `kubectl get --raw` and cluster-info dump: a typed list covers all that it could hold.
            met.kinds.insert((element.clone(), String::new()));
        }
        return items
            .into_iter()
            .flat_map(|mut item| {
                if let Some(fields) = item.as_object_mut().filter(|_| !element.is_empty()) {
                    fields.entry("kind").or_insert_with(|| Value::String(element.clone()));
                    if let Some(version) = &api_version {
                        fields.entry("apiVersion").or_insert_with(|| version.clone());
                    }
                }
                take(world, item, met)
            })
            .collect();
    }
    let object = Value::Object(fields);
    match take_one(world, &kind, object, met) {
        Ok(()) => Vec::new(),
        Err(error) => vec![error],
    }
}

/// The fields by which a piece of JSON tells what it is.
#[derive(Default, Deserialize)]
struct Head<'a> {
    #[serde(borrow)]
    kind: Option<Cow<'a, str>>,
    #[serde(borrow, rename = "apiVersion")]
    api_version: Option<Cow<'a, str>>,
    #[serde(borrow)]
    items: Option<Vec<&'a RawValue>>,
}

/// A pod as nearly all are; there are most of them by far.
#[derive(Deserialize)]
struct PlainPod {
    #[serde(deserialize_with = "meta_without_managed_fields")]
    metadata: ObjectMeta,
    spec: Option<PodSpec>,
    status: Option<PodStatus>,
}

/// Takes in a piece of JSON as [`take`] does, object by object: of a long list only one is a value at a time, and pods,
/// of which there are most, are none at any time.
pub fn take_json(world: &mut World, json: &RawValue, met: &mut Met) -> Vec<IntakeError> {
    if let Ok(items) = serde_json::from_str::<Vec<&RawValue>>(json.get()) {
        return items.into_iter().flat_map(|item| take_json(world, item, met)).collect();
    }
    let Head { kind, api_version, items } = serde_json::from_str(json.get()).unwrap_or_default();
    let kind = kind.unwrap_or_default();
    match (kind.strip_suffix("List"), items) {
        (Some(""), Some(items)) => items.into_iter().flat_map(|item| take_json(world, item, met)).collect(),
        (Some(element), Some(items)) => {
            met.kinds.insert((element.to_owned(), String::new()));
            items.into_iter().flat_map(|item| take_item(world, item, element, api_version.as_deref(), met)).collect()
        }
        _ => take_item(world, json, &kind, None, met),
    }
}

/// Takes in one object as [`take`] does, of a kind and version that it need not say itself.
pub fn take_item(
    world: &mut World,
    json: &RawValue,
    kind: &str,
    api_version: Option<&str>,
    met: &mut Met,
) -> Vec<IntakeError> {
    // What is not of today's form, or needs its managed fields, goes the long way, where an error gets its words.
    if kind == "Pod"
        && let Ok(PlainPod { metadata, spec, status }) = serde_json::from_str(json.get())
        && metadata.finalizers.is_none()
    {
        let (namespace, name) = key(&metadata);
        met.kinds.insert((kind.to_owned(), namespace.clone()));
        world.pods.insert(&namespace, &name, Pod { metadata, spec, status });
        return Vec::new();
    }
    let mut value = serde_json::from_str::<Value>(json.get()).unwrap_or_default();
    if let Some(fields) = value.as_object_mut() {
        for (name, text) in [("kind", Some(kind)), ("apiVersion", api_version)] {
            if let Some(text) = text.filter(|text| !text.is_empty()) {
                fields.entry(name).or_insert_with(|| text.into());
            }
        }
    }
    take(world, value, met)
}

/// Drops the largest part of many objects: only who set a finalizer is ever asked of it.
fn drop_managed_fields(meta: &mut ObjectMeta) {
    if meta.finalizers.is_none() {
        meta.managed_fields = None;
    }
}

fn take_one(world: &mut World, kind: &str, object: Value, met: &mut Met) -> Result<(), IntakeError> {
    let namespace = text_at(&object, "/metadata/namespace");
    let name = text_at(&object, "/metadata/name");
    let is_core_event = kind == "Event" && object.get("involvedObject").is_some();
    met.kinds.insert((kind.to_owned(), namespace.clone()));
    match kind {
        "Pod" => typed(&mut world.pods, kind, object),
        "Node" => typed(&mut world.nodes, kind, object),
        "Lease" => typed(&mut world.leases, kind, object),
        "Namespace" => typed(&mut world.namespaces, kind, object),
        "ServiceAccount" => typed(&mut world.service_accounts, kind, object),
        "Service" => typed(&mut world.services, kind, object),
        "PersistentVolumeClaim" => typed(&mut world.claims, kind, object),
        "PersistentVolume" => typed(&mut world.volumes, kind, object),
        "StorageClass" => typed(&mut world.storage_classes, kind, object),
        "VolumeAttachment" => typed(&mut world.volume_attachments, kind, object),
        "CSINode" => typed(&mut world.csi_nodes, kind, object),
        "CSIDriver" => typed(&mut world.csi_drivers, kind, object),
        "Deployment" => typed(&mut world.deployments, kind, object),
        "ReplicaSet" => typed(&mut world.replica_sets, kind, object),
        "StatefulSet" => typed(&mut world.stateful_sets, kind, object),
        "DaemonSet" => typed(&mut world.daemon_sets, kind, object),
        "ReplicationController" => typed(&mut world.replication_controllers, kind, object),
        "Job" => typed(&mut world.jobs, kind, object),
        "CronJob" => typed(&mut world.cron_jobs, kind, object),
        "ResourceQuota" => typed(&mut world.quotas, kind, object),
        "LimitRange" => typed(&mut world.limit_ranges, kind, object),
        "RuntimeClass" => typed(&mut world.runtime_classes, kind, object),
        "PriorityClass" => typed(&mut world.priority_classes, kind, object),
        "PodDisruptionBudget" => typed(&mut world.disruption_budgets, kind, object),
        "ValidatingWebhookConfiguration" => typed(&mut world.validating_webhooks, kind, object),
        "MutatingWebhookConfiguration" => typed(&mut world.mutating_webhooks, kind, object),
        "ConfigMap" => {
            world.config_maps.insert(&namespace, &name, keys(&object));
            Ok(())
        }
        "Secret" => {
            world.secrets.insert(&namespace, &name, keys(&object));
            Ok(())
        }
        "Event" if is_core_event => {
            world.add_event(Event::from_core(parse(kind, object)?));
            Ok(())
        }
        "Event" => {
            world.add_event(Event::from_core(core_form(kind, object)?));
            Ok(())
        }
        _ => {
            world.others.entry(kind.to_owned()).or_default().insert(&namespace, &name, object);
            Ok(())
        }
    }
}

fn typed<T>(objects: &mut Objects<T>, kind: &str, object: Value) -> Result<(), IntakeError>
where
    T: DeserializeOwned + Metadata<Ty = ObjectMeta>,
{
    let mut object: T = parse(kind, object)?;
    drop_managed_fields(object.metadata_mut());
    let (namespace, name) = key(object.metadata());
    objects.insert(&namespace, &name, object);
    Ok(())
}

fn parse<T: DeserializeOwned>(kind: &str, mut object: Value) -> Result<T, IntakeError> {
    let name = text_at(&object, "/metadata/name");
    // Foreign dumps write the version of their day; the shape is what matters to us.
    if let Some(fields) = object.as_object_mut() {
        fields.remove("apiVersion");
        fields.remove("kind");
    }
    serde_json::from_value(object).map_err(|cause| IntakeError::Malformed {
        kind: kind.to_owned(),
        name,
        cause: cause.to_string(),
    })
}

/// Rewrites an `events.k8s.io/v1` event in the core form.
fn core_form(kind: &str, mut object: Value) -> Result<k8s_openapi::api::core::v1::Event, IntakeError> {
    if let Some(fields) = object.as_object_mut() {
        for (new, old) in [
            ("regarding", "involvedObject"),
            ("note", "message"),
            ("reportingController", "reportingComponent"),
            ("deprecatedCount", "count"),
            ("deprecatedFirstTimestamp", "firstTimestamp"),
            ("deprecatedLastTimestamp", "lastTimestamp"),
            ("deprecatedSource", "source"),
        ] {
            if let Some(value) = fields.remove(new) {
                fields.insert(old.to_owned(), value);
            }
        }
        fields.entry("involvedObject").or_insert_with(|| Value::Object(serde_json::Map::new()));
    }
    parse(kind, object)
}

fn keys(object: &Value) -> Keys {
    let keys = ["data", "binaryData", "stringData"]
        .iter()
        .filter_map(|field| object.get(field)?.as_object())
        .flat_map(|map| map.keys().cloned())
        .collect();
    let times = object.pointer("/metadata/managedFields").and_then(Value::as_array).into_iter().flatten();
    let written = times.filter_map(|entry| entry.get("time")).chain(object.pointer("/metadata/creationTimestamp"));
    let changed = written.filter_map(Value::as_str).filter_map(|time| time.parse().ok()).max();
    Keys { keys, changed }
}

fn text_at(object: &Value, pointer: &str) -> String {
    object.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
}
