//! The cases of `tests/cases`, and how well the engine tells them, by phase. Shared by the tests and the bench.

use podoctor::diagnosis::{Catalogue, Certainty, Diagnosis, Verdict, causes};
use podoctor::gather::files;
use podoctor::question::{self, Answer};
use podoctor::target;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// A failure with its confirmed cause.
pub struct Case {
    pub name: String,
    pub folder: PathBuf,
    /// What `expected.json` says.
    pub want: Value,
}

/// How an answer compares with the truth.
pub struct Outcome {
    /// The answer, or why there is none.
    pub said: Result<(Verdict, Option<&'static str>, Option<Certainty>), String>,
    /// The cause itself is said first.
    pub first: bool,
    /// It, or another one that is held to be right as well.
    pub accepted: bool,
    /// How long the engine took, with the objects in memory.
    pub time: Duration,
}

/// What is counted of the cases of a phase.
#[derive(Default)]
pub struct Row {
    pub cases: u32,
    pub first: u32,
    pub accepted: u32,
    /// Neither accepted nor a wrong cause: the engine says that it does not know.
    pub unknown: u32,
    pub wrong: u32,
    /// Wrong, and called confirmed.
    pub sure: u32,
    /// Calm cases called sick.
    pub alarms: u32,
    pub time: Duration,
}

/// Reads all cases, sorted by name.
pub fn cases() -> Vec<Case> {
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

impl Case {
    pub fn truth(&self) -> &str {
        self.want["cause"].as_str().expect("a cause")
    }

    pub fn is_calm(&self) -> bool {
        matches!(self.truth(), "healthy" | "waiting-normally" | "completed")
    }

    /// Asks the engine, and compares.
    pub fn ask(&self) -> Outcome {
        let target = target::parse(self.want["target"].as_str().expect("a target")).expect("a target that parses");
        let now = self.want["at"].as_str().expect("a time").parse().expect("RFC 3339");
        let snapshot = files::read(std::slice::from_ref(&self.folder));
        let start = Instant::now();
        let answer = question::answer(&snapshot.world, now, &target, &Catalogue::default());
        let time = start.elapsed();
        let said = match &answer {
            Ok(Answer::One { diagnosis, .. }) => Ok(brief(diagnosis)),
            Ok(Answer::Many(_)) => Err("the target names more than one thing".to_owned()),
            Err(error) => Err(error.to_string()),
        };
        let right = |truth: &str| said.as_ref().is_ok_and(|(verdict, cause, _)| says(*verdict, *cause, truth));
        let also = self.want["alsoAccepted"].as_array().into_iter().flatten().filter_map(Value::as_str);
        let first = right(self.truth());
        Outcome { first, accepted: first || { also }.any(right), said, time }
    }
}

fn brief(diagnosis: &Diagnosis) -> (Verdict, Option<&'static str>, Option<Certainty>) {
    let answer = diagnosis.answer();
    (diagnosis.verdict, answer.map(|finding| finding.cause.id), answer.map(|finding| finding.certainty))
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

/// Counts outcomes by the phase of the true cause, in the order of the catalogue; the sum stands last, as `all`.
pub fn count<'a>(outcomes: impl Iterator<Item = (&'a Case, &'a Outcome)>) -> Vec<(&'static str, Row)> {
    let mut rows: BTreeMap<usize, (&'static str, Row)> = BTreeMap::new();
    let mut sum = Row::default();
    for (case, outcome) in outcomes {
        let phase = causes::by_id(case.truth()).expect("a cause of the catalogue").phases[0];
        let row = &mut rows.entry(phase as usize).or_insert_with(|| (phase.name(), Row::default())).1;
        row.add(case, outcome);
        sum.add(case, outcome);
    }
    rows.into_values().chain([("all", sum)]).collect()
}

impl Row {
    fn add(&mut self, case: &Case, outcome: &Outcome) {
        let sick = matches!(outcome.said, Ok((Verdict::Sick, ..)));
        let wrong = !outcome.accepted && !matches!(outcome.said, Ok((Verdict::Unknown, ..)));
        let sure = sick && matches!(outcome.said, Ok((.., Some(Certainty::Confirmed))));
        self.cases += 1;
        self.first += u32::from(outcome.first);
        self.accepted += u32::from(outcome.accepted);
        self.wrong += u32::from(wrong);
        self.unknown += u32::from(!outcome.accepted && !wrong);
        self.sure += u32::from(!outcome.accepted && sure);
        self.alarms += u32::from(case.is_calm() && !outcome.accepted && sick);
        self.time += outcome.time;
    }
}

/// Returns the figures as a table; `mean time` only where it is asked for, since no two machines agree on it.
pub fn table(rows: &[(&str, Row)], with_time: bool) -> String {
    let (head, rule) = if with_time { (" mean time |", " ---: |") } else { ("", "") };
    let mut text = format!(
        "| phase | cases | top-1 | accepted | unknown | wrong | wrong and confirmed | false alarms |{head}\n\
         | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |{rule}\n"
    );
    for (name, row) in rows {
        let Row { cases, first, accepted, unknown, wrong, sure, alarms, time } = row;
        write!(text, "| {name} | {cases} | {first} | {accepted} | {unknown} | {wrong} | {sure} | {alarms} |")
            .expect("text can be written");
        if with_time {
            write!(text, " {:.0?} |", *time / (*cases).max(1)).expect("text can be written");
        }
        text.push('\n');
    }
    text
}
