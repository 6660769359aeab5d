//! Pages of custom causes, kept for as long as the process lives.
//!
//! A finding outlives the settings that its cause came from: an incident tells it for hours. So a page is never given up,
//! as little as one of the catalogue is; the same page is kept once, so that reading the settings again costs only what
//! changed.

use super::{Cause, Page, Phase, Text};
use std::sync::{Mutex, PoisonError};

/// A cause whose words were read from a file.
#[derive(Debug)]
pub(super) struct OwnedCause {
    pub id: String,
    pub phases: Vec<Phase>,
    pub title: [String; 2],
    pub what: [String; 2],
    pub tell: [String; 2],
    pub fix: [String; 2],
    pub sources: Vec<String>,
}

static TEXTS: Mutex<Vec<&'static str>> = Mutex::new(Vec::new());
static CAUSES: Mutex<Vec<&'static Cause>> = Mutex::new(Vec::new());

/// Returns the text as one that lives for ever.
pub(super) fn text(text: &str) -> &'static str {
    let mut texts = TEXTS.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(kept) = texts.iter().find(|kept| **kept == text) {
        return kept;
    }
    let kept: &'static str = Box::leak(text.to_owned().into_boxed_str());
    texts.push(kept);
    kept
}

/// Returns the cause as one that lives for ever.
pub(super) fn cause(owned: OwnedCause) -> &'static Cause {
    let both = |[en, zh]: &[String; 2]| Text { en: text(en), zh: text(zh) };
    let page = Page {
        title: both(&owned.title),
        what: both(&owned.what),
        tell: both(&owned.tell),
        fix: both(&owned.fix),
        sources: &[],
    };
    let sources: Vec<&'static str> = owned.sources.iter().map(|source| text(source)).collect();
    let mut causes = CAUSES.lock().unwrap_or_else(PoisonError::into_inner);
    let same = |kept: &&&'static Cause| {
        let (old, new) = (&kept.page, &page);
        kept.id == owned.id
            && kept.phases == owned.phases
            && [old.title, old.what, old.tell, old.fix] == [new.title, new.what, new.tell, new.fix]
            && old.sources == sources
    };
    if let Some(kept) = causes.iter().find(same) {
        return kept;
    }
    let kept: &'static Cause = Box::leak(Box::new(Cause {
        id: text(&owned.id),
        phases: Box::leak(owned.phases.into_boxed_slice()),
        guide: &[],
        page: Page { sources: Box::leak(sources.into_boxed_slice()), ..page },
        check: |_| None,
    }));
    causes.push(kept);
    kept
}
