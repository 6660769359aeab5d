//! What a remedy is: the rights it needs, how long its effect may take, and the rule that makes steps from facts.

use super::object::Object;
use super::plan::{MOST_PODS, Note, Patient, Plan, Step};
use super::recipes;
use crate::diagnosis::{Diagnosis, Finding, Remedy, Text, Verdict, Words};
use crate::facts::{Facts, Known, World};
use jiff::SignedDuration;
use std::collections::BTreeSet;

/// One pod or workload as it is when a plan is made.
pub struct Scene<'a> {
    pub facts: Facts<'a>,
    pub diagnosis: &'a Diagnosis,
    /// The workloads of the whole cluster, for a recipe that asks for them.
    pub around: &'a World,
    /// The API groups that the server serves: those of what is installed.
    pub groups: Known<&'a BTreeSet<String>>,
}

/// What a recipe makes of one scene.
#[derive(Debug, Clone, PartialEq)]
pub struct Draft {
    pub steps: Vec<Step>,
    pub notes: Vec<Note>,
    /// How to take it back, or that it cannot be.
    pub undo: Words,
}

/// What is read for a recipe, beside what a diagnosis reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Read {
    /// All workloads of the cluster, to see whether somebody is alive.
    Owners,
    /// The workload that rolls the pod, and its revisions.
    Workload,
    /// The pod's node, and the one that the answer aims at.
    Node,
    PodsOnNode,
    /// The failed pods of the namespace.
    FailedPods,
    /// The claims of the namespace, and where volumes are attached.
    Volumes,
}

/// Whose health tells that it helped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cure {
    /// The pods that were ill: they are gone, or well.
    Pods,
    /// Their workload: the pods that come in their stead are well.
    Workload,
    /// Nobody's: the change is all that was wanted.
    TheChange,
}

/// A right that a remedy needs somewhere: API group, resource, verbs.
pub type Grant = (&'static str, &'static str, &'static [&'static str]);

/// A remedy: one file, one rule.
pub struct Recipe {
    pub remedy: Remedy,
    /// What it does, in a few words.
    pub title: Text,
    /// What podoctor needs to be allowed for it, beside reading.
    pub grants: &'static [Grant],
    pub reads: &'static [Read],
    pub cure: Cure,
    /// How long it may take until it shows.
    pub patience: SignedDuration,
    /// Returns the steps for one pod.
    ///
    /// # Errors
    /// Says why it does not fit here.
    pub draft: fn(&Scene<'_>) -> Result<Draft, Words>,
}

/// Returns the remedies that a diagnosis calls for, the safest first. A cause that is not sure calls for none.
pub fn called_for(diagnosis: &Diagnosis) -> Vec<Remedy> {
    let sure = |finding: &&Finding| diagnosis.verdict == Verdict::Sick && finding.verdict() == Verdict::Sick;
    let wanted: &[Remedy] = diagnosis.answer().filter(sure).map_or(&[], |finding| &finding.remedies);
    recipes::ALL.iter().map(|recipe| recipe.remedy).filter(|remedy| wanted.contains(remedy)).collect()
}

/// Returns true where two diagnoses are of the same sickness.
pub fn is_same(one: &Diagnosis, other: &Diagnosis) -> bool {
    let cause = |diagnosis: &Diagnosis| diagnosis.answer().map(|finding| finding.cause.id);
    cause(one) == cause(other)
}

/// Makes a plan of one remedy for the pods of one sickness. The first scene is the one that was asked about.
///
/// # Errors
/// Says why the remedy does not fit.
pub fn plan(remedy: Remedy, scenes: &[Scene<'_>]) -> Result<Plan, Words> {
    let recipe = recipes::of(remedy);
    let first = scenes.first().ok_or_else(nobody)?;
    let cause = first.diagnosis.answer().map_or("", |finding| finding.cause.id);
    let same =
        |scene: &&Scene<'_>| called_for(scene.diagnosis).contains(&remedy) && is_same(scene.diagnosis, first.diagnosis);
    let (mut steps, mut notes, mut patients) = (Vec::<Step>::new(), Vec::<Note>::new(), BTreeSet::new());
    let (mut why, mut undo) = (None, None);
    let mut left_out = 0;
    for scene in scenes.iter().filter(same) {
        // Pods that share a step are not left out.
        if steps.len() >= MOST_PODS {
            left_out += 1;
            continue;
        }
        match (recipe.draft)(scene) {
            Ok(draft) => {
                // Pods of one workload share the step that cures it.
                let known: BTreeSet<Object> = steps.iter().map(|step| step.object.clone()).collect();
                steps.extend(draft.steps.into_iter().filter(|step| !known.contains(&step.object)));
                notes.extend(draft.notes.into_iter().filter(|note| !notes.contains(note)).collect::<Vec<_>>());
                undo = undo.or(Some(draft.undo));
                patients.insert(patient(scene, recipe.cure));
            }
            Err(words) => why = why.or(Some(words)),
        }
    }
    if steps.is_empty() {
        return Err(why.unwrap_or_else(nobody));
    }
    notes.sort_by_key(|note| note.weight);
    let workload = &first.diagnosis.workload;
    Ok(Plan {
        remedy,
        cluster: first.facts.world.cluster.clone(),
        subject: format!("{}/{}", workload.namespace, workload.name),
        cause: cause.to_owned(),
        steps,
        notes,
        undo: undo.unwrap_or_else(nobody),
        patients: if recipe.cure == Cure::TheChange { Vec::new() } else { patients.into_iter().collect() },
        left_out,
        others: called_for(first.diagnosis).into_iter().filter(|other| *other != remedy).collect(),
    })
}

fn patient(scene: &Scene<'_>, cure: Cure) -> Patient {
    let (target, workload) = (&scene.diagnosis.target, &scene.diagnosis.workload);
    let rolled = cure == Cure::Workload && workload.kind != "Pod";
    let (name, uid) = match target.kind.as_str() {
        "Pod" if !rolled => (target.name.clone(), target.uid.clone()),
        _ => (workload.reference(), String::new()),
    };
    Patient { namespace: workload.namespace.clone(), name, uid }
}

fn nobody() -> Words {
    Words::new("Nothing here calls for it any more.", "这里已不再需要此操作。")
}
