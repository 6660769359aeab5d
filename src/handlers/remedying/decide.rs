//! A check mark or an x on a plan: who may, is it still open, and is that enough.

use super::{Asked, Remedying, audit};
use crate::access::{Refusal, Role};
use crate::chat::front::{Front, FrontError};
use crate::remedy::proposal::{Approved, Person, Proposal, Stays};
use crate::render::{guidance, plan as words};
use crate::store::{Store, StoreError};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::sleep;

/// How often, and at what pace, it is looked whether a message that is just being posted is kept by now.
const SETTLE: usize = 30;
const PAUSE: Duration = Duration::from_millis(100);

impl<F: Front + 'static, S: Store + 'static> Remedying<F, S> {
    /// A person confirms; with the last confirmation that is needed it is carried out.
    pub(super) async fn confirm(self: &Arc<Self>, asked: &Asked, named: Option<&str>) -> Result<(), FrontError> {
        let language = self.language(&asked.message.channel);
        let Some((proposal, asked)) = self.open_proposal(asked, named).await? else { return Ok(()) };
        let asked = &asked;
        let by = match self.may_confirm(asked, &proposal).await {
            Ok(by) => by,
            Err(refusal) => return self.turn_away(asked, &proposal, &refusal).await,
        };
        // The settings may ask for more people by now, or allow it no longer.
        let Some(needed) = self.approvals_needed(&proposal.plan) else {
            return self.whisper(asked, &words::switched_off(language)).await;
        };
        let now = (self.clock)();
        let mut stays = None;
        let approve = |proposal: &mut Proposal| {
            proposal.approvals_needed = proposal.approvals_needed.max(needed);
            match proposal.approve(by.clone(), now) {
                Ok(approved) => Some(Ok(approved)),
                Err(Stays::TooLate) if proposal.expire(now) => Some(Err(Stays::TooLate)),
                Err(why) => {
                    stays = Some(why);
                    None
                }
            }
        };
        match self.change(&proposal.id, approve).await {
            Ok(Some((kept, Ok(Approved::Enough)))) => {
                self.audit(audit::Entry::of(&kept, "approved", Some(by.named()), now)).await;
                self.clone().carry_out(kept).await;
                Ok(())
            }
            Ok(Some((kept, Ok(Approved::More(_))))) => {
                self.audit(audit::Entry::of(&kept, "approved", Some(by.named()), now)).await;
                self.show(&kept).await;
                Ok(())
            }
            Ok(Some((kept, Err(_)))) => {
                self.audit(audit::Entry::of(&kept, "expired", None, now)).await;
                self.close(&kept).await;
                self.whisper(asked, &words::not_open(&kept, language)).await
            }
            Ok(None) if stays == Some(Stays::Again) => self.whisper(asked, &words::again(language)).await,
            // Somebody else was first; the message shows it.
            Ok(None) => Ok(()),
            Err(error) => self.not_kept(asked, &error).await,
        }
    }

    /// A person withdraws a plan.
    pub(super) async fn cancel(self: &Arc<Self>, asked: &Asked, named: Option<&str>) -> Result<(), FrontError> {
        let Some((proposal, asked)) = self.open_proposal(asked, named).await? else { return Ok(()) };
        let asked = &asked;
        let by = match self.may(asked, Role::Approve, &proposal.plan).await {
            Ok(by) => by,
            Err(refusal) => return self.turn_away(asked, &proposal, &refusal).await,
        };
        let now = (self.clock)();
        match self.change(&proposal.id, |proposal| proposal.cancel(by.clone(), now).ok()).await {
            Ok(Some((kept, ()))) => {
                self.audit(audit::Entry::of(&kept, "cancelled", Some(by.named()), now)).await;
                self.close(&kept).await;
                Ok(())
            }
            Ok(None) => Ok(()),
            Err(error) => self.not_kept(asked, &error).await,
        }
    }

    /// Returns the open proposal that somebody means, with the thread that it is in; says it where there is none.
    async fn open_proposal(&self, asked: &Asked, named: Option<&str>) -> Result<Option<(Proposal, Asked)>, FrontError> {
        let Some(proposal) = self.proposal(asked, named).await else {
            self.unknown(asked, named).await?;
            return Ok(None);
        };
        let asked = in_its_thread(asked, &proposal);
        if !proposal.is_open() {
            let language = self.language(&asked.message.channel);
            self.whisper(&asked, &words::not_open(&proposal, language)).await?;
            return Ok(None);
        }
        Ok(Some((proposal, asked)))
    }

    /// Tells somebody why they may not.
    async fn turn_away(&self, asked: &Asked, proposal: &Proposal, why: &Refusal) -> Result<(), FrontError> {
        self.refuse(&proposal.plan, &proposal.id, asked, why).await;
        self.whisper(asked, &guidance::refused(why, self.language(&asked.message.channel))).await
    }

    /// Who acts may confirm; who approves counts where several people must. Then Kubernetes is asked.
    async fn may_confirm(&self, asked: &Asked, proposal: &Proposal) -> Result<Person, Refusal> {
        let role = if proposal.approvals_needed >= 2 { Role::Approve } else { Role::Act };
        let by = self.may(asked, role, &proposal.plan).await?;
        let cluster = self.clusters.get(Some(&proposal.plan.cluster));
        let cluster = cluster.map_err(|error| Refusal::Unsure { why: error.to_string() })?;
        self.kubernetes_lets(cluster, &by, &proposal.plan).await?;
        Ok(by)
    }

    /// Returns the proposal that a message shows. What a button says must be what its message is.
    async fn proposal(&self, asked: &Asked, named: Option<&str>) -> Option<Proposal> {
        let shows = |proposal: &Proposal| {
            let message = proposal.message.as_ref();
            message.is_some_and(|m| m.channel == asked.message.channel && m.id == asked.message.id)
        };
        // People are quick: the message may stand before it is kept where it does.
        for _ in 0..SETTLE {
            let all = match self.proposals().await {
                Ok(all) => all,
                Err(error) => {
                    tracing::error!(%error, "proposals cannot be read: {error}");
                    return None;
                }
            };
            if let Some(found) = all.iter().find(|record| shows(&record.body)) {
                return Some(found.body.clone()).filter(|proposal| named.is_none_or(|named| named == proposal.id));
            }
            let on_its_way = |p: &Proposal| p.message.is_none() && p.thread.channel == asked.message.channel;
            if !all.iter().any(|record| on_its_way(&record.body)) {
                return None;
            }
            sleep(PAUSE).await;
        }
        None
    }

    /// A check mark on some other message is nobody's business; a button that leads nowhere is told.
    async fn unknown(&self, asked: &Asked, named: Option<&str>) -> Result<(), FrontError> {
        match named {
            Some(_) => self.whisper(asked, &words::unknown(self.language(&asked.message.channel))).await,
            None => Ok(()),
        }
    }

    async fn not_kept(&self, asked: &Asked, error: &StoreError) -> Result<(), FrontError> {
        tracing::error!(%error, "a plan could not be changed: {error}");
        self.whisper(asked, &words::unread(&error.to_string(), self.language(&asked.message.channel))).await
    }
}

fn in_its_thread(asked: &Asked, proposal: &Proposal) -> Asked {
    Asked { thread: Some(proposal.thread.id.clone()), ..asked.clone() }
}
