//! The integration tests, one binary: a module a topic.

#![expect(clippy::disallowed_methods, reason = "tests read files, and run what they test in real time")]

mod cases;
mod corpora;
mod custom_causes;
mod flows;
mod house;
mod install;
mod pasted;
mod plane;
mod plane_works;
mod robust;
#[cfg(feature = "try")]
mod recorded_cluster;
#[cfg(feature = "try")]
mod slack_front;
#[cfg(feature = "try")]
mod trying;
