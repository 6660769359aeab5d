//! A settings file as a tree that remembers where each key stands.

use super::Problem;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::Number;
use serde_saphyr::Spanned;
use std::fmt;

/// A tree of settings, and the name of the file it came from.
#[derive(Debug)]
pub struct Tree {
    file: String,
    pub root: Node,
}

/// A value and where it was set.
#[derive(Debug, Clone)]
pub struct Node {
    pub origin: Origin,
    pub value: Value,
}

/// Where a value was set: a line of the file, or a variable of the environment.
#[derive(Debug, Clone)]
pub enum Origin {
    Line(u64),
    Variable(String),
}

/// What a value is before anybody knows what it should be. The entries of a map keep their order.
#[derive(Debug, Clone)]
pub enum Value {
    Null,
    Bool(bool),
    Number(Number),
    Text(String),
    List(Vec<Node>),
    Map(Vec<(String, Node)>),
}

/// Reads the YAML `text` of `file`.
///
/// # Errors
/// What YAML does not allow, a key that stands twice included, with its line.
pub fn read(file: &str, text: &str) -> Result<Tree, Problem> {
    let value = yaml(text).map_err(|(line, what)| {
        let place = line.map_or_else(|| file.to_owned(), |line| format!("{file}:{line}"));
        Problem::new(place, "", what)
    })?;
    Ok(Tree { file: file.to_owned(), root: Node { origin: Origin::Line(1), value } })
}

/// Reads the YAML `text` of a variable.
///
/// # Errors
/// What YAML does not allow.
pub fn read_variable(variable: &str, text: &str) -> Result<Node, String> {
    let value = yaml(text).map_err(|(_, what)| what)?;
    Ok(Node { origin: Origin::Variable(variable.to_owned()), value }.with_origin_throughout())
}

fn yaml(text: &str) -> Result<Value, (Option<u64>, String)> {
    // `on`, `no` and their like are text, as in YAML 1.2: a namespace may well be called `no`.
    let options = serde_saphyr::options! { strict_booleans: true };
    serde_saphyr::from_str_with_options::<Value>(text, options).map_err(|error| {
        let line = error.location().map(|location| location.line()).filter(|line| *line > 0);
        let what = error.without_snippet().to_string();
        // The place stands before the message already, and the parser's options are not the reader's concern.
        let what = what.split(" at line ").next().unwrap_or(&what);
        let what = what.split(", set DuplicateKeyPolicy").next().unwrap_or(what);
        (line, format!("not valid YAML: {what}"))
    })
}

impl Tree {
    /// Returns where a value was set, in words.
    pub fn place(&self, origin: &Origin) -> String {
        match origin {
            Origin::Line(line) => format!("{}:{line}", self.file),
            Origin::Variable(name) => name.clone(),
        }
    }

    /// Returns where the value at `path` was set, or the nearest thing above it that was, in words.
    pub fn place_of(&self, path: &[Step<'_>]) -> String {
        self.place(self.origin_of(path))
    }

    /// Returns where the value at `path` was set, or the nearest thing above it that was.
    pub fn origin_of(&self, path: &[Step<'_>]) -> &Origin {
        let mut node = &self.root;
        for step in path {
            let next = match (step, &node.value) {
                (Step::Key(key), Value::Map(entries)) => entries.iter().find(|(name, _)| name == key).map(|(_, n)| n),
                (Step::Item(index), Value::List(items)) => items.get(*index),
                _ => None,
            };
            match next {
                Some(next) => node = next,
                None => break,
            }
        }
        &node.origin
    }

    /// Returns the tree as JSON. A key without a value is left out, so that its default holds.
    pub fn to_json(&self) -> serde_json::Value {
        match self.root.to_json() {
            serde_json::Value::Null => serde_json::Value::Object(serde_json::Map::new()),
            json => json,
        }
    }
}

/// A step down a tree.
#[derive(Debug, Clone, Copy)]
pub enum Step<'a> {
    Key(&'a str),
    Item(usize),
}

/// Returns a path as a key: `access.act[0].users`.
pub fn key(path: &[Step<'_>]) -> String {
    let mut key = String::new();
    for step in path {
        match step {
            Step::Key(name) if key.is_empty() => key.push_str(name),
            Step::Key(name) => key.push_str(&format!(".{name}")),
            Step::Item(index) => key.push_str(&format!("[{index}]")),
        }
    }
    key
}

impl Node {
    fn to_json(&self) -> serde_json::Value {
        match &self.value {
            Value::Null => serde_json::Value::Null,
            Value::Bool(value) => (*value).into(),
            Value::Number(value) => value.clone().into(),
            Value::Text(value) => value.clone().into(),
            Value::List(items) => items.iter().map(Self::to_json).collect(),
            Value::Map(entries) => {
                let set = entries.iter().filter(|(_, node)| !matches!(node.value, Value::Null));
                set.map(|(key, node)| (key.clone(), node.to_json())).collect()
            }
        }
    }

    fn with_origin_throughout(mut self) -> Self {
        let origin = self.origin.clone();
        let relabel = |node: Self| Self { origin: origin.clone(), ..node }.with_origin_throughout();
        self.value = match self.value {
            Value::List(items) => Value::List(items.into_iter().map(relabel).collect()),
            Value::Map(entries) => Value::Map(entries.into_iter().map(|(key, node)| (key, relabel(node))).collect()),
            plain => plain,
        };
        self
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor)
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        Value::deserialize(deserializer)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("a number must be finite"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::Text(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element::<Spanned<Value>>()? {
            list.push(Node { origin: Origin::Line(item.referenced.line()), value: item.value });
        }
        Ok(Value::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut map = Vec::new();
        while let Some((key, value)) = entries.next_entry::<Spanned<String>, Value>()? {
            map.push((key.value, Node { origin: Origin::Line(key.referenced.line()), value }));
        }
        Ok(Value::Map(map))
    }
}
