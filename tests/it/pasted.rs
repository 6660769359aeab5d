//! What people paste: the objects of `tests/cases` as kubectl prints them (`tests/pasted`) lead to the same causes, or to
//! less certainty; never to another cause that is called confirmed, never to calm.

mod clipboard;
mod folder;
mod texts;

use super::cases::measure::{Case, cases};
use podoctor::diagnosis::{Catalogue, Certainty, Verdict};
use podoctor::facts::World;
use podoctor::gather::{files, pasted};
use podoctor::question::{self, Answer};
use podoctor::target;
use std::fmt::Write;
use texts::{SHOWN, Shown, text};

/// The verdict, the first cause, and how sure it is.
type Said = (Verdict, Option<&'static str>, Option<Certainty>);

fn now(case: &Case) -> jiff::Timestamp {
    case.want["at"].as_str().expect("a time").parse().expect("RFC 3339")
}

fn ask(case: &Case, world: &World) -> Result<Said, String> {
    let target = target::parse(case.want["target"].as_str().expect("a target")).expect("a target that parses");
    match question::answer(world, now(case), &target, &Catalogue::default()) {
        Ok(Answer::One { diagnosis, .. }) => {
            let answer = diagnosis.answer();
            let unsaid = diagnosis.verdict == Verdict::Unknown
                && diagnosis.unreadable.is_empty()
                && diagnosis.checked.is_empty();
            if unsaid {
                return Err("unknown, and not a word on what is missing".to_owned());
            }
            Ok((diagnosis.verdict, answer.map(|finding| finding.cause.id), answer.map(|finding| finding.certainty)))
        }
        Ok(Answer::Many(_)) => Err("several".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

fn from_objects(case: &Case) -> Said {
    let world = files::read_at(std::slice::from_ref(&case.folder), Some(now(case))).world;
    ask(case, &world).expect("an answer from objects")
}

fn from_text(case: &Case, text: &str) -> Result<Said, String> {
    let paste = pasted::read(text, now(case)).ok_or("nothing of kubectl's is seen in it")?;
    ask(case, &paste.world)
}

fn accepted(case: &Case, said: &Said) -> bool {
    let (verdict, cause, _) = *said;
    std::iter::once(&case.want["cause"]).chain(case.want["alsoAccepted"].as_array().into_iter().flatten()).any(
        |truth| match truth.as_str().expect("an id") {
            "healthy" => verdict == Verdict::Healthy,
            "waiting-normally" => verdict == Verdict::Waiting,
            "completed" => verdict == Verdict::Completed,
            truth => matches!(verdict, Verdict::Sick | Verdict::Unknown) && cause == Some(truth),
        },
    )
}

/// What is wrong with these shows in the log's error alone: the pod itself is well, and so says its text.
const BEYOND_THE_POD: [&str; 4] = [
    "access-node-address-stale",
    "access-serving-csr-pending",
    "own-access-kubelet-without-certificate",
    "own-access-no-route-to-the-kubelet",
];

/// How an answer from text compares with the one from objects.
#[derive(Debug, PartialEq, Eq, Clone, Copy, PartialOrd, Ord)]
enum Compared {
    Same,
    /// It says that it does not know, or not surely, or that what the text is about is not in it.
    Unsure,
    /// Another cause, as likely.
    Other,
    /// What must never be.
    Fault(&'static str),
}

fn compare(case: &Case, objects: &Said, text: &Result<Said, String>) -> Compared {
    let Ok(said) = text else { return Compared::Unsure };
    if (said.0, said.1) == (objects.0, objects.1) || accepted(case, said) {
        return Compared::Same;
    }
    let is_calm = |verdict: Verdict| matches!(verdict, Verdict::Healthy | Verdict::Waiting | Verdict::Completed);
    match (is_calm(objects.0), said.0) {
        (_, Verdict::Unknown) => Compared::Unsure,
        (false, Verdict::Sick) if said.2 == Some(Certainty::Confirmed) => Compared::Fault("another cause, confirmed"),
        (false, Verdict::Sick) => Compared::Other,
        (false, Verdict::Healthy)
            if said.2 != Some(Certainty::Confirmed) && BEYOND_THE_POD.contains(&case.name.as_str()) =>
        {
            Compared::Unsure
        }
        (false, _) => Compared::Fault("calm where it is sick"),
        (true, Verdict::Sick) => Compared::Fault("a false alarm"),
        // Another calm word.
        (true, _) => Compared::Unsure,
    }
}

/// The property, over every case and every part that people paste; and the table of `docs/accuracy.md`.
#[test]
fn text_leads_to_the_same_cause_or_to_less_certainty() {
    const MARKS: [&str; 2] = ["<!-- pasted -->\n", "<!-- /pasted -->\n"];
    let all: Vec<(Case, Said)> = cases()
        .into_iter()
        .map(|case| {
            let said = from_objects(&case);
            (case, said)
        })
        .collect();
    let mut faults = Vec::new();
    let mut table = String::from(
        "\n| pasted | cases | same first cause | not sure | another, likely |\n| --- | ---: | ---: | ---: | ---: |\n",
    );
    for (shown, words) in SHOWN {
        let (mut count, mut same, mut unsure, mut other) = (0, 0, 0, 0);
        for (case, objects) in &all {
            let Some(text) = text(case, shown) else { continue };
            count += 1;
            let said = from_text(case, &text);
            let compared = compare(case, objects, &said);
            match compared {
                Compared::Same => same += 1,
                Compared::Unsure => unsure += 1,
                Compared::Other => other += 1,
                Compared::Fault(fault) => {
                    faults.push(format!("{words}: {}: {fault}: {objects:?} became {said:?}", case.name));
                }
            }
            let is_whole = !matches!(shown, Shown::Wide | Shown::Narrow | Shown::Pods | Shown::Events);
            if matches!(compared, Compared::Other) || (compared == Compared::Unsure && is_whole) {
                println!("{words}: {}: {compared:?}: {objects:?} became {said:?}", case.name);
            }
        }
        if count < 40 {
            faults.push(format!("{words}: the corpus is thin: {count}"));
        }
        writeln!(table, "| {words} | {count} | {same} | {unsure} | {other} |").expect("a string takes all");
    }
    println!("{table}");
    assert!(faults.is_empty(), "{faults:#?}");
    let page =
        std::fs::read_to_string(super::house::source::root().join("docs/accuracy.md")).expect("the page is there");
    let (before, rest) = page.split_once(MARKS[0]).expect("the page marks where the table stands");
    let (_, after) = rest.split_once(MARKS[1]).expect("the page marks where the table ends");
    super::house::generated::assert_generated(
        "docs/accuracy.md",
        &format!("{before}{}{table}\n{}{after}", MARKS[0], MARKS[1]),
    );
}

/// Every case has its texts: a new one is not forgotten.
#[test]
fn every_case_is_printed() {
    let missing: Vec<String> =
        cases().iter().filter(|case| text(case, Shown::All).is_none()).map(|case| case.name.clone()).collect();
    assert!(missing.is_empty(), "make their texts as tests/pasted/README.md says: {missing:?}");
}
