//! The Kubernetes API: the client, and its errors in words.
//!
//! Everything is read as JSON text by path, so that what comes from a cluster and what comes from a file takes the same
//! way into a [`World`](crate::facts::World). Reading is all this module can do.

mod error;
mod resource;
mod watch;

pub use error::ReadError;
pub use resource::{Resource, log as log_path};
pub use watch::Seen;

use http::Request;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// How long TCP and TLS may take to come up.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// Where a cluster is found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ClusterSource {
    /// The name that people give it; empty = the context's, or `in-cluster`.
    pub name: String,
    /// `None` = `KUBECONFIG`, `~/.kube/config`, or the pod's service account, in this order.
    pub kubeconfig: Option<PathBuf>,
    /// `None` = the current context.
    pub context: Option<String>,
}

/// A cluster that can be read.
#[derive(Clone)]
pub struct Cluster {
    pub name: String,
    client: Client,
    requests: Arc<AtomicUsize>,
}

impl Cluster {
    /// Prepares the client; nothing is sent yet.
    ///
    /// # Errors
    /// Where there is no usable kubeconfig or service account.
    pub async fn connect(source: &ClusterSource) -> Result<Self, ReadError> {
        let options = KubeConfigOptions { context: source.context.clone(), ..KubeConfigOptions::default() };
        let (mut config, context) = match &source.kubeconfig {
            Some(path) => {
                let kubeconfig = Kubeconfig::read_from(path)
                    .map_err(|error| ReadError::NoConfig(format!("{}: {error}", path.display())))?;
                let context = source.context.clone().or(kubeconfig.current_context.clone());
                let config =
                    Config::from_custom_kubeconfig(kubeconfig, &options).await.map_err(ReadError::no_config)?;
                (config, context)
            }
            None => match Kubeconfig::read() {
                Ok(kubeconfig) => {
                    let context = source.context.clone().or(kubeconfig.current_context.clone());
                    let config =
                        Config::from_custom_kubeconfig(kubeconfig, &options).await.map_err(ReadError::no_config)?;
                    (config, context)
                }
                Err(no_kubeconfig) => match Config::incluster() {
                    Ok(config) => (config, Some("in-cluster".to_owned())),
                    Err(_) => return Err(ReadError::no_config(no_kubeconfig)),
                },
            },
        };
        config.connect_timeout = Some(CONNECT_TIMEOUT);
        // kube would repeat what the server refused for load, beyond any question's deadline.
        config.default_retry = false;
        // Each question has a deadline of its own; this one only ends what has lost its question.
        config.read_timeout = Some(Duration::from_secs(60));
        let client = Client::try_from(config).map_err(ReadError::no_config)?;
        let name = if source.name.is_empty() { context.unwrap_or_default() } else { source.name.clone() };
        Ok(Self { name, client, requests: Arc::default() })
    }

    /// Prepares the client of a cluster that asks for no credentials, by its address: the recorded one.
    ///
    /// # Errors
    /// Where the address is none.
    pub fn at(name: &str, address: &str) -> Result<Self, ReadError> {
        let url = address.parse::<http::Uri>().map_err(ReadError::no_config)?;
        let client = Client::try_from(Config::new(url)).map_err(ReadError::no_config)?;
        Ok(Self { name: name.to_owned(), client, requests: Arc::default() })
    }

    /// Returns the text that the API answers to a GET of a path with its query.
    ///
    /// # Errors
    /// Says in words why there is none.
    pub async fn get(&self, path: &str) -> Result<String, ReadError> {
        self.requests.fetch_add(1, Ordering::Relaxed);
        let request = Request::get(path).body(Vec::new()).map_err(|error| ReadError::Other(error.to_string()))?;
        self.client.request_text(request).await.map_err(|error| ReadError::from_kube(error, path))
    }

    /// Returns how many requests were sent so far.
    pub fn requests(&self) -> usize {
        self.requests.load(Ordering::Relaxed)
    }
}
