//! The start: what an earlier life knew is held against what is there, once everything has been listed.
//!
//! Until then nothing is judged to be over, and nothing is told: a list that has come in by half says neither.

use super::Watching;
use crate::chat::front::Front;
use crate::store::Store;
use crate::watch::incident::Incident;
use crate::watch::state::{ClusterState, Over};
use jiff::Timestamp;
use std::collections::BTreeMap;

/// What of a cluster was listed since the start.
#[derive(Debug, Default)]
pub struct Settling {
    pub pods: bool,
    pub nodes: bool,
}

impl<F: Front + 'static, S: Store + 'static> Watching<F, S> {
    /// Something of a cluster has been listed. Once it is all, what an earlier life knew is held against what is there.
    pub(super) async fn listed(&mut self, cluster: &str, now: Timestamp, what: impl FnOnce(&mut Settling)) {
        let Some(settling) = self.unsettled.get_mut(cluster) else { return };
        what(settling);
        if !(settling.pods && settling.nodes) {
            return;
        }
        self.unsettled.remove(cluster);
        self.unplaced.get_or_insert(now);
        let (mut over, mut lacking) = (Vec::new(), Vec::new());
        if let Some(state) = self.states.get_mut(cluster) {
            for incident in self.book.open().filter(|incident| incident.key.cluster == cluster) {
                let (there, gone): (Vec<_>, Vec<_>) = incident.pods.iter().partition(|pod| {
                    // Of what many share each pod may show it in its own way.
                    let own = state.describe(pod).filter(|_| incident.is_shared());
                    state.adopt(pod, own.map_or(incident.symptom, |due| due.symptom))
                });
                over.extend(gone.into_iter().cloned().map(Over::Well));
                if self.publisher.lacks_details(incident) {
                    lacking.extend(there.first().and_then(|pod| state.describe(pod)));
                }
            }
        }
        self.over(cluster, over, now).await;
        let cluster = self.clusters.iter().find(|known| known.name == cluster).cloned();
        if let Some(cluster) = cluster {
            lacking.into_iter().for_each(|due| self.ask(&cluster, due, now));
        }
    }

    /// Returns whether nothing is to be told of an incident now: it is silenced, or its cluster was not seen whole yet.
    pub(super) fn is_unheard(&self, incident: &Incident, now: Timestamp) -> bool {
        self.unsettled.contains_key(&incident.key.cluster)
            || self.silences.values().any(|silence| silence.covers(incident, now))
    }

    pub(super) fn still(&self, incident: &Incident) -> bool {
        still(&self.states, &self.unsettled, &self.looked_at, incident)
    }
}

/// Returns whether an incident has, or may have, pods in trouble that are not due yet, or is being looked at.
pub fn still(
    states: &BTreeMap<String, ClusterState>,
    unsettled: &BTreeMap<String, Settling>,
    looked_at: &BTreeMap<String, bool>,
    incident: &Incident,
) -> bool {
    let state = states.get(&incident.key.cluster);
    // Of what many share nobody waits for the last one, who may have other troubles by then.
    let mut subjects = std::iter::once(&incident.key.subject).chain(incident.workload());
    // What changed is to be known when the end is told.
    looked_at.contains_key(&incident.id)
        || unsettled.contains_key(&incident.key.cluster)
        || state.is_some_and(|state| subjects.any(|subject| state.has_suspects_of(subject)))
}
