//! A world from what somebody pasted, and what they ask about by pasting it.

use super::snapshot;
use crate::facts::World;
use crate::facts::intake::Met;
use crate::facts::pasted::Pasted;
use crate::target::{self, Target};
use jiff::Timestamp;

/// What a pasted text holds.
#[derive(Debug)]
pub struct Paste {
    pub world: World,
    /// The one object it describes; of several their namespace, or all. `None` = it tells of no pod and no workload.
    pub target: Option<Target>,
}

/// Reads a text that was printed at `now`; `None` where it holds nothing that kubectl prints.
pub fn read(text: &str, now: Timestamp) -> Option<Paste> {
    let mut pasted = Pasted::default();
    let objects = pasted.read(text, now);
    let (mut world, mut met, mut newest) = (World::default(), Met::default(), None);
    for text in &objects {
        // What cannot be read of it is missing, so unreadable; the person sees their own text.
        let _ = snapshot::take_text(&mut world, &mut met, &mut newest, text);
    }
    if pasted.is_empty() && met.kinds.is_empty() {
        return None;
    }
    world.conclude(&met);
    let subjects = pasted.subjects();
    let namespaces = pasted.namespaces();
    pasted.finish(&mut world);
    world.sort_events();
    let target = about(&world, &subjects, &namespaces);
    Some(Paste { world, target })
}

/// Returns what a text is about: the pod it describes, the workload where it describes no pod, else where its pods are.
pub fn about(world: &World, subjects: &[crate::facts::pasted::Subject], namespaces: &[String]) -> Option<Target> {
    let pods: Vec<_> = subjects.iter().filter(|subject| subject.kind == "Pod").collect();
    if let [pod] = pods[..] {
        return target::parse(&format!("{}/{}", pod.namespace, pod.name)).ok();
    }
    if pods.is_empty() {
        let is_workload =
            |kind: &str| matches!(kind, "Deployment" | "ReplicaSet" | "StatefulSet" | "DaemonSet" | "Job" | "CronJob");
        let mut workloads = subjects.iter().filter(|subject| is_workload(&subject.kind));
        // A Deployment is described before its ReplicaSets where somebody describes both.
        if let Some(first) = workloads.next() {
            return target::parse(&format!("{}/{}/{}", first.namespace, first.kind.to_lowercase(), first.name)).ok();
        }
    }
    let mut places: Vec<&str> = world.pods.seen().filter_map(|pod| pod.metadata.namespace.as_deref()).collect();
    places.extend(namespaces.iter().map(String::as_str).filter(|_| subjects.is_empty()));
    places.sort_unstable();
    places.dedup();
    match (places[..].len(), world.pods.len()) {
        (0, _) => None,
        (1, 1) => {
            let name = world.pods.seen().next()?.metadata.name.clone()?;
            target::parse(&format!("{}/{name}", places[0])).ok()
        }
        (1, _) => target::parse(places[0]).ok(),
        _ => target::parse("*").ok(),
    }
}
