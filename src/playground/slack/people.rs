//! Plays the people: they write, run commands, react, press buttons and use the message shortcut.

use std::time::Duration;

use serde_json::{Value, json};

use super::deliver::{Kind, Outcome, Retry};
use super::message::Message;
use super::payloads::Scene;
use super::refusal::Refusal;
use super::state::State;
use super::{Workspace, ids, text};

/// How the app acknowledged a command or an interaction.
#[derive(Clone, Debug, PartialEq)]
pub struct Acknowledged {
    /// What the acknowledgement carried.
    pub payload: Option<Value>,
    pub after: Duration,
}

impl Workspace {
    /// Writes a message as somebody, in a thread when `thread_ts` is given, and returns its `ts`.
    ///
    /// `channel` may also be the bot's user id, for a direct message.
    ///
    /// # Errors
    ///
    /// Slack's codes: `user_not_found`, `channel_not_found`, `not_in_channel`, `is_archived`, `no_text`,
    /// `thread_not_found`.
    pub fn say(&self, user: &str, channel: &str, typed: &str, thread_ts: Option<&str>) -> Result<String, Refusal> {
        self.say_with(user, channel, typed, thread_ts, &[])
    }

    /// Says something with text files attached, each its name and its content.
    ///
    /// # Errors
    /// As [`say`](Self::say).
    pub fn say_with(
        &self,
        user: &str,
        channel: &str,
        typed: &str,
        thread_ts: Option<&str>,
        files: &[(String, String)],
    ) -> Result<String, Refusal> {
        let files: Vec<Value> = files.iter().map(|(name, content)| self.attach(user, name, content)).collect();
        let mut state = self.state();
        let scene = scene(&mut state, user, channel)?;
        if scene.channel.is_archived {
            return Err("is_archived".into());
        }
        if typed.trim().is_empty() && files.is_empty() {
            return Err("no_text".into());
        }
        let thread_ts = match thread_ts {
            Some(ts) => {
                let parent = state.message(&scene.channel.id, ts).ok_or("thread_not_found")?;
                Some(parent.thread_ts.clone().unwrap_or_else(|| parent.ts.clone()))
            }
            None => None,
        };
        let (stored, _) = text::cut(&text::typed(typed, &state, false), text::TEXT_CUT);
        let ts = state.next_ts();
        let message = Message {
            channel: scene.channel.id.clone(),
            ts: ts.clone(),
            thread_ts,
            user: scene.user.id.to_owned(),
            team: scene.user.team,
            blocks: Some(json!([text::rich_text(&stored, &ids::random_hex()[..5])])),
            text: stored,
            files,
            ..Message::default()
        };
        let event = said(&message, &scene);
        state.store(message);
        drop(state);
        self.emit_said(event, &scene);
        self.changed(&scene.channel.id);
        Ok(ts)
    }

    fn emit_said(&self, mut event: Value, scene: &Scene) {
        let mentioned = event["text"].as_str().is_some_and(|text| text.contains(&format!("<@{}>", ids::BOT_USER)));
        let channel = scene.channel.id.as_str();
        if mentioned && scene.channel.im_with.is_none() {
            event["type"] = json!("app_mention");
            let mut mention = event.clone();
            if let Some(fields) = mention.as_object_mut() {
                fields.remove("subtype");
            }
            self.emit(mention, Some(channel));
        }
        event["type"] = json!("message");
        event["channel_type"] = json!(scene.channel.kind());
        self.emit(event, Some(channel));
    }

    /// Runs the slash command as somebody and waits for its acknowledgement.
    ///
    /// `typed` is what follows the command; the command itself in front of it is allowed. Slack does not let people of
    /// another workspace run commands; here they reach the app, which must not lean on that.
    ///
    /// # Errors
    ///
    /// `operation_timeout` and `dispatch_failed` as Slack shows them to the user, who sees them here too.
    pub async fn command(&self, user: &str, channel: &str, typed: &str) -> Result<Acknowledged, Refusal> {
        let command = self.config().command.clone();
        let typed = typed.strip_prefix(&command).unwrap_or(typed).trim();
        let (scene, payload) = {
            let mut state = self.state();
            let scene = scene(&mut state, user, channel)?;
            let payload = self.command_payload(&mut state, &scene, typed);
            (scene, payload)
        };
        let result = self.ask(Kind::Command, &payload).await;
        match &result {
            Ok(ack) => self.show_ack(&scene, &format!("{command} {typed}"), ack.payload.as_ref()),
            Err(refusal) => {
                let text = format!("{command} failed with the error \"{}\"", refusal.code);
                self.tell(&scene, &text);
            }
        }
        result
    }

    /// Reacts to a message as somebody.
    ///
    /// # Errors
    ///
    /// `already_reacted`, `message_not_found`, and those of a place where one is not.
    pub fn react(&self, user: &str, channel: &str, ts: &str, name: &str) -> Result<(), Refusal> {
        self.reaction(user, channel, ts, name, true)
    }

    /// Takes a reaction back.
    ///
    /// # Errors
    ///
    /// `no_reaction`, `message_not_found`, and those of a place where one is not.
    pub fn unreact(&self, user: &str, channel: &str, ts: &str, name: &str) -> Result<(), Refusal> {
        self.reaction(user, channel, ts, name, false)
    }

    fn reaction(&self, user: &str, channel: &str, ts: &str, name: &str, add: bool) -> Result<(), Refusal> {
        let mut state = self.state();
        let scene = scene(&mut state, user, channel)?;
        let event = change_reaction(&mut state, &scene.channel.id, ts, user, name, add)?;
        drop(state);
        self.emit(event, Some(&scene.channel.id));
        self.changed(&scene.channel.id);
        Ok(())
    }

    /// Presses a button, or picks an option, as somebody and waits for the acknowledgement.
    ///
    /// With a `value`, an element that an edit has taken away since can still be pressed, as by a client that has not
    /// heard of the edit; without one, it must be there now.
    ///
    /// # Errors
    ///
    /// `action_not_found`, `message_not_found`, `operation_timeout`, `dispatch_failed`.
    pub async fn click(
        &self,
        user: &str,
        channel: &str,
        ts: &str,
        action_id: &str,
        value: Option<&str>,
    ) -> Result<Acknowledged, Refusal> {
        let payload = {
            let mut state = self.state();
            let scene = scene(&mut state, user, channel)?;
            let message = state.message(&scene.channel.id, ts).ok_or("message_not_found")?.clone();
            if message.ephemeral_to.as_deref().is_some_and(|only| only != user) {
                return Err("message_not_found".into());
            }
            let action = action_of(&message, action_id, value).ok_or("action_not_found")?;
            self.click_payload(&mut state, &scene, &message, action)
        };
        self.ask(Kind::Interactive, &payload).await
    }

    /// Opens the app's Home tab as somebody.
    ///
    /// # Errors
    ///
    /// `user_not_found`.
    pub fn open_home(&self, user: &str) -> Result<(), Refusal> {
        let mut state = self.state();
        let user = state.users.get(user).filter(|user| !user.is_bot).ok_or("user_not_found")?.id.to_owned();
        let channel = state.im_with(&user);
        let event_ts = state.next_ts();
        drop(state);
        let event = json!({
            "type": "app_home_opened", "user": user, "channel": channel, "tab": "home", "event_ts": event_ts,
        });
        self.emit(event, None);
        Ok(())
    }

    /// Returns what somebody sees on the app's Home tab.
    pub fn home(&self, user: &str) -> Option<Value> {
        self.state().homes.get(user).map(|view| view.json.clone())
    }

    /// Presses a button of the app's Home tab as somebody and waits for the acknowledgement.
    ///
    /// # Errors
    ///
    /// `action_not_found`, `user_not_found`, `operation_timeout`, `dispatch_failed`.
    pub async fn click_home(&self, user: &str, action_id: &str, value: &str) -> Result<Acknowledged, Refusal> {
        let payload = {
            let mut state = self.state();
            let person = state.users.get(user).filter(|user| !user.is_bot).ok_or("user_not_found")?.clone();
            let view = state.homes.get(user).ok_or("action_not_found")?.json.clone();
            let blocks = view["blocks"].as_array().into_iter().flatten();
            let found = blocks.filter_map(|block| Some((block, find_element(block, action_id, Some(value))?))).next();
            let (block, element) = found.ok_or("action_not_found")?;
            let action = json!({
                "type": "button", "action_id": element["action_id"], "block_id": block["block_id"], "value": value,
                "text": element["text"], "action_ts": ids::ts(ids::now_micros()),
            });
            let mut payload = self.view_payload(&mut state, &person, &view, "block_actions");
            payload["container"] = json!({"type": "view", "view_id": view["id"]});
            payload["actions"] = json!([action]);
            payload
        };
        self.ask(Kind::Interactive, &payload).await
    }

    /// Uses the message shortcut "Diagnose" as somebody and waits for the acknowledgement.
    ///
    /// # Errors
    ///
    /// `message_not_found`, `operation_timeout`, `dispatch_failed`.
    pub async fn shortcut(&self, user: &str, channel: &str, ts: &str) -> Result<Acknowledged, Refusal> {
        let payload = {
            let mut state = self.state();
            let scene = scene(&mut state, user, channel)?;
            let message = state.message(&scene.channel.id, ts).ok_or("message_not_found")?.clone();
            self.shortcut_payload(&mut state, &scene, &message, &self.config().shortcut)
        };
        self.ask(Kind::Interactive, &payload).await
    }

    /// Sends a command or an interaction, once, and waits.
    pub(super) async fn ask(&self, kind: Kind, payload: &Value) -> Result<Acknowledged, Refusal> {
        let start = std::time::Instant::now();
        match self.outcome(self.attempt(kind, payload, Retry::default())).await {
            Outcome::Acked(payload) => Ok(Acknowledged { payload, after: start.elapsed() }),
            Outcome::TimedOut => Err("operation_timeout".into()),
            Outcome::Failed { .. } => Err("dispatch_failed".into()),
        }
    }

    /// Shows what the acknowledgement of a command says.
    fn show_ack(&self, scene: &Scene, typed: &str, payload: Option<&Value>) {
        let Some(payload) = payload.filter(|payload| payload.is_object()) else { return };
        let in_channel = payload["response_type"] == "in_channel";
        if in_channel {
            let mut state = self.state();
            let message = Message {
                channel: scene.channel.id.clone(),
                ts: state.next_ts(),
                user: scene.user.id.to_owned(),
                team: scene.user.team,
                text: text::stored(typed),
                ..Message::default()
            };
            state.store(message);
        }
        if payload.get("text").is_some() || payload.get("blocks").is_some() {
            // A reply that Slack refuses is dropped without a word there too.
            let _ = self.post_reply(&scene.channel.id, scene.user.id, payload, in_channel, None);
        }
        self.changed(&scene.channel.id);
    }

    /// Lets Slackbot say something to one person.
    fn tell(&self, scene: &Scene, text: &str) {
        let mut state = self.state();
        let message = Message {
            channel: scene.channel.id.clone(),
            ts: state.next_ts(),
            user: ids::SLACKBOT.to_owned(),
            team: ids::TEAM,
            text: text.to_owned(),
            ephemeral_to: Some(scene.user.id.to_owned()),
            ..Message::default()
        };
        state.store(message);
        drop(state);
        self.changed(&scene.channel.id);
    }
}

/// Finds a person and the channel they are in.
fn scene(state: &mut State, user: &str, channel: &str) -> Result<Scene, Refusal> {
    let user = state.users.get(user).filter(|user| !user.is_bot).ok_or("user_not_found")?.clone();
    let channel = match channel {
        ids::BOT_USER => state.im_with(user.id),
        other => other.to_owned(),
    };
    let channel = state.channels.get(&channel).ok_or("channel_not_found")?.clone();
    if !channel.members.contains(user.id) {
        return Err("not_in_channel".into());
    }
    Ok(Scene { user, channel })
}

/// The event of a message, but for what differs between `message` and `app_mention`.
fn said(message: &Message, scene: &Scene) -> Value {
    let mut event = json!({
        "type": "message", "user": message.user, "ts": message.ts, "client_msg_id": ids::uuid(),
        "text": message.text, "team": message.team, "blocks": message.blocks, "channel": message.channel,
        "event_ts": message.ts,
    });
    if let Some(thread) = &message.thread_ts {
        event["thread_ts"] = json!(thread);
    }
    if !message.files.is_empty() {
        event["files"] = json!(message.files);
        event["subtype"] = json!("file_share");
    }
    if scene.user.is_stranger() {
        event["user_team"] = json!(scene.user.team);
        event["source_team"] = json!(scene.user.team);
    }
    event
}

/// Adds or takes a reaction and returns the event of it.
pub fn change_reaction(
    state: &mut State,
    channel: &str,
    ts: &str,
    user: &str,
    name: &str,
    add: bool,
) -> Result<Value, Refusal> {
    let name = name.trim_matches(':');
    let valid = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "_-+'".contains(c);
    if name.is_empty() || !name.replace("::", "").chars().all(valid) {
        return Err("invalid_name".into());
    }
    let event_ts = state.next_ts();
    let message = state.message_mut(channel, ts).filter(|message| message.ephemeral_to.is_none());
    let message = message.ok_or("message_not_found")?;
    let index = message.reactions.iter().position(|(given, _)| given == name);
    let given = index.is_some_and(|index| message.reactions[index].1.iter().any(|giver| giver == user));
    match (add, index) {
        (true, _) if given => return Err("already_reacted".into()),
        (true, Some(index)) => message.reactions[index].1.push(user.to_owned()),
        (true, None) if message.reactions.len() >= 50 => return Err("too_many_reactions".into()),
        (true, None) => message.reactions.push((name.to_owned(), vec![user.to_owned()])),
        (false, Some(index)) if given => {
            message.reactions[index].1.retain(|giver| giver != user);
            if message.reactions[index].1.is_empty() {
                message.reactions.remove(index);
            }
        }
        (false, _) => return Err("no_reaction".into()),
    }
    Ok(json!({
        "type": if add { "reaction_added" } else { "reaction_removed" }, "user": user, "reaction": name,
        "item": {"type": "message", "channel": channel, "ts": ts}, "item_user": message.user, "event_ts": event_ts,
    }))
}

/// Finds the element with an `action_id` and makes of it what `actions[]` holds.
fn action_of(message: &Message, action_id: &str, value: Option<&str>) -> Option<Value> {
    let past = message.past_blocks.iter().rev().filter(|_| value.is_some());
    let versions: Vec<&Value> = message.blocks.iter().chain(past).collect();
    let found = |exact: bool| {
        versions.iter().find_map(|blocks| {
            blocks.as_array()?.iter().find_map(|block| {
                let element = find_element(block, action_id, value.filter(|_| exact))?;
                Some((block["block_id"].clone(), element.clone()))
            })
        })
    };
    let (block_id, element) = found(true).or_else(|| found(false))?;
    let kind = element["type"].as_str().unwrap_or("button");
    let mut action = json!({
        "type": kind, "action_id": action_id, "block_id": block_id, "action_ts": ids::ts(ids::now_micros()),
    });
    if kind == "button" {
        action["text"] = element["text"].clone();
        for field in ["value", "style", "url"] {
            if let Some(given) = element.get(field) {
                action[field] = given.clone();
            }
        }
        if let Some(value) = value {
            action["value"] = json!(value);
        }
    } else {
        let options = element["options"].as_array().into_iter().flatten();
        let groups = element["option_groups"].as_array().into_iter().flatten();
        let grouped = groups.flat_map(|group| group["options"].as_array().into_iter().flatten());
        let chosen = options.chain(grouped).find(|option| option["value"].as_str() == value)?;
        action["selected_option"] = chosen.clone();
    }
    Some(action)
}

fn find_element<'a>(within: &'a Value, action_id: &str, value: Option<&str>) -> Option<&'a Value> {
    match within {
        Value::Array(items) => items.iter().find_map(|item| find_element(item, action_id, value)),
        Value::Object(object) => {
            let same_value = value.is_none_or(|value| within["value"].as_str() == Some(value));
            if within["action_id"].as_str() == Some(action_id) && same_value {
                return Some(within);
            }
            object.values().find_map(|item| find_element(item, action_id, value))
        }
        _ => None,
    }
}
