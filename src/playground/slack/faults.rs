//! Trouble on order: what a method does wrong next, events that come twice, sockets that are told to go.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use serde::Deserialize;
use serde_json::Value;

use super::Workspace;

/// What goes wrong with a call of the Web API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// 429 with `Retry-After` in seconds; nothing is done.
    RateLimited(u64),
    /// This HTTP status with a body that is not JSON; nothing is done.
    Status(u16),
    /// 200 with an HTML page; nothing is done.
    Html,
    /// 200 with `ok: false` and this code; nothing is done.
    Error(String),
    /// Done and answered, but only after this time.
    Slow(Duration),
    /// Done, then the connection is cut instead of an answer.
    LostReply,
    /// The connection is cut; nothing is done.
    Cut,
}

/// Why a socket is told to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DisconnectReason {
    Warning,
    RefreshRequested,
    LinkDisabled,
    TooManyWebsockets,
}

impl DisconnectReason {
    /// Slack's word for it.
    pub fn code(self) -> &'static str {
        match self {
            DisconnectReason::Warning => "warning",
            DisconnectReason::RefreshRequested => "refresh_requested",
            DisconnectReason::LinkDisabled => "link_disabled",
            DisconnectReason::TooManyWebsockets => "too_many_websockets",
        }
    }
}

/// The trouble that is still to come.
#[derive(Default)]
pub struct Faults {
    ordered: VecDeque<Ordered>,
    allowances: BTreeMap<String, Allowance>,
    /// Events that are to come twice, and whether under the same `event_id`.
    pub duplicates: VecDeque<bool>,
    /// How many events are still to be overtaken by the one after them.
    pub overtaken: usize,
    /// The event that waits to be overtaken.
    pub held: Option<Value>,
}

/// What a channel may still take, refilled by one a second.
struct Allowance {
    left: f64,
    at: Instant,
}

struct Ordered {
    /// A method, or `*` for any.
    method: String,
    failure: Failure,
    left: u32,
}

impl Faults {
    /// Takes one post out of a channel's allowance, or says that it is used up.
    pub fn may_post(&mut self, channel: &str, burst: u32) -> bool {
        let fresh = Allowance { left: f64::from(burst), at: Instant::now() };
        let allowance = self.allowances.entry(channel.to_owned()).or_insert(fresh);
        allowance.left = (allowance.left + allowance.at.elapsed().as_secs_f64()).min(f64::from(burst));
        allowance.at = Instant::now();
        let may = allowance.left >= 1.0;
        if may {
            allowance.left -= 1.0;
        }
        may
    }

    /// Takes the next trouble of a method, the one ordered first.
    pub fn take(&mut self, method: &str) -> Option<Failure> {
        let index = self.ordered.iter().position(|ordered| ordered.method == method || ordered.method == "*")?;
        let ordered = &mut self.ordered[index];
        ordered.left = ordered.left.saturating_sub(1);
        let failure = ordered.failure.clone();
        if ordered.left == 0 {
            self.ordered.remove(index);
        }
        Some(failure)
    }
}

impl Workspace {
    /// Lets the next `times` calls of a method (`*`: of any) fail; several orders are served one after the other.
    pub fn fail(&self, method: &str, failure: Failure, times: u32) {
        if times > 0 {
            self.faults().ordered.push_back(Ordered { method: method.to_owned(), failure, left: times });
        }
    }

    /// Lets the next `times` events come twice, with the same `event_id` or with another.
    pub fn duplicate_events(&self, times: usize, same_id: bool) {
        self.faults().duplicates.extend(std::iter::repeat_n(same_id, times));
    }

    /// Lets each of the next `times` events arrive after the one that follows it, or after a second without one.
    pub fn reorder_events(&self, times: usize) {
        self.faults().overtaken = times;
    }

    /// Takes back all trouble that is still to come.
    pub fn heal(&self) {
        *self.faults() = Faults::default();
        self.mute_hellos(0);
        self.late_payloads(0);
    }
}
