//! A proposal: a plan on its way from proposed to done. Every change of its state is a pure transition here.
//!
//! ```text
//! proposed ─approve─► proposed ─approve (the last of n)─► executing ─► verifying ─► succeeded
//!    ├─cancel─► cancelled   └─expire─► expired                └────────────┴──────► failed
//! ```
//!
//! Each step keeps its own progress. `Sent` is kept before a request leaves: whoever finds it there after a crash asks the
//! object itself what happened, and never sends it again.

use super::plan::Plan;
use crate::diagnosis::Words;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// A person, as the chat vouches for them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    pub id: String,
    /// The Kubernetes user that they are; `None` where Kubernetes is not asked about people.
    pub user: Option<String>,
}

impl Person {
    /// Returns how the audit names them: by their e-mail where it is known, and their id.
    pub fn named(&self) -> String {
        match &self.user {
            Some(user) => format!("{user} ({})", self.id),
            None => self.id.clone(),
        }
    }
}

/// A confirmation of one person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approval {
    pub by: Person,
    pub at: Timestamp,
}

/// How far a step has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum Progress {
    /// Nothing was sent.
    Waiting,
    /// The request may have left; no answer is known.
    Sent {
        at: Timestamp,
    },
    Done {
        at: Timestamp,
    },
    /// The API server, or the object itself, says that it was not done.
    NotDone {
        why: String,
    },
}

/// Where a proposal stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum State {
    Proposed,
    Executing {
        since: Timestamp,
    },
    /// All steps are done; whether they cure is watched.
    Verifying {
        since: Timestamp,
    },
    Succeeded {
        at: Timestamp,
        outcome: Words,
    },
    Failed {
        at: Timestamp,
        why: Words,
    },
    Expired {
        at: Timestamp,
    },
    Cancelled {
        at: Timestamp,
        by: Person,
    },
}

impl State {
    /// Returns the state's name in the audit.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Proposed => "proposed",
            Self::Executing { .. } => "executing",
            Self::Verifying { .. } => "verifying",
            Self::Succeeded { .. } => "succeeded",
            Self::Failed { .. } => "failed",
            Self::Expired { .. } => "expired",
            Self::Cancelled { .. } => "cancelled",
        }
    }
}

/// A message of ours in a chat.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Address {
    pub channel: String,
    pub id: String,
}

/// A plan that somebody proposed, as the store keeps it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Proposal {
    pub id: String,
    pub plan: Plan,
    pub by: Person,
    pub at: Timestamp,
    pub expires: Timestamp,
    /// How many different people must confirm.
    pub approvals_needed: u32,
    pub approvals: Vec<Approval>,
    pub state: State,
    /// One for each step of the plan.
    pub progress: Vec<Progress>,
    /// What it was proposed on: the parent message of the thread that it is told in.
    pub thread: Address,
    /// The message that shows it.
    pub message: Option<Address>,
    /// Its end is told, in its message and in the thread; an end that a crash left untold is told at the next start.
    #[serde(default)]
    pub told: bool,
}

/// Why a transition is not possible.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stays {
    /// It is not waiting for confirmation any more.
    NotOpen,
    /// Its time is over.
    TooLate,
    /// This person has confirmed already; another must as well.
    Again,
}

/// The turn of one step, given once: its request may leave after this was kept. It outlives no crash.
#[derive(Debug)]
pub struct Turn(usize);

impl Turn {
    /// Returns the step.
    pub fn step(&self) -> usize {
        self.0
    }
}

/// What an approval came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Approved {
    /// So many more people must confirm.
    More(u32),
    /// It was the last one: from now on it executes.
    Enough,
}

impl Proposal {
    /// Returns true while it waits for confirmation.
    pub fn is_open(&self) -> bool {
        self.state == State::Proposed
    }

    /// Returns true once nothing will change any more.
    pub fn is_over(&self) -> bool {
        !matches!(self.state, State::Proposed | State::Executing { .. } | State::Verifying { .. })
    }

    /// Returns how many different people have confirmed.
    pub fn confirmed_by(&self) -> u32 {
        let people: BTreeSet<&str> = self.approvals.iter().map(|approval| approval.by.id.as_str()).collect();
        u32::try_from(people.len()).unwrap_or(u32::MAX)
    }

    /// A person confirms. With enough of them it executes from now on.
    ///
    /// # Errors
    /// Says why nothing changed.
    pub fn approve(&mut self, by: Person, now: Timestamp) -> Result<Approved, Stays> {
        if !self.is_open() {
            return Err(Stays::NotOpen);
        }
        if now >= self.expires {
            return Err(Stays::TooLate);
        }
        if self.approvals.iter().any(|approval| approval.by.id == by.id) {
            return Err(Stays::Again);
        }
        self.approvals.push(Approval { by, at: now });
        let missing = self.approvals_needed.max(1).saturating_sub(self.confirmed_by());
        if missing > 0 {
            return Ok(Approved::More(missing));
        }
        self.state = State::Executing { since: now };
        Ok(Approved::Enough)
    }

    /// A person withdraws it.
    ///
    /// # Errors
    /// Where it is not waiting for confirmation any more.
    pub fn cancel(&mut self, by: Person, now: Timestamp) -> Result<(), Stays> {
        if !self.is_open() {
            return Err(Stays::NotOpen);
        }
        self.state = State::Cancelled { at: now, by };
        Ok(())
    }

    /// Its time is over; returns whether that changed anything.
    pub fn expire(&mut self, now: Timestamp) -> bool {
        let over = self.is_open() && now >= self.expires;
        if over {
            self.state = State::Expired { at: now };
        }
        over
    }

    /// The request of the next step is about to leave; `None` = there is none, or what became of the last is not known.
    pub fn send(&mut self, now: Timestamp) -> Option<Turn> {
        let step = self.progress.iter().position(|progress| *progress == Progress::Waiting)?;
        let before_are_done = self.progress.iter().take(step).all(|p| matches!(p, Progress::Done { .. }));
        if !matches!(self.state, State::Executing { .. }) || !before_are_done {
            return None;
        }
        self.progress[step] = Progress::Sent { at: now };
        Some(Turn(step))
    }

    /// What came of a step is known. With the last one done its effect is watched; with one that was not done all ends.
    pub fn settle(&mut self, step: usize, progress: Progress, now: Timestamp) {
        if !matches!(self.state, State::Executing { .. }) {
            return;
        }
        let failed = match &progress {
            Progress::NotDone { why } => Some(why.clone()),
            _ => None,
        };
        if let Some(place) = self.progress.get_mut(step) {
            *place = progress;
        }
        if let Some(why) = failed {
            self.fail(Words::new(why.clone(), why), now);
        } else if self.progress.iter().all(|progress| matches!(progress, Progress::Done { .. })) {
            self.state = State::Verifying { since: now };
        }
    }

    /// It ends without having cured; what was done stays in the progress.
    pub fn fail(&mut self, why: Words, now: Timestamp) {
        if !self.is_over() {
            self.state = State::Failed { at: now, why };
        }
    }

    /// It has cured.
    pub fn succeed(&mut self, outcome: Words, now: Timestamp) {
        if matches!(self.state, State::Verifying { .. }) {
            self.state = State::Succeeded { at: now, outcome };
        }
    }

    /// Returns how many steps are done.
    pub fn done(&self) -> usize {
        self.progress.iter().filter(|progress| matches!(progress, Progress::Done { .. })).count()
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use crate::diagnosis::Remedy;
    use crate::remedy::object::{Kind, Object};
    use crate::remedy::plan::{Change, Step};

    pub fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + second).expect("a time")
    }

    pub fn person(id: &str) -> Person {
        Person { id: id.into(), user: None }
    }

    /// A proposal of two steps that so many people must confirm within 900 seconds.
    pub fn proposal(approvals_needed: u32) -> Proposal {
        let step = |name: &str| Step {
            object: Object { kind: Kind::Pod, namespace: "data".into(), name: name.into(), uid: format!("u-{name}") },
            change: Change::Delete { grace_seconds: None, tests: vec![] },
            says: Words::new(name, name),
        };
        Proposal {
            id: "p1".into(),
            plan: Plan {
                remedy: Remedy::RemoveFinalizers,
                cluster: "prod".into(),
                subject: "data/backup".into(),
                cause: "finalizer-pending".into(),
                steps: vec![step("a"), step("b")],
                notes: vec![],
                undo: Words::new("", ""),
                patients: vec![],
                left_out: 0,
                others: vec![],
            },
            by: person("U0ALICE"),
            at: at(0),
            expires: at(900),
            approvals_needed,
            approvals: vec![],
            state: State::Proposed,
            progress: vec![Progress::Waiting, Progress::Waiting],
            thread: Address { channel: "C0".into(), id: "1.0".into() },
            message: None,
            told: false,
        }
    }

    #[test]
    fn one_confirmation_is_enough_where_one_is_asked_for_and_counts_once() {
        let mut proposal = proposal(1);
        assert_eq!(proposal.approve(person("U0ALICE"), at(1)), Ok(Approved::Enough));
        assert_eq!(proposal.approve(person("U0ALICE"), at(2)), Err(Stays::NotOpen));
        assert_eq!(proposal.approve(person("U0BOB"), at(2)), Err(Stays::NotOpen));
        assert_eq!(proposal.cancel(person("U0BOB"), at(2)), Err(Stays::NotOpen));
        assert!(!proposal.expire(at(10_000)));
    }

    #[test]
    fn two_confirmations_are_of_two_people() {
        let mut proposal = proposal(2);
        assert_eq!(proposal.approve(person("U0ALICE"), at(1)), Ok(Approved::More(1)));
        assert_eq!(proposal.approve(person("U0ALICE"), at(2)), Err(Stays::Again));
        assert!(proposal.is_open());
        assert_eq!(proposal.approve(person("U0BOB"), at(3)), Ok(Approved::Enough));
    }

    #[test]
    fn after_its_time_nothing_confirms_it() {
        let mut proposal = proposal(1);
        assert!(!proposal.expire(at(899)));
        assert_eq!(proposal.approve(person("U0ALICE"), at(900)), Err(Stays::TooLate));
        assert!(proposal.expire(at(900)));
        assert_eq!(proposal.approve(person("U0ALICE"), at(901)), Err(Stays::NotOpen));
    }

    #[test]
    fn steps_go_in_order_and_once() {
        let mut proposal = proposal(1);
        assert!(proposal.send(at(1)).is_none(), "not confirmed");
        proposal.approve(person("U0ALICE"), at(1)).expect("open");
        assert_eq!(proposal.send(at(1)).expect("the first").step(), 0);
        assert!(proposal.send(at(1)).is_none(), "what became of the first is not known");
        proposal.settle(0, Progress::Done { at: at(2) }, at(2));
        assert_eq!(proposal.send(at(2)).expect("the second").step(), 1);
        proposal.settle(1, Progress::Done { at: at(3) }, at(3));
        assert!(proposal.send(at(3)).is_none());
        assert_eq!(proposal.state, State::Verifying { since: at(3) });
        proposal.succeed(Words::new("gone", "gone"), at(4));
        assert!(proposal.is_over());
    }

    #[test]
    fn a_step_that_was_not_done_ends_it() {
        let mut proposal = proposal(1);
        proposal.approve(person("U0ALICE"), at(1)).expect("open");
        proposal.send(at(1)).expect("its turn");
        proposal.settle(0, Progress::NotDone { why: "409".into() }, at(2));
        assert!(matches!(proposal.state, State::Failed { .. }));
        assert_eq!(proposal.progress[1], Progress::Waiting);
        assert!(proposal.send(at(3)).is_none());
        proposal.succeed(Words::new("", ""), at(4));
        assert!(matches!(proposal.state, State::Failed { .. }), "over is over");
    }
}
