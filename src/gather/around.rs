//! What a remedy asks of the whole cluster before it is proposed: who is alive there.

use super::needs::Need;
use super::reader::Reader;
use crate::cluster::{Cluster, Resource};
use crate::facts::World;
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

fn groups(text: &str) -> Option<BTreeSet<String>> {
    let list: Value = serde_json::from_str(text).ok()?;
    Some(list["groups"].as_array()?.iter().filter_map(|group| group["name"].as_str().map(str::to_owned)).collect())
}
