//! What a pod or workload waits for, where that is normal for now.

use super::standing;
use crate::diagnosis::Words;
use crate::diagnosis::causes::creating::step;
use crate::diagnosis::causes::{admission, probes, scheduling};
use crate::facts::reading::admission::Refusal;
use crate::facts::reading::log_error::{self, LogError, Tls};
use crate::facts::reading::mount::{self, MountFailure};
use crate::facts::{ContainerView, Event, Evidence, Facts, Part, PodView, Role, Stage, Subject, Workload, node};
use jiff::{SignedDuration, Timestamp};

/// A wait that is normal for now.
pub struct Wait {
    pub words: Words,
    pub evidence: Vec<Evidence>,
    /// Causes that show as well and are just what it waits for.
    pub explains: &'static [&'static str],
}

/// The scheduler looks at a new pod within milliseconds; a busy one within seconds.
const SCHEDULER_LOOKS: SignedDuration = SignedDuration::from_secs(60);
/// Volumes, network, image and start of an ordinary pod.
const CREATING: SignedDuration = SignedDuration::from_mins(5);
/// From the end of the grace period to the object's removal.
const CLEANING_UP: SignedDuration = SignedDuration::from_secs(30);
/// An application that states no allowance of its own.
const WARMING_UP: SignedDuration = SignedDuration::from_mins(2);
/// `--max-node-provision-time` of cluster-autoscaler; Karpenter gives a node claim as long.
const NODE_ORDERED: SignedDuration = SignedDuration::from_mins(15);
/// From a node's registration until its agents run and its serving certificate is signed.
const NODE_SETTLES: SignedDuration = SignedDuration::from_mins(3);
/// What a Deployment may take without progress where it sets no `progressDeadlineSeconds`.
const PROGRESS_DEADLINE: i64 = 600;

/// Returns what the subject normally waits for; `None` = it does not wait, or for too long, or something is wrong.
pub fn of(facts: &Facts<'_>) -> Option<Wait> {
    match &facts.subject {
        Subject::Pod(pod) => pod_waits(facts, *pod),
        Subject::Workload(workload) => workload_waits(facts, workload),
    }
}

fn pod_waits(facts: &Facts<'_>, pod: PodView<'_>) -> Option<Wait> {
    let node = facts.node();
    let node_lost =
        pod.node_name().is_some() && (node.is_absent() || node.present().is_some_and(|node| !node::is_ready(node)));
    match pod.stage() {
        // A row does not say since when, and describe not until when: then at least its node must be known to be well.
        Stage::Terminating if matches!(facts.part(), Some(Part::Row | Part::Mention)) => None,
        Stage::Terminating if facts.part().is_some() && node.present().is_none() => None,
        Stage::Terminating if !node_lost => stops(facts, pod),
        Stage::Unscheduled => unscheduled(facts, pod),
        Stage::Creating if !node_lost => creating(facts, pod),
        Stage::Running if !node_lost => warms_up(facts, pod).or_else(|| certificate_in_flight(facts, pod)),
        _ => None,
    }
}

fn wait(en: String, zh: String, evidence: impl IntoIterator<Item = Evidence>) -> Wait {
    Wait { words: Words::new(en, zh), evidence: evidence.into_iter().collect(), explains: &[] }
}

fn stops(facts: &Facts<'_>, pod: PodView<'_>) -> Option<Wait> {
    let deadline = pod.deletion_deadline()?;
    let left = deadline.duration_since(facts.now);
    if left < -CLEANING_UP {
        return None;
    }
    let grace = pod.grace().as_secs();
    let evidence = [Evidence::field(
        "pod.metadata.deletionTimestamp",
        format!("{deadline} (grace period {grace} s)"),
        pod.deletion_asked(),
    )];
    Some(if left.is_positive() {
        wait(
            format!(
                "Pod {} is stopping, within its grace period of {grace} s ({} s left).",
                pod.name(),
                left.as_secs()
            ),
            format!("Pod {} 正在停止，仍在 {grace} 秒的宽限期内（还剩 {} 秒）。", pod.name(), left.as_secs()),
            evidence,
        )
    } else {
        wait(
            format!("Pod {}'s grace period of {grace} s has just ended, it is being cleaned up.", pod.name()),
            format!("Pod {} 的 {grace} 秒宽限期刚结束，正在清理。", pod.name()),
            evidence,
        )
    })
}

fn unscheduled(facts: &Facts<'_>, pod: PodView<'_>) -> Option<Wait> {
    if pod.spec()?.scheduling_gates.as_ref().is_some_and(|gates| !gates.is_empty()) {
        return None;
    }
    if let Some(wait) = node_ordered(facts, pod) {
        return Some(wait);
    }
    let Some(picture) = scheduling::picture(facts) else {
        let age = pod.age(facts.now);
        // A claim that does not exist holds the pod back before any scheduler sees it.
        let claims = pod.spec()?.resource_claims.as_ref().is_some_and(|claims| !claims.is_empty());
        let looks_within = if claims { SCHEDULER_LOOKS / 6 } else { SCHEDULER_LOOKS };
        let young = pod.created().is_some() && age < looks_within;
        return (young && scheduling::said(facts).is_none()).then(|| {
            wait(
                format!("Pod {} was made {} s ago, the scheduler has not looked at it yet.", pod.name(), age.as_secs()),
                format!("Pod {} 创建于 {} 秒前，调度器还没有处理它。", pod.name(), age.as_secs()),
                pod.created().map(|at| Evidence::field("pod.metadata.creationTimestamp", at, Some(at))),
            )
        });
    };
    let mut found = scheduling::nodes_settle(facts, &picture, NODE_SETTLES)
        .map(|evidence| {
            wait(
                format!("Pod {} waits for a node that has just joined to become ready.", pod.name()),
                format!("Pod {} 正在等待刚加入的节点就绪。", pod.name()),
                evidence,
            )
        })
        .or_else(|| {
            let event = scheduling::being_provisioned(facts, &picture, SignedDuration::from_mins(2))?;
            Some(wait(
                format!("Pod {} waits for its volume, which is being provisioned.", pod.name()),
                format!("Pod {} 正在等待存储卷创建完成。", pod.name()),
                [event.evidence()],
            ))
        })?;
    found.explains = scheduling::IDS;
    Some(found)
}

/// An autoscaler has ordered a node for the pod and it may still be on its way.
fn node_ordered(facts: &Facts<'_>, pod: PodView<'_>) -> Option<Wait> {
    let orders = |event: &&Event| {
        event.reason == "TriggeredScaleUp" || (event.reason == "Nominated" && event.component.contains("karpenter"))
    };
    let first = pod.events_seen(facts.world).find(orders)?;
    let last = pod.events_seen(facts.world).filter(orders).last()?;
    // Ordered again and again, or long ago: the node does not come, or does not help.
    let since = first.first.or(first.last)?;
    if facts.since(since) >= NODE_ORDERED || facts.since(since).is_negative() {
        return None;
    }
    // A later refusal overrules the order.
    let refused = |reason| pod.last_event(facts.world, reason).is_some_and(|event| event.last > last.last);
    if refused("NotTriggerScaleUp") || refused("FailedScaleUp") {
        return None;
    }
    let minutes = facts.since(since).as_secs() / 60;
    let mut wait = wait(
        format!("Pod {} waits for a new node that the autoscaler ordered {minutes} min ago.", pod.name()),
        format!("Pod {} 正在等待自动扩容的新节点（{minutes} 分钟前触发）。", pod.name()),
        [last.evidence()],
    );
    wait.explains = scheduling::IDS;
    Some(wait)
}

fn creating(facts: &Facts<'_>, pod: PodView<'_>) -> Option<Wait> {
    let scheduled = pod.scheduled_at()?;
    if is_troubled(facts, pod, scheduled) {
        return None;
    }
    if let Some(init) = pod.blocking_init_container()
        && let Some(Some(since)) = init.running_since()
    {
        let for_now = facts.since(since);
        return (for_now < CREATING).then(|| {
            wait(
                format!("Init container {} of pod {} is at work for {} s.", init.name(), pod.name(), for_now.as_secs()),
                format!("Pod {} 的初始化容器 {} 已运行 {} 秒。", pod.name(), init.name(), for_now.as_secs()),
                [init.state("state.running.startedAt", since, Some(since))],
            )
        });
    }
    let pulling = pod.events_seen(facts.world).filter(|e| matches!(e.reason.as_str(), "Pulling" | "Pulled")).last();
    let pulling = pulling.filter(|event| event.reason == "Pulling");
    let attached = pod.last_event(facts.world, "SuccessfulAttachVolume").and_then(|event| event.last);
    let since = pulling.and_then(|event| event.last).max(attached).unwrap_or(scheduled);
    let for_now = facts.since(since);
    if for_now >= CREATING {
        return None;
    }
    let seconds = for_now.as_secs();
    Some(match pulling {
        Some(event) => wait(
            format!("Pod {} is pulling an image for {seconds} s.", pod.name()),
            format!("Pod {} 正在拉取镜像，已用 {seconds} 秒。", pod.name()),
            [event.evidence()],
        ),
        None => wait(
            format!("Pod {} was placed {seconds} s ago and is being started.", pod.name()),
            format!("Pod {} 在 {seconds} 秒前完成调度，正在启动。", pod.name()),
            pod.condition_evidence("PodScheduled"),
        ),
    })
}

/// Returns true where something has already gone wrong since the pod was placed.
fn is_troubled(facts: &Facts<'_>, pod: PodView<'_>, scheduled: Timestamp) -> bool {
    let container_fails = |container: ContainerView<'_>| {
        container.restarts() > 0
            || container.latest_end().is_some_and(|end| end.exit_code != 0)
            || container
                .waiting()
                .filter(|waiting| !matches!(waiting.reason, "" | "ContainerCreating" | "PodInitializing"))
                .is_some_and(|waiting| !is_cache_filling(waiting.message))
    };
    pod.containers().any(container_fails)
        || pod.events_seen(facts.world).filter(|event| event.last.is_none_or(|last| last >= scheduled)).any(|event| {
            let passes = is_passing(event) || is_overcome(facts, pod, event) || is_warming(facts, event);
            event.warning && !passes
        })
}

/// The kubelet has just begun to watch the ConfigMap or Secret and tries again at once; one that does not exist reads
/// otherwise ("not found").
fn is_cache_filling(text: &str) -> bool {
    text.contains("failed to sync") && text.contains("cache: timed out waiting for the condition")
}

/// Returns true where a failed attach, or the mere wait for it, was followed by the disk's attachment.
fn is_overcome(facts: &Facts<'_>, pod: PodView<'_>, event: &Event) -> bool {
    let waits_for_attach = match event.reason.as_str() {
        "FailedAttachVolume" => true,
        "FailedMount" => mount::mount_error(event.text()).failure == MountFailure::TimedOut,
        _ => false,
    };
    waits_for_attach
        && step::attaches(facts).is_empty()
        && pod.last_event(facts.world, "SuccessfulAttachVolume").is_some_and(|attached| attached.last > event.last)
}

/// Warnings that healthy pods show while they start.
fn is_passing(event: &Event) -> bool {
    let text = event.text();
    match event.reason.as_str() {
        // From before it was placed: the condition says that it is.
        "FailedScheduling" => true,
        "FailedMount" => is_cache_filling(text) || text.contains("not registered"),
        "Failed" => is_cache_filling(text),
        "Unhealthy" => text.contains("connection refused") || event.count < 3,
        "FailedToRetrieveImagePullSecret" => true,
        _ => false,
    }
}

/// A probe that is not the pod's trouble, since it is not due yet.
fn is_warming(facts: &Facts<'_>, event: &Event) -> bool {
    event.reason == "Unhealthy" && probes::failing(facts).is_empty()
}

fn warms_up(facts: &Facts<'_>, pod: PodView<'_>) -> Option<Wait> {
    if pod.is("Ready") || pod.phase() != "Running" {
        return None;
    }
    let scheduled = pod.scheduled_at()?;
    if is_troubled(facts, pod, scheduled) || killed_by_probe(facts, pod) {
        return None;
    }
    let late = |container: &ContainerView<'_>| !container.ready() && container.role != Role::Init;
    let mut unready = pod.containers().filter(late).peekable();
    if unready.peek().is_none() {
        return gates_open(facts, pod);
    }
    // Each that is not ready must be within its own allowance; the one with the most left to go is named.
    let mut named: Option<(ContainerView<'_>, Timestamp, SignedDuration)> = None;
    for container in unready {
        let (since, allowed) = match container.running_since() {
            Some(since) => (since?, allowance(container)),
            None if container.end().is_some() => return None,
            None => (scheduled, CREATING),
        };
        if facts.since(since) >= allowed {
            return None;
        }
        if named.is_none_or(|(_, _, most)| allowed > most) {
            named = Some((container, since, allowed));
        }
    }
    let (container, since, allowed) = named?;
    let (seconds, allowed) = (facts.since(since).as_secs(), allowed.as_secs());
    Some(wait(
        format!(
            "Container {} of pod {} started {seconds} s ago and is warming up (up to {allowed} s is normal).",
            container.name(),
            pod.name()
        ),
        format!(
            "Pod {} 的容器 {} 在 {seconds} 秒前启动，正在预热（{allowed} 秒内属正常）。",
            pod.name(),
            container.name()
        ),
        [container.state("ready", false, Some(since))],
    ))
}

fn killed_by_probe(facts: &Facts<'_>, pod: PodView<'_>) -> bool {
    pod.events_seen(facts.world).any(|event| event.reason == "Killing" && event.text().contains("probe"))
}

/// All containers are ready, the pod waits for readiness gates: others set these within a moment.
fn gates_open(facts: &Facts<'_>, pod: PodView<'_>) -> Option<Wait> {
    let ready = pod.condition("Ready")?;
    let since = pod.condition("ContainersReady").filter(|c| c.status == "True")?.last_transition_time.as_ref()?.0;
    (ready.reason.as_deref() == Some("ReadinessGatesNotReady") && facts.since(since) < WARMING_UP).then(|| {
        wait(
            format!("Pod {}'s containers are ready, it waits for its readiness gates.", pod.name()),
            format!("Pod {} 的容器已就绪，正在等待 readiness gate。", pod.name()),
            pod.condition_evidence("Ready"),
        )
    })
}

/// Returns how long a container may take to become ready by its own probes.
fn allowance(container: ContainerView<'_>) -> SignedDuration {
    let spec = container.spec;
    let budget = |probe: &k8s_openapi::api::core::v1::Probe, failures: i32| {
        let period = probe.period_seconds.filter(|period| *period > 0).unwrap_or(10);
        SignedDuration::from_secs(
            i64::from(probe.initial_delay_seconds.unwrap_or(0)) + i64::from(period) * i64::from(failures),
        )
    };
    let startup = spec.startup_probe.as_ref().map(|probe| budget(probe, probe.failure_threshold.unwrap_or(3)));
    // A readiness probe that succeeds at its second try is normal.
    let readiness = spec
        .readiness_probe
        .as_ref()
        .map(|probe| budget(probe, probe.success_threshold.unwrap_or(1).saturating_add(2)));
    let stated = startup.unwrap_or(SignedDuration::ZERO) + readiness.unwrap_or(SignedDuration::ZERO);
    stated.max(WARMING_UP)
}

/// The node is new and its kubelet has no serving certificate yet: logs cannot be had for a moment.
fn certificate_in_flight(facts: &Facts<'_>, pod: PodView<'_>) -> Option<Wait> {
    let error = pod
        .containers()
        .filter_map(|container| container.log(facts.world)?.error.as_deref())
        .find(|error| matches!(log_error::read(error), LogError::Certificate(Tls::NoServingCertificate)))?;
    let node = facts.node().present()?;
    let joined = node.metadata.creation_timestamp.as_ref()?.0;
    let age = facts.since(joined);
    if age >= NODE_SETTLES {
        return None;
    }
    let name = node::name(node);
    let mut wait = wait(
        format!(
            "Pod {} runs; its log cannot be read yet since node {name} joined {} s ago and its serving certificate is not signed.",
            pod.name(),
            age.as_secs()
        ),
        format!(
            "Pod {} 运行正常；节点 {name} 在 {} 秒前刚加入，其服务证书尚未签发，因此暂时无法读取日志。",
            pod.name(),
            age.as_secs()
        ),
        [
            Evidence::field("log call", error, None),
            Evidence::field(format!("node {name}.metadata.creationTimestamp"), joined, Some(joined)),
        ],
    );
    wait.explains = &["kubelet-cert-error"];
    Some(wait)
}

fn workload_waits(facts: &Facts<'_>, workload: &Workload) -> Option<Wait> {
    let refused = admission::refused(facts);
    if let Some(refused) = &refused {
        return old_pod_stops(facts, workload, refused);
    }
    if matches!(workload.kind.as_str(), "Job" | "CronJob") {
        return suspended(facts, workload);
    }
    let standing = standing::of(facts.world, workload)?;
    if standing.is_fine() {
        return None;
    }
    let ready = format!("{} of {}", standing.ready, standing.wanted);
    let ready_zh = format!("{}/{}", standing.ready, standing.wanted);
    if workload.kind == "Deployment" {
        let (at, evidence) = progresses(facts, workload)?;
        let minutes = facts.since(at).as_secs() / 60;
        return Some(wait(
            format!("{workload} is being rolled out ({ready} pods ready), the last progress was {minutes} min ago."),
            format!("{workload} 正在滚动更新（{ready_zh} 个 Pod 就绪），最近一次进展在 {minutes} 分钟前。"),
            [evidence, standing.evidence],
        ));
    }
    let made = facts
        .world
        .events_seen(&workload.kind, &workload.namespace, &workload.name)
        .iter()
        .filter(|event| event.reason == "SuccessfulCreate")
        .filter_map(|event| event.last)
        .max();
    let at = made.max(standing.created)?;
    (facts.since(at) < CREATING).then(|| {
        wait(
            format!("{workload} is making its pods ({ready} ready)."),
            format!("{workload} 正在创建 Pod（{ready_zh} 就绪）。"),
            [standing.evidence],
        )
    })
}

/// A Job or CronJob that somebody (or a queue) holds back makes no pods.
fn suspended(facts: &Facts<'_>, workload: &Workload) -> Option<Wait> {
    let (namespace, name) = (workload.namespace.as_str(), workload.name.as_str());
    let suspend = match workload.kind.as_str() {
        "Job" => facts.world.jobs.get(namespace, name).present()?.spec.as_ref()?.suspend,
        _ => facts.world.cron_jobs.get(namespace, name).present()?.spec.suspend,
    };
    (suspend == Some(true)).then(|| {
        wait(
            format!("{workload} is suspended: it makes no pods until somebody, or its queue, resumes it."),
            format!("{workload} 已被挂起（suspend）：在有人或队列恢复它之前不会创建 Pod。"),
            [Evidence::field(format!("{workload}.spec.suspend"), true, None)],
        )
    })
}

/// Returns when a Deployment last made progress, while it says so itself and within its deadline.
fn progresses(facts: &Facts<'_>, workload: &Workload) -> Option<(Timestamp, Evidence)> {
    let object = facts.world.deployments.get(&workload.namespace, &workload.name).present()?;
    let conditions = object.status.as_ref()?.conditions.as_deref()?;
    if conditions.iter().any(|c| c.type_.as_deref() == Some("ReplicaFailure") && c.status.as_deref() == Some("True")) {
        return None;
    }
    let progress =
        conditions.iter().find(|c| c.type_.as_deref() == Some("Progressing") && c.status.as_deref() == Some("True"))?;
    let reason = progress.reason.as_deref().unwrap_or_default();
    // NewReplicaSetAvailable = the rollout is over: what is not ready now broke later.
    if !matches!(reason, "ReplicaSetUpdated" | "NewReplicaSetCreated" | "FoundNewReplicaSet") {
        return None;
    }
    let at = progress.last_update_time.as_ref().or(progress.last_transition_time.as_ref())?.0;
    let deadline = object.spec.progress_deadline_seconds.map_or(PROGRESS_DEADLINE, i64::from);
    (facts.since(at) < SignedDuration::from_secs(deadline)).then(|| {
        (at, Evidence::field(format!("{workload}.status.conditions[Progressing]"), format!("True, {reason}"), Some(at)))
    })
}

/// A set cannot make a pod while the old one of the same name is still within its grace period.
fn old_pod_stops(facts: &Facts<'_>, workload: &Workload, refused: &admission::Refused<'_>) -> Option<Wait> {
    if !matches!(refused.refusal, Refusal::OldPodThere) {
        return None;
    }
    let old = facts.world.pods.seen_in(&workload.namespace).map(PodView::new).find(|pod| {
        pod.deletion_deadline().is_some_and(|deadline| facts.since(deadline) < CLEANING_UP)
            && pod.name().strip_prefix(&workload.name).is_some_and(|rest| rest.starts_with('-'))
    })?;
    let deadline = old.deletion_deadline()?;
    let lost = old.node_name().is_some_and(|name| {
        let node = facts.world.nodes.get("", name);
        node.is_absent() || node.present().is_some_and(node::is_silent)
    });
    (!lost).then(|| {
        wait(
            format!("{workload} waits for the old pod {} to stop, which has until {deadline}.", old.name()),
            format!("{workload} 正在等待旧 Pod {} 停止（最迟 {deadline}）。", old.name()),
            [Evidence::field(format!("pod {}.metadata.deletionTimestamp", old.name()), deadline, Some(deadline))]
                .into_iter()
                .chain(refused.evidence.clone()),
        )
    })
}
