//! How things are, told unasked: the Home tab, the report of a morning, the metrics; and all of it on a terminal.

use super::alerts::said;
use super::bot::{Bot, PATIENCE};
use super::chat::{Chat, assert_says, words, workspace};
use super::data::{OOM, granted};
use super::watched::{SOON, Watched, watching};
use crate::plane::Plane;
use podoctor::playground::slack::{Config, ids};
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::sync::mpsc;

/// Returns the element of a view with such an action and a value that names something: pods of other tests are there too.
fn button(view: &Value, action: &str, named: &str) -> Option<(String, String)> {
    match view {
        Value::Array(items) => items.iter().find_map(|item| button(item, action, named)),
        Value::Object(fields) => {
            let own = fields.get("action_id").and_then(Value::as_str).filter(|id| id.starts_with(action));
            let value = view["value"].as_str().filter(|value| value.contains(named));
            let found = own.zip(value).map(|(id, value)| (id.to_owned(), value.to_owned()));
            found.or_else(|| fields.values().find_map(|inner| button(inner, action, named)))
        }
        _ => None,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_home_tab_shows_what_is_open_and_diagnoses_it() {
    let Watched { ns, chat, store: _store, .. } = Watched::bare(SOON).await;
    chat.slack.open_home(ids::ALICE).unwrap();
    let empty = chat.bot.until("the page is there", |_| chat.slack.home(ids::ALICE)).await;
    assert_says(&words(&empty), &["Nothing is stuck"]);
    ns.apply(OOM).await;
    let name = format!("{}/manage", ns.name);
    let alert = said(&chat, &[&name, "crash looping"]).await;
    chat.bot.until("its thread is there", |_| chat.replies(ids::CHANNEL, alert["ts"].as_str()?).first().cloned()).await;

    chat.slack.open_home(ids::ALICE).unwrap();
    let shows = |view: &Value| words(view).contains(&name);
    let page = chat.bot.until("the page shows it", |_| chat.slack.home(ids::ALICE).filter(shows)).await;
    let (action, value) = button(&page, "overview-diagnose", &ns.name).expect("a button to diagnose it");
    chat.slack.click_home(ids::ALICE, &action, &value).await.unwrap();
    let told = |chat: &Chat| {
        let direct = chat.slack.direct_messages(ids::ALICE).iter().map(words).collect::<Vec<_>>().join("\n");
        [&*ns.name, "256Mi", "OOMKilled"].iter().all(|part| direct.contains(part)).then_some(())
    };
    chat.bot.until("she is told in her direct messages", |_| told(&chat)).await;

    let (_, metrics) = chat.bot.page("/metrics").await;
    assert_says(
        &metrics,
        &[
            "podoctor_incidents{state=\"open\",cause=\"cgroup-oom\"}",
            "podoctor_slack_calls_total{method=\"chat.postMessage\",result=\"ok\"}",
            "podoctor_watch_events_total{cluster=\"prod\",resource=\"pods\"}",
            "podoctor_watch_relists_total{cluster=\"prod\",resource=\"nodes\"}",
            "podoctor_watch_last_event_timestamp_seconds{cluster=\"prod\",resource=\"pods\"}",
            "podoctor_pods_in_trouble{cluster=\"prod\"}",
            "podoctor_slack_queue_length",
        ],
    );
    let count = metrics.lines().find_map(|line| line.strip_prefix("podoctor_diagnosis_seconds_count "));
    assert!(count.is_some_and(|count| count != "0"), "{metrics}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_report_of_the_morning_comes_once_also_after_a_restart() {
    let (ns, kubeconfig, _) = granted("prod").await;
    let store = tempfile::tempdir().unwrap();
    let slack = workspace(Config::default()).await;
    let mut setup = watching(&slack, &kubeconfig, &ns.name, store.path(), SOON);
    setup.yaml +=
        &format!("report: {{at: \"{}\", channel: {}}}\n", jiff::Timestamp::now().strftime("%H:%M"), ids::TEAM_A);
    let mut chat = Chat::of(slack, &setup).await;
    let reports = |chat: &Chat| {
        chat.parents(ids::TEAM_A).iter().filter(|message| words(message).contains("Good morning")).count()
    };
    chat.bot.until("the report is there", |_| (reports(&chat) == 1).then_some(())).await;
    chat.bot = Bot::start(&setup).await;
    // It does something else after its start, so it would have said it.
    ns.apply(OOM).await;
    said(&chat, &[&format!("{}/manage", ns.name), "crash looping"]).await;
    assert_eq!(reports(&chat), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_a_terminal_a_pipe_gets_a_line_for_each_thing_that_happens() {
    // Whoever may read just one namespace can watch it.
    let ns = Plane::shared().await.namespace("prod").await;
    let (kubeconfig, user) = ns.service_account("somebody").await;
    ns.grant(&user, "- {apiGroups: ['', apps], resources: ['*'], verbs: [get, list, watch]}").await;
    let mut watch = Command::new(env!("CARGO_BIN_EXE_podoctor"))
        .args(["watch", &ns.name, "--kubeconfig"])
        .arg(&kubeconfig)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(watch.stdout.take().unwrap()).lines();
    let (sender, heard) = mpsc::channel();
    std::thread::spawn(move || lines.map_while(Result::ok).try_for_each(|line| sender.send(line)));
    ns.apply(OOM).await;
    let line = tokio::task::spawn_blocking(move || heard.recv_timeout(PATIENCE)).await.unwrap();
    watch.kill().unwrap();
    watch.wait().unwrap();
    assert_says(&line.expect("a line"), &[&format!("🔴 {}/manage: 1 pod crash looping", ns.name), "memory limit"]);
}
