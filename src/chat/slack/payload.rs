//! What Slack sends, read into what happened. Tolerant: the few fields needed are read from raw JSON, the rest is ignored.
//!
//! slack-morphism's event models lose whole payloads over a null team or a number in metadata; nothing here can.

mod whole;

use super::draw::action_id;
use crate::chat::front::{Incoming, Person, Place, ReturnPath, What};
use jiff::Timestamp;
use serde_json::Value;

use super::snippet::attached;
pub use whole::whole_text;

/// Who we are in the workspace.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Me {
    pub user_id: String,
    pub bot_id: String,
    pub team_id: String,
}

/// Something that happened, and the keys by which a repetition is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivered {
    pub keys: Vec<String>,
    pub incoming: Incoming,
}

/// Stands for the workspace of a person of whom a shared channel's event does not say it: never ours.
const TEAM_NOT_TOLD: &str = "not-told";
/// Slackbot is a person by its id only.
pub const SLACKBOT: &str = "USLACKBOT";

/// Reads an event (`event_callback`); `None` = nothing that concerns us.
pub fn event(outer: &Value, me: &Me) -> Option<Delivered> {
    let event = &outer["event"];
    let shared = outer["is_ext_shared_channel"].as_bool() == Some(true);
    let mut keys: Vec<String> = text(&outer["event_id"]).map(|id| format!("event:{id}")).into_iter().collect();
    let at = event["event_ts"].as_str().or(event["ts"].as_str()).and_then(moment);
    let user = text(&event["user"])?;
    // Our own doings come back to us; other bots never ask.
    if user == me.user_id || user == SLACKBOT || event["bot_id"].is_string() || event["bot_profile"].is_object() {
        return None;
    }
    let person = Person { team: team_of_event(outer, event, shared), id: user };
    let (place, what) = match event["type"].as_str()? {
        kind @ ("app_mention" | "message") => {
            if kind == "message"
                && (event["subtype"].as_str().is_some_and(|s| s != "file_share") || !concerns(event, me))
            {
                return None;
            }
            if event["edited"].is_object() {
                return None;
            }
            let (channel, ts) = (text(&event["channel"])?, text(&event["ts"])?);
            keys.push(format!("message:{channel}:{ts}"));
            let said = decoded(&without_mention(&whole_text(event), &me.user_id));
            (Place { channel, thread: text(&event["thread_ts"]) }, What::Mention { message: ts, text: said })
        }
        kind @ ("reaction_added" | "reaction_removed") => {
            if event["item"]["type"].as_str() != Some("message") || event["item_user"].as_str() != Some(&me.user_id) {
                return None;
            }
            let (channel, message) = (text(&event["item"]["channel"])?, text(&event["item"]["ts"])?);
            let name = event["reaction"].as_str()?.split("::").next().unwrap_or_default().to_owned();
            let added = kind == "reaction_added";
            if let Some(ts) = event["event_ts"].as_str() {
                keys.push(format!("reaction:{channel}:{message}:{}:{name}:{added}:{ts}", person.id));
            }
            (Place { channel, thread: None }, What::Reaction { message, name, added })
        }
        "app_home_opened" if event["tab"] == "home" => {
            (Place { channel: text(&event["channel"])?, thread: None }, What::HomeOpened)
        }
        _ => return None,
    };
    let files = attached(event);
    let incoming = Incoming { person, place, at, shared_channel: shared, return_path: None, files, what };
    Some(Delivered { keys, incoming })
}

/// Reads a slash command from its fields.
pub fn command(fields: &Value) -> Option<Delivered> {
    let person = Person { team: text(&fields["team_id"]), id: text(&fields["user_id"])? };
    let place = Place { channel: text(&fields["channel_id"])?, thread: None };
    let keys = text(&fields["trigger_id"]).map(|id| format!("trigger:{id}")).into_iter().collect();
    let what = What::Command { text: decoded(fields["text"].as_str().unwrap_or_default()) };
    let incoming = Incoming {
        person,
        place,
        at: None,
        shared_channel: false,
        return_path: return_path(&fields["response_url"]),
        files: Vec::new(),
        what,
    };
    Some(Delivered { keys, incoming })
}

/// Reads an interaction: a button or a message shortcut.
pub fn interaction(payload: &Value) -> Option<Delivered> {
    let user = &payload["user"];
    let team = text(&user["team_id"]).or(text(&payload["team"]["id"]));
    let person = Person { team, id: text(&user["id"])? };
    // On the Home tab there is no channel: what is asked for there is answered to the person directly.
    let at_home = payload["view"]["type"].as_str() == Some("home");
    let direct = if at_home { text(&user["id"]) } else { None };
    let channel = text(&payload["channel"]["id"]).or(text(&payload["container"]["channel_id"])).or(direct)?;
    let message = &payload["message"];
    let thread = text(&message["thread_ts"]).or(text(&payload["container"]["thread_ts"]));
    let trigger = text(&payload["trigger_id"]);
    let at = payload["actions"][0]["action_ts"].as_str().or(payload["action_ts"].as_str()).and_then(moment);
    let (keys, what) = match payload["type"].as_str()? {
        "message_action" => {
            let ts = text(&message["ts"]).or(text(&payload["message_ts"]))?;
            (
                trigger.map(|id| format!("trigger:{id}")),
                What::Shortcut { written: moment(&ts), message: ts, text: decoded(&whole_text(message)) },
            )
        }
        "block_actions" => {
            let action = payload["actions"].as_array()?.first()?;
            let id = action_id(action["action_id"].as_str()?).to_owned();
            let ts = text(&payload["container"]["message_ts"]).or(text(&message["ts"]));
            let ts = if at_home { ts.unwrap_or_default() } else { ts? };
            let key = trigger.or_else(|| text(&action["action_ts"])).map(|t| format!("click:{t}:{id}"));
            let value = action["value"].as_str().unwrap_or_default().to_owned();
            (key, What::Click { message: ts, action: id, value })
        }
        _ => return None,
    };
    let incoming = Incoming {
        person,
        place: Place { channel, thread },
        at,
        shared_channel: false,
        return_path: return_path(&payload["response_url"]),
        files: attached(message),
        what,
    };
    Some(Delivered { keys: keys.into_iter().collect(), incoming })
}

/// Returns true where a plain message is meant for us: it mentions us, or it is a direct one.
fn concerns(event: &Value, me: &Me) -> bool {
    let said = event["text"].as_str().unwrap_or_default();
    event["channel_type"].as_str() == Some("im") || said.contains(&format!("<@{}", me.user_id))
}

fn team_of_event(outer: &Value, event: &Value, shared: bool) -> Option<String> {
    let told = text(&event["user_team"]).or(text(&event["source_team"])).or(text(&event["team"]));
    // The envelope names the workspace that received the event, which in a shared channel need not be the person's.
    told.or_else(|| if shared { Some(TEAM_NOT_TOLD.to_owned()) } else { text(&outer["team_id"]) })
}

/// Takes every mention of the bot out of a text.
fn without_mention(said: &str, bot: &str) -> String {
    let mut out = String::with_capacity(said.len());
    let mut rest = said;
    let mark = format!("<@{bot}");
    while let Some(at) = rest.find(&mark) {
        out.push_str(&rest[..at]);
        let tail = &rest[at + mark.len()..];
        // `<@U1>` and `<@U1|name>` are we, `<@U12>` is somebody else.
        match tail.chars().next() {
            Some('>' | '|') => rest = tail.find('>').map_or("", |end| &tail[end + 1..]),
            _ => {
                out.push_str(&mark);
                rest = tail;
            }
        }
    }
    out.push_str(rest);
    out.trim().to_owned()
}

/// Resolves Slack's forms: `<https://x|label>` is its label, `<@U1|ann>` is `@ann`, and entities are characters.
pub fn decoded(said: &str) -> String {
    let mut out = String::with_capacity(said.len());
    let mut rest = said;
    while let Some(start) = rest.find('<') {
        out.push_str(&rest[..start]);
        let tail = &rest[start + 1..];
        let Some(end) = tail.find(['>', '<', '\n']).filter(|end| tail[*end..].starts_with('>')) else {
            out.push('<');
            rest = tail;
            continue;
        };
        let (target, label) = tail[..end].split_once('|').map_or((&tail[..end], None), |(t, l)| (t, Some(l)));
        match target.chars().next() {
            Some(sign @ ('@' | '#')) => {
                out.push(sign);
                out.push_str(label.unwrap_or(&target[1..]));
            }
            Some('!') => out.push_str(label.unwrap_or("")),
            // No link and no label: somebody's own words, such as the `<none>` that kubectl prints.
            _ if label.is_none() && !target.contains(':') => {
                out.push('<');
                out.push_str(target);
                out.push('>');
            }
            // Slack links whatever looks like a host: `prod/web.example` becomes <http://prod/web.example|…>.
            _ => out.push_str(label.unwrap_or(target)),
        }
        rest = &tail[end + 1..];
    }
    out.push_str(rest);
    out.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
}

fn return_path(url: &Value) -> Option<ReturnPath> {
    text(url).map(ReturnPath)
}

fn text(value: &Value) -> Option<String> {
    value.as_str().filter(|text| !text.is_empty()).map(str::to_owned)
}

/// Reads a Slack ts (`1700000000.000100`).
fn moment(ts: &str) -> Option<Timestamp> {
    let (seconds, micros) = ts.split_once('.').unwrap_or((ts, "0"));
    let micros: i32 = micros.get(..6).unwrap_or(micros).parse().ok()?;
    Timestamp::new(seconds.parse().ok()?, micros.checked_mul(1_000)?).ok()
}

#[cfg(test)]
mod tests;
