//! Events, lean: the core and the `events.k8s.io` form as one.

use super::evidence::Evidence;
use jiff::Timestamp;
use k8s_openapi::api::core::v1 as api;

/// An event about one object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    pub kind: String,
    pub namespace: String,
    pub name: String,
    pub uid: String,
    /// The container it is about, from `involvedObject.fieldPath`; `None` = the object as a whole.
    pub container: Option<String>,
    pub reason: String,
    pub message: String,
    pub warning: bool,
    /// Who reports it: `kubelet`, `default-scheduler` …
    pub component: String,
    /// The node of the reporter where it has one.
    pub host: String,
    /// How often it was seen; at least 1. Lags behind for the new recorder (scheduler).
    pub count: u32,
    pub first: Option<Timestamp>,
    pub last: Option<Timestamp>,
}

impl Event {
    /// Reads a core/v1 event. Sort key and reporter as the API documents them: series, last, event time, first, creation.
    pub fn from_core(event: api::Event) -> Self {
        let time = |t: &Option<k8s_openapi::apimachinery::pkg::apis::meta::v1::Time>| t.as_ref().map(|t| t.0);
        let series = event.series.as_ref();
        let event_time = event.event_time.as_ref().map(|t| t.0);
        let created = time(&event.metadata.creation_timestamp);
        let last = series
            .and_then(|s| s.last_observed_time.as_ref().map(|t| t.0))
            .or(time(&event.last_timestamp))
            .or(event_time)
            .or(time(&event.first_timestamp))
            .or(created);
        let first = time(&event.first_timestamp).or(event_time).or(created).or(last);
        let count = series.and_then(|s| s.count).or(event.count).unwrap_or(1).max(1);
        let source = event.source.unwrap_or_default();
        let object = event.involved_object;
        Self {
            kind: object.kind.unwrap_or_default(),
            // Events about cluster objects name no namespace.
            namespace: object.namespace.unwrap_or_default(),
            name: object.name.unwrap_or_default(),
            uid: object.uid.unwrap_or_default(),
            container: object.field_path.as_deref().and_then(container_of).map(str::to_owned),
            reason: event.reason.unwrap_or_default(),
            message: event.message.unwrap_or_default(),
            warning: event.type_.as_deref() == Some("Warning"),
            component: event.reporting_component.filter(|c| !c.is_empty()).or(source.component).unwrap_or_default(),
            host: source.host.or(event.reporting_instance).unwrap_or_default(),
            count: u32::try_from(count).unwrap_or(1),
            first,
            last,
        }
    }

    /// Returns the message without the recorder's prefix for combined events.
    pub fn text(&self) -> &str {
        self.message.strip_prefix("(combined from similar events): ").unwrap_or(&self.message)
    }

    /// Returns the event as evidence.
    pub fn evidence(&self) -> Evidence {
        let who = if self.component.is_empty() { String::new() } else { format!(" ({})", self.component) };
        let on = if self.kind == "Pod" { String::new() } else { format!(" on {}/{}", self.kind, self.name) };
        let times = if self.count > 1 { format!(" ×{}", self.count) } else { String::new() };
        Evidence::field(format!("event {}{who}{on}{times}", self.reason), self.text(), self.last)
    }
}

/// Returns `app` of `spec.containers{app}`.
fn container_of(field_path: &str) -> Option<&str> {
    let (list, rest) = field_path.split_once('{')?;
    matches!(list, "spec.containers" | "spec.initContainers" | "spec.ephemeralContainers")
        .then(|| rest.trim_end_matches('}'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_new_recorder() {
        let event: api::Event = serde_json::from_str(
            r#"{"metadata":{"name":"a"},"involvedObject":{"kind":"Pod","name":"p","namespace":"n","fieldPath":"spec.containers{app}"},
                "reason":"FailedScheduling","message":"0/1 nodes","type":"Warning","eventTime":"2026-11-23T18:52:18.091803Z",
                "series":{"count":7,"lastObservedTime":"2026-11-23T19:00:00.000000Z"},"reportingComponent":"default-scheduler","source":{}}"#,
        )
        .unwrap();
        let event = Event::from_core(event);
        assert_eq!(
            (event.count, event.component.as_str(), event.container.as_deref()),
            (7, "default-scheduler", Some("app"))
        );
        assert_eq!(event.last.unwrap().to_string(), "2026-11-23T19:00:00Z");
    }
}
