//! Pod affinity finds no node with a matching pod.

use super::{Kind, picture};
use crate::diagnosis::{Cause, Finding, Fix, Page, Phase, Text, Words, kubectl};
use crate::facts::{Evidence, Facts, PodView};
use k8s_openapi::api::core::v1::PodAffinityTerm;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;

pub static CAUSE: Cause = Cause {
    id: "pod-affinity-unsatisfied",
    phases: &[Phase::Scheduling],
    guide: &["Pending/nodeSelector 与 affinity"],
    page: Page {
        title: Text { en: "Pod affinity finds no matching pod", zh: "Pod 亲和性找不到匹配的 Pod" },
        what: Text {
            en: "The pod must run beside another pod (same node or zone), and no node that would do holds one: the other pod does not run, its labels or namespace differ, or the nodes lack the topology label.",
            zh: "Pod 必须与另一个 Pod 处于同一节点或可用区，而可用节点上没有这样的 Pod：对方没有运行、标签或命名空间不同，或节点缺少拓扑标签。",
        },
        tell: Text {
            en: "`didn't match pod affinity rules`. A pod that matches its own rule may start alone, when no other matches anywhere.",
            zh: "报错为 `didn't match pod affinity rules`。如果 Pod 自身满足该规则且集群中没有其他匹配者，第一个 Pod 可以单独启动。",
        },
        fix: Text {
            en: "Start the pod that it must be beside, correct the selector or its namespaces, or use preferred affinity.",
            zh: "启动它要靠近的 Pod、修正选择器或命名空间，或改用 preferred 亲和性。",
        },
        sources: &[
            "https://kubernetes.io/docs/concepts/scheduling-eviction/assign-pod-node/#inter-pod-affinity-and-anti-affinity",
        ],
    },
    check,
};

fn check(facts: &Facts<'_>) -> Option<Finding> {
    let picture = picture(facts)?;
    let mut finding = picture.finding(&CAUSE, Kind::PodAffinity)?;
    let pod = picture.pod;
    let mut rules = Vec::new();
    for term in terms(pod) {
        let rule = format!("{} per {}", selector_text(term.label_selector.as_ref()), term.topology_key);
        finding = finding.because([Evidence::field(
            "pod.spec.affinity.podAffinity.requiredDuringSchedulingIgnoredDuringExecution",
            &rule,
            None,
        )]);
        rules.push(rule);
    }
    // A scan does not keep calm pods: what is not among the others may well be there.
    let nowhere = facts.world.calm.is_empty()
        && terms(pod).iter().any(|term| {
            facts.world.pods.in_namespace(pod.namespace()).present().is_some_and(|pods| {
                term.namespaces.is_none()
                    && term.namespace_selector.is_none()
                    && !pods
                        .into_iter()
                        .map(PodView::new)
                        .any(|p| p.node_name().is_some() && selector_matches(term.label_selector.as_ref(), p))
            })
        });
    let rule = rules.join("; ");
    let (share_en, share_zh) = picture.share(Kind::PodAffinity);
    let (why, why_zh) = if nowhere {
        ("no such pod runs in its namespace", "其命名空间中没有这样的 Pod 在运行")
    } else {
        ("none of them holds such a pod", "这些节点上没有这样的 Pod")
    };
    let workload = pod.workload();
    finding
        .says(
            format!("Pod {} must run beside a pod with {rule}, but on {share_en} {why}.", pod.name()),
            format!("Pod {} 必须与带有 {rule} 的 Pod 在一起，但{share_zh}不满足：{why_zh}。", pod.name()),
        )
        .fix(
            Fix::safe(Words::new(
                "See which pods carry the labels, and where they run.",
                "查看哪些 Pod 带有这些标签、运行在哪里。",
            ))
            .command("kubectl get pods -A -o wide --show-labels"),
        )
        .fix(
            Fix::careful(Words::new(
                format!("Correct the rule in {workload}, or make it preferred; or start the pod that it waits for."),
                format!("修正 {workload} 中的规则或改为 preferred；或启动它所等待的 Pod。"),
            ))
            .command(kubectl::edit(&workload)),
        )
        .some()
}

fn terms(pod: PodView<'_>) -> &[PodAffinityTerm] {
    pod.spec()
        .and_then(|spec| spec.affinity.as_ref()?.pod_affinity.as_ref())
        .and_then(|affinity| affinity.required_during_scheduling_ignored_during_execution.as_deref())
        .unwrap_or_default()
}

/// Returns a label selector as people write it.
pub fn selector_text(selector: Option<&LabelSelector>) -> String {
    let Some(selector) = selector else { return "(no selector)".to_owned() };
    let labels = selector.match_labels.iter().flatten().map(|(key, value)| format!("{key}={value}"));
    let expressions = selector.match_expressions.iter().flatten().map(|e| {
        let values = e.values.as_deref().unwrap_or_default().join(", ");
        if values.is_empty() {
            format!("{} {}", e.key, e.operator)
        } else {
            format!("{} {} ({values})", e.key, e.operator)
        }
    });
    labels.chain(expressions).collect::<Vec<_>>().join(", ")
}

/// Returns true where a pod carries what a label selector asks for. No selector matches no pod, an empty one all.
pub fn selector_matches(selector: Option<&LabelSelector>, pod: PodView<'_>) -> bool {
    let Some(selector) = selector else { return false };
    let label = |key: &str| pod.meta().labels.as_ref().and_then(|labels| labels.get(key));
    selector.match_labels.iter().flatten().all(|(key, value)| label(key) == Some(value))
        && selector.match_expressions.iter().flatten().all(|e| {
            let listed = |has: &String| e.values.as_deref().unwrap_or_default().contains(has);
            match e.operator.as_str() {
                "In" => label(&e.key).is_some_and(listed),
                "NotIn" => !label(&e.key).is_some_and(listed),
                "Exists" => label(&e.key).is_some(),
                "DoesNotExist" => label(&e.key).is_none(),
                _ => false,
            }
        })
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
metadata: {{name: web, namespace: prod, creationTimestamp: '2026-01-01T00:00:00Z'}}
spec:
  containers: [{{name: app, image: x}}]
  affinity: {{podAffinity: {{requiredDuringSchedulingIgnoredDuringExecution: [{{topologyKey: kubernetes.io/hostname, labelSelector: {{matchLabels: {{app: cache}}}}}}]}}}}
status:
  phase: Pending
  conditions: [{{type: PodScheduled, status: 'False', reason: Unschedulable, message: "{message}"}}]
"#
        )
    }

    #[test]
    fn names_the_rule_and_that_no_such_pod_runs() {
        let yaml = pending("0/2 nodes are available: 2 node(s) didn't match pod affinity rules.");
        let diagnosis = diagnose_pod(&yaml, "prod/web", "2026-01-01T00:10:00Z");
        let answer = diagnosis.answer().unwrap();
        assert_eq!((answer.cause.id, answer.certainty), ("pod-affinity-unsatisfied", Certainty::Confirmed));
        assert!(answer.summary.en.contains("app=cache per kubernetes.io/hostname"));
        assert!(answer.summary.en.contains("no such pod runs in its namespace"));
    }

    #[test]
    fn the_old_common_text_is_told_apart_by_the_rule() {
        let yaml = pending("0/2 nodes are available: 2 node(s) didn't match pod affinity/anti-affinity.");
        let diagnosis = diagnose_pod(&yaml, "prod/web", "2026-01-01T00:10:00Z");
        assert_eq!(diagnosis.answer().unwrap().cause.id, "pod-affinity-unsatisfied");
    }
}
