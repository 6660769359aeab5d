//! The house rules, held by tests: who may import what, no orphan files, no stale pages, every setting explained.

mod deploy;
mod docs;
pub mod generated;
mod imports;
mod manifest;
mod settings;
pub mod source;
mod style;
mod writing;
