//! Node and runtime are fine, and the kubelet does nothing about the deletion.

use super::Stopping;
use crate::diagnosis::cause::{Cause, Page, Phase};
use crate::diagnosis::finding::{Finding, Fix, Remedy};
use crate::diagnosis::kubectl::{delete_pod, describe_node};
use crate::diagnosis::words::{Text, Words};
use crate::facts::{Evidence, Facts, Known, Stage, node};
use jiff::SignedDuration;

pub static CAUSE: Cause = Cause {
    id: "kubelet-not-acting",
    phases: &[Phase::Stopping, Phase::Creating],
    guide: &["Terminating/低版本 kubelet list-watch 的 bug"],
    page: Page {
        title: Text { en: "The kubelet does nothing about the deletion", zh: "kubelet 没有处理删除" },
        what: Text {
            en: "The node is Ready and its heartbeat fresh, yet the kubelet has not begun to stop the pod, or has stopped its \
                 containers and does not let the object go. Its watch has gone deaf (old kubelets, dead HTTP/2 connections), or \
                 the worker of this pod has died.",
            zh: "节点 Ready、心跳正常，但 kubelet 没有开始停止 Pod，或停止容器后没有释放对象。它的 watch 已失聪（旧版本 kubelet、失效的 HTTP/2 \
                 连接），或者该 Pod 的 worker 已退出。",
        },
        tell: Text {
            en: "No Killing event since the delete, containers still running, node Ready: the kubelet never heard of it. Or all \
                 containers ended long ago, no finalizer and no volume left to unmount. With Killing or FailedKillPod events it \
                 is the process or the runtime.",
            zh: "删除后没有 Killing 事件、容器仍在运行、节点 Ready：kubelet 根本没有收到。或者容器早已结束，既无 finalizer 也无卷可卸载。 \
                 若有 Killing 或 FailedKillPod 事件，则是进程或运行时的问题。",
        },
        fix: Text {
            en: "Restart the kubelet on that node; running containers survive that. Upgrade old kubelets.",
            zh: "重启该节点的 kubelet；运行中的容器不受影响。升级旧版本 kubelet。",
        },
        sources: &["github.com/kubernetes/kubernetes/issues/87615", "github.com/kubernetes/kubernetes/issues/125380"],
    },
    check,
};

/// Below this a busy kubelet may just not have got round to it, in seconds.
const PATIENCE: i64 = 60;

/// Events live for an hour; a little less, to be sure.
const EVENTS_LAST: SignedDuration = SignedDuration::from_mins(55);

fn check(facts: &Facts<'_>) -> Option<Finding> {
    let Some(stopping) = Stopping::of(facts) else { return never_taken_up(facts) };
    if stopping.overdue.as_secs() <= PATIENCE {
        return None;
    }
    let pod = stopping.pod;
    let name = pod.node_name()?;
    let node = facts.node().present()?;
    let heartbeat = node::heartbeat_age(facts.world, name, facts.now);
    let silent = heartbeat.present().is_some_and(|age| age.as_secs() > PATIENCE);
    // Finalizers count once the containers have ended.
    if !node::is_ready(node) || silent || (stopping.all_ended && !pod.finalizers().is_empty()) {
        return None;
    }
    let finding = match (stopping.all_ended, stopping.was_begun(facts)) {
        (false, Some(false)) if facts.since(stopping.asked) < EVENTS_LAST => Finding::likely(&CAUSE),
        // Whatever was said of a delete that long ago has expired, or could not be read: the runtime may hang as well.
        (false, Some(false) | None) => Finding::possible(&CAUSE),
        // The kubelet tries and fails: whatever it is, it acts.
        (true, _) if tries_in_vain(facts, &stopping) => return None,
        // Everything has ended and nothing is left to do: it fits, and a hidden unmount would look alike.
        (true, _) => Finding::possible(&CAUSE),
        // It was begun.
        (false, Some(true)) => return None,
    };
    let state = if stopping.all_ended {
        Words::new("its containers have ended, and the object is not released", "容器已结束，但对象没有被释放")
    } else {
        Words::new("it has not even begun to stop the containers", "甚至没有开始停止容器")
    };
    finding
        .because([stopping.evidence()])
        .because(node::condition_evidence(node, "Ready"))
        .says(
            format!("The kubelet on {name} is alive but does nothing about the delete: {}.", state.en),
            format!("{name} 上的 kubelet 存活，但没有处理删除：{}。", state.zh),
        )
        .fix(Fix::safe(Words::new(format!("See whether other pods of {name} are stuck as well."), format!("查看 {name} 上是否还有其他 Pod 卡住。"))).command(describe_node(name)))
        .fix(Fix::careful(Words::new(
            format!("Restart the kubelet on {name} (systemctl restart kubelet): running containers survive."),
            format!("重启 {name} 上的 kubelet（systemctl restart kubelet）：运行中的容器不受影响。"),
        )))
        .fix(
            Fix::dangerous(Words::new(
                "Force the delete only if the containers are known to be gone: the object goes, what still runs stays behind.",
                "只有确认容器已不存在才强制删除：对象会消失，仍在运行的会留下。",
            ))
            .command(format!("{} --force --grace-period=0", delete_pod(facts))),
        )
        .remedy(Remedy::ForceDeletePod)
        .some()
}

/// A kubelet that is deaf to deletions is deaf to new pods as well: bound to it minutes ago, and it has not so much as
/// acknowledged the pod (`status.startTime`), which it does before anything that can fail.
fn never_taken_up(facts: &Facts<'_>) -> Option<Finding> {
    let pod = facts.pod().filter(|pod| pod.stage() == Stage::Creating)?;
    let (name, node) = (pod.node_name()?, facts.node().present()?);
    let status = pod.status()?;
    let untouched = status.start_time.is_none() && status.container_statuses.iter().flatten().next().is_none();
    let waits = facts.since(pod.scheduled_at()?) > SignedDuration::from_mins(3);
    let Known::Present(events) = pod.events(facts.world) else { return None };
    let heard = events.iter().any(|event| event.component.starts_with("kubelet"));
    let heartbeat = node::heartbeat_age(facts.world, name, facts.now);
    let silent = heartbeat.present().is_some_and(|age| age.as_secs() > PATIENCE);
    if !untouched || !waits || heard || silent || !node::is_ready(node) {
        return None;
    }
    Finding::likely(&CAUSE)
        .because(pod.condition_evidence("PodScheduled"))
        .because([Evidence::field("pod.status.startTime", "not set: the kubelet has not acknowledged the pod", None)])
        .because(node::condition_evidence(node, "Ready"))
        .explains(&["volume-mount-failed"])
        .says(
            format!(
                "The kubelet on {name} is alive but does nothing about the new pod: it has not even acknowledged it."
            ),
            format!("{name} 上的 kubelet 存活，但没有处理这个新 Pod：甚至没有确认它。"),
        )
        .fix(
            Fix::safe(Words::new(
                format!("See whether other pods of {name} are stuck as well."),
                format!("查看 {name} 上是否还有其他 Pod 卡住。"),
            ))
            .command(describe_node(name)),
        )
        .fix(Fix::careful(Words::new(
            format!("Restart the kubelet on {name} (systemctl restart kubelet): running containers survive."),
            format!("重启 {name} 上的 kubelet（systemctl restart kubelet）：运行中的容器不受影响。"),
        )))
        .some()
}

fn tries_in_vain(facts: &Facts<'_>, stopping: &Stopping<'_>) -> bool {
    stopping.pod.last_event(facts.world, "FailedKillPod").is_some_and(|event| event.last >= Some(stopping.asked))
}

#[cfg(test)]
mod tests {
    use crate::diagnosis::causes::stopping::testing::{RUNNING, event, ids, stopping};

    #[test]
    fn nothing_has_happened_since_the_delete() {
        assert_eq!(ids(&stopping("", "", RUNNING, ""), "10:10:00").first(), Some(&"kubelet-not-acting"));
        // A day later nobody knows what was said: it is the first thing to look at, and no more.
        let later =
            crate::diagnosis::testing::diagnose_pod(&stopping("", "", RUNNING, ""), "shop/web", "2026-01-02T10:10:00Z");
        assert_eq!(later.answer().unwrap().certainty, crate::diagnosis::Certainty::Possible);
    }

    #[test]
    fn a_kubelet_that_has_begun_is_acting() {
        let yaml = stopping("", "", RUNNING, &event("Killing", "10:00:00", "Stopping container app"));
        assert!(!ids(&yaml, "10:10:00").contains(&"kubelet-not-acting"));
    }

    #[test]
    fn a_new_pod_that_is_not_even_acknowledged() {
        let pod = |status: &str| {
            format!(
                r#"
kind: Pod
metadata: {{name: web, namespace: shop, uid: u1, creationTimestamp: "2026-01-01T10:00:00Z"}}
spec: {{nodeName: n1, containers: [{{name: app, image: web:1}}]}}
status: {{phase: Pending, conditions: [{{type: PodScheduled, status: "True", lastTransitionTime: "2026-01-01T10:00:00Z"}}]{status}}}
---
kind: Node
metadata: {{name: n1}}
status: {{conditions: [{{type: Ready, status: "True"}}]}}
---
kind: Event
metadata: {{name: e, namespace: shop}}
involvedObject: {{kind: Pod, namespace: shop, name: web, uid: u1}}
reason: Scheduled
source: {{component: default-scheduler}}
lastTimestamp: "2026-01-01T10:00:00Z"
"#
            )
        };
        assert_eq!(ids(&pod(""), "10:10:00").first(), Some(&"kubelet-not-acting"));
        assert_ne!(ids(&pod(""), "10:01:00").first(), Some(&"kubelet-not-acting"));
        let taken_up = r#", startTime: "2026-01-01T10:00:01Z""#;
        assert!(!ids(&pod(taken_up), "10:10:00").contains(&"kubelet-not-acting"));
    }
}
