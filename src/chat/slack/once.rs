//! One thing that happened is handled once, however often and over whichever way it is delivered.
//!
//! Keys: `event_id` for a redelivery; channel and ts for one mention that comes as two event types, or again under another
//! `event_id`; `trigger_id` for a command or click. Bounded: the oldest keys go first.

use std::collections::{HashSet, VecDeque};

/// How many keys are kept. Slack delivers at most 30,000 events an hour to an app; retries end after minutes, or with
/// "delayed events" after a day, by when a question is too old to be answered anyway.
const KEPT: usize = 50_000;

/// The keys that were seen.
#[derive(Debug, Default)]
pub struct Once {
    seen: HashSet<String>,
    order: VecDeque<String>,
}

impl Once {
    /// Returns true when none of the keys was seen before, and remembers them all.
    pub fn is_first(&mut self, keys: &[String]) -> bool {
        let known = keys.iter().any(|key| self.seen.contains(key));
        for key in keys {
            if self.seen.insert(key.clone()) {
                self.order.push_back(key.clone());
            }
        }
        while self.order.len() > KEPT {
            if let Some(oldest) = self.order.pop_front() {
                self.seen.remove(&oldest);
            }
        }
        !known
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_mention_in_two_events_is_one() {
        let mut once = Once::default();
        let keys = |event: &str| [format!("event:{event}"), "message:C1:17.1".to_owned()];
        assert!(once.is_first(&keys("Ev1")));
        assert!(!once.is_first(&keys("Ev1")), "a redelivery");
        assert!(!once.is_first(&keys("Ev2")), "the same message under another event id");
        assert!(!once.is_first(&["event:Ev2".to_owned()]), "a redelivery of the second");
    }

    #[test]
    fn memory_is_bounded() {
        let mut once = Once::default();
        for i in 0..(KEPT + 10) {
            assert!(once.is_first(&[format!("event:{i}")]));
        }
        assert_eq!(once.seen.len(), KEPT);
    }
}
