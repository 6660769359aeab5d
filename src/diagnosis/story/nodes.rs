//! What happened to nodes: joined, cordoned, drained, or in a bad condition since.

use super::{Chapter, SKEW, SOON, Topic, ages};
use crate::diagnosis::finding::Finding;
use crate::diagnosis::words::Words;
use crate::diagnosis::{Phase, kubectl};
use crate::facts::{Facts, PodView, node};
use jiff::{SignedDuration, Timestamp};

/// The conditions of a node that are bad when they hold.
const BAD: [&str; 4] = ["MemoryPressure", "DiskPressure", "PIDPressure", "NetworkUnavailable"];

/// Returns what happened to the nodes that a finding has to do with.
pub fn of(facts: &Facts<'_>, lead: &Finding, began: Option<Timestamp>) -> Vec<Chapter> {
    let Some(pod) = facts.pod() else { return Vec::new() };
    let is = |phase| lead.cause.phases.contains(&phase);
    if is(Phase::Scheduling) {
        return of_cordon(facts, pod).into_iter().collect();
    }
    let joined = joined(facts, pod).filter(|_| is(Phase::Creating));
    let drained = drained(facts, pod).filter(|_| is(Phase::Stopping) || is(Phase::Node));
    let condition = condition(facts, began).filter(|_| !is(Phase::Images) && !is(Phase::Admission) && !is(Phase::Node));
    [joined, drained, condition].into_iter().flatten().collect()
}

/// The pod came to a node that had just joined.
fn joined(facts: &Facts<'_>, pod: PodView<'_>) -> Option<Chapter> {
    let node = facts.node().present()?;
    let joined = node.metadata.creation_timestamp.as_ref()?.0;
    let bound = pod.scheduled_at()?;
    let after = bound.duration_since(joined);
    if after.is_negative() || after > SOON {
        return None;
    }
    let ((en_age, zh_age), name) = (ages(after), node::name(node));
    let text = Words::new(
        format!("Node `{name}` is new: the pod came {en_age} it joined the cluster"),
        format!("节点 `{name}` 是新加入的：Pod 在它加入集群{zh_age}被调度到此"),
    );
    Some(Chapter { topic: Topic::Node, text, at: Some(joined), command: None })
}

/// The pod was evicted by way of the API while its node was cordoned, which is what a drain does.
fn drained(facts: &Facts<'_>, pod: PodView<'_>) -> Option<Chapter> {
    let evicted = pod.condition("DisruptionTarget").filter(|condition| {
        condition.status == "True" && condition.reason.as_deref() == Some("EvictionByEvictionAPI")
    })?;
    let at = evicted.last_transition_time.as_ref()?.0;
    let node = facts.node().present().filter(|node| node::is_cordoned(node))?;
    let name = node::name(node);
    let text = match cordoned_at(node) {
        Some(cordoned) if cordoned <= at + SKEW => {
            let (en_age, zh_age) = ages(at.duration_since(cordoned));
            Words::new(
                format!("Node `{name}` is being drained: the pod was evicted {en_age} it was cordoned"),
                format!("节点 `{name}` 正在被排空：Pod 在它停止调度{zh_age}被驱逐"),
            )
        }
        _ => Words::new(
            format!("Node `{name}` is being drained: it is cordoned, and the pod was evicted by way of the API"),
            format!("节点 `{name}` 正在被排空：它已停止调度，Pod 通过 API 被驱逐"),
        ),
    };
    Some(Chapter { topic: Topic::Node, text, at: Some(at), command: None })
}

/// A bad condition of the pod's node that was there when the trouble began, or came within minutes before.
fn condition(facts: &Facts<'_>, began: Option<Timestamp>) -> Option<Chapter> {
    let (node, began) = (facts.node().present()?, began?);
    let bad =
        node.status.as_ref()?.conditions.as_deref().unwrap_or_default().iter().filter(|condition| {
            match condition.type_.as_str() {
                "Ready" => condition.status != "True",
                kind => BAD.contains(&kind) && condition.status == "True",
            }
        });
    let since = |condition: &&k8s_openapi::api::core::v1::NodeCondition| {
        let at = condition.last_transition_time.as_ref()?.0;
        let before = began.duration_since(at);
        (before >= -SKEW && before <= SOON && at <= facts.now).then_some(at)
    };
    let (condition, at) =
        bad.filter_map(|condition| Some((condition, since(&condition)?))).min_by_key(|(_, at)| *at)?;
    let (name, kind) = (node::name(node), condition.type_.as_str());
    let (en_state, zh_state) = match kind {
        "Ready" => ("has not been ready".to_owned(), "未就绪".to_owned()),
        kind => (format!("has had {kind}"), format!("处于 {kind}")),
    };
    let ((en_for, zh_for), before) = (lasting(facts.now.duration_since(at)), began.duration_since(at));
    let (en, zh) = match before.as_secs() {
        ..=60 => (", since the trouble began".to_owned(), "，与故障同时开始".to_owned()),
        seconds => {
            let (en, zh) = lasting(SignedDuration::from_secs(seconds));
            (format!(", since {en} before the trouble began"), format!("，早于故障 {zh}"))
        }
    };
    let text = Words::new(
        format!("Node `{name}` {en_state} for {en_for}{en}"),
        format!("节点 `{name}` {zh_state} 已 {zh_for}{zh}"),
    );
    Some(Chapter { topic: Topic::Node, text, at: Some(at), command: None })
}

fn lasting(length: SignedDuration) -> (String, String) {
    let seconds = length.as_secs().max(0);
    match (seconds / 3_600, seconds / 60) {
        (0, 0) => (format!("{seconds} s"), format!("{seconds} 秒")),
        (0, minutes) => (format!("{minutes} min"), format!("{minutes} 分钟")),
        (hours @ 1..48, _) => (format!("{hours} h"), format!("{hours} 小时")),
        (hours, _) => (format!("{} days", hours / 24), format!("{} 天", hours / 24)),
    }
}

/// Returns when a node was cordoned: the taint of a cordon carries its time.
fn cordoned_at(node: &k8s_openapi::api::core::v1::Node) -> Option<Timestamp> {
    let taint = node::taints(node).iter().find(|taint| taint.key == "node.kubernetes.io/unschedulable")?;
    Some(taint.time_added.as_ref()?.0)
}

/// Returns which nodes were cordoned shortly before the pod was made.
fn of_cordon(facts: &Facts<'_>, pod: PodView<'_>) -> Option<Chapter> {
    let made = pod.created()?;
    let mut cordoned: Vec<(Timestamp, &str)> = facts
        .world
        .nodes
        .seen()
        .filter(|node| node::is_cordoned(node))
        .filter_map(|node| {
            let at = cordoned_at(node)?;
            let before = made.duration_since(at);
            (before >= -SKEW && before <= SOON).then_some((at, node::name(node)))
        })
        .collect();
    cordoned.sort_unstable();
    let (first, _) = *cordoned.first()?;
    let names: Vec<String> = cordoned.iter().take(3).map(|(_, name)| format!("`{name}`")).collect();
    let more = cordoned.len().saturating_sub(names.len());
    let (en_age, zh_age) = ages(made.duration_since(first));
    let and = if more > 0 {
        (format!(" and {more} more"), format!(" 等共 {} 个", cordoned.len()))
    } else {
        Default::default()
    };
    let text = Words::new(
        format!("The pod was made {en_age} {}{} was cordoned", names.join(", "), and.0),
        format!("节点 {}{} 被停止调度{zh_age}，此 Pod 被创建", names.join("、"), and.1),
    );
    let command = match cordoned[..] {
        [(_, only)] => Some(format!("kubectl uncordon {}", kubectl::quoted(only))),
        _ => None,
    };
    Some(Chapter { topic: Topic::Node, text, at: Some(first), command })
}
