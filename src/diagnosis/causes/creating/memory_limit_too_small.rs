//! The memory limit is too small for the sandbox or the container to start, or its unit is wrong.

use super::step;
use crate::diagnosis::words::Words;
use crate::diagnosis::{Cause, Certainty, Finding, Fix, Page, Phase, Remedy, Text, kubectl};
use crate::facts::reading::kernel::{self, NoMemory, NoSpace};
use crate::facts::{ContainerView, Evidence, Facts, Stage, quantity};

pub static CAUSE: Cause = Cause {
    id: "memory-limit-too-small",
    phases: &[Phase::Creating],
    guide: &["ContainerCreating/limit 设置太小或者单位不对"],
    page: Page {
        title: Text {
            en: "The memory limit is too small to start, or its unit is wrong",
            zh: "内存 limit 太小或单位不对",
        },
        what: Text {
            en: "`m` means a thousandth: `memory: 1024m` is one byte. The pod's cgroup takes the sum of its containers' limits, so already the pause process is killed; from Kubernetes 1.32 or so on the token's tmpfs gets that size and cannot be written.",
            zh: "`m` 表示千分之一：`memory: 1024m` 只有约 1 字节。Pod 的 cgroup 使用各容器 limit 之和，pause 进程一启动就会被杀掉；较新的版本中，存放 token 的 tmpfs 也按此大小创建而无法写入。",
        },
        tell: Text {
            en: "The limit as it is written (`m`, a bare number, below a few MiB) together with a sandbox that dies: `container init was OOM-killed (memory limit too low?)`, `signal: killed`, `read init-p: connection reset by peer`, repeated SandboxChanged, or `no space left on device` for the token volume. An app that runs and is OOMKilled later is cgroup-oom.",
            zh: "limit 的写法（`m`、没有单位、只有几 MiB 以下）加上 Sandbox 起不来：`container init was OOM-killed (memory limit too low?)`、`signal: killed`、`read init-p: connection reset by peer`、反复 SandboxChanged，或写 token 卷时 `no space left on device`。应用运行后才 OOMKilled 的属于 cgroup OOM。",
        },
        fix: Text { en: "Write the limit in Mi or Gi.", zh: "用 Mi 或 Gi 写 limit。" },
        sources: &[
            "https://kubernetes.io/docs/concepts/configuration/manage-resources-containers/#meaning-of-memory",
            "https://github.com/opencontainers/runc/blob/main/libcontainer/process_linux.go",
        ],
    },
    check,
};

/// No process starts in less. Above it the start itself works, whatever becomes of the app.
const TINY: f64 = 512.0 * 1024.0;
/// Below this the runtime's own first process may be killed: CRI-O asks for 12 MiB, and runc from 1.0-rc6 to 1.1 copies
/// itself into the container's memory first.
const SMALL: f64 = 32.0 * 1024.0 * 1024.0;

fn check(facts: &Facts<'_>) -> Option<Finding> {
    let pod = step::pod(facts)?;
    let smallest = pod
        .containers()
        .filter_map(|container| Some((container, container.limit("memory")?)))
        .min_by(|a, b| a.1.total_cmp(&b.1));
    let (tiny, small) = (smallest.filter(|(_, limit)| *limit < TINY), smallest.filter(|(_, limit)| *limit < SMALL));
    let texts = step::texts(facts);
    let said = texts.iter().find(|(text, ..)| kernel::memory_limit_too_small(text) && !kernel::died_in_start(text));
    let fits = |text: &str| {
        kernel::died_in_start(text)
            || kernel::no_memory(text) == Some(NoMemory::Cgroup)
            || kernel::no_space(text) == Some(NoSpace::PodTmpfs)
            || text.contains("setns process")
    };
    if let Some((_, evidence, container)) = said {
        // A full memory-backed volume outlives its container and fills the limit: then the start is killed whatever it is.
        let at = (*container).or(smallest.map(|(container, _)| container))?;
        if small.is_none() && fills_memory_volume(at) {
            return None;
        }
        let certainty = if small.is_some() { Certainty::Confirmed } else { Certainty::Likely };
        return finding(facts, at, certainty, vec![evidence.clone()]);
    }
    if let Some((container, _)) = small
        && let Some((_, evidence, _)) = texts.iter().find(|(text, ..)| fits(text))
    {
        let certainty = if tiny.is_some() { Certainty::Confirmed } else { Certainty::Likely };
        return finding(facts, container, certainty, vec![evidence.clone()]);
    }
    // It came as far as the container, and was killed there: the unit is still the reason.
    if let Some((container, _)) = tiny
        && let Some(end) = container.latest_end().filter(|end| end.reason == "OOMKilled")
    {
        return finding(facts, container, Certainty::Confirmed, vec![end.evidence()]);
    }
    // The settings alone: nothing can start with so little, and nothing has.
    let (container, _) = tiny.filter(|_| pod.stage() == Stage::Creating && pod.node_name().is_some())?;
    if pod.containers().any(|container| container.is_running() || container.restarts() > 0) {
        return None;
    }
    let changed = pod.last_event(facts.world, "SandboxChanged").map(|event| event.evidence());
    let certainty = if changed.is_some() { Certainty::Confirmed } else { Certainty::Likely };
    finding(facts, container, certainty, changed.into_iter().collect())
}

fn finding(
    facts: &Facts<'_>,
    container: ContainerView<'_>,
    certainty: Certainty,
    evidence: Vec<Evidence>,
) -> Option<Finding> {
    let (text, setting) = container.memory_limit_text()?;
    let (shown, value) = (step::plain(text), container.limit("memory").unwrap_or_default());
    let better = suggestion(text, value);
    let (means_en, means_zh) = if text.ends_with('m') {
        (format!(" (that is {} bytes)", trimmed(value)), format!("（即 {} 字节）", trimmed(value)))
    } else {
        (String::new(), String::new())
    };
    Finding::new(&CAUSE, certainty)
        .in_container(container)
        .because([setting])
        .because(evidence)
        .explains(&[
            "sandbox-create-failed",
            "volume-mount-failed",
            "container-disk-full",
            "memory-fragmentation",
            "cgroup-leak",
            "container-config-error",
            "cgroup-oom",
            "app-exit-error",
        ])
        .says(
            format!(
                "The memory limit `{shown}`{means_en} of container `{}` is too small for it to start.",
                container.name()
            ),
            format!("容器 `{}` 的内存 limit `{shown}`{means_zh}太小，无法启动。", container.name()),
        )
        .fix(
            Fix::careful(Words::new(
                format!("Write the limit with its unit, such as `{better}`. The change replaces the pods."),
                format!("写上正确的单位，例如 `{better}`。修改会替换 Pod。"),
            ))
            .command(kubectl::set_memory_limit(&facts.workload(), container.name(), &better)),
        )
        .remedy(Remedy::RaiseMemoryLimit)
        .aims_at_memory(better)
        .some()
}

/// Returns the limit that was probably meant: the same number in Mi, or the least that starts.
fn suggestion(text: &str, value: f64) -> String {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    match digits.parse::<f64>() {
        Ok(number) if value < TINY && (16.0..65_536.0).contains(&number) => format!("{digits}Mi"),
        _ => quantity::bytes((value * 4.0).max(64.0 * 1024.0 * 1024.0)),
    }
}

fn trimmed(value: f64) -> String {
    let text = format!("{value:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn fills_memory_volume(container: ContainerView<'_>) -> bool {
    let volumes = container.pod.spec().and_then(|spec| spec.volumes.as_ref());
    volumes
        .into_iter()
        .flatten()
        .any(|volume| volume.empty_dir.as_ref().is_some_and(|dir| dir.medium.as_deref() == Some("Memory")))
}

#[cfg(test)]
mod tests {
    use crate::diagnosis::Certainty;
    use crate::diagnosis::causes::creating::step::tests::{CREATING, causes, diagnose, event, pod};

    fn with_limit(limit: &str) -> String {
        pod(&format!("  containers: [{{name: app, image: a, resources: {{limits: {{memory: '{limit}'}}}}}}]"), CREATING)
    }

    const PIPE: &str = r#"Failed create pod sandbox: rpc error: code = Unknown desc = failed to start sandbox container for pod "web": Error response from daemon: OCI runtime create failed: container_linux.go:345: starting container process caused "process_linux.go:303: getting the final child's pid from pipe caused \"read init-p: connection reset by peer\"": unknown"#;

    #[test]
    fn the_unit_m_and_a_dying_sandbox() {
        let diagnosis = diagnose(&(with_limit("3500m") + &event("FailedCreatePodSandBox", 8, PIPE)));
        let found = diagnosis.answer().unwrap();
        assert_eq!((found.cause.id, found.certainty), ("memory-limit-too-small", Certainty::Confirmed));
        assert!(found.summary.en.contains("`3500m`") && found.summary.en.contains("3.5 bytes"), "{}", found.summary.en);
        assert!(found.fixes[0].command.as_deref().unwrap().contains("memory=3500Mi"));
    }

    #[test]
    fn the_tokens_tmpfs_is_no_full_disk() {
        let text = "MountVolume.SetUp failed for volume \"kube-api-access-t\" : write /var/lib/kubelet/pods/1/volumes/kubernetes.io~projected/kube-api-access-t/..1/token: no space left on device";
        assert_eq!(
            causes(&(with_limit("1024m") + &event("FailedMount", 8, text))).first(),
            Some(&"memory-limit-too-small")
        );
    }

    #[test]
    fn a_sane_limit_and_the_same_death_is_another_cause() {
        let yaml = with_limit("512Mi") + &event("FailedCreatePodSandBox", 8, PIPE);
        assert!(!causes(&yaml).contains(&"memory-limit-too-small"));
    }
}
