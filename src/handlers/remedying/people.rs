//! Who may: the rules of the settings first, then Kubernetes itself. What cannot be found out is refused.

use super::{Asked, Remedying};
use crate::access::{self, Refusal, Role, Standing, Who};
use crate::chat::front::Front;
use crate::cluster::Cluster;
use crate::remedy::plan::{Plan, Right};
use crate::remedy::proposal::Person;
use crate::settings::{RemedyRule, SubjectSource, pattern};
use crate::store::Store;
use futures_util::future::join_all;
use std::time::Duration;

impl<F: Front + 'static, S: Store + 'static> Remedying<F, S> {
    /// Decides whether somebody may do something about a plan, by the rules; everything is asked of the chat afresh.
    pub(super) async fn may(&self, asked: &Asked, role: Role, plan: &Plan) -> Result<Person, Refusal> {
        let settings = self.settings.get();
        let id = asked.person.id.clone();
        let (standing, mut who, email) = match self.front.profile(&id).await {
            Err(error) => (Standing::Unknown(error.to_string()), Who::default(), None),
            Ok(profile) => {
                let standing = match &profile {
                    profile if profile.is_stranger => Standing::Stranger,
                    profile if profile.is_bot || profile.is_deleted => Standing::Nobody,
                    profile if profile.is_guest => Standing::Guest,
                    profile if profile.team.as_ref().is_some_and(|team| *team != self.own_team) => Standing::Stranger,
                    _ => Standing::Member,
                };
                (standing, Who { team: asked.person.team.clone().or(profile.team), ..Who::default() }, profile.email)
            }
        };
        who.id.clone_from(&id);
        who.channel.clone_from(&asked.message.channel);
        if standing == Standing::Member {
            for group in access::groups_for_changing(&settings.access) {
                // A group that cannot be read grants nothing.
                let members = self.front.members(group, Duration::ZERO).await;
                if members.is_ok_and(|members| members.contains(&id)) {
                    who.groups.push(group.to_owned());
                }
            }
        }
        let namespaces = plan.namespaces();
        access::may_change(&settings.access, &self.own_team, (&who, &standing), role, &plan.cluster, &namespaces)?;
        let user = match settings.access.kubernetes.subject {
            SubjectSource::None => None,
            SubjectSource::Email => Some(email.ok_or_else(|| {
                Refusal::Unsure {
                    why: "the chat does not tell your e-mail address, by which Kubernetes would know you \
                      (access.kubernetes.subject)"
                        .to_owned(),
                }
            })?),
        };
        Ok(Person { id, user })
    }

    /// Asks Kubernetes whether it lets a person do every step of a plan.
    pub(super) async fn kubernetes_lets(&self, cluster: &Cluster, person: &Person, plan: &Plan) -> Result<(), Refusal> {
        let Some(user) = &person.user else { return Ok(()) };
        let rights = plan.rights();
        let all: Vec<_> = rights.iter().map(|right| cluster.may(user, right)).collect();
        let answers = join_all(all).await;
        for (right, answer) in rights.iter().zip(answers) {
            match answer {
                Ok(true) => {}
                Ok(false) => return Err(Refusal::Kubernetes { user: user.clone(), right: words(right) }),
                Err(error) => return Err(Refusal::Unsure { why: error.to_string() }),
            }
        }
        Ok(())
    }

    /// Returns how many people must confirm a plan, where the settings allow it in every namespace that it touches.
    pub(super) fn approvals_needed(&self, plan: &Plan) -> Option<u32> {
        let settings = self.settings.get();
        let fits = |rule: &&RemedyRule, namespace: Option<&str>| {
            rule.remedy == plan.remedy
                && pattern::covers(&rule.clusters, &plan.cluster)
                && match namespace {
                    Some(namespace) => pattern::covers(&rule.namespaces, namespace),
                    // An object of the cluster is in none: only a rule for all of them takes it in.
                    None => rule.namespaces.is_empty() || rule.namespaces.iter().any(|namespace| namespace == "*"),
                }
        };
        let rules = plan.namespaces().into_iter().map(|ns| settings.remedies.iter().find(|rule| fits(rule, ns)));
        let approvals: Option<Vec<u32>> = rules.map(|rule| rule.map(|rule| rule.approvals.max(1))).collect();
        approvals?.into_iter().max()
    }
}

fn words(right: &Right) -> String {
    let Right { verb, resource, namespace, name, .. } = right;
    if namespace.is_empty() {
        format!("`{verb}` on `{resource}/{name}`")
    } else {
        format!("`{verb}` on `{resource}/{name}` in namespace `{namespace}`")
    }
}
