//! One incident from its first message to its last: how many pods, how bad, what they share, and what changed.

use super::alerts::{said, watching};
use super::bot::Setup;
use super::chat::{Chat, assert_says, words, workspace};
use super::data::granted;
use podoctor::playground::slack::{Config, ids};
use serde_json::Value;

/// Returns a Deployment with a memory limit and of whose three pods some crash for it.
fn web(limit: &str, sick: usize) -> String {
    let template = format!(
        "{{metadata: {{labels: {{app: web}}}}, spec: {{containers: [{{name: web, image: 'registry.example/web:1', \
         resources: {{limits: {{memory: {limit}}}, requests: {{memory: {limit}}}}}}}]}}}}"
    );
    let mut text = format!(
        "
apiVersion: apps/v1
kind: Deployment
metadata: {{name: web, namespace: prod}}
spec: {{replicas: 3, selector: {{matchLabels: {{app: web}}}}, template: {template}}}
status: {{replicas: 3, readyReplicas: {ready}, availableReplicas: {ready}}}
---
apiVersion: apps/v1
kind: ReplicaSet
metadata:
  name: web-5bd487cf9d
  namespace: prod
  labels: {{app: web, pod-template-hash: 5bd487cf9d}}
  ownerReferences: [{{apiVersion: apps/v1, kind: Deployment, name: web, controller: true}}]
spec: {{replicas: 3, selector: {{matchLabels: {{app: web}}}}, template: {template}}}
",
        ready = 3 - sick
    );
    for n in 0..3 {
        let (ready, state, restarts) = if n < sick {
            let end = "{exitCode: 137, reason: OOMKilled, startedAt: now-3m, finishedAt: now-2m}";
            (
                "'False'",
                format!("state: {{waiting: {{reason: CrashLoopBackOff}}}}, lastState: {{terminated: {end}}}"),
                7,
            )
        } else {
            ("'True'", "state: {running: {startedAt: now-1m}}".to_owned(), 0)
        };
        text += &format!(
            "---
apiVersion: v1
kind: Pod
metadata:
  name: web-5bd487cf9d-{n}
  namespace: prod
  labels: {{app: web, pod-template-hash: 5bd487cf9d}}
  creationTimestamp: now-18m
  ownerReferences: [{{apiVersion: apps/v1, kind: ReplicaSet, name: web-5bd487cf9d, controller: true}}]
spec:
  nodeName: a3
  containers: [{{name: web, image: 'registry.example/web:1', resources: {{limits: {{memory: 256Mi}}, requests: {{memory: 256Mi}}}}}}]
status:
  phase: Running
  startTime: now-18m
  conditions:
  - {{type: PodScheduled, status: 'True', lastTransitionTime: now-18m}}
  - {{type: Ready, status: {ready}, lastTransitionTime: now-18m}}
  containerStatuses:
  - {{name: web, image: 'registry.example/web:1', imageID: x, ready: {plain}, restartCount: {restarts}, {state}}}
",
            plain = ready.trim_matches('\'').to_lowercase()
        );
    }
    text
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_says_how_many_of_how_many_and_at_the_end_what_changed() {
    let (ns, kubeconfig, _) = granted("prod").await;
    let store = tempfile::tempdir().unwrap();
    let slack = workspace(Config::default()).await;
    let setup = watching(Setup::of(&slack, &[("prod", &kubeconfig)]), &ns, store.path());
    let chat = Chat::of(slack, &setup).await;
    ns.apply(&web("256Mi", 2)).await;

    let name = format!("{}/web", ns.name);
    said(&chat, &[&format!("🟡 {name}: 2 of 3 pods crash looping"), "memory limit"]).await;
    ns.apply(&web("512Mi", 0)).await;
    let over = said(&chat, &["✅", &name, "resolved after", "memory limit of web 256Mi → 512Mi"]).await;
    let ts = over["ts"].as_str().unwrap();
    let note = |message: &Value| words(message).contains("Resolved after");
    let last =
        chat.bot.until("the thread says it too", |_| chat.replies(ids::CHANNEL, ts).into_iter().find(note)).await;
    assert_says(&words(&last), &["Changed meanwhile", "256Mi → 512Mi"]);
    assert_eq!(chat.parents(ids::CHANNEL).len(), 1, "one incident is one message");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_workloads_that_miss_the_same_registry_are_one_message() {
    let (ns, kubeconfig, _) = granted("prod").await;
    let store = tempfile::tempdir().unwrap();
    let slack = workspace(Config::default()).await;
    let setup = watching(Setup::of(&slack, &[("prod", &kubeconfig)]), &ns, store.path());
    let chat = Chat::of(slack, &setup).await;
    let pulls = |n: usize| {
        let image = format!("registry.example:5000/team/w{n}:1");
        let why = format!(
            "Failed to pull image \"{image}\": failed to do request: Head \"https://registry.example:5000/v2/team/w{n}/manifests/1\": \
             dial tcp: lookup registry.example on 10.0.0.2:53: no such host"
        );
        format!(
            "---
apiVersion: v1
kind: Pod
metadata: {{name: w{n}, namespace: prod, creationTimestamp: now-18m}}
spec: {{nodeName: a3, containers: [{{name: app, image: '{image}'}}]}}
status:
  phase: Pending
  conditions: [{{type: PodScheduled, status: 'True', lastTransitionTime: now-18m}}]
  containerStatuses:
  - {{name: app, image: '{image}', imageID: '', ready: false, restartCount: 0, state: {{waiting: {{reason: ErrImagePull, message: '{why}'}}}}}}
"
        )
    };
    ns.apply(&(0..50).map(pulls).collect::<String>()).await;
    let told = said(&chat, &["🔴 registry registry.example:5000: 50 pods of 50 workloads not starting"]).await;
    assert_says(&words(&told), &["cannot resolve the name"]);
    assert_eq!(chat.parents(ids::CHANNEL).len(), 1, "one cause is one message");
}
