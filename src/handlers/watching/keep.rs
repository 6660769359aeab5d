//! Keeps incidents, digests and silences in the store, each with the version that it was last seen in.

use crate::store::{self, Kind, Record, Store, StoreError, Version};
use crate::watch::book::{Book, Touched};
use crate::watch::incident::{Digest, Incident};
use crate::watch::silence::Silence;
use serde::Serialize;
use std::collections::BTreeMap;

pub struct Keeper<S> {
    store: S,
    versions: BTreeMap<(Kind, String), Version>,
}

impl<S: Store> Keeper<S> {
    /// Reads what is kept.
    pub async fn load(store: S) -> Result<(Self, Vec<Incident>, Vec<Digest>, Vec<Silence>), StoreError> {
        let mut versions = BTreeMap::new();
        let incidents = bodies(Kind::Incident, store::all(&store, Kind::Incident).await?, &mut versions);
        let digests = bodies(Kind::Digest, store::all(&store, Kind::Digest).await?, &mut versions);
        let silences = bodies(Kind::Silence, store::all(&store, Kind::Silence).await?, &mut versions);
        Ok((Self { store, versions }, incidents, digests, silences))
    }

    /// Keeps what was touched. What cannot be kept is logged, and told all the same: an alert that might come twice after
    /// a crash is better than none.
    pub async fn keep(&mut self, touched: &Touched, book: &Book) {
        for id in &touched.incidents {
            if let Some(incident) = book.incidents.get(id) {
                self.put(Kind::Incident, id, incident).await;
            }
        }
        for id in &touched.digests {
            if let Some(digest) = book.digests.get(id) {
                self.put(Kind::Digest, id, digest).await;
            }
        }
    }

    pub async fn keep_silence(&mut self, silence: &Silence) {
        self.put(Kind::Silence, &silence.id, silence).await;
    }

    pub async fn forget_silence(&mut self, id: &str) {
        self.remove(Kind::Silence, id).await;
    }

    pub async fn forget(&mut self, incidents: &[String], digests: &[String]) {
        for id in incidents {
            self.remove(Kind::Incident, id).await;
        }
        for id in digests {
            self.remove(Kind::Digest, id).await;
        }
    }

    async fn put<T: Serialize>(&mut self, kind: Kind, id: &str, value: &T) {
        let key = (kind, id.to_owned());
        let expected = self.versions.get(&key).copied().unwrap_or(0);
        match store::put(&self.store, kind, id, value, expected).await {
            Ok(version) => {
                self.versions.insert(key, version);
            }
            Err(error) => tracing::error!(kind = kind.name(), id, %error, "could not be kept: {error}"),
        }
    }

    async fn remove(&mut self, kind: Kind, id: &str) {
        self.versions.remove(&(kind, id.to_owned()));
        if let Err(error) = self.store.remove(kind, id).await {
            tracing::error!(kind = kind.name(), id, %error, "could not be removed: {error}");
        }
    }
}

fn bodies<T>(kind: Kind, records: Vec<Record<T>>, versions: &mut BTreeMap<(Kind, String), Version>) -> Vec<T> {
    let known = |record: Record<T>| {
        versions.insert((kind, record.id), record.version);
        record.body
    };
    records.into_iter().map(known).collect()
}
