//! Cause before consequence: the order in which findings are told.
//!
//! 1. What another finding explains does not lead, however sure it is.
//! 2. What is sick and sure comes before what is calm; what is merely possible comes after it.
//! 3. The surer comes first; among equals the catalogue's order decides (see [`causes`](super::causes)).

use super::Verdict;
use super::finding::{Certainty, Finding};
use super::words::Words;
use crate::facts::Part;

/// Orders findings and tells each what follows from it.
pub fn rank(findings: Vec<Finding>) -> Vec<Finding> {
    let explained: Vec<bool> = findings
        .iter()
        .map(|finding| findings.iter().any(|other| explains(other, finding) && !explains(finding, other)))
        .collect();
    let consequences: Vec<Vec<Words>> = findings
        .iter()
        .map(|finding| {
            findings.iter().filter(|other| explains(finding, other)).map(|other| other.summary.clone()).collect()
        })
        .collect();
    let mut ranked: Vec<_> = findings.into_iter().zip(explained).zip(consequences).collect();
    // A stable sort keeps the catalogue's order among equals.
    ranked.sort_by_key(|((finding, explained), _)| (*explained, tier(finding), finding.certainty));
    ranked
        .into_iter()
        .map(|((mut finding, _), consequences)| {
            finding.consequences = consequences;
            finding
        })
        .collect()
}

/// Makes findings less certain where a part of the subject is here only.
///
/// A row, and a description that is cut off: what is confirmed becomes likely, and nothing is calm for sure: neither how it was a moment ago nor its node shows.
/// A description: what is calm becomes likely; of what has ended it does not show whether it is being deleted.
pub fn cap(findings: &mut [Finding], part: Part) {
    for finding in findings {
        let most = match (part, finding.is_calm()) {
            (Part::Row | Part::Mention | Part::Fragment, false) => Certainty::Likely,
            (Part::Row | Part::Mention | Part::Fragment, true) => Certainty::Possible,
            (Part::Description, true) if finding.verdict() == Verdict::Completed => Certainty::Possible,
            (Part::Description, true) => Certainty::Likely,
            (Part::Description, false) => continue,
        };
        finding.certainty = finding.certainty.max(most);
    }
}

fn explains(cause: &Finding, consequence: &Finding) -> bool {
    cause.certainty != Certainty::Possible && cause.explains.contains(&consequence.cause.id)
}

fn tier(finding: &Finding) -> u8 {
    match (finding.is_calm(), finding.certainty) {
        (false, Certainty::Confirmed | Certainty::Likely) => 0,
        (true, _) => 1,
        (false, Certainty::Possible) => 2,
    }
}
