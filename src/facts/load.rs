//! What pods reserve on nodes, as the scheduler counts it.

use super::pod::PodView;
use super::quantity;
use super::world::World;
use k8s_openapi::api::core::v1 as api;
use std::collections::BTreeMap;

/// What the pods that were read reserve on each node.
#[derive(Debug, Clone, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Loads {
    /// By node and resource, in base units.
    pub reserved: BTreeMap<String, BTreeMap<String, f64>>,
    pub ports: BTreeMap<String, Vec<HostPort>>,
}

impl Loads {
    /// Adds up the pods of a world. Pods that are leaving still hold what they reserve; ended ones do not.
    pub fn of(world: &World) -> Self {
        let mut loads = world.calm_loads.clone();
        for pod in world.pods.seen() {
            loads.add(PodView::new(pod));
        }
        loads
    }

    /// Adds what one pod reserves on its node.
    pub fn add(&mut self, pod: PodView<'_>) {
        let (Some(node), Some(spec)) = (pod.node_name(), pod.spec()) else { return };
        if matches!(pod.phase(), "Succeeded" | "Failed") {
            return;
        }
        let reserved = self.reserved.entry(node.to_owned()).or_default();
        for (name, amount) in requests(spec) {
            *reserved.entry(name).or_default() += amount;
        }
        let ports = host_ports(pod);
        if !ports.is_empty() {
            self.ports.entry(node.to_owned()).or_default().extend(ports);
        }
    }
}

/// Returns what the scheduler reserves for a pod, by resource in base units: containers and sidecars together, or the
/// greediest init container with the sidecars started before it, plus the runtime's overhead; and one pod slot.
pub fn requests(spec: &api::PodSpec) -> BTreeMap<String, f64> {
    let of = |container: &api::Container| -> BTreeMap<String, f64> {
        let Some(resources) = &container.resources else { return BTreeMap::new() };
        // A limit without a request is the request: the API fills it in, but templates and old objects may lack it.
        let mut found: BTreeMap<String, f64> = BTreeMap::new();
        for list in [&resources.limits, &resources.requests].into_iter().flatten() {
            found.extend(list.iter().filter_map(|(name, q)| Some((name.clone(), quantity::value(q)?))));
        }
        found
    };
    let add = |to: &mut BTreeMap<String, f64>, what: &BTreeMap<String, f64>| {
        for (name, amount) in what {
            *to.entry(name.clone()).or_default() += amount;
        }
    };
    let mut sum = BTreeMap::new();
    for container in &spec.containers {
        add(&mut sum, &of(container));
    }
    let (mut sidecars, mut peak) = (BTreeMap::new(), BTreeMap::<String, f64>::new());
    for container in spec.init_containers.as_deref().unwrap_or_default() {
        let mut with_sidecars = of(container);
        if container.restart_policy.as_deref() == Some("Always") {
            add(&mut sidecars, &with_sidecars);
            continue;
        }
        add(&mut with_sidecars, &sidecars);
        for (name, amount) in with_sidecars {
            let most = peak.entry(name).or_default();
            *most = most.max(amount);
        }
    }
    add(&mut sum, &sidecars);
    for (name, amount) in peak {
        let total = sum.entry(name).or_default();
        *total = total.max(amount);
    }
    // Resources of the pod as a whole (1.32 and later) replace the sum of its containers.
    if let Some(of_pod) = spec.resources.as_ref().and_then(|resources| resources.requests.as_ref()) {
        sum.extend(of_pod.iter().filter_map(|(name, q)| Some((name.clone(), quantity::value(q)?))));
    }
    for (name, amount) in spec.overhead.iter().flatten() {
        *sum.entry(name.clone()).or_default() += quantity::value(amount).unwrap_or(0.0);
    }
    sum.insert("pods".to_owned(), 1.0);
    sum.retain(|_, amount| *amount > 0.0);
    sum
}

/// A port of the node itself that a pod binds.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct HostPort {
    /// Empty = every address of the node.
    pub address: String,
    pub protocol: String,
    pub port: i32,
    /// `namespace/name` of the pod.
    pub holder: String,
}

impl HostPort {
    /// Returns true where two pods with these ports cannot be on one node.
    pub fn clashes_with(&self, other: &HostPort) -> bool {
        self.port == other.port
            && self.protocol == other.protocol
            && (self.address.is_empty() || other.address.is_empty() || self.address == other.address)
    }
}

/// Returns the host ports that a pod binds.
pub fn host_ports(pod: PodView<'_>) -> Vec<HostPort> {
    let Some(spec) = pod.spec() else { return Vec::new() };
    let sidecars = spec.init_containers.iter().flatten().filter(|c| c.restart_policy.as_deref() == Some("Always"));
    spec.containers
        .iter()
        .chain(sidecars)
        .flat_map(|container| container.ports.iter().flatten())
        .filter_map(|port| {
            let number = port.host_port.filter(|port| *port > 0)?;
            Some(HostPort {
                address: port.host_ip.clone().filter(|ip| ip != "0.0.0.0").unwrap_or_default(),
                protocol: port.protocol.clone().unwrap_or_else(|| "TCP".to_owned()),
                port: number,
                holder: format!("{}/{}", pod.namespace(), pod.name()),
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sidecars_count_beside_the_app_and_init_containers_by_their_peak() {
        let spec: api::PodSpec = serde_json::from_str(
            r#"{"overhead": {"cpu": "100m"},
                "initContainers": [
                    {"name": "mesh", "restartPolicy": "Always", "resources": {"requests": {"cpu": "200m"}}},
                    {"name": "once", "resources": {"requests": {"cpu": "1"}}}],
                "containers": [{"name": "app", "resources": {"limits": {"cpu": "500m"}}}]}"#,
        )
        .unwrap();
        let cpu = requests(&spec)["cpu"];
        assert!((cpu - 1.3).abs() < 1e-9, "{cpu}");
    }

    #[test]
    fn ports_clash_on_the_same_address_only() {
        let port = |address: &str, protocol: &str| HostPort {
            address: address.into(),
            protocol: protocol.into(),
            port: 80,
            holder: String::new(),
        };
        assert!(port("", "TCP").clashes_with(&port("10.0.0.1", "TCP")));
        assert!(!port("10.0.0.2", "TCP").clashes_with(&port("10.0.0.1", "TCP")));
        assert!(!port("", "UDP").clashes_with(&port("", "TCP")));
    }
}
