//! `kubectl get events`, also `-o wide`.

use super::super::describe::subject;
use super::super::time::ago;
use super::Row;
use crate::facts::event::Event;
use jiff::{SignedDuration, Timestamp};

/// Reads the rows. One that has no type goes on with the message of the row before it.
pub fn events(rows: &[Row<'_>], now: Timestamp) -> Vec<Event> {
    let mut found: Vec<Event> = Vec::new();
    let width = |row: &Row<'_>| row.line.chars().count();
    let widest = rows.iter().map(width).max().unwrap_or(0);
    let mut before = 0;
    for row in rows {
        match event(row, now) {
            Some(event) => found.push(event),
            None => {
                if let Some(last) = found.last_mut() {
                    // A terminal breaks at its width, in the middle of a word too.
                    let joint = if before == widest {
                        ""
                    } else if before + 1 == widest {
                        " "
                    } else {
                        "\n"
                    };
                    last.message.push_str(joint);
                    last.message.push_str(row.line.trim());
                }
            }
        }
        before = width(row);
    }
    // Names of events hold the moment they were made, and tables are sorted by name: so the order tells what ages, cut
    // off to seconds, do not. The wide table has the names.
    for (event, back) in found.iter_mut().rev().zip(1..) {
        event.last = event.last.and_then(|last| last.checked_sub(SignedDuration::from_micros(back)).ok());
    }
    found
}

fn event(row: &Row<'_>, now: Timestamp) -> Option<Event> {
    let warning = match row.cell("TYPE")? {
        "Warning" => true,
        "Normal" => false,
        _ => return None,
    };
    let (kind, name) = row.cell("OBJECT")?.split_once('/')?;
    let kind = kind_of(kind);
    // `5s (x3 over 1m)` until 1.20, the last sight alone since.
    let seen = row.cell("LAST SEEN").unwrap_or_default();
    let (last, over) = seen.split_once(" (x").unwrap_or((seen, ""));
    let (count, since) = over.trim_end_matches(')').split_once(" over ").unwrap_or((over, ""));
    let last = ago(now, last);
    let first = row.cell("FIRST SEEN").and_then(|age| ago(now, age)).or_else(|| ago(now, since)).or(last);
    let (component, host) = row.cell("SOURCE").map_or(("", ""), |by| by.split_once(", ").unwrap_or((by, "")));
    let of_path = row.cell("SUBOBJECT").and_then(|path| subject(path).0);
    let (container, message) = subject(row.cell("MESSAGE").unwrap_or_default());
    let cluster_wide = matches!(kind.as_str(), "Node" | "PersistentVolume");
    Some(Event {
        kind,
        namespace: if cluster_wide { String::new() } else { row.namespace().to_owned() },
        name: name.to_owned(),
        uid: String::new(),
        container: of_path.or(container),
        reason: row.cell("REASON").unwrap_or_default().to_owned(),
        message: message.to_owned(),
        warning,
        component: component.to_owned(),
        host: host.to_owned(),
        count: row.cell("COUNT").unwrap_or(count).parse().unwrap_or(1),
        first,
        last: last.or(first),
    })
}

/// Returns the kind by the lower-case word that tables print.
fn kind_of(word: &str) -> String {
    // `deployment.apps/web` where the kind needs its group.
    let word = word.split('.').next().unwrap_or(word);
    const KINDS: [&str; 13] = [
        "Pod",
        "Node",
        "Deployment",
        "ReplicaSet",
        "StatefulSet",
        "DaemonSet",
        "Job",
        "CronJob",
        "PersistentVolumeClaim",
        "PersistentVolume",
        "ReplicationController",
        "Service",
        "Namespace",
    ];
    KINDS.iter().find(|kind| kind.eq_ignore_ascii_case(word)).map_or_else(|| word.to_owned(), |kind| (*kind).to_owned())
}
