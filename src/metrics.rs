//! Counters, gauges and durations, for Prometheus: names and units by its conventions.

use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};
use std::sync::Mutex;
use std::sync::atomic::AtomicU64;

/// What is counted.
pub struct Metrics {
    registry: Mutex<Registry>,
    /// Things that came in, by kind and by whether something could be said.
    pub handled: Family<Handled, Counter>,
    /// From arrival to the last message of the answer.
    pub answer_seconds: Histogram,
    /// Incidents that are kept, by state and cause.
    pub incidents: Family<OfIncident, Gauge>,
    /// Changes of pods and nodes that were seen, by cluster and kind.
    pub watch_events: Family<Watched, Counter>,
    /// When something was last heard of a cluster's pods or nodes, in seconds since 1970. Now less this is the watch's lag.
    pub watch_last_event: Family<Watched, Gauge<f64, AtomicU64>>,
    /// Everything was listed anew.
    pub watch_relists: Family<Watched, Counter>,
    /// The watch broke.
    pub watch_breaks: Family<Watched, Counter>,
    /// Pods that are in trouble, due or not, by cluster.
    pub pods_in_trouble: Family<OfCluster, Gauge>,
    /// How long after a threshold's end it was acted on.
    pub deadline_lateness_seconds: Histogram,
    /// How long the diagnosis of a pod for an alert took, reading included.
    pub diagnosis_seconds: Histogram,
    /// Calls of Slack's Web API, by method and result.
    pub slack_calls: Family<Call, Counter>,
    /// Messages and edits that wait for their turn.
    pub slack_queue_length: Gauge,
    sockets: Gauge,
}

/// What came in and what came of it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Handled {
    pub kind: &'static str,
    pub outcome: &'static str,
}

/// An incident's state and cause.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, EncodeLabelSet)]
pub struct OfIncident {
    pub state: &'static str,
    pub cause: String,
}

/// A cluster.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct OfCluster {
    pub cluster: String,
}

/// What is watched of a cluster.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Watched {
    pub cluster: String,
    /// `pods` or `nodes`.
    pub resource: &'static str,
}

/// A call of Slack's, and what came of it: `ok`, `rate_limited`, `refused`, `not_sent` or `unknown`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Call {
    pub method: String,
    pub result: &'static str,
}

impl Default for Metrics {
    fn default() -> Self {
        let seconds = [0.025, 0.05, 0.1, 0.2, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];
        let metrics = Self {
            registry: Mutex::new(Registry::with_prefix("podoctor")),
            handled: Family::default(),
            answer_seconds: Histogram::new(seconds),
            incidents: Family::default(),
            watch_events: Family::default(),
            watch_last_event: Family::default(),
            watch_relists: Family::default(),
            watch_breaks: Family::default(),
            pods_in_trouble: Family::default(),
            deadline_lateness_seconds: Histogram::new(seconds),
            diagnosis_seconds: Histogram::new(seconds),
            slack_calls: Family::default(),
            slack_queue_length: Gauge::default(),
            sockets: Gauge::default(),
        };
        if let Ok(mut registry) = metrics.registry.lock() {
            metrics.register(&mut registry);
        }
        metrics
    }
}

impl Metrics {
    fn register(&self, registry: &mut Registry) {
        registry.register("handled", "Things that came in from the chat", self.handled.clone());
        let answer = self.answer_seconds.clone();
        registry.register_with_unit("answer", "From arrival to the whole answer", Unit::Seconds, answer);
        registry.register("incidents", "Incidents that are kept, by state and cause", self.incidents.clone());
        registry.register("watch_events", "Changes of pods and nodes that were seen", self.watch_events.clone());
        registry.register_with_unit(
            "watch_last_event_timestamp",
            "When something was last heard of what is watched; now less this is the lag",
            Unit::Seconds,
            self.watch_last_event.clone(),
        );
        registry.register("watch_relists", "How often everything was listed anew", self.watch_relists.clone());
        registry.register("watch_breaks", "How often the watch broke", self.watch_breaks.clone());
        registry.register("pods_in_trouble", "Pods in trouble, due or not", self.pods_in_trouble.clone());
        let lateness = self.deadline_lateness_seconds.clone();
        registry.register_with_unit(
            "deadline_lateness",
            "From a threshold's end to acting on it",
            Unit::Seconds,
            lateness,
        );
        let diagnosis = self.diagnosis_seconds.clone();
        registry.register_with_unit("diagnosis", "The diagnosis of a pod for an alert", Unit::Seconds, diagnosis);
        registry.register("slack_calls", "Calls of Slack's Web API", self.slack_calls.clone());
        registry.register("slack_queue_length", "Messages and edits that wait", self.slack_queue_length.clone());
        registry.register("slack_sockets_ready", "Sockets to Slack that have said hello", self.sockets.clone());
    }

    /// Returns all metrics in the OpenMetrics text format.
    pub fn text(&self, sockets: Option<usize>) -> String {
        if let Some(count) = sockets {
            self.sockets.set(i64::try_from(count).unwrap_or(i64::MAX));
        }
        let mut out = String::new();
        if let Ok(registry) = self.registry.lock() {
            // Writing to a String cannot fail.
            let _ = text::encode(&mut out, &registry);
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_units_are_prometheus_own() {
        let metrics = Metrics::default();
        metrics.slack_calls.get_or_create(&Call { method: "chat.postMessage".into(), result: "ok" }).inc();
        metrics.diagnosis_seconds.observe(0.03);
        metrics.incidents.get_or_create(&OfIncident { state: "open", cause: "cgroup-oom".into() }).set(2);
        let pods = Watched { cluster: "prod".into(), resource: "pods" };
        metrics.watch_last_event.get_or_create(&pods).set(1_777_629_600.5);
        let text = metrics.text(Some(2));
        for line in [
            "podoctor_slack_calls_total{method=\"chat.postMessage\",result=\"ok\"} 1",
            "podoctor_diagnosis_seconds_count 1",
            "podoctor_incidents{state=\"open\",cause=\"cgroup-oom\"} 2",
            "podoctor_watch_last_event_timestamp_seconds{cluster=\"prod\",resource=\"pods\"} 1777629600.5",
            "podoctor_slack_sockets_ready 2",
            "# EOF",
        ] {
            assert!(text.contains(line), "{line}\n{text}");
        }
    }
}
