//! Silences: what nobody wants to hear of for a while, and why.

use super::incident::{Key, Subject};
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
    pub until: Timestamp,
    pub by: String,
    pub at: Timestamp,
    pub why: String,
}

impl Silence {
    /// Returns true where it holds for an incident at a moment.
    pub fn covers(&self, key: &Key, now: Timestamp) -> bool {
        now < self.until
            && key.cluster == self.cluster
            && target::parse(&self.target).is_ok_and(|target| fits(&target, &key.subject))
    }
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
        let key = Key { cluster: "c".into(), subject, cause: "cgroup-oom".into() };
        let now: Timestamp = "2026-05-01T10:00:00Z".parse().expect("a time");
        let silence = |target: &str, cluster: &str| Silence {
            id: "1".into(),
            target: target.into(),
            cluster: cluster.into(),
            until: "2026-05-01T12:00:00Z".parse().expect("a time"),
            by: "U1".into(),
            at: now,
            why: String::new(),
        };
        for target in ["prod", "prod/web", "prod/deploy/web", "*", "prod/web-5bd8-x2x"] {
            assert!(silence(target, "c").covers(&key, now), "{target}");
        }
        for target in ["dev", "prod/webshop", "prod/sts/web", "prod/we"] {
            assert!(!silence(target, "c").covers(&key, now), "{target}");
        }
        assert!(!silence("prod", "other").covers(&key, now));
        assert!(!silence("prod", "c").covers(&key, "2026-05-01T12:00:00Z".parse().expect("a time")));
    }
}
