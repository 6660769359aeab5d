//! Starting and stopping: wrong settings and tokens are refused with exit code 2 and what to change; a stop loses nothing.

use super::bot::{Bot, PATIENCE, Setup};
use super::chat::{assert_says, words, workspace};
use super::data::{MANAGE, OOM, granted, kubeconfig_at};
use super::proxy::Proxy;
use podoctor::playground::slack::{Config, DisconnectReason, Failure, ids};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

/// Returns a setup that would start, for a workspace that runs.
async fn sound(slack: &podoctor::playground::slack::Workspace) -> (Setup, tempfile::NamedTempFile) {
    let kubeconfig = kubeconfig_at("http://127.0.0.1:9");
    (Setup::of(slack, &[("prod", kubeconfig.path())]), kubeconfig)
}

/// Fails the test unless it ends with 2 and says all of these, and no token.
#[track_caller]
fn assert_refused(setup: &Setup, parts: &[&str]) {
    let output = setup.refused();
    let said = String::from_utf8(output.stderr).unwrap() + &String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert_says(&said, parts);
    for (name, value) in &setup.env {
        assert!(
            !name.starts_with("SLACK_") || value.is_empty() || !said.contains(value.as_str()),
            "{name} is told: {said}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_settings_are_refused_with_the_key_to_change() {
    let slack = workspace(Config::default()).await;
    let (sound, _kubeconfig) = sound(&slack).await;
    let wrong = |from: &str, to: &str| Setup { yaml: sound.yaml.replacen(from, to, 1), ..sound.clone() };
    assert_refused(&wrong("api_url", "api_ulr"), &["slack.api_ulr", "api_url", "podoctor.yaml:2"]);
    assert_refused(&wrong("127.0.0.1:0", "nowhere"), &["http.listen", "nowhere"]);
    assert_refused(&wrong("slack:\n", "slack:\n  mode: carrier-pigeon\n"), &["slack.mode", "socket", "http"]);
    assert_refused(&wrong("clusters:\n", "remedy_expiry: 5 parsecs\nclusters:\n"), &["remedy_expiry", "5 parsecs"]);
    assert_refused(&wrong("name: prod", "name: prod, kubeconfigg: x"), &["clusters[0].kubeconfigg"]);
    assert_refused(&wrong(".", ".:\n- ]"), &["podoctor.yaml"]);
    let lost = Setup { yaml: sound.yaml.replace("/tmp/", "/tmp/lost/"), ..sound.clone() };
    assert_refused(&lost, &["cluster prod", "/tmp/lost/"]);
    let by_variable = sound.with("PODOCTOR_HTTP__LISTEN", "sesame");
    assert_refused(&by_variable, &["PODOCTOR_HTTP__LISTEN", "sesame"]);
    assert!(slack.calls().is_empty(), "nobody is called before the settings are right");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn missing_and_refused_tokens_say_which_and_where_to_get_them() {
    let slack = workspace(Config::default()).await;
    let (sound, _kubeconfig) = sound(&slack).await;
    let (bot, app) = ("SLACK_BOT_TOKEN", "SLACK_APP_TOKEN");
    let get_bot = "OAuth & Permissions → Bot User OAuth Token";
    let get_app = "Basic Information → App-Level Tokens";
    assert_refused(&sound.without(bot), &[bot, "is not set", get_bot]);
    assert_refused(&sound.without(app), &[app, "is not set", get_app]);
    assert_refused(
        &sound.clone().over_http(&slack).without("SLACK_SIGNING_SECRET"),
        &["SLACK_SIGNING_SECRET", "Signing Secret"],
    );
    assert_refused(&sound.with(bot, &slack.config().app_token), &[bot, "belongs into SLACK_APP_TOKEN", get_bot]);
    assert_refused(&sound.with(bot, "xoxb-0-revoked"), &[bot, "invalid_auth", get_bot]);
    assert_refused(&sound.with(app, "xapp-1-revoked"), &[app, "invalid_auth", get_app]);
    // Refused is refused: no hot loop.
    assert!(slack.calls_of("apps.connections.open").len() <= 2, "{}", slack.calls_of("apps.connections.open").len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_from_a_file_is_as_good() {
    let slack = workspace(Config::default()).await;
    let (mut setup, _kubeconfig) = sound(&slack).await;
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), format!("{}\n", slack.config().bot_token)).unwrap();
    setup = setup.without("SLACK_BOT_TOKEN").with("SLACK_BOT_TOKEN_FILE", &file.path().display().to_string());
    let bot = Bot::start(&setup).await;
    assert!(slack.wait_for_sockets(1, PATIENCE).await, "{}", bot.log());
    assert_eq!(bot.page("/healthz").await.0, 200);
    assert!(!bot.log().contains(&slack.config().bot_token));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_is_ready_once_a_socket_has_said_hello() {
    let slack = workspace(Config::default()).await;
    slack.fail("apps.connections.open", Failure::Status(503), 2);
    let (setup, _kubeconfig) = sound(&slack).await;
    let bot = Bot::start(&setup).await;
    let (status, body) = bot.page("/readyz").await;
    assert!(status == 200 || body.contains("no socket"), "{status} {body}");
    assert!(slack.wait_for_sockets(1, PATIENCE).await, "{}", bot.log());
    for _ in 0..200 {
        if bot.page("/readyz").await.0 == 200 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("never ready:\n{}", bot.log());
}

/// A bot that is waited for; killed when the test fails before.
struct Running(Child);

impl Running {
    fn start(setup: &Setup) -> (Running, tempfile::TempDir) {
        let (folder, words) = setup.write();
        let log = std::fs::File::create(folder.path().join("stderr")).unwrap();
        (Running(Command::new("env").args(words).stderr(log).spawn().unwrap()), folder)
    }

    /// Waits for its end and returns its exit code.
    async fn ended(&mut self) -> Option<i32> {
        let started = Instant::now();
        loop {
            if let Some(status) = self.0.try_wait().unwrap() {
                return status.code();
            }
            assert!(started.elapsed() < PATIENCE, "it goes on running");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_being_answered_at_a_stop_is_answered() {
    let (ns, _, _) = granted("prod").await;
    ns.apply(OOM).await;
    let proxy = Proxy::start(&ns, Duration::from_millis(500)).await;
    let kubeconfig = kubeconfig_at(&proxy.url);
    let slack = workspace(Config::default()).await;
    let (mut bot, _folder) = Running::start(&Setup::of(&slack, &[("prod", kubeconfig.path())]));
    assert!(slack.wait_for_sockets(1, PATIENCE).await);
    slack.command(ids::ALICE, ids::CHANNEL, &format!("/podoctor {}/manage", ns.name)).await.unwrap();
    let kill = Command::new("kill").args(["-TERM", &bot.0.id().to_string()]).status().unwrap();
    assert!(kill.success());
    assert_eq!(bot.ended().await, Some(0));
    let said: String = slack.messages(ids::CHANNEL).iter().map(words).collect();
    assert_says(&said, &[MANAGE, "256Mi", "How to fix it"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn socket_mode_switched_off_ends_it_with_slacks_own_code() {
    let slack = workspace(Config::default()).await;
    let (setup, _kubeconfig) = sound(&slack).await;
    let (mut bot, folder) = Running::start(&setup);
    assert!(slack.wait_for_sockets(2, PATIENCE).await);
    slack.disconnect(DisconnectReason::LinkDisabled);
    assert_eq!(bot.ended().await, Some(2));
    let log = std::fs::read_to_string(folder.path().join("stderr")).unwrap();
    assert_says(&log, &["link_disabled"]);
}
