//! A program that never outlives the test binary, however that ends.

use anyhow::Context;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};

/// Runs a program and kills it when standard input ends.
///
/// The kernel closes our end of that pipe when the test binary is gone, also after a panic or a SIGKILL, where no code
/// of ours runs any more. Then removes the folder named by SWEEP, if any.
const LIFELINE: &str = r#"
exec 3<&0
"$@" </dev/null 3<&- &
program=$!
{ read -r line <&3; kill -9 "$program"; } 2>/dev/null &
watcher=$!
exec 3<&-
wait "$program"; code=$?
kill "$watcher" 2>/dev/null
if [ -n "$SWEEP" ]; then rm -rf "$SWEEP" || { sleep 1; rm -rf "$SWEEP"; }; fi
exit $code
"#;

/// A running program; dropping it kills it and waits for its end.
#[derive(Debug)]
pub struct Process {
    name: String,
    log: PathBuf,
    child: Child,
    lifeline: Option<ChildStdin>,
}

impl Process {
    /// Starts a program; everything it prints goes to `log`. `sweep` is a folder to remove after its end.
    ///
    /// # Errors
    /// Fails when the log cannot be written or there is no `sh`.
    pub fn start(program: &Path, args: &[String], log: &Path, sweep: Option<&Path>) -> anyhow::Result<Process> {
        let name = program.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let out = File::options().create(true).append(true).open(log)?;
        let mut command = Command::new("sh");
        command.args(["-c", LIFELINE, "lifeline"]).arg(program).args(args).current_dir("/");
        command.stdin(Stdio::piped()).stdout(out.try_clone()?).stderr(out);
        command.env("SWEEP", sweep.unwrap_or(Path::new("")));
        let mut child = command.spawn().with_context(|| format!("starting {name}"))?;
        let lifeline = child.stdin.take();
        Ok(Process { name, log: log.to_owned(), child, lifeline })
    }

    /// Fails when the program has ended by itself, with the end of what it printed.
    ///
    /// # Errors
    /// See above.
    pub fn check(&mut self) -> anyhow::Result<()> {
        match self.child.try_wait()? {
            None => Ok(()),
            Some(status) => anyhow::bail!("{} ended ({status}):\n{}", self.name, self.last_words()),
        }
    }

    /// Returns the end of what the program printed.
    pub fn last_words(&self) -> String {
        let text = std::fs::read(&self.log).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(15)..].join("\n")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.lifeline.take());
        let _ = self.child.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, Instant};

    fn alive(pid: &str) -> bool {
        Path::new("/proc").join(pid).exists()
            && !std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default().contains(") Z ")
    }

    #[test]
    fn dies_with_its_pipe_and_sweeps_its_folder() {
        let outside = tempfile::tempdir().unwrap();
        let swept = tempfile::tempdir().unwrap();
        let log = outside.path().join("log");
        let args = ["-c".to_owned(), "echo $$; exec sleep 600".to_owned()];
        let process = Process::start(Path::new("/bin/sh"), &args, &log, Some(swept.path())).unwrap();
        let started = Instant::now();
        let pid = loop {
            let text = std::fs::read_to_string(&log).unwrap();
            if let Some(pid) = text.strip_suffix('\n') {
                break pid.to_owned();
            }
            assert!(started.elapsed() < Duration::from_secs(10), "it never spoke");
            std::thread::sleep(Duration::from_millis(5));
        };
        assert!(alive(&pid));
        drop(process);
        assert!(!alive(&pid), "process {pid} lives on");
        assert!(!swept.path().exists());
    }

    #[test]
    fn tells_how_a_program_ended_by_itself() {
        let outside = tempfile::tempdir().unwrap();
        let log = outside.path().join("log");
        let args = ["-c".to_owned(), "echo no such flag; exit 3".to_owned()];
        let mut process = Process::start(Path::new("/bin/sh"), &args, &log, None).unwrap();
        let started = Instant::now();
        let error = loop {
            if let Err(error) = process.check() {
                break error.to_string();
            }
            assert!(started.elapsed() < Duration::from_secs(10), "its end was not seen");
            std::thread::sleep(Duration::from_millis(5));
        };
        assert!(error.contains("exit status: 3") && error.contains("no such flag"), "{error}");
    }
}
