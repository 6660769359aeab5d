//! A namespace whose pods break and recover on order, the bot that watches it, and the channel in which it tells.

use super::bot::Setup;
use super::chat::{Chat, words, workspace};
use super::data::rules;
use crate::plane::{Ns, Plane};
use jiff::Timestamp;
use podoctor::playground::slack::{Config, Workspace, ids};
use serde_json::{Value, json};
use std::path::Path;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Tells at once, and turns green soon.
pub const AT_ONCE: &str = "{thresholds: {crash_looping: 1s}, resolve_after: 1s}";
/// Turns green soon, for pods that have been sick for long.
pub const SOON: &str = "{resolve_after: 1s}";

/// Settings that tell of one namespace only, and remember in a file. `watch` is what stands under that key.
pub fn watching(slack: &Workspace, kubeconfig: &Path, namespace: &str, store: &Path, watch: &str) -> Setup {
    let setup = Setup::of(slack, &[("prod", kubeconfig)]);
    let yaml = format!(
        "{}store: {{path: {}}}\nroutes:\n- {{namespaces: [{namespace}], channel: {}}}\nwatch: {watch}\n",
        setup.yaml,
        store.join("podoctor.db").display(),
        ids::CHANNEL
    );
    Setup { yaml, ..setup }
}

pub struct Watched<'plane> {
    pub ns: Ns<'plane>,
    pub chat: Chat,
    /// What the bot runs with.
    pub setup: Setup,
    /// The folder of what it remembers.
    pub store: TempDir,
}

impl Watched<'static> {
    /// Watches a namespace in which nothing happens but what the test writes.
    pub async fn start(watch: &str) -> Self {
        Watched::on(Plane::shared().await, Config::default(), watch).await
    }

    /// As [`start`](Self::start), without a node.
    pub async fn bare(watch: &str) -> Self {
        Watched::over(Plane::shared().await.namespace("prod").await, Config::default(), watch).await
    }
}

impl<'plane> Watched<'plane> {
    pub async fn on(plane: &'plane Plane, config: Config, watch: &str) -> Self {
        let ns = plane.namespace("prod").await;
        furnish(&ns).await;
        Self::over(ns, config, watch).await
    }

    async fn over(ns: Ns<'plane>, config: Config, watch: &str) -> Self {
        let (kubeconfig, user) = ns.service_account("podoctor").await;
        ns.plane.grant(&user, &rules()).await;
        let store = tempfile::tempdir().unwrap();
        let slack = workspace(config).await;
        let setup = watching(&slack, &kubeconfig, &ns.name, store.path(), watch);
        let chat = Chat::of(slack, &setup).await;
        Self { ns, chat, setup, store }
    }

    /// Returns how the channel names a workload.
    pub fn name(&self, workload: &str) -> String {
        format!("{}/{workload}", self.ns.name)
    }

    /// Returns the messages of the channel that are about a workload (or, with `node NAME`, a node).
    pub fn told(&self, subject: &str) -> Vec<Value> {
        let start = format!("{subject}:");
        self.chat.parents(ids::CHANNEL).into_iter().filter(|message| words(message).contains(&start)).collect()
    }

    /// Waits until the one message about a workload says all of these, and returns it.
    pub async fn says(&self, workload: &str, parts: &[&str]) -> Value {
        let subject = self.name(workload);
        let what = format!("{subject} says {parts:?}");
        let fits = |message: &Value| parts.iter().all(|part| words(message).contains(part));
        let message = self.until(&what, || self.told(&subject).into_iter().find(fits)).await;
        assert_eq!(self.told(&subject).len(), 1, "{}", self.chat.slack.transcript(ids::CHANNEL));
        message
    }

    /// Waits until the thread under a message has its evidence, and returns its words, message by message.
    pub async fn thread(&self, message: &Value) -> Vec<String> {
        let ts = message["ts"].as_str().unwrap();
        let thread = || self.chat.replies(ids::CHANNEL, ts).iter().map(words).collect::<Vec<_>>();
        self.until("the thread has the evidence", || thread().iter().any(|said| said.contains(FIX)).then_some(()))
            .await;
        thread()
    }

    /// Waits until there is something.
    pub async fn until<T>(&self, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
        self.chat.bot.until(what, |_| look()).await
    }

    pub async fn breaks(&self, workload: &str) {
        breaks(&self.ns, workload).await;
    }

    pub async fn recovers(&self, workload: &str) {
        recovers(&self.ns, workload).await;
    }
}

/// What the evidence of a thread ends with.
pub const FIX: &str = "How to fix it";

/// Waits for something longer than [`PATIENCE`](super::bot::PATIENCE): what is slow by itself.
pub async fn within<T>(limit: Duration, what: &str, mut look: impl FnMut() -> Result<T, String>) -> T {
    let started = Instant::now();
    loop {
        match look() {
            Ok(found) => return found,
            Err(instead) => assert!(started.elapsed() < limit, "waited in vain until {what}: {instead}"),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Returns the name of a workload's only pod.
pub fn pod_of(workload: &str) -> String {
    format!("{workload}-5bd487cf9d-bqmvm")
}

/// Makes the node of the pods: one on a node that is not there would be lost with it.
pub async fn furnish(ns: &Ns<'_>) {
    ns.apply(
        "apiVersion: v1\nkind: Node\nmetadata: {name: a3}\nstatus: {conditions: [{type: Ready, status: 'True', \
         reason: KubeletReady, lastHeartbeatTime: now, lastTransitionTime: now-2h}]}",
    )
    .await;
}

/// Returns a pod of a Deployment, as somebody creates it.
pub fn pod(ns: &Ns<'_>, workload: &str, name: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": name, "namespace": ns.name, "labels": {"app": workload, "pod-template-hash": "5bd487cf9d"},
            "ownerReferences": [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": format!("{workload}-5bd487cf9d"),
                "uid": "5bd487cf-0000-4000-8000-000000000000", "controller": true}]},
        "spec": {"nodeName": ns.node("a3"), "containers": [
            {"name": "app", "image": "registry.example/app:1", "resources": {"limits": {"memory": "256Mi"}}}]},
    })
}

/// Returns the status of a pod that was killed for memory again and again, the last time now.
pub fn crashing() -> Value {
    let now = format!("{:.0}", Timestamp::now());
    json!({
        "phase": "Running",
        "conditions": [
            {"type": "PodScheduled", "status": "True", "lastTransitionTime": now},
            {"type": "Ready", "status": "False", "reason": "ContainersNotReady", "lastTransitionTime": now}],
        "containerStatuses": [{"name": "app", "image": "registry.example/app:1", "imageID": "x", "containerID": "containerd://c",
            "ready": false, "started": false, "restartCount": 7,
            "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 5m0s restarting failed container=app"}},
            "lastState": {"terminated": {"exitCode": 137, "reason": "OOMKilled", "containerID": "containerd://c",
                "startedAt": now, "finishedAt": now}}}],
    })
}

/// Returns the status of a pod that serves.
pub fn serving() -> Value {
    let now = format!("{:.0}", Timestamp::now());
    json!({
        "phase": "Running",
        "conditions": [
            {"type": "PodScheduled", "status": "True", "lastTransitionTime": now},
            {"type": "Ready", "status": "True", "lastTransitionTime": now}],
        "containerStatuses": [{"name": "app", "image": "registry.example/app:1", "imageID": "x", "containerID": "containerd://c",
            "ready": true, "started": true, "restartCount": 0, "state": {"running": {"startedAt": now}}}],
    })
}

/// Lets a workload's pod crash, making it first where it is not there.
pub async fn breaks(ns: &Ns<'_>, workload: &str) {
    make(ns, workload).await;
    ns.patch_pod_status(&pod_of(workload), crashing()).await;
}

pub async fn recovers(ns: &Ns<'_>, workload: &str) {
    ns.patch_pod_status(&pod_of(workload), serving()).await;
}

/// Makes a workload's pod.
pub async fn make(ns: &Ns<'_>, workload: &str) {
    let pods = format!("/api/v1/namespaces/{}/pods", ns.name);
    match ns.api.post(&pods, &pod(ns, workload, &pod_of(workload))).await {
        Err(refused) if refused.code != 409 => panic!("{refused}"),
        _ => {}
    }
}
