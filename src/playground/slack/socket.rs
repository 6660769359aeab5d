//! Socket Mode: tickets, hello, envelopes and their acknowledgements, pings, and the ways a socket ends.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use axum::Router;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep_until};

use super::deliver::{Kind, Retry};
use super::faults::DisconnectReason;
use super::{Workspace, ids};

/// Slack lets an app have ten.
const MOST: usize = 10;
/// How long before its end a socket is warned.
const WARNING: Duration = Duration::from_secs(10);
/// What `debug_reconnects=true` shortens a socket's life to.
const DEBUG_TIME: Duration = Duration::from_secs(360);
/// How long a socket is still read after it was told to go.
const GRACE: Duration = Duration::from_secs(10);

/// The open sockets and what waits for an acknowledgement.
#[derive(Default)]
pub struct Sockets {
    tickets: BTreeSet<String>,
    open: BTreeMap<u64, Socket>,
    waiting: BTreeMap<String, Waiting>,
    opened: u64,
    /// How many sockets to come say no hello.
    pub mute_hellos: u32,
    /// How many payloads to come go to a socket that was told to go, though there is another.
    pub late: u32,
}

struct Socket {
    orders: mpsc::UnboundedSender<Order>,
    /// Has said hello.
    ready: bool,
    /// Was told to go; gets envelopes only where there is no other.
    leaving: bool,
}

struct Waiting {
    connection: u64,
    ack: oneshot::Sender<Option<Value>>,
}

/// What a connection's task is told to do.
enum Order {
    Send(String),
    Silence(Duration),
    Close(Duration),
    Cut,
}

#[derive(Deserialize)]
struct Link {
    ticket: String,
    #[serde(default)]
    debug_reconnects: bool,
}

impl Sockets {
    /// Makes a ticket good for one connection.
    pub fn ticket(&mut self) -> String {
        let ticket = ids::uuid();
        self.tickets.insert(ticket.clone());
        ticket
    }

    /// Picks a socket, in no pattern.
    pub fn pick(&mut self) -> Option<u64> {
        let ready = |leaving: bool| {
            let fits = move |socket: &Socket| socket.ready && socket.leaving == leaving;
            self.open.iter().filter(move |(_, socket)| fits(socket)).map(|(id, _)| *id).collect::<Vec<_>>()
        };
        let (staying, leaving) = (ready(false), ready(true));
        let late = self.late > 0 && !leaving.is_empty();
        let candidates = if staying.is_empty() || late { leaving } else { staying };
        self.late -= u32::from(late);
        let dice = u64::from_str_radix(&ids::random_hex()[..8], 16).unwrap_or(0);
        let index = usize::try_from(dice).unwrap_or(0) % candidates.len().max(1);
        candidates.get(index).copied()
    }

    /// Sends an envelope and returns where its acknowledgement will come out.
    pub fn send(
        &mut self,
        connection: u64,
        id: &str,
        kind: Kind,
        payload: &Value,
        retry: Retry,
    ) -> oneshot::Receiver<Option<Value>> {
        let mut envelope = json!({
            "envelope_id": id, "type": kind.envelope(), "payload": payload,
            "accepts_response_payload": kind != Kind::Event,
        });
        if kind == Kind::Event {
            envelope["retry_attempt"] = json!(retry.attempt);
            envelope["retry_reason"] = json!(retry.reason.unwrap_or(""));
        }
        let (ack, answer) = oneshot::channel();
        self.waiting.insert(id.to_owned(), Waiting { connection, ack });
        self.order(connection, Order::Send(envelope.to_string()));
        answer
    }

    /// Waits no longer for an acknowledgement.
    pub fn forget(&mut self, id: &str) {
        self.waiting.remove(id);
    }

    fn order(&self, connection: u64, order: Order) {
        if let Some(socket) = self.open.get(&connection) {
            // A task that has ended takes its entry away itself.
            let _ = socket.orders.send(order);
        }
    }

    fn order_all(&self, order: impl Fn() -> Order) {
        self.open.keys().for_each(|connection| self.order(*connection, order()));
    }

    fn admit(&mut self) -> Option<(u64, mpsc::UnboundedReceiver<Order>)> {
        if self.open.len() >= MOST {
            return None;
        }
        self.opened += 1;
        let (orders, inbox) = mpsc::unbounded_channel();
        self.open.insert(self.opened, Socket { orders, ready: false, leaving: false });
        Some((self.opened, inbox))
    }

    fn gone(&mut self, connection: u64) {
        self.open.remove(&connection);
        self.waiting.retain(|_, waiting| waiting.connection != connection);
    }
}

impl Workspace {
    /// Returns how many sockets have said hello and were not told to go.
    pub fn open_sockets(&self) -> usize {
        self.sockets().open.values().filter(|socket| socket.ready && !socket.leaving).count()
    }

    /// Cuts every socket, without a word.
    pub fn drop_sockets(&self) {
        self.sockets().order_all(|| Order::Cut);
    }

    /// Neither reads from nor writes to the open sockets for a while, and keeps them open.
    pub fn silence_sockets(&self, time: Duration) {
        self.sockets().order_all(|| Order::Silence(time));
    }

    /// Lets the next sockets open without ever saying hello.
    pub fn mute_hellos(&self, sockets: u32) {
        self.sockets().mute_hellos = sockets;
    }

    /// Sends the next payloads to a socket that was told to go, while it still stands.
    pub fn late_payloads(&self, payloads: u32) {
        self.sockets().late = payloads;
    }

    /// Sends every socket a `disconnect`. Unless it is a warning, they are closed: at once when Socket Mode was
    /// switched off, else after they had time to finish.
    pub fn disconnect(&self, reason: DisconnectReason) {
        let mut sockets = self.sockets();
        let text = disconnect(reason);
        sockets.order_all(|| Order::Send(text.clone()));
        match reason {
            DisconnectReason::Warning => return,
            DisconnectReason::LinkDisabled => sockets.order_all(|| Order::Close(Duration::ZERO)),
            _ => sockets.order_all(|| Order::Close(GRACE)),
        }
        sockets.open.values_mut().for_each(|socket| socket.leaving = true);
    }

    /// Returns the address of a fresh socket.
    pub(super) fn socket_url(&self) -> String {
        let ticket = self.sockets().ticket();
        let base = self.base_url().replacen("http", "ws", 1);
        format!("{base}/link/?ticket={ticket}&app_id={}", ids::APP)
    }
}

pub fn router() -> Router<Workspace> {
    Router::new().route("/link/", get(link)).route("/link", get(link))
}

async fn link(State(workspace): State<Workspace>, Query(link): Query<Link>, upgrade: WebSocketUpgrade) -> Response {
    if !workspace.sockets().tickets.remove(&link.ticket) {
        return (StatusCode::NOT_FOUND, "invalid or used ticket").into_response();
    }
    let lifetime = if link.debug_reconnects { DEBUG_TIME } else { workspace.config().connection_time };
    upgrade.on_upgrade(move |socket| connection(workspace, socket, lifetime))
}

async fn connection(workspace: Workspace, mut socket: WebSocket, lifetime: Duration) {
    let admitted = workspace.sockets().admit();
    let Some((id, mut orders)) = admitted else {
        let _ = socket.send(Message::text(disconnect(DisconnectReason::TooManyWebsockets))).await;
        let _ = socket.send(Message::Close(None)).await;
        return;
    };
    if greet(&workspace, id, &mut socket, lifetime).await {
        attend(&workspace, &mut socket, &mut orders, lifetime).await;
    }
    workspace.sockets().gone(id);
    workspace.changed("");
}

/// Says hello, if it may, and returns whether the socket still stands.
async fn greet(workspace: &Workspace, id: u64, socket: &mut WebSocket, lifetime: Duration) -> bool {
    let connections = {
        let mut sockets = workspace.sockets();
        if sockets.mute_hellos > 0 {
            sockets.mute_hellos -= 1;
            return true;
        }
        sockets.open.len()
    };
    let hello = json!({
        "type": "hello", "num_connections": connections, "connection_info": {"app_id": ids::APP},
        "debug_info": {"host": "applink-try", "build_number": 1, "approximate_connection_time": lifetime.as_secs()},
    });
    if socket.send(Message::text(hello.to_string())).await.is_err() {
        return false;
    }
    if let Some(entry) = workspace.sockets().open.get_mut(&id) {
        entry.ready = true;
    }
    workspace.changed("");
    true
}

/// Does what the socket is told and reads its acknowledgements, until it ends.
async fn attend(
    workspace: &Workspace,
    socket: &mut WebSocket,
    orders: &mut mpsc::UnboundedReceiver<Order>,
    lifetime: Duration,
) {
    let start = Instant::now();
    let every = workspace.config().ping_every;
    let mut pings = interval_at(start + every, every);
    pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let warning = sleep_until(start + lifetime.saturating_sub(WARNING));
    let mut end = Box::pin(sleep_until(start + lifetime));
    tokio::pin!(warning);
    let mut warned = false;
    let mut closing = false;
    loop {
        let sent = tokio::select! {
            order = orders.recv() => match order {
                Some(Order::Send(text)) => socket.send(Message::text(text)).await,
                Some(Order::Silence(time)) => {
                    tokio::time::sleep(time).await;
                    Ok(())
                }
                Some(Order::Close(grace)) => {
                    closing = true;
                    end.as_mut().reset(Instant::now() + grace);
                    Ok(())
                }
                Some(Order::Cut) | None => return,
            },
            frame = socket.recv() => match frame {
                Some(Ok(Message::Text(text))) => {
                    workspace.acknowledged(text.as_str());
                    Ok(())
                }
                Some(Ok(Message::Close(_)) | Err(_)) | None => return,
                Some(Ok(_)) => Ok(()),
            },
            _ = pings.tick() => socket.send(Message::Ping("Ping from applink-try".into())).await,
            () = &mut warning, if !warned => {
                warned = true;
                socket.send(Message::text(disconnect(DisconnectReason::Warning))).await
            }
            () = &mut end => {
                if !closing {
                    let _ = socket.send(Message::text(disconnect(DisconnectReason::RefreshRequested))).await;
                }
                let _ = socket.send(Message::Close(None)).await;
                return;
            }
        };
        if sent.is_err() {
            return;
        }
    }
}

impl Workspace {
    fn acknowledged(&self, text: &str) {
        let Ok(mut ack) = serde_json::from_str::<Value>(text) else { return };
        let payload = match ack["payload"].take() {
            Value::Null => None,
            payload => Some(payload),
        };
        let Some(id) = ack["envelope_id"].as_str() else { return };
        self.log().acked(id, self.config().ack_within, payload.clone(), None);
        let waiting = self.sockets().waiting.remove(id);
        if let Some(waiting) = waiting {
            // Whoever waited may have given up in this very moment.
            let _ = waiting.ack.send(payload);
        }
    }
}

fn disconnect(reason: DisconnectReason) -> String {
    json!({"type": "disconnect", "reason": reason.code(), "debug_info": {"host": "applink-try"}}).to_string()
}
