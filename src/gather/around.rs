//! What a remedy asks of the whole cluster before it is proposed: who is alive there.

use super::needs::Need;
use super::reader::Reader;
use crate::cluster::{Cluster, Resource};
use crate::diagnosis::Diagnosis;
use crate::facts::World;
use crate::remedy::recipe::Read;
use serde_json::Value;
use std::collections::BTreeSet;
use std::time::Duration;
use tokio::time::Instant;

/// The workloads of a cluster, the controller manager's lease, and the API groups that are served.
#[derive(Debug, Default)]
pub struct Around {
    pub world: World,
    /// `None` = they could not be read.
    pub groups: Option<BTreeSet<String>>,
}

/// Reads all workloads of a cluster; what is missing at the deadline is unreadable.
pub async fn around(cluster: &Cluster, patience: Duration) -> Around {
    let deadline = Instant::now() + patience;
    let all = |resource| Need::Collection { resource, namespace: String::new() };
    let needs = vec![
        all(Resource::Deployments),
        all(Resource::StatefulSets),
        all(Resource::DaemonSets),
        Need::Object {
            resource: Resource::Leases,
            namespace: "kube-system".to_owned(),
            name: "kube-controller-manager".to_owned(),
        },
    ];
    let mut reader = Reader::new(cluster, deadline, needs.len());
    let served = async { tokio::time::timeout_at(deadline, cluster.get("/apis")).await.ok()?.ok() };
    let (_, served) = tokio::join!(reader.read(needs), served);
    Around { world: reader.world, groups: served.and_then(|text| groups(&text)) }
}

/// Reads what recipes need to know of one sick pod or workload, into the world of its diagnosis.
pub async fn complete(
    cluster: &Cluster,
    world: &mut World,
    diagnosis: &Diagnosis,
    reads: &BTreeSet<Read>,
    patience: Duration,
) {
    let workload = &diagnosis.workload;
    let namespace = workload.namespace.clone();
    let aimed = diagnosis.answer().and_then(|finding| finding.aims.node.clone());
    let nodes: BTreeSet<String> = aimed.into_iter().chain(diagnosis.node.clone()).collect();
    let of_cluster = |resource, name: &String| Need::Object { resource, namespace: String::new(), name: name.clone() };
    let in_namespace = |resource| Need::Collection { resource, namespace: namespace.clone() };
    let mut needs = Vec::new();
    for read in reads {
        match read {
            Read::Owners => {}
            Read::Workload => {
                let resource = Resource::of_kind(&workload.kind);
                needs.extend(resource.map(|resource| Need::Object {
                    resource,
                    namespace: namespace.clone(),
                    name: workload.name.clone(),
                }));
                needs.push(match workload.kind.as_str() {
                    "Deployment" => in_namespace(Resource::ReplicaSets),
                    _ => in_namespace(Resource::ControllerRevisions),
                });
            }
            Read::Node => {
                for name in &nodes {
                    needs.push(of_cluster(Resource::Nodes, name));
                    let lease = "kube-node-lease".to_owned();
                    needs.push(Need::Object { resource: Resource::Leases, namespace: lease, name: name.clone() });
                }
            }
            Read::PodsOnNode => needs.extend(nodes.iter().map(|node| Need::PodsOn { node: node.clone() })),
            Read::FailedPods => needs.push(Need::FailedPods { namespace: namespace.clone() }),
            Read::Volumes => {
                needs.push(in_namespace(Resource::PersistentVolumeClaims));
                needs.push(Need::Collection { resource: Resource::VolumeAttachments, namespace: String::new() });
                needs.push(Need::Collection { resource: Resource::Nodes, namespace: String::new() });
            }
        }
    }
    let mut reader = Reader::over(cluster, std::mem::take(world), Instant::now() + patience, needs.len());
    reader.read(needs).await;
    *world = reader.world;
}

fn groups(text: &str) -> Option<BTreeSet<String>> {
    let list: Value = serde_json::from_str(text).ok()?;
    Some(list["groups"].as_array()?.iter().filter_map(|group| group["name"].as_str().map(str::to_owned)).collect())
}
