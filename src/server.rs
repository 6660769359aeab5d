//! HTTP routes: health, readiness and metrics in both modes; Slack's own requests are the chat front's.

use crate::metrics::Metrics;
use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::sync::watch;

/// What readiness is decided by.
#[derive(Clone)]
pub struct Health {
    /// How many sockets have said hello; `None` in HTTP mode, where Slack comes to us.
    pub sockets: Option<watch::Receiver<usize>>,
    /// Slack's own code, once it has refused for good.
    pub refused: watch::Receiver<Option<String>>,
    pub metrics: Arc<Metrics>,
}

/// Serves `routes` on `listener` until the process ends.
///
/// # Errors
/// What the system says.
pub async fn serve(listener: TcpListener, routes: Router) -> std::io::Result<()> {
    axum::serve(listener, routes).await
}

/// Returns `/healthz`, `/readyz` and `/metrics`.
pub fn routes(health: Health) -> Router {
    Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .with_state(health)
}

/// Ready = settings loaded and token accepted (else this server does not run), and heard by Slack. An unreachable cluster
/// does not make us unready: that is told in answers.
async fn ready(State(health): State<Health>) -> Response {
    if let Some(code) = health.refused.borrow().clone() {
        return (StatusCode::SERVICE_UNAVAILABLE, format!("slack refuses us: {code}\n")).into_response();
    }
    match &health.sockets {
        Some(sockets) if *sockets.borrow() == 0 => {
            (StatusCode::SERVICE_UNAVAILABLE, "no socket to slack has said hello\n").into_response()
        }
        _ => "ready\n".into_response(),
    }
}

async fn metrics(State(health): State<Health>) -> Response {
    let sockets = health.sockets.as_ref().map(|sockets| *sockets.borrow());
    let text = health.metrics.text(sockets);
    ([(header::CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")], text).into_response()
}
