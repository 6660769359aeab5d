//! The service account that the pod names does not exist.

use super::refused;
use crate::diagnosis::{Cause, Certainty, Finding, Fix, Page, Phase, Text, Words, kubectl};
use crate::facts::reading::admission::Refusal;
use crate::facts::{Evidence, Facts, PodView, Stage};

pub static CAUSE: Cause = Cause {
    id: "service-account-missing",
    phases: &[Phase::Admission],
    guide: &["Error/ServiceAccount"],
    page: Page {
        title: Text { en: "The service account does not exist", zh: "ServiceAccount 不存在" },
        what: Text {
            en: "Every pod runs as a service account of its namespace. The one that the template names was never made, was deleted, or is in another namespace; the API refuses the pod, or the kubelet cannot fetch a token for it.",
            zh: "每个 Pod 都以所在命名空间的一个 ServiceAccount 运行。模板中指定的账号从未创建、已被删除，或在其他命名空间；API 会拒绝创建 Pod，或 kubelet 无法为其获取令牌。",
        },
        tell: Text {
            en: "`error looking up service account ns/name: serviceaccount \"name\" not found` in FailedCreate; for a pod that is there `failed to fetch token: serviceaccounts \"name\" not found` in FailedMount.",
            zh: "FailedCreate 中为 `error looking up service account ns/name: serviceaccount \"name\" not found`；已存在的 Pod 则在 FailedMount 中为 `failed to fetch token: serviceaccounts \"name\" not found`。",
        },
        fix: Text {
            en: "Make the account (with its role bindings and pull secrets), or correct serviceAccountName in the workload.",
            zh: "创建该账号（以及角色绑定和镜像拉取凭据），或修正工作负载中的 serviceAccountName。",
        },
        sources: &["https://kubernetes.io/docs/concepts/security/service-accounts/"],
    },
    check,
};

fn check(facts: &Facts<'_>) -> Option<Finding> {
    match facts.pod() {
        Some(pod) => at_mount(facts, pod),
        None => at_creation(facts),
    }
}

fn at_creation(facts: &Facts<'_>) -> Option<Finding> {
    let refused = refused(facts)?;
    let workload = facts.workload();
    let (name, certainty) = match refused.refusal {
        Refusal::ServiceAccountMissing { name } => (name, Certainty::Confirmed),
        // The account may be there, and only the controller that signs its token not at work.
        Refusal::ServiceAccountToken => ("default", Certainty::Possible),
        _ => return None,
    };
    // It has been made since; the controller tries again within minutes.
    if certainty == Certainty::Confirmed
        && facts.world.service_accounts.get(&workload.namespace, name).present().is_some()
    {
        return None;
    }
    let namespace = workload.namespace.clone();
    finding(certainty, &namespace, name)
        .because(refused.evidence)
        .says(
            format!("{workload} cannot make its pods: service account {name} does not exist in namespace {namespace}."),
            format!("{workload} 无法创建 Pod：命名空间 {namespace} 中没有 ServiceAccount {name}。"),
        )
        .fix(correct(facts))
        .some()
}

fn at_mount(facts: &Facts<'_>, pod: PodView<'_>) -> Option<Finding> {
    if pod.stage() != Stage::Creating {
        return None;
    }
    let event = pod.events_seen(facts.world).filter(|event| event.reason == "FailedMount").last()?;
    let (_, rest) =
        event.text().split_once("serviceaccounts \"").or_else(|| event.text().split_once("serviceaccount \""))?;
    let (name, rest) = rest.split_once('"')?;
    if !rest.contains("not found") || facts.world.service_accounts.get(pod.namespace(), name).present().is_some() {
        return None;
    }
    finding(Certainty::Confirmed, pod.namespace(), name)
        .explains(&["volume-mount-failed"])
        .because([event.evidence()])
        .because([Evidence::field("pod.spec.serviceAccountName", name, None)])
        .says(
            format!(
                "Pod {} cannot start: its service account {name} does not exist in namespace {}.",
                pod.name(),
                pod.namespace()
            ),
            format!("Pod {} 无法启动：命名空间 {} 中没有 ServiceAccount {name}。", pod.name(), pod.namespace()),
        )
        .fix(correct(facts))
        .some()
}

fn finding(certainty: Certainty, namespace: &str, name: &str) -> Finding {
    Finding::new(&CAUSE, certainty)
        .fix(
            Fix::safe(Words::new("See which accounts there are.", "查看现有的 ServiceAccount。"))
                .command(kubectl::namespaced(namespace, "get serviceaccounts")),
        )
        .fix(
            Fix::careful(Words::new(
                "Make the account; it has no rights and no pull secrets until they are given to it.",
                "创建该账号；在授予之前它没有任何权限和镜像拉取凭据。",
            ))
            .command(kubectl::namespaced(namespace, &format!("create serviceaccount {}", kubectl::quoted(name)))),
        )
}

fn correct(facts: &Facts<'_>) -> Fix {
    let workload = facts.workload();
    Fix::careful(Words::new(
        format!("Or correct serviceAccountName in {workload}."),
        format!("或修正 {workload} 中的 serviceAccountName。"),
    ))
    .command(kubectl::edit(&workload))
}

#[cfg(test)]
mod tests {
    use crate::diagnosis::Certainty;
    use crate::diagnosis::testing::{diagnose_in, world};

    const SET: &str = r#"
apiVersion: apps/v1
kind: ReplicaSet
metadata: {name: api-1, namespace: prod}
spec: {replicas: 1, selector: {}}
status:
  replicas: 0
  conditions: [{type: ReplicaFailure, status: 'True', reason: FailedCreate, message: 'pods "api-1-" is forbidden: error looking up service account prod/bot: serviceaccount "bot" not found'}]
"#;

    #[test]
    fn names_the_account() {
        let diagnosis = diagnose_in(&world(SET), "prod/ReplicaSet/api-1", "2026-01-01T00:05:00Z");
        let answer = diagnosis.answer().unwrap();
        assert_eq!((answer.cause.id, answer.certainty), ("service-account-missing", Certainty::Confirmed));
        assert!(answer.summary.en.contains("service account bot does not exist in namespace prod"));
    }

    #[test]
    fn an_account_that_was_made_since_is_not_missing() {
        let yaml =
            format!("{SET}---\napiVersion: v1\nkind: ServiceAccount\nmetadata: {{name: bot, namespace: prod}}\n");
        let diagnosis = diagnose_in(&world(&yaml), "prod/ReplicaSet/api-1", "2026-01-01T00:05:00Z");
        assert!(diagnosis.findings.iter().all(|finding| finding.cause.id != "service-account-missing"));
    }
}
