//! kube-controller-manager does not do its work: nothing is attached, created or cleaned up.

use super::{step, volumes};
use crate::diagnosis::causes::admission;
use crate::diagnosis::words::Words;
use crate::diagnosis::{Cause, Certainty, Finding, Fix, Page, Phase, Text};
use crate::facts::reading::admission::Refusal;
use crate::facts::reading::mount::{MountFailure, Source};
use crate::facts::{Evidence, Facts, Known, PodView, Stage, Workload};
use jiff::SignedDuration;

pub static CAUSE: Cause = Cause {
    id: "controller-manager-down",
    phases: &[Phase::Creating, Phase::Stopping],
    guide: &["ContainerCreating/controller-manager 异常"],
    page: Page {
        title: Text { en: "kube-controller-manager is not at work", zh: "kube-controller-manager 异常" },
        what: Text {
            en: "It makes pods for workloads, attaches disks, publishes the root CA and service accounts to namespaces, taints lost nodes and collects what is over. When it is down all that stops silently: no event, no condition.",
            zh: "它负责为工作负载创建 Pod、挂接磁盘、向命名空间发布根 CA 和 ServiceAccount、给失联节点打污点、回收结束的对象。它宕机时这些都会静默停止：没有事件，也没有状态变化。",
        },
        tell: Text {
            en: "The Lease kube-system/kube-controller-manager is not renewed (normally every two seconds), together with something of its work undone: a workload whose generation was not observed, a disk without a VolumeAttachment, a namespace without `kube-root-ca.crt`.",
            zh: "Lease kube-system/kube-controller-manager 没有续约（正常每两秒一次），同时有它负责的工作没有完成：工作负载的 generation 未被处理、磁盘没有 VolumeAttachment、命名空间缺少 `kube-root-ca.crt`。",
        },
        fix: Text {
            en: "Look at it on the control plane and restart it.", zh: "在控制面节点上检查并重启它。"
        },
        sources: &[
            "https://kubernetes.io/docs/reference/command-line-tools-reference/kube-controller-manager/",
            "https://kubernetes.io/docs/concepts/architecture/leases/",
        ],
    },
    check,
};

/// The lease is renewed every two seconds and lasts fifteen.
const STALE: SignedDuration = SignedDuration::from_secs(60);
/// What it does takes seconds.
const NORMAL: SignedDuration = SignedDuration::from_mins(2);

fn check(facts: &Facts<'_>) -> Option<Finding> {
    let (undone, en, zh) = undone(facts)?;
    let manager = manager_pod(facts);
    let (certainty, evidence, since_en, since_zh) = match lease(facts) {
        Known::Present((age, evidence)) if age > STALE => (
            Certainty::Confirmed,
            vec![evidence, undone],
            format!(" (its lease was last renewed {} ago)", ago(age, "s", "min", "h")),
            format!("（其 Lease 最后续约于 {} 前）", ago(age, "秒", "分钟", "小时")),
        ),
        // It is alive: what is undone has another cause.
        Known::Present(_) => return None,
        Known::Absent | Known::Unreadable => {
            let certainty = if manager.is_some() { Certainty::Likely } else { Certainty::Possible };
            (certainty, vec![undone], String::new(), String::new())
        }
    };
    Finding::new(&CAUSE, certainty)
        .because(evidence)
        .because(manager)
        .explains(&["volume-attach-failed", "volume-mount-failed", "configmap-missing", "pvc-unbound", "service-account-missing", "finalizer-pending", "kubelet-not-acting", "waiting-normally"])
        .says(
            format!("kube-controller-manager is not at work{since_en}: {en}."),
            format!("kube-controller-manager 没有正常工作{since_zh}：{zh}。"),
        )
        .fix(
            Fix::safe(Words::new("Look at its lease and its pods.", "查看它的 Lease 和 Pod。"))
                .command("kubectl -n kube-system get lease kube-controller-manager; kubectl -n kube-system get pods -l component=kube-controller-manager -o wide"),
        )
        .fix(Fix::careful(Words::new(
            "On the control plane: read its log and restart it (a static pod: move its manifest out of /etc/kubernetes/manifests and back).",
            "在控制面节点上：查看日志并重启（静态 Pod：把清单移出 /etc/kubernetes/manifests 再移回）。",
        )))
        .some()
}

/// Returns something of its work that is undone, and the words for it.
fn undone(facts: &Facts<'_>) -> Option<(Evidence, String, String)> {
    let Some(pod) = facts.pod() else {
        return uncounted(facts).or_else(|| unobserved(facts, &facts.workload()));
    };
    match pod.stage() {
        Stage::Terminating => return unfinalized(facts, pod),
        Stage::Unscheduled => return unbound(facts),
        _ => {}
    }
    if pod.stage() != Stage::Creating || facts.since(pod.scheduled_at()?) < NORMAL {
        return None;
    }
    let root_ca = step::mounts(facts).into_iter().find(|(error, _)| {
        matches!(&error.failure, MountFailure::Missing(Source::ConfigMap, name) if name == "kube-root-ca.crt")
    });
    if let Some((_, event)) = root_ca {
        return Some((
            event.evidence(),
            format!("namespace `{}` has no `kube-root-ca.crt`, which it publishes", facts.namespace()),
            format!("命名空间 `{}` 缺少由它发布的 `kube-root-ca.crt`", facts.namespace()),
        ));
    }
    // A disk that must be attached, and nobody has even tried.
    if pod.containers().any(|container| container.is_running()) || !step::attaches(facts).is_empty() {
        return None;
    }
    if !pod.events(facts.world).present()?.iter().all(|event| {
        crate::facts::reading::progress::reached(event)
            .is_none_or(|step| step <= crate::facts::reading::progress::Step::Attach)
    }) {
        return None;
    }
    let Known::Present(attachments) = facts.world.volume_attachments.all() else { return None };
    let claim = volumes::claims(facts).into_iter().find(|claim| {
        claim.needs_attach(facts) == Some(true)
            && claim.bound_to.is_some_and(|volume| {
                !attachments.iter().any(|a| a.spec.source.persistent_volume_name.as_deref() == Some(volume))
            })
    })?;
    let volume = claim.bound_to.unwrap_or_default();
    let evidence = Evidence::field("volumeattachments", format!("none for volume {volume}"), None);
    let shown = step::plain(volume);
    Some((
        evidence,
        format!("nobody has tried to attach disk `{shown}`"),
        format!("没有任何组件尝试挂接磁盘 `{shown}`"),
    ))
}

/// The finalizers that kube-controller-manager itself takes away: its garbage collector's and its Job controller's.
const OWN_FINALIZERS: [&str; 3] = ["foregroundDeletion", "orphan", "batch.kubernetes.io/job-tracking"];

/// A deleted pod that only waits for the garbage collector or the Job controller.
fn unfinalized(facts: &Facts<'_>, pod: PodView<'_>) -> Option<(Evidence, String, String)> {
    let ended = pod.app_containers().all(|container| !container.is_running());
    let own = pod.finalizers().iter().find(|finalizer| OWN_FINALIZERS.contains(&finalizer.as_str()))?;
    if !ended || facts.since(pod.deletion_deadline()?) < NORMAL || !is_stale(facts) {
        return None;
    }
    let evidence = Evidence::field("pod.metadata.finalizers", own, None);
    Some((
        evidence,
        format!("it has not taken finalizer `{own}` off the deleted pod"),
        format!("它没有从已删除的 Pod 上移除 finalizer `{own}`"),
    ))
}

/// A quota whose use nobody counts: the API refuses every pod until its controller has.
fn uncounted(facts: &Facts<'_>) -> Option<(Evidence, String, String)> {
    let refused = admission::refused(facts)?;
    let Refusal::QuotaUnknown { quota } = refused.refusal else { return None };
    let shown = step::plain(quota);
    Some((
        refused.evidence.into_iter().next()?,
        format!("it has not counted what quota `{shown}` has in use, so that no pod is let in"),
        format!("它没有统计配额 `{shown}` 的用量，因此任何 Pod 都无法创建"),
    ))
}

/// A claim that nobody binds: binding is its work, so a stale lease says more than the claim does.
fn unbound(facts: &Facts<'_>) -> Option<(Evidence, String, String)> {
    let claim = volumes::claims(facts).into_iter().find(|claim| claim.object.is_some() && claim.bound_to.is_none())?;
    if !is_stale(facts) {
        return None;
    }
    let shown = step::plain(&claim.claim);
    let evidence = Evidence::field(format!("persistentvolumeclaim {shown}.spec.volumeName"), "empty", None);
    Some((evidence, format!("claim `{shown}` is not bound by it"), format!("它没有绑定 PVC `{shown}`")))
}

fn is_stale(facts: &Facts<'_>) -> bool {
    matches!(lease(facts), Known::Present((age, _)) if age > STALE)
}

/// A workload whose newest settings no controller has seen.
fn unobserved(facts: &Facts<'_>, workload: &Workload) -> Option<(Evidence, String, String)> {
    let (world, namespace, name) = (facts.world, workload.namespace.as_str(), workload.name.as_str());
    let (meta, observed) = match workload.kind.as_str() {
        "Deployment" => {
            let object = world.deployments.get(namespace, name).present()?;
            (&object.metadata, object.status.as_ref().and_then(|status| status.observed_generation))
        }
        "ReplicaSet" => {
            let object = world.replica_sets.get(namespace, name).present()?;
            (&object.metadata, object.status.as_ref().and_then(|status| status.observed_generation))
        }
        "StatefulSet" => {
            let object = world.stateful_sets.get(namespace, name).present()?;
            (&object.metadata, object.status.as_ref().and_then(|status| status.observed_generation))
        }
        "DaemonSet" => {
            let object = world.daemon_sets.get(namespace, name).present()?;
            (&object.metadata, object.status.as_ref().and_then(|status| status.observed_generation))
        }
        _ => return None,
    };
    let wanted = meta.generation?;
    let seen = observed.unwrap_or(0);
    let age = meta.creation_timestamp.as_ref().map(|t| facts.since(t.0))?;
    if seen >= wanted || age < SignedDuration::from_secs(30) {
        return None;
    }
    let evidence = Evidence::field(
        format!("{}.metadata.generation, status.observedGeneration", workload.reference()),
        format!("{wanted}, {}", observed.map_or("none".to_owned(), |seen| seen.to_string())),
        None,
    );
    Some((
        evidence,
        format!("it has not seen the newest settings of `{workload}`"),
        format!("它没有处理 `{workload}` 的最新配置"),
    ))
}

/// Returns the age of its lease's last renewal.
fn lease<'w>(facts: &Facts<'w>) -> Known<(SignedDuration, Evidence)> {
    match facts.world.leases.get("kube-system", "kube-controller-manager") {
        Known::Present(lease) => match lease.spec.as_ref().and_then(|spec| spec.renew_time.as_ref()) {
            Some(renewed) => Known::Present((
                facts.since(renewed.0),
                Evidence::field("lease kube-system/kube-controller-manager.spec.renewTime", renewed.0, Some(renewed.0)),
            )),
            None => Known::Unreadable,
        },
        Known::Absent => Known::Absent,
        Known::Unreadable => Known::Unreadable,
    }
}

/// Returns its own pod where that is not well.
fn manager_pod(facts: &Facts<'_>) -> Option<Evidence> {
    let pods = facts.world.pods.seen_in("kube-system").map(PodView::new);
    let mut sick = pods.filter(|pod| pod.name().starts_with("kube-controller-manager") && !pod.is("Ready"));
    let pod = sick.next()?;
    Some(Evidence::field(format!("pod kube-system/{}", pod.name()), format!("{}, not ready", pod.phase()), None))
}

fn ago(age: SignedDuration, seconds: &str, minutes: &str, hours: &str) -> String {
    match age.as_secs() {
        s if s < 120 => format!("{s} {seconds}"),
        s if s < 7_200 => format!("{} {minutes}", s / 60),
        s => format!("{} {hours}", s / 3_600),
    }
}

#[cfg(test)]
mod tests {
    use crate::diagnosis::{Certainty, Verdict, testing};

    const WORKLOAD: &str = "
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop, generation: 1, creationTimestamp: '2026-01-01T10:00:00Z'}
spec: {replicas: 1, selector: {matchLabels: {a: b}}, template: {metadata: {labels: {a: b}}, spec: {containers: [{name: app, image: a}]}}}
---
apiVersion: coordination.k8s.io/v1
kind: Lease
metadata: {name: kube-controller-manager, namespace: kube-system}
spec: {holderIdentity: cp, renewTime: 'RENEWED'}
";

    #[test]
    fn a_stale_lease_and_a_workload_that_nobody_looked_at() {
        let world = testing::world(&WORKLOAD.replace("RENEWED", "2026-01-01T09:50:00.000000Z"));
        let diagnosis = testing::diagnose_in(&world, "shop/Deployment/web", "2026-01-01T10:10:00Z");
        let found = diagnosis.answer().unwrap();
        assert_eq!(
            (found.cause.id, found.certainty, diagnosis.verdict),
            ("controller-manager-down", Certainty::Confirmed, Verdict::Sick)
        );
    }

    #[test]
    fn a_fresh_lease_means_that_it_is_alive() {
        let world = testing::world(&WORKLOAD.replace("RENEWED", "2026-01-01T10:09:59.000000Z"));
        let diagnosis = testing::diagnose_in(&world, "shop/Deployment/web", "2026-01-01T10:10:00Z");
        assert!(diagnosis.findings.iter().all(|found| found.cause.id != "controller-manager-down"));
    }

    #[test]
    fn a_quota_that_nobody_counts_is_a_possibility() {
        let ask = |text: &str| {
            let world = testing::world(&testing::refused_set(text));
            let diagnosis = testing::diagnose_in(&world, "prod/ReplicaSet/api-1", "2026-01-01T10:10:00Z");
            diagnosis.answer().map(|found| (found.cause.id, found.certainty))
        };
        let unknown = "pods \"api-1-x\" is forbidden: status unknown for quota: compute, resources: limits.cpu,pods";
        assert_eq!(ask(unknown), Some(("controller-manager-down", Certainty::Possible)));
        let full =
            "pods \"api-1-x\" is forbidden: exceeded quota: one, requested: pods=1, used: pods=1, limited: pods=1";
        assert_eq!(ask(full), Some(("quota-exceeded", Certainty::Confirmed)));
    }
}
