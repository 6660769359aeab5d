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
