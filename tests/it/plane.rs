//! A real Kubernetes control plane for tests: etcd, API server, controllers and scheduler, started in about a second.
//!
//! ```text
//! Plane::shared()  Recorded: nothing happens but what a test writes. No scheduler, no workload controllers, no admission.
//! Plane::live()    Real: all controllers, the scheduler, all admission. Its nodes are those that the tests write.
//! Plane::start()   one of one's own, for a test that restarts the API server or needs to be alone with its nodes.
//! ```
//! The two shared ones live as long as the test binary; tests keep apart by namespace ([`Plane::namespace`]).

pub mod api;
pub mod audit;
pub mod binaries;
mod boot;
pub mod data;
mod heartbeat;
pub mod ns;
pub mod process;

pub use audit::{AuditEntry, Mark};
pub use boot::Life;
pub use ns::Ns;

use anyhow::Context;
use api::{Api, Etcd};
use heartbeat::Heartbeat;
use process::Process;
use serde_json::{Value, json};
use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::OnceCell;

/// Who may log in, and their groups. Only `admin` has rights from the start.
pub const USERS: [(&str, &str); 9] = [
    ("admin", "system:masters"),
    ("system:kube-controller-manager", ""),
    ("system:kube-scheduler", ""),
    ("podoctor", "podoctor"),
    ("podoctor-b", "podoctor"),
    ("nobody", ""),
    ("alice@example.com", "oncall"),
    ("bob@example.com", "team-b"),
    ("guest@example.com", ""),
];

/// How long anything here may take; generous, since a busy machine is no bug.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running control plane. Dropping it stops it and removes its files.
#[derive(Debug)]
pub struct Plane {
    life: Life,
    folder: PathBuf,
    ports: boot::Ports,
    programs: PathBuf,
    // In the order they are dropped: etcd last, since its end sweeps the folder.
    heartbeat: Mutex<Option<Heartbeat>>,
    clients: Mutex<Vec<Process>>,
    apiserver: Mutex<Option<Process>>,
    _etcd: Process,
    namespaces: AtomicU32,
    fences: AtomicU32,
}

impl Plane {
    /// Returns the plane in which nothing happens but what tests write, started at the first call.
    pub async fn shared() -> &'static Plane {
        static PLANE: OnceCell<Plane> = OnceCell::const_new();
        PLANE.get_or_init(|| Plane::start(Life::Recorded)).await
    }

    /// Returns the plane with all controllers and the scheduler at work, started at the first call.
    pub async fn live() -> &'static Plane {
        static PLANE: OnceCell<Plane> = OnceCell::const_new();
        PLANE.get_or_init(|| Plane::start(Life::Real)).await
    }

    /// Starts a plane of one's own.
    pub async fn start(life: Life) -> Plane {
        or_fail(boot::start(life).await)
    }

    /// Returns the address of the API server.
    pub fn url(&self) -> String {
        format!("https://127.0.0.1:{}", self.ports.api)
    }

    pub fn life(&self) -> Life {
        self.life
    }

    /// Returns a kubeconfig for one of [`USERS`]; its only context is `plane`.
    pub fn kubeconfig_for(&self, user: &str) -> PathBuf {
        assert!(USERS.iter().any(|(known, _)| *known == user), "{user} is none of plane::USERS");
        or_fail(self.write_kubeconfig(user, &token_of(user)))
    }

    /// Returns a client of the kind that podoctor uses, for one of [`USERS`].
    pub async fn client(&self, user: &str) -> kube::Client {
        or_fail(client(&self.kubeconfig_for(user)).await)
    }

    /// Makes a namespace of which the tests have no other, its `default` ServiceAccount included.
    pub async fn namespace(&self, prefix: &str) -> Ns<'_> {
        let number = self.namespaces.fetch_add(1, Ordering::Relaxed);
        or_fail(Ns::create(self, prefix, number).await)
    }

    /// Lets a user do something in the whole cluster; returns once the API server knows.
    ///
    /// `rules` is what stands under `rules:` in a ClusterRole.
    pub async fn grant(&self, user: &str, rules: &str) {
        or_fail(ns::grant(&self.admin(), None, user, rules).await);
    }

    /// Returns this moment in the API server's account; all that was answered before lies before it.
    pub async fn mark(&self) -> Mark {
        or_fail(self.fence().await)
    }

    /// Returns what a user asked the API server for since a moment; `""` = all users.
    pub async fn requests_since(&self, mark: Mark, user: &str) -> Vec<AuditEntry> {
        or_fail(self.fence().await);
        let mut entries = or_fail(audit::read_since(&self.audit_log(), mark));
        let ours = |entry: &AuditEntry| entry.uri.starts_with("/version?fence=");
        entries.retain(|entry| !ours(entry) && (user.is_empty() || entry.user == user));
        entries
    }

    /// Kills the API server, as a crash would. Controllers and scheduler go on without it.
    pub fn stop_apiserver(&self) {
        drop(self.apiserver.lock().expect("nothing panics while it is held").take());
    }

    /// Starts the API server again, at the same address and with the same data.
    pub async fn start_apiserver(&self) {
        let process = or_fail(boot::apiserver(self.life, &self.programs, &self.folder, &self.ports));
        *self.apiserver.lock().expect("nothing panics while it is held") = Some(process);
        or_fail(self.ready().await);
    }

    /// Kills the API server and starts it again: every watch breaks.
    pub async fn restart_apiserver(&self) {
        self.stop_apiserver();
        self.start_apiserver().await;
    }

    /// Forgets history: after a restart of the API server, what a client last saw is gone (410).
    pub async fn compact(&self) {
        or_fail(async { self.etcd()?.compact().await }.await);
    }

    /// Keeps a node's lease fresh, so that a Real plane goes on taking it for Ready.
    pub fn keep_alive(&self, node: &str) {
        let mut heartbeat = self.heartbeat.lock().expect("nothing panics while it is held");
        let heartbeat =
            heartbeat.get_or_insert_with(|| Heartbeat::start(self.url(), self.certificate(), token_of("admin")));
        heartbeat.add(node);
    }

    /// Loses a node: its lease is no longer kept, and within half a minute a Real plane finds out by itself.
    pub fn lose(&self, node: &str) {
        if let Some(heartbeat) = self.heartbeat.lock().expect("nothing panics while it is held").as_ref() {
            heartbeat.remove(node);
        }
    }

    /// Returns the harness's own client, which may do anything.
    pub fn admin(&self) -> Api {
        or_fail(Api::new(&self.url(), &self.certificate(), &token_of("admin")))
    }

    /// Returns the store behind the API server.
    ///
    /// # Errors
    /// Fails when no client can be made.
    pub fn etcd(&self) -> anyhow::Result<Etcd> {
        Etcd::new(&format!("http://127.0.0.1:{}", self.ports.etcd))
    }

    fn certificate(&self) -> PathBuf {
        boot::certificate(&self.folder)
    }

    fn audit_log(&self) -> PathBuf {
        boot::audit_log(&self.folder)
    }

    fn write_kubeconfig(&self, user: &str, token: &str) -> anyhow::Result<PathBuf> {
        boot::write_kubeconfig(&self.folder, &self.ports, user, token)
    }

    /// Waits until the API server says it is ready.
    async fn ready(&self) -> anyhow::Result<()> {
        poll("the API server is ready", async || {
            if let Some(process) = self.apiserver.lock().expect("nothing panics while it is held").as_mut() {
                process.check()?;
            }
            // Its certificate is the first thing it writes.
            let Ok(api) = Api::new(&self.url(), &self.certificate(), &token_of("admin")) else { return Ok(None) };
            Ok(api.get("/readyz").await.ok().map(|_| ()))
        })
        .await
    }

    /// Asks something unmistakable and waits until it is in the account, so that all before it is as well.
    async fn fence(&self) -> anyhow::Result<Mark> {
        let fence = format!("/version?fence={}-{}", std::process::id(), self.fences.fetch_add(1, Ordering::Relaxed));
        let log = self.audit_log();
        let start = std::fs::metadata(&log)?.len();
        self.admin().get(&fence).await?;
        poll("the audit log goes on", async || {
            let entries = audit::read_since(&log, Mark(start))?;
            let end = std::fs::metadata(&log)?.len();
            Ok(entries.iter().any(|entry| entry.uri == fence).then_some(Mark(end)))
        })
        .await
    }
}

/// Asks again and again, every few milliseconds, until there is an answer.
///
/// # Errors
/// Fails when the question does, or when [`PATIENCE`] is over.
pub async fn poll<T>(what: &str, mut question: impl AsyncFnMut() -> anyhow::Result<Option<T>>) -> anyhow::Result<T> {
    let started = Instant::now();
    loop {
        if let Some(answer) = question().await? {
            return Ok(answer);
        }
        anyhow::ensure!(started.elapsed() < PATIENCE, "waited {PATIENCE:?} in vain until {what}");
        tokio::time::sleep(Duration::from_millis(15)).await;
    }
}

/// Like [`poll`], for tests: fails the test when the time is over.
pub async fn eventually<T, F: Future<Output = Option<T>>>(what: &str, mut question: impl FnMut() -> F) -> T {
    or_fail(poll(what, async || Ok(question().await)).await)
}

pub async fn client(kubeconfig: &Path) -> anyhow::Result<kube::Client> {
    let kubeconfig = kube::config::Kubeconfig::read_from(kubeconfig)?;
    let config = kube::Config::from_custom_kubeconfig(kubeconfig, &Default::default()).await?;
    Ok(kube::Client::try_from(config)?)
}

fn token_of(user: &str) -> String {
    format!("token-of-{user}")
}

/// Fails the test, with the whole chain.
fn or_fail<T>(result: anyhow::Result<T>) -> T {
    match result.context("test control plane") {
        Ok(value) => value,
        Err(error) => panic!("{error:#}"),
    }
}

/// Returns the empty object where nothing else is asked for.
fn nothing() -> Value {
    json!({})
}
