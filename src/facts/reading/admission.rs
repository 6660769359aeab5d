//! Why the API server refuses to create a pod: the texts of `FailedCreate` events and `ReplicaFailure` conditions.
//!
//! ```text
//! Error creating: pods "web-1" is forbidden: exceeded quota: q, requested: pods=1, used: pods=5, limited: pods=5
//! create Pod db-0 in StatefulSet db failed error: pods "db-0" is forbidden: …      (`Create` from 1.35 on)
//! ```
//! Sources: `pkg/controller/controller_utils.go`, `plugin/pkg/admission/{limitranger,serviceaccount,priority,
//! runtimeclass}`, `apiserver/pkg/admission/plugin/{resourcequota,webhook,policy}`, `pod-security-admission`.

/// A refusal, with what the text tells of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal<'a> {
    QuotaExceeded {
        /// Empty where a quota's scope admits nothing at all: then `requested` holds the scopes.
        quota: &'a str,
        requested: &'a str,
        used: &'a str,
        limited: &'a str,
    },
    /// The quota demands requests or limits that the pod does not state: `limits.cpu for: app; …`.
    QuotaNeedsValues {
        quota: &'a str,
        missing: &'a str,
    },
    /// The quota's use is not computed: the controller manager is behind.
    QuotaUnknown {
        quota: &'a str,
    },
    /// Outside a LimitRange; the sentences that say how.
    LimitRange(&'a str),
    PodSecurity {
        by: Guard,
        /// `restricted:latest` for Pod Security admission.
        level: Option<&'a str>,
        details: &'a str,
    },
    Rbac {
        user: &'a str,
        /// `create resource "pods" …`: what it may not do.
        action: &'a str,
    },
    ServiceAccountMissing {
        name: &'a str,
    },
    /// The account is there, its token is not (before 1.24).
    ServiceAccountToken,
    WebhookDenied {
        webhook: &'a str,
        message: &'a str,
    },
    PolicyDenied {
        policy: &'a str,
        message: &'a str,
    },
    WebhookDown {
        webhook: &'a str,
        problem: &'a str,
    },
    PriorityClassMissing(&'a str),
    RuntimeClassMissing(&'a str),
    /// The pod's settings break a rule of the API itself.
    Invalid(&'a str),
    NamespaceTerminating,
    /// The old pod of the same name is still there.
    OldPodThere,
    /// etcd or the API server had trouble of its own.
    ApiTrouble(&'a str),
    /// Nothing is said: early versions lose the reason of an external admission hook.
    Silent,
    Other(&'a str),
}

/// Who refuses for security.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Guard {
    PodSecurityAdmission,
    /// Before 1.25.
    PodSecurityPolicy,
    /// OpenShift.
    SecurityContextConstraints,
}

/// Reads the text of a `FailedCreate` event or of a `ReplicaFailure` condition.
pub fn read(text: &str) -> Refusal<'_> {
    let text = without_preamble(text);
    if text.is_empty() {
        return Refusal::Silent;
    }
    let has = |part: &str| text.contains(part);
    // A webhook's own words may hold anything, so webhooks come first.
    if let Some((_, rest)) = text.split_once("failed calling ")
        && let Some((webhook, problem)) =
            quoted_then(rest.trim_start_matches("admission ").trim_start_matches("webhook "))
    {
        return Refusal::WebhookDown { webhook, problem: problem.trim_start_matches([':', ' ']) };
    }
    // All webhooks of a kind share the request's time.
    if let Some((_, rest)) = text.split_once("admission plugin ")
        && let Some((webhook, problem)) = quoted_then(rest)
        && problem.contains("failed to complete ")
    {
        return Refusal::WebhookDown { webhook, problem: problem.trim() };
    }
    if let Some((_, rest)) = text.split_once("admission webhook ")
        && let Some((webhook, rest)) = quoted_then(rest)
        && let Some((_, message)) = rest.split_once("denied the request")
    {
        return Refusal::WebhookDenied { webhook, message: message.trim_start_matches([':', ' ']) };
    }
    if let Some((_, rest)) = text.split_once("ValidatingAdmissionPolicy '")
        && let Some((policy, rest)) = rest.split_once('\'')
    {
        let message = rest.split_once("denied request:").map_or(rest, |(_, message)| message);
        return Refusal::PolicyDenied { policy, message: message.trim() };
    }
    if let Some((_, message)) = text.split_once("image policy webhook backend denied one or more images:") {
        return Refusal::WebhookDenied { webhook: "image policy", message: message.trim() };
    }
    quota(text)
        .or_else(|| security(text))
        .or_else(|| service_account(text))
        .or_else(|| limit_range(text))
        .or_else(|| rbac(text))
        .or_else(|| class(text))
        .unwrap_or_else(|| {
            if has("because it is being terminated") {
                Refusal::NamespaceTerminating
            } else if has("object is being deleted")
                || has("already exists")
                || has("could not be completed at this time, please try again")
            {
                Refusal::OldPodThere
            } else if has(" is invalid: ") {
                Refusal::Invalid(text)
            } else if has("etcdserver:")
                || has("currently unable to handle the request")
                || has("context deadline exceeded")
                || has("connection refused")
                || has("did not complete within")
                || has("too many requests")
            {
                Refusal::ApiTrouble(text)
            } else {
                Refusal::Other(text)
            }
        })
}

/// Takes off what the controller puts before the API's words.
fn without_preamble(text: &str) -> &str {
    let text = text.trim();
    let text = text.strip_prefix("(combined from similar events):").unwrap_or(text).trim_start();
    for start in ["Error creating:", "Error creating job:", "error creating:"] {
        if let Some(rest) = text.strip_prefix(start) {
            return rest.trim();
        }
    }
    if let Some((_, rest)) = text.split_once("Failed to create new replica set ")
        && let Some((_, rest)) = quoted_then(rest)
    {
        return rest.trim_start_matches(':').trim();
    }
    if text.starts_with("create ") || text.starts_with("Create ") {
        return text.split_once(" failed error:").map_or(text, |(_, rest)| rest.trim());
    }
    text
}

fn quota(text: &str) -> Option<Refusal<'_>> {
    if let Some((_, rest)) = text.split_once("exceeded quota: ") {
        let (quota, rest) = rest.split_once(", requested: ").unwrap_or((rest, ""));
        let (requested, rest) = rest.split_once(", used: ").unwrap_or((rest, ""));
        let (used, limited) = rest.split_once(", limited: ").unwrap_or((rest, ""));
        return Some(Refusal::QuotaExceeded { quota, requested, used, limited: limited.trim_end_matches('.') });
    }
    // No quota of the namespace covers a scope that is restricted (`--admission-control-config-file`), such as a
    // priority class of the system's own.
    if let Some((_, scopes)) = text.split_once("insufficient quota to match these scopes: ") {
        return Some(Refusal::QuotaExceeded {
            quota: "",
            requested: scopes.trim_end_matches('.'),
            used: "",
            limited: "",
        });
    }
    // Before 1.5 or so: `exceeded quota for resource`-like texts hold the words without the list.
    if let Some((_, rest)) = text.split_once("failed quota: ") {
        let (quota, missing) = rest.split_once(": must specify ").unwrap_or((rest, ""));
        return Some(Refusal::QuotaNeedsValues { quota, missing: missing.trim_end_matches('.') });
    }
    let (_, rest) = text.split_once("status unknown for quota: ")?;
    Some(Refusal::QuotaUnknown { quota: rest.split(',').next().unwrap_or(rest).trim() })
}

fn security(text: &str) -> Option<Refusal<'_>> {
    if let Some((_, rest)) = text.split_once("violates PodSecurity ") {
        let (level, details) = quoted_then(rest).unwrap_or(("", rest));
        return Some(Refusal::PodSecurity {
            by: Guard::PodSecurityAdmission,
            level: Some(level).filter(|level| !level.is_empty()),
            details: details.trim_start_matches([':', ' ']),
        });
    }
    let by = if text.contains("unable to validate against any security context constraint") {
        Guard::SecurityContextConstraints
    } else if text.contains("against any pod security policy")
        || text.contains("PodSecurityPolicy: ")
        || text.contains("no providers available to validate pod")
    {
        Guard::PodSecurityPolicy
    } else {
        return None;
    };
    Some(Refusal::PodSecurity { by, level: None, details: after_forbidden(text) })
}

fn service_account(text: &str) -> Option<Refusal<'_>> {
    if text.contains("No API token found for service account") {
        return Some(Refusal::ServiceAccountToken);
    }
    if text.contains("error looking up service account")
        || text.contains("service account") && text.contains("not found")
    {
        let name = text
            .split_once("serviceaccount ")
            .and_then(|(_, rest)| quoted_then(rest))
            .map(|(name, _)| name)
            .or_else(|| {
                let rest = text.split_once("service account ")?.1;
                Some(rest.split([':', ' ', ',']).next()?.rsplit('/').next()?.trim_matches('"'))
            })
            .unwrap_or_default();
        return Some(Refusal::ServiceAccountMissing { name });
    }
    None
}

fn limit_range(text: &str) -> Option<Refusal<'_>> {
    let usage = (text.contains("maximum ") || text.contains("minimum ")) && text.contains(" usage per ");
    (usage || text.contains("max limit to request ratio per ")).then(|| Refusal::LimitRange(after_forbidden(text)))
}

fn rbac(text: &str) -> Option<Refusal<'_>> {
    if let Some((_, rest)) = text.split_once("User ")
        && let Some((user, rest)) = quoted_then(rest)
        && let Some((_, action)) = rest.split_once("cannot ")
    {
        return Some(Refusal::Rbac { user, action });
    }
    text.contains("cannot set blockOwnerDeletion").then_some(Refusal::Rbac {
        user: "",
        action: "set blockOwnerDeletion on an owner whose finalizers it may not set",
    })
}

fn class(text: &str) -> Option<Refusal<'_>> {
    if let Some((_, rest)) = text.split_once("no PriorityClass with name ") {
        let name = rest.split(" was found").next().unwrap_or(rest);
        return Some(Refusal::PriorityClassMissing(name.trim_matches('"')));
    }
    let (_, rest) = text.split_once("RuntimeClass ")?;
    let (name, rest) = quoted_then(rest)?;
    rest.contains("not found").then_some(Refusal::RuntimeClassMissing(name))
}

/// Returns what follows `pods "x" is forbidden: `, or the text.
fn after_forbidden(text: &str) -> &str {
    text.split_once(" is forbidden: ").map_or(text, |(_, rest)| rest).trim().trim_end_matches('.')
}

/// Splits `"name" rest`.
fn quoted_then(text: &str) -> Option<(&str, &str)> {
    text.trim_start().strip_prefix('"')?.split_once('"')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_every_refusal() {
        for (text, expected) in [
            (
                r#"Error creating: pods "api-8ktqg" is forbidden: exceeded quota: one, requested: pods=1, used: pods=1, limited: pods=1"#,
                Refusal::QuotaExceeded { quota: "one", requested: "pods=1", used: "pods=1", limited: "pods=1" },
            ),
            (
                r#"create Pod db-0 in StatefulSet db failed error: pods "db-0" is forbidden: failed quota: q: must specify limits.cpu for: app; requests.memory for: app"#,
                Refusal::QuotaNeedsValues { quota: "q", missing: "limits.cpu for: app; requests.memory for: app" },
            ),
            (
                r#"Error creating: Internal error occurred: admission plugin "MutatingAdmissionWebhook" failed to complete mutation in 13s"#,
                Refusal::WebhookDown {
                    webhook: "MutatingAdmissionWebhook",
                    problem: "failed to complete mutation in 13s",
                },
            ),
            (
                r#"Error creating: pods "a-" is forbidden: insufficient quota to match these scopes: [{PriorityClass In [system-node-critical]}]"#,
                Refusal::QuotaExceeded {
                    quota: "",
                    requested: "[{PriorityClass In [system-node-critical]}]",
                    used: "",
                    limited: "",
                },
            ),
            (
                r#"Error creating: pods "w-" is forbidden: maximum cpu usage per Container is 16, but request is 17."#,
                Refusal::LimitRange("maximum cpu usage per Container is 16, but request is 17"),
            ),
            (
                r#"pods "d-x" is forbidden: violates PodSecurity "restricted:latest": privileged (container "c" must not set securityContext.privileged=true)"#,
                Refusal::PodSecurity {
                    by: Guard::PodSecurityAdmission,
                    level: Some("restricted:latest"),
                    details: r#"privileged (container "c" must not set securityContext.privileged=true)"#,
                },
            ),
            (
                r#"Error creating: pods "a-" is forbidden: error looking up service account prod/bot: serviceaccount "bot" not found"#,
                Refusal::ServiceAccountMissing { name: "bot" },
            ),
            (
                r#"Error creating: pods "a-" is forbidden: service account prod/bot was not found, retry after the service account is created"#,
                Refusal::ServiceAccountMissing { name: "bot" },
            ),
            (
                r#"(combined from similar events): Error creating: pods "api" is forbidden: ValidatingAdmissionPolicy 'team' with binding 'b' denied request: every pod needs the label team"#,
                Refusal::PolicyDenied { policy: "team", message: "every pod needs the label team" },
            ),
            (
                r#"Error creating: admission webhook "validate.kyverno.svc-fail" denied the request: resource Pod/a/b was blocked"#,
                Refusal::WebhookDenied {
                    webhook: "validate.kyverno.svc-fail",
                    message: "resource Pod/a/b was blocked",
                },
            ),
            (
                r#"Error creating: Internal error occurred: failed calling webhook "p.example": failed to call webhook: Post "https://p.ns.svc:443/": no endpoints available for service "p""#,
                Refusal::WebhookDown {
                    webhook: "p.example",
                    problem: r#"failed to call webhook: Post "https://p.ns.svc:443/": no endpoints available for service "p""#,
                },
            ),
            (
                r#"Error creating: Internal error occurred: failed calling admission webhook "p.example": Post https://p: EOF"#,
                Refusal::WebhookDown { webhook: "p.example", problem: "Post https://p: EOF" },
            ),
            (
                r#"pods is forbidden: User "system:serviceaccount:a:op" cannot create resource "pods" in API group "" in the namespace "b""#,
                Refusal::Rbac {
                    user: "system:serviceaccount:a:op",
                    action: r#"create resource "pods" in API group "" in the namespace "b""#,
                },
            ),
            (
                r#"pods "s-" is forbidden: pod rejected: RuntimeClass "gvisor" not found"#,
                Refusal::RuntimeClassMissing("gvisor"),
            ),
            (
                "create Pod e-0 in StatefulSet e failed error: The POST operation against Pod could not be completed at this time, please try again.",
                Refusal::OldPodThere,
            ),
            ("Error creating: ", Refusal::Silent),
        ] {
            assert_eq!(read(text), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn survives_any_text(text in "\\PC*") {
            read(&text);
        }
    }
}
