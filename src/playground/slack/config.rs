//! What a test or `podoctor try` may choose about the workspace: tokens, scopes, subscriptions, limits of time.

use std::collections::BTreeSet;
use std::time::Duration;

use super::ids;

/// How the workspace brings events, commands and interactions to the app.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// Over the sockets opened with `apps.connections.open`.
    Socket,
    /// As signed HTTP requests to these addresses.
    Http { events: String, commands: String, interactivity: String },
}

/// The settings of a [`Workspace`](super::Workspace). The defaults are Slack's own limits.
#[derive(Clone, Debug)]
pub struct Config {
    /// The bot's token, `xoxb-…`.
    pub bot_token: String,
    /// The app-level token for Socket Mode, `xapp-…`.
    pub app_token: String,
    /// The secret that signs HTTP deliveries.
    pub signing_secret: String,
    /// Granted bot scopes; a method whose scope is missing answers `missing_scope`.
    pub scopes: BTreeSet<String>,
    /// Subscribed bot events, by their names in a manifest (`app_mention`, `message.im`, …).
    pub events: BTreeSet<String>,
    /// Where payloads go at first; see [`Workspace::deliver_over`](super::Workspace::deliver_over).
    pub delivery: Delivery,
    /// The slash command of the app, with its slash.
    pub command: String,
    /// Whether `@name` and `#name` in a command's text become `<@U…|name>` and `<#C…|name>`.
    pub escape_commands: bool,
    /// The `callback_id` of the message shortcut "Diagnose".
    pub shortcut: String,
    /// How long an acknowledgement may take. Slack: 3 s.
    pub ack_within: Duration,
    /// Pauses before the retries of an event. Slack: none, 1 min, 5 min.
    pub retry_after: Vec<Duration>,
    /// How long a `trigger_id` is good. Slack: 3 s.
    pub trigger_lifetime: Duration,
    /// How long a `response_url` is good. Slack: 30 min.
    pub response_url_lifetime: Duration,
    /// How often a `response_url` may be used. Slack: 5.
    pub response_url_uses: u32,
    /// How many posts a channel takes at once before `chat.postMessage` answers 429; one more is allowed each second.
    /// `None` lets everything through. Slack: 1, with some patience for short bursts.
    pub post_burst: Option<u32>,
    /// Time between two pings on a socket.
    pub ping_every: Duration,
    /// Age at which a socket is told to refresh. Slack: about five hours.
    pub connection_time: Duration,
}

/// The scopes of podoctor's manifest, the optional ones included (but not `chat:write.public`).
const SCOPES: &[&str] = &[
    "app_mentions:read",
    "channels:history",
    "channels:join",
    "channels:read",
    "chat:write",
    "commands",
    "files:read",
    "files:write",
    "groups:history",
    "groups:read",
    "im:history",
    "im:read",
    "im:write",
    "reactions:read",
    "reactions:write",
    "usergroups:read",
    "users:read",
    "users:read.email",
];

/// The bot events of podoctor's manifest.
const EVENTS: &[&str] = &[
    "app_home_opened",
    "app_mention",
    "app_uninstalled",
    "channel_archive",
    "channel_id_changed",
    "channel_shared",
    "channel_unshared",
    "member_joined_channel",
    "member_left_channel",
    "message.im",
    "reaction_added",
    "reaction_removed",
    "subteam_members_changed",
    "subteam_updated",
    "tokens_revoked",
];

impl Default for Config {
    /// Slack's limits, podoctor's scopes and events, and tokens made up for this one run.
    fn default() -> Self {
        let words = |list: &[&str]| list.iter().map(|word| (*word).to_owned()).collect();
        Config {
            bot_token: format!("xoxb-try-{}", ids::random_hex()),
            app_token: format!("xapp-1-try-{}", ids::random_hex()),
            signing_secret: ids::random_hex(),
            scopes: words(SCOPES),
            events: words(EVENTS),
            delivery: Delivery::Socket,
            command: "/podoctor".to_owned(),
            escape_commands: true,
            shortcut: "diagnose".to_owned(),
            ack_within: Duration::from_secs(3),
            retry_after: vec![Duration::ZERO, Duration::from_secs(60), Duration::from_secs(300)],
            trigger_lifetime: Duration::from_secs(3),
            response_url_lifetime: Duration::from_secs(30 * 60),
            response_url_uses: 5,
            post_burst: None,
            ping_every: Duration::from_secs(5),
            connection_time: Duration::from_secs(18_060),
        }
    }
}
