//! What the answers of this chat are about, so that a reaction on one of them can be understood.
//!
//! The last ones are remembered here; each also carries its target in its key, by which the chat itself tells after a
//! restart.

use crate::chat::front::Posted;
use crate::target::{self, Target};
use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

/// How many messages of answers are remembered.
const REMEMBERED: usize = 2_000;
/// What the key of an answer's message starts with.
const MARK: &str = "answer ";

/// The messages of the last answers.
#[derive(Default)]
pub struct Answers(Mutex<VecDeque<(Posted, Known)>>);

/// What is known of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    pub target: Target,
    /// The parent of the thread that a plan for it belongs into.
    pub thread: String,
}

impl Answers {
    /// Remembers a message of an answer.
    pub fn remember(&self, posted: Posted, known: Known) {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if last.len() == REMEMBERED {
            last.pop_front();
        }
        last.push_back((posted, known));
    }

    /// Returns what a message is about, if it is one of the last.
    pub fn about(&self, posted: &Posted) -> Option<Known> {
        let last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        last.iter().rev().find(|(known, _)| known == posted).map(|(_, about)| about.clone())
    }
}

/// Returns the key of the `number`th message of the answer to a question, by the question's id.
pub fn key(target: &Target, question: &str, number: usize) -> String {
    format!("{MARK}{target} {question}.{number}")
}

/// Returns the target that a key names; `None` = it is no answer's.
pub fn target_of(key: &str) -> Option<Target> {
    let (target, _) = key.strip_prefix(MARK)?.rsplit_once(' ')?;
    target::parse(target).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_tells_the_target() {
        for text in ["prod:data/backup-7xk2p", "prod:shop/deployment/web", "prod:data", "prod:*"] {
            let target = target::parse(text).expect("a target");
            assert_eq!(target_of(&key(&target, "q-1", 1)), Some(target));
        }
        assert_eq!(target_of("incident-1"), None);
    }

    #[test]
    fn only_the_last_are_remembered() {
        let answers = Answers::default();
        let known = Known { target: target::parse("a/b").expect("a target"), thread: "1".into() };
        let posted = |n: usize| Posted { channel: "C0".into(), id: n.to_string() };
        for n in 0..=REMEMBERED {
            answers.remember(posted(n), known.clone());
        }
        assert_eq!(answers.about(&posted(0)), None);
        assert_eq!(answers.about(&posted(REMEMBERED)), Some(known));
    }
}
