//! `users.*` and `usergroups.*`.

use serde_json::{Value, json};

use super::args::Args;
use super::conversations::paged;
use super::{Reply, Workspace};
use crate::playground::slack::ids;

impl Workspace {
    pub(super) fn users_info(&self, args: &Args) -> Reply {
        let state = self.state();
        let user = state.users.get(args.need("user", "user_not_found")?.as_str()).ok_or("user_not_found")?;
        Ok(json!({"user": user.json(self.may_see_email())}))
    }

    pub(super) fn users_list(&self, args: &Args) -> Reply {
        let state = self.state();
        let members = state.users.values().map(|user| user.json(self.may_see_email())).collect();
        let (page, next) = paged(members, args, 1_000)?;
        let now = ids::now_micros() / 1_000_000;
        Ok(json!({"members": page, "cache_ts": now, "response_metadata": {"next_cursor": next}}))
    }

    pub(super) fn users_by_email(&self, args: &Args) -> Reply {
        let email = args.need("email", "users_not_found")?;
        let state = self.state();
        let found = state.users.values().find(|user| user.email.is_some_and(|own| own.eq_ignore_ascii_case(&email)));
        Ok(json!({"user": found.ok_or("users_not_found")?.json(true)}))
    }

    pub(super) fn usergroups_list(&self, args: &Args) -> Value {
        let state = self.state();
        let users: Vec<&String> = state.oncall.iter().collect();
        let mut group = json!({
            "id": ids::ONCALL, "team_id": ids::TEAM, "is_usergroup": true, "is_subteam": true, "name": "On call",
            "description": "", "handle": "oncall", "is_external": false, "date_create": 1_700_000_000,
            "date_update": 1_700_000_000, "date_delete": 0, "auto_type": null, "auto_provision": false,
            "created_by": ids::ALICE, "updated_by": ids::ALICE, "deleted_by": null,
            "prefs": {"channels": [], "groups": []}, "user_count": users.len(),
        });
        if args.flag("include_users") {
            group["users"] = json!(users);
        }
        json!({"usergroups": [group]})
    }

    pub(super) fn usergroups_users(&self, args: &Args) -> Reply {
        if args.need("usergroup", "no_such_subteam")? != ids::ONCALL {
            return Err("no_such_subteam".into());
        }
        let users: Vec<Value> = self.state().oncall.iter().map(|user| json!(user)).collect();
        Ok(json!({"users": users}))
    }

    /// Sets who is in the user group `oncall`, of which the app hears.
    pub fn set_oncall(&self, users: &[&str]) {
        let members: std::collections::BTreeSet<String> = users.iter().map(|user| (*user).to_owned()).collect();
        let before = std::mem::replace(&mut self.state().oncall, members.clone());
        let added: Vec<&String> = members.difference(&before).collect();
        let removed: Vec<&String> = before.difference(&members).collect();
        let now = ids::now_micros() / 1_000_000;
        let event = json!({"type": "subteam_members_changed", "subteam_id": ids::ONCALL, "team_id": ids::TEAM,
            "date_previous_update": now, "date_update": now, "added_users": added, "added_users_count": added.len(),
            "removed_users": removed, "removed_users_count": removed.len(), "event_ts": ids::ts(ids::now_micros())});
        self.emit(event, None);
    }

    fn may_see_email(&self) -> bool {
        self.config().scopes.contains("users:read.email")
    }
}
