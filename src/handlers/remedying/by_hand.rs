//! A remedy without a chat: whoever calls it has confirmed by calling, and has their own rights in Kubernetes.

use super::{Remedying, audit};
use crate::chat::front::Front;
use crate::cluster::Cluster;
use crate::diagnosis::Words;
use crate::remedy::plan::Plan;
use crate::remedy::proposal::{Address, Person, Progress, Proposal, State};
use crate::store::{Store, StoreError};
use crate::target::Target;
use jiff::SignedDuration;
use std::sync::Arc;

/// How long a plan of the terminal is good for: it is carried out at once.
const GOOD_FOR: SignedDuration = SignedDuration::from_mins(5);

impl<F: Front + 'static, S: Store + 'static> Remedying<F, S> {
    /// Returns what a target calls for, the safest first.
    ///
    /// # Errors
    /// Says why there is nothing, or why it could not be read.
    pub async fn plans_for(&self, cluster: &Cluster, target: &Target) -> Result<Vec<Plan>, Words> {
        let now = (self.clock)();
        let seen = self.see(cluster, std::slice::from_ref(target), now).await;
        let mut seen =
            seen.map_err(|why| Words::new(format!("Nothing could be read: {why}."), format!("无法读取：{why}。")))?;
        self.plans(cluster, &mut seen, now).await
    }

    /// Returns what the API server has against a plan, by a dry run of all its steps.
    pub async fn objection_of(&self, cluster: &Cluster, plan: &Plan) -> Option<Words> {
        self.objection(cluster, plan, None).await
    }

    /// Carries out what its caller has confirmed by calling; returns how it ended.
    ///
    /// # Errors
    /// Where it could not be kept, so that nothing was done.
    pub async fn carry_out_at_once(
        self: &Arc<Self>,
        plan: Plan,
        by: Person,
        place: &str,
    ) -> Result<Proposal, StoreError> {
        let now = (self.clock)();
        let mut proposal = Proposal {
            id: format!("{place}-{:x}", now.as_nanosecond()),
            progress: vec![Progress::Waiting; plan.steps.len()],
            plan,
            by: by.clone(),
            at: now,
            expires: now.saturating_add(GOOD_FOR).unwrap_or(jiff::Timestamp::MAX),
            approvals_needed: 1,
            approvals: Vec::new(),
            state: State::Proposed,
            thread: Address { channel: place.to_owned(), id: String::new() },
            message: None,
            told: false,
        };
        self.audit(audit::Entry::of(&proposal, "proposed", Some(by.named()), now)).await;
        // A plan of this moment is open.
        let _ = proposal.approve(by.clone(), now);
        self.keep(&proposal).await?;
        self.audit(audit::Entry::of(&proposal, "approved", Some(by.named()), now)).await;
        self.clone().carry_out(proposal.clone()).await;
        Ok(self.kept(&proposal.id).await?.map_or(proposal, |record| record.body))
    }
}
