//! A claim that the pod names does not exist, or the volume it is bound to is gone.

use super::{Kind, picture};
use crate::diagnosis::fit;
use crate::diagnosis::{Cause, Finding, Fix, Page, Phase, Text, Words, kubectl};
use crate::facts::reading::scheduler::{NodeReason, PodReason, Reading};
use crate::facts::{Evidence, Facts, PodView, Stage};

pub static CAUSE: Cause = Cause {
    id: "pvc-missing",
    phases: &[Phase::Scheduling],
    guide: &["Error/PV 不存在"],
    page: Page {
        title: Text {
            en: "A volume claim that the pod names does not exist", zh: "Pod 引用的 PVC 或 PV 不存在"
        },
        what: Text {
            en: "The pod mounts a PersistentVolumeClaim that is not in its namespace: it was never made, was deleted, has another name, or lives in another namespace. Or the claim is there, but the volume it was bound to has been deleted.",
            zh: "Pod 挂载的 PVC 在其命名空间中不存在：从未创建、已被删除、名称写错，或在其他命名空间。也可能 PVC 存在，但它绑定的 PV 已被删除。",
        },
        tell: Text {
            en: "`persistentvolumeclaim \"x\" not found`; for a lost volume `bound to non-existent persistentvolume`, and the claim's phase is Lost.",
            zh: "报错为 `persistentvolumeclaim \"x\" not found`；PV 丢失时为 `bound to non-existent persistentvolume`，且 PVC 状态为 Lost。",
        },
        fix: Text {
            en: "Make the claim, or correct its name in the workload. A lost volume must be restored from its disk or a backup.",
            zh: "创建该 PVC，或修正工作负载中的名称。丢失的卷需要从底层磁盘或备份恢复。",
        },
        sources: &["kubernetes/kubernetes pkg/scheduler/framework/plugins/volumebinding/volume_binding.go"],
    },
    check,
};

fn check(facts: &Facts<'_>) -> Option<Finding> {
    let pod = facts.pod()?;
    match pod.stage() {
        Stage::Unscheduled => unscheduled(facts, pod),
        // Bound to a node by hand: the kubelet says it.
        Stage::Creating => on_node(facts, pod),
        _ => None,
    }
}

fn unscheduled(facts: &Facts<'_>, pod: PodView<'_>) -> Option<Finding> {
    let picture = picture(facts)?;
    let finding = picture.finding(&CAUSE, Kind::ClaimMissing)?;
    let lost = match &picture.reading {
        Reading::Pod(PodReason::ClaimLost { claim, volume }) => Some(((*claim).to_owned(), (*volume).to_owned())),
        Reading::Nodes { reasons, .. } if reasons.iter().any(|(_, r)| *r == NodeReason::VolumeMissing) => {
            lost(facts, pod)
        }
        _ => None,
    };
    if let Some((claim, volume)) = lost {
        // The volume has come back since the last attempt.
        if facts.world.volumes.get("", &volume).present().is_some() {
            return None;
        }
        return finding
            .says(
                format!("Claim {claim} of pod {} is bound to volume {volume}, which no longer exists.", pod.name()),
                format!("Pod {} 的 PVC {claim} 绑定的 PV {volume} 已不存在。", pod.name()),
            )
            .fix(
                Fix::safe(Words::new("See what became of the volume.", "查看卷的情况。")).command(kubectl::namespaced(
                    pod.namespace(),
                    &format!("describe pvc {}", kubectl::quoted(&claim)),
                )),
            )
            .fix(Fix::careful(Words::new(
                "Make the PersistentVolume anew for the same disk, with the same name, if the disk is still there.",
                "如果底层磁盘还在，用相同名称为其重新创建 PersistentVolume。",
            )))
            .some();
    }
    let name = match &picture.reading {
        Reading::Pod(PodReason::ClaimMissing(name)) => (*name).to_owned(),
        _ => fit::claims(pod).find(|name| facts.world.claims.get(pod.namespace(), name).is_absent())?,
    };
    missing(facts, pod, finding, &name)
}

fn lost(facts: &Facts<'_>, pod: PodView<'_>) -> Option<(String, String)> {
    fit::claims(pod).find_map(|name| {
        let claim = facts.world.claims.get(pod.namespace(), &name).present()?;
        let volume = claim.spec.as_ref()?.volume_name.clone()?;
        let is_lost = claim.status.as_ref().and_then(|status| status.phase.as_deref()) == Some("Lost");
        (is_lost || facts.world.volumes.get("", &volume).is_absent()).then_some((name, volume))
    })
}

fn on_node(facts: &Facts<'_>, pod: PodView<'_>) -> Option<Finding> {
    let event = pod.events_seen(facts.world).filter(|event| event.reason == "FailedMount").last()?;
    let text = event.text();
    let (_, rest) =
        text.split_once("persistentvolumeclaims \"").or_else(|| text.split_once("persistentvolumeclaim \""))?;
    let (name, rest) = rest.split_once('"')?;
    if !rest.trim_start().starts_with("not found") {
        return None;
    }
    let finding = Finding::confirmed(&CAUSE).because([event.evidence()]).explains(&["volume-mount-failed"]);
    missing(facts, pod, finding, name)
}

fn missing(facts: &Facts<'_>, pod: PodView<'_>, finding: Finding, name: &str) -> Option<Finding> {
    let claim = facts.world.claims.get(pod.namespace(), name);
    // It has been made since the last attempt.
    if claim.present().is_some() {
        return None;
    }
    let elsewhere = facts.world.claims.seen().find(|claim| {
        claim.metadata.name.as_deref() == Some(name) && claim.metadata.namespace.as_deref() != Some(pod.namespace())
    });
    let elsewhere = elsewhere.and_then(|claim| claim.metadata.namespace.as_deref());
    let mut finding =
        finding.because([Evidence::field("pod.spec.volumes[].persistentVolumeClaim.claimName", name, None)]).because(
            elsewhere
                .map(|ns| Evidence::field(format!("persistentvolumeclaim {name} in namespace {ns}"), "exists", None)),
        );
    let (hint, hint_zh) = match elsewhere {
        Some(ns) => (format!(" (there is one in namespace {ns})"), format!("（命名空间 {ns} 中有同名 PVC）")),
        None => (String::new(), String::new()),
    };
    finding = finding.says(
        format!("Pod {} mounts claim {name}, which does not exist in namespace {}{hint}.", pod.name(), pod.namespace()),
        format!("Pod {} 挂载的 PVC {name} 在命名空间 {} 中不存在{hint_zh}。", pod.name(), pod.namespace()),
    );
    finding
        .fix(
            Fix::safe(Words::new("See which claims there are.", "查看现有的 PVC。"))
                .command(kubectl::namespaced(pod.namespace(), "get pvc")),
        )
        .fix(
            Fix::careful(Words::new(
                format!("Make the claim {name}, or correct the name in {}.", pod.workload()),
                format!("创建 PVC {name}，或修正 {} 中的名称。", pod.workload()),
            ))
            .command(kubectl::edit(&pod.workload())),
        )
        .some()
}

#[cfg(test)]
mod tests {
    use crate::diagnosis::Certainty;
    use crate::diagnosis::testing::diagnose_pod;

    const PENDING: &str = r#"
apiVersion: v1
kind: Pod
metadata: {name: db, namespace: prod, creationTimestamp: '2026-01-01T00:00:00Z'}
spec: {volumes: [{name: d, persistentVolumeClaim: {claimName: data-db}}], containers: [{name: app, image: x}]}
status:
  phase: Pending
  conditions: [{type: PodScheduled, status: 'False', reason: Unschedulable, message: '0/1 nodes are available: persistentvolumeclaim "data-db" not found. not found'}]
"#;

    #[test]
    fn names_the_claim() {
        let diagnosis = diagnose_pod(PENDING, "prod/db", "2026-01-01T00:10:00Z");
        let answer = diagnosis.answer().unwrap();
        assert_eq!((answer.cause.id, answer.certainty), ("pvc-missing", Certainty::Confirmed));
        assert_eq!(answer.summary.en, "Pod db mounts claim data-db, which does not exist in namespace prod.");
    }

    #[test]
    fn a_claim_that_was_made_since_is_not_missing() {
        let yaml = format!(
            "{PENDING}---\napiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {{name: data-db, namespace: prod}}\nstatus: {{phase: Bound}}\n"
        );
        let diagnosis = diagnose_pod(&yaml, "prod/db", "2026-01-01T00:10:00Z");
        assert!(diagnosis.findings.iter().all(|finding| finding.cause.id != "pvc-missing"));
    }
}
