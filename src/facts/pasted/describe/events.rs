//! The events below what was described: `Type  Reason  Age  From  Message`.

use super::super::time::ago;
use super::super::tree::{Field, Fields};
use crate::facts::event::Event;
use jiff::Timestamp;

/// What an event is about.
pub struct About<'a> {
    pub kind: &'a str,
    pub namespace: &'a str,
    pub name: &'a str,
}

/// Reads the events; `None` = there is no such section, so nothing is known of them.
pub fn events(fields: &[Field], about: &About<'_>, now: Timestamp) -> Option<Vec<Event>> {
    let section = fields.field("Events")?;
    let mut rows: Vec<String> = Vec::new();
    let mut header = None;
    collect(&section.below, &mut rows, &mut header);
    let mut events: Vec<Event> = rows.iter().filter_map(|row| event(row, header.as_deref(), about, now)).collect();
    // kubectl sorts them by their last time and then cuts it off to seconds: the order says what the ages no longer do.
    for (event, back) in events.iter_mut().rev().zip(1..) {
        event.last = event.last.and_then(|last| last.checked_sub(jiff::SignedDuration::from_micros(back)).ok());
    }
    Some(events)
}

fn collect(fields: &[Field], rows: &mut Vec<String>, header: &mut Option<String>) {
    for field in fields {
        let text = field.text.as_str();
        let first = text.split_whitespace().next().unwrap_or_default();
        match first {
            "Normal" | "Warning" => rows.push(text.to_owned()),
            "Type" => *header = Some(text.to_owned()),
            _ if first.starts_with("----") => {}
            _ => {
                if let Some(row) = rows.last_mut() {
                    row.push('\n');
                    row.push_str(text);
                }
            }
        }
        collect(&field.below, rows, header);
    }
}

fn event(row: &str, header: Option<&str>, about: &About<'_>, now: Timestamp) -> Option<Event> {
    let (type_, rest) = row.split_once(char::is_whitespace)?;
    let (reason, rest) = rest.trim_start().split_once(char::is_whitespace)?;
    let rest = rest.trim_start();
    let (age, rest) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
    let mut rest = rest.trim_start();
    let (mut count, mut since) = (1, None);
    if let Some((times, after)) = rest.strip_prefix("(x").and_then(|rest| rest.split_once(')')) {
        let (number, over) = times.split_once(" over ").unwrap_or((times, ""));
        count = number.trim().parse().unwrap_or(1);
        since = ago(now, over);
        rest = after;
    }
    let (component, host, message) = reporter(rest, row, header);
    let (container, message) = subject(message);
    let last = ago(now, age);
    Some(Event {
        kind: about.kind.to_owned(),
        namespace: about.namespace.to_owned(),
        name: about.name.to_owned(),
        uid: String::new(),
        container,
        reason: reason.to_owned(),
        message: message.to_owned(),
        warning: type_ == "Warning",
        component: component.to_owned(),
        host: host.to_owned(),
        count,
        first: since.or(last),
        last: last.or(since),
    })
}

/// Parts who reports from what is said. Until 1.18 a kubelet's name was followed by its node's: `kubelet, node-1`.
fn reporter<'a>(rest: &'a str, row: &str, header: Option<&str>) -> (&'a str, &'a str, &'a str) {
    // Nobody is named where the column of the reporter is blank and that of the message is not.
    let blank = header.filter(|header| header.contains("  ")).and_then(|header| {
        let byte = header.find("From")?;
        Some(row.get(byte..)?.starts_with(' ') && row.get(header.find("Message")?..)?.starts_with(|c: char| c != ' '))
    });
    let rest = rest.trim_start();
    if blank == Some(true) {
        return ("", "", rest);
    }
    let (component, message) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
    let message = message.trim_start();
    match component.strip_suffix(',') {
        Some(component) => {
            let (host, message) = message.split_once(char::is_whitespace).unwrap_or((message, ""));
            (component, host, message.trim_start())
        }
        None => (component, "", message),
    }
}

/// Takes `spec.containers{app}: ` off a message: kubectl ≥1.32 prints what the event is about.
pub fn subject(message: &str) -> (Option<String>, &str) {
    let Some((path, rest)) = message.split_once("}: ").or_else(|| message.strip_suffix('}').map(|path| (path, "")))
    else {
        return (None, message);
    };
    match path.split_once('{') {
        Some(("spec.containers" | "spec.initContainers" | "spec.ephemeralContainers", name)) => {
            (Some(name.to_owned()), rest)
        }
        _ => (None, message),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(row: &str) -> Event {
        let about = About { kind: "Pod", namespace: "shop", name: "web" };
        event(row, None, &about, "2026-01-01T00:10:00Z".parse().unwrap()).unwrap()
    }

    #[test]
    fn a_row_in_each_of_its_forms() {
        let event = read("Warning  BackOff  5m12s (x5 over 7m)  kubelet  Back-off restarting: x");
        assert_eq!(
            (event.count, event.component.as_str(), event.message.as_str()),
            (5, "kubelet", "Back-off restarting: x")
        );
        assert_eq!(event.last.unwrap().to_string(), "2026-01-01T00:04:48Z");
        assert_eq!(event.first.unwrap().to_string(), "2026-01-01T00:03:00Z");
        let event = read("Normal Pulled <unknown> kubelet, node-1 spec.containers{app}: image is there");
        assert_eq!((event.host.as_str(), event.container.as_deref(), event.last), ("node-1", Some("app"), None));
        assert_eq!(event.message, "image is there");
    }
}
