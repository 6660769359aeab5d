//! The only place that writes to a cluster. What changes anything takes a [`Confirmed`], which only
//! `remedy::confirm` can make; a test of the house holds both.
//!
//! Each write reads the object first and sends its change with what it read as the condition, so that nothing is changed
//! that is not what the person saw. What was sent and not answered is [`WriteError::Unknown`]: then the object is asked.

use super::{Cluster, ReadError, Resource};
use crate::remedy::Confirmed;
use crate::remedy::confirm::Spent;
use crate::remedy::object::Object;
use crate::remedy::patch::{self, Operation};
use crate::remedy::plan::{Change, Right, Step, Told};
use http::{HeaderValue, Method, Request, header};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::time::timeout;

/// How long a request may take; beyond it nobody knows whether it was done.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often a change is sent again that met a newer version of the object with the same fields.
const TRIES: usize = 4;
/// The most bytes of an Event's message: the API server's own limit.
const MESSAGE: usize = 1_024;

/// Why something was not written, or may not have been.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WriteError {
    /// The object is not what the plan was made for.
    #[error("{0}")]
    Void(String),
    /// Our account, or the person in whose name it is sent, lacks a right.
    #[error("the API server forbids it: {0}")]
    Forbidden(String),
    /// The API server says no, and has done nothing.
    #[error("the API server refuses it ({code}): {message}")]
    Refused { code: u16, message: String },
    /// It may have been done: there was no answer, or one that says neither.
    #[error("the API server did not say whether it was done: {0}")]
    Unknown(String),
}

/// Whether this is for good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Really {
    /// `dryRun=All`: everything but the last step of the API server's work.
    DryRun,
    ForGood,
}

impl Cluster {
    /// Sends a step with `dryRun=All`: the API server says what it would say, and changes nothing.
    ///
    /// # Errors
    /// The API server's objection.
    pub async fn rehearse(&self, step: &Step, as_user: Option<&str>) -> Result<(), WriteError> {
        self.write(step, as_user, Really::DryRun).await
    }

    /// Does what was confirmed, once.
    pub async fn execute(&self, confirmed: Confirmed, as_user: Option<&str>) -> (Spent, Result<(), WriteError>) {
        let outcome = self.write(confirmed.step(), as_user, Really::ForGood).await;
        (confirmed.spend(), outcome)
    }

    /// Asks the object what became of a step.
    ///
    /// # Errors
    /// Where it cannot be read.
    pub async fn told_of(&self, step: &Step) -> Result<Told, ReadError> {
        match self.object(&step.object).await {
            Ok(object) => Ok(step.told_by(Some(&object))),
            Err(ReadError::NotFound(_)) => Ok(step.told_by(None)),
            Err(error) => Err(error),
        }
    }

    /// Asks whether a Kubernetes user has a right. Nothing is kept of the question.
    ///
    /// # Errors
    /// Where the API server does not say; then nobody has it.
    pub async fn may(&self, user: &str, right: &Right) -> Result<bool, WriteError> {
        let (resource, subresource) = right.resource.split_once('/').unwrap_or((&right.resource, ""));
        let review = json!({
            "apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview",
            "spec": {"user": user, "groups": ["system:authenticated"], "resourceAttributes": {
                "verb": right.verb, "group": right.group, "resource": resource, "subresource": subresource,
                "namespace": right.namespace, "name": right.name,
            }},
        });
        let path = "/apis/authorization.k8s.io/v1/subjectaccessreviews";
        let answer = self.send(Method::POST, path, "application/json", &review, None).await?;
        Ok(answer["status"]["allowed"] == true && answer["status"]["denied"] != true)
    }

    /// Leaves an Event on the object that is about to be changed.
    ///
    /// # Errors
    /// Why the Event could not be written; the change itself does not depend on it.
    pub async fn note_before(&self, confirmed: &Confirmed, what: &str, now: Timestamp) -> Result<(), WriteError> {
        let message = format!("{what}, confirmed by {}", confirmed.by().named());
        self.note(&confirmed.step().object, "RemedyStarted", "Normal", &message, now).await
    }

    /// Leaves an Event on the object that was to be changed.
    ///
    /// # Errors
    /// As [`note_before`](Self::note_before).
    pub async fn note_after(
        &self,
        spent: &Spent,
        what: &str,
        failure: Option<&str>,
        now: Timestamp,
    ) -> Result<(), WriteError> {
        let by = spent.was().by().named();
        let object = &spent.was().step().object;
        match failure {
            None => self.note(object, "RemedyDone", "Normal", &format!("{what}, confirmed by {by}: done"), now).await,
            Some(why) => {
                let message = format!("{what}, confirmed by {by}: not done: {why}");
                self.note(object, "RemedyFailed", "Warning", &message, now).await
            }
        }
    }

    async fn write(&self, step: &Step, as_user: Option<&str>, really: Really) -> Result<(), WriteError> {
        let mut tries = TRIES;
        loop {
            let object = match self.object(&step.object).await {
                Ok(object) => object,
                Err(ReadError::NotFound(_)) => {
                    return Err(WriteError::Void(format!("{} is gone already", step.object)));
                }
                // Nothing was sent yet.
                Err(error) => return Err(WriteError::Refused { code: 0, message: error.to_string() }),
            };
            if object["metadata"]["uid"] != step.object.uid.as_str() {
                return Err(WriteError::Void(format!("there is another {} by now", step.object)));
            }
            let version = object["metadata"]["resourceVersion"].as_str().unwrap_or_default();
            let outcome = match &step.change {
                Change::Patch { operations } => {
                    fits(&object, operations, step)?;
                    self.patch(&step.object, operations, version, as_user, really).await
                }
                Change::Delete { grace_seconds, tests } => {
                    fits(&object, tests, step)?;
                    self.delete(&step.object, *grace_seconds, version, as_user, really).await
                }
                Change::Evict => self.evict(&step.object, as_user, really).await,
            };
            tries -= 1;
            match outcome {
                // Something else of the object changed in this moment: it is read again, and so are the fields that count.
                Err(WriteError::Refused { code: 409 | 422, .. }) if tries > 0 && self.moved(step, version).await => {}
                outcome => return outcome,
            }
        }
    }

    /// Returns true where the object has another version than the one that a change was sent with.
    async fn moved(&self, step: &Step, version: &str) -> bool {
        self.object(&step.object).await.is_ok_and(|object| object["metadata"]["resourceVersion"] != version)
    }

    async fn patch(
        &self,
        object: &Object,
        operations: &[Operation],
        version: &str,
        as_user: Option<&str>,
        really: Really,
    ) -> Result<(), WriteError> {
        let same = Operation::Test { path: "/metadata/resourceVersion".to_owned(), value: json!(version) };
        let patch = patch::to_json(&[std::slice::from_ref(&same), operations].concat());
        let path = format!("{}?fieldManager=podoctor{}", path(object)?, really.query('&'));
        self.send(Method::PATCH, &path, "application/json-patch+json", &patch, as_user).await.map(drop)
    }

    async fn delete(
        &self,
        object: &Object,
        grace_seconds: Option<u32>,
        version: &str,
        as_user: Option<&str>,
        really: Really,
    ) -> Result<(), WriteError> {
        let mut options = json!({
            "apiVersion": "v1", "kind": "DeleteOptions",
            "preconditions": {"uid": object.uid, "resourceVersion": version},
        });
        if let Some(seconds) = grace_seconds {
            options["gracePeriodSeconds"] = json!(seconds);
        }
        let path = format!("{}{}", path(object)?, really.query('?'));
        self.send(Method::DELETE, &path, "application/json", &options, as_user).await.map(drop)
    }

    async fn evict(&self, object: &Object, as_user: Option<&str>, really: Really) -> Result<(), WriteError> {
        let eviction = json!({
            "apiVersion": "policy/v1", "kind": "Eviction",
            "metadata": {"name": object.name, "namespace": object.namespace},
            "deleteOptions": {"preconditions": {"uid": object.uid}},
        });
        let path = format!("{}/eviction{}", path(object)?, really.query('?'));
        self.send(Method::POST, &path, "application/json", &eviction, as_user).await.map(drop)
    }

    async fn note(
        &self,
        object: &Object,
        reason: &str,
        kind: &str,
        message: &str,
        now: Timestamp,
    ) -> Result<(), WriteError> {
        // Events about objects of the cluster stand in `default`.
        let namespace = object.namespace().unwrap_or("default");
        let (group, version, ..) = resource(object)?.parts();
        let api = if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") };
        let mut end = message.len().min(MESSAGE);
        while !message.is_char_boundary(end) {
            end -= 1;
        }
        let at = now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        let event = json!({
            "apiVersion": "v1", "kind": "Event",
            "metadata": {"generateName": "podoctor-", "namespace": namespace},
            "involvedObject": {"apiVersion": api, "kind": object.kind.name(), "namespace": object.namespace,
                "name": object.name, "uid": object.uid},
            "reason": reason, "message": &message[..end], "type": kind, "count": 1,
            "firstTimestamp": at, "lastTimestamp": at,
            "source": {"component": "podoctor"}, "reportingComponent": "podoctor", "reportingInstance": "podoctor",
        });
        let path = Resource::Events.collection(namespace);
        self.send(Method::POST, &path, "application/json", &event, None).await.map(drop)
    }

    async fn object(&self, object: &Object) -> Result<Value, ReadError> {
        let path = path(object).map_err(|error| ReadError::Other(error.to_string()))?;
        let text = timeout(PATIENCE, self.get(&path)).await.unwrap_or(Err(ReadError::Slow))?;
        serde_json::from_str(&text).map_err(|error| ReadError::Other(error.to_string()))
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        content: &'static str,
        body: &Value,
        as_user: Option<&str>,
    ) -> Result<Value, WriteError> {
        let unsent = |why: String| WriteError::Refused { code: 0, message: why };
        let mut request = Request::builder().method(method).uri(path).header(header::CONTENT_TYPE, content);
        if let Some(user) = as_user {
            let user = HeaderValue::from_str(user).map_err(|_| unsent("the person's name is no header".to_owned()))?;
            request = request.header("Impersonate-User", user);
        }
        let request = request.body(body.to_string().into_bytes()).map_err(|error| unsent(error.to_string()))?;
        self.requests.fetch_add(1, Ordering::Relaxed);
        let answer = timeout(PATIENCE, self.client.request_text(request)).await;
        match answer {
            Err(_) => Err(WriteError::Unknown(format!("no answer within {} s", PATIENCE.as_secs()))),
            Ok(Ok(text)) => Ok(serde_json::from_str(&text).unwrap_or_default()),
            Ok(Err(kube::Error::Api(status))) => Err(match status.code {
                403 => WriteError::Forbidden(status.message.clone()),
                // It has read the request and done nothing.
                code @ (400..=499) => WriteError::Refused { code, message: status.message.clone() },
                code => WriteError::Unknown(format!("{code}: {}", status.message)),
            }),
            Ok(Err(error)) => Err(WriteError::Unknown(ReadError::from_kube(error, path).to_string())),
        }
    }
}

impl Really {
    fn query(self, sign: char) -> String {
        match self {
            Self::DryRun => format!("{sign}dryRun=All"),
            Self::ForGood => String::new(),
        }
    }
}

fn fits(object: &Value, operations: &[Operation], step: &Step) -> Result<(), WriteError> {
    let moved = |moved: patch::Moved| {
        WriteError::Void(format!("{} of {} is not what it was any more", patch::field(&moved.path), step.object))
    };
    patch::apply(object, operations).map(drop).map_err(moved)
}

fn resource(object: &Object) -> Result<Resource, WriteError> {
    let none = || WriteError::Refused { code: 0, message: format!("{} cannot be changed", object.kind.name()) };
    Resource::of_kind(object.kind.name()).ok_or_else(none)
}

fn path(object: &Object) -> Result<String, WriteError> {
    Ok(resource(object)?.object(&object.namespace, &object.name))
}
