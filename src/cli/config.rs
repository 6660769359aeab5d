//! `podoctor config check|show|schema`: the settings, and what is wrong with them.

use super::paint::print;
use crate::settings::{self, Environment, Loaded, Tokens};
use std::fmt::Write;
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Says what is wrong with the settings and the secrets; exit 0 = `podoctor serve` can start with them
    Check(FileArg),
    /// Prints the settings in force, with the environment over the file
    Show(FileArg),
    /// Prints the JSON schema of the settings file, for an editor
    Schema,
}

#[derive(Debug, clap::Args)]
pub struct FileArg {
    /// The settings file [default: PODOCTOR_CONFIG, ./podoctor.yaml or /etc/podoctor/podoctor.yaml, else the defaults]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

/// # Errors
/// Where the settings are wrong.
pub fn run(command: &Command) -> anyhow::Result<ExitCode> {
    let environment = Environment::of_process();
    match command {
        Command::Check(FileArg { config }) => {
            let loaded = settings::load(config.as_deref(), &environment)?;
            let tokens = Tokens::read(&environment)?;
            print(&checked(&loaded, tokens));
        }
        Command::Show(FileArg { config }) => {
            print(&settings::show(&settings::load(config.as_deref(), &environment)?.settings, &environment));
        }
        Command::Schema => print(&format!("{:#}\n", settings::json_schema())),
    }
    Ok(ExitCode::SUCCESS)
}

/// Returns what to say of settings without a mistake. Missing secrets are told, but are no mistake of the file: it is
/// often checked where there are none, as in CI.
fn checked(loaded: &Loaded, tokens: Tokens) -> String {
    let mut text = match &loaded.file {
        Some(file) => format!("{}: no mistakes\n", file.display()),
        None => "no settings file found; the defaults and the environment have no mistakes\n".to_owned(),
    };
    if let Err(missing) = tokens.for_mode(loaded.settings.slack.mode) {
        text.push_str("`podoctor serve` will also need:\n");
        for problem in missing.problems {
            let _ = writeln!(text, "  {problem}");
        }
    }
    text
}
