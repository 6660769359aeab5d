//! Remedies, from a reaction to done: who may is decided here, each change of a proposal is kept by compare-and-swap before
//! anything follows from it, and what is told comes after what was done.
//!
//! ```text
//! wrench ─► propose: diagnose, plan, rehearse ─► kept ─► the plan's message
//! check mark ─► decide: who may, Kubernetes too ─► kept as executing ─► carry_out: one step after the other ─► verify
//! start ─► recover: what was under way is asked of the objects themselves
//! ```

pub mod audit;
mod by_hand;
mod carry_out;
mod decide;
mod keep;
mod people;
mod propose;
mod scenes;

use super::answers::Answers;
use super::clusters::Clusters;
use super::respond::language;
use super::watching;
use crate::chat::front::{Front, FrontError, Incoming, Person, Place, Posted, ReturnPath, What};
use crate::diagnosis::Language;
use crate::remedy::{Proposal, State};
use crate::render::message::Message;
use crate::render::plan;
use crate::settings::InForce;
use crate::store::Store;
use jiff::Timestamp;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::sleep;

/// How many requests may wait.
const BACKLOG: usize = 256;

/// What somebody asks for, as the chat handed it over.
#[derive(Debug, Clone)]
pub struct Asked {
    pub what: Wish,
    pub person: Person,
    /// The message that was reacted to, or whose button was pressed.
    pub message: Posted,
    /// The thread that the message stands in, as far as the payload says.
    pub thread: Option<String>,
    pub return_path: Option<ReturnPath>,
}

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wish {
    Propose,
    /// `proposal` = the button's; a reaction names none.
    Confirm {
        proposal: Option<String>,
    },
    Cancel {
        proposal: Option<String>,
    },
}

/// Returns what a reaction or a button asks of the remedies; `None` = it is meant for others.
pub fn asked(incoming: &Incoming) -> Option<Asked> {
    let (message, what) = match &incoming.what {
        What::Reaction { message, name, added: true } => {
            let what = match name.as_str() {
                "wrench" => Wish::Propose,
                "white_check_mark" => Wish::Confirm { proposal: None },
                "x" => Wish::Cancel { proposal: None },
                _ => return None,
            };
            (message, what)
        }
        What::Click { message, action, value } => {
            let proposal = Some(value.clone());
            let what = match action.as_str() {
                plan::CONFIRM => Wish::Confirm { proposal },
                plan::CANCEL => Wish::Cancel { proposal },
                _ => return None,
            };
            (message, what)
        }
        _ => return None,
    };
    Some(Asked {
        what,
        person: incoming.person.clone(),
        message: Posted { channel: incoming.place.channel.clone(), id: message.clone() },
        thread: incoming.place.thread.clone(),
        return_path: incoming.return_path.clone(),
    })
}

/// Returns a way to [`Remedying::run`].
pub fn channel() -> (mpsc::Sender<Asked>, mpsc::Receiver<Asked>) {
    mpsc::channel(BACKLOG)
}

/// What remedies are made from.
pub struct Remedying<F, S> {
    pub front: Arc<F>,
    pub clusters: Clusters,
    pub settings: InForce,
    /// The workspace whose people may act.
    pub own_team: String,
    /// Where proposals are kept; without it nothing is ever changed.
    pub store: Option<S>,
    /// The way to the watch, which knows what its alerts are about.
    pub watch: Option<mpsc::Sender<watching::Event>>,
    pub answers: Arc<Answers>,
    pub clock: fn() -> Timestamp,
}

impl<F: Front + 'static, S: Store + 'static> Remedying<F, S> {
    /// Takes up what an earlier life left, then does what is asked until nothing can come in any more.
    pub async fn run(self, mut inbox: mpsc::Receiver<Asked>) {
        let this = Arc::new(self);
        let mut tasks = JoinSet::new();
        tasks.spawn(this.clone().recover());
        while let Some(asked) = inbox.recv().await {
            while tasks.try_join_next().is_some() {}
            tasks.spawn(this.clone().handle(asked));
        }
    }

    async fn handle(self: Arc<Self>, asked: Asked) {
        let (user, channel) = (asked.person.id.clone(), asked.message.channel.clone());
        let outcome = match asked.what.clone() {
            Wish::Propose => self.propose(&asked).await,
            Wish::Confirm { proposal } => self.confirm(&asked, proposal.as_deref()).await,
            Wish::Cancel { proposal } => self.cancel(&asked, proposal.as_deref()).await,
        };
        if let Err(error) = outcome {
            tracing::error!(user, channel, %error, "a remedy could not be told: {error}");
        }
    }

    fn language(&self, channel: &str) -> Language {
        language(&self.settings.get(), channel)
    }

    /// Tells the person who asked, and nobody else.
    async fn whisper(&self, asked: &Asked, message: &Message) -> Result<(), FrontError> {
        match &asked.return_path {
            Some(path) => self.front.respond(path, message, false).await,
            None => {
                let place = Place { channel: asked.message.channel.clone(), thread: asked.thread.clone() };
                self.front.whisper(&place, &asked.person, message).await
            }
        }
    }

    /// Brings the plan's message up to date, wherever it stands.
    async fn show(&self, proposal: &Proposal) {
        let Some(message) = &proposal.message else { return };
        let posted = Posted { channel: message.channel.clone(), id: message.id.clone() };
        let drawn = plan::message(proposal, self.language(&message.channel));
        if let Err(error) = self.front.edit(&posted, &drawn).await {
            tracing::warn!(proposal = proposal.id, %error, "the message of a plan could not be edited: {error}");
        }
    }

    /// Shows how a proposal ended, and tells it in the thread where something was carried out; then it is told.
    async fn close(&self, proposal: &Proposal) {
        self.show(proposal).await;
        if matches!(proposal.state, State::Succeeded { .. } | State::Failed { .. })
            && let Err(error) = self.tell_end(proposal).await
        {
            tracing::warn!(proposal = proposal.id, %error, "what became of a plan could not be told: {error}");
        }
        let told = |proposal: &mut Proposal| (!std::mem::replace(&mut proposal.told, true)).then_some(());
        if let Err(error) = self.change(&proposal.id, told).await {
            tracing::warn!(proposal = proposal.id, %error, "that a plan's end is told could not be kept: {error}");
        }
    }

    async fn tell_end(&self, proposal: &Proposal) -> Result<(), FrontError> {
        let thread = &proposal.thread;
        let place = Place { channel: thread.channel.clone(), thread: Some(thread.id.clone()) };
        let message = plan::end(proposal, self.language(&thread.channel));
        let key = format!("{}-end", proposal.id);
        self.front.post_as(&place, &message, &key).await.map(drop)
    }

    /// A crash came after it ended and before that was told.
    async fn close_after_crash(&self, proposal: &Proposal) {
        self.audit_once(audit::Entry::of_end(proposal, (self.clock)())).await;
        let thread = &proposal.thread;
        let place = Place { channel: thread.channel.clone(), thread: Some(thread.id.clone()) };
        match self.front.find(&place, &format!("{}-end", proposal.id)).await {
            Ok(None) => self.close(proposal).await,
            Ok(Some(_)) => {
                self.show(proposal).await;
                // It stands in the thread; if this is not kept, it is found there again.
                let _ = self
                    .change(&proposal.id, |proposal| (!std::mem::replace(&mut proposal.told, true)).then_some(()))
                    .await;
            }
            // Rather not told in the thread than told twice; its message shows it.
            Err(error) => {
                tracing::warn!(proposal = proposal.id, %error, "the thread of a plan could not be read: {error}");
                self.show(proposal).await;
            }
        }
    }

    /// Ends a proposal that nobody confirms in time.
    async fn expire_in_time(self: Arc<Self>, id: String, expires: Timestamp) {
        let wait = expires.duration_since((self.clock)());
        sleep(Duration::try_from(wait).unwrap_or_default()).await;
        let now = (self.clock)();
        if let Ok(Some(expired)) = self.change(&id, |proposal| proposal.expire(now).then_some(())).await {
            self.audit(audit::Entry::of(&expired.0, "expired", None, now)).await;
            self.close(&expired.0).await;
        }
    }
}
