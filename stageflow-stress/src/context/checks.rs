//! Non-fatal assertions, goldens and measurements.

use std::fmt::Debug;
use std::future::Future;
use std::panic::Location;
use std::time::{Duration, Instant};

use serde::Serialize;

use super::{Inner, TestContext};
use crate::classify::Severity;
use crate::finding::{Attachment, Finding, FindingType};
use crate::golden;
use crate::journal::record::{Check, GoldenOutcome, GoldenRecord, Metric, Record, Sample, Throughput};
use crate::redact;
use crate::run::{slug, write_atomically};

/// Longer values are cut: a report shows what differs, the log can hold the rest.
const SHOWN: usize = 2_000;

impl TestContext {
    /// Records whether `passed`, and goes on. A check that does not hold makes the test red in the end.
    ///
    /// Its name identifies it: give each check of a test its own, and put no measured value into it.
    /// Returns `passed`, so that a test can stop where going on makes no sense.
    #[track_caller]
    pub fn check(&self, name: &str, passed: bool) -> bool {
        self.inner.check(name, passed, || "the condition is false".to_owned(), Location::caller())
    }

    /// Records whether `actual` equals `expected`, and goes on. Both are shown where they differ.
    #[track_caller]
    pub fn check_eq<A: Debug + PartialEq<E>, E: Debug>(&self, name: &str, actual: A, expected: E) -> bool {
        let passed = actual == expected;
        self.inner.check(
            name,
            passed,
            || format!("actual: {actual:?}\nexpected: {expected:?}"),
            Location::caller(),
        )
    }

    /// Records whether `result` is `Ok`, and goes on with its value.
    #[track_caller]
    pub fn check_ok<T, E: Debug>(&self, name: &str, result: Result<T, E>) -> Option<T> {
        let location = Location::caller();
        match result {
            Ok(value) => {
                self.inner.check(name, true, String::new, location);
                Some(value)
            }
            Err(error) => {
                self.inner.check(name, false, || format!("expected Ok, found Err({error:?})"), location);
                None
            }
        }
    }

    /// Records whether `result` is `Err`, as it must be where something has to be denied or refused. Goes on with the
    /// error.
    #[track_caller]
    pub fn check_err<T: Debug, E>(&self, name: &str, result: Result<T, E>) -> Option<E> {
        let location = Location::caller();
        match result {
            Ok(value) => {
                self.inner.check(name, false, || format!("expected Err, found Ok({value:?})"), location);
                None
            }
            Err(error) => {
                self.inner.check(name, true, String::new, location);
                Some(error)
            }
        }
    }

    /// Compares `value` with its stored reference, and goes on. Returns whether it matches.
    ///
    /// The value is compared as JSON with sorted keys, every digit of its numbers included. References lie beside the
    /// test in `snapshots/`, are named `FUNCTION-NAME`, and are reviewed with `cargo insta review`. Reference, value and
    /// diff of everything but a match are kept in the run folder. Works on every thread.
    #[track_caller]
    pub fn golden<T: Serialize + ?Sized>(&self, name: &str, value: &T) -> bool {
        match golden::canonical_json(&value) {
            Ok(text) => self.inner.golden(name, &text, "json", Location::caller()),
            Err(error) => {
                let why = format!("the value cannot be written as JSON: {error}");
                let compared = golden::Compared { outcome: GoldenOutcome::Unusable, reference: None, why };
                self.inner.golden_outcome(name, "", "json", compared, Location::caller())
            }
        }
    }

    /// As [`TestContext::golden`], for text. White space around the text is not compared.
    #[track_caller]
    pub fn golden_text(&self, name: &str, text: &str) -> bool {
        self.inner.golden(name, text, "txt", Location::caller())
    }

    /// Awaits `operation` and records how long it took under `series`.
    pub async fn measure<F: Future>(&self, series: &str, operation: F) -> F::Output {
        let started = Instant::now();
        let output = operation.await;
        self.sample(series, started.elapsed());
        output
    }

    /// Runs `operation` and records how long it took under `series`.
    pub fn measure_sync<T>(&self, series: &str, operation: impl FnOnce() -> T) -> T {
        let started = Instant::now();
        let output = operation();
        self.sample(series, started.elapsed());
        output
    }

    /// Records the duration of one operation under `series`.
    pub fn sample(&self, series: &str, duration: Duration) {
        let nanos = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        self.inner.record(Record::Sample(Sample { series: series.to_owned(), nanos }));
    }

    /// Records that `count` operations, `failed` of them without success, took `duration` altogether.
    pub fn throughput(&self, series: &str, count: u64, failed: u64, duration: Duration) {
        let nanos = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        self.inner.record(Record::Throughput(Throughput { series: series.to_owned(), count, failed, nanos }));
    }

    /// Records a measured number with its unit.
    pub fn metric(&self, name: &str, value: f64, unit: &str) {
        let metric = Metric { name: name.to_owned(), value, unit: unit.to_owned() };
        self.inner.collected().metrics.push(metric.clone());
        self.inner.record(Record::Metric(metric));
    }
}

impl Inner {
    pub(crate) fn check(
        &self,
        name: &str,
        passed: bool,
        detail: impl FnOnce() -> String,
        location: &Location<'_>,
    ) -> bool {
        let check = Check {
            name: name.to_owned(),
            passed,
            detail: (!passed).then(|| cut(detail())),
            file: self.shown_file(location.file()),
            line: location.line(),
        };
        self.record(Record::Check(check.clone()));
        if !passed {
            let detail = check.detail.clone().unwrap_or_default();
            eprintln!("check failed: {name}\n{detail}\n  at {}:{}", check.file, check.line);
            let finding = Finding::new(FindingType::Bug, format!("check failed: {name}"))
                .severity(self.severity())
                .rule("check")
                .key(name)
                .description(format!("The check `{name}` did not hold.\n\n{detail}"))
                .evidence("check", "the values that were compared", serde_json::json!({ "detail": detail }));
            self.file(finding, "runtime", Some(location));
        }
        self.collected().checks.push(check);
        passed
    }

    fn golden(&self, name: &str, text: &str, extension: &str, location: &Location<'_>) -> bool {
        let stored = format!("{}-{}", self.def.function.trim_start_matches("r#"), slug(name));
        let compared = golden::compare(self.def.golden, &stored, text);
        self.golden_outcome(name, text, extension, compared, location)
    }

    fn golden_outcome(
        &self,
        name: &str,
        actual: &str,
        extension: &str,
        compared: golden::Compared,
        location: &Location<'_>,
    ) -> bool {
        let outcome = compared.outcome;
        let reference = compared.reference.as_deref().unwrap_or_default();
        let differs =
            matches!(outcome, GoldenOutcome::Mismatch | GoldenOutcome::Forced | GoldenOutcome::Accepted);
        let diff = if differs && compared.reference.is_some() {
            golden::unified(reference, actual)
        } else {
            String::new()
        };
        let mut files = Vec::new();
        if outcome != GoldenOutcome::Match {
            let stem = format!("{}__{}", self.start.slug, slug(name));
            let mut keep = |kind: &str, extension: &str, content: &str| {
                let path = format!("results/golden/{stem}.{kind}.{extension}");
                match write_atomically(&self.run.dir.join(&path), redact::cow(content).as_bytes()) {
                    Ok(()) => files.push(path),
                    Err(error) => eprintln!("stageflow-stress: cannot keep {path}: {error}"),
                }
            };
            keep("actual", extension, actual);
            if compared.reference.is_some() {
                keep("reference", extension, reference);
                keep("diff", "txt", &diff);
            }
        }
        self.record(Record::Golden(GoldenRecord {
            name: name.to_owned(),
            outcome,
            files: files.clone(),
            why: compared.why.clone(),
            diff: cut(diff.clone()),
            file: self.shown_file(location.file()),
            line: location.line(),
        }));
        self.collected().goldens.push((name.to_owned(), outcome));
        let (title, severity) = match outcome {
            GoldenOutcome::Match => return true,
            GoldenOutcome::Mismatch => ("differs from its reference", self.severity()),
            GoldenOutcome::New => ("has no reference", self.severity()),
            GoldenOutcome::Unusable => ("could not be compared", self.severity()),
            GoldenOutcome::Accepted => ("was accepted without a comparison", Severity::Medium),
            GoldenOutcome::Forced => ("was let pass by INSTA_FORCE_PASS", Severity::Medium),
        };
        eprintln!("golden `{name}` {title}: {}\n{diff}", compared.why);
        let pointers = golden::pointers(reference, actual, 20);
        let mut finding = Finding::new(FindingType::Bug, format!("golden `{name}` {title}"))
            .severity(severity)
            .rule(format!("golden.{outcome}"))
            .key(name)
            .description(format!("{}\n\n{}", compared.why, cut(diff)))
            .evidence(
                "golden output",
                "what differs",
                serde_json::json!({ "pointers": pointers, "why": compared.why }),
            );
        for path in files {
            let shown = path.rsplit('/').next().unwrap_or(&path).to_owned();
            finding.attachments.push(Attachment { name: shown, path, kind: "diff".to_owned() });
        }
        self.file(finding, "runtime", Some(location));
        false
    }
}

fn cut(text: String) -> String {
    match text.char_indices().nth(SHOWN) {
        None => text,
        Some((at, _)) => format!("{}… ({} characters in all)", &text[..at], text.chars().count()),
    }
}
