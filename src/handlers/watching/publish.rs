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
    /// Where the message stands, and shows what it should.
    posted: Option<Posted>,
    /// The numbers of the notes that its thread has said.
    said: Vec<u32>,
    /// Nothing more comes of it. Where the message stands is told before its thread is said: people react at once.
    done: Option<Result<(), FrontError>>,
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
    /// What is to be shown, and what is being shown.
    waiting: BTreeSet<String>,
    busy: BTreeSet<String>,
    /// What failed, and when it is tried again.
    failed: BTreeMap<String, Timestamp>,
    /// What may have been said already: by an earlier life, or with a reply that was lost.
    doubtful: BTreeSet<String>,
}

impl<F: Front + 'static> Publisher<F> {
    pub fn new(front: Arc<F>, settings: InForce, events: mpsc::Sender<Event>) -> Self {
        Self {
            front,
            settings,
            events,
            details: BTreeMap::new(),
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
        let incidents = book.incidents.values().filter(|incident| incident.stands_alone());
        let incidents = incidents.filter(|i| i.message.is_none() || i.stale || !i.unsaid.is_empty());
        let digests = book.digests.values();
        let digests = digests.filter(|d| d.message.is_none() || d.stale || d.listed < d.incidents.len());
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

    /// Returns true where the thread waits for the details of a diagnosis that is not known (any more).
    pub fn lacks_details(&self, incident: &Incident) -> bool {
        wants_details(incident) && !self.details.contains_key(&incident.id)
    }

    /// Forgets the details of a diagnosis: the thread waits for those of the next one.
    pub fn unlearn(&mut self, incident: &str) {
        self.details.remove(incident);
    }

    /// Shows what was touched, as soon as it is its turn.
    pub fn show(&mut self, touched: &Touched, book: &Book) {
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
        let Shown { id, posted, said, done } = shown;
        let (mut touched, mut channels) = (Touched::default(), None);
        let stands = posted.is_some();
        // What has changed meanwhile is shown by the next edit.
        let fresh = stands && !self.waiting.contains(&id);
        let address = posted.map(|posted| Address { channel: posted.channel, id: posted.id });
        if let Some(incident) = book.incidents.get_mut(&id) {
            let before = (incident.message.clone(), incident.unsaid.len(), incident.stale);
            if stands && incident.channel == incident.routed {
                channels = Some(Channels::Open(incident.routed.clone()));
            }
            incident.message = address.or(incident.message.take());
            incident.stale &= !fresh;
            incident.unsaid.retain(|(number, _)| !said.contains(number));
            if matches!(done, Some(Err(FrontError::Gone { .. }))) || (stands && is_refused(done.as_ref())) {
                // There is no thread that takes it.
                (incident.stale, incident.unsaid) = (false, Vec::new());
            }
            if !wants_details(incident) {
                self.details.remove(&id);
            }
            if before != (incident.message.clone(), incident.unsaid.len(), incident.stale) {
                touched.incidents.insert(id.clone());
            }
        } else if let Some(digest) = book.digests.get_mut(&id) {
            let before = (digest.message.clone(), digest.stale, digest.listed);
            digest.message = address.or(digest.message.take());
            digest.stale &= !fresh;
            digest.listed = said.iter().map(|count| *count as usize).max().unwrap_or(0).max(digest.listed);
            if matches!(done, Some(Err(FrontError::Gone { .. }))) || (stands && is_refused(done.as_ref())) {
                (digest.stale, digest.listed) = (false, digest.incidents.len());
            }
            if before != (digest.message.clone(), digest.stale, digest.listed) {
                touched.digests.insert(id.clone());
            }
        }
        let Some(outcome) = done else { return (touched, channels) };
        self.busy.remove(&id);
        match outcome {
            // What its thread could not say yet, for want of its details, is still in doubt.
            Ok(()) if book.incidents.get(&id).is_some_and(|incident| !incident.unsaid.is_empty()) => {}
            Ok(()) => drop(self.doubtful.remove(&id)),
            Err(FrontError::Gone { .. }) => tracing::warn!(id, "the message of an incident was deleted; it stays so"),
            Err(error @ FrontError::Rejected { .. }) if stands => {
                tracing::warn!(id, %error, "the thread of an alert could not be said: {error}");
            }
            Err(FrontError::NotMember { code } | FrontError::Closed { code }) => {
                let fallback = self.settings.get().slack.default_channel.clone();
                let channel = match book.incidents.get_mut(&id) {
                    Some(incident) => Some(&mut incident.channel),
                    None => book.digests.get_mut(&id).map(|digest| &mut digest.channel),
                };
                match (channel, fallback) {
                    (Some(channel), Some(fallback)) if *channel != fallback => {
                        tracing::warn!(
                            id,
                            channel = *channel,
                            code,
                            "cannot post there, using the default channel: {code}"
                        );
                        channels = Some(Channels::Closed { channel: channel.clone(), code });
                        *channel = fallback;
                        // What stands there already cannot be edited any more: it is told anew.
                        touched.add(book.told_anew(&id));
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

    fn start(&mut self, book: &Book) {
        let ready: Vec<String> = self.waiting.iter().filter(|id| !self.busy.contains(*id)).cloned().collect();
        for id in ready {
            if self.failed.contains_key(&id) {
                // It is tried again in its time; what changed meanwhile is shown then.
                self.waiting.remove(&id);
                continue;
            }
            let work = match (book.incidents.get(&id), book.digests.get(&id)) {
                (Some(incident), _) if incident.stands_alone() => self.of_incident(incident),
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
        if !wants_details(incident) {
            self.details.remove(&incident.id);
        }
        // The details of one diagnosis are said once, and again when it came back.
        let mut details = self.details.get(&incident.id).cloned();
        let waits = details.is_none() && incident.is_open();
        let mut thread = Vec::new();
        for (number, note) in &incident.unsaid {
            let mut messages: Vec<Message> = alert::note(note, incident, language).into_iter().collect();
            match note {
                // A diagnosis is on its way; then its details are said.
                Note::Opened if waits => continue,
                // It has words of its own, and what comes after it is not said before it.
                Note::Reopened if waits => break,
                Note::Opened | Note::Reopened => messages.extend(details.take().unwrap_or_default()),
                _ => {}
            }
            thread.push(Saying { number: *number, messages });
        }
        Some(Work {
            id: incident.id.clone(),
            channel: incident.channel.clone(),
            message: incident.message.clone(),
            doubtful: self.doubtful.contains(&incident.id),
            parent: alert::parent(incident, language),
            thread,
        })
    }

    fn of_digest(&mut self, digest: &Digest, book: &Book) -> Option<Work> {
        let language = language(&self.settings.get(), &digest.channel);
        let of = |ids: &[String]| ids.iter().filter_map(|id| book.incidents.get(id)).collect::<Vec<&Incident>>();
        let (parent, _) = alert::digest(digest, &of(&digest.incidents), language);
        // Each stands in the thread once; what changes shows in the message.
        let (_, messages) = alert::digest(digest, &of(digest.incidents.get(digest.listed..)?), language);
        let number = u32::try_from(digest.incidents.len()).ok()?;
        let thread = if messages.is_empty() { Vec::new() } else { vec![Saying { number, messages }] };
        Some(Work {
            id: digest.id.clone(),
            channel: digest.channel.clone(),
            message: digest.message.clone(),
            doubtful: self.doubtful.contains(&digest.id),
            parent,
            thread,
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
    thread: Vec<Saying>,
}

/// What a thread is to say: of a note, by its number; of a digest's incidents, by how many are listed then.
struct Saying {
    number: u32,
    messages: Vec<Message>,
}

impl Work {
    async fn run<F: Front>(self, front: &F, events: &mpsc::Sender<Event>) -> Shown {
        let posted = match self.parent(front).await {
            Ok(posted) => posted,
            Err(error) => return Shown { id: self.id, posted: None, said: Vec::new(), done: Some(Err(error)) },
        };
        let stands = Shown { id: self.id.clone(), posted: Some(posted.clone()), said: Vec::new(), done: None };
        // Nobody listens any more only when all ends.
        let _ = events.send(Event::Shown(stands)).await;
        let thread = Place { channel: posted.channel.clone(), thread: Some(posted.id.clone()) };
        let mut said = Vec::new();
        let mut outcome = Ok(());
        for Saying { number, messages } in &self.thread {
            for (index, message) in messages.iter().enumerate() {
                let key = format!("{}/{number}.{index}", self.id);
                outcome = once(front, &thread, message, &key, self.doubtful).await.map(drop);
                if outcome.is_err() {
                    return Shown { id: self.id, posted: Some(posted), said, done: Some(outcome) };
                }
            }
            said.push(*number);
        }
        if self.message.is_some() {
            sleep(PACE).await;
        }
        Shown { id: self.id, posted: Some(posted), said, done: Some(outcome) }
    }

    /// Posts the message, or brings it up to date where it stands already.
    async fn parent<F: Front>(&self, front: &F) -> Result<Posted, FrontError> {
        if let Some(address) = &self.message {
            let posted = Posted { channel: address.channel.clone(), id: address.id.clone() };
            return front.edit(&posted, &self.parent).await.map(|()| posted);
        }
        let place = Place { channel: self.channel.clone(), thread: None };
        match once(front, &place, &self.parent, &self.id, self.doubtful).await? {
            Said::Now(posted) => Ok(posted),
            Said::Before(posted) => front.edit(&posted, &self.parent).await.map(|()| posted),
        }
    }
}

/// A message that stands.
enum Said {
    Now(Posted),
    Before(Posted),
}

/// Says something that carries a key. Where it may have been said already, the conversation is asked first.
async fn once<F: Front>(
    front: &F,
    place: &Place,
    message: &Message,
    key: &str,
    doubtful: bool,
) -> Result<Said, FrontError> {
    if doubtful {
        match front.find(place, key).await {
            Ok(Some(posted)) => return Ok(Said::Before(posted)),
            Ok(None) => {}
            Err(FrontError::Rejected { code }) => {
                // Without the scope for it nobody can look, now or later: rather twice than never.
                tracing::warn!(key, code, "cannot look whether it was said already, saying it: {code}");
            }
            Err(error) => return Err(error),
        }
    }
    front.post_as(place, message, key).await.map(Said::Now)
}

/// Returns whether something was not said, and will not be in this form.
fn is_refused(done: Option<&Result<(), FrontError>>) -> bool {
    matches!(done, Some(Err(FrontError::Rejected { .. })))
}

fn wants_details(incident: &Incident) -> bool {
    incident.unsaid.iter().any(|(_, note)| matches!(note, Note::Opened | Note::Reopened))
}
