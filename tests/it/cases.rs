//! The catalogue over real failures: `tests/cases`, one folder each with its confirmed cause.
//!
//! What is asked of all of them is what must never happen: an error, a false alarm, a wrong cause called confirmed. How
//! many are right is a figure, printed, with a floor below which something broke.

use podoctor::diagnosis::{Catalogue, Certainty, Verdict};
use podoctor::gather::files;
use podoctor::question::{self, Answer};
use podoctor::target;
use serde_json::Value;
use std::path::{Path, PathBuf};

/// Of a hundred cases at least so many must be right first.
const FLOOR_PER_CENT: usize = 90;

struct Case {
    name: String,
    folder: PathBuf,
    want: Value,
}

fn cases() -> Vec<Case> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    let mut cases: Vec<Case> = std::fs::read_dir(&root)
        .expect("tests/cases is there")
        .map(|entry| entry.expect("a readable folder").path())
        .filter(|folder| folder.is_dir())
        .map(|folder| {
            let text = std::fs::read_to_string(folder.join("expected.json")).expect("every case has its truth");
            let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
            Case { name, folder, want: serde_json::from_str(&text).expect("expected.json is JSON") }
        })
        .collect();
    cases.sort_by(|a, b| a.name.cmp(&b.name));
    cases
}

/// Returns whether an answer says what a cause is about: a verdict for the calm ones, the cause's id for all others.
fn says(verdict: Verdict, cause: Option<&str>, truth: &str) -> bool {
    match truth {
        "healthy" => verdict == Verdict::Healthy,
        "waiting-normally" => verdict == Verdict::Waiting,
        "completed" => verdict == Verdict::Completed,
        truth => matches!(verdict, Verdict::Sick | Verdict::Unknown) && cause == Some(truth),
    }
}

#[test]
fn real_failures_are_told_and_nothing_is_told_wrongly() {
    let (mut first, mut all, mut faults, mut misses) = (0, 0, Vec::new(), Vec::new());
    for Case { name, folder, want } in cases() {
        all += 1;
        let target = target::parse(want["target"].as_str().expect("a target")).expect("a target that parses");
        let now = want["at"].as_str().expect("a time").parse().expect("RFC 3339");
        let snapshot = files::read(&[folder]);
        let diagnosis = match question::answer(&snapshot.world, now, &target, &Catalogue::default()) {
            Ok(Answer::One { diagnosis, .. }) => diagnosis,
            Ok(Answer::Many(_)) => panic!("{name}: the target names one thing"),
            Err(error) => {
                faults.push(format!("{name}: {error}"));
                continue;
            }
        };
        let answer = diagnosis.answer();
        let cause = answer.map(|finding| finding.cause.id);
        let truth = want["cause"].as_str().expect("a cause");
        let accepted = std::iter::once(truth)
            .chain(want["alsoAccepted"].as_array().into_iter().flatten().filter_map(Value::as_str))
            .any(|truth| says(diagnosis.verdict, cause, truth));
        if says(diagnosis.verdict, cause, truth) {
            first += 1;
        } else {
            misses.push(format!("{name}: {truth}, said {:?} {cause:?}", diagnosis.verdict));
        }
        let calm = matches!(truth, "healthy" | "waiting-normally" | "completed");
        if calm && diagnosis.verdict == Verdict::Sick && !accepted {
            faults.push(format!("{name}: a false alarm, {cause:?}"));
        }
        let sure = answer.is_some_and(|finding| finding.certainty == Certainty::Confirmed);
        if !accepted && sure && diagnosis.verdict == Verdict::Sick {
            faults.push(format!("{name}: wrong and confirmed, {cause:?} instead of {truth}"));
        }
    }
    println!("{first} of {all} right first; not first: {misses:#?}");
    assert!(faults.is_empty(), "{faults:#?}");
    assert!(first * 100 >= all * FLOOR_PER_CENT, "only {first} of {all} are right first: {misses:#?}");
}

#[test]
fn every_case_names_causes_of_the_catalogue() {
    for Case { name, want, .. } in cases() {
        let causes = std::iter::once(&want["cause"]).chain(want["alsoAccepted"].as_array().into_iter().flatten());
        for cause in causes {
            let id = cause.as_str().expect("an id");
            assert!(podoctor::diagnosis::causes::by_id(id).is_some(), "{name}: there is no cause {id}");
        }
    }
}

#[test]
fn the_catalogue_checks_itself() {
    let mut seen = std::collections::BTreeSet::new();
    for cause in podoctor::diagnosis::causes::all() {
        let id = cause.id;
        assert!(seen.insert(id), "{id} is listed twice");
        assert!(id.chars().all(|c| c.is_ascii_lowercase() || c == '-'), "{id} is no kebab-case name");
        assert!(!cause.phases.is_empty(), "{id} has no phase");
        let page = &cause.page;
        for text in [&page.title, &page.what, &page.tell, &page.fix] {
            assert!(!text.en.trim().is_empty() && !text.zh.trim().is_empty(), "{id} lacks words in a language");
            assert!(!text.zh.is_ascii(), "{id}: the Chinese words are not Chinese: {}", text.zh);
        }
    }
}

#[test]
fn a_diagnosis_in_json_keeps_to_its_schema() {
    let validator = jsonschema::validator_for(&podoctor::render::report::schema()).expect("a schema");
    for Case { name, folder, want } in cases() {
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_podoctor"))
            .args(["diagnose", want["target"].as_str().expect("a target"), "-o", "json", "--at"])
            .arg(want["at"].as_str().expect("a time"))
            .arg("--from")
            .arg(folder)
            .output()
            .expect("the binary runs");
        let report: Value = serde_json::from_slice(&output.stdout).expect("JSON and nothing else");
        assert!(
            validator.is_valid(&report),
            "{name}: {:?}",
            validator.iter_errors(&report).map(|e| e.to_string()).next()
        );
        let code = match report["verdict"].as_str() {
            Some("healthy" | "waiting" | "completed") => 0,
            Some("sick") => 1,
            _ => 2,
        };
        assert_eq!(output.status.code(), Some(code), "{name}");
    }
}
