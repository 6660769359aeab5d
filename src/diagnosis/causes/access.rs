//! Causes of phase `access`: the pod may be well, but logs and exec do not reach it.

use crate::diagnosis::cause::Cause;
use crate::facts::reading::log_error::{self, LogError};
use crate::facts::{ContainerView, Evidence, Facts, PodView};

pub mod kubelet_authorization_denied;
pub mod kubelet_cert_error;
pub mod kubelet_port_unreachable;

pub static CAUSES: &[&Cause] =
    &[&kubelet_cert_error::CAUSE, &kubelet_authorization_denied::CAUSE, &kubelet_port_unreachable::CAUSE];

/// A log call that failed on the way to the kubelet.
pub struct FailedCall<'w> {
    pub container: ContainerView<'w>,
    pub text: &'w str,
    pub error: LogError<'w>,
}

impl FailedCall<'_> {
    /// Returns the API's own words as evidence.
    pub fn evidence(&self) -> Evidence {
        Evidence::field(format!("log call for container {}", self.container.name()), self.text.trim(), None)
    }
}

/// Returns the failed log calls of a pod that tell something of the way to its kubelet.
pub fn failed_calls<'w>(facts: &Facts<'w>, pod: PodView<'w>) -> impl Iterator<Item = FailedCall<'w>> + use<'w> {
    let world = facts.world;
    pod.containers().filter_map(move |container| {
        let text = container.log(world)?.error.as_deref()?;
        let error = log_error::read(text);
        let tells = !matches!(error, LogError::Normal(_) | LogError::CallerForbidden | LogError::Other);
        tells.then_some(FailedCall { container, text, error })
    })
}
