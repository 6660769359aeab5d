//! `kubectl get pods`: the state of a pod in one word.

use super::super::object::{number, set};
use super::super::time::{age, ago};
use super::Row;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};

/// As many containers as a row is believed to count.
const MOST: usize = 50;

/// Makes a thin pod. Its containers have no names in a table, and how they ended stands there only as one word.
pub fn pod(row: &Row<'_>, now: Timestamp) -> Option<Value> {
    let mut meta = Map::new();
    meta.insert("name".into(), row.name().into());
    meta.insert("namespace".into(), row.namespace().into());
    set(&mut meta, "creationTimestamp", row.cell("AGE").and_then(|age| ago(now, age)).map(|t| t.to_string()));
    let word = row.cell("STATUS")?;
    let (ready, all) = row.cell("READY")?.split_once('/')?;
    let (ready, all): (usize, usize) = (ready.parse().ok()?, all.parse().ok()?);
    let restarts = row.cell("RESTARTS").and_then(number).unwrap_or(0);
    let mut spec = Map::new();
    let mut status = Map::new();
    set(&mut spec, "nodeName", row.cell("NODE"));
    set(&mut status, "podIP", row.cell("IP"));
    set(&mut status, "nominatedNodeName", row.cell("NOMINATED NODE"));
    let names: Vec<String> = (1..=all.min(MOST)).map(|i| if all == 1 { "?".into() } else { format!("?{i}") }).collect();
    spec.insert("containers".into(), names.iter().map(|name| json!({"name": name})).collect());
    let age = row.cell("AGE").and_then(age);
    let init = word.strip_prefix("Init:");
    let state = init.unwrap_or(word);
    status.insert("phase".into(), phase(word, ready, restarts, age, row).into());
    match word {
        "Terminating" => {
            // Since when is not shown: it may have begun just now.
            meta.insert("deletionTimestamp".into(), now.to_string().into());
        }
        "Evicted" | "NodeLost" | "NodeAffinity" | "Shutdown" | "UnexpectedAdmissionError" => {
            status.insert("reason".into(), word.into());
        }
        word if word.starts_with("OutOf") => {
            status.insert("reason".into(), word.into());
        }
        _ => {}
    }
    let shaky = restarted_lately(restarts, row, age);
    let one = |name: &str, restarts: i64, ready: bool, state: Value| json!({"name": name, "ready": ready, "restartCount": restarts, "image": "", "imageID": "", "state": state});
    let statuses: Vec<Value> = names
        .iter()
        .enumerate()
        .map(|(i, name)| {
            let is_ready = i < ready;
            // Restarts are counted together: they are the one's that is not ready.
            let restarts = if i == ready || (ready == all && i == 0) { restarts } else { 0 };
            let state = match (is_ready, init) {
                // It runs; whether it goes on is not shown.
                (true, _) if i == 0 && ready == all && shaky => json!({}),
                (true, _) => json!({"running": {}}),
                (false, Some(_)) => json!({"waiting": {"reason": "PodInitializing"}}),
                (false, None) => of_word(state),
            };
            one(name, restarts, is_ready, state)
        })
        .collect();
    if let Some(word) = init {
        spec.insert("initContainers".into(), json!([{"name": "?init"}]));
        let state = if word.contains('/') { json!({}) } else { of_word(word) };
        status.insert("initContainerStatuses".into(), json!([one("?init", restarts, false, state)]));
    }
    if row.cell("NODE").is_some() || !matches!(word, "Pending" | "SchedulingGated") {
        status.insert("containerStatuses".into(), statuses.into());
        // Without the wide table its node is not known, but it has one.
        spec.entry("nodeName").or_insert_with(|| "?".into());
    }
    Some(json!({"kind": "Pod", "metadata": meta, "spec": spec, "status": status}))
}

/// Restarted so short a time ago, it may end again: a row does not show how it ended before.
const MAY_END_AGAIN: SignedDuration = SignedDuration::from_mins(10);

/// Returns true where a container may have been restarted a moment ago. Until 1.21 a row tells only how often: then less
/// than once a day is taken for the past.
fn restarted_lately(restarts: i64, row: &Row<'_>, of: Option<SignedDuration>) -> bool {
    let ago = row.cell("RESTARTS").and_then(|cell| age(cell.split_once('(')?.1.split(" ago").next()?));
    match (restarts, ago) {
        (0, _) => false,
        (_, Some(ago)) => ago < MAY_END_AGAIN,
        (_, None) => of.is_none_or(|age| age.as_hours() < 24 * restarts),
    }
}

fn phase(word: &str, ready: usize, restarts: i64, age: Option<SignedDuration>, row: &Row<'_>) -> &'static str {
    match word {
        // A pod that is restarted always shows the same word for the moment after its first end.
        "Completed" if ready == 0 && restarts == 0 && age.is_some_and(|age| age >= MAY_END_AGAIN) => "Succeeded",
        "Evicted" | "NodeAffinity" | "Shutdown" | "UnexpectedAdmissionError" | "DeadlineExceeded" | "Failed" => {
            "Failed"
        }
        word if word.starts_with("OutOf") => "Failed",
        "Running" | "CrashLoopBackOff" | "Error" | "OOMKilled" | "NotReady" | "Completed" | "Terminating" => "Running",
        "Unknown" | "NodeLost" => "Unknown",
        _ if ready > 0 || (restarts > 0 && row.cell("IP").is_some()) => "Running",
        _ => "Pending",
    }
}

/// Returns the state behind the word. `Error` says that a run ended, not how: no exit code is made up.
fn of_word(word: &str) -> Value {
    match word {
        "Running" | "NotReady" | "Terminating" => json!({"running": {}}),
        "OOMKilled" => json!({"terminated": {"exitCode": 137, "reason": "OOMKilled"}}),
        // Whether it will be started again is not shown.
        "Completed" | "Error" | "Pending" | "Unknown" | "NodeLost" | "Failed" | "Evicted" => json!({}),
        word => match word.strip_prefix("ExitCode:").and_then(|code| code.parse::<i32>().ok()) {
            Some(code) => json!({"terminated": {"exitCode": code, "reason": "Error"}}),
            None => json!({"waiting": {"reason": word}}),
        },
    }
}
