//! What people paste: the text of `kubectl describe`, `kubectl get` and `kubectl logs`, read into the same [`World`] as
//! objects are.
//!
//! Such text shows a part of an object only. Nothing is noted as read but what was printed whole: of all else nothing may
//! be concluded. Ages count back from the moment the text was printed, which the reader is told.

mod attribution;
mod blocks;
mod describe;
mod layout;
mod lines;
mod object;
mod table;
mod time;
mod tree;

use super::intake::{self, Met};
use super::part::Part;
use super::world::World;
use blocks::{Block, Of};
use jiff::Timestamp;
use serde_json::Value;
use std::collections::BTreeMap;

/// Texts as they were read, until [`finish`](Pasted::finish) puts them into a world.
#[derive(Debug, Default)]
pub struct Pasted {
    described: Vec<describe::Described>,
    listed: Vec<table::Listed>,
    logs: Vec<Log>,
}

/// What a described text is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Subject {
    pub kind: String,
    /// Empty for cluster objects.
    pub namespace: String,
    pub name: String,
}

#[derive(Debug)]
struct Log {
    namespace: Option<String>,
    pod: String,
    container: Option<String>,
    previous: bool,
    text: String,
}

/// Returns true where a text holds something that kubectl prints for people.
pub fn is_pasted(text: &str) -> bool {
    // A dump of objects may be of any size, and no command stands in it.
    let begin = text.trim_start();
    let is_yaml = ["apiVersion:", "kind:", "---"].iter().any(|start| begin.starts_with(start));
    if begin.starts_with(['{', '[']) || (is_yaml && !text.contains("kubectl ")) {
        return false;
    }
    blocks::blocks(&lines::clean(text)).iter().any(|block| !matches!(block.of, Of::Objects | Of::Other))
}

impl Pasted {
    /// Reads a text that was printed at `now`; returns what in it is YAML or JSON, for others to read.
    pub fn read(&mut self, text: &str, now: Timestamp) -> Vec<String> {
        let mut objects = Vec::new();
        for Block { of, command, lines } in blocks::blocks(&lines::clean(text)) {
            let namespace = command.as_ref().and_then(|command| command.namespace);
            match of {
                Of::Describe => self.described.extend(describe::read(&lines, namespace, now)),
                Of::Table => self.listed.push(table::read(&lines, namespace, now)),
                Of::Objects => objects.push(lines.join("\n")),
                Of::Log => self.logs.extend(command.and_then(|command| {
                    let pod = command.words.iter().find(|word| !matches!(**word, "pod" | "pods" | "po"))?;
                    Some(Log {
                        namespace: namespace.map(str::to_owned),
                        pod: pod.rsplit('/').next().unwrap_or_default().to_owned(),
                        // `kubectl logs web app` names the container without a flag.
                        container: command.container.or(command.words.get(1).copied()).map(str::to_owned),
                        previous: command.previous,
                        text: lines.join("\n"),
                    })
                })),
                Of::Other => {}
            }
        }
        objects
    }

    /// Returns true where nothing was found.
    pub fn is_empty(&self) -> bool {
        self.described.is_empty() && self.listed.is_empty() && self.logs.is_empty()
    }

    /// Returns what was described, in the order of the text.
    pub fn subjects(&self) -> Vec<Subject> {
        let mut found: Vec<Subject> = Vec::new();
        for of in &self.described {
            let subject = Subject { kind: of.kind.to_owned(), namespace: of.namespace.clone(), name: of.name.clone() };
            // A chat may show a message's text twice.
            if !found.contains(&subject) {
                found.push(subject);
            }
        }
        found
    }

    /// Returns the namespaces that rows and events of tables are in.
    pub fn namespaces(&self) -> Vec<String> {
        let rows = self.listed.iter().flat_map(|table| &table.objects);
        let mut found: Vec<String> =
            rows.filter_map(|object| object["metadata"]["namespace"].as_str().map(str::to_owned)).collect();
        found.extend(self.listed.iter().flat_map(|table| &table.events).map(|event| event.namespace.clone()));
        found.sort();
        found.dedup();
        found.retain(|namespace| !namespace.is_empty());
        found
    }

    /// Puts everything into the world. What objects or describe told of a thing outweighs its row in a table.
    pub fn finish(self, world: &mut World) -> Vec<String> {
        let mut mishaps = Vec::new();
        let mut created: BTreeMap<(String, String, String), Value> = BTreeMap::new();
        for row in self.listed.iter().flat_map(|table| &table.objects) {
            created.insert(key(row), row["metadata"]["creationTimestamp"].clone());
        }
        // Met is left behind: text never tells that there is no more of a kind.
        let mut take = |world: &mut World, object: Value| {
            mishaps.extend(intake::take(world, object, &mut Met::default()).iter().map(ToString::to_string));
        };
        let mut told: Vec<(String, String, String)> = Vec::new();
        let mut pods: BTreeMap<(String, String), Value> = BTreeMap::new();
        for of in self.described {
            for mut object in of.objects {
                let key = key(&object);
                if world.holds(&key.0, &key.1, &key.2) {
                    continue;
                }
                if let Some(created) = created.get(&key).filter(|created| created.is_string()) {
                    object["metadata"]["creationTimestamp"] = created.clone();
                }
                let part = if of.events.is_some() { Part::Description } else { Part::Fragment };
                world.note_part(&key.0, &key.1, &key.2, part);
                if key.0 == "Pod" {
                    pods.insert((key.1.clone(), key.2.clone()), object.clone());
                }
                told.push(key);
                take(world, object);
            }
            if let Some(events) = of.events {
                let known = !world.events_seen(of.kind, &of.namespace, &of.name).is_empty();
                world.events_of_were_read(of.kind, &of.namespace, &of.name);
                if !known {
                    events.into_iter().for_each(|event| world.add_event(event));
                }
            }
        }
        let mut rows = Vec::new();
        let mut mentioned: Vec<(String, String)> = Vec::new();
        for table in self.listed {
            rows.extend(table.objects);
            for mut event in table.events {
                if let Some(pod) =
                    pods.get(&(event.namespace.clone(), event.name.clone())).filter(|_| event.kind == "Pod")
                {
                    attribution::name_container(&mut event, pod);
                }
                if event.kind == "Pod" && event.warning {
                    mentioned.push((event.namespace.clone(), event.name.clone()));
                }
                let same = |known: &super::event::Event| known.reason == event.reason && known.message == event.message;
                if !world.events_seen(&event.kind, &event.namespace, &event.name).iter().any(same) {
                    world.add_event(event);
                }
            }
        }
        for mut object in rows {
            let key = key(&object);
            if !told.contains(&key) && !world.holds(&key.0, &key.1, &key.2) {
                name_container(&mut object, world);
                world.note_part(&key.0, &key.1, &key.2, Part::Row);
                take(world, object);
            }
        }
        mentioned.sort();
        mentioned.dedup();
        // Where pods of a namespace are here, one that is not among them is gone.
        mentioned.retain(|(namespace, _)| world.pods.seen_in(namespace).next().is_none());
        for (namespace, name) in mentioned {
            let events = world.events_seen("Pod", &namespace, &name);
            if let Some(object) = table::mentions::pod(&namespace, &name, events) {
                world.note_part("Pod", &namespace, &name, Part::Mention);
                take(world, object);
            }
        }
        for log in self.logs {
            log.finish(world);
        }
        mishaps
    }
}

impl Log {
    /// Puts the log where its pod is: a command without a namespace or a container leaves them to be found.
    fn finish(self, world: &mut World) {
        let pods = world.pods.seen().map(super::PodView::new);
        let found: Vec<_> = pods
            .filter(|pod| pod.name() == self.pod)
            .filter(|pod| self.namespace.as_deref().is_none_or(|namespace| namespace == pod.namespace()))
            .collect();
        let [pod] = found[..] else { return };
        let container = match &self.container {
            Some(container) => container.clone(),
            // kubectl takes the first one.
            None => pod.app_containers().next().map(|container| container.name().to_owned()).unwrap_or_default(),
        };
        let key = (pod.namespace().to_owned(), pod.name().to_owned(), container);
        let log = world.logs.entry(key).or_default();
        match (refusal(&self.text), self.previous) {
            (Some(refusal), _) => log.error = Some(refusal.to_owned()),
            (None, true) => log.previous = Some(self.text),
            (None, false) => log.current = Some(self.text),
        }
    }
}

/// Returns the API's own words where kubectl prints them instead of a log: `Error from server (NotFound): …`.
fn refusal(text: &str) -> Option<&str> {
    let rest = text.trim_start().strip_prefix("Error from server")?;
    let (reason, words) = rest.split_once(": ")?;
    (reason.is_empty() || reason.starts_with(" (")).then(|| words.trim_end())
}

/// Names the one container of a pod of which there is a row only, where its events are all about one container.
fn name_container(object: &mut Value, world: &World) {
    let (kind, namespace, name) = key(object);
    let containers = object["spec"]["containers"].as_array().map_or(0, Vec::len);
    if kind != "Pod" || containers != 1 || object["spec"].get("initContainers").is_some() {
        return;
    }
    let mut named: Vec<String> =
        world.events_seen(&kind, &namespace, &name).iter().filter_map(|event| event.container.clone()).collect();
    named.sort();
    named.dedup();
    if let [only] = &named[..] {
        object["spec"]["containers"][0]["name"] = only.as_str().into();
        if let Some(status) = object.pointer_mut("/status/containerStatuses/0") {
            status["name"] = only.as_str().into();
        }
    }
}

fn key(object: &Value) -> (String, String, String) {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    (text(&object["kind"]), text(&object["metadata"]["namespace"]), text(&object["metadata"]["name"]))
}
