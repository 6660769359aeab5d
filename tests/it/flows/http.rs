//! HTTP mode: signed requests are taken, all others refused, each with its status.

use super::bot::{Bot, Setup};
use super::chat::{Chat, assert_says, words, workspace};
use super::data::{MANAGE, OOM, granted};
use podoctor::playground::slack::{Config, Delivery, ids};
use serde_json::json;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

const JSON: &str = "application/json";
const FORM: &str = "application/x-www-form-urlencoded";

async fn chat(kubeconfig: &Path) -> Chat {
    let slack = workspace(Config::default()).await;
    let setup = Setup::of(&slack, &[("prod", kubeconfig)]).over_http(&slack);
    let chat = Chat::of(slack, &setup).await;
    let at = |path: &str| format!("http://{}/slack/{path}", chat.bot.address);
    let (events, commands, interactivity) = (at("events"), at("commands"), at("interactivity"));
    chat.slack.deliver_over(Delivery::Http { events, commands, interactivity });
    chat
}

/// A request by hand, signed as Slack does unless told otherwise.
struct Request {
    path: &'static str,
    content_type: &'static str,
    body: Vec<u8>,
    /// Seconds from now.
    age: i64,
    signature: Option<String>,
    headers: Vec<(&'static str, String)>,
}

impl Request {
    fn new(path: &'static str, content_type: &'static str, body: impl Into<Vec<u8>>) -> Request {
        Request { path, content_type, body: body.into(), age: 0, signature: None, headers: Vec::new() }
    }

    /// Sends it and returns status and body.
    async fn send(&self, chat: &Chat) -> (u16, String) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs().cast_signed();
        let timestamp = (now - self.age).to_string();
        let signature = self.signature.clone().unwrap_or_else(|| chat.slack.signature(&timestamp, &self.body));
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let mut request = client
            .post(format!("http://{}/slack/{}", chat.bot.address, self.path))
            .header("content-type", self.content_type)
            .header("x-slack-request-timestamp", timestamp);
        if !signature.is_empty() {
            request = request.header("x-slack-signature", signature);
        }
        for (name, value) in &self.headers {
            request = request.header(*name, value);
        }
        let response = request.body(self.body.clone()).send().await.unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
    }
}

fn command(text: &str, trigger: &str) -> Vec<u8> {
    let fields = [
        ("team_id", ids::TEAM),
        ("channel_id", ids::CHANNEL),
        ("user_id", ids::ALICE),
        ("command", "/podoctor"),
        ("text", text),
        ("trigger_id", trigger),
        ("response_url", "http://127.0.0.1:9/gone"),
    ];
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish().into_bytes()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn commands_mentions_and_shortcuts_come_as_signed_requests() {
    let (ns, kubeconfig, _) = granted("prod").await;
    ns.apply(OOM).await;
    let chat = chat(&kubeconfig).await;
    chat.slack.verify_events_url().await.unwrap();
    let alice = chat.alice();
    let answer = alice.types(&format!("/podoctor {}/manage-5bd...", ns.name)).await;
    answer.parent_says(&[MANAGE, "256Mi", "<@U0ALICE>"]).thread_says(&["OOMKilled", "How to fix it"]);
    chat.slack.duplicate_events(1, true);
    let mention = alice.in_channel(ids::TEAM_A).types(&format!("@podoctor {}/manage?", ns.name)).await;
    assert_says(&mention.in_thread_of(&mention.to), &[MANAGE, "OOMKilled"]);
    let message = chat.bob().in_channel(ids::SHARED).says(&format!("{}/{MANAGE} is down", ns.name), None);
    let shortcut = alice.in_channel(ids::SHARED).diagnoses(&message).await;
    assert_says(&shortcut.in_thread_of(&message), &[MANAGE, "OOMKilled"]);
    // The event's second delivery is accepted and has no effect.
    assert_eq!(chat.bot.handled(), 3, "{}", chat.bot.log());
    for delivered in chat.slack.deliveries() {
        assert_eq!(delivered.ack.as_ref().and_then(|ack| ack.status), Some(200), "{delivered:?}");
    }
    // Ready without sockets.
    assert_eq!(chat.bot.page("/readyz").await.0, 200);
    assert_says(&chat.bot.page("/metrics").await.1, &["podoctor_"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn what_is_not_signed_or_not_right_is_refused_with_its_status() {
    let (_ns, kubeconfig, _) = granted("prod").await;
    let chat = chat(&kubeconfig).await;
    let good = || Request::new("events", JSON, r#"{"type":"url_verification","challenge":"abc"}"#);
    assert_eq!(good().send(&chat).await, (200, "abc".to_owned()));
    assert_eq!(Request::new("commands", FORM, "ssl_check=1&token=x").send(&chat).await.0, 200);

    let signed_with = |signature: &str| Request { signature: Some(signature.to_owned()), ..good() };
    assert_eq!(signed_with("v0=00112233").send(&chat).await.0, 401, "a bad signature");
    assert_eq!(signed_with("").send(&chat).await.0, 401, "no signature");
    assert_eq!(Request { age: 600, ..good() }.send(&chat).await.0, 401, "stale");
    assert_eq!(Request { age: -600, ..good() }.send(&chat).await.0, 401, "from the future");
    let other = Request { signature: Some(chat.slack.signature("1", b"another body")), ..good() };
    assert_eq!(other.send(&chat).await.0, 401, "the signature of another body");

    assert_eq!(Request { content_type: FORM, ..good() }.send(&chat).await.0, 415);
    assert_eq!(Request::new("commands", JSON, "{}").send(&chat).await.0, 415);
    assert_eq!(Request::new("events", JSON, "{\"type\":").send(&chat).await.0, 400, "malformed JSON");
    assert_eq!(Request::new("events", JSON, "[]").send(&chat).await.0, 400, "no object");
    assert_eq!(Request::new("events", JSON, vec![b'{', 0xff, b'}']).send(&chat).await.0, 400, "not UTF-8");
    assert_eq!(Request::new("commands", FORM, "text=help").send(&chat).await.0, 400, "nobody asks");
    assert_eq!(Request::new("interactivity", FORM, "payload=%7B").send(&chat).await.0, 400, "malformed payload");
    assert_eq!(Request::new("interactivity", FORM, "load=1").send(&chat).await.0, 400, "no payload");

    let big = vec![b' '; 1024 * 1024 + 1];
    assert_eq!(Request::new("events", JSON, big.clone()).send(&chat).await.0, 413);
    let unsigned = Request { signature: Some(String::new()), ..Request::new("events", JSON, big) };
    assert_eq!(unsigned.send(&chat).await.0, 413, "the size is looked at before the signature");
    let mut just_fits = good().body;
    just_fits.resize(1024 * 1024, b' ');
    assert_eq!(Request::new("events", JSON, just_fits).send(&chat).await.0, 200);

    assert_eq!(Request::new("elsewhere", JSON, "{}").send(&chat).await.0, 404);
    assert_eq!(chat.bot.page("/slack/events").await.0, 405);
    assert_eq!(chat.bot.handled(), 0, "{}", chat.bot.log());
    assert_eq!(chat.bot.page("/healthz").await.0, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_replay_has_no_effect() {
    let (ns, kubeconfig, _) = granted("prod").await;
    ns.apply(OOM).await;
    let chat = chat(&kubeconfig).await;
    let target = format!("{}/manage", ns.name);

    let body = command(&target, "17.1.abc");
    let once = Request::new("commands", FORM, body.clone());
    let signature_of_now = |age: i64| {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs().cast_signed();
        chat.slack.signature(&(now - age).to_string(), &body)
    };
    // The very same bytes with the very same signature: retried until both fall into one second.
    let mut statuses = Vec::new();
    for _ in 0..5 {
        let before = signature_of_now(0);
        statuses.push(once.send(&chat).await.0);
        statuses.push(once.send(&chat).await.0);
        if before == signature_of_now(0) {
            break;
        }
    }
    assert_eq!(statuses[0], 200);
    assert_eq!(statuses.last(), Some(&409), "{statuses:?}");
    chat.handled(1).await;

    // An event's retry carries the same id and is accepted, once.
    let message = chat.bob().says("nothing for the bot", None);
    let event = json!({
        "type": "event_callback", "team_id": ids::TEAM, "event_id": "Ev0AGAIN",
        "event": {"type": "app_mention", "user": ids::ALICE, "team": ids::TEAM, "channel": ids::CHANNEL, "ts": message,
                  "event_ts": message, "text": format!("<@{}> {target}", ids::BOT_USER)},
    });
    let mut request = Request::new("events", JSON, event.to_string());
    assert_eq!(request.send(&chat).await.0, 200);
    request.headers = vec![("x-slack-retry-num", "1".to_owned()), ("x-slack-retry-reason", "http_timeout".to_owned())];
    assert_eq!(request.send(&chat).await.0, 200);
    chat.handled(2).await;
    let last = chat.alice().in_channel(ids::TEAM_A).types(&format!("/podoctor {target}")).await;
    last.parent_says(&["256Mi"]);
    assert_eq!(chat.bot.handled(), 3, "{}", chat.bot.log());
    assert_eq!(chat.parents(ids::CHANNEL).iter().filter(|parent| words(parent).contains("256Mi")).count(), 1);
    let replies = chat.replies(ids::CHANNEL, &message);
    assert_eq!(replies.iter().filter(|reply| words(reply).contains("How to fix it")).count(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn socket_mode_takes_no_requests() {
    let (_ns, kubeconfig, _) = granted("prod").await;
    let slack = workspace(Config::default()).await;
    let bot = Bot::start(&Setup::of(&slack, &[("prod", &kubeconfig)])).await;
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let answer = client.post(format!("http://{}/slack/commands", bot.address)).body("text=help").send().await.unwrap();
    assert_eq!(answer.status().as_u16(), 404);
}
