//! What the API server says when it cannot hand out a log: the way to the kubelet, or a normal refusal.
//!
//! Sources: `apiserver/pkg/registry/generic/rest/response_checker.go` and `streamer.go`,
//! `pkg/registry/core/pod/strategy.go`, `pkg/kubelet/server/server.go`, `pkg/kubelet/kubelet_pods.go`.

/// What a failed log call means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogError<'a> {
    /// The API server gets no connection to the kubelet's port.
    Unreachable { problem: Network, address: Option<&'a str> },
    /// TLS between the API server and the kubelet fails.
    Certificate(Tls),
    /// The kubelet refuses the API server (not the caller) after the handshake.
    KubeletRefuses(Refusal),
    /// The caller of the API may not read logs: our own rights, nothing about the pod.
    CallerForbidden,
    /// A normal answer: the container has not started, has no earlier run, or is gone.
    Normal(Normal),
    /// Something else.
    Other,
}

/// Why no connection comes about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Network {
    Timeout,
    Refused,
    NoRoute,
    /// The node's name is not known to the API server's resolver.
    UnknownHost,
    /// No tunnel agent (konnectivity) is connected.
    NoTunnel,
    /// The connection is cut in the middle of the handshake or of the answer.
    Cut,
}

/// What fails about the certificates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tls {
    /// The kubelet has no serving certificate to show (its request is not approved).
    NoServingCertificate,
    Expired,
    UnknownAuthority,
    /// The certificate is for other names or addresses.
    WrongName,
    HandshakeTimeout,
    Other,
}

/// How the kubelet refuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// 401: it does not trust the API server's client certificate.
    Unauthenticated,
    /// 403: it knows the API server and does not let it.
    Forbidden,
}

/// Answers that say nothing is broken on the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Normal {
    /// The container waits to start; what for is told by its status.
    NotStarted,
    NoEarlierRun,
    /// The log or the container is gone on the node.
    Gone,
}

/// Reads the API's text of a failed log call.
pub fn read(text: &str) -> LogError<'_> {
    let has = |part: &str| text.contains(part);
    if has("is waiting to start") || has("PodInitializing") || has("is not available") {
        return LogError::Normal(Normal::NotStarted);
    }
    if has("previous terminated container") {
        return LogError::Normal(Normal::NoEarlierRun);
    }
    if has("unable to retrieve container logs") || has("failed to try resolving symlinks") {
        return LogError::Normal(Normal::Gone);
    }
    let to_kubelet = has(":10250") || has("containerLogs") || has("/exec/") || has("error dialing backend");
    if let Some(tls) = tls(text, to_kubelet) {
        return LogError::Certificate(tls);
    }
    // The kubelet's 403 names the API server's own user and nodes/proxy; the caller's names pods/log.
    if has("Forbidden (user=") && (has("resource=nodes") || has("subresource")) {
        return LogError::KubeletRefuses(Refusal::Forbidden);
    }
    // The kubelet's 401 comes back with the call's own object in brackets: `( pods/log NAME)`. The same words
    // without them are the caller's own login.
    if (has("asked for the client to provide credentials") && has("( pods/log"))
        || has("unable to upgrade connection: Unauthorized")
    {
        return LogError::KubeletRefuses(Refusal::Unauthenticated);
    }
    if has("is forbidden: User") && has("pods/log") {
        return LogError::CallerForbidden;
    }
    if let Some(problem) = network(text, to_kubelet) {
        return LogError::Unreachable { problem, address: dialled(text) };
    }
    LogError::Other
}

fn tls(text: &str, to_kubelet: bool) -> Option<Tls> {
    let has = |part: &str| text.contains(part);
    if has("tls: internal error") || has("no serving certificate available for the kubelet") {
        return Some(Tls::NoServingCertificate);
    }
    if has("TLS handshake timeout") && to_kubelet {
        return Some(Tls::HandshakeTimeout);
    }
    if !(has("x509:") || has("tls:") || has("certificate")) || !(to_kubelet || has("pods/log")) {
        return None;
    }
    Some(if has("has expired") || has("not yet valid") {
        Tls::Expired
    } else if has("unknown authority") || has("unknown certificate authority") || has("bad certificate") {
        Tls::UnknownAuthority
    } else if has("certificate is valid for")
        || has("IP SANs")
        || has("not valid for any names")
        || has("relies on legacy Common Name")
    {
        Tls::WrongName
    } else {
        Tls::Other
    })
}

fn network(text: &str, to_kubelet: bool) -> Option<Network> {
    let has = |part: &str| text.contains(part);
    // konnectivity, k3s and rke2's remote dialer, the SSH tunnels of old GKE
    let tunnel = ["o agent available", "proxy error from", "No SSH tunnels", "ssh: rejected: connect failed"];
    if tunnel.iter().any(|mark| has(mark)) {
        return Some(Network::NoTunnel);
    }
    if !to_kubelet {
        return None;
    }
    Some(if has("connection refused") {
        Network::Refused
    } else if has("no route to host") || has("network is unreachable") || has("host is down") {
        Network::NoRoute
    } else if has("no such host") || has("server misbehaving") || has("lookup ") {
        Network::UnknownHost
    } else if has("i/o timeout")
        || has("connection timed out")
        // A kubelet that is reached and does not answer (its runtime hangs) ends in a deadline as well.
        || ((has("deadline exceeded") || has("Client.Timeout")) && (has("dial tcp") || has("waiting for connection")))
    {
        Network::Timeout
    } else if has("EOF") || has("connection reset by peer") || has("broken pipe") {
        Network::Cut
    } else {
        return None;
    })
}

/// Returns `192.168.10.109:10250` of `dial tcp 192.168.10.109:10250: …`.
fn dialled(text: &str) -> Option<&str> {
    let rest = text.split_once("dial tcp ")?.1;
    let address = rest.split([' ', ',']).next()?.trim_end_matches(':');
    address.contains(':').then_some(address)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn tells_the_way_to_the_kubelet_from_normal_answers() {
        for (text, expected) in [
            (
                "Get https://worker1:10250/containerLogs/default/a/b: dial tcp 192.168.10.109:10250: getsockopt: no route to host",
                LogError::Unreachable { problem: Network::NoRoute, address: Some("192.168.10.109:10250") },
            ),
            (
                r#"Get "https://10.0.0.4:10250/containerLogs/n/p/c": dial tcp 10.0.0.4:10250: i/o timeout"#,
                LogError::Unreachable { problem: Network::Timeout, address: Some("10.0.0.4:10250") },
            ),
            (
                r#"Get "https://n1:10250/containerLogs/n/p/c": dial tcp: lookup n1 on 10.0.0.2:53: no such host"#,
                LogError::Unreachable { problem: Network::UnknownHost, address: None },
            ),
            (
                r#"Get "https://192.168.166.87:10250/containerLogs/n/p/1?follow=true": remote error: tls: internal error"#,
                LogError::Certificate(Tls::NoServingCertificate),
            ),
            (
                r#"Get "https://10.0.0.4:10250/containerLogs/n/p/c": x509: certificate signed by unknown authority"#,
                LogError::Certificate(Tls::UnknownAuthority),
            ),
            (
                "the server has asked for the client to provide credentials ( pods/log web)",
                LogError::KubeletRefuses(Refusal::Unauthenticated),
            ),
            ("the server has asked for the client to provide credentials", LogError::Other),
            (
                "Forbidden (user=kube-apiserver-kubelet-client, verb=get, resource=nodes, subresource(s)=[proxy]) ( pods/log web)",
                LogError::KubeletRefuses(Refusal::Forbidden),
            ),
            (
                r#"pods "web" is forbidden: User "bot" cannot get resource "pods/log" in API group "" in the namespace "prod""#,
                LogError::CallerForbidden,
            ),
            (
                r#"container "app" in pod "web" is waiting to start: ContainerCreating"#,
                LogError::Normal(Normal::NotStarted),
            ),
            (r#"previous terminated container "app" in pod "web" not found"#, LogError::Normal(Normal::NoEarlierRun)),
        ] {
            assert_eq!(read(text), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn survives_any_text(text in "\\PC*") {
            read(&text);
        }
    }
}
