//! The list of remedies, the safest first.

mod remove_finalizers;

use super::recipe::Recipe;
use crate::diagnosis::Remedy;

/// Every remedy, the safest first: of several that a cause calls for, the first is proposed.
pub static ALL: &[&Recipe] = &[&remove_finalizers::RECIPE];

/// Returns the recipe of a remedy; `None` = not there yet.
pub fn of(remedy: Remedy) -> Option<&'static Recipe> {
    ALL.iter().copied().find(|recipe| recipe.remedy == remedy)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn no_remedy_has_two_recipes() {
        let ids: BTreeSet<&str> = ALL.iter().map(|recipe| recipe.remedy.id()).collect();
        assert_eq!(ids.len(), ALL.len());
    }
}
