//! What every chat front offers: things that come in, and a way to say something back.
//!
//! A front authenticates what it hands over: `person.team` and `person.id` come from a signed or socket payload only.

use crate::render::message::Message;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::time::Duration;
use tokio::sync::oneshot;

/// A person of a chat, as the chat itself vouches for them.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Person {
    /// The workspace the person belongs to; `None` where the chat does not say (an org-wide install).
    pub team: Option<String>,
    pub id: String,
}

/// Where a message stands: a conversation, and in it perhaps a thread.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Place {
    pub channel: String,
    /// The parent message of the thread; `None` = the channel itself.
    pub thread: Option<String>,
}

/// A message that was posted: enough to reply to it, edit it or react to it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Posted {
    pub channel: String,
    /// The message's id in its channel (Slack's `ts`).
    pub id: String,
}

/// What the chat says of a person at this moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Profile {
    pub team: Option<String>,
    pub email: Option<String>,
    pub is_bot: bool,
    pub is_guest: bool,
    /// Of another workspace.
    pub is_stranger: bool,
    pub is_deleted: bool,
}

/// How one of the bot's own messages stands in its conversation.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Standing {
    /// The parent of the thread that it stands in; `None` = it stands in the conversation itself.
    pub thread: Option<String>,
    /// The key that it was posted with.
    pub key: Option<String>,
}

/// A one-off way to answer a request where the bot may not post (Slack's `response_url`). A bearer secret: never printed.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReturnPath(pub String);

impl std::fmt::Debug for ReturnPath {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ReturnPath(…)")
    }
}

/// Something a person did, handed over once: a front drops what was delivered again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Incoming {
    pub person: Person,
    pub place: Place,
    /// When it happened by the chat's clock.
    pub at: Option<Timestamp>,
    /// The conversation is shared with another workspace, as far as the payload says.
    pub shared_channel: bool,
    pub return_path: Option<ReturnPath>,
    /// Text files attached to the message, of which `what` holds the beginning at most.
    pub files: Vec<Attached>,
    pub what: What,
}

/// A text file attached to a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attached {
    /// Where the chat says that it lies. Whether the chat itself lies there, the front checks.
    pub url: String,
}

/// Something that came in, and the way to say that it was taken.
#[derive(Debug)]
pub struct Received {
    pub incoming: Incoming,
    /// By which it is known when it is delivered again.
    pub keys: Vec<String>,
    pub receipt: Receipt,
}

/// Tells the chat that something was taken. Where it is dropped instead, the chat is told nothing, and may deliver again.
#[derive(Debug)]
pub struct Receipt(oneshot::Sender<()>);

impl Receipt {
    /// Returns a receipt, and what is done when it is told.
    pub fn new() -> (Self, oneshot::Receiver<()>) {
        let (told, taken) = oneshot::channel();
        (Self(told), taken)
    }

    /// Tells it.
    pub fn taken(self) {
        // Where the socket or the request is gone, the chat delivers again, and that is known by its keys.
        let _ = self.0.send(());
    }
}

/// What was done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum What {
    /// A slash command; `text` is what follows it, entities decoded.
    Command { text: String },
    /// The bot was mentioned, or written to directly; `message` is the id of that message, `text` is without the mention.
    /// Pasted snippets are in `text` too.
    Mention { message: String, text: String },
    /// "Diagnose" on a message; `text` is that message's whole text, `written` when it was posted.
    Shortcut { message: String, text: String, written: Option<Timestamp> },
    /// A button of one of the bot's own messages.
    Click { message: String, action: String, value: String },
    /// A reaction on one of the bot's own messages; `added` = false when it was taken back.
    Reaction { message: String, name: String, added: bool },
    /// A person opened the bot's home tab.
    HomeOpened,
}

/// Why something could not be said.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FrontError {
    /// The bot is no member of the conversation, or there is none of that id.
    #[error("not a member of the conversation ({code})")]
    NotMember { code: String },
    /// The conversation is archived or otherwise closed.
    #[error("the conversation takes no messages ({code})")]
    Closed { code: String },
    /// The message to edit, reply to or react to is gone.
    #[error("the message is gone ({code})")]
    Gone { code: String },
    /// The chat refuses our credentials.
    #[error("the chat refuses the token ({code})")]
    Refused { code: String },
    /// It may or may not have been said: the reply was lost or could not be read. Never repeat it blindly.
    #[error("the outcome is unknown: {cause}")]
    Unknown { cause: String },
    /// It was not said, and saying it again later may work.
    #[error("the chat is not available: {cause}")]
    Unavailable { cause: String },
    /// It was not said and will not be in this form.
    #[error("the chat rejects it ({code})")]
    Rejected { code: String },
}

/// A chat that podoctor speaks in. Order within a channel is kept; limits and waiting are the front's business.
pub trait Front: Send + Sync {
    /// Posts a message; long ones are cut to fit, with the whole in a file or further replies.
    fn post(&self, place: &Place, message: &Message) -> impl Future<Output = Result<Posted, FrontError>> + Send;
    /// Posts a message that carries a key, by which [`find`](Self::find) finds it again. The key is no secret.
    fn post_as(
        &self,
        place: &Place,
        message: &Message,
        key: &str,
    ) -> impl Future<Output = Result<Posted, FrontError>> + Send;
    /// Returns the bot's own message that carries a key, where it was posted lately.
    fn find(&self, place: &Place, key: &str) -> impl Future<Output = Result<Option<Posted>, FrontError>> + Send;
    /// Replaces one of the bot's own messages.
    fn edit(&self, posted: &Posted, message: &Message) -> impl Future<Output = Result<(), FrontError>> + Send;
    /// Adds a reaction of the bot's own; doing it twice is no error.
    fn react(&self, posted: &Posted, name: &str) -> impl Future<Output = Result<(), FrontError>> + Send;
    /// Takes a reaction of the bot's own back; doing it twice is no error.
    fn unreact(&self, posted: &Posted, name: &str) -> impl Future<Output = Result<(), FrontError>> + Send;
    /// Tells one person something that nobody else sees.
    fn whisper(
        &self,
        place: &Place,
        person: &Person,
        message: &Message,
    ) -> impl Future<Output = Result<(), FrontError>> + Send;
    /// Answers through the request's own return path; `everyone` = the whole conversation sees it.
    fn respond(
        &self,
        path: &ReturnPath,
        message: &Message,
        everyone: bool,
    ) -> impl Future<Output = Result<(), FrontError>> + Send;
    /// Returns the text of a file that is attached to a message.
    fn read_file(&self, file: &Attached) -> impl Future<Output = Result<String, FrontError>> + Send;
    /// Shows a person a page of their own, where the chat has such a thing (Slack's Home tab).
    fn show_home(&self, person: &Person, message: &Message) -> impl Future<Output = Result<(), FrontError>> + Send;
    /// Returns how one of the bot's own messages stands; `None` = it is not the bot's, or not there.
    fn standing(&self, posted: &Posted) -> impl Future<Output = Result<Option<Standing>, FrontError>> + Send;
    /// Returns what the chat says of a person right now.
    fn profile(&self, person: &str) -> impl Future<Output = Result<Profile, FrontError>> + Send;
    /// Returns the people of a user group, as they were at most so long ago.
    fn members(&self, group: &str, at_most: Duration) -> impl Future<Output = Result<Vec<String>, FrontError>> + Send;
}
