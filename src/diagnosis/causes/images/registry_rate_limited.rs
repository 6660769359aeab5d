//! The registry refuses further pulls for a while (429).

use super::pull;
use crate::diagnosis::words::Words;
use crate::diagnosis::{Cause, Certainty, Finding, Fix, Page, Phase, Text, kubectl};
use crate::facts::Facts;
use crate::facts::reading::image::PullFailure;

pub static CAUSE: Cause = Cause {
    id: "registry-rate-limited",
    phases: &[Phase::Images],
    guide: &[],
    page: Page {
        title: Text { en: "The registry's pull limit is reached", zh: "镜像仓库限流" },
        what: Text {
            en: "The registry counts pulls by address or account and answers 429 until its window is over. Nodes behind one address share the limit for anonymous pulls.",
            zh: "镜像仓库按地址或账号统计拉取次数，超限后返回 429，直到时间窗口结束。共用一个出口地址的节点共享匿名拉取额度。",
        },
        tell: Text {
            en: "`429 Too Many Requests` or `toomanyrequests`. Not this: `pull QPS exceeded`, the kubelet's own limit.",
            zh: "`429 Too Many Requests` 或 `toomanyrequests`。注意：`pull QPS exceeded` 是 kubelet 自身的限制。",
        },
        fix: Text {
            en: "Pull with an account, through a mirror or a cache; or wait for the window to end.",
            zh: "使用账号拉取，或使用镜像加速、缓存；或等待窗口结束。",
        },
        sources: &["https://docs.docker.com/docker-hub/usage/pulls/"],
    },
    check,
};

fn check(facts: &Facts<'_>) -> Option<Finding> {
    let pull = pull::find(facts, |failure| failure == PullFailure::RateLimited)?;
    let (subject, registry) = (pull.subject(), pull.registry().to_owned());
    let anonymous = pull.container.is_some() && pull::pull_secrets(facts).is_empty();
    let (en, zh) = if anonymous {
        (" The pod names no pull secret, so it counts as anonymous.", "Pod 没有配置拉取凭据，按匿名计数。")
    } else {
        ("", "")
    };
    pull.finding(&CAUSE, Certainty::Confirmed).shares("registry", "", pull.registry())
        .says(
            format!("Registry `{registry}` refuses further pulls for now (429), so {} is not fetched.{en}", subject.en),
            format!("镜像仓库 `{registry}` 限流（429），无法拉取{}。{zh}", subject.zh),
        )
        .fix(Fix::safe(Words::new(
            "Wait: the kubelet tries again at least every five minutes and succeeds when the registry's window is over.",
            "等待：kubelet 至少每五分钟重试一次，窗口结束后即可成功。",
        )))
        .fix(
            Fix::careful(Words::new(
                "Pull with an account: make a pull secret, and name it in the pod's imagePullSecrets or its service account.",
                "使用账号拉取：创建拉取凭据，并在 Pod 的 imagePullSecrets 或其 ServiceAccount 中引用。",
            ))
            .command(kubectl::namespaced(
                facts.namespace(),
                &format!("create secret docker-registry regcred --docker-server={} --docker-username=USER --docker-password=TOKEN", kubectl::quoted(&registry)),
            )),
        )
        .fix(Fix::careful(Words::new(
            "For good: a pull-through cache or mirror, set in the runtime's registry settings of the nodes.",
            "长期方案：在节点运行时的仓库配置中使用缓存或镜像站。",
        )))
        .some()
}

#[cfg(test)]
mod tests {
    use crate::diagnosis::Certainty;
    use crate::diagnosis::causes::images::pull::tests::answer;

    #[test]
    fn four_hundred_twenty_nine_in_both_wordings() {
        for text in [
            "pulling from host r.local failed with status code [manifests 1.0]: 429 Too Many Requests",
            "toomanyrequests: You have reached your unauthenticated pull rate limit. https://www.docker.com/increase-rate-limit",
        ] {
            let found = answer("r.local/a:1", text);
            assert_eq!((found.cause.id, found.certainty), ("registry-rate-limited", Certainty::Confirmed));
        }
    }

    #[test]
    fn the_kubelets_own_limit_is_another_cause() {
        assert_eq!(answer("r.local/a:1", "pull QPS exceeded").cause.id, "image-pull-queued");
    }
}
