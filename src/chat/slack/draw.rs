//! A message as Slack takes it: blocks, and the plain text of its notification.
//!
//! ```text
//! parts ─► clean lines (no secrets, no control signs) ─► blocks, each within its own limits ─► pages within a message's
//! ```
//!
//! Outside text stands only in `rich_text` and `plain_text`, which Slack never parses: nothing in it can mention, link or
//! style. Secrets are taken out here, so that no path to Slack goes around it. What does not fit on the first page comes
//! back as further pages and as one text for a file.

mod blocks;
mod text;

use crate::render::message::{Action, ActionStyle, Message};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher};

pub use text::{literal, notification, plain_text};

/// The most blocks a message may hold.
pub const MAX_BLOCKS: usize = 50;
/// The budget for all blocks of a message as JSON, in characters as Slack stores them. Beyond about 13,200 it answers
/// `msg_blocks_too_long`, a limit that its documentation does not name (bolt-js#2509).
pub const BUDGET: usize = 10_000;
/// What of it the buttons may take.
const BUTTON_BUDGET: usize = 3_000;
/// Kept free for the mark of a cut and the brackets around all.
const MARK_BUDGET: usize = 200;
/// The most pages that are drawn; the rest is in the file.
const MAX_PAGES: usize = 6;
const BUTTON_LIMIT: usize = 75;
const VALUE_LIMIT: usize = 2_000;
const ID_LIMIT: usize = 255;
/// The most buttons of one actions block.
const MAX_BUTTONS: usize = 25;
/// Stands where a message was cut, in any language.
const CUT: &str = "[…] ✂";

/// One message of Slack.
#[derive(Debug, Clone, PartialEq)]
pub struct Page {
    /// Top-level text: the notification and what screen readers say.
    pub text: String,
    pub blocks: Vec<Value>,
}

/// A message, drawn.
#[derive(Debug, Clone, PartialEq)]
pub struct Drawn {
    /// What stands in the message's place, with its buttons.
    pub first: Page,
    /// What did not fit, for replies below it.
    pub more: Vec<Page>,
    /// The whole message as plain text, where it did not fit.
    pub overflow: Option<String>,
}

/// Draws a message.
pub fn draw(message: &Message) -> Drawn {
    let text = notification(message);
    let buttons = buttons(&message.actions);
    let mut is_cut = false;
    let mut pages: Vec<Vec<Value>> = vec![Vec::new()];
    let mut room = BUDGET - MARK_BUDGET - buttons.as_ref().map_or(0, size);
    // Room for the buttons, the mark of a cut, and a note of the caller's.
    let most = MAX_BLOCKS - 3;
    for block in message.parts.iter().flat_map(|part| blocks::of_part(part, &mut is_cut)) {
        let needed = size(&block) + 1;
        let full = pages.last().is_some_and(|page| !page.is_empty() && (page.len() >= most || needed > room));
        if full {
            if pages.len() == MAX_PAGES {
                is_cut = true;
                break;
            }
            pages.push(Vec::new());
            room = BUDGET - MARK_BUDGET;
        }
        room = room.saturating_sub(needed);
        if let Some(page) = pages.last_mut() {
            page.push(block);
        }
    }
    is_cut |= pages.len() > 1;
    let mut pages = pages.into_iter().enumerate().map(|(index, mut blocks)| {
        if index == 0 {
            if is_cut {
                blocks.push(
                    json!({"type": "context", "elements": [{"type": "plain_text", "text": CUT, "emoji": false}]}),
                );
            }
            blocks.extend(buttons.clone());
        }
        name_blocks(&mut blocks);
        Page { text: text.clone(), blocks }
    });
    let first = pages.next().unwrap_or_else(|| Page { text: text.clone(), blocks: Vec::new() });
    Drawn { first, more: pages.collect(), overflow: is_cut.then(|| plain_text(message)) }
}

/// The characters that Slack counts for a block: as JSON, where `&`, `<` and `>` are stored as entities.
pub fn size(block: &Value) -> usize {
    stored_size(&block.to_string())
}

/// The characters that Slack counts for a text.
fn stored_size(text: &str) -> usize {
    text.chars().map(stored_char).sum()
}

fn stored_char(c: char) -> usize {
    match c {
        '&' => 5,
        '<' | '>' => 4,
        // As JavaScript counts.
        c => c.len_utf16(),
    }
}

/// Gives every block an id of its own that changes with its content, as `chat.update` wants it.
fn name_blocks(blocks: &mut [Value]) {
    for (index, block) in blocks.iter_mut().enumerate() {
        let mut hasher = DefaultHasher::new();
        block.to_string().hash(&mut hasher);
        let hash = hasher.finish() & 0xffff_ffff;
        block["block_id"] = json!(format!("b{index}-{hash:08x}"));
    }
}

fn buttons(actions: &[Action]) -> Option<Value> {
    let mut ids = BTreeSet::new();
    let mut elements = Vec::new();
    let mut room = BUTTON_BUDGET;
    for action in actions.iter().take(MAX_BUTTONS) {
        // A value that is cut would ask for something else: rather no button.
        if stored_size(&action.value) > VALUE_LIMIT {
            continue;
        }
        let button = button(action, &mut ids);
        let needed = size(&button);
        if needed > room {
            break;
        }
        room -= needed;
        elements.push(button);
    }
    (!elements.is_empty()).then(|| json!({"type": "actions", "elements": elements}))
}

fn button(action: &Action, ids: &mut BTreeSet<String>) -> Value {
    let label = text::cut(text::cleaned(&action.label).trim(), BUTTON_LIMIT);
    let label = if label.is_empty() { "…".to_owned() } else { label };
    let mut button = json!({
        "type": "button",
        "action_id": unique_id(&action.id, ids),
        "text": {"type": "plain_text", "text": label, "emoji": false},
    });
    if !action.value.is_empty() {
        button["value"] = json!(action.value);
    }
    match action.style {
        ActionStyle::Plain => {}
        ActionStyle::Primary => button["style"] = json!("primary"),
        ActionStyle::Danger => button["style"] = json!("danger"),
    }
    button
}

/// Returns an id that no other button of the message has; [`action_id`] takes back what is added.
fn unique_id(id: &str, ids: &mut BTreeSet<String>) -> String {
    let base: String = id.chars().take(ID_LIMIT - 4).collect();
    let base = if base.is_empty() { "action".to_owned() } else { base };
    let mut unique = base.clone();
    let mut number = 2;
    while !ids.insert(unique.clone()) {
        unique = format!("{base}#{number}");
        number += 1;
    }
    unique
}

/// Returns a button's id as the message named it.
pub fn action_id(drawn: &str) -> &str {
    match drawn.rsplit_once('#') {
        Some((id, number)) if !number.is_empty() && number.chars().all(|c| c.is_ascii_digit()) => id,
        _ => drawn,
    }
}

#[cfg(test)]
mod tests;
