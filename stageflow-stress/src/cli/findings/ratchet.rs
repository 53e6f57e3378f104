//! `findings ratchet`

use serde_json::{Value, json};

use super::list::stale_json;
use crate::classify::Severity;
use crate::cli::answer::Answer;
use crate::cli::error::{CliError, NO};
use crate::cli::items::{Findings, brief, table};
use crate::cli::place::Place;
use crate::export::Item;
use crate::finding::{FindingStatus, FoundFinding};
use crate::markdown::count;
use crate::run;

pub fn ratchet(place: &Place, fail_on: Option<Severity>) -> Result<Answer, CliError> {
    let findings = Findings::open(place)?;
    let fail_on = fail_on.unwrap_or(place.settings.fail_on);
    let mut ratchet = run::ratchet(&findings.store, &findings.known, fail_on);
    // A finding that was written by hand is not in the committed file: what its own document says counts.
    ratchet.unknown.retain(|found| {
        found.fingerprint.is_some() || found.status.known().is_none_or(FindingStatus::is_open)
    });
    let items = |list: &[&FoundFinding]| list.iter().map(|found| Item::new(found)).collect::<Vec<_>>();
    let (unknown, back, accepted) =
        (items(&ratchet.unknown), items(&ratchet.regressions), items(&ratchet.accepted));
    let json = |items: &[Item]| items.iter().map(brief).collect::<Vec<Value>>();
    let mut answer = Answer::new(json!({
        "holds": ratchet.holds(),
        "fail_on": fail_on.to_string(),
        "unknown": json(&unknown),
        "regressions": json(&back),
        "accepted": json(&accepted),
        "stale": ratchet.stale.iter().map(stale_json).collect::<Vec<_>>(),
        "unread": findings.unread,
    }));
    for (heading, items) in [("Came back", &back), ("New", &unknown), ("Accepted", &accepted)] {
        if !items.is_empty() {
            answer = answer.heading(heading).table(table(items)).line("");
        }
    }
    let proposed = ratchet.stale.iter().filter(|stale| stale.proposed_fixed()).count();
    let line = format!(
        "the ratchet {}: {} from {fail_on} on, {} back, {} accepted and seen, {} not seen ({proposed} proposed as fixed, see `findings list --stale`)",
        if ratchet.holds() { "holds" } else { "does not hold" },
        count(unknown.len(), "new finding", "new findings"),
        back.len(),
        accepted.len(),
        ratchet.stale.len(),
    );
    Ok(answer
        .line(line)
        .exit(if ratchet.holds() { 0 } else { NO })
        .warn(findings.doubts)
        .incomplete(findings.unread))
}
