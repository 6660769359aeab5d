//! Causes of phase `creating`.

use crate::diagnosis::cause::Cause;

pub static CAUSES: &[&Cause] = &[];
