//! Whatever a cluster holds: every pod gets a diagnosis, and its answer can be said in both languages within Slack's limits.
//!
//! The bytes are Kubernetes objects as JSON; a string `log` beside a list's `items` is the log of every container.

use podoctor::chat::slack::draw;
use podoctor::diagnosis::{Catalogue, Language, diagnose};
use podoctor::facts::intake::Met;
use podoctor::facts::log::ContainerLog;
use podoctor::facts::{Facts, PodView, Subject, World};
use podoctor::gather::snapshot;
use podoctor::question::{self, Answer};
use podoctor::redact::redact;
use podoctor::render::answer;
use podoctor::render::report::Report;
use podoctor::target;
use serde_json::Value;

/// Diagnoses everything that the objects hold.
pub fn check(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if !text.trim_start().starts_with(['{', '[']) {
        return;
    }
    let (mut world, mut met, mut newest) = (World::default(), Met::default(), None);
    snapshot::take_text(&mut world, &mut met, &mut newest, text);
    world.conclude(&met);
    world.sort_events();
    add_logs(&mut world, text);
    let now = newest.unwrap_or_default();
    let causes = Catalogue::default();
    let mut namespaces: Vec<String> = Vec::new();
    for pod in world.pods.seen().map(PodView::new) {
        let diagnosis = diagnose(&Facts { now, world: &world, subject: Subject::Pod(pod) }, &causes);
        serde_json::to_string(&Report::of(&diagnosis, Vec::new(), &redact)).expect("a report is JSON");
        say(&Answer::One { diagnosis: Box::new(diagnosis), among: 1 });
        namespaces.push(pod.namespace().to_owned());
        let workload = pod.workload();
        diagnose(&Facts { now, world: &world, subject: Subject::Workload(workload.clone()) }, &causes);
        if let Ok(target) = target::parse(&workload.reference()) {
            let _ = question::answer(&world, now, &target, &causes).as_ref().map(say);
        }
    }
    say(&Answer::Many(question::survey(&world, now, None, &causes)));
    namespaces.dedup();
    for namespace in namespaces {
        say(&Answer::Many(question::survey(&world, now, Some(&namespace), &causes)));
    }
}

fn add_logs(world: &mut World, text: &str) {
    let Ok(Value::Object(fields)) = serde_json::from_str(text) else { return };
    let Some(log) = fields.get("log").and_then(Value::as_str) else { return };
    let log =
        ContainerLog { current: Some(log.to_owned()), previous: Some(log.to_owned()), error: Some(log.to_owned()) };
    let places: Vec<_> = world
        .pods
        .seen()
        .map(PodView::new)
        .flat_map(|pod| pod.containers().map(move |c| (pod.namespace().into(), pod.name().into(), c.name().into())))
        .collect();
    world.logs.extend(places.into_iter().map(|place| (place, log.clone())));
}

fn say(answer: &Answer) {
    for language in [Language::English, Language::Chinese] {
        let reply = answer::reply(answer, "prod/web", Some("U0ALICE"), language);
        for message in std::iter::once(&reply.parent).chain(&reply.thread) {
            let drawn = draw::draw(message);
            for page in std::iter::once(&drawn.first).chain(&drawn.more) {
                assert!(page.blocks.len() <= draw::MAX_BLOCKS, "{} blocks", page.blocks.len());
                assert!(!page.text.contains("<!channel") && !page.text.contains("<!here"), "live: {}", page.text);
            }
        }
    }
}
