//! An admission webhook cannot be reached, and nothing is made without its word.

use super::refused;
use crate::diagnosis::{Cause, Finding, Fix, Page, Phase, Text, Words, kubectl};
use crate::facts::evidence::shorten;
use crate::facts::reading::admission::Refusal;
use crate::facts::{Evidence, Facts};

pub static CAUSE: Cause = Cause {
    id: "admission-webhook-down",
    phases: &[Phase::Admission],
    guide: &[],
    page: Page {
        title: Text { en: "An admission webhook cannot be reached", zh: "准入 webhook 无法访问" },
        what: Text {
            en: "The API must ask a webhook before it makes the pod, and gets no answer: its pods do not run, its service or certificate is wrong, or the network is in the way. With failurePolicy Fail nothing that it covers can be made. If it covers its own pods, it cannot come back by itself.",
            zh: "API 在创建 Pod 前必须询问 webhook，但得不到答复：其 Pod 没有运行、Service 或证书有误、网络不通。failurePolicy 为 Fail 时它所覆盖的对象都无法创建；如果它也覆盖自己的 Pod，就无法自行恢复。",
        },
        tell: Text {
            en: "`failed calling webhook \"w\": failed to call webhook: Post …: <network error>`. What follows tells: no endpoints, connection refused, deadline exceeded, x509, service not found.",
            zh: "报错为 `failed calling webhook \"w\": failed to call webhook: Post …: <网络错误>`，其后说明具体原因：no endpoints、connection refused、deadline exceeded、x509、service not found 等。",
        },
        fix: Text {
            en: "Bring the webhook's server back. As a stopgap exclude its namespace from the webhook, or remove the configuration if the product is gone; failurePolicy Ignore switches the policy off.",
            zh: "恢复 webhook 的服务端。应急办法：把其命名空间排除在外；如果产品已卸载则删除残留的配置；failurePolicy 改为 Ignore 等于关闭该策略。",
        },
        sources: &["https://kubernetes.io/docs/concepts/cluster-administration/admission-webhooks-good-practices/"],
    },
    check,
};

fn check(facts: &Facts<'_>) -> Option<Finding> {
    let refused = refused(facts)?;
    let (webhook, problem) = match refused.refusal {
        Refusal::WebhookDown { webhook, problem } => (webhook, problem),
        Refusal::ApiTrouble(text) if text.contains("did not complete within requested timeout") => {
            return uses_up_the_time(facts, text, refused.evidence);
        }
        _ => return None,
    };
    let workload = facts.workload();
    let configuration = configuration(facts, webhook);
    let problem = shorten(problem.trim_start_matches("failed to call webhook: "), 240);
    let (served, served_zh) = match configuration.as_ref().and_then(|found| found.service.as_ref()) {
        Some((namespace, name)) => (format!(" (service {namespace}/{name})"), format!("（服务 {namespace}/{name}）")),
        None => (String::new(), String::new()),
    };
    let own = configuration.as_ref().and_then(|found| found.service.as_ref()).is_some_and(|(namespace, name)| {
        *namespace == workload.namespace
            && (workload.name.starts_with(name.as_str()) || name.starts_with(&workload.name))
    });
    let mut finding = Finding::confirmed(&CAUSE).shares("webhook", "", webhook).because(refused.evidence).because(
        configuration.as_ref().map(|found| {
            Evidence::field(
                format!("{} {}.webhooks[{webhook}].failurePolicy", found.kind, found.name),
                &found.policy,
                None,
            )
        }),
    );
    let (loops, loops_zh) = if own {
        (
            "; these pods are the ones that serve it, so it cannot come back by itself",
            "；而这些 Pod 正是提供该 webhook 的服务端，无法自行恢复",
        )
    } else {
        ("", "")
    };
    finding = finding.says(
        format!("{workload} cannot make its pods: webhook {webhook}{served} cannot be reached{loops}: {problem}"),
        format!("{workload} 无法创建 Pod：webhook {webhook}{served_zh}无法访问{loops_zh}：{problem}"),
    );
    if let Some((namespace, name)) = configuration.as_ref().and_then(|found| found.service.clone()) {
        finding = finding.fix(
            Fix::safe(Words::new(
                "See whether the webhook's server runs and has endpoints.",
                "查看 webhook 服务端是否运行、是否有 endpoints。",
            ))
            .command(kubectl::namespaced(
                &namespace,
                &format!("get service,endpointslices,pods | grep -i {}", kubectl::quoted(&name)),
            )),
        );
    } else {
        finding = finding.fix(
            Fix::safe(Words::new(
                "Find the webhook's configuration and its server.",
                "查找该 webhook 的配置与服务端。",
            ))
            .command(format!(
                "kubectl get validatingwebhookconfigurations,mutatingwebhookconfigurations -o yaml | grep -A 12 {}",
                kubectl::quoted(webhook)
            )),
        );
    }
    if let Some(found) = &configuration {
        finding = finding.fix(
            Fix::dangerous(Words::new(
                "Stopgap: exclude the namespace of its own server (namespaceSelector), or delete the configuration if the product is gone. What the webhook guards is unguarded then.",
                "应急：用 namespaceSelector 排除其服务端所在的命名空间；如果产品已卸载则删除该配置。之后它所保护的内容不再受保护。",
            ))
            .command(format!("kubectl edit {} {}", found.kind, kubectl::quoted(&found.name))),
        );
    }
    finding.some()
}

/// A webhook that fails open takes its whole time first. Where it has as much as the request, the request is over before
/// it is passed by, and the refusal names nobody. That the API server itself is slow looks the same: never sure.
fn uses_up_the_time(facts: &Facts<'_>, problem: &str, said: Vec<Evidence>) -> Option<Finding> {
    let of_pods = |rules: &Option<Vec<k8s_openapi::api::admissionregistration::v1::RuleWithOperations>>| {
        rules.iter().flatten().any(|rule| rule.resources.iter().flatten().any(|kind| kind == "pods" || kind == "*"))
    };
    let mutating = facts.world.mutating_webhooks.seen().flat_map(|object| object.webhooks.iter().flatten());
    let validating = facts.world.validating_webhooks.seen().flat_map(|object| object.webhooks.iter().flatten());
    let mut names: Vec<&str> = mutating
        .filter(|hook| of_pods(&hook.rules))
        .map(|hook| hook.name.as_str())
        .chain(validating.filter(|hook| of_pods(&hook.rules)).map(|hook| hook.name.as_str()))
        .collect();
    names.sort_unstable();
    let name = names.first()?;
    let (workload, problem, names) = (facts.workload(), shorten(problem, 160), names.join(", "));
    Finding::possible(&CAUSE)
        .because(said)
        .says(
            format!("{workload} cannot make its pods: the request ran out of time ({problem}), mostly for a webhook that does not answer; asked for pods: {names}."),
            format!("{workload} 无法创建 Pod：请求超时（{problem}），多半是某个 webhook 没有应答；创建 Pod 时会询问：{names}。"),
        )
        .fix(
            Fix::safe(Words::new(
                "See which service the webhook needs, and whether that has endpoints.",
                "查看该 webhook 所用的 Service 以及它是否有 endpoints。",
            ))
            .command(format!(
                "kubectl get validatingwebhookconfigurations,mutatingwebhookconfigurations -o yaml | grep -A 12 {}",
                kubectl::quoted(name)
            )),
        )
        .some()
}

struct Configuration {
    kind: &'static str,
    name: String,
    /// Namespace and name of its service; `None` = a URL outside.
    service: Option<(String, String)>,
    policy: String,
}

fn configuration(facts: &Facts<'_>, webhook: &str) -> Option<Configuration> {
    let service = |reference: &k8s_openapi::api::admissionregistration::v1::WebhookClientConfig| {
        reference.service.as_ref().map(|service| (service.namespace.clone(), service.name.clone()))
    };
    let validating = facts.world.validating_webhooks.seen().find_map(|object| {
        let hook = object.webhooks.iter().flatten().find(|hook| hook.name == webhook)?;
        Some(Configuration {
            kind: "validatingwebhookconfiguration",
            name: object.metadata.name.clone().unwrap_or_default(),
            service: service(&hook.client_config),
            policy: hook.failure_policy.clone().unwrap_or_else(|| "Fail".to_owned()),
        })
    });
    validating.or_else(|| {
        facts.world.mutating_webhooks.seen().find_map(|object| {
            let hook = object.webhooks.iter().flatten().find(|hook| hook.name == webhook)?;
            Some(Configuration {
                kind: "mutatingwebhookconfiguration",
                name: object.metadata.name.clone().unwrap_or_default(),
                service: service(&hook.client_config),
                policy: hook.failure_policy.clone().unwrap_or_else(|| "Fail".to_owned()),
            })
        })
    })
}

#[cfg(test)]
mod tests {
    use crate::diagnosis::Certainty;
    use crate::diagnosis::testing::{diagnose_in, world};

    fn set(message: &str) -> String {
        format!(
            r#"
apiVersion: apps/v1
kind: ReplicaSet
metadata: {{name: policy-server-1, namespace: guard}}
spec: {{replicas: 1, selector: {{}}}}
status:
  replicas: 0
  conditions: [{{type: ReplicaFailure, status: 'True', reason: FailedCreate, message: '{message}'}}]
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata: {{name: guard}}
webhooks: [{{name: w.example, sideEffects: None, admissionReviewVersions: [v1], failurePolicy: Fail, clientConfig: {{service: {{namespace: guard, name: policy-server}}}}}}]
"#
        )
    }

    #[test]
    fn says_when_it_guards_its_own_server() {
        let yaml = set(
            r#"Internal error occurred: failed calling webhook "w.example": failed to call webhook: Post "https://policy-server.guard.svc:443/": no endpoints available for service "policy-server""#,
        );
        let diagnosis = diagnose_in(&world(&yaml), "guard/ReplicaSet/policy-server-1", "2026-01-01T00:05:00Z");
        let answer = diagnosis.answer().unwrap();
        assert_eq!((answer.cause.id, answer.certainty), ("admission-webhook-down", Certainty::Confirmed));
        assert!(answer.summary.en.contains("cannot come back by itself"), "{}", answer.summary.en);
    }

    #[test]
    fn one_that_answers_no_is_another_cause() {
        let yaml = set(r#"admission webhook "w.example" denied the request: no"#);
        let diagnosis = diagnose_in(&world(&yaml), "guard/ReplicaSet/policy-server-1", "2026-01-01T00:05:00Z");
        assert_eq!(diagnosis.answer().unwrap().cause.id, "admission-webhook-denied");
    }

    #[test]
    fn a_request_that_ran_out_of_time_is_held_against_the_webhooks_of_pods() {
        const HOOK: &str = "apiVersion: admissionregistration.k8s.io/v1\nkind: MutatingWebhookConfiguration\nmetadata: {name: w}\nwebhooks:\n- {name: w.example.com, admissionReviewVersions: [v1], sideEffects: None, failurePolicy: Ignore, clientConfig: {url: 'https://x'}, rules: [{apiGroups: [''], apiVersions: [v1], operations: [CREATE], resources: [RESOURCE]}]}\n";
        let refused = set("Timeout: request did not complete within requested timeout context deadline exceeded");
        let told = |resource: &str| {
            let yaml = format!("{refused}\n---\n{}", HOOK.replace("RESOURCE", resource));
            let diagnosis = diagnose_in(&world(&yaml), "guard/ReplicaSet/policy-server-1", "2026-01-01T00:05:00Z");
            diagnosis.answer().map(|answer| (answer.cause.id, answer.certainty))
        };
        assert_eq!(told("pods"), Some(("admission-webhook-down", Certainty::Possible)));
        assert_eq!(told("services"), None);
    }
}
