//! The verdict of a run, and the rule that gave it.

use crate::classify::{Severity, words};
use crate::finding::FindingType;
use crate::journal::record::{GoldenOutcome, TestStatus};
use crate::log::LogDigest;
use crate::log::digest::DetectorOutcome;
use crate::markdown::count;
use crate::run::state::RunState;

use super::facts::{checked_nothing, unanalysed};
use super::sanity::impossible;

words! {
    /// What a run says of the system under test, from best to worst.
    pub enum VerdictWord: "verdict" {
        /// Something ran, everything was looked at, nothing was found.
        Pass = "PASS",
        /// Nothing that stops a release, and something that is not known.
        PassWithConcerns = "PASS_WITH_CONCERNS",
        /// Something major is wrong, or the run did not get to its end.
        NeedsWork = "NEEDS_WORK",
        /// Data is lost, or failures go unseen.
        Fail = "FAIL",
    }
}

words! {
    /// Status of a run.
    pub enum RunStatus: "run status" {
        /// Tests are running, or none has started.
        InProgress = "in_progress",
        /// Every test that started has ended, whatever came of it.
        Completed = "completed",
        /// A process died within a test.
        Failed = "failed",
        /// The data of the run cannot be.
        Blocked = "blocked",
    }
}

/// The verdict of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// The word.
    pub word: VerdictWord,
    /// The rule that fired, in words.
    pub rule: String,
    /// Everything else that speaks against a pass, worst first.
    pub besides: Vec<String>,
}

/// The status of a run.
pub fn status(state: &RunState) -> RunStatus {
    let any = |status| state.tests.iter().any(|test| test.status == status);
    if !impossible(state).is_empty() {
        RunStatus::Blocked
    } else if state.tests.is_empty() && !state.imports.is_empty() {
        stated(state)
    } else if any(TestStatus::Running) || state.tests.is_empty() {
        RunStatus::InProgress
    } else if any(TestStatus::Crashed) {
        RunStatus::Failed
    } else {
        RunStatus::Completed
    }
}

/// The status of a run of another tool: what its last document states. One that states nothing we know is there as a whole
/// all the same, and no test of it will ever end here.
fn stated(state: &RunState) -> RunStatus {
    let states = state.imports.iter().rev().filter_map(|import| import.status.as_ref()?.parse().ok());
    states.into_iter().next().unwrap_or(RunStatus::Completed)
}

/// Judges a run. Findings count whether they are known or not: what is accepted is still there.
pub fn verdict(state: &RunState, logs: &[LogDigest]) -> Verdict {
    use VerdictWord::{Fail, NeedsWork, Pass, PassWithConcerns};
    let mut reasons: Vec<(VerdictWord, String)> = Vec::new();
    let mut add = |word, n: usize, singular: &str, plural: &str| {
        if n > 0 {
            reasons.push((word, count(n, singular, plural)));
        }
    };
    let findings = || {
        state
            .findings
            .iter()
            .map(|stored| &stored.finding)
            .filter(|finding| finding.kind != FindingType::Strength)
    };
    let at = |severity| findings().filter(|finding| finding.severity == severity).count();
    let tests = |status| state.tests.iter().filter(|test| test.status == status).count();
    let goldens = |outcome| {
        state.tests.iter().flat_map(|test| &test.goldens).filter(|golden| golden.outcome == outcome).count()
    };
    let silent = findings()
        .filter(|finding| finding.kind == FindingType::SilentFailure && finding.severity >= Severity::High)
        .count();
    add(Fail, at(Severity::Critical), "critical finding", "critical findings");
    add(
        Fail,
        silent,
        "silent failure of high or critical severity",
        "silent failures of high or critical severity",
    );
    let impossible = impossible(state).len();
    add(NeedsWork, impossible, "piece of impossible data", "pieces of impossible data");
    add(NeedsWork, at(Severity::High), "high finding", "high findings");
    add(NeedsWork, tests(TestStatus::Failed), "failed test", "failed tests");
    add(NeedsWork, tests(TestStatus::Crashed), "crashed test", "crashed tests");
    add(NeedsWork, tests(TestStatus::Refused), "refused test", "refused tests");
    add(NeedsWork, tests(TestStatus::Running), "unfinished test", "unfinished tests");
    if tests(TestStatus::Passed) + tests(TestStatus::Failed) == 0 {
        reasons.push((NeedsWork, "no test ran to its end".to_owned()));
    }
    let mut add = |n: usize, singular: &str, plural: &str| {
        if n > 0 {
            reasons.push((PassWithConcerns, count(n, singular, plural)));
        }
    };
    add(at(Severity::Medium), "medium finding", "medium findings");
    add(tests(TestStatus::Skipped), "skipped test", "skipped tests");
    add(
        checked_nothing(state).count(),
        "passed test that checked nothing",
        "passed tests that checked nothing",
    );
    let inconclusive: usize =
        logs.iter().map(|log| log.detectors_with(DetectorOutcome::Inconclusive).count()).sum();
    add(inconclusive, "inconclusive log detector", "inconclusive log detectors");
    let ended = state.tests.iter().filter_map(|test| test.end.as_ref());
    add(unanalysed(state, logs).count(), "log that was not analysed", "logs that were not analysed");
    let lossy = ended.filter(|end| end.log.lost > 0 || end.log.partial.is_some()).count();
    add(lossy, "log with dropped telemetry", "logs with dropped telemetry");
    let losses = state.losses.iter().fold(0, |sum: u64, loss| sum.saturating_add(loss.count));
    add(usize::try_from(losses).unwrap_or(usize::MAX), "recorded loss", "recorded losses");
    let unreadable = usize::try_from(state.unreadable_lines).unwrap_or(usize::MAX);
    add(unreadable, "unreadable journal line", "unreadable journal lines");
    add(goldens(GoldenOutcome::New), "golden without reference", "goldens without reference");
    add(goldens(GoldenOutcome::Accepted), "golden accepted in this run", "goldens accepted in this run");
    add(goldens(GoldenOutcome::Forced), "golden forced to pass", "goldens forced to pass");
    add(goldens(GoldenOutcome::Unusable), "unusable golden", "unusable goldens");
    let observers = state.tests.iter().flat_map(|test| &test.observers);
    add(
        observers.filter(|observer| observer.panicked.is_some()).count(),
        "observer that panicked",
        "observers that panicked",
    );

    // Stable, so that within a verdict the reasons keep their order.
    reasons.sort_by_key(|(word, _)| std::cmp::Reverse(*word));
    let mut reasons = reasons.into_iter();
    match reasons.next() {
        None => Verdict { word: Pass, rule: "nothing speaks against it".to_owned(), besides: Vec::new() },
        Some((word, rule)) => Verdict { word, rule, besides: reasons.map(|(_, reason)| reason).collect() },
    }
}
