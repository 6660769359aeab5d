//! Lists as tables, the way `kubectl get` asks for them: the columns are the server's business.

use super::kinds::Kind;
use super::nodes::condition;
use super::pods::{self, containers};
use super::time;
use super::workloads::text;
use jiff::Timestamp;
use serde_json::{Value, json};

/// Returns a table of objects of one kind.
pub fn table(kind: &Kind, objects: &[Value], metadata: Value, now: Timestamp) -> Value {
    let columns: Vec<Value> = columns(kind)
        .iter()
        .map(|(name, wide)| {
            let format = if *name == "Name" { "name" } else { "" };
            json!({"name": name, "type": "string", "format": format, "description": "", "priority": u8::from(*wide)})
        })
        .collect();
    let rows: Vec<Value> = objects
        .iter()
        .map(|object| {
            let partial = json!({"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1",
                "metadata": object["metadata"]});
            json!({"cells": cells(kind, object, now), "object": partial})
        })
        .collect();
    json!({"kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": metadata, "columnDefinitions": columns,
        "rows": rows})
}

/// The columns of a kind, and whether they are for wide output only.
fn columns(kind: &Kind) -> &'static [(&'static str, bool)] {
    match kind.kind {
        "Pod" => &[
            ("Name", false),
            ("Ready", false),
            ("Status", false),
            ("Restarts", false),
            ("Age", false),
            ("IP", true),
            ("Node", true),
        ],
        "Node" => &[("Name", false), ("Status", false), ("Roles", false), ("Age", false), ("Version", false)],
        "Deployment" => {
            &[("Name", false), ("Ready", false), ("Up-to-date", false), ("Available", false), ("Age", false)]
        }
        "ReplicaSet" => &[("Name", false), ("Desired", false), ("Current", false), ("Ready", false), ("Age", false)],
        "StatefulSet" | "DaemonSet" => &[("Name", false), ("Ready", false), ("Age", false)],
        "Job" => &[("Name", false), ("Status", false), ("Completions", false), ("Age", false)],
        "Event" => &[("Last Seen", false), ("Type", false), ("Reason", false), ("Object", false), ("Message", false)],
        "PersistentVolumeClaim" => {
            &[("Name", false), ("Status", false), ("Volume", false), ("StorageClass", false), ("Age", false)]
        }
        _ => &[("Name", false), ("Age", false)],
    }
}

fn cells(kind: &Kind, object: &Value, now: Timestamp) -> Vec<Value> {
    let (spec, status) = (&object["spec"], &object["status"]);
    let name = object["metadata"]["name"].clone();
    let age = || Value::from(age(&object["metadata"]["creationTimestamp"], now));
    let of = |ready: &Value, all: &Value| {
        Value::from(format!("{}/{}", ready.as_u64().unwrap_or(0), all.as_u64().unwrap_or(0)))
    };
    let number = |value: &Value| Value::from(value.as_u64().unwrap_or(0).to_string());
    match kind.kind {
        "Pod" => {
            let statuses = || status["containerStatuses"].as_array().into_iter().flatten();
            let ready = statuses().filter(|container| container["ready"] == true).count();
            let restarts: u64 = statuses().filter_map(|container| container["restartCount"].as_u64()).sum();
            let last = statuses().map(|container| &container["lastState"]["terminated"]["finishedAt"]);
            let last = last.filter_map(|end| time::age(end, now)).min();
            let restarts = match last.filter(|_| restarts > 0) {
                Some(last) => format!("{restarts} ({} ago)", duration(last)),
                None => restarts.to_string(),
            };
            let ip = status["podIP"].as_str().unwrap_or("<none>");
            let node = spec["nodeName"].as_str().unwrap_or("<none>");
            let all = containers(spec, "containers").count();
            vec![
                name,
                format!("{ready}/{all}").into(),
                pod_status(object).into(),
                restarts.into(),
                age(),
                ip.into(),
                node.into(),
            ]
        }
        "Node" => {
            let ready = condition(object, "Ready").map_or("Unknown", |ready| match text(&ready["status"]) {
                "True" => "Ready",
                _ => "NotReady",
            });
            let cordoned = if spec["unschedulable"] == true { ",SchedulingDisabled" } else { "" };
            let version = status["nodeInfo"]["kubeletVersion"].clone();
            vec![name, format!("{ready}{cordoned}").into(), "<none>".into(), age(), version]
        }
        "Deployment" => vec![
            name,
            of(&status["readyReplicas"], &spec["replicas"]),
            number(&status["updatedReplicas"]),
            number(&status["availableReplicas"]),
            age(),
        ],
        "ReplicaSet" => {
            vec![name, number(&spec["replicas"]), number(&status["replicas"]), number(&status["readyReplicas"]), age()]
        }
        "StatefulSet" => vec![name, of(&status["readyReplicas"], &spec["replicas"]), age()],
        "DaemonSet" => vec![name, of(&status["numberReady"], &status["desiredNumberScheduled"]), age()],
        "Job" => {
            let state = ["Complete", "Failed"].into_iter().find(|kind| condition(object, kind).is_some());
            vec![name, state.unwrap_or("Running").into(), of(&status["succeeded"], &spec["completions"]), age()]
        }
        "Event" => {
            let times = [&object["series"]["lastObservedTime"], &object["lastTimestamp"], &object["eventTime"]];
            let last = times.into_iter().find(|moment| moment.is_string()).unwrap_or(&Value::Null);
            let about = &object["involvedObject"];
            let about = format!("{}/{}", text(&about["kind"]).to_lowercase(), text(&about["name"]));
            let last = self::age(last, now);
            vec![last.into(), object["type"].clone(), object["reason"].clone(), about.into(), object["message"].clone()]
        }
        "PersistentVolumeClaim" => {
            let volume = text(&spec["volumeName"]).into();
            vec![name, status["phase"].clone(), volume, spec["storageClassName"].clone(), age()]
        }
        _ => vec![name, age()],
    }
}

/// The one word that `kubectl get pods` shows, found as the API server finds it.
fn pod_status(pod: &Value) -> String {
    let status = &pod["status"];
    let mut word = status["reason"].as_str().or(status["phase"].as_str()).unwrap_or("Unknown").to_owned();
    let states = |list: &str| status[list].as_array().cloned().unwrap_or_default();
    let end = |end: &Value| match (end["reason"].as_str(), end["signal"].as_u64()) {
        (Some(reason), _) => reason.to_owned(),
        (None, Some(signal)) => format!("Signal:{signal}"),
        (None, None) => format!("ExitCode:{}", end["exitCode"]),
    };
    let inits = states("initContainerStatuses");
    let open = inits.iter().position(|init| init["state"]["terminated"]["exitCode"] != 0);
    if let Some(i) = open {
        let state = &inits[i]["state"];
        word = match state["waiting"]["reason"].as_str().filter(|reason| *reason != "PodInitializing") {
            Some(reason) => format!("Init:{reason}"),
            None if !state["terminated"].is_null() => format!("Init:{}", end(&state["terminated"])),
            None => format!("Init:{i}/{}", inits.len()),
        };
    } else {
        let mut running = false;
        for container in states("containerStatuses").iter().rev() {
            let state = &container["state"];
            if let Some(reason) = state["waiting"]["reason"].as_str() {
                reason.clone_into(&mut word);
            } else if !state["terminated"].is_null() {
                word = end(&state["terminated"]);
            } else {
                running |= container["ready"] == true;
            }
        }
        if word == "Completed" && running {
            word = if pods::is_ready(pod) { "Running" } else { "NotReady" }.to_owned();
        }
    }
    if pods::is_deleting(pod) && !pods::is_finished(pod) {
        return if status["reason"] == "NodeLost" { "Unknown" } else { "Terminating" }.to_owned();
    }
    word
}

fn age(moment: &Value, now: Timestamp) -> String {
    time::age(moment, now).map_or_else(|| "<unknown>".to_owned(), duration)
}

/// A length of time as kubectl writes it: the two greatest units while they matter, then one.
fn duration(seconds: u64) -> String {
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    let two = |great: u64, unit: char, small: u64, of: char| match small {
        0 => format!("{great}{unit}"),
        small => format!("{great}{unit}{small}{of}"),
    };
    match seconds {
        0..120 => format!("{seconds}s"),
        120..600 => two(minutes, 'm', seconds % 60, 's'),
        600..10_800 => format!("{minutes}m"),
        10_800..28_800 => two(hours, 'h', minutes % 60, 'm'),
        28_800..172_800 => format!("{hours}h"),
        172_800..691_200 => two(days, 'd', hours % 24, 'h'),
        _ => format!("{days}d"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::playground::cluster::RecordedCluster;

    #[test]
    fn lengths_of_time() {
        for (seconds, expected) in
            [(0, "0s"), (119, "119s"), (130, "2m10s"), (600, "10m"), (10_860, "3h1m"), (90_000, "25h"), (700_000, "8d")]
        {
            assert_eq!(duration(seconds), expected);
        }
    }

    #[test]
    fn the_words_that_people_look_for() {
        let cluster = RecordedCluster::load("2026-11-24T10:00:00Z".parse().unwrap());
        for (namespace, name, expected) in [
            ("prod", "manage-5bd487cf9d-bqmvm", "CrashLoopBackOff"),
            ("shop", "storefront-85d7c4bb6f-x9k2m", "ImagePullBackOff"),
            ("data", "kafka-1", "Terminating"),
            ("data", "backup-nightly-7xk2p", "Completed"),
            ("data", "warehouse-6f9c7b8d54-m2gk8", "Pending"),
            ("batch", "transcode-6f8d9c7b5b-5nqhr", "Error"),
            ("batch", "render-6c7d8f9b5d-d4wsp", "ContainerCreating"),
            ("shop", "reviews-84f5b6c7d9-6zvlc", "Running"),
        ] {
            assert_eq!(pod_status(&cluster.get("Pod", namespace, name).unwrap()), expected, "{name}");
        }
    }
}
