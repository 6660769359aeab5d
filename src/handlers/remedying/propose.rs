//! A wrench: what is the message about, what would help, does the API server object, and who may. Then the plan is shown.

use super::scenes;
use super::{Asked, Remedying, audit};
use crate::access::{self, Refusal, Role, Who};
use crate::chat::front::{Front, FrontError, Place, Posted};
use crate::cluster::{Cluster, WriteError};
use crate::diagnosis::Words;
use crate::handlers::answers;
use crate::handlers::watching::{Ask, Event};
use crate::remedy::plan::Plan;
use crate::remedy::proposal::{Address, Progress, Proposal, State};
use crate::render::{guidance, plan as words};
use crate::store::{Store, StoreError};
use crate::target::{Target, What};
use crate::watch::incident::{self, Incident};
use futures_util::future::join_all;
use std::sync::Arc;
use tokio::sync::oneshot;

/// What a message tells, and the thread that a plan for it belongs into.
struct About {
    cluster: Option<String>,
    targets: Vec<Target>,
    thread: String,
}

impl<F: Front + 'static, S: Store + 'static> Remedying<F, S> {
    /// Proposes what the message calls for.
    pub(super) async fn propose(self: &Arc<Self>, asked: &Asked) -> Result<(), FrontError> {
        let now = (self.clock)();
        let language = self.language(&asked.message.channel);
        let Some(about) = self.about(&asked.message).await else {
            return self.whisper(asked, &words::about_nothing(language)).await;
        };
        let asked = &Asked { thread: Some(about.thread.clone()), ..asked.clone() };
        let Ok(cluster) = self.clusters.get(about.cluster.as_deref()).cloned() else {
            return self.whisper(asked, &words::about_nothing(language)).await;
        };
        if let Err(refusal) = self.may_ask(asked, &cluster.name, about.namespace()).await {
            return self.whisper(asked, &guidance::refused(&refusal, language)).await;
        }
        if let Some(open) = self.open_in(asked, &about.thread).await {
            return self.whisper(asked, &words::already(&open, language)).await;
        }
        let mut seen = match self.see(&cluster, &about.targets, now).await {
            Ok(seen) => seen,
            Err(why) => return self.whisper(asked, &words::unread(&why, language)).await,
        };
        let plans = match self.plans(&cluster, &mut seen, now).await {
            Ok(plans) => plans,
            Err(why) => return self.whisper(asked, &words::none(Some(&why), language)).await,
        };
        // Of those that are allowed the safest; where none is, the safest is shown as what a person can do.
        let allowed = plans.iter().find_map(|plan| Some((plan, self.approvals_needed(plan)?)));
        match (allowed, plans.first()) {
            (Some((plan, approvals)), _) => self.offer(asked, &cluster, plan, approvals, &about.thread).await,
            (None, Some(plan)) => self.show_only(asked, plan, None, &about.thread).await,
            (None, None) => self.whisper(asked, &words::none(None, language)).await,
        }
    }

    /// Rehearses a plan, keeps it and shows it, for a person who may.
    async fn offer(
        self: &Arc<Self>,
        asked: &Asked,
        cluster: &Cluster,
        plan: &Plan,
        approvals: u32,
        thread: &str,
    ) -> Result<(), FrontError> {
        let now = (self.clock)();
        let language = self.language(&asked.message.channel);
        let settings = self.settings.get();
        let by = match self.may(asked, Role::Act, plan).await {
            Ok(by) => by,
            Err(refusal) => {
                self.refuse(plan, "-", asked, &refusal).await;
                return self.whisper(asked, &guidance::refused(&refusal, language)).await;
            }
        };
        if self.store.is_none() {
            return self.show_only(asked, plan, Some(&words::no_store()), thread).await;
        }
        match self.objection(cluster, plan, by.user.as_deref()).await {
            None => {}
            // Without the rights it can only say what a person can do.
            Some(why) => return self.show_only(asked, plan, Some(&why), thread).await,
        }
        let expiry = jiff::SignedDuration::try_from(settings.remedy_expiry.get()).unwrap_or(jiff::SignedDuration::MAX);
        let mut proposal = Proposal {
            id: String::new(),
            plan: plan.clone(),
            by: by.clone(),
            at: now,
            expires: now.saturating_add(expiry).unwrap_or(jiff::Timestamp::MAX),
            approvals_needed: approvals,
            approvals: Vec::new(),
            state: State::Proposed,
            progress: vec![Progress::Waiting; plan.steps.len()],
            thread: Address { channel: asked.message.channel.clone(), id: thread.to_owned() },
            message: None,
            told: false,
        };
        // The number of plans in this thread is part of the id: of two wrenches in the same moment one finds it taken.
        let earlier = self.in_thread(&asked.message.channel, thread).await.map(|all| all.len());
        proposal.id = format!("{}-{thread}-{}", asked.message.channel, earlier.unwrap_or_default() + 1);
        match self.keep(&proposal).await {
            Ok(()) => {}
            Err(StoreError::Conflict { .. }) => return Ok(()),
            Err(error) => {
                tracing::error!(%error, "a plan could not be kept: {error}");
                return self.whisper(asked, &words::unread(&error.to_string(), language)).await;
            }
        }
        self.audit(audit::Entry::of(&proposal, "proposed", Some(by.named()), now)).await;
        self.post(&proposal).await;
        tokio::spawn(self.clone().expire_in_time(proposal.id.clone(), proposal.expires));
        Ok(())
    }

    /// Posts the message of a proposal, and keeps where it stands.
    pub(super) async fn post(&self, proposal: &Proposal) {
        let thread = &proposal.thread;
        let place = Place { channel: thread.channel.clone(), thread: Some(thread.id.clone()) };
        let message = words::message(proposal, self.language(&thread.channel));
        match self.front.post_as(&place, &message, &proposal.id).await {
            Ok(posted) => self.stands(proposal, posted).await,
            Err(error) => {
                tracing::error!(proposal = proposal.id, %error, "the message of a plan could not be posted: {error}");
            }
        }
    }

    /// Keeps where the message of a proposal stands; brings it up to date, if something happened meanwhile.
    pub(super) async fn stands(&self, proposal: &Proposal, posted: Posted) {
        let message = Address { channel: posted.channel, id: posted.id };
        let stands = |proposal: &mut Proposal| {
            proposal.message = Some(message.clone());
            Some(())
        };
        match self.change(&proposal.id, stands).await {
            Ok(Some((kept, ()))) if kept.state != proposal.state || kept.approvals != proposal.approvals => {
                self.show(&kept).await;
            }
            Ok(_) => {}
            Err(error) => {
                tracing::error!(proposal = proposal.id, %error, "where a plan stands could not be kept: {error}");
            }
        }
    }

    /// Shows what a person can do by hand; nothing is kept, and nothing can be confirmed.
    async fn show_only(&self, asked: &Asked, plan: &Plan, why: Option<&Words>, thread: &str) -> Result<(), FrontError> {
        let language = self.language(&asked.message.channel);
        let place = Place { channel: asked.message.channel.clone(), thread: Some(thread.to_owned()) };
        self.front.post(&place, &words::by_hand(plan, why, language)).await.map(drop)
    }

    /// Sends every step with `dryRun=All`; returns the first objection.
    pub(super) async fn objection(&self, cluster: &Cluster, plan: &Plan, user: Option<&str>) -> Option<Words> {
        let as_user = user.filter(|_| self.settings.get().access.kubernetes.impersonate);
        let all: Vec<_> = plan.steps.iter().map(|step| cluster.rehearse(step, as_user)).collect();
        let answers = join_all(all).await;
        let objections = plan.steps.iter().zip(answers).filter_map(|(step, answer)| Some((step, answer.err()?)));
        let mut words = objections.filter_map(|(step, error)| match error {
            // The person who proposes need not be the one who may.
            WriteError::Forbidden(_) if as_user.is_some() => None,
            WriteError::Forbidden(_) => Some(words::no_right(&step.right())),
            error => Some(words::objection(&step.object.to_string(), &error.to_string())),
        });
        words.next()
    }

    /// Notes in the audit that somebody was refused.
    pub(super) async fn refuse(&self, plan: &Plan, proposal: &str, asked: &Asked, refusal: &Refusal) {
        let entry = audit::Entry {
            at: (self.clock)(),
            action: "refused".to_owned(),
            proposal: proposal.to_owned(),
            remedy: plan.remedy.id().to_owned(),
            cluster: plan.cluster.clone(),
            subject: plan.subject.clone(),
            cause: plan.cause.clone(),
            objects: plan.steps.iter().map(|step| step.object.to_string()).collect(),
            by: Some(asked.person.id.clone()),
            why: Some(format!("{refusal:?}")),
        };
        self.audit(entry).await;
    }

    /// Whoever may not even ask is told nothing of the cluster.
    async fn may_ask(&self, asked: &Asked, cluster: &str, namespace: Option<&str>) -> Result<(), Refusal> {
        let settings = self.settings.get();
        let mut who = Who {
            id: asked.person.id.clone(),
            team: asked.person.team.clone(),
            groups: Vec::new(),
            channel: asked.message.channel.clone(),
        };
        for group in access::groups_for_asking(&settings.access) {
            let members = self.front.members(group, super::super::respond::MEMBERS_FRESH).await;
            if members.is_ok_and(|members| members.contains(&who.id)) {
                who.groups.push(group.to_owned());
            }
        }
        match self.front.profile(&who.id).await {
            Ok(profile) if profile.is_stranger => return Err(Refusal::Stranger),
            Ok(profile) => who.team = who.team.or(profile.team),
            // By the payload alone then; changing anything asks again and is refused.
            Err(error) => tracing::debug!(%error, "the profile of a person could not be read"),
        }
        access::may_ask(&settings.access, &self.own_team, &who, cluster, namespace)
    }

    /// Returns what a message of ours tells: an alert, or an answer; a message in the thread of one means that one.
    async fn about(&self, message: &Posted) -> Option<About> {
        if let Some(known) = self.answers.about(message) {
            return Some(About::answer(&known.target, known.thread));
        }
        if let Some(incident) = self.incident(message).await {
            return Some(About::incident(&incident, message.id.clone()));
        }
        let standing = self.front.standing(message).await.ok().flatten()?;
        let thread = standing.thread.clone().unwrap_or_else(|| message.id.clone());
        if let Some(target) = standing.key.as_deref().and_then(answers::target_of) {
            return Some(About::answer(&target, thread));
        }
        let parent = Posted { channel: message.channel.clone(), id: standing.thread? };
        if let Some(known) = self.answers.about(&parent) {
            return Some(About::answer(&known.target, known.thread));
        }
        if let Some(incident) = self.incident(&parent).await {
            return Some(About::incident(&incident, thread));
        }
        let above = self.front.standing(&parent).await.ok().flatten()?;
        above.key.as_deref().and_then(answers::target_of).map(|target| About::answer(&target, thread))
    }

    async fn incident(&self, message: &Posted) -> Option<Incident> {
        let (done, answer) = oneshot::channel();
        let message = incident::Address { channel: message.channel.clone(), id: message.id.clone() };
        self.watch.as_ref()?.send(Event::Asked(Ask::Told { message, done })).await.ok()?;
        answer.await.ok().flatten()
    }

    /// Returns the proposals of a thread.
    async fn in_thread(&self, channel: &str, thread: &str) -> Result<Vec<Proposal>, StoreError> {
        let all = self.proposals().await?.into_iter().map(|record| record.body);
        Ok(all.filter(|proposal| proposal.thread.channel == channel && proposal.thread.id == thread).collect())
    }

    /// Returns the proposal of a thread that is not over yet.
    async fn open_in(&self, asked: &Asked, thread: &str) -> Option<Proposal> {
        let all = self.in_thread(&asked.message.channel, thread).await.ok()?;
        all.into_iter().find(|proposal| !proposal.is_over())
    }
}

impl About {
    fn answer(target: &Target, thread: String) -> Self {
        Self { cluster: target.cluster.clone(), targets: vec![target.clone()], thread }
    }

    fn namespace(&self) -> Option<&str> {
        match &self.targets.first()?.what {
            What::Cluster => None,
            What::Namespace(namespace) | What::Pod { namespace, .. } | What::Workload { namespace, .. } => {
                Some(namespace)
            }
        }
    }

    fn incident(incident: &Incident, thread: String) -> Self {
        let pods = incident.pods.iter().map(|pod| (pod.namespace.as_str(), pod.name.as_str()));
        Self { cluster: Some(incident.key.cluster.clone()), targets: scenes::targets_of(pods), thread }
    }
}
