//! A team's own causes: words and a CEL expression over the same facts. They look, and cannot act.
//!
//! A custom cause says *why* a pod is stuck, never *whether*: what the catalogue finds healthy or completed is not asked
//! about. What depends on something unreadable comes to nothing, and the answer says so.

mod bounds;
pub mod definition;
pub mod expression;
mod kept;
pub mod scope;
pub mod sees;
pub mod sight;
pub mod template;

pub use definition::Definition;
pub use expression::{Expression, Wrong};
pub use sight::{Outcome, Seeing, Sight, Want};

use super::cause::{Cause, Page, Phase};
use super::finding::{Certainty, Risk};
use super::words::Text;
use definition::{CertaintyName, PhaseName, RiskName, Said};
use template::Template;

/// The longest words of one key, in bytes.
const LONGEST_WORDS: usize = 2_000;

/// A cause of a team's own, ready to be asked.
#[derive(Debug, Clone)]
pub struct Custom {
    /// Its page: a cause of the catalogue that finds nothing by itself.
    pub cause: &'static Cause,
    pub when: Expression,
    pub(super) certainty: Certainty,
    pub(super) evidence: Vec<Expression>,
    pub(super) summary: [Template; 2],
    pub(super) fixes: Vec<CustomFix>,
    pub(super) runbook: Option<&'static str>,
    pub explains: Vec<&'static str>,
}

#[derive(Debug, Clone)]
pub(super) struct CustomFix {
    pub text: [Template; 2],
    pub command: Option<Template>,
    pub risk: Risk,
}

/// Something wrong in a definition: where, and in which line of the text there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    pub path: Vec<At>,
    /// 1 = the first line.
    pub line: u64,
    pub what: String,
}

/// A step down a definition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum At {
    Key(&'static str),
    Item(usize),
}

impl Custom {
    /// Compiles a definition.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn of(definition: &Definition) -> Result<Self, Vec<Mistake>> {
        let mut reading = Reading::default();
        reading.id(&definition.id);
        if definition.phases.is_empty() {
            reading.say(&[At::Key("phases")], 1, "names none; give at least one");
        }
        if definition.runbook.is_none() && definition.fix.is_none() && definition.fixes.is_empty() {
            reading.say(&[], 1, "says nothing of what to do; give `runbook`, `fixes` or `fix`");
        }
        let when = reading.expression(&[At::Key("when")], &definition.when);
        let evidence = definition.evidence.iter().enumerate();
        let evidence: Vec<_> =
            evidence.map(|(i, text)| reading.expression(&[At::Key("evidence"), At::Item(i)], text)).collect();
        let summary = reading.templates(&[At::Key("summary")], &definition.summary);
        let fixes: Vec<_> = definition.fixes.iter().enumerate().map(|(i, fix)| reading.fix(i, fix)).collect();
        reading.words(&[At::Key("title")], &definition.title);
        reading.words(&[At::Key("what")], &definition.what);
        definition.tell.iter().for_each(|said| reading.words(&[At::Key("tell")], said));
        definition.fix.iter().for_each(|said| reading.words(&[At::Key("fix")], said));
        match (when, evidence.into_iter().collect::<Option<Vec<_>>>(), summary, fixes.into_iter().collect()) {
            (Some(when), Some(evidence), Some(summary), Some(fixes)) if reading.mistakes.is_empty() => Ok(Self {
                cause: kept::cause(page(definition)),
                when,
                certainty: match definition.certainty {
                    CertaintyName::Confirmed => Certainty::Confirmed,
                    CertaintyName::Likely => Certainty::Likely,
                    CertaintyName::Possible => Certainty::Possible,
                },
                evidence,
                summary,
                fixes,
                runbook: definition.runbook.as_deref().map(kept::text),
                explains: definition.explains.iter().map(|id| kept::text(id)).collect(),
            }),
            _ => Err(reading.mistakes),
        }
    }

    /// Returns every expression in it, that of `when` first.
    pub(super) fn expressions(&self) -> impl Iterator<Item = &Expression> {
        let fixes = self.fixes.iter().flat_map(|fix| fix.text.iter().chain(&fix.command));
        let templates = self.summary.iter().chain(fixes).flat_map(Template::expressions);
        std::iter::once(&self.when).chain(&self.evidence).chain(templates)
    }
}

#[derive(Default)]
struct Reading {
    mistakes: Vec<Mistake>,
}

impl Reading {
    fn id(&mut self, id: &str) {
        let word = |word: &str| !word.is_empty() && word.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
        if id.len() > 60 || !id.split('-').all(word) {
            let what = format!("expected an id in kebab-case such as acme-vault-sealed, found `{id}`");
            self.say(&[At::Key("id")], 1, what);
        } else if super::causes::by_id(id).is_some() {
            let what = format!("`{id}` is a cause of podoctor's own; put your team's name before it: `acme-{id}`");
            self.say(&[At::Key("id")], 1, what);
        }
    }

    fn expression(&mut self, path: &[At], text: &str) -> Option<Expression> {
        let compiled = Expression::compile(text);
        compiled.map_err(|wrong| self.say(path, wrong.line, with_place(text, &wrong))).ok()
    }

    fn template(&mut self, path: &[At], text: &str) -> Option<Template> {
        let compiled = Template::compile(text);
        compiled.map_err(|wrong| self.say(path, wrong.line, wrong.what)).ok()
    }

    fn templates(&mut self, path: &[At], said: &Said) -> Option<[Template; 2]> {
        self.words(path, said);
        let [en, zh] = said.both().map(|(language, text)| self.template(&below(path, language), text));
        Some([en?, zh?])
    }

    fn words(&mut self, path: &[At], said: &Said) {
        for (language, text) in said.both() {
            if text.trim().is_empty() {
                self.say(&below(path, language), 1, "is empty");
            } else if text.len() > LONGEST_WORDS {
                let what = format!("is {} bytes long; at most {LONGEST_WORDS} are allowed", text.len());
                self.say(&below(path, language), 1, what);
            }
        }
    }

    fn fix(&mut self, index: usize, fix: &definition::FixDefinition) -> Option<CustomFix> {
        let path = [At::Key("fixes"), At::Item(index)];
        let text = self.templates(&below(&path, Some("text")), &fix.text);
        let command = fix.command.as_deref().map(|text| self.template(&below(&path, Some("command")), text));
        let command = match command {
            Some(command) => Some(command?),
            None => None,
        };
        let risk = match fix.risk {
            RiskName::Safe => Risk::Safe,
            RiskName::Careful => Risk::Careful,
            RiskName::Dangerous => Risk::Dangerous,
        };
        Some(CustomFix { text: text?, command, risk })
    }

    fn say(&mut self, path: &[At], line: u64, what: impl Into<String>) {
        let mistake = Mistake { path: path.to_vec(), line, what: what.into() };
        if !self.mistakes.contains(&mistake) {
            self.mistakes.push(mistake);
        }
    }
}

fn below(path: &[At], key: Option<&'static str>) -> Vec<At> {
    path.iter().copied().chain(key.map(At::Key)).collect()
}

/// Returns what is wrong with an expression, with the words at which it is.
fn with_place(text: &str, wrong: &Wrong) -> String {
    let at = |number: u64| usize::try_from(number).unwrap_or(1).saturating_sub(1);
    let line = text.lines().nth(at(wrong.line)).unwrap_or_default();
    let there: String = line.chars().skip(at(wrong.column)).take(40).collect();
    match there.trim_end() {
        "" => wrong.what.clone(),
        there => format!("{}, at `{there}`", wrong.what),
    }
}

fn page(definition: &Definition) -> kept::OwnedCause {
    let own = |said: &Said| said.both().map(|(_, text)| text.trim().to_owned());
    let todo = match &definition.runbook {
        Some(runbook) => [format!("Follow the runbook: {runbook}"), format!("按照运行手册处理：{runbook}")],
        None => ["The answer lists the steps.".to_owned(), "答案中列出了处理步骤。".to_owned()],
    };
    let when = definition.when.trim();
    kept::OwnedCause {
        id: definition.id.clone(),
        phases: definition.phases.iter().map(|phase| phase.of()).collect(),
        title: own(&definition.title),
        what: own(&definition.what),
        tell: definition
            .tell
            .as_ref()
            .map_or_else(|| [format!("This holds: {when}"), format!("以下条件成立：{when}")], own),
        fix: definition.fix.as_ref().map_or(todo, own),
        sources: definition.runbook.iter().cloned().collect(),
    }
}

impl PhaseName {
    fn of(self) -> Phase {
        match self {
            PhaseName::Scheduling => Phase::Scheduling,
            PhaseName::Creating => Phase::Creating,
            PhaseName::Images => Phase::Images,
            PhaseName::Crashing => Phase::Crashing,
            PhaseName::Probes => Phase::Probes,
            PhaseName::Stopping => Phase::Stopping,
            PhaseName::Node => Phase::Node,
            PhaseName::Admission => Phase::Admission,
            PhaseName::Access => Phase::Access,
        }
    }
}

#[cfg(test)]
mod tests;
