//! What is known of a cluster's pods while they are watched: the sick ones, each with the moment at which it counts as stuck.
//!
//! Healthy pods are not kept, so this grows with trouble and not with the cluster.

use super::incident::Subject;
use super::stuck::{self, Stuck, Symptom};
use super::threshold;
use crate::facts::Workload;
use crate::facts::lean::{LeanNode, LeanPod};
use crate::settings::Watch;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// A pod whose diagnosis said that it only waits, or that could not be read, is asked about again after two seconds, then
/// after twice that, and so on: what has just passed its threshold is told soon after, what waits long costs little.
const AGAIN_AT_MOST: SignedDuration = SignedDuration::from_secs(30);

/// A pod by its namespace and name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PodKey {
    pub namespace: String,
    pub name: String,
}

impl fmt::Display for PodKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// A pod that has been in trouble for longer than it may.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    pub pod: PodKey,
    pub workload: Workload,
    pub node: Option<String>,
    pub labels: BTreeMap<String, String>,
    /// The channel that the pod's annotation names.
    pub channel: Option<String>,
    pub symptom: Symptom,
    pub since: Timestamp,
    /// The node says nothing.
    pub node_is_silent: bool,
}

/// What became of a pod that was due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Over {
    /// It was seen to be well.
    Well(PodKey),
    /// It is gone.
    Gone(PodKey),
}

#[derive(Debug)]
struct Suspect {
    pod: LeanPod,
    stuck: Stuck,
    due: Timestamp,
    /// It was handed out as due, and is not to be again.
    told: bool,
    /// It was ever handed out as it is: its end is told too.
    known: bool,
    /// How often it was asked about in vain.
    asked: u8,
}

/// The pods of one cluster that are, or may become, stuck.
#[derive(Debug, Default)]
pub struct ClusterState {
    suspects: BTreeMap<PodKey, Suspect>,
    /// How many of them each workload has, and each node.
    subjects: BTreeMap<Subject, usize>,
    queue: BTreeSet<(Timestamp, PodKey)>,
    /// Nodes that say nothing, and since when.
    silent: BTreeMap<String, Timestamp>,
    /// The suspects not yet seen again while everything is listed anew.
    unseen: Option<BTreeSet<PodKey>>,
    /// The silent nodes not yet seen again, likewise.
    unseen_nodes: BTreeSet<String>,
}

impl ClusterState {
    /// Takes a pod in as it is now. Returns what is over by it.
    pub fn apply(&mut self, pod: LeanPod, watch: &Watch, now: Timestamp) -> Option<Over> {
        let key = key(&pod);
        if let Some(unseen) = &mut self.unseen {
            unseen.remove(&key);
        }
        let replaced = self.suspects.get(&key).is_some_and(|old| old.pod.metadata.uid != pod.metadata.uid);
        // A pod of the same name is another pod: the first one is over.
        let mut over = if replaced { self.forget(&key).then(|| Over::Gone(key.clone())) } else { None };
        let silent = pod.spec.node_name.as_ref().and_then(|node| self.silent.get(node)).copied();
        let Some(stuck) = stuck::of(&pod, silent, now) else {
            return if self.forget(&key) { Some(Over::Well(key)) } else { over };
        };
        let (mut told, mut known, mut asked, mut since) = (false, false, 0, stuck.since);
        if let Some(old) = self.suspects.get(&key) {
            let same = old.stuck.symptom == stuck.symptom;
            (told, known, asked) = if same { (old.told, old.known, old.asked) } else { (false, false, 0) };
            // A crash loop is as old as it was first seen to be: each end looks younger.
            since = if same { since.min(old.stuck.since) } else { since };
            if old.known && !same {
                over = Some(Over::Well(key.clone()));
            }
        }
        let stuck = Stuck { since, ..stuck };
        let due = since.saturating_add(threshold::of(&pod, stuck.symptom, watch)).unwrap_or(Timestamp::MAX);
        self.put(key, Suspect { pod, stuck, due, told, known, asked });
        over
    }

    /// Takes out a pod that is gone.
    pub fn delete(&mut self, pod: &LeanPod) -> Option<Over> {
        let key = key(pod);
        self.forget(&key).then_some(Over::Gone(key))
    }

    /// Takes a node in as it is now; its pods are looked at again where it has fallen silent or speaks again.
    pub fn apply_node(&mut self, node: &LeanNode, watch: &Watch, now: Timestamp) -> Vec<Over> {
        let Some(name) = node.metadata.name.clone() else { return Vec::new() };
        self.unseen_nodes.remove(&name);
        let ready = node.status.conditions.iter().find(|condition| condition.r#type == "Ready");
        let silent = ready
            .filter(|ready| ready.status == "Unknown")
            .map(|ready| ready.last_transition_time.as_ref().map_or(now, |t| t.0));
        self.set_silent(name, silent, watch, now)
    }

    /// Takes out a node that is gone.
    pub fn delete_node(&mut self, node: &LeanNode, watch: &Watch, now: Timestamp) -> Vec<Over> {
        self.set_silent(node.metadata.name.clone().unwrap_or_default(), None, watch, now)
    }

    fn set_silent(&mut self, node: String, silent: Option<Timestamp>, watch: &Watch, now: Timestamp) -> Vec<Over> {
        let before = match silent {
            Some(since) => self.silent.insert(node.clone(), since),
            None => self.silent.remove(&node),
        };
        if before == silent {
            return Vec::new();
        }
        let there = |suspect: &&Suspect| suspect.pod.spec.node_name.as_ref() == Some(&node);
        let pods: Vec<LeanPod> = self.suspects.values().filter(there).map(|suspect| suspect.pod.clone()).collect();
        pods.into_iter().filter_map(|pod| self.apply(pod, watch, now)).collect()
    }

    /// All nodes are listed anew from now on.
    pub fn relist_nodes(&mut self) {
        self.unseen_nodes = self.silent.keys().cloned().collect();
    }

    /// All nodes have been listed: one that was not seen again is gone.
    pub fn relisted_nodes(&mut self, watch: &Watch, now: Timestamp) -> Vec<Over> {
        let gone = std::mem::take(&mut self.unseen_nodes);
        gone.into_iter().flat_map(|node| self.set_silent(node, None, watch, now)).collect()
    }

    /// Everything is listed anew from now on.
    pub fn relist(&mut self) {
        self.unseen = Some(self.suspects.keys().cloned().collect());
    }

    /// Everything has been listed: what was not seen again is gone.
    pub fn relisted(&mut self) -> Vec<Over> {
        let unseen = self.unseen.take().unwrap_or_default();
        unseen.into_iter().filter_map(|key| self.forget(&key).then_some(Over::Gone(key))).collect()
    }

    /// Returns the next moment at which something may have to be done without any event.
    pub fn next(&self) -> Option<Timestamp> {
        self.queue.first().map(|(at, _)| *at)
    }

    /// Returns the pods whose time is over at `now`, each once, and those that are over by time alone.
    pub fn due(&mut self, now: Timestamp) -> (Vec<Due>, Vec<Over>) {
        let (mut due, mut over) = (Vec::new(), Vec::new());
        while let Some((at, key)) = self.queue.first().cloned() {
            if at > now {
                break;
            }
            self.queue.remove(&(at, key.clone()));
            let Some(suspect) = self.suspects.get_mut(&key) else { continue };
            if suspect.stuck.until.is_some_and(|until| until <= now) {
                if self.forget(&key) {
                    over.push(Over::Well(key));
                }
                continue;
            }
            if suspect.told || suspect.due > now {
                if let Some(until) = suspect.stuck.until.filter(|until| *until < Timestamp::MAX) {
                    self.queue.insert((until, key));
                }
                continue;
            }
            (suspect.told, suspect.known) = (true, true);
            due.push(describe(&key, suspect, &self.silent));
            if let Some(until) = suspect.stuck.until.filter(|until| *until < Timestamp::MAX) {
                self.queue.insert((until, key));
            }
        }
        (due, over)
    }

    /// Takes a pod for due that an earlier life found so. False = it is not in that trouble any more.
    pub fn adopt(&mut self, pod: &PodKey, symptom: Symptom) -> bool {
        let Some(suspect) = self.suspects.get_mut(pod).filter(|suspect| suspect.stuck.symptom == symptom) else {
            return false;
        };
        suspect.known = true;
        if !suspect.told {
            suspect.told = true;
            self.queue.remove(&(suspect.due, pod.clone()));
            if let Some(until) = suspect.stuck.until.filter(|until| *until < Timestamp::MAX) {
                self.queue.insert((until, pod.clone()));
            }
        }
        true
    }

    /// Lets a pod count as due again soon: its diagnosis came to nothing that is to be told.
    pub fn again_soon(&mut self, pod: &PodKey, now: Timestamp) {
        if let Some(suspect) = self.suspects.get_mut(pod) {
            suspect.asked = suspect.asked.saturating_add(1);
            let after = SignedDuration::from_secs(1 << suspect.asked.min(5)).min(AGAIN_AT_MOST);
            self.again(pod, now.saturating_add(after).unwrap_or(Timestamp::MAX));
        }
    }

    /// Lets a pod count as due again at a moment.
    pub fn again(&mut self, pod: &PodKey, at: Timestamp) {
        if let Some(suspect) = self.suspects.get_mut(pod) {
            self.queue.remove(&(suspect.due, pod.clone()));
            (suspect.told, suspect.due) = (false, at);
            self.queue.insert((at, pod.clone()));
        }
    }

    /// Returns a pod in trouble as it is now.
    pub fn describe(&self, pod: &PodKey) -> Option<Due> {
        self.suspects.get(pod).map(|suspect| describe(pod, suspect, &self.silent))
    }

    /// Returns true while everything is being listed.
    pub fn is_listing(&self) -> bool {
        self.unseen.is_some()
    }

    /// Returns true where a workload, or a silent node, has pods in trouble, due or not.
    pub fn has_suspects_of(&self, subject: &Subject) -> bool {
        let is_meant = match subject {
            Subject::Node { name } => self.silent.contains_key(name),
            Subject::Workload { .. } => true,
            // Whoever asks about what is shared asks about each of its workloads.
            Subject::Shared { .. } => false,
        };
        is_meant && self.subjects.contains_key(subject)
    }

    /// Returns true where a pod says itself how long it may be in its trouble.
    pub fn sets_its_threshold(&self, pod: &PodKey) -> bool {
        let suspect = self.suspects.get(pod);
        suspect.is_some_and(|suspect| threshold::own(&suspect.pod, suspect.stuck.symptom).is_some())
    }

    /// Returns how many pods are kept.
    pub fn kept(&self) -> usize {
        self.suspects.len()
    }

    /// Returns true where a pod is due and not over.
    pub fn is_due(&self, pod: &PodKey) -> bool {
        self.suspects.get(pod).is_some_and(|suspect| suspect.told)
    }

    fn put(&mut self, key: PodKey, suspect: Suspect) {
        self.forget(&key);
        for subject in subjects(&suspect.pod) {
            *self.subjects.entry(subject).or_default() += 1;
        }
        let next = if suspect.told { suspect.stuck.until } else { Some(suspect.due) };
        if let Some(at) = next.filter(|at| *at < Timestamp::MAX) {
            self.queue.insert((at, key.clone()));
        }
        self.suspects.insert(key, suspect);
    }

    /// Forgets a pod; returns whether its end is to be told.
    fn forget(&mut self, key: &PodKey) -> bool {
        let Some(old) = self.suspects.remove(key) else { return false };
        for subject in subjects(&old.pod) {
            if let Entry::Occupied(mut count) = self.subjects.entry(subject) {
                *count.get_mut() -= 1;
                if *count.get() == 0 {
                    count.remove();
                }
            }
        }
        self.queue.remove(&(old.due, key.clone()));
        if let Some(until) = old.stuck.until {
            self.queue.remove(&(until, key.clone()));
        }
        old.known
    }
}

fn key(pod: &LeanPod) -> PodKey {
    PodKey { namespace: pod.namespace().to_owned(), name: pod.name().to_owned() }
}

/// Returns what a pod's trouble may be told as.
fn subjects(pod: &LeanPod) -> impl Iterator<Item = Subject> {
    let node = pod.spec.node_name.clone().map(|name| Subject::Node { name });
    std::iter::once(Subject::of(&Workload::of_pod(&pod.metadata))).chain(node)
}

fn describe(key: &PodKey, suspect: &Suspect, silent: &BTreeMap<String, Timestamp>) -> Due {
    let meta = &suspect.pod.metadata;
    let node = suspect.pod.spec.node_name.clone();
    Due {
        pod: key.clone(),
        workload: Workload::of_pod(meta),
        node_is_silent: node.as_ref().is_some_and(|node| silent.contains_key(node)),
        node,
        labels: meta.labels.clone().unwrap_or_default(),
        channel: meta.annotations.as_ref().and_then(|own| own.get("podoctor.dev/channel")).cloned(),
        symptom: suspect.stuck.symptom,
        since: suspect.stuck.since,
    }
}

#[cfg(test)]
mod tests;
