//! Proposals in the store: read, and changed by compare-and-swap only.

use super::Remedying;
use crate::chat::front::Front;
use crate::remedy::Proposal;
use crate::store::{self, Kind, Record, Store, StoreError};

/// How often a change is tried again that somebody else came before.
const TRIES: usize = 8;

impl<F: Front + 'static, S: Store + 'static> Remedying<F, S> {
    /// Returns all proposals.
    pub(super) async fn proposals(&self) -> Result<Vec<Record<Proposal>>, StoreError> {
        match &self.store {
            Some(store) => store::all(store, Kind::Remedy).await,
            None => Ok(Vec::new()),
        }
    }

    /// Returns one proposal as it is kept.
    pub(super) async fn kept(&self, id: &str) -> Result<Option<Record<Proposal>>, StoreError> {
        match &self.store {
            Some(store) => store::get(store, Kind::Remedy, id).await,
            None => Ok(None),
        }
    }

    /// Keeps a new proposal; an id that is taken is a conflict.
    pub(super) async fn keep(&self, proposal: &Proposal) -> Result<(), StoreError> {
        let store = self.store.as_ref().ok_or_else(nowhere)?;
        store::put(store, Kind::Remedy, &proposal.id, proposal, 0).await.map(drop)
    }

    /// Changes a proposal, where `change` says that there is something to change; it sees the latest and may be asked again.
    ///
    /// Returns the proposal as it is kept now, and what the change came to; `None` = nothing was changed.
    pub(super) async fn change<T>(
        &self,
        id: &str,
        mut change: impl FnMut(&mut Proposal) -> Option<T>,
    ) -> Result<Option<(Proposal, T)>, StoreError> {
        let store = self.store.as_ref().ok_or_else(nowhere)?;
        for _ in 0..TRIES {
            let Some(record) = self.kept(id).await? else { return Ok(None) };
            let mut proposal = record.body;
            let Some(outcome) = change(&mut proposal) else { return Ok(None) };
            match store::put(store, Kind::Remedy, id, &proposal, record.version).await {
                Ok(_) => return Ok(Some((proposal, outcome))),
                Err(StoreError::Conflict { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Err(StoreError::Conflict { kind: Kind::Remedy.name(), id: id.to_owned() })
    }
}

fn nowhere() -> StoreError {
    StoreError::Failed("nothing is kept: set slack.default_channel, routes or remedies, and restart".to_owned())
}
