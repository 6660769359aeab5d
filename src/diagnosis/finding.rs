//! A finding: a cause that shows in the facts, with the evidence, the words and the ways out.

use super::Verdict;
use super::cause::Cause;
use super::words::Words;
use crate::facts::{ContainerView, Evidence};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How sure a finding is. It comes from the evidence, never from a wish to have an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Certainty {
    /// The API says so, or two independent signals agree.
    Confirmed,
    /// One good signal, and nothing that speaks against it.
    Likely,
    /// It fits, and other causes fit as well. Never the headline of an alert.
    Possible,
}

/// What a fix may break.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Risk {
    /// Reads, or changes nothing that serves.
    Safe,
    /// Restarts or changes something: look first.
    Careful,
    /// May lose data or break what works.
    Dangerous,
}

/// A way out: words and, where there is one, the very command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fix {
    pub text: Words,
    pub command: Option<String>,
    pub risk: Risk,
}

/// What podoctor knows how to change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Remedy {
    RemoveFinalizers,
    ForceDeletePod,
    RestartPod,
    RestartRollout,
    UndoRollout,
    ResumeRollout,
    RaiseMemoryLimit,
    DeleteFailedPods,
    CordonNode,
    UncordonNode,
    MarkNodeOutOfService,
    DeleteVolumeAttachment,
}

impl Remedy {
    /// Everything that podoctor knows how to change.
    pub const ALL: [Self; 12] = [
        Self::RemoveFinalizers,
        Self::ForceDeletePod,
        Self::RestartPod,
        Self::RestartRollout,
        Self::UndoRollout,
        Self::ResumeRollout,
        Self::RaiseMemoryLimit,
        Self::DeleteFailedPods,
        Self::CordonNode,
        Self::UncordonNode,
        Self::MarkNodeOutOfService,
        Self::DeleteVolumeAttachment,
    ];

    /// Returns the remedy's id in settings and answers.
    pub fn id(self) -> &'static str {
        match self {
            Remedy::RemoveFinalizers => "remove-finalizers",
            Remedy::ForceDeletePod => "force-delete-pod",
            Remedy::RestartPod => "restart-pod",
            Remedy::RestartRollout => "restart-rollout",
            Remedy::UndoRollout => "undo-rollout",
            Remedy::ResumeRollout => "resume-rollout",
            Remedy::RaiseMemoryLimit => "raise-memory-limit",
            Remedy::DeleteFailedPods => "delete-failed-pods",
            Remedy::CordonNode => "cordon-node",
            Remedy::UncordonNode => "uncordon-node",
            Remedy::MarkNodeOutOfService => "mark-node-out-of-service",
            Remedy::DeleteVolumeAttachment => "delete-volume-attachment",
        }
    }
}

/// Something beside the workload that is at fault, and at fault for whoever else uses it: many findings, one trouble.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Shared {
    /// `registry`, `storageclass`, `runtimeclass`, `quota`, `queue`, `webhook` or `scheduler`.
    pub kind: &'static str,
    /// Empty for what is the cluster's or the world's.
    pub namespace: String,
    pub name: String,
}

/// What remedies aim at.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Aims {
    /// The node, where it is not the pod's own.
    pub node: Option<String>,
    /// The memory limit that would do, as people write it.
    pub memory: Option<String>,
}

/// A cause that shows in the facts.
#[derive(Debug, Clone)]
pub struct Finding {
    pub cause: &'static Cause,
    pub certainty: Certainty,
    pub container: Option<String>,
    /// One sentence with this pod's own values.
    pub summary: Words,
    pub evidence: Vec<Evidence>,
    /// The safest first.
    pub fixes: Vec<Fix>,
    pub remedies: Vec<Remedy>,
    /// What is at fault, where others may suffer from it as well.
    pub shared: Option<Shared>,
    /// What its remedies aim at, where it is not the pod itself.
    pub aims: Aims,
    /// What follows from it, for people: filled in by the ranking from what it explains.
    pub consequences: Vec<Words>,
    pub(super) explains: Vec<&'static str>,
    calm: Option<Verdict>,
}

impl Fix {
    /// Returns a fix that reads, or changes nothing that serves.
    pub fn safe(text: Words) -> Self {
        Self { text, command: None, risk: Risk::Safe }
    }

    /// Returns a fix that restarts or changes something.
    pub fn careful(text: Words) -> Self {
        Self { text, command: None, risk: Risk::Careful }
    }

    /// Returns a fix that may lose data or break what works; the words must say what.
    pub fn dangerous(text: Words) -> Self {
        Self { text, command: None, risk: Risk::Dangerous }
    }

    /// Returns the fix with the command that does it, ready to copy.
    #[must_use]
    pub fn command(mut self, command: impl Into<String>) -> Self {
        self.command = Some(command.into());
        self
    }
}

impl Finding {
    /// Returns a finding of this certainty, still without words and evidence.
    pub fn new(cause: &'static Cause, certainty: Certainty) -> Self {
        Self {
            cause,
            certainty,
            container: None,
            summary: cause.page.title.into(),
            evidence: Vec::new(),
            fixes: Vec::new(),
            remedies: Vec::new(),
            shared: None,
            aims: Aims::default(),
            consequences: Vec::new(),
            explains: Vec::new(),
            calm: None,
        }
    }

    pub fn confirmed(cause: &'static Cause) -> Self {
        Self::new(cause, Certainty::Confirmed)
    }

    pub fn likely(cause: &'static Cause) -> Self {
        Self::new(cause, Certainty::Likely)
    }

    pub fn possible(cause: &'static Cause) -> Self {
        Self::new(cause, Certainty::Possible)
    }

    /// Names the container it is about.
    #[must_use]
    pub fn in_container(mut self, container: ContainerView<'_>) -> Self {
        self.container = Some(container.name().to_owned());
        self
    }

    /// Adds evidence; the decisive piece first.
    #[must_use]
    pub fn because(mut self, evidence: impl IntoIterator<Item = Evidence>) -> Self {
        for evidence in evidence {
            if !self.evidence.contains(&evidence) {
                self.evidence.push(evidence);
            }
        }
        self
    }

    /// Says what is wrong in one sentence, in both languages, with this pod's own values.
    #[must_use]
    pub fn says(mut self, en: impl Into<String>, zh: impl Into<String>) -> Self {
        self.summary = Words::new(en, zh);
        self
    }

    /// Adds a way out; the safest first.
    #[must_use]
    pub fn fix(mut self, fix: Fix) -> Self {
        self.fixes.push(fix);
        self
    }

    /// Names a change that podoctor itself can make.
    #[must_use]
    pub fn remedy(mut self, remedy: Remedy) -> Self {
        self.remedies.push(remedy);
        self
    }

    /// Names what is at fault, where others may suffer from it as well; `namespace` is empty for what lies in none.
    #[must_use]
    pub fn shares(mut self, kind: &'static str, namespace: &str, name: &str) -> Self {
        self.shared = Some(Shared { kind, namespace: namespace.to_owned(), name: name.to_owned() });
        self
    }

    /// Names the node that its remedies aim at.
    #[must_use]
    pub fn aims_at_node(mut self, name: impl Into<String>) -> Self {
        self.aims.node = Some(name.into());
        self
    }

    /// Names the memory limit that would do.
    #[must_use]
    pub fn aims_at_memory(mut self, limit: impl Into<String>) -> Self {
        self.aims.memory = Some(limit.into());
        self
    }

    /// Names causes that, where they show as well, are consequences of this one and do not lead.
    #[must_use]
    pub fn explains(mut self, causes: &[&'static str]) -> Self {
        self.explains.extend_from_slice(causes);
        self
    }

    /// Says that nothing is wrong, or not yet: this is the verdict if it leads.
    #[must_use]
    pub fn calm(mut self, verdict: Verdict) -> Self {
        self.calm = Some(verdict);
        self
    }

    /// Returns true where the finding says that nothing is wrong, or not yet.
    pub fn is_calm(&self) -> bool {
        self.calm.is_some()
    }

    /// Returns the verdict if this finding leads.
    pub fn verdict(&self) -> Verdict {
        match (self.calm, self.certainty) {
            // Nothing wrong shows in what is here, which is not enough to say that nothing is.
            (_, Certainty::Possible) => Verdict::Unknown,
            (Some(verdict), _) => verdict,
            (None, _) => Verdict::Sick,
        }
    }

    /// Returns the finding as the result of a check.
    pub fn some(self) -> Option<Self> {
        Some(self)
    }
}
