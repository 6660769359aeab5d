//! A pod: its settings, its status, and the stage of its life it is in.

use super::container::{ContainerView, Role};
use super::event::Event;
use super::evidence::Evidence;
use super::known::Known;
use super::lean::LeanPod;
use super::workload::Workload;
use super::world::World;
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1 as api;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

/// Where a pod is in its life; each stage has its own causes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// `deletionTimestamp` is set.
    Terminating,
    /// Phase Succeeded.
    Completed,
    /// Phase Failed: evicted, rejected, or ended for good.
    Failed,
    /// No node yet.
    Unscheduled,
    /// On a node; volumes, sandbox, images or init containers are not through, or no app container has ever run.
    Creating,
    /// At least one app container has run.
    Running,
}

/// A pod with the ways to read it.
#[derive(Debug, Clone, Copy)]
pub struct PodView<'w> {
    pub object: &'w api::Pod,
}

impl<'w> PodView<'w> {
    pub fn new(object: &'w api::Pod) -> Self {
        Self { object }
    }

    pub fn meta(&self) -> &'w ObjectMeta {
        &self.object.metadata
    }

    pub fn name(&self) -> &'w str {
        self.meta().name.as_deref().unwrap_or_default()
    }

    pub fn namespace(&self) -> &'w str {
        self.meta().namespace.as_deref().unwrap_or_default()
    }

    pub fn uid(&self) -> &'w str {
        self.meta().uid.as_deref().unwrap_or_default()
    }

    pub fn spec(&self) -> Option<&'w api::PodSpec> {
        self.object.spec.as_ref()
    }

    pub fn status(&self) -> Option<&'w api::PodStatus> {
        self.object.status.as_ref()
    }

    /// Returns the node it is bound to.
    pub fn node_name(&self) -> Option<&'w str> {
        self.spec()?.node_name.as_deref().filter(|name| !name.is_empty())
    }

    /// Returns true where nothing about it calls for a closer look; the same rule as for a pod of which only that much was
    /// read.
    pub fn is_calm(&self, now: Timestamp) -> bool {
        LeanPod::of(self.object).is_calm(now)
    }

    pub fn phase(&self) -> &'w str {
        self.status().and_then(|status| status.phase.as_deref()).unwrap_or("Pending")
    }

    /// Returns `status.reason` (Evicted, OutOfcpu …); empty where there is none.
    pub fn reason(&self) -> &'w str {
        self.status().and_then(|status| status.reason.as_deref()).unwrap_or_default()
    }

    /// Returns `status.message`; empty where there is none.
    pub fn message(&self) -> &'w str {
        self.status().and_then(|status| status.message.as_deref()).unwrap_or_default()
    }

    /// Returns `status.reason: status.message` as evidence, where there is a reason.
    pub fn reason_evidence(&self) -> Option<Evidence> {
        let reason = self.reason();
        if reason.is_empty() {
            return None;
        }
        let quote = if self.message().is_empty() { reason.to_owned() } else { format!("{reason}: {}", self.message()) };
        Some(Evidence::field("pod.status.reason", quote, None))
    }

    pub fn created(&self) -> Option<Timestamp> {
        self.meta().creation_timestamp.as_ref().map(|t| t.0)
    }

    /// Returns its age; zero where the creation is not told.
    pub fn age(&self, now: Timestamp) -> SignedDuration {
        self.created().map_or(SignedDuration::ZERO, |created| now.duration_since(created))
    }

    /// Returns when it must be gone: the moment of the delete plus the grace period.
    pub fn deletion_deadline(&self) -> Option<Timestamp> {
        self.meta().deletion_timestamp.as_ref().map(|t| t.0)
    }

    /// Returns when its deletion was asked for: the deadline less the grace period.
    pub fn deletion_asked(&self) -> Option<Timestamp> {
        self.deletion_deadline().map(|deadline| deadline.checked_sub(self.grace()).unwrap_or(deadline))
    }

    /// Returns the grace period of its deletion, of its spec, or the default of 30 s.
    pub fn grace(&self) -> SignedDuration {
        let seconds = self
            .meta()
            .deletion_grace_period_seconds
            .or(self.spec().and_then(|spec| spec.termination_grace_period_seconds))
            .unwrap_or(30);
        SignedDuration::from_secs(seconds)
    }

    pub fn finalizers(&self) -> &'w [String] {
        self.meta().finalizers.as_deref().unwrap_or_default()
    }

    pub fn restart_policy(&self) -> &'w str {
        self.spec().and_then(|spec| spec.restart_policy.as_deref()).unwrap_or("Always")
    }

    /// Returns a condition by its type.
    pub fn condition(&self, kind: &str) -> Option<&'w api::PodCondition> {
        self.status()?.conditions.as_ref()?.iter().find(|condition| condition.type_ == kind)
    }

    /// Returns a condition as evidence.
    pub fn condition_evidence(&self, kind: &str) -> Option<Evidence> {
        let condition = self.condition(kind)?;
        let at = condition.last_transition_time.as_ref().map(|t| t.0);
        let (reason, message) = (condition.reason.as_deref(), condition.message.as_deref());
        Some(Evidence::condition(format!("pod.status.conditions[{kind}]"), &condition.status, reason, message, at))
    }

    /// Returns true when the condition is there and `True`.
    pub fn is(&self, condition: &str) -> bool {
        self.condition(condition).is_some_and(|condition| condition.status == "True")
    }

    /// Returns its init containers and sidecars in order of their start.
    pub fn init_containers(&self) -> impl Iterator<Item = ContainerView<'w>> + use<'w> {
        let pod = *self;
        let statuses = self.status().and_then(|s| s.init_container_statuses.as_deref()).unwrap_or_default();
        let specs = self.spec().and_then(|spec| spec.init_containers.as_deref()).unwrap_or_default();
        specs.iter().enumerate().map(move |(i, spec)| {
            let role = if spec.restart_policy.as_deref() == Some("Always") { Role::Sidecar } else { Role::Init };
            ContainerView::new(pod, role, i, spec, statuses)
        })
    }

    /// Returns its app containers.
    pub fn app_containers(&self) -> impl Iterator<Item = ContainerView<'w>> + use<'w> {
        let pod = *self;
        let statuses = self.status().and_then(|s| s.container_statuses.as_deref()).unwrap_or_default();
        let specs = self.spec().map(|spec| spec.containers.as_slice()).unwrap_or_default();
        specs.iter().enumerate().map(move |(i, spec)| ContainerView::new(pod, Role::App, i, spec, statuses))
    }

    /// Returns all its containers: init containers and sidecars first.
    pub fn containers(&self) -> impl Iterator<Item = ContainerView<'w>> + use<'w> {
        self.init_containers().chain(self.app_containers())
    }

    /// Returns the init container that holds up the rest: the first that is not done.
    pub fn blocking_init_container(&self) -> Option<ContainerView<'w>> {
        if self.is("Initialized") {
            return None;
        }
        self.init_containers().find(|container| !container.done())
    }

    /// Returns its events, oldest first; `Absent` = they were read and there are none.
    ///
    /// Events of an earlier pod of the same name are left out. A mirror pod's events carry the hash of its manifest.
    pub fn events(&self, world: &'w World) -> Known<Vec<&'w Event>> {
        match world.events("Pod", self.namespace(), self.name()) {
            Known::Present(events) => {
                let own: Vec<_> = events.iter().filter(|event| self.is_about_this(event)).collect();
                if own.is_empty() { Known::Absent } else { Known::Present(own) }
            }
            Known::Absent => Known::Absent,
            Known::Unreadable => Known::Unreadable,
        }
    }

    /// Returns its events, oldest first; none where none could be read.
    pub fn events_seen(&self, world: &'w World) -> impl Iterator<Item = &'w Event> + use<'w> {
        let pod = *self;
        world.events_seen("Pod", self.namespace(), self.name()).iter().filter(move |event| pod.is_about_this(event))
    }

    /// Returns its newest event with this reason.
    pub fn last_event(&self, world: &'w World, reason: &str) -> Option<&'w Event> {
        self.events_seen(world).filter(|event| event.reason == reason).last()
    }

    fn is_about_this(&self, event: &Event) -> bool {
        let mirror = self.meta().annotations.as_ref().and_then(|a| a.get("kubernetes.io/config.mirror"));
        event.uid.is_empty()
            || self.uid().is_empty()
            || event.uid == self.uid()
            || mirror.is_some_and(|hash| *hash == event.uid)
    }

    /// Returns the workload it belongs to.
    pub fn workload(&self) -> Workload {
        Workload::of_pod(self.meta())
    }

    /// Returns true when it ran to its end as it should, or is one that may.
    pub fn is_of_job(&self) -> bool {
        super::workload::controller(self.meta()).is_some_and(|owner| owner.kind == "Job")
    }

    /// Returns the stage of its life.
    pub fn stage(&self) -> Stage {
        if self.deletion_deadline().is_some() {
            return Stage::Terminating;
        }
        match self.phase() {
            "Succeeded" => return Stage::Completed,
            "Failed" => return Stage::Failed,
            _ => {}
        }
        if self.node_name().is_none() {
            return Stage::Unscheduled;
        }
        let has_run = |container: ContainerView<'_>| {
            container.is_running()
                || container.restarts() > 0
                || container.latest_end().is_some_and(|e| e.started.is_some())
        };
        if self.blocking_init_container().is_some() || !self.app_containers().any(has_run) {
            Stage::Creating
        } else {
            Stage::Running
        }
    }

    /// Returns the time of its last schedule: the PodScheduled condition's, else its creation.
    pub fn scheduled_at(&self) -> Option<Timestamp> {
        let condition = self.condition("PodScheduled").filter(|condition| condition.status == "True");
        condition.and_then(|c| c.last_transition_time.as_ref()).map(|t| t.0).or(self.created())
    }
}
