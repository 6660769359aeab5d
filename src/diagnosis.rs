//! From facts to a diagnosis: the causes, their ranking, and how sure we are.
//!
//! [`diagnose`] asks every cause of a [`Catalogue`], ranks what they find (cause before consequence) and says what it
//! comes to. Nothing here can fail, wait or look at a clock.

pub mod catalogue;
pub mod cause;
pub mod causes;
pub mod custom;
pub mod finalizer;
pub mod finding;
pub mod fit;
pub mod kubectl;
pub mod ranking;
pub mod story;
pub mod symptom;
pub mod unknown;
pub mod words;

pub use catalogue::Catalogue;
pub use cause::{Cause, Page, Phase};
pub use finding::{Certainty, Finding, Fix, Remedy, Risk, Shared};
pub use words::{Language, Text, Words};

use crate::facts::world::Unread;
use crate::facts::{Facts, Part, Workload};
use jiff::Timestamp;

/// What a diagnosis comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    Sick,
    /// Something is not as it should be, or cannot be seen, and no cause is sure enough to be named as one.
    Unknown,
    /// Young, or within its normal time.
    Waiting,
    Healthy,
    /// It ran to its end as it should.
    Completed,
}

/// What was asked about, as an answer names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    pub kind: String,
    pub namespace: String,
    pub name: String,
    /// Empty for a workload without a pod.
    pub uid: String,
}

/// The answer to one question.
#[derive(Debug, Clone)]
pub struct Diagnosis {
    pub cluster: String,
    pub target: Target,
    pub workload: Workload,
    pub node: Option<String>,
    pub at: Timestamp,
    pub verdict: Verdict,
    /// What a person sees: `Pending`, `ContainerCreating`, `CrashLoopBackOff`, `Terminating`, `NotReady` …
    pub symptom: String,
    /// Since when it has been so, where the objects tell.
    pub since: Option<Timestamp>,
    /// The first is the answer; consequences of others come last.
    pub findings: Vec<Finding>,
    /// The change it began with, and how the workload's other pods are, where the objects tell.
    pub story: Vec<story::Chapter>,
    /// What was looked at and what it showed, where no cause is sure.
    pub checked: Vec<Words>,
    /// What to look at next, where no cause is sure.
    pub next: Vec<Fix>,
    pub unreadable: Vec<Unread>,
}

impl Diagnosis {
    /// Returns the finding that is the answer.
    pub fn answer(&self) -> Option<&Finding> {
        self.findings.first()
    }
}

/// Diagnoses one subject by the causes of a catalogue.
pub fn diagnose(facts: &Facts<'_>, catalogue: &Catalogue) -> Diagnosis {
    let mut findings = ranking::rank(causes::all().filter_map(|cause| (cause.check)(facts)).collect());
    let mut unreadable = facts.world.unread.clone();
    let verdict_of = |findings: &[Finding]| findings.first().map_or(Verdict::Unknown, Finding::verdict);
    // A team's own causes say why a pod is stuck, not whether.
    if !matches!(verdict_of(&findings), Verdict::Healthy | Verdict::Completed) {
        let (custom, untold) = catalogue.check_custom(facts);
        findings = ranking::rank(custom.into_iter().chain(findings).collect());
        unreadable.extend(untold);
    }
    if let Some(part) = facts.part() {
        // The order stays; but what the text does not show may be something else.
        ranking::cap(&mut findings, part);
        if verdict_of(&findings) != Verdict::Healthy {
            unreadable.insert(of_part(facts, part));
        }
    }
    let verdict = verdict_of(&findings);
    let workload = facts.workload();
    let target = match facts.pod() {
        Some(pod) => Target {
            kind: "Pod".to_owned(),
            namespace: pod.namespace().to_owned(),
            name: pod.name().to_owned(),
            uid: pod.uid().to_owned(),
        },
        None => Target {
            kind: workload.kind.clone(),
            namespace: workload.namespace.clone(),
            name: workload.name.clone(),
            uid: String::new(),
        },
    };
    let (symptom, since) = symptom::of(facts);
    let story = match findings.first_mut() {
        Some(lead) if verdict == Verdict::Sick => story::tell(facts, lead, since),
        _ => Vec::new(),
    };
    // The story may have found a way back: people are told of it, but a team's own cause is no ground for acting.
    if let Some(lead) = findings.first_mut().filter(|lead| catalogue.is_custom(lead.cause.id)) {
        lead.remedies.clear();
    }
    let (checked, next) = match verdict {
        Verdict::Unknown => (unknown::checked(facts), unknown::next(facts)),
        _ => Default::default(),
    };
    Diagnosis {
        cluster: facts.world.cluster.clone(),
        target,
        node: facts.pod().and_then(|pod| pod.node_name()).map(str::to_owned),
        workload,
        at: facts.now,
        verdict,
        symptom,
        since,
        findings,
        story,
        checked,
        next,
        unreadable: unreadable.into_iter().collect(),
    }
}

/// Returns what of the subject is not here, because only a part of it was printed.
fn of_part(facts: &Facts<'_>, part: Part) -> Unread {
    let (what, why) = part.missing();
    let subject = match facts.pod() {
        Some(pod) => format!("pod {}/{}", pod.namespace(), pod.name()),
        None => facts.workload().to_string(),
    };
    Unread { what: format!("{subject}: {what}"), why: why.to_owned() }
}

/// Facts for tests beside the causes, from YAML as `kubectl get -o yaml` prints it.
#[cfg(test)]
pub mod testing {
    use super::{Catalogue, Diagnosis, diagnose};
    use crate::facts::{Facts, PodView, Subject, Workload, World, intake::Met};
    use crate::gather::snapshot::take_text;

    /// Returns the world that a YAML text shows.
    pub fn world(yaml: &str) -> World {
        let (mut world, mut met) = (World::default(), Met::default());
        let mishaps = take_text(&mut world, &mut met, &mut None, yaml);
        assert!(mishaps.is_empty(), "{mishaps:?}");
        world.conclude(&met);
        world.sort_events();
        world
    }

    /// Returns ReplicaSet `prod/api-1` in YAML, whose pods the API server refuses in these words.
    pub fn refused_set(message: &str) -> String {
        format!(
            r#"
apiVersion: apps/v1
kind: ReplicaSet
metadata: {{name: api-1, namespace: prod}}
spec: {{replicas: 1, selector: {{}}}}
status: {{replicas: 0, conditions: [{{type: ReplicaFailure, status: 'True', reason: FailedCreate, message: '{message}'}}]}}
"#
        )
    }

    /// Diagnoses `namespace/pod` of a YAML text at a moment (RFC 3339).
    pub fn diagnose_pod(yaml: &str, target: &str, at: &str) -> Diagnosis {
        diagnose_in(&world(yaml), target, at)
    }

    /// Diagnoses `namespace/pod` or `namespace/Kind/name` of a world at a moment (RFC 3339).
    pub fn diagnose_in(world: &World, target: &str, at: &str) -> Diagnosis {
        diagnose_by(&Catalogue::default(), world, target, at)
    }

    /// Diagnoses as [`diagnose_in`], by the causes of a catalogue.
    pub fn diagnose_by(catalogue: &Catalogue, world: &World, target: &str, at: &str) -> Diagnosis {
        let subject = match target.split('/').collect::<Vec<_>>()[..] {
            [namespace, name] => {
                Subject::Pod(PodView::new(world.pods.get(namespace, name).present().expect("the pod is in the yaml")))
            }
            [namespace, kind, name] => {
                Subject::Workload(Workload { kind: kind.into(), namespace: namespace.into(), name: name.into() })
            }
            _ => panic!("target {target}"),
        };
        diagnose(&Facts { now: at.parse().expect("a time"), world, subject }, catalogue)
    }
}
