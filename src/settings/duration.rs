//! Durations as people write them: `90s`, `5m`, `2h`, `1h30m`, `3d`.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// A length of time that is written in days, hours, minutes, seconds and milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HumanDuration(pub Duration);

/// Why a text is no duration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected a duration such as 90s, 5m, 2h or 1h30m")]
pub struct NotADuration;

/// Units from the largest to the smallest, in milliseconds; the order in which they may follow each other.
const UNITS: [(&str, u64); 5] = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

impl HumanDuration {
    /// Returns a duration of whole seconds.
    pub const fn seconds(seconds: u64) -> Self {
        Self(Duration::from_secs(seconds))
    }

    /// Returns a duration of whole minutes.
    pub const fn minutes(minutes: u64) -> Self {
        Self::seconds(minutes * 60)
    }

    /// Returns the duration itself.
    pub const fn get(self) -> Duration {
        self.0
    }
}

impl FromStr for HumanDuration {
    type Err = NotADuration;

    /// Reads numbers with their units, from large to small, each unit at most once: `1h30m`, `1h 30m`.
    fn from_str(text: &str) -> Result<Self, NotADuration> {
        let mut rest = text.trim();
        let mut units = UNITS.as_slice();
        let mut total: u64 = 0;
        if rest.is_empty() {
            return Err(NotADuration);
        }
        while !rest.is_empty() {
            let (digits, after) = split_while(rest, |c| c.is_ascii_digit());
            let (unit, after) = split_while(after.trim_start(), |c| c.is_ascii_alphabetic());
            let at = units.iter().position(|(name, _)| *name == unit).ok_or(NotADuration)?;
            let count: u64 = digits.parse().map_err(|_| NotADuration)?;
            let part = count.checked_mul(units[at].1).ok_or(NotADuration)?;
            total = total.checked_add(part).ok_or(NotADuration)?;
            units = &units[at + 1..];
            rest = after.trim_start();
        }
        Ok(Self(Duration::from_millis(total)))
    }
}

impl fmt::Display for HumanDuration {
    /// Writes the shortest form: `90s` is `1m30s`; nothing is `0s`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0.as_millis();
        if rest == 0 {
            return f.write_str("0s");
        }
        for (name, millis) in UNITS {
            let count = rest / u128::from(millis);
            rest %= u128::from(millis);
            if count > 0 {
                write!(f, "{count}{name}")?;
            }
        }
        Ok(())
    }
}

impl Serialize for HumanDuration {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for HumanDuration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

impl schemars::JsonSchema for HumanDuration {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Duration".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "format": "podoctor-duration" })
    }
}

fn split_while(text: &str, keep: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(|c| !keep(c)).unwrap_or(text.len()))
}

#[cfg(test)]
mod tests {
    use super::HumanDuration;
    use proptest::prelude::*;

    fn written(text: &str) -> Option<String> {
        text.parse::<HumanDuration>().ok().map(|duration| duration.to_string())
    }

    #[test]
    fn durations_read_as_people_write_them() {
        let cases = [("90s", "1m30s"), ("5m", "5m"), ("2h", "2h"), ("1h30m", "1h30m"), ("1h 30m", "1h30m")];
        let more = [(" 3d ", "3d"), ("250ms", "250ms"), ("0s", "0s"), ("10 m", "10m"), ("1s500ms", "1s500ms")];
        for (text, expected) in cases.into_iter().chain(more) {
            assert_eq!(written(text).as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_duration_is_refused() {
        for text in
            ["", " ", "5", "m", "-5m", "5 minutes", "30m1h", "1h1h", "1.5h", "PT5M", "99999999999999999999d", "5m,"]
        {
            assert_eq!(written(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(millis in 0u64..10_000_000_000) {
            let duration = HumanDuration(std::time::Duration::from_millis(millis));
            prop_assert_eq!(duration.to_string().parse::<HumanDuration>(), Ok(duration));
        }

        #[test]
        fn no_text_makes_it_panic(text in ".*") {
            let _ = text.parse::<HumanDuration>();
        }
    }
}
