//! Finalizers: who set them, and by what words that owner's workloads are found.

/// Whoever takes a finalizer off when it has cleaned up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// How people call it.
    pub name: String,
    /// Where it runs.
    pub home: Home,
    /// What its workloads have in their names, in lower case; empty where it runs none in the cluster.
    pub words: Vec<String>,
    /// The API group that its own objects are of, where the finalizer names one.
    pub group: Option<String>,
}

/// Where the owner of a finalizer runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Home {
    /// In kube-controller-manager.
    ControllerManager,
    /// In a workload of the cluster.
    Workload,
    /// Outside: a cloud's own control plane, which no cluster shows.
    Cloud,
}

/// What is known of a finalizer that starts so: who owns it, where that runs, and what it is found by.
type Known = (&'static str, &'static str, Home, &'static [&'static str]);

const KNOWN: &[Known] = &[
    (
        "batch.kubernetes.io/job-tracking",
        "the Job controller (kube-controller-manager)",
        Home::ControllerManager,
        &["kube-controller-manager"],
    ),
    (
        "foregroundDeletion",
        "the garbage collector (kube-controller-manager)",
        Home::ControllerManager,
        &["kube-controller-manager"],
    ),
    (
        "orphan",
        "the garbage collector (kube-controller-manager)",
        Home::ControllerManager,
        &["kube-controller-manager"],
    ),
    (
        "kubernetes.io/pvc-protection",
        "the volume protection (kube-controller-manager)",
        Home::ControllerManager,
        &["kube-controller-manager"],
    ),
    (
        "kubernetes.io/pv-protection",
        "the volume protection (kube-controller-manager)",
        Home::ControllerManager,
        &["kube-controller-manager"],
    ),
    ("kueue.x-k8s.io/", "Kueue", Home::Workload, &["kueue"]),
    ("workflows.argoproj.io/", "Argo Workflows", Home::Workload, &["workflow-controller", "argo-workflows"]),
    ("juicefs.com/", "the JuiceFS CSI driver", Home::Workload, &["juicefs"]),
    ("kubevirt.io/", "KubeVirt", Home::Workload, &["virt-controller", "virt-operator"]),
    ("controller.cattle.io/", "Rancher", Home::Workload, &["rancher", "cattle"]),
    ("wrangler.cattle.io/", "Rancher", Home::Workload, &["rancher", "cattle"]),
    (
        "service.kubernetes.io/load-balancer-cleanup",
        "the service controller of the cloud",
        Home::Cloud,
        &["cloud-controller-manager"],
    ),
    ("karpenter.sh/", "Karpenter", Home::Workload, &["karpenter"]),
    ("vpcresources.k8s.aws/", "the AWS VPC resource controller", Home::Cloud, &["vpc-resource-controller"]),
    ("finalizers.kubeflow.org/", "Kubeflow", Home::Workload, &["kubeflow", "training-operator"]),
    ("sparkoperator.k8s.io/", "the Spark operator", Home::Workload, &["spark-operator"]),
    ("ray.io/", "KubeRay", Home::Workload, &["kuberay"]),
    ("external-attacher/", "the CSI driver's attacher", Home::Workload, &["csi"]),
    ("external-provisioner.volume.kubernetes.io/", "the CSI driver's provisioner", Home::Workload, &["csi"]),
];

/// Parts of a domain that name nobody.
const NOBODY: &[&str] =
    &["finalizer", "finalizers", "controller", "controllers", "operator", "k8s", "kubernetes", "www"];

/// Returns who owns a finalizer: as known, else whoever its domain names.
pub fn owner(finalizer: &str) -> Owner {
    let domain = finalizer.split('/').next().unwrap_or(finalizer);
    // The part before the slash is an API group where it looks like one.
    let group = (finalizer.contains('/') && domain.contains('.')).then(|| domain.to_owned());
    if let Some((_, name, home, words)) = KNOWN.iter().find(|(start, ..)| finalizer.starts_with(start)) {
        let words = words.iter().map(|word| (*word).to_owned()).collect();
        return Owner { name: (*name).to_owned(), home: *home, words, group };
    }
    let word = domain.split('.').find(|part| !NOBODY.contains(part)).unwrap_or(domain);
    Owner { name: format!("the controller of {domain}"), home: Home::Workload, words: vec![word.to_lowercase()], group }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_owner_is_who_the_domain_names() {
        let backup = owner("backup.example.com/cleanup");
        assert_eq!(backup.words, ["backup"]);
        assert_eq!(backup.group.as_deref(), Some("backup.example.com"));
        assert_eq!(owner("finalizers.acme.io/x").words, ["acme"]);
        assert_eq!(owner("foregroundDeletion").group, None);
        assert_eq!(owner("kueue.x-k8s.io/managed").name, "Kueue");
    }
}
