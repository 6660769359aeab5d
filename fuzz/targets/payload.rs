//! Whatever comes in at Slack's addresses: nothing unsigned is taken, and what is signed is read without a panic.

use podoctor::chat::command;
use podoctor::chat::front::What;
use podoctor::chat::slack::http::{self, Content};
use podoctor::chat::slack::payload::{self, Me};
use podoctor::settings::Secret;
use serde_json::Value;

/// The longest text that a message is read to.
const TEXT_LIMIT: usize = 200_000;

/// Takes the bytes for a body of every address. The first line may be a time, the second a signature.
pub fn check(data: &[u8]) {
    signature(data);
    for what in ["events", "commands", "interactivity"] {
        match http::read_content(what, data) {
            Some(Content::Event(value) | Content::Form { payload: value, .. }) => read(&value),
            Some(Content::Challenge(_) | Content::SslCheck) | None => {}
        }
    }
    if let Ok(value) = serde_json::from_slice(data) {
        read(&value);
    }
    if let Ok(text) = std::str::from_utf8(data) {
        let said = payload::decoded(text);
        assert!(said.len() <= text.len(), "grows: {said}");
    }
}

fn signature(data: &[u8]) {
    let verifier = http::verifier(&Secret::new("8f742231b10e8888abcd99yyyzzz85a5"));
    let mut lines = data.splitn(3, |byte| *byte == b'\n');
    let mut line = || String::from_utf8_lossy(lines.next().unwrap_or_default()).into_owned();
    let (time, signature) = (line(), line());
    // The time of the signature is long over, and no other can be made without the secret.
    assert!(http::check_signature(&verifier, &signature, &time, data).is_err(), "taken: {time} {signature}");
}

fn read(value: &Value) {
    let me = Me { user_id: "U0PODOCTOR".into(), bot_id: "B0PODOCTOR".into(), team_id: "T0TRY".into() };
    for delivered in [payload::event(value, &me), payload::command(value), payload::interaction(value)] {
        let Some(delivered) = delivered else { continue };
        let incoming = &delivered.incoming;
        assert!(!incoming.person.id.is_empty() && incoming.person.id != me.user_id, "nobody: {incoming:?}");
        assert!(!incoming.place.channel.is_empty(), "nowhere: {incoming:?}");
        match &incoming.what {
            What::Command { text } => drop(command::parse(text)),
            What::Mention { text, .. } | What::Shortcut { text, .. } => drop(command::parse_mention(text)),
            What::Click { .. } | What::Reaction { .. } | What::HomeOpened => {}
        }
    }
    assert!(payload::whole_text(value).chars().count() <= TEXT_LIMIT);
}
