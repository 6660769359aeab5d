//! The lines of a pasted text, without what chats, terminals and clipboards add; and the commands typed before them.

use std::borrow::Cow;

/// A line of the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Line<'a> {
    /// `kubectl …` as somebody typed it after a prompt.
    Command(Command<'a>),
    /// The mark of a code block: what is before and after it was not printed as one.
    Fence,
    Text(String),
}

/// A kubectl command, as far as it says what its output is about.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Command<'a> {
    pub verb: &'a str,
    /// What follows the verb and is no flag: kind and names.
    pub words: Vec<&'a str>,
    pub namespace: Option<&'a str>,
    pub container: Option<&'a str>,
    pub previous: bool,
}

/// Takes out what chats, terminals and editors do to signs.
pub fn clean(text: &str) -> String {
    text.lines().map(|line| plain(&unescaped(line)) + "\n").collect()
}

/// Returns the lines of a clean text.
pub fn lines(text: &str) -> Vec<Line<'_>> {
    let filled = || text.lines().filter(|line| !line.trim().is_empty());
    let quoted = filled().filter(|line| line.starts_with('>')).count();
    // A quoted reply has the mark before each line; a prompt may be one too, but not on most lines.
    let is_quote = quoted * 2 > filled().count();
    text.lines()
        .map(|line| {
            let line = if is_quote { line.strip_prefix("> ").or(line.strip_prefix('>')).unwrap_or(line) } else { line };
            if line.trim_start().starts_with("```") {
                return Line::Fence;
            }
            match command(line) {
                Some(command) => Line::Command(command),
                None => Line::Text(line.to_owned()),
            }
        })
        .collect()
}

/// Undoes what chats do to signs: Slack escapes three of them, editors curl quotes.
fn unescaped(line: &str) -> Cow<'_, str> {
    let mut line = Cow::Borrowed(line);
    if line.is_ascii() && !line.contains('&') {
        return line;
    }
    for (odd, plain) in [
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&amp;", "&"),
        ("\u{201c}", "\""),
        ("\u{201d}", "\""),
        ("\u{2018}", "'"),
        ("\u{2019}", "'"),
    ] {
        if line.contains(odd) {
            line = Cow::Owned(line.replace(odd, plain));
        }
    }
    line
}

/// Takes out colours and turns all blanks into spaces.
fn plain(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut signs = line.chars();
    while let Some(sign) = signs.next() {
        match sign {
            '\u{1b}' => {
                if signs.next() == Some('[') {
                    for sign in signs.by_ref() {
                        if sign.is_ascii_alphabetic() {
                            break;
                        }
                    }
                }
            }
            '\t' => out.push_str("    "),
            '\r' | '\u{feff}' | '\u{200b}' => {}
            sign if sign != ' ' && sign.is_whitespace() => out.push(' '),
            sign => out.push(sign),
        }
    }
    out.truncate(out.trim_end().len());
    out
}

/// Reads a command line; `None` = the line is none.
fn command(line: &str) -> Option<Command<'_>> {
    let mut words = line.split_whitespace();
    let mut before = String::new();
    loop {
        let word = words.next()?;
        if matches!(word, "kubectl" | "oc" | "k" | "kubectl.exe") && is_prompt(&before) {
            break;
        }
        before.push_str(word);
        if before.len() > 120 {
            return None;
        }
    }
    let mut found = Command::default();
    while let Some(word) = words.next() {
        match word {
            "|" | ">" | "&&" | ";" | "2>&1" => break,
            "-n" | "--namespace" => found.namespace = words.next(),
            "-c" | "--container" => found.container = words.next(),
            // An editor makes one long dash of two.
            "-p" | "--previous" | "--previous=true" | "\u{2014}previous" => found.previous = true,
            // Flags whose value is a word of its own.
            "-o" | "--output" | "-l" | "--selector" | "--context" | "--kubeconfig" | "--tail" | "--since"
            | "--sort-by" | "--field-selector" | "--cluster" => {
                words.next();
            }
            flag if flag.starts_with('-') => {
                if let Some(namespace) = flag.strip_prefix("--namespace=") {
                    found.namespace = Some(namespace);
                } else if let Some(container) = flag.strip_prefix("--container=") {
                    found.container = Some(container);
                } else if let Some(namespace) = flag.strip_prefix("-n").filter(|_| !flag.starts_with("--")) {
                    found.namespace = Some(namespace.trim_start_matches('='));
                }
            }
            verb if found.verb.is_empty() => found.verb = verb,
            word => found.words.push(word),
        }
    }
    matches!(found.verb, "describe" | "get" | "logs" | "log" | "events").then_some(found)
}

/// Returns true for what stands before a command: nothing, or a prompt such as `$` and `ann@host:~$`.
fn is_prompt(before: &str) -> bool {
    before.is_empty() || before.ends_with(['$', '#', '%', '>', '❯', '➜', '»'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_after_any_prompt() {
        for prompt in ["", "$ ", "root@cp-1:~# ", "PS C:\\> ", "❯ "] {
            let line = format!("{prompt}kubectl -n shop logs web-1 -c app --previous | tail");
            let Some(command) = command(&line) else { panic!("{line}") };
            assert_eq!((command.verb, command.words, command.namespace), ("logs", vec!["web-1"], Some("shop")));
            assert_eq!((command.container, command.previous), (Some("app"), true));
        }
        assert_eq!(command("kubectl apply -f x"), None);
        assert_eq!(command("please run kubectl describe pod x"), None);
    }

    #[test]
    fn quotes_fences_colours_and_line_ends_go() {
        let text = "> ```\r\n> \u{1b}[31mName:\u{1b}[0m\u{a0} web\r\n> ```\r\n";
        assert_eq!(lines(&clean(text)), [Line::Fence, Line::Text("Name:  web".into()), Line::Fence]);
    }
}
