//! The audit: who asked for what, who confirmed or was refused, what was done and what came of it. In the store, where
//! nothing removes it, and as a line of the log.

use super::Remedying;
use crate::chat::front::Front;
use crate::remedy::{Proposal, State};
use crate::store::{self, Kind, Store, StoreError};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// One entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    pub at: Timestamp,
    /// `proposed`, `approved`, `refused`, `sent`, `done`, `not-done`, `succeeded`, `failed`, `expired`, `cancelled`.
    pub action: String,
    pub proposal: String,
    pub remedy: String,
    pub cluster: String,
    /// What ails.
    pub subject: String,
    pub cause: String,
    /// The objects that it is about.
    pub objects: Vec<String>,
    /// Who did it, by e-mail where that is known, and chat id; `None` = podoctor itself.
    pub by: Option<String>,
    /// Why it was refused or failed.
    pub why: Option<String>,
}

impl Entry {
    /// Returns an entry about a whole proposal.
    pub fn of(proposal: &Proposal, action: &str, by: Option<String>, at: Timestamp) -> Self {
        let plan = &proposal.plan;
        Self {
            at,
            action: action.to_owned(),
            proposal: proposal.id.clone(),
            remedy: plan.remedy.id().to_owned(),
            cluster: plan.cluster.clone(),
            subject: plan.subject.clone(),
            cause: plan.cause.clone(),
            objects: plan.steps.iter().map(|step| step.object.to_string()).collect(),
            by,
            why: None,
        }
    }

    /// Returns the entry about how a proposal ended.
    pub fn of_end(proposal: &Proposal, at: Timestamp) -> Self {
        let entry = Self::of(proposal, proposal.state.name(), None, at);
        match &proposal.state {
            State::Failed { why, .. } => entry.because(&why.en),
            State::Succeeded { outcome, .. } => entry.because(&outcome.en),
            State::Cancelled { by, .. } => Self { by: Some(by.named()), ..entry },
            _ => entry,
        }
    }

    /// Returns the entry with a reason.
    #[must_use]
    pub fn because(mut self, why: impl Into<String>) -> Self {
        self.why = Some(why.into());
        self
    }

    /// Returns the entry about one step's object only.
    #[must_use]
    pub fn about(mut self, object: String) -> Self {
        self.objects = vec![object];
        self
    }
}

/// Returns the entries since a moment, the oldest first.
///
/// # Errors
/// Where the store fails.
pub async fn since(store: &impl Store, from: Timestamp) -> Result<Vec<Entry>, StoreError> {
    let mut entries: Vec<Entry> = store::all(store, Kind::Audit).await?.into_iter().map(|record| record.body).collect();
    entries.retain(|entry| entry.at >= from);
    entries.sort_by_key(|entry| entry.at);
    Ok(entries)
}

impl<F: Front + 'static, S: Store + 'static> Remedying<F, S> {
    /// Keeps an entry that a crash may have prevented, unless it is there.
    pub(super) async fn audit_once(&self, entry: Entry) {
        let Some(store) = &self.store else { return };
        let same = |kept: &Entry| kept.proposal == entry.proposal && kept.action == entry.action;
        match since(store, Timestamp::MIN).await {
            Ok(kept) if kept.iter().any(same) => {}
            _ => self.audit(entry).await,
        }
    }

    /// Keeps an entry and logs it.
    pub(super) async fn audit(&self, entry: Entry) {
        let (objects, by, why) = (entry.objects.join(", "), entry.by.as_deref(), entry.why.as_deref());
        tracing::info!(
            audit = true,
            action = entry.action,
            proposal = entry.proposal,
            remedy = entry.remedy,
            cluster = entry.cluster,
            subject = entry.subject,
            cause = entry.cause,
            objects,
            by,
            why,
            "remedy {} {}",
            entry.remedy,
            entry.action
        );
        let Some(store) = &self.store else { return };
        // In the order of time; two entries of one moment differ by their content.
        for number in 0..16 {
            let id = format!("{:032x}-{}-{number}", entry.at.as_nanosecond(), entry.proposal);
            match store::put(store, Kind::Audit, &id, &entry, 0).await {
                Ok(_) => return,
                Err(StoreError::Conflict { .. }) => {}
                Err(error) => {
                    tracing::error!(%error, "an entry of the audit could not be kept: {error}");
                    return;
                }
            }
        }
    }
}
