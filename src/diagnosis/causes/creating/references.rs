//! The ConfigMaps and Secrets that a pod names: which are missing, and where that is told.

use super::step;
use crate::diagnosis::words::Words;
use crate::diagnosis::{Cause, Certainty, Finding, Fix, Verdict, kubectl};
use crate::facts::reading::mount::{self, MountFailure, Source};
use crate::facts::{ContainerView, Evidence, Facts, Known, PodView};

/// A ConfigMap, a Secret or a key of one that the kubelet says is missing.
#[derive(Debug, Clone)]
pub struct Missing<'w> {
    pub source: Source,
    /// The object's name; of a missing key the object it should be in, where that is told.
    pub name: String,
    pub key: Option<String>,
    pub container: Option<ContainerView<'w>>,
    pub evidence: Vec<Evidence>,
}

/// Returns what the kubelet says is missing now: environment references in the container's status, volumes in events.
pub fn missing<'w>(facts: &Facts<'w>) -> Vec<Missing<'w>> {
    let mut found = Vec::new();
    for start in step::starts(facts) {
        if let Some(failure) = mount::missing_source(start.text) {
            found.extend(of(facts, &failure, start.text, None, Some(start.container), start.evidence));
        }
    }
    for (error, event) in step::mounts(facts) {
        found.extend(of(facts, &error.failure, event.text(), error.volume, None, event.evidence()));
    }
    found
}

fn of<'w>(
    facts: &Facts<'w>,
    failure: &MountFailure,
    text: &str,
    volume: Option<&str>,
    container: Option<ContainerView<'w>>,
    evidence: Evidence,
) -> Option<Missing<'w>> {
    let pod = facts.pod()?;
    let missing = |source: Source, name: String, key: Option<String>, place: Option<Evidence>| {
        let evidence = std::iter::once(evidence.clone()).chain(place).collect();
        Some(Missing { source, name, key, container, evidence })
    };
    match failure {
        MountFailure::Missing(source, name) => {
            let place = place_of(pod, *source, name);
            missing(*source, name.clone(), None, place)
        }
        MountFailure::KeyMissing(source, key) => {
            // `couldn't find key K in ConfigMap NS/NAME`; of a volume the pod's own settings name the object.
            let named = text.split_once('/').and_then(|(before, rest)| {
                before.contains(" in ").then(|| rest.split([' ', ',', '"', ')']).next().unwrap_or_default().to_owned())
            });
            let name = named.or_else(|| volume.and_then(|volume| object_of_volume(pod, volume, *source)));
            missing(*source, name.unwrap_or_default(), Some(key.clone()), None)
        }
        _ => None,
    }
}

/// Returns where the pod names an object.
fn place_of(pod: PodView<'_>, source: Source, name: &str) -> Option<Evidence> {
    references(pod)
        .into_iter()
        .find(|r| r.source == source && r.name == name)
        .map(|r| Evidence::field(r.place, r.name, None))
}

fn object_of_volume(pod: PodView<'_>, volume: &str, source: Source) -> Option<String> {
    let prefix = "pod.spec.volumes[".to_owned() + volume + "]";
    let mut fitting = references(pod).into_iter().filter(|r| r.source == source && r.place.starts_with(&prefix));
    let first = fitting.next()?;
    // Of several projected sources it is not told which one.
    fitting.next().is_none().then_some(first.name)
}

/// A ConfigMap or Secret that a pod cannot start without.
#[derive(Debug, Clone)]
pub struct Reference {
    pub source: Source,
    pub name: String,
    pub place: String,
}

/// Returns the ConfigMaps and Secrets that the pod cannot start without; optional ones are left out.
pub fn references(pod: PodView<'_>) -> Vec<Reference> {
    let mut all = Vec::new();
    let mut add = |source, name: &str, optional: Option<bool>, place: String| {
        if optional != Some(true) && !name.is_empty() {
            all.push(Reference { source, name: name.to_owned(), place });
        }
    };
    for container in pod.containers() {
        let path = container.spec_path();
        for (i, from) in container.spec.env_from.iter().flatten().enumerate() {
            if let Some(map) = &from.config_map_ref {
                add(Source::ConfigMap, &map.name, map.optional, format!("{path}.envFrom[{i}].configMapRef"));
            }
            if let Some(secret) = &from.secret_ref {
                add(Source::Secret, &secret.name, secret.optional, format!("{path}.envFrom[{i}].secretRef"));
            }
        }
        for var in container.spec.env.iter().flatten() {
            let Some(from) = &var.value_from else { continue };
            if let Some(map) = &from.config_map_key_ref {
                add(Source::ConfigMap, &map.name, map.optional, format!("{path}.env[{}].configMapKeyRef", var.name));
            }
            if let Some(secret) = &from.secret_key_ref {
                add(Source::Secret, &secret.name, secret.optional, format!("{path}.env[{}].secretKeyRef", var.name));
            }
        }
    }
    let volumes = pod.spec().and_then(|spec| spec.volumes.as_ref());
    for volume in volumes.into_iter().flatten() {
        let path = format!("pod.spec.volumes[{}]", volume.name);
        if let Some(map) = &volume.config_map {
            add(Source::ConfigMap, &map.name, map.optional, format!("{path}.configMap"));
        }
        if let Some(secret) = &volume.secret {
            add(
                Source::Secret,
                secret.secret_name.as_deref().unwrap_or_default(),
                secret.optional,
                format!("{path}.secret"),
            );
        }
        for source in volume.projected.iter().flat_map(|projected| projected.sources.iter().flatten()) {
            if let Some(map) = &source.config_map {
                add(Source::ConfigMap, &map.name, map.optional, format!("{path}.projected.configMap"));
            }
            if let Some(secret) = &source.secret {
                add(Source::Secret, &secret.name, secret.optional, format!("{path}.projected.secret"));
            }
        }
    }
    all
}

/// Returns the finding for a ConfigMap or Secret that does not exist.
///
/// Where it exists by now the kubelet just has not tried again: that is a wait of seconds. Without any event left the
/// objects themselves may tell, which is weaker: the snapshot may hold a selection of them.
pub fn missing_object(facts: &Facts<'_>, cause: &'static Cause, source: Source) -> Option<Finding> {
    let pod = step::pod(facts)?;
    let told = missing(facts).into_iter().find(|m| m.source == source && m.key.is_none());
    let (name, container, evidence, certainty) = match told {
        Some(missing) => (missing.name, missing.container, missing.evidence, Certainty::Confirmed),
        None => {
            let stuck = pod.containers().all(|container| !container.is_running())
                && pod.events_seen(facts.world).all(|event| !event.warning)
                && pod.stage() == crate::facts::Stage::Creating
                && step::starts(facts).is_empty()
                && pod.containers().any(|container| {
                    container
                        .waiting()
                        .is_some_and(|w| matches!(w.reason, "ContainerCreating" | "CreateContainerConfigError"))
                });
            if !stuck {
                return None;
            }
            let absent = |r: &Reference| exists(facts, r.source, &r.name).is_absent();
            let gone = references(pod).into_iter().find(|r| r.source == source && absent(r))?;
            (gone.name.clone(), None, vec![Evidence::field(gone.place, gone.name, None)], Certainty::Likely)
        }
    };
    let (kind, shown, namespace) = (kind(source), step::plain(&name), pod.namespace());
    let mut finding = Finding::new(cause, certainty).because(evidence).explains(&[
        "sandbox-create-failed",
        "volume-mount-failed",
        "container-config-error",
        "app-exit-error",
    ]);
    if let Some(container) = container {
        finding = finding.in_container(container);
    }
    if let Known::Present(()) = exists(facts, source, &name) {
        return finding
            .says(
                format!("{kind} `{shown}` was missing in namespace `{namespace}` and exists now; the kubelet tries again within two minutes."),
                format!("{kind} `{shown}` 之前在命名空间 `{namespace}` 中不存在，现在已存在；kubelet 会在两分钟内重试。"),
            )
            .calm(Verdict::Waiting)
            .some();
    }
    let resource = kind.to_lowercase();
    let quoted = kubectl::quoted(&name);
    let create = match source {
        Source::ConfigMap => format!("create configmap {quoted} --from-literal=KEY=VALUE"),
        Source::Secret => format!("create secret generic {quoted} --from-literal=KEY=VALUE"),
    };
    finding
        .says(
            format!("{kind} `{shown}`, which the pod needs to start, does not exist in namespace `{namespace}`."),
            format!("Pod 启动所需的 {kind} `{shown}` 在命名空间 `{namespace}` 中不存在。"),
        )
        .fix(
            Fix::safe(Words::new(
                "Look for it under another name or in another namespace.",
                "查找它是否用了别的名字或在别的命名空间。",
            ))
            .command(format!("kubectl get {resource} -A --field-selector metadata.name={quoted}")),
        )
        .fix(
            Fix::careful(Words::new(
                "Create it with the keys that the pod expects (or let whatever should create it do so); the pod then starts by itself.",
                "用 Pod 需要的键创建它（或让负责创建它的组件完成）；之后 Pod 会自动启动。",
            ))
            .command(kubectl::namespaced(namespace, &create)),
        )
        .fix(
            Fix::careful(Words::new(
                "Or correct the name in the workload, or mark the reference `optional: true`. The change replaces the pods.",
                "或修正工作负载中的名称，或把引用标为 `optional: true`。修改会替换 Pod。",
            ))
            .command(kubectl::edit(&facts.workload())),
        )
        .some()
}

fn exists(facts: &Facts<'_>, source: Source, name: &str) -> Known<()> {
    match source {
        Source::ConfigMap => facts.world.config_maps.get(facts.namespace(), name).map(|_| ()),
        Source::Secret => facts.world.secrets.get(facts.namespace(), name).map(|_| ()),
    }
}

/// Returns the keys of an object, where it was read.
pub fn keys(facts: &Facts<'_>, source: Source, name: &str) -> Option<Vec<String>> {
    let objects = match source {
        Source::ConfigMap => &facts.world.config_maps,
        Source::Secret => &facts.world.secrets,
    };
    objects.get(facts.namespace(), name).present().map(|object| object.keys.iter().cloned().collect())
}

/// Returns the kind's name.
pub fn kind(source: Source) -> &'static str {
    match source {
        Source::ConfigMap => "ConfigMap",
        Source::Secret => "Secret",
    }
}
