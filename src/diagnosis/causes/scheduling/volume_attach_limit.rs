//! The nodes have no free slot to attach another volume.

use super::{Kind, picture};
use crate::diagnosis::{Cause, Finding, Fix, Page, Phase, Text, Words, kubectl};
use crate::facts::{Evidence, Facts};

pub static CAUSE: Cause = Cause {
    id: "volume-attach-limit",
    phases: &[Phase::Scheduling],
    guide: &[],
    page: Page {
        title: Text { en: "The nodes have no free attachment slot", zh: "节点可挂载的卷数量已达上限" },
        what: Text {
            en: "A machine can hold only so many disks. The CSI driver publishes the number in the CSINode; every node that would do has that many volumes of the driver attached or reserved.",
            zh: "一台机器能挂载的磁盘数量有限，CSI 驱动在 CSINode 中公布该上限。所有可用节点上该驱动的卷数都已达到上限。",
        },
        tell: Text {
            en: "`node(s) exceed max volume count`. Stale VolumeAttachments, or network cards that share the machine's slots, make the real limit lower than the published one.",
            zh: "报错为 `node(s) exceed max volume count`。残留的 VolumeAttachment，或与网卡共享插槽的机型，会使实际上限低于公布值。",
        },
        fix: Text {
            en: "Add a node or use bigger ones, spread the pods with volumes, or remove stale VolumeAttachments of volumes that nothing uses.",
            zh: "增加节点或换更大的机型、分散带卷的 Pod，或清理不再使用的残留 VolumeAttachment。",
        },
        sources: &["https://kubernetes.io/docs/concepts/storage/storage-limits/"],
    },
    check,
};

fn check(facts: &Facts<'_>) -> Option<Finding> {
    let picture = picture(facts)?;
    let mut finding = picture.finding(&CAUSE, Kind::AttachLimit)?;
    let pod = picture.pod;
    let mut counts = Vec::new();
    for node in facts.world.csi_nodes.seen() {
        let name = node.metadata.name.as_deref().unwrap_or_default();
        for driver in &node.spec.drivers {
            let Some(limit) = driver.allocatable.as_ref().and_then(|allocatable| allocatable.count) else { continue };
            let attached = facts
                .world
                .volume_attachments
                .seen()
                .filter(|attachment| attachment.spec.node_name == name && attachment.spec.attacher == driver.name)
                .count();
            let full = i64::try_from(attached).unwrap_or(i64::MAX) >= i64::from(limit);
            if full && counts.len() < 5 {
                let text = format!("{}: {attached} attached, limit {limit}", driver.name);
                finding = finding.because([Evidence::field(format!("csinode {name}.spec.drivers"), text, None)]);
                counts.push(format!("{name} {attached}/{limit}"));
            }
        }
    }
    let (share_en, share_zh) = picture.share(Kind::AttachLimit);
    let there = if counts.is_empty() { String::new() } else { format!(" ({})", counts.join(", ")) };
    finding
        .says(
            format!("No node can attach the volume of pod {}: the limit of attached volumes is reached on {share_en}{there}.", pod.name()),
            format!("没有节点能再挂载 Pod {} 的卷：{share_zh}已达挂载上限{there}。", pod.name()),
        )
        .fix(
            Fix::safe(Words::new("See the limits and what is attached.", "查看上限与已挂载的卷。"))
                .command("kubectl get csinodes -o custom-columns='NODE:.metadata.name,DRIVER:.spec.drivers[*].name,LIMIT:.spec.drivers[*].allocatable.count'; kubectl get volumeattachments"),
        )
        .fix(
            Fix::careful(Words::new(
                "Add a node, or move pods with volumes to nodes that have slots left.",
                "增加节点，或把带卷的 Pod 迁移到仍有空位的节点。",
            ))
            .command(kubectl::namespaced(pod.namespace(), "get pods -o wide")),
        )
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
metadata: {{name: web-9, namespace: prod, creationTimestamp: '2026-01-01T00:00:00Z'}}
spec: {{containers: [{{name: app, image: x}}]}}
status:
  phase: Pending
  conditions: [{{type: PodScheduled, status: 'False', reason: Unschedulable, message: "{message}"}}]
---
apiVersion: storage.k8s.io/v1
kind: CSINode
metadata: {{name: a}}
spec: {{drivers: [{{name: d.csi, nodeID: i, allocatable: {{count: 1}}}}]}}
---
apiVersion: storage.k8s.io/v1
kind: VolumeAttachment
metadata: {{name: va}}
spec: {{attacher: d.csi, nodeName: a, source: {{persistentVolumeName: pv}}}}
"#
        )
    }

    #[test]
    fn counts_against_the_published_limit() {
        let yaml = pending(
            "0/3 nodes are available: 1 node(s) exceed max volume count, 2 node(s) had untolerated taint {CriticalAddonsOnly: true}.",
        );
        let diagnosis = diagnose_pod(&yaml, "prod/web-9", "2026-01-01T00:10:00Z");
        let answer = diagnosis.answer().unwrap();
        assert_eq!((answer.cause.id, answer.certainty), ("volume-attach-limit", Certainty::Confirmed));
        assert!(answer.summary.en.contains("(a 1/1)"), "{}", answer.summary.en);
    }

    #[test]
    fn pod_slots_are_another_limit() {
        let yaml = pending("0/1 nodes are available: 1 Too many pods.");
        let diagnosis = diagnose_pod(&yaml, "prod/web-9", "2026-01-01T00:10:00Z");
        assert_eq!(diagnosis.answer().unwrap().cause.id, "node-resources-insufficient");
    }
}
