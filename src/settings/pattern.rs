//! Names with `*` in them, as settings list clusters and namespaces.

use std::collections::BTreeMap;

/// Tells whether `patterns` take in `name`. No pattern at all takes in every name.
pub fn covers(patterns: &[String], name: &str) -> bool {
    patterns.is_empty() || patterns.iter().any(|pattern| matches(pattern, name))
}

/// Tells whether something has each of these labels with a value that fits.
pub fn selects<'a>(labels: &BTreeMap<String, String>, label: impl Fn(&str) -> Option<&'a str>) -> bool {
    labels.iter().all(|(name, pattern)| label(name).is_some_and(|value| matches(pattern, value)))
}

/// Tells whether `name` fits `pattern`, in which each `*` stands for any run of characters, also for none.
pub fn matches(pattern: &str, name: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = name.strip_prefix(first) else { return false };
    let Some(last) = parts.next_back() else { return rest.is_empty() };
    for part in parts {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::{covers, matches};

    #[test]
    fn stars_stand_for_anything() {
        for (pattern, name) in [("team-*", "team-a"), ("*", ""), ("*", "x"), ("a*b*c", "abc"), ("a*b*c", "a1b2bc")] {
            assert!(matches(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in [("team-*", "a-team-"), ("a", "ab"), ("a*a", "a"), ("a*b*c", "acb"), ("", "a")] {
            assert!(!matches(pattern, name), "{pattern} {name}");
        }
    }

    #[test]
    fn no_pattern_means_all() {
        assert!(covers(&[], "prod"));
        assert!(!covers(&["dev".to_owned()], "prod"));
    }
}
