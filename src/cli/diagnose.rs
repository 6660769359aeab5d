//! `podoctor diagnose TARGET`: the engine on the terminal, live or from files.

use super::custom::CausesArgs;
use super::paint::{LanguageArg, Output, print, style};
use crate::cluster::{Cluster, ClusterSource};
use crate::diagnosis::{Catalogue, Verdict};
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
  kubectl describe pod web-1 | podoctor diagnose -
                                                  what the text describes, as kubectl prints it
  kubectl get pods,events,nodes -A -o yaml | podoctor diagnose prod/web-1 --from -
  podoctor diagnose prod/web-1 --from dump/ --at 2026-11-23T18:56:56Z")]
pub struct Args {
    /// [CLUSTER:]NAMESPACE/POD, NAMESPACE/KIND/NAME, NAMESPACE or *; - is what the text describes
    target: String,
    /// Files or folders to read instead of a cluster: objects as YAML or JSON, or the text of kubectl
    /// describe, get and logs; - is standard input
    #[arg(long, value_name = "PATH")]
    from: Vec<PathBuf>,
    /// The moment of the snapshot, RFC 3339 [default: the newest time in it]. Ages in kubectl's text count
    /// back from it; without it from the file's own time, and from now for standard input
    #[arg(long, value_name = "TIME")]
    at: Option<Timestamp>,
    /// The kubeconfig to use [default: KUBECONFIG, ~/.kube/config, or the pod's service account]
    #[arg(long, value_name = "FILE", conflicts_with = "from")]
    kubeconfig: Option<PathBuf>,
    /// The context of the kubeconfig [default: the current one]
    #[arg(long, value_name = "NAME", conflicts_with = "from")]
    context: Option<String>,
    #[command(flatten)]
    custom: CausesArgs,
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
    let catalogue = args.custom.catalogue()?;
    let (world, now, target) = match args.target.as_str() {
        "-" => from_text(args)?,
        text => {
            let target = target::parse(text).with_context(|| format!("target {text:?}"))?;
            let (world, now) = if args.from.is_empty() {
                from_cluster(args, &target, &catalogue)?
            } else {
                from_files(args, &target)?
            };
            (world, now, target)
        }
    };
    let answer = question::answer(&world, now, &target, &catalogue)?;
    show(args, &answer, &target);
    Ok(exit_code(&answer))
}

/// Reads standard input, or the files, and asks about what is described there.
fn from_text(args: &Args) -> anyhow::Result<(World, Timestamp, Target)> {
    let stdin = [PathBuf::from("-")];
    let snapshot = snapshot(if args.from.is_empty() { &stdin } else { &args.from }, args.at);
    let target = snapshot.about.context("the text tells of no pod and no workload; kubectl describe pod prints one")?;
    let now = args.at.or(snapshot.newest).context("the text tells no time; give --at")?;
    Ok((snapshot.world, now, target))
}

fn snapshot(paths: &[PathBuf], at: Option<Timestamp>) -> files::Snapshot {
    let snapshot = files::read_at(paths, at);
    for mishap in &snapshot.mishaps {
        eprintln!("warning: {mishap}");
    }
    snapshot
}

fn from_files(args: &Args, target: &Target) -> anyhow::Result<(World, Timestamp)> {
    let (mut world, now) = read_files(&args.from, args.at)?;
    if let Some(cluster) = &target.cluster {
        world.cluster.clone_from(cluster);
    }
    Ok((world, now))
}

/// Reads files into a world, with the moment to look at it; what could not be read is told on standard error.
///
/// # Errors
/// Where no moment is given and none can be told from the files.
pub fn read_files(from: &[PathBuf], at: Option<Timestamp>) -> anyhow::Result<(World, Timestamp)> {
    let snapshot = snapshot(from, at);
    let now = at.or(snapshot.newest).context("the files hold no Kubernetes object that tells a time; give --at")?;
    Ok((snapshot.world, now))
}

fn from_cluster(args: &Args, target: &Target, catalogue: &Catalogue) -> anyhow::Result<(World, Timestamp)> {
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
        live::gather(&cluster, target, now, PATIENCE, catalogue).await
    })?;
    Ok((world, now))
}

fn show(args: &Args, answer: &Answer, target: &Target) {
    let asked = target.to_string();
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
            print(&terminal::reply(&answer::reply(answer, &asked, None, args.language.into()), style()));
        }
        Output::Markdown => print(&markdown::reply(&answer::reply(answer, &asked, None, args.language.into()))),
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
