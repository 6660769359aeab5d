//! Trouble on order does what it says, and no more than ordered.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::app::{SOON, app, app_with};
use crate::playground::slack::{Config, DisconnectReason, Failure, ids};

fn post() -> Value {
    json!({"channel": "C0PODOCTOR", "text": "x"})
}

#[tokio::test]
async fn a_rate_limit_tells_when_to_come_back() {
    let app = app().await;
    let order = json!({"kind": "rate_limited", "method": "chat.postMessage", "retry_after": 7});
    assert_eq!(app.play("fault", order).await["ok"], true);
    let token = app.workspace.config().bot_token.clone();
    let reply = app.request("chat.postMessage", &token, post()).send().await.unwrap();
    assert_eq!((reply.status().as_u16(), reply.headers()["retry-after"].to_str().unwrap()), (429, "7"));
    assert_eq!(app.call("chat.postMessage", post()).await["ok"], true);
    assert_eq!(app.workspace.messages("C0PODOCTOR").len(), 1);
    let statuses: Vec<_> = app.workspace.calls_of("chat.postMessage").iter().map(|call| call.status).collect();
    assert_eq!(statuses, [Some(429), Some(200)]);
}

#[tokio::test]
async fn a_lost_reply_leaves_the_message() {
    let app = app().await;
    app.workspace.fail("chat.postMessage", Failure::LostReply, 1);
    app.workspace.fail("chat.postMessage", Failure::Cut, 1);
    let token = app.workspace.config().bot_token.clone();
    let send = || app.request("chat.postMessage", &token, post()).send();
    assert!(send().await.is_err());
    assert_eq!(app.workspace.messages("C0PODOCTOR").len(), 1);
    assert!(send().await.is_err());
    assert_eq!(app.workspace.messages("C0PODOCTOR").len(), 1);
}

#[tokio::test]
async fn errors_pages_and_slowness() {
    let app = app().await;
    let token = app.workspace.config().bot_token.clone();
    app.workspace.fail("*", Failure::Status(503), 1);
    let down = app.request("auth.test", &token, json!({})).send().await.unwrap();
    assert_eq!(down.status(), 503);
    app.workspace.fail("auth.test", Failure::Html, 1);
    let page = app.request("auth.test", &token, json!({})).send().await.unwrap();
    assert!(page.text().await.unwrap().starts_with("<!DOCTYPE html>"));
    app.workspace.fail("auth.test", Failure::Error("internal_error".to_owned()), 1);
    assert_eq!(app.call("auth.test", json!({})).await["error"], "internal_error");
    app.workspace.fail("auth.test", Failure::Slow(Duration::from_millis(150)), 1);
    let start = Instant::now();
    assert_eq!(app.call("auth.test", json!({})).await["ok"], true);
    assert!(start.elapsed() >= Duration::from_millis(150));
    app.workspace.fail("auth.test", Failure::Status(500), 100);
    app.workspace.heal();
    assert_eq!(app.call("auth.test", json!({})).await["ok"], true);
}

#[tokio::test]
async fn events_come_twice() {
    let app = app().await;
    let mut socket = app.socket().await;
    app.workspace.duplicate_events(1, true);
    app.workspace.duplicate_events(1, false);
    let mut ids_of = Vec::new();
    for _ in 0..2 {
        app.workspace.say(ids::ALICE, "C0PODOCTOR", "@podoctor x", None).unwrap();
        let (first, second) = (socket.take().await, socket.take().await);
        assert_eq!(first["payload"]["event"]["ts"], second["payload"]["event"]["ts"]);
        ids_of.push(first["payload"]["event_id"] == second["payload"]["event_id"]);
    }
    assert_eq!(ids_of, [true, false]);
}

#[tokio::test]
async fn sockets_are_cut_or_fall_silent() {
    let app = app().await;
    let mut socket = app.socket().await;
    app.play("fault", json!({"kind": "silence", "ms": 300})).await;
    app.workspace.say(ids::ALICE, "C0PODOCTOR", "@podoctor x", None).unwrap();
    assert!(socket.maybe_next(Duration::from_millis(100)).await.is_none());
    assert_eq!(socket.take().await["payload"]["event"]["type"], "app_mention");
    app.play("fault", json!({"kind": "drop_sockets"})).await;
    assert!(socket.maybe_next(SOON).await.is_none());
    assert!(app.workspace.wait_until(SOON, |workspace| workspace.open_sockets() == 0).await);
    app.play("fault", json!({"kind": "mute_hellos"})).await;
    let mut mute = app.silent_socket().await;
    assert!(mute.maybe_next(Duration::from_millis(100)).await.is_none());
    let bad = app.play("fault", json!({"kind": "nonsense"})).await;
    assert_eq!(bad["error"], "invalid_arguments");
}

#[tokio::test]
async fn events_overtake_each_other() {
    let app = app().await;
    let mut socket = app.socket().await;
    app.play("fault", json!({"kind": "reorder_events"})).await;
    let first = app.workspace.say(ids::ALICE, "C0PODOCTOR", "@podoctor 1", None).unwrap();
    let second = app.workspace.say(ids::ALICE, "C0PODOCTOR", "@podoctor 2", None).unwrap();
    let mut ts = async || socket.take().await["payload"]["event"]["ts"].as_str().unwrap().to_owned();
    assert_eq!((ts().await, ts().await), (second, first));
    app.workspace.reorder_events(1);
    let alone = app.workspace.say(ids::ALICE, "C0PODOCTOR", "@podoctor 3", None).unwrap();
    assert_eq!(ts().await, alone, "is not held for ever");
}

#[tokio::test]
async fn a_socket_told_to_go_may_get_one_more() {
    let app = app().await;
    let mut old = app.socket().await;
    app.workspace.disconnect(DisconnectReason::RefreshRequested);
    assert_eq!(old.next().await["type"], "disconnect");
    let mut new = app.socket().await;
    app.workspace.late_payloads(1);
    app.workspace.say(ids::ALICE, "C0PODOCTOR", "@podoctor 1", None).unwrap();
    assert_eq!(old.take().await["type"], "events_api");
    app.workspace.say(ids::ALICE, "C0PODOCTOR", "@podoctor 2", None).unwrap();
    assert_eq!(new.take().await["type"], "events_api");
}

#[tokio::test]
async fn a_channel_takes_only_so_many_posts() {
    let app = app_with(Config { post_burst: Some(2), ..Config::default() }).await;
    let token = app.workspace.config().bot_token.clone();
    let mut statuses = Vec::new();
    for _ in 0..3 {
        let reply = app.request("chat.postMessage", &token, post()).send().await.unwrap();
        statuses.push(reply.status().as_u16());
    }
    assert_eq!(statuses, [200, 200, 429]);
    let elsewhere = json!({"channel": ids::TEAM_A, "text": "x"});
    assert_eq!(app.call("chat.postMessage", elsewhere).await["ok"], true);
}
