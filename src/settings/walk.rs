//! Holds a tree of settings against the schema and says everything that does not fit.

use super::error::{Problem, nearest};
use super::format;
use super::schema::{Schema, View};
use super::tree::{Node, Tree, Value};

/// Adds to `problems` what in `tree` the schema does not allow.
pub fn check(tree: &Tree, schema: &Schema, problems: &mut Vec<Problem>) {
    Walk { tree, problems }.node(&tree.root, schema.view(), "");
}

struct Walk<'a> {
    tree: &'a Tree,
    problems: &'a mut Vec<Problem>,
}

impl Walk<'_> {
    fn node(&mut self, node: &Node, view: View<'_>, path: &str) {
        let alternatives = view.alternatives();
        let fitting = |kind: &str| alternatives.iter().copied().find(|view| view.is(kind));
        let view = match &node.value {
            // A key without a value keeps its default.
            Value::Null => return,
            Value::Bool(_) => fitting("boolean"),
            Value::Number(number) if number.is_u64() || number.is_i64() => fitting("integer"),
            Value::Number(_) => fitting("number"),
            Value::Text(_) => fitting("string"),
            Value::List(_) => fitting("array"),
            Value::Map(_) => fitting("object"),
        };
        match (view, &node.value) {
            (None, value) => {
                let expected: Vec<_> = alternatives.iter().map(|view| expectation(*view)).collect();
                let hint = if alternatives.iter().any(|view| view.is("string")) { quotes_hint(value) } else { "" };
                self.say(node, path, format!("expected {}, found {}{hint}", expected.join(", or "), found(value)));
            }
            (Some(view), Value::Text(text)) => self.text(node, view, path, text),
            (Some(view), Value::Number(number)) => {
                let (least, most) = view.range();
                let fits = number.as_u64().is_some_and(|n| n >= least.unwrap_or(0) && n <= most.unwrap_or(u64::MAX));
                if !fits {
                    self.say(node, path, format!("expected {}, found {number}", expectation(view)));
                }
            }
            (Some(view), Value::List(items)) => {
                let Some(each) = view.items() else { return };
                for (index, item) in items.iter().enumerate() {
                    if matches!(item.value, Value::Null) {
                        self.say(item, &format!("{path}[{index}]"), "is empty".to_owned());
                    }
                    self.node(item, each, &format!("{path}[{index}]"));
                }
            }
            (Some(view), Value::Map(entries)) => self.map(node, view, path, entries),
            (Some(_), Value::Bool(_) | Value::Null) => {}
        }
    }

    fn text(&mut self, node: &Node, view: View<'_>, path: &str, text: &str) {
        let words = view.words();
        let fits = if words.is_empty() {
            view.format().is_none_or(|format| format::fits(format, text))
        } else {
            words.contains(&text)
        };
        if !fits {
            let hint = did_you_mean(text, words);
            let found = found(&Value::Text(text.to_owned()));
            self.say(node, path, format!("expected {}, found {found}{hint}", expectation(view)));
        }
    }

    fn map(&mut self, node: &Node, view: View<'_>, path: &str, entries: &[(String, Node)]) {
        for (key, value) in entries {
            let inner = join(path, key);
            match view.key(key).or_else(|| view.free_keys()) {
                Some(next) => {
                    if let Some(names) = view.free_names() {
                        self.text(value, names, &inner, key);
                    }
                    self.node(value, next, &inner);
                }
                None => {
                    let what = unknown_key(key, &view.keys());
                    self.say(value, &inner, what);
                }
            }
        }
        for key in view.required() {
            let set = |(name, value): &(String, Node)| name == key && !matches!(value.value, Value::Null);
            if !entries.iter().any(set) {
                self.say(node, &join(path, key), "is missing".to_owned());
            }
        }
    }

    fn say(&mut self, node: &Node, path: &str, what: String) {
        self.problems.push(Problem::new(self.tree.place(&node.origin), path, what));
    }
}

/// Returns what to say of a key that there is not.
pub fn unknown_key(key: &str, known: &[&str]) -> String {
    let lower = key.to_lowercase();
    if ["token", "secret", "password"].iter().any(|word| lower.contains(word)) {
        return "secrets do not belong into the settings: set SLACK_BOT_TOKEN, SLACK_APP_TOKEN or \
                SLACK_SIGNING_SECRET in the environment, or each with `_FILE` behind it to a file's path"
            .to_owned();
    }
    let hint = did_you_mean(key, known.iter().copied());
    if hint.is_empty() { format!("unknown key; there are {}", known.join(", ")) } else { format!("unknown key{hint}") }
}

fn did_you_mean<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    nearest(word, known).map_or_else(String::new, |near| format!("; did you mean `{near}`?"))
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

fn expectation(view: View<'_>) -> String {
    let words = view.words();
    if let Some((last, others)) = words.split_last() {
        return if others.is_empty() { format!("`{last}`") } else { format!("{} or {last}", others.join(", ")) };
    }
    if view.is("string") {
        return view.format().map_or("text", format::expected).to_owned();
    }
    match view.range() {
        (Some(least), Some(most)) => return format!("a whole number from {least} to {most}"),
        (Some(least), None) => return format!("a whole number from {least} on"),
        _ => {}
    }
    let kinds = [
        ("integer", "a whole number"),
        ("boolean", "true or false"),
        ("array", "a list"),
        ("object", "keys with values"),
    ];
    kinds.into_iter().find(|(kind, _)| view.is(kind)).map_or("a value", |(_, words)| words).to_owned()
}

/// Names a value without showing what might be a secret.
fn found(value: &Value) -> String {
    match value {
        Value::Null => "nothing".to_owned(),
        Value::Bool(value) => value.to_string(),
        Value::Number(value) => value.to_string(),
        Value::Text(text) if text.starts_with("xox") || text.starts_with("xapp-") => "a token".to_owned(),
        Value::Text(text) if text.is_empty() => "an empty text".to_owned(),
        Value::Text(text) if text.chars().count() <= 60 => format!("`{text}`"),
        Value::Text(_) => "a long text".to_owned(),
        Value::List(_) => "a list".to_owned(),
        Value::Map(_) => "keys with values".to_owned(),
    }
}

/// YAML reads `1` and `true` as something else than text; quotes make them text.
fn quotes_hint(value: &Value) -> &'static str {
    match value {
        Value::Bool(_) | Value::Number(_) => " (in quotes it is text)",
        _ => "",
    }
}
