//! The payloads of commands and interactions, and the `trigger_id` and `response_url` that go with them.

use std::time::Instant;

use serde_json::{Value, json};

use super::message::Message;
use super::state::{Channel, ResponseUrl, State, Trigger, User};
use super::{Workspace, ids, text};

/// Who does something where; looked up once.
pub struct Scene {
    pub user: User,
    pub channel: Channel,
}

impl Workspace {
    /// Hands out a `trigger_id`.
    pub(super) fn trigger(&self, state: &mut State, user: &str) -> String {
        let hex = ids::random_hex();
        let id = format!("{}.{}.{hex}", ids::now_micros() / 1000, ids::now_micros() % 1000);
        let trigger = Trigger { issued: Instant::now(), used: false, user: user.to_owned() };
        state.triggers.retain(|_, trigger| trigger.issued.elapsed() < self.config().response_url_lifetime);
        state.triggers.insert(id.clone(), trigger);
        id
    }

    /// Hands out a `response_url`; `kind` is `commands` or `actions`, as in Slack's addresses.
    pub(super) fn response_url(&self, state: &mut State, scene: &Scene, kind: &str, original: Option<&str>) -> String {
        let token = ids::random_hex();
        let entry = ResponseUrl {
            issued: Instant::now(),
            used: 0,
            user: scene.user.id.to_owned(),
            channel: scene.channel.id.clone(),
            original: original.map(str::to_owned),
        };
        let lifetime = self.config().response_url_lifetime;
        // Expired ones are kept as long again, to be able to say that they expired.
        state.response_urls.retain(|_, url| url.issued.elapsed() < lifetime * 2);
        state.response_urls.insert(token.clone(), entry);
        format!("{}/{kind}/{}/{}/{token}", self.base_url(), ids::TEAM, ids::now_micros() / 1_000_000)
    }

    pub(super) fn command_payload(&self, state: &mut State, scene: &Scene, typed: &str) -> Value {
        let text = match self.config().escape_commands {
            true => text::typed(typed, state, true),
            false => text::stored(typed),
        };
        json!({
            "token": "deprecated", "team_id": scene.user.team, "team_domain": domain(scene.user.team),
            "channel_id": scene.channel.id, "channel_name": scene.channel.public_name(),
            "user_id": scene.user.id, "user_name": scene.user.name, "command": self.config().command, "text": text,
            "api_app_id": ids::APP, "is_enterprise_install": "false",
            "response_url": self.response_url(state, scene, "commands", None),
            "trigger_id": self.trigger(state, scene.user.id),
        })
    }

    pub(super) fn click_payload(&self, state: &mut State, scene: &Scene, message: &Message, action: Value) -> Value {
        let ephemeral = message.ephemeral_to.is_some();
        let mut container = json!({
            "type": "message", "message_ts": message.ts, "channel_id": scene.channel.id, "is_ephemeral": ephemeral,
        });
        if let Some(thread) = &message.thread_ts {
            container["thread_ts"] = json!(thread);
        }
        let mut payload = json!({
            "type": "block_actions", "user": person(&scene.user), "api_app_id": ids::APP, "token": "deprecated",
            "container": container, "trigger_id": self.trigger(state, scene.user.id), "team": team(),
            "enterprise": null, "is_enterprise_install": false,
            "channel": {"id": scene.channel.id, "name": scene.channel.public_name()},
            "state": {"values": {}},
            "response_url": self.response_url(state, scene, "actions", Some(&message.ts)), "actions": [action],
        });
        if !ephemeral {
            payload["message"] = state.message_json(message);
        }
        payload
    }

    pub(super) fn shortcut_payload(
        &self,
        state: &mut State,
        scene: &Scene,
        message: &Message,
        callback_id: &str,
    ) -> Value {
        json!({
            "type": "message_action", "token": "deprecated", "action_ts": ids::ts(ids::now_micros()), "team": team(),
            "user": person(&scene.user), "enterprise": null, "is_enterprise_install": false,
            "channel": {"id": scene.channel.id, "name": scene.channel.public_name()}, "callback_id": callback_id,
            "trigger_id": self.trigger(state, scene.user.id),
            "response_url": self.response_url(state, scene, "actions", Some(&message.ts)),
            "message_ts": message.ts, "message": state.message_json(message),
        })
    }

    pub(super) fn view_payload(&self, state: &mut State, user: &User, view: &Value, kind: &str) -> Value {
        let mut payload = json!({
            "type": kind, "team": team(), "user": person(user), "api_app_id": ids::APP, "token": "deprecated",
            "enterprise": null, "is_enterprise_install": false, "view": view,
        });
        if kind == "view_closed" {
            payload["is_cleared"] = json!(false);
        } else {
            payload["trigger_id"] = json!(self.trigger(state, user.id));
            payload["response_urls"] = json!([]);
        }
        payload
    }
}

fn person(user: &User) -> Value {
    json!({"id": user.id, "username": user.name, "name": user.name, "team_id": user.team})
}

fn team() -> Value {
    json!({"id": ids::TEAM, "domain": domain(ids::TEAM)})
}

fn domain(team: &str) -> &'static str {
    if team == ids::TEAM { "podoctor-try" } else { "elsewhere" }
}
