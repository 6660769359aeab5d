//! What every source file keeps to, beyond what the formatter and the linter see.

use super::source::{self, Source};
use std::collections::BTreeSet;
use syn::visit::{self, Visit};

/// A file longer than this, its tests at the end left out, holds two things.
const MANY_LINES: usize = 500;

fn all_rust_files() -> BTreeSet<String> {
    ["src", "tests", "benches"].iter().flat_map(|folder| source::files(folder, ".rs")).collect()
}

#[test]
fn every_file_opens_by_saying_what_it_is_for() {
    for path in all_rust_files() {
        let text = source::text(&path);
        let first = text.lines().next().unwrap_or_default();
        assert!(
            first.starts_with("//! ") && first.len() > 12,
            "{path} opens with `{first}`, not with a `//!` sentence"
        );
    }
}

#[test]
fn no_file_is_long() {
    let mut long = Vec::new();
    for path in all_rust_files() {
        let text = source::text(&path);
        let lines = text.split("\n#[cfg(test)]\nmod tests {").next().map_or(0, |code| code.lines().count());
        if lines > MANY_LINES {
            long.push(format!("{path}: {lines} lines"));
        }
    }
    assert!(long.is_empty(), "do two things live there? {long:#?}");
}

#[test]
fn the_service_does_not_panic_and_no_test_is_skipped() {
    let mut found = BTreeSet::new();
    for source in source::library().into_iter().chain(source::reached("tests/it/main.rs")) {
        let is_test = source.test_only || source.path.starts_with("tests/");
        let mut slips = Slips { source: &source, in_test: is_test, found: &mut found };
        slips.visit_file(&source.ast);
    }
    assert!(found.is_empty(), "{found:#?}");
}

struct Slips<'a> {
    source: &'a Source,
    in_test: bool,
    found: &'a mut BTreeSet<String>,
}

impl Slips<'_> {
    fn say(&mut self, what: &str) {
        self.found.insert(format!("{}: {what}", self.source.path));
    }

    fn within(&mut self, attributes: &[syn::Attribute], visit: impl FnOnce(&mut Self)) {
        let before = self.in_test;
        self.in_test = before || source::is_test_only(attributes);
        visit(self);
        self.in_test = before;
    }
}

impl<'ast> Visit<'ast> for Slips<'_> {
    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        self.within(&item.attrs, |slips| visit::visit_item_mod(slips, item));
    }

    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        self.within(&item.attrs, |slips| visit::visit_item_fn(slips, item));
    }

    fn visit_attribute(&mut self, attribute: &'ast syn::Attribute) {
        if attribute.path().is_ident("ignore") {
            self.say("#[ignore]: a test that cannot run must not pass");
        }
        if attribute.path().is_ident("allow") {
            self.say("#[allow]: say #[expect(…, reason = \"…\")]");
        }
        visit::visit_attribute(self, attribute);
    }

    fn visit_expr_method_call(&mut self, call: &'ast syn::ExprMethodCall) {
        if call.method == "unwrap" && !self.in_test {
            self.say("unwrap(): `expect` states the invariant, `?` hands the error on");
        }
        visit::visit_expr_method_call(self, call);
    }

    fn visit_macro(&mut self, item: &'ast syn::Macro) {
        let name = item.path.segments.last().map(|segment| segment.ident.to_string()).unwrap_or_default();
        if matches!(name.as_str(), "todo" | "unimplemented" | "dbg") {
            self.say(&format!("{name}!"));
        }
        if name == "panic" && !self.in_test {
            self.say("panic!: no panics in the service");
        }
        if !self.in_test && item.tokens.to_string().contains(". unwrap ()") {
            self.say(&format!("unwrap() within {name}!"));
        }
        visit::visit_macro(self, item);
    }
}
