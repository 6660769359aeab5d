//! What makes an alert of a pod: its diagnosis, and what of it is sure enough to be told.

use super::super::ask::PATIENCE;
use super::{Alike, Event, NotDiagnosed};
use crate::cluster::Cluster;
use crate::diagnosis::{Catalogue, Certainty, Diagnosis, Finding, Verdict, Words};
use crate::gather::live;
use crate::question::{self, Answer, Unanswered};
use crate::render::answer;
use crate::target::{Target, What};
use crate::watch::book;
use crate::watch::incident::{Spoken, Subject, Told};
use crate::watch::state::{Due, PodKey};
use futures_util::StreamExt;
use jiff::Timestamp;
use tokio::sync::mpsc;

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
        None => book::subject(due, finding.map_or(book::UNKNOWN, |finding| finding.cause.id)),
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
    let world = live::gather(cluster, &target, now, PATIENCE).await;
    let world = world.map_err(|error| NotDiagnosed::Unread(error.to_string()))?;
    match question::answer(&world, now, &target, catalogue) {
        Ok(Answer::One { diagnosis, .. }) if diagnosis.target.name == pod.name => Ok(*diagnosis),
        Ok(_) | Err(Unanswered::NotFound { .. } | Unanswered::Ambiguous { .. }) => Err(NotDiagnosed::Gone),
        Err(error) => Err(NotDiagnosed::Unread(error.to_string())),
    }
}

/// Hands on what becomes of a cluster's pods.
pub async fn pods(cluster: Cluster, events: mpsc::Sender<Event>) {
    let mut stream = std::pin::pin!(cluster.watch_pods());
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
