//! Paths of the API for the kinds that podoctor reads, and nothing beyond: this list is what the ClusterRole grants.

use std::fmt::Write;

/// A resource of the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Resource {
    Pods,
    Events,
    Nodes,
    Namespaces,
    PersistentVolumeClaims,
    PersistentVolumes,
    ResourceQuotas,
    LimitRanges,
    ServiceAccounts,
    Deployments,
    ReplicaSets,
    ControllerRevisions,
    StatefulSets,
    DaemonSets,
    ReplicationControllers,
    Jobs,
    CronJobs,
    StorageClasses,
    VolumeAttachments,
    CsiNodes,
    CsiDrivers,
    Leases,
    RuntimeClasses,
    PriorityClasses,
    ValidatingWebhooks,
    MutatingWebhooks,
    CertificateSigningRequests,
    ResourceClaims,
    ResourceClaimTemplates,
    /// Of Volcano; absent where that is not installed.
    PodGroups,
    /// Of Volcano; absent where that is not installed.
    Queues,
}

impl Resource {
    /// Every resource that is ever read.
    pub const ALL: &[Self] = &[
        Self::Pods,
        Self::Events,
        Self::Nodes,
        Self::Namespaces,
        Self::PersistentVolumeClaims,
        Self::PersistentVolumes,
        Self::ResourceQuotas,
        Self::LimitRanges,
        Self::ServiceAccounts,
        Self::Deployments,
        Self::ReplicaSets,
        Self::ControllerRevisions,
        Self::StatefulSets,
        Self::DaemonSets,
        Self::ReplicationControllers,
        Self::Jobs,
        Self::CronJobs,
        Self::StorageClasses,
        Self::VolumeAttachments,
        Self::CsiNodes,
        Self::CsiDrivers,
        Self::Leases,
        Self::RuntimeClasses,
        Self::PriorityClasses,
        Self::ValidatingWebhooks,
        Self::MutatingWebhooks,
        Self::CertificateSigningRequests,
        Self::ResourceClaims,
        Self::ResourceClaimTemplates,
        Self::PodGroups,
        Self::Queues,
    ];

    /// What is watched for alerts; both are in the core group.
    pub const WATCHED: &[Self] = &[Self::Pods, Self::Nodes];

    /// Returns API group, version, plural name and kind.
    pub fn parts(self) -> (&'static str, &'static str, &'static str, &'static str) {
        match self {
            Self::Pods => ("", "v1", "pods", "Pod"),
            Self::Events => ("", "v1", "events", "Event"),
            Self::Nodes => ("", "v1", "nodes", "Node"),
            Self::Namespaces => ("", "v1", "namespaces", "Namespace"),
            Self::PersistentVolumeClaims => ("", "v1", "persistentvolumeclaims", "PersistentVolumeClaim"),
            Self::PersistentVolumes => ("", "v1", "persistentvolumes", "PersistentVolume"),
            Self::ResourceQuotas => ("", "v1", "resourcequotas", "ResourceQuota"),
            Self::LimitRanges => ("", "v1", "limitranges", "LimitRange"),
            Self::ServiceAccounts => ("", "v1", "serviceaccounts", "ServiceAccount"),
            Self::ReplicationControllers => ("", "v1", "replicationcontrollers", "ReplicationController"),
            Self::Deployments => ("apps", "v1", "deployments", "Deployment"),
            Self::ReplicaSets => ("apps", "v1", "replicasets", "ReplicaSet"),
            Self::ControllerRevisions => ("apps", "v1", "controllerrevisions", "ControllerRevision"),
            Self::StatefulSets => ("apps", "v1", "statefulsets", "StatefulSet"),
            Self::DaemonSets => ("apps", "v1", "daemonsets", "DaemonSet"),
            Self::Jobs => ("batch", "v1", "jobs", "Job"),
            Self::CronJobs => ("batch", "v1", "cronjobs", "CronJob"),
            Self::StorageClasses => ("storage.k8s.io", "v1", "storageclasses", "StorageClass"),
            Self::VolumeAttachments => ("storage.k8s.io", "v1", "volumeattachments", "VolumeAttachment"),
            Self::CsiNodes => ("storage.k8s.io", "v1", "csinodes", "CSINode"),
            Self::CsiDrivers => ("storage.k8s.io", "v1", "csidrivers", "CSIDriver"),
            Self::Leases => ("coordination.k8s.io", "v1", "leases", "Lease"),
            Self::RuntimeClasses => ("node.k8s.io", "v1", "runtimeclasses", "RuntimeClass"),
            Self::PriorityClasses => ("scheduling.k8s.io", "v1", "priorityclasses", "PriorityClass"),
            Self::ValidatingWebhooks => (
                "admissionregistration.k8s.io",
                "v1",
                "validatingwebhookconfigurations",
                "ValidatingWebhookConfiguration",
            ),
            Self::MutatingWebhooks => {
                ("admissionregistration.k8s.io", "v1", "mutatingwebhookconfigurations", "MutatingWebhookConfiguration")
            }
            Self::CertificateSigningRequests => {
                ("certificates.k8s.io", "v1", "certificatesigningrequests", "CertificateSigningRequest")
            }
            Self::ResourceClaims => ("resource.k8s.io", "v1", "resourceclaims", "ResourceClaim"),
            Self::ResourceClaimTemplates => {
                ("resource.k8s.io", "v1", "resourceclaimtemplates", "ResourceClaimTemplate")
            }
            Self::PodGroups => ("scheduling.volcano.sh", "v1beta1", "podgroups", "PodGroup"),
            Self::Queues => ("scheduling.volcano.sh", "v1beta1", "queues", "Queue"),
        }
    }

    /// Returns true where the API is an add-on's own: a server that does not serve it has no such objects.
    ///
    /// Kubernetes' own kinds may be served in another version instead, which says nothing of their objects.
    pub fn is_add_on(self) -> bool {
        matches!(self, Self::PodGroups | Self::Queues)
    }

    /// Returns the versions in which older servers serve the same, the newest first.
    pub fn older(self) -> &'static [&'static str] {
        match self {
            // 1.33; 1.32; 1.31.
            Self::ResourceClaims | Self::ResourceClaimTemplates => &["v1beta2", "v1beta1", "v1alpha3"],
            _ => &[],
        }
    }

    /// Returns a path of this resource in another version of its API.
    pub fn in_version(self, path: &str, version: &str) -> String {
        let (group, present, ..) = self.parts();
        path.replacen(&format!("/apis/{group}/{present}/"), &format!("/apis/{group}/{version}/"), 1)
    }

    /// Returns the resource that holds objects of a kind.
    pub fn of_kind(kind: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|resource| resource.parts().3 == kind)
    }

    /// Returns the path of one object; `namespace` is empty for cluster objects.
    pub fn object(self, namespace: &str, name: &str) -> String {
        format!("{}/{}", self.collection(namespace), escaped(name))
    }

    /// Returns the path of a collection; an empty namespace is all of the cluster.
    pub fn collection(self, namespace: &str) -> String {
        let (group, version, plural, _) = self.parts();
        let mut path = if group.is_empty() { format!("/api/{version}") } else { format!("/apis/{group}/{version}") };
        if !namespace.is_empty() {
            let _ = write!(path, "/namespaces/{}", escaped(namespace));
        }
        let _ = write!(path, "/{plural}");
        path
    }

    /// Returns the path of a list with selectors and a page size.
    pub fn list(self, namespace: &str, query: &[(&str, &str)]) -> String {
        let mut path = self.collection(namespace);
        for (i, (name, value)) in query.iter().enumerate() {
            let _ = write!(path, "{}{name}={}", if i == 0 { '?' } else { '&' }, escaped(value));
        }
        path
    }
}

/// Returns the path of the end of a container's log. `lines` and `bytes` bound what is sent.
pub fn log(namespace: &str, pod: &str, container: &str, previous: bool, lines: u32, bytes: u32) -> String {
    let previous = if previous { "&previous=true" } else { "" };
    format!(
        "{}/log?container={}&tailLines={lines}&limitBytes={bytes}{previous}",
        Resource::Pods.object(namespace, pod),
        escaped(container)
    )
}

/// Escapes everything that is not unreserved in a URL: names come from people.
fn escaped(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>().replace('+', "%20")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_older_version_has_the_same_path() {
        let path = Resource::ResourceClaims.object("ml", "gpu");
        assert_eq!(
            Resource::ResourceClaims.in_version(&path, "v1beta1"),
            "/apis/resource.k8s.io/v1beta1/namespaces/ml/resourceclaims/gpu"
        );
    }

    #[test]
    fn builds_paths() {
        assert_eq!(Resource::Pods.object("prod", "web-1"), "/api/v1/namespaces/prod/pods/web-1");
        assert_eq!(Resource::Nodes.collection(""), "/api/v1/nodes");
        assert_eq!(
            Resource::Events.list("prod", &[("fieldSelector", "involvedObject.name=web-1"), ("limit", "50")]),
            "/api/v1/namespaces/prod/events?fieldSelector=involvedObject.name%3Dweb-1&limit=50"
        );
        assert_eq!(Resource::Pods.object("a/../b", "x?y"), "/api/v1/namespaces/a%2F..%2Fb/pods/x%3Fy");
    }
}
