//! Causes of phase `none`: nothing is wrong, or not yet.

use crate::diagnosis::cause::Cause;

pub mod completed;
pub mod healthy;
mod standing;
pub mod waiting_normally;
mod waits;

pub static CAUSES: &[&Cause] = &[&completed::CAUSE, &waiting_normally::CAUSE, &healthy::CAUSE];
