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
mod report;
mod route;
mod settle;
mod tally;

pub use people::{Again, Ask, Reaction};

use super::clusters::Clusters;
use crate::chat::front::Front;
use crate::cluster::Seen;
use crate::diagnosis::Diagnosis;
use crate::facts::Workload;
use crate::facts::lean::{LeanNode, LeanPod};
use crate::metrics::Metrics;
use crate::settings::{HumanDuration, InForce};
use crate::store::{Store, StoreError};
use crate::target::{Target, What};
use crate::watch::book::{Book, Pace, Storm, Touched};
use crate::watch::incident::Incident;
use crate::watch::scope::{Owner, Scope};
use crate::watch::silence::Silence;
use crate::watch::state::{ClusterState, Due, Over};
use jiff::{SignedDuration, Timestamp};
use keep::Keeper;
use publish::{Channels, Publisher, Shown};
use settle::{Settling, still};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use tally::Tally;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio::time::sleep;

/// How many pods are diagnosed at once for alerts. Each holds what it reads; when much is sick at once, the first alerts
/// wait for their companions anyway.
const DIAGNOSES: usize = 2;
/// How long what was diagnosed waits for what breaks in the same moment, so that a storm is seen as one.
const GATHER: SignedDuration = SignedDuration::from_millis(700);
/// The longest sleep of the loop.
const LONGEST: Duration = Duration::from_secs(3_600);
/// How many events may wait; a watch that is faster waits itself.
const BACKLOG: usize = 512;

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
    /// What came of saying a report.
    Reported {
        id: String,
        outcome: Result<(), String>,
    },
    Asked(Ask),
}

/// What a diagnosis for an alert came to.
pub struct Diagnosed {
    cluster: String,
    due: Due,
    outcome: Result<Diagnosis, NotDiagnosed>,
    /// The pod's workload; `None` = it could not be read.
    owner: Option<Owner>,
    /// What the pod's workload and namespace say to us.
    annotations: BTreeMap<String, String>,
}

enum NotDiagnosed {
    /// The pod is gone.
    Gone,
    /// The cluster could not be read.
    Unread(String),
}

/// What makes pods wait for one diagnosis instead of one each.
type Alike = (String, Workload, crate::watch::stuck::Symptom, Option<String>);

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
    tally: Tally,
    /// What is looked at; `None` = everything.
    only: Option<Target>,
    /// What is sick already is told one by one, too.
    no_summary: bool,
    /// A report is being said; it is tried again at this moment.
    reporting: Option<Timestamp>,
    /// Since when something is waiting to be told.
    unplaced: Option<Timestamp>,
    /// Clusters whose list is not worked off yet: what is sick there was so before.
    starting: BTreeSet<String>,
    /// Clusters of which not everything was seen since the start. Nothing of theirs is judged to be over, or told.
    unsettled: BTreeMap<String, Settling>,
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
        let book = Book::of(incidents, digests);
        Ok(Self {
            publisher: Publisher::new(front, settings.clone(), events.clone()),
            keeper,
            states: clusters.iter().map(|cluster| (cluster.name.clone(), ClusterState::default())).collect(),
            silences: silences.into_iter().map(|silence| (silence.id.clone(), silence)).collect(),
            asked: BTreeMap::new(),
            looked_at: BTreeMap::new(),
            unsettled: clusters.iter().map(|cluster| (cluster.name.clone(), Settling::default())).collect(),
            slots: Arc::new(Semaphore::new(DIAGNOSES)),
            tasks: JoinSet::new(),
            clusters,
            settings,
            events,
            clock,
            tally: Tally::new(Arc::default()),
            only: None,
            no_summary: false,
            reporting: None,
            unplaced: book.has_untold().then(clock),
            book,
            starting: BTreeSet::new(),
        })
    }

    /// Counts there.
    #[must_use]
    pub fn metered(mut self, metrics: Arc<Metrics>) -> Self {
        self.tally = Tally::new(metrics);
        self
    }

    /// Looks at a target alone, or at everything, and tells one by one what is sick already.
    #[must_use]
    pub fn one_by_one(mut self, only: Option<Target>) -> Self {
        (self.only, self.no_summary) = (only, true);
        self
    }

    /// Watches until nothing can come in any more.
    pub async fn run(mut self, mut inbox: mpsc::Receiver<Event>) {
        let namespace = self.only.as_ref().and_then(Target::namespace).map(str::to_owned);
        for cluster in self.clusters.iter() {
            self.tasks.spawn(diagnose::pods(cluster.clone(), namespace.clone(), self.events.clone()));
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
        let book = self.book.next(self.pace(), |incident| self.still(incident));
        let book = book.into_iter().chain(self.book.heard_at(now, |incident| self.is_unheard(incident, now)));
        states
            .chain(place)
            .chain(silences)
            .chain(book)
            .chain(self.publisher.next())
            .chain(self.next_report(now))
            .min()
            .map(|at| at.max(now))
    }

    async fn take(&mut self, event: Event, now: Timestamp) {
        match event {
            Event::Pod { cluster, seen } => self.pod(&cluster, seen, now).await,
            Event::Node { cluster, seen } => self.node(&cluster, seen, now).await,
            Event::Diagnosed(diagnosed) => self.diagnosed(*diagnosed, now).await,
            Event::Scoped { incident, scope } => self.scoped(&incident, scope).await,
            Event::Shown(shown) => self.shown(shown, now).await,
            Event::Reported { id, outcome } => self.reported(&id, outcome, now).await,
            Event::Asked(ask) => self.asked(ask, now).await,
        }
    }

    async fn pod(&mut self, cluster: &str, seen: Seen<LeanPod>, now: Timestamp) {
        self.tally.saw(cluster, "pods", &seen, now);
        if let (Some(only), Seen::There(pod)) = (&self.only, &seen)
            && !concerns(only, pod)
        {
            return;
        }
        let settings = self.settings.get();
        let Some(state) = self.states.get_mut(cluster) else { return };
        let over = match seen {
            Seen::Listing => {
                state.relist();
                self.starting.insert(cluster.to_owned());
                return;
            }
            Seen::Listed => {
                let over = state.relisted();
                self.over(cluster, over, now).await;
                return self.listed(cluster, now, |settling| settling.pods = true).await;
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
        self.tally.saw(cluster, "nodes", &seen, now);
        let settings = self.settings.get();
        let Some(state) = self.states.get_mut(cluster) else { return };
        let over = match seen {
            Seen::Listing => return state.relist_nodes(),
            Seen::Listed => {
                let over = state.relisted_nodes(&settings.watch, now);
                self.over(cluster, over, now).await;
                return self.listed(cluster, now, |settling| settling.nodes = true).await;
            }
            Seen::There(node) => state.apply_node(&node, &settings.watch, now),
            Seen::Gone(node) => state.delete_node(&node, &settings.watch, now),
            Seen::Broken(why) => {
                tracing::warn!(cluster, why, "the watch over the nodes of {cluster} broke, and goes on: {why}");
                // Pods can be judged without their nodes, if need be.
                return self.listed(cluster, now, |settling| settling.nodes = true).await;
            }
        };
        self.over(cluster, over, now).await;
    }

    async fn over(&mut self, cluster: &str, over: Vec<Over>, now: Timestamp) {
        let touched = leave(&mut self.book, cluster, over, now);
        self.look_at(&touched.incidents);
        self.show(touched).await;
    }

    /// Does what is due.
    async fn work(&mut self, now: Timestamp) {
        self.tally.looks(&self.states, now);
        let mut touched = Touched::default();
        for cluster in self.clusters.iter().cloned().collect::<Vec<_>>() {
            let Some(state) = self.states.get_mut(&cluster.name) else { continue };
            let (due, over) = state.due(now);
            touched.add(leave(&mut self.book, &cluster.name, over, now));
            for due in due {
                let joined = self.book.join(&cluster.name, &due).unwrap_or_default();
                let known = joined.incidents.iter().filter_map(|id| self.book.incidents.get(id));
                if known.clone().next().is_none() || known.clone().any(|known| self.publisher.lacks_details(known)) {
                    self.ask(&cluster, due, now);
                }
                touched.add(joined);
            }
        }
        self.look_at(&touched.incidents);
        self.end_silences(now).await;
        if self.book.heard_at(now, |incident| self.is_unheard(incident, now)).is_some_and(|at| at <= now) {
            self.unplaced.get_or_insert(now);
        }
        let ready = self.asked.is_empty() || self.unplaced.is_some_and(|since| now.duration_since(since) >= GATHER);
        if ready && self.unplaced.take().is_some() {
            let storm = self.storm();
            let (silences, unsettled) = (&self.silences, &self.unsettled);
            let silenced = |incident: &Incident| silences.values().any(|silence| silence.covers(incident, now));
            let quiet = |incident: &Incident| unsettled.contains_key(&incident.key.cluster) || silenced(incident);
            let at_start = !self.starting.is_empty() && !self.no_summary;
            touched.add(self.book.place(at_start, storm, now, quiet));
        }
        if self.asked.is_empty() {
            self.starting.retain(|cluster| self.states.get(cluster).is_some_and(ClusterState::is_listing));
        }
        let (states, unsettled, looked_at) = (&self.states, &self.unsettled, &self.looked_at);
        let still = |incident: &Incident| still(states, unsettled, looked_at, incident);
        let silences = &self.silences;
        let silenced = |incident: &Incident| silences.values().any(|silence| silence.covers(incident, now));
        touched.add(self.book.tick(now, self.pace(), still, silenced));
        self.show(touched).await;
        self.publisher.retry(now, &self.book);
        self.report(now).await;
        let (incidents, digests) = self.book.forget(now);
        self.keeper.forget(&incidents, &digests).await;
        self.tally.keeps(&self.states, &self.book);
        let history = self.settings.get().store.history;
        self.keeper.prune(history, now).await;
    }

    /// Ends the silences whose time is over: what they covered is heard of from now on.
    async fn end_silences(&mut self, now: Timestamp) {
        let ended: Vec<String> =
            self.silences.values().filter(|silence| silence.until <= now).map(|silence| silence.id.clone()).collect();
        for id in ended {
            self.silences.remove(&id);
            self.keeper.forget_silence(&id).await;
            self.unplaced.get_or_insert(now);
        }
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

    /// Keeps what was touched, then shows it.
    async fn show(&mut self, touched: Touched) {
        if touched == Touched::default() {
            return;
        }
        self.book.write_down(&touched);
        self.keeper.keep(&touched, &self.book).await;
        self.publisher.show(&touched, &self.book);
    }

    async fn shown(&mut self, shown: Shown, now: Timestamp) {
        let (touched, channels) = self.publisher.shown(shown, &mut self.book, now);
        self.keeper.keep(&touched, &self.book).await;
        match channels {
            Some(Channels::Open(channel)) => self.keeper.may_be_told(&closed(&channel)).await,
            Some(Channels::Closed { channel, code }) if self.keeper.tell_once(&closed(&channel), now).await => {
                let named_by = route::named_by(&self.settings.get(), &channel);
                self.publisher.tell_closed(&channel, &code, &named_by);
            }
            Some(Channels::Closed { .. }) | None => {}
        }
        self.publisher.show(&Touched::default(), &self.book);
    }
}

/// Takes pods that are well or gone out of their incidents.
fn leave(book: &mut Book, cluster: &str, over: Vec<Over>, now: Timestamp) -> Touched {
    let mut touched = Touched::default();
    for Over::Well(pod) | Over::Gone(pod) in over {
        touched.add(book.leave(cluster, &pod, now));
    }
    touched
}

/// Returns true where a target means a pod.
fn concerns(target: &Target, pod: &LeanPod) -> bool {
    match &target.what {
        What::Cluster => true,
        What::Namespace(namespace) => pod.namespace() == namespace,
        What::Pod { namespace, prefix } => pod.namespace() == namespace && pod.name().starts_with(prefix),
        What::Workload { namespace, kind, name } => {
            let workload = Workload::of_pod(&pod.metadata);
            pod.namespace() == namespace && workload.kind == kind.name() && workload.name == *name
        }
    }
}

/// Returns the id of the notice that a channel cannot be used.
fn closed(channel: &str) -> String {
    format!("closed-{channel}")
}
