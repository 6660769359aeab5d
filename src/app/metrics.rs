//! Counters and durations, for Prometheus.

use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};
use std::sync::Mutex;

/// What is counted.
pub struct Metrics {
    registry: Mutex<Registry>,
    /// Things that came in, by kind and by whether something could be said.
    pub handled: Family<Handled, Counter>,
    /// From arrival to the last message of the answer.
    pub answer_seconds: Histogram,
    sockets: Gauge,
}

/// What came in and what came of it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Handled {
    pub kind: &'static str,
    pub outcome: &'static str,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("podoctor");
        let handled = Family::<Handled, Counter>::default();
        let answer_seconds = Histogram::new([0.025, 0.05, 0.1, 0.2, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0]);
        let sockets = Gauge::default();
        registry.register("handled", "Things that came in from the chat", handled.clone());
        registry.register_with_unit(
            "answer",
            "From arrival to the whole answer",
            Unit::Seconds,
            answer_seconds.clone(),
        );
        registry.register("slack_sockets_ready", "Sockets to Slack that have said hello", sockets.clone());
        Self { registry: Mutex::new(registry), handled, answer_seconds, sockets }
    }
}

impl Metrics {
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
