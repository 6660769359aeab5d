//! The project's own source: every Rust file with its module path, parsed, as reached from the crate roots.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use syn::{Attribute, Item};

/// A Rust file that a crate root reaches.
pub struct Source {
    /// Relative to the root of the repository.
    pub path: String,
    /// The path of its module: `["facts", "reading"]`; empty for the root.
    pub module: Vec<String>,
    pub ast: syn::File,
    /// Whether the file is only there for tests.
    pub test_only: bool,
}

/// Returns the root of the repository.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Returns the text of a file, given relative to the root.
pub fn text(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("cannot read {path}: {error}"))
}

/// Returns all files below `folder` whose name ends with `end`, relative to the root, in order.
pub fn files(folder: &str, end: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut open = vec![root().join(folder)];
    while let Some(folder) = open.pop() {
        let Ok(entries) = std::fs::read_dir(&folder) else { continue };
        for entry in entries {
            let path = entry.expect("a readable folder").path();
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            if path.is_dir() {
                if !matches!(name, "target" | "node_modules" | ".git" | "__pycache__") {
                    open.push(path);
                }
            } else if name.ends_with(end) {
                found.insert(relative(&path));
            }
        }
    }
    found
}

/// Returns every file that `lib.rs` and `main.rs` reach.
pub fn library() -> Vec<Source> {
    ["src/lib.rs", "src/main.rs"].into_iter().flat_map(reached).collect()
}

/// Returns every file that `crate_root` reaches through its `mod` declarations.
pub fn reached(crate_root: &str) -> Vec<Source> {
    let mut sources = Vec::new();
    let mut open = vec![(root().join(crate_root), Vec::new(), false)];
    while let Some((path, module, test_only)) = open.pop() {
        let path_text = relative(&path);
        let text = text(&path_text);
        let ast = syn::parse_file(&text).unwrap_or_else(|error| panic!("cannot parse {path_text}: {error}"));
        let folder =
            if module.is_empty() { path.parent().expect("a file").to_owned() } else { path.with_extension("") };
        let beside = path.parent().expect("a file");
        children(&ast.items, &folder, beside, &module, test_only, &mut open);
        sources.push(Source { path: path_text, module, ast, test_only });
    }
    sources.sort_by(|a, b| a.path.cmp(&b.path));
    sources
}

type Open = Vec<(PathBuf, Vec<String>, bool)>;

fn children(items: &[Item], folder: &Path, beside: &Path, module: &[String], test_only: bool, open: &mut Open) {
    for item in items {
        let Item::Mod(declared) = item else { continue };
        let name = declared.ident.to_string();
        let module = [module, std::slice::from_ref(&name)].concat();
        let test_only = test_only || is_test_only(&declared.attrs);
        match &declared.content {
            Some((_, items)) => children(items, &folder.join(&name), beside, &module, test_only, open),
            None => {
                // A named path starts beside the file that declares the module.
                let file = match named_path(&declared.attrs) {
                    Some(path) => beside.join(path),
                    None => folder.join(format!("{name}.rs")),
                };
                let file = file.canonicalize().unwrap_or_else(|error| panic!("mod {name}: {error}"));
                open.push((file, module, test_only));
            }
        }
    }
}

/// Returns the file that `#[path = "…"]` names for a module.
fn named_path(attributes: &[Attribute]) -> Option<String> {
    attributes.iter().find(|attribute| attribute.path().is_ident("path")).and_then(|attribute| {
        let syn::Expr::Lit(value) = &attribute.meta.require_name_value().ok()?.value else { return None };
        match &value.lit {
            syn::Lit::Str(path) => Some(path.value()),
            _ => None,
        }
    })
}

/// Tells whether an item is compiled for tests only.
pub fn is_test_only(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("test")
            || attribute.path().segments.last().is_some_and(|last| last.ident == "test")
            || (attribute.path().is_ident("cfg")
                && attribute.parse_args::<syn::Path>().is_ok_and(|inner| inner.is_ident("test")))
    })
}

fn relative(path: &Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).to_string_lossy().replace('\\', "/")
}
