//! The API server's own account of who asked it for what.

use serde_json::Value;
use std::collections::BTreeSet;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

/// What is written down: every request at its answer, but for the control plane's own.
pub const POLICY: &str = r#"{
  "apiVersion": "audit.k8s.io/v1", "kind": "Policy", "omitStages": ["RequestReceived"],
  "rules": [
    {"level": "None", "users": ["system:kube-controller-manager", "system:kube-scheduler", "system:apiserver"]},
    {"level": "None", "userGroups": ["system:serviceaccounts:kube-system"]},
    {"level": "Metadata"}
  ]
}"#;

/// A moment in the account.
#[derive(Debug, Clone, Copy)]
pub struct Mark(pub(super) u64);

/// One request; a watch counts once, when it begins.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AuditEntry {
    /// `get`, `list`, `watch`, `create`, `update`, `patch`, `delete`, `deletecollection`; of other paths the HTTP method.
    pub verb: String,
    pub uri: String,
    /// `pods`, `pods/log`; empty for paths that are no resources.
    pub resource: String,
    pub namespace: String,
    pub name: String,
    /// The HTTP status.
    pub code: u16,
    pub user: String,
    /// On whose behalf the user acted, if so.
    pub impersonated: Option<String>,
    pub user_agent: String,
    /// The request is a dry run, which changes nothing.
    pub dry_run: bool,
}

/// Returns the whole entries written since a moment.
pub(super) fn read_since(path: &Path, mark: Mark) -> anyhow::Result<Vec<AuditEntry>> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(mark.0))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    // The last line may still be on its way.
    let end = bytes.iter().rposition(|&byte| byte == b'\n').unwrap_or_default();
    let whole = std::str::from_utf8(&bytes[..end])?;
    let mut seen = BTreeSet::new();
    let mut entries = Vec::new();
    for line in whole.lines() {
        let line: Value = serde_json::from_str(line)?;
        // A watch is written down at its begin and at its end.
        if seen.insert(word(&line["auditID"])) {
            entries.push(entry(&line));
        }
    }
    Ok(entries)
}

fn entry(line: &Value) -> AuditEntry {
    let object = &line["objectRef"];
    let mut resource = word(&object["resource"]);
    if let Some(subresource) = object["subresource"].as_str() {
        resource = format!("{resource}/{subresource}");
    }
    let uri = word(&line["requestURI"]);
    AuditEntry {
        verb: word(&line["verb"]),
        resource,
        namespace: word(&object["namespace"]),
        name: word(&object["name"]),
        code: line["responseStatus"]["code"].as_u64().and_then(|code| code.try_into().ok()).unwrap_or_default(),
        user: word(&line["user"]["username"]),
        impersonated: line["impersonatedUser"]["username"].as_str().map(str::to_owned),
        user_agent: word(&line["userAgent"]),
        dry_run: uri.contains("dryRun="),
        uri,
    }
}

fn word(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
