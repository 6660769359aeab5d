//! The list of remedies, the safest first.

mod cordon_node;
mod delete_failed_pods;
mod delete_volume_attachment;
mod force_delete_pod;
mod mark_node_out_of_service;
mod node;
mod ownership;
mod raise_memory_limit;
mod remove_finalizers;
mod restart_pod;
mod restart_rollout;
mod resume_rollout;
mod uncordon_node;
mod undo_rollout;
mod workload;

use super::recipe::Recipe;
use crate::diagnosis::Remedy;

/// Every remedy, the safest first: of several that a cause calls for, the first is proposed.
pub static ALL: &[&Recipe] = &[
    &delete_failed_pods::RECIPE,
    &restart_pod::RECIPE,
    &resume_rollout::RECIPE,
    &undo_rollout::RECIPE,
    &raise_memory_limit::RECIPE,
    &restart_rollout::RECIPE,
    &uncordon_node::RECIPE,
    &cordon_node::RECIPE,
    &remove_finalizers::RECIPE,
    &delete_volume_attachment::RECIPE,
    &force_delete_pod::RECIPE,
    &mark_node_out_of_service::RECIPE,
];

/// Returns the recipe of a remedy.
pub fn of(remedy: Remedy) -> &'static Recipe {
    ALL.iter().copied().find(|recipe| recipe.remedy == remedy).expect("a test holds that every remedy has its recipe")
}

#[cfg(test)]
mod tests;

#[cfg(test)]
mod whole {
    use super::*;

    #[test]
    fn every_remedy_has_its_recipe() {
        let mut ids: Vec<&str> = ALL.iter().map(|recipe| recipe.remedy.id()).collect();
        ids.sort_unstable();
        let mut all: Vec<&str> = Remedy::ALL.iter().map(|remedy| remedy.id()).collect();
        all.sort_unstable();
        assert_eq!(ids, all);
    }
}
