//! The objects of one kind that were read, and how far the reading went.

use super::known::Known;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Namespace (empty for cluster objects) and name.
pub type Key = (String, String);

/// The objects of one kind, and what may be concluded from one that is not among them.
#[derive(Debug, Clone)]
pub struct Objects<T> {
    items: BTreeMap<Key, T>,
    read: Read,
}

/// How far the reading of a kind went.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Read {
    #[serde(default)]
    everywhere: bool,
    #[serde(default)]
    namespaces: BTreeSet<String>,
    #[serde(default)]
    names: BTreeSet<Key>,
}

impl<T> Default for Objects<T> {
    fn default() -> Self {
        Self { items: BTreeMap::new(), read: Read::default() }
    }
}

/// How far the reading of a kind went, whatever the kind.
pub trait Extent {
    /// Notes that every object of the kind was read.
    fn read_everywhere(&mut self);
    /// Notes that every object of the kind in a namespace was read.
    fn read_namespace(&mut self, namespace: &str);
    /// Notes that one object was asked for: if it is not here, it does not exist.
    fn read_name(&mut self, namespace: &str, name: &str);
    /// Returns how far the reading went.
    fn read(&self) -> &Read;
    /// Says how far the reading went, as a bundle kept it.
    fn set_read(&mut self, read: Read);
}

impl<T> Extent for Objects<T> {
    fn read_everywhere(&mut self) {
        self.read.everywhere = true;
    }

    fn read_namespace(&mut self, namespace: &str) {
        self.read.namespaces.insert(namespace.to_owned());
    }

    fn read_name(&mut self, namespace: &str, name: &str) {
        self.read.names.insert((namespace.to_owned(), name.to_owned()));
    }

    fn read(&self) -> &Read {
        &self.read
    }

    fn set_read(&mut self, read: Read) {
        self.read = read;
    }
}

impl<T> Objects<T> {
    /// Adds an object.
    pub fn insert(&mut self, namespace: &str, name: &str, object: T) {
        self.items.insert((namespace.to_owned(), name.to_owned()), object);
    }

    /// Returns the named object; `namespace` is empty for cluster objects.
    pub fn get(&self, namespace: &str, name: &str) -> Known<&T> {
        let key = (namespace.to_owned(), name.to_owned());
        match self.items.get(&key) {
            Some(object) => Known::Present(object),
            None if self.read.everywhere
                || self.read.namespaces.contains(namespace)
                || self.read.names.contains(&key) =>
            {
                Known::Absent
            }
            None => Known::Unreadable,
        }
    }

    /// Returns all objects of the kind, if all were read.
    pub fn all(&self) -> Known<Vec<&T>> {
        if self.read.everywhere { Known::Present(self.items.values().collect()) } else { Known::Unreadable }
    }

    /// Returns all objects of a namespace, if all of it were read.
    pub fn in_namespace(&self, namespace: &str) -> Known<Vec<&T>> {
        if self.read.everywhere || self.read.namespaces.contains(namespace) {
            Known::Present(self.seen_in(namespace).collect())
        } else {
            Known::Unreadable
        }
    }

    /// Returns the objects that happen to be here, in order. Nothing may be concluded from one that is not.
    pub fn seen(&self) -> impl Iterator<Item = &T> {
        self.items.values()
    }

    /// Returns the objects of a namespace that happen to be here, in order.
    pub fn seen_in(&self, namespace: &str) -> impl Iterator<Item = &T> {
        let namespace = namespace.to_owned();
        self.items
            .range((namespace.clone(), String::new())..)
            .take_while(move |((ns, _), _)| *ns == namespace)
            .map(|(_, object)| object)
    }

    /// Returns how many objects are here.
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Returns true where no object is here.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Returns true where nothing at all was read of this kind.
    pub fn is_unread(&self) -> bool {
        self.items.is_empty() && !self.read.everywhere && self.read.namespaces.is_empty() && self.read.names.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unread_is_not_absent() {
        let mut objects: Objects<u8> = Objects::default();
        assert!(objects.get("prod", "a").is_unreadable());
        objects.insert("prod", "b", 1);
        assert!(objects.get("prod", "a").is_unreadable(), "one read object says nothing about another");
        objects.read_name("prod", "a");
        assert!(objects.get("prod", "a").is_absent());
        objects.read_namespace("prod");
        assert!(objects.get("prod", "z").is_absent());
        assert!(objects.get("shop", "z").is_unreadable());
    }
}
