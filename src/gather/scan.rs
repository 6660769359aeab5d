//! A world for a question about many pods: every pod is looked at, only what may be sick is kept.
//!
//! Pages are decoded one by one, each pod first into the few fields that tell calm from sick. So memory goes with the
//! number of sick pods, not of pods.

use super::live::REQUESTS_PER_QUESTION;
use super::needs::{self, Need};
use super::reader::{PAGE, Page, Reader};
use crate::cluster::{Cluster, ReadError, Resource};
use crate::diagnosis::Catalogue;
use crate::facts::intake::{self, Met};
use crate::facts::lean::LeanPod;
use crate::facts::{Facts, PodView, Stage, Subject, Workload, World};
use jiff::Timestamp;
use k8s_openapi::api::core::v1 as api;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use tokio::time::Instant;

/// How many sick pods' logs are read; more of one workload tell nothing new.
const LOGS: usize = 60;
/// How many requests a scan may send beside its pages and logs: two lists of events, and these.
const LISTS: usize = REQUESTS_PER_QUESTION;

/// Reads a namespace, or with an empty one the whole cluster.
///
/// # Errors
/// Where the pods could not be read.
pub async fn scan(
    cluster: &Cluster,
    namespace: &str,
    now: Timestamp,
    deadline: Instant,
    catalogue: &Catalogue,
) -> Result<World, ReadError> {
    let mut reader = Reader::new(cluster, deadline, LISTS + LOGS);
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
    reader.read(lists(&reader.world, namespace, now, catalogue)).await;
    reader.read(logs(&reader.world, now, catalogue)).await;
    Ok(reader.world)
}

/// Returns the lists that the sick pods call for, the most telling first.
fn lists(world: &World, namespace: &str, now: Timestamp, catalogue: &Catalogue) -> Vec<Need> {
    let all = |resource, namespace: &str| Need::Collection { resource, namespace: namespace.to_owned() };
    let mut wanted = vec![all(Resource::ReplicaSets, namespace), all(Resource::Nodes, "")];
    if world.pods.seen().any(has_claims) {
        wanted.push(all(Resource::PersistentVolumeClaims, namespace));
        wanted.push(all(Resource::VolumeAttachments, ""));
    }
    let unscheduled = || world.pods.seen().map(PodView::new).filter(|pod| pod.stage() == Stage::Unscheduled);
    if unscheduled().any(needs::has_device_claims) {
        wanted.push(all(Resource::ResourceClaims, namespace));
    }
    if unscheduled().any(|pod| pod.condition("PodScheduled").is_none()) {
        wanted.push(all(Resource::Leases, "kube-system"));
    }
    wanted.extend([all(Resource::StatefulSets, namespace), all(Resource::DaemonSets, namespace)]);
    // What a team's own causes hang on: each kind once, for all pods of the scan.
    let own = of_workloads(world)
        .flat_map(|pod| needs::of_custom(&Facts { now, world, subject: Subject::Pod(pod) }, catalogue))
        .filter_map(|need| match need {
            Need::Object { resource: Resource::Namespaces, name, .. } if !namespace.is_empty() => {
                Some(Need::Object { resource: Resource::Namespaces, namespace: String::new(), name })
            }
            Need::Object { resource: resource @ (Resource::Namespaces | Resource::Nodes), .. } => {
                Some(all(resource, ""))
            }
            Need::Object { resource, .. } | Need::Collection { resource, .. } => Some(all(resource, namespace)),
            _ => None,
        });
    for need in own {
        if !wanted.contains(&need) {
            wanted.push(need);
        }
    }
    wanted.truncate(LISTS);
    wanted
}

/// Returns one sick pod of each workload: its pods tend to fail alike.
fn of_workloads(world: &World) -> impl Iterator<Item = PodView<'_>> {
    let mut workloads = std::collections::BTreeSet::new();
    world.pods.seen().map(PodView::new).filter(move |pod| workloads.insert(pod.workload()))
}

/// Asks for one pod's logs of each workload.
fn logs(world: &World, now: Timestamp, catalogue: &Catalogue) -> Vec<Need> {
    of_workloads(world)
        .flat_map(|pod| needs::of(&Facts { now, world, subject: Subject::Pod(pod) }, catalogue))
        .filter(|need| matches!(need, Need::Log { .. }))
        .take(LOGS)
        .collect()
}

fn has_claims(pod: &k8s_openapi::api::core::v1::Pod) -> bool {
    let volumes = pod.spec.as_ref().and_then(|spec| spec.volumes.as_deref()).unwrap_or_default();
    volumes.iter().any(|volume| volume.persistent_volume_claim.is_some())
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
        let text = reader.page(&resource.list(namespace, &query)).await?;
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
    for error in intake::take_item(world, item, kind, None, &mut Met::default()) {
        world.note_unread(kind.to_lowercase(), error.to_string());
    }
}

/// The fields of a calm pod that say what it holds on its node.
#[derive(Deserialize)]
struct Holding {
    #[serde(default)]
    spec: LeanSpec,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase")]
struct LeanSpec {
    node_name: Option<String>,
    #[serde(default)]
    containers: Vec<LeanResources>,
    #[serde(default)]
    init_containers: Vec<LeanResources>,
    overhead: Option<BTreeMap<String, Quantity>>,
    resources: Option<api::ResourceRequirements>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct LeanResources {
    resources: Option<api::ResourceRequirements>,
    ports: Option<Vec<api::ContainerPort>>,
    restart_policy: Option<String>,
}

impl Holding {
    /// Returns a pod with just these fields, and those that were read to see that it is calm.
    fn into_pod(self, lean: LeanPod) -> api::Pod {
        let containers = |lean: Vec<LeanResources>| {
            let full = |c: LeanResources| api::Container {
                resources: c.resources,
                ports: c.ports,
                restart_policy: c.restart_policy,
                ..api::Container::default()
            };
            lean.into_iter().map(full).collect::<Vec<_>>()
        };
        let spec = api::PodSpec {
            node_name: self.spec.node_name,
            containers: containers(self.spec.containers),
            init_containers: Some(containers(self.spec.init_containers)),
            overhead: self.spec.overhead,
            resources: self.spec.resources,
            ..api::PodSpec::default()
        };
        let status = api::PodStatus { phase: Some(lean.status.phase), ..api::PodStatus::default() };
        api::Pod { metadata: lean.metadata, spec: Some(spec), status: Some(status) }
    }
}

fn take_pod(world: &mut World, item: &RawValue, now: Timestamp) {
    let lean = serde_json::from_str::<LeanPod>(item.get()).ok().filter(|pod| pod.is_calm(now));
    let Some(lean) = lean else { return take_as(world, "Pod", item) };
    if let Ok(holding) = serde_json::from_str::<Holding>(item.get()) {
        let pod = holding.into_pod(lean);
        *world.calm.entry(Workload::of_pod(&pod.metadata)).or_default() += 1;
        world.calm_loads.add(PodView::new(&pod));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_calm_pod_is_not_kept_but_what_it_reserves_is() {
        let mut world = World::default();
        let calm = r#"{"metadata": {"name": "cart", "namespace": "shop"},
            "spec": {"nodeName": "n1",
                "initContainers": [{"name": "mesh", "restartPolicy": "Always", "resources": {"requests": {"cpu": "200m"}}}],
                "containers": [{"name": "app", "image": "x", "env": [{"name": "A", "value": "b"}],
                    "ports": [{"containerPort": 80, "hostPort": 80}],
                    "resources": {"requests": {"cpu": "500m", "memory": "1Gi", "example.com/gpu": "1"}}}]},
            "status": {"phase": "PHASE", "conditions": [{"type": "Ready", "status": "True"}]}}"#;
        let now = "2026-01-01T10:00:00Z".parse().unwrap();
        for phase in ["Running", "Succeeded"] {
            let item = RawValue::from_string(calm.replace("PHASE", phase)).unwrap();
            take_pod(&mut world, &item, now);
        }
        assert!(world.pods.is_empty());
        let reserved = &world.loads().reserved["n1"];
        assert!((reserved["cpu"] - 0.7).abs() < 1e-9, "{reserved:?}");
        assert!((reserved["example.com/gpu"] - 1.0).abs() < 1e-9 && (reserved["pods"] - 1.0).abs() < 1e-9);
        let held = &world.loads().ports["n1"];
        assert_eq!((held.len(), held[0].port, held[0].holder.as_str()), (1, 80, "shop/cart"));
    }

    #[test]
    fn the_lists_of_a_scan_go_with_what_is_sick() {
        let mut world = World::default();
        let pod = r#"{"kind": "Pod", "metadata": {"name": "train", "namespace": "ml"},
            "spec": {"containers": [], "resourceClaims": [{"name": "gpu", "resourceClaimName": "gpu"}]},
            "status": {"phase": "Pending"}}"#;
        let (now, catalogue) = ("2026-01-01T10:00:00Z".parse().unwrap(), Catalogue::default());
        let before = lists(&world, "ml", now, &catalogue).len();
        take_as(&mut world, "Pod", &RawValue::from_string(pod.to_owned()).unwrap());
        let wanted = lists(&world, "ml", now, &catalogue);
        let list = |resource, namespace: &str| Need::Collection { resource, namespace: namespace.to_owned() };
        assert!(wanted.contains(&list(Resource::ResourceClaims, "ml")), "{wanted:?}");
        assert!(wanted.contains(&list(Resource::Leases, "kube-system")), "{wanted:?}");
        assert_eq!((before, wanted.len()), (4, 6));
    }
}
