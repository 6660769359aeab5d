//! The Slack manifests: inside Slack's limits, with the scopes that their events and methods need.

use super::generated::assert_generated;
use podoctor::cli::manifest::manifest;
use podoctor::settings::Mode;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Slack's limits for what we use, from its published manifest schema (version 1).
fn limits() -> Value {
    let text = |least: u32, most: u32| json!({ "type": "string", "minLength": least, "maxLength": most });
    let url = || json!({ "type": "string", "pattern": "^https?://", "maxLength": 3000 });
    let names = |most: u32| json!({ "type": "array", "items": text(1, 50), "maxItems": most, "uniqueItems": true });
    let flag = || json!({ "type": "boolean" });
    let object = |required: &[&str], properties: Value| json!({ "type": "object", "additionalProperties": false, "required": required, "properties": properties });
    let list = |most: u32, item: Value| json!({ "type": "array", "minItems": 1, "maxItems": most, "items": item });
    let command = object(
        &["command", "description"],
        json!({
            "command": { "type": "string", "pattern": "^/", "minLength": 2, "maxLength": 32 },
            "url": url(), "description": text(1, 2000), "usage_hint": text(1, 1000), "should_escape": flag(),
        }),
    );
    let shortcut = object(
        &["name", "type", "callback_id", "description"],
        json!({
            "name": text(1, 24), "type": { "enum": ["message", "global"] }, "callback_id": text(1, 255),
            "description": text(1, 150),
        }),
    );
    object(
        &["display_information", "features", "oauth_config", "settings"],
        json!({
            "_metadata": object(&[], json!({ "major_version": { "enum": [1, 2] } })),
            "display_information": object(&["name"], json!({
                "name": text(1, 35), "description": text(1, 140), "long_description": text(175, 4000),
                "background_color": { "type": "string", "pattern": "^#([0-9a-fA-F]{3}){1,2}$" },
            })),
            "features": object(&["bot_user"], json!({
                "bot_user": object(&["display_name"], json!({ "display_name": text(1, 80), "always_online": flag() })),
                "app_home": object(&[], json!({
                    "home_tab_enabled": flag(), "messages_tab_enabled": flag(), "messages_tab_read_only_enabled": flag(),
                })),
                "slash_commands": list(50, command),
                "shortcuts": list(10, shortcut),
            })),
            "oauth_config": object(&["scopes"], json!({
                "scopes": object(&["bot"], json!({ "bot": names(255), "bot_optional": names(255) })),
            })),
            "settings": object(&["event_subscriptions", "interactivity", "socket_mode_enabled"], json!({
                "event_subscriptions": object(&["bot_events"], json!({ "request_url": url(), "bot_events": names(100) })),
                "interactivity": object(&["is_enabled"], json!({ "is_enabled": flag(), "request_url": url() })),
                "org_deploy_enabled": flag(), "socket_mode_enabled": flag(), "token_rotation_enabled": flag(),
            })),
        }),
    )
}

fn parsed(text: &str) -> Value {
    serde_saphyr::from_str(text).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

fn strings(value: &Value) -> BTreeSet<&str> {
    value.as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

#[test]
fn the_manifests_keep_slacks_limits() {
    let limits = jsonschema::validator_for(&limits()).expect("a schema");
    for mode in [Mode::Socket, Mode::Http] {
        let manifest = parsed(&manifest(mode, Some("https://bot.example.org/")));
        let errors: Vec<_> = limits.iter_errors(&manifest).map(|e| format!("{}: {e}", e.instance_path())).collect();
        assert!(errors.is_empty(), "{mode:?}: {errors:#?}");
    }
}

#[test]
fn each_mode_says_how_slack_reaches_podoctor() {
    let socket = manifest(Mode::Socket, Some("https://bot.example.org"));
    assert_eq!(parsed(&socket)["settings"]["socket_mode_enabled"], true);
    assert!(!socket.contains("https://"), "{socket}");
    let http = parsed(&manifest(Mode::Http, Some("https://bot.example.org/")));
    assert_eq!(http["settings"]["socket_mode_enabled"], false);
    assert_eq!(http["settings"]["event_subscriptions"]["request_url"], "https://bot.example.org/slack/events");
    assert_eq!(http["settings"]["interactivity"]["request_url"], "https://bot.example.org/slack/interactivity");
    assert_eq!(http["features"]["slash_commands"][0]["url"], "https://bot.example.org/slack/commands");
}

#[test]
fn every_event_has_the_scope_it_needs() {
    let manifest = parsed(&manifest(Mode::Socket, None));
    let scopes = strings(&manifest["oauth_config"]["scopes"]["bot"]);
    for event in strings(&manifest["settings"]["event_subscriptions"]["bot_events"]) {
        let needed = match event {
            "app_mention" => "app_mentions:read",
            "message.im" => "im:history",
            "reaction_added" | "reaction_removed" => "reactions:read",
            "subteam_members_changed" => "usergroups:read",
            "app_home_opened" | "app_uninstalled" | "tokens_revoked" | "channel_id_changed" => continue,
            _ if event.starts_with("channel_") || event.starts_with("member_") => "channels:read",
            _ => panic!("which scope does `{event}` need?"),
        };
        assert!(scopes.contains(needed), "{event} needs {needed}");
    }
}

#[test]
fn the_manifests_to_paste_are_fresh() {
    for (mode, name) in [(Mode::Socket, "socket"), (Mode::Http, "http")] {
        assert_generated(&format!("deploy/slack/manifest-{name}.yaml"), &manifest(mode, None));
    }
}
