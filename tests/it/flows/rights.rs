//! What is asked of the API server: with exactly the rules of `deploy/clusterrole.yaml` nothing is forbidden, nothing is
//! written, nothing secret is read, and a question stays cheap.

use super::chat::Chat;
use super::data::{MANAGE, OOM, SICK, granted};
use crate::plane::{AuditEntry, Mark, Ns};
use podoctor::playground::slack::ids;

/// How many requests a question about a pod or a workload may cost.
const A_QUESTION: usize = 8;
/// How many a question about a namespace or the cluster may cost, beside logs.
const A_SCAN: usize = 10;

async fn asked(ns: &Ns<'_>, mark: Mark, user: &str) -> Vec<AuditEntry> {
    let entries = ns.plane.requests_since(mark, user).await;
    for entry in &entries {
        assert!(["get", "list"].contains(&entry.verb.as_str()), "it only reads: {entry:?}");
        assert_ne!(entry.code, 403, "the ClusterRole grants it: {entry:?}");
        assert_ne!(entry.code, 401, "{entry:?}");
        assert!(entry.resource != "secrets" && !entry.resource.starts_with("nodes/"), "{entry:?}");
        assert!(!entry.uri.contains("/proxy") && !entry.uri.contains("/secrets"), "{entry:?}");
    }
    entries
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_question_is_cheap_and_within_its_rights() {
    let (ns, kubeconfig, user) = granted("prod").await;
    ns.apply(OOM).await;
    ns.apply(SICK).await;
    let chat = Chat::with(&[("prod", &kubeconfig)]).await;
    let questions = [
        MANAGE,
        "manage-5bd...",
        "deploy/manage",
        "rs/manage-5bd487cf9d",
        "greedy-0",
        "claims-0",
        "mounts-0",
        "pulls-0",
        "leaving-0",
        "sts/greedy",
        "deploy/quota",
        "job/once",
        "nothing-like-it",
    ];
    let channels = [ids::CHANNEL, ids::TEAM_A, ids::SHARED];
    for (question, channel) in questions.iter().zip(channels.iter().cycle()) {
        let mark = ns.plane.mark().await;
        let answer = chat.alice().in_channel(channel).types(&format!("/podoctor {}/{question}", ns.name)).await;
        assert!(!answer.all().contains("forbidden: needs"), "{}", answer.all());
        let entries = asked(&ns, mark, &user).await;
        let all = entries.iter().map(|e| format!("{} {}", e.code, e.uri)).collect::<Vec<_>>().join("\n");
        assert!((1..=A_QUESTION).contains(&entries.len()), "{question} costs {}:\n{all}", entries.len());
        // Those of one node are few.
        let all_pods = |e: &&AuditEntry| {
            e.verb == "list" && e.resource == "pods" && e.namespace.is_empty() && !e.uri.contains("nodeName%3D")
        };
        assert_eq!(entries.iter().find(all_pods), None, "{question}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_scan_is_cheap_and_within_its_rights_too() {
    let (ns, kubeconfig, user) = granted("prod").await;
    ns.apply(OOM).await;
    ns.apply(SICK).await;
    let chat = Chat::with(&[("prod", &kubeconfig)]).await;
    for (question, channel) in [(ns.name.as_str(), ids::CHANNEL), ("", ids::TEAM_A), ("status", ids::TEAM_A)] {
        let mark = ns.plane.mark().await;
        let answer = chat.alice().in_channel(channel).types(&format!("/podoctor {question}")).await;
        assert!(!answer.all().contains("forbidden: needs"), "{}", answer.all());
        let entries = asked(&ns, mark, &user).await;
        // Further pages go with the size of the cluster, which other tests fill.
        let counted: Vec<_> =
            entries.iter().filter(|e| e.resource != "pods/log" && !e.uri.contains("continue=")).collect();
        assert!((1..=A_SCAN).contains(&counted.len()), "`{question}` costs {}:\n{counted:#?}", counted.len());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn nothing_is_asked_until_somebody_asks() {
    let (ns, kubeconfig, user) = granted("quiet").await;
    let mark = ns.plane.mark().await;
    let chat = Chat::with(&[("prod", &kubeconfig)]).await;
    chat.alice().types("/podoctor help").await;
    chat.alice().types("/podoctor causes").await;
    chat.alice().types("/podoctor !!!").await;
    assert_eq!(ns.plane.requests_since(mark, &user).await, []);
}
