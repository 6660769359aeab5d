//! The objects of the recorded cluster and the log of their changes: what etcd is to a real one.
//!
//! Every change gets the next resource version and stands in the log, from which watches read. The log is bounded; who
//! asks for what fell out of it is told that it expired, as a real API server does after a compaction.

use super::kinds::Kind;
use serde_json::Value;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// Changes kept for watches: at the playground's pace hours, and still little memory.
const LOG_LENGTH: usize = 8_000;
/// Versions start here, so that a made-up `1` is seen to be too old.
const FIRST_VERSION: u64 = 10_000;

/// Where an object is found. The order is that of lists: by namespace, then by name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    /// Group and plural: unique, and known at build time.
    resource: (&'static str, &'static str),
    pub namespace: String,
    pub name: String,
}

impl Key {
    pub fn new(kind: &'static Kind, namespace: &str, name: &str) -> Key {
        // The two event groups show the same objects.
        let group = if kind.kind == "Event" { "" } else { kind.group };
        let namespace = if kind.namespaced { namespace } else { "" };
        Key { resource: (group, kind.plural), namespace: namespace.to_owned(), name: name.to_owned() }
    }

    pub fn plural(&self) -> &'static str {
        self.resource.1
    }

    fn is(&self, kind: &Kind) -> bool {
        self.resource.1 == kind.plural && (self.resource.0 == kind.group || kind.kind == "Event")
    }
}

/// One change. An object that appeared has no `before`, one that went has no `after`.
#[derive(Debug, Clone)]
pub struct Change {
    pub version: u64,
    pub key: Key,
    pub before: Option<Arc<Value>>,
    pub after: Option<Arc<Value>>,
}

impl Change {
    pub fn touches(&self, kind: &Kind, namespace: Option<&str>) -> bool {
        self.key.is(kind) && namespace.is_none_or(|namespace| self.key.namespace == namespace)
    }
}

/// All objects, the newest version, the log of changes, and what containers have written.
#[derive(Debug, Default)]
pub struct World {
    objects: BTreeMap<Key, Arc<Value>>,
    log: VecDeque<Change>,
    version: u64,
    /// Changes up to this version are no longer in the log.
    forgotten: u64,
    /// By namespace, pod and `container` or `container.previous`.
    pub logs: BTreeMap<(String, String, String), String>,
}

impl World {
    pub fn new() -> World {
        World { version: FIRST_VERSION, forgotten: FIRST_VERSION, ..World::default() }
    }

    pub fn version(&self) -> u64 {
        self.version
    }

    pub fn get(&self, key: &Key) -> Option<&Arc<Value>> {
        self.objects.get(key)
    }

    /// Returns an object by kind and place.
    pub fn find(&self, kind: &str, namespace: &str, name: &str) -> Option<&Arc<Value>> {
        let kind = Kind::by_name(kind)?;
        self.objects.get(&Key::new(kind, namespace, name))
    }

    /// Returns the objects of a kind, in the order of lists.
    pub fn list(&self, kind: &'static Kind, namespace: Option<&str>) -> impl Iterator<Item = (&Key, &Arc<Value>)> {
        let first = Key::new(kind, namespace.unwrap_or_default(), "");
        let namespace = namespace.map(str::to_owned);
        self.objects.range(first..).take_while(move |(key, _)| {
            key.is(kind) && namespace.as_deref().is_none_or(|namespace| key.namespace == namespace)
        })
    }

    /// Returns the objects of a kind in all namespaces, by the kind's bare name.
    pub fn all(&self, kind: &str) -> Vec<Arc<Value>> {
        Kind::by_name(kind).map_or_else(Vec::new, |kind| self.list(kind, None).map(|(_, o)| o.clone()).collect())
    }

    pub fn everything(&self) -> impl Iterator<Item = (&Key, &Arc<Value>)> {
        self.objects.iter()
    }

    /// Stores an object under a new resource version. Nothing happens where nothing but the version would change.
    pub fn put(&mut self, key: Key, mut object: Value) -> Arc<Value> {
        let before = self.objects.get(&key).cloned();
        if let Some(before) = &before {
            object["metadata"]["resourceVersion"] = before["metadata"]["resourceVersion"].clone();
            if **before == object {
                return before.clone();
            }
        }
        self.version += 1;
        object["metadata"]["resourceVersion"] = self.version.to_string().into();
        let after = Arc::new(object);
        self.objects.insert(key.clone(), after.clone());
        self.remember(key, before, Some(after.clone()));
        after
    }

    /// Removes an object; its last form in the log carries the version of the removal.
    pub fn remove(&mut self, key: &Key) -> Option<Arc<Value>> {
        let before = self.objects.remove(key)?;
        self.version += 1;
        if key.plural() == "pods" {
            self.logs.retain(|(namespace, pod, _), _| (namespace, pod) != (&key.namespace, &key.name));
        }
        self.remember(key.clone(), Some(before.clone()), None);
        Some(before)
    }

    /// Returns the changes after a version, or `None` where they are no longer known.
    pub fn changes_since(&self, version: u64) -> Option<impl Iterator<Item = &Change>> {
        if version < self.forgotten {
            return None;
        }
        let from = self.log.partition_point(|change| change.version <= version);
        Some(self.log.range(from..))
    }

    /// Forgets the changes so far, as a compaction does.
    pub fn compact(&mut self) {
        self.forgotten = self.version;
        self.log.clear();
    }

    fn remember(&mut self, key: Key, before: Option<Arc<Value>>, after: Option<Arc<Value>>) {
        self.log.push_back(Change { version: self.version, key, before, after });
        while self.log.len() > LOG_LENGTH {
            if let Some(change) = self.log.pop_front() {
                self.forgotten = change.version;
            }
        }
    }
}

/// Returns the key of an object by what it says of itself.
pub fn key_of(object: &Value) -> Option<Key> {
    let kind = Kind::by_object(object["apiVersion"].as_str()?, object["kind"].as_str()?)?;
    let metadata = &object["metadata"];
    Some(Key::new(kind, metadata["namespace"].as_str().unwrap_or_default(), metadata["name"].as_str()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn pod(name: &str, phase: &str) -> (Key, Value) {
        let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": "prod"},
            "status": {"phase": phase}});
        (key_of(&pod).unwrap(), pod)
    }

    #[test]
    fn a_change_gets_the_next_version_and_none_changes_nothing() {
        let mut world = World::new();
        let (key, object) = pod("a", "Pending");
        let first = world.put(key.clone(), object.clone());
        let again = world.put(key.clone(), object);
        assert_eq!(first["metadata"]["resourceVersion"], again["metadata"]["resourceVersion"]);
        world.put(key.clone(), pod("a", "Running").1);
        world.remove(&key);
        let seen: Vec<_> =
            world.changes_since(10_000).unwrap().map(|c| (c.before.is_some(), c.after.is_some())).collect();
        assert_eq!(seen, [(false, true), (true, true), (true, false)]);
    }

    #[test]
    fn what_fell_out_of_the_log_is_told_from_what_never_was() {
        let mut world = World::new();
        world.put(pod("a", "Pending").0, pod("a", "Pending").1);
        assert!(world.changes_since(9_999).is_none());
        world.compact();
        assert!(world.changes_since(10_000).is_none());
        assert_eq!(world.changes_since(world.version()).unwrap().count(), 0);
    }

    #[test]
    fn a_list_holds_one_kind_and_one_namespace() {
        let mut world = World::new();
        for name in ["b", "a"] {
            let (key, object) = pod(name, "Running");
            world.put(key, object);
        }
        let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "prod"}});
        world.put(key_of(&namespace).unwrap(), namespace);
        let pods = Kind::by_name("Pod").unwrap();
        let names: Vec<_> = world.list(pods, Some("prod")).map(|(key, _)| key.name.as_str()).collect();
        assert_eq!(names, ["a", "b"]);
        assert_eq!(world.list(pods, Some("pro")).count(), 0);
        assert_eq!(world.list(pods, None).count(), 2);
    }
}
