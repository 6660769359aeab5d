//! What the server says about itself: version, groups and resources, as clients ask for before anything else.

use super::kinds::{KINDS, Kind};
use serde_json::{Value, json};

/// The version that the recorded objects are true to.
pub const GIT_VERSION: &str = "v1.35.4";

pub fn version() -> Value {
    json!({
        "major": "1", "minor": "35", "emulationMajor": "1", "emulationMinor": "35",
        "minCompatibilityMajor": "1", "minCompatibilityMinor": "34",
        "gitVersion": GIT_VERSION, "gitCommit": "recorded", "gitTreeState": "clean",
        "buildDate": "2026-04-15T00:00:00Z", "goVersion": "go1.25.8", "compiler": "gc", "platform": "linux/amd64",
    })
}

pub fn core_versions() -> Value {
    json!({"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []})
}

pub fn groups() -> Value {
    json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": group_names().map(group_entry).collect::<Vec<_>>()})
}

/// Returns one group, or `None` where it is not served.
pub fn group(name: &str) -> Option<Value> {
    group_names().any(|group| group == name).then(|| {
        let mut group = group_entry(name);
        group["kind"] = "APIGroup".into();
        group["apiVersion"] = "v1".into();
        group
    })
}

/// Returns the resources of one group and version, or `None` where it is not served.
pub fn resources(group: &str, version: &str) -> Option<Value> {
    let reviews = REVIEWS.iter().filter(|review| review.0 == group).map(|(_, plural, kind)| {
        json!({"name": plural, "singularName": plural.trim_end_matches('s'), "namespaced": false, "kind": kind,
            "verbs": ["create"]})
    });
    let kinds = KINDS.iter().filter(|kind| kind.group == group && kind.version == version);
    let resources: Vec<Value> = kinds.flat_map(entries).chain(reviews).collect();
    let group_version = if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") };
    (!resources.is_empty() && version == "v1").then(|| {
        json!({"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group_version, "resources": resources})
    })
}

/// Group, plural and kind of what is only ever created, to be answered at once.
pub const REVIEWS: &[(&str, &str, &str)] = &[
    ("authentication.k8s.io", "selfsubjectreviews", "SelfSubjectReview"),
    ("authorization.k8s.io", "localsubjectaccessreviews", "LocalSubjectAccessReview"),
    ("authorization.k8s.io", "selfsubjectaccessreviews", "SelfSubjectAccessReview"),
    ("authorization.k8s.io", "subjectaccessreviews", "SubjectAccessReview"),
];

fn group_names() -> impl Iterator<Item = &'static str> {
    let mut names: Vec<_> = KINDS.iter().map(|kind| kind.group).chain(REVIEWS.iter().map(|review| review.0)).collect();
    names.retain(|name| !name.is_empty());
    names.sort_unstable();
    names.dedup();
    names.into_iter()
}

fn group_entry(name: &str) -> Value {
    let version = json!({"groupVersion": format!("{name}/v1"), "version": "v1"});
    json!({"name": name, "versions": [version], "preferredVersion": version})
}

fn entries(kind: &'static Kind) -> Vec<Value> {
    let verbs = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"];
    let entry = json!({
        "name": kind.plural, "singularName": kind.kind.to_lowercase(), "namespaced": kind.namespaced,
        "kind": kind.kind, "verbs": verbs, "shortNames": kind.short_names,
        "categories": if matches!(kind.kind, "Pod" | "Service" | "Job" | "CronJob") || kind.group == "apps" {
            json!(["all"])
        } else {
            json!([])
        },
    });
    let part = |name: &str, kind_name: &str, verbs: &[&str]| {
        json!({"name": format!("{}/{name}", kind.plural), "singularName": "", "namespaced": kind.namespaced,
            "kind": kind_name, "verbs": verbs})
    };
    let mut entries = vec![entry];
    if kind.kind == "Pod" {
        let mut eviction = part("eviction", "Eviction", &["create"]);
        eviction["group"] = "policy".into();
        eviction["version"] = "v1".into();
        entries.push(eviction);
        entries.push(part("log", "Pod", &["get"]));
    }
    if matches!(kind.kind, "Pod" | "Node" | "Namespace" | "Job") || kind.group == "apps" {
        entries.push(part("status", kind.kind, &["get", "patch", "update"]));
    }
    entries
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_group_can_be_discovered() {
        for group_entry in groups()["groups"].as_array().unwrap() {
            let name = group_entry["name"].as_str().unwrap();
            assert_eq!(group(name).unwrap()["name"], name);
            assert!(!resources(name, "v1").unwrap()["resources"].as_array().unwrap().is_empty(), "{name}");
        }
        let core = resources("", "v1").unwrap();
        let names: Vec<_> = core["resources"].as_array().unwrap().iter().filter_map(|r| r["name"].as_str()).collect();
        assert!(names.contains(&"pods/log") && names.contains(&"pods/eviction") && names.contains(&"namespaces"));
        assert!(resources("apps", "v1beta1").is_none() && group("nope").is_none());
    }
}
