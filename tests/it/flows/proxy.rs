//! A second address of the test's API server, which takes its time and has logs (the plane's nodes have no kubelet).

use crate::plane::Ns;
use crate::plane::api::Refused;
use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinHandle;

/// Serves until it is dropped.
pub struct Proxy {
    pub url: String,
    task: JoinHandle<()>,
}

struct Behind {
    api: crate::plane::api::Api,
    pause: Duration,
    log: String,
}

impl Proxy {
    /// Starts one that answers everything after a pause.
    pub async fn start(ns: &Ns<'_>, pause: Duration) -> Proxy {
        Proxy::serve(Behind { api: ns.plane.admin(), pause, log: String::new() }).await
    }

    /// Starts one whose containers have all written this log.
    pub async fn with_log(ns: &Ns<'_>, log: &str) -> Proxy {
        Proxy::serve(Behind { api: ns.plane.admin(), pause: Duration::ZERO, log: log.to_owned() }).await
    }

    async fn serve(behind: Behind) -> Proxy {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let routes = Router::new().fallback(answer).with_state(Arc::new(behind));
        let task = tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
        Proxy { url, task }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn answer(State(behind): State<Arc<Behind>>, uri: Uri) -> Response {
    tokio::time::sleep(behind.pause).await;
    if uri.path().ends_with("/log") {
        return behind.log.clone().into_response();
    }
    match behind.api.get(uri.path_and_query().map_or("/", |path| path.as_str())).await {
        Ok(value) => value.to_string().into_response(),
        Err(Refused { code, message, .. }) => {
            let status = serde_json::json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "message": message});
            let code = StatusCode::from_u16(code).unwrap_or(StatusCode::BAD_GATEWAY);
            (code, status.to_string()).into_response()
        }
    }
}
