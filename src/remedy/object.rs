//! The objects that remedies change, and only these.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::{Deserialize, Serialize};
use std::fmt;

/// A kind that some remedy changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Kind {
    Pod,
    Node,
    Deployment,
    StatefulSet,
    DaemonSet,
    VolumeAttachment,
}

impl Kind {
    /// Returns the API's name of the kind.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pod => "Pod",
            Self::Node => "Node",
            Self::Deployment => "Deployment",
            Self::StatefulSet => "StatefulSet",
            Self::DaemonSet => "DaemonSet",
            Self::VolumeAttachment => "VolumeAttachment",
        }
    }

    /// Returns the word that kubectl takes.
    pub fn word(self) -> String {
        self.name().to_lowercase()
    }

    /// Returns the API group and the name in paths and in rules.
    pub fn resource(self) -> (&'static str, &'static str) {
        match self {
            Self::Pod => ("", "pods"),
            Self::Node => ("", "nodes"),
            Self::Deployment => ("apps", "deployments"),
            Self::StatefulSet => ("apps", "statefulsets"),
            Self::DaemonSet => ("apps", "daemonsets"),
            Self::VolumeAttachment => ("storage.k8s.io", "volumeattachments"),
        }
    }

    /// Returns the kind of that name.
    pub fn of_name(name: &str) -> Option<Self> {
        const ALL: [Kind; 6] =
            [Kind::Pod, Kind::Node, Kind::Deployment, Kind::StatefulSet, Kind::DaemonSet, Kind::VolumeAttachment];
        ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// One object, and which one: a later object of the same name is another.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Object {
    pub kind: Kind,
    /// Empty for objects of the cluster.
    pub namespace: String,
    pub name: String,
    pub uid: String,
}

impl Object {
    /// Returns the object that metadata describe; `None` where they do not say which one it is.
    pub fn of(kind: Kind, meta: &ObjectMeta) -> Option<Self> {
        Some(Self {
            kind,
            namespace: meta.namespace.clone().unwrap_or_default(),
            name: meta.name.clone()?,
            uid: meta.uid.clone().filter(|uid| !uid.is_empty())?,
        })
    }

    /// Returns the namespace; `None` for an object of the cluster.
    pub fn namespace(&self) -> Option<&str> {
        Some(self.namespace.as_str()).filter(|namespace| !namespace.is_empty())
    }
}

impl fmt::Display for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.namespace() {
            Some(namespace) => write!(f, "{} {namespace}/{}", self.kind.word(), self.name),
            None => write!(f, "{} {}", self.kind.word(), self.name),
        }
    }
}
