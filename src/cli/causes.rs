//! `podoctor causes [ID]`: the catalogue.

use super::paint::{LanguageArg, Output, print, style};
use crate::diagnosis::{Cause, Language, causes};
use crate::question::nearest;
use crate::render::{catalogue, markdown, terminal};
use serde_json::json;
use std::process::ExitCode;

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  podoctor causes\n  podoctor causes cgroup-oom\n  podoctor causes -o json | jq '.[].id'"
)]
pub struct Args {
    /// The id of a cause, as answers name it
    id: Option<String>,
    /// The form of the output
    #[arg(short, long, value_enum, default_value_t = Output::Text)]
    output: Output,
    /// The language of the words
    #[arg(long, value_enum, default_value_t = LanguageArg::En)]
    language: LanguageArg,
}

/// # Errors
/// Where there is no cause of that id.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let language = args.language.into();
    let message = match &args.id {
        Some(id) => {
            let cause = causes::by_id(id).ok_or_else(|| {
                let near = nearest(id, causes::all().map(|cause| cause.id));
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
            let all: Vec<_> = catalogue::by_phase().into_iter().map(|cause| as_json(cause, language)).collect();
            print(&format!("{:#}\n", serde_json::Value::Array(all)));
            return Ok(ExitCode::SUCCESS);
        }
        None => catalogue::list(language),
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
