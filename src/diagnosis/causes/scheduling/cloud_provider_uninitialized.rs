//! The cloud provider has not initialized the nodes.

use super::{Kind, few, picture, taint_kind, untolerated_keys};
use crate::diagnosis::{Cause, Finding, Fix, Page, Phase, Text, Words, kubectl};
use crate::facts::{Evidence, Facts, PodView, node};

pub static CAUSE: Cause = Cause {
    id: "cloud-provider-uninitialized",
    phases: &[Phase::Scheduling],
    guide: &["Pending/污点 uninitialized"],
    page: Page {
        title: Text {
            en: "The cloud provider has not initialized the nodes", zh: "云厂商控制器尚未初始化节点"
        },
        what: Text {
            en: "A kubelet with an external cloud provider registers its node with the taint node.cloudprovider.kubernetes.io/uninitialized. The cloud-controller-manager takes it off once it has found the machine; it does not run, cannot reach the cloud, or does not know the machine.",
            zh: "使用外部 cloud provider 的 kubelet 注册节点时会带上 node.cloudprovider.kubernetes.io/uninitialized 污点，由 cloud-controller-manager 找到对应机器后移除。它没有运行、无法访问云 API，或找不到这台机器。",
        },
        tell: Text {
            en: "The taint is still there minutes after the node has joined, and the node has no spec.providerID.",
            zh: "节点加入数分钟后仍带有该污点，且没有 spec.providerID。",
        },
        fix: Text {
            en: "Look at the cloud-controller-manager: does it run, may it use the cloud's API, do node names match. Do not remove the taint by hand but where no cloud provider is meant to be.",
            zh: "检查 cloud-controller-manager：是否运行、是否有云 API 权限、节点名是否匹配。除非本就不使用云厂商集成，否则不要手动移除污点。",
        },
        sources: &["https://kubernetes.io/docs/tasks/administer-cluster/running-cloud-controller/"],
    },
    check,
};

fn check(facts: &Facts<'_>) -> Option<Finding> {
    let picture = picture(facts)?;
    let mut finding = picture.finding(&CAUSE, Kind::Uninitialized)?;
    let pod = picture.pod;
    let mut names = Vec::new();
    for node in facts.world.nodes.seen() {
        let Some(key) = untolerated_keys(pod, node).into_iter().find(|key| taint_kind(key) == Kind::Uninitialized)
        else {
            continue;
        };
        let joined = node.metadata.creation_timestamp.as_ref().map(|t| t.0);
        finding = finding.because([Evidence::field(format!("node {}.spec.taints", node::name(node)), key, joined)]);
        names.push(node::name(node));
    }
    finding = finding.because(controller(facts));
    let (share_en, share_zh) = picture.share(Kind::Uninitialized);
    let on = if names.is_empty() { String::new() } else { format!(" ({})", few(&names)) };
    finding
        .says(
            format!("No node takes pod {}: the cloud provider has not initialized {share_en}{on}.", pod.name()),
            format!("没有节点可以容纳 Pod {}：{share_zh}尚未被云厂商控制器初始化{on}。", pod.name()),
        )
        .fix(
            Fix::safe(Words::new(
                "See whether the cloud-controller-manager runs and what it logs.",
                "查看 cloud-controller-manager 是否运行以及它的日志。",
            ))
            .command("kubectl -n kube-system get pods -o wide | grep -i cloud"),
        )
        .fix(
            Fix::safe(Words::new(
                "See whether the node has a providerID; without one it was never found in the cloud.",
                "查看节点是否有 providerID；没有则说明云控制器从未找到它。",
            ))
            .command(format!(
                "kubectl get node {} -o jsonpath='{{.spec.providerID}}'",
                names.first().map_or_else(|| "NODE".to_owned(), |name| kubectl::quoted(name))
            )),
        )
        .some()
}

/// Returns the state of a cloud-controller-manager that does not run well, where its pod was read.
fn controller(facts: &Facts<'_>) -> Option<Evidence> {
    let pods = facts.world.pods.seen().map(PodView::new);
    let sick = pods
        .filter(|pod| pod.name().contains("cloud-controller") || pod.name().contains("cloud-provider"))
        .find(|pod| !pod.is("Ready"))?;
    let state = sick.app_containers().find_map(|app| app.waiting().map(|waiting| waiting.reason.to_owned()));
    let text = format!("{}, not ready{}", sick.phase(), state.map(|state| format!(", {state}")).unwrap_or_default());
    Some(Evidence::field(format!("pod {}/{}.status", sick.namespace(), sick.name()), text, None))
}

#[cfg(test)]
mod tests {
    use crate::diagnosis::Certainty;
    use crate::diagnosis::testing::diagnose_pod;

    const PENDING: &str = r#"
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: prod, creationTimestamp: '2026-01-01T00:00:00Z'}
spec: {containers: [{name: app, image: x}]}
status:
  phase: Pending
  conditions: [{type: PodScheduled, status: 'False', reason: Unschedulable, message: "0/1 nodes are available: 1 node(s) had untolerated taint {node.kubernetes.io/not-ready: }."}]
---
apiVersion: v1
kind: Node
metadata: {name: a, creationTimestamp: '2025-12-31T00:00:00Z'}
spec:
  taints:
  - {key: node.kubernetes.io/not-ready, effect: NoSchedule}
  - {key: node.cloudprovider.kubernetes.io/uninitialized, value: 'true', effect: NoSchedule}
status: {conditions: [{type: Ready, status: 'False'}]}
"#;

    #[test]
    fn the_taint_behind_the_first_one_is_the_cause() {
        let diagnosis = diagnose_pod(PENDING, "prod/web", "2026-01-01T00:10:00Z");
        let answer = diagnosis.answer().unwrap();
        assert_eq!((answer.cause.id, answer.certainty), ("cloud-provider-uninitialized", Certainty::Confirmed));
    }

    #[test]
    fn taints_tell_where_the_scheduler_s_sentence_is_gone() {
        let sentence = r#", message: "0/1 nodes are available: 1 node(s) had untolerated taint {node.kubernetes.io/not-ready: }.""#;
        let diagnosis = diagnose_pod(&PENDING.replace(sentence, ""), "prod/web", "2026-01-01T00:10:00Z");
        let answer = diagnosis.answer().unwrap();
        assert_eq!((answer.cause.id, answer.certainty), ("cloud-provider-uninitialized", Certainty::Likely));
    }

    #[test]
    fn a_node_without_taints_leaves_it_open() {
        let sentence = r#", message: "0/1 nodes are available: 1 node(s) had untolerated taint {node.kubernetes.io/not-ready: }.""#;
        let yaml = PENDING.replace(sentence, "")
            + "---\napiVersion: v1\nkind: Node\nmetadata: {name: b}\nstatus: {conditions: [{type: Ready, status: 'True'}]}\n";
        let diagnosis = diagnose_pod(&yaml, "prod/web", "2026-01-01T00:10:00Z");
        assert!(diagnosis.findings.iter().all(|finding| finding.cause.id != "cloud-provider-uninitialized"));
    }

    #[test]
    fn a_node_that_is_just_not_ready_is_another_cause() {
        let yaml = PENDING.replace(
            "  - {key: node.cloudprovider.kubernetes.io/uninitialized, value: 'true', effect: NoSchedule}\n",
            "",
        );
        let diagnosis = diagnose_pod(&yaml, "prod/web", "2026-01-01T00:10:00Z");
        assert_eq!(diagnosis.answer().unwrap().cause.id, "node-condition-taint");
    }
}
