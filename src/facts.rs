//! All that is known of a pod at one moment, as plain data with its place and age.
//!
//! [`World`] holds the objects that were read, and for each kind what could not be read and why. [`Facts`] is one
//! subject seen in that world at one moment. Views ([`PodView`], [`ContainerView`], …) hand out values together with
//! the place they stand in, so that using a value *is* the evidence for it.

pub mod container;
pub mod event;
pub mod evidence;
pub mod intake;
pub mod known;
pub mod lean;
pub mod load;
pub mod log;
pub mod node;
pub mod objects;
pub mod part;
pub mod pasted;
pub mod pod;
pub mod quantity;
pub mod reading;
pub mod workload;
pub mod world;

pub use container::{ContainerView, End, Role, Waiting};
pub use event::Event;
pub use evidence::Evidence;
pub use known::Known;
pub use part::Part;
pub use pod::{PodView, Stage};
pub use workload::Workload;
pub use world::World;

use jiff::{SignedDuration, Timestamp};

/// What a question is about.
#[derive(Debug, Clone)]
pub enum Subject<'w> {
    Pod(PodView<'w>),
    /// A workload asked for by name that has no pod to look at, or whose pods cannot be made.
    Workload(Workload),
}

/// One subject, the world around it, and the moment it is looked at.
#[derive(Debug, Clone)]
pub struct Facts<'w> {
    pub now: Timestamp,
    pub world: &'w World,
    pub subject: Subject<'w>,
}

impl<'w> Facts<'w> {
    /// Returns the pod in question; `None` when the question is about a workload without one.
    pub fn pod(&self) -> Option<PodView<'w>> {
        match self.subject {
            Subject::Pod(pod) => Some(pod),
            Subject::Workload(_) => None,
        }
    }

    /// Returns the workload that owns the pod, or that was asked for; a bare pod is its own workload.
    pub fn workload(&self) -> Workload {
        match &self.subject {
            Subject::Pod(pod) => pod.workload(),
            Subject::Workload(workload) => workload.clone(),
        }
    }

    /// Returns the namespace of the subject.
    pub fn namespace(&self) -> &str {
        match &self.subject {
            Subject::Pod(pod) => pod.namespace(),
            Subject::Workload(workload) => &workload.namespace,
        }
    }

    /// Returns how much of the subject is here; `None` = all of it.
    pub fn part(&self) -> Option<Part> {
        match &self.subject {
            Subject::Pod(pod) => self.world.part("Pod", pod.namespace(), pod.name()),
            Subject::Workload(workload) => self.world.part(&workload.kind, &workload.namespace, &workload.name),
        }
    }

    /// Returns how long ago `then` was; negative for the future.
    pub fn since(&self, then: Timestamp) -> SignedDuration {
        self.now.duration_since(then)
    }

    /// Returns the node that the pod is bound to. Absent = it is bound to a node that does not exist, or to none.
    pub fn node(&self) -> Known<&'w k8s_openapi::api::core::v1::Node> {
        match self.pod().and_then(|pod| pod.node_name()) {
            Some(name) => self.world.nodes.get("", name),
            None => Known::Absent,
        }
    }
}
