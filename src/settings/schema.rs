//! The JSON schema of the settings, and a way to walk down it.

use super::Settings;
use serde_json::Value;

/// The schema that is derived from the settings' types.
pub struct Schema(Value);

/// One place in the schema, references followed.
#[derive(Clone, Copy)]
pub struct View<'a> {
    root: &'a Value,
    node: &'a Value,
}

impl Schema {
    /// Returns the schema of the whole settings file.
    pub fn of_settings() -> Self {
        Self::of::<Settings>()
    }

    /// Returns the schema of a type.
    pub fn of<T: schemars::JsonSchema>() -> Self {
        Self(schemars::schema_for!(T).to_value())
    }

    /// Returns the place at the top.
    pub fn view(&self) -> View<'_> {
        View { root: &self.0, node: &self.0 }
    }

    /// Returns the schema itself.
    pub fn into_json(self) -> Value {
        self.0
    }
}

impl<'a> View<'a> {
    /// Returns what the place may be: itself, or each of its alternatives. "No value" is not listed.
    pub fn alternatives(self) -> Vec<Self> {
        match self.node.get("anyOf").and_then(Value::as_array) {
            Some(several) => several
                .iter()
                .map(|node| self.at(node))
                .filter(|view| !view.is("null"))
                .flat_map(Self::alternatives)
                .collect(),
            None => vec![self],
        }
    }

    /// Tells whether the place takes values of a JSON type.
    pub fn is(self, kind: &str) -> bool {
        match self.node.get("type") {
            Some(Value::String(only)) => only == kind,
            Some(Value::Array(several)) => several.iter().any(|one| one == kind),
            _ => false,
        }
    }

    /// Returns the format of a text, which `format` knows.
    pub fn format(self) -> Option<&'a str> {
        self.node.get("format").and_then(Value::as_str)
    }

    /// Returns the words that a text may be; none = any text.
    pub fn words(self) -> Vec<&'a str> {
        self.node.get("enum").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect()
    }

    /// Returns the smallest and the largest number allowed.
    pub fn range(self) -> (Option<u64>, Option<u64>) {
        let bound = |name| self.node.get(name).and_then(Value::as_u64);
        (bound("minimum"), bound("maximum"))
    }

    /// Returns what each entry of a list is.
    pub fn items(self) -> Option<Self> {
        self.node.get("items").map(|node| self.at(node))
    }

    /// Returns the names of the fixed keys.
    pub fn keys(self) -> Vec<&'a str> {
        self.node
            .get("properties")
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
            .map(|(key, _)| key.as_str())
            .collect()
    }

    /// Returns what a fixed key holds.
    pub fn key(self, name: &str) -> Option<Self> {
        self.node.get("properties")?.get(name).map(|node| self.at(node))
    }

    /// Returns what every key holds where the keys' names are free.
    pub fn free_keys(self) -> Option<Self> {
        self.node.get("additionalProperties").filter(|node| node.is_object()).map(|node| self.at(node))
    }

    /// Returns what the names of free keys must be.
    pub fn free_names(self) -> Option<Self> {
        self.node.get("propertyNames").map(|node| self.at(node))
    }

    /// Returns the keys that must be there.
    pub fn required(self) -> Vec<&'a str> {
        self.node.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect()
    }

    fn at(self, node: &'a Value) -> Self {
        let mut view = Self { root: self.root, node };
        while let Some(reference) = view.node.get("$ref").and_then(Value::as_str) {
            let pointer = reference.strip_prefix('#').expect("schemars refers within its own schema");
            view.node = self.root.pointer(pointer).expect("schemars defines what it refers to");
        }
        view
    }
}
