//! The catalogue: every cause, one file each, listed by phase.
//!
//! The order matters only among findings that are equally sure and do not explain each other: what stands earlier
//! leads. So it goes from what overrules the pod's own report (a lost node) to what is told last (nothing is wrong).

pub mod access;
pub mod admission;
pub mod crashing;
pub mod creating;
pub mod images;
pub mod node;
pub mod none;
pub mod probes;
pub mod scheduling;
pub mod stopping;

use super::cause::Cause;

/// Returns every cause in the order of the catalogue.
pub fn all() -> impl Iterator<Item = &'static Cause> {
    [
        node::CAUSES,
        stopping::CAUSES,
        admission::CAUSES,
        scheduling::CAUSES,
        creating::CAUSES,
        images::CAUSES,
        crashing::CAUSES,
        probes::CAUSES,
        access::CAUSES,
        none::CAUSES,
    ]
    .into_iter()
    .flatten()
    .copied()
}

/// Returns the cause of an id.
pub fn by_id(id: &str) -> Option<&'static Cause> {
    all().find(|cause| cause.id == id)
}
