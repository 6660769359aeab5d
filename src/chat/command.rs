//! What a person asks for, parsed without touching anything: the same for a slash command and a mention.

use crate::target::{self, Target, TargetError, What};

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
    /// The words could not be understood.
    Unclear(Unclear),
}

/// Why a request could not be understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unclear {
    Target(TargetError),
    /// A mention that holds no target and no command.
    NoTarget,
}

const COMMANDS: &[&str] = &["help", "status", "causes"];

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
            Request::Diagnose(Target {
                what: What::Namespace(namespace) | What::Pod { namespace, .. } | What::Workload { namespace, .. },
                ..
            }) => Some(namespace),
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
    fn a_mention_may_say_it_in_any_wording() {
        assert_eq!(parse_mention("why is prod/manage-5bd... stuck?"), target("prod/manage-5bd"));
        assert_eq!(parse_mention("请看一下 `prod/web-1`"), target("prod/web-1"));
        assert_eq!(parse_mention("status"), Request::Status);
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
