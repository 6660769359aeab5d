//! The outgoing queue: messages go out one after the other in each channel, edits at the pace of the whole workspace.
//!
//! ```text
//! post ─► lane of its channel ─► about one a second after a burst ─► call; on a 429 the lane waits, others go on
//! edit ─► lane of its message ─► overtaken by a newer edit? dropped ─► about forty a minute, over all channels ─► call
//! ```
//!
//! Slack counts `chat.postMessage` by channel and `chat.update` by workspace, and a 429 stops just the method it answered:
//! so an edit that waits holds up no alert. Nothing is sent a second time but what Slack refused with "wait".

use super::api::CallError;
use super::socket::jittered;
use prometheus_client::metrics::gauge::Gauge;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Mutex as Lane;
use tokio::time::{Instant, sleep, sleep_until};

/// Lanes that are not used are forgotten when there are more than this.
const LANES: usize = 1_000;

/// How fast Slack lets us speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rates {
    /// How many messages a channel may get at once before the pace counts: a parent, its thread, and another answer.
    pub burst: u32,
    /// The time between two messages of a channel after the burst.
    pub pace: Duration,
    /// How many edits may go out at once, over all channels.
    pub edit_burst: u32,
    /// The time between two edits after the burst. With the burst this makes at most 50 in any minute (tier 3).
    pub edit_pace: Duration,
    /// The longest that one message is held back by 429s before it is given up.
    pub patience: Duration,
}

impl Default for Rates {
    fn default() -> Self {
        Self {
            burst: 8,
            pace: Duration::from_secs(1),
            edit_burst: 10,
            edit_pace: Duration::from_millis(1_500),
            patience: Duration::from_secs(90),
        }
    }
}

/// The lanes of all channels and of all messages being edited.
pub struct Queue {
    rates: Rates,
    posts: Mutex<HashMap<String, Arc<Lane<Bucket>>>>,
    edits: Mutex<HashMap<String, Edited>>,
    /// What all edits draw from. Held while waiting, so that edits go out in the order they came.
    edit_bucket: Lane<Bucket>,
    edit_number: AtomicU64,
    /// How many messages and edits wait or are on their way.
    length: Gauge,
}

/// The edits of one message.
#[derive(Default)]
struct Edited {
    newest: u64,
    lane: Arc<Lane<()>>,
}

impl Default for Queue {
    fn default() -> Self {
        Self::new(Rates::default())
    }
}

impl Queue {
    /// Returns an empty queue.
    pub fn new(rates: Rates) -> Self {
        Self {
            rates,
            posts: Mutex::default(),
            edits: Mutex::default(),
            edit_bucket: Lane::new(Bucket::full(rates.edit_burst)),
            edit_number: AtomicU64::new(0),
            length: Gauge::default(),
        }
    }

    /// Counts what waits there.
    pub fn count_in(&mut self, length: Gauge) {
        self.length = length;
    }

    /// Sends something to a channel in its turn; `call` is repeated only where Slack asked to wait.
    ///
    /// # Errors
    /// What the call says, or that Slack kept asking to wait.
    pub async fn send<T, F, Fut>(&self, channel: &str, call: F) -> Result<T, CallError>
    where
        F: Fn() -> Fut,
        Fut: Future<Output = Result<T, CallError>>,
    {
        let _waiting = Waiting::of(&self.length);
        let lane = self.lane(channel);
        let mut bucket = lane.lock().await;
        let give_up = Instant::now() + self.rates.patience;
        loop {
            bucket.take(self.rates.burst, self.rates.pace).await;
            match call().await {
                Err(CallError::RateLimited(wait)) if Instant::now() + wait < give_up => sleep(after(wait)).await,
                outcome => return outcome,
            }
        }
    }

    /// Sends an edit of a message in its turn, unless a newer one of the same message is there by then.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub async fn edit<F, Fut>(&self, channel: &str, message: &str, call: F) -> Result<(), CallError>
    where
        F: Fn() -> Fut,
        Fut: Future<Output = Result<(), CallError>>,
    {
        let _waiting = Waiting::of(&self.length);
        let key = format!("{channel} {message}");
        let (number, lane) = self.announce_edit(&key);
        let _turn = lane.lock().await;
        let give_up = Instant::now() + self.rates.patience;
        loop {
            {
                let mut bucket = self.edit_bucket.lock().await;
                if self.is_overtaken(&key, number) {
                    return Ok(());
                }
                bucket.take(self.rates.edit_burst, self.rates.edit_pace).await;
            }
            // What came while this one waited says more than this one.
            if self.is_overtaken(&key, number) {
                return Ok(());
            }
            match call().await {
                Err(CallError::RateLimited(wait)) if Instant::now() + wait < give_up => {
                    let until = Instant::now() + after(wait);
                    self.edit_bucket.lock().await.hold_until(until);
                }
                outcome => return outcome,
            }
        }
    }

    /// Makes an edit the newest of its message; returns its number and the message's lane.
    fn announce_edit(&self, key: &str) -> (u64, Arc<Lane<()>>) {
        let mut edits = self.edits.lock().unwrap_or_else(PoisonError::into_inner);
        if edits.len() > LANES {
            edits.retain(|_, edited| Arc::strong_count(&edited.lane) > 1);
        }
        let edited = edits.entry(key.to_owned()).or_default();
        // Numbers are never used again, so a message that was forgotten and comes back cannot be taken for another.
        edited.newest = self.edit_number.fetch_add(1, Ordering::Relaxed);
        (edited.newest, edited.lane.clone())
    }

    fn is_overtaken(&self, key: &str, number: u64) -> bool {
        let edits = self.edits.lock().unwrap_or_else(PoisonError::into_inner);
        edits.get(key).is_some_and(|edited| edited.newest != number)
    }

    fn lane(&self, channel: &str) -> Arc<Lane<Bucket>> {
        let mut lanes = self.posts.lock().unwrap_or_else(PoisonError::into_inner);
        if lanes.len() > LANES {
            lanes.retain(|_, lane| Arc::strong_count(lane) > 1);
        }
        let new = || Arc::new(Lane::new(Bucket::full(self.rates.burst)));
        lanes.entry(channel.to_owned()).or_insert_with(new).clone()
    }
}

/// One that waits, counted until it is done or given up.
struct Waiting<'q>(&'q Gauge);

impl<'q> Waiting<'q> {
    fn of(length: &'q Gauge) -> Self {
        length.inc();
        Self(length)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// What may still be sent, as a bucket that fills with time.
struct Bucket {
    tokens: u32,
    filled: Instant,
}

impl Bucket {
    fn full(tokens: u32) -> Self {
        Self { tokens, filled: Instant::now() }
    }

    /// Waits for a token and takes it.
    async fn take(&mut self, most: u32, every: Duration) {
        // A lane may have been held into the future; then nothing was gained yet.
        let gained = self.filled.elapsed().as_nanos() / every.as_nanos().max(1);
        let gained = u32::try_from(gained).unwrap_or(u32::MAX);
        if gained >= most.saturating_sub(self.tokens) && gained > 0 {
            self.tokens = most;
            self.filled = Instant::now();
        } else {
            self.tokens += gained;
            self.filled += every * gained;
        }
        if self.tokens == 0 {
            self.filled += every;
            sleep_until(self.filled).await;
        } else {
            self.tokens -= 1;
            sleep_until(self.filled).await;
        }
    }

    /// Gives nothing out before a moment.
    fn hold_until(&mut self, until: Instant) {
        self.filled = self.filled.max(until);
    }
}

/// Slack's wait, and a little more, so that all who wait do not come back in the same moment.
fn after(wait: Duration) -> Duration {
    let spread = wait.min(Duration::from_secs(2)) / 4;
    wait + (jittered(spread) - spread)
}

#[cfg(test)]
mod tests;
