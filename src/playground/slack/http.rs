//! HTTP delivery: signed requests to the app's addresses, as Slack sends them without Socket Mode.

use std::time::Duration;

use futures_util::future::BoxFuture;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

use super::config::Delivery;
use super::deliver::{Kind, Outcome, Retry};
use super::{Workspace, ids};

impl Workspace {
    /// Returns the signature Slack would send: `v0=` and the HMAC-SHA256 of `v0:timestamp:body` in hexadecimal.
    pub fn signature(&self, timestamp: &str, body: &[u8]) -> String {
        sign(&self.config().signing_secret, timestamp, body)
    }

    /// Sends `url_verification` to the events address, as Slack does when it is saved.
    ///
    /// # Errors
    ///
    /// What was wrong with the answer, in words.
    pub async fn verify_events_url(&self) -> Result<(), String> {
        let Delivery::Http { events, .. } = self.delivery() else { return Err("no events address is set".to_owned()) };
        let challenge = ids::random_hex();
        let body = json!({"token": "deprecated", "challenge": challenge, "type": "url_verification"}).to_string();
        let request = self.signed(&events, "application/json", body.into_bytes(), Retry::default());
        let response = request.send().await.map_err(|error| error.without_url().to_string())?;
        let status = response.status();
        let answer = response.text().await.unwrap_or_default();
        let as_json: Option<Value> = serde_json::from_str(&answer).ok();
        let named = as_json.as_ref().and_then(|json| json["challenge"].as_str()).map(str::to_owned);
        let echoed = answer.trim() == challenge || named.is_some_and(|named| named == challenge);
        match status.is_success() && echoed {
            true => Ok(()),
            false => Err(format!("your URL answered {status} without the value of the challenge")),
        }
    }

    /// Prepares the request of one attempt.
    pub(super) fn post(&self, id: String, kind: Kind, payload: &Value, retry: Retry) -> BoxFuture<'static, Outcome> {
        let workspace = self.clone();
        let Delivery::Http { events, commands, interactivity } = self.delivery() else {
            return Box::pin(async { Outcome::Failed { reason: "connection_failed", last: false } });
        };
        let form = "application/x-www-form-urlencoded";
        let (url, content_type, body) = match kind {
            Kind::Event => (events, "application/json", payload.to_string()),
            Kind::Command => {
                let fields = payload.as_object().into_iter().flatten();
                let pairs = fields.map(|(name, value)| (name.as_str(), value.as_str().unwrap_or("")));
                (commands, form, url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish())
            }
            Kind::Interactive => {
                let mut fields = url::form_urlencoded::Serializer::new(String::new());
                (interactivity, form, fields.append_pair("payload", &payload.to_string()).finish())
            }
        };
        let request = self.signed(&url, content_type, body.into_bytes(), retry).timeout(self.config().ack_within);
        Box::pin(async move { workspace.posted(&id, request).await })
    }

    async fn posted(&self, id: &str, request: reqwest::RequestBuilder) -> Outcome {
        let response = match request.send().await {
            Ok(response) => response,
            Err(error) if error.is_timeout() => return Outcome::TimedOut,
            Err(error) if error.is_redirect() => {
                return Outcome::Failed { reason: "too_many_redirects", last: false };
            }
            Err(_) => return Outcome::Failed { reason: "connection_failed", last: false },
        };
        let status = response.status();
        let no_retry = response.headers().get("x-slack-no-retry").is_some_and(|value| value == "1");
        let body = match response.text().await {
            Ok(body) => body,
            Err(error) if error.is_timeout() => return Outcome::TimedOut,
            Err(_) => return Outcome::Failed { reason: "connection_failed", last: false },
        };
        let payload = match body.trim() {
            "" => None,
            text => Some(serde_json::from_str(text).unwrap_or_else(|_| json!({"text": text}))),
        };
        self.log().acked(id, self.config().ack_within, payload.clone(), Some(status.as_u16()));
        match status.is_success() {
            true => Outcome::Acked(payload),
            false => Outcome::Failed { reason: "http_error", last: no_retry },
        }
    }

    fn signed(&self, url: &str, content_type: &str, body: Vec<u8>, retry: Retry) -> reqwest::RequestBuilder {
        let timestamp = (ids::now_micros() / 1_000_000).to_string();
        let signature = self.signature(&timestamp, &body);
        let mut request = self
            .client()
            .post(url)
            .header("content-type", content_type)
            .header("x-slack-request-timestamp", timestamp)
            .header("x-slack-signature", signature)
            .header("user-agent", "Slackbot 1.0 (+https://api.slack.com/robots)")
            .header("accept", "*/*");
        if retry.attempt > 0 {
            request = request
                .header("x-slack-retry-num", retry.attempt.to_string())
                .header("x-slack-retry-reason", retry.reason.unwrap_or("unknown_error"));
        }
        request.body(body)
    }

    fn client(&self) -> &reqwest::Client {
        self.shared.client.get_or_init(|| {
            reqwest::Client::builder()
                .no_proxy()
                .redirect(reqwest::redirect::Policy::limited(2))
                .connect_timeout(Duration::from_secs(3))
                .build()
                .expect("a rustls provider is installed first thing in main and in the tests")
        })
    }
}

/// Signs a body as Slack does (docs.slack.dev/authentication/verifying-requests-from-slack).
fn sign(secret: &str, timestamp: &str, body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("HMAC takes keys of any length");
    mac.update(format!("v0:{timestamp}:").as_bytes());
    mac.update(body);
    let hex: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("v0={hex}")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of Slack's own page on verifying requests.
    #[test]
    fn signs_as_slack_does() {
        let body = "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V\
            &channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=\
            &response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN\
            &trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c";
        assert_eq!(
            sign("8f742231b10e8888abcd99yyyzzz85a5", "1531420618", body.as_bytes()),
            "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503"
        );
    }
}
