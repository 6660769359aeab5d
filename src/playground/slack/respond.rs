//! `response_url`: five answers within half an hour, without a token and without being in the channel.

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use serde_json::{Value, json};

use super::blocks::{self, Surface};
use super::message::Message;
use super::refusal::Refusal;
use super::{Workspace, ids, text};

pub fn router() -> Router<Workspace> {
    Router::new()
        .route("/commands/{team}/{when}/{token}", post(respond))
        .route("/actions/{team}/{when}/{token}", post(respond))
}

async fn respond(
    State(workspace): State<Workspace>,
    Path((_team, _when, token)): Path<(String, String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let form = headers.get("content-type").is_some_and(|kind| kind.as_bytes().starts_with(b"application/x-www-form"));
    let json = if form {
        url::form_urlencoded::parse(&body).find(|(name, _)| name == "payload").map(|(_, json)| json.into_owned())
    } else {
        String::from_utf8(body.to_vec()).ok()
    };
    let call = workspace.log().called("response_url", Value::Null);
    let parsed = json.and_then(|json| serde_json::from_str::<Value>(&json).ok()).filter(Value::is_object);
    let result = match parsed {
        Some(body) => {
            workspace.log().note_args(call, body.clone());
            workspace.use_response_url(&token, &body)
        }
        None => Err("invalid_payload".into()),
    };
    let (status, reply) = match result {
        Ok(()) => (StatusCode::OK, json!({"ok": true})),
        Err(refusal) => {
            let gone = matches!(refusal.code.as_ref(), "used_url" | "expired_url" | "invalid_url");
            (if gone { StatusCode::NOT_FOUND } else { StatusCode::BAD_REQUEST }, refusal.body())
        }
    };
    workspace.log().answered(call, status.as_u16(), Some(reply.clone()));
    match status {
        // Slack answers a good one with the bare word.
        StatusCode::OK => (status, "ok").into_response(),
        _ => (status, axum::Json(reply)).into_response(),
    }
}

impl Workspace {
    fn use_response_url(&self, token: &str, body: &Value) -> Result<(), Refusal> {
        let entry = {
            let mut state = self.state();
            let entry = state.response_urls.get_mut(token).ok_or("invalid_url")?;
            if entry.issued.elapsed() > self.config().response_url_lifetime {
                return Err("expired_url".into());
            }
            if entry.used >= self.config().response_url_uses {
                return Err("used_url".into());
            }
            entry.used += 1;
            entry.clone()
        };
        let flag = |name: &str| body[name].as_bool() == Some(true) || body[name] == "true";
        if flag("delete_original") {
            let original = entry.original.as_deref().ok_or("no_original")?;
            self.delete_message(&entry.channel, original);
            return Ok(());
        }
        if flag("replace_original")
            && let Some(original) = &entry.original
        {
            return self.replace_message(&entry.channel, original, body);
        }
        let in_channel = body["response_type"] == "in_channel";
        self.post_reply(&entry.channel, &entry.user, body, in_channel, body["thread_ts"].as_str()).map(|_| ())
    }

    /// Posts the answer to a command or an interaction: for one person, or for the channel.
    pub(super) fn post_reply(
        &self,
        channel: &str,
        user: &str,
        body: &Value,
        in_channel: bool,
        thread_ts: Option<&str>,
    ) -> Result<String, Refusal> {
        let (text, blocks) = content(body)?;
        let mut state = self.state();
        let ts = state.next_ts();
        let thread_ts = thread_ts.filter(|ts| in_channel && state.message(channel, ts).is_some()).map(str::to_owned);
        let message = Message {
            channel: channel.to_owned(),
            ts: ts.clone(),
            thread_ts,
            user: ids::BOT_USER.to_owned(),
            team: ids::TEAM,
            by_app: true,
            text,
            blocks,
            attachments: body.get("attachments").cloned(),
            ephemeral_to: (!in_channel).then(|| user.to_owned()),
            ..Message::default()
        };
        state.store(message);
        drop(state);
        self.changed(channel);
        Ok(ts)
    }

    fn replace_message(&self, channel: &str, ts: &str, body: &Value) -> Result<(), Refusal> {
        let (text, blocks) = content(body)?;
        let mut state = self.state();
        let edited = state.next_ts();
        let message = state.message_mut(channel, ts).ok_or("message_not_found")?;
        message.keep_past_blocks();
        message.text = text;
        message.blocks = blocks;
        message.edited = Some(edited);
        drop(state);
        self.changed(channel);
        Ok(())
    }
}

fn content(body: &Value) -> Result<(String, Option<Value>), Refusal> {
    let blocks = match body.get("blocks").filter(|blocks| !blocks.is_null()) {
        Some(blocks) => Some(blocks::accept(blocks, Surface::Message)?),
        None => None,
    };
    let text = body["text"].as_str().unwrap_or("");
    if text.is_empty() && blocks.is_none() && body.get("attachments").is_none() {
        return Err("no_text".into());
    }
    Ok((text::cut(&text::stored(text), text::TEXT_CUT).0, blocks))
}
