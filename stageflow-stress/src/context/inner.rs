//! The state behind a context: where records go, and what the verdict needs to remember.

use std::panic::Location;
use std::path::Path;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Background;
use crate::capture::{Active, LogEvent};
use crate::classify::Severity;
use crate::fault::{Armed, Faults};
use crate::finding::{Finding, KnownFindings, fingerprint};
use crate::journal::record::{Check, FindingRecord, GoldenOutcome, Instrument, Metric, Record, TestStart};
use crate::log::format::{Level, Route};
use crate::redact;
use crate::registry::TestDef;
use crate::roadmap::Entry;
use crate::run::{Run, shown_below};

/// The state of a running test. Outlives the test where a task or thread still holds a handle.
#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) def: &'static TestDef,
    pub(crate) entry: Entry,
    pub(crate) run: Arc<Run>,
    pub(crate) start: TestStart,
    pub(crate) seed: u64,
    pub(crate) active: Arc<Active>,
    pub(crate) known: Arc<KnownFindings>,
    pub(crate) root: std::path::PathBuf,
    pub(crate) collected: Mutex<Collected>,
    pub(crate) iteration: AtomicU32,
    pub(crate) background: Background,
    /// The sessions of faults that the body made, with what keeps their points armed.
    pub(crate) faults: Mutex<Vec<(Faults, Armed)>>,
    /// What the phases of scenario probes came to: of the attribute without a name, of those that were built by hand with theirs.
    pub(crate) proofs: Mutex<Vec<(Option<String>, crate::probe::Proof)>>,
    /// The files below `results/metrics` that its records go into, as bits.
    pub(crate) metric_files: AtomicU32,
    /// The plan that takes the place of every other.
    pub(crate) fault_plan: Option<std::path::PathBuf>,
}

/// How many findings the tests of this process have filed.
static FILED: AtomicU64 = AtomicU64::new(0);

/// How many findings the tests of this process have filed.
pub(crate) fn findings_filed() -> u64 {
    FILED.load(Ordering::Relaxed)
}

/// What the verdict and the observers need of what was recorded.
#[derive(Debug, Default)]
pub(crate) struct Collected {
    pub(crate) checks: Vec<Check>,
    pub(crate) goldens: Vec<(String, GoldenOutcome)>,
    pub(crate) metrics: Vec<Metric>,
    pub(crate) findings: Vec<FindingRecord>,
    /// Log fields that the determinism check leaves out.
    pub(crate) volatile: Vec<String>,
    /// What the author declares of the log.
    pub(crate) log_rules: crate::log::rules::Rules,
    /// The parts of the log that are runs of a probe's campaign.
    pub(crate) log_arms: Vec<LogArm>,
    /// The stored plan of its faults, within the run folder.
    pub(crate) stored_plan: Option<String>,
}

/// A part of the log, in bytes of its file.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LogArm {
    pub(crate) from: u64,
    pub(crate) to: u64,
    /// Whether faults were delivered in it.
    pub(crate) faults: bool,
}

impl Inner {
    /// The stems of the files below `results/metrics` that records of this test go into.
    pub(crate) fn metric_files(&self) -> Vec<&'static str> {
        let seen = self.metric_files.load(Ordering::Relaxed);
        let stems = ["values", "latency", "throughput"]
            .into_iter()
            .chain(Instrument::ALL.iter().map(|instrument| instrument.as_str()));
        stems.enumerate().filter(|(at, _)| seen >> at & 1 == 1).map(|(_, stem)| stem).collect()
    }

    /// What is declared of the log.
    pub(crate) fn log_rules(&self) -> crate::log::rules::Rules {
        self.collected().log_rules.clone()
    }

    /// Appends a record of this test.
    pub(crate) fn record(&self, record: Record) {
        let file = match &record {
            Record::Metric(_) => Some(0),
            Record::Sample(_) => Some(1),
            Record::Throughput(_) => Some(2),
            Record::Measured(measured) => Some(3 + measured.instrument as u32),
            _ => None,
        };
        if let Some(bit) = file {
            self.metric_files.fetch_or(1 << bit, Ordering::Relaxed);
        }
        self.run.journal.append(Some(self.start.number), record);
        self.note_late();
    }

    /// A record that comes after the verdict must still reach the run folder.
    fn note_late(&self) {
        if self.background.is_closed() {
            self.run.mark_dirty();
        }
    }

    pub(crate) fn collected(&self) -> MutexGuard<'_, Collected> {
        self.collected.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn iteration(&self) -> u32 {
        self.iteration.load(Ordering::Relaxed)
    }

    /// The severity of what the runtime itself finds in this test, unless the rule says otherwise.
    pub(crate) fn severity(&self) -> Severity {
        self.def.options.severity.unwrap_or(Severity::High)
    }

    /// A source file as findings show it: relative to the workspace root where it lies below it.
    pub(crate) fn shown_file(&self, file: &str) -> String {
        shown_below(&self.root, Path::new(file))
    }

    /// The text of a source line without its indentation, as part of a fingerprint; `None` where it cannot be read.
    pub(crate) fn source_line(&self, file: &str, line: u32) -> Option<String> {
        // `file!()` is relative to the workspace root, whatever directory the test runs in.
        let text = std::fs::read_to_string(self.root.join(file)).ok()?;
        let line = text.lines().nth(usize::try_from(line).ok()?.checked_sub(1)?)?;
        Some(line.split_whitespace().collect::<Vec<_>>().join(" "))
    }

    /// Records a finding, synced to disk, and returns its fingerprint.
    pub(crate) fn file(&self, mut finding: Finding, source: &str, location: Option<&Location<'_>>) -> String {
        if finding.rule.is_empty() {
            finding.rule = source.to_owned();
        }
        if source != "author" {
            finding = super::stock::adjusted(finding, &self.def.options);
        }
        if finding.locator.is_empty() {
            finding.locator = format!("{}::{}", self.start.crate_name, self.start.name);
        }
        if let (None, Some(location)) = (&finding.location, location) {
            finding.location = Some(format!("{}:{}", self.shown_file(location.file()), location.line()));
        }
        if finding.reproduction.code_snippet.is_none() {
            finding.reproduction.code_snippet = Some(self.start.reproduce.clone());
        } else if !finding.reproduction.steps.contains(&self.start.reproduce) {
            finding.reproduction.steps.push(self.start.reproduce.clone());
        }
        finding = redact::serializable(finding);
        // What is wrong with the finding itself is said within it: it must not be lost for a bad attachment.
        if let Err(problem) = finding.check() {
            finding.repair(&problem);
            self.active.log.write(&LogEvent::new(
                Some(Level::Error),
                Route::Thread,
                "stageflow_stress",
                &format!("a finding was recorded with a correction: {problem}"),
            ));
        }
        let print = fingerprint(self.entry.id, &finding);
        let known = self.known.lookup(&print);
        let record = FindingRecord { fingerprint: print.clone(), source: source.to_owned(), known, finding };
        self.run.journal.append(Some(self.start.number), Record::Finding(Box::new(record.clone())));
        self.note_late();
        self.collected().findings.push(record);
        FILED.fetch_add(1, Ordering::Relaxed);
        print
    }
}
