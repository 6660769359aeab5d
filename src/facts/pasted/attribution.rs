//! Which container an event is about. kubectl describe prints it since 1.32 and `get events` in the wide table only; the
//! event's words and the pod's settings mostly leave one.

use crate::facts::event::Event;
use serde_json::Value;

/// What a kubelet says of one container.
const OF_A_CONTAINER: [&str; 14] = [
    "BackOff",
    "Created",
    "ErrImageNeverPull",
    "ExceededGracePeriod",
    "Failed",
    "FailedPostStartHook",
    "FailedPreStopHook",
    "InspectFailed",
    "Killing",
    "ProbeWarning",
    "Pulled",
    "Pulling",
    "Started",
    "Unhealthy",
];

/// Names the container of an event about the pod, where just one can be meant.
pub fn name_container(event: &mut Event, pod: &Value) {
    if event.container.is_some() || !OF_A_CONTAINER.contains(&event.reason.as_str()) {
        return;
    }
    let lists = ["containers", "initContainers", "ephemeralContainers"];
    let containers: Vec<&Value> = lists.iter().filter_map(|list| pod["spec"][*list].as_array()).flatten().collect();
    let name = |container: &&Value| container["name"].as_str().map(str::to_owned);
    let only = |fits: &dyn Fn(&Value) -> bool| match containers.iter().filter(|of| fits(of)).collect::<Vec<_>>()[..] {
        [one] => name(one),
        _ => None,
    };
    let message = event.message.as_str();
    let probe = ["liveness", "readiness", "startup"]
        .into_iter()
        .find(|kind| event.reason == "Unhealthy" && message.to_ascii_lowercase().starts_with(kind));
    event.container = only(&|of| of["name"].as_str().is_some_and(|name| names(message, name)))
        .or_else(|| only(&|of| of["image"].as_str().is_some_and(|image| message.contains(&format!("\"{image}\"")))))
        .or_else(|| only(&|of| probe.is_some_and(|kind| of.get(format!("{kind}Probe")).is_some())))
        .or_else(|| only(&|_| true));
}

/// Returns true where a message says `container web`, in any of the kubelet's ways.
fn names(message: &str, name: &str) -> bool {
    let mut rest = message;
    while let Some(at) = rest.to_ascii_lowercase().find("container ") {
        rest = &rest[at + "container ".len()..];
        let word = rest.split_whitespace().next().unwrap_or_default().trim_matches(['"', ',', ':', '.']);
        if word == name {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn of(reason: &str, message: &str, pod: &Value) -> Option<String> {
        let mut event = Event {
            kind: "Pod".into(),
            namespace: "shop".into(),
            name: "web".into(),
            uid: String::new(),
            container: None,
            reason: reason.into(),
            message: message.into(),
            warning: true,
            component: "kubelet".into(),
            host: String::new(),
            count: 1,
            first: None,
            last: None,
        };
        name_container(&mut event, pod);
        event.container
    }

    #[test]
    fn words_and_settings_name_the_container() {
        let pod = json!({"spec": {"initContainers": [{"name": "init", "image": "busybox:1"}], "containers": [
            {"name": "app", "image": "shop/app:1", "livenessProbe": {}, "readinessProbe": {}},
            {"name": "proxy", "image": "shop/proxy:1", "readinessProbe": {}}]}});
        let is = |reason: &str, message: &str| of(reason, message, &pod);
        assert_eq!(is("Killing", "Container app failed liveness probe, will be restarted").as_deref(), Some("app"));
        assert_eq!(
            is("BackOff", "Back-off restarting failed container proxy in pod web_shop(u)").as_deref(),
            Some("proxy")
        );
        assert_eq!(is("Failed", "Failed to pull image \"busybox:1\": no").as_deref(), Some("init"));
        assert_eq!(is("Unhealthy", "Liveness probe failed: x").as_deref(), Some("app"));
        assert_eq!(is("Unhealthy", "Readiness probe failed: x"), None, "two have one");
        assert_eq!(is("FailedMount", "MountVolume.SetUp failed"), None);
        let single = json!({"spec": {"containers": [{"name": "app"}]}});
        assert_eq!(of("Failed", "Error: configmap \"c\" not found", &single).as_deref(), Some("app"));
    }
}
