//! Keeps incidents, digests and silences in the store, each with the version that it was last seen in; and what is over,
//! for as long as the settings say.

use crate::settings::History;
use crate::store::{self, Kind, Record, Store, StoreError, Version};
use crate::watch::book::{Book, Touched};
use crate::watch::incident::{Digest, Incident, State};
use crate::watch::silence::Silence;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

pub struct Keeper<S> {
    store: S,
    versions: BTreeMap<(Kind, String), Version>,
    /// The ids of what is over, the oldest first; each begins with its time.
    past: BTreeSet<String>,
    /// What was told once.
    notices: BTreeMap<String, Notice>,
}

/// Something that is told once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    pub id: String,
    pub at: Timestamp,
}

impl<S: Store> Keeper<S> {
    /// Reads what is kept.
    pub async fn load(store: S) -> Result<(Self, Vec<Incident>, Vec<Digest>, Vec<Silence>), StoreError> {
        let mut versions = BTreeMap::new();
        let incidents = bodies(Kind::Incident, store::all(&store, Kind::Incident).await?, &mut versions);
        let digests = bodies(Kind::Digest, store::all(&store, Kind::Digest).await?, &mut versions);
        let silences = bodies(Kind::Silence, store::all(&store, Kind::Silence).await?, &mut versions);
        let notices: Vec<Notice> = bodies(Kind::Notice, store::all(&store, Kind::Notice).await?, &mut versions);
        let notices = notices.into_iter().map(|notice| (notice.id.clone(), notice)).collect();
        let past = store.ids(Kind::Past).await?.into_iter().collect();
        Ok((Self { store, versions, past, notices }, incidents, digests, silences))
    }

    /// Notes that something is told; false where it was told before.
    pub async fn tell_once(&mut self, id: &str, now: Timestamp) -> bool {
        if self.notices.contains_key(id) {
            return false;
        }
        let notice = Notice { id: id.to_owned(), at: now };
        self.put(Kind::Notice, id, &notice).await;
        self.notices.insert(id.to_owned(), notice);
        true
    }

    /// Returns true where something was told.
    pub fn was_told(&self, id: &str) -> bool {
        self.notices.contains_key(id)
    }

    /// Forgets what was told before a moment, of what begins so.
    pub async fn forget_notices(&mut self, beginning: &str, before: Timestamp) {
        let old = |notice: &&Notice| notice.id.starts_with(beginning) && notice.at < before;
        let old: Vec<String> = self.notices.values().filter(old).map(|notice| notice.id.clone()).collect();
        for id in old {
            self.may_be_told(&id).await;
        }
    }

    /// Forgets that something was told: it may be told again.
    pub async fn may_be_told(&mut self, id: &str) {
        if self.notices.remove(id).is_some() {
            self.remove(Kind::Notice, id).await;
        }
    }

    /// Returns the incidents that are over and forgotten otherwise, the oldest first.
    pub async fn past(&self) -> Vec<Incident> {
        match store::all(&self.store, Kind::Past).await {
            Ok(records) => records.into_iter().map(|record| record.body).collect(),
            Err(error) => {
                tracing::error!(%error, "the history cannot be read: {error}");
                Vec::new()
            }
        }
    }

    /// Takes out of the history what is too old, or too much.
    pub async fn prune(&mut self, history: History, now: Timestamp) {
        let oldest = now.checked_sub(history.keep_for.get()).unwrap_or(Timestamp::MIN);
        let oldest = past_id(oldest, "");
        let over = self.past.len().saturating_sub(history.at_most);
        let too_old = self.past.iter().enumerate().take_while(|(i, id)| *i < over || **id < oldest);
        for id in too_old.map(|(_, id)| id.clone()).collect::<Vec<_>>() {
            self.past.remove(&id);
            self.remove(Kind::Past, &id).await;
        }
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

    /// Takes out what is over. It goes into the history first: of a kill between the two nothing is lost.
    pub async fn forget(&mut self, incidents: &[Incident], digests: &[String]) {
        for incident in incidents {
            if let State::Resolved { at } = incident.state {
                let id = past_id(at, &incident.id);
                if self.past.insert(id.clone()) {
                    self.put(Kind::Past, &id, incident).await;
                }
            }
            self.remove(Kind::Incident, &incident.id).await;
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

/// Returns the id of something that is over: in order of time.
fn past_id(at: Timestamp, id: &str) -> String {
    format!("{:013x}-{id}", at.as_millisecond().max(0))
}

fn bodies<T>(kind: Kind, records: Vec<Record<T>>, versions: &mut BTreeMap<(Kind, String), Version>) -> Vec<T> {
    let known = |record: Record<T>| {
        versions.insert((kind, record.id), record.version);
        record.body
    };
    records.into_iter().map(known).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::HumanDuration;
    use crate::store::Embedded;
    use crate::watch::book::tests::incident;
    use crate::watch::incident::Subject;

    fn over(name: &str, at: &str) -> Incident {
        let subject = Subject::Workload { kind: "Deployment".into(), namespace: "prod".into(), name: name.into() };
        let state = State::Resolved { at: at.parse().expect("a time") };
        Incident { id: name.into(), state, ..incident(subject) }
    }

    #[tokio::test]
    async fn what_is_over_is_remembered_for_its_time_and_up_to_its_number() {
        let store = Embedded::in_memory().expect("a store");
        let (mut keeper, ..) = Keeper::load(store.clone()).await.expect("an empty store");
        let all =
            [over("b", "2026-05-02T00:00:00Z"), over("a", "2026-05-01T00:00:00Z"), over("c", "2026-05-03T00:00:00Z")];
        keeper.forget(&all, &[]).await;
        keeper.forget(&all, &[]).await;
        let names = async |keeper: &Keeper<Embedded>| -> Vec<String> {
            keeper.past().await.into_iter().map(|incident| incident.id).collect()
        };
        assert_eq!(names(&keeper).await, ["a", "b", "c"]);
        // Another life knows the same.
        let (mut keeper, ..) = Keeper::load(store).await.expect("the same store");
        let now = "2026-05-03T12:00:00Z".parse().expect("a time");
        let days = |days: u64| HumanDuration::minutes(days * 24 * 60);
        keeper.prune(History { keep_for: days(2), at_most: 9 }, now).await;
        assert_eq!(names(&keeper).await, ["b", "c"]);
        keeper.prune(History { keep_for: days(30), at_most: 1 }, now).await;
        assert_eq!(names(&keeper).await, ["c"]);
    }

    #[tokio::test]
    async fn something_is_told_once_also_by_another_life() {
        let store = Embedded::in_memory().expect("a store");
        let (mut keeper, ..) = Keeper::load(store.clone()).await.expect("an empty store");
        let now = "2026-05-03T12:00:00Z".parse().expect("a time");
        assert!(keeper.tell_once("closed-C1", now).await && !keeper.tell_once("closed-C1", now).await);
        let (mut keeper, ..) = Keeper::load(store).await.expect("the same store");
        assert!(!keeper.tell_once("closed-C1", now).await);
        keeper.may_be_told("closed-C1").await;
        assert!(keeper.tell_once("closed-C1", now).await);
    }
}
