//! Takes secrets out of everything that leaves: chat, terminal, files, logs.
//!
//! By shape, not by place: a token is a token in a log line, an event or an image's address. What replaces it says that
//! something stood there. Names of pods, digests and uids are left alone.

/// What stands where a secret stood.
pub const REDACTED: &str = "[redacted]";

/// Key names whose value is a secret, wherever they stand: `DB_PASSWORD=…`, `"apiKey": "…"`.
const SECRET_KEYS: &[&str] = &[
    "password",
    "passwd",
    "passphrase",
    "pwd",
    "secret",
    "token",
    "apikey",
    "api_key",
    "api-key",
    "accesskey",
    "access_key",
    "access-key",
    "privatekey",
    "private_key",
    "private-key",
    "credential",
    "credentials",
    "authorization",
    "auth_token",
    "client_secret",
    "session_key",
    "sessionid",
    "cookie",
    "connectionstring",
    "connection_string",
];
/// Beginnings of tokens that are secret by themselves, and how many characters must follow.
const TOKEN_STARTS: &[(&str, usize)] = &[
    ("xoxb-", 8),
    ("xoxp-", 8),
    ("xoxa-", 8),
    ("xoxe-", 8),
    ("xoxe.", 8),
    ("xoxs-", 8),
    ("xoxr-", 8),
    ("xapp-", 8),
    ("ghp_", 16),
    ("gho_", 16),
    ("ghu_", 16),
    ("ghs_", 16),
    ("ghr_", 16),
    ("github_pat_", 16),
    ("glpat-", 12),
    ("sk-", 20),
    ("sk_live_", 12),
    ("rk_live_", 12),
    ("AKIA", 12),
    ("ASIA", 12),
    ("AIza", 20),
    ("ya29.", 16),
    ("hvs.", 12),
    ("npm_", 20),
    ("pypi-", 16),
    ("dop_v1_", 16),
    ("SG.", 20),
    ("hooks.slack.com/", 8),
    ("dckr_pat_", 12),
];

/// Returns the text without secrets.
pub fn redact(text: &str) -> String {
    let text = pem_blocks(text);
    let text = url_passwords(&text);
    let text = bearer(&text);
    let text = tokens(&text);
    key_values(&text)
}

/// Cuts private keys and other PEM bodies out; certificates are public, but nobody reads them either.
fn pem_blocks(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find("-----BEGIN ") {
        out.push_str(&rest[..start]);
        out.push_str(REDACTED);
        let body = &rest[start + 11..];
        let Some(end) = body.find("-----END ") else { return out };
        let after = &body[end + 9..];
        rest = after.find("-----").map_or("", |dashes| &after[dashes + 5..]);
    }
    out.push_str(rest);
    out
}

/// `scheme://user:password@host` keeps all but the password.
fn url_passwords(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let (head, tail) = rest.split_at(at + 3);
        out.push_str(head);
        let authority_end = tail
            .find(|c: char| c.is_whitespace() || matches!(c, '/' | '?' | '#' | '"' | '\'' | '<' | '>'))
            .unwrap_or(tail.len());
        // A password may hold a slash; the last @ before the next blank still ends it.
        let word_end =
            tail.find(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '<' | '>')).unwrap_or(tail.len());
        let sign = tail[..authority_end].rfind('@').or_else(|| {
            let colon = tail[..authority_end].find(':')?;
            tail[..word_end]
                .rfind('@')
                .filter(|sign| *sign > colon && !tail[colon + 1..authority_end].chars().all(|c| c.is_ascii_digit()))
        });
        match sign {
            Some(sign) => {
                let userinfo = &tail[..sign];
                match userinfo.find(':') {
                    Some(colon) => {
                        out.push_str(&userinfo[..=colon]);
                        out.push_str(REDACTED);
                    }
                    // A token alone before the @ (https://TOKEN@github.com) is a secret as well.
                    None if userinfo.len() >= 20 => out.push_str(REDACTED),
                    None => out.push_str(userinfo),
                }
                rest = &tail[sign..];
            }
            None => rest = tail,
        }
    }
    out.push_str(rest);
    out
}

/// `Bearer …` and `Basic …` of HTTP headers.
fn bearer(text: &str) -> String {
    let mut out = text.to_owned();
    for scheme in ["Bearer ", "bearer ", "Basic ", "basic "] {
        let mut result = String::with_capacity(out.len());
        let mut rest = out.as_str();
        while let Some(at) = rest.find(scheme) {
            let (head, tail) = rest.split_at(at + scheme.len());
            result.push_str(head);
            let end = tail.find(|c: char| !is_token_char(c)).unwrap_or(tail.len());
            let word = &tail[..end];
            if word.len() >= 8 && (word.len() >= 16 || word.chars().any(|c| c.is_ascii_digit() || c == '=')) {
                result.push_str(REDACTED);
            } else {
                result.push_str(word);
            }
            rest = &tail[end..];
        }
        result.push_str(rest);
        out = result;
    }
    out
}

/// Tokens that are known by their beginning, and JSON web tokens.
fn tokens(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    'text: while !rest.is_empty() {
        let boundary = out.chars().next_back().is_none_or(|c| !c.is_ascii_alphanumeric());
        if boundary {
            for (start, least) in TOKEN_STARTS {
                if let Some(tail) = rest.strip_prefix(start) {
                    let extra: fn(char) -> bool = if start.contains('/') { |c| c == '/' } else { |_| false };
                    let end = tail.find(|c: char| !is_token_char(c) && !extra(c)).unwrap_or(tail.len());
                    if end >= *least && (start.len() > 3 || tail[..end].chars().any(|c| c.is_ascii_digit())) {
                        out.push_str(REDACTED);
                        rest = &tail[end..];
                        continue 'text;
                    }
                }
            }
            if let Some(end) = jwt(rest) {
                out.push_str(REDACTED);
                rest = &rest[end..];
                continue;
            }
        }
        let mut chars = rest.chars();
        if let Some(c) = chars.next() {
            out.push(c);
        }
        rest = chars.as_str();
    }
    out
}

/// Returns the length of the JSON web token that a text begins with: `eyJ….eyJ….…`.
fn jwt(text: &str) -> Option<usize> {
    if !text.starts_with("eyJ") {
        return None;
    }
    let end =
        text.find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '='))).unwrap_or(text.len());
    let word = &text[..end];
    (word.len() >= 30 && word.matches('.').count() >= 1).then_some(end)
}

/// The value behind a key that names a secret: `KEY=value`, `key: value`, `"key":"value"`, `--key value`.
fn key_values(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    loop {
        let Some(start) = rest.find(|c: char| c.is_ascii_alphabetic() || c == '_') else {
            out.push_str(rest);
            return out;
        };
        let (head, tail) = rest.split_at(start);
        out.push_str(head);
        let end =
            tail.find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.'))).unwrap_or(tail.len());
        let (key, after) = tail.split_at(end);
        out.push_str(key);
        rest = after;
        if !is_secret_key(key) {
            continue;
        }
        let separator = after.find(|c: char| !matches!(c, '"' | '\'' | ' ' | '\\')).unwrap_or(after.len());
        let is_flag = head.ends_with("--");
        let joined = after[separator..].starts_with(['=', ':']);
        let spaced = is_flag && after.starts_with(' ');
        if !joined && !spaced {
            continue;
        }
        let value_at = if joined {
            let behind = &after[separator + 1..];
            separator + 1 + behind.find(|c: char| !matches!(c, '"' | '\'' | ' ' | '\\')).unwrap_or(behind.len())
        } else {
            separator
        };
        let value = &after[value_at..];
        let quoted = after[..value_at].ends_with(['"', '\'']);
        let stop = |c: char| {
            if quoted {
                matches!(c, '"' | '\'' | '\n')
            } else {
                c.is_whitespace() || matches!(c, ',' | ';' | '&' | '"' | '\'' | '}' | ')' | ']')
            }
        };
        let length = value.find(stop).unwrap_or(value.len());
        let is_prose =
            matches!(&value[..length], "" | "null" | "nil" | "none" | "true" | "false" | "<none>" | REDACTED)
                || value.starts_with(REDACTED)
                || (!quoted && after[..value_at].ends_with(' ') && !looks_secret(&value[..length]));
        if !is_prose {
            out.push_str(&after[..value_at]);
            out.push_str(REDACTED);
            rest = &value[length..];
        }
    }
}

/// After `token: ` prose may follow ("token: expired"); a value with digits, signs or mixed case is taken for a secret.
fn looks_secret(word: &str) -> bool {
    let word = word.trim_end_matches(['.', ',']);
    let digits = word.chars().any(|c| c.is_ascii_digit());
    let signs = word.chars().any(|c| !c.is_alphanumeric());
    let upper = word.chars().skip(1).any(char::is_uppercase);
    word.len() >= 4 && (digits || signs || upper)
}

fn is_secret_key(key: &str) -> bool {
    let lower = key.to_ascii_lowercase();
    // A name that holds a secret's name as a part of it: DB_PASSWORD, x-api-key, spring.datasource.password.
    SECRET_KEYS.iter().any(|secret| {
        lower == *secret
            || lower.ends_with(&format!("_{secret}"))
            || lower.ends_with(&format!("-{secret}"))
            || lower.ends_with(&format!(".{secret}"))
            || (secret.len() > 5
                && lower.ends_with(secret)
                && !lower.ends_with("imagepullsecret")
                && !lower.ends_with("pullsecret"))
    })
}

fn is_token_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '=' | '+' | '~')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn takes_out_what_is_secret() {
        for (text, secret) in [
            ("DB_PASSWORD=hunter2 next", "hunter2"),
            ("password: s3cr3t!", "s3cr3t!"),
            (r#"{"apiKey":"abc def","x":1}"#, "abc def"),
            ("postgres://app:p4ss/w0rd@db:5432/shop", "p4ss/w0rd"),
            ("redis://:topsecret@cache:6379", "topsecret"),
            ("Authorization: Bearer abcdefghijklmnop1234", "abcdefghijklmnop1234"),
            ("token xoxb-123456789012-abcdefghijkl here", "xoxb-123456789012-abcdefghijkl"),
            ("ghp_0123456789abcdefghij0123456789abcdef", "ghp_0123456789abcdefghij"),
            ("key AKIAIOSFODNN7EXAMPLE used", "AKIAIOSFODNN7EXAMPLE"),
            (
                "jwt eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U",
                "eyJhbGciOiJIUzI1NiJ9",
            ),
            ("-----BEGIN RSA PRIVATE KEY-----\nMIIEow\n-----END RSA PRIVATE KEY-----\nafter", "MIIEow"),
            ("mysqld --password hunter22 --port 1", "hunter22"),
            ("https://ghtokenghtokenghtoken@github.com/x", "ghtokenghtokenghtoken"),
        ] {
            let clean = redact(text);
            assert!(!clean.contains(secret) && clean.contains(REDACTED), "{text} -> {clean}");
        }
    }

    #[test]
    fn leaves_alone_what_is_not() {
        for text in [
            "prod/manage-5bd487cf9d-bqmvm",
            "172.30.0.1:5000/shop/web@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
            "97175414-afbe-4b36-b371-c8ca9b3edaae",
            "secret \"db-credentials\" not found",
            "MountVolume.SetUp failed for volume \"certs\" : secret \"tls\" not found",
            "failed to fetch anonymous token: unexpected status: 401 Unauthorized",
            "Get \"https://10.0.0.1:10250/containerLogs/shop/web/app\": dial tcp 10.0.0.1:10250: i/o timeout",
            "no basic auth credentials",
            "couldn't find key password in Secret shop/db",
            "references non-existent secret key: tls.crt",
        ] {
            assert_eq!(redact(text), text);
        }
    }

    proptest! {
        #[test]
        fn a_planted_password_never_survives(before in "[ -~]{0,40}", secret in "[A-Za-z0-9]{4}[0-9][A-Za-z0-9]{8,20}", after in "[ -~]{0,40}") {
            for form in [format!("{before} DB_PASSWORD={secret} {after}"), format!("{before} \"token\": \"{secret}\" {after}"),
                         format!("{before} postgres://u:{secret}@db/x {after}"), format!("{before} xoxb-{secret} {after}")] {
                // What stands before must not already hold the secret's text.
                prop_assume!(!before.contains(&secret) && !after.contains(&secret));
                prop_assert!(!redact(&form).contains(&secret), "{} -> {}", form, redact(&form));
            }
        }

        #[test]
        fn no_text_panics_and_twice_is_once(text in "\\PC{0,200}") {
            let once = redact(&text);
            prop_assert_eq!(redact(&once), once);
        }
    }
}
