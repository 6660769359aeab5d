//! A subPath mount of a changed ConfigMap or Secret: the container cannot be restarted in place.

use super::step;
use crate::diagnosis::words::Words;
use crate::diagnosis::{Cause, Finding, Fix, Page, Phase, Remedy, Text, kubectl};
use crate::facts::reading::runtime::StartFailure;
use crate::facts::{Facts, PodView};

pub static CAUSE: Cause = Cause {
    id: "subpath-stale-mount",
    phases: &[Phase::Creating],
    guide: &["ContainerCreating/subpath 的 bug"],
    page: Page {
        title: Text {
            en: "A subPath mount of a changed ConfigMap or Secret is stale",
            zh: "ConfigMap/Secret 变更后 subPath 挂载失效",
        },
        what: Text {
            en: "The kubelet binds the file of a subPath once. When the ConfigMap or Secret changes it swaps the files, and a container that restarts in place finds its bind mount's source gone. Fixed in Kubernetes 1.19 (and later 1.16 to 1.18); a short race is left.",
            zh: "kubelet 只绑定一次 subPath 的文件。ConfigMap 或 Secret 变更后文件被替换，容器原地重启时绑定挂载的源已不存在。Kubernetes 1.19（及 1.16–1.18 的后续补丁）已修复，但仍有短暂的竞态。",
        },
        tell: Text {
            en: "The start fails with `…/volume-subpaths/<volume>/… no such file or directory`, the volume is a ConfigMap or Secret, and the container ran before. `not a directory` means that subPath and mountPath are of different kinds: container-config-error.",
            zh: "启动失败并报 `…/volume-subpaths/<卷>/… no such file or directory`，该卷是 ConfigMap 或 Secret，且容器之前运行过。`not a directory` 表示 subPath 与 mountPath 类型不符，属于容器配置错误。",
        },
        fix: Text {
            en: "Delete the pod; its successor mounts the new content. For good: mount the whole volume, or give changed ConfigMaps new names; upgrade.",
            zh: "删除 Pod，新的 Pod 会挂载新内容。长期方案：挂载整个卷，或变更时使用新的 ConfigMap 名称；升级版本。",
        },
        sources: &[
            "https://github.com/kubernetes/kubernetes/issues/68211",
            "https://github.com/kubernetes/kubernetes/pull/89629",
            "https://github.com/kubernetes/kubernetes/pull/82784",
        ],
    },
    check,
};

fn check(facts: &Facts<'_>) -> Option<Finding> {
    let pod = step::pod(facts)?;
    let (start, volume) = step::starts(facts).into_iter().find_map(|start| {
        let StartFailure::SubPathGone { volume: Some(volume) } = start.failure.clone() else { return None };
        is_config(pod, &volume).then_some((start, volume))
    })?;
    let container = start.container;
    let mount =
        container.spec.volume_mounts.iter().flatten().find(|mount| mount.name == volume && mount.sub_path.is_some());
    let name = container.name();
    Finding::confirmed(&CAUSE)
        .in_container(container)
        .because([start.evidence])
        .because(mount.map(|mount| container.setting(&format!("volumeMounts[{volume}].subPath"), mount.sub_path.as_deref().unwrap_or_default())))
        .because((container.restarts() > 0).then(|| container.restarts_evidence()))
        .explains(&["container-config-error", "app-exit-error", "command-not-found", "liveness-probe-killing", "volume-mount-failed"])
        .says(
            format!("Container `{name}` cannot restart in place: the file that it mounts by subPath from volume `{}` was replaced when its ConfigMap or Secret changed.", step::plain(&volume)),
            format!("容器 `{name}` 无法原地重启：它通过 subPath 挂载的卷 `{}` 中的文件在 ConfigMap 或 Secret 变更时被替换。", step::plain(&volume)),
        )
        .fix(
            Fix::careful(Words::new(
                "Delete the pod; its controller makes a new one that mounts the new content.",
                "删除 Pod；控制器会新建一个，并挂载新内容。",
            ))
            .command(kubectl::delete_pod(facts)),
        )
        .fix(
            Fix::careful(Words::new(
                "For good: mount the whole volume instead of a subPath, or name ConfigMaps by their content (a hash); upgrade clusters before 1.19.",
                "长期方案：挂载整个卷而不用 subPath，或按内容（哈希）命名 ConfigMap；升级 1.19 之前的集群。",
            ))
            .command(kubectl::edit(&facts.workload())),
        )
        .remedy(Remedy::RestartPod)
        .remedy(Remedy::RestartRollout)
        .some()
}

/// Returns true where the volume's content comes from a ConfigMap or Secret.
pub fn is_config(pod: PodView<'_>, volume: &str) -> bool {
    let volumes = pod.spec().and_then(|spec| spec.volumes.as_ref());
    volumes.into_iter().flatten().any(|v| {
        v.name == volume
            && (v.config_map.is_some() || v.secret.is_some() || v.projected.is_some() || v.downward_api.is_some())
    })
}

#[cfg(test)]
mod tests {
    use crate::diagnosis::Certainty;
    use crate::diagnosis::causes::creating::step::tests::{causes, diagnose, pod};

    const SPEC: &str = "  containers: [{name: app, image: a, volumeMounts: [{name: config, mountPath: /app/a.properties, subPath: a.properties}]}]
  volumes: [{name: config, configMap: {name: settings}}]";

    fn failed(kind: &str) -> String {
        let text = format!(
            r#"failed to create containerd task: OCI runtime create failed: container_linux.go:345: starting container process caused "process_linux.go:424: container init caused \"rootfs_linux.go:58: mounting \\\"/var/lib/kubelet/pods/u1/volume-subpaths/config/app/0\\\" to rootfs \\\"/run/rootfs\\\" at \\\"/run/rootfs/app/a.properties\\\" caused \\\"{kind}\\\"\"": unknown"#
        );
        let text = text.replace('\'', "''");
        pod(SPEC, "{reason: CrashLoopBackOff}")
            .replace("restartCount: 0", &format!("restartCount: 4\n    lastState: {{terminated: {{exitCode: 128, reason: StartError, message: '{text}', finishedAt: '2026-01-01T10:08:00Z'}}}}"))
            .replace("phase: Pending", "phase: Running")
    }

    #[test]
    fn the_guides_case() {
        let diagnosis = diagnose(&failed("no such file or directory"));
        let found = diagnosis.answer().unwrap();
        assert_eq!((found.cause.id, found.certainty), ("subpath-stale-mount", Certainty::Confirmed));
        assert_eq!(found.container.as_deref(), Some("app"));
    }

    #[test]
    fn a_file_on_a_folder_is_another_cause() {
        let found = causes(&failed("not a directory"));
        assert!(!found.contains(&"subpath-stale-mount") && found.contains(&"container-config-error"), "{found:?}");
    }
}
