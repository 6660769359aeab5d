//! Text on its way to Slack: without secrets, without signs that steer a reader's eye, and literal where Slack parses.

use crate::redact::redact;
use crate::render::message::{Line, Message, Part, Span};
use jiff::Timestamp;

/// The most characters of the notification: two lines, and well below the 4,000 of `chat.update`.
pub const NOTIFICATION_LIMIT: usize = 600;
/// The most characters of one long line that are looked at.
const LINE_LIMIT: usize = 20_000;

/// Returns the first two lines, with nothing live in them.
pub fn notification(message: &Message) -> String {
    let lines: Vec<String> = message
        .parts
        .iter()
        .flat_map(|part| match part {
            Part::Heading(line) | Part::Small(line) => vec![line_text(line)],
            Part::Lines(lines) => lines.iter().map(line_text).collect(),
            Part::Quote { text, .. } | Part::Code(text) => {
                block_text(text).lines().take(9).map(str::to_owned).collect()
            }
        })
        .filter(|line| !line.trim().is_empty())
        .take(2)
        .collect();
    let text = literal(&lines.join("\n"), NOTIFICATION_LIMIT);
    if text.is_empty() { "podoctor".to_owned() } else { text }
}

/// Returns a message as plain text, for a file.
pub fn plain_text(message: &Message) -> String {
    let mut lines: Vec<String> = Vec::new();
    for part in &message.parts {
        match part {
            Part::Heading(line) => lines.extend([String::new(), line_text(line)]),
            Part::Small(line) => lines.push(line_text(line)),
            Part::Lines(part) => lines.extend(part.iter().map(line_text)),
            Part::Quote { origin, text } => {
                lines.push(line_text(origin));
                lines.extend(block_text(text).lines().map(|line| format!("    {line}")));
            }
            Part::Code(text) => lines.extend(block_text(text).lines().map(|line| format!("    {line}"))),
        }
    }
    lines.push(String::new());
    lines.join("\n")
}

/// Returns a line with every text in it cleaned. A secret that stands across several spans (`password=` plain, its value
/// as code) is seen in the line as a whole, which then loses its styles.
pub fn clean_line(line: &Line) -> Line {
    let clean: Line = line
        .iter()
        .map(|span| match span {
            Span::Plain(text) => Span::Plain(cleaned(text)),
            Span::Strong(text) => Span::Strong(cleaned(text)),
            Span::Code(text) => Span::Code(cleaned(text)),
            Span::Link { url, label } => Span::Link { url: url.clone(), label: cleaned(label) },
            Span::Time(_) | Span::Person(_) => span.clone(),
        })
        .collect();
    let text: String = clean.iter().map(span_text).collect();
    let redacted = redact(&text);
    if redacted == text { clean } else { vec![Span::Plain(redacted)] }
}

/// Returns a line as plain text.
pub fn line_text(line: &Line) -> String {
    clean_line(line).iter().map(span_text).collect()
}

fn span_text(span: &Span) -> String {
    match span {
        Span::Plain(text) | Span::Strong(text) | Span::Code(text) => text.clone(),
        Span::Person(id) => format!("@{}", cleaned(id)),
        Span::Time(at) => utc(*at),
        Span::Link { label, .. } => label.clone(),
    }
}

/// Returns a moment in UTC, to the minute.
pub fn utc(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M UTC").to_string()
}

/// Returns one line without secrets and without what could steer a reader's eye.
pub fn cleaned(text: &str) -> String {
    let text: String =
        text.chars().take(LINE_LIMIT).map(|c| if is_break(c) { ' ' } else { c }).filter(|c| is_visible(*c)).collect();
    redact(&text)
}

/// Returns lines without secrets and without what could steer a reader's eye.
pub fn block_text(text: &str) -> String {
    // `\r\n` ends a line once; a `\r` alone overwrites one on a terminal.
    let text = text.replace("\r\n", "\n");
    let lines = text.chars().map(|c| if is_break(c) && c != '\t' { '\n' } else { c });
    let text: String = lines.filter(|c| matches!(c, '\n' | '\t') || is_visible(*c)).collect();
    redact(text.trim_end().trim_start_matches('\n'))
}

fn is_break(c: char) -> bool {
    matches!(c, '\n' | '\r' | '\t' | '\u{b}' | '\u{c}' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

/// Neither a control sign, nor one that turns the direction of reading, nor one that is there and cannot be seen. (The
/// joiner and the selector that emoji are made with stay.)
fn is_visible(c: char) -> bool {
    let hidden = matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}' | '\u{200c}' | '\u{200e}' | '\u{200f}'
        | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}');
    !c.is_control() && !hidden
}

/// Returns a text so that mrkdwn shows it and does nothing: entities escaped, and a blank of no width where a style, an
/// emoji or a call would begin. At most `limit` characters as Slack stores them.
pub fn literal(text: &str, limit: usize) -> String {
    let mut out = String::new();
    let mut used = 0;
    let mut before = None;
    for (at, c) in text.char_indices() {
        let piece = match c {
            '&' => "&amp;".to_owned(),
            '<' => "&lt;".to_owned(),
            '>' => "&gt;".to_owned(),
            '`' => "`\u{200b}".to_owned(),
            // They style where a word begins, not inside of one.
            '*' | '_' | '~' if before.is_none_or(|c: char| !c.is_alphanumeric()) => format!("{c}\u{200b}"),
            ':' if begins_emoji(&text[at + 1..]) => ":\u{200b}".to_owned(),
            '@' if begins_call(&text[at + 1..]) => "@\u{200b}".to_owned(),
            c => c.to_string(),
        };
        used += piece.encode_utf16().count();
        if used >= limit {
            out.push('…');
            break;
        }
        out.push_str(&piece);
        before = Some(c);
    }
    out
}

/// `:name:`
fn begins_emoji(rest: &str) -> bool {
    let is_name = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '+' | '\'');
    let end = rest.find(|c: char| !is_name(c)).unwrap_or(rest.len());
    end > 0 && rest[end..].starts_with(':')
}

/// `@here`, `@channel`, `@everyone`
fn begins_call(rest: &str) -> bool {
    ["here", "channel", "everyone"]
        .iter()
        .any(|name| rest.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name)))
}

/// Cuts a text to a number of characters as Slack stores them, with a mark.
pub fn cut(text: &str, limit: usize) -> String {
    if super::stored_size(text) <= limit {
        return text.to_owned();
    }
    let mut used = 1;
    let mut out: String = text
        .chars()
        .take_while(|c| {
            used += super::stored_char(*c);
            used <= limit
        })
        .collect();
    out.push('…');
    out
}

/// Cuts a text into pieces of at most `limit` characters as Slack stores them, between lines where that is possible.
pub fn pieces(text: &str, limit: usize) -> Vec<String> {
    let mut pieces = Vec::new();
    let mut piece = String::new();
    let mut used = 0;
    for line in text.split_inclusive('\n') {
        let length = super::stored_size(line);
        if used + length > limit && !piece.is_empty() {
            pieces.push(std::mem::take(&mut piece));
            used = 0;
        }
        if length <= limit {
            piece.push_str(line);
            used += length;
            continue;
        }
        for c in line.chars() {
            if used + super::stored_char(c) > limit {
                pieces.push(std::mem::take(&mut piece));
                used = 0;
            }
            piece.push(c);
            used += super::stored_char(c);
        }
    }
    pieces.push(piece);
    pieces
        .iter()
        .map(|piece| piece.trim_end_matches('\n').to_owned())
        .filter(|piece| !piece.trim().is_empty())
        .collect()
}
