//! `conversations.*`: what the app may know of channels and read in them, page by page.

use serde_json::{Value, json};

use super::args::Args;
use super::chat::visible;
use super::{Reply, Workspace};
use crate::playground::slack::ids;
use crate::playground::slack::message::Message;
use crate::playground::slack::refusal::Refusal;
use crate::playground::slack::state::State;

impl Workspace {
    pub(super) fn conversations_info(&self, args: &Args) -> Reply {
        let state = self.state();
        let id = visible(&state, &args.need("channel", "channel_not_found")?)?;
        let channel = state.channels.get(&id).ok_or("channel_not_found")?;
        Ok(json!({"channel": channel.json()}))
    }

    pub(super) fn conversations_list(&self, args: &Args) -> Reply {
        let types = match args.list("types") {
            types if types.is_empty() => vec!["public_channel".to_owned()],
            types => types,
        };
        let skip_archived = args.flag("exclude_archived");
        let state = self.state();
        let channels = state.channels.values().filter(|channel| {
            let kind = match channel.kind() {
                "im" => "im",
                "group" => "private_channel",
                _ => "public_channel",
            };
            channel.visible_to_bot()
                && types.iter().any(|wanted| wanted == kind)
                && !(skip_archived && channel.is_archived)
        });
        let (page, next) = paged(channels.map(super::super::state::Channel::json).collect(), args, 100)?;
        Ok(json!({"channels": page, "response_metadata": {"next_cursor": next}}))
    }

    pub(super) fn conversations_members(&self, args: &Args) -> Reply {
        let state = self.state();
        let id = visible(&state, &args.need("channel", "channel_not_found")?)?;
        let channel = state.channels.get(&id).ok_or("channel_not_found")?;
        let members = channel.members.iter().map(|member| json!(member)).collect();
        let (page, next) = paged(members, args, 100)?;
        Ok(json!({"members": page, "response_metadata": {"next_cursor": next}}))
    }

    pub(super) fn conversations_open(&self, args: &Args) -> Reply {
        let mut state = self.state();
        let existed = |state: &State, id: &str| state.channels.contains_key(id);
        if let Some(id) = args.text("channel") {
            let channel = state.channels.get(&id).filter(|channel| channel.im_with.is_some());
            return Ok(json!({"channel": {"id": channel.ok_or("channel_not_found")?.id}}));
        }
        let users = args.list("users");
        let [user] = users.as_slice() else {
            return Err(if users.is_empty() { "users_list_not_supplied" } else { "not_enough_users" }.into());
        };
        let user = state.users.get(user.as_str()).filter(|user| !user.is_bot).ok_or("user_not_found")?.id;
        let before = existed(&state, &format!("D0{}", user.trim_start_matches("U0")));
        let id = state.im_with(user);
        let mut reply = json!({"channel": {"id": id}, "no_op": before, "already_open": before});
        if args.flag("return_im")
            && let Some(channel) = state.channels.get(&id)
        {
            reply["channel"] = channel.json();
        }
        Ok(reply)
    }

    pub(super) fn conversations_join(&self, args: &Args) -> Reply {
        let state = self.state();
        let id = visible(&state, &args.need("channel", "channel_not_found")?)?;
        let channel = state.channels.get(&id).ok_or("channel_not_found")?;
        if channel.is_private {
            return Err("method_not_supported_for_channel_type".into());
        }
        if channel.is_archived {
            return Err("is_archived".into());
        }
        let already = channel.has_bot();
        drop(state);
        self.join(ids::BOT_USER, &id);
        let state = self.state();
        let channel = state.channels.get(&id).ok_or("channel_not_found")?;
        let mut reply = json!({"channel": channel.json()});
        if already {
            reply["warning"] = json!("already_in_channel");
            reply["response_metadata"] = json!({"warnings": ["already_in_channel"]});
        }
        Ok(reply)
    }

    pub(super) fn conversations_history(&self, args: &Args) -> Reply {
        let state = self.state();
        let id = readable(&state, args)?;
        let in_channel = |message: &&Message| message.thread_ts.is_none() || message.broadcast;
        let messages = state.messages.get(&id).into_iter().flatten().rev().filter(in_channel);
        let (page, next) = page_of(&state, messages, args)?;
        let more = !next.is_empty();
        let mut reply = json!({"messages": page, "has_more": more, "pin_count": 0, "channel_actions_ts": null,
            "channel_actions_count": 0});
        if more {
            reply["response_metadata"] = json!({"next_cursor": next});
        }
        Ok(reply)
    }

    pub(super) fn conversations_replies(&self, args: &Args) -> Reply {
        let state = self.state();
        let id = readable(&state, args)?;
        let ts = args.need("ts", "thread_not_found")?;
        let named = state.message(&id, &ts).filter(|message| message.ephemeral_to.is_none());
        // Asked with the `ts` of a reply, Slack shows that reply alone.
        let parent = &named.ok_or("thread_not_found")?.ts;
        let in_thread = |message: &&Message| message.ts == *parent || message.thread_ts.as_ref() == Some(parent);
        let messages = state.messages.get(&id).into_iter().flatten().filter(in_thread);
        let (page, next) = page_of(&state, messages, args)?;
        let more = !next.is_empty();
        let mut reply = json!({"messages": page, "has_more": more});
        if more {
            reply["response_metadata"] = json!({"next_cursor": next});
        }
        Ok(reply)
    }
}

/// The channel whose messages are asked for; the bot must be in it.
fn readable(state: &State, args: &Args) -> Result<String, Refusal> {
    let id = visible(state, &args.need("channel", "channel_not_found")?)?;
    match state.channels.get(&id) {
        Some(channel) if channel.has_bot() => Ok(id),
        _ => Err("not_in_channel".into()),
    }
}

fn page_of<'a>(
    state: &State,
    messages: impl Iterator<Item = &'a Message>,
    args: &Args,
) -> Result<(Vec<Value>, String), Refusal> {
    let inclusive = args.flag("inclusive");
    let (oldest, latest) = (args.text("oldest"), args.text("latest"));
    let with_metadata = args.flag("include_all_metadata");
    let wanted = messages.filter(|message| {
        let ts = seconds(&message.ts);
        let after = oldest.as_deref().is_none_or(|oldest| ts > seconds(oldest) || inclusive && ts == seconds(oldest));
        let before = latest.as_deref().is_none_or(|latest| ts < seconds(latest) || inclusive && ts == seconds(latest));
        !message.deleted && message.ephemeral_to.is_none() && after && before
    });
    let jsons = wanted.map(|message| {
        let mut json = state.message_json(message);
        if !with_metadata && let Some(metadata) = json.get_mut("metadata").and_then(Value::as_object_mut) {
            metadata.retain(|field, _| field == "event_type");
        }
        json
    });
    paged(jsons.collect(), args, 100)
}

/// Microseconds of a `ts`, for comparing `1700000000` with `1700000000.000100`.
fn seconds(ts: &str) -> u64 {
    let (whole, fraction) = ts.split_once('.').unwrap_or((ts, ""));
    let fraction: String = fraction.chars().chain("000000".chars()).take(6).collect();
    whole.parse::<u64>().unwrap_or(0).saturating_mul(1_000_000) + fraction.parse::<u64>().unwrap_or(0)
}

/// Cuts the page out that `cursor` and `limit` ask for, and says where the next begins.
pub fn paged(all: Vec<Value>, args: &Args, usual: usize) -> Result<(Vec<Value>, String), Refusal> {
    let start = match args.text("cursor") {
        Some(cursor) => {
            let number = cursor.strip_prefix("bmV4dDo").and_then(|rest| rest.trim_end_matches('=').parse().ok());
            number.ok_or("invalid_cursor")?
        }
        None => 0usize,
    };
    let limit = args.count("limit").filter(|limit| *limit > 0).unwrap_or(usual).min(1_000);
    let end = start.saturating_add(limit);
    let next = if end < all.len() { format!("bmV4dDo{end}=") } else { String::new() };
    Ok((all.into_iter().skip(start).take(limit).collect(), next))
}
