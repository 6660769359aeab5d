//! Who may ask, act and approve. Pure: people and groups come in, a decision comes out; what cannot be decided is refused.

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

/// What somebody is in the workspace, as the chat says at this moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    Member,
    Guest,
    Stranger,
    /// A bot, or somebody who was deleted.
    Nobody,
    /// The chat did not say; why.
    Unknown(String),
}

/// What a person wants to do to a remedy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Propose, confirm, withdraw.
    Act,
    /// Confirm what several people must confirm.
    Approve,
}

/// Why a person is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// They belong to another workspace.
    Stranger,
    /// No rule lets them ask about this.
    NotAllowed { who_may: Vec<String> },
    /// Guests change nothing.
    Guest,
    /// Neither do bots and deleted people.
    Nobody,
    /// Whether they may could not be found out.
    Unsure { why: String },
    /// No rule lets them change this.
    MayNotChange { who_may: Vec<String> },
    /// Kubernetes does not let them; `user` is who they are there.
    Kubernetes { user: String, right: String },
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

/// Decides whether a person may propose, confirm or withdraw a change in all these namespaces of a cluster (`None` = of an
/// object of the cluster).
///
/// # Errors
/// Says why they may not.
pub fn may_change(
    access: &Access,
    own_team: &str,
    (who, standing): (&Who, &Standing),
    role: Role,
    cluster: &str,
    namespaces: &[Option<&str>],
) -> Result<(), Refusal> {
    if who.team.as_deref().is_some_and(|team| team != own_team) {
        return Err(Refusal::Stranger);
    }
    match standing {
        Standing::Member => {}
        Standing::Guest => return Err(Refusal::Guest),
        Standing::Stranger => return Err(Refusal::Stranger),
        Standing::Nobody => return Err(Refusal::Nobody),
        Standing::Unknown(why) => return Err(Refusal::Unsure { why: why.clone() }),
    }
    let approvers: &[Grant] = if role == Role::Approve { &access.approve } else { &[] };
    let grants: Vec<&Grant> = access.act.iter().chain(approvers).collect();
    let everywhere = |person: &dyn Fn(&Grant, Option<&str>) -> bool| {
        !namespaces.is_empty() && namespaces.iter().all(|ns| grants.iter().any(|grant| person(grant, *ns)))
    };
    if everywhere(&|grant, namespace| covers(grant, who, cluster, namespace)) {
        return Ok(());
    }
    let here = grants.iter().filter(|grant| namespaces.iter().all(|ns| reaches(grant, cluster, *ns)));
    Err(Refusal::MayNotChange { who_may: people(here.copied()) })
}

/// Returns the groups that the rules for acting and approving name.
pub fn groups_for_changing(access: &Access) -> Vec<&str> {
    access.act.iter().chain(&access.approve).flat_map(|grant| grant.groups.iter().map(String::as_str)).collect()
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
    named && reaches(grant, cluster, namespace)
}

/// Tells whether a grant holds for a namespace of a cluster, whoever is meant.
fn reaches(grant: &Grant, cluster: &str, namespace: Option<&str>) -> bool {
    let cluster = grant.clusters.is_empty() || grant.clusters.iter().any(|p| pattern::matches(p, cluster));
    let namespace = match namespace {
        _ if grant.namespaces.is_empty() => true,
        Some(namespace) => grant.namespaces.iter().any(|p| pattern::matches(p, namespace)),
        // All namespaces at once, or an object of the cluster: only where all are granted.
        None => grant.namespaces.iter().any(|p| p == "*"),
    };
    cluster && namespace
}

fn people<'g>(grants: impl IntoIterator<Item = &'g Grant>) -> Vec<String> {
    let mut people: Vec<String> =
        grants.into_iter().flat_map(|grant| grant.users.iter().chain(&grant.groups).cloned()).collect();
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

    fn changing(who: &Who, standing: Standing, role: Role, namespaces: &[Option<&str>]) -> Result<(), Refusal> {
        let act = Grant {
            users: vec!["U0ALICE".into()],
            groups: vec!["S0ONCALL".into()],
            namespaces: vec!["team-*".into()],
            ..Grant::default()
        };
        let approve = Grant { users: vec!["U0BOB".into()], ..Grant::default() };
        let access = Access { act: vec![act], approve: vec![approve], ..Settings::default().access };
        may_change(&access, "T0TEAM", (who, &standing), role, "prod", namespaces)
    }

    #[test]
    fn only_members_named_by_a_rule_change_anything() {
        let (alice, bob) = (who("U0ALICE", Some("T0TEAM")), who("U0BOB", Some("T0TEAM")));
        let here = [Some("team-a")];
        assert_eq!(changing(&alice, Standing::Member, Role::Act, &here), Ok(()));
        let refused = changing(&bob, Standing::Member, Role::Act, &here);
        assert_eq!(refused, Err(Refusal::MayNotChange { who_may: vec!["S0ONCALL".into(), "U0ALICE".into()] }));
        assert_eq!(changing(&bob, Standing::Member, Role::Approve, &here), Ok(()));
        let in_group = Who { groups: vec!["S0ONCALL".into()], ..who("U0CAROL", Some("T0TEAM")) };
        assert_eq!(changing(&in_group, Standing::Member, Role::Act, &here), Ok(()));
        for (standing, refusal) in [
            (Standing::Guest, Refusal::Guest),
            (Standing::Stranger, Refusal::Stranger),
            (Standing::Nobody, Refusal::Nobody),
            (Standing::Unknown("ratelimited".into()), Refusal::Unsure { why: "ratelimited".into() }),
        ] {
            assert_eq!(changing(&alice, standing, Role::Act, &here), Err(refusal));
        }
        let elsewhere = who("U0ALICE", Some("T0OTHER"));
        assert_eq!(changing(&elsewhere, Standing::Member, Role::Act, &here), Err(Refusal::Stranger));
    }

    #[test]
    fn a_change_must_be_granted_everywhere_it_reaches() {
        let alice = who("U0ALICE", Some("T0TEAM"));
        for namespaces in [&[Some("team-a"), Some("prod")][..], &[None], &[]] {
            assert!(changing(&alice, Standing::Member, Role::Act, namespaces).is_err(), "{namespaces:?}");
        }
        // Two rules may reach it together.
        let bob = who("U0BOB", Some("T0TEAM"));
        assert_eq!(changing(&bob, Standing::Member, Role::Approve, &[Some("team-a"), None]), Ok(()));
    }
}
