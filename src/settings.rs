//! The settings: one YAML file over the defaults, the environment over both, every mistake named with its place.
//!
//! ```text
//! file ─► tree (with lines) ─┐
//! environment ───────────────┴► walk along the schema ─► Settings ─► rules between keys
//! ```
//!
//! The types in [`model`] are the one source: the JSON schema is derived from them, and the schema decides what keys
//! there are, what they expect, and how a variable of the environment is read. Secrets never stand in the file; see
//! [`tokens`]. Nothing here looks at the process: what is read comes in as an [`Environment`].

pub mod calendar;
pub mod causes;
pub mod duration;
pub mod environment;
pub mod error;
mod format;
pub mod model;
pub mod pattern;
pub mod reload;
mod rules;
mod schema;
pub mod secret;
pub mod tokens;
mod tree;
mod variables;
mod walk;

pub use calendar::{Day, Quiet, TimeOfDay, Zone};
pub use duration::HumanDuration;
pub use environment::Environment;
pub use error::{Problem, SettingsError};
pub use model::{Access, Ask, Cluster, Grant, Http, Language, Mode, Remedy, RemedyRule, Route, Settings, Slack, Store};
pub use model::{History, Override, Report, StoreKind, Storm, SubjectSource, Thresholds, Watch};
pub use reload::{InForce, Reload, Reloader};
pub use secret::Secret;
pub use tokens::{APP_TOKEN, BOT_TOKEN, Credentials, Tokens};

use crate::diagnosis::Catalogue;
use std::path::{Path, PathBuf};

/// The variable that names the settings file where `--config` does not.
pub const CONFIG_VARIABLE: &str = "PODOCTOR_CONFIG";

/// Where a settings file is looked for when nobody names one, in this order.
pub const DEFAULT_FILES: [&str; 2] = ["podoctor.yaml", "/etc/podoctor/podoctor.yaml"];

/// Settings, and the file they came from.
#[derive(Debug, Clone)]
pub struct Loaded {
    pub settings: Settings,
    /// podoctor's own causes, and those of the files that the settings name.
    pub catalogue: Catalogue,
    /// `None` = no file was found; the defaults and the environment hold.
    pub file: Option<PathBuf>,
}

/// Returns the settings of `path`, else of the file that `PODOCTOR_CONFIG` names, else of the first of
/// [`DEFAULT_FILES`] that is there, else the defaults; the environment over them.
///
/// # Errors
/// Every problem of the file and of the environment in one error. A file that was named must be there.
pub fn load(path: Option<&Path>, environment: &Environment) -> Result<Loaded, SettingsError> {
    load_with(path, environment, &mut causes::Compiled::default())
}

fn load_with(
    path: Option<&Path>,
    environment: &Environment,
    compiled: &mut causes::Compiled,
) -> Result<Loaded, SettingsError> {
    let (file, text) = match locate(path, environment)? {
        Some((file, text)) => (Some(file), text),
        None => (None, String::new()),
    };
    let name = file.as_ref().map_or_else(|| "settings".to_owned(), |file| file.display().to_string());
    let settings = parse(&name, &text, environment.variables())?;
    let catalogue = compiled.read(&settings.causes, file.as_deref(), environment)?;
    Ok(Loaded { settings, catalogue, file })
}

/// Returns the settings in `text`, which `name` stands for in errors, with `variables` over them.
///
/// # Errors
/// Every problem found, each with its line or variable and its key.
pub fn parse(
    name: &str,
    text: &str,
    variables: &std::collections::BTreeMap<String, String>,
) -> Result<Settings, SettingsError> {
    let schema = schema::Schema::of_settings();
    let mut problems = Vec::new();
    let mut tree = tree::read(name, text).map_err(SettingsError::one)?;
    variables::overlay(&mut tree, variables, &schema, &mut problems);
    walk::check(&tree, &schema, &mut problems);
    if !problems.is_empty() {
        return Err(SettingsError { problems });
    }
    let mut settings: Settings = serde_path_to_error::deserialize(tree.to_json())
        .map_err(|error| SettingsError::one(Problem::new(name, error.path().to_string(), error.inner().to_string())))?;
    let without_slash = settings.slack.api_url.trim_end_matches('/').len();
    settings.slack.api_url.truncate(without_slash);
    rules::check(&settings, &tree, &mut problems);
    if problems.is_empty() { Ok(settings) } else { Err(SettingsError { problems }) }
}

/// Returns the effective settings as YAML that can be loaded again. Which secrets are set stands in comments.
pub fn show(settings: &Settings, environment: &Environment) -> String {
    let mut text = serde_saphyr::to_string(settings).expect("settings are plain data");
    if !text.ends_with('\n') {
        text.push('\n');
    }
    text.push_str("\n# Secrets come from the environment or from files, never from this file:\n");
    for token in tokens::ALL {
        let state = if tokens::is_set(token, environment) { "(set)" } else { "(not set)" };
        text.push_str(&format!("# {}: {state}\n", token.variable));
    }
    text
}

/// Returns the JSON schema of the settings file.
pub fn json_schema() -> serde_json::Value {
    schema::Schema::of_settings().into_json()
}

fn locate(path: Option<&Path>, environment: &Environment) -> Result<Option<(PathBuf, String)>, SettingsError> {
    let named = match path {
        Some(path) => Some((path.to_owned(), "--config")),
        None => environment.get(CONFIG_VARIABLE).map(|path| (PathBuf::from(path), CONFIG_VARIABLE)),
    };
    if let Some((path, by)) = named {
        let text = environment.read(&path).map_err(|error| {
            let what = format!("cannot read the settings file `{}`: {error}", path.display());
            SettingsError::one(Problem::new(by, String::new(), what))
        })?;
        return Ok(Some((path, text)));
    }
    for file in DEFAULT_FILES {
        let path = PathBuf::from(file);
        match environment.read(&path) {
            Ok(text) => return Ok(Some((path, text))),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            // A file that is there but cannot be read is a mistake, not a reason to run with the defaults.
            Err(error) => {
                let what = format!("cannot read the settings file: {error}");
                return Err(SettingsError::one(Problem::new(file, String::new(), what)));
            }
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests;
