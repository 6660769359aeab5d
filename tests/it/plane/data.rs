//! A cluster given as plain data, made ready for another cluster: other names, other uids, another time.
//!
//! Pure: text and a moment in, objects out.

use anyhow::{Context, bail};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// The cluster's own namespaces; they are the same in every cluster.
const OWN: [&str; 3] = ["kube-system", "kube-public", "kube-node-lease"];

/// In which order objects are created, so that what is referred to is there first.
const ORDER: [&str; 17] = [
    "Namespace",
    "CustomResourceDefinition",
    "Node",
    "StorageClass",
    "CSIDriver",
    "ServiceAccount",
    "ConfigMap",
    "Secret",
    "PersistentVolumeClaim",
    "PersistentVolume",
    "CronJob",
    "Job",
    "Deployment",
    "StatefulSet",
    "DaemonSet",
    "ReplicaSet",
    "Pod",
];

/// Of these names there is one a cluster, and a test's own must not be another test's.
const OF_THE_CLUSTER: [&str; 4] = ["Node", "CSINode", "PersistentVolume", "VolumeAttachment"];

/// Times that say nothing of when the data were taken, as they may lie ahead.
const AHEAD: [&str; 3] = ["deletionTimestamp", "notAfter", "expirationTimestamp"];

/// Fields of the type MicroTime, which insist on six digits.
const MICRO: [&str; 4] = ["renewTime", "acquireTime", "eventTime", "lastObservedTime"];

/// Reads every object of a text (YAML or JSON; single, several documents, lists), in the order to create them in.
///
/// # Errors
/// Fails when something in the text is no Kubernetes object.
pub fn parse(text: &str) -> anyhow::Result<Vec<Value>> {
    let documents: Vec<Value> = serde_saphyr::from_multiple(text).context("the cluster's data are no YAML")?;
    let mut objects = Vec::new();
    for document in documents {
        flatten(document, &mut objects)?;
    }
    objects.sort_by_key(|object| {
        let last = if object["kind"] == "Event" { ORDER.len() + 1 } else { ORDER.len() };
        ORDER.iter().position(|kind| object["kind"] == *kind).unwrap_or(last)
    });
    Ok(objects)
}

fn flatten(document: Value, objects: &mut Vec<Value>) -> anyhow::Result<()> {
    if document.is_null() {
        return Ok(());
    }
    let kind = document["kind"].as_str().unwrap_or_default().to_owned();
    if let (true, Some(items)) = (kind.ends_with("List"), document["items"].as_array()) {
        for item in items {
            let mut item = item.clone();
            // In a typed list the items may leave to it what they are.
            if item["kind"].is_null() {
                item["kind"] = kind.trim_end_matches("List").into();
                item["apiVersion"] = document["apiVersion"].clone();
            }
            flatten(item, objects)?;
        }
        return Ok(());
    }
    if kind.is_empty() || document["apiVersion"].is_null() {
        bail!("no Kubernetes object: {}", document.to_string().chars().take(200).collect::<String>());
    }
    objects.push(document);
    Ok(())
}

/// Returns the one namespace that the data are about; `None` = they name none.
///
/// # Errors
/// Fails when there are several, since one fresh namespace cannot stand for them all.
pub fn namespace(objects: &[Value]) -> anyhow::Result<Option<String>> {
    let mut found: BTreeSet<&str> = BTreeSet::new();
    for object in objects {
        let about_the_cluster = object["kind"] == "Event" && object["involvedObject"]["namespace"].is_null();
        if let (false, Some(namespace)) = (about_the_cluster, object["metadata"]["namespace"].as_str())
            && !OWN.contains(&namespace)
        {
            found.insert(namespace);
        }
    }
    let mut found = found.into_iter();
    match (found.next(), found.next()) {
        (Some(one), Some(other)) => bail!("the data are about {one} and {other}; give each to a namespace of its own"),
        (one, _) => Ok(one.map(str::to_owned)),
    }
}

/// Returns the names in the data of which a cluster has just one, and pods' nodes.
pub fn names_of_the_cluster(objects: &[Value]) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for object in objects {
        if OF_THE_CLUSTER.iter().any(|kind| object["kind"] == *kind) {
            names.extend(object["metadata"]["name"].as_str().map(str::to_owned));
        }
        if object["kind"] == "Pod" {
            names.extend(object["spec"]["nodeName"].as_str().map(str::to_owned));
        }
        if object["involvedObject"]["kind"] == "Node" {
            names.extend(object["involvedObject"]["name"].as_str().map(str::to_owned));
        }
    }
    names
}

/// Gives names of the cluster other ones, wherever they stand, and the namespace in every field that holds one.
///
/// In running text a name is replaced only where it cannot be an ordinary word, that is, with a digit, `-` or `.` in it.
pub fn rename(objects: &mut [Value], names: &BTreeMap<String, String>, namespace: Option<(&str, &str)>) {
    for object in objects {
        walk(object, "", &mut |key, text| {
            if let Some((old, new)) = namespace
                && key == "namespace"
                && text == old
            {
                *text = new.to_owned();
            }
            if ["image", "imageID", "kind", "apiVersion"].contains(&key) {
                return;
            }
            if let Some(new) = names.get(text.as_str()) {
                // A container may be called like a node; only an object's own name and its mentions are meant.
                if key != "name" || text.contains(|c: char| c.is_ascii_digit() || c == '.') {
                    *text = new.clone();
                }
                return;
            }
            for (old, new) in names {
                if old.contains(|c: char| c.is_ascii_digit() || c == '-' || c == '.') && text.contains(old.as_str()) {
                    *text = replace_word(text, old, new);
                }
            }
        });
        let kind = object["kind"].clone();
        let mut own = |place: &str| {
            if let Some(new) = object.pointer(place).and_then(Value::as_str).and_then(|old| names.get(old)) {
                let new = Value::from(new.as_str());
                *object.pointer_mut(place).expect("it was just read") = new;
            }
        };
        if OF_THE_CLUSTER.iter().any(|of_the_cluster| kind == *of_the_cluster) {
            own("/metadata/name");
        }
        if kind == "Event" {
            own("/involvedObject/name");
        }
        if kind == "Lease" {
            own("/metadata/name");
        }
        if let (Some((old, new)), "Namespace") = (namespace, kind.as_str().unwrap_or_default())
            && object["metadata"]["name"] == old
        {
            object["metadata"]["name"] = new.into();
        }
    }
}

/// Moves all times so that the newest becomes now, and writes out `now` and `now-18m`.
pub fn shift_times(objects: &mut [Value], now: Timestamp) -> anyhow::Result<()> {
    let mut newest: Option<Timestamp> = None;
    for object in objects.iter_mut() {
        walk(object, "", &mut |key, text| {
            if let (false, Some(time)) = (AHEAD.contains(&key), moment(text)) {
                newest = newest.max(Some(time));
            }
        });
    }
    let shift = newest.map_or(SignedDuration::ZERO, |newest| now.duration_since(newest));
    let mut wrong = None;
    for object in objects {
        walk(object, "", &mut |key, text| {
            let time = if let Some(time) = moment(text) {
                time + shift
            } else if let Some(offset) = text.strip_prefix("now") {
                match offset_of(offset) {
                    Some(offset) => now + offset,
                    None => return,
                }
            } else {
                // A time field that holds no time is a slip of whoever wrote the data.
                if key.ends_with("Timestamp") || key.ends_with("TransitionTime") || MICRO.contains(&key) {
                    wrong = Some(format!("{key}: {text} is neither a time nor now-DURATION"));
                }
                return;
            };
            *text = if MICRO.contains(&key) { format!("{time:.6}") } else { format!("{time:.0}") };
        });
    }
    wrong.map_or(Ok(()), |wrong| bail!(wrong))
}

/// Gives every uid in `uids` its new value, wherever it stands.
pub fn replace_uids(object: &mut Value, uids: &BTreeMap<String, String>) {
    walk(object, "", &mut |_, text| {
        if let Some(new) = uids.get(text.as_str()) {
            *text = new.clone();
        }
    });
}

/// Returns what a client may send when it creates the object: without what the server fills in.
pub fn creatable(object: &Value) -> Value {
    let mut object = object.clone();
    if let Some(metadata) = object["metadata"].as_object_mut() {
        for field in ["uid", "resourceVersion", "creationTimestamp", "generation", "managedFields", "selfLink"] {
            metadata.remove(field);
        }
        metadata.remove("deletionTimestamp");
        metadata.remove("deletionGracePeriodSeconds");
    }
    match object["kind"].as_str() {
        Some("Job") => {
            // The server writes the selector itself, from the uid that it gives.
            if let Some(spec) = object["spec"].as_object_mut()
                && spec.get("manualSelector") != Some(&Value::Bool(true))
            {
                spec.remove("selector");
                if let Some(labels) = spec["template"]["metadata"]["labels"].as_object_mut() {
                    labels.retain(|label, _| !label.ends_with("controller-uid"));
                }
            }
        }
        Some("Secret") if object["data"].is_null() => {
            let key = match object["type"].as_str() {
                Some("kubernetes.io/dockerconfigjson") => Some((".dockerconfigjson", "e30=")),
                Some("kubernetes.io/dockercfg") => Some((".dockercfg", "e30=")),
                _ => None,
            };
            if let Some((key, empty)) = key {
                object["data"] = json!({ key: empty });
            }
        }
        _ => {}
    }
    object
}

/// Returns the times in an object's metadata that only the server may set.
pub fn server_times(object: &Value) -> Value {
    let mut times = json!({});
    for field in ["creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds"] {
        if !object["metadata"][field].is_null() {
            times[field] = object["metadata"][field].clone();
        }
    }
    if !times["deletionTimestamp"].is_null() && times["deletionGracePeriodSeconds"].is_null() && object["kind"] == "Pod"
    {
        let own = &object["spec"]["terminationGracePeriodSeconds"];
        times["deletionGracePeriodSeconds"] = if own.is_null() { json!(30) } else { own.clone() };
    }
    times
}

/// Calls `change` for every string of a value, with the key it stands under.
fn walk(value: &mut Value, key: &str, change: &mut impl FnMut(&str, &mut String)) {
    match value {
        Value::String(text) => change(key, text),
        Value::Array(items) => items.iter_mut().for_each(|item| walk(item, key, change)),
        Value::Object(fields) => fields.iter_mut().for_each(|(key, value)| walk(value, key, change)),
        _ => {}
    }
}

/// Returns the time that a whole string is.
fn moment(text: &str) -> Option<Timestamp> {
    let shape = text.len() >= 20 && text.as_bytes()[10] == b'T' && text.as_bytes()[4] == b'-';
    if shape { text.parse().ok() } else { None }
}

/// Reads what follows `now`: nothing, `-18m`, `+30s`.
fn offset_of(text: &str) -> Option<SignedDuration> {
    if text.is_empty() {
        return Some(SignedDuration::ZERO);
    }
    let (sign, rest) = text.split_at_checked(1)?;
    let length: SignedDuration = rest.parse().ok()?;
    match sign {
        "-" => Some(-length),
        "+" => Some(length),
        _ => None,
    }
}

fn replace_word(text: &str, old: &str, new: &str) -> String {
    let part_of_word = |c: char| c.is_ascii_alphanumeric() || c == '-';
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(old) {
        let (before, after) = (&rest[..at], &rest[at + old.len()..]);
        let mut following = after.chars();
        // A full stop ends a sentence, unless the name goes on behind it.
        let goes_on = match following.next() {
            Some('.') => following.next().is_some_and(part_of_word),
            next => next.is_some_and(part_of_word),
        };
        let began = before.chars().next_back().is_some_and(|c| part_of_word(c) || c == '.')
            || (before.is_empty() && out.chars().next_back().is_some_and(part_of_word));
        out.push_str(before);
        out.push_str(if goes_on || began { old } else { new });
        rest = after;
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_and_documents_come_in_the_order_of_creation() {
        let text = "kind: List\napiVersion: v1\nitems:\n- {apiVersion: v1, kind: Event}\n- {apiVersion: v1, kind: Pod}\n\
                    ---\napiVersion: v1\nkind: NodeList\nitems: [{metadata: {name: a}}]\n---\n";
        let kinds: Vec<Value> = parse(text).unwrap().iter().map(|object| object["kind"].clone()).collect();
        assert_eq!(kinds, ["Node", "Pod", "Event"]);
        assert!(parse("just: words").is_err());
    }

    #[test]
    fn the_newest_time_becomes_now() {
        let now: Timestamp = "2030-01-01T00:00:00Z".parse().unwrap();
        let mut objects = [json!({
            "metadata": {"creationTimestamp": "2026-11-23T18:00:00Z", "deletionTimestamp": "2026-11-23T19:30:00Z"},
            "lastTimestamp": "2026-11-23T19:00:00Z", "eventTime": "2026-11-23T18:59:59.500000Z",
            "startTime": "now-18m", "message": "now or never",
        })];
        shift_times(&mut objects, now).unwrap();
        assert_eq!(
            objects[0],
            json!({
                "metadata": {"creationTimestamp": "2029-12-31T23:00:00Z", "deletionTimestamp": "2030-01-01T00:30:00Z"},
                "lastTimestamp": "2030-01-01T00:00:00Z", "eventTime": "2029-12-31T23:59:59.500000Z",
                "startTime": "2029-12-31T23:42:00Z", "message": "now or never",
            })
        );
        assert!(shift_times(&mut [json!({"lastTimestamp": "yesterday"})], now).is_err());
    }

    #[test]
    fn names_change_wherever_they_stand() {
        let mut objects = parse(
            "{apiVersion: v1, kind: Node, metadata: {name: a-1, labels: {kubernetes.io/hostname: a-1}}}\n---\n\
             {apiVersion: v1, kind: Pod, metadata: {name: web, namespace: shop}, spec: {nodeName: a-1, \
              containers: [{name: app, image: shop/a-1:1}]}}\n---\n\
             {apiVersion: v1, kind: Event, metadata: {name: e, namespace: shop}, involvedObject: {kind: Pod, \
              namespace: shop, name: web}, message: 'Successfully assigned shop/web to a-1. Not a-12, not a-1.b.'}",
        )
        .unwrap();
        assert_eq!(namespace(&objects).unwrap().as_deref(), Some("shop"));
        assert_eq!(names_of_the_cluster(&objects), BTreeSet::from(["a-1".to_owned()]));
        let names = BTreeMap::from([("a-1".to_owned(), "a-1-x7".to_owned())]);
        rename(&mut objects, &names, Some(("shop", "t-x7")));
        assert_eq!(objects[0]["metadata"]["name"], "a-1-x7");
        assert_eq!(objects[0]["metadata"]["labels"]["kubernetes.io/hostname"], "a-1-x7");
        assert_eq!(objects[1]["spec"]["nodeName"], "a-1-x7");
        assert_eq!(objects[1]["metadata"]["namespace"], "t-x7");
        assert_eq!(objects[1]["spec"]["containers"][0]["image"], "shop/a-1:1");
        assert_eq!(objects[2]["involvedObject"]["namespace"], "t-x7");
        assert_eq!(objects[2]["message"], "Successfully assigned shop/web to a-1-x7. Not a-12, not a-1.b.");
    }

    #[test]
    fn a_node_called_like_a_container_leaves_the_container_alone() {
        let mut objects = parse(
            "{apiVersion: v1, kind: Node, metadata: {name: worker}}\n---\n{apiVersion: v1, kind: Pod, \
             metadata: {name: p}, spec: {nodeName: worker, containers: [{name: worker}]}}",
        )
        .unwrap();
        rename(&mut objects, &BTreeMap::from([("worker".to_owned(), "worker-x1".to_owned())]), None);
        assert_eq!(objects[0]["metadata"]["name"], "worker-x1");
        assert_eq!(objects[1]["spec"]["nodeName"], "worker-x1");
        assert_eq!(objects[1]["spec"]["containers"][0]["name"], "worker");
    }

    #[test]
    fn several_namespaces_are_refused_but_for_the_clusters_own() {
        let event = json!({"kind": "Event", "metadata": {"namespace": "default"}, "involvedObject": {"kind": "Node"}});
        let pod = |namespace: &str| json!({"kind": "Pod", "metadata": {"namespace": namespace}});
        let lease = json!({"kind": "Lease", "metadata": {"namespace": "kube-node-lease"}});
        assert_eq!(namespace(&[event.clone(), pod("a"), lease]).unwrap().as_deref(), Some("a"));
        assert!(namespace(&[pod("b"), pod("a")]).is_err());
        assert_eq!(namespace(&[event]).unwrap(), None);
    }
}
