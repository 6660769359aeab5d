//! The rules for what stands inside blocks: buttons, selects, inputs, dialogs, images.

use serde_json::{Map, Value};

use super::{Check, Kinds};

/// The kinds of select and input that carry an `action_id` and a placeholder.
const CHOOSERS: &[&str] = &[
    "static_select",
    "multi_static_select",
    "external_select",
    "multi_external_select",
    "users_select",
    "multi_users_select",
    "conversations_select",
    "multi_conversations_select",
    "channels_select",
    "multi_channels_select",
    "datepicker",
    "timepicker",
    "datetimepicker",
    "plain_text_input",
    "number_input",
    "email_text_input",
    "url_text_input",
    "rich_text_input",
    "file_input",
];

impl Check {
    /// Checks an interactive element.
    pub(super) fn element(&mut self, element: &Value, at: &str) {
        let Some(object) = element.as_object() else { return self.problem(at, "expected an object".to_owned()) };
        let Some(kind) = self.kind(object, at) else { return };
        self.optional_string(object, at, "action_id", 255);
        if let Some(confirm) = object.get("confirm") {
            self.confirm(confirm, &format!("{at}/confirm"));
        }
        match kind {
            "button" => self.button(object, at),
            "overflow" => self.each(object, at, "options", 1, 5, Check::option),
            "radio_buttons" | "checkboxes" => {
                self.each(object, at, "options", 1, 10, Check::option);
            }
            "static_select" | "multi_static_select" => {
                self.optional_text_object(object, at, "placeholder", 150, Kinds::Plain);
                if object.contains_key("option_groups") {
                    self.each(object, at, "option_groups", 1, 100, |check, group, at| {
                        if let Some(group) = group.as_object() {
                            check.text_object(group, at, "label", 75, Kinds::Plain);
                            check.each(group, at, "options", 1, 100, Check::option);
                        }
                    });
                } else {
                    self.each(object, at, "options", 1, 100, Check::option);
                }
            }
            "workflow_button" | "feedback_buttons" | "icon_button" => {}
            chooser if CHOOSERS.contains(&chooser) => {
                self.optional_text_object(object, at, "placeholder", 150, Kinds::Plain);
            }
            other => self.problem(&format!("{at}/type"), format!("unsupported type: {other}")),
        }
    }

    fn button(&mut self, object: &Map<String, Value>, at: &str) {
        let allowed =
            ["type", "text", "action_id", "url", "value", "style", "confirm", "accessibility_label", "agent_prompt"];
        self.only(object, at, &allowed);
        self.text_object(object, at, "text", 75, Kinds::Plain);
        self.optional_string(object, at, "url", 3_000);
        self.optional_string(object, at, "value", 2_000);
        self.optional_string(object, at, "accessibility_label", 75);
        self.style(object, at);
    }

    fn style(&mut self, object: &Map<String, Value>, at: &str) {
        if let Some(style) = object.get("style")
            && !matches!(style.as_str(), Some("primary" | "danger"))
        {
            self.problem(&format!("{at}/style"), "must be a valid enum value".to_owned());
        }
    }

    fn option(&mut self, option: &Value, at: &str) {
        let Some(object) = option.as_object() else { return self.problem(at, "expected an object".to_owned()) };
        self.text_object(object, at, "text", 75, Kinds::Any);
        self.string(object, at, "value", 150);
        self.optional_text_object(object, at, "description", 75, Kinds::Any);
    }

    fn confirm(&mut self, confirm: &Value, at: &str) {
        let Some(object) = confirm.as_object() else { return self.problem(at, "expected an object".to_owned()) };
        self.only(object, at, &["title", "text", "confirm", "deny", "style"]);
        self.text_object(object, at, "title", 100, Kinds::Plain);
        self.text_object(object, at, "text", 300, Kinds::Any);
        self.text_object(object, at, "confirm", 30, Kinds::Plain);
        self.text_object(object, at, "deny", 30, Kinds::Plain);
        self.style(object, at);
    }

    /// Checks what may stand in a context block: text or a small image.
    pub(super) fn context_element(&mut self, element: &Value, at: &str) {
        match element["type"].as_str() {
            Some("image") => self.image_element(element, at),
            _ => self.text(element, at, 3_000, Kinds::Any),
        }
    }

    pub(super) fn image_element(&mut self, element: &Value, at: &str) {
        let Some(object) = element.as_object() else { return };
        if !object.contains_key("slack_file") {
            self.string(object, at, "image_url", 3_000);
        }
        self.string(object, at, "alt_text", 2_000);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::{Surface, accept};

    fn errors(element: Value) -> Value {
        let blocks = json!([{"type": "actions", "elements": [element]}]);
        accept(&blocks, Surface::Message).map_or_else(|refusal| refusal.extra["errors"].clone(), |_| json!([]))
    }

    fn button(text: &str, more: Value) -> Value {
        let mut button = json!({"type": "button", "action_id": "a", "text": {"type": "plain_text", "text": text}});
        button.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        button
    }

    #[test]
    fn buttons_have_limits() {
        assert_eq!(errors(button("Go", json!({"value": "x".repeat(2_000), "style": "danger"}))), json!([]));
        assert_eq!(
            errors(button(&"x".repeat(76), json!({}))),
            json!(["must be less than 76 characters [json-pointer:/blocks/0/elements/0/text/text]"])
        );
        assert_eq!(
            errors(button("Go", json!({"value": "x".repeat(2_001)}))),
            json!(["must be less than 2001 characters [json-pointer:/blocks/0/elements/0/value]"])
        );
        assert_eq!(
            errors(button("Go", json!({"style": "green"}))),
            json!(["must be a valid enum value [json-pointer:/blocks/0/elements/0/style]"])
        );
        assert_eq!(
            errors(button("Go", json!({"colour": "green"}))),
            json!(["invalid additional property: colour [json-pointer:/blocks/0/elements/0]"])
        );
    }

    #[test]
    fn a_confirm_dialog_needs_all_its_texts() {
        let confirm = json!({"title": {"type": "plain_text", "text": "Sure?"}});
        let errors = errors(button("Go", json!({"confirm": confirm})));
        assert_eq!(errors.as_array().unwrap().len(), 3);
    }

    #[test]
    fn options_are_short() {
        let options: Vec<Value> =
            (0..6).map(|n| json!({"text": {"type": "plain_text", "text": "x"}, "value": n.to_string()})).collect();
        assert_eq!(
            errors(json!({"type": "overflow", "action_id": "a", "options": options})),
            json!(["no more than 5 items allowed [json-pointer:/blocks/0/elements/0/options]"])
        );
    }
}
