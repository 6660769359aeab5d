//! The ConfigMap or Secret is there, the key that the pod asks for is not.

use super::{references, step};
use crate::diagnosis::words::Words;
use crate::diagnosis::{Cause, Finding, Fix, Page, Phase, Text, kubectl};
use crate::facts::Facts;

pub static CAUSE: Cause = Cause {
    id: "config-key-missing",
    phases: &[Phase::Creating],
    guide: &["ContainerCreating/Pod 配置错误"],
    page: Page {
        title: Text { en: "A key is missing in a ConfigMap or Secret", zh: "ConfigMap 或 Secret 中缺少键" },
        what: Text {
            en: "The object exists, and the key that the environment or the volume's items name is not in it: a typo, or another version of the object than the pod expects.",
            zh: "对象存在，但环境变量或卷的 items 所引用的键不在其中：写错了键名，或对象的版本与 Pod 预期不符。",
        },
        tell: Text {
            en: "`couldn't find key k in ConfigMap ns/x` (CreateContainerConfigError), `references non-existent config key: k` (FailedMount).",
            zh: "`couldn't find key k in ConfigMap ns/x`（CreateContainerConfigError），`references non-existent config key: k`（FailedMount）。",
        },
        fix: Text {
            en: "Add the key, or correct its name in the workload.", zh: "补上该键，或修正工作负载中的键名。"
        },
        sources: &["https://kubernetes.io/docs/tasks/configure-pod-container/configure-pod-configmap/"],
    },
    check,
};

fn check(facts: &Facts<'_>) -> Option<Finding> {
    let missing = references::missing(facts).into_iter().find(|missing| missing.key.is_some())?;
    let (kind, key) = (references::kind(missing.source), missing.key.unwrap_or_default());
    // The name is told for environment references only; a volume of one object names it in its settings.
    let (object_en, object_zh) = if missing.name.is_empty() {
        (format!("a {kind} that the pod mounts"), format!("Pod 挂载的 {kind} "))
    } else {
        (format!("{kind} `{}`", step::plain(&missing.name)), format!("{kind} `{}` ", step::plain(&missing.name)))
    };
    let has = references::keys(facts, missing.source, &missing.name).filter(|keys| !keys.is_empty());
    let (has_en, has_zh) = match &has {
        Some(keys) => {
            let keys = step::plain(&keys.join(", "));
            (format!(" It has: {keys}."), format!("其中有：{keys}。"))
        }
        None => (String::new(), String::new()),
    };
    let mut finding = Finding::confirmed(&CAUSE)
        .because(missing.evidence)
        .explains(&["volume-mount-failed", "container-config-error", "app-exit-error"])
        .says(
            format!("Key `{}` is not in {object_en}, which the pod needs to start.{has_en}", step::plain(&key)),
            format!("Pod 启动所需的键 `{}` 不在{object_zh}中。{has_zh}", step::plain(&key)),
        );
    if let Some(container) = missing.container {
        finding = finding.in_container(container);
    }
    if !missing.name.is_empty() {
        let resource = format!("{}/{}", kind.to_lowercase(), missing.name);
        finding =
            finding
                .fix(Fix::safe(Words::new("See which keys it has.", "查看其中有哪些键。")).command(
                    kubectl::namespaced(facts.namespace(), &format!("describe {}", kubectl::quoted(&resource))),
                ))
                .fix(
                    Fix::careful(Words::new(
                        "Add the key; the pod then starts by itself.",
                        "补上该键，之后 Pod 会自动启动。",
                    ))
                    .command(kubectl::namespaced(facts.namespace(), &format!("edit {}", kubectl::quoted(&resource)))),
                );
    }
    finding
        .fix(
            Fix::careful(Words::new(
                "Or correct the key in the workload. The change replaces the pods.",
                "或修正工作负载中的键名。修改会替换 Pod。",
            ))
            .command(kubectl::edit(&facts.workload())),
        )
        .some()
}

#[cfg(test)]
mod tests {
    use crate::diagnosis::Certainty;
    use crate::diagnosis::causes::creating::step::tests::{APP, CREATING, causes, diagnose, event, pod};

    #[test]
    fn the_environment_names_object_and_key() {
        let yaml = pod(
            APP,
            "{reason: CreateContainerConfigError, message: \"couldn't find key url in ConfigMap shop/settings\"}",
        );
        let diagnosis = diagnose(&yaml);
        let found = diagnosis.answer().unwrap();
        assert_eq!((found.cause.id, found.certainty), ("config-key-missing", Certainty::Confirmed));
        assert!(found.summary.en.starts_with("Key `url` is not in ConfigMap `settings`"), "{}", found.summary.en);
    }

    #[test]
    fn a_volume_takes_the_object_from_its_settings() {
        let spec = "  containers: [{name: app, image: a}]
  volumes: [{name: tls, secret: {secretName: web-tls, items: [{key: tls.crt, path: c}]}}]";
        let yaml = pod(spec, CREATING)
            + &event(
                "FailedMount",
                8,
                "MountVolume.SetUp failed for volume \"tls\" : references non-existent secret key: tls.crt",
            );
        let diagnosis = diagnose(&yaml);
        let found = diagnosis.answer().unwrap();
        assert_eq!(found.cause.id, "config-key-missing");
        assert!(found.summary.en.contains("Secret `web-tls`"), "{}", found.summary.en);
    }

    #[test]
    fn a_missing_object_is_another_cause() {
        let yaml = pod(APP, "{reason: CreateContainerConfigError, message: 'secret \"x\" not found'}");
        assert_eq!(causes(&yaml), ["secret-missing"]);
    }
}
