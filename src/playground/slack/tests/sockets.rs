//! Socket Mode: hello, envelopes, acknowledgements, redelivery, and how sockets end.

use std::time::Duration;

use serde_json::json;

use super::app::{SOON, app, app_with, quick};
use crate::playground::slack::{Config, DisconnectReason, Kind, ids};

#[tokio::test]
async fn a_mention_arrives_and_is_acknowledged() {
    let app = app().await;
    let mut socket = app.socket().await;
    let ts = app.workspace.say(ids::ALICE, "C0PODOCTOR", "@podoctor why is prod/manage stuck?", None).unwrap();
    let envelope = socket.take().await;
    assert_eq!((&envelope["type"], &envelope["accepts_response_payload"]), (&json!("events_api"), &json!(false)));
    assert_eq!((&envelope["retry_attempt"], &envelope["retry_reason"]), (&json!(0), &json!("")));
    let event = &envelope["payload"]["event"];
    assert_eq!(event["type"], "app_mention");
    assert_eq!(event["text"], "<@U0PODOCTOR> why is prod/manage stuck?");
    assert_eq!(
        (&event["ts"], &event["user"], &event["channel"]),
        (&json!(ts), &json!(ids::ALICE), &json!("C0PODOCTOR"))
    );
    assert_eq!(envelope["payload"]["authorizations"][0]["user_id"], ids::BOT_USER);
    let acked = |workspace: &crate::playground::slack::Workspace| workspace.deliveries()[0].ack.is_some();
    assert!(app.workspace.wait_until(SOON, acked).await);
    let delivered = app.workspace.deliveries().remove(0);
    assert_eq!((delivered.kind, delivered.what.as_str()), (Kind::Event, "app_mention"));
    assert!(delivered.ack.unwrap().in_time);
}

#[tokio::test]
async fn a_ticket_is_good_once() {
    let app = app().await;
    let token = app.workspace.config().app_token.clone();
    let reply = app.request("apps.connections.open", &token, json!({})).send().await.unwrap();
    let url = reply.json::<serde_json::Value>().await.unwrap()["url"].as_str().unwrap().to_owned();
    let first = tokio_tungstenite::connect_async(&url).await;
    assert!(first.is_ok());
    assert!(tokio_tungstenite::connect_async(&url).await.is_err());
    let bot_token = app.workspace.config().bot_token.clone();
    let reply = app.request("apps.connections.open", &bot_token, json!({})).send().await.unwrap();
    assert_eq!(reply.json::<serde_json::Value>().await.unwrap()["error"], "not_allowed_token_type");
}

#[tokio::test]
async fn an_unacknowledged_event_comes_again_to_whoever_is_there() {
    let app = app_with(quick()).await;
    let mut first = app.socket().await;
    app.workspace.say(ids::ALICE, "C0PODOCTOR", "@podoctor x", None).unwrap();
    let lost = first.next().await;
    // The socket goes without an acknowledgement; the event goes to the next one.
    drop(first);
    let mut second = app.socket().await;
    let again = second.take().await;
    assert_eq!(again["payload"]["event_id"], lost["payload"]["event_id"]);
    assert_ne!(again["envelope_id"], lost["envelope_id"]);
    assert!(again["retry_attempt"].as_u64().unwrap() >= 1);
    assert!(second.maybe_next(Duration::from_millis(400)).await.is_none(), "acknowledged is done");
}

#[tokio::test]
async fn a_silent_app_gets_three_retries() {
    let app = app_with(quick()).await;
    let mut socket = app.socket().await;
    app.workspace.say(ids::ALICE, "C0PODOCTOR", "@podoctor x", None).unwrap();
    let mut attempts = Vec::new();
    while let Some(envelope) = socket.maybe_next(Duration::from_secs(1)).await {
        attempts.push((envelope["retry_attempt"].as_u64().unwrap(), envelope["retry_reason"].clone()));
    }
    assert_eq!(attempts, [(0, json!("")), (1, json!("timeout")), (2, json!("timeout")), (3, json!("timeout"))]);
}

#[tokio::test]
async fn commands_are_not_retried() {
    let app = app_with(quick()).await;
    let refused = app.workspace.command(ids::ALICE, "C0PODOCTOR", "prod/x").await.unwrap_err();
    assert_eq!(refused.code, "dispatch_failed");
    let mut socket = app.socket().await;
    let refused = app.workspace.command(ids::ALICE, "C0PODOCTOR", "prod/x").await.unwrap_err();
    assert_eq!(refused.code, "operation_timeout");
    assert_eq!(socket.next().await["type"], "slash_commands");
    assert!(socket.maybe_next(Duration::from_millis(400)).await.is_none());
    let told = app.workspace.messages_seen_by("C0PODOCTOR", ids::ALICE);
    assert!(told[1]["text"].as_str().unwrap().contains("operation_timeout"));
    assert!(app.workspace.messages_seen_by("C0PODOCTOR", ids::BOB).is_empty());
}

#[tokio::test]
async fn ten_sockets_are_the_most() {
    let app = app().await;
    let mut sockets = Vec::new();
    for _ in 0..10 {
        sockets.push(app.socket().await);
    }
    let mut eleventh = app.silent_socket().await;
    assert_eq!(eleventh.next().await["reason"], "too_many_websockets");
    assert_eq!(app.workspace.open_sockets(), 10);
    for _ in 0..30 {
        app.workspace.say(ids::ALICE, "C0PODOCTOR", "@podoctor x", None).unwrap();
    }
    let used: std::collections::BTreeSet<_> =
        app.workspace.deliveries().iter().filter_map(|delivered| delivered.connection).collect();
    assert!(used.len() > 1, "payloads go to any of them");
}

#[tokio::test]
async fn a_socket_told_to_refresh_gets_nothing_while_there_is_another() {
    let app = app().await;
    let mut old = app.socket().await;
    app.workspace.disconnect(DisconnectReason::Warning);
    assert_eq!(old.next().await["reason"], "warning");
    app.workspace.disconnect(DisconnectReason::RefreshRequested);
    assert_eq!(old.next().await["reason"], "refresh_requested");
    let mut new = app.socket().await;
    for _ in 0..5 {
        app.workspace.say(ids::ALICE, "C0PODOCTOR", "@podoctor x", None).unwrap();
        new.take().await;
    }
    app.workspace.disconnect(DisconnectReason::LinkDisabled);
    assert_eq!(new.next().await["reason"], "link_disabled");
    assert!(new.maybe_next(SOON).await.is_none(), "and is closed");
    assert!(app.workspace.wait_until(SOON, |workspace| workspace.open_sockets() == 0).await);
}

#[tokio::test]
async fn an_old_socket_is_told_before_its_end() {
    let app = app_with(Config { connection_time: Duration::from_millis(300), ..Config::default() }).await;
    let mut socket = app.socket().await;
    assert_eq!(socket.next().await["reason"], "warning");
    assert_eq!(socket.next().await["reason"], "refresh_requested");
    assert!(socket.maybe_next(SOON).await.is_none());
}

#[tokio::test]
async fn the_app_hears_only_what_it_may() {
    let app = app().await;
    let mut socket = app.socket().await;
    app.workspace.say(ids::ALICE, ids::WITHOUT_BOT, "@podoctor x", None).unwrap();
    app.workspace.say(ids::ALICE, "C0PODOCTOR", "no mention", None).unwrap();
    assert!(socket.maybe_next(Duration::from_millis(200)).await.is_none());
    app.workspace.say(ids::ALICE, ids::BOT_USER, "in private", None).unwrap();
    let direct = socket.take().await;
    assert_eq!(
        (&direct["payload"]["event"]["type"], &direct["payload"]["event"]["channel_type"]),
        (&json!("message"), &json!("im"))
    );
    app.workspace.join(ids::BOT_USER, ids::WITHOUT_BOT);
    assert_eq!(socket.take().await["payload"]["event"]["type"], "member_joined_channel");
    app.workspace.say(ids::MALLORY, ids::SHARED, "@podoctor x", None).unwrap();
    let foreign = socket.take().await["payload"].clone();
    assert_eq!(
        (&foreign["is_ext_shared_channel"], &foreign["event"]["user_team"]),
        (&json!(true), &json!(ids::OTHER_TEAM))
    );
}
