//! What was confirmed is done: one step after the other, each kept as sent before its request leaves, and what came of it
//! after. Then the pods are diagnosed anew until they are cured or the time is over.
//!
//! A crash at any moment leaves a step at most as `sent`; then the object itself is asked, and nothing is sent again.

use super::super::watching::{Ask, Event};
use super::scenes::Health;
use super::{Remedying, audit};
use crate::chat::front::{Front, Place};
use crate::cluster::{Cluster, WriteError};
use crate::diagnosis::Words;
use crate::remedy::confirm::{Confirmed, confirmed};
use crate::remedy::plan::{Step, Told};
use crate::remedy::proposal::{Progress, Proposal, State};
use crate::remedy::recipes;
use crate::render::plan as words;
use crate::store::Store;
use crate::watch::incident::{Address, Helped};
use futures_util::future::join_all;
use jiff::{SignedDuration, Timestamp};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::sleep;

/// How often patients are looked at while their cure is awaited.
const LOOK: Duration = Duration::from_secs(2);
/// How often, and after which pauses, an object is asked what became of a request without an answer.
const ASK_OBJECT: [Duration; 4] =
    [Duration::from_millis(200), Duration::from_secs(1), Duration::from_secs(2), Duration::from_secs(4)];

impl<F: Front + 'static, S: Store + 'static> Remedying<F, S> {
    /// Carries out a proposal that has just become executing.
    pub(super) async fn carry_out(self: Arc<Self>, mut proposal: Proposal) {
        let Ok(cluster) = self.clusters.get(Some(&proposal.plan.cluster)).cloned() else { return };
        let mut shown = false;
        loop {
            // The turn is taken and kept before anything leaves; whoever does not get it does nothing.
            let now = (self.clock)();
            let turn = match self.change(&proposal.id, |proposal| proposal.send(now)).await {
                Ok(Some((kept, turn))) => {
                    proposal = kept;
                    turn
                }
                Ok(None) => break,
                Err(error) => {
                    tracing::error!(proposal = proposal.id, %error, "a step could not be kept, so it is not done: {error}");
                    return;
                }
            };
            let number = turn.step();
            let Some(confirmed) = confirmed(&proposal, turn) else { return };
            let step = confirmed.step().clone();
            let progress = self.act(&cluster, &proposal, confirmed).await;
            let now = (self.clock)();
            let settle = |proposal: &mut Proposal| {
                proposal.settle(number, progress.clone(), now);
                Some(())
            };
            match self.change(&proposal.id, settle).await {
                Ok(Some((kept, ()))) => proposal = kept,
                Ok(None) => return,
                Err(error) => {
                    // It stays as sent: the next start asks the object.
                    tracing::error!(proposal = proposal.id, %error, "what became of a step could not be kept: {error}");
                    return;
                }
            }
            self.audit_step(&proposal, &step, &progress, now).await;
            // The message is brought up to date while the work goes on; the first edit must not hold up the first step.
            if !shown || proposal.is_over() {
                shown = true;
                self.show(&proposal).await;
            }
        }
        self.finish(&cluster, proposal).await;
    }

    /// Sends one confirmed step, with an Event before and after; where no answer comes the object is asked.
    async fn act(&self, cluster: &Cluster, proposal: &Proposal, confirmed: Confirmed) -> Progress {
        let now = (self.clock)();
        let step = confirmed.step().clone();
        let what = format!("podoctor {} ({})", proposal.plan.remedy.id(), step.says.en);
        let sent = audit::Entry::of(proposal, "sent", Some(confirmed.by().named()), now).about(step.object.to_string());
        let (noted, ()) = tokio::join!(cluster.note_before(&confirmed, &what, now), self.audit(sent));
        if let Err(error) = noted {
            tracing::warn!(proposal = proposal.id, %error, "no Event could be left on {}: {error}", step.object);
        }
        let user = confirmed.by().user.clone();
        let as_user = user.as_deref().filter(|_| self.settings.get().access.kubernetes.impersonate);
        let (spent, outcome) = cluster.execute(confirmed, as_user).await;
        let now = (self.clock)();
        let progress = match outcome {
            Ok(()) => Progress::Done { at: now },
            Err(WriteError::Unknown(why)) => self.ask_object(cluster, &step, &why).await,
            Err(error) => Progress::NotDone { why: error.to_string() },
        };
        let failure = match &progress {
            Progress::NotDone { why } => Some(why.as_str()),
            _ => None,
        };
        if let Err(error) = cluster.note_after(&spent, &what, failure, now).await {
            tracing::warn!(proposal = proposal.id, %error, "no Event could be left on {}: {error}", step.object);
        }
        progress
    }

    /// The object itself tells what became of a request whose answer nobody got.
    async fn ask_object(&self, cluster: &Cluster, step: &Step, why: &str) -> Progress {
        let mut last = why.to_owned();
        for pause in ASK_OBJECT {
            sleep(pause).await;
            match cluster.told_of(step).await {
                Ok(Told::Done) => return Progress::Done { at: (self.clock)() },
                Ok(Told::NotDone) => last = format!("{why}; the object is as it was"),
                Ok(Told::Gone) => last = format!("{why}; the object is not there any more"),
                Err(error) => last = format!("{why}; then the object could not be read: {error}"),
            }
        }
        Progress::NotDone { why: last }
    }

    async fn audit_step(&self, proposal: &Proposal, step: &Step, progress: &Progress, now: Timestamp) {
        let action = if matches!(progress, Progress::Done { .. }) { "done" } else { "not-done" };
        let mut entry = audit::Entry::of(proposal, action, None, now).about(step.object.to_string());
        if let Progress::NotDone { why } = progress {
            entry = entry.because(why);
        }
        self.audit(entry).await;
    }

    /// Watches whether it helped, and tells.
    async fn finish(&self, cluster: &Cluster, mut proposal: Proposal) {
        if let State::Verifying { since } = proposal.state {
            self.note_help(&proposal, since).await;
            let (cured, outcome) = self.verify(cluster, &proposal).await;
            let now = (self.clock)();
            let end = |proposal: &mut Proposal| {
                if cured {
                    proposal.succeed(outcome.clone(), now);
                } else {
                    proposal.fail(outcome.clone(), now);
                }
                Some(())
            };
            match self.change(&proposal.id, end).await {
                Ok(Some((kept, ()))) => proposal = kept,
                Ok(None) => {}
                Err(error) => {
                    tracing::error!(proposal = proposal.id, %error, "how a remedy ended could not be kept: {error}");
                    return;
                }
            }
        }
        self.audit(audit::Entry::of_end(&proposal, (self.clock)())).await;
        self.close(&proposal).await;
    }

    /// Lets the alert that it was proposed on know, if it was one: its end will tell what was done.
    async fn note_help(&self, proposal: &Proposal, at: Timestamp) {
        let Some(watch) = &self.watch else { return };
        let message = Address { channel: proposal.thread.channel.clone(), id: proposal.thread.id.clone() };
        let helped = Helped { remedy: proposal.plan.remedy.id().to_owned(), by: proposal.by.id.clone(), at };
        // The watch ends with the process only.
        let _ = watch.send(Event::Asked(Ask::Helped { message, helped })).await;
    }

    /// Diagnoses the patients until they are cured or the time is over.
    async fn verify(&self, cluster: &Cluster, proposal: &Proposal) -> (bool, Words) {
        let State::Verifying { since } = proposal.state else { return (false, words::nothing_known()) };
        let patience = recipes::of(proposal.plan.remedy).patience;
        loop {
            let now = (self.clock)();
            let patients = &proposal.plan.patients;
            let all: Vec<_> =
                patients.iter().map(|patient| self.health(cluster, &proposal.plan, patient, now)).collect();
            let health = join_all(all).await;
            let ill = health.iter().any(|health| matches!(health, Health::Same | Health::Unread(_)));
            let took = now.duration_since(since);
            if !ill || took >= patience {
                return (!ill, outcome(&health, took));
            }
            sleep(LOOK).await;
        }
    }

    /// Takes up what an earlier life left behind.
    pub(super) async fn recover(self: Arc<Self>) {
        let all = match self.proposals().await {
            Ok(all) => all,
            Err(error) => {
                tracing::error!(%error, "proposals cannot be read: {error}");
                return;
            }
        };
        for proposal in all.into_iter().map(|record| record.body).filter(|p| !p.is_over() || !p.told) {
            tokio::spawn(self.clone().take_up(proposal));
        }
    }

    async fn take_up(self: Arc<Self>, proposal: Proposal) {
        if proposal.message.is_none() {
            let thread = &proposal.thread;
            let place = Place { channel: thread.channel.clone(), thread: Some(thread.id.clone()) };
            match self.front.find(&place, &proposal.id).await {
                Ok(Some(posted)) => self.stands(&proposal, posted).await,
                Ok(None) => self.post(&proposal).await,
                Err(error) => tracing::warn!(proposal = proposal.id, %error, "a plan's message is not found: {error}"),
            }
        }
        match &proposal.state {
            State::Proposed => {
                self.show(&proposal).await;
                self.expire_in_time(proposal.id.clone(), proposal.expires).await;
            }
            State::Executing { .. } => self.settle_after_crash(proposal).await,
            State::Verifying { .. } => {
                if let Ok(cluster) = self.clusters.get(Some(&proposal.plan.cluster)).cloned() {
                    self.finish(&cluster, self.latest(proposal).await).await;
                }
            }
            _ => self.close_after_crash(&self.latest(proposal).await).await,
        }
    }

    /// A crash came while it was executing. What was sent is asked of the object; what was not sent stays undone.
    async fn settle_after_crash(&self, proposal: Proposal) {
        let Ok(cluster) = self.clusters.get(Some(&proposal.plan.cluster)).cloned() else { return };
        let sent = proposal.progress.iter().position(|progress| matches!(progress, Progress::Sent { .. }));
        let told = match sent.and_then(|number| Some((number, proposal.plan.steps.get(number)?))) {
            Some((number, step)) => Some((number, self.ask_object(&cluster, step, "podoctor was interrupted").await)),
            None => None,
        };
        let now = (self.clock)();
        let settle = |proposal: &mut Proposal| {
            if let Some((number, progress)) = &told {
                proposal.settle(*number, progress.clone(), now);
            }
            if matches!(proposal.state, State::Executing { .. }) {
                proposal.fail(words::interrupted(proposal.done(), proposal.plan.steps.len()), now);
            }
            Some(())
        };
        match self.change(&proposal.id, settle).await {
            Ok(Some((kept, ()))) => {
                if let Some((number, progress)) = &told {
                    self.audit_step(&kept, &kept.plan.steps[*number], progress, now).await;
                }
                self.finish(&cluster, kept).await;
            }
            Ok(None) => {}
            Err(error) => tracing::error!(proposal = proposal.id, %error, "a plan could not be settled: {error}"),
        }
    }

    async fn latest(&self, proposal: Proposal) -> Proposal {
        self.kept(&proposal.id).await.ok().flatten().map_or(proposal, |record| record.body)
    }
}

/// Says how the patients are.
fn outcome(health: &[Health], took: SignedDuration) -> Words {
    let count = |what: &dyn Fn(&Health) -> bool| health.iter().filter(|health| what(health)).count();
    let mut en = Vec::new();
    let mut zh = Vec::new();
    if health.is_empty() {
        return Words::new("the change is made", "更改已完成");
    }
    let mut add = |number: usize, one: &str, many: &str, chinese: &str| {
        if number > 0 {
            en.push(if number == 1 { one.to_owned() } else { format!("{number} {many}") });
            zh.push(format!("{number} {chinese}"));
        }
    };
    add(count(&|health| *health == Health::Gone), "the pod is gone", "pods are gone", "个 Pod 已消失");
    add(count(&|health| *health == Health::Well), "it is well", "are well", "个已恢复正常");
    add(count(&|health| *health == Health::Same), "it is as it was", "are as they were", "个仍未改善");
    add(
        count(&|health| matches!(health, Health::Unread(_))),
        "how it is could not be read",
        "could not be read",
        "个无法读取",
    );
    for other in health {
        if let Health::Otherwise(cause) = other {
            en.push(format!("it suffers from `{cause}` now"));
            zh.push(format!("现在的原因是 `{cause}`"));
        }
    }
    let seconds = took.as_secs().max(0);
    Words::new(format!("{}, after {seconds} s", en.join("; ")), format!("{}，历时 {seconds} 秒", zh.join("；")))
}
