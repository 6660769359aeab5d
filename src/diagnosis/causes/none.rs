//! Causes of phase `none`.

use crate::diagnosis::cause::Cause;

pub static CAUSES: &[&Cause] = &[];
