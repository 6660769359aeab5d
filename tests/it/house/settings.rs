//! The example file: it holds every setting, it holds their defaults, and its samples are right.

use super::source;
use podoctor::settings::{self, Settings};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

const EXAMPLE: &str = "config/podoctor.example.yaml";

/// A key of the settings as the schema knows it.
pub struct Row {
    /// `slack.mode`; `[]` stands for each entry of a list, `ID` for a free key.
    pub key: String,
    pub default: Option<String>,
    pub words: String,
    /// The variable that sets it; `None` within lists, which one variable sets as a whole.
    pub variable: Option<String>,
}

/// Returns every key that holds a value, lists and maps with all that stands in them.
pub fn rows() -> Vec<Row> {
    let schema = settings::json_schema();
    let mut rows = Vec::new();
    descend(&schema, &schema, "", true, &mut rows);
    rows
}

fn descend(schema: &Value, node: &Value, path: &str, settable: bool, rows: &mut Vec<Row>) {
    let node = follow(schema, node);
    for node in node["anyOf"].as_array().into_iter().flatten() {
        descend(schema, node, path, settable, rows);
    }
    if node["items"].is_object() {
        descend(schema, &node["items"], &format!("{path}[]"), false, rows);
    }
    if node["additionalProperties"].is_object() {
        descend(schema, &node["additionalProperties"], &format!("{path}.ID"), settable, rows);
    }
    for (name, child) in node["properties"].as_object().into_iter().flatten() {
        let key = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        if !follow(schema, child)["properties"].is_object() {
            let variable = format!("PODOCTOR_{}", key.to_uppercase().replace('.', "__"));
            rows.push(Row {
                default: child.get("default").filter(|default| !default.is_null()).map(plain),
                words: child["description"].as_str().unwrap_or_default().to_owned(),
                variable: settable.then_some(variable),
                key: key.clone(),
            });
        }
        descend(schema, child, &key, settable, rows);
    }
}

fn follow<'a>(schema: &'a Value, node: &'a Value) -> &'a Value {
    match node["$ref"].as_str().and_then(|reference| reference.strip_prefix('#')) {
        Some(pointer) => schema.pointer(pointer).expect("the schema holds what it refers to"),
        None => node,
    }
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Returns the example with its samples uncommented, each in place of the empty default before it.
fn uncommented(text: &str) -> String {
    let mut lines: Vec<String> = Vec::new();
    for line in text.lines() {
        let sample = line.strip_prefix('#').filter(|rest| {
            let is_prose = rest.starts_with(' ') && !rest.starts_with("  ");
            !rest.is_empty() && !is_prose
        });
        let Some(sample) = sample else {
            lines.push(line.to_owned());
            continue;
        };
        let key = sample.split(':').next().unwrap_or_default();
        lines.retain(|line| !["[]", "{}", "~"].iter().any(|empty| *line == format!("{key}: {empty}")));
        lines.push(sample.to_owned());
    }
    lines.join("\n")
}

fn parse(text: &str) -> Settings {
    settings::parse(EXAMPLE, text, &BTreeMap::new()).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

#[test]
fn the_example_holds_the_defaults() {
    assert_eq!(parse(&source::text(EXAMPLE)), Settings::default());
}

#[test]
fn the_example_shows_every_key() {
    let json = serde_json::to_value(parse(&uncommented(&source::text(EXAMPLE)))).expect("plain data");
    let mut shown = BTreeSet::new();
    keys(&json, "", &mut shown);
    let text = uncommented(&source::text(EXAMPLE));
    for row in rows() {
        let name = row.key.rsplit('.').next().expect("a key has a name");
        let written =
            text.lines().any(|line| line.trim_start().trim_start_matches("- ").starts_with(&format!("{name}:")));
        assert!(written, "{EXAMPLE} does not show `{}`", row.key);
        // The list of those who may ask is shown by the list of those who may act, which is of the same kind.
        let elsewhere = ["access.ask[]", "access.approve[]"].iter().any(|list| row.key.starts_with(list));
        assert!(elsewhere || shown.contains(&row.key), "{EXAMPLE} has no sample with `{}`", row.key);
    }
}

#[test]
fn every_setting_says_what_it_is() {
    for row in rows() {
        assert!(!row.words.is_empty(), "`{}` has no doc comment in src/settings/model.rs", row.key);
    }
}

#[test]
fn what_is_shown_fits_the_schema() {
    let schema = jsonschema::validator_for(&settings::json_schema()).expect("a schema");
    let sample = serde_json::to_value(parse(&uncommented(&source::text(EXAMPLE)))).expect("plain data");
    assert!(schema.is_valid(&sample), "{:?}", schema.iter_errors(&sample).map(|e| e.to_string()).collect::<Vec<_>>());
    assert!(!schema.is_valid(&serde_json::json!({ "slakc": {} })));
}

fn keys(value: &Value, path: &str, into: &mut BTreeSet<String>) {
    match value {
        Value::Object(entries) => {
            for (name, value) in entries {
                let name = if path == "channels" { "ID" } else { name };
                let key = if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
                into.insert(key.clone());
                keys(value, &key, into);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| keys(item, &format!("{path}[]"), into)),
        _ => {}
    }
}
