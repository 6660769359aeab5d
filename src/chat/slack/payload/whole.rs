//! All text of a message, wherever Slack keeps it: its text, its blocks, its attachments, its pasted snippets.

use serde_json::Value;

/// The longest text that is looked at, in characters; a paste of a whole namespace is shorter.
const TEXT_LIMIT: usize = 200_000;
/// How deep blocks are followed.
const DEPTH: usize = 12;

/// Returns all text of a message, a line for what stands on a line of its own. What two places repeat stands there once.
pub fn whole_text(message: &Value) -> String {
    let mut parts = Vec::new();
    add(&mut parts, message["text"].as_str().unwrap_or_default());
    add(&mut parts, &of_blocks(&message["blocks"]));
    for attachment in list(&message["attachments"]) {
        for field in ["pretext", "title", "text"] {
            add(&mut parts, attachment[field].as_str().unwrap_or_default());
        }
        for field in list(&attachment["fields"]) {
            let of = |name: &str| field[name].as_str().unwrap_or_default();
            add(&mut parts, format!("{} {}", of("title"), of("value")).trim());
        }
        add(&mut parts, &of_blocks(&attachment["blocks"]));
        // A message that was forwarded has its own blocks inside.
        for forwarded in list(&attachment["message_blocks"]) {
            add(&mut parts, &of_blocks(&forwarded["message"]["blocks"]));
        }
        add(&mut parts, attachment["fallback"].as_str().unwrap_or_default());
    }
    for file in list(&message["files"]) {
        let text = file["plain_text"].as_str().or(file["preview"].as_str());
        add(&mut parts, text.unwrap_or_default());
    }
    parts.join("\n").chars().take(TEXT_LIMIT).collect()
}

/// Adds a text unless it is there already, but for signs of style: a person's text comes as `text` and as blocks.
fn add(parts: &mut Vec<String>, text: &str) {
    let plain = |text: &str| text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&");
    let letters = |text: &str| plain(text).chars().filter(|c| c.is_alphanumeric()).collect::<String>();
    let new = letters(text);
    if text.trim().is_empty() || (!new.is_empty() && parts.iter().any(|part| letters(part).contains(&new))) {
        return;
    }
    parts.push(text.chars().take(TEXT_LIMIT).collect());
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn of_blocks(blocks: &Value) -> String {
    let mut out = String::new();
    for block in list(blocks) {
        collect(block, &mut out, 0);
        if !out.is_empty() && !out.ends_with('\n') {
            out.push('\n');
        }
    }
    out.trim_end().to_owned()
}

/// Appends the text of a block or element. What is styled stands in elements of its own, in the middle of a word too, so
/// they are joined without a blank; sections, quotes and lists begin lines.
fn collect(value: &Value, out: &mut String, depth: usize) {
    if depth > DEPTH || out.len() > TEXT_LIMIT * 4 {
        return;
    }
    let kind = value["type"].as_str().unwrap_or_default();
    match kind {
        "link" => out.push_str(value["text"].as_str().or(value["url"].as_str()).unwrap_or_default()),
        "user" => out.push_str(&format!("<@{}>", value["user_id"].as_str().unwrap_or_default())),
        "date" => out.push_str(value["fallback"].as_str().unwrap_or_default()),
        _ => match &value["text"] {
            Value::String(text) => out.push_str(text),
            text => collect_inner(text, out, depth),
        },
    }
    for field in ["fields", "elements"] {
        for inner in list(&value[field]) {
            collect(inner, out, depth + 1);
            let is_line =
                !matches!(inner["type"].as_str(), Some("text" | "link" | "user" | "date" | "emoji" | "channel"));
            if is_line && !out.is_empty() && !out.ends_with('\n') {
                out.push('\n');
            }
        }
    }
}

fn collect_inner(text: &Value, out: &mut String, depth: usize) {
    if text.is_object() {
        collect(text, out, depth + 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_persons_text_is_there_once() {
        let message = json!({"text": "why is `prod/web` stuck?", "blocks": [{"type": "rich_text", "elements": [
            {"type": "rich_text_section", "elements": [{"type": "text", "text": "why is "},
                {"type": "text", "text": "prod/web", "style": {"code": true}}, {"type": "text", "text": " stuck?"}]}]}]});
        assert_eq!(whole_text(&message), "why is `prod/web` stuck?");
    }

    #[test]
    fn another_bots_alert_is_read_whole() {
        let message = json!({"text": "alert", "blocks": [
            {"type": "header", "text": {"type": "plain_text", "text": "KubePodNotReady"}},
            {"type": "section", "fields": [{"type": "mrkdwn", "text": "*ns* prod"}, {"type": "mrkdwn", "text": "*pod* web-1"}]}],
            "attachments": [{"fallback": "firing", "pretext": "see", "fields": [{"title": "node", "value": "n1"}]}]});
        assert_eq!(whole_text(&message), "alert\nKubePodNotReady\n*ns* prod\n*pod* web-1\nsee\nnode n1\nfiring");
    }

    #[test]
    fn a_pasted_snippet_and_preformatted_text_keep_their_lines() {
        let message = json!({"text": "", "blocks": [{"type": "rich_text", "elements": [
            {"type": "rich_text_preformatted", "elements": [{"type": "text", "text": "Name: web\nStatus: Pending"}]},
            {"type": "rich_text_section", "elements": [{"type": "text", "text": "why?"}]}]}],
            "files": [{"preview": "Events:\n  a"}]});
        assert_eq!(whole_text(&message), "Name: web\nStatus: Pending\nwhy?\nEvents:\n  a");
    }
}
