//! `findings list`

use serde_json::{Value, json};

use crate::cli::answer::Answer;
use crate::cli::args::Filter;
use crate::cli::error::{CliError, NO};
use crate::cli::items::{Findings, brief, table};
use crate::cli::place::Place;
use crate::export::Item;
use crate::finding::{FindingStore, FoundFinding};
use crate::markdown::count;

/// In how many of the latest runs of its entry an open finding was not seen, to be called stale.
const STALE_AFTER: usize = 3;

pub fn list(
    place: &Place,
    filter: &Filter,
    stale: bool,
    limit: Option<usize>,
    exit_code: bool,
) -> Result<Answer, CliError> {
    let findings = Findings::open(place)?;
    let mut found = findings.filtered(filter)?;
    if stale {
        found.retain(|found| is_stale(found, &findings.store));
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
    if stale && total > 0 {
        line.push_str(&format!(
            "; none of the last {STALE_AFTER} runs of their entries saw them. Not seen is not fixed: look, then `findings resolve ID`"
        ));
    }
    let found_any = total > 0;
    Ok(answer
        .line(line)
        .exit(if exit_code && found_any { NO } else { 0 })
        .warn(findings.doubts)
        .incomplete(findings.unread))
}

/// Open, and not seen by the latest runs of its entry. A run that did not end is no evidence for anything.
fn is_stale(found: &FoundFinding, store: &FindingStore) -> bool {
    let open = found.status.known().is_none_or(|status| status.is_open());
    let later: Vec<_> = store
        .runs()
        .iter()
        .filter(|run| run.entry == found.entry && run.status.as_deref() == Some("completed"))
        .rev()
        .take(STALE_AFTER)
        .collect();
    open && later.len() == STALE_AFTER && later.iter().all(|run| !found.runs.contains(&run.run_id))
}
