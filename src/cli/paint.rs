//! How to draw on this terminal: colour, width, language.

use crate::diagnosis::Language;
use crate::render::terminal::Style;
use clap::ValueEnum;
use std::io::IsTerminal;

/// The form of the output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Output {
    Text,
    Json,
    Markdown,
}

/// The language of the words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LanguageArg {
    En,
    #[value(name = "zh-CN", alias = "zh")]
    Zh,
}

impl From<LanguageArg> for Language {
    fn from(language: LanguageArg) -> Self {
        match language {
            LanguageArg::En => Language::English,
            LanguageArg::Zh => Language::Chinese,
        }
    }
}

/// Returns how to draw on standard output: plain and unwrapped in a pipe, and where `NO_COLOR` is set.
pub fn style() -> Style {
    let terminal = std::io::stdout().is_terminal();
    let width = terminal_size::terminal_size().map(|(width, _)| usize::from(width.0)).filter(|_| terminal);
    Style { colour: terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()), width }
}

/// Prints to standard output; a reader that went away (`| head`) is no error.
pub fn print(text: &str) {
    use std::io::Write;
    let _ = std::io::stdout().write_all(text.as_bytes());
}
