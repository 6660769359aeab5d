//! The HTTP side: a request in, an object, a list, a stream or a `Status` out.

use super::RecordedCluster;
use super::discovery;
use super::events;
use super::kinds::Kind;
use super::logs;
use super::refusal::Refusal;
use super::request::{Place, Query, place};
use super::selector::Selector;
use super::table::table;
use super::watching::{self, Wanted, shown};
use super::world::Key;
use super::write::{self, DeleteOptions, PatchFormat};
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Json, Router};
use serde_json::{Value, json};
use std::sync::Arc;

/// The API server's own limit for what is written to it.
const BODY_LIMIT: usize = 3 * 1024 * 1024;
const PATCH_TYPES: &[&str] =
    &["application/json-patch+json", "application/merge-patch+json", "application/strategic-merge-patch+json"];

/// Returns the router that serves a cluster at every path.
pub fn router(cluster: Arc<RecordedCluster>) -> Router {
    Router::new().fallback(handle).with_state(cluster)
}

struct Call {
    cluster: Arc<RecordedCluster>,
    method: Method,
    query: Query,
    raw_query: String,
    headers: HeaderMap,
    body: Value,
}

async fn handle(State(cluster): State<Arc<RecordedCluster>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let raw_query = parts.uri.query().unwrap_or_default().to_owned();
    let Ok(bytes) = axum::body::to_bytes(body, BODY_LIMIT).await else {
        return Refusal::bad_request("the body could not be read or is too large").into_response();
    };
    cluster.keep_fresh();
    let sent = parts.headers.get(header::CONTENT_TYPE).and_then(|sent| sent.to_str().ok()).unwrap_or("json");
    if !bytes.is_empty() && !sent.contains("json") {
        // Also how a client that prefers protobuf learns that it has to send JSON.
        let accepted: Vec<_> = ["application/json"].iter().chain(PATCH_TYPES).copied().collect();
        return Refusal::unsupported_media_type(&accepted).into_response();
    }
    let body = if bytes.is_empty() {
        Value::Null
    } else {
        match serde_json::from_slice(&bytes) {
            Ok(body) => body,
            Err(error) => return Refusal::bad_request(format!("the body is not JSON: {error}")).into_response(),
        }
    };
    let query = Query::parse(&raw_query);
    let call = Call { cluster, method: parts.method, query, raw_query, headers: parts.headers, body };
    match place(parts.uri.path()).and_then(|place| call.answer(place)) {
        Ok(response) => response,
        Err(refusal) => refusal.into_response(),
    }
}

impl Call {
    fn answer(self, place: Place) -> Result<Response, Refusal> {
        self.user()?;
        match place {
            Place::Version => Ok(Json(discovery::version()).into_response()),
            Place::Health => Ok("ok".into_response()),
            Place::CoreVersions => Ok(Json(discovery::core_versions()).into_response()),
            Place::Groups => Ok(Json(discovery::groups()).into_response()),
            Place::Group(group) => found(discovery::group(&group)),
            Place::Resources { group, version } => found(discovery::resources(&group, &version)),
            Place::Review { group, plural, namespace } => self.review(&group, &plural, &namespace),
            Place::Collection { kind, namespace } => {
                self.may(kind, namespace.as_deref().unwrap_or_default(), "")?;
                self.collection(kind, namespace)
            }
            Place::Object { kind, namespace, name, part } => {
                self.may(kind, &namespace, &name)?;
                self.object(kind, &namespace, &name, part.as_deref())
            }
        }
    }

    fn collection(self, kind: &'static Kind, namespace: Option<String>) -> Result<Response, Refusal> {
        match self.method {
            Method::GET => {
                let (labels, fields) = (self.query.text("labelSelector"), self.query.text("fieldSelector"));
                let fields = if kind.group == "events.k8s.io" {
                    fields.replace("regarding.", "involvedObject.")
                } else {
                    fields.to_owned()
                };
                let selector = Selector::parse(kind, labels, &fields)?;
                if self.query.flag("watch") {
                    let wanted = Wanted { kind, namespace, selector, shape: self.shape() };
                    let body = watching::open(self.cluster, wanted, &self.query)?;
                    return Ok(([(header::CONTENT_TYPE, "application/json")], body).into_response());
                }
                self.list(kind, namespace.as_deref(), &selector)
            }
            Method::POST => {
                let now = self.cluster.now();
                let dry_run = self.query.dry_run();
                let body = if kind.group == "events.k8s.io" { events::from_new_group(&self.body) } else { self.body };
                let namespace = namespace.unwrap_or_default();
                let created =
                    self.cluster.change(|world| write::create(world, kind, &namespace, body, dry_run, now))?;
                Ok((StatusCode::CREATED, Json(shown(kind, &created))).into_response())
            }
            Method::DELETE => {
                let selector =
                    Selector::parse(kind, self.query.text("labelSelector"), self.query.text("fieldSelector"))?;
                let (options, dry_run) = self.delete_options();
                let now = self.cluster.now();
                self.cluster.change(|world| {
                    let matching = world.list(kind, namespace.as_deref()).filter(|(_, o)| selector.matches(o));
                    let keys: Vec<Key> = matching.map(|(key, _)| key.clone()).collect();
                    keys.iter().try_for_each(|key| {
                        write::delete(world, (kind, &key.namespace, &key.name), &options, dry_run, now).map(drop)
                    })
                })?;
                let done = json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"});
                Ok(Json(done).into_response())
            }
            _ => Err(Refusal::method_not_allowed()),
        }
    }

    fn list(&self, kind: &'static Kind, namespace: Option<&str>, selector: &Selector) -> Result<Response, Refusal> {
        let limit = self.query.number("limit").filter(|limit| *limit > 0);
        let start = self.query.text("continue");
        let (after, pinned) = if start.is_empty() { (None, None) } else { continuation(start)? };
        let (items, next, rest, version) = self.cluster.with(|world| {
            if pinned.is_some_and(|version| world.changes_since(version).is_none()) {
                return Err(Refusal::expired(
                    "The provided continue parameter is too old to display a consistent list result. You can start a \
                     new list without the continue parameter.",
                ));
            }
            let matching = world.list(kind, namespace).filter(|(_, object)| selector.matches(object));
            let mut matching: Vec<_> = matching
                .filter(|(key, _)| after.as_ref().is_none_or(|(ns, name)| (&key.namespace, &key.name) > (ns, name)))
                .collect();
            let version = pinned.unwrap_or(world.version());
            let rest =
                limit.map_or(0, |limit| matching.len().saturating_sub(usize::try_from(limit).unwrap_or(usize::MAX)));
            matching.truncate(matching.len() - rest);
            let next = matching
                .last()
                .filter(|_| rest > 0)
                .map(|(key, _)| format!("{version}:{}/{}", key.namespace, key.name));
            let items: Vec<Value> = matching.iter().map(|(_, object)| shown(kind, object)).collect();
            Ok((items, next, rest, version))
        })?;
        let mut metadata = json!({"resourceVersion": version.to_string()});
        if let Some(next) = next {
            metadata["continue"] = next.into();
            if selector.is_empty() {
                metadata["remainingItemCount"] = rest.into();
            }
        }
        match self.shape() {
            Shape::Metadata => {
                let items: Vec<Value> = items.iter().map(partial).collect();
                let list = json!({"kind": "PartialObjectMetadataList", "apiVersion": "meta.k8s.io/v1",
                    "metadata": metadata, "items": items});
                return Ok(Json(list).into_response());
            }
            Shape::Table => return Ok(Json(table(kind, &items, metadata, self.cluster.now())).into_response()),
            Shape::Whole => {}
        }
        // Items of a list do not say what they are: the list does.
        let items: Vec<Value> = items
            .into_iter()
            .map(|mut item| {
                if let Some(item) = item.as_object_mut() {
                    item.remove("kind");
                    item.remove("apiVersion");
                }
                item
            })
            .collect();
        let list = json!({"kind": format!("{}List", kind.kind), "apiVersion": kind.api_version(),
            "metadata": metadata, "items": items});
        Ok(Json(list).into_response())
    }

    fn object(self, kind: &'static Kind, namespace: &str, name: &str, part: Option<&str>) -> Result<Response, Refusal> {
        let place = (kind, namespace, name);
        let now = self.cluster.now();
        let dry_run = self.query.dry_run();
        match (self.method.as_str(), part) {
            ("GET", None | Some("status")) => {
                let object = self.cluster.with(|world| world.get(&Key::new(kind, namespace, name)).cloned());
                let object = shown(kind, &*object.ok_or_else(|| Refusal::not_found(kind, name))?);
                Ok(Json(match self.shape() {
                    Shape::Whole => object,
                    Shape::Metadata => partial(&object),
                    Shape::Table => table(kind, &[object], json!({}), now),
                })
                .into_response())
            }
            ("GET", Some("log")) if kind.kind == "Pod" => {
                let log =
                    self.cluster.with(|world| logs::read(world, namespace, name, &self.query, &self.raw_query))?;
                Ok(([(header::CONTENT_TYPE, "text/plain")], Body::from(log)).into_response())
            }
            ("POST", Some("eviction")) if kind.kind == "Pod" => {
                let options = DeleteOptions::read(&self.body["deleteOptions"]);
                let told = self.body["deleteOptions"]["dryRun"].as_array();
                let dry_run = dry_run || told.is_some_and(|all| !all.is_empty());
                let done =
                    self.cluster.change(|world| write::evict(world, (namespace, name), &options, dry_run, now))?;
                Ok((StatusCode::CREATED, Json(done)).into_response())
            }
            ("PUT", None | Some("status")) => {
                let body = if kind.group == "events.k8s.io" { events::from_new_group(&self.body) } else { self.body };
                let object = self.cluster.change(|world| write::replace(world, place, part, body, dry_run))?;
                Ok(Json(shown(kind, &object)).into_response())
            }
            ("PATCH", None | Some("status")) => {
                let sent =
                    self.headers.get(header::CONTENT_TYPE).and_then(|sent| sent.to_str().ok()).unwrap_or_default();
                let format = match sent.split(';').next().unwrap_or_default().trim() {
                    "application/json-patch+json" => PatchFormat::Json,
                    "application/merge-patch+json" => PatchFormat::Merge,
                    "application/strategic-merge-patch+json" => PatchFormat::Strategic,
                    _ => return Err(Refusal::unsupported_media_type(PATCH_TYPES)),
                };
                let object =
                    self.cluster.change(|world| write::patch(world, place, part, format, &self.body, dry_run))?;
                Ok(Json(shown(kind, &object)).into_response())
            }
            ("DELETE", None) => {
                let (options, dry_run) = self.delete_options();
                let gone = self.cluster.change(|world| write::delete(world, place, &options, dry_run, now))?;
                Ok(Json(gone).into_response())
            }
            (_, Some("status") | None) => Err(Refusal::method_not_allowed()),
            _ => Err(Refusal::no_such_path()),
        }
    }

    /// Returns in which form the client would like to have objects.
    fn shape(&self) -> Shape {
        let accept = self.headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
        match () {
            () if accept.contains("as=Table") => Shape::Table,
            () if accept.contains("as=PartialObjectMetadata") => Shape::Metadata,
            () => Shape::Whole,
        }
    }

    /// Options of a deletion come in its body, in its query, or in both.
    fn delete_options(&self) -> (DeleteOptions, bool) {
        let mut options = DeleteOptions::read(&self.body);
        options.grace = options.grace.or(self.query.number("gracePeriodSeconds"));
        let propagation = self.query.text("propagationPolicy");
        if options.propagation.is_none() && !propagation.is_empty() {
            options.propagation = Some(propagation.to_owned());
        }
        let dry_run = self.query.dry_run() || self.body["dryRun"].as_array().is_some_and(|all| !all.is_empty());
        (options, dry_run)
    }

    /// Answers who somebody is and what they may do.
    fn review(&self, group: &str, plural: &str, namespace: &str) -> Result<Response, Refusal> {
        let served = discovery::REVIEWS.iter().any(|review| (review.0, review.1) == (group, plural));
        if !served {
            return Err(Refusal::no_such_path());
        }
        if self.method != Method::POST {
            return Err(Refusal::method_not_allowed());
        }
        let mut answer = self.body.clone();
        let spec = &self.body["spec"];
        answer["status"] = match plural {
            "selfsubjectreviews" => json!({"userInfo": {"username": self.user()?, "groups": ["system:authenticated"]}}),
            "selfsubjectaccessreviews" => access(true, spec),
            _ => {
                let groups = spec["groups"].as_array().into_iter().flatten().filter_map(Value::as_str);
                let mut names = spec["user"].as_str().into_iter().chain(groups);
                let known = names.any(|name| self.cluster.knows(name));
                let inside = namespace.is_empty() || spec["resourceAttributes"]["namespace"] == namespace;
                access(known && inside, spec)
            }
        };
        Ok((StatusCode::CREATED, Json(answer)).into_response())
    }

    /// Returns who asks: the impersonated user where there is one, who must then be known.
    fn user(&self) -> Result<String, Refusal> {
        let Some(user) = self.headers.get("impersonate-user") else { return Ok(self.cluster.user().to_owned()) };
        let user = user.to_str().unwrap_or_default();
        if self.cluster.knows(user) {
            return Ok(user.to_owned());
        }
        let kind =
            Kind { group: "", version: "v1", plural: "users", kind: "User", namespaced: false, short_names: &[] };
        let why = format!(
            "User \"{}\" cannot impersonate resource \"users\" in API group \"\" at the cluster scope",
            self.cluster.user()
        );
        Err(Refusal::forbidden(&kind, user, &why))
    }

    /// Secrets are kept from everybody who asks: a recorded cluster has nothing to show there.
    fn may(&self, kind: &Kind, namespace: &str, name: &str) -> Result<(), Refusal> {
        if kind.kind != "Secret" {
            return Ok(());
        }
        let verb = match (self.method.as_str(), name) {
            ("GET", "") if self.query.flag("watch") => "watch",
            ("GET", "") => "list",
            ("GET", _) => "get",
            ("POST", _) => "create",
            ("PUT", _) => "update",
            ("DELETE", _) => "delete",
            _ => "patch",
        };
        let scope = if namespace.is_empty() {
            "at the cluster scope".into()
        } else {
            format!("in the namespace \"{namespace}\"")
        };
        let user = self.user()?;
        let why = format!("User \"{user}\" cannot {verb} resource \"secrets\" in API group \"\" {scope}");
        Err(Refusal::forbidden(kind, name, &why))
    }
}

fn access(known: bool, spec: &Value) -> Value {
    let secret = spec["resourceAttributes"]["resource"] == "secrets";
    if known && !secret {
        json!({"allowed": true, "reason": "RBAC: allowed by ClusterRoleBinding \"podoctor\""})
    } else {
        json!({"allowed": false})
    }
}

/// The forms in which objects are served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    Whole,
    /// Only what stands under `metadata`.
    Metadata,
    /// Rows for people, as kubectl shows them.
    Table,
}

pub fn partial(object: &Value) -> Value {
    json!({"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": object["metadata"]})
}

fn found(answer: Option<Value>) -> Result<Response, Refusal> {
    answer.map(|answer| Json(answer).into_response()).ok_or_else(Refusal::no_such_path)
}

/// Where a list goes on: after which object, and at which version it began.
type Continuation = (Option<(String, String)>, Option<u64>);

fn continuation(token: &str) -> Result<Continuation, Refusal> {
    let parsed = token.split_once(':').and_then(|(version, place)| {
        let (namespace, name) = place.split_once('/')?;
        Some((version.parse().ok()?, namespace.to_owned(), name.to_owned()))
    });
    let (version, namespace, name) =
        parsed.ok_or_else(|| Refusal::bad_request("continue key is not valid: invalid value"))?;
    Ok((Some((namespace, name)), Some(version)))
}
