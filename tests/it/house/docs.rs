//! The pages: their links lead somewhere, and the commands they show exist.

use super::source::{self, text};
use std::collections::BTreeSet;
use std::process::Command;

/// Pictures that a page shows already and that are made later.
const COMING: [&str; 0] = [];

fn pages() -> BTreeSet<String> {
    let mut pages = source::files("docs", ".md");
    pages.extend(source::files("deploy", ".md"));
    pages.extend(["README.md".to_owned(), "CHANGELOG.md".to_owned()]);
    pages
}

#[test]
fn links_within_the_repository_lead_somewhere() {
    let mut dead = Vec::new();
    for page in pages() {
        let folder = source::root().join(&page).parent().expect("a page stands in a folder").to_owned();
        for link in links(&text(&page)) {
            let path = link.split('#').next().unwrap_or_default();
            let coming = COMING.iter().any(|coming| source::root().join(coming) == folder.join(path));
            if !path.is_empty() && !folder.join(path).exists() && !coming {
                dead.push(format!("{page}: {link}"));
            }
        }
    }
    assert!(dead.is_empty(), "{dead:#?}");
    for coming in COMING {
        assert!(!source::root().join(coming).exists(), "{coming} is there now: take it off the list");
    }
}

fn links(page: &str) -> Vec<&str> {
    let targets = page.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    targets.filter(|target| !target.contains("://")).collect()
}

#[test]
fn the_commands_that_pages_show_exist() {
    let help = Command::new(env!("CARGO_BIN_EXE_podoctor")).arg("--help").output().expect("podoctor runs");
    let help = String::from_utf8_lossy(&help.stdout).into_owned();
    let known: BTreeSet<&str> = help.lines().filter_map(|line| line.strip_prefix("  ")?.split(' ').next()).collect();
    let mut seen = 0;
    for page in pages() {
        for command in commands(&text(&page)) {
            seen += 1;
            assert!(known.contains(command.as_str()), "{page}: there is no `podoctor {command}`");
        }
    }
    assert!(seen > 10, "only {seen} commands were found in the pages");
}

/// Returns the word after `podoctor` in every code span, and in every line of a code block, a pipe's parts each.
fn commands(page: &str) -> Vec<String> {
    let mut shown: Vec<&str> = Vec::new();
    for (index, block) in page.split("```").enumerate() {
        if index % 2 == 1 {
            shown.extend(block.lines().flat_map(|line| line.split('|')));
        } else {
            shown.extend(block.split('`').skip(1).step_by(2));
        }
    }
    let words = shown.into_iter().filter_map(|shown| shown.trim().strip_prefix("podoctor ")?.split_whitespace().next());
    words.map(str::to_owned).collect()
}

#[test]
fn ci_runs_the_command_of_the_readme() {
    let readme = text("README.md");
    let command =
        readme.split("## Work on it\n```sh\n").nth(1).and_then(|rest| rest.lines().next()).expect("a command");
    let ci = text(".ci/run");
    assert!(ci.lines().any(|line| line.trim_end().ends_with(command)), ".ci/run does not run `{command}`");
}
