//! Causes of phase `access`.

use crate::diagnosis::cause::Cause;

pub static CAUSES: &[&Cause] = &[];
