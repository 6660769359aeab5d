//! What the kernel refused: "no space left on device" and "cannot allocate memory" mean many things.
//!
//! Sources: kernel and runc error texts as kubelet events carry them; the false friends are told by the path.

use super::text::has_any;

/// What "no space left on device" is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoSpace {
    /// A disk: the runtime's data, the kubelet's folder, logs.
    Disk,
    /// A limit on cgroups or a leak of them: a path under `/sys/fs/cgroup`, or a systemd slice.
    Cgroup,
    /// A cgroup that takes no process: its cpuset is empty, or another limit of the cgroup itself.
    CgroupTask,
    /// `fs.inotify.max_user_watches`.
    Inotify,
    /// A limit on namespaces (`user.max_*_namespaces`): `unshare`, `clone`.
    Namespaces,
    /// The kernel's key ring is full (`kernel.keys.maxkeys`).
    KeyRing,
    /// A tmpfs whose size the kubelet takes from the pod's memory limit: token, Secret, projected and `Memory` volumes.
    PodTmpfs,
    /// A tmpfs of the node: `/run`, `/dev/shm`.
    NodeTmpfs,
    /// A volume of the pod (a claim, NFS): it is the volume that is full.
    Volume,
}

/// Reads "no space left on device"; `None` where the text does not say it.
pub fn no_space(text: &str) -> Option<NoSpace> {
    let lower = text.to_ascii_lowercase();
    if !has_any(&lower, &["no space left on device", "there is not enough space on the disk", "disk is full"]) {
        return None;
    }
    let cgroup = ["/sys/fs/cgroup", "unable to start unit", "kubepods.slice"];
    Some(if has_any(&lower, &["inotify"]) {
        NoSpace::Inotify
    } else if has_any(&lower, &["keyring", "session key", "join_keyctl"]) {
        NoSpace::KeyRing
    } else if has_any(&lower, &["cgroup.procs", "cpuset.cpus", "cpuset.mems", "failed to write to cgroup"]) {
        NoSpace::CgroupTask
    } else if has_any(&lower, &cgroup) {
        NoSpace::Cgroup
    } else if has_any(
        &lower,
        &["unshare", "max_user_namespaces", "nsenter", "clone_new", "create new parent process: namespace"],
    ) {
        NoSpace::Namespaces
    } else if has_any(
        &lower,
        &["kubernetes.io~projected", "kubernetes.io~secret", "kubernetes.io~empty-dir", "kubernetes.io~downward-api"],
    ) {
        NoSpace::PodTmpfs
    } else if has_any(
        &lower,
        &["kubernetes.io~csi", "kubernetes.io~nfs", "kubernetes.io~local-volume", "subpath directory"],
    ) {
        NoSpace::Volume
    } else if has_any(&lower, &[" /run/", "\"/run/", "'/run/", " /dev/shm", "\"/dev/shm"])
        && !lower.contains("/rootfs/")
    {
        // A container's root file system is mounted under /run and lies on the runtime's disk.
        NoSpace::NodeTmpfs
    } else {
        NoSpace::Disk
    })
}

/// What "cannot allocate memory" and the like are about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoMemory {
    /// `fork`, `clone`, netlink, a mount … : the kernel had no memory in one piece, or none at all.
    Kernel,
    /// `mkdir` or `write` under `/sys/fs/cgroup/memory/…`: a leak of kernel memory cgroups (old kernels), or a limit of
    /// a few bytes.
    Cgroup,
}

/// Reads "cannot allocate memory"; `None` where the text does not say it.
pub fn no_memory(text: &str) -> Option<NoMemory> {
    let lower = text.to_ascii_lowercase();
    if !has_any(&lower, &["cannot allocate memory", "page allocation failure", "slub: unable to allocate memory"]) {
        return None;
    }
    let cgroup = lower.contains("/sys/fs/cgroup") || lower.contains("unable to apply cgroup configuration");
    Some(if cgroup { NoMemory::Cgroup } else { NoMemory::Kernel })
}

/// Returns true where the text says that the memory limit was too small for the start itself.
///
/// runc ≥1.1 `container init was OOM-killed (memory limit too low?)`; crun `OOM: the memory limit could be too low`;
/// CRI-O `set memory limit N too low; should be at least M bytes`; docker `Minimum memory limit allowed is 6MB`; runc
/// ≤1.0 `… setns process for init caused "signal: killed"`, `read init-p: connection reset by peer` and an empty cause.
pub fn memory_limit_too_small(text: &str) -> bool {
    let text = super::text::unescaped(text);
    let lower = text.to_ascii_lowercase();
    let said = [
        "memory limit too low",
        "possibly oom-killed",
        "memory limit could be too low",
        "minimum memory limit allowed",
        "container init was oom-killed",
        "memory limit is too low",
    ];
    has_any(&lower, &said) || (lower.contains("set memory limit") && lower.contains("too low")) || died_in_start(&text)
}

/// Returns true where the first process of a container was killed before it was one: likely for memory, yet the text
/// does not say so (a limit of a few bytes; a node out of memory; a person).
pub fn died_in_start(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    has_any(
        &lower,
        &[
            "setns process for init caused \"signal: killed\"",
            "setns process caused: signal: killed",
            "setns process for init caused: signal: killed",
            "process_linux.go:424: container init caused \"\"",
            "container init caused \"\"",
            "container init caused: : unknown",
            "read init-p: connection reset by peer",
            "waiting for init preliminary setup: read init-p",
            "final child's pid from pipe caused \"eof\"",
            "final child's pid from pipe: eof",
            "getting pipe fds for pid",
            "caused \"signal: killed\"",
            "caused: signal: killed",
        ],
    ) && (lower.contains("init") || lower.contains("container_linux.go"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_the_false_friends_from_a_full_disk() {
        for (text, expected) in [
            ("mkdir /var/lib/docker/aufs/mnt/1f09-init: no space left on device", Some(NoSpace::Disk)),
            (
                "write /var/lib/containerd/io.containerd.metadata.v1.bolt/meta.db: no space left on device",
                Some(NoSpace::Disk),
            ),
            ("mkdir /sys/fs/cgroup/memory/kubepods/burstable/pod1: no space left on device", Some(NoSpace::Cgroup)),
            (
                "unable to start unit \"kubepods-burstable-pod1.slice\" (properties []): No space left on device",
                Some(NoSpace::Cgroup),
            ),
            ("inotify_add_watch /sys/fs/cgroup/cpu: no space left on device", Some(NoSpace::Inotify)),
            (
                "write /var/lib/kubelet/pods/1/volumes/kubernetes.io~projected/kube-api-access-x/..2026/token: no space left on device",
                Some(NoSpace::PodTmpfs),
            ),
            (
                "mkdir /run/containerd/io.containerd.runtime.v2.task/k8s.io/1: no space left on device",
                Some(NoSpace::NodeTmpfs),
            ),
            (
                "open /run/containerd/io.containerd.runtime.v2.task/k8s.io/app/rootfs/etc/resolv.conf: no space left on device",
                Some(NoSpace::Disk),
            ),
            (
                "mkdir /var/lib/kubelet/pods/1/volumes/kubernetes.io~csi/pvc-1/mount/data: no space left on device",
                Some(NoSpace::Volume),
            ),
            ("disk quota exceeded", None),
        ] {
            assert_eq!(no_space(text), expected, "{text}");
        }
    }

    #[test]
    fn reads_memory_refusals() {
        assert_eq!(no_memory("fork/exec /usr/bin/runc: cannot allocate memory"), Some(NoMemory::Kernel));
        assert_eq!(
            no_memory(
                "unable to apply cgroup configuration: mkdir /sys/fs/cgroup/memory/kubepods/pod1/c: cannot allocate memory"
            ),
            Some(NoMemory::Cgroup)
        );
        assert!(memory_limit_too_small("container init was OOM-killed (memory limit too low?): unknown"));
        assert!(memory_limit_too_small(
            r#"starting container process caused "process_linux.go:301: running exec setns process for init caused \"signal: killed\"": unknown"#
        ));
        assert!(memory_limit_too_small("set memory limit 4194304 too low; should be at least 12582912 bytes"));
        assert!(!memory_limit_too_small("exec: \"x\": executable file not found in $PATH"));
    }
}
