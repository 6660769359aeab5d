//! `podoctor diagnose TARGET`: the engine on the terminal, live or from files.

use super::paint::{LanguageArg, Output, print, style};
use crate::cluster::{Cluster, ClusterSource};
use crate::diagnosis::Verdict;
use crate::facts::World;
use crate::gather::{files, live};
use crate::question::{self, Answer};
use crate::redact::redact;
use crate::render::report::Report;
use crate::render::{answer, markdown, terminal};
use crate::target::{self, Target};
use anyhow::Context;
use jiff::Timestamp;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

/// How long a cluster may take to answer; what is missing then is told as unreadable.
pub const PATIENCE: Duration = Duration::from_secs(20);

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Exit code: 0 healthy (or waiting within its normal time, or completed), 1 sick, 2 could not be told, or an error.

Examples:
  podoctor diagnose prod/manage-5bd...            a pod by the start of its name
  podoctor diagnose prod/deploy/manage            a workload: the sickest of its pods, or why it has none
  podoctor diagnose prod                          everything that is wrong in a namespace
  podoctor diagnose '*' -o json                   the whole cluster, for a script
  kubectl get pods,events,nodes -A -o yaml | podoctor diagnose prod/web-1 --from -
  podoctor diagnose prod/web-1 --from dump/ --at 2026-11-23T18:56:56Z")]
pub struct Args {
    /// [CLUSTER:]NAMESPACE/POD, NAMESPACE/KIND/NAME, NAMESPACE or *
    target: String,
    /// Files or folders to read instead of a cluster; - is standard input
    #[arg(long, value_name = "PATH")]
    from: Vec<PathBuf>,
    /// The moment of the snapshot, RFC 3339 [default: the newest time in it]
    #[arg(long, value_name = "TIME")]
    at: Option<Timestamp>,
    /// The kubeconfig to use [default: KUBECONFIG, ~/.kube/config, or the pod's service account]
    #[arg(long, value_name = "FILE", conflicts_with = "from")]
    kubeconfig: Option<PathBuf>,
    /// The context of the kubeconfig [default: the current one]
    #[arg(long, value_name = "NAME", conflicts_with = "from")]
    context: Option<String>,
    /// The form of the output
    #[arg(short, long, value_enum, default_value_t = Output::Text)]
    output: Output,
    /// The language of the words
    #[arg(long, value_enum, default_value_t = LanguageArg::En)]
    language: LanguageArg,
}

/// # Errors
/// Where the target cannot be understood, found or read.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let target = target::parse(&args.target).with_context(|| format!("target {:?}", args.target))?;
    let (world, now) = if args.from.is_empty() { from_cluster(args, &target)? } else { from_files(args, &target)? };
    let answer = question::answer(&world, now, &target)?;
    show(args, &answer);
    Ok(exit_code(&answer))
}

fn from_files(args: &Args, target: &Target) -> anyhow::Result<(World, Timestamp)> {
    let snapshot = files::read(&args.from);
    for mishap in &snapshot.mishaps {
        eprintln!("warning: {mishap}");
    }
    let mut world = snapshot.world;
    if let Some(cluster) = &target.cluster {
        world.cluster.clone_from(cluster);
    }
    let now =
        args.at.or(snapshot.newest).context("the files hold no Kubernetes object that tells a time; give --at")?;
    Ok((world, now))
}

fn from_cluster(args: &Args, target: &Target) -> anyhow::Result<(World, Timestamp)> {
    let source = ClusterSource {
        name: String::new(),
        kubeconfig: args.kubeconfig.clone(),
        // On the terminal a cluster is a context of the kubeconfig.
        context: args.context.clone().or(target.cluster.clone()),
    };
    let now = args.at.unwrap_or_else(Timestamp::now);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let world = runtime.block_on(async {
        let cluster = Cluster::connect(&source).await?;
        live::gather(&cluster, target, now, PATIENCE).await
    })?;
    Ok((world, now))
}

fn show(args: &Args, answer: &Answer) {
    let clean = redact;
    match args.output {
        Output::Json => {
            let json = match answer {
                Answer::One { diagnosis, .. } => {
                    serde_json::to_string_pretty(&Report::of(diagnosis, Vec::new(), &clean))
                }
                Answer::Many(groups) => {
                    let reports: Vec<_> =
                        groups.iter().map(|group| Report::of(&group.diagnosis, group.pods.clone(), &clean)).collect();
                    serde_json::to_string_pretty(&reports)
                }
            };
            print(&json.expect("reports hold nothing that JSON cannot"));
            print("\n");
        }
        Output::Text => {
            print(&terminal::reply(&answer::reply(answer, &args.target, None, args.language.into()), style()));
        }
        Output::Markdown => print(&markdown::reply(&answer::reply(answer, &args.target, None, args.language.into()))),
    }
}

fn exit_code(answer: &Answer) -> ExitCode {
    let verdict = match answer {
        Answer::One { diagnosis, .. } => diagnosis.verdict,
        Answer::Many(groups) => groups.first().map_or(Verdict::Healthy, |group| group.diagnosis.verdict),
    };
    ExitCode::from(match verdict {
        Verdict::Healthy | Verdict::Completed | Verdict::Waiting => 0,
        Verdict::Sick => 1,
        Verdict::Unknown => 2,
    })
}
