//! Every message fits, nothing outside is live in it, no secret leaves; judged by slack-morphism's models as well.

use super::*;
use crate::render::message::{Line, Part, Span};
use proptest::prelude::*;
use slack_morphism::prelude::SlackBlock;

fn all_blocks(drawn: &Drawn) -> impl Iterator<Item = &Value> {
    std::iter::once(&drawn.first).chain(&drawn.more).flat_map(|page| &page.blocks)
}

/// Calls `see` with every object of a JSON value.
fn each_object(value: &Value, see: &mut dyn FnMut(&serde_json::Map<String, Value>)) {
    match value {
        Value::Array(values) => values.iter().for_each(|value| each_object(value, see)),
        Value::Object(fields) => {
            see(fields);
            fields.values().for_each(|value| each_object(value, see));
        }
        _ => {}
    }
}

fn action(id: &str, value: &str, label: &str) -> Action {
    Action { id: id.into(), value: value.into(), label: label.into(), style: ActionStyle::Danger }
}

#[test]
fn an_event_cannot_ping_the_channel() {
    let message =
        Message::text(["<!channel> & <@U0BOB> `x` *y*"]).with(Part::Small(vec![Span::Plain("<!here> *b*".into())]));
    let drawn = draw(&message);
    assert_eq!(
        drawn.first.text.lines().next(),
        Some("&lt;!channel&gt; &amp; &lt;@U0BOB&gt; `\u{200b}x`\u{200b} *\u{200b}y*")
    );
    assert_eq!(drawn.first.blocks[0]["elements"][0]["elements"][0]["text"], "<!channel> & <@U0BOB> `x` *y*");
    let small = &drawn.first.blocks[1]["elements"][0];
    assert_eq!((small["type"].as_str(), small["text"].as_str()), (Some("plain_text"), Some("<!here> *b*")));
}

#[test]
fn a_notification_shows_names_as_they_are_and_calls_nobody() {
    let text = |line: &str| notification(&Message::text([line]));
    for same in ["🔴 prod/manage-5bd487cf9d-bqmvm: 3 of 5", "DB_HOST is unset", "reg:5000/web@sha256:ab12", "at 12:30"]
    {
        assert_eq!(text(same), same);
    }
    assert_eq!(text("@here @channel :fire: _x_"), "@\u{200b}here @\u{200b}channel :\u{200b}fire: _\u{200b}x_");
}

#[test]
fn persons_and_moments_live_in_small_print_and_nothing_else() {
    let at = "2026-11-24T10:00:00Z".parse().unwrap();
    let line = vec![
        Span::Plain("since ".into()),
        Span::Time(at),
        Span::Plain(" · asked by ".into()),
        Span::Person("U0ALICE".into()),
        Span::Person("<!here>".into()),
    ];
    let drawn = draw(&Message::default().with(Part::Small(line)));
    let texts: Vec<_> = drawn.first.blocks[0]["elements"]
        .as_array()
        .unwrap()
        .iter()
        .map(|element| element["text"].as_str().unwrap())
        .collect();
    let date = "<!date^1795514400^{date_short_pretty} {time}|2026-11-24 10:00 UTC>";
    assert_eq!(texts, ["since ", date, " · asked by ", "<@U0ALICE>", "@<!here>"]);
}

#[test]
fn a_long_log_is_cut_and_handed_back_whole() {
    let log: String = (0..4_000).map(|n| format!("line {n} of the log\n")).collect();
    let message = Message::text(["one", "two"]).with(Part::Code(log)).with_action(action("a", "v", "Fix"));
    let drawn = draw(&message);
    assert!(drawn.overflow.as_ref().unwrap().contains("line 3999 of the log"));
    let kinds: Vec<_> = drawn.first.blocks.iter().rev().take(2).map(|block| block["type"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["actions", "context"], "the buttons stay, below the mark");
    assert_eq!(drawn.more.len(), MAX_PAGES - 1);
    let second = &drawn.more[0].blocks[0]["elements"][0]["elements"][0]["text"];
    assert!(second.as_str().unwrap().starts_with("line "), "cut between lines");
}

#[test]
fn a_short_message_is_one_page() {
    let drawn = draw(&Message::text(["one"]).with(Part::Heading(vec![Span::Plain("Why".into())])));
    assert_eq!((drawn.overflow, drawn.more.len(), drawn.first.blocks.len()), (None, 0, 2));
    assert_eq!(drawn.first.blocks[1]["type"], "header");
}

#[test]
fn buttons_have_their_own_ids_and_whole_values() {
    let actions = vec![action("silence", "1", "a"), action("silence", "2", "b"), action("x", &"v".repeat(2_001), "c")];
    let drawn = draw(&Message { parts: vec![], actions });
    let elements = drawn.first.blocks[0]["elements"].as_array().unwrap();
    let ids: Vec<_> = elements.iter().map(|button| button["action_id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["silence", "silence#2"], "a value that does not fit is no value");
    assert_eq!((action_id("silence#2"), action_id("silence"), action_id("a#b")), ("silence", "silence", "a#b"));
}

#[test]
fn a_secret_across_spans_is_seen() {
    let line = vec![Span::Plain("DB_PASSWORD=".into()), Span::Code("swordfish".into()), Span::Plain(" set".into())];
    let drawn = draw(&Message { parts: vec![Part::Lines(vec![line])], actions: vec![] });
    assert!(!format!("{drawn:?}").contains("swordfish"), "{drawn:?}");
}

fn outside() -> impl Strategy<Value = String> {
    prop_oneof![
        "\\PC{0,300}",
        "(<!channel>|<@U1>|<#C1>|<https://x\\|y>|`|&|<|>|\n|\r|\u{202e}|:x:|@here|[a-z ]){0,60}",
        "[\\PC\n]{0,3500}",
        Just("\u{200b}\u{202e}\n".to_owned()),
    ]
}

fn spans() -> impl Strategy<Value = Line> {
    let span = prop_oneof![
        outside().prop_map(Span::Plain),
        outside().prop_map(Span::Strong),
        outside().prop_map(Span::Code),
        "(U0[A-Z]{2,8}|\\PC{0,20})".prop_map(Span::Person),
        Just(Span::Time("2026-11-24T10:00:00Z".parse().unwrap())),
        (prop_oneof![Just("https://x.example/a".to_owned()), outside()], outside())
            .prop_map(|(url, label)| Span::Link { url, label }),
    ];
    prop::collection::vec(span, 0..8)
}

fn parts() -> impl Strategy<Value = Part> {
    prop_oneof![
        spans().prop_map(Part::Heading),
        prop::collection::vec(spans(), 0..6).prop_map(Part::Lines),
        (spans(), outside()).prop_map(|(origin, text)| Part::Quote { origin, text }),
        outside().prop_map(Part::Code),
        spans().prop_map(Part::Small),
    ]
}

fn messages() -> impl Strategy<Value = Message> {
    let actions = prop::collection::vec(("[a-c]{0,2}|\\PC{0,300}", "\\PC{0,200}", "\\PC{0,100}"), 0..30);
    (prop::collection::vec(parts(), 0..40), actions).prop_map(|(parts, actions)| Message {
        parts,
        actions: actions.iter().map(|(id, value, label)| action(id, value, label)).collect(),
    })
}

fn check_page(page: &Page) -> Result<(), TestCaseError> {
    prop_assert!(page.blocks.len() <= MAX_BLOCKS);
    prop_assert!(!page.text.is_empty() && page.text.encode_utf16().count() <= text::NOTIFICATION_LIMIT + 1);
    prop_assert!(!page.text.contains(['<', '>']));
    let total: usize = page.blocks.iter().map(|block| size(block) + 1).sum();
    // The ids of the blocks come on top.
    prop_assert!(total <= BUDGET + MAX_BLOCKS * 30, "{}", total);
    let mut ids = BTreeSet::new();
    for block in &page.blocks {
        prop_assert!(ids.insert(block["block_id"].as_str().unwrap()), "twice: {}", block);
        let typed: SlackBlock =
            serde_json::from_value(block.clone()).map_err(|e| TestCaseError::fail(e.to_string()))?;
        prop_assert!(!matches!(typed, SlackBlock::Unknown(_)), "no model fits {}", block);
    }
    #[cfg(feature = "try")]
    {
        use crate::playground::slack::blocks::{Surface, problems};
        let problems = problems(&Value::Array(page.blocks.clone()), Surface::Message, "");
        prop_assert!(problems.is_empty(), "{:?}", problems);
    }
    Ok(())
}

fn check_text(object: &serde_json::Map<String, Value>) -> Result<(), TestCaseError> {
    let Some(text) = object.get("text").and_then(Value::as_str) else { return Ok(()) };
    prop_assert!(!text.is_empty() && stored_size(text) <= 3_000, "{}", text.len());
    prop_assert!(!text.contains(['\u{202e}', '\r']), "{:?}", text);
    if object["type"] == "mrkdwn" {
        // Nothing of the outside: our date, or a person by id.
        let date = text.strip_prefix("<!date^").is_some_and(|rest| rest.ends_with(" UTC>"));
        let id = text.strip_prefix("<@").and_then(|rest| rest.strip_suffix('>')).unwrap_or_default();
        let is_person = !id.is_empty() && id.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit());
        prop_assert!(date || is_person, "live: {}", text);
        prop_assert_eq!(&object["verbatim"], true);
    }
    if object["type"] == "plain_text" {
        prop_assert_eq!(&object["emoji"], false);
        prop_assert!(!text.contains('\n'));
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn every_message_fits_and_nothing_in_it_is_live(message in messages()) {
        let drawn = draw(&message);
        for page in std::iter::once(&drawn.first).chain(&drawn.more) {
            check_page(page)?;
        }
        prop_assert_eq!(drawn.overflow.is_some(), !drawn.more.is_empty() || format!("{:?}", drawn.first).contains(CUT));
        let mut outcome = Ok(());
        for block in all_blocks(&drawn) {
            each_object(block, &mut |object| outcome = outcome.clone().and_then(|()| check_text(object)));
        }
        outcome?;
    }

    #[test]
    fn no_planted_secret_leaves(secret in "[A-Za-z0-9]{12}[0-9][A-Za-z0-9]{8}", filler in 0_usize..4_000) {
        let line = format!("{} connect postgres://u:{secret}@db/x DB_PASSWORD={secret}", "x".repeat(filler));
        let message = Message::text([line.clone()])
            .with(Part::Heading(vec![Span::Plain(line.clone())]))
            .with(Part::Code(line.clone()))
            .with(Part::Quote { origin: vec![Span::Code(line.clone())], text: line.clone() })
            .with(Part::Small(vec![Span::Plain(line.clone())]))
            .with_action(action("a", "v", &line));
        // Not even its beginning, where a text was cut within it.
        let shown = format!("{:?}", draw(&message));
        prop_assert!(!shown.contains(&secret[..8]), "{}", shown);
    }
}
