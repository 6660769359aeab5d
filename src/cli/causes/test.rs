//! `podoctor causes test FILE --from BUNDLE`: what a cause of one's own sees, and why it fits or does not.

use crate::cli::diagnose::read_files;
use crate::cli::paint::{LanguageArg, print, style};
use crate::diagnosis::custom::Outcome;
use crate::diagnosis::{Catalogue, Verdict, diagnose};
use crate::facts::{Facts, PodView, Subject, World};
use crate::redact::redact;
use crate::render::{terminal, trial};
use crate::settings::{self, Environment};
use crate::target::{self, Target, What};
use anyhow::{Context, bail};
use jiff::Timestamp;
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Exit code: 0 it fits somewhere, 1 it fits nowhere, 2 an error.

Examples:
  podoctor collect prod/manage-5bd... -o bundle
  podoctor causes test config/causes/vault-sealed.yaml --from bundle
  podoctor causes test config/causes/ prod/manage-5bd... --from bundle --at \"$(cat bundle/at)\"")]
pub struct Args {
    /// The file of the cause, or a folder of such files
    file: PathBuf,
    /// Only this pod, or the pods of this namespace [default: all pods in the files]
    target: Option<String>,
    /// Files or folders to read, as for `podoctor diagnose`
    #[arg(long, value_name = "PATH", required = true)]
    from: Vec<PathBuf>,
    /// The moment of the snapshot, RFC 3339 [default: the newest time in it]
    #[arg(long, value_name = "TIME")]
    at: Option<Timestamp>,
    /// The language of the words
    #[arg(long, value_enum, default_value_t = LanguageArg::En)]
    language: LanguageArg,
}

/// # Errors
/// Where the cause is wrong, or nothing of the target is in the files.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let catalogue = settings::causes::load(std::slice::from_ref(&args.file), None, &Environment::of_process())?;
    let target = args.target.as_deref().map(target::parse).transpose().context("target")?;
    let (world, now) = read_files(&args.from, args.at)?;
    let pods = pods(&world, target.as_ref());
    if pods.is_empty() {
        bail!("the files hold no such pod");
    }
    let mut fits = false;
    for pod in pods {
        let facts = Facts { now, world: &world, subject: Subject::Pod(pod) };
        fits |= show(&facts, pod, &catalogue, args.language);
    }
    Ok(ExitCode::from(u8::from(!fits)))
}

fn pods<'w>(world: &'w World, target: Option<&Target>) -> Vec<PodView<'w>> {
    let all = world.pods.seen().map(PodView::new);
    match target.map(|target| &target.what) {
        None | Some(What::Cluster) => all.collect(),
        Some(What::Namespace(namespace)) => all.filter(|pod| pod.namespace() == namespace).collect(),
        Some(What::Pod { namespace, prefix }) => {
            all.filter(|pod| pod.namespace() == namespace && pod.name().starts_with(prefix.as_str())).collect()
        }
        Some(What::Workload { namespace, kind, name }) => all
            .filter(|pod| {
                let workload = pod.workload();
                workload.namespace == *namespace && workload.kind == kind.name() && workload.name == *name
            })
            .collect(),
    }
}

fn show(facts: &Facts<'_>, pod: PodView<'_>, catalogue: &Catalogue, language: LanguageArg) -> bool {
    let own = diagnose(facts, &Catalogue::default());
    let calm = matches!(own.verdict, Verdict::Healthy | Verdict::Completed);
    let sight = catalogue.sight(facts);
    let mut fits = false;
    for custom in catalogue.custom() {
        let seeings = sight.explain(custom);
        let finding = sight.check(custom).ok().flatten();
        fits |= seeings.iter().any(|seeing| seeing.outcome == Outcome::Holds);
        let subject = format!("{}/{}", pod.namespace(), pod.name());
        let message = trial::trial(&subject, custom, &seeings, finding.as_ref(), calm, language.into());
        print(&redact(&terminal::message(&message, style())));
        print("\n");
    }
    fits
}
