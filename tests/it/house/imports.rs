//! Who may use what: the module map of `docs/architecture.md`, held against every path in the source.

use super::source::{self, Source};
use std::collections::BTreeSet;
use syn::visit::{self, Visit};

/// What each module may use of ours, with all that is below it; everything may use itself.
const MAP: [(&str, &[&str]); 16] = [
    ("redact", &[]),
    ("metrics", &[]),
    ("target", &[]),
    ("facts", &[]),
    ("diagnosis", &["facts"]),
    ("question", &["facts", "diagnosis", "target"]),
    ("remedy", &["facts", "diagnosis"]),
    ("access", &["settings"]),
    ("watch", &["facts", "settings", "target"]),
    ("store", &[]),
    // What is said when a command is unclear or refused is said by `render` too; both are plain values.
    ("render", &["facts", "diagnosis", "target", "question", "access", "watch", "remedy", "chat::command"]),
    (
        "chat",
        &[
            "render",
            "redact",
            "metrics",
            "target",
            "settings::Secret",
            "settings::Credentials",
            "settings::APP_TOKEN",
            "settings::BOT_TOKEN",
        ],
    ),
    ("cluster", &["facts", "remedy"]),
    ("gather", &["cluster", "facts", "redact", "target", "question", "remedy", "diagnosis"]),
    // A team's own causes are checked with the settings that name them.
    ("settings", &["diagnosis"]),
    ("playground", &[]),
];

/// Modules that may use all of ours but these.
const BUT: [(&str, &[&str]); 4] = [
    ("handlers", &["chat::slack", "chat::console", "server", "app", "cli", "playground"]),
    ("server", &["cli"]),
    ("app", &["cli"]),
    ("cli", &[]),
];

/// The only modules that may use a crate.
const CRATES: [(&str, &[&str]); 7] = [
    ("kube", &["cluster", "gather"]),
    ("rusqlite", &["store"]),
    ("slack_morphism", &["chat::slack"]),
    ("axum", &["server", "chat::slack", "playground"]),
    ("tokio_tungstenite", &["chat::slack", "playground"]),
    ("clap", &["cli"]),
    ("clap_complete", &["cli"]),
];

/// Modules that are pure: nothing in them waits, logs, or fails in ways nobody can branch on.
const PURE: [&str; 10] =
    ["remedy", "watch", "target", "redact", "facts", "diagnosis", "question", "access", "render", "settings"];
const NOT_PURE: [&str; 8] = ["tokio", "tokio_util", "futures_util", "reqwest", "tracing", "anyhow", "rustls", "kube"];

#[test]
fn modules_use_only_what_they_may() {
    let mut wrong = BTreeSet::new();
    for source in source::library() {
        for used in used_paths(&source) {
            if let Some(why) = forbidden(&source.module, &used) {
                wrong.insert(format!("{}: {} ({why})", source.path, used.join("::")));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.into_iter().collect::<Vec<_>>().join("\n"));
}

#[test]
fn every_module_is_on_the_map() {
    let known: BTreeSet<_> = MAP.iter().chain(&BUT).map(|(module, _)| (*module).to_owned()).collect();
    let there: BTreeSet<_> =
        source::library().into_iter().filter_map(|source| source.module.first().cloned()).collect();
    assert_eq!(
        there.difference(&known).collect::<Vec<_>>(),
        Vec::<&String>::new(),
        "give the new module its place here"
    );
}

#[test]
fn the_map_tells_right_from_wrong() {
    let module = |path: &str| path.split("::").map(str::to_owned).collect::<Vec<_>>();
    for (at, used) in [
        ("facts::pod", "crate::facts::known"),
        ("diagnosis", "crate::facts::Facts"),
        ("diagnosis", "k8s_openapi::api"),
        ("chat::slack::socket", "slack_morphism::prelude"),
        ("handlers::ask", "crate::chat::front::Person"),
        ("gather", "kube::Client"),
    ] {
        assert_eq!(forbidden(&module(at), &module(used)), None, "{at} uses {used}");
    }
    for (at, used) in [
        ("facts::pod", "crate::diagnosis"),
        ("render", "crate::chat"),
        ("handlers::ask", "crate::chat::slack::web"),
        ("chat::front", "slack_morphism::prelude"),
        ("render::guidance", "crate::chat::front"),
        ("diagnosis", "kube::Client"),
        ("diagnosis", "tokio::spawn"),
        ("playground::slack", "crate::settings"),
    ] {
        assert!(forbidden(&module(at), &module(used)).is_some(), "{at} uses {used}");
    }
}

#[test]
fn every_file_is_reached_from_a_crate_root() {
    for (folder, roots) in [("src", ["src/lib.rs", "src/main.rs"].as_slice()), ("tests/it", &["tests/it/main.rs"])] {
        let reached: BTreeSet<_> =
            roots.iter().flat_map(|root| source::reached(root)).map(|source| source.path).collect();
        let there = source::files(folder, ".rs");
        assert_eq!(there.difference(&reached).collect::<Vec<_>>(), Vec::<&String>::new(), "no `mod` names these files");
    }
}

/// Says why `module` may not use the path `used`; `None` where it may.
fn forbidden(module: &[String], used: &[String]) -> Option<String> {
    let here = module.join("::");
    let home = module.first()?.as_str();
    if used[0] == "crate" {
        let used = &used[1..];
        let other = used.first()?.as_str();
        if other == home {
            return None;
        }
        let used = used.join("::");
        if let Some((_, allowed)) = MAP.iter().find(|(name, _)| *name == home) {
            let named = MAP.iter().chain(&BUT).any(|(name, _)| *name == other);
            return (named && !allowed.iter().any(|allowed| below(&used, allowed)))
                .then(|| format!("{home} may use {allowed:?}"));
        }
        let (_, denied) = BUT.iter().find(|(name, _)| *name == home)?;
        return denied.iter().find(|denied| below(&used, denied)).map(|denied| format!("{home} may not use {denied}"));
    }
    let name = used[0].as_str();
    if PURE.contains(&home) && NOT_PURE.contains(&name) {
        return Some(format!("{home} is pure"));
    }
    let (_, places) = CRATES.iter().find(|(krate, _)| *krate == name)?;
    let fits = places.iter().any(|place| below(&here, place));
    (!fits).then(|| format!("only {places:?} may use {name}"))
}

fn below(path: &str, place: &str) -> bool {
    path == place || path.strip_prefix(place).is_some_and(|rest| rest.starts_with("::"))
}

/// Returns every path in a file from the crate or from another crate's name on; code for tests is left out.
fn used_paths(source: &Source) -> BTreeSet<Vec<String>> {
    if source.test_only {
        return BTreeSet::new();
    }
    let mut paths = Paths { module: source.module.clone(), found: BTreeSet::new() };
    paths.visit_file(&source.ast);
    paths.found
}

struct Paths {
    module: Vec<String>,
    found: BTreeSet<Vec<String>>,
}

impl Paths {
    fn add(&mut self, segments: &[String]) {
        let mut base = self.module.clone();
        let mut rest = segments;
        match rest.first().map(String::as_str) {
            Some("crate") => base.clear(),
            Some("self") => {}
            Some("super") => {
                while rest.first().is_some_and(|segment| segment == "super") {
                    base.pop();
                    rest = &rest[1..];
                }
                self.found.insert([&["crate".to_owned()], base.as_slice(), rest].concat());
                return;
            }
            // Another crate, or a name that is already at hand; only names of crates matter to the caller.
            Some(_) => {
                self.found.insert(segments.to_vec());
                return;
            }
            None => return,
        }
        self.found.insert([&["crate".to_owned()], base.as_slice(), &rest[1..]].concat());
    }

    fn tree(&mut self, tree: &syn::UseTree, before: &[String]) {
        match tree {
            syn::UseTree::Path(path) => self.tree(&path.tree, &[before, &[path.ident.to_string()]].concat()),
            syn::UseTree::Name(name) if name.ident == "self" => self.add(before),
            syn::UseTree::Name(name) => self.add(&[before, &[name.ident.to_string()]].concat()),
            syn::UseTree::Rename(name) => self.add(&[before, &[name.ident.to_string()]].concat()),
            syn::UseTree::Glob(_) => self.add(before),
            syn::UseTree::Group(group) => group.items.iter().for_each(|tree| self.tree(tree, before)),
        }
    }

    /// Macros hold tokens, not paths: names joined by `::` are put together again.
    fn tokens(&mut self, tokens: &str) {
        let joined = tokens.replace(" :: ", "::");
        for word in joined.split(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':')) {
            let segments: Vec<_> = word.split("::").map(str::to_owned).collect();
            if segments.len() > 1 && segments.iter().all(|segment| !segment.is_empty() && !segment.contains(':')) {
                self.add(&segments);
            }
        }
    }
}

impl<'ast> Visit<'ast> for Paths {
    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        if !source::is_test_only(&item.attrs) {
            self.tree(&item.tree, &[]);
        }
    }

    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        if !source::is_test_only(&item.attrs) {
            self.module.push(item.ident.to_string());
            visit::visit_item_mod(self, item);
            self.module.pop();
        }
    }

    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        if !source::is_test_only(&item.attrs) {
            visit::visit_item_fn(self, item);
        }
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        if path.segments.len() > 1 {
            self.add(&path.segments.iter().map(|segment| segment.ident.to_string()).collect::<Vec<_>>());
        }
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, item: &'ast syn::Macro) {
        self.tokens(&item.tokens.to_string());
        visit::visit_macro(self, item);
    }
}
