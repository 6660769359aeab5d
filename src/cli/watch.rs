//! `podoctor watch`: the alerts on a terminal, without Slack: a table that is kept up to date, and plain lines in a pipe.

use super::paint::{LanguageArg, print, style};
use super::serve::{log_to_stderr, stop_signal};
use crate::chat::console::{CHANNEL, Table};
use crate::cluster::{Cluster, ClusterSource};
use crate::handlers::Clusters;
use crate::handlers::watching::{self, Watching};
use crate::settings::{self, Environment, HumanDuration, InForce, Route, Settings};
use crate::store::Embedded;
use crate::target;
use anyhow::Context;
use jiff::Timestamp;
use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
It ends with Ctrl-C. Nothing is kept, and nothing is said anywhere else.

Examples:
  podoctor watch                                  whatever gets stuck in the cluster
  podoctor watch prod                             in one namespace
  podoctor watch prod/deploy/manage               one workload
  podoctor watch prod | tee alerts.log            a line for each thing that happens")]
pub struct Args {
    /// NAMESPACE, NAMESPACE/POD, NAMESPACE/KIND/NAME or * [default: the whole cluster]
    target: Option<String>,
    /// The kubeconfig to use [default: KUBECONFIG, ~/.kube/config, or the pod's service account]
    #[arg(long, value_name = "FILE")]
    kubeconfig: Option<PathBuf>,
    /// The context of the kubeconfig [default: the current one]
    #[arg(long, value_name = "NAME")]
    context: Option<String>,
    /// The settings file, for its thresholds and causes [default: podoctor's own]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The language of the words
    #[arg(long, value_enum, default_value_t = LanguageArg::En)]
    language: LanguageArg,
}

/// # Errors
/// Where the target cannot be understood, the settings are wrong, or there is no cluster.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let mut target = args.target.as_deref().map(target::parse).transpose().context("target")?;
    // On the terminal a cluster is a context of the kubeconfig.
    let of_target = target.as_mut().and_then(|target| target.cluster.take());
    let source = ClusterSource {
        name: String::new(),
        kubeconfig: args.kubeconfig.clone(),
        context: of_target.or(args.context.clone()),
    };
    let in_force = in_force(args)?;
    log_to_stderr("error");
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(async {
        let cluster = Cluster::connect(&source).await?;
        // What is not there is told now, and not by silence.
        cluster.get("/version").await.context("the cluster cannot be read")?;
        let (events, inbox) = watching::channel();
        let front = Arc::new(Table::new(style(), std::io::stdout().is_terminal(), print, Timestamp::now));
        front.draw();
        let clusters = Clusters::of(vec![cluster]);
        let store = Embedded::in_memory()?;
        let watching = Watching::resume(front, clusters, in_force, store, events, Timestamp::now).await?;
        tokio::select! {
            () = watching.one_by_one(target).run(inbox) => {}
            () = stop_signal() => {}
        }
        anyhow::Ok(())
    })?;
    Ok(ExitCode::SUCCESS)
}

/// Returns the settings with one channel, the terminal.
fn in_force(args: &Args) -> anyhow::Result<InForce> {
    let loaded = match &args.config {
        Some(_) => Some(settings::load(args.config.as_deref(), &Environment::of_process())?),
        None => None,
    };
    let (given, catalogue) = loaded.map(|loaded| (loaded.settings, loaded.catalogue)).unwrap_or_default();
    let here = Route {
        clusters: Vec::new(),
        namespaces: Vec::new(),
        labels: std::collections::BTreeMap::new(),
        channel: CHANNEL.to_owned(),
        quiet: None,
    };
    let mut settings = Settings { watch: given.watch, routes: vec![here], ..Settings::default() };
    settings.language = match args.language {
        LanguageArg::En => settings::Language::English,
        LanguageArg::Zh => settings::Language::SimplifiedChinese,
    };
    // Lines on a terminal are read as they come: nothing is gathered into one message for later.
    settings.watch.storm.messages = 100;
    settings.watch.storm.within = HumanDuration::seconds(1);
    let in_force = InForce::new(settings.clone());
    in_force.set(settings, catalogue);
    Ok(in_force)
}
