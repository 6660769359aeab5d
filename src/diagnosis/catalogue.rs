//! The causes that are asked: those of podoctor's own and, before them, a team's.

use super::cause::Cause;
use super::causes;
use super::custom::{Custom, Sight, Want};
use super::finding::Finding;
use super::{Verdict, diagnose};
use crate::facts::Facts;
use crate::facts::world::Unread;
use regex::Regex;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The causes that are asked. The default is podoctor's own.
#[derive(Debug, Clone, Default)]
pub struct Catalogue {
    custom: Arc<[Custom]>,
    patterns: Arc<BTreeMap<String, Regex>>,
}

impl Catalogue {
    /// Returns podoctor's own causes with these beside them.
    pub fn with(custom: Vec<Custom>) -> Self {
        let expressions = custom.iter().flat_map(Custom::expressions);
        let patterns = expressions.flat_map(|expression| expression.patterns.clone()).collect();
        Self { custom: custom.into(), patterns: Arc::new(patterns) }
    }

    /// Returns whether this is the same catalogue, and not one that was made anew.
    pub fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.custom, &other.custom)
    }

    /// Returns the team's own causes.
    pub fn custom(&self) -> &[Custom] {
        &self.custom
    }

    /// Returns whether a cause is one of the team's own.
    pub fn is_custom(&self, id: &str) -> bool {
        self.custom.iter().any(|custom| custom.cause.id == id)
    }

    /// Returns every cause, the team's own first: among findings that are equally sure, the earlier leads.
    pub fn all(&self) -> impl Iterator<Item = &'static Cause> {
        self.custom.iter().map(|custom| custom.cause).chain(causes::all())
    }

    /// Returns the cause of an id.
    pub fn by_id(&self, id: &str) -> Option<&'static Cause> {
        self.all().find(|cause| cause.id == id)
    }

    /// Returns one subject as the team's own causes see it.
    pub fn sight<'f, 'w>(&self, facts: &'f Facts<'w>) -> Sight<'f, 'w> {
        Sight::new(facts, &self.custom, Arc::clone(&self.patterns))
    }

    /// Returns what the team's own causes hang on and was not read yet. Nothing where nothing is wrong: then they are not asked.
    pub fn wants(&self, facts: &Facts<'_>) -> BTreeSet<Want> {
        let is_well = || matches!(diagnose(facts, &Self::default()).verdict, Verdict::Healthy | Verdict::Completed);
        if self.custom.is_empty() || is_well() {
            return BTreeSet::new();
        }
        let sight = self.sight(facts);
        self.custom.iter().flat_map(|custom| sight.wants(custom)).collect()
    }

    /// Returns what the team's own causes find, and which of them could not be told.
    pub(super) fn check_custom(&self, facts: &Facts<'_>) -> (Vec<Finding>, BTreeSet<Unread>) {
        if self.custom.is_empty() {
            return (Vec::new(), BTreeSet::new());
        }
        let sight = self.sight(facts);
        let (mut findings, mut unread) = (Vec::new(), BTreeSet::new());
        for custom in self.custom.iter() {
            match sight.check(custom) {
                Ok(finding) => findings.extend(finding),
                Err(untold) => {
                    unread.insert(untold);
                }
            }
        }
        (findings, unread)
    }
}
