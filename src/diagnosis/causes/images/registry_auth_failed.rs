//! The registry refuses the pull: no credential, a wrong one, or one without the right.

use super::pull::{self, Pull};
use crate::diagnosis::words::Words;
use crate::diagnosis::{Cause, Certainty, Finding, Fix, Page, Phase, Text, kubectl};
use crate::facts::reading::image::{Auth, PullFailure};
use crate::facts::reading::text::between;
use crate::facts::{Evidence, Facts};

pub static CAUSE: Cause = Cause {
    id: "registry-auth-failed",
    phases: &[Phase::Images],
    guide: &[
        "ImagePullBackOff/私有镜像仓库认证失败",
        "ContainerCreating/拉取私有镜像的 imagePullSecret 没有配置或配置有误",
    ],
    page: Page {
        title: Text { en: "The registry refuses the credentials", zh: "私有镜像仓库认证失败" },
        what: Text {
            en: "The image is private, and the pod brought no pull secret, a wrong or expired one, one for another host, or one whose account may not read this repository. Pull secrets are looked up in the pod's own namespace only.",
            zh: "镜像是私有的，而 Pod 没有配置拉取凭据，或凭据错误、过期、对应别的仓库地址、账号无权读取该仓库。拉取凭据只在 Pod 所在的命名空间中查找。",
        },
        tell: Text {
            en: "`failed to fetch anonymous token`, `no basic auth credentials`: no secret was used. `failed to fetch oauth token … 401`: one was used and refused. Event FailedToRetrieveImagePullSecret: the secret does not exist. `pull access denied, repository does not exist or may require …`: the registry does not say whether the repository exists.",
            zh: "`failed to fetch anonymous token`、`no basic auth credentials`：没有使用凭据。`failed to fetch oauth token … 401`：凭据被拒绝。事件 FailedToRetrieveImagePullSecret：凭据 Secret 不存在。`pull access denied, repository does not exist or may require …`：仓库不说明镜像是否存在。",
        },
        fix: Text {
            en: "Create the pull secret (type kubernetes.io/dockerconfigjson, same namespace, same host) and name it in the pod or its service account.",
            zh: "创建拉取凭据（类型 kubernetes.io/dockerconfigjson，同一命名空间，仓库地址一致），并在 Pod 或其 ServiceAccount 中引用。",
        },
        sources: &[
            "https://kubernetes.io/docs/tasks/configure-pod-container/pull-image-private-registry/",
            "https://kubernetes.io/docs/concepts/containers/images/#using-a-private-registry",
        ],
    },
    check,
};

fn check(facts: &Facts<'_>) -> Option<Finding> {
    let pull = pull::find(facts, |failure| matches!(failure, PullFailure::Auth(_)))?;
    let PullFailure::Auth(auth) = pull.failure else { return None };
    let secrets = pull::pull_secrets(facts);
    let missing = missing_secrets(facts);
    let certainty = if missing.is_some() {
        Certainty::Confirmed
    } else {
        match auth {
            // Docker Hub keeps no private images without a namespace: the near miss is image-not-found.
            Auth::DeniedOrMissing if library_image(&pull) && secrets.is_empty() => Certainty::Possible,
            Auth::DeniedOrMissing => Certainty::Likely,
            // A bare 403 may also be the registry's own trouble, a mirror's rule or a border.
            Auth::Denied if secrets.is_empty() => Certainty::Likely,
            Auth::Anonymous if hides_what_is_missing(pull.registry()) => Certainty::Likely,
            Auth::Anonymous | Auth::Refused | Auth::Denied => Certainty::Confirmed,
        }
    };
    let (subject, registry) = (pull.subject(), pull.registry().to_owned());
    let listed = pull::plain(&secrets.join(", "));
    let (why_en, why_zh) = match (&missing, auth) {
        (Some((names, _)), _) => (
            format!("the pull secret `{names}` that the pod names does not exist in namespace `{}`", facts.namespace()),
            format!("Pod 引用的拉取凭据 `{names}` 在命名空间 `{}` 中不存在", facts.namespace()),
        ),
        (None, Auth::Refused) => (
            format!("the credentials it was given are wrong or have expired{}", in_brackets(&listed)),
            format!("凭据错误或已过期{}", in_brackets(&listed)),
        ),
        (None, _) if secrets.is_empty() => (
            "neither the pod nor its service account is seen to name a pull secret".to_owned(),
            "Pod 和它的 ServiceAccount 都没有配置拉取凭据".to_owned(),
        ),
        (None, Auth::Anonymous) => (
            format!("none of the pull secrets (`{listed}`) is for this registry"),
            format!("拉取凭据（`{listed}`）都不是用于该仓库的"),
        ),
        (None, _) => {
            (format!("the pull secrets (`{listed}`) do not let it in"), format!("拉取凭据（`{listed}`）没有权限"))
        }
    };
    let (or_en, or_zh) = if auth == Auth::DeniedOrMissing || (auth == Auth::Anonymous && certainty == Certainty::Likely)
    {
        (
            " This registry answers the same where the repository does not exist, so check the name too.",
            "该仓库对不存在的镜像也会这样回答，请同时核对镜像名称。",
        )
    } else {
        ("", "")
    };
    let named = secrets.first().copied().unwrap_or("regcred");
    let finding = pull
        .finding(&CAUSE, certainty)
        .because(missing.map(|(_, evidence)| evidence))
        .explains(&["secret-missing"])
        .says(
            format!("Registry `{registry}` refuses to hand out {}: {why_en}.{or_en}", subject.en),
            format!("镜像仓库 `{registry}` 拒绝提供{}：{why_zh}。{or_zh}", subject.zh),
        )
        .fix(
            Fix::careful(Words::new(
                "Make the pull secret in the pod's namespace (delete a wrong one of that name first).",
                "在 Pod 的命名空间中创建拉取凭据（如已有同名的错误凭据，先删除）。",
            ))
            .command(kubectl::namespaced(
                facts.namespace(),
                &format!(
                    "create secret docker-registry {} --docker-server={} --docker-username=USER --docker-password=TOKEN",
                    kubectl::quoted(named),
                    kubectl::quoted(server(&registry))
                ),
            )),
        );
    if secrets.is_empty() && pull.container.is_some() {
        return Some(
            finding.fix(
                Fix::careful(Words::new(
                    "Name it in the workload's imagePullSecrets. The change replaces the pods.",
                    "在工作负载的 imagePullSecrets 中引用该凭据。修改会替换 Pod。",
                ))
                .command(kubectl::edit(&facts.workload())),
            ),
        );
    }
    finding
        .fix(
            Fix::careful(Words::new(
                "Then let the pod start anew: pull secrets are read at each try.",
                "之后可删除 Pod 以立即重试；每次拉取都会重新读取凭据。",
            ))
            .command(kubectl::delete_pod(facts)),
        )
        .some()
}

/// Returns the pull secrets that do not exist: by the kubelet's event (≥1.28), else by the Secrets that were read.
fn missing_secrets(facts: &Facts<'_>) -> Option<(String, Evidence)> {
    let pod = facts.pod()?;
    if let Some(event) = pod.last_event(facts.world, "FailedToRetrieveImagePullSecret") {
        let names = between(event.text(), "pull secrets (", ")").unwrap_or("?");
        return Some((pull::plain(names), event.evidence()));
    }
    let named = pod.spec()?.image_pull_secrets.as_ref()?;
    let gone = named.iter().find(|secret| facts.world.secrets.get(pod.namespace(), &secret.name).is_absent())?;
    Some((pull::plain(&gone.name), Evidence::field("pod.spec.imagePullSecrets", &gone.name, None)))
}

fn library_image(pull: &Pull<'_>) -> bool {
    let name = crate::facts::reading::image::repository(&pull.image);
    pull.registry() == "docker.io"
        && !name.trim_start_matches("docker.io/").trim_start_matches("library/").contains('/')
}

/// Registries that answer a missing repository as they answer a private one.
fn hides_what_is_missing(registry: &str) -> bool {
    matches!(registry, "docker.io" | "ghcr.io" | "quay.io" | "gcr.io" | "registry.gitlab.com")
        || registry.ends_with(".gcr.io")
}

/// Docker Hub's credentials stand under its old address.
fn server(registry: &str) -> &str {
    if registry == "docker.io" { "https://index.docker.io/v1/" } else { registry }
}

fn in_brackets(names: &str) -> String {
    if names.is_empty() { String::new() } else { format!(" (`{names}`)") }
}

#[cfg(test)]
mod tests {
    use crate::diagnosis::causes::images::pull::tests::{answer, waiting};
    use crate::diagnosis::{Certainty, testing};

    #[test]
    fn an_anonymous_pull_and_a_refused_credential() {
        let anonymous = answer(
            "r.local/a:1",
            "failed to authorize: failed to fetch anonymous token: unexpected status: 401 Unauthorized",
        );
        assert_eq!((anonymous.cause.id, anonymous.certainty), ("registry-auth-failed", Certainty::Confirmed));
        let refused = answer(
            "r.local/a:1",
            "failed to authorize: failed to fetch oauth token: unexpected status: 401 Unauthorized",
        );
        assert!(refused.summary.en.contains("wrong or have expired"), "{}", refused.summary.en);
    }

    #[test]
    fn a_registry_that_hides_what_is_missing_leaves_a_doubt() {
        let found = answer(
            "ghcr.io/a/b:1",
            "failed to authorize: failed to fetch anonymous token: unexpected status: 403 Forbidden",
        );
        assert_eq!((found.cause.id, found.certainty), ("registry-auth-failed", Certainty::Likely));
    }

    #[test]
    fn a_missing_pull_secret_is_named() {
        let yaml = waiting(
            "r.local/a:1",
            "ErrImagePull",
            "pulling from host r.local failed with status code [manifests 1]: 401 Unauthorized",
        ) + "
---
apiVersion: v1
kind: Event
metadata: {name: e1, namespace: shop}
involvedObject: {kind: Pod, namespace: shop, name: web, uid: u1}
reason: FailedToRetrieveImagePullSecret
type: Warning
message: 'Unable to retrieve some image pull secrets (regcred); attempting to pull the image may not succeed.'
lastTimestamp: '2026-01-01T10:01:00Z'
";
        let diagnosis = testing::diagnose_pod(&yaml, "shop/web", "2026-01-01T10:10:00Z");
        let found = diagnosis.answer().unwrap();
        assert_eq!((found.cause.id, found.certainty), ("registry-auth-failed", Certainty::Confirmed));
        assert!(found.summary.en.contains("`regcred`"), "{}", found.summary.en);
    }

    #[test]
    fn a_missing_tag_behind_a_good_credential_is_another_cause() {
        let text = "[rpc error: code = Unknown desc = failed to fetch anonymous token: unexpected status: 401 Unauthorized, rpc error: code = NotFound desc = r.local/a:1: not found]";
        assert_eq!(answer("r.local/a:1", text).cause.id, "image-not-found");
    }
}
