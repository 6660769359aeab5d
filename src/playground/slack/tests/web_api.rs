//! Methods, their errors and what is stored.

use serde_json::json;

use super::app::{SOON, app, app_with};
use crate::playground::slack::{Config, ids};

#[tokio::test]
async fn tokens_and_methods_are_checked() {
    let app = app().await;
    let open = |token: &str| app.request("auth.test", token, json!({})).send();
    let reply: serde_json::Value = open("xoxb-nobody").await.unwrap().json().await.unwrap();
    assert_eq!(reply, json!({"ok": false, "error": "invalid_auth"}));
    let app_token = app.workspace.config().app_token.clone();
    let reply: serde_json::Value = open(&app_token).await.unwrap().json().await.unwrap();
    assert_eq!(reply["error"], "not_allowed_token_type");
    let url = format!("{}/auth.test", app.workspace.api_url());
    let reply: serde_json::Value = app.http.post(url).send().await.unwrap().json().await.unwrap();
    assert_eq!(reply["error"], "not_authed");
    assert_eq!(app.call("chat.shout", json!({})).await["error"], "unknown_method");
    let me = app.call("auth.test", json!({})).await;
    assert_eq!(
        (&me["user_id"], &me["bot_id"], &me["team_id"]),
        (&json!(ids::BOT_USER), &json!(ids::BOT), &json!(ids::TEAM))
    );
}

#[tokio::test]
async fn a_missing_scope_is_named() {
    let mut config = Config::default();
    config.scopes.remove("reactions:write");
    let app = app_with(config).await;
    let reply = app.call("reactions.add", json!({})).await;
    assert_eq!((&reply["error"], &reply["needed"]), (&json!("missing_scope"), &json!("reactions:write")));
    assert!(reply["provided"].as_str().unwrap().contains("chat:write"));
}

#[tokio::test]
async fn forms_are_read_like_json() {
    let app = app().await;
    let blocks = json!([{"type": "divider"}]).to_string();
    let reply: serde_json::Value = app
        .http
        .post(format!("{}/chat.postMessage", app.workspace.api_url()))
        .form(&[
            ("token", app.workspace.config().bot_token.as_str()),
            ("channel", "C0PODOCTOR"),
            ("text", "x"),
            ("blocks", &blocks),
        ])
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    assert_eq!(reply["message"]["blocks"][0]["type"], "divider");
    assert!(app.workspace.calls()[0].args.get("token").is_none(), "tokens stay out of the log");
    assert!(app.workspace.calls()[0].args["blocks"].is_array());
}

#[tokio::test]
async fn a_message_lives_is_edited_and_goes() {
    let app = app().await;
    let metadata = json!({"event_type": "incident", "event_payload": {"id": "7"}});
    let posted =
        app.call("chat.postMessage", json!({"channel": "C0PODOCTOR", "text": "a & b", "metadata": metadata})).await;
    assert_eq!(posted["message"]["text"], "a &amp; b");
    let ts = posted["ts"].as_str().unwrap();

    let with_blocks = json!({"channel": "C0PODOCTOR", "ts": ts, "text": "new", "blocks": [{"type": "divider"}]});
    assert_eq!(app.call("chat.update", with_blocks).await["ok"], true);
    let message = &app.workspace.messages("C0PODOCTOR")[0];
    assert_eq!((&message["text"], &message["metadata"]), (&json!("new"), &metadata));
    assert!(message["edited"]["ts"].is_string());

    let text_only = json!({"channel": "C0PODOCTOR", "ts": ts, "text": "plain", "metadata": {}});
    app.call("chat.update", text_only).await;
    let message = &app.workspace.messages("C0PODOCTOR")[0];
    assert!(message.get("blocks").is_none() && message.get("metadata").is_none());

    let long = json!({"channel": "C0PODOCTOR", "ts": ts, "text": "x".repeat(4_001)});
    assert_eq!(app.call("chat.update", long).await["error"], "msg_too_long");
    app.call("chat.delete", json!({"channel": "C0PODOCTOR", "ts": ts})).await;
    assert!(app.workspace.messages("C0PODOCTOR").is_empty());
    let gone = json!({"channel": "C0PODOCTOR", "ts": ts, "text": "x"});
    assert_eq!(app.call("chat.update", gone).await["error"], "message_not_found");
}

#[tokio::test]
async fn places_refuse_in_slacks_words() {
    let app = app().await;
    let post = |channel: &'static str| app.call("chat.postMessage", json!({"channel": channel, "text": "x"}));
    assert_eq!(post(ids::WITHOUT_BOT).await["error"], "not_in_channel");
    assert_eq!(post(ids::PRIVATE).await["error"], "channel_not_found");
    assert_eq!(post(ids::ARCHIVED).await["error"], "is_archived");
    assert_eq!(post("C0NOWHERE").await["error"], "channel_not_found");
    assert_eq!(post("#team-a").await["channel"], ids::TEAM_A);
    assert_eq!(post(ids::ALICE).await["channel"], "D0ALICE");
    let nothing = app.call("chat.postMessage", json!({"channel": "C0PODOCTOR"})).await;
    assert_eq!(nothing["error"], "no_text");
    let lost = json!({"channel": "C0PODOCTOR", "text": "x", "thread_ts": "1.000001"});
    assert_eq!(app.call("chat.postMessage", lost).await["error"], "thread_not_found");
    let secret = json!({"channel": "C0PODOCTOR", "user": "U0NOBODY", "text": "x"});
    assert_eq!(app.call("chat.postEphemeral", secret).await["error"], "user_not_in_channel");
}

#[tokio::test]
async fn bad_blocks_are_pointed_at() {
    let app = app().await;
    let blocks = json!([{"type": "header", "text": {"type": "plain_text", "text": "x".repeat(151)}}]);
    let reply = app.call("chat.postMessage", json!({"channel": "C0PODOCTOR", "text": "x", "blocks": blocks})).await;
    assert_eq!(reply["error"], "invalid_blocks");
    let pointed = "must be less than 151 characters [json-pointer:/blocks/0/text/text]";
    assert_eq!(reply["errors"], json!([pointed]));
    assert_eq!(reply["response_metadata"]["messages"], json!([format!("[ERROR] {pointed}")]));
    let checked = app.call("blocks.validate", json!({"blocks": blocks.to_string()})).await;
    assert_eq!(
        (&checked["error"], &checked["errors"][0]["pointer"]),
        (&json!("invalid_blocks"), &json!("/blocks/0/text/text"))
    );
    assert!(app.workspace.messages("C0PODOCTOR").is_empty());
}

#[tokio::test]
async fn long_text_is_cut_with_a_warning() {
    let app = app().await;
    let reply = app.call("chat.postMessage", json!({"channel": "C0PODOCTOR", "text": "x".repeat(40_001)})).await;
    assert_eq!(reply["warning"], "message_truncated");
    assert_eq!(reply["message"]["text"].as_str().unwrap().len(), 40_000);
}

#[tokio::test]
async fn threads_and_history_are_read_page_by_page() {
    let app = app().await;
    let parent = app.post("C0PODOCTOR", "parent").await;
    for n in 0..3 {
        let reply = json!({"channel": "C0PODOCTOR", "text": format!("reply {n}"), "thread_ts": parent,
            "metadata": {"event_type": "note", "event_payload": {"n": "1"}}});
        assert_eq!(app.call("chat.postMessage", reply).await["ok"], true);
    }
    let other = app.post("C0PODOCTOR", "other").await;
    let history = app.call("conversations.history", json!({"channel": "C0PODOCTOR"})).await;
    assert_eq!(history["messages"][0]["ts"], json!(other));
    assert_eq!(history["messages"][1]["reply_count"], 3);
    assert_eq!(history["messages"].as_array().unwrap().len(), 2);

    let first = json!({"channel": "C0PODOCTOR", "ts": parent, "limit": 2, "include_all_metadata": true});
    let first = app.call("conversations.replies", first).await;
    assert_eq!(first["messages"][0]["text"], "parent");
    assert_eq!(first["messages"][1]["metadata"]["event_payload"]["n"], "1");
    let cursor = &first["response_metadata"]["next_cursor"];
    let second = json!({"channel": "C0PODOCTOR", "ts": parent, "limit": 2, "cursor": cursor});
    let second = app.call("conversations.replies", second).await;
    assert_eq!(second["messages"][1]["text"], "reply 2");
    assert!(second["messages"][1]["metadata"].get("event_payload").is_none());
    assert_eq!(second["has_more"], false);
    let since = json!({"channel": "C0PODOCTOR", "oldest": other, "inclusive": true});
    assert_eq!(app.call("conversations.history", since).await["messages"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn reactions_are_given_once() {
    let app = app().await;
    let ts = app.post("C0PODOCTOR", "x").await;
    let eyes = json!({"channel": "C0PODOCTOR", "timestamp": ts, "name": "eyes"});
    assert_eq!(app.call("reactions.add", eyes.clone()).await["ok"], true);
    assert_eq!(app.call("reactions.add", eyes.clone()).await["error"], "already_reacted");
    app.workspace.react(ids::ALICE, "C0PODOCTOR", &ts, ":eyes:").unwrap();
    let got = app.call("reactions.get", json!({"channel": "C0PODOCTOR", "timestamp": ts})).await;
    assert_eq!(
        got["message"]["reactions"],
        json!([{"name": "eyes", "users": [ids::BOT_USER, ids::ALICE], "count": 2}])
    );
    assert_eq!(app.call("reactions.remove", eyes.clone()).await["ok"], true);
    assert_eq!(app.call("reactions.remove", eyes).await["error"], "no_reaction");
    let bad = json!({"channel": "C0PODOCTOR", "timestamp": "1.1", "name": "eyes"});
    assert_eq!(app.call("reactions.add", bad).await["error"], "message_not_found");
}

#[tokio::test]
async fn people_and_groups_are_described() {
    let app = app().await;
    let user = |id: &'static str| app.call("users.info", json!({"user": id}));
    assert_eq!(user(ids::ALICE).await["user"]["profile"]["email"], "alice@example.com");
    assert_eq!(user(ids::GUEST).await["user"]["is_ultra_restricted"], true);
    let mallory = user(ids::MALLORY).await;
    assert_eq!((&mallory["user"]["is_stranger"], &mallory["user"]["team_id"]), (&json!(true), &json!(ids::OTHER_TEAM)));
    assert_eq!(user("U0NOBODY").await["error"], "user_not_found");
    let found = app.call("users.lookupByEmail", json!({"email": "bob@example.com"})).await;
    assert_eq!(found["user"]["id"], ids::BOB);
    let group = app.call("usergroups.users.list", json!({"usergroup": ids::ONCALL})).await;
    assert_eq!(group["users"], json!([ids::ALICE]));
    let members = app.call("conversations.members", json!({"channel": "C0PODOCTOR", "limit": 2})).await;
    assert_eq!(members["members"].as_array().unwrap().len(), 2);
    assert!(!members["response_metadata"]["next_cursor"].as_str().unwrap().is_empty());
    let shared = app.call("conversations.info", json!({"channel": ids::SHARED})).await;
    assert_eq!(shared["channel"]["is_ext_shared"], true);
}

#[tokio::test]
async fn a_file_is_uploaded_and_shared() {
    let app = app().await;
    let parent = app.post("C0PODOCTOR", "x").await;
    let asked = app.call("files.getUploadURLExternal", json!({"filename": "manage.log", "length": 9})).await;
    let sent = app.http.post(asked["upload_url"].as_str().unwrap()).body("a\n<b>\nend").send().await.unwrap();
    assert!(sent.status().is_success());
    let share = json!({"files": [{"id": asked["file_id"], "title": "the log"}], "channel_id": "C0PODOCTOR",
        "thread_ts": parent, "initial_comment": "here"});
    assert_eq!(app.call("files.completeUploadExternal", share.clone()).await["files"][0]["title"], "the log");
    assert_eq!(app.call("files.completeUploadExternal", share).await["error"], "file_not_found");
    let shown =
        app.workspace.wait_for_message("C0PODOCTOR", SOON, |message| message["files"].is_array()).await.unwrap();
    assert_eq!((&shown["files"][0]["preview"], &shown["thread_ts"]), (&json!("a\n<b>\nend"), &json!(parent)));
    let content = app.http.get(shown["files"][0]["permalink"].as_str().unwrap()).send().await.unwrap();
    assert_eq!(content.headers()["content-type"], "text/plain; charset=utf-8");
    let private = shown["files"][0]["url_private"].as_str().unwrap();
    let stranger = app.http.get(private).send().await.unwrap();
    assert_eq!(stranger.headers()["content-type"], "text/html; charset=utf-8", "a page to sign in");
    let token = app.workspace.config().bot_token.clone();
    let shown = app.http.get(private).bearer_auth(token).send().await.unwrap();
    assert_eq!(shown.text().await.unwrap(), "a\n<b>\nend");
}

#[tokio::test]
async fn permalinks_lead_to_the_page() {
    let app = app().await;
    let ts = app.post("C0PODOCTOR", "x").await;
    let reply = app.call("chat.getPermalink", json!({"channel": "C0PODOCTOR", "message_ts": ts})).await;
    let page = app.http.get(reply["permalink"].as_str().unwrap()).send().await.unwrap();
    assert!(page.headers()["content-security-policy"].to_str().unwrap().contains("default-src 'none'"));
}
