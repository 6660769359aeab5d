//! The book of incidents: what opens, joins, calms down, is resolved and comes back. Pure; what it touches is to be shown.

mod place;

use super::incident::{Digest, Helped, Incident, Key, State, Subject, Told};
use super::scope::Scope;
use super::state::{Due, PodKey};
use super::stuck::Symptom;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// An incident that comes back within this goes on in its thread.
const REOPEN_WITHIN: SignedDuration = SignedDuration::from_hours(1);
/// The cause of an incident whose cause is not sure.
pub const UNKNOWN: &str = "unknown";
/// How long resolved incidents are kept for that, and for their last edit.
const FORGET_AFTER: SignedDuration = SignedDuration::from_hours(2);
/// How many times a thread is reminded.
const REMINDERS: u32 = 3;

/// What time alone does to incidents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// How long nothing may be wrong before an incident is resolved.
    pub hold_down: SignedDuration,
    /// After how long the thread of what nobody looks after is reminded.
    pub remind_after: Option<SignedDuration>,
}

/// When many incidents become one message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Storm {
    /// More than this many messages …
    pub messages: usize,
    /// … within this time.
    pub within: SignedDuration,
}

/// Something to say in the thread of an incident.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Note {
    /// It is there: the evidence and the fix.
    Opened,
    Acknowledged {
        by: String,
    },
    /// A person does not want to hear of it for a while.
    Muted {
        by: String,
        until: Timestamp,
    },
    Resolved {
        after: SignedDuration,
    },
    Reopened,
    Reminder {
        number: u32,
        open_for: SignedDuration,
    },
}

/// What changed, and is to be kept and shown.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Touched {
    pub incidents: BTreeSet<String>,
    pub digests: BTreeSet<String>,
    pub notes: Vec<(String, Note)>,
}

impl Touched {
    fn incident(id: &str) -> Self {
        Self { incidents: [id.to_owned()].into(), ..Self::default() }
    }

    /// Adds something to say.
    #[must_use]
    pub fn note(mut self, id: &str, note: Note) -> Self {
        self.notes.push((id.to_owned(), note));
        self
    }

    /// Adds what another change touched.
    pub fn add(&mut self, other: Self) {
        self.incidents.extend(other.incidents);
        self.digests.extend(other.digests);
        self.notes.extend(other.notes);
    }
}

/// The incidents of all clusters.
#[derive(Debug, Default)]
pub struct Book {
    pub incidents: BTreeMap<String, Incident>,
    pub digests: BTreeMap<String, Digest>,
    /// When messages were opened lately.
    opened: VecDeque<Timestamp>,
    numbers: u64,
}

impl Book {
    /// Returns a book that goes on where another one stopped, perhaps between an incident and its digest: what an incident
    /// says counts.
    pub fn of(incidents: Vec<Incident>, digests: Vec<Digest>) -> Self {
        let mut book = Self {
            incidents: incidents.into_iter().map(|incident| (incident.id.clone(), incident)).collect(),
            digests: digests.into_iter().map(|digest| (digest.id.clone(), digest)).collect(),
            ..Self::default()
        };
        for incident in book.incidents.values_mut() {
            let Some(digest) = &incident.digest else { continue };
            match book.digests.get_mut(digest) {
                Some(digest) if digest.incidents.contains(&incident.id) => {}
                Some(digest) => {
                    digest.incidents.push(incident.id.clone());
                    digest.stale = true;
                }
                None => (incident.placed, incident.digest) = (false, None),
            }
        }
        book
    }

    /// Returns true where an open incident is told nowhere yet.
    pub fn has_untold(&self) -> bool {
        self.open().any(|incident| !incident.placed)
    }

    /// Writes down in the incidents what is to be shown and said of them. Kept like this, whoever goes on shows and says it.
    pub fn write_down(&mut self, touched: &Touched) {
        for id in &touched.incidents {
            if let Some(incident) = self.incidents.get_mut(id).filter(|incident| incident.stands_alone()) {
                incident.stale = true;
            }
        }
        for id in &touched.digests {
            if let Some(digest) = self.digests.get_mut(id) {
                digest.stale = true;
            }
        }
        for (id, note) in &touched.notes {
            if let Some(incident) = self.incidents.get_mut(id).filter(|incident| incident.stands_alone()) {
                incident.notes += 1;
                incident.unsaid.push((incident.notes, note.clone()));
            }
        }
    }

    /// Lets a pod join an incident that is open already and fits without a diagnosis: same workload or node, same symptom.
    pub fn join(&mut self, cluster: &str, due: &Due) -> Option<Touched> {
        let subjects = [Subject::of(&due.workload), Subject::Node { name: due.node.clone().unwrap_or_default() }];
        let fits = |incident: &&Incident| {
            incident.is_open()
                && incident.key.cluster == cluster
                && incident.symptom == due.symptom
                && (subjects[0] == incident.key.subject
                    || (incident.is_shared() && incident.workloads.contains(&subjects[0]))
                    || (due.node_is_silent && subjects[1] == incident.key.subject))
        };
        // The one that the pod is in already goes before any other.
        let fitting = self.incidents.values().filter(fits);
        let id = fitting.min_by_key(|incident| !incident.pods.contains(&due.pod))?.id.clone();
        let incident = self.incidents.get_mut(&id)?;
        enter(incident, due);
        Some(Touched::incident(&id).with_digest(incident))
    }

    /// A pod was diagnosed: it joins the incident of that key, brings it back, or opens one. An incident whose cause was
    /// not known learns it.
    pub fn sick(&mut self, key: Key, due: &Due, told: Told, channel: &str, now: Timestamp) -> Touched {
        let of_workload = Subject::of(&due.workload);
        let open = |incident: &&mut Incident| {
            incident.is_open() && incident.key.cluster == key.cluster && incident.workloads.contains(&of_workload)
        };
        let known = self.incidents.values().any(|incident| incident.is_open() && incident.key == key);
        let unknown = |incident: &&mut Incident| incident.key.cause == UNKNOWN && key.cause != UNKNOWN && !known;
        if let Some(incident) = self.incidents.values_mut().filter(open).find(unknown) {
            enter(incident, due);
            (incident.key, incident.symptom, incident.told) = (key, due.symptom, told);
            let id = incident.id.clone();
            return Touched::incident(&id).with_digest(incident).note(&id, Note::Opened);
        }
        // A cause that was known does not become unknown because it cannot be read once.
        let holds = |incident: &&mut Incident| key.cause == UNKNOWN && incident.pods.contains(&due.pod);
        if let Some(incident) = self.incidents.values_mut().filter(open).find(holds) {
            enter(incident, due);
            return Touched::incident(&incident.id).with_digest(incident);
        }
        let recent = |incident: &&Incident| match incident.state {
            State::Resolved { at } => now.duration_since(at) < REOPEN_WITHIN,
            _ => true,
        };
        // What many share is told once in each channel, so that every team hears of it.
        let same = |incident: &&Incident| incident.key == key && (incident.routed == channel || !incident.is_shared());
        let known = self.incidents.values().filter(same).find(recent).map(|incident| incident.id.clone());
        let mut left = Touched::default();
        // It was diagnosed anew, and something else came out: it is told once, as what it is now.
        let other = |incident: &&mut Incident| incident.key != key && incident.pods.contains(&due.pod);
        if let Some(incident) = self.incidents.values_mut().filter(open).find(other) {
            if known.is_none() && incident.workload() == Some(&key.subject) {
                enter(incident, due);
                (incident.key, incident.told) = (key, told);
                return Touched::incident(&incident.id).with_digest(incident);
            }
            left = leave(incident, &due.pod, now);
        }
        if let Some(incident) = known.and_then(|id| self.incidents.get_mut(&id)) {
            let was_open = incident.is_open();
            enter(incident, due);
            if incident.workloads.len() < 2 {
                incident.told = told;
            }
            let id = incident.id.clone();
            let mut touched = Touched::incident(&id).with_digest(incident);
            touched.add(left);
            if was_open {
                return touched;
            }
            incident.state = State::Open;
            incident.reopened += 1;
            incident.since = due.since;
            (incident.first, incident.last) = (None, None);
            incident.helped.clear();
            return touched.note(&id, Note::Reopened);
        }
        let id = self.new_id(&key, now);
        let mut incident = Incident {
            id: id.clone(),
            key,
            symptom: due.symptom,
            since: due.since,
            opened: now,
            state: State::Open,
            pods: BTreeSet::new(),
            most: 0,
            nodes: BTreeSet::new(),
            calm_since: None,
            told,
            workloads: BTreeSet::new(),
            first: None,
            last: None,
            helped: Vec::new(),
            routed: channel.to_owned(),
            channel: channel.to_owned(),
            quiet: None,
            held: false,
            muted: None,
            placed: false,
            digest: None,
            message: None,
            reminders: 0,
            reminded: None,
            reopened: 0,
            stale: false,
            notes: 0,
            unsaid: Vec::new(),
        };
        enter(&mut incident, due);
        self.incidents.insert(id.clone(), incident);
        Touched::incident(&id)
    }

    /// Its message stands where nothing can be said any more: it is told anew, with its evidence.
    pub fn told_anew(&mut self, id: &str) -> Touched {
        if let Some(digest) = self.digests.get_mut(id) {
            (digest.message, digest.stale, digest.listed) = (None, true, 0);
            return Touched { digests: [id.to_owned()].into(), ..Touched::default() };
        }
        let Some(incident) = self.incidents.get_mut(id) else { return Touched::default() };
        if incident.message.take().is_some() {
            incident.notes += 1;
            incident.unsaid.push((incident.notes, Note::Opened));
        }
        Touched::incident(id)
    }

    /// A pod is well or gone.
    pub fn leave(&mut self, cluster: &str, pod: &PodKey, now: Timestamp) -> Touched {
        let mut touched = Touched::default();
        for incident in self.incidents.values_mut() {
            if incident.key.cluster == cluster {
                touched.add(leave(incident, pod, now));
            }
        }
        touched
    }

    /// The workload of an incident was looked at.
    pub fn scoped(&mut self, id: &str, scope: Scope) -> Touched {
        let Some(incident) = self.incidents.get_mut(id).filter(|incident| incident.is_open()) else {
            return Touched::default();
        };
        if incident.last.as_ref() == Some(&scope) || incident.workload().is_none() {
            return Touched::default();
        }
        incident.first.get_or_insert_with(|| scope.clone());
        incident.last = Some(scope);
        Touched::incident(id).with_digest(incident)
    }

    /// A person had something done about an incident.
    pub fn helped(&mut self, id: &str, helped: Helped) -> Touched {
        let Some(incident) = self.incidents.get_mut(id).filter(|incident| incident.is_open()) else {
            return Touched::default();
        };
        // Whoever was interrupted says it once more.
        if incident.helped.contains(&helped) {
            return Touched::default();
        }
        incident.helped.push(helped);
        Touched::incident(id)
    }

    /// A person says that they look after it.
    pub fn acknowledge(&mut self, id: &str, by: &str, now: Timestamp) -> Touched {
        let Some(incident) = self.incidents.get_mut(id).filter(|incident| incident.state == State::Open) else {
            return Touched::default();
        };
        incident.state = State::Acknowledged { by: by.to_owned(), at: now };
        Touched::incident(id).with_digest(incident).note(id, Note::Acknowledged { by: by.to_owned() })
    }

    /// A person does not want to hear of it for a while.
    pub fn mute(&mut self, id: &str, by: &str, until: Timestamp) -> Touched {
        let Some(incident) = self.incidents.get_mut(id).filter(|incident| incident.is_open()) else {
            return Touched::default();
        };
        incident.muted = Some(until);
        Touched::incident(id).with_digest(incident).note(id, Note::Muted { by: by.to_owned(), until })
    }

    /// A person wants to hear of it again.
    pub fn unmute(&mut self, id: &str) -> Touched {
        match self.incidents.get_mut(id).filter(|incident| incident.muted.is_some()) {
            Some(incident) => {
                incident.muted = None;
                Touched::incident(id).with_digest(incident)
            }
            None => Touched::default(),
        }
    }

    /// Does what time alone brings: resolves what has been calm for long enough, reminds of what nobody looks after.
    /// `still` tells whether it may not be over: there are pods in trouble that are not due yet. Nobody is reminded of
    /// what is `silenced`, or in quiet hours.
    pub fn tick(
        &mut self,
        now: Timestamp,
        pace: Pace,
        still: impl Fn(&Incident) -> bool,
        silenced: impl Fn(&Incident) -> bool,
    ) -> Touched {
        let mut touched = Touched::default();
        for incident in self.incidents.values_mut() {
            if let Some(calm) = incident.calm_since
                && now.duration_since(calm) >= pace.hold_down
                && !still(incident)
            {
                incident.calm_since = None;
                incident.state = State::Resolved { at: calm };
                let after = calm.duration_since(incident.since);
                let id = incident.id.clone();
                touched.add(Touched::incident(&id).with_digest(incident).note(&id, Note::Resolved { after }));
            }
            if let (Some(after), State::Open, Some(last), Some(_)) =
                (pace.remind_after, &incident.state, incident.reminded, &incident.message)
                && incident.reminders < REMINDERS
                && now.duration_since(last) >= after
            {
                incident.reminded = Some(now);
                if incident.quiet_until(now).is_some() || silenced(incident) {
                    continue;
                }
                incident.reminders += 1;
                let note = Note::Reminder { number: incident.reminders, open_for: now.duration_since(incident.since) };
                let id = incident.id.clone();
                touched.add(Touched::incident(&id).note(&id, note));
            }
        }
        touched
    }

    /// Takes out what was resolved long ago; returns those incidents, and the ids of digests.
    pub fn forget(&mut self, now: Timestamp) -> (Vec<Incident>, Vec<String>) {
        let waits = |incident: &Incident| incident.held && !incident.placed;
        let old = |incident: &mut Incident| match incident.state {
            State::Resolved { at } => now.duration_since(at) >= FORGET_AFTER && !waits(incident),
            _ => false,
        };
        let gone: Vec<Incident> = self.incidents.extract_if(.., |_, incident| old(incident)).map(|(_, i)| i).collect();
        let empty: Vec<String> = self
            .digests
            .values()
            .filter(|digest| !digest.incidents.iter().any(|id| self.incidents.contains_key(id)))
            .map(|digest| digest.id.clone())
            .collect();
        self.digests.retain(|id, _| !empty.contains(id));
        (gone, empty)
    }

    /// Returns the next moment at which [`tick`](Self::tick) may do something. What is calm though pods of it are `still` in
    /// trouble waits for those pods, not for a moment.
    pub fn next(&self, pace: Pace, still: impl Fn(&Incident) -> bool) -> Option<Timestamp> {
        let at = |from: Timestamp, after| from.saturating_add(after).ok();
        let calm = self.incidents.values().filter_map(|i| at(i.calm_since.filter(|_| !still(i))?, pace.hold_down));
        let remind = self.incidents.values().filter_map(|i| {
            (i.state == State::Open && i.message.is_some() && i.reminders < REMINDERS).then_some(())?;
            at(i.reminded?, pace.remind_after?)
        });
        calm.chain(remind).min()
    }

    /// Returns the open incidents.
    pub fn open(&self) -> impl Iterator<Item = &Incident> {
        self.incidents.values().filter(|incident| incident.is_open())
    }

    fn new_id(&mut self, key: &Key, now: Timestamp) -> String {
        self.numbers += 1;
        // Readable in logs, unique within a store: nothing secret, everybody in the workspace can read it.
        format!("{}-{:x}-{}", key.cause, now.as_millisecond(), self.numbers)
    }
}

impl Touched {
    fn with_digest(mut self, incident: &Incident) -> Self {
        self.digests.extend(incident.digest.clone());
        self
    }
}

fn leave(incident: &mut Incident, pod: &PodKey, now: Timestamp) -> Touched {
    if !incident.pods.remove(pod) {
        return Touched::default();
    }
    if incident.pods.is_empty() && incident.is_open() {
        incident.calm_since = Some(now);
    }
    Touched::incident(&incident.id).with_digest(incident)
}

fn enter(incident: &mut Incident, due: &Due) {
    incident.pods.insert(due.pod.clone());
    incident.workloads.insert(Subject::of(&due.workload));
    incident.nodes.extend(due.node.clone());
    incident.most = incident.most.max(incident.pods.len());
    incident.since = incident.since.min(due.since);
    incident.calm_since = None;
}

/// Returns the symptom's own incident subject: pods of a silent node are that node's.
pub fn subject(due: &Due, cause: &str) -> Subject {
    let of_node = matches!(cause, "node-lost" | "node-not-ready" | "node-shutdown");
    match &due.node {
        Some(node) if of_node || (due.node_is_silent && due.symptom == Symptom::Unknown) => {
            Subject::Node { name: node.clone() }
        }
        _ => Subject::of(&due.workload),
    }
}

#[cfg(test)]
pub mod tests;
