//! Watching: when a pod counts as stuck, and what becomes of it as an incident. Pure: time is an argument.
//!
//! ```text
//! pods, nodes ─► state (sick pods only, a deadline each) ─► due? ─► diagnosis ─► book (incidents) ─► what to say
//! ```

pub mod book;
pub mod incident;
pub mod scope;
pub mod silence;
pub mod state;
pub mod stuck;
pub mod threshold;

#[cfg(test)]
mod tests;
