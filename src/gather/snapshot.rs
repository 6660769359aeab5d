//! A world from text: YAML or JSON documents that hold Kubernetes objects.

use crate::facts::World;
use crate::facts::intake::{self, Met};
use jiff::Timestamp;
use serde_json::Value;

/// A part of a text that could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mishap {
    /// 1-based line in the text, where known.
    pub line: Option<usize>,
    pub message: String,
}

/// Takes every Kubernetes object of a text (single, multi-document, `List`; YAML or JSON) into a world.
///
/// A document that cannot be read does not keep the others out; each is told with its line.
///
/// `newest` is moved on to the newest time that any object tells.
pub fn take_text(world: &mut World, met: &mut Met, newest: &mut Option<Timestamp>, text: &str) -> Vec<Mishap> {
    let mut mishaps = Vec::new();
    let trimmed = text.trim_start();
    if trimmed.starts_with(['{', '[']) {
        for value in serde_json::Deserializer::from_str(text).into_iter::<Value>() {
            match value {
                Ok(value) => take_value(world, met, newest, value, 1, &mut mishaps),
                Err(error) => {
                    mishaps.push(Mishap { line: Some(error.line()), message: error.to_string() });
                    break;
                }
            }
        }
        return mishaps;
    }
    // YAML 1.2: bare `n`, `no`, `on` are text. kubectl quotes them (it follows YAML 1.1 there), other writers do not.
    let options = serde_saphyr::options! { strict_booleans: true };
    for (first_line, document) in documents(text) {
        match serde_saphyr::from_str_with_options::<Value>(document, options.clone()) {
            Ok(Value::Null) => {}
            Ok(value) => take_value(world, met, newest, value, first_line, &mut mishaps),
            Err(error) => {
                let line = error.location().map(|location| first_line - 1 + location.line() as usize);
                let message = error.to_string().lines().next().unwrap_or_default().to_owned();
                mishaps.push(Mishap { line: line.or(Some(first_line)), message });
            }
        }
    }
    mishaps
}

fn take_value(
    world: &mut World,
    met: &mut Met,
    newest: &mut Option<Timestamp>,
    value: Value,
    line: usize,
    mishaps: &mut Vec<Mishap>,
) {
    *newest = (*newest).max(newest_time(&value));
    let values = match value {
        Value::Array(values) => values,
        value => vec![value],
    };
    for value in values {
        for error in intake::take(world, value, met) {
            mishaps.push(Mishap { line: Some(line), message: error.to_string() });
        }
    }
}

/// Splits a YAML stream at its `---` lines; returns each document with the number of its first line.
fn documents(text: &str) -> Vec<(usize, &str)> {
    let mut documents = Vec::new();
    let (mut start, mut first_line, mut offset) = (0, 1, 0);
    for (i, line) in text.split_inclusive('\n').enumerate() {
        if line.starts_with("---") && line[3..].chars().next().is_none_or(char::is_whitespace) {
            documents.push((first_line, &text[start..offset]));
            start = offset + line.len();
            first_line = i + 2;
        }
        offset += line.len();
    }
    documents.push((first_line, &text[start..]));
    documents.retain(|(_, document)| !document.trim().is_empty());
    documents
}

/// Times that lie in the past by their nature: the moment of a snapshot is not before any of them.
const PAST_TIMES: &[&str] = &[
    "creationTimestamp",
    "eventTime",
    "finishedAt",
    "firstTimestamp",
    "lastHeartbeatTime",
    "lastObservedTime",
    "lastTimestamp",
    "lastTransitionTime",
    "lastUpdateTime",
    "renewTime",
    "startTime",
    "startedAt",
];

/// Returns the newest time of the past that an object tells.
fn newest_time(value: &Value) -> Option<Timestamp> {
    match value {
        Value::Object(fields) => fields
            .iter()
            .filter_map(|(name, value)| match value {
                Value::String(text) if PAST_TIMES.contains(&name.as_str()) => text.parse().ok(),
                value => newest_time(value),
            })
            .max(),
        Value::Array(values) => values.iter().filter_map(newest_time).max(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bare_words_are_text_and_numbers_are_numbers() {
        let yaml = "apiVersion: v1\nkind: Pod\nmetadata: {name: n, namespace: on, labels: {a: yes, b: \"true\", c: 'off'}}\n\
                    spec: {hostNetwork: true, priority: 7, containers: [{name: y, image: no}]}\n";
        let (mut world, mut met) = (World::default(), Met::default());
        let mishaps = take_text(&mut world, &mut met, &mut None, yaml);
        assert!(mishaps.is_empty(), "{mishaps:?}");
        let pod = world.pods.get("on", "n").present().expect("it was read under its name");
        let labels: Vec<&str> = pod.metadata.labels.iter().flatten().map(|(_, value)| value.as_str()).collect();
        assert_eq!(labels, ["yes", "true", "off"]);
        let spec = pod.spec.as_ref().expect("it has one");
        assert_eq!((spec.host_network, spec.priority), (Some(true), Some(7)));
        assert_eq!((spec.containers[0].name.as_str(), spec.containers[0].image.as_deref()), ("y", Some("no")));
    }
}
