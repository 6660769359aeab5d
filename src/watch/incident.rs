//! An incident: one workload or node, one cause, from the first pod that is due until the last one is well.

use super::book::Note;
use super::scope::Scope;
use super::state::PodKey;
use super::stuck::Symptom;
use crate::facts::Workload;
use crate::settings::Quiet;
use crate::target;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// What ails.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Subject {
    Workload {
        kind: String,
        namespace: String,
        name: String,
    },
    Node {
        name: String,
    },
    /// Something that many workloads share: a registry, a storage class, a quota. `kind` as in a diagnosis.
    Shared {
        kind: String,
        namespace: String,
        name: String,
    },
}

impl Subject {
    /// Returns the subject that a workload is.
    pub fn of(workload: &Workload) -> Self {
        Self::Workload {
            kind: workload.kind.clone(),
            namespace: workload.namespace.clone(),
            name: workload.name.clone(),
        }
    }

    /// Returns how people name it: `prod/manage`, `node a3`, `registry registry.example`.
    pub fn name(&self) -> String {
        match self {
            Self::Workload { namespace, name, .. } => format!("{namespace}/{name}"),
            Self::Node { name } => format!("node {name}"),
            Self::Shared { kind, namespace, name } if namespace.is_empty() => format!("{kind} {name}"),
            Self::Shared { kind, namespace, name } => format!("{kind} {namespace}/{name}"),
        }
    }

    /// Returns the namespace it lies in; a node and what is the cluster's lie in none.
    pub fn namespace(&self) -> Option<&str> {
        match self {
            Self::Workload { namespace, .. } => Some(namespace),
            Self::Node { .. } => None,
            Self::Shared { namespace, .. } => Some(namespace.as_str()).filter(|namespace| !namespace.is_empty()),
        }
    }
}

/// What makes two sicknesses one incident.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Key {
    pub cluster: String,
    pub subject: Subject,
    /// The cause's id; `unknown` where none is sure.
    pub cause: String,
}

/// Words of a diagnosis that outlive it: an incident is told again after a restart, when its pods may be gone.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spoken {
    pub en: String,
    pub zh: String,
}

/// What a diagnosis said of the incident.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// The cause with this pod's values, with `likely` where it is.
    pub summary: Spoken,
    /// The first thing to do.
    pub fix: Option<Spoken>,
}

/// Something that a person had podoctor do about an incident.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Helped {
    /// The remedy's id.
    pub remedy: String,
    pub by: String,
    pub at: Timestamp,
}

/// Where an incident stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "is")]
pub enum State {
    Open,
    Acknowledged { by: String, at: Timestamp },
    Resolved { at: Timestamp },
}

/// A message of ours in a chat.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Address {
    pub channel: String,
    pub id: String,
}

/// One incident, as the store keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Incident {
    pub id: String,
    pub key: Key,
    pub symptom: Symptom,
    /// Since when the first of its pods was in trouble.
    pub since: Timestamp,
    pub opened: Timestamp,
    pub state: State,
    /// The pods that are in trouble now.
    pub pods: BTreeSet<PodKey>,
    /// All pods that ever were, as a number.
    pub most: usize,
    pub nodes: BTreeSet<String>,
    /// Since when no pod is in trouble any more; resolved after the hold-down.
    pub calm_since: Option<Timestamp>,
    pub told: Told,
    /// The workloads that the pods belong to, those that are well again too.
    #[serde(default)]
    pub workloads: BTreeSet<Subject>,
    /// The workload as it was in the beginning, and as it is now; not for what has several.
    #[serde(default)]
    pub first: Option<Scope>,
    #[serde(default)]
    pub last: Option<Scope>,
    /// What was done about it through podoctor.
    #[serde(default)]
    pub helped: Vec<Helped>,
    /// Where the routes want it told; it is told in `channel`, which is another one where that was closed.
    #[serde(default)]
    pub routed: String,
    pub channel: String,
    /// The quiet hours of its route.
    #[serde(default)]
    pub quiet: Option<Quiet>,
    /// It waited for the end of quiet hours, or still does.
    #[serde(default)]
    pub held: bool,
    /// Until when a person does not want to hear of it.
    #[serde(default)]
    pub muted: Option<Timestamp>,
    /// It was given a message of its own, or a digest.
    pub placed: bool,
    /// The digest that tells it, in a storm or at the start; it has no message of its own then.
    pub digest: Option<String>,
    pub message: Option<Address>,
    /// How often its thread was reminded, and when last.
    pub reminders: u32,
    pub reminded: Option<Timestamp>,
    /// How often it came back.
    pub reopened: u32,
    /// Its message does not show yet how it stands.
    #[serde(default)]
    pub stale: bool,
    /// How many things its thread was given to say, and those not said yet, each with its number.
    #[serde(default)]
    pub notes: u32,
    #[serde(default)]
    pub unsaid: Vec<(u32, Note)>,
}

impl Incident {
    /// Returns true while it is not resolved.
    pub fn is_open(&self) -> bool {
        !matches!(self.state, State::Resolved { .. })
    }

    /// Returns when the quiet hours end that it is in; `None` = it is in none.
    pub fn quiet_until(&self, now: Timestamp) -> Option<Timestamp> {
        self.quiet.as_ref()?.until(now)
    }

    /// Returns how to ask about it; `None` = a node, or something that its workloads only share.
    pub fn target(&self) -> Option<String> {
        let Subject::Workload { kind, namespace, name } = self.workload().or(self.workloads.first())? else {
            return None;
        };
        let cluster = if self.key.cluster.is_empty() { String::new() } else { format!("{}:", self.key.cluster) };
        let exact = format!("{cluster}{namespace}/{}/{name}", kind.to_lowercase());
        let plain = format!("{cluster}{namespace}/{name}");
        [exact, plain].into_iter().find(|target| target::parse(target).is_ok())
    }

    /// Returns true where it is about something that many workloads share.
    pub fn is_shared(&self) -> bool {
        matches!(self.key.subject, Subject::Shared { .. })
    }

    /// Returns the workload, where there is just one.
    pub fn workload(&self) -> Option<&Subject> {
        match &self.key.subject {
            workload @ Subject::Workload { .. } => Some(workload),
            Subject::Shared { .. } if self.workloads.len() == 1 => self.workloads.first(),
            _ => None,
        }
    }

    /// Returns true where it has a message of its own, or is to get one.
    pub fn stands_alone(&self) -> bool {
        self.placed && self.digest.is_none()
    }
}

/// Several incidents told in one message: a storm, or what was sick already when podoctor started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Digest {
    pub id: String,
    pub channel: String,
    /// What was there when podoctor started, not a storm.
    pub at_start: bool,
    /// What was held back in quiet hours, not a storm.
    #[serde(default)]
    pub held: bool,
    pub opened: Timestamp,
    pub incidents: Vec<String>,
    pub message: Option<Address>,
    /// Its message does not show yet how things stand.
    #[serde(default)]
    pub stale: bool,
    /// How many of the incidents its thread has listed.
    #[serde(default)]
    pub listed: usize,
}
