//! One socket that has said hello, read until it ends: every envelope is handed over, and acknowledged when it was taken.
//!
//! Reading goes on meanwhile. What cannot be read is acknowledged as well: Slack would only send it again.

use super::{Arrived, Envelope, Frame, LINK_DISABLED, Socket, Timing};
use crate::chat::front::Receipt;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, SinkExt, StreamExt};
use serde_json::Value;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

/// A socket, counted as ready while it lives.
pub struct Connection {
    socket: Socket,
    out: mpsc::Sender<Arrived>,
    /// What was handed over and is not acknowledged yet; each comes to its id when it was taken.
    open: FuturesUnordered<BoxFuture<'static, Option<String>>>,
    timing: Timing,
    _ready: Ready,
}

/// How a socket came to its end.
#[derive(Debug, PartialEq, Eq)]
pub enum End {
    /// Closed, broken, silent, or retired.
    Gone,
    /// Nobody listens any more.
    Unheard,
    /// Slack's final word.
    Final(String),
}

/// What a frame means for the socket.
enum Then {
    ReadOn,
    Retires,
    Ends(End),
}

struct Ready(watch::Sender<usize>);

impl Drop for Ready {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count = count.saturating_sub(1));
    }
}

impl Connection {
    /// Takes over a socket that has said hello.
    pub fn new(socket: Socket, out: &mpsc::Sender<Arrived>, ready: &watch::Sender<usize>, timing: Timing) -> Self {
        ready.send_modify(|count| *count += 1);
        Self { socket, out: out.clone(), open: FuturesUnordered::new(), timing, _ready: Ready(ready.clone()) }
    }

    /// Reads and acknowledges until the end. `announced` is cancelled when Slack says that the end is near; `retired` is to
    /// be cancelled when a successor is up: from then on the socket is read for a while only.
    pub async fn attend(mut self, announced: CancellationToken, retired: CancellationToken) -> End {
        let mut heard = Instant::now();
        let mut retires_at: Option<Instant> = None;
        let mut ping = interval_at(heard + self.timing.ping_every, self.timing.ping_every);
        ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let end = loop {
            let then = tokio::select! {
                biased;
                Some(taken) = self.open.next() => self.acknowledge(taken).await,
                frame = self.socket.next() => {
                    heard = Instant::now();
                    match frame {
                        Some(Ok(Frame::Text(text))) => self.text(&text).await,
                        Some(Ok(Frame::Ping(data))) => self.send(Frame::Pong(data)).await,
                        Some(Ok(Frame::Close(_)) | Err(_)) | None => Then::Ends(End::Gone),
                        Some(Ok(_)) => Then::ReadOn,
                    }
                }
                () = self.out.closed() => Then::Ends(End::Unheard),
                () = retired.cancelled(), if retires_at.is_none() => {
                    retires_at = Some(Instant::now() + self.timing.drain);
                    Then::ReadOn
                }
                () = sleep_until(retires_at.unwrap_or(heard + self.timing.silence)) => match retires_at {
                    Some(_) => Then::Ends(End::Gone),
                    None => {
                        tracing::warn!("a socket to slack is silent, giving it up");
                        Then::Ends(End::Gone)
                    }
                },
                _ = ping.tick() => self.send(Frame::Ping(Vec::new().into())).await,
            };
            match then {
                Then::ReadOn => {}
                Then::Retires => announced.cancel(),
                Then::Ends(end) => break end,
            }
        };
        let _ = timeout(self.timing.close, self.acknowledge_all()).await;
        // Tells Slack to send nothing here any more; it does not close TCP afterwards, so nobody waits for that.
        let _ = timeout(self.timing.close, self.socket.close(None)).await;
        end
    }

    async fn text(&mut self, text: &str) -> Then {
        let Ok(mut frame) = serde_json::from_str::<Value>(text) else {
            tracing::warn!(length = text.len(), "slack sends what is no JSON");
            return match envelope_id(text) {
                Some(id) => self.send(acknowledgement(id)).await,
                None => Then::ReadOn,
            };
        };
        if frame["type"].as_str() == Some("disconnect") {
            return match frame["reason"].as_str() {
                Some(LINK_DISABLED) => Then::Ends(End::Final(LINK_DISABLED.to_owned())),
                reason => {
                    tracing::info!(reason, "slack announces the end of a socket");
                    Then::Retires
                }
            };
        }
        let Some(id) = frame["envelope_id"].as_str() else { return Then::ReadOn };
        let kind = frame["type"].as_str().unwrap_or_default().to_owned();
        let Ok(place) = self.out.clone().try_reserve_owned() else {
            // Not acknowledged, so that nothing is lost in silence: an event comes again, and whoever typed a command or
            // pressed a button is told by Slack that it failed.
            tracing::warn!(kind, "more comes in than can be handled");
            return Then::ReadOn;
        };
        let id = id.to_owned();
        let (receipt, taken) = Receipt::new();
        place.send(Arrived { envelope: Envelope { kind, payload: frame["payload"].take() }, receipt });
        self.open.push(async move { taken.await.is_ok().then_some(id) }.boxed());
        Then::ReadOn
    }

    /// Acknowledges what was taken; `None` = it was not, and comes again.
    async fn acknowledge(&mut self, taken: Option<String>) -> Then {
        match taken {
            Some(id) => self.send(acknowledgement(&id)).await,
            None => Then::ReadOn,
        }
    }

    /// Acknowledges what was read last, as it is taken.
    async fn acknowledge_all(&mut self) {
        while let Some(taken) = self.open.next().await {
            if let Then::Ends(_) = self.acknowledge(taken).await {
                return;
            }
        }
    }

    async fn send(&mut self, frame: Frame) -> Then {
        match timeout(self.timing.send, self.socket.send(frame)).await {
            Ok(Ok(())) => Then::ReadOn,
            Ok(Err(_)) | Err(_) => Then::Ends(End::Gone),
        }
    }
}

fn acknowledgement(id: &str) -> Frame {
    Frame::text(serde_json::json!({"envelope_id": id}).to_string())
}

/// Finds the id in an envelope that cannot be parsed (cut off, or nested too deep).
fn envelope_id(text: &str) -> Option<&str> {
    let (_, rest) = text.split_once("\"envelope_id\"")?;
    let rest = rest.trim_start().strip_prefix(':')?.trim_start().strip_prefix('"')?;
    let id = &rest[..rest.find('"')?];
    id.chars().all(|c| c.is_ascii_alphanumeric() || c == '-').then_some(id)
}
