//! A topology spread constraint with DoNotSchedule leaves no node.

use super::pod_affinity_unsatisfied::{selector_matches, selector_text};
use super::{Kind, picture};
use crate::diagnosis::{Cause, Finding, Fix, Page, Phase, Text, Words, kubectl};
use crate::facts::reading::scheduler::NodeReason;
use crate::facts::{Evidence, Facts, PodView, node};
use k8s_openapi::api::core::v1::TopologySpreadConstraint;
use std::collections::BTreeMap;

pub static CAUSE: Cause = Cause {
    id: "topology-spread-unsatisfied",
    phases: &[Phase::Scheduling],
    guide: &[],
    page: Page {
        title: Text {
            en: "The spread over zones or nodes leaves no place", zh: "拓扑分布约束排除了所有节点"
        },
        what: Text {
            en: "topologySpreadConstraints with DoNotSchedule let a domain (zone, node) have at most maxSkew pods more than the emptiest one. The emptiest domain cannot take the pod, and elsewhere it would be one too many; or the nodes do not carry the topology key at all. A tainted, empty node still counts as an empty domain unless nodeTaintsPolicy is Honor.",
            zh: "whenUnsatisfiable 为 DoNotSchedule 的 topologySpreadConstraints 要求各拓扑域的 Pod 数相差不超过 maxSkew。最空的域放不下该 Pod，而放在别处又会超出偏差；或者节点根本没有该拓扑标签。除非 nodeTaintsPolicy 设为 Honor，否则带污点的空节点也会被算作空域。",
        },
        tell: Text {
            en: "`didn't match pod topology spread constraints`; with `(missing required label)` the nodes lack the key.",
            zh: "报错为 `didn't match pod topology spread constraints`；带 `(missing required label)` 表示节点缺少拓扑标签。",
        },
        fix: Text {
            en: "Give the emptiest domain room, label the nodes, or loosen the rule: a larger maxSkew, nodeTaintsPolicy Honor, or ScheduleAnyway.",
            zh: "让最空的域有可用资源、给节点打标签，或放宽规则：增大 maxSkew、设置 nodeTaintsPolicy: Honor，或改为 ScheduleAnyway。",
        },
        sources: &["https://kubernetes.io/docs/concepts/scheduling-eviction/topology-spread-constraints/"],
    },
    check,
};

fn check(facts: &Facts<'_>) -> Option<Finding> {
    let picture = picture(facts)?;
    let mut finding = picture.finding(&CAUSE, Kind::Spread)?;
    let pod = picture.pod;
    let missing =
        picture.reasons().iter().any(|(_, reason)| matches!(reason, NodeReason::Spread { missing_label: true }));
    let constraints: Vec<(usize, &TopologySpreadConstraint)> = pod
        .spec()
        .and_then(|spec| spec.topology_spread_constraints.as_deref())
        .unwrap_or_default()
        .iter()
        .enumerate()
        .filter(|(_, constraint)| constraint.when_unsatisfiable == "DoNotSchedule")
        .collect();
    let mut counts = Vec::new();
    for (i, constraint) in &constraints {
        let text = format!(
            "{} per {}, maxSkew {}",
            selector_text(constraint.label_selector.as_ref()),
            constraint.topology_key,
            constraint.max_skew
        );
        finding = finding.because([Evidence::field(format!("pod.spec.topologySpreadConstraints[{i}]"), text, None)]);
        if let Some(text) = domains(facts, pod, constraint) {
            finding = finding.because([Evidence::field(
                format!("matching pods per {}, as far as they were read", constraint.topology_key),
                &text,
                None,
            )]);
            counts.push(text);
        }
    }
    let keys = constraints.iter().map(|(_, c)| c.topology_key.as_str()).collect::<Vec<_>>().join(" + ");
    let (share_en, share_zh) = picture.share(Kind::Spread);
    let there = if counts.is_empty() { String::new() } else { format!(" (there now: {})", counts.join("; ")) };
    let there_zh =
        if counts.is_empty() { String::new() } else { format!("（当前分布：{}）", counts.join("；")) };
    finding = if missing {
        finding.says(
            format!("Pod {} must be spread over {keys}, and that label is missing on {share_en}.", pod.name()),
            format!("Pod {} 要求按 {keys} 分布，但{share_zh}没有该标签。", pod.name()),
        )
    } else {
        finding.says(
            format!(
                "Pod {} must be spread evenly over {keys}; on {share_en} it would be one too many{there}.",
                pod.name()
            ),
            format!("Pod {} 要求按 {keys} 均匀分布；放在{share_zh}上都会超出允许的偏差{there_zh}。", pod.name()),
        )
    };
    let workload = pod.workload();
    finding
        .fix(
            Fix::safe(Words::new("See the nodes' labels and where the pods are.", "查看节点标签以及 Pod 的分布。")).command(
                constraints.first().map_or_else(
                    || "kubectl get nodes --show-labels".to_owned(),
                    |(_, c)| format!("kubectl get nodes -L {}", kubectl::quoted(&c.topology_key)),
                ),
            ),
        )
        .fix(
            Fix::careful(Words::new(
                format!("Loosen the rule in {workload}: a larger maxSkew, nodeTaintsPolicy Honor, or ScheduleAnyway; or give the emptiest domain room."),
                format!("放宽 {workload} 的规则：增大 maxSkew、nodeTaintsPolicy: Honor 或 ScheduleAnyway；也可以让最空的域腾出资源。"),
            ))
            .command(kubectl::edit(&workload)),
        )
        .some()
}

/// Returns how many matching pods each domain holds: `A 3, B 2`.
fn domains(facts: &Facts<'_>, pod: PodView<'_>, constraint: &TopologySpreadConstraint) -> Option<String> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    let mut domain_of: BTreeMap<&str, &str> = BTreeMap::new();
    for node in facts.world.nodes.seen() {
        let labels = node.metadata.labels.as_ref();
        let domain = labels.and_then(|labels| labels.get(&constraint.topology_key));
        if let Some(domain) = domain {
            counts.entry(domain).or_default();
            domain_of.insert(node::name(node), domain);
        }
    }
    // A scan does not keep calm pods: the rest of them, counted, would mislead.
    let kept = facts.world.pods.seen_in(pod.namespace()).filter(|_| facts.world.calm.is_empty());
    for other in kept.map(PodView::new) {
        if let Some(domain) = other.node_name().and_then(|name| domain_of.get(name))
            && other.deletion_deadline().is_none()
            && selector_matches(constraint.label_selector.as_ref(), other)
        {
            *counts.entry(domain).or_default() += 1;
        }
    }
    (!counts.is_empty() && counts.len() <= 12)
        .then(|| counts.iter().map(|(domain, n)| format!("{domain} {n}")).collect::<Vec<_>>().join(", "))
}

#[cfg(test)]
mod tests {
    use crate::diagnosis::Certainty;
    use crate::diagnosis::testing::diagnose_pod;

    fn pending(message: &str) -> String {
        format!(
            r#"
apiVersion: v1
kind: Pod
metadata: {{name: web-2, namespace: prod, labels: {{app: web}}, creationTimestamp: '2026-01-01T00:00:00Z'}}
spec:
  containers: [{{name: app, image: x}}]
  topologySpreadConstraints: [{{maxSkew: 1, topologyKey: zone, whenUnsatisfiable: DoNotSchedule, labelSelector: {{matchLabels: {{app: web}}}}}}]
status:
  phase: Pending
  conditions: [{{type: PodScheduled, status: 'False', reason: Unschedulable, message: "{message}"}}]
---
apiVersion: v1
kind: Pod
metadata: {{name: web-1, namespace: prod, labels: {{app: web}}}}
spec: {{nodeName: a1, containers: [{{name: app, image: x}}]}}
---
apiVersion: v1
kind: Node
metadata: {{name: a1, labels: {{zone: A}}}}
status: {{conditions: [{{type: Ready, status: 'True'}}]}}
---
apiVersion: v1
kind: Node
metadata: {{name: b1, labels: {{zone: B}}}}
status: {{conditions: [{{type: Ready, status: 'True'}}]}}
"#
        )
    }

    #[test]
    fn counts_the_pods_of_each_domain() {
        let yaml = pending("0/2 nodes are available: 2 node(s) didn't match pod topology spread constraints.");
        let diagnosis = diagnose_pod(&yaml, "prod/web-2", "2026-01-01T00:10:00Z");
        let answer = diagnosis.answer().unwrap();
        assert_eq!((answer.cause.id, answer.certainty), ("topology-spread-unsatisfied", Certainty::Confirmed));
        assert!(answer.summary.en.contains("there now: A 1, B 0"), "{}", answer.summary.en);
    }

    #[test]
    fn where_more_nodes_are_full_that_leads() {
        let yaml = pending(
            "0/4 nodes are available: 1 node(s) didn't match pod topology spread constraints, 3 Insufficient cpu.",
        );
        let diagnosis = diagnose_pod(&yaml, "prod/web-2", "2026-01-01T00:10:00Z");
        assert_eq!(diagnosis.answer().unwrap().cause.id, "node-resources-insufficient");
    }
}
