//! Bad input and clusters in trouble: a clear answer each time, never silence.

use super::chat::{Chat, Heard, assert_says, words};
use super::data::{MANAGE, OOM, granted, kubeconfig_at};
use super::proxy::Proxy;
use crate::plane::{Life, Plane};
use podoctor::playground::slack::ids;
use std::time::{Duration, Instant};

/// Two more workloads whose names begin alike.
const ALIKE: &str = "
apiVersion: v1
kind: List
items:
- apiVersion: v1
  kind: Pod
  metadata: {name: web-blue, namespace: prod, creationTimestamp: now-1h}
  spec: {containers: [{name: app, image: 'web:1'}]}
- apiVersion: v1
  kind: Pod
  metadata: {name: web-green, namespace: prod, creationTimestamp: now-1h}
  spec: {containers: [{name: app, image: 'web:1'}]}
";

/// Fails the test unless an answer is a parent that names the asker, with a thread that says how to ask.
#[track_caller]
fn assert_sorry(answer: &Heard, parts: &[&str]) {
    answer.parent_says(&["<@U0ALICE>", "no answer"]).parent_says(parts);
    answer.thread_says(&["/podoctor prod/manage-5bd...", "/podoctor help"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn what_is_not_there_is_named_with_what_is_nearest() {
    let (ns, kubeconfig, _) = granted("prod").await;
    ns.apply(OOM).await;
    ns.apply(ALIKE).await;
    let chat = Chat::with(&[("prod", &kubeconfig)]).await;
    let (alice, aside) = (chat.alice(), chat.alice().in_channel(ids::TEAM_A));
    let name = &ns.name;

    let pod = alice.types(&format!("/podoctor {name}/manege-5bd487cf9d-bqmvm")).await;
    assert_sorry(&pod, &["no pod `manege-5bd487cf9d-bqmvm`", MANAGE]);
    let namespace = alice.types(&format!("/podoctor {name}z/manage")).await;
    assert_sorry(&namespace, &["namespace", &format!("{name}z"), name]);
    let whole = alice.types("/podoctor prodd-nowhere").await;
    assert_sorry(&whole, &["no namespace `prodd-nowhere`"]);
    let cluster = aside.types(&format!("/podoctor prd:{name}/manage")).await;
    assert_sorry(&cluster, &["no cluster `prd`", "prod"]);
    let kind = aside.types(&format!("/podoctor {name}/deployent/manage")).await;
    assert_sorry(&kind, &["`deployent` is no kind that has pods", "did you mean `deployment`"]);
    let workload = alice.in_channel(ids::SHARED).types(&format!("/podoctor {name}/deploy/manege")).await;
    assert_sorry(&workload, &["no deployment `manege`", "manage"]);
    let several = alice.in_channel(ids::SHARED).types(&format!("/podoctor {name}/web-")).await;
    assert_sorry(&several, &[&format!("{name}/web-blue"), &format!("{name}/web-green"), "2 pods"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn what_cannot_be_read_is_told_how_to_say_it() {
    let (ns, kubeconfig, _) = granted("prod").await;
    ns.apply(OOM).await;
    let chat = Chat::with(&[("prod", &kubeconfig)]).await;
    let (alice, aside) = (chat.alice(), chat.alice().in_channel(ids::TEAM_A));
    let shared = chat.alice().in_channel(ids::SHARED);

    assert_sorry(&alice.types("/podoctor !!! ???").await, &["I cannot read that as a target"]);
    assert_sorry(&alice.types("/podoctor prod/").await, &["the name after the slash is missing"]);
    assert_sorry(&alice.types(&format!("/podoctor {}", "x".repeat(3_000))).await, &["longer than 600 characters", "…"]);
    // Who quotes the target in backticks means the target.
    let quoted = aside.types(&format!("/podoctor `{}/manage-5bd...`", ns.name)).await;
    quoted.parent_says(&[MANAGE, "256Mi"]);
    let controls = aside.types("/podoctor prod/\u{1b}[31mred\u{0}\u{7}\u{202e}").await;
    assert_sorry(&controls, &["no Kubernetes name"]);
    assert!(!controls.all().contains(['\u{1b}', '\u{0}', '\u{7}', '\u{202e}']), "{:?}", controls.all());

    // Slack writes @bob as an escape in the command's text, and nothing of it may ring anybody's phone.
    let escapes = shared.types("/podoctor prod/@bob <!channel> #team-a <https://evil.example|prod>").await;
    assert_sorry(&escapes, &["I cannot read that as a target"]);
    for message in &escapes.messages {
        let raw = message["blocks"].to_string();
        assert!(!raw.contains("U0BOB\"") && !raw.contains("<!channel>") && !raw.contains("\"broadcast\""), "{raw}");
        let text = message["text"].as_str().unwrap();
        assert!(!text.contains("<!channel>") && !text.contains("<@U0BOB"), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_mention_without_a_target_is_answered_too() {
    let (_ns, kubeconfig, _) = granted("prod").await;
    let chat = Chat::with(&[("prod", &kubeconfig)]).await;
    let alice = chat.alice();
    let bare = alice.types("@podoctor").await;
    assert_says(&bare.in_thread_of(&bare.to), &["/podoctor prod/manage-5bd..."]);
    let chatter = alice.types("@podoctor you are not much of a help today").await;
    assert_says(&chatter.in_thread_of(&chatter.to), &["I see no target in that", "prod/manage-5bd..."]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn an_api_server_that_does_not_answer_is_told() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let closed = listener.local_addr().unwrap();
    drop(listener);
    let kubeconfig = kubeconfig_at(&format!("http://{closed}"));
    let chat = Chat::with(&[("prod", kubeconfig.path())]).await;
    let alice = chat.alice();
    assert_sorry(&alice.types("/podoctor prod/manage").await, &["Cluster prod", "cannot be reached"]);
    assert_sorry(&alice.types("/podoctor prod").await, &["Cluster prod", "cannot be reached"]);
    assert_says(&alice.types("/podoctor status").await.all(), &["🔴", "prod", "cannot be reached"]);
    // It is told in answers, and does not make the bot unready.
    assert_eq!(chat.bot.page("/readyz").await.0, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn an_api_server_that_comes_back_is_asked_again() {
    let plane = Plane::start(Life::Recorded).await;
    let ns = plane.namespace("prod").await;
    ns.apply(OOM).await;
    let chat = Chat::with(&[("prod", &plane.kubeconfig_for("admin"))]).await;
    let question = format!("/podoctor {}/manage", ns.name);
    chat.alice().types(&question).await.parent_says(&["256Mi"]);
    plane.stop_apiserver();
    assert_sorry(&chat.alice().types(&question).await, &["Cluster prod", "cannot be reached"]);
    plane.start_apiserver().await;
    chat.alice().in_channel(ids::TEAM_A).types(&question).await.parent_says(&["256Mi"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_missing_right_is_named_with_the_rule_to_add() {
    let ns = Plane::shared().await.namespace("prod").await;
    ns.apply(OOM).await;
    let (kubeconfig, user) = ns.service_account("powerless").await;
    let chat = Chat::with(&[("prod", &kubeconfig)]).await;
    let question = format!("/podoctor {}/{MANAGE}", ns.name);
    let nothing = chat.alice().types(&question).await;
    let rule = r#"{apiGroups: [""], resources: ["pods"], verbs: ["get"]}"#;
    assert_sorry(&nothing, &["forbidden", "`get` on `pods`", rule]);

    // Some rights give some answer, and it says what is missing.
    ns.plane.grant(&user, "[{apiGroups: [''], resources: [pods], verbs: [get, list]}]").await;
    let pods_alone = chat.alice().types(&question).await;
    pods_alone.parent_says(&["256Mi"]).thread_says(&["OOMKilled", "`list` on `events`"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_slow_api_server_is_waited_for_and_then_told() {
    let (ns, kubeconfig, _) = granted("prod").await;
    ns.apply(OOM).await;
    drop(kubeconfig);
    let slow = Proxy::start(&ns, Duration::from_millis(700)).await;
    let stuck = Proxy::start(&ns, Duration::from_secs(600)).await;
    let (slow, stuck) = (kubeconfig_at(&slow.url), kubeconfig_at(&stuck.url));
    let chat = Chat::with(&[("slow", slow.path()), ("stuck", stuck.path())]).await;
    chat.alice().types(&format!("/podoctor slow:{}/{MANAGE}", ns.name)).await.parent_says(&["256Mi"]);
    let started = Instant::now();
    let answer = chat.alice().types(&format!("/podoctor stuck:{}/{MANAGE}", ns.name)).await;
    assert_sorry(&answer, &["Cluster stuck", "no answer within the time"]);
    assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
    assert!(words(answer.parent()).contains("stuck:"));
}
