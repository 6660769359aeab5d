//! What a plan is made from: the pods of one sickness, each diagnosed as a question would be, at this moment.

use super::Remedying;
use crate::chat::front::Front;
use crate::cluster::Cluster;
use crate::diagnosis::{Catalogue, Diagnosis, Verdict};
use crate::facts::{Facts, PodView, Subject, World};
use crate::gather::around::{Around, around, complete};
use crate::gather::live;
use crate::handlers::ask::PATIENCE;
use crate::question::{self, Answer, Unanswered};
use crate::remedy::plan::{MOST_PODS, Patient, Plan};
use crate::remedy::recipe::{self, Read, Scene};
use crate::remedy::recipes;
use crate::store::Store;
use crate::target::{Target, What};
use futures_util::stream::{self, StreamExt};
use jiff::Timestamp;
use std::collections::BTreeSet;

/// How many pods are read at once.
const AT_ONCE: usize = 8;

/// A subject with the world around it.
pub struct Seen {
    world: World,
    pub diagnosis: Diagnosis,
}

/// How a patient is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Health {
    /// It is not there any more.
    Gone,
    /// Nothing is wrong with it.
    Well,
    /// The cause is over, and this one shows instead.
    Otherwise(&'static str),
    /// As it was.
    Same,
    /// It could not be read.
    Unread(String),
}

impl Seen {
    /// Asks about a target; `None` = it is not there.
    ///
    /// # Errors
    /// Where it could not be read.
    pub async fn of(
        cluster: &Cluster,
        target: &Target,
        now: Timestamp,
        causes: &Catalogue,
    ) -> Result<Option<Self>, String> {
        let world = live::gather(cluster, target, now, PATIENCE, causes).await.map_err(|error| error.to_string())?;
        match question::answer(&world, now, target, causes) {
            Ok(Answer::One { diagnosis, .. }) => Ok(Some(Self { world, diagnosis: *diagnosis })),
            Ok(Answer::Many(_)) | Err(Unanswered::NotFound { .. } | Unanswered::Ambiguous { .. }) => Ok(None),
            Err(error) => Err(error.to_string()),
        }
    }

    fn facts(&self, now: Timestamp) -> Option<Facts<'_>> {
        let target = &self.diagnosis.target;
        let subject = if target.kind == "Pod" {
            Subject::Pod(PodView::new(self.world.pods.get(&target.namespace, &target.name).present()?))
        } else {
            Subject::Workload(self.diagnosis.workload.clone())
        };
        Some(Facts { now, world: &self.world, subject })
    }
}

impl<F: Front + 'static, S: Store + 'static> Remedying<F, S> {
    /// Asks about several targets, in order; the first one must be there.
    pub(super) async fn see(&self, cluster: &Cluster, targets: &[Target], now: Timestamp) -> Result<Vec<Seen>, String> {
        let causes = self.settings.catalogue();
        let all: Vec<_> = targets.iter().map(|target| Seen::of(cluster, target, now, &causes)).collect();
        let mut found = Vec::new();
        for seen in stream::iter(all).buffered(AT_ONCE).collect::<Vec<_>>().await {
            match seen {
                Ok(seen) => found.extend(seen),
                // One that cannot be read is left out of the plan; if it is the first, there is none.
                Err(why) if found.is_empty() => return Err(why),
                Err(why) => tracing::warn!(cluster = cluster.name, why, "a pod is left out of a plan: {why}"),
            }
        }
        Ok(found)
    }

    /// Makes the plans that a sickness calls for, the safest first. Empty = it calls for none.
    ///
    /// # Errors
    /// Says why none of those that it calls for fits.
    pub(super) async fn plans(
        &self,
        cluster: &Cluster,
        seen: &mut [Seen],
        now: Timestamp,
    ) -> Result<Vec<Plan>, crate::diagnosis::Words> {
        let Some(first) = seen.first() else { return Ok(Vec::new()) };
        let wanted = recipe::called_for(&first.diagnosis);
        let reads: BTreeSet<Read> = wanted.iter().flat_map(|remedy| recipes::of(*remedy).reads).copied().collect();
        let of_each: BTreeSet<Read> = reads.iter().copied().filter(|read| *read != Read::Owners).collect();
        if !of_each.is_empty() {
            let all: Vec<_> = seen
                .iter_mut()
                .map(|seen| complete(cluster, &mut seen.world, &seen.diagnosis, &of_each, PATIENCE))
                .collect();
            stream::iter(all).buffer_unordered(AT_ONCE).collect::<Vec<()>>().await;
        }
        let around = if reads.contains(&Read::Owners) { around(cluster, PATIENCE).await } else { Around::default() };
        let groups = around.groups.as_ref().map_or(crate::facts::Known::Unreadable, crate::facts::Known::Present);
        let scenes: Vec<Scene<'_>> = seen
            .iter()
            .filter_map(|seen| {
                let facts = seen.facts(now)?;
                Some(Scene { facts, diagnosis: &seen.diagnosis, around: &around.world, groups })
            })
            .collect();
        let (mut plans, mut why) = (Vec::new(), None);
        for remedy in wanted {
            match recipe::plan(remedy, &scenes) {
                Ok(plan) => plans.push(plan),
                Err(words) => why = why.or(Some(words)),
            }
        }
        match why {
            Some(words) if plans.is_empty() => Err(words),
            _ => Ok(plans),
        }
    }

    /// Tells how a patient of a plan is now.
    pub(super) async fn health(&self, cluster: &Cluster, plan: &Plan, patient: &Patient, now: Timestamp) -> Health {
        let causes = self.settings.catalogue();
        let Some(target) = target_of(patient) else { return Health::Gone };
        match Seen::of(cluster, &target, now, &causes).await {
            Err(why) => Health::Unread(why),
            Ok(None) => Health::Gone,
            Ok(Some(seen)) if !patient.uid.is_empty() && seen.diagnosis.target.uid != patient.uid => Health::Gone,
            // New pods of a workload are given their time.
            Ok(Some(seen)) if patient.uid.is_empty() && seen.diagnosis.verdict == Verdict::Waiting => Health::Same,
            Ok(Some(seen)) => match seen.diagnosis.answer() {
                Some(finding) if finding.cause.id == plan.cause => Health::Same,
                Some(finding) if !finding.is_calm() => Health::Otherwise(finding.cause.id),
                _ => Health::Well,
            },
        }
    }
}

/// Returns the pods of an incident as targets, those that are planned for and as many again to count the rest.
pub fn targets_of<'a>(pods: impl Iterator<Item = (&'a str, &'a str)>) -> Vec<Target> {
    pods.take(2 * MOST_PODS).map(|(namespace, name)| pod(namespace, name)).collect()
}

fn pod(namespace: &str, name: &str) -> Target {
    Target { cluster: None, what: What::Pod { namespace: namespace.to_owned(), prefix: name.to_owned() } }
}

fn target_of(patient: &Patient) -> Option<Target> {
    if patient.name.contains('/') {
        return crate::target::parse(&format!("{}/{}", patient.namespace, patient.name)).ok();
    }
    Some(pod(&patient.namespace, &patient.name))
}
