//! Random histories under a simulated clock: what is told is held against a model that looks at the pods alone.
//!
//! podoctor here is `ClusterState` and `Book` as `handlers/watching` drives them, with a diagnosis that takes no time, a
//! chat that remembers every message by its key, and a store. It may be killed at any moment: between what it kept and
//! what it said, or between what it said and what it kept of that.

use super::book::{Book, Note, Pace, Storm, Touched, subject};
use super::incident::{Address, Digest, Incident, Key, Told};
use super::state::{ClusterState, Over, PodKey};
use crate::facts::lean::LeanPod;
use crate::settings::{HumanDuration, Watch};
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

/// Chosen so that what follows from events at multiples of five seconds never falls together with another event.
const THRESHOLD: i64 = 61;
const HOLD_DOWN: i64 = 32;
const REOPEN: i64 = 3_600;
const WORKLOADS: usize = 3;
const PODS: usize = 2;

fn at(seconds: i64) -> Timestamp {
    "2026-05-01T10:00:00Z".parse::<Timestamp>().expect("a time") + SignedDuration::from_secs(seconds)
}

fn seconds(moment: Timestamp) -> i64 {
    moment.duration_since(at(0)).as_secs()
}

/// What happens at a moment.
#[derive(Debug, Clone, Copy)]
enum Happens {
    Breaks(usize, usize),
    Recovers(usize, usize),
    Vanishes(usize, usize),
    /// podoctor is killed, and is there again after so many seconds.
    Kill(Moment, i64),
    /// The watch lists everything anew.
    Relist,
}

/// When in its work podoctor is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Moment {
    /// Between two pieces of work.
    Idle,
    /// What happened is kept, and nothing of it is said.
    Kept,
    /// It is said, and that is not kept.
    Said,
}

fn history(kills: bool) -> impl Strategy<Value = Vec<(i64, Happens)>> {
    let pod = (0..WORKLOADS, 0..PODS);
    let moment = prop_oneof![Just(Moment::Idle), Just(Moment::Kept), Just(Moment::Said)];
    let happens = prop_oneof![
        4 => pod.clone().prop_map(|(w, p)| Happens::Breaks(w, p)),
        3 => pod.clone().prop_map(|(w, p)| Happens::Recovers(w, p)),
        1 => pod.prop_map(|(w, p)| Happens::Vanishes(w, p)),
        (if kills { 3 } else { 0 }) => (moment, 1..60_i64).prop_map(|(m, down)| Happens::Kill(m, down * 5)),
        1 => Just(Happens::Relist),
    ];
    // Mostly minutes, now and then more than an hour.
    let gap = prop_oneof![9 => 1..40_i64, 1 => 700..900_i64].prop_map(|gap| gap * 5);
    prop::collection::vec((gap, happens), 1..40).prop_map(|events| {
        let mut now = 0;
        let absolute = |(gap, happens)| {
            now += gap;
            (now, happens)
        };
        events.into_iter().map(absolute).collect()
    })
}

/// The pods as they are.
#[derive(Debug, Default, Clone)]
struct World {
    /// Since when a pod is not ready; `None` = it is ready. What is not there is gone.
    pods: BTreeMap<(usize, usize), Option<i64>>,
}

impl World {
    fn pod(&self, id: (usize, usize)) -> Option<LeanPod> {
        let broken = self.pods.get(&id)?;
        let (status, since) = broken.map_or(("True", 0), |since| ("False", since));
        let (workload, pod) = id;
        let yaml = format!(
            "metadata: {{name: w{workload}-{pod}, namespace: prod, uid: u, creationTimestamp: '{}', ownerReferences: \
             [{{apiVersion: apps/v1, kind: StatefulSet, name: w{workload}, uid: s, controller: true}}]}}\n\
             spec: {{nodeName: n1}}\nstatus: {{phase: Running, conditions: [{{type: Ready, status: '{status}', \
             lastTransitionTime: '{}'}}]}}",
            at(-100),
            at(since)
        );
        Some(serde_saphyr::from_str(&yaml).expect("a pod"))
    }
}

/// A chat: every message by its key, and how often it was posted.
#[derive(Debug, Default)]
struct Chat {
    posted: BTreeMap<String, usize>,
    /// What each incident's thread said, in order, with the moment it was decided at.
    threads: BTreeMap<String, Vec<(i64, Note)>>,
}

struct Podoctor {
    state: ClusterState,
    book: Book,
    watch: Watch,
    settled: bool,
    untold: bool,
    storm: Storm,
}

/// Incidents and digests as the store has them.
type Store = (Vec<Incident>, Vec<Digest>);

impl Podoctor {
    fn start(store: &Store, world: &World, storm: Storm, now: i64) -> Self {
        let json = serde_json::to_string(store).expect("json");
        let (incidents, digests): Store = serde_json::from_str(&json).expect("what was kept is read");
        let mut watch = Watch::default();
        watch.thresholds.not_ready = HumanDuration::seconds(u64::try_from(THRESHOLD).expect("a threshold"));
        let book = Book::of(incidents, digests);
        let untold = book.has_untold();
        let mut own = Self { state: ClusterState::default(), book, watch, settled: false, untold, storm };
        own.list(world, now);
        let (state, mut over) = (&mut own.state, Vec::new());
        for incident in own.book.open() {
            over.extend(incident.pods.iter().filter(|pod| !state.adopt(pod, incident.symptom)).cloned());
        }
        for pod in over {
            let touched = own.book.leave("c", &pod, at(now));
            own.book.write_down(&touched);
        }
        (own.settled, own.untold) = (true, true);
        own
    }

    fn list(&mut self, world: &World, now: i64) {
        self.state.relist();
        for pod in world.pods.keys().filter_map(|id| world.pod(*id)) {
            if let Some(over) = self.state.apply(pod, &self.watch, at(now)) {
                self.over(over, now);
            }
        }
        for over in self.state.relisted() {
            self.over(over, now);
        }
    }

    fn over(&mut self, over: Over, now: i64) {
        let (Over::Well(pod) | Over::Gone(pod)) = over;
        let touched = self.book.leave("c", &pod, at(now));
        self.book.write_down(&touched);
    }

    /// Does what is due, as `Watching::work`.
    fn work(&mut self, now: i64) {
        let mut touched = Touched::default();
        let (due, over) = self.state.due(at(now));
        over.into_iter().for_each(|over| self.over(over, now));
        for due in due {
            if let Some(joined) = self.book.join("c", &due) {
                touched.add(joined);
                continue;
            }
            let key = Key { cluster: "c".into(), subject: subject(&due, "cause"), cause: "cause".into() };
            touched.add(self.book.sick(key, &due, Told::default(), "C1", at(now)));
            self.untold = true;
        }
        if std::mem::take(&mut self.untold) {
            touched.add(self.book.place(false, self.storm, at(now), |_| !self.settled));
        }
        let state = &self.state;
        touched.add(self.book.tick(at(now), PACE, |incident| state.has_suspects_of(&incident.key.subject), |_| false));
        self.book.write_down(&touched);
        self.book.forget(at(now));
    }

    fn next(&self) -> Option<i64> {
        let book = self.book.next(PACE, |incident| self.state.has_suspects_of(&incident.key.subject));
        self.state.next().into_iter().chain(book).min().map(seconds)
    }

    fn kept(&self) -> Store {
        (self.book.incidents.values().cloned().collect(), self.book.digests.values().cloned().collect())
    }

    /// Says what is to be said, each at most once by its key, as `handlers/watching/publish`.
    fn say(&mut self, chat: &mut Chat, now: i64) {
        for incident in self.book.incidents.values_mut().filter(|incident| incident.stands_alone()) {
            if incident.message.is_none() {
                chat.posted.entry(incident.id.clone()).or_insert(1);
                incident.message = Some(Address { channel: "C1".into(), id: incident.id.clone() });
            }
            for (number, note) in std::mem::take(&mut incident.unsaid) {
                let first = chat.posted.insert(format!("{}/{number}", incident.id), 1).is_none();
                if first {
                    chat.threads.entry(incident.id.clone()).or_default().push((now, note));
                }
            }
            incident.stale = false;
        }
        for digest in self.book.digests.values_mut() {
            chat.posted.entry(digest.id.clone()).or_insert(1);
            digest.message = Some(Address { channel: "C1".into(), id: digest.id.clone() });
            (digest.stale, digest.listed) = (false, digest.incidents.len());
        }
    }
}

const PACE: Pace = Pace { hold_down: SignedDuration::from_secs(HOLD_DOWN), remind_after: None };
/// No storms here: they have tests of their own.
const CALM: Storm = Storm { messages: 100, within: SignedDuration::from_secs(10) };

/// Plays a history to its end, and for two hours more.
struct Play {
    world: World,
    podoctor: Option<Podoctor>,
    store: Store,
    chat: Chat,
    /// Every message of the book ever seen, by incident: its workload.
    subjects: BTreeMap<String, String>,
}

impl Play {
    fn of(history: &[(i64, Happens)]) -> (Self, i64) {
        let all = (0..WORKLOADS).flat_map(|w| (0..PODS).map(move |p| (w, p)));
        let world = World { pods: all.map(|id| (id, None)).collect() };
        let podoctor = Podoctor::start(&Store::default(), &world, CALM, 0);
        let mut play = Self {
            world,
            podoctor: Some(podoctor),
            store: Store::default(),
            chat: Chat::default(),
            subjects: BTreeMap::new(),
        };
        let mut up_at = 0;
        for (now, happens) in history {
            play.until(*now, &mut up_at);
            play.happens(*now, *happens, &mut up_at);
        }
        let end = history.last().map_or(0, |(now, _)| *now).max(up_at) + 600;
        play.until(end, &mut up_at);
        (play, end)
    }

    fn until(&mut self, now: i64, up_at: &mut i64) {
        if self.podoctor.is_none() && *up_at <= now {
            self.podoctor = Some(Podoctor::start(&self.store, &self.world, CALM, *up_at));
            self.turn(*up_at);
        }
        while let Some(next) = self.podoctor.as_ref().and_then(Podoctor::next).filter(|next| *next <= now) {
            let before = self.podoctor.as_ref().map(|p| format!("{:?}{:?}", p.book, p.state));
            self.turn(next);
            let after = self.podoctor.as_ref().map(|p| format!("{:?}{:?}", p.book, p.state));
            assert_ne!(before, after, "it is woken at {next} for nothing, again and again");
        }
    }

    /// Lets podoctor work, keep, say, and keep what it said.
    fn turn(&mut self, now: i64) {
        let Some(podoctor) = &mut self.podoctor else { return };
        podoctor.work(now);
        podoctor.say(&mut self.chat, now);
        self.store = podoctor.kept();
        for incident in podoctor.book.incidents.values() {
            self.subjects.insert(incident.id.clone(), incident.key.subject.name());
        }
    }

    fn happens(&mut self, now: i64, happens: Happens, up_at: &mut i64) {
        let changed = match happens {
            Happens::Breaks(w, p) => {
                // One that is broken already stays so since then.
                let broken = self.world.pods.entry((w, p)).or_insert(None);
                broken.get_or_insert(now);
                Some((w, p))
            }
            Happens::Recovers(w, p) => {
                self.world.pods.insert((w, p), None);
                Some((w, p))
            }
            Happens::Vanishes(w, p) => {
                let gone = self.world.pod((w, p));
                self.world.pods.remove(&(w, p));
                if let (Some(podoctor), Some(gone)) = (&mut self.podoctor, gone)
                    && let Some(over) = podoctor.state.delete(&gone)
                {
                    podoctor.over(over, now);
                }
                None
            }
            Happens::Relist => {
                if let Some(podoctor) = &mut self.podoctor {
                    podoctor.list(&self.world, now);
                }
                None
            }
            Happens::Kill(moment, down) => {
                if let Some(mut podoctor) = self.podoctor.take() {
                    if moment != Moment::Idle {
                        podoctor.work(now);
                        self.store = podoctor.kept();
                    }
                    if moment == Moment::Said {
                        podoctor.say(&mut self.chat, now);
                    }
                    *up_at = now + down;
                }
                return;
            }
        };
        if let (Some(podoctor), Some(pod)) = (&mut self.podoctor, changed.and_then(|id| self.world.pod(id)))
            && let Some(over) = podoctor.state.apply(pod, &podoctor.watch, at(now))
        {
            podoctor.over(over, now);
        }
        self.turn(now);
    }

    /// Returns what was said of a workload, in order.
    fn said(&self, workload: usize) -> Vec<(i64, Note)> {
        let name = format!("prod/w{workload}");
        let own = self.subjects.iter().filter(|(_, subject)| **subject == name);
        let mut said: Vec<_> = own.filter_map(|(id, _)| self.chat.threads.get(id)).flatten().cloned().collect();
        said.sort_by_key(|(now, _)| *now);
        said
    }
}

/// What a correct bot says of a workload, from its pods' histories alone.
fn model(history: &[(i64, Happens)], workload: usize, end: i64) -> Vec<(i64, Note)> {
    // Each time a pod was broken: from, and until.
    let mut broken: BTreeMap<usize, i64> = BTreeMap::new();
    let mut times: Vec<(i64, i64)> = Vec::new();
    for (now, happens) in history {
        match happens {
            Happens::Breaks(w, p) if *w == workload => drop(broken.entry(*p).or_insert(*now)),
            Happens::Recovers(w, p) | Happens::Vanishes(w, p) if *w == workload => {
                times.extend(broken.remove(p).map(|from| (from, *now)));
            }
            _ => {}
        }
    }
    times.extend(broken.into_values().map(|from| (from, i64::MAX)));
    let sick = |now: i64| times.iter().any(|(from, until)| from + THRESHOLD <= now && now < *until);
    let ailing = |now: i64| times.iter().any(|(from, until)| *from <= now && now < *until);
    let mut said = Vec::new();
    let (mut open, mut calm, mut since): (bool, Option<i64>, i64) = (false, None, 0);
    // Second by second: the model is slow and plain on purpose.
    for now in 0..=end {
        if sick(now) {
            if !open {
                let back = calm.is_some_and(|calm| now - calm < REOPEN);
                said.push((now, if back { Note::Reopened } else { Note::Opened }));
                let due = times.iter().filter(|(from, until)| from + THRESHOLD <= now && now < *until);
                since = due.map(|(from, _)| *from).min().unwrap_or(now);
            }
            (open, calm) = (true, None);
        } else if open {
            let from = *calm.get_or_insert(now);
            if now - from >= HOLD_DOWN && !ailing(now) {
                open = false;
                said.push((now, Note::Resolved { after: SignedDuration::from_secs(from - since) }));
            }
        }
    }
    said
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn what_is_told_is_what_happened(history in history(false)) {
        let (play, end) = Play::of(&history);
        for workload in 0..WORKLOADS {
            prop_assert_eq!(play.said(workload), model(&history, workload, end), "of w{}", workload);
        }
    }

    #[test]
    fn killed_at_any_moment_nothing_is_lost_and_nothing_told_twice(history in history(true)) {
        let (play, end) = Play::of(&history);
        prop_assert!(play.chat.posted.values().all(|times| *times == 1));
        let podoctor = play.podoctor.as_ref().expect("it is up in the end");
        for workload in 0..WORKLOADS {
            let name = format!("prod/w{workload}");
            let own: Vec<&Incident> =
                podoctor.book.incidents.values().filter(|i| i.key.subject.name() == name).collect();
            let open: Vec<&Incident> = own.iter().copied().filter(|incident| incident.is_open()).collect();
            // In the end ten minutes have passed: what is broken is due.
            let sick: BTreeSet<PodKey> = play.world.pods.iter()
                .filter(|((w, _), broken)| *w == workload && broken.is_some_and(|since| since + THRESHOLD <= end))
                .map(|((w, p), _)| PodKey { namespace: "prod".into(), name: format!("w{w}-{p}") })
                .collect();
            prop_assert_eq!(open.len(), usize::from(!sick.is_empty()), "{} is told as it is", name);
            prop_assert!(open.iter().all(|incident| incident.pods == sick && incident.message.is_some()));
            prop_assert!(own.iter().all(|incident| !incident.stale && incident.unsaid.is_empty()), "all is said");
            // A thread opens, and then turns green and comes back by turns.
            for (id, _) in play.subjects.iter().filter(|(_, subject)| **subject == name) {
                let said = play.chat.threads.get(id).cloned().unwrap_or_default();
                for (index, (_, note)) in said.iter().enumerate() {
                    let fits = match note {
                        Note::Opened => index == 0,
                        Note::Resolved { .. } => index % 2 == 1,
                        Note::Reopened => index > 0 && index % 2 == 0,
                        _ => false,
                    };
                    prop_assert!(fits, "{:?}", said);
                }
            }
        }
    }

    #[test]
    fn no_storm_is_more_than_ten_messages(gaps in prop::collection::vec(0..3_000_i64, 1..200)) {
        let storm = Storm { messages: 10, within: SignedDuration::from_secs(10) };
        let mut book = Book::default();
        let (mut now, mut messages, mut seen) = (0, Vec::new(), BTreeSet::new());
        for (index, gap) in gaps.iter().enumerate() {
            now += gap;
            let moment = at(0) + SignedDuration::from_millis(now);
            let name = PodKey { namespace: "prod".into(), name: format!("w{index}") };
            let yaml = format!("metadata: {{name: w{index}, namespace: prod}}\nstatus: {{phase: Pending}}");
            let mut state = ClusterState::default();
            let pod: LeanPod = serde_saphyr::from_str(&yaml).expect("a pod");
            state.apply(pod, &Watch::default(), moment);
            let due = state.describe(&name).expect("a pod in trouble");
            let key = Key { cluster: "c".into(), subject: subject(&due, "x"), cause: "x".into() };
            book.sick(key, &due, Told::default(), "C1", moment);
            book.place(false, storm, moment, |_| false);
            let own = book.incidents.values().filter(|i| i.stands_alone()).map(|i| i.id.clone());
            for id in own.chain(book.digests.keys().cloned()).collect::<Vec<_>>() {
                if seen.insert(id) {
                    messages.push(now);
                }
            }
            prop_assert!(book.open().all(|incident| incident.placed), "each is told somewhere");
        }
        for from in &messages {
            let within = messages.iter().filter(|at| (*from..=from + 10_000).contains(*at)).count();
            prop_assert!(within <= 10, "{} messages in ten seconds", within);
        }
    }
}
