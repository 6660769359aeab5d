//! Messages of kubelet, scheduler, runtimes, CSI, CNI and registries, read into enums in one place.
//!
//! Wordings differ by version and runtime; each reading knows them all and names its source. Nothing here decides.

pub mod image;
pub mod kernel;
pub mod mount;
pub mod progress;
pub mod runtime;
pub mod sandbox;
pub mod text;
pub mod log_error;
pub mod app_log;
pub mod exit;
pub mod listening;
pub mod probe;
pub mod admission;
pub mod scheduler;
