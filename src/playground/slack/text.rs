//! How typed text becomes stored text: Slack's escaping, mentions, links, and the rich text of what people write.

use serde_json::{Value, json};

use super::state::State;

/// Slack cuts longer message texts.
pub const TEXT_CUT: usize = 40_000;

/// Escapes what is not a live construct, as Slack does when it stores a message.
///
/// `<@U…>`, `<#C…>`, `<!…>` and links stay; a lone `&`, `<` or `>` becomes an entity; entities stay as they are.
pub fn stored(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(['&', '<', '>']) {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let taken = match rest.as_bytes()[0] {
            b'<' => construct(rest).unwrap_or(""),
            b'&' => ["&amp;", "&lt;", "&gt;"].into_iter().find(|entity| rest.starts_with(entity)).unwrap_or(""),
            _ => "",
        };
        if taken.is_empty() {
            out.push_str(match rest.as_bytes()[0] {
                b'<' => "&lt;",
                b'>' => "&gt;",
                _ => "&amp;",
            });
            rest = &rest[1..];
        } else {
            out.push_str(taken);
            rest = &rest[taken.len()..];
        }
    }
    out + rest
}

/// Returns the text with its entities turned back into characters.
pub fn unescaped(text: &str) -> String {
    text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
}

/// Stores what a person typed: like [`stored`], and `@name`, `#name` and bare URLs become live as in a client.
pub fn typed(text: &str, state: &State, labelled: bool) -> String {
    let stored = stored(text);
    pieces(&stored)
        .into_iter()
        .map(|piece| match piece {
            Piece::Live(live) => live.to_owned(),
            Piece::Plain(plain) => words(plain, state, labelled),
        })
        .collect()
}

/// Returns the `rich_text` block a client sends with a message that a person typed.
pub fn rich_text(stored: &str, block_id: &str) -> Value {
    let mut elements = Vec::new();
    for (index, part) in stored.split("```").enumerate() {
        let part = if index % 2 == 1 { part.strip_prefix('\n').unwrap_or(part) } else { part };
        if part.is_empty() {
            continue;
        }
        if index % 2 == 1 {
            let text = unescaped(part.strip_suffix('\n').unwrap_or(part));
            elements.push(json!({"type": "rich_text_preformatted", "border": 0,
                "elements": [{"type": "text", "text": text}]}));
        } else {
            elements.push(json!({"type": "rich_text_section", "elements": inline(part)}));
        }
    }
    json!({"type": "rich_text", "block_id": block_id, "elements": elements})
}

/// Cuts a text to at most `most` characters and says whether anything was lost.
pub fn cut(text: &str, most: usize) -> (String, bool) {
    match text.char_indices().nth(most) {
        Some((at, _)) => (text[..at].to_owned(), true),
        None => (text.to_owned(), false),
    }
}

enum Piece<'a> {
    Plain(&'a str),
    Live(&'a str),
}

/// Splits stored text at its live constructs.
fn pieces(text: &str) -> Vec<Piece<'_>> {
    let mut out = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find('<') {
        let live = construct(&rest[at..]).unwrap_or("");
        let end = at + live.len().max(1);
        if live.is_empty() {
            out.push(Piece::Plain(&rest[..end]));
        } else {
            out.push(Piece::Plain(&rest[..at]));
            out.push(Piece::Live(live));
        }
        rest = &rest[end..];
    }
    out.push(Piece::Plain(rest));
    out
}

/// Returns the live construct that `text`, which begins with `<`, opens with.
fn construct(text: &str) -> Option<&str> {
    let end = text.find('>')?;
    let inner = &text[1..end];
    let id = |prefix: char, firsts: &str| {
        inner.strip_prefix(prefix).is_some_and(|id| {
            id.starts_with(|first| firsts.contains(first))
                && id.split('|').next().is_some_and(|id| id.chars().all(|c| c.is_ascii_alphanumeric()))
        })
    };
    let live = id('@', "UWB")
        || id('#', "CGD")
        || inner.starts_with('!')
        || ["https://", "http://", "mailto:", "tel:"].iter().any(|scheme| inner.starts_with(scheme));
    (live && !inner.contains('\n')).then_some(&text[..=end])
}

/// Makes mentions and URLs live in text that holds no live construct.
fn words(plain: &str, state: &State, labelled: bool) -> String {
    plain
        .split_inclusive(char::is_whitespace)
        .map(|word| {
            let bare = word.trim_end();
            let space = &word[bare.len()..];
            if let Some(name) = bare.strip_prefix('@') {
                let name = name.trim_end_matches([',', '.', ':', '?', '!']);
                let tail = &bare[1 + name.len()..];
                if let Some(user) = state.users.values().find(|user| user.name == name) {
                    let label = if labelled { format!("|{name}") } else { String::new() };
                    return format!("<@{}{label}>{tail}{space}", user.id);
                }
            } else if let Some(name) = bare.strip_prefix('#') {
                if let Some(channel) = state.channels.values().find(|channel| channel.name == name) {
                    let label = if channel.is_private { "" } else { name };
                    return format!("<#{}|{label}>{space}", channel.id);
                }
            } else if bare.starts_with("https://") || bare.starts_with("http://") {
                return format!("<{bare}>{space}");
            }
            word.to_owned()
        })
        .collect()
}

/// Returns the inline elements of a stretch of stored text outside code fences.
fn inline(text: &str) -> Vec<Value> {
    let mut out = Vec::new();
    for (index, part) in text.split('`').enumerate() {
        if index % 2 == 1 && !part.is_empty() {
            out.push(json!({"type": "text", "text": unescaped(part), "style": {"code": true}}));
            continue;
        }
        for piece in pieces(part) {
            match piece {
                Piece::Plain("") => {}
                Piece::Plain(plain) => out.push(json!({"type": "text", "text": unescaped(plain)})),
                Piece::Live(live) => out.push(live_element(&live[1..live.len() - 1])),
            }
        }
    }
    out
}

fn live_element(inner: &str) -> Value {
    let (target, label) = inner.split_once('|').unwrap_or((inner, ""));
    if let Some(user) = target.strip_prefix('@') {
        json!({"type": "user", "user_id": user})
    } else if let Some(channel) = target.strip_prefix('#') {
        json!({"type": "channel", "channel_id": channel})
    } else if let Some(group) = target.strip_prefix("!subteam^") {
        json!({"type": "usergroup", "usergroup_id": group})
    } else if let Some(range) = target.strip_prefix('!') {
        json!({"type": "broadcast", "range": range})
    } else if label.is_empty() {
        json!({"type": "link", "url": unescaped(target)})
    } else {
        json!({"type": "link", "url": unescaped(target), "text": unescaped(label)})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_live_constructs_stay_live() {
        assert_eq!(
            stored("<@U0ALICE> a < b && c > d &amp; <!here>"),
            "<@U0ALICE> a &lt; b &amp;&amp; c &gt; d &amp; <!here>"
        );
        assert_eq!(
            stored("<none> <https://x.example|x> <@nobody>"),
            "&lt;none&gt; <https://x.example|x> &lt;@nobody&gt;"
        );
    }

    #[test]
    fn typed_names_become_mentions() {
        let state = State::new();
        assert_eq!(typed("@podoctor, why? #team-a", &state, false), "<@U0PODOCTOR>, why? <#C0TEAMA|team-a>");
        assert_eq!(typed("@alice", &state, true), "<@U0ALICE|alice>");
        assert_eq!(typed("see https://a.example/x me@host", &state, false), "see <https://a.example/x> me@host");
    }

    #[test]
    fn fences_become_preformatted_text() {
        let block = rich_text("<@U0PODOCTOR> `x`\n```\na &lt; b\n```", "b");
        assert_eq!(block["elements"][0]["elements"][0], json!({"type": "user", "user_id": "U0PODOCTOR"}));
        assert_eq!(block["elements"][0]["elements"][2], json!({"type": "text", "text": "x", "style": {"code": true}}));
        assert_eq!(block["elements"][1]["elements"][0]["text"], "a < b");
    }

    #[test]
    fn cutting_counts_characters() {
        assert_eq!(cut("äöü", 2), ("äö".to_owned(), true));
        assert_eq!(cut("äöü", 3), ("äöü".to_owned(), false));
    }
}
