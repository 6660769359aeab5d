//! Slack as a front: Socket Mode or HTTP in, the Web API out.
//!
//! ```text
//! socket / http ─► Envelope ─► payload ─► once ─► Incoming ─► its receipt: acknowledged
//!         Message ─► draw ─► queue ─► api
//! ```

pub mod api;
pub mod draw;
pub mod http;
pub mod once;
pub mod payload;
mod post;
pub mod queue;
mod snippet;
pub mod socket;

use crate::chat::front::{Attached, Front, FrontError, Person, Place, Posted, Profile, Received, ReturnPath, Standing};
use crate::metrics::Metrics;
use crate::render::message::Message;
use crate::settings::{BOT_TOKEN, Credentials, Secret};
use api::{Api, CallError};
use payload::{Delivered, Me};
use queue::Queue;
use serde_json::json;
use socket::{Arrived, Envelope};
use std::collections::HashMap;
use std::hash::{BuildHasher, Hasher};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

/// How many envelopes may wait to be handled.
const BACKLOG: usize = 2_048;
/// How many further messages a long answer may become where no file can be put: a return path is good for five uses.
const MORE: usize = 3;

/// Slack, spoken to with one bot token.
pub struct SlackFront {
    api: Api,
    me: Me,
    queue: Queue,
    members: Mutex<HashMap<String, (Instant, Vec<String>)>>,
}

/// What comes in from Slack, and whether we are heard.
pub struct Inbox {
    arrived: mpsc::Receiver<Arrived>,
    once: once::Once,
    me: Me,
}

/// Why Slack cannot be used: names the token and Slack's own code.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    #[error("slack refuses {}: {code} ({})", BOT_TOKEN.variable, BOT_TOKEN.where_from)]
    BotToken { code: String },
    #[error("slack cannot be reached at {base}: {cause}")]
    Unreachable { base: String, cause: String },
    #[error("no TLS: {0}")]
    Tls(#[from] reqwest::Error),
}

impl SlackFront {
    /// Asks Slack who we are.
    ///
    /// # Errors
    /// Where the token is refused or Slack cannot be reached.
    pub async fn connect(base: &str, credentials: &Credentials) -> Result<Self, ConnectError> {
        let (Credentials::Socket { bot_token, .. } | Credentials::Http { bot_token, .. }) = credentials;
        let api = Api::new(base, bot_token.clone())?;
        let reply = api.call_form("auth.test", &[]).await.map_err(|error| match error {
            CallError::Refused { code, .. } => ConnectError::BotToken { code },
            CallError::RateLimited(wait) => {
                ConnectError::Unreachable { base: base.to_owned(), cause: format!("asks to wait {} s", wait.as_secs()) }
            }
            CallError::NotSent(cause) | CallError::Unknown(cause) => {
                ConnectError::Unreachable { base: base.to_owned(), cause }
            }
        })?;
        let text = |key: &str| reply[key].as_str().unwrap_or_default().to_owned();
        let me = Me { user_id: text("user_id"), bot_id: text("bot_id"), team_id: text("team_id") };
        Ok(Self { api, me, queue: Queue::default(), members: Mutex::default() })
    }

    /// Counts its calls, and what waits, there.
    #[must_use]
    pub fn metered(mut self, metrics: Arc<Metrics>) -> Self {
        self.queue.count_in(metrics.slack_queue_length.clone());
        self.api.count_in(metrics);
        self
    }

    /// Returns who we are.
    pub fn me(&self) -> &Me {
        &self.me
    }

    /// Returns the way in, and where envelopes are put.
    pub fn inbox(&self) -> (mpsc::Sender<Arrived>, Inbox) {
        let (out, arrived) = mpsc::channel(BACKLOG);
        (out, Inbox { arrived, once: once::Once::default(), me: self.me.clone() })
    }

    /// Keeps Socket Mode up until Slack refuses for good.
    ///
    /// # Errors
    /// Slack's final code.
    pub async fn run_sockets(
        &self,
        app_token: Secret,
        out: mpsc::Sender<Arrived>,
        ready: watch::Sender<usize>,
    ) -> Result<(), socket::Ended> {
        socket::run(self.api.with_token(app_token), out, ready, socket::Timing::default()).await
    }

    async fn update(&self, posted: &Posted, mut said: serde_json::Value) -> Result<(), CallError> {
        said["channel"] = json!(posted.channel);
        said["ts"] = json!(posted.id);
        let call = || async { self.api.call("chat.update", &said).await.map(|_| ()) };
        self.queue.edit(&posted.channel, &posted.id, call).await
    }

    async fn reaction(&self, method: &str, posted: &Posted, name: &str, done: &str) -> Result<(), FrontError> {
        let arguments = json!({"channel": posted.channel, "timestamp": posted.id, "name": name});
        match self.api.call(method, &arguments).await {
            Ok(_) => Ok(()),
            Err(CallError::Refused { code, .. }) if code == done => Ok(()),
            Err(error) => Err(error.into_front(true)),
        }
    }
}

impl Front for SlackFront {
    async fn post(&self, place: &Place, message: &Message) -> Result<Posted, FrontError> {
        let key = format!("{:016x}", std::hash::RandomState::new().build_hasher().finish());
        self.post_keyed(place, message, &key).await
    }

    async fn post_as(&self, place: &Place, message: &Message, key: &str) -> Result<Posted, FrontError> {
        self.post_keyed(place, message, key).await
    }

    async fn find(&self, place: &Place, key: &str) -> Result<Option<Posted>, FrontError> {
        self.find_keyed(place, key).await
    }

    async fn edit(&self, posted: &Posted, message: &Message) -> Result<(), FrontError> {
        let drawn = draw::draw(message);
        match self.update(posted, post::said(Some(&drawn.first), message)).await {
            Err(CallError::Refused { code, .. }) if post::is_about_blocks(&code) => {
                tracing::error!(code, "slack rejects our blocks, saying it in plain text");
                // With a text and no blocks the old blocks go.
                self.update(posted, post::said(None, message)).await
            }
            outcome => outcome,
        }
        .map_err(|error| error.into_front(true))
    }

    async fn react(&self, posted: &Posted, name: &str) -> Result<(), FrontError> {
        self.reaction("reactions.add", posted, name, "already_reacted").await
    }

    async fn unreact(&self, posted: &Posted, name: &str) -> Result<(), FrontError> {
        self.reaction("reactions.remove", posted, name, "no_reaction").await
    }

    async fn whisper(&self, place: &Place, person: &Person, message: &Message) -> Result<(), FrontError> {
        let drawn = draw::draw(message);
        for page in std::iter::once(&drawn.first).chain(drawn.more.iter().take(MORE)) {
            let mut arguments = post::said(Some(page), message);
            arguments["channel"] = json!(place.channel);
            arguments["user"] = json!(person.id);
            if let Some(thread) = &place.thread {
                arguments["thread_ts"] = json!(thread);
            }
            let call = || async { self.api.call("chat.postEphemeral", &arguments).await.map(|_| ()) };
            self.queue.send(&place.channel, call).await.map_err(|error| error.into_front(false))?;
        }
        Ok(())
    }

    async fn respond(&self, path: &ReturnPath, message: &Message, everyone: bool) -> Result<(), FrontError> {
        let drawn = draw::draw(message);
        for page in std::iter::once(&drawn.first).chain(drawn.more.iter().take(MORE)) {
            let body = json!({
                "response_type": if everyone { "in_channel" } else { "ephemeral" },
                "replace_original": false,
                "text": page.text,
                "blocks": page.blocks,
            });
            let call = || async { self.api.post_to(&path.0, &body).await };
            self.queue.send(&path.0, call).await.map_err(|error| error.into_front(false))?;
        }
        Ok(())
    }

    async fn read_file(&self, file: &Attached) -> Result<String, FrontError> {
        snippet::fetch(&self.api, file).await.map_err(|error| error.into_front(true))
    }

    async fn show_home(&self, person: &Person, message: &Message) -> Result<(), FrontError> {
        let drawn = draw::draw(message);
        let view = json!({"type": "home", "blocks": drawn.first.blocks});
        let shown = self.api.call("views.publish", &json!({"user_id": person.id, "view": view})).await;
        shown.map(|_| ()).map_err(|error| error.into_front(true))
    }

    async fn standing(&self, posted: &Posted) -> Result<Option<Standing>, FrontError> {
        self.standing_of(posted).await.map_err(|error| error.into_front(true))
    }

    async fn profile(&self, person: &str) -> Result<Profile, FrontError> {
        let reply = self.api.call_form("users.info", &[("user", person)]).await;
        let user = &reply.map_err(|error| error.into_front(true))?["user"];
        let text = |value: &serde_json::Value| value.as_str().filter(|text| !text.is_empty()).map(str::to_owned);
        // Another person's profile would be worse than none.
        if user["id"].as_str() != Some(person) {
            return Err(FrontError::Unavailable { cause: "slack told of somebody else".to_owned() });
        }
        let is = |field: &str| user[field].as_bool() == Some(true);
        Ok(Profile {
            team: text(&user["team_id"]),
            email: text(&user["profile"]["email"]),
            is_bot: is("is_bot") || is("is_workflow_bot") || person == payload::SLACKBOT,
            is_guest: is("is_restricted") || is("is_ultra_restricted"),
            is_stranger: is("is_stranger"),
            is_deleted: is("deleted"),
        })
    }

    async fn members(&self, group: &str, at_most: Duration) -> Result<Vec<String>, FrontError> {
        let cached = {
            let members = self.members.lock().unwrap_or_else(PoisonError::into_inner);
            members.get(group).filter(|(read, _)| read.elapsed() < at_most).map(|(_, people)| people.clone())
        };
        if let Some(people) = cached {
            return Ok(people);
        }
        let reply = self.api.call_form("usergroups.users.list", &[("usergroup", group)]).await;
        let reply = reply.map_err(|error| error.into_front(true))?;
        let people: Vec<String> =
            reply["users"].as_array().into_iter().flatten().filter_map(|id| id.as_str().map(str::to_owned)).collect();
        let mut members = self.members.lock().unwrap_or_else(PoisonError::into_inner);
        members.insert(group.to_owned(), (Instant::now(), people.clone()));
        Ok(people)
    }
}

impl Inbox {
    /// Returns the next thing that happened and was not handed over before; `None` = nothing will come any more.
    ///
    /// Slack has no acknowledgement of it before its receipt is told.
    pub async fn next(&mut self) -> Option<Received> {
        loop {
            let Arrived { envelope, receipt } = self.arrived.recv().await?;
            match self.read(&envelope) {
                Some(Delivered { keys, incoming }) => return Some(Received { incoming, keys, receipt }),
                None => receipt.taken(),
            }
        }
    }

    /// Takes something for handed over already, by its keys.
    pub fn remember(&mut self, keys: &[String]) {
        self.once.is_first(keys);
    }

    fn read(&mut self, envelope: &Envelope) -> Option<Delivered> {
        let delivered = match envelope.kind.as_str() {
            "events_api" => payload::event(&envelope.payload, &self.me),
            "slash_commands" => payload::command(&envelope.payload),
            "interactive" => payload::interaction(&envelope.payload),
            _ => None,
        }?;
        self.once.is_first(&delivered.keys).then_some(delivered)
    }
}
