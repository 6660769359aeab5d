//! What the workspace holds: people, channels, messages, files, views, and the things that expire.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use serde_json::{Value, json};

use super::ids;
use super::message::Message;

/// A member of the workspace, or somebody from another one.
#[derive(Clone, Debug)]
pub struct User {
    pub id: &'static str,
    pub name: &'static str,
    pub real_name: &'static str,
    pub team: &'static str,
    pub is_bot: bool,
    pub is_guest: bool,
    pub email: Option<&'static str>,
}

/// A conversation.
#[derive(Clone, Debug)]
pub struct Channel {
    pub id: String,
    pub name: String,
    pub topic: &'static str,
    pub is_private: bool,
    pub is_archived: bool,
    pub is_ext_shared: bool,
    /// The other person of a direct conversation with the bot.
    pub im_with: Option<String>,
    pub members: BTreeSet<String>,
    pub created: u64,
}

/// A `trigger_id` that was handed out.
#[derive(Debug)]
pub struct Trigger {
    pub issued: Instant,
    pub used: bool,
    pub user: String,
}

/// A `response_url` that was handed out.
#[derive(Clone, Debug)]
pub struct ResponseUrl {
    pub issued: Instant,
    pub used: u32,
    pub user: String,
    pub channel: String,
    /// The message whose button was pressed, which `replace_original` means.
    pub original: Option<String>,
}

/// A file on its way into the workspace, or in it.
#[derive(Clone, Debug, Default)]
pub struct File {
    pub id: String,
    pub name: String,
    pub title: String,
    pub content: Vec<u8>,
    pub uploaded: bool,
    pub completed: bool,
    pub snippet_type: Option<String>,
    pub created: u64,
}

/// A modal that somebody has open, or somebody's Home tab.
#[derive(Clone, Debug)]
pub struct View {
    pub user: String,
    /// The view object as Slack holds it, with `id`, `hash` and `state`.
    pub json: Value,
}

/// Everything the workspace remembers.
#[derive(Debug)]
pub struct State {
    pub users: BTreeMap<&'static str, User>,
    pub channels: BTreeMap<String, Channel>,
    /// The members of the user group `oncall`.
    pub oncall: BTreeSet<String>,
    /// Messages by channel, oldest first, replies and ephemeral ones among them.
    pub messages: BTreeMap<String, Vec<Message>>,
    pub triggers: BTreeMap<String, Trigger>,
    pub response_urls: BTreeMap<String, ResponseUrl>,
    pub files: BTreeMap<String, File>,
    /// Open modals by view id.
    pub views: BTreeMap<String, View>,
    /// Home tabs by user.
    pub homes: BTreeMap<String, View>,
    last_ts: u64,
}

impl State {
    /// Returns the workspace as it is on the first morning: people and channels, no word said.
    pub fn new() -> Self {
        let users = [
            user(ids::ALICE, "alice", "Alice Arnold", Some("alice@example.com")),
            user(ids::BOB, "bob", "Bob Berger", Some("bob@example.com")),
            User { is_guest: true, ..user(ids::GUEST, "guest", "Gwen Guest", Some("guest@example.net")) },
            User { team: ids::OTHER_TEAM, ..user(ids::MALLORY, "mallory", "Mallory Mills", None) },
            User { is_bot: true, ..user(ids::BOT_USER, "podoctor", "podoctor", None) },
            User { is_bot: true, ..user(ids::SLACKBOT, "slackbot", "Slackbot", None) },
        ];
        let insiders = [ids::ALICE, ids::BOB, ids::GUEST, ids::BOT_USER];
        let everybody = [ids::ALICE, ids::BOB, ids::GUEST, ids::MALLORY, ids::BOT_USER];
        let channels = [
            channel(ids::CHANNEL, "podoctor", "Pods that are stuck, and why", &everybody),
            channel(ids::TEAM_A, "team-a", "Team A's services", &insiders),
            channel(ids::WITHOUT_BOT, "random", "Anything else", &insiders[..3]),
            Channel {
                is_private: true,
                ..channel(ids::PRIVATE, "secret-ops", "Nobody invited the bot here", &insiders[..2])
            },
            Channel { is_ext_shared: true, ..channel(ids::SHARED, "partners", "With another company", &everybody) },
            Channel { is_archived: true, ..channel(ids::ARCHIVED, "old-incidents", "Closed", &insiders) },
        ];
        State {
            users: users.into_iter().map(|user| (user.id, user)).collect(),
            channels: channels.into_iter().map(|channel| (channel.id.clone(), channel)).collect(),
            oncall: BTreeSet::from([ids::ALICE.to_owned()]),
            messages: BTreeMap::new(),
            triggers: BTreeMap::new(),
            response_urls: BTreeMap::new(),
            files: BTreeMap::new(),
            views: BTreeMap::new(),
            homes: BTreeMap::new(),
            last_ts: 0,
        }
    }

    /// Returns a `ts` that no message had before and that sorts after all of them.
    pub fn next_ts(&mut self) -> String {
        self.last_ts = ids::now_micros().max(self.last_ts + 100);
        ids::ts(self.last_ts)
    }

    /// Stores a message under its channel.
    pub fn store(&mut self, message: Message) {
        self.messages.entry(message.channel.clone()).or_default().push(message);
    }

    /// Finds a message by channel and `ts`.
    pub fn message(&self, channel: &str, ts: &str) -> Option<&Message> {
        self.messages.get(channel)?.iter().find(|message| message.ts == ts && !message.deleted)
    }

    /// Finds a message by channel and `ts`, to change it.
    pub fn message_mut(&mut self, channel: &str, ts: &str) -> Option<&mut Message> {
        self.messages.get_mut(channel)?.iter_mut().find(|message| message.ts == ts && !message.deleted)
    }

    /// Returns a message as Slack writes it, with what its thread adds to it.
    pub fn message_json(&self, message: &Message) -> Value {
        let mut json = message.json();
        if message.ephemeral_to.is_some() || message.thread_ts.is_some() {
            return json;
        }
        let replies: Vec<&Message> = self
            .messages
            .get(&message.channel)
            .into_iter()
            .flatten()
            .filter(|other| other.thread_ts.as_deref() == Some(message.ts.as_str()) && other.is_public_reply())
            .collect();
        let Some(last) = replies.last() else { return json };
        let authors: BTreeSet<&str> = replies.iter().map(|reply| reply.user.as_str()).collect();
        json["thread_ts"] = json!(message.ts);
        json["reply_count"] = json!(replies.len());
        json["reply_users_count"] = json!(authors.len());
        json["reply_users"] = json!(authors);
        json["latest_reply"] = json!(last.ts);
        json["is_locked"] = json!(false);
        json["subscribed"] = json!(false);
        json
    }

    /// Returns the direct conversation of a person with the bot, opening it when there is none.
    pub fn im_with(&mut self, user: &str) -> String {
        let id = format!("D0{}", user.trim_start_matches("U0"));
        self.channels.entry(id.clone()).or_insert_with(|| Channel {
            id: id.clone(),
            name: String::new(),
            topic: "",
            is_private: true,
            is_archived: false,
            is_ext_shared: false,
            im_with: Some(user.to_owned()),
            members: BTreeSet::from([user.to_owned(), ids::BOT_USER.to_owned()]),
            created: ids::now_micros() / 1_000_000,
        });
        id
    }
}

impl Channel {
    /// Whether the bot is in it.
    pub fn has_bot(&self) -> bool {
        self.members.contains(ids::BOT_USER)
    }

    /// Whether the bot may know of it: it is in it, or it is public.
    pub fn visible_to_bot(&self) -> bool {
        self.has_bot() || !self.is_private
    }

    /// `channel`, `group` or `im`, as events have it in `channel_type`.
    pub fn kind(&self) -> &'static str {
        match (&self.im_with, self.is_private) {
            (Some(_), _) => "im",
            (None, true) => "group",
            (None, false) => "channel",
        }
    }

    /// The name that slash commands and interactions carry, which hides private ones.
    pub fn public_name(&self) -> &str {
        match self.kind() {
            "im" => "directmessage",
            "group" => "privategroup",
            _ => &self.name,
        }
    }

    /// Returns the conversation object of `conversations.info`.
    pub fn json(&self) -> Value {
        let described = |value: &str| json!({"value": value, "creator": ids::ALICE, "last_set": self.created});
        if let Some(user) = &self.im_with {
            return json!({
                "id": self.id, "created": self.created, "is_im": true, "is_org_shared": false, "user": user,
                "is_user_deleted": false, "is_archived": false, "is_channel": false, "is_group": false,
                "is_mpim": false, "is_private": true, "is_shared": false, "is_ext_shared": false, "priority": 0,
            });
        }
        let teams = match self.is_ext_shared {
            true => json!([ids::TEAM, ids::OTHER_TEAM]),
            false => json!([ids::TEAM]),
        };
        json!({
            "id": self.id, "name": self.name, "name_normalized": self.name, "created": self.created,
            "updated": self.created * 1000, "creator": ids::ALICE, "context_team_id": ids::TEAM,
            "is_channel": !self.is_private, "is_group": self.is_private, "is_im": false, "is_mpim": false,
            "is_private": self.is_private, "is_archived": self.is_archived, "is_general": false,
            "is_shared": self.is_ext_shared, "is_ext_shared": self.is_ext_shared, "is_org_shared": false,
            "is_pending_ext_shared": false, "pending_shared": [], "shared_team_ids": teams,
            "is_member": self.has_bot(), "unlinked": 0, "parent_conversation": null,
            "topic": described(self.topic), "purpose": described(""), "previous_names": [],
            "num_members": self.members.len(),
        })
    }
}

impl User {
    /// Whether this is somebody of another workspace.
    pub fn is_stranger(&self) -> bool {
        self.team != ids::TEAM
    }

    /// Returns the user object of `users.info`.
    pub fn json(&self, with_email: bool) -> Value {
        let mut profile = json!({
            "real_name": self.real_name, "real_name_normalized": self.real_name, "display_name": self.name,
            "display_name_normalized": self.name, "team": self.team, "title": "", "phone": "", "skype": "",
            "status_text": "", "status_emoji": "", "status_expiration": 0, "avatar_hash": "0",
            "first_name": self.real_name.split(' ').next(), "last_name": self.real_name.split(' ').nth(1).unwrap_or(""),
        });
        if with_email && let Some(email) = self.email {
            profile["email"] = json!(email);
        }
        if self.id == ids::BOT_USER {
            profile["api_app_id"] = json!(ids::APP);
            profile["bot_id"] = json!(ids::BOT);
            profile["always_active"] = json!(true);
        }
        let mut user = json!({
            "id": self.id, "team_id": self.team, "name": self.name, "deleted": false, "color": "9f69e7",
            "real_name": self.real_name, "tz": "Etc/UTC", "tz_label": "UTC", "tz_offset": 0, "profile": profile,
            "is_admin": false, "is_owner": false, "is_primary_owner": false, "is_bot": self.is_bot,
            "is_restricted": self.is_guest, "is_ultra_restricted": self.is_guest, "is_app_user": false,
            "is_email_confirmed": true, "who_can_share_contact_card": "EVERYONE", "updated": 1_700_000_000,
        });
        if self.is_stranger() {
            user["is_stranger"] = json!(true);
        }
        user
    }
}

fn user(id: &'static str, name: &'static str, real_name: &'static str, email: Option<&'static str>) -> User {
    User { id, name, real_name, team: ids::TEAM, is_bot: false, is_guest: false, email }
}

fn channel(id: &str, name: &str, topic: &'static str, members: &[&str]) -> Channel {
    Channel {
        id: id.to_owned(),
        name: name.to_owned(),
        topic,
        is_private: false,
        is_archived: false,
        is_ext_shared: false,
        im_with: None,
        members: members.iter().map(|member| (*member).to_owned()).collect(),
        created: 1_700_000_000,
    }
}
