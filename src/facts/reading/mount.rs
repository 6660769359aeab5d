//! What the kubelet and the attach-detach controller say when a volume cannot be attached or mounted.
//!
//! Prefix grammar (kubernetes `pkg/volume/util/operationexecutor/operation_generator.go`): `MountVolume.<step> failed
//! for volume "<name>" : <error>`, `MapVolume.…`, `AttachVolume.Attach failed for volume "<name>" : <error>`,
//! `Multi-Attach error for volume "<name>" …`; and the summary `Unable to attach or mount volumes: unmounted
//! volumes=[…], …: <error>` (≤1.27 repeated on every timeout, ≥1.28 for population errors only).

use super::kernel::{self, NoSpace};
use super::text::{between, has_any};

/// A ConfigMap or a Secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    ConfigMap,
    Secret,
}

/// Why a volume could not be mounted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MountFailure {
    /// A ConfigMap or Secret that does not exist.
    Missing(Source, String),
    /// It exists, and lacks this key.
    KeyMissing(Source, String),
    /// Of the first seconds of a pod and the last ones of a deleted one: caches, `object … not registered`.
    Passing,
    /// The service account's token cannot be fetched.
    Token,
    /// The CSI driver is not registered with the kubelet of this node.
    DriverNotRegistered(String),
    /// The driver or its backend did not answer.
    Deadline,
    /// A hostPath is not there or not of the kind asked for.
    HostPath,
    /// The server refuses (exports, permissions).
    ServerRefuses,
    /// The server or path cannot be reached.
    ServerUnreachable,
    /// The exported path, file system or device does not exist.
    PathMissing,
    /// The node lacks the helper or kernel module for this kind of mount.
    HelperMissing,
    /// The file system on the disk is damaged or not what was said.
    FileSystem,
    /// The volume is not attached, or not yet reported as such: attaching comes first.
    NotAttached,
    /// It is attached by the API's word, and the node does not see the device.
    DeviceMissing,
    /// A tmpfs of the pod is too small: its size follows the pod's memory limit.
    PodTmpfs,
    /// The disk is full.
    DiskFull,
    /// Something else that reads "no space left on device".
    NoSpace(NoSpace),
    /// The claim does not exist, is not bound or is being deleted.
    Claim,
    /// The kubelet gave up waiting; the reason stands elsewhere.
    TimedOut,
    /// Permissions on the node: ownership, SELinux.
    Permission,
    Other,
}

/// A failed mount, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MountError<'a> {
    /// The volume's name in the pod, or the PersistentVolume's; `None` in the summary.
    pub volume: Option<&'a str>,
    /// `SetUp`, `MountDevice`, `WaitForAttach` …
    pub step: Option<&'a str>,
    pub failure: MountFailure,
    /// The error without its prefix.
    pub error: &'a str,
}

/// Reads the message of a FailedMount or FailedMapVolume event.
pub fn mount_error(text: &str) -> MountError<'_> {
    let volume = between(text, "for volume \"", "\"");
    let step = between(text, "MountVolume.", " failed").or_else(|| between(text, "MapVolume.", " failed"));
    let error = text
        .split_once("\" : ")
        .or_else(|| text.split_once("\" (UID: ").and_then(|(_, rest)| rest.split_once(": ")))
        .map_or(text, |(_, error)| error);
    MountError { volume, step, failure: failure(text, error), error }
}

fn failure(text: &str, error: &str) -> MountFailure {
    let lower = text.to_ascii_lowercase();
    if lower.contains("not registered") && lower.contains("object \"") {
        return MountFailure::Passing;
    }
    if has_any(
        &lower,
        &[
            "failed to sync configmap cache",
            "failed to sync secret cache",
            "couldn't propagate object cache",
            "failed to sync",
        ],
    ) && lower.contains("cache")
    {
        return MountFailure::Passing;
    }
    // A driver's own secret (nodeStageSecretRef and the like) is none that the pod names.
    let of_driver = has_any(&lower, &["kubernetes.io/csi", "rpc error", "secretproviderclass"]);
    if let Some(missing) = missing_source(text).filter(|_| !of_driver) {
        return missing;
    }
    if has_any(&lower, &["failed to fetch token", "serviceaccounts \"", "tokenrequest"]) {
        return MountFailure::Token;
    }
    if lower.contains("not found in the list of registered csi drivers") {
        let driver = between(text, "driver name ", " not found").unwrap_or_default();
        return MountFailure::DriverNotRegistered(driver.to_owned());
    }
    match kernel::no_space(error) {
        Some(NoSpace::PodTmpfs) => return MountFailure::PodTmpfs,
        Some(NoSpace::Disk) => return MountFailure::DiskFull,
        Some(other) => return MountFailure::NoSpace(other),
        None => {}
    }
    if has_any(
        &lower,
        &["hostpath type check failed", "hostpath \"", "is not a directory:", "failed to check if path exists"],
    ) && lower.contains("hostpath")
    {
        return MountFailure::HostPath;
    }
    if has_any(
        &lower,
        &[
            "persistentvolumeclaim \"",
            "persistentvolumeclaims \"",
            "pvc is not bound",
            "pvc is being deleted",
            "claim is not bound",
            "error processing pvc",
            "is not bound",
        ],
    ) && has_any(&lower, &["not found", "not bound", "being deleted", "lost", "forbidden"])
    {
        return MountFailure::Claim;
    }
    if has_any(
        &lower,
        &[
            "might need a /sbin/mount",
            "unknown filesystem type 'nfs",
            "unknown filesystem type 'ceph",
            "unknown filesystem type 'cifs",
            "unknown filesystem type 'glusterfs",
            "need a /sbin/mount.",
            "executable file not found in $path",
            "mount helper",
            "modprobe",
            "module not found",
            "rpc.statd is not running",
            "no such device",
            "iscsiadm",
        ],
    ) && !lower.contains("unable to find device")
    {
        return MountFailure::HelperMissing;
    }
    if has_any(
        &lower,
        &[
            "wrong fs type",
            "bad superblock",
            "fsck' found errors",
            "fsck found errors",
            "structure needs cleaning",
            "cannot mount unformatted disk",
            "mount failed: exit status 32: can't read superblock",
            "input/output error",
            "unknown filesystem type",
            "already contains",
        ],
    ) {
        return MountFailure::FileSystem;
    }
    if has_any(
        &lower,
        &[
            "access denied by server",
            "not permitted by server",
            "authentication error",
            "mount error(13)",
            "logon failure",
            "rados: ret=-13",
            "error connecting to the cluster",
            "operation not permitted: ret",
        ],
    ) {
        return MountFailure::ServerRefuses;
    }
    if has_any(
        &lower,
        &[
            "no route to host",
            "connection timed out",
            "connection refused",
            "network is unreachable",
            "host is down",
            "failed to resolve",
            "name or service not known",
            "no such host",
            "i/o timeout",
            "server not responding",
            "protocol not supported",
            "requested nfs version",
            "portmap query",
            "rpc: timed out",
            "mount error(115)",
            "mount error(110)",
            "unable to receive",
        ],
    ) {
        return MountFailure::ServerUnreachable;
    }
    let device = [
        "failed to find device",
        "could not find device",
        "unable to find device",
        "find device path",
        "devicepath is empty",
    ];
    if has_any(&lower, &device) {
        return MountFailure::DeviceMissing;
    }
    let attach = [
        "volumesinuse",
        "not attached according to node status",
        "volume not attached",
        "no attachment",
        "attachment was not found",
        "external-attacher",
        "volume is not attached",
        "is not attached to node",
        "not yet attached",
    ];
    if has_any(&lower, &attach) || text.contains("MountVolume.WaitForAttach") {
        return MountFailure::NotAttached;
    }
    if has_any(
        &lower,
        &[
            "code = deadlineexceeded",
            "context deadline exceeded",
            "an operation with the given volume id",
            "operation already exists",
            "operation with the given",
            "an operation for",
            "code = aborted",
            "timed out after",
        ],
    ) {
        return MountFailure::Deadline;
    }
    if has_any(
        &lower,
        &[
            "unable to attach or mount volumes",
            "unable to mount volumes for pod",
            "timeout expired waiting for volumes",
        ],
    ) {
        return MountFailure::TimedOut;
    }
    if has_any(&lower, &["permission denied", "operation not permitted", "read-only file system", "chown ", "lchown"]) {
        return MountFailure::Permission;
    }
    if has_any(&lower, &["no such file or directory", "does not exist", "not found", "special device"]) {
        return MountFailure::PathMissing;
    }
    MountFailure::Other
}

/// Reads a missing ConfigMap, Secret or key, as FailedMount and CreateContainerConfigError tell it.
///
/// `configmap "x" not found`; old kubelets: `configmaps "x" not found`, `secrets "x" not found`; keys: `couldn't find key
/// K in ConfigMap NS/X`, `references non-existent secret key: K`, `configmap references non-existent config key: K`.
pub fn missing_source(text: &str) -> Option<MountFailure> {
    if let Some(key) = after(text, "references non-existent secret key: ") {
        return Some(MountFailure::KeyMissing(Source::Secret, word(key)));
    }
    if let Some(key) = after(text, "references non-existent config key: ") {
        return Some(MountFailure::KeyMissing(Source::ConfigMap, word(key)));
    }
    if let Some(rest) = after(text, "couldn't find key ").or_else(|| after(text, "Couldn't find key ")) {
        let key = rest.split_whitespace().next().unwrap_or_default();
        let source = if rest.contains(" in Secret") { Source::Secret } else { Source::ConfigMap };
        return Some(MountFailure::KeyMissing(source, key.to_owned()));
    }
    for (before, source) in [
        ("configmap \"", Source::ConfigMap),
        ("configmaps \"", Source::ConfigMap),
        ("secret \"", Source::Secret),
        ("secrets \"", Source::Secret),
    ] {
        if let Some(rest) = after(text, before)
            && let Some((name, rest)) = rest.split_once('"')
            && rest.trim_start().starts_with("not found")
        {
            return Some(MountFailure::Missing(source, name.to_owned()));
        }
    }
    None
}

/// Why a volume could not be attached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AttachFailure {
    /// Other pods use it on another node.
    UsedBy(Vec<String>),
    /// It is still attached to another node, and no pod that uses it there is known.
    AttachedElsewhere,
    /// The driver's attacher does not answer.
    AttacherSilent,
    /// The node does not run the driver.
    DriverNotOnNode,
    /// The disk does not exist.
    DiskMissing,
    /// The node has no room for another disk.
    LimitReached,
    /// The cloud refuses (rights, quota, zone).
    Refused,
    /// An attachment of the same volume is being deleted.
    BeingDeleted,
    Other,
}

/// A failed attach, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttachError<'a> {
    pub volume: Option<&'a str>,
    pub failure: AttachFailure,
    pub error: &'a str,
}

/// Reads the message of a FailedAttachVolume event, or of a VolumeAttachment's `attachError`.
pub fn attach_error(text: &str) -> AttachError<'_> {
    let volume = between(text, "for volume \"", "\"");
    let error = text.split_once("\" : ").map_or(text, |(_, error)| error);
    let lower = text.to_ascii_lowercase();
    let failure = if let Some(pods) = after(text, "already used by pod(s) ") {
        AttachFailure::UsedBy(
            pods.split(" and ").next().unwrap_or(pods).split(", ").map(|pod| pod.trim().to_owned()).collect(),
        )
    } else if has_any(
        &lower,
        &[
            "exclusively attached to one node",
            "multi-attach error",
            "already attached to node",
            "already attached to another node",
            "is already attached to",
            "already attached to an instance",
            "volumeinuse",
            "disk is already being used by",
            "resource_in_use_by_another_resource",
            "attached to a different",
            "is currently attached to",
        ],
    ) {
        AttachFailure::AttachedElsewhere
    } else if has_any(
        &lower,
        &[
            "timed out waiting for external-attacher",
            "attachment timeout",
            "timed out waiting for the condition",
            "watch error",
            "attacher detachvolume failed",
        ],
    ) {
        AttachFailure::AttacherSilent
    } else if has_any(
        &lower,
        &["does not contain driver", "csinode", "node has no nodeid annotation", "no nodeid", "find csi driver"],
    ) {
        AttachFailure::DriverNotOnNode
    } else if has_any(&lower, &["volume attachment is being deleted", "is being deleted"]) {
        AttachFailure::BeingDeleted
    } else if has_any(
        &lower,
        &[
            "attachmentlimitexceeded",
            "maximum number of data disks",
            "limit exceeded",
            "too many volumes",
            "max number of",
            "exceeds the maximum",
            "resource_exhausted",
            "resourceexhausted",
        ],
    ) {
        AttachFailure::LimitReached
    } else if has_any(
        &lower,
        &[
            "unauthorizedoperation",
            "not authorized",
            "accessdenied",
            "forbidden",
            "permission",
            "authorizationfailed",
            "quota",
            "same zone",
            "different zone",
            "invalidvolume.zonemismatch",
            "unauthenticated",
            "code: 403",
            "status code: 403",
        ],
    ) {
        AttachFailure::Refused
    } else if !(lower.contains("instance") || lower.contains("node "))
        && has_any(
            &lower,
            &["code = notfound", "not found", "notfound", "does not exist", "no such volume", "doesn't exist"],
        )
    {
        AttachFailure::DiskMissing
    } else {
        AttachFailure::Other
    };
    AttachError { volume, failure, error }
}

fn after<'a>(text: &'a str, before: &str) -> Option<&'a str> {
    text.split_once(before).map(|(_, rest)| rest)
}

fn word(text: &str) -> String {
    text.split([' ', ',', ']', '"', ';']).next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_mounts() {
        use MountFailure as F;
        for (text, expected) in [
            (
                "MountVolume.SetUp failed for volume \"cert\" : secret \"ingress\" not found",
                F::Missing(Source::Secret, "ingress".to_owned()),
            ),
            (
                "MountVolume.SetUp failed for volume \"c\" : configmaps \"settings\" not found",
                F::Missing(Source::ConfigMap, "settings".to_owned()),
            ),
            (
                "MountVolume.SetUp failed for volume \"c\" : references non-existent secret key: tls.crt",
                F::KeyMissing(Source::Secret, "tls.crt".to_owned()),
            ),
            ("couldn't find key url in ConfigMap shop/settings", F::KeyMissing(Source::ConfigMap, "url".to_owned())),
            (
                "MountVolume.SetUp failed for volume \"certs-ca\" : failed to sync secret cache: timed out waiting for the condition",
                F::Passing,
            ),
            (
                "MountVolume.SetUp failed for volume \"x\" : object \"ns\"/\"kube-root-ca.crt\" not registered",
                F::Passing,
            ),
            (
                "MountVolume.MountDevice failed for volume \"nas\" : kubernetes.io/csi: attacher.MountDevice failed to create newCsiDriverClient: driver name nas.example.com not found in the list of registered CSI drivers",
                F::DriverNotRegistered("nas.example.com".to_owned()),
            ),
            (
                "MountVolume.SetUp failed for volume \"n\" : mount failed: exit status 32\nOutput: mount.nfs: access denied by server while mounting 10.0.0.1:/x",
                F::ServerRefuses,
            ),
            (
                "MountVolume.SetUp failed for volume \"n\" : mount failed: exit status 32\nOutput: mount.nfs: Connection timed out",
                F::ServerUnreachable,
            ),
            (
                "MountVolume.SetUp failed for volume \"n\" : mount: wrong fs type, bad option, bad superblock on 10.0.0.1:/x, missing codepage or helper program, or other error. (for several filesystems (e.g. nfs, cifs) you might need a /sbin/mount.<type> helper program)",
                F::HelperMissing,
            ),
            (
                "MountVolume.SetUp failed for volume \"h\" : hostPath type check failed: /data is not a directory",
                F::HostPath,
            ),
            (
                "MountVolume.SetUp failed for volume \"kube-api-access-t\" : write /var/lib/kubelet/pods/1/volumes/kubernetes.io~projected/kube-api-access-t/..1/token: no space left on device",
                F::PodTmpfs,
            ),
            (
                "Unable to attach or mount volumes: unmounted volumes=[data], unattached volumes=[data]: timed out waiting for the condition",
                F::TimedOut,
            ),
            (
                "MountVolume.MountDevice failed for volume \"p\" : rpc error: code = DeadlineExceeded desc = context deadline exceeded",
                F::Deadline,
            ),
            ("", F::Other),
        ] {
            assert_eq!(mount_error(text).failure, expected, "{text}");
        }
        assert_eq!(mount_error("MountVolume.SetUp failed for volume \"c\" : x").volume, Some("c"));
    }

    #[test]
    fn reads_attaches() {
        use AttachFailure as F;
        for (text, expected) in [
            (
                "Multi-Attach error for volume \"v\" Volume is already used by pod(s) a-1, a-2 and 3 pod(s) in different namespaces",
                F::UsedBy(vec!["a-1".to_owned(), "a-2".to_owned()]),
            ),
            (
                "Multi-Attach error for volume \"v\" Volume is already exclusively attached to one node and can't be attached to another",
                F::AttachedElsewhere,
            ),
            (
                "AttachVolume.Attach failed for volume \"v\" : timed out waiting for external-attacher of ebs.csi.aws.com CSI driver to attach volume vol-1",
                F::AttacherSilent,
            ),
            ("AttachVolume.Attach failed for volume \"v\" : CSINode n1 does not contain driver d", F::DriverNotOnNode),
            (
                "AttachVolume.Attach failed for volume \"v\" : rpc error: code = NotFound desc = volume not found",
                F::DiskMissing,
            ),
            (
                "AttachVolume.Attach failed for volume \"v\" : rpc error: code = Internal desc = UnauthorizedOperation: You are not authorized",
                F::Refused,
            ),
            ("", F::Other),
        ] {
            assert_eq!(attach_error(text).failure, expected, "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn survives_any_text(text in ".{0,300}") {
            let _ = (mount_error(&text), attach_error(&text));
        }
    }
}
