//! Questions on their way: kept before the chat is told that they were taken, until they are answered.
//!
//! ```text
//! received ─► kept ─► acknowledged ─► worked out ─► marked ─► said ─► forgotten
//!                          └────── a crash ──────┘    └─ crash ─┘
//!                            answered after the start   only what is not there yet is said
//! ```

use super::respond::{Desk, Key, is_question, only_asks};
use crate::chat::front::{Front, FrontError, Incoming, Received};
use crate::store::{self, Kind, Store, Version};
use crate::target;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::hash::{BuildHasher, DefaultHasher, Hash, Hasher, RandomState};

/// A question older than this gets no answer out of the blue any more: its asker is told to ask again.
const FRESH: SignedDuration = SignedDuration::from_mins(1);

/// The questions under way.
#[derive(Clone)]
pub struct Questions<S> {
    store: S,
}

/// Something that came in; a question is kept until it is answered.
#[derive(Debug)]
pub struct Question {
    body: Body,
    id: String,
    /// Zero = it is not kept.
    version: Version,
    /// It is from an earlier life of the bot.
    pub left_over: bool,
}

#[derive(Debug, Serialize, Deserialize)]
struct Body {
    incoming: Incoming,
    keys: Vec<String>,
    /// When it came in, by our own clock.
    received: Timestamp,
    /// It was about to be said: some of it may stand in the chat.
    saying: bool,
    /// What that is about.
    #[serde(default)]
    about: Option<String>,
}

impl Question {
    /// Returns what came in.
    pub fn incoming(&self) -> &Incoming {
        &self.body.incoming
    }

    /// Returns the keys by which it is known when it is delivered again.
    pub fn keys(&self) -> &[String] {
        &self.body.keys
    }
}

impl<S: Store> Questions<S> {
    pub fn new(store: S) -> Self {
        Self { store }
    }

    /// Keeps what came in where it is a question, and only then tells its receipt.
    ///
    /// One that cannot be kept is answered all the same, which a crash may then prevent: that is logged.
    pub async fn take(&self, received: Received, now: Timestamp) -> Question {
        let Received { incoming, keys, receipt } = received;
        let id = id_of(&keys);
        let mut question = Question {
            body: Body { incoming, keys, received: now, saying: false, about: None },
            id,
            version: 0,
            left_over: false,
        };
        if is_question(question.incoming()) {
            self.put(&mut question).await;
        }
        receipt.taken();
        question
    }

    /// Returns what an earlier life of the bot left unanswered.
    pub async fn left_over(&self) -> Vec<Question> {
        match store::all::<Body>(&self.store, Kind::Question).await {
            Ok(records) => records
                .into_iter()
                .map(|kept| Question { body: kept.body, id: kept.id, version: kept.version, left_over: true })
                .collect(),
            Err(error) => {
                tracing::error!(%error, "the questions of before cannot be read: {error}");
                Vec::new()
            }
        }
    }

    /// Answers a question, or handles what else came in, and forgets it.
    ///
    /// # Errors
    /// Where nothing could be said anywhere.
    pub async fn answer<F: Front>(
        &self,
        desk: &Desk<F>,
        mut question: Question,
        now: Timestamp,
    ) -> Result<(), FrontError> {
        let about = question.body.about.as_deref().and_then(|about| target::parse(about).ok());
        let key = Key { id: question.id.clone(), doubtful: question.body.saying, about };
        if !is_question(question.incoming()) {
            return desk.handle(question.incoming(), &key, now).await;
        }
        let is_late = question.left_over && now.duration_since(question.body.received) > FRESH;
        let said = if is_late || (question.left_over && !only_asks(question.incoming())) {
            desk.too_late(question.incoming(), question.body.received)
        } else {
            desk.work_out(question.incoming(), now).await
        };
        if !question.body.saying {
            question.body.saying = true;
            question.body.about = said.about().map(ToString::to_string);
        }
        if question.version > 0 {
            self.put(&mut question).await;
        }
        let outcome = desk.say(question.incoming(), said, &key).await;
        if question.version > 0
            && let Err(error) = self.store.remove(Kind::Question, &question.id).await
        {
            tracing::error!(id = question.id, %error, "an answered question stays in the store: {error}");
        }
        outcome
    }

    async fn put(&self, question: &mut Question) {
        match store::put(&self.store, Kind::Question, &question.id, &question.body, question.version).await {
            Ok(version) => question.version = version,
            Err(error) => tracing::error!(id = question.id, %error, "a question could not be kept: {error}"),
        }
    }
}

/// Returns an id that the same question always has. Everybody can read it in the metadata of the answer, so the keys
/// themselves are not in it. What has no key is always new.
fn id_of(keys: &[String]) -> String {
    let mut hasher = if keys.is_empty() { RandomState::new().build_hasher() } else { DefaultHasher::new() };
    // The last key is the same for one message in two events.
    keys.last().hash(&mut hasher);
    format!("q-{:016x}", hasher.finish())
}

#[cfg(test)]
mod tests;
