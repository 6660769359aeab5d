//! `/podoctor status`: which clusters are seen, how they answer, and who may do what.

use super::clusters::Clusters;
use crate::diagnosis::Language;
use crate::render::message::{Line, Message, Part, Span};
use crate::render::phrase::pick;
use crate::settings::Settings;
use std::time::Duration;
use tokio::time::{Instant, timeout};

const PATIENCE: Duration = Duration::from_secs(3);

/// Asks every cluster for its version, and says how each answers and what may be changed.
pub async fn status(clusters: &Clusters, settings: &Settings, language: Language) -> Message {
    let answers = clusters.iter().map(async |cluster| {
        let start = Instant::now();
        let answer = timeout(PATIENCE, cluster.get("/version")).await;
        (cluster, answer, start.elapsed())
    });
    let mut lines: Vec<Line> = Vec::new();
    for (cluster, answer, took) in futures_util::future::join_all(answers).await {
        let name = Span::Strong(cluster.name.clone());
        let line = match answer {
            Ok(Ok(text)) => {
                let version: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
                let version = version["gitVersion"].as_str().unwrap_or("?").to_owned();
                vec![plain("🟢 "), name, plain(format!(": Kubernetes {version}, {} ms", took.as_millis()))]
            }
            Ok(Err(error)) => vec![plain("🔴 "), name, plain(format!(": {error}"))],
            Err(_) => {
                let words = pick(language, "no answer within 3 s", "3 秒内没有响应");
                vec![plain("🔴 "), name, plain(format!(": {words}"))]
            }
        };
        lines.push(line);
    }
    let mut parts = vec![Part::Heading(vec![plain(pick(language, "Clusters", "集群"))]), Part::Lines(lines)];
    parts.extend(remedies(settings, language));
    Message { parts, actions: vec![] }
}

/// Returns what may be changed, where, and by whom.
fn remedies(settings: &Settings, language: Language) -> Vec<Part> {
    if settings.remedies.is_empty() || settings.access.act.is_empty() {
        let words = pick(
            language,
            "I only read; nobody can change anything through me.",
            "我只读取；没有人能通过我做任何改动。",
        );
        return vec![Part::Small(vec![plain(words)])];
    }
    let everywhere = pick(language, "everywhere", "所有位置");
    let places = |clusters: &[String], namespaces: &[String]| match (clusters.is_empty(), namespaces.is_empty()) {
        (true, true) => everywhere.to_owned(),
        (true, false) => namespaces.join(", "),
        (false, true) => clusters.join(", "),
        (false, false) => format!("{}: {}", clusters.join(", "), namespaces.join(", ")),
    };
    let mut lines: Vec<Line> = settings
        .remedies
        .iter()
        .map(|rule| {
            let place = places(&rule.clusters, &rule.namespaces);
            let confirmed = match language {
                Language::English if rule.approvals > 1 => format!(", {} people must confirm", rule.approvals),
                Language::Chinese if rule.approvals > 1 => format!("，需 {} 人确认", rule.approvals),
                _ => String::new(),
            };
            vec![plain("• "), Span::Code(rule.remedy.id().to_owned()), plain(format!(" ({place}{confirmed})"))]
        })
        .collect();
    for (grants, words) in [
        (&settings.access.act, pick(language, "may act: ", "可操作：")),
        (&settings.access.approve, pick(language, "may approve: ", "可批准：")),
    ] {
        for grant in grants {
            let mut line = vec![plain(words)];
            // Groups and channels are named as text: naming one must not notify all of it.
            line.extend(grant.users.iter().flat_map(|user| [Span::Person(user.clone()), plain(" ")]));
            let others = grant.groups.iter().chain(&grant.channels);
            line.extend(others.flat_map(|id| [Span::Code(id.clone()), plain(" ")]));
            line.push(plain(format!("({})", places(&grant.clusters, &grant.namespaces))));
            lines.push(line);
        }
    }
    vec![
        Part::Heading(vec![plain(pick(language, "What I may change, once a person confirms", "经人确认后我可以更改"))]),
        Part::Lines(lines),
    ]
}

fn plain(text: impl Into<String>) -> Span {
    Span::Plain(text.into())
}
