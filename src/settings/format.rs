//! What a text must look like, and how to say so.

use super::HumanDuration;
use super::calendar::{TimeOfDay, Zone};
use std::net::SocketAddr;

/// Returns what a text of this format is, with an example, as the end of "expected …".
pub fn expected(format: &str) -> &'static str {
    match format {
        "podoctor-duration" => "a duration such as 90s, 5m, 2h or 1h30m",
        "podoctor-time-of-day" => "a time of day such as \"22:00\"",
        "podoctor-time-zone" => "a time zone such as UTC or Europe/Berlin",
        "podoctor-url" => "an address such as https://slack.com/api, without user, query or fragment",
        "runbook-address" => "an address such as https://wiki.example.com/runbooks/vault",
        "podoctor-socket-address" => "an address and a port such as 0.0.0.0:8080",
        "podoctor-cluster" => "a short name of letters, digits, `-`, `_` and `.`, such as prod",
        "slack-channel" => "a channel's id such as C0123456789 (in Slack, at the bottom of the channel's details)",
        "slack-user" => "a person's id such as U0123456789 (in Slack: their profile → ⋮ → Copy member ID)",
        "slack-group" => "a user group's id such as S0123456789 (in Slack: the group → ⋮ → Copy group ID)",
        _ => "text",
    }
}

/// Tells whether a text is of this format.
pub fn fits(format: &str, text: &str) -> bool {
    match format {
        "podoctor-duration" => text.parse::<HumanDuration>().is_ok(),
        "podoctor-time-of-day" => text.parse::<TimeOfDay>().is_ok(),
        "podoctor-time-zone" => text.parse::<Zone>().is_ok(),
        "podoctor-url" => url::Url::parse(text).is_ok_and(|url| {
            let plain = url.username().is_empty() && url.password().is_none();
            matches!(url.scheme(), "http" | "https") && plain && url.query().is_none() && url.fragment().is_none()
        }),
        "runbook-address" => url::Url::parse(text).is_ok_and(|url| {
            let plain = url.username().is_empty() && url.password().is_none();
            url.scheme() == "https" && plain && !text.contains(char::is_whitespace)
        }),
        "podoctor-socket-address" => text.parse::<SocketAddr>().is_ok(),
        "podoctor-cluster" => {
            !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
        }
        "slack-channel" => is_slack_id(text, &['C', 'G', 'D']),
        "slack-user" => is_slack_id(text, &['U', 'W']),
        "slack-group" => is_slack_id(text, &['S']),
        _ => true,
    }
}

/// Slack promises no length of its ids, only their first letter.
fn is_slack_id(text: &str, first: &[char]) -> bool {
    let mut characters = text.chars();
    characters.next().is_some_and(|c| first.contains(&c))
        && text.len() > 1
        && characters.all(|c| c.is_ascii_uppercase() || c.is_ascii_digit())
}
