//! The terminal as a front: what is said is printed, and what is typed is a command.

mod table;

pub use table::Table;

use super::front::{Attached, Front, FrontError, Incoming, Person, Place, Posted, Profile, ReturnPath, Standing, What};
use crate::render::message::Message;
use crate::render::terminal::{self, Style};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// A terminal. Messages have numbers; there is one conversation and one person.
pub struct ConsoleFront {
    style: Style,
    print: fn(&str),
    next: AtomicU64,
}

/// The one conversation of a terminal.
pub const CHANNEL: &str = "console";
/// The one person at a terminal.
pub const PERSON: &str = "you";

impl ConsoleFront {
    /// Returns a front that draws in a style and prints with a function.
    pub fn new(style: Style, print: fn(&str)) -> Self {
        Self { style, print, next: AtomicU64::new(1) }
    }

    /// Returns what a typed line asks for.
    pub fn typed(line: &str) -> Incoming {
        Incoming {
            person: Person { team: None, id: PERSON.to_owned() },
            place: Place { channel: CHANNEL.to_owned(), thread: None },
            at: None,
            shared_channel: false,
            return_path: None,
            files: Vec::new(),
            what: What::Command { text: line.trim_start_matches("/podoctor").to_owned() },
        }
    }

    fn say(&self, message: &Message) {
        (self.print)(&terminal::message(message, self.style));
        (self.print)("\n");
    }
}

impl Front for ConsoleFront {
    async fn post(&self, place: &Place, message: &Message) -> Result<Posted, FrontError> {
        self.say(message);
        let id = self.next.fetch_add(1, Ordering::Relaxed).to_string();
        Ok(Posted { channel: place.channel.clone(), id })
    }

    async fn post_as(&self, place: &Place, message: &Message, _key: &str) -> Result<Posted, FrontError> {
        self.post(place, message).await
    }

    async fn find(&self, _place: &Place, _key: &str) -> Result<Option<Posted>, FrontError> {
        Ok(None)
    }

    async fn edit(&self, _posted: &Posted, message: &Message) -> Result<(), FrontError> {
        self.say(message);
        Ok(())
    }

    async fn react(&self, _posted: &Posted, _name: &str) -> Result<(), FrontError> {
        Ok(())
    }

    async fn unreact(&self, _posted: &Posted, _name: &str) -> Result<(), FrontError> {
        Ok(())
    }

    async fn show_home(&self, _person: &Person, message: &Message) -> Result<(), FrontError> {
        self.say(message);
        Ok(())
    }

    async fn whisper(&self, _place: &Place, _person: &Person, message: &Message) -> Result<(), FrontError> {
        self.say(message);
        Ok(())
    }

    async fn respond(&self, _path: &ReturnPath, message: &Message, _everyone: bool) -> Result<(), FrontError> {
        self.say(message);
        Ok(())
    }

    async fn read_file(&self, _file: &Attached) -> Result<String, FrontError> {
        Err(FrontError::Rejected { code: "no_files".to_owned() })
    }

    async fn standing(&self, _posted: &Posted) -> Result<Option<Standing>, FrontError> {
        Ok(None)
    }

    async fn profile(&self, _person: &str) -> Result<Profile, FrontError> {
        Ok(Profile::default())
    }

    async fn members(&self, _group: &str, _at_most: Duration) -> Result<Vec<String>, FrontError> {
        Ok(Vec::new())
    }
}
