//! A volume cannot be attached to the node, for a reason other than another node's holding it.

use super::{step, volumes};
use crate::diagnosis::words::Words;
use crate::diagnosis::{Cause, Certainty, Finding, Fix, Page, Phase, Text, kubectl};
use crate::facts::reading::mount::{self, AttachFailure, MountFailure};
use crate::facts::{Evidence, Facts, Stage};
use jiff::SignedDuration;

pub static CAUSE: Cause = Cause {
    id: "volume-attach-failed",
    phases: &[Phase::Creating],
    guide: &["ContainerCreating/挂载 Volume 失败"],
    page: Page {
        title: Text { en: "A volume cannot be attached to the node", zh: "卷无法挂接到节点" },
        what: Text {
            en: "Before the kubelet can mount a disk, the controller attaches it to the node through the storage driver. The driver's controller is down, may not do it (cloud rights, quota), finds no such disk, or the node takes no more.",
            zh: "kubelet 挂载磁盘之前，控制器要先通过存储驱动把磁盘挂接到节点。驱动的控制器宕机、没有权限（云账号权限、配额）、磁盘不存在，或节点可挂数量已满。",
        },
        tell: Text {
            en: "FailedAttachVolume `AttachVolume.Attach failed`, and for longer VolumeAttachment `status.attachError`. `Multi-Attach error` is volume-multi-attach. With no attempt at all (no event, no VolumeAttachment) look at kube-controller-manager.",
            zh: "FailedAttachVolume `AttachVolume.Attach failed`，以及保留更久的 VolumeAttachment `status.attachError`。`Multi-Attach error` 属于仍挂载在别的节点。如果完全没有尝试（没有事件也没有 VolumeAttachment），检查 kube-controller-manager。",
        },
        fix: Text {
            en: "Read the error, then the log of the CSI driver's controller; correct rights, quota, zone or the volume.",
            zh: "查看报错和 CSI 驱动控制器的日志；修正权限、配额、可用区或卷。",
        },
        sources: &[
            "https://kubernetes-csi.github.io/docs/external-attacher.html",
            "https://kubernetes.io/docs/concepts/storage/persistent-volumes/",
        ],
    },
    check,
};

/// Attaching takes seconds; longer is no longer normal.
const NORMAL: SignedDuration = SignedDuration::from_mins(2);

fn check(facts: &Facts<'_>) -> Option<Finding> {
    let pod = step::pod(facts)?;
    let here = pod.node_name()?;
    let elsewhere =
        |failure: &AttachFailure| matches!(failure, AttachFailure::UsedBy(_) | AttachFailure::AttachedElsewhere);
    let attached = |volume: &str| {
        volumes::attachments(facts, volume).iter().any(|a| a.spec.node_name == here && volumes::is_attached(a))
    };
    if let Some((error, event)) = step::attaches(facts)
        .into_iter()
        .find(|(error, _)| !elsewhere(&error.failure) && !error.volume.is_some_and(attached))
    {
        let mut evidence = vec![event.evidence()];
        let attachment = error
            .volume
            .and_then(|volume| volumes::attachments(facts, volume).into_iter().find(|a| a.spec.node_name == here));
        evidence.extend(attachment.map(volumes::attachment_evidence));
        // The wait's end says little; the driver's own words stand in the attachment.
        let own = attachment.and_then(|a| a.status.as_ref()?.attach_error.as_ref()?.message.as_deref());
        let failure = match own.map(|own| mount::attach_error(own).failure) {
            Some(better) if error.failure == AttachFailure::AttacherSilent && better != AttachFailure::Other => better,
            _ => error.failure,
        };
        return Some(finding(
            facts,
            error.volume,
            &failure,
            own.unwrap_or(error.error),
            Certainty::Confirmed,
            evidence,
        ));
    }
    let late = facts.since(pod.scheduled_at()?) > NORMAL;
    let held_up = pod.stage() == Stage::Creating && pod.containers().all(|container| !container.is_running());
    let claims = if late && held_up { volumes::claims(facts) } else { Vec::new() };
    for claim in claims {
        let Some(volume) = claim.bound_to else { continue };
        let Some(attachment) = volumes::attachments(facts, volume)
            .into_iter()
            .find(|a| a.spec.node_name == here && !volumes::is_attached(a))
        else {
            continue;
        };
        let own = attachment.status.as_ref().and_then(|status| status.attach_error.as_ref()?.message.as_deref());
        let (failure, certainty) = match own {
            Some(text) => (mount::attach_error(text).failure, Certainty::Confirmed),
            None => (AttachFailure::AttacherSilent, Certainty::Likely),
        };
        if !elsewhere(&failure) {
            return Some(finding(
                facts,
                Some(volume),
                &failure,
                own.unwrap_or_default(),
                certainty,
                vec![volumes::attachment_evidence(attachment)],
            ));
        }
    }
    // The kubelet waits for an attach of which nothing else is told.
    let (error, event) =
        step::mounts(facts).into_iter().find(|(error, _)| error.failure == MountFailure::NotAttached)?;
    if !late || error.volume.is_some_and(attached) || !step::attaches(facts).is_empty() {
        return None;
    }
    Some(finding(facts, error.volume, &AttachFailure::Other, error.error, Certainty::Likely, vec![event.evidence()]))
}

fn finding(
    facts: &Facts<'_>,
    volume: Option<&str>,
    failure: &AttachFailure,
    error: &str,
    certainty: Certainty,
    evidence: Vec<Evidence>,
) -> Finding {
    let (node, disk) = (step::node_name(facts), step::plain(volume.unwrap_or("of the pod")));
    let claims = volumes::claims(facts);
    let claim = claims.iter().find(|claim| claim.bound_to == volume && volume.is_some());
    let driver = claim.and_then(|claim| claim.driver()).map(step::plain);
    let by = driver.as_ref().map(|driver| format!(" `{driver}`")).unwrap_or_default();
    let (en, zh) = match failure {
        AttachFailure::AttacherSilent => (
            format!(
                "Disk `{disk}` is not attached to node `{node}`: the controller of storage driver{by} does not do it or does not answer."
            ),
            format!("磁盘 `{disk}` 没有挂接到节点 `{node}`：存储驱动{by}的控制器没有响应或没有完成。"),
        ),
        AttachFailure::DriverNotOnNode => (
            format!("Disk `{disk}` cannot be attached: storage driver{by} is not registered on node `{node}`."),
            format!("磁盘 `{disk}` 无法挂接：节点 `{node}` 上没有注册存储驱动{by}。"),
        ),
        AttachFailure::DiskMissing => (
            format!("Disk `{disk}` cannot be attached to node `{node}`: it does not exist any more."),
            format!("磁盘 `{disk}` 无法挂接到节点 `{node}`：磁盘已不存在。"),
        ),
        AttachFailure::LimitReached => (
            format!("Disk `{disk}` cannot be attached: node `{node}` takes no further disks."),
            format!("磁盘 `{disk}` 无法挂接：节点 `{node}` 的可挂磁盘数已满。"),
        ),
        AttachFailure::Refused => (
            format!(
                "The cloud refuses to attach disk `{disk}` to node `{node}` (rights, quota or zone): {}",
                step::plain(error)
            ),
            format!("云平台拒绝把磁盘 `{disk}` 挂接到节点 `{node}`（权限、配额或可用区）：{}", step::plain(error)),
        ),
        AttachFailure::BeingDeleted => (
            format!(
                "Disk `{disk}` cannot be attached to node `{node}` while an old attachment is still being removed."
            ),
            format!("磁盘 `{disk}` 的旧挂接仍在删除中，无法挂接到节点 `{node}`。"),
        ),
        AttachFailure::UsedBy(_) | AttachFailure::AttachedElsewhere | AttachFailure::Other => (
            format!("Disk `{disk}` cannot be attached to node `{node}`: {}", step::plain(error)),
            format!("磁盘 `{disk}` 无法挂接到节点 `{node}`：{}", step::plain(error)),
        ),
    };
    Finding::new(&CAUSE, certainty)
        .because(evidence)
        .explains(&["volume-mount-failed", "sandbox-create-failed", "init-container-waiting"])
        .says(en, zh)
        .fix(
            Fix::safe(Words::new("Read the driver's own error in the VolumeAttachment.", "在 VolumeAttachment 中查看驱动的报错。"))
                .command(format!("kubectl get volumeattachments -o yaml | grep -F -A25 {}", kubectl::quoted(volume.unwrap_or(node)))),
        )
        .fix(
            Fix::safe(Words::new(
                format!("See whether the controller of storage driver{by} runs, and read its log (container csi-attacher)."),
                format!("检查存储驱动{by}的控制器是否运行，并查看日志（容器 csi-attacher）。"),
            ))
            .command("kubectl get pods -A -o wide | grep -i csi"),
        )
        .fix(match failure {
            AttachFailure::DriverNotOnNode => Fix::safe(Words::new(
                format!("Look for the driver's node pod on node `{node}`: its DaemonSet may not tolerate the node's taints."),
                format!("检查节点 `{node}` 上驱动的节点 Pod：其 DaemonSet 可能不容忍该节点的污点。"),
            )),
            AttachFailure::LimitReached => Fix::careful(Words::new("Let the pod start on another node: cordon this one, then delete the pod.", "让 Pod 换一个节点：封锁该节点后删除 Pod。")).command(format!("kubectl cordon {}", kubectl::quoted(node))),
            _ => Fix::careful(Words::new(
                "Correct what the driver names (rights of its role, quota, zone, the disk itself); the controller tries again by itself.",
                "按驱动的提示修正（角色权限、配额、可用区或磁盘本身）；控制器会自动重试。",
            )),
        })
}

#[cfg(test)]
mod tests {
    use crate::diagnosis::Certainty;
    use crate::diagnosis::causes::creating::step::tests::{CREATING, causes, diagnose, event, pod};

    const SPEC: &str = "  containers: [{name: app, image: a}]
  volumes: [{name: data, persistentVolumeClaim: {claimName: data}}]";

    #[test]
    fn an_attacher_that_does_not_answer() {
        let text = "AttachVolume.Attach failed for volume \"pv-1\" : timed out waiting for external-attacher of ebs.csi.aws.com CSI driver to attach volume vol-1";
        let diagnosis = diagnose(&(pod(SPEC, CREATING) + &event("FailedAttachVolume", 8, text)));
        let found = diagnosis.answer().unwrap();
        assert_eq!((found.cause.id, found.certainty), ("volume-attach-failed", Certainty::Confirmed));
    }

    #[test]
    fn an_attachment_that_stays_undone_without_a_word() {
        let yaml = pod(SPEC, CREATING)
            + "
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: data, namespace: shop}
spec: {accessModes: [ReadWriteOnce], volumeName: pv-1}
---
apiVersion: storage.k8s.io/v1
kind: VolumeAttachment
metadata: {name: csi-1}
spec: {attacher: disk.example.com, nodeName: n1, source: {persistentVolumeName: pv-1}}
status: {attached: false}
";
        let diagnosis = diagnose(&yaml);
        let found = diagnosis.answer().unwrap();
        assert_eq!((found.cause.id, found.certainty), ("volume-attach-failed", Certainty::Likely));
    }

    #[test]
    fn a_disk_on_another_node_is_another_cause() {
        let text = "Multi-Attach error for volume \"pv-1\" Volume is already exclusively attached to one node and can't be attached to another";
        assert!(
            !causes(&(pod(SPEC, CREATING) + &event("FailedAttachVolume", 1, text))).contains(&"volume-attach-failed")
        );
    }
}
