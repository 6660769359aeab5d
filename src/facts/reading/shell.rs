//! A command that a shell, or the runtime in its place, could not run: what it writes about it.
//!
//! `bash: foo: command not found`, dash's `sh: 1: foo: not found`, `env: can't execute 'x'`, make's `foo: Command not
//! found`; runc up to 1.1 starts the program after the runtime has said "started", so that its error is a line of the log.

use super::app_log::Complaint;
use super::text::says;

/// Reads a line of a shell; `lower` is the line in small letters. `None` where it is about nothing of the kind.
pub fn complaint(line: &str, lower: &str) -> Option<Complaint> {
    // runc ≤1.1 starts the program after the runtime has said "started": its error is the container's only line.
    let start = lower.contains("exec user process caused")
        || lower.trim_start().starts_with("exec /")
        || lower.contains("exec container process");
    if start && lower.contains("no such file or directory") {
        return Some(Complaint::CommandNotFound { command: command_before(line, ": no such file") });
    }
    if start && lower.contains("permission denied") {
        return Some(Complaint::CommandNotExecutable { command: command_before(line, ": permission denied") });
    }
    let trimmed = line.trim_end();
    // `bash: foo: command not found`, `sh: 1: foo: not found`, `/run.sh: line 3: foo: command not found`, make's `foo: Command not found`
    let missing =
        [": command not found", ": not found", ": Command not found"].into_iter().find(|end| trimmed.ends_with(end));
    if let Some(end) = missing
        && is_shell_line(trimmed)
    {
        return Some(Complaint::CommandNotFound { command: command_before(trimmed, end) });
    }
    if is_shell_line(trimmed)
        && trimmed.ends_with(": No such file or directory")
        && says(lower, ": line |env: |bad interpreter")
        && !lower.contains(": cannot ")
    {
        return Some(Complaint::CommandNotFound { command: command_before(trimmed, ": No such file") });
    }
    if lower.contains("bad interpreter") || (lower.starts_with("env: ") && lower.contains("no such file or directory"))
    {
        return Some(Complaint::CommandNotFound { command: None });
    }
    None
}

/// Returns true for a line that a shell, `env` or `make` writes about a command of its script.
fn is_shell_line(line: &str) -> bool {
    let first = line.split(':').next().unwrap_or_default().trim();
    let name = first.rsplit('/').next().unwrap_or_default();
    matches!(name, "sh" | "bash" | "ash" | "dash" | "zsh" | "env" | "make" | "busybox" | "-bash" | "-sh")
        || name.ends_with(".sh")
        || name.contains("entrypoint")
        || line.contains(": line ")
}

fn command_before(line: &str, end: &str) -> Option<String> {
    let at = line.to_ascii_lowercase().find(&end.to_ascii_lowercase())?;
    let before = line.get(..at)?;
    let name = before.rsplit(": ").next()?.trim().trim_start_matches("exec ").trim_matches(['"', '\'', '`']);
    (!name.is_empty() && !name.contains("caused") && name.len() < 200).then(|| name.to_owned())
}
