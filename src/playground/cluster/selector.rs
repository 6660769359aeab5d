//! Label and field selectors of list and watch requests.

use super::kinds::Kind;
use super::refusal::Refusal;
use serde_json::Value;

/// What a list or watch is narrowed to. An empty selector takes everything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selector {
    labels: Vec<Requirement>,
    fields: Vec<(String, bool, String)>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Requirement {
    In(String, Vec<String>),
    NotIn(String, Vec<String>),
    Exists(String),
    Absent(String),
}

impl Selector {
    /// Reads both selectors of a request.
    ///
    /// A field that the kind cannot be selected by is refused, as the API server does: silently ignoring it would
    /// return far too much.
    pub fn parse(kind: &Kind, labels: &str, fields: &str) -> Result<Selector, Refusal> {
        let mut selector = Selector { labels: parse_labels(labels)?, fields: Vec::new() };
        for term in fields.split(',').map(str::trim).filter(|term| !term.is_empty()) {
            let (field, equal, value) = if let Some((field, value)) = term.split_once("!=") {
                (field, false, value)
            } else if let Some((field, value)) = term.split_once("==").or_else(|| term.split_once('=')) {
                (field, true, value)
            } else {
                return Err(Refusal::bad_request(format!("invalid field selector: \"{term}\"")));
            };
            if !selectable(kind).contains(&field) && !["metadata.name", "metadata.namespace"].contains(&field) {
                return Err(Refusal::bad_request(format!(
                    "Unable to find \"{}, Resource={}\" that match label selector \"{labels}\", field selector \
                     \"{fields}\": field label not supported: {field}",
                    kind.api_version(),
                    kind.plural,
                )));
            }
            selector.fields.push((field.to_owned(), equal, value.to_owned()));
        }
        Ok(selector)
    }

    pub fn is_empty(&self) -> bool {
        self.labels.is_empty() && self.fields.is_empty()
    }

    pub fn matches(&self, object: &Value) -> bool {
        let labels = &object["metadata"]["labels"];
        self.labels.iter().all(|requirement| requirement.matches(labels))
            && self.fields.iter().all(|(field, equal, value)| (field_of(object, field) == *value) == *equal)
    }
}

/// Returns whether a `LabelSelector` object (matchLabels, matchExpressions) takes these labels.
pub fn label_selector_matches(selector: &Value, labels: &Value) -> bool {
    let wanted = selector["matchLabels"].as_object();
    let equal = wanted.is_none_or(|wanted| wanted.iter().all(|(key, value)| labels[key] == *value));
    let expressions = selector["matchExpressions"].as_array();
    equal
        && expressions.is_none_or(|expressions| {
            expressions.iter().all(|expression| {
                let key = expression["key"].as_str().unwrap_or_default().to_owned();
                let values = expression["values"].as_array().into_iter().flatten();
                let values = values.filter_map(Value::as_str).map(str::to_owned).collect();
                match expression["operator"].as_str() {
                    Some("In") => Requirement::In(key, values),
                    Some("NotIn") => Requirement::NotIn(key, values),
                    Some("DoesNotExist") => Requirement::Absent(key),
                    _ => Requirement::Exists(key),
                }
                .matches(labels)
            })
        })
}

impl Requirement {
    fn matches(&self, labels: &Value) -> bool {
        let has = |key: &String, values: &[String]| {
            labels[key].as_str().is_some_and(|label| values.iter().any(|value| value == label))
        };
        match self {
            Requirement::In(key, values) => has(key, values),
            Requirement::NotIn(key, values) => !has(key, values),
            Requirement::Exists(key) => labels[key].is_string(),
            Requirement::Absent(key) => !labels[key].is_string(),
        }
    }
}

fn parse_labels(text: &str) -> Result<Vec<Requirement>, Refusal> {
    let mut requirements = Vec::new();
    for term in split_outside_brackets(text) {
        let term = term.trim();
        if term.is_empty() {
            continue;
        }
        requirements.push(parse_requirement(term).ok_or_else(|| {
            Refusal::bad_request(format!("unable to parse requirement: found '{term}', expected: a label requirement"))
        })?);
    }
    Ok(requirements)
}

fn parse_requirement(term: &str) -> Option<Requirement> {
    let set = |rest: &str| -> Option<Vec<String>> {
        let inner = rest.trim().strip_prefix('(')?.strip_suffix(')')?;
        Some(inner.split(',').map(|value| value.trim().to_owned()).collect())
    };
    if let Some((key, rest)) = term.split_once(" notin ") {
        return Some(Requirement::NotIn(key.trim().to_owned(), set(rest)?));
    }
    if let Some((key, rest)) = term.split_once(" in ") {
        return Some(Requirement::In(key.trim().to_owned(), set(rest)?));
    }
    if let Some((key, value)) = term.split_once("!=") {
        return Some(Requirement::NotIn(key.trim().to_owned(), vec![value.trim().to_owned()]));
    }
    if let Some((key, value)) = term.split_once("==").or_else(|| term.split_once('=')) {
        return Some(Requirement::In(key.trim().to_owned(), vec![value.trim().to_owned()]));
    }
    if term.contains(char::is_whitespace) {
        return None;
    }
    Some(match term.strip_prefix('!') {
        Some(key) => Requirement::Absent(key.to_owned()),
        None => Requirement::Exists(term.to_owned()),
    })
}

fn split_outside_brackets(text: &str) -> Vec<&str> {
    let (mut parts, mut depth, mut start) = (Vec::new(), 0_usize, 0);
    for (i, c) in text.char_indices() {
        match c {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                parts.push(&text[start..i]);
                start = i + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    parts
}

/// The fields that a kind can be selected by, beside its name and namespace.
fn selectable(kind: &Kind) -> &'static [&'static str] {
    match kind.kind {
        "Pod" => &[
            "spec.nodeName",
            "spec.restartPolicy",
            "spec.schedulerName",
            "spec.serviceAccountName",
            "spec.hostNetwork",
            "status.phase",
            "status.podIP",
            "status.nominatedNodeName",
        ],
        "Event" => &[
            "involvedObject.kind",
            "involvedObject.namespace",
            "involvedObject.name",
            "involvedObject.uid",
            "involvedObject.apiVersion",
            "involvedObject.resourceVersion",
            "involvedObject.fieldPath",
            "reason",
            "reportingComponent",
            "source",
            "type",
        ],
        "Node" => &["spec.unschedulable"],
        "Namespace" => &["status.phase"],
        "ReplicaSet" => &["status.replicas"],
        "Job" => &["status.successful"],
        _ => &[],
    }
}

fn field_of(object: &Value, field: &str) -> String {
    if field == "source" {
        let component = object["source"]["component"].as_str();
        return component.or(object["reportingComponent"].as_str()).unwrap_or_default().to_owned();
    }
    let value = field.split('.').fold(object, |value, part| &value[part]);
    match value {
        Value::String(text) => text.clone(),
        Value::Null if field == "spec.unschedulable" || field == "spec.hostNetwork" => "false".into(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn pods() -> &'static Kind {
        Kind::by_name("Pod").unwrap()
    }

    #[test]
    fn labels_in_every_form() {
        let pod = json!({"metadata": {"labels": {"app": "manage", "tier": "web"}}});
        for (text, expected) in [
            ("", true),
            ("app=manage", true),
            ("app==manage,tier=web", true),
            ("app!=manage", false),
            ("app in (shop, manage),tier", true),
            ("app notin (shop,manage)", false),
            ("!canary", true),
            ("canary", false),
            ("other!=x", true),
        ] {
            assert_eq!(Selector::parse(pods(), text, "").unwrap().matches(&pod), expected, "{text}");
        }
        assert!(Selector::parse(pods(), "a b", "").is_err());
    }

    #[test]
    fn fields_that_can_be_selected_and_one_that_cannot() {
        let pod = json!({"metadata": {"name": "a"}, "spec": {"nodeName": "n1"}, "status": {"phase": "Running"}});
        let matches = |text: &str| Selector::parse(pods(), "", text).unwrap().matches(&pod);
        assert!(matches("spec.nodeName=n1,status.phase!=Failed,metadata.name==a"));
        assert!(!matches("spec.nodeName="));
        let refused = Selector::parse(pods(), "", "spec.priority=1").unwrap_err().status();
        assert_eq!(refused["code"], 400);
        assert!(refused["message"].as_str().unwrap().ends_with("field label not supported: spec.priority"));
    }
}
