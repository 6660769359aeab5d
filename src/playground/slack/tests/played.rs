//! What people do: commands, clicks, shortcuts, modals, and the answers they see.

use std::time::Duration;

use serde_json::{Value, json};

use super::app::{SOON, app, app_with};
use crate::playground::slack::{Config, ids};

fn button(value: &str) -> Value {
    json!([{"type": "actions", "block_id": "row", "elements": [{"type": "button", "action_id": "fix", "value": value,
        "text": {"type": "plain_text", "text": "Propose fix"}, "style": "primary"}]}])
}

#[tokio::test]
async fn a_command_is_acknowledged_and_answered() {
    let app = app().await;
    let mut socket = app.socket().await;
    let body = json!({"user": ids::ALICE, "channel": "C0PODOCTOR", "text": "prod/manage for @bob"});
    let (played, envelope) = tokio::join!(app.play("command", body), async {
        let envelope = socket.next().await;
        socket.ack(&envelope, Some(json!({"text": "Looking…"}))).await;
        envelope
    });
    assert_eq!((&played["ok"], &played["ack"]), (&json!(true), &json!({"text": "Looking…"})));
    let payload = &envelope["payload"];
    assert_eq!(payload["text"], "prod/manage for <@U0BOB|bob>");
    assert_eq!((&payload["command"], &payload["channel_name"]), (&json!("/podoctor"), &json!("podoctor")));
    assert_eq!(payload["is_enterprise_install"], "false");
    let seen = app.look("channels/C0PODOCTOR/messages?user=U0ALICE").await;
    assert_eq!(
        (&seen["messages"][0]["text"], &seen["messages"][0]["is_ephemeral"]),
        (&json!("Looking…"), &json!(true))
    );
    assert_eq!(app.look("channels/C0PODOCTOR/messages").await["messages"], json!([]));

    let url = payload["response_url"].as_str().unwrap();
    for use_ in 1..=6 {
        let reply =
            app.http.post(url).json(&json!({"text": "done", "response_type": "in_channel"})).send().await.unwrap();
        match use_ {
            6 => assert!(reply.text().await.unwrap().contains("used_url")),
            _ => assert_eq!(reply.text().await.unwrap(), "ok"),
        }
    }
    assert_eq!(app.workspace.messages("C0PODOCTOR").len(), 5);
}

#[tokio::test]
async fn a_command_works_where_the_bot_is_not() {
    let app = app().await;
    let mut socket = app.socket().await;
    let (played, envelope) =
        tokio::join!(app.workspace.command(ids::BOB, ids::PRIVATE, "/podoctor help"), socket.take());
    assert!(played.unwrap().payload.is_none());
    assert_eq!(
        (&envelope["payload"]["text"], &envelope["payload"]["channel_name"]),
        (&json!("help"), &json!("privategroup"))
    );
    let url = envelope["payload"]["response_url"].as_str().unwrap();
    app.http.post(url).json(&json!({"text": "hello"})).send().await.unwrap();
    assert_eq!(app.workspace.messages_seen_by(ids::PRIVATE, ids::BOB)[0]["text"], "hello");
    let guest = app.workspace.command(ids::GUEST, ids::PRIVATE, "x").await.unwrap_err();
    assert_eq!(guest.code, "not_in_channel");
}

#[tokio::test]
async fn a_button_is_pressed_also_a_stale_one() {
    let app = app().await;
    let mut socket = app.socket().await;
    let post = json!({"channel": "C0PODOCTOR", "text": "x", "blocks": button("nonce-1")});
    let ts = app.call("chat.postMessage", post).await["ts"].as_str().unwrap().to_owned();
    let press = json!({"user": ids::ALICE, "channel": "C0PODOCTOR", "ts": ts, "action_id": "fix"});
    let (played, envelope) = tokio::join!(app.play("click", press.clone()), socket.take());
    assert_eq!(played["ok"], true, "{played}");
    let payload = &envelope["payload"];
    assert_eq!((&envelope["type"], &payload["type"]), (&json!("interactive"), &json!("block_actions")));
    assert_eq!(
        (&payload["actions"][0]["value"], &payload["actions"][0]["block_id"]),
        (&json!("nonce-1"), &json!("row"))
    );
    assert_eq!((&payload["user"]["id"], &payload["team"]["id"]), (&json!(ids::ALICE), &json!(ids::TEAM)));
    assert_eq!((&payload["container"]["message_ts"], &payload["message"]["ts"]), (&json!(ts), &json!(ts)));

    let replaced = json!({"text": "done", "replace_original": true});
    app.http.post(payload["response_url"].as_str().unwrap()).json(&replaced).send().await.unwrap();
    assert_eq!(app.workspace.messages("C0PODOCTOR")[0]["text"], "done");
    assert_eq!(app.play("click", press).await["error"], "action_not_found");
    let stale = app.workspace.click(ids::BOB, "C0PODOCTOR", &ts, "fix", Some("nonce-1"));
    let (stale, envelope) = tokio::join!(stale, socket.take());
    stale.unwrap();
    assert_eq!(envelope["payload"]["actions"][0]["value"], "nonce-1");
}

#[tokio::test]
async fn a_shortcut_carries_the_message() {
    let app = app().await;
    let mut socket = app.socket().await;
    let ts = app.workspace.say(ids::BOB, "C0PODOCTOR", "Pod prod/manage is <none> & stuck", None).unwrap();
    let body = json!({"user": ids::ALICE, "channel": "C0PODOCTOR", "ts": ts});
    let (played, envelope) = tokio::join!(app.play("shortcut", body), socket.take());
    assert_eq!(played["ok"], true);
    let payload = &envelope["payload"];
    assert_eq!((&payload["type"], &payload["callback_id"]), (&json!("message_action"), &json!("diagnose")));
    assert_eq!(payload["message"]["text"], "Pod prod/manage is &lt;none&gt; &amp; stuck");
    assert_eq!(
        payload["message"]["blocks"][0]["elements"][0]["elements"][0]["text"],
        "Pod prod/manage is <none> & stuck"
    );
}

#[tokio::test]
async fn a_modal_opens_once_and_is_sent_off() {
    let app = app().await;
    let mut socket = app.socket().await;
    let (_, envelope) = tokio::join!(app.workspace.command(ids::ALICE, "C0PODOCTOR", "silence"), socket.take());
    let trigger = &envelope["payload"]["trigger_id"];
    let title = |text: &str| json!({"type": "plain_text", "text": text});
    let view = json!({"type": "modal", "title": title("Silence"), "submit": title("Go"), "callback_id": "silence",
        "blocks": [{"type": "input", "block_id": "why", "label": title("Why"),
            "element": {"type": "plain_text_input", "action_id": "text"}}]});
    let long = json!({"type": "modal", "title": title(&"x".repeat(25)), "blocks": []});
    assert_eq!(
        app.call("views.open", json!({"trigger_id": trigger, "view": long})).await["error"],
        "invalid_arguments"
    );
    let opened = app.call("views.open", json!({"trigger_id": trigger, "view": view})).await;
    let again = app.call("views.open", json!({"trigger_id": trigger, "view": view})).await;
    assert_eq!(again["error"], "exchanged_trigger_id");
    let id = opened["view"]["id"].as_str().unwrap();
    assert_eq!(app.look("views?user=U0ALICE").await["views"][0]["callback_id"], "silence");

    let values = json!({"why": {"text": {"type": "plain_text_input", "value": "known"}}});
    let body = json!({"user": ids::ALICE, "view_id": id, "values": values});
    let (played, envelope) = tokio::join!(app.play("view", body.clone()), async {
        let envelope = socket.next().await;
        let answer = json!({"response_action": "errors", "errors": {"why": "too short"}});
        socket.ack(&envelope, Some(answer)).await;
        envelope
    });
    assert_eq!(played["ack"]["response_action"], "errors");
    assert_eq!(envelope["payload"]["view"]["state"]["values"], values);
    assert_eq!(app.workspace.views_of(ids::ALICE)[0]["errors"]["why"], "too short");
    let (_, envelope) = tokio::join!(app.play("view", body), socket.take());
    assert_eq!(envelope["payload"]["type"], "view_submission");
    assert!(app.workspace.views_of(ids::ALICE).is_empty());
}

#[tokio::test]
async fn triggers_and_response_urls_run_out() {
    let config = Config {
        trigger_lifetime: Duration::ZERO,
        response_url_lifetime: Duration::from_millis(30),
        ..Config::default()
    };
    let app = app_with(config).await;
    let mut socket = app.socket().await;
    let (_, envelope) = tokio::join!(app.workspace.command(ids::ALICE, "C0PODOCTOR", "x"), socket.take());
    let view = json!({"type": "modal", "title": {"type": "plain_text", "text": "x"}, "blocks": []});
    let open = json!({"trigger_id": envelope["payload"]["trigger_id"], "view": view});
    assert_eq!(app.call("views.open", open).await["error"], "expired_trigger_id");
    tokio::time::sleep(Duration::from_millis(40)).await;
    let reply = app.http.post(envelope["payload"]["response_url"].as_str().unwrap()).json(&json!({"text": "x"}));
    let reply = reply.send().await.unwrap();
    assert_eq!(reply.status(), 404);
    assert!(reply.text().await.unwrap().contains("expired_url"));
}

#[tokio::test]
async fn reactions_of_people_are_heard() {
    let app = app().await;
    let mut socket = app.socket().await;
    let ts = app.post("C0PODOCTOR", "x").await;
    let body = json!({"user": ids::ALICE, "channel": "C0PODOCTOR", "ts": ts, "name": "wrench"});
    assert_eq!(app.play("reaction", body.clone()).await["ok"], true);
    let event = socket.take().await["payload"]["event"].clone();
    assert_eq!((&event["type"], &event["reaction"]), (&json!("reaction_added"), &json!("wrench")));
    assert_eq!((&event["item"]["ts"], &event["item_user"]), (&json!(ts), &json!(ids::BOT_USER)));
    assert_eq!(app.play("reaction", body).await["error"], "already_reacted");
}

#[tokio::test]
async fn the_info_tells_what_a_client_needs() {
    let app = app().await;
    let info = app.look("info").await;
    assert_eq!(info["ok"], true);
    assert_eq!(info["bot_token"], app.workspace.config().bot_token.as_str());
    assert!(info["channels"].as_array().unwrap().iter().any(|c| c["id"] == "C0PODOCTOR" && c["name"] == "podoctor"));
    for user in [ids::ALICE, ids::BOB, ids::GUEST, ids::MALLORY] {
        assert!(info["users"].as_array().unwrap().iter().any(|known| known["id"] == user));
    }
}

#[tokio::test]
async fn another_site_cannot_play() {
    let app = app().await;
    let url = format!("{}/try/info", app.workspace.base_url());
    let foreign = app.http.get(&url).header("origin", "https://evil.example").send().await.unwrap();
    assert_eq!(foreign.status(), 403);
    let rebound = app.http.get(&url).header("host", "evil.example").send().await.unwrap();
    assert_eq!(rebound.status(), 403);
}

#[tokio::test]
async fn not_seen_says_what_was_there() {
    let app = app().await;
    app.post("C0PODOCTOR", "something else").await;
    let missing =
        app.workspace.wait_for_message("C0PODOCTOR", Duration::from_millis(50), |message| message["text"] == "x");
    assert!(missing.await.unwrap_err().to_string().contains("something else"));
    let found = app.workspace.wait_for_message("C0PODOCTOR", SOON, |message| message["text"] == "late");
    let (found, _) = tokio::join!(found, app.post("C0PODOCTOR", "late"));
    assert!(found.is_ok());
}
