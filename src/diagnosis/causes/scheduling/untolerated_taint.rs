//! A taint that a person or a product has set is not tolerated.

use super::{Kind, few, picture, taint_kind};
use crate::diagnosis::fit;
use crate::diagnosis::{Cause, Certainty, Finding, Fix, Page, Phase, Text, Words, kubectl};
use crate::facts::reading::scheduler::NodeReason;
use crate::facts::{Evidence, Facts, PodView, node};
use std::collections::BTreeMap;

pub static CAUSE: Cause = Cause {
    id: "untolerated-taint",
    phases: &[Phase::Scheduling],
    guide: &["Pending/污点 手动"],
    page: Page {
        title: Text {
            en: "The nodes have a taint that the pod does not tolerate", zh: "节点存在 Pod 没有容忍的污点"
        },
        what: Text {
            en: "Somebody, or a product, keeps the nodes for certain pods: a control plane, a GPU pool, a node that is being drained or set up. The pod has no matching toleration.",
            zh: "节点被人或某个组件打上了污点，只留给特定的 Pod：控制面节点、GPU 节点池、正在腾空或初始化的节点等，而该 Pod 没有相应的容忍。",
        },
        tell: Text {
            en: "`had untolerated taint {key: value}`; from 1.35 and before 1.18 without the key: the nodes' spec.taints tell. Taints that Kubernetes sets by a node's condition are another cause, a fault of the node.",
            zh: "报错为 `had untolerated taint {key: value}`；1.35 起以及 1.18 之前不带 key，需看节点的 spec.taints。由节点状况自动添加的污点属于另一原因（节点故障）。",
        },
        fix: Text {
            en: "Add a toleration to the workload if the pod belongs there; remove the taint if it is a leftover; else add a node without it. Never remove a taint that a controller sets: it comes back.",
            zh: "如果 Pod 应运行在这些节点上，给工作负载加容忍；如果污点是遗留的，将其移除；否则增加没有该污点的节点。不要移除控制器自动添加的污点，它会再次出现。",
        },
        sources: &["https://kubernetes.io/docs/concepts/scheduling-eviction/taint-and-toleration/"],
    },
    check,
};

fn check(facts: &Facts<'_>) -> Option<Finding> {
    let picture = picture(facts)?;
    let kind = if picture.lead == Kind::ControlPlane || picture.count(Kind::Taint) == 0 {
        Kind::ControlPlane
    } else {
        Kind::Taint
    };
    let mut finding = picture.finding(&CAUSE, kind)?;
    let pod = picture.pod;
    let taints = taints(facts, pod);
    let named: Vec<String> = if taints.is_empty() {
        picture
            .reasons()
            .iter()
            .filter_map(|(_, reason)| match reason {
                NodeReason::Taint(Some(taint)) if is_ours(taint.key) && taint.value.is_empty() => {
                    Some(taint.key.to_owned())
                }
                NodeReason::Taint(Some(taint)) if is_ours(taint.key) => Some(format!("{}={}", taint.key, taint.value)),
                _ => None,
            })
            .collect()
    } else {
        taints.keys().cloned().collect()
    };
    // Neither the text nor a node tells which taint: a node's fault looks the same.
    if named.is_empty() {
        finding.certainty = Certainty::Possible;
    }
    for (taint, nodes) in &taints {
        finding = finding.because([Evidence::field(format!("node {}.spec.taints", few(nodes)), taint, None)]);
    }
    let list = if named.is_empty() { "?".to_owned() } else { named.join(", ") };
    let (share_en, share_zh) = picture.share(kind);
    let workload = pod.workload();
    finding = finding
        .says(
            format!("Pod {} does not tolerate the taint {list} ({share_en}), and no other node takes it.", pod.name()),
            format!("Pod {} 没有容忍污点 {list}（{share_zh}），也没有其他节点可用。", pod.name()),
        )
        .fix(
            Fix::safe(Words::new("See the taints of every node.", "查看所有节点的污点。"))
                .command("kubectl get nodes -o custom-columns=NAME:.metadata.name,TAINTS:.spec.taints"),
        )
        .fix(
            Fix::careful(Words::new(
                format!("If the pod belongs on these nodes, add a toleration to {workload} (its pods are made anew)."),
                format!("如果该 Pod 应运行在这些节点上，给 {workload} 加上容忍（会重建 Pod）。"),
            ))
            .command(kubectl::edit(&workload)),
        );
    if let Some((taint, nodes)) = taints.iter().next()
        && let Some(name) = nodes.first()
    {
        finding = finding.fix(
            Fix::careful(Words::new(
                "If the taint is a leftover that nobody needs, remove it; every pod may go there then.",
                "如果污点是遗留的且不再需要，将其移除；之后所有 Pod 都可能调度到该节点。",
            ))
            .command(format!(
                "kubectl taint nodes {} {}",
                kubectl::quoted(name),
                kubectl::quoted(&format!("{taint}-"))
            )),
        );
    }
    finding.some()
}

fn is_ours(key: &str) -> bool {
    matches!(taint_kind(key), Kind::Taint | Kind::ControlPlane)
}

/// Returns the taints of this sort that the nodes have, with the nodes that have each.
fn taints<'w>(facts: &Facts<'w>, pod: PodView<'w>) -> BTreeMap<String, Vec<&'w str>> {
    let tolerations = pod.spec().and_then(|spec| spec.tolerations.as_deref()).unwrap_or_default();
    let mut found: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for node in facts.world.nodes.seen() {
        for taint in fit::untolerated(node, tolerations).filter(|taint| is_ours(&taint.key)) {
            found.entry(node::taint_text(taint)).or_default().push(node::name(node));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use crate::diagnosis::Certainty;
    use crate::diagnosis::testing::diagnose_pod;

    fn pending(message: &str, node: &str) -> String {
        format!(
            r#"
apiVersion: v1
kind: Pod
metadata: {{name: web, namespace: prod, creationTimestamp: '2026-01-01T00:00:00Z'}}
spec: {{containers: [{{name: app, image: x}}]}}
status:
  phase: Pending
  conditions: [{{type: PodScheduled, status: 'False', reason: Unschedulable, message: "{message}"}}]
{node}"#
        )
    }

    const SPECIAL: &str = "---\napiVersion: v1\nkind: Node\nmetadata: {name: host1}\nspec: {taints: [{key: special, value: 'true', effect: NoSchedule}]}\nstatus: {conditions: [{type: Ready, status: 'True'}]}\n";

    #[test]
    fn the_nodes_name_the_taint_where_the_scheduler_does_not() {
        let yaml = pending(
            "0/1 nodes are available: 1 node(s) had untolerated taint(s). no new claims to deallocate, preemption: 0/1 nodes are available: 1 Preemption is not helpful for scheduling.",
            SPECIAL,
        );
        let diagnosis = diagnose_pod(&yaml, "prod/web", "2026-01-01T00:10:00Z");
        let answer = diagnosis.answer().unwrap();
        assert_eq!((answer.cause.id, answer.certainty), ("untolerated-taint", Certainty::Confirmed));
        assert!(answer.summary.en.contains("special=true:NoSchedule"));
        assert!(answer.fixes[2].command.as_deref() == Some("kubectl taint nodes host1 special=true:NoSchedule-"));
    }

    #[test]
    fn without_key_and_nodes_it_is_only_possible() {
        let yaml = pending("0/1 nodes are available: 1 node(s) had taints that the pod didn't tolerate.", "");
        let diagnosis = diagnose_pod(&yaml, "prod/web", "2026-01-01T00:10:00Z");
        assert_eq!(diagnosis.answer().unwrap().certainty, Certainty::Possible);
    }

    #[test]
    fn a_taint_by_condition_is_another_cause() {
        let node = SPECIAL.replace("key: special, value: 'true'", "key: node.kubernetes.io/disk-pressure");
        let yaml = pending("0/1 nodes are available: 1 node(s) had taints that the pod didn't tolerate.", &node);
        let diagnosis = diagnose_pod(&yaml, "prod/web", "2026-01-01T00:10:00Z");
        assert_eq!(diagnosis.answer().unwrap().cause.id, "node-condition-taint");
    }
}
