//! `podoctor collect TARGET -o DIR`: everything that a diagnosis read, as files that `--from` reads back to the same one.
//!
//! Objects are written as the API gave them, less what is secret: values of Secrets and ConfigMaps never enter, and secrets
//! by their shape are cut out of all text. What was read and not there is kept as an empty list, so that absent stays absent.

use super::diagnose::PATIENCE;
use super::paint::print;
use crate::cluster::{Cluster, ClusterSource};
use crate::diagnosis::Catalogue;
use crate::gather::bundle::Bundle;
use crate::gather::live;
use crate::target;
use anyhow::{Context, bail};
use jiff::Timestamp;
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  podoctor collect prod/manage-5bd... -o bundle
  podoctor diagnose prod/manage-5bd... --from bundle --at \"$(cat bundle/at)\"")]
pub struct Args {
    /// [CLUSTER:]NAMESPACE/POD, NAMESPACE/KIND/NAME, NAMESPACE or *
    target: String,
    /// The folder to write to; it must be new or empty
    #[arg(short, long, value_name = "DIR")]
    output: PathBuf,
    /// The kubeconfig to use [default: KUBECONFIG, ~/.kube/config, or the pod's service account]
    #[arg(long, value_name = "FILE")]
    kubeconfig: Option<PathBuf>,
    /// The context of the kubeconfig [default: the current one]
    #[arg(long, value_name = "NAME")]
    context: Option<String>,
}

/// # Errors
/// Where the cluster cannot be read or the folder not be written.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let target = target::parse(&args.target).with_context(|| format!("target {:?}", args.target))?;
    if std::fs::read_dir(&args.output).is_ok_and(|mut entries| entries.next().is_some()) {
        bail!("{} is not empty; name a new folder", args.output.display());
    }
    let source = ClusterSource {
        name: String::new(),
        kubeconfig: args.kubeconfig.clone(),
        context: args.context.clone().or(target.cluster.clone()),
    };
    let now = Timestamp::now();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let world = runtime.block_on(async {
        let cluster = Cluster::connect(&source).await?;
        live::gather(&cluster, &target, now, PATIENCE, &Catalogue::default()).await
    })?;
    let bundle = Bundle::of(&world, now);
    for (path, text) in &bundle.files {
        let path = args.output.join(path);
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
        }
        std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
    }
    print(&format!(
        "{}: {} files. Read it back with\n  podoctor diagnose {} --from {} --at {now}\n",
        args.output.display(),
        bundle.files.len(),
        target,
        args.output.display(),
    ));
    Ok(ExitCode::SUCCESS)
}
