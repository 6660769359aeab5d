//! ConfigMaps that were changed shortly before a container came to grief over what it read there.

use super::{Chapter, SKEW, SOON, Topic, ages};
use crate::diagnosis::Phase;
use crate::diagnosis::finding::Finding;
use crate::diagnosis::words::Words;
use crate::facts::{Facts, PodView};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Container;
use std::collections::BTreeSet;

/// Returns the newest change of a ConfigMap that the failing container reads, where the trouble began soon after it.
///
/// When it was changed is told by its managed fields, never what: values of ConfigMaps are not kept.
pub fn of(facts: &Facts<'_>, lead: &Finding, began: Option<Timestamp>) -> Option<Chapter> {
    let reads = [Phase::Crashing, Phase::Probes, Phase::Creating].iter().any(|phase| lead.cause.phases.contains(phase));
    let (pod, began) = (facts.pod().filter(|_| reads)?, began?);
    let changed = names(pod, lead.container.as_deref()).into_iter().filter_map(|name| {
        let at = facts.world.config_maps.get(pod.namespace(), name).present()?.changed?;
        let before = began.duration_since(at);
        (before >= -SKEW && before <= SOON && at <= facts.now).then_some((at, name))
    });
    let (at, name) = changed.max()?;
    let name: String = name.chars().filter(|c| *c != '`' && !c.is_control()).collect();
    let (en_age, zh_age) = ages(began.duration_since(at));
    let text = Words::new(
        format!("Began {en_age} ConfigMap `{name}`, which it reads, was changed"),
        format!("始于其读取的 ConfigMap `{name}` 被修改{zh_age}"),
    );
    Some(Chapter { topic: Topic::Config, text, at: Some(at), command: None })
}

/// Returns the ConfigMaps that a container reads, or without one any of the pod's containers.
fn names<'w>(pod: PodView<'w>, container: Option<&str>) -> BTreeSet<&'w str> {
    let containers: Vec<&Container> =
        pod.containers().map(|c| c.spec).filter(|c| container.is_none_or(|name| c.name == name)).collect();
    let mounts: BTreeSet<&str> = containers
        .iter()
        .copied()
        .flat_map(|c| c.volume_mounts.iter().flatten())
        .map(|mount| mount.name.as_str())
        .collect();
    let volumes = pod.spec().and_then(|spec| spec.volumes.as_deref()).unwrap_or_default();
    let mounted = volumes.iter().filter(|volume| mounts.contains(volume.name.as_str())).flat_map(|volume| {
        let projected = volume.projected.iter().flat_map(|source| source.sources.iter().flatten());
        let projected = projected.filter_map(|source| Some(source.config_map.as_ref()?.name.as_str()));
        volume.config_map.iter().map(|source| source.name.as_str()).chain(projected)
    });
    let all = containers.iter().copied().flat_map(|c| c.env_from.iter().flatten());
    let all = all.filter_map(|source| Some(source.config_map_ref.as_ref()?.name.as_str()));
    let single = containers
        .iter()
        .copied()
        .flat_map(|c| c.env.iter().flatten())
        .filter_map(|variable| Some(variable.value_from.as_ref()?.config_map_key_ref.as_ref()?.name.as_str()));
    mounted.chain(all).chain(single).collect()
}
