//! What a request asks for, read from its path and query.

use super::kinds::Kind;
use super::refusal::Refusal;
use std::collections::BTreeMap;

/// What a path points to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    Version,
    Health,
    CoreVersions,
    Groups,
    Group(String),
    Resources {
        group: String,
        version: String,
    },
    Collection {
        kind: &'static Kind,
        namespace: Option<String>,
    },
    Object {
        kind: &'static Kind,
        namespace: String,
        name: String,
        part: Option<String>,
    },
    /// Something that is created and answered at once, such as an access review.
    Review {
        group: String,
        plural: String,
        namespace: String,
    },
}

/// The parameters of a request; repeated ones keep the last value.
#[derive(Debug, Clone, Default)]
pub struct Query(BTreeMap<String, String>);

impl Query {
    pub fn parse(query: &str) -> Query {
        Query(url::form_urlencoded::parse(query.as_bytes()).into_owned().collect())
    }

    /// Returns a parameter, empty where it is missing.
    pub fn text(&self, name: &str) -> &str {
        self.0.get(name).map_or("", String::as_str)
    }

    pub fn flag(&self, name: &str) -> bool {
        matches!(self.text(name), "true" | "1" | "True" | "t" | "T")
    }

    pub fn number(&self, name: &str) -> Option<u64> {
        self.text(name).parse().ok()
    }

    pub fn dry_run(&self) -> bool {
        self.text("dryRun") == "All"
    }
}

/// Reads a path.
pub fn place(path: &str) -> Result<Place, Refusal> {
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    let (group, version, rest) = match parts.as_slice() {
        ["version"] => return Ok(Place::Version),
        ["readyz" | "livez" | "healthz", ..] => return Ok(Place::Health),
        ["api"] => return Ok(Place::CoreVersions),
        ["apis"] => return Ok(Place::Groups),
        ["apis", group] => return Ok(Place::Group((*group).to_owned())),
        ["api", version, rest @ ..] => ("", *version, rest),
        ["apis", group, version, rest @ ..] => (*group, *version, rest),
        _ => return Err(Refusal::no_such_path()),
    };
    if rest.is_empty() {
        return Ok(Place::Resources { group: group.to_owned(), version: version.to_owned() });
    }
    let (namespace, rest) = match rest {
        // `namespaces/NAME/status` is a part of a namespace, not a kind in it.
        ["namespaces", namespace, plural, ..] if !["status", "finalize"].contains(plural) => {
            (Some((*namespace).to_owned()), &rest[2..])
        }
        _ => (None, rest),
    };
    if matches!(group, "authorization.k8s.io" | "authentication.k8s.io") && rest.len() == 1 {
        let namespace = namespace.unwrap_or_default();
        return Ok(Place::Review { group: group.to_owned(), plural: rest[0].to_owned(), namespace });
    }
    let kind = rest.first().and_then(|plural| Kind::by_path(group, version, plural));
    let kind = kind.filter(|kind| kind.namespaced || namespace.is_none()).ok_or_else(Refusal::no_such_path)?;
    match (rest, namespace) {
        ([_], namespace) => Ok(Place::Collection { kind, namespace }),
        // An object of a namespace is not reachable without it.
        ([_, ..], None) if kind.namespaced => Err(Refusal::no_such_path()),
        ([_, name], namespace) => {
            Ok(Place::Object { kind, namespace: namespace.unwrap_or_default(), name: (*name).to_owned(), part: None })
        }
        ([_, name, part], namespace) => Ok(Place::Object {
            kind,
            namespace: namespace.unwrap_or_default(),
            name: (*name).to_owned(),
            part: Some((*part).to_owned()),
        }),
        _ => Err(Refusal::no_such_path()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_and_what_they_point_to() {
        let pods = Kind::by_name("Pod").unwrap();
        let namespaces = Kind::by_name("Namespace").unwrap();
        let object = |kind, namespace: &str, name: &str, part: Option<&str>| Place::Object {
            kind,
            namespace: namespace.into(),
            name: name.into(),
            part: part.map(str::to_owned),
        };
        for (path, expected) in [
            ("/version", Place::Version),
            ("/readyz", Place::Health),
            ("/api/v1/pods", Place::Collection { kind: pods, namespace: None }),
            ("/api/v1/namespaces/prod/pods", Place::Collection { kind: pods, namespace: Some("prod".into()) }),
            ("/api/v1/namespaces/prod/pods/a/log", object(pods, "prod", "a", Some("log"))),
            ("/api/v1/namespaces/prod", object(namespaces, "", "prod", None)),
            ("/api/v1/namespaces/prod/status", object(namespaces, "", "prod", Some("status"))),
            ("/apis/apps/v1", Place::Resources { group: "apps".into(), version: "v1".into() }),
        ] {
            assert_eq!(place(path).unwrap(), expected, "{path}");
        }
        for path in ["/", "/api/v1/pods/a", "/api/v1/things", "/api/v1/namespaces/prod/nodes", "/apis/apps/v1/pods"] {
            assert!(place(path).is_err(), "{path}");
        }
    }

    #[test]
    fn a_query_is_decoded() {
        let query = Query::parse("labelSelector=app%3Dmanage&watch=1&limit=500&dryRun=All");
        assert_eq!((query.text("labelSelector"), query.flag("watch")), ("app=manage", true));
        assert_eq!((query.number("limit"), query.dry_run()), (Some(500), true));
    }
}
