//! A volume cannot be mounted on the node, or mounting hangs.

use super::{step, volumes};
use crate::diagnosis::words::Words;
use crate::diagnosis::{Cause, Certainty, Finding, Fix, Page, Phase, Text, Verdict, kubectl};
use crate::facts::reading::mount::{MountError, MountFailure};
use crate::facts::reading::progress;
use crate::facts::reading::runtime::StartFailure;
use crate::facts::{Event, Evidence, Facts, Known, PodView, Stage};
use jiff::SignedDuration;

pub static CAUSE: Cause = Cause {
    id: "volume-mount-failed",
    phases: &[Phase::Creating],
    guide: &["ContainerCreating/挂载 Volume 失败"],
    page: Page {
        title: Text { en: "A volume cannot be mounted on the node", zh: "卷无法在节点上挂载" },
        what: Text {
            en: "The kubelet, or the CSI driver for it, mounts the volume on the node. The driver is not registered there, the server refuses or cannot be reached, the path or file system is not as expected, or the call hangs.",
            zh: "kubelet 或 CSI 驱动在节点上挂载卷。失败原因：驱动未在该节点注册、服务端拒绝或不可达、路径或文件系统不符，或调用卡住。",
        },
        tell: Text {
            en: "FailedMount `MountVolume.<step> failed for volume … : <error>`. From Kubernetes 1.28 on a mount that hangs is told by no event at all: the pod has been on its node for minutes, with its disk attached and without a sandbox. A missing ConfigMap or Secret, a disk that is not attached and a tmpfs of a tiny limit have causes of their own; FailedMount of a running pod does not hold it up.",
            zh: "FailedMount `MountVolume.<步骤> failed for volume … : <错误>`。从 1.28 起，挂载卡住时不再有任何事件：Pod 已调度数分钟、磁盘已挂接，但没有 Sandbox。ConfigMap 或 Secret 缺失、磁盘未挂接、limit 过小导致的 tmpfs 问题各有单独的原因；运行中的 Pod 出现 FailedMount 不影响其运行。",
        },
        fix: Text {
            en: "Correct what the error names: driver on that node, exports and firewall, path, file system, permissions.",
            zh: "按报错修正：该节点上的驱动、导出和防火墙、路径、文件系统、权限。",
        },
        sources: &[
            "https://kubernetes.io/docs/concepts/storage/volumes/",
            "https://github.com/kubernetes/kubernetes/issues/127004",
        ],
    },
    check,
};

/// A mount takes seconds; a longer silence is no longer normal.
const NORMAL: SignedDuration = SignedDuration::from_mins(3);

fn check(facts: &Facts<'_>) -> Option<Finding> {
    let mounts = step::mounts(facts);
    // What has a cause of its own is left to it: the object is missing, the disk is not attached or full, the limit is
    // tiny. The summary of a timeout repeats what another event says better, so it comes last.
    let own = |failure: &MountFailure| {
        !matches!(
            failure,
            MountFailure::Missing(..)
                | MountFailure::KeyMissing(..)
                | MountFailure::NotAttached
                | MountFailure::DiskFull
                | MountFailure::TimedOut
        )
    };
    if let Some((error, event)) = mounts.iter().find(|(error, _)| own(&error.failure)) {
        return of_event(facts, error, event);
    }
    if let Some(finding) = of_subpath(facts) {
        return Some(finding);
    }
    let only_timeouts = !mounts.is_empty() && mounts.iter().all(|(error, _)| error.failure == MountFailure::TimedOut);
    if only_timeouts && step::attaches(facts).is_empty() {
        let (_, event) = mounts.first()?;
        return hangs(facts, vec![event.evidence()], Certainty::Likely);
    }
    if mounts.is_empty() { changing_owners(facts).or_else(|| silent(facts)) } else { None }
}

/// The kubelet goes through every file of the volume for fsGroup, and says so (1.33 and later).
fn changing_owners(facts: &Facts<'_>) -> Option<Finding> {
    let pod = step::pod(facts).filter(|pod| pod.stage() == Stage::Creating)?;
    let event = pod.last_event(facts.world, "VolumePermissionChangeInProgress")?;
    if pod.events_seen(facts.world).any(|later| {
        later.last > event.last && progress::reached(later).is_some_and(|step| step > progress::Step::Mount)
    }) {
        return None;
    }
    let minutes = facts.since(pod.scheduled_at()?).as_mins();
    Finding::likely(&CAUSE)
        .because([event.evidence()])
        .because(pod.spec().and_then(|spec| spec.security_context.as_ref()?.fs_group).map(|group| {
            Evidence::field("pod.spec.securityContext.fsGroup", group, None)
        }))
        .says(
            format!("The kubelet has been giving every file of a volume to the pod's group (fsGroup) for up to {minutes} min, and the pod waits for it."),
            format!("kubelet 正在把卷中每个文件改为 Pod 的组（fsGroup），已持续最多 {minutes} 分钟，Pod 在等待它完成。"),
        )
        .fix(
            Fix::careful(Words::new(
                "Set fsGroupChangePolicy to OnRootMismatch, so that it happens once and not at each start. The change replaces the pods.",
                "把 fsGroupChangePolicy 设为 OnRootMismatch，使其只做一次而不是每次启动都做。修改会替换 Pod。",
            ))
            .command(kubectl::edit(&facts.workload())),
        )
        .some()
}

fn of_event(facts: &Facts<'_>, error: &MountError<'_>, event: &Event) -> Option<Finding> {
    let node = step::node_name(facts);
    let volume = step::plain(error.volume.unwrap_or("of the pod"));
    let last = step::plain(error.error.trim().lines().last().unwrap_or(error.error));
    let (certainty, en, zh) = match &error.failure {
        MountFailure::DriverNotRegistered(driver) => (
            Certainty::Confirmed,
            format!(
                "Volume `{volume}` cannot be mounted: CSI driver `{}` is not registered on node `{node}`.",
                step::plain(driver)
            ),
            format!("卷 `{volume}` 无法挂载：节点 `{node}` 上没有注册 CSI 驱动 `{}`。", step::plain(driver)),
        ),
        MountFailure::Deadline => (
            Certainty::Confirmed,
            format!(
                "Mounting volume `{volume}` on node `{node}` hangs: the storage driver or its backend does not answer in time."
            ),
            format!("在节点 `{node}` 上挂载卷 `{volume}` 卡住：存储驱动或后端没有及时响应。"),
        ),
        MountFailure::HostPath => (
            Certainty::Confirmed,
            format!("The hostPath of volume `{volume}` is not on node `{node}`, or not of the kind asked for: {last}"),
            format!("卷 `{volume}` 的 hostPath 在节点 `{node}` 上不存在或类型不符：{last}"),
        ),
        MountFailure::ServerRefuses => (
            Certainty::Confirmed,
            format!("The storage server refuses to let node `{node}` mount volume `{volume}`: {last}"),
            format!("存储服务端拒绝节点 `{node}` 挂载卷 `{volume}`：{last}"),
        ),
        MountFailure::ServerUnreachable => (
            Certainty::Confirmed,
            format!("Node `{node}` cannot reach the storage server of volume `{volume}`: {last}"),
            format!("节点 `{node}` 无法访问卷 `{volume}` 的存储服务端：{last}"),
        ),
        MountFailure::PathMissing => (
            Certainty::Confirmed,
            format!("What volume `{volume}` names does not exist for node `{node}`: {last}"),
            format!("卷 `{volume}` 指向的路径或设备在节点 `{node}` 上不存在：{last}"),
        ),
        MountFailure::HelperMissing => (
            Certainty::Confirmed,
            format!("Node `{node}` lacks the program or kernel module to mount volume `{volume}`: {last}"),
            format!("节点 `{node}` 缺少挂载卷 `{volume}` 所需的程序或内核模块：{last}"),
        ),
        MountFailure::FileSystem => (
            Certainty::Confirmed,
            format!("The file system of volume `{volume}` is damaged or not as expected: {last}"),
            format!("卷 `{volume}` 的文件系统损坏或与预期不符：{last}"),
        ),
        MountFailure::DeviceMissing => (
            Certainty::Confirmed,
            format!("Node `{node}` does not see the device of volume `{volume}`: {last}"),
            format!("节点 `{node}` 看不到卷 `{volume}` 的设备：{last}"),
        ),
        MountFailure::Permission => (
            Certainty::Confirmed,
            format!("Node `{node}` may not prepare volume `{volume}`: {last}"),
            format!("节点 `{node}` 没有权限准备卷 `{volume}`：{last}"),
        ),
        MountFailure::NoSpace(_) => {
            (Certainty::Confirmed, format!("Volume `{volume}` is full: {last}"), format!("卷 `{volume}` 已满：{last}"))
        }
        MountFailure::Token => (
            Certainty::Likely,
            format!("The service account's token for volume `{volume}` cannot be fetched: {last}"),
            format!("无法获取卷 `{volume}` 的 ServiceAccount 令牌：{last}"),
        ),
        MountFailure::Passing => (
            Certainty::Likely,
            format!(
                "The kubelet of node `{node}` cannot read what volume `{volume}` needs from the API server: {last}"
            ),
            format!("节点 `{node}` 的 kubelet 无法从 API Server 读取卷 `{volume}` 所需的对象：{last}"),
        ),
        MountFailure::Claim => (
            Certainty::Likely,
            format!("The claim of volume `{volume}` cannot be used: {last}"),
            format!("卷 `{volume}` 的 PVC 无法使用：{last}"),
        ),
        _ => (
            Certainty::Likely,
            format!("Volume `{volume}` cannot be mounted on node `{node}`: {last}"),
            format!("卷 `{volume}` 无法在节点 `{node}` 上挂载：{last}"),
        ),
    };
    let finding = Finding::new(&CAUSE, certainty)
        .because([event.evidence()])
        .because(registered(facts, &error.failure))
        .explains(&["sandbox-create-failed", "init-container-waiting"])
        .says(en, zh);
    // The node plugins of a new node register within a minute or two.
    let registers = matches!(error.failure, MountFailure::DriverNotRegistered(_)) && step::node_is_starting(facts);
    let finding = if registers { finding.calm(Verdict::Waiting) } else { finding };
    Some(fixes(facts, &error.failure, finding))
}

/// Returns which drivers the node has, where the one asked for is not among them.
fn registered(facts: &Facts<'_>, failure: &MountFailure) -> Option<Evidence> {
    let MountFailure::DriverNotRegistered(driver) = failure else { return None };
    let name = facts.pod()?.node_name()?;
    let Known::Present(node) = facts.world.csi_nodes.get("", name) else { return None };
    let drivers: Vec<_> = node.spec.drivers.iter().map(|driver| driver.name.as_str()).collect();
    if drivers.contains(&driver.as_str()) {
        return None;
    }
    let quote = if drivers.is_empty() { "none".to_owned() } else { drivers.join(", ") };
    Some(Evidence::field(format!("csinode {name}.spec.drivers"), quote, None))
}

fn fixes(facts: &Facts<'_>, failure: &MountFailure, finding: Finding) -> Finding {
    let node = step::node_name(facts);
    match failure {
        MountFailure::DriverNotRegistered(driver) => finding
            .fix(
                Fix::safe(Words::new(
                    format!("Look for the driver's node pod on node `{node}`."),
                    format!("查找节点 `{node}` 上驱动的节点 Pod。"),
                ))
                .command(format!("kubectl get pods -A -o wide --field-selector spec.nodeName={} | grep -i csi", kubectl::quoted(node))),
            )
            .fix(Fix::careful(Words::new(
                format!("Install or restart the node plugin of `{}` there: its DaemonSet may not tolerate the node's taints, may crash, or may register under another kubelet folder (--root-dir).", step::plain(driver)),
                format!("安装或重启 `{}` 的节点插件：其 DaemonSet 可能不容忍该节点污点、正在崩溃，或注册到了别的 kubelet 目录（--root-dir）。", step::plain(driver)),
            ))),
        MountFailure::ServerRefuses | MountFailure::ServerUnreachable => finding.fix(Fix::safe(Words::new(
            format!("Try the mount by hand on node `{node}`; check the server's exports or credentials for that node's address, the firewall (NFS: 2049, 111) and the version."),
            format!("在节点 `{node}` 上手动挂载测试；检查服务端对该节点地址的导出或凭据、防火墙（NFS：2049、111）和协议版本。"),
        ))),
        MountFailure::HelperMissing => finding.fix(Fix::careful(Words::new(
            "Install it on every node where the pod may run (NFS: nfs-common or nfs-utils; Ceph, CIFS, iSCSI: their client packages).",
            "在 Pod 可能运行的每个节点上安装（NFS：nfs-common 或 nfs-utils；Ceph、CIFS、iSCSI：对应的客户端软件包）。",
        ))),
        MountFailure::FileSystem => finding.fix(Fix::dangerous(Words::new(
            "Take a snapshot of the disk first, then check it (fsck) on a node where it is not mounted. Do not format it.",
            "先给磁盘做快照，再在未挂载它的节点上检查（fsck）。不要格式化。",
        ))),
        MountFailure::HostPath => finding.fix(
            Fix::careful(Words::new(
                format!("Prepare the path on node `{node}`, or correct path and type in the workload (DirectoryOrCreate makes it)."),
                format!("在节点 `{node}` 上准备该路径，或修正工作负载中的 path 和 type（DirectoryOrCreate 会自动创建）。"),
            ))
            .command(kubectl::edit(&facts.workload())),
        ),
        _ => finding
            .fix(Fix::safe(Words::new("Read all events of the pod.", "查看 Pod 的所有事件。")).command(kubectl::describe(facts)))
            .fix(Fix::safe(Words::new(
                format!("Read the log of the storage driver's node pod and of the kubelet on node `{node}`."),
                format!("查看节点 `{node}` 上存储驱动节点 Pod 和 kubelet 的日志。"),
            ))),
    }
}

/// A subPath whose source is gone on a volume that is no ConfigMap or Secret: the server removed it or went away.
fn of_subpath(facts: &Facts<'_>) -> Option<Finding> {
    let pod = step::pod(facts)?;
    step::starts(facts).into_iter().find_map(|start| {
        let StartFailure::SubPathGone { volume } = &start.failure else { return None };
        if super::subpath_stale_mount::is_config(pod, volume.as_deref()?) {
            return None;
        }
        let (name, volume) = (start.container.name(), step::plain(volume.as_deref()?));
        let finding = Finding::likely(&CAUSE).in_container(start.container).because([start.evidence]).explains(&["app-exit-error"]).says(
            format!("The subPath of volume `{volume}` for container `{name}` is gone from the node: the path was removed or its server went away."),
            format!("容器 `{name}` 使用的卷 `{volume}` 的 subPath 在节点上已不存在：路径被删除或存储服务端不可用。"),
        );
        Some(fixes(facts, &MountFailure::PathMissing, finding))
    })
}

/// From Kubernetes 1.28 on a mount that hangs is told by no event: the pod has its node and its disk, and no sandbox.
fn silent(facts: &Facts<'_>) -> Option<Finding> {
    let pod = step::pod(facts).filter(|pod| pod.stage() == Stage::Creating)?;
    let waits = pod.condition("PodReadyToStartContainers").is_some_and(|condition| condition.status == "False");
    let here = pod.node_name()?;
    // Without events nothing may be concluded from their silence.
    let Known::Present(events) = pod.events(facts.world) else { return None };
    let beyond = events.iter().any(|event| progress::reached(event).is_some_and(|step| step > progress::Step::Attach));
    // The mount begins once the disk is attached.
    let since = Some(pod.scheduled_at()?).max(step::attached_at(facts, pod))?;
    if !waits || beyond || facts.since(since) < NORMAL || !step::attaches(facts).is_empty() {
        return None;
    }
    let attached = volumes::claims(facts).into_iter().find_map(|claim| {
        let attachment = volumes::attachments(facts, claim.bound_to?).into_iter().find(|a| a.spec.node_name == here)?;
        volumes::is_attached(attachment).then(|| volumes::attachment_evidence(attachment))
    });
    let evidence = match attached {
        Some(evidence) => evidence,
        None => network_volume(pod, facts)?,
    };
    let condition = pod.condition_evidence("PodReadyToStartContainers");
    hangs(facts, std::iter::once(evidence).chain(condition).collect(), Certainty::Likely)
}

/// Returns a volume that is mounted over the network and needs no attach.
fn network_volume(pod: PodView<'_>, facts: &Facts<'_>) -> Option<Evidence> {
    let inline = pod
        .spec()?
        .volumes
        .iter()
        .flatten()
        .find(|v| v.nfs.is_some() || v.cephfs.is_some() || v.glusterfs.is_some() || v.iscsi.is_some());
    if let Some(volume) = inline {
        return Some(Evidence::field(format!("pod.spec.volumes[{}]", volume.name), "a network volume", None));
    }
    let claim = volumes::claims(facts).into_iter().find(|claim| {
        let nfs = claim.bound.and_then(|volume| volume.spec.as_ref()?.nfs.as_ref()).is_some();
        nfs || claim.needs_attach(facts) == Some(false) && claim.driver().is_some()
    })?;
    Some(Evidence::field(
        format!("pod.spec.volumes[{}]", claim.volume),
        format!("claim {}, mounted over the network", claim.claim),
        None,
    ))
}

fn hangs(facts: &Facts<'_>, evidence: Vec<Evidence>, certainty: Certainty) -> Option<Finding> {
    let node = step::node_name(facts);
    let minutes = facts.since(facts.pod()?.scheduled_at()?).as_mins();
    let finding = Finding::new(&CAUSE, certainty).because(evidence).explains(&["init-container-waiting"]).says(
        format!("The pod's volumes have not been mounted on node `{node}` for {minutes} min, and nobody says why: a mount probably hangs."),
        format!("Pod 的卷在节点 `{node}` 上 {minutes} 分钟仍未挂载，且没有报错：很可能是挂载卡住了。"),
    );
    Some(fixes(facts, &MountFailure::Other, finding))
}

#[cfg(test)]
mod tests {
    use crate::diagnosis::Certainty;
    use crate::diagnosis::causes::creating::step::tests::{APP, CREATING, causes, diagnose, event, pod};

    #[test]
    fn a_driver_that_is_not_on_the_node() {
        let text = "MountVolume.SetUp failed for volume \"d\" : kubernetes.io/csi: mounter.SetUpAt failed to get CSI client: driver name secrets.example.com not found in the list of registered CSI drivers";
        let diagnosis = diagnose(&(pod(APP, CREATING) + &event("FailedMount", 8, text)));
        let found = diagnosis.answer().unwrap();
        assert_eq!((found.cause.id, found.certainty), ("volume-mount-failed", Certainty::Confirmed));
        assert!(found.summary.en.contains("`secrets.example.com`"), "{}", found.summary.en);
    }

    #[test]
    fn a_hanging_mount_leaves_no_event() {
        let spec = "  containers: [{name: app, image: a}]
  volumes: [{name: data, nfs: {server: nfs.example.com, path: /x}}]";
        let scheduled = event("Scheduled", 0, "Successfully assigned").replace("Warning", "Normal");
        let waits = pod(spec, CREATING)
            .replace("conditions: [", "conditions: [{type: PodReadyToStartContainers, status: 'False'}, ");
        let diagnosis = diagnose(&(waits.clone() + &scheduled));
        let found = diagnosis.answer().unwrap();
        assert_eq!((found.cause.id, found.certainty), ("volume-mount-failed", Certainty::Likely));
        let later = event("FailedCreatePodSandBox", 8, "Failed to create pod sandbox: x");
        assert!(!causes(&(waits + &scheduled + &later)).contains(&"volume-mount-failed"));
    }

    #[test]
    fn a_wait_for_the_attach_says_nothing_of_the_mount() {
        let text = "Unable to attach or mount volumes: unmounted volumes=[d], unattached volumes=[d]: timed out waiting for the condition";
        let late = "Multi-Attach error for volume \"pv\" Volume is already exclusively attached to one node and can't be attached to another";
        let attached = |minute| {
            event("SuccessfulAttachVolume", minute, "AttachVolume.Attach succeeded for volume \"pv\" ")
                .replace("Warning", "Normal")
        };
        let yaml = pod(APP, CREATING) + &event("FailedAttachVolume", 1, late) + &event("FailedMount", 8, text);
        let waits = diagnose(&(yaml.clone() + &attached(9)));
        assert_eq!(waits.verdict, crate::diagnosis::Verdict::Waiting);
        assert!(causes(&(yaml + &attached(7))).contains(&"volume-mount-failed"), "it timed out after the attach");
    }

    #[test]
    fn a_running_pod_is_not_held_up_by_its_mounts() {
        let text = "MountVolume.SetUp failed for volume \"d\" : mount failed: exit status 32";
        let yaml = pod(APP, CREATING)
            .replace("{waiting: {reason: ContainerCreating}}", "{running: {startedAt: '2026-01-01T10:00:30Z'}}");
        assert!(!causes(&(yaml + &event("FailedMount", 8, text))).contains(&"volume-mount-failed"));
    }

    #[test]
    fn a_volume_whose_files_change_hands_one_by_one() {
        let text = "Setting volume ownership for 1/volumes/kubernetes.io~csi/pvc-1/mount is taking longer than expected, consider using OnRootMismatch - https://kubernetes.io/docs";
        let yaml = pod(APP, CREATING) + &event("VolumePermissionChangeInProgress", 8, text);
        let found = diagnose(&yaml);
        assert_eq!(found.answer().unwrap().cause.id, "volume-mount-failed");
        let sandbox = event("FailedCreatePodSandBox", 9, "Failed to create pod sandbox: x");
        assert!(!causes(&(yaml + &sandbox)).contains(&"volume-mount-failed"));
    }
}
