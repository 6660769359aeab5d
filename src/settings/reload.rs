//! Settings that may change while podoctor runs. A bad new file is refused, and the old settings stay.

use super::causes::Compiled;
use super::{Environment, Loaded, Settings, SettingsError, Slack, load_with};
use crate::diagnosis::Catalogue;
use serde_json::Value;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};

/// The settings in force, shared by all that go by them. Whoever handles something takes them once, so that they do not
/// change under its hands.
#[derive(Debug, Clone)]
pub struct InForce(Arc<RwLock<(Arc<Settings>, Catalogue)>>);

impl InForce {
    /// Puts the first settings in force, with podoctor's own causes alone.
    pub fn new(settings: Settings) -> Self {
        Self(Arc::new(RwLock::new((Arc::new(settings), Catalogue::default()))))
    }

    /// Returns the settings in force at this moment.
    pub fn get(&self) -> Arc<Settings> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).0.clone()
    }

    /// Returns the causes in force at this moment.
    pub fn catalogue(&self) -> Catalogue {
        self.0.read().unwrap_or_else(PoisonError::into_inner).1.clone()
    }

    /// Puts other settings and causes in force, for everything that begins from now on.
    pub fn set(&self, settings: Settings, catalogue: Catalogue) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = (Arc::new(settings), catalogue);
    }
}

/// What reading the settings again came to.
#[derive(Debug, Clone, PartialEq)]
pub enum Reload {
    /// All is as it was.
    Unchanged,
    /// New settings are in force.
    Changed {
        /// The keys that changed and are in force now.
        applied: Vec<String>,
        /// The keys that changed and need a restart; until then the old value holds.
        restart: Vec<String>,
    },
    /// The new settings are wrong; the old ones stay in force.
    Refused(SettingsError),
}

/// The settings in force, and how to read them again.
pub struct Reloader {
    path: Option<PathBuf>,
    environment: Environment,
    current: Settings,
    catalogue: Catalogue,
    causes: Compiled,
    /// What was read last; differs from `current` in what waits for a restart.
    seen: Settings,
    /// What was refused last, so that it is told once and not at every look.
    refused: Option<SettingsError>,
}

/// What is fixed once podoctor runs: its connections and its store.
const FIXED: [&str; 5] = ["slack.mode", "slack.api_url", "http.", "store.", "clusters"];

impl Reloader {
    /// Reads the settings for the first time; arguments as for [`load`].
    ///
    /// # Errors
    /// As [`load`].
    pub fn start(path: Option<PathBuf>, environment: Environment) -> Result<Self, SettingsError> {
        let mut causes = Compiled::default();
        let Loaded { settings, catalogue, file } = load_with(path.as_deref(), &environment, &mut causes)?;
        // From here on it is the same file; a better place that fills later is for the next start.
        let path = file.or(path);
        Ok(Self { path, environment, seen: settings.clone(), current: settings, catalogue, causes, refused: None })
    }

    /// Returns the settings in force.
    pub fn current(&self) -> &Settings {
        &self.current
    }

    /// Returns the causes in force.
    pub fn catalogue(&self) -> &Catalogue {
        &self.catalogue
    }

    /// Returns the file in use, if there is one.
    pub fn file(&self) -> Option<&std::path::Path> {
        self.path.as_deref()
    }

    /// Reads the settings again and puts in force what can be. Cheap enough for a look every few seconds, which, unlike
    /// watching the file, also sees how Kubernetes swaps a mounted ConfigMap.
    pub fn look(&mut self) -> Reload {
        let loaded = load_with(self.path.as_deref(), &self.environment, &mut self.causes);
        let (settings, catalogue) = match loaded {
            Ok(loaded) => (loaded.settings, loaded.catalogue),
            Err(error) if self.refused.as_ref() == Some(&error) => return Reload::Unchanged,
            Err(error) => {
                self.refused = Some(error.clone());
                return Reload::Refused(error);
            }
        };
        self.refused = None;
        let other_causes = !catalogue.is(&self.catalogue);
        if settings == self.seen && !other_causes {
            return Reload::Unchanged;
        }
        self.seen = settings.clone();
        let mut changed = changes(&self.current, &settings);
        if other_causes && !changed.iter().any(|key| key == "causes") {
            changed.push("causes".to_owned());
        }
        self.catalogue = catalogue;
        let (restart, applied): (Vec<_>, Vec<_>) =
            changed.into_iter().partition(|key| FIXED.iter().any(|fixed| key.starts_with(fixed)));
        if applied.is_empty() && restart.is_empty() {
            return Reload::Unchanged;
        }
        let default_channel = settings.slack.default_channel.clone();
        self.current = Settings {
            slack: Slack { default_channel, ..self.current.slack.clone() },
            http: self.current.http.clone(),
            store: self.current.store.clone(),
            clusters: self.current.clusters.clone(),
            ..settings
        };
        Reload::Changed { applied, restart }
    }
}

/// Returns the paths of the keys that differ, in order. Lists count as one value.
pub fn changes(old: &Settings, new: &Settings) -> Vec<String> {
    let json = |settings| serde_json::to_value(settings).expect("settings are plain data");
    let mut keys = Vec::new();
    compare("", &json(old), &json(new), &mut keys);
    keys
}

fn compare(path: &str, old: &Value, new: &Value, keys: &mut Vec<String>) {
    match (old, new) {
        (Value::Object(old), Value::Object(new)) => {
            let mut names: Vec<_> = old.keys().chain(new.keys()).collect();
            names.sort();
            names.dedup();
            for name in names {
                let inner = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                compare(&inner, old.get(name).unwrap_or(&Value::Null), new.get(name).unwrap_or(&Value::Null), keys);
            }
        }
        _ if old != new => keys.push(path.to_owned()),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::{Reload, Reloader};
    use crate::settings::{Environment, Language};
    use std::collections::BTreeMap;
    use std::path::PathBuf;
    use std::sync::{Arc, Mutex};

    fn reloader(text: &str) -> (Reloader, Arc<Mutex<String>>) {
        let file = Arc::new(Mutex::new(text.to_owned()));
        let read = Arc::clone(&file);
        let environment = Environment::new(BTreeMap::new(), move |_| Ok(read.lock().expect("not poisoned").clone()));
        (Reloader::start(Some(PathBuf::from("p.yaml")), environment).expect("good settings"), file)
    }

    fn write(file: &Mutex<String>, text: &str) {
        text.clone_into(&mut file.lock().expect("not poisoned"));
    }

    #[test]
    fn a_change_is_put_in_force_and_told_once() {
        let (mut reloader, file) = reloader("language: en");
        assert_eq!(reloader.look(), Reload::Unchanged);
        write(&file, "language: zh-CN\nwatch: {thresholds: {pending: 1m}}");
        let applied = vec!["language".to_owned(), "watch.thresholds.pending".to_owned()];
        assert_eq!(reloader.look(), Reload::Changed { applied, restart: vec![] });
        assert_eq!(reloader.current().language, Language::SimplifiedChinese);
        assert_eq!(reloader.look(), Reload::Unchanged);
    }

    #[test]
    fn a_bad_file_is_refused_once_and_the_old_settings_stay() {
        let (mut reloader, file) = reloader("language: zh-CN");
        write(&file, "langauge: en");
        let Reload::Refused(error) = reloader.look() else { panic!("taken") };
        assert_eq!(error.to_string(), "p.yaml:1: langauge: unknown key; did you mean `language`?");
        assert_eq!(reloader.current().language, Language::SimplifiedChinese);
        assert_eq!(reloader.look(), Reload::Unchanged);
    }

    #[test]
    fn what_needs_a_restart_keeps_its_value_and_says_so_once() {
        let (mut reloader, file) = reloader("");
        write(&file, "http: {listen: '127.0.0.1:1'}\nslack: {default_channel: C1}");
        let (applied, restart) = (vec!["slack.default_channel".to_owned()], vec!["http.listen".to_owned()]);
        assert_eq!(reloader.look(), Reload::Changed { applied, restart });
        assert_eq!(reloader.current().http.listen.port(), 8080);
        assert_eq!(reloader.current().slack.default_channel.as_deref(), Some("C1"));
        assert_eq!(reloader.look(), Reload::Unchanged);
        write(&file, "slack: {default_channel: C1}");
        assert_eq!(reloader.look(), Reload::Unchanged);
    }
}
