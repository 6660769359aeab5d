//! Where an expression is evaluated: the variables, our two functions, and the allowance.
//!
//! What could not be read has no value here at all, so that an expression whose result depends on it has none either:
//! never true, never false.

use super::bounds::METER;
use super::expression::ENVIRONMENT;
use crate::facts::quantity;
use cel::common::ast::IdedExpr;
use cel::common::types::{CelBool, CelDouble, CelInt, CelList, CelMap, CelNull, CelString};
use cel::common::value::Val;
use cel::extractors::This;
use cel::{Context, ExecutionError, Value as CelValue};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use regex::Regex;
use serde_json::Value;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

/// What all custom causes together may spend on one subject, in parts of an expression evaluated in loops.
pub(super) const ALLOWANCE: i64 = 200_000;

/// Why an expression came to nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    /// It depends on a variable that could not be read.
    Unreadable(String),
    /// A field that it reads is not there. Fields that may be absent are asked for with `has()`.
    NotThere(String),
    /// It would take too long.
    TooLong,
    /// It makes no sense of what it found: compares a text with a number, divides by zero.
    Wrong(String),
}

impl std::fmt::Display for Trouble {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Trouble::Unreadable(name) => write!(f, "`{name}` could not be read"),
            Trouble::NotThere(key) => write!(f, "there is no `{key}` (`has()` asks whether there is)"),
            Trouble::TooLong => f.write_str("it takes too long"),
            Trouble::Wrong(what) => f.write_str(what),
        }
    }
}

/// The regular expressions of all causes, compiled, by their text.
pub(super) type Patterns = BTreeMap<String, Regex>;

/// The variables that have a value, and what evaluating may still cost.
pub struct Scope<'p> {
    context: Context<'p, 'static>,
    left: Arc<AtomicI64>,
}

impl<'p> Scope<'p> {
    /// Returns a scope without variables.
    pub(super) fn new(now: Timestamp, patterns: Arc<Patterns>, allowance: i64) -> Self {
        let left = Arc::new(AtomicI64::new(allowance));
        let mut context = Context::with_env(Arc::clone(&ENVIRONMENT));
        let meter = Arc::clone(&left);
        let turn = move |price: i64| -> Result<bool, ExecutionError> {
            match meter.fetch_sub(price, Ordering::Relaxed) {
                before if before >= price => Ok(true),
                _ => Err(ExecutionError::function_error(METER, "the allowance is spent")),
            }
        };
        let meter = Arc::clone(&left);
        let matches = move |This(text): This<Arc<String>>, pattern: Arc<String>| -> Result<bool, ExecutionError> {
            // A pattern looks at every byte; other functions are as fast as the machine can be.
            meter.fetch_sub(i64::try_from(text.len() / 16).unwrap_or(i64::MAX), Ordering::Relaxed);
            let compiled = patterns.get(pattern.as_str());
            compiled
                .map(|pattern| pattern.is_match(&text))
                .ok_or_else(|| ExecutionError::function_error("matches", "the pattern was not compiled"))
        };
        let seconds_since = move |This(text): This<Arc<String>>| -> Result<i64, ExecutionError> {
            let then: Timestamp =
                text.parse().map_err(|_| ExecutionError::function_error("secondsSince", "not an RFC 3339 time"))?;
            Ok(now.duration_since(then).as_secs())
        };
        let amount = |This(text): This<Arc<String>>| -> Result<f64, ExecutionError> {
            quantity::value(&Quantity(text.to_string()))
                .ok_or_else(|| ExecutionError::function_error("quantity", "not a quantity such as 256Mi"))
        };
        let declared = [
            context.add_function(METER, turn),
            context.add_function("matches", matches),
            context.add_function("secondsSince", seconds_since),
            context.add_function("quantity", amount),
        ];
        assert!(declared.iter().all(Result::is_ok), "none of these names is CEL's own: {declared:?}");
        Self { context, left }
    }

    /// Gives a variable its value.
    pub(super) fn set(&mut self, name: &str, value: &Value) {
        self.context.add_variable_as_val(name, cel_value(value));
    }

    /// Returns a scope with variables of its own beside these, and the same allowance.
    pub(super) fn within(&self) -> Scope<'_> {
        Scope { context: self.context.new_inner_scope(), left: Arc::clone(&self.left) }
    }

    pub(super) fn evaluate(&self, tree: &IdedExpr) -> Result<Value, Trouble> {
        if self.left.load(Ordering::Relaxed) < 0 {
            return Err(Trouble::TooLong);
        }
        let result = CelValue::resolve(tree, &self.context);
        if self.left.load(Ordering::Relaxed) < 0 {
            return Err(Trouble::TooLong);
        }
        let value = result.map_err(|error| trouble(&error))?;
        value.json().map_err(|_| Trouble::Wrong("comes to something that is no plain value".to_owned()))
    }
}

fn trouble(error: &ExecutionError) -> Trouble {
    match error {
        // Every name was looked up when the expression was compiled: one without a value could not be read.
        ExecutionError::UndeclaredReference(name) => Trouble::Unreadable(name.to_string()),
        ExecutionError::NoSuchKey(key) => Trouble::NotThere(key.to_string()),
        ExecutionError::IndexOutOfBounds(index) => Trouble::NotThere(format!("[{index:?}]")),
        ExecutionError::NoSuchOverload(overload) => match overload.argument_types() {
            [first, ..] if first == "null_type" && overload.function().starts_with("_.") => {
                Trouble::NotThere("field of null".to_owned())
            }
            types => Trouble::Wrong(format!("{} does not take {}", operator(overload.function()), types.join(" and "))),
        },
        other => {
            let text = other.to_string();
            Trouble::Wrong(crate::facts::evidence::shorten(&text, 200))
        }
    }
}

/// Returns `==` of `_==_`.
fn operator(function: &str) -> String {
    format!("`{}`", function.trim_matches(['_', '@']))
}

/// Returns a JSON value as CEL's, whole numbers as `int`.
fn cel_value(value: &Value) -> Box<dyn Val> {
    match value {
        Value::Null => Box::new(CelNull),
        Value::Bool(value) => Box::new(CelBool::from(*value)),
        Value::Number(number) => match number.as_i64() {
            Some(number) => Box::new(CelInt::from(number)),
            None => Box::new(CelDouble::from(number.as_f64().unwrap_or(f64::MAX))),
        },
        Value::String(text) => Box::new(CelString::from(text.clone())),
        Value::Array(items) => Box::new(CelList::from(items.iter().map(cel_value).collect::<Vec<_>>())),
        Value::Object(entries) => {
            let entries: HashMap<_, _> =
                entries.iter().map(|(key, value)| (key.clone().into(), cel_value(value))).collect();
            Box::new(CelMap::from(entries))
        }
    }
}
