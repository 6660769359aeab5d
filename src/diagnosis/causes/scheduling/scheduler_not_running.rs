//! No scheduler has looked at the pod.

use super::{pvc_unbound, said};
use crate::diagnosis::{Cause, Certainty, Finding, Fix, Page, Phase, Text, Words, kubectl};
use crate::facts::{Evidence, Facts, Part, PodView, Stage};
use jiff::SignedDuration;

pub static CAUSE: Cause = Cause {
    id: "scheduler-not-running",
    phases: &[Phase::Scheduling],
    guide: &["Pending/kube-scheduler 没有正常运行"],
    page: Page {
        title: Text { en: "No scheduler has looked at the pod", zh: "没有调度器处理该 Pod" },
        what: Text {
            en: "kube-scheduler does not run or cannot reach the API, or the pod names a scheduler (spec.schedulerName) that nobody serves. A scheduler leaves pods of other schedulers alone, without a word.",
            zh: "kube-scheduler 没有运行或无法访问 API，或者 Pod 指定了不存在的调度器（spec.schedulerName）。调度器会静默忽略不属于自己的 Pod。",
        },
        tell: Text {
            en: "No PodScheduled condition and no FailedScheduling event, for more than a minute. The Lease kube-system/kube-scheduler is stale when it is down. Gates, missing resource claims and a volume that is being made look alike: they are told apart.",
            zh: "超过一分钟仍没有 PodScheduled 条件，也没有 FailedScheduling 事件。调度器停止时 kube-system/kube-scheduler 的 Lease 会过期。调度门、缺失的 ResourceClaim、正在创建的卷表现类似，需要区分。",
        },
        fix: Text {
            en: "Start kube-scheduler again and see why it stopped; or correct schedulerName in the workload.",
            zh: "重新启动 kube-scheduler 并查明原因；或修正工作负载中的 schedulerName。",
        },
        sources: &["kubernetes/kubernetes pkg/scheduler/eventhandlers.go (responsibleForPod)"],
    },
    check,
};

const DEFAULT: &str = "default-scheduler";
/// Leader election renews every 2 s and lasts 15 s; clocks differ.
const LEASE_STALE: SignedDuration = SignedDuration::from_secs(30);
/// A scheduler under load looks at a pod within seconds.
const LOOKS_WITHIN: SignedDuration = SignedDuration::from_secs(60);

fn check(facts: &Facts<'_>) -> Option<Finding> {
    let pod = facts.pod().filter(|pod| pod.stage() == Stage::Unscheduled)?;
    if pod.condition("PodScheduled").is_some() || said(facts).is_some() {
        return None;
    }
    // A row has no conditions: what the scheduler said is not absent but unread.
    if matches!(facts.part(), Some(Part::Row | Part::Mention)) {
        return None;
    }
    let spec = pod.spec()?;
    // Held before the queue, or waiting for a volume on a node that is already chosen: not the scheduler's fault.
    let held = spec.scheduling_gates.as_ref().is_some_and(|gates| !gates.is_empty())
        || pvc_unbound::unbound(facts, pod).is_some_and(|(_, claim)| {
            claim.metadata.annotations.iter().flatten().any(|(key, _)| key.ends_with("selected-node"))
        });
    let name = spec.scheduler_name.as_deref().filter(|name| !name.is_empty()).unwrap_or(DEFAULT);
    // Where something else says that it is down, or nobody of that name was ever seen, seconds are enough.
    let signs = if name == DEFAULT { signs(facts) } else { Vec::new() };
    let told = !signs.is_empty() || (name != DEFAULT && !is_seen(facts, name));
    let within = if told { LOOKS_WITHIN / 6 } else { LOOKS_WITHIN };
    if held || pod.created().is_none() || pod.age(facts.now) < within {
        return None;
    }
    // It has said something of the pod after all.
    if pod.events_seen(facts.world).any(|event| event.reason == "Scheduled") {
        return None;
    }
    let served = served_since(facts, pod, name);
    let (age, age_zh) = for_how_long(pod.age(facts.now));
    let absent = [
        Evidence::field("pod.status.conditions[PodScheduled]", "(absent)", None),
        Evidence::field("pod.spec.schedulerName", name, None),
    ];
    if name != DEFAULT {
        if served {
            return None;
        }
        let certainty = if served_since(facts, pod, DEFAULT) { Certainty::Confirmed } else { Certainty::Likely };
        return Finding::new(&CAUSE, certainty)
            .shares("scheduler", "", name)
            .because(absent)
            .says(
                format!(
                    "Pod {} names the scheduler {name}, and none of that name has looked at it for {age}.",
                    pod.name()
                ),
                format!("Pod {} 指定了调度器 {name}，但 {age_zh}来没有这个调度器处理它。", pod.name()),
            )
            .fix(
                Fix::safe(Words::new(
                    format!("See whether a scheduler {name} runs."),
                    format!("查看调度器 {name} 是否在运行。"),
                ))
                .command(format!("kubectl get pods -A | grep -i {}", kubectl::quoted(name))),
            )
            .fix(
                Fix::careful(Words::new(
                    format!("Start it, or correct schedulerName in {} (the usual one is {DEFAULT}).", pod.workload()),
                    format!("启动该调度器，或修正 {} 的 schedulerName（通常为 {DEFAULT}）。", pod.workload()),
                ))
                .command(kubectl::edit(&pod.workload())),
            )
            .some();
    }
    // Others were placed meanwhile, and nothing says that it stopped since: it lives.
    if served && signs.is_empty() || lease_is_fresh(facts) {
        return None;
    }
    let certainty = if signs.is_empty() { Certainty::Likely } else { Certainty::Confirmed };
    Finding::new(&CAUSE, certainty)
        .shares("scheduler", "", name)
        .because(signs)
        .because(absent)
        .says(
            format!("No scheduler has looked at pod {} for {age}: kube-scheduler does not run, or cannot work.", pod.name()),
            format!("Pod {} 创建 {age_zh}以来没有调度器处理：kube-scheduler 没有运行或无法工作。", pod.name()),
        )
        .fix(
            Fix::safe(Words::new("See whether kube-scheduler runs, and what it logs.", "查看 kube-scheduler 是否运行以及日志。"))
                .command("kubectl -n kube-system get pods,leases | grep scheduler; kubectl -n kube-system logs -l component=kube-scheduler --tail=50"),
        )
        .fix(Fix::careful(Words::new(
            "Restart it on the control-plane node (move its manifest out of /etc/kubernetes/manifests and back, or restart its service), once its log has told why it fails.",
            "查明原因后在控制面节点上重启它（将清单移出 /etc/kubernetes/manifests 再移回，或重启其服务）。",
        )))
        .some()
}

/// Returns true where something says that kube-scheduler is down.
pub fn shows_signs(facts: &Facts<'_>) -> bool {
    !signs(facts).is_empty()
}

fn for_how_long(age: SignedDuration) -> (String, String) {
    match age.as_secs() {
        seconds @ ..120 => (format!("{seconds} s"), format!("{seconds} 秒")),
        seconds => (format!("{} min", seconds / 60), format!("{} 分钟", seconds / 60)),
    }
}

/// Returns true where a scheduler of this name was seen at work, or a pod that may be it.
fn is_seen(facts: &Facts<'_>, name: &str) -> bool {
    facts.world.events_about("Pod").any(|event| event.component == name)
        || facts.world.pods.seen().any(|pod| pod.metadata.name.as_deref().is_some_and(|pod| pod.contains(name)))
}

/// Returns true where a pod of this scheduler has been placed since the pod in question was made.
fn served_since(facts: &Facts<'_>, pod: PodView<'_>, scheduler: &str) -> bool {
    let created = pod.created();
    facts.world.pods.seen().map(PodView::new).any(|other| {
        let of_it = other.spec().and_then(|spec| spec.scheduler_name.as_deref()).unwrap_or(DEFAULT) == scheduler;
        // Static pods and those of old DaemonSets are bound without a scheduler.
        let is_static =
            other.meta().annotations.as_ref().is_some_and(|a| a.contains_key("kubernetes.io/config.mirror"));
        let placed = other
            .condition("PodScheduled")
            .filter(|condition| condition.status == "True")
            .and_then(|condition| condition.last_transition_time.as_ref())
            .map(|t| t.0);
        of_it && !is_static && !owned_by_node(other) && placed.is_some() && placed > created
    })
}

fn owned_by_node(pod: PodView<'_>) -> bool {
    crate::facts::workload::controller(pod.meta()).is_some_and(|owner| owner.kind == "Node")
}

fn lease_age(facts: &Facts<'_>) -> Option<(SignedDuration, jiff::Timestamp)> {
    let lease = facts.world.leases.get("kube-system", "kube-scheduler").present()?;
    let renewed = lease.spec.as_ref()?.renew_time.as_ref()?.0;
    Some((facts.since(renewed), renewed))
}

fn lease_is_fresh(facts: &Facts<'_>) -> bool {
    lease_age(facts).is_some_and(|(age, _)| age < LEASE_STALE)
}

/// Returns what says that kube-scheduler itself is down.
fn signs(facts: &Facts<'_>) -> Vec<Evidence> {
    let mut found = Vec::new();
    match lease_age(facts) {
        Some((age, renewed)) if age >= LEASE_STALE => found.push(Evidence::field(
            "lease kube-system/kube-scheduler.spec.renewTime",
            format!("{renewed} ({} s ago)", age.as_secs()),
            Some(renewed),
        )),
        // The other controllers' leases of that namespace were read, and there is none of a scheduler.
        None if facts.world.leases.get("kube-system", "kube-scheduler").is_absent()
            && facts.world.leases.get("kube-system", "kube-controller-manager").present().is_some() =>
        {
            found.push(Evidence::field("lease kube-system/kube-scheduler", "(absent)", None));
        }
        _ => {}
    }
    // Before 1.20 the lock was an Endpoints object.
    if let Some(endpoints) = facts.world.others("Endpoints")
        && endpoints.get("kube-system", "kube-scheduler").is_absent()
        && endpoints.get("kube-system", "kube-controller-manager").present().is_some()
    {
        found.push(Evidence::field("endpoints kube-system/kube-scheduler", "(absent: it never became leader)", None));
    }
    for pod in facts.world.pods.seen_in("kube-system").map(PodView::new) {
        if pod.name().starts_with("kube-scheduler") && !pod.is("Ready") {
            let state = pod.app_containers().find_map(|app| {
                app.waiting().map(|waiting| waiting.evidence()).or(app.end().map(|end| end.evidence()))
            });
            found.push(state.unwrap_or_else(|| {
                Evidence::field(format!("pod kube-system/{}.status", pod.name()), "not ready", None)
            }));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use crate::diagnosis::testing::diagnose_pod;
    use crate::diagnosis::{Certainty, Verdict};

    fn world(scheduler: &str, lease: &str) -> String {
        format!(
            r"
apiVersion: v1
kind: Pod
metadata: {{name: web, namespace: prod, creationTimestamp: '2026-01-01T00:00:00Z'}}
spec: {{schedulerName: {scheduler}, containers: [{{name: app, image: x}}]}}
status: {{phase: Pending}}
---
apiVersion: coordination.k8s.io/v1
kind: Lease
metadata: {{name: kube-scheduler, namespace: kube-system}}
spec: {{renewTime: '{lease}'}}
"
        )
    }

    #[test]
    fn a_stale_lease_confirms_it() {
        let yaml = world("default-scheduler", "2026-01-01T00:01:00.000000Z");
        let diagnosis = diagnose_pod(&yaml, "prod/web", "2026-01-01T00:10:00Z");
        let answer = diagnosis.answer().unwrap();
        assert_eq!((answer.cause.id, answer.certainty), ("scheduler-not-running", Certainty::Confirmed));
    }

    #[test]
    fn a_fresh_lease_speaks_against_it_but_not_for_another_name() {
        let fresh = "2026-01-01T00:09:58.000000Z";
        let of = |scheduler| diagnose_pod(&world(scheduler, fresh), "prod/web", "2026-01-01T00:10:00Z");
        assert!(of("default-scheduler").answer().is_none());
        assert_eq!(of("my-scheduler").answer().unwrap().cause.id, "scheduler-not-running");
    }

    #[test]
    fn a_young_pod_waits() {
        let yaml = world("default-scheduler", "2026-01-01T00:00:19.000000Z");
        assert_eq!(diagnose_pod(&yaml, "prod/web", "2026-01-01T00:00:20Z").verdict, Verdict::Waiting);
    }
}
