//! The built binary as people use it: a real API server with 10,000 pods, a Slack without delay, and a table of figures.
//!
//! `cargo bench --bench service`. Prints markdown; `docs/performance.md` holds the figures of one run. Nothing is asserted
//! but that the work was done: a budget missed is a figure, not a failure.

#![expect(clippy::disallowed_methods, reason = "measures the real thing in real time")]

#[path = "service/crowd.rs"]
mod crowd;
#[path = "../tests/it"]
#[expect(dead_code, unused_imports, reason = "the harness of the tests, of which this is one user")]
mod it {
    pub mod plane;
    #[expect(clippy::unwrap_used, reason = "what cannot be set up ends the run")]
    pub mod flows {
        pub mod bot;
        pub mod chat;
        pub mod data;
    }
}
#[path = "service/run.rs"]
mod run;

use it::flows::bot::{Bot, Setup};
use it::flows::chat::workspace;
use it::plane::{self, Life, Plane};
use podoctor::playground::slack::{Config, Running, ids};
use run::Ran;
use serde_json::json;
use std::path::Path;
use std::time::{Duration, Instant};

const BINARY: &str = env!("CARGO_BIN_EXE_podoctor");
const QUESTIONS: usize = 100;
/// Questions come at the pace at which three channels take three messages each, so that podoctor's own queue never waits.
const CHANNELS: [&str; 3] = [ids::CHANNEL, ids::TEAM_A, ids::SHARED];
const COMMANDS: usize = 500;
const COMMANDS_A_SECOND: u32 = 50;

#[tokio::main(flavor = "multi_thread", worker_threads = 1)]
async fn main() -> anyhow::Result<()> {
    // `cargo bench -- --test` and the like only ask whether it starts.
    if std::env::args().any(|arg| arg == "--test" || arg == "--list") {
        return Ok(());
    }
    let _ = rustls::crypto::ring::default_provider().install_default();
    println!("| what | budget | measured |\n| --- | --- | --- |");
    row("binary", "≤ 30 MiB", &mib(std::fs::metadata(BINARY)?.len() / 1024));
    cases()?;
    row("`try`, from start to its page", "≤ 1 s", &ms(tryout().await?));

    let now = jiff::Timestamp::now();
    let objects = crowd::objects(now);
    from_files(&objects)?;
    let plane = Plane::start(Life::Recorded).await;
    for name in crowd::namespaces() {
        plane.admin().post("/api/v1/namespaces", &json!({"metadata": {"name": name}})).await?;
    }
    crowd::load(&plane.etcd()?, &objects).await?;
    drop(objects);
    plane.grant("podoctor", &it::flows::data::rules()).await;
    let kubeconfig = plane.kubeconfig_for("podoctor");
    scan(&plane, &kubeconfig).await?;
    bot(&plane, &kubeconfig).await?;
    watch(&kubeconfig).await?;
    Ok(())
}

/// Diagnoses each case from its files, a process each.
fn cases() -> anyhow::Result<()> {
    let mut took = Vec::new();
    for entry in std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases"))? {
        let folder = entry?.path();
        let Ok(truth) = std::fs::read(folder.join("expected.json")) else { continue };
        let truth: serde_json::Value = serde_json::from_slice(&truth)?;
        let target = truth["target"].as_str().unwrap_or_default();
        took.push(Ran::of(BINARY, &["diagnose", target, "--from", &folder.display().to_string(), "-o", "json"])?.took);
    }
    let figures = format!("p50 {}, slowest of {}: {}", at(&mut took, 0.5), took.len(), at(&mut took, 1.0));
    row("`diagnose` from files, a case", "≤ 50 ms", &figures);
    Ok(())
}

async fn tryout() -> anyhow::Result<Duration> {
    let started = Instant::now();
    let playground = run::Spoken::start(BINARY, &["try", "--port", "0"])?;
    let address = playground.first_line.trim().trim_start_matches("podoctor try: ").to_owned();
    reqwest::get(&address).await?.error_for_status()?;
    Ok(started.elapsed())
}

fn from_files(objects: &[(plane::api::Resource, serde_json::Value)]) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let items: Vec<_> = objects.iter().map(|(_, object)| object).collect();
    let file = folder.path().join("all.json");
    std::fs::write(&file, json!({"apiVersion": "v1", "kind": "List", "items": items}).to_string())?;
    let ran = Ran::of(BINARY, &["diagnose", "*", "--from", &file.display().to_string(), "-o", "json"])?;
    row(
        "`diagnose '*'` from a file of 10,000 pods",
        "≤ 1 s",
        &format!("{}, {}, {} sick", ms(ran.took), mib(ran.peak_kib), ran.pods()?),
    );
    Ok(())
}

async fn scan(plane: &Plane, kubeconfig: &Path) -> anyhow::Result<()> {
    let file = kubeconfig.display().to_string();
    let mark = plane.mark().await;
    let ran = tokio::task::spawn_blocking(move || {
        let args = ["diagnose", "*", "--kubeconfig", &file, "-o", "json"];
        // The first one finds the API server's caches cold, as nobody else does.
        Ran::of(BINARY, &args)?;
        Ran::of(BINARY, &args)
    })
    .await??;
    let requests = plane.requests_since(mark, "podoctor").await;
    let logs = requests.iter().filter(|request| request.resource == "pods/log").count();
    let figures = format!(
        "{}, {}, {} sick, {} requests and {} for logs",
        ms(ran.took),
        mib(ran.peak_kib),
        ran.pods()?,
        (requests.len() - logs) / 2,
        logs / 2
    );
    row("`diagnose '*'`, API server with 10,000 pods", "≤ 2 s, ≤ 40 MiB", &figures);
    Ok(())
}

async fn bot(plane: &Plane, kubeconfig: &Path) -> anyhow::Result<()> {
    let slack = workspace(Config { post_burst: None, ..Config::default() }).await;
    let bot = Bot::start(&Setup::of(&slack, &[("prod", kubeconfig)])).await;
    anyhow::ensure!(slack.wait_for_sockets(2, Duration::from_secs(20)).await, "no sockets: {}", bot.log());
    row("resident, idle", "≤ 15 MiB", &mib(run::resident_kib(BINARY, "serve")?));

    let sick = crowd::sick();
    let mark = plane.mark().await;
    let mut took = Vec::new();
    let mut ticks = tokio::time::interval(Duration::from_millis(1_200));
    for (target, channel) in sick.iter().cycle().zip(CHANNELS.iter().cycle()).take(QUESTIONS) {
        ticks.tick().await;
        took.push(ask(&slack, &bot, channel, target).await?);
    }
    let requests = plane.requests_since(mark, "podoctor").await.len();
    let figures = format!("p50 {}, p99 {}", at(&mut took, 0.5), at(&mut took, 0.99));
    row("question to answer", "p50 ≤ 50 ms, p99 ≤ 200 ms", &figures);
    #[expect(clippy::cast_precision_loss, reason = "small numbers")]
    let each = requests as f64 / QUESTIONS as f64;
    row("API requests a question, on average", "≤ 8", &format!("{each:.1}"));

    let mut ticks = tokio::time::interval(Duration::from_secs(1) / COMMANDS_A_SECOND);
    let mut people = tokio::task::JoinSet::new();
    for target in sick.iter().cycle().take(COMMANDS) {
        ticks.tick().await;
        let (slack, text) = (slack.clone(), format!("/podoctor {target}"));
        people.spawn(async move { slack.command(ids::ALICE, ids::CHANNEL, &text).await.map(|ack| ack.after) });
    }
    let mut acks = Vec::new();
    while let Some(ack) = people.join_next().await {
        acks.push(ack?.map_err(|refusal| anyhow::anyhow!("a command was not acknowledged: {refusal:?}"))?);
    }
    row(
        "acknowledgement, 50 commands a second",
        "p99 ≤ 20 ms",
        &format!("p50 {}, p99 {}", at(&mut acks, 0.5), at(&mut acks, 0.99)),
    );
    row("resident, with 500 questions in hand", "", &mib(run::resident_kib(BINARY, "serve")?));
    Ok(())
}

/// Lets the bot watch the whole cluster, and tell what is sick.
async fn watch(kubeconfig: &Path) -> anyhow::Result<()> {
    let slack = workspace(Config { post_burst: None, ..Config::default() }).await;
    let store = tempfile::tempdir()?;
    let mut setup = Setup::of(&slack, &[("prod", kubeconfig)]);
    setup.yaml = setup.yaml.replacen("slack:\n", &format!("slack:\n  default_channel: {}\n", ids::CHANNEL), 1);
    setup.yaml += &format!("store: {{path: {}}}\n", store.path().join("podoctor.db").display());
    let started = Instant::now();
    let bot = Bot::start(&setup).await;
    bot.until("it tells what is sick", |_| (!slack.calls_of("chat.postMessage").is_empty()).then_some(())).await;
    let told = started.elapsed();
    let resident = mib(run::resident_kib(BINARY, "serve")?);
    row(
        "watching 10,000 pods, 300 sick: start to the first alert, resident then",
        "≤ 24 MiB",
        &format!("{}, {resident}", ms(told)),
    );
    Ok(())
}

/// Asks, and returns how long it took until the last message of the answer was on its way into the channel.
async fn ask(slack: &Running, bot: &Bot, channel: &str, target: &str) -> anyhow::Result<Duration> {
    let (handled, started) = (bot.handled(), Instant::now());
    slack.command(ids::ALICE, channel, &format!("/podoctor {target}")).await.map_err(|r| anyhow::anyhow!("{r:?}"))?;
    bot.until("it is answered", |bot| (bot.handled() > handled).then_some(())).await;
    let last = slack.calls_of("chat.postMessage").last().map(|call| call.at);
    Ok(last.ok_or_else(|| anyhow::anyhow!("nothing was posted: {}", bot.log()))?.duration_since(started))
}

fn row(what: &str, budget: &str, measured: &str) {
    println!("| {what} | {budget} | {measured} |");
}

fn mib(kib: u64) -> String {
    format!("{}.{} MiB", kib / 1024, kib % 1024 * 10 / 1024)
}

fn ms(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1_000.0)
}

/// Returns a quantile in words; 1.0 = the slowest.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "small numbers"
)]
fn at(times: &mut [Duration], quantile: f64) -> String {
    times.sort();
    let rank = (times.len() as f64 * quantile).ceil() as usize;
    times.get(rank.saturating_sub(1)).map_or_else(|| "none".to_owned(), |time| ms(*time))
}
