//! `podoctor try`: the real bot between a workspace in the browser and a recorded cluster, all in this process.

use super::paint::{print, style};
use super::serve::{log_to_stderr, stop_signal};
use crate::app::App;
use crate::chat::console::ConsoleFront;
use crate::cluster::{Cluster, ClusterSource};
use crate::handlers::Clusters;
use crate::handlers::questions::Questions;
use crate::handlers::respond::{Desk, Key};
use crate::playground::cluster::RecordedCluster;
use crate::playground::slack::{Config, Workspace};
use crate::settings::{Credentials, Grant, HumanDuration, InForce, Remedy, RemedyRule, Secret, Settings, Thresholds};
use crate::store::Embedded;
use anyhow::Context;
use jiff::Timestamp;
use std::net::Ipv4Addr;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::TcpListener;

/// The port where nobody chooses one: easy to remember, and free on most machines.
const PORT: u16 = 8090;
/// The channel that the page opens on.
const CHANNEL: &str = "C0PODOCTOR";
/// How long the bot may take to be heard; far more than it ever takes.
const READY: Duration = Duration::from_secs(10);

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  podoctor try                         open the address that it prints
  podoctor try --port 0                any free port
  podoctor try --context staging       with a real cluster, from your kubeconfig
  podoctor try --console               on the terminal: type prod/manage-5bd...")]
pub struct Args {
    /// The port of the page; 0 takes any free one
    #[arg(long, default_value_t = PORT)]
    port: u16,
    /// A context of your kubeconfig: the real cluster is read instead of the recorded one
    #[arg(long, value_name = "NAME")]
    context: Option<String>,
    /// Ask on the terminal instead of in the browser
    #[arg(long)]
    console: bool,
}

/// # Errors
/// Where the port is taken or the context cannot be used.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    log_to_stderr("warn");
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(async {
        let clusters = clusters(args).await?;
        if args.console { console(clusters).await } else { page(args, clusters).await }
    })?;
    Ok(ExitCode::SUCCESS)
}

async fn clusters(args: &Args) -> anyhow::Result<Clusters> {
    if let Some(context) = &args.context {
        let source = ClusterSource { name: context.clone(), kubeconfig: None, context: Some(context.clone()) };
        return Ok(Clusters::of(vec![Cluster::connect(&source).await?]));
    }
    let recorded = RecordedCluster::load(Timestamp::now());
    let listener =
        TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.context("no free port for the recorded cluster")?;
    let address = format!("http://{}", listener.local_addr()?);
    tokio::spawn(recorded.clone().live());
    tokio::spawn(recorded.serve(listener));
    Ok(Clusters::of(vec![Cluster::at("prod", &address)?]))
}

async fn page(args: &Args, clusters: Clusters) -> anyhow::Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, args.port))
        .await
        .with_context(|| format!("port {} is taken; choose another with --port, or --port 0 for any", args.port))?;
    let address = format!("http://{}", listener.local_addr()?);
    let config = Config::default();
    let credentials = Credentials::Socket {
        bot_token: Secret::new(config.bot_token.clone()),
        app_token: Secret::new(config.app_token.clone()),
    };
    let workspace = Workspace::new(config);
    workspace.set_base_url(&address);
    let served = workspace.clone();
    let mut serving = tokio::spawn(async move { served.serve(listener).await });
    let mut settings = Settings::default();
    settings.slack.api_url = workspace.api_url();
    settings.slack.default_channel = Some(CHANNEL.to_owned());
    settings.watch.thresholds = impatient();
    settings.watch.resolve_after = HumanDuration::seconds(5);
    settings.http.listen = (Ipv4Addr::LOCALHOST, 0).into();
    if args.context.is_none() {
        // Nothing of the recorded cluster is worth keeping; a real one is only read.
        allow_remedies(&mut settings);
    }
    let questions = Questions::new(Embedded::in_memory()?);
    let app = App::build(settings, credentials, clusters, Some(Embedded::in_memory()?), questions).await?;
    let seen = workspace.clone();
    let mut bot = tokio::spawn(app.run(stop_signal()));
    if !seen.wait_for_sockets(1, READY).await {
        anyhow::bail!("the bot did not connect to its own workspace within {} s", READY.as_secs());
    }
    welcome(&workspace);
    print(&format!("podoctor try: {address}\n"));
    print("Open it, and ask:  /podoctor prod/manage-5bd...   (Ctrl-C ends it)\n");
    tokio::select! {
        end = &mut bot => end.context("the bot failed")?,
        end = &mut serving => end.context("the workspace failed")?.context("the workspace failed"),
    }
}

/// Lets Alice act and Bob approve, everything and everywhere.
fn allow_remedies(settings: &mut Settings) {
    let everywhere = |remedy| RemedyRule { remedy, clusters: Vec::new(), namespaces: Vec::new(), approvals: 1 };
    settings.remedies = Remedy::ALL.into_iter().map(everywhere).collect();
    settings.access.act = vec![Grant { users: vec!["U0ALICE".to_owned()], ..Grant::default() }];
    settings.access.approve = vec![Grant { users: vec!["U0BOB".to_owned()], ..Grant::default() }];
}

/// Nobody who tries podoctor wants to wait for five minutes.
fn impatient() -> Thresholds {
    let soon = HumanDuration::seconds(5);
    Thresholds { pending: soon, creating: soon, terminating: soon, not_ready: soon, crash_looping: soon, unknown: soon }
}

/// Lets a colleague say what there is to see, so that a newcomer does not face an empty channel.
fn welcome(workspace: &Workspace) {
    for text in [
        "`manage` in prod keeps restarting, and the backup in `data` has been Terminating for ages. Can somebody have a look?",
        "Type below: `/podoctor prod/manage-5bd...`, `/podoctor data/backup...`, or `@podoctor what is wrong in shop/*`",
    ] {
        // Only a greeting: without it the channel works just as well.
        let _ = workspace.say("U0BOB", CHANNEL, text, None);
    }
}

async fn console(clusters: Clusters) -> anyhow::Result<()> {
    let desk = Desk {
        watch: None,
        remedies: None,
        answers: Arc::default(),
        front: Arc::new(ConsoleFront::new(style(), print)),
        clusters,
        settings: InForce::new(Settings::default()),
        own_team: String::new(),
    };
    print(
        "podoctor try: type a target such as prod/manage-5bd..., help, or nothing for all that is sick; Ctrl-D ends it\n",
    );
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    loop {
        tokio::select! {
            () = stop_signal() => return Ok(()),
            line = lines.next_line() => match line? {
                Some(line) => desk.handle(&ConsoleFront::typed(&line), &Key::default(), Timestamp::now()).await?,
                None => return Ok(()),
            },
        }
    }
}
