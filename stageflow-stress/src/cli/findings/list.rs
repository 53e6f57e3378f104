//! `findings list`

use serde_json::{Value, json};

use crate::cli::answer::Answer;
use crate::cli::args::Filter;
use crate::cli::error::{CliError, NO};
use crate::cli::items::{Findings, brief, table};
use crate::cli::place::Place;
use crate::cli::table::{Table, Tone};
use crate::export::Item;
use crate::finding::FoundFinding;
use crate::markdown::count;
use crate::run::{self, Stale};

pub fn list(
    place: &Place,
    filter: &Filter,
    stale: bool,
    limit: Option<usize>,
    exit_code: bool,
) -> Result<Answer, CliError> {
    let findings = Findings::open(place)?;
    let found = findings.filtered(filter)?;
    if stale {
        return Ok(stale_answer(place, &found, limit, exit_code, &findings));
    }
    let total = found.len();
    let items: Vec<Item> = found.into_iter().take(limit.unwrap_or(usize::MAX)).map(Item::new).collect();
    let runs = findings.store.runs().len();
    let mut answer = Answer::new(json!({
        "findings": items.iter().map(brief).collect::<Vec<Value>>(),
        "total": total,
        "shown": items.len(),
        "runs": runs,
        "runs_dir": place.runs,
        "unread": findings.unread,
    }));
    answer = answer.table(table(&items));
    let all = findings.store.findings().len();
    let mut line =
        format!("{} of {} in {}", total, count(all, "finding", "findings"), count(runs, "run", "runs"));
    if items.len() < total {
        line.push_str(&format!("; {} shown", items.len()));
    }
    let found_any = total > 0;
    Ok(answer
        .line(line)
        .exit(if exit_code && found_any { NO } else { 0 })
        .warn(findings.doubts)
        .incomplete(findings.unread))
}

/// Findings that the latest runs did not see, of those that the filter leaves, and what that proves.
fn stale_answer(
    place: &Place,
    left: &[&FoundFinding],
    limit: Option<usize>,
    exit_code: bool,
    findings: &Findings,
) -> Answer {
    let is_left =
        |stale: &Stale| left.iter().any(|found| found.fingerprint.as_ref() == Some(&stale.fingerprint));
    let all: Vec<Stale> = run::stale(&findings.store, &findings.known)
        .into_iter()
        .filter(|stale| stale.last_seen.is_none() || is_left(stale))
        .collect();
    let total = all.len();
    let shown: Vec<&Stale> = all.iter().take(limit.unwrap_or(usize::MAX)).collect();
    let mut table = Table::new(&["ID", "STATUS", "LAST SEEN", "PROPOSED", "WHY"]);
    for stale in &shown {
        let proposed = stale.proposed_fixed();
        table.row([
            (stale.id.clone().unwrap_or_else(|| stale.fingerprint.clone()), Tone::Plain),
            (stale.status.to_string(), Tone::Plain),
            (stale.last_seen.clone().unwrap_or_else(|| "never".to_owned()), Tone::Dim),
            (
                if proposed { "fixed" } else { "–" }.to_owned(),
                if proposed { Tone::Green } else { Tone::Plain },
            ),
            (stale.reason(), Tone::Plain),
        ]);
    }
    Answer::new(json!({
        "stale": shown.iter().map(|stale| stale_json(stale)).collect::<Vec<_>>(),
        "total": total,
        "shown": shown.len(),
        "runs_dir": place.runs,
        "unread": findings.unread,
    }))
    .table(table)
    .line(format!(
        "{} not seen by the latest runs. Not seen is not fixed: look, then `findings resolve ID`",
        count(total, "finding was", "findings were")
    ))
    .exit(if exit_code && total > 0 { NO } else { 0 })
    .warn(findings.doubts.clone())
    .incomplete(findings.unread.clone())
}

/// A finding that the latest runs did not see, as an object of the stable JSON shape.
pub fn stale_json(stale: &Stale) -> Value {
    let absence = stale.absence;
    json!({
        "id": stale.id, "entry": stale.entry, "fingerprint": stale.fingerprint, "title": stale.title,
        "status": stale.status.to_string(), "last_seen": stale.last_seen, "proposed_fixed": stale.proposed_fixed(),
        "why": stale.reason(), "later_runs": absence.later_runs, "test_ran": absence.ran,
        "check_reached": absence.reached, "passed": absence.passed, "passed_on_the_same_commit": absence.same_commit,
        "not_read": absence.not_read,
    })
}
