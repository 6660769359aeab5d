//! podoctor is killed with -9 at random moments while pods break and recover: nothing is lost, nothing is told twice.
//!
//! The seed is printed. `PODOCTOR_SEED` repeats one, `PODOCTOR_KILLS` says how often it is killed:
//! `PODOCTOR_KILLS=100 cargo test --test it kills -- --nocapture`.

use super::bot::{Bot, Setup};
use super::chat::{by_bot, ts, words, workspace};
use super::data::granted;
use super::watched::{FIX, breaks, furnish, make, recovers, watching, within};
use podoctor::playground::slack::{Config, Running, ids};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::hash::{BuildHasher, RandomState};
use std::time::{Duration, Instant};

const WORKLOADS: usize = 6;
/// How often it is killed where nobody says.
const KILLS: u64 = 25;

/// Random numbers that a seed repeats (splitmix64).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % below
    }
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{variable} is no number")))
}

/// The channel, by workload and by what each message carries.
struct Channel {
    messages: Vec<Value>,
    namespace: String,
}

impl Channel {
    fn read(slack: &Running, namespace: &str) -> Self {
        let messages = slack.messages(ids::CHANNEL).into_iter().filter(by_bot).collect();
        Self { messages, namespace: namespace.to_owned() }
    }

    fn parents(&self) -> impl Iterator<Item = &Value> {
        self.messages.iter().filter(|message| message["thread_ts"].is_null() || message["thread_ts"] == message["ts"])
    }

    fn replies(&self, parent: &Value) -> Vec<&Value> {
        let inside = |message: &&Value| message["thread_ts"] == parent["ts"] && message["ts"] != parent["ts"];
        self.messages.iter().filter(inside).collect()
    }

    fn is_digest(message: &Value) -> bool {
        key(message).is_some_and(|key| key.starts_with("digest-"))
    }

    /// Returns the messages that are a workload's own.
    fn own(&self, workload: &str) -> Vec<&Value> {
        let start = format!("{}/{workload}:", self.namespace);
        self.parents().filter(|parent| !Self::is_digest(parent) && words(parent).contains(&start)).collect()
    }

    /// Returns how many lists of digests name a workload.
    fn listed(&self, workload: &str) -> usize {
        let start = format!("{}/{workload}:", self.namespace);
        let digests = self.parents().filter(|parent| Self::is_digest(parent));
        let lists = digests.flat_map(|digest| self.replies(digest));
        lists.map(|list| words(list).matches(&start).count()).sum()
    }
}

fn key(message: &Value) -> Option<&str> {
    message["metadata"]["event_payload"]["id"].as_str()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_at_random_moments_no_alert_is_lost_and_none_told_twice() {
    let seed = number("PODOCTOR_SEED").unwrap_or_else(|| RandomState::new().hash_one(0));
    let kills = number("PODOCTOR_KILLS").unwrap_or(KILLS);
    println!("PODOCTOR_SEED={seed} PODOCTOR_KILLS={kills}");
    let mut dice = Dice(seed);
    let (ns, kubeconfig, _) = granted("prod").await;
    furnish(&ns).await;
    let store = tempfile::tempdir().unwrap();
    let slack = workspace(Config::default()).await;
    let watch = "{thresholds: {crash_looping: 1s}, resolve_after: 1s}";
    let setup: Setup = watching(&slack, &kubeconfig, &ns.name, store.path(), watch);
    let names: Vec<String> = (0..WORKLOADS).map(|n| format!("w{n}")).collect();
    for name in &names {
        make(&ns, name).await;
        recovers(&ns, name).await;
    }
    // How long it takes to be up, so that some kills come before and most after.
    let began = Instant::now();
    drop(Bot::start(&setup).await);
    let life = u64::try_from(began.elapsed().as_millis()).unwrap() + 1_200;

    let began = Instant::now();
    let mut broken: BTreeSet<usize> = BTreeSet::new();
    for _ in 0..kills {
        let bot = Bot::launch(&setup);
        let end = Instant::now() + Duration::from_millis(dice.roll(life));
        while Instant::now() < end {
            let one = usize::try_from(dice.roll(WORKLOADS as u64)).unwrap();
            if broken.remove(&one) {
                recovers(&ns, &names[one]).await;
            } else {
                broken.insert(one);
                breaks(&ns, &names[one]).await;
            }
            let pause = Duration::from_millis(dice.roll(500));
            tokio::time::sleep(pause.min(end.saturating_duration_since(Instant::now()))).await;
        }
        drop(bot);
    }
    let took = began.elapsed();

    let bot = Bot::start(&setup).await;
    let transcript = || format!("seed {seed}\n{}\n{}", slack.transcript(ids::CHANNEL), bot.log());
    within(Duration::from_secs(60), "every workload is told as it is", || {
        let channel = Channel::read(&slack, &ns.name);
        for (index, name) in names.iter().enumerate() {
            let own = channel.own(name);
            let told = own.len() + channel.listed(name);
            let is_red = own.first().is_some_and(|own| words(own).contains("crash looping"));
            let is_green = own.first().is_some_and(|own| words(own).contains("resolved after"));
            let fits = match (broken.contains(&index), own.is_empty()) {
                (true, true) => told > 0,
                (true, false) => is_red,
                (false, true) => true,
                (false, false) => is_green,
            };
            if !fits {
                return Err(format!("{name} (broken: {}) {}", broken.contains(&index), transcript()));
            }
        }
        let mut digests = channel.parents().filter(|parent| Channel::is_digest(parent));
        let unfinished = broken.is_empty() && !digests.all(|digest| words(digest).contains('✅'));
        if unfinished { Err(format!("a digest is not green: {}", transcript())) } else { Ok(()) }
    })
    .await;
    // What is about to be said is said: each thread ends as its message says.
    within(Duration::from_secs(60), "every thread is told to its end", || {
        let channel = Channel::read(&slack, &ns.name);
        for (index, name) in names.iter().enumerate() {
            for own in channel.own(name) {
                let story = story(&channel, own);
                let ends_green = story.last().is_some_and(|last| *last == Said::Resolved);
                // What recovered before anybody could look at it has no evidence.
                let is_open = broken.contains(&index);
                let has_evidence = channel.replies(own).iter().any(|reply| words(reply).contains(FIX));
                if ends_green == is_open || (is_open && !has_evidence) {
                    return Err(format!("{name}: {story:?} {}", transcript()));
                }
            }
        }
        Ok(())
    })
    .await;

    let channel = Channel::read(&slack, &ns.name);
    let mut keys: BTreeMap<&str, usize> = BTreeMap::new();
    for key in channel.messages.iter().filter_map(key) {
        *keys.entry(key).or_default() += 1;
    }
    let twice: Vec<_> = keys.iter().filter(|(_, times)| **times > 1).collect();
    assert!(twice.is_empty(), "told twice: {twice:?}\n{}", transcript());
    for name in &names {
        let (own, listed) = (channel.own(name).len(), channel.listed(name));
        assert!(own + listed <= 1, "{name} has {own} messages, and {listed} places in a digest\n{}", transcript());
        for own in channel.own(name) {
            let story = story(&channel, own);
            let by_turns = story.iter().enumerate().all(|(n, said)| (*said == Said::Resolved) == (n % 2 == 0));
            assert!(by_turns, "{name}: {story:?}\n{}", transcript());
        }
    }
    let told = names.iter().filter(|name| !channel.own(name).is_empty() || channel.listed(name) > 0).count();
    println!(
        "{kills} kills in {:.1} s: {told} incidents, 0 lost, 0 told twice; {} messages, {} edits",
        took.as_secs_f64(),
        channel.messages.len(),
        slack.calls_of("chat.update").len()
    );
    assert!(told > 0, "it lived long enough to tell something\n{}", transcript());
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Said {
    Resolved,
    Back,
}

/// Returns what a thread says of the course of things, in order.
fn story(channel: &Channel, parent: &Value) -> Vec<Said> {
    let mut replies = channel.replies(parent);
    replies.sort_by_key(|reply| ts(reply));
    let said = |reply: &&Value| match words(reply) {
        said if said.contains("✅ Resolved") => Some(Said::Resolved),
        said if said.contains("It is back") => Some(Said::Back),
        _ => None,
    };
    replies.iter().filter_map(said).collect()
}
