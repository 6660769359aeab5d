//! What a person asks for, parsed without touching anything: the same for a slash command and a mention.

use crate::target::{self, Target, TargetError};
use std::time::Duration;

/// A request of a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    Diagnose(Target),
    /// What is sick now, in the default cluster.
    Sick,
    Help,
    Status,
    /// The list of causes, or one of them.
    Causes(Option<String>),
    /// Nothing is to be told of a target for a while, and why.
    Silence {
        target: Target,
        length: Duration,
        why: String,
    },
    Unsilence(Target),
    /// What is silenced now.
    Silences,
    /// What was told of a target.
    History(Target),
    /// The incident of this thread is to be diagnosed anew.
    Again,
    /// The words could not be understood.
    Unclear(Unclear),
}

/// Why a request could not be understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unclear {
    Target(TargetError),
    /// A mention that holds no target and no command.
    NoTarget,
    /// A silence without a length that can be read.
    NoLength,
}

const COMMANDS: &[&str] = &["help", "status", "causes", "silence", "unsilence", "silences", "history", "again"];
/// The longest silence: what nobody wants to hear of for longer belongs into the settings.
const LONGEST_SILENCE: Duration = Duration::from_secs(30 * 86_400);

/// Parses what follows `/podoctor`.
pub fn parse(text: &str) -> Request {
    let text = text.trim();
    let mut words = text.split_whitespace();
    let (first, second) = (words.next(), words.next());
    match (first.map(str::to_lowercase).as_deref(), second) {
        (None, _) => Request::Sick,
        (Some("help" | "-h" | "--help" | "?"), _) => Request::Help,
        (Some("status"), None) => Request::Status,
        (Some("causes" | "cause"), id) => Request::Causes(id.map(|id| id.trim_matches('`').to_lowercase())),
        (Some("again" | "repeat" | "重新诊断"), None) => Request::Again,
        (Some("silences"), None) => Request::Silences,
        (Some("silence"), Some(target)) => silence(target, words),
        (Some("unsilence"), Some(target)) => about(target, Request::Unsilence),
        (Some("history"), Some(target)) => about(target, Request::History),
        // People carry the verb over from the terminal.
        (Some("diagnose"), Some(_)) => one_target(text.split_once(char::is_whitespace).map_or("", |(_, rest)| rest)),
        _ => one_target(text),
    }
}

/// Parses a mention, in any wording that holds a target.
pub fn parse_mention(text: &str) -> Request {
    let text = text.trim();
    let first = text.split_whitespace().next().unwrap_or_default().to_lowercase();
    if text.is_empty() || COMMANDS.contains(&first.as_str()) {
        return if text.is_empty() { Request::Help } else { parse(text) };
    }
    if let Some(target) = target::find_in(text) {
        return Request::Diagnose(target);
    }
    match text.split_whitespace().collect::<Vec<_>>()[..] {
        [word] => parse(word),
        _ => Request::Unclear(Unclear::NoTarget),
    }
}

fn about(target: &str, request: impl Fn(Target) -> Request) -> Request {
    target::parse(target).map_or_else(|error| Request::Unclear(Unclear::Target(error)), request)
}

/// Parses `TARGET 2h why`.
fn silence<'a>(target: &str, mut rest: impl Iterator<Item = &'a str>) -> Request {
    let length = rest.next().and_then(length).filter(|length| *length <= LONGEST_SILENCE);
    let Some(length) = length else { return Request::Unclear(Unclear::NoLength) };
    let why = rest.collect::<Vec<_>>().join(" ");
    about(target, |target| Request::Silence { target, length, why: why.clone() })
}

/// Reads `90s`, `30m`, `2h` or `1d`.
fn length(text: &str) -> Option<Duration> {
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(seconds).filter(|seconds| *seconds > 0).map(Duration::from_secs)
}

fn one_target(text: &str) -> Request {
    match target::parse(text) {
        Ok(target) => Request::Diagnose(target),
        // "why is prod/web stuck" after the command is as clear as after a mention.
        Err(error) => target::find_in(text).map_or(Request::Unclear(Unclear::Target(error)), Request::Diagnose),
    }
}

impl Request {
    /// Returns the namespace asked about; `None` = all, or none in particular.
    pub fn namespace(&self) -> Option<&str> {
        match self {
            Request::Diagnose(target)
            | Request::Silence { target, .. }
            | Request::Unsilence(target)
            | Request::History(target) => target.namespace(),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn target(text: &str) -> Request {
        Request::Diagnose(target::parse(text).unwrap())
    }

    #[test]
    fn a_command_is_a_word_or_a_target() {
        assert_eq!(parse(""), Request::Sick);
        assert_eq!(parse("  help me"), Request::Help);
        assert_eq!(parse("causes cgroup-oom"), Request::Causes(Some("cgroup-oom".into())));
        assert_eq!(parse("prod/manage-5bd..."), target("prod/manage-5bd"));
        assert_eq!(parse("diagnose prod/web"), target("prod/web"));
        assert_eq!(parse("prod"), target("prod"));
        assert_eq!(parse("why is prod/web stuck"), target("prod/web"));
        assert!(matches!(parse("a/b/c/d/e"), Request::Unclear(_)));
    }

    #[test]
    fn a_silence_needs_a_length() {
        let Request::Diagnose(web) = target("prod/web") else { unreachable!("a target") };
        let why = "known, fixed on Monday".to_owned();
        let wanted = Request::Silence { target: web.clone(), length: Duration::from_secs(7_200), why };
        assert_eq!(parse("silence prod/web 2h known, fixed on Monday"), wanted);
        assert_eq!(parse_mention("silence prod/web 2h known, fixed on Monday"), wanted);
        for text in [
            "silence prod/web",
            "silence prod/web soon",
            "silence prod/web 0h",
            "silence prod/web 31d",
            "silence prod/web h",
            "silence prod/web 2時",
        ] {
            assert_eq!(parse(text), Request::Unclear(Unclear::NoLength), "{text}");
        }
        assert_eq!(parse("unsilence prod/web"), Request::Unsilence(web.clone()));
        assert_eq!(parse("history prod/web"), Request::History(web));
        assert_eq!(parse("silences"), Request::Silences);
    }

    #[test]
    fn a_mention_may_say_it_in_any_wording() {
        assert_eq!(parse_mention("why is prod/manage-5bd... stuck?"), target("prod/manage-5bd"));
        assert_eq!(parse_mention("请看一下 `prod/web-1`"), target("prod/web-1"));
        assert_eq!(parse_mention("status"), Request::Status);
        for text in ["again", "Again", "重新诊断"] {
            assert_eq!(parse_mention(text), Request::Again, "{text}");
        }
        assert_eq!(parse_mention(""), Request::Help);
        assert_eq!(parse_mention("thanks a lot"), Request::Unclear(Unclear::NoTarget));
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "\\PC{0,200}") {
            let _ = (parse(&text), parse_mention(&text));
        }
    }
}
