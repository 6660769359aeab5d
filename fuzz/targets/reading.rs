//! Whatever a kubelet, a runtime, a program's log says: it is read, blanked and drawn; no secret and no mention gets out.

use podoctor::chat::slack::draw::{self, Drawn};
use podoctor::diagnosis::Catalogue;
use podoctor::facts::reading as read;
use podoctor::facts::{evidence, quantity};
use podoctor::redact::redact;
use podoctor::render::message::{Action, ActionStyle, Message, Part, Span};
use serde_json::Value;

/// A secret of each shape, and the part of it that nobody may see.
const SECRETS: [(&str, &str); 3] = [
    ("xoxb-1111111111-pLaNtEdToKeN", "pLaNtEdToKeN"),
    ("https://bob:pLaNtEdPaSs@db.example/x", "pLaNtEdPaSs"),
    ("DB_PASSWORD=pLaNtEdPaIr", "pLaNtEdPaIr"),
];

/// Reads the text as a message of every kind, as a log, and as something to be said.
pub fn check(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    readings(text);
    pasted(text);
    secrets(text);
    drawing(text);
}

/// A person may paste anything.
fn pasted(text: &str) {
    let now = jiff::Timestamp::UNIX_EPOCH;
    if let Some(paste) = podoctor::gather::pasted::read(text, now)
        && let Some(target) = &paste.target
    {
        let _ = podoctor::question::answer(&paste.world, now, target, &Catalogue::default());
    }
}

fn readings(text: &str) {
    let _ = read::admission::read(text);
    let _ = read::app_log::decisive("app", text);
    let _ = read::app_log::complaint(text);
    let _ = (read::image::pull_failure(text), read::image::names_no_cause(text), read::image::pause_image(text));
    let _ = (read::image::registry(text), read::image::repository(text), read::image::tag(text));
    let _ = (read::image::unresolved_host(text), read::image::dialled(text));
    let _ = (read::kernel::no_space(text), read::kernel::no_memory(text), read::kernel::died_in_start(text));
    let _ = read::kernel::memory_limit_too_small(text);
    let _ = (read::listening::listens("app", text), read::listening::is_still_starting(text));
    let _ = (read::listening::is_up(text), read::listening::names_loopback(text));
    let _ = read::log_error::read(text);
    let _ = (read::mount::mount_error(text), read::mount::missing_source(text), read::mount::attach_error(text));
    let _ = (read::places::peer(text), read::places::path(text));
    let _ = (read::probe::unhealthy(text), read::probe::kill(text));
    let _ = (read::runtime::is_start_failure(text), read::runtime::start_failure(text));
    let _ = (read::sandbox::sandbox_failure(text), read::sandbox::plugin(text));
    let _ = read::sandbox::cni(&text.to_lowercase());
    let _ = read::scheduler::read(text);
    let _ = read::shell::complaint(text, &text.to_lowercase());
    let _ = read::text::unescaped(text);
    if let Some(value) = quantity::parse(text) {
        assert!(value.is_finite(), "{text} is {value}");
        let _ = (quantity::bytes(value), quantity::cores(value));
    }
    assert!(evidence::shorten(text, 80).len() <= 80, "not cut");
}

fn secrets(text: &str) {
    let clean = redact(text);
    assert_eq!(redact(&clean), clean, "blanked twice it changes");
    let middle = text.char_indices().nth(text.chars().count() / 2).map_or(0, |(at, _)| at);
    let (before, after) = text.split_at(middle);
    for (planted, secret) in SECRETS {
        let clean = redact(&format!("{before}\n{planted}\n{after}"));
        assert!(!clean.contains(secret), "{planted} is seen in {clean}");
    }
}

fn drawing(text: &str) {
    let part = || text.to_owned();
    let message = Message {
        parts: vec![
            Part::Lines(vec![vec![Span::Plain(part()), Span::Strong(part())], vec![Span::Code(part())]]),
            Part::Heading(vec![Span::Plain(part())]),
            Part::Quote { origin: vec![Span::Code(part())], text: part() },
            Part::Code(part()),
            Part::Small(vec![Span::Plain(part())]),
        ],
        actions: vec![Action { id: part(), value: part(), label: part(), style: ActionStyle::Plain }],
    };
    fits(&draw::draw(&message));
}

/// Holds a drawn message against Slack's limits, and looks for what would ring or lead somewhere.
fn fits(drawn: &Drawn) {
    for page in std::iter::once(&drawn.first).chain(&drawn.more) {
        assert!(page.blocks.len() <= draw::MAX_BLOCKS, "{} blocks", page.blocks.len());
        let size: usize = page.blocks.iter().map(draw::size).sum();
        // Each block's id, by which Slack tells a changed one, comes on top.
        assert!(size <= draw::BUDGET + draw::MAX_BLOCKS * 40, "{size} characters");
        assert!(!page.text.contains(['<', '>']), "live: {}", page.text);
        page.blocks.iter().for_each(is_quiet);
    }
}

fn is_quiet(value: &Value) {
    match value {
        Value::Array(values) => values.iter().for_each(is_quiet),
        Value::Object(fields) => {
            let kind = value["type"].as_str().unwrap_or_default();
            assert!(!matches!(kind, "user" | "usergroup" | "broadcast" | "channel" | "link" | "mrkdwn"), "{value}");
            fields.values().for_each(is_quiet);
        }
        _ => {}
    }
}
