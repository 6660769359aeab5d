//! Questions and their answers: a command, a mention in any wording and place, the shortcut, and the other words.

use super::bot::Setup;
use super::chat::{Chat, assert_says, ts, words, workspace};
use super::data::{MANAGE, OOM, granted};
use podoctor::playground::slack::{Config, ids};
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
async fn what_kubectl_printed_is_diagnosed_without_its_cluster() {
    let (_, kubeconfig, _) = granted("prod").await;
    let chat = Chat::with(&[("prod", &kubeconfig)]).await;
    let pasted =
        include_str!("../../pasted/describe/live-oom-child.txt").split("$ kubectl describe node").next().unwrap();
    let message = chat.bob().says(&format!("what is wrong here?\n```\n{pasted}\n```"), None);
    let answer = chat.alice().diagnoses(&message).await;
    assert_says(&answer.in_thread_of(&message), &["oom-child/worker", "32Mi", "OOMKilled", "not from a cluster"]);

    let mentioned = chat.alice().types(&format!("@podoctor and this?\n```\n{pasted}\n```")).await;
    assert_says(&mentioned.in_thread_of(&mentioned.to), &["oom-child/worker", "32Mi", "not from a cluster"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn an_attached_snippet_is_read_whole() {
    let (_, kubeconfig, _) = granted("prod").await;
    let chat = Chat::with(&[("prod", &kubeconfig)]).await;
    let pasted = include_str!("../../pasted/describe/live-sched-cpu.txt");
    let found = pasted.find("Insufficient cpu").expect("what decides");
    assert!(found > 1_000, "what decides must stand below what Slack shows of a snippet");
    let files = [("pod.txt".to_owned(), pasted.to_owned())];
    let message = chat.slack.say_with(ids::BOB, ids::CHANNEL, "", None, &files).unwrap();
    let answer = chat.alice().diagnoses(&message).await;
    assert_says(&answer.in_thread_of(&message), &["sched-cpu/", "Insufficient cpu", "not from a cluster"]);

    let mentioned = chat.alice().attaches("@podoctor and this?", &files).await;
    assert_says(&mentioned.in_thread_of(&mentioned.to), &["sched-cpu/", "Insufficient cpu", "not from a cluster"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_snippet_that_the_bot_may_not_read_is_answered_from_its_beginning() {
    let (_, kubeconfig, _) = granted("prod").await;
    let mut config = Config::default();
    config.scopes.remove("files:read");
    let chat = Chat::configured(config, &[("prod", &kubeconfig)]).await;
    let pasted = include_str!("../../pasted/describe/live-oom-child.txt");
    let files = [("pod.txt".to_owned(), pasted.to_owned())];
    let mentioned = chat.alice().attaches("@podoctor and this?", &files).await;
    let said = mentioned.in_thread_of(&mentioned.to);
    assert_says(&said, &["oom-child/worker", "not from a cluster"]);
    assert!(!said.contains("nothing is wrong"), "{said}");
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

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_direct_message_needs_no_mention() {
    let (ns, kubeconfig, _) = granted("prod").await;
    ns.apply(OOM).await;
    let chat = Chat::with(&[("prod", &kubeconfig)]).await;
    assert_eq!(chat.slack.direct(ids::ALICE), "D0ALICE");
    let answer = chat.alice().in_channel("D0ALICE").types(&format!("why is {}/manage down", ns.name)).await;
    assert_says(&answer.in_thread_of(&answer.to), &[MANAGE, "256Mi", "OOMKilled", "kubectl"]);
    chat.alice().in_channel("D0ALICE").types(&format!("/podoctor {}/manage", ns.name)).await.parent_says(&[MANAGE]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_channel_is_answered_in_its_language() {
    let (ns, kubeconfig, _) = granted("prod").await;
    ns.apply(OOM).await;
    let slack = workspace(Config::default()).await;
    let mut setup = Setup::of(&slack, &[("prod", &kubeconfig)]);
    setup.yaml += "channels: {C0TEAMA: {language: zh-CN}}\n";
    let chat = Chat::of(slack, &setup).await;
    let question = format!("/podoctor {}/manage", ns.name);
    let here = chat.alice().in_channel(ids::TEAM_A).types(&question).await;
    here.parent_says(&[MANAGE, "256Mi", "集群 prod", "提问者"]).thread_says(&[
        "判断依据",
        "如何修复",
        "OOMKilled",
        "kubectl",
    ]);
    chat.alice().types(&question).await.thread_says(&["Why we think so", "How to fix it"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn who_is_not_on_the_list_is_refused_in_private_with_who_is() {
    let (ns, kubeconfig, user) = granted("prod").await;
    ns.apply(OOM).await;
    let slack = workspace(Config::default()).await;
    let mut setup = Setup::of(&slack, &[("prod", &kubeconfig)]);
    setup.yaml += "access: {ask: [{groups: [S0ONCALL], namespaces: ['prod-*']}]}\n";
    let chat = Chat::of(slack, &setup).await;
    let question = format!("{}/manage", ns.name);
    chat.alice().types(&format!("/podoctor {question}")).await.parent_says(&["256Mi"]);
    chat.alice().in_channel(ids::TEAM_A).types(&format!("@podoctor {question}")).await;

    let mark = ns.plane.mark().await;
    let refused = [
        chat.bob().types(&format!("/podoctor {question}")).await,
        chat.bob().types(&format!("@podoctor {question}")).await,
        chat.alice().types("/podoctor kube-system/etcd").await,
        chat.alice().types("/podoctor").await,
    ];
    for refused in refused {
        assert_says(&refused.whispered(), &["You may not ask about this here", "S0ONCALL"]);
        assert_eq!(refused.messages.len(), 1, "{}", refused.all());
        assert!(!refused.all().contains("256Mi"), "{}", refused.all());
    }
    assert_eq!(ns.plane.requests_since(mark, &user).await, []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn many_ask_at_once_and_each_is_answered_once() {
    let (ns, kubeconfig, _) = granted("prod").await;
    ns.apply(OOM).await;
    let chat = Chat::with(&[("prod", &kubeconfig)]).await;
    let people = [ids::ALICE, ids::BOB, ids::GUEST];
    let places = [ids::CHANNEL, ids::TEAM_A, ids::SHARED];
    let mut asked = Vec::new();
    for (person, place) in people.iter().flat_map(|person| places.map(|place| (*person, place))) {
        let person = chat.person(person).in_channel(place);
        asked.push((place, person.says(&format!("@podoctor {}/manage?", ns.name), None)));
    }
    chat.handled(asked.len()).await;
    for (place, question) in asked {
        let replies = chat.replies(place, &question);
        assert_eq!(replies.iter().filter(|reply| words(reply).contains("How to fix it")).count(), 1, "{replies:#?}");
        assert!(words(&replies[0]).contains("256Mi"), "{replies:#?}");
    }
    assert!(chat.slack.deliveries().iter().all(|d| d.attempt == 0), "each is acknowledged at once");
}
