//! `chat.*`: posting, editing, deleting, and where a message can be linked to.

use serde_json::{Value, json};

use super::args::Args;
use super::{Reply, Workspace};
use crate::playground::slack::blocks::{self, Surface};
use crate::playground::slack::message::Message;
use crate::playground::slack::refusal::Refusal;
use crate::playground::slack::state::State;
use crate::playground::slack::{ids, text};

/// `chat.update` takes no longer text.
const UPDATE_TEXT: usize = 4_000;
/// Slack publishes no limit; this is what was taken as one when the fake was written.
const METADATA_TOTAL: usize = 16_000;

/// What a message says.
struct Content {
    text: String,
    cut: bool,
    blocks: Option<Value>,
    attachments: Option<Value>,
}

impl Workspace {
    pub(super) fn chat_post(&self, args: &Args) -> Reply {
        let mut state = self.state();
        let channel = self.place(&mut state, &args.need("channel", "channel_not_found")?)?;
        let thread_ts = thread(&state, &channel, args)?;
        let content = content(args, &state, false)?;
        let metadata = metadata(args)?;
        let message = Message {
            ts: state.next_ts(),
            broadcast: thread_ts.is_some() && args.flag("reply_broadcast"),
            channel: channel.clone(),
            thread_ts,
            user: ids::BOT_USER.to_owned(),
            team: ids::TEAM,
            by_app: true,
            text: content.text,
            blocks: content.blocks,
            attachments: content.attachments,
            metadata: metadata.filter(|metadata| *metadata != json!({})),
            ..Message::default()
        };
        let json = state.message_json(&message);
        let mut reply = json!({"channel": channel, "ts": message.ts, "message": json});
        state.store(message);
        let kind = state.channels.get(&channel).map(super::super::state::Channel::kind);
        drop(state);
        if content.cut {
            reply["warning"] = json!("message_truncated");
            reply["response_metadata"] = json!({"warnings": ["message_truncated"]});
        }
        let mut event = json;
        event["channel"] = json!(channel);
        event["channel_type"] = json!(kind);
        event["event_ts"] = event["ts"].clone();
        self.emit(event, Some(&channel));
        self.changed(&channel);
        Ok(reply)
    }

    pub(super) fn chat_post_ephemeral(&self, args: &Args) -> Reply {
        let mut state = self.state();
        let channel = self.place(&mut state, &args.need("channel", "channel_not_found")?)?;
        let user = args.need("user", "user_not_in_channel")?;
        if !state.channels.get(&channel).is_some_and(|channel| channel.members.contains(&user)) {
            return Err("user_not_in_channel".into());
        }
        let thread_ts = thread(&state, &channel, args)?;
        let content = content(args, &state, false)?;
        let ts = state.next_ts();
        state.store(Message {
            channel: channel.clone(),
            ts: ts.clone(),
            thread_ts,
            user: ids::BOT_USER.to_owned(),
            team: ids::TEAM,
            by_app: true,
            text: content.text,
            blocks: content.blocks,
            attachments: content.attachments,
            ephemeral_to: Some(user),
            ..Message::default()
        });
        drop(state);
        self.changed(&channel);
        Ok(json!({"message_ts": ts}))
    }

    pub(super) fn chat_update(&self, args: &Args) -> Reply {
        let mut state = self.state();
        let channel = visible(&state, &args.need("channel", "channel_not_found")?)?;
        let ts = args.need("ts", "message_not_found")?;
        // The reply to an edit that is refused for its text must not hide that the message is gone.
        let known = state.message(&channel, &ts).filter(|message| message.ephemeral_to.is_none());
        if !known.ok_or("message_not_found")?.by_app {
            return Err("cant_update_message".into());
        }
        if state.channels.get(&channel).is_some_and(|channel| channel.is_archived) {
            return Err("is_inactive".into());
        }
        if args.text("text").is_some_and(|text| text.chars().count() > UPDATE_TEXT) {
            return Err("msg_too_long".into());
        }
        let content = content(args, &state, true)?;
        let metadata = metadata(args)?;
        let edited = state.next_ts();
        let message = state.message_mut(&channel, &ts).ok_or("message_not_found")?;
        let before = message.clone();
        message.keep_past_blocks();
        message.text = content.text;
        message.blocks = content.blocks;
        if content.attachments.is_some() || message.blocks.is_none() {
            message.attachments = content.attachments;
        }
        match metadata {
            Some(metadata) if metadata == json!({}) => message.metadata = None,
            Some(metadata) => message.metadata = Some(metadata),
            None => {}
        }
        message.edited = Some(edited.clone());
        let text = message.text.clone();
        let (now, was) = (message.clone(), before);
        let json = state.message_json(&now);
        let event = json!({
            "type": "message", "subtype": "message_changed", "channel": channel, "ts": edited, "event_ts": edited,
            "hidden": true, "message": json, "previous_message": state.message_json(&was),
            "channel_type": state.channels.get(&channel).map(super::super::state::Channel::kind),
        });
        drop(state);
        self.emit(event, Some(&channel));
        self.changed(&channel);
        Ok(json!({"channel": channel, "ts": ts, "text": text, "message": json}))
    }

    pub(super) fn chat_delete(&self, args: &Args) -> Reply {
        let state = self.state();
        let channel = visible(&state, &args.need("channel", "channel_not_found")?)?;
        let ts = args.need("ts", "message_not_found")?;
        let message = state.message(&channel, &ts).filter(|message| message.ephemeral_to.is_none());
        if !message.ok_or("message_not_found")?.by_app {
            return Err("cant_delete_message".into());
        }
        drop(state);
        self.delete_message(&channel, &ts);
        Ok(json!({"channel": channel, "ts": ts}))
    }

    /// Takes a message away; the replies of a parent stay behind it.
    pub fn delete_message(&self, channel: &str, ts: &str) {
        let mut state = self.state();
        let event_ts = state.next_ts();
        let kind = state.channels.get(channel).map(super::super::state::Channel::kind);
        let Some(message) = state.message_mut(channel, ts) else { return };
        message.deleted = true;
        let ephemeral = message.ephemeral_to.is_some();
        drop(state);
        if !ephemeral {
            let event = json!({"type": "message", "subtype": "message_deleted", "channel": channel, "ts": event_ts,
                "deleted_ts": ts, "event_ts": event_ts, "hidden": true, "channel_type": kind});
            self.emit(event, Some(channel));
        }
        self.changed(channel);
    }

    pub(super) fn chat_permalink(&self, args: &Args) -> Reply {
        let state = self.state();
        let channel = visible(&state, &args.need("channel", "channel_not_found")?)?;
        let ts = args.need("message_ts", "message_not_found")?;
        let message = state.message(&channel, &ts).ok_or("message_not_found")?;
        let mut link = format!("{}/archives/{channel}/p{}", self.base_url(), ts.replace('.', ""));
        if let Some(thread) = &message.thread_ts {
            link.push_str(&format!("?thread_ts={thread}&cid={channel}"));
        }
        Ok(json!({"channel": channel, "permalink": link}))
    }

    /// Finds where a message is to go and whether the bot may write there.
    fn place(&self, state: &mut State, wanted: &str) -> Result<String, Refusal> {
        let id = match state.users.get(wanted).filter(|user| !user.is_bot) {
            Some(user) => {
                let user = user.id;
                state.im_with(user)
            }
            None => visible(state, wanted)?,
        };
        let channel = state.channels.get(&id).ok_or("channel_not_found")?;
        if channel.is_archived {
            return Err("is_archived".into());
        }
        if !channel.has_bot() && !self.config().scopes.contains("chat:write.public") {
            return Err("not_in_channel".into());
        }
        Ok(id)
    }
}

/// Finds a channel by id or name, if the bot may know of it.
pub fn visible(state: &State, wanted: &str) -> Result<String, Refusal> {
    let name = wanted.strip_prefix('#').unwrap_or(wanted);
    let found = state.channels.get(wanted).or_else(|| {
        let mut channels = state.channels.values();
        channels.find(|channel| channel.im_with.is_none() && channel.name == name)
    });
    let channel = found.filter(|channel| channel.visible_to_bot()).ok_or("channel_not_found")?;
    Ok(channel.id.clone())
}

/// Checks `thread_ts`: it must be the `ts` of a parent that is still there.
fn thread(state: &State, channel: &str, args: &Args) -> Result<Option<String>, Refusal> {
    let Some(ts) = args.text("thread_ts") else { return Ok(None) };
    let parent = state.message(channel, &ts).filter(|message| message.ephemeral_to.is_none());
    match &parent.ok_or("thread_not_found")?.thread_ts {
        Some(_) => Err("cannot_reply_to_message".into()),
        None => Ok(Some(ts)),
    }
}

fn content(args: &Args, state: &State, is_update: bool) -> Result<Content, Refusal> {
    let blocks = match args.json("blocks") {
        Ok(blocks) => blocks.filter(|blocks| *blocks != json!([])),
        Err(_) => return Err("invalid_blocks_format".into()),
    };
    let attachments = args.json("attachments").map_err(|_| Refusal::from("invalid_attachments"))?;
    let attachments = attachments.filter(|attachments| attachments.as_array().is_some_and(|list| !list.is_empty()));
    if attachments.as_ref().is_some_and(|list| list.as_array().is_some_and(|list| list.len() > 100)) {
        return Err("too_many_attachments".into());
    }
    let markdown = args.text("markdown_text");
    if markdown.is_some() && (blocks.is_some() || args.has("text")) {
        return Err("markdown_text_conflict".into());
    }
    if markdown.as_ref().is_some_and(|text| text.chars().count() > 12_000) {
        return Err("msg_too_long".into());
    }
    let given = args.text("text").or(markdown).unwrap_or_default();
    if given.trim().is_empty() && blocks.is_none() && attachments.is_none() {
        return Err("no_text".into());
    }
    let blocks = blocks.map(|blocks| blocks::accept(&blocks, Surface::Message)).transpose()?;
    let (kept, cut) = text::cut(&given, text::TEXT_CUT);
    // The default of `parse` differs: an edit parses names and URLs like a client unless it says `none`.
    let text = match args.text("parse").as_deref() {
        Some("none") => text::stored(&kept),
        None if !is_update => text::stored(&kept),
        _ => text::typed(&kept, state, false),
    };
    Ok(Content { text, cut, blocks, attachments })
}

fn metadata(args: &Args) -> Result<Option<Value>, Refusal> {
    let Ok(metadata) = args.json("metadata") else { return Err("invalid_metadata_format".into()) };
    let Some(metadata) = metadata else { return Ok(None) };
    if metadata == json!({}) {
        return Ok(Some(metadata));
    }
    if !metadata["event_type"].is_string() || !metadata["event_payload"].is_object() {
        return Err("invalid_metadata_format".into());
    }
    if metadata.to_string().len() > METADATA_TOTAL {
        return Err("metadata_too_large".into());
    }
    Ok(Some(metadata))
}
