//! The settings as types. Doc comments here are what the schema and the settings page say of each key.

use super::HumanDuration;
use super::calendar::{Day, Quiet, TimeOfDay, Zone};
pub use crate::diagnosis::Remedy;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

/// Everything that can be set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// How podoctor talks to Slack.
    pub slack: Slack,
    /// The HTTP server: `/healthz`, `/readyz` and `/metrics`; in `http` mode also Slack's requests.
    pub http: Http,
    /// Where podoctor keeps what it must remember.
    pub store: Store,
    /// The clusters to look at. None = the cluster podoctor runs in, else the kubeconfig's current context.
    pub clusters: Vec<Cluster>,
    /// When a pod counts as stuck.
    pub watch: Watch,
    /// Your own causes: files, or folders whose `.yaml` files are taken. A relative path starts at the folder of the
    /// settings file. None = podoctor's own causes alone.
    pub causes: Vec<PathBuf>,
    /// What podoctor may change, the first entry that fits counts. None = it only reads.
    pub remedies: Vec<RemedyRule>,
    /// Who may ask, act and approve.
    pub access: Access,
    /// Which channel an alert goes to: the first entry that fits, else the annotation `podoctor.dev/channel` of the pod,
    /// its workload or its namespace, else `slack.default_channel`.
    pub routes: Vec<Route>,
    /// A message each morning on how things are. None = there is none.
    pub report: Option<Report>,
    /// What is particular to a channel, by its id.
    #[schemars(extend("propertyNames" = { "type": "string", "format": "slack-channel" }))]
    pub channels: BTreeMap<String, Channel>,
    /// How long a proposed remedy can be confirmed.
    pub remedy_expiry: HumanDuration,
    /// The language of everything podoctor says.
    pub language: Language,
}

/// How podoctor talks to Slack.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Slack {
    /// `socket`: podoctor calls Slack and needs no address of its own. `http`: Slack calls podoctor.
    pub mode: Mode,
    /// The address of Slack's Web API.
    #[schemars(extend("format" = "podoctor-url"))]
    pub api_url: String,
    /// The id of the channel for what no route takes, such as C0123456789.
    #[schemars(extend("format" = "slack-channel"))]
    pub default_channel: Option<String>,
}

/// How Slack's requests reach podoctor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    Socket,
    Http,
}

/// The HTTP server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Http {
    /// The address and port to listen on; port 0 takes any free one.
    #[schemars(with = "String", extend("format" = "podoctor-socket-address"))]
    pub listen: SocketAddr,
}

/// Where podoctor keeps what it must remember.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Store {
    /// `embedded`: one SQLite file. `kubernetes`: custom resources. `auto`: `kubernetes` inside a cluster, else `embedded`.
    pub kind: StoreKind,
    /// The file of the embedded store.
    pub path: PathBuf,
    /// The namespace of the custom resources. None = the namespace podoctor runs in.
    pub namespace: Option<String>,
    /// How much is remembered of incidents that are over.
    pub history: History,
}

/// How much is remembered of incidents that are over, for `/podoctor history` and the report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct History {
    /// For how long.
    pub keep_for: HumanDuration,
    /// How many at most; the oldest go first.
    #[schemars(range(min = 0, max = 100_000))]
    pub at_most: usize,
}

impl Default for History {
    fn default() -> Self {
        Self { keep_for: HumanDuration::minutes(30 * 24 * 60), at_most: 2_000 }
    }
}

/// The kinds of store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StoreKind {
    Auto,
    Embedded,
    Kubernetes,
}

/// A cluster to look at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Cluster {
    /// What people call the cluster, as in `prod:shop/web`.
    #[schemars(extend("format" = "podoctor-cluster"))]
    pub name: String,
    /// The kubeconfig file; a leading `~` is the home folder. None = where kubectl would look.
    #[serde(default)]
    pub kubeconfig: Option<String>,
    /// The context of that kubeconfig. None = its current context.
    #[serde(default)]
    pub context: Option<String>,
}

/// When a pod counts as stuck.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Watch {
    /// How long a pod may be in a state before it is told.
    pub thresholds: Thresholds,
    /// Other thresholds for some pods: the first that fits counts. An annotation goes before, such as
    /// `podoctor.dev/threshold-pending: 10m`: the pod's own, else one of its workload or namespace that is longer.
    pub overrides: Vec<Override>,
    /// When many incidents become one message.
    pub storm: Storm,
    /// After how long the thread of an alert that nobody acknowledged is reminded, at most three times. None = never.
    pub remind_after: Option<HumanDuration>,
    /// How long nothing may be wrong before an alert turns green.
    pub resolve_after: HumanDuration,
}

impl Default for Watch {
    fn default() -> Self {
        Self {
            thresholds: Thresholds::default(),
            overrides: Vec::new(),
            storm: Storm::default(),
            remind_after: None,
            resolve_after: HumanDuration::seconds(30),
        }
    }
}

/// When many incidents become one message: more than `messages` of them within `within`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Storm {
    /// How many messages may be posted on their own.
    #[schemars(range(min = 1, max = 100))]
    pub messages: usize,
    /// Within what time.
    pub within: HumanDuration,
}

impl Default for Storm {
    fn default() -> Self {
        Self { messages: 10, within: HumanDuration::seconds(10) }
    }
}

/// Thresholds for some pods; what is missing is as in `thresholds`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Override {
    /// The namespaces meant; `*` stands for anything. None = all.
    pub namespaces: Vec<String>,
    /// The labels that a pod must have, each with this value; `*` stands for anything.
    pub labels: BTreeMap<String, String>,
    /// Instead of `thresholds.pending`. None = as there.
    pub pending: Option<HumanDuration>,
    /// Instead of `thresholds.creating`. None = as there.
    pub creating: Option<HumanDuration>,
    /// Instead of `thresholds.terminating`. None = as there.
    pub terminating: Option<HumanDuration>,
    /// Instead of `thresholds.not_ready`. None = as there.
    pub not_ready: Option<HumanDuration>,
    /// Instead of `thresholds.crash_looping`. None = as there.
    pub crash_looping: Option<HumanDuration>,
    /// Instead of `thresholds.unknown`. None = as there.
    pub unknown: Option<HumanDuration>,
}

/// How long a pod may be in a state before it is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Thresholds {
    /// Not scheduled, counted from its creation.
    pub pending: HumanDuration,
    /// Scheduled, its containers not created, counted from its creation.
    pub creating: HumanDuration,
    /// Beyond the pod's own grace period after it was deleted.
    pub terminating: HumanDuration,
    /// Running, but not ready.
    pub not_ready: HumanDuration,
    /// A container that keeps ending.
    pub crash_looping: HumanDuration,
    /// In a state that nobody reports any more, as when its node is lost.
    pub unknown: HumanDuration,
}

/// A remedy that is allowed, and where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RemedyRule {
    /// What may be done.
    pub remedy: Remedy,
    /// The clusters in which it may be done; `*` stands for anything. None = all.
    #[serde(default)]
    pub clusters: Vec<String>,
    /// The namespaces in which it may be done; `*` stands for anything. None = all.
    #[serde(default)]
    pub namespaces: Vec<String>,
    /// How many different people must confirm. With 1, whoever proposed it may.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 10))]
    pub approvals: u32,
}

/// Who may do what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Access {
    /// `everyone` of the workspace, guests included, or a list as in `act`.
    pub ask: Ask,
    /// Who may propose and confirm remedies. None = nobody.
    pub act: Vec<Grant>,
    /// Who may confirm beside those who may act.
    pub approve: Vec<Grant>,
    /// What Kubernetes is asked about the person before anything is changed.
    pub kubernetes: KubernetesAccess,
}

/// Who may ask.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Ask {
    Everyone(Everyone),
    Only(Vec<Grant>),
}

/// The word for the workspace's own people, guests included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Everyone {
    Everyone,
}

/// People, and where they may. Somebody is meant who is in any of `users`, `groups` and `channels`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Grant {
    /// Ids of people, such as U0123456789.
    #[schemars(extend("items" = { "type": "string", "format": "slack-user" }))]
    pub users: Vec<String>,
    /// Ids of user groups, such as S0123456789.
    #[schemars(extend("items" = { "type": "string", "format": "slack-group" }))]
    pub groups: Vec<String>,
    /// Ids of channels; whoever asks there is meant.
    #[schemars(extend("items" = { "type": "string", "format": "slack-channel" }))]
    pub channels: Vec<String>,
    /// The clusters for which this holds; `*` stands for anything. None = all.
    pub clusters: Vec<String>,
    /// The namespaces for which this holds; `*` stands for anything. None = all.
    pub namespaces: Vec<String>,
}

/// What Kubernetes is asked about a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct KubernetesAccess {
    /// `email`: a SubjectAccessReview about the person's e-mail address must allow the change. `none`: it is not asked.
    pub subject: SubjectSource,
    /// Whether the change is sent as that person, so that the API server's audit log names them.
    pub impersonate: bool,
}

/// Where the Kubernetes user name of a person comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SubjectSource {
    Email,
    None,
}

/// Where the alerts of some pods go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Route {
    /// The clusters meant; `*` stands for anything. None = all.
    #[serde(default)]
    pub clusters: Vec<String>,
    /// The namespaces meant; `*` stands for anything. None = all.
    #[serde(default)]
    pub namespaces: Vec<String>,
    /// The labels that a pod must have, each with this value; `*` stands for anything.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// The id of the channel.
    #[schemars(extend("format" = "slack-channel"))]
    pub channel: String,
    /// Hours in which alerts are held back, and told in one summary at their end. None = never.
    #[serde(default)]
    pub quiet: Option<Quiet>,
}

/// A message each morning: what is open, what was resolved since the last one, and who made most of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Report {
    /// When, such as "08:00".
    pub at: TimeOfDay,
    /// The time zone of that.
    pub zone: Zone,
    /// The days on which it comes. None = every day.
    pub days: Vec<Day>,
    /// The id of the channel. None = `slack.default_channel`.
    #[schemars(extend("format" = "slack-channel"))]
    pub channel: Option<String>,
}

impl Default for Report {
    fn default() -> Self {
        Self { at: TimeOfDay::hour(8), zone: Zone::default(), days: Vec::new(), channel: None }
    }
}

/// What is particular to a channel.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Channel {
    /// The language spoken there. None = `language`.
    pub language: Option<Language>,
}

/// The languages podoctor speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Language {
    #[serde(rename = "en")]
    English,
    #[serde(rename = "zh-CN")]
    SimplifiedChinese,
}

impl Settings {
    /// Returns the language spoken in a channel.
    pub fn language_in(&self, channel: &str) -> Language {
        self.channels.get(channel).and_then(|channel| channel.language).unwrap_or(self.language)
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            slack: Slack::default(),
            http: Http::default(),
            store: Store::default(),
            clusters: Vec::new(),
            watch: Watch::default(),
            causes: Vec::new(),
            remedies: Vec::new(),
            access: Access::default(),
            routes: Vec::new(),
            report: None,
            channels: BTreeMap::new(),
            remedy_expiry: HumanDuration::minutes(15),
            language: Language::English,
        }
    }
}

impl Default for Slack {
    fn default() -> Self {
        Self { mode: Mode::Socket, api_url: "https://slack.com/api".to_owned(), default_channel: None }
    }
}

impl Default for Http {
    fn default() -> Self {
        Self { listen: SocketAddr::from(([0, 0, 0, 0], 8080)) }
    }
}

impl Default for Store {
    fn default() -> Self {
        Self { kind: StoreKind::Auto, path: PathBuf::from("podoctor.db"), namespace: None, history: History::default() }
    }
}

impl Default for Thresholds {
    fn default() -> Self {
        Self {
            pending: HumanDuration::minutes(5),
            creating: HumanDuration::minutes(5),
            terminating: HumanDuration::minutes(2),
            not_ready: HumanDuration::minutes(10),
            crash_looping: HumanDuration::minutes(2),
            unknown: HumanDuration::minutes(1),
        }
    }
}

impl Default for Access {
    fn default() -> Self {
        Self {
            ask: Ask::Everyone(Everyone::Everyone),
            act: Vec::new(),
            approve: Vec::new(),
            kubernetes: KubernetesAccess::default(),
        }
    }
}

impl Default for KubernetesAccess {
    fn default() -> Self {
        Self { subject: SubjectSource::Email, impersonate: false }
    }
}

const fn one() -> u32 {
    1
}
