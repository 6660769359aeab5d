//! Socket Mode: an own loop, since no library's holds up in production.
//!
//! ```text
//!             apps.connections.open ─► connect ─► hello ─► connection: acknowledge, hand over ─► its end is announced
//!                      ▲                                                                           │
//!                      └── the next one comes up while the old one is still read and acknowledged ─┘
//! ```
//!
//! An envelope is acknowledged when whoever took it says so, which is at once. Two such lines run side by side, so that one
//! lost socket loses nothing. Every wait is bounded, every failure waits
//! longer than the last, and Slack's final word ends it. The address of a socket is a secret and never logged.

mod connection;
mod tunnel;

use super::api::{Api, CallError};
use crate::chat::front::Receipt;
use crate::settings::APP_TOKEN;
use connection::{Connection, End};
use hyper_util::client::proxy::matcher::Matcher;
use serde_json::Value;
use std::hash::{BuildHasher, Hasher};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout, timeout_at};
use tokio_tungstenite::tungstenite::Message as Frame;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};
use tokio_util::sync::CancellationToken;

/// How many sockets are kept open. Slack allows ten an app, over all replicas.
pub const SOCKETS: usize = 2;
/// The longest message that is read; Slack's are far smaller.
const MESSAGE_LIMIT: usize = 4 * 1024 * 1024;

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// What an envelope carries.
#[derive(Debug, Clone, PartialEq)]
pub struct Envelope {
    /// `events_api`, `slash_commands` or `interactive`.
    pub kind: String,
    pub payload: Value,
}

/// An envelope that is acknowledged when its receipt is told.
#[derive(Debug)]
pub struct Arrived {
    pub envelope: Envelope,
    pub receipt: Receipt,
}

/// Why Socket Mode ended for good: Slack's own code.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", hint(code))]
pub struct Ended {
    pub code: String,
}

fn hint(code: &str) -> String {
    match code {
        LINK_DISABLED => format!("slack ends socket mode: {code} (api.slack.com/apps → your app → Socket Mode is off)"),
        _ => format!("slack refuses {}: {code} ({})", APP_TOKEN.variable, APP_TOKEN.where_from),
    }
}

/// Socket Mode was switched off for the app.
const LINK_DISABLED: &str = "link_disabled";

/// How long everything may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timing {
    /// TCP, TLS and the WebSocket handshake together.
    pub connect: Duration,
    pub hello: Duration,
    /// One frame out.
    pub send: Duration,
    pub ping_every: Duration,
    /// Slack pings every few seconds, and we do as well: a socket that is silent for longer is dead.
    pub silence: Duration,
    /// How long an old socket is still read after its successor is up. Slack closes it about 10 s after a warning.
    pub drain: Duration,
    /// Slack does not close TCP after the close handshake: nobody waits for it longer than this.
    pub close: Duration,
    /// The first wait after a failure; each failure doubles it.
    pub backoff: Duration,
    pub backoff_most: Duration,
    /// A socket that lived this long has done well: what came before it does not count any more.
    pub settled: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            hello: Duration::from_secs(10),
            send: Duration::from_secs(5),
            ping_every: Duration::from_secs(10),
            silence: Duration::from_secs(35),
            drain: Duration::from_secs(15),
            close: Duration::from_secs(1),
            backoff: Duration::from_millis(500),
            backoff_most: Duration::from_secs(30),
            settled: Duration::from_secs(60),
        }
    }
}

/// Keeps the sockets open and hands over what they bring, until Slack refuses for good or the receiver is gone.
///
/// `ready` tells how many sockets have said hello.
///
/// # Errors
/// Slack's final word: a refused token, or Socket Mode switched off.
pub async fn run(
    api: Api,
    out: mpsc::Sender<Arrived>,
    ready: watch::Sender<usize>,
    timing: Timing,
) -> Result<(), Ended> {
    run_through(Matcher::from_system(), api, out, ready, timing).await
}

async fn run_through(
    proxies: Matcher,
    api: Api,
    out: mpsc::Sender<Arrived>,
    ready: watch::Sender<usize>,
    timing: Timing,
) -> Result<(), Ended> {
    let mut lines = JoinSet::new();
    let proxies = Arc::new(proxies);
    for number in 0..SOCKETS {
        let line = Line { api: api.clone(), out: out.clone(), ready: ready.clone(), proxies: proxies.clone(), timing };
        let mut first_is_up = ready.subscribe();
        lines.spawn(async move {
            if number > 0 {
                // After the first, so that a refused token is tried once and not twice; and not for ever after it.
                let _ = timeout(timing.hello, first_is_up.wait_for(|count| *count > 0)).await;
            }
            Box::pin(line.run()).await
        });
    }
    while let Some(end) = lines.join_next().await {
        match end {
            // Where nobody listens any more the other line closes its sockets as well.
            Ok(Ok(())) => {}
            Ok(ended) => return ended,
            Err(panic) => tracing::error!(%panic, "a socket's task failed"),
        }
    }
    Ok(())
}

/// One line of sockets, each following on the last.
struct Line {
    api: Api,
    out: mpsc::Sender<Arrived>,
    ready: watch::Sender<usize>,
    proxies: Arc<Matcher>,
    timing: Timing,
}

impl Line {
    async fn run(self) -> Result<(), Ended> {
        let mut connections: JoinSet<(u64, End)> = JoinSet::new();
        let mut retire: Option<CancellationToken> = None;
        let mut backoff = Backoff { failures: 0, timing: self.timing };
        for generation in 0_u64.. {
            let socket = {
                let connecting = self.connect(&mut backoff);
                tokio::pin!(connecting);
                loop {
                    tokio::select! {
                        socket = &mut connecting => break socket?,
                        Some(ended) = connections.join_next() => match ended.map(|(_, end)| end) {
                            Ok(End::Final(code)) => return Err(Ended { code }),
                            Ok(End::Unheard | End::Gone) | Err(_) => {}
                        },
                        () = self.out.closed() => {
                            all_closed(connections).await;
                            return Ok(());
                        }
                    }
                }
            };
            tracing::info!(generation, "a socket to slack is up");
            if let Some(old) = retire.take() {
                old.cancel();
            }
            let (announced, retired) = (CancellationToken::new(), CancellationToken::new());
            retire = Some(retired.clone());
            let born = Instant::now();
            let connection = Connection::new(socket, &self.out, &self.ready, self.timing);
            let told = announced.clone();
            connections.spawn(async move { (generation, connection.attend(told, retired).await) });
            loop {
                tokio::select! {
                    () = announced.cancelled() => break,
                    Some(ended) = connections.join_next() => match ended {
                        Ok((_, End::Final(code))) => return Err(Ended { code }),
                        Ok((_, End::Unheard)) => {
                            all_closed(connections).await;
                            return Ok(());
                        }
                        // The end of an older one is as it should be.
                        Ok((which, End::Gone)) if which < generation => {}
                        Ok((_, End::Gone)) | Err(_) => break,
                    },
                }
            }
            backoff.after_life_of(born.elapsed());
        }
        Ok(())
    }

    /// Connects until it succeeds; gives up only on Slack's final word.
    async fn connect(&self, backoff: &mut Backoff) -> Result<Socket, Ended> {
        sleep(backoff.wait()).await;
        loop {
            let wait = match self.connect_once().await {
                Ok(socket) => return Ok(socket),
                Err(Failure::Final(code)) => return Err(Ended { code }),
                Err(Failure::Wait(wait)) => jittered(wait),
                Err(Failure::Passing(cause)) => {
                    backoff.failed();
                    let wait = backoff.wait();
                    tracing::warn!(cause, wait = wait.as_secs_f32(), "cannot open a socket to slack, trying again");
                    wait
                }
            };
            sleep(wait).await;
        }
    }

    async fn connect_once(&self) -> Result<Socket, Failure> {
        let reply = self.api.call_form("apps.connections.open", &[]).await.map_err(Failure::of)?;
        let url = reply["url"].as_str().ok_or_else(|| Failure::Passing("no address in the reply".to_owned()))?;
        let mut socket = timeout(self.timing.connect, tunnel::open(url, &self.proxies))
            .await
            .map_err(|_| Failure::Passing("the handshake timed out".to_owned()))?
            // The error of the library may hold the address: only its kind is told.
            .map_err(Failure::Passing)?;
        let deadline = Instant::now() + self.timing.hello;
        loop {
            let frame = timeout_at(deadline, futures_util::StreamExt::next(&mut socket))
                .await
                .map_err(|_| Failure::Passing("no hello".to_owned()))?
                .ok_or_else(|| Failure::Passing("closed before hello".to_owned()))?
                .map_err(|error| Failure::Passing(kind_of(&error)))?;
            let Frame::Text(text) = frame else { continue };
            let frame: Value = serde_json::from_str(&text).unwrap_or_default();
            match frame["type"].as_str() {
                Some("hello") => return Ok(socket),
                Some("disconnect") => return Err(self.refused_before_hello(&frame)),
                _ => {}
            }
        }
    }

    fn refused_before_hello(&self, frame: &Value) -> Failure {
        match frame["reason"].as_str() {
            Some(LINK_DISABLED) => Failure::Final(LINK_DISABLED.to_owned()),
            // Other replicas hold all ten: one of them must go first.
            Some("too_many_websockets") => Failure::Wait(self.timing.backoff_most),
            reason => Failure::Passing(reason.unwrap_or("disconnect").to_owned()),
        }
    }
}

/// Waits until all sockets are closed, which each of them does within its time.
async fn all_closed(mut connections: JoinSet<(u64, End)>) {
    while connections.join_next().await.is_some() {}
}

/// How long to wait before the next try: nothing after a socket that lived well or for the first time, else ever longer.
struct Backoff {
    failures: u32,
    timing: Timing,
}

impl Backoff {
    fn failed(&mut self) {
        self.failures = self.failures.saturating_add(1);
    }

    /// A socket ended: Slack ends each of them every few hours, but one that ends at once is a failure as well.
    fn after_life_of(&mut self, age: Duration) {
        if age >= self.timing.settled {
            self.failures = 0;
        } else {
            self.failed();
        }
    }

    fn wait(&self) -> Duration {
        match self.failures.checked_sub(1) {
            None => Duration::ZERO,
            Some(doublings) => {
                let wait = self.timing.backoff.saturating_mul(2_u32.saturating_pow(doublings));
                jittered(wait.min(self.timing.backoff_most))
            }
        }
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

/// Codes after which trying again is of no use: those of Slack's own Node SDK, and the ones that say the same of a token.
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
            | "forbidden_team"
    )
}

fn kind_of(error: &tokio_tungstenite::tungstenite::Error) -> String {
    use tokio_tungstenite::tungstenite::Error;
    match error {
        Error::Io(error) => format!("the connection broke ({:?})", error.kind()),
        Error::Tls(_) => "TLS failed".to_owned(),
        Error::Http(response) => format!("the socket's address is refused (HTTP {})", response.status().as_u16()),
        Error::HttpFormat(_) | Error::Url(_) => "the socket's address is unusable".to_owned(),
        Error::Capacity(_) => "a message is too long".to_owned(),
        Error::Protocol(_) | Error::Utf8(_) => "the peer breaks the protocol".to_owned(),
        _ => "the socket failed".to_owned(),
    }
}

/// Spreads waits by up to a half, so that replicas do not knock together.
pub fn jittered(wait: Duration) -> Duration {
    let random = std::hash::RandomState::new().build_hasher().finish() % 500;
    wait + wait.mul_f64(f64::from(u32::try_from(random).unwrap_or(0)) / 1_000.0)
}

#[cfg(test)]
mod tests;
