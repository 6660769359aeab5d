//! The RuntimeClass does not exist, or the node's runtime does not know its handler.

use super::step;
use crate::diagnosis::words::Words;
use crate::diagnosis::{Cause, Certainty, Finding, Fix, Page, Phase, Text, kubectl};
use crate::facts::reading::sandbox::{SandboxFailure, sandbox_failure};
use crate::facts::{Evidence, Facts, Workload, workload};

pub static CAUSE: Cause = Cause {
    id: "runtime-class-missing",
    phases: &[Phase::Creating],
    guide: &[],
    page: Page {
        title: Text {
            en: "The RuntimeClass or its handler does not exist", zh: "RuntimeClass 或其 handler 不存在"
        },
        what: Text {
            en: "`runtimeClassName` names a RuntimeClass object; that object names a handler which the runtime of the node must have in its configuration (gVisor, Kata, nvidia …). Either may be missing.",
            zh: "`runtimeClassName` 指向 RuntimeClass 对象，该对象又指向节点运行时配置中的 handler（gVisor、Kata、nvidia 等）。两者都可能缺失。",
        },
        tell: Text {
            en: "No object: the API server refuses the pods (`RuntimeClass \"x\" not found`). No handler: FailedCreatePodSandBox `no runtime for \"x\" is configured` (containerd), `failed to find runtime handler x` (CRI-O).",
            zh: "对象缺失：API Server 拒绝创建 Pod（`RuntimeClass \"x\" not found`）。handler 缺失：FailedCreatePodSandBox `no runtime for \"x\" is configured`（containerd）、`failed to find runtime handler x`（CRI-O）。",
        },
        fix: Text {
            en: "Install the runtime on the nodes and name its handler in the runtime's configuration, keep the pod on nodes that have it, or drop runtimeClassName.",
            zh: "在节点上安装该运行时并在配置中声明 handler，或只调度到已安装的节点，或去掉 runtimeClassName。",
        },
        sources: &["https://kubernetes.io/docs/concepts/containers/runtime-class/"],
    },
    check,
};

fn check(facts: &Facts<'_>) -> Option<Finding> {
    let Some(pod) = facts.pod() else { return of_refused_pods(facts) };
    let (failure, event) = step::sandbox(facts)?;
    let SandboxFailure::RuntimeClass(handler) = failure else { return None };
    let class = pod.spec()?.runtime_class_name.as_deref();
    // Without a class the missing program is the runtime's own: sandbox-create-failed.
    if class.is_none() && handler.is_none() {
        return None;
    }
    let (name, node) = (class.or(handler.as_deref()).unwrap_or_default(), step::node_name(facts));
    let object = facts.world.runtime_classes.get("", name).present();
    let handler =
        object.map(|class| class.handler.clone()).or_else(|| handler.clone()).unwrap_or_else(|| name.to_owned());
    let field = class.map(|class| Evidence::field("pod.spec.runtimeClassName", class, None));
    let (shown, handler) = (step::plain(name), step::plain(&handler));
    let missing_object = event.text().contains("RuntimeClass") && object.is_none();
    let (en, zh) = if missing_object {
        (
            format!("RuntimeClass `{shown}`, which the pod names, does not exist."),
            format!("Pod 引用的 RuntimeClass `{shown}` 不存在。"),
        )
    } else {
        (
            format!("The runtime of node `{node}` does not know handler `{handler}` of RuntimeClass `{shown}`."),
            format!("节点 `{node}` 的运行时没有 RuntimeClass `{shown}` 的 handler `{handler}`。"),
        )
    };
    let finding = Finding::confirmed(&CAUSE)
        .shares("runtimeclass", "", &shown)
        .because([event.evidence()])
        .because(field)
        .explains(&["sandbox-create-failed"])
        .says(en, zh);
    Some(fixes(finding, &facts.workload(), &handler))
}

/// The API server refuses pods whose RuntimeClass does not exist: the workload stays without them.
fn of_refused_pods(facts: &Facts<'_>) -> Option<Finding> {
    let (text, evidence) = refusals(facts).into_iter().find(|(text, _)| text.contains("RuntimeClass"))?;
    let SandboxFailure::RuntimeClass(class) = sandbox_failure(&text) else { return None };
    let (name, subject) = (step::plain(class.as_deref().unwrap_or("?")), facts.workload());
    let finding = Finding::new(&CAUSE, Certainty::Confirmed).because([evidence]).says(
        format!("No pod of `{subject}` can be made: RuntimeClass `{name}`, which they name, does not exist."),
        format!("`{subject}` 无法创建 Pod：引用的 RuntimeClass `{name}` 不存在。"),
    );
    Some(fixes(finding, &subject, &name))
}

/// Returns why the workload's pods were refused: conditions first, since they are the present state.
fn refusals(facts: &Facts<'_>) -> Vec<(String, Evidence)> {
    let subject = facts.workload();
    let world = facts.world;
    let mut all = Vec::new();
    for set in world.replica_sets.seen_in(&subject.namespace) {
        let own = set.metadata.name.as_deref() == Some(&subject.name);
        if !own && workload::controller(&set.metadata).is_none_or(|owner| owner.name != subject.name) {
            continue;
        }
        let conditions = set.status.as_ref().and_then(|status| status.conditions.as_ref());
        for condition in conditions
            .into_iter()
            .flatten()
            .filter(|c| c.type_.as_deref() == Some("ReplicaFailure") && c.status.as_deref() == Some("True"))
        {
            let text = condition.message.clone().unwrap_or_default();
            let at = condition.last_transition_time.as_ref().map(|t| t.0);
            let place = format!(
                "replicaset {}.status.conditions[ReplicaFailure]",
                set.metadata.name.as_deref().unwrap_or_default()
            );
            all.push((text.clone(), Evidence::field(place, text, at)));
        }
        all.extend(failed_creates(facts, "ReplicaSet", set.metadata.name.as_deref().unwrap_or_default()));
    }
    all.extend(failed_creates(facts, &subject.kind, &subject.name));
    all
}

fn failed_creates(facts: &Facts<'_>, kind: &str, name: &str) -> Vec<(String, Evidence)> {
    let events = facts.world.events_seen(kind, facts.namespace(), name).iter();
    events
        .rev()
        .filter(|event| event.reason == "FailedCreate")
        .map(|event| (event.text().to_owned(), event.evidence()))
        .collect()
}

fn fixes(finding: Finding, workload: &Workload, handler: &str) -> Finding {
    finding
        .fix(
            Fix::safe(Words::new("See which RuntimeClasses there are.", "查看现有的 RuntimeClass。")).command("kubectl get runtimeclasses"),
        )
        .fix(Fix::careful(Words::new(
            format!("Install the runtime on the nodes and name handler `{handler}` in their runtime's configuration (containerd: plugins.…runtimes.{handler}), then restart the runtime; give the class a scheduling.nodeSelector if only some nodes have it."),
            format!("在节点上安装该运行时，并在运行时配置中声明 handler `{handler}`（containerd：plugins.…runtimes.{handler}），然后重启运行时；若只有部分节点安装，给 RuntimeClass 配置 scheduling.nodeSelector。"),
        )))
        .fix(
            Fix::careful(Words::new(
                "Or take runtimeClassName out of the workload. The pods then run without that isolation.",
                "或从工作负载中去掉 runtimeClassName。Pod 将失去相应的隔离。",
            ))
            .command(kubectl::edit(workload)),
        )
}

#[cfg(test)]
mod tests {
    use crate::diagnosis::Certainty;
    use crate::diagnosis::causes::creating::step::tests::{CREATING, causes, diagnose, event, pod};

    const SPEC: &str = "  runtimeClassName: kata
  containers: [{name: app, image: a}]";

    #[test]
    fn a_handler_that_the_runtime_does_not_know() {
        let text = "Failed to create pod sandbox: rpc error: code = Unknown desc = failed to get sandbox runtime: no runtime for \"kata\" is configured";
        let diagnosis = diagnose(&(pod(SPEC, CREATING) + &event("FailedCreatePodSandBox", 8, text)));
        let found = diagnosis.answer().unwrap();
        assert_eq!((found.cause.id, found.certainty), ("runtime-class-missing", Certainty::Confirmed));
    }

    #[test]
    fn a_class_whose_network_fails_is_another_cause() {
        let text = "Failed to create pod sandbox: rpc error: code = Unknown desc = failed to setup network for sandbox \"1\": plugin type=\"calico\" failed (add): timeout";
        assert!(
            !causes(&(pod(SPEC, CREATING) + &event("FailedCreatePodSandBox", 8, text)))
                .contains(&"runtime-class-missing")
        );
    }
}
