//! What people ask of the watch: reactions and buttons on alerts, silences, the history.

use super::Watching;
use crate::chat::front::Front;
use crate::store::Store;
use crate::watch::book::{Note, Touched};
use crate::watch::incident::{Address, Helped, Incident};
use crate::watch::silence::{self, Silence};
use jiff::{SignedDuration, Timestamp};
use tokio::sync::oneshot;

/// The beginning of the id of a silence that came by a reaction; the incident's follows.
const MUTED: &str = "mute-";
/// How long a reaction silences.
const MUTE: SignedDuration = SignedDuration::from_hours(2);

/// What a reaction or a button on an alert means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reaction {
    Acknowledge,
    Mute,
    Again,
}

/// What asking for a new diagnosis comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Again {
    /// It is under way, and said in the thread.
    Asked,
    /// None of its pods is in trouble any more.
    NothingIsWrong,
    /// The message tells no incident.
    NoAlert,
}

/// What a person asks of the watch.
pub enum Ask {
    React {
        message: Address,
        by: String,
        reaction: Reaction,
    },
    /// Asks for the incidents of a message to be diagnosed anew.
    Again {
        message: Address,
        done: oneshot::Sender<Again>,
    },
    Silence {
        silence: Silence,
        done: oneshot::Sender<()>,
    },
    /// Ends the silences of a target; tells how many there were.
    Unsilence {
        cluster: String,
        target: String,
        done: oneshot::Sender<usize>,
    },
    Silences {
        done: oneshot::Sender<Vec<Silence>>,
    },
    /// The incident that a message tells.
    Told {
        message: Address,
        done: oneshot::Sender<Option<Incident>>,
    },
    /// A remedy was carried out about the incidents of a message: their end will tell it.
    Helped {
        message: Address,
        helped: Helped,
    },
    /// What is open.
    Open {
        done: oneshot::Sender<Vec<Incident>>,
    },
    /// The incidents of a target, the newest first.
    History {
        cluster: String,
        target: String,
        done: oneshot::Sender<Vec<Incident>>,
    },
}

impl<F: Front + 'static, S: Store + 'static> Watching<F, S> {
    /// Does what a person asks. Who may was decided before. Whoever asked may be gone by the time it is done.
    pub(super) async fn asked(&mut self, ask: Ask, now: Timestamp) {
        match ask {
            Ask::React { message, by, reaction } => self.react(&message, &by, reaction, now).await,
            Ask::Again { message, done } => {
                let ids = self.told_in(&message);
                let mut asked = 0;
                for id in &ids {
                    asked += usize::from(self.again(id, now).await);
                }
                let _ = done.send(match (ids.is_empty(), asked) {
                    (true, _) => Again::NoAlert,
                    (false, 0) => Again::NothingIsWrong,
                    _ => Again::Asked,
                });
            }
            Ask::Silence { silence, done } => {
                self.keeper.keep_silence(&silence).await;
                self.silences.insert(silence.id.clone(), silence);
                let _ = done.send(());
            }
            Ask::Unsilence { cluster, target, done } => {
                let meant = |silence: &&Silence| silence.is_of(&cluster, &target);
                let ids: Vec<String> = self.silences.values().filter(meant).map(|s| s.id.clone()).collect();
                let mut touched = Touched::default();
                for id in &ids {
                    if let Some(incident) = id.strip_prefix(MUTED) {
                        touched.add(self.book.unmute(incident));
                    }
                    self.silences.remove(id);
                    self.keeper.forget_silence(id).await;
                }
                self.show(touched).await;
                self.unplaced.get_or_insert(now);
                let _ = done.send(ids.len());
            }
            Ask::Silences { done } => {
                let _ = done.send(self.silences.values().cloned().collect());
            }
            Ask::Told { message, done } => {
                let own = |incident: &&Incident| incident.message.as_ref() == Some(&message);
                let _ = done.send(self.book.incidents.values().find(own).cloned());
            }
            Ask::Helped { message, helped } => {
                let mut touched = Touched::default();
                for id in self.told_in(&message) {
                    touched.add(self.book.helped(&id, helped.clone()));
                }
                self.show(touched).await;
            }
            Ask::Open { done } => {
                let _ = done.send(self.book.open().cloned().collect());
            }
            Ask::History { cluster, target, done } => {
                let mut found = self.keeper.past().await;
                found.extend(self.book.incidents.values().cloned());
                found.retain(|incident| silence::is_about(incident, &cluster, &target));
                found.sort_by_key(|incident| std::cmp::Reverse(incident.opened));
                let _ = done.send(found);
            }
        }
    }

    /// Returns the incidents that a message tells.
    fn told_in(&self, message: &Address) -> Vec<String> {
        let own = |incident: &&Incident| incident.message.as_ref() == Some(message);
        let mut ids: Vec<String> = self.book.incidents.values().filter(own).map(|i| i.id.clone()).collect();
        // A reaction on a digest is meant for all that it tells.
        let digests = self.book.digests.values().filter(|digest| digest.message.as_ref() == Some(message));
        ids.extend(digests.flat_map(|digest| digest.incidents.iter().cloned()));
        ids
    }

    async fn react(&mut self, message: &Address, by: &str, reaction: Reaction, now: Timestamp) {
        let ids = self.told_in(message);
        let mut touched = Touched::default();
        for id in &ids {
            match reaction {
                Reaction::Acknowledge => touched.add(self.book.acknowledge(id, by, now)),
                Reaction::Mute => touched.add(self.mute(id, by, now).await),
                Reaction::Again => drop(self.again(id, now).await),
            }
        }
        self.show(touched).await;
    }

    async fn mute(&mut self, id: &str, by: &str, now: Timestamp) -> Touched {
        let Some(incident) = self.book.incidents.get(id).filter(|incident| incident.is_open()) else {
            return Touched::default();
        };
        let until = now.saturating_add(MUTE).unwrap_or(Timestamp::MAX);
        let silence = Silence {
            id: format!("{MUTED}{id}"),
            target: incident.key.subject.name(),
            cluster: incident.key.cluster.clone(),
            subject: Some(incident.key.subject.clone()),
            until,
            by: by.to_owned(),
            at: now,
            why: String::new(),
        };
        self.keeper.keep_silence(&silence).await;
        self.silences.insert(silence.id.clone(), silence);
        self.book.mute(id, by, until)
    }

    /// Has the incident's pods diagnosed anew; false where none of them is in trouble any more.
    async fn again(&mut self, id: &str, now: Timestamp) -> bool {
        let Some(incident) = self.book.incidents.get(id).cloned() else { return false };
        let Some(cluster) = self.clusters.get(Some(&incident.key.cluster)).ok().cloned() else { return false };
        let Some(state) = self.states.get(&incident.key.cluster) else { return false };
        let due = incident.pods.iter().find_map(|pod| state.describe(pod));
        let Some(due) = due else { return false };
        self.publisher.unlearn(&incident.id);
        let mut touched = Touched::default().note(&incident.id, Note::Opened);
        touched.incidents.insert(incident.id);
        self.show(touched).await;
        self.ask(&cluster, due, now);
        true
    }
}
