//! The commands of the binary.

pub mod manifest;

mod audit;
mod causes;
mod collect;
mod config;
mod custom;
mod diagnose;
mod paint;
mod remedy;
mod serve;
mod watch;
#[cfg(feature = "try")]
mod tryout;

use clap::{CommandFactory, Parser, Subcommand};
use std::process::ExitCode;

/// Says why a Kubernetes pod is stuck: the cause, the evidence, the fix. In Slack, or here.
#[derive(Debug, Parser)]
#[command(name = "podoctor", version, max_term_width = 100, after_help = EXAMPLES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "\
Examples:
  podoctor try                                   a Slack-like workspace and a sick cluster in the browser
  podoctor diagnose prod/manage-5bd...           one pod of the current context, by the start of its name
  podoctor diagnose prod                         everything that is wrong in a namespace
  podoctor diagnose prod/web-1 --from dump/      from files: kubectl get -o yaml, cluster-info dump, must-gather
  podoctor watch prod                            what gets stuck in a namespace, as it happens
  podoctor causes cgroup-oom                     what a cause means, how to tell it, what to do
  podoctor serve --config podoctor.yaml          the bot";

#[derive(Debug, Subcommand)]
enum Command {
    /// Opens a Slack-like workspace in the browser, with a sick cluster: no account, no cluster, no network
    #[cfg(feature = "try")]
    Try(tryout::Args),
    /// Runs the bot
    Serve(serve::Args),
    /// Diagnoses a pod, a workload, a namespace or the whole cluster
    Diagnose(diagnose::Args),
    /// Watches, and tells what gets stuck, without Slack
    Watch(watch::Args),
    /// Writes everything that a diagnosis reads to files, secrets cut out
    Collect(collect::Args),
    /// Shows the remedy that a sickness calls for, to the letter; with --yes carries it out
    Remedy(remedy::Args),
    /// Lists who asked for which remedy, who confirmed, and what came of it
    Audit(audit::Args),
    /// Lists the causes, or explains one
    Causes(causes::Args),
    /// Checks, shows and describes the settings
    #[command(subcommand)]
    Config(config::Command),
    /// Prints the manifest of the Slack app, to be pasted into Slack
    Manifest(manifest::Args),
    /// Prints the completions of a shell
    #[command(after_help = "Example:\n  podoctor completions bash > /etc/bash_completion.d/podoctor")]
    Completions { shell: clap_complete::Shell },
}

/// Runs the command that the process was called with.
pub fn run() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let _ = error.print();
            // 2 is clap's own code for wrong usage; help and version are no error.
            return if error.use_stderr() { ExitCode::from(2) } else { ExitCode::SUCCESS };
        }
    };
    let outcome = match cli.command {
        #[cfg(feature = "try")]
        Command::Try(args) => tryout::run(&args),
        Command::Serve(args) => serve::run(&args),
        Command::Diagnose(args) => diagnose::run(&args),
        Command::Watch(args) => watch::run(&args),
        Command::Collect(args) => collect::run(&args),
        Command::Remedy(args) => remedy::run(&args),
        Command::Audit(args) => audit::run(&args),
        Command::Causes(args) => causes::run(&args),
        Command::Config(command) => config::run(&command),
        Command::Manifest(args) => manifest::run(&args),
        Command::Completions { shell } => {
            clap_complete::generate(shell, &mut Cli::command(), "podoctor", &mut std::io::stdout());
            Ok(ExitCode::SUCCESS)
        }
    };
    outcome.unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::from(2)
    })
}
