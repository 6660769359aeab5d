//! Files the way Slack takes them since 2024: ask for an address, send the bytes there, share it.

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::args::Args;
use super::chat::visible;
use super::{Reply, Workspace};
use crate::playground::slack::message::Message;
use crate::playground::slack::refusal::Refusal;
use crate::playground::slack::state::File;
use crate::playground::slack::{ids, text};

/// A snippet (text that is shown in the channel) may not be longer.
const SNIPPET_TOTAL: usize = 1 << 20;

impl Workspace {
    pub(super) fn files_upload_url(&self, args: &Args) -> Reply {
        let name = args.need("filename", "invalid_arguments")?;
        let length = args.count("length").filter(|length| *length > 0).ok_or("invalid_arguments")?;
        let snippet_type = args.text("snippet_type");
        if snippet_type.is_some() && length > SNIPPET_TOTAL {
            return Err("file_upload_size_restricted".into());
        }
        let id = ids::fresh("F");
        let file = File { id: id.clone(), title: name.clone(), name, snippet_type, ..File::default() };
        self.state().files.insert(id.clone(), file);
        Ok(json!({"upload_url": format!("{}/upload/{id}", self.base_url()), "file_id": id}))
    }

    pub(super) fn files_complete(&self, args: &Args) -> Reply {
        let files = args.json("files").map_err(|_| Refusal::from("invalid_arguments"))?;
        let files = files.filter(Value::is_array).ok_or("invalid_arguments")?;
        let mut state = self.state();
        let mut channels = Vec::new();
        for wanted in args.list("channels").into_iter().chain(args.text("channel_id")) {
            let id = visible(&state, &wanted)?;
            let channel = state.channels.get(&id).ok_or("channel_not_found")?;
            if channel.is_archived {
                return Err("is_archived".into());
            }
            if !channel.has_bot() {
                return Err("not_in_channel".into());
            }
            channels.push(id);
        }
        let mut shared = Vec::new();
        for wanted in files.as_array().into_iter().flatten() {
            let id = wanted["id"].as_str().unwrap_or("");
            let file = state.files.get_mut(id).filter(|file| file.uploaded && !file.completed);
            let file = file.ok_or("file_not_found")?;
            file.completed = true;
            file.created = ids::now_micros() / 1_000_000;
            if let Some(title) = wanted["title"].as_str() {
                file.title = title.to_owned();
            }
            shared.push(self.file_json(file));
        }
        drop(state);
        let comment = args.text("initial_comment").unwrap_or_default();
        let thread = args.text("thread_ts");
        let (workspace, files) = (self.clone(), shared.clone());
        // As with Slack, the answer comes before the message that shows the file.
        tokio::spawn(async move { workspace.share(channels, thread, &comment, &files) });
        Ok(json!({"files": shared}))
    }

    fn share(&self, channels: Vec<String>, thread: Option<String>, comment: &str, files: &[Value]) {
        for channel in channels {
            let mut state = self.state();
            let thread_ts = thread.clone().filter(|ts| state.message(&channel, ts).is_some());
            let message = Message {
                ts: state.next_ts(),
                channel: channel.clone(),
                thread_ts,
                user: ids::BOT_USER.to_owned(),
                team: ids::TEAM,
                by_app: true,
                text: text::stored(comment),
                files: files.to_vec(),
                ..Message::default()
            };
            state.store(message);
            drop(state);
            self.changed(&channel);
        }
    }

    pub(super) fn files_info(&self, args: &Args) -> Reply {
        let state = self.state();
        let file = state.files.get(&args.need("file", "file_not_found")?).filter(|file| file.completed);
        let file = file.ok_or("file_not_found")?;
        Ok(json!({"file": self.file_json(file), "content": String::from_utf8_lossy(&file.content)}))
    }

    /// Keeps a text file that a person attaches, and returns it as a message shows it.
    pub(in crate::playground::slack) fn attach(&self, user: &str, name: &str, content: &str) -> Value {
        let file = File {
            id: ids::fresh("F"),
            title: name.to_owned(),
            name: name.to_owned(),
            content: content.as_bytes().to_vec(),
            uploaded: true,
            completed: true,
            snippet_type: Some("text".to_owned()),
            created: ids::now_micros() / 1_000_000,
        };
        let mut shown = self.file_json(&file);
        shown["user"] = json!(user);
        self.state().files.insert(file.id.clone(), file);
        shown
    }

    fn file_json(&self, file: &File) -> Value {
        let link = format!("{}/files-pri/{}", self.base_url(), file.id);
        let text = String::from_utf8_lossy(&file.content);
        let (preview, more) = text::cut(&text, 1_000);
        json!({
            "id": file.id, "created": file.created, "timestamp": file.created, "name": file.name, "title": file.title,
            "mimetype": "text/plain", "filetype": file.snippet_type.as_deref().unwrap_or("text"),
            "pretty_type": "Plain Text", "user": ids::BOT_USER, "user_team": ids::TEAM, "editable": false,
            "size": file.content.len(), "mode": "snippet", "is_external": false, "is_public": true,
            "url_private": link, "url_private_download": link,
            // The page shows it to people without a token.
            "permalink": format!("{}/try/files/{}", self.base_url(), file.id), "preview": preview,
            "preview_is_truncated": more, "lines": text.lines().count(), "has_rich_preview": false,
        })
    }

    /// Returns the content of a file.
    pub fn file_content(&self, id: &str) -> Option<Vec<u8>> {
        self.state().files.get(id).filter(|file| file.completed).map(|file| file.content.clone())
    }
}

/// Takes the bytes, raw or as a form's file.
pub async fn upload(
    State(workspace): State<Workspace>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let kind = headers.get("content-type").and_then(|kind| kind.to_str().ok()).unwrap_or("");
    let content = match kind.starts_with("multipart/form-data") {
        true => form_file(kind, &body).unwrap_or_default(),
        false => body.to_vec(),
    };
    let mut state = workspace.state();
    let Some(file) = state.files.get_mut(&id).filter(|file| !file.completed) else {
        return (StatusCode::NOT_FOUND, "no such upload").into_response();
    };
    let length = content.len();
    file.content = content;
    file.uploaded = true;
    format!("OK - {length}").into_response()
}

/// The content of the first part of a form.
fn form_file(kind: &str, body: &[u8]) -> Option<Vec<u8>> {
    let boundary = format!("--{}", kind.split("boundary=").nth(1)?.split(';').next()?.trim_matches('"'));
    let position = |from: usize, needle: &[u8]| {
        body.get(from..)?.windows(needle.len()).position(|window| window == needle).map(|at| from + at)
    };
    let start = position(position(0, boundary.as_bytes())?, b"\r\n\r\n")? + 4;
    let end = position(start, format!("\r\n{boundary}").as_bytes())?;
    Some(body[start..end].to_vec())
}

/// Hands out a file to who shows the bot's token. To all others Slack shows its page to sign in, and calls that a success.
pub async fn private(State(workspace): State<Workspace>, Path(id): Path<String>, headers: HeaderMap) -> Response {
    let config = workspace.config();
    let shown = headers.get("authorization").and_then(|value| value.to_str().ok()).unwrap_or_default();
    if shown != format!("Bearer {}", config.bot_token) || !config.scopes.contains("files:read") {
        return ([("content-type", "text/html; charset=utf-8")], "<!DOCTYPE html><html>Sign in</html>").into_response();
    }
    match workspace.file_content(&id) {
        Some(content) => ([("content-type", "text/plain; charset=utf-8")], content).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}
