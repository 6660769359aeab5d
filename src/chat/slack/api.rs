//! Slack's Web API over reqwest: one call, its errors sorted by what may be done about them.
//!
//! Why an own call and not slack-morphism's client: decoding a reply into its models turns an HTML page into success for
//! methods without fields, and a successful `chat.postMessage` whose reply does not fit the model into an error — after
//! which nobody may post again. Here a reply is raw JSON, and only the few fields needed are read.

use crate::chat::front::FrontError;
use crate::metrics::{Call, Metrics};
use crate::settings::Secret;
use reqwest::StatusCode;
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;

/// Slack answers within seconds or not at all.
const TIMEOUT: Duration = Duration::from_secs(10);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(4);
const IDLE: Duration = Duration::from_secs(30);
/// How long to wait after a 429 that does not say.
const DEFAULT_RETRY_AFTER: Duration = Duration::from_secs(1);

/// A client of the Web API with one token.
#[derive(Clone)]
pub struct Api {
    http: reqwest::Client,
    base: String,
    token: Secret,
    metrics: Arc<Metrics>,
}

/// A failed call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CallError {
    /// Slack asks to wait; nothing was done.
    RateLimited(Duration),
    /// Slack says no, with its own code.
    Refused { code: String, needed: Option<String> },
    /// Nothing was sent: it may be tried again.
    NotSent(String),
    /// It was sent; whether it was done is not known.
    Unknown(String),
}

impl Api {
    /// Returns a client for `base` (such as `https://slack.com/api`).
    ///
    /// # Errors
    /// Where no TLS can be set up.
    pub fn new(base: &str, token: Secret) -> Result<Self, reqwest::Error> {
        let http = reqwest::Client::builder()
            .timeout(TIMEOUT)
            .connect_timeout(CONNECT_TIMEOUT)
            // A connection that Slack may have closed meanwhile makes a request's fate unknown.
            .pool_idle_timeout(IDLE)
            .user_agent(concat!("podoctor/", env!("CARGO_PKG_VERSION")))
            // A redirect would carry the token elsewhere.
            .redirect(reqwest::redirect::Policy::none())
            .build()?;
        Ok(Self { http, base: base.trim_end_matches('/').to_owned(), token, metrics: Arc::default() })
    }

    /// Counts its calls there from now on.
    pub fn count_in(&mut self, metrics: Arc<Metrics>) {
        self.metrics = metrics;
    }

    fn counted<T>(&self, method: &str, outcome: Result<T, CallError>) -> Result<T, CallError> {
        let result = match &outcome {
            Ok(_) => "ok",
            Err(CallError::RateLimited(_)) => "rate_limited",
            Err(CallError::Refused { .. }) => "refused",
            Err(CallError::NotSent(_)) => "not_sent",
            Err(CallError::Unknown(_)) => "unknown",
        };
        self.metrics.slack_calls.get_or_create(&Call { method: method.to_owned(), result }).inc();
        outcome
    }

    /// Returns the same client with another token.
    #[must_use]
    pub fn with_token(&self, token: Secret) -> Self {
        Self { token, ..self.clone() }
    }

    /// Calls a method with JSON arguments.
    ///
    /// # Errors
    /// Sorted by what may be done about it.
    pub async fn call(&self, method: &str, arguments: &Value) -> Result<Value, CallError> {
        let request =
            self.http.post(format!("{}/{method}", self.base)).bearer_auth(self.token.reveal()).json(arguments);
        self.counted(method, self.send(request).await)
    }

    /// Calls a method that takes a form only.
    ///
    /// # Errors
    /// As [`call`](Self::call).
    pub async fn call_form(&self, method: &str, arguments: &[(&str, &str)]) -> Result<Value, CallError> {
        let request =
            self.http.post(format!("{}/{method}", self.base)).bearer_auth(self.token.reveal()).form(arguments);
        self.counted(method, self.send(request).await)
    }

    /// Posts JSON to an address that Slack gave for one answer; no token is sent there.
    ///
    /// # Errors
    /// As [`call`](Self::call).
    pub async fn post_to(&self, url: &str, body: &Value) -> Result<(), CallError> {
        let answer = self.http.post(url).json(body).send().await.map_err(|error| transport(&error))?;
        let status = answer.status();
        if status == StatusCode::TOO_MANY_REQUESTS {
            return Err(CallError::RateLimited(retry_after(&answer)));
        }
        let text = answer.text().await.map_err(|error| CallError::Unknown(without_url(&error)))?;
        let reply: Value = serde_json::from_str(&text).unwrap_or_default();
        match (reply["error"].as_str(), status) {
            (Some(code), _) => Err(CallError::Refused { code: code.to_owned(), needed: None }),
            (None, status) if status.is_client_error() => {
                Err(CallError::Refused { code: format!("HTTP {}", status.as_u16()), needed: None })
            }
            // "ok" or {"ok":true}; a page of HTML is somebody else's answer.
            (None, status) if status.is_success() && !text.trim_start().starts_with('<') => Ok(()),
            (None, status) => Err(CallError::Unknown(format!("HTTP {status}"))),
        }
    }

    /// Sends bytes to an address that Slack gave for an upload.
    ///
    /// # Errors
    /// As [`call`](Self::call).
    pub async fn upload(&self, url: &str, bytes: Vec<u8>) -> Result<(), CallError> {
        let answer = self.http.post(url).body(bytes).send().await.map_err(|error| transport(&error))?;
        if answer.status().is_success() { Ok(()) } else { Err(CallError::Unknown(format!("HTTP {}", answer.status()))) }
    }

    /// Returns where the methods are.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// Returns the text at an address of Slack's own; the token goes along. Longer than `most` bytes it is refused.
    ///
    /// # Errors
    /// As [`call`](Self::call).
    pub async fn download(&self, url: reqwest::Url, most: u64) -> Result<String, CallError> {
        let request = self.http.get(url).bearer_auth(self.token.reveal());
        let mut answer = request.send().await.map_err(|error| transport(&error))?;
        let status = answer.status();
        if status == StatusCode::TOO_MANY_REQUESTS {
            return Err(CallError::RateLimited(retry_after(&answer)));
        }
        if !status.is_success() {
            return Err(CallError::Refused { code: format!("HTTP {}", status.as_u16()), needed: None });
        }
        let mut bytes = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(|error| CallError::Unknown(without_url(&error)))? {
            bytes.extend_from_slice(&chunk);
            if bytes.len() as u64 > most {
                return Err(CallError::Refused { code: "too_large".to_owned(), needed: None });
            }
        }
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> Result<Value, CallError> {
        let answer = request.send().await.map_err(|error| transport(&error))?;
        let status = answer.status();
        if status == StatusCode::TOO_MANY_REQUESTS {
            return Err(CallError::RateLimited(retry_after(&answer)));
        }
        let wait = retry_after(&answer);
        let body = answer.bytes().await.map_err(|error| CallError::Unknown(without_url(&error)))?;
        let Ok(reply) = serde_json::from_slice::<Value>(&body) else {
            return Err(CallError::Unknown(format!("HTTP {status}, and the reply is no JSON")));
        };
        match (reply["ok"].as_bool(), reply["error"].as_str()) {
            (Some(true), _) => Ok(reply),
            (_, Some("ratelimited" | "rate_limited")) => Err(CallError::RateLimited(wait)),
            // Slack's own trouble may strike after it has done its work.
            (_, Some(code @ ("internal_error" | "fatal_error" | "request_timeout" | "service_unavailable"))) => {
                Err(CallError::Unknown(code.to_owned()))
            }
            (_, Some(code)) => {
                let needed = reply["needed"].as_str().map(str::to_owned);
                if code.starts_with("invalid_blocks") {
                    // Pointers into our blocks, not what stands there.
                    let detail = format!("{} {}", reply["errors"], reply["response_metadata"]["messages"]);
                    tracing::error!(code, detail, "slack rejects our blocks");
                }
                Err(CallError::Refused { code: code.to_owned(), needed })
            }
            _ => Err(CallError::Unknown(format!("HTTP {status}, and the reply says neither ok nor error"))),
        }
    }
}

impl CallError {
    /// Returns the error of a front; `idempotent` = doing it again does no harm.
    pub fn into_front(self, idempotent: bool) -> FrontError {
        match self {
            Self::RateLimited(wait) => {
                FrontError::Unavailable { cause: format!("slack asks to wait {} s", wait.as_secs()) }
            }
            Self::NotSent(cause) => FrontError::Unavailable { cause },
            Self::Unknown(cause) if idempotent => FrontError::Unavailable { cause },
            Self::Unknown(cause) => FrontError::Unknown { cause },
            Self::Refused { code, needed } => refused(code, needed),
        }
    }
}

fn refused(code: String, needed: Option<String>) -> FrontError {
    match code.as_str() {
        "channel_not_found" | "not_in_channel" | "no_permission" | "user_not_in_channel" | "messages_tab_disabled" => {
            FrontError::NotMember { code }
        }
        "is_archived" | "is_inactive" | "external_channel_migrating" | "ekm_access_denied" => {
            FrontError::Closed { code }
        }
        "restricted_action_thread_locked" | "cannot_reply_to_message" => FrontError::Gone { code },
        code_ if code_.starts_with("restricted_action") => FrontError::Closed { code },
        "message_not_found" | "cant_update_message" | "edit_window_closed" | "thread_not_found" | "thread_locked" => {
            FrontError::Gone { code }
        }
        "invalid_auth"
        | "not_authed"
        | "token_revoked"
        | "token_expired"
        | "account_inactive"
        | "org_login_required"
        | "team_disabled"
        | "user_removed_from_team"
        | "not_allowed_token_type" => FrontError::Refused { code },
        "missing_scope" => FrontError::Rejected {
            code: format!("missing_scope: needs {}; add it and reinstall the app", needed.unwrap_or_default()),
        },
        _ => FrontError::Rejected { code },
    }
}

/// A request that never left may be sent again; one that was cut off may have been done.
fn transport(error: &reqwest::Error) -> CallError {
    if error.is_connect() || error.is_builder() {
        CallError::NotSent(without_url(error))
    } else {
        CallError::Unknown(without_url(error))
    }
}

/// Addresses may be secrets themselves (response_url, uploads).
fn without_url(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "timed out".to_owned();
    }
    if error.is_connect() { "cannot connect to Slack".to_owned() } else { "the connection to Slack broke".to_owned() }
}

fn retry_after(answer: &reqwest::Response) -> Duration {
    answer
        .headers()
        .get("retry-after")
        .and_then(|value| value.to_str().ok()?.parse().ok())
        .map_or(DEFAULT_RETRY_AFTER, Duration::from_secs)
}
