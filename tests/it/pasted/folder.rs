//! A folder with one command's output a file: a whole namespace as somebody captured it.

use super::super::cases::measure::cases;
use super::texts::{Shown, text};
use std::process::Command;

/// Writes each command's output into a file of its own, as a shell's `>` does: the command itself is not in it.
fn capture(text: &str, folder: &std::path::Path, prefix: &str) {
    for (i, part) in text.split("$ kubectl ").skip(1).enumerate() {
        let (command, output) = part.split_once('\n').expect("a command ends its line");
        if !command.starts_with("logs") {
            std::fs::write(folder.join(format!("{prefix}-{i}.txt")), output).expect("a file");
        }
    }
}

#[test]
fn a_captured_namespace_gives_the_worst_workload_first() {
    let folder = tempfile::tempdir().expect("a folder");
    let all = cases();
    let mut at = String::new();
    // A sick pod, and one that is well though it has a past, each with its node; captured at about the same time.
    for name in ["live-oom-child", "live-control-old-restarts"] {
        let case = all.iter().find(|case| case.name == name).expect("the case");
        let text = text(case, Shown::All).expect("its texts");
        let namespace = case.want["target"].as_str().expect("a target").split('/').next().expect("a namespace");
        capture(&text.replace(namespace, "shop"), folder.path(), name);
        at = at.max(case.want["at"].as_str().expect("a time").to_owned());
    }
    let ask = |target: &str| {
        let output = Command::new(env!("CARGO_BIN_EXE_podoctor"))
            .args(["diagnose", target, "-o", "json", "--at", &at, "--from"])
            .arg(folder.path())
            .output()
            .expect("the binary runs");
        serde_json::from_slice::<serde_json::Value>(&output.stdout)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)))
    };
    for target in ["shop", "*"] {
        let report = ask(target);
        let found = report.as_array().expect("an array");
        assert_eq!(found.len(), 1, "the healthy one is left out: {report}");
        assert_eq!(found[0]["findings"][0]["cause"], "cgroup-oom", "{report}");
        assert_eq!(found[0]["target"]["namespace"], "shop");
    }
}
