//! The API server in trouble while pods are sick: nothing is missed, nothing is told twice.

use super::chat::words;
use super::watched::{AT_ONCE, Watched, crashing, pod_of, serving};
use crate::plane::{Life, Ns, Plane};
use podoctor::playground::slack::{Config, ids};
use serde_json::Value;

/// Writes a pod's status past the API server, which is down.
async fn writes(ns: &Ns<'_>, workload: &str, status: Value) {
    let key = format!("/registry/pods/{}/{}", ns.name, pod_of(workload));
    ns.plane.etcd().unwrap().change(&key, |pod| pod["status"] = status.clone()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_happens_while_the_api_server_is_away_is_told_when_it_is_back_and_once() {
    let plane = Plane::start(Life::Recorded).await;
    let w = Watched::on(&plane, Config::default(), AT_ONCE).await;
    for workload in ["web", "api", "db"] {
        super::watched::make(&w.ns, workload).await;
        w.recovers(workload).await;
    }
    w.breaks("web").await;
    w.says("web", &["crash looping"]).await;

    // A crash of the API server: every watch breaks, and things go on without it.
    plane.stop_apiserver();
    w.until("it is seen", || w.chat.bot.log().contains("broke, and goes on").then_some(())).await;
    writes(&w.ns, "web", serving()).await;
    writes(&w.ns, "api", crashing()).await;
    plane.start_apiserver().await;
    w.says("api", &["crash looping", "memory limit"]).await;
    w.says("web", &["✅", "resolved after"]).await;

    // Now what was last seen is gone from the history as well (410): all is listed anew.
    plane.stop_apiserver();
    writes(&w.ns, "db", crashing()).await;
    writes(&w.ns, "web", crashing()).await;
    plane.compact().await;
    plane.start_apiserver().await;
    w.says("db", &["crash looping", "memory limit"]).await;
    let web = w.says("web", &["crash looping", "came back 1×"]).await;
    w.says("api", &["crash looping"]).await;
    let log = w.chat.bot.log();
    assert!(log.contains("too old resource version") || log.contains("Expired") || log.contains("410"), "{log}");
    assert_eq!(w.chat.parents(ids::CHANNEL).len(), 3, "{}", w.chat.slack.transcript(ids::CHANNEL));
    let back = |message: &Value| words(message).contains("It is back");
    w.until("its thread goes on", || {
        w.chat.replies(ids::CHANNEL, web["ts"].as_str().unwrap()).iter().any(back).then_some(())
    })
    .await;
}
