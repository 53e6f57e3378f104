//! Section 10.1: what the testing procedure asks of a run, and what of it this run has. Counted, not claimed.

use crate::classify::Category;
use crate::journal::record::{Fact, TestStatus};
use crate::markdown::{Doc, count};

use super::super::dx;
use super::super::facts::{Facts, settings};

pub fn procedure(doc: &mut Doc, facts: &Facts<'_>) {
    let state = facts.state;
    let tests = &state.tests;
    let notes: usize = tests.iter().map(|test| test.notes.len() + test.hypotheses.len()).sum();
    let sources = state.citations().count();
    let simulated = [Fact::Persona, Fact::DataSet, Fact::MockedService];
    let simulated: usize = simulated.iter().map(|fact| settings(state, *fact).len()).sum();
    let mut pipelines: Vec<_> = tests.iter().filter_map(|test| test.start.pipeline).collect();
    pipelines.sort_unstable();
    pipelines.dedup();
    let mut categories: Vec<_> = tests.iter().filter_map(|test| test.start.category).collect();
    categories.sort_unstable();
    categories.dedup();
    let probes: Vec<_> = tests.iter().filter(|test| test.start.kind == "silent_failure_probe").collect();
    let proven = probes.iter().filter(|test| test.status == TestStatus::Passed).count();
    let captured =
        tests.iter().filter(|test| test.end.as_ref().is_some_and(|end| end.log.partial.is_none())).count();
    let scored: usize = tests.iter().map(|test| test.dx_scores.len()).sum();
    let advice =
        state.findings.iter().filter(|stored| stored.finding.recommendation.summary.is_some()).count()
            + dx::improvements(state).count();
    let rows: [(&str, bool, String); 9] = [
        (
            "Research with its sources",
            notes > 0 && sources > 0,
            format!(
                "{}, {}",
                count(notes, "note or hypothesis", "notes and hypotheses"),
                count(sources, "source", "sources")
            ),
        ),
        (
            "A simulated environment",
            simulated > 0,
            count(
                simulated,
                "persona, data set or mocked service",
                "personas, data sets and mocked services",
            ),
        ),
        ("Several kinds of pipelines", pipelines.len() > 1, format!("{} of 5 kinds", pipelines.len())),
        (
            "All categories of tests",
            categories.len() == Category::ALL.len(),
            format!("{} of {}", categories.len(), Category::ALL.len()),
        ),
        (
            "A hunt for silent failures",
            !probes.is_empty(),
            format!("{}, {proven} passed", count(probes.len(), "probe", "probes")),
        ),
        (
            "Logs of every test",
            !tests.is_empty() && captured == tests.len(),
            format!("{captured} of {} whole", tests.len()),
        ),
        (
            "Analysis of every log",
            !tests.is_empty() && facts.logs.len() >= tests.len(),
            format!("{} of {}", facts.logs.len(), tests.len()),
        ),
        ("An evaluation of the developer experience", scored > 0, count(scored, "score", "scores")),
        (
            "Recommendations",
            advice > 0,
            count(advice, "recommendation or suggestion", "recommendations and suggestions"),
        ),
    ];
    doc.table(
        ["The procedure asks for", "There", "How much"],
        rows.into_iter().map(|(what, there, how_much)| {
            [what.into(), if there { "yes" } else { "no" }.into(), how_much.into()]
        }),
    );
}
