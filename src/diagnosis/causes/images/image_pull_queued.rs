//! The pull waits for its turn: the node pulls one image after another, or the kubelet limits its pulls.

use super::pull;
use crate::diagnosis::words::Words;
use crate::diagnosis::{Cause, Finding, Fix, Page, Phase, Text, Verdict, kubectl};
use crate::facts::reading::image::PullFailure;
use crate::facts::{ContainerView, Event, Facts, PodView, Stage};
use jiff::{SignedDuration, Timestamp};

pub static CAUSE: Cause = Cause {
    id: "image-pull-queued",
    phases: &[Phase::Images],
    guide: &["ImagePullBackOff/镜像下载排队"],
    page: Page {
        title: Text { en: "The image waits behind other pulls of the node", zh: "镜像下载排队" },
        what: Text {
            en: "By default the kubelet pulls one image after another (serializeImagePulls), so one huge image holds up all others of the node; its rate limit (registryPullQPS) refuses bursts.",
            zh: "kubelet 默认逐个拉取镜像（serializeImagePulls），一个大镜像会阻塞该节点上的其他拉取；其速率限制（registryPullQPS）也会拒绝突发的拉取。",
        },
        tell: Text {
            en: "Pulling without Pulled while another pod of the node began to pull earlier and is not through; later `Successfully pulled … (… including waiting)` shows the wait. `pull QPS exceeded` is the kubelet's limit, not the registry's.",
            zh: "出现 Pulling 但没有 Pulled，同时同节点上另一个 Pod 更早开始拉取且尚未完成；之后的 `Successfully pulled … (… including waiting)` 会显示等待时间。`pull QPS exceeded` 是 kubelet 的限制，不是仓库的。",
        },
        fix: Text {
            en: "Wait, or let the kubelet pull in parallel (serializeImagePulls: false, maxParallelImagePulls).",
            zh: "等待，或让 kubelet 并行拉取（serializeImagePulls: false、maxParallelImagePulls）。",
        },
        sources: &["https://kubernetes.io/docs/concepts/containers/images/#serial-and-parallel-image-pulls"],
    },
    check,
};

/// A wait that is still normal.
const NORMAL: SignedDuration = SignedDuration::from_mins(5);

fn check(facts: &Facts<'_>) -> Option<Finding> {
    let node = pull::node_name(facts);
    if let Some(pull) = pull::find(facts, |failure| failure == PullFailure::QpsExceeded) {
        let subject = pull.subject();
        let finding = Finding::confirmed(&CAUSE).because(pull.evidence.iter().cloned()).says(
            format!("The kubelet of node `{node}` pulls too many images at once and puts off {} (its own limit, registryPullQPS).", subject.en),
            format!("节点 `{node}` 的 kubelet 拉取过于频繁，推迟了{}（kubelet 自身的限制 registryPullQPS）。", subject.zh),
        );
        return Some(fixes(match pull.container {
            Some(container) => finding.in_container(container),
            None => finding,
        }));
    }
    let (container, event, since) = pulling_since(facts)?;
    let (other, before) = ahead(facts, since)?;
    let minutes = facts.since(since).as_mins();
    let other_name = format!("{}/{}", other.namespace(), other.name());
    let finding = Finding::likely(&CAUSE).in_container(container).because([event.evidence(), before.evidence()]).says(
        format!("Image `{}` waits its turn on node `{node}` for {minutes} min: pod `{other_name}` there began to pull earlier and is not through.", pull::plain(container.image())),
        format!("镜像 `{}` 在节点 `{node}` 上排队 {minutes} 分钟：该节点上的 Pod `{other_name}` 更早开始拉取且尚未完成。", pull::plain(container.image())),
    );
    let finding = if facts.since(since) < NORMAL { finding.calm(Verdict::Waiting) } else { finding };
    Some(fixes(finding))
}

fn fixes(finding: Finding) -> Finding {
    finding
        .fix(
            Fix::safe(Words::new("See what the nodes are pulling.", "查看各节点正在拉取哪些镜像。"))
                .command(format!("kubectl get events -A --field-selector {}", kubectl::quoted("reason=Pulling"))),
        )
        .fix(Fix::careful(Words::new(
            "Let the kubelet pull in parallel: `serializeImagePulls: false` with `maxParallelImagePulls` in its configuration, then restart it. Too many at once load disk and network.",
            "让 kubelet 并行拉取：在其配置中设置 `serializeImagePulls: false` 和 `maxParallelImagePulls` 并重启。并发过多会增加磁盘和网络负载。",
        )))
}

/// Returns the container whose pull has begun and is not through, its event, and since when.
pub fn pulling_since<'w>(facts: &Facts<'w>) -> Option<(ContainerView<'w>, &'w Event, Timestamp)> {
    let pod = facts.pod().filter(|pod| matches!(pod.stage(), Stage::Creating | Stage::Running))?;
    unfinished_pull(facts, pod)
}

/// Returns a pod of the same node whose pull began before this moment and is not through.
pub fn ahead<'w>(facts: &Facts<'w>, since: Timestamp) -> Option<(PodView<'w>, &'w Event)> {
    let pod = facts.pod()?;
    let node = pod.node_name()?;
    facts.world.pods.seen().map(PodView::new).find_map(|other| {
        let elsewhere = other.node_name() != Some(node) || other.uid() == pod.uid();
        if elsewhere || other.stage() != Stage::Creating {
            return None;
        }
        let (_, event, began) = unfinished_pull(facts, other)?;
        (began < since).then_some((other, event))
    })
}

fn unfinished_pull<'w>(facts: &Facts<'w>, pod: PodView<'w>) -> Option<(ContainerView<'w>, &'w Event, Timestamp)> {
    pod.containers().find_map(|container| {
        container.waiting().filter(|waiting| matches!(waiting.reason, "ContainerCreating" | "PodInitializing" | ""))?;
        let mut pulling = None;
        // A sandbox that was changed since began the whole start anew.
        for event in pod.events_seen(facts.world) {
            let own = event.container.as_deref() == Some(container.name());
            match event.reason.as_str() {
                "Pulling" if own => pulling = Some(event),
                "Pulled" | "Failed" | "Created" | "Started" | "BackOff" if own => pulling = None,
                "FailedCreatePodSandBox" | "FailedMount" => pulling = None,
                _ => {}
            }
        }
        let event = pulling?;
        Some((container, event, event.last?))
    })
}

#[cfg(test)]
mod tests {
    use crate::diagnosis::{Certainty, Verdict, testing};

    fn pod(name: &str, pulling: &str) -> String {
        format!(
            "
---
apiVersion: v1
kind: Pod
metadata: {{name: {name}, namespace: shop, uid: {name}, creationTimestamp: '2026-01-01T09:59:00Z'}}
spec: {{nodeName: n1, containers: [{{name: app, image: 'r.local/{name}:1'}}]}}
status:
  phase: Pending
  containerStatuses: [{{name: app, image: a, ready: false, restartCount: 0, state: {{waiting: {{reason: ContainerCreating}}}}}}]
---
apiVersion: v1
kind: Event
metadata: {{name: {name}, namespace: shop}}
involvedObject: {{kind: Pod, namespace: shop, name: {name}, uid: {name}, fieldPath: 'spec.containers{{app}}'}}
reason: Pulling
type: Normal
message: Pulling image
lastTimestamp: '2026-01-01T{pulling}Z'
"
        )
    }

    #[test]
    fn behind_another_pod_of_the_node_it_waits_its_turn() {
        let yaml = pod("huge", "10:00:00") + &pod("web", "10:02:00");
        let diagnosis = testing::diagnose_pod(&yaml, "shop/web", "2026-01-01T10:12:00Z");
        let found = diagnosis.answer().unwrap();
        assert_eq!((found.cause.id, found.certainty), ("image-pull-queued", Certainty::Likely));
        assert!(found.summary.en.contains("shop/huge"), "{}", found.summary.en);
        let young = testing::diagnose_pod(&yaml, "shop/web", "2026-01-01T10:04:00Z");
        assert_eq!(young.verdict, Verdict::Waiting);
    }

    #[test]
    fn the_first_in_the_queue_is_slow_itself() {
        let yaml = pod("huge", "10:00:00") + &pod("web", "10:02:00");
        let diagnosis = testing::diagnose_pod(&yaml, "shop/huge", "2026-01-01T10:12:00Z");
        assert_eq!(diagnosis.answer().map(|found| found.cause.id), Some("image-pull-timeout"));
    }
}
