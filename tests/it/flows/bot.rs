//! The real binary, `podoctor serve`, with settings and tokens of its own. It never outlives the test.

use crate::plane::process::Process;
use podoctor::playground::slack::Workspace;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Mutex;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// How long anything of the bot may take; generous, since a busy machine is no bug.
pub const PATIENCE: Duration = Duration::from_secs(40);

/// Settings and tokens as a person would write them down.
#[derive(Debug, Clone)]
pub struct Setup {
    /// The settings file.
    pub yaml: String,
    /// Environment variables, the tokens among them.
    pub env: Vec<(String, String)>,
}

impl Setup {
    /// Returns what fits a workspace: its address and tokens, and clusters by name and kubeconfig.
    pub fn of(slack: &Workspace, clusters: &[(&str, &Path)]) -> Setup {
        let mut yaml = format!("slack:\n  api_url: {}\nhttp:\n  listen: 127.0.0.1:0\nclusters:\n", slack.api_url());
        for (name, kubeconfig) in clusters {
            yaml += &format!("- {{name: {name}, kubeconfig: {}}}\n", kubeconfig.display());
        }
        let config = slack.config();
        let env = [("SLACK_BOT_TOKEN", &config.bot_token), ("SLACK_APP_TOKEN", &config.app_token)];
        Setup { yaml, env: env.map(|(name, value)| (name.to_owned(), value.clone())).into() }
    }

    /// Returns the same in HTTP mode.
    pub fn over_http(mut self, slack: &Workspace) -> Setup {
        self.yaml = self.yaml.replace("slack:\n", "slack:\n  mode: http\n");
        self.env.retain(|(name, _)| name != "SLACK_APP_TOKEN");
        self.env.push(("SLACK_SIGNING_SECRET".to_owned(), slack.config().signing_secret.clone()));
        self
    }

    /// Returns the same without one of its variables.
    pub fn without(&self, name: &str) -> Setup {
        let mut setup = self.clone();
        setup.env.retain(|(variable, _)| variable != name);
        setup
    }

    /// Returns the same with a variable, which replaces one of that name.
    pub fn with(&self, name: &str, value: &str) -> Setup {
        let mut setup = self.without(name);
        setup.env.push((name.to_owned(), value.to_owned()));
        setup
    }

    /// Writes the settings file, and returns the words for `env` that start the bot with it.
    pub fn write(&self) -> (TempDir, Vec<String>) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("podoctor.yaml");
        std::fs::write(&file, &self.yaml).unwrap();
        let mut words: Vec<String> = vec!["-i".to_owned()];
        if !self.yaml.contains("store:") {
            words.push(format!("PODOCTOR_STORE__PATH={}", folder.path().join("podoctor.db").display()));
        }
        words.extend(self.env.iter().map(|(name, value)| format!("{name}={value}")));
        words.extend([env!("CARGO_BIN_EXE_podoctor"), "serve", "--config"].map(str::to_owned));
        words.push(file.display().to_string());
        (folder, words)
    }

    /// Runs it to its end, for a start that must fail. Fails the test when it goes on running.
    pub fn refused(&self) -> Output {
        let (_folder, words) = self.write();
        let seconds = PATIENCE.as_secs().to_string();
        Command::new("timeout").args(["-s", "KILL", &seconds, "env"]).args(words).output().unwrap()
    }
}

/// The running bot; dropping it kills it.
#[derive(Debug)]
pub struct Bot {
    process: Mutex<Process>,
    log: PathBuf,
    /// Where it listens, such as `127.0.0.1:34567`.
    pub address: String,
    folder: TempDir,
}

impl Bot {
    /// Starts it and waits for nothing.
    pub fn launch(setup: &Setup) -> Bot {
        let (folder, words) = setup.write();
        let log = folder.path().join("stderr");
        let process = Process::start(Path::new("env"), &words, &log, None).unwrap();
        Bot { process: Mutex::new(process), log, address: String::new(), folder }
    }

    /// Starts it and waits until it listens.
    pub async fn start(setup: &Setup) -> Bot {
        let mut bot = Bot::launch(setup);
        bot.address = bot
            .until("podoctor is up", |bot| {
                let lines = bot.lines();
                let up = lines.iter().find(|line| line["message"] == "podoctor is up")?;
                Some(up["address"].as_str()?.to_owned())
            })
            .await;
        bot
    }

    /// Waits until there is something, and fails the test when the bot ends before or the time is over.
    pub async fn until<T>(&self, what: &str, mut look: impl FnMut(&Bot) -> Option<T>) -> T {
        let started = Instant::now();
        loop {
            if let Some(found) = look(self) {
                return found;
            }
            if let Err(ended) = self.process.lock().unwrap().check() {
                panic!("{ended}");
            }
            assert!(started.elapsed() < PATIENCE, "waited in vain until {what}; the bot's log:\n{}", self.log());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Changes its settings file under its hands.
    pub fn rewrite_settings(&self, yaml: &str) {
        std::fs::write(self.folder.path().join("podoctor.yaml"), yaml).unwrap();
    }

    /// Returns everything it printed.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }

    /// Returns the lines of its log; a line that is no JSON is left out.
    pub fn lines(&self) -> Vec<Value> {
        self.log().lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    /// Returns how many things that came in it is done with.
    pub fn handled(&self) -> usize {
        let done = |line: &&Value| {
            let message = line["message"].as_str().unwrap_or_default();
            message.starts_with("handled a ") || message.starts_with("could not answer a ")
        };
        self.lines().iter().filter(done).count()
    }

    /// Returns the status and text of one of its pages.
    pub async fn page(&self, path: &str) -> (u16, String) {
        let response = reqwest::get(format!("http://{}{path}", self.address)).await.unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
    }
}
