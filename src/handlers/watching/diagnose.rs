//! What makes an alert of a pod: its diagnosis, and what of it is sure enough to be told.

use super::super::ask::PATIENCE;
use super::{Alike, Diagnosed, Event, NotDiagnosed, Watching, owner, route};
use crate::chat::front::Front;
use crate::cluster::Cluster;
use crate::diagnosis::{Catalogue, Certainty, Diagnosis, Finding, Verdict, Words};
use crate::gather::live;
use crate::question::{self, Answer, Unanswered};
use crate::render::answer;
use crate::store::Store;
use crate::target::{Target, What};
use crate::watch::book::{self, Touched, UNKNOWN};
use crate::watch::incident::{Incident, Key, Spoken, Subject, Told};
use crate::watch::state::{ClusterState, Due, PodKey};
use crate::watch::threshold;
use futures_util::StreamExt;
use jiff::Timestamp;
use std::collections::btree_map::Entry;
use tokio::sync::mpsc;
use tokio::time::Instant;

impl<F: Front + 'static, S: Store + 'static> Watching<F, S> {
    /// Diagnoses a pod, unless one like it is being diagnosed.
    pub(super) fn ask(&mut self, cluster: &Cluster, due: Due, now: Timestamp) {
        let alike = alike(&cluster.name, &due);
        let waiting = self.asked.entry(alike);
        if let Entry::Occupied(mut waiting) = waiting {
            waiting.get_mut().push(due);
            return;
        }
        waiting.or_default();
        self.unplaced.get_or_insert(now);
        let (cluster, slots, events) = (cluster.clone(), self.slots.clone(), self.events.clone());
        let (catalogue, clock, metrics) = (self.settings.catalogue(), self.clock, self.tally.metrics.clone());
        self.tasks.spawn(async move {
            let Ok(_slot) = slots.acquire().await else { return };
            let started = Instant::now();
            let (outcome, owner, of_namespace) = tokio::join!(
                diagnose(&cluster, &due.pod, clock(), &catalogue),
                owner::read(&cluster, &due.workload, false),
                owner::annotations_of_namespace(&cluster, &due.pod.namespace),
            );
            metrics.diagnosis_seconds.observe(started.elapsed().as_secs_f64());
            // What the workload says goes before what its namespace says.
            let mut annotations = of_namespace;
            annotations.extend(owner.iter().flat_map(|owner| owner.annotations.clone()));
            let diagnosed = Diagnosed { cluster: cluster.name, due, outcome, owner, annotations };
            // Nobody listens any more only when all ends.
            let _ = events.send(Event::Diagnosed(Box::new(diagnosed))).await;
        });
    }

    pub(super) async fn diagnosed(&mut self, diagnosed: Diagnosed, now: Timestamp) {
        let Diagnosed { cluster, due, outcome, owner, annotations } = diagnosed;
        let waiting = self.asked.remove(&alike(&cluster, &due)).unwrap_or_default();
        let Some(state) = self.states.get_mut(&cluster) else { return };
        let mut all: Vec<Due> = std::iter::once(due).chain(waiting).filter(|due| state.is_due(&due.pod)).collect();
        // The workload or its namespace may allow more time than the settings do.
        all.retain(|due| match threshold::annotated(&annotations, due.symptom) {
            Some(allowed) if !state.sets_its_threshold(&due.pod) => {
                let at = due.since.saturating_add(allowed).unwrap_or(Timestamp::MAX);
                if at > now {
                    state.again(&due.pod, at);
                }
                at <= now
            }
            _ => true,
        });
        let again = |state: &mut ClusterState| all.iter().for_each(|due| state.again_soon(&due.pod, now));
        let diagnosis = match outcome {
            // Its deletion is on its way to us.
            Err(NotDiagnosed::Gone) => return again(state),
            Err(NotDiagnosed::Unread(why)) => {
                tracing::warn!(cluster, why, "a sick pod could not be diagnosed, trying again: {why}");
                return again(state);
            }
            Ok(diagnosis) => diagnosis,
        };
        let Some(first) = all.first() else { return };
        if matches!(diagnosis.verdict, Verdict::Healthy | Verdict::Completed | Verdict::Waiting) {
            again(state);
            // Whoever asked for it is told that it is only waiting.
            return self.say_again(&cluster, &first.pod.clone(), &diagnosis);
        }
        let finding = sure(&diagnosis);
        let cause = finding.map_or(UNKNOWN, |finding| finding.cause.id);
        let subject = subject(first, finding);
        let key = Key { cluster: cluster.clone(), subject, cause: cause.to_owned() };
        let annotated = annotations.get(route::ANNOTATION);
        let Some((channel, quiet)) = route::channel(&self.settings.get(), &cluster, first, annotated) else {
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
            if let Some(incident) = self.book.incidents.get_mut(&id) {
                incident.quiet.clone_from(&quiet);
            }
            if let Some(owner) = &owner {
                touched.add(self.book.scoped(&id, owner.scope.clone()));
            }
        }
        self.unplaced.get_or_insert(now);
        self.show(touched).await;
    }

    /// Says what a diagnosis came to where a person asked for it.
    pub(super) fn say_again(&mut self, cluster: &str, pod: &PodKey, diagnosis: &Diagnosis) {
        let asked = |incident: &&Incident| incident.key.cluster == cluster && incident.pods.contains(pod);
        let Some(incident) = self.book.open().find(asked).filter(|incident| self.publisher.lacks_details(incident))
        else {
            return;
        };
        let (id, channel) = (incident.id.clone(), incident.channel.clone());
        self.publisher.learn(&id, diagnosis, &channel);
        self.publisher.show(&Touched { incidents: [id].into(), ..Touched::default() }, &self.book);
    }
}

/// Returns what makes a pod wait for the diagnosis of another one.
pub fn alike(cluster: &str, due: &Due) -> Alike {
    let node = due.node.clone().filter(|_| due.node_is_silent);
    (cluster.to_owned(), due.workload.clone(), due.symptom, node)
}

/// Returns what ails: what many share, a node, or the workload.
pub fn subject(due: &Due, finding: Option<&Finding>) -> Subject {
    match finding.and_then(|finding| finding.shared.as_ref()) {
        Some(shared) => Subject::Shared {
            kind: shared.kind.to_owned(),
            namespace: shared.namespace.clone(),
            name: shared.name.clone(),
        },
        None => book::subject(due, finding.map_or(UNKNOWN, |finding| finding.cause.id)),
    }
}

/// Returns the cause that is sure enough to be told.
pub fn sure(diagnosis: &Diagnosis) -> Option<&Finding> {
    diagnosis.answer().filter(|finding| diagnosis.verdict == Verdict::Sick && finding.certainty != Certainty::Possible)
}

/// Returns what is told of a diagnosis.
pub fn told(diagnosis: &Diagnosis) -> Told {
    let Some(finding) = sure(diagnosis) else {
        return Told {
            summary: Spoken {
                en: "I could not tell the cause; the thread says what was looked at and what could not be read.".into(),
                zh: "无法判断原因；话题中列出了查看过的内容和无法读取的内容。".into(),
            },
            fix: None,
        };
    };
    let likely = finding.certainty == Certainty::Likely;
    let words = |words: &Words| Spoken { en: words.en.clone(), zh: words.zh.clone() };
    let mut summary = words(&finding.summary);
    if likely {
        summary = Spoken { en: format!("Likely: {}", summary.en), zh: format!("很可能：{}", summary.zh) };
    }
    Told { summary, fix: answer::first_to_do(diagnosis, finding).map(|fix| words(&fix.text)) }
}

/// Diagnoses a pod as a question would.
pub async fn diagnose(
    cluster: &Cluster,
    pod: &PodKey,
    now: Timestamp,
    catalogue: &Catalogue,
) -> Result<Diagnosis, NotDiagnosed> {
    let what = What::Pod { namespace: pod.namespace.clone(), prefix: pod.name.clone() };
    let target = Target { cluster: None, what };
    let world = live::gather(cluster, &target, now, PATIENCE, catalogue).await;
    let world = world.map_err(|error| NotDiagnosed::Unread(error.to_string()))?;
    match question::answer(&world, now, &target, catalogue) {
        Ok(Answer::One { diagnosis, .. }) if diagnosis.target.name == pod.name => Ok(*diagnosis),
        Ok(_) | Err(Unanswered::NotFound { .. } | Unanswered::Ambiguous { .. }) => Err(NotDiagnosed::Gone),
        Err(error) => Err(NotDiagnosed::Unread(error.to_string())),
    }
}

/// Hands on what becomes of a cluster's pods, or of those of a namespace.
pub async fn pods(cluster: Cluster, namespace: Option<String>, events: mpsc::Sender<Event>) {
    let mut stream = std::pin::pin!(cluster.watch_pods(namespace.as_deref()));
    while let Some(seen) = stream.next().await {
        if events.send(Event::Pod { cluster: cluster.name.clone(), seen }).await.is_err() {
            return;
        }
    }
}

/// Hands on what becomes of a cluster's nodes.
pub async fn nodes(cluster: Cluster, events: mpsc::Sender<Event>) {
    let mut stream = std::pin::pin!(cluster.watch_nodes());
    while let Some(seen) = stream.next().await {
        if events.send(Event::Node { cluster: cluster.name.clone(), seen }).await.is_err() {
            return;
        }
    }
}
