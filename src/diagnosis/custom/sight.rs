//! One subject as the custom causes see it, and what each of them makes of it.

use super::scope::{ALLOWANCE, Patterns, Scope, Trouble};
use super::{Custom, sees};
use crate::diagnosis::cause::Phase;
use crate::diagnosis::finding::{Finding, Fix, Risk};
use crate::diagnosis::words::Words;
use crate::facts::world::Unread;
use crate::facts::{ContainerView, Evidence, Facts, Known, Stage};
use serde_json::Value;
use std::collections::BTreeSet;
use std::sync::Arc;

/// How many elements of a list are quoted.
const QUOTED: usize = 3;
/// How many of the fields that `when` reads are quoted where a cause names no evidence.
const READS_QUOTED: usize = 5;

/// One subject, seen by all causes of a catalogue.
pub struct Sight<'f, 'w> {
    facts: &'f Facts<'w>,
    scope: Scope<'static>,
}

/// What a cause comes to, seen from one container or from the pod as a whole.
#[derive(Debug)]
pub struct Seeing<'w> {
    /// `None` = the expression does not ask about containers.
    pub container: Option<ContainerView<'w>>,
    pub outcome: Outcome,
    /// What the expression reads, each with its value.
    pub reads: Vec<(String, Result<Value, Trouble>)>,
}

/// A variable that a cause hangs on and that was not read.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Want {
    pub variable: &'static str,
    /// The container whose it is.
    pub container: Option<String>,
}

/// What an expression comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It is not asked in this part of a pod's life.
    NotAsked,
    Holds,
    HoldsNot,
    Nothing(Trouble),
}

impl<'f, 'w> Sight<'f, 'w> {
    /// Looks at a subject for these causes: only what they name is made ready.
    pub fn new(facts: &'f Facts<'w>, causes: &[Custom], patterns: Arc<Patterns>) -> Self {
        let mut scope = Scope::new(facts.now, patterns, ALLOWANCE);
        let names: BTreeSet<_> = causes.iter().flat_map(Custom::expressions).flat_map(|e| &e.names).collect();
        for name in names.into_iter().filter(|name| !sees::OF_CONTAINER.contains(name)) {
            if let Known::Present(value) = sees::value(facts, name) {
                scope.set(name, &value);
            }
        }
        Self { facts, scope }
    }

    /// Returns the finding of a cause that shows; else what it would have had to know.
    pub fn check(&self, custom: &Custom) -> Result<Option<Finding>, Unread> {
        if !self.asks(custom) {
            return Ok(None);
        }
        let mut trouble = None;
        for container in self.containers(custom) {
            let scope = self.scope_of(container);
            match custom.when.holds(&scope) {
                Ok(true) => return Ok(Some(finding(custom, container, &scope))),
                Ok(false) | Err(Trouble::NotThere(_)) => {}
                Err(error) => trouble = trouble.or(Some(error)),
            }
        }
        match trouble {
            None => Ok(None),
            Some(trouble) => {
                Err(Unread { what: format!("custom cause {}", custom.cause.id), why: trouble.to_string() })
            }
        }
    }

    /// Returns what a cause hangs on and was not read: what its result depends on, and where it holds, its evidence and words.
    pub fn wants(&self, custom: &Custom) -> BTreeSet<Want> {
        let mut wanted = BTreeSet::new();
        if !self.asks(custom) {
            return wanted;
        }
        for container in self.containers(custom) {
            let names: BTreeSet<&'static str> = match custom.when.holds(&self.scope_of(container)) {
                Err(Trouble::Unreadable(_)) => custom.expressions().flat_map(|e| &e.names).copied().collect(),
                Ok(true) => custom.expressions().skip(1).flat_map(|e| &e.names).copied().collect(),
                Ok(false) | Err(_) => continue,
            };
            for name in names {
                let unread = match (name, container) {
                    ("container", _) => false,
                    ("log", Some(container)) => sees::lines(self.facts, container).is_unreadable(),
                    (name, _) => sees::value(self.facts, name).is_unreadable(),
                };
                if unread {
                    let container = container.filter(|_| name == "log").map(|container| container.name().to_owned());
                    wanted.insert(Want { variable: name, container });
                }
            }
        }
        wanted
    }

    /// Returns all that a cause sees, from each container where it asks about containers.
    pub fn explain(&self, custom: &Custom) -> Vec<Seeing<'w>> {
        let seeings = self.containers(custom).into_iter().map(|container| {
            let scope = self.scope_of(container);
            let reads = custom.when.reads.iter().map(|read| (read.path.clone(), read.value(&scope))).collect();
            let outcome = match custom.when.holds(&scope) {
                _ if !self.asks(custom) => Outcome::NotAsked,
                Ok(true) => Outcome::Holds,
                Ok(false) => Outcome::HoldsNot,
                Err(trouble) => Outcome::Nothing(trouble),
            };
            Seeing { container, outcome, reads }
        });
        seeings.collect()
    }

    fn asks(&self, custom: &Custom) -> bool {
        let stage = self.facts.pod().map(|pod| pod.stage());
        custom.cause.phases.iter().any(|phase| belongs(*phase, stage))
    }

    fn containers(&self, custom: &Custom) -> Vec<Option<ContainerView<'w>>> {
        if sees::OF_CONTAINER.iter().any(|name| custom.when.names.contains(name)) {
            self.facts.pod().into_iter().flat_map(|pod| pod.containers()).map(Some).collect()
        } else {
            vec![None]
        }
    }

    fn scope_of(&self, container: Option<ContainerView<'_>>) -> Scope<'_> {
        let mut scope = self.scope.within();
        if let Some(container) = container {
            scope.set("container", &sees::container(container));
            if let Known::Present(lines) = sees::lines(self.facts, container) {
                scope.set("log", &lines);
            }
        }
        scope
    }
}

/// Returns whether a phase's causes are asked about a pod in this stage of its life; `None` = about a workload.
fn belongs(phase: Phase, stage: Option<Stage>) -> bool {
    let Some(stage) = stage else { return phase == Phase::Admission };
    match phase {
        Phase::Scheduling => stage == Stage::Unscheduled,
        Phase::Creating => stage == Stage::Creating,
        Phase::Images => matches!(stage, Stage::Creating | Stage::Running),
        Phase::Crashing => matches!(stage, Stage::Creating | Stage::Running | Stage::Failed),
        Phase::Probes => stage == Stage::Running,
        Phase::Stopping => stage == Stage::Terminating,
        Phase::Node | Phase::Admission | Phase::Access => true,
        Phase::None => false,
    }
}

fn finding(custom: &Custom, container: Option<ContainerView<'_>>, scope: &Scope<'_>) -> Finding {
    let mut finding = Finding::new(custom.cause, custom.certainty);
    if let Some(container) = container {
        finding = finding.in_container(container);
    }
    let [en, zh] = custom.summary.each_ref().map(|template| template.words(scope));
    finding = finding.says(en, zh).because(evidence(custom, container, scope)).explains(&custom.explains);
    for fix in &custom.fixes {
        let [en, zh] = fix.text.each_ref().map(|template| template.words(scope));
        let command = fix.command.as_ref().and_then(|command| command.command(scope));
        finding = finding.fix(Fix { text: Words::new(en, zh), command, risk: fix.risk });
    }
    if let Some(runbook) = custom.runbook {
        let text = Words::new(format!("Follow the runbook: {runbook}"), format!("按照运行手册处理：{runbook}"));
        finding = finding.fix(Fix { text, command: None, risk: Risk::Safe });
    }
    finding
}

fn evidence(custom: &Custom, container: Option<ContainerView<'_>>, scope: &Scope<'_>) -> Vec<Evidence> {
    let mut found = Vec::new();
    for expression in &custom.evidence {
        if let Ok(value) = expression.value(scope) {
            found.extend(quotes(&place(expression.text(), container), &value));
        }
    }
    if found.is_empty() {
        let scalars = custom.when.reads.iter().filter_map(|read| {
            let value = read.value(scope).ok().filter(|value| !value.is_array() && !value.is_object())?;
            Some(quotes(&place(&read.path, container), &value))
        });
        found = scalars.flatten().take(READS_QUOTED).collect();
    }
    found
}

/// Returns where a path leads: of `container.status.ready` the place among the pod's statuses.
fn place(path: &str, container: Option<ContainerView<'_>>) -> String {
    let path = path.trim();
    let Some(container) = container else { return path.to_owned() };
    if let Some(rest) = path.strip_prefix("container.status.") {
        format!("{}.{rest}", container.status_path())
    } else if let Some(rest) = path.strip_prefix("container.") {
        format!("{}.{rest}", container.spec_path())
    } else if path == "log" || path.starts_with("log.") || path.starts_with("log[") {
        format!("log {}", container.name())
    } else {
        path.to_owned()
    }
}

fn quotes(place: &str, value: &Value) -> Vec<Evidence> {
    match value {
        Value::Array(items) => {
            let newest = &items[items.len().saturating_sub(QUOTED)..];
            newest.iter().rev().flat_map(|item| quotes(place, item)).collect()
        }
        Value::Object(fields) => {
            let text = |key: &str| fields.get(key).and_then(Value::as_str);
            match (text("reason"), text("message"), text("reportingComponent")) {
                (Some(reason), Some(message), Some(who)) => {
                    let at = text("lastTimestamp").and_then(|time| time.parse().ok());
                    let who = if who.is_empty() { String::new() } else { format!(" ({who})") };
                    vec![Evidence::field(format!("event {reason}{who}"), message, at)]
                }
                _ => vec![Evidence::field(place, sees::short(value), None)],
            }
        }
        Value::String(text) => vec![Evidence::field(place, text.trim_end(), None)],
        Value::Null => Vec::new(),
        Value::Bool(_) | Value::Number(_) => vec![Evidence::field(place, value, None)],
    }
}
