//! A world from text: YAML or JSON documents that hold Kubernetes objects.

use crate::facts::World;
use crate::facts::intake::{self, Met};
use jiff::Timestamp;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;
use std::borrow::Cow;

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
        // Each object is read from its own piece of the text: a large file is never held as JSON values.
        for value in serde_json::Deserializer::from_str(text).into_iter::<&RawValue>() {
            match value {
                Ok(value) => {
                    *newest = (*newest).max(newest_in_text(value));
                    let errors = intake::take_json(world, value, met);
                    mishaps.extend(errors.iter().map(|error| Mishap { line: Some(1), message: error.to_string() }));
                }
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
    value.deserialize_any(Newest { is_time: false }).unwrap_or_default()
}

/// Returns the newest time of the past that a piece of JSON tells, without building the value.
fn newest_in_text(text: &RawValue) -> Option<Timestamp> {
    text.deserialize_any(Newest { is_time: false }).unwrap_or_default()
}

/// Looks for the newest time in whatever it is given.
#[derive(Clone, Copy)]
struct Newest {
    /// The value stands under one of the names of times.
    is_time: bool,
}

impl<'de> DeserializeSeed<'de> for Newest {
    type Value = Option<Timestamp>;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Newest {
    type Value = Option<Timestamp>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("any JSON")
    }
    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Self::Value, A::Error> {
        let mut newest = None;
        while let Some(name) = fields.next_key::<Cow<'de, str>>()? {
            if name == "managedFields" {
                // Often the largest part of an object; its times are those of edits.
                fields.next_value::<IgnoredAny>()?;
                continue;
            }
            newest = newest.max(fields.next_value_seed(Self { is_time: PAST_TIMES.contains(&name.as_ref()) })?);
        }
        Ok(newest)
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut values: A) -> Result<Self::Value, A::Error> {
        let mut newest = None;
        while let Some(time) = values.next_element_seed(Self { is_time: false })? {
            newest = newest.max(time);
        }
        Ok(newest)
    }
    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(if self.is_time { text.parse().ok() } else { None })
    }
    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }
    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Ok(None)
    }
    fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
        Ok(None)
    }
    fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
        Ok(None)
    }
    fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
        Ok(None)
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

    #[test]
    fn json_is_read_as_yaml_is_whatever_list_it_comes_in() {
        let pod = r#"{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web", "namespace": "shop",
            "creationTimestamp": "2026-01-01T10:00:00Z"}, "spec": {"containers": []}, "status": {"startTime": "2026-01-01T10:05:00Z"}}"#;
        let bare = pod.replace(r#""apiVersion": "v1", "kind": "Pod", "#, "");
        let old = pod.replace(r#""v1""#, r#""v1beta3""#);
        let forms = [
            pod.to_owned(),
            old.clone(),
            format!("[{pod}]"),
            format!(r#"{{"apiVersion": "v1", "items": [{pod}], "kind": "List"}}"#),
            format!(r#"{{"kind": "PodList", "apiVersion": "v1", "items": [{bare}]}}"#),
            format!(r#"{{"kind": "List", "items": [{{"kind": "List", "items": [{old}]}}]}}"#),
        ];
        for form in forms {
            let (mut world, mut met, mut newest) = (World::default(), Met::default(), None);
            let mishaps = take_text(&mut world, &mut met, &mut newest, &form);
            assert!(mishaps.is_empty(), "{form}: {mishaps:?}");
            assert!(world.pods.get("shop", "web").present().is_some(), "{form}");
            assert!(met.kinds.contains(&("Pod".to_owned(), "shop".to_owned())), "{form}");
            assert_eq!(newest, "2026-01-01T10:05:00Z".parse().ok(), "{form}");
        }
        let broken = r#"{"kind": "List", "items": [{"kind": "Pod", "metadata": {"name": 7}}, {"no": "kind"}, 7]}"#;
        let mishaps = take_text(&mut World::default(), &mut Met::default(), &mut None, broken);
        let messages: Vec<&str> = mishaps.iter().map(|mishap| mishap.message.as_str()).collect();
        assert_eq!(messages.len(), 3, "{messages:?}");
        assert!(messages[0].contains("Pod") && messages[0].contains("string"), "{messages:?}");
        assert!(messages[1].contains("no kind") && messages[2].contains("no kind"), "{messages:?}");
    }
}
