//! `podoctor config check|show|rights|schema`: the settings, and what is wrong with them.

use super::paint::print;
use crate::remedy::rights::{self, Asks};
use crate::settings::{self, Environment, Loaded, Remedy, Settings, SubjectSource, Tokens};
use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Says what is wrong with the settings and the secrets; exit 0 = `podoctor serve` can start with them
    Check(FileArg),
    /// Prints the settings in force, with the environment over the file
    Show(FileArg),
    /// Prints the ClusterRole that the remedies of the settings need, for kubectl apply
    Rights(FileArg),
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
        Command::Rights(FileArg { config }) => {
            let settings = settings::load(config.as_deref(), &environment)?.settings;
            let none = "# No remedy is on (setting remedies): podoctor only reads.\n".to_owned();
            print(&rights::cluster_role(&remedies(&settings), asks(&settings)).unwrap_or(none));
        }
        Command::Schema => print(&format!("{:#}\n", settings::json_schema())),
    }
    Ok(ExitCode::SUCCESS)
}

fn remedies(settings: &Settings) -> BTreeSet<Remedy> {
    settings.remedies.iter().map(|rule| rule.remedy).collect()
}

fn asks(settings: &Settings) -> Asks {
    let kubernetes = &settings.access.kubernetes;
    Asks { reviews: kubernetes.subject == SubjectSource::Email, impersonates: kubernetes.impersonate }
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
