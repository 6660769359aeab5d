//! The program ends by itself with an error; its last words say why.

use super::{
    Death, capital, deaths, events_cover, named, newest_job, probe_of, read_the_log, sidecar_not_ready, times,
};
use crate::diagnosis::cause::{Cause, Page, Phase};
use crate::diagnosis::finding::{Certainty, Finding, Fix};
use crate::diagnosis::kubectl;
use crate::diagnosis::words::{Text, Words};
use crate::facts::reading::app_log::{Complaint, Decisive};
use crate::facts::reading::exit;
use crate::facts::reading::probe::Kind;
use crate::facts::{ContainerView, Evidence, Facts, Role, Subject, Workload};

pub static CAUSE: Cause = Cause {
    id: "app-exit-error",
    phases: &[Phase::Crashing],
    guide: &["CrashLoopBackOff/ExitCode"],
    page: Page {
        title: Text { en: "The program ends with an error", zh: "程序自身以错误退出" },
        what: Text {
            en: "Nobody killed the container: its program ended by itself with a code other than 0, and Kubernetes starts it \
                 again with growing pauses (or, in a Job, gives up after some tries). The reason stands in the program's log: \
                 a missing file or setting, a dependency that refuses, a bug.",
            zh: "没有人杀死容器：程序自己以非 0 退出码结束，Kubernetes 以越来越长的间隔重启它（Job 则在若干次后放弃）。\
                 原因在程序日志里：缺文件或配置、依赖拒绝连接、程序缺陷等。",
        },
        tell: Text {
            en: "Reason `Error`, no `Killing` event before the end, not `OOMKilled`. Readiness failures around it are a \
                 consequence: readiness never kills.",
            zh: "终止原因 `Error`，结束前没有 `Killing` 事件，也不是 `OOMKilled`。伴随的就绪检查失败只是结果：就绪检查不会杀容器。",
        },
        fix: Text {
            en: "Read the last lines of the run that ended, and cure what they name.",
            zh: "查看上一次运行的最后日志并解决其指出的问题。",
        },
        sources: &["https://kubernetes.io/docs/tasks/debug/debug-application/debug-running-pod/"],
    },
    check,
};

fn check(facts: &Facts<'_>) -> Option<Finding> {
    if let Subject::Workload(workload) = &facts.subject {
        return failed_job(facts, workload);
    }
    // A failing init container has a cause of its own, which names this one.
    let mut deaths = deaths(facts);
    // Of several, the one that is down now, and the one that died most.
    deaths.sort_by_key(|death| (death.container.is_running(), -death.container.restarts()));
    deaths.iter().filter(|death| death.container.role != Role::Init).find_map(|death| ended(facts, death))
}

fn ended(facts: &Facts<'_>, death: &Death<'_>) -> Option<Finding> {
    let code = death.end.exit_code;
    // 137 and 143 come from outside: whose signal it was is what other causes tell.
    if code == 0 || matches!(code, exit::KILLED | exit::TERMINATED) || !death.by_itself(facts.world) {
        return None;
    }
    let words = death.last_words(facts.world);
    // The file is for another platform: no error of the program's own.
    if words.as_ref().is_some_and(|words| words.complaint == Complaint::WrongFormat) {
        return None;
    }
    let could_be_probe =
        [Kind::Liveness, Kind::Startup].into_iter().any(|kind| probe_of(death.container, kind).is_some())
            && !events_cover(facts, death);
    let certainty = match words.as_ref().map(|words| &words.complaint) {
        // What these name may lie outside of the program: its rights, the node.
        Some(Complaint::ApiForbidden | Complaint::NoMemory | Complaint::DiskFull) => Certainty::Likely,
        // Silent, or without a complaint: a probe whose events are gone, or a proxy that is not up, look alike.
        None | Some(Complaint::LastWords) if could_be_probe || talks_through_a_proxy(death.container) => {
            Certainty::Likely
        }
        // Without its log any cause of its own may be behind the code.
        None if !events_cover(facts, death) || facts.part().is_some() => Certainty::Likely,
        _ => Certainty::Confirmed,
    };
    let ((en, zh), (times_en, times_zh)) = (named(death.container), times(death.container));
    let (why_en, why_zh) = reason(code, words.as_ref());
    let finding = Finding::new(&CAUSE, certainty)
        .in_container(death.container)
        .says(
            format!("{} ends by itself with exit code {code}{why_en}{times_en}.", capital(&en)),
            format!("{zh} 自行以退出码 {code} 结束{why_zh}{times_zh}。"),
        )
        .because(words.as_ref().map(|words| words.line.evidence()))
        .because(death.evidence())
        .fix(read_the_log(facts, death.container));
    let finding = match words.as_ref().and_then(|words| advice(&words.complaint)) {
        Some(words) => finding.fix(Fix::careful(words).command(kubectl::edit(&facts.workload()))),
        None => finding,
    };
    finding.explains(&["probe-port-closed", "probe-timeout", "probe-http-status"]).some()
}

fn talks_through_a_proxy(container: ContainerView<'_>) -> bool {
    let others = |other: &ContainerView<'_>| other.role != Role::Init && other.name() != container.name();
    container.pod.containers().filter(others).any(sidecar_not_ready::is_proxy)
}

/// Returns what to say after the exit code: the complaint in words, and the line itself.
pub(super) fn reason(code: i32, words: Option<&Decisive<'_>>) -> (String, String) {
    let meaning = exit::meaning(code).filter(|_| code != 2);
    match words {
        Some(words) => {
            let (en, zh) = complaint(&words.complaint);
            let line: String = shortened(words.line.text);
            (format!(": {en}`{line}`"), format!("：{zh}`{line}`"))
        }
        None => meaning.map_or_else(Default::default, |m| (format!(" ({})", m.en), format!("（{}）", m.zh))),
    }
}

fn shortened(line: &str) -> String {
    const MOST: usize = 160;
    let line = line.trim().replace('`', "'");
    if line.chars().count() <= MOST { line } else { line.chars().take(MOST).chain(['…']).collect() }
}

fn complaint(complaint: &Complaint) -> (String, String) {
    let with =
        |text: &str, value: &Option<String>| value.as_ref().map_or_else(|| text.to_owned(), |v| format!("{text} {v}"));
    let (en, zh) = match complaint {
        Complaint::Refused { peer } => {
            (with("connection refused by", peer).replace("refused by:", "refused:"), with("连接被拒绝", peer))
        }
        Complaint::UnknownHost { host } => (with("it cannot resolve", host), with("无法解析主机名", host)),
        Complaint::Unreachable { peer } => (with("it cannot reach", peer), with("无法连通", peer)),
        Complaint::Authentication => ("its login is refused".into(), "认证被拒绝".into()),
        Complaint::Certificate => ("a certificate is not trusted or has expired".into(), "证书不受信任或已过期".into()),
        Complaint::ApiForbidden => ("its service account may not do that".into(), "ServiceAccount 无权限".into()),
        Complaint::MissingSetting { name } => (with("a setting is missing:", name), with("缺少配置", name)),
        Complaint::MissingFile { path } => (with("a file is missing:", path), with("缺少文件", path)),
        Complaint::MissingCode { name } => (with("a module or library is missing:", name), with("缺少模块或库", name)),
        Complaint::PermissionDenied { path } => (with("permission denied on", path), with("权限不足", path)),
        Complaint::PortInUse { port } => (with("a port is in use:", port), with("端口已被占用", port)),
        Complaint::DiskFull => ("no space left".into(), "磁盘空间不足".into()),
        Complaint::HeapExhausted => ("its own heap is full".into(), "程序自身的堆已满".into()),
        Complaint::NoMemory => {
            ("the system refused it memory or a process".into(), "系统拒绝分配内存或创建进程".into())
        }
        Complaint::TooMany => ("too many open files or watches".into(), "打开的文件或监听过多".into()),
        Complaint::Migration => ("a database migration failed".into(), "数据库迁移失败".into()),
        Complaint::Locked => ("somebody else holds the lock".into(), "锁被占用".into()),
        Complaint::BadFlag { flag } => (with("it does not know the argument", flag), with("不认识的参数", flag)),
        Complaint::BadConfig => ("its settings cannot be read".into(), "配置无法解析".into()),
        Complaint::CommandNotFound { command } => (with("command not found:", command), with("找不到命令", command)),
        Complaint::CommandNotExecutable { command } => (with("may not execute", command), with("无权执行", command)),
        Complaint::WrongFormat | Complaint::Exception | Complaint::Error | Complaint::LastWords => {
            return (String::new(), String::new());
        }
    };
    let tidy = |text: String, end: &str| {
        let cut = text.trim_end_matches([':', ' ']).trim_end_matches(" by").trim_end_matches(" on").to_owned();
        cut + end
    };
    (tidy(en, "; "), tidy(zh, "；"))
}

fn advice(complaint: &Complaint) -> Option<Words> {
    Some(match complaint {
        Complaint::Refused { peer: Some(peer) } => Words::new(
            format!("Check that {peer} is up and that the address is right; correct it here if it is not."),
            format!("确认 {peer} 已启动且地址正确；若地址有误在此修正。"),
        ),
        Complaint::UnknownHost { host: Some(host) } => Words::new(
            format!("Check the name `{host}` (service, namespace, typing); correct it here if it is wrong."),
            format!("检查主机名 `{host}`（Service 名、命名空间、拼写）；有误则在此修正。"),
        ),
        Complaint::MissingSetting { name: Some(name) } => Words::new(
            format!("Set `{name}` in the container's env. Rolls the pods."),
            format!("在容器 env 中设置 `{name}`。会滚动重建 Pod。"),
        ),
        Complaint::BadFlag { .. } => Words::new(
            "Correct the container's args: the image's version may have changed its flags. Rolls the pods.",
            "修正容器 args：镜像版本可能改变了参数。会滚动重建 Pod。",
        ),
        Complaint::HeapExhausted => Words::new(
            "Give the program a larger heap (and the container a limit that holds it), or find the leak. Rolls the pods.",
            "调大程序堆大小（并保证容器 limit 足够），或排查内存泄漏。会滚动重建 Pod。",
        ),
        Complaint::PermissionDenied { .. } => Words::new(
            "Check runAsUser, fsGroup and readOnlyRootFilesystem against the owner of what it writes. Rolls the pods.",
            "核对 runAsUser、fsGroup、readOnlyRootFilesystem 与目标文件的属主。会滚动重建 Pod。",
        ),
        _ => return None,
    })
}

/// A Job that gave up, and none of its pods is left to look at.
fn failed_job(facts: &Facts<'_>, workload: &Workload) -> Option<Finding> {
    let job = newest_job(facts, workload)?;
    let name = job.metadata.name.as_deref().unwrap_or_default();
    let status = job.status.as_ref()?;
    let failed = status.conditions.as_deref()?.iter().find(|c| {
        c.type_ == "Failed"
            && c.status == "True"
            && matches!(
                c.reason.as_deref(),
                Some("BackoffLimitExceeded" | "PodFailurePolicy" | "FailedIndexes" | "MaxFailedIndexesExceeded")
            )
    })?;
    let left = facts.world.pods.seen_in(&workload.namespace).any(|pod| {
        let of = Workload::of_pod(&pod.metadata);
        of.kind == "Job" && of.name == name
    });
    if left {
        // The pods tell more than the Job: they are asked one by one.
        return None;
    }
    let (reason, message) =
        (failed.reason.as_deref().unwrap_or_default(), failed.message.as_deref().unwrap_or_default());
    let count = status.failed.unwrap_or(0);
    Finding::possible(&CAUSE)
        .says(
            format!(
                "Job `{name}` gave up: {count} of its pods failed ({reason}), and none of them is left to say why."
            ),
            format!("Job `{name}` 已放弃：{count} 个 Pod 失败（{reason}），且都已不在，无法得知原因。"),
        )
        .because([Evidence::field(
            "job.status.conditions[Failed]",
            format!("{reason}: {message}"),
            failed.last_transition_time.as_ref().map(|t| t.0),
        )])
        .fix(
            Fix::safe(Words::new("See the Job's events and settings.", "查看 Job 的事件与设置。"))
                .command(kubectl::describe(facts)),
        )
        .some()
}

#[cfg(test)]
mod tests {
    use crate::diagnosis::Certainty;
    use crate::diagnosis::testing::{diagnose_in, diagnose_pod, world};
    use crate::facts::log::ContainerLog;

    const POD: &str = r#"
kind: Pod
metadata: {namespace: shop, name: web-1, creationTimestamp: "2026-01-01T09:00:00Z"}
spec: {nodeName: n1, containers: [{name: app, image: app}]}
status:
  phase: Running
  containerStatuses:
  - {name: app, restartCount: 2, ready: READY, image: app, imageID: "", state: STATE,
     lastState: {terminated: {reason: Error, exitCode: 1, startedAt: "2026-01-01T09:05:00Z", finishedAt: "2026-01-01T09:05:01Z"}}}
"#;

    fn with_log(yaml: &str, log: &str) -> crate::facts::World {
        let mut world = world(yaml);
        let log = ContainerLog { previous: Some(log.to_owned()), ..ContainerLog::default() };
        world.logs.insert(("shop".to_owned(), "web-1".to_owned(), "app".to_owned()), log);
        world
    }

    #[test]
    fn its_last_words_say_why() {
        let yaml = POD.replace("READY", "false").replace("STATE", "{waiting: {reason: CrashLoopBackOff}}");
        let world = with_log(&yaml, "starting\ndial tcp 10.0.0.7:5432: connect: connection refused\n");
        let diagnosis = diagnose_in(&world, "shop/web-1", "2026-01-01T09:06:00Z");
        let answer = diagnosis.answer().unwrap();
        assert_eq!((answer.cause.id, answer.certainty), ("app-exit-error", Certainty::Confirmed));
        assert_eq!(
            answer.summary.en,
            "Container `app` ends by itself with exit code 1: connection refused by 10.0.0.7:5432; `dial tcp 10.0.0.7:5432: connect: connection refused`, restarted 2 times so far."
        );
    }

    #[test]
    fn a_container_that_got_past_it_is_well() {
        let yaml = POD.replace("READY", "true").replace("STATE", r#"{running: {startedAt: "2026-01-01T09:05:12Z"}}"#);
        let at = |time| diagnose_pod(&yaml, "shop/web-1", time).findings.iter().any(|f| f.cause.id == "app-exit-error");
        assert!(at("2026-01-01T09:05:20Z"), "it may die any moment");
        assert!(!at("2026-01-01T09:20:00Z"), "it has run far longer than ever before");
    }

    #[test]
    fn once_at_the_start_is_over_sooner_than_again_and_again() {
        // Started at 09:00, died after ten seconds, up since 09:00:20.
        let once = POD
            .replace("READY", "true")
            .replace("restartCount: 2", "restartCount: 1")
            .replace("STATE", r#"{running: {startedAt: "2026-01-01T09:00:20Z"}}"#)
            .replace("09:05:00Z", "09:00:05Z")
            .replace("09:05:01Z", "09:00:15Z");
        let told = |yaml: &str, time| diagnose_pod(yaml, "shop/web-1", time).findings[0].cause.id == "app-exit-error";
        assert!(told(&once, "2026-01-01T09:00:40Z"));
        assert!(!told(&once, "2026-01-01T09:02:00Z"));
        // Ran for an hour before it died: two minutes are no proof.
        let after_an_hour = once.replace("09:00:15Z", "10:00:15Z").replace("09:00:20Z", "10:00:20Z");
        assert!(told(&after_an_hour, "2026-01-01T10:02:00Z"));
    }

    #[test]
    fn a_job_without_a_pod_is_not_sure() {
        let yaml = r#"
kind: Job
metadata: {namespace: shop, name: nightly}
spec: {template: {spec: {containers: []}}}
status: {failed: 3, conditions: [{type: Failed, status: "True", reason: BackoffLimitExceeded, message: Job has reached the specified backoff limit}]}
"#;
        let diagnosis = diagnose_in(&world(yaml), "shop/Job/nightly", "2026-01-01T09:06:00Z");
        let answer = diagnosis.answer().unwrap();
        assert_eq!((answer.cause.id, answer.certainty), ("app-exit-error", Certainty::Possible));
    }
}
