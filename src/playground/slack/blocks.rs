//! Slack's rules for Block Kit: which blocks a message or a view may hold, how long their parts may be.
//!
//! The limits are those of Slack's reference and of its own SDKs (`@slack/types` 3.2, `slack_sdk` 3.47). Kinds of blocks
//! that came after 2025 are known by name and checked for the parts podoctor could use.

mod elements;
mod rich_text;

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::ids;
use super::refusal::Refusal;

/// The whole of a message's blocks as JSON; Slack's own limit is not published, this is where it was seen
/// (github.com/slackapi/bolt-js issue 2509).
const BLOCKS_TOTAL: usize = 13_200;

/// What blocks are for, which decides how many there may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Surface {
    /// At most 50.
    Message,
    /// At most 100.
    View,
}

/// Checks the blocks of a message or a view and returns them as Slack would store them, every block with an id.
pub fn accept(blocks: &Value, surface: Surface) -> Result<Value, Refusal> {
    let Some(list) = blocks.as_array() else { return Err("invalid_blocks_format".into()) };
    let mut check = Check::default();
    check.blocks(list, surface);
    if !check.problems.is_empty() {
        return Err(check.refusal("invalid_blocks"));
    }
    if surface == Surface::Message && blocks.to_string().chars().count() > BLOCKS_TOTAL {
        return Err("msg_blocks_too_long".into());
    }
    Ok(Value::Array(list.iter().cloned().map(completed).collect()))
}

/// Checks blocks for `blocks.validate`, whose answer is more talkative.
pub fn problems(blocks: &Value, surface: Surface, root: &str) -> Vec<Problem> {
    let mut check = Check { root: root.to_owned(), ..Check::default() };
    match blocks.as_array() {
        Some(list) => check.blocks(list, surface),
        None => check.problem("", "expected an array".to_owned()),
    }
    check.problems
}

/// One broken rule and the JSON pointer to where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    pub pointer: String,
    pub message: String,
    pub missing: bool,
}

/// Gathers what is wrong, in the order of the blocks.
#[derive(Default)]
struct Check {
    root: String,
    problems: Vec<Problem>,
    markdown: usize,
    tables: usize,
    charts: usize,
}

impl Check {
    fn problem(&mut self, pointer: &str, message: String) {
        let missing = message.starts_with("missing required field");
        self.problems.push(Problem { pointer: format!("{}{pointer}", self.root), message, missing });
    }

    fn refusal(&self, code: &'static str) -> Refusal {
        let errors: Vec<String> = self
            .problems
            .iter()
            .map(|problem| format!("{} [json-pointer:{}]", problem.message, problem.pointer))
            .collect();
        let messages: Vec<String> = errors.iter().map(|error| format!("[ERROR] {error}")).collect();
        Refusal::coded(code).with("errors", json!(errors)).with("response_metadata", json!({"messages": messages}))
    }

    fn blocks(&mut self, list: &[Value], surface: Surface) {
        if self.root.is_empty() {
            self.root = "/blocks".to_owned();
        }
        let most = if surface == Surface::Message { 50 } else { 100 };
        if list.len() > most {
            self.problem("", format!("no more than {most} items allowed"));
        }
        let mut seen = BTreeSet::new();
        for (index, block) in list.iter().enumerate() {
            let at = format!("/{index}");
            if let Some(id) = block["block_id"].as_str()
                && !seen.insert(id)
            {
                self.problem(&format!("{at}/block_id"), format!("`block_id` {id} already exists"));
            }
            self.block(block, &at);
        }
        if self.markdown > 12_000 {
            self.problem("", "markdown must be less than 12001 characters in all".to_owned());
        }
        if self.tables > 1 {
            self.problem("", "only_one_table_allowed".to_owned());
        }
        if self.charts > 2 {
            self.problem("", "no more than 2 data_visualization blocks allowed".to_owned());
        }
    }

    fn block(&mut self, block: &Value, at: &str) {
        let Some(object) = block.as_object() else {
            return self.problem(at, "expected an object".to_owned());
        };
        self.optional_string(object, at, "block_id", 255);
        let Some(kind) = self.kind(object, at) else { return };
        match kind {
            "section" => self.section(object, at),
            "header" => {
                self.only(object, at, &["type", "block_id", "text", "level"]);
                self.text_object(object, at, "text", 150, Kinds::Plain);
            }
            "divider" => self.only(object, at, &["type", "block_id"]),
            "image" => self.image(object, at),
            "context" => {
                self.only(object, at, &["type", "block_id", "elements"]);
                self.each(object, at, "elements", 1, 10, Check::context_element);
            }
            "actions" => {
                self.only(object, at, &["type", "block_id", "elements"]);
                self.each(object, at, "elements", 1, 25, Check::element);
                self.unique_actions(object, at);
            }
            "input" => {
                self.text_object(object, at, "label", 2_000, Kinds::Plain);
                self.optional_text_object(object, at, "hint", 2_000, Kinds::Plain);
                match object.get("element") {
                    Some(element) => self.element(element, &format!("{at}/element")),
                    None => self.problem(at, "missing required field: element".to_owned()),
                }
            }
            "rich_text" => self.rich_text(object, at),
            "markdown" => {
                self.string(object, at, "text", 12_000);
                self.markdown += object.get("text").and_then(Value::as_str).map_or(0, |text| text.chars().count());
            }
            "table" => {
                self.tables += 1;
                self.each(object, at, "rows", 1, 100, |check, row, at| {
                    let cells = row.as_array().map_or(0, Vec::len);
                    if cells == 0 || cells > 20 {
                        check.problem(at, "must have 1 to 20 cells".to_owned());
                    }
                });
            }
            "data_table" => {
                self.string(object, at, "caption", 3_000);
                self.each(object, at, "rows", 1, 200, |_, _, _| {});
            }
            "data_visualization" => self.charts += 1,
            "alert" => self.text_object(object, at, "text", 200, Kinds::Any),
            "card" => {
                self.optional_text_object(object, at, "title", 150, Kinds::Any);
                self.optional_text_object(object, at, "subtitle", 150, Kinds::Any);
                self.optional_text_object(object, at, "body", 200, Kinds::Any);
            }
            "carousel" => self.each(object, at, "elements", 1, 10, Check::block),
            "container" => {
                let children = if object.contains_key("child_blocks") { "child_blocks" } else { "blocks" };
                self.each(object, at, children, 1, 10, Check::block);
            }
            "context_actions" => self.each(object, at, "elements", 1, 5, |_, _, _| {}),
            "plan" => self.each(object, at, "tasks", 1, 50, |_, _, _| {}),
            "file" | "video" | "task_card" | "layout" => {}
            other => self.problem(&format!("{at}/type"), format!("unsupported type: {other}")),
        }
    }

    fn section(&mut self, object: &Map<String, Value>, at: &str) {
        self.only(object, at, &["type", "block_id", "text", "fields", "accessory", "expand"]);
        self.optional_text_object(object, at, "text", 3_000, Kinds::Any);
        if object.contains_key("fields") {
            self.each(object, at, "fields", 1, 10, |check, field, at| check.text(field, at, 2_000, Kinds::Any));
        } else if !object.contains_key("text") {
            self.problem(at, "missing required field: text".to_owned());
        }
        if let Some(accessory) = object.get("accessory") {
            let at = format!("{at}/accessory");
            match accessory["type"].as_str() {
                Some("image") => self.image_element(accessory, &at),
                _ => self.element(accessory, &at),
            }
        }
    }

    fn image(&mut self, object: &Map<String, Value>, at: &str) {
        if !object.contains_key("slack_file") {
            self.string(object, at, "image_url", 3_000);
        }
        self.string(object, at, "alt_text", 2_000);
        self.optional_text_object(object, at, "title", 2_000, Kinds::Plain);
    }

    fn unique_actions(&mut self, object: &Map<String, Value>, at: &str) {
        let mut seen = BTreeSet::new();
        for (index, element) in object["elements"].as_array().into_iter().flatten().enumerate() {
            if let Some(id) = element["action_id"].as_str()
                && !seen.insert(id)
            {
                let at = format!("{at}/elements/{index}/action_id");
                self.problem(&at, format!("`action_id` \"{id}\" already exists in this block"));
            }
        }
    }

    /// Returns the `type`, or notes that there is none.
    fn kind<'a>(&mut self, object: &'a Map<String, Value>, at: &str) -> Option<&'a str> {
        let kind = object.get("type").and_then(Value::as_str);
        if kind.is_none() {
            self.problem(at, "missing required field: type".to_owned());
        }
        kind
    }

    fn only(&mut self, object: &Map<String, Value>, at: &str, allowed: &[&str]) {
        for field in object.keys().filter(|field| !allowed.contains(&field.as_str())) {
            self.problem(at, format!("invalid additional property: {field}"));
        }
    }

    fn each(
        &mut self,
        object: &Map<String, Value>,
        at: &str,
        field: &str,
        least: usize,
        most: usize,
        check: impl Fn(&mut Self, &Value, &str),
    ) {
        let at = format!("{at}/{field}");
        let Some(list) = object.get(field).and_then(Value::as_array) else {
            return self.problem(&at, format!("missing required field: {field}"));
        };
        if list.len() < least {
            self.problem(&at, format!("no less than {least} items allowed"));
        }
        if list.len() > most {
            self.problem(&at, format!("no more than {most} items allowed"));
        }
        for (index, item) in list.iter().enumerate() {
            check(self, item, &format!("{at}/{index}"));
        }
    }

    fn string(&mut self, object: &Map<String, Value>, at: &str, field: &str, most: usize) {
        match object.get(field) {
            Some(value) => self.string_value(value, &format!("{at}/{field}"), most),
            None => self.problem(at, format!("missing required field: {field}")),
        }
    }

    fn optional_string(&mut self, object: &Map<String, Value>, at: &str, field: &str, most: usize) {
        if let Some(value) = object.get(field) {
            self.string_value(value, &format!("{at}/{field}"), most);
        }
    }

    fn string_value(&mut self, value: &Value, at: &str, most: usize) {
        let Some(text) = value.as_str() else { return self.problem(at, "must be a string".to_owned()) };
        let length = text.chars().count();
        if length == 0 {
            self.problem(at, "must be more than 0 characters".to_owned());
        }
        if length > most {
            self.problem(at, format!("must be less than {} characters", most + 1));
        }
    }

    fn text_object(&mut self, object: &Map<String, Value>, at: &str, field: &str, most: usize, kinds: Kinds) {
        match object.get(field) {
            Some(text) => self.text(text, &format!("{at}/{field}"), most, kinds),
            None => self.problem(at, format!("missing required field: {field}")),
        }
    }

    fn optional_text_object(&mut self, object: &Map<String, Value>, at: &str, field: &str, most: usize, kinds: Kinds) {
        if object.contains_key(field) {
            self.text_object(object, at, field, most, kinds);
        }
    }

    fn text(&mut self, text: &Value, at: &str, most: usize, kinds: Kinds) {
        let Some(object) = text.as_object() else { return self.problem(at, "expected a text object".to_owned()) };
        let Some(kind) = self.kind(object, at) else { return };
        match (kind, kinds) {
            ("plain_text", _) => self.only(object, at, &["type", "text", "emoji"]),
            ("mrkdwn", Kinds::Any) => self.only(object, at, &["type", "text", "verbatim"]),
            (other, _) => return self.problem(&format!("{at}/type"), format!("unsupported type: {other}")),
        }
        self.string(object, at, "text", most);
    }
}

/// Which kinds of text object may stand in a place.
#[derive(Clone, Copy)]
enum Kinds {
    Plain,
    Any,
}

/// Gives a block its id and its text objects the defaults that Slack writes out.
fn completed(mut block: Value) -> Value {
    if block.get("block_id").is_none()
        && let Some(object) = block.as_object_mut()
    {
        object.insert("block_id".to_owned(), json!(ids::random_hex()[..5]));
    }
    defaults(&mut block);
    block
}

fn defaults(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(defaults),
        Value::Object(object) => {
            let kind = object.get("type").and_then(Value::as_str).unwrap_or("").to_owned();
            match kind.as_str() {
                "plain_text" => drop(object.entry("emoji").or_insert(json!(true))),
                "mrkdwn" => drop(object.entry("verbatim").or_insert(json!(false))),
                _ => object.values_mut().for_each(defaults),
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn errors(blocks: Value) -> Vec<String> {
        match accept(&blocks, Surface::Message) {
            Ok(_) => Vec::new(),
            Err(refusal) => serde_json::from_value(refusal.extra["errors"].clone()).unwrap(),
        }
    }

    #[test]
    fn a_plain_message_passes_and_gets_ids() {
        let blocks = json!([
            {"type": "section", "text": {"type": "mrkdwn", "text": "hello"}},
            {"type": "actions", "elements": [
                {"type": "button", "action_id": "a", "text": {"type": "plain_text", "text": "Go"}, "value": "1"}]},
        ]);
        let stored = accept(&blocks, Surface::Message).unwrap();
        assert!(stored[0]["block_id"].is_string());
        assert_eq!(stored[0]["text"]["verbatim"], json!(false));
        assert_eq!(stored[1]["elements"][0]["text"]["emoji"], json!(true));
    }

    #[test]
    fn each_limit_names_its_place() {
        let section = |text: &str| json!({"type": "section", "text": {"type": "mrkdwn", "text": text}});
        assert_eq!(
            errors(json!([section(&"x".repeat(3_001))])),
            ["must be less than 3001 characters [json-pointer:/blocks/0/text/text]"]
        );
        assert_eq!(errors(json!([section("")])), ["must be more than 0 characters [json-pointer:/blocks/0/text/text]"]);
        assert_eq!(
            errors(json!([{"type": "header", "text": {"type": "mrkdwn", "text": "x"}}])),
            ["unsupported type: mrkdwn [json-pointer:/blocks/0/text/type]"]
        );
        assert_eq!(errors(json!([{"type": "nonsense"}])), ["unsupported type: nonsense [json-pointer:/blocks/0/type]"]);
        assert_eq!(errors(json!([{"type": "section"}])), ["missing required field: text [json-pointer:/blocks/0]"]);
        let many: Vec<Value> = (0..51).map(|_| json!({"type": "divider"})).collect();
        assert_eq!(errors(json!(many)), ["no more than 50 items allowed [json-pointer:/blocks]"]);
        let twice = json!([{"type": "divider", "block_id": "a"}, {"type": "divider", "block_id": "a"}]);
        assert_eq!(errors(twice), ["`block_id` a already exists [json-pointer:/blocks/1/block_id]"]);
    }

    #[test]
    fn the_whole_may_be_too_long_though_each_part_is_legal() {
        let section = json!({"type": "section", "text": {"type": "mrkdwn", "text": "x".repeat(2_900)}});
        let blocks = json!([section, section, section, section, section]);
        assert_eq!(accept(&blocks, Surface::Message).unwrap_err().code, "msg_blocks_too_long");
        assert!(accept(&blocks, Surface::View).is_ok());
    }

    #[test]
    fn not_a_list_is_a_format_error() {
        assert_eq!(accept(&json!({"type": "divider"}), Surface::Message).unwrap_err().code, "invalid_blocks_format");
    }
}
