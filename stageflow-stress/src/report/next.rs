//! What to do next, most urgent first: the same list in README, report, and on the pages.

use serde_json::{Value, json};

use crate::classify::Severity;
use crate::finding::FindingType;
use crate::journal::record::{GoldenOutcome, TestStatus};
use crate::markdown::{Doc, count};
use crate::run::state::{StoredFinding, TestState};

use super::facts::{Facts, TestFate};

/// Findings that have a step of their own; the others share one.
const OWN: usize = 5;
/// Names that are listed in a step.
const NAMES: usize = 5;

/// One thing to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// What, and why.
    pub what: String,
    /// The command that does it or shows it.
    pub command: Option<String>,
}

/// What to do after this run. Never empty: nothing to do is said as well.
pub fn steps(facts: &Facts<'_>) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut add = |what: String, command: Option<&str>| {
        steps.push(Step { what, command: command.filter(|text| !text.is_empty()).map(str::to_owned) });
    };
    if !facts.impossible.is_empty() {
        add(
            "Use none of these figures: data of this run cannot be. Find out why, and run it again."
                .to_owned(),
            None,
        );
    }
    let urgent: Vec<&StoredFinding> = facts
        .state
        .findings
        .iter()
        .filter(|stored| stored.known.is_none() || stored.is_regression())
        .filter(|stored| is_urgent(stored))
        .collect();
    let mut shown: Vec<&str> = Vec::new();
    for stored in urgent.iter().take(OWN) {
        let severity = stored.finding.severity;
        let regression = if stored.is_regression() { ", seen again after it was resolved" } else { "" };
        let what = format!(
            "{} ({severity}, answer {}{regression}): {}",
            stored.id,
            severity.response(),
            stored.finding.title
        );
        // The findings of one test share its command: it stands once.
        match facts.reproduce(stored).first().copied() {
            Some(command) if shown.contains(&command) => add(format!("{what} (by the command above)"), None),
            command => {
                shown.extend(command);
                add(what, command);
            }
        }
    }
    if urgent.len() > OWN {
        add(
            format!(
                "Answer {} of that kind, in section 5.",
                count(urgent.len() - OWN, "more finding", "more findings")
            ),
            None,
        );
    }
    let covered = |test: &TestState| urgent.iter().any(|stored| stored.tests.contains(&test.start.name));
    for (status, what) in [
        (TestStatus::Crashed, "crashed"),
        (TestStatus::Refused, "refused"),
        (TestStatus::Failed, "failed"),
        (TestStatus::Running, "unfinished"),
    ] {
        let tests: Vec<&TestState> =
            facts.state.tests.iter().filter(|test| test.status == status && !covered(test)).collect();
        if let Some(first) = tests.first() {
            let names = names(tests.iter().map(|test| test.start.name.as_str()));
            let tests = count(tests.len(), "test", "tests").replacen(' ', &format!(" {what} "), 1);
            add(format!("Find out about {tests}: {names}."), Some(&first.start.reproduce));
        }
    }
    let unreviewed = [GoldenOutcome::Mismatch, GoldenOutcome::New, GoldenOutcome::Unusable]
        .iter()
        .map(|outcome| facts.goldens_with(*outcome))
        .sum::<usize>();
    if unreviewed > 0 {
        add(
            format!("Review {} that did not match a reference.", count(unreviewed, "golden", "goldens")),
            Some("cargo insta review"),
        );
    }
    let taken = facts.goldens_with(GoldenOutcome::Accepted) + facts.goldens_with(GoldenOutcome::Forced);
    if taken > 0 {
        add(
            format!(
                "Look at {} that this run took over without a comparison.",
                count(taken, "golden", "goldens")
            ),
            Some("git diff -- '*.snap'"),
        );
    }
    let medium = facts
        .state
        .findings
        .iter()
        .filter(|stored| {
            stored.known.is_none() && stored.finding.severity == Severity::Medium && !is_urgent(stored)
        })
        .count();
    if medium > 0 {
        add(
            format!(
                "Decide on {}: fix, or accept with a reason in stageflow-known.toml.",
                count(medium, "medium finding", "medium findings")
            ),
            None,
        );
    }
    let skipped: Vec<&str> = facts
        .state
        .tests
        .iter()
        .filter(|test| test.status == TestStatus::Skipped)
        .map(|test| test.start.name.as_str())
        .collect();
    if !skipped.is_empty() {
        add(
            format!(
                "Provide what {} lacked, or remove what nobody can run: {}.",
                count(skipped.len(), "skipped test", "skipped tests"),
                names(skipped.iter().copied())
            ),
            None,
        );
    }
    let registered = facts.registered();
    let absent: Vec<&str> = registered
        .iter()
        .filter(|(_, fate)| *fate != TestFate::Ran)
        .map(|(test, _)| test.name.as_str())
        .collect();
    if !absent.is_empty() {
        add(
            format!(
                "Run {} of this entry that did not run: {}.",
                count(absent.len(), "registered test", "registered tests"),
                names(absent.iter().copied())
            ),
            None,
        );
    }
    if !facts.checked_nothing.is_empty() {
        add(
            format!(
                "Give {} a check or a golden, or their green says nothing: {}.",
                count(facts.checked_nothing.len(), "passed test", "passed tests"),
                names(facts.checked_nothing.iter().copied())
            ),
            None,
        );
    }
    let inconclusive = facts.inconclusive();
    if inconclusive > 0 {
        add(
            format!(
                "Find out what {} lacked: section 5.4 says why.",
                count(inconclusive, "inconclusive log detector", "inconclusive log detectors")
            ),
            None,
        );
    }
    if !facts.state.losses.is_empty() || facts.state.unreadable_lines > 0 {
        add("Look into what was lost: the executive summary names it.".to_owned(), None);
    }
    if steps.is_empty() {
        let known = facts.state.findings.iter().filter(|stored| stored.known.is_some()).count();
        let rest = if known > 0 {
            format!(" {} are still there.", count(known, "known finding", "known findings"))
        } else {
            String::new()
        };
        steps.push(Step { what: format!("Nothing that this run calls for.{rest}"), command: None });
    }
    steps
}

fn is_urgent(stored: &StoredFinding) -> bool {
    stored.finding.kind != FindingType::Strength
        && (stored.finding.severity >= Severity::High || stored.finding.kind == FindingType::SilentFailure)
}

fn names<'a>(names: impl ExactSizeIterator<Item = &'a str>) -> String {
    let n = names.len();
    let mut text = names.take(NAMES).collect::<Vec<_>>().join(", ");
    if n > NAMES {
        text += &format!(" and {}", count(n - NAMES, "more", "more"));
    }
    text
}

/// The steps as a list, each with its command below it.
pub fn write(doc: &mut Doc, steps: &[Step]) {
    for (n, step) in steps.iter().enumerate() {
        doc.line(format!("{}. {}", n + 1, step.what));
        if let Some(command) = &step.command {
            doc.code("sh", command);
        }
    }
}

/// The steps for programs.
pub fn json(steps: &[Step]) -> Vec<Value> {
    steps.iter().map(|step| json!({ "what": step.what, "command": step.command })).collect()
}
