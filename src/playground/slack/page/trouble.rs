//! The `/try` calls that order trouble, and the one that changes how payloads are delivered.

use std::time::Duration;

use axum::body::Bytes;
use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Value, json};

use super::super::{Delivery, DisconnectReason, Failure};
use super::{Refusal, Workspace, read, reply};

/// An order of trouble: `{"kind":"rate_limited","method":"chat.postMessage","retry_after":2,"times":1}`.
#[derive(Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum Order {
    RateLimited {
        method: String,
        #[serde(default = "one_second")]
        retry_after: u64,
        #[serde(default = "once")]
        times: u32,
    },
    Status {
        method: String,
        #[serde(default = "unavailable")]
        status: u16,
        #[serde(default = "once")]
        times: u32,
    },
    Html {
        method: String,
        #[serde(default = "once")]
        times: u32,
    },
    Error {
        method: String,
        error: String,
        #[serde(default = "once")]
        times: u32,
    },
    Slow {
        method: String,
        ms: u64,
        #[serde(default = "once")]
        times: u32,
    },
    LostReply {
        method: String,
        #[serde(default = "once")]
        times: u32,
    },
    Cut {
        method: String,
        #[serde(default = "once")]
        times: u32,
    },
    DropSockets,
    Silence {
        ms: u64,
    },
    MuteHellos {
        #[serde(default = "once")]
        times: u32,
    },
    Disconnect {
        reason: DisconnectReason,
    },
    DuplicateEvents {
        #[serde(default)]
        same_id: bool,
        #[serde(default = "once")]
        times: u32,
    },
    ReorderEvents {
        #[serde(default = "once")]
        times: u32,
    },
    LatePayloads {
        #[serde(default = "once")]
        times: u32,
    },
    Heal,
}

/// How payloads are to be delivered: `{"mode":"socket"}`, or `{"mode":"http","url":"http://127.0.0.1:8080/slack"}`,
/// below which `/events`, `/commands` and `/interactivity` are.
#[derive(Deserialize)]
#[serde(tag = "mode", rename_all = "snake_case")]
enum Way {
    Socket,
    Http { url: String },
}

fn once() -> u32 {
    1
}

fn one_second() -> u64 {
    1
}

fn unavailable() -> u16 {
    503
}

pub async fn fault(State(workspace): State<Workspace>, body: Bytes) -> Response {
    reply(read::<Order>(&body).map(|order| {
        apply(&workspace, order);
        json!({})
    }))
}

fn apply(workspace: &Workspace, order: Order) {
    match order {
        Order::RateLimited { method, retry_after, times } => {
            workspace.fail(&method, Failure::RateLimited(retry_after), times);
        }
        Order::Status { method, status, times } => workspace.fail(&method, Failure::Status(status), times),
        Order::Html { method, times } => workspace.fail(&method, Failure::Html, times),
        Order::Error { method, error, times } => workspace.fail(&method, Failure::Error(error), times),
        Order::Slow { method, ms, times } => {
            workspace.fail(&method, Failure::Slow(Duration::from_millis(ms)), times);
        }
        Order::LostReply { method, times } => workspace.fail(&method, Failure::LostReply, times),
        Order::Cut { method, times } => workspace.fail(&method, Failure::Cut, times),
        Order::DropSockets => workspace.drop_sockets(),
        Order::Silence { ms } => workspace.silence_sockets(Duration::from_millis(ms)),
        Order::MuteHellos { times } => workspace.mute_hellos(times),
        Order::Disconnect { reason } => workspace.disconnect(reason),
        Order::DuplicateEvents { same_id, times } => {
            workspace.duplicate_events(usize::try_from(times).unwrap_or(usize::MAX), same_id);
        }
        Order::ReorderEvents { times } => workspace.reorder_events(usize::try_from(times).unwrap_or(usize::MAX)),
        Order::LatePayloads { times } => workspace.late_payloads(times),
        Order::Heal => workspace.heal(),
    }
}

/// Changes the way of delivery; to HTTP only once the events address echoes a challenge, as Slack has it.
pub async fn delivery(State(workspace): State<Workspace>, body: Bytes) -> Response {
    let result: Result<Value, Refusal> = match read::<Way>(&body) {
        Ok(Way::Socket) => {
            workspace.deliver_over(Delivery::Socket);
            Ok(json!({}))
        }
        Ok(Way::Http { url }) => over_http(&workspace, url.trim_end_matches('/')).await,
        Err(refusal) => Err(refusal),
    };
    reply(result)
}

async fn over_http(workspace: &Workspace, url: &str) -> Result<Value, Refusal> {
    let before = workspace.delivery();
    workspace.deliver_over(Delivery::Http {
        events: format!("{url}/events"),
        commands: format!("{url}/commands"),
        interactivity: format!("{url}/interactivity"),
    });
    match workspace.verify_events_url().await {
        Ok(()) => Ok(json!({})),
        Err(why) => {
            workspace.deliver_over(before);
            Err(Refusal::from("url_not_verified").with("detail", json!(why)))
        }
    }
}
