//! The rights that podoctor needs for the remedies that are on, as a ClusterRole of their own.

use super::recipes;
use crate::diagnosis::Remedy;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

/// What is asked of Kubernetes about people.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Asks {
    /// A SubjectAccessReview about whoever confirms.
    pub reviews: bool,
    /// The change is sent in their name.
    pub impersonates: bool,
}

/// Returns the manifest of a ClusterRole with just the rights of these remedies; `None` = they need none.
///
/// Where the change is sent in a person's name, that person needs the rights, and podoctor may only impersonate.
pub fn cluster_role(remedies: &BTreeSet<Remedy>, asks: Asks) -> Option<String> {
    if remedies.is_empty() {
        return None;
    }
    let mut rules: BTreeMap<(&str, &str), BTreeSet<&str>> = BTreeMap::new();
    let mut add = |group, resource, verb| rules.entry((group, resource)).or_default().insert(verb);
    if asks.impersonates {
        add("", "users", "impersonate");
    } else {
        let recipes = recipes::ALL.iter().filter(|recipe| remedies.contains(&recipe.remedy));
        for (group, resource, verbs) in recipes.flat_map(|recipe| recipe.grants) {
            for verb in *verbs {
                add(group, resource, verb);
            }
        }
    }
    // Before and after each change an Event is left on the object.
    add("", "events", "create");
    if asks.reviews {
        add("authorization.k8s.io", "subjectaccessreviews", "create");
    }
    let ids: Vec<&str> = remedies.iter().map(|remedy| remedy.id()).collect();
    let mut out = format!(
        "# What podoctor may change, made from the remedies that are on: {}.\n\
         apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata:\n  name: podoctor-remedies\nrules:\n",
        ids.join(", ")
    );
    for ((group, resource), verbs) in rules {
        let verbs: Vec<&str> = verbs.into_iter().collect();
        let _ = writeln!(
            out,
            "  - apiGroups: [\"{group}\"]\n    resources: [\"{resource}\"]\n    verbs: [{}]",
            verbs.join(", ")
        );
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_remedy_brings_its_own_rights_and_no_other() {
        let asks = Asks { reviews: true, impersonates: false };
        let one = cluster_role(&[Remedy::RemoveFinalizers].into(), asks).expect("some");
        assert!(
            one.contains("resources: [\"pods\"]\n    verbs: [patch]") && one.contains("subjectaccessreviews"),
            "{one}"
        );
        assert!(!one.contains("delete") && !one.contains("nodes") && !one.contains("deployments"), "{one}");
        let all = cluster_role(&Remedy::ALL.into(), asks).expect("some");
        assert!(!all.contains('*') && !all.contains("secrets") && !all.contains("impersonate"), "{all}");
        let named = cluster_role(&Remedy::ALL.into(), Asks { reviews: true, impersonates: true }).expect("some");
        assert!(named.contains("impersonate") && !named.contains("patch"), "{named}");
        assert_eq!(cluster_role(&BTreeSet::new(), asks), None);
    }
}
