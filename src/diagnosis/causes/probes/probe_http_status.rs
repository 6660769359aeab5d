//! The endpoint that is probed answers with an error status.

use super::{Trouble, troubles};
use crate::diagnosis::cause::{Cause, Page, Phase};
use crate::diagnosis::causes::crashing::{capital, named, read_the_log};
use crate::diagnosis::finding::{Certainty, Finding};
use crate::diagnosis::words::Text;
use crate::facts::Facts;
use crate::facts::reading::probe::{self, Output};

pub static CAUSE: Cause = Cause {
    id: "probe-http-status",
    phases: &[Phase::Probes],
    guide: &["健康检查失败/健康检查配置不合理"],
    page: Page {
        title: Text { en: "The probed endpoint answers with an error", zh: "被探测的接口返回错误状态" },
        what: Text {
            en: "The program is up and answers the probe with a status outside of 200 to 399: the path does not exist (404), it wants \
                 a login (401, 403), or the program says that it is not well or not ready (5xx), often because of a dependency.",
            zh: "程序在运行，但对探针返回了 200–399 之外的状态码：路径不存在（404）、需要登录（401、403），或程序声明自己不健康/未就绪\
                （5xx），常因依赖不可用。",
        },
        tell: Text {
            en: "\"HTTP probe failed with statuscode\"; the body is not in the event. gRPC says \"NOT_SERVING\".",
            zh: "“HTTP probe failed with statuscode”；事件里没有响应体。gRPC 则为 “NOT_SERVING”。",
        },
        fix: Text {
            en: "Correct the path, or give the probe an endpoint that needs no login; for 5xx read the log. Liveness must not depend on others.",
            zh: "修正路径，或提供无需登录的检查接口；5xx 则查看日志。存活检查不应依赖其他服务。",
        },
        sources: &[
            "https://kubernetes.io/docs/tasks/configure-pod-container/configure-liveness-readiness-startup-probes/#http-probes",
        ],
    },
    check,
};

fn check(facts: &Facts<'_>) -> Option<Finding> {
    troubles(facts).iter().find_map(|trouble| answered_badly(facts, trouble))
}

fn answered_badly(facts: &Facts<'_>, trouble: &Trouble<'_>) -> Option<Finding> {
    let ((en, zh), (probe_en, probe_zh), (effect_en, effect_zh)) =
        (named(trouble.container), trouble.name(), trouble.effect());
    let code = match trouble.failure.output {
        // Where liveness kills for a command's word, all that is sure is that it says "not well".
        Output::Printed(ref text) if trouble.killed.is_none() => {
            let code = probe::status_told_by_command(text)?;
            let finding = Finding::new(&CAUSE, Certainty::Likely).says(
                format!("The command of the {probe_en} of {en} is answered with {code}, {effect_en}."),
                format!("{zh} 的{probe_zh}命令得到的响应为 {code}，{effect_zh}。"),
            );
            return trouble.tell(finding.fix(read_the_log(facts, trouble.container))).some();
        }
        // A plain request to a TLS port is the probe's own fault.
        Output::Status(400) if super::probe_misconfigured::asks_plain_of_tls(trouble) => return None,
        Output::Status(code) => code,
        Output::GrpcNotServing => {
            let finding = Finding::new(&CAUSE, Certainty::Confirmed).says(
                format!("The gRPC health service of {en} answers NOT_SERVING to the {probe_en}, {effect_en}."),
                format!("{zh} 的 gRPC 健康服务对{probe_zh}返回 NOT_SERVING，{effect_zh}。"),
            );
            return trouble.tell(finding.fix(read_the_log(facts, trouble.container))).some();
        }
        _ => return None,
    };
    let path = trouble.probe.http_get.as_ref().and_then(|get| get.path.as_deref()).unwrap_or("/");
    let (why_en, why_zh) = match code {
        404 => (" (no such page)", "（路径不存在）"),
        401 | 403 => (" (it wants a login)", "（需要认证）"),
        405 => (" (GET is not allowed)", "（不允许 GET）"),
        500..=599 => (" (it says itself that it is not well)", "（程序自报异常）"),
        _ => ("", ""),
    };
    let (fix_en, fix_zh) = match code {
        404 | 405 => (
            format!("Set the path of the probe to one that exists (now `{path}`). Rolls the pods."),
            format!("把探针路径改为存在的路径（当前 `{path}`）。会滚动重建 Pod。"),
        ),
        401 | 403 => (
            format!("Let the probe ask a page without a login, send the header it needs, or probe the port only (tcpSocket) instead of `{path}`. Rolls the pods."),
            format!("让探针访问无需登录的接口、附带所需请求头，或改用 tcpSocket 只检查端口（当前 `{path}`）。会滚动重建 Pod。"),
        ),
        _ => (
            "Cure what the log names. If the page also checks other services, take that out of liveness. Changing the probe rolls the pods.".to_owned(),
            "解决日志指出的问题；若该接口还检查其他服务，应从存活检查中去掉。修改探针会滚动重建 Pod。".to_owned(),
        ),
    };
    let finding = Finding::new(&CAUSE, Certainty::Confirmed)
        .says(
            format!("{en} answers the {probe_en} on `{path}` with {code}{why_en}, {effect_en}.", en = capital(&en)),
            format!("{zh} 对{probe_zh} `{path}` 返回 {code}{why_zh}，{effect_zh}。"),
        )
        .fix(read_the_log(facts, trouble.container))
        .fix(trouble.edit(facts, fix_en, fix_zh));
    trouble.tell(finding).some()
}

#[cfg(test)]
mod tests {
    use crate::diagnosis::testing::diagnose_pod;
    use crate::diagnosis::{Certainty, Verdict};

    const POD: &str = r#"
kind: Pod
metadata: {namespace: shop, name: web-1, creationTimestamp: "2026-01-01T09:00:00Z"}
spec:
  nodeName: n1
  containers: [{name: app, image: app, readinessProbe: {httpGet: {port: 8080, path: /ready}}}]
status:
  phase: Running
  conditions: [{type: Ready, status: "False", lastTransitionTime: "2026-01-01T09:00:00Z"}]
  containerStatuses:
  - {name: app, restartCount: 0, ready: false, started: true, image: app, imageID: "", state: {running: {startedAt: "2026-01-01T09:00:05Z"}}}
---
kind: Event
metadata: {namespace: shop, name: e2}
involvedObject: {kind: Pod, namespace: shop, name: web-1, fieldPath: "spec.containers{app}"}
reason: Unhealthy
message: 'Readiness probe failed: HTTP probe failed with statuscode: 404'
firstTimestamp: "2026-01-01T09:00:16Z"
lastTimestamp: "LAST"
count: 5
"#;

    #[test]
    fn there_is_no_such_page() {
        let diagnosis =
            diagnose_pod(&POD.replace("LAST", "2026-01-01T09:01:00Z"), "shop/web-1", "2026-01-01T09:02:00Z");
        let answer = diagnosis.answer().unwrap();
        assert_eq!((answer.cause.id, answer.certainty), ("probe-http-status", Certainty::Confirmed));
        assert!(answer.summary.en.contains("`/ready` with 404"), "{}", answer.summary.en);
    }

    #[test]
    fn failures_of_an_earlier_run_say_nothing() {
        let diagnosis =
            diagnose_pod(&POD.replace("LAST", "2026-01-01T09:00:01Z"), "shop/web-1", "2026-01-01T09:02:00Z");
        assert!(diagnosis.findings.iter().all(|f| f.cause.id != "probe-http-status"));
    }

    #[test]
    fn not_ready_yet_is_no_trouble_before_it_is_due() {
        let at = |code: &str, asked: &str| {
            let yaml = POD.replace("404", code).replace("LAST", "2026-01-01T09:00:36Z");
            diagnose_pod(&yaml, "shop/web-1", asked)
        };
        let young = at("503", "2026-01-01T09:00:40Z");
        assert_eq!(young.verdict, Verdict::Waiting, "{:?}", young.answer().map(|f| f.cause.id));
        assert_eq!(at("503", "2026-01-01T09:03:00Z").answer().unwrap().cause.id, "probe-http-status");
        // A page that does not exist does not come with time.
        assert_eq!(at("404", "2026-01-01T09:00:40Z").answer().unwrap().cause.id, "probe-http-status");
    }
}
