//! A plan: typed steps, what they need, what they skip, and whom they are to cure. What is executed is what is shown.

use super::object::{Kind, Object};
use super::patch::{self, Operation, shown};
use crate::diagnosis::kubectl::{namespaced, quoted};
use crate::diagnosis::{Remedy, Words};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// The most pods of an incident that one plan treats.
pub const MOST_PODS: usize = 20;

/// A change of one object.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum Change {
    /// Fields are changed, each only where it still is what it was.
    Patch { operations: Vec<Operation> },
    /// The object is deleted, as long as these tests hold; `grace_seconds` = how long its containers get, where that is
    /// not the object's own time.
    Delete { grace_seconds: Option<u32>, tests: Vec<Operation> },
    /// The pod is evicted: a deletion that honours disruption budgets.
    Evict,
}

/// One step: one change of one object.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Step {
    pub object: Object,
    pub change: Change,
    /// The change in a few words.
    pub says: Words,
}

/// How heavy a note weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Weight {
    /// Something may be lost or break; it speaks against the plan.
    Warning,
    Info,
}

/// What a person should know before they confirm: who owns what, what is skipped, what may break in this very case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    pub weight: Weight,
    pub words: Words,
}

impl Note {
    pub fn warning(en: impl Into<String>, zh: impl Into<String>) -> Self {
        Self { weight: Weight::Warning, words: Words::new(en, zh) }
    }

    pub fn info(en: impl Into<String>, zh: impl Into<String>) -> Self {
        Self { weight: Weight::Info, words: Words::new(en, zh) }
    }
}

/// A right that a step needs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Right {
    pub verb: String,
    pub group: String,
    /// With its subresource: `pods`, `pods/eviction`.
    pub resource: String,
    pub namespace: String,
    pub name: String,
}

/// A pod that the plan is to cure, or the workload where there is none.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Patient {
    pub namespace: String,
    /// The pod, or `kind/name` of a workload.
    pub name: String,
    /// Empty for a workload.
    pub uid: String,
}

/// Everything that a person sees, and confirms.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    pub remedy: Remedy,
    pub cluster: String,
    /// What ails: `prod/manage`.
    pub subject: String,
    /// The cause that calls for it.
    pub cause: String,
    pub steps: Vec<Step>,
    pub notes: Vec<Note>,
    /// How to take it back, or that it cannot be.
    pub undo: Words,
    pub patients: Vec<Patient>,
    /// Pods of the incident beyond [`MOST_PODS`].
    pub left_out: usize,
    /// What else would help, more dangerous than this.
    pub others: Vec<Remedy>,
}

/// What an object, as it is now, tells of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// It is as the step would leave it.
    Done,
    /// It is as it was.
    NotDone,
    /// It is not there any more, or another one has its name.
    Gone,
}

impl Step {
    /// Returns what the object tells of this step; `None` = there is none of that name.
    ///
    /// Where the step is to make the object go, its being gone is what it wanted.
    pub fn told_by(&self, object: Option<&Value>) -> Told {
        let goes = !matches!(self.object.kind, Kind::Deployment | Kind::StatefulSet | Kind::DaemonSet | Kind::Node);
        let same = object.filter(|object| object["metadata"]["uid"] == self.object.uid.as_str());
        let Some(object) = same else { return if goes { Told::Done } else { Told::Gone } };
        let done = match &self.change {
            Change::Patch { operations } => patch::is_done(object, operations),
            Change::Delete { grace_seconds: Some(0), .. } => object["metadata"]["deletionGracePeriodSeconds"] == 0,
            Change::Delete { .. } | Change::Evict => object["metadata"].get("deletionTimestamp").is_some(),
        };
        if done { Told::Done } else { Told::NotDone }
    }

    /// Returns what the API server must allow for this step.
    pub fn right(&self) -> Right {
        let (group, plural) = self.object.kind.resource();
        let (verb, resource) = match self.change {
            Change::Patch { .. } => ("patch", plural.to_owned()),
            Change::Delete { .. } => ("delete", plural.to_owned()),
            Change::Evict => ("create", format!("{plural}/eviction")),
        };
        Right {
            verb: verb.to_owned(),
            group: group.to_owned(),
            resource,
            namespace: self.object.namespace.clone(),
            name: self.object.name.clone(),
        }
    }

    /// Returns the change as a diff.
    pub fn diff(&self) -> String {
        let mut lines = vec![self.object.to_string()];
        match &self.change {
            Change::Patch { operations } => {
                for operation in operations {
                    match operation {
                        Operation::Test { .. } | Operation::Open { .. } => {}
                        Operation::Replace { shows, .. } => lines.extend(shows.iter().cloned()),
                        Operation::Remove { path, was } => {
                            lines.push(format!("- {}: {}", patch::field(path), shown(was)));
                        }
                        Operation::Put { path, was, value } => {
                            let field = patch::field(path);
                            lines.extend(was.as_ref().map(|was| format!("- {field}: {}", shown(was))));
                            lines.push(format!("+ {field}: {}", shown(value)));
                        }
                    }
                }
            }
            Change::Delete { grace_seconds: Some(seconds), .. } => {
                lines.push(format!("- the whole object (uid {}), grace period {seconds} s", self.object.uid));
            }
            Change::Delete { grace_seconds: None, .. } => {
                lines.push(format!("- the whole object (uid {})", self.object.uid));
            }
            Change::Evict => lines.push(format!("- the whole object (uid {}), by eviction", self.object.uid)),
        }
        lines.join("\n")
    }

    /// Returns the command that does the same by hand.
    pub fn command(&self) -> String {
        let object = &self.object;
        let (word, name) = (object.kind.word(), quoted(&object.name));
        let rest = match &self.change {
            Change::Patch { operations } => {
                let patch = patch::to_json(operations).to_string();
                format!("patch {word} {name} --type=json -p {}", quoted(&patch))
            }
            Change::Delete { grace_seconds: Some(0), .. } => format!("delete {word} {name} --grace-period=0 --force"),
            Change::Delete { grace_seconds: Some(seconds), .. } => {
                format!("delete {word} {name} --grace-period={seconds}")
            }
            Change::Delete { grace_seconds: None, .. } => format!("delete {word} {name}"),
            Change::Evict => {
                let body = json!({"apiVersion": "policy/v1", "kind": "Eviction",
                    "metadata": {"name": object.name, "namespace": object.namespace}});
                let path = format!("/api/v1/namespaces/{}/pods/{}/eviction", object.namespace, object.name);
                return format!("echo {} | kubectl create --raw {} -f -", quoted(&body.to_string()), quoted(&path));
            }
        };
        match object.namespace() {
            Some(namespace) => namespaced(namespace, &rest),
            None => format!("kubectl {rest}"),
        }
    }
}

impl Plan {
    /// Returns the namespaces that are touched, each once; `None` = an object of the cluster.
    pub fn namespaces(&self) -> Vec<Option<&str>> {
        let all: BTreeSet<Option<&str>> = self.steps.iter().map(|step| step.object.namespace()).collect();
        all.into_iter().collect()
    }

    /// Returns what the API server must allow, each right once.
    pub fn rights(&self) -> Vec<Right> {
        let all: BTreeSet<Right> = self.steps.iter().map(Step::right).collect();
        all.into_iter().collect()
    }

    /// Returns what tells this plan from another: the same change of the same objects is the same plan.
    pub fn objects(&self) -> BTreeSet<(Kind, &str)> {
        self.steps.iter().map(|step| (step.object.kind, step.object.uid.as_str())).collect()
    }
}
