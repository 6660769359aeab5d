//! An admission webhook or a policy says no.

use super::refused;
use crate::diagnosis::{Cause, Certainty, Finding, Fix, Page, Phase, Text, Words, kubectl};
use crate::facts::Facts;
use crate::facts::evidence::shorten;
use crate::facts::reading::admission::Refusal;

pub static CAUSE: Cause = Cause {
    id: "admission-webhook-denied",
    phases: &[Phase::Admission],
    guide: &[],
    page: Page {
        title: Text { en: "A policy says no", zh: "准入 webhook 或策略拒绝" },
        what: Text {
            en: "A validating webhook (Kyverno, Gatekeeper, a company's own) or a ValidatingAdmissionPolicy looked at the pod and refused it: a missing label, a registry that is not allowed, a setting that is forbidden.",
            zh: "验证型 webhook（Kyverno、Gatekeeper 或自研）或 ValidatingAdmissionPolicy 检查后拒绝了该 Pod：缺少标签、镜像仓库不被允许、使用了禁止的设置等。",
        },
        tell: Text {
            en: "`admission webhook \"w\" denied the request: …` or `ValidatingAdmissionPolicy 'p' with binding 'b' denied request: …`. The policy's own words follow. A webhook that cannot be reached is another cause.",
            zh: "报错为 `admission webhook \"w\" denied the request: …` 或 `ValidatingAdmissionPolicy 'p' with binding 'b' denied request: …`，其后是策略的说明。webhook 无法访问属于另一原因。",
        },
        fix: Text {
            en: "Give the workload what the policy asks for, or ask its owners for an exception.",
            zh: "按策略要求修改工作负载，或向策略的管理者申请例外。",
        },
        sources: &["https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/"],
    },
    check,
};

fn check(facts: &Facts<'_>) -> Option<Finding> {
    let refused = refused(facts)?;
    let workload = facts.workload();
    let (by, by_zh, message, certainty) = match &refused.refusal {
        Refusal::WebhookDenied { webhook, message } => {
            (format!("webhook {webhook}"), format!("webhook {webhook}"), *message, Certainty::Confirmed)
        }
        Refusal::PolicyDenied { policy, message } => {
            (format!("policy {policy}"), format!("策略 {policy}"), *message, Certainty::Confirmed)
        }
        // Early versions lose the words of an external hook: the event ends after the colon.
        Refusal::Silent => {
            let hooks = facts.world.others("ExternalAdmissionHookConfiguration").is_some_and(|hooks| !hooks.is_empty())
                || !facts.world.validating_webhooks.is_empty()
                || !facts.world.mutating_webhooks.is_empty();
            let certainty = if hooks { Certainty::Likely } else { Certainty::Possible };
            ("an admission hook".to_owned(), "某个准入 webhook".to_owned(), "", certainty)
        }
        _ => return None,
    };
    let why = message.split_whitespace().collect::<Vec<_>>().join(" ");
    let why = shorten(&why, 300);
    let (en, zh) = if why.is_empty() {
        (
            format!("{workload} cannot make its pods: {by} refuses them without giving a reason."),
            format!("{workload} 无法创建 Pod：{by_zh} 拒绝且没有给出原因。"),
        )
    } else {
        (
            format!("{workload} cannot make its pods: {by} refuses them: {why}"),
            format!("{workload} 无法创建 Pod：{by_zh} 拒绝：{why}"),
        )
    };
    Finding::new(&CAUSE, certainty)
        .because(refused.evidence)
        .says(en, zh)
        .fix(
            Fix::careful(Words::new(
                format!("Give {workload} what the policy asks for."),
                format!("按策略要求修改 {workload}。"),
            ))
            .command(kubectl::edit(&workload)),
        )
        .fix(
            Fix::safe(Words::new(
                "See which policies there are, to ask their owners.",
                "查看有哪些策略，以便联系其管理者。",
            ))
            .command(
                "kubectl get validatingwebhookconfigurations,mutatingwebhookconfigurations,validatingadmissionpolicies",
            ),
        )
        .some()
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
metadata: {{name: api-1, namespace: prod}}
spec: {{replicas: 1, selector: {{}}}}
status: {{replicas: 0}}
---
apiVersion: v1
kind: Event
metadata: {{name: e, namespace: prod}}
involvedObject: {{kind: ReplicaSet, namespace: prod, name: api-1}}
reason: FailedCreate
type: Warning
message: "{message}"
"#
        )
    }

    #[test]
    fn names_the_policy_and_its_words() {
        let yaml = set(
            "Error creating: pods 'a' is forbidden: ValidatingAdmissionPolicy 'team' with binding 'b' denied request: every pod needs the label team",
        );
        let diagnosis = diagnose_in(&world(&yaml), "prod/ReplicaSet/api-1", "2026-01-01T00:05:00Z");
        let answer = diagnosis.answer().unwrap();
        assert_eq!((answer.cause.id, answer.certainty), ("admission-webhook-denied", Certainty::Confirmed));
        assert!(answer.summary.en.ends_with("policy team refuses them: every pod needs the label team"));
    }

    #[test]
    fn a_webhook_that_is_down_is_another_cause() {
        let yaml = set(
            "Error creating: Internal error occurred: failed calling webhook \\\"w\\\": failed to call webhook: Post https://w: EOF",
        );
        let diagnosis = diagnose_in(&world(&yaml), "prod/ReplicaSet/api-1", "2026-01-01T00:05:00Z");
        assert_eq!(diagnosis.answer().unwrap().cause.id, "admission-webhook-down");
    }
}
