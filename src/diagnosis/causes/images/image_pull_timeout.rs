//! The pull is cut off by a deadline, or goes on for far too long.

use super::image_pull_queued::{ahead, pulling_since};
use super::pull::{self, Pull};
use crate::diagnosis::words::Words;
use crate::diagnosis::{Cause, Certainty, Finding, Fix, Page, Phase, Text, kubectl};
use crate::facts::Facts;
use crate::facts::reading::image::PullFailure;
use jiff::SignedDuration;

pub static CAUSE: Cause = Cause {
    id: "image-pull-timeout",
    phases: &[Phase::Images],
    guide: &["ImagePullBackOff/镜像拉取超时", "ContainerCreating/镜像太大，拉取超时"],
    page: Page {
        title: Text { en: "The pull takes too long and is cut off", zh: "镜像拉取超时" },
        what: Text {
            en: "The download makes no progress, or not enough before a deadline: a large image, a slow or overloaded registry or network. The runtime then gives up (containerd after image_pull_progress_timeout, 5 min; dockershim after --image-pull-progress-deadline, 1 min).",
            zh: "下载没有进展或在期限内未完成：镜像太大，仓库或网络太慢、过载。运行时随后放弃（containerd：image_pull_progress_timeout，默认 5 分钟；dockershim：--image-pull-progress-deadline，默认 1 分钟）。",
        },
        tell: Text {
            en: "`context canceled` or `context deadline exceeded` at a pull that nobody ended, `because of no progress`; or Pulling for more than ten minutes without Pulled. `dial tcp … i/o timeout` is registry-unreachable: there was no connection at all.",
            zh: "没有人中止拉取却出现 `context canceled`、`context deadline exceeded` 或 `because of no progress`；或者 Pulling 超过十分钟仍没有 Pulled。`dial tcp … i/o timeout` 属于无法访问仓库：根本没有建立连接。",
        },
        fix: Text {
            en: "Make the image smaller, bring the registry nearer (mirror, cache), or raise the runtime's deadline.",
            zh: "减小镜像体积，使用更近的镜像站或缓存，或调大运行时的超时时间。",
        },
        sources: &[
            "https://github.com/containerd/containerd/blob/main/docs/cri/config.md",
            "https://kubernetes.io/docs/concepts/containers/images/",
        ],
    },
    check,
};

/// A pull that goes on for longer than this is not normal, however large the image.
const TOO_LONG: SignedDuration = SignedDuration::from_mins(10);
/// From here on it is worth a word, though a large image may take as long.
const LONG: SignedDuration = SignedDuration::from_mins(5);

fn check(facts: &Facts<'_>) -> Option<Finding> {
    if let Some(pull) = pull::find(facts, |failure| failure == PullFailure::Stalled) {
        return Some(of_failure(facts, &pull));
    }
    let (container, event, since) = pulling_since(facts)?;
    // Behind others it is the queue that takes the time.
    if facts.since(since) < LONG || ahead(facts, since).is_some() {
        return None;
    }
    let (image, minutes) = (pull::plain(container.image()), facts.since(since).as_mins());
    let certainty = if facts.since(since) < TOO_LONG { Certainty::Possible } else { Certainty::Likely };
    let finding = Finding::new(&CAUSE, certainty).in_container(container).because([event.evidence()]).says(
        format!(
            "Node `{}` has been pulling image `{image}` for {minutes} min and is not through.",
            pull::node_name(facts)
        ),
        format!("节点 `{}` 拉取镜像 `{image}` 已 {minutes} 分钟，仍未完成。", pull::node_name(facts)),
    );
    Some(fixes(facts, finding))
}

fn of_failure(facts: &Facts<'_>, pull: &Pull<'_>) -> Finding {
    let (subject, registry) = (pull.subject(), pull.registry().to_owned());
    let no_progress = pull.text.contains("no progress");
    let finding = pull.finding(&CAUSE, if no_progress { Certainty::Confirmed } else { Certainty::Likely }).says(
        format!(
            "The pull of {} from `{registry}` makes no progress or takes too long, and is cut off each time.",
            subject.en
        ),
        format!("从 `{registry}` 拉取{}没有进展或耗时太长，每次都被中断。", subject.zh),
    );
    fixes(facts, finding)
}

fn fixes(facts: &Facts<'_>, finding: Finding) -> Finding {
    let node = pull::node_name(facts);
    finding
        .fix(
            Fix::safe(Words::new(
                format!("Watch the pull on node `{node}` (run this there): how fast is it, and is it this node only?"),
                format!("在节点 `{node}` 上观察拉取速度（在节点上执行）：是否只有该节点慢？"),
            ))
            .command("journalctl -u containerd --since -15min | grep -i pull"),
        )
        .fix(Fix::safe(Words::new(
            "See whether other pods of the node pull large images at the same time.",
            "查看同节点上是否有其他 Pod 同时在拉取大镜像。",
        ))
        .command(format!("kubectl get events -A --field-selector reason=Pulling | grep -F {}", kubectl::quoted("Pulling"))))
        .fix(Fix::careful(Words::new(
            "Make the image smaller, pull through a mirror near the nodes, or raise the deadline: containerd `image_pull_progress_timeout`, kubelet `--runtime-request-timeout` and (docker) `--image-pull-progress-deadline`.",
            "减小镜像、使用就近的镜像站，或调大超时：containerd `image_pull_progress_timeout`，kubelet `--runtime-request-timeout`，docker 时代的 `--image-pull-progress-deadline`。",
        )))
}

#[cfg(test)]
mod tests {
    use crate::diagnosis::Certainty;
    use crate::diagnosis::causes::images::pull::tests::answer;

    #[test]
    fn a_pull_that_nobody_cancelled() {
        let found = answer(
            "r.local/a:1",
            "rpc error: code = Canceled desc = failed to pull and unpack image \"r.local/a:1\": context canceled",
        );
        assert_eq!((found.cause.id, found.certainty), ("image-pull-timeout", Certainty::Likely));
    }

    #[test]
    fn no_connection_at_all_is_another_cause() {
        assert_eq!(answer("r.local/a:1", "dial tcp 10.0.0.1:443: i/o timeout").cause.id, "registry-unreachable");
    }
}
