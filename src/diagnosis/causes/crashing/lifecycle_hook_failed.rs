//! A postStart hook fails, and the kubelet kills the container for it.

use super::{capital, death_of, living_pod, named, times};
use crate::diagnosis::cause::{Cause, Page, Phase};
use crate::diagnosis::finding::{Finding, Fix};
use crate::diagnosis::kubectl;
use crate::diagnosis::words::{Text, Words};
use crate::facts::{ContainerView, Evidence, Facts};

pub static CAUSE: Cause = Cause {
    id: "lifecycle-hook-failed",
    phases: &[Phase::Crashing],
    guide: &["CrashLoopBackOff/ExitCode"],
    page: Page {
        title: Text { en: "The postStart hook fails", zh: "postStart 钩子失败" },
        what: Text {
            en: "The container has a postStart hook; it ended with an error or found nobody to talk to, so the kubelet killed \
                 the container. The hook runs beside the entrypoint, not after it: a hook that calls the app may come before \
                 the app listens.",
            zh: "容器设置了 postStart 钩子，但它出错或请求失败，kubelet 因此杀掉容器。钩子与主进程并行运行而非在其之后：\
                 调用应用自身的钩子可能早于应用监听端口。",
        },
        tell: Text {
            en: "`waiting` with `PostStartHookError`, event `FailedPostStartHook`. The exit code (137, 143 or 0) is that of the kill.",
            zh: "`waiting` 原因为 `PostStartHookError`，事件 `FailedPostStartHook`。退出码（137、143 或 0）来自被杀过程。",
        },
        fix: Text {
            en: "Correct the hook; let it wait for what it needs, and end with 0.",
            zh: "修正钩子，让它等待所需条件并以 0 结束。",
        },
        sources: &["https://kubernetes.io/docs/concepts/containers/container-lifecycle-hooks/"],
    },
    check,
};

fn check(facts: &Facts<'_>) -> Option<Finding> {
    living_pod(facts)?.containers().find_map(|container| failed(facts, container))
}

fn failed(facts: &Facts<'_>, container: ContainerView<'_>) -> Option<Finding> {
    let waiting = container.waiting().filter(|waiting| waiting.reason == "PostStartHookError");
    let event = container.events(facts.world).filter(|event| event.reason == "FailedPostStartHook").last();
    let death = death_of(facts, container);
    // The hook runs beside the program: where that ends by itself, the hook cannot be started any more (126) or is killed
    // with it (137). A program that the kubelet kills for its hook ends with 0, 137 or 143.
    let said = waiting.as_ref().map_or("", |waiting| waiting.message);
    let died_with_it = ["exited with 126", "exited with 137"].iter().any(|code| said.contains(code));
    if died_with_it && death.as_ref().is_some_and(|death| !matches!(death.end.exit_code, 0 | 137 | 143)) {
        return None;
    }
    // An old failure that the container has got over says nothing: the event must be about the run that ended last.
    let event = event.filter(|event| {
        waiting.is_some()
            || death.as_ref().is_some_and(|death| match (event.last, death.end.started) {
                (Some(last), Some(started)) => last >= started,
                _ => true,
            })
    });
    if waiting.is_none() && event.is_none() {
        return None;
    }
    let ((en, zh), (times_en, times_zh)) = (named(container), times(container));
    let hook = container.spec.lifecycle.as_ref().and_then(|lifecycle| lifecycle.post_start.as_ref());
    let command = hook
        .and_then(|hook| hook.exec.as_ref())
        .and_then(|exec| exec.command.as_ref())
        .map(|command| command.join(" "));
    let (what_en, what_zh) =
        command.as_ref().map_or_else(Default::default, |c| (format!(" (`{c}`)"), format!("（`{c}`）")));
    Finding::confirmed(&CAUSE)
        .in_container(container)
        .says(
            format!("{} is killed since its postStart hook{what_en} fails{times_en}.", capital(&en)),
            format!("{zh} 的 postStart 钩子{what_zh}失败，容器因此被杀{times_zh}。"),
        )
        .because(waiting.map(|waiting| waiting.evidence()))
        .because(event.map(crate::facts::Event::evidence))
        .because(command.map(|c| Evidence::field(format!("{}.lifecycle.postStart.exec.command", container.spec_path()), c, None)))
        .because(death.map(|death| death.end.evidence()))
        .fix(Fix::safe(Words::new("See what the hook said.", "查看钩子的报错。")).command(kubectl::describe(facts)))
        .fix(
            Fix::careful(Words::new(
                "Correct the hook or let it retry until the app answers; a hook that is not needed can go. Rolls the pods.",
                "修正钩子，或让它重试直到应用可用；不需要的钩子可以去掉。会滚动重建 Pod。",
            ))
            .command(kubectl::edit(&facts.workload())),
        )
        .explains(&["app-exit-error", "app-exit-clean", "killed-by-outsider", "probe-port-closed"])
        .some()
}

#[cfg(test)]
mod tests {
    use crate::diagnosis::Certainty;
    use crate::diagnosis::testing::diagnose_pod;

    const POD: &str = r#"
kind: Pod
metadata: {namespace: shop, name: web-1, creationTimestamp: "2026-01-01T09:00:00Z"}
spec: {nodeName: n1, containers: [{name: app, image: app, lifecycle: {postStart: {exec: {command: [/hook]}}}}]}
status:
  phase: Running
  containerStatuses:
  - {name: app, restartCount: 1, ready: READY, image: app, imageID: "", state: STATE,
     lastState: {terminated: {reason: Error, exitCode: 137, startedAt: "2026-01-01T09:05:00Z", finishedAt: "2026-01-01T09:05:30Z"}}}
---
kind: Event
metadata: {namespace: shop, name: e1}
involvedObject: {kind: Pod, namespace: shop, name: web-1, fieldPath: "spec.containers{app}"}
reason: FailedPostStartHook
message: PostStartHook failed
lastTimestamp: "2026-01-01T09:05:00Z"
"#;

    #[test]
    fn the_hook_fails() {
        let yaml = POD.replace("READY", "false").replace("STATE", "{waiting: {reason: PostStartHookError, message: 'Exec lifecycle hook ([/hook]) for Container \"app\" failed - error: command ''/hook'' exited with 1: '}}");
        let diagnosis = diagnose_pod(&yaml, "shop/web-1", "2026-01-01T09:06:00Z");
        let answer = diagnosis.answer().unwrap();
        assert_eq!((answer.cause.id, answer.certainty), ("lifecycle-hook-failed", Certainty::Confirmed));
    }

    #[test]
    fn an_old_failure_is_over() {
        let yaml = POD.replace("READY", "true").replace("STATE", r#"{running: {startedAt: "2026-01-01T09:05:40Z"}}"#);
        let diagnosis = diagnose_pod(&yaml, "shop/web-1", "2026-01-01T10:06:00Z");
        assert!(diagnosis.findings.iter().all(|f| f.cause.id != "lifecycle-hook-failed"));
    }

    #[test]
    fn a_hook_that_dies_with_its_container_is_no_cause() {
        let state = "{waiting: {reason: \"PostStartHookError: command '/hook' exited with HOOK: \"}}, restartCount: 2, \
                     lastState: {terminated: {exitCode: 1, reason: Error, startedAt: '2026-01-01T00:00:40Z', finishedAt: \
                     '2026-01-01T00:00:41Z'}}";
        let told = |code: &str| {
            let yaml = HOOKED.replace("STATE", &state.replace("HOOK", code));
            diagnose_pod(&yaml, "prod/web", "2026-01-01T00:01:00Z").answer().map(|answer| answer.cause.id)
        };
        assert_eq!(told("126"), Some("app-exit-error"));
        assert_eq!(told("1"), Some("lifecycle-hook-failed"), "the hook itself said no");
    }

    const HOOKED: &str = r#"
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: prod, creationTimestamp: '2026-01-01T00:00:00Z'}
spec: {nodeName: n1, containers: [{name: app, image: app, lifecycle: {postStart: {exec: {command: [/hook]}}}}]}
status:
  phase: Running
  conditions: [{type: PodScheduled, status: 'True'}]
  containerStatuses: [{name: app, image: app, imageID: '', ready: false, state: STATE}]
"#;
}
