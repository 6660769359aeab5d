//! Slack over HTTP: signed requests, verified over their raw bytes before anything is read from them.
//!
//! The order matters: size, then type, then signature and time, then replay, then content. Only the signature's failure
//! and the shape of a request are told by the status; what happens afterwards is never Slack's business.

use super::once::Once;
use super::socket::Envelope;
use crate::settings::Secret;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use serde_json::Value;
use slack_morphism::signature_verifier::SlackEventSignatureVerifier;
use std::sync::{Arc, Mutex};
use tokio::sync::mpsc;
use tower_http::limit::RequestBodyLimitLayer;

/// The largest body that is read; Slack's are far smaller.
pub const BODY_LIMIT: usize = 1024 * 1024;

/// Where verified requests go, and what is remembered of them.
#[derive(Clone)]
pub struct Receiver {
    verifier: Arc<SlackEventSignatureVerifier>,
    out: mpsc::Sender<Envelope>,
    signatures: Arc<Mutex<Once>>,
}

/// Returns the routes that Slack calls: `/slack/events`, `/slack/commands`, `/slack/interactivity`.
pub fn routes(signing_secret: &Secret, out: mpsc::Sender<Envelope>) -> axum::Router {
    let receiver = Receiver {
        verifier: Arc::new(SlackEventSignatureVerifier::new(&signing_secret.reveal().to_owned().into())),
        out,
        signatures: Arc::default(),
    };
    axum::Router::new()
        .route("/slack/{what}", post(receive))
        .layer(RequestBodyLimitLayer::new(BODY_LIMIT))
        .layer(axum::extract::DefaultBodyLimit::disable())
        .with_state(receiver)
}

async fn receive(
    State(receiver): State<Receiver>,
    Path(what): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    receiver.receive(&what, &headers, &body)
}

impl Receiver {
    fn receive(&self, what: &str, headers: &HeaderMap, body: &[u8]) -> Response {
        let wanted = match what {
            "events" => "application/json",
            "commands" | "interactivity" => "application/x-www-form-urlencoded",
            _ => return StatusCode::NOT_FOUND.into_response(),
        };
        let signed = match self.verified(headers, body) {
            Ok(signature) => signature,
            Err(status) => return status.into_response(),
        };
        let content_type = header_text(headers, header::CONTENT_TYPE.as_str()).unwrap_or_default();
        if content_type.split(';').next().unwrap_or_default().trim() != wanted {
            return StatusCode::UNSUPPORTED_MEDIA_TYPE.into_response();
        }
        match what {
            "events" => self.event(body),
            _ => self.form(what, body, &signed),
        }
    }

    /// Returns the signature of a request that is Slack's and fresh.
    fn verified(&self, headers: &HeaderMap, body: &[u8]) -> Result<String, StatusCode> {
        let hash = header_text(headers, SlackEventSignatureVerifier::SLACK_SIGNED_HASH_HEADER)
            .ok_or(StatusCode::UNAUTHORIZED)?;
        let time = header_text(headers, SlackEventSignatureVerifier::SLACK_SIGNED_TIMESTAMP)
            .ok_or(StatusCode::UNAUTHORIZED)?;
        // Slack sends UTF-8 only; the verifier takes text.
        let text = std::str::from_utf8(body).map_err(|_| StatusCode::BAD_REQUEST)?;
        self.verifier.verify(hash, text, time).map_err(|_| StatusCode::UNAUTHORIZED)?;
        Ok(hash.to_owned())
    }

    fn event(&self, body: &[u8]) -> Response {
        let Ok(mut outer) = serde_json::from_slice::<Value>(body) else {
            return StatusCode::BAD_REQUEST.into_response();
        };
        match outer["type"].as_str() {
            Some("url_verification") => match outer["challenge"].take() {
                Value::String(challenge) => ([(header::CONTENT_TYPE, "text/plain")], challenge).into_response(),
                _ => StatusCode::BAD_REQUEST.into_response(),
            },
            Some(_) => self.hand_over("events_api", outer),
            None => StatusCode::BAD_REQUEST.into_response(),
        }
    }

    fn form(&self, what: &str, body: &[u8], signature: &str) -> Response {
        let fields: serde_json::Map<String, Value> = url::form_urlencoded::parse(body)
            .map(|(key, value)| (key.into_owned(), Value::String(value.into_owned())))
            .collect();
        if fields.get("ssl_check").and_then(Value::as_str) == Some("1") {
            return StatusCode::OK.into_response();
        }
        let (kind, payload) = if what == "commands" {
            if !fields.contains_key("user_id") || !fields.contains_key("channel_id") {
                return StatusCode::BAD_REQUEST.into_response();
            }
            ("slash_commands", Value::Object(fields))
        } else {
            let payload =
                fields.get("payload").and_then(Value::as_str).and_then(|text| serde_json::from_str::<Value>(text).ok());
            match payload.filter(Value::is_object) {
                Some(payload) => ("interactive", payload),
                None => return StatusCode::BAD_REQUEST.into_response(),
            }
        };
        // Slack sends these once: the same signed bytes again are somebody else's doing.
        let first = self.signatures.lock().is_ok_and(|mut seen| seen.is_first(&[signature.to_owned()]));
        if !first {
            return StatusCode::CONFLICT.into_response();
        }
        self.hand_over(kind, payload)
    }

    fn hand_over(&self, kind: &str, payload: Value) -> Response {
        match self.out.try_send(Envelope { kind: kind.to_owned(), payload }) {
            Ok(()) => StatusCode::OK.into_response(),
            // Not taken: an event comes again, and a person sees that their command failed.
            Err(_) => StatusCode::SERVICE_UNAVAILABLE.into_response(),
        }
    }
}

fn header_text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}
