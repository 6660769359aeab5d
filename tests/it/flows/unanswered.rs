//! Killed with a question acknowledged and not yet answered: after the start it is answered, once, or its asker is told.

use super::bot::{Bot, PATIENCE, Setup};
use super::chat::{Chat, assert_says, words, workspace};
use super::data::{MANAGE, OOM, granted, kubeconfig_at};
use super::proxy::Proxy;
use podoctor::playground::slack::{Config, Delivery, Running, ids};
use podoctor::store::{self, Embedded, Kind, Store};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Settings that remember in a file of the test's own.
fn remembering(setup: Setup, store: &Path) -> Setup {
    Setup { yaml: format!("{}store: {{path: {}}}\n", setup.yaml, store.display()), ..setup }
}

/// Returns the questions that are in the store.
async fn kept(path: &Path) -> Vec<Value> {
    let store = Embedded::open(path).unwrap();
    store::all(&store, Kind::Question).await.unwrap().into_iter().map(|record| record.body).collect()
}

/// A bot that was killed over a slow cluster, with a question acknowledged and not answered.
struct Killed {
    slack: Running,
    /// What starts it again, with the cluster at hand.
    setup: Setup,
    store: PathBuf,
    folder: tempfile::TempDir,
}

async fn killed(http: bool, kubeconfig: &Path, ns: &crate::plane::Ns<'_>, ask: impl AsyncFnOnce(&Running)) -> Killed {
    let proxy = Proxy::start(ns, Duration::from_secs(600)).await;
    let slow = kubeconfig_at(&proxy.url);
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("podoctor.db");
    let slack = workspace(Config::default()).await;
    let of = |kubeconfig: &Path| {
        let setup = remembering(Setup::of(&slack, &[("prod", kubeconfig)]), &store);
        if http { setup.over_http(&slack) } else { setup }
    };
    let (before, setup) = (of(slow.path()), of(kubeconfig));
    let bot = Bot::start(&before).await;
    if http {
        let at = |path: &str| format!("http://{}/slack/{path}", bot.address);
        let (events, commands, interactivity) = (at("events"), at("commands"), at("interactivity"));
        slack.deliver_over(Delivery::Http { events, commands, interactivity });
    } else {
        assert!(slack.wait_for_sockets(2, PATIENCE).await, "{}", bot.log());
    }
    ask(&slack).await;
    let acked = slack.wait_until(PATIENCE, |slack| {
        let deliveries = slack.deliveries();
        !deliveries.is_empty() && deliveries.iter().all(|delivery| delivery.ack.is_some())
    });
    assert!(acked.await, "{:?}", slack.deliveries());
    // Dropping it kills it with -9.
    drop(bot);
    assert_eq!(kept(&store).await.len(), 1, "it is kept before it is acknowledged");
    assert_eq!(slack.messages(ids::CHANNEL).iter().filter(|message| super::chat::by_bot(message)).count(), 0);
    Killed { slack, setup, store, folder }
}

/// Starts it again, and waits until it is done with what was left.
async fn started_again(killed: Killed) -> (Chat, PathBuf, tempfile::TempDir) {
    let Killed { slack, setup, store, folder } = killed;
    let bot = Bot::start(&setup).await;
    let chat = Chat { slack, bot };
    chat.handled(1).await;
    assert_eq!(kept(&store).await, Vec::<Value>::new(), "an answered question is forgotten");
    (chat, store, folder)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_question_that_was_acknowledged_before_a_kill_is_answered_once() {
    let (ns, kubeconfig, _) = granted("prod").await;
    ns.apply(OOM).await;
    let text = format!("/podoctor {}/manage", ns.name);
    let killed = killed(false, &kubeconfig, &ns, async |slack: &Running| {
        slack.command(ids::ALICE, ids::CHANNEL, &text).await.unwrap();
    });
    let (chat, store, _folder) = started_again(killed.await).await;
    let parents = chat.parents(ids::CHANNEL);
    assert_eq!(parents.len(), 1, "{parents:#?}");
    assert_says(&words(&parents[0]), &[MANAGE, "256Mi", "<@U0ALICE>"]);
    let replies = chat.replies(ids::CHANNEL, parents[0]["ts"].as_str().unwrap());
    assert_eq!(replies.iter().filter(|reply| words(reply).contains("How to fix it")).count(), 1, "{replies:#?}");
    let said = chat.slack.messages(ids::CHANNEL).len();

    // As if it had been killed once more, while it said this: what stands there is not said again.
    let Chat { slack, bot } = chat;
    drop(bot);
    let first = &parents[0]["metadata"]["event_payload"]["id"];
    let id = first.as_str().and_then(|id| id.strip_suffix(".0")).expect("the parent carries its question's id");
    let question = serde_json::json!({
        "incoming": {
            "person": {"team": ids::TEAM, "id": ids::ALICE},
            "place": {"channel": ids::CHANNEL, "thread": null}, "at": null, "shared_channel": false, "return_path": null, "files": [],
            "what": {"Command": {"text": text.trim_start_matches("/podoctor ")}},
        },
        "keys": [], "received": jiff::Timestamp::now().to_string(), "saying": true,
    });
    Embedded::open(&store).unwrap().put(Kind::Question, id, question.to_string(), 0).await.unwrap();
    let setup = remembering(Setup::of(&slack, &[("prod", &kubeconfig)]), &store);
    let chat = Chat { bot: Bot::start(&setup).await, slack };
    chat.handled(1).await;
    assert_eq!(chat.slack.messages(ids::CHANNEL).len(), said, "{:#?}", chat.slack.messages(ids::CHANNEL));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_http_as_well_a_mention_is_answered_in_its_thread() {
    let (ns, kubeconfig, _) = granted("prod").await;
    ns.apply(OOM).await;
    let mut ts = String::new();
    let killed = killed(true, &kubeconfig, &ns, async |slack: &Running| {
        ts = slack.say(ids::ALICE, ids::CHANNEL, &format!("@podoctor {}/manage?", ns.name), None).unwrap();
    });
    let (chat, ..) = started_again(killed.await).await;
    assert_eq!(chat.parents(ids::CHANNEL).len(), 0);
    let replies = chat.replies(ids::CHANNEL, &ts);
    assert_eq!(replies.iter().filter(|reply| words(reply).contains("How to fix it")).count(), 1, "{replies:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_question_of_long_ago_is_not_answered_out_of_the_blue_but_told_of() {
    let (ns, kubeconfig, _) = granted("prod").await;
    ns.apply(OOM).await;
    let text = format!("/podoctor {}/manage", ns.name);
    let killed = killed(false, &kubeconfig, &ns, async |slack: &Running| {
        slack.command(ids::ALICE, ids::CHANNEL, &text).await.unwrap();
    })
    .await;
    let store = Embedded::open(&killed.store).unwrap();
    let record = store.list(Kind::Question).await.unwrap().remove(0);
    let mut body: Value = serde_json::from_str(&record.body).unwrap();
    let before = jiff::Timestamp::now() - Duration::from_secs(90);
    body["received"] = before.to_string().into();
    store.put(Kind::Question, &record.id, body.to_string(), record.version).await.unwrap();
    drop(store);
    let (chat, ..) = started_again(killed).await;
    let parents = chat.parents(ids::CHANNEL);
    assert_eq!(parents.len(), 1, "{parents:#?}");
    assert_says(&words(&parents[0]), &[&text, "I was restarted before I could answer", "<@U0ALICE>"]);
    assert!(!words(&parents[0]).contains("256Mi"));
}
