//! Brings payloads to the app over a socket or HTTP, and waits for the acknowledgement as long as Slack does.

use std::time::Instant;

use futures_util::future::BoxFuture;
use serde_json::Value;
use tokio::sync::oneshot;

use super::config::Delivery;
use super::log::Delivered;
use super::{Workspace, ids, lock};

/// What kind of payload it is; only events are retried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Event,
    Command,
    Interactive,
}

impl Kind {
    /// The `type` of its Socket Mode envelope.
    pub fn envelope(self) -> &'static str {
        match self {
            Kind::Event => "events_api",
            Kind::Command => "slash_commands",
            Kind::Interactive => "interactive",
        }
    }
}

/// How an attempt ended.
#[derive(Debug)]
pub enum Outcome {
    /// With what the acknowledgement carried.
    Acked(Option<Value>),
    /// Nothing in time.
    TimedOut,
    /// It did not arrive, or was answered with an error; `last` when the app wants no retry.
    Failed { reason: &'static str, last: bool },
}

/// An attempt under way.
pub enum Attempt {
    Socket { id: String, ack: oneshot::Receiver<Option<Value>> },
    Http(BoxFuture<'static, Outcome>),
    NoSocket,
}

/// Which attempt this is, and why the one before failed.
#[derive(Clone, Copy, Debug, Default)]
pub struct Retry {
    pub attempt: u32,
    pub reason: Option<&'static str>,
}

impl Workspace {
    /// Sends events, commands and interactions another way from now on.
    pub fn deliver_over(&self, delivery: Delivery) {
        *lock(&self.shared.delivery) = delivery;
    }

    pub(super) fn delivery(&self) -> Delivery {
        lock(&self.shared.delivery).clone()
    }

    /// Sends a payload off; over a socket it has left when this returns, so order is kept.
    pub(super) fn attempt(&self, kind: Kind, payload: &Value, retry: Retry) -> Attempt {
        let id = ids::uuid();
        let delivery = self.delivery();
        let record = |connection: Option<u64>| Delivered {
            id: id.clone(),
            kind,
            what: what(kind, payload),
            event_id: payload["event_id"].as_str().map(str::to_owned),
            attempt: retry.attempt,
            connection,
            at: Instant::now(),
            ack: None,
        };
        match delivery {
            Delivery::Socket => {
                let mut sockets = self.sockets();
                let Some(connection) = sockets.pick() else { return Attempt::NoSocket };
                self.log().delivered(record(Some(connection)));
                let ack = sockets.send(connection, &id, kind, payload, retry);
                Attempt::Socket { id, ack }
            }
            Delivery::Http { .. } => {
                self.log().delivered(record(None));
                Attempt::Http(self.post(id, kind, payload, retry))
            }
        }
    }

    /// Waits for the end of an attempt.
    pub(super) async fn outcome(&self, attempt: Attempt) -> Outcome {
        match attempt {
            Attempt::NoSocket => Outcome::Failed { reason: "connection_failed", last: false },
            Attempt::Http(request) => request.await,
            Attempt::Socket { id, ack } => match tokio::time::timeout(self.config().ack_within, ack).await {
                Ok(Ok(payload)) => Outcome::Acked(payload),
                Ok(Err(_gone)) => Outcome::Failed { reason: "connection_failed", last: false },
                Err(_late) => {
                    self.sockets().forget(&id);
                    Outcome::TimedOut
                }
            },
        }
    }

    /// Brings an event to the app, with Slack's retries, in a task of its own.
    pub(super) fn deliver_event(&self, payload: Value) {
        let first = self.attempt(Kind::Event, &payload, Retry::default());
        let workspace = self.clone();
        tokio::spawn(async move {
            let mut outcome = workspace.outcome(first).await;
            for (index, pause) in workspace.config().retry_after.clone().into_iter().enumerate() {
                let reason = match outcome {
                    Outcome::Acked(_) | Outcome::Failed { last: true, .. } => return,
                    Outcome::Failed { reason, .. } => reason,
                    Outcome::TimedOut if workspace.delivery() == Delivery::Socket => "timeout",
                    Outcome::TimedOut => "http_timeout",
                };
                tokio::time::sleep(pause).await;
                let attempt = u32::try_from(index + 1).unwrap_or(u32::MAX);
                let retry = Retry { attempt, reason: Some(reason) };
                outcome = workspace.outcome(workspace.attempt(Kind::Event, &payload, retry)).await;
            }
        });
    }
}

fn what(kind: Kind, payload: &Value) -> String {
    let name = match kind {
        Kind::Event => &payload["event"]["type"],
        Kind::Command => &payload["command"],
        Kind::Interactive => &payload["type"],
    };
    name.as_str().unwrap_or("").to_owned()
}
