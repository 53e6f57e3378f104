//! The records of a journal: everything a run knows, one line each, in the order in which it happened.
//!
//! Every file of a run folder except the logs is folded from these records, so a record carries what was observed and
//! nothing that is computed from other records.

use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use super::words::{
    Aspect, DocumentationAspect, DxTimed, Fact, GoldenOutcome, HypothesisResult, Instrument, Ledger,
    LogRuleKind, TestStatus, Topic,
};
pub use crate::assertion::AssertionRecord;
use crate::classify::{Category, Oracle, Pattern, PipelineKind, Severity};
use crate::finding::time::nanos;
use crate::finding::{Finding, FindingStatus, Resolution, ResolutionType, Transition};

/// One line of a journal, without its checksum.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Envelope {
    /// Format of the line.
    pub v: u32,
    /// Position in the journal, from 0, without holes.
    pub seq: u64,
    /// Nanoseconds since the process opened its first journal.
    pub t: u64,
    /// Wall-clock time, RFC 3339 in UTC with microseconds.
    pub ts: String,
    /// The test that the record belongs to, by the number that its `TestStart` carries.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub test: Option<u32>,
    /// The record.
    pub r: Record,
}

/// What can be recorded.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "k", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Record {
    /// The first record of a journal.
    Open(Box<ProcessInfo>),
    /// A test begins.
    TestStart(Box<TestStart>),
    /// A non-fatal assertion.
    Check(Check),
    /// A measured number.
    Metric(Metric),
    /// One timed operation.
    Sample(Sample),
    /// A number of operations over a time.
    Throughput(Throughput),
    /// What an instrument measured.
    Measured(Box<Measured>),
    /// A hypothesis with its result.
    Hypothesis(Hypothesis),
    /// A research note.
    Note(Note),
    /// A source.
    Citation(Citation),
    /// A fact about the setting of the test, such as a persona or a success criterion.
    Context(ContextFact),
    /// What the author declares of the test's log.
    LogRule(LogRule),
    /// A score of the developer experience.
    DxScore(DxScore),
    /// A time of the developer experience.
    DxTime(DxTime),
    /// Feedback on the documentation of what is tested.
    Documentation(DocumentationFeedback),
    /// An entry of a ledger that is no finding (a strength or an improvement).
    Ledger(LedgerRecord),
    /// A golden was compared.
    Golden(GoldenRecord),
    /// A panic, wherever it happened.
    Panic(PanicRecord),
    /// A finding.
    Finding(Box<FindingRecord>),
    /// A finding of another tool's document.
    Imported(Box<ImportedRecord>),
    /// What such a document says of itself.
    ImportedDocument(ImportedDocument),
    /// An observer ran after the test.
    Observer(ObserverRecord),
    /// What a test did at the place of an assertion.
    Assertion(AssertionRecord),
    /// Something could not be recorded.
    Loss(Loss),
    /// A test ends.
    TestEnd(Box<TestEnd>),
}

/// A process that wrote a journal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ProcessInfo {
    /// Identity of this journal.
    pub journal: String,
    /// Host name.
    pub host: String,
    /// Process id.
    pub pid: u32,
    /// Start time of the process in clock ticks since boot; 0 where the system does not tell.
    pub start_ticks: u64,
    /// Identity of the system's boot; empty where the system does not tell.
    pub boot: String,
    /// How long the system had been up when the journal was opened, in milliseconds; absent where it does not tell.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub up: Option<u64>,
    /// Version of this library.
    pub sdk: String,
    /// The command line.
    pub command: Vec<String>,
    /// What runs the tests: `cargo test`, `cargo nextest` or `direct`.
    pub runner: String,
}

/// How a test was declared and what it was given.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TestStart {
    /// Number of the test within its journal.
    pub number: u32,
    /// Path as the runner prints it, such as `pipeline::fan_out::dag_005`.
    pub name: String,
    /// File name stem of everything about this test, unique within the run.
    pub slug: String,
    /// Name of the user's function.
    pub function: String,
    /// Crate (test binary) that holds it.
    pub crate_name: String,
    /// Package that holds it.
    pub package: String,
    /// Version of the package.
    pub package_version: String,
    /// Source file, relative to the workspace root where that is known.
    pub file: String,
    /// Line of the function.
    pub line: u32,
    /// `roadmap_test` or `silent_failure_probe`.
    pub kind: String,
    /// Patterns that a probe claims.
    #[serde(default)]
    pub patterns: Vec<Pattern>,
    /// Category.
    pub category: Option<Category>,
    /// Pipeline kind.
    pub pipeline: Option<PipelineKind>,
    /// Oracles.
    #[serde(default)]
    pub oracles: Vec<Oracle>,
    /// Requirement ids.
    #[serde(default)]
    pub requirements: Vec<String>,
    /// Tags.
    #[serde(default)]
    pub tags: Vec<String>,
    /// Who answers for it.
    pub owner: Option<String>,
    /// Waived stock observers.
    #[serde(default)]
    pub allow: Vec<String>,
    /// Severity from which an unknown finding is red.
    pub fail_on: Severity,
    /// Seed of the test.
    pub seed: u64,
    /// Iterations of the body.
    pub iterations: u32,
    /// Attempt of the runner, from 1.
    pub attempt: u32,
    /// Iteration of the runner's own repetition, if it repeats.
    pub stress: Option<String>,
    /// Log file, relative to the run folder.
    pub log: String,
    /// The command that runs this test alone, with its seed.
    pub reproduce: String,
}

/// A non-fatal assertion and what came of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Check {
    /// Its name.
    pub name: String,
    /// Whether it held.
    pub passed: bool,
    /// What was found, where it did not hold.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub detail: Option<String>,
    /// Source file.
    pub file: String,
    /// Line.
    pub line: u32,
}

/// What the author declares of the test's log: how its analysis decides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogRule {
    /// How.
    pub kind: LogRuleKind,
    /// What, in words.
    pub text: String,
    /// Why, where something is accepted that would be reported.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub why: Option<String>,
    /// What, part by part, for whoever analyses the log once the process is gone. Their order is that of `log_rule` in the
    /// documentation of the journal; an earlier version left them out.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub parts: Vec<String>,
}

/// The metric that every probe has, by which a report counts them.
pub const PROBE_ARMED: &str = "probe faults armed";
/// The metric of a probe whose rate of silent failures has a bound.
pub const PROBE_BOUND: &str = "probe silent failures, at most";

/// A measured number.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Metric {
    /// Its name.
    pub name: String,
    /// The number.
    pub value: f64,
    /// Its unit, as the author wrote it.
    pub unit: String,
}

/// One timed operation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// Name of the operation.
    pub series: String,
    /// Its duration in nanoseconds.
    pub nanos: u64,
}

/// A number of operations over a time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Throughput {
    /// Name of the operation.
    pub series: String,
    /// How many.
    pub count: u64,
    /// How many of them failed.
    pub failed: u64,
    /// Over how many nanoseconds.
    pub nanos: u64,
}

/// What an instrument measured: a load, a sampled process, a confusion matrix. It becomes an entry of the instrument's file
/// below `results/metrics/`, whose layout is documented with the run folder.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// Which instrument.
    pub instrument: Instrument,
    /// The entry, an object without test and slug.
    pub entry: Value,
}

/// A hypothesis with its result.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Hypothesis {
    /// The statement.
    pub statement: String,
    /// What became of it.
    pub result: HypothesisResult,
    /// What decided it.
    pub evidence: String,
}

/// A research note.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Note {
    /// What it is about.
    pub topic: Topic,
    /// The note.
    pub text: String,
}

/// A source.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Citation {
    /// Title of the source.
    pub title: String,
    /// Address or place.
    pub source: String,
    /// What it says that matters here.
    pub relevance: String,
}

/// A fact about the setting of a test.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ContextFact {
    /// What it describes.
    pub fact: Fact,
    /// The value.
    pub value: String,
}

/// A score of the developer experience.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DxScore {
    /// What was scored.
    pub aspect: Aspect,
    /// 1 (unacceptable) to 5 (excellent).
    pub score: u8,
    /// Why.
    pub notes: String,
}

/// A time of the developer experience.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DxTime {
    /// What it measures.
    pub what: DxTimed,
    /// Minutes.
    pub minutes: f64,
}

/// Feedback on the documentation of what is tested.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DocumentationFeedback {
    /// What it is about.
    pub aspect: DocumentationAspect,
    /// Where in the documentation.
    pub place: String,
    /// The feedback.
    pub text: String,
}

/// An entry of a ledger that is no finding. The fields are those of the ledger's template.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LedgerRecord {
    /// Which ledger.
    pub ledger: Ledger,
    /// The entry without id, agent and time, which the fold gives.
    pub entry: serde_json::Map<String, Value>,
}

/// A golden was compared.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GoldenRecord {
    /// Its name.
    pub name: String,
    /// What came of it.
    pub outcome: GoldenOutcome,
    /// The pair and its diff, relative to the run folder; absent where nothing was stored.
    #[serde(default)]
    pub files: Vec<String>,
    /// Explanation of anything but a match.
    #[serde(default)]
    pub why: String,
    /// The first differences, as a unified diff.
    #[serde(default)]
    pub diff: String,
    /// Source file.
    pub file: String,
    /// Line.
    pub line: u32,
}

/// A panic.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PanicRecord {
    /// Name of the thread.
    pub thread: String,
    /// The message.
    pub message: String,
    /// Source file.
    pub file: String,
    /// Line.
    pub line: u32,
    /// The backtrace as text, cut to the frames of interest.
    pub backtrace: String,
    /// Whether it happened outside the body, where nobody may have looked.
    pub background: bool,
    /// Whether the test announced it.
    pub expected: bool,
    /// How it was attributed to the test: `thread`, `span` or `sole`.
    pub route: String,
}

/// A finding with who found it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FindingRecord {
    /// `sfp1:` and 32 hexadecimal digits.
    pub fingerprint: String,
    /// `author`, `runtime` or `observer:NAME`.
    pub source: String,
    /// Whether the committed file of known findings accepts it: then its status and reason.
    #[serde(default)]
    pub known: Option<KnownAs>,
    /// The finding.
    pub finding: Finding,
}

/// A finding of another tool's document.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ImportedRecord {
    /// Where the document came from.
    pub source: String,
    /// Its place in the document, from 0.
    pub position: u64,
    /// The finding as it stood there, whatever it is: JSON as text, because it may be no valid Unicode.
    pub json: String,
}

/// Another tool's document, without its findings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ImportedDocument {
    /// Where it came from.
    pub source: String,
    /// The document as it stood there, with an empty list of findings: JSON as text, because it may be no valid Unicode.
    pub json: String,
}

/// What the committed file of known findings says of a fingerprint.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct KnownAs {
    /// The id that the file gives it, if it does.
    pub id: Option<String>,
    /// Its status there.
    pub status: String,
    /// Why it is accepted.
    pub why: String,
    /// The finding of which it is a duplicate, as id or fingerprint.
    #[serde(default)]
    pub duplicate_of: Option<String>,
    /// How it was resolved.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub resolution: Option<Resolution>,
    /// How its status changed.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub history: Vec<Transition>,
    /// Whether it, or the finding of which it is a duplicate, counts as fixed: seen again, it is a regression.
    #[serde(default)]
    pub regression: bool,
    /// When that one was resolved: what was seen before is none.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub fixed_at: Option<String>,
}

impl KnownAs {
    /// Whether a finding that was last seen at a time came back after it was fixed.
    #[must_use]
    pub fn is_regression(&self, seen_at: &str) -> bool {
        let by_design =
            self.resolution.as_ref().is_some_and(|how| how.resolution_type == ResolutionType::ByDesign);
        let fixed = self.regression || (self.status == FindingStatus::Resolved.as_str() && !by_design);
        let before = |fixed_at: &String| match (nanos(seen_at), nanos(fixed_at)) {
            (Some(seen), Some(fixed)) => seen <= fixed,
            _ => false,
        };
        fixed && !self.fixed_at.as_ref().is_some_and(before)
    }

    /// The status of a finding that was last seen at a time: open if it came back.
    #[must_use]
    pub fn status(&self, seen_at: &str) -> FindingStatus {
        match self.status.parse() {
            Ok(FindingStatus::Resolved) if self.is_regression(seen_at) => FindingStatus::Open,
            Ok(status) => status,
            Err(_) => FindingStatus::Open,
        }
    }
}

/// An observer ran.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ObserverRecord {
    /// Its path.
    pub name: String,
    /// How many findings it made.
    pub findings: u32,
    /// Its panic message, if it panicked.
    pub panicked: Option<String>,
}

/// Something could not be recorded.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Loss {
    /// What: `log_line`, `record`, `capture`.
    pub what: String,
    /// How many.
    pub count: u64,
    /// Why.
    pub why: String,
}

/// The end of a test.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TestEnd {
    /// How it ended.
    pub status: TestStatus,
    /// What made it so, worst first.
    pub reasons: Vec<String>,
    /// Duration of the body in milliseconds.
    pub duration_ms: f64,
    /// Fingerprints of findings that were red here.
    pub red: Vec<String>,
    /// What the test's log holds.
    pub log: LogSummary,
}

/// What a test's log holds and what it lacks.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct LogSummary {
    /// Records written.
    pub records: u64,
    /// Records that could not be written.
    pub lost: u64,
    /// Records per route: `span`, `thread`, `sole`, `child`.
    pub routes: std::collections::BTreeMap<String, u64>,
    /// Whether everything was captured from start to end. Otherwise, why not.
    pub partial: Option<String>,
}
