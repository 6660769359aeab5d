//! Nodes: whether one answers, its addresses, and what a kubelet reports of one.

use super::discovery::GIT_VERSION;
use super::identity;
use super::time;
use super::workloads::text;
use super::world::World;
use jiff::Timestamp;
use serde_json::{Value, json};

/// Returns whether the node's kubelet reports: `Unknown` is what the node controller writes of one that does not.
pub fn is_alive(node: &Value) -> bool {
    condition(node, "Ready").is_none_or(|ready| ready["status"] != "Unknown")
}

pub fn is_ready(node: &Value) -> bool {
    condition(node, "Ready").is_some_and(|ready| ready["status"] == "True")
}

/// Returns the node's internal address, empty where it has none.
pub fn address(node: &Value) -> &str {
    let addresses = node["status"]["addresses"].as_array().into_iter().flatten();
    addresses.filter(|a| a["type"] == "InternalIP").find_map(|a| a["address"].as_str()).unwrap_or_default()
}

/// Returns a condition of any object that has conditions.
pub fn condition<'a>(object: &'a Value, kind: &str) -> Option<&'a Value> {
    object["status"]["conditions"].as_array()?.iter().find(|condition| condition["type"] == kind)
}

/// Fills in what the kubelet, and for a lost node the node controller, would have written.
pub fn fill(node: &mut Value, recorded: &Value, start: Timestamp) {
    let name = text(&node["metadata"]["name"]).to_owned();
    for (label, value) in [
        ("kubernetes.io/hostname", name.as_str()),
        ("kubernetes.io/arch", "amd64"),
        ("kubernetes.io/os", "linux"),
        ("beta.kubernetes.io/arch", "amd64"),
        ("beta.kubernetes.io/os", "linux"),
    ] {
        node["metadata"]["labels"][label] = value.into();
    }
    if node.get("spec").is_none() {
        node["spec"] = json!({});
    }
    let joined = node["metadata"]["creationTimestamp"].clone();
    let (cpu, memory) = (text(&recorded["cpu"]), text(&recorded["memory"]));
    let resources = json!({"cpu": cpu, "memory": memory, "ephemeral-storage": "97430Mi", "hugepages-1Gi": "0",
        "hugepages-2Mi": "0", "pods": "110"});
    let lost = time::read(&recorded["lostSince"]);
    let disk_full = time::read(&recorded["diskPressureSince"]);
    let heartbeat = time::seconds(lost.unwrap_or(start));
    let condition = |kind: &str, usual: (&str, &str, &str)| {
        let (status, reason, message, since) = match lost {
            Some(lost) => ("Unknown", "NodeStatusUnknown", "Kubelet stopped posting node status.", time::seconds(lost)),
            None => match disk_full.filter(|_| kind == "DiskPressure") {
                Some(since) => ("True", "KubeletHasDiskPressure", "kubelet has disk pressure", time::seconds(since)),
                None => (usual.0, usual.1, usual.2, joined.clone()),
            },
        };
        json!({"type": kind, "status": status, "reason": reason, "message": message,
            "lastHeartbeatTime": heartbeat, "lastTransitionTime": since})
    };
    let address = recorded["address"].clone();
    node["status"] = json!({
        "capacity": resources, "allocatable": resources,
        "conditions": [
            condition("MemoryPressure", ("False", "KubeletHasSufficientMemory", "kubelet has sufficient memory available")),
            condition("DiskPressure", ("False", "KubeletHasNoDiskPressure", "kubelet has no disk pressure")),
            condition("PIDPressure", ("False", "KubeletHasSufficientPID", "kubelet has sufficient PID available")),
            condition("Ready", ("True", "KubeletReady", "kubelet is posting ready status")),
        ],
        "addresses": [{"type": "InternalIP", "address": address}, {"type": "Hostname", "address": name}],
        "daemonEndpoints": {"kubeletEndpoint": {"Port": 10250}},
        "nodeInfo": {
            "machineID": identity::hex(&name, 32), "systemUUID": identity::uid(&name), "bootID": identity::uid(&format!("boot/{name}")),
            "kernelVersion": "6.12.48-cloud-amd64", "osImage": "Debian GNU/Linux 13 (trixie)",
            "containerRuntimeVersion": "containerd://2.1.4", "kubeletVersion": GIT_VERSION, "kubeProxyVersion": "",
            "operatingSystem": "linux", "architecture": "amd64",
        },
    });
}

/// Returns an address of the node's own range that no pod has.
pub fn free_address(world: &World, node: &Value) -> String {
    let range = text(&node["spec"]["podCIDR"]);
    let prefix = range.rsplit_once('.').map_or("10.244.0", |(prefix, _)| prefix);
    let taken: Vec<_> = world.all("Pod").iter().map(|pod| text(&pod["status"]["podIP"]).to_owned()).collect();
    (2..255).map(|last| format!("{prefix}.{last}")).find(|ip| !taken.contains(ip)).unwrap_or_default()
}
