//! What must hold between settings, beyond what each one alone must look like.

use super::HumanDuration;
use super::error::{Problem, nearest};
use super::model::{Ask, Grant, Settings};
use super::tree::{self, Step, Tree};
use std::collections::BTreeSet;

/// Adds to `problems` what in `settings` contradicts itself; `tree` tells where each key stands.
pub fn check(settings: &Settings, tree: &Tree, problems: &mut Vec<Problem>) {
    let mut rules = Rules { settings, tree, problems };
    rules.clusters();
    rules.durations();
    for (index, rule) in settings.remedies.iter().enumerate() {
        rules.known_clusters("remedies", index, &rule.clusters);
    }
    for (index, route) in settings.routes.iter().enumerate() {
        rules.known_clusters("routes", index, &route.clusters);
    }
    if let Ask::Only(grants) = &settings.access.ask {
        rules.grants("ask", grants);
    }
    rules.grants("act", &settings.access.act);
    rules.grants("approve", &settings.access.approve);
}

struct Rules<'a> {
    settings: &'a Settings,
    tree: &'a Tree,
    problems: &'a mut Vec<Problem>,
}

impl Rules<'_> {
    fn clusters(&mut self) {
        let mut seen = BTreeSet::new();
        for (index, cluster) in self.settings.clusters.iter().enumerate() {
            if !seen.insert(cluster.name.as_str()) {
                let path = [Step::Key("clusters"), Step::Item(index), Step::Key("name")];
                self.say(&path, format!("`{}` is the name of an earlier cluster too", cluster.name));
            }
        }
    }

    fn durations(&mut self) {
        let thresholds = &self.settings.watch.thresholds;
        let all = [
            ("pending", thresholds.pending),
            ("creating", thresholds.creating),
            ("terminating", thresholds.terminating),
            ("not_ready", thresholds.not_ready),
            ("crash_looping", thresholds.crash_looping),
            ("unknown", thresholds.unknown),
        ];
        for (key, duration) in all {
            self.at_least_a_second(&[Step::Key("watch"), Step::Key("thresholds"), Step::Key(key)], duration);
        }
        self.at_least_a_second(&[Step::Key("watch"), Step::Key("resolve_after")], self.settings.watch.resolve_after);
        let history = self.settings.store.history.keep_for;
        self.at_least_a_second(&[Step::Key("store"), Step::Key("history"), Step::Key("keep_for")], history);
        self.at_least_a_second(&[Step::Key("remedy_expiry")], self.settings.remedy_expiry);
    }

    fn at_least_a_second(&mut self, path: &[Step<'_>], duration: HumanDuration) {
        if duration < HumanDuration::seconds(1) {
            self.say(path, format!("expected at least 1s, found {duration}"));
        }
    }

    fn grants(&mut self, list: &str, grants: &[Grant]) {
        for (index, grant) in grants.iter().enumerate() {
            let path = [Step::Key("access"), Step::Key(list), Step::Item(index)];
            if grant.users.is_empty() && grant.groups.is_empty() && grant.channels.is_empty() {
                self.say(&path, "names nobody; give `users`, `groups` or `channels`".to_owned());
            }
            self.known_cluster_names(&path, &grant.clusters);
        }
    }

    fn known_clusters(&mut self, list: &str, index: usize, patterns: &[String]) {
        self.known_cluster_names(&[Step::Key(list), Step::Item(index)], patterns);
    }

    /// A name without a star that no cluster has is a slip, which would silently allow nothing.
    fn known_cluster_names(&mut self, path: &[Step<'_>], patterns: &[String]) {
        let names: Vec<_> = self.settings.clusters.iter().map(|cluster| cluster.name.as_str()).collect();
        if names.is_empty() {
            return;
        }
        for (index, pattern) in patterns.iter().enumerate() {
            if pattern.contains('*') || names.contains(&pattern.as_str()) {
                continue;
            }
            let near = nearest(pattern, names.iter().copied())
                .map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
            let path = [path, &[Step::Key("clusters"), Step::Item(index)]].concat();
            self.say(&path, format!("`{pattern}` is none of the clusters ({}){near}", names.join(", ")));
        }
    }

    fn say(&mut self, path: &[Step<'_>], what: String) {
        self.problems.push(Problem::new(self.tree.place_of(path), tree::key(path), what));
    }
}
