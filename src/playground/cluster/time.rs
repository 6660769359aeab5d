//! The time of the recorded cluster, and its two ways of being written.

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use std::sync::Mutex;
use std::time::Duration;
use tokio::time::Instant;

/// A clock that starts at a given moment, runs with tokio's time, and can be put forward.
#[derive(Debug)]
pub struct Clock {
    start: Timestamp,
    began: Instant,
    skipped: Mutex<Duration>,
}

impl Clock {
    pub fn starting(start: Timestamp) -> Clock {
        Clock { start, began: Instant::now(), skipped: Mutex::default() }
    }

    pub fn now(&self) -> Timestamp {
        let skipped = *self.skipped.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        later(self.start, self.began.elapsed() + skipped)
    }

    /// Puts the clock forward.
    pub fn skip(&self, by: Duration) {
        *self.skipped.lock().unwrap_or_else(std::sync::PoisonError::into_inner) += by;
    }
}

/// Returns the moment `by` after another; the end of time where there is none.
pub fn later(moment: Timestamp, by: Duration) -> Timestamp {
    SignedDuration::try_from(by).ok().and_then(|by| moment.checked_add(by).ok()).unwrap_or(Timestamp::MAX)
}

/// Writes a `Time`: whole seconds.
pub fn seconds(moment: Timestamp) -> Value {
    moment.strftime("%Y-%m-%dT%H:%M:%SZ").to_string().into()
}

/// Writes a `MicroTime`: microseconds.
pub fn micros(moment: Timestamp) -> Value {
    moment.strftime("%Y-%m-%dT%H:%M:%S.%6fZ").to_string().into()
}

/// Reads either.
pub fn read(value: &Value) -> Option<Timestamp> {
    value.as_str()?.parse().ok()
}

/// Returns how many seconds lie between a written moment and `now`; none where it lies ahead or is not written.
pub fn age(value: &Value, now: Timestamp) -> Option<u64> {
    u64::try_from(now.duration_since(read(value)?).as_secs()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways_of_writing_are_read_back() {
        let moment: Timestamp = "2026-11-24T10:00:00.1234567Z".parse().unwrap();
        assert_eq!(seconds(moment), "2026-11-24T10:00:00Z");
        assert_eq!(micros(moment), "2026-11-24T10:00:00.123456Z");
        assert_eq!(age(&seconds(moment), later(moment, Duration::from_secs(61))), Some(61));
        assert_eq!(age(&seconds(later(moment, Duration::from_secs(5))), moment), None);
    }

    #[test]
    fn a_clock_can_be_put_forward() {
        let clock = Clock::starting("2026-11-24T10:00:00Z".parse().unwrap());
        clock.skip(Duration::from_secs(3600));
        assert!(clock.now() >= "2026-11-24T11:00:00Z".parse().unwrap());
    }
}
