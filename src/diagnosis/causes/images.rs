//! Causes of phase `images`: why an image is not on the node, or cannot be used there.

mod image_corrupt;
mod image_name_invalid;
mod image_never_pull;
mod image_not_found;
mod image_platform_mismatch;
mod image_pull_queued;
mod image_pull_timeout;
pub(super) mod pull;
mod registry_auth_failed;
mod registry_ca_untrusted;
mod registry_http_not_insecure;
mod registry_rate_limited;
mod registry_unreachable;

use crate::diagnosis::cause::Cause;

pub static CAUSES: &[&Cause] = &[
    &image_name_invalid::CAUSE,
    &image_never_pull::CAUSE,
    &image_platform_mismatch::CAUSE,
    &image_corrupt::CAUSE,
    &registry_rate_limited::CAUSE,
    &registry_http_not_insecure::CAUSE,
    &registry_ca_untrusted::CAUSE,
    &registry_auth_failed::CAUSE,
    &image_not_found::CAUSE,
    &registry_unreachable::CAUSE,
    &image_pull_timeout::CAUSE,
    &image_pull_queued::CAUSE,
];
