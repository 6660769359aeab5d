//! The pod is held by its scheduling gates.

use crate::diagnosis::{Cause, Finding, Fix, Page, Phase, Text, Words, kubectl};
use crate::facts::{Evidence, Facts, Stage};

pub static CAUSE: Cause = Cause {
    id: "scheduling-gated",
    phases: &[Phase::Scheduling],
    guide: &[],
    page: Page {
        title: Text { en: "Scheduling gates hold the pod", zh: "Pod 被调度门（scheduling gate）挡住" },
        what: Text {
            en: "spec.schedulingGates is not empty: a controller (a queue such as Kueue, a quota or topology controller) lets the pod go when its time has come. No scheduler looks at it until then.",
            zh: "spec.schedulingGates 不为空：由某个控制器（如 Kueue 队列、配额或拓扑控制器）决定何时放行，在此之前调度器不会处理该 Pod。",
        },
        tell: Text {
            en: "STATUS SchedulingGated, condition PodScheduled with reason SchedulingGated, no event. The gate's name tells its owner.",
            zh: "STATUS 为 SchedulingGated，PodScheduled 条件的原因为 SchedulingGated，没有事件。gate 的名称说明由谁管理。",
        },
        fix: Text {
            en: "Look at the owner: is it running, is the queue admitted, is there quota. A gate that nobody owns any more may be removed from the pod.",
            zh: "检查其管理者：控制器是否运行、队列是否放行、配额是否足够。如果已无人管理，可以从 Pod 上移除该 gate。",
        },
        sources: &["https://kubernetes.io/docs/concepts/scheduling-eviction/pod-scheduling-readiness/"],
    },
    check,
};

fn check(facts: &Facts<'_>) -> Option<Finding> {
    let pod = facts.pod().filter(|pod| pod.stage() == Stage::Unscheduled)?;
    let gates = pod.spec()?.scheduling_gates.as_deref().filter(|gates| !gates.is_empty())?;
    let names = gates.iter().map(|gate| gate.name.as_str()).collect::<Vec<_>>().join(", ");
    let owner = gates.iter().find_map(|gate| owner(&gate.name));
    let (by, by_zh) = match owner {
        Some(owner) => (format!(", which {owner} takes off"), format!("（由 {owner} 放行）")),
        None => (String::new(), String::new()),
    };
    let mut finding = Finding::confirmed(&CAUSE)
        .explains(super::IDS)
        .because([Evidence::field("pod.spec.schedulingGates", &names, None)])
        .because(pod.condition_evidence("PodScheduled"))
        .says(
            format!("Pod {} is held by the scheduling gate {names}{by}; no scheduler looks at it.", pod.name()),
            format!("Pod {} 被调度门 {names} 挡住{by_zh}，调度器不会处理它。", pod.name()),
        );
    if gates.iter().any(|gate| gate.name.contains("kueue")) {
        finding = finding.fix(
            Fix::safe(Words::new(
                "See whether its Kueue workload is admitted, and why not.",
                "查看对应的 Kueue Workload 是否被放行及原因。",
            ))
            .command(kubectl::namespaced(pod.namespace(), "get workloads.kueue.x-k8s.io")),
        );
    }
    finding
        .fix(Fix::safe(Words::new(
            format!("See whether the owner of {names} runs and what it waits for."),
            format!("检查 {names} 的管理者是否运行、在等待什么。"),
        )))
        .fix(
            Fix::careful(Words::new(
                "Only if nobody owns the gate any more: remove all gates from the pod; it is then scheduled past queue and quota.",
                "仅当已无人管理时：移除 Pod 上的所有 gate；之后会绕过队列与配额直接调度。",
            ))
            .command(kubectl::namespaced(
                pod.namespace(),
                &format!(
                    "patch pod {} --type=json -p '[{{\"op\":\"remove\",\"path\":\"/spec/schedulingGates\"}}]'",
                    kubectl::quoted(pod.name())
                ),
            )),
        )
        .some()
}

fn owner(gate: &str) -> Option<&'static str> {
    let owners = [
        ("kueue.x-k8s.io", "Kueue"),
        ("volcano.sh", "Volcano"),
        ("x-k8s.io/jobset", "JobSet"),
        ("karmada.io", "Karmada"),
        ("multiarch", "the multi-architecture operator"),
        ("ibm.com/autopilot", "Autopilot"),
        ("grove", "Grove"),
    ];
    owners.iter().find(|(part, _)| gate.contains(part)).map(|(_, owner)| *owner)
}

#[cfg(test)]
mod tests {
    use crate::diagnosis::Certainty;
    use crate::diagnosis::testing::diagnose_pod;

    const GATED: &str = r"
apiVersion: v1
kind: Pod
metadata: {name: train, namespace: ml, creationTimestamp: '2026-01-01T00:00:00Z'}
spec: {schedulingGates: [{name: kueue.x-k8s.io/admission}], containers: [{name: app, image: x}]}
status:
  phase: Pending
  conditions: [{type: PodScheduled, status: 'False', reason: SchedulingGated, message: Scheduling is blocked due to non-empty scheduling gates}]
";

    #[test]
    fn names_the_gate_and_its_owner() {
        let diagnosis = diagnose_pod(GATED, "ml/train", "2026-01-01T00:10:00Z");
        let answer = diagnosis.answer().unwrap();
        assert_eq!((answer.cause.id, answer.certainty), ("scheduling-gated", Certainty::Confirmed));
        assert!(answer.summary.en.contains("which Kueue takes off"));
    }

    #[test]
    fn without_gates_it_is_something_else() {
        let yaml = GATED.replace("schedulingGates: [{name: kueue.x-k8s.io/admission}], ", "");
        let diagnosis = diagnose_pod(&yaml, "ml/train", "2026-01-01T00:10:00Z");
        assert!(diagnosis.findings.iter().all(|finding| finding.cause.id != "scheduling-gated"));
    }
}
