//! The kubelets: they start what was given to their nodes, let it fail as its story says, and stop what was deleted.

use super::{Engine, REPEAT, Sickness, put};
use crate::playground::cluster::events::{self, Occurrence};
use crate::playground::cluster::nodes;
use crate::playground::cluster::patch::strategic_patch;
use crate::playground::cluster::pods::{self, Moments, Stage};
use crate::playground::cluster::recorded::own;
use crate::playground::cluster::story::Story;
use crate::playground::cluster::time;
use crate::playground::cluster::workloads::{is_active, text};
use crate::playground::cluster::world::{World, key_of};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

/// How long a pod takes from its node to its containers.
const START: u64 = 2;
/// How long a container without a slower probe takes to be ready.
const READY: u64 = 3;
/// How long a container runs before it crashes as its story says.
const RUN: u64 = 15;
/// How long a container takes to stop.
const STOP: u64 = 1;
/// The longest wait between two restarts.
const LONGEST_BACK_OFF: u64 = 300;

impl Engine {
    pub(super) fn kubelets(&mut self, world: &mut World, now: Timestamp) {
        for pod in world.all("Pod") {
            let Some(node) = pod["spec"]["nodeName"].as_str() else { continue };
            let Some(node) = world.find("Node", "", node).cloned().filter(|node| nodes::is_alive(node)) else {
                continue;
            };
            if pods::is_deleting(&pod) {
                self.stop(world, &pod, now);
            } else if !pods::is_finished(&pod) {
                self.run(world, &pod, &node, now);
            }
        }
        let there: Vec<_> = world.all("Pod").iter().map(|pod| text(&pod["metadata"]["uid"]).to_owned()).collect();
        self.sick.retain(|uid, _| there.contains(uid));
    }

    fn run(&mut self, world: &mut World, pod: &Arc<Value>, node: &Value, now: Timestamp) {
        if pod["status"].get("startTime").is_none() {
            self.fall_ill(world, pod, now);
            set_stage(world, pod, node, Stage::Creating, now);
            return;
        }
        let uid = text(&pod["metadata"]["uid"]).to_owned();
        if let Some(sickness) = self.sick.get(&uid).copied() {
            let story = &self.stories[sickness.story];
            if sickness.shows && story.is_over(world, pod, now) && !story.only_replaced() {
                self.sick.remove(&uid);
                recover(world, pod, node, now);
                return;
            }
            if !sickness.shows && now >= sickness.from {
                show(world, story, pod, node, now);
                self.sick.insert(uid, Sickness { shows: true, ..sickness });
                return;
            }
            if sickness.shows {
                if crash_again(world, pod, now) {
                    let story = &self.stories[sickness.story];
                    say_events(world, story, pod, now, |reason| matches!(reason, "Unhealthy" | "Killing"));
                    return;
                }
                if self.due(&format!("repeat/{uid}"), REPEAT, now) {
                    let story = &self.stories[sickness.story];
                    repeat_events(world, story, pod, now);
                }
                return;
            }
        }
        start(world, pod, node, now);
    }

    /// Decides whether a new pod will fail as its workload's story says.
    fn fall_ill(&mut self, world: &World, pod: &Value, now: Timestamp) {
        let told = self.stories.iter().enumerate().find(|(_, story)| story.is_about_pod(world, pod));
        let Some((index, story)) = told.filter(|(_, story)| story.begins.is_none()) else { return };
        // A pod that is on its way out no longer counts: what takes its place fails as it did.
        let failing = world.all("Pod").into_iter().filter(|pod| is_active(pod));
        let failing = failing.filter_map(|pod| self.sick.get(text(&pod["metadata"]["uid"])).copied());
        let failing = failing.filter(|sickness| sickness.story == index).count();
        if failing >= story.pods || story.is_over(world, pod, now) {
            return;
        }
        let delay = if story.crashes() { START + RUN } else { START };
        let from = time::later(now, Duration::from_secs(delay));
        self.sick.insert(text(&pod["metadata"]["uid"]).to_owned(), Sickness { story: index, from, shows: false });
    }

    /// Stops what was deleted, and gives it up once everything of it has ended.
    fn stop(&mut self, world: &mut World, pod: &Value, now: Timestamp) {
        let grace = pod["metadata"]["deletionGracePeriodSeconds"].as_u64().unwrap_or(0);
        if grace == 0 {
            return;
        }
        let uid = text(&pod["metadata"]["uid"]);
        let Some(began) = self.stopping.get(uid).copied() else {
            self.stopping.insert(uid.to_owned(), now);
            for status in pod["status"]["containerStatuses"].as_array().into_iter().flatten() {
                if !status["state"]["running"].is_null() {
                    let name = text(&status["name"]);
                    let message = format!("Stopping container {name}");
                    kubelet_says(world, now, pod, name, false, "Killing", &message);
                }
            }
            return;
        };
        if now.duration_since(began).as_secs() < STOP.cast_signed() {
            return;
        }
        self.stopping.remove(uid);
        let Some(key) = key_of(pod) else { return };
        let held = pod["metadata"]["finalizers"].as_array().is_some_and(|all| !all.is_empty());
        if !held {
            world.remove(&key);
            return;
        }
        let mut ended = pod.clone();
        ended["metadata"]["deletionGracePeriodSeconds"] = 0.into();
        ended["status"]["phase"] = "Succeeded".into();
        let ready = json!({"conditions": [
            {"type": "Ready", "status": "False", "reason": "PodCompleted", "lastTransitionTime": time::seconds(now)},
            {"type": "ContainersReady", "status": "False", "reason": "PodCompleted",
                "lastTransitionTime": time::seconds(now)}]});
        strategic_patch(&mut ended["status"], &ready);
        for status in ended["status"]["containerStatuses"].as_array_mut().into_iter().flatten() {
            let run = status["state"]["running"]["startedAt"].clone();
            if !run.is_null() {
                status["state"] = json!({"terminated": {"exitCode": 0, "reason": "Completed", "startedAt": run,
                    "finishedAt": time::seconds(now), "containerID": status["containerID"]}});
            }
            (status["ready"], status["started"]) = (false.into(), false.into());
        }
        world.put(key, ended);
    }
}

/// Moves a pod that is well on towards being ready.
fn start(world: &mut World, pod: &Value, node: &Value, now: Timestamp) {
    let waiting = pod["status"]["containerStatuses"]
        .as_array()
        .into_iter()
        .flatten()
        .any(|status| status["state"]["running"].is_null());
    if waiting {
        if time::age(&pod["status"]["startTime"], now).is_some_and(|age| age >= START) {
            set_stage(world, pod, node, Stage::Running, now);
            let containers: Vec<_> = ["initContainers", "containers"]
                .iter()
                .flat_map(|list| pods::containers(&pod["spec"], list).cloned().collect::<Vec<_>>())
                .collect();
            for container in containers {
                events::started(world, now, pod, &container, text(&node["metadata"]["name"]));
            }
        }
        return;
    }
    if pods::is_ready(pod) {
        return;
    }
    let delay = pods::containers(&pod["spec"], "containers")
        .filter_map(|container| container["readinessProbe"]["initialDelaySeconds"].as_u64())
        .max()
        .unwrap_or(0);
    let youngest = pod["status"]["containerStatuses"].as_array().into_iter().flatten();
    let youngest = youngest.filter_map(|status| time::age(&status["state"]["running"]["startedAt"], now)).min();
    if youngest.is_some_and(|age| age >= delay + READY) {
        set_stage(world, pod, node, Stage::Ready, now);
    }
}

/// What was wrong outside has been put right: the containers start where they are.
fn recover(world: &mut World, pod: &Value, node: &Value, now: Timestamp) {
    let restarted = {
        let mut pod = pod.clone();
        for status in pod["status"]["containerStatuses"].as_array_mut().into_iter().flatten() {
            status["state"] = json!({"waiting": {"reason": "ContainerCreating"}});
        }
        pod
    };
    start(world, &restarted, node, now);
}

/// Writes a pod's status for a stage; what earlier runs left (restarts, the last end) is kept.
fn set_stage(world: &mut World, pod: &Value, node: &Value, stage: Stage, now: Timestamp) {
    let mut new = pod.clone();
    let created = time::read(&pod["status"]["startTime"]).unwrap_or(now);
    let running = &pod["status"]["containerStatuses"][0]["state"]["running"]["startedAt"];
    let started = time::read(running).filter(|_| stage == Stage::Ready).unwrap_or(now);
    let ip = match pod["status"]["podIP"].as_str() {
        Some(ip) => ip.to_owned(),
        None if pod["spec"]["hostNetwork"] == true => nodes::address(node).to_owned(),
        None => nodes::free_address(world, node),
    };
    new["status"] = pods::status(pod, stage, Moments { created, started, settled: now }, nodes::address(node), &ip);
    for (i, old) in pod["status"]["containerStatuses"].as_array().into_iter().flatten().enumerate() {
        for field in ["restartCount", "lastState"] {
            if !old[field].is_null() {
                new["status"]["containerStatuses"][i][field] = old[field].clone();
            }
        }
    }
    put(world, new);
}

/// Lets a pod fail as the sample of its story does.
fn show(world: &mut World, story: &Story, pod: &Value, node: &Value, now: Timestamp) {
    let ip = match pod["status"]["podIP"].as_str() {
        Some(ip) => ip.to_owned(),
        None => nodes::free_address(world, node),
    };
    let sample = &story.sample;
    let renamed = |value: &Value| rename(value.clone(), sample, pod, &ip);
    let mut new = pod.clone();
    let mut status = just_now(renamed(&sample["status"]), now);
    status["startTime"] = pod["status"]["startTime"].clone();
    status["hostIP"] = nodes::address(node).into();
    status["hostIPs"] = json!([{"ip": nodes::address(node)}]);
    for (i, container) in status["containerStatuses"].as_array_mut().into_iter().flatten().enumerate() {
        let before = pod["status"]["containerStatuses"][i]["restartCount"].as_u64().unwrap_or(0);
        if container["restartCount"].as_u64().unwrap_or(0) > 0 {
            container["restartCount"] = (before + 1).into();
            set_back_off(container, before + 1, now);
        }
        container["image"] = pod["spec"]["containers"][i]["image"].clone();
    }
    new["status"] = status;
    let place = (text(&pod["metadata"]["namespace"]).to_owned(), text(&pod["metadata"]["name"]).to_owned());
    for (container, log) in story.logs.as_object().into_iter().flatten() {
        let log = text(&renamed(log)).to_owned();
        world.logs.insert((place.0.clone(), place.1.clone(), container.clone()), log);
    }
    put(world, new.clone());
    repeat_events(world, story, &new, now);
}

/// Says again what a failing pod's story says, once each; what tells of a run belongs to the run, probes too.
fn repeat_events(world: &mut World, story: &Story, pod: &Value, now: Timestamp) {
    say_events(world, story, pod, now, |reason| match reason {
        "Started" | "Created" | "Pulled" | "Killing" => false,
        "Unhealthy" => !story.crashes(),
        _ => true,
    });
}

fn say_events(world: &mut World, story: &Story, pod: &Value, now: Timestamp, which: impl Fn(&str) -> bool) {
    let ip = text(&pod["status"]["podIP"]);
    for event in story.events.as_array().into_iter().flatten() {
        // Who says it is told where it is not the kubelet.
        if !which(text(&event["reason"])) || event["from"].is_string() {
            continue;
        }
        let event = rename(event.clone(), &story.sample, pod, ip);
        let name = event["container"].as_str().unwrap_or_default();
        let (reason, message) = (text(&event["reason"]), text(&event["message"]).trim_end());
        kubelet_says(world, now, pod, name, event["type"] != "Normal", reason, message);
    }
}

/// Restarts a container whose back-off is over; it crashes at once. Returns whether it did.
fn crash_again(world: &mut World, pod: &Value, now: Timestamp) -> bool {
    let mut new = pod.clone();
    let mut crashed = Vec::new();
    for status in new["status"]["containerStatuses"].as_array_mut().into_iter().flatten() {
        let restarts = status["restartCount"].as_u64().unwrap_or(0);
        let looping = status["state"]["waiting"]["reason"] == "CrashLoopBackOff";
        let ended = time::age(&status["lastState"]["terminated"]["finishedAt"], now);
        if looping && ended.is_some_and(|age| age >= back_off(restarts)) {
            status["restartCount"] = (restarts + 1).into();
            set_back_off(status, restarts + 1, now);
            crashed.push(text(&status["name"]).to_owned());
        }
    }
    if crashed.is_empty() {
        return false;
    }
    put(world, new);
    for name in crashed {
        kubelet_says(world, now, pod, &name, false, "Started", "Container started");
        let place = format!("{}_{}", text(&pod["metadata"]["name"]), text(&pod["metadata"]["namespace"]));
        let uid = text(&pod["metadata"]["uid"]);
        let message = format!("Back-off restarting failed container {name} in pod {place}({uid})");
        kubelet_says(world, now, pod, &name, true, "BackOff", &message);
    }
    true
}

/// A container has just ended once more: its last run and its next wait.
fn set_back_off(status: &mut Value, restarts: u64, now: Timestamp) {
    let last = &status["lastState"]["terminated"];
    let run = time::read(&last["startedAt"]).zip(time::read(&last["finishedAt"]));
    let run = run.and_then(|(from, to)| u64::try_from(to.duration_since(from).as_secs()).ok()).unwrap_or(0);
    // A run that never began has the epoch as its start.
    if run < 86_400 {
        let began = now.checked_sub(Duration::from_secs(run)).unwrap_or(now);
        status["lastState"]["terminated"]["startedAt"] = time::seconds(began);
    }
    status["lastState"]["terminated"]["finishedAt"] = time::seconds(now);
    let wait = back_off(restarts);
    let wait = if wait < 60 { format!("{wait}s") } else { format!("{}m{}s", wait / 60, wait % 60) };
    let old = text(&status["state"]["waiting"]["message"]);
    if let Some((_, rest)) = old.split_once(" restarting ") {
        let message = format!("back-off {wait} restarting {rest}");
        status["state"]["waiting"]["message"] = message.into();
    }
}

/// The wait after so many restarts: 10 seconds, doubled each time, at most five minutes.
fn back_off(restarts: u64) -> u64 {
    let doublings = u32::try_from(restarts.saturating_sub(1)).unwrap_or(u32::MAX).min(5);
    (10 << doublings).min(LONGEST_BACK_OFF)
}

/// A text or status of the sample, as it is for another pod.
fn rename(value: Value, sample: &Value, pod: &Value, ip: &str) -> Value {
    let uid = text(&pod["metadata"]["uid"]);
    let value = own(value, text(&pod["metadata"]["name"]), uid, ip);
    let mut text_of = value.to_string();
    for (old, new) in [
        (&sample["metadata"]["uid"], uid),
        (&sample["metadata"]["name"], text(&pod["metadata"]["name"])),
        (&sample["status"]["podIP"], ip),
    ] {
        if let Some(old) = old.as_str().filter(|old| !old.is_empty()) {
            text_of = text_of.replace(&format!("\"{old}\""), &format!("\"{new}\"")).replace(old, new);
        }
    }
    serde_json::from_str(&text_of).unwrap_or(value)
}

/// A sample's status whose conditions have just come about.
fn just_now(mut status: Value, now: Timestamp) -> Value {
    for condition in status["conditions"].as_array_mut().into_iter().flatten() {
        condition["lastTransitionTime"] = time::seconds(now);
    }
    status
}

fn kubelet_says(
    world: &mut World,
    now: Timestamp,
    pod: &Value,
    container: &str,
    warning: bool,
    reason: &str,
    message: &str,
) {
    let field_path = if container.is_empty() { String::new() } else { format!("spec.containers{{{container}}}") };
    let host = text(&pod["spec"]["nodeName"]);
    let what = Occurrence { warning, reason, message, component: "kubelet", host, field_path: &field_path };
    events::record(world, now, pod, what);
}
