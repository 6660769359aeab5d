//! A custom cause as its file writes it. Doc comments here are what the page about custom causes says of each key.

use schemars::JsonSchema;
use serde::Deserialize;

/// One cause of a team's own: one file.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Definition {
    /// Names the problem, in kebab-case, your team's name first: `acme-vault-sealed`.
    pub id: String,
    /// The parts of a pod's life in which it shows; it is asked about only there.
    pub phases: Vec<PhaseName>,
    /// The expression that holds where the cause shows.
    pub when: String,
    /// How sure that is: `confirmed`, `likely` (the default) or `possible`, which never leads an alert.
    #[serde(default)]
    pub certainty: CertaintyName,
    /// What is wrong, in one sentence with this pod's values in `{{ }}`.
    pub summary: Said,
    /// Expressions whose values are quoted. Without them, the fields that `when` reads are.
    #[serde(default)]
    pub evidence: Vec<String>,
    /// Steps to take, the safest first.
    #[serde(default)]
    pub fixes: Vec<FixDefinition>,
    /// The address of your runbook, with `https://`.
    #[serde(default)]
    #[schemars(extend("format" = "runbook-address"))]
    pub runbook: Option<String>,
    /// The ids of causes that, where they show as well, are consequences of this one.
    #[serde(default)]
    pub explains: Vec<String>,
    /// The title of its page in the catalogue.
    pub title: Said,
    /// What it is and why it happens.
    pub what: Said,
    /// How to tell it from what looks alike.
    #[serde(default)]
    pub tell: Option<Said>,
    /// What to do, for the page in the catalogue.
    #[serde(default)]
    pub fix: Option<Said>,
}

/// A step to take.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FixDefinition {
    /// What to do, with values in `{{ }}`.
    pub text: Said,
    /// The command that does it; each value in `{{ }}` becomes one word of the shell, so put no quotes around it.
    #[serde(default)]
    pub command: Option<String>,
    /// What it may break: `safe`, `careful` (the default) or `dangerous`.
    #[serde(default)]
    pub risk: RiskName,
}

/// Words: one text for all languages, or one for each.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Said {
    All(String),
    Each(Languages),
}

/// Words in each language.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Languages {
    pub en: String,
    #[serde(rename = "zh-CN")]
    pub zh: String,
}

/// The parts of a pod's life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum PhaseName {
    Scheduling,
    Creating,
    Images,
    Crashing,
    Probes,
    Stopping,
    Node,
    Admission,
    Access,
}

/// How sure it is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum CertaintyName {
    Confirmed,
    #[default]
    Likely,
    Possible,
}

/// What a step may break.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum RiskName {
    Safe,
    #[default]
    Careful,
    Dangerous,
}

impl Said {
    /// Returns the words in English and in Chinese, each with its key where they have keys.
    pub fn both(&self) -> [(Option<&'static str>, &str); 2] {
        match self {
            Said::All(text) => [(None, text), (None, text)],
            Said::Each(languages) => [(Some("en"), &languages.en), (Some("zh-CN"), &languages.zh)],
        }
    }
}
