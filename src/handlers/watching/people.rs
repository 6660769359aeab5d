//! What people ask of the watch: reactions and buttons on alerts, silences, the history.

use super::Watching;
use crate::chat::front::Front;
use crate::store::Store;
use crate::target;
use crate::watch::book::Touched;
use crate::watch::incident::{Address, Incident};
use crate::watch::silence::Silence;
use jiff::{SignedDuration, Timestamp};
use tokio::sync::oneshot;

/// How long a reaction silences.
const MUTE: SignedDuration = SignedDuration::from_hours(2);

/// What a reaction or a button on an alert means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reaction {
    Acknowledge,
    Mute,
    Again,
}

/// What a person asks of the watch.
pub enum Ask {
    React {
        message: Address,
        by: String,
        reaction: Reaction,
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
            Ask::Silence { silence, done } => {
                self.keeper.keep_silence(&silence).await;
                self.silences.insert(silence.id.clone(), silence);
                let _ = done.send(());
            }
            Ask::Unsilence { cluster, target, done } => {
                let meant = |silence: &&Silence| silence.cluster == cluster && silence.target == target;
                let ids: Vec<String> = self.silences.values().filter(meant).map(|s| s.id.clone()).collect();
                for id in &ids {
                    self.silences.remove(id);
                    self.keeper.forget_silence(id).await;
                }
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
            Ask::History { cluster, target, done } => {
                let covers = Silence {
                    id: String::new(),
                    target,
                    cluster,
                    until: Timestamp::MAX,
                    by: String::new(),
                    at: now,
                    why: String::new(),
                };
                let fits = |incident: &&Incident| covers.covers(&incident.key, now);
                let mut found: Vec<Incident> = self.book.incidents.values().filter(fits).cloned().collect();
                found.sort_by_key(|incident| std::cmp::Reverse(incident.opened));
                let _ = done.send(found);
            }
        }
    }

    async fn react(&mut self, message: &Address, by: &str, reaction: Reaction, now: Timestamp) {
        let own = |incident: &&Incident| incident.message.as_ref() == Some(message);
        let mut ids: Vec<String> = self.book.incidents.values().filter(own).map(|i| i.id.clone()).collect();
        // A reaction on a digest is meant for all that it tells.
        let digests = self.book.digests.values().filter(|digest| digest.message.as_ref() == Some(message));
        ids.extend(digests.flat_map(|digest| digest.incidents.iter().cloned()));
        let mut touched = Touched::default();
        for id in &ids {
            match reaction {
                Reaction::Acknowledge => touched.add(self.book.acknowledge(id, by, now)),
                Reaction::Mute => self.mute(id, by, now).await,
                Reaction::Again => self.again(id, now),
            }
        }
        self.show(touched).await;
    }

    async fn mute(&mut self, id: &str, by: &str, now: Timestamp) {
        let Some(incident) = self.book.incidents.get(id) else { return };
        let crate::watch::incident::Subject::Workload { kind, namespace, name } = &incident.key.subject else { return };
        let target = format!("{namespace}/{}/{name}", kind.to_lowercase());
        let target = if target::parse(&target).is_ok() { target } else { format!("{namespace}/{name}") };
        let silence = Silence {
            id: format!("mute-{id}"),
            target,
            cluster: incident.key.cluster.clone(),
            until: now.saturating_add(MUTE).unwrap_or(Timestamp::MAX),
            by: by.to_owned(),
            at: now,
            why: String::new(),
        };
        self.keeper.keep_silence(&silence).await;
        self.silences.insert(silence.id.clone(), silence);
    }

    /// Has the incident's pods diagnosed anew.
    fn again(&mut self, id: &str, now: Timestamp) {
        let Some(incident) = self.book.incidents.get(id).cloned() else { return };
        let Some(cluster) = self.clusters.get(Some(&incident.key.cluster)).ok().cloned() else { return };
        let Some(state) = self.states.get(&incident.key.cluster) else { return };
        let due = incident.pods.iter().find_map(|pod| state.describe(pod));
        if let Some(due) = due {
            self.publisher.say_again(&incident.id);
            self.ask(&cluster, due, now);
        }
    }
}
