//! Reading the channels, and waiting (never longer than told) for something to be seen there.

use std::time::{Duration, Instant};

use serde_json::Value;

use super::Workspace;
use super::log::ApiCall;
use super::message::Message;

/// Between two looks, when nothing announces a change.
const LOOK: Duration = Duration::from_millis(20);

/// What was waited for did not come; says what was there instead.
#[derive(Debug, Clone, thiserror::Error)]
#[error("not seen within {within:?}; there was:\n{there}")]
pub struct NotSeen {
    pub within: Duration,
    /// The texts of the channel's messages, or the names of the calls.
    pub there: String,
}

impl Workspace {
    /// Returns the messages of a channel that everybody in it sees, oldest first, replies among them.
    pub fn messages(&self, channel: &str) -> Vec<Value> {
        self.seen(channel, |message| message.ephemeral_to.is_none())
    }

    /// Returns the messages between somebody and the bot.
    pub fn direct_messages(&self, user: &str) -> Vec<Value> {
        let channel = self.state().im_with(user);
        self.messages(&channel)
    }

    /// Returns the messages of a channel as one person sees them, the ephemeral ones to them included.
    pub fn messages_seen_by(&self, channel: &str, user: &str) -> Vec<Value> {
        self.seen(channel, |message| message.ephemeral_to.as_deref().is_none_or(|only| only == user))
    }

    /// Returns all messages of a channel, the ephemeral ones to anybody included.
    pub fn all_messages(&self, channel: &str) -> Vec<Value> {
        self.seen(channel, |_| true)
    }

    fn seen(&self, channel: &str, visible: impl Fn(&Message) -> bool) -> Vec<Value> {
        let state = self.state();
        let messages = state.messages.get(channel).into_iter().flatten();
        let visible = messages.filter(|message| !message.deleted && visible(message));
        visible.map(|message| state.message_json(message)).collect()
    }

    /// Waits for a message, public or ephemeral, that fits.
    ///
    /// # Errors
    ///
    /// [`NotSeen`] with what was in the channel.
    pub async fn wait_for_message(
        &self,
        channel: &str,
        within: Duration,
        mut fits: impl FnMut(&Value) -> bool,
    ) -> Result<Value, NotSeen> {
        let found = self.wait_some(within, |workspace| workspace.all_messages(channel).into_iter().find(&mut fits));
        found.await.ok_or_else(|| NotSeen { within, there: self.transcript(channel) })
    }

    /// Waits for an ephemeral message to one person that fits.
    ///
    /// # Errors
    ///
    /// [`NotSeen`] with what was in the channel.
    pub async fn wait_for_ephemeral(
        &self,
        user: &str,
        channel: &str,
        within: Duration,
        mut fits: impl FnMut(&Value) -> bool,
    ) -> Result<Value, NotSeen> {
        self.wait_for_message(channel, within, |message| message["ephemeral_to"] == user && fits(message)).await
    }

    /// Waits for an answered call of a method that fits.
    ///
    /// # Errors
    ///
    /// [`NotSeen`] with the calls there were.
    pub async fn wait_for_call(
        &self,
        method: &str,
        within: Duration,
        mut fits: impl FnMut(&ApiCall) -> bool,
    ) -> Result<ApiCall, NotSeen> {
        let found = self.wait_some(within, |workspace| {
            workspace.calls_of(method).into_iter().find(|call| call.status.is_some() && fits(call))
        });
        found.await.ok_or_else(|| {
            let calls: Vec<String> = self.calls().iter().map(|call| call.method.clone()).collect();
            NotSeen { within, there: calls.join("\n") }
        })
    }

    /// Waits until something is so, and says whether it was in time.
    pub async fn wait_until(&self, within: Duration, mut so: impl FnMut(&Workspace) -> bool) -> bool {
        self.wait_some(within, |workspace| so(workspace).then_some(())).await.is_some()
    }

    /// Waits until the app has at least `count` sockets that were told hello.
    pub async fn wait_for_sockets(&self, count: usize, within: Duration) -> bool {
        self.wait_until(within, |workspace| workspace.open_sockets() >= count).await
    }

    async fn wait_some<T>(&self, within: Duration, mut look: impl FnMut(&Workspace) -> Option<T>) -> Option<T> {
        let end = Instant::now() + within;
        let mut changes = self.shared.changes.subscribe();
        loop {
            if let Some(found) = look(self) {
                return Some(found);
            }
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return None;
            }
            // A change, a look in passing, or having missed changes: all are reasons to look again.
            let _ = tokio::time::timeout(left.min(LOOK), changes.recv()).await;
        }
    }

    /// Returns a channel as lines of text, for people who look at a failed test.
    pub fn transcript(&self, channel: &str) -> String {
        let state = self.state();
        let mut out = String::new();
        for message in state.messages.get(channel).into_iter().flatten() {
            let name = state.users.get(message.user.as_str()).map_or("?", |user| user.name);
            let indent = if message.thread_ts.is_some() { "    " } else { "" };
            let only = message.ephemeral_to.as_ref().map(|user| format!(" (only {user})")).unwrap_or_default();
            let gone = if message.deleted { " (deleted)" } else { "" };
            let reactions: String = message.reactions.iter().map(|(name, _)| format!(" :{name}:")).collect();
            out.push_str(&format!("{indent}{} {name}{only}{gone}: {}{reactions}\n", message.ts, message.text));
        }
        out
    }

    /// Returns where a person's direct conversation with the bot is, opening it when there is none.
    pub fn direct(&self, user: &str) -> String {
        self.state().im_with(user)
    }
}
