//! The controller, or the pod's service account, may not do what it tries.

use super::refused;
use crate::diagnosis::{Cause, Finding, Fix, Page, Phase, Text, Words, kubectl};
use crate::facts::log::{LogLine, lines_from_end};
use crate::facts::reading::admission::Refusal;
use crate::facts::{ContainerView, Facts, PodView, Stage};

pub static CAUSE: Cause = Cause {
    id: "rbac-denied",
    phases: &[Phase::Admission],
    guide: &["Error/RBAC"],
    page: Page {
        title: Text { en: "RBAC does not allow it", zh: "RBAC 权限不足" },
        what: Text {
            en: "The API refuses a call since no role gives its user the right: the controller that makes the pods (an operator's service account, mostly), or the program in the pod that works with the API as the pod's own service account.",
            zh: "API 因没有角色授予相应权限而拒绝请求：可能是创建 Pod 的控制器（多为 operator 的 ServiceAccount），也可能是 Pod 内以自身 ServiceAccount 访问 API 的程序。",
        },
        tell: Text {
            en: "`… is forbidden: User \"system:serviceaccount:ns:name\" cannot list resource \"x\" in API group \"g\"`: in FailedCreate for the controller, in the log of a container that fails for the pod. The text names user, verb and resource.",
            zh: "报错为 `… is forbidden: User \"system:serviceaccount:ns:name\" cannot list resource \"x\" in API group \"g\"`：控制器的在 FailedCreate 事件中，Pod 的在失败容器的日志中。文本给出了用户、动词与资源。",
        },
        fix: Text {
            en: "Bind a role with just that right to the service account. Never give cluster-admin or wildcards to get going.",
            zh: "为该 ServiceAccount 绑定只含所需权限的角色。不要为图方便授予 cluster-admin 或通配权限。",
        },
        sources: &["https://kubernetes.io/docs/reference/access-authn-authz/rbac/"],
    },
    check,
};

/// How far up from a log's end the refusal may stand: after it programs print a trace.
const NEAR_THE_END: usize = 40;

fn check(facts: &Facts<'_>) -> Option<Finding> {
    match facts.pod() {
        Some(pod) => in_the_log(facts, pod),
        None => at_creation(facts),
    }
}

fn at_creation(facts: &Facts<'_>) -> Option<Finding> {
    let refused = refused(facts)?;
    let Refusal::Rbac { user, action } = refused.refusal else { return None };
    let workload = facts.workload();
    let who = if user.is_empty() { "its controller" } else { user };
    let who_zh = if user.is_empty() { "其控制器" } else { user };
    Finding::confirmed(&CAUSE)
        .because(refused.evidence)
        .says(
            format!("{workload} cannot make its pods: {who} may not {action}."),
            format!("{workload} 无法创建 Pod：{who_zh} 没有权限 {action}。"),
        )
        .fix(can_i(user, action, &workload.namespace))
        .fix(bind())
        .some()
}

/// A program that fails, with a refusal of its own service account at the end of its log.
fn in_the_log(facts: &Facts<'_>, pod: PodView<'_>) -> Option<Finding> {
    if !matches!(pod.stage(), Stage::Creating | Stage::Running | Stage::Failed) || pod.is("Ready") {
        return None;
    }
    pod.containers().filter(|container| fails(*container)).find_map(|container| {
        let log = container.log(facts.world)?;
        let ended = container.log_of_latest_end(facts.world).present();
        let text = ended.or(log.current.as_deref()).or(log.previous.as_deref())?;
        let line = lines_from_end(container.name(), text).take(NEAR_THE_END).find(|line| is_refusal(line))?;
        let (user, action) = parts(line.text)?;
        let mut finding = Finding::likely(&CAUSE)
            .in_container(container)
            .because([line.evidence()])
            .because(container.latest_end().map(|end| end.evidence()))
            .explains(&[
                "app-exit-error",
                "init-container-waiting",
                "liveness-probe-killing",
                "startup-probe-killing",
                "probe-timeout",
                "probe-too-early",
                "probe-misconfigured",
                "init-container-failing",
                "probe-port-closed",
                "probe-http-status",
                "app-exit-clean",
            ])
            .says(
                format!("Container {} of pod {} fails since {user} may not {action}.", container.name(), pod.name()),
                format!("Pod {} 的容器 {} 失败：{user} 没有权限 {action}。", pod.name(), container.name()),
            );
        finding = finding.fix(can_i(user, action, pod.namespace())).fix(bind());
        finding.some()
    })
}

fn fails(container: ContainerView<'_>) -> bool {
    container.is_crash_looping()
        || container.end().is_some_and(|end| end.exit_code != 0)
        || (container.is_running() && !container.ready())
}

fn is_refusal(line: &LogLine<'_>) -> bool {
    line.text.contains("forbidden") && parts(line.text).is_some()
}

/// Returns user and action of `User "x" cannot list resource "y" …`; log formats may have escaped the quotes.
fn parts(text: &str) -> Option<(&str, &str)> {
    let (_, rest) = text.split_once("User ")?;
    let rest = rest.trim_start_matches(['\\', '"']);
    let (user, rest) = rest.split_once(['"', '\\', ' '])?;
    let (_, action) = rest.split_once("cannot ")?;
    let end = action.find(['\n', ';']).unwrap_or(action.len());
    let action = action[..end].trim_end_matches(['"', '\\', '}', '.']);
    user.starts_with("system:").then_some((user, action))
}

/// Returns the command that asks the API the same question.
fn can_i(user: &str, action: &str, namespace: &str) -> Fix {
    let clean = action.replace('\\', "");
    let verb = clean.split(' ').next().unwrap_or("get").to_owned();
    let quoted = |mark: &str| {
        let (_, rest) = clean.split_once(mark)?;
        rest.strip_prefix('"')?.split('"').next().map(str::to_owned)
    };
    // Before 1.9: `cannot list pods in the namespace "x"`.
    let plain = || clean.split(' ').nth(1).unwrap_or("pods").to_owned();
    let resource = quoted("resource ").unwrap_or_else(plain);
    let group =
        quoted("API group ").filter(|group| !group.is_empty()).map(|group| format!(".{group}")).unwrap_or_default();
    let namespace = quoted("in the namespace ").unwrap_or_else(|| namespace.to_owned());
    let user = if user.is_empty() { "USER" } else { user };
    Fix::safe(Words::new("Ask the API the same question.", "向 API 询问同样的权限。")).command(kubectl::namespaced(
        &namespace,
        &format!(
            "auth can-i {} {} --as={}",
            kubectl::quoted(&verb),
            kubectl::quoted(&format!("{resource}{group}")),
            kubectl::quoted(user)
        ),
    ))
}

fn bind() -> Fix {
    Fix::careful(Words::new(
        "Bind a role that holds just this verb and resource to that service account (or reinstall the chart that should have brought it).",
        "为该 ServiceAccount 绑定只含此动词与资源的角色（或重新安装本应包含该角色的 chart）。",
    ))
}

#[cfg(test)]
mod tests {
    use crate::diagnosis::Certainty;
    use crate::diagnosis::testing::{diagnose_in, world};
    use crate::facts::log::ContainerLog;

    const LOOP: &str = r"
apiVersion: v1
kind: Pod
metadata: {name: op, namespace: prod, creationTimestamp: '2026-01-01T00:00:00Z'}
spec: {nodeName: a, containers: [{name: app, image: x}]}
status:
  phase: Running
  containerStatuses:
  - {name: app, ready: false, restartCount: 4, image: x, imageID: '', state: {waiting: {reason: CrashLoopBackOff}}, lastState: {terminated: {exitCode: 1, reason: Error, startedAt: '2026-01-01T00:04:00Z', finishedAt: '2026-01-01T00:04:01Z'}}}
";

    fn with_log(line: &str) -> crate::facts::World {
        let mut world = world(LOOP);
        let log = ContainerLog { current: Some(format!("starting\n{line}\nexiting\n")), ..ContainerLog::default() };
        world.logs.insert(("prod".into(), "op".into(), "app".into()), log);
        world
    }

    #[test]
    fn the_log_of_a_crash_names_right_and_account() {
        let world = with_log(
            r#"E1 failed to list: nodes is forbidden: User "system:serviceaccount:prod:op" cannot list resource "nodes" in API group "" at the cluster scope"#,
        );
        let diagnosis = diagnose_in(&world, "prod/op", "2026-01-01T00:05:00Z");
        let found = diagnosis.findings.iter().find(|finding| finding.cause.id == "rbac-denied").unwrap();
        assert_eq!(found.certainty, Certainty::Likely);
        assert_eq!(
            found.fixes[0].command.as_deref(),
            Some("kubectl -n prod auth can-i list nodes --as=system:serviceaccount:prod:op")
        );
    }

    #[test]
    fn another_refusal_in_the_log_is_not_rbac() {
        let world = with_log("403 Forbidden: User \"bob\" cannot log in");
        let diagnosis = diagnose_in(&world, "prod/op", "2026-01-01T00:05:00Z");
        assert!(diagnosis.findings.iter().all(|finding| finding.cause.id != "rbac-denied"));
    }
}
