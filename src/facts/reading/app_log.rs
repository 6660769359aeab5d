//! The line of a program's last words that says why it ended.
//!
//! Programs print whatever they like; what helps is that runtimes and libraries word their errors alike: the C library
//! (`strerror`), Go's `panic:`, Java's and Python's traces, Node's error codes. The complaint that stands nearest to
//! the end of the log wins; frames of a stack trace and chatter (debug, info) are passed over.

use super::places::{path, peer};
use super::shell;
use super::text::{between, says};
use crate::facts::log::{LogLine, lines_from_end};

/// What a program complains of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Complaint {
    /// Somebody refused the connection: `host:port` where the line names it.
    Refused {
        peer: Option<String>,
    },
    /// A name that cannot be resolved.
    UnknownHost {
        host: Option<String>,
    },
    /// Somebody did not answer, or cannot be reached.
    Unreachable {
        peer: Option<String>,
    },
    /// A password or token that somebody does not accept.
    Authentication,
    /// A certificate that is not trusted or has run out.
    Certificate,
    /// The API server says that the service account may not do that.
    ApiForbidden,
    /// An environment variable or setting that is not there.
    MissingSetting {
        name: Option<String>,
    },
    /// A file or folder that is not there.
    MissingFile {
        path: Option<String>,
    },
    /// A module, package, class or shared library that is not there.
    MissingCode {
        name: Option<String>,
    },
    /// The system said "permission denied", "operation not permitted" or "read-only file system".
    PermissionDenied {
        path: Option<String>,
    },
    PortInUse {
        port: Option<String>,
    },
    /// No space left on a device.
    DiskFull,
    /// The program's own heap is full (JVM, V8), which is not the container's limit.
    HeapExhausted,
    /// The kernel refused memory, a process or a thread.
    NoMemory,
    /// Too many open files, watches or processes.
    TooMany,
    /// A change of the database's schema failed, or waits for a lock.
    Migration,
    /// Another instance holds the lock.
    Locked,
    /// A flag or argument that the program does not know.
    BadFlag {
        flag: Option<String>,
    },
    /// A settings file that cannot be read.
    BadConfig,
    /// The file is no program for this machine.
    WrongFormat,
    /// A shell did not find the command.
    CommandNotFound {
        command: Option<String>,
    },
    /// A shell may not execute the command.
    CommandNotExecutable {
        command: Option<String>,
    },
    /// A panic, a trace or an exception that says nothing of the above.
    Exception,
    /// A line that calls itself an error.
    Error,
    /// The last line, for want of a better one.
    LastWords,
}

/// The line that decides, and what it complains of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decisive<'a> {
    pub line: LogLine<'a>,
    pub complaint: Complaint,
}

/// How far back a complaint may stand from the end: a long trace fits, an old quarrel does not.
const REACH: usize = 120;

/// Returns the line that says why the program ended; `None` for a log without a word.
pub fn decisive<'a>(container: &'a str, log: &'a str) -> Option<Decisive<'a>> {
    let (mut error, mut last) = (None, None);
    for line in lines_from_end(container, log).take(REACH) {
        if is_frame(line.text) {
            continue;
        }
        let quiet = is_chatter(line.text);
        match complaint(line.text) {
            Some(complaint) if !quiet => return Some(Decisive { line, complaint }),
            None if error.is_none() && !quiet && looks_like_error(line.text) => error = Some(line),
            _ => {}
        }
        last = last.or(Some(line));
    }
    let found = |line, complaint| Decisive { line, complaint };
    error.map(|line| found(line, Complaint::Error)).or(last.map(|line| found(line, Complaint::LastWords)))
}

/// Reads one line; `None` where it complains of nothing that is known.
pub fn complaint(line: &str) -> Option<Complaint> {
    let lower = line.to_ascii_lowercase();
    let has = |patterns: &str| says(&lower, patterns);
    // Node and libuv name the system's codes in capitals; in small letters they hide in other words (ModuleNotFoundError).
    let code = |patterns: &str| says(line, patterns);
    if has("exec format error|exec user process caused: exec format|cannot execute binary file") {
        return Some(Complaint::WrongFormat);
    }
    if let Some(complaint) = shell::complaint(line, &lower) {
        return Some(complaint);
    }
    if has("error while loading shared libraries|cannot open shared object file|symbol lookup error|\
             error relocating")
        || (has("version `glibc|version `cxxabi") && lower.contains("not found"))
    {
        return Some(Complaint::MissingCode { name: owned(between(line, "libraries: ", ":")) });
    }
    if has("outofmemoryerror|javascript heap out of memory|reached heap limit|out of memory: java heap|\
             ineffective mark-compacts near heap limit")
        || lower.contains("fatal error: runtime: out of memory")
    {
        return Some(Complaint::HeapExhausted);
    }
    if has("cannot allocate memory|unable to create new native thread|unable to create native thread|\
             resource temporarily unavailable: fork|fork: resource temporarily unavailable|\
             fork: retry: resource temporarily")
    {
        return Some(Complaint::NoMemory);
    }
    if has("is forbidden: user \"system:|cannot list resource \"|cannot get resource \"|\
             cannot watch resource \"")
    {
        return Some(Complaint::ApiForbidden);
    }
    if has("connection refused|connectionrefusederror|actively refused it|\
             connection to server at|could not connect to server")
        && has("refused|could not connect")
        || code("ECONNREFUSED")
    {
        return Some(Complaint::Refused { peer: peer(line) });
    }
    if has("no such host|name or service not known|temporary failure in name resolution|\
             unknownhostexception|could not translate host name|getaddrinfo failed|could not resolve host|\
             nodename nor servname|name resolution failure|failed to resolve|host not found in upstream|\
             server misbehaving")
        || code("ENOTFOUND|EAI_AGAIN")
    {
        let host = between(line, "lookup ", " on ")
            .or_else(|| between(line, "lookup ", ":"))
            .or_else(|| between(line, "host name \"", "\""))
            .or_else(|| between(line, "in upstream \"", "\""))
            .or_else(|| after_word(line, "ENOTFOUND "))
            .or_else(|| after_word(line, "EAI_AGAIN "))
            .or_else(|| after_word(line, "UnknownHostException: "))
            .or_else(|| after_word(line, "resolve host: "));
        return Some(Complaint::UnknownHost { host: owned(host.map(|h| h.trim_end_matches([':', ',', '.']))) });
    }
    if has("password authentication failed|access denied for user|authentication failed|\
             noauth authentication required|wrongpass|login failed for user|invalid credentials|\
             invalid username or password|sasl authentication failed|401 unauthorized|auth failed|\
             accessdenied|invalidclienttokenid|security token included in the request is")
    {
        return Some(Complaint::Authentication);
    }
    if has("x509:|certificate verify failed|unable to verify the first certificate|self signed certificate|\
             self-signed certificate|pkix path building failed|certificate has expired|sslhandshakeexception")
    {
        return Some(Complaint::Certificate);
    }
    if has("address already in use|port is already allocated|bindexception|port already in use|\
             was already in use|only one usage of each socket address")
        || code("EADDRINUSE")
    {
        let port = after_word(line, "Port ")
            .filter(|port| port.chars().all(|c| c.is_ascii_digit()))
            .map(str::to_owned)
            .or_else(|| peer(line).and_then(|peer| peer.rsplit_once(':').map(|(_, port)| port.to_owned())));
        return Some(Complaint::PortInUse { port });
    }
    if has("no space left on device|disk quota exceeded|disk is full|not enough space on the disk|\
             could not extend file")
        || code("ENOSPC")
    {
        return Some(Complaint::DiskFull);
    }
    if has("too many open files|inotify watch limit|user limit on total number of inotify|\
             inotify instances")
        || code("EMFILE|ENFILE")
    {
        return Some(Complaint::TooMany);
    }
    if let Some(name) = missing_setting(line, &lower) {
        return Some(Complaint::MissingSetting { name });
    }
    if has("cannot find module|no module named|modulenotfounderror|classnotfoundexception|\
             noclassdeffounderror|could not find or load main class|cannot load such file|\
             err_module_not_found|unable to access jarfile|could not load file or assembly|\
             no main manifest attribute")
    {
        let name = between(line, "module '", "'")
            .or_else(|| between(line, "named '", "'"))
            .or_else(|| after_word(line, "main class "))
            .or_else(|| after_word(line, "jarfile "))
            .or_else(|| after_word(line, "ClassNotFoundException: "));
        return Some(Complaint::MissingCode { name: owned(name) });
    }
    if has("permission denied|operation not permitted|eperm:|read-only file system|\
             accessdeniedexception|permissionerror|unauthorizedaccessexception|access to the path")
        || code("EACCES|EROFS")
    {
        return Some(Complaint::PermissionDenied { path: path(line) });
    }
    if has("database is locked|lock timeout|could not acquire lock|could not obtain lock|unable to lock|\
             already locked|lock file|resource temporarily unavailable|waiting for changelog lock|\
             dirty database version")
        && !lower.contains("package-lock")
    {
        return Some(Complaint::Locked);
    }
    if has("migration|migrate|flyway|liquibase|alembic") && has("fail|error|does not exist|exception|dirty|cannot") {
        return Some(Complaint::Migration);
    }
    if has("no such file or directory|filenotfounderror|filenotfoundexception|nosuchfileexception|\
             cannot find the file|file not found|could not open file|can't open file|can't open '|\
             no such file to load")
        || code("ENOENT")
        || (has("does not exist|doesn't exist") && lower.contains('/') && has("file|directory|path|config"))
    {
        return Some(Complaint::MissingFile { path: path(line) });
    }
    if has("unknown flag|unknown option|unrecognized option|unrecognized argument|\
             flag provided but not defined|unknown shorthand flag|invalid option|unexpected argument|\
             illegal option|unknown command|bad flag|unrecognized vm option|no such option|unknown argument|\
             unrecognised option|unsupported option")
    {
        let flag = after_word(line, "defined: ")
            .or_else(|| after_word(line, "flag: "))
            .or_else(|| {
                line.split_whitespace()
                    .find(|word| word.trim_matches(['\'', '"', '`']).starts_with('-') && word.len() > 1)
            })
            .or_else(|| between(line, "command \"", "\""));
        return Some(Complaint::BadFlag {
            flag: owned(flag.map(|flag| flag.trim_matches(['\'', '"', '`', ',', '.', ':']))),
        });
    }
    if has("error parsing config|failed to parse config|invalid configuration|failed to load config|\
             cannot unmarshal|yaml: |error loading config|unable to parse|invalid config|config error|\
             configuration error|syntax error|unknown directive|could not parse|unmarshal errors|parsing yaml|\
             jsondecodeerror|unexpected token")
    {
        return Some(Complaint::BadConfig);
    }
    if has("i/o timeout|connection timed out|no route to host|network is unreachable|\
             connect timed out|context deadline exceeded|connection reset by peer|\
             timed out waiting for|connecttimeoutexception|timed out connecting")
        || code("ETIMEDOUT|ECONNRESET|EHOSTUNREACH")
    {
        return Some(Complaint::Unreachable { peer: peer(line) });
    }
    let trimmed = line.trim_start();
    if trimmed.starts_with("panic:")
        || trimmed.starts_with("fatal error:")
        || trimmed.starts_with("Exception in thread")
        || trimmed.starts_with("Caused by:")
        || trimmed.starts_with("Unhandled exception")
        || trimmed.starts_with("thread '")
        || lower.contains("uncaught exception")
        || is_python_error(trimmed)
        || lower.contains("segmentation fault")
        || lower.contains("terminate called")
        || lower.contains("assertion failed")
        || lower.contains("unhandledpromiserejection")
    {
        return Some(Complaint::Exception);
    }
    None
}

fn missing_setting(line: &str, lower: &str) -> Option<Option<String>> {
    let told = says(
        lower,
        "environment variable|env var|keyerror: '|missing required|must be set|is not set|is required but|\
             required key|not set in the environment|could not resolve placeholder|unbound variable|\
             parameter not set|must specify|is not specified|you need to specify|is not defined in env",
    );
    let about = says(
        lower,
        "environment|env var|keyerror|variable|placeholder|required key|parameter not set|setting|\
             password option|you need to specify|must be set|is not set",
    );
    if !(told && about) || (lower.contains("level=info") || lower.contains("deprecated")) {
        return None;
    }
    let upper = line
        .split(|c: char| !(c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_'))
        .find(|word| word.len() >= 4 && word.contains('_') && word.chars().any(|c| c.is_ascii_uppercase()));
    let name = between(line, "KeyError: '", "'").or_else(|| between(line, "placeholder '", "'")).or(upper);
    Some(owned(name))
}

fn is_python_error(line: &str) -> bool {
    let Some((name, _)) = line.split_once(':') else { return false };
    let last = name.rsplit('.').next().unwrap_or_default();
    !name.contains(' ') && (last.ends_with("Error") || last.ends_with("Exception")) && last.len() > 5
}

/// Returns true for a frame of a stack trace and its trimmings.
fn is_frame(line: &str) -> bool {
    let trimmed = line.trim_start();
    trimmed.starts_with("at ")
        || trimmed.starts_with("File \"")
        || trimmed.starts_with("goroutine ")
        || trimmed.starts_with("... ")
        || trimmed.starts_with("created by ")
        || (line.starts_with('\t') && trimmed.contains(".go:"))
        || trimmed.starts_with("/usr/local/go/")
        || trimmed == "}"
        || trimmed == "{"
        || trimmed.starts_with("Node.js v")
        || trimmed.starts_with("note: run with `RUST_BACKTRACE")
}

/// Returns true for a line that does not claim to tell of trouble.
fn is_chatter(line: &str) -> bool {
    let head: String = line.chars().take(120).collect();
    says(
        &head,
        " INFO|[INFO]|level=info|\"level\":\"info\"| DEBUG|[DEBUG]|level=debug|\"level\":\"debug\"|INFO:|\
             DEBUG:|[info]|[debug]|\"severity\":\"INFO\"",
    ) || line.starts_with("INFO")
        || line.starts_with("DEBUG")
}

fn looks_like_error(line: &str) -> bool {
    let lower = line.to_ascii_lowercase();
    says(
        &lower,
        "error|fatal|panic|exception|failed|failure|cannot |can't |unable to|invalid|critical|abort|\
             denied|missing|错误|失败|异常",
    )
}

fn after_word<'a>(line: &'a str, before: &str) -> Option<&'a str> {
    let (_, rest) = line.split_once(before)?;
    rest.split_whitespace().next()
}

fn owned(text: Option<&str>) -> Option<String> {
    text.map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(log: &str) -> Complaint {
        decisive("app", log).unwrap().complaint
    }

    #[test]
    fn finds_what_it_complains_of() {
        let some = |text: &str| Some(text.to_owned());
        for (log, expected) in [
            (
                "level=info msg=starting\ndial tcp 10.0.0.7:5432: connect: connection refused\n",
                Complaint::Refused { peer: some("10.0.0.7:5432") },
            ),
            (
                "Error: connect ECONNREFUSED 127.0.0.1:3500\n    at TCPConnectWrap.afterConnect [as oncomplete] (node:net:1555:16)\n",
                Complaint::Refused { peer: some("127.0.0.1:3500") },
            ),
            (
                "dial tcp: lookup redis.shop on 10.96.0.10:53: no such host",
                Complaint::UnknownHost { host: some("redis.shop") },
            ),
            (
                "Traceback (most recent call last):\n  File \"/app/main.py\", line 3, in <module>\n    import flask\nModuleNotFoundError: No module named 'flask'\n",
                Complaint::MissingCode { name: some("flask") },
            ),
            (
                "Traceback (most recent call last):\n  File \"/app/main.py\", line 3\nKeyError: 'DATABASE_URL'\n",
                Complaint::MissingSetting { name: some("DATABASE_URL") },
            ),
            (
                "2026/01/02 03:04:05 DB_HOST environment variable is not set",
                Complaint::MissingSetting { name: some("DB_HOST") },
            ),
            (
                "sh: /stackable/data/myid: Permission denied",
                Complaint::PermissionDenied { path: some("/stackable/data/myid") },
            ),
            (
                "open /etc/app/config.yaml: no such file or directory",
                Complaint::MissingFile { path: some("/etc/app/config.yaml") },
            ),
            (
                "flag provided but not defined: -listen-addr\nUsage of server:\n",
                Complaint::BadFlag { flag: some("-listen-addr") },
            ),
            (
                "exec /entrypoint.sh: no such file or directory",
                Complaint::CommandNotFound { command: some("/entrypoint.sh") },
            ),
            (
                "standard_init_linux.go:228: exec user process caused: permission denied",
                Complaint::CommandNotExecutable { command: None },
            ),
            ("standard_init_linux.go:228: exec user process caused: exec format error", Complaint::WrongFormat),
            ("sh: serve: not found", Complaint::CommandNotFound { command: some("serve") }),
            ("/run.sh: line 7: aws: command not found", Complaint::CommandNotFound { command: some("aws") }),
            ("migration 0042 failed: relation \"users\" does not exist", Complaint::Migration),
            (
                "java.lang.OutOfMemoryError: Java heap space\n\tat java.base/java.util.Arrays.copyOf(Arrays.java:3537)\n",
                Complaint::HeapExhausted,
            ),
            ("listen tcp 0.0.0.0:8080: bind: address already in use", Complaint::PortInUse { port: some("8080") }),
            (
                "panic: runtime error: invalid memory address or nil pointer dereference\n[signal SIGSEGV]\n\ngoroutine 1 [running]:\nmain.main()\n\t/src/main.go:9 +0x1d\nexit status 2",
                Complaint::Exception,
            ),
            ("write /data/wal/0001: no space left on device", Complaint::DiskFull),
            ("bad input: line 17", Complaint::LastWords),
            ("all is well\nerror: cannot go on", Complaint::Error),
        ] {
            assert_eq!(read(log), expected, "{log}");
        }
        assert_eq!(decisive("app", " \n\n"), None);
    }

    #[test]
    fn chatter_is_passed_over() {
        let log = "ERROR open /etc/key: no such file or directory\nINFO retrying after connection refused\nINFO bye\n";
        assert_eq!(read(log), Complaint::MissingFile { path: Some("/etc/key".to_owned()) });
    }

    proptest::proptest! {
        #[test]
        fn survives_any_text(text in "(?s).{0,300}") {
            let _ = decisive("app", &text);
            for line in text.lines() {
                let _ = complaint(line);
            }
        }
    }
}
