//! From a diagnosis to a plan that a person can confirm: the very change, what it skips, and how far it has come.
//!
//! Nothing here acts. A [`Recipe`] makes typed [`Step`]s from facts; a [`Proposal`] goes from proposed to done by pure
//! transitions; [`confirm`] alone makes the [`Confirmed`] without which nothing is written.
//!
//! ```text
//! facts ─► recipes ─► Plan ─► Proposal ─(approved by n)─► executing ─► Confirmed ─► cluster::write
//!                                └► cancelled, expired        └► succeeded, failed
//! ```

pub mod confirm;
pub mod object;
pub mod patch;
pub mod plan;
pub mod proposal;
pub mod recipe;
pub mod recipes;
pub mod rights;

pub use confirm::Confirmed;
pub use object::{Kind, Object};
pub use patch::Operation;
pub use plan::{Change, Note, Plan, Right, Step, Weight};
pub use proposal::{Person, Progress, Proposal, State};
pub use recipe::{Recipe, Scene};
