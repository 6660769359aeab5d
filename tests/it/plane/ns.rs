//! A test's own namespace, and writing a cluster into it that is given as plain data.

use super::api::{Api, Etcd, Refused, Resource};
use super::{Life, Plane, data, nothing, or_fail, poll};
use anyhow::{Context, bail};
use futures_util::{StreamExt, TryStreamExt, stream};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Mutex;

/// A namespace that no other test uses. Everything in it goes when the plane does.
#[derive(Debug)]
pub struct Ns<'plane> {
    pub name: String,
    pub plane: &'plane Plane,
    /// Of this test alone, so its connections live as long as its runtime.
    pub api: Api,
    etcd: Etcd,
    suffix: String,
    known: Mutex<Known>,
}

/// What this namespace's data have brought about so far.
#[derive(Debug, Default)]
struct Known {
    /// By kind and name.
    objects: BTreeMap<(String, String), String>,
    /// From the uid in the data to the real one.
    uids: BTreeMap<String, String>,
    /// From the name in the data to the real one, for names of the cluster.
    names: BTreeMap<String, String>,
    events: u32,
}

/// How names of the cluster are treated: those of nodes and volumes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Names {
    /// They get the namespace's suffix, so that tests cannot meet.
    Apart,
    AsTheyAre,
}

impl<'plane> Ns<'plane> {
    pub(super) async fn create(plane: &'plane Plane, prefix: &str, number: u32) -> anyhow::Result<Ns<'plane>> {
        let api = plane.admin();
        let suffix = format!("x{number}");
        let name = format!("{prefix}-{suffix}");
        api.post("/api/v1/namespaces", &json!({ "metadata": { "name": name } })).await?;
        poll("the namespace has its default ServiceAccount", async || {
            match api.get(&format!("/api/v1/namespaces/{name}/serviceaccounts/default")).await {
                Err(Refused { code: 404, .. }) => Ok(None),
                found => Ok(Some(found?)),
            }
        })
        .await?;
        Ok(Ns { name, plane, api, etcd: plane.etcd()?, suffix, known: Mutex::default() })
    }

    /// Writes a cluster given as data: YAML or JSON, one object, several documents or a `List`.
    ///
    /// - The data's namespace, whatever its name, becomes this one; nodes and volumes get this namespace's suffix
    ///   ([`Ns::node`] tells the names), also in event texts.
    /// - Times move so that the newest in the data is now; `now` and `now-18m` may stand for a time as well. Also
    ///   `creationTimestamp` and `deletionTimestamp` become what the data say.
    /// - Uids are the server's; whatever refers to one follows. An owner or an event's object needs no uid in the data.
    /// - `status` is written through the status subresource. What is there already is brought to what the data say.
    ///
    /// Returns the kinds in the data that this server does not serve; their objects are not written.
    pub async fn apply(&self, text: &str) -> Vec<String> {
        or_fail(self.write(text, Names::Apart).await)
    }

    /// Like [`Ns::apply`], but nodes and volumes keep their names. For planes of one's own.
    pub async fn apply_as_it_is(&self, text: &str) -> Vec<String> {
        or_fail(self.write(text, Names::AsTheyAre).await)
    }

    /// Returns the name that a node (or volume) of the data has here.
    pub fn node(&self, name: &str) -> String {
        self.known().names.get(name).cloned().unwrap_or_else(|| format!("{name}-{}", self.suffix))
    }

    /// Returns the uid of an object that was written here; the name is the one it has here.
    pub fn uid(&self, kind: &str, name: &str) -> String {
        let known = self.known();
        let uid = known.objects.get(&(kind.to_owned(), name.to_owned()));
        uid.unwrap_or_else(|| panic!("no {kind} {name} was written to {}", self.name)).clone()
    }

    /// Returns an object of this namespace as the server has it, `v1` or `group/v1`; `None` = there is none.
    pub async fn get(&self, api_version: &str, kind: &str, name: &str) -> Option<Value> {
        let resource = or_fail(self.resource(api_version, kind).await).expect("the server serves the kind");
        match self.api.get(&resource.path(&self.name, name)).await {
            Err(Refused { code: 404, .. }) => None,
            found => Some(or_fail(found.map_err(Into::into))),
        }
    }

    /// Merges into the status of a pod, as its kubelet would.
    pub async fn patch_pod_status(&self, name: &str, status: Value) -> Value {
        let path = format!("/api/v1/namespaces/{}/pods/{name}/status", self.name);
        or_fail(self.api.merge(&path, &json!({ "status": status })).await.map_err(Into::into))
    }

    /// Deletes a pod, with its own grace or another one in seconds.
    pub async fn delete_pod(&self, name: &str, grace: Option<u32>) {
        let options = grace.map_or_else(nothing, |grace| json!({ "gracePeriodSeconds": grace }));
        let path = format!("/api/v1/namespaces/{}/pods/{name}", self.name);
        or_fail(self.api.delete(&path, &options).await.map_err(Into::into));
    }

    /// Lets a user do something in this namespace; returns once the API server knows.
    ///
    /// `rules` is what stands under `rules:` in a Role.
    pub async fn grant(&self, user: &str, rules: &str) {
        or_fail(grant(&self.api, Some(&self.name), user, rules).await);
    }

    /// Makes a service account here and returns its kubeconfig and user name, which no other test has.
    pub async fn service_account(&self, name: &str) -> (PathBuf, String) {
        or_fail(self.make_service_account(name).await)
    }

    async fn make_service_account(&self, name: &str) -> anyhow::Result<(PathBuf, String)> {
        let accounts = format!("/api/v1/namespaces/{}/serviceaccounts", self.name);
        self.api.post(&accounts, &json!({ "metadata": { "name": name } })).await?;
        let request = json!({ "apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {} });
        let answer = self.api.post(&format!("{accounts}/{name}/token"), &request).await?;
        let token = answer["status"]["token"].as_str().context("a TokenRequest is answered with a token")?;
        let user = format!("system:serviceaccount:{}:{name}", self.name);
        Ok((self.plane.write_kubeconfig(&user, token)?, user))
    }

    async fn write(&self, text: &str, names: Names) -> anyhow::Result<Vec<String>> {
        let mut objects = data::parse(text)?;
        data::shift_times(&mut objects, Timestamp::now())?;
        let namespace = data::namespace(&objects)?.unwrap_or_else(|| self.name.clone());
        let renamed = {
            let mut known = self.known();
            if names == Names::Apart {
                for name in data::names_of_the_cluster(&objects) {
                    let here = format!("{name}-{}", self.suffix);
                    // What was renamed by an earlier call may be given by its real name.
                    if !name.ends_with(&format!("-{}", self.suffix)) {
                        known.names.insert(name, here);
                    }
                }
            }
            known.names.clone()
        };
        data::rename(&mut objects, &renamed, Some((&namespace, &self.name)));
        let mut unserved = BTreeSet::new();
        let (events, others): (Vec<_>, Vec<_>) = objects.into_iter().partition(|object| object["kind"] == "Event");
        for object in others {
            unserved.extend(self.write_one(object).await?);
        }
        // Nothing refers to an event, and there are many.
        let events = stream::iter(events).map(|event| self.write_one(event)).buffer_unordered(8);
        unserved.extend(events.try_collect::<Vec<_>>().await?.into_iter().flatten());
        Ok(unserved.into_iter().collect())
    }

    /// Writes an object; returns its kind when this server does not serve it.
    async fn write_one(&self, object: Value) -> anyhow::Result<Option<String>> {
        let (kind, name) = (word(&object["kind"]).to_owned(), word(&object["metadata"]["name"]).to_owned());
        let api_version = word(&object["apiVersion"]).to_owned();
        let Some(resource) = self.resource(&api_version, &kind).await? else {
            return Ok(Some(format!("{api_version} {kind}")));
        };
        self.write_served(object, &kind, &resource).await.with_context(|| format!("writing {kind} {name}"))?;
        Ok(None)
    }

    async fn write_served(&self, mut object: Value, kind: &str, resource: &Resource) -> anyhow::Result<()> {
        if kind == "Namespace" {
            return self.write_namespace(&object).await;
        }
        self.complete(&mut object)?;
        let namespace = match object["metadata"]["namespace"].as_str() {
            Some(namespace) => namespace.to_owned(),
            None => self.name.clone(),
        };
        let name = word(&object["metadata"]["name"]).to_owned();
        let path = resource.path(&namespace, &name);
        let creatable = data::creatable(&object);
        let created = match self.api.post(&resource.path(&namespace, ""), &creatable).await {
            Err(Refused { code: 409, .. }) if self.is_ours(resource, &namespace, kind, &name) => {
                self.api.merge(&path, &creatable).await?
            }
            Err(Refused { code: 409, .. }) => {
                let there = self.api.get(&path).await?;
                // Every namespace has a service account and a certificate from the controllers, with contents of their own.
                if !covers(&there, &creatable) && !["ServiceAccount", "ConfigMap"].contains(&kind) {
                    bail!("another test has written {kind} {name} with other contents; start a plane of your own");
                }
                there
            }
            outcome => outcome?,
        };
        let uid = word(&created["metadata"]["uid"]).to_owned();
        {
            let mut known = self.known();
            if let Some(old) = object["metadata"]["uid"].as_str() {
                known.uids.insert(old.to_owned(), uid.clone());
            }
            known.objects.insert((kind.to_owned(), name.clone()), uid);
        }
        if resource.has_status && !object["status"].is_null() {
            let mut status = object["status"].clone();
            // The server has worked it out from the containers, and keeps to that.
            status.as_object_mut().map(|status| status.remove("qosClass"));
            data::replace_uids(&mut status, &self.known().uids);
            self.api.merge(&format!("{path}/status"), &json!({ "status": status })).await?;
        }
        let times = data::server_times(&object);
        if times != nothing() {
            self.etcd.merge_metadata(resource, &namespace, &name, &times).await?;
        }
        if kind == "Node" && self.plane.life() == Life::Real && is_ready(&object) {
            self.plane.keep_alive(&name);
        }
        Ok(())
    }

    /// Of a namespace, only what is said about it is taken over.
    async fn write_namespace(&self, object: &Value) -> anyhow::Result<()> {
        if object["metadata"]["name"] == self.name.as_str() {
            let mut said = nothing();
            for field in ["labels", "annotations"] {
                if let Some(entries) = object["metadata"][field].as_object() {
                    let mut entries = entries.clone();
                    // This one holds the name, which stays the real one.
                    entries.remove("kubernetes.io/metadata.name");
                    said[field] = entries.into();
                }
            }
            self.api.merge(&format!("/api/v1/namespaces/{}", self.name), &json!({ "metadata": said })).await?;
        }
        Ok(())
    }

    /// Fills in what the data may leave out since it is known: uids, an event's name and time.
    fn complete(&self, object: &mut Value) -> anyhow::Result<()> {
        let mut known = self.known();
        data::replace_uids(object, &known.uids);
        let uid_of = |known: &Known, target: &Value| {
            known.objects.get(&(word(&target["kind"]).to_owned(), word(&target["name"]).to_owned())).cloned()
        };
        if let Some(owners) = object["metadata"]["ownerReferences"].as_array_mut() {
            for owner in owners.iter_mut().filter(|owner| owner["uid"].is_null()) {
                let uid = uid_of(&known, owner).with_context(|| {
                    format!("its owner {} {} has no uid and is not there", owner["kind"], owner["name"])
                })?;
                owner["uid"] = uid.into();
            }
        }
        if object["kind"] == "Event" {
            known.events += 1;
            if object["metadata"]["name"].is_null() {
                let name = format!("{}.{:016x}", word(&object["involvedObject"]["name"]), known.events);
                object["metadata"]["name"] = name.into();
            }
            if let (true, Some(uid)) =
                (object["involvedObject"]["uid"].is_null(), uid_of(&known, &object["involvedObject"]))
            {
                object["involvedObject"]["uid"] = uid.into();
            }
            let about_the_cluster = object["involvedObject"]["kind"] == "Node";
            if object["involvedObject"]["namespace"].is_null() && !about_the_cluster {
                object["involvedObject"]["namespace"] = self.name.as_str().into();
            }
            if object["metadata"]["namespace"].is_null() {
                let namespace = if about_the_cluster { "default" } else { &self.name };
                object["metadata"]["namespace"] = namespace.into();
            }
            // Elsewhere other tests have events as well, perhaps of the same data.
            if object["metadata"]["namespace"] != self.name.as_str() {
                object["metadata"]["name"] = format!("{}.{}", word(&object["metadata"]["name"]), self.suffix).into();
            }
            if ["firstTimestamp", "lastTimestamp", "eventTime"].iter().all(|field| object[field].is_null()) {
                let now = Value::from(format!("{:.0}", Timestamp::now()));
                object["firstTimestamp"] = now.clone();
                object["lastTimestamp"] = now;
            }
        }
        Ok(())
    }

    /// What lies in this namespace belongs to this test, and so does what it wrote elsewhere.
    fn is_ours(&self, resource: &Resource, namespace: &str, kind: &str, name: &str) -> bool {
        (resource.namespaced && namespace == self.name)
            || self.known().objects.contains_key(&(kind.to_owned(), name.to_owned()))
    }

    async fn resource(&self, api_version: &str, kind: &str) -> anyhow::Result<Option<Resource>> {
        Ok(self.api.resource(api_version, kind).await?)
    }

    fn known(&self) -> std::sync::MutexGuard<'_, Known> {
        self.known.lock().expect("nothing panics while it is held")
    }
}

/// Gives a user rights, in a namespace or in all of the cluster, and waits until they are in force.
pub(super) async fn grant(api: &Api, namespace: Option<&str>, user: &str, rules: &str) -> anyhow::Result<()> {
    let rules: Value = serde_saphyr::from_str(rules).context("rules are YAML")?;
    let (role, at) = match namespace {
        Some(namespace) => ("Role", format!("/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}")),
        None => ("ClusterRole", "/apis/rbac.authorization.k8s.io/v1".to_owned()),
    };
    let plural = format!("{}s", role.to_lowercase());
    let made = api
        .post(&format!("{at}/{plural}"), &json!({ "metadata": { "generateName": "granted-" }, "rules": rules }))
        .await?;
    let name = made["metadata"]["name"].clone();
    let binding = json!({
        "metadata": { "name": name },
        "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": role, "name": name },
        "subjects": [{ "apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": user }],
    });
    api.post(&format!("{at}/{}bindings", role.to_lowercase()), &binding).await?;
    for rule in rules.as_array().into_iter().flatten() {
        let Some(resource) = rule["resources"][0].as_str() else { continue };
        let (resource, subresource) = resource.split_once('/').unwrap_or((resource, ""));
        let asked = json!({ "spec": { "user": user, "resourceAttributes": {
            "namespace": namespace.unwrap_or_default(), "group": rule["apiGroups"][0], "resource": resource,
            "subresource": subresource, "verb": rule["verbs"][0], "name": rule["resourceNames"][0],
        } } });
        poll("a new right is in force", async || {
            let answer = api.post("/apis/authorization.k8s.io/v1/subjectaccessreviews", &asked).await?;
            Ok((answer["status"]["allowed"] == true).then_some(()))
        })
        .await?;
    }
    Ok(())
}

/// Whether everything in `wanted` stands in `there` as well.
fn covers(there: &Value, wanted: &Value) -> bool {
    match (there, wanted) {
        (Value::Null, wanted) => is_empty(wanted),
        (Value::Object(there), Value::Object(wanted)) => {
            wanted.iter().all(|(key, wanted)| covers(there.get(key).unwrap_or(&Value::Null), wanted))
        }
        (Value::Array(there), Value::Array(wanted)) => {
            there.len() == wanted.len() && there.iter().zip(wanted).all(|(there, wanted)| covers(there, wanted))
        }
        _ => there == wanted,
    }
}

/// Whether a value says nothing, as the server leaves such out.
fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Object(fields) => fields.is_empty(),
        Value::Array(items) => items.is_empty(),
        _ => false,
    }
}

fn is_ready(node: &Value) -> bool {
    let conditions = node["status"]["conditions"].as_array();
    conditions.into_iter().flatten().any(|condition| condition["type"] == "Ready" && condition["status"] == "True")
}

fn word(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
