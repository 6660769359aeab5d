//! Causes of phase `stopping`.

use crate::diagnosis::cause::Cause;

pub static CAUSES: &[&Cause] = &[];
