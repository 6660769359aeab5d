//! Messages of kubelet, scheduler, runtimes, CSI, CNI and registries, read into enums in one place.
//!
//! Wordings differ by version and runtime; each reading knows them all and names its source. Nothing here decides.

pub mod kernel;
pub mod runtime;
pub mod text;
