//! Signed HTTP delivery to a server of the test's own.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::IntoResponse;
use serde_json::{Value, json};

use super::app::{App, SOON, app_with, quick};
use crate::playground::slack::{Workspace, ids};

/// A request as it arrived.
#[derive(Clone)]
struct Arrived {
    path: String,
    headers: HeaderMap,
    body: Bytes,
}

/// Status, headers, body.
type Answer = (u16, Vec<(&'static str, &'static str)>, String);

#[derive(Clone, Default)]
struct Server {
    arrived: Arc<Mutex<Vec<Arrived>>>,
    /// Answers to give, first first; then 200 with an empty body.
    answers: Arc<Mutex<Vec<Answer>>>,
}

impl Server {
    async fn start() -> (Server, String) {
        let server = Server::default();
        let router = Router::new().fallback(take).with_state(server.clone());
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("http://{}/slack", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        (server, url)
    }

    fn arrived(&self) -> Vec<Arrived> {
        self.arrived.lock().unwrap().clone()
    }

    fn will_answer(&self, status: u16, headers: &[(&'static str, &'static str)], body: &str) {
        self.answers.lock().unwrap().push((status, headers.to_vec(), body.to_owned()));
    }
}

async fn take(State(server): State<Server>, uri: Uri, headers: HeaderMap, body: Bytes) -> impl IntoResponse {
    let json: Value = serde_json::from_slice(&body).unwrap_or_default();
    server.arrived.lock().unwrap().push(Arrived { path: uri.path().to_owned(), headers, body });
    if json["type"] == "url_verification" {
        return (StatusCode::OK, HeaderMap::new(), json["challenge"].as_str().unwrap().to_owned());
    }
    let answer = {
        let mut answers = server.answers.lock().unwrap();
        if answers.is_empty() { (200, Vec::new(), String::new()) } else { answers.remove(0) }
    };
    let mut headers = HeaderMap::new();
    for (name, value) in answer.1 {
        headers.insert(name, value.parse().unwrap());
    }
    (StatusCode::from_u16(answer.0).unwrap(), headers, answer.2)
}

async fn over_http() -> (App, Server) {
    let app = app_with(quick()).await;
    let (server, url) = Server::start().await;
    assert_eq!(app.play("delivery", json!({"mode": "http", "url": url})).await["ok"], true);
    server.arrived.lock().unwrap().clear();
    (app, server)
}

fn signed_well(workspace: &Workspace, arrived: &Arrived) -> bool {
    let timestamp = arrived.headers["x-slack-request-timestamp"].to_str().unwrap();
    arrived.headers["x-slack-signature"] == workspace.signature(timestamp, &arrived.body).as_str()
}

#[tokio::test]
async fn an_address_that_does_not_echo_is_refused() {
    let app = app_with(quick()).await;
    let refused = app.play("delivery", json!({"mode": "http", "url": "http://127.0.0.1:1"})).await;
    assert_eq!(refused["error"], "url_not_verified");
    assert_eq!(app.look("info").await["delivery"], "socket");
}

#[tokio::test]
async fn everything_arrives_signed() {
    let (app, server) = over_http().await;
    server.will_answer(200, &[], r#"{"text": "Got it"}"#);
    let ack = app.workspace.command(ids::ALICE, "C0PODOCTOR", "prod/x").await.unwrap();
    assert_eq!(ack.payload, Some(json!({"text": "Got it"})));
    app.workspace.say(ids::ALICE, "C0PODOCTOR", "@podoctor x", None).unwrap();
    assert!(app.workspace.wait_until(SOON, |_| server.arrived().len() == 2).await);
    let ts = app.post("C0PODOCTOR", "prod/x").await;
    app.workspace.shortcut(ids::ALICE, "C0PODOCTOR", &ts).await.unwrap();
    let arrived = server.arrived();
    let paths: Vec<&str> = arrived.iter().map(|request| request.path.as_str()).collect();
    assert_eq!(paths, ["/slack/commands", "/slack/events", "/slack/interactivity"]);
    assert!(arrived.iter().all(|request| signed_well(&app.workspace, request)));
    assert!(String::from_utf8_lossy(&arrived[0].body).contains("command=%2Fpodoctor"));
    assert!(arrived[2].body.starts_with(b"payload=%7B"));
}

#[tokio::test]
async fn failures_are_retried_with_their_reason() {
    let (app, server) = over_http().await;
    server.will_answer(500, &[], "");
    server.will_answer(503, &[], "");
    app.workspace.say(ids::ALICE, "C0PODOCTOR", "@podoctor x", None).unwrap();
    assert!(app.workspace.wait_until(SOON, |_| server.arrived().len() == 3).await);
    let arrived = server.arrived();
    assert!(arrived[0].headers.get("x-slack-retry-num").is_none());
    assert_eq!(arrived[1].headers["x-slack-retry-num"], "1");
    assert_eq!(arrived[2].headers["x-slack-retry-reason"], "http_error");
    assert_eq!(arrived[0].body, arrived[2].body, "the same event_id");
}

#[tokio::test]
async fn an_app_can_ask_for_no_retry() {
    let (app, server) = over_http().await;
    server.will_answer(500, &[("x-slack-no-retry", "1")], "");
    app.workspace.say(ids::ALICE, "C0PODOCTOR", "@podoctor x", None).unwrap();
    let again = app.workspace.wait_until(std::time::Duration::from_millis(300), |_| server.arrived().len() > 1);
    assert!(!again.await);
    server.will_answer(500, &[], "");
    let refused = app.workspace.command(ids::ALICE, "C0PODOCTOR", "x").await.unwrap_err();
    assert_eq!(refused.code, "dispatch_failed");
}
