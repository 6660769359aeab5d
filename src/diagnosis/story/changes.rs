//! What changed between two pod templates, in words. Names only: a value of the environment is never told.

use crate::diagnosis::words::Words;
use k8s_openapi::api::core::v1::{Container, EnvVar, PodSpec, PodTemplateSpec};
use std::collections::{BTreeMap, BTreeSet};

/// The part of a template that a change is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Field {
    Image,
    Command,
    Env,
    /// What a checksum in an annotation stands for: a ConfigMap or Secret that the pods read.
    Config,
    Resources,
    Probes,
    Ports,
    Volumes,
    /// Where it may run: selectors, affinity, tolerations, spread, priority.
    Placement,
    Security,
    Account,
    PullSecrets,
    /// A container came or went.
    Containers,
}

/// One change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    pub field: Field,
    /// The container it is in; `None` = the pod as a whole.
    pub container: Option<String>,
    pub text: Words,
}

/// How many changes are told; who wants all of them asks `kubectl rollout history`.
const TOLD: usize = 3;
/// How many names a change tells.
const NAMES: usize = 4;

/// Returns what differs between a former template and the present one.
pub fn between(former: &PodTemplateSpec, present: &PodTemplateSpec) -> Vec<Change> {
    let (Some(old), Some(new)) = (&former.spec, &present.spec) else { return Vec::new() };
    let mut changes = Vec::new();
    config(former, present, &mut changes);
    containers(&old.containers, &new.containers, &mut changes);
    let none = Vec::new();
    containers(
        old.init_containers.as_ref().unwrap_or(&none),
        new.init_containers.as_ref().unwrap_or(&none),
        &mut changes,
    );
    of_pod(old, new, &mut changes);
    changes
}

/// Returns when the pods of a template were asked to be made anew, as `kubectl rollout restart` writes it.
pub fn restarted_at(template: &PodTemplateSpec) -> Option<&str> {
    annotations(template)?.get("kubectl.kubernetes.io/restartedAt").map(String::as_str)
}

fn annotations(template: &PodTemplateSpec) -> Option<&BTreeMap<String, String>> {
    template.metadata.as_ref()?.annotations.as_ref()
}

/// Charts put a checksum of the configuration into the template, so that a change of it makes new pods.
fn config(former: &PodTemplateSpec, present: &PodTemplateSpec, changes: &mut Vec<Change>) {
    let none = BTreeMap::new();
    let (old, new) = (annotations(former).unwrap_or(&none), annotations(present).unwrap_or(&none));
    let is_checksum = |key: &str| {
        let key = key.to_lowercase();
        ["checksum", "config-hash", "confighash", "configmap-hash", "secret-hash"].iter().any(|word| key.contains(word))
    };
    let differing = old.keys().chain(new.keys()).filter(|key| is_checksum(key) && old.get(*key) != new.get(*key));
    let names: BTreeSet<String> = differing.map(|key| shown(key)).collect();
    if !names.is_empty() {
        let names = listed(&names.into_iter().collect::<Vec<_>>());
        changes.push(Change {
            field: Field::Config,
            container: None,
            text: Words::new(format!("configuration changed ({names})"), format!("配置有变（{names}）")),
        });
    }
}

/// Returns changes as one phrase.
pub fn words(changes: &[&Change]) -> Words {
    let told: Vec<&Words> = changes.iter().take(TOLD).map(|change| &change.text).collect();
    let mut en = told.iter().map(|words| words.en.as_str()).collect::<Vec<_>>().join("; ");
    let mut zh = told.iter().map(|words| words.zh.as_str()).collect::<Vec<_>>().join("；");
    if changes.len() > TOLD {
        en.push_str(&format!("; and {} more changes", changes.len() - TOLD));
        zh.push_str(&format!("；另有 {} 处变更", changes.len() - TOLD));
    }
    Words::new(en, zh)
}

fn containers(old: &[Container], new: &[Container], changes: &mut Vec<Change>) {
    for present in new {
        match old.iter().find(|container| container.name == present.name) {
            Some(former) => of_container(former, present, changes),
            None => changes.push(Change {
                field: Field::Containers,
                container: Some(present.name.clone()),
                text: Words::new(
                    format!("container `{}` added", shown(&present.name)),
                    format!("新增容器 `{}`", shown(&present.name)),
                ),
            }),
        }
    }
    for gone in old.iter().filter(|former| !new.iter().any(|present| present.name == former.name)) {
        changes.push(Change {
            field: Field::Containers,
            container: None,
            text: Words::new(
                format!("container `{}` removed", shown(&gone.name)),
                format!("移除容器 `{}`", shown(&gone.name)),
            ),
        });
    }
}

fn of_container(old: &Container, new: &Container, changes: &mut Vec<Change>) {
    let mut note = |field, en: String, zh: String| {
        changes.push(Change { field, container: Some(new.name.clone()), text: Words::new(en, zh) });
    };
    let name = shown(&new.name);
    if old.image != new.image {
        let (from, to) = (old.image.as_deref().unwrap_or("none"), new.image.as_deref().unwrap_or("none"));
        let arrow = format!("`{}` → `{}`", shown(from), shown(to));
        note(Field::Image, format!("image {arrow}"), format!("镜像 {arrow}"));
    }
    for (kind, zh_kind, from, to) in quantities(old, new) {
        note(
            Field::Resources,
            format!("{kind} of `{name}` {from} → {to}"),
            format!("`{name}` 的 {zh_kind} {from} → {to}"),
        );
    }
    if old.command != new.command || old.args != new.args {
        note(Field::Command, format!("command of `{name}` changed"), format!("`{name}` 的启动命令有变"));
    }
    let names = differing(old.env.as_deref(), new.env.as_deref());
    if !names.is_empty() {
        let list = listed(&names);
        note(Field::Env, format!("environment of `{name}`: {list}"), format!("`{name}` 的环境变量：{list}"));
    }
    if old.env_from != new.env_from {
        note(
            Field::Env,
            format!("`{name}` takes its environment from other ConfigMaps or Secrets"),
            format!("`{name}` 引用的 ConfigMap 或 Secret 有变"),
        );
    }
    for (probe, before, after) in [
        ("livenessProbe", &old.liveness_probe, &new.liveness_probe),
        ("readinessProbe", &old.readiness_probe, &new.readiness_probe),
        ("startupProbe", &old.startup_probe, &new.startup_probe),
    ] {
        if before != after {
            note(Field::Probes, format!("{probe} of `{name}` changed"), format!("`{name}` 的 {probe} 有变"));
        }
    }
    if old.ports != new.ports {
        note(Field::Ports, format!("ports of `{name}` changed"), format!("`{name}` 的端口有变"));
    }
    if old.volume_mounts != new.volume_mounts {
        note(Field::Volumes, format!("mounts of `{name}` changed"), format!("`{name}` 的挂载有变"));
    }
    if old.security_context != new.security_context {
        note(
            Field::Security,
            format!("securityContext of `{name}` changed"),
            format!("`{name}` 的 securityContext 有变"),
        );
    }
}

fn of_pod(old: &PodSpec, new: &PodSpec, changes: &mut Vec<Change>) {
    let mut note = |field, differs: bool, en: &str, zh: &str| {
        if differs {
            changes.push(Change { field, container: None, text: Words::new(en, zh) });
        }
    };
    note(Field::Volumes, old.volumes != new.volumes, "volumes changed", "卷有变");
    let placed = |spec: &PodSpec| {
        (
            spec.node_selector.clone(),
            spec.affinity.clone(),
            spec.tolerations.clone(),
            spec.topology_spread_constraints.clone(),
        )
    };
    note(
        Field::Placement,
        placed(old) != placed(new)
            || old.node_name != new.node_name
            || old.runtime_class_name != new.runtime_class_name
            || old.priority_class_name != new.priority_class_name
            || old.host_network != new.host_network,
        "where it may run changed (selector, affinity, tolerations, spread, priority, runtime class or host network)",
        "调度条件有变（选择器、亲和性、容忍、分布、优先级、运行时类或主机网络）",
    );
    note(
        Field::Security,
        old.security_context != new.security_context,
        "the pod's securityContext changed",
        "Pod 的 securityContext 有变",
    );
    note(
        Field::Account,
        old.service_account_name != new.service_account_name,
        "service account changed",
        "服务账号有变",
    );
    note(
        Field::PullSecrets,
        old.image_pull_secrets != new.image_pull_secrets,
        "imagePullSecrets changed",
        "imagePullSecrets 有变",
    );
}

/// Returns what differs in limits and requests: kind in both languages, former and present value.
fn quantities(old: &Container, new: &Container) -> Vec<(String, String, String, String)> {
    let side = |container: &Container, limits: bool| {
        let resources = container.resources.as_ref();
        let map = resources.and_then(|r| if limits { r.limits.as_ref() } else { r.requests.as_ref() });
        map.cloned().unwrap_or_default()
    };
    let mut found = Vec::new();
    for (limits, en, zh) in [(true, "limit", "上限"), (false, "request", "请求量")] {
        let (before, after) = (side(old, limits), side(new, limits));
        let keys: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
        for key in keys.into_iter().filter(|key| before.get(*key) != after.get(*key)) {
            let told = |map: &BTreeMap<String, k8s_openapi::apimachinery::pkg::api::resource::Quantity>| {
                map.get(key).map_or_else(|| "∅".to_owned(), |quantity| shown(&quantity.0))
            };
            found.push((format!("{} {en}", shown(key)), format!("{} {zh}", shown(key)), told(&before), told(&after)));
        }
    }
    found
}

/// Returns the names of variables that came (`+`), went (`-`) or changed (`~`), in order.
fn differing(old: Option<&[EnvVar]>, new: Option<&[EnvVar]>) -> Vec<String> {
    let map = |vars: Option<&[EnvVar]>| -> BTreeMap<String, EnvVar> {
        vars.unwrap_or_default().iter().map(|var| (var.name.clone(), var.clone())).collect()
    };
    let (before, after) = (map(old), map(new));
    let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    names
        .into_iter()
        .filter_map(|name| match (before.get(name), after.get(name)) {
            (None, Some(_)) => Some(format!("+{}", shown(name))),
            (Some(_), None) => Some(format!("-{}", shown(name))),
            (was, is) => (was != is).then(|| format!("~{}", shown(name))),
        })
        .collect()
}

fn listed(names: &[String]) -> String {
    let mut list = names.iter().take(NAMES).map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    if names.len() > NAMES {
        list.push_str(&format!(" … +{}", names.len() - NAMES));
    }
    list
}

/// Returns a name of the cluster's, short and without what would break a sentence's code marks.
fn shown(text: &str) -> String {
    let clean: String = text.chars().filter(|c| *c != '`' && !c.is_control()).collect();
    crate::facts::evidence::shorten(&clean, 120)
}
