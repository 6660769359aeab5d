//! Settings from the environment: `PODOCTOR_SLACK__API_URL` sets `slack.api_url`, two underscores a level.
//!
//! What expects text takes the variable as it is; everything else is read as YAML, so lists and maps work too.
//! Names below a map with free keys, such as a channel's id, are taken as they are written.

use super::error::{Problem, nearest};
use super::schema::{Schema, View};
use super::tree::{self, Node, Origin, Tree, Value};
use super::walk::unknown_key;
use std::collections::BTreeMap;

const PREFIX: &str = "PODOCTOR_";

/// Variables of that prefix that are no settings.
const RESERVED: [&str; 1] = [super::CONFIG_VARIABLE];

/// Lays the variables over `tree`. A shorter name comes first, so that `PODOCTOR_SLACK` does not undo
/// `PODOCTOR_SLACK__MODE`. Empty variables count as not set.
pub fn overlay(tree: &mut Tree, variables: &BTreeMap<String, String>, schema: &Schema, problems: &mut Vec<Problem>) {
    let known = known_variables(schema.view(), PREFIX.trim_end_matches('_'), "_");
    for (name, text) in variables {
        let Some(rest) = name.strip_prefix(PREFIX) else { continue };
        if text.is_empty() || RESERVED.contains(&name.as_str()) {
            continue;
        }
        match find(schema.view(), rest) {
            Ok((path, view)) => match value(view, name, text) {
                Ok(node) => set(&mut tree.root, &path, node),
                Err(what) => problems.push(Problem::new(name, path.join("."), what)),
            },
            // Other people's variables may begin like ours, and Kubernetes makes some for a Service called `podoctor`;
            // one without two underscores is ours only if it is nearly one of ours.
            Err(_) if !rest.contains("__") && is_service_link(rest) => {}
            Err(unknown) => {
                let near = nearest_variable(name, &known);
                if let Some(near) = near {
                    problems.push(Problem::new(name, "", format!("unknown setting; did you mean `{near}`?")));
                } else if rest.contains("__") {
                    problems.push(Problem::new(name, unknown.path, unknown.what));
                }
            }
        }
    }
}

struct Unknown {
    path: String,
    what: String,
}

fn find<'s>(mut view: View<'s>, name: &str) -> Result<(Vec<String>, View<'s>), Unknown> {
    let mut path: Vec<String> = Vec::new();
    for part in name.split("__") {
        let key = part.to_lowercase();
        let sections = view.alternatives();
        if let Some(next) = sections.iter().find_map(|view| view.key(&key)) {
            path.push(key);
            view = next;
        } else if let Some(next) = sections.iter().find_map(|view| view.free_keys()) {
            path.push(part.to_owned());
            view = next;
        } else {
            let known: Vec<_> = sections.iter().flat_map(|view| view.keys()).collect();
            let section = path.join(".");
            let what = if known.is_empty() {
                format!("`{section}` has no keys below it; its whole value goes into one variable, as YAML")
            } else {
                unknown_key(&key, &known)
            };
            path.push(key);
            return Err(Unknown { path: path.join("."), what });
        }
    }
    Ok((path, view))
}

fn value(view: View<'_>, name: &str, text: &str) -> Result<Node, String> {
    if view.alternatives().iter().all(|view| view.is("string")) {
        return Ok(Node { origin: Origin::Variable(name.to_owned()), value: Value::Text(text.to_owned()) });
    }
    tree::read_variable(name, text)
}

fn set(node: &mut Node, path: &[String], value: Node) {
    let Some((key, rest)) = path.split_first() else {
        *node = value;
        return;
    };
    if !matches!(node.value, Value::Map(_)) {
        node.value = Value::Map(Vec::new());
    }
    let Value::Map(entries) = &mut node.value else { return };
    let at = entries.iter().position(|(name, _)| name == key).unwrap_or_else(|| {
        entries.push((key.clone(), Node { origin: value.origin.clone(), value: Value::Null }));
        entries.len() - 1
    });
    set(&mut entries[at].1, rest, value);
}

/// Tells whether this is what Kubernetes sets in every container for a Service whose name begins with `podoctor`.
fn is_service_link(rest: &str) -> bool {
    let rest = format!("_{rest}");
    let tail = |word: &str| rest.rfind(word).map(|at| &rest[at + word.len()..]);
    tail("_SERVICE_HOST").is_some_and(str::is_empty)
        || tail("_SERVICE_PORT").is_some_and(|tail| tail.is_empty() || tail.starts_with('_'))
        || tail("_PORT").is_some_and(|tail| tail.is_empty() || tail.starts_with('_'))
}

/// Returns the variable that this one was probably meant to be: above all the one with the underscores right.
fn nearest_variable<'a>(name: &str, known: &'a [String]) -> Option<&'a str> {
    let plain = |name: &str| name.replace("__", "_").to_uppercase();
    if let Some(same) = known.iter().find(|candidate| plain(candidate) == plain(name)) {
        return Some(same);
    }
    let candidate = nearest(&name[PREFIX.len()..], known.iter().map(|known| &known[PREFIX.len()..]))?;
    let near = strsim::jaro_winkler(candidate, &name[PREFIX.len()..].to_uppercase()) >= 0.9;
    near.then(|| known.iter().find(|known| known[PREFIX.len()..] == *candidate)).flatten().map(String::as_str)
}

fn known_variables(view: View<'_>, prefix: &str, separator: &str) -> Vec<String> {
    let mut names = Vec::new();
    for section in view.alternatives() {
        for key in section.keys() {
            let name = format!("{prefix}{separator}{}", key.to_uppercase());
            if let Some(next) = section.key(key) {
                names.extend(known_variables(next, &name, "__"));
            }
            names.push(name);
        }
    }
    names
}
