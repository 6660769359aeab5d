//! A ResourceQuota, or the quota of a batch queue, has no room for the pod.

use super::refused;
use crate::diagnosis::{Cause, Finding, Fix, Page, Phase, Text, Words, kubectl};
use crate::facts::reading::admission::Refusal;
use crate::facts::{Event, Evidence, Facts, PodView, Stage, Workload, workload::controller};
use serde_json::Value;

pub static CAUSE: Cause = Cause {
    id: "quota-exceeded",
    phases: &[Phase::Admission],
    guide: &["Error/请求的资源超过了管理员设置的限制"],
    page: Page {
        title: Text { en: "The quota has no room for the pod", zh: "资源配额不足" },
        what: Text {
            en: "A ResourceQuota limits what all pods of the namespace may request together, or how many there may be; one more would pass it, so the API refuses to make the pod. Batch queues (Volcano, Kueue) have quotas of their own, which keep a pod pending instead.",
            zh: "ResourceQuota 限制命名空间内所有 Pod 的资源总和或数量，再创建一个就会超出，因此 API 拒绝创建。批处理队列（Volcano、Kueue）有自己的配额，超出时 Pod 会一直 Pending。",
        },
        tell: Text {
            en: "`exceeded quota: NAME, requested: …, used: …, limited: …` in FailedCreate of the ReplicaSet, Job or StatefulSet, while pods are lacking. For a queue the PodGroup's event says `queue resource quota insufficient`.",
            zh: "在缺少 Pod 的 ReplicaSet、Job、StatefulSet 的 FailedCreate 事件中有 `exceeded quota: 名称, requested: …, used: …, limited: …`。队列配额不足时 PodGroup 的事件为 `queue resource quota insufficient`。",
        },
        fix: Text {
            en: "Remove what is not needed in the namespace, lower requests or replicas, or have the quota raised. A rolling update needs room for its surge pods: maxSurge 0 avoids it.",
            zh: "清理命名空间中不需要的 Pod、降低 request 或副本数，或提高配额。滚动更新需要额外空间，可把 maxSurge 设为 0。",
        },
        sources: &["https://kubernetes.io/docs/concepts/policy/resource-quotas/"],
    },
    check,
};

fn check(facts: &Facts<'_>) -> Option<Finding> {
    match facts.pod() {
        Some(pod) => of_queue(facts, pod),
        None => of_namespace(facts),
    }
}

fn of_namespace(facts: &Facts<'_>) -> Option<Finding> {
    let refused = refused(facts)?;
    let Refusal::QuotaExceeded { quota, requested, used, limited } = refused.refusal else { return None };
    let workload = facts.workload();
    let namespace = &workload.namespace;
    if quota.is_empty() {
        return Some(without_a_quota(&workload, requested, refused.evidence));
    }
    Finding::confirmed(&CAUSE)
        .shares("quota", namespace, quota)
        .because(refused.evidence)
        .says(
            format!("{workload} cannot make its pods: quota {quota} allows {limited}, {used} is used, and {requested} more is asked for."),
            format!("{workload} 无法创建 Pod：配额 {quota} 上限为 {limited}，已用 {used}，还需要 {requested}。"),
        )
        .fix(
            Fix::safe(Words::new("See what the quota allows and what is used.", "查看配额及已用量。"))
                .command(kubectl::namespaced(namespace, &format!("describe resourcequota {}", kubectl::quoted(quota)))),
        )
        .fix(
            Fix::careful(Words::new(
                "Lower the requests or replicas, or remove pods that are not needed.",
                "降低 request 或副本数，或删除不需要的 Pod。",
            ))
            .command(kubectl::edit(&workload)),
        )
        .fix(
            Fix::careful(Words::new(
                "Or have the quota raised by whoever owns the namespace.",
                "或由命名空间的管理员提高配额。",
            ))
            .command(kubectl::namespaced(namespace, &format!("edit resourcequota {}", kubectl::quoted(quota)))),
        )
        .some()
}

/// Pods of some scopes (mostly the system's priority classes) need a quota that names the scope, and there is none.
fn without_a_quota(workload: &Workload, scopes: &str, evidence: Vec<Evidence>) -> Finding {
    Finding::confirmed(&CAUSE)
        .because(evidence)
        .says(
            format!("{workload} cannot make its pods: no quota of namespace {} allows any of the scope {scopes}.", workload.namespace),
            format!("{workload} 无法创建 Pod：命名空间 {} 中没有允许 {scopes} 的配额。", workload.namespace),
        )
        .fix(
            Fix::safe(Words::new("See which quotas there are.", "查看现有的配额。"))
                .command(kubectl::namespaced(&workload.namespace, "get resourcequota -o yaml")),
        )
        .fix(
            Fix::careful(Words::new(
                "Give the workload another priorityClassName, or have a ResourceQuota made whose scopeSelector names it.",
                "更换工作负载的 priorityClassName，或由管理员创建 scopeSelector 包含它的 ResourceQuota。",
            ))
            .command(kubectl::edit(workload)),
        )
}

/// The pod's own event only says that its group is not ready: the group says why.
fn of_queue(facts: &Facts<'_>, pod: PodView<'_>) -> Option<Finding> {
    if pod.stage() != Stage::Unscheduled {
        return None;
    }
    let (group, object) = group_of(facts, pod)?;
    let events = facts.world.events_seen("PodGroup", pod.namespace(), group);
    let event = events.iter().rfind(|event| is_quota(event.text()));
    let condition = object.pointer("/status/conditions").and_then(Value::as_array).and_then(|conditions| {
        conditions.iter().filter_map(|c| c.get("message").and_then(Value::as_str)).find(|text| is_quota(text))
    });
    if event.is_none() && condition.is_none() {
        return None;
    }
    let queue = object.pointer("/spec/queue").and_then(Value::as_str).unwrap_or("default");
    let amounts = |field: &str| {
        facts
            .world
            .others("Queue")
            .and_then(|queues| queues.get("", queue).present())
            .and_then(|queue| queue.pointer(field))
            .map(list)
    };
    let (capability, allocated) = (amounts("/spec/capability"), amounts("/status/allocated"));
    let wanted = object.pointer("/spec/minResources").map(list);
    let mut details = Vec::new();
    for (name, value) in [("wants", &wanted), ("may use", &capability), ("uses", &allocated)] {
        if let Some(value) = value {
            details.push(format!("{name} {value}"));
        }
    }
    let details = if details.is_empty() { String::new() } else { format!(" ({})", details.join("; ")) };
    Finding::confirmed(&CAUSE)
        .explains(crate::diagnosis::causes::scheduling::IDS)
        .because(event.map(Event::evidence))
        .because(condition.map(|text| Evidence::field(format!("podgroup {group}.status.conditions"), text, None)))
        .because(capability.map(|text| Evidence::field(format!("queue {queue}.spec.capability"), text, None)))
        .because(allocated.map(|text| Evidence::field(format!("queue {queue}.status.allocated"), text, None)))
        .because(pod.condition_evidence("PodScheduled"))
        .says(
            format!(
                "Pod {} waits in queue {queue}, whose quota has no room for its group {group}{details}.",
                pod.name()
            ),
            format!("Pod {} 在队列 {queue} 中等待，队列配额不足以容纳其 PodGroup {group}{details}。", pod.name()),
        )
        .fix(
            Fix::safe(Words::new("See what the queue allows and what it has given out.", "查看队列的上限与已分配量。"))
                .command(format!("kubectl get queues.scheduling.volcano.sh {} -o yaml", kubectl::quoted(queue))),
        )
        .fix(Fix::careful(Words::new(
            "Wait for jobs of the queue to end, lower what the job asks for, or have the queue's capability raised.",
            "等待队列中的作业结束、降低作业的资源请求，或提高队列的 capability。",
        )))
        .some()
}

fn is_quota(text: &str) -> bool {
    let text = text.to_lowercase();
    text.contains("quota insufficient") || text.contains("queue resource quota") || text.contains("insufficient quota")
}

/// Returns the PodGroup that the pod names in an annotation or label, or that belongs to the pod or its owner.
fn group_of<'w>(facts: &Facts<'w>, pod: PodView<'w>) -> Option<(&'w str, &'w Value)> {
    let groups = facts.world.others("PodGroup")?;
    let keys = ["scheduling.k8s.io/group-name", "scheduling.volcano.sh/group-name", "scheduling.x-k8s.io/pod-group"];
    let meta = pod.meta();
    let named = keys.iter().find_map(|key| {
        meta.annotations.as_ref().and_then(|a| a.get(*key)).or(meta.labels.as_ref().and_then(|l| l.get(*key)))
    });
    let owner = controller(meta).map(|owner| owner.name.as_str());
    groups.seen_in(pod.namespace()).find_map(|group| {
        let name = group.pointer("/metadata/name")?.as_str()?;
        let mut owners = group.pointer("/metadata/ownerReferences").and_then(Value::as_array).into_iter().flatten();
        let belongs = named.is_some_and(|named| named == name)
            || owners.any(|reference| {
                let owner_name = reference.get("name").and_then(Value::as_str);
                owner_name == Some(pod.name()) || (owner.is_some() && owner_name == owner)
            });
        belongs.then_some((name, group))
    })
}

fn list(value: &Value) -> String {
    let fields = value.as_object().into_iter().flatten();
    fields
        .map(|(name, value)| format!("{name}={}", value.as_str().map_or_else(|| value.to_string(), str::to_owned)))
        .collect::<Vec<_>>()
        .join(", ")
}

#[cfg(test)]
mod tests {
    use crate::diagnosis::Certainty;
    use crate::diagnosis::testing::{diagnose_in, world};

    fn set(have: u32) -> String {
        format!(
            r#"
apiVersion: apps/v1
kind: ReplicaSet
metadata: {{name: api-1, namespace: prod, ownerReferences: [{{apiVersion: apps/v1, kind: Deployment, name: api, uid: u, controller: true}}]}}
spec: {{replicas: 2, selector: {{}}}}
status: {{replicas: {have}, readyReplicas: {have}}}
---
apiVersion: v1
kind: Event
metadata: {{name: e, namespace: prod}}
involvedObject: {{kind: ReplicaSet, namespace: prod, name: api-1}}
reason: FailedCreate
type: Warning
message: 'Error creating: pods "api-1-x" is forbidden: exceeded quota: one, requested: pods=1, used: pods=1, limited: pods=1'
lastTimestamp: '2026-01-01T00:01:00Z'
"#
        )
    }

    #[test]
    fn a_deployment_lacks_pods_for_the_quota_of_its_set() {
        let diagnosis = diagnose_in(&world(&set(1)), "prod/Deployment/api", "2026-01-01T00:05:00Z");
        let answer = diagnosis.answer().unwrap();
        assert_eq!((answer.cause.id, answer.certainty), ("quota-exceeded", Certainty::Confirmed));
        assert!(answer.summary.en.contains("quota one allows pods=1"));
    }

    #[test]
    fn a_refusal_of_the_past_is_over_when_all_pods_are_there() {
        let diagnosis = diagnose_in(&world(&set(2)), "prod/ReplicaSet/api-1", "2026-01-01T00:05:00Z");
        assert!(diagnosis.findings.iter().all(|finding| finding.cause.id != "quota-exceeded"));
    }

    #[test]
    fn a_scope_that_no_quota_allows() {
        let text = "insufficient quota to match these scopes: [{PriorityClass In [system-node-critical]}]";
        let yaml = set(0).replace("exceeded quota: one, requested: pods=1, used: pods=1, limited: pods=1", text);
        let diagnosis = diagnose_in(&world(&yaml), "prod/Deployment/api", "2026-01-01T00:05:00Z");
        let answer = diagnosis.answer().unwrap();
        assert_eq!((answer.cause.id, answer.certainty), ("quota-exceeded", Certainty::Confirmed));
        assert!(answer.summary.en.contains("scope [{PriorityClass In"), "{}", answer.summary.en);
    }

    #[test]
    fn the_queue_of_a_pod_group_is_told_by_the_group() {
        let world = world(
            r"
apiVersion: v1
kind: Pod
metadata: {name: job-1, namespace: prod, annotations: {scheduling.k8s.io/group-name: pg}, creationTimestamp: '2026-01-01T00:00:00Z'}
spec: {containers: [{name: app, image: x}]}
status: {phase: Pending, conditions: [{type: PodScheduled, status: 'False', reason: Unschedulable, message: 'pod group is not ready, 1 Pending, 1 minAvailable'}]}
---
apiVersion: scheduling.volcano.sh/v1beta1
kind: PodGroup
metadata: {name: pg, namespace: prod}
spec: {queue: team-a}
---
apiVersion: v1
kind: Event
metadata: {name: e, namespace: prod}
involvedObject: {kind: PodGroup, namespace: prod, name: pg}
reason: Unschedulable
message: queue resource quota insufficient
",
        );
        let diagnosis = diagnose_in(&world, "prod/job-1", "2026-01-01T00:05:00Z");
        assert_eq!(diagnosis.answer().unwrap().cause.id, "quota-exceeded");
    }
}
