//! The containers are gone, and a volume cannot be unmounted or detached.

use super::Stopping;
use crate::diagnosis::cause::{Cause, Page, Phase};
use crate::diagnosis::finding::{Finding, Fix};
use crate::diagnosis::kubectl::{describe_node, quoted};
use crate::diagnosis::words::{Text, Words};
use crate::facts::{Evidence, Facts};

pub static CAUSE: Cause = Cause {
    id: "volume-unmount-stuck",
    phases: &[Phase::Stopping],
    guide: &[],
    page: Page {
        title: Text { en: "A volume cannot be unmounted", zh: "卷无法卸载" },
        what: Text {
            en: "After the containers have ended the kubelet unmounts the pod's volumes and only then lets the object go. If the \
                 unmount fails (I/O errors of a disk that was pulled away, a busy mount, a CSI node plugin that is down), the pod \
                 stays Terminating. The API shows little of it: the error is in the kubelet's log.",
            zh: "容器结束后 kubelet 要先卸载 Pod 的卷，才会删除对象。如果卸载失败（磁盘被拔走后的 I/O 错误、挂载点忙、CSI 节点插件停止）， \
                 Pod 就停在 Terminating。API 中几乎看不到：错误在 kubelet 日志里。",
        },
        tell: Text {
            en: "All containers have ended, there is no finalizer, the node is Ready, the deadline is long over, and the pod has a \
                 volume that is still attached. Without such a volume the kubelet itself is the suspect.",
            zh: "所有容器已结束，没有 finalizer，节点 Ready，期限早已过去，而 Pod 的卷仍然挂着。没有这样的卷时，应怀疑 kubelet 本身。",
        },
        fix: Text {
            en: "Look into the kubelet's log on that node for UnmountVolume.TearDown or NodeUnpublishVolume; bring the CSI node \
                 plugin back; as a last resort unmount by hand on the node. Never delete the VolumeAttachment while the node \
                 may still write.",
            zh: "在该节点的 kubelet 日志中查找 UnmountVolume.TearDown 或 NodeUnpublishVolume；恢复 CSI 节点插件；最后手段才是在节点上手动 \
                 umount。节点可能仍在写入时不要删除 VolumeAttachment。",
        },
        sources: &["kubernetes/kubernetes pkg/kubelet/kubelet.go SyncTerminatedPod"],
    },
    check,
};

fn check(facts: &Facts<'_>) -> Option<Finding> {
    let stopping = Stopping::of(facts).filter(|s| s.is_overdue() && s.all_ended)?;
    let pod = stopping.pod;
    let node = pod.node_name()?;
    if !pod.finalizers().is_empty() || !stopping.node_is_fine(facts) {
        return None;
    }
    let volumes = pod.spec().and_then(|spec| spec.volumes.as_deref()).unwrap_or_default();
    let claims: Vec<&str> =
        volumes.iter().filter_map(|v| Some(v.persistent_volume_claim.as_ref()?.claim_name.as_str())).collect();
    let mounted = !claims.is_empty() || volumes.iter().any(|v| v.csi.is_some() || v.nfs.is_some());
    let said = pod.events_seen(facts.world).filter(|e| e.last >= Some(stopping.asked)).find(|event| {
        [
            "UnmountVolume",
            "TearDown",
            "NodeUnpublishVolume",
            "unmount failed",
            "device is busy",
            "UnmountDevice",
            "device or resource busy",
        ]
        .iter()
        .any(|pattern| event.text().contains(pattern))
    });
    if !mounted && said.is_none() {
        return None;
    }
    let names: Vec<&str> = claims
        .iter()
        .filter_map(|claim| {
            facts.world.claims.get(pod.namespace(), claim).present()?.spec.as_ref()?.volume_name.as_deref()
        })
        .collect();
    let attachment = facts.world.volume_attachments.seen().find(|attachment| {
        attachment.spec.node_name == node
            && attachment.status.as_ref().is_some_and(|status| status.attached)
            && attachment
                .spec
                .source
                .persistent_volume_name
                .as_deref()
                .is_some_and(|name| names.is_empty() || names.contains(&name))
    });
    // A mount of the runtime's own (a sandbox's shm, a network namespace) is busy as a volume would be.
    let of_runtime = said.is_some_and(|event| event.reason == "FailedKillPod" && !event.text().contains("olume"));
    let finding = match (said, attachment) {
        (Some(_), _) if of_runtime => Finding::possible(&CAUSE),
        (Some(_), _) => Finding::confirmed(&CAUSE),
        (None, Some(_)) => Finding::likely(&CAUSE),
        (None, None) => Finding::possible(&CAUSE),
    };
    let what = attachment
        .and_then(|a| a.spec.source.persistent_volume_name.clone())
        .or(claims.first().map(|claim| (*claim).to_owned()))
        .unwrap_or_else(|| "a volume".to_owned());
    finding
        .because(said.map(crate::facts::Event::evidence))
        .because(attachment.map(|a| {
            let name = a.metadata.name.as_deref().unwrap_or_default();
            Evidence::field(format!("volumeattachment {name}"), format!("attached to {node}"), None)
        }))
        .because([stopping.evidence(), Evidence::field("pod.status.containerStatuses", "all containers have ended", None)])
        .explains(&["kubelet-not-acting"])
        .says(
            format!("The containers have ended, but the volume {what} is still held on node {node}: it cannot be unmounted."),
            format!("容器已结束，但卷 {what} 仍挂在节点 {node} 上：无法卸载。"),
        )
        .fix(
            Fix::safe(Words::new(
                format!("Look for the unmount error in the kubelet's log on {node} (journalctl -u kubelet), and at its CSI node plugin."),
                format!("在 {node} 的 kubelet 日志（journalctl -u kubelet）中查找卸载错误，并检查其 CSI 节点插件。"),
            ))
            .command(format!("kubectl get pods -A -o wide --field-selector spec.nodeName={} | grep -i csi", quoted(node))),
        )
        .fix(Fix::safe(Words::new("Look at the node's volumes and events.", "查看节点的卷和事件。")).command(describe_node(node)))
        .fix(Fix::dangerous(Words::new(
            "Last resort: unmount by hand on the node, once nothing writes to it any more; a wrong unmount loses data.",
            "最后手段：确认不再有写入后在节点上手动 umount；误操作会丢失数据。",
        )))
        .some()
}

#[cfg(test)]
mod tests {
    use crate::diagnosis::causes::stopping::testing::{ENDED, RUNNING, ids, stopping};

    fn with_claim(state: &str) -> String {
        let yaml = stopping("", "", state, "");
        let yaml = yaml.replace(
            "spec: {nodeName: n1,",
            "spec: {volumes: [{name: d, persistentVolumeClaim: {claimName: data}}], nodeName: n1,",
        );
        format!(
            "{yaml}---\napiVersion: storage.k8s.io/v1\nkind: VolumeAttachment\nmetadata: {{name: va}}\nspec: {{attacher: x, nodeName: n1, source: {{persistentVolumeName: pv1}}}}\nstatus: {{attached: true}}\n"
        )
    }

    #[test]
    fn ended_containers_and_a_volume_that_is_still_attached() {
        assert_eq!(ids(&with_claim(ENDED), "10:10:00").first(), Some(&"volume-unmount-stuck"));
    }

    #[test]
    fn a_running_container_is_not_about_volumes() {
        assert!(!ids(&with_claim(RUNNING), "10:10:00").contains(&"volume-unmount-stuck"));
        assert!(!ids(&stopping("", "", ENDED, ""), "10:10:00").contains(&"volume-unmount-stuck"), "no volume");
    }
}
