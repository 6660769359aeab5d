//! A text in its parts: each the output of one command, told by what it looks like.

use super::lines::{Command, Line, lines};
use super::table;

/// A part of a text.
#[derive(Debug)]
pub struct Block<'a> {
    pub of: Of,
    /// The command that was typed before it, where the text has it.
    pub command: Option<Command<'a>>,
    pub lines: Vec<String>,
}

/// What a part is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Of {
    /// One described object.
    Describe,
    Table,
    Log,
    /// YAML or JSON.
    Objects,
    /// What people say around it.
    Other,
}

/// Parts a text.
pub fn blocks(text: &str) -> Vec<Block<'_>> {
    let lines = lines(text);
    let mut found: Vec<Block<'_>> = Vec::new();
    let mut command: Option<Command<'_>> = None;
    for (i, line) in lines.iter().enumerate() {
        let text = match line {
            Line::Command(typed) => {
                command = Some(typed.clone());
                let of = if typed.verb.starts_with("log") { Of::Log } else { Of::Other };
                found.push(Block { of, command: command.clone(), lines: Vec::new() });
                continue;
            }
            Line::Fence => {
                // A log goes on behind the mark that opens it; all else ends.
                let opens = found.last().is_some_and(|block| block.of == Of::Log && block.lines.is_empty());
                if !opens {
                    found.push(Block { of: Of::Other, command: command.clone(), lines: Vec::new() });
                }
                continue;
            }
            Line::Text(text) => text,
        };
        let current = found.last().map_or(Of::Other, |block| block.of);
        let begins = match current {
            // Whatever a container prints is its log, and values of objects may look like anything: until the next command.
            Of::Log | Of::Objects => None,
            _ if begins_describe(text, &lines[i + 1..]) => Some(Of::Describe),
            _ if is_heading(text, lines.get(i + 1)) => Some(Of::Table),
            Of::Describe => None,
            Of::Table if text.is_empty() => Some(Of::Other),
            _ if begins_objects(text) => Some(Of::Objects),
            Of::Table | Of::Other => None,
        };
        match (begins, found.last_mut()) {
            (Some(of), _) => found.push(Block { of, command: command.clone(), lines: vec![text.clone()] }),
            (None, Some(block)) => block.lines.push(text.clone()),
            (None, None) => found.push(Block { of: Of::Other, command: None, lines: vec![text.clone()] }),
        }
    }
    found
}

/// A described object begins with its name, and the next line says what it is of.
fn begins_describe(text: &str, rest: &[Line<'_>]) -> bool {
    if !text.trim_start().starts_with("Name:") {
        return false;
    }
    let next = rest.iter().find_map(|line| match line {
        Line::Text(text) if !text.is_empty() => Some(text.trim_start()),
        _ => None,
    });
    let starts = |key: &str| next.is_some_and(|next| next.starts_with(key));
    // A DaemonSet's selector, until its describe began like the others.
    starts("Namespace:")
        || starts("Selector:")
        || starts("Roles:")
        || starts("IsDefaultClass:")
        || starts("Labels:")
        || starts("Priority:")
}

fn is_heading(text: &str, next: Option<&Line<'_>>) -> bool {
    table::is_heading(text) || matches!(next, Some(Line::Text(next)) if table::is_broken_heading(text, next))
}

fn begins_objects(text: &str) -> bool {
    text.starts_with("apiVersion:")
        || text.starts_with("kind:")
        || text == "{"
        || text.starts_with("{\"")
        || text == "---"
}
