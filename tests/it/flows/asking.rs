//! Questions and their answers: a command, a mention in any wording and place, the shortcut, and the other words.

use super::chat::{Chat, assert_says, ts, words};
use super::data::{MANAGE, OOM, granted};
use podoctor::playground::slack::ids;
use serde_json::json;

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_command_is_answered_by_a_parent_and_its_thread() {
    let (ns, kubeconfig, _) = granted("prod").await;
    ns.apply(OOM).await;
    let chat = Chat::with(&[("prod", &kubeconfig)]).await;

    let answer = chat.alice().types(&format!("/podoctor {}/manage-5bd...", ns.name)).await;
    let target = format!("{}/{MANAGE}", ns.name);
    answer.parent_says(&[&target, "<@U0ALICE>", "256Mi", "manage", "cluster prod", &ns.node("a3")]);
    answer.thread_says(&["OOMKilled", "Why we think so", "How to fix it", "kubectl"]);
    // What a phone shows of it stands alone.
    let notification = answer.parent()["text"].as_str().unwrap();
    assert_says(notification, &[MANAGE, "256Mi"]);
    let first = words(&answer.messages[1]);
    assert_says(&first, &["OOMKilled", "kubectl"]);
    assert!(chat.slack.deliveries().iter().all(|d| d.ack.as_ref().is_some_and(|ack| ack.in_time)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_mention_is_answered_in_its_thread_or_the_thread_it_stands_in() {
    let (ns, kubeconfig, _) = granted("prod").await;
    ns.apply(OOM).await;
    let chat = Chat::with(&[("prod", &kubeconfig)]).await;
    let (alice, bob) = (chat.alice(), chat.bob());

    let answer = alice.types(&format!("hey @podoctor, why is `{}/manage-5bd…` stuck again?", ns.name)).await;
    assert_says(&answer.in_thread_of(&answer.to), &[MANAGE, "256Mi", "OOMKilled", "kubectl"]);
    assert_eq!(chat.parents(ids::CHANNEL), Vec::<serde_json::Value>::new(), "a mention gets no parent of its own");

    // The eyes come first and go last.
    let methods: Vec<String> = chat.slack.calls().into_iter().map(|call| call.method).collect();
    let at =
        |method: &str| methods.iter().position(|m| m == method).unwrap_or_else(|| panic!("no {method}: {methods:?}"));
    assert!(
        at("reactions.add") < at("chat.postMessage") && at("chat.postMessage") < at("reactions.remove"),
        "{methods:?}"
    );
    assert_eq!(chat.slack.calls_of("reactions.add")[0].args["name"], "eyes");
    let question = chat.slack.messages(ids::CHANNEL).into_iter().find(|message| ts(message) == answer.to).unwrap();
    assert_eq!(question["reactions"], json!(null));

    let morning = bob.in_channel(ids::TEAM_A).says("Morning! Something is slow.", None);
    let inside = alice.in_channel(ids::TEAM_A).replies(&format!("@podoctor {}/manage", ns.name), Some(&morning)).await;
    assert_says(&inside.in_thread_of(&morning), &[MANAGE, "256Mi", "OOMKilled"]);
    assert_eq!(inside.messages.len(), chat.replies(ids::TEAM_A, &morning).len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_shortcut_diagnoses_what_a_message_names() {
    let (ns, kubeconfig, _) = granted("prod").await;
    ns.apply(OOM).await;
    let chat = Chat::with(&[("prod", &kubeconfig)]).await;
    let message = chat.bob().says(&format!("{}/{MANAGE} is down, who knows why?", ns.name), None);
    let answer = chat.alice().diagnoses(&message).await;
    assert_says(&answer.in_thread_of(&message), &[MANAGE, "256Mi", "OOMKilled", "kubectl"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_other_words_are_answered_too() {
    let (ns, kubeconfig, _) = granted("prod").await;
    ns.apply(OOM).await;
    let chat = Chat::with(&[("prod", &kubeconfig)]).await;
    let alice = chat.alice();

    let help = alice.types("/podoctor help").await;
    assert_says(&help.whispered(), &["/podoctor prod/manage-5bd...", "/podoctor status", "@podoctor why"]);
    let status = alice.types("/podoctor status").await;
    assert_says(&status.whispered(), &["prod", "Kubernetes v1.", "only read"]);
    let cause = alice.types("/podoctor causes cgroup-oom").await;
    assert_says(&cause.whispered(), &["cgroup-oom", "memory"]);
    // A mention is answered where everybody sees it.
    let mentioned = alice.types("@podoctor status").await;
    assert_says(&mentioned.in_thread_of(&mentioned.to), &["Kubernetes v1."]);
    let unknown = alice.types("/podoctor causes cgroup-om").await;
    unknown.parent_says(&["cgroup-oom", "<@U0ALICE>"]);

    // What is sick now, in all namespaces.
    let sick = alice.in_channel(ids::TEAM_A).types("/podoctor").await;
    sick.parent_says(&["<@U0ALICE>"]);
    assert_says(&sick.all(), &[&format!("{}/", ns.name), "manage"]);
    let namespace = alice.in_channel(ids::TEAM_A).types(&format!("/podoctor {}", ns.name)).await;
    namespace.parent_says(&["manage", "256Mi", "<@U0ALICE>"]);
    let workload = alice.in_channel(ids::SHARED).types(&format!("/podoctor prod:{}/deploy/manage", ns.name)).await;
    workload.parent_says(&["256Mi", "<@U0ALICE>"]);
}
