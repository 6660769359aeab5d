//! Alerts on a terminal: a table that is drawn anew when something changes, or in a pipe a line for each change.

use crate::chat::front::{Attached, Front, FrontError, Person, Place, Posted, Profile, ReturnPath, Standing};
use crate::render::message::{Message, Part};
use crate::render::terminal::{self, Style};
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How many messages the table shows: more than a terminal has lines helps nobody.
const SHOWN: usize = 40;
/// Moves to the top left and clears everything.
const CLEAR: &str = "\x1b[2J\x1b[H";

/// A table of the messages that are no replies, in the order in which they came.
pub struct Table {
    style: Style,
    /// Whether what was drawn can be drawn over.
    live: bool,
    print: fn(&str),
    clock: fn() -> Timestamp,
    rows: Mutex<Rows>,
}

#[derive(Default)]
struct Rows {
    next: u64,
    messages: BTreeMap<u64, Message>,
}

impl Table {
    /// Returns an empty table that is drawn in a style and printed with a function.
    pub fn new(style: Style, live: bool, print: fn(&str), clock: fn() -> Timestamp) -> Self {
        Self { style, live, print, clock, rows: Mutex::default() }
    }

    /// Draws the table as it is, or nothing in a pipe.
    pub fn draw(&self) {
        if self.live {
            self.draw_rows(&self.rows());
        }
    }

    fn rows(&self) -> MutexGuard<'_, Rows> {
        self.rows.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn put(&self, number: u64, message: &Message) {
        let mut rows = self.rows();
        let line = line(message);
        let known = rows.messages.insert(number, message.clone()).is_some_and(|before| self::line(&before) == line);
        if rows.messages.len() > SHOWN {
            rows.messages.pop_first();
        }
        if self.live {
            self.draw_rows(&rows);
        } else if !known {
            (self.print)(&format!("{} {line}\n", (self.clock)().strftime("%Y-%m-%dT%H:%M:%SZ")));
        }
    }

    fn draw_rows(&self, rows: &Rows) {
        let mut out = format!("{CLEAR}podoctor watch · {} UTC\n", (self.clock)().strftime("%H:%M:%S"));
        if rows.messages.is_empty() {
            out.push_str("🟢 nothing is stuck\n");
        }
        for message in rows.messages.values().rev() {
            out.push('\n');
            let plain = Message { parts: message.parts.clone(), actions: Vec::new() };
            out.push_str(&terminal::message(&plain, self.style));
        }
        (self.print)(&out);
    }
}

/// Returns the lines of a message that tell what is the matter, as one.
fn line(message: &Message) -> String {
    let lines = message.parts.iter().filter(|part| matches!(part, Part::Lines(_))).cloned().collect();
    let text = terminal::message(&Message { parts: lines, actions: Vec::new() }, Style { colour: false, width: None });
    text.trim().lines().collect::<Vec<_>>().join(" · ")
}

impl Front for Table {
    async fn post(&self, place: &Place, message: &Message) -> Result<Posted, FrontError> {
        let number = {
            let mut rows = self.rows();
            rows.next += 1;
            rows.next
        };
        // What stands in a thread is for whoever wants to know more: `podoctor diagnose` tells it.
        if place.thread.is_none() {
            self.put(number, message);
        }
        Ok(Posted { channel: place.channel.clone(), id: number.to_string() })
    }

    async fn post_as(&self, place: &Place, message: &Message, _key: &str) -> Result<Posted, FrontError> {
        self.post(place, message).await
    }

    async fn find(&self, _place: &Place, _key: &str) -> Result<Option<Posted>, FrontError> {
        Ok(None)
    }

    async fn edit(&self, posted: &Posted, message: &Message) -> Result<(), FrontError> {
        if let Ok(number) = posted.id.parse() {
            self.put(number, message);
        }
        Ok(())
    }

    async fn react(&self, _posted: &Posted, _name: &str) -> Result<(), FrontError> {
        Ok(())
    }

    async fn unreact(&self, _posted: &Posted, _name: &str) -> Result<(), FrontError> {
        Ok(())
    }

    async fn show_home(&self, _person: &Person, _message: &Message) -> Result<(), FrontError> {
        Ok(())
    }

    async fn whisper(&self, _place: &Place, _person: &Person, _message: &Message) -> Result<(), FrontError> {
        Ok(())
    }

    async fn respond(&self, _path: &ReturnPath, _message: &Message, _everyone: bool) -> Result<(), FrontError> {
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;

    thread_local! {
        static PRINTED: RefCell<String> = const { RefCell::new(String::new()) };
    }

    fn keep(text: &str) {
        PRINTED.with_borrow_mut(|printed| printed.push_str(text));
    }

    #[tokio::test]
    async fn in_a_pipe_each_change_is_one_line_and_nothing_is_said_twice() {
        let clock = || "2026-05-01T10:00:00Z".parse().expect("a time");
        let table = Table::new(Style { colour: false, width: None }, false, keep, clock);
        let place = |thread: Option<&str>| Place { channel: "console".into(), thread: thread.map(str::to_owned) };
        let posted = table.post(&place(None), &Message::text(["🔴 prod/web: 1 pod", "Killed"])).await.expect("posted");
        table.post(&place(Some(&posted.id)), &Message::text(["the evidence"])).await.expect("posted");
        table.edit(&posted, &Message::text(["🔴 prod/web: 1 pod", "Killed"])).await.expect("edited");
        table.edit(&posted, &Message::text(["✅ prod/web: resolved"])).await.expect("edited");
        let wanted = "2026-05-01T10:00:00Z 🔴 prod/web: 1 pod · Killed\n2026-05-01T10:00:00Z ✅ prod/web: resolved\n";
        assert_eq!(PRINTED.take(), wanted);
    }

    #[tokio::test]
    async fn on_a_terminal_the_newest_stands_at_the_top() {
        let clock = || "2026-05-01T10:00:00Z".parse().expect("a time");
        let table = Table::new(Style { colour: false, width: None }, true, keep, clock);
        table.draw();
        assert!(PRINTED.take().contains("nothing is stuck"));
        let place = Place { channel: "console".into(), thread: None };
        table.post(&place, &Message::text(["first"])).await.expect("posted");
        table.post(&place, &Message::text(["second"])).await.expect("posted");
        let drawn = PRINTED.take();
        let last = drawn.rsplit(CLEAR).next().expect("drawn");
        assert!(last.find("second") < last.find("first"), "{last}");
    }
}
