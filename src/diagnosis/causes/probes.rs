//! Causes of phase `probes`.

use crate::diagnosis::cause::Cause;

pub static CAUSES: &[&Cause] = &[];
