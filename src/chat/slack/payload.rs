//! What Slack sends, read into what happened. Tolerant: the few fields needed are read from raw JSON, the rest is ignored.
//!
//! slack-morphism's event models lose whole payloads over a null team or a number in metadata; nothing here can.

use crate::chat::front::{Incoming, Person, Place, ReturnPath, What};
use jiff::Timestamp;
use serde_json::Value;

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
/// The longest text that is looked at, in characters; a paste of a whole namespace is shorter.
const TEXT_LIMIT: usize = 200_000;

/// Reads an event (`event_callback`); `None` = nothing that concerns us.
pub fn event(outer: &Value, me: &Me) -> Option<Delivered> {
    let event = &outer["event"];
    let shared = outer["is_ext_shared_channel"].as_bool() == Some(true);
    let mut keys: Vec<String> = text(&outer["event_id"]).map(|id| format!("event:{id}")).into_iter().collect();
    let at = event["event_ts"].as_str().or(event["ts"].as_str()).and_then(moment);
    let user = text(&event["user"])?;
    // Our own doings come back to us; other bots never ask.
    if user == me.user_id || event["bot_id"].is_string() || event["bot_profile"].is_object() {
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
            (Place { channel, thread: None }, What::Reaction { message, name, added })
        }
        "app_home_opened" => (Place { channel: text(&event["channel"])?, thread: None }, What::HomeOpened),
        _ => return None,
    };
    Some(Delivered { keys, incoming: Incoming { person, place, at, shared_channel: shared, return_path: None, what } })
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
        what,
    };
    Some(Delivered { keys, incoming })
}

/// Reads an interaction: a button or a message shortcut.
pub fn interaction(payload: &Value) -> Option<Delivered> {
    let user = &payload["user"];
    let team = text(&user["team_id"]).or(text(&payload["team"]["id"]));
    let person = Person { team, id: text(&user["id"])? };
    let channel = text(&payload["channel"]["id"]).or(text(&payload["container"]["channel_id"]))?;
    let message = &payload["message"];
    let thread = text(&message["thread_ts"]).or(text(&payload["container"]["thread_ts"]));
    let trigger = text(&payload["trigger_id"]);
    let (keys, what) = match payload["type"].as_str()? {
        "message_action" => {
            let ts = text(&message["ts"]).or(text(&payload["message_ts"]))?;
            (
                trigger.map(|id| format!("trigger:{id}")),
                What::Shortcut { message: ts, text: decoded(&whole_text(message)) },
            )
        }
        "block_actions" => {
            let action = payload["actions"].as_array()?.first()?;
            let id = text(&action["action_id"])?;
            let ts = text(&payload["container"]["message_ts"]).or(text(&message["ts"]))?;
            let key = trigger.or_else(|| text(&action["action_ts"])).map(|t| format!("click:{t}:{id}"));
            let value = action["value"].as_str().unwrap_or_default().to_owned();
            (key, What::Click { message: ts, action: id, value })
        }
        _ => return None,
    };
    let incoming = Incoming {
        person,
        place: Place { channel, thread },
        at: None,
        shared_channel: false,
        return_path: return_path(&payload["response_url"]),
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

/// Returns all text of a message: its own, that of its blocks and attachments where it has none, and of pasted snippets.
pub fn whole_text(message: &Value) -> String {
    let mut parts: Vec<String> = Vec::new();
    if let Some(said) = text(&message["text"]) {
        parts.push(said);
    } else {
        collect_text(&message["blocks"], &mut parts, 0);
    }
    for attachment in message["attachments"].as_array().into_iter().flatten() {
        parts.extend(text(&attachment["text"]).or(text(&attachment["fallback"])));
    }
    for file in message["files"].as_array().into_iter().flatten() {
        parts.extend(text(&file["plain_text"]).or(text(&file["preview"])));
    }
    parts.join("\n").chars().take(TEXT_LIMIT).collect()
}

fn collect_text(value: &Value, parts: &mut Vec<String>, depth: usize) {
    if depth > 12 {
        return;
    }
    match value {
        Value::Array(values) => values.iter().for_each(|value| collect_text(value, parts, depth + 1)),
        Value::Object(fields) => {
            parts.extend(fields.get("text").and_then(Value::as_str).map(str::to_owned));
            for field in ["text", "elements", "fields"] {
                if let Some(value) = fields.get(field).filter(|value| !value.is_string()) {
                    collect_text(value, parts, depth + 1);
                }
            }
        }
        _ => {}
    }
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
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn me() -> Me {
        Me { user_id: "U0POD".into(), bot_id: "B0POD".into(), team_id: "T0".into() }
    }

    fn mention(text: &str) -> Value {
        json!({"team_id": "T0", "event_id": "Ev1", "event": {"type": "app_mention", "user": "U1", "channel": "C1", "ts": "1700000000.000100", "text": text}})
    }

    fn said(text: &str) -> Option<String> {
        match event(&mention(text), &me())?.incoming.what {
            What::Mention { text, .. } => Some(text),
            _ => None,
        }
    }

    #[test]
    fn a_mention_is_read_without_the_bots_name() {
        assert_eq!(said("<@U0POD> why is prod/web stuck?").as_deref(), Some("why is prod/web stuck?"));
        assert_eq!(said("hey <@U0POD|podoctor>: `prod/web`").as_deref(), Some("hey : `prod/web`"));
        assert_eq!(said("<@U0POD2> <@U0POD> x").as_deref(), Some("@U0POD2  x"));
        assert_eq!(
            said("<@U0POD> <http://prod/web.x|prod/web.x> &lt;a&gt; &amp;amp;").as_deref(),
            Some("prod/web.x <a> &amp;")
        );
    }

    #[test]
    fn own_and_other_bots_words_are_ignored() {
        let mut own = mention("<@U0POD> x");
        own["event"]["user"] = json!("U0POD");
        assert_eq!(event(&own, &me()), None);
        let mut bot = mention("<@U0POD> x");
        bot["event"]["bot_id"] = json!("B1");
        assert_eq!(event(&bot, &me()), None);
        let mut edit = mention("<@U0POD> x");
        edit["event"]["subtype"] = json!("message_changed");
        edit["event"]["type"] = json!("message");
        assert_eq!(event(&edit, &me()), None);
    }

    #[test]
    fn a_stranger_of_a_shared_channel_is_never_taken_for_one_of_us() {
        let mut outer = mention("<@U0POD> x");
        outer["is_ext_shared_channel"] = json!(true);
        assert_eq!(event(&outer, &me()).unwrap().incoming.person.team.as_deref(), Some("not-told"));
        outer["event"]["user_team"] = json!("T9");
        assert_eq!(event(&outer, &me()).unwrap().incoming.person.team.as_deref(), Some("T9"));
    }

    #[test]
    fn a_null_team_and_odd_metadata_lose_nothing() {
        let payload = json!({"type": "block_actions", "team": null, "user": {"id": "U1"}, "container": {"message_ts": "1.2", "channel_id": "C1"},
            "message": {"metadata": {"event_payload": {"n": 1}}}, "actions": [{"action_id": "a", "value": "v"}], "trigger_id": "t"});
        let click = interaction(&payload).unwrap();
        assert_eq!(click.incoming.what, What::Click { message: "1.2".into(), action: "a".into(), value: "v".into() });
    }

    #[test]
    fn the_shortcut_takes_the_whole_message() {
        let payload = json!({"type": "message_action", "user": {"id": "U1", "team_id": "T0"}, "channel": {"id": "C1"}, "trigger_id": "t",
            "message": {"ts": "1.2", "text": "", "blocks": [{"type": "section", "text": {"type": "mrkdwn", "text": "prod/web is stuck"}}]}});
        assert_eq!(
            interaction(&payload).unwrap().incoming.what,
            What::Shortcut { message: "1.2".into(), text: "prod/web is stuck".into() }
        );
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            "\\PC{0,20}".prop_map(Value::from)
        ];
        leaf.prop_recursive(4, 64, 8, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::hash_map(
                    "type|event|user|id|text|channel|team|message|actions|container|ts|blocks|elements",
                    inner,
                    0..6
                )
                .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn no_json_panics(value in any_json()) {
            let _ = (event(&value, &me()), command(&value), interaction(&value), whole_text(&value));
        }

        #[test]
        fn no_text_panics(text in "(<|>|@|#|!|\\||&lt;|\\PC){0,60}") {
            let _ = (decoded(&text), without_mention(&text, "U0POD"));
        }
    }
}
