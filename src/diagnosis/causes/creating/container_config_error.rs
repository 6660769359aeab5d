//! The container's settings cannot work on this image or node.

use super::step::{self, Start};
use crate::diagnosis::causes::admission;
use crate::diagnosis::words::Words;
use crate::diagnosis::{Cause, Certainty, Finding, Fix, Page, Phase, Text, kubectl};
use crate::facts::Facts;
use crate::facts::reading::admission::Refusal;
use crate::facts::reading::mount;
use crate::facts::reading::runtime::StartFailure;
use crate::facts::reading::text::has_any;

pub static CAUSE: Cause = Cause {
    id: "container-config-error",
    phases: &[Phase::Creating, Phase::Admission],
    guide: &["ContainerCreating/Pod 配置错误"],
    page: Page {
        title: Text { en: "The container's settings cannot work", zh: "容器配置错误" },
        what: Text {
            en: "Kubelet or runtime cannot build the container from its settings: runAsNonRoot with an image that runs as root, a file mounted on a folder, a user or working directory that the image does not have, no command, a device, profile or capability that the node lacks.",
            zh: "kubelet 或运行时无法按配置创建容器：runAsNonRoot 但镜像以 root 运行、把文件挂载到目录上、镜像中不存在的用户或工作目录、没有启动命令，或节点缺少所需的设备、安全配置、权能。",
        },
        tell: Text {
            en: "Waiting reason CreateContainerConfigError, CreateContainerError or RunContainerError; the message says which setting. A missing ConfigMap, Secret or key, a missing command and a full disk have causes of their own; `name is reserved` means a slow runtime.",
            zh: "等待原因为 CreateContainerConfigError、CreateContainerError 或 RunContainerError，消息会说明是哪项配置。缺少 ConfigMap、Secret 或键、命令不存在、磁盘写满各有单独的原因；`name is reserved` 表示运行时太慢。",
        },
        fix: Text {
            en: "Correct the setting that the message names in the workload.",
            zh: "在工作负载中修正消息指出的配置。",
        },
        sources: &[
            "https://kubernetes.io/docs/tasks/configure-pod-container/security-context/",
            "https://github.com/kubernetes/kubernetes/blob/master/pkg/kubelet/kuberuntime/security_context.go",
        ],
    },
    check,
};

fn check(facts: &Facts<'_>) -> Option<Finding> {
    if facts.pod().is_none() {
        return of_refused_pods(facts);
    }
    step::starts(facts).into_iter().find_map(|start| of(facts, start))
}

fn of(facts: &Facts<'_>, start: Start<'_>) -> Option<Finding> {
    if mount::missing_source(start.text).is_some() {
        return None;
    }
    let lower = start.text.to_ascii_lowercase();
    let name = start.container.name();
    let image = step::plain(start.container.image());
    let shown = tail(start.text);
    let (certainty, en, zh, hint_en, hint_zh) = match &start.failure {
        _ if has_any(&lower, &["image will run as root", "runasuser breaks non-root policy"]) => (
            Certainty::Confirmed,
            format!("Container `{name}` must not run as root (runAsNonRoot), but image `{image}` does."),
            format!("容器 `{name}` 设置了 runAsNonRoot，但镜像 `{image}` 以 root 运行。"),
            "Set runAsUser to a number other than 0 that the image can run as, or build the image with a USER.",
            "把 runAsUser 设为镜像可用的非 0 数字，或在镜像中声明 USER。",
        ),
        _ if lower.contains("non-numeric user") => (
            Certainty::Confirmed,
            format!(
                "Container `{name}` must not run as root (runAsNonRoot), and image `{image}` names its user by name, which the kubelet cannot check."
            ),
            format!("容器 `{name}` 设置了 runAsNonRoot，而镜像 `{image}` 用名字声明用户，kubelet 无法验证。"),
            "Set runAsUser to that user's number, or write the number as USER in the image.",
            "把 runAsUser 设为该用户的数字 UID，或在镜像的 USER 中写数字。",
        ),
        // A source that is gone has its own causes.
        StartFailure::SubPathGone { .. } => return None,
        StartFailure::MountMismatch { target, .. } => {
            let at = target.as_deref().map(|target| format!(" `{}`", step::plain(target))).unwrap_or_default();
            (
                Certainty::Confirmed,
                format!("In container `{name}` a file is mounted on a folder or a folder on a file{at}."),
                format!("容器 `{name}` 中把文件挂载到了目录上，或把目录挂载到了文件上{at}。"),
                "Make mountPath and subPath of one kind: a file on a path that ends in the file's name, a folder on a folder.",
                "让 mountPath 与 subPath 类型一致：文件挂载到以文件名结尾的路径，目录挂载到目录。",
            )
        }
        StartFailure::UnknownUser { user } => {
            let user = user.as_deref().map(|user| format!(" `{}`", step::plain(user))).unwrap_or_default();
            (
                Certainty::Confirmed,
                format!("The user or group{user} of container `{name}` is not in image `{image}`."),
                format!("容器 `{name}` 的用户或组{user}在镜像 `{image}` 中不存在。"),
                "Name a user that the image has, or its number.",
                "使用镜像中存在的用户，或直接写 UID。",
            )
        }
        StartFailure::WorkingDirectory { path } => {
            let path = path.as_deref().map(|path| format!(" `{}`", step::plain(path))).unwrap_or_default();
            (
                Certainty::Confirmed,
                format!("The working directory{path} of container `{name}` is missing or may not be entered."),
                format!("容器 `{name}` 的工作目录{path}不存在或无权进入。"),
                "Correct workingDir, or the rights of the folder in the image for the user that it runs as.",
                "修正 workingDir，或镜像中该目录对运行用户的权限。",
            )
        }
        StartFailure::NoCommand => (
            Certainty::Confirmed,
            format!("Neither image `{image}` nor container `{name}` says which command to run."),
            format!("镜像 `{image}` 和容器 `{name}` 都没有指定启动命令。"),
            "Set command in the container, or ENTRYPOINT or CMD in the image.",
            "在容器中设置 command，或在镜像中设置 ENTRYPOINT、CMD。",
        ),
        StartFailure::Confinement => (
            Certainty::Confirmed,
            format!("The node cannot apply a security setting of container `{name}`: {shown}"),
            format!("节点无法应用容器 `{name}` 的安全配置：{shown}"),
            "Correct the seccomp or AppArmor profile, capability or sysctl, or put the profile on the nodes.",
            "修正 seccomp、AppArmor 配置、权能或 sysctl，或在节点上安装相应配置文件。",
        ),
        StartFailure::Device => (
            Certainty::Likely,
            format!("A device that container `{name}` asks for cannot be given to it: {shown}"),
            format!("无法为容器 `{name}` 提供所需设备：{shown}"),
            "Check the device and its driver on the node (for GPUs the driver and the container toolkit).",
            "检查节点上的设备和驱动（GPU 需检查驱动和容器工具包）。",
        ),
        StartFailure::MountFailed => (
            Certainty::Likely,
            format!("A mount of container `{name}` cannot be made: {shown}"),
            format!("容器 `{name}` 的挂载失败：{shown}"),
            "Correct the volumeMount (path, read-only root, source on the node).",
            "修正 volumeMount（路径、只读根文件系统、节点上的源路径）。",
        ),
        _ if has_any(
            &lower,
            &[
                "failed to prepare subpath",
                "failed to create subpath",
                "cannot find volume",
                "must be defined in the pod",
                "invalid capability",
                "invalid mount",
                "duplicate mount point",
                "host pid",
                "invalid environment",
                "must be relative",
            ],
        ) =>
        {
            (
                Certainty::Likely,
                format!("Container `{name}` cannot be built from its settings: {shown}"),
                format!("容器 `{name}` 无法按配置创建：{shown}"),
                "Correct the setting that the message names.",
                "修正消息指出的配置。",
            )
        }
        // Commands, memory, disks and slow runtimes have causes of their own; what passes by itself is none.
        StartFailure::Other
            if start.reason == "CreateContainerConfigError"
                && !has_any(
                    &lower,
                    &[
                        "failed to sync",
                        "services have not yet been read",
                        "timed out",
                        "connection refused",
                        "deadline",
                        "no space left",
                        "cannot allocate memory",
                    ],
                ) =>
        {
            (
                Certainty::Likely,
                format!("Container `{name}` cannot be built from its settings: {shown}"),
                format!("容器 `{name}` 无法按配置创建：{shown}"),
                "Correct the setting that the message names.",
                "修正消息指出的配置。",
            )
        }
        // The error says what, and not which setting: nothing here knows better.
        StartFailure::Other
            if !has_any(&lower, &["timed out", "connection refused", "deadline", "unavailable", "eof"])
                && start.reason != "CreateContainerConfigError" =>
        {
            (
                Certainty::Possible,
                format!("The runtime cannot create or start container `{name}`: {shown}"),
                format!("运行时无法创建或启动容器 `{name}`：{shown}"),
                "Read the error; if it names a setting, correct that.",
                "查看报错；如果指出了某项配置，修正它。",
            )
        }
        _ => return None,
    };
    Finding::new(&CAUSE, certainty)
        .in_container(start.container)
        .because([start.evidence.clone()])
        .because(security(&start, &lower))
        .explains(&[
            "app-exit-error",
            "init-container-failing",
            "volume-mount-failed",
            "command-not-found",
            "command-not-executable",
        ])
        .says(en, zh)
        .fix(
            Fix::careful(Words::new(
                format!("{hint_en} The change replaces the pods."),
                format!("{hint_zh}修改会替换 Pod。"),
            ))
            .command(kubectl::edit(&facts.workload())),
        )
        .some()
}

/// The API refuses a template that breaks its own rules: no pod of it can ever be made.
fn of_refused_pods(facts: &Facts<'_>) -> Option<Finding> {
    let refused = admission::refused(facts)?;
    let Refusal::Invalid(text) = refused.refusal else { return None };
    let shown = step::plain(text.split_once(" is invalid: ").map_or(text, |(_, rest)| rest));
    let workload = facts.workload();
    Finding::confirmed(&CAUSE)
        .because(refused.evidence)
        .says(
            format!("{workload} cannot make its pods, since their settings are invalid: {shown}"),
            format!("{workload} 无法创建 Pod，因为配置无效：{shown}"),
        )
        .fix(
            Fix::careful(Words::new(
                "Correct the field that the message names. The change replaces the pods.",
                "修正消息指出的字段。修改会替换 Pod。",
            ))
            .command(kubectl::edit(&workload)),
        )
        .some()
}

/// Returns where the pod asks for what the image does not do.
fn security(start: &Start<'_>, lower: &str) -> Option<crate::facts::Evidence> {
    if !lower.contains("non-root") && !lower.contains("runasnonroot") {
        return None;
    }
    let own = start.container.spec.security_context.as_ref().and_then(|context| context.run_as_non_root);
    if own == Some(true) {
        return Some(start.container.setting("securityContext.runAsNonRoot", true));
    }
    let of_pod = start.container.pod.spec()?.security_context.as_ref()?.run_as_non_root?;
    Some(crate::facts::Evidence::field("pod.spec.securityContext.runAsNonRoot", of_pod, None))
}

/// Returns the end of the error, which says most.
fn tail(text: &str) -> String {
    let end = text.rsplit("unable to start container process: ").next().unwrap_or(text);
    step::plain(end.rsplit("desc = ").next().unwrap_or(end))
}

#[cfg(test)]
mod tests {
    use crate::diagnosis::Certainty;
    use crate::diagnosis::causes::creating::step::tests::{APP, causes, diagnose, pod};
    use crate::diagnosis::testing::{diagnose_in, refused_set, world};

    #[test]
    fn root_where_it_must_not_be() {
        let yaml = pod(
            APP,
            "{reason: CreateContainerConfigError, message: 'container has runAsNonRoot and image will run as root (pod: \"web_shop(u1)\", container: app)'}",
        );
        let diagnosis = diagnose(&yaml);
        let found = diagnosis.answer().unwrap();
        assert_eq!((found.cause.id, found.certainty), ("container-config-error", Certainty::Confirmed));
    }

    #[test]
    fn a_cache_that_is_not_there_yet_passes() {
        let yaml = pod(
            APP,
            "{reason: CreateContainerConfigError, message: 'failed to sync configmap cache: timed out waiting for the condition'}",
        );
        assert!(!causes(&yaml).contains(&"container-config-error"));
    }

    #[test]
    fn a_name_that_is_reserved_is_a_slow_runtime() {
        let yaml = pod(
            APP,
            "{reason: CreateContainerError, message: 'failed to reserve container name \"app_web\": name \"app_web\" is reserved for \"1\"'}",
        );
        assert!(!causes(&yaml).contains(&"container-config-error"));
    }

    #[test]
    fn a_template_that_breaks_the_api_s_own_rules() {
        let ask = |text: &str| {
            let diagnosis = diagnose_in(&world(&refused_set(text)), "prod/ReplicaSet/api-1", "2026-01-01T00:05:00Z");
            diagnosis.answer().map(|finding| finding.cause.id)
        };
        let invalid = r#"Pod "api-1-x" is invalid: spec.containers[0].volumeMounts[1].mountPath: Invalid value: "/etc/app": must be unique"#;
        assert_eq!(ask(invalid), Some("container-config-error"));
        assert_ne!(
            ask("pods \"api-1-x\" is forbidden: no PriorityClass with name high was found"),
            Some("container-config-error")
        );
    }
}
