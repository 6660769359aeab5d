//! Creating, changing, deleting and evicting, with the rules of the API server: versions, preconditions, grace, finalizers.

use super::identity;
use super::kinds::Kind;
use super::patch;
use super::refusal::Refusal;
use super::selector::label_selector_matches;
use super::time;
use super::world::{Key, World};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::time::Duration;

/// The grace that the API server gives a pod which names none.
const DEFAULT_GRACE: u64 = 30;

/// How a patch is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PatchFormat {
    Json,
    Merge,
    Strategic,
}

/// What a deletion may ask for beside the object.
#[derive(Debug, Clone, Default)]
pub struct DeleteOptions {
    pub grace: Option<u64>,
    pub uid: Option<String>,
    pub version: Option<String>,
    pub propagation: Option<String>,
}

impl DeleteOptions {
    /// Reads the body of a deletion or an eviction; absent things are `null` there.
    pub fn read(body: &Value) -> DeleteOptions {
        let text = |value: &Value| value.as_str().map(str::to_owned);
        DeleteOptions {
            grace: body["gracePeriodSeconds"].as_u64(),
            uid: text(&body["preconditions"]["uid"]),
            version: text(&body["preconditions"]["resourceVersion"]),
            propagation: text(&body["propagationPolicy"]),
        }
    }
}

/// Creates an object and returns it as stored.
pub fn create(
    world: &mut World,
    kind: &'static Kind,
    namespace: &str,
    mut object: Value,
    dry_run: bool,
    now: Timestamp,
) -> Result<Value, Refusal> {
    if !object["metadata"].is_object() {
        return Err(Refusal::bad_request("the object has no metadata"));
    }
    if kind.namespaced {
        let namespaces = Kind::by_name("Namespace").expect("namespaces are in the table");
        if world.get(&Key::new(namespaces, "", namespace)).is_none() {
            return Err(Refusal::not_found(namespaces, namespace));
        }
        if object["metadata"]["namespace"].as_str().is_some_and(|own| own != namespace) {
            return Err(Refusal::bad_request(
                "the namespace of the provided object does not match the namespace sent on the request",
            ));
        }
        object["metadata"]["namespace"] = namespace.into();
    }
    for part in ["metadata", "spec"] {
        object.get_mut(part).into_iter().for_each(drop_nulls);
    }
    object["kind"] = kind.kind.into();
    object["apiVersion"] = if kind.kind == "Event" { "v1".into() } else { kind.api_version().into() };
    if object["metadata"]["name"].as_str().unwrap_or_default().is_empty() {
        let Some(prefix) = object["metadata"]["generateName"].as_str().filter(|prefix| !prefix.is_empty()) else {
            return Err(Refusal::invalid(
                kind,
                "",
                "metadata.name",
                "Required value: name or generateName is required",
            ));
        };
        let ending = identity::letters(&format!("{namespace}/{prefix}/{}", world.version()), 5);
        object["metadata"]["name"] = format!("{prefix}{ending}").into();
    }
    let name = object["metadata"]["name"].as_str().unwrap_or_default().to_owned();
    let key = Key::new(kind, namespace, &name);
    if world.get(&key).is_some() {
        return Err(Refusal::already_exists(kind, &name));
    }
    let seed = format!("{}/{namespace}/{name}/{}", kind.plural, world.version());
    object["metadata"]["uid"] = identity::uid(&seed).into();
    object["metadata"]["creationTimestamp"] = time::seconds(now);
    if object.get("spec").is_some() && kind.kind != "Lease" {
        object["metadata"]["generation"] = 1.into();
    }
    if kind.kind == "Pod" {
        super::pods::fill_spec(&mut object["spec"], &name);
        object["status"] = json!({"phase": "Pending", "qosClass": super::pods::qos(&object["spec"])});
    }
    if dry_run {
        return Ok(object);
    }
    Ok((*world.put(key, object)).clone())
}

/// Replaces an object (an HTTP `PUT`).
pub fn replace(
    world: &mut World,
    (kind, namespace, name): (&'static Kind, &str, &str),
    part: Option<&str>,
    new: Value,
    dry_run: bool,
) -> Result<Value, Refusal> {
    let key = Key::new(kind, namespace, name);
    let old = world.get(&key).ok_or_else(|| Refusal::not_found(kind, name))?.clone();
    update(world, kind, key, &old, new, part, dry_run)
}

/// Patches an object or a part of it.
pub fn patch(
    world: &mut World,
    (kind, namespace, name): (&'static Kind, &str, &str),
    part: Option<&str>,
    format: PatchFormat,
    change: &Value,
    dry_run: bool,
) -> Result<Value, Refusal> {
    let key = Key::new(kind, namespace, name);
    let old = world.get(&key).ok_or_else(|| Refusal::not_found(kind, name))?.clone();
    let new = match format {
        PatchFormat::Json => patch::json_patch(&old, change).ok_or_else(Refusal::patch_failed)?,
        PatchFormat::Merge => {
            let mut new = (*old).clone();
            patch::merge_patch(&mut new, change);
            new
        }
        PatchFormat::Strategic => {
            let mut new = (*old).clone();
            patch::strategic_patch(&mut new, change);
            new
        }
    };
    update(world, kind, key, &old, new, part, dry_run)
}

fn update(
    world: &mut World,
    kind: &'static Kind,
    key: Key,
    old: &Value,
    mut new: Value,
    part: Option<&str>,
    dry_run: bool,
) -> Result<Value, Refusal> {
    let name = key.name.clone();
    for part in ["metadata", "spec"] {
        new.get_mut(part).into_iter().for_each(drop_nulls);
    }
    let sent = new["metadata"]["resourceVersion"].as_str().unwrap_or_default();
    if !sent.is_empty() && sent != old["metadata"]["resourceVersion"] {
        return Err(Refusal::modified(kind, &name));
    }
    if let (Some(sent), Some(own)) = (new["metadata"]["uid"].as_str(), old["metadata"]["uid"].as_str())
        && sent != own
    {
        let why = format!("Precondition failed: UID in precondition: {sent}, UID in object meta: {own}");
        return Err(Refusal::conflict(kind, &name, &why));
    }
    if new["metadata"]["name"] != old["metadata"]["name"] {
        return Err(Refusal::bad_request("the name of the object does not match the name on the URL"));
    }
    if part == Some("status") {
        let status = new["status"].take();
        new = old.clone();
        new["status"] = status;
    } else if has_status_part(kind) {
        match old.get("status") {
            Some(status) => new["status"] = status.clone(),
            None => drop(new.as_object_mut().and_then(|object| object.remove("status"))),
        }
    }
    // What only the server writes is put back, whatever was sent.
    for field in [
        "uid",
        "namespace",
        "creationTimestamp",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
        "generation",
        "resourceVersion",
        "generateName",
    ] {
        match old["metadata"].get(field) {
            Some(value) => new["metadata"][field] = value.clone(),
            None => drop(new["metadata"].as_object_mut().and_then(|metadata| metadata.remove(field))),
        }
    }
    let deleting = old["metadata"].get("deletionTimestamp").is_some();
    if deleting && finalizers(&new).iter().any(|finalizer| !finalizers(old).contains(finalizer)) {
        let why = "Forbidden: no new finalizers can be added if the object is being deleted";
        return Err(Refusal::invalid(kind, &name, "metadata.finalizers", why));
    }
    if finalizers(&new).is_empty()
        && let Some(metadata) = new["metadata"].as_object_mut()
    {
        metadata.remove("finalizers");
    }
    if new["spec"] != old["spec"] {
        if kind.kind == "Pod" && fixed_part(&new["spec"]) != fixed_part(&old["spec"]) {
            const WHY: &str = "Forbidden: pod updates may not change fields other than `spec.containers[*].image`,\
                `spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to \
                existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was \
                previously negative)";
            return Err(Refusal::invalid(kind, &name, "spec", WHY));
        }
        if let Some(generation) = old["metadata"]["generation"].as_u64() {
            new["metadata"]["generation"] = (generation + 1).into();
        }
    }
    if dry_run {
        return Ok(new);
    }
    if deleting && may_go(kind, &new) {
        let removed = world.remove(&key);
        drop(removed);
        new["metadata"]["resourceVersion"] = world.version().to_string().into();
        return Ok(new);
    }
    Ok((*world.put(key, new)).clone())
}

/// Deletes an object. Returns the object where it is, or was, a pod or stays for a while, else a `Status`.
pub fn delete(
    world: &mut World,
    (kind, namespace, name): (&'static Kind, &str, &str),
    options: &DeleteOptions,
    dry_run: bool,
    now: Timestamp,
) -> Result<Value, Refusal> {
    let key = Key::new(kind, namespace, name);
    let old = world.get(&key).ok_or_else(|| Refusal::not_found(kind, name))?.clone();
    check_preconditions(kind, name, &old, options)?;
    if kind.kind == "Namespace" {
        return Err(Refusal::forbidden(kind, name, "a recorded cluster keeps its namespaces"));
    }
    let mut new = (*old).clone();
    let grace = if kind.kind == "Pod" { grace_of(&old, options) } else { 0 };
    match options.propagation.as_deref() {
        Some("Foreground") => add_finalizer(&mut new, "foregroundDeletion"),
        Some("Orphan") => orphan_dependents(world, &old),
        _ => {}
    }
    let running_out = old["metadata"]["deletionGracePeriodSeconds"].as_u64();
    if running_out.is_none_or(|left| grace < left) {
        new["metadata"]["deletionTimestamp"] = time::seconds(time::later(now, Duration::from_secs(grace)));
        new["metadata"]["deletionGracePeriodSeconds"] = grace.into();
        if let Some(generation) = old["metadata"]["generation"].as_u64() {
            new["metadata"]["generation"] = (generation + 1).into();
        }
    }
    if !may_go(kind, &new) {
        return Ok(if dry_run { new } else { (*world.put(key, new)).clone() });
    }
    if !dry_run {
        world.remove(&key);
    }
    if kind.kind == "Pod" {
        return Ok(new);
    }
    let mut details = json!({"name": name, "kind": kind.plural, "uid": old["metadata"]["uid"]});
    if !kind.group.is_empty() {
        details["group"] = kind.group.into();
    }
    Ok(json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details}))
}

/// Evicts a pod: a deletion that honours disruption budgets and says on the pod why it goes.
pub fn evict(
    world: &mut World,
    (namespace, name): (&str, &str),
    options: &DeleteOptions,
    dry_run: bool,
    now: Timestamp,
) -> Result<Value, Refusal> {
    let kind = Kind::by_name("Pod").expect("pods are in the table");
    let key = Key::new(kind, namespace, name);
    let pod = world.get(&key).ok_or_else(|| Refusal::not_found(kind, name))?.clone();
    check_preconditions(kind, name, &pod, options)?;
    let finished = matches!(pod["status"]["phase"].as_str(), Some("Succeeded" | "Failed"));
    let deleting = pod["metadata"].get("deletionTimestamp").is_some();
    let budgets = world.all("PodDisruptionBudget").into_iter().filter(|budget| {
        budget["metadata"]["namespace"] == namespace
            && label_selector_matches(&budget["spec"]["selector"], &pod["metadata"]["labels"])
    });
    // A pod that serves nobody may go whatever the budget says (unhealthyPodEvictionPolicy aside).
    let counts = !finished && !deleting && super::pods::is_ready(&pod);
    for budget in budgets.filter(|_| counts) {
        if budget["status"]["disruptionsAllowed"].as_u64().unwrap_or(0) == 0 {
            return Err(Refusal::budget(format!(
                "The disruption budget {} needs {} healthy pods and has {} currently",
                budget["metadata"]["name"].as_str().unwrap_or_default(),
                budget["status"]["desiredHealthy"],
                budget["status"]["currentHealthy"],
            )));
        }
    }
    let done = json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201});
    if dry_run {
        return Ok(done);
    }
    if !deleting && !finished {
        let mut told = (*pod).clone();
        let condition = json!({"conditions": [{"type": "DisruptionTarget", "status": "True",
            "reason": "EvictionByEvictionAPI", "message": "Eviction API: evicting",
            "lastProbeTime": null, "lastTransitionTime": time::seconds(now)}]});
        patch::strategic_patch(&mut told["status"], &condition);
        world.put(key, told);
    }
    let options = DeleteOptions { uid: None, version: None, ..options.clone() };
    delete(world, (kind, namespace, name), &options, false, now)?;
    Ok(done)
}

/// Returns whether nothing holds a deleted object any more.
pub fn may_go(kind: &Kind, object: &Value) -> bool {
    let grace_over = kind.kind != "Pod" || object["metadata"]["deletionGracePeriodSeconds"] == 0;
    finalizers(object).is_empty() && grace_over
}

fn has_status_part(kind: &Kind) -> bool {
    kind.group == "apps"
        || matches!(kind.kind, "Pod" | "Node" | "Namespace" | "Job" | "PersistentVolumeClaim" | "PersistentVolume")
}

fn finalizers(object: &Value) -> Vec<&str> {
    object["metadata"]["finalizers"].as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

fn add_finalizer(object: &mut Value, finalizer: &str) {
    let mut all: Vec<String> = finalizers(object).into_iter().map(str::to_owned).collect();
    if !all.iter().any(|one| one == finalizer) {
        all.push(finalizer.to_owned());
    }
    object["metadata"]["finalizers"] = json!(all);
}

fn orphan_dependents(world: &mut World, owner: &Value) {
    let uid = &owner["metadata"]["uid"];
    let owned = |object: &Value| {
        let owners = object["metadata"]["ownerReferences"].as_array();
        owners.is_some_and(|owners| owners.iter().any(|owner| owner["uid"] == *uid))
    };
    let dependents: Vec<_> =
        world.everything().filter(|(_, o)| owned(o)).map(|(key, o)| (key.clone(), (**o).clone())).collect();
    for (key, mut object) in dependents {
        if let Some(owners) = object["metadata"]["ownerReferences"].as_array_mut() {
            owners.retain(|owner| owner["uid"] != *uid);
        }
        world.put(key, object);
    }
}

fn grace_of(pod: &Value, options: &DeleteOptions) -> u64 {
    let placed = pod["spec"]["nodeName"].as_str().is_some_and(|node| !node.is_empty());
    let finished = matches!(pod["status"]["phase"].as_str(), Some("Succeeded" | "Failed"));
    if !placed || finished {
        return 0;
    }
    options.grace.or(pod["spec"]["terminationGracePeriodSeconds"].as_u64()).unwrap_or(DEFAULT_GRACE)
}

fn check_preconditions(kind: &Kind, name: &str, object: &Value, options: &DeleteOptions) -> Result<(), Refusal> {
    let metadata = &object["metadata"];
    for (what, wanted, own) in
        [("UID", &options.uid, &metadata["uid"]), ("ResourceVersion", &options.version, &metadata["resourceVersion"])]
    {
        let own = own.as_str().unwrap_or_default();
        if let Some(wanted) = wanted.as_deref().filter(|wanted| *wanted != own) {
            let why = format!("Precondition failed: {what} in precondition: {wanted}, {what} in object meta: {own}");
            return Err(Refusal::conflict(kind, name, &why));
        }
    }
    Ok(())
}

/// Drops what is `null`: to typed objects, as a real server keeps them, that is the same as absent.
fn drop_nulls(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|_, field| !field.is_null());
            fields.values_mut().for_each(drop_nulls);
        }
        Value::Array(items) => items.iter_mut().for_each(drop_nulls),
        _ => {}
    }
}

/// The part of a pod's spec that never changes.
fn fixed_part(spec: &Value) -> Value {
    let mut spec = spec.clone();
    for list in ["containers", "initContainers"] {
        for container in spec[list].as_array_mut().into_iter().flatten() {
            container["image"] = Value::Null;
        }
    }
    for field in ["tolerations", "activeDeadlineSeconds", "terminationGracePeriodSeconds"] {
        spec[field] = Value::Null;
    }
    spec
}
