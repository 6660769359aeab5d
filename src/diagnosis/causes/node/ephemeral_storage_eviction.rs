//! Evicted for passing its own limit of local storage.

use crate::diagnosis::cause::{Cause, Page, Phase};
use crate::diagnosis::finding::{Finding, Fix, Remedy};
use crate::diagnosis::kubectl::{delete_pod, edit};
use crate::diagnosis::words::{Text, Words};
use crate::facts::Facts;

pub static CAUSE: Cause = Cause {
    id: "ephemeral-storage-eviction",
    phases: &[Phase::Node],
    guide: &[],
    page: Page {
        title: Text { en: "Evicted: over its own storage limit", zh: "被驱逐：超过自身存储限制" },
        what: Text {
            en: "What containers write to their own file system, to their logs and to emptyDirs counts as ephemeral storage. Past \
                 the container's limit, the sum of the pod's limits, or an emptyDir's sizeLimit the kubelet evicts the pod, \
                 however much room the node has. A limit on one container (a sidecar) limits the pod as a whole.",
            zh: "容器写入自身文件系统、日志和 emptyDir 的数据都算临时存储。超过容器限制、Pod 限制之和或 emptyDir 的 sizeLimit 时，无论节点还有多少 \
                 空间，kubelet 都会驱逐 Pod。只给一个容器（如 sidecar）设限，会限制整个 Pod。",
        },
        tell: Text {
            en: "status.reason Evicted and a message that names the limit that was passed; no DisruptionTarget condition.",
            zh: "status.reason 为 Evicted，消息指出被超过的限制；没有 DisruptionTarget 条件。",
        },
        fix: Text {
            en: "Find what writes (logs, caches, temporary files), move it to a volume, or raise the limit that the message names.",
            zh: "找出写入来源（日志、缓存、临时文件），改写到卷中，或调高消息所指的限制。",
        },
        sources: &["kubernetes/kubernetes pkg/kubelet/eviction/eviction_manager.go"],
    },
    check,
};

fn check(facts: &Facts<'_>) -> Option<Finding> {
    let pod = facts.pod().filter(|pod| pod.reason() == "Evicted")?;
    let message = pod.message();
    let own = message.contains("exceeds the limit")
        || message.contains("exceeded its local ephemeral storage limit")
        || message.contains("exceeds the total limit of containers");
    if !own {
        return None;
    }
    let quoted: Vec<&str> = message.split('"').skip(1).step_by(2).collect();
    let (en, zh) = if message.contains("EmptyDir") {
        let (volume, limit) = (quoted.first().unwrap_or(&"?"), quoted.get(1).unwrap_or(&"?"));
        (
            format!("The emptyDir `{volume}` grew past its sizeLimit of {limit}."),
            format!("emptyDir `{volume}` 超过了 sizeLimit {limit}。"),
        )
    } else if message.contains("total limit") {
        let limit = message.split("containers ").nth(1).map_or("?", |rest| rest.trim().trim_end_matches('.'));
        (
            format!(
                "The pod's local storage passed {limit}, the sum of its containers' limits (one container's limit counts for all)."
            ),
            format!("Pod 的本地存储超过了 {limit}，即各容器限制之和（只有一个容器设限也算整个 Pod）。"),
        )
    } else {
        let limit = quoted.first().unwrap_or(&"?");
        let container = message.split("Container ").nth(1).and_then(|rest| rest.split(' ').next()).unwrap_or("?");
        (
            format!("Container `{container}` wrote more than its ephemeral storage limit of {limit}."),
            format!("容器 `{container}` 写入超过了临时存储限制 {limit}。"),
        )
    };
    Finding::confirmed(&CAUSE)
        .because(pod.reason_evidence())
        .explains(&["system-oom", "killed-by-outsider", "app-exit-error", "container-disk-full"])
        .says(en, zh)
        .fix(Fix::safe(Words::new(
            "Find what writes: logs, caches, temporary files; move it to a volume.",
            "找出写入来源：日志、缓存、临时文件；改写到卷中。",
        )))
        .fix(
            Fix::careful(Words::new("Raise the limit that the message names.", "调高消息所指的限制。"))
                .command(edit(&facts.workload())),
        )
        .fix(
            Fix::careful(Words::new(
                "Delete the leftover once its replacement runs.",
                "替代的 Pod 运行后删除遗留对象。",
            ))
            .command(delete_pod(facts)),
        )
        .remedy(Remedy::DeleteFailedPods)
        .some()
}

#[cfg(test)]
mod tests {
    use crate::diagnosis::causes::node::testing::{FINE, ids, on_node};

    #[test]
    fn each_of_the_three_limits() {
        for message in [
            r#"Usage of EmptyDir volume \"tmp\" exceeds the limit \"1Gi\". "#,
            r#"Pod ephemeral local storage usage exceeds the total limit of containers 100Mi. "#,
            r#"Container app exceeded its local ephemeral storage limit \"2Gi\". "#,
        ] {
            let yaml = on_node("", &format!(r#"phase: Failed, reason: Evicted, message: "{message}""#), FINE);
            assert_eq!(ids(&yaml).first(), Some(&"ephemeral-storage-eviction"), "{message}");
        }
    }

    #[test]
    fn a_node_that_was_low_is_another_cause() {
        let yaml = on_node(
            "",
            r#"phase: Failed, reason: Evicted, message: "The node was low on resource: ephemeral-storage.""#,
            FINE,
        );
        assert_eq!(ids(&yaml).first(), Some(&"node-pressure-eviction"));
    }
}
