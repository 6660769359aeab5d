//! A stream of everything that becomes of the pods, or nodes, of a cluster: listed once, then watched; broken off, it goes on.
//!
//! kube's `watcher` resumes by resourceVersion, takes bookmarks, lists anew after a 410 and waits longer after each
//! failure, with jitter. Where the server cannot stream lists, they come in pages.

use super::Cluster;
use crate::facts::lean::{LeanNode, LeanPod};
use futures_util::{Stream, StreamExt};
use k8s_openapi::api::core::v1::{Node, Pod};
use kube::api::ObjectMeta;
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{self, Error, Event};
use kube::{Api, Resource};
use serde::Deserialize;
use std::borrow::Cow;
use std::marker::PhantomData;

/// Something that became of the objects watched.
#[derive(Debug)]
pub enum Seen<T> {
    /// All objects are going to be listed, each as `There`; what was there before and is not among them is gone.
    Listing,
    Listed,
    There(T),
    Gone(T),
    /// The stream broke, in words; it goes on by itself.
    Broken(String),
}

/// How long one watch request lasts: below the client's own limit for a silent connection.
const WATCH_SECONDS: u32 = 50;
const PAGE: u32 = 500;

impl Cluster {
    /// Watches all pods, or those of a namespace.
    pub fn watch_pods(&self, namespace: Option<&str>) -> impl Stream<Item = Seen<LeanPod>> + Send + use<> {
        let client = self.client.clone();
        watch::<Pod, LeanPod>(match namespace {
            Some(namespace) => Api::namespaced(client, namespace),
            None => Api::all(client),
        })
    }

    /// Watches all nodes.
    pub fn watch_nodes(&self) -> impl Stream<Item = Seen<LeanNode>> + Send + use<> {
        watch::<Node, LeanNode>(Api::all(self.client.clone()))
    }
}

/// A lean type under the name of the kind it is a part of.
#[derive(Deserialize)]
#[serde(transparent)]
struct As<K, T> {
    lean: T,
    #[serde(skip)]
    kind: PhantomData<fn() -> K>,
}

impl<K, T: Clone> Clone for As<K, T> {
    fn clone(&self) -> Self {
        Self { lean: self.lean.clone(), kind: PhantomData }
    }
}

impl<K, T: std::fmt::Debug> std::fmt::Debug for As<K, T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.lean.fmt(f)
    }
}

trait HasMeta {
    fn meta(&self) -> &ObjectMeta;
    fn meta_mut(&mut self) -> &mut ObjectMeta;
}

impl HasMeta for LeanPod {
    fn meta(&self) -> &ObjectMeta {
        &self.metadata
    }
    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}

impl HasMeta for LeanNode {
    fn meta(&self) -> &ObjectMeta {
        &self.metadata
    }
    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}

impl<K: Resource, T: HasMeta> Resource for As<K, T> {
    type DynamicType = K::DynamicType;
    type Scope = K::Scope;
    fn kind(dt: &Self::DynamicType) -> Cow<'_, str> {
        K::kind(dt)
    }
    fn group(dt: &Self::DynamicType) -> Cow<'_, str> {
        K::group(dt)
    }
    fn version(dt: &Self::DynamicType) -> Cow<'_, str> {
        K::version(dt)
    }
    fn plural(dt: &Self::DynamicType) -> Cow<'_, str> {
        K::plural(dt)
    }
    fn meta(&self) -> &ObjectMeta {
        self.lean.meta()
    }
    fn meta_mut(&mut self) -> &mut ObjectMeta {
        self.lean.meta_mut()
    }
}

fn watch<K, T>(api: Api<As<K, T>>) -> impl Stream<Item = Seen<T>> + Send + use<K, T>
where
    K: Resource<DynamicType = ()> + 'static,
    K::Scope: Send,
    T: HasMeta + Clone + std::fmt::Debug + for<'de> Deserialize<'de> + Send + 'static,
{
    let streamed = watcher::Config::default().timeout(WATCH_SECONDS).streaming_lists();
    let paged = watcher::Config::default().timeout(WATCH_SECONDS).page_size(PAGE);
    // A server that cannot stream lists says so to the first request; from then on they come in pages.
    let first = Box::pin(watcher::watcher(api.clone(), streamed).default_backoff());
    futures_util::stream::unfold(
        (first as Events<As<K, T>>, Some((api, paged))),
        |(mut events, mut other)| async move {
            let event = events.next().await?;
            if event.as_ref().is_err_and(cannot_stream)
                && let Some((api, paged)) = other.take()
            {
                events = Box::pin(watcher::watcher(api, paged).default_backoff());
            }
            Some((seen(event), (events, other)))
        },
    )
}

type Events<K> = std::pin::Pin<Box<dyn Stream<Item = watcher::Result<Event<K>>> + Send>>;

fn cannot_stream(error: &Error) -> bool {
    let status = match error {
        Error::WatchStartFailed(kube::Error::Api(status)) | Error::InitialListFailed(kube::Error::Api(status)) => {
            status
        }
        Error::WatchError(status) => status,
        _ => return false,
    };
    matches!(status.code, 400 | 422) && status.message.contains("sendInitialEvents")
}

fn seen<K, T>(event: watcher::Result<Event<As<K, T>>>) -> Seen<T> {
    match event {
        Ok(Event::Init) => Seen::Listing,
        Ok(Event::InitDone) => Seen::Listed,
        Ok(Event::InitApply(object) | Event::Apply(object)) => Seen::There(object.lean),
        Ok(Event::Delete(object)) => Seen::Gone(object.lean),
        Err(error) => Seen::Broken(error.to_string()),
    }
}
