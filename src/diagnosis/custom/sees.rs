//! What an expression sees: the facts in Kubernetes' own field names, without anything secret.
//!
//! Values of environment variables are cut out here, wherever a container is described, and so is the copy of an object
//! that `kubectl apply` keeps in an annotation. Secrets and ConfigMaps are no variables at all.

use crate::diagnosis::symptom;
use crate::facts::evidence::shorten;
use crate::facts::{ContainerView, Event, Facts, Known, PodView, Role, World, log, workload};
use serde::Serialize;
use serde_json::{Map, Value, json};

/// A variable of the expressions.
#[derive(Debug)]
pub struct Seen {
    pub name: &'static str,
    /// What it is, for the page about custom causes.
    pub what: &'static str,
}

/// All variables.
pub const SEEN: &[Seen] = &[
    Seen {
        name: "pod",
        what: "the Pod as the API gives it: `pod.metadata`, `pod.spec`, `pod.status`; null where the question is about a workload without one",
    },
    Seen {
        name: "container",
        what: "one container: its entry of `spec.containers` or `spec.initContainers`, with its entry of the statuses as `container.status` and its `container.role` (`app`, `init`, `sidecar`). An expression that names it is asked about each container; the first that fits is told",
    },
    Seen {
        name: "log",
        what: "the last 200 lines read of that container's log, the oldest first: of the run that ended last, else of the present one. Empty where it never ran",
    },
    Seen {
        name: "events",
        what: "the newest 64 events about the pod (or the workload), the oldest first, each with `type`, `reason`, `message`, `count`, `firstTimestamp`, `lastTimestamp`, `reportingComponent`, `container`",
    },
    Seen {
        name: "node",
        what: "the Node that the pod is bound to; null where it is bound to none, or to one that is gone",
    },
    Seen { name: "nodeEvents", what: "the newest 64 events about that node, as `events`" },
    Seen {
        name: "owner",
        what: "the object that controls the pod (ReplicaSet, StatefulSet, DaemonSet, Job …), or the workload that was asked about; null where there is none",
    },
    Seen {
        name: "workload",
        what: "what a person would restart: `workload.kind`, `workload.namespace`, `workload.name`",
    },
    Seen { name: "claims", what: "the PersistentVolumeClaims of the pod's volumes, as far as they exist" },
    Seen { name: "namespaceObject", what: "the Namespace" },
    Seen {
        name: "symptom",
        what: "what `kubectl get pods` shows: `Pending`, `CrashLoopBackOff`, `Terminating`, `NotReady` …",
    },
    Seen { name: "cluster", what: "the cluster's name; empty where it has none" },
];

/// Variables that differ from container to container.
pub(super) const OF_CONTAINER: [&str; 2] = ["container", "log"];

/// The longest text, in bytes; a longer one is cut in the middle.
pub const LONGEST_TEXT: usize = 1_024;
/// How many elements a list has at most; the first ones are kept.
pub const LONGEST_LIST: usize = 100;
/// How many entries a map has at most.
const LARGEST_MAP: usize = 200;
/// How many of the newest events and log lines are seen.
pub const EVENTS: usize = 64;
pub const LINES: usize = 200;

/// Returns whether there is a variable of that name.
pub(super) fn known(name: &str) -> bool {
    self::name(name).is_some()
}

/// Returns the variable's name as it lives for ever.
pub(super) fn name(name: &str) -> Option<&'static str> {
    SEEN.iter().map(|seen| seen.name).find(|known| *known == name)
}

/// Returns the value of a variable that does not depend on the container.
pub(super) fn value(facts: &Facts<'_>, name: &str) -> Known<Value> {
    let pod = facts.pod();
    match name {
        "pod" => Known::Present(pod.map_or(Value::Null, |pod| object(pod.object))),
        "events" => match pod {
            Some(pod) => events(pod.events(facts.world)),
            None => {
                let workload = facts.workload();
                events(seen(facts.world, &workload.kind, &workload.namespace, &workload.name))
            }
        },
        "node" => or_null(facts.node().map(object)),
        "nodeEvents" => match pod.and_then(|pod| pod.node_name()) {
            // The kubelet's stand without a namespace, or in `default`: where one was read, that is what there is.
            Some(node) => match (seen(facts.world, "Node", "", node), seen(facts.world, "Node", "default", node)) {
                (Known::Unreadable, other) | (other, Known::Unreadable | Known::Absent) => events(other),
                (Known::Absent, other) => events(other),
                (Known::Present(a), Known::Present(b)) => events(Known::Present([a, b].concat())),
            },
            None => Known::Present(json!([])),
        },
        "owner" => or_null(owner(facts)),
        "workload" => {
            let workload = facts.workload();
            let (kind, namespace, name) = (workload.kind, workload.namespace, workload.name);
            Known::Present(json!({ "kind": kind, "namespace": namespace, "name": name }))
        }
        "claims" => claims(facts),
        "namespaceObject" => or_null(facts.world.namespaces.get("", facts.namespace()).map(object)),
        "symptom" => Known::Present(symptom::of(facts).0.into()),
        "cluster" => Known::Present(facts.world.cluster.clone().into()),
        _ => Known::Unreadable,
    }
}

/// Returns a container: its settings, its status and its role.
pub(super) fn container(container: ContainerView<'_>) -> Value {
    let mut value = object(container.spec);
    if let Some(fields) = value.as_object_mut() {
        let role = match container.role {
            Role::Init => "init",
            Role::Sidecar => "sidecar",
            Role::App => "app",
        };
        fields.insert("role".to_owned(), role.into());
        if let Some(status) = container.status {
            fields.insert("status".to_owned(), object(status));
        }
    }
    value
}

/// Returns the lines of a container's log.
pub(super) fn lines(facts: &Facts<'_>, container: ContainerView<'_>) -> Known<Value> {
    if container.latest_end().is_none() && !container.is_running() {
        return Known::Present(json!([]));
    }
    let present = || match container.log(facts.world).and_then(|log| log.current.as_deref()) {
        Some(text) if container.is_running() => Known::Present(text),
        _ => Known::Unreadable,
    };
    let text = match container.latest_end() {
        Some(_) => match container.log_of_latest_end(facts.world) {
            Known::Present(text) => Known::Present(text),
            Known::Absent | Known::Unreadable => present(),
        },
        None => present(),
    };
    text.map(|text| {
        let mut lines: Vec<Value> = log::lines_from_end(container.name(), text)
            .take(LINES)
            .map(|line| shorten(line.text.trim_end(), LONGEST_TEXT).into())
            .collect();
        lines.reverse();
        lines.into()
    })
}

/// Returns a value in few words.
pub(super) fn short(value: &Value) -> String {
    shorten(&value.to_string(), 160)
}

fn or_null(value: Known<Value>) -> Known<Value> {
    match value {
        Known::Absent => Known::Present(Value::Null),
        other => other,
    }
}

fn seen<'w>(world: &'w World, kind: &str, namespace: &str, name: &str) -> Known<Vec<&'w Event>> {
    world.events(kind, namespace, name).map(|events| events.iter().collect())
}

fn events(events: Known<Vec<&Event>>) -> Known<Value> {
    match events {
        Known::Present(events) => {
            let newest = &events[events.len().saturating_sub(EVENTS)..];
            Known::Present(newest.iter().map(|event| self::event(event)).collect())
        }
        Known::Absent => Known::Present(json!([])),
        Known::Unreadable => Known::Unreadable,
    }
}

fn event(event: &Event) -> Value {
    let mut fields = Map::new();
    let mut put = |key: &str, value: Value| {
        fields.insert(key.to_owned(), value);
    };
    put("type", if event.warning { "Warning" } else { "Normal" }.into());
    put("reason", event.reason.clone().into());
    put("message", shorten(event.text(), LONGEST_TEXT).into());
    put("count", event.count.into());
    put("reportingComponent", event.component.clone().into());
    for (key, time) in [("firstTimestamp", event.first), ("lastTimestamp", event.last)] {
        if let Some(time) = time {
            put(key, time.to_string().into());
        }
    }
    if let Some(container) = &event.container {
        put("container", container.clone().into());
    }
    Value::Object(fields)
}

fn owner(facts: &Facts<'_>) -> Known<Value> {
    let (kind, name) = match facts.pod() {
        Some(pod) => match workload::controller(pod.meta()) {
            Some(owner) => (owner.kind.clone(), owner.name.clone()),
            None => return Known::Absent,
        },
        None => {
            let workload = facts.workload();
            (workload.kind, workload.name)
        }
    };
    let (world, namespace) = (facts.world, facts.namespace());
    match kind.as_str() {
        "ReplicaSet" => world.replica_sets.get(namespace, &name).map(object),
        "StatefulSet" => world.stateful_sets.get(namespace, &name).map(object),
        "DaemonSet" => world.daemon_sets.get(namespace, &name).map(object),
        "Deployment" => world.deployments.get(namespace, &name).map(object),
        "Job" => world.jobs.get(namespace, &name).map(object),
        "CronJob" => world.cron_jobs.get(namespace, &name).map(object),
        "ReplicationController" => world.replication_controllers.get(namespace, &name).map(object),
        "Node" => world.nodes.get("", &name).map(object),
        other => world.others(other).map_or(Known::Unreadable, |objects| objects.get(namespace, &name).map(object)),
    }
}

fn claims(facts: &Facts<'_>) -> Known<Value> {
    let Some(pod) = facts.pod() else { return Known::Present(json!([])) };
    let mut found = Vec::new();
    for name in claim_names(pod) {
        match facts.world.claims.get(pod.namespace(), &name) {
            Known::Present(claim) => found.push(object(claim)),
            Known::Absent => {}
            Known::Unreadable => return Known::Unreadable,
        }
    }
    Known::Present(found.into())
}

fn claim_names(pod: PodView<'_>) -> Vec<String> {
    let volumes = pod.spec().and_then(|spec| spec.volumes.as_deref()).unwrap_or_default();
    volumes
        .iter()
        .filter_map(|volume| match (&volume.persistent_volume_claim, &volume.ephemeral) {
            (Some(claim), _) => Some(claim.claim_name.clone()),
            (None, Some(_)) => Some(format!("{}-{}", pod.name(), volume.name)),
            (None, None) => None,
        })
        .collect()
}

fn object(object: &impl Serialize) -> Value {
    let mut value = serde_json::to_value(object).unwrap_or_default();
    clean(&mut value);
    value
}

/// Cuts out what is secret or only bulk, and what is too long.
fn clean(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.remove("managedFields");
            fields.remove("kubectl.kubernetes.io/last-applied-configuration");
            if let Some(Value::Array(variables)) = fields.get_mut("env") {
                for fields in variables.iter_mut().filter_map(Value::as_object_mut) {
                    fields.remove("value");
                }
            }
            while fields.len() > LARGEST_MAP {
                let Some(last) = fields.keys().next_back().cloned() else { break };
                fields.remove(&last);
            }
            fields.values_mut().for_each(clean);
        }
        Value::Array(items) => {
            items.truncate(LONGEST_LIST);
            items.iter_mut().for_each(clean);
        }
        Value::String(text) if text.len() > LONGEST_TEXT => *text = shorten(text, LONGEST_TEXT),
        _ => {}
    }
}
