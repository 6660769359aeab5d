//! Causes of phase `admission`.

use crate::diagnosis::cause::Cause;

pub static CAUSES: &[&Cause] = &[];
