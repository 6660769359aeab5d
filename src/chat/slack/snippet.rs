//! Text files attached to a message: what people paste when it is long. They are fetched with the bot's token, so from
//! Slack itself only.

use super::api::{Api, CallError};
use crate::chat::front::Attached;
use reqwest::Url;
use serde_json::Value;

/// Slack's own limit of a snippet; a larger file was not pasted.
const LARGEST: u64 = 1 << 20;
/// How many files of one message are read.
const MOST: usize = 5;

/// Returns the text files of a message whose words Slack does not show whole in the message itself.
pub fn attached(message: &Value) -> Vec<Attached> {
    let files = message["files"].as_array().into_iter().flatten();
    files
        .filter(|file| {
            let is_text =
                file["mode"] == "snippet" || file["mimetype"].as_str().is_some_and(|t| t.starts_with("text/"));
            let is_whole = file["preview"].is_string() && file["preview_is_truncated"].as_bool() == Some(false);
            let size = file["size"].as_u64().unwrap_or(0);
            is_text && !is_whole && size <= LARGEST && file["is_external"].as_bool() != Some(true)
        })
        .filter_map(|file| file["url_private_download"].as_str().or(file["url_private"].as_str()))
        .take(MOST)
        .map(|url| Attached { url: url.to_owned() })
        .collect()
}

/// Returns the address where it is Slack's own: that of the API, or its `files.` neighbour. Anybody else who is named in a
/// message must not see the token.
fn trusted(url: &str, base: &str) -> Option<Url> {
    let (url, base) = (Url::parse(url).ok()?, Url::parse(base).ok()?);
    let host = base.host_str()?;
    let is_api = url.origin() == base.origin();
    let is_files = url.scheme() == "https" && url.port().is_none() && url.host_str()? == format!("files.{host}");
    (is_api || is_files).then_some(url)
}

/// Fetches the text of a file.
///
/// # Errors
/// Where it is not Slack's, too long, or not shown to the bot.
pub async fn fetch(api: &Api, file: &Attached) -> Result<String, CallError> {
    let refused = |code: &str| CallError::Refused { code: code.to_owned(), needed: None };
    let url = trusted(&file.url, api.base()).ok_or_else(|| refused("not_from_slack"))?;
    let text = api.download(url, LARGEST).await?;
    // Without the scope files:read Slack answers with its page to sign in.
    let begin = text.trim_start().get(..15).unwrap_or_default().to_ascii_lowercase();
    if begin.starts_with("<!doctype html") || begin.starts_with("<html") {
        Err(refused("missing_scope"))
    } else {
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_token_goes_to_slack_only() {
        let base = "https://slack.com/api";
        assert!(trusted("https://files.slack.com/files-pri/T1-F1/download/x.txt", base).is_some());
        assert!(trusted("https://slack.com/files/x", base).is_some());
        assert!(trusted("http://127.0.0.1:80/files-pri/F1", "http://127.0.0.1:80/api").is_some());
        for other in [
            "http://files.slack.com/x",
            "https://files.slack.com:8443/x",
            "https://files.slack.com.example.com/x",
            "https://slack.com@example.com/x",
            "https://evil.slack.com/x",
            "http://127.0.0.1:81/x",
            "file:///etc/passwd",
            "nonsense",
        ] {
            assert!(trusted(other, base).is_none(), "{other}");
        }
    }

    #[test]
    fn text_that_is_cut_off_is_fetched() {
        let of = |file: Value| attached(&json!({"files": [file]})).len();
        let url = "https://files.slack.com/x";
        assert_eq!(of(json!({"mode": "snippet", "url_private": url, "preview": "a", "preview_is_truncated": true})), 1);
        assert_eq!(of(json!({"mode": "hosted", "mimetype": "text/plain", "url_private": url})), 1);
        assert_eq!(
            of(json!({"mode": "snippet", "url_private": url, "preview": "a", "preview_is_truncated": false})),
            0
        );
        assert_eq!(of(json!({"mimetype": "image/png", "url_private": url})), 0);
        assert_eq!(of(json!({"mode": "snippet", "url_private": url, "size": 2_000_000})), 0);
        assert_eq!(of(json!({"mode": "snippet", "url_private": url, "is_external": true})), 0);
    }
}
