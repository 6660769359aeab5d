//! The fuzzers' corpora through the fuzzers' own checks: what was found once is not met again.

use std::panic::catch_unwind;
use std::path::Path;
use std::time::{Duration, Instant};

#[path = "../../fuzz/targets/engine.rs"]
mod engine;
#[path = "../../fuzz/targets/payload.rs"]
mod payload;
#[path = "../../fuzz/targets/reading.rs"]
mod reading;
#[path = "../../fuzz/targets/grammar.rs"]
mod grammar;

/// No input of a corpus takes longer, on the busiest machine.
const LONGEST: Duration = Duration::from_secs(10);
/// A corpus with fewer inputs is no corpus.
const FEWEST: usize = 20;

#[test]
fn engine_replays() {
    replay("engine", engine::check);
}

#[test]
fn payload_replays() {
    replay("payload", payload::check);
}

#[test]
fn reading_replays() {
    replay("reading", reading::check);
}

#[test]
fn grammar_replays() {
    replay("grammar", grammar::check);
}

fn replay(target: &str, check: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let mut paths: Vec<_> = std::fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.expect("a readable folder").path())
        .collect();
    paths.sort();
    assert!(paths.len() >= FEWEST, "{} holds {} inputs", folder.display(), paths.len());
    let mut failed = Vec::new();
    for path in paths {
        let input = std::fs::read(&path).expect("a readable file");
        let began = Instant::now();
        if catch_unwind(|| check(&input)).is_err() || began.elapsed() > LONGEST {
            failed.push(format!("{} after {:?}", path.display(), began.elapsed()));
        }
    }
    assert!(failed.is_empty(), "{failed:#?}");
}
