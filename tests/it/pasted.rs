//! What people paste: the objects of `tests/cases` as kubectl prints them (`tests/pasted`) lead to the same causes.

use podoctor::diagnosis::{Catalogue, Certainty, Verdict};
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
    match question::answer(&snapshot.world, now, &target, &Catalogue::default()) {
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
    std::iter::once(&want["cause"]).chain(want["alsoAccepted"].as_array().into_iter().flatten()).any(
        |truth| match truth.as_str().expect("an id") {
            "healthy" => verdict == Verdict::Healthy,
            "waiting-normally" => verdict == Verdict::Waiting,
            "completed" => verdict == Verdict::Completed,
            truth => matches!(verdict, Verdict::Sick | Verdict::Unknown) && cause == Some(truth),
        },
    )
}

/// What describe does not print, by case; each ends without a cause, or calm where objects know better.
const NOT_PRINTED: &[(&str, &str)] = &[
    ("live-finalizer", "finalizers, and of an ended pod that it is being deleted"),
    ("pending-no-scheduler", "the creation of a pod without a node and without events"),
    ("pending-volcano-queue-quota", "objects of a scheduler's own kinds"),
    ("probe-ingress-node-cpu-full", "since when a condition holds"),
    ("terminating-kueue-finalizer-failed-prestop", "finalizers"),
    ("terminating-prestop-sleeps-forever", "hooks"),
];

#[test]
fn describe_loses_nothing_that_a_cause_needs() {
    let (mut kept, mut faults, mut lost) = (0, Vec::new(), Vec::new());
    for case in cases() {
        let (verdict, cause, _) = said(&case, &root().join("tests/cases").join(&case)).expect("an answer from objects");
        if !right(&case, verdict, cause) {
            continue;
        }
        let text = said(&case, &root().join("tests/pasted/describe").join(format!("{case}.txt")));
        match text {
            Ok((verdict, cause, _)) if right(&case, verdict, cause) => kept += 1,
            Ok((Verdict::Sick, cause, true)) => faults.push(format!("{case}: wrong and confirmed, {cause:?}")),
            other => lost.push((case.clone(), format!("{} became {other:?}", want(&case)["cause"]))),
        }
    }
    println!("{kept} kept; lost: {lost:#?}");
    assert!(faults.is_empty(), "{faults:#?}");
    let unexplained: Vec<_> =
        lost.iter().filter(|(case, _)| !NOT_PRINTED.iter().any(|(known, _)| known == case)).collect();
    assert!(unexplained.is_empty(), "{unexplained:#?}");
    let found: Vec<_> = NOT_PRINTED.iter().filter(|(known, _)| !lost.iter().any(|(case, _)| case == known)).collect();
    assert!(found.is_empty(), "these are told after all: {found:#?}");
}

#[test]
fn what_a_clipboard_and_a_chat_do_to_text_changes_nothing() {
    let case = "live-oom-child";
    let file = root().join("tests/pasted/describe").join(format!("{case}.txt"));
    let text = std::fs::read_to_string(&file).expect("the corpus");
    let plain = said(case, &file).expect("an answer");
    assert!(right(case, plain.0, plain.1), "{plain:?}");
    let folder = tempfile::tempdir().expect("a folder");
    let quoted: String = text.lines().map(|line| format!("> {line}\n")).collect();
    for (how, text) in [
        ("windows", text.replace('\n', "\r\n")),
        ("fenced", format!("look at this\n```\n{text}\n```\nwhat is it?\n")),
        ("quoted", quoted),
        ("unprompted", text.lines().filter(|line| !line.starts_with("$ ")).map(|line| format!("{line}\n")).collect()),
    ] {
        let path = folder.path().join(how);
        std::fs::write(&path, text).expect("a file");
        assert_eq!(said(case, &path).as_ref(), Ok(&plain), "{how}");
    }
}

proptest::proptest! {
    #[test]
    fn any_text_is_read_without_a_panic(text in "(?s).{0,400}", at in 0_usize..4_000, cut in 0_usize..4_000) {
        let now = "2026-11-23T18:47:20Z".parse().expect("a time");
        let whole = include_str!("../pasted/describe/live-oom-child.txt");
        // Real text with a piece taken out and another put in.
        let lines: Vec<&str> = whole.lines().collect();
        let (at, cut) = (at % lines.len(), cut % 40);
        let end = (at + cut).min(lines.len());
        let broken = [&lines[..at], &[text.as_str()], &lines[end..]].concat().join("\n");
        for text in [&text, &broken] {
            if let Some(paste) = podoctor::gather::pasted::read(text, now)
                && let Some(target) = &paste.target
            {
                let _ = question::answer(&paste.world, now, target, &Catalogue::default());
            }
        }
    }
}
