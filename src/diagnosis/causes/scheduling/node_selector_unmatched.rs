//! No node carries the labels that the pod asks for.

use super::{Kind, few, picture};
use crate::diagnosis::fit::{self, LabelMiss};
use crate::diagnosis::{Cause, Finding, Fix, Page, Phase, Text, Words, kubectl};
use crate::facts::{Evidence, Facts, PodView, node};

pub static CAUSE: Cause = Cause {
    id: "node-selector-unmatched",
    phases: &[Phase::Scheduling],
    guide: &["Pending/nodeSelector 与 affinity"],
    page: Page {
        title: Text {
            en: "No node has the labels that the pod asks for",
            zh: "没有节点满足 nodeSelector 或节点亲和性",
        },
        what: Text {
            en: "nodeSelector or required node affinity admits only nodes with certain labels, and none has them: a typo, a label that was never set or went with a node, or a label of another Kubernetes version (beta.kubernetes.io/os, node-role.kubernetes.io/master).",
            zh: "nodeSelector 或 requiredDuringScheduling 节点亲和性只允许带有特定标签的节点，而没有节点带有这些标签：拼写错误、标签没打或随节点消失，或者是其他版本的标签（如 beta.kubernetes.io/os、node-role.kubernetes.io/master）。",
        },
        tell: Text {
            en: "`didn't match Pod's node affinity/selector` (one text for both), and nothing else is said but taints that are by design. Where some nodes match and are full, tainted or gone, that is the cause.",
            zh: "报错为 `didn't match Pod's node affinity/selector`（两者共用），除设计上的污点外没有其他原因。如果有节点匹配标签、只是资源不足或有污点，那才是原因。",
        },
        fix: Text {
            en: "Correct the selector in the workload, or label a node. A pod's own selector cannot be changed: its workload makes a new one.",
            zh: "修正工作负载中的选择器，或给节点打标签。已有 Pod 的选择器不可修改，需由工作负载重建。",
        },
        sources: &["https://kubernetes.io/docs/concepts/scheduling-eviction/assign-pod-node/"],
    },
    check,
};

fn check(facts: &Facts<'_>) -> Option<Finding> {
    let picture = picture(facts)?;
    let mut finding = picture.finding(&CAUSE, Kind::Selector)?;
    let pod = picture.pod;
    let wanted = wanted(pod);
    finding = finding.because(wanted.iter().map(|(path, text)| Evidence::field(path, text, None)));
    let (share_en, share_zh) = picture.share(Kind::Selector);
    let asks = wanted.iter().map(|(_, text)| text.as_str()).collect::<Vec<_>>().join(", ");
    let mut en = format!("No node has the labels that pod {} asks for ({asks}), looked for on {share_en}", pod.name());
    let mut zh = format!("没有节点带有 Pod {} 要求的标签（{asks}）：{share_zh}不匹配", pod.name());
    let nearest = nearest(facts, pod);
    if let Some((name, misses)) = &nearest {
        let missing = misses.iter().map(miss_en).collect::<Vec<_>>().join(", ");
        en = format!("{en}; the nearest is {name}, which {missing}");
        zh = format!("{zh}；最接近的节点是 {name}：{}", misses.iter().map(miss_zh).collect::<Vec<_>>().join("，"));
        finding = finding.because([Evidence::field(format!("node {name}.metadata.labels"), missing, None)]);
    }
    let names: Vec<&str> = facts.world.nodes.seen().map(node::name).collect();
    if !names.is_empty() && nearest.is_none() {
        finding = finding.because([Evidence::field("nodes read", few(&names), None)]);
    }
    let workload = pod.workload();
    finding = finding
        .says(format!("{en}."), format!("{zh}。"))
        .fix(
            Fix::safe(Words::new("Compare with the labels that the nodes have.", "核对节点现有的标签。"))
                .command("kubectl get nodes --show-labels"),
        )
        .fix(
            Fix::careful(Words::new(
                format!("Correct the selector in {workload}; it makes new pods."),
                format!("修正 {workload} 中的选择器，随后会重建 Pod。"),
            ))
            .command(kubectl::edit(&workload)),
        );
    if let Some((name, misses)) = &nearest
        && let [LabelMiss { wanted, has: None, .. }] = misses.as_slice()
        && wanted.contains('=')
        && !wanted.contains("!=")
    {
        finding = finding.fix(
            Fix::careful(Words::new(
                "Or label the node, if it is meant for such pods: others with this selector will go there as well.",
                "或者给该节点打上标签（确认它适合这类 Pod；使用同一选择器的其他 Pod 也会调度过去）。",
            ))
            .command(format!("kubectl label node {} {}", kubectl::quoted(name), kubectl::quoted(wanted))),
        );
    }
    finding.some()
}

/// Returns what the pod asks for, with its place.
fn wanted(pod: PodView<'_>) -> Vec<(String, String)> {
    let Some(spec) = pod.spec() else { return Vec::new() };
    let mut found = Vec::new();
    if let Some(selector) = spec.node_selector.as_ref().filter(|selector| !selector.is_empty()) {
        let text = selector.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(", ");
        found.push(("pod.spec.nodeSelector".to_owned(), text));
    }
    if let Some(affinity) = fit::required_affinity(spec) {
        let terms = affinity.node_selector_terms.iter().map(|term| {
            term.match_expressions
                .iter()
                .chain(term.match_fields.iter())
                .flatten()
                .map(|e| {
                    let values = e.values.as_deref().unwrap_or_default().join(", ");
                    if values.is_empty() {
                        format!("{} {}", e.key, e.operator)
                    } else {
                        format!("{} {} [{values}]", e.key, e.operator)
                    }
                })
                .collect::<Vec<_>>()
                .join(" and ")
        });
        let text = terms.collect::<Vec<_>>().join(" or ");
        found.push(("pod.spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution".to_owned(), text));
    }
    found
}

/// Returns the node that lacks the fewest labels, and which.
fn nearest(facts: &Facts<'_>, pod: PodView<'_>) -> Option<(String, Vec<LabelMiss>)> {
    let spec = pod.spec()?;
    facts
        .world
        .nodes
        .seen()
        .map(|node| (node::name(node).to_owned(), fit::label_misses(node, spec)))
        .filter(|(_, misses)| !misses.is_empty())
        // A value that differs is nearer than a label that is not there.
        .min_by_key(|(_, misses)| (misses.len(), misses.iter().filter(|miss| miss.has.is_none()).count()))
}

fn miss_en(miss: &LabelMiss) -> String {
    match &miss.has {
        Some(has) => format!("has {}={has} instead of {}", miss.key, miss.wanted),
        None => format!("lacks {}", miss.wanted),
    }
}

fn miss_zh(miss: &LabelMiss) -> String {
    match &miss.has {
        Some(has) => format!("其标签为 {}={has}，而要求 {}", miss.key, miss.wanted),
        None => format!("缺少 {}", miss.wanted),
    }
}

#[cfg(test)]
mod tests {
    use crate::diagnosis::Certainty;
    use crate::diagnosis::testing::diagnose_pod;

    fn pending(message: &str, taints: &str) -> String {
        format!(
            r#"
apiVersion: v1
kind: Pod
metadata: {{name: db, namespace: prod, creationTimestamp: '2026-01-01T00:00:00Z'}}
spec: {{nodeSelector: {{disktype: ssd}}, containers: [{{name: app, image: x}}]}}
status:
  phase: Pending
  conditions: [{{type: PodScheduled, status: 'False', reason: Unschedulable, message: "{message}"}}]
---
apiVersion: v1
kind: Node
metadata: {{name: a, labels: {{disktype: hdd}}}}
spec: {{taints: [{taints}]}}
status: {{allocatable: {{cpu: '2'}}, conditions: [{{type: Ready, status: 'True'}}]}}
"#
        )
    }

    #[test]
    fn every_wording_names_the_nearest_node() {
        for message in [
            "0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector. preemption: 0/1 nodes are available: 1 Preemption is not helpful for scheduling.",
            "0/1 nodes are available: 1 node(s) didn't match node selector.",
            "No nodes are available that match all of the predicates: MatchNodeSelector (1).",
        ] {
            let diagnosis = diagnose_pod(&pending(message, ""), "prod/db", "2026-01-01T00:10:00Z");
            let answer = diagnosis.answer().unwrap();
            assert_eq!(
                (answer.cause.id, answer.certainty),
                ("node-selector-unmatched", Certainty::Confirmed),
                "{message}"
            );
            assert!(answer.summary.en.contains("the nearest is a, which has disktype=hdd instead of disktype=ssd"));
        }
    }

    #[test]
    fn a_taint_by_design_beside_it_does_not_lead() {
        let yaml = pending(
            "0/2 nodes are available: 1 node(s) didn't match Pod's node affinity/selector, 1 node(s) had untolerated taint {node-role.kubernetes.io/control-plane: }.",
            "",
        );
        let diagnosis = diagnose_pod(&yaml, "prod/db", "2026-01-01T00:10:00Z");
        assert_eq!(diagnosis.answer().unwrap().cause.id, "node-selector-unmatched");
    }
}
