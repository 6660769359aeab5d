//! `podoctor audit`: who asked for which remedy, who confirmed or was refused, what was done and what came of it.

use super::config::FileArg;
use super::paint::{Output, print};
use crate::app;
use crate::handlers::remedying::audit::{Entry, since};
use crate::settings::{self, Environment, HumanDuration, StoreKind};
use anyhow::Context;
use jiff::{SignedDuration, Timestamp};
use std::fmt::Write;
use std::process::ExitCode;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  podoctor audit --since 7d
  podoctor audit --since 24h -o json | jq '.[] | select(.action == \"refused\")'")]
pub struct Args {
    /// How far back
    #[arg(long, value_name = "DURATION", default_value = "7d")]
    since: HumanDuration,
    /// The form of the output
    #[arg(short, long, value_enum, default_value_t = Output::Text)]
    output: Output,
    #[command(flatten)]
    file: FileArg,
}

/// # Errors
/// Where the settings are wrong or the store cannot be read.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let settings = settings::load(args.file.config.as_deref(), &Environment::of_process())?.settings;
    let path = &settings.store.path;
    // To open a store that is not there would make one.
    let embedded = settings.store.kind != StoreKind::Kubernetes;
    anyhow::ensure!(!embedded || path.exists(), "there is no store at {} (setting store.path)", path.display());
    let length = SignedDuration::try_from(args.since.get()).unwrap_or(SignedDuration::MAX);
    let from = Timestamp::now().saturating_sub(length).unwrap_or(Timestamp::MIN);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let entries = runtime.block_on(async {
        let store = app::open_store(&settings).context("the store cannot be opened")?;
        anyhow::Ok(since(&store, from).await?)
    })?;
    match args.output {
        Output::Json => print(&format!("{:#}\n", serde_json::to_value(&entries)?)),
        Output::Text => print(&text(&entries)),
        Output::Markdown => print(&markdown(&entries)),
    }
    Ok(ExitCode::SUCCESS)
}

fn text(entries: &[Entry]) -> String {
    let mut out = String::new();
    for entry in entries {
        let why = entry.why.as_deref().map_or_else(String::new, |why| format!(": {why}"));
        let _ = writeln!(
            out,
            "{:.0}  {:<9}  {}  {}  {}  {}{why}",
            entry.at,
            entry.action,
            entry.remedy,
            entry.cluster,
            entry.objects.join(", "),
            entry.by.as_deref().unwrap_or("podoctor"),
        );
    }
    if entries.is_empty() { "nothing\n".to_owned() } else { out }
}

fn markdown(entries: &[Entry]) -> String {
    let mut out =
        "| when | what | remedy | cluster | objects | by | why |\n| --- | --- | --- | --- | --- | --- | --- |\n"
            .to_owned();
    let cell = |text: &str| text.replace('|', "\\|").replace('\n', " ");
    for entry in entries {
        let _ = writeln!(
            out,
            "| {:.0} | {} | {} | {} | {} | {} | {} |",
            entry.at,
            entry.action,
            entry.remedy,
            cell(&entry.cluster),
            cell(&entry.objects.join(", ")),
            cell(entry.by.as_deref().unwrap_or("podoctor")),
            cell(entry.why.as_deref().unwrap_or_default()),
        );
    }
    out
}
