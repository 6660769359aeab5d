//! `podoctor remedy TARGET [NAME]`: the plan that a sickness calls for; with `--yes` it is carried out, with the rights of
//! whoever calls it, by the same steps, conditions and audit as in the chat.

use super::config::FileArg;
use super::paint::{LanguageArg, print, style};
use crate::app;
use crate::chat::console::{CHANNEL, ConsoleFront};
use crate::cluster::{Cluster, ClusterSource};
use crate::diagnosis::{Language, Remedy};
use crate::handlers::Clusters;
use crate::handlers::remedying::Remedying;
use crate::remedy::State;
use crate::remedy::plan::Plan;
use crate::remedy::proposal::Person;
use crate::render::{plan as words, terminal};
use crate::settings::{self, Environment, InForce, StoreKind};
use crate::store::Embedded;
use crate::target;
use anyhow::Context;
use jiff::Timestamp;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Exit code: 0 there is a plan, or with --yes it helped; 1 nothing calls for one, or it did not help; 2 an error.

Examples:
  podoctor remedy data/backup-nightly-7xk2p                       what would be done, to the letter
  podoctor remedy data/backup-nightly-7xk2p --yes                 does it, once, and looks whether it helped
  podoctor remedy prod/deploy/manage raise-memory-limit")]
pub struct Args {
    /// [CLUSTER:]NAMESPACE/POD or NAMESPACE/KIND/NAME
    target: String,
    /// Which remedy, where several would help [default: the safest]
    name: Option<String>,
    /// Carries it out
    #[arg(long)]
    yes: bool,
    /// The kubeconfig to use [default: KUBECONFIG, ~/.kube/config, or the pod's service account]
    #[arg(long, value_name = "FILE")]
    kubeconfig: Option<PathBuf>,
    /// The context of the kubeconfig [default: the current one]
    #[arg(long, value_name = "NAME")]
    context: Option<String>,
    #[command(flatten)]
    file: FileArg,
    /// The language of the words
    #[arg(long, value_enum, default_value_t = LanguageArg::En)]
    language: LanguageArg,
}

/// # Errors
/// Where the target cannot be understood or read, or there is no remedy of that name.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    super::serve::log_to_stderr(if args.yes { "info" } else { "warn" });
    let target = target::parse(&args.target).with_context(|| format!("target {:?}", args.target))?;
    let named = args.name.as_deref().map(remedy).transpose()?;
    let mut settings = settings::load(args.file.config.as_deref(), &Environment::of_process())?.settings;
    let language: Language = args.language.into();
    settings.language = match language {
        Language::English => settings::Language::English,
        Language::Chinese => settings::Language::SimplifiedChinese,
    };
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(async {
        let name = target.cluster.clone().unwrap_or_default();
        let source = ClusterSource { name, kubeconfig: args.kubeconfig.clone(), context: args.context.clone() };
        let cluster = Cluster::connect(&source).await?;
        // What is done is kept where the bot keeps it, if there is such a place here.
        let kept = settings.store.kind != StoreKind::Kubernetes && settings.store.path.exists();
        let store = if kept { app::open_store(&settings)? } else { Embedded::in_memory()? };
        let remedying = Arc::new(Remedying {
            front: Arc::new(ConsoleFront::new(style(), print)),
            clusters: Clusters::of(vec![cluster.clone()]),
            settings: InForce::new(settings),
            own_team: String::new(),
            store: Some(store),
            watch: None,
            answers: Arc::default(),
            clock: Timestamp::now,
        });
        let say = |message| print(&format!("{}\n", terminal::message(&message, style())));
        let plans = match remedying.plans_for(&cluster, &target).await {
            Ok(plans) => plans,
            Err(why) => {
                say(words::none(Some(&why), language));
                return Ok(ExitCode::from(1));
            }
        };
        let Some(plan) = plans.iter().find(|plan| named.is_none_or(|named| plan.remedy == named)) else {
            say(words::none(named.map(|_| other(&plans)).as_ref(), language));
            return Ok(ExitCode::from(1));
        };
        let objection = remedying.objection_of(&cluster, plan).await;
        let hint = crate::diagnosis::Words::new(
            "With --yes I do it; by hand it would be:",
            "加上 --yes 由我执行；手动执行的命令是：",
        );
        if !args.yes || objection.is_some() {
            say(words::by_hand(plan, Some(objection.as_ref().unwrap_or(&hint)), language));
            return Ok(ExitCode::from(if objection.is_some() { 2 } else { 0 }));
        }
        let person = Person { id: whoami(), user: None };
        let done = remedying.carry_out_at_once(plan.clone(), person, CHANNEL).await?;
        say(words::message(&done, language));
        Ok(ExitCode::from(if matches!(done.state, State::Succeeded { .. }) { 0 } else { 1 }))
    })
}

fn remedy(name: &str) -> anyhow::Result<Remedy> {
    let all = Remedy::ALL.map(Remedy::id);
    Remedy::ALL
        .into_iter()
        .find(|remedy| remedy.id() == name)
        .with_context(|| format!("there is no remedy `{name}`; there are {}", all.join(", ")))
}

/// Says what would help instead of what was named.
fn other(plans: &[Plan]) -> crate::diagnosis::Words {
    let ids: Vec<&str> = plans.iter().map(|plan| plan.remedy.id()).collect();
    if ids.is_empty() {
        return crate::diagnosis::Words::new("Nothing calls for that remedy.", "没有需要该操作的原因。");
    }
    let ids = ids.join("`, `");
    crate::diagnosis::Words::new(format!("What would help is `{ids}`."), format!("适用的是 `{ids}`。"))
}

fn whoami() -> String {
    let name = std::env::var("USER").or_else(|_| std::env::var("LOGNAME"));
    format!("{} at a terminal", name.unwrap_or_else(|_| "somebody".to_owned()))
}
