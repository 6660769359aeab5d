//! No node has room for what the pod requests.

use super::{Kind, Picture, picture};
use crate::diagnosis::fit::{self, Fit, Misfit};
use crate::diagnosis::{Cause, Certainty, Finding, Fix, Page, Phase, Text, Words, kubectl};
use crate::facts::reading::scheduler::{NodeReason, Reading};
use crate::facts::{Facts, load, quantity};
use std::collections::BTreeSet;

pub static CAUSE: Cause = Cause {
    id: "node-resources-insufficient",
    phases: &[Phase::Scheduling],
    guide: &["Pending/节点资源不够"],
    page: Page {
        title: Text { en: "No node has room for the pod's requests", zh: "节点剩余资源不足" },
        what: Text {
            en: "The scheduler places by requests, not by use: what a node can allocate, minus the requests of the pods that are on it. No node that is open to this pod has enough of a resource left: CPU, memory, GPUs and other devices, ephemeral storage, or pod slots.",
            zh: "调度依据的是 request 而不是实际用量：节点的 Allocatable 减去其上所有 Pod 的 request 之和。可用节点中没有一个剩余足够的资源（CPU、内存、GPU 等扩展资源、临时存储或 Pod 数量）。",
        },
        tell: Text {
            en: "`Insufficient <resource>` or `Too many pods`. `kubectl top` says nothing about it. If the request is bigger than any node, waiting will not help. If a device is missing from a node's allocatable altogether, its device plugin does not run.",
            zh: "报错为 `Insufficient <资源>` 或 `Too many pods`，与 `kubectl top` 的用量无关。如果 request 大于任何节点的 Allocatable，等待无济于事；如果节点的 allocatable 中根本没有该设备资源，说明设备插件没有运行。",
        },
        fix: Text {
            en: "Lower the requests, add a node, make room by scaling down or deleting other pods, or give the pod a higher priority. A lower memory request makes a pod an earlier victim of eviction.",
            zh: "降低 request、增加节点、缩容或删除其他 Pod 腾出资源，或提高 Pod 优先级。降低内存 request 会使 Pod 更容易被驱逐。",
        },
        sources: &[
            "https://kubernetes.io/docs/concepts/configuration/manage-resources-containers/#how-pods-with-resource-requests-are-scheduled",
            "kubernetes/kubernetes pkg/scheduler/framework/plugins/noderesources/fit.go",
        ],
    },
    check,
};

fn check(facts: &Facts<'_>) -> Option<Finding> {
    let picture = picture(facts)?;
    let mut finding = picture.finding(&CAUSE, Kind::Resources)?;
    // Without the nodes nobody has checked the scheduler's word against them.
    if facts.world.nodes.is_unread() {
        finding.certainty = finding.certainty.max(Certainty::Likely);
    }
    if picture.reading == Reading::NoNodes {
        return no_nodes(finding, &picture);
    }
    let resources = short_resources(&picture);
    let requests = picture.pod.spec().map(load::requests).unwrap_or_default();
    let asked: Vec<String> = resources
        .iter()
        .filter(|resource| **resource != "pods")
        .filter_map(|resource| {
            let amount = requests.get(*resource)?;
            Some(format!("{} {resource}", quantity::amount(resource, *amount)))
        })
        .collect();
    let fit = (picture.lead == Kind::Resources).then(|| fit::compute(facts, picture.pod)).flatten();
    let shows = |fit: &Fit<'_>| fit.count(|misfit| matches!(misfit, Misfit::Short { .. })) > 0;
    let fit = fit.filter(shows);
    let (share_en, share_zh) = picture.share(Kind::Resources);
    let names = resources.iter().copied().collect::<Vec<_>>().join(", ");
    let (mut en, mut zh) = if asked.is_empty() {
        (
            format!("No node has room for pod {}: {names} is short on {share_en}", picture.pod.name()),
            format!("没有节点能容纳 Pod {}：{share_zh}的 {names} 不足", picture.pod.name()),
        )
    } else {
        let asked = asked.join(" + ");
        (
            format!(
                "No node has room for pod {}, which requests {asked}: {names} is short on {share_en}",
                picture.pod.name()
            ),
            format!("没有节点能容纳 Pod {}（请求 {asked}）：{share_zh}的 {names} 不足", picture.pod.name()),
        )
    };
    if let Some(fit) = &fit {
        let words = fit.words();
        en = format!("{en} ({})", words.en);
        zh = format!("{zh}（{}）", words.zh);
    }
    let too_big = fit.as_ref().and_then(too_big);
    if let Some(words) = &too_big {
        en = format!("{en}; {}", words.en);
        zh = format!("{zh}；{}", words.zh);
    }
    let workload = picture.pod.workload();
    let resource = resources.iter().next().copied().unwrap_or("cpu");
    finding
        .because(fit.map(|fit| fit.evidence()))
        .says(format!("{en}."), format!("{zh}。"))
        .fix(
            Fix::safe(Words::new(
                "See what each node can allocate and what is taken.",
                "查看各节点的可分配量与已分配量。",
            ))
            .command("kubectl describe nodes | grep -A 9 'Allocated resources'"),
        )
        .fix(
            Fix::careful(Words::new(
                format!(
                    "Lower the request for {resource} to what the pod really needs (restarts the pods of {workload})."
                ),
                format!("把 {resource} 的 request 降到实际需要的值（会重建 {workload} 的 Pod）。"),
            ))
            .command(kubectl::edit(&workload)),
        )
        .fix(Fix::careful(Words::new(
            "Add a node, or make room: scale down or delete pods that are not needed.",
            "增加节点，或缩容、删除不需要的 Pod 腾出资源。",
        )))
        .some()
}

/// The cluster has no node at all: none has joined, or an autoscaler has taken the last one away.
fn no_nodes(mut finding: Finding, picture: &Picture<'_>) -> Option<Finding> {
    finding.certainty = Certainty::Possible;
    finding
        .says(
            format!("Pod {} cannot be placed: the cluster has no node.", picture.pod.name()),
            format!("Pod {} 无法调度：集群中没有任何节点。", picture.pod.name()),
        )
        .fix(
            Fix::safe(Words::new("See whether nodes have joined.", "查看是否有节点加入。"))
                .command("kubectl get nodes"),
        )
        .some()
}

fn short_resources<'w>(picture: &Picture<'w>) -> BTreeSet<&'w str> {
    let mut found: BTreeSet<&str> = picture
        .reasons()
        .iter()
        .filter_map(|(_, reason)| match reason {
            NodeReason::Insufficient(resource) => Some(*resource),
            _ => None,
        })
        .collect();
    if found.is_empty() {
        found.insert("resources");
    }
    found
}

/// Says where waiting cannot help: the request is above what any node can ever give, or no node has the device.
fn too_big(fit: &Fit<'_>) -> Option<Words> {
    let short = |fit: &fit::NodeFit<'_>| {
        fit.misfits
            .iter()
            .filter_map(|misfit| match misfit {
                Misfit::Short { resource, wanted, allocatable, unknown, .. } => {
                    Some((resource.clone(), *wanted, *allocatable, *unknown))
                }
                _ => None,
            })
            .collect::<Vec<_>>()
    };
    let first = short(fit.nodes.first()?);
    first.into_iter().find_map(|(resource, wanted, ..)| {
        let mut largest = 0.0_f64;
        let mut unknown_everywhere = true;
        for node in &fit.nodes {
            let (_, _, allocatable, unknown) = short(node).into_iter().find(|(name, ..)| *name == resource)?;
            largest = largest.max(allocatable);
            unknown_everywhere &= unknown;
        }
        if unknown_everywhere {
            return Some(Words::new(
                format!("no node offers {resource} at all: its device plugin does not run, or no such node is there"),
                format!("没有任何节点提供 {resource}：设备插件没有运行，或没有这类节点"),
            ));
        }
        (wanted > largest).then(|| {
            let most = quantity::amount(&resource, largest);
            Words::new(
                format!("the largest node can allocate {most} of {resource}, so waiting will not help"),
                format!("最大的节点也只能分配 {most} 的 {resource}，等待无济于事"),
            )
        })
    })
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
metadata: {{name: train, namespace: ml, creationTimestamp: '2026-01-01T00:00:00Z'}}
spec: {{containers: [{{name: app, image: x, resources: {{requests: {{cpu: '64'}}}}}}]}}
status:
  phase: Pending
  conditions: [{{type: PodScheduled, status: 'False', reason: Unschedulable, message: "{message}"}}]
---
apiVersion: v1
kind: Node
metadata: {{name: a}}
status: {{allocatable: {{cpu: '2', memory: 4Gi, pods: '110'}}, conditions: [{{type: Ready, status: 'True'}}]}}
"#
        )
    }

    #[test]
    fn says_which_resource_by_how_much_and_that_waiting_is_vain() {
        let yaml = pending(
            "0/1 nodes are available: 1 Insufficient cpu. preemption: 0/1 nodes are available: 1 No preemption victims found for incoming pod.",
        );
        let diagnosis = diagnose_pod(&yaml, "ml/train", "2026-01-01T00:10:00Z");
        let answer = diagnosis.answer().unwrap();
        assert_eq!((answer.cause.id, answer.certainty), ("node-resources-insufficient", Certainty::Confirmed));
        assert_eq!(
            answer.summary.en,
            "No node has room for pod train, which requests 64 cpu: cpu is short on 1 of 1 node (1 of 1 node: 62 of cpu short); the largest node can allocate 2 of cpu, so waiting will not help."
        );
    }

    #[test]
    fn nodes_that_the_pod_is_not_meant_for_do_not_lead() {
        let yaml = pending(
            "0/3 nodes are available: 1 Insufficient cpu, 2 node(s) didn't match Pod's node affinity/selector.",
        );
        let diagnosis = diagnose_pod(&yaml, "ml/train", "2026-01-01T00:10:00Z");
        assert_eq!(diagnosis.answer().unwrap().cause.id, "node-resources-insufficient");
    }

    #[test]
    fn a_volume_that_pins_the_pod_leads_where_they_are_even() {
        let yaml = pending("0/2 nodes are available: 1 Insufficient cpu, 1 node(s) had volume node affinity conflict.");
        let diagnosis = diagnose_pod(&yaml, "ml/train", "2026-01-01T00:10:00Z");
        let answer = diagnosis.answer().unwrap();
        assert_eq!((answer.cause.id, answer.certainty), ("volume-zone-conflict", Certainty::Likely));
    }
}
