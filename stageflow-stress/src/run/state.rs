//! What a run knows once its journals have been read: the one input of every file that is written into its folder.

use std::collections::{BTreeMap, HashSet};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::catalogue::CatalogueState;
use crate::classify::{Priority, Risk};
use crate::finding::{Counted, EvidenceItem, Finding, FindingStatus, Frequency};
use crate::journal::record::{
    AssertionRecord, Check, Citation, ContextFact, DocumentationFeedback, DxScore, DxTime, GoldenRecord,
    Hypothesis, KnownAs, LedgerRecord, LogRule, Loss, Measured, Metric, Note, ObserverRecord, PanicRecord,
    ProcessInfo, Sample, TestEnd, TestStart, TestStatus, Throughput,
};

/// The identity of a run, written once into `.stageflow/run.json` when its folder is claimed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunInfo {
    /// Format of the folder.
    pub format: u32,
    /// `run-2026-01-14-001`.
    pub run_id: String,
    /// Identity across all machines.
    pub uuid: String,
    /// The roadmap entry.
    pub entry: EntryInfo,
    /// When the folder was claimed.
    pub started_at: String,
    /// Which invocation it belongs to.
    pub invocation: String,
    /// The invocation's root seed.
    pub seed: u64,
    /// Git commit of the workspace, where there is one.
    pub git_commit: Option<String>,
    /// Whether the working tree had changes; unknown where git did not answer.
    pub git_dirty: Option<bool>,
    /// The machine and its tools.
    pub environment: Environment,
    /// The committed file of known findings.
    #[serde(default)]
    pub known: Option<PathBuf>,
    /// What `stageflow.toml` says about the setting of the tests (industry, persona, …), in its order.
    pub settings: Vec<ContextFact>,
    /// The sources that `stageflow.toml` names.
    #[serde(default)]
    pub citations: Vec<Citation>,
    /// Labels of the continuous-integration system, where it set them.
    #[serde(default)]
    pub ci: BTreeMap<String, String>,
    /// Rules of git that would drop what must be kept of it, where runs are kept.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub git_drops: Vec<String>,
    /// The runs of which it is made, where it was merged from several, by their identity.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shards: Vec<String>,
}

/// A roadmap entry, owned.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EntryInfo {
    /// Id.
    pub id: String,
    /// Title.
    pub title: String,
    /// Tier and its heading.
    pub tier: String,
    /// Section and its heading.
    pub section: String,
    /// Priority.
    pub priority: Priority,
    /// Risk class.
    pub risk: Risk,
    /// Phase; 0 where the roadmap gives none.
    pub phase: u8,
    /// The measurable target as text, if there is one.
    pub target: Option<String>,
}

/// The machine and its tools. Absent values are unknown, never guessed.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Environment {
    /// Operating system with its version.
    pub os: String,
    /// Processor model.
    pub cpu: Option<String>,
    /// Logical cores.
    pub logical_cores: Option<usize>,
    /// Memory in GB of 1,000,000,000 bytes, with one decimal.
    pub memory_gb: Option<f64>,
    /// Graphics processors.
    pub gpu: Option<String>,
    /// Version of rustc.
    pub rustc: Option<String>,
    /// Target triple of the test binary.
    pub target: String,
    /// `debug` or `release`.
    pub profile: String,
    /// Packages and their versions from `Cargo.lock`.
    pub dependencies: BTreeMap<String, String>,
}

/// Everything that the journals of a run say.
#[derive(Debug, Clone, PartialEq)]
pub struct RunState {
    /// Identity of the run.
    pub info: RunInfo,
    /// The run's folder.
    pub dir: PathBuf,
    /// The processes that wrote, by the time of their first record.
    pub processes: Vec<ProcessInfo>,
    /// The tests, by start time.
    pub tests: Vec<TestState>,
    /// The findings, one for each fingerprint, worst first and by id within a severity.
    pub findings: Vec<StoredFinding>,
    /// Strengths and improvements, in the order in which they were recorded. Bugs and DX issues are findings.
    pub ledger: Vec<Timed<LedgerRecord>>,
    /// Time of the last record.
    pub last_at: String,
    /// What the invocation registered and ran; absent where no catalogue lies beside the run.
    pub catalogue: Option<CatalogueState>,
    /// What the documents say of themselves from which findings were imported, in the order of their journals.
    pub imports: Vec<ImportedFrom>,
    /// What was lost, summed over tests and journals. Empty means: nothing that anybody noticed.
    pub losses: Vec<Loss>,
    /// Journal lines that could not be read: torn by the end of a process, or damaged.
    pub unreadable_lines: u64,
}

/// A document of another tool, as far as it tells of its run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportedFrom {
    /// Where it came from.
    pub source: String,
    /// The status that it states.
    pub status: Option<String>,
    /// The summary that it gives.
    pub summary: Option<String>,
}

/// A value with the time at which it was recorded.
#[derive(Debug, Clone, PartialEq)]
pub struct Timed<T> {
    /// RFC 3339, UTC.
    pub at: String,
    /// Path of the test that recorded it; empty where none did.
    pub test: String,
    /// The value.
    pub value: T,
}

/// One test of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct TestState {
    /// How it was declared and what it was given.
    pub start: TestStart,
    /// When it began.
    pub started_at: String,
    /// When it ended, if it did.
    pub ended_at: Option<String>,
    /// How it ended. A test without an end is `Crashed` if its process is gone and `Running` otherwise.
    pub status: TestStatus,
    /// Its end.
    pub end: Option<TestEnd>,
    /// Its checks.
    pub checks: Vec<Check>,
    /// Its measured numbers.
    pub metrics: Vec<Metric>,
    /// Its timed operations.
    pub samples: Vec<Sample>,
    /// Its throughputs.
    pub throughputs: Vec<Throughput>,
    /// What instruments measured.
    pub measured: Vec<Measured>,
    /// Its hypotheses.
    pub hypotheses: Vec<Hypothesis>,
    /// Its notes.
    pub notes: Vec<Note>,
    /// Its sources.
    pub citations: Vec<Citation>,
    /// Facts about its setting.
    pub facts: Vec<ContextFact>,
    /// What its author declares of its log.
    pub log_rules: Vec<LogRule>,
    /// Its scores of the developer experience.
    pub dx_scores: Vec<DxScore>,
    /// Its times of the developer experience.
    pub dx_times: Vec<DxTime>,
    /// Its feedback on documentation.
    pub documentation: Vec<DocumentationFeedback>,
    /// Its goldens.
    pub goldens: Vec<GoldenRecord>,
    /// Its panics.
    pub panics: Vec<PanicRecord>,
    /// The observers that ran after it.
    pub observers: Vec<ObserverRecord>,
    /// What it did at the places of assertions.
    pub assertions: Vec<AssertionRecord>,
    /// Fingerprints of its findings.
    pub findings: Vec<String>,
    /// Records that came after its end: somebody still used its context.
    pub late: u64,
}

/// A finding as a run keeps it: with id, status and how often it was seen.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredFinding {
    /// `DAG-005-BUG-001`.
    pub id: String,
    /// `sfp1:…`.
    pub fingerprint: String,
    /// The first record of it.
    pub finding: Finding,
    /// Who found it: `author`, `runtime`, `observer:NAME`.
    pub source: String,
    /// Times it was seen in this run.
    pub occurrences: u64,
    /// Paths of the tests that saw it.
    pub tests: Vec<String>,
    /// When it was first recorded in this run.
    pub created_at: String,
    /// When it was last recorded in this run.
    pub updated_at: String,
    /// What the committed file of known findings says of it; absent for an unknown finding.
    pub known: Option<KnownAs>,
    /// How many executions of those tests saw it, of how many that ended.
    pub seen: Counted,
    /// Up to five sightings that differ from the first, chosen by their content alone.
    pub sightings: Vec<Sighting>,
    /// Sightings of findings that the committed file calls duplicates of it.
    pub duplicate_occurrences: u64,
    /// Fingerprints of findings that may be the same. A suggestion.
    pub possible_duplicate_of: Vec<String>,
    /// Ids that it had elsewhere: in runs that were merged into this one, or in the document of another tool.
    pub aliases: Vec<String>,
    /// Every field of it in the document of another tool.
    pub foreign: Option<serde_json::Value>,
}

/// Another sighting of a finding.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Sighting {
    /// Its title, with its values.
    pub title: String,
    /// Its description.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Where in the source.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
    /// What detectors saw.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub evidence: Vec<EvidenceItem>,
}

impl RunState {
    /// The ids of a test's findings, in the order of the run's.
    pub fn ids_of(&self, test: &TestState) -> Vec<&str> {
        let of_test: HashSet<&str> = test.findings.iter().map(String::as_str).collect();
        let of_test = |stored: &&StoredFinding| of_test.contains(stored.fingerprint.as_str());
        self.findings.iter().filter(of_test).map(|stored| stored.id.as_str()).collect()
    }

    /// The sources that the settings name, then those of the tests.
    pub fn citations(&self) -> impl Iterator<Item = &Citation> {
        self.info.citations.iter().chain(self.tests.iter().flat_map(|test| &test.citations))
    }
}

impl TestState {
    /// A test that has started and recorded nothing yet.
    pub fn new(start: TestStart, started_at: String) -> Self {
        TestState {
            start,
            started_at,
            ended_at: None,
            status: TestStatus::Running,
            end: None,
            checks: Vec::new(),
            metrics: Vec::new(),
            samples: Vec::new(),
            throughputs: Vec::new(),
            measured: Vec::new(),
            hypotheses: Vec::new(),
            notes: Vec::new(),
            citations: Vec::new(),
            facts: Vec::new(),
            log_rules: Vec::new(),
            dx_scores: Vec::new(),
            dx_times: Vec::new(),
            documentation: Vec::new(),
            goldens: Vec::new(),
            panics: Vec::new(),
            observers: Vec::new(),
            assertions: Vec::new(),
            findings: Vec::new(),
            late: 0,
        }
    }
}

impl Sighting {
    /// The sighting of a record.
    pub fn of(finding: &Finding) -> Self {
        Sighting {
            title: finding.title.clone(),
            description: finding.description.clone(),
            location: finding.location.clone(),
            evidence: finding.evidence.clone(),
        }
    }
}

impl StoredFinding {
    /// A finding that was not seen yet.
    pub fn new(fingerprint: String, finding: Finding, source: String, at: String) -> Self {
        StoredFinding {
            id: String::new(),
            fingerprint,
            finding,
            source,
            occurrences: 0,
            tests: Vec::new(),
            created_at: at.clone(),
            updated_at: at,
            known: None,
            seen: Counted { seen: 0, trials: 0 },
            sightings: Vec::new(),
            duplicate_occurrences: 0,
            possible_duplicate_of: Vec::new(),
            aliases: Vec::new(),
            foreign: None,
        }
    }

    /// How often it was seen: as its author counted, else of the executions of its tests.
    pub fn counted(&self) -> Option<Counted> {
        self.finding.reproduction.counted.or((self.seen.trials > 0).then_some(self.seen))
    }

    /// The word for it. Fewer than three executions have none: what happened in one of one did not happen often.
    pub fn frequency(&self) -> Option<Frequency> {
        self.finding.reproduction.frequency().or_else(|| {
            let seen = Some(self.seen).filter(|seen| seen.trials >= 3)?;
            Frequency::of(seen.seen, seen.trials)
        })
    }

    /// The status: what the committed file says, else open. A finding that the file calls fixed and that was seen since
    /// is open.
    pub fn status(&self) -> FindingStatus {
        self.known.as_ref().map_or(FindingStatus::Open, |known| known.status(&self.updated_at))
    }

    /// Whether the committed file calls it fixed, and it was seen since.
    pub fn is_regression(&self) -> bool {
        self.known.as_ref().is_some_and(|known| known.is_regression(&self.updated_at))
    }
}
