//! The words by which one pull error is told from another, by runtime and registry.

use super::super::kernel;
use super::super::text::has_any;
use super::{Auth, Certificate, PullFailure};

/// Reads one error; `text` is in lower case.
///
/// The order matters: what says most about the image comes first, and words that stand in many texts come last.
pub fn classify(text: &str) -> PullFailure {
    if let Some(space) = kernel::no_space(text) {
        return PullFailure::NoSpace(space);
    }
    if has_any(
        text,
        &[
            "invalid reference format",
            "couldn't parse image",
            "repository name must be lowercase",
            "could not parse reference",
            "invalidimagename",
            "failed to parse reference",
            "parsing image name",
            "must be canonical",
        ],
    ) {
        return PullFailure::InvalidName;
    }
    if has_any(
        text,
        &[
            "short name mode is enforcing",
            "short-name resolution enforced",
            "ambiguous list",
            "did not resolve to an alias and no unqualified-search registries",
        ],
    ) {
        return PullFailure::ShortName;
    }
    if has_any(
        text,
        &[
            "signature validation failed",
            "source image rejected",
            "signature for identity",
            "signaturevalidationfailed",
            "no signatures",
            "a signature was required",
        ],
    ) {
        return PullFailure::Signature;
    }
    // "no match for platform in manifest: not found" reads like a missing image, so it is asked first.
    if has_any(
        text,
        &[
            "no match for platform",
            "no matching manifest for",
            "no image found in image index for",
            "no image found in manifest list for",
            "cannot be used on this platform",
            "-based image is incompatible with",
            "image operating system \"",
            "no child with platform",
            "cannot find matching platform",
        ],
    ) {
        return PullFailure::Platform;
    }
    if has_any(
        text,
        &[
            "manifest.v1+prettyjws",
            "schema 1",
            "schema1",
            "schema version 1",
            "unsupported manifest media type",
            "unsupported media type",
            "media type \"application/vnd.docker.distribution.manifest.v1",
        ],
    ) {
        return PullFailure::OldFormat;
    }
    if text.contains("could not fetch content descriptor")
        || (text.contains("blob unknown") || text.contains("blob_unknown"))
    {
        return PullFailure::BlobMissing;
    }
    if has_any(
        text,
        &[
            "unexpected commit digest",
            "unexpected commit size",
            "failed size validation",
            "filesystem layer verification failed",
            "invalid tar header",
            "archive/tar",
            "gzip: invalid",
            "invalid checksum",
            "digest did not match",
            "digest mismatch",
            "does not match digest",
            "manifest verification failed",
            "verification failed for digest",
            "invalid diffid",
            "wrong diff id",
            "mismatched image rootfs",
            "content digest sha256",
            // A proxy's page, a Helm chart, an artifact: whatever it is, it is no image.
            "unexpected media type",
            "unknown media type",
            "file integrity checksum failed",
            "error parsing image configuration",
        ],
    ) || (has_any(
        text,
        &[
            "failed to extract layer",
            "failed to register layer",
            "error processing tar file",
            "writing blob",
            "storing blob",
            "unpacking",
        ],
    ) && has_any(text, &["corrupt", "failed precondition", "duplicates of file paths", "flate:"]))
        // An end that comes early while unpacking is a broken layer; while downloading it is the network.
        || (has_any(text, &["failed to extract layer", "failed to register layer", "error processing tar file"])
            && text.contains("unexpected eof"))
    {
        return PullFailure::Corrupt;
    }
    if has_any(
        text,
        &[
            "429 too many",
            "toomanyrequests",
            "too many requests",
            "rate limit",
            "status: 429",
            "status code 429",
            "quota exceeded for quota metric",
            "error: 429",
            "http 429",
            "rate exceeded",
        ],
    ) {
        return PullFailure::RateLimited;
    }
    if text.contains("server gave http response to https client") {
        return PullFailure::SpeaksHttp;
    }
    if text.contains("sent an http request to an https server") {
        return PullFailure::SpeaksHttps;
    }
    if let Some(certificate) = certificate(text) {
        return PullFailure::Certificate(certificate);
    }
    if has_any(
        text,
        &[
            "first record does not look like a tls handshake",
            "tls: unsupported protocol",
            "wrong version number",
            "protocol version not supported",
        ],
    ) {
        return PullFailure::NoTls;
    }
    if has_any(text, &["pull qps exceeded", "errimagepull: qps"]) {
        return PullFailure::QpsExceeded;
    }
    if let Some(network) = network(text) {
        return network;
    }
    if let Some(auth) = auth(text) {
        return PullFailure::Auth(auth);
    }
    if has_any(
        text,
        &[
            "manifest unknown",
            "manifest_unknown",
            "name unknown",
            "name_unknown",
            "was deleted or has expired",
            "does not exist",
            "not found", // also "Tag t not found in repository r" of old registries
            "repository is empty",
            "no such image",
            "404 not found",
            "status: 404",
            "status code 404",
            "failed to get image: no such",
            "unknown artifact",
        ],
    ) {
        return PullFailure::NotFound;
    }
    if has_any(
        text,
        &[
            "context canceled",
            "context deadline exceeded",
            "deadlineexceeded",
            "because of no progress",
            "operation timed out",
            "operation timeout",
            "pull timed out",
            "net/http: request canceled",
        ],
    ) {
        return PullFailure::Stalled;
    }
    PullFailure::Other
}

fn certificate(text: &str) -> Option<Certificate> {
    if has_any(text, &["certificate has expired", "is not yet valid", "certificate expired"]) {
        return Some(Certificate::Expired);
    }
    if text.contains("unknown authority")
        || has_any(
            text,
            &[
                "self-signed certificate",
                "self signed certificate",
                "unable to get local issuer",
                "unknown certificate authority",
                "certificate is not trusted",
                "unknown_ca",
            ],
        )
    {
        return Some(Certificate::UnknownAuthority);
    }
    if has_any(
        text,
        &[
            "certificate is valid for",
            "doesn't contain any ip sans",
            "relies on legacy common name",
            "is not valid for any names",
            "certificate is not valid for",
        ],
    ) {
        return Some(Certificate::WrongName);
    }
    has_any(
        text,
        &[
            "x509:",
            "tls: failed to verify certificate",
            "remote error: tls: bad certificate",
            "tls: certificate required",
        ],
    )
    .then_some(Certificate::UnknownAuthority)
}

fn network(text: &str) -> Option<PullFailure> {
    if has_any(text, &["proxyconnect", "proxy authentication required", "407 proxy", "socks connect"]) {
        return Some(PullFailure::Proxy);
    }
    if has_any(
        text,
        &[
            "no such host",
            "server misbehaving",
            "temporary failure in name resolution",
            "name or service not known",
            "could not resolve host",
            "no address associated",
        ],
    ) || (text.contains("lookup ")
        && has_any(
            text,
            &[
                "i/o timeout",
                "connection refused",
                "no route to host",
                "network is unreachable",
                "connection reset",
                "no answer",
            ],
        ))
    {
        return Some(PullFailure::Dns);
    }
    if has_any(
        text,
        &[
            "i/o timeout",
            "connection refused",
            "no route to host",
            "network is unreachable",
            "network unreachable",
            "host is unreachable",
            "host is down",
            "tls handshake timeout",
            "client.timeout exceeded",
            "request canceled while waiting for connection",
            "connection reset by peer",
            "connection timed out",
            "http2: client connection lost",
            "use of closed network connection",
            "registryunavailable",
            "registry is unavailable",
            "cannot assign requested address",
            "stream error: stream id",
            "http2: server sent goaway",
            "unexpected eof",
            "broken pipe",
            "actively refused it",
            "failed to respond",
            "remote error: tls: handshake failure",
            "remote error: tls: internal error",
        ],
    ) || text.ends_with(": eof")
        // The very request for the manifest got no answer; later on a deadline is a slow download.
        || (has_any(text, &["failed to do request", "pinging container registry"])
            && text.contains("deadline exceeded"))
        || has_any(text, &["\": eof", ": eof:", ": eof,", ": eof]"])
    {
        return Some(PullFailure::Unreachable);
    }
    let server = [
        "500 internal server",
        "502 bad gateway",
        "503 service",
        "504 gateway",
        "503 backend",
        ": 520",
        ": 521",
        ": 522",
    ];
    (has_any(text, &server[..5])
        || has_any(
            text,
            &[
                "service unavailable",
                "bad gateway",
                "gateway timeout",
                "internal server error",
                "received unexpected http status: 5",
                "status code 50",
                "status: 50",
            ],
        )
        || (text.contains("unexpected status") && has_any(text, &server)))
    .then_some(PullFailure::ServerError)
}

fn auth(text: &str) -> Option<Auth> {
    let fetch = text.contains("failed to fetch anonymous token");
    let oauth = text.contains("failed to fetch oauth token");
    if fetch && has_any(text, &["401", "403", "unauthorized", "forbidden", "denied"]) {
        return Some(Auth::Anonymous);
    }
    if oauth && has_any(text, &["401", "403", "400", "unauthorized", "forbidden", "denied", "bad request"]) {
        return Some(Auth::Refused);
    }
    // containers/image says this of every 401 of the token service, also where no credential was used.
    if text.contains("unable to retrieve auth token: invalid username/password") {
        return Some(Auth::Denied);
    }
    if has_any(
        text,
        &[
            "no basic auth credentials",
            "no credentials",
            "authorization header",
            "unauthorized: you don't have",
            "no auth configured",
        ],
    ) {
        return Some(Auth::Anonymous);
    }
    if has_any(
        text,
        &[
            "incorrect username or password",
            "invalid username/password",
            "invalid username or password",
            "incorrect username",
            "authorization token has expired",
            "your authorization token",
            "invalid_token",
            "token expired",
            "expired token",
            "password_expired",
            "service principal",
            "bad credentials",
            "aadsts",
        ],
    ) {
        return Some(Auth::Refused);
    }
    if has_any(
        text,
        &[
            "pull access denied",
            "insufficient_scope",
            "requested access to the resource is denied",
            "access to the requested resource is not authorized",
            "may require authorization",
            "or may require 'docker login'",
        ],
    ) {
        return Some(Auth::DeniedOrMissing);
    }
    has_any(
        text,
        &[
            "401 unauthorized",
            "403 forbidden",
            "unauthorized",
            "forbidden",
            "access denied",
            "authorization failed",
            "permission denied for",
            "permission \"artifactregistry",
            "does not have permission",
            "status: 401",
            "status: 403",
            "status code 401",
            "status code 403",
            "denied:",
            "uauthorized",
            "not authorized",
            "authentication required",
        ],
    )
    .then_some(Auth::Denied)
}
