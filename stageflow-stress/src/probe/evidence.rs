//! What an observer sees of a finished test.

use crate::finding::Finding;
use crate::roadmap::Entry;

/// Everything that was recorded of one test, for the observers that run after it.
///
/// ```no_run
/// use stageflow_stress::prelude::*;
///
/// #[silent_failure_probe(after = "DAG-*")]
/// fn every_started_stage_ended(evidence: &Evidence, findings: &mut Findings) {
///     let count = |word: &str| evidence.log_lines().iter().filter(|line| line.message.contains(word)).count();
///     let (started, ended) = (count("stage started"), count("stage ended"));
///     if started != ended {
///         findings.add(Finding::silent_failure(format!("{} stages never ended", started - ended)));
///     }
/// }
/// # fn main() {}
/// ```
#[derive(Debug)]
pub struct Evidence {
    pub(crate) entry: Entry,
    pub(crate) test: String,
    pub(crate) passed: bool,
    pub(crate) checks: Vec<CheckSeen>,
    pub(crate) metrics: Vec<(String, f64, String)>,
    pub(crate) goldens: Vec<GoldenSeen>,
    pub(crate) panics: Vec<PanicSeen>,
    pub(crate) findings: Vec<Finding>,
    pub(crate) log: Vec<LogLine>,
    pub(crate) partial: Option<String>,
}

impl Evidence {
    /// The roadmap entry of the test.
    #[must_use]
    pub fn entry(&self) -> &Entry {
        &self.entry
    }

    /// The path of the test.
    #[must_use]
    pub fn test(&self) -> &str {
        &self.test
    }

    /// Whether nothing was red when the observers began.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.passed
    }

    /// The checks, in the order in which they were made.
    #[must_use]
    pub fn checks(&self) -> &[CheckSeen] {
        &self.checks
    }

    /// The measured numbers: name, value, unit.
    #[must_use]
    pub fn metrics(&self) -> &[(String, f64, String)] {
        &self.metrics
    }

    /// The goldens that were compared.
    #[must_use]
    pub fn goldens(&self) -> &[GoldenSeen] {
        &self.goldens
    }

    /// The panics, wherever they happened.
    #[must_use]
    pub fn panics(&self) -> &[PanicSeen] {
        &self.panics
    }

    /// The findings so far.
    #[must_use]
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// The lines of the test's log.
    #[must_use]
    pub fn log_lines(&self) -> &[LogLine] {
        &self.log
    }

    /// Why the capture was not complete, if it was not. A conclusion from the absence of something is not to be drawn
    /// then.
    #[must_use]
    pub fn partial_capture(&self) -> Option<&str> {
        self.partial.as_deref()
    }
}

/// A check, as an observer sees it.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct CheckSeen {
    /// Its name.
    pub name: String,
    /// Whether it held.
    pub passed: bool,
}

/// A golden, as an observer sees it.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct GoldenSeen {
    /// Its name.
    pub name: String,
    /// What came of it: `match`, `mismatch`, `new`, `accepted`, `forced`, `unusable`.
    pub outcome: String,
}

/// A panic, as an observer sees it.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct PanicSeen {
    /// Its message.
    pub message: String,
    /// Whether it happened outside the body.
    pub background: bool,
}

/// A line of the test's log, as an observer sees it.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct LogLine {
    /// `TRACE`, `DEBUG`, `INFO`, `WARNING`, `ERROR`, `CRITICAL`, or empty where the line has none.
    pub level: String,
    /// Target or logger.
    pub target: String,
    /// The message.
    pub message: String,
    /// The other fields, in the order in which they were recorded.
    pub fields: Vec<(String, String)>,
}
