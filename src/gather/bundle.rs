//! A world as files, secrets cut out: what `collect` writes and [`files`](super::files) reads back to the same diagnosis.

use crate::facts::{Event, World};
use crate::redact::redact;
use jiff::Timestamp;
use k8s_openapi::{Metadata, Resource};
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The file that tells how far the reading went.
pub const READINGS: &str = "readings.json";

/// Files by their path in the bundle.
#[derive(Debug, Default)]
pub struct Bundle {
    pub files: BTreeMap<String, String>,
}

impl Bundle {
    /// Returns the bundle of a world that was read at a moment.
    pub fn of(world: &World, at: Timestamp) -> Self {
        let mut items = Vec::new();
        let w = world;
        add(&mut items, w.pods.seen());
        add(&mut items, w.nodes.seen());
        add(&mut items, w.leases.seen());
        add(&mut items, w.namespaces.seen());
        add(&mut items, w.service_accounts.seen());
        add(&mut items, w.services.seen());
        add(&mut items, w.claims.seen());
        add(&mut items, w.volumes.seen());
        add(&mut items, w.storage_classes.seen());
        add(&mut items, w.volume_attachments.seen());
        add(&mut items, w.csi_nodes.seen());
        add(&mut items, w.csi_drivers.seen());
        add(&mut items, w.deployments.seen());
        add(&mut items, w.replica_sets.seen());
        add(&mut items, w.stateful_sets.seen());
        add(&mut items, w.daemon_sets.seen());
        add(&mut items, w.replication_controllers.seen());
        add(&mut items, w.jobs.seen());
        add(&mut items, w.cron_jobs.seen());
        add(&mut items, w.quotas.seen());
        add(&mut items, w.limit_ranges.seen());
        add(&mut items, w.runtime_classes.seen());
        add(&mut items, w.priority_classes.seen());
        add(&mut items, w.disruption_budgets.seen());
        add(&mut items, w.validating_webhooks.seen());
        add(&mut items, w.mutating_webhooks.seen());
        for objects in w.others.values() {
            items.extend(objects.seen().cloned());
        }
        let mut events: Vec<&Event> = w.all_events().collect();
        events.sort_by(|a, b| (a.last, &a.name, &a.reason, &a.message).cmp(&(b.last, &b.name, &b.reason, &b.message)));
        items.extend(events.into_iter().enumerate().map(|(i, event)| event_object(i, event)));
        for item in &mut items {
            clean(item);
        }
        let mut files = BTreeMap::new();
        files.insert("objects.json".to_owned(), pretty(&json!({"apiVersion": "v1", "kind": "List", "items": items})));
        files.insert(READINGS.to_owned(), pretty(&world.clone().readings()));
        files.insert("at".to_owned(), format!("{at}\n"));
        for ((namespace, pod, container), log) in &world.logs {
            let base = format!("logs/{namespace}/{pod}/{container}");
            for (end, text) in [("log", &log.current), ("previous.log", &log.previous), ("error", &log.error)] {
                if let Some(text) = text {
                    files.insert(format!("{base}.{end}"), redact(text));
                }
            }
        }
        Self { files }
    }
}

fn add<'a, T>(items: &mut Vec<Value>, objects: impl Iterator<Item = &'a T>)
where
    T: Serialize + Resource + Metadata + 'a,
{
    for object in objects {
        if let Ok(Value::Object(mut fields)) = serde_json::to_value(object) {
            fields.insert("apiVersion".to_owned(), json!(T::API_VERSION));
            fields.insert("kind".to_owned(), json!(T::KIND));
            items.push(Value::Object(fields));
        }
    }
}

/// Returns an event in the core form; what was not read of it is not made up.
fn event_object(index: usize, event: &Event) -> Value {
    let namespace = if event.namespace.is_empty() { "default" } else { &event.namespace };
    json!({
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": format!("{}.{index}", event.name), "namespace": namespace},
        "involvedObject": {
            "kind": event.kind, "namespace": event.namespace, "name": event.name, "uid": event.uid,
            "fieldPath": event.container.as_ref().map(|name| format!("spec.containers{{{name}}}")),
        },
        "reason": event.reason,
        "message": event.message,
        "type": if event.warning { "Warning" } else { "Normal" },
        "count": event.count,
        "firstTimestamp": event.first.map(seconds),
        "lastTimestamp": event.last.map(seconds),
        "reportingComponent": event.component,
        "source": {"host": event.host},
    })
}

/// The API's `Time` has whole seconds.
fn seconds(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// Cuts secrets out of every text of an object. A variable's value is judged by its name as well.
fn clean(value: &mut Value) {
    match value {
        Value::String(text) => *text = redact(text),
        Value::Array(values) => values.iter_mut().for_each(clean),
        Value::Object(fields) => {
            if let (Some(name), Some(variable)) =
                (fields.get("name").and_then(Value::as_str), fields.get("value").and_then(Value::as_str))
            {
                let line = format!("{name}={variable}");
                if redact(&line) != line {
                    fields.insert("value".to_owned(), json!(crate::redact::REDACTED));
                }
            }
            // It repeats the whole object, secrets and all.
            if let Some(annotations) = fields.get_mut("annotations").and_then(Value::as_object_mut) {
                annotations.remove("kubectl.kubernetes.io/last-applied-configuration");
            }
            fields.values_mut().for_each(clean);
        }
        _ => {}
    }
}

fn pretty(value: &impl Serialize) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default() + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnosis::testing::{diagnose_in, world};
    use crate::gather::files;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "a bundle is read from real files")]
    fn what_calm_pods_hold_is_in_a_bundle_though_they_are_not() {
        let mut before = world(YAML);
        let workload =
            crate::facts::Workload { kind: "Deployment".into(), namespace: "shop".into(), name: "web".into() };
        before.calm.insert(workload.clone(), 9);
        before.calm_loads.reserved.entry("n1".into()).or_default().insert("cpu".into(), 3.5);
        let folder = tempfile::tempdir().expect("a folder");
        for (path, text) in &Bundle::of(&before, "2026-01-01T10:00:00Z".parse().expect("a time")).files {
            std::fs::write(folder.path().join(path), text).expect("written");
        }
        let after = files::read(&[folder.path().to_owned()]).world;
        assert_eq!(after.calm.get(&workload), Some(&9));
        assert_eq!(after.calm_loads, before.calm_loads);
    }

    const YAML: &str = r#"
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: shop, uid: u1, creationTimestamp: "2026-01-01T09:00:00Z"}
spec:
  nodeName: n1
  containers: [{name: app, image: web:1, resources: {limits: {memory: 256Mi}}, env: [{name: DB_PASSWORD, value: hunter2}, {name: MODE, value: fast}]}]
status:
  phase: Running
  conditions: [{type: Ready, status: "False"}]
  containerStatuses:
  - {name: app, image: web:1, imageID: "", ready: false, restartCount: 7, state: {waiting: {reason: CrashLoopBackOff}},
     lastState: {terminated: {exitCode: 137, reason: OOMKilled, startedAt: "2026-01-01T09:50:00Z", finishedAt: "2026-01-01T09:55:00Z"}}}
"#;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "a bundle is read from real files")]
    fn a_bundle_is_read_back_to_the_same_diagnosis_without_its_secrets() {
        let world = world(YAML);
        let at = "2026-01-01T10:00:00Z";
        let before = diagnose_in(&world, "shop/web", at);
        let bundle = Bundle::of(&world, at.parse().expect("a time"));
        let folder = tempfile::tempdir().expect("a folder");
        for (path, text) in &bundle.files {
            assert!(!text.contains("hunter2"), "{path}");
            std::fs::write(folder.path().join(path), text).expect("written");
        }
        let snapshot = files::read(&[folder.path().to_owned()]);
        assert!(snapshot.mishaps.is_empty(), "{:?}", snapshot.mishaps);
        let after = diagnose_in(&snapshot.world, "shop/web", at);
        assert_eq!(format!("{:?}", before.findings), format!("{:?}", after.findings));
        assert_eq!(before.unreadable, after.unreadable);
        assert!(bundle.files["objects.json"].contains("fast"), "a harmless variable is kept");
    }
}
