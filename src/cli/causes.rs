//! `podoctor causes [ID]`: the catalogue; `podoctor causes test`: a cause of one's own, tried on files.

mod test;

use super::custom::CausesArgs;
use super::paint::{LanguageArg, Output, print, style};
use crate::diagnosis::{Cause, Language};
use crate::question::nearest;
use crate::render::{catalogue, markdown, terminal};
use serde_json::json;
use std::process::ExitCode;

#[derive(Debug, clap::Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "\
Examples:
  podoctor causes
  podoctor causes cgroup-oom
  podoctor causes -o json | jq '.[].id'
  podoctor causes --causes config/causes acme-vault-sealed
  podoctor causes test config/causes/vault-sealed.yaml --from bundle"
)]
pub struct Args {
    #[command(subcommand)]
    command: Option<Command>,
    /// The id of a cause, as answers name it
    id: Option<String>,
    #[command(flatten)]
    custom: CausesArgs,
    /// The form of the output
    #[arg(short, long, value_enum, default_value_t = Output::Text)]
    output: Output,
    /// The language of the words
    #[arg(long, value_enum, default_value_t = LanguageArg::En)]
    language: LanguageArg,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Shows what a cause of your own sees in files, and why it fits or does not
    Test(test::Args),
}

/// # Errors
/// Where there is no cause of that id.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    if let Some(Command::Test(args)) = &args.command {
        return test::run(args);
    }
    let language = args.language.into();
    let causes = args.custom.catalogue()?;
    let message = match &args.id {
        Some(id) => {
            let cause = causes.by_id(id).ok_or_else(|| {
                let near = nearest(id, causes.all().map(|cause| cause.id));
                let hint = if near.is_empty() { String::new() } else { format!("; did you mean {}?", near.join(", ")) };
                anyhow::anyhow!("there is no cause `{id}`{hint} (`podoctor causes` lists them)")
            })?;
            if args.output == Output::Json {
                print(&format!("{:#}\n", as_json(cause, language)));
                return Ok(ExitCode::SUCCESS);
            }
            catalogue::page(cause, language)
        }
        None if args.output == Output::Json => {
            let all: Vec<_> = catalogue::by_phase(&causes).into_iter().map(|cause| as_json(cause, language)).collect();
            print(&format!("{:#}\n", serde_json::Value::Array(all)));
            return Ok(ExitCode::SUCCESS);
        }
        None => catalogue::list(&causes, language),
    };
    match args.output {
        Output::Markdown => print(&markdown::message(&message)),
        Output::Text | Output::Json => print(&terminal::message(&message, style())),
    }
    Ok(ExitCode::SUCCESS)
}

fn as_json(cause: &Cause, language: Language) -> serde_json::Value {
    let page = &cause.page;
    json!({
        "id": cause.id,
        "phases": cause.phases.iter().map(|phase| phase.name()).collect::<Vec<_>>(),
        "guide": cause.guide,
        "title": page.title.of(language),
        "what": page.what.of(language),
        "tell": page.tell.of(language),
        "fix": page.fix.of(language),
        "sources": page.sources,
    })
}
