//! Causes of phase `creating`: on a node, and volumes, sandbox or containers do not come up.

mod cgroup_leak;
mod cni_failure;
mod config_key_missing;
mod configmap_missing;
mod container_config_error;
mod container_disk_full;
mod controller_manager_down;
mod init_container_waiting;
mod memory_fragmentation;
mod memory_limit_too_small;
mod pod_ip_exhausted;
mod references;
mod runtime_class_missing;
mod sandbox_create_failed;
mod secret_missing;
pub(super) mod step;
mod subpath_stale_mount;
mod volume_attach_failed;
mod volume_mount_failed;
mod volume_multi_attach;
mod volumes;

use crate::diagnosis::cause::Cause;

pub static CAUSES: &[&Cause] = &[
    &controller_manager_down::CAUSE,
    &memory_limit_too_small::CAUSE,
    &container_disk_full::CAUSE,
    &cgroup_leak::CAUSE,
    &memory_fragmentation::CAUSE,
    &runtime_class_missing::CAUSE,
    &pod_ip_exhausted::CAUSE,
    &cni_failure::CAUSE,
    &configmap_missing::CAUSE,
    &secret_missing::CAUSE,
    &config_key_missing::CAUSE,
    &volume_multi_attach::CAUSE,
    &volume_attach_failed::CAUSE,
    &volume_mount_failed::CAUSE,
    &subpath_stale_mount::CAUSE,
    &container_config_error::CAUSE,
    &sandbox_create_failed::CAUSE,
    &init_container_waiting::CAUSE,
];
