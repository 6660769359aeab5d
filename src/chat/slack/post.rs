//! A message on its way into a channel: at most once, whole, and in the plainest form where Slack takes no other.
//!
//! ```text
//! draw ─► post ─► refused blocks?  the same as plain text
//!              ─► lost reply?      ask the channel for our id; there: it stands, not there: post again, no answer: unknown
//!              ─► did not fit?     the whole as a file in the thread; no file allowed: further replies
//! ```

use super::api::CallError;
use super::draw::{self, Page};
use super::{SlackFront, socket};
use crate::chat::front::{FrontError, Place, Posted, Standing};
use crate::render::message::Message;
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::sleep;

/// How long after a lost reply the channel is asked whether the message stands there.
const LOOK_AGAIN: [Duration; 2] = [Duration::from_millis(300), Duration::from_secs(2)];
/// The type of our metadata on a message, by which it is found again. Everybody in the workspace can read it.
const METADATA: &str = "podoctor_message";
/// The most characters of a message that goes as plain text only.
const PLAIN_LIMIT: usize = 3_500;
/// A snippet may have 1 MB.
const FILE_LIMIT: usize = 900_000;
/// How many pages of a conversation are searched for a message.
const SEARCHED: usize = 5;

impl SlackFront {
    /// Posts a message that carries `key`, by which [`find_keyed`](Self::find_keyed) finds it after a crash. No secret: everybody in
    /// the workspace can read it.
    ///
    /// # Errors
    /// [`FrontError::Unknown`] where it may stand in the channel; else it does not.
    pub(super) async fn post_keyed(&self, place: &Place, message: &Message, key: &str) -> Result<Posted, FrontError> {
        let drawn = draw::draw(message);
        let posted = match self.post_page(place, Some(&drawn.first), message, key).await {
            Err(FrontError::Rejected { code }) if is_about_blocks(&code) => {
                tracing::error!(code, "slack rejects our blocks, saying it in plain text");
                self.post_page(place, None, message, key).await?
            }
            outcome => outcome?,
        };
        if let Some(text) = &drawn.overflow {
            let thread = place.thread.as_deref().unwrap_or(&posted.id);
            if let Err(error) = self.attach(&posted.channel, thread, text).await {
                tracing::warn!(channel = posted.channel, ?error, "no file for a long message, replying with the rest");
                let below = Place { channel: posted.channel.clone(), thread: Some(thread.to_owned()) };
                for (number, page) in drawn.more.iter().enumerate() {
                    self.post_page(&below, Some(page), message, &format!("{key}+{number}")).await?;
                }
            }
        }
        Ok(posted)
    }

    /// Returns the message that carries `key`, among the newest of a conversation or in a thread.
    ///
    /// # Errors
    /// Where the conversation cannot be read (the scopes `channels:history` and `groups:history` are optional).
    pub(super) async fn find_keyed(&self, place: &Place, key: &str) -> Result<Option<Posted>, FrontError> {
        let found = self.search(place, key).await.map_err(|error| error.into_front(true))?;
        Ok(found.map(|id| Posted { channel: place.channel.clone(), id }))
    }

    /// Posts a page, or without one the message as plain text.
    async fn post_page(
        &self,
        place: &Place,
        page: Option<&Page>,
        message: &Message,
        key: &str,
    ) -> Result<Posted, FrontError> {
        let mut arguments = said(page, message);
        arguments["channel"] = json!(place.channel);
        arguments["unfurl_links"] = json!(false);
        arguments["unfurl_media"] = json!(false);
        // Strings only: other values make some clients fail on the whole message.
        arguments["metadata"] = json!({"event_type": METADATA, "event_payload": {"id": key}});
        if let Some(thread) = &place.thread {
            arguments["thread_ts"] = json!(thread);
        }
        let mut outcome = self.send_post(place, &arguments).await;
        if let Err(CallError::NotSent(_)) = outcome {
            // Nothing was sent: once more is safe.
            sleep(socket::jittered(LOOK_AGAIN[0])).await;
            outcome = self.send_post(place, &arguments).await;
        }
        match outcome {
            Err(CallError::Unknown(cause)) => self.after_lost_reply(place, &arguments, key, cause).await,
            outcome => outcome.map_err(|error| error.into_front(false)),
        }
    }

    async fn send_post(&self, place: &Place, arguments: &Value) -> Result<Posted, CallError> {
        let reply = self.queue.send(&place.channel, || self.api.call("chat.postMessage", arguments)).await?;
        let unread = || CallError::Unknown("the reply names no message".to_owned());
        let id = reply["ts"].as_str().ok_or_else(unread)?.to_owned();
        // A message to a person comes back with the channel it went to.
        let channel = reply["channel"].as_str().unwrap_or(&place.channel).to_owned();
        Ok(Posted { channel, id })
    }

    /// The reply was lost: asks the channel whether the message stands there, and posts again only if it does not.
    async fn after_lost_reply(
        &self,
        place: &Place,
        arguments: &Value,
        key: &str,
        cause: String,
    ) -> Result<Posted, FrontError> {
        for wait in LOOK_AGAIN {
            sleep(wait).await;
            match self.search(place, key).await {
                Ok(Some(id)) => return Ok(Posted { channel: place.channel.clone(), id }),
                Ok(None) => {}
                Err(_) => return Err(FrontError::Unknown { cause }),
            }
        }
        self.send_post(place, arguments).await.map_err(|error| error.into_front(false))
    }

    /// Returns how one of our own messages stands; a reply's `ts` brings that reply alone.
    pub(super) async fn standing_of(&self, posted: &Posted) -> Result<Option<Standing>, CallError> {
        let arguments = [
            ("channel", posted.channel.as_str()),
            ("ts", posted.id.as_str()),
            ("limit", "1"),
            ("include_all_metadata", "true"),
        ];
        let reply = match self.api.call_form("conversations.replies", &arguments).await {
            Err(CallError::Refused { code, .. }) if code == "thread_not_found" => return Ok(None),
            reply => reply?,
        };
        let messages = reply["messages"].as_array();
        let found = messages.and_then(|all| all.iter().find(|message| message["ts"] == posted.id.as_str()));
        let Some(message) = found.filter(|message| self.is_ours(message)) else { return Ok(None) };
        let thread = message["thread_ts"].as_str().filter(|thread| *thread != posted.id).map(str::to_owned);
        let key = message["metadata"]["event_payload"]["id"].as_str().map(str::to_owned);
        Ok(Some(Standing { thread, key }))
    }

    fn is_ours(&self, message: &Value) -> bool {
        message["user"].as_str() == Some(&self.me.user_id) || message["bot_id"].as_str() == Some(&self.me.bot_id)
    }

    async fn search(&self, place: &Place, key: &str) -> Result<Option<String>, CallError> {
        let mut cursor = String::new();
        for _ in 0..SEARCHED {
            let mut arguments =
                vec![("channel", place.channel.as_str()), ("limit", "200"), ("include_all_metadata", "true")];
            let method = match &place.thread {
                Some(thread) => {
                    arguments.push(("ts", thread));
                    "conversations.replies"
                }
                None => "conversations.history",
            };
            if !cursor.is_empty() {
                arguments.push(("cursor", &cursor));
            }
            let reply = self.api.call_form(method, &arguments).await?;
            // Anybody may copy our metadata; only our own message counts.
            let is_ours = |message: &&Value| {
                message["metadata"]["event_payload"]["id"].as_str() == Some(key) && self.is_ours(message)
            };
            let found = reply["messages"].as_array().and_then(|messages| messages.iter().find(is_ours));
            if let Some(id) = found.and_then(|message| message["ts"].as_str()) {
                return Ok(Some(id.to_owned()));
            }
            // The newest of a channel come first, of a thread last.
            cursor = reply["response_metadata"]["next_cursor"].as_str().unwrap_or_default().to_owned();
            if cursor.is_empty() || place.thread.is_none() {
                break;
            }
        }
        Ok(None)
    }

    /// Puts the whole of a long message into a file in its thread.
    async fn attach(&self, channel: &str, thread: &str, text: &str) -> Result<(), CallError> {
        let mut end = text.len().min(FILE_LIMIT);
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        let length = end.to_string();
        let arguments = [("filename", "podoctor.txt"), ("length", length.as_str())];
        let reply = self.api.call_form("files.getUploadURLExternal", &arguments).await?;
        let (Some(url), Some(id)) = (reply["upload_url"].as_str(), reply["file_id"].as_str()) else {
            return Err(CallError::Unknown("no address for the upload".to_owned()));
        };
        self.api.upload(url, text.as_bytes()[..end].to_vec()).await?;
        let arguments = json!({
            "files": [{"id": id, "title": "podoctor.txt"}],
            "channel_id": channel,
            "thread_ts": thread,
        });
        match self.api.call("files.completeUploadExternal", &arguments).await {
            // It may be there already: rather no second copy as replies.
            Ok(_) | Err(CallError::Unknown(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

/// Returns what is said, as every method takes it: `parse` is given each time, since `chat.update` has another default.
pub fn said(page: Option<&Page>, message: &Message) -> Value {
    match page {
        Some(page) => json!({"text": page.text, "blocks": page.blocks, "parse": "none"}),
        None => json!({"text": draw::literal(draw::plain_text(message).trim(), PLAIN_LIMIT), "parse": "none"}),
    }
}

/// Codes that say that our blocks, and not the place or the person, are at fault.
pub fn is_about_blocks(code: &str) -> bool {
    code.starts_with("invalid_blocks") || matches!(code, "msg_blocks_too_long" | "msg_too_long" | "invalid_arguments")
}
