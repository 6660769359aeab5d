//! Modals as people see them: what one holds, and sending it off or closing it.

use serde_json::{Value, json};

use super::blocks::{self, Surface};
use super::deliver::Kind;
use super::people::Acknowledged;
use super::refusal::Refusal;
use super::state::View;
use super::{Workspace, ids};

/// Slack takes no larger view.
const VIEW_TOTAL: usize = 250_000;

/// Checks a view against Slack's limits and returns it with the fields that Slack adds.
pub fn accepted_view(view: Option<Value>, kind: &str) -> Result<Value, Refusal> {
    let Some(mut view) = view.filter(Value::is_object) else { return Err("invalid_arguments".into()) };
    let invalid = |what: &str| {
        let message = format!("[ERROR] {what}");
        Refusal::from("invalid_arguments").with("response_metadata", json!({"messages": [message]}))
    };
    if view["type"] != kind {
        return Err(invalid("must be a valid enum value [json-pointer:/view/type]"));
    }
    if view.to_string().len() > VIEW_TOTAL {
        return Err("view_too_large".into());
    }
    let length = |value: &Value| value.as_str().map_or(0, |text| text.chars().count());
    for field in ["title", "submit", "close"] {
        let text = length(&view[field]["text"]);
        if text > 24 {
            return Err(invalid(&format!("must be less than 25 characters [json-pointer:/view/{field}/text]")));
        }
        if field == "title" && kind == "modal" && text == 0 {
            return Err(invalid("missing required field: title [json-pointer:/view]"));
        }
    }
    for (field, most) in [("private_metadata", 3_000), ("callback_id", 255), ("external_id", 255)] {
        if length(&view[field]) > most {
            return Err(invalid(&format!("must be less than {} characters [json-pointer:/view/{field}]", most + 1)));
        }
    }
    let has_input = view["blocks"].as_array().into_iter().flatten().any(|block| block["type"] == "input");
    if has_input && kind == "modal" && view.get("submit").is_none() {
        return Err(invalid("missing required field: submit [json-pointer:/view]"));
    }
    view["blocks"] = blocks::accept(&view["blocks"], Surface::View).map_err(|mut refusal| {
        refusal.code = "invalid_arguments".into();
        refusal
    })?;
    Ok(view)
}

impl Workspace {
    /// Returns the view object Slack makes of a view.
    pub(super) fn view_json(&self, mut view: Value) -> Value {
        let id = ids::fresh("V");
        let fields = json!({
            "id": id, "team_id": ids::TEAM, "state": {"values": {}}, "hash": format!("{}.{}",
            ids::now_micros() / 1_000_000, &ids::random_hex()[..8]), "root_view_id": id, "previous_view_id": null,
            "app_id": ids::APP, "bot_id": ids::BOT, "app_installed_team_id": ids::TEAM,
        });
        for (field, value) in fields.as_object().into_iter().flatten() {
            view[field] = value.clone();
        }
        for (field, value) in [
            ("private_metadata", json!("")),
            ("callback_id", json!("")),
            ("external_id", json!("")),
            ("clear_on_close", json!(false)),
            ("notify_on_close", json!(false)),
            ("submit", Value::Null),
            ("close", Value::Null),
        ] {
            if view.get(field).is_none() {
                view[field] = value;
            }
        }
        view
    }

    /// Returns the modals somebody has open, the lowest first.
    pub fn views_of(&self, user: &str) -> Vec<Value> {
        self.state().views.values().filter(|view| view.user == user).map(|view| view.json.clone()).collect()
    }

    /// Sends a modal off with its values (`{block_id: {action_id: {…}}}`) and does what the answer says.
    ///
    /// # Errors
    ///
    /// `view_not_found`, `operation_timeout`, `dispatch_failed`.
    pub async fn submit_view(&self, user: &str, view_id: &str, values: Value) -> Result<Acknowledged, Refusal> {
        let payload = {
            let mut state = self.state();
            let person = state.users.get(user).ok_or("user_not_found")?.clone();
            let view = state.views.get_mut(view_id).filter(|view| view.user == user).ok_or("view_not_found")?;
            view.json["state"] = json!({"values": values});
            let json = view.json.clone();
            self.view_payload(&mut state, &person, &json, "view_submission")
        };
        let ack = self.ask(Kind::Interactive, &payload).await?;
        self.act_on(user, view_id, ack.payload.as_ref());
        Ok(ack)
    }

    /// Closes a modal; the app hears of it if it wants to.
    ///
    /// # Errors
    ///
    /// `view_not_found`, `operation_timeout`, `dispatch_failed`.
    pub async fn close_view(&self, user: &str, view_id: &str) -> Result<(), Refusal> {
        let payload = {
            let mut state = self.state();
            let person = state.users.get(user).ok_or("user_not_found")?.clone();
            let view = state.views.remove(view_id).filter(|view| view.user == user).ok_or("view_not_found")?;
            let wanted = view.json["notify_on_close"] == true;
            wanted.then(|| self.view_payload(&mut state, &person, &view.json, "view_closed"))
        };
        self.changed("");
        match payload {
            Some(payload) => self.ask(Kind::Interactive, &payload).await.map(|_| ()),
            None => Ok(()),
        }
    }

    fn act_on(&self, user: &str, view_id: &str, answer: Option<&Value>) {
        let mut state = self.state();
        let action = answer.and_then(|answer| answer["response_action"].as_str()).unwrap_or("close");
        let given = answer.map(|answer| answer["view"].clone()).unwrap_or_default();
        match action {
            // The modal stays, with the messages under its inputs.
            "errors" => {
                if let (Some(view), Some(answer)) = (state.views.get_mut(view_id), answer) {
                    view.json["errors"] = answer["errors"].clone();
                }
            }
            "clear" => state.views.retain(|_, view| view.user != user),
            "update" | "push" => {
                if let Ok(view) = accepted_view(Some(given), "modal") {
                    if action == "update" {
                        state.views.remove(view_id);
                    }
                    let json = self.view_json(view);
                    let id = json["id"].as_str().unwrap_or("").to_owned();
                    state.views.insert(id, View { user: user.to_owned(), json });
                }
            }
            _ => drop(state.views.remove(view_id)),
        }
        drop(state);
        self.changed("");
    }
}
