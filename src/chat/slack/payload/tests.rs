//! Payloads as Slack sends them, the odd ones above all.

use super::*;
use proptest::prelude::*;
use serde_json::json;

fn me() -> Me {
    Me { user_id: "U0POD".into(), bot_id: "B0POD".into(), team_id: "T0".into() }
}

fn mention(text: &str) -> Value {
    json!({"team_id": "T0", "event_id": "Ev1", "event": {"type": "app_mention", "user": "U1", "channel": "C1", "ts": "1700000000.000100", "text": text}})
}

fn said(text: &str) -> Option<String> {
    match event(&mention(text), &me())?.incoming.what {
        What::Mention { text, .. } => Some(text),
        _ => None,
    }
}

#[test]
fn a_mention_is_read_without_the_bots_name() {
    assert_eq!(said("<@U0POD> why is prod/web stuck?").as_deref(), Some("why is prod/web stuck?"));
    assert_eq!(said("hey <@U0POD|podoctor>: `prod/web`").as_deref(), Some("hey : `prod/web`"));
    assert_eq!(said("<@U0POD2> <@U0POD> x").as_deref(), Some("@U0POD2  x"));
    assert_eq!(
        said("<@U0POD> <http://prod/web.x|prod/web.x> &lt;a&gt; &amp;amp;").as_deref(),
        Some("prod/web.x <a> &amp;")
    );
}

#[test]
fn own_and_other_bots_words_are_ignored() {
    let mut own = mention("<@U0POD> x");
    own["event"]["user"] = json!("U0POD");
    assert_eq!(event(&own, &me()), None);
    let mut bot = mention("<@U0POD> x");
    bot["event"]["bot_id"] = json!("B1");
    assert_eq!(event(&bot, &me()), None);
    let mut edit = mention("<@U0POD> x");
    edit["event"]["subtype"] = json!("message_changed");
    edit["event"]["type"] = json!("message");
    assert_eq!(event(&edit, &me()), None);
}

#[test]
fn a_stranger_of_a_shared_channel_is_never_taken_for_one_of_us() {
    let mut outer = mention("<@U0POD> x");
    outer["is_ext_shared_channel"] = json!(true);
    assert_eq!(event(&outer, &me()).unwrap().incoming.person.team.as_deref(), Some("not-told"));
    outer["event"]["user_team"] = json!("T9");
    assert_eq!(event(&outer, &me()).unwrap().incoming.person.team.as_deref(), Some("T9"));
}

#[test]
fn a_null_team_and_odd_metadata_lose_nothing() {
    let payload = json!({"type": "block_actions", "team": null, "user": {"id": "U1"}, "container": {"message_ts": "1.2", "channel_id": "C1"},
        "message": {"metadata": {"event_payload": {"n": 1}}}, "actions": [{"action_id": "a", "value": "v"}], "trigger_id": "t"});
    let click = interaction(&payload).unwrap();
    assert_eq!(click.incoming.what, What::Click { message: "1.2".into(), action: "a".into(), value: "v".into() });
}

#[test]
fn the_shortcut_takes_the_whole_message() {
    let payload = json!({"type": "message_action", "user": {"id": "U1", "team_id": "T0"}, "channel": {"id": "C1"}, "trigger_id": "t",
        "message": {"ts": "1.2", "text": "", "blocks": [{"type": "section", "text": {"type": "mrkdwn", "text": "prod/web is stuck"}}]}});
    assert_eq!(
        interaction(&payload).unwrap().incoming.what,
        What::Shortcut { message: "1.2".into(), text: "prod/web is stuck".into(), written: moment("1.2") }
    );
}

#[test]
fn a_direct_message_is_a_question_and_talk_in_a_channel_is_not() {
    let message = |kind: &str, text: &str| {
        json!({"event_id": "Ev1", "team_id": "T0", "event": {"type": "message", "channel_type": kind, "user": "U1", "channel": "D1",
            "ts": "17.1", "text": text}})
    };
    let direct = event(&message("im", "prod/web"), &me()).unwrap();
    assert_eq!(direct.incoming.what, What::Mention { message: "17.1".into(), text: "prod/web".into() });
    assert_eq!(event(&message("channel", "prod/web"), &me()), None);
    let mention = event(&message("channel", "<@U0POD> prod/web"), &me()).unwrap();
    assert!(mention.keys.contains(&"message:D1:17.1".to_owned()), "{:?}", mention.keys);
}

#[test]
fn reactions_count_on_our_own_messages_only() {
    let reaction = |item_user: &str| {
        json!({"event_id": "Ev1", "team_id": "T0", "event": {"type": "reaction_added", "user": "U1", "reaction": "wrench::skin-tone-2",
            "item": {"type": "message", "channel": "C1", "ts": "17.1"}, "item_user": item_user, "event_ts": "1700000000.000100"}})
    };
    let wrench = event(&reaction("U0POD"), &me()).unwrap().incoming;
    assert_eq!(wrench.what, What::Reaction { message: "17.1".into(), name: "wrench".into(), added: true });
    assert_eq!(wrench.at.map(|at| at.as_second()), Some(1_700_000_000));
    assert_eq!(event(&reaction("U1"), &me()), None);
}

#[test]
fn a_command_is_read_with_its_way_back() {
    let fields = json!({"text": "&lt;x&gt; <#C2|ops> <@U2|ann>", "user_id": "U1", "team_id": "T0", "channel_id": "C1", "trigger_id": "t",
        "response_url": "https://hooks.slack.com/commands/x"});
    let command = command(&fields).unwrap();
    assert_eq!(command.incoming.what, What::Command { text: "<x> #ops @ann".into() });
    assert_eq!(command.keys, ["trigger:t"]);
    assert!(!format!("{command:?}").contains("hooks.slack.com"), "the way back is a secret");
}

#[test]
fn the_second_button_of_a_kind_has_its_own_name_back() {
    let payload = json!({"type": "block_actions", "user": {"id": "U1"}, "container": {"message_ts": "1.2", "channel_id": "C1"},
        "actions": [{"action_id": "silence#2", "value": "v"}], "trigger_id": "t"});
    assert!(matches!(interaction(&payload).unwrap().incoming.what, What::Click { action, .. } if action == "silence"));
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "\\PC{0,20}".prop_map(Value::from)
    ];
    leaf.prop_recursive(4, 64, 8, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::hash_map(
                "type|event|user|id|text|channel|team|message|actions|container|ts|blocks|elements",
                inner,
                0..6
            )
            .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn no_json_panics(value in any_json()) {
        let _ = (event(&value, &me()), command(&value), interaction(&value), whole_text(&value));
    }

    #[test]
    fn no_text_panics(text in "(<|>|@|#|!|\\||&lt;|\\PC){0,60}") {
        let _ = (decoded(&text), without_mention(&text, "U0POD"));
    }
}
