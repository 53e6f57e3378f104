//! What several files of a run say, counted in one place.

use std::collections::{BTreeMap, BTreeSet};
use std::time::SystemTime;

use crate::classify::Severity;
use crate::finding::FindingType;
use crate::journal::record::{ContextFact, Fact, GoldenOutcome, TestStatus};
use crate::log::LogDigest;
use crate::log::digest::DetectorOutcome;
use crate::markdown::count;
use crate::run::Registered;
use crate::run::state::{RunState, StoredFinding, TestState};

use super::verdict::{RunStatus, Verdict, status, verdict};

/// What became of a registered test in a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TestFate {
    /// It began.
    Ran,
    /// It is ignored, and nobody asked for it.
    Ignored,
    /// A filter left it out, or the run ended before it.
    NotRun,
}

/// A state with what is counted from it.
pub struct Facts<'a> {
    pub state: &'a RunState,
    /// Analyses by the slug of their test.
    pub logs: BTreeMap<&'a str, &'a LogDigest>,
    pub verdict: Verdict,
    pub status: RunStatus,
    /// Data that cannot be.
    pub impossible: Vec<String>,
    pub checks_passed: u64,
    pub checks_failed: u64,
    /// Paths of the passed tests that checked nothing.
    pub checked_nothing: Vec<&'a str>,
    /// Tests whose log was not analysed.
    unanalysed: u64,
    by_name: BTreeMap<&'a str, &'a TestState>,
}

impl<'a> Facts<'a> {
    pub fn new(state: &'a RunState, logs: &'a [LogDigest]) -> Self {
        let checks = || state.tests.iter().flat_map(|test| &test.checks);
        Facts {
            state,
            logs: logs.iter().map(|log| (log.slug.as_str(), log)).collect(),
            verdict: verdict(state, logs),
            status: status(state),
            impossible: super::sanity::impossible(state),
            checks_passed: checks().filter(|check| check.passed).count() as u64,
            checks_failed: checks().filter(|check| !check.passed).count() as u64,
            checked_nothing: checked_nothing(state).map(|test| test.start.name.as_str()).collect(),
            unanalysed: unanalysed(state, logs).count() as u64,
            by_name: state.tests.iter().map(|test| (test.start.name.as_str(), test)).collect(),
        }
    }

    pub fn tests_with(&self, status: TestStatus) -> usize {
        self.state.tests.iter().filter(|test| test.status == status).count()
    }

    pub fn goldens_with(&self, outcome: GoldenOutcome) -> usize {
        self.state
            .tests
            .iter()
            .flat_map(|test| &test.goldens)
            .filter(|golden| golden.outcome == outcome)
            .count()
    }

    pub fn findings_of(&self, kind: FindingType) -> usize {
        self.state.findings.iter().filter(|stored| stored.finding.kind == kind).count()
    }

    pub fn findings_at(&self, severity: Severity) -> usize {
        self.state.findings.iter().filter(|stored| stored.finding.severity == severity).count()
    }

    /// Records in the tests' logs, and records that were lost.
    pub fn log_records(&self) -> (u64, u64) {
        let logs = self.state.tests.iter().filter_map(|test| test.end.as_ref()).map(|end| &end.log);
        logs.fold((0, 0), |(records, lost), log| (records + log.records, lost + log.lost))
    }

    /// Tests whose capture was partial.
    pub fn partial_logs(&self) -> usize {
        self.state
            .tests
            .iter()
            .filter(|test| test.end.as_ref().is_some_and(|end| end.log.partial.is_some()))
            .count()
    }

    /// The test of a path.
    pub fn test(&self, name: &str) -> Option<&'a TestState> {
        self.by_name.get(name).copied()
    }

    /// The registered tests of this entry, with what became of each in this run.
    pub fn registered(&self) -> Vec<(&'a Registered, TestFate)> {
        let Some(catalogue) = &self.state.catalogue else { return Vec::new() };
        let ran: BTreeSet<(&str, &str)> = self
            .state
            .tests
            .iter()
            .map(|test| (test.start.crate_name.as_str(), test.start.name.as_str()))
            .collect();
        let of_entry = catalogue.tests.iter().filter(|test| test.entry == self.state.info.entry.id);
        of_entry
            .map(|test| {
                let fate = if ran.contains(&(test.crate_name.as_str(), test.name.as_str())) {
                    TestFate::Ran
                } else if test.ignored.is_some() {
                    TestFate::Ignored
                } else {
                    TestFate::NotRun
                };
                (test, fate)
            })
            .collect()
    }

    /// Registered tests of this entry that did not run in it, ignored ones included.
    pub fn never_ran(&self) -> usize {
        self.registered().iter().filter(|(_, fate)| *fate != TestFate::Ran).count()
    }

    /// Assertions of the invocation that must be satisfied at least once and are not.
    pub fn unsatisfied(&self) -> usize {
        let assertions = self.state.catalogue.iter().flat_map(|catalogue| &catalogue.assertions);
        assertions.filter(|place| place.is_missing()).count()
    }

    /// Tests with the finding that a probe would not have noticed what it looks for.
    pub fn unproven(&self) -> usize {
        let unproven: BTreeSet<&str> = self
            .state
            .findings
            .iter()
            .filter(|stored| stored.finding.rule == "probe.unproven")
            .map(|stored| stored.fingerprint.as_str())
            .collect();
        let has = |test: &&TestState| test.findings.iter().any(|print| unproven.contains(print.as_str()));
        self.state.tests.iter().filter(has).count()
    }

    /// Outcomes of log detectors that could not conclude.
    pub fn inconclusive(&self) -> usize {
        self.logs.values().map(|log| log.detectors_with(DetectorOutcome::Inconclusive).count()).sum()
    }

    /// Commands that reproduce a finding: those of the tests that saw it.
    pub fn reproduce(&self, stored: &StoredFinding) -> Vec<&'a str> {
        stored
            .tests
            .iter()
            .filter_map(|name| self.test(name))
            .map(|test| test.start.reproduce.as_str())
            .collect()
    }

    /// How long the run has taken so far, in seconds.
    pub fn seconds(&self) -> Option<f64> {
        let (start, end) = (time(&self.state.info.started_at)?, time(&self.state.last_at)?);
        end.duration_since(start).ok().map(|duration| duration.as_secs_f64())
    }

    /// Counts that tell of absence, in words; those that are zero included.
    pub fn absences(&self) -> Vec<(&'static str, u64)> {
        let lost = self.state.losses.iter().fold(0, |sum: u64, loss| sum.saturating_add(loss.count));
        vec![
            ("registered tests that did not run", self.never_ran() as u64),
            ("assertions not satisfied", self.unsatisfied() as u64),
            ("tests skipped", self.tests_with(TestStatus::Skipped) as u64),
            ("tests refused", self.tests_with(TestStatus::Refused) as u64),
            ("tests crashed", self.tests_with(TestStatus::Crashed) as u64),
            ("tests still running", self.tests_with(TestStatus::Running) as u64),
            ("probes that did not prove themselves", self.unproven() as u64),
            ("passed tests that checked nothing", self.checked_nothing.len() as u64),
            ("goldens without reference", self.goldens_with(GoldenOutcome::New) as u64),
            ("goldens accepted in this run", self.goldens_with(GoldenOutcome::Accepted) as u64),
            ("goldens forced to pass", self.goldens_with(GoldenOutcome::Forced) as u64),
            ("goldens unusable", self.goldens_with(GoldenOutcome::Unusable) as u64),
            ("log records lost", self.log_records().1),
            ("logs captured in part", self.partial_logs() as u64),
            ("tests whose log was not analysed", self.unanalysed),
            ("inconclusive outcomes of log detectors", self.inconclusive() as u64),
            ("journal lines unreadable", self.state.unreadable_lines),
            ("losses that were recorded", lost),
            ("rules of git that drop what must be kept", self.state.info.git_drops.len() as u64),
            ("records after the end of their test", self.state.tests.iter().map(|test| test.late).sum()),
        ]
    }
}

/// Tests that ran to their end and whose log was not analysed.
pub fn unanalysed<'a>(state: &'a RunState, logs: &'a [LogDigest]) -> impl Iterator<Item = &'a TestState> {
    let analysed: BTreeSet<&str> = logs.iter().map(|log| log.slug.as_str()).collect();
    state.tests.iter().filter(move |test| {
        matches!(test.status, TestStatus::Passed | TestStatus::Failed)
            && !analysed.contains(test.start.slug.as_str())
    })
}

/// Passed tests without a check and without a compared golden, but for those whose attribute waives it. What a plain assertion
/// checked is not recorded.
pub fn checked_nothing(state: &RunState) -> impl Iterator<Item = &TestState> {
    state.tests.iter().filter(|test| {
        test.status == TestStatus::Passed
            && test.checks.is_empty()
            && !test.start.allow.iter().any(|waiver| waiver.split(':').next() == Some("nothing_checked"))
            && !test
                .goldens
                .iter()
                .any(|golden| matches!(golden.outcome, GoldenOutcome::Match | GoldenOutcome::Mismatch))
    })
}

/// A time of the journal.
pub fn time(text: &str) -> Option<SystemTime> {
    humantime::parse_rfc3339_weak(text).ok()
}

/// Values of a fact about the setting: of the project first, then of the tests; each once.
pub fn settings(state: &RunState, fact: Fact) -> Vec<&str> {
    let mut values = Vec::new();
    let of_tests = state.tests.iter().flat_map(|test| &test.facts);
    for ContextFact { value, .. } in
        state.info.settings.iter().chain(of_tests).filter(|known| known.fact == fact)
    {
        if !values.contains(&value.as_str()) {
            values.push(value);
        }
    }
    values
}

/// The values of a fact as one text, where there is any.
pub fn setting(state: &RunState, fact: Fact) -> Option<String> {
    let values = settings(state, fact);
    (!values.is_empty()).then(|| values.join(", "))
}

/// One paragraph about a run, as findings.json and README.md say it.
pub fn summary(state: &RunState, logs: &[LogDigest]) -> String {
    summary_of(&Facts::new(state, logs))
}

pub fn summary_of(facts: &Facts<'_>) -> String {
    let state = facts.state;
    let statuses: Vec<String> = TestStatus::ALL
        .iter()
        .map(|status| (status, facts.tests_with(*status)))
        .filter(|(_, n)| *n > 0)
        .map(|(status, n)| format!("{n} {status}"))
        .collect();
    let severities: Vec<String> = Severity::ALL
        .iter()
        .rev()
        .map(|severity| (severity, facts.findings_at(*severity)))
        .filter(|(_, n)| *n > 0)
        .map(|(severity, n)| format!("{n} {severity}"))
        .collect();
    let list =
        |items: &[String]| if items.is_empty() { String::new() } else { format!(" ({})", items.join(", ")) };
    let silent = facts.findings_of(FindingType::SilentFailure);
    let probes = state.tests.iter().filter(|test| test.start.kind == "silent_failure_probe").count();
    // A zero that nobody looked for is not a result.
    let silent = match (silent, probes) {
        (0, 0) => "no silent failure among them, and no probe looked for any".to_owned(),
        (n, _) => format!("{} among them", count(n, "silent failure", "silent failures")),
    };
    let imports: String = state
        .imports
        .iter()
        .map(|import| match &import.status {
            Some(status) => format!(" Imported from {}, which states `{status}`.", import.source),
            None => format!(" Imported from {}, which states no status.", import.source),
        })
        .collect();
    format!(
        "{}{}, {} of which {} failed, {}{}, {silent}. Verdict: {}, because {}.{imports}",
        count(state.tests.len(), "test", "tests"),
        list(&statuses),
        count(facts.checks_passed + facts.checks_failed, "check", "checks"),
        facts.checks_failed,
        count(state.findings.len(), "finding", "findings"),
        list(&severities),
        facts.verdict.word,
        facts.verdict.rule
    )
}
