//! What a person reads of an incident from the first moment to the last.

use super::*;
use crate::render::terminal::{self, Style};
use crate::watch::incident::{Helped, Told};
use crate::watch::scope::{Owner, Scope};
use crate::watch::state::PodKey;
use serde_json::json;
use std::collections::BTreeSet;

const PLAIN: Style = Style { colour: false, width: None };

fn at(minutes: i64) -> Timestamp {
    "2026-05-01T10:00:00Z".parse::<Timestamp>().expect("a time") + SignedDuration::from_mins(minutes)
}

/// Returns a Deployment whose container has a limit, and of whose pods some are ready.
fn scope(limit: &str, wanted: usize, ready: usize) -> Scope {
    let container = json!({"name": "web", "image": "web:1", "resources": {"limits": {"memory": limit}}});
    let object = json!({
        "metadata": {"managedFields": [
            {"manager": "deploy-bot", "time": at(20).to_string(), "fieldsV1": {"f:spec": {"f:template": {"f:spec": {}}}}}
        ]},
        "spec": {"replicas": wanted, "template": {"spec": {"containers": [container]}}},
        "status": {"readyReplicas": ready}
    });
    Owner::read("Deployment", &object).scope
}

fn incident(sick: usize, first: Scope) -> Incident {
    let workload =
        |name: &str| Subject::Workload { kind: "Deployment".into(), namespace: "prod".into(), name: name.to_owned() };
    let spoken = |en: &str, zh: &str| Spoken { en: en.into(), zh: zh.into() };
    Incident {
        id: "i".into(),
        symptom: Symptom::CrashLooping,
        since: at(0),
        opened: at(2),
        pods: (0..sick).map(|n| PodKey { namespace: "prod".into(), name: format!("web-{n}") }).collect(),
        most: sick,
        nodes: ["a3".to_owned()].into(),
        told: Told { summary: spoken("Killed for memory.", "因内存被杀。"), fix: None },
        last: Some(first.clone()),
        first: Some(first),
        placed: true,
        ..crate::watch::book::tests::incident(workload("web"))
    }
}

#[track_caller]
fn says(incident: &Incident, language: Language, parts: &[&str]) -> String {
    let text = terminal::message(&parent(incident, language), PLAIN);
    for part in parts {
        assert!(text.contains(part), "`{part}` is not said:\n{text}");
    }
    text
}

#[test]
fn the_colour_says_how_much_still_serves_and_the_number_out_of_how_many() {
    says(&incident(7, scope("256Mi", 10, 3)), Language::English, &["🟡 prod/web: 7 of 10 pods crash looping"]);
    says(&incident(7, scope("256Mi", 10, 3)), Language::Chinese, &["🟡 prod/web：7/10 个 Pod 反复崩溃"]);
    says(&incident(10, scope("256Mi", 10, 0)), Language::English, &["🔴 prod/web: 10 of 10 pods"]);
    // More than it wants, as in a rollout that surges: a number out of another one would be wrong.
    says(&incident(3, scope("256Mi", 2, 0)), Language::English, &["🔴 prod/web: 3 pods"]);
    // Nothing is wanted, so nothing is missing.
    says(&incident(1, scope("256Mi", 0, 0)), Language::English, &["🟡 prod/web: 1 pod "]);
}

#[test]
fn the_end_says_what_changed_and_by_whom() {
    let mut over = incident(1, scope("256Mi", 3, 0));
    over.pods = BTreeSet::new();
    over.state = State::Resolved { at: at(31) };
    says(&over, Language::English, &["✅ prod/web: resolved after 31 min\n", "Killed for memory"]);
    over.last = Some(scope("512Mi", 5, 5));
    let changed = "✅ prod/web: resolved after 31 min: memory limit of web 256Mi → 512Mi, by deploy-bot";
    says(&over, Language::English, &[changed]);
    says(
        &over,
        Language::Chinese,
        &["✅ prod/web：已恢复，历时 31 分钟：web 的 memory 上限 256Mi → 512Mi，由 deploy-bot 修改"],
    );
    let note =
        note(&Note::Resolved { after: SignedDuration::from_mins(31) }, &over, Language::English).expect("a note");
    let note = terminal::message(&note, PLAIN);
    assert!(note.contains("Changed meanwhile: memory limit") && note.contains("; replicas 3 → 5"), "{note}");
    over.helped.push(Helped { remedy: "raise-memory-limit".into(), by: "U0ALICE".into(), at: at(19) });
    says(&over, Language::English, &["resolved after 31 min: raise-memory-limit by U0ALICE"]);
}

#[test]
fn what_was_not_known_is_not_said_any_more_once_it_is_over() {
    let mut over = incident(1, scope("256Mi", 1, 0));
    over.key.cause = UNKNOWN.into();
    over.told.summary.en = "I could not tell the cause.".into();
    says(&over, Language::English, &["⚪ prod/web: 1 pod crash looping", "could not tell"]);
    over.state = State::Resolved { at: at(31) };
    let text = says(&over, Language::English, &["resolved"]);
    assert!(!text.contains("could not tell"), "{text}");
    over.last = Some(Scope { gone: true, ..Scope::default() });
    says(&over, Language::English, &["resolved after 31 min: deployment/web was deleted"]);
    over.symptom = Symptom::Pending;
    over.last = Some(Scope { nodes: ["b1".to_owned()].into(), ..scope("256Mi", 1, 1) });
    says(&over, Language::English, &["resolved after 31 min: now on b1"]);
}

#[test]
fn what_is_shared_is_named_once_several_suffer_from_it() {
    let mut registry = incident(1, scope("1Gi", 1, 0));
    registry.key.subject =
        Subject::Shared { kind: "registry".into(), namespace: String::new(), name: "r.example".into() };
    says(&registry, Language::English, &["🔴 prod/web: 1 pod crash looping"]);
    for n in 0..4 {
        let name = format!("w{n}");
        registry.workloads.insert(Subject::Workload {
            kind: "Deployment".into(),
            namespace: "prod".into(),
            name: name.clone(),
        });
        registry.pods.insert(PodKey { namespace: "prod".into(), name });
    }
    says(
        &registry,
        Language::English,
        &["🔴 registry r.example: 5 pods of 5 workloads", "prod/w0, prod/w1, prod/w2 +2"],
    );
    says(&registry, Language::Chinese, &["🔴 镜像仓库 r.example：5 个工作负载的 5 个 Pod"]);
}
