//! Watches: the log of changes as a stream, with bookmarks, initial events and the 410 of what is too old.

use super::RecordedCluster;
use super::api::{Shape, partial};
use super::kinds::Kind;
use super::refusal::Refusal;
use super::request::Query;
use super::selector::Selector;
use super::table::table;
use super::world::{Change, World};
use axum::body::{Body, Bytes};
use futures_util::stream;
use jiff::Timestamp;
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

/// How often a quiet watch is told the newest version; a real server does it about once a minute.
const BOOKMARK_EVERY: Duration = Duration::from_secs(60);
/// How long a watch lasts that asks for no limit of its own.
const DEFAULT_LENGTH: Duration = Duration::from_secs(45 * 60);

/// What a watch is about.
#[derive(Debug)]
pub struct Wanted {
    pub kind: &'static Kind,
    pub namespace: Option<String>,
    pub selector: Selector,
    pub shape: Shape,
}

struct Watch {
    cluster: Arc<RecordedCluster>,
    wanted: Wanted,
    /// Changes up to here have been sent.
    seen: u64,
    waiting: VecDeque<Bytes>,
    changed: watch::Receiver<u64>,
    bookmarks: bool,
    next_bookmark: Instant,
    ends: Instant,
    over: bool,
}

/// Opens a watch and returns the body that streams it.
pub fn open(cluster: Arc<RecordedCluster>, wanted: Wanted, query: &Query) -> Result<Body, Refusal> {
    let changed = cluster.changed();
    let initial = query.flag("sendInitialEvents");
    let bookmarks = query.flag("allowWatchBookmarks");
    if initial && query.text("resourceVersionMatch") != "NotOlderThan" {
        return Err(Refusal::bad_request(
            "ListOptions.meta.k8s.io \"\" is invalid: resourceVersionMatch: Forbidden: sendInitialEvents requires \
             setting resourceVersionMatch to NotOlderThan",
        ));
    }
    let from = match query.text("resourceVersion") {
        "" | "0" => None,
        version => {
            let version = version.parse::<u64>();
            Some(version.map_err(|_| Refusal::bad_request("resource version must be a number"))?)
        }
    };
    let (mut waiting, mut over) = (VecDeque::new(), false);
    let seen = cluster.with(|world| {
        if initial || from.is_none() {
            waiting.extend(
                world
                    .list(wanted.kind, wanted.namespace.as_deref())
                    .filter(|(_, object)| wanted.selector.matches(object))
                    .map(|(_, object)| line("ADDED", &shaped(&wanted, shown(wanted.kind, object), cluster.now()))),
            );
            if initial && bookmarks {
                waiting.push_back(bookmark(wanted.kind, world.version(), true));
            }
            return world.version();
        }
        let from = from.unwrap_or_default();
        if world.changes_since(from).is_none() {
            waiting.push_back(too_old(world, from));
            over = true;
        }
        from
    });
    let length = query.number("timeoutSeconds").map_or(DEFAULT_LENGTH, Duration::from_secs);
    let now = Instant::now();
    let watch = Watch {
        cluster,
        wanted,
        seen,
        waiting,
        changed,
        bookmarks,
        next_bookmark: now + BOOKMARK_EVERY,
        ends: now + length,
        over,
    };
    Ok(Body::from_stream(stream::unfold(watch, |mut watch| async move {
        let line = watch.next().await?;
        Some((Ok::<_, Infallible>(line), watch))
    })))
}

impl Watch {
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            if let Some(line) = self.waiting.pop_front() {
                return Some(line);
            }
            if self.over {
                return None;
            }
            self.changed.mark_unchanged();
            self.collect();
            if !self.waiting.is_empty() {
                continue;
            }
            let until = self.ends.min(self.next_bookmark);
            tokio::select! {
                changed = self.changed.changed() => self.over = changed.is_err(),
                () = sleep_until(until) => {
                    self.over = until == self.ends;
                    self.next_bookmark = Instant::now() + BOOKMARK_EVERY;
                    if self.bookmarks {
                        self.waiting.push_back(bookmark(self.wanted.kind, self.seen, false));
                    }
                }
            }
        }
    }

    /// Takes over what happened since the last time.
    fn collect(&mut self) {
        let (wanted, seen, now) = (&self.wanted, self.seen, self.cluster.now());
        let (lines, newest, over) = self.cluster.with(|world| match world.changes_since(seen) {
            None => (vec![too_old(world, seen)], seen, true),
            Some(changes) => {
                let of_kind = changes.filter(|change| change.touches(wanted.kind, wanted.namespace.as_deref()));
                (of_kind.filter_map(|change| event(change, wanted, now)).collect(), world.version(), false)
            }
        });
        self.waiting.extend(lines);
        (self.seen, self.over) = (newest, over);
    }
}

/// What a change is to a watch: an object that comes to match was added, one that ceases to is deleted.
fn event(change: &Change, wanted: &Wanted, now: Timestamp) -> Option<Bytes> {
    let matching = |object: &&Arc<Value>| wanted.selector.matches(object);
    let before = change.before.as_ref().filter(matching);
    let after = change.after.as_ref().filter(matching);
    let (what, object) = match (before, after) {
        (None, None) => return None,
        (None, Some(after)) => ("ADDED", after),
        (Some(_), Some(after)) => ("MODIFIED", after),
        (Some(before), None) => ("DELETED", change.after.as_ref().unwrap_or(before)),
    };
    let mut object = shown(wanted.kind, object);
    object["metadata"]["resourceVersion"] = change.version.to_string().into();
    Some(line(what, &shaped(wanted, object, now)))
}

/// An object in the form that the watch asked for.
fn shaped(wanted: &Wanted, object: Value, now: Timestamp) -> Value {
    match wanted.shape {
        Shape::Whole => object,
        Shape::Metadata => partial(&object),
        Shape::Table => {
            let metadata = json!({"resourceVersion": object["metadata"]["resourceVersion"]});
            table(wanted.kind, &[object], metadata, now)
        }
    }
}

/// An object as the group that was asked for shows it.
pub fn shown(kind: &Kind, object: &Value) -> Value {
    if kind.group == "events.k8s.io" { super::events::to_new_group(object) } else { object.clone() }
}

fn bookmark(kind: &Kind, version: u64, initial: bool) -> Bytes {
    let mut object = json!({"kind": kind.kind, "apiVersion": kind.api_version(), "metadata": {"resourceVersion": version.to_string()}});
    if initial {
        object["metadata"]["annotations"] = json!({"k8s.io/initial-events-end": "true"});
    }
    line("BOOKMARK", &object)
}

fn too_old(world: &World, version: u64) -> Bytes {
    let refusal = Refusal::expired(format!("too old resource version: {version} ({})", world.version()));
    line("ERROR", &refusal.status())
}

fn line(what: &str, object: &Value) -> Bytes {
    let mut line = json!({"type": what, "object": object}).to_string();
    line.push('\n');
    Bytes::from(line)
}
