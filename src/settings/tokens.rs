//! The secrets: which there are, what they look like, where to get them, and which mode needs them.

use super::{Environment, Mode, Problem, Secret, SettingsError};
use std::path::Path;

/// A secret of the environment, and what a person must know to supply it.
#[derive(Debug)]
pub struct Token {
    /// The variable that holds it; with `_FILE` behind it, the variable that names a file that holds it.
    pub variable: &'static str,
    /// What it begins with; empty where it has no fixed beginning.
    prefix: &'static str,
    what: &'static str,
    /// Where a person finds it.
    pub where_from: &'static str,
}

/// The bot's own token.
pub static BOT_TOKEN: Token = Token {
    variable: "SLACK_BOT_TOKEN",
    prefix: "xoxb-",
    what: "the bot token",
    where_from: "api.slack.com/apps → your app → OAuth & Permissions → Bot User OAuth Token",
};

/// The app-level token, with the scope `connections:write`.
pub static APP_TOKEN: Token = Token {
    variable: "SLACK_APP_TOKEN",
    prefix: "xapp-",
    what: "the app-level token (scope connections:write)",
    where_from: "api.slack.com/apps → your app → Basic Information → App-Level Tokens",
};

/// The secret with which Slack signs its requests.
pub static SIGNING_SECRET: Token = Token {
    variable: "SLACK_SIGNING_SECRET",
    prefix: "",
    what: "the signing secret",
    where_from: "api.slack.com/apps → your app → Basic Information → App Credentials → Signing Secret",
};

/// All secrets.
pub static ALL: [&Token; 3] = [&BOT_TOKEN, &APP_TOKEN, &SIGNING_SECRET];

/// The secrets that are there.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tokens {
    pub bot_token: Option<Secret>,
    pub app_token: Option<Secret>,
    pub signing_secret: Option<Secret>,
}

/// The secrets that a mode needs, all there and of the right kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Credentials {
    Socket { bot_token: Secret, app_token: Secret },
    Http { bot_token: Secret, signing_secret: Secret },
}

impl Tokens {
    /// Returns the secrets that the environment and its files hold.
    ///
    /// # Errors
    /// A file that cannot be read or is empty, a secret given twice, one of the wrong kind.
    pub fn read(environment: &Environment) -> Result<Self, SettingsError> {
        let mut problems = Vec::new();
        let mut take = |token| match read(token, environment) {
            Ok(secret) => secret,
            Err(problem) => {
                problems.push(problem);
                None
            }
        };
        let tokens =
            Self { bot_token: take(&BOT_TOKEN), app_token: take(&APP_TOKEN), signing_secret: take(&SIGNING_SECRET) };
        if problems.is_empty() { Ok(tokens) } else { Err(SettingsError { problems }) }
    }

    /// Returns what `mode` needs.
    ///
    /// # Errors
    /// Each secret that is missing, with where to get it.
    pub fn for_mode(self, mode: Mode) -> Result<Credentials, SettingsError> {
        let mut problems = Vec::new();
        let mut need = |token: &Token, secret: Option<Secret>| {
            if secret.is_none() {
                problems.push(missing(token, mode));
            }
            secret
        };
        let bot_token = need(&BOT_TOKEN, self.bot_token);
        let credentials = match mode {
            Mode::Socket => bot_token
                .zip(need(&APP_TOKEN, self.app_token))
                .map(|(bot_token, app_token)| Credentials::Socket { bot_token, app_token }),
            Mode::Http => bot_token
                .zip(need(&SIGNING_SECRET, self.signing_secret))
                .map(|(bot_token, signing_secret)| Credentials::Http { bot_token, signing_secret }),
        };
        credentials.ok_or(SettingsError { problems })
    }
}

impl Credentials {
    /// Returns the bot's own token, which every mode needs.
    pub fn bot_token(&self) -> &Secret {
        match self {
            Self::Socket { bot_token, .. } | Self::Http { bot_token, .. } => bot_token,
        }
    }
}

/// Tells whether a secret is given, without reading it.
pub fn is_set(token: &Token, environment: &Environment) -> bool {
    environment.get(token.variable).is_some() || environment.get(&file_variable(token)).is_some()
}

fn read(token: &Token, environment: &Environment) -> Result<Option<Secret>, Problem> {
    let by_file = file_variable(token);
    let (place, value) = match (environment.get(token.variable), environment.get(&by_file)) {
        (None, None) => return Ok(None),
        (Some(_), Some(_)) => {
            let what = format!("{by_file} is set as well; set one of the two");
            return Err(Problem::new(token.variable, "", what));
        }
        (Some(value), None) => (token.variable.to_owned(), value.trim().to_owned()),
        (None, Some(path)) => {
            let text = environment.read(Path::new(path));
            let text = text.map_err(|error| Problem::new(&by_file, "", format!("cannot read `{path}`: {error}")))?;
            (by_file, text.trim().to_owned())
        }
    };
    match mismatch(token, &value) {
        None => Ok(Some(Secret::new(value))),
        Some(found) => Err(Problem::new(place, "", format!("{found}; {}", supply(token)))),
    }
}

/// Says what is wrong with a value, without repeating it.
fn mismatch(token: &Token, value: &str) -> Option<String> {
    if value.is_empty() {
        return Some("is empty".to_owned());
    }
    if value.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Some("holds spaces or line breaks".to_owned());
    }
    let elsewhere = ALL.iter().find(|other| !other.prefix.is_empty() && value.starts_with(other.prefix));
    if let Some(other) = elsewhere.filter(|other| other.variable != token.variable) {
        return Some(format!("holds {}, which belongs into {}", other.what, other.variable));
    }
    (!value.starts_with(token.prefix)).then(|| format!("does not begin with `{}`", token.prefix))
}

fn missing(token: &Token, mode: Mode) -> Problem {
    let mode = match mode {
        Mode::Socket => "socket",
        Mode::Http => "http",
    };
    Problem::new(token.variable, "", format!("is not set, and slack.mode `{mode}` needs it; {}", supply(token)))
}

fn supply(token: &Token) -> String {
    let begins = if token.prefix.is_empty() { String::new() } else { format!(", begins with `{}`", token.prefix) };
    format!(
        "expected {}{begins}, from {}, or a file that holds it in {}",
        token.what,
        token.where_from,
        file_variable(token)
    )
}

fn file_variable(token: &Token) -> String {
    format!("{}_FILE", token.variable)
}

#[cfg(test)]
mod tests {
    use super::{Credentials, Tokens};
    use crate::settings::{Environment, Mode, Secret};

    fn problems(environment: &Environment, mode: Mode) -> String {
        Tokens::read(environment).and_then(|tokens| tokens.for_mode(mode)).expect_err("refused").to_string()
    }

    #[test]
    fn secrets_come_from_variables_and_files() {
        let environment = Environment::of(
            [("SLACK_BOT_TOKEN_FILE", "/run/bot"), ("SLACK_APP_TOKEN", "xapp-1"), ("SLACK_SIGNING_SECRET", "")],
            [("/run/bot", "xoxb-1\n")],
        );
        let credentials = Tokens::read(&environment).and_then(|tokens| tokens.for_mode(Mode::Socket));
        let (bot_token, app_token) = (Secret::new("xoxb-1"), Secret::new("xapp-1"));
        assert_eq!(credentials, Ok(Credentials::Socket { bot_token, app_token }));
    }

    #[test]
    fn what_is_missing_says_where_to_get_it_and_who_needs_it() {
        let text = problems(&Environment::of([("SLACK_BOT_TOKEN", "xoxb-1")], []), Mode::Http);
        assert!(text.starts_with("SLACK_SIGNING_SECRET: is not set, and slack.mode `http` needs it;"), "{text}");
        assert!(text.contains("Basic Information → App Credentials"), "{text}");
        let both = problems(&Environment::of([], []), Mode::Socket);
        assert!(both.contains("SLACK_BOT_TOKEN: is not set") && both.contains("SLACK_APP_TOKEN: is not set"), "{both}");
    }

    #[test]
    fn a_token_in_the_wrong_place_is_named_but_not_repeated() {
        let swapped = Environment::of([("SLACK_BOT_TOKEN", "xapp-sesame"), ("SLACK_APP_TOKEN", "sesame")], []);
        let text = problems(&swapped, Mode::Socket);
        assert!(text.contains("SLACK_BOT_TOKEN: holds the app-level token"), "{text}");
        assert!(text.contains("belongs into SLACK_APP_TOKEN"), "{text}");
        assert!(text.contains("SLACK_APP_TOKEN: does not begin with `xapp-`"), "{text}");
        assert!(!text.contains("sesame"), "{text}");
    }

    #[test]
    fn a_secret_given_twice_or_in_a_lost_file_is_refused() {
        let twice = Environment::of([("SLACK_BOT_TOKEN", "xoxb-1"), ("SLACK_BOT_TOKEN_FILE", "/a")], []);
        assert!(problems(&twice, Mode::Socket).contains("SLACK_BOT_TOKEN_FILE is set as well"));
        let lost = Environment::of([("SLACK_APP_TOKEN_FILE", "/a")], []);
        assert!(problems(&lost, Mode::Socket).contains("SLACK_APP_TOKEN_FILE: cannot read `/a`: no such file"));
    }
}
