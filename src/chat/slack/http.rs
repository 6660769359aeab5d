//! Slack over HTTP: signed requests, verified over their raw bytes before anything is read from them.
//!
//! The order matters: size, then signature and time, then type, then content, then replay. The status says only whether a
//! request is Slack's and was taken; what happens afterwards is never Slack's business.

use super::once::Once;
use super::socket::{Arrived, Envelope};
use crate::chat::front::Receipt;
use crate::settings::Secret;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use serde_json::{Map, Value};
use slack_morphism::signature_verifier::{SlackEventSignatureVerifier, SlackEventSignatureVerifierError};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tower_http::limit::RequestBodyLimitLayer;

/// The largest body that is read; Slack's are far smaller.
pub const BODY_LIMIT: usize = 1024 * 1024;
/// How long a body may take to arrive.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);
/// How long something may take to be taken: Slack waits for three seconds.
const TAKEN_WITHIN: Duration = Duration::from_millis(2_500);

/// Where verified requests go, and what is remembered of them.
#[derive(Clone)]
pub struct Receiver {
    verifier: Arc<SlackEventSignatureVerifier>,
    out: mpsc::Sender<Arrived>,
    signatures: Arc<Mutex<Once>>,
}

/// Why a request is not taken for Slack's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unsigned {
    /// Slack sends UTF-8 only.
    NotText,
    /// There is no signature, or it is of other bytes or another secret.
    Signature,
    /// It was signed more than five minutes ago, or as far ahead.
    Time,
}

/// A signed body, read.
#[derive(Debug, Clone, PartialEq)]
pub enum Content {
    /// To be answered with this challenge.
    Challenge(String),
    /// Slack checks our certificate: nothing to do.
    SslCheck,
    /// An event; comes again where it is not taken.
    Event(Value),
    /// `slash_commands` or `interactive`; comes once.
    Form { kind: &'static str, payload: Value },
}

/// Returns the routes that Slack calls: `/slack/events`, `/slack/commands`, `/slack/interactivity`.
pub fn routes(signing_secret: &Secret, out: mpsc::Sender<Arrived>) -> axum::Router {
    let receiver = Receiver { verifier: Arc::new(verifier(signing_secret)), out, signatures: Arc::default() };
    axum::Router::new()
        .route("/slack/{what}", post(receive))
        .layer(RequestBodyLimitLayer::new(BODY_LIMIT))
        .layer(axum::extract::DefaultBodyLimit::disable())
        .with_state(receiver)
}

/// Returns what checks signatures by a secret.
pub fn verifier(signing_secret: &Secret) -> SlackEventSignatureVerifier {
    SlackEventSignatureVerifier::new(&signing_secret.reveal().to_owned().into())
}

/// Checks that a body is Slack's and fresh, in constant time.
///
/// # Errors
/// Why it is not.
pub fn check_signature(
    verifier: &SlackEventSignatureVerifier,
    signature: &str,
    timestamp: &str,
    body: &[u8],
) -> Result<(), Unsigned> {
    let text = std::str::from_utf8(body).map_err(|_| Unsigned::NotText)?;
    // A number that no clock shows makes the library's subtraction overflow.
    let is_plausible = timestamp.len() <= 12 && timestamp.bytes().all(|c| c.is_ascii_digit());
    if !is_plausible {
        return Err(Unsigned::Time);
    }
    verifier.verify(signature, text, timestamp).map_err(|error| match error {
        SlackEventSignatureVerifierError::IncorrectOrExpiredTimestampError(_) => Unsigned::Time,
        _ => Unsigned::Signature,
    })
}

/// Reads the body of `/slack/{what}`; `None` = malformed.
pub fn read_content(what: &str, body: &[u8]) -> Option<Content> {
    if what == "events" {
        let mut outer: Value = serde_json::from_slice(body).ok()?;
        return match outer["type"].as_str()? {
            "url_verification" => match outer["challenge"].take() {
                Value::String(challenge) => Some(Content::Challenge(challenge)),
                _ => None,
            },
            _ => Some(Content::Event(outer)),
        };
    }
    let fields = form(body)?;
    if fields.get("ssl_check").and_then(Value::as_str) == Some("1") {
        return Some(Content::SslCheck);
    }
    if what == "commands" {
        let is_there = |name: &str| fields.get(name).and_then(Value::as_str).is_some_and(|value| !value.is_empty());
        let is_whole = is_there("user_id") && is_there("channel_id");
        return is_whole.then_some(Content::Form { kind: "slash_commands", payload: Value::Object(fields) });
    }
    let payload: Value = serde_json::from_str(fields.get("payload")?.as_str()?).ok()?;
    payload["type"].is_string().then_some(Content::Form { kind: "interactive", payload })
}

/// Reads a form; `None` where what it encodes is not UTF-8.
fn form(body: &[u8]) -> Option<Map<String, Value>> {
    // The decoder puts U+FFFD where bytes were no text; but a person may paste that sign as well.
    let is_pasted = || {
        let raw = String::from_utf8_lossy(body).to_ascii_uppercase();
        raw.contains("%EF%BF%BD") || raw.contains('\u{fffd}')
    };
    let mut fields = Map::new();
    for (key, value) in url::form_urlencoded::parse(body) {
        if (key.contains('\u{fffd}') || value.contains('\u{fffd}')) && !is_pasted() {
            return None;
        }
        fields.insert(key.into_owned(), Value::String(value.into_owned()));
    }
    Some(fields)
}

async fn receive(
    State(receiver): State<Receiver>,
    Path(what): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let wanted = match what.as_str() {
        "events" => "application/json",
        "commands" | "interactivity" => "application/x-www-form-urlencoded",
        _ => return StatusCode::NOT_FOUND.into_response(),
    };
    let body = match timeout(BODY_TIMEOUT, axum::body::to_bytes(body, BODY_LIMIT)).await {
        Ok(Ok(body)) => body,
        // The only other failure is a connection that broke, where nobody reads the status.
        Ok(Err(_)) => return StatusCode::PAYLOAD_TOO_LARGE.into_response(),
        Err(_) => return StatusCode::REQUEST_TIMEOUT.into_response(),
    };
    receiver.receive(&what, wanted, &headers, &body).await
}

impl Receiver {
    async fn receive(&self, what: &str, wanted: &str, headers: &HeaderMap, body: &[u8]) -> Response {
        let signature = header_text(headers, SlackEventSignatureVerifier::SLACK_SIGNED_HASH_HEADER);
        let timestamp = header_text(headers, SlackEventSignatureVerifier::SLACK_SIGNED_TIMESTAMP);
        match check_signature(&self.verifier, signature, timestamp, body) {
            Ok(()) => {}
            Err(Unsigned::NotText) => return StatusCode::BAD_REQUEST.into_response(),
            Err(why) => {
                tracing::warn!(?why, what, "a request is not slack's");
                return StatusCode::UNAUTHORIZED.into_response();
            }
        }
        let content_type = header_text(headers, header::CONTENT_TYPE.as_str());
        if !content_type.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case(wanted) {
            return StatusCode::UNSUPPORTED_MEDIA_TYPE.into_response();
        }
        match read_content(what, body) {
            None => StatusCode::BAD_REQUEST.into_response(),
            Some(Content::Challenge(challenge)) => ([(header::CONTENT_TYPE, "text/plain")], challenge).into_response(),
            Some(Content::SslCheck) => StatusCode::OK.into_response(),
            Some(Content::Event(payload)) => self.hand_over("events_api", payload).await,
            // Slack sends these once: the same signed bytes again are somebody else's doing.
            Some(Content::Form { .. }) if !self.is_first(signature) => StatusCode::CONFLICT.into_response(),
            Some(Content::Form { kind, payload }) => self.hand_over(kind, payload).await,
        }
    }

    fn is_first(&self, signature: &str) -> bool {
        let mut signatures = self.signatures.lock().unwrap_or_else(PoisonError::into_inner);
        signatures.is_first(&[signature.to_owned()])
    }

    async fn hand_over(&self, kind: &str, payload: Value) -> Response {
        let (receipt, taken) = Receipt::new();
        let envelope = Envelope { kind: kind.to_owned(), payload };
        // Where it is not taken, Slack is told so: an event comes again, and whoever typed a command sees that it failed.
        if self.out.try_send(Arrived { envelope, receipt }).is_err() {
            tracing::warn!(kind, "more comes in than can be handled");
            return StatusCode::TOO_MANY_REQUESTS.into_response();
        }
        match timeout(TAKEN_WITHIN, taken).await {
            Ok(Ok(())) => StatusCode::OK.into_response(),
            Ok(Err(_)) | Err(_) => StatusCode::SERVICE_UNAVAILABLE.into_response(),
        }
    }
}

fn header_text<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests;
