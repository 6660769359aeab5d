//! The autoscaler says why it will not, or cannot, add a node.

use super::{Kind, is_autoscaler, picture};
use crate::diagnosis::{Cause, Certainty, Finding, Fix, Page, Phase, Text, Words};
use crate::facts::{Event, Facts, PodView, Stage};
use jiff::SignedDuration;

pub static CAUSE: Cause = Cause {
    id: "autoscaler-cannot-help",
    phases: &[Phase::Scheduling],
    guide: &[],
    page: Page {
        title: Text { en: "The autoscaler cannot add a node", zh: "自动扩容无法增加节点" },
        what: Text {
            en: "The nodes are full and an autoscaler runs, but it does not add one: a node group or the cluster is at its maximum, a limit or quota is reached, the cloud has no such machines, or it has backed off after failures.",
            zh: "节点资源不足且启用了自动扩容，但没有增加节点：节点组或集群已达上限、达到配额或限制、云厂商缺货，或因之前扩容失败而处于退避状态。",
        },
        tell: Text {
            en: "`pod didn't trigger scale-up: 1 max node group size reached` (cluster-autoscaler), `all available instance types exceed limits for nodepool` (Karpenter), FailedToScaleUpGroup, InsufficientCapacityError. Where it only repeats the scheduler's reasons, those are the cause.",
            zh: "cluster-autoscaler：`pod didn't trigger scale-up: 1 max node group size reached`；Karpenter：`all available instance types exceed limits for nodepool`；以及 FailedToScaleUpGroup、InsufficientCapacityError。如果只是重复调度器的原因，则以调度器的原因为准。",
        },
        fix: Text {
            en: "Raise the maximum of the node group or the limits of the node pool, ask the cloud for quota, allow other machine types or zones; or make room on the nodes that are there.",
            zh: "提高节点组上限或 NodePool 限额、申请云配额、允许更多机型或可用区；或在现有节点上腾出资源。",
        },
        sources: &[
            "https://github.com/kubernetes/autoscaler/blob/master/cluster-autoscaler/FAQ.md",
            "https://karpenter.sh/docs/troubleshooting/",
        ],
    },
    check,
};

/// An older word may have been overtaken by the next round (10 s to a few minutes apart).
const RECENT: SignedDuration = SignedDuration::from_mins(30);

fn check(facts: &Facts<'_>) -> Option<Finding> {
    let pod = facts.pod().filter(|pod| pod.stage() == Stage::Unscheduled)?;
    let (event, why) = refusal(facts, pod)?;
    // What no new node of any group could cure is the scheduler's to tell.
    let picture = picture(facts);
    let lead = picture.as_ref().map(|picture| picture.lead);
    let curable = matches!(
        lead,
        None | Some(
            Kind::Resources
                | Kind::AntiAffinity
                | Kind::Spread
                | Kind::HostPort
                | Kind::AttachLimit
                | Kind::Cordoned
                | Kind::Other
        )
    );
    let certainty = match (curable, why.certain) {
        (true, true) => Certainty::Confirmed,
        (true, false) => Certainty::Likely,
        (false, _) => Certainty::Possible,
    };
    Finding::new(&CAUSE, certainty)
        .explains(super::OF_THE_SENTENCE)
        .because([event.evidence()])
        .because(picture.map(|picture| picture.said.evidence).unwrap_or_default())
        .says(
            format!("No node has room for pod {}, and the autoscaler cannot add one: {}.", pod.name(), why.words.en),
            format!("没有节点能容纳 Pod {}，自动扩容也无法增加节点：{}。", pod.name(), why.words.zh),
        )
        .fix(
            Fix::safe(Words::new("See what the autoscaler says of its groups.", "查看自动扩容组件对各节点组的说明。"))
                .command(
                    if event.component.contains("karpenter") || event.kind == "NodeClaim" || event.kind == "NodePool" {
                        "kubectl get nodepools,nodeclaims; kubectl describe nodepools"
                    } else {
                        "kubectl -n kube-system get configmap cluster-autoscaler-status -o yaml"
                    },
                ),
        )
        .fix(Fix::careful(Words::new(
            "Raise the limit that it names, or make room on the nodes that are there.",
            "提高它所指的上限，或在现有节点上腾出资源。",
        )))
        .some()
}

struct Why {
    words: Words,
    certain: bool,
}

fn refusal<'w>(facts: &Facts<'w>, pod: PodView<'w>) -> Option<(&'w Event, Why)> {
    let recent = |event: &&Event| event.last.is_none_or(|last| facts.since(last) < RECENT);
    let own = pod
        .events_seen(facts.world)
        .filter(recent)
        .filter(|event| {
            matches!(event.reason.as_str(), "NotTriggerScaleUp" | "FailedScaleUp")
                || (event.reason == "FailedScheduling" && (is_autoscaler(event) || event.component.contains("fargate")))
        })
        .filter_map(|event| Some((event, why(event.text())?)))
        .last();
    if own.is_some() {
        return own;
    }
    // It has tried for this pod, and the group could not grow.
    let ordered = pod
        .events_seen(facts.world)
        .find(|event| event.reason == "TriggeredScaleUp" || (event.reason == "Nominated" && is_autoscaler(event)))?;
    let failed = ["ConfigMap", "NodeClaim", "NodePool", "Node"]
        .into_iter()
        .flat_map(|kind| facts.world.events_about(kind))
        .filter(recent)
        .filter(|event| event.last >= ordered.first)
        .filter(|event| {
            matches!(
                event.reason.as_str(),
                "FailedToScaleUpGroup" | "ScaleUpTimedOut" | "InsufficientCapacityError" | "NoCompatibleInstanceTypes"
            )
        })
        .max_by_key(|event| event.last)?;
    let text = crate::facts::evidence::shorten(failed.text(), 300);
    Some((failed, Why { words: Words::new(text.clone(), text), certain: false }))
}

/// Returns why an autoscaler adds nothing, where that is its own reason and not the scheduler's repeated.
fn why(text: &str) -> Option<Why> {
    let reasons: [(&str, &str, &str); 17] = [
        ("uota exceeded", "the cloud's quota is used up", "云厂商配额已用尽"),
        ("out of resources", "the cloud has no machines of that kind left there", "云厂商在该区域没有可用机器"),
        ("scale up in zones", "an attempt to add a node failed", "增加节点的尝试失败"),
        ("capacity is unavailable", "the cloud has no capacity for it at the moment", "云厂商暂无可用容量"),
        ("max node group size reached", "the node group is at its maximum size", "节点组已达最大节点数"),
        ("max total nodes in cluster reached", "the cluster is at its maximum number of nodes", "集群已达最大节点总数"),
        ("max cluster ", "a limit of the cluster's resources is reached", "已达到集群资源上限"),
        ("exceeded quota", "a quota of the autoscaler is used up", "自动扩容配额已用尽"),
        ("in backoff after failed scale-up", "it backs off after an attempt that failed", "之前扩容失败，正处于退避期"),
        ("not ready for scale-up", "the node group is not ready for it", "节点组暂不可扩容"),
        ("exceed limits for nodepool", "the limits of the node pool are reached", "已达到 NodePool 的资源上限"),
        ("exceed limits for provisioner", "the limits of the provisioner are reached", "已达到 Provisioner 的资源上限"),
        ("exceeded limits", "its limits are reached", "已达到资源上限"),
        ("no instance type", "no machine type fits what the pod asks for", "没有机型满足 Pod 的要求"),
        ("no nodepools found", "there is no node pool", "没有 NodePool"),
        ("no provisioners found", "there is no provisioner", "没有 Provisioner"),
        ("incompatible with ", "the pod does not fit any of its node pools", "Pod 与所有 NodePool 都不兼容"),
    ];
    let (mark, en, zh) = reasons.into_iter().find(|(mark, ..)| text.contains(mark))?;
    let quote = crate::facts::evidence::shorten(text, 200);
    Some(Why {
        words: Words::new(format!("{en} ({quote})"), format!("{zh}（{quote}）")),
        certain: !matches!(mark, "incompatible with " | "no instance type"),
    })
}

#[cfg(test)]
mod tests {
    use crate::diagnosis::testing::diagnose_pod;
    use crate::diagnosis::{Certainty, Verdict};

    fn pending(scheduler: &str, event: &str) -> String {
        format!(
            r#"
apiVersion: v1
kind: Pod
metadata: {{name: web, namespace: prod, creationTimestamp: '2026-01-01T00:00:00Z'}}
spec: {{containers: [{{name: app, image: x}}]}}
status:
  phase: Pending
  conditions: [{{type: PodScheduled, status: 'False', reason: Unschedulable, message: "{scheduler}"}}]
---
apiVersion: v1
kind: Event
metadata: {{name: e, namespace: prod}}
involvedObject: {{kind: Pod, namespace: prod, name: web}}
type: Normal
source: {{component: cluster-autoscaler}}
firstTimestamp: '2026-01-01T00:01:00Z'
lastTimestamp: '2026-01-01T00:09:00Z'
{event}
"#
        )
    }

    const FULL: &str = "0/3 nodes are available: 3 Insufficient cpu.";

    #[test]
    fn a_group_at_its_maximum_is_the_cause() {
        let event =
            "reason: NotTriggerScaleUp\nmessage: \"pod didn't trigger scale-up: 1 max node group size reached\"";
        let diagnosis = diagnose_pod(&pending(FULL, event), "prod/web", "2026-01-01T00:10:00Z");
        let answer = diagnosis.answer().unwrap();
        assert_eq!((answer.cause.id, answer.certainty), ("autoscaler-cannot-help", Certainty::Confirmed));
    }

    #[test]
    fn an_attempt_that_failed_is_the_cause() {
        for text in [
            "Node scale up in zones europe-west1-b associated with this pod failed: GCE quota exceeded. Pod is at risk of not being scheduled.",
            "Node scale up in zones us-central1-a associated with this pod failed: GCE out of resources. Pod is at risk of not being scheduled.",
        ] {
            let event = format!("reason: FailedScaleUp\nmessage: '{text}'");
            let diagnosis = diagnose_pod(&pending(FULL, &event), "prod/web", "2026-01-01T00:10:00Z");
            let answer = diagnosis.answer().unwrap();
            assert_eq!((answer.cause.id, answer.certainty), ("autoscaler-cannot-help", Certainty::Confirmed), "{text}");
        }
    }

    #[test]
    fn reasons_that_repeat_the_scheduler_are_not() {
        let event = "reason: NotTriggerScaleUp\nmessage: \"pod didn't trigger scale-up: 1 node(s) didn't match Pod's node affinity/selector\"";
        let scheduler = "0/3 nodes are available: 3 node(s) didn't match Pod's node affinity/selector.";
        let diagnosis = diagnose_pod(&pending(scheduler, event), "prod/web", "2026-01-01T00:10:00Z");
        assert_eq!(diagnosis.answer().unwrap().cause.id, "node-selector-unmatched");
    }

    #[test]
    fn a_node_on_its_way_is_waited_for() {
        let event = "reason: TriggeredScaleUp\nmessage: 'pod triggered scale-up: [{group 3->4 (max: 5)}]'";
        let diagnosis = diagnose_pod(&pending(FULL, event), "prod/web", "2026-01-01T00:10:00Z");
        assert_eq!(diagnosis.verdict, Verdict::Waiting);
        let later = diagnose_pod(&pending(FULL, event), "prod/web", "2026-01-01T00:30:00Z");
        assert_eq!(later.answer().unwrap().cause.id, "node-resources-insufficient");
    }
}
