//! What custom causes find, what they must not find, and that no expression harms.

use super::scope::Trouble;
use super::*;
use crate::diagnosis::testing::world;
use crate::diagnosis::{Catalogue, Diagnosis, Verdict, diagnose};
use crate::facts::{Facts, PodView, Subject, World};

const POD: &str = r#"
apiVersion: v1
kind: Pod
metadata: {name: web-1, namespace: shop, uid: u1, creationTimestamp: "2026-11-24T10:00:00Z", labels: {app: web, "x/y": z}}
spec:
  nodeName: n1
  containers:
  - name: app
    image: registry.acme.example/web:1
    env: [{name: PASSWORD, value: sesame}, {name: FROM, valueFrom: {secretKeyRef: {name: s, key: k}}}]
    resources: {limits: {memory: 256Mi}}
  - {name: side, image: side:1}
status:
  phase: Running
  conditions: [{type: Ready, status: "False", lastTransitionTime: "2026-11-24T10:01:00Z"}]
  containerStatuses:
  - name: app
    ready: false
    restartCount: 7
    image: x
    imageID: x
    state: {waiting: {reason: CrashLoopBackOff, message: back-off}}
    lastState: {terminated: {exitCode: 3, reason: Error, startedAt: "2026-11-24T10:20:00Z", finishedAt: "2026-11-24T10:21:00Z"}}
  - {name: side, ready: true, restartCount: 0, image: x, imageID: x, state: {running: {startedAt: "2026-11-24T10:00:10Z"}}}
"#;
const NOW: &str = "2026-11-24T10:30:00Z";

fn definition(yaml: &str) -> Definition {
    let whole = format!("phases: [crashing, probes]\ntitle: t\nwhat: w\nrunbook: https://example.com/r\n{yaml}");
    serde_saphyr::from_str(&whole).expect("a definition")
}

fn catalogue(yaml: &str) -> Catalogue {
    Catalogue::with(vec![Custom::of(&definition(yaml)).expect("a good cause")])
}

fn ask(world: &World, catalogue: &Catalogue) -> Diagnosis {
    let pod = world.pods.get("shop", "web-1").present().expect("there");
    let facts = Facts { now: NOW.parse().expect("a time"), world, subject: Subject::Pod(PodView::new(pod)) };
    diagnose(&facts, catalogue)
}

/// Returns what an expression comes to for the pod above.
fn outcome(world: &World, when: &str) -> Vec<Outcome> {
    let catalogue = catalogue(&format!("id: acme-x\nsummary: s\nwhen: {when:?}"));
    let pod = world.pods.get("shop", "web-1").present().expect("there");
    let facts = Facts { now: NOW.parse().expect("a time"), world, subject: Subject::Pod(PodView::new(pod)) };
    let seeings = catalogue.sight(&facts).explain(&catalogue.custom()[0]);
    seeings.into_iter().map(|seeing| seeing.outcome).collect()
}

#[test]
fn a_cause_that_shows_is_told_in_the_teams_words() {
    let catalogue = catalogue(
        "id: acme-exit-3
when: container.status.lastState.terminated.exitCode == 3
certainty: confirmed
summary: {en: 'Licence of {{ container.name }} expired after {{ container.status.restartCount }} restarts.', zh-CN: '{{ container.name }} 的许可证过期。'}
fixes: [{text: 'Renew it', command: 'renew {{ pod.metadata.labels.app }} {{ container.image }}', risk: safe}]
explains: [app-exit-error]",
    );
    let diagnosis = ask(&world(POD), &catalogue);
    let finding = diagnosis.answer().expect("an answer");
    assert_eq!((finding.cause.id, finding.container.as_deref()), ("acme-exit-3", Some("app")));
    assert_eq!(finding.certainty, Certainty::Confirmed);
    assert_eq!(finding.summary.en, "Licence of app expired after 7 restarts.");
    assert_eq!(finding.summary.zh, "app 的许可证过期。");
    assert_eq!(
        (finding.evidence[0].source.as_str(), finding.evidence[0].quote.as_str()),
        ("pod.status.containerStatuses[0].lastState.terminated.exitCode", "3")
    );
    assert_eq!(finding.fixes[0].command.as_deref(), Some("renew web registry.acme.example/web:1"));
    assert_eq!(finding.fixes[1].text.en, "Follow the runbook: https://example.com/r");
    assert_eq!(diagnosis.verdict, Verdict::Sick);
}

#[test]
fn a_team_knows_better_than_a_cause_of_ours_that_is_as_sure() {
    let own = ask(&world(POD), &Catalogue::default());
    let first = own.answer().expect("something is wrong").certainty;
    let sure = match first {
        Certainty::Confirmed => "confirmed",
        Certainty::Likely => "likely",
        Certainty::Possible => "possible",
    };
    let catalogue =
        catalogue(&format!("id: acme-any\nsummary: s\ncertainty: {sure}\nwhen: pod.metadata.name == 'web-1'"));
    let diagnosis = ask(&world(POD), &catalogue);
    assert_eq!(diagnosis.findings[0].cause.id, "acme-any");
    assert_eq!(diagnosis.findings.len(), own.findings.len() + 1, "ours are still told");
}

#[test]
fn what_could_not_be_read_is_never_false() {
    let world = world(POD);
    let unreadable = |name: &str| Outcome::Nothing(Trouble::Unreadable(name.to_owned()));
    for when in
        ["events.size() == 0", "!(events.size() > 0)", "events == null", "events.all(e, false)", "!has(events.x)"]
    {
        assert_eq!(outcome(&world, when), [unreadable("events")], "{when}");
    }
    assert_eq!(outcome(&world, "node == null || node.spec.unschedulable"), [unreadable("node")]);
    // The log of the app's last run was not read; that of `side` neither.
    assert_eq!(outcome(&world, "log.size() == 0"), [unreadable("log"), unreadable("log")]);
    // What does not depend on it has a value.
    assert_eq!(outcome(&world, "pod.metadata.name == 'no' && events.size() == 0"), [Outcome::HoldsNot]);
    assert_eq!(outcome(&world, "pod.metadata.name == 'web-1' || events.size() == 0"), [Outcome::Holds]);
    let diagnosis = ask(&world, &catalogue("id: acme-x\nsummary: s\nwhen: events.size() == 0"));
    assert!(diagnosis.findings.iter().all(|finding| finding.cause.id != "acme-x"));
    let told = diagnosis.unreadable.iter().find(|unread| unread.what == "custom cause acme-x").expect("it is told");
    assert_eq!(told.why, "`events` could not be read");
}

#[test]
fn events_that_were_read_and_are_none_are_an_empty_list() {
    let mut world = world(POD);
    world.events_of_were_read("Pod", "shop", "web-1");
    assert_eq!(outcome(&world, "events.size() == 0"), [Outcome::Holds]);
}

#[test]
fn a_field_that_is_not_there_does_not_hold() {
    let world = world(POD);
    assert_eq!(outcome(&world, "pod.status.reason == 'x'"), [Outcome::Nothing(Trouble::NotThere("reason".to_owned()))]);
    assert_eq!(outcome(&world, "has(pod.status.reason)"), [Outcome::HoldsNot]);
    assert_eq!(outcome(&world, "pod.metadata.labels['x/y'] == 'z'"), [Outcome::Holds]);
    assert_eq!(outcome(&world, "secondsSince(pod.metadata.creationTimestamp) == 1800"), [Outcome::Holds]);
    assert_eq!(outcome(&world, "quantity(container.resources.limits.memory) < quantity('0.5Gi')")[0], Outcome::Holds);
    assert!(matches!(outcome(&world, "pod.metadata.name > 3")[..], [Outcome::Nothing(Trouble::Wrong(_))]));
    assert!(matches!(outcome(&world, "pod.metadata.name")[..], [Outcome::Nothing(Trouble::Wrong(_))]));
}

#[test]
fn a_cause_is_asked_in_its_phases_only_and_never_about_what_is_well() {
    let mut wrong_phase = definition("id: acme-x\nsummary: s\nwhen: 'true'");
    wrong_phase.phases = vec![PhaseName::Scheduling];
    let catalogue = Catalogue::with(vec![Custom::of(&wrong_phase).expect("good")]);
    assert!(ask(&world(POD), &catalogue).findings.iter().all(|finding| finding.cause.id != "acme-x"));

    let well = POD
        .replace("status: \"False\"", "status: \"True\"")
        .replace("ready: false", "ready: true")
        .replace(
            "{waiting: {reason: CrashLoopBackOff, message: back-off}}",
            "{running: {startedAt: \"2026-11-24T10:00:10Z\"}}",
        )
        .replace("restartCount: 7", "restartCount: 0");
    let well = well.lines().filter(|line| !line.contains("lastState")).collect::<Vec<_>>().join("\n");
    let diagnosis = ask(&world(&well), &self::catalogue("id: acme-x\nsummary: s\nwhen: 'true'"));
    assert_eq!(diagnosis.verdict, Verdict::Healthy);
    assert!(diagnosis.findings.iter().all(|finding| finding.cause.id != "acme-x"));
}

#[test]
fn no_secret_reaches_an_expression() {
    let annotated = POD.replace(
        "labels:",
        "annotations: {kubectl.kubernetes.io/last-applied-configuration: '{\"value\":\"sesame\"}'}, labels:",
    );
    let world = world(&annotated);
    let pod = world.pods.get("shop", "web-1").present().expect("there");
    let facts = Facts { now: NOW.parse().expect("a time"), world: &world, subject: Subject::Pod(PodView::new(pod)) };
    for name in sees::SEEN.iter().map(|seen| seen.name) {
        let seen = sees::value(&facts, name).present().unwrap_or_default().to_string();
        assert!(!seen.contains("sesame"), "{name}: {seen}");
    }
    for container in PodView::new(pod).containers() {
        assert!(!sees::container(container).to_string().contains("sesame"));
    }
    assert_eq!(
        outcome(&world, "container.env.exists(e, has(e.value))"),
        [Outcome::HoldsNot, Outcome::Nothing(Trouble::NotThere("env".to_owned()))]
    );
}

#[test]
fn a_hostile_value_stays_one_word_of_the_shell_and_one_line() {
    let hostile = POD.replace("app: web", "app: \"a'; rm -rf / #\\nb\"");
    let catalogue = catalogue(
        "id: acme-x
when: pod.metadata.name == 'web-1'
certainty: confirmed
summary: 'of {{ pod.metadata.labels.app }} and {{ pod.metadata.labels.gone }}'
fixes: [{text: a, command: 'kubectl get {{ pod.metadata.labels.app }}'}, {text: b, command: 'kubectl get {{ pod.metadata.labels.gone }}'}]",
    );
    let diagnosis = ask(&world(&hostile), &catalogue);
    let finding = diagnosis.answer().expect("an answer");
    assert_eq!(finding.summary.en, "of a'; rm -rf / # b and ?");
    assert_eq!(finding.fixes[0].command.as_deref(), Some(r"kubectl get 'a'\''; rm -rf / # b'"));
    assert_eq!(finding.fixes[1].command, None, "a command with a hole is none");
}

#[test]
fn what_could_run_long_or_grow_is_refused() {
    for (text, why) in [
        (format!("pod == '{}'", "x".repeat(2_000)), "bytes long"),
        (format!("{}1{} == 1", "(".repeat(40), ")".repeat(40)), "brackets"),
        (format!("pod{} == 1", ".a".repeat(60)), "deep"),
        (format!("{} == 1", vec!["1"; 60].join("-")), "deep"),
        ("events.all(a, events.all(b, events.all(c, true)))".to_owned(), "loops"),
        ("['a'].map(x, x + x).map(x, x + x).size() > 0".to_owned(), "`+` may not stand within a loop"),
        ("[0].map(x, [x, x]).map(x, [x, x]).size() > 0".to_owned(), "may only hold texts and numbers"),
        ("[0].map(x, {'a': x}).size() > 0".to_owned(), "a map may not"),
        (format!("{} == 'x'", vec!["pod.metadata.name"; 20].join(" + ")), "more than 8 `+`"),
        (format!("size([{}]) > 1", vec!["1"; 70].join(",")), "more than 64 elements"),
        ("pod.metadata.name.matches(pod.metadata.name)".to_owned(), "written out"),
        ("pod.metadata.name.matches('(a{1000}){1000}')".to_owned(), "regular expression"),
        ("pod.metadata.name.matches('(')".to_owned(), "unclosed group"),
        ("env('HOME') == ''".to_owned(), "no function"),
        ("Pod{name: 'x'} == pod".to_owned(), "makes an object"),
        ("  ".to_owned(), "is empty"),
    ] {
        let wrong = Expression::compile(&text).expect_err(&text);
        assert!(wrong.what.contains(why), "{text}: {} instead of {why}", wrong.what);
    }
}

/// The most that can be seen: long events, and two loops over them with everything that costs.
#[test]
#[expect(clippy::disallowed_methods, reason = "how long it takes is what is tested")]
fn the_worst_expression_ends_soon() {
    let mut yaml = POD.to_owned();
    for i in 0..100 {
        yaml.push_str(&format!(
            "---\napiVersion: v1\nkind: Event\nmetadata: {{name: e{i}, namespace: shop}}\n\
             involvedObject: {{kind: Pod, namespace: shop, name: web-1, uid: u1}}\nreason: R{i}\nmessage: {:?}\n",
            format!("{i} {}", "ab".repeat(500))
        ));
    }
    let world = world(&yaml);
    let costly = vec!["a.message.matches('(a|ab)*c') || b.message.contains(a.reason)"; 20].join(" || ");
    let when = format!("events.all(a, events.all(b, !({costly})))");
    assert_eq!(outcome(&world, &when), [Outcome::Nothing(Trouble::TooLong)]);
    // A hundred of them share one allowance, and the subject is told of it.
    let one = |i: usize| definition(&format!("id: acme-x{i}\nsummary: s\nwhen: {when:?}"));
    let customs = (0..100).map(|i| Custom::of(&one(i)).expect("good")).collect();
    let catalogue = Catalogue::with(customs);
    let start = std::time::Instant::now();
    let diagnosis = ask(&world, &catalogue);
    let took = start.elapsed();
    assert_eq!(diagnosis.unreadable.iter().filter(|unread| unread.why == "it takes too long").count(), 100);
    assert!(took.as_secs() < 5, "{took:?}");
}

#[test]
fn an_ordinary_loop_over_much_is_allowed() {
    let mut yaml = POD.to_owned();
    for i in 0..64 {
        yaml.push_str(&format!(
            "---\napiVersion: v1\nkind: Event\nmetadata: {{name: e{i}, namespace: shop}}\n\
             involvedObject: {{kind: Pod, namespace: shop, name: web-1, uid: u1}}\nreason: R{i}\nmessage: m{i}\n"
        ));
    }
    let world = world(&yaml);
    assert_eq!(
        outcome(&world, "events.exists(e, e.reason == 'R63' && e.message.matches('^m[0-9]+$'))"),
        [Outcome::Holds]
    );
    assert_eq!(outcome(&world, "events.all(a, events.exists(b, a.reason == b.reason))"), [Outcome::Holds]);
    assert_eq!(
        outcome(&world, "events.filter(e, e.reason.startsWith('R6')).map(e, e.message).size() == 5"),
        [Outcome::Holds]
    );
    assert_eq!(outcome(&world, "events.exists_one(e, e.reason == 'R6')"), [Outcome::Holds]);
}

#[test]
fn a_page_that_is_read_again_is_kept_once() {
    let of = |what: &str| {
        let mut definition = definition("id: acme-kept\nsummary: s\nwhen: 'true'");
        definition.what = Said::All(what.to_owned());
        Custom::of(&definition).expect("good").cause
    };
    assert!(std::ptr::eq(of("one"), of("one")));
    assert!(!std::ptr::eq(of("one"), of("another")));
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(64))]

    #[test]
    fn no_text_makes_the_parser_panic(text in "[ \\n\\x00a-z0-9.,:?!()\\[\\]{}'\"&|=+<>\\\\/*%é_`@-]{0,80}") {
        let _ = Expression::compile(&text);
    }

    /// Texts that are nearly right go deeper.
    #[test]
    fn no_expression_makes_the_evaluation_panic(
        parts in proptest::collection::vec(0_usize..WORDS.len(), 1..14),
    ) {
        let text: String = parts.into_iter().map(|i| WORDS[i]).collect::<Vec<_>>().join(" ");
        if Expression::compile(&text).is_ok() {
            let _ = outcome(&world(POD), &text);
        }
    }
}

const WORDS: [&str; 40] = [
    "pod",
    ".metadata",
    ".name",
    "container",
    "events",
    "log",
    "[0]",
    "[-1]",
    "['a']",
    "(",
    ")",
    "&&",
    "||",
    "!",
    "-",
    "==",
    "<",
    "in",
    "?",
    ":",
    "1",
    "9223372036854775807",
    "-9223372036854775808",
    "1.5",
    "0",
    "/",
    "%",
    "*",
    "'a'",
    "null",
    "true",
    ".size()",
    ".exists(x, x == 1)",
    ".map(x, x)",
    ".filter(x, has(x.y))",
    "optional.of(1)",
    "int('x')",
    "secondsSince('y')",
    "[1, 2]",
    "{'a': 1}",
];

#[test]
fn what_is_deep_does_not_exhaust_the_stack() {
    let world = world(POD);
    for (open, close) in [
        ("(", ")"),
        ("[", "]"),
        ("{1:", "}"),
        ("!", ""),
        ("-", ""),
        ("true?1:", "1"),
        ("pod.", "b"),
        ("true&&", "true"),
        ("true||", "true"),
        ("1+", "1"),
        ("1-", "1"),
        ("pod[", "]"),
        ("size(", ")"),
        ("has(", ")"),
        ("pod.?", "b"),
        ("'", "'"),
        ("1 in ", "b"),
        ("x.map(x,", ")"),
    ] {
        for count in [20, 31, 1_900 / (open.len() + close.len())] {
            for text in [format!("{}1{}", open.repeat(count), close.repeat(count)), open.repeat(count)] {
                if Expression::compile(&text).is_ok() {
                    let _ = outcome(&world, &text);
                }
            }
        }
    }
}
