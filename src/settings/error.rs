//! What is wrong with the settings, in words for the person who wrote them.

use std::fmt;

/// One mistake: where it stands, which key, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// `podoctor.yaml:12`, or the variable of the environment.
    pub place: String,
    /// The key's path, such as `slack.api_url`; empty where the mistake is not about one key.
    pub key: String,
    pub what: String,
}

/// Everything that is wrong, in the order in which it was found. Never empty.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct SettingsError {
    pub problems: Vec<Problem>,
}

impl Problem {
    /// Returns the problem `what` of `key`, seen at `place`.
    pub fn new(place: impl Into<String>, key: impl Into<String>, what: impl Into<String>) -> Self {
        Self { place: place.into(), key: key.into(), what: what.into() }
    }
}

impl SettingsError {
    /// Returns the error of a single problem.
    pub fn one(problem: Problem) -> Self {
        Self { problems: vec![problem] }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.place.is_empty() {
            write!(f, "{}: ", self.place)?;
        }
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        f.write_str(&self.what)
    }
}

impl fmt::Display for SettingsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.problems.as_slice() {
            [only] => write!(f, "{only}"),
            several => {
                write!(f, "{} problems in the settings", several.len())?;
                several.iter().try_for_each(|problem| write!(f, "\n  {problem}"))
            }
        }
    }
}

/// Returns the one of `known` that `word` was probably meant to be, or none that is near enough.
pub(super) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_lowercase();
    known
        .into_iter()
        .map(|candidate| (strsim::jaro_winkler(&word, &candidate.to_lowercase()), candidate))
        .filter(|(likeness, _)| *likeness >= 0.75)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, candidate)| candidate)
}
