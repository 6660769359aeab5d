//! What the kubelet says when it cannot make a pod's sandbox: network, cgroups, the runtime itself.
//!
//! Events FailedCreatePodSandBox, FailedCreatePodContainer and NetworkNotReady. The order of the questions matters: a
//! network plugin's error may hold any other words (signals 3.5 to 3.9).

use super::image;
use super::kernel::{self, NoMemory, NoSpace};
use super::text::{between, has_any, unescaped};

/// Why a sandbox could not be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SandboxFailure {
    Cni(Cni),
    /// The pause image is not there and cannot be pulled: a matter of images.
    PauseImage,
    NoSpace(NoSpace),
    NoMemory(NoMemory),
    /// The pod's memory limit does not suffice for the pause process: the text says so.
    MemoryTooSmall,
    /// The first process was killed or failed before it was one; the text does not say why. On nodes with fragmented
    /// memory `exit status N`, with a limit of a few bytes `signal: killed` or a broken pipe.
    DiedInStart,
    /// The RuntimeClass or its handler is not known.
    RuntimeClass(Option<String>),
    /// Kubelet and runtime disagree about the cgroup driver.
    CgroupDriver,
    /// An earlier attempt still holds the sandbox's name.
    NameReserved,
    /// The runtime did not answer in time.
    Deadline,
    /// The runtime is not there.
    RuntimeDown,
    Sysctl,
    Other,
}

/// What is wrong with the network plugin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cni {
    /// No configuration in /etc/cni/net.d: no plugin has been set up, or its pod does not run.
    NotReady,
    /// A plugin's program is not in /opt/cni/bin.
    PluginMissing,
    /// The plugin's agent on the node does not answer or has left no state.
    AgentDown,
    /// The plugin may not ask the API server, or cannot reach it.
    ApiRefused,
    /// No address is left.
    NoAddress,
    /// A bridge, route or address of an earlier setup is in the way.
    StaleState,
    /// A network that the pod asks for (Multus) does not exist.
    NetworkUnknown,
    Other,
}

/// Reads why a sandbox could not be made.
pub fn sandbox_failure(text: &str) -> SandboxFailure {
    let text = unescaped(text);
    let lower = text.to_ascii_lowercase();
    // A runtime class's own error names no network, and Kata's texts mention devices and agents: asked first.
    if let Some(handler) = runtime_class(&text, &lower) {
        return SandboxFailure::RuntimeClass(handler);
    }
    if let Some(cni) = cni(&lower) {
        return SandboxFailure::Cni(cni);
    }
    if image::pause_image(&text).is_some() {
        return SandboxFailure::PauseImage;
    }
    if let Some(space) = kernel::no_space(&lower) {
        return SandboxFailure::NoSpace(space);
    }
    if let Some(memory) = kernel::no_memory(&lower) {
        return SandboxFailure::NoMemory(memory);
    }
    if kernel::memory_limit_too_small(&text) && !kernel::died_in_start(&text) {
        return SandboxFailure::MemoryTooSmall;
    }
    if kernel::died_in_start(&text) || exit_status_in_start(&lower) {
        return SandboxFailure::DiedInStart;
    }
    if has_any(
        &lower,
        &[
            "cgroup-parent for systemd cgroup should be a valid slice",
            "expected cgroupspath to be of format",
            "cgroup driver",
            "cgroupspath",
            "invalid slice name",
            "not a valid slice",
        ],
    ) {
        return SandboxFailure::CgroupDriver;
    }
    if has_any(
        &lower,
        &["is reserved for", "name is reserved", "failed to reserve sandbox name", "already in use by container"],
    ) {
        return SandboxFailure::NameReserved;
    }
    if lower.contains("sysctl") {
        return SandboxFailure::Sysctl;
    }
    if has_any(
        &lower,
        &[
            "containerd.sock",
            "dockershim.sock",
            "crio.sock",
            "cannot connect to the docker daemon",
            "transport is closing",
            "connection error: desc",
            "code = unavailable",
        ],
    ) {
        return SandboxFailure::RuntimeDown;
    }
    if has_any(
        &lower,
        &["deadlineexceeded", "context deadline exceeded", "operation timeout", "timed out", "context canceled"],
    ) {
        return SandboxFailure::Deadline;
    }
    SandboxFailure::Other
}

/// runc's stage in the new namespaces ended with a status instead of a word (`exit status 6`, `34`, `40`).
fn exit_status_in_start(lower: &str) -> bool {
    has_any(
        lower,
        &[
            "setns process for init caused \"exit status",
            "setns process for init caused: exit status",
            "setns process caused: exit status",
            "setns process caused \"exit status",
        ],
    )
}

fn runtime_class(text: &str, lower: &str) -> Option<Option<String>> {
    let name = |before: &str, after: &str| between(text, before, after).map(str::to_owned);
    if lower.contains("runtimeclass") && has_any(lower, &["not found", "cannot be found", "does not exist"]) {
        let class = name("RuntimeClass \"", "\"").or_else(|| name("runtimeclasses.node.k8s.io \"", "\""));
        return Some(class.or_else(|| name("runtimeclass.node.k8s.io \"", "\"")));
    }
    if lower.contains("no runtime for \"") && lower.contains("is configured") {
        return Some(name("no runtime for \"", "\""));
    }
    if lower.contains("runtimehandler \"") && lower.contains("not supported") {
        return Some(name("RuntimeHandler \"", "\""));
    }
    if lower.contains("failed to find runtime handler") {
        return Some(name("failed to find runtime handler ", " ").map(|name| name.trim_matches('"').to_owned()));
    }
    if lower.contains("unknown or invalid runtime name") {
        return Some(name("runtime name: ", " ").or_else(|| lower.split("runtime name: ").nth(1).map(str::to_owned)));
    }
    // The handler is configured, its program is not installed.
    if lower.contains("binary not installed")
        || (lower.contains("containerd-shim-")
            && has_any(lower, &["file does not exist", "executable file not found", "no such file or directory"])
            && !lower.contains("containerd-shim-runc"))
    {
        return Some(name("containerd-shim-", "-v2"));
    }
    None
}

/// Reads what is wrong with the network plugin; `None` where the text is not about the network. `lower` in lower case.
pub fn cni(lower: &str) -> Option<Cni> {
    let about = has_any(
        lower,
        &[
            "cni",
            "failed to setup network for sandbox",
            "failed to set up sandbox container",
            "network for pod",
            "networkplugin",
            "network plugin",
            "networknotready",
            "network is not ready",
            "error adding pod",
            "pod network sandbox",
            "plugin type=\"",
            "failed to destroy network for sandbox",
            "failed to allocate for range",
            "calico",
            "flannel",
            "kube-ovn",
            "antrea",
        ],
    );
    // CRI-O says `pod network sandbox` of every error; only these words are about the network.
    let crio_other = lower.contains("pod network sandbox")
        && !has_any(lower, &["cni", "adding pod", "network for", "plugin type", "networkplugin"]);
    if !about || crio_other {
        return None;
    }
    // The pause image's pull and a full disk are told by their own words, wherever they stand.
    if has_any(lower, &["failed to get sandbox image", "initializing source docker://"]) {
        return None;
    }
    if !has_any(lower, &["failed (add)", "failed (delete)", "network", "cni plugin", "cni"]) {
        return None;
    }
    Some(
        if has_any(
            lower,
            &[
                "no ip addresses available",
                "no free ip",
                "no more free ip",
                "no available ip",
                "no more ips",
                "no available addresses",
                "range is full",
                "all cidr ranges are exhausted",
                "exhausted",
                "failed to assign an ip address",
                "failed to allocate address",
                "failed to allocate pool",
                "failed to request 1 ipv4",
                "failed to request ipv4",
                "no configured calico pools",
                "insufficientfreeaddresses",
                "failed to allocate for range",
                "insufficient ip",
                "assigned 0 out of",
                "addressexhausted",
                "noavailableaddress",
                "out of ip",
                "ip pool is full",
                "no addresses available",
                "not enough ip",
                "ipnotenough",
                "not have enough ip",
                "could not allocate ip in range",
                "insufficient available ip",
                "no ip available",
                "no ips available",
                "no free address",
                "not enough free ip",
                "no more addresses",
                "failed to assign ip address",
                "ip addresses used out",
                "failed to allocate any ipv",
                "not enough available ip",
                "no remaining ip",
            ],
        ) {
            Cni::NoAddress
        } else if has_any(
            lower,
            &[
                "failed to find plugin",
                "no such plugin",
                "executable file not found",
                "exec format error",
                "plugin not found in path",
            ],
        ) {
            Cni::PluginMissing
        } else if has_any(
            lower,
            &[
                "cni plugin not initialized",
                "cni config uninitialized",
                "no cni configuration file",
                "no networks found in",
                "networkpluginnotready",
                "no valid networks found",
                "network is not ready",
                "no cni config",
                "error loading cni config",
                "missing network name",
            ],
        ) {
            Cni::NotReady
        } else if has_any(
            lower,
            &[
                "already has an ip address different from",
                "already exists",
                "file exists",
                "duplicate allocation",
                "address already in use",
                "device or resource busy",
                "failed to set bridge addr",
            ],
        ) {
            Cni::StaleState
        } else if has_any(lower, &["network-attachment-definition"]) && has_any(lower, &["not found", "cannot find"]) {
            Cni::NetworkUnknown
        } else if has_any(
            lower,
            &[
                "unauthorized",
                "forbidden",
                "x509",
                "error getting clusterinformation",
                "error getting k8s client",
                "getting the config map",
                "certificate",
                "no kind is registered",
                "token has expired",
                "10.96.0.1:443",
                "10.43.0.1:443",
                "https://[",
            ],
        ) {
            Cni::ApiRefused
        } else if has_any(
            lower,
            &[
                "/var/lib/calico/nodename",
                "subnet.env",
                "cilium.sock",
                "unable to connect to cilium agent",
                "failed to connect to backend",
                "127.0.0.1:50051",
                "readinessindicatorfile",
                "check that the calico/node container is running",
                "is the agent running",
                "connection refused",
                "no such file or directory",
                "i/o timeout",
                "failed to send cni request",
                "cni request failed",
                "cnirequest",
                "deadline exceeded",
                "timed out",
                "toomanyrequests",
                "unavailable",
                "dial unix",
                "eof",
            ],
        ) {
            Cni::AgentDown
        } else {
            Cni::Other
        },
    )
}

/// Returns the plugin's type where the text names it: `plugin type="calico"`, `failed to find plugin "loopback"`.
pub fn plugin(text: &str) -> Option<&str> {
    between(text, "plugin type=\"", "\"")
        .or_else(|| between(text, "failed to find plugin \"", "\""))
        .filter(|name| !name.is_empty())
        .or_else(|| {
            [
                "calico",
                "cilium",
                "flannel",
                "aws-cni",
                "multus",
                "weave",
                "antrea",
                "kube-ovn",
                "ovn-kubernetes",
                "azure-vnet",
            ]
            .into_iter()
            .find(|name| text.contains(name))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_sandboxes() {
        use SandboxFailure as F;
        for (text, expected) in [
            (
                "failed to setup network for sandbox \"1\": plugin type=\"calico\" failed (add): stat /var/lib/calico/nodename: no such file or directory: check that the calico/node container is running",
                F::Cni(Cni::AgentDown),
            ),
            (
                "[failed to set up sandbox container \"9\" network for pod \"c\": NetworkPlugin cni failed to set up pod \"c\" network: failed to find plugin \"loopback\" in path [/opt/cni/bin]]",
                F::Cni(Cni::PluginMissing),
            ),
            (
                "failed to setup network for sandbox \"1\": plugin type=\"bridge\" failed (add): failed to allocate for range 0: no IP addresses available in range set: 10.244.1.1-10.244.1.254",
                F::Cni(Cni::NoAddress),
            ),
            (
                "failed to setup network for sandbox \"1\": plugin type=\"aws-cni\" name=\"aws-cni\" failed (add): add cmd: failed to assign an IP address to container",
                F::Cni(Cni::NoAddress),
            ),
            (
                "failed to setup network for sandbox \"1\": plugin type=\"azure-vnet\" failed (add): IPAM Invoker Add failed with error: Failed to get IP address from CNS: AllocateIPConfig failed: not enough IPs available for 8a44, waiting on Azure CNS to allocate more",
                F::Cni(Cni::NoAddress),
            ),
            (
                "failed to setup network for sandbox \"1\": plugin type=\"multus\" failed (add): error at storage engine: Could not allocate IP in range: ip: 192.168.20.10 / - 192.168.20.20 / range: 192.168.20.0/24",
                F::Cni(Cni::NoAddress),
            ),
            (
                "plugin type=\"terway\" failed (add): cmdAdd: error alloc ip rpc error: code = Unknown desc = InvalidVSwitchId.IpNotEnough: The specified VSwitch \"vsw-1\" has not enough IpAddress.; network",
                F::Cni(Cni::NoAddress),
            ),
            (
                "failed to setup network for sandbox \"1\": plugin type=\"bridge\" failed (add): failed to set bridge addr: \"cni0\" already has an IP address different from 10.244.2.1/24",
                F::Cni(Cni::StaleState),
            ),
            (
                "plugin type=\"calico\" failed (add): error getting ClusterInformation: connection is unauthorized: Unauthorized; network",
                F::Cni(Cni::ApiRefused),
            ),
            (
                "network is not ready: container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady message:Network plugin returns error: cni plugin not initialized",
                F::Cni(Cni::NotReady),
            ),
            ("failed to get sandbox image \"registry.k8s.io/pause:3.9\": failed to pull image", F::PauseImage),
            (
                "failed to get sandbox runtime: no runtime for \"kata-qemu\" is configured",
                F::RuntimeClass(Some("kata-qemu".to_owned())),
            ),
            (
                "Error response from daemon: cgroup-parent for systemd cgroup should be a valid slice named as \"xxx.slice\"",
                F::CgroupDriver,
            ),
            ("mkdir /var/lib/docker/aufs/mnt/1f09-init: no space left on device", F::NoSpace(NoSpace::Disk)),
            (
                "unable to ensure pod container exists: failed to create container for [kubepods burstable pod1] : mkdir /sys/fs/cgroup/memory/kubepods/burstable/pod1: no space left on device",
                F::NoSpace(NoSpace::Cgroup),
            ),
            ("fork/exec /usr/bin/runc: cannot allocate memory", F::NoMemory(NoMemory::Kernel)),
            (
                "OCI runtime create failed: container init was OOM-killed (memory limit too low?): unknown",
                F::MemoryTooSmall,
            ),
            (
                r#"starting container process caused "process_linux.go:303: getting the final child's pid from pipe caused \"read init-p: connection reset by peer\"": unknown"#,
                F::DiedInStart,
            ),
            (
                r#"oci runtime error: container_linux.go:247: starting container process caused \\\"process_linux.go:245: running exec setns process for init caused \\\\\\\"exit status 6\\\\\\\"\\\"\\n"#,
                F::DiedInStart,
            ),
            ("failed to reserve sandbox name \"a\": name \"a\" is reserved for \"b\"", F::NameReserved),
            ("rpc error: code = DeadlineExceeded desc = context deadline exceeded", F::Deadline),
            ("", F::Other),
        ] {
            assert_eq!(sandbox_failure(text), expected, "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn survives_any_text(text in ".{0,300}") {
            let _ = (sandbox_failure(&text), plugin(&text));
        }
    }
}
