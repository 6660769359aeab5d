//! What changed between the beginning of an incident and its end, as far as it was seen.

use super::plain;
use crate::diagnosis::Language;
use crate::diagnosis::story::changes;
use crate::render::answer::rich;
use crate::render::message::{Line, Span};
use crate::render::phrase::pick;
use crate::watch::incident::{Incident, Subject};
use crate::watch::scope::Scope;
use crate::watch::stuck::Symptom;
use k8s_openapi::api::core::v1::PodTemplateSpec;

/// Returns what changed, one phrase each, what people did first. None = nothing was seen to.
///
/// It is told as what happened, not as what helped: only the order in time is known.
pub fn changed(incident: &Incident, language: Language) -> Vec<Line> {
    let mut told: Vec<Line> = incident
        .helped
        .iter()
        .map(|helped| {
            vec![
                Span::Code(helped.remedy.clone()),
                plain(pick(language, " by ", "，操作者 ")),
                Span::Person(helped.by.clone()),
            ]
        })
        .collect();
    let (Some(first), Some(last), Some(workload)) = (&incident.first, &incident.last, incident.workload()) else {
        return told;
    };
    if last.gone {
        if !first.gone {
            told.push(vec![plain(match language {
                Language::English => format!("{} was deleted", kind_of(workload)),
                Language::Chinese => format!("{} 已被删除", kind_of(workload)),
            })]);
        }
        return told;
    }
    told.extend(of_template(incident, first, last, language));
    told.extend(of_replicas(workload, first, last, language));
    if told.is_empty() {
        told.extend(of_nodes(incident, last, language));
    }
    told
}

fn of_template(incident: &Incident, first: &Scope, last: &Scope, language: Language) -> Option<Line> {
    let template = |scope: &Scope| serde_json::from_value::<PodTemplateSpec>(scope.template.clone()).ok();
    let changes = changes::between(&template(first)?, &template(last)?);
    let mut line = match (changes.is_empty(), first.revision == last.revision) {
        (false, _) => {
            let words = changes::words(&changes.iter().collect::<Vec<_>>());
            rich(match language {
                Language::English => &words.en,
                Language::Chinese => &words.zh,
            })
        }
        (true, false) if first.revision.is_some() && last.revision.is_some() => {
            vec![plain(pick(language, "a new revision was rolled out", "发布了新版本"))]
        }
        _ => return None,
    };
    if let Some((by, _)) = last.changed_by.as_ref().filter(|(_, at)| *at >= incident.opened.min(incident.since)) {
        line.push(plain(match language {
            Language::English => format!(", by {by}"),
            Language::Chinese => format!("，由 {by} 修改"),
        }));
    }
    Some(line)
}

fn of_replicas(workload: &Subject, first: &Scope, last: &Scope, language: Language) -> Option<Line> {
    let Subject::Workload { kind, .. } = workload else { return None };
    // A DaemonSet's number follows the nodes, a Job's its progress: nobody changed it.
    let scales = matches!(kind.as_str(), "Deployment" | "StatefulSet" | "ReplicaSet" | "ReplicationController");
    let (before, after) = (first.wanted?, last.wanted?);
    (scales && before != after).then(|| {
        vec![plain(match language {
            Language::English => format!("replicas {before} → {after}"),
            Language::Chinese => format!("副本数 {before} → {after}"),
        })]
    })
}

/// Tells where the pods run now, where that is what they had to wait for, or another place than before.
fn of_nodes(incident: &Incident, last: &Scope, language: Language) -> Option<Line> {
    let placed = matches!(incident.symptom, Symptom::Pending | Symptom::Creating | Symptom::Unknown);
    if !placed || last.nodes.is_empty() || !last.nodes.is_disjoint(&incident.nodes) {
        return None;
    }
    let names: Vec<&str> = last.nodes.iter().take(super::NODES).map(String::as_str).collect();
    let more = last.nodes.len().saturating_sub(super::NODES);
    let more = if more == 0 { String::new() } else { format!(" +{more}") };
    Some(vec![plain(match language {
        Language::English => format!("now on {}{more}", names.join(", ")),
        Language::Chinese => format!("现运行于 {}{more}", names.join(", ")),
    })])
}

fn kind_of(workload: &Subject) -> String {
    match workload {
        Subject::Workload { kind, name, .. } => format!("{}/{name}", kind.to_lowercase()),
        other => other.name(),
    }
}
