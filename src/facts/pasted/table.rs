//! `kubectl get`: a row an object.

mod events;
pub mod mentions;
mod nodes;
mod pods;
mod storage;
mod workloads;

use crate::facts::event::Event;
use jiff::Timestamp;
use serde_json::Value;
use std::borrow::Cow;

/// What a table told.
#[derive(Debug, Default)]
pub struct Listed {
    /// Thin objects: what a row shows and no more. What describe printed of them is better.
    pub objects: Vec<Value>,
    pub events: Vec<Event>,
}

/// A row, its cells beside the words above them.
pub struct Row<'a> {
    heads: &'a [(usize, String)],
    cells: Vec<String>,
    line: &'a str,
    namespace: &'a str,
}

impl Row<'_> {
    /// Returns a cell; `None` where the column is missing, the cell empty or `<none>`.
    pub fn cell(&self, head: &str) -> Option<&str> {
        let at = self.heads.iter().position(|(_, known)| known == head)?;
        let cell = self.cells.get(at)?.as_str();
        (!matches!(cell, "" | "<none>" | "<unset>")).then_some(cell)
    }

    /// Returns the namespace of its own column, else that of the command.
    pub fn namespace(&self) -> &str {
        self.cell("NAMESPACE").unwrap_or(self.namespace)
    }

    /// Returns the name, without the kind that `kubectl get all` puts before it.
    fn name(&self) -> &str {
        self.cell("NAME").unwrap_or_default().rsplit('/').next().unwrap_or_default()
    }
}

/// Returns true for the first line of a table that is known.
pub fn is_heading(line: &str) -> bool {
    let heads = heads(line);
    let has = |head: &str| heads.iter().any(|(_, known)| known == head);
    (has("NAME") && has("AGE")) || (has("LAST SEEN") && has("REASON"))
}

/// Returns true for the first line of a table whose heading a terminal broke: the rest of it is the next line.
pub fn is_broken_heading(line: &str, next: &str) -> bool {
    let begins = line.starts_with("NAME") || line.starts_with("LAST SEEN");
    begins && line.len() >= 60 && !heads(line).is_empty() && !heads(next).is_empty()
}

/// Joins the lines of a table that a terminal broke, heading and rows into as many parts each.
fn rejoined(lines: &[String]) -> Cow<'_, [String]> {
    let parts = lines.iter().take_while(|line| !heads(line).is_empty()).count();
    let lines_of = |rows: &[String]| rows.iter().map(|line| line.chars().count()).max().unwrap_or(0);
    if parts < 2 || !lines.len().is_multiple_of(parts) {
        return Cow::Borrowed(lines);
    }
    let width = lines_of(lines);
    let join =
        |row: &[String]| row.iter().map(|part| format!("{part:width$}")).collect::<String>().trim_end().to_owned();
    Cow::Owned(lines.chunks(parts).map(join).collect())
}

/// Reads a table. `namespace` is the command's: rows name none of their own then.
pub fn read(lines: &[String], namespace: Option<&str>, now: Timestamp) -> Listed {
    let lines = &rejoined(lines);
    let Some((heading, rest)) = lines.split_first() else { return Listed::default() };
    let heads = heads(heading);
    let has = |head: &str| heads.iter().any(|(_, known)| known == head);
    let rows: Vec<Row<'_>> = rest
        .iter()
        .filter(|line| !line.trim().is_empty())
        .map(|line| Row { heads: &heads, cells: cells(line, &heads), line, namespace: namespace.unwrap_or("default") })
        .collect();
    let mut listed = Listed::default();
    if has("LAST SEEN") {
        listed.events = events::events(&rows, now);
        return listed;
    }
    let make: fn(&Row<'_>, Timestamp) -> Option<Value> = match () {
        () if has("RESTARTS") => pods::pod,
        () if has("ROLES") && has("VERSION") => nodes::node,
        () if has("CAPACITY") && has("RECLAIM POLICY") => storage::volume,
        () if has("CAPACITY") && has("VOLUME") => storage::claim,
        () if has("UP-TO-DATE") && has("DESIRED") => workloads::daemon_set,
        () if has("UP-TO-DATE") => workloads::deployment,
        () if has("DESIRED") && has("CURRENT") => workloads::replica_set,
        () if has("COMPLETIONS") => workloads::job,
        () if heads.len() <= 6 && has("READY") => workloads::stateful_set,
        () => return listed,
    };
    listed.objects = rows.iter().filter(|row| is_name(row.name())).filter_map(|row| make(row, now)).collect();
    listed
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '.'))
}

/// Returns the parts of a line that stand two or more blanks apart.
pub fn columns(line: &str) -> Vec<&str> {
    line.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).collect()
}

/// Heads of two words: with single blanks between all columns they would fall apart.
const PAIRS: [(&str, &str); 12] = [
    ("LAST", "SEEN"),
    ("FIRST", "SEEN"),
    ("NOMINATED", "NODE"),
    ("READINESS", "GATES"),
    ("ACCESS", "MODES"),
    ("NODE", "SELECTOR"),
    ("RECLAIM", "POLICY"),
    ("LAST", "SCHEDULE"),
    ("PORT(S)", ""),
    ("UP-TO-DATE", ""),
    ("EXTERNAL-IP", ""),
    ("VOLUMEATTRIBUTESCLASS", ""),
];

/// Returns the words of a heading with the place, in characters, where each begins; empty where it is no heading.
fn heads(line: &str) -> Vec<(usize, String)> {
    let is_head = |c: char| c.is_ascii_uppercase() || matches!(c, '-' | '(' | ')' | ' ');
    if !line.chars().all(is_head) || line.trim().is_empty() {
        return Vec::new();
    }
    let mut found: Vec<(usize, String)> = Vec::new();
    let mut start = None;
    for (at, sign) in line.char_indices().chain([(line.len(), ' ')]) {
        match (sign, start) {
            (' ', Some(from)) => {
                let word = &line[from..at];
                let joins = found.last().is_some_and(|(place, before)| {
                    place + before.len() + 1 == from && PAIRS.contains(&(before.as_str(), word))
                });
                match found.last_mut().filter(|_| joins) {
                    Some((_, before)) => {
                        before.push(' ');
                        before.push_str(word);
                    }
                    None => found.push((from, word.to_owned())),
                }
                start = None;
            }
            (' ', None) => {}
            (_, None) => start = Some(at),
            _ => {}
        }
    }
    found
}

/// Parts a row at the places of its heading; where the columns do not stand below it, at its blanks.
fn cells(line: &str, heads: &[(usize, String)]) -> Vec<String> {
    let signs: Vec<char> = line.chars().collect();
    // kubectl puts three blanks between columns at least; copied from elsewhere they may have moved.
    let is_gap = |at: usize| (at.saturating_sub(3)..at).all(|at| signs.get(at).is_none_or(|sign| *sign == ' '));
    let apart = columns(line);
    let aligned =
        heads.iter().skip(1).all(|(at, _)| is_gap(*at)) && heads.get(1).is_some_and(|(at, _)| signs.len() > *at);
    if aligned {
        return heads
            .iter()
            .enumerate()
            .map(|(i, (from, _))| {
                let to = heads.get(i + 1).map_or(signs.len(), |(next, _)| *next).min(signs.len());
                signs.get(*from..to).unwrap_or_default().iter().collect::<String>().trim().to_owned()
            })
            .collect();
    }
    if apart.len() == heads.len() {
        return apart.into_iter().map(str::to_owned).collect();
    }
    // The last column may hold blanks; `5 (2m ago)` of the restarts does.
    let mut words: Vec<String> = Vec::new();
    for word in line.split_whitespace() {
        let goes_on = word == "ago)" || word.starts_with('(') || words.len() == heads.len();
        match words.last_mut().filter(|_| goes_on) {
            Some(last) => {
                last.push(' ');
                last.push_str(word);
            }
            None => words.push(word.to_owned()),
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_with_and_without_their_columns() {
        let wide = "NAME    READY   STATUS    RESTARTS      AGE   NOMINATED NODE";
        let row = "web-1   0/1     Running   5 (2m ago)    3d    <none>";
        let of = |row: &str, heading: &str| cells(row, &heads(heading));
        let expected = ["web-1", "0/1", "Running", "5 (2m ago)", "3d", "<none>"];
        assert_eq!(of(row, wide), expected);
        let single = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(of(&single(row), &single(wide)), expected);
        assert!(is_heading(wide) && !is_heading(row) && !is_heading("AGE"));
    }
}
