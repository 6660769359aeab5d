//! Reads the workload of an incident: one object, and where the end is near a few of its pods.

use super::{Event, Watching};
use crate::chat::front::Front;
use crate::cluster::{Cluster, ReadError, Resource};
use crate::facts::Workload;
use crate::store::Store;
use crate::watch::incident::Subject;
use crate::watch::scope::{self, Owner, Scope};
use serde_json::Value;
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use tokio::time::{sleep, timeout};

/// How long after a pod's change its owner is read: the controllers count first.
pub const SETTLES: Duration = Duration::from_millis(800);
/// How long a reading may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// How many pods are looked at for the nodes they run on.
const PODS: &str = "10";

impl<F: Front + 'static, S: Store + 'static> Watching<F, S> {
    /// Has the workloads of incidents looked at: how many pods they want, how many serve, and what changed.
    pub(super) fn look_at(&mut self, incidents: &BTreeSet<String>) {
        for id in incidents {
            let Some(incident) = self.book.incidents.get(id).filter(|incident| incident.is_open()) else { continue };
            let Some(workload) = incident.workload().and_then(workload_of) else { continue };
            let Ok(cluster) = self.clusters.get(Some(&incident.key.cluster)) else { continue };
            match self.looked_at.entry(id.clone()) {
                Entry::Occupied(mut once_more) => drop(once_more.insert(true)),
                Entry::Vacant(place) => {
                    place.insert(false);
                    let (cluster, events, id) = (cluster.clone(), self.events.clone(), id.clone());
                    let slots = self.slots.clone();
                    let with_nodes = incident.pods.is_empty();
                    self.tasks.spawn(async move {
                        // The owner's own count follows its pods.
                        sleep(SETTLES).await;
                        let Ok(_slot) = slots.acquire().await else { return };
                        let owner = read(&cluster, &workload, with_nodes).await;
                        let scope = owner.map(|owner| Box::new(owner.scope));
                        // Nobody listens any more only when all ends.
                        let _ = events.send(Event::Scoped { incident: id, scope }).await;
                    });
                }
            }
        }
    }

    pub(super) async fn scoped(&mut self, incident: &str, scope: Option<Box<Scope>>) {
        let once_more = self.looked_at.remove(incident);
        if let Some(scope) = scope {
            let touched = self.book.scoped(incident, *scope);
            self.show(touched).await;
        }
        if once_more == Some(true) {
            self.look_at(&[incident.to_owned()].into());
        }
    }
}

/// Returns the workload that a subject is.
fn workload_of(subject: &Subject) -> Option<Workload> {
    match subject {
        Subject::Workload { kind, namespace, name } => {
            Some(Workload { kind: kind.clone(), namespace: namespace.clone(), name: name.clone() })
        }
        Subject::Node { .. } | Subject::Shared { .. } => None,
    }
}

/// Reads a workload; `None` = its kind is none that is read, or it could not be.
pub async fn read(cluster: &Cluster, workload: &Workload, with_nodes: bool) -> Option<Owner> {
    let resource = Resource::of_kind(&workload.kind)?;
    let path = resource.object(&workload.namespace, &workload.name);
    match timeout(PATIENCE, read_object(cluster, workload, &path, with_nodes)).await {
        Ok(Ok(owner)) => Some(owner),
        Ok(Err(ReadError::NotFound(_))) => Some(Owner::gone()),
        Ok(Err(error)) => {
            tracing::debug!(%workload, %error, "a workload cannot be read: {error}");
            None
        }
        Err(_) => None,
    }
}

/// Returns what a namespace says to us; nothing where it cannot be read.
pub async fn annotations_of_namespace(cluster: &Cluster, namespace: &str) -> BTreeMap<String, String> {
    let path = Resource::Namespaces.object("", namespace);
    match timeout(PATIENCE, cluster.get(&path)).await {
        Ok(Ok(text)) => json(&text).map(|object| scope::annotations(&object)).unwrap_or_default(),
        _ => BTreeMap::new(),
    }
}

async fn read_object(cluster: &Cluster, workload: &Workload, path: &str, with_nodes: bool) -> Result<Owner, ReadError> {
    let mut owner = Owner::read(&workload.kind, &json(&cluster.get(path).await?)?);
    if let Some(selector) = owner.selector.as_deref().filter(|_| with_nodes) {
        let query = [("labelSelector", selector), ("limit", PODS)];
        let pods = json(&cluster.get(&Resource::Pods.list(&workload.namespace, &query)).await?)?;
        let pods = pods["items"].as_array().into_iter().flatten();
        let there = pods.filter(|pod| pod.pointer("/metadata/deletionTimestamp").is_none());
        let nodes = there.filter_map(|pod| pod.pointer("/spec/nodeName")?.as_str());
        owner.scope.nodes = nodes.map(str::to_owned).collect();
    }
    Ok(owner)
}

fn json(text: &str) -> Result<Value, ReadError> {
    serde_json::from_str(text).map_err(|error| ReadError::Other(error.to_string()))
}
