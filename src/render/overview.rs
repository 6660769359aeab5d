//! How things are: the page of one person, and the report of a morning.

use super::alert;
use super::message::{Action, ActionStyle, Line, Message, Part, Span};
use super::phrase::pick;
use crate::diagnosis::Language;
use crate::watch::incident::{Incident, State};
use jiff::Timestamp;
use std::collections::BTreeMap;

/// The button that has something diagnosed; its value is the target.
pub const DIAGNOSE: &str = "overview-diagnose";
/// How many incidents the page names; each has its button, and Slack draws 25 of them.
const ON_PAGE: usize = 25;
/// How many open incidents a report names.
const IN_REPORT: usize = 10;
/// How many workloads a report calls noisy.
const NOISY: usize = 5;

/// Returns what is open now, with a button to diagnose each.
pub fn home(open: &[Incident], now: Timestamp, language: Language) -> Message {
    let count = open.len();
    let head = match (language, count) {
        (Language::English, 0) => "🟢 Nothing is stuck".to_owned(),
        (Language::Chinese, 0) => "🟢 目前没有异常".to_owned(),
        (Language::English, 1) => "1 thing is stuck".to_owned(),
        (Language::English, _) => format!("{count} things are stuck"),
        (Language::Chinese, _) => format!("目前有 {count} 项异常"),
    };
    let mut message = Message { parts: vec![Part::Heading(vec![plain(head)])], actions: vec![] };
    let shown: Vec<&Incident> = open.iter().take(ON_PAGE).collect();
    if !shown.is_empty() {
        message.parts.push(Part::Lines(shown.iter().map(|incident| alert::entry(incident, language)).collect()));
    }
    message.parts.extend(more(count.saturating_sub(ON_PAGE), language));
    for incident in shown {
        let Some(target) = incident.target() else { continue };
        message.actions.push(Action {
            id: DIAGNOSE.to_owned(),
            label: match language {
                Language::English => format!("Diagnose {}", incident.key.subject.name()),
                Language::Chinese => format!("诊断 {}", incident.key.subject.name()),
            },
            value: target,
            style: ActionStyle::Plain,
        });
    }
    let as_of = vec![plain(pick(language, "as of ", "截至 ")), Span::Time(now)];
    message.with(Part::Small(as_of))
}

/// Returns the report of a morning: `open` = what is open, `lately` = what was opened or resolved since `since`.
pub fn morning(open: &[Incident], lately: &[Incident], since: Timestamp, language: Language) -> Message {
    let resolved =
        lately.iter().filter(|incident| matches!(incident.state, State::Resolved { at } if at >= since)).count();
    let (count, sign) = (open.len(), if open.is_empty() { "🟢" } else { "🔴" });
    let head = match language {
        Language::English => format!("{sign} Good morning: {count} open, {resolved} resolved"),
        Language::Chinese => format!("{sign} 早上好：{count} 项未恢复，{resolved} 项已恢复"),
    };
    let mut message = Message { parts: vec![Part::Lines(vec![vec![Span::Strong(head)]])], actions: vec![] };
    if !open.is_empty() {
        let lines = open.iter().take(IN_REPORT).map(|incident| alert::entry(incident, language));
        message.parts.push(Part::Lines(lines.collect()));
        message.parts.extend(more(count.saturating_sub(IN_REPORT), language));
    }
    let noisy = noisiest(lately, since);
    if !noisy.is_empty() {
        let mut line: Line = vec![plain(pick(language, "Noisiest: ", "最频繁："))];
        for (i, (name, times)) in noisy.iter().enumerate() {
            line.push(plain(if i == 0 { "" } else { ", " }));
            line.push(Span::Code(name.clone()));
            line.push(plain(format!(" {times}×")));
        }
        message.parts.push(Part::Lines(vec![line]));
    }
    message.with(Part::Small(vec![plain(pick(language, "since ", "自 ")), Span::Time(since)]))
}

/// Returns who was told of most often since a moment, and how often; once is no noise.
fn noisiest(lately: &[Incident], since: Timestamp) -> Vec<(String, u32)> {
    let mut times: BTreeMap<String, u32> = BTreeMap::new();
    for incident in lately {
        let opened = u32::from(incident.opened >= since);
        *times.entry(incident.key.subject.name()).or_default() += opened + incident.reopened;
    }
    let mut noisy: Vec<(String, u32)> = times.into_iter().filter(|(_, times)| *times > 1).collect();
    noisy.sort_by_key(|(name, times)| (std::cmp::Reverse(*times), name.clone()));
    noisy.truncate(NOISY);
    noisy
}

fn more(count: usize, language: Language) -> Option<Part> {
    (count > 0).then(|| {
        Part::Small(vec![plain(match language {
            Language::English => format!("and {count} more"),
            Language::Chinese => format!("另有 {count} 项"),
        })])
    })
}

fn plain(text: impl Into<String>) -> Span {
    Span::Plain(text.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::terminal::{self, Style};
    use crate::watch::book::tests::incident;
    use crate::watch::incident::Subject;

    fn of(name: &str, opened: &str, resolved: Option<&str>, reopened: u32) -> Incident {
        let at = |text: &str| text.parse().expect("a time");
        let state = resolved.map_or(State::Open, |text| State::Resolved { at: at(text) });
        let subject = Subject::Workload { kind: "Deployment".into(), namespace: "prod".into(), name: name.into() };
        Incident { opened: at(opened), state, reopened, ..incident(subject) }
    }

    #[test]
    fn a_morning_tells_what_is_open_what_is_over_and_who_made_the_noise() {
        let open = [of("web", "2026-05-02T02:00:00Z", None, 0)];
        let lately = [
            of("web", "2026-05-02T02:00:00Z", None, 0),
            of("api", "2026-05-01T20:00:00Z", Some("2026-05-01T21:00:00Z"), 3),
            of("old", "2026-05-01T01:00:00Z", Some("2026-05-01T07:00:00Z"), 0),
        ];
        let since = "2026-05-01T08:00:00Z".parse().expect("a time");
        let said = |language| {
            terminal::message(&morning(&open, &lately, since, language), Style { colour: false, width: None })
        };
        let english = said(Language::English);
        for part in ["🔴 Good morning: 1 open, 1 resolved", "prod/web: 1 pod crash looping", "Noisiest: prod/api 4×"]
        {
            assert!(english.contains(part), "`{part}`: {english}");
        }
        assert!(said(Language::Chinese).contains("1 项未恢复，1 项已恢复"));
    }

    #[test]
    fn the_page_has_a_button_for_each_that_can_be_asked_about() {
        let now = "2026-05-02T08:00:00Z".parse().expect("a time");
        let page = home(&[of("web", "2026-05-02T02:00:00Z", None, 0)], now, Language::English);
        let buttons: Vec<&str> = page.actions.iter().map(|action| action.value.as_str()).collect();
        assert_eq!(buttons, ["c:prod/deployment/web"]);
        assert!(home(&[], now, Language::Chinese).actions.is_empty());
    }
}
