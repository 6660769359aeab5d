//! The Kubernetes API: the client, and its errors in words.
//!
//! Everything is read as JSON text by path, so that what comes from a cluster and what comes from a file takes the same
//! way into a [`World`](crate::facts::World). What writes stands in [`write`] alone.

mod error;
mod resource;
mod watch;
pub mod write;

pub use error::ReadError;
pub use resource::{Resource, log as log_path};
pub use watch::Seen;
pub use write::WriteError;

use futures_util::AsyncReadExt;
use http::Request;
use hyper_util::client::proxy::matcher::Matcher;
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
        let (config, context, own_proxy) = match &source.kubeconfig {
            Some(path) => {
                let kubeconfig = Kubeconfig::read_from(path)
                    .map_err(|error| ReadError::NoConfig(format!("{}: {error}", path.display())))?;
                read(kubeconfig, &options).await?
            }
            None => match Kubeconfig::read() {
                Ok(kubeconfig) => read(kubeconfig, &options).await?,
                Err(no_kubeconfig) => match Config::incluster() {
                    Ok(config) => (config, Some("in-cluster".to_owned()), false),
                    Err(_) => return Err(ReadError::no_config(no_kubeconfig)),
                },
            },
        };
        let client = client(config, own_proxy)?;
        let name = if source.name.is_empty() { context.unwrap_or_default() } else { source.name.clone() };
        Ok(Self { name, client, requests: Arc::default() })
    }

    /// Prepares the client of a cluster that asks for no credentials, by its address: the recorded one.
    ///
    /// # Errors
    /// Where the address is none.
    pub fn at(name: &str, address: &str) -> Result<Self, ReadError> {
        let url = address.parse::<http::Uri>().map_err(ReadError::no_config)?;
        let client = client(Config::new(url), false)?;
        Ok(Self { name: name.to_owned(), client, requests: Arc::default() })
    }

    /// Returns the text that the API answers to a GET of a path with its query.
    ///
    /// # Errors
    /// Says in words why there is none.
    pub async fn get(&self, path: &str) -> Result<String, ReadError> {
        self.requests.fetch_add(1, Ordering::Relaxed);
        let request = Request::get(path).body(Vec::new()).map_err(|error| ReadError::Other(error.to_string()))?;
        let answer = self.client.request_stream(request).await.map_err(|error| ReadError::from_kube(error, path))?;
        let mut text = Vec::new();
        // One buffer that grows: the client's own way to a text holds it three times.
        std::pin::pin!(answer).read_to_end(&mut text).await.map_err(|error| ReadError::broken_off(&error))?;
        // Logs come in whatever encoding an app writes.
        Ok(String::from_utf8(text).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()))
    }

    /// Returns how many requests were sent so far.
    pub fn requests(&self) -> usize {
        self.requests.load(Ordering::Relaxed)
    }
}

/// Reads a context of a kubeconfig: its settings, its name, and whether its cluster names a proxy (`proxy-url`).
async fn read(
    kubeconfig: Kubeconfig,
    options: &KubeConfigOptions,
) -> Result<(Config, Option<String>, bool), ReadError> {
    let context = options.context.clone().or(kubeconfig.current_context.clone());
    let cluster = kubeconfig
        .contexts
        .iter()
        .find(|named| Some(&named.name) == context.as_ref())
        .and_then(|named| Some(&named.context.as_ref()?.cluster));
    let own_proxy = kubeconfig
        .clusters
        .iter()
        .filter(|named| Some(&named.name) == cluster)
        .filter_map(|named| named.cluster.as_ref()?.proxy_url.as_deref())
        .any(|url| !url.is_empty());
    let config = Config::from_custom_kubeconfig(kubeconfig, options).await.map_err(ReadError::no_config)?;
    Ok((config, context, own_proxy))
}

/// Makes the client of any cluster.
fn client(mut config: Config, own_proxy: bool) -> Result<Client, ReadError> {
    config.connect_timeout = Some(CONNECT_TIMEOUT);
    // kube would repeat what the server refused for load, beyond any question's deadline.
    config.default_retry = false;
    // Each question has a deadline of its own; this one only ends what has lost its question.
    config.read_timeout = Some(Duration::from_secs(60));
    // kube takes the proxy from HTTPS_PROXY, but looks for the proxy in NO_PROXY and not for the cluster.
    if !own_proxy && Matcher::from_system().intercept(&config.cluster_url).is_none() {
        config.proxy_url = None;
    }
    Client::try_from(config).map_err(ReadError::no_config)
}
