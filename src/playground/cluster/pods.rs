//! Pods as the API server completes their specs and as kubelets report them.

use super::identity;
use super::time;
use jiff::Timestamp;
use serde_json::{Value, json};

/// How far a pod has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// No node yet.
    Pending,
    /// On a node, without a sandbox.
    Creating,
    /// The sandbox is there, the containers do not start.
    Waiting,
    /// The containers run and are not ready.
    Running,
    Ready,
    Succeeded,
    Failed,
}

impl Stage {
    /// Reads the word used in recorded data.
    pub fn named(name: &str) -> Option<Stage> {
        Some(match name {
            "pending" => Stage::Pending,
            "creating" => Stage::Creating,
            "waiting" => Stage::Waiting,
            "running" => Stage::Running,
            "ready" => Stage::Ready,
            "succeeded" => Stage::Succeeded,
            "failed" => Stage::Failed,
            _ => return None,
        })
    }
}

/// Where and when a status takes place.
#[derive(Debug, Clone, Copy)]
pub struct Moments {
    pub created: Timestamp,
    /// When the containers started.
    pub started: Timestamp,
    /// When they became ready, or ended.
    pub settled: Timestamp,
}

pub fn is_ready(pod: &Value) -> bool {
    super::nodes::condition(pod, "Ready").is_some_and(|ready| ready["status"] == "True")
}

pub fn is_deleting(object: &Value) -> bool {
    object["metadata"].get("deletionTimestamp").is_some()
}

pub fn is_finished(pod: &Value) -> bool {
    matches!(pod["status"]["phase"].as_str(), Some("Succeeded" | "Failed"))
}

pub fn containers<'a>(spec: &'a Value, list: &str) -> impl Iterator<Item = &'a Value> {
    spec[list].as_array().into_iter().flatten()
}

/// Fills in what the API server defaults in a pod template.
pub fn fill_template(spec: &mut Value) {
    default(spec, "restartPolicy", json!("Always"));
    default(spec, "terminationGracePeriodSeconds", json!(30));
    default(spec, "dnsPolicy", json!("ClusterFirst"));
    default(spec, "securityContext", json!({}));
    default(spec, "schedulerName", json!("default-scheduler"));
    if let Some(account) = spec.get("serviceAccountName").cloned() {
        default(spec, "serviceAccount", account);
    }
    for list in ["initContainers", "containers"] {
        for container in spec[list].as_array_mut().into_iter().flatten() {
            fill_container(container);
        }
    }
    if spec["initContainers"].is_null()
        && let Some(spec) = spec.as_object_mut()
    {
        spec.remove("initContainers");
    }
    for volume in spec["volumes"].as_array_mut().into_iter().flatten() {
        for source in ["configMap", "secret", "projected"] {
            if volume[source].is_object() {
                default(&mut volume[source], "defaultMode", json!(420));
            } else if let Some(volume) = volume.as_object_mut() {
                volume.remove(source);
            }
        }
    }
    if spec["volumes"].is_null()
        && let Some(spec) = spec.as_object_mut()
    {
        spec.remove("volumes");
    }
}

/// Fills in what only a pod gets, from its template or from whoever created it.
pub fn fill_spec(spec: &mut Value, seed: &str) {
    default(spec, "serviceAccountName", json!("default"));
    fill_template(spec);
    default(spec, "priority", json!(0));
    default(spec, "enableServiceLinks", json!(true));
    default(spec, "preemptionPolicy", json!("PreemptLowerPriority"));
    let mut tolerations = spec["tolerations"].as_array().cloned().unwrap_or_default();
    for key in ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"] {
        if !tolerations.iter().any(|toleration| toleration["key"] == key) {
            let toleration = json!({"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300});
            tolerations.push(toleration);
        }
    }
    spec["tolerations"] = tolerations.into();
    add_token_volume(spec, seed);
}

fn add_token_volume(spec: &mut Value, seed: &str) {
    let mut volumes = spec["volumes"].as_array().cloned().unwrap_or_default();
    let has_token = volumes.iter().any(|v| v["name"].as_str().is_some_and(|name| name.starts_with("kube-api-access-")));
    if has_token || spec["automountServiceAccountToken"] == false {
        return;
    }
    let name = format!("kube-api-access-{}", identity::letters(&format!("token/{seed}"), 5));
    volumes.push(json!({"name": name, "projected": {"defaultMode": 420, "sources": [
        {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}},
        {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
        {"downwardAPI": {"items": [
            {"path": "namespace", "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"}}]}},
    ]}}));
    spec["volumes"] = volumes.into();
    let mount = json!({"name": name, "readOnly": true, "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount"});
    for list in ["initContainers", "containers"] {
        if !spec[list].is_array() {
            continue;
        }
        for container in spec[list].as_array_mut().into_iter().flatten() {
            let mut mounts = container["volumeMounts"].as_array().cloned().unwrap_or_default();
            mounts.push(mount.clone());
            container["volumeMounts"] = mounts.into();
        }
    }
}

fn fill_container(container: &mut Value) {
    let image = container["image"].as_str().unwrap_or_default();
    let policy = if image.ends_with(":latest") || !image.rsplit('/').next().unwrap_or_default().contains([':', '@']) {
        "Always"
    } else {
        "IfNotPresent"
    };
    default(container, "imagePullPolicy", json!(policy));
    default(container, "resources", json!({}));
    default(container, "terminationMessagePath", json!("/dev/termination-log"));
    default(container, "terminationMessagePolicy", json!("File"));
    // A limit without a request is the request as well.
    let limits = container["resources"]["limits"].as_object().cloned().unwrap_or_default();
    for (resource, limit) in limits {
        default_in(container, &["resources", "requests"], &resource, limit);
    }
    for probe in ["livenessProbe", "readinessProbe", "startupProbe"] {
        if !container.get(probe).is_some_and(Value::is_object) {
            continue;
        }
        let probe = &mut container[probe];
        for (field, value) in
            [("timeoutSeconds", 1), ("periodSeconds", 10), ("successThreshold", 1), ("failureThreshold", 3)]
        {
            default(probe, field, json!(value));
        }
        if probe.get("httpGet").is_some() {
            default(&mut probe["httpGet"], "scheme", json!("HTTP"));
        }
    }
    if let Some(ports) = container.get_mut("ports").and_then(Value::as_array_mut) {
        for port in ports {
            default(port, "protocol", json!("TCP"));
        }
    }
}

/// Returns the quality-of-service class that follows from the resources.
pub fn qos(spec: &Value) -> &'static str {
    let all: Vec<&Value> = containers(spec, "initContainers").chain(containers(spec, "containers")).collect();
    let named = |container: &Value, list: &str, resource: &str| !container["resources"][list][resource].is_null();
    let guaranteed = all.iter().all(|container| {
        ["cpu", "memory"].iter().all(|resource| {
            named(container, "limits", resource)
                && container["resources"]["limits"][*resource] == container["resources"]["requests"][*resource]
        })
    });
    let anything = all.iter().any(|container| {
        ["cpu", "memory"].iter().any(|r| named(container, "limits", r) || named(container, "requests", r))
    });
    match (guaranteed && !all.is_empty(), anything) {
        (true, _) => "Guaranteed",
        (false, true) => "Burstable",
        (false, false) => "BestEffort",
    }
}

/// Returns the status that a pod of this spec has at a stage, as the scheduler and the kubelet would write it.
pub fn status(pod: &Value, stage: Stage, moments: Moments, host_ip: &str, pod_ip: &str) -> Value {
    let spec = &pod["spec"];
    let generation = pod["metadata"]["generation"].clone();
    let qos = qos(spec);
    if stage == Stage::Pending {
        return json!({"observedGeneration": generation, "phase": "Pending", "qosClass": qos});
    }
    let names: Vec<&str> = containers(spec, "containers").filter_map(|c| c["name"].as_str()).collect();
    let ended = matches!(stage, Stage::Succeeded | Stage::Failed);
    let sandbox = !ended && stage != Stage::Creating;
    let initialized = sandbox || ended || spec["initContainers"].is_null();
    let ready = stage == Stage::Ready;
    let created = time::seconds(moments.created);
    let unready = || match stage {
        Stage::Succeeded => ("PodCompleted", None),
        Stage::Failed => ("PodFailed", None),
        _ => ("ContainersNotReady", Some(format!("containers with unready status: [{}]", names.join(" ")))),
    };
    let condition = |kind: &str, holds: bool, at: Value, why: Option<(&str, Option<String>)>| {
        let mut condition = json!({"type": kind, "observedGeneration": generation,
            "status": if holds { "True" } else { "False" }, "lastProbeTime": null, "lastTransitionTime": at});
        if let Some((reason, message)) = why {
            condition["reason"] = reason.into();
            if let Some(message) = message {
                condition["message"] = message.into();
            }
        }
        condition
    };
    let settled = if ready || ended { time::seconds(moments.settled) } else { created.clone() };
    let uninitialized = (!initialized).then(|| {
        let names: Vec<&str> = containers(spec, "initContainers").filter_map(|c| c["name"].as_str()).collect();
        ("ContainersNotInitialized", Some(format!("containers with incomplete status: [{}]", names.join(" "))))
    });
    let completed = (stage == Stage::Succeeded).then_some(("PodCompleted", None));
    let conditions = json!([
        condition(
            "PodReadyToStartContainers",
            sandbox,
            if sandbox { time::seconds(moments.started) } else { settled.clone() },
            None
        ),
        condition("Initialized", initialized, created.clone(), uninitialized.or(completed)),
        condition("Ready", ready, settled.clone(), (!ready).then(unready)),
        condition("ContainersReady", ready, settled.clone(), (!ready).then(unready)),
        condition("PodScheduled", true, created.clone(), None),
    ]);
    let phase = match stage {
        Stage::Pending | Stage::Creating | Stage::Waiting => "Pending",
        Stage::Running | Stage::Ready => "Running",
        Stage::Succeeded => "Succeeded",
        Stage::Failed => "Failed",
    };
    let list = |list: &str| -> Value {
        containers(spec, list).map(|container| container_status(pod, container, list, stage, moments)).collect()
    };
    let mut status = json!({
        "observedGeneration": generation, "phase": phase, "conditions": conditions, "hostIP": host_ip,
        "hostIPs": [{"ip": host_ip}], "startTime": created, "containerStatuses": list("containers"), "qosClass": qos,
    });
    if sandbox || ended {
        status["podIP"] = pod_ip.into();
        status["podIPs"] = json!([{"ip": pod_ip}]);
    }
    if !spec["initContainers"].is_null() {
        status["initContainerStatuses"] = list("initContainers");
    }
    status
}

fn container_status(pod: &Value, container: &Value, list: &str, stage: Stage, moments: Moments) -> Value {
    let name = container["name"].as_str().unwrap_or_default();
    let image = container["image"].as_str().unwrap_or_default();
    let seed = format!("{}/{name}/{}", pod["metadata"]["uid"], moments.started);
    let id = format!("containerd://{}", identity::hex(&seed, 64));
    let init = list == "initContainers";
    let initializing = !pod["spec"]["initContainers"].is_null();
    let ended = |exit_code: i64, reason: &str, from: Timestamp, to: Timestamp| {
        json!({"terminated": {"exitCode": exit_code, "reason": reason, "startedAt": time::seconds(from),
            "finishedAt": time::seconds(to), "containerID": id}})
    };
    let state = match stage {
        Stage::Creating if initializing => json!({"waiting": {"reason": "PodInitializing"}}),
        _ if init => ended(0, "Completed", moments.created, moments.started),
        Stage::Creating | Stage::Waiting | Stage::Pending => json!({"waiting": {"reason": "ContainerCreating"}}),
        Stage::Running | Stage::Ready => json!({"running": {"startedAt": time::seconds(moments.started)}}),
        Stage::Succeeded => ended(0, "Completed", moments.started, moments.settled),
        Stage::Failed => ended(1, "Error", moments.started, moments.settled),
    };
    let there = state.get("waiting").is_none();
    let repository =
        image.rsplit_once(':').map_or(image, |(repository, tag)| if tag.contains('/') { image } else { repository });
    let mut status = json!({
        "name": name, "state": state, "lastState": {}, "restartCount": 0, "image": image,
        "imageID": if there { format!("{repository}@sha256:{}", identity::hex(image, 64)) } else { String::new() },
        "ready": stage == Stage::Ready || (init && there),
        "started": matches!(stage, Stage::Running | Stage::Ready) && !init,
    });
    if there {
        status["containerID"] = id.into();
        status["resources"] = container["resources"].clone();
        if let Some(requests) = container["resources"].get("requests") {
            status["allocatedResources"] = requests.clone();
        }
    }
    status
}

fn default(object: &mut Value, field: &str, value: Value) {
    if object.get(field).is_none_or(Value::is_null) {
        object[field] = value;
    }
}

fn default_in(object: &mut Value, path: &[&str], field: &str, value: Value) {
    let mut place = object;
    for part in path {
        default(place, part, json!({}));
        place = &mut place[*part];
    }
    default(place, field, value);
}
