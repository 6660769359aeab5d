//! Why a call was refused: Slack's error code, and what some codes carry beside it.

use std::borrow::Cow;

use serde_json::{Map, Value, json};

/// An error answer of the Web API or of the `/try` calls.
#[derive(Clone, Debug, PartialEq)]
pub struct Refusal {
    /// Slack's code, such as `channel_not_found`.
    pub code: Cow<'static, str>,
    /// Further fields of the answer (`needed`, `errors`, `response_metadata`, …).
    pub extra: Map<String, Value>,
}

impl Refusal {
    /// Returns a refusal with a code that was not known beforehand.
    pub fn coded(code: impl Into<Cow<'static, str>>) -> Self {
        Refusal { code: code.into(), extra: Map::new() }
    }

    /// Adds a field to the answer.
    pub fn with(mut self, field: &str, value: Value) -> Self {
        self.extra.insert(field.to_owned(), value);
        self
    }

    /// Returns the JSON that goes over the wire.
    pub fn body(&self) -> Value {
        let mut body = json!({"ok": false, "error": self.code});
        if let Some(object) = body.as_object_mut() {
            object.extend(self.extra.clone());
        }
        body
    }
}

impl From<&'static str> for Refusal {
    fn from(code: &'static str) -> Self {
        Refusal::coded(code)
    }
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.code)
    }
}

impl std::error::Error for Refusal {}
