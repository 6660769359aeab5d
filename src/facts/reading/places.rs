//! Hosts and paths that a line of a log names.

use super::text::between;

/// Returns the first `host:port` of a line.
pub fn peer(line: &str) -> Option<String> {
    let words = line.split(|c: char| {
        c.is_whitespace() || matches!(c, '"' | '\'' | '(' | ')' | '`' | ',' | ';' | '=' | '<' | '>' | '{' | '}')
    });
    let mut found = words.rev().filter_map(|word| {
        let word = word.rsplit_once("://").map_or(word, |(_, rest)| rest).trim_end_matches([':', '.']);
        let word = word.split('/').find(|part| !part.is_empty()).unwrap_or(word);
        let word = word.rsplit_once('@').map_or(word, |(_, host)| host);
        let (host, port) = word.rsplit_once(':')?;
        let is_port = port.len() >= 2 && port.len() <= 5 && port.chars().all(|c| c.is_ascii_digit());
        // 12:30 of a time of day is no peer; nor is `server.go:212`.
        let host = host.trim_matches(['[', ']']);
        let is_host = host.chars().any(|c| c.is_ascii_alphabetic()) && !is_source_file(host)
            || host.matches('.').count() == 3
            || host == "::1";
        (is_port && is_host && !host.is_empty()).then(|| format!("{host}:{port}"))
    });
    // Go writes "dial tcp FROM->TO" or names the target last: `dial tcp 10.0.0.1:5432: connect: connection refused`.
    found.next().or_else(|| {
        let host = between(line, "server at \"", "\"")?;
        let port = between(line, "port ", " ").unwrap_or("5432");
        Some(format!("{host}:{port}"))
    })
}

fn is_source_file(word: &str) -> bool {
    [".go", ".py", ".js", ".ts", ".java", ".rb", ".rs", ".c", ".cc", ".cpp", ".php", ".kt", ".cs", ".mjs"]
        .iter()
        .any(|end| word.ends_with(end))
}

/// Returns the first absolute path of a line.
pub fn path(line: &str) -> Option<String> {
    line.split(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '(' | ')' | '`' | ',' | '[' | ']'))
        .map(|word| word.trim_end_matches([':', ';', '.']))
        .find(|word| word.starts_with('/') && word.len() > 1 && !word.starts_with("//"))
        .map(str::to_owned)
}
