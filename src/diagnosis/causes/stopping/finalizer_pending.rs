//! Finalizers hold a deleted pod: everything else is done, and whoever set them has not taken them off.

use super::Stopping;
use crate::diagnosis::cause::{Cause, Page, Phase};
use crate::diagnosis::finalizer;
use crate::diagnosis::finding::{Finding, Fix, Remedy};
use crate::diagnosis::kubectl::{namespaced, quoted};
use crate::diagnosis::words::{Text, Words};
use crate::facts::{Evidence, Facts, Part, PodView};
use jiff::SignedDuration;

pub static CAUSE: Cause = Cause {
    id: "finalizer-pending",
    phases: &[Phase::Stopping],
    guide: &["Terminating/存在 Finalizers"],
    page: Page {
        title: Text { en: "Finalizers hold the deleted pod", zh: "Finalizer 阻止 Pod 被删除" },
        what: Text {
            en: "A finalizer is a promise: some controller wants to clean up before the object goes, and takes its finalizer \
                 off when it has. Here the containers are gone and the object is only kept by finalizers. Either the owner is \
                 still at work, or it is not running any more, cannot reach what it must clean up, or has been uninstalled.",
            zh: "Finalizer 是一个约定：某个控制器要在对象删除前做清理，做完后移除自己的标识。现在容器都已结束，对象只是被 \
                 finalizer 留住：要么它的拥有者仍在清理，要么它已不再运行、够不到要清理的东西，或者已被卸载。",
        },
        tell: Text {
            en: "deletionTimestamp is set, metadata.finalizers is not empty, and the kubelet has done its last delete: grace \
                 period 0, or no container is left running. While containers run, the finalizer is not what it waits for.",
            zh: "deletionTimestamp 已设置，metadata.finalizers 不为空，而且 kubelet 已做完最后的删除：宽限期为 0，或没有容器在运行。 \
                 只要还有容器在运行，等待的就不是 finalizer。",
        },
        fix: Text {
            en: "Find the controller that owns the finalizer and see whether it runs and what it logs; once it works, the pod \
                 goes by itself. Only if it is gone for good take its finalizer off by hand: what it was to clean up then stays \
                 behind. Forcing the delete (--grace-period=0 --force) does not pass a finalizer.",
            zh: "找到拥有该 finalizer 的控制器，查看它是否在运行、日志说了什么；它恢复后 Pod 会自行消失。只有在它确实不再存在时才手动移除 \
                 finalizer：它本该清理的东西会留下。强制删除（--grace-period=0 --force）无法绕过 finalizer。",
        },
        sources: &["kubernetes.io/docs/concepts/overview/working-with-objects/finalizers"],
    },
    check,
};

/// A controller takes its finalizer off within seconds; what lasts longer is worth telling.
const NORMAL: SignedDuration = SignedDuration::from_secs(20);
/// Without seeing a finalizer: the kubelet's own cleaning up takes up to a minute.
const PATIENCE: SignedDuration = SignedDuration::from_secs(60);

fn check(facts: &Facts<'_>) -> Option<Finding> {
    let stopping = Stopping::of(facts)?;
    let pod = stopping.pod;
    let finalizers = pod.finalizers();
    // Where the kubelet has reported the end, its part is done.
    let is_over = matches!(pod.phase(), "Succeeded" | "Failed");
    if finalizers.is_empty() && is_over && facts.part() == Some(Part::Description) && stopping.overdue > PATIENCE {
        return not_printed(facts, &stopping);
    }
    if finalizers.is_empty() || stopping.overdue < NORMAL {
        return None;
    }
    // While containers run, the kubelet is not done: whatever keeps it from stopping them comes first.
    let kubelet_is_done = pod.meta().deletion_grace_period_seconds == Some(0)
        || pod.node_name().is_none()
        || matches!(pod.phase(), "Succeeded" | "Failed");
    if !kubelet_is_done && !stopping.all_ended {
        return None;
    }
    let names = finalizers.join(", ");
    let owners = owners(finalizers);
    let finding = if kubelet_is_done { Finding::confirmed(&CAUSE) } else { Finding::likely(&CAUSE) };
    finding
        .because([
            Evidence::field("pod.metadata.finalizers", &names, None),
            stopping.evidence(),
            Evidence::field("pod.status.phase", pod.phase(), None),
        ])
        .explains(&[
            "kubelet-not-acting",
            "volume-unmount-stuck",
            "sigterm-ignored",
            "pre-stop-hanging",
            "app-exit-error",
            "lifecycle-hook-failed",
        ])
        .says(
            format!("Only the finalizer `{names}` keeps the deleted pod; it is for {owners} to take off."),
            format!("Pod 已删除，只被 finalizer `{names}` 留住；应由 {owners} 移除。"),
        )
        .fix(
            Fix::safe(Words::new(
                format!("See whether {owners} runs and what it logs; when it works again the pod goes by itself."),
                format!("查看 {owners} 是否在运行、日志说了什么；它恢复后 Pod 会自行消失。"),
            ))
            .command(search(finalizers)),
        )
        .fix(
            Fix::careful(Words::new(
                format!(
                    "If that owner is gone for good, take exactly `{}` off; what it was to clean up stays behind.",
                    finalizers[0]
                ),
                format!("如果拥有者确实不再存在，只移除 `{}`；它本该清理的东西会留下。", finalizers[0]),
            ))
            .command(removal(pod, &finalizers[0])),
        )
        .remedy(Remedy::RemoveFinalizers)
        .some()
}

/// Everything has ended and the pod is still there. Describe does not print finalizers, but they would look like this.
fn not_printed(facts: &Facts<'_>, stopping: &Stopping<'_>) -> Option<Finding> {
    let pod = stopping.pod;
    if !stopping.all_ended || !stopping.node_is_fine(facts) && facts.node().present().is_some() {
        return None;
    }
    Finding::possible(&CAUSE)
        .because(pod.last_event(facts.world, "Killing").map(|event| event.evidence()))
        .because([Evidence::field("pod.status.phase", pod.phase(), None)])
        .says(
            format!("All containers of the deleted pod {} have ended; a finalizer may keep it, which describe does not print.", pod.name()),
            format!("已删除的 Pod {} 的容器都已结束；可能被 finalizer 留住，而 describe 不显示 finalizer。", pod.name()),
        )
        .fix(
            Fix::safe(Words::new("See whether it has finalizers.", "查看它是否有 finalizer。")).command(namespaced(
                pod.namespace(),
                &format!("get pod {} -o jsonpath='{{.metadata.finalizers}}'", quoted(pod.name())),
            )),
        )
        .some()
}

fn owners(finalizers: &[String]) -> String {
    let mut owners: Vec<String> = finalizers.iter().map(|finalizer| finalizer::owner(finalizer).name).collect();
    owners.dedup();
    owners.join(", ")
}

/// Looks for the owner by the word that its workloads are named by.
fn search(finalizers: &[String]) -> String {
    let first = finalizers.first().map(|first| finalizer::owner(first));
    let word = first.and_then(|owner| owner.words.into_iter().next()).unwrap_or_default();
    format!("kubectl get deployments,statefulsets,daemonsets -A | grep -i {}", quoted(&word))
}

/// The patch tests that the finalizer still stands there before it takes it off.
fn removal(pod: PodView<'_>, finalizer: &str) -> String {
    let patch = serde_json::json!([
        {"op": "test", "path": "/metadata/finalizers/0", "value": finalizer},
        {"op": "remove", "path": "/metadata/finalizers/0"},
    ]);
    namespaced(
        pod.namespace(),
        &format!("patch pod {} --type=json -p {}", quoted(pod.name()), quoted(&patch.to_string())),
    )
}

#[cfg(test)]
mod tests {
    use crate::diagnosis::causes::stopping::testing::{ENDED, RUNNING, ids, stopping};

    const FINALIZER: &str = ", finalizers: [backup.example.com/guard]";

    #[test]
    fn only_a_finalizer_is_left() {
        let yaml = stopping(FINALIZER, "", ENDED, "");
        assert_eq!(ids(&yaml, "10:05:00").first(), Some(&"finalizer-pending"));
    }

    #[test]
    fn a_running_container_is_what_it_waits_for() {
        let yaml = stopping(FINALIZER, "", RUNNING, "");
        assert!(!ids(&yaml, "10:05:00").contains(&"finalizer-pending"));
    }

    #[test]
    fn seconds_are_normal() {
        let yaml = stopping(FINALIZER, "", ENDED, "");
        assert!(!ids(&yaml, "10:00:40").contains(&"finalizer-pending"));
    }
}
