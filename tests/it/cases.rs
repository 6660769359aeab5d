//! The catalogue over real failures: `tests/cases`, one folder each with its confirmed cause.
//!
//! What is asked of all of them is what must never happen: an error, a false alarm, a wrong cause called confirmed. How
//! many are right is a figure, printed, with a floor below which something broke.

pub mod measure;

use measure::{Case, cases};
use podoctor::diagnosis::{Certainty, Verdict};
use serde_json::Value;

/// Of a hundred cases at least so many must be right first.
const FLOOR_PER_CENT: usize = 90;

#[test]
fn real_failures_are_told_and_nothing_is_told_wrongly() {
    let (mut first, mut all, mut faults, mut misses) = (0, 0, Vec::new(), Vec::new());
    for case in cases() {
        all += 1;
        let (name, truth, outcome) = (&case.name, case.truth(), case.ask());
        let (verdict, cause, certainty) = match outcome.said {
            Ok(said) => said,
            Err(error) => {
                faults.push(format!("{name}: {error}"));
                continue;
            }
        };
        if outcome.first {
            first += 1;
        } else {
            misses.push(format!("{name}: {truth}, said {verdict:?} {cause:?}"));
        }
        if case.is_calm() && verdict == Verdict::Sick && !outcome.accepted {
            faults.push(format!("{name}: a false alarm, {cause:?}"));
        }
        if !outcome.accepted && certainty == Some(Certainty::Confirmed) && verdict == Verdict::Sick {
            faults.push(format!("{name}: wrong and confirmed, {cause:?} instead of {truth}"));
        }
    }
    println!("{first} of {all} right first; not first: {misses:#?}");
    assert!(faults.is_empty(), "{faults:#?}");
    assert!(first * 100 >= all * FLOOR_PER_CENT, "only {first} of {all} are right first: {misses:#?}");
}

/// The table between the marks of `docs/accuracy.md` is what the engine does today.
#[test]
fn the_figures_of_the_accuracy_page_are_fresh() {
    const MARKS: [&str; 2] = ["<!-- figures -->\n", "<!-- /figures -->\n"];
    let page =
        std::fs::read_to_string(crate::house::source::root().join("docs/accuracy.md")).expect("the page is there");
    let (before, rest) = page.split_once(MARKS[0]).expect("the page marks where the figures stand");
    let (_, after) = rest.split_once(MARKS[1]).expect("the page marks where the figures end");
    let told: Vec<_> = cases().into_iter().map(|case| (case.ask(), case)).collect();
    let of = |own: bool| {
        let some = told.iter().filter(|(_, case)| case.name.starts_with("own-") == own);
        measure::table(&measure::count(some.map(|(outcome, case)| (case, outcome))), false)
    };
    let figures = format!("\nCases given with the project:\n\n{}\nOwn cases:\n\n{}\n", of(false), of(true));
    crate::house::generated::assert_generated(
        "docs/accuracy.md",
        &format!("{before}{}{figures}{}{after}", MARKS[0], MARKS[1]),
    );
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
