//! Nobody asks: a pod that is stuck is told, looked after, over, and told of once whatever happens to podoctor meanwhile.

use super::bot::Bot;
use super::chat::{Chat, assert_says, words};
use super::data::{MANAGE, OOM};
use super::watched::{SOON, Watched};
use crate::plane::Ns;
use podoctor::playground::slack::ids;
use serde_json::{Value, json};

/// Waits until a message of the channel says all of these, and returns it.
pub async fn said(chat: &Chat, parts: &[&str]) -> Value {
    let fits = |message: &Value| parts.iter().all(|part| words(message).contains(part));
    let started = std::time::Instant::now();
    loop {
        if let Some(found) = chat.parents(ids::CHANNEL).into_iter().find(fits) {
            return found;
        }
        let waited = started.elapsed() > super::bot::PATIENCE;
        assert!(!waited, "{parts:?} is not said, but:\n{}\nthe bot's log:\n{}", chat.all_said(), chat.bot.log());
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

async fn recovers(ns: &Ns<'_>) {
    let ready = json!({"type": "Ready", "status": "True", "lastTransitionTime": jiff::Timestamp::now().to_string()});
    let container = json!({"name": "manage", "image": "x", "imageID": "x", "ready": true, "restartCount": 0,
        "state": {"running": {"startedAt": "2026-01-01T00:00:00Z"}}});
    ns.patch_pod_status(MANAGE, json!({"phase": "Running", "conditions": [ready], "containerStatuses": [container]}))
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stuck_pod_is_told_looked_after_and_turns_green() {
    let Watched { ns, chat, store: _store, .. } = Watched::bare(SOON).await;
    ns.apply(OOM).await;

    let name = format!("{}/manage", ns.name);
    let alert = said(&chat, &[&name, "crash looping", "memory limit", "256Mi"]).await;
    let ts = alert["ts"].as_str().unwrap().to_owned();
    let first =
        chat.bot.until("the thread has the evidence", |_| chat.replies(ids::CHANNEL, &ts).first().cloned()).await;
    assert_says(&words(&first), &["OOMKilled", "kubectl"]);

    chat.slack.react(ids::ALICE, ids::CHANNEL, &ts, "eyes").unwrap();
    said(&chat, &[&name, "looked after by"]).await;

    recovers(&ns).await;
    said(&chat, &["✅", &name, "resolved after"]).await;
    assert_eq!(chat.parents(ids::CHANNEL).len(), 1, "one incident is one message");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_and_started_again_it_goes_on_in_the_same_message() {
    let Watched { ns, mut chat, setup, store: _store } = Watched::bare(SOON).await;
    ns.apply(OOM).await;
    let name = format!("{}/manage", ns.name);
    said(&chat, &[&name, "crash looping"]).await;

    // Dropping it kills it with -9.
    chat.bot = Bot::start(&setup).await;
    chat.bot.until("it watches again", |bot| bot.log().contains("podoctor is up").then_some(())).await;
    recovers(&ns).await;
    said(&chat, &["✅", &name, "resolved after"]).await;
    assert_eq!(chat.parents(ids::CHANNEL).len(), 1, "nothing is told twice");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_silenced_is_not_told_until_it_is_heard_again() {
    let Watched { ns, chat, store, .. } = Watched::bare(SOON).await;
    let alice = chat.alice().in_channel(ids::TEAM_A);
    let silenced = alice.types(&format!("/podoctor silence {} 2h a known leak", ns.name)).await;
    assert_says(&silenced.all(), &["is silenced", &ns.name]);
    assert_says(&alice.types("/podoctor silences").await.all(), &["a known leak"]);
    ns.apply(OOM).await;
    let told = alice.in_channel(ids::TEAM_A);
    chat.bot.until("the incident is remembered", |_| store.path().join("podoctor.db").exists().then_some(())).await;
    let started = std::time::Instant::now();
    loop {
        let history = told.types(&format!("/podoctor history {}", ns.name)).await.all();
        if history.contains("crash looping") {
            break;
        }
        assert!(started.elapsed() < super::bot::PATIENCE, "it is seen though nobody is told: {history}");
    }
    assert_eq!(chat.parents(ids::CHANNEL).len(), 0, "silenced");
    told.types(&format!("/podoctor unsilence {}", ns.name)).await;
    said(&chat, &[&format!("{}/manage", ns.name), "crash looping"]).await;
}
