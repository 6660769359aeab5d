//! Reads what is needed into a world: in parallel, each thing once, within a deadline and a number of requests.

use super::needs::Need;
use crate::cluster::{Cluster, ReadError, Resource, log_path};
use crate::facts::World;
use crate::facts::intake::{self, Met};
use futures_util::stream::{FuturesUnordered, StreamExt};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::collections::BTreeSet;
use tokio::time::Instant;

/// How much of a log's end is read: enough for the last lines of any crash.
const LOG_LINES: u32 = 100;
const LOG_BYTES: u32 = 64 * 1024;
/// The size of a page. For one question lists that could be longer are cut: what is beyond is not needed.
pub const PAGE: &str = "500";

/// What a list says of its own end.
#[derive(Deserialize)]
struct Cut {
    metadata: PageMeta,
}

/// A list, of which each object is still text.
#[derive(Deserialize)]
pub struct Page<'a> {
    #[serde(default)]
    pub metadata: PageMeta,
    #[serde(borrow, default)]
    pub items: Vec<&'a RawValue>,
}

/// The metadata of a list.
#[derive(Deserialize, Default)]
pub struct PageMeta {
    /// Where the next page begins; empty = there is none.
    #[serde(rename = "continue", default)]
    pub next: String,
}

/// A world in the making.
pub struct Reader<'a> {
    cluster: &'a Cluster,
    pub world: World,
    deadline: Instant,
    requests_left: usize,
    asked: BTreeSet<Need>,
    /// The failure that keeps everything from being read, where there is one.
    pub fatal: Option<ReadError>,
}

impl<'a> Reader<'a> {
    /// Returns a reader of a cluster that sends at most so many requests until the deadline.
    pub fn new(cluster: &'a Cluster, deadline: Instant, requests: usize) -> Self {
        let mut world = World::default();
        world.cluster.clone_from(&cluster.name);
        Self { cluster, world, deadline, requests_left: requests, asked: BTreeSet::new(), fatal: None }
    }

    /// Returns a reader that adds to a world.
    pub fn over(cluster: &'a Cluster, world: World, deadline: Instant, requests: usize) -> Self {
        Self { world, ..Self::new(cluster, deadline, requests) }
    }

    /// Reads those needs that were not asked for yet, the first ones first; all of them at once.
    ///
    /// Returns false when there was nothing left to read.
    pub async fn read(&mut self, needs: Vec<Need>) -> bool {
        let mut fresh = Vec::new();
        for need in needs {
            if !self.asked.contains(&need) && fresh.len() < self.requests_left && !self.covered(&need) {
                self.asked.insert(need.clone());
                fresh.push(need);
            }
        }
        if fresh.is_empty() {
            return false;
        }
        self.requests_left -= fresh.len();
        let deadline = self.deadline;
        let cluster = self.cluster;
        let mut answers: FuturesUnordered<_> = fresh
            .into_iter()
            .map(|need| async move {
                let answer = tokio::time::timeout_at(deadline, get(cluster, &need)).await;
                (need, answer.unwrap_or(Err(ReadError::Slow)))
            })
            .collect();
        while let Some((need, answer)) = answers.next().await {
            self.take(&need, answer);
        }
        self.world.sort_events();
        true
    }

    /// Returns true where a larger read already holds the answer.
    fn covered(&self, need: &Need) -> bool {
        match need {
            Need::Object { resource, namespace, .. } => {
                self.asked.contains(&Need::Collection { resource: *resource, namespace: namespace.clone() })
            }
            _ => false,
        }
    }

    fn take(&mut self, need: &Need, answer: Result<String, ReadError>) {
        match answer {
            Ok(text) => self.take_text(need, text),
            Err(ReadError::NotFound(message)) => match need {
                Need::Log { .. } => self.log_error(need, &message),
                _ => self.note_read(need),
            },
            Err(ReadError::NotServed(_)) if is_add_on(need) => self.note_read(need),
            Err(error) => {
                if let (Need::Log { .. }, ReadError::Api { message, .. }) = (need, &error) {
                    self.log_error(need, message);
                } else {
                    self.world.note_unread(words(need), error.to_string());
                }
                if error.is_fatal() && self.fatal.is_none() {
                    self.fatal = Some(error);
                }
            }
        }
    }

    fn take_text(&mut self, need: &Need, text: String) {
        if let Need::Log { namespace, pod, container, previous } = need {
            let log = self.world.logs.entry((namespace.clone(), pod.clone(), container.clone())).or_default();
            if *previous {
                log.previous = Some(text);
            } else {
                log.current = Some(text);
            }
            return;
        }
        match serde_json::from_str::<&RawValue>(&text) {
            Ok(json) => {
                let cut = serde_json::from_str::<Cut>(&text).is_ok_and(|list| !list.metadata.next.is_empty());
                for error in intake::take_json(&mut self.world, json, &mut Met::default()) {
                    self.world.note_unread(words(need), error.to_string());
                }
                if cut {
                    self.world.note_unread(words(need), format!("only the first {PAGE} were read"));
                } else {
                    self.note_read(need);
                }
            }
            Err(error) => self.world.note_unread(words(need), format!("the API's answer is no JSON: {error}")),
        }
    }

    fn log_error(&mut self, need: &Need, message: &str) {
        if let Need::Log { namespace, pod, container, previous: false } = need {
            let log = self.world.logs.entry((namespace.clone(), pod.clone(), container.clone())).or_default();
            log.error = Some(message.to_owned());
        }
    }

    /// Notes how far a reading went, so that what is not there is absent.
    fn note_read(&mut self, need: &Need) {
        let world = &mut self.world;
        match need {
            Need::Object { resource, namespace, name } => world.read_name(resource.parts().3, namespace, name),
            Need::Collection { resource, namespace } => world.read_collection(resource.parts().3, namespace),
            Need::EventsOf { kind, namespace, name } => world.events_of_were_read(kind, namespace, name),
            Need::PodsOn { node } => {
                world.pods_of_node_were_read(node);
            }
            Need::Selected { .. } | Need::FailedPods { .. } | Need::Log { .. } => {}
        }
    }

    /// Returns why a kind could not be read: the failure of everything, or what was noted for it.
    pub fn failure(&self, what: &str) -> ReadError {
        self.fatal.clone().unwrap_or_else(|| {
            let noted = self.world.unread.iter().find(|unread| unread.what.starts_with(what));
            ReadError::Other(noted.map_or_else(|| format!("{what} could not be read"), |unread| unread.why.clone()))
        })
    }

    /// Reads one text outside the needs of a subject; counts as a request.
    pub async fn fetch(&mut self, path: &str) -> Result<String, ReadError> {
        self.requests_left = self.requests_left.saturating_sub(1);
        self.page(path).await
    }

    /// Reads one page of a scan; pages go with the size of the cluster and do not count.
    pub async fn page(&self, path: &str) -> Result<String, ReadError> {
        tokio::time::timeout_at(self.deadline, self.cluster.get(path)).await.unwrap_or(Err(ReadError::Slow))
    }
}

/// Reads a need in the version that the server serves.
async fn get(cluster: &Cluster, need: &Need) -> Result<String, ReadError> {
    let path = path(need);
    let mut answer = cluster.get(&path).await;
    let (Need::Object { resource, .. } | Need::Collection { resource, .. }) = need else { return answer };
    for version in resource.older() {
        if !matches!(answer, Err(ReadError::NotServed(_))) {
            break;
        }
        answer = cluster.get(&resource.in_version(&path, version)).await;
    }
    answer
}

fn is_add_on(need: &Need) -> bool {
    match need {
        Need::Object { resource, .. } | Need::Collection { resource, .. } => resource.is_add_on(),
        _ => false,
    }
}

fn path(need: &Need) -> String {
    match need {
        Need::Object { resource, namespace, name } => resource.object(namespace, name),
        Need::Collection { resource, namespace } => resource.list(namespace, &[("limit", PAGE)]),
        Need::Selected { resource, namespace, selector } => {
            resource.list(namespace, &[("labelSelector", selector), ("limit", PAGE)])
        }
        Need::EventsOf { kind, namespace, name } => {
            let selector = format!("involvedObject.kind={kind},involvedObject.name={name}");
            // Events about cluster objects stand in `default`; the kubelet's about its node too.
            let namespace = if namespace.is_empty() { "default" } else { namespace };
            Resource::Events.list(namespace, &[("fieldSelector", &selector), ("limit", PAGE)])
        }
        Need::FailedPods { namespace } => {
            Resource::Pods.list(namespace, &[("fieldSelector", "status.phase=Failed"), ("limit", PAGE)])
        }
        Need::PodsOn { node } => {
            Resource::Pods.list("", &[("fieldSelector", &format!("spec.nodeName={node}")), ("limit", PAGE)])
        }
        Need::Log { namespace, pod, container, previous } => {
            log_path(namespace, pod, container, *previous, LOG_LINES, LOG_BYTES)
        }
    }
}

/// Returns a need as it is named in "could not be read".
fn words(need: &Need) -> String {
    match need {
        Need::Object { resource, namespace, name } if namespace.is_empty() => format!("{} {name}", resource.parts().2),
        Need::Object { resource, namespace, name } => format!("{} {namespace}/{name}", resource.parts().2),
        Need::Collection { resource, namespace } if namespace.is_empty() => resource.parts().2.to_owned(),
        Need::Collection { resource, namespace } => format!("{} of {namespace}", resource.parts().2),
        Need::Selected { resource, namespace, .. } => format!("{} of {namespace}", resource.parts().2),
        Need::EventsOf { kind, namespace, name } if namespace.is_empty() => format!("events of {kind} {name}"),
        Need::EventsOf { kind, namespace, name } => format!("events of {kind} {namespace}/{name}"),
        Need::FailedPods { namespace } => format!("the failed pods of {namespace}"),
        Need::PodsOn { node } => format!("the pods on node {node}"),
        Need::Log { namespace, pod, container, .. } => format!("the log of {namespace}/{pod} {container}"),
    }
}
