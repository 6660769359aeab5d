//! The only place where a [`Confirmed`] is made: what people have confirmed, and nothing else, may be written.

use super::plan::Step;
use super::proposal::{Person, Progress, Proposal, State, Turn};

/// One step that enough people have confirmed, and whose request is about to leave. Writing uses it up.
///
/// It has no other maker than [`confirmed`], and cannot be copied.
#[derive(Debug)]
pub struct Confirmed {
    proposal: String,
    step: Step,
    by: Person,
}

/// A [`Confirmed`] that was used up: enough to tell of it, not to do it again.
#[derive(Debug)]
pub struct Spent(Confirmed);

impl Confirmed {
    /// Returns the step.
    pub fn step(&self) -> &Step {
        &self.step
    }

    /// Returns the proposal's id.
    pub fn proposal(&self) -> &str {
        &self.proposal
    }

    /// Returns whose confirmation let it happen.
    pub fn by(&self) -> &Person {
        &self.by
    }

    /// Uses it up.
    pub fn spend(self) -> Spent {
        Spent(self)
    }
}

impl Spent {
    /// Returns what it was.
    pub fn was(&self) -> &Confirmed {
        &self.0
    }
}

/// Returns a step as confirmed: where the proposal, as the store keeps it, is executing with all the confirmations that it
/// needs, and it is this step's turn. A turn is given once, so no step is ever confirmed twice.
pub fn confirmed(proposal: &Proposal, turn: Turn) -> Option<Confirmed> {
    let executing = matches!(proposal.state, State::Executing { .. });
    let enough = proposal.confirmed_by() >= proposal.approvals_needed.max(1);
    let sent = matches!(proposal.progress.get(turn.step()), Some(Progress::Sent { .. }));
    let by = proposal.approvals.last()?.by.clone();
    let step = proposal.plan.steps.get(turn.step())?.clone();
    (executing && enough && sent).then(|| Confirmed { proposal: proposal.id.clone(), step, by })
}

#[cfg(test)]
mod tests {
    use super::super::proposal::tests::{at, person, proposal};
    use super::*;

    #[test]
    fn nothing_is_confirmed_before_enough_people_have() {
        let mut proposal = proposal(2);
        proposal.approve(person("U0ALICE"), at(1)).expect("open");
        assert!(proposal.send(at(1)).is_none());
        // Not even where somebody tampered with the state.
        let mut tampered = proposal.clone();
        tampered.state = State::Executing { since: at(1) };
        let turn = tampered.send(at(1)).expect("it says that it executes");
        assert!(confirmed(&tampered, turn).is_none());
        proposal.approve(person("U0BOB"), at(2)).expect("open");
        let turn = proposal.send(at(3)).expect("its turn");
        let confirmed = confirmed(&proposal, turn).expect("confirmed");
        assert_eq!((confirmed.step().object.name.as_str(), confirmed.by().id.as_str()), ("a", "U0BOB"));
    }
}
