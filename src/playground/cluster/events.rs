//! Events: recorded as their components record them, shown as both API groups show them.

use super::identity;
use super::kinds::Kind;
use super::time;
use super::world::{Key, World};
use jiff::Timestamp;
use serde_json::{Map, Value, json};

/// One occurrence of something worth an event.
#[derive(Debug, Clone, Copy)]
pub struct Occurrence<'a> {
    pub warning: bool,
    pub reason: &'a str,
    pub message: &'a str,
    /// `kubelet`, `default-scheduler`, `replicaset-controller`, …
    pub component: &'a str,
    /// The node, for what a kubelet says.
    pub host: &'a str,
    /// `spec.containers{app}`, or empty.
    pub field_path: &'a str,
}

/// Records an occurrence; the same one again counts up, as the recorders of Kubernetes do it.
pub fn record(world: &mut World, now: Timestamp, about: &Value, what: Occurrence<'_>) {
    record_many(world, now, now, 1, about, what);
}

/// Records something that happened `count` times between two moments.
pub fn record_many(
    world: &mut World,
    first: Timestamp,
    last: Timestamp,
    count: u64,
    about: &Value,
    what: Occurrence<'_>,
) {
    let metadata = &about["metadata"];
    let name = metadata["name"].as_str().unwrap_or_default();
    // Events of things without a namespace are kept in `default`.
    let namespace = metadata["namespace"].as_str().unwrap_or("default");
    let seed = format!("{}/{}/{}/{}/{}", metadata["uid"], what.reason, what.message, what.component, what.field_path);
    let event_name = format!("{name}.{}", identity::hex(&seed, 16));
    let key = Key::new(Kind::by_name("Event").expect("events are in the table"), namespace, &event_name);
    let event = match world.get(&key) {
        Some(event) => again((**event).clone(), last, count),
        None => fresh(&event_name, namespace, &seed, first, last, count, about, what),
    };
    world.put(key, event);
}

/// What a kubelet says of a container that it starts from an image it has.
pub fn started(world: &mut World, now: Timestamp, pod: &Value, container: &Value, node: &str) {
    let name = container["name"].as_str().unwrap_or_default();
    let pulled = format!(
        "Container image \"{}\" already present on machine and can be accessed by the pod",
        container["image"].as_str().unwrap_or_default()
    );
    let init = super::pods::containers(&pod["spec"], "initContainers").any(|init| init["name"] == name);
    let field_path = format!("spec.{}{{{name}}}", if init { "initContainers" } else { "containers" });
    for (reason, message) in
        [("Pulled", pulled.as_str()), ("Created", "Container created"), ("Started", "Container started")]
    {
        let what =
            Occurrence { warning: false, reason, message, component: "kubelet", host: node, field_path: &field_path };
        record(world, now, pod, what);
    }
}

/// The scheduler records in the new way: no first and last time, no count, a series instead.
fn is_new_recorder(component: &str) -> bool {
    component.ends_with("-scheduler")
}

fn again(mut event: Value, now: Timestamp, by: u64) -> Value {
    if is_new_recorder(event["reportingComponent"].as_str().unwrap_or_default()) {
        let count = event["series"]["count"].as_u64().unwrap_or(1) + by;
        event["series"] = json!({"count": count, "lastObservedTime": time::micros(now)});
    } else {
        event["count"] = (event["count"].as_u64().unwrap_or(1) + by).into();
        event["lastTimestamp"] = time::seconds(now);
    }
    event
}

#[expect(clippy::too_many_arguments, reason = "one event has that many parts, and this is called once")]
fn fresh(
    name: &str,
    namespace: &str,
    seed: &str,
    first: Timestamp,
    last: Timestamp,
    count: u64,
    about: &Value,
    what: Occurrence<'_>,
) -> Value {
    let mut involved = Map::new();
    for (field, value) in [("kind", &about["kind"]), ("apiVersion", &about["apiVersion"])] {
        involved.insert(field.into(), value.clone());
    }
    for field in ["namespace", "name", "uid", "resourceVersion"] {
        if let Some(value) = about["metadata"].get(field) {
            involved.insert(field.into(), value.clone());
        }
    }
    if !what.field_path.is_empty() {
        involved.insert("fieldPath".into(), what.field_path.into());
    }
    let mut event = json!({
        "apiVersion": "v1", "kind": "Event",
        "metadata": {"name": name, "namespace": namespace, "uid": identity::uid(seed),
            "creationTimestamp": time::seconds(first)},
        "involvedObject": involved,
        "reason": what.reason, "message": what.message,
        "type": if what.warning { "Warning" } else { "Normal" },
        "reportingComponent": what.component,
    });
    if is_new_recorder(what.component) {
        event["source"] = json!({});
        (event["firstTimestamp"], event["lastTimestamp"]) = (Value::Null, Value::Null);
        event["eventTime"] = time::micros(first);
        event["action"] = if what.reason == "Scheduled" { "Binding" } else { "Scheduling" }.into();
        event["reportingInstance"] = format!("{}-control-plane", what.component).into();
        if count > 1 {
            event["series"] = json!({"count": count, "lastObservedTime": time::micros(last)});
        }
    } else {
        event["source"] = json!({"component": what.component});
        if !what.host.is_empty() {
            event["source"]["host"] = what.host.into();
        }
        (event["firstTimestamp"], event["lastTimestamp"]) = (time::seconds(first), time::seconds(last));
        event["count"] = count.into();
        event["eventTime"] = Value::Null;
        event["reportingInstance"] = what.host.into();
    }
    event
}

/// Returns a core event as `events.k8s.io/v1` shows it.
pub fn to_new_group(event: &Value) -> Value {
    let mut new = json!({
        "apiVersion": "events.k8s.io/v1", "kind": "Event",
        "metadata": event["metadata"], "regarding": event["involvedObject"], "note": event["message"],
        "reason": event["reason"], "type": event["type"], "eventTime": event["eventTime"],
        "reportingController": event["reportingComponent"], "reportingInstance": event["reportingInstance"],
        "deprecatedSource": event["source"], "deprecatedFirstTimestamp": event["firstTimestamp"],
        "deprecatedLastTimestamp": event["lastTimestamp"],
    });
    for (old, field) in
        [("count", "deprecatedCount"), ("series", "series"), ("action", "action"), ("related", "related")]
    {
        if let Some(value) = event.get(old) {
            new[field] = value.clone();
        }
    }
    new
}

/// Returns an event of `events.k8s.io/v1` as a core event, which is how it is stored.
pub fn from_new_group(event: &Value) -> Value {
    let mut core = json!({
        "apiVersion": "v1", "kind": "Event", "metadata": event["metadata"], "involvedObject": event["regarding"],
        "message": event["note"], "source": event.get("deprecatedSource").cloned().unwrap_or_else(|| json!({})),
        "reportingComponent": event["reportingController"], "firstTimestamp": event["deprecatedFirstTimestamp"],
        "lastTimestamp": event["deprecatedLastTimestamp"],
    });
    for field in ["reason", "type", "eventTime", "reportingInstance", "series", "action", "related"] {
        if let Some(value) = event.get(field) {
            core[field] = value.clone();
        }
    }
    core
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod() -> Value {
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a", "namespace": "prod", "uid": "u"}})
    }

    fn one<'a>(component: &'a str, message: &'a str) -> Occurrence<'a> {
        let field_path = "";
        Occurrence { warning: true, reason: "BackOff", message, component, host: "node-a", field_path }
    }

    #[test]
    fn the_same_again_counts_up_in_the_way_of_its_recorder() {
        let mut world = World::new();
        let moment: Timestamp = "2026-11-24T10:00:00Z".parse().unwrap();
        for _ in 0..3 {
            record(&mut world, moment, &pod(), one("kubelet", "m"));
            record(&mut world, moment, &pod(), one("default-scheduler", "m"));
        }
        let events = world.all("Event");
        assert_eq!(events.len(), 2);
        let by = |component: &str| events.iter().find(|event| event["reportingComponent"] == component).unwrap();
        assert_eq!(by("kubelet")["count"], 3);
        assert_eq!(by("default-scheduler")["series"]["count"], 3);
        assert!(by("default-scheduler")["lastTimestamp"].is_null());
    }

    #[test]
    fn both_groups_hold_the_same() {
        let mut world = World::new();
        record(&mut world, Timestamp::UNIX_EPOCH, &pod(), one("kubelet", "m"));
        let core = (*world.all("Event")[0]).clone();
        let new = to_new_group(&core);
        assert_eq!((&new["note"], &new["regarding"]["name"]), (&json!("m"), &json!("a")));
        let mut back = from_new_group(&new);
        back["count"] = 1.into();
        assert_eq!(back, core);
    }
}
