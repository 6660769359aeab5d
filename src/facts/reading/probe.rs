//! What the kubelet says of probes: why one failed (event `Unhealthy`), and why it kills (event `Killing`).
//!
//! Source: kubernetes `pkg/kubelet/prober`, `pkg/probe/{http,tcp,grpc,exec}`, `pkg/kubelet/kuberuntime`. A result that
//! *errored* is thrown away by the kubelet: it never counts to failureThreshold, so liveness never kills for it, while
//! readiness and startup stay at their initial "not yet" for ever.

use super::runtime::{self, StartFailure};
use super::text::{between, says};

/// Which of a container's probes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Liveness,
    Readiness,
    Startup,
}

/// Why a probe failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// Nothing listens on the port.
    Refused,
    /// It listens, or packets are lost: no answer in time.
    Timeout,
    /// The HTTP status; the kubelet takes 200 to 399 for good.
    Status(u16),
    /// The probe speaks HTTPS, the port plain HTTP.
    PlainAnswerToHttps,
    /// The port speaks something that is no TLS at all.
    NoTls,
    /// The probe speaks plain HTTP, the answer is TLS, gRPC or another protocol.
    NotHttp,
    /// The connection was accepted and closed without an answer (EOF, reset).
    Closed,
    /// The port's name is none of the container's.
    UnknownPort(String),
    /// `httpGet.host` or its like cannot be resolved.
    UnknownHost(String),
    /// No route to the pod, or the network is down.
    NoRoute,
    /// The server does not implement the gRPC health protocol, or does not know the service asked for.
    GrpcWithoutHealth,
    /// The gRPC connection never came about: nothing listens, or something that speaks no gRPC.
    GrpcNoConnection,
    /// The gRPC health service answers that it does not serve.
    GrpcNotServing,
    /// The probe's command is not in the image.
    CommandMissing(Option<String>),
    /// The probe's command may not be executed.
    CommandNotExecutable(Option<String>),
    /// The runtime could not run the command: the container is gone, or the runtime is in trouble.
    ExecFailed,
    /// What a command printed; may be empty.
    Printed(String),
}

/// An event `Unhealthy`, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    pub kind: Kind,
    /// The kubelet could not even ask; the result does not count.
    pub errored: bool,
    pub output: Output,
}

/// Why the kubelet stops a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kill {
    Probe(Kind),
    /// The postStart hook failed.
    Hook,
    /// The container's settings changed.
    Changed,
    /// The pod is deleted or evicted, or the node shuts down.
    Stopping,
    Other,
}

/// Reads an event `Unhealthy`; `None` for another text.
pub fn unhealthy(message: &str) -> Option<Failure> {
    let message = message.strip_prefix("(combined from similar events): ").unwrap_or(message);
    let (kind, rest) = [("Liveness", Kind::Liveness), ("Readiness", Kind::Readiness), ("Startup", Kind::Startup)]
        .into_iter()
        .find_map(|(word, kind)| Some((kind, message.strip_prefix(word)?.strip_prefix(" probe ")?)))?;
    if let Some(output) = rest.strip_prefix("failed: ").or_else(|| rest.strip_prefix("failed:")) {
        return Some(Failure { kind, errored: false, output: output_of(output, false) });
    }
    // ≤1.32 "errored: X"; ≥1.33 "errored and resulted in unknown state: X".
    let output = rest.strip_prefix("errored")?.split_once(": ").map_or("", |(_, output)| output);
    Some(Failure { kind, errored: true, output: output_of(output, true) })
}

fn output_of(text: &str, errored: bool) -> Output {
    let lower = text.to_ascii_lowercase();
    if let Some(code) = between(&format!("{lower}\n"), "http probe failed with statuscode: ", "\n")
        .and_then(|code| code.trim().split(|c: char| !c.is_ascii_digit()).next()?.parse().ok())
    {
        return Output::Status(code);
    }
    if lower.contains("strconv.atoi: parsing ") || lower.contains("couldn't find port") {
        let name = between(text, "parsing \"", "\"").or_else(|| between(text, "couldn't find port: ", " "));
        return Output::UnknownPort(name.unwrap_or_default().to_owned());
    }
    // The command's own words come last: a probe's script may print any of the texts below about something else.
    let by_kubelet = errored
        || text.starts_with("Get ")
        || text.starts_with("dial ")
        || text.starts_with("Head ")
        || text.starts_with("command ")
        || text.starts_with("timeout: ")
        || text.starts_with("error: ")
        || text.starts_with("service unhealthy")
        || lower.starts_with("rpc error")
        || lower.starts_with("oci runtime")
        || lower.starts_with("net/http")
        || lower.starts_with("parse ")
        || lower.starts_with("malformed http");
    if !by_kubelet {
        return Output::Printed(text.trim().to_owned());
    }
    if lower.starts_with("service unhealthy") {
        return Output::GrpcNotServing;
    }
    if lower.contains("does not implement the grpc health protocol")
        || (lower.contains("health rpc") && says(&lower, "unknown service|code = notfound|unimplemented"))
    {
        return Output::GrpcWithoutHealth;
    }
    if lower.contains("server gave http response to https client") {
        return Output::PlainAnswerToHttps;
    }
    if says(&lower, "first record does not look like a tls handshake|tls: handshake failure|remote error: tls") {
        return Output::NoTls;
    }
    if says(
        &lower,
        "malformed http response|malformed http status|malformed http version|\
             http/1.x transport connection broken",
    ) {
        return Output::NotHttp;
    }
    if lower.contains("no such host") || lower.contains("server misbehaving") {
        let host = between(text, "lookup ", " on ").or_else(|| between(text, "lookup ", ":")).unwrap_or_default();
        return Output::UnknownHost(host.to_owned());
    }
    if says(&lower, "connection refused|actively refused") {
        return Output::Refused;
    }
    if says(
        &lower,
        "executable file not found|no such file or directory|exec failed|failed to exec|\
             failed to start exec|exec: ",
    ) {
        return match runtime::start_failure(text) {
            StartFailure::CommandNotFound { command } => Output::CommandMissing(command),
            StartFailure::CommandNotExecutable { command } => Output::CommandNotExecutable(command),
            _ if lower.contains("deadline") || lower.contains("timed out") => Output::Timeout,
            _ => Output::ExecFailed,
        };
    }
    if says(&lower, "no route to host|network is unreachable|host is down") {
        return Output::NoRoute;
    }
    if lower.contains("failed to connect service") {
        return Output::GrpcNoConnection;
    }
    if says(
        &lower,
        "timeout exceeded|i/o timeout|deadline exceeded|timed out|request canceled|\
             did not complete within|tls handshake timeout|deadlineexceeded",
    ) {
        return Output::Timeout;
    }
    if lower.trim_end().ends_with("eof")
        || says(&lower, "connection reset|broken pipe|forcibly closed|server closed idle connection")
    {
        return Output::Closed;
    }
    if errored { Output::ExecFailed } else { Output::Printed(text.trim().to_owned()) }
}

/// Reads the HTTP status that a probe's own command was answered with: curl's `(22) The requested URL returned error: 503`,
/// wget's `server returned error: HTTP/1.1 404 Not Found` and `ERROR 503: Service Unavailable`.
pub fn status_told_by_command(text: &str) -> Option<u16> {
    let number = |rest: &str| {
        let digits: String = rest.trim_start().chars().take_while(char::is_ascii_digit).collect();
        digits.parse::<u16>().ok().filter(|code| (400..600).contains(code))
    };
    ["returned error: HTTP/1.1 ", "returned error: HTTP/1.0 ", "requested URL returned error: ", " ERROR "]
        .iter()
        .find_map(|mark| number(text.split_once(mark)?.1))
}

/// Reads an event `Killing`.
///
/// ≥1.14 "Container c failed liveness probe, will be restarted", "Stopping container c"; 1.10 to 1.13 "Killing container
/// with id docker://c:Container failed liveness probe.. Container will be killed and recreated."; ≤1.9 "… container "c"
/// is unhealthy, it will be killed and re-created.".
pub fn kill(message: &str) -> Kill {
    let lower = message.to_ascii_lowercase();
    if lower.contains("failed liveness probe") || lower.contains("is unhealthy") {
        Kill::Probe(Kind::Liveness)
    } else if lower.contains("failed startup probe") {
        Kill::Probe(Kind::Startup)
    } else if lower.contains("poststart") {
        Kill::Hook
    } else if lower.contains("definition changed")
        || lower.contains("spec hash changed")
        || lower.contains("hash changed")
    {
        Kill::Changed
    } else if says(&lower, "stopping container|need to kill pod|pod deleted") {
        Kill::Stopping
    } else {
        Kill::Other
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_every_handler() {
        for (text, kind, output) in [
            (
                r#"Liveness probe failed: Get "http://10.244.0.97:8080/healthz": dial tcp 10.244.0.97:8080: connect: connection refused"#,
                Kind::Liveness,
                Output::Refused,
            ),
            (
                "Readiness probe failed: Get http://10.233.64.92:8022/health: dial tcp 10.233.64.92:8022: getsockopt: connection refused",
                Kind::Readiness,
                Output::Refused,
            ),
            ("Readiness probe failed: dial tcp 10.0.0.3:6379: i/o timeout", Kind::Readiness, Output::Timeout),
            (
                r#"Liveness probe failed: Get "http://10.0.0.3/": context deadline exceeded (Client.Timeout exceeded while awaiting headers)"#,
                Kind::Liveness,
                Output::Timeout,
            ),
            (
                "Liveness probe failed: Get http://10.0.0.3:10254/healthz: net/http: request canceled (Client.Timeout exceeded while awaiting headers)",
                Kind::Liveness,
                Output::Timeout,
            ),
            ("Startup probe failed: HTTP probe failed with statuscode: 401", Kind::Startup, Output::Status(401)),
            (
                "Liveness probe failed: Get https://10.0.0.3:3000/healthz: http: server gave HTTP response to HTTPS client",
                Kind::Liveness,
                Output::PlainAnswerToHttps,
            ),
            (
                r#"Readiness probe failed: Get "http://10.0.0.3:8443/": net/http: HTTP/1.x transport connection broken: malformed HTTP response "\x15\x03\x01""#,
                Kind::Readiness,
                Output::NotHttp,
            ),
            (r#"Readiness probe failed: Get "http://10.0.0.3:8080/": EOF"#, Kind::Readiness, Output::Closed),
            (
                r#"Readiness probe failed: timeout: failed to connect service "10.0.0.3:50051" within 1s: context deadline exceeded"#,
                Kind::Readiness,
                Output::GrpcNoConnection,
            ),
            (
                r#"Readiness probe failed: service unhealthy (responded with "NOT_SERVING")"#,
                Kind::Readiness,
                Output::GrpcNotServing,
            ),
            (
                "Liveness probe failed: error: this server does not implement the grpc health protocol (grpc.health.v1.Health): unknown service grpc.health.v1.Health",
                Kind::Liveness,
                Output::GrpcWithoutHealth,
            ),
            (
                r#"Liveness probe failed: command timed out: "pg_isready -U app" timed out after 1s"#,
                Kind::Liveness,
                Output::Timeout,
            ),
            ("Readiness probe failed: ", Kind::Readiness, Output::Printed(String::new())),
            (
                "Readiness probe failed: NOAUTH Authentication required.",
                Kind::Readiness,
                Output::Printed("NOAUTH Authentication required.".to_owned()),
            ),
            // A script's own words about something else are not the kubelet's.
            (
                "Readiness probe failed: db: connection refused",
                Kind::Readiness,
                Output::Printed("db: connection refused".to_owned()),
            ),
        ] {
            assert_eq!(unhealthy(text), Some(Failure { kind, errored: false, output }), "{text}");
        }
    }

    #[test]
    fn tells_a_result_that_does_not_count() {
        for (text, output) in [
            (
                r#"Readiness probe errored and resulted in unknown state: strconv.Atoi: parsing "web": invalid syntax"#,
                Output::UnknownPort("web".to_owned()),
            ),
            (
                r#"Readiness probe errored: strconv.Atoi: parsing "http": invalid syntax"#,
                Output::UnknownPort("http".to_owned()),
            ),
            (
                r#"(combined from similar events): Readiness probe errored and resulted in unknown state: rpc error: code = Unknown desc = failed to exec in container: failed to start exec "3f": OCI runtime exec failed: exec failed: unable to start container process: exec: "curl": executable file not found in $PATH: unknown"#,
                Output::CommandMissing(Some("curl".to_owned())),
            ),
        ] {
            let failure = unhealthy(text).unwrap();
            assert!(failure.errored && failure.kind == Kind::Readiness);
            assert_eq!(failure.output, output);
        }
        assert_eq!(unhealthy("Back-off restarting failed container"), None);
    }

    #[test]
    fn reads_why_a_container_is_stopped() {
        for (text, expected) in [
            ("Container app failed liveness probe, will be restarted", Kill::Probe(Kind::Liveness)),
            ("Init container proxy failed startup probe", Kill::Probe(Kind::Startup)),
            (
                "Killing container with id docker://web:Container failed liveness probe.. Container will be killed and recreated.",
                Kill::Probe(Kind::Liveness),
            ),
            (
                r#"Killing container with docker id 4b: pod "web_prod(1)" container "web" is unhealthy, it will be killed and re-created."#,
                Kill::Probe(Kind::Liveness),
            ),
            ("FailedPostStartHook", Kill::Hook),
            ("Container app definition changed, will be restarted", Kill::Changed),
            ("Stopping container app", Kill::Stopping),
            ("Killing container with id docker://app:Need to kill Pod", Kill::Stopping),
        ] {
            assert_eq!(kill(text), expected, "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn survives_any_text(text in ".{0,200}") {
            let _ = unhealthy(&format!("Liveness probe failed: {text}"));
            let _ = unhealthy(&text);
            let _ = kill(&text);
        }
    }

    #[test]
    fn reads_the_status_that_a_command_was_answered_with() {
        for (text, status) in [
            ("curl: (22) The requested URL returned error: 503 Service Unavailable", Some(503)),
            ("wget: server returned error: HTTP/1.1 404 Not Found", Some(404)),
            ("2025-03-10 12:00:00 ERROR 401: Unauthorized.", Some(401)),
            ("ERROR 17 workers are idle", None),
            ("", None),
        ] {
            assert_eq!(status_told_by_command(text), status, "{text}");
        }
    }
}
