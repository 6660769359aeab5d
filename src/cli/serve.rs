//! `podoctor serve`: the bot.

use crate::app::{self, App};
use crate::settings::{Environment, Reloader, Tokens};
use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;
use tracing_subscriber::EnvFilter;

/// The bot mostly waits; a thread a core would cost memory on large nodes and gain nothing.
const THREADS: usize = 2;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Secrets come from the environment: SLACK_BOT_TOKEN, and SLACK_APP_TOKEN (socket mode) or SLACK_SIGNING_SECRET (http mode);
each also as …_FILE with the path of a file that holds it.

Examples:
  podoctor config check --config podoctor.yaml
  SLACK_BOT_TOKEN=… SLACK_APP_TOKEN=… podoctor serve --config podoctor.yaml")]
pub struct Args {
    /// The settings file [default: PODOCTOR_CONFIG, podoctor.yaml, /etc/podoctor/podoctor.yaml]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

/// # Errors
/// Where the settings are wrong, a token is refused, or Slack ends the connection for good.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let environment = Environment::of_process();
    let tokens = Tokens::read(&environment);
    let reloader = Reloader::start(args.config.clone(), environment)?;
    let settings = reloader.current().clone();
    let credentials = tokens?.for_mode(settings.slack.mode)?;
    log_to_stderr("info");
    tokio::runtime::Builder::new_multi_thread().worker_threads(THREADS).enable_all().build()?.block_on(async {
        let clusters = app::clusters(&settings).await?;
        let store = app::store(&settings)?;
        let questions = app::questions(&settings)?;
        let app = App::build(settings, credentials, clusters, store, questions).await?.reloading(reloader);
        tracing::info!(address = %app.address()?, "podoctor is up");
        app.run(stop_signal()).await
    })?;
    Ok(ExitCode::SUCCESS)
}

/// Logs to standard error: lines for people on a terminal, JSON elsewhere. `RUST_LOG` overrides the level.
pub fn log_to_stderr(default: &str) {
    let filter = EnvFilter::try_from_default_env()
        // Libraries below would log addresses that are secrets; kube each answer that is no success, which we tell ourselves.
        .unwrap_or_else(|_| EnvFilter::new(format!("warn,kube_client=off,podoctor={default}")));
    let subscriber = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    if std::io::stderr().is_terminal() {
        subscriber.with_target(false).init();
    } else {
        subscriber.json().flatten_event(true).with_target(false).init();
    }
}

/// Is done at the first SIGTERM or Ctrl-C.
pub async fn stop_signal() {
    let interrupt = tokio::signal::ctrl_c();
    match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
        Ok(mut terminate) => {
            tokio::select! { _ = interrupt => {}, _ = terminate.recv() => {} }
        }
        Err(_) => {
            let _ = interrupt.await;
        }
    }
}
