//! What an expression may not be, so that no expression runs long, grows large or goes deep; and the meter in its loops.

use super::sees;
use cel::common::ast::{CallExpr, EntryExpr, Expr, IdedExpr, LiteralValue, operators};
use std::collections::BTreeSet;

/// How deep an expression may nest, brackets and operators alike.
const DEEPEST: usize = 32;
/// How many parts it may have.
const MOST_PARTS: usize = 600;
/// How many loops may stand within each other.
const NESTED_LOOPS: usize = 2;
/// How many elements a list written into it may have.
const LONGEST_LIST: usize = 64;
/// How often it may join texts or lists.
const MOST_JOINS: usize = 8;

/// The function that a loop calls before each turn of its body.
pub(super) const METER: &str = "@turn";

/// Functions that may be called: those of CEL's standard library, and ours.
const FUNCTIONS: [&str; 18] = [
    "size",
    "contains",
    "startsWith",
    "endsWith",
    "matches",
    "string",
    "int",
    "uint",
    "double",
    "bool",
    "type",
    "dyn",
    "optional.of",
    "optional.none",
    "hasValue",
    "orValue",
    "secondsSince",
    "quantity",
];
/// Names of types, which stand for themselves.
const TYPES: [&str; 10] = ["int", "uint", "double", "bool", "string", "bytes", "list", "map", "null_type", "type"];

/// What an expression refers to.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub names: BTreeSet<&'static str>,
    /// The patterns of `matches`, each with the part of the expression that it is.
    pub patterns: Vec<(u64, String)>,
    parts: usize,
    joins: usize,
}

/// Why an expression is refused, and which part of it.
#[derive(Debug)]
pub(super) struct Refused {
    pub id: u64,
    pub what: String,
}

/// Refuses a text that nests brackets too deep, before the parser goes down into them.
pub(super) fn brackets(text: &str) -> Result<(), String> {
    let mut depth = 0_usize;
    for c in text.chars() {
        match c {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > DEEPEST {
            return Err(format!("nests brackets more than {DEEPEST} deep"));
        }
    }
    Ok(())
}

/// Says what an expression refers to.
pub(super) fn check(tree: &IdedExpr) -> Result<Found, Refused> {
    let mut found = Found::default();
    part(tree, Place { depth: 0, loops: 0, bound: &[] }, &mut found)?;
    Ok(found)
}

#[derive(Clone, Copy)]
struct Place<'a> {
    depth: usize,
    loops: usize,
    /// The variables of the loops around it.
    bound: &'a [&'a str],
}

fn part(node: &IdedExpr, place: Place<'_>, found: &mut Found) -> Result<(), Refused> {
    let refuse = |what: String| Err(Refused { id: node.id, what });
    found.parts += 1;
    if place.depth > DEEPEST {
        return refuse(format!("nests more than {DEEPEST} deep"));
    }
    if found.parts > MOST_PARTS {
        return refuse(format!("has more than {MOST_PARTS} parts; make two causes of it"));
    }
    let inner = Place { depth: place.depth + 1, ..place };
    match &node.expr {
        Expr::Ident(name) => {
            if place.bound.contains(&name.as_str()) || TYPES.contains(&name.as_str()) {
                return Ok(());
            }
            match sees::name(name) {
                Some(name) => {
                    found.names.insert(name);
                    Ok(())
                }
                None => refuse(unknown("variable", name, sees::SEEN.iter().map(|seen| seen.name))),
            }
        }
        Expr::Select(select) => part(&select.operand, inner, found),
        Expr::Call(call) => {
            function(node, call, place, found)?;
            let own = qualified(call).is_some();
            let target = call.target.as_deref().filter(|_| !own);
            target.into_iter().chain(&call.args).try_for_each(|arg| part(arg, inner, found))
        }
        Expr::List(list) => {
            if list.elements.len() > LONGEST_LIST {
                return refuse(format!("a list has more than {LONGEST_LIST} elements"));
            }
            let plain = |element: &IdedExpr| matches!(element.expr, Expr::Literal(_));
            if place.loops > 0 && !list.elements.iter().all(plain) {
                return refuse("a list made within a loop may only hold texts and numbers".to_owned());
            }
            list.elements.iter().try_for_each(|element| part(element, inner, found))
        }
        Expr::Map(map) if place.loops > 0 && !map.entries.is_empty() => {
            refuse("a map may not be made within a loop".to_owned())
        }
        Expr::Map(map) => map.entries.iter().try_for_each(|entry| match &entry.expr {
            EntryExpr::MapEntry(entry) => {
                part(&entry.key, inner, found)?;
                part(&entry.value, inner, found)
            }
            EntryExpr::StructField(field) => part(&field.value, inner, found),
        }),
        Expr::Comprehension(turns) => {
            if place.loops >= NESTED_LOOPS {
                return refuse(format!("nests more than {NESTED_LOOPS} loops (`exists`, `all`, `filter`, `map` …)"));
            }
            let within = Place { loops: place.loops + 1, ..inner };
            part(&turns.iter_range, within, found)?;
            let mut bound: Vec<&str> = place.bound.to_vec();
            bound.extend([turns.iter_var.as_str(), turns.accu_var.as_str()]);
            bound.extend(turns.iter_var2.as_deref());
            let within = Place { bound: &bound, ..within };
            // The macros' own parts (`@result + [x]`, `@result || x`) are not the author's: only what stands in them is.
            bodies(&turns.loop_step, &turns.accu_var).into_iter().try_for_each(|body| part(body, within, found))
        }
        Expr::Struct(_) => refuse("makes an object, which nothing here takes".to_owned()),
        Expr::Literal(_) => Ok(()),
        Expr::Unspecified => refuse("is incomplete".to_owned()),
    }
}

fn function(node: &IdedExpr, call: &CallExpr, place: Place<'_>, found: &mut Found) -> Result<(), Refused> {
    let refuse = |what: String| Err(Refused { id: node.id, what });
    let name = qualified(call).unwrap_or_else(|| call.func_name.clone());
    if name == operators::ADD {
        // Joining in a loop can double a text at every turn.
        if place.loops > 0 {
            return refuse("`+` may not stand within a loop (`exists`, `all`, `filter`, `map` …)".to_owned());
        }
        found.joins += 1;
        if found.joins > MOST_JOINS {
            return refuse(format!("has more than {MOST_JOINS} `+`"));
        }
    }
    let is_operator = name.starts_with(['_', '@', '!', '-']);
    if !is_operator && !FUNCTIONS.contains(&name.as_str()) {
        return refuse(unknown(
            "function",
            &name,
            FUNCTIONS.into_iter().chain(["exists", "all", "filter", "map", "has"]),
        ));
    }
    if name == "matches" {
        match call.args.last() {
            Some(IdedExpr { id, expr: Expr::Literal(LiteralValue::String(pattern)) }) => {
                found.patterns.push((*id, pattern.inner().to_owned()));
            }
            _ => return refuse("the pattern of `matches` must be written out as a text".to_owned()),
        }
    }
    Ok(())
}

/// Returns `optional.of` for a call of it.
fn qualified(call: &CallExpr) -> Option<String> {
    match call.target.as_deref() {
        Some(IdedExpr { expr: Expr::Ident(space), .. }) if space == "optional" => {
            Some(format!("optional.{}", call.func_name))
        }
        _ => None,
    }
}

fn unknown<'a>(kind: &str, name: &str, known: impl Iterator<Item = &'a str>) -> String {
    let near = known
        .map(|known| (strsim::jaro_winkler(&name.to_lowercase(), &known.to_lowercase()), known))
        .filter(|(likeness, _)| *likeness >= 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0));
    let hint = near.map_or_else(String::new, |(_, near)| format!("; did you mean `{near}`?"));
    format!("there is no {kind} `{name}`{hint}")
}

/// Returns the author's own parts of a loop's step.
fn bodies<'e>(step: &'e IdedExpr, accumulator: &str) -> Vec<&'e IdedExpr> {
    let is_accumulator = |node: &IdedExpr| matches!(&node.expr, Expr::Ident(name) if name == accumulator);
    match &step.expr {
        _ if is_accumulator(step) => Vec::new(),
        Expr::Call(call) if call.func_name == operators::CONDITIONAL => {
            let [guard, yes, no] = &call.args[..] else { return vec![step] };
            if is_accumulator(no) { [vec![guard], bodies(yes, accumulator)].concat() } else { vec![step] }
        }
        Expr::Call(call) => match &call.args[..] {
            [first, rest] if is_accumulator(first) => match &rest.expr {
                Expr::List(list) if call.func_name == operators::ADD => list.elements.iter().collect(),
                _ => vec![rest],
            },
            _ => vec![step],
        },
        _ => vec![step],
    }
}

/// Makes every loop pay for each of its turns: its first own part becomes `@turn(size) ? part : part`, which fails once
/// the allowance is spent. The shape that the evaluator knows of `map` and `filter` stays.
pub(super) fn meter(node: &mut IdedExpr) {
    if let Expr::Comprehension(turns) = &mut node.expr {
        let price = size(&turns.loop_step) + 8;
        meter_step(&mut turns.loop_step, &turns.accu_var, price);
    }
    for child in children_mut(node) {
        meter(child);
    }
}

fn meter_step(step: &mut IdedExpr, accumulator: &str, price: i64) {
    let is_accumulator = |node: &IdedExpr| matches!(&node.expr, Expr::Ident(name) if name == accumulator);
    let target = match &mut step.expr {
        Expr::Call(call) if call.func_name == operators::CONDITIONAL => call.args.first_mut(),
        Expr::Call(call) if call.args.len() == 2 && is_accumulator(&call.args[0]) => match &mut call.args[1].expr {
            Expr::List(list) => list.elements.first_mut(),
            _ => call.args.get_mut(1),
        },
        _ => None,
    };
    let target = match target {
        Some(target) => target,
        None => step,
    };
    let id = target.id;
    let call = |func_name: &str, args| IdedExpr {
        id,
        expr: Expr::Call(CallExpr { func_name: func_name.to_owned(), target: None, args }),
    };
    let literal = |value| IdedExpr { id, expr: Expr::Literal(value) };
    let turn = call(METER, vec![literal(LiteralValue::Int(price.into()))]);
    let own = std::mem::take(target);
    *target = call(operators::CONDITIONAL, vec![turn, own, literal(LiteralValue::Boolean(false.into()))]);
}

fn size(node: &IdedExpr) -> i64 {
    let mut parts = 0;
    walk(node, &mut |_, _| {
        parts += 1;
        true
    });
    parts
}

/// Goes through an expression from the outside in, with the variables of the loops around each part; `visit` says
/// whether to go on inwards.
pub(super) fn walk(node: &IdedExpr, visit: &mut dyn FnMut(&IdedExpr, &BTreeSet<String>) -> bool) {
    walk_within(node, &BTreeSet::new(), visit);
}

fn walk_within(node: &IdedExpr, bound: &BTreeSet<String>, visit: &mut dyn FnMut(&IdedExpr, &BTreeSet<String>) -> bool) {
    if !visit(node, bound) {
        return;
    }
    match &node.expr {
        Expr::Comprehension(turns) => {
            walk_within(&turns.iter_range, bound, visit);
            let mut bound = bound.clone();
            bound.extend([turns.iter_var.clone(), turns.accu_var.clone()]);
            bound.extend(turns.iter_var2.clone());
            walk_within(&turns.loop_step, &bound, visit);
        }
        Expr::Call(call) => {
            call.target.as_deref().into_iter().chain(&call.args).for_each(|arg| walk_within(arg, bound, visit));
        }
        Expr::Select(select) => walk_within(&select.operand, bound, visit),
        Expr::List(list) => list.elements.iter().for_each(|element| walk_within(element, bound, visit)),
        Expr::Map(map) => {
            for entry in &map.entries {
                if let EntryExpr::MapEntry(entry) = &entry.expr {
                    walk_within(&entry.key, bound, visit);
                    walk_within(&entry.value, bound, visit);
                }
            }
        }
        Expr::Ident(_) | Expr::Literal(_) | Expr::Struct(_) | Expr::Unspecified => {}
    }
}

fn children_mut(node: &mut IdedExpr) -> Vec<&mut IdedExpr> {
    match &mut node.expr {
        Expr::Comprehension(turns) => vec![&mut turns.iter_range, &mut turns.loop_step],
        Expr::Call(call) => call.target.as_deref_mut().into_iter().chain(&mut call.args).collect(),
        Expr::Select(select) => vec![&mut select.operand],
        Expr::List(list) => list.elements.iter_mut().collect(),
        Expr::Map(map) => map
            .entries
            .iter_mut()
            .filter_map(|entry| match &mut entry.expr {
                EntryExpr::MapEntry(entry) => Some([&mut entry.key, &mut entry.value]),
                EntryExpr::StructField(_) => None,
            })
            .flatten()
            .collect(),
        Expr::Ident(_) | Expr::Literal(_) | Expr::Struct(_) | Expr::Unspecified => Vec::new(),
    }
}
