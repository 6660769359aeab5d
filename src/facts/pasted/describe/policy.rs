//! Describe of what bounds a namespace: ResourceQuota and LimitRange. Both are tables below two fields.

use super::super::table::columns;
use serde_json::{Map, Value, json};

/// Makes the quota of its lines.
pub fn quota(name: &str, namespace: &str, lines: &[String]) -> Value {
    let (mut used, mut hard) = (Map::new(), Map::new());
    for cells in rows(lines, "Resource") {
        if let [resource, in_use, most] = cells[..] {
            used.insert(resource.into(), in_use.into());
            hard.insert(resource.into(), most.into());
        }
    }
    json!({"kind": "ResourceQuota", "metadata": {"name": name, "namespace": namespace},
        "spec": {"hard": hard.clone()}, "status": {"hard": hard, "used": used}})
}

/// Makes the limit range of its lines: type, resource, min, max, default request, default limit, ratio.
pub fn limit_range(name: &str, namespace: &str, lines: &[String]) -> Value {
    let mut limits: Vec<Value> = Vec::new();
    for cells in rows(lines, "Type") {
        let [kind, resource, ref values @ ..] = cells[..] else { continue };
        let at = limits.iter().position(|limit| limit["type"] == kind).unwrap_or_else(|| {
            limits.push(json!({"type": kind}));
            limits.len() - 1
        });
        for (key, value) in ["min", "max", "defaultRequest", "default", "maxLimitRequestRatio"]
            .iter()
            .zip(values)
            .filter(|(_, v)| **v != "-")
        {
            limits[at][*key][resource] = (*value).into();
        }
    }
    json!({"kind": "LimitRange", "metadata": {"name": name, "namespace": namespace}, "spec": {"limits": limits}})
}

/// Returns the cells of the lines below the heading that begins with this word.
fn rows<'a>(lines: &'a [String], heading: &str) -> impl Iterator<Item = Vec<&'a str>> {
    lines
        .iter()
        .map(|line| columns(line))
        .skip_while(move |cells| cells.first() != Some(&heading))
        .skip(1)
        .filter(|cells| !cells.first().is_some_and(|cell| cell.starts_with("--")))
}
