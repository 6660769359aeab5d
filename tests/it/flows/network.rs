//! The way to a cluster: through the proxy of the environment or around it, and with an API of an older version.

use super::data::{MANAGE, OOM, granted};
use axum::http::{StatusCode, Uri};
use axum::response::IntoResponse;
use podoctor::cluster::Cluster;
use podoctor::diagnosis::Catalogue;
use podoctor::gather::live;
use podoctor::target;
use serde_json::json;
use std::path::Path;
use std::process::Output;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};

/// Starts an HTTP proxy that makes tunnels; returns its address and how many it made.
async fn proxy() -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let tunnels = Arc::new(AtomicUsize::new(0));
    let made = tunnels.clone();
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let made = made.clone();
            tokio::spawn(async move {
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    head.push(client.read_u8().await?);
                }
                let head = String::from_utf8_lossy(&head).into_owned();
                let target = head.strip_prefix("CONNECT ").and_then(|rest| rest.split(' ').next()).unwrap_or_default();
                let mut server = TcpStream::connect(target).await?;
                made.fetch_add(1, Ordering::Relaxed);
                client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await?;
                copy_bidirectional(&mut client, &mut server).await
            });
        }
    });
    (address, tunnels)
}

/// Runs `podoctor diagnose` with nothing in its environment but these.
async fn diagnose(target: &str, kubeconfig: &Path, env: &[(&str, &str)]) -> Output {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_podoctor"));
    command.env_clear().envs(env.iter().copied()).args(["diagnose", target, "--kubeconfig"]).arg(kubeconfig);
    tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_is_reached_through_the_proxy_unless_no_proxy_names_it() {
    let (ns, kubeconfig, _) = granted("prod").await;
    ns.apply(OOM).await;
    let target = format!("{}/{MANAGE}", ns.name);
    let (address, tunnels) = proxy().await;
    let through = diagnose(&target, &kubeconfig, &[("HTTPS_PROXY", &address)]).await;
    assert_eq!(through.status.code(), Some(1), "{through:?}");
    let count = tunnels.load(Ordering::Relaxed);
    assert!(count > 0, "the proxy was asked");
    for (no_proxy, name) in [("127.0.0.1", "NO_PROXY"), ("localhost,127.0.0.0/8", "no_proxy")] {
        let around = diagnose(&target, &kubeconfig, &[("HTTPS_PROXY", &address), (name, no_proxy)]).await;
        assert_eq!(around.status.code(), Some(1), "{around:?}");
        assert_eq!(tunnels.load(Ordering::Relaxed), count, "{name}={no_proxy}: the proxy was asked");
    }
    let dead = diagnose(&target, &kubeconfig, &[("HTTPS_PROXY", "http://127.0.0.1:9")]).await;
    assert_eq!(dead.status.code(), Some(2), "{dead:?}");
}

/// An API server of 1.32: claims of devices are served as v1beta1 only.
async fn older(uri: Uri) -> axum::response::Response {
    let pod = json!({
        "kind": "Pod", "apiVersion": "v1",
        "metadata": {"name": "train-0", "namespace": "ml", "uid": "u1", "creationTimestamp": "2026-01-01T09:00:00Z"},
        "spec": {"containers": [{"name": "app", "image": "x"}], "resourceClaims": [{"name": "gpu", "resourceClaimName": "gpu"}]},
        "status": {"phase": "Pending", "conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable",
            "message": "0/1 nodes are available: 1 cannot allocate all claims."}]},
    });
    let claim = json!({
        "kind": "ResourceClaim", "apiVersion": "resource.k8s.io/v1beta1", "metadata": {"name": "gpu", "namespace": "ml"},
        "spec": {"devices": {"requests": [{"name": "gpu", "deviceClassName": "gpu.example.com"}]}}, "status": {},
    });
    let list = json!({"kind": "List", "apiVersion": "v1", "metadata": {}, "items": []});
    match uri.path() {
        "/api/v1/namespaces/ml/pods/train-0" => pod.to_string().into_response(),
        "/apis/resource.k8s.io/v1beta1/namespaces/ml/resourceclaims/gpu" => claim.to_string().into_response(),
        path if path.starts_with("/apis/resource.k8s.io/") => {
            (StatusCode::NOT_FOUND, "404 page not found\n").into_response()
        }
        _ => list.to_string().into_response(),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn claims_of_devices_are_read_in_the_version_that_the_server_has() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let server = tokio::spawn(async move { axum::serve(listener, axum::Router::new().fallback(older)).await });
    let cluster = Cluster::at("old", &address).unwrap();
    let target = target::parse("ml/train-0").unwrap();
    let now = "2026-01-01T10:00:00Z".parse().unwrap();
    let patience = Duration::from_secs(20);
    let world = live::gather(&cluster, &target, now, patience, &Catalogue::default()).await.unwrap();
    let claims = world.others("ResourceClaim").expect("claims were read");
    assert!(claims.get("ml", "gpu").present().is_some(), "{:?}", world.unread);
    assert!(world.unread.iter().all(|unread| !unread.what.contains("resourceclaim")), "{:?}", world.unread);
    server.abort();
}
