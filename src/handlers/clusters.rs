//! The clusters that can be asked about, by the names people give them.

use crate::cluster::{Cluster, ClusterSource, ReadError};
use crate::question::nearest;
use std::sync::Arc;

/// The clusters, the first being the default.
#[derive(Clone)]
pub struct Clusters {
    list: Arc<Vec<Cluster>>,
}

/// There is no cluster of that name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no cluster `{name}`; there {} {}", if known.len() == 1 { "is" } else { "are" }, known.join(", "))]
pub struct UnknownCluster {
    pub name: String,
    pub known: Vec<String>,
}

impl Clusters {
    /// Prepares every cluster; none of them is asked anything yet. No source = the cluster we run in, or the current
    /// context.
    ///
    /// # Errors
    /// Where a kubeconfig cannot be used, with the cluster's name.
    pub async fn connect(sources: &[ClusterSource]) -> Result<Self, (String, ReadError)> {
        let default = [ClusterSource::default()];
        let sources = if sources.is_empty() { &default[..] } else { sources };
        let mut list = Vec::new();
        for source in sources {
            list.push(Cluster::connect(source).await.map_err(|error| (source.name.clone(), error))?);
        }
        Ok(Self { list: Arc::new(list) })
    }

    /// Returns clusters that are prepared already.
    pub fn of(list: Vec<Cluster>) -> Self {
        Self { list: Arc::new(list) }
    }

    /// Returns the cluster of a name; `None` = the default one.
    ///
    /// # Errors
    /// Names the clusters there are, the nearest first.
    pub fn get(&self, name: Option<&str>) -> Result<&Cluster, UnknownCluster> {
        let found = match name {
            None => self.list.first(),
            Some(name) => self.list.iter().find(|cluster| cluster.name == name),
        };
        found.ok_or_else(|| {
            let name = name.unwrap_or_default();
            let mut known = nearest(name, self.list.iter().map(|cluster| cluster.name.as_str()));
            if known.is_empty() {
                known = self.list.iter().map(|cluster| cluster.name.clone()).collect();
            }
            UnknownCluster { name: name.to_owned(), known }
        })
    }

    /// Returns all clusters.
    pub fn iter(&self) -> impl Iterator<Item = &Cluster> {
        self.list.iter()
    }
}
