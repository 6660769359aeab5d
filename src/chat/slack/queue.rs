//! The outgoing queue: one lane a channel, its order kept, Slack's pace kept, the latest edit wins.
//!
//! Slack lets about one message a second into a channel, with short bursts, and asks to wait by 429. Waiting happens in
//! the lane, so what comes later stays later; other channels go on.

use super::api::CallError;
use super::socket::jittered;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{Mutex as Lane, MutexGuard};
use tokio::time::{Instant, sleep, sleep_until};

/// How many messages a channel may get at once before the pace counts: a parent, its thread, and another answer.
const BURST: u32 = 8;
const PACE: Duration = Duration::from_secs(1);
/// The longest that one message is held back by 429s before it is given up.
const PATIENCE: Duration = Duration::from_secs(90);
/// Lanes that are not used are forgotten when there are more than this.
const LANES: usize = 1_000;

/// The lanes of all channels.
#[derive(Default)]
pub struct Queue {
    lanes: Mutex<HashMap<String, Arc<Lane<Pace>>>>,
    /// The number of the newest edit of each message that waits.
    edits: Mutex<HashMap<(String, String), u64>>,
}

/// What a lane may still send, as a bucket that fills with time.
pub struct Pace {
    tokens: u32,
    filled: Instant,
}

impl Default for Pace {
    fn default() -> Self {
        Self { tokens: BURST, filled: Instant::now() }
    }
}

impl Pace {
    async fn wait(&mut self) {
        let gained = u32::try_from(self.filled.elapsed().as_secs()).unwrap_or(BURST);
        if gained > 0 {
            self.tokens = self.tokens.saturating_add(gained).min(BURST);
            self.filled += PACE * gained;
        }
        if self.tokens == 0 {
            sleep_until(self.filled + PACE).await;
            self.filled += PACE;
        } else {
            self.tokens -= 1;
        }
    }
}

impl Queue {
    /// Sends something to a channel in its turn; `call` is repeated only where Slack asked to wait.
    ///
    /// # Errors
    /// What the call says, or that Slack kept asking to wait.
    pub async fn send<T, F, Fut>(&self, channel: &str, call: F) -> Result<T, CallError>
    where
        F: Fn() -> Fut,
        Fut: Future<Output = Result<T, CallError>>,
    {
        let lane = self.lane(channel);
        let mut pace = lane.lock().await;
        Self::in_lane(&mut pace, &call).await
    }

    /// Sends an edit in its turn, unless a newer one of the same message waits behind it.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub async fn edit<F, Fut>(&self, channel: &str, message: &str, call: F) -> Result<(), CallError>
    where
        F: Fn() -> Fut,
        Fut: Future<Output = Result<(), CallError>>,
    {
        let key = (channel.to_owned(), message.to_owned());
        let number = {
            let mut edits = self.edits.lock().unwrap_or_else(PoisonError::into_inner);
            let number = edits.entry(key.clone()).or_default();
            *number += 1;
            *number
        };
        let lane = self.lane(channel);
        let mut pace = lane.lock().await;
        {
            let mut edits = self.edits.lock().unwrap_or_else(PoisonError::into_inner);
            if edits.get(&key).is_some_and(|newest| *newest != number) {
                return Ok(());
            }
            edits.remove(&key);
        }
        Self::in_lane(&mut pace, &call).await
    }

    async fn in_lane<T, F, Fut>(pace: &mut MutexGuard<'_, Pace>, call: &F) -> Result<T, CallError>
    where
        F: Fn() -> Fut,
        Fut: Future<Output = Result<T, CallError>>,
    {
        let give_up = Instant::now() + PATIENCE;
        loop {
            pace.wait().await;
            match call().await {
                Err(CallError::RateLimited(wait)) if Instant::now() + wait < give_up => sleep(jittered(wait)).await,
                outcome => return outcome,
            }
        }
    }

    fn lane(&self, channel: &str) -> Arc<Lane<Pace>> {
        let mut lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        if lanes.len() > LANES {
            lanes.retain(|_, lane| Arc::strong_count(lane) > 1);
        }
        lanes.entry(channel.to_owned()).or_default().clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[tokio::test(start_paused = true)]
    async fn a_burst_goes_at_once_and_then_one_a_second() {
        let queue = Queue::default();
        let start = Instant::now();
        for _ in 0..(BURST + 3) {
            queue.send("C1", || async { Ok::<_, CallError>(()) }).await.unwrap();
        }
        let took = start.elapsed();
        assert!(took >= Duration::from_secs(3) && took < Duration::from_secs(4), "{took:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn order_is_kept_while_slack_asks_to_wait() {
        let queue = Arc::new(Queue::default());
        let sent = Arc::new(Mutex::new(Vec::new()));
        let refusals = Arc::new(AtomicUsize::new(2));
        let mut tasks = Vec::new();
        for n in 0..3 {
            let (queue, sent, refusals) = (queue.clone(), sent.clone(), refusals.clone());
            tasks.push(tokio::spawn(async move {
                queue
                    .send("C1", || async {
                        if refusals.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok()
                        {
                            return Err(CallError::RateLimited(Duration::from_secs(5)));
                        }
                        sent.lock().unwrap().push(n);
                        Ok(())
                    })
                    .await
            }));
            tokio::task::yield_now().await;
        }
        for task in tasks {
            task.await.unwrap().unwrap();
        }
        assert_eq!(*sent.lock().unwrap(), [0, 1, 2]);
    }

    #[tokio::test(start_paused = true)]
    async fn of_edits_that_wait_only_the_last_is_sent() {
        let queue = Arc::new(Queue::default());
        let sent = Arc::new(Mutex::new(Vec::new()));
        let held = {
            let queue = queue.clone();
            tokio::spawn(async move {
                queue
                    .send("C1", || async {
                        sleep(Duration::from_secs(2)).await;
                        Ok(())
                    })
                    .await
            })
        };
        tokio::task::yield_now().await;
        let mut tasks = Vec::new();
        for n in 0..5 {
            let (queue, sent) = (queue.clone(), sent.clone());
            tasks.push(tokio::spawn(async move {
                queue
                    .edit("C1", "1.1", || async {
                        sent.lock().unwrap().push(n);
                        Ok(())
                    })
                    .await
            }));
            tokio::task::yield_now().await;
        }
        held.await.unwrap().unwrap();
        for task in tasks {
            task.await.unwrap().unwrap();
        }
        assert_eq!(*sent.lock().unwrap(), [4]);
    }

    #[tokio::test(start_paused = true)]
    async fn what_may_have_been_done_is_not_repeated() {
        let queue = Queue::default();
        let calls = AtomicUsize::new(0);
        let outcome: Result<(), _> = queue
            .send("C1", || async {
                calls.fetch_add(1, Ordering::SeqCst);
                Err(CallError::Unknown("lost".into()))
            })
            .await;
        assert_eq!((outcome, calls.load(Ordering::SeqCst)), (Err(CallError::Unknown("lost".into())), 1));
    }
}
