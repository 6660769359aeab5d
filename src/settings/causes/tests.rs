//! What is told of files with mistakes, and when a change is taken up.

use super::*;
use crate::settings::{Reload, Reloader};
use std::collections::BTreeMap as Map;
use std::sync::{Arc, Mutex};

const GOOD: &str = "\
id: acme-sealed
phases: [crashing]
when: |
  pod.status.phase == 'Running'
    && container.name == 'vault'
summary: Vault is sealed.
title: Vault is sealed
what: Somebody has to unseal it.
runbook: https://wiki.example.com/vault
";

fn told(text: &str) -> String {
    let environment = Environment::of([], [("causes/a.yaml", text)]);
    load(&["causes".into()], None, &environment).expect_err("refused").to_string()
}

#[test]
fn a_folder_is_read_and_stands_before_the_catalogue() {
    let environment = Environment::of([], [("conf/causes/a.yaml", GOOD), ("conf/causes/notes.txt", "no cause")]);
    let catalogue = load(&["causes".into()], Some(Path::new("conf/p.yaml")), &environment).expect("good");
    assert_eq!(catalogue.all().next().map(|cause| cause.id), Some("acme-sealed"));
    let page = &catalogue.by_id("acme-sealed").expect("there").page;
    assert_eq!(page.sources, ["https://wiki.example.com/vault"]);
    assert_eq!(page.title.zh, "Vault is sealed");
}

#[test]
fn every_mistake_is_told_with_its_line() {
    for (from, to, says) in [
        (
            "id: acme-sealed",
            "id: Acme",
            "a.yaml:1: id: expected an id in kebab-case such as acme-vault-sealed, found `Acme`",
        ),
        (
            "id: acme-sealed",
            "id: cgroup-oom",
            "a.yaml:1: id: `cgroup-oom` is a cause of podoctor's own; put your team's name before it: `acme-cgroup-oom`",
        ),
        ("phases: [crashing]", "phase: [crashing]", "a.yaml:2: phase: unknown key; did you mean `phases`?"),
        ("[crashing]", "[crash]", "a.yaml:2: phases[0]: expected"),
        ("[crashing]", "[]", "a.yaml:2: phases: names none; give at least one"),
        ("== 'vault'", "= 'vault'", "a.yaml:5: when: is not CEL"),
        (
            "container.name",
            "contianer.name",
            "a.yaml:5: when: there is no variable `contianer`; did you mean `container`?, at `contianer.name == 'vault'`",
        ),
        (
            "pod.status.phase ==",
            "pod.status.phase.starts('x') ||",
            "a.yaml:4: when: there is no function `starts`; did you mean `startsWith`?",
        ),
        ("summary: Vault", "summary: '{{ pod.metadata.name'", "not valid YAML"),
        ("summary: Vault is sealed.", "summary: 'of {{ pod.metadata.name'", "a.yaml:6: summary: `{{` has no `}}`"),
        (
            "summary: Vault is sealed.",
            "summary: {en: 'of {{ pood.x }}', zh-CN: y}",
            "a.yaml:6: summary.en: `{{ pood.x }}`: there is no variable `pood`; did you mean `pod`?",
        ),
        ("summary: Vault is sealed.", "summary: {en: x}", "a.yaml:6: summary.zh-CN: is missing"),
        ("https://", "http://", "a.yaml:9: runbook: expected an address such as https://"),
        (
            "runbook: https://wiki.example.com/vault\n",
            "",
            "a.yaml:1: says nothing of what to do; give `runbook`, `fixes` or `fix`",
        ),
        (
            "runbook:",
            "explains: [cgroup-omm]\nrunbook:",
            "a.yaml:9: explains[0]: there is no cause `cgroup-omm`; did you mean `cgroup-oom`?",
        ),
    ] {
        let text = GOOD.replacen(from, to, 1);
        assert_ne!(text, GOOD, "{from}");
        let told = told(&text);
        assert!(told.contains(says), "{told}\n  instead of\n{says}");
    }
}

#[test]
fn two_files_with_one_id_are_refused() {
    let environment = Environment::of([], [("causes/a.yaml", GOOD), ("causes/b.yaml", GOOD)]);
    let told = load(&["causes".into()], None, &environment).expect_err("refused").to_string();
    assert_eq!(told, "causes/b.yaml:1: id: `acme-sealed` is the id of an earlier file too");
    let told = load(&["causes/c.yaml".into()], None, &environment).expect_err("refused").to_string();
    assert_eq!(told, "causes/c.yaml: cannot read this file of `causes`: no such file");
}

#[test]
fn a_bad_change_of_a_cause_is_refused_and_the_old_causes_stay() {
    let cause = Arc::new(Mutex::new(GOOD.to_owned()));
    let read = Arc::clone(&cause);
    let environment = Environment::new(Map::new(), move |path| match path.to_str() {
        Some("p.yaml") => Ok("causes: [a.yaml]".to_owned()),
        _ => Ok(read.lock().expect("not poisoned").clone()),
    });
    let mut reloader = Reloader::start(Some("p.yaml".into()), environment).expect("good settings");
    let write = |text: String| *cause.lock().expect("not poisoned") = text;
    let title = |reloader: &Reloader| reloader.catalogue().by_id("acme-sealed").map(|cause| cause.page.title.en);
    assert_eq!(reloader.look(), Reload::Unchanged);
    write(GOOD.replace("== 'vault'", "=="));
    let Reload::Refused(error) = reloader.look() else { panic!("taken") };
    assert!(error.to_string().starts_with("a.yaml:"), "{error}");
    assert_eq!(title(&reloader), Some("Vault is sealed"));
    assert_eq!(reloader.look(), Reload::Unchanged, "it is told once");
    write(GOOD.replace("title: Vault is sealed", "title: Sealed again"));
    assert_eq!(reloader.look(), Reload::Changed { applied: vec!["causes".to_owned()], restart: vec![] });
    assert_eq!(title(&reloader), Some("Sealed again"));
    assert_eq!(reloader.look(), Reload::Unchanged);
}
