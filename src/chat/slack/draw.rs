//! A message as Slack takes it: blocks, and the plain text of its notification.
//!
//! Outside text stands only in `rich_text`, which Slack never parses: nothing in it can mention, link or style. Secrets
//! are taken out here, so that no path to Slack goes around it. Every limit is kept by construction; what does not fit is
//! cut with a mark, and the whole text is handed back for a file.

use crate::redact::redact;
use crate::render::message::{Action, ActionStyle, Line, Message, Part, Span};
use serde_json::{Value, json};

/// The most blocks a message may hold.
pub const MAX_BLOCKS: usize = 50;
/// The budget for all text of a message, in bytes as Slack stores it: beyond about 13,200 it answers `msg_blocks_too_long`.
const TEXT_BUDGET: usize = 9_000;
/// The most characters of one text element; a section's limit, which rich text is not documented to pass either.
const ELEMENT_LIMIT: usize = 2_900;
/// The most characters of the notification: two lines, and well below the 4,000 of `chat.update`.
const NOTIFICATION_LIMIT: usize = 600;
const BUTTON_LIMIT: usize = 75;
const VALUE_LIMIT: usize = 2_000;
const ID_LIMIT: usize = 255;
/// The most buttons of one actions block.
const MAX_BUTTONS: usize = 25;

/// A message, drawn.
#[derive(Debug, Clone, PartialEq)]
pub struct Drawn {
    /// Top-level text: the notification and what screen readers say.
    pub text: String,
    pub blocks: Vec<Value>,
    /// The whole message as plain text, where it did not fit.
    pub overflow: Option<String>,
}

/// Draws a message.
pub fn draw(message: &Message) -> Drawn {
    let mut room = Room { left: TEXT_BUDGET, cut: false };
    let mut blocks = Vec::new();
    // One block is kept for the buttons.
    let most = MAX_BLOCKS - usize::from(!message.actions.is_empty());
    for part in &message.parts {
        if blocks.len() == most || room.left < 40 {
            room.cut = true;
            break;
        }
        let elements = part_elements(part, &mut room);
        if elements.is_empty() {
            continue;
        }
        if let Part::Small(line) = part {
            blocks.push(small(line, blocks.len()));
        } else {
            blocks.push(json!({"type": "rich_text", "block_id": format!("b{}", blocks.len()), "elements": elements}));
        }
    }
    if room.cut && !blocks.is_empty() {
        let text = "… cut here; the whole text is in the file below";
        let block = json!({"type": "context", "block_id": "cut", "elements": [{"type": "plain_text", "text": text, "emoji": false}]});
        if blocks.len() >= most {
            blocks.truncate(most - 1);
        }
        blocks.push(block);
    }
    if !message.actions.is_empty() {
        let buttons: Vec<Value> = message.actions.iter().take(MAX_BUTTONS).map(button).collect();
        blocks.push(json!({"type": "actions", "block_id": "actions", "elements": buttons}));
    }
    Drawn { text: notification(message), blocks, overflow: room.cut.then(|| plain_text(message)) }
}

/// Returns the first two lines, with nothing live in them.
pub fn notification(message: &Message) -> String {
    let lines: Vec<String> = message
        .parts
        .iter()
        .flat_map(|part| match part {
            Part::Heading(line) | Part::Small(line) => vec![line_text(line)],
            Part::Lines(lines) => lines.iter().map(line_text).collect(),
            Part::Quote { text, .. } | Part::Code(text) => text.lines().map(cleaned).collect(),
        })
        .filter(|line| !line.trim().is_empty())
        .take(2)
        .collect();
    let text = lines.join("\n");
    let text = if text.is_empty() { "podoctor".to_owned() } else { text };
    let mut out = String::new();
    for c in text.chars() {
        let piece = literal(c);
        if out.chars().count() + piece.chars().count() > NOTIFICATION_LIMIT {
            out.push('…');
            break;
        }
        out.push_str(&piece);
    }
    out
}

/// Returns a message as plain text, for a file.
pub fn plain_text(message: &Message) -> String {
    let mut out = String::new();
    for part in &message.parts {
        match part {
            Part::Heading(line) => out.push_str(&format!("\n{}\n", line_text(line))),
            Part::Small(line) => out.push_str(&format!("{}\n", line_text(line))),
            Part::Lines(lines) => lines.iter().for_each(|line| out.push_str(&format!("{}\n", line_text(line)))),
            Part::Quote { origin, text } => {
                out.push_str(&format!("{}\n", line_text(origin)));
                block_text(text).lines().for_each(|line| out.push_str(&format!("    {line}\n")));
            }
            Part::Code(text) => block_text(text).lines().for_each(|line| out.push_str(&format!("    {line}\n"))),
        }
    }
    out
}

/// What is left of a message's budget.
struct Room {
    left: usize,
    cut: bool,
}

impl Room {
    /// Returns as much of a text as fits, cut at a character with a mark.
    fn fit(&mut self, text: String) -> String {
        let limit = self.left.min(ELEMENT_LIMIT);
        let size = |text: &str| text.chars().map(stored_size).sum::<usize>();
        let whole = size(&text);
        if whole <= limit {
            self.left -= whole;
            return text;
        }
        self.cut = true;
        let mut out = String::new();
        let mut used = 3;
        for c in text.chars() {
            used += stored_size(c);
            if used > limit {
                break;
            }
            out.push(c);
        }
        out.push('…');
        self.left = self.left.saturating_sub(used.min(limit));
        out
    }
}

/// Returns the bytes that Slack counts for a character: entities are stored escaped.
fn stored_size(c: char) -> usize {
    match c {
        '&' => 5,
        '<' | '>' => 4,
        '"' | '\\' | '\n' => 2,
        c => c.len_utf8(),
    }
}

fn part_elements(part: &Part, room: &mut Room) -> Vec<Value> {
    match part {
        Part::Heading(line) => {
            let spans: Line = line.iter().map(strong).collect();
            section(&[spans], room)
        }
        Part::Lines(lines) => section(lines, room),
        Part::Quote { origin, text } => {
            let mut elements = section(std::slice::from_ref(origin), room);
            elements.extend(preformatted(text, room));
            elements
        }
        Part::Code(text) => preformatted(text, room).into_iter().collect(),
        Part::Small(line) => section(std::slice::from_ref(line), room),
    }
}

fn strong(span: &Span) -> Span {
    match span {
        Span::Plain(text) => Span::Strong(text.clone()),
        other => other.clone(),
    }
}

/// Returns one `rich_text_section` of lines.
fn section(lines: &[Line], room: &mut Room) -> Vec<Value> {
    let mut elements = Vec::new();
    for (i, line) in lines.iter().enumerate() {
        if i > 0 {
            elements.push(json!({"type": "text", "text": "\n"}));
        }
        for span in line {
            if room.left < 8 {
                room.cut = true;
                break;
            }
            elements.extend(span_element(span, room));
        }
    }
    if elements.is_empty() { Vec::new() } else { vec![json!({"type": "rich_text_section", "elements": elements})] }
}

fn span_element(span: &Span, room: &mut Room) -> Option<Value> {
    let styled = |text: &str, style: Option<&str>, room: &mut Room| {
        let text = room.fit(cleaned(text));
        if text.is_empty() {
            return None;
        }
        Some(match style {
            Some(style) => json!({"type": "text", "text": text, "style": {style: true}}),
            None => json!({"type": "text", "text": text}),
        })
    };
    match span {
        Span::Plain(text) => styled(text, None, room),
        Span::Strong(text) => styled(text, Some("bold"), room),
        Span::Code(text) => styled(text, Some("code"), room),
        Span::Time(at) => {
            room.left = room.left.saturating_sub(80);
            let fallback = at.strftime("%Y-%m-%d %H:%M UTC").to_string();
            Some(
                json!({"type": "date", "timestamp": at.as_second(), "format": "{date_short_pretty} {time}", "fallback": fallback}),
            )
        }
        Span::Person(id) if is_user_id(id) => {
            room.left = room.left.saturating_sub(40);
            Some(json!({"type": "user", "user_id": id}))
        }
        Span::Person(id) => styled(id, None, room),
        Span::Link { url, label } if url.starts_with("https://") && url.len() < 2_000 => {
            room.left = room.left.saturating_sub(url.len());
            Some(json!({"type": "link", "url": url, "text": room.fit(cleaned(label))}))
        }
        Span::Link { label, .. } => styled(label, None, room),
    }
}

fn preformatted(text: &str, room: &mut Room) -> Option<Value> {
    let text = room.fit(block_text(text));
    (!text.trim().is_empty())
        .then(|| json!({"type": "rich_text_preformatted", "elements": [{"type": "text", "text": text}]}))
}

/// Small print stands in a context block. Where it holds a person or a time it needs mrkdwn, so everything else in it is
/// made literal.
fn small(line: &Line, index: usize) -> Value {
    let mut text = String::new();
    for span in line {
        match span {
            Span::Time(at) => text.push_str(&format!(
                "<!date^{}^{{date_short_pretty}} {{time}}|{}>",
                at.as_second(),
                at.strftime("%Y-%m-%d %H:%M UTC")
            )),
            Span::Person(id) if is_user_id(id) => text.push_str(&format!("<@{id}>")),
            other => cleaned(&span_text(other)).chars().for_each(|c| text.push_str(&literal(c))),
        }
        if text.chars().count() > ELEMENT_LIMIT - 400 {
            break;
        }
    }
    json!({"type": "context", "block_id": format!("b{index}"),
        "elements": [{"type": "mrkdwn", "text": if text.is_empty() { "·".to_owned() } else { text }, "verbatim": true}]})
}

fn button(action: &Action) -> Value {
    let mut button = json!({
        "type": "button",
        "action_id": cut(&action.id, ID_LIMIT),
        "value": cut(&action.value, VALUE_LIMIT),
        "text": {"type": "plain_text", "text": cut(&cleaned(&action.label), BUTTON_LIMIT), "emoji": false},
    });
    match action.style {
        ActionStyle::Plain => {}
        ActionStyle::Primary => button["style"] = json!("primary"),
        ActionStyle::Danger => button["style"] = json!("danger"),
    }
    button
}

fn line_text(line: &Line) -> String {
    line.iter().map(|span| cleaned(&span_text(span))).collect()
}

fn span_text(span: &Span) -> String {
    match span {
        Span::Plain(text) | Span::Strong(text) | Span::Code(text) | Span::Person(text) => text.clone(),
        Span::Time(at) => at.strftime("%Y-%m-%d %H:%M UTC").to_string(),
        Span::Link { label, .. } => label.clone(),
    }
}

/// Returns one line without secrets and without what could steer a reader's eye.
fn cleaned(text: &str) -> String {
    let text: String =
        text.chars().map(|c| if matches!(c, '\n' | '\r' | '\t') { ' ' } else { c }).filter(|c| visible(*c)).collect();
    redact(&text)
}

/// Returns lines without secrets and without what could steer a reader's eye.
fn block_text(text: &str) -> String {
    let text: String = text.chars().filter(|c| *c == '\n' || *c == '\t' || visible(*c)).collect();
    redact(text.trim_end())
}

fn visible(c: char) -> bool {
    !c.is_control()
        && !matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}' | '\u{2028}' | '\u{2029}' | '\u{feff}')
}

/// Returns a character so that mrkdwn shows it and does nothing: entities escaped, signs of style broken by a blank of no
/// width.
fn literal(c: char) -> String {
    match c {
        '&' => "&amp;".to_owned(),
        '<' => "&lt;".to_owned(),
        '>' => "&gt;".to_owned(),
        '*' | '_' | '~' | '`' | '@' | '#' | ':' => format!("{c}\u{200b}"),
        c => c.to_string(),
    }
}

fn is_user_id(id: &str) -> bool {
    id.starts_with(['U', 'W']) && id.len() <= 32 && id.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit())
}

fn cut(text: &str, limit: usize) -> String {
    if text.chars().count() <= limit { text.to_owned() } else { text.chars().take(limit - 1).chain(['…']).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn all_text(value: &Value, out: &mut Vec<String>) {
        match value {
            Value::String(text) => out.push(text.clone()),
            Value::Array(values) => values.iter().for_each(|value| all_text(value, out)),
            Value::Object(fields) => fields.values().for_each(|value| all_text(value, out)),
            _ => {}
        }
    }

    #[test]
    fn an_event_cannot_ping_the_channel() {
        let message =
            Message::text(["<!channel> & <@U0BOB> `x` *y*"]).with(Part::Small(vec![Span::Plain("<!here> *b*".into())]));
        let drawn = draw(&message);
        assert_eq!(
            drawn.text.lines().next(),
            Some("&lt;!channel&gt; &amp; &lt;@\u{200b}U0BOB&gt; `\u{200b}x`\u{200b} *\u{200b}y*\u{200b}")
        );
        assert_eq!(drawn.blocks[0]["elements"][0]["elements"][0]["text"], "<!channel> & <@U0BOB> `x` *y*");
        assert_eq!(drawn.blocks[1]["elements"][0]["text"], "&lt;!here&gt; *\u{200b}b*\u{200b}");
    }

    #[test]
    fn a_long_log_is_cut_and_handed_back_whole() {
        let message = Message::text(["one", "two"]).with(Part::Code("x".repeat(20_000)));
        let drawn = draw(&message);
        assert!(drawn.overflow.unwrap().len() > 20_000);
        assert!(serde_json::to_string(&drawn.blocks).unwrap().len() < 12_000);
        assert_eq!(drawn.blocks.last().unwrap()["block_id"], "cut");
    }

    fn spans() -> impl Strategy<Value = Line> {
        prop::collection::vec(
            prop_oneof![
                "\\PC{0,300}".prop_map(Span::Plain),
                "(<!channel>|<@U1>|<#C1>|`|&|<|>|\\PC){0,60}".prop_map(Span::Plain),
                "\\PC{0,60}".prop_map(Span::Strong),
                "\\PC{0,60}".prop_map(Span::Code),
                "\\PC{0,20}".prop_map(Span::Person),
                Just(Span::Time("2026-11-24T10:00:00Z".parse().unwrap())),
            ],
            0..4,
        )
    }

    fn parts() -> impl Strategy<Value = Part> {
        prop_oneof![
            spans().prop_map(Part::Heading),
            prop::collection::vec(spans(), 0..6).prop_map(Part::Lines),
            (spans(), "[\\PC\n]{0,4000}").prop_map(|(origin, text)| Part::Quote { origin, text }),
            "[\\PC\n]{0,4000}".prop_map(Part::Code),
            spans().prop_map(Part::Small),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn every_message_fits_and_nothing_in_it_is_live(parts in prop::collection::vec(parts(), 0..60)) {
            let message = Message { parts, actions: vec![Action { id: "a".into(), value: "v".repeat(3_000), label: "l".repeat(100), style: ActionStyle::Danger }] };
            let drawn = draw(&message);
            prop_assert!(drawn.blocks.len() <= MAX_BLOCKS);
            prop_assert!(!drawn.text.is_empty() && drawn.text.chars().count() <= NOTIFICATION_LIMIT + 1);
            prop_assert!(!drawn.text.contains('<') && !drawn.text.contains('>'));
            let mut ids: Vec<_> = drawn.blocks.iter().map(|b| b["block_id"].as_str().unwrap().to_owned()).collect();
            ids.sort(); ids.dedup();
            prop_assert_eq!(ids.len(), drawn.blocks.len());
            let size: usize = { let mut t = Vec::new(); all_text(&Value::Array(drawn.blocks.clone()), &mut t); t.iter().map(String::len).sum() };
            prop_assert!(size < 40_000, "{}", size);
            for block in &drawn.blocks {
                if block["type"] == "context" && block["elements"][0]["type"] == "mrkdwn" {
                    let text = block["elements"][0]["text"].as_str().unwrap();
                    let live = text.replace("<!date^", "");
                    prop_assert!(!live.contains("<!") && !live.contains("<#"), "{}", text);
                    prop_assert!(text.chars().count() <= 3_000);
                }
            }
        }

        #[test]
        fn no_planted_secret_leaves(secret in "[A-Za-z0-9]{12}[0-9][A-Za-z0-9]{8}") {
            let line = format!("connect postgres://u:{secret}@db/x DB_PASSWORD={secret}");
            let message = Message::text([line.clone()]).with(Part::Code(line.clone())).with(Part::Small(vec![Span::Plain(line)]));
            let drawn = draw(&message);
            let shown = format!("{drawn:?}");
            prop_assert!(!shown.contains(&secret));
        }
    }
}
