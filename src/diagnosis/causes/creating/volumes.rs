//! The claims of a pod, their volumes, and where those are attached.

use crate::facts::{Evidence, Facts};
use k8s_openapi::api::core::v1::{PersistentVolume, PersistentVolumeClaim};
use k8s_openapi::api::storage::v1::VolumeAttachment;

/// A claim of the pod with what it is bound to, as far as it was read.
#[derive(Debug, Clone)]
pub struct Claim<'w> {
    /// The volume's name in the pod.
    pub volume: &'w str,
    pub claim: String,
    pub object: Option<&'w PersistentVolumeClaim>,
    /// The PersistentVolume's name, from the claim.
    pub bound_to: Option<&'w str>,
    pub bound: Option<&'w PersistentVolume>,
}

/// Returns the claims of the pod; a generic ephemeral volume's claim is named after pod and volume.
pub fn claims<'w>(facts: &Facts<'w>) -> Vec<Claim<'w>> {
    let Some(pod) = facts.pod() else { return Vec::new() };
    let volumes = pod.spec().and_then(|spec| spec.volumes.as_ref());
    volumes
        .into_iter()
        .flatten()
        .filter_map(|volume| {
            let claim = match (&volume.persistent_volume_claim, &volume.ephemeral) {
                (Some(source), _) => source.claim_name.clone(),
                (None, Some(_)) => format!("{}-{}", pod.name(), volume.name),
                (None, None) => return None,
            };
            let object = facts.world.claims.get(pod.namespace(), &claim).present();
            let bound_to =
                object.and_then(|claim| claim.spec.as_ref()?.volume_name.as_deref()).filter(|name| !name.is_empty());
            let bound = bound_to.and_then(|name| facts.world.volumes.get("", name).present());
            Some(Claim { volume: &volume.name, claim, object, bound_to, bound })
        })
        .collect()
}

impl Claim<'_> {
    /// Returns true where only one node may use it at a time, by the claim's or the volume's access modes.
    pub fn one_node_only(&self) -> bool {
        let of_claim = self.object.and_then(|claim| claim.spec.as_ref()?.access_modes.as_ref());
        let modes = of_claim.or_else(|| self.bound.and_then(|volume| volume.spec.as_ref()?.access_modes.as_ref()));
        modes.is_some_and(|modes| modes.iter().all(|mode| mode.starts_with("ReadWriteOnce")))
    }

    /// Returns true where the volume must be attached to a node before it is mounted; `None` = not known.
    pub fn needs_attach(&self, facts: &Facts<'_>) -> Option<bool> {
        let spec = self.bound?.spec.as_ref()?;
        if let Some(csi) = &spec.csi {
            let driver = facts.world.csi_drivers.get("", &csi.driver).present()?;
            return Some(driver.spec.attach_required != Some(false));
        }
        Some(
            spec.aws_elastic_block_store.is_some()
                || spec.gce_persistent_disk.is_some()
                || spec.azure_disk.is_some()
                || spec.cinder.is_some()
                || spec.vsphere_volume.is_some(),
        )
    }

    /// Returns the CSI driver's name.
    pub fn driver(&self) -> Option<&str> {
        self.bound?.spec.as_ref()?.csi.as_ref().map(|csi| csi.driver.as_str())
    }
}

/// Returns the attachments of a volume that were seen.
pub fn attachments<'w>(facts: &Facts<'w>, volume: &str) -> Vec<&'w VolumeAttachment> {
    let of_volume =
        |attachment: &&VolumeAttachment| attachment.spec.source.persistent_volume_name.as_deref() == Some(volume);
    facts.world.volume_attachments.seen().filter(of_volume).collect()
}

/// Returns true where the volume is attached.
pub fn is_attached(attachment: &VolumeAttachment) -> bool {
    attachment.status.as_ref().is_some_and(|status| status.attached)
}

/// Returns an attachment's state as evidence.
pub fn attachment_evidence(attachment: &VolumeAttachment) -> Evidence {
    let name = attachment.metadata.name.as_deref().unwrap_or_default();
    let node = &attachment.spec.node_name;
    let status = attachment.status.as_ref();
    let error = status.and_then(|status| status.attach_error.as_ref().or(status.detach_error.as_ref()));
    let (mut quote, mut at) = (format!("node {node}, attached: {}", is_attached(attachment)), None);
    if let Some(error) = error {
        quote.push_str(", ");
        quote.push_str(error.message.as_deref().unwrap_or_default());
        at = error.time.as_ref().map(|t| t.0);
    }
    if let Some(deleted) = &attachment.metadata.deletion_timestamp {
        quote.push_str(", is being deleted");
        at = at.or(Some(deleted.0));
    }
    Evidence::field(format!("volumeattachment {name}.status"), quote, at)
}
