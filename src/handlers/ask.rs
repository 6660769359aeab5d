//! A question is asked: read what it needs, diagnose, say it.

use super::clusters::Clusters;
use crate::diagnosis::{Catalogue, Language};
use crate::gather::live;
use crate::gather::pasted::Paste;
use crate::question::{self, Answer};
use crate::render::message::Reply;
use crate::render::{answer, guidance};
use crate::target::{Target, What};
use jiff::Timestamp;
use std::time::Duration;

/// How long one question may read; what is missing then is told as unreadable.
pub const PATIENCE: Duration = Duration::from_secs(8);
/// A whole cluster takes longer than a pod.
const SCAN_PATIENCE: Duration = Duration::from_secs(25);

/// An answer, and what it is about: the very pod or workload that was picked; `None` = there is no answer.
pub struct Answered {
    pub reply: Reply,
    pub about: Option<Target>,
}

impl From<Reply> for Answered {
    fn from(reply: Reply) -> Self {
        Self { reply, about: None }
    }
}

/// Answers a question. `asker` is named in the parent where the chat does not show who asked.
pub async fn ask(
    clusters: &Clusters,
    target: &Target,
    now: Timestamp,
    asker: Option<&str>,
    language: Language,
    catalogue: &Catalogue,
) -> Answered {
    let asked = target.to_string();
    let cluster = match clusters.get(target.cluster.as_deref()) {
        Ok(cluster) => cluster,
        Err(error) => return guidance::sorry(&asked, &sentence(&error.to_string()), asker, language).into(),
    };
    let patience = if matches!(target.what, What::Cluster | What::Namespace(_)) { SCAN_PATIENCE } else { PATIENCE };
    let world = match live::gather(cluster, target, now, patience, catalogue).await {
        Ok(world) => world,
        Err(error) => {
            let why = format!("cluster {}: {error}", cluster.name);
            return guidance::sorry(&asked, &sentence(&why), asker, language).into();
        }
    };
    match question::answer(&world, now, target, catalogue) {
        Ok(found) => Answered {
            reply: answer::reply(&found, &asked, asker, language),
            about: Some(Target { cluster: Some(cluster.name.clone()), what: picked(&found, target) }),
        },
        Err(error) => guidance::sorry(&asked, &sentence(&error.to_string()), asker, language).into(),
    }
}

/// Returns the pod that a question came to, by its whole name; else what was asked.
fn picked(found: &Answer, target: &Target) -> What {
    match found {
        Answer::One { diagnosis, .. } if diagnosis.target.kind == "Pod" => {
            What::Pod { namespace: diagnosis.target.namespace.clone(), prefix: diagnosis.target.name.clone() }
        }
        _ => target.what.clone(),
    }
}

/// Answers from what somebody pasted, as it was when they did; no cluster is asked.
pub fn ask_paste(paste: &Paste, written: Timestamp, language: Language, catalogue: &Catalogue) -> Reply {
    let Some(target) = &paste.target else {
        return guidance::sorry("kubectl", &guidance::no_subject(language), None, language);
    };
    let asked = target.to_string();
    match question::answer(&paste.world, written, target, catalogue) {
        Ok(found) => {
            let mut reply = answer::reply(&found, &asked, None, language);
            reply.parent = reply.parent.with(guidance::from_text(language));
            reply
        }
        Err(error) => guidance::sorry(&asked, &sentence(&error.to_string()), None, language),
    }
}

/// Makes a sentence of an error's lowercase fragment.
fn sentence(fragment: &str) -> String {
    let mut chars = fragment.chars();
    let first = chars.next().map(|c| c.to_uppercase().to_string()).unwrap_or_default();
    format!("{first}{}.", chars.as_str().trim_end_matches('.'))
}
