//! Pages that are made from the code. A stale one fails; `UPDATE=1 cargo test` writes them anew.

use super::source;
use std::fmt::Write;

/// Holds the file at `path`, relative to the root, against what it should be.
///
/// With `UPDATE` set it is written instead, so that the change is seen in `git diff`.
pub fn assert_generated(path: &str, content: &str) {
    let file = source::root().join(path);
    if std::env::var_os("UPDATE").is_some() {
        std::fs::create_dir_all(file.parent().expect("a file stands in a folder")).expect("the folder can be made");
        std::fs::write(&file, content).expect("the page can be written");
        return;
    }
    let there = std::fs::read_to_string(&file).unwrap_or_default();
    if there == content {
        return;
    }
    let first = there.lines().zip(content.lines()).position(|(old, new)| old != new);
    let line = first.unwrap_or_else(|| there.lines().count().min(content.lines().count()));
    let of = |text: &str| text.lines().nth(line).unwrap_or("(nothing)").to_owned();
    panic!(
        "{path} is stale: run `UPDATE=1 cargo test`\nline {}, there:     {}\nline {}, should be: {}",
        line + 1,
        of(&there),
        line + 1,
        of(content)
    );
}

#[test]
fn the_settings_schema_is_fresh() {
    let schema = serde_json::to_string_pretty(&podoctor::settings::json_schema()).expect("plain data");
    assert_generated("config/podoctor.schema.json", &format!("{schema}\n"));
}

#[test]
fn the_settings_page_is_fresh() {
    let mut page = String::from(
        "# Settings\n\nOne YAML file; `config/podoctor.example.yaml` shows every key with its default and a sample. \
         Each key can also be set by the variable named beside it; lists and maps are written there as YAML. \
         `podoctor config check` tells what is wrong with a file, `podoctor config show` what is in force.\n\n\
         Secrets come from the environment only: `SLACK_BOT_TOKEN`, `SLACK_APP_TOKEN` (socket mode), \
         `SLACK_SIGNING_SECRET` (http mode), or each from the file that the variable with `_FILE` behind it names.\n\n\
         | key | default | what it is | variable |\n| --- | --- | --- | --- |\n",
    );
    for row in super::settings::rows() {
        let default = row.default.map_or_else(String::new, |default| format!("`{default}`"));
        let variable = row.variable.map_or_else(String::new, |variable| format!("`{variable}`"));
        let words = row.words.replace('\n', " ").replace('|', "\\|");
        writeln!(page, "| `{}` | {default} | {words} | {variable} |", row.key).expect("text can be written");
    }
    assert_generated("docs/settings.md", &page);
}

#[test]
fn the_schema_of_a_diagnosis_is_fresh() {
    let text = serde_json::to_string_pretty(&podoctor::render::report::schema()).expect("plain data");
    assert_generated("docs/diagnosis.schema.json", &format!("{text}\n"));
}

#[test]
fn the_catalogue_pages_are_fresh() {
    use podoctor::diagnosis::Language;
    for (path, language) in [("docs/causes.md", Language::English), ("docs/causes.zh.md", Language::Chinese)] {
        assert_generated(path, &podoctor::render::catalogue::book(language));
    }
}

#[test]
fn the_page_about_custom_causes_is_fresh() {
    const PAGE: &str = "docs/custom-causes.md";
    let mut keys = String::from("| key | what it is |\n| --- | --- |\n");
    let schema = schemars::schema_for!(podoctor::diagnosis::custom::Definition).to_value();
    let required = schema["required"].as_array().expect("some keys are required");
    // In the order in which a file is written.
    let order =
        ["id", "phases", "when", "certainty", "summary", "evidence", "fixes", "runbook", "explains", "title", "what"];
    let properties = schema["properties"].as_object().expect("keys");
    let rest = properties.keys().map(String::as_str).filter(|key| !order.contains(key));
    for key in order.into_iter().chain(rest) {
        let words = properties[key]["description"].as_str().expect("a key says what it is").replace('\n', " ");
        let must = if required.iter().any(|required| required == key) { " (required)" } else { "" };
        writeln!(keys, "| `{key}`{must} | {words} |").expect("text can be written");
    }
    let steps = &schema["$defs"]["FixDefinition"]["properties"];
    for (key, step) in steps.as_object().expect("keys of a step") {
        let words = step["description"].as_str().expect("a key says what it is").replace('\n', " ");
        writeln!(keys, "| `fixes[].{key}` | {words} |").expect("text can be written");
    }
    let phases: Vec<&str> =
        schema["$defs"]["PhaseName"]["enum"].as_array().expect("words").iter().filter_map(|w| w.as_str()).collect();
    writeln!(keys, "\nPhases: `{}`.", phases.join("`, `")).expect("text can be written");
    let mut variables = String::from("| variable | what it is |\n| --- | --- |\n");
    for seen in podoctor::diagnosis::custom::sees::SEEN {
        writeln!(variables, "| `{}` | {} |", seen.name, seen.what).expect("text can be written");
    }
    let mut page = source::text(PAGE);
    for (name, table) in [("keys", keys), ("variables", variables)] {
        let start = format!("<!-- made from the code: {name} -->\n");
        let (before, rest) = page.split_once(&start).expect("the page has its marks");
        let (_, after) = rest.split_once("<!-- end -->").expect("the page has its marks");
        page = format!("{before}{start}{table}<!-- end -->{after}");
    }
    assert_generated(PAGE, &page);
}
