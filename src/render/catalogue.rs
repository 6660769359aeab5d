//! The catalogue of causes in words: the same on the terminal, in Slack and in the docs.

use super::markdown;
use super::message::{Message, Part, Span};
use super::phrase::pick;
use crate::diagnosis::{Catalogue, Cause, Language, Phase};

/// Returns the page of one cause.
pub fn page(cause: &Cause, language: Language) -> Message {
    let page = &cause.page;
    let section = |title: &str, text: &str| {
        [Part::Heading(vec![Span::Plain(title.to_owned())]), Part::Lines(vec![vec![Span::Plain(text.to_owned())]])]
    };
    let mut parts = vec![
        Part::Heading(vec![Span::Plain(page.title.of(language).to_owned())]),
        Part::Small(vec![Span::Code(cause.id.to_owned()), Span::Plain(format!(" · {}", phases(cause)))]),
        Part::Lines(vec![vec![Span::Plain(page.what.of(language).to_owned())]]),
    ];
    parts.extend(section(pick(language, "How to tell", "如何判断"), page.tell.of(language)));
    parts.extend(section(pick(language, "What to do", "怎么办"), page.fix.of(language)));
    if !page.sources.is_empty() {
        parts.push(Part::Small(vec![Span::Plain(format!(
            "{} {}",
            pick(language, "Sources:", "来源："),
            page.sources.join(" · ")
        ))]));
    }
    Message { parts, actions: vec![] }
}

/// Returns the list of all causes, by phase.
pub fn list(catalogue: &Catalogue, language: Language) -> Message {
    let mut parts = Vec::new();
    let mut phase: Option<Phase> = None;
    for cause in by_phase(catalogue) {
        let first = cause.phases.first().copied();
        if first != phase {
            phase = first;
            parts.push(Part::Heading(vec![Span::Plain(first.map_or("", Phase::name).to_owned())]));
            parts.push(Part::Lines(Vec::new()));
        }
        if let Some(Part::Lines(lines)) = parts.last_mut() {
            lines.push(vec![
                Span::Code(cause.id.to_owned()),
                Span::Plain(format!("  {}", cause.page.title.of(language))),
            ]);
        }
    }
    Message { parts, actions: vec![] }
}

/// Returns podoctor's own catalogue as a Markdown page: which causes cover which section of the guide, then every cause.
pub fn book(language: Language) -> String {
    let mut out = String::from(pick(
        language,
        "# The causes\n\nMade from the source; `podoctor causes ID` and `/podoctor causes ID` show the same words.\n\n\
         ## By section of the troubleshooting guide\n\n| section | causes |\n| --- | --- |\n",
        "# 原因目录\n\n由源代码生成；`podoctor causes ID` 和 `/podoctor causes ID` 显示同样的文字。\n\n\
         ## 按排错指南的章节\n\n| 章节 | 原因 |\n| --- | --- |\n",
    ));
    let mut sections: std::collections::BTreeMap<&str, Vec<&str>> = std::collections::BTreeMap::new();
    for cause in by_phase(&Catalogue::default()) {
        for section in cause.guide {
            sections.entry(section).or_default().push(cause.id);
        }
    }
    for (section, ids) in sections {
        let links: Vec<String> = ids.iter().map(|id| format!("[`{id}`](#{id})")).collect();
        out.push_str(&format!("| {section} | {} |\n", links.join(", ")));
    }
    let mut phase = None;
    for cause in by_phase(&Catalogue::default()) {
        let first = cause.phases.first().copied();
        if first != phase {
            phase = first;
            out.push_str(&format!("\n## {}\n", first.map_or("", Phase::name)));
        }
        let page = &cause.page;
        out.push_str(&format!("\n### {}\n", cause.id));
        for (title, text) in [
            ("", page.title.of(language)),
            ("", page.what.of(language)),
            (pick(language, "How to tell: ", "如何判断："), page.tell.of(language)),
            (pick(language, "What to do: ", "怎么办："), page.fix.of(language)),
        ] {
            out.push_str(&format!("\n{title}{}\n", markdown::escaped(text)));
        }
        if !cause.page.sources.is_empty() {
            let sources = cause.page.sources.join(" · ");
            out.push_str(&format!("\n{}{}\n", pick(language, "Sources: ", "来源："), markdown::escaped(&sources)));
        }
    }
    out
}

/// Returns every cause in the order of a pod's life.
pub fn by_phase(catalogue: &Catalogue) -> Vec<&'static Cause> {
    let mut all: Vec<_> = catalogue.all().collect();
    all.sort_by_key(|cause| cause.phases.first().copied());
    all
}

fn phases(cause: &Cause) -> String {
    cause.phases.iter().map(|phase| phase.name()).collect::<Vec<_>>().join(", ")
}
