//! What a runtime says when it cannot pull an image.
//!
//! Wordings of containerd 1.x (`failed to resolve reference`), containerd 2.x (`failed to resolve image`), CRI-O
//! (`initializing source docker://…`, `reading manifest …`, `pinging container registry …`) and dockerd (`Error response
//! from daemon: …`). Where several credentials were tried, the text is a bracketed list with one error each: an error
//! that came after authorization says more than the refusals of the other credentials.

mod words;

use super::kernel::NoSpace;
use super::text::{between, has_any};
use words::classify;

/// Why an image could not be pulled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PullFailure {
    /// The index holds no image for this architecture or system.
    Platform,
    /// The registry has the manifest and lacks a layer or the config.
    BlobMissing,
    /// Layers or digest do not match what was promised, or cannot be unpacked.
    Corrupt,
    /// The format is too old for the runtime (manifest schema 1).
    OldFormat,
    /// 429, or the registry's own words for it.
    RateLimited,
    /// The disk of the node is full, or what looks like it.
    NoSpace(NoSpace),
    /// The registry answers in plain HTTP.
    SpeaksHttp,
    /// The registry wants HTTPS, and was asked in plain HTTP.
    SpeaksHttps,
    /// The registry's port answers with something that is no TLS.
    NoTls,
    Certificate(Certificate),
    Auth(Auth),
    /// Repository, tag or digest does not exist.
    NotFound,
    /// The registry's name cannot be resolved by the node.
    Dns,
    /// No connection, or none that lasts.
    Unreachable,
    /// A proxy on the way refuses or cannot be reached.
    Proxy,
    /// The registry answers with 5xx.
    ServerError,
    /// No progress for too long, or a deadline passed: the pull was cut off.
    Stalled,
    /// The kubelet's own limit of pulls a second.
    QpsExceeded,
    /// The reference cannot be parsed.
    InvalidName,
    /// CRI-O may not guess which registry a short name belongs to.
    ShortName,
    /// The signature policy refuses it.
    Signature,
    Other,
}

/// What is wrong with a registry's certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Certificate {
    UnknownAuthority,
    /// Expired, or not yet valid (or the node's clock is wrong).
    Expired,
    /// It is for another name.
    WrongName,
}

/// How authorization failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Auth {
    /// Asked without any credential: no pull secret was used.
    Anonymous,
    /// A credential was used and refused.
    Refused,
    /// Refused, or the repository does not exist: the registry does not tell.
    DeniedOrMissing,
    /// Refused; whether a credential was used is not told.
    Denied,
}

/// Reads why a pull failed.
pub fn pull_failure(text: &str) -> PullFailure {
    elements(text).into_iter().map(one).min_by_key(|failure| rank(*failure)).unwrap_or(PullFailure::Other)
}

/// Returns true where the text is nothing but a back-off or a reason: it names no cause.
pub fn names_no_cause(text: &str) -> bool {
    let text = text.trim();
    text.is_empty()
        || text.starts_with("Error: ")
        || matches!(text, "ErrImagePull" | "ImagePullBackOff")
        || (text.starts_with("Back-off pulling image") && !text.contains("\": "))
}

/// Returns the pause image and the error of a sandbox that failed for want of it.
///
/// containerd `failed to get sandbox image "IMAGE": …`; dockershim `unable to pull sandbox image "IMAGE": …` and
/// `failed pulling image "IMAGE": …`; CRI-O `creating pod sandbox …: initializing source docker://IMAGE: …`.
pub fn pause_image(text: &str) -> Option<(&str, &str)> {
    for before in ["failed to get sandbox image \"", "unable to pull sandbox image \"", "failed pulling image \""] {
        if let Some((_, rest)) = text.split_once(before)
            && let Some((image, error)) = rest.split_once('"')
        {
            return Some((image, error));
        }
    }
    if has_any(text, &["pod sandbox", "pod network sandbox", "PodSandbox"])
        && let Some((_, rest)) = text.split_once("docker://")
        && let Some((image, error)) = rest.split_once(": ")
    {
        return Some((image, error));
    }
    None
}

/// Returns the host of an image's registry; `docker.io` where the name holds none.
///
/// Follows github.com/distribution/reference: the first part is a host if it holds a dot or a colon, or is `localhost`.
pub fn registry(image: &str) -> &str {
    match image.split_once('/') {
        Some((host, _)) if host.contains(['.', ':']) || host == "localhost" => host,
        _ => "docker.io",
    }
}

/// Returns an image's name without tag and digest.
pub fn repository(image: &str) -> &str {
    let name = image.split_once('@').map_or(image, |(name, _)| name);
    match name.rsplit_once(':') {
        Some((repository, tag)) if !tag.contains('/') => repository,
        _ => name,
    }
}

/// Returns an image's tag or digest; `latest` where it names none.
pub fn tag(image: &str) -> &str {
    if let Some((_, digest)) = image.split_once('@') {
        return digest;
    }
    match image.rsplit_once(':') {
        Some((_, tag)) if !tag.contains('/') => tag,
        _ => "latest",
    }
}

/// Splits a bracketed list of errors. Elements hold commas themselves, so only known beginnings part them.
fn elements(text: &str) -> Vec<&str> {
    const BEGINNINGS: [&str; 8] = [
        ", rpc error: ",
        ", failed to pull and unpack image",
        ", Error response from daemon",
        ", initializing source ",
        ", pinging container registry",
        ", reading manifest ",
        ", pulling image ",
        ", unable to pull image",
    ];
    let mut parts = Vec::new();
    let mut rest = text;
    loop {
        let next = BEGINNINGS.iter().filter_map(|beginning| rest.find(beginning)).min();
        match next.and_then(|at| Some((rest.get(..at)?, rest.get(at + 2..)?))) {
            Some((part, after)) => {
                parts.push(part);
                rest = after;
            }
            None => {
                parts.push(rest);
                return parts;
            }
        }
    }
}

/// What says more about the image stands first: a refused credential says nothing where another one passed.
fn rank(failure: PullFailure) -> u8 {
    match failure {
        PullFailure::InvalidName | PullFailure::Signature | PullFailure::ShortName => 0,
        PullFailure::Platform | PullFailure::OldFormat => 1,
        PullFailure::BlobMissing | PullFailure::Corrupt | PullFailure::NoSpace(_) => 2,
        PullFailure::RateLimited | PullFailure::NotFound => 3,
        PullFailure::Stalled | PullFailure::ServerError | PullFailure::QpsExceeded => 4,
        PullFailure::SpeaksHttp | PullFailure::SpeaksHttps | PullFailure::NoTls | PullFailure::Certificate(_) => 5,
        PullFailure::Auth(Auth::Refused) => 6,
        PullFailure::Auth(Auth::Denied) => 7,
        PullFailure::Auth(Auth::DeniedOrMissing) => 8,
        PullFailure::Auth(Auth::Anonymous) => 9,
        PullFailure::Proxy | PullFailure::Dns | PullFailure::Unreachable => 10,
        PullFailure::Other => 11,
    }
}

fn one(text: &str) -> PullFailure {
    let lower = text.to_ascii_lowercase();
    // Kubelets up to 1.2 put a guess before every error: "this may be because there are no credentials on this request".
    let lower = lower.split_once("no credentials on this request.").map_or(lower.as_str(), |(_, said)| said);
    // CRI-O names the mirrors' errors first; what the registry itself said follows them.
    if let Some((mirrors, primary)) = lower.split_once("]): ")
        && mirrors.contains("mirrors also failed")
    {
        let own = classify(primary);
        return if own == PullFailure::Other { classify(lower) } else { own };
    }
    classify(lower)
}

/// Returns the host of `dial tcp: lookup HOST on …`.
pub fn unresolved_host(text: &str) -> Option<&str> {
    let rest = text.split_once("lookup ")?.1;
    rest.split(|c: char| c.is_whitespace() || c == ':').next().filter(|host| !host.is_empty())
}

/// Returns the address of `dial tcp ADDRESS: connect: …`.
pub fn dialled(text: &str) -> Option<&str> {
    let rest = between(text, "dial tcp ", ": ")?;
    (!rest.is_empty() && !rest.contains(char::is_whitespace)).then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_every_runtime() {
        use PullFailure as F;
        for (text, expected) in [
            (
                "rpc error: code = NotFound desc = failed to pull and unpack image \"r/a:1\": no match for platform in manifest: not found",
                F::Platform,
            ),
            ("no matching manifest for linux/arm64/v8 in the manifest list entries", F::Platform),
            (
                "copying system image from manifest list: no image found in image index for architecture \"arm64\", variant \"v8\", OS \"linux\"",
                F::Platform,
            ),
            (
                "rpc error: code = NotFound desc = failed to pull and unpack image \"r/a:2\": failed to resolve reference \"r/a:2\": r/a:2: not found",
                F::NotFound,
            ),
            ("failed to pull and unpack image \"r/a:2\": failed to resolve image: r/a:2: not found", F::NotFound),
            ("Error response from daemon: manifest for a:2 not found: manifest unknown: manifest unknown", F::NotFound),
            (
                "Error reading manifest nightly in quay.io/a/b: unknown: Tag nightly was deleted or has expired. To pull, revive via time machine",
                F::NotFound,
            ),
            (
                "rpc error: code = NotFound desc = failed to copy: could not fetch content descriptor sha256:ab (application/x) from remote: not found",
                F::BlobMissing,
            ),
            (
                "rpc error: code = FailedPrecondition desc = failed commit on ref \"layer-sha256:ab\": unexpected commit digest sha256:cd, expected sha256:ab: failed precondition",
                F::Corrupt,
            ),
            ("failed to register layer: Error processing tar file(exit status 1): unexpected EOF", F::Corrupt),
            ("failed to extract layer sha256:ab: mount callback failed on /var: unexpected EOF: unknown", F::Corrupt),
            (
                "pinging docker registry r:5000: Get \"https://r:5000/v2/\": http: server gave HTTP response to HTTPS client",
                F::SpeaksHttp,
            ),
            (
                "failed to fetch anonymous token: Get \"https://auth/token\": x509: certificate signed by unknown authority",
                F::Certificate(Certificate::UnknownAuthority),
            ),
            (
                "tls: failed to verify certificate: x509: certificate is valid for ingress.local, not r.example.com",
                F::Certificate(Certificate::WrongName),
            ),
            (
                "x509: certificate has expired or is not yet valid: current time 2024",
                F::Certificate(Certificate::Expired),
            ),
            (
                "failed to authorize: failed to fetch anonymous token: unexpected status: 401 Unauthorized",
                F::Auth(Auth::Anonymous),
            ),
            (
                "failed to authorize: failed to fetch oauth token: unexpected status from GET request to https://a: 401 Unauthorized",
                F::Auth(Auth::Refused),
            ),
            (
                "unable to retrieve auth token: invalid username/password: unauthorized: authentication required",
                F::Auth(Auth::Denied),
            ),
            (
                "pull access denied, repository does not exist or may require authorization: server message: insufficient_scope: authorization failed",
                F::Auth(Auth::DeniedOrMissing),
            ),
            (
                "pulling from host 172.30.0.1:5000 failed with status code [manifests 1.0]: 401 Unauthorized",
                F::Auth(Auth::Denied),
            ),
            (
                "pulling from host 172.30.0.1:5000 failed with status code [manifests 1.0]: 429 Too Many Requests",
                F::RateLimited,
            ),
            ("toomanyrequests: You have reached your pull rate limit.", F::RateLimited),
            ("dial tcp: lookup r.svc on 223.5.5.5:53: read udp 10.2.2.6:33734->223.5.5.5:53: i/o timeout", F::Dns),
            ("dial tcp 172.30.0.1:5003: connect: connection refused", F::Unreachable),
            ("Get \"https://r/v2/\": proxyconnect tcp: dial tcp 10.0.0.1:3128: connect: connection refused", F::Proxy),
            (
                "unexpected status from HEAD request to https://r/v2/a/manifests/1: 503 Service Unavailable",
                F::ServerError,
            ),
            (
                "rpc error: code = Canceled desc = failed to pull and unpack image \"r/a:1\": context canceled",
                F::Stalled,
            ),
            ("pull QPS exceeded", F::QpsExceeded),
            ("write /var/lib/containerd/x: no space left on device", F::NoSpace(NoSpace::Disk)),
            ("short name mode is enforcing, but image name web:1 returns ambiguous list", F::ShortName),
            ("", F::Other),
        ] {
            assert_eq!(pull_failure(text), expected, "{text}");
        }
    }

    #[test]
    fn a_credential_that_passed_outranks_those_that_did_not() {
        let text = "[rpc error: code = Unknown desc = failed to pull and unpack image \"r/a:2\": failed to resolve reference \"r/a:2\": failed to authorize: failed to fetch anonymous token: unexpected status: 403 Forbidden, rpc error: code = NotFound desc = failed to pull and unpack image \"r/a:2\": failed to resolve reference \"r/a:2\": r/a:2: not found]";
        assert_eq!(pull_failure(text), PullFailure::NotFound);
    }

    #[test]
    fn finds_the_pause_image() {
        let text = "failed to get sandbox image \"lab.local/pause:1\": failed to pull image \"lab.local/pause:1\": connection refused";
        assert_eq!(pause_image(text).map(|(image, _)| image), Some("lab.local/pause:1"));
        assert_eq!(pause_image("failed to setup network for sandbox \"1\": x"), None);
    }

    #[test]
    fn takes_a_reference_apart() {
        for (image, host, name, version) in [
            ("nginx", "docker.io", "nginx", "latest"),
            ("shop/web:1", "docker.io", "shop/web", "1"),
            ("r.example.com:5000/shop/web", "r.example.com:5000", "r.example.com:5000/shop/web", "latest"),
            ("ghcr.io/a/b:2@sha256:ab", "ghcr.io", "ghcr.io/a/b", "sha256:ab"),
        ] {
            assert_eq!((registry(image), repository(image), tag(image)), (host, name, version), "{image}");
        }
    }

    proptest::proptest! {
        #[test]
        fn survives_any_text(text in ".{0,300}") {
            let _ = (pull_failure(&text), pause_image(&text), unresolved_host(&text), dialled(&text), tag(&text));
        }
    }

    #[test]
    fn a_kubelet_s_guess_at_credentials_is_no_refusal() {
        let guess = "image pull failed for quay.io/a/b:t, this may be because there are no credentials on this request.  details: ";
        assert_eq!(pull_failure(&format!("{guess}(Tag t not found in repository quay.io/a/b)")), PullFailure::NotFound);
        let denied = pull_failure(&format!("{guess}(unauthorized: authentication required)"));
        assert!(matches!(denied, PullFailure::Auth(_)), "{denied:?}");
    }
}
