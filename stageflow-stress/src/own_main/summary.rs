//! The closing summary: what was found, by severity, and where the report lies.

use std::collections::{BTreeMap, BTreeSet};

use super::isolate::invocation_id;
use super::output::Printer;
use super::select::Case;
use crate::classify::Severity;
use crate::run::state::RunState;
use crate::runtime;

/// Prints the findings of each entry that was run.
pub fn print(printer: &Printer, cases: &[Case], entries: &BTreeSet<&str>, isolated: bool) {
    let id = isolated.then(|| format!("id-{}", invocation_id()));
    let Some(first) = cases.first() else { return };
    let states = match runtime::states(first.def, id.as_deref()) {
        Ok(states) => states,
        Err(problem) => return printer.remark(&format!("no summary: {problem}")),
    };
    let states: Vec<RunState> =
        states.into_iter().filter(|state| entries.contains(state.info.entry.id.as_str())).collect();
    let mut text = format!("findings by severity: {}", by_severity(&states));
    for state in &states {
        let found = by_severity(std::slice::from_ref(state));
        let report = state.dir.join("FINAL_REPORT.md");
        text += &format!("\n  {}: {found}; {}", state.info.entry.id, report.display());
    }
    printer.remark(&text);
}

/// `1 high (1 known), 2 low`, worst first, or `none`.
fn by_severity(states: &[RunState]) -> String {
    let mut counts: BTreeMap<Severity, (usize, usize)> = BTreeMap::new();
    for stored in states.iter().flat_map(|state| &state.findings) {
        let (all, known) = counts.entry(stored.finding.severity).or_default();
        *all += 1;
        *known += usize::from(stored.known.is_some());
    }
    let words: Vec<String> = counts
        .iter()
        .rev()
        .map(|(severity, (all, known))| match known {
            0 => format!("{all} {severity}"),
            known => format!("{all} {severity} ({known} known)"),
        })
        .collect();
    if words.is_empty() { "none".to_owned() } else { words.join(", ") }
}
