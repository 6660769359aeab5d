//! One message and the JSON that Slack shows for it.

use serde_json::{Value, json};

use super::ids;

/// How many earlier versions of a message's blocks are kept.
const PAST: usize = 4;

/// A message as the workspace stores it.
#[derive(Clone, Debug, Default)]
pub struct Message {
    pub channel: String,
    pub ts: String,
    /// The parent's `ts` of a reply.
    pub thread_ts: Option<String>,
    pub user: String,
    pub team: &'static str,
    /// Whether the app posted it.
    pub by_app: bool,
    pub text: String,
    pub blocks: Option<Value>,
    pub attachments: Option<Value>,
    pub metadata: Option<Value>,
    /// `ts` of the last edit.
    pub edited: Option<String>,
    /// Names with who gave them, in the order of the first.
    pub reactions: Vec<(String, Vec<String>)>,
    pub subtype: Option<&'static str>,
    pub files: Vec<Value>,
    /// The one person who sees it.
    pub ephemeral_to: Option<String>,
    pub deleted: bool,
    /// A reply that is shown in the channel too.
    pub broadcast: bool,
    /// Blocks of earlier versions: a client that has not heard of an edit can still press their buttons.
    pub past_blocks: Vec<Value>,
}

impl Message {
    /// Keeps the blocks that an edit is about to replace, the last few.
    pub fn keep_past_blocks(&mut self) {
        self.past_blocks.extend(self.blocks.take());
        let old = self.past_blocks.len().saturating_sub(PAST);
        self.past_blocks.drain(..old);
    }

    /// Whether it counts as a reply in its thread.
    pub fn is_public_reply(&self) -> bool {
        !self.deleted && self.ephemeral_to.is_none()
    }

    /// Returns the message object, without what a thread adds to its parent.
    pub fn json(&self) -> Value {
        let mut json =
            json!({"type": "message", "ts": self.ts, "user": self.user, "team": self.team, "text": self.text});
        let subtype = match (self.subtype, self.broadcast) {
            (None, true) => Some("thread_broadcast"),
            (subtype, _) => subtype,
        };
        let mut put = |field: &str, value: Option<Value>| {
            if let Some(value) = value {
                json[field] = value;
            }
        };
        put("subtype", subtype.map(Value::from));
        if self.by_app {
            put("bot_id", Some(json!(ids::BOT)));
            put("app_id", Some(json!(ids::APP)));
            put("bot_profile", Some(bot_profile()));
        }
        put("thread_ts", self.thread_ts.clone().map(Value::from));
        put("blocks", self.blocks.clone());
        put("attachments", self.attachments.clone());
        put("metadata", self.metadata.clone());
        put("edited", self.edited.as_ref().map(|ts| json!({"user": self.user, "ts": ts})));
        put("files", (!self.files.is_empty()).then(|| json!(self.files)));
        let reactions: Vec<Value> = self
            .reactions
            .iter()
            .map(|(name, users)| json!({"name": name, "users": users, "count": users.len()}))
            .collect();
        put("reactions", (!reactions.is_empty()).then(|| json!(reactions)));
        if let Some(user) = &self.ephemeral_to {
            put("is_ephemeral", Some(json!(true)));
            put("ephemeral_to", Some(json!(user)));
        }
        json
    }
}

fn bot_profile() -> Value {
    json!({
        "id": ids::BOT, "app_id": ids::APP, "user_id": ids::BOT_USER, "name": "podoctor", "deleted": false,
        "updated": 1_700_000_000, "team_id": ids::TEAM,
        "icons": {"image_36": "", "image_48": "", "image_72": ""},
    })
}
