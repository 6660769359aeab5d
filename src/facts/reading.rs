//! Messages of kubelet, scheduler, runtimes, CSI, CNI and registries, read into enums in one place.
//!
//! Wordings differ by version and runtime; each reading knows them all and names its source. Nothing here decides.

pub mod admission;
pub mod app_log;
pub mod exit;
pub mod image;
pub mod kernel;
pub mod listening;
pub mod log_error;
pub mod mount;
pub mod places;
pub mod probe;
pub mod progress;
pub mod runtime;
pub mod sandbox;
pub mod scheduler;
pub mod shell;
pub mod text;

#[cfg(test)]
mod samples;
