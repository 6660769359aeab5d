//! The story of a failure: whose it is, how it shows, and what would end it.

use super::nodes;
use super::time;
use super::workloads::{controller, text};
use super::world::World;
use jiff::Timestamp;
use serde_json::Value;

/// A failure that goes on until something changes.
#[derive(Debug, Clone)]
pub struct Story {
    /// Kind, namespace and name of the workload, or of the pod that has none.
    pub of: (String, String, String),
    /// The spec of the template that fails, as it was when the failure was recorded.
    pub template: Value,
    /// The first of the failing pods as recorded: what a replacement will look like.
    pub sample: Value,
    /// Its events and logs as recorded, with `{uid}` and `{ip}` still in them.
    pub events: Value,
    pub logs: Value,
    /// How many pods of the workload fail.
    pub pods: usize,
    /// Those that fail from the start, by uid.
    pub failing: Vec<String>,
    pub until: Until,
    /// When it begins, for what has not begun yet.
    pub begins: Option<Timestamp>,
}

/// What ends a failure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Until {
    /// Nothing that can be done here.
    Never,
    /// The first container may use at least so many bytes.
    MemoryLimit(u64),
    /// A new pod takes the place of the old one.
    Replaced,
    /// The pods' spec is another one: an image, a command, a probe. A mere restart does not count.
    SpecChanged,
    /// An object exists: kind, namespace, name.
    Exists(String, String, String),
    /// An object is no longer there: kind, namespace, name.
    Gone(String, String, String),
    /// A moment has come; whatever was wrong outside has been put right.
    Moment(Timestamp),
    /// The node of this name is ready again, with its disk free.
    NodeReady(String),
}

impl Story {
    /// Returns whether a pod belongs to the workload, or is the pod, of the story.
    pub fn is_about_pod(&self, world: &World, pod: &Value) -> bool {
        let namespace = text(&pod["metadata"]["namespace"]);
        let is = |kind: &str, name: &str| (self.of.0.as_str(), self.of.2.as_str()) == (kind, name);
        if namespace != self.of.1 {
            return false;
        }
        let Some(owner) = controller(pod) else { return is("Pod", text(&pod["metadata"]["name"])) };
        let above = world.find(text(&owner["kind"]), namespace, text(&owner["name"]));
        let above = above.and_then(|owner| controller(owner));
        is(text(&owner["kind"]), text(&owner["name"]))
            || above.is_some_and(|owner| is(text(&owner["kind"]), text(&owner["name"])))
    }

    /// Returns whether a pod has nothing of the story any more.
    pub fn is_over(&self, world: &World, pod: &Value, now: Timestamp) -> bool {
        let owner = controller(pod).and_then(|owner| {
            world.find(text(&owner["kind"]), text(&pod["metadata"]["namespace"]), text(&owner["name"]))
        });
        let template = owner.map_or(&pod["spec"], |owner| &owner["spec"]["template"]["spec"]);
        match &self.until {
            Until::Never => false,
            Until::Replaced => true,
            Until::MemoryLimit(bytes) => memory_limit(template).is_none_or(|limit| limit >= *bytes),
            Until::SpecChanged => *template != self.template,
            Until::Exists(kind, namespace, name) => world.find(kind, namespace, name).is_some(),
            Until::Gone(kind, namespace, name) => world.find(kind, namespace, name).is_none(),
            Until::Moment(moment) => now >= *moment,
            Until::NodeReady(name) => {
                let elsewhere = pod["spec"]["nodeName"].as_str().is_some_and(|node| node != name);
                elsewhere || world.find("Node", "", name).is_some_and(|node| is_well(node))
            }
        }
    }

    /// Returns whether only a new pod helps, whatever else is put right.
    pub fn only_replaced(&self) -> bool {
        self.until == Until::Replaced
    }

    /// Returns whether its containers run before they fail.
    pub fn crashes(&self) -> bool {
        self.sample["status"]["containerStatuses"][0]["restartCount"].as_u64().unwrap_or(0) > 0
    }
}

fn is_well(node: &Value) -> bool {
    nodes::is_ready(node) && nodes::condition(node, "DiskPressure").is_none_or(|c| c["status"] == "False")
}

impl Until {
    /// Reads the `until` of recorded data.
    pub fn read(value: &Value) -> Option<Until> {
        let text = |field: &str| value[field].as_str();
        if value.is_null() || value == "never" {
            Some(Until::Never)
        } else if value == "replaced" {
            Some(Until::Replaced)
        } else if value == "specChanged" {
            Some(Until::SpecChanged)
        } else if let Some(limit) = text("memoryLimit") {
            Some(Until::MemoryLimit(bytes(limit)?))
        } else if let Some(moment) = value.get("moment") {
            Some(Until::Moment(time::read(moment)?))
        } else if let Some(node) = text("nodeReady") {
            Some(Until::NodeReady(node.to_owned()))
        } else {
            let gone = value.get("gone");
            let object = gone.unwrap_or(&value["exists"]);
            let part = |field: &str| object[field].as_str().map(str::to_owned);
            let (kind, namespace, name) = (part("kind")?, part("namespace").unwrap_or_default(), part("name")?);
            Some(match gone {
                Some(_) => Until::Gone(kind, namespace, name),
                None => Until::Exists(kind, namespace, name),
            })
        }
    }
}

fn memory_limit(template: &Value) -> Option<u64> {
    bytes(template["containers"][0]["resources"]["limits"]["memory"].as_str()?)
}

/// Reads a quantity as whole bytes, or whole units; parts of one are rounded up.
pub fn bytes(quantity: &str) -> Option<u64> {
    let split = quantity.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(quantity.len());
    let (number, unit) = quantity.split_at(split);
    let times = match unit {
        "m" => return scaled(number, 1, 1000),
        "" => 1,
        "k" => 1_000,
        "M" => 1_000_000,
        "G" => 1_000_000_000,
        "T" => 1_000_000_000_000,
        "Ki" => 1 << 10,
        "Mi" => 1 << 20,
        "Gi" => 1 << 30,
        "Ti" => 1 << 40,
        _ => return None,
    };
    scaled(number, times, 1)
}

/// Reads a quantity of processor time as thousandths of a core.
pub fn millis(quantity: &str) -> Option<u64> {
    match quantity.strip_suffix('m') {
        Some(millis) => scaled(millis, 1, 1),
        None => scaled(quantity, 1000, 1),
    }
}

/// A decimal number, multiplied and divided, rounded up.
fn scaled(number: &str, times: u128, by: u128) -> Option<u64> {
    let (whole, part) = number.split_once('.').unwrap_or((number, ""));
    let digits: u128 = format!("{whole}{part}").parse().ok()?;
    let by = by.checked_mul(10_u128.checked_pow(u32::try_from(part.len()).ok()?)?)?;
    u64::try_from(digits.checked_mul(times)?.div_ceil(by)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn quantities() {
        assert_eq!(bytes("256Mi"), Some(268_435_456));
        assert_eq!((bytes("1024m"), bytes("1.5Gi")), (Some(2), Some(1_610_612_736)));
        assert_eq!((millis("250m"), millis("1.5"), millis("2")), (Some(250), Some(1500), Some(2000)));
        assert_eq!(bytes("5Qi"), None);
    }

    #[test]
    fn every_form_of_until_is_read() {
        assert_eq!(Until::read(&Value::Null), Some(Until::Never));
        assert_eq!(Until::read(&json!({"memoryLimit": "1Ki"})), Some(Until::MemoryLimit(1024)));
        let exists = json!({"exists": {"kind": "Secret", "namespace": "prod", "name": "s"}});
        assert_eq!(Until::read(&exists), Some(Until::Exists("Secret".into(), "prod".into(), "s".into())));
        let gone = json!({"gone": {"kind": "VolumeAttachment", "name": "v"}});
        assert_eq!(Until::read(&gone), Some(Until::Gone("VolumeAttachment".into(), String::new(), "v".into())));
        assert_eq!(Until::read(&json!("specChanged")), Some(Until::SpecChanged));
        assert_eq!(Until::read(&json!({"somethingElse": 1})), None);
    }
}
