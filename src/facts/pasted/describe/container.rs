//! A container as describe prints it, of a pod or of a template.

use super::super::object::{amounts, number, set};
use super::super::time::moment;
use super::super::tree::{Field, Fields};
use super::probe;
use serde_json::{Map, Value, json};

/// Returns the settings and the status of each container of a list.
pub fn containers(list: &[Field]) -> (Vec<Value>, Vec<Value>) {
    let named = || list.iter().filter(|field| !field.key.is_empty() && !field.key.contains(' '));
    let specs = named().map(spec).collect();
    let statuses = named().filter_map(status).collect();
    (specs, statuses)
}

fn spec(container: &Field) -> Value {
    let fields = container.below.as_slice();
    let mut spec = Map::new();
    spec.insert("name".into(), container.key.as_str().into());
    set(&mut spec, "image", fields.value("Image"));
    for (title, key) in [("Command", "command"), ("Args", "args")] {
        let words = words(fields.below(title));
        set(&mut spec, key, (!words.is_empty()).then_some(words));
    }
    let mut resources = Map::new();
    set(&mut resources, "limits", amounts(fields.below("Limits")));
    set(&mut resources, "requests", amounts(fields.below("Requests")));
    spec.insert("resources".into(), resources.into());
    for (title, key) in [("Liveness", "livenessProbe"), ("Readiness", "readinessProbe"), ("Startup", "startupProbe")] {
        set(&mut spec, key, fields.value(title).and_then(probe::read));
    }
    set(&mut spec, "ports", ports(fields));
    set(&mut spec, "env", env(fields.below("Environment")));
    set(&mut spec, "envFrom", env_from(fields.below("Environment Variables from")));
    set(&mut spec, "volumeMounts", mounts(fields.below("Mounts")));
    let devices: Vec<Value> = fields
        .below("Devices")
        .iter()
        .filter_map(|field| field.text.split_once(" from "))
        .map(|(path, name)| json!({"devicePath": path, "name": name}))
        .collect();
    set(&mut spec, "volumeDevices", (!devices.is_empty()).then_some(devices));
    Value::Object(spec)
}

/// Returns the lines of a list, those that stand deeper as well.
fn words(list: &[Field]) -> Vec<String> {
    let mut found = Vec::new();
    for field in list {
        found.push(field.text.clone());
        found.extend(words(&field.below));
    }
    found
}

/// Returns the status; `None` for a template, and before the kubelet has reported.
fn status(container: &Field) -> Option<Value> {
    let fields = container.below.as_slice();
    let state = fields.field("State")?;
    // Whether it is ready stands below: a text that ends before says nothing of it.
    if state.value == "Running" && fields.field("Ready").is_none() {
        return None;
    }
    let mut status = Map::new();
    status.insert("name".into(), container.key.as_str().into());
    status.insert("image".into(), fields.value("Image").unwrap_or_default().into());
    status.insert("imageID".into(), fields.value("Image ID").unwrap_or_default().into());
    set(&mut status, "containerID", fields.value("Container ID"));
    let ready = fields.value("Ready") == Some("True");
    status.insert("ready".into(), ready.into());
    status.insert("restartCount".into(), fields.value("Restart Count").and_then(number).unwrap_or(0).into());
    status.insert("state".into(), of_state(state));
    set(&mut status, "lastState", fields.field("Last State").map(of_state));
    // Not printed, but the kubelet sets it so: a ready container has started, and one without a startup probe at once.
    let running = state.value == "Running";
    if running && (ready || fields.field("Startup").is_none()) {
        status.insert("started".into(), true.into());
    }
    Some(Value::Object(status))
}

fn of_state(state: &Field) -> Value {
    let fields = state.below.as_slice();
    let time = |key: &str| fields.value(key).and_then(moment).map(|t| t.to_string());
    let mut of = Map::new();
    match state.value.as_str() {
        "Running" => {
            set(&mut of, "startedAt", time("Started"));
            json!({"running": of})
        }
        "Terminated" => {
            set(&mut of, "reason", fields.value("Reason"));
            set(&mut of, "message", fields.field("Message").map(message));
            set(&mut of, "exitCode", fields.value("Exit Code").and_then(number));
            set(&mut of, "signal", fields.value("Signal").and_then(number));
            set(&mut of, "startedAt", time("Started"));
            set(&mut of, "finishedAt", time("Finished"));
            json!({"terminated": of})
        }
        _ => {
            set(&mut of, "reason", fields.value("Reason"));
            json!({"waiting": of})
        }
    }
}

/// Returns a message with the lines that follow it.
pub fn message(field: &Field) -> String {
    let below = words(&field.below);
    std::iter::once(field.value.clone()).chain(below).collect::<Vec<_>>().join("\n")
}

/// `Port: 8080/TCP`, `Ports: 80/TCP (http), 443/TCP`, and beside it the same list of host ports, 0 for none.
fn ports(fields: &[Field]) -> Option<Vec<Value>> {
    let list = |one: &str, many: &str| -> Vec<String> {
        let text = fields.value(many).or(fields.value(one)).unwrap_or_default();
        text.split(", ").filter(|port| !port.is_empty()).map(str::to_owned).collect()
    };
    let hosts = list("Host Port", "Host Ports");
    let ports: Vec<Value> = list("Port", "Ports")
        .iter()
        .enumerate()
        .filter_map(|(i, port)| {
            let (number_text, rest) = port.split_once('/')?;
            let mut of = Map::new();
            of.insert("containerPort".into(), number_text.trim().parse::<u16>().ok()?.into());
            let (protocol, name) = rest.split_once(" (").unwrap_or((rest, ""));
            of.insert("protocol".into(), protocol.into());
            set(&mut of, "name", Some(name.trim_end_matches(')')).filter(|name| !name.is_empty()));
            let host = hosts.get(i).and_then(|host| host.split('/').next()?.trim().parse::<u16>().ok());
            set(&mut of, "hostPort", host.filter(|port| *port > 0));
            Some(Value::Object(of))
        })
        .collect();
    (!ports.is_empty()).then_some(ports)
}

/// Names of variables and what they refer to. Values are dropped but addresses and numbers: no cause needs others, and
/// people keep secrets in them.
fn env(list: &[Field]) -> Option<Vec<Value>> {
    let env: Vec<Value> = list
        .iter()
        .filter(|field| !field.key.is_empty() && !field.key.contains(' '))
        .map(|field| {
            let value = field.value.as_str();
            if let Some((key, kind, name)) = reference(value) {
                let optional = value.ends_with("Optional: true");
                return json!({"name": field.key, "valueFrom": {kind: {"key": key, "name": name, "optional": optional}}});
            }
            let harmless = value == "localhost" || value.chars().all(|c| c.is_ascii_digit() || ".:[]".contains(c));
            if harmless && !value.is_empty() && value.len() < 40 {
                json!({"name": field.key, "value": value})
            } else {
                json!({"name": field.key})
            }
        })
        .collect();
    (!env.is_empty()).then_some(env)
}

/// `<set to the key 'k' in secret 's'>  Optional: false`, `… of config map 'c'>`.
fn reference(value: &str) -> Option<(&str, &'static str, &str)> {
    let rest = value.strip_prefix("<set to the key '")?;
    let (key, rest) = rest.split_once('\'')?;
    let (kind, rest) = match (rest.strip_prefix(" in secret '"), rest.strip_prefix(" of config map '")) {
        (Some(rest), _) => ("secretKeyRef", rest),
        (_, Some(rest)) => ("configMapKeyRef", rest),
        _ => return None,
    };
    Some((key, kind, rest.split('\'').next()?))
}

/// `app-settings  ConfigMap  Optional: false`.
fn env_from(list: &[Field]) -> Option<Vec<Value>> {
    let from: Vec<Value> = list
        .iter()
        .filter_map(|field| {
            let mut words = field.text.split_whitespace();
            let name = words.next()?;
            let kind = match words.next()? {
                "ConfigMap" => "configMapRef",
                "Secret" => "secretRef",
                _ => return None,
            };
            Some(json!({kind: {"name": name, "optional": field.text.ends_with("Optional: true")}}))
        })
        .collect();
    (!from.is_empty()).then_some(from)
}

/// `/data from data (rw,path="x")`.
fn mounts(list: &[Field]) -> Option<Vec<Value>> {
    let mounts: Vec<Value> = list
        .iter()
        .filter_map(|field| {
            let (path, rest) = field.text.split_once(" from ")?;
            let (name, flags) = rest.split_once(" (").unwrap_or((rest, ""));
            let mut of = Map::new();
            of.insert("mountPath".into(), path.into());
            of.insert("name".into(), name.trim().into());
            if flags.starts_with("ro") {
                of.insert("readOnly".into(), true.into());
            }
            let sub = flags.split_once("path=\"").and_then(|(_, rest)| rest.split('"').next());
            set(&mut of, "subPath", sub);
            Some(Value::Object(of))
        })
        .collect();
    (!mounts.is_empty()).then_some(mounts)
}
