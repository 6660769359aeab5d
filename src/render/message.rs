//! A message in no chat's language: parts made of spans, which each front draws in its own way.
//!
//! Text from the cluster or from a person is only ever a [`Span::Plain`], [`Span::Strong`], [`Span::Code`],
//! [`Part::Quote`] or [`Part::Code`]: fronts draw these literally, so nothing in them can mention, link or style.

use jiff::Timestamp;

/// A stretch of text in a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Span {
    /// Literal text.
    Plain(String),
    /// Literal text that stands out.
    Strong(String),
    /// Literal text that names a thing of the cluster: a pod, a container, an image.
    Code(String),
    /// A moment, drawn in the reader's time zone with UTC as the fallback.
    Time(Timestamp),
    /// A person of this chat, by their id there. Drawn as a name; never notifies more than that person.
    Person(String),
    /// A link to an address that podoctor itself chose (`https` only).
    Link { url: String, label: String },
}

/// One line of a message. Lines hold no line breaks; a front replaces any that outside text brings along.
pub type Line = Vec<Span>;

/// A part of a message, drawn one below the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// The title of a longer message or of a section of it.
    Heading(Line),
    /// Lines of running text.
    Lines(Vec<Line>),
    /// Something quoted to the letter, above it where it was found.
    Quote { origin: Line, text: String },
    /// Commands or other text to copy, to the letter.
    Code(String),
    /// Small print.
    Small(Line),
}

/// How a button looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ActionStyle {
    Plain,
    Primary,
    Danger,
}

/// A button. `id` says what is asked for, `value` for what; both come back in an [`Incoming`](crate::chat::front::Incoming).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Action {
    pub id: String,
    pub value: String,
    pub label: String,
    pub style: ActionStyle,
}

/// One message of a chat.
///
/// The notification text of a message is its first two lines, as plain text.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Message {
    pub parts: Vec<Part>,
    pub actions: Vec<Action>,
}

/// An answer: a message that stands alone and, below it, its thread in order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Reply {
    pub parent: Message,
    pub thread: Vec<Message>,
}

impl Message {
    /// Returns a message of plain lines, one a text.
    pub fn text<T: Into<String>>(lines: impl IntoIterator<Item = T>) -> Self {
        let lines = lines.into_iter().map(|line| vec![Span::Plain(line.into())]).collect();
        Self { parts: vec![Part::Lines(lines)], actions: Vec::new() }
    }

    /// Returns the message with one part more.
    #[must_use]
    pub fn with(mut self, part: Part) -> Self {
        self.parts.push(part);
        self
    }

    /// Returns the message with one button more.
    #[must_use]
    pub fn with_action(mut self, action: Action) -> Self {
        self.actions.push(action);
        self
    }
}

impl Reply {
    /// Returns a reply that is one message without a thread.
    pub fn just(parent: Message) -> Self {
        Self { parent, thread: Vec::new() }
    }
}
