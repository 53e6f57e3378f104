//! The numbers of one test's log: what `{slug}_stats.json` holds, and what the report of the run reads back from it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::classify::{Severity, words};

words! {
    /// What came of a detector.
    pub enum DetectorOutcome: "outcome of a detector" {
        /// It made findings.
        Finding = "finding",
        /// It looked at everything and found nothing.
        Clean = "clean",
        /// It found nothing, and something it should have looked at is missing.
        Inconclusive = "inconclusive",
        /// There was nothing for it to decide.
        NotApplicable = "not applicable",
        /// An earlier version wrote this for a detector that it did not have.
        Missing = "not in this version",
    }
}

/// A detector and what came of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DetectorResult {
    /// `D1` to `D24`.
    pub id: String,
    /// What it looks for.
    pub name: String,
    /// What came of it.
    pub outcome: DetectorOutcome,
    /// Why.
    pub why: String,
    /// Share of its findings that were right on logs whose truth is known, as a lower bound at 95 %; null for detectors that
    /// only count.
    #[serde(default)]
    pub precision: Option<f64>,
    /// What it saw, one entry per subject.
    #[serde(default)]
    pub observations: Vec<Observation>,
}

/// Something that a detector saw, with all its occurrences.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Observation {
    /// What it is about.
    pub subject: String,
    /// In a few words.
    pub title: String,
    /// What was seen, and what was expected.
    pub text: String,
    /// Its severity; one of `info` is a note and no finding.
    pub severity: Severity,
    /// Occurrences.
    pub count: u64,
    /// The first lines of the log on which it occurs.
    pub lines: Vec<u32>,
    /// Figures, by detector.
    pub data: serde_json::Value,
}

/// A template and how often it was logged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TemplateCounts {
    /// Hash of its text: the same in every run and on every machine.
    pub id: String,
    /// Its text, with `<*>` for what varies.
    pub template: String,
    /// The statement that logs it, `file:line`; empty where that is not known.
    pub callsite: String,
    /// Target of its first record.
    pub target: String,
    /// Its records.
    pub count: u64,
    /// Its records per level; levels without records are left out.
    pub levels: BTreeMap<String, u64>,
    /// About how many bytes they take.
    pub bytes: u64,
    /// Line of its first record.
    pub first_line: u64,
    /// Line of its last record.
    pub last_line: u64,
}

/// How many records came when: the span of the log in parts of the same length.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LogTimeline {
    /// Length of a part, in seconds.
    pub width_seconds: f64,
    /// Records of each part.
    pub records: Vec<u64>,
    /// Those of them at WARNING.
    pub warnings: Vec<u64>,
    /// Those of them at ERROR or CRITICAL.
    pub errors: Vec<u64>,
}

/// The numbers of one test's log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LogDigest {
    /// Format of the file.
    pub format: u32,
    /// Path of the test.
    pub test: String,
    /// Its file name stem.
    pub slug: String,
    /// The log file, relative to the run folder.
    pub log: String,
    /// Whether nothing was red; null where the log belongs to no test.
    #[serde(default)]
    pub passed: Option<bool>,
    /// Lines of the file, header included.
    pub lines: u64,
    /// Records.
    pub records: u64,
    /// Lines that are part of no record.
    pub unparsed_lines: u64,
    /// Percentage of lines that were understood; null for an empty file.
    pub parsed_percent: Option<f64>,
    /// Records per level; `none` for raw lines of child processes. Every level is there.
    pub levels: BTreeMap<String, u64>,
    /// Records per route.
    pub routes: BTreeMap<String, u64>,
    /// The targets with most records, and their records per level.
    pub targets: Vec<TargetCounts>,
    /// Targets that are not listed.
    pub targets_omitted: u64,
    /// Time of the earliest record.
    pub first: Option<String>,
    /// Time of the latest record.
    pub last: Option<String>,
    /// Seconds between them.
    pub span_seconds: Option<f64>,
    /// Records per second over that span; null where it is zero.
    pub records_per_second: Option<f64>,
    /// Share of records at ERROR or CRITICAL; null without records.
    pub error_rate: Option<f64>,
    /// Records over the time of the log; absent where no time passed, and in files of earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeline: Option<LogTimeline>,
    /// The errors, counted.
    pub errors: ErrorCounts,
    /// What is missing.
    pub loss: LossFacts,
    /// Every detector.
    pub detectors: Vec<DetectorResult>,
    /// Formats of the records, with their numbers.
    #[serde(default)]
    pub formats: String,
    /// Lines that were joined to the record above them: stack traces and continuations.
    #[serde(default)]
    pub joined_lines: u64,
    /// Empty lines.
    #[serde(default)]
    pub blank_lines: u64,
    /// Bytes that are no UTF-8; they were replaced.
    #[serde(default)]
    pub invalid_utf8: u64,
    /// NUL bytes.
    #[serde(default)]
    pub nul_bytes: u64,
    /// Lines from which the colours of a terminal were removed.
    #[serde(default)]
    pub coloured_lines: u64,
    /// Operations that records name: pipeline runs, requests, whatever has an id.
    #[serde(default)]
    pub operations: u64,
    /// The templates with most records.
    #[serde(default)]
    pub templates: Vec<TemplateCounts>,
    /// Templates that are not listed.
    #[serde(default)]
    pub templates_omitted: u64,
    /// Messages that were too various to be told apart by more than their first words.
    #[serde(default)]
    pub coarse_messages: u64,
    /// Earlier executions of the same test, oldest first: the last good run, and the attempts of this run before this one.
    #[serde(default)]
    pub history: Vec<Execution>,
    /// What this log was compared with.
    #[serde(default)]
    pub comparisons: Vec<Compared>,
}

/// An execution of a test, in short.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Execution {
    /// Name of the run's folder.
    pub run: String,
    /// Its log, relative to that folder.
    pub log: String,
    /// Whether nothing was red; null where that is not known.
    pub passed: Option<bool>,
    /// Its records.
    pub records: u64,
    /// Share of them at ERROR or CRITICAL; null without records.
    pub error_rate: Option<f64>,
    /// Different errors.
    pub errors: u64,
    /// Different templates.
    pub templates: u64,
    /// Whether anything is missing in it.
    pub whole: bool,
}

/// What came of comparing two logs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Compared {
    /// The side that went well, or came first.
    pub before: String,
    /// The other side.
    pub after: String,
    /// Templates that are the same in both.
    pub same: u64,
    /// Templates that only the second has.
    pub new: u64,
    /// Templates that only the first has.
    pub gone: u64,
    /// Templates that are more frequent beyond chance.
    pub more: u64,
    /// Templates that are less frequent beyond chance.
    pub less: u64,
    /// Steps that only the second took.
    pub new_steps: u64,
    /// Steps that only the first took.
    pub gone_steps: u64,
    /// Why frequencies were not compared; null where they were.
    pub frequencies_not_compared: Option<String>,
    /// The templates that differ, most telling first; those that are beyond a page are left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<serde_json::Value>,
    /// The steps that differ, those that are new before those that are gone, as many.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<serde_json::Value>,
}

/// Records of one target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetCounts {
    /// The target.
    pub target: String,
    /// Its records.
    pub records: u64,
    /// Its records per level; levels without records are left out.
    pub levels: BTreeMap<String, u64>,
}

/// The errors of a log, counted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorCounts {
    /// Different errors.
    pub unique: u64,
    /// Times that any of them occurred.
    pub occurrences: u64,
    /// Different errors that the test announced.
    pub expected: u64,
    /// Different errors that nobody announced.
    pub unexpected: u64,
    /// Announced texts that no error held.
    pub announced_but_absent: Vec<String>,
}

/// What is missing in a log.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LossFacts {
    /// Records that could not be written, as capture counted them.
    pub lost: u64,
    /// Records whose number is missing in the file.
    pub holes: u64,
    /// Whether the last line was cut.
    pub torn: bool,
    /// Why the capture was partial, if it was.
    pub partial: Option<String>,
    /// All of it in words. Empty means: nothing that anybody noticed.
    pub reasons: Vec<String>,
}

impl LogDigest {
    /// Reads `{slug}_stats.json` back.
    ///
    /// # Errors
    /// If it is not what this version writes.
    pub fn from_json(text: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(text)
    }

    /// This execution, in short, for the history of later ones.
    pub fn execution(&self, run: &str) -> Execution {
        Execution {
            run: run.to_owned(),
            log: self.log.clone(),
            passed: self.passed,
            records: self.records,
            error_rate: self.error_rate,
            errors: self.errors.unique,
            templates: self.templates.len() as u64 + self.templates_omitted,
            whole: self.loss.reasons.is_empty(),
        }
    }

    /// The detectors whose outcome it is.
    pub fn detectors_with(&self, outcome: DetectorOutcome) -> impl Iterator<Item = &DetectorResult> {
        self.detectors.iter().filter(move |detector| detector.outcome == outcome)
    }
}
