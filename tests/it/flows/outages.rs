//! Slack in trouble while pods are sick: nothing is lost, nothing is told twice.

use super::bot::PATIENCE;
use super::chat::{assert_says, ts, words};
use super::watched::{AT_ONCE, FIX, Watched};
use crate::plane::Plane;
use podoctor::playground::slack::{Config, Failure, ids};
use std::time::Duration;

fn count(thread: &[String], part: &str) -> usize {
    thread.iter().filter(|said| said.contains(part)).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn what_breaks_while_slack_is_down_is_told_once_it_is_back() {
    let w = Watched::start(AT_ONCE).await;
    w.breaks("web").await;
    let web = w.says("web", &["crash looping"]).await;
    w.thread(&web).await;

    w.chat.slack.fail("*", Failure::Status(503), u32::MAX);
    let before = w.chat.slack.calls_of("chat.postMessage").len();
    w.breaks("api").await;
    w.breaks("db").await;
    w.recovers("web").await;
    let tried = |workload: &str| {
        let (calls, name) = (w.chat.slack.calls_of("chat.postMessage"), w.name(workload));
        calls[before..].iter().any(|call| call.args.to_string().contains(&name)).then_some(())
    };
    w.until("both are tried", || tried("api").and(tried("db"))).await;
    w.recovers("db").await;
    w.chat.slack.heal();

    let api = w.says("api", &["crash looping", "memory limit"]).await;
    assert_eq!(count(&w.thread(&api).await, FIX), 1, "its evidence is not lost either");
    let db = w.says("db", &["✅", "resolved after"]).await;
    w.says("web", &["✅", "resolved after"]).await;
    w.until("both threads say that it is over", || {
        let over = |ts: &str| w.chat.replies(ids::CHANNEL, ts).iter().any(|said| words(said).contains("✅ Resolved"));
        (over(&ts(&web)) && over(&ts(&db))).then_some(())
    })
    .await;
    assert_eq!(w.chat.parents(ids::CHANNEL).len(), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn no_lost_reply_no_page_of_html_and_no_request_to_wait_makes_a_second_message() {
    let w = Watched::start(AT_ONCE).await;
    let done = Failure::Slow(Duration::ZERO);
    let troubles = [
        ("lost", vec![("chat.postMessage", Failure::LostReply)]),
        ("html", vec![("chat.postMessage", Failure::Html)]),
        ("cut", vec![("chat.postMessage", Failure::Cut)]),
        ("wait", vec![("chat.postMessage", Failure::RateLimited(1))]),
        // The message stands, and its thread is in trouble.
        ("thread", vec![("chat.postMessage", done), ("chat.postMessage", Failure::LostReply)]),
        // The reply is lost, and the channel cannot be asked at first.
        ("blind", vec![("chat.postMessage", Failure::LostReply), ("conversations.history", Failure::Status(503))]),
    ];
    for (workload, faults) in troubles {
        for (method, failure) in faults {
            w.chat.slack.fail(method, failure, 1);
        }
        w.breaks(workload).await;
        let told = w.says(workload, &["crash looping", "memory limit"]).await;
        assert_eq!(count(&w.thread(&told).await, FIX), 1, "{workload}");
    }
    // An edit that fails is made up for.
    w.chat.slack.fail("chat.update", Failure::Html, 1);
    w.recovers("lost").await;
    w.says("lost", &["✅", "resolved after"]).await;
    assert_eq!(w.chat.parents(ids::CHANNEL).len(), 6);
    let keys = |message: &serde_json::Value| message["metadata"]["event_payload"]["id"].as_str().map(str::to_owned);
    let mut said: Vec<String> = w.chat.slack.messages(ids::CHANNEL).iter().filter_map(keys).collect();
    let all = said.len();
    said.sort();
    said.dedup();
    assert_eq!(said.len(), all, "each thing is said once");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn where_the_channel_may_not_be_read_an_alert_is_told_all_the_same() {
    let mut config = Config::default();
    config.scopes.retain(|scope| !scope.ends_with(":history"));
    let w = Watched::on(Plane::shared().await, config, AT_ONCE).await;
    w.chat.slack.fail("chat.postMessage", Failure::Status(503), 1);
    w.breaks("web").await;
    let told = w.says("web", &["crash looping", "memory limit"]).await;
    w.thread(&told).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_reaction_that_comes_twice_or_late_counts_once() {
    let w = Watched::start(AT_ONCE).await;
    w.breaks("web").await;
    let told = w.says("web", &["crash looping"]).await;
    w.chat.slack.reorder_events(1);
    w.chat.slack.duplicate_events(2, false);
    w.chat.slack.react(ids::ALICE, ids::CHANNEL, &ts(&told), "eyes").unwrap();
    w.chat.slack.react(ids::BOB, ids::CHANNEL, &ts(&told), "eyes").unwrap();
    w.says("web", &["looked after by"]).await;
    w.chat.handled(2).await;
    let asked = w.chat.alice().types(&format!("/podoctor {}", w.name("web"))).await;
    asked.parent_says(&["256Mi"]);
    let replies: Vec<String> = w.chat.replies(ids::CHANNEL, &ts(&told)).iter().map(words).collect();
    assert_eq!(count(&replies, "looks after it"), 1, "{replies:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn sockets_that_say_nothing_any_more_are_replaced_and_alerts_go_on_meanwhile() {
    let w = Watched::start(AT_ONCE).await;
    let opened = w.chat.slack.calls_of("apps.connections.open").len();
    // Nobody closes them, and nothing comes: a router has forgotten them. They wake up to find themselves left.
    w.chat.slack.silence_sockets(Duration::from_secs(42));
    w.breaks("web").await;
    w.says("web", &["crash looping"]).await;
    let replaced = w.chat.slack.wait_until(Duration::from_secs(60), |slack| {
        slack.calls_of("apps.connections.open").len() >= opened + 2 && slack.open_sockets() == 2
    });
    assert!(replaced.await, "{}", w.chat.bot.log());
    assert!(w.chat.bot.log().contains("a socket to slack is silent, giving it up"), "{}", w.chat.bot.log());
    let asked = w.chat.alice().types("/podoctor help").await;
    assert_says(&asked.all(), &["/podoctor status"]);
    assert!(w.chat.slack.wait_for_sockets(2, PATIENCE).await);
}
