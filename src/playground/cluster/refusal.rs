//! What the API server answers when it does not do what was asked: a `Status` with the real codes and words.

use super::kinds::Kind;
use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};

/// A `Status` of failure.
#[derive(Debug, Clone)]
pub struct Refusal {
    code: u16,
    reason: &'static str,
    message: String,
    details: Map<String, Value>,
}

impl Refusal {
    pub fn not_found(kind: &Kind, name: &str) -> Refusal {
        Refusal::new(404, "NotFound", format!("{} \"{name}\" not found", kind.qualified())).about(kind, name)
    }

    pub fn no_such_path() -> Refusal {
        Refusal::new(404, "NotFound", "the server could not find the requested resource".into())
    }

    pub fn already_exists(kind: &Kind, name: &str) -> Refusal {
        Refusal::new(409, "AlreadyExists", format!("{} \"{name}\" already exists", kind.qualified())).about(kind, name)
    }

    pub fn conflict(kind: &Kind, name: &str, why: &str) -> Refusal {
        let message = format!("Operation cannot be fulfilled on {} \"{name}\": {why}", kind.qualified());
        Refusal::new(409, "Conflict", message).about(kind, name)
    }

    /// Somebody else was faster: the resource version sent is not the newest.
    pub fn modified(kind: &Kind, name: &str) -> Refusal {
        const WHY: &str = "the object has been modified; please apply your changes to the latest version and try again";
        Refusal::conflict(kind, name, WHY)
    }

    pub fn invalid(kind: &Kind, name: &str, field: &str, why: &str) -> Refusal {
        let mut refusal = Refusal::new(422, "Invalid", format!("{} \"{name}\" is invalid: {field}: {why}", kind.kind))
            .about(kind, name);
        refusal.details.insert("kind".into(), kind.kind.into());
        let cause = json!([{"reason": "FieldValueInvalid", "message": why, "field": field}]);
        refusal.details.insert("causes".into(), cause);
        refusal
    }

    /// A JSON patch of which a `test` failed or that does not fit the object.
    pub fn patch_failed() -> Refusal {
        Refusal::new(422, "Invalid", "the server rejected our request due to an error in our request".into())
    }

    pub fn bad_request(message: impl Into<String>) -> Refusal {
        Refusal::new(400, "BadRequest", message.into())
    }

    pub fn forbidden(kind: &Kind, name: &str, why: &str) -> Refusal {
        let named = if name.is_empty() { String::new() } else { format!(" \"{name}\"") };
        Refusal::new(403, "Forbidden", format!("{}{named} is forbidden: {why}", kind.qualified())).about(kind, name)
    }

    pub fn expired(message: impl Into<String>) -> Refusal {
        Refusal::new(410, "Expired", message.into())
    }

    pub fn unsupported_media_type(supported: &[&str]) -> Refusal {
        let message = format!(
            "the body of the request was in an unknown format - accepted media types include: {}",
            supported.join(", ")
        );
        Refusal::new(415, "UnsupportedMediaType", message)
    }

    pub fn method_not_allowed() -> Refusal {
        Refusal::new(405, "MethodNotAllowed", "the server does not allow this method on the requested resource".into())
    }

    /// An eviction that a disruption budget does not allow.
    pub fn budget(message: String) -> Refusal {
        let mut refusal = Refusal::new(
            429,
            "TooManyRequests",
            "Cannot evict pod as it would violate the pod's disruption budget.".into(),
        );
        refusal.details.insert("causes".into(), json!([{"reason": "DisruptionBudget", "message": message}]));
        refusal
    }

    /// The API server could not reach a kubelet; its `Status` has no reason.
    pub fn kubelet_unreachable(message: String) -> Refusal {
        Refusal::new(500, "", message)
    }

    pub fn message(&self) -> &str {
        &self.message
    }

    /// Returns the `Status` object.
    pub fn status(&self) -> Value {
        let mut status = json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "message": self.message, "code": self.code,
        });
        if !self.reason.is_empty() {
            status["reason"] = self.reason.into();
        }
        if !self.details.is_empty() {
            status["details"] = Value::Object(self.details.clone());
        }
        status
    }

    fn new(code: u16, reason: &'static str, message: String) -> Refusal {
        Refusal { code, reason, message, details: Map::new() }
    }

    fn about(mut self, kind: &Kind, name: &str) -> Refusal {
        if !name.is_empty() {
            self.details.insert("name".into(), name.into());
        }
        if !kind.group.is_empty() {
            self.details.insert("group".into(), kind.group.into());
        }
        self.details.insert("kind".into(), kind.plural.into());
        self
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let code = StatusCode::from_u16(self.code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        (code, Json(self.status())).into_response()
    }
}
