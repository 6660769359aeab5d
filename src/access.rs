//! Who may ask. Pure: people and groups come in, a decision comes out; what cannot be decided is refused.

use crate::settings::pattern;
use crate::settings::{Access, Ask, Grant};

/// A person as the rules see them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Who {
    pub id: String,
    /// The workspace they belong to; `None` where the chat does not say.
    pub team: Option<String>,
    /// The user groups they are in, as far as the rules name any.
    pub groups: Vec<String>,
    /// The conversation in which they ask.
    pub channel: String,
}

/// Why a person is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// They belong to another workspace.
    Stranger,
    /// No rule lets them ask about this.
    NotAllowed { who_may: Vec<String> },
}

/// Decides whether a person may ask about a namespace of a cluster (`None` = about all of it).
///
/// # Errors
/// Says why they may not.
pub fn may_ask(
    access: &Access,
    own_team: &str,
    who: &Who,
    cluster: &str,
    namespace: Option<&str>,
) -> Result<(), Refusal> {
    if who.team.as_deref().is_some_and(|team| team != own_team) {
        return Err(Refusal::Stranger);
    }
    match &access.ask {
        Ask::Everyone(_) => Ok(()),
        Ask::Only(grants) if grants.iter().any(|grant| covers(grant, who, cluster, namespace)) => Ok(()),
        Ask::Only(grants) => Err(Refusal::NotAllowed { who_may: people(grants) }),
    }
}

/// Returns the groups that the rules for asking name, so that only these need to be looked up.
pub fn groups_for_asking(access: &Access) -> Vec<&str> {
    match &access.ask {
        Ask::Everyone(_) => Vec::new(),
        Ask::Only(grants) => grants.iter().flat_map(|grant| grant.groups.iter().map(String::as_str)).collect(),
    }
}

fn covers(grant: &Grant, who: &Who, cluster: &str, namespace: Option<&str>) -> bool {
    let named = grant.users.contains(&who.id)
        || grant.channels.contains(&who.channel)
        || grant.groups.iter().any(|group| who.groups.contains(group));
    let cluster = grant.clusters.is_empty() || grant.clusters.iter().any(|p| pattern::matches(p, cluster));
    let namespace = match namespace {
        _ if grant.namespaces.is_empty() => true,
        Some(namespace) => grant.namespaces.iter().any(|p| pattern::matches(p, namespace)),
        // All namespaces at once: only where all are granted.
        None => grant.namespaces.iter().any(|p| p == "*"),
    };
    named && cluster && namespace
}

fn people(grants: &[Grant]) -> Vec<String> {
    let mut people: Vec<String> =
        grants.iter().flat_map(|grant| grant.users.iter().chain(&grant.groups).cloned()).collect();
    people.sort();
    people.dedup();
    people
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Settings;

    fn who(id: &str, team: Option<&str>) -> Who {
        Who { id: id.into(), team: team.map(str::to_owned), ..Who::default() }
    }

    #[test]
    fn everyone_of_the_workspace_may_ask_and_no_stranger() {
        let access = Settings::default().access;
        assert_eq!(may_ask(&access, "T0TEAM", &who("U0ALICE", Some("T0TEAM")), "prod", None), Ok(()));
        let refused = may_ask(&access, "T0TEAM", &who("U0MALLORY", Some("T0OTHER")), "prod", None);
        assert_eq!(refused, Err(Refusal::Stranger));
    }

    #[test]
    fn a_list_holds_for_its_namespaces_only() {
        let grant = Grant { users: vec!["U0ALICE".into()], namespaces: vec!["team-*".into()], ..Grant::default() };
        let access = Access { ask: Ask::Only(vec![grant]), ..Settings::default().access };
        let alice = who("U0ALICE", Some("T0TEAM"));
        assert_eq!(may_ask(&access, "T0TEAM", &alice, "prod", Some("team-a")), Ok(()));
        assert!(may_ask(&access, "T0TEAM", &alice, "prod", Some("kube-system")).is_err());
        assert!(may_ask(&access, "T0TEAM", &alice, "prod", None).is_err());
        assert!(may_ask(&access, "T0TEAM", &who("U0BOB", Some("T0TEAM")), "prod", Some("team-a")).is_err());
    }
}
