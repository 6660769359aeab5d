//! The Events API: what the app hears of, and the outer object around each event.

use std::time::Duration;

use serde_json::{Value, json};

use super::state::Channel;
use super::{Workspace, ids};

/// How long an event is held back to be overtaken.
const OVERTAKING: Duration = Duration::from_secs(1);

impl Workspace {
    /// Lets the app hear of an event, if it subscribed to it and is in the channel it happened in.
    pub(super) fn emit(&self, event: Value, channel: Option<&str>) {
        let mut shared = false;
        let mut kind = None;
        if let Some(id) = channel {
            let state = self.state();
            let Some(channel) = state.channels.get(id) else { return };
            if !channel.has_bot() && event["type"] != "member_left_channel" {
                return;
            }
            shared = channel.is_ext_shared;
            kind = Some(channel.kind());
        }
        if !self.config().events.contains(&subscription(&event, kind)) {
            return;
        }
        let duplicate = self.faults().duplicates.pop_front();
        let outer = outer(event, shared);
        if self.held_back(&outer) {
            return;
        }
        self.deliver_event(outer.clone());
        let held = self.faults().held.take();
        if let Some(held) = held {
            self.deliver_event(held);
        }
        if let Some(same_id) = duplicate {
            let mut again = outer;
            if !same_id {
                again["event_id"] = json!(ids::fresh("Ev"));
            }
            self.deliver_event(again);
        }
    }

    /// Holds an event back if it is to be overtaken.
    fn held_back(&self, outer: &Value) -> bool {
        let mut faults = self.faults();
        if faults.overtaken == 0 || faults.held.is_some() {
            return false;
        }
        faults.overtaken -= 1;
        faults.held = Some(outer.clone());
        let workspace = self.clone();
        tokio::spawn(async move {
            tokio::time::sleep(OVERTAKING).await;
            let held = workspace.faults().held.take();
            if let Some(held) = held {
                workspace.deliver_event(held);
            }
        });
        true
    }

    /// Archives a channel, of which the app hears.
    ///
    /// Posting there answers `is_archived` from now on.
    pub fn archive(&self, channel: &str) {
        let mut state = self.state();
        let ts = state.next_ts();
        if let Some(entry) = state.channels.get_mut(channel) {
            entry.is_archived = true;
        }
        drop(state);
        let event = json!({"type": "channel_archive", "channel": channel, "user": ids::ALICE, "event_ts": ts});
        self.emit(event, Some(channel));
        self.changed(channel);
    }

    /// Adds somebody, also the bot, to a channel, of which the app hears.
    pub fn join(&self, user: &str, channel: &str) {
        self.membership(user, channel, true);
    }

    /// Takes somebody, also the bot, out of a channel, of which the app hears.
    pub fn leave(&self, user: &str, channel: &str) {
        self.membership(user, channel, false);
    }

    fn membership(&self, user: &str, channel: &str, joins: bool) {
        let mut state = self.state();
        let ts = state.next_ts();
        let Some(entry) = state.channels.get_mut(channel) else { return };
        let changed = if joins { entry.members.insert(user.to_owned()) } else { entry.members.remove(user) };
        let kind = letter(entry);
        drop(state);
        if !changed {
            return;
        }
        let name = if joins { "member_joined_channel" } else { "member_left_channel" };
        let mut event = json!({
            "type": name, "user": user, "channel": channel, "channel_type": kind, "team": ids::TEAM, "event_ts": ts,
        });
        if joins {
            event["inviter"] = json!(ids::ALICE);
        }
        self.emit(event, Some(channel));
        self.changed(channel);
    }
}

/// The event's name in a manifest: `message` is four of them.
fn subscription(event: &Value, channel_kind: Option<&str>) -> String {
    match (event["type"].as_str().unwrap_or(""), channel_kind) {
        ("message", Some("im")) => "message.im".to_owned(),
        ("message", Some("group")) => "message.groups".to_owned(),
        ("message", _) => "message.channels".to_owned(),
        (name, _) => name.to_owned(),
    }
}

fn letter(channel: &Channel) -> &'static str {
    match channel.kind() {
        "im" => "D",
        "group" => "G",
        _ => "C",
    }
}

fn outer(event: Value, shared: bool) -> Value {
    json!({
        "token": "deprecated", "team_id": ids::TEAM, "context_team_id": ids::TEAM, "context_enterprise_id": null,
        "api_app_id": ids::APP, "type": "event_callback", "event_id": ids::fresh("Ev"),
        "event_time": ids::now_micros() / 1_000_000,
        "authorizations": [{"enterprise_id": null, "team_id": ids::TEAM, "user_id": ids::BOT_USER, "is_bot": true,
            "is_enterprise_install": false}],
        "is_ext_shared_channel": shared, "event_context": format!("4-{}", ids::random_hex()), "event": event,
    })
}
