//! What the watch counts: what was seen, how late it was, what is open.

use crate::cluster::Seen;
use crate::metrics::{Metrics, OfCluster, OfIncident, Watched};
use crate::watch::book::Book;
use crate::watch::incident::State;
use crate::watch::state::ClusterState;
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The counters of the watch.
pub struct Tally {
    pub metrics: Arc<Metrics>,
    /// When the loop last looked at what is due: only what became due since can be late.
    looked: Timestamp,
    /// The kinds of incidents that the metrics tell of.
    told: BTreeSet<OfIncident>,
}

impl Tally {
    pub fn new(metrics: Arc<Metrics>) -> Self {
        Self { metrics, looked: Timestamp::MIN, told: BTreeSet::new() }
    }

    /// Counts something that was seen.
    pub fn saw<T>(&self, cluster: &str, resource: &'static str, seen: &Seen<T>, now: Timestamp) {
        let watched = Watched { cluster: cluster.to_owned(), resource };
        match seen {
            Seen::Listing => drop(self.metrics.watch_relists.get_or_create(&watched).inc()),
            Seen::Broken(_) => drop(self.metrics.watch_breaks.get_or_create(&watched).inc()),
            Seen::There(_) | Seen::Gone(_) => drop(self.metrics.watch_events.get_or_create(&watched).inc()),
            Seen::Listed => {}
        }
        if !matches!(seen, Seen::Broken(_)) {
            self.metrics.watch_last_event.get_or_create(&watched).set(now.as_duration().as_secs_f64());
        }
    }

    /// Counts how late what is due is looked at.
    pub fn looks(&mut self, states: &BTreeMap<String, ClusterState>, now: Timestamp) {
        let due = states.values().filter_map(ClusterState::next).filter(|at| *at <= now && *at > self.looked);
        for at in due {
            self.metrics.deadline_lateness_seconds.observe(now.duration_since(at).as_secs_f64());
        }
        self.looked = now;
    }

    /// Says what is kept.
    pub fn keeps(&mut self, states: &BTreeMap<String, ClusterState>, book: &Book) {
        for (cluster, state) in states {
            let kept = i64::try_from(state.kept()).unwrap_or(i64::MAX);
            self.metrics.pods_in_trouble.get_or_create(&OfCluster { cluster: cluster.clone() }).set(kept);
        }
        let mut counts: BTreeMap<OfIncident, i64> = BTreeMap::new();
        for incident in book.incidents.values() {
            let state = match incident.state {
                State::Open => "open",
                State::Acknowledged { .. } => "acknowledged",
                State::Resolved { .. } => "resolved",
            };
            *counts.entry(OfIncident { state, cause: incident.key.cause.clone() }).or_default() += 1;
        }
        // Never empty in between: somebody may be reading.
        for gone in std::mem::take(&mut self.told).into_iter().filter(|labels| !counts.contains_key(labels)) {
            self.metrics.incidents.remove(&gone);
        }
        for (labels, count) in &counts {
            self.metrics.incidents.get_or_create(labels).set(*count);
        }
        self.told = counts.into_keys().collect();
    }
}
