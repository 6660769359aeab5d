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
}

/// A right that a remedy needs somewhere: API group, resource, verbs.
pub type Grant = (&'static str, &'static str, &'static [&'static str]);

/// A remedy: one file, one rule.
pub struct Recipe {
    pub remedy: Remedy,
    /// What it does, in a few words.
    pub title: Text,
    /// How to take it back, or that it cannot be.
    pub undo: Text,
    /// What podoctor needs to be allowed for it, beside reading.
    pub grants: &'static [Grant],
    /// The workloads of the whole cluster are read for it, to see whether somebody is alive.
    pub asks_for_owners: bool,
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
    let recipe = recipes::of(remedy).ok_or_else(nobody)?;
    let first = scenes.first().ok_or_else(nobody)?;
    let cause = first.diagnosis.answer().map_or("", |finding| finding.cause.id);
    let same =
        |scene: &&Scene<'_>| called_for(scene.diagnosis).contains(&remedy) && is_same(scene.diagnosis, first.diagnosis);
    let (mut steps, mut notes, mut patients, mut why) = (Vec::<Step>::new(), Vec::<Note>::new(), Vec::new(), None);
    let mut left_out = 0;
    for scene in scenes.iter().filter(same) {
        if patients.len() == MOST_PODS {
            left_out += 1;
            continue;
        }
        match (recipe.draft)(scene) {
            Ok(draft) => {
                // Pods of one workload share the step that cures it.
                let known: BTreeSet<Object> = steps.iter().map(|step| step.object.clone()).collect();
                steps.extend(draft.steps.into_iter().filter(|step| !known.contains(&step.object)));
                notes.extend(draft.notes.into_iter().filter(|note| !notes.contains(note)).collect::<Vec<_>>());
                patients.push(patient(scene));
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
        undo: recipe.undo.into(),
        patients,
        left_out,
        others: called_for(first.diagnosis).into_iter().filter(|other| *other != remedy).collect(),
    })
}

fn patient(scene: &Scene<'_>) -> Patient {
    let target = &scene.diagnosis.target;
    let name = if target.kind == "Pod" {
        target.name.clone()
    } else {
        format!("{}/{}", target.kind.to_lowercase(), target.name)
    };
    Patient { namespace: target.namespace.clone(), name, uid: target.uid.clone() }
}

fn nobody() -> Words {
    Words::new("Nothing here calls for it any more.", "这里已不再需要此操作。")
}
