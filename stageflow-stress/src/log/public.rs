//! Logs of any kind, analysed and compared.
//!
//! Every test's own log is analysed by itself. This is the same for any other log: of a system that runs elsewhere, of an
//! earlier release, of a child process. The command line has it as `stageflow-test logs analyze FILE…` and
//! `stageflow-test logs diff BEFORE AFTER`.
//!
//! Formats are found out line by line, and one file may mix them: our own, JSON lines of `tracing-subscriber` and Python,
//! their text, `env_logger`, logfmt, syslog, logcat, any text with a time and a level before the message, and plain lines.
//! Stack traces are joined to their records. What no format explains is counted and kept.
//!
//! ```
//! use stageflow_stress::logs::{Options, analyze};
//!
//! let log = "\
//! 2026-01-14 09:00:00,000 - dag - INFO - stage started run_id=7 stage=load
//! 2026-01-14 09:00:01,000 - dag - ERROR - cannot write part: disk is full
//! Traceback (most recent call last):
//!   File \"dag.py\", line 7, in write
//! OSError: [Errno 28] No space left on device
//! ";
//! let report = analyze(log.as_bytes(), &Options::new().name("dag.log"));
//! assert_eq!((report.lines(), report.records(), report.coverage()), (5, 2, Some(100.0)));
//! let errors = report.detectors().find(|detector| detector.id == "D2").unwrap();
//! assert_eq!(errors.outcome.as_str(), "finding");
//! assert!(report.markdown().contains("No space left on device"));
//! ```

use serde_json::{Value, json};

use super::analysis::{self, Analysis, AnalysisInput};
use super::diff::{self, Change, Difference};
use super::digest::LogDigest;
pub use super::digest::{DetectorOutcome, DetectorResult, Observation, TemplateCounts};
use super::rules::{Expected, Machine, Pair, Rules, Waiver};
use crate::finding::Finding;
use crate::journal::record::LogSummary;
use crate::markdown::{Doc, Inline, count};

/// What is known of a log besides its text. All of it is optional.
#[derive(Debug, Clone, Default)]
#[must_use]
pub struct Options {
    name: String,
    reproduce: String,
    rules: Rules,
}

impl Options {
    /// Nothing is known.
    pub fn new() -> Self {
        Self::default()
    }

    /// What reports call the log, such as the name of its file.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// Whether what wrote the log went well. Errors in the log of a success are findings.
    pub fn passed(mut self, passed: bool) -> Self {
        self.rules.passed = Some(passed);
        self
    }

    /// The command that makes such a log again.
    pub fn reproduce(mut self, command: impl Into<String>) -> Self {
        self.reproduce = command.into();
        self
    }

    /// Errors that hold this text belong to the scenario.
    pub fn expect_error(mut self, text: impl Into<String>) -> Self {
        self.rules.expected_errors.push(text.into());
        self
    }

    /// A record that holds this text, in its message, target or fields, must be there so often.
    ///
    /// ```
    /// use stageflow_stress::logs::{Options, analyze};
    ///
    /// let report = analyze(b"INFO: ready\n", &Options::new().expect_log("ready", 1..=1).expect_log("closed", 1..));
    /// assert_eq!(report.findings().len(), 1); // `closed` is missing
    /// ```
    pub fn expect_log(mut self, text: impl Into<String>, times: impl std::ops::RangeBounds<u64>) -> Self {
        self.rules.expected.push(Expected::new(text.into(), &times));
        self
    }

    /// Every record that holds `start` must be followed by one that holds one of `ends`. The value of the field `key` joins
    /// them; where it is empty, there is at most one at a time.
    pub fn expect_pair<S: Into<String>>(
        mut self,
        start: impl Into<String>,
        ends: impl IntoIterator<Item = S>,
        key: impl Into<String>,
    ) -> Self {
        self.rules.pairs.push(Pair {
            start: start.into(),
            ends: ends.into_iter().map(Into::into).collect(),
            key: key.into(),
        });
        self
    }

    /// The states of a thing: `steps` are those that are allowed, `field` holds the state, and `key` tells one thing from
    /// another. A step from `""` says where a life may begin.
    pub fn states<'s>(
        mut self,
        name: impl Into<String>,
        key: impl Into<String>,
        field: impl Into<String>,
        steps: impl IntoIterator<Item = (&'s str, &'s str)>,
    ) -> Self {
        self.rules.machines.push(Machine {
            name: name.into(),
            key: key.into(),
            field: field.into(),
            steps: steps.into_iter().map(|(from, to)| (from.to_owned(), to.to_owned())).collect(),
        });
        self
    }

    /// A field that names the operation of a record, besides `run_id`, `pipeline_run_id`, `correlation_id`, `request_id`,
    /// `trace_id` and their other spellings.
    pub fn correlate_by(mut self, field: impl Into<String>) -> Self {
        self.rules.correlation.push(field.into());
        self
    }

    /// Accepts what a detector, 1 for D1, sees about subjects that hold this text; all of it if the text is empty.
    pub fn waive(mut self, detector: u8, text: impl Into<String>) -> Self {
        self.rules.waived.push(Waiver { detector, text: text.into(), why: String::new() });
        self
    }

    /// Memory in bytes after so many operations, for D21.
    pub fn memory(mut self, samples: impl IntoIterator<Item = (f64, f64)>) -> Self {
        self.rules.memory.extend(samples);
        self
    }

    /// Compares with the log of a run that went well, for D4 and D13.
    pub fn last_good(mut self, log: &[u8]) -> Self {
        self.rules.baseline = Some(profile_of(log));
        self
    }
}

/// What a log shows.
#[derive(Debug)]
pub struct Report {
    pub(crate) analysis: Analysis,
}

/// Analyses a log. It never fails: what cannot be read is counted.
#[must_use]
pub fn analyze(log: &[u8], options: &Options) -> Report {
    let expected: Vec<&str> = options.rules.expected_errors.iter().map(String::as_str).collect();
    let summary = LogSummary::default();
    let slug = options.name.rsplit(['/', '\\']).next().unwrap_or_default();
    let analysis = analysis::analyze(
        log,
        &AnalysisInput {
            test: if options.name.is_empty() { "a log" } else { &options.name },
            slug,
            log: &options.name,
            reproduce: &options.reproduce,
            passed: options.rules.passed,
            summary: &summary,
            expected: &expected,
            rules: Some(&options.rules),
        },
    );
    Report { analysis }
}

/// What is kept of a log to compare others with it.
pub(crate) fn profile_of(log: &[u8]) -> super::profile::Profile {
    analyze(log, &Options::new()).analysis.profile
}

/// The same of a part of a log of our own, from one record to another.
pub(crate) fn profile_of_part(log: &[u8]) -> super::profile::Profile {
    let mut whole = format!("# {}: {}\n\n", super::format::FORMAT_KEY, super::format::FORMAT).into_bytes();
    whole.extend_from_slice(log);
    let mut profile = profile_of(&whole);
    // A part that names no operations is one itself.
    profile.operations = profile.operations.max(1);
    profile
}

impl Report {
    fn digest(&self) -> &LogDigest {
        &self.analysis.digest
    }

    /// Lines of the log.
    #[must_use]
    pub fn lines(&self) -> u64 {
        self.digest().lines
    }

    /// Records of the log. A record may have several lines.
    #[must_use]
    pub fn records(&self) -> u64 {
        self.digest().records
    }

    /// Percentage of lines that a format explains; nothing for an empty log.
    #[must_use]
    pub fn coverage(&self) -> Option<f64> {
        self.digest().parsed_percent
    }

    /// Lines that no format explains. They are kept with the record above them.
    #[must_use]
    pub fn unparsed(&self) -> u64 {
        self.digest().unparsed_lines
    }

    /// The formats of the records, with their numbers.
    #[must_use]
    pub fn formats(&self) -> &str {
        &self.digest().formats
    }

    /// The templates with most records.
    #[must_use]
    pub fn templates(&self) -> &[TemplateCounts] {
        &self.digest().templates
    }

    /// Every detector with what came of it.
    pub fn detectors(&self) -> impl Iterator<Item = &DetectorResult> {
        self.digest().detectors.iter()
    }

    /// What is worth a finding, one per rule and subject.
    #[must_use]
    pub fn findings(&self) -> &[Finding] {
        &self.analysis.findings
    }

    /// The numbers, as `{slug}_stats.json` holds them; their schema is `docs/schema/log-stats.schema.json`.
    #[must_use]
    pub fn stats_json(&self) -> String {
        self.analysis.stats_json()
    }

    /// The errors with their context, as `{slug}_errors.json` holds them; their schema is
    /// `docs/schema/log-errors.schema.json`.
    #[must_use]
    pub fn errors_json(&self) -> String {
        self.analysis.errors_json()
    }

    /// A page to read.
    #[must_use]
    pub fn markdown(&self) -> String {
        self.analysis.markdown()
    }
}

/// The templates of messages, and for each message the place of its template in that list.
///
/// ```
/// let (templates, of) = stageflow_stress::logs::templates(["took 3 ms", "took 17 ms", "closed"]);
/// assert_eq!(templates, ["took <*> ms", "closed"]);
/// assert_eq!(of, [0, 0, 1]);
/// ```
#[must_use]
pub fn templates<'m>(messages: impl IntoIterator<Item = &'m str>) -> (Vec<String>, Vec<usize>) {
    let mut miner = super::template::Miner::default();
    let forms: Vec<u32> = messages.into_iter().map(|message| miner.add(0, message)).collect();
    let (templates, of_form) = miner.finish(super::template::Config::default());
    // In the order of their first message.
    let mut places = vec![usize::MAX; templates.len()];
    let mut texts = Vec::new();
    let of = forms
        .into_iter()
        .map(|form| {
            let template = of_form[form as usize] as usize;
            if places[template] == usize::MAX {
                places[template] = texts.len();
                texts.push(templates[template].text.clone());
            }
            places[template]
        })
        .collect();
    (texts, of)
}

/// What differs between two logs.
#[derive(Debug)]
pub struct Diff {
    difference: Difference,
    before: String,
    after: String,
}

/// Compares two logs of the same thing: a passing and a failing attempt, the last good run and this one, the arm of an
/// experiment without a fault and the one with it.
///
/// ```
/// use stageflow_stress::logs::{Options, diff};
///
/// let before = b"INFO: stage load started\nINFO: stage load completed\n";
/// let after = b"INFO: stage load started\nWARNING: cache is cold, reading from disk\nINFO: stage load completed\n";
/// let diff = diff(before, after, &Options::new());
/// assert!(!diff.is_empty());
/// assert!(diff.markdown().contains("cache is cold"));
/// ```
#[must_use]
pub fn diff(before: &[u8], after: &[u8], options: &Options) -> Diff {
    diff_many(&[before], &[after], options)
}

/// Compares several logs with several others. More logs make more operations, and with twenty on either side frequencies
/// are compared too: by an exact test, of whose hits at most one in twenty is there by chance.
#[must_use]
pub fn diff_many(before: &[&[u8]], after: &[&[u8]], options: &Options) -> Diff {
    let sum = |logs: &[&[u8]]| {
        let mut sum = super::profile::Profile::default();
        for log in logs {
            let mut one = analyze(log, options).analysis.profile;
            // A log that names no operations is one itself.
            one.operations = one.operations.max(1);
            sum.add(one);
        }
        sum
    };
    Diff {
        difference: diff::compare(&sum(before), &sum(after)),
        before: "before".to_owned(),
        after: "after".to_owned(),
    }
}

impl Diff {
    /// What reports call the two sides.
    #[must_use]
    pub fn names(mut self, before: impl Into<String>, after: impl Into<String>) -> Self {
        (self.before, self.after) = (before.into(), after.into());
        self
    }

    /// Whether nothing differs that is more than chance.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.difference.changes.is_empty()
            && self.difference.new_steps.is_empty()
            && self.difference.gone_steps.is_empty()
    }

    /// All of it, for programs.
    #[must_use]
    pub fn json(&self) -> Value {
        let steps = |steps: &[(String, String, u64)]| -> Vec<Value> {
            steps.iter().map(|(from, to, n)| json!({ "from": from, "to": to, "count": n })).collect()
        };
        json!({
            "format": 1,
            "before": self.before,
            "after": self.after,
            "same": self.difference.same,
            "frequencies_not_compared": self.difference.no_rates,
            "changes": self.difference.changes.iter().map(Change::json).collect::<Vec<_>>(),
            "new_steps": steps(&self.difference.new_steps),
            "gone_steps": steps(&self.difference.gone_steps),
        })
    }

    /// A page to read.
    #[must_use]
    pub fn markdown(&self) -> String {
        let mut doc = Doc::default();
        doc.heading(
            1,
            Inline::default().text("Log difference: ").text(&self.before).text(" → ").text(&self.after),
        );
        difference(&mut doc, &self.difference, 50);
        doc.finish()
    }
}

/// The tables of a difference.
pub(super) fn difference(doc: &mut Doc, difference: &Difference, shown: usize) {
    if let Some(why) = &difference.no_rates {
        doc.line(format!("Frequencies were not compared: {why}."));
    }
    doc.line(format!("{} the same in both.", count(difference.same, "pattern is", "patterns are")));
    if difference.changes.is_empty() {
        doc.line("No pattern is new, gone, or far more or less frequent.");
    } else {
        doc.table(
            ["Change", "Level", "Pattern", "Before", "After", "p", "Line", "Sample"],
            difference.changes.iter().take(shown).map(|change| {
                [
                    change.kind.as_str().into(),
                    change.level.as_str().into(),
                    change.text.chars().take(160).collect::<String>().into(),
                    change.before.to_string().into(),
                    change.after.to_string().into(),
                    change.p.map_or_else(|| "-".to_owned(), |p| format!("{p:.1e}")).into(),
                    change.line.to_string().into(),
                    change.sample.chars().take(120).collect::<String>().into(),
                ]
            }),
        );
        if difference.changes.len() > shown {
            doc.line(format!(
                "And {}.",
                count(difference.changes.len() - shown, "more change", "more changes")
            ));
        }
    }
    for (title, steps) in
        [("Steps that are new", &difference.new_steps), ("Steps that are gone", &difference.gone_steps)]
    {
        if steps.is_empty() {
            continue;
        }
        doc.heading(3, title);
        doc.table(
            ["After", "comes", "Times"],
            steps
                .iter()
                .take(shown)
                .map(|(from, to, n)| [from.as_str().into(), to.as_str().into(), n.to_string().into()]),
        );
    }
}

#[cfg(test)]
#[path = "public_tests.rs"]
mod tests;
