//! A CEL expression that can do nothing but look, and cannot look for long.
//!
//! What is long, deep, or can grow is refused when it is compiled. What is left is metered: every turn of a loop pays for
//! the size of its body, and an evaluation that has spent its allowance ends without a result.

use super::scope::{Scope, Trouble};
use super::{bounds, sees};
use cel::common::ast::{Expr, IdedExpr, LiteralValue, SourceInfo, operators};
use regex::{Regex, RegexBuilder};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, LazyLock};

/// CEL's own functions, and nothing of its extensions.
pub(super) static ENVIRONMENT: LazyLock<Arc<cel::Env>> = LazyLock::new(|| Arc::new(cel::Env::stdlib()));

/// What the parser may use of the stack. It takes up to 70 KB a level without optimization, and a worker thread has 2 MiB
/// in all; the test of deep expressions stays below half of this.
const PARSER_STACK: usize = 32 << 20;

/// The longest expression, in bytes.
pub const LONGEST: usize = 2_000;

/// An expression that was found good.
#[derive(Debug, Clone)]
pub struct Expression {
    text: String,
    tree: IdedExpr,
    /// The variables that it names.
    pub(super) names: BTreeSet<&'static str>,
    /// The fields that it reads of them, as they stand in it.
    pub(super) reads: Vec<Read>,
    /// Its regular expressions, by their text.
    pub(in crate::diagnosis) patterns: BTreeMap<String, Regex>,
}

/// A field that an expression reads: `pod.status.phase`.
#[derive(Debug, Clone)]
pub struct Read {
    pub path: String,
    tree: IdedExpr,
}

/// What is wrong with an expression, and in which of its lines (1 = the first) and columns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrong {
    pub line: u64,
    pub column: u64,
    pub what: String,
}

impl Expression {
    /// Compiles an expression.
    ///
    /// # Errors
    /// The first thing that is wrong with it.
    pub fn compile(text: &str) -> Result<Self, Wrong> {
        let at_start = |what: String| Wrong { line: 1, column: 1, what };
        if text.trim().is_empty() {
            return Err(at_start("is empty".to_owned()));
        }
        if text.len() > LONGEST {
            return Err(at_start(format!("is {} bytes long; at most {LONGEST} are allowed", text.len())));
        }
        bounds::brackets(text).map_err(at_start)?;
        let program = parse(text)?;
        let source = program.source_info();
        let mut tree = program.expression().clone();
        let found = bounds::check(&tree).map_err(|refused| placed(text, source, refused.id, refused.what))?;
        let mut patterns = BTreeMap::new();
        for (id, pattern) in found.patterns {
            // The limit holds the compiled form; a match takes time by the length of the text alone.
            let compiled = RegexBuilder::new(&pattern).size_limit(256 * 1024).build().map_err(|error| {
                let what = error.to_string();
                let last = what.lines().last().unwrap_or_default().trim_start_matches("error: ");
                placed(text, source, id, format!("the pattern of `matches` is not a regular expression: {last}"))
            })?;
            patterns.insert(pattern, compiled);
        }
        let reads = reads(&tree);
        bounds::meter(&mut tree);
        Ok(Self { text: text.to_owned(), tree, names: found.names, reads, patterns })
    }

    /// Returns the expression as it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Returns what it comes to.
    ///
    /// # Errors
    /// Why it comes to nothing: above all what could not be read.
    pub fn value(&self, scope: &Scope<'_>) -> Result<serde_json::Value, Trouble> {
        scope.evaluate(&self.tree)
    }

    /// Returns whether it holds.
    ///
    /// # Errors
    /// As [`value`](Self::value); and where it comes to something else than true or false.
    pub fn holds(&self, scope: &Scope<'_>) -> Result<bool, Trouble> {
        match self.value(scope)? {
            serde_json::Value::Bool(value) => Ok(value),
            other => Err(Trouble::Wrong(format!("comes to {} instead of true or false", sees::short(&other)))),
        }
    }
}

impl Read {
    /// Returns what stands there.
    ///
    /// # Errors
    /// As [`Expression::value`].
    pub fn value(&self, scope: &Scope<'_>) -> Result<serde_json::Value, Trouble> {
        scope.evaluate(&self.tree)
    }
}

/// Parses in a thread of its own, where a deep expression finds room and a fault of the parser does no harm.
fn parse(text: &str) -> Result<cel::Program, Wrong> {
    let broken = || Wrong { line: 1, column: 1, what: "cannot be parsed".to_owned() };
    std::thread::scope(|scope| {
        let parser = std::thread::Builder::new().name("cel-parser".to_owned()).stack_size(PARSER_STACK);
        let parsing = parser.spawn_scoped(scope, || ENVIRONMENT.compile(text).map_err(|errors| first(&errors)));
        parsing.map_err(|_| broken())?.join().map_err(|_| broken())?
    })
}

fn first(errors: &cel::ParseErrors) -> Wrong {
    let Some(error) = errors.errors.first() else {
        return Wrong { line: 1, column: 1, what: "is not CEL".to_owned() };
    };
    let (line, column) = (u64::try_from(error.pos.0).unwrap_or(1), u64::try_from(error.pos.1).unwrap_or(1));
    Wrong { line: line.max(1), column: column.max(1), what: format!("is not CEL: {}", error.msg.trim()) }
}

fn placed(text: &str, source: &SourceInfo, id: u64, what: String) -> Wrong {
    // Offsets count characters.
    let start = source.offset_for(id).map_or(0, |(start, _)| start as usize);
    let before: String = text.chars().take(start).collect();
    let line = before.matches('\n').count() as u64 + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() as u64 + 1;
    Wrong { line, column, what }
}

/// Returns what an expression reads, in the order in which it stands there: the longest paths, each once.
fn reads(tree: &IdedExpr) -> Vec<Read> {
    let mut found: Vec<Read> = Vec::new();
    bounds::walk(tree, &mut |node, bound| {
        let Some(path) = path_of(node).filter(|path| sees::known(root(path)) && !bound.contains(root(path))) else {
            return true;
        };
        if !found.iter().any(|read| read.path == path) {
            let mut tree = node.clone();
            if let Expr::Select(select) = &mut tree.expr {
                select.test = false;
            }
            found.push(Read { path, tree });
        }
        false
    });
    found
}

fn root(path: &str) -> &str {
    path.split(['.', '[']).next().unwrap_or_default()
}

/// Returns `pod.metadata.labels['app']` where a node is a path and nothing else.
fn path_of(node: &IdedExpr) -> Option<String> {
    match &node.expr {
        Expr::Ident(name) => Some(name.clone()),
        Expr::Select(select) => Some(format!("{}.{}", path_of(&select.operand)?, select.field)),
        Expr::Call(call) if call.func_name == operators::INDEX => match &call.args[..] {
            [of, IdedExpr { expr: Expr::Literal(LiteralValue::String(key)), .. }] => {
                Some(format!("{}['{}']", path_of(of)?, key.inner()))
            }
            [of, IdedExpr { expr: Expr::Literal(LiteralValue::Int(index)), .. }] => {
                Some(format!("{}[{}]", path_of(of)?, index.inner()))
            }
            _ => None,
        },
        _ => None,
    }
}
