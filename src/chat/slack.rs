//! Slack as a front: Socket Mode or HTTP in, the Web API out.
//!
//! ```text
//! socket / http ─► Envelope ─► payload ─► once ─► Incoming
//!         Message ─► draw ─► queue ─► api
//! ```

pub mod api;
pub mod draw;
pub mod http;
pub mod once;
pub mod payload;
pub mod queue;
pub mod socket;

use crate::chat::front::{Front, FrontError, Incoming, Person, Place, Posted, ReturnPath};
use crate::render::message::Message;
use crate::settings::{Credentials, Secret};
use api::{Api, CallError};
use payload::{Delivered, Me};
use queue::Queue;
use serde_json::{Value, json};
use socket::Envelope;
use std::collections::HashMap;
use std::hash::{BuildHasher, Hasher};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep};

/// How many envelopes may wait to be handled.
const BACKLOG: usize = 2_048;
/// How long the members of a user group are believed.
const MEMBERS_FRESH: Duration = Duration::from_secs(60);
/// How long after a lost reply the channel is asked whether the message stands there.
const LOOK_AGAIN: [Duration; 2] = [Duration::from_millis(300), Duration::from_secs(2)];
/// The name of our metadata on a message, by which it is found again.
const METADATA: &str = "podoctor_message";

/// Slack, spoken to with one bot token.
pub struct SlackFront {
    api: Api,
    me: Me,
    queue: Queue,
    members: Mutex<HashMap<String, (Instant, Vec<String>)>>,
}

/// What comes in from Slack, and whether we are heard.
pub struct Inbox {
    envelopes: mpsc::Receiver<Envelope>,
    once: once::Once,
    me: Me,
}

/// Why Slack cannot be used: names the token and Slack's own code.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    #[error(
        "slack refuses SLACK_BOT_TOKEN: {code} (api.slack.com/apps → your app → OAuth & Permissions → Bot User OAuth Token)"
    )]
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

    /// Returns who we are.
    pub fn me(&self) -> &Me {
        &self.me
    }

    /// Returns the way in, and where envelopes are put.
    pub fn inbox(&self) -> (mpsc::Sender<Envelope>, Inbox) {
        let (out, envelopes) = mpsc::channel(BACKLOG);
        (out, Inbox { envelopes, once: once::Once::default(), me: self.me.clone() })
    }

    /// Keeps Socket Mode up until Slack refuses for good.
    ///
    /// # Errors
    /// Slack's final code.
    pub async fn run_sockets(
        &self,
        app_token: Secret,
        out: mpsc::Sender<Envelope>,
        ready: watch::Sender<usize>,
    ) -> Result<(), socket::Ended> {
        socket::run(self.api.with_token(app_token), out, ready, socket::Timing::default()).await
    }

    async fn post_drawn(&self, place: &Place, message: &Message) -> Result<Posted, FrontError> {
        let drawn = draw::draw(message);
        let nonce = format!("{:016x}", std::hash::RandomState::new().build_hasher().finish());
        let mut arguments = json!({
            "channel": place.channel,
            "text": drawn.text,
            "blocks": drawn.blocks,
            "parse": "none",
            "unfurl_links": false,
            "unfurl_media": false,
            "metadata": {"event_type": METADATA, "event_payload": {"id": nonce}},
        });
        if let Some(thread) = &place.thread {
            arguments["thread_ts"] = json!(thread);
        }
        let posted = |reply: Value| {
            let id = reply["ts"].as_str()?.to_owned();
            let channel = reply["channel"].as_str().unwrap_or(&place.channel).to_owned();
            Some(Posted { channel, id })
        };
        let outcome = self.queue.send(&place.channel, || self.api.call("chat.postMessage", &arguments)).await;
        let sent = match outcome {
            Ok(reply) => posted(reply),
            // Nothing was sent: once more is safe.
            Err(CallError::NotSent(_)) => {
                sleep(socket::jittered(LOOK_AGAIN[0])).await;
                let again = self.queue.send(&place.channel, || self.api.call("chat.postMessage", &arguments)).await;
                posted(again.map_err(|error| error.into_front(false))?)
            }
            Err(CallError::Unknown(cause)) => return self.after_lost_reply(place, &arguments, &nonce, cause).await,
            Err(error) => return Err(error.into_front(false)),
        };
        sent.ok_or_else(|| FrontError::Unknown { cause: "the reply names no message".to_owned() })
    }

    /// The reply was lost: asks the channel whether the message stands there, and posts again only if it does not.
    async fn after_lost_reply(
        &self,
        place: &Place,
        arguments: &Value,
        nonce: &str,
        cause: String,
    ) -> Result<Posted, FrontError> {
        for wait in LOOK_AGAIN {
            sleep(wait).await;
            match self.find(place, nonce).await {
                Ok(Some(id)) => return Ok(Posted { channel: place.channel.clone(), id }),
                Ok(None) => {}
                Err(_) => return Err(FrontError::Unknown { cause }),
            }
        }
        let reply = self.queue.send(&place.channel, || self.api.call("chat.postMessage", arguments)).await;
        let reply = reply.map_err(|error| error.into_front(false))?;
        let id = reply["ts"].as_str().ok_or(FrontError::Unknown { cause })?.to_owned();
        Ok(Posted { channel: place.channel.clone(), id })
    }

    /// Returns the ts of our message that carries the nonce, among the newest of its conversation or thread.
    async fn find(&self, place: &Place, nonce: &str) -> Result<Option<String>, CallError> {
        let mut arguments =
            vec![("channel", place.channel.as_str()), ("limit", "100"), ("include_all_metadata", "true")];
        let method = match &place.thread {
            Some(thread) => {
                arguments.push(("ts", thread));
                "conversations.replies"
            }
            None => "conversations.history",
        };
        let reply = self.api.call_form(method, &arguments).await?;
        let messages = reply["messages"].as_array().map(Vec::as_slice).unwrap_or_default();
        let ours = messages.iter().find(|message| message["metadata"]["event_payload"]["id"].as_str() == Some(nonce));
        Ok(ours.and_then(|message| message["ts"].as_str()).map(str::to_owned))
    }

    /// Puts what did not fit into a file in the message's thread.
    async fn attach(&self, posted: &Posted, thread: Option<&str>, text: &str) -> Result<(), CallError> {
        let length = text.len().to_string();
        let reply = self
            .api
            .call_form("files.getUploadURLExternal", &[("filename", "podoctor.txt"), ("length", &length)])
            .await?;
        let (Some(url), Some(id)) = (reply["upload_url"].as_str(), reply["file_id"].as_str()) else {
            return Err(CallError::Unknown("no address for the upload".to_owned()));
        };
        self.api.upload(url, text.as_bytes().to_vec()).await?;
        let arguments = json!({
            "files": [{"id": id, "title": "the whole text"}],
            "channel_id": posted.channel,
            "thread_ts": thread.unwrap_or(&posted.id),
        });
        self.api.call("files.completeUploadExternal", &arguments).await.map(|_| ())
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
        let posted = self.post_drawn(place, message).await?;
        if let Some(text) = draw::draw(message).overflow
            && let Err(error) = self.attach(&posted, place.thread.as_deref(), &text).await
        {
            // The message itself stands and says that it was cut.
            tracing::warn!(channel = posted.channel, ?error, "the rest of a long message could not be attached");
        }
        Ok(posted)
    }

    async fn edit(&self, posted: &Posted, message: &Message) -> Result<(), FrontError> {
        let drawn = draw::draw(message);
        let arguments = json!({
            "channel": posted.channel, "ts": posted.id, "text": drawn.text, "blocks": drawn.blocks, "parse": "none",
        });
        let call = || async { self.api.call("chat.update", &arguments).await.map(|_| ()) };
        self.queue.edit(&posted.channel, &posted.id, call).await.map_err(|error| error.into_front(true))
    }

    async fn react(&self, posted: &Posted, name: &str) -> Result<(), FrontError> {
        self.reaction("reactions.add", posted, name, "already_reacted").await
    }

    async fn unreact(&self, posted: &Posted, name: &str) -> Result<(), FrontError> {
        self.reaction("reactions.remove", posted, name, "no_reaction").await
    }

    async fn whisper(&self, place: &Place, person: &Person, message: &Message) -> Result<(), FrontError> {
        let drawn = draw::draw(message);
        let mut arguments = json!({
            "channel": place.channel, "user": person.id, "text": drawn.text, "blocks": drawn.blocks, "parse": "none",
        });
        if let Some(thread) = &place.thread {
            arguments["thread_ts"] = json!(thread);
        }
        let call = || async { self.api.call("chat.postEphemeral", &arguments).await.map(|_| ()) };
        self.queue.send(&place.channel, call).await.map_err(|error| error.into_front(false))
    }

    async fn respond(&self, path: &ReturnPath, message: &Message, everyone: bool) -> Result<(), FrontError> {
        let drawn = draw::draw(message);
        let body = json!({
            "response_type": if everyone { "in_channel" } else { "ephemeral" },
            "replace_original": false,
            "text": drawn.text,
            "blocks": drawn.blocks,
        });
        let call = || async { self.api.post_to(&path.0, &body).await };
        self.queue.send(&path.0, call).await.map_err(|error| error.into_front(false))
    }

    async fn members(&self, group: &str) -> Result<Vec<String>, FrontError> {
        let cached = {
            let members = self.members.lock().unwrap_or_else(PoisonError::into_inner);
            members.get(group).filter(|(read, _)| read.elapsed() < MEMBERS_FRESH).map(|(_, people)| people.clone())
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
    pub async fn next(&mut self) -> Option<Incoming> {
        loop {
            let envelope = self.envelopes.recv().await?;
            if let Some(incoming) = self.read(&envelope) {
                return Some(incoming);
            }
        }
    }

    fn read(&mut self, envelope: &Envelope) -> Option<Incoming> {
        let Delivered { keys, incoming } = match envelope.kind.as_str() {
            "events_api" => payload::event(&envelope.payload, &self.me),
            "slash_commands" => payload::command(&envelope.payload),
            "interactive" => payload::interaction(&envelope.payload),
            _ => None,
        }?;
        self.once.is_first(&keys).then_some(incoming)
    }
}
