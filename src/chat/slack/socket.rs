//! Socket Mode: an own loop, since no library's holds up in production.
//!
//! ```text
//! apps.connections.open ─► connect ─► hello ─► read: ack at once, hand over ─► disconnect announced
//!        ▲                                                                        │
//!        └──────────── the next connection comes up while the old one is still read and acknowledged
//! ```
//!
//! Two such lines run side by side, so that one lost socket loses nothing. Every wait is bounded. What cannot be read is
//! acknowledged as well: Slack would only send it again. The address of a socket is a secret and never logged.

use super::api::{Api, CallError};
use futures_util::{SinkExt, StreamExt};
use serde_json::Value;
use std::hash::{BuildHasher, Hasher};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep, timeout};
use tokio_tungstenite::tungstenite::Message as Frame;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

/// How many sockets are kept open. Slack allows ten an app, over all replicas.
pub const SOCKETS: usize = 2;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const HELLO_TIMEOUT: Duration = Duration::from_secs(10);
const SEND_TIMEOUT: Duration = Duration::from_secs(5);
/// Slack pings every few seconds; we do as well, and a socket that is silent for longer is dead.
const PING_EVERY: Duration = Duration::from_secs(10);
const SILENCE: Duration = Duration::from_secs(35);
/// How long an old socket is still read after its successor is up.
const DRAIN: Duration = Duration::from_secs(15);
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);
const BACKOFF: Duration = Duration::from_millis(500);
const BACKOFF_MOST: Duration = Duration::from_secs(30);

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// What an envelope carries; it is acknowledged already.
#[derive(Debug, Clone, PartialEq)]
pub struct Envelope {
    /// `events_api`, `slash_commands` or `interactive`.
    pub kind: String,
    pub payload: Value,
}

/// Why Socket Mode ended for good: Slack's own code.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("slack ends socket mode: {code}")]
pub struct Ended {
    pub code: String,
}

/// Keeps the sockets open and hands over what they bring, until Slack refuses for good or the receiver is gone.
///
/// `ready` tells how many sockets have said hello.
///
/// # Errors
/// Slack's final word: a refused token, or Socket Mode switched off.
pub async fn run(api: Api, out: mpsc::Sender<Envelope>, ready: watch::Sender<usize>) -> Result<(), Ended> {
    let mut lines = tokio::task::JoinSet::new();
    for number in 0..SOCKETS {
        let line = Line { api: api.clone(), out: out.clone(), ready: ready.clone() };
        // The second waits for the first, so that a refused token is tried once and not twice.
        let start_after = Duration::from_millis(250) * u32::try_from(number).unwrap_or(0);
        lines.spawn(async move {
            sleep(start_after).await;
            Box::pin(line.run()).await
        });
    }
    while let Some(end) = lines.join_next().await {
        match end {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(ended)) => return Err(ended),
            Err(panic) => tracing::error!(%panic, "a socket's task failed"),
        }
    }
    Ok(())
}

/// One line of sockets, each following on the last.
struct Line {
    api: Api,
    out: mpsc::Sender<Envelope>,
    ready: watch::Sender<usize>,
}

/// A socket that has said hello; counts as ready while it lives.
struct Live {
    socket: Socket,
    ready: watch::Sender<usize>,
}

impl Live {
    fn new(socket: Socket, ready: &watch::Sender<usize>) -> Self {
        ready.send_modify(|count| *count += 1);
        Self { socket, ready: ready.clone() }
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.ready.send_modify(|count| *count = count.saturating_sub(1));
    }
}

/// How a socket came to its end.
enum Closing {
    /// Slack announced it: the socket still works for a while.
    Announced,
    /// It is gone.
    Gone,
    /// Nobody listens any more.
    Unheard,
}

impl Line {
    async fn run(&self) -> Result<(), Ended> {
        let mut live = self.connect().await?;
        loop {
            match self.read(&mut live, None).await? {
                Closing::Unheard => return Ok(()),
                Closing::Gone => {
                    drop(live);
                    live = self.connect().await?;
                }
                Closing::Announced => {
                    // New before old: the old one is read and acknowledged until the new one has said hello, and after.
                    let next = {
                        let connect = self.connect();
                        tokio::pin!(connect);
                        loop {
                            tokio::select! {
                                next = &mut connect => break next?,
                                closing = self.read(&mut live, None) => match closing? {
                                    Closing::Announced => {}
                                    Closing::Unheard => return Ok(()),
                                    Closing::Gone => break connect.await?,
                                },
                            }
                        }
                    };
                    let old = std::mem::replace(&mut live, next);
                    let line = Self { api: self.api.clone(), out: self.out.clone(), ready: self.ready.clone() };
                    tokio::spawn(async move { line.drain(old).await });
                }
            }
        }
    }

    /// Reads an old socket until Slack closes it, or for a while, and closes it without waiting for long.
    async fn drain(&self, mut old: Live) {
        let end = Instant::now() + DRAIN;
        while let Ok(Closing::Announced) = self.read(&mut old, Some(end)).await {
            if Instant::now() >= end {
                break;
            }
        }
        // Slack does not close TCP after the close handshake: do not wait for it.
        let _ = timeout(CLOSE_TIMEOUT, old.socket.close(None)).await;
    }

    /// Connects until it succeeds; gives up only on Slack's final word.
    async fn connect(&self) -> Result<Live, Ended> {
        let mut backoff = BACKOFF;
        loop {
            let wait = match self.connect_once().await {
                Ok(socket) => return Ok(Live::new(socket, &self.ready)),
                Err(Failure::Final(code)) => return Err(Ended { code }),
                Err(Failure::Wait(wait)) => wait,
                Err(Failure::Passing(cause)) => {
                    tracing::warn!(cause, "cannot open a socket to slack, trying again");
                    let wait = backoff;
                    backoff = (backoff * 2).min(BACKOFF_MOST);
                    wait
                }
            };
            sleep(jittered(wait)).await;
        }
    }

    async fn connect_once(&self) -> Result<Socket, Failure> {
        let reply = self.api.call_form("apps.connections.open", &[]).await.map_err(Failure::of)?;
        let url = reply["url"].as_str().ok_or_else(|| Failure::Passing("no address in the reply".to_owned()))?;
        let connect = tokio_tungstenite::connect_async_with_config(url, None, true);
        let (mut socket, _) = timeout(CONNECT_TIMEOUT, connect)
            .await
            .map_err(|_| Failure::Passing("the handshake timed out".to_owned()))?
            // The error may hold the address: only its kind is told.
            .map_err(|error| Failure::Passing(kind_of(&error).to_owned()))?;
        let deadline = Instant::now() + HELLO_TIMEOUT;
        loop {
            let frame = tokio::time::timeout_at(deadline, socket.next())
                .await
                .map_err(|_| Failure::Passing("no hello".to_owned()))?
                .ok_or_else(|| Failure::Passing("closed before hello".to_owned()))?
                .map_err(|error| Failure::Passing(kind_of(&error).to_owned()))?;
            let Frame::Text(text) = frame else { continue };
            let frame: Value = serde_json::from_str(&text).unwrap_or_default();
            match frame["type"].as_str() {
                Some("hello") => return Ok(socket),
                Some("disconnect") => return Err(disconnect(&frame)),
                _ => {}
            }
        }
    }

    /// Reads a socket until it ends, its end is announced, or a moment has come.
    async fn read(&self, live: &mut Live, until: Option<Instant>) -> Result<Closing, Ended> {
        let mut heard = Instant::now();
        let mut ping = tokio::time::interval(PING_EVERY);
        ping.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        ping.tick().await;
        loop {
            let ends = until.unwrap_or_else(|| Instant::now() + Duration::from_secs(3600));
            tokio::select! {
                biased;
                () = tokio::time::sleep_until(ends) => return Ok(Closing::Announced),
                frame = live.socket.next() => {
                    heard = Instant::now();
                    match frame {
                        Some(Ok(Frame::Text(text))) => {
                            if let Some(closing) = self.frame(live, &text).await? {
                                return Ok(closing);
                            }
                        }
                        Some(Ok(Frame::Ping(data))) => {
                            if !send(&mut live.socket, Frame::Pong(data)).await {
                                return Ok(Closing::Gone);
                            }
                        }
                        Some(Ok(Frame::Close(_)) | Err(_)) | None => return Ok(Closing::Gone),
                        Some(Ok(_)) => {}
                    }
                }
                _ = ping.tick() => {
                    if heard.elapsed() > SILENCE || !send(&mut live.socket, Frame::Ping(Vec::new().into())).await {
                        return Ok(Closing::Gone);
                    }
                }
                () = self.out.closed() => return Ok(Closing::Unheard),
            }
        }
    }

    /// Acknowledges an envelope and hands it over.
    async fn frame(&self, live: &mut Live, text: &str) -> Result<Option<Closing>, Ended> {
        let Ok(mut frame) = serde_json::from_str::<Value>(text) else { return Ok(None) };
        if frame["type"].as_str() == Some("disconnect") {
            return match disconnect(&frame) {
                Failure::Final(code) => Err(Ended { code }),
                _ => Ok(Some(Closing::Announced)),
            };
        }
        let Some(id) = frame["envelope_id"].as_str() else { return Ok(None) };
        let ack = serde_json::json!({"envelope_id": id}).to_string();
        let kind = frame["type"].as_str().unwrap_or_default().to_owned();
        let Ok(place) = self.out.try_reserve() else {
            // Too much at once. An event that is not acknowledged comes again; a command would only fail for the person.
            tracing::warn!(kind, "more comes in than can be handled");
            if kind != "events_api" && !send(&mut live.socket, Frame::text(ack)).await {
                return Ok(Some(Closing::Gone));
            }
            return Ok(None);
        };
        if !send(&mut live.socket, Frame::text(ack)).await {
            // Not acknowledged: Slack will send an event again, and it is handled then.
            return Ok(Some(Closing::Gone));
        }
        place.send(Envelope { kind, payload: frame["payload"].take() });
        Ok(None)
    }
}

enum Failure {
    Final(String),
    Wait(Duration),
    Passing(String),
}

impl Failure {
    fn of(error: CallError) -> Self {
        match error {
            CallError::RateLimited(wait) => Self::Wait(wait),
            CallError::Refused { code, .. } if is_final(&code) => Self::Final(code),
            CallError::Refused { code, .. } => Self::Passing(code),
            CallError::NotSent(cause) | CallError::Unknown(cause) => Self::Passing(cause),
        }
    }
}

fn disconnect(frame: &Value) -> Failure {
    match frame["reason"].as_str() {
        Some("link_disabled") => Failure::Final("link_disabled: Socket Mode is switched off for the app".to_owned()),
        Some("too_many_websockets") => Failure::Wait(BACKOFF_MOST),
        reason => Failure::Passing(reason.unwrap_or("disconnect").to_owned()),
    }
}

/// Codes after which trying again is of no use (as Slack's own Node SDK has them).
pub fn is_final(code: &str) -> bool {
    matches!(
        code,
        "not_authed"
            | "invalid_auth"
            | "account_inactive"
            | "user_removed_from_team"
            | "team_disabled"
            | "token_revoked"
            | "token_expired"
            | "not_allowed_token_type"
            | "missing_scope"
            | "org_login_required"
    )
}

async fn send(socket: &mut Socket, frame: Frame) -> bool {
    matches!(timeout(SEND_TIMEOUT, socket.send(frame)).await, Ok(Ok(())))
}

fn kind_of(error: &tokio_tungstenite::tungstenite::Error) -> &'static str {
    use tokio_tungstenite::tungstenite::Error;
    match error {
        Error::Io(_) => "the connection broke",
        Error::Tls(_) => "TLS failed",
        Error::Http(_) | Error::HttpFormat(_) => "the socket's address is refused",
        Error::Url(_) => "the socket's address is unusable",
        _ => "the socket failed",
    }
}

/// Spreads waits by up to a half, so that replicas do not knock together.
pub fn jittered(wait: Duration) -> Duration {
    let random = std::hash::RandomState::new().build_hasher().finish() % 500;
    wait + wait.mul_f64(f64::from(u32::try_from(random).unwrap_or(0)) / 1_000.0)
}
