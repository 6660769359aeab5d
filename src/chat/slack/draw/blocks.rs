//! A part of a message as blocks, each within the limits of its kind.

use super::text::{self, block_text, clean_line};
use super::{BUDGET, stored_size};
use crate::render::message::{Line, Part, Span};
use serde_json::{Value, json};

/// The most characters of a header.
const HEADER_LIMIT: usize = 150;
/// The most characters of one text element: a section's limit, which rich text is not documented to pass either.
const ELEMENT_LIMIT: usize = 2_900;
/// The most characters of all small print of a line, and the most elements of a context block.
const SMALL_LIMIT: usize = 1_500;
const SMALL_ELEMENTS: usize = 10;
/// The most characters of a block of lines, with what JSON adds; many of them fill a page well.
const LINES_LIMIT: usize = 4_000;
/// A long log is cut into no more blocks than some pages hold; the file has the rest.
const MAX_PIECES: usize = 24;
const DATE_FORMAT: &str = "{date_short_pretty} {time}";

/// Draws a part; `is_cut` is set where not all of it was drawn.
pub fn of_part(part: &Part, is_cut: &mut bool) -> Vec<Value> {
    match part {
        Part::Heading(line) => heading(line, is_cut),
        Part::Lines(lines) => sections(lines, is_cut),
        Part::Quote { origin, text } => {
            let mut origin = sections(std::slice::from_ref(origin), is_cut);
            let mut quoted = preformatted(text, is_cut).into_iter();
            // Where it was found and what it says stand in one block.
            match (origin.last_mut(), quoted.next()) {
                (Some(last), Some(first)) => {
                    if let (Some(elements), Some(first)) =
                        (last["elements"].as_array_mut(), first["elements"].as_array())
                    {
                        elements.extend(first.iter().cloned());
                    }
                }
                (None, Some(first)) => origin.push(first),
                (_, None) => {}
            }
            origin.into_iter().chain(quoted).collect()
        }
        Part::Code(text) => preformatted(text, is_cut),
        Part::Small(line) => small(line).into_iter().collect(),
    }
}

/// A header shows text alone; with anything else in it, or a long one, a line in bold does the same.
fn heading(line: &Line, is_cut: &mut bool) -> Vec<Value> {
    let clean = clean_line(line);
    let is_text = clean.iter().all(|span| matches!(span, Span::Plain(_) | Span::Strong(_)));
    let text = text::line_text(&clean);
    let text = text.trim();
    if is_text && !text.is_empty() && stored_size(text) <= HEADER_LIMIT {
        return vec![json!({"type": "header", "text": {"type": "plain_text", "text": text, "emoji": false}})];
    }
    let bold = clean.into_iter().map(|span| match span {
        Span::Plain(text) => Span::Strong(text),
        other => other,
    });
    sections(&[bold.collect()], is_cut)
}

/// Returns lines as `rich_text` blocks, as few as their limit lets.
fn sections(lines: &[Line], is_cut: &mut bool) -> Vec<Value> {
    let mut blocks = Vec::new();
    let mut elements: Vec<Value> = Vec::new();
    let mut used = 0;
    for line in lines {
        let line = line_elements(line, is_cut);
        let needed: usize = line.iter().map(|element| super::size(element) + 1).sum();
        if !elements.is_empty() && used + needed > LINES_LIMIT {
            blocks.push(std::mem::take(&mut elements));
            used = 0;
        }
        if !elements.is_empty() {
            elements.push(json!({"type": "text", "text": "\n"}));
        }
        used += needed + 30;
        elements.extend(line);
    }
    blocks.push(elements);
    let is_blank = |elements: &Vec<Value>| elements.iter().all(|element| element["text"] == "\n");
    blocks
        .into_iter()
        .filter(|elements| !is_blank(elements))
        .map(|elements| rich_text(json!({"type": "rich_text_section", "elements": elements})))
        .collect()
}

fn rich_text(element: Value) -> Value {
    json!({"type": "rich_text", "elements": [element]})
}

/// Returns a line's elements, of no more than one block's length.
fn line_elements(line: &Line, is_cut: &mut bool) -> Vec<Value> {
    let mut elements = Vec::new();
    let mut room = LINES_LIMIT - 200;
    for span in clean_line(line) {
        let Some(mut element) = span_element(span) else { continue };
        if let Some(text) = element["text"].as_str()
            && stored_size(text) > ELEMENT_LIMIT
        {
            *is_cut = true;
            element["text"] = json!(text::cut(text, ELEMENT_LIMIT));
        }
        let needed = super::size(&element) + 1;
        if needed > room {
            *is_cut = true;
            elements.push(json!({"type": "text", "text": "…"}));
            break;
        }
        room -= needed;
        elements.push(element);
    }
    elements
}

fn span_element(span: Span) -> Option<Value> {
    let styled = |text: String, style: &str| {
        (!text.is_empty()).then(|| json!({"type": "text", "text": text, "style": {style: true}}))
    };
    let plain = |text: String| (!text.is_empty()).then(|| json!({"type": "text", "text": text}));
    match span {
        Span::Plain(text) => plain(text),
        Span::Strong(text) => styled(text, "bold"),
        Span::Code(text) => styled(text, "code"),
        Span::Time(at) => {
            Some(json!({"type": "date", "timestamp": at.as_second(), "format": DATE_FORMAT, "fallback": text::utc(at)}))
        }
        Span::Person(id) if is_user_id(&id) => Some(json!({"type": "user", "user_id": id})),
        Span::Person(id) => plain(text::cleaned(&id)),
        Span::Link { url, label } if is_address(&url) && label.is_empty() => Some(json!({"type": "link", "url": url})),
        Span::Link { url, label } if is_address(&url) => Some(json!({"type": "link", "url": url, "text": label})),
        Span::Link { label, .. } => plain(label),
    }
}

/// Returns text to the letter, a long one in several blocks.
fn preformatted(text: &str, is_cut: &mut bool) -> Vec<Value> {
    // No page holds more: cleaning a log of megabytes to its end would only cost time.
    let mut end = text.len().min(BUDGET * MAX_PIECES);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let mut pieces = text::pieces(&block_text(&text[..end]), ELEMENT_LIMIT);
    *is_cut |= end < text.len() || pieces.len() > MAX_PIECES;
    pieces.truncate(MAX_PIECES);
    let block = |text: String| {
        rich_text(json!({"type": "rich_text_preformatted", "elements": [{"type": "text", "text": text}]}))
    };
    pieces.into_iter().map(block).collect()
}

/// Small print stands in a context block: text that is never parsed, and between it the persons and moments that are.
fn small(line: &Line) -> Option<Value> {
    let mut elements: Vec<Value> = Vec::new();
    let mut text = String::new();
    let mut room = SMALL_LIMIT;
    // Blanks stay where a person or a moment follows or went before: not every client puts room between elements.
    let flush = |text: &mut String, is_last: bool, room: &mut usize, elements: &mut Vec<Value>| {
        let words = if elements.is_empty() { text.trim_start() } else { text.as_str() };
        let words = text::cut(if is_last { words.trim_end() } else { words }, *room);
        text.clear();
        if !words.trim().is_empty() && *room > 1 {
            *room = room.saturating_sub(stored_size(&words));
            elements.push(json!({"type": "plain_text", "text": words, "emoji": false}));
        }
    };
    let clean = clean_line(line);
    // Each living element may have text on both sides.
    let living = clean.iter().filter(|span| living_element(span).is_some()).count();
    let is_plain = living * 2 + 1 > SMALL_ELEMENTS;
    for span in clean {
        match living_element(&span).filter(|_| !is_plain) {
            Some(element) => {
                flush(&mut text, false, &mut room, &mut elements);
                elements.push(json!({"type": "mrkdwn", "text": element, "verbatim": true}));
            }
            None => text.push_str(&text::line_text(&vec![span])),
        }
    }
    flush(&mut text, true, &mut room, &mut elements);
    (!elements.is_empty()).then(|| json!({"type": "context", "elements": elements}))
}

/// Returns the mrkdwn of what must live: made of ids, numbers and our own words only.
fn living_element(span: &Span) -> Option<String> {
    match span {
        Span::Time(at) => Some(format!("<!date^{}^{DATE_FORMAT}|{}>", at.as_second(), text::utc(*at))),
        Span::Person(id) if is_user_id(id) => Some(format!("<@{id}>")),
        _ => None,
    }
}

fn is_user_id(id: &str) -> bool {
    id.starts_with(['U', 'W'])
        && (2..=32).contains(&id.len())
        && id.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit())
}

fn is_address(url: &str) -> bool {
    url.starts_with("https://")
        && url.len() < 2_000
        && url.chars().all(|c| c.is_ascii_graphic() && !matches!(c, '<' | '>' | '|' | '"'))
}
