//! What passed between the workspace and the app: calls received, payloads sent, acknowledgements and how long they took.

use std::time::{Duration, Instant};

use serde_json::Value;

use super::Workspace;
use super::deliver::Kind;

/// More than any test looks at, few enough for a `try` that runs for days.
const KEPT: usize = 20_000;

/// A call of the Web API.
#[derive(Clone, Debug)]
pub struct ApiCall {
    pub method: String,
    /// The arguments, without the token; JSON given as strings is parsed.
    pub args: Value,
    pub at: Instant,
    /// The HTTP status that was answered; `None` while it is being answered and where the reply was lost on order.
    pub status: Option<u16>,
    /// The JSON that was answered.
    pub reply: Option<Value>,
}

/// One attempt to bring a payload to the app.
#[derive(Clone, Debug)]
pub struct Delivered {
    /// The `envelope_id`, or a made-up one for HTTP.
    pub id: String,
    pub kind: Kind,
    /// The event's type, the command, or the interaction's type.
    pub what: String,
    /// The `event_id` of an event.
    pub event_id: Option<String>,
    /// 0 for the first.
    pub attempt: u32,
    /// The socket it went to.
    pub connection: Option<u64>,
    pub at: Instant,
    pub ack: Option<Ack>,
}

/// An acknowledgement.
#[derive(Clone, Debug)]
pub struct Ack {
    /// Time since the payload was sent.
    pub after: Duration,
    /// Whether that was soon enough.
    pub in_time: bool,
    pub payload: Option<Value>,
    /// The HTTP status, where delivery is by HTTP.
    pub status: Option<u16>,
}

/// Calls and deliveries, oldest first.
#[derive(Default)]
pub struct Log {
    pub calls: Vec<ApiCall>,
    /// How many calls were forgotten, so that an index stays good.
    pub calls_gone: usize,
    pub deliveries: Vec<Delivered>,
}

impl Log {
    /// Notes a call and returns its index for [`Log::answered`].
    pub fn called(&mut self, method: &str, args: Value) -> usize {
        if self.calls.len() >= KEPT {
            self.calls.drain(..KEPT / 2);
            self.calls_gone += KEPT / 2;
        }
        let call = ApiCall { method: method.to_owned(), args, at: Instant::now(), status: None, reply: None };
        self.calls.push(call);
        self.calls_gone + self.calls.len() - 1
    }

    /// Notes the arguments of a call once they are read.
    pub fn note_args(&mut self, index: usize, args: Value) {
        if let Some(call) = index.checked_sub(self.calls_gone).and_then(|index| self.calls.get_mut(index)) {
            call.args = args;
        }
    }

    /// Notes how a call was answered.
    pub fn answered(&mut self, index: usize, status: u16, reply: Option<Value>) {
        if let Some(call) = index.checked_sub(self.calls_gone).and_then(|index| self.calls.get_mut(index)) {
            call.status = Some(status);
            call.reply = reply;
        }
    }

    /// Notes that a payload was sent.
    pub fn delivered(&mut self, delivered: Delivered) {
        if self.deliveries.len() >= KEPT {
            self.deliveries.drain(..KEPT / 2);
        }
        self.deliveries.push(delivered);
    }

    /// Notes an acknowledgement, also a late one; the first counts.
    pub fn acked(&mut self, id: &str, within: Duration, payload: Option<Value>, status: Option<u16>) {
        if let Some(delivered) = self.deliveries.iter_mut().rev().find(|delivered| delivered.id == id)
            && delivered.ack.is_none()
        {
            let after = delivered.at.elapsed();
            delivered.ack = Some(Ack { after, in_time: after <= within, payload, status });
        }
    }
}

impl Workspace {
    /// Returns the calls of the Web API so far.
    pub fn calls(&self) -> Vec<ApiCall> {
        self.log().calls.clone()
    }

    /// Returns the calls of one method so far.
    pub fn calls_of(&self, method: &str) -> Vec<ApiCall> {
        self.log().calls.iter().filter(|call| call.method == method).cloned().collect()
    }

    /// Returns every attempt to bring something to the app so far, with its acknowledgement.
    pub fn deliveries(&self) -> Vec<Delivered> {
        self.log().deliveries.clone()
    }
}
