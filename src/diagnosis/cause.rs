//! What a cause is: its id, its page in the catalogue, and the rule that tells it.

use super::finding::Finding;
use super::words::Text;
use crate::facts::Facts;

/// The part of a pod's life in which a cause shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    Scheduling,
    Creating,
    Images,
    Crashing,
    Probes,
    Stopping,
    Node,
    Admission,
    Access,
    /// Nothing is wrong.
    None,
}

impl Phase {
    /// Returns the phase's name in `causes.tsv` and in the catalogue.
    pub fn name(self) -> &'static str {
        match self {
            Phase::Scheduling => "scheduling",
            Phase::Creating => "creating",
            Phase::Images => "images",
            Phase::Crashing => "crashing",
            Phase::Probes => "probes",
            Phase::Stopping => "stopping",
            Phase::Node => "node",
            Phase::Admission => "admission",
            Phase::Access => "access",
            Phase::None => "none",
        }
    }
}

/// A cause's page in the catalogue: the same words on the terminal, in Slack and in the docs.
#[derive(Debug)]
pub struct Page {
    /// What is wrong, in a few words.
    pub title: Text,
    /// What it is and why it happens.
    pub what: Text,
    /// How to tell it from what looks alike.
    pub tell: Text,
    /// What to do.
    pub fix: Text,
    /// Where the facts come from: documentation, source, issues.
    pub sources: &'static [&'static str],
}

/// A cause: one file, one rule.
#[derive(Debug)]
pub struct Cause {
    /// Names the problem in kebab-case; never reused.
    pub id: &'static str,
    pub phases: &'static [Phase],
    /// The sections of the troubleshooting guide that it covers.
    pub guide: &'static [&'static str],
    pub page: Page,
    /// Returns a finding where the facts show this cause.
    pub check: fn(&Facts<'_>) -> Option<Finding>,
}
