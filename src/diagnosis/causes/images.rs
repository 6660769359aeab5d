//! Causes of phase `images`.

use crate::diagnosis::cause::Cause;

pub static CAUSES: &[&Cause] = &[];
