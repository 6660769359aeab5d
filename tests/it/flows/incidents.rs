//! One incident from its first message to its last: how many pods, how bad, what they share, and what changed.

use super::alerts::said;
use super::bot::Setup;
use super::chat::{Chat, assert_says, words, workspace};
use super::data::{OOM, granted};
use super::watched::{SOON, Watched};
use podoctor::playground::slack::{Config, ids};
use serde_json::{Value, json};
use std::path::Path;

/// A node that is well.
const NODE: &str = "
apiVersion: v1
kind: Node
metadata: {name: a3}
status:
  allocatable: {cpu: '4', memory: 8Gi, pods: '110'}
  capacity: {cpu: '4', memory: 8Gi, pods: '110'}
  conditions: [{type: Ready, status: 'True', reason: KubeletReady, lastHeartbeatTime: now, lastTransitionTime: now-2h}]
---
";

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
    let Watched { ns, chat, store: _store, .. } = Watched::bare(SOON).await;
    ns.apply(&format!("{NODE}{}", web("256Mi", 2))).await;

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
    let Watched { ns, chat, store: _store, .. } = Watched::bare(SOON).await;
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
    ns.apply(&std::iter::once(NODE.to_owned()).chain((0..50).map(pulls)).collect::<String>()).await;
    let told = said(&chat, &["🔴 registry registry.example:5000: 50 pods of 50 workloads not starting"]).await;
    assert_says(&words(&told), &["cannot resolve the name"]);
    assert_eq!(chat.parents(ids::CHANNEL).len(), 1, "one cause is one message");
}

/// Settings that watch one namespace, and tell all others elsewhere.
fn routed(setup: Setup, ns: &str, channel: &str, more: &str, store: &Path) -> Setup {
    let yaml = setup.yaml.replace("slack:\n", &format!("slack:\n  default_channel: {}\n", ids::CHANNEL));
    let yaml = format!(
        "{yaml}store: {{path: {}}}\nroutes:\n- {{namespaces: [{ns}], channel: {channel}}}\n- {{channel: {}}}\n{more}",
        store.join("podoctor.db").display(),
        ids::TEAM_A
    );
    Setup { yaml, ..setup }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_channel_that_takes_nothing_is_replaced_and_told_of_once() {
    let (ns, kubeconfig, _) = granted("prod").await;
    let store = tempfile::tempdir().unwrap();
    let slack = workspace(Config::default()).await;
    let setup = routed(Setup::of(&slack, &[("prod", &kubeconfig)]), &ns.name, ids::ARCHIVED, "", store.path());
    let chat = Chat::of(slack, &setup).await;
    ns.apply(OOM).await;
    said(&chat, &[&format!("{}/manage", ns.name), "crash looping"]).await;
    let told = said(&chat, &["I cannot tell alerts in", ids::ARCHIVED, "it is archived", "routes[0].channel"]).await;
    assert_says(&words(&told), &["They come here instead"]);

    // A second one goes the same way, and nobody hears of the channel again.
    ns.apply(&OOM.replace("manage", "second")).await;
    said(&chat, &[&format!("{}/second", ns.name), "crash looping"]).await;
    let notices = chat.parents(ids::CHANNEL).iter().filter(|m| words(m).contains("I cannot tell")).count();
    assert_eq!(notices, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_workload_says_where_it_is_told_and_its_namespace_how_late() {
    let (ns, kubeconfig, _) = granted("prod").await;
    let store = tempfile::tempdir().unwrap();
    let slack = workspace(Config::default()).await;
    let setup = routed(Setup::of(&slack, &[("prod", &kubeconfig)]), "nowhere", ids::TEAM_A, "", store.path());
    // No route fits: what is annotated counts.
    let setup = Setup { yaml: setup.yaml.replace(&format!("- {{channel: {}}}\n", ids::TEAM_A), ""), ..setup };
    let chat = Chat::of(slack, &setup).await;
    let path = format!("/api/v1/namespaces/{}", ns.name);
    ns.api.merge(&path, &json!({"metadata": {"annotations": {"podoctor.dev/threshold-pending": "2h"}}})).await.unwrap();
    let annotated = OOM.replace(
        "metadata: {name: manage, namespace: prod}",
        &format!("metadata: {{name: manage, namespace: prod, annotations: {{podoctor.dev/channel: {}}}}}", ids::TEAM_A),
    );
    let waiting = "
---
apiVersion: v1
kind: Pod
metadata: {name: patient, namespace: prod, creationTimestamp: now-18m, annotations: {podoctor.dev/channel: TEAM}}
spec: {schedulerName: nobody, containers: [{name: app, image: a}]}
status: {phase: Pending}
---
apiVersion: v1
kind: Pod
metadata: {name: hasty, namespace: prod, creationTimestamp: now-18m, annotations: {podoctor.dev/channel: TEAM, podoctor.dev/threshold-pending: 1m}}
spec: {schedulerName: nobody, containers: [{name: app, image: a}]}
status: {phase: Pending}
";
    ns.apply(&annotated).await;
    ns.apply(&waiting.replace("TEAM", ids::TEAM_A)).await;
    let in_team = |parts: &'static [&str]| {
        let fits = |message: &Value| parts.iter().all(|part| words(message).contains(part));
        chat.slack.messages(ids::TEAM_A).into_iter().find(fits)
    };
    chat.bot.until("the team hears of its workload", |_| in_team(&["/manage", "crash looping"])).await;
    chat.bot.until("the pod's own threshold counts", |_| in_team(&["/hasty", "pending"])).await;
    // All of them were due at once; whoever waits for the namespace's two hours is not told.
    assert_eq!(in_team(&["/patient"]), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn people_mute_it_and_ask_again_in_its_thread() {
    let Watched { ns, chat, store: _store, .. } = Watched::bare(SOON).await;
    ns.apply(OOM).await;
    let name = format!("{}/manage", ns.name);
    let alert = said(&chat, &[&name, "crash looping"]).await;
    let ts = alert["ts"].as_str().unwrap().to_owned();
    let evidence = |chat: &Chat| {
        let replies = chat.replies(ids::CHANNEL, &ts);
        replies.iter().filter(|reply| words(reply).contains("OOMKilled")).count()
    };
    chat.bot.until("the evidence is there", |_| (evidence(&chat) >= 1).then_some(())).await;
    let before = evidence(&chat);

    let alice = chat.alice();
    let heard = alice.replies(&format!("<@{}> again", ids::BOT_USER), Some(&ts)).await;
    assert_says(&heard.all(), &["Diagnosing it anew"]);
    chat.bot.until("it is said anew", |_| (evidence(&chat) > before).then_some(())).await;
    let elsewhere = alice.replies(&format!("<@{}> again", ids::BOT_USER), None).await;
    assert_says(&elsewhere.all(), &["in the thread of an alert"]);

    chat.slack.react(ids::ALICE, ids::CHANNEL, &ts, "mute").unwrap();
    said(&chat, &[&name, "silenced until"]).await;
    assert_says(&alice.in_channel(ids::TEAM_A).types("/podoctor silences").await.all(), &[&name]);
    let ended = alice.in_channel(ids::TEAM_A).types(&format!("/podoctor unsilence {name}")).await;
    assert_says(&ended.all(), &["is heard again"]);
    chat.slack.react(ids::ALICE, ids::CHANNEL, &ts, "eyes").unwrap();
    said(&chat, &[&name, "looked after by", "since"]).await;
}
