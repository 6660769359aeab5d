//! The recorded world: reads `recorded/*.yaml` and completes it to whole objects, as the cluster's parts would have.
//!
//! A document is a Kubernetes object. What is told of it beside the object stands under `recorded`, and never reaches the
//! API: the pods of a workload with how far each has come, events, logs, and what would cure a failure. Times are
//! relative to the start: `T-5m` as a whole value, `{T-5m}` within a text; `{name}`, `{uid}` and `{ip}` there are the pod's own.

mod expand;
mod placeholders;

pub use placeholders::own;

use super::kinds::Kind;
use super::story::Story;
use super::world::World;
use jiff::Timestamp;
use serde_json::Value;
use thiserror::Error;

/// The files, in the order they are read: what others refer to goes first.
const FILES: &[(&str, &str)] = &[
    ("cluster.yaml", include_str!("../recorded/cluster.yaml")),
    ("prod.yaml", include_str!("../recorded/prod.yaml")),
    ("shop.yaml", include_str!("../recorded/shop.yaml")),
    ("data.yaml", include_str!("../recorded/data.yaml")),
    ("batch.yaml", include_str!("../recorded/batch.yaml")),
    ("team-a.yaml", include_str!("../recorded/team-a.yaml")),
];

/// A fault in the recorded data.
#[derive(Debug, Error)]
pub enum Fault {
    #[error("{file}: {message}")]
    Yaml { file: String, message: String },
    #[error("{file}: {object}: {message}")]
    Object { file: String, object: String, message: String },
}

/// Fills a world with the recorded objects and returns the stories of what fails in it.
///
/// # Errors
/// A fault in the data, which ships with the program: a test reads all of it.
pub fn load(world: &mut World, start: Timestamp) -> Result<Vec<Story>, Fault> {
    let mut stories = Vec::new();
    for (file, text) in FILES {
        stories.extend(load_text(world, start, file, text)?);
    }
    expand::settle(world, start);
    Ok(stories)
}

/// Adds the objects of one text.
fn load_text(world: &mut World, start: Timestamp, file: &str, text: &str) -> Result<Vec<Story>, Fault> {
    let documents: Vec<Value> = serde_saphyr::from_multiple(text)
        .map_err(|error| Fault::Yaml { file: file.to_owned(), message: error.to_string() })?;
    let mut stories = Vec::new();
    for document in documents.into_iter().filter(|document| !document.is_null()) {
        let object = format!("{} {}", document["kind"], document["metadata"]["name"]);
        let fault = |message: &str| Fault::Object {
            file: file.to_owned(),
            object: object.clone(),
            message: message.to_owned(),
        };
        let (api_version, kind) = (document["apiVersion"].as_str(), document["kind"].as_str());
        let kind = Kind::by_object(api_version.unwrap_or_default(), kind.unwrap_or_default());
        let kind = kind.ok_or_else(|| fault("its kind is not served"))?;
        let document = placeholders::times(document, start).map_err(|time| fault(&format!("{time} is no time")))?;
        stories.extend(expand::document(world, kind, document, start).map_err(|message| fault(&message))?);
    }
    Ok(stories)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::playground::cluster::workloads::text;

    fn loaded() -> (World, Vec<Story>) {
        let mut world = World::new();
        let stories = load(&mut world, "2026-11-24T10:00:00Z".parse().unwrap()).unwrap();
        (world, stories)
    }

    #[test]
    fn all_of_it_is_read_and_nothing_of_ours_reaches_the_api() {
        let (world, stories) = loaded();
        assert!(stories.len() >= 12, "{}", stories.len());
        for (key, object) in world.everything() {
            let written = object.to_string();
            for left in ["\"recorded\"", "{name}", "{uid}", "{ip}", "{T", "\"T-", "\"T+"] {
                assert!(!written.contains(left), "{left} in {key:?}");
            }
            assert!(
                object["metadata"]["uid"].is_string() && object["metadata"]["creationTimestamp"].is_string(),
                "{key:?}"
            );
        }
    }

    #[test]
    fn every_pod_is_owned_by_what_is_there() {
        let (world, _) = loaded();
        for pod in world.all("Pod") {
            for owner in pod["metadata"]["ownerReferences"].as_array().into_iter().flatten() {
                let found = world.find(text(&owner["kind"]), text(&pod["metadata"]["namespace"]), text(&owner["name"]));
                assert_eq!(found.unwrap()["metadata"]["uid"], owner["uid"], "{}", pod["metadata"]["name"]);
            }
        }
    }

    #[test]
    fn the_reasons_for_having_no_node_are_the_scheduler_s() {
        let (world, _) = loaded();
        let message = |namespace: &str, name: &str| {
            let pod = world.find("Pod", namespace, name).unwrap();
            text(&pod["status"]["conditions"][0]["message"]).to_owned()
        };
        assert_eq!(
            message("data", "warehouse-6f9c7b8d54-m2gk8"),
            "0/7 nodes are available: 1 node(s) were unschedulable, 3 Insufficient memory, 3 node(s) had untolerated \
             taint(s). no new claims to deallocate, preemption: 0/7 nodes are available: 7 Preemption is not helpful \
             for scheduling."
        );
        assert_eq!(
            message("batch", "train-7b6d9f5c8c-hk5vz"),
            "0/7 nodes are available: 1 node(s) were unschedulable, 3 node(s) didn't match Pod's node \
             affinity/selector, 3 node(s) had untolerated taint(s). no new claims to deallocate, preemption: 0/7 nodes \
             are available: 7 Preemption is not helpful for scheduling."
        );
        assert_eq!(
            message("data", "metrics-0"),
            "0/7 nodes are available: pod has unbound immediate PersistentVolumeClaims. not found"
        );
    }
}
