//! A piece of evidence: what was read, to the letter, where, and when it was so.

use jiff::Timestamp;

/// Something read from the cluster, quoted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    /// Where it stands: a field path (`pod.status.phase`), `event FailedMount (kubelet)`, `log app:37`.
    pub source: String,
    /// What stands there, to the letter (cut at [`QUOTE_LIMIT`]).
    pub quote: String,
    /// Since when, or when last, it was so; `None` where the API does not say.
    pub at: Option<Timestamp>,
}

/// The longest quote in bytes; a longer text is cut in the middle, since causes stand at the end as often as at the start.
pub const QUOTE_LIMIT: usize = 1_200;

impl Evidence {
    /// Returns evidence for a value that stands in a field.
    pub fn field(path: impl Into<String>, value: impl ToString, at: Option<Timestamp>) -> Self {
        Self { source: path.into(), quote: shorten(&value.to_string(), QUOTE_LIMIT), at }
    }

    /// Returns evidence for a condition of an object: its status, then reason and message where they are told.
    pub fn condition(
        path: String,
        status: &str,
        reason: Option<&str>,
        message: Option<&str>,
        at: Option<Timestamp>,
    ) -> Self {
        let told = [reason, message].into_iter().flatten().filter(|part| !part.is_empty());
        Self::field(path, std::iter::once(status).chain(told).collect::<Vec<_>>().join(", "), at)
    }
}

/// Cuts the middle out of a text of more than `limit` bytes, on character borders.
pub fn shorten(text: &str, limit: usize) -> String {
    if text.len() <= limit {
        return text.to_owned();
    }
    let half = limit.saturating_sub(5) / 2;
    let head = (0..=half).rev().find(|&i| text.is_char_boundary(i)).unwrap_or(0);
    let tail = (text.len() - half..=text.len()).find(|&i| text.is_char_boundary(i)).unwrap_or(text.len());
    format!("{} … {}", &text[..head], &text[tail..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_both_ends_of_a_long_text() {
        let text = format!("start{}ende", "ä".repeat(1_000));
        let short = shorten(&text, 100);
        assert!(short.len() <= 100 && short.starts_with("start") && short.ends_with("ende"), "{short}");
    }

    #[test]
    fn leaves_a_short_text_alone() {
        assert_eq!(shorten("no space left", 100), "no space left");
    }
}
