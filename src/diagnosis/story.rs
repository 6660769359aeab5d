//! The story of a workload: the change that a finding began with, and how its other pods are.
//!
//! Told only where the times and what was changed say so. A change is told as a fact; that it is the cause is said, by
//! offering the way back, only where it touches what the finding is about.

pub mod changes;
mod config;
mod nodes;
pub mod revisions;

use super::finding::{Finding, Fix, Remedy};
use super::words::Words;
use super::{Phase, kubectl};
use crate::facts::{Evidence, Facts};
use changes::Change;
use jiff::{SignedDuration, Timestamp};
use revisions::{Revision, Rollout};

/// A finding that began so long after a change began with it.
const SOON: SignedDuration = SignedDuration::from_mins(15);
/// How far the clocks of a cluster may be apart.
const SKEW: SignedDuration = SignedDuration::from_mins(1);

/// What a piece of the story is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Topic {
    /// A new revision of the workload.
    Rollout,
    /// Something that happened to a node.
    Node,
    /// A ConfigMap that the pod reads.
    Config,
    /// How many of the workload's pods are well.
    Pods,
}

/// A piece of the story.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chapter {
    pub topic: Topic,
    pub text: Words,
    /// When the change was made.
    pub at: Option<Timestamp>,
    /// The command that takes it back.
    pub command: Option<String>,
}

/// Returns the story of what leads, and adds the way back to its fixes where the change is what did it.
pub fn tell(facts: &Facts<'_>, lead: &mut Finding, since: Option<Timestamp>) -> Vec<Chapter> {
    let rollout = revisions::rollout(facts);
    let mut story = Vec::new();
    if let Some(rollout) = &rollout
        && let Some(chapter) = of_rollout(facts, rollout, lead, since)
    {
        story.push(chapter);
    }
    story.extend(config::of(facts, lead, began(facts, since)));
    story.extend(nodes::of(facts, lead, began(facts, since)));
    story.extend(of_pods(facts, rollout.as_ref()));
    story
}

fn of_rollout(facts: &Facts<'_>, rollout: &Rollout, lead: &mut Finding, since: Option<Timestamp>) -> Option<Chapter> {
    let made = rollout.present.made?;
    let began = began(facts, since)?;
    let after = began.duration_since(made);
    if after < -SKEW || after > SOON || made > facts.now {
        return None;
    }
    let former = rollout.former.as_ref()?;
    let changes = changes::between(former.template.as_deref()?, rollout.present.template.as_deref()?);
    let touching: Vec<&Change> = changes.iter().filter(|change| touches(change, lead)).collect();
    if touching.is_empty() {
        return of_restart(rollout, after);
    }
    let told = changes::words(&touching);
    let number = rollout.present.number;
    let (en_age, zh_age) = ages(after);
    let text = Words::new(
        format!("Began {en_age} the rollout of revision {number}: {}", told.en),
        format!("始于版本 {number} 的发布{zh_age}：{}", told.zh),
    );
    let workload = facts.workload();
    let command = kubectl::namespaced(
        &workload.namespace,
        &format!("rollout undo {} --to-revision={}", kubectl::quoted(&workload.reference()), former.number),
    );
    lead.evidence.push(Evidence::field(
        format!("{} {} against {}", rollout.kind, rollout.present.name, former.name),
        &told.en,
        Some(made),
    ));
    offer_undo(lead, former, number, &command);
    Some(Chapter { topic: Topic::Rollout, text, at: Some(made), command: Some(command) })
}

/// A template that was only restarted: what the pods read when they start may have changed, and that is no template's.
fn of_restart(rollout: &Rollout, after: SignedDuration) -> Option<Chapter> {
    let (former, present) = (rollout.former.as_ref()?.template.as_deref()?, rollout.present.template.as_deref()?);
    let restarted = changes::restarted_at(present).filter(|at| changes::restarted_at(former) != Some(*at))?;
    let mut same = former.clone();
    same.metadata.clone_from(&present.metadata);
    if same != *present {
        return None;
    }
    let (en_age, zh_age) = ages(after);
    let text = Words::new(
        format!(
            "Began {en_age} a restart of all pods with the same template (`kubectl rollout restart`): look at what they read when they start"
        ),
        format!("始于以相同模板重启全部 Pod（`kubectl rollout restart`）{zh_age}：请检查它们启动时读取的内容"),
    );
    Some(Chapter { topic: Topic::Rollout, text, at: restarted.parse().ok().or(rollout.present.made), command: None })
}

/// Puts the way back before all else that changes something: it is known to have worked.
fn offer_undo(lead: &mut Finding, former: &Revision, number: i64, command: &str) {
    lead.fixes.retain(|fix| !fix.command.as_deref().is_some_and(|command| command.contains(" rollout undo ")));
    let serving = former.ready > 0;
    let fix = Fix::careful(Words::new(
        format!(
            "Undo the rollout: back to revision {}{}. It replaces the pods of revision {number}.",
            former.number,
            if serving { ", whose pods are still ready" } else { "" }
        ),
        format!(
            "回滚到版本 {}{}。这会替换版本 {number} 的 Pod。",
            former.number,
            if serving { "（其 Pod 仍然就绪）" } else { "" }
        ),
    ))
    .command(command);
    let place = lead.fixes.iter().position(|fix| fix.risk != super::Risk::Safe).unwrap_or(lead.fixes.len());
    lead.fixes.insert(place, fix);
    if !lead.remedies.contains(&Remedy::UndoRollout) {
        lead.remedies.push(Remedy::UndoRollout);
    }
}

/// Returns when it began. A crash loop flips Ready with every try: its first back-off is nearer to the truth.
fn began(facts: &Facts<'_>, since: Option<Timestamp>) -> Option<Timestamp> {
    let Some(pod) = facts.pod() else {
        let set = revisions::present_set(facts)?;
        let conditions = set.status.as_ref()?.conditions.as_deref().unwrap_or_default();
        let failure = conditions
            .iter()
            .find(|c| c.type_.as_deref() == Some("ReplicaFailure") && c.status.as_deref() == Some("True"))?;
        return failure.last_transition_time.as_ref().map(|t| t.0);
    };
    let backed_off = pod.events_seen(facts.world).filter(|e| e.reason == "BackOff").filter_map(|e| e.first).min();
    [since, backed_off].into_iter().flatten().min()
}

/// Returns true where a change touches what a finding is about.
fn touches(change: &Change, finding: &Finding) -> bool {
    use changes::Field as F;
    let same_container = match (&change.container, &finding.container) {
        (Some(changed), Some(failing)) => changed == failing,
        _ => true,
    };
    same_container
        && finding.cause.phases.iter().any(|phase| match phase {
            Phase::Scheduling => matches!(change.field, F::Resources | F::Placement | F::Volumes | F::Ports),
            Phase::Creating => {
                matches!(
                    change.field,
                    F::Config | F::Volumes | F::Env | F::Command | F::Security | F::Resources | F::Placement | F::Image
                )
            }
            Phase::Images => matches!(change.field, F::Image | F::PullSecrets | F::Account),
            Phase::Crashing => !matches!(change.field, F::Placement | F::PullSecrets),
            Phase::Probes => {
                matches!(change.field, F::Config | F::Image | F::Probes | F::Ports | F::Env | F::Command | F::Resources)
            }
            Phase::Admission => !matches!(change.field, F::PullSecrets | F::Probes | F::Config),
            // What a node or a stopping pod suffers from does not come with a template.
            Phase::Stopping | Phase::Node | Phase::Access | Phase::None => false,
        })
}

fn of_pods(facts: &Facts<'_>, rollout: Option<&Rollout>) -> Option<Chapter> {
    let chapter = |text| Some(Chapter { topic: Topic::Pods, text, at: None, command: None });
    if let Some(Rollout { present, former: Some(former), .. }) = rollout.filter(|r| r.present.pods > 0)
        && former.pods > 0
    {
        let ((ready, of), (old_ready, old)) = ((present.ready, present.pods), (former.ready, former.pods));
        let (number, old_number) = (present.number, former.number);
        return chapter(Words::new(
            format!("revision {number}: {ready} of {of} pods ready; revision {old_number}: {old_ready} of {old}"),
            format!("版本 {number}：{ready}/{of} 个 Pod 就绪；版本 {old_number}：{old_ready}/{old}"),
        ));
    }
    let (ready, of) = revisions::ready_of_workload(facts)?;
    let sick = of - ready;
    if of < 2 || sick <= 0 {
        return None;
    }
    chapter(Words::new(format!("{sick} of {of} pods not ready"), format!("{of} 个 Pod 中 {sick} 个未就绪")))
}

/// Returns "2 min after" and "后 2 分钟", or that it was just after.
fn ages(after: SignedDuration) -> (String, String) {
    let seconds = after.as_secs().max(0);
    match (seconds, seconds / 60) {
        (0..=5, _) => ("just after".to_owned(), "后不久".to_owned()),
        (_, 0) => (format!("{seconds} s after"), format!("后 {seconds} 秒")),
        (_, minutes) => (format!("{minutes} min after"), format!("后 {minutes} 分钟")),
    }
}

#[cfg(test)]
mod tests;
