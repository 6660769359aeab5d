//! Messages as Markdown, for issues, wikis and chats that podoctor does not speak.

use super::message::{Line, Message, Part, Reply, Span};

/// Returns a reply as Markdown: the parent, then its thread.
pub fn reply(reply: &Reply) -> String {
    std::iter::once(&reply.parent).chain(&reply.thread).map(message).collect::<Vec<_>>().join("\n")
}

/// Returns a message as Markdown.
pub fn message(message: &Message) -> String {
    let mut out = String::new();
    for part in &message.parts {
        match part {
            Part::Heading(line) => out.push_str(&format!("\n### {}\n\n", drawn(line))),
            Part::Lines(lines) => {
                for line in lines {
                    out.push_str(&drawn(line));
                    // Two blanks: a line break that keeps the paragraph together.
                    out.push_str("  \n");
                }
            }
            Part::Quote { origin, text } => out.push_str(&format!("\n{}\n\n{}\n", drawn(origin), fenced(text))),
            Part::Code(text) => out.push_str(&format!("\n{}\n", fenced(text))),
            Part::Small(line) => out.push_str(&format!("\n<sub>{}</sub>\n", drawn(line))),
        }
    }
    out
}

fn drawn(line: &Line) -> String {
    line.iter()
        .map(|span| match span {
            Span::Plain(text) | Span::Person(text) => escaped(text),
            Span::Strong(text) => format!("**{}**", escaped(text)),
            Span::Code(text) => format!("`{}`", text.replace(['`', '\n', '\r'], " ")),
            Span::Time(at) => at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string(),
            Span::Link { url, label } => format!("[{}]({url})", escaped(label)),
        })
        .collect()
}

/// Returns text that Markdown shows as it is.
pub fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' | '\r' => out.push(' '),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '#' | '|' | '~' | '@' => {
                out.push('\\');
                out.push(c);
            }
            c if c.is_control() => {}
            c => out.push(c),
        }
    }
    out
}

/// Returns a fenced block whose fence is longer than any in the text.
fn fenced(text: &str) -> String {
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest.max(2) + 1);
    format!("{fence}\n{}\n{fence}", text.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outside_text_stays_text() {
        let message = Message::text(["<script> @team [x](y)"]).with(Part::Code("```\nrm".to_owned()));
        let text = super::message(&message);
        assert!(text.contains(r"&lt;script&gt; \@team \[x\](y)"), "{text}");
        assert!(text.contains("````\n```\nrm\n````"), "{text}");
    }
}
