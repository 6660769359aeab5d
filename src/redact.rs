//! Takes secrets out of everything that leaves: chat, terminal, files, logs.
//!
//! By shape, not by place: a token is a token in a log line, an event or an image's address. What replaces it says that
//! something stood there. Names of pods, images, digests and uids are left alone.

mod pairs;

/// What stands where a secret stood.
pub const REDACTED: &str = "[redacted]";

/// The beginnings of tokens that are secret by themselves.
const TOKEN_STARTS: &[TokenStart] = &[
    start("xoxb-", 8),
    start("xoxp-", 8),
    start("xoxa-", 8),
    start("xoxc-", 8),
    start("xoxd-", 8),
    start("xoxe-", 8),
    start("xoxe.", 8),
    start("xoxs-", 8),
    start("xoxr-", 8),
    start("xapp-", 8),
    start("hooks.slack.com/", 8),
    start("ghp_", 16),
    start("gho_", 16),
    start("ghu_", 16),
    start("ghs_", 16),
    start("ghr_", 16),
    start("github_pat_", 16),
    start("glpat-", 12),
    start("gldt-", 12),
    start("glrt-", 12),
    start("AKIA", 12),
    start("ASIA", 12),
    start("AIza", 20),
    start("GOCSPX-", 16),
    start("ya29.", 16),
    start("hvs.", 12),
    start("npm_", 20),
    start("hf_", 20),
    start("dop_v1_", 16),
    start("dckr_pat_", 12),
    start("sk_live_", 12),
    start("rk_live_", 12),
    start("whsec_", 16),
    start("SG.", 20),
    mixed("sk-", 20),
    mixed("pypi-", 16),
];

struct TokenStart {
    text: &'static str,
    /// How many characters must follow.
    least: usize,
    /// Pods may be called like this (`sk-frontend-5bd487cf9d-bqmvm`); the token has capital letters, and they have not.
    needs_capital: bool,
}

const fn start(text: &'static str, least: usize) -> TokenStart {
    TokenStart { text, least, needs_capital: false }
}

const fn mixed(text: &'static str, least: usize) -> TokenStart {
    TokenStart { text, least, needs_capital: true }
}

/// Returns the text without secrets. What is clean already stays as it is.
pub fn redact(text: &str) -> String {
    let text = pem_blocks(text);
    let text = addresses(&text);
    let text = data_sources(&text);
    let text = headers(&text);
    let text = tokens(&text);
    pairs::redact(&text)
}

/// Cuts private keys and other PEM bodies out; certificates are public, but nobody reads them either.
fn pem_blocks(text: &str) -> String {
    const BEGIN: &str = "-----BEGIN ";
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(BEGIN) {
        out.push_str(&rest[..at]);
        let body = &rest[at + BEGIN.len()..];
        let label =
            body.find(|c: char| !(c.is_ascii_uppercase() || c.is_ascii_digit() || c == ' ')).unwrap_or(body.len());
        // Prose about PEM is not PEM.
        if label < body.len() && !body[label..].starts_with("-----") {
            out.push_str(BEGIN);
            rest = body;
            continue;
        }
        // Where the end was cut off, everything that may belong to it goes.
        let end = match body.find("-----END ") {
            Some(end) => end + body[end + 9..].find("-----").map_or(body.len() - end, |dashes| 9 + dashes + 5),
            None => body.find(|c: char| !is_pem_char(c)).unwrap_or(body.len()),
        };
        out.push_str(REDACTED);
        rest = &body[end..];
    }
    out.push_str(rest);
    out
}

/// Base64, line breaks (also written as `\n`), and the dashes and words of the first line.
fn is_pem_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || c.is_whitespace() || matches!(c, '+' | '/' | '=' | '-' | '\\')
}

/// `scheme://user:password@host` keeps all but the password.
fn addresses(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let (head, tail) = rest.split_at(at + 3);
        out.push_str(head);
        rest = tail;
        let Some(sign) = sign_after_user(tail) else { continue };
        let user = &tail[..sign];
        match user.find(':') {
            Some(colon) => {
                out.push_str(&user[..=colon]);
                out.push_str(REDACTED);
            }
            // A token alone before the @ (https://TOKEN@github.com) is a secret as well.
            None if user.len() >= 20 => out.push_str(REDACTED),
            None => out.push_str(user),
        }
        rest = &tail[sign..];
    }
    out.push_str(rest);
    out
}

/// Returns where the `@` stands that ends the user and password of an address.
fn sign_after_user(tail: &str) -> Option<usize> {
    let word_end = |stops: &str| tail.find(|c: char| c.is_whitespace() || stops.contains(c)).unwrap_or(tail.len());
    let authority = &tail[..word_end("/?#\"'<>`")];
    // docker-pullable://nginx:1.25@sha256:… is an image and its digest.
    let is_digest = |sign: usize| tail[sign + 1..].starts_with("sha256:");
    if let Some(sign) = authority.rfind('@') {
        return Some(sign).filter(|sign| !is_digest(*sign));
    }
    // A password may hold a slash; the last @ before the next blank still ends it. Digits behind the colon are a port.
    let colon = authority.find(':')?;
    let sign = tail[..word_end("\"'<>`")].rfind('@')?;
    let is_port = authority[colon + 1..].chars().all(|c| c.is_ascii_digit());
    (sign > colon && !is_port && !is_digest(sign)).then_some(sign)
}

/// `user:password@tcp(host:3306)/db`, as Go's MySQL driver writes it.
fn data_sources(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = ["@tcp(", "@unix(", "@cloudsql("].iter().filter_map(|mark| rest.find(mark)).min() {
        let before = &rest[..at];
        let word = before.rfind(|c: char| c.is_whitespace() || "\"'`=".contains(c)).map_or(0, |blank| blank + 1);
        match before[word..].find(':') {
            Some(colon) => {
                out.push_str(&before[..word + colon + 1]);
                out.push_str(REDACTED);
            }
            None => out.push_str(before),
        }
        out.push('@');
        rest = &rest[at + 1..];
    }
    out.push_str(rest);
    out
}

/// `Bearer …` and `Basic …` of HTTP headers.
fn headers(text: &str) -> String {
    let lower = text.to_ascii_lowercase();
    let mut out = String::with_capacity(text.len());
    let mut done = 0;
    while let Some(at) =
        ["bearer ", "basic "].iter().filter_map(|mark| Some(lower[done..].find(mark)? + mark.len())).min()
    {
        let word_at = done + at;
        let word = &text[word_at..];
        let word = &word[..word.find(|c: char| !is_token_char(c) && c != '/').unwrap_or(word.len())];
        out.push_str(&text[done..word_at]);
        done = word_at;
        // "no basic auth credentials", "basic authentication" are words.
        let capital_inside = word.chars().skip(1).any(char::is_uppercase);
        if word.len() >= 8 && (capital_inside || word.contains(|c: char| c.is_ascii_digit() || c == '=')) {
            out.push_str(REDACTED);
            done += word.len();
        }
    }
    out.push_str(&text[done..]);
    out
}

/// Tokens that are known by their beginning, and JSON web tokens.
fn tokens(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    let mut inside_word = false;
    while let Some(c) = rest.chars().next() {
        let length = if inside_word { None } else { known_token(rest).or_else(|| web_token(rest)) };
        if let Some(length) = length {
            out.push_str(REDACTED);
            rest = &rest[length..];
            inside_word = false;
        } else {
            out.push(c);
            rest = &rest[c.len_utf8()..];
            inside_word = c.is_ascii_alphanumeric();
        }
    }
    out
}

/// Returns the length of the token that a text begins with.
fn known_token(text: &str) -> Option<usize> {
    let start = TOKEN_STARTS.iter().find(|start| text.starts_with(start.text))?;
    let tail = &text[start.text.len()..];
    let is_path = start.text.ends_with('/');
    let length = tail.find(|c: char| !(is_token_char(c) || is_path && c == '/')).unwrap_or(tail.len());
    let has_capital = tail[..length].contains(|c: char| c.is_ascii_uppercase());
    (length >= start.least && (has_capital || !start.needs_capital)).then_some(start.text.len() + length)
}

/// Returns the length of the JSON web token that a text begins with: `eyJ….eyJ….…`.
fn web_token(text: &str) -> Option<usize> {
    if !text.starts_with("eyJ") {
        return None;
    }
    let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '=');
    let length = text.find(|c: char| !is_part(c)).unwrap_or(text.len());
    (length >= 30 && text[..length].contains('.')).then_some(length)
}

fn is_token_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '=' | '+' | '~')
}

#[cfg(test)]
mod tests;
