//! The rules for rich text: sections, lists, quotes, preformatted text, and what stands in their lines.

use serde_json::{Map, Value};

use super::Check;

impl Check {
    /// Checks a `rich_text` block.
    pub(super) fn rich_text(&mut self, object: &Map<String, Value>, at: &str) {
        self.only(object, at, &["type", "block_id", "elements"]);
        self.each(object, at, "elements", 0, usize::MAX, Check::rich_element);
    }

    fn rich_element(&mut self, element: &Value, at: &str) {
        let Some(object) = element.as_object() else { return self.problem(at, "expected an object".to_owned()) };
        let Some(kind) = self.kind(object, at) else { return };
        match kind {
            "rich_text_section" | "rich_text_quote" => self.inlines(object, at, false),
            "rich_text_preformatted" => {
                self.only(object, at, &["type", "elements", "border", "language"]);
                self.inlines(object, at, true);
            }
            "rich_text_list" => {
                if !matches!(object.get("style").and_then(Value::as_str), Some("bullet" | "ordered")) {
                    self.problem(&format!("{at}/style"), "must be a valid enum value".to_owned());
                }
                if object.get("indent").and_then(Value::as_u64).is_some_and(|indent| indent > 8) {
                    self.problem(&format!("{at}/indent"), "must be less than 9".to_owned());
                }
                self.each(object, at, "elements", 0, usize::MAX, |check, item, at| match item["type"].as_str() {
                    Some("rich_text_section") => check.rich_element(item, at),
                    other => {
                        let other = other.unwrap_or("none").to_owned();
                        check.problem(&format!("{at}/type"), format!("unsupported type: {other}"));
                    }
                });
            }
            other => self.problem(&format!("{at}/type"), format!("unsupported type: {other}")),
        }
    }

    fn inlines(&mut self, object: &Map<String, Value>, at: &str, literal: bool) {
        self.each(object, at, "elements", 0, usize::MAX, |check, element, at| check.inline(element, at, literal));
    }

    /// `literal`: in preformatted text only text and links may stand.
    fn inline(&mut self, element: &Value, at: &str, literal: bool) {
        let Some(object) = element.as_object() else { return self.problem(at, "expected an object".to_owned()) };
        let Some(kind) = self.kind(object, at) else { return };
        let required: &[&str] = match kind {
            "text" => &["text"],
            "link" => &["url"],
            _ if literal => {
                return self.problem(&format!("{at}/type"), format!("unsupported type: {kind}"));
            }
            "user" => &["user_id"],
            "usergroup" => &["usergroup_id"],
            "channel" => &["channel_id"],
            "emoji" => &["name"],
            "broadcast" => &["range"],
            "color" => &["value"],
            "team" => &["team_id"],
            "date" => {
                if !object.get("timestamp").is_some_and(Value::is_number) {
                    self.problem(at, "missing required field: timestamp".to_owned());
                }
                &["format"]
            }
            other => return self.problem(&format!("{at}/type"), format!("unsupported type: {other}")),
        };
        for field in required {
            self.string(object, at, field, usize::MAX - 1);
        }
        if let Some(style) = object.get("style")
            && !style.is_object()
        {
            self.problem(&format!("{at}/style"), "expected an object".to_owned());
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::{Surface, accept};

    fn errors(elements: Value) -> Value {
        let blocks = json!([{"type": "rich_text", "elements": elements}]);
        accept(&blocks, Surface::Message).map_or_else(|refusal| refusal.extra["errors"].clone(), |_| json!([]))
    }

    #[test]
    fn literal_text_holds_no_mentions() {
        let text = json!({"type": "text", "text": "<!channel>"});
        assert_eq!(errors(json!([{"type": "rich_text_preformatted", "elements": [text]}])), json!([]));
        let user = json!({"type": "user", "user_id": "U0ALICE"});
        assert_eq!(
            errors(json!([{"type": "rich_text_preformatted", "elements": [user]}])),
            json!(["unsupported type: user [json-pointer:/blocks/0/elements/0/elements/0/type]"])
        );
    }

    #[test]
    fn lists_hold_sections() {
        let section = json!({"type": "rich_text_section", "elements": [{"type": "text", "text": "a"}]});
        assert_eq!(errors(json!([{"type": "rich_text_list", "style": "bullet", "elements": [section]}])), json!([]));
        let quote = json!({"type": "rich_text_quote", "elements": []});
        assert_eq!(
            errors(json!([{"type": "rich_text_list", "style": "dots", "elements": [quote]}])),
            json!([
                "must be a valid enum value [json-pointer:/blocks/0/elements/0/style]",
                "unsupported type: rich_text_quote [json-pointer:/blocks/0/elements/0/elements/0/type]"
            ])
        );
    }

    #[test]
    fn empty_text_is_refused() {
        let empty = json!({"type": "text", "text": ""});
        assert_eq!(
            errors(json!([{"type": "rich_text_section", "elements": [empty]}])),
            json!(["must be more than 0 characters [json-pointer:/blocks/0/elements/0/elements/0/text]"])
        );
    }
}
