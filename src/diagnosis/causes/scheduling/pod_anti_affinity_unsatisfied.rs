//! Every node that would do holds a pod that anti-affinity keeps away.

use super::pod_affinity_unsatisfied::{selector_matches, selector_text};
use super::{Kind, few, picture};
use crate::diagnosis::{Cause, Finding, Fix, Page, Phase, Text, Words, kubectl};
use crate::facts::reading::scheduler::NodeReason;
use crate::facts::{Evidence, Facts, PodView};
use k8s_openapi::api::core::v1::PodAffinityTerm;

pub static CAUSE: Cause = Cause {
    id: "pod-anti-affinity-unsatisfied",
    phases: &[Phase::Scheduling],
    guide: &["Pending/nodeSelector 与 affinity"],
    page: Page {
        title: Text { en: "Anti-affinity leaves no node", zh: "Pod 反亲和性排除了所有节点" },
        what: Text {
            en: "Required anti-affinity keeps pods apart: this pod's own rule, or the rule of a pod that is already there. Each node (or zone) that would do holds such a pod. With one replica a node, more replicas than nodes cannot be placed, and a rolling update has no room for its extra pod.",
            zh: "必须满足的反亲和性使某些 Pod 不能共处：可能是该 Pod 自身的规则，也可能是节点上已有 Pod 的规则。每个可用节点（或可用区）上都已有这样的 Pod。若每个节点只允许一个副本，副本数就不能超过节点数，滚动更新也没有空间多起一个 Pod。",
        },
        tell: Text {
            en: "`didn't match pod anti-affinity rules` is the pod's own rule, `didn't satisfy existing pods anti-affinity rules` that of another pod.",
            zh: "`didn't match pod anti-affinity rules` 是自身规则，`didn't satisfy existing pods anti-affinity rules` 是其他 Pod 的规则。",
        },
        fix: Text {
            en: "Fewer replicas, more nodes, or preferred instead of required anti-affinity; for a rolling update maxSurge 0.",
            zh: "减少副本、增加节点，或把 required 改为 preferred；滚动更新时把 maxSurge 设为 0。",
        },
        sources: &[
            "https://kubernetes.io/docs/concepts/scheduling-eviction/assign-pod-node/#inter-pod-affinity-and-anti-affinity",
        ],
    },
    check,
};

fn check(facts: &Facts<'_>) -> Option<Finding> {
    let picture = picture(facts)?;
    let mut finding = picture.finding(&CAUSE, Kind::AntiAffinity)?;
    let pod = picture.pod;
    let of_another =
        picture.reasons().iter().any(|(_, reason)| matches!(reason, NodeReason::AntiAffinity { existing: true }));
    let of_own = picture.reasons().iter().any(|(_, reason)| {
        matches!(reason, NodeReason::AntiAffinity { existing: false } | NodeReason::PodAffinityOrAnti)
    });
    let (share_en, share_zh) = picture.share(Kind::AntiAffinity);
    let others: Vec<PodView<'_>> =
        facts.world.pods.seen().map(PodView::new).filter(|p| p.node_name().is_some()).collect();
    let mut rule = String::new();
    let mut held: Vec<&str> = Vec::new();
    if of_own {
        for term in terms(pod) {
            rule = format!("{} per {}", selector_text(term.label_selector.as_ref()), term.topology_key);
            finding = finding.because([Evidence::field(
                "pod.spec.affinity.podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution",
                &rule,
                None,
            )]);
            held.extend(others.iter().filter(|other| applies(term, pod, **other)).map(PodView::name));
        }
    }
    let mut keeper = None;
    if of_another {
        keeper = others.iter().find(|other| terms(**other).iter().any(|term| applies(term, **other, pod)));
        if let Some(other) = keeper {
            finding = finding.because([Evidence::field(
                format!("pod {}/{}.spec.affinity.podAntiAffinity", other.namespace(), other.name()),
                terms(*other)
                    .iter()
                    .map(|term| selector_text(term.label_selector.as_ref()))
                    .collect::<Vec<_>>()
                    .join("; "),
                None,
            )]);
        }
    }
    held.sort_unstable();
    held.dedup();
    let workload = pod.workload();
    finding = match keeper {
        Some(other) => finding.says(
            format!(
                "Pod {} is kept away by the anti-affinity of pod {}/{} on {share_en}.",
                pod.name(),
                other.namespace(),
                other.name()
            ),
            format!(
                "Pod {} 被 Pod {}/{} 的反亲和性规则排除（{share_zh}）。",
                pod.name(),
                other.namespace(),
                other.name()
            ),
        ),
        None if of_another && !of_own => finding.says(
            format!(
                "Pod {} is kept away by the anti-affinity of pods that are already there, on {share_en}.",
                pod.name()
            ),
            format!("Pod {} 被节点上已有 Pod 的反亲和性规则排除（{share_zh}）。", pod.name()),
        ),
        None => {
            let there = if held.is_empty() { String::new() } else { format!("; there already: {}", few(&held)) };
            let there_zh = if held.is_empty() { String::new() } else { format!("；已存在：{}", few(&held)) };
            let by = if rule.is_empty() { String::new() } else { format!(" ({rule})") };
            finding.says(
                format!(
                    "Pod {}'s own anti-affinity{by} leaves no node: such a pod is already on {share_en}{there}.",
                    pod.name()
                ),
                format!("Pod {} 自身的反亲和性{by}排除了所有节点：{share_zh}已有同类 Pod{there_zh}。", pod.name()),
            )
        }
    };
    let owner = keeper.map_or(workload, |other| other.workload());
    finding
        .fix(
            Fix::safe(Words::new("See where the pods are.", "查看这些 Pod 所在的节点。"))
                .command(kubectl::namespaced(pod.namespace(), "get pods -o wide --show-labels")),
        )
        .fix(
            Fix::careful(Words::new(
                format!("Use preferred instead of required anti-affinity in {owner}, fewer replicas, or (rolling update) maxSurge 0; or add a node."),
                format!("在 {owner} 中把 required 改为 preferred、减少副本，或（滚动更新）把 maxSurge 设为 0；也可以增加节点。"),
            ))
            .command(kubectl::edit(&owner)),
        )
        .some()
}

fn terms(pod: PodView<'_>) -> &[PodAffinityTerm] {
    pod.spec()
        .and_then(|spec| spec.affinity.as_ref()?.pod_anti_affinity.as_ref())
        .and_then(|anti| anti.required_during_scheduling_ignored_during_execution.as_deref())
        .unwrap_or_default()
}

/// Returns true where the rule of `owner` is about `other`. Namespace selectors need namespaces' labels: left out.
fn applies(term: &PodAffinityTerm, owner: PodView<'_>, other: PodView<'_>) -> bool {
    let named = term.namespaces.as_deref().unwrap_or_default();
    let in_namespace = if named.is_empty() {
        other.namespace() == owner.namespace()
    } else {
        named.iter().any(|ns| ns == other.namespace())
    };
    (in_namespace || term.namespace_selector.is_some()) && selector_matches(term.label_selector.as_ref(), other)
}

#[cfg(test)]
mod tests {
    use crate::diagnosis::Certainty;
    use crate::diagnosis::testing::diagnose_pod;

    fn pods(message: &str) -> String {
        format!(
            r#"
apiVersion: v1
kind: Pod
metadata: {{name: noisy, namespace: prod, labels: {{app: noisy}}, creationTimestamp: '2026-01-01T00:00:00Z'}}
spec: {{containers: [{{name: app, image: x}}]}}
status:
  phase: Pending
  conditions: [{{type: PodScheduled, status: 'False', reason: Unschedulable, message: "{message}"}}]
---
apiVersion: v1
kind: Pod
metadata: {{name: quiet, namespace: prod}}
spec:
  nodeName: a
  containers: [{{name: app, image: x}}]
  affinity: {{podAntiAffinity: {{requiredDuringSchedulingIgnoredDuringExecution: [{{topologyKey: kubernetes.io/hostname, labelSelector: {{matchLabels: {{app: noisy}}}}}}]}}}}
status: {{phase: Running}}
"#
        )
    }

    #[test]
    fn names_the_pod_whose_rule_it_is() {
        let yaml = pods("0/1 nodes are available: 1 node(s) didn't satisfy existing pods anti-affinity rules.");
        let diagnosis = diagnose_pod(&yaml, "prod/noisy", "2026-01-01T00:10:00Z");
        let answer = diagnosis.answer().unwrap();
        assert_eq!((answer.cause.id, answer.certainty), ("pod-anti-affinity-unsatisfied", Certainty::Confirmed));
        assert!(answer.summary.en.contains("pod prod/quiet"), "{}", answer.summary.en);
    }

    #[test]
    fn affinity_is_another_cause() {
        let yaml = pods("0/1 nodes are available: 1 node(s) didn't match pod affinity rules.");
        let diagnosis = diagnose_pod(&yaml, "prod/noisy", "2026-01-01T00:10:00Z");
        assert_eq!(diagnosis.answer().unwrap().cause.id, "pod-affinity-unsatisfied");
    }
}
