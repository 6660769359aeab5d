//! A dynamic resource claim (DRA) is missing or cannot be allocated.

use super::{Kind, picture, scheduler_not_running};
use crate::diagnosis::{Cause, Certainty, Finding, Fix, Page, Phase, Text, Words, kubectl};
use crate::facts::{Evidence, Facts, Known, PodView, Stage};
use jiff::SignedDuration;

pub static CAUSE: Cause = Cause {
    id: "resource-claim-pending",
    phases: &[Phase::Scheduling],
    guide: &[],
    page: Page {
        title: Text {
            en: "A resource claim is missing or not allocated", zh: "ResourceClaim 不存在或无法分配"
        },
        what: Text {
            en: "The pod asks for devices through spec.resourceClaims (dynamic resource allocation). The ResourceClaim or its template does not exist, its device class does not exist, or no node has such devices free.",
            zh: "Pod 通过 spec.resourceClaims 申请设备（动态资源分配 DRA）。对应的 ResourceClaim 或模板不存在、设备类不存在，或没有节点有空闲设备。",
        },
        tell: Text {
            en: "`cannot allocate all claims`, `resourceclaim \"x\" not found`. A claim that does not exist leaves the pod without condition and without event: it looks as if no scheduler ran.",
            zh: "报错为 `cannot allocate all claims`、`resourceclaim \"x\" not found` 等。如果 claim 不存在，Pod 没有任何条件和事件，看起来像调度器没有运行。",
        },
        fix: Text {
            en: "Make the claim or template that the pod names; see that the device driver publishes ResourceSlices on the nodes.",
            zh: "创建 Pod 引用的 claim 或模板；确认设备驱动在节点上发布了 ResourceSlice。",
        },
        sources: &[
            "https://kubernetes.io/docs/concepts/scheduling-eviction/dynamic-resource-allocation/",
            "kubernetes/kubernetes pkg/scheduler/framework/plugins/dynamicresources/dynamicresources.go",
        ],
    },
    check,
};

/// A scheduler that finds the claims says so within seconds.
const HELD: SignedDuration = SignedDuration::from_secs(10);

fn check(facts: &Facts<'_>) -> Option<Finding> {
    let pod = facts.pod()?;
    if pod.stage() == Stage::Creating {
        return unprepared(facts, pod);
    }
    if pod.stage() != Stage::Unscheduled {
        return None;
    }
    let asked = pod.spec()?.resource_claims.as_deref().filter(|claims| !claims.is_empty())?;
    let failed = pod.last_event(facts.world, "FailedResourceClaimCreation");
    let picture = picture(facts);
    let missing = missing(facts, pod);
    let mut finding = match &picture {
        Some(picture) => picture.finding(&CAUSE, Kind::ResourceClaim)?,
        // Held before the queue: no condition, no event. That is what a missing claim looks like, and a missing scheduler.
        None => {
            if pod.created().is_some() && pod.age(facts.now) < HELD && failed.is_none() {
                return None;
            }
            let certainty = match (&missing, failed) {
                (Some((_, true)), _) | (_, Some(_)) => Certainty::Confirmed,
                (Some((_, false)), None) => Certainty::Likely,
                // The claims were not read. A pod with claims and without a word is far more often held by them than
                // by a scheduler that does not run; signs of that speak for themselves.
                (None, None) if claims_unread(facts, pod) && !scheduler_not_running::shows_signs(facts) => {
                    Certainty::Likely
                }
                (None, None) => Certainty::Possible,
            };
            Finding::new(&CAUSE, certainty).explains(&["scheduler-not-running"])
        }
    };
    let names = asked.iter().map(|claim| claim.name.as_str()).collect::<Vec<_>>().join(", ");
    finding = finding
        .because(failed.map(|event| event.evidence()))
        .because([Evidence::field("pod.spec.resourceClaims", &names, None)])
        .because(missing.as_ref().map(|(name, absent)| {
            let text = if *absent { "does not exist" } else { "not made yet" };
            Evidence::field(format!("resourceclaim {name}"), text, None)
        }));
    finding = match &missing {
        Some((name, true)) => finding.says(
            format!("Pod {} needs the resource claim {name}, which does not exist.", pod.name()),
            format!("Pod {} 需要的 ResourceClaim {name} 不存在。", pod.name()),
        ),
        Some((name, false)) => finding.says(
            format!("Pod {} waits for its resource claim {name}, which has not been made.", pod.name()),
            format!("Pod {} 在等待 ResourceClaim {name}，它尚未被创建。", pod.name()),
        ),
        None => finding.says(
            format!("The resource claims of pod {} ({names}) cannot be allocated.", pod.name()),
            format!("Pod {} 的 ResourceClaim（{names}）无法分配。", pod.name()),
        ),
    };
    finding
        .fix(
            Fix::safe(Words::new(
                "See the claims, and what devices the nodes offer.",
                "查看 claim 以及节点提供的设备。",
            ))
            .command(format!(
                "{}; kubectl get deviceclasses,resourceslices",
                kubectl::namespaced(pod.namespace(), "get resourceclaims,resourceclaimtemplates")
            )),
        )
        .fix(
            Fix::careful(Words::new(
                format!("Make the claim or template that is missing, or correct the name in {}.", pod.workload()),
                format!("创建缺失的 claim 或模板，或修正 {} 中的名称。", pod.workload()),
            ))
            .command(kubectl::edit(&pod.workload())),
        )
        .some()
}

fn claims_unread(facts: &Facts<'_>, pod: PodView<'_>) -> bool {
    let claims = pod.spec().and_then(|spec| spec.resource_claims.as_deref()).unwrap_or_default();
    claims.iter().filter_map(|claim| claim.resource_claim_name.as_deref()).any(|name| {
        facts.world.others("ResourceClaim").is_none_or(|objects| objects.get(pod.namespace(), name).is_unreadable())
    })
}

/// Returns the first claim that is not there; true = it was looked for, false = its template has not been answered.
fn missing(facts: &Facts<'_>, pod: PodView<'_>) -> Option<(String, bool)> {
    let made = pod.status().and_then(|status| status.resource_claim_statuses.as_deref()).unwrap_or_default();
    for claim in pod.spec()?.resource_claims.as_deref().unwrap_or_default() {
        let known = |kind: &str, name: &str| {
            facts.world.others(kind).map_or(Known::Unreadable, |objects| objects.get(pod.namespace(), name).map(|_| ()))
        };
        if let Some(name) = &claim.resource_claim_name {
            if known("ResourceClaim", name).is_absent() {
                return Some((name.clone(), true));
            }
        } else if let Some(template) = &claim.resource_claim_template_name
            && !made.iter().any(|status| status.name == claim.name && status.resource_claim_name.is_some())
        {
            if known("ResourceClaimTemplate", template).is_absent() {
                return Some((format!("{template} (template)"), true));
            }
            return Some((claim.name.clone(), false));
        }
    }
    None
}

/// The claim is allocated, and the driver on the node does not make it ready.
fn unprepared(facts: &Facts<'_>, pod: PodView<'_>) -> Option<Finding> {
    let event = pod.last_event(facts.world, "FailedPrepareDynamicResources")?;
    let later = pod.containers().any(|container| container.is_running() || container.latest_end().is_some());
    if later {
        return None;
    }
    let node = pod.node_name().unwrap_or("?");
    Finding::confirmed(&CAUSE)
        .because([event.evidence()])
        .says(
            format!("Node {node} cannot make the resource claims of pod {} ready: their driver there fails or does not run.", pod.name()),
            format!("节点 {node} 无法准备 Pod {} 的 ResourceClaim：该节点上的驱动出错或没有运行。", pod.name()),
        )
        .fix(
            Fix::safe(Words::new(
                "Look at the driver's pod on that node, and at what the node offers.",
                "查看该节点上驱动的 Pod，以及节点提供的设备。",
            ))
            .command(format!(
                "kubectl get pods -A -o wide --field-selector spec.nodeName={}; kubectl get resourceslices",
                kubectl::quoted(node)
            )),
        )
        .some()
}

#[cfg(test)]
mod tests {
    use crate::diagnosis::Certainty;
    use crate::diagnosis::testing::diagnose_pod;

    const POD: &str = r"
apiVersion: v1
kind: Pod
metadata: {name: gpu, namespace: ml, creationTimestamp: '2026-01-01T00:00:00Z'}
spec: {resourceClaims: [{name: gpu, resourceClaimName: shared-gpu}], containers: [{name: app, image: x}]}
status: {phase: Pending}
---
apiVersion: resource.k8s.io/v1
kind: ResourceClaim
metadata: {name: other, namespace: ml}
";

    #[test]
    fn a_claim_that_does_not_exist_is_no_missing_scheduler() {
        let diagnosis = diagnose_pod(POD, "ml/gpu", "2026-01-01T00:10:00Z");
        let answer = diagnosis.answer().unwrap();
        assert_eq!((answer.cause.id, answer.certainty), ("resource-claim-pending", Certainty::Confirmed));
    }

    #[test]
    fn a_pod_without_claims_has_none_missing() {
        let yaml = POD.replace("resourceClaims: [{name: gpu, resourceClaimName: shared-gpu}], ", "");
        let diagnosis = diagnose_pod(&yaml, "ml/gpu", "2026-01-01T00:10:00Z");
        assert_eq!(diagnosis.answer().unwrap().cause.id, "scheduler-not-running");
    }

    #[test]
    fn a_claim_that_the_node_s_driver_cannot_prepare() {
        let yaml = |state: &str| {
            format!(
                r#"
kind: Pod
metadata: {{name: job, namespace: prod, creationTimestamp: '2026-01-01T00:00:00Z'}}
spec: {{nodeName: a, containers: [{{name: app, image: x}}], resourceClaims: [{{name: gpu, resourceClaimName: gpu}}]}}
status:
  phase: Pending
  containerStatuses: [{{name: app, image: x, imageID: '', ready: false, restartCount: 0, state: {state}}}]
---
kind: Event
metadata: {{name: e, namespace: prod}}
involvedObject: {{kind: Pod, namespace: prod, name: job}}
reason: FailedPrepareDynamicResources
type: Warning
message: 'Failed to prepare dynamic resources: DRA driver gpu.example.com is not registered'
lastTimestamp: '2026-01-01T00:09:00Z'
"#
            )
        };
        let ask = |state: &str| {
            let diagnosis = diagnose_pod(&yaml(state), "prod/job", "2026-01-01T00:10:00Z");
            diagnosis.findings.iter().any(|finding| finding.cause.id == "resource-claim-pending")
        };
        assert!(ask("{waiting: {reason: ContainerCreating}}"));
        assert!(!ask("{running: {startedAt: '2026-01-01T00:09:30Z'}}"));
    }
}
