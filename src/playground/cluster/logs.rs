//! `pods/log`: what containers wrote, and the API's own words where there is nothing to show.

use super::kinds::Kind;
use super::refusal::Refusal;
use super::request::Query;
use super::world::{Key, World};
use serde_json::Value;

/// Returns the log text that a request asks for.
///
/// A pod that no node has taken yet has an empty log rather than an error, as on a real API server.
pub fn read(world: &World, namespace: &str, name: &str, query: &Query, raw_query: &str) -> Result<String, Refusal> {
    let pods = Kind::by_name("Pod").expect("pods are in the table");
    let pod = world.get(&Key::new(pods, namespace, name)).ok_or_else(|| Refusal::not_found(pods, name))?;
    let container = container(pod, name, query.text("container"))?;
    let Some(node) = pod["spec"]["nodeName"].as_str().filter(|node| !node.is_empty()) else {
        return Ok(String::new());
    };
    if let Some(why) = unreachable(world, node) {
        let asked = if raw_query.is_empty() { String::new() } else { format!("?{raw_query}") };
        return Err(Refusal::kubelet_unreachable(format!(
            "Get \"https://{why}:10250/containerLogs/{namespace}/{name}/{container}{asked}\": dial tcp {why}:10250: \
             connect: no route to host"
        )));
    }
    let status = status_of(pod, &container);
    let ended_before = !status["lastState"]["terminated"].is_null();
    let missing =
        |what: &str| Refusal::bad_request(format!("{what} container \"{container}\" in pod \"{name}\" not found"));
    let text = |part: &str| {
        let key = (namespace.to_owned(), name.to_owned(), part.to_owned());
        world.logs.get(&key).cloned().unwrap_or_default()
    };
    let previous = format!("{container}.previous");
    let log = if query.flag("previous") {
        if !ended_before {
            return Err(missing("previous terminated"));
        }
        text(&previous)
    } else if !status["state"]["waiting"].is_null() || status.is_null() {
        if !ended_before {
            let reason = status["state"]["waiting"]["reason"].as_str().unwrap_or("ContainerCreating");
            let reason = match reason {
                "ErrImagePull" => "image can't be pulled",
                "ImagePullBackOff" => "trying and failing to pull image",
                other => other,
            };
            return Err(Refusal::bad_request(format!(
                "container \"{container}\" in pod \"{name}\" is waiting to start: {reason}"
            )));
        }
        // Between two runs the log is that of the run that ended, which is the previous one as well.
        text(&previous)
    } else {
        text(&container)
    };
    Ok(cut(log, status, query))
}

/// Returns what a bundle holds of a container's logs: the log or the error, and the log of the run before.
pub fn files(world: &World, namespace: &str, name: &str, container: &str) -> Vec<(String, String)> {
    let path = format!("logs/{namespace}/{name}/{container}");
    let read = |extra: &str| {
        let query = Query::parse(&format!("container={container}{extra}"));
        read(world, namespace, name, &query, "")
    };
    let log = match read("") {
        Ok(log) => (format!("{path}.log"), log),
        Err(refusal) => (format!("{path}.error"), refusal.message().to_owned()),
    };
    let previous = read("&previous=true").ok().map(|log| (format!("{path}.previous.log"), log));
    std::iter::once(log).chain(previous).collect()
}

/// Returns the address of a node whose kubelet nobody reaches, or `None` where it answers.
fn unreachable(world: &World, node: &str) -> Option<String> {
    let object = world.find("Node", "", node);
    let alive = object.is_some_and(|node| super::nodes::is_alive(node));
    let address = object.and_then(|node| node["status"]["addresses"][0]["address"].as_str());
    (!alive).then(|| address.unwrap_or(node).to_owned())
}

fn container(pod: &Value, name: &str, asked: &str) -> Result<String, Refusal> {
    let names = |list: &str| -> Vec<&str> {
        pod["spec"][list].as_array().into_iter().flatten().filter_map(|c| c["name"].as_str()).collect()
    };
    let (main, init) = (names("containers"), names("initContainers"));
    match (asked, main.as_slice()) {
        ("", [only]) => Ok((*only).to_owned()),
        ("", _) => {
            let annotation = pod["metadata"]["annotations"]["kubectl.kubernetes.io/default-container"].as_str();
            if let Some(default) = annotation.filter(|default| main.contains(default)) {
                return Ok(default.to_owned());
            }
            let mut message =
                format!("a container name must be specified for pod {name}, choose one of: [{}]", main.join(" "));
            if !init.is_empty() {
                message.push_str(&format!(" or one of the init containers: [{}]", init.join(" ")));
            }
            Err(Refusal::bad_request(message))
        }
        (asked, _) if main.contains(&asked) || init.contains(&asked) => Ok(asked.to_owned()),
        (asked, _) => Err(Refusal::bad_request(format!("container {asked} is not valid for pod {name}"))),
    }
}

fn status_of<'a>(pod: &'a Value, container: &str) -> &'a Value {
    ["containerStatuses", "initContainerStatuses"]
        .into_iter()
        .filter_map(|list| pod["status"][list].as_array())
        .flatten()
        .find(|status| status["name"] == container)
        .unwrap_or(&Value::Null)
}

fn cut(log: String, status: &Value, query: &Query) -> String {
    let mut lines: Vec<&str> = log.split_inclusive('\n').collect();
    if let Some(tail) = query.number("tailLines") {
        let tail = usize::try_from(tail).unwrap_or(usize::MAX);
        lines.drain(..lines.len().saturating_sub(tail));
    }
    let stamped = query.flag("timestamps");
    let began = ["state", "lastState"]
        .iter()
        .flat_map(|state| [&status[*state]["running"], &status[*state]["terminated"]])
        .find_map(|run| run["startedAt"].as_str())
        .unwrap_or_default();
    let mut text = String::new();
    for line in lines {
        if stamped && !began.is_empty() {
            text.push_str(began);
            text.push(' ');
        }
        text.push_str(line);
    }
    if let Some(limit) = query.number("limitBytes") {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let end = (0..=limit.min(text.len())).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
        text.truncate(end);
    }
    text
}
