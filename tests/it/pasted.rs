//! What people paste: the objects of `tests/cases` as kubectl prints them (`tests/pasted`) lead to the same causes.

use podoctor::diagnosis::{Certainty, Verdict};
use podoctor::gather::files;
use podoctor::question::{self, Answer};
use podoctor::target;
use serde_json::Value;
use std::path::Path;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn want(case: &str) -> Value {
    let text = std::fs::read_to_string(root().join("tests/cases").join(case).join("expected.json")).expect("a case");
    serde_json::from_str(&text).expect("JSON")
}

fn cases() -> Vec<String> {
    let mut cases: Vec<String> = std::fs::read_dir(root().join("tests/pasted/describe"))
        .expect("the corpus is there")
        .filter_map(|entry| entry.expect("readable").path().file_stem()?.to_str().map(str::to_owned))
        .collect();
    cases.sort();
    assert!(cases.len() > 100, "the corpus is thin: {}", cases.len());
    cases
}

/// Returns the verdict, the cause and whether it is confirmed.
fn said(case: &str, from: &Path) -> Result<(Verdict, Option<&'static str>, bool), String> {
    let want = want(case);
    let now = want["at"].as_str().expect("a time").parse().expect("RFC 3339");
    let target = target::parse(want["target"].as_str().expect("a target")).expect("a target that parses");
    let snapshot = files::read_at(&[from.to_owned()], Some(now));
    if let Some(mishap) = snapshot.mishaps.first() {
        return Err(mishap.to_string());
    }
    match question::answer(&snapshot.world, now, &target) {
        Ok(Answer::One { diagnosis, .. }) => {
            let answer = diagnosis.answer();
            let sure = answer.is_some_and(|finding| finding.certainty == Certainty::Confirmed);
            Ok((diagnosis.verdict, answer.map(|finding| finding.cause.id), sure))
        }
        Ok(Answer::Many(_)) => Err("several".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

fn right(case: &str, verdict: Verdict, cause: Option<&str>) -> bool {
    let want = want(case);
    std::iter::once(&want["cause"]).chain(want["alsoAccepted"].as_array().into_iter().flatten()).any(|truth| {
        match truth.as_str().expect("an id") {
            "healthy" => verdict == Verdict::Healthy,
            "waiting-normally" => verdict == Verdict::Waiting,
            "completed" => verdict == Verdict::Completed,
            truth => matches!(verdict, Verdict::Sick | Verdict::Unknown) && cause == Some(truth),
        }
    })
}

#[test]
fn describe_loses_nothing_that_a_cause_needs() {
    let mut wrong = Vec::new();
    for case in cases() {
        let objects = said(&case, &root().join("tests/cases").join(&case));
        let text = said(&case, &root().join("tests/pasted/describe").join(format!("{case}.txt")));
        let was_right = objects.as_ref().is_ok_and(|(verdict, cause, _)| right(&case, *verdict, *cause));
        let is_right = text.as_ref().is_ok_and(|(verdict, cause, _)| right(&case, *verdict, *cause));
        if was_right && !is_right {
            wrong.push(format!("{case}: {} from objects, {text:?} from text", want(&case)["cause"]));
        }
    }
    assert!(wrong.is_empty(), "{}: {wrong:#?}", wrong.len());
}
