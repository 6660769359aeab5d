//! A workload as its owner object tells it: how many pods it wants and how many serve, and what its pods are made of.
//!
//! It is kept twice with an incident, as it was in the beginning and as it is now, so that the end can say what changed.
//! Only what can be told is kept: no environment, no commands, no volumes.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};

/// The beginning of podoctor's own annotations.
pub const OURS: &str = "podoctor.dev/";
const REVISION: &str = "/metadata/annotations/deployment.kubernetes.io~1revision";
/// What is kept of a container.
const OF_CONTAINER: &[&str] =
    &["name", "image", "resources", "livenessProbe", "readinessProbe", "startupProbe", "ports"];
/// What is kept of a pod's spec, beside its containers.
const OF_POD: &[&str] = &[
    "nodeSelector",
    "affinity",
    "tolerations",
    "topologySpreadConstraints",
    "priorityClassName",
    "runtimeClassName",
    "serviceAccountName",
    "imagePullSecrets",
];

/// What is known of a workload at a moment.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Scope {
    /// How many pods it wants at once.
    pub wanted: Option<usize>,
    /// How many of them are ready.
    pub serving: Option<usize>,
    /// The name or number of its template, another one after each change of it; a DaemonSet tells none.
    pub revision: Option<String>,
    /// The pod template without what nobody needs to be told.
    pub template: Value,
    /// Who changed the template last, by the API server's own record, and when.
    pub changed_by: Option<(String, Timestamp)>,
    /// The nodes that some of its pods run on; empty = nobody looked.
    pub nodes: BTreeSet<String>,
    /// It was looked for and is not there any more.
    pub gone: bool,
}

/// A workload's object, as far as alerts need it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Owner {
    pub scope: Scope,
    /// Its annotations of ours.
    pub annotations: BTreeMap<String, String>,
    /// The labels that select its pods, as the API takes them; `None` = it has no plain ones.
    pub selector: Option<String>,
}

impl Owner {
    /// Reads a workload's object of a kind: one of Kubernetes' own, or any with `spec.replicas`.
    pub fn read(kind: &str, object: &Value) -> Self {
        let count =
            |pointer: &str| object.pointer(pointer).and_then(Value::as_u64).and_then(|n| usize::try_from(n).ok());
        let (wanted, serving) = match kind {
            "DaemonSet" => (count("/status/desiredNumberScheduled"), Some(count("/status/numberReady").unwrap_or(0))),
            "Job" => {
                let at_once = count("/spec/parallelism").unwrap_or(1);
                let wanted = count("/spec/completions").map_or(at_once, |all| all.min(at_once));
                (Some(wanted), Some(count("/status/ready").unwrap_or(0)))
            }
            "Pod" => (Some(1), Some(usize::from(is_ready(object)))),
            _ => (Some(count("/spec/replicas").unwrap_or(1)), Some(count("/status/readyReplicas").unwrap_or(0))),
        };
        let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
        let spec = object.pointer(if kind == "Pod" { "/spec" } else { "/spec/template/spec" });
        let node = text("/spec/nodeName").filter(|_| kind == "Pod");
        Self {
            scope: Scope {
                wanted,
                serving,
                revision: text(REVISION).or_else(|| text("/status/updateRevision")),
                template: spec.map_or(Value::Null, |spec| serde_json::json!({"spec": kept(spec)})),
                changed_by: changed_by(object),
                nodes: node.into_iter().collect(),
                gone: false,
            },
            annotations: annotations(object),
            selector: selector(object),
        }
    }

    /// Returns what is known of a workload that is not there.
    pub fn gone() -> Self {
        Self { scope: Scope { gone: true, ..Scope::default() }, ..Self::default() }
    }
}

/// Returns the annotations of ours that an object carries.
pub fn annotations(object: &Value) -> BTreeMap<String, String> {
    let all = object.pointer("/metadata/annotations").and_then(Value::as_object).into_iter().flatten();
    let ours = all.filter(|(name, _)| name.starts_with(OURS));
    ours.filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned()))).collect()
}

fn is_ready(pod: &Value) -> bool {
    let conditions = pod.pointer("/status/conditions").and_then(Value::as_array).into_iter().flatten();
    conditions.into_iter().any(|condition| condition["type"] == "Ready" && condition["status"] == "True")
}

fn kept(spec: &Value) -> Value {
    let only = |from: &Value, names: &[&str]| -> Map<String, Value> {
        names.iter().filter_map(|name| Some(((*name).to_owned(), from.get(*name)?.clone()))).collect()
    };
    let mut pod = only(spec, OF_POD);
    for list in ["containers", "initContainers"] {
        let containers = spec.get(list).and_then(Value::as_array).into_iter().flatten();
        let containers: Vec<Value> = containers.map(|container| only(container, OF_CONTAINER).into()).collect();
        // A pod template without containers is none; one without init containers says so by silence.
        if !containers.is_empty() || list == "containers" {
            pod.insert(list.to_owned(), containers.into());
        }
    }
    pod.into()
}

fn changed_by(object: &Value) -> Option<(String, Timestamp)> {
    let entries = object.pointer("/metadata/managedFields")?.as_array()?;
    let of_template = entries.iter().filter(|entry| {
        entry.get("subresource").is_none() && entry.pointer("/fieldsV1/f:spec/f:template/f:spec").is_some()
    });
    of_template
        .filter_map(|entry| Some((entry["manager"].as_str()?.to_owned(), entry["time"].as_str()?.parse().ok()?)))
        .max_by_key(|(_, at)| *at)
}

fn selector(object: &Value) -> Option<String> {
    let selector = object.pointer("/spec/selector")?.as_object()?;
    let labels = match selector.get("matchLabels") {
        Some(labels) => labels.as_object()?,
        // A ReplicationController has its labels right there.
        None if selector.values().all(Value::is_string) => selector,
        None => return None,
    };
    let equal: Vec<String> =
        labels.iter().filter_map(|(name, value)| Some(format!("{name}={}", value.as_str()?))).collect();
    (!equal.is_empty()).then(|| equal.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn each_kind_counts_in_its_own_fields() {
        let of = |kind: &str, object: Value| {
            let scope = Owner::read(kind, &object).scope;
            (scope.wanted, scope.serving)
        };
        let deployment = json!({"spec": {"replicas": 10}, "status": {"readyReplicas": 3}});
        assert_eq!(of("Deployment", deployment), (Some(10), Some(3)));
        assert_eq!(of("StatefulSet", json!({"spec": {}, "status": {}})), (Some(1), Some(0)));
        let daemons = json!({"status": {"desiredNumberScheduled": 5, "numberReady": 4}});
        assert_eq!(of("DaemonSet", daemons), (Some(5), Some(4)));
        assert_eq!(
            of("Job", json!({"spec": {"parallelism": 4, "completions": 2}, "status": {"ready": 1}})),
            (Some(2), Some(1))
        );
        let pod = json!({"status": {"conditions": [{"type": "Ready", "status": "True"}]}});
        assert_eq!(of("Pod", pod), (Some(1), Some(1)));
    }

    #[test]
    fn nothing_secret_is_kept_and_the_last_hand_is_known() {
        let owner = Owner::read(
            "Deployment",
            &json!({
                "metadata": {
                    "annotations": {"podoctor.dev/channel": "C0TEAM", "other": "x"},
                    "managedFields": [
                        {"manager": "deploy-bot", "time": "2026-05-01T10:00:00Z", "fieldsV1": {"f:spec": {"f:template": {"f:spec": {}}}}},
                        {"manager": "kubectl", "time": "2026-05-01T11:00:00Z", "fieldsV1": {"f:spec": {"f:replicas": {}}}}
                    ]
                },
                "spec": {
                    "selector": {"matchLabels": {"app": "web"}},
                    "template": {"spec": {"containers": [
                        {"name": "web", "image": "web:1", "env": [{"name": "PASSWORD", "value": "hunter2"}], "args": ["--token=x"]}
                    ]}}
                }
            }),
        );
        assert_eq!(owner.scope.template, json!({"spec": {"containers": [{"name": "web", "image": "web:1"}]}}));
        assert_eq!(owner.scope.changed_by.map(|(who, _)| who), Some("deploy-bot".to_owned()));
        assert_eq!(owner.annotations, [("podoctor.dev/channel".to_owned(), "C0TEAM".to_owned())].into());
        assert_eq!(owner.selector.as_deref(), Some("app=web"));
    }
}
