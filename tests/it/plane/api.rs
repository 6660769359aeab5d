//! The API server and etcd as the harness speaks to them: plain JSON.

use anyhow::Context;
use futures_util::{StreamExt, TryStreamExt, stream};
use k8s_openapi::ByteString;
use reqwest::{Certificate, Method};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::sync::Mutex;
use std::time::Duration;

/// The API server said no.
#[derive(Debug, thiserror::Error)]
#[error("{method} {path}: {code} {message}")]
pub struct Refused {
    pub method: Method,
    pub path: String,
    /// The HTTP status; 0 = there was no answer.
    pub code: u16,
    pub message: String,
}

/// A client of the API server, for one user. It belongs to the runtime it was made in.
pub struct Api {
    http: reqwest::Client,
    base: String,
    token: String,
    kinds: Mutex<BTreeMap<String, Value>>,
}

impl fmt::Debug for Api {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Api").field("base", &self.base).finish_non_exhaustive()
    }
}

/// How a kind is served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resource {
    pub api_version: String,
    pub plural: String,
    pub namespaced: bool,
    pub has_status: bool,
}

impl Resource {
    /// Returns the path of an object, or of all of them where the name is empty.
    pub fn path(&self, namespace: &str, name: &str) -> String {
        let root = if self.api_version.contains('/') { "apis" } else { "api" };
        let mut path = format!("/{root}/{}", self.api_version);
        if self.namespaced {
            path = format!("{path}/namespaces/{namespace}");
        }
        path = format!("{path}/{}", self.plural);
        if name.is_empty() { path } else { format!("{path}/{name}") }
    }
}

impl Api {
    /// Makes a client that trusts the API server's own certificate.
    ///
    /// # Errors
    /// Fails when the certificate is not there or cannot be read.
    pub fn new(base: &str, certificate: &Path, token: &str) -> anyhow::Result<Api> {
        let pem = std::fs::read(certificate).with_context(|| certificate.display().to_string())?;
        let http = reqwest::Client::builder()
            .no_proxy()
            .tls_certs_only(Certificate::from_pem_bundle(&pem)?)
            .timeout(Duration::from_secs(30))
            .build()?;
        Ok(Api { http, base: base.to_owned(), token: token.to_owned(), kinds: Mutex::default() })
    }

    pub async fn get(&self, path: &str) -> Result<Value, Refused> {
        self.call(Method::GET, path, None).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Result<Value, Refused> {
        self.call(Method::POST, path, Some(body)).await
    }

    /// Sends a JSON merge patch.
    pub async fn merge(&self, path: &str, body: &Value) -> Result<Value, Refused> {
        self.call(Method::PATCH, path, Some(body)).await
    }

    pub async fn delete(&self, path: &str, options: &Value) -> Result<Value, Refused> {
        self.call(Method::DELETE, path, Some(options)).await
    }

    async fn call(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value, Refused> {
        let refused = |code, message| Refused { method: method.clone(), path: path.to_owned(), code, message };
        let mut request = self.http.request(method.clone(), format!("{}{path}", self.base)).bearer_auth(&self.token);
        if let Some(body) = body {
            let kind = if method == Method::PATCH { "application/merge-patch+json" } else { "application/json" };
            request = request.header("content-type", kind).body(body.to_string());
        }
        let answer = request.send().await.map_err(|error| refused(0, format!("{:#}", anyhow::Error::from(error))))?;
        let code = answer.status().as_u16();
        let text = answer.text().await.map_err(|error| refused(0, error.to_string()))?;
        let value: Value = serde_json::from_str(&text).unwrap_or(Value::String(text));
        if code >= 400 {
            let message = value["message"].as_str().map_or_else(|| value.to_string(), str::to_owned);
            return Err(refused(code, message));
        }
        Ok(value)
    }

    /// Returns how a kind is served; `None` = not by this server.
    ///
    /// # Errors
    /// Fails when the server does not answer.
    pub async fn resource(&self, api_version: &str, kind: &str) -> Result<Option<Resource>, Refused> {
        let known = self.kinds.lock().expect("nothing panics while it is held").get(api_version).cloned();
        let list = match known {
            Some(list) => list,
            None => {
                let root = if api_version.contains('/') { "apis" } else { "api" };
                let list = match self.get(&format!("/{root}/{api_version}")).await {
                    Err(Refused { code: 404, .. }) => return Ok(None),
                    list => list?,
                };
                self.kinds
                    .lock()
                    .expect("nothing panics while it is held")
                    .insert(api_version.to_owned(), list.clone());
                list
            }
        };
        let resources = list["resources"].as_array().map(Vec::as_slice).unwrap_or_default();
        let of_kind = |resource: &&Value| resource["kind"] == kind;
        let main = resources.iter().filter(of_kind).find(|r| !r["name"].as_str().unwrap_or("/").contains('/'));
        Ok(main.map(|main| {
            let plural = main["name"].as_str().unwrap_or_default().to_owned();
            let status = format!("{plural}/status");
            Resource {
                api_version: api_version.to_owned(),
                namespaced: main["namespaced"] == true,
                has_status: resources.iter().any(|resource| resource["name"] == status.as_str()),
                plural,
            }
        }))
    }
}

/// etcd, to write what no client of the API server may: when an object was created, and since when it is being deleted.
#[derive(Debug)]
pub struct Etcd {
    http: reqwest::Client,
    base: String,
}

impl Etcd {
    pub fn new(base: &str) -> anyhow::Result<Etcd> {
        Ok(Etcd {
            http: reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(30)).build()?,
            base: base.to_owned(),
        })
    }

    /// Merges into the metadata of a stored object, which the API server sees as any other change.
    ///
    /// # Errors
    /// Fails when the object is not found under the key that its kind should have.
    pub async fn merge_metadata(
        &self,
        resource: &Resource,
        namespace: &str,
        name: &str,
        metadata: &Value,
    ) -> anyhow::Result<()> {
        let merge = |object: &mut Value| {
            for (field, value) in metadata.as_object().into_iter().flatten() {
                object["metadata"][field] = value.clone();
            }
        };
        self.change(&self.key(resource, namespace, name), merge).await
    }

    /// Changes a stored object, which the API server sees as any other change, also one that was made while it was down.
    ///
    /// # Errors
    /// Fails when there is nothing under the key.
    pub async fn change(&self, key: &str, change: impl Fn(&mut Value)) -> anyhow::Result<()> {
        for _ in 0..20 {
            let found = self.call("range", &json!({ "key": encode(key.as_bytes()) })).await?;
            let found = found["kvs"][0].clone();
            let stored = decode(&found["value"]).with_context(|| format!("etcd has no {key}"))?;
            let mut object: Value =
                serde_json::from_slice(&stored).with_context(|| format!("etcd's {key} is no JSON"))?;
            change(&mut object);
            let put =
                json!({ "key": found["key"], "value": encode(object.to_string().as_bytes()), "ignore_lease": true });
            let unchanged = json!({ "key": found["key"], "target": "MOD", "result": "EQUAL", "mod_revision": found["mod_revision"] });
            let done =
                self.call("txn", &json!({ "compare": [unchanged], "success": [{ "request_put": put }] })).await?;
            if done["succeeded"] == true {
                return Ok(());
            }
        }
        anyhow::bail!("etcd's {key} changes all the time")
    }

    /// Stores objects by their keys, or removes what is stored there, many at once. Each is a revision of its own, as with
    /// the API server: a watch that resumes in the middle of a revision would miss the rest of it.
    ///
    /// # Errors
    /// Fails when etcd does not take them.
    pub async fn write_all(&self, objects: Vec<(String, Option<Value>)>) -> anyhow::Result<()> {
        let write = |(key, object): (String, Option<Value>)| async move {
            let key = encode(key.as_bytes());
            match object {
                Some(object) => {
                    self.call("put", &json!({ "key": key, "value": encode(object.to_string().as_bytes()) })).await
                }
                None => self.call("deleterange", &json!({ "key": key })).await,
            }
        };
        stream::iter(objects).map(write).buffer_unordered(16).map_ok(drop).try_collect().await
    }

    /// Forgets all revisions but the newest, so that older resource versions are gone (410).
    ///
    /// # Errors
    /// Fails when etcd does not answer.
    pub async fn compact(&self) -> anyhow::Result<()> {
        let found = self.call("range", &json!({ "key": encode(b"/registry/"), "limit": 1 })).await?;
        let revision = found["header"]["revision"].clone();
        self.call("compaction", &json!({ "revision": revision, "physical": true })).await?;
        Ok(())
    }

    /// The names are history: https://github.com/kubernetes/kubernetes/blob/master/pkg/kubeapiserver/default_storage_factory_builder.go
    pub fn key(&self, resource: &Resource, namespace: &str, name: &str) -> String {
        let group = resource.api_version.split_once('/').map_or("", |(group, _)| group);
        let custom = format!("{group}/{}", resource.plural);
        let folder = match resource.plural.as_str() {
            "nodes" => "minions",
            "services" => "services/specs",
            "endpoints" => "services/endpoints",
            "ingresses" => "ingress",
            _ if group.contains('.') && !group.ends_with(".k8s.io") => &custom,
            plural => plural,
        };
        if resource.namespaced {
            format!("/registry/{folder}/{namespace}/{name}")
        } else {
            format!("/registry/{folder}/{name}")
        }
    }

    pub async fn call(&self, what: &str, body: &Value) -> anyhow::Result<Value> {
        let answer = self.http.post(format!("{}/v3/kv/{what}", self.base)).json(body).send().await?;
        let status = answer.status();
        let answer: Value = answer.json().await?;
        anyhow::ensure!(status.is_success(), "etcd refused {what}: {status} {answer}");
        Ok(answer)
    }
}

pub fn encode(bytes: &[u8]) -> Value {
    serde_json::to_value(ByteString(bytes.to_vec())).expect("bytes are always JSON")
}

fn decode(value: &Value) -> Option<Vec<u8>> {
    serde_json::from_value::<ByteString>(value.clone()).ok().map(|bytes| bytes.0)
}
