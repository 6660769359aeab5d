//! The page and the `/try` calls behind it: the way to play the people from outside the process.
//!
//! Beside what the design names: `POST /try/shortcut {user, channel, ts}`, `POST /try/view {user, view_id, values?}`
//! (without values: close it), `POST /try/member {user, channel, leave?}`, `POST /try/reaction` with `remove: true`,
//! `POST /try/fault` and `POST /try/delivery` (see [`trouble`]), `GET /try/channels/C…/messages?user=U…` (with what only
//! that person sees; `*` = with everybody's), `GET /try/views?user=U…`, `GET /try/calls`, `GET /try/deliveries`,
//! `GET /try/events` (a stream that names the channel in which something changed).

mod assets;
mod play;
mod trouble;

use std::convert::Infallible;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, Query, Request, State};
use axum::http::header::{CONTENT_TYPE, HOST, ORIGIN, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::{Next, from_fn};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use futures_util::Stream;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::broadcast::error::RecvError;

use super::refusal::Refusal;
use super::{Delivery, Workspace, ids};

pub fn router() -> Router<Workspace> {
    Router::new()
        .route("/try/command", post(play::command))
        .route("/try/message", post(play::message))
        .route("/try/reaction", post(play::reaction))
        .route("/try/click", post(play::click))
        .route("/try/shortcut", post(play::shortcut))
        .route("/try/view", post(play::view))
        .route("/try/member", post(play::member))
        .route("/try/fault", post(trouble::fault))
        .route("/try/delivery", post(trouble::delivery))
        .route("/try/calls", get(calls))
        .route("/try/deliveries", get(deliveries))
        .route("/try/channels/{channel}/messages", get(messages))
        .route("/try/views", get(views))
        .route("/try/files/{id}", get(file))
        .route("/try/info", get(info))
        .route("/try/events", get(events))
        .merge(assets::router())
        .layer(from_fn(only_from_here))
}

/// Refuses what another web page sends here: a browser names it in `Origin`, and a name that was rebound to this
/// machine in `Host`. Otherwise any site could press the buttons of a bot that works on a real cluster.
async fn only_from_here(request: Request, next: Next) -> Response {
    match is_from_here(request.headers()) {
        true => next.run(request).await,
        false => answered(StatusCode::FORBIDDEN, json!({"ok": false, "error": "not_from_here"})),
    }
}

fn is_from_here(headers: &HeaderMap) -> bool {
    let header = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let host = header(HOST).unwrap_or("localhost");
    let name = url::Url::parse(&format!("http://{host}")).ok().and_then(|url| url.host().map(|host| host.to_owned()));
    let local = match name {
        Some(url::Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(_) => true,
        None => false,
    };
    let same = |origin: &str| origin == format!("http://{host}") || origin == format!("https://{host}");
    local && header(ORIGIN).is_none_or(same)
}

/// Reads the body of a `/try` call: JSON, whatever its content type says.
fn read<T: for<'de> Deserialize<'de>>(body: &Bytes) -> Result<T, Refusal> {
    serde_json::from_slice(body)
        .map_err(|error| Refusal::from("invalid_arguments").with("detail", json!(error.to_string())))
}

fn reply(result: Result<Value, Refusal>) -> Response {
    match result {
        Ok(mut body) => {
            body["ok"] = json!(true);
            answered(StatusCode::OK, body)
        }
        Err(refusal) => answered(StatusCode::OK, refusal.body()),
    }
}

fn answered(status: StatusCode, body: Value) -> Response {
    (status, axum::Json(body)).into_response()
}

#[derive(Deserialize)]
struct Reader {
    /// Whose eyes to look through; `*` shows everybody's ephemeral messages.
    user: Option<String>,
}

async fn messages(
    State(workspace): State<Workspace>,
    Path(channel): Path<String>,
    Query(reader): Query<Reader>,
) -> Response {
    if !workspace.state().channels.contains_key(&channel) {
        return reply(Err("channel_not_found".into()));
    }
    let messages = match reader.user.as_deref() {
        None => workspace.messages(&channel),
        Some("*") => workspace.all_messages(&channel),
        Some(user) => {
            let state = workspace.state();
            let member = state.channels.get(&channel).is_some_and(|channel| channel.members.contains(user));
            drop(state);
            if !member {
                return reply(Err("not_in_channel".into()));
            }
            workspace.messages_seen_by(&channel, user)
        }
    };
    reply(Ok(json!({"messages": messages})))
}

async fn views(State(workspace): State<Workspace>, Query(reader): Query<Reader>) -> Response {
    reply(Ok(json!({"views": workspace.views_of(reader.user.as_deref().unwrap_or(ids::ALICE))})))
}

async fn file(State(workspace): State<Workspace>, Path(id): Path<String>) -> Response {
    match workspace.file_content(&id) {
        Some(content) => {
            // What the bot uploads is never run as a page of this origin.
            let headers = [(CONTENT_TYPE, "text/plain; charset=utf-8"), (X_CONTENT_TYPE_OPTIONS, "nosniff")];
            (headers, content).into_response()
        }
        None => answered(StatusCode::NOT_FOUND, json!({"ok": false, "error": "file_not_found"})),
    }
}

async fn info(State(workspace): State<Workspace>) -> Response {
    let config = workspace.config();
    let state = workspace.state();
    let channels: Vec<Value> = state
        .channels
        .values()
        .map(|channel| {
            json!({
                "id": channel.id, "name": channel.name, "topic": channel.topic, "is_private": channel.is_private,
                "is_archived": channel.is_archived, "is_ext_shared": channel.is_ext_shared, "im_with": channel.im_with,
                "members": channel.members, "has_bot": channel.has_bot(),
            })
        })
        .collect();
    let users: Vec<Value> = state
        .users
        .values()
        .map(|user| {
            json!({
                "id": user.id, "name": user.name, "real_name": user.real_name, "team_id": user.team,
                "is_bot": user.is_bot, "is_guest": user.is_guest, "is_stranger": user.is_stranger(),
            })
        })
        .collect();
    drop(state);
    let delivery = match workspace.delivery() {
        Delivery::Socket => "socket",
        Delivery::Http { .. } => "http",
    };
    reply(Ok(json!({
        "bot_token": config.bot_token, "app_token": config.app_token, "signing_secret": config.signing_secret,
        "channels": channels, "users": users, "team": {"id": ids::TEAM, "name": "podoctor try"},
        "bot": {"user_id": ids::BOT_USER, "bot_id": ids::BOT, "app_id": ids::APP}, "command": config.command,
        "usergroups": [{"id": ids::ONCALL, "handle": "oncall"}], "api_url": workspace.api_url(),
        "sockets": workspace.open_sockets(), "delivery": delivery,
    })))
}

async fn calls(State(workspace): State<Workspace>) -> Response {
    let calls: Vec<Value> = workspace
        .calls()
        .into_iter()
        .map(|call| {
            json!({
                "method": call.method, "args": call.args, "status": call.status, "reply": call.reply,
                "ms_ago": call.at.elapsed().as_millis(),
            })
        })
        .collect();
    reply(Ok(json!({"calls": calls})))
}

async fn deliveries(State(workspace): State<Workspace>) -> Response {
    let deliveries: Vec<Value> = workspace
        .deliveries()
        .into_iter()
        .map(|delivered| {
            let ack = delivered.ack.map(|ack| {
                json!({
                    "after_ms": ack.after.as_secs_f64() * 1_000.0, "in_time": ack.in_time, "payload": ack.payload,
                    "status": ack.status,
                })
            });
            json!({
                "id": delivered.id, "type": delivered.kind.envelope(), "what": delivered.what,
                "event_id": delivered.event_id, "attempt": delivered.attempt, "connection": delivered.connection,
                "ms_ago": delivered.at.elapsed().as_millis(), "ack": ack,
            })
        })
        .collect();
    reply(Ok(json!({"deliveries": deliveries})))
}

/// A stream that names the channels in which something changed.
async fn events(State(workspace): State<Workspace>) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let changes = workspace.shared.changes.subscribe();
    let stream = futures_util::stream::unfold(changes, |mut changes| async move {
        let channel = match changes.recv().await {
            Ok(channel) => channel,
            // The page missed some: it looks at everything anew.
            Err(RecvError::Lagged(_)) => String::new(),
            Err(RecvError::Closed) => return None,
        };
        Some((Ok(Event::default().data(json!({"channel": channel}).to_string())), changes))
    });
    Sse::new(stream).keep_alive(KeepAlive::default())
}
