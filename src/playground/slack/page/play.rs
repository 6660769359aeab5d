//! The `/try` calls that let a person do something.

use axum::body::Bytes;
use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Value, json};

use super::super::people::Acknowledged;
use super::{Refusal, Workspace, read, reply};

#[derive(Deserialize)]
struct Said {
    user: String,
    channel: String,
    text: String,
    #[serde(default)]
    thread_ts: Option<String>,
    /// Text files that are attached to the message.
    #[serde(default)]
    files: Vec<TextFile>,
}

#[derive(Deserialize)]
struct TextFile {
    name: String,
    content: String,
}

#[derive(Deserialize)]
struct OnMessage {
    user: String,
    channel: String,
    ts: String,
    /// The reaction.
    #[serde(default)]
    name: String,
    /// Takes the reaction back.
    #[serde(default)]
    remove: bool,
    #[serde(default)]
    action_id: String,
    #[serde(default)]
    value: Option<String>,
}

#[derive(Deserialize)]
struct OnView {
    user: String,
    view_id: String,
    /// `{block_id: {action_id: {…}}}`; without it the modal is closed.
    #[serde(default)]
    values: Option<Value>,
}

#[derive(Deserialize)]
struct Member {
    user: String,
    channel: String,
    #[serde(default)]
    leave: bool,
}

fn acknowledged(result: Result<Acknowledged, Refusal>) -> Response {
    reply(result.map(|ack| json!({"ack": ack.payload, "ack_ms": ack.after.as_secs_f64() * 1_000.0})))
}

/// Answers once the command is acknowledged, or was not in time.
pub async fn command(State(workspace): State<Workspace>, body: Bytes) -> Response {
    match read::<Said>(&body) {
        Ok(said) => acknowledged(workspace.command(&said.user, &said.channel, &said.text).await),
        Err(refusal) => reply(Err(refusal)),
    }
}

pub async fn message(State(workspace): State<Workspace>, body: Bytes) -> Response {
    reply(read::<Said>(&body).and_then(|said| {
        let thread = said.thread_ts.as_deref().filter(|ts| !ts.is_empty());
        let files: Vec<_> = said.files.into_iter().map(|file| (file.name, file.content)).collect();
        let ts = workspace.say_with(&said.user, &said.channel, &said.text, thread, &files)?;
        Ok(json!({"ts": ts, "channel": said.channel}))
    }))
}

pub async fn reaction(State(workspace): State<Workspace>, body: Bytes) -> Response {
    reply(read::<OnMessage>(&body).and_then(|on| {
        match on.remove {
            true => workspace.unreact(&on.user, &on.channel, &on.ts, &on.name)?,
            false => workspace.react(&on.user, &on.channel, &on.ts, &on.name)?,
        }
        Ok(json!({}))
    }))
}

pub async fn click(State(workspace): State<Workspace>, body: Bytes) -> Response {
    match read::<OnMessage>(&body) {
        Ok(on) => {
            let click = workspace.click(&on.user, &on.channel, &on.ts, &on.action_id, on.value.as_deref());
            acknowledged(click.await)
        }
        Err(refusal) => reply(Err(refusal)),
    }
}

pub async fn shortcut(State(workspace): State<Workspace>, body: Bytes) -> Response {
    match read::<OnMessage>(&body) {
        Ok(on) => acknowledged(workspace.shortcut(&on.user, &on.channel, &on.ts).await),
        Err(refusal) => reply(Err(refusal)),
    }
}

pub async fn view(State(workspace): State<Workspace>, body: Bytes) -> Response {
    match read::<OnView>(&body) {
        Ok(OnView { user, view_id, values: Some(values) }) => {
            acknowledged(workspace.submit_view(&user, &view_id, values).await)
        }
        Ok(OnView { user, view_id, values: None }) => {
            reply(workspace.close_view(&user, &view_id).await.map(|()| json!({})))
        }
        Err(refusal) => reply(Err(refusal)),
    }
}

/// Invites somebody, also the bot, to a channel, or takes them out.
pub async fn member(State(workspace): State<Workspace>, body: Bytes) -> Response {
    reply(read::<Member>(&body).and_then(|member| {
        if !workspace.state().channels.contains_key(&member.channel) {
            return Err("channel_not_found".into());
        }
        if !workspace.state().users.contains_key(member.user.as_str()) {
            return Err("user_not_found".into());
        }
        match member.leave {
            true => workspace.leave(&member.user, &member.channel),
            false => workspace.join(&member.user, &member.channel),
        }
        Ok(json!({}))
    }))
}
