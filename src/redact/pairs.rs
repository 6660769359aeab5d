//! Values that are secret by the name before them: `DB_PASSWORD=…`, `"apiKey": "…"`, `--token …`, and the environment of a
//! container as YAML, JSON, Go or `kubectl describe` print it.
//!
//! The hard part is prose: `failed to fetch oauth token: unexpected status` names no token.

use super::REDACTED;

/// What the name of a secret ends with, written together (`db.api-key` is `dbapikey`).
const ENDINGS: &[&str] = &[
    "password",
    "passwd",
    "passphrase",
    "passcode",
    "secret",
    "token",
    "apikey",
    "accesskey",
    "accesskeyid",
    "accountkey",
    "secretkey",
    "privatekey",
    "signingkey",
    "encryptionkey",
    "masterkey",
    "sessionkey",
    "credential",
    "credentials",
    "connectionstring",
    "authorization",
    "setcookie",
    "amzsignature",
    "googsignature",
];
/// What it ends with as a word of its own: `DB_PASS` but not `bypass`.
const WORDS: &[&str] = &["pass", "pwd", "auth", "cookie", "sessionid", "sig", "dsn"];
/// What may follow on the name without changing what it names.
const TAILS: &[&str] = &["value", "base64", "b64", "hash", "base"];
/// Names that end like a secret's and name something else.
const NO_SECRETS: &[&str] = &["pullsecret", "automountserviceaccounttoken", "serviceaccounttoken"];
/// After a name and a colon these are words, however short.
const PROSE: &[&str] =
    &["null", "nil", "none", "true", "false", "undefined", "expired", "invalid", "missing", "required"];
const MORE_PROSE: &[&str] =
    &["denied", "forbidden", "unauthorized", "empty", "unknown", "rejected", "revoked", "timeout"];

/// Returns the text without the values of such names.
pub fn redact(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find(|c: char| c.is_ascii_alphabetic() || c == '_') {
        let (head, tail) = rest.split_at(start);
        out.push_str(head);
        let (name, after) = tail.split_at(tail.find(|c: char| !is_name_char(c)).unwrap_or(tail.len()));
        let before = out.chars().next_back();
        out.push_str(name);
        rest = after;
        if !is_secret_name(name) {
            continue;
        }
        let Some(value) = Value::after(name, before, head, after) else { continue };
        out.push_str(&after[..value.at]);
        out.push_str(REDACTED);
        rest = &after[value.at + value.length..];
    }
    out.push_str(rest);
    out
}

/// Where a secret stands behind its name.
struct Value {
    at: usize,
    length: usize,
}

impl Value {
    /// Finds it; `None` where what follows is no value or no secret.
    fn after(name: &str, before: Option<char>, head: &str, after: &str) -> Option<Self> {
        let (at, joint) = joint(name, before, head, after)?;
        let value = &after[at..];
        if value.starts_with(REDACTED) {
            return None;
        }
        let quote = after[..at].chars().next_back().filter(|c| matches!(c, '"' | '\'' | '`'));
        let is_header = is_whole_header(name, value);
        let length = match quote {
            Some(quote) => quoted_length(value, quote, after[..at - 1].ends_with('\\')),
            None if is_header => value.find('\n').unwrap_or(value.len()),
            None => bare_length(value),
        };
        let text = value[..length].trim_end();
        let rest_of_line = value[length..].lines().next().unwrap_or_default().trim();
        let is_secret = match joint {
            _ if is_reference(text) || text.contains(REDACTED) => false,
            _ if quote.is_some() || is_header => !text.is_empty(),
            Joint::Close => true,
            // `DB_PASSWORD:   swordfish`, as `kubectl describe` prints the environment.
            Joint::Apart if is_variable(name) => true,
            // `password: swordfish` ends its line, an error text goes on.
            Joint::Apart if rest_of_line.trim_start_matches([',', ';', '}', ']', ')']).is_empty() => !is_prose(text),
            Joint::Apart => looks_random(text) && !value[length..].starts_with(':'),
        };
        let length = text.len();
        (is_secret && length > 0).then_some(Self { at, length })
    }
}

/// How a name and its value are held together.
enum Joint {
    /// `name=value`, `--name value`, `"name":"value"`, `name: X, value: …`.
    Close,
    /// `name: value`.
    Apart,
}

/// Returns where the value begins.
fn joint(name: &str, before: Option<char>, head: &str, after: &str) -> Option<(usize, Joint)> {
    let skip = |from: usize, blanks: &str| {
        after[from..].find(|c: char| !blanks.contains(c)).map_or(after.len(), |offset| from + offset)
    };
    let sign = skip(0, "\"'` \\");
    match after[sign..].chars().next() {
        Some('=') => Some((skip(sign + 1, "\"'` \\>"), Joint::Close)),
        Some(':') if after[sign + 1..].starts_with("//") => None,
        Some(':') => {
            let at = skip(sign + 1, "\"'` \t\\=");
            let is_apart = after[sign + 1..].starts_with([' ', '\t']);
            // `registry/csi-secret:v1` is an image and `vault-token:8200` an address.
            let is_bare_name = sign == 0 && !is_apart;
            let is_part = before.is_some_and(|c| matches!(c, '/' | '.' | '@')) || name.contains(['-', '.']);
            match () {
                () if is_bare_name && (is_part || after[at..].starts_with(|c: char| c.is_ascii_digit())) => None,
                () if is_apart => Some((at, Joint::Apart)),
                () => Some((at, Joint::Close)),
            }
        }
        _ if head.ends_with("--") && after.starts_with(' ') => Some((skip(0, " \"'"), Joint::Close)),
        // name: DB_PASSWORD, then its value: YAML, JSON, or Go's {Name:DB_PASSWORD Value:…}.
        _ => {
            let next = skip(0, "\"'`, \\\n\r\t");
            if !after.get(next..next + 5).is_some_and(|word| word.eq_ignore_ascii_case("value")) {
                return None;
            }
            let sign = skip(next + 5, "\"'`\\");
            after[sign..].starts_with(':').then(|| (skip(sign + 1, "\"'` \t\\"), Joint::Close))
        }
    }
}

/// Returns the length of a value up to its closing quote. In a text that was itself quoted once more
/// (`{\"token\":\"…\"}`) the quotes that count are the escaped ones.
fn quoted_length(value: &str, quote: char, counts_escaped: bool) -> usize {
    let mut escaped = false;
    for (at, c) in value.char_indices() {
        match c {
            '\n' => return at,
            '\\' => escaped = !escaped,
            c if c == quote && counts_escaped => return if escaped { at - 1 } else { at },
            c if c == quote && !escaped => return at,
            _ => escaped = false,
        }
    }
    value.len()
}

/// Returns the length of a value without quotes: up to a blank or quote, but not over `, name=` and not with what closes it.
fn bare_length(value: &str) -> usize {
    let word =
        &value[..value.find(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '`')).unwrap_or(value.len())];
    let next_pair = word.char_indices().filter(|(_, c)| matches!(c, ',' | ';' | '&')).map(|(at, _)| at).find(|at| {
        let name = &word[at + 1..];
        let end = name.find(|c: char| !is_name_char(c)).unwrap_or(name.len());
        end > 0 && name[end..].starts_with(['=', ':'])
    });
    word[..next_pair.unwrap_or(word.len())].trim_end_matches([',', ';', '}', ']', ')']).len()
}

fn is_name_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.')
}

/// `DB_PASSWORD`: a variable of the environment, never a word of a sentence.
fn is_variable(name: &str) -> bool {
    name.contains('_') && !name.contains(|c: char| c.is_ascii_lowercase())
}

/// Headers whose whole line is secret, not just its first word; but "may require authorization: denied" is prose.
fn is_whole_header(name: &str, value: &str) -> bool {
    let is_named = |names: &[&str]| names.iter().any(|other| name.eq_ignore_ascii_case(other));
    let scheme = value.split_whitespace().next().unwrap_or_default();
    let has_scheme = ["basic", "bearer", "token", "digest", "negotiate", "apikey", "aws4-hmac-sha256"]
        .iter()
        .any(|known| scheme.eq_ignore_ascii_case(known));
    (is_named(&["authorization", "proxy-authorization"]) && has_scheme)
        || (is_named(&["cookie", "set-cookie"]) && scheme.contains('='))
}

/// `$(DB_PASSWORD)`, `${X}`, `<set to the key 'password' in secret 'db'>`, `<none>`; and `PWD=/app`.
fn is_reference(value: &str) -> bool {
    value.starts_with(['$', '<', '/']) || is_no_value(value)
}

fn is_no_value(value: &str) -> bool {
    PROSE[..6].iter().any(|word| value.eq_ignore_ascii_case(word))
}

fn is_prose(value: &str) -> bool {
    let word = value.trim_end_matches(['.', '!', ':']);
    word.len() < 4 || PROSE.iter().chain(MORE_PROSE).any(|prose| word.eq_ignore_ascii_case(prose))
}

/// In a sentence, a word with digits among letters or capitals inside is a secret rather than a word.
fn looks_random(word: &str) -> bool {
    let word = word.trim_end_matches(['.', ',', ';']);
    let digits = word.contains(|c: char| c.is_ascii_digit());
    let letters = word.contains(|c: char| c.is_alphabetic());
    let capitals = word.chars().skip(1).any(char::is_uppercase) && word.contains(|c: char| c.is_lowercase());
    word.len() >= 5 && !word.ends_with(':') && !word.starts_with("HTTP") && ((digits && letters) || capitals)
}

fn is_secret_name(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    let mut together: String = lower.chars().filter(|c| c.is_ascii_alphanumeric()).collect();
    together.truncate(together.trim_end_matches(|c: char| c.is_ascii_digit()).len());
    for tail in TAILS {
        if let Some(shorter) = together.strip_suffix(tail) {
            together.truncate(shorter.len());
            break;
        }
    }
    let last_word = lower.rsplit(['_', '-', '.']).next().unwrap_or_default();
    (ENDINGS.iter().any(|ending| together.ends_with(ending)) || WORDS.contains(&last_word))
        && !NO_SECRETS.iter().any(|other| together.ends_with(other))
}
