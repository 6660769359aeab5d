//! Words with values in them: `{{ pod.metadata.name }}`.

use super::expression::{Expression, Wrong};
use super::scope::Scope;
use crate::diagnosis::kubectl;
use crate::facts::evidence::shorten;
use serde_json::Value;

/// The longest value in a sentence, in bytes.
const LONGEST_VALUE: usize = 200;

/// A text with places for values.
#[derive(Debug, Clone, Default)]
pub struct Template {
    parts: Vec<Part>,
}

#[derive(Debug, Clone)]
enum Part {
    Text(String),
    Value(Box<Expression>),
}

impl Template {
    /// Reads a text with its places.
    ///
    /// # Errors
    /// The first place that is not closed or holds no good expression.
    pub fn compile(text: &str) -> Result<Self, Wrong> {
        let mut parts = Vec::new();
        let mut rest = text;
        let wrong = |rest: &str, wrong: Wrong| {
            let before = &text[..text.len() - rest.len()];
            Wrong { line: before.matches('\n').count() as u64 + wrong.line, ..wrong }
        };
        while let Some((before, after)) = rest.split_once("{{") {
            let Some((inside, behind)) = after.split_once("}}") else {
                let what = "`{{` has no `}}`".to_owned();
                return Err(wrong(after, Wrong { line: 1, column: 1, what }));
            };
            let value = Expression::compile(inside).map_err(|error| {
                let what = format!("`{{{{{inside}}}}}`: {}", error.what);
                wrong(after, Wrong { what, ..error })
            })?;
            parts.push(Part::Text(before.to_owned()));
            parts.push(Part::Value(Box::new(value)));
            rest = behind;
        }
        parts.push(Part::Text(rest.to_owned()));
        Ok(Self { parts })
    }

    /// Returns the expressions in it.
    pub(super) fn expressions(&self) -> impl Iterator<Item = &Expression> {
        self.parts.iter().filter_map(|part| match part {
            Part::Text(_) => None,
            Part::Value(expression) => Some(&**expression),
        })
    }

    /// Returns the text with its values; one that is not to be had is a `?`.
    pub(super) fn words(&self, scope: &Scope<'_>) -> String {
        self.parts
            .iter()
            .map(|part| match part {
                Part::Text(text) => text.trim_end_matches('\n').to_owned(),
                Part::Value(expression) => {
                    expression.value(scope).ok().and_then(|value| plain(&value)).unwrap_or_else(|| "?".to_owned())
                }
            })
            .collect()
    }

    /// Returns a command with its values, each as one word of a shell; none where a value is not to be had.
    pub(super) fn command(&self, scope: &Scope<'_>) -> Option<String> {
        self.parts
            .iter()
            .map(|part| match part {
                Part::Text(text) => Some(text.trim_end_matches('\n').to_owned()),
                Part::Value(expression) => {
                    expression.value(scope).ok().and_then(|value| plain(&value)).map(|value| kubectl::quoted(&value))
                }
            })
            .collect()
    }
}

/// Returns a value as it stands in a sentence: on one line, and not long.
pub(super) fn plain(value: &Value) -> Option<String> {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        Value::Bool(value) => value.to_string(),
        Value::Array(items) if !items.is_empty() => items.iter().map(plain).collect::<Option<Vec<_>>>()?.join(", "),
        Value::Null | Value::Array(_) | Value::Object(_) => return None,
    };
    let line = text.split(|c: char| c.is_control()).collect::<Vec<_>>().join(" ");
    Some(shorten(line.trim(), LONGEST_VALUE))
}
