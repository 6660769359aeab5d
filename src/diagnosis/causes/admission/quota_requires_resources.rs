//! A ResourceQuota demands requests or limits that the pod does not state.

use super::refused;
use crate::diagnosis::{Cause, Finding, Fix, Page, Phase, Text, Words, kubectl};
use crate::facts::Facts;
use crate::facts::reading::admission::Refusal;

pub static CAUSE: Cause = Cause {
    id: "quota-requires-resources",
    phases: &[Phase::Admission],
    guide: &[],
    page: Page {
        title: Text {
            en: "The quota demands requests or limits that are not set",
            zh: "配额要求必须设置 request/limit",
        },
        what: Text {
            en: "A ResourceQuota that counts requests or limits of CPU or memory refuses every pod that does not state them: it could not count it.",
            zh: "对 CPU 或内存的 request/limit 计数的 ResourceQuota 会拒绝所有没有设置这些值的 Pod，因为无法计算用量。",
        },
        tell: Text {
            en: "`failed quota: NAME: must specify limits.cpu for: app; …`. The quota may have plenty of room: raising it does not help.",
            zh: "报错为 `failed quota: 名称: must specify limits.cpu for: app; …`。配额可能还很充裕，提高配额没有用。",
        },
        fix: Text {
            en: "State the values in the workload, or have a LimitRange fill them in for the whole namespace.",
            zh: "在工作负载中设置这些值，或用 LimitRange 为整个命名空间提供默认值。",
        },
        sources: &["https://kubernetes.io/docs/concepts/policy/resource-quotas/#compute-resource-quota"],
    },
    check,
};

fn check(facts: &Facts<'_>) -> Option<Finding> {
    let refused = refused(facts)?;
    let Refusal::QuotaNeedsValues { quota, missing } = refused.refusal else { return None };
    let workload = facts.workload();
    Finding::confirmed(&CAUSE)
        .because(refused.evidence)
        .says(
            format!(
                "{workload} cannot make its pods: quota {quota} demands values that they do not state ({missing})."
            ),
            format!("{workload} 无法创建 Pod：配额 {quota} 要求设置的值没有设置（{missing}）。"),
        )
        .fix(
            Fix::careful(Words::new(
                "State requests and limits in the workload (the figures here are only an example).",
                "在工作负载中设置 request 与 limit（命令中的数值仅为示例）。",
            ))
            .command(kubectl::namespaced(
                &workload.namespace,
                &format!(
                    "set resources {} --requests=cpu=100m,memory=128Mi --limits=cpu=500m,memory=256Mi",
                    kubectl::quoted(&workload.reference())
                ),
            )),
        )
        .fix(
            Fix::careful(Words::new(
                "Or let a LimitRange fill in defaults for every new pod of the namespace.",
                "或创建 LimitRange，为命名空间内的新 Pod 提供默认值。",
            ))
            .command(kubectl::namespaced(&workload.namespace, "get limitrange,resourcequota")),
        )
        .some()
}

#[cfg(test)]
mod tests {
    use crate::diagnosis::Certainty;
    use crate::diagnosis::testing::{diagnose_in, world};

    fn job(message: &str) -> String {
        format!(
            r#"
apiVersion: batch/v1
kind: Job
metadata: {{name: load, namespace: prod}}
spec: {{template: {{}}}}
status: {{}}
---
apiVersion: v1
kind: Event
metadata: {{name: e, namespace: prod}}
involvedObject: {{kind: Job, namespace: prod, name: load}}
reason: FailedCreate
type: Warning
message: 'Error creating: pods "load-x" is forbidden: {message}'
lastTimestamp: '2026-01-01T00:01:00Z'
"#
        )
    }

    #[test]
    fn names_what_is_missing() {
        let yaml = job("failed quota: q: must specify limits.cpu for: app");
        let diagnosis = diagnose_in(&world(&yaml), "prod/Job/load", "2026-01-01T00:05:00Z");
        let answer = diagnosis.answer().unwrap();
        assert_eq!((answer.cause.id, answer.certainty), ("quota-requires-resources", Certainty::Confirmed));
        assert!(answer.summary.en.contains("limits.cpu for: app"));
    }

    #[test]
    fn a_full_quota_is_another_cause() {
        let yaml = job("exceeded quota: q, requested: pods=1, used: pods=1, limited: pods=1");
        let diagnosis = diagnose_in(&world(&yaml), "prod/Job/load", "2026-01-01T00:05:00Z");
        assert_eq!(diagnosis.answer().unwrap().cause.id, "quota-exceeded");
    }
}
