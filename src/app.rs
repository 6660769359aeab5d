//! Builds the parts from the settings and runs one loop over what comes in.

mod reload;

use crate::chat::front::What;
use crate::chat::slack::{Inbox, SlackFront, http};
use crate::cluster::ClusterSource;
use crate::handlers::Clusters;
use crate::handlers::answers::Answers;
use crate::handlers::questions::{Question, Questions};
use crate::handlers::remedying::{self, Asked, Remedying};
use crate::handlers::respond::Desk;
use crate::handlers::watching::{self, Event, Watching};
use crate::metrics::{Handled, Metrics};
use crate::server::{self, Health};
use crate::settings::{Credentials, InForce, Reloader, Settings, StoreKind};
use crate::store::Embedded;
use anyhow::Context;
use jiff::Timestamp;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

/// How many questions are worked on at once; more wait, already acknowledged.
const AT_ONCE: usize = 32;
/// How long work in progress may go on after the signal to stop.
const LAST_WORDS: Duration = Duration::from_secs(10);

/// The bot, ready to run.
pub struct App {
    desk: Arc<Desk<SlackFront>>,
    watching: Option<(Watching<SlackFront, Embedded>, mpsc::Receiver<Event>)>,
    remedying: (Remedying<SlackFront, Embedded>, mpsc::Receiver<Asked>),
    credentials: Credentials,
    listener: TcpListener,
    metrics: Arc<Metrics>,
    reloader: Option<Reloader>,
    questions: Questions<Embedded>,
}

impl App {
    /// Prepares everything that can fail: Slack's tokens, the address to listen on, and what the store remembers.
    /// Without a store nothing is watched, and nothing can be changed.
    ///
    /// # Errors
    /// Says which of them cannot be used.
    pub async fn build(
        settings: Settings,
        credentials: Credentials,
        clusters: Clusters,
        store: Option<Embedded>,
        questions: Questions<Embedded>,
    ) -> anyhow::Result<Self> {
        let listener = TcpListener::bind(settings.http.listen)
            .await
            .with_context(|| format!("cannot listen on {} (setting http.listen)", settings.http.listen))?;
        let metrics = Arc::<Metrics>::default();
        let front = SlackFront::connect(&settings.slack.api_url, &credentials).await?.metered(metrics.clone());
        let own_team = front.me().team_id.clone();
        tracing::info!(team = own_team, bot = front.me().user_id, "slack accepts the bot token");
        let (front, settings) = (Arc::new(front), InForce::new(settings));
        let mut watch = None;
        let watching = match store.clone().filter(|_| alerts(&settings.get())) {
            None => None,
            Some(store) => {
                let (events, inbox) = watching::channel();
                watch = Some(events.clone());
                let resumed =
                    Watching::resume(front.clone(), clusters.clone(), settings.clone(), store, events, Timestamp::now);
                let resumed = resumed.await;
                let resumed = resumed.context("what the store remembers cannot be read")?;
                Some((resumed.metered(metrics.clone()), inbox))
            }
        };
        let (remedies, wishes) = remedying::channel();
        let answers: Arc<Answers> = Arc::default();
        let remedying = Remedying {
            front: front.clone(),
            clusters: clusters.clone(),
            settings: settings.clone(),
            own_team: own_team.clone(),
            store,
            watch: watch.clone(),
            answers: answers.clone(),
            clock: Timestamp::now,
        };
        let desk = Desk { front, clusters, settings, own_team, watch, remedies: Some(remedies), answers };
        Ok(Self {
            desk: Arc::new(desk),
            watching,
            remedying: (remedying, wishes),
            credentials,
            listener,
            metrics,
            reloader: None,
            questions,
        })
    }

    /// Puts the settings and the causes that were read in force, and lets the app take up changed ones while it runs.
    #[must_use]
    pub fn reloading(self, reloader: Reloader) -> Self {
        self.desk.settings.set(reloader.current().clone(), reloader.catalogue().clone());
        Self { reloader: Some(reloader), ..self }
    }

    /// Returns the address that is listened on.
    ///
    /// # Errors
    /// Where the system does not say.
    pub fn address(&self) -> std::io::Result<std::net::SocketAddr> {
        self.listener.local_addr()
    }

    /// Runs until `stop` is done or Slack refuses for good; then lets work in progress finish.
    ///
    /// # Errors
    /// Slack's final code, or a failure of the HTTP server.
    pub async fn run(self, stop: impl Future<Output = ()>) -> anyhow::Result<()> {
        let (out, inbox) = self.desk.front.inbox();
        let (sockets_sender, sockets) = watch::channel(0);
        let (refused_sender, refused) = watch::channel(None);
        let is_socket = matches!(self.credentials, Credentials::Socket { .. });
        let health = Health { sockets: is_socket.then_some(sockets), refused, metrics: self.metrics.clone() };
        let mut routes = server::routes(health);
        let mut parts: JoinSet<anyhow::Result<()>> = JoinSet::new();
        match self.credentials {
            Credentials::Http { signing_secret, .. } => routes = routes.merge(http::routes(&signing_secret, out)),
            Credentials::Socket { app_token, .. } => {
                let desk = self.desk.clone();
                parts.spawn(async move {
                    let end = desk.front.run_sockets(app_token, out, sockets_sender).await;
                    if let Err(ended) = &end {
                        refused_sender.send_replace(Some(ended.code.clone()));
                        tracing::error!(code = ended.code, "slack ends socket mode for good");
                    }
                    Ok(end?)
                });
            }
        }
        let server = server::serve(self.listener, routes);
        parts.spawn(async move { server.await.context("the HTTP server failed") });
        if let Some(reloader) = self.reloader {
            parts.spawn(reload::keep(reloader, self.desk.settings.clone()));
        }
        if let Some((watching, inbox)) = self.watching {
            parts.spawn(async move {
                watching.run(inbox).await;
                anyhow::bail!("the watch ended")
            });
        }
        let (remedying, wishes) = self.remedying;
        parts.spawn(async move {
            remedying.run(wishes).await;
            anyhow::bail!("the remedies ended")
        });
        let mut work = JoinSet::new();
        tokio::pin!(stop);
        let ended = tokio::select! {
            () = &mut stop => None,
            end = parts.join_next() => end,
            // Nothing comes in any more: the part that brought it ends too, and says why.
            () = answer_all(inbox, self.desk, self.questions, self.metrics, &mut work) => parts.join_next().await,
        };
        let outcome = match ended {
            None => Ok(()),
            Some(Ok(end)) => end,
            Some(Err(panic)) => Err(anyhow::anyhow!("a part of podoctor failed: {panic}")),
        };
        if timeout(LAST_WORDS, work.join_all()).await.is_err() {
            tracing::warn!("some questions were cut off by the end");
        }
        outcome
    }
}

/// The loop: what was left unanswered, and everything that comes in, is handled in a task of its own.
async fn answer_all(
    mut inbox: Inbox,
    desk: Arc<Desk<SlackFront>>,
    questions: Questions<Embedded>,
    metrics: Arc<Metrics>,
    work: &mut JoinSet<()>,
) {
    let at_work = Arc::new(AtWork { desk, questions, metrics, slots: Semaphore::new(AT_ONCE) });
    for question in at_work.questions.left_over().await {
        inbox.remember(question.keys());
        let at_work = at_work.clone();
        work.spawn(async move { at_work.answer(question, Instant::now()).await });
    }
    while let Some(received) = inbox.next().await {
        while work.try_join_next().is_some() {}
        let (at_work, arrived) = (at_work.clone(), Instant::now());
        work.spawn(async move {
            let question = at_work.questions.take(received, Timestamp::now()).await;
            at_work.answer(question, arrived).await;
        });
    }
}

/// What answers are made with.
struct AtWork {
    desk: Arc<Desk<SlackFront>>,
    questions: Questions<Embedded>,
    metrics: Arc<Metrics>,
    slots: Semaphore,
}

impl AtWork {
    async fn answer(&self, question: Question, arrived: Instant) {
        let Ok(_slot) = self.slots.acquire().await else { return };
        let incoming = question.incoming();
        let kind = match &incoming.what {
            What::Command { .. } => "command",
            What::Mention { .. } => "mention",
            What::Shortcut { .. } => "shortcut",
            What::Click { .. } => "click",
            What::Reaction { .. } => "reaction",
            What::HomeOpened => "home",
        };
        let (user, channel) = (incoming.person.id.clone(), incoming.place.channel.clone());
        let outcome = self.questions.answer(&self.desk, question, Timestamp::now()).await;
        let took = arrived.elapsed();
        self.metrics.answer_seconds.observe(took.as_secs_f64());
        let word = if outcome.is_ok() { "said" } else { "unsaid" };
        self.metrics.handled.get_or_create(&Handled { kind, outcome: word }).inc();
        let milliseconds = took.as_millis();
        match outcome {
            Ok(()) => {
                tracing::info!(kind, user, channel, milliseconds, "handled a {kind} of {user} in {milliseconds} ms");
            }
            Err(error) => {
                tracing::error!(kind, user, channel, %error, "could not answer a {kind} of {user}: {error}");
            }
        }
    }
}

/// Opens what keeps questions over a crash. Where that cannot be, they are answered all the same.
///
/// # Errors
/// Where there is not even memory for it.
pub fn questions(settings: &Settings) -> anyhow::Result<Questions<Embedded>> {
    let store = match Embedded::open_quick(&settings.store.path) {
        Ok(store) => store,
        Err(error) => {
            tracing::warn!(%error, "a crash loses the questions under way (setting store.path): {error}");
            Embedded::in_memory()?
        }
    };
    Ok(Questions::new(store))
}

/// Prepares the clusters that the settings name.
///
/// # Errors
/// Names the cluster whose kubeconfig cannot be used.
pub async fn clusters(settings: &Settings) -> anyhow::Result<Clusters> {
    let sources: Vec<ClusterSource> = settings.clusters.iter().map(source).collect();
    Clusters::connect(&sources).await.map_err(|(name, error)| {
        anyhow::anyhow!("cluster {}: {error}", if name.is_empty() { "(default)" } else { &name })
    })
}

fn source(cluster: &crate::settings::Cluster) -> ClusterSource {
    ClusterSource {
        name: cluster.name.clone(),
        kubeconfig: cluster.kubeconfig.as_deref().map(expanded),
        context: cluster.context.clone(),
    }
}

/// Returns a path with a leading `~` as the home folder.
fn expanded(path: &str) -> std::path::PathBuf {
    match (path.strip_prefix("~/"), std::env::home_dir()) {
        (Some(rest), Some(home)) => home.join(rest),
        _ => path.into(),
    }
}

/// Tells whether there is somewhere to tell an alert; without that nothing is watched.
fn alerts(settings: &Settings) -> bool {
    settings.slack.default_channel.is_some() || !settings.routes.is_empty()
}

/// Opens the store that the settings name; `None` = there is nothing to keep: no alerts and no remedies.
///
/// # Errors
/// Where it cannot be opened, with its path.
pub fn store(settings: &Settings) -> anyhow::Result<Option<Embedded>> {
    if !alerts(settings) {
        tracing::info!("no alerts: slack.default_channel and routes are not set");
        if settings.remedies.is_empty() {
            return Ok(None);
        }
    }
    open_store(settings).map(Some)
}

/// Opens the store that the settings name, whether anything of it is needed or not.
///
/// # Errors
/// As [`store`].
pub fn open_store(settings: &Settings) -> anyhow::Result<Embedded> {
    anyhow::ensure!(
        settings.store.kind != StoreKind::Kubernetes,
        "store.kind: kubernetes is not there yet; take embedded, with store.path on a volume"
    );
    Embedded::open(&settings.store.path).context("store.path")
}
