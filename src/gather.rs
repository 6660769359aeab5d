//! From a target to facts: live from the API, or from files. What cannot be read becomes unreadable.

#[expect(clippy::disallowed_methods, reason = "the rim: reading files is what it is for")]
pub mod files;
pub mod live;
pub mod pasted;
mod needs;
mod reader;
mod scan;
pub mod snapshot;
pub mod around;
pub mod bundle;
