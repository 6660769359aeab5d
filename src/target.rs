//! What a person points at: the TARGET grammar of Slack and of the terminal, parsed without touching a cluster.
//!
//! ```text
//! [CLUSTER:]NAMESPACE/POD          POD may be a prefix, with or without a trailing ... or …
//! [CLUSTER:]NAMESPACE/KIND/NAME    deployment, deploy, sts, ds, job, cronjob, rs, rc, pod
//! [CLUSTER:]NAMESPACE[/*]          all sick pods of a namespace
//! [CLUSTER:]*                      the whole cluster
//! ```

use std::fmt;

/// A parsed target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// `None` = the default cluster.
    pub cluster: Option<String>,
    pub what: What,
}

/// What in the cluster is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    Cluster,
    Namespace(String),
    /// A pod by its name or the start of it.
    Pod {
        namespace: String,
        prefix: String,
    },
    Workload {
        namespace: String,
        kind: Kind,
        name: String,
    },
}

/// The kinds of workload that can be named.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Deployment,
    StatefulSet,
    DaemonSet,
    Job,
    CronJob,
    ReplicaSet,
    ReplicationController,
}

/// Why a text is no target, in words for the person who wrote it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    #[error("no target given")]
    Empty,
    #[error("the target is longer than {MAX_LENGTH} characters")]
    TooLong,
    #[error("`{word}` is no Kubernetes name: names hold lower-case letters, digits, `-` and `.`")]
    BadName { word: String },
    #[error("the {part} is missing")]
    Missing { part: &'static str },
    #[error("`{word}` is no kind that has pods{}", nearest.as_ref().map(|k| format!("; did you mean `{k}`?")).unwrap_or_default())]
    UnknownKind { word: String, nearest: Option<&'static str> },
    #[error("too many slashes")]
    TooManyParts,
}

/// The longest target that is looked at, in characters: a cluster, a namespace and a name at their longest.
pub const MAX_LENGTH: usize = 600;

/// Every word for a kind, the usual one of each kind first.
const KINDS: &[(Kind, &[&str])] = &[
    (Kind::Deployment, &["deployment", "deploy", "deployments"]),
    (Kind::StatefulSet, &["statefulset", "sts", "statefulsets"]),
    (Kind::DaemonSet, &["daemonset", "ds", "daemonsets"]),
    (Kind::Job, &["job", "jobs"]),
    (Kind::CronJob, &["cronjob", "cj", "cronjobs"]),
    (Kind::ReplicaSet, &["replicaset", "rs", "replicasets"]),
    (Kind::ReplicationController, &["replicationcontroller", "rc", "replicationcontrollers"]),
];
const POD_WORDS: &[&str] = &["pod", "pods", "po"];

impl Kind {
    /// Returns the API's name of the kind.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Deployment => "Deployment",
            Kind::StatefulSet => "StatefulSet",
            Kind::DaemonSet => "DaemonSet",
            Kind::Job => "Job",
            Kind::CronJob => "CronJob",
            Kind::ReplicaSet => "ReplicaSet",
            Kind::ReplicationController => "ReplicationController",
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(cluster) = &self.cluster {
            write!(f, "{cluster}:")?;
        }
        match &self.what {
            What::Cluster => f.write_str("*"),
            What::Namespace(namespace) => f.write_str(namespace),
            What::Pod { namespace, prefix } => write!(f, "{namespace}/{prefix}"),
            What::Workload { namespace, kind, name } => write!(f, "{namespace}/{}/{name}", kind.name().to_lowercase()),
        }
    }
}

impl Target {
    /// Returns the namespace that it lies in; `None` = it is the whole cluster.
    pub fn namespace(&self) -> Option<&str> {
        match &self.what {
            What::Namespace(namespace) | What::Pod { namespace, .. } | What::Workload { namespace, .. } => {
                Some(namespace)
            }
            What::Cluster => None,
        }
    }
}

/// Parses a target.
///
/// # Errors
/// Says in words what is wrong with the text.
pub fn parse(text: &str) -> Result<Target, TargetError> {
    let text = text.trim().trim_matches(['`', '\'', '"']).trim();
    if text.is_empty() {
        return Err(TargetError::Empty);
    }
    if text.chars().count() > MAX_LENGTH {
        return Err(TargetError::TooLong);
    }
    let (cluster, rest) = match text.split_once(':') {
        Some((cluster, rest)) => (Some(cluster_name(cluster)?), rest),
        None => (None, text),
    };
    let parts: Vec<&str> = rest.split('/').map(str::trim).collect();
    let what = match parts[..] {
        ["*"] => What::Cluster,
        [""] => return Err(TargetError::Missing { part: "namespace" }),
        [namespace] | [namespace, "*"] => What::Namespace(name(namespace)?),
        [namespace, ""] | [namespace, _, ""] => {
            name(namespace)?;
            return Err(TargetError::Missing { part: "name after the slash" });
        }
        [namespace, pod] => What::Pod { namespace: name(namespace)?, prefix: prefix(pod)? },
        [namespace, kind, object] => workload(name(namespace)?, kind, object)?,
        _ => return Err(TargetError::TooManyParts),
    };
    Ok(Target { cluster, what })
}

/// Returns the first target with a slash that a text in any wording holds: "why is prod/manage-5bd... stuck?".
pub fn find_in(text: &str) -> Option<Target> {
    text.split(|c: char| {
        c.is_whitespace() || matches!(c, '<' | '>' | '(' | ')' | '[' | ']' | ',' | ';' | '`' | '"' | '\'')
    })
    .map(|word| word.trim_matches(['*', '_', '?', '!', '。', '？', '！', '，']).trim_end_matches(':'))
    .filter(|word| word.contains('/') && !word.contains("://"))
    .map(|word| if word.ends_with("..") { word } else { word.trim_end_matches('.') })
    .find_map(|word| parse(word).ok())
    .or_else(|| text.split_whitespace().find(|word| *word == "*").and_then(|word| parse(word).ok()))
}

fn workload(namespace: String, kind: &str, object: &str) -> Result<What, TargetError> {
    let word = kind.to_lowercase();
    if POD_WORDS.contains(&word.as_str()) {
        return Ok(What::Pod { namespace, prefix: prefix(object)? });
    }
    if let Some((kind, _)) = KINDS.iter().find(|(_, words)| words.contains(&word.as_str())) {
        return Ok(What::Workload { namespace, kind: *kind, name: prefix(object)? });
    }
    let known = KINDS.iter().flat_map(|(_, words)| words.iter()).chain(POD_WORDS);
    let nearest = known
        .map(|known| (strsim::damerau_levenshtein(known, &word), *known))
        .filter(|(distance, known)| *distance <= 2 && *distance < known.len())
        .min()
        .map(|(_, known)| known);
    Err(TargetError::UnknownKind { word: shown(kind), nearest })
}

/// Returns the name without the mark of a cut: `manage-5bd...` as a table shows it.
fn prefix(word: &str) -> Result<String, TargetError> {
    name(word.trim_end_matches(['.', '…']))
}

fn name(word: &str) -> Result<String, TargetError> {
    let valid = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '.');
    if word.is_empty() {
        return Err(TargetError::Missing { part: "name" });
    }
    if word.len() > 253 || !word.chars().all(valid) {
        return Err(TargetError::BadName { word: shown(word) });
    }
    Ok(word.to_owned())
}

/// Cluster names are ours, from the settings or a kubeconfig: wider than Kubernetes names.
fn cluster_name(word: &str) -> Result<String, TargetError> {
    let word = word.trim();
    let valid = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_' | '@');
    if word.is_empty() || word.len() > 253 || !word.chars().all(valid) {
        return Err(TargetError::BadName { word: shown(word) });
    }
    Ok(word.to_owned())
}

/// Returns a word that is safe and short enough to be repeated to the person who wrote it.
fn shown(word: &str) -> String {
    let clean: String = word.chars().filter(|c| !c.is_control() && *c != '`').take(60).collect();
    if clean.chars().count() < word.chars().count() { format!("{clean}…") } else { clean }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn said(text: &str) -> String {
        match parse(text) {
            Ok(target) => target.to_string(),
            Err(error) => format!("! {error}"),
        }
    }

    #[test]
    fn reads_the_whole_grammar() {
        for (text, expected) in [
            ("prod/manage-5bd487cf9d-bqmvm", "prod/manage-5bd487cf9d-bqmvm"),
            ("prod/manage-5bd...", "prod/manage-5bd"),
            ("prod/manage-5bd…", "prod/manage-5bd"),
            (" `prod/manage` ", "prod/manage"),
            ("prod/deploy/manage", "prod/deployment/manage"),
            ("prod/sts/db", "prod/statefulset/db"),
            ("prod/pod/db-0", "prod/db-0"),
            ("prod", "prod"),
            ("prod/*", "prod"),
            ("*", "*"),
            ("eu-1:prod/web", "eu-1:prod/web"),
            ("eu-1:*", "eu-1:*"),
        ] {
            assert_eq!(said(text), expected, "{text}");
        }
    }

    #[test]
    fn says_what_is_wrong() {
        assert_eq!(said(""), "! no target given");
        assert_eq!(said("prod/"), "! the name after the slash is missing");
        assert_eq!(said("prod/deployent/web"), "! `deployent` is no kind that has pods; did you mean `deployment`?");
        assert_eq!(said("a/b/c/d"), "! too many slashes");
        assert!(said("Prod/Web").contains("lower-case"));
        assert_eq!(said(&"x".repeat(3_000)), "! the target is longer than 600 characters");
    }

    #[test]
    fn finds_a_target_in_any_wording() {
        for text in [
            "why is prod/manage-5bd... stuck?",
            "prod/manage-5bd?",
            "请看 prod/manage-5bd 为什么起不来",
            "have a look at `prod/manage-5bd`, please",
            "*prod/manage-5bd*",
            "prod/manage-5bd.",
        ] {
            assert_eq!(find_in(text).map(|t| t.to_string()).as_deref(), Some("prod/manage-5bd"), "{text}");
        }
        assert_eq!(find_in("see https://example.com/a/b"), None);
        assert_eq!(find_in("hello there"), None);
    }

    proptest! {
        #[test]
        fn no_text_panics_and_what_parses_prints_back(text in "\\PC{0,80}") {
            let _ = find_in(&text);
            if let Ok(target) = parse(&text) {
                prop_assert_eq!(parse(&target.to_string()), Ok(target));
            }
        }
    }
}
