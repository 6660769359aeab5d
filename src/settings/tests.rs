//! What people write into settings files and variables, and what they are told.

use super::*;
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

fn told(text: &str) -> String {
    parse("p.yaml", text, &BTreeMap::new()).expect_err("refused").to_string()
}

fn with(variables: &[(&str, &str)]) -> Result<Settings, SettingsError> {
    let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    parse("p.yaml", "slack: {mode: http, default_channel: C1}", &variables)
}

#[test]
fn nothing_set_means_the_defaults() {
    for text in [
        "",
        "# only a comment\n",
        "{}",
        "slack:\nwatch:\n  thresholds:\n",
        "clusters: []",
        "slack: {default_channel: ~}",
    ] {
        assert_eq!(parse("p.yaml", text, &BTreeMap::new()), Ok(Settings::default()), "{text}");
    }
}

#[test]
fn everything_can_be_set() {
    let text = "
slack: {mode: http, api_url: 'http://127.0.0.1:9/api/', default_channel: C0TEAMA}
http: {listen: '[::1]:0'}
store: {kind: kubernetes, path: /var/p.db, namespace: podoctor}
clusters: [{name: prod, kubeconfig: ~/.kube/config, context: prod}, {name: dev}]
watch: {thresholds: {pending: 90s, creating: 1h30m, terminating: 1d, not_ready: 1m, crash_looping: 5s, unknown: 2m}}
remedies: [{remedy: remove-finalizers, clusters: [prod], namespaces: ['team-*'], approvals: 2}]
access:
  ask: [{groups: [S0TEAM], channels: [C0TEAMA]}]
  act: [{users: [U0ALICE], groups: [S0ONCALL], clusters: ['*'], namespaces: ['*']}]
  approve: [{users: [W0BOB]}]
  kubernetes: {subject: none, impersonate: true}
routes: [{clusters: [dev], namespaces: ['team-a-*'], labels: {team: a}, channel: C0TEAMA}]
channels: {C0CN: {language: zh-CN}}
remedy_expiry: 5m
language: zh-CN
";
    let settings = parse("p.yaml", text, &BTreeMap::new()).expect("good settings");
    assert_eq!(settings.slack.api_url, "http://127.0.0.1:9/api");
    assert_eq!(settings.http.listen.port(), 0);
    assert_eq!(settings.clusters[0].kubeconfig.as_deref(), Some("~/.kube/config"));
    assert_eq!(settings.watch.thresholds.creating.get(), Duration::from_secs(5400));
    assert_eq!(settings.remedies[0].approvals, 2);
    assert_eq!(settings.access.act[0].groups, ["S0ONCALL"]);
    assert_eq!(settings.language_in("C0CN"), Language::SimplifiedChinese);
    let shown = show(&settings, &Environment::of([], []));
    assert_eq!(parse("shown", &shown, &BTreeMap::new()), Ok(settings), "{shown}");
}

#[test]
fn a_mistake_is_told_with_its_line_its_key_and_what_was_meant() {
    let cases = [
        ("slack:\n  api_ulr: x", "p.yaml:2: slack.api_ulr: unknown key; did you mean `api_url`?"),
        ("watch: {}\nslakc: {}", "p.yaml:2: slakc: unknown key; did you mean `slack`?"),
        (
            "slack: {mode: sockets}",
            "p.yaml:1: slack.mode: expected socket or http, found `sockets`; did you mean `socket`?",
        ),
        ("language: zh-cn", "p.yaml:1: language: expected en or zh-CN, found `zh-cn`; did you mean `zh-CN`?"),
        ("slack: on", "p.yaml:1: slack: expected keys with values, found `on`"),
        ("slack:\n- a", "p.yaml:1: slack: expected keys with values, found a list"),
        (
            "remedy_expiry: 15",
            "p.yaml:1: remedy_expiry: expected a duration such as 90s, 5m, 2h or 1h30m, found 15 (in quotes it is text)",
        ),
        ("remedy_expiry: 0s", "p.yaml:1: remedy_expiry: expected at least 1s, found 0s"),
        (
            "watch:\n  thresholds:\n    pending: soon",
            "p.yaml:3: watch.thresholds.pending: expected a duration such as 90s, 5m, 2h or 1h30m, found `soon`",
        ),
        (
            "http: {listen: ':8080'}",
            "p.yaml:1: http.listen: expected an address and a port such as 0.0.0.0:8080, found `:8080`",
        ),
        ("clusters:\n  - context: prod", "p.yaml:2: clusters[0].name: is missing"),
        (
            "clusters:\n  - name: a\n  - name: a",
            "p.yaml:3: clusters[1].name: `a` is the name of an earlier cluster too",
        ),
        ("clusters:\n  -\n", "p.yaml:2: clusters[0]: is empty"),
        (
            "remedies: [{remedy: remove-finalizer}]",
            "p.yaml:1: remedies[0].remedy: expected remove-finalizers, force-delete-pod, restart-pod, restart-rollout, undo-rollout, resume-rollout, raise-memory-limit, delete-failed-pods, cordon-node, uncordon-node, mark-node-out-of-service or delete-volume-attachment, found `remove-finalizer`; did you mean `remove-finalizers`?",
        ),
        (
            "remedies: [{remedy: restart-pod, approvals: 0}]",
            "p.yaml:1: remedies[0].approvals: expected a whole number from 1 to 10, found 0",
        ),
        ("access: {ask: nobody}", "p.yaml:1: access.ask: expected `everyone`, found `nobody`"),
        ("access: {ask: 5}", "p.yaml:1: access.ask: expected `everyone`, or a list, found 5 (in quotes it is text)"),
        (
            "access: {act: [{namespaces: [a]}]}",
            "p.yaml:1: access.act[0]: names nobody; give `users`, `groups` or `channels`",
        ),
        (
            "clusters: [{name: prod}]\nroutes:\n- channel: C1\n  clusters: [prd]",
            "p.yaml:4: routes[0].clusters[0]: `prd` is none of the clusters (prod); did you mean `prod`?",
        ),
        ("slack:\n  mode: http\n  mode: socket", "p.yaml:3: not valid YAML: duplicate mapping key: mode"),
        ("slack: [", "p.yaml:1: not valid YAML: unclosed bracket '['"),
        ("- a", "p.yaml:1: expected keys with values, found a list"),
    ];
    for (text, expected) in cases {
        assert_eq!(told(text), expected, "{text}");
    }
}

#[test]
fn ids_are_asked_for_where_names_were_given() {
    for text in ["slack: {default_channel: '#alerts'}", "slack: {default_channel: alerts}", "channels: {alerts: {}}"] {
        assert!(told(text).contains("expected a channel's id such as C0123456789"), "{text}");
    }
    assert!(told("access: {act: [{users: ['@alice']}]}").contains("access.act[0].users[0]: expected a person's id"));
    assert!(
        told("access: {act: [{groups: [oncall]}]}").contains("access.act[0].groups[0]: expected a user group's id")
    );
}

#[test]
fn all_mistakes_are_told_at_once() {
    let text = told("slack: {mode: x, api_url: 'ftp://a'}\nremedy_expiry: never\nwat: 1");
    assert!(text.starts_with("4 problems in the settings\n  p.yaml:1: slack.mode:"), "{text}");
}

#[test]
fn a_secret_in_the_file_is_refused_and_not_repeated() {
    let text = told("slack: {bot_token: xoxb-sesame}");
    assert!(text.contains("secrets do not belong into the settings") && text.contains("SLACK_BOT_TOKEN"), "{text}");
    assert!(!text.contains("sesame"), "{text}");
    assert!(!told("slack: {mode: xoxb-sesame}").contains("sesame"));
    assert!(told("slack: {api_url: 'https://user:sesame@slack.com/api'}").contains("without user"));
}

#[test]
fn the_environment_overrides_the_file() {
    let settings = with(&[
        ("PODOCTOR_SLACK__API_URL", "http://127.0.0.1:1/api"),
        ("PODOCTOR_WATCH__THRESHOLDS__NOT_READY", "1m"),
        ("PODOCTOR_CLUSTERS", "[{name: prod}, {name: '7'}]"),
        ("PODOCTOR_CHANNELS__C0CN__LANGUAGE", "zh-CN"),
        ("PODOCTOR_ACCESS__ASK", "[{users: [U1]}]"),
        ("PODOCTOR_ACCESS__KUBERNETES__IMPERSONATE", "true"),
        ("PODOCTOR_STORE__PATH", "1234"),
        ("PODOCTOR_REMEDY_EXPIRY", "1h"),
        ("PODOCTOR_STORE__NAMESPACE", ""),
    ])
    .expect("good settings");
    assert_eq!((settings.slack.mode, settings.slack.default_channel.as_deref()), (Mode::Http, Some("C1")));
    assert_eq!(settings.slack.api_url, "http://127.0.0.1:1/api");
    assert_eq!(settings.watch.thresholds.not_ready, HumanDuration::minutes(1));
    assert_eq!(settings.clusters[1].name, "7");
    assert_eq!(settings.language_in("C0CN"), Language::SimplifiedChinese);
    assert!(matches!(settings.access.ask, Ask::Only(grants) if grants[0].users == ["U1"]));
    assert!(settings.access.kubernetes.impersonate);
    assert_eq!(settings.store.path, Path::new("1234"));
    assert_eq!(settings.remedy_expiry, HumanDuration::minutes(60));
}

#[test]
fn a_section_in_one_variable_replaces_the_files() {
    let settings = with(&[("PODOCTOR_SLACK", "{default_channel: C2}"), ("PODOCTOR_SLACK__MODE", "http")]);
    let slack = settings.expect("good settings").slack;
    assert_eq!((slack.mode, slack.default_channel.as_deref()), (Mode::Http, Some("C2")));
}

#[test]
fn a_mistaken_variable_is_named() {
    let cases = [
        ("PODOCTOR_SLACK__MODE", "x", "PODOCTOR_SLACK__MODE: slack.mode: expected socket or http, found `x`"),
        (
            "PODOCTOR_SLACK__API_ULR",
            "x",
            "PODOCTOR_SLACK__API_ULR: unknown setting; did you mean `PODOCTOR_SLACK__API_URL`?",
        ),
        (
            "PODOCTOR_SLACK_API_URL",
            "x",
            "PODOCTOR_SLACK_API_URL: unknown setting; did you mean `PODOCTOR_SLACK__API_URL`?",
        ),
        ("PODOCTOR_LANGAUGE", "x", "PODOCTOR_LANGAUGE: unknown setting; did you mean `PODOCTOR_LANGUAGE`?"),
        (
            "PODOCTOR_XYZ__ABC",
            "x",
            "PODOCTOR_XYZ__ABC: xyz: unknown key; there are access, causes, channels, clusters, http, language, remedies, remedy_expiry, report, routes, slack, store, watch",
        ),
        (
            "PODOCTOR_CLUSTERS__0__NAME",
            "x",
            "PODOCTOR_CLUSTERS__0__NAME: clusters.0: `clusters` has no keys below it; its whole value goes into one variable, as YAML",
        ),
        (
            "PODOCTOR_CLUSTERS",
            "[{name: a}, {nam: b}]",
            "PODOCTOR_CLUSTERS: clusters[1].nam: unknown key; did you mean `name`?",
        ),
        ("PODOCTOR_CLUSTERS", "[", "PODOCTOR_CLUSTERS: clusters: not valid YAML"),
    ];
    for (name, value, expected) in cases {
        let text = with(&[(name, value)]).expect_err("refused").to_string();
        assert!(text.contains(expected), "{name}: {text}");
    }
}

#[test]
fn other_peoples_variables_are_left_alone() {
    let links = [
        ("PODOCTOR_CONFIG", "x"),
        ("PODOCTOR_SERVICE_HOST", "10.0.0.1"),
        ("PODOCTOR_SERVICE_PORT_HTTP", "80"),
        ("PODOCTOR_PORT", "tcp://10.0.0.1:80"),
        ("PODOCTOR_PORT_8080_TCP_ADDR", "10.0.0.1"),
        ("PODOCTOR_HTTP_SERVICE_HOST", "10.0.0.1"),
        ("PODOCTOR_BIN", "/bin/podoctor"),
        ("SLACK_BOT_TOKEN", "xoxb-1"),
    ];
    with(&links).expect("left alone");
}

#[test]
fn the_file_is_looked_for_in_order() {
    let files = [
        ("podoctor.yaml", "language: zh-CN"),
        ("/etc/podoctor/podoctor.yaml", ""),
        ("/a", ""),
        ("/b", "language: zh-CN"),
    ];
    let from = |path: Option<&str>, environment: &Environment| {
        load(path.map(Path::new), environment).map(|loaded| (loaded.file, loaded.settings.language))
    };
    let english = Language::English;
    let chinese = Language::SimplifiedChinese;
    let named = Environment::of([("PODOCTOR_CONFIG", "/b")], files);
    assert_eq!(from(Some("/a"), &named), Ok((Some("/a".into()), english)));
    assert_eq!(from(None, &named), Ok((Some("/b".into()), chinese)));
    assert_eq!(from(None, &Environment::of([], files)), Ok((Some("podoctor.yaml".into()), chinese)));
    let etc = Environment::of([], [("/etc/podoctor/podoctor.yaml", "")]);
    assert_eq!(from(None, &etc), Ok((Some("/etc/podoctor/podoctor.yaml".into()), english)));
    assert_eq!(from(None, &Environment::of([], [])), Ok((None, english)));
}

#[test]
fn a_file_that_was_named_must_be_there() {
    let nothing = Environment::of([("PODOCTOR_CONFIG", "/b")], []);
    let text = load(Some(Path::new("/a")), &nothing).expect_err("refused").to_string();
    assert_eq!(text, "--config: cannot read the settings file `/a`: no such file");
    let text = load(None, &nothing).expect_err("refused").to_string();
    assert_eq!(text, "PODOCTOR_CONFIG: cannot read the settings file `/b`: no such file");
}

#[test]
fn what_is_shown_hides_secrets() {
    let environment = Environment::of([("SLACK_BOT_TOKEN", "xoxb-sesame"), ("SLACK_APP_TOKEN_FILE", "/t")], []);
    let shown = show(&Settings::default(), &environment);
    assert!(shown.contains("SLACK_BOT_TOKEN: (set)") && shown.contains("SLACK_APP_TOKEN: (set)"), "{shown}");
    assert!(shown.contains("SLACK_SIGNING_SECRET: (not set)") && !shown.contains("sesame"), "{shown}");
}

proptest::proptest! {
    #[test]
    fn no_text_makes_it_panic(text in "[ \n:a-z\\[\\]{}\"'&*!|>#-]{0,60}") {
        let _ = parse("p.yaml", &text, &BTreeMap::new());
    }
}
