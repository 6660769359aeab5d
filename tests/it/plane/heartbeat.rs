//! What a kubelet does even when nothing happens: it renews its node's lease.

use super::api::{Api, Refused};
use jiff::Timestamp;
use serde_json::json;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// A twelfth of the time after which a node counts as lost here.
const BEAT: Duration = Duration::from_secs(1);

/// Renews leases from a thread of its own, since the tests' runtimes come and go; ends when dropped.
#[derive(Debug)]
pub(super) struct Heartbeat {
    nodes: Arc<Mutex<BTreeSet<String>>>,
}

impl Heartbeat {
    pub fn start(url: String, certificate: PathBuf, token: String) -> Heartbeat {
        let nodes: Arc<Mutex<BTreeSet<String>>> = Arc::default();
        let weak = Arc::downgrade(&nodes);
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let runtime = runtime.expect("a machine that runs a control plane has room for a thread");
            runtime.block_on(async move {
                let Ok(api) = Api::new(&url, &certificate, &token) else { return };
                while let Some(nodes) = weak.upgrade() {
                    let names = nodes.lock().expect("nothing panics while it is held").clone();
                    drop(nodes);
                    for name in &names {
                        // The API server may be down, that is what some tests are about; the next beat counts.
                        let _ = beat(&api, name).await;
                    }
                    tokio::time::sleep(if names.is_empty() { BEAT / 20 } else { BEAT }).await;
                }
            });
        });
        Heartbeat { nodes }
    }

    pub fn add(&self, node: &str) {
        self.nodes.lock().expect("nothing panics while it is held").insert(node.to_owned());
    }

    pub fn remove(&self, node: &str) {
        self.nodes.lock().expect("nothing panics while it is held").remove(node);
    }
}

async fn beat(api: &Api, node: &str) -> Result<(), Refused> {
    let now = format!("{:.6}", Timestamp::now());
    let spec = json!({ "holderIdentity": node, "leaseDurationSeconds": 40, "renewTime": now });
    let leases = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases";
    match api.merge(&format!("{leases}/{node}"), &json!({ "spec": spec })).await {
        Err(Refused { code: 404, .. }) => {
            let lease = json!({
                "apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": { "name": node }, "spec": spec });
            api.post(leases, &lease).await.map(|_| ())
        }
        outcome => outcome.map(|_| ()),
    }
}
