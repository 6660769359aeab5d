//! The Slack app's manifest: what the app may do and what it hears, ready to paste into Slack.
//!
//! Field names and lengths are those of Slack's published manifest schema, version 1. The app-level token of socket
//! mode cannot be described in a manifest; it is made by hand.

use super::paint::print;
use crate::settings::Mode;
use std::process::ExitCode;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  podoctor manifest --mode socket                 paste it at api.slack.com/apps → Create New App → From a manifest
  podoctor manifest --mode http --url https://podoctor.my.org")]
pub struct Args {
    /// How Slack's requests reach podoctor, as slack.mode in the settings
    #[arg(long, value_enum, default_value_t = ModeArg::Socket)]
    mode: ModeArg,
    /// The public address of podoctor in http mode, without a path
    #[arg(long, value_name = "URL")]
    url: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum ModeArg {
    Socket,
    Http,
}

/// Where Slack's requests go in http mode when nobody says: to be replaced before it is pasted.
pub const PLACEHOLDER_URL: &str = "https://podoctor.example.com";

/// # Errors
/// Where an address is given that Slack cannot call, or that the mode does not use.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let mode = match args.mode {
        ModeArg::Socket => Mode::Socket,
        ModeArg::Http => Mode::Http,
    };
    match &args.url {
        Some(_) if mode == Mode::Socket => {
            anyhow::bail!("--url is for `--mode http`: in socket mode podoctor calls Slack")
        }
        Some(url) if !is_public_url(url) => {
            anyhow::bail!("--url {url:?}: expected an address such as {PLACEHOLDER_URL}, https and without a path")
        }
        None if mode == Mode::Http => eprintln!("note: replace {PLACEHOLDER_URL} by your address, or give --url"),
        _ => {}
    }
    print(&manifest(mode, args.url.as_deref()));
    Ok(ExitCode::SUCCESS)
}

/// Also keeps what would break out of its line of YAML from getting there.
fn is_public_url(text: &str) -> bool {
    url::Url::parse(text).is_ok_and(|url| {
        let plain = url.username().is_empty() && url.path() == "/" && url.query().is_none() && url.fragment().is_none();
        url.scheme() == "https" && plain && url.as_str().trim_end_matches('/') == text.trim_end_matches('/')
    })
}

/// Returns the manifest as YAML. `public_url` is where Slack reaches podoctor in `http` mode, without a path; in
/// `socket` mode it is not used.
pub fn manifest(mode: Mode, public_url: Option<&str>) -> String {
    let base = public_url.unwrap_or(PLACEHOLDER_URL).trim_end_matches('/');
    let at = |indent: &str, key: &str, path: &str| match mode {
        Mode::Socket => String::new(),
        Mode::Http => format!("{indent}{key}: {base}{path}\n"),
    };
    let commands_url = at("      ", "url", "/slack/commands");
    let events_url = at("    ", "request_url", "/slack/events");
    let interactivity_url = at("    ", "request_url", "/slack/interactivity");
    let socket = matches!(mode, Mode::Socket);
    format!(
        "\
_metadata:
  major_version: 1
display_information:
  name: podoctor
  description: Says why a Kubernetes pod is stuck, with the evidence and the fix
  long_description: >-
    Ask podoctor about a pod, a workload or a namespace, and a thread holds the cause, the evidence for it and the
    fix. It reads the cluster through the Kubernetes API and decides by rules: no language model is involved, and
    nothing leaves the cluster but the message you see.
  background_color: \"#1d4ed8\"
features:
  bot_user:
    display_name: podoctor
    always_online: true
  app_home:
    home_tab_enabled: true
    # Without these two nobody can write to the bot directly.
    messages_tab_enabled: true
    messages_tab_read_only_enabled: false
  slash_commands:
    - command: /podoctor
{commands_url}      description: Why is a pod stuck?
      usage_hint: \"[cluster:]namespace/pod, or help\"
      should_escape: false
  shortcuts:
    - name: Diagnose
      type: message
      callback_id: diagnose
      description: Diagnose the pod that this message names
oauth_config:
  scopes:
    bot:
      - app_mentions:read    # hear @podoctor
      - channels:read        # see whether a channel is shared with strangers or archived
      - chat:write           # answer
      - commands             # /podoctor and the message shortcut
      - files:write          # attach what is too long for a message
      - groups:read          # as channels:read, for private channels it is in
      - im:history           # hear direct messages
      - reactions:read       # hear reactions to its own messages
      - reactions:write      # show that a question was seen
      - usergroups:read      # who may act, by user group
      - users:read           # tell members from guests, bots and strangers
      - users:read.email     # ask Kubernetes what the person may do
    bot_optional:
      - channels:history     # find its own message again after a crash
      - chat:write.public    # answer in public channels it was not invited to
      - files:read           # read the snippet that somebody attaches to a question
      - groups:history       # as channels:history, for private channels it is in
settings:
  event_subscriptions:
{events_url}    bot_events:
      - app_home_opened
      - app_mention
      - app_uninstalled
      - channel_archive
      - channel_deleted
      - channel_id_changed
      - channel_rename
      - channel_shared
      - channel_unshared
      - member_joined_channel
      - member_left_channel
      - message.im
      - reaction_added
      - reaction_removed
      - subteam_members_changed
      - tokens_revoked
  interactivity:
    is_enabled: true
{interactivity_url}  org_deploy_enabled: true
  socket_mode_enabled: {socket}
  # Rotated tokens live twelve hours, and rotation cannot be switched off again.
  token_rotation_enabled: false
"
    )
}

#[cfg(test)]
mod tests {
    use super::is_public_url;

    #[test]
    fn only_plain_addresses_become_part_of_a_manifest() {
        assert!(is_public_url("https://podoctor.my.org") && is_public_url("https://podoctor.my.org:8443/"));
        for url in ["http://a.org", "https://a.org/x", "https://u@a.org", "https://a.org\nx: y", "https://a.org?x", "a"]
        {
            assert!(!is_public_url(url), "{url}");
        }
    }
}
