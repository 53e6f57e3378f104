//! Reports of run folders: the Markdown files that every run gets, and with the feature `html` pages for a browser.
//!
//! Every number is counted from the state. What nobody recorded is said to be not recorded.

mod config;
mod dx;
mod facts;
mod final_report;
#[cfg(feature = "html")]
pub mod html;
mod metrics;
mod next;
mod probes;
mod readme;
mod research;
mod sanity;
mod summary;
mod verdict;
mod words;

#[cfg(test)]
mod tests;

#[cfg(test)]
pub(crate) use tests::fixture::{empty as fixture_run, test as fixture_test};

use serde_json::Value;

pub(crate) use facts::summary;
pub(crate) use verdict::status;
#[cfg(feature = "cli")]
pub(crate) use verdict::verdict;

use crate::log::LogDigest;
use crate::run::state::RunState;
use facts::Facts;

/// A file of the run folder that somebody else writes, with what it holds, such as `3 findings`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OtherFile {
    /// Path relative to the run folder.
    pub path: String,
    /// What it holds, in words.
    pub holds: String,
}

/// Every file that is computed from the state, as path relative to the run folder and content, ordered by path.
///
/// `logs` are the analyses that exist, read back from `{slug}_stats.json`; `others` are the files that the README
/// lists besides.
pub(crate) fn render(state: &RunState, logs: &[LogDigest], others: &[OtherFile]) -> Vec<(String, Vec<u8>)> {
    let facts = Facts::new(state, logs);
    let mut files = vec![
        ("FINAL_REPORT.md".to_owned(), final_report::final_report(&facts)),
        ("config/run_config.json".to_owned(), json(&config::run_config(&facts))),
        ("config/environment.json".to_owned(), json(&config::environment(state))),
        ("dx_evaluation/scores.json".to_owned(), json(&dx::scores(state))),
        ("results/summary.json".to_owned(), json(&summary::summary(&facts))),
        ("results/tests.json".to_owned(), json(&summary::tests(&facts))),
    ];
    let optional = [
        ("dx_evaluation/friction_points.md", dx::friction_points(state)),
        ("dx_evaluation/suggestions.md", dx::suggestions(state)),
        ("research/hypotheses.md", research::hypotheses(state)),
        ("research/notes.md", research::notes(state)),
        ("research/citations.json", research::citations(state).as_ref().map(json)),
        ("results/metrics/latency.json", metrics::latency(state).as_ref().map(json)),
        ("results/metrics/throughput.json", metrics::throughput(state).as_ref().map(json)),
        ("results/metrics/values.json", metrics::values(state).as_ref().map(json)),
    ];
    files.extend(optional.into_iter().filter_map(|(path, content)| Some((path.to_owned(), content?))));
    files.extend(metrics::instruments(state).into_iter().map(|(path, document)| (path, json(&document))));
    let readme = readme::readme(&facts, &files, others);
    files.push(("README.md".to_owned(), readme));
    files.sort_by(|(a, _), (b, _)| a.cmp(b));
    files.into_iter().map(|(path, content)| (path, content.into_bytes())).collect()
}

fn json(value: &Value) -> String {
    format!("{value:#}\n")
}
