//! A bound volume can be reached from other nodes only.

use super::{Kind, few, picture};
use crate::diagnosis::fit::{self, Misfit};
use crate::diagnosis::{Cause, Finding, Fix, Page, Phase, Text, Words, kubectl};
use crate::facts::{Evidence, Facts, node};
use std::collections::BTreeMap;

pub static CAUSE: Cause = Cause {
    id: "volume-zone-conflict",
    phases: &[Phase::Scheduling],
    guide: &[],
    page: Page {
        title: Text {
            en: "The volume lives where the pod cannot go", zh: "存储卷所在的可用区或节点无法调度"
        },
        what: Text {
            en: "A claim of the pod is bound to a volume that can be reached from one zone or one node only. The nodes there are full, tainted, gone, or excluded by the pod's other rules. With a class that binds at once (Immediate) the zone was drawn before the pod was looked at.",
            zh: "Pod 的 PVC 绑定的卷只能从某个可用区或某个节点访问，而那里的节点资源不足、有污点、已不存在，或被 Pod 的其他规则排除。Immediate 绑定模式的 StorageClass 会在调度之前就随机选定可用区。",
        },
        tell: Text {
            en: "`didn't match PersistentVolume's node affinity` (≥1.33), `had volume node affinity conflict`, `had no available volume zone`. The nodes of the other zones say it; those of the right one say something else, or are not there.",
            zh: "报错为 `didn't match PersistentVolume's node affinity`（≥1.33）、`had volume node affinity conflict` 或 `had no available volume zone`。其他可用区的节点报这个错；卷所在区的节点报别的错，或已不存在。",
        },
        fix: Text {
            en: "Make room or add a node in the volume's zone. For new claims use a class with volumeBindingMode WaitForFirstConsumer. Deleting the claim deletes the data (reclaim policy Delete); a local volume on a lost node is lost with it.",
            zh: "在卷所在的可用区腾出资源或增加节点。新的 PVC 使用 volumeBindingMode: WaitForFirstConsumer 的 StorageClass。删除 PVC 会删除数据（回收策略为 Delete 时）；本地卷随节点丢失而丢失。",
        },
        sources: &[
            "https://kubernetes.io/docs/concepts/storage/storage-classes/#volume-binding-mode",
            "kubernetes/kubernetes pkg/scheduler/framework/plugins/volumebinding",
        ],
    },
    check,
};

fn check(facts: &Facts<'_>) -> Option<Finding> {
    let picture = picture(facts)?;
    let mut finding = picture.finding(&CAUSE, Kind::VolumeElsewhere)?;
    let pod = picture.pod;
    let fit = fit::compute(facts, pod);
    let mut volumes: BTreeMap<String, String> = BTreeMap::new();
    let mut right_nodes: Vec<&str> = Vec::new();
    for of_node in fit.iter().flat_map(|fit| &fit.nodes) {
        let mut here = true;
        for misfit in &of_node.misfits {
            if let Misfit::Volume { volume, wants } = misfit {
                volumes.insert(volume.clone(), wants.clone());
                here = false;
            }
        }
        if here {
            right_nodes.push(node::name(of_node.node));
        }
    }
    for (volume, wants) in &volumes {
        finding = finding.because([Evidence::field(format!("persistentvolume {volume} (node affinity)"), wants, None)]);
    }
    let claims: Vec<String> = fit::claims(pod).collect();
    let claims: Vec<&str> = claims.iter().map(String::as_str).collect();
    let (share_en, share_zh) = picture.share(Kind::VolumeElsewhere);
    let place = volumes.values().next().map(|wants| format!(" ({wants})")).unwrap_or_default();
    let (there, there_zh) = match (volumes.is_empty(), right_nodes.is_empty()) {
        (true, _) => (String::new(), String::new()),
        (false, true) => ("; no node that was read is there".to_owned(), "；那里没有任何节点".to_owned()),
        (false, false) => (
            format!("; the nodes there ({}) do not take it for other reasons", few(&right_nodes)),
            format!("；那里的节点（{}）因其他原因无法容纳", few(&right_nodes)),
        ),
    };
    if !volumes.is_empty() {
        finding = finding.because(fit.map(|fit| fit.evidence()));
    }
    // A row of a table names none.
    let (claim, claim_zh) = match claims[..] {
        [] => Default::default(),
        _ => (format!(" (claim {})", few(&claims)), format!("（PVC {}）", few(&claims))),
    };
    finding
        .says(
            format!(
                "The volume of pod {}{claim} lives elsewhere{place}: {share_en} cannot reach it{there}.",
                pod.name()
            ),
            format!("Pod {} 的存储卷{claim_zh}在别处{place}：{share_zh}无法访问{there_zh}。", pod.name()),
        )
        .fix(Fix::safe(Words::new("See where the volume can be reached.", "查看存储卷可从哪些节点访问。")).command(
            match volumes.keys().next() {
                Some(volume) => format!("kubectl describe pv {}", kubectl::quoted(volume)),
                None => super::pvc_unbound::look_at(pod, &fit::claims(pod).take(1).collect::<Vec<_>>()),
            },
        ))
        .fix(Fix::careful(Words::new(
            format!("Make room or add a node where the volume is{place}."),
            format!("在卷所在的位置{place}腾出资源或增加节点。"),
        )))
        .fix(Fix::dangerous(Words::new(
            "Only if the data may be lost: delete claim and pod, so that a new volume is made where there is room.",
            "仅当数据可以丢弃时：删除 PVC 与 Pod，在有资源的位置重新创建卷。",
        )))
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
metadata: {{name: db-0, namespace: prod, creationTimestamp: '2026-01-01T00:00:00Z'}}
spec: {{volumes: [{{name: d, persistentVolumeClaim: {{claimName: data}}}}], containers: [{{name: app, image: x}}]}}
status:
  phase: Pending
  conditions: [{{type: PodScheduled, status: 'False', reason: Unschedulable, message: "{message}"}}]
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {{name: data, namespace: prod}}
spec: {{volumeName: pv-1}}
status: {{phase: Bound}}
---
apiVersion: v1
kind: PersistentVolume
metadata: {{name: pv-1}}
spec: {{nodeAffinity: {{required: {{nodeSelectorTerms: [{{matchExpressions: [{{key: topology.kubernetes.io/zone, operator: In, values: [c]}}]}}]}}}}}}
---
apiVersion: v1
kind: Node
metadata: {{name: a1, labels: {{topology.kubernetes.io/zone: a}}}}
status: {{conditions: [{{type: Ready, status: 'True'}}]}}
"#
        )
    }

    #[test]
    fn every_wording_says_where_the_volume_lives() {
        for message in [
            "0/1 nodes are available: 1 node(s) didn't match PersistentVolume's node affinity. no new claims to deallocate, preemption: 0/1 nodes are available: 1 Preemption is not helpful for scheduling.",
            "0/1 nodes are available: 1 node(s) had volume node affinity conflict.",
            "0/1 nodes are available: 1 node(s) had no available volume zone.",
        ] {
            let diagnosis = diagnose_pod(&pending(message), "prod/db-0", "2026-01-01T00:10:00Z");
            let answer = diagnosis.answer().unwrap();
            assert_eq!(
                (answer.cause.id, answer.certainty),
                ("volume-zone-conflict", Certainty::Confirmed),
                "{message}"
            );
            assert!(answer.summary.en.contains("topology.kubernetes.io/zone=c"), "{}", answer.summary.en);
        }
    }

    #[test]
    fn an_unbound_claim_is_another_cause() {
        let yaml = pending("0/1 nodes are available: 1 node(s) didn't find available persistent volumes to bind.")
            .replace("phase: Bound", "phase: Pending");
        let diagnosis = diagnose_pod(&yaml, "prod/db-0", "2026-01-01T00:10:00Z");
        assert_eq!(diagnosis.answer().unwrap().cause.id, "pvc-unbound");
    }
}
