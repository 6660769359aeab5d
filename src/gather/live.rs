//! A world from a live cluster: only what a question's subject calls for, at most three round trips deep.

use super::needs::{self, Need};
use super::reader::{PAGE, Page, Reader};
use super::scan;
use crate::cluster::{Cluster, ReadError, Resource};
use crate::diagnosis::Catalogue;
use crate::facts::intake::{self, Met};
use crate::facts::{Facts, PodView, Subject, Workload, World};
use crate::question::{self, Answer};
use crate::target::{Kind, Target, What};
use jiff::Timestamp;
use std::time::Duration;
use tokio::time::Instant;

/// How many requests one question may cost.
pub const REQUESTS_PER_QUESTION: usize = 8;
/// How many round trips deep a question may go.
const ROUNDS: usize = 3;

/// Reads what a question needs. What is missing at the deadline is unreadable in the world that comes back.
///
/// # Errors
/// Where not even the subject could be read.
pub async fn gather(
    cluster: &Cluster,
    target: &Target,
    now: Timestamp,
    patience: Duration,
    catalogue: &Catalogue,
) -> Result<World, ReadError> {
    let deadline = Instant::now() + patience;
    match &target.what {
        What::Pod { namespace, prefix } => {
            let mut reader = Reader::new(cluster, deadline, REQUESTS_PER_QUESTION);
            pod(&mut reader, target, namespace, prefix, now, catalogue).await?;
            Ok(reader.world)
        }
        What::Workload { namespace, kind, name } => {
            let mut reader = Reader::new(cluster, deadline, REQUESTS_PER_QUESTION);
            workload(&mut reader, target, namespace, *kind, name, now, catalogue).await?;
            Ok(reader.world)
        }
        What::Namespace(namespace) => scan::scan(cluster, namespace, now, deadline, catalogue).await,
        What::Cluster => scan::scan(cluster, "", now, deadline, catalogue).await,
    }
}

async fn pod(
    reader: &mut Reader<'_>,
    target: &Target,
    namespace: &str,
    prefix: &str,
    now: Timestamp,
    catalogue: &Catalogue,
) -> Result<(), ReadError> {
    if is_start(prefix) {
        let names = pods_with_prefix(reader, namespace, prefix).await?;
        if reader.world.pods.seen_in(namespace).next().is_none() {
            return nothing_fits(reader, namespace, names).await;
        }
        // Like a pod asked for by its name, but without the events of what may be none.
        return look_closer(reader, target, now, catalogue, 1).await;
    }
    reader
        .read(vec![
            Need::Object { resource: Resource::Pods, namespace: namespace.to_owned(), name: prefix.to_owned() },
            Need::EventsOf { kind: "Pod".to_owned(), namespace: namespace.to_owned(), name: prefix.to_owned() },
        ])
        .await;
    let mut rounds = 1;
    if reader.world.pods.get(namespace, prefix).is_unreadable() {
        return Err(reader.failure("pods"));
    }
    if reader.world.pods.get(namespace, prefix).is_absent() {
        let names = pods_with_prefix(reader, namespace, prefix).await?;
        if reader.world.pods.seen_in(namespace).next().is_none() {
            return nothing_fits(reader, namespace, names).await;
        }
        rounds += 1;
    }
    look_closer(reader, target, now, catalogue, rounds).await
}

/// Returns true where a name is cut short for sure: no controller makes such a name for a pod.
///
/// Their pods end in five of the letters that Kubernetes takes for random names, or in a short number (a long one is a
/// template's hash). A pod of nobody's may have any name; then it is in the list as well.
fn is_start(name: &str) -> bool {
    let Some((_, end)) = name.rsplit_once('-') else { return true };
    let is_random = end.len() == 5 && end.chars().all(|c| "bcdfghjklmnpqrstvwxz2456789".contains(c));
    let is_ordinal = (1..=5).contains(&end.len()) && end.chars().all(|c| c.is_ascii_digit());
    !is_random && !is_ordinal
}

/// Reads what the pod's state calls for, round after round.
async fn look_closer(
    reader: &mut Reader<'_>,
    target: &Target,
    now: Timestamp,
    catalogue: &Catalogue,
    rounds: usize,
) -> Result<(), ReadError> {
    for _ in rounds..ROUNDS {
        let Some(pod) = chosen(&reader.world, target, now) else { break };
        let (namespace, name) = pod;
        let Some(object) = reader.world.pods.get(&namespace, &name).present() else { break };
        let facts = Facts { now, world: &reader.world, subject: Subject::Pod(PodView::new(object)) };
        let needs = needs::of(&facts, catalogue);
        if !reader.read(needs).await {
            break;
        }
    }
    Ok(())
}

/// Returns the pod that the question comes to, by what is known so far.
fn chosen(world: &World, target: &Target, now: Timestamp) -> Option<(String, String)> {
    // Which pod it comes to is a matter of symptoms; a team's own causes change nothing in it.
    match question::answer(world, now, target, &Catalogue::default()).ok()? {
        Answer::One { diagnosis, .. } if diagnosis.target.kind == "Pod" => {
            Some((diagnosis.target.namespace, diagnosis.target.name))
        }
        _ => None,
    }
}

/// Takes the pods whose names start with a prefix into the world; returns the names of all others.
async fn pods_with_prefix(reader: &mut Reader<'_>, namespace: &str, prefix: &str) -> Result<Vec<String>, ReadError> {
    #[derive(serde::Deserialize)]
    struct Named {
        metadata: Meta,
    }
    #[derive(serde::Deserialize)]
    struct Meta {
        name: String,
    }
    let (mut others, mut next) = (Vec::new(), String::new());
    loop {
        let mut query = vec![("limit", PAGE)];
        if !next.is_empty() {
            query.push(("continue", next.as_str()));
        }
        let text = reader.fetch(&Resource::Pods.list(namespace, &query)).await?;
        let list: Page<'_> = serde_json::from_str(&text).map_err(|e| ReadError::Other(e.to_string()))?;
        for item in list.items {
            let Ok(named) = serde_json::from_str::<Named>(item.get()) else { continue };
            if !named.metadata.name.starts_with(prefix) {
                others.push(named.metadata.name);
                continue;
            }
            intake::take_item(&mut reader.world, item, "Pod", None, &mut Met::default());
        }
        next = list.metadata.next;
        if next.is_empty() {
            return Ok(others);
        }
    }
}

/// Reads what exists instead, so that the answer can name what is nearest.
async fn nothing_fits(reader: &mut Reader<'_>, namespace: &str, names: Vec<String>) -> Result<(), ReadError> {
    if names.is_empty() {
        let all = Need::Collection { resource: Resource::Namespaces, namespace: String::new() };
        reader.read(vec![all]).await;
        return Ok(());
    }
    for name in names {
        let mut pod = k8s_openapi::api::core::v1::Pod::default();
        pod.metadata.name = Some(name.clone());
        pod.metadata.namespace = Some(namespace.to_owned());
        reader.world.pods.insert(namespace, &name, pod);
    }
    Ok(())
}

async fn workload(
    reader: &mut Reader<'_>,
    target: &Target,
    namespace: &str,
    kind: Kind,
    name: &str,
    now: Timestamp,
    catalogue: &Catalogue,
) -> Result<(), ReadError> {
    let resource =
        Resource::of_kind(kind.name()).ok_or_else(|| ReadError::Other(format!("{} cannot be read", kind.name())))?;
    reader
        .read(vec![
            Need::Object { resource, namespace: namespace.to_owned(), name: name.to_owned() },
            Need::EventsOf { kind: kind.name().to_owned(), namespace: namespace.to_owned(), name: name.to_owned() },
        ])
        .await;
    if let Some(error) = reader.fatal.clone() {
        return Err(error);
    }
    let selector = selector(&reader.world, namespace, kind, name);
    match selector {
        Some(selector) => {
            let mut needs = vec![selected(Resource::Pods, namespace, &selector)];
            match kind {
                Kind::Deployment => needs.push(selected(Resource::ReplicaSets, namespace, &selector)),
                Kind::CronJob => {
                    needs.push(Need::Collection { resource: Resource::Jobs, namespace: namespace.to_owned() });
                }
                _ => {}
            }
            reader.read(needs).await;
        }
        // No such workload, or only the start of its name: see which there are.
        None => {
            let all = |resource| Need::Collection { resource, namespace: namespace.to_owned() };
            reader.read(vec![all(resource), all(Resource::Pods)]).await;
        }
    }
    let subject = Workload { kind: kind.name().to_owned(), namespace: namespace.to_owned(), name: name.to_owned() };
    let mut wanted = needs::of(&Facts { now, world: &reader.world, subject: Subject::Workload(subject) }, catalogue);
    if let Some((namespace, name)) = chosen(&reader.world, target, now)
        && let Some(object) = reader.world.pods.get(&namespace, &name).present()
    {
        let facts = Facts { now, world: &reader.world, subject: Subject::Pod(PodView::new(object)) };
        wanted.extend(needs::of(&facts, catalogue));
    }
    reader.read(wanted).await;
    Ok(())
}

fn selected(resource: Resource, namespace: &str, selector: &str) -> Need {
    Need::Selected { resource, namespace: namespace.to_owned(), selector: selector.to_owned() }
}

/// Returns the label selector of a workload's pods, as the API takes it.
fn selector(world: &World, namespace: &str, kind: Kind, name: &str) -> Option<String> {
    let selector = match kind {
        Kind::Deployment => &world.deployments.get(namespace, name).present()?.spec.selector,
        Kind::StatefulSet => &world.stateful_sets.get(namespace, name).present()?.spec.selector,
        Kind::DaemonSet => &world.daemon_sets.get(namespace, name).present()?.spec.selector,
        Kind::ReplicaSet => &world.replica_sets.get(namespace, name).present()?.spec.selector,
        Kind::Job => world.jobs.get(namespace, name).present()?.spec.as_ref()?.selector.as_ref()?,
        Kind::ReplicationController => {
            let set = world.replication_controllers.get(namespace, name).present()?;
            let labels = set.spec.as_ref()?.selector.as_ref()?;
            return Some(labels.iter().map(|(k, v)| format!("{k}={v}")).collect::<Vec<_>>().join(","));
        }
        Kind::CronJob => return world.cron_jobs.get(namespace, name).present().map(|_| "job-name".to_owned()),
    };
    let equal = selector.match_labels.iter().flatten().map(|(k, v)| format!("{k}={v}"));
    let expressions = selector.match_expressions.iter().flatten().map(|e| {
        let values = e.values.as_deref().unwrap_or_default().join(",");
        match e.operator.as_str() {
            "In" => format!("{} in ({values})", e.key),
            "NotIn" => format!("{} notin ({values})", e.key),
            "DoesNotExist" => format!("!{}", e.key),
            _ => e.key.clone(),
        }
    });
    Some(equal.chain(expressions).collect::<Vec<_>>().join(","))
}

#[cfg(test)]
mod tests {
    use super::is_start;

    #[test]
    fn a_name_that_no_controller_makes_is_the_start_of_one() {
        for whole in ["web-5bd487cf9d-bqmvm", "db-0", "db-12345", "agent-x7k2p"] {
            assert!(!is_start(whole), "{whole}");
        }
        for start in ["web", "web-", "web-5bd487cf9d", "web-7675488687", "web-5bd487cf9d-bqm", "my-proxy", "web-5bd"] {
            assert!(is_start(start), "{start}");
        }
    }
}
