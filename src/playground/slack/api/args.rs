//! The arguments of a call, from JSON, a form or the query, and read as leniently as Slack reads them.

use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use serde_json::{Map, Value};

use super::Refusal;

/// Arguments that are JSON also inside a form.
const STRUCTURED: &[&str] = &["attachments", "blocks", "files", "message", "metadata", "view"];

/// A call's arguments by name.
pub struct Args(Map<String, Value>);

impl Args {
    /// Reads query and body.
    pub fn read(headers: &HeaderMap, query: Option<&str>, body: &[u8]) -> Result<Self, Refusal> {
        let mut args = Map::new();
        let pairs = |bytes: &[u8]| -> Vec<(String, Value)> {
            let parsed = url::form_urlencoded::parse(bytes);
            parsed.map(|(name, value)| (name.into_owned(), Value::from(value.into_owned()))).collect()
        };
        args.extend(pairs(query.unwrap_or("").as_bytes()));
        let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or("");
        if body.is_empty() {
            return Ok(Args(args));
        }
        if kind.starts_with("application/json") {
            match serde_json::from_slice(body) {
                Ok(Value::Object(object)) => args.extend(object),
                Ok(_) => return Err("json_not_object".into()),
                Err(_) => return Err("invalid_json".into()),
            }
        } else if kind.starts_with("application/x-www-form-urlencoded") {
            args.extend(pairs(body));
        } else if kind.starts_with("multipart/form-data") {
            args.extend(multipart(kind, body).ok_or("invalid_form_data")?);
        } else {
            return Err("invalid_post_type".into());
        }
        Ok(Args(args))
    }

    /// Returns the arguments for the log: without the token, structures read.
    pub fn logged(&self) -> Value {
        let mut args = self.0.clone();
        args.remove("token");
        for field in STRUCTURED {
            if let Ok(Some(value)) = self.json(field) {
                args.insert((*field).to_owned(), value);
            }
        }
        Value::Object(args)
    }

    /// Returns a text that is there and not empty.
    pub fn text(&self, name: &str) -> Option<String> {
        match self.0.get(name)? {
            Value::String(text) if text.is_empty() => None,
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        }
    }

    /// Returns a text, or refuses with the code that Slack has for its absence.
    pub fn need(&self, name: &str, code: &'static str) -> Result<String, Refusal> {
        self.text(name).ok_or_else(|| code.into())
    }

    /// Whether the argument was given at all, even empty.
    pub fn has(&self, name: &str) -> bool {
        self.0.get(name).is_some_and(|value| !value.is_null())
    }

    /// Returns a flag; `true`, `"true"`, `1` and `"1"` are set.
    pub fn flag(&self, name: &str) -> bool {
        match self.0.get(name) {
            Some(Value::Bool(flag)) => *flag,
            Some(Value::String(text)) => text == "true" || text == "1",
            Some(Value::Number(number)) => number.as_u64() == Some(1),
            _ => false,
        }
    }

    /// Returns a count.
    pub fn count(&self, name: &str) -> Option<usize> {
        self.text(name)?.parse().ok()
    }

    /// Returns a list given as JSON or separated by commas.
    pub fn list(&self, name: &str) -> Vec<String> {
        match self.0.get(name) {
            Some(Value::Array(items)) => items.iter().filter_map(|item| item.as_str().map(str::to_owned)).collect(),
            Some(Value::String(text)) => {
                text.split(',').map(str::trim).filter(|item| !item.is_empty()).map(str::to_owned).collect()
            }
            _ => Vec::new(),
        }
    }

    /// Returns a structure given as JSON or as JSON in a string.
    pub fn json(&self, name: &str) -> Result<Option<Value>, serde_json::Error> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) if text.is_empty() => Ok(None),
            Some(Value::String(text)) => serde_json::from_str(text).map(Some),
            Some(value) => Ok(Some(value.clone())),
        }
    }
}

/// Reads the text fields of a multipart form; enough for clients that send their arguments so.
fn multipart(kind: &str, body: &[u8]) -> Option<Map<String, Value>> {
    let boundary = kind.split("boundary=").nth(1)?.split(';').next()?.trim_matches('"');
    let body = String::from_utf8_lossy(body);
    let mut fields = Map::new();
    for part in body.split(&format!("--{boundary}")) {
        let Some((head, value)) = part.split_once("\r\n\r\n") else { continue };
        let Some(name) = head.split("name=\"").nth(1).and_then(|rest| rest.split('"').next()) else { continue };
        fields.insert(name.to_owned(), Value::from(value.strip_suffix("\r\n").unwrap_or(value)));
    }
    Some(fields)
}
