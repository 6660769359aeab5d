//! The queue under its own clock: short paces, so that the tests take no longer than what they show.

use super::*;
use std::sync::atomic::AtomicUsize;
use tokio::sync::Notify;
use tokio::time::timeout;

const PACE: Duration = Duration::from_millis(60);

fn rates() -> Rates {
    Rates { burst: 3, pace: PACE, edit_burst: 2, edit_pace: PACE, patience: Duration::from_secs(5) }
}

fn queue() -> Arc<Queue> {
    Arc::new(Queue::new(rates()))
}

async fn ok() -> Result<(), CallError> {
    Ok(())
}

#[test]
fn slacks_limits_hold_in_any_minute() {
    let rates = Rates::default();
    let edits = 60_000 / u32::try_from(rates.edit_pace.as_millis()).unwrap() + rates.edit_burst;
    assert!(edits <= 50, "{edits} edits in a minute, of 50 that tier 3 promises");
    assert!(rates.pace >= Duration::from_secs(1));
}

#[tokio::test]
async fn a_burst_goes_at_once_and_then_at_a_pace() {
    let queue = queue();
    let start = Instant::now();
    for _ in 0..3 {
        queue.send("C1", ok).await.unwrap();
    }
    assert!(start.elapsed() < PACE, "{:?}", start.elapsed());
    for _ in 0..3 {
        queue.send("C1", ok).await.unwrap();
    }
    assert!(start.elapsed() >= PACE * 3 - Duration::from_millis(2), "{:?}", start.elapsed());
}

#[tokio::test]
async fn order_is_kept_while_slack_asks_to_wait_and_other_channels_go_on() {
    let queue = queue();
    let sent = Arc::new(Mutex::new(Vec::new()));
    let refusals = Arc::new(AtomicUsize::new(2));
    let refused = Arc::new(Notify::new());
    let mut tasks = Vec::new();
    for n in 0..3 {
        let (queue, sent, refusals, told) = (queue.clone(), sent.clone(), refusals.clone(), refused.clone());
        tasks.push(tokio::spawn(async move {
            let call = || async {
                if refusals.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok() {
                    told.notify_one();
                    return Err(CallError::RateLimited(PACE * 2));
                }
                sent.lock().unwrap().push(n);
                Ok(())
            };
            queue.send("C1", call).await
        }));
        tokio::task::yield_now().await;
    }
    timeout(Duration::from_secs(5), refused.notified()).await.unwrap();
    let start = Instant::now();
    queue.send("C2", ok).await.unwrap();
    assert!(start.elapsed() < PACE, "another channel waited {:?}", start.elapsed());
    for task in tasks {
        task.await.unwrap().unwrap();
    }
    assert_eq!(*sent.lock().unwrap(), [0, 1, 2]);
}

#[tokio::test]
async fn of_edits_that_wait_only_the_last_is_sent_and_posts_pass_them() {
    let queue = queue();
    let sent = Arc::new(Mutex::new(Vec::new()));
    let (started, release) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let held = {
        let (queue, started, release) = (queue.clone(), started.clone(), release.clone());
        tokio::spawn(async move {
            let call = || async {
                started.notify_one();
                release.notified().await;
                Ok(())
            };
            queue.edit("C1", "1.1", call).await
        })
    };
    timeout(Duration::from_secs(5), started.notified()).await.unwrap();
    let mut tasks = Vec::new();
    for n in 0..5 {
        let (queue, sent) = (queue.clone(), sent.clone());
        tasks.push(tokio::spawn(async move {
            let call = || async {
                sent.lock().unwrap().push(n);
                Ok(())
            };
            queue.edit("C1", "1.1", call).await
        }));
        tokio::task::yield_now().await;
    }
    timeout(Duration::from_secs(5), queue.send("C1", ok)).await.expect("a post waits for no edit").unwrap();
    release.notify_one();
    held.await.unwrap().unwrap();
    for task in tasks {
        task.await.unwrap().unwrap();
    }
    assert_eq!(*sent.lock().unwrap(), [4]);
}

#[tokio::test]
async fn edits_of_many_messages_share_one_pace() {
    let queue = queue();
    let start = Instant::now();
    let edits = (0..6).map(|n| {
        let queue = queue.clone();
        tokio::spawn(async move { queue.edit(&format!("C{n}"), "1.1", ok).await })
    });
    for edit in edits.collect::<Vec<_>>() {
        edit.await.unwrap().unwrap();
    }
    assert!(start.elapsed() >= PACE * 4 - Duration::from_millis(2), "{:?}", start.elapsed());
}

#[tokio::test]
async fn a_refused_edit_is_repeated_after_the_wait_that_slack_asked_for() {
    let queue = queue();
    let calls = AtomicUsize::new(0);
    let start = Instant::now();
    let call = || async {
        if calls.fetch_add(1, Ordering::SeqCst) == 0 { Err(CallError::RateLimited(PACE * 3)) } else { Ok(()) }
    };
    queue.edit("C1", "1.1", call).await.unwrap();
    assert_eq!(calls.load(Ordering::SeqCst), 2);
    assert!(start.elapsed() >= PACE * 3, "{:?}", start.elapsed());
}

#[tokio::test]
async fn what_may_have_been_done_is_not_repeated() {
    let queue = queue();
    let calls = AtomicUsize::new(0);
    let outcome: Result<(), _> = queue
        .send("C1", || async {
            calls.fetch_add(1, Ordering::SeqCst);
            Err(CallError::Unknown("lost".into()))
        })
        .await;
    assert_eq!((outcome, calls.load(Ordering::SeqCst)), (Err(CallError::Unknown("lost".into())), 1));
}

#[tokio::test]
async fn a_wait_beyond_all_patience_is_told_and_not_waited_for() {
    let queue = queue();
    let wait = Duration::from_secs(600);
    let outcome: Result<(), _> = queue.send("C1", || async { Err(CallError::RateLimited(wait)) }).await;
    assert_eq!(outcome, Err(CallError::RateLimited(wait)));
}
