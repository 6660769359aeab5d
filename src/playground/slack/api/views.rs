//! `views.*`: modals that a `trigger_id` opens, and the Home tab.

use serde_json::{Value, json};

use super::args::Args;
use super::{Reply, Workspace};
use crate::playground::slack::ids;
use crate::playground::slack::refusal::Refusal;
use crate::playground::slack::state::{State, View};
use crate::playground::slack::views::accepted_view;

impl Workspace {
    pub(super) fn views_open(&self, args: &Args, push: bool) -> Reply {
        let view = accepted_view(args.json("view").map_err(|_| Refusal::from("invalid_arguments"))?, "modal")?;
        let mut state = self.state();
        let trigger_id = args.need("trigger_id", "invalid_trigger_id")?;
        let trigger = state.triggers.get_mut(&trigger_id).ok_or("invalid_trigger_id")?;
        if trigger.used {
            return Err("exchanged_trigger_id".into());
        }
        if trigger.issued.elapsed() > self.config().trigger_lifetime {
            return Err("expired_trigger_id".into());
        }
        trigger.used = true;
        let user = trigger.user.clone();
        let below = state.views.values().filter(|view| view.user == user).count();
        if push && below >= 3 {
            return Err("push_limit_reached".into());
        }
        if !push {
            state.views.retain(|_, view| view.user != user);
        }
        let json = self.opened_view(&mut state, &user, view);
        drop(state);
        self.changed("");
        Ok(json!({"view": json}))
    }

    pub(super) fn views_update(&self, args: &Args) -> Reply {
        let view = accepted_view(args.json("view").map_err(|_| Refusal::from("invalid_arguments"))?, "modal")?;
        let mut state = self.state();
        let external = args.text("external_id");
        let wanted = args.text("view_id");
        let id = state.views.iter().find_map(|(id, view)| {
            let by_external = external.is_some() && view.json["external_id"].as_str() == external.as_deref();
            (wanted.as_ref() == Some(id) || by_external).then(|| id.clone())
        });
        let id = id.ok_or("not_found")?;
        let current = state.views.get_mut(&id).ok_or("not_found")?;
        if args.text("hash").is_some_and(|hash| current.json["hash"] != hash.as_str()) {
            return Err("hash_conflict".into());
        }
        for (field, value) in view.as_object().into_iter().flatten() {
            current.json[field] = value.clone();
        }
        current.json["hash"] = json!(format!("{}.{}", ids::now_micros() / 1_000_000, &ids::random_hex()[..8]));
        let json = current.json.clone();
        drop(state);
        self.changed("");
        Ok(json!({"view": json}))
    }

    pub(super) fn views_publish(&self, args: &Args) -> Reply {
        let view = accepted_view(args.json("view").map_err(|_| Refusal::from("invalid_arguments"))?, "home")?;
        let mut state = self.state();
        let user = args.need("user_id", "user_not_found")?;
        if !state.users.contains_key(user.as_str()) {
            return Err("user_not_found".into());
        }
        let json = self.view_json(view);
        state.homes.insert(user.clone(), View { user, json: json.clone() });
        drop(state);
        self.changed("");
        Ok(json!({"view": json}))
    }

    fn opened_view(&self, state: &mut State, user: &str, view: Value) -> Value {
        let json = self.view_json(view);
        let id = json["id"].as_str().unwrap_or("").to_owned();
        state.views.insert(id, View { user: user.to_owned(), json: json.clone() });
        json
    }
}
