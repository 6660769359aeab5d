//! The recorded cluster of `podoctor try`: a Kubernetes-compatible HTTP API over plain data, inside the binary.
//!
//! ```text
//! recorded/*.yaml ─► recorded (times, uids, owners filled in) ─► World ◄─ live (kubelets, controllers, scheduler)
//!                                                                 ▲ │
//!                                             write, patch, evict │ │ get, list, watch, logs
//!                                                              api (axum)
//! ```
//!
//! It is a stand-in good enough for real clients, with the real codes and texts; it stores nothing and runs no container.
//! Nothing here reads the clock or chooses at random but through [`Clock`] and hashes, so the same steps give the same
//! world.

mod api;
mod discovery;
mod events;
mod identity;
mod kinds;
mod live;
mod logs;
mod nodes;
mod patch;
mod pods;
mod recorded;
mod refusal;
mod request;
mod scheduler;
mod selector;
mod story;
mod table;
mod time;
mod watching;
mod workloads;
mod world;
mod write;

use axum::Router;
use jiff::Timestamp;
use live::{Engine, renew_leases};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use time::Clock;
use tokio::net::TcpListener;
use tokio::sync::watch;
use workloads::text;
use world::World;

/// How often a living cluster is stepped.
const PACE: Duration = Duration::from_millis(500);
/// Who podoctor is to this cluster.
const USER: &str = "system:serviceaccount:podoctor:podoctor";

/// A cluster that exists as data only.
#[derive(Debug)]
pub struct RecordedCluster {
    world: Mutex<World>,
    /// The newest version, for watches to wait on.
    newest: watch::Sender<u64>,
    clock: Clock,
    known: Mutex<BTreeSet<String>>,
    /// What moves it.
    engine: Mutex<Engine>,
}

impl RecordedCluster {
    /// Returns the recorded cluster, as if it had been running until a given moment.
    ///
    /// # Panics
    /// If the recorded data has a fault, which a test rules out.
    pub fn load(now: Timestamp) -> Arc<RecordedCluster> {
        let cluster = RecordedCluster::empty(now);
        let loaded = cluster.with_mut(|world| recorded::load(world, now));
        let stories = loaded.expect("a test reads all of the recorded data");
        *cluster.engine.lock().unwrap_or_else(PoisonError::into_inner) = Engine::new(stories, now);
        cluster
    }

    /// Returns a cluster without any object, whose clock starts at a given moment.
    pub fn empty(now: Timestamp) -> Arc<RecordedCluster> {
        let world = World::new();
        let (newest, _) = watch::channel(world.version());
        let known = ["alice@example.com", "bob@example.com"].map(str::to_owned).into();
        Arc::new(RecordedCluster {
            world: Mutex::new(world),
            newest,
            clock: Clock::starting(now),
            known: Mutex::new(known),
            engine: Mutex::default(),
        })
    }

    /// Returns the API as a router, to be served anywhere.
    pub fn router(self: &Arc<Self>) -> Router {
        api::router(self.clone())
    }

    /// Serves the API until the listener fails.
    ///
    /// # Errors
    /// Whatever accepting connections gives.
    pub async fn serve(self: Arc<Self>, listener: TcpListener) -> std::io::Result<()> {
        axum::serve(listener, self.router()).await
    }

    /// Lets the cluster live: its controllers act, leases are renewed, and its story goes on. Never returns.
    pub async fn live(self: Arc<Self>) {
        let mut ticks = tokio::time::interval(PACE);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
        loop {
            ticks.tick().await;
            self.step();
        }
    }

    /// Does everything that is due at the cluster's time, once.
    pub fn step(&self) {
        let now = self.now();
        let mut engine = self.engine.lock().unwrap_or_else(PoisonError::into_inner);
        self.change(|world| engine.step(world, now));
    }

    /// Returns a kubeconfig for a cluster that is served at an address.
    pub fn kubeconfig(address: SocketAddr) -> String {
        json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "prod", "preferences": {},
            "clusters": [{"name": "prod", "cluster": {"server": format!("http://{address}")}}],
            "users": [{"name": "podoctor", "user": {}}],
            "contexts": [{"name": "prod", "context": {"cluster": "prod", "user": "podoctor", "namespace": "prod"}}],
        })
        .to_string()
    }

    /// Returns the cluster's time.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Puts the cluster's clock forward.
    pub fn skip(&self, by: Duration) {
        self.clock.skip(by);
    }

    /// Lets a Kubernetes user or group be impersonated and pass access reviews.
    pub fn allow(&self, user_or_group: &str) {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).insert(user_or_group.to_owned());
    }

    /// Creates an object or changes it to what is given, without the checks that a client's write goes through.
    ///
    /// Returns the object as stored, or `None` where its kind is not served or it has no name.
    pub fn apply(&self, mut object: Value) -> Option<Value> {
        let key = world::key_of(&object)?;
        let now = self.now();
        Some(self.change(|world| {
            let old = world.get(&key).cloned();
            for (field, fresh) in [
                ("uid", Value::from(identity::uid(&format!("{key:?}/{}", world.version())))),
                ("creationTimestamp", time::seconds(now)),
            ] {
                let kept = old.as_ref().and_then(|old| old["metadata"].get(field).cloned());
                if object["metadata"].get(field).is_none() {
                    object["metadata"][field] = kept.unwrap_or(fresh);
                }
            }
            (*world.put(key, object)).clone()
        }))
    }

    /// Removes an object at once, whatever holds it. Returns whether it was there.
    pub fn delete(&self, kind: &str, namespace: &str, name: &str) -> bool {
        let key = kinds::Kind::by_name(kind).map(|kind| world::Key::new(kind, namespace, name));
        key.is_some_and(|key| self.change(|world| world.remove(&key)).is_some())
    }

    /// Returns an object.
    pub fn get(&self, kind: &str, namespace: &str, name: &str) -> Option<Value> {
        self.with(|world| world.find(kind, namespace, name).map(|object| (**object).clone()))
    }

    /// Forgets all changes so far, so that watches from older versions get their 410.
    pub fn compact(&self) {
        self.with_mut(World::compact);
    }

    /// Returns every object but Secrets, which never leave a cluster.
    pub fn objects(&self) -> Vec<Value> {
        self.with(|world| {
            world.everything().filter(|(key, _)| key.plural() != "secrets").map(|(_, o)| (**o).clone()).collect()
        })
    }

    /// Returns the cluster as the files of a bundle, path and content, such as `podoctor diagnose --from` reads.
    pub fn bundle(&self) -> Vec<(String, String)> {
        let list = json!({"apiVersion": "v1", "kind": "List", "items": self.objects()});
        let mut files = vec![("objects.json".to_owned(), format!("{list:#}\n"))];
        self.with(|world| {
            for pod in world.all("Pod") {
                let (namespace, name) = (text(&pod["metadata"]["namespace"]), text(&pod["metadata"]["name"]));
                for list in ["initContainers", "containers"] {
                    for container in pods::containers(&pod["spec"], list).map(|container| text(&container["name"])) {
                        files.extend(logs::files(world, namespace, name, container));
                    }
                }
            }
        });
        files
    }

    /// Renews what a living cluster renews, so that it seems alive even where nobody steps it.
    fn keep_fresh(&self) {
        let now = self.now();
        self.change(|world| renew_leases(world, now));
    }

    fn user(&self) -> &'static str {
        USER
    }

    fn knows(&self, name: &str) -> bool {
        name == USER || self.known.lock().unwrap_or_else(PoisonError::into_inner).contains(name)
    }

    fn changed(&self) -> watch::Receiver<u64> {
        self.newest.subscribe()
    }

    fn with<T>(&self, read: impl FnOnce(&World) -> T) -> T {
        read(&self.world.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn with_mut<T>(&self, write: impl FnOnce(&mut World) -> T) -> T {
        write(&mut self.world.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Changes the world and wakes who watches it.
    fn change<T>(&self, write: impl FnOnce(&mut World) -> T) -> T {
        let (result, version) = self.with_mut(|world| (write(world), world.version()));
        self.newest.send_if_modified(|newest| std::mem::replace(newest, version) != version);
        result
    }
}
