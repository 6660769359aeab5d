//! Messages on a terminal: colour where it is one, wrapped to its width, plain in a pipe.

use super::message::{Line, Message, Part, Reply, Span};
use unicode_width::UnicodeWidthChar;

/// How to draw.
#[derive(Debug, Clone, Copy)]
pub struct Style {
    pub colour: bool,
    /// Columns to wrap at; `None` = never, as in a pipe.
    pub width: Option<usize>,
}

const BOLD: &str = "\x1b[1m";
const DIM: &str = "\x1b[2m";
const CYAN: &str = "\x1b[36m";
const RESET: &str = "\x1b[0m";

/// Returns a reply as text: the parent, then its thread.
///
/// Here both are read in one go, so a line of the parent that opens a message of the thread is told there alone.
pub fn reply(reply: &Reply, style: Style) -> String {
    let opens_thread = |line: &Line| {
        reply
            .thread
            .iter()
            .any(|message| matches!(message.parts.first(), Some(Part::Lines(lines)) if lines.first() == Some(line)))
    };
    let mut parent = reply.parent.clone();
    for part in &mut parent.parts {
        if let Part::Lines(lines) = part {
            lines.retain(|line| !opens_thread(line));
        }
    }
    let mut out = message(&parent, style);
    for reply in &reply.thread {
        out.push('\n');
        out.push_str(&message(reply, style));
    }
    out
}

/// Returns a message as text, with a line break at its end.
pub fn message(message: &Message, style: Style) -> String {
    let mut out = String::new();
    for (i, part) in message.parts.iter().enumerate() {
        match part {
            Part::Heading(line) => {
                if i > 0 {
                    out.push('\n');
                }
                push(&mut out, &paint(&plain(line), BOLD, style), "", style);
            }
            Part::Lines(lines) => {
                for line in lines {
                    push(&mut out, &drawn(line, style), "", style);
                }
            }
            Part::Quote { origin, text } => {
                push(&mut out, &paint(&plain(origin), DIM, style), "  ", style);
                for line in text.lines() {
                    push(&mut out, &clean(line), "    ", style);
                }
            }
            Part::Code(text) => {
                // Commands are never wrapped: they are there to be copied.
                for line in text.lines() {
                    out.push_str("    ");
                    out.push_str(&paint(&clean(line), CYAN, style));
                    out.push('\n');
                }
            }
            Part::Small(line) => push(&mut out, &paint(&plain(line), DIM, style), "", style),
        }
    }
    out
}

fn drawn(line: &Line, style: Style) -> String {
    line.iter()
        .map(|span| match span {
            Span::Strong(text) => paint(&clean(text), BOLD, style),
            Span::Code(text) => paint(&clean(text), CYAN, style),
            other => span_text(other),
        })
        .collect()
}

/// Returns a line without any style.
pub fn plain(line: &Line) -> String {
    line.iter().map(span_text).collect()
}

fn span_text(span: &Span) -> String {
    match span {
        Span::Plain(text) | Span::Strong(text) | Span::Code(text) | Span::Person(text) => clean(text),
        Span::Time(at) => at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string(),
        Span::Link { url, label } => format!("{} ({})", clean(label), clean(url)),
    }
}

/// Takes control characters out: text from a cluster must not steer the terminal.
fn clean(text: &str) -> String {
    text.chars()
        .map(|c| if c == '\t' || c == '\n' { ' ' } else { c })
        .filter(|c| !c.is_control() && !is_bidi(*c))
        .collect()
}

fn is_bidi(c: char) -> bool {
    matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}')
}

fn paint(text: &str, code: &str, style: Style) -> String {
    if style.colour { format!("{code}{text}{RESET}") } else { text.to_owned() }
}

/// Appends a line, wrapped at words to the terminal's width.
fn push(out: &mut String, text: &str, indent: &str, style: Style) {
    let Some(width) = style.width else {
        out.push_str(indent);
        out.push_str(text);
        out.push('\n');
        return;
    };
    let room = width.saturating_sub(indent.len()).max(20);
    let (mut used, mut first) = (0, true);
    out.push_str(indent);
    for word in text.split(' ') {
        let size = shown_width(word);
        if !first && used + 1 + size > room {
            out.push('\n');
            out.push_str(indent);
            used = 0;
        } else if !first {
            out.push(' ');
            used += 1;
        }
        out.push_str(word);
        used += size;
        first = false;
    }
    out.push('\n');
}

/// Returns the columns a word takes; escape sequences take none.
fn shown_width(word: &str) -> usize {
    let (mut width, mut in_escape) = (0, false);
    for c in word.chars() {
        match (in_escape, c) {
            (true, 'm') => in_escape = false,
            (true, _) => {}
            (false, '\x1b') => in_escape = true,
            (false, c) => width += c.width().unwrap_or(0),
        }
    }
    width
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_text_cannot_steer_the_terminal() {
        let message = Message::text(["pod \x1b[31mred\x07 \u{202e}gnp"]);
        let text = super::message(&message, Style { colour: false, width: None });
        assert_eq!(text, "pod [31mred gnp\n");
    }

    #[test]
    fn what_the_thread_tells_again_is_told_once() {
        let parent = Message::text(["shop: 2 things are wrong", "web is down", "cart is down"]);
        let thread = vec![Message::text(["web is down", "web's fix"]), Message::text(["cart is down"])];
        let text = reply(&Reply { parent, thread }, Style { colour: false, width: None });
        assert_eq!(text, "shop: 2 things are wrong\n\nweb is down\nweb's fix\n\ncart is down\n");
    }

    #[test]
    fn wraps_at_words_and_counts_wide_characters() {
        let message = Message::text(["aaaa bbbb cccc dddd eeee ffff 节点 资源 不足"]);
        let text = super::message(&message, Style { colour: true, width: Some(20) });
        assert!(text.lines().all(|line| shown_width(line) <= 20), "{text}");
    }
}
