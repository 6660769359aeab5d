//! Where the control plane's programs come from: `KUBEBUILDER_ASSETS`, an earlier build, or a build now.

use anyhow::{Context, bail};
use sha2::{Digest, Sha256};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

/// The programs that a control plane consists of.
pub const PARTS: [&str; 4] = ["etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler"];

/// Returns a folder that holds every one of [`PARTS`]; builds them first when there is none, which takes minutes.
///
/// # Errors
/// Fails when there are none and none can be built; the text says both ways out.
pub fn folder() -> anyhow::Result<PathBuf> {
    if let Some(assets) = std::env::var_os("KUBEBUILDER_ASSETS").map(PathBuf::from) {
        match missing(&assets) {
            None => return Ok(assets),
            // Other projects need no controllers and no scheduler, so a machine made for them has just half of it.
            Some(part) => tell(&format!("KUBEBUILDER_ASSETS={} has no {part}; using our own", assets.display())),
        }
    }
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cluster");
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().context("the target folder holds tmp")?;
    built(&source, &target.join("control-plane"))
}

/// Returns the build of `source` below `shelf`, made by whoever comes first while all others wait.
fn built(source: &Path, shelf: &Path) -> anyhow::Result<PathBuf> {
    let folder = shelf.join(print(source)?);
    if missing(&folder).is_none() {
        return Ok(folder);
    }
    fs::create_dir_all(&folder)?;
    let lock_path = shelf.join("lock");
    let mut lock = fs::OpenOptions::new().create(true).truncate(false).read(true).write(true).open(&lock_path)?;
    if lock.try_lock().is_err() {
        let what = fs::read_to_string(&lock_path).unwrap_or_default();
        tell(&format!("waiting for {}: {}", lock_path.display(), what.trim()));
        lock.lock()?;
    }
    if missing(&folder).is_none() {
        return Ok(folder);
    }
    lock.set_len(0)?;
    writeln!(lock, "process {} builds the Kubernetes control plane from {}", std::process::id(), source.display())?;
    build(source, &folder)?;
    lock.set_len(0)?;
    Ok(folder)
}

fn build(source: &Path, folder: &Path) -> anyhow::Result<()> {
    let version = kubernetes_version(source)?;
    tell(&format!("building the Kubernetes {version} control plane, once; about four minutes on two cores"));
    let started = Instant::now();
    let fresh = folder.join("control-plane.new");
    let output = Command::new("go")
        .current_dir(source)
        .args(["build", "-mod=readonly", "-trimpath", "-buildvcs=false", "-ldflags"])
        .arg(format!("-s -w -X k8s.io/component-base/version.gitVersion={version}"))
        .arg("-o")
        .args([fresh.as_path(), Path::new(".")])
        .output()
        .context(
            "the tests need a Kubernetes control plane and there is none. Either install Go 1.25 or later, which \
             builds it from tests/cluster, or let KUBEBUILDER_ASSETS name a folder with etcd, kube-apiserver, \
             kube-controller-manager and kube-scheduler",
        )?;
    if !output.status.success() {
        bail!(
            "go could not build tests/cluster; KUBEBUILDER_ASSETS may name a folder with etcd, kube-apiserver, \
             kube-controller-manager and kube-scheduler instead:\n{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    fs::rename(&fresh, folder.join("control-plane"))?;
    for part in PARTS {
        let link = folder.join(part);
        let _ = fs::remove_file(&link);
        std::os::unix::fs::symlink("control-plane", &link)?;
    }
    tell(&format!("built in {:.0?}: {}", started.elapsed(), folder.display()));
    Ok(())
}

/// Returns the first part that is not in the folder.
fn missing(folder: &Path) -> Option<&'static str> {
    PARTS.into_iter().find(|part| !folder.join(part).is_file())
}

/// Returns the name of a build: its version and a digest of what it is made of, so that a changed source is built anew.
fn print(source: &Path) -> anyhow::Result<String> {
    let mut digest = Sha256::new();
    for file in ["go.mod", "go.sum", "main.go"] {
        digest.update(fs::read(source.join(file)).with_context(|| format!("tests/cluster/{file}"))?);
    }
    let digest: String = digest.finalize().iter().take(4).map(|byte| format!("{byte:02x}")).collect();
    Ok(format!("{}-{digest}", kubernetes_version(source)?))
}

fn kubernetes_version(source: &Path) -> anyhow::Result<String> {
    let text = fs::read_to_string(source.join("go.mod"))?;
    let line = text.lines().find_map(|line| line.trim().strip_prefix("k8s.io/kubernetes "));
    Ok(line.context("tests/cluster/go.mod requires k8s.io/kubernetes")?.trim().to_owned())
}

/// Writes past libtest's capture, since somebody who waits for minutes wants to know why.
fn tell(text: &str) {
    let _ = writeln!(std::io::stderr(), "control plane: {text}");
}
