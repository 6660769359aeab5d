//! From a recorded document to whole objects: what the API server, the controllers and the kubelets would have added.

use super::placeholders::own;
use crate::playground::cluster::events::{self, Occurrence};
use crate::playground::cluster::identity;
use crate::playground::cluster::kinds::Kind;
use crate::playground::cluster::live::reports;
use crate::playground::cluster::nodes;
use crate::playground::cluster::patch::strategic_patch;
use crate::playground::cluster::pods::{self, Moments, Stage};
use crate::playground::cluster::scheduler;
use crate::playground::cluster::story::{Story, Until};
use crate::playground::cluster::time;
use crate::playground::cluster::workloads::{self, text};
use crate::playground::cluster::world::{World, key_of};
use jiff::{Timestamp, ToSpan};
use serde_json::{Value, json};
use std::time::Duration;

/// Events older than this are gone: the API server's default.
const EVENT_LIFE: i64 = 3600;

/// Adds what one document tells and returns the story of its failure, if it has one.
pub fn document(
    world: &mut World,
    kind: &'static Kind,
    mut object: Value,
    start: Timestamp,
) -> Result<Option<Story>, String> {
    let recorded = object["recorded"].take();
    object.as_object_mut().ok_or("no object")?.remove("recorded");
    complete(world, &mut object, start);
    match kind.kind {
        "Namespace" => namespace(world, object, start),
        "Node" => node(world, object, &recorded, start),
        "Deployment" => return deployment(world, object, &recorded, start),
        "StatefulSet" | "DaemonSet" | "Job" => return set(world, object, &recorded, start),
        "Pod" => return lone_pod(world, object, &recorded, start),
        _ => {
            let stored = put(world, object);
            told_events(world, &stored, &recorded["events"], start)?;
        }
    }
    Ok(None)
}

/// Brings the statuses of all workloads in line with their pods, and says of pods without a node why they have none.
pub fn settle(world: &mut World, start: Timestamp) {
    for pod in world.all("Pod").into_iter().filter(|pod| pod["spec"]["nodeName"].is_null()) {
        if let Err(why) = scheduler::place(world, &pod) {
            let since = time::read(&pod["metadata"]["creationTimestamp"]).unwrap_or(start);
            scheduler::tell(world, &pod, &why, since, start);
        }
    }
    let told = world.all("Deployment");
    reports::statuses(world, start);
    for deployment in told {
        date_conditions(world, &deployment);
    }
}

/// Gives a Deployment's conditions the times that were told, instead of the moment at which they were worked out.
fn date_conditions(world: &mut World, told: &Value) {
    let Some(mut deployment) = key_of(told).and_then(|key| world.get(&key)).map(|deployment| (**deployment).clone())
    else {
        return;
    };
    let deadline = Duration::from_secs(workloads::deadline(told));
    for condition in deployment["status"]["conditions"].as_array_mut().into_iter().flatten() {
        let old = nodes::condition(told, text(&condition["type"])).and_then(|old| time::read(&old["lastUpdateTime"]));
        let Some(mut moment) = old else { continue };
        if condition["reason"] == "ProgressDeadlineExceeded" {
            moment = time::later(moment, deadline);
        }
        (condition["lastUpdateTime"], condition["lastTransitionTime"]) = (time::seconds(moment), time::seconds(moment));
    }
    put(world, deployment);
}

/// Metadata and defaults of any object.
fn complete(world: &World, object: &mut Value, start: Timestamp) {
    let place = format!("{}/{}/{}", object["kind"], object["metadata"]["namespace"], object["metadata"]["name"]);
    let has_spec = object.get("spec").is_some();
    let kind = text(&object["kind"]).to_owned();
    let namespace = text(&object["metadata"]["namespace"]).to_owned();
    let metadata = &mut object["metadata"];
    metadata["uid"] = identity::uid(&place).into();
    if metadata.get("creationTimestamp").is_none() {
        metadata["creationTimestamp"] = time::seconds(start.checked_sub((90 * 24).hours()).unwrap_or(start));
    }
    if has_spec && !matches!(kind.as_str(), "Lease" | "Node" | "Namespace" | "CSINode" | "PersistentVolumeClaim") {
        metadata["generation"] = metadata["generation"].as_u64().unwrap_or(1).into();
    }
    for owner in metadata["ownerReferences"].as_array_mut().into_iter().flatten() {
        let found = world.find(text(&owner["kind"]), &namespace, text(&owner["name"]));
        if let (Some(found), true) = (found, owner["uid"].is_null()) {
            let full = workloads::reference(found);
            *owner = full;
        }
    }
    if metadata["ownerReferences"].is_null()
        && let Some(metadata) = metadata.as_object_mut()
    {
        metadata.remove("ownerReferences");
    }
    if object["spec"]["template"]["spec"].is_object() {
        pods::fill_template(&mut object["spec"]["template"]["spec"]);
    }
    if kind == "Deployment" {
        let spec = &mut object["spec"];
        for (field, value) in [
            ("replicas", json!(1)),
            (
                "strategy",
                json!({"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}}),
            ),
            ("revisionHistoryLimit", json!(10)),
            ("progressDeadlineSeconds", json!(600)),
        ] {
            if spec.get(field).is_none() {
                spec[field] = value;
            }
        }
    }
}

fn namespace(world: &mut World, mut object: Value, start: Timestamp) {
    let name = text(&object["metadata"]["name"]).to_owned();
    object["metadata"]["labels"]["kubernetes.io/metadata.name"] = name.clone().into();
    object["spec"] = json!({"finalizers": ["kubernetes"]});
    object["status"] = json!({"phase": "Active"});
    put(world, object);
    for extra in [
        json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default", "namespace": name}}),
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "kube-root-ca.crt", "namespace": name},
            "data": {"ca.crt": "(cut)"}}),
    ] {
        let mut extra = extra;
        complete(world, &mut extra, start);
        put(world, extra);
    }
}

/// A node, with the Lease and the CSINode that its kubelet keeps.
fn node(world: &mut World, mut object: Value, recorded: &Value, start: Timestamp) {
    let name = text(&object["metadata"]["name"]).to_owned();
    let lost = time::read(&recorded["lostSince"]);
    nodes::fill(&mut object, recorded, start);
    let node = put(world, object);
    let owner = json!([{"apiVersion": "v1", "kind": "Node", "name": name, "uid": node["metadata"]["uid"]}]);
    let renewed = lost.map_or(start, |lost| lost.checked_sub(50.seconds()).unwrap_or(lost));
    for extra in [
        json!({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
            "metadata": {"name": name, "namespace": "kube-node-lease", "ownerReferences": owner},
            "spec": {"holderIdentity": name, "leaseDurationSeconds": 40, "renewTime": time::micros(renewed)}}),
        json!({"apiVersion": "storage.k8s.io/v1", "kind": "CSINode",
            "metadata": {"name": name, "ownerReferences": owner},
            "spec": {"drivers": [{"name": "ebs.csi.example.com", "nodeID": name, "allocatable": {"count": 25},
                "topologyKeys": ["topology.kubernetes.io/zone"]}]}}),
    ] {
        let mut extra = extra;
        complete(world, &mut extra, start);
        put(world, extra);
    }
    let _ = told_events(world, &node, &recorded["events"], start);
}

fn deployment(
    world: &mut World,
    mut object: Value,
    recorded: &Value,
    start: Timestamp,
) -> Result<Option<Story>, String> {
    let revisions = recorded["revisions"].as_array().ok_or("a Deployment needs recorded.revisions")?;
    let last = revisions.last().ok_or("no revision")?;
    let revision = last["revision"].as_u64().unwrap_or(1);
    object["metadata"]["annotations"]["deployment.kubernetes.io/revision"] = revision.to_string().into();
    let since = time::read(&last["since"]).unwrap_or(start);
    let name = format!("{}-{}", text(&object["metadata"]["name"]), text(&last["hash"]));
    let (reason, message) = if recorded["completed"] == true {
        ("NewReplicaSetAvailable", format!("ReplicaSet \"{name}\" has successfully progressed."))
    } else {
        ("ReplicaSetUpdated", format!("ReplicaSet \"{name}\" is progressing."))
    };
    let available = time::read(&recorded["unavailableSince"]).unwrap_or(since);
    object["status"] = json!({"conditions": [
        {"type": "Available", "status": "Unknown", "reason": "", "message": "",
            "lastUpdateTime": time::seconds(available), "lastTransitionTime": time::seconds(available)},
        {"type": "Progressing", "status": "True", "reason": reason, "message": message,
            "lastUpdateTime": time::seconds(since), "lastTransitionTime": time::seconds(since)},
    ]});
    let stored = put(world, object.clone());
    let mut told = Told::default();
    for revision in revisions {
        let mut as_it_was = object.clone();
        if let Some(change) = revision.get("template") {
            strategic_patch(&mut as_it_was["spec"]["template"], change);
        }
        let created = time::read(&revision["since"]).unwrap_or(start);
        let wanted = object["spec"]["replicas"].as_u64().unwrap_or(1);
        let replicas = revision["replicas"].as_u64().unwrap_or(if revision == last { wanted } else { 0 });
        let number = revision["revision"].as_u64().unwrap_or(1);
        let mut set = workloads::replica_set(&as_it_was, text(&revision["hash"]), number, replicas, created);
        if let Some(conditions) = revision.get("conditions") {
            set["status"]["conditions"] = conditions.clone();
        }
        let set = put(world, set);
        told_events(world, &set, &revision["events"], start)?;
        if recent(created, start) && replicas > 0 {
            let message = format!("Scaled up replica set {} from 0 to {replicas}", text(&set["metadata"]["name"]));
            record(world, created, &stored, "ScalingReplicaSet", &message, "deployment-controller");
        }
        told.pods(world, &set, revision, start)?;
    }
    told_events(world, &stored, &recorded["events"], start)?;
    told.story(&object, recorded)
}

fn set(world: &mut World, object: Value, recorded: &Value, start: Timestamp) -> Result<Option<Story>, String> {
    let stored = put(world, object.clone());
    let mut told = Told::default();
    told.pods(world, &stored, recorded, start)?;
    told_events(world, &stored, &recorded["events"], start)?;
    told.story(&object, recorded)
}

fn lone_pod(world: &mut World, object: Value, recorded: &Value, start: Timestamp) -> Result<Option<Story>, String> {
    let mut told = Told::default();
    let mut pod = object;
    let name = text(&pod["metadata"]["name"]).to_owned();
    pods::fill_spec(&mut pod["spec"], &name);
    pod["metadata"]["generation"] = 1.into();
    told.finish(world, pod.clone(), recorded, start)?;
    told.story(&pod, recorded)
}

/// The pods of one workload, and what is remembered of the first failing one.
#[derive(Default)]
struct Told {
    sample: Option<(Value, Value, Value)>,
    /// The first pod of all, sick or well.
    first: Option<Value>,
    failing: Vec<String>,
}

impl Told {
    fn pods(&mut self, world: &mut World, owner: &Value, recorded: &Value, start: Timestamp) -> Result<(), String> {
        let since = recorded["since"].clone();
        for (i, node) in recorded["ready"].as_array().into_iter().flatten().enumerate() {
            let ending = identity::letters(&format!("{}/{i}", owner["metadata"]["uid"]), 5);
            let pod = json!({"name": ending, "node": node, "since": since, "stage": "ready", "healthy": true});
            self.pod(world, owner, &pod, start)?;
        }
        for pod in recorded["pods"].as_array().into_iter().flatten() {
            let mut pod = pod.clone();
            if pod.get("since").is_none() {
                pod["since"] = since.clone();
            }
            self.pod(world, owner, &pod, start)?;
        }
        Ok(())
    }

    fn pod(&mut self, world: &mut World, owner: &Value, recorded: &Value, start: Timestamp) -> Result<(), String> {
        let created = time::read(&recorded["since"]).or_else(|| time::read(&owner["metadata"]["creationTimestamp"]));
        let created = created.unwrap_or(start);
        let name = format!("{}-{}", text(&owner["metadata"]["name"]), text(&recorded["name"]));
        let pod = workloads::pod(owner, &name, created);
        if recent(created, start) {
            let (message, controller) = match owner["kind"].as_str() {
                Some("StatefulSet") => (
                    format!("Create Pod {name} in StatefulSet {} successful", text(&owner["metadata"]["name"])),
                    "statefulset-controller",
                ),
                Some("Job") => (format!("Created pod: {name}"), "job-controller"),
                Some("DaemonSet") => (format!("Created pod: {name}"), "daemonset-controller"),
                _ => (format!("Created pod: {name}"), "replicaset-controller"),
            };
            record(world, created, owner, "SuccessfulCreate", &message, controller);
        }
        self.finish(world, pod, recorded, start)
    }

    /// Puts a pod where its story has brought it.
    fn finish(&mut self, world: &mut World, mut pod: Value, recorded: &Value, start: Timestamp) -> Result<(), String> {
        let created = time::read(&pod["metadata"]["creationTimestamp"]).unwrap_or(start);
        let started = time::read(&recorded["started"]).unwrap_or(time::later(created, Duration::from_secs(3)));
        let settled = time::read(&recorded["settled"]).unwrap_or(time::later(started, Duration::from_secs(8)));
        let stage = Stage::named(recorded["stage"].as_str().unwrap_or("ready")).ok_or("stage is unknown")?;
        for part in ["metadata", "spec"] {
            if let Some(change) = recorded.get(part) {
                strategic_patch(&mut pod[part], change);
            }
        }
        let node = recorded["node"].as_str().map(str::to_owned);
        let mut ip = String::new();
        let mut host_ip = String::new();
        if let Some(node) = &node {
            let found = world.find("Node", "", node).ok_or_else(|| format!("there is no node {node}"))?.clone();
            pod["spec"]["nodeName"] = node.clone().into();
            host_ip = nodes::address(&found).to_owned();
            ip = if pod["spec"]["hostNetwork"] == true { host_ip.clone() } else { nodes::free_address(world, &found) };
        }
        let uid = text(&pod["metadata"]["uid"]).to_owned();
        let name = text(&pod["metadata"]["name"]).to_owned();
        pod["status"] = pods::status(&pod, stage, Moments { created, started, settled }, &host_ip, &ip);
        if let Some(change) = recorded.get("status") {
            strategic_patch(&mut pod["status"], &own(change.clone(), &name, &uid, &ip));
        }
        if let Some(deleted) = recorded.get("deleted") {
            pod["metadata"]["deletionTimestamp"] = deleted["at"].clone();
            pod["metadata"]["deletionGracePeriodSeconds"] = deleted["grace"].clone();
            pod["metadata"]["generation"] = 2.into();
        }
        let stored = put(world, pod);
        if let Some(node) = node.as_deref().filter(|_| recent(created, start)) {
            ordinary_events(world, &stored, node, stage, created, started);
        }
        told_events(world, &stored, &own(recorded["events"].clone(), &name, &uid, &ip), start)?;
        let place = (text(&stored["metadata"]["namespace"]), text(&stored["metadata"]["name"]));
        for (container, log) in recorded["logs"].as_object().into_iter().flatten() {
            let log = own(log.clone(), &name, &uid, &ip);
            world.logs.insert((place.0.into(), place.1.into(), container.clone()), text(&log).to_owned());
        }
        self.first.get_or_insert_with(|| stored.clone());
        if recorded["healthy"] != true {
            self.failing.push(uid);
            if self.sample.is_none() {
                self.sample = Some((stored, recorded["events"].clone(), recorded["logs"].clone()));
            }
        }
        Ok(())
    }

    /// Returns the story, where the data says when it is over; healthy workloads have none, or one that comes later.
    fn story(self, of: &Value, recorded: &Value) -> Result<Option<Story>, String> {
        let later = &recorded["later"];
        let Some(until) = recorded.get("until").or(later.get("until")) else { return Ok(None) };
        let until = Until::read(until).ok_or("until cannot be read")?;
        let (mut sample, mut events, mut logs) = self.sample.unwrap_or_default();
        let mut pods = self.failing.len();
        if !later.is_null() {
            sample = self.first.ok_or("there is no pod that could fail later")?;
            strategic_patch(&mut sample["status"], &later["status"]);
            (events, logs) = (later["events"].clone(), later["logs"].clone());
            pods = usize::try_from(later["pods"].as_u64().unwrap_or(1)).unwrap_or(1);
        }
        let metadata = &of["metadata"];
        let template = of["spec"]["template"].get("spec").unwrap_or(&of["spec"]);
        Ok(Some(Story {
            of: (text(&of["kind"]).into(), text(&metadata["namespace"]).into(), text(&metadata["name"]).into()),
            template: template.clone(),
            sample,
            events,
            logs,
            pods,
            failing: self.failing,
            until,
            begins: time::read(&later["at"]),
        }))
    }
}

/// What the scheduler and the kubelet say of every pod that comes up.
fn ordinary_events(world: &mut World, pod: &Value, node: &str, stage: Stage, created: Timestamp, started: Timestamp) {
    let place = format!("{}/{}", text(&pod["metadata"]["namespace"]), text(&pod["metadata"]["name"]));
    let message = format!("Successfully assigned {place} to {node}");
    record(world, created, pod, "Scheduled", &message, "default-scheduler");
    if !matches!(stage, Stage::Running | Stage::Ready | Stage::Succeeded | Stage::Failed) {
        return;
    }
    for container in
        pods::containers(&pod["spec"], "initContainers").chain(pods::containers(&pod["spec"], "containers"))
    {
        events::started(world, started, pod, container, node);
    }
}

/// The events that a document tells.
fn told_events(world: &mut World, about: &Value, told: &Value, start: Timestamp) -> Result<(), String> {
    for event in told.as_array().into_iter().flatten() {
        let last = time::read(&event["last"]).ok_or("an event needs last")?;
        let first = time::read(&event["first"]).unwrap_or(last);
        if start.duration_since(last).as_secs() > EVENT_LIFE {
            return Err(format!("the event {} is too old to be there still", event["reason"]));
        }
        let node = about["spec"]["nodeName"].as_str().or(about["metadata"]["name"].as_str());
        let component = event["from"].as_str().unwrap_or("kubelet");
        let field_path = event["container"].as_str().map(|name| format!("spec.containers{{{name}}}"));
        let field_path =
            event["initContainer"].as_str().map(|name| format!("spec.initContainers{{{name}}}")).or(field_path);
        let what = Occurrence {
            warning: event["type"] != "Normal",
            reason: event["reason"].as_str().ok_or("an event needs a reason")?,
            message: event["message"].as_str().ok_or("an event needs a message")?.trim_end(),
            component,
            host: if component == "kubelet" { node.unwrap_or_default() } else { "" },
            field_path: field_path.as_deref().unwrap_or_default(),
        };
        events::record_many(world, first, last, event["count"].as_u64().unwrap_or(1), about, what);
    }
    Ok(())
}

fn record(world: &mut World, at: Timestamp, about: &Value, reason: &str, message: &str, component: &str) {
    let what = Occurrence { warning: false, reason, message, component, host: "", field_path: "" };
    events::record(world, at, about, what);
}

fn recent(moment: Timestamp, start: Timestamp) -> bool {
    start.duration_since(moment).as_secs() < EVENT_LIFE
}

fn put(world: &mut World, object: Value) -> Value {
    let key = key_of(&object).expect("its kind was looked up before");
    (*world.put(key, object)).clone()
}
