//! Causes of phase `scheduling`.

use crate::diagnosis::cause::Cause;

pub static CAUSES: &[&Cause] = &[];
