//! A cluster of 10,000 pods of about 8 KB, 300 of them sick of five causes, with their nodes, owners and events.

use crate::plane::api::{Etcd, Resource, encode};
use serde_json::{Value, json};

pub const PODS: usize = 10_000;
/// Every so many pods one is sick: 300 in all.
const SICK_OF: usize = 100;
const SICK_IN: usize = 3;
const OF_A_WORKLOAD: usize = 10;
const NAMESPACES: usize = 20;
const NODES: usize = 200;

/// Returns the names of the namespaces.
pub fn namespaces() -> Vec<String> {
    (0..NAMESPACES).map(|number| format!("team-{number:02}")).collect()
}

/// Returns the names of the sick pods, as people would ask for them.
pub fn sick() -> Vec<String> {
    (0..PODS).filter(|number| illness(*number).is_some()).map(|n| format!("{}/{}", namespace(n), name(n))).collect()
}

/// Writes objects past the API server, a hundred at a time: thousands in seconds, with the times and states they carry.
pub async fn load(etcd: &Etcd, objects: &[(Resource, Value)]) -> anyhow::Result<()> {
    // etcd takes 128 operations and 1.5 MiB at once.
    for chunk in objects.chunks(100) {
        let put = |(resource, object): &(Resource, Value)| {
            let word = |field: &str| object["metadata"][field].as_str().unwrap_or_default();
            let key = etcd.key(resource, word("namespace"), word("name"));
            let value = encode(object.to_string().as_bytes());
            json!({ "request_put": { "key": encode(key.as_bytes()), "value": value } })
        };
        let puts: Vec<Value> = chunk.iter().map(put).collect();
        etcd.call("txn", &json!({ "success": puts })).await?;
    }
    Ok(())
}

/// Returns everything in the cluster, as stored.
pub fn objects(now: jiff::Timestamp) -> Vec<(Resource, Value)> {
    let mut objects: Vec<_> = (0..NODES).map(|number| (cluster("nodes"), node(number, now))).collect();
    objects.extend((0..PODS / OF_A_WORKLOAD).map(|number| (apps("replicasets"), replica_set(number, now))));
    for number in 0..PODS {
        objects.push((core("pods"), pod(number, now)));
        objects.extend(event(number, now).map(|event| (core("events"), event)));
    }
    objects
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Illness {
    KilledForMemory,
    NoImage,
    NoRoom,
    NoConfigMap,
    Finalizer,
}

/// The same for a whole workload, as it tends to be: three of every hundred pods.
fn illness(number: usize) -> Option<Illness> {
    use Illness::{Finalizer, KilledForMemory, NoConfigMap, NoImage, NoRoom};
    let all = [KilledForMemory, NoImage, NoRoom, NoConfigMap, Finalizer];
    (number % SICK_OF < SICK_IN).then(|| all[number / SICK_OF % all.len()])
}

fn namespace(number: usize) -> String {
    format!("team-{:02}", number / OF_A_WORKLOAD % NAMESPACES)
}

fn app(number: usize) -> String {
    format!("app-{:04}", number / OF_A_WORKLOAD)
}

fn name(number: usize) -> String {
    format!("{}-5bd487cf9d-{number:05}", app(number))
}

fn uid(kind: usize, number: usize) -> String {
    format!("{kind:08x}-0000-4000-8000-{number:012x}")
}

fn resource(api_version: &str, plural: &str, namespaced: bool) -> Resource {
    Resource { api_version: api_version.to_owned(), plural: plural.to_owned(), namespaced, has_status: true }
}

fn core(plural: &str) -> Resource {
    resource("v1", plural, true)
}

fn cluster(plural: &str) -> Resource {
    resource("v1", plural, false)
}

fn apps(plural: &str) -> Resource {
    resource("apps/v1", plural, true)
}

fn before(now: jiff::Timestamp, seconds: i64) -> Value {
    let then = now - jiff::SignedDuration::from_secs(seconds);
    json!(then.strftime("%Y-%m-%dT%H:%M:%SZ").to_string())
}

fn node(number: usize, now: jiff::Timestamp) -> Value {
    let size = json!({"cpu": "16", "memory": "64Gi", "pods": "110", "ephemeral-storage": "200Gi"});
    json!({
        "apiVersion": "v1", "kind": "Node",
        "metadata": {"name": format!("node-{number:03}"), "uid": uid(1, number), "creationTimestamp": before(now, 864_000)},
        "spec": {},
        "status": {"allocatable": size, "capacity": size, "conditions": [{"type": "Ready", "status": "True",
            "reason": "KubeletReady", "message": "kubelet is posting ready status",
            "lastHeartbeatTime": before(now, 20), "lastTransitionTime": before(now, 864_000)}]},
    })
}

fn replica_set(number: usize, now: jiff::Timestamp) -> Value {
    let first = number * OF_A_WORKLOAD;
    let labels = json!({"app": app(first), "pod-template-hash": "5bd487cf9d"});
    let image = format!("registry.example/{}:1.4", app(first));
    json!({
        "apiVersion": "apps/v1", "kind": "ReplicaSet",
        "metadata": {"name": format!("{}-5bd487cf9d", app(first)), "namespace": namespace(first), "uid": uid(2, number),
            "labels": labels, "creationTimestamp": before(now, 90_000), "ownerReferences": [{"apiVersion": "apps/v1",
            "kind": "Deployment", "name": app(first), "uid": uid(3, number), "controller": true}]},
        "spec": {"replicas": OF_A_WORKLOAD, "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "app", "image": image}]}}},
        "status": {"replicas": OF_A_WORKLOAD, "readyReplicas": OF_A_WORKLOAD},
    })
}

fn pod(number: usize, now: jiff::Timestamp) -> Value {
    let ill = illness(number);
    let born = before(now, 1_800);
    let memory = if ill == Some(Illness::NoRoom) { "1Ti" } else { "256Mi" };
    let env: Vec<Value> = (0..30)
        .map(
            |n| json!({"name": format!("SETTING_{n:02}"), "value": format!("https://service-{n:02}.example/path/{n}")}),
        )
        .collect();
    let mut container = json!({
        "name": "app", "image": format!("registry.example/{}:1.4", app(number)), "imagePullPolicy": "IfNotPresent",
        "env": env, "resources": {"requests": {"cpu": "100m", "memory": memory}, "limits": {"memory": memory}},
        "readinessProbe": {"httpGet": {"path": "/ready", "port": 8080, "scheme": "HTTP"}, "periodSeconds": 10,
            "timeoutSeconds": 1, "successThreshold": 1, "failureThreshold": 3},
        "terminationMessagePath": "/dev/termination-log", "terminationMessagePolicy": "File",
    });
    if ill == Some(Illness::NoConfigMap) {
        container["envFrom"] = json!([{"configMapRef": {"name": "settings"}}]);
    }
    let mut metadata = json!({
        "name": name(number), "namespace": namespace(number), "uid": uid(4, number), "creationTimestamp": born,
        "labels": {"app": app(number), "pod-template-hash": "5bd487cf9d"},
        "ownerReferences": [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "controller": true,
            "name": format!("{}-5bd487cf9d", app(number)), "uid": uid(2, number / OF_A_WORKLOAD)}],
        "managedFields": managed_fields(&born),
    });
    if ill == Some(Illness::Finalizer) {
        metadata["finalizers"] = json!(["example.com/cleanup"]);
        metadata["deletionTimestamp"] = before(now, 900);
        metadata["deletionGracePeriodSeconds"] = json!(30);
    }
    let mut spec = json!({
        "containers": [container], "restartPolicy": "Always", "terminationGracePeriodSeconds": 30,
        "dnsPolicy": "ClusterFirst", "schedulerName": "default-scheduler", "serviceAccountName": "default",
    });
    if ill != Some(Illness::NoRoom) {
        spec["nodeName"] = json!(format!("node-{:03}", number % NODES));
    }
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec, "status": status(number, ill, now)})
}

/// Who set which field: half of what a pod weighs in a real cluster.
fn managed_fields(at: &Value) -> Value {
    let of_env: serde_json::Map<String, Value> = (0..30)
        .map(|n| (format!("k:{{\"name\":\"SETTING_{n:02}\"}}"), json!({".": {}, "f:name": {}, "f:value": {}})))
        .collect();
    let of_conditions: serde_json::Map<String, Value> = ["Ready", "Initialized", "ContainersReady", "PodScheduled"]
        .into_iter()
        .map(|t| {
            (
                format!("k:{{\"type\":\"{t}\"}}"),
                json!({".": {}, "f:type": {}, "f:status": {}, "f:message": {},
            "f:reason": {}, "f:lastProbeTime": {}, "f:lastTransitionTime": {}}),
            )
        })
        .collect();
    json!([
        {"manager": "kube-controller-manager", "operation": "Update", "apiVersion": "v1", "time": at,
            "fieldsType": "FieldsV1", "fieldsV1": {"f:spec": {"f:containers": {"k:{\"name\":\"app\"}": {"f:env": of_env}}}}},
        {"manager": "kubelet", "operation": "Update", "apiVersion": "v1", "time": at, "subresource": "status",
            "fieldsType": "FieldsV1", "fieldsV1": {"f:status": {"f:conditions": of_conditions}}},
    ])
}

fn status(number: usize, ill: Option<Illness>, now: jiff::Timestamp) -> Value {
    let born = before(now, 1_800);
    let ready = matches!(ill, None | Some(Illness::Finalizer));
    if ill == Some(Illness::NoRoom) {
        return json!({"phase": "Pending", "conditions": [{"type": "PodScheduled", "status": "False",
            "reason": "Unschedulable", "message": NO_ROOM, "lastTransitionTime": born}]});
    }
    let waiting = |reason: &str, message: String| json!({"waiting": {"reason": reason, "message": message}});
    let image = format!("registry.example/{}:1.4", app(number));
    let state = match ill {
        Some(Illness::KilledForMemory) => {
            waiting("CrashLoopBackOff", "back-off 5m0s restarting failed container=app".to_owned())
        }
        Some(Illness::NoImage) => {
            waiting("ImagePullBackOff", format!("Back-off pulling image \"{image}\": {}", no_image(&image)))
        }
        Some(Illness::NoConfigMap) => {
            waiting("CreateContainerConfigError", "configmap \"settings\" not found".to_owned())
        }
        Some(Illness::NoRoom | Illness::Finalizer) | None => json!({"running": {"startedAt": born}}),
    };
    let mut container = json!({"name": "app", "image": image, "ready": ready, "started": ready, "restartCount": 0,
        "imageID": format!("registry.example/{}@sha256:{number:064x}", app(number)), "state": state,
        "containerID": format!("containerd://{number:064x}")});
    if ill == Some(Illness::KilledForMemory) {
        container["restartCount"] = json!(7);
        container["lastState"] = json!({"terminated": {"exitCode": 137, "reason": "OOMKilled",
            "startedAt": before(now, 200), "finishedAt": before(now, 120)}});
    }
    let condition = |kind: &str, holds: bool| {
        let mut condition =
            json!({"type": kind, "status": if holds { "True" } else { "False" }, "lastTransitionTime": born});
        if !holds {
            condition["reason"] = json!("ContainersNotReady");
            condition["message"] = json!("containers with unready status: [app]");
        }
        condition
    };
    let phase = if matches!(ill, Some(Illness::NoImage | Illness::NoConfigMap)) { "Pending" } else { "Running" };
    json!({"phase": phase, "startTime": born, "podIP": "10.0.0.1", "qosClass": "Burstable", "containerStatuses": [container],
        "conditions": [condition("PodScheduled", true), condition("Initialized", true), condition("Ready", ready),
            condition("ContainersReady", ready)]})
}

const NO_ROOM: &str = "0/200 nodes are available: 200 Insufficient memory. preemption: 0/200 nodes are available: \
    200 No preemption victims found for incoming pod.";

fn no_image(image: &str) -> String {
    format!(
        "rpc error: code = NotFound desc = failed to pull and unpack image \"{image}\": failed to resolve \
        reference \"{image}\": {image}: not found"
    )
}

fn event(number: usize, now: jiff::Timestamp) -> Option<Value> {
    let image = format!("registry.example/{}:1.4", app(number));
    let (reason, message, component) = match illness(number)? {
        Illness::KilledForMemory => ("BackOff", "Back-off restarting failed container app".to_owned(), "kubelet"),
        Illness::NoImage => ("Failed", format!("Failed to pull image \"{image}\": {}", no_image(&image)), "kubelet"),
        Illness::NoRoom => ("FailedScheduling", NO_ROOM.to_owned(), "default-scheduler"),
        Illness::NoConfigMap => ("Failed", "Error: configmap \"settings\" not found".to_owned(), "kubelet"),
        Illness::Finalizer => return None,
    };
    Some(json!({
        "apiVersion": "v1", "kind": "Event", "type": "Warning", "reason": reason, "message": message, "count": 12,
        "metadata": {"name": format!("{}.1", name(number)), "namespace": namespace(number), "uid": uid(5, number),
            "creationTimestamp": before(now, 1_700)},
        "involvedObject": {"apiVersion": "v1", "kind": "Pod", "name": name(number), "namespace": namespace(number),
            "uid": uid(4, number)},
        "firstTimestamp": before(now, 1_700), "lastTimestamp": before(now, 60), "source": {"component": component},
    }))
}
