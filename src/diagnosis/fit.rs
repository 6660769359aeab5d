//! Which nodes a pod fits, computed anew from the objects: what the scheduler's sentence hides.
//!
//! Each node tells the scheduler only its first reason, without amounts and lately without names. Here every check that
//! needs no more than the pod, the node and the pods on it is made for every node that was read: cordon, taints,
//! selector and required node affinity, resources, host ports, the place of bound volumes.
//! Rules between pods (affinity, spread) are not computed: they need every pod of the cluster.

use crate::facts::load::{self, HostPort};
use crate::facts::{Facts, Part, PodView, World, node, quantity};
use k8s_openapi::api::core::v1::{self as api, Node};
use std::collections::BTreeMap;

mod words;

pub use words::resource_zh;

/// One reason why a node does not take the pod.
#[derive(Debug, Clone, PartialEq)]
pub enum Misfit<'w> {
    Cordoned,
    Taint(&'w api::Taint),
    /// Labels that the selector or the required affinity asks for and the node does not carry.
    Labels(Vec<LabelMiss>),
    /// Too little of a resource is left; amounts in base units.
    Short {
        resource: String,
        wanted: f64,
        free: f64,
        allocatable: f64,
        /// The node has none of the resource at all: no device plugin, no such device.
        unknown: bool,
    },
    HostPort {
        port: i32,
        /// `namespace/name` of the pod that holds it.
        holder: String,
    },
    /// A bound volume cannot be reached from the node.
    Volume {
        volume: String,
        wants: String,
    },
}

/// A label that is asked for, and what the node has instead.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct LabelMiss {
    /// `disktype=ssd`, `zone in (a, b)`, `gpu exists`.
    pub wanted: String,
    pub key: String,
    /// The node's value of the key; `None` = the node lacks the label.
    pub has: Option<String>,
}

/// A node and every reason against it; none = it fits as far as can be seen.
#[derive(Debug, Clone)]
pub struct NodeFit<'w> {
    pub node: &'w Node,
    pub misfits: Vec<Misfit<'w>>,
}

/// Every node that was read, held against the pod.
#[derive(Debug, Clone)]
pub struct Fit<'w> {
    pub nodes: Vec<NodeFit<'w>>,
    /// Every pod of the cluster was read, so what is free on a node is known and not just bounded from above.
    pub all_pods_read: bool,
}

/// Holds the pod against every node that was read; `None` where none was.
pub fn compute<'w>(facts: &Facts<'w>, pod: PodView<'w>) -> Option<Fit<'w>> {
    let world = facts.world;
    // A row shows neither what a pod asks for nor what a node has.
    let is_row = |kind: &str, namespace: &str, name: &str| {
        matches!(world.part(kind, namespace, name), Some(Part::Row | Part::Mention))
    };
    if world.nodes.is_empty()
        || is_row("Pod", pod.namespace(), pod.name())
        || world.nodes.seen().any(|node| is_row("Node", "", node::name(node)))
    {
        return None;
    }
    let spec = pod.spec()?;
    let tolerations = spec.tolerations.as_deref().unwrap_or_default();
    let wanted = load::requests(spec);
    let loads = world.loads();
    let ports = load::host_ports(pod);
    let volumes = bound_volumes(world, pod);
    let nodes = world
        .nodes
        .seen()
        .map(|node| {
            let mut misfits = Vec::new();
            if node::is_cordoned(node) && !tolerates_cordon(tolerations) {
                misfits.push(Misfit::Cordoned);
            }
            misfits.extend(untolerated(node, tolerations).map(Misfit::Taint));
            let labels = label_misses(node, spec);
            if !labels.is_empty() {
                misfits.push(Misfit::Labels(labels));
            }
            misfits.extend(shortages(node, &wanted, loads.reserved.get(node::name(node))));
            if let Some(taken) = loads.ports.get(node::name(node)) {
                misfits.extend(taken_ports(taken, &ports));
            }
            misfits.extend(volumes.iter().filter_map(|volume| unreachable(volume, node)));
            NodeFit { node, misfits }
        })
        .collect();
    Some(Fit { nodes, all_pods_read: world.pods.all().present().is_some() })
}

/// Returns the taints of a node that keep such a pod away, cordoning left out (that is a setting of its own).
pub fn untolerated<'w>(
    node: &'w Node,
    tolerations: &'w [api::Toleration],
) -> impl Iterator<Item = &'w api::Taint> + use<'w> {
    node::taints(node).iter().filter(|taint| {
        matches!(taint.effect.as_str(), "NoSchedule" | "NoExecute")
            && taint.key != "node.kubernetes.io/unschedulable"
            && !node::tolerated(taint, tolerations)
    })
}

fn tolerates_cordon(tolerations: &[api::Toleration]) -> bool {
    let cordon = api::Taint {
        key: "node.kubernetes.io/unschedulable".to_owned(),
        effect: "NoSchedule".to_owned(),
        ..api::Taint::default()
    };
    node::tolerated(&cordon, tolerations)
}

fn shortages<'w>(
    node: &Node,
    wanted: &BTreeMap<String, f64>,
    taken: Option<&BTreeMap<String, f64>>,
) -> Vec<Misfit<'w>> {
    let Some(allocatable) = node.status.as_ref().and_then(|status| status.allocatable.as_ref()) else {
        return Vec::new();
    };
    wanted
        .iter()
        .filter_map(|(resource, wanted)| {
            let has = allocatable.get(resource).and_then(quantity::value);
            // Old nodes do not report ephemeral storage, small ones no pod slots: nothing is known then.
            if has.is_none() && matches!(resource.as_str(), "ephemeral-storage" | "pods") {
                return None;
            }
            let allocatable = has.unwrap_or(0.0);
            let free = allocatable - taken.and_then(|taken| taken.get(resource)).copied().unwrap_or(0.0);
            (*wanted > free + 1e-6).then(|| Misfit::Short {
                resource: resource.clone(),
                wanted: *wanted,
                free,
                allocatable,
                unknown: has.is_none(),
            })
        })
        .collect()
}

fn taken_ports<'w>(taken: &[HostPort], ports: &[HostPort]) -> Vec<Misfit<'w>> {
    taken
        .iter()
        .filter(|held| ports.iter().any(|wanted| wanted.clashes_with(held)))
        .map(|held| Misfit::HostPort { port: held.port, holder: held.holder.clone() })
        .collect()
}

/// Returns the labels that the selector and the required node affinity ask for and the node lacks; of several terms
/// (one is enough) those of the nearest.
pub fn label_misses(node: &Node, spec: &api::PodSpec) -> Vec<LabelMiss> {
    let mut misses: Vec<LabelMiss> = spec
        .node_selector
        .iter()
        .flatten()
        .filter_map(|(key, value)| {
            let has = label(node, key);
            (has != Some(value)).then(|| LabelMiss {
                wanted: format!("{key}={value}"),
                key: key.clone(),
                has: has.map(str::to_owned),
            })
        })
        .collect();
    if let Some(selector) = required_affinity(spec) {
        misses.extend(misses_of_terms(node, &selector.node_selector_terms));
    }
    misses
}

/// Returns the required node affinity.
pub fn required_affinity(spec: &api::PodSpec) -> Option<&api::NodeSelector> {
    spec.affinity.as_ref()?.node_affinity.as_ref()?.required_during_scheduling_ignored_during_execution.as_ref()
}

/// Returns the one node that the pod is meant for (pods of a DaemonSet), by its affinity's field `metadata.name`.
pub fn only_node(spec: &api::PodSpec) -> Option<&str> {
    let terms = &required_affinity(spec)?.node_selector_terms;
    let mut names = terms.iter().map(|term| {
        term.match_fields
            .iter()
            .flatten()
            .find(|field| field.key == "metadata.name" && field.operator == "In")
            .and_then(|field| field.values.as_deref()?.first().map(String::as_str))
    });
    let first = names.next()??;
    names.all(|name| name == Some(first)).then_some(first)
}

fn misses_of_terms(node: &Node, terms: &[api::NodeSelectorTerm]) -> Vec<LabelMiss> {
    terms
        .iter()
        // An empty term matches nothing.
        .filter(|term| term.match_expressions.is_some() || term.match_fields.is_some())
        .map(|term| {
            let labels = term.match_expressions.iter().flatten().map(|e| (e, label(node, &e.key)));
            let fields =
                term.match_fields.iter().flatten().map(|e| (e, (e.key == "metadata.name").then(|| node::name(node))));
            labels.chain(fields).filter_map(|(expression, has)| miss(expression, has)).collect::<Vec<_>>()
        })
        .min_by_key(Vec::len)
        .unwrap_or_default()
}

fn miss(expression: &api::NodeSelectorRequirement, has: Option<&str>) -> Option<LabelMiss> {
    let values = expression.values.as_deref().unwrap_or_default();
    let listed = |has: &str| values.iter().any(|value| value == has);
    let number = |text: Option<&str>| text.and_then(|text| text.parse::<i64>().ok());
    let bound = number(values.first().map(String::as_str));
    let met = match expression.operator.as_str() {
        "In" => has.is_some_and(listed),
        "NotIn" => !has.is_some_and(listed),
        "Exists" => has.is_some(),
        "DoesNotExist" => has.is_none(),
        "Gt" => number(has).zip(bound).is_some_and(|(has, bound)| has > bound),
        "Lt" => number(has).zip(bound).is_some_and(|(has, bound)| has < bound),
        // An operator of the future: nothing may be concluded.
        _ => true,
    };
    let key = &expression.key;
    let wanted = match (expression.operator.as_str(), values) {
        ("In", [only]) => format!("{key}={only}"),
        ("NotIn", [only]) => format!("{key}!={only}"),
        ("Exists", _) => format!("{key} (any value)"),
        ("DoesNotExist", _) => format!("no {key}"),
        (operator, values) => format!("{key} {} ({})", operator.to_lowercase(), values.join(", ")),
    };
    (!met).then(|| LabelMiss { wanted, key: key.clone(), has: has.map(str::to_owned) })
}

fn label<'w>(node: &'w Node, key: &str) -> Option<&'w str> {
    node.metadata.labels.as_ref()?.get(key).map(String::as_str)
}

/// A volume that a claim of the pod is bound to, and where it can be reached.
struct BoundVolume<'w> {
    name: &'w str,
    terms: Option<&'w [api::NodeSelectorTerm]>,
    /// Zone labels of the volume (before node affinity), or the zone in an AWS volume id.
    zones: Vec<String>,
}

fn bound_volumes<'w>(world: &'w World, pod: PodView<'w>) -> Vec<BoundVolume<'w>> {
    claims(pod)
        .filter_map(|claim| {
            let claim = world.claims.get(pod.namespace(), &claim).present()?;
            let name = claim.spec.as_ref()?.volume_name.as_deref().filter(|name| !name.is_empty())?;
            let volume = world.volumes.get("", name).present()?;
            let spec = volume.spec.as_ref()?;
            let terms = spec
                .node_affinity
                .as_ref()
                .and_then(|affinity| affinity.required.as_ref())
                .map(|required| required.node_selector_terms.as_slice());
            let mut zones: Vec<String> = ZONE_LABELS
                .iter()
                .filter_map(|key| volume.metadata.labels.as_ref()?.get(*key))
                .flat_map(|zones| zones.split("__").map(str::to_owned))
                .collect();
            if zones.is_empty()
                && let Some(disk) = &spec.aws_elastic_block_store
                && let Some((zone, _)) = disk.volume_id.strip_prefix("aws://").and_then(|rest| rest.split_once('/'))
                && !zone.is_empty()
            {
                zones.push(zone.to_owned());
            }
            Some(BoundVolume { name, terms, zones })
        })
        .collect()
}

/// Labels that carry a zone, new and old.
pub const ZONE_LABELS: [&str; 2] = ["topology.kubernetes.io/zone", "failure-domain.beta.kubernetes.io/zone"];

fn unreachable<'w>(volume: &BoundVolume<'_>, node: &Node) -> Option<Misfit<'w>> {
    if let Some(terms) = volume.terms {
        let misses = misses_of_terms(node, terms);
        if !misses.is_empty() {
            let wants = misses.iter().map(|miss| miss.wanted.as_str()).collect::<Vec<_>>().join(", ");
            return Some(Misfit::Volume { volume: volume.name.to_owned(), wants });
        }
    }
    let zone = ZONE_LABELS.iter().find_map(|key| label(node, key))?;
    (!volume.zones.is_empty() && !volume.zones.iter().any(|z| z == zone))
        .then(|| Misfit::Volume { volume: volume.name.to_owned(), wants: format!("zone {}", volume.zones.join("/")) })
}

/// Returns the names of the claims that the pod mounts, those of its ephemeral volumes among them.
pub fn claims<'w>(pod: PodView<'w>) -> impl Iterator<Item = String> + use<'w> {
    pod.spec().into_iter().flat_map(|spec| spec.volumes.iter().flatten()).filter_map(move |volume| {
        match (&volume.persistent_volume_claim, &volume.ephemeral) {
            (Some(source), _) => Some(source.claim_name.clone()),
            (None, Some(_)) => Some(format!("{}-{}", pod.name(), volume.name)),
            (None, None) => None,
        }
    })
}

impl<'w> Fit<'w> {
    /// Returns the nodes that take the pod as far as can be seen.
    pub fn fitting(&self) -> impl Iterator<Item = &NodeFit<'w>> {
        self.nodes.iter().filter(|fit| fit.misfits.is_empty())
    }

    /// Returns how many nodes have a reason of this sort.
    pub fn count(&self, is: impl Fn(&Misfit<'w>) -> bool) -> usize {
        self.nodes.iter().filter(|fit| fit.misfits.iter().any(&is)).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnosis::testing::world;
    use crate::facts::Subject;

    const NODES: &str = r"
apiVersion: v1
kind: Node
metadata: {name: a, labels: {disktype: hdd}}
status: {allocatable: {cpu: '2', memory: 4Gi, pods: '110'}}
---
apiVersion: v1
kind: Node
metadata: {name: b, labels: {disktype: ssd}}
spec: {taints: [{key: special, value: 'true', effect: NoSchedule}]}
status: {allocatable: {cpu: '2', memory: 4Gi, pods: '110'}}
---
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: prod}
spec:
  nodeSelector: {disktype: ssd}
  initContainers: [{name: once, image: x, resources: {requests: {memory: 5Gi}}}]
  containers: [{name: app, image: x, resources: {requests: {memory: 1Gi, cpu: 500m}}}]
---
apiVersion: v1
kind: Pod
metadata: {name: there, namespace: prod}
spec: {nodeName: a, containers: [{name: app, image: x, resources: {requests: {cpu: 1800m}}}]}
";

    #[test]
    fn says_why_for_each_group_of_nodes() {
        let world = world(NODES);
        let pod = PodView::new(world.pods.get("prod", "web").present().unwrap());
        let facts = Facts { now: "2026-01-01T00:00:00Z".parse().unwrap(), world: &world, subject: Subject::Pod(pod) };
        let fit = compute(&facts, pod).unwrap();
        assert_eq!(
            fit.words().en,
            "1 of 2 nodes: taint special=true:NoSchedule, 1Gi of memory short; 1: label disktype=ssd wanted, it has disktype=hdd, 300m of cpu short, 1Gi of memory short"
        );
        assert!(fit.words().zh.starts_with("2 个节点中 1 个：污点 special=true:NoSchedule，内存缺 1Gi"));
    }
}
