//! A world for a question about many pods: every pod is looked at, only what may be sick is kept.
//!
//! Pages are decoded one by one, each pod first into the few fields that tell calm from sick. So memory goes with the
//! number of sick pods, not of pods.

use super::live::REQUESTS_PER_QUESTION;
use super::needs::{self, Need};
use super::reader::Reader;
use crate::cluster::{Cluster, ReadError, Resource};
use crate::facts::intake::{self, Met};
use crate::facts::{Facts, PodView, Subject, Workload, World};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use tokio::time::Instant;

const PAGE: &str = "500";
/// A pod that has been up for so long since its last restart is calm.
const CALM_AFTER: SignedDuration = SignedDuration::from_mins(30);
/// How many sick pods' logs are read; more of one workload tell nothing new.
const LOGS: usize = 60;
/// How many requests a scan may send beside its pages.
const REQUESTS: usize = REQUESTS_PER_QUESTION + LOGS;

/// Reads a namespace, or with an empty one the whole cluster.
///
/// # Errors
/// Where the pods could not be read.
pub async fn scan(cluster: &Cluster, namespace: &str, now: Timestamp, deadline: Instant) -> Result<World, ReadError> {
    let mut reader = Reader::new(cluster, deadline, REQUESTS);
    let seen = pages(&mut reader, Resource::Pods, namespace, &[], |world, item| take_pod(world, item, now)).await?;
    reader.world.read_collection("Pod", namespace);
    if seen == 0 && !namespace.is_empty() {
        reader.read(vec![Need::Collection { resource: Resource::Namespaces, namespace: String::new() }]).await;
    }
    // What went wrong, and who killed what: a kill by a probe is a Normal event, and decides between causes.
    for selector in ["type!=Normal", "reason=Killing"] {
        let query = [("fieldSelector", selector)];
        if let Err(error) = pages(&mut reader, Resource::Events, namespace, &query, take_any).await {
            reader.world.note_unread("events", error.to_string());
        }
    }
    reader.world.sort_events();
    let all = |resource, namespace: &str| Need::Collection { resource, namespace: namespace.to_owned() };
    let mut wanted = vec![all(Resource::ReplicaSets, namespace), all(Resource::Nodes, "")];
    if reader.world.pods.seen().any(has_claims) {
        wanted.push(all(Resource::PersistentVolumeClaims, namespace));
        wanted.push(all(Resource::VolumeAttachments, ""));
    }
    reader.read(wanted).await;
    reader.read(logs(&reader.world, now)).await;
    Ok(reader.world)
}

/// Asks for one log a workload: its pods tend to fail alike.
fn logs(world: &World, now: Timestamp) -> Vec<Need> {
    let mut workloads = std::collections::BTreeSet::new();
    world
        .pods
        .seen()
        .map(PodView::new)
        .filter(|pod| workloads.insert(pod.workload()))
        .flat_map(|pod| needs::of(&Facts { now, world, subject: Subject::Pod(pod) }))
        .filter(|need| matches!(need, Need::Log { .. }))
        .take(LOGS)
        .collect()
}

fn has_claims(pod: &k8s_openapi::api::core::v1::Pod) -> bool {
    let volumes = pod.spec.as_ref().and_then(|spec| spec.volumes.as_deref()).unwrap_or_default();
    volumes.iter().any(|volume| volume.persistent_volume_claim.is_some())
}

#[derive(Deserialize)]
struct Page<'a> {
    #[serde(default)]
    metadata: PageMeta,
    #[serde(borrow, default)]
    items: Vec<&'a RawValue>,
}

#[derive(Deserialize, Default)]
struct PageMeta {
    #[serde(rename = "continue", default)]
    next: String,
}

/// Reads a collection page by page and hands each item over; returns how many there were.
async fn pages(
    reader: &mut Reader<'_>,
    resource: Resource,
    namespace: &str,
    query: &[(&str, &str)],
    mut take: impl FnMut(&mut World, &RawValue),
) -> Result<usize, ReadError> {
    let (mut next, mut count) = (String::new(), 0);
    loop {
        let mut query = query.to_vec();
        query.push(("limit", PAGE));
        if !next.is_empty() {
            query.push(("continue", &next));
        }
        let text = reader.fetch(&resource.list(namespace, &query)).await?;
        let page: Page<'_> = serde_json::from_str(&text).map_err(|error| ReadError::Other(error.to_string()))?;
        count += page.items.len();
        for item in page.items {
            take(&mut reader.world, item);
        }
        next = page.metadata.next;
        if next.is_empty() {
            if resource == Resource::Events {
                reader.world.events_were_read((!namespace.is_empty()).then_some(namespace));
            }
            return Ok(count);
        }
    }
}

fn take_any(world: &mut World, item: &RawValue) {
    take_as(world, "Event", item);
}

fn take_as(world: &mut World, kind: &str, item: &RawValue) {
    if let Ok(Value::Object(mut fields)) = serde_json::from_str::<Value>(item.get()) {
        fields.insert("kind".to_owned(), Value::String(kind.to_owned()));
        for error in intake::take(world, Value::Object(fields), &mut Met::default()) {
            world.note_unread(kind.to_lowercase(), error.to_string());
        }
    }
}

/// The few fields of a pod that tell calm from sick.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct LeanPod {
    metadata: ObjectMetaLean,
    #[serde(default)]
    status: LeanStatus,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ObjectMetaLean {
    deletion_timestamp: Option<Time>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase")]
struct LeanStatus {
    #[serde(default)]
    phase: String,
    #[serde(default)]
    conditions: Vec<LeanCondition>,
    #[serde(default)]
    container_statuses: Vec<LeanContainer>,
}

#[derive(Deserialize)]
struct LeanCondition {
    r#type: String,
    status: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct LeanContainer {
    #[serde(default)]
    restart_count: i32,
    last_state: Option<LeanState>,
}

#[derive(Deserialize)]
struct LeanState {
    terminated: Option<LeanEnd>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct LeanEnd {
    finished_at: Option<Time>,
}

impl LeanPod {
    /// Returns true where nothing about the pod calls for a closer look.
    fn is_calm(&self, now: Timestamp) -> bool {
        if self.metadata.deletion_timestamp.is_some() {
            return false;
        }
        if self.status.phase == "Succeeded" {
            return true;
        }
        let ready = self.status.conditions.iter().any(|c| c.r#type == "Ready" && c.status == "True");
        let restarted_lately = self.status.container_statuses.iter().any(|container| {
            let end = container.last_state.as_ref().and_then(|state| state.terminated.as_ref());
            container.restart_count > 0
                && end.and_then(|end| end.finished_at.as_ref()).is_none_or(|t| now.duration_since(t.0) < CALM_AFTER)
        });
        self.status.phase == "Running" && ready && !restarted_lately
    }
}

#[derive(Deserialize)]
struct Owned {
    metadata: ObjectMeta,
}

fn take_pod(world: &mut World, item: &RawValue, now: Timestamp) {
    let calm = serde_json::from_str::<LeanPod>(item.get()).is_ok_and(|pod| pod.is_calm(now));
    if !calm {
        return take_as(world, "Pod", item);
    }
    if let Ok(owned) = serde_json::from_str::<Owned>(item.get()) {
        *world.calm.entry(Workload::of_pod(&owned.metadata)).or_default() += 1;
    }
}
