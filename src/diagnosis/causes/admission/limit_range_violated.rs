//! Requests or limits lie outside the namespace's LimitRange.

use super::refused;
use crate::diagnosis::{Cause, Certainty, Finding, Fix, Page, Phase, Text, Words, kubectl};
use crate::facts::reading::admission::Refusal;
use crate::facts::{Evidence, Facts};

pub static CAUSE: Cause = Cause {
    id: "limit-range-violated",
    phases: &[Phase::Admission],
    guide: &["Error/LimitRange"],
    page: Page {
        title: Text {
            en: "Requests or limits are outside the LimitRange", zh: "资源请求超出 LimitRange 的范围"
        },
        what: Text {
            en: "A LimitRange bounds what a container, pod or claim of the namespace may ask for, and fills in defaults. What the pod asks for is below the minimum, above the maximum, or (with a default filled in) a request above its limit.",
            zh: "LimitRange 限定命名空间内容器、Pod 或 PVC 的资源范围并填充默认值。该 Pod 的请求低于最小值、高于最大值，或与填充的默认 limit 冲突（request 大于 limit）。",
        },
        tell: Text {
            en: "`maximum memory usage per Container is 1Gi, but limit is 2Gi` and the like, in FailedCreate of the workload.",
            zh: "工作负载的 FailedCreate 事件中有 `maximum memory usage per Container is 1Gi, but limit is 2Gi` 之类的报错。",
        },
        fix: Text {
            en: "Bring the values into the range, or have the LimitRange changed.",
            zh: "将数值调整到允许范围内，或修改 LimitRange。",
        },
        sources: &["https://kubernetes.io/docs/concepts/policy/limit-range/"],
    },
    check,
};

fn check(facts: &Facts<'_>) -> Option<Finding> {
    let refused = refused(facts)?;
    let workload = facts.workload();
    let ranges: Vec<&str> = facts
        .world
        .limit_ranges
        .seen_in(&workload.namespace)
        .filter_map(|range| range.metadata.name.as_deref())
        .collect();
    let (how, certainty) = match &refused.refusal {
        Refusal::LimitRange(how) => ((*how).to_owned(), Certainty::Confirmed),
        // A default limit of the range below the template's own request: the API calls the pod invalid.
        Refusal::Invalid(text)
            if text.contains("must be less than or equal to") && text.contains("limit") && has_default(facts) =>
        {
            (
                text.rsplit(": ").take(2).collect::<Vec<_>>().into_iter().rev().collect::<Vec<_>>().join(": "),
                Certainty::Likely,
            )
        }
        _ => return None,
    };
    let range = ranges.first().copied();
    let (by, by_zh) = match range {
        Some(range) => (format!("LimitRange {range}"), format!("LimitRange {range}")),
        None => ("the LimitRange of the namespace".to_owned(), "命名空间的 LimitRange".to_owned()),
    };
    Finding::new(&CAUSE, certainty)
        .because(refused.evidence)
        .because(range.map(|range| {
            Evidence::field(format!("limitrange {range}"), limits(facts, &workload.namespace, range), None)
        }))
        .says(
            format!("{workload} cannot make its pods: {by} does not allow it ({how})."),
            format!("{workload} 无法创建 Pod：不符合 {by_zh}（{how}）。"),
        )
        .fix(
            Fix::safe(Words::new("See what the range allows.", "查看允许的范围。"))
                .command(kubectl::namespaced(&workload.namespace, "describe limitrange")),
        )
        .fix(
            Fix::careful(Words::new(
                format!("Bring requests and limits of {workload} into the range."),
                format!("将 {workload} 的 request/limit 调整到范围内。"),
            ))
            .command(kubectl::edit(&workload)),
        )
        .some()
}

fn has_default(facts: &Facts<'_>) -> bool {
    facts.world.limit_ranges.seen_in(facts.namespace()).any(|range| {
        range
            .spec
            .as_ref()
            .is_some_and(|spec| spec.limits.iter().any(|limit| limit.default.as_ref().is_some_and(|d| !d.is_empty())))
    })
}

/// Returns a range as `Container max cpu=16, memory=64Gi`.
fn limits(facts: &Facts<'_>, namespace: &str, name: &str) -> String {
    let Some(range) = facts.world.limit_ranges.get(namespace, name).present() else { return String::new() };
    let mut parts = Vec::new();
    for limit in range.spec.iter().flat_map(|spec| &spec.limits) {
        for (bound, values) in [("min", &limit.min), ("max", &limit.max), ("default", &limit.default)] {
            if let Some(values) = values.as_ref().filter(|values| !values.is_empty()) {
                let list =
                    values.iter().map(|(name, value)| format!("{name}={}", value.0)).collect::<Vec<_>>().join(", ");
                parts.push(format!("{} {bound} {list}", limit.type_));
            }
        }
    }
    parts.join("; ")
}

#[cfg(test)]
mod tests {
    use crate::diagnosis::Certainty;
    use crate::diagnosis::testing::{diagnose_in, refused_set, world};

    fn set(message: &str) -> String {
        let limits = "---
apiVersion: v1
kind: LimitRange
metadata: {name: limits, namespace: prod}
spec: {limits: [{type: Container, max: {cpu: '16'}}]}
";
        refused_set(&format!("pods \"api-1-x\" is forbidden: {message}")) + limits
    }

    #[test]
    fn the_condition_alone_is_enough() {
        let yaml = set("maximum cpu usage per Container is 16, but request is 17.");
        let diagnosis = diagnose_in(&world(&yaml), "prod/ReplicaSet/api-1", "2026-01-01T00:05:00Z");
        let answer = diagnosis.answer().unwrap();
        assert_eq!((answer.cause.id, answer.certainty), ("limit-range-violated", Certainty::Confirmed));
        assert!(answer.evidence.iter().any(|evidence| evidence.quote == "Container max cpu=16"));
    }

    #[test]
    fn a_quota_is_another_cause() {
        let yaml = set("exceeded quota: q, requested: cpu=17, used: cpu=0, limited: cpu=16");
        let diagnosis = diagnose_in(&world(&yaml), "prod/ReplicaSet/api-1", "2026-01-01T00:05:00Z");
        assert_eq!(diagnosis.answer().unwrap().cause.id, "quota-exceeded");
    }
}
