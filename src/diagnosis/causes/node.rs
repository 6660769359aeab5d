//! Causes of phase `node`.

use crate::diagnosis::cause::Cause;

pub static CAUSES: &[&Cause] = &[];
