//! Takes exactly the finalizers off that keep a deleted pod, after it looked whether their owners are alive.

use crate::diagnosis::finalizer::{self, Home, Owner};
use crate::diagnosis::{Remedy, Text, Words};
use crate::facts::Known;
use crate::remedy::object::{Kind, Object};
use crate::remedy::patch::{Operation, pointer};
use crate::remedy::plan::{Change, Note, Step};
use crate::remedy::recipe::{Cure, Draft, Read, Recipe, Scene};
use jiff::SignedDuration;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde_json::json;

pub static RECIPE: Recipe = Recipe {
    remedy: Remedy::RemoveFinalizers,
    title: Text { en: "remove the finalizers that keep it", zh: "移除留住它的 finalizer" },
    grants: &[("", "pods", &["patch"])],
    reads: &[Read::Owners],
    cure: Cure::Pods,
    patience: SignedDuration::from_secs(60),
    draft,
};

/// A lease of the controller manager that is older than this says that it does not run.
const LEASE: SignedDuration = SignedDuration::from_secs(60);

fn draft(scene: &Scene<'_>) -> Result<Draft, Words> {
    let missing = || Words::new("There is no pod to take finalizers off.", "没有可移除 finalizer 的 Pod。");
    let pod = scene.facts.pod().ok_or_else(missing)?;
    let (meta, finalizers) = (pod.meta(), pod.finalizers());
    let object = Object::of(Kind::Pod, meta).ok_or_else(missing)?;
    if finalizers.is_empty() || meta.deletion_timestamp.is_none() {
        return Err(Words::new(
            format!("{object} is not kept by a finalizer any more."),
            format!("{object} 已不再被 finalizer 留住。"),
        ));
    }
    let mut notes = Vec::new();
    for name in finalizers {
        notes.push(about(name, &finalizer::owner(name), meta, scene));
    }
    let names = finalizers.join("`, `");
    let step = Step {
        change: Change::Patch { operations: removal(&object, finalizers) },
        says: Words::new(format!("{object}: take `{names}` off"), format!("{object}：移除 `{names}`")),
        object,
    };
    let undo = Words::new(
        "Cannot be undone: the object goes at once, and what its owner was to clean up stays behind.",
        "无法撤销：对象会立即消失，其拥有者本该清理的东西会留下。",
    );
    Ok(Draft { steps: vec![step], notes, undo })
}

/// Returns the patch that takes finalizers off one by one, the last first so that no place moves before its turn.
fn removal(object: &Object, finalizers: &[String]) -> Vec<Operation> {
    let mut operations = vec![Operation::Test { path: pointer(["metadata", "uid"]), value: json!(object.uid) }];
    for (place, name) in finalizers.iter().enumerate().rev() {
        let path = pointer(["metadata", "finalizers", &place.to_string()]);
        operations.push(Operation::Remove { path, was: json!(name) });
    }
    operations
}

/// Whether the owner of a finalizer is there to take it off itself.
enum Alive {
    /// It runs; this is what was seen.
    Runs(Words),
    /// It is there, and not at work.
    Down(Words),
    /// Nothing of it is there.
    Gone(Words),
    /// It cannot be told.
    Unknown(Words),
}

fn about(name: &str, owner: &Owner, meta: &ObjectMeta, scene: &Scene<'_>) -> Note {
    let who = match manager(meta, name) {
        Some(manager) => Words::new(
            format!("`{name}` is for {} to take off; it was set by `{manager}`.", owner.name),
            format!("`{name}` 应由 {} 移除；由 `{manager}` 设置。", owner.name),
        ),
        None => Words::new(
            format!("`{name}` is for {} to take off.", owner.name),
            format!("`{name}` 应由 {} 移除。", owner.name),
        ),
    };
    let join = |more: &Words| (format!("{} {}", who.en, more.en), format!("{}{}", who.zh, more.zh));
    match alive(owner, manager(meta, name), scene) {
        Alive::Runs(seen) => {
            let (en, zh) = join(&seen);
            Note::warning(
                format!("{en} It is alive: waiting for it, or looking into its log, is better than this."),
                format!("{zh}它仍在运行：等待它或查看其日志，好过强行移除。"),
            )
        }
        Alive::Down(seen) => {
            let (en, zh) = join(&seen);
            Note::warning(
                format!("{en} If it can be brought back, it will clean up and take the finalizer off itself."),
                format!("{zh}如果能让它恢复，它会自行清理并移除 finalizer。"),
            )
        }
        Alive::Gone(seen) => {
            let (en, zh) = join(&seen);
            Note::info(
                format!("{en} So nobody will take it off, and what it was to clean up has to be looked after by hand."),
                format!("{zh}因此没有人会移除它，它本该清理的东西需要人工处理。"),
            )
        }
        Alive::Unknown(why) => {
            let (en, zh) = join(&why);
            Note::warning(
                format!("{en} Make sure that it is gone for good: what it was to clean up stays behind."),
                format!("{zh}请先确认它确实不再存在：它本该清理的东西会留下。"),
            )
        }
    }
}

fn alive(owner: &Owner, manager: Option<&str>, scene: &Scene<'_>) -> Alive {
    match owner.home {
        Home::ControllerManager => controller_manager(scene),
        Home::Cloud => Alive::Unknown(Words::new(
            "It runs outside the cluster, where I cannot see it.",
            "它运行在集群之外，我无法看到。",
        )),
        Home::Workload => workload(owner, manager, scene),
    }
}

fn controller_manager(scene: &Scene<'_>) -> Alive {
    let lease = scene.around.leases.get("kube-system", "kube-controller-manager");
    let renewed = lease.present().and_then(|lease| lease.spec.as_ref()?.renew_time.as_ref());
    match renewed {
        Some(renewed) if scene.facts.since(renewed.0) < LEASE => {
            Alive::Runs(Words::new("kube-controller-manager renews its lease.", "kube-controller-manager 仍在续约。"))
        }
        Some(_) => Alive::Down(Words::new(
            "kube-controller-manager has stopped renewing its lease.",
            "kube-controller-manager 已停止续约。",
        )),
        None => Alive::Unknown(Words::new(
            "Its lease in kube-system could not be read.",
            "无法读取它在 kube-system 中的租约。",
        )),
    }
}

/// Programs that anybody's controller, or a person, is called by.
const ANYBODY: &[&str] =
    &["manager", "controller", "operator", "main", "kubectl", "curl", "helm", "python", "node", "k9s"];

fn workload(owner: &Owner, manager: Option<&str>, scene: &Scene<'_>) -> Alive {
    let world = scene.around;
    let manager = manager.map(str::to_lowercase).filter(|name| {
        let program = name.split(['/', '-', '_', ' ']).next().unwrap_or_default();
        !ANYBODY.contains(&program) && name.chars().all(|c| c.is_ascii_alphanumeric() || "-._".contains(c))
    });
    let words: Vec<&str> = owner.words.iter().map(String::as_str).chain(manager.as_deref()).collect();
    let own = scene.facts.workload();
    let mut found: Vec<(String, i32, i32)> = Vec::new();
    let mut see = |kind: &str, meta: &ObjectMeta, wanted: i32, ready: i32| {
        let (namespace, name) =
            (meta.namespace.as_deref().unwrap_or_default(), meta.name.as_deref().unwrap_or_default());
        let is_patient = own.kind == kind && own.namespace == namespace && own.name == name;
        if !is_patient && words.iter().any(|word| name.to_lowercase().contains(word)) {
            found.push((format!("{} {namespace}/{name}", kind.to_lowercase()), wanted, ready));
        }
    };
    for set in world.deployments.seen() {
        let ready = set.status.as_ref().and_then(|status| status.ready_replicas).unwrap_or(0);
        see("Deployment", &set.metadata, set.spec.replicas.unwrap_or(1), ready);
    }
    for set in world.stateful_sets.seen() {
        let ready = set.status.as_ref().and_then(|status| status.ready_replicas).unwrap_or(0);
        see("StatefulSet", &set.metadata, set.spec.replicas.unwrap_or(1), ready);
    }
    for set in world.daemon_sets.seen() {
        let (wanted, ready) = set.status.as_ref().map_or((0, 0), |s| (s.desired_number_scheduled, s.number_ready));
        see("DaemonSet", &set.metadata, wanted, ready);
    }
    // The one that is at work tells most.
    found.sort_by_key(|(name, _, ready)| (std::cmp::Reverse(*ready), name.clone()));
    let looked_for = words.join("` or `");
    if let Some((name, wanted, ready)) = found.first() {
        let seen = Words::new(
            format!("Its name fits `{name}`, of which {ready} of {wanted} pods are ready."),
            format!("名称与 `{name}` 相符，其 {wanted} 个 Pod 中有 {ready} 个就绪。"),
        );
        return if *ready > 0 { Alive::Runs(seen) } else { Alive::Down(seen) };
    }
    let all_read = world.deployments.all().present().is_some()
        && world.stateful_sets.all().present().is_some()
        && world.daemon_sets.all().present().is_some();
    if !all_read {
        return Alive::Unknown(Words::new(
            "Not all workloads of the cluster could be read, so whether it runs is not known.",
            "无法读取集群中的全部工作负载，因此不知道它是否在运行。",
        ));
    }
    let mut seen = Words::new(
        format!("No Deployment, StatefulSet or DaemonSet of the cluster has `{looked_for}` in its name."),
        format!("集群中没有名称含 `{looked_for}` 的 Deployment、StatefulSet 或 DaemonSet。"),
    );
    match (&owner.group, scene.groups) {
        (Some(group), Known::Present(groups)) if groups.contains(group) => {
            return Alive::Unknown(Words::new(
                format!(
                    "{} But its API group `{group}` is still served: it is installed, or was not removed wholly.",
                    seen.en
                ),
                format!("{}但其 API 组 `{group}` 仍在提供：它仍安装着，或未被完全移除。", seen.zh),
            ));
        }
        (Some(group), Known::Present(_)) => {
            seen.en.push_str(&format!(" Nor is an API group `{group}` served."));
            seen.zh.push_str(&format!("也没有提供 API 组 `{group}`。"));
        }
        _ => {}
    }
    Alive::Gone(seen)
}

/// Returns the program that set a finalizer, where the object's `managedFields` tell.
fn manager<'m>(meta: &'m ObjectMeta, finalizer: &str) -> Option<&'m str> {
    let key = format!("v:{}", serde_json::Value::from(finalizer));
    let sets = |entry: &&k8s_openapi::apimachinery::pkg::apis::meta::v1::ManagedFieldsEntry| {
        let fields = entry.fields_v1.as_ref().map(|fields| &fields.0);
        fields.is_some_and(|fields| fields["f:metadata"]["f:finalizers"].get(&key).is_some())
    };
    // The API server's own word for a client that does not name itself.
    meta.managed_fields.as_ref()?.iter().find(sets)?.manager.as_deref().filter(|name| *name != "unknown")
}
