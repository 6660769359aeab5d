//! The pod fits by the API's own objects and the scheduler is alive, yet it stays without a node.

use super::{Kind, Picture, few, picture};
use crate::diagnosis::fit::{self, Fit};
use crate::diagnosis::{Cause, Certainty, Finding, Fix, Page, Phase, Text, Words};
use crate::facts::reading::scheduler::{Failure, NodeReason, Reading};
use crate::facts::{Evidence, Facts, PodView, node};
use jiff::SignedDuration;

pub static CAUSE: Cause = Cause {
    id: "scheduler-bug",
    phases: &[Phase::Scheduling],
    guide: &["Pending/低版本 kube-scheduler 的 bug"],
    page: Page {
        title: Text { en: "The scheduler is wrong about the nodes", zh: "kube-scheduler 的 bug 或错误配置" },
        what: Text {
            en: "The scheduler says that the pod fits nowhere, and the API's own objects say that it fits. Its memory is stale or contradicts itself (bugs of certain versions), or it runs with a feature switched off that the nodes rely on.",
            zh: "调度器说没有节点合适，但按 API 中的对象计算是合适的。调度器的缓存过期或自相矛盾（某些版本的 bug），或者它关闭了节点所依赖的特性开关。",
        },
        tell: Text {
            en: "Each check is made anew from the Node objects and the pods on them: a node passes all, for minutes, while the scheduler goes on to refuse it. `is in the cache, so can't be assumed` and `nodeinfo not found` are its own words for it.",
            zh: "根据 Node 对象及其上的 Pod 重新计算每一项检查：某个节点全部通过，调度器却持续拒绝。`is in the cache, so can't be assumed`、`nodeinfo not found` 则是它自己的报错。",
        },
        fix: Text {
            en: "Restart kube-scheduler, which reads everything anew; upgrade it if it happens again; look at its flags and feature gates.",
            zh: "重启 kube-scheduler 使其重新读取所有对象；如果再次发生则升级版本；检查其启动参数与特性开关。",
        },
        sources: &["https://github.com/kubernetes/kubernetes/issues/96083"],
    },
    check,
};

/// A pod that could not be placed is tried again after at most five minutes, whatever was missed.
const TRIED_AGAIN: SignedDuration = SignedDuration::from_mins(5);

fn check(facts: &Facts<'_>) -> Option<Finding> {
    let picture = picture(facts)?;
    if let Reading::Failure(Failure::Cache) = picture.reading {
        let finding = Finding::likely(&CAUSE).because(picture.said.evidence.clone()).says(
            format!(
                "The scheduler's own memory of pod {} or its nodes contradicts itself, so it cannot place it.",
                picture.pod.name()
            ),
            format!("调度器关于 Pod {} 或节点的缓存自相矛盾，因此无法调度。", picture.pod.name()),
        );
        return fixes(finding).some();
    }
    let fit = fit::compute(facts, picture.pod)?;
    let fitting: Vec<&str> =
        fit.fitting().map(|fit| fit.node).filter(|node| node::is_ready(node)).map(node::name).collect();
    // Other nodes than the scheduler counted were read, or rules between pods decide: nothing can be said.
    let all_nodes = picture.total.and_then(|n| usize::try_from(n).ok()) == Some(fit.nodes.len());
    // Of a claim the scheduler speaks without counting nodes.
    if fitting.is_empty() || !(all_nodes || picture.lead == Kind::ClaimUnbound) || has_rules_between_pods(picture.pod) {
        return None;
    }
    let (certainty, gate) = contradiction(facts, &picture, &fit)?;
    let said = picture.said.text.split(" preemption:").next().unwrap_or_default();
    let said = crate::facts::evidence::shorten(said, 160);
    let names = few(&fitting);
    let mut finding = Finding::new(&CAUSE, certainty)
        .because(gate.clone())
        .because(picture.said.evidence.clone())
        .because([fit.evidence()]);
    if certainty != Certainty::Possible {
        finding = finding.explains(super::OF_THE_SENTENCE);
    }
    let (by, by_zh) = match &gate {
        Some(gate) => (format!("; it runs with {}", gate.quote), format!("；它的启动参数含 {}", gate.quote)),
        None => (String::new(), String::new()),
    };
    finding = finding.says(
        format!(
            "Pod {} fits {names} by the nodes' own figures, but the scheduler says “{said}”{by}.",
            picture.pod.name()
        ),
        format!("按节点自身的数据，Pod {} 可以调度到 {names}，但调度器报告“{said}”{by_zh}。", picture.pod.name()),
    );
    fixes(finding).some()
}

fn fixes(finding: Finding) -> Finding {
    finding
        .fix(
            Fix::safe(Words::new(
                "See which version runs, with which flags, and what it logs.",
                "查看调度器的版本、启动参数与日志。",
            ))
            .command("kubectl -n kube-system get pods -l component=kube-scheduler -o yaml | grep -e image: -e ' - --'"),
        )
        .fix(
            Fix::careful(Words::new(
                "Restart kube-scheduler: it reads everything anew. Pods are not scheduled for some seconds.",
                "重启 kube-scheduler，使其重新读取所有对象；几秒内无法调度新 Pod。",
            ))
            .command("kubectl -n kube-system delete pod -l component=kube-scheduler"),
        )
}

/// Returns how sure it is that the scheduler is wrong, and the flag that explains it where there is one.
fn contradiction(facts: &Facts<'_>, picture: &Picture<'_>, fit: &Fit<'_>) -> Option<(Certainty, Option<Evidence>)> {
    match picture.lead {
        Kind::Resources => {
            let gate = gate(facts, picture);
            if gate.is_some() {
                return Some((Certainty::Confirmed, gate));
            }
            // What is free is known only where every pod was read; else others may well fill the node.
            let old = picture.pod.age(facts.now) >= TRIED_AGAIN;
            (fit.all_pods_read && old).then_some((Certainty::Likely, None))
        }
        // Describe prints no node affinity: the pod may well refuse these nodes.
        Kind::Selector if facts.part().is_some() => None,
        Kind::Selector | Kind::Taint | Kind::ControlPlane | Kind::Condition | Kind::Cordoned | Kind::Uninitialized => {
            let same = picture.counts.len() == 1;
            let old = picture.pod.age(facts.now) >= TRIED_AGAIN * 2;
            // The nodes may have changed a moment ago: that is possible as well where the last attempt is not told.
            let stale = picture.said.last.is_some_and(|last| facts.since(last) < TRIED_AGAIN);
            (same && old).then_some((if stale { Certainty::Likely } else { Certainty::Possible }, None))
        }
        // When the claim was bound is not told: it may have been a moment ago.
        Kind::ClaimUnbound => (claims_are_bound(facts, picture.pod) && picture.pod.age(facts.now) >= TRIED_AGAIN * 2)
            .then_some((Certainty::Possible, None)),
        _ => None,
    }
}

/// Returns whether the pod names claims, and each of them is bound by the API's own word.
fn claims_are_bound(facts: &Facts<'_>, pod: PodView<'_>) -> bool {
    let volumes = pod.spec().and_then(|spec| spec.volumes.as_deref()).unwrap_or_default();
    let mut names = volumes.iter().filter_map(|volume| volume.persistent_volume_claim.as_ref()).peekable();
    names.peek().is_some()
        && volumes.iter().all(|volume| volume.ephemeral.is_none())
        && names.all(|claim| {
            let claim = facts.world.claims.get(pod.namespace(), &claim.claim_name).present();
            claim.and_then(|claim| claim.status.as_ref()).and_then(|status| status.phase.as_deref()) == Some("Bound")
        })
}

/// Returns the scheduler's flag that switches off what the resource depends on.
fn gate(facts: &Facts<'_>, picture: &Picture<'_>) -> Option<Evidence> {
    let of_storage =
        picture.reasons().iter().any(|(_, reason)| matches!(reason, NodeReason::Insufficient("ephemeral-storage")));
    if !of_storage {
        return None;
    }
    let pods = facts.world.pods.seen_in("kube-system").map(PodView::new);
    pods.filter(|pod| pod.name().starts_with("kube-scheduler")).find_map(|pod| {
        pod.app_containers().find_map(|app| {
            let mut words = app.spec.command.iter().chain(app.spec.args.iter()).flatten();
            let flag = words.find(|word| word.contains("LocalStorageCapacityIsolation=false"))?;
            Some(Evidence::field(format!("pod kube-system/{} command", pod.name()), flag, None))
        })
    })
}

fn has_rules_between_pods(pod: PodView<'_>) -> bool {
    pod.spec().is_none_or(|spec| {
        let affinity = spec.affinity.as_ref();
        spec.topology_spread_constraints.as_ref().is_some_and(|list| !list.is_empty())
            || affinity.is_some_and(|a| a.pod_affinity.is_some() || a.pod_anti_affinity.is_some())
            || spec.resource_claims.as_ref().is_some_and(|list| !list.is_empty())
    })
}

#[cfg(test)]
mod tests {
    use crate::diagnosis::Certainty;
    use crate::diagnosis::testing::diagnose_pod;

    fn world(message: &str, flag: &str) -> String {
        format!(
            r#"
apiVersion: v1
kind: Pod
metadata: {{name: web, namespace: prod, creationTimestamp: '2026-01-01T00:00:00Z'}}
spec: {{containers: [{{name: app, image: x, resources: {{requests: {{ephemeral-storage: 1Gi}}}}}}]}}
status:
  phase: Pending
  conditions: [{{type: PodScheduled, status: 'False', reason: Unschedulable, message: "{message}"}}]
---
apiVersion: v1
kind: Node
metadata: {{name: a}}
status: {{allocatable: {{cpu: '2', memory: 4Gi, pods: '110', ephemeral-storage: 90Gi}}, conditions: [{{type: Ready, status: 'True'}}]}}
---
apiVersion: v1
kind: Pod
metadata: {{name: kube-scheduler-a, namespace: kube-system}}
spec: {{nodeName: a, containers: [{{name: kube-scheduler, image: x, command: [kube-scheduler, '{flag}']}}]}}
status: {{phase: Running, conditions: [{{type: Ready, status: 'True'}}]}}
"#
        )
    }

    const SHORT: &str = "0/1 nodes are available: 1 Insufficient ephemeral-storage.";

    #[test]
    fn a_switched_off_feature_explains_the_contradiction() {
        let yaml = world(SHORT, "--feature-gates=LocalStorageCapacityIsolation=false");
        let diagnosis = diagnose_pod(&yaml, "prod/web", "2026-01-01T00:02:00Z");
        let answer = diagnosis.answer().unwrap();
        assert_eq!((answer.cause.id, answer.certainty), ("scheduler-bug", Certainty::Confirmed));
    }

    #[test]
    fn pods_that_were_not_read_may_fill_the_node() {
        let diagnosis = diagnose_pod(&world(SHORT, "--leader-elect=true"), "prod/web", "2026-01-01T01:00:00Z");
        assert_eq!(diagnosis.answer().unwrap().cause.id, "node-resources-insufficient");
    }

    #[test]
    fn its_own_words_for_a_broken_cache() {
        let yaml = world("pod 1b2c is in the cache, so can't be assumed", "--leader-elect=true");
        let diagnosis = diagnose_pod(&yaml, "prod/web", "2026-01-01T01:00:00Z");
        assert_eq!(diagnosis.answer().unwrap().cause.id, "scheduler-bug");
    }

    #[test]
    fn a_claim_that_is_bound_is_not_unbound() {
        let told = |phase: &str| {
            let yaml = world("pod has unbound immediate PersistentVolumeClaims", "--leader-elect=true").replace(
                "{requests: {ephemeral-storage: 1Gi}}}]",
                "{}}], volumes: [{name: d, persistentVolumeClaim: {claimName: d}}]",
            ) + &format!(
                "---\napiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {{name: d, namespace: prod}}\nspec: {{volumeName: v}}\nstatus: {{phase: {phase}}}\n"
            );
            diagnose_pod(&yaml, "prod/web", "2026-01-01T01:00:00Z").answer().map(|answer| answer.cause.id)
        };
        assert_eq!(told("Bound"), Some("scheduler-bug"));
        assert_eq!(told("Pending"), Some("pvc-unbound"));
    }
}
