//! The kinds of objects that the recorded cluster serves, as one explicit table.

/// One kind of object and the names it goes by in paths and in messages.
#[derive(Debug, PartialEq, Eq)]
pub struct Kind {
    /// Empty for the core group.
    pub group: &'static str,
    pub version: &'static str,
    pub plural: &'static str,
    pub kind: &'static str,
    pub namespaced: bool,
    pub short_names: &'static [&'static str],
}

impl Kind {
    /// Returns `v1` or `apps/v1`.
    pub fn api_version(&self) -> String {
        if self.group.is_empty() { self.version.to_owned() } else { format!("{}/{}", self.group, self.version) }
    }

    /// Returns the name that error messages use: `pods`, `deployments.apps`.
    pub fn qualified(&self) -> String {
        if self.group.is_empty() { self.plural.to_owned() } else { format!("{}.{}", self.plural, self.group) }
    }

    /// Finds a kind by the parts of its path.
    pub fn by_path(group: &str, version: &str, plural: &str) -> Option<&'static Kind> {
        KINDS.iter().find(|kind| kind.group == group && kind.version == version && kind.plural == plural)
    }

    /// Finds a kind by what an object says of itself.
    pub fn by_object(api_version: &str, name: &str) -> Option<&'static Kind> {
        let (group, version) = api_version.rsplit_once('/').unwrap_or(("", api_version));
        KINDS.iter().find(|kind| kind.group == group && kind.version == version && kind.kind == name)
    }

    /// Finds a kind by its bare name; the core group goes first where two share a name.
    pub fn by_name(name: &str) -> Option<&'static Kind> {
        KINDS.iter().find(|kind| kind.kind == name)
    }
}

const fn kind(
    group: &'static str,
    version: &'static str,
    plural: &'static str,
    kind: &'static str,
    namespaced: bool,
    short_names: &'static [&'static str],
) -> Kind {
    Kind { group, version, plural, kind, namespaced, short_names }
}

/// Every kind served, core group first, so that bare names find it before its namesakes.
pub static KINDS: &[Kind] = &[
    kind("", "v1", "configmaps", "ConfigMap", true, &["cm"]),
    kind("", "v1", "endpoints", "Endpoints", true, &["ep"]),
    kind("", "v1", "events", "Event", true, &["ev"]),
    kind("", "v1", "limitranges", "LimitRange", true, &["limits"]),
    kind("", "v1", "namespaces", "Namespace", false, &["ns"]),
    kind("", "v1", "nodes", "Node", false, &["no"]),
    kind("", "v1", "persistentvolumeclaims", "PersistentVolumeClaim", true, &["pvc"]),
    kind("", "v1", "persistentvolumes", "PersistentVolume", false, &["pv"]),
    kind("", "v1", "pods", "Pod", true, &["po"]),
    kind("", "v1", "replicationcontrollers", "ReplicationController", true, &["rc"]),
    kind("", "v1", "resourcequotas", "ResourceQuota", true, &["quota"]),
    kind("", "v1", "secrets", "Secret", true, &[]),
    kind("", "v1", "serviceaccounts", "ServiceAccount", true, &["sa"]),
    kind("", "v1", "services", "Service", true, &["svc"]),
    kind(
        "admissionregistration.k8s.io",
        "v1",
        "mutatingwebhookconfigurations",
        "MutatingWebhookConfiguration",
        false,
        &[],
    ),
    kind(
        "admissionregistration.k8s.io",
        "v1",
        "validatingwebhookconfigurations",
        "ValidatingWebhookConfiguration",
        false,
        &[],
    ),
    kind("apps", "v1", "daemonsets", "DaemonSet", true, &["ds"]),
    kind("apps", "v1", "deployments", "Deployment", true, &["deploy"]),
    kind("apps", "v1", "replicasets", "ReplicaSet", true, &["rs"]),
    kind("apps", "v1", "statefulsets", "StatefulSet", true, &["sts"]),
    kind("batch", "v1", "cronjobs", "CronJob", true, &["cj"]),
    kind("batch", "v1", "jobs", "Job", true, &[]),
    kind("certificates.k8s.io", "v1", "certificatesigningrequests", "CertificateSigningRequest", false, &["csr"]),
    kind("coordination.k8s.io", "v1", "leases", "Lease", true, &[]),
    kind("discovery.k8s.io", "v1", "endpointslices", "EndpointSlice", true, &[]),
    kind("events.k8s.io", "v1", "events", "Event", true, &["ev"]),
    kind("node.k8s.io", "v1", "runtimeclasses", "RuntimeClass", false, &[]),
    kind("policy", "v1", "poddisruptionbudgets", "PodDisruptionBudget", true, &["pdb"]),
    kind("resource.k8s.io", "v1", "deviceclasses", "DeviceClass", false, &[]),
    kind("resource.k8s.io", "v1", "resourceclaims", "ResourceClaim", true, &[]),
    kind("resource.k8s.io", "v1", "resourceclaimtemplates", "ResourceClaimTemplate", true, &[]),
    kind("resource.k8s.io", "v1", "resourceslices", "ResourceSlice", false, &[]),
    kind("scheduling.k8s.io", "v1", "priorityclasses", "PriorityClass", false, &["pc"]),
    kind("storage.k8s.io", "v1", "csidrivers", "CSIDriver", false, &[]),
    kind("storage.k8s.io", "v1", "csinodes", "CSINode", false, &[]),
    kind("storage.k8s.io", "v1", "csistoragecapacities", "CSIStorageCapacity", true, &[]),
    kind("storage.k8s.io", "v1", "storageclasses", "StorageClass", false, &["sc"]),
    kind("storage.k8s.io", "v1", "volumeattachments", "VolumeAttachment", false, &[]),
];
