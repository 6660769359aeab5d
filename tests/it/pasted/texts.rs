//! The texts of `tests/pasted`, whole and in the parts that people paste.

use super::super::cases::measure::Case;
use std::path::{Path, PathBuf};

/// What of the objects somebody pastes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shown {
    /// Everything described and listed, with the logs.
    All,
    /// Everything described, with the logs.
    Described,
    /// The pod, or what makes it, described alone.
    Alone,
    /// The same with all indentation lost.
    Flat,
    /// The same, and every run of blanks made one, as a mail does.
    Squeezed,
    /// The same, cut off after so many hundredths of the lines above its events.
    Cut(usize),
    /// The same with its lines broken at 80 columns.
    Broken,
    /// All tables, `-A -o wide`.
    Wide,
    /// The tables of the namespace, narrow.
    Narrow,
    /// The pods of the namespace in a narrow table alone.
    Pods,
    /// The events of the namespace in a narrow table alone.
    Events,
    /// Everything described by an older kubectl.
    Old(&'static str),
}

pub const SHOWN: [(Shown, &str); 16] = [
    (Shown::All, "describe, get and logs, of everything"),
    (Shown::Described, "describe and logs, of everything"),
    (Shown::Old("1.20"), "describe of everything, kubectl 1.20"),
    (Shown::Old("1.24"), "describe of everything, kubectl 1.24"),
    (Shown::Old("1.28"), "describe of everything, kubectl 1.28"),
    (Shown::Old("1.31"), "describe of everything, kubectl 1.31"),
    (Shown::Alone, "describe of the pod (or workload) alone"),
    (Shown::Flat, "the same, its indentation lost"),
    (Shown::Squeezed, "the same, and every run of blanks made one"),
    (Shown::Broken, "the same, broken at 80 columns"),
    (Shown::Cut(100), "the same without its events"),
    (Shown::Cut(50), "the same, the upper half of what stands above the events"),
    (Shown::Wide, "get of everything, `-A -o wide`"),
    (Shown::Narrow, "get of everything in the namespace"),
    (Shown::Pods, "get pods alone"),
    (Shown::Events, "get events alone"),
];

/// Where the texts lie.
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/pasted")
}

/// Returns what somebody pastes of a case; `None` where there is no such text of it.
pub fn text(case: &Case, shown: Shown) -> Option<String> {
    let read = |part: &str| std::fs::read_to_string(folder().join(part).join(format!("{}.txt", case.name))).ok();
    let described = read("describe");
    match shown {
        Shown::All => Some(format!("{}\n{}", described?, read("get")?)),
        Shown::Described => described,
        Shown::Old(version) => read(version),
        Shown::Alone => alone(case, &described?),
        Shown::Flat => Some(alone(case, &described?)?.lines().map(|line| format!("{}\n", line.trim_start())).collect()),
        Shown::Squeezed => {
            let squeezed = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ") + "\n";
            Some(alone(case, &described?)?.lines().map(squeezed).collect())
        }
        Shown::Cut(hundredths) => {
            let text = alone(case, &described?)?;
            let above = text.lines().take_while(|line| !line.starts_with("Events:")).count();
            let count = above * hundredths / 100;
            Some(text.lines().take(count).map(|line| format!("{line}\n")).collect())
        }
        Shown::Broken => Some(broken(&alone(case, &described?)?, 80)),
        Shown::Wide => read("get"),
        Shown::Narrow => narrow(case, &read("get")?, |_| true),
        Shown::Pods => narrow(case, &read("get")?, |word| word == "pods"),
        Shown::Events => narrow(case, &read("get")?, |word| word == "events"),
    }
}

/// Parts a text at its commands.
fn commands(text: &str) -> impl Iterator<Item = (&str, &str)> {
    text.split("$ kubectl ").skip(1).filter_map(|part| part.split_once('\n'))
}

/// Returns the describe of what the case asks about.
fn alone(case: &Case, text: &str) -> Option<String> {
    let target = case.want["target"].as_str()?;
    let (kind, name) = match target.split('/').collect::<Vec<_>>()[..] {
        [_, name] => ("pod", name),
        [_, kind, name] => (kind, name),
        _ => return None,
    };
    let full = podoctor_kind(kind);
    commands(text)
        .find(|(command, _)| {
            let words: Vec<&str> = command.split_whitespace().collect();
            words.len() > 2 && words[0] == "describe" && words[1] == full && words[2].starts_with(name)
        })
        .map(|(_, said)| said.to_owned())
}

fn podoctor_kind(word: &str) -> &str {
    match word {
        "deploy" | "deployment" | "Deployment" => "deployment",
        "sts" | "statefulset" | "StatefulSet" => "statefulset",
        "ds" | "daemonset" | "DaemonSet" => "daemonset",
        "rs" | "replicaset" | "ReplicaSet" => "replicaset",
        "job" | "Job" => "job",
        other => other,
    }
}

fn broken(text: &str, width: usize) -> String {
    let mut out = String::new();
    for line in text.lines() {
        let signs: Vec<char> = line.chars().collect();
        for part in signs.chunks(width) {
            out.extend(part);
            out.push('\n');
        }
        if signs.is_empty() {
            out.push('\n');
        }
    }
    out
}

/// Returns the tables without what `-o wide` adds, and of one namespace, as kubectl prints them without `-A`.
fn narrow(case: &Case, text: &str, wanted: impl Fn(&str) -> bool) -> Option<String> {
    let namespace = case.want["target"].as_str()?.split('/').next()?;
    let mut out = String::new();
    for (command, table) in commands(text) {
        let word = command.split_whitespace().nth(1)?;
        if !wanted(word) {
            continue;
        }
        let (heading, rows) = table.split_once('\n')?;
        let begin = |head: &str| heading.find(head);
        let from = heading.strip_prefix("NAMESPACE").map_or(0, |rest| heading.len() - rest.trim_start().len());
        let cuts: Vec<(usize, usize)> = match word {
            "pods" => vec![(from, begin("IP ")?)],
            "nodes" => vec![(0, begin("INTERNAL-IP")?)],
            "events" => vec![(from, begin("SUBOBJECT")?), (begin("MESSAGE")?, begin("FIRST SEEN")?)],
            _ => vec![(from, usize::MAX)],
        };
        let of_namespace = |row: &&str| from == 0 || row.split_whitespace().next() == Some(namespace);
        let lines: Vec<&str> = std::iter::once(heading).chain(rows.lines().filter(of_namespace)).collect();
        if lines.len() < 2 {
            continue;
        }
        out.push_str(&format!("$ kubectl get {word} -n {namespace}\n"));
        for line in lines {
            let signs: Vec<char> = line.chars().collect();
            let cells = cuts.iter().map(|(from, to)| {
                signs.get(*from..(*to).min(signs.len())).unwrap_or_default().iter().collect::<String>()
            });
            out.push_str(cells.collect::<String>().trim_end());
            out.push('\n');
        }
        out.push('\n');
    }
    (!out.is_empty()).then_some(out)
}
