//! `podoctor try`, as a newcomer plays it: the stuck pod is cured by two reactions, and nobody else can.

use crate::flows::chat::{assert_says, words};
use crate::plane::process::Process;
use podoctor::playground::slack::ids;
use serde_json::{Value, json};
use std::path::Path;
use std::time::{Duration, Instant};
use tempfile::TempDir;

const PATIENCE: Duration = Duration::from_secs(60);

struct Try {
    address: String,
    http: reqwest::Client,
    _process: Process,
    _folder: TempDir,
}

impl Try {
    async fn start() -> Try {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let folder = tempfile::tempdir().expect("a folder");
        let log = folder.path().join("out");
        let words = ["try", "--port", "0"].map(str::to_owned);
        let mut process =
            Process::start(Path::new(env!("CARGO_BIN_EXE_podoctor")), &words, &log, None).expect("started");
        let started = Instant::now();
        let address = loop {
            let text = std::fs::read_to_string(&log).unwrap_or_default();
            let first = text.lines().find_map(|line| line.strip_prefix("podoctor try: "));
            if let Some(address) = first.filter(|_| text.contains("Ctrl-C")) {
                break address.to_owned();
            }
            process.check().expect("it runs");
            assert!(started.elapsed() < PATIENCE, "it did not start:\n{text}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        };
        let http = reqwest::Client::builder().no_proxy().build().expect("a client");
        Try { address, http, _process: process, _folder: folder }
    }

    async fn play(&self, what: &str, body: Value) -> Value {
        let request = self.http.post(format!("{}/try/{what}", self.address)).json(&body);
        request.send().await.expect("an answer").json().await.expect("JSON")
    }

    async fn messages(&self, channel: &str, user: &str) -> Vec<Value> {
        let url = format!("{}/try/channels/{channel}/messages?user={user}", self.address);
        let answer: Value = self.http.get(url).send().await.expect("an answer").json().await.expect("JSON");
        answer["messages"].as_array().cloned().unwrap_or_default()
    }

    /// Waits until somebody sees a message that says all of these.
    async fn sees(&self, channel: &str, user: &str, parts: &[&str]) -> Value {
        let started = Instant::now();
        loop {
            let messages = self.messages(channel, user).await;
            let fits = |message: &&Value| parts.iter().all(|part| words(message).contains(part));
            if let Some(found) = messages.iter().rev().find(fits) {
                return found.clone();
            }
            let all = messages.iter().map(words).collect::<Vec<_>>().join("\n--\n");
            assert!(started.elapsed() < PATIENCE, "{user} never saw {parts:?}:\n{all}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

fn ts(message: &Value) -> &str {
    message["ts"].as_str().expect("a ts")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_reactions_cure_the_pod_of_the_playground() {
    let playground = Try::start().await;
    let (channel, alice) = (ids::CHANNEL, ids::ALICE);
    let command = json!({"user": alice, "channel": channel, "text": "/podoctor data/backup..."});
    playground.play("command", command).await;
    let answer = playground.sees(channel, alice, &["data/backup-nightly-7xk2p: Terminating"]).await;
    // A guest is told why not.
    let react = |user: &str, ts: &str, name: &str| json!({"user": user, "channel": channel, "ts": ts, "name": name});
    playground.play("reaction", react(ids::GUEST, ts(&answer), "wrench")).await;
    playground.sees(channel, ids::GUEST, &["Guests may ask, but change nothing"]).await;

    playground.play("reaction", react(alice, ts(&answer), "wrench")).await;
    let plan = playground.sees(channel, alice, &["Plan, to be confirmed", "backup.example.com/cleanup"]).await;
    assert_eq!(plan["thread_ts"], answer["ts"]);
    assert_says(&words(&plan), &["No Deployment, StatefulSet or DaemonSet", "Cannot be undone"]);
    playground.play("reaction", react(ids::GUEST, ts(&plan), "white_check_mark")).await;
    playground.play("reaction", react(alice, ts(&plan), "white_check_mark")).await;
    playground.sees(channel, alice, &["It helped", "the pod is gone"]).await;
    let edited = playground.sees(channel, alice, &["Done, and it helped"]).await;
    assert_eq!(edited["ts"], plan["ts"]);
    let command = json!({"user": alice, "channel": channel, "text": "/podoctor data/backup-nightly-7xk2p"});
    playground.play("command", command).await;
    playground.sees(channel, alice, &["no answer", "There is no pod"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stranger_changes_nothing_there() {
    let playground = Try::start().await;
    let (channel, alice) = (ids::SHARED, ids::ALICE);
    let command = json!({"user": alice, "channel": channel, "text": "/podoctor data/backup..."});
    playground.play("command", command).await;
    let answer = playground.sees(channel, alice, &["data/backup-nightly-7xk2p: Terminating"]).await;
    let wrench = json!({"user": ids::MALLORY, "channel": channel, "ts": ts(&answer), "name": "wrench"});
    playground.play("reaction", wrench).await;
    playground.sees(channel, ids::MALLORY, &["people of this workspace only"]).await;
    let said = playground.messages(channel, alice).await;
    assert!(!said.iter().any(|message| words(message).contains("Plan")), "no plan for a stranger");
}
