//! Pod Security admission, a PodSecurityPolicy or OpenShift's constraints refuse the pod.

use super::refused;
use crate::diagnosis::{Cause, Finding, Fix, Page, Phase, Text, Words, kubectl};
use crate::facts::evidence::shorten;
use crate::facts::reading::admission::{Guard, Refusal};
use crate::facts::{Evidence, Facts};

pub static CAUSE: Cause = Cause {
    id: "pod-security-violated",
    phases: &[Phase::Admission],
    guide: &["Error/PodSecurityPolicy"],
    page: Page {
        title: Text { en: "The pod asks for more than the security policy allows", zh: "违反集群的安全策略" },
        what: Text {
            en: "The namespace enforces a Pod Security level (restricted, baseline), or before 1.25 a PodSecurityPolicy, or on OpenShift a SecurityContextConstraint. The pod template asks for something that it forbids: root, privileges, host namespaces or paths, capabilities.",
            zh: "命名空间启用了 Pod Security 级别（restricted、baseline），或 1.25 之前的 PodSecurityPolicy，或 OpenShift 的 SCC。Pod 模板要求了被禁止的内容：root、特权、主机命名空间或路径、capabilities 等。",
        },
        tell: Text {
            en: "`violates PodSecurity \"restricted:latest\": …`, `unable to validate against any pod security policy`, `unable to validate against any security context constraint`. The text lists every point.",
            zh: "报错为 `violates PodSecurity \"restricted:latest\": …`、`unable to validate against any pod security policy` 或 `unable to validate against any security context constraint`，并逐项列出。",
        },
        fix: Text {
            en: "Set the securityContext that the text asks for. Where the pod needs the privilege, run it in a namespace whose level allows it, or grant its service account the constraint.",
            zh: "按提示设置 securityContext。如果 Pod 确实需要该权限，放到允许的命名空间，或给其 ServiceAccount 授予相应策略。",
        },
        sources: &[
            "https://kubernetes.io/docs/concepts/security/pod-security-admission/",
            "https://kubernetes.io/docs/concepts/security/pod-security-standards/",
        ],
    },
    check,
};

fn check(facts: &Facts<'_>) -> Option<Finding> {
    let refused = refused(facts)?;
    let Refusal::PodSecurity { by, level, details } = refused.refusal else { return None };
    let workload = facts.workload();
    let namespace = workload.namespace.as_str();
    let details = shorten(details, 300);
    let name = match by {
        Guard::PodSecurityAdmission => format!("Pod Security level {}", level.unwrap_or("?")),
        Guard::PodSecurityPolicy => "PodSecurityPolicy".to_owned(),
        Guard::SecurityContextConstraints => "SecurityContextConstraints".to_owned(),
    };
    let label = facts.world.namespaces.get("", namespace).present().and_then(|object| {
        let labels = object.metadata.labels.as_ref()?;
        labels.get("pod-security.kubernetes.io/enforce").map(|level| {
            Evidence::field(format!("namespace {namespace} label pod-security.kubernetes.io/enforce"), level, None)
        })
    });
    let finding = Finding::confirmed(&CAUSE).because(refused.evidence).because(label).says(
        format!("{workload} cannot make its pods: {name} of namespace {namespace} forbids {details}."),
        format!("{workload} 无法创建 Pod：命名空间 {namespace} 的 {name} 不允许 {details}。"),
    );
    let edit = Fix::careful(Words::new(
        format!("Set the securityContext that it asks for in {workload}."),
        format!("在 {workload} 中设置所要求的 securityContext。"),
    ))
    .command(kubectl::edit(&workload));
    match by {
        Guard::PodSecurityAdmission => finding.fix(edit).fix(
            Fix::dangerous(Words::new(
                "Only if pods of this namespace really need it: enforce a laxer level. It then holds for every pod there.",
                "仅当该命名空间的 Pod 确实需要时：放宽强制级别，对其中所有 Pod 生效。",
            ))
            .command(format!(
                "kubectl label namespace {} pod-security.kubernetes.io/enforce=baseline --overwrite",
                kubectl::quoted(namespace)
            )),
        ),
        Guard::PodSecurityPolicy => finding.fix(edit).fix(
            Fix::safe(Words::new(
                "See which policies there are, and which the service account may use.",
                "查看有哪些策略，以及 ServiceAccount 可以使用哪些。",
            ))
            .command("kubectl get podsecuritypolicies"),
        ),
        Guard::SecurityContextConstraints => finding.fix(edit).fix(
            Fix::safe(Words::new(
                "See which constraints the service account may use; grant one only if the pod needs it.",
                "查看 ServiceAccount 可以使用哪些 SCC；仅在确有需要时授予。",
            ))
            .command("oc get scc"),
        ),
    }
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
kind: DaemonSet
metadata: {{name: debug, namespace: prod}}
spec: {{selector: {{}}, template: {{}}}}
status: {{currentNumberScheduled: 0, desiredNumberScheduled: 3, numberMisscheduled: 0, numberReady: 0}}
---
apiVersion: v1
kind: Event
metadata: {{name: e, namespace: prod}}
involvedObject: {{kind: DaemonSet, namespace: prod, name: debug}}
reason: FailedCreate
type: Warning
message: 'Error creating: pods "debug-x" is forbidden: {message}'
"#
        )
    }

    #[test]
    fn each_guard_is_told() {
        for (message, name) in [
            (
                r#"violates PodSecurity "restricted:latest": privileged (container "c" must not set securityContext.privileged=true)"#,
                "restricted:latest",
            ),
            (
                "PodSecurityPolicy: unable to admit pod: [spec.containers[0].securityContext.privileged: Invalid value: true]",
                "PodSecurityPolicy",
            ),
            (
                "unable to validate against any security context constraint: [provider restricted]",
                "SecurityContextConstraints",
            ),
        ] {
            let diagnosis = diagnose_in(&world(&set(message)), "prod/DaemonSet/debug", "2026-01-01T00:05:00Z");
            let answer = diagnosis.answer().unwrap();
            assert_eq!(
                (answer.cause.id, answer.certainty),
                ("pod-security-violated", Certainty::Confirmed),
                "{message}"
            );
            assert!(answer.summary.en.contains(name), "{}", answer.summary.en);
        }
    }

    #[test]
    fn a_webhook_that_speaks_of_security_is_another_cause() {
        let yaml = set("x").replace(
            "pods \"debug-x\" is forbidden: x",
            "admission webhook \"validate.kyverno.svc\" denied the request: violates PodSecurity \"baseline\"",
        );
        let diagnosis = diagnose_in(&world(&yaml), "prod/DaemonSet/debug", "2026-01-01T00:05:00Z");
        assert_eq!(diagnosis.answer().unwrap().cause.id, "admission-webhook-denied");
    }
}
