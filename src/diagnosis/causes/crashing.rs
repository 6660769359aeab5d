//! Causes of phase `crashing`.

use crate::diagnosis::cause::Cause;

pub static CAUSES: &[&Cause] = &[];
