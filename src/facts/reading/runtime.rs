//! What a container runtime says when it cannot create or start a container.
//!
//! The same failure stands in `state.waiting.message` (RunContainerError, CreateContainerError), in
//! `terminated.message` (StartError, ContainerCannotRun) and in the event `Failed` "Error: …". Wordings: runc ≤1.0
//! (`container_linux.go:N: starting container process caused …`), runc ≥1.1 (`runc create failed: unable to start
//! container process: …`), crun, dockerd, containerd's and CRI-O's own texts, gVisor and Kata.

use super::kernel::{self, NoMemory, NoSpace};
use super::text::{between, has_any, unescaped};

/// Why a container could not be created or started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StartFailure {
    /// The program is not in the image (or not under that name).
    CommandNotFound {
        command: Option<String>,
    },
    /// The program is there and may not be executed, or is a folder.
    CommandNotExecutable {
        command: Option<String>,
    },
    /// The file is no program for this machine (`exec format error`).
    WrongFormat {
        command: Option<String>,
    },
    /// Neither image nor pod name a command.
    NoCommand,
    /// The working directory cannot be entered.
    WorkingDirectory {
        path: Option<String>,
    },
    /// The user or group is not in the image's `/etc/passwd` or `/etc/group`.
    UnknownUser {
        user: Option<String>,
    },
    /// A `volume-subpaths` mount whose source is gone: the ConfigMap or Secret changed under a running pod.
    SubPathGone {
        volume: Option<String>,
    },
    /// A file is to be mounted on a folder, or a folder on a file.
    MountMismatch {
        source: Option<String>,
        target: Option<String>,
    },
    /// Another mount that cannot be made (read-only root, missing source, duplicate mount point …).
    MountFailed,
    /// A device is not on the node, or its hook (GPU) fails.
    Device,
    /// Seccomp, AppArmor, SELinux, capabilities or sysctls that this node or runtime cannot apply.
    Confinement,
    /// The memory limit does not even suffice for the start.
    MemoryTooSmall,
    NoSpace(NoSpace),
    NoMemory(NoMemory),
    /// An earlier attempt still holds the container's name: the runtime or its disk is slow.
    NameReserved,
    /// The runtime did not answer in time.
    Deadline,
    Other,
}

/// Returns true where the text is about creating or starting a container, whatever the reason.
pub fn is_start_failure(text: &str) -> bool {
    has_any(
        text,
        &[
            "OCI runtime",
            "runc create failed",
            "failed to create containerd task",
            "failed to start containerd task",
            "failed to create shim",
            "container_linux.go",
            "starting container process caused",
            "unable to start container process",
            "container create failed",
            "failed to generate container",
            "failed to start container",
            "failed to create container",
            "Error response from daemon",
            "failed to reserve container name",
        ],
    )
}

/// Reads why a container could not be created or started. Texts about nothing of the kind are [`StartFailure::Other`].
pub fn start_failure(text: &str) -> StartFailure {
    let text = unescaped(text);
    // Mounts first: their texts end in "no such file or directory" and "permission denied" as those of commands do.
    if let Some(failure) = mount(&text) {
        return failure;
    }
    if kernel::memory_limit_too_small(&text) {
        return StartFailure::MemoryTooSmall;
    }
    if let Some(space) = kernel::no_space(&text) {
        return StartFailure::NoSpace(space);
    }
    if let Some(memory) = kernel::no_memory(&text) {
        return StartFailure::NoMemory(memory);
    }
    let lower = text.to_ascii_lowercase();
    if lower.contains("is reserved for")
        || lower.contains("name is reserved")
        || lower.contains("failed to reserve container name")
        || (lower.contains("container name \"") && lower.contains("already in use"))
    {
        return StartFailure::NameReserved;
    }
    if has_any(&lower, &["set in config.json failed", "chdir to cwd", "working directory", "mkdir cwd"]) {
        let path = between(&text, "chdir to cwd (\"", "\"").or_else(|| between(&text, "mkdir cwd \"", "\""));
        return StartFailure::WorkingDirectory { path: path.map(str::to_owned) };
    }
    if has_any(
        &lower,
        &[
            "unable to find user",
            "unable to find group",
            "no users found",
            "no matching entries in passwd",
            "no matching entries in group",
        ],
    ) {
        let user = between(&text, "unable to find user ", ":").or_else(|| between(&text, "unable to find group ", ":"));
        return StartFailure::UnknownUser { user: user.map(str::to_owned) };
    }
    if has_any(
        &lower,
        &[
            "nvidia-container-cli",
            "error running hook",
            "error running prestart hook",
            "prestart hook",
            "error gathering device information",
            "unresolvable cdi devices",
            "cdi device injection failed",
        ],
    ) || (lower.contains("/dev/") && has_any(&lower, &["no such file or directory", "no such device"]))
    {
        return StartFailure::Device;
    }
    if has_any(
        &lower,
        &[
            "seccomp",
            "apparmor",
            "/proc/self/attr",
            "selinux",
            "unable to apply caps",
            "unknown capability",
            "apply caps",
            "setgroups",
            "not in a separate kernel namespace",
            "sysctl",
        ],
    ) {
        return StartFailure::Confinement;
    }
    if lower.contains("no command specified") || lower.contains("args must not be empty") {
        return StartFailure::NoCommand;
    }
    if let Some(failure) = command(&text, &lower) {
        return failure;
    }
    if has_any(&lower, &["deadlineexceeded", "context deadline exceeded", "timed out waiting for"]) {
        return StartFailure::Deadline;
    }
    StartFailure::Other
}

fn mount(text: &str) -> Option<StartFailure> {
    let lower = text.to_ascii_lowercase();
    let is_mount = has_any(
        &lower,
        &[
            "error mounting",
            "mounting \"",
            "to rootfs",
            "are you trying to mount a directory",
            "mount destination",
            "create mountpoint",
            "cannot mount `",
            "/volume-subpaths/",
            ": mount `",
            "failed to mount",
            "invalid mount config",
            "duplicate mount point",
            "creating mount source path",
            "bind source path does not exist",
            "error stat'ing file",
            "failed to create mount",
            "failed to generate spec: failed to stat",
            "failed to apply oci options: failed to stat",
            "failed to mkdir \"",
            "failed to stat \"",
        ],
    );
    if !is_mount {
        return None;
    }
    let gone = has_any(&lower, &["no such file or directory", "not found"]);
    if gone && lower.contains("/volume-subpaths/") {
        let volume = between(text, "/volume-subpaths/", "/").map(str::to_owned);
        return Some(StartFailure::SubPathGone { volume });
    }
    let mismatch = has_any(&lower, &["not a directory", "is a directory", "vice-versa"]);
    if mismatch {
        let source = between(text, "error mounting \"", "\"").or_else(|| between(text, "mounting \"", "\""));
        let target = between(text, "to rootfs at \"", "\"").or_else(|| between(text, "at \"", "\""));
        return Some(StartFailure::MountMismatch {
            source: source.map(str::to_owned),
            target: target.map(str::to_owned),
        });
    }
    // Space and memory decide before the mount that ran into them.
    if kernel::no_space(text).is_some() || kernel::no_memory(text).is_some() {
        return None;
    }
    Some(StartFailure::MountFailed)
}

fn command(text: &str, lower: &str) -> Option<StartFailure> {
    // Windows: "The system cannot find the file specified. (0x2)".
    if has_any(lower, &["the system cannot find the file specified", "createprocess: failure in a windows system call"])
        && has_any(lower, &["(0x2)", "cannot find the file"])
    {
        return Some(StartFailure::CommandNotFound { command: between(text, "CommandLine:", ",").map(str::to_owned) });
    }
    let name = || {
        between(text, "exec: \"", "\"")
            .or_else(|| between(text, "executable file `", "`"))
            .or_else(|| between(text, "exec container process `", "`"))
            .or_else(|| between(text, "Container command '", "'"))
            .or_else(|| between(text, "error finding executable \"", "\""))
            .or_else(|| between(text, "the file ", " was not found"))
            .or_else(|| exec_line(text))
            .filter(|name| !name.is_empty())
            .map(str::to_owned)
    };
    // Windows: the image's build must match the host's.
    if lower.contains("exec format error")
        || lower.contains("operating system does not match the host operating system")
        || lower.contains("incompatible with the host operating system")
    {
        return Some(StartFailure::WrongFormat { command: name() });
    }
    let about_exec = has_any(
        lower,
        &[
            "exec: \"",
            "executable file",
            "open executable",
            "exec container process",
            "container command '",
            "error finding executable",
            "starting container process caused",
            "unable to start container process",
            "exec /",
            "exec user process",
        ],
    );
    // gVisor: `failed to load /app: no such file or directory`.
    if has_any(lower, &["executable file not found", "not found in $path", "not found or does not exist"])
        || (lower.contains("failed to load /") && lower.contains("no such file or directory"))
        || (lower.contains("the file ") && lower.contains(" was not found"))
        || (lower.contains("executable file `") && lower.contains("not found"))
        || (about_exec && lower.contains("no such file or directory"))
    {
        return Some(StartFailure::CommandNotFound { command: name() });
    }
    if (about_exec && has_any(lower, &["permission denied", "is a directory", "operation not permitted"]))
        || lower.contains("could not be invoked")
    {
        return Some(StartFailure::CommandNotExecutable { command: name() });
    }
    None
}

/// Returns `/entrypoint.sh` of `exec /entrypoint.sh: no such file or directory`, runc's last words in a log.
fn exec_line(text: &str) -> Option<&str> {
    let (_, rest) = text.split_once("exec /")?;
    let name = rest.split_once(": ").map(|(name, _)| name)?;
    let start = text.len() - rest.len() - 1;
    (!name.contains(char::is_whitespace)).then(|| text.get(start..start + name.len() + 1)).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn not_found(command: &str) -> StartFailure {
        StartFailure::CommandNotFound { command: Some(command.to_owned()) }
    }

    #[test]
    fn an_image_of_another_windows_build_is_of_the_wrong_format() {
        let text = "failed to create shim task: hcs::CreateComputeSystem 1: The container operating system does not match the host operating system.: unknown";
        assert_eq!(start_failure(text), StartFailure::WrongFormat { command: None });
    }

    #[test]
    fn reads_a_missing_command_in_every_wording() {
        for (text, command) in [
            (
                r#"failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: exec: "serve": executable file not found in $PATH: unknown"#,
                "serve",
            ),
            (
                r#"runc create failed: unable to start container process: error during container init: exec: "/app/serve": stat /app/serve: no such file or directory: unknown"#,
                "/app/serve",
            ),
            (
                r#"oci runtime error: container_linux.go:247: starting container process caused "exec: \"serve\": executable file not found in $PATH""#,
                "serve",
            ),
            ("container create failed: executable file `serve` not found in $PATH: No such file or directory", "serve"),
            ("Container command 'serve' not found or does not exist.", "serve"),
            ("exec /docker-entrypoint.sh: no such file or directory", "/docker-entrypoint.sh"),
        ] {
            assert_eq!(start_failure(text), not_found(command), "{text}");
        }
    }

    #[test]
    fn tells_mounts_from_commands() {
        let stale = r#"failed to create containerd task: OCI runtime create failed: container_linux.go:345: starting container process caused "process_linux.go:424: container init caused \"rootfs_linux.go:58: mounting \\\"/var/lib/kubelet/pods/211d53f4/volume-subpaths/manage-config-volume/manage/0\\\" to rootfs \\\"/run/containerd/rootfs\\\" at \\\"/run/containerd/rootfs/app/application.properties\\\" caused \\\"no such file or directory\\\"\"": unknown"#;
        assert_eq!(start_failure(stale), StartFailure::SubPathGone { volume: Some("manage-config-volume".to_owned()) });
        let mismatch = r#"runc create failed: unable to start container process: error during container init: error mounting "/var/lib/kubelet/pods/1/volume-subpaths/config/api/0" to rootfs at "/etc/app": mount /var/lib/kubelet/x:/etc/app (via /proc/self/fd/6), flags: 0x5001: not a directory: unknown: Are you trying to mount a directory onto a file (or vice-versa)?"#;
        assert!(
            matches!(start_failure(mismatch), StartFailure::MountMismatch { target: Some(target), .. } if target == "/etc/app")
        );
    }

    #[test]
    fn reads_the_rest() {
        for (text, expected) in [
            (
                r#"OCI runtime create failed: exec: "/start.sh": permission denied: unknown"#,
                StartFailure::CommandNotExecutable { command: Some("/start.sh".to_owned()) },
            ),
            ("exec /app: exec format error", StartFailure::WrongFormat { command: Some("/app".to_owned()) }),
            (
                r#"failed to generate container "1" spec: failed to generate spec: no command specified"#,
                StartFailure::NoCommand,
            ),
            (
                r#"OCI runtime create failed: runc create failed: unable to start container process: chdir to cwd ("/srv") set in config.json failed: permission denied: unknown"#,
                StartFailure::WorkingDirectory { path: Some("/srv".to_owned()) },
            ),
            (
                "unable to find user web: no matching entries in passwd file",
                StartFailure::UnknownUser { user: Some("web".to_owned()) },
            ),
            (
                r#"failed to reserve container name "app_web-1_prod_1_0": name "app_web-1_prod_1_0" is reserved for "2""#,
                StartFailure::NameReserved,
            ),
            ("context deadline exceeded", StartFailure::Deadline),
            ("container init was OOM-killed (memory limit too low?): unknown", StartFailure::MemoryTooSmall),
            ("fork/exec /usr/bin/containerd-shim: cannot allocate memory", StartFailure::NoMemory(NoMemory::Kernel)),
            ("", StartFailure::Other),
        ] {
            assert_eq!(start_failure(text), expected, "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn survives_any_text(text in ".{0,300}") {
            let _ = start_failure(&text);
        }
    }
}
