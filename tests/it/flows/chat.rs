//! A channel with people in it and the bot, so that a test reads like a conversation.

use super::bot::{Bot, PATIENCE, Setup};
use podoctor::playground::slack::{Config, Running, Workspace, ids};
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::Path;

/// A workspace and the bot in it.
pub struct Chat {
    pub slack: Running,
    pub bot: Bot,
}

impl Chat {
    /// Opens a workspace with Slack's own limits, and lets the bot in.
    pub async fn with(clusters: &[(&str, &Path)]) -> Chat {
        Chat::configured(Config::default(), clusters).await
    }

    /// Opens a workspace and lets the bot in.
    pub async fn configured(config: Config, clusters: &[(&str, &Path)]) -> Chat {
        let slack = workspace(config).await;
        let setup = Setup::of(&slack, clusters);
        Chat::of(slack, &setup).await
    }

    /// Lets the bot into a workspace with settings of one's own, and waits until it is heard.
    pub async fn of(slack: Running, setup: &Setup) -> Chat {
        let bot = Bot::start(setup).await;
        if !setup.yaml.contains("mode: http") {
            // All its sockets: a test that counts them, or drops them, must not meet one on its way.
            assert!(slack.wait_for_sockets(2, PATIENCE).await, "no sockets; the bot's log:\n{}", bot.log());
        }
        Chat { slack, bot }
    }

    pub fn alice(&self) -> Person<'_> {
        self.person(ids::ALICE)
    }

    pub fn bob(&self) -> Person<'_> {
        self.person(ids::BOB)
    }

    /// Returns somebody in the bot's own channel.
    pub fn person(&self, id: &'static str) -> Person<'_> {
        Person { chat: self, id, channel: ids::CHANNEL }
    }

    /// Returns everything the bot has said anywhere, ephemeral words included.
    pub fn all_said(&self) -> String {
        let channels = [ids::CHANNEL, ids::TEAM_A, ids::WITHOUT_BOT, ids::PRIVATE, ids::SHARED];
        let messages = channels.iter().flat_map(|channel| self.slack.all_messages(channel));
        messages.filter(by_bot).map(|message| words(&message)).collect::<Vec<_>>().join("\n")
    }

    /// Returns the bot's messages of a channel that are not in a thread.
    pub fn parents(&self, channel: &str) -> Vec<Value> {
        self.slack.messages(channel).into_iter().filter(|message| by_bot(message) && !is_reply(message)).collect()
    }

    /// Returns the bot's messages in a thread.
    pub fn replies(&self, channel: &str, thread: &str) -> Vec<Value> {
        let messages = self.slack.messages(channel).into_iter();
        messages.filter(|m| by_bot(m) && is_reply(m) && m["thread_ts"] == thread).collect()
    }

    /// Waits until the bot is done with so many things that came in, since its start.
    pub async fn handled(&self, count: usize) {
        self.bot.until(&format!("{count} things are handled"), |bot| (bot.handled() >= count).then_some(())).await;
    }
}

/// Opens a workspace.
pub async fn workspace(config: Config) -> Running {
    let _ = rustls::crypto::ring::default_provider().install_default();
    Workspace::start(config).await.unwrap()
}

/// Somebody in a channel.
#[derive(Clone, Copy)]
pub struct Person<'chat> {
    chat: &'chat Chat,
    pub id: &'static str,
    pub channel: &'static str,
}

impl Person<'_> {
    /// The same person in another channel.
    pub fn in_channel(self, channel: &'static str) -> Self {
        Self { channel, ..self }
    }

    /// Types a command or a message, and waits until the bot is done with it.
    pub async fn types(self, text: &str) -> Heard {
        if text.starts_with("/podoctor") {
            return self
                .hears(None, async || drop(self.chat.slack.command(self.id, self.channel, text).await.unwrap()))
                .await;
        }
        self.replies(text, None).await
    }

    /// Types a message, in a thread if there is one, and waits until the bot is done with it.
    pub async fn replies(self, text: &str, thread: Option<&str>) -> Heard {
        let mut ts = String::new();
        let mut heard = self.hears(None, async || ts = self.says(text, thread)).await;
        heard.to = ts;
        heard
    }

    /// Types a message with files attached, and waits until the bot is done with it.
    pub async fn attaches(self, text: &str, files: &[(String, String)]) -> Heard {
        let mut ts = String::new();
        let says = async || ts = self.chat.slack.say_with(self.id, self.channel, text, None, files).unwrap();
        let mut heard = self.hears(None, says).await;
        heard.to = ts;
        heard
    }

    /// Types a message that the bot is not waited for, and returns its ts.
    pub fn says(self, text: &str, thread: Option<&str>) -> String {
        self.chat.slack.say(self.id, self.channel, text, thread).unwrap()
    }

    /// Uses the shortcut "Diagnose" on a message.
    pub async fn diagnoses(self, ts: &str) -> Heard {
        let shortcut = async || drop(self.chat.slack.shortcut(self.id, self.channel, ts).await.unwrap());
        self.hears(Some(ts), shortcut).await
    }

    /// Does something, and returns what the bot said until it was done with it.
    async fn hears(self, to: Option<&str>, act: impl AsyncFnOnce()) -> Heard {
        let known: BTreeSet<String> = self.messages().iter().map(ts).collect();
        let handled = self.chat.bot.handled();
        act().await;
        self.chat.handled(handled + 1).await;
        let new = self.messages().into_iter().filter(|message| by_bot(message) && !known.contains(&ts(message)));
        Heard { to: to.unwrap_or_default().to_owned(), messages: new.collect(), log: self.chat.bot.log() }
    }

    fn messages(self) -> Vec<Value> {
        self.chat.slack.messages_seen_by(self.channel, self.id)
    }
}

/// What the bot said to something, as the person who did it sees it.
#[derive(Debug)]
pub struct Heard {
    /// The ts of the message that it was said to, if there is one.
    pub to: String,
    pub messages: Vec<Value>,
    log: String,
}

impl Heard {
    /// Returns the one message that opens a thread.
    pub fn parent(&self) -> &Value {
        let parents: Vec<&Value> = self.messages.iter().filter(|m| !is_reply(m) && m["is_ephemeral"] != true).collect();
        match parents[..] {
            [parent] => parent,
            _ => panic!("one parent was expected, not {}:\n{}\n{}", parents.len(), self.all(), self.log),
        }
    }

    /// Returns the words of the thread under the parent.
    pub fn thread(&self) -> String {
        let parent = ts(self.parent());
        self.in_thread_of(&parent)
    }

    /// Returns the words in the thread of a message.
    pub fn in_thread_of(&self, ts: &str) -> String {
        let replies = self.messages.iter().filter(|m| is_reply(m) && m["thread_ts"] == ts);
        replies.map(words).collect::<Vec<_>>().join("\n")
    }

    /// Returns the words that only the person saw.
    pub fn whispered(&self) -> String {
        self.messages.iter().filter(|m| m["is_ephemeral"] == true).map(words).collect::<Vec<_>>().join("\n")
    }

    /// Returns all words.
    pub fn all(&self) -> String {
        self.messages.iter().map(words).collect::<Vec<_>>().join("\n")
    }

    /// Fails the test unless the parent says all of these.
    #[track_caller]
    pub fn parent_says(&self, parts: &[&str]) -> &Self {
        assert_says(&words(self.parent()), parts);
        self
    }

    /// Fails the test unless the thread says all of these.
    #[track_caller]
    pub fn thread_says(&self, parts: &[&str]) -> &Self {
        assert_says(&self.thread(), parts);
        self
    }
}

/// Fails the test unless a text holds all of these.
#[track_caller]
pub fn assert_says(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "`{part}` is not said:\n{text}");
    }
}

/// Returns what a person reads of a message: its blocks, or its text where it has none.
pub fn words(message: &Value) -> String {
    let mut out = String::new();
    for block in message["blocks"].as_array().into_iter().flatten() {
        gather(block, &mut out);
        out.push('\n');
    }
    if out.is_empty() { message["text"].as_str().unwrap_or_default().to_owned() } else { out }
}

fn gather(value: &Value, out: &mut String) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| gather(item, out)),
        Value::Object(fields) => {
            if let Some(user) = fields.get("user_id").and_then(Value::as_str) {
                out.push_str(&format!("<@{user}>"));
            }
            match fields.get("text") {
                Some(Value::String(text)) => out.push_str(text),
                Some(inner) => gather(inner, out),
                None => out.push_str(fields.get("fallback").and_then(Value::as_str).unwrap_or_default()),
            }
            fields.get("elements").into_iter().for_each(|elements| gather(elements, out));
        }
        _ => {}
    }
}

/// Returns a message's ts.
pub fn ts(message: &Value) -> String {
    message["ts"].as_str().unwrap_or_default().to_owned()
}

/// Whether the bot said it.
pub fn by_bot(message: &Value) -> bool {
    message["user"] == ids::BOT_USER
}

fn is_reply(message: &Value) -> bool {
    message["thread_ts"].is_string() && message["thread_ts"] != message["ts"]
}
