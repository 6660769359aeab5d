//! A Slack-compatible workspace in the process: what `podoctor try` shows in the browser and what the tests talk to.
//!
//! It knows nothing of podoctor. Outside it is Slack's wire protocol (Web API, Socket Mode, signed HTTP delivery,
//! `response_url`), proven with Slack's own SDKs in `tests/conformance`; inside it is a [`Workspace`] with people to
//! play, messages to wait for, and faults to order.
//!
//! ```text
//!            /api/METHOD ──► api ──► state ──► people see it (page, /try)
//! the app ◄── socket | http ◄── deliver ◄── events ◄── people do something
//! ```

mod api;
pub mod blocks;
mod config;
mod cut;
mod deliver;
mod events;
mod faults;
mod http;
pub mod ids;
mod log;
mod message;
mod page;
mod payloads;
mod people;
mod refusal;
mod respond;
mod socket;
mod state;
mod text;
mod views;
mod wait;

#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use axum::Router;
use tokio::net::TcpListener;
use tokio::sync::broadcast;
use tokio::task::JoinHandle;

pub use config::{Config, Delivery};
pub use deliver::Kind;
pub use faults::{DisconnectReason, Failure};
pub use log::{Ack, ApiCall, Delivered};
pub use refusal::Refusal;
pub use state::{Channel, User};
pub use wait::NotSeen;

/// A running workspace. Clones are handles to the same one.
///
/// Methods that make the app hear of something need a Tokio runtime around them.
#[derive(Clone)]
pub struct Workspace {
    shared: Arc<Shared>,
}

struct Shared {
    config: Config,
    delivery: Mutex<Delivery>,
    /// `http://host:port`, without a slash at the end; known once the listener is.
    base_url: Mutex<String>,
    state: Mutex<state::State>,
    sockets: Mutex<socket::Sockets>,
    faults: Mutex<faults::Faults>,
    log: Mutex<log::Log>,
    /// Names the channel in which something changed; an empty name is for all.
    changes: broadcast::Sender<String>,
    client: OnceLock<reqwest::Client>,
}

impl Workspace {
    /// Builds a workspace with its people and channels and not a word said.
    pub fn new(config: Config) -> Self {
        let shared = Shared {
            delivery: Mutex::new(config.delivery.clone()),
            config,
            base_url: Mutex::new("http://127.0.0.1".to_owned()),
            state: Mutex::new(state::State::new()),
            sockets: Mutex::default(),
            faults: Mutex::default(),
            log: Mutex::default(),
            changes: broadcast::Sender::new(1024),
            client: OnceLock::new(),
        };
        Workspace { shared: Arc::new(shared) }
    }

    /// Returns everything it serves: `/api`, the sockets, `/try` and the page.
    ///
    /// Whoever serves this router should say where with [`set_base_url`](Self::set_base_url).
    pub fn router(&self) -> Router {
        Router::new()
            .merge(api::router())
            .merge(socket::router())
            .merge(respond::router())
            .merge(page::router())
            .with_state(self.clone())
    }

    /// Serves the workspace on a listener until the task is dropped.
    ///
    /// # Errors
    ///
    /// When the listener has no address.
    pub async fn serve(&self, listener: TcpListener) -> std::io::Result<()> {
        self.set_base_url(&format!("http://{}", listener.local_addr()?));
        let service = self.router().into_make_service_with_connect_info::<cut::Connection>();
        axum::serve(cut::CuttableListener(listener), service).await
    }

    /// Serves the workspace on a free port of 127.0.0.1 in a task of its own.
    ///
    /// # Errors
    ///
    /// When no port can be bound.
    pub async fn start(config: Config) -> std::io::Result<Running> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let workspace = Workspace::new(config);
        workspace.set_base_url(&format!("http://{address}"));
        let served = workspace.clone();
        let task = tokio::spawn(async move {
            // The only error is a listener without an address, which was asked for one above.
            let _ = served.serve(listener).await;
        });
        Ok(Running { workspace, address, task })
    }

    /// Says under which address the router is served, such as `http://127.0.0.1:8080`.
    pub fn set_base_url(&self, url: &str) {
        *lock(&self.shared.base_url) = url.trim_end_matches('/').to_owned();
    }

    /// Returns the address it is served under.
    pub fn base_url(&self) -> String {
        lock(&self.shared.base_url).clone()
    }

    /// Returns the Web API's address, as the setting `slack.api_url` wants it.
    pub fn api_url(&self) -> String {
        format!("{}/api", self.base_url())
    }

    /// Returns the settings it was built with, tokens and signing secret among them.
    pub fn config(&self) -> &Config {
        &self.shared.config
    }

    fn state(&self) -> MutexGuard<'_, state::State> {
        lock(&self.shared.state)
    }

    fn sockets(&self) -> MutexGuard<'_, socket::Sockets> {
        lock(&self.shared.sockets)
    }

    fn faults(&self) -> MutexGuard<'_, faults::Faults> {
        lock(&self.shared.faults)
    }

    fn log(&self) -> MutexGuard<'_, log::Log> {
        lock(&self.shared.log)
    }

    /// Tells the pages and the waiting tests that a channel looks different now.
    fn changed(&self, channel: &str) {
        // Nobody listening is fine.
        let _ = self.shared.changes.send(channel.to_owned());
    }
}

/// A workspace served by a task, which ends when this is dropped.
pub struct Running {
    workspace: Workspace,
    address: SocketAddr,
    task: JoinHandle<()>,
}

impl Running {
    /// Returns where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl std::ops::Deref for Running {
    type Target = Workspace;

    fn deref(&self) -> &Workspace {
        &self.workspace
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
        self.workspace.drop_sockets();
    }
}

/// Locks, also after a panic in another test's task: the data is plain and stays usable.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
