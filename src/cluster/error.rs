//! Why the API could not be read: each kind of failure its own sentence, with what to do.

use super::Resource;

/// A failed read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    #[error("no usable kubeconfig or service account: {0}")]
    NoConfig(String),
    /// The object, or the namespace it is in, does not exist.
    #[error("not found: {0}")]
    NotFound(String),
    /// The server does not serve the resource, at least not in the version that was asked for.
    #[error("the API server does not serve {0}")]
    NotServed(String),
    /// Our account lacks a right; names the rule to add.
    #[error("forbidden: needs `{verb}` on `{resource}`; add the rule {rule}")]
    Forbidden { verb: String, resource: String, rule: String },
    #[error(
        "the API server does not accept our credentials (401): the token or client certificate is missing, wrong or expired"
    )]
    Unauthorized,
    #[error("the API server cannot be reached: {0}")]
    Unreachable(String),
    #[error("the API server's certificate is not accepted: {0}")]
    Certificate(String),
    #[error("no answer within the time of a question")]
    Slow,
    /// The API's own words, with the HTTP status.
    #[error("the API server answered {code}: {message}")]
    Api { code: u16, message: String },
    #[error("{0}")]
    Other(String),
}

impl ReadError {
    pub(super) fn no_config(error: impl std::fmt::Display) -> Self {
        Self::NoConfig(error.to_string())
    }

    /// The answer ended before its end.
    pub(super) fn broken_off(error: &std::io::Error) -> Self {
        Self::Unreachable(format!("its answer broke off: {}", chain(error)))
    }

    pub(super) fn from_kube(error: kube::Error, path: &str) -> Self {
        match error {
            kube::Error::Api(status) => match status.code {
                // The router's own words: no object and no log call ever answers so.
                404 if status.message.contains("404 page not found")
                    || status.message.contains("could not find the requested resource") =>
                {
                    Self::NotServed(path.split('?').next().unwrap_or(path).to_owned())
                }
                404 => Self::NotFound(status.message.clone()),
                // The API server's own refusal names the user and the resource; a kubelet's comes as the text of a log call.
                403 if !status.message.starts_with("Forbidden (user=") => forbidden(path),
                401 if !status.message.contains("( pods/log") => Self::Unauthorized,
                code => Self::Api { code, message: status.message.clone() },
            },
            other => {
                let text = chain(&other);
                if text.to_lowercase().contains("certificate") {
                    Self::Certificate(text)
                } else if text.contains("timed out") || text.contains("deadline") {
                    Self::Unreachable(format!("timed out ({text})"))
                } else {
                    Self::Unreachable(text)
                }
            }
        }
    }

    /// Returns true where the whole API, not one object, is out of reach.
    pub fn is_fatal(&self) -> bool {
        matches!(
            self,
            Self::NoConfig(_) | Self::Unauthorized | Self::Unreachable(_) | Self::Certificate(_) | Self::Slow
        )
    }
}

/// Names the missing rule from the path that was asked for.
fn forbidden(path: &str) -> ReadError {
    let bare = path.split('?').next().unwrap_or(path);
    let parts: Vec<&str> = bare.split('/').filter(|part| !part.is_empty()).collect();
    let (group, rest) = match parts[..] {
        ["api", _, ref rest @ ..] => ("", rest),
        ["apis", group, _, ref rest @ ..] => (group, rest),
        _ => ("", &parts[..]),
    };
    let rest = match rest {
        ["namespaces", _, rest @ ..] if !rest.is_empty() => rest,
        rest => rest,
    };
    let (resource, verb) = match rest {
        [plural] => ((*plural).to_owned(), "list"),
        [plural, _] => ((*plural).to_owned(), "get"),
        [plural, _, sub, ..] => (format!("{plural}/{sub}"), "get"),
        [] => (String::new(), "get"),
    };
    debug_assert!(
        rest.is_empty() || bare == "/apis" || Resource::ALL.iter().any(|r| resource.starts_with(r.parts().2)),
        "{resource}"
    );
    let rule = format!(r#"{{apiGroups: ["{group}"], resources: ["{resource}"], verbs: ["{verb}"]}}"#);
    ReadError::Forbidden { verb: verb.to_owned(), resource, rule }
}

/// Returns an error and its causes, each told once.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let own = error.to_string();
        if !text.contains(&own) {
            text = format!("{text}: {own}");
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_the_rule_to_add() {
        assert_eq!(
            forbidden("/api/v1/namespaces/prod/pods/web-1/log?container=app").to_string(),
            r#"forbidden: needs `get` on `pods/log`; add the rule {apiGroups: [""], resources: ["pods/log"], verbs: ["get"]}"#
        );
        assert_eq!(
            forbidden("/apis/storage.k8s.io/v1/volumeattachments").to_string(),
            r#"forbidden: needs `list` on `volumeattachments`; add the rule {apiGroups: ["storage.k8s.io"], resources: ["volumeattachments"], verbs: ["list"]}"#
        );
    }
}
