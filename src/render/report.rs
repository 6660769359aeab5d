//! A diagnosis for machines: the stable JSON of `diagnose -o json`.
//!
//! The schema in `docs/diagnosis.schema.json` is generated from these types; a test holds the two together.

use crate::diagnosis::{Certainty, Diagnosis, Finding, Fix, Risk, Verdict};
use schemars::JsonSchema;
use serde::Serialize;

/// The version of this format; changes only where a reader would break.
pub const SCHEMA: &str = "podoctor/v1";

/// What `diagnose -o json` prints.
#[derive(JsonSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "only its schema is used")]
enum Printed {
    /// For a pod or a workload.
    One(Box<Report>),
    /// For a namespace or a cluster: what is wrong, worst first; empty = nothing.
    Many(Vec<Report>),
}

/// Returns the JSON schema of what `diagnose -o json` prints.
pub fn schema() -> serde_json::Value {
    let generator = schemars::generate::SchemaSettings::draft2020_12().for_serialize().into_generator();
    generator.into_root_schema_for::<Printed>().to_value()
}

/// A diagnosis.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Report {
    /// Always `podoctor/v1`.
    pub schema: &'static str,
    /// The cluster's name; empty where it has none.
    pub cluster: String,
    pub target: ReportTarget,
    /// The moment of the diagnosis, RFC 3339.
    pub at: String,
    pub verdict: ReportVerdict,
    /// What `kubectl get pods` shows: `Pending`, `ContainerCreating`, `CrashLoopBackOff`, `Terminating`, `NotReady` …
    pub symptom: String,
    /// The pods that share this diagnosis, where the question was about several.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub pods: Vec<String>,
    /// The first is the answer.
    pub findings: Vec<ReportFinding>,
    /// The change it began with, and how the workload's other pods are, where the objects tell.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub story: Vec<ReportChapter>,
    /// What was looked at and what it showed, where no cause is sure.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub checked: Vec<String>,
    /// What to look at next, where no cause is sure.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub next: Vec<ReportFix>,
    /// What could not be read, and why: nothing was concluded from it.
    pub unreadable: Vec<ReportUnread>,
}

/// What was asked about.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct ReportTarget {
    pub kind: String,
    pub namespace: String,
    pub name: String,
    /// Empty for a workload without a pod.
    pub uid: String,
}

/// What it comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ReportVerdict {
    Sick,
    Healthy,
    Waiting,
    Completed,
    Unknown,
}

/// A cause that shows.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct ReportFinding {
    /// The cause's id in the catalogue.
    pub cause: &'static str,
    pub certainty: ReportCertainty,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub container: Option<String>,
    /// One sentence with this pod's own values.
    pub summary: String,
    pub evidence: Vec<ReportEvidence>,
    pub fixes: Vec<ReportFix>,
    /// Ids of changes that podoctor itself can make, once allowed to.
    pub remedies: Vec<&'static str>,
    /// What follows from it.
    pub consequences: Vec<String>,
}

/// How sure it is.
#[derive(Debug, Clone, Copy, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ReportCertainty {
    Confirmed,
    Likely,
    Possible,
}

/// Something read from the cluster, to the letter.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct ReportEvidence {
    pub source: String,
    pub quote: String,
    /// RFC 3339, where the API says when.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
}

/// A way out.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct ReportFix {
    pub text: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
    pub risk: ReportRisk,
}

/// A piece of the workload's story.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct ReportChapter {
    pub text: String,
    /// When the change was made, RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
    /// The command that takes it back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
}

/// What a fix may break.
#[derive(Debug, Clone, Copy, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ReportRisk {
    Safe,
    Careful,
    Dangerous,
}

/// Something that could not be read.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct ReportUnread {
    pub what: String,
    pub why: String,
}

impl Report {
    /// Returns the report of a diagnosis; `clean` takes secrets out of what is quoted.
    pub fn of(diagnosis: &Diagnosis, pods: Vec<String>, clean: &dyn Fn(&str) -> String) -> Self {
        let target = &diagnosis.target;
        Self {
            schema: SCHEMA,
            cluster: diagnosis.cluster.clone(),
            target: ReportTarget {
                kind: target.kind.clone(),
                namespace: target.namespace.clone(),
                name: target.name.clone(),
                uid: target.uid.clone(),
            },
            at: diagnosis.at.to_string(),
            verdict: diagnosis.verdict.into(),
            symptom: diagnosis.symptom.clone(),
            pods,
            findings: diagnosis.findings.iter().map(|finding| report_finding(finding, clean)).collect(),
            story: diagnosis
                .story
                .iter()
                .map(|chapter| ReportChapter {
                    text: clean(&chapter.text.en),
                    at: chapter.at.map(|at| at.to_string()),
                    command: chapter.command.as_deref().map(clean),
                })
                .collect(),
            checked: diagnosis.checked.iter().map(|words| clean(&words.en)).collect(),
            next: diagnosis.next.iter().map(|fix| report_fix(fix, clean)).collect(),
            unreadable: diagnosis
                .unreadable
                .iter()
                .map(|unread| ReportUnread { what: unread.what.clone(), why: clean(&unread.why) })
                .collect(),
        }
    }
}

fn report_finding(finding: &Finding, clean: &dyn Fn(&str) -> String) -> ReportFinding {
    ReportFinding {
        cause: finding.cause.id,
        certainty: match finding.certainty {
            Certainty::Confirmed => ReportCertainty::Confirmed,
            Certainty::Likely => ReportCertainty::Likely,
            Certainty::Possible => ReportCertainty::Possible,
        },
        container: finding.container.clone(),
        summary: clean(&finding.summary.en),
        evidence: finding
            .evidence
            .iter()
            .map(|evidence| ReportEvidence {
                source: evidence.source.clone(),
                quote: clean(&evidence.quote),
                at: evidence.at.map(|at| at.to_string()),
            })
            .collect(),
        fixes: finding.fixes.iter().map(|fix| report_fix(fix, clean)).collect(),
        remedies: finding.remedies.iter().map(|remedy| remedy.id()).collect(),
        consequences: finding.consequences.iter().map(|words| clean(&words.en)).collect(),
    }
}

fn report_fix(fix: &Fix, clean: &dyn Fn(&str) -> String) -> ReportFix {
    ReportFix {
        text: clean(&fix.text.en),
        command: fix.command.as_deref().map(clean),
        risk: match fix.risk {
            Risk::Safe => ReportRisk::Safe,
            Risk::Careful => ReportRisk::Careful,
            Risk::Dangerous => ReportRisk::Dangerous,
        },
    }
}

impl From<Verdict> for ReportVerdict {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Sick => Self::Sick,
            Verdict::Healthy => Self::Healthy,
            Verdict::Waiting => Self::Waiting,
            Verdict::Completed => Self::Completed,
            Verdict::Unknown => Self::Unknown,
        }
    }
}
