//! What a custom cause saw when it was tried: each thing its expression reads, and why it fits or does not.

use super::message::{Line, Message, Part, Span};
use super::phrase::{self, pick};
use crate::diagnosis::custom::scope::Trouble;
use crate::diagnosis::custom::{Custom, Outcome, Seeing};
use crate::diagnosis::{Finding, Language};
use crate::facts::evidence::shorten;

/// The longest value that is shown, in bytes.
const LONGEST_VALUE: usize = 1_600;

/// Returns what a cause saw of one subject. `calm` = podoctor finds nothing wrong with it, so it would not ask.
pub fn trial(
    subject: &str,
    custom: &Custom,
    seeings: &[Seeing<'_>],
    finding: Option<&Finding>,
    calm: bool,
    language: Language,
) -> Message {
    let mut parts = Vec::new();
    for seeing in seeings {
        let mut heading = vec![Span::Code(custom.cause.id.to_owned()), plain(" · "), Span::Strong(subject.to_owned())];
        if let Some(container) = seeing.container {
            heading.push(plain(format!(" · {} {}", pick(language, "container", "容器"), container.name())));
        }
        parts.push(Part::Heading(heading));
        parts.push(Part::Lines(vec![outcome(&seeing.outcome, language)]));
        for (path, value) in &seeing.reads {
            let text = match value {
                Ok(value) => shorten(&format!("{value:#}"), LONGEST_VALUE),
                Err(Trouble::NotThere(_)) => pick(language, "(not there)", "（不存在）").to_owned(),
                Err(trouble) => format!("({trouble})"),
            };
            parts.push(Part::Quote { origin: vec![Span::Code(path.clone())], text });
        }
    }
    if let Some(finding) = finding {
        let certainty = phrase::certainty(finding.certainty, language);
        parts.push(Part::Heading(vec![plain(pick(language, "It says", "它会说"))]));
        parts.push(Part::Lines(vec![vec![plain(format!("{certainty}{}", finding.summary.of(language)))]]));
        for evidence in &finding.evidence {
            parts.push(Part::Quote { origin: vec![Span::Code(evidence.source.clone())], text: evidence.quote.clone() });
        }
        for fix in &finding.fixes {
            let text = format!("→ {} ({})", fix.text.of(language), phrase::risk(fix.risk, language));
            parts.push(Part::Lines(vec![vec![plain(text)]]));
            parts.extend(fix.command.clone().map(Part::Code));
        }
    }
    if calm {
        parts.push(Part::Small(vec![plain(pick(
            language,
            "podoctor finds nothing wrong here, so it would not ask this cause.",
            "podoctor 认为这里一切正常，因此不会询问这个原因。",
        ))]));
    }
    Message { parts, actions: vec![] }
}

fn outcome(outcome: &Outcome, language: Language) -> Line {
    let (sign, words) = match outcome {
        Outcome::Holds => ("✔", pick(language, "`when` holds: it fits", "`when` 成立：符合").to_owned()),
        Outcome::HoldsNot => ("✘", pick(language, "`when` is false", "`when` 不成立").to_owned()),
        Outcome::NotAsked => (
            "✘",
            pick(language, "not asked: the pod is in none of its `phases`", "不询问：该 Pod 不处于它的任何 `phases`")
                .to_owned(),
        ),
        Outcome::Nothing(trouble @ Trouble::NotThere(_)) => (
            "✘",
            match language {
                Language::English => format!("`when` does not hold: {trouble}"),
                Language::Chinese => format!("`when` 不成立：{trouble}"),
            },
        ),
        Outcome::Nothing(trouble) => (
            "?",
            match language {
                Language::English => format!("`when` comes to nothing: {trouble}"),
                Language::Chinese => format!("`when` 没有结果：{trouble}"),
            },
        ),
    };
    vec![plain(format!("{sign} {words}"))]
}

fn plain(text: impl Into<String>) -> Span {
    Span::Plain(text.into())
}
