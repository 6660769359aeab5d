//! The watch: pods are seen, what is due is diagnosed, and incidents are told, edited and resolved.
//!
//! One loop owns the clusters' state, the book of incidents and the silences; whatever takes time (a diagnosis, a message)
//! runs beside it and comes back as an event. Nothing is said before it is kept, so a kill at any moment neither loses an
//! alert nor tells it twice.
//!
//! ```text
//! watch stream ─► state ─► due ─► diagnose ─► book ─► keep ─► publish (post, then edits) ─► address kept
//!                             people (reactions, commands) ─┘
//! ```

mod diagnose;
mod keep;
mod owner;
mod people;
mod publish;
mod route;

pub use people::{Ask, Reaction};

use super::clusters::Clusters;
use crate::chat::front::Front;
use crate::cluster::{Cluster, Seen};
use crate::diagnosis::{Diagnosis, Verdict};
use crate::facts::lean::{LeanNode, LeanPod};
use crate::settings::{HumanDuration, InForce};
use crate::store::{Store, StoreError};
use crate::watch::book::{Book, Pace, Storm, Touched, UNKNOWN};
use crate::watch::incident::{Incident, Key};
use crate::watch::scope::{Owner, Scope};
use crate::watch::silence::Silence;
use crate::watch::state::{ClusterState, Due, Over};
use diagnose::{alike, diagnose, sure, told};
use jiff::{SignedDuration, Timestamp};
use keep::Keeper;
use publish::{Publisher, Shown};
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio::time::sleep;

/// How many pods are diagnosed at once for alerts. Each holds what it reads; when much is sick at once, the first alerts
/// wait for their companions anyway.
const DIAGNOSES: usize = 2;
/// How long what was diagnosed waits for what breaks in the same moment, so that a storm is seen as one.
const GATHER: SignedDuration = SignedDuration::from_millis(700);
/// When a pod is asked about again whose diagnosis said that it only waits, and one that could not be read.
const ASK_AGAIN: SignedDuration = SignedDuration::from_secs(30);
const TRY_AGAIN: SignedDuration = SignedDuration::from_secs(15);
/// The longest sleep of the loop.
const LONGEST: Duration = Duration::from_secs(3_600);
/// How many events may wait; a watch that is faster waits itself.
const BACKLOG: usize = 128;

/// Something that the loop hears of.
pub enum Event {
    Pod {
        cluster: String,
        seen: Seen<LeanPod>,
    },
    Node {
        cluster: String,
        seen: Seen<LeanNode>,
    },
    Diagnosed(Box<Diagnosed>),
    /// The workload of an incident was looked at; `None` = it could not be.
    Scoped {
        incident: String,
        scope: Option<Box<Scope>>,
    },
    Shown(Shown),
    Asked(Ask),
}

/// What a diagnosis for an alert came to.
pub struct Diagnosed {
    cluster: String,
    due: Due,
    outcome: Result<Diagnosis, NotDiagnosed>,
    /// The pod's workload; `None` = it could not be read.
    owner: Option<Owner>,
}

enum NotDiagnosed {
    /// The pod is gone.
    Gone,
    /// The cluster could not be read.
    Unread(String),
}

/// What makes pods wait for one diagnosis instead of one each.
type Alike = (String, crate::facts::Workload, crate::watch::stuck::Symptom, Option<String>);

/// The watch over all clusters.
pub struct Watching<F, S> {
    clusters: Clusters,
    settings: InForce,
    publisher: Publisher<F>,
    keeper: Keeper<S>,
    states: BTreeMap<String, ClusterState>,
    book: Book,
    silences: BTreeMap<String, Silence>,
    /// Pods whose diagnosis is under way, with those that wait for it.
    asked: BTreeMap<Alike, Vec<Due>>,
    /// Incidents whose workload is being looked at, and whether it is to be looked at once more.
    looked_at: BTreeMap<String, bool>,
    slots: Arc<Semaphore>,
    tasks: JoinSet<()>,
    events: mpsc::Sender<Event>,
    /// What the time is: the loop is woken by it.
    clock: fn() -> Timestamp,
    /// Since when something is waiting to be told.
    unplaced: Option<Timestamp>,
    /// Clusters whose list is not worked off yet: what is sick there was so before.
    starting: BTreeSet<String>,
}

/// Returns a way to the loop.
pub fn channel() -> (mpsc::Sender<Event>, mpsc::Receiver<Event>) {
    mpsc::channel(BACKLOG)
}

impl<F: Front + 'static, S: Store + 'static> Watching<F, S> {
    /// Goes on where the store says that it stopped.
    ///
    /// # Errors
    /// Where the store cannot be read.
    pub async fn resume(
        front: Arc<F>,
        clusters: Clusters,
        settings: InForce,
        store: S,
        events: mpsc::Sender<Event>,
        clock: fn() -> Timestamp,
    ) -> Result<Self, StoreError> {
        let (keeper, incidents, digests, silences) = Keeper::load(store).await?;
        Ok(Self {
            publisher: Publisher::new(front, settings.clone(), events.clone()),
            keeper,
            states: clusters.iter().map(|cluster| (cluster.name.clone(), ClusterState::default())).collect(),
            book: Book::of(incidents, digests),
            silences: silences.into_iter().map(|silence| (silence.id.clone(), silence)).collect(),
            asked: BTreeMap::new(),
            looked_at: BTreeMap::new(),
            slots: Arc::new(Semaphore::new(DIAGNOSES)),
            tasks: JoinSet::new(),
            clusters,
            settings,
            events,
            clock,
            unplaced: None,
            starting: BTreeSet::new(),
        })
    }

    /// Watches until nothing can come in any more.
    pub async fn run(mut self, mut inbox: mpsc::Receiver<Event>) {
        for cluster in self.clusters.iter() {
            self.tasks.spawn(diagnose::pods(cluster.clone(), self.events.clone()));
            self.tasks.spawn(diagnose::nodes(cluster.clone(), self.events.clone()));
        }
        self.publisher.recover(&self.book);
        loop {
            let now = (self.clock)();
            let wait = self
                .next(now)
                .map_or(LONGEST, |at| Duration::try_from(at.duration_since(now)).unwrap_or_default().min(LONGEST));
            let event = tokio::select! {
                event = inbox.recv() => match event { Some(event) => Some(event), None => return },
                () = sleep(wait) => None,
            };
            let now = (self.clock)();
            if let Some(event) = event {
                self.take(event, now).await;
                // What has come in meanwhile is taken before anything is decided.
                while let Ok(event) = inbox.try_recv() {
                    self.take(event, now).await;
                }
            }
            self.work(now).await;
            while self.tasks.try_join_next().is_some() {}
        }
    }

    /// Returns the next moment at which something is to be done without any event.
    fn next(&self, now: Timestamp) -> Option<Timestamp> {
        let states = self.states.values().filter_map(ClusterState::next);
        let place = self.unplaced.and_then(|since| since.saturating_add(GATHER).ok());
        let silences = self.silences.values().map(|silence| silence.until);
        let book = self.book.next(self.pace());
        states.chain(place).chain(silences).chain(book).chain(self.publisher.next()).min().map(|at| at.max(now))
    }

    async fn take(&mut self, event: Event, now: Timestamp) {
        match event {
            Event::Pod { cluster, seen } => self.pod(&cluster, seen, now).await,
            Event::Node { cluster, seen } => self.node(&cluster, seen, now).await,
            Event::Diagnosed(diagnosed) => self.diagnosed(*diagnosed, now).await,
            Event::Scoped { incident, scope } => self.scoped(&incident, scope).await,
            Event::Shown(shown) => self.shown(shown, now).await,
            Event::Asked(ask) => self.asked(ask, now).await,
        }
    }

    async fn pod(&mut self, cluster: &str, seen: Seen<LeanPod>, now: Timestamp) {
        let settings = self.settings.get();
        let Some(state) = self.states.get_mut(cluster) else { return };
        let over = match seen {
            Seen::Listing => {
                state.relist();
                self.starting.insert(cluster.to_owned());
                return;
            }
            Seen::Listed => {
                let mut over = state.relisted();
                // An incident of an earlier life may name pods that recovered while nobody watched.
                let known = self.book.open().filter(|incident| incident.key.cluster == cluster);
                over.extend(known.flat_map(|i| &i.pods).filter(|pod| !state.has(pod)).cloned().map(Over::Well));
                over
            }
            Seen::There(pod) => state.apply(pod, &settings.watch, now).into_iter().collect(),
            Seen::Gone(pod) => state.delete(&pod).into_iter().collect(),
            Seen::Broken(why) => {
                tracing::warn!(cluster, why, "the watch over the pods of {cluster} broke, and goes on: {why}");
                return;
            }
        };
        self.over(cluster, over, now).await;
    }

    async fn node(&mut self, cluster: &str, seen: Seen<LeanNode>, now: Timestamp) {
        let settings = self.settings.get();
        let Some(state) = self.states.get_mut(cluster) else { return };
        let over = match seen {
            Seen::Listing | Seen::Listed => return,
            Seen::There(node) => state.apply_node(&node, &settings.watch, now),
            Seen::Gone(node) => state.delete_node(&node, &settings.watch, now),
            Seen::Broken(why) => {
                tracing::warn!(cluster, why, "the watch over the nodes of {cluster} broke, and goes on: {why}");
                return;
            }
        };
        self.over(cluster, over, now).await;
    }

    async fn over(&mut self, cluster: &str, over: Vec<Over>, now: Timestamp) {
        let mut touched = Touched::default();
        for over in over {
            let (Over::Well(pod) | Over::Gone(pod)) = over;
            touched.add(self.book.leave(cluster, &pod, now));
        }
        self.look_at(&touched.incidents);
        self.show(touched).await;
    }

    /// Does what is due.
    async fn work(&mut self, now: Timestamp) {
        let mut touched = Touched::default();
        for cluster in self.clusters.iter().cloned().collect::<Vec<_>>() {
            let Some(state) = self.states.get_mut(&cluster.name) else { continue };
            let (due, over) = state.due(now);
            for over in over {
                let (Over::Well(pod) | Over::Gone(pod)) = over;
                touched.add(self.book.leave(&cluster.name, &pod, now));
            }
            for due in due {
                match self.book.join(&cluster.name, &due) {
                    Some(joined) => touched.add(joined),
                    None => self.ask(&cluster, due, now),
                }
            }
        }
        self.look_at(&touched.incidents);
        self.silences.retain(|_, silence| silence.until > now);
        let ready = self.asked.is_empty() || self.unplaced.is_some_and(|since| now.duration_since(since) >= GATHER);
        if ready && self.unplaced.take().is_some() {
            let storm = self.storm();
            let silences = &self.silences;
            let quiet = |key: &Key| silences.values().any(|silence| silence.covers(key, now));
            touched.add(self.book.place(!self.starting.is_empty(), storm, now, quiet));
        }
        if self.asked.is_empty() {
            self.starting.retain(|cluster| self.states.get(cluster).is_some_and(ClusterState::is_listing));
        }
        let (states, looked_at) = (&self.states, &self.looked_at);
        let still = |incident: &Incident| {
            let state = states.get(&incident.key.cluster);
            let mut subjects = std::iter::once(&incident.key.subject)
                .chain(incident.workloads.iter().filter(|_| incident.is_shared()));
            // What changed is to be known when the end is told.
            looked_at.contains_key(&incident.id)
                || state.is_some_and(|state| subjects.any(|subject| state.has_suspects_of(subject)))
        };
        touched.add(self.book.tick(now, self.pace(), still));
        self.show(touched).await;
        self.publisher.retry(now, &self.book);
        let (incidents, digests) = self.book.forget(now);
        self.keeper.forget(&incidents, &digests).await;
    }

    fn pace(&self) -> Pace {
        let watch = &self.settings.get().watch;
        let signed = |duration: HumanDuration| SignedDuration::try_from(duration.get()).unwrap_or(SignedDuration::MAX);
        Pace { hold_down: signed(watch.resolve_after), remind_after: watch.remind_after.map(signed) }
    }

    fn storm(&self) -> Storm {
        let storm = self.settings.get().watch.storm;
        Storm { messages: storm.messages, within: SignedDuration::try_from(storm.within.get()).unwrap_or_default() }
    }

    /// Diagnoses a pod, unless one like it is being diagnosed.
    fn ask(&mut self, cluster: &Cluster, due: Due, now: Timestamp) {
        let alike = alike(&cluster.name, &due);
        let waiting = self.asked.entry(alike);
        if let Entry::Occupied(mut waiting) = waiting {
            waiting.get_mut().push(due);
            return;
        }
        waiting.or_default();
        self.unplaced.get_or_insert(now);
        let (cluster, slots, events) = (cluster.clone(), self.slots.clone(), self.events.clone());
        let (catalogue, clock) = (self.settings.catalogue(), self.clock);
        self.tasks.spawn(async move {
            let Ok(_slot) = slots.acquire().await else { return };
            let (outcome, owner) = tokio::join!(
                diagnose(&cluster, &due.pod, clock(), &catalogue),
                owner::read(&cluster, &due.workload, false),
            );
            let diagnosed = Diagnosed { cluster: cluster.name, due, outcome, owner };
            // Nobody listens any more only when all ends.
            let _ = events.send(Event::Diagnosed(Box::new(diagnosed))).await;
        });
    }

    async fn diagnosed(&mut self, diagnosed: Diagnosed, now: Timestamp) {
        let Diagnosed { cluster, due, outcome, owner } = diagnosed;
        let waiting = self.asked.remove(&alike(&cluster, &due)).unwrap_or_default();
        let Some(state) = self.states.get_mut(&cluster) else { return };
        let all: Vec<Due> = std::iter::once(due).chain(waiting).filter(|due| state.is_due(&due.pod)).collect();
        let again = |state: &mut ClusterState, after: SignedDuration| {
            for due in &all {
                state.again(&due.pod, now.saturating_add(after).unwrap_or(Timestamp::MAX));
            }
        };
        let diagnosis = match outcome {
            // Its deletion is on its way to us.
            Err(NotDiagnosed::Gone) => return again(state, TRY_AGAIN),
            Err(NotDiagnosed::Unread(why)) => {
                tracing::warn!(cluster, why, "a sick pod could not be diagnosed, trying again: {why}");
                return again(state, TRY_AGAIN);
            }
            Ok(diagnosis) => diagnosis,
        };
        if matches!(diagnosis.verdict, Verdict::Healthy | Verdict::Completed | Verdict::Waiting) {
            return again(state, ASK_AGAIN);
        }
        let Some(first) = all.first() else { return };
        let finding = sure(&diagnosis);
        let cause = finding.map_or(UNKNOWN, |finding| finding.cause.id);
        let subject = diagnose::subject(first, finding);
        let key = Key { cluster: cluster.clone(), subject, cause: cause.to_owned() };
        let Some(channel) = route::channel(&self.settings.get(), &cluster, first) else {
            tracing::warn!(cluster, pod = %first.pod, "no channel to tell it in: set slack.default_channel or routes");
            return;
        };
        let told = told(&diagnosis);
        let mut touched = Touched::default();
        for due in &all {
            touched.add(self.book.sick(key.clone(), due, told.clone(), &channel, now));
        }
        for id in touched.incidents.clone() {
            self.publisher.learn(&id, &diagnosis, &channel);
            if let Some(owner) = &owner {
                touched.add(self.book.scoped(&id, owner.scope.clone()));
            }
        }
        self.unplaced.get_or_insert(now);
        self.show(touched).await;
    }

    /// Has the workloads of incidents looked at: how many pods they want, how many serve, and what changed.
    fn look_at(&mut self, incidents: &BTreeSet<String>) {
        for id in incidents {
            let Some(incident) = self.book.incidents.get(id).filter(|incident| incident.is_open()) else { continue };
            let Some(workload) = incident.workload().and_then(owner::workload) else { continue };
            let Ok(cluster) = self.clusters.get(Some(&incident.key.cluster)) else { continue };
            match self.looked_at.entry(id.clone()) {
                Entry::Occupied(mut once_more) => drop(once_more.insert(true)),
                Entry::Vacant(place) => {
                    place.insert(false);
                    let (cluster, events, id) = (cluster.clone(), self.events.clone(), id.clone());
                    let with_nodes = incident.pods.is_empty();
                    self.tasks.spawn(async move {
                        // The owner's own count follows its pods.
                        sleep(owner::SETTLES).await;
                        let owner = owner::read(&cluster, &workload, with_nodes).await;
                        let scope = owner.map(|owner| Box::new(owner.scope));
                        // Nobody listens any more only when all ends.
                        let _ = events.send(Event::Scoped { incident: id, scope }).await;
                    });
                }
            }
        }
    }

    async fn scoped(&mut self, incident: &str, scope: Option<Box<Scope>>) {
        let once_more = self.looked_at.remove(incident);
        if let Some(scope) = scope {
            let touched = self.book.scoped(incident, *scope);
            self.show(touched).await;
        }
        if once_more == Some(true) {
            self.look_at(&[incident.to_owned()].into());
        }
    }

    /// Keeps what was touched, then shows it.
    async fn show(&mut self, touched: Touched) {
        if touched == Touched::default() {
            return;
        }
        self.keeper.keep(&touched, &self.book).await;
        self.publisher.show(&touched, &self.book);
    }

    async fn shown(&mut self, shown: Shown, now: Timestamp) {
        let touched = self.publisher.shown(shown, &mut self.book, now);
        self.keeper.keep(&touched, &self.book).await;
        self.publisher.show(&Touched::default(), &self.book);
    }
}
