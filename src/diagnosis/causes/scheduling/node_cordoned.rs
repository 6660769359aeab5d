//! The nodes that would take the pod are cordoned.

use super::{Kind, few, picture};
use crate::diagnosis::{Cause, Finding, Fix, Page, Phase, Remedy, Text, Words, kubectl};
use crate::facts::{Evidence, Facts, node};

pub static CAUSE: Cause = Cause {
    id: "node-cordoned",
    phases: &[Phase::Scheduling],
    guide: &["Pending/污点 unschedulable"],
    page: Page {
        title: Text { en: "Nodes are cordoned", zh: "节点被 cordon（不可调度）" },
        what: Text {
            en: "Somebody, or an upgrade, has marked the nodes unschedulable (kubectl cordon or drain) and they have not been opened again.",
            zh: "有人或升级流程将节点标记为不可调度（kubectl cordon / drain），之后没有恢复。",
        },
        tell: Text {
            en: "`node(s) were unschedulable`; spec.unschedulable is true and the taint node.kubernetes.io/unschedulable is set.",
            zh: "报错为 `node(s) were unschedulable`；节点 spec.unschedulable 为 true，并带有污点 node.kubernetes.io/unschedulable。",
        },
        fix: Text {
            en: "Ask who cordoned them and whether the work is over; then uncordon. An upgrade in progress opens them by itself.",
            zh: "确认是谁 cordon 的、维护是否已经结束，然后 uncordon。进行中的升级会自行恢复。",
        },
        sources: &["https://kubernetes.io/docs/concepts/architecture/nodes/#manual-node-administration"],
    },
    check,
};

fn check(facts: &Facts<'_>) -> Option<Finding> {
    let picture = picture(facts)?;
    let mut finding = picture.finding(&CAUSE, Kind::Cordoned)?;
    let cordoned: Vec<&str> = facts.world.nodes.seen().filter(|node| node::is_cordoned(node)).map(node::name).collect();
    for name in cordoned.iter().take(3) {
        finding = finding.because([Evidence::field(format!("node {name}.spec.unschedulable"), "true", None)]);
    }
    let (share_en, share_zh) = picture.share(Kind::Cordoned);
    let on = if cordoned.is_empty() { String::new() } else { format!(" ({})", few(&cordoned)) };
    finding = finding.says(
        format!("No node takes pod {}: cordoned are {share_en}{on}.", picture.pod.name()),
        format!("没有节点可以容纳 Pod {}：{share_zh}被 cordon{on}。", picture.pod.name()),
    );
    match cordoned.first() {
        Some(name) => finding
            .fix(
                Fix::safe(Words::new("See who cordoned it, and since when.", "查看是谁、何时 cordon 的。"))
                    .command(kubectl::describe_node(name)),
            )
            .fix(
                Fix::careful(Words::new(
                    "When the maintenance is over, open the node again.",
                    "维护结束后恢复节点可调度。",
                ))
                .command(format!("kubectl uncordon {}", kubectl::quoted(name))),
            )
            .remedy(Remedy::UncordonNode)
            .aims_at_node(*name),
        None => finding.fix(
            Fix::safe(Words::new("See which nodes are cordoned.", "查看哪些节点被 cordon。"))
                .command("kubectl get nodes --field-selector spec.unschedulable=true"),
        ),
    }
    .some()
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
spec: {{containers: [{{name: app, image: x}}]}}
status:
  phase: Pending
  conditions: [{{type: PodScheduled, status: 'False', reason: Unschedulable, message: "{message}"}}]
---
apiVersion: v1
kind: Node
metadata: {{name: a}}
spec: {{unschedulable: true, taints: [{{key: node.kubernetes.io/unschedulable, effect: NoSchedule}}]}}
status: {{conditions: [{{type: Ready, status: 'True'}}]}}
"#
        )
    }

    #[test]
    fn control_planes_beside_the_cordoned_node_do_not_matter() {
        let yaml = pending(
            "0/2 nodes are available: 1 node(s) had untolerated taint {node-role.kubernetes.io/control-plane: }, 1 node(s) were unschedulable. preemption: 0/2 nodes are available: 2 Preemption is not helpful for scheduling.",
        );
        let diagnosis = diagnose_pod(&yaml, "prod/web", "2026-01-01T00:10:00Z");
        let answer = diagnosis.answer().unwrap();
        assert_eq!((answer.cause.id, answer.certainty), ("node-cordoned", Certainty::Confirmed));
        assert_eq!(answer.fixes[1].command.as_deref(), Some("kubectl uncordon a"));
    }

    #[test]
    fn one_cordoned_node_among_full_ones_does_not_lead() {
        let yaml = pending("0/4 nodes are available: 1 node(s) were unschedulable, 3 Insufficient memory.");
        let diagnosis = diagnose_pod(&yaml, "prod/web", "2026-01-01T00:10:00Z");
        assert_eq!(diagnosis.answer().unwrap().cause.id, "node-resources-insufficient");
    }
}
