//! Incidents on their way into the chat: one message each, edited as things change, never two edits at once.
//!
//! What is shown is taken from the book when its turn comes, so that edits that came faster than they could be sent are
//! one edit.

use super::super::respond::language;
use super::Event;
use crate::chat::front::{Front, FrontError, Place, Posted};
use crate::diagnosis::Diagnosis;
use crate::question::Answer;
use crate::render::message::Message;
use crate::render::{alert, answer};
use crate::settings::InForce;
use crate::watch::book::{Book, Note, Touched};
use crate::watch::incident::{Address, Digest, Incident};
use jiff::{SignedDuration, Timestamp};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::sleep;

/// The shortest time between two edits of a message.
const PACE: Duration = Duration::from_secs(2);
/// How long after a failure a message is tried again.
const RETRY: SignedDuration = SignedDuration::from_secs(10);

/// What came of showing something.
pub struct Shown {
    id: String,
    outcome: Result<Posted, FrontError>,
    /// Its thread is said too. Where the message stands is told before: people react at once.
    done: bool,
    /// The notes that were not said because of a failure.
    unsaid: Vec<Note>,
}

/// What showing something tells of a channel.
#[derive(Debug, PartialEq, Eq)]
pub enum Channels {
    /// Something could be said there.
    Open(String),
    /// Nothing can be said there, by the chat's own code.
    Closed { channel: String, code: String },
}

/// What is shown of each incident and digest.
pub struct Publisher<F> {
    front: Arc<F>,
    settings: InForce,
    events: mpsc::Sender<Event>,
    /// The thread's first messages, until they are said.
    details: BTreeMap<String, Vec<Message>>,
    notes: BTreeMap<String, Vec<Note>>,
    /// What is to be shown, and what is being shown.
    waiting: BTreeSet<String>,
    busy: BTreeSet<String>,
    /// What failed, and when it is tried again.
    failed: BTreeMap<String, Timestamp>,
    /// What may stand in its channel already: an earlier life, or a lost reply.
    doubtful: BTreeSet<String>,
}

impl<F: Front + 'static> Publisher<F> {
    pub fn new(front: Arc<F>, settings: InForce, events: mpsc::Sender<Event>) -> Self {
        Self {
            front,
            settings,
            events,
            details: BTreeMap::new(),
            notes: BTreeMap::new(),
            waiting: BTreeSet::new(),
            busy: BTreeSet::new(),
            failed: BTreeMap::new(),
            doubtful: BTreeSet::new(),
        }
    }

    /// Returns the chat that all is said in.
    pub fn front(&self) -> Arc<F> {
        self.front.clone()
    }

    /// Takes up what an earlier life was about to say.
    pub fn recover(&mut self, book: &Book) {
        let incidents = book.incidents.values().filter(|i| i.placed && i.digest.is_none() && i.message.is_none());
        let digests = book.digests.values().filter(|digest| digest.message.is_none());
        self.doubtful.extend(incidents.map(|i| i.id.clone()).chain(digests.map(|digest| digest.id.clone())));
        self.waiting.extend(self.doubtful.iter().cloned());
        self.start(book);
    }

    /// Remembers what the thread will say of a diagnosis.
    pub fn learn(&mut self, incident: &str, diagnosis: &Diagnosis, channel: &str) {
        let language = language(&self.settings.get(), channel);
        let answer = Answer::One { diagnosis: Box::new(diagnosis.clone()), among: 1 };
        let thread = answer::reply(&answer, &diagnosis.target.name, None, language).thread;
        self.details.insert(incident.to_owned(), thread);
    }

    /// Says the details of the next diagnosis, whatever was said before.
    pub fn say_again(&mut self, incident: &str) {
        self.notes.entry(incident.to_owned()).or_default().push(Note::Opened);
    }

    /// Shows what was touched, as soon as it is its turn.
    pub fn show(&mut self, touched: &Touched, book: &Book) {
        for (id, note) in &touched.notes {
            self.notes.entry(id.clone()).or_default().push(note.clone());
        }
        self.waiting.extend(touched.incidents.iter().chain(&touched.digests).cloned());
        self.start(book);
    }

    /// Tries again what failed some time ago.
    pub fn retry(&mut self, now: Timestamp, book: &Book) {
        let due: Vec<String> = self.failed.iter().filter(|(_, at)| **at <= now).map(|(id, _)| id.clone()).collect();
        for id in due {
            self.failed.remove(&id);
            self.waiting.insert(id);
        }
        self.start(book);
    }

    /// Returns when something is to be tried again.
    pub fn next(&self) -> Option<Timestamp> {
        self.failed.values().min().copied()
    }

    /// Takes in what came of showing something; returns what is to be kept.
    pub fn shown(&mut self, shown: Shown, book: &mut Book, now: Timestamp) -> (Touched, Option<Channels>) {
        let Shown { id, outcome, done, unsaid } = shown;
        if done {
            self.busy.remove(&id);
        }
        let (mut touched, mut channels) = (Touched::default(), None);
        if !unsaid.is_empty() {
            self.notes.entry(id.clone()).or_default().splice(0..0, unsaid);
        }
        match outcome {
            Ok(posted) => {
                self.doubtful.remove(&id);
                let incident = book.incidents.get(&id).filter(|incident| incident.channel == incident.routed);
                channels = incident.map(|incident| Channels::Open(incident.routed.clone()));
                let address = Some(Address { channel: posted.channel, id: posted.id });
                if let Some(incident) = book.incidents.get_mut(&id).filter(|incident| incident.message != address) {
                    incident.message = address;
                    touched.incidents.insert(id);
                } else if let Some(digest) = book.digests.get_mut(&id).filter(|digest| digest.message != address) {
                    digest.message = address;
                    touched.digests.insert(id);
                }
            }
            Err(FrontError::Gone { .. }) => tracing::warn!(id, "the message of an incident was deleted; it stays so"),
            Err(FrontError::NotMember { code } | FrontError::Closed { code }) => {
                let fallback = self.settings.get().slack.default_channel.clone();
                let channel = match book.incidents.get_mut(&id) {
                    Some(incident) => Some((&mut incident.channel, &mut incident.message)),
                    None => book.digests.get_mut(&id).map(|digest| (&mut digest.channel, &mut digest.message)),
                };
                match (channel, fallback) {
                    (Some((channel, message)), Some(fallback)) if *channel != fallback => {
                        tracing::warn!(
                            id,
                            channel = *channel,
                            code,
                            "cannot post there, using the default channel: {code}"
                        );
                        channels = Some(Channels::Closed { channel: channel.clone(), code });
                        *channel = fallback;
                        // What stands there already cannot be edited any more: it is told anew.
                        if message.take().is_some() {
                            self.notes.entry(id.clone()).or_default().push(Note::Opened);
                        }
                        touched.incidents.insert(id.clone());
                        touched.digests.insert(id.clone());
                        self.waiting.insert(id);
                    }
                    _ => {
                        tracing::error!(id, code, "cannot post an alert: {code}; invite me with /invite @podoctor");
                        self.failed.insert(id, now.saturating_add(RETRY * 6).unwrap_or(Timestamp::MAX));
                    }
                }
            }
            Err(error) => {
                if matches!(error, FrontError::Unknown { .. }) {
                    self.doubtful.insert(id.clone());
                }
                tracing::warn!(id, %error, "an alert could not be shown, trying again: {error}");
                self.failed.insert(id, now.saturating_add(RETRY).unwrap_or(Timestamp::MAX));
            }
        }
        (touched, channels)
    }

    /// Tells whoever set a channel that nothing can be said there.
    pub fn tell_closed(&self, channel: &str, code: &str, named_by: &str) {
        let Some(fallback) = self.settings.get().slack.default_channel.clone() else { return };
        let message = alert::closed(channel, code, named_by, language(&self.settings.get(), &fallback));
        let front = self.front.clone();
        tokio::spawn(async move {
            let place = Place { channel: fallback, thread: None };
            if let Err(error) = front.post(&place, &message).await {
                tracing::warn!(%error, "that a channel is closed could not be told: {error}");
            }
        });
    }

    /// Returns true where the details of a diagnosis are waited for.
    pub fn awaits(&self, incident: &str) -> bool {
        self.notes.get(incident).is_some_and(|notes| notes.contains(&Note::Opened))
    }

    fn start(&mut self, book: &Book) {
        let ready: Vec<String> = self.waiting.iter().filter(|id| !self.busy.contains(*id)).cloned().collect();
        for id in ready {
            if self.failed.contains_key(&id) {
                // It is tried again in its time; what changed meanwhile is shown then.
                self.waiting.remove(&id);
                continue;
            }
            let work = match (book.incidents.get(&id), book.digests.get(&id)) {
                (Some(incident), _) if incident.placed && incident.digest.is_none() => self.of_incident(incident),
                (_, Some(digest)) => self.of_digest(digest, book),
                _ => None,
            };
            self.waiting.remove(&id);
            let Some(work) = work else { continue };
            self.busy.insert(id);
            let (front, events) = (self.front.clone(), self.events.clone());
            tokio::spawn(async move {
                let shown = work.run(front.as_ref(), &events).await;
                // Nobody listens any more only when all ends.
                let _ = events.send(Event::Shown(shown)).await;
            });
        }
    }

    fn of_incident(&mut self, incident: &Incident) -> Option<Work> {
        let language = language(&self.settings.get(), &incident.channel);
        let notes = self.notes.remove(&incident.id).unwrap_or_default();
        let mut thread = Vec::new();
        if let Some(details) = self.details.remove(&incident.id) {
            // The details of one diagnosis are said once, and again when it came back.
            let wanted = notes.iter().any(|note| matches!(note, Note::Opened | Note::Reopened));
            if wanted {
                thread.extend(details);
            }
        } else if notes.contains(&Note::Opened) {
            // A diagnosis is on its way; then its details are said.
            self.notes.insert(incident.id.clone(), vec![Note::Opened]);
        }
        thread.splice(0..0, notes.iter().filter_map(|note| alert::note(note, incident, language)));
        Some(Work {
            id: incident.id.clone(),
            channel: incident.channel.clone(),
            message: incident.message.clone(),
            doubtful: self.doubtful.contains(&incident.id),
            parent: alert::parent(incident, language),
            thread,
            notes,
        })
    }

    fn of_digest(&mut self, digest: &Digest, book: &Book) -> Option<Work> {
        let language = language(&self.settings.get(), &digest.channel);
        let incidents: Vec<&Incident> = digest.incidents.iter().filter_map(|id| book.incidents.get(id)).collect();
        let (parent, thread) = alert::digest(digest, &incidents, language);
        Some(Work {
            id: digest.id.clone(),
            channel: digest.channel.clone(),
            message: digest.message.clone(),
            doubtful: self.doubtful.contains(&digest.id),
            parent,
            // The list stands in the thread once; what changes shows in the message.
            thread: if digest.message.is_none() { thread } else { Vec::new() },
            notes: Vec::new(),
        })
    }
}

/// One message to post or edit, and what follows in its thread.
struct Work {
    id: String,
    channel: String,
    message: Option<Address>,
    doubtful: bool,
    parent: Message,
    thread: Vec<Message>,
    notes: Vec<Note>,
}

impl Work {
    async fn run<F: Front>(self, front: &F, events: &mpsc::Sender<Event>) -> Shown {
        let place = Place { channel: self.channel.clone(), thread: None };
        let posted = match &self.message {
            Some(address) => {
                let posted = Posted { channel: address.channel.clone(), id: address.id.clone() };
                let edited = front.edit(&posted, &self.parent).await;
                sleep(PACE).await;
                edited.map(|()| posted)
            }
            None if self.doubtful => match front.find(&place, &self.id).await {
                Ok(Some(posted)) => front.edit(&posted, &self.parent).await.map(|()| posted),
                Ok(None) => front.post_as(&place, &self.parent, &self.id).await,
                Err(error) => Err(error),
            },
            None => front.post_as(&place, &self.parent, &self.id).await,
        };
        let posted = match posted {
            Ok(posted) => posted,
            Err(error) => return Shown { id: self.id, outcome: Err(error), done: true, unsaid: self.notes },
        };
        let thread = Place { channel: posted.channel.clone(), thread: Some(posted.id.clone()) };
        let stands = Shown { id: self.id.clone(), outcome: Ok(posted.clone()), done: false, unsaid: Vec::new() };
        // Nobody listens any more only when all ends.
        let _ = events.send(Event::Shown(stands)).await;
        for message in &self.thread {
            if let Err(error) = front.post(&thread, message).await {
                // The message itself stands; a line of its thread is not worth saying twice.
                tracing::warn!(id = self.id, %error, "a line of an alert's thread could not be said: {error}");
                break;
            }
        }
        Shown { id: self.id, outcome: Ok(posted), done: true, unsaid: Vec::new() }
    }
}
