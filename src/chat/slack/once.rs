//! One thing that happened is handled once, however often and over whichever way it is delivered.
//!
//! Keys: `event_id` for a redelivery; channel and ts for one mention that comes as two event types, or again under another
//! `event_id`; `trigger_id` for a command or click; the signature for a request that somebody plays back. Bounded: the
//! oldest keys go first.

use std::collections::{HashSet, VecDeque};
use std::hash::{BuildHasher, RandomState};

/// How many keys are kept. Slack delivers at most 30,000 events an hour to an app, but a bot gets mentions and reactions,
/// not traffic: this is more than a day of either, the longest that Slack retries ("delayed events").
pub const KEPT: usize = 50_000;

/// The keys that were seen, as numbers: 64 bits of a keyed hash, so that 50,000 of them take one megabyte, two alike are a
/// matter of one in 10^10, and nobody outside can make two alike.
#[derive(Debug, Default)]
pub struct Once {
    hasher: RandomState,
    seen: HashSet<u64>,
    order: VecDeque<u64>,
}

impl Once {
    /// Returns true when none of the keys was seen before, and remembers them all.
    pub fn is_first(&mut self, keys: &[String]) -> bool {
        let mut known = false;
        for key in keys {
            let key = self.hasher.hash_one(key);
            if self.seen.insert(key) {
                self.order.push_back(key);
            } else {
                known = true;
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
    use proptest::prelude::*;

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
    fn what_has_no_key_is_always_first() {
        let mut once = Once::default();
        assert!(once.is_first(&[]) && once.is_first(&[]));
    }

    #[test]
    fn memory_is_bounded_and_the_oldest_goes_first() {
        let mut once = Once::default();
        for i in 0..=KEPT {
            assert!(once.is_first(&[format!("event:{i}")]));
        }
        assert_eq!((once.seen.len(), once.order.len()), (KEPT, KEPT));
        assert!(!once.is_first(&["event:1".to_owned()]));
        assert!(once.is_first(&["event:0".to_owned()]));
    }

    proptest! {
        #[test]
        fn each_key_is_first_once(keys in prop::collection::vec("[a-e]{1,2}", 0..60)) {
            let mut once = Once::default();
            let mut before = HashSet::new();
            for key in keys {
                prop_assert_eq!(once.is_first(std::slice::from_ref(&key)), before.insert(key));
            }
        }
    }
}
