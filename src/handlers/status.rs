//! `/podoctor status`: which clusters are seen, and how they answer.

use super::clusters::Clusters;
use crate::diagnosis::Language;
use crate::render::message::{Line, Message, Part, Span};
use crate::render::phrase::pick;
use std::time::Duration;
use tokio::time::{Instant, timeout};

const PATIENCE: Duration = Duration::from_secs(3);

/// Asks every cluster for its version, and says how each answers.
pub async fn status(clusters: &Clusters, language: Language) -> Message {
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
    Message {
        parts: vec![
            Part::Heading(vec![plain(pick(language, "Clusters", "集群"))]),
            Part::Lines(lines),
            Part::Small(vec![plain(pick(
                language,
                "I only read; nobody can change anything through me.",
                "我只读取；没有人能通过我做任何改动。",
            ))]),
        ],
        actions: vec![],
    }
}

fn plain(text: impl Into<String>) -> Span {
    Span::Plain(text.into())
}
