//! Silences: what nobody wants to hear of for a while, and why.

use super::incident::{Incident, Subject};
use crate::target::{self, Target, What};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// A silence, as the store keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Silence {
    pub id: String,
    /// The TARGET as it was written, with its cluster.
    pub target: String,
    pub cluster: String,
    /// What a reaction on an incident silences, to the letter; `None` = whatever fits the target.
    #[serde(default)]
    pub subject: Option<Subject>,
    pub until: Timestamp,
    pub by: String,
    pub at: Timestamp,
    pub why: String,
}

impl Silence {
    /// Returns true where it holds for an incident at a moment. What many workloads share is silent where all are.
    pub fn covers(&self, incident: &Incident, now: Timestamp) -> bool {
        if now >= self.until || incident.key.cluster != self.cluster {
            return false;
        }
        if let Some(subject) = &self.subject {
            return *subject == incident.key.subject;
        }
        let Ok(target) = target::parse(&self.target) else { return false };
        fits(&target, &incident.key.subject)
            || (incident.is_shared() && incident.workloads.iter().all(|workload| fits(&target, workload)))
    }

    /// Returns true where a person who names a target means this silence.
    pub fn is_of(&self, cluster: &str, target: &str) -> bool {
        let names_it = self.subject.as_ref().is_some_and(|subject| {
            let named = target::parse(target);
            named.is_ok_and(|target| !matches!(target.what, What::Cluster) && fits(&target, subject))
        });
        self.cluster == cluster && (self.target == target || names_it)
    }
}

/// Returns true where an incident is, or was, about a target.
pub fn is_about(incident: &Incident, cluster: &str, target: &str) -> bool {
    let Ok(target) = target::parse(target) else { return false };
    let mut subjects = std::iter::once(&incident.key.subject).chain(&incident.workloads);
    incident.key.cluster == cluster && subjects.any(|subject| fits(&target, subject))
}

fn fits(target: &Target, subject: &Subject) -> bool {
    match (&target.what, subject) {
        (What::Cluster, _) => true,
        (What::Namespace(wanted), Subject::Workload { namespace, .. }) => wanted == namespace,
        // A pod belongs to the workload whose name begins its own; a workload's name silences its pods' incidents.
        (What::Pod { namespace: wanted, prefix }, Subject::Workload { namespace, name, .. }) => {
            wanted == namespace && (name == prefix || prefix.starts_with(&format!("{name}-")))
        }
        (
            What::Workload { namespace: wanted, kind, name: wanted_name },
            Subject::Workload { kind: own, namespace, name },
        ) => wanted == namespace && kind.name() == own && wanted_name == name,
        (_, Subject::Node { .. } | Subject::Shared { .. }) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_silence_holds_for_its_target_and_its_time() {
        let subject = Subject::Workload { kind: "Deployment".into(), namespace: "prod".into(), name: "web".into() };
        let mut incident = crate::watch::book::tests::incident(subject.clone());
        let now: Timestamp = "2026-05-01T10:00:00Z".parse().expect("a time");
        let silence = |target: &str, cluster: &str| Silence {
            id: "1".into(),
            target: target.into(),
            cluster: cluster.into(),
            subject: None,
            until: "2026-05-01T12:00:00Z".parse().expect("a time"),
            by: "U1".into(),
            at: now,
            why: String::new(),
        };
        for target in ["prod", "prod/web", "prod/deploy/web", "*", "prod/web-5bd8-x2x"] {
            assert!(silence(target, "c").covers(&incident, now), "{target}");
        }
        for target in ["dev", "prod/webshop", "prod/sts/web", "prod/we"] {
            assert!(!silence(target, "c").covers(&incident, now), "{target}");
        }
        assert!(!silence("prod", "other").covers(&incident, now));
        assert!(!silence("prod", "c").covers(&incident, "2026-05-01T12:00:00Z".parse().expect("a time")));
        let muted = Silence { subject: Some(subject), ..silence("prod/deployment/web", "c") };
        assert!(muted.covers(&incident, now) && muted.is_of("c", "prod/web") && !muted.is_of("c", "dev"));
        let node = Subject::Node { name: "a3".into() };
        incident.key.subject = node.clone();
        assert!(!muted.covers(&incident, now), "another incident of the same workload is another matter");
        assert!(is_about(&incident, "c", "prod/web") && !is_about(&incident, "c", "dev"));
        assert!(Silence { subject: Some(node), ..silence("node a3", "c") }.covers(&incident, now));
    }
}
