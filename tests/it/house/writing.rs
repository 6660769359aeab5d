//! Who may write to a cluster: `cluster/write.rs` alone, and for good only with a `Confirmed`, which `remedy/confirm.rs`
//! alone makes.

use super::source::{self, Source};
use syn::visit::{self, Visit};
use syn::{Fields, Item, ReturnType, Type, Visibility};

/// Ways to make a request that is no GET, and kube's own ways to write.
const WRITING: &[(&str, &str)] = &[
    ("Request", "post"),
    ("Request", "put"),
    ("Request", "patch"),
    ("Request", "delete"),
    ("Request", "builder"),
    ("Method", "POST"),
    ("Method", "PUT"),
    ("Method", "PATCH"),
    ("Method", "DELETE"),
];
/// Kube's names that only writing needs.
const OF_KUBE: &[&str] = &["PostParams", "PatchParams", "Patch", "DeleteParams", "EvictParams", "Reporter", "Recorder"];

/// Returns the last two names of a path.
fn words(path: &syn::Path) -> (String, String) {
    let mut names = path.segments.iter().rev().map(|segment| segment.ident.to_string());
    let last = names.next().unwrap_or_default();
    (names.next().unwrap_or_default(), last)
}

#[derive(Default)]
struct Found {
    writing: Vec<String>,
    for_good: usize,
    confirmed_made: usize,
}

impl<'ast> Visit<'ast> for Found {
    fn visit_path(&mut self, path: &'ast syn::Path) {
        let (of, name) = words(path);
        if WRITING.iter().any(|(a, b)| *a == of && *b == name) || OF_KUBE.contains(&name.as_str()) {
            self.writing.push(format!("{of}::{name}"));
        }
        visit::visit_path(self, path);
    }

    fn visit_expr_path(&mut self, path: &'ast syn::ExprPath) {
        let (of, name) = words(&path.path);
        self.for_good += usize::from((of.as_str(), name.as_str()) == ("Really", "ForGood"));
        visit::visit_expr_path(self, path);
    }

    fn visit_expr_struct(&mut self, made: &'ast syn::ExprStruct) {
        self.confirmed_made += usize::from(words(&made.path).1 == "Confirmed");
        visit::visit_expr_struct(self, made);
    }
}

fn found(source: &Source) -> Found {
    let mut found = Found::default();
    found.visit_file(&source.ast);
    found
}

fn talks_to_kubernetes(source: &Source) -> bool {
    source.module.first().is_some_and(|module| module == "cluster" || module == "gather")
}

#[test]
fn only_one_file_can_write() {
    for source in source::library().iter().filter(|source| talks_to_kubernetes(source) && !source.test_only) {
        let found = found(source);
        if source.path == "src/cluster/write.rs" {
            assert!(!found.writing.is_empty(), "the test sees what it looks for");
            // Named where it is asked for, and told apart in one match: for good from a confirmed step alone.
            assert_eq!(found.for_good, 1, "one function writes for good");
        } else {
            assert_eq!(found.writing, Vec::<String>::new(), "{} writes", source.path);
        }
    }
}

#[test]
fn writing_for_good_takes_what_was_confirmed() {
    let sources = source::library();
    let write = sources.iter().find(|source| source.path == "src/cluster/write.rs").expect("the writer");
    let methods = write.ast.items.iter().filter_map(|item| match item {
        Item::Impl(block) => Some(&block.items),
        _ => None,
    });
    let mut seen = 0;
    for method in methods.flatten() {
        let syn::ImplItem::Fn(method) = method else { continue };
        let mut found = Found::default();
        found.visit_block(&method.block);
        if found.for_good > 0 {
            seen += 1;
            assert_eq!(method.sig.ident, "execute");
            let takes_it = method
                .sig
                .inputs
                .iter()
                .any(|input| matches!(input, syn::FnArg::Typed(typed) if is_type(&typed.ty, "Confirmed")));
            assert!(takes_it, "it takes a Confirmed, by value");
        }
    }
    assert_eq!(seen, 1);
}

#[test]
fn one_function_makes_what_is_confirmed() {
    for source in source::library().iter().filter(|source| !source.test_only) {
        let made = found(source).confirmed_made;
        if source.path != "src/remedy/confirm.rs" {
            assert_eq!(made, 0, "{} makes a Confirmed", source.path);
            continue;
        }
        assert_eq!(made, 1);
        let confirmed = source.ast.items.iter().find_map(|item| match item {
            Item::Struct(item) if item.ident == "Confirmed" => Some(item),
            _ => None,
        });
        let confirmed = confirmed.expect("the struct");
        let Fields::Named(fields) = &confirmed.fields else { panic!("it has named fields") };
        assert!(fields.named.iter().all(|field| matches!(field.vis, Visibility::Inherited)), "its fields are private");
        let derived: Vec<String> = confirmed
            .attrs
            .iter()
            .filter(|attribute| attribute.path().is_ident("derive"))
            .flat_map(|attribute| match &attribute.meta {
                syn::Meta::List(list) => list.tokens.to_string().split(", ").map(str::to_owned).collect::<Vec<_>>(),
                _ => vec![],
            })
            .collect();
        assert_eq!(derived, ["Debug"], "nothing copies it, or makes it of bytes");
        let makers: Vec<String> = source
            .ast
            .items
            .iter()
            .filter_map(|item| match item {
                Item::Fn(function) if matches!(&function.sig.output, ReturnType::Type(_, ty) if mentions(ty)) => {
                    Some(function.sig.ident.to_string())
                }
                _ => None,
            })
            .collect();
        assert_eq!(makers, ["confirmed"]);
    }
}

fn is_type(ty: &Type, name: &str) -> bool {
    matches!(ty, Type::Path(path) if path.path.is_ident(name))
}

fn mentions(ty: &Type) -> bool {
    struct Seen(bool);
    impl<'ast> Visit<'ast> for Seen {
        fn visit_path(&mut self, path: &'ast syn::Path) {
            self.0 |= words(path).1 == "Confirmed";
            visit::visit_path(self, path);
        }
    }
    let mut seen = Seen(false);
    seen.visit_type(ty);
    seen.0
}
