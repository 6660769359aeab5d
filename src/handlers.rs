//! One file a thing that happens; each takes what it uses and returns what to say.

pub mod clusters;
mod home;
pub mod answers;
pub mod ask;
pub mod status;
pub mod quiet;
pub mod questions;
pub mod respond;
pub mod watching;
pub mod remedying;

pub use clusters::Clusters;
