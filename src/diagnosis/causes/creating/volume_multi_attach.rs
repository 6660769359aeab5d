//! The disk is still attached to another node.

use super::{step, volumes};
use crate::diagnosis::causes::scheduling::{self, Kind, Picture};
use crate::diagnosis::words::Words;
use crate::diagnosis::{Cause, Certainty, Finding, Fix, Page, Phase, Remedy, Text, kubectl};
use crate::facts::reading::mount::AttachFailure;
use crate::facts::{Evidence, Facts, Known, PodView, Stage, node};
use jiff::SignedDuration;

pub static CAUSE: Cause = Cause {
    id: "volume-multi-attach",
    phases: &[Phase::Creating, Phase::Scheduling],
    guide: &["ContainerCreating/Pod 漂移没有正常解挂"],
    page: Page {
        title: Text { en: "The disk is still attached to another node", zh: "磁盘仍挂载在另一个节点上" },
        what: Text {
            en: "A ReadWriteOnce volume can be on one node at a time. Its old node is lost and never detached it, another pod there still uses it (two replicas, or a rolling update that starts the new pod first), or detaching hangs.",
            zh: "ReadWriteOnce 卷同一时刻只能在一个节点上使用。旧节点失联而未解挂、那里的另一个 Pod 仍在使用（多副本，或滚动更新先启动新 Pod），或解挂卡住。",
        },
        tell: Text {
            en: "FailedAttachVolume `Multi-Attach error`: `already used by pod(s) …` = a pod holds it; `already exclusively attached to one node` = the holder is gone, its VolumeAttachment is left. The event comes once and expires: VolumeAttachment objects tell the present state. The controller detaches by force six minutes after the holder's pod object is gone, and only if the node is unhealthy.",
            zh: "FailedAttachVolume `Multi-Attach error`：`already used by pod(s) …` 表示有 Pod 占用；`already exclusively attached to one node` 表示占用者已不在但 VolumeAttachment 仍在。该事件只出现一次且会过期，当前状态以 VolumeAttachment 为准。占用者 Pod 对象消失六分钟后、且节点不健康时，控制器才会强制解挂。",
        },
        fix: Text {
            en: "Let one pod use it: scale down or use strategy Recreate. For a lost node make sure that it is really off, then taint it out-of-service.",
            zh: "只让一个 Pod 使用：缩容或改用 Recreate 策略。节点失联时，先确认节点确实已关机，再打 out-of-service 污点。",
        },
        sources: &[
            "https://kubernetes.io/docs/concepts/storage/persistent-volumes/#access-modes",
            "https://kubernetes.io/docs/concepts/cluster-administration/node-shutdown/#non-graceful-node-shutdown",
        ],
    },
    check,
};

/// How long the controller waits before it detaches by force (ReconcilerMaxWaitForUnmountDuration).
const FORCE_DETACH: SignedDuration = SignedDuration::from_mins(6);
/// Attaching takes seconds; longer is no longer normal.
const NORMAL: SignedDuration = SignedDuration::from_mins(2);

fn check(facts: &Facts<'_>) -> Option<Finding> {
    if let Some(picture) = scheduling::picture(facts) {
        return in_use(facts, &picture);
    }
    let pod = step::pod(facts)?;
    let here = pod.node_name()?;
    let told = step::attaches(facts).into_iter().find_map(|(error, event)| match error.failure {
        AttachFailure::UsedBy(pods) => Some((error.volume?, pods, event, event.text().contains("Multi-Attach"))),
        AttachFailure::AttachedElsewhere => {
            Some((error.volume?, Vec::new(), event, event.text().contains("Multi-Attach")))
        }
        _ => None,
    });
    if let Some((volume, pods, event, plain)) = told {
        let attachments = volumes::attachments(facts, volume);
        if attachments.iter().any(|a| a.spec.node_name == here && volumes::is_attached(a)) {
            return None;
        }
        let elsewhere = attachments.into_iter().find(|a| a.spec.node_name != here);
        let certainty = if plain || elsewhere.is_some() { Certainty::Confirmed } else { Certainty::Likely };
        let mut evidence = vec![event.evidence()];
        evidence.extend(elsewhere.map(volumes::attachment_evidence));
        let holder = Holder::find(facts, volume, &pods, elsewhere.map(|a| a.spec.node_name.as_str()));
        return Some(finding(facts, volume, &holder, certainty, evidence));
    }
    // The event comes once and is gone after an hour; the attachment stays.
    let stuck = pod.stage() == Stage::Creating
        && facts.since(pod.scheduled_at()?) > NORMAL
        && pod.containers().all(|c| !c.is_running());
    if !stuck {
        return None;
    }
    volumes::claims(facts).into_iter().filter(volumes::Claim::one_node_only).find_map(|claim| {
        let volume = claim.bound_to?;
        let attachments = volumes::attachments(facts, volume);
        if attachments.iter().any(|a| a.spec.node_name == here) {
            return None;
        }
        let elsewhere = attachments.into_iter().find(|a| volumes::is_attached(a))?;
        let holder = Holder::find(facts, volume, &[], Some(&elsewhere.spec.node_name));
        Some(finding(facts, volume, &holder, Certainty::Likely, vec![volumes::attachment_evidence(elsewhere)]))
    })
}

/// The scheduler keeps the pod back since another pod uses the volume, which takes one pod or one node at a time.
fn in_use(facts: &Facts<'_>, picture: &Picture<'_>) -> Option<Finding> {
    let finding = picture.finding(&CAUSE, Kind::VolumeInUse)?;
    let own = picture.pod;
    let claims: Vec<String> = volumes::claims(facts).into_iter().map(|claim| claim.claim).collect();
    let holder = facts
        .world
        .pods
        .seen_in(own.namespace())
        .map(PodView::new)
        .filter(|pod| pod.uid() != own.uid() && !matches!(pod.stage(), Stage::Completed | Stage::Failed))
        .filter(|pod| pod.node_name().is_some())
        .find(|pod| {
            let volumes = pod.spec().and_then(|spec| spec.volumes.as_ref()).into_iter().flatten();
            volumes.filter_map(|v| v.persistent_volume_claim.as_ref()).any(|v| claims.contains(&v.claim_name))
        });
    let claims = claims.iter().map(|claim| format!("`{}`", step::plain(claim))).collect::<Vec<_>>().join(", ");
    let (by_en, by_zh) = match holder {
        Some(pod) => (format!("pod `{}`", pod.name()), format!("Pod `{}` ", pod.name())),
        None => ("another pod".to_owned(), "另一个 Pod".to_owned()),
    };
    let finding = finding
        .because(holder.map(|pod| {
            Evidence::field(
                format!("pod {}/{}", pod.namespace(), pod.name()),
                format!("{}, node {}", pod.phase(), pod.node_name().unwrap_or("none")),
                None,
            )
        }))
        .says(
            format!(
                "The volume of pod {} ({claims}) is in use by {by_en}, and only one may use it at a time.",
                own.name()
            ),
            format!("Pod {} 的卷（{claims}）正被{by_zh}使用，而它同时只能被一方使用。", own.name()),
        );
    let command = match holder {
        Some(pod) => kubectl::namespaced(pod.namespace(), &format!("describe pod {}", kubectl::quoted(pod.name()))),
        None => kubectl::namespaced(own.namespace(), "get pods -o wide"),
    };
    finding
        .fix(Fix::safe(Words::new("See who uses it, and whether it is on its way out.", "查看是谁在使用，以及它是否正在退出。")).command(command))
        .fix(
            Fix::careful(Words::new(
                "Let the old pod go first (strategy Recreate, one replica), or use a claim that several may use (ReadWriteMany). The change replaces the pods.",
                "让旧 Pod 先退出（Recreate 策略、单副本），或改用可共享的 PVC（ReadWriteMany）。修改会替换 Pod。",
            ))
            .command(kubectl::edit(&facts.workload())),
        )
        .some()
}

/// Who has the disk.
struct Holder<'w> {
    pod: Option<PodView<'w>>,
    /// The pod's name by the event, where the pod itself was not read.
    named: Option<String>,
    node: Option<String>,
    /// The node is gone or does not report.
    lost: bool,
}

impl<'w> Holder<'w> {
    fn find(facts: &Facts<'w>, volume: &str, named: &[String], attached_to: Option<&str>) -> Self {
        let own = facts.pod().map(|pod| pod.uid());
        let claim =
            volumes::claims(facts).into_iter().find(|claim| claim.bound_to == Some(volume)).map(|claim| claim.claim);
        let uses = |pod: &PodView<'_>| {
            let volumes = pod.spec().and_then(|spec| spec.volumes.as_ref()).into_iter().flatten();
            volumes
                .filter_map(|v| v.persistent_volume_claim.as_ref())
                .any(|source| Some(&source.claim_name) == claim.as_ref())
        };
        let mut others =
            facts.world.pods.seen_in(facts.namespace()).map(PodView::new).filter(|pod| Some(pod.uid()) != own);
        let pod = others.find(|pod| {
            named.iter().any(|name| name == pod.name())
                || (uses(pod)
                    && pod.node_name().is_some()
                    && (attached_to.is_none() || pod.node_name() == attached_to)
                    && !matches!(pod.stage(), Stage::Completed | Stage::Failed))
        });
        let node = attached_to.or(pod.and_then(|pod| pod.node_name())).map(str::to_owned);
        let lost = node.as_deref().is_some_and(|name| match facts.world.nodes.get("", name) {
            Known::Present(node) => !node::is_ready(node),
            Known::Absent => true,
            Known::Unreadable => false,
        });
        Self { pod, named: named.first().cloned(), node, lost }
    }
}

fn finding(
    facts: &Facts<'_>,
    volume: &str,
    holder: &Holder<'_>,
    certainty: Certainty,
    evidence: Vec<Evidence>,
) -> Finding {
    let volume_shown = step::plain(volume);
    let pod_name = holder.pod.map(|pod| pod.name().to_owned()).or(holder.named.clone());
    let node = holder.node.as_deref().map(step::plain);
    let (on_en, on_zh) = match &node {
        Some(node) => (format!(" on node `{node}`"), format!("（节点 `{node}`）")),
        None => (String::new(), String::new()),
    };
    let (en, zh) = match (&pod_name, holder.lost) {
        (Some(pod), true) => (
            format!(
                "Disk `{volume_shown}` is held by pod `{pod}`{on_en}, which does not report: nothing detaches it while that pod object exists."
            ),
            format!(
                "磁盘 `{volume_shown}` 被 Pod `{pod}`{on_zh}占用，而该节点已失联：只要该 Pod 对象还在，就不会解挂。"
            ),
        ),
        (Some(pod), false) => (
            format!("Disk `{volume_shown}` is still used by pod `{pod}`{on_en} and can be on one node only."),
            format!("磁盘 `{volume_shown}` 仍被 Pod `{pod}`{on_zh}使用，而它同时只能挂载在一个节点上。"),
        ),
        (None, true) => (
            format!(
                "Disk `{volume_shown}` is still attached{}, which does not report; the controller detaches it by force {} minutes after its pod was gone.",
                if on_en.is_empty() { " to another node".to_owned() } else { on_en.replace(" on ", " to ") },
                FORCE_DETACH.as_mins()
            ),
            format!(
                "磁盘 `{volume_shown}` 仍挂载在失联的节点上{on_zh}；其 Pod 消失 {} 分钟后控制器才会强制解挂。",
                FORCE_DETACH.as_mins()
            ),
        ),
        (None, false) => (
            format!(
                "Disk `{volume_shown}` is still attached to {}.",
                node.as_ref().map_or("another node".to_owned(), |node| format!("node `{node}`"))
            ),
            format!(
                "磁盘 `{volume_shown}` 仍挂载在{}上。",
                node.as_ref().map_or("另一个节点".to_owned(), |node| format!("节点 `{node}` "))
            ),
        ),
    };
    let condition = holder
        .node
        .as_deref()
        .and_then(|name| facts.world.nodes.get("", name).present())
        .and_then(|node| node::condition_evidence(node, "Ready"));
    let finding = Finding::new(&CAUSE, certainty)
        .because(evidence)
        .because(holder.pod.map(|pod| {
            Evidence::field(
                format!("pod {}/{}", pod.namespace(), pod.name()),
                format!("{}, node {}", pod.phase(), pod.node_name().unwrap_or("none")),
                None,
            )
        }))
        .because(condition.filter(|_| holder.lost))
        .explains(&["volume-attach-failed", "volume-mount-failed", "sandbox-create-failed", "init-container-waiting"])
        .says(en, zh)
        .fix(
            Fix::safe(Words::new("See where the volume is attached.", "查看卷挂载在哪里。"))
                .command(format!("kubectl get volumeattachments | grep -F {}", kubectl::quoted(volume))),
        );
    fixes(facts, holder, finding)
}

fn fixes(facts: &Facts<'_>, holder: &Holder<'_>, mut finding: Finding) -> Finding {
    let workload = facts.workload();
    if holder.lost {
        let node = holder.node.as_deref().unwrap_or("NODE");
        return finding
            .fix(Fix::dangerous(Words::new(
                format!("Only when node `{node}` is really powered off: taint it out-of-service, so that its pods are removed and its disks detached. If it still writes, data is corrupted. Remove the taint when it is back."),
                format!("仅在确认节点 `{node}` 已关机后：打上 out-of-service 污点，其 Pod 会被移除、磁盘被解挂。若节点仍在写入，会损坏数据。节点恢复后请移除该污点。"),
            ))
            .command(format!("kubectl taint node {} node.kubernetes.io/out-of-service=nodeshutdown:NoExecute", kubectl::quoted(node))))
            .remedy(Remedy::DeleteVolumeAttachment)
            .remedy(Remedy::MarkNodeOutOfService)
            .aims_at_node(node);
    }
    let same = holder.pod.is_some_and(|pod| pod.workload() == workload);
    if let Some(pod) = holder.pod {
        let leaving = pod.deletion_deadline().is_some();
        finding = if leaving {
            finding.fix(
                Fix::safe(Words::new(
                    "The pod that holds it is on its way out: see what keeps it.",
                    "占用它的 Pod 正在退出：查看是什么卡住了它。",
                ))
                .command(kubectl::namespaced(
                    pod.namespace(),
                    &format!("describe pod {}", kubectl::quoted(pod.name())),
                )),
            )
        } else {
            finding.fix(
                Fix::careful(Words::new(
                    format!("If the old pod `{}` is to go: delete it; the disk follows within a minute or so. It stops serving.", pod.name()),
                    format!("如果旧 Pod `{}` 可以下线：删除它，磁盘随后会转移过来。它将停止服务。", pod.name()),
                ))
                .command(kubectl::namespaced(pod.namespace(), &format!("delete pod {}", kubectl::quoted(pod.name())))),
            )
        };
    }
    if workload.kind == "Deployment" && (same || holder.named.is_some()) {
        let patch = r#"patch NAME --type merge -p '{"spec":{"strategy":{"type":"Recreate","rollingUpdate":null}}}'"#
            .replace("NAME", &kubectl::quoted(&workload.reference()));
        finding = finding.fix(
            Fix::careful(Words::new(
                "For good: strategy Recreate, so that the old pod goes before the new one comes (a short gap at each update), and one replica; or a ReadWriteMany volume.",
                "长期方案：使用 Recreate 策略（先停旧 Pod 再起新 Pod，更新时有短暂中断）并保持单副本；或改用 ReadWriteMany 卷。",
            ))
            .command(kubectl::namespaced(&workload.namespace, &patch)),
        );
    }
    if holder.pod.is_none() {
        finding = finding.fix(Fix::safe(Words::new(
            "Wait for the detach; if it does not come, read the logs of the CSI driver's controller (its external-attacher) and the VolumeAttachment's detachError. Deleting the VolumeAttachment by hand while the node still writes corrupts data.",
            "等待解挂；若一直没有完成，查看 CSI 驱动控制器（external-attacher）的日志和 VolumeAttachment 的 detachError。节点仍在写入时手动删除 VolumeAttachment 会损坏数据。",
        )));
    }
    finding
}

#[cfg(test)]
mod tests {
    use crate::diagnosis::Certainty;
    use crate::diagnosis::causes::creating::step::tests::{CREATING, causes, diagnose, event, pod};
    use crate::diagnosis::testing::diagnose_pod;

    const SPEC: &str = "  containers: [{name: app, image: a}]
  volumes: [{name: data, persistentVolumeClaim: {claimName: data}}]";

    const DISK: &str = "
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: data, namespace: shop}
spec: {accessModes: [ReadWriteOnce], volumeName: pv-1}
---
apiVersion: storage.k8s.io/v1
kind: VolumeAttachment
metadata: {name: csi-1}
spec: {attacher: disk.example.com, nodeName: NODE, source: {persistentVolumeName: pv-1}}
status: {attached: true}
";

    #[test]
    fn another_pod_holds_it() {
        let text = "Multi-Attach error for volume \"pv-1\" Volume is already used by pod(s) web-old";
        let diagnosis = diagnose(&(pod(SPEC, CREATING) + &event("FailedAttachVolume", 1, text)));
        let found = diagnosis.answer().unwrap();
        assert_eq!((found.cause.id, found.certainty), ("volume-multi-attach", Certainty::Confirmed));
        assert!(found.summary.en.contains("`web-old`"), "{}", found.summary.en);
    }

    #[test]
    fn the_attachment_tells_when_the_event_is_gone() {
        let yaml = pod(SPEC, CREATING) + &DISK.replace("NODE", "n9");
        let diagnosis = diagnose(&yaml);
        let found = diagnosis.answer().unwrap();
        assert_eq!((found.cause.id, found.certainty), ("volume-multi-attach", Certainty::Likely));
    }

    #[test]
    fn the_scheduler_keeps_a_pod_back_whose_volume_is_for_one_pod_only() {
        let pending = |reason: &str| {
            format!(
                r#"
kind: Pod
metadata: {{name: new, namespace: shop, uid: u2, creationTimestamp: '2026-01-01T00:00:00Z'}}
spec: {{containers: [{{name: app, image: x}}], volumes: [{{name: d, persistentVolumeClaim: {{claimName: data}}}}]}}
status:
  phase: Pending
  conditions: [{{type: PodScheduled, status: 'False', reason: Unschedulable, message: "0/2 nodes are available: 2 {reason}."}}]
---
kind: Pod
metadata: {{name: old, namespace: shop, uid: u1}}
spec: {{nodeName: a, containers: [{{name: app, image: x}}], volumes: [{{name: d, persistentVolumeClaim: {{claimName: data}}}}]}}
status: {{phase: Running}}
"#
            )
        };
        let ask = |reason: &str| diagnose_pod(&pending(reason), "shop/new", "2026-01-01T00:10:00Z");
        for reason in [
            "node(s) unavailable due to PersistentVolumeClaim with ReadWriteOncePod access mode already in-use by another pod",
            "node has pod using PersistentVolumeClaim with the same name and ReadWriteOncePod access mode",
            "node(s) had no available disk",
        ] {
            let found = ask(reason);
            assert_eq!(found.answer().unwrap().cause.id, "volume-multi-attach", "{reason}");
            assert!(found.answer().unwrap().summary.en.contains("pod `old`"));
        }
        // No slot for one more volume is another matter.
        assert_ne!(ask("node(s) exceed max volume count").answer().unwrap().cause.id, "volume-multi-attach");
    }

    #[test]
    fn attached_here_by_now_the_event_is_history() {
        let text = "Multi-Attach error for volume \"pv-1\" Volume is already exclusively attached to one node and can't be attached to another";
        let yaml = pod(SPEC, CREATING) + &event("FailedAttachVolume", 1, text) + &DISK.replace("NODE", "n1");
        assert!(!causes(&yaml).contains(&"volume-multi-attach"));
    }
}
