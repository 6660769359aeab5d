//! What a team's own causes call for.

use super::{Need, collection, events_of, log, node_events, object, owner};
use crate::cluster::Resource;
use crate::diagnosis::Catalogue;
use crate::facts::Facts;

/// Asks for what a team's own causes hang on and was not read.
pub fn of_custom(facts: &Facts<'_>, catalogue: &Catalogue) -> Vec<Need> {
    let needs = catalogue.wants(facts).into_iter().filter_map(|want| {
        let workload = || facts.workload();
        match (want.variable, facts.pod()) {
            ("namespaceObject", _) => Some(object(Resource::Namespaces, "", facts.namespace())),
            ("node", Some(pod)) => Some(object(Resource::Nodes, "", pod.node_name()?)),
            ("nodeEvents", Some(pod)) => node_events(pod),
            ("claims", Some(pod)) => Some(collection(Resource::PersistentVolumeClaims, pod.namespace())),
            ("owner", Some(pod)) => owner(pod),
            ("owner", None) => {
                let workload = workload();
                Some(object(Resource::of_kind(&workload.kind)?, &workload.namespace, &workload.name))
            }
            ("events", Some(pod)) => Some(events_of("Pod", pod.namespace(), pod.name())),
            ("events", None) => {
                let workload = workload();
                Some(events_of(&workload.kind, &workload.namespace, &workload.name))
            }
            ("log", Some(pod)) => {
                let container =
                    pod.containers().find(|container| Some(container.name()) == want.container.as_deref())?;
                Some(log(pod, container, container.latest_end().is_some() && container.end().is_none()))
            }
            _ => None,
        }
    });
    needs.collect()
}
