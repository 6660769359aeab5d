//! Runs the binary and looks at it from outside, as the kernel accounts for it.

use anyhow::Context;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A run to its end.
pub struct Ran {
    pub took: Duration,
    /// The most memory it ever had resident.
    pub peak_kib: u64,
    stdout: Vec<u8>,
}

impl Ran {
    /// Runs it; a diagnosis that finds something ends with 1, so only 2 and signals are failures.
    pub fn of(binary: &str, args: &[&str]) -> anyhow::Result<Ran> {
        let started = Instant::now();
        let mut child = Command::new(binary).args(args).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
        let mut pipe = child.stdout.take().context("its output is piped")?;
        let reader = std::thread::spawn(move || {
            let mut stdout = Vec::new();
            pipe.read_to_end(&mut stdout).map(|_| stdout)
        });
        let mut peak_kib = 0;
        let status = loop {
            // The peak only grows, so the last look before the end is the one that counts.
            peak_kib = field(child.id(), "VmHWM:").unwrap_or(peak_kib).max(peak_kib);
            if let Some(status) = child.try_wait()? {
                break status;
            }
            std::thread::sleep(Duration::from_micros(500));
        };
        let took = started.elapsed();
        let stdout = reader.join().map_err(|_| anyhow::anyhow!("reading its output failed"))??;
        anyhow::ensure!(status.code().is_some(), "{args:?} ended with {status}");
        Ok(Ran { took, peak_kib, stdout })
    }

    /// Returns how many pods the printed diagnoses are about.
    pub fn pods(&self) -> anyhow::Result<usize> {
        let reports: Vec<serde_json::Value> = serde_json::from_slice(&self.stdout)?;
        Ok(reports.iter().map(|report| report["pods"].as_array().map_or(0, Vec::len)).sum())
    }
}

/// A running program that has said its first line; dropping it ends it.
pub struct Spoken {
    child: Child,
    pub first_line: String,
}

impl Spoken {
    pub fn start(binary: &str, args: &[&str]) -> anyhow::Result<Spoken> {
        let child = Command::new(binary).args(args).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
        let mut spoken = Spoken { child, first_line: String::new() };
        let pipe = spoken.child.stdout.take().context("its output is piped")?;
        BufReader::new(pipe).read_line(&mut spoken.first_line)?;
        Ok(spoken)
    }
}

impl Drop for Spoken {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Returns what the one running process of a binary with a word among its arguments has resident.
pub fn resident_kib(binary: &str, word: &str) -> anyhow::Result<u64> {
    for entry in std::fs::read_dir("/proc")? {
        let name = entry?.file_name();
        let Some(pid) = name.to_str().and_then(|name| name.parse().ok()) else { continue };
        let words = std::fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let mut words = words.split('\0');
        if words.next() == Some(binary) && words.next() == Some(word) {
            return field(pid, "VmRSS:").context("the process has ended");
        }
    }
    anyhow::bail!("no {binary} {word} is running")
}

fn field(pid: u32, name: &str) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    status.lines().find_map(|line| line.strip_prefix(name))?.trim().strip_suffix("kB")?.trim().parse().ok()
}
