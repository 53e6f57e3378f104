//! From what detectors saw to findings, and the table of all detectors with their outcomes.

use serde_json::json;

use super::analysis::AnalysisInput;
use super::detect::{Hit, Verdict};
use super::digest::{DetectorOutcome, DetectorResult, LogDigest, Observation};
use super::groups::ErrorGroup;
use super::measured::MEASURED;
use crate::classify::Severity;
use crate::finding::{Finding, FindingType};
use crate::markdown::count;
use crate::stats::{Proportion, Z_95};

/// Findings that one log makes by each detector.
const FINDINGS: usize = 20;
/// Lines that an observation lists.
const LINES: usize = 50;
/// The rule of a finding from an error-level record.
pub const ERROR_RULE: &str = "log.error_in_passing_test";

/// The findings: errors in a test that passed (D2 and D19), and what the other detectors saw.
pub fn findings(groups: &[ErrorGroup], verdicts: &[Verdict], input: &AnalysisInput<'_>) -> Vec<Finding> {
    let mut findings: Vec<Finding> = groups
        .iter()
        .filter(|group| input.passed == Some(true) && group.is_finding())
        .take(FINDINGS)
        .map(|group| of_error(group, input))
        .collect();
    for verdict in verdicts {
        let detector = &DETECTORS[usize::from(verdict.detector) - 1];
        findings.extend(
            verdict
                .hits
                .iter()
                .filter(|hit| {
                    hit.severity > Severity::Info
                        && !(hit.declared && input.passed == Some(false))
                        && !hit.filed_elsewhere
                })
                .take(FINDINGS)
                .map(|hit| of_hit(verdict.detector, detector, hit, input)),
        );
    }
    findings
}

fn of_error(group: &ErrorGroup, input: &AnalysisInput<'_>) -> Finding {
    let times = count(group.count, "time", "times");
    let excerpt: Vec<String> = group
        .context
        .iter()
        .map(|(line, text, own)| format!("{}{line}: {text}", if *own { ">" } else { " " }))
        .collect();
    Finding::new(FindingType::LogIssue, format!("an error was logged in a passing test: {}", group.key))
        .severity(Severity::Low)
        .rule(ERROR_RULE)
        .key(format!("{} {}", group.target, group.key))
        .tag("log")
        .description(format!(
            "The test passed, and its log holds {times} an error that nobody announced, first on line {} of {}:\n\n{}",
            group.line, input.log, group.sample
        ))
        .recommend(
            "if the error belongs to the scenario, announce it with `expect_errors(\"…\")`; if not, find what failed",
        )
        .evidence(
            "log analysis D2",
            format!("{} from {}, {times}", group.kind.as_str(), group.target),
            json!({
                "count": group.count,
                "first": group.first,
                "last": group.last,
                "log": input.log,
                "line": group.line,
                "excerpt": excerpt,
            }),
        )
        .attach("log", input.log, "log")
        .attach("errors", format!("results/logs/{}_errors.json", input.slug), "log_errors")
}

fn of_hit(number: u8, detector: &Detector, hit: &Hit, input: &AnalysisInput<'_>) -> Finding {
    let lines: Vec<u32> = hit.lines.iter().copied().take(LINES).collect();
    let first =
        lines.first().map_or_else(String::new, |line| format!(" First on line {line} of {}.", input.log));
    Finding::new(detector.kind, hit.title.clone())
        .severity(hit.severity)
        .rule(detector.rule)
        .key(hit.subject.as_str())
        .tag("log")
        .description(format!("{}: {}.{first}", detector.name, hit.text.trim_end_matches('.')))
        .recommend(detector.advice)
        .evidence(
            format!("log analysis D{number}"),
            format!("{}, {}", hit.title, count(hit.count, "time", "times")),
            json!({
                "count": hit.count,
                "log": input.log,
                "lines": lines,
                "precision_at_least": precision(usize::from(number)),
                "measured_on": measured_on(usize::from(number)),
                "rule_version": RULE_VERSION,
                "data": hit.data,
            }),
        )
        .attach("log", input.log, "log")
        .attach("analysis", format!("results/logs/{}_analysis.md", input.slug), "log_analysis")
}

/// Every detector with its outcome.
pub fn detectors(
    digest: &LogDigest,
    groups: &[ErrorGroup],
    findings: &[Finding],
    verdicts: &[Verdict],
    input: &AnalysisInput<'_>,
) -> Vec<DetectorResult> {
    use DetectorOutcome::{Clean, Finding, Inconclusive, NotApplicable};
    let lossy = digest.loss.reasons.join("; ");
    let d1 = if lossy.is_empty() {
        let joined = if digest.joined_lines > 0 {
            format!(", {} joined to the record above", count(digest.joined_lines, "line", "lines"))
        } else {
            String::new()
        };
        (Clean, format!("{} counted{joined}, nothing is missing", count(digest.records, "record", "records")))
    } else {
        (Inconclusive, format!("the counts are lower bounds: {lossy}"))
    };
    let candidates = groups.iter().filter(|group| group.is_finding()).count();
    let filed = findings.iter().filter(|finding| finding.rule == ERROR_RULE).count();
    let d2 = if filed > 0 {
        let shown = count(filed as u64, "unannounced error", "unannounced errors");
        let more = candidates - filed;
        (
            Finding,
            if more > 0 { format!("{shown}, and {more} more without a finding of their own") } else { shown },
        )
    } else if candidates > 0 && input.passed.is_none() {
        (
            Finding,
            format!("{} listed", count(candidates as u64, "different error is", "different errors are")),
        )
    } else if candidates > 0 {
        let errors = count(candidates as u64, "different error is", "different errors are");
        (NotApplicable, format!("{errors} listed; the test did not pass, so they belong to its failure"))
    } else if !lossy.is_empty() {
        (Inconclusive, format!("no unannounced error was seen, but {lossy}"))
    } else if digest.records == 0 {
        (NotApplicable, "the log has no records".to_owned())
    } else if digest.errors.unique > 0 {
        (
            Clean,
            format!(
                "{} announced, a panic, or below error level",
                count(digest.errors.unique, "error:", "errors: all")
            ),
        )
    } else {
        (Clean, "no errors and no stack traces".to_owned())
    };
    let d19 = match input.passed {
        None => (NotApplicable, "the log belongs to no test".to_owned()),
        Some(false) => (NotApplicable, "the test did not pass".to_owned()),
        Some(true) if filed > 0 => (Finding, format!("{}; filed once, with D2", d2.1)),
        Some(true) if !lossy.is_empty() => {
            (Inconclusive, format!("no unannounced error was seen, but {lossy}"))
        }
        Some(true) => (Clean, "no unannounced error in a test that passed".to_owned()),
    };
    DETECTORS
        .iter()
        .enumerate()
        .map(|(n, detector)| {
            let verdict = verdicts.iter().find(|verdict| usize::from(verdict.detector) == n + 1);
            let (outcome, why) = match (n, verdict) {
                (0, _) => d1.clone(),
                (1, _) => d2.clone(),
                (18, _) => d19.clone(),
                (_, Some(verdict)) => (verdict.outcome, verdict.why.clone()),
                (_, None) => (NotApplicable, "it did not run".to_owned()),
            };
            DetectorResult {
                id: format!("D{}", n + 1),
                name: detector.name.to_owned(),
                outcome,
                why,
                precision: precision(n + 1),
                observations: verdict
                    .map(|verdict| verdict.hits.iter().take(FINDINGS).map(observation).collect())
                    .unwrap_or_default(),
            }
        })
        .collect()
}

fn observation(hit: &Hit) -> Observation {
    Observation {
        subject: hit.subject.clone(),
        title: hit.title.clone(),
        text: hit.text.clone(),
        severity: hit.severity,
        count: hit.count,
        lines: hit.lines.iter().copied().take(LINES).collect(),
        data: hit.data.clone(),
    }
}

/// Version of the rules: another one may see other things in the same log.
pub const RULE_VERSION: u32 = 1;

/// A detector, as findings speak of it.
pub struct Detector {
    pub name: &'static str,
    pub rule: &'static str,
    kind: FindingType,
    advice: &'static str,
}

const fn d(name: &'static str, rule: &'static str, advice: &'static str) -> Detector {
    Detector { name, rule, kind: FindingType::LogIssue, advice }
}

/// The planted defects by which a detector was measured, and how many of them it found.
fn measured_on(number: usize) -> Vec<String> {
    MEASURED
        .iter()
        .filter(|measured| usize::from(measured.detector) == number)
        .map(|measured| format!("{}: {} of {} found", measured.defect, measured.found, measured.planted))
        .collect()
}

/// Lower bound at 95 % of the share of a detector's findings that were right, as measured on logs whose truth is known.
/// `docs/log-analysis.md` has the table.
fn precision(number: usize) -> Option<f64> {
    let own = || MEASURED.iter().filter(|measured| usize::from(measured.detector) == number);
    // Each kind of defect was planted into as many logs as there were sound ones.
    let (found, alarms) =
        (own().map(|measured| measured.found).sum::<u64>(), own().map(|m| m.alarms).sum::<u64>());
    let right = Proportion::new(found, found + alarms).ok()?;
    let low = right.wilson(Z_95).ok()?.low;
    Some((low * 1_000.0).floor() / 1_000.0)
}

/// The detectors, from D1.
pub const DETECTORS: [Detector; 24] = [
    d("levels, line counts and rates", "log.counts", ""),
    d("errors and stack traces", ERROR_RULE, ""),
    d("keywords", "log.keyword", ""),
    d("repeated warnings", "log.repeated_warning", "find what the warning warns of, or log it once"),
    d("inconsistent levels", "log.inconsistent_level", "log the same thing at the same level"),
    d("long gaps", "log.gap", "find what the operation waited for; log what it waits for before it waits"),
    d(
        "order of records",
        "log.order",
        "what must come first is not waited for: order the two by a dependency",
    ),
    d("excessive frequency", "log.frequency", "log a summary, or at a lower level"),
    d(
        "expected records present",
        "log.expected_record",
        "find why it was not logged, or correct what the test announces",
    ),
    d(
        "failures without a record",
        "log.silent_failure",
        "log the failure where it is handled, at WARNING or above",
    ),
    d(
        "errors without context",
        "log.bare_error",
        "log the error within its span, and with the values that led to it",
    ),
    d(
        "correlation ids",
        "log.correlation",
        "hand the span to spawned work (`.instrument(span)`), and never share state between operations",
    ),
    d(
        "difference between passing and failing runs",
        "log.difference",
        "see what changed since the last good run",
    ),
    d("different paths for one input", "log.path", "find what decides the path besides the input"),
    d("illegal state transitions", "log.transition", "wait for what an operation started before it ends"),
    d(
        "starts without end",
        "log.unpaired",
        "log every end, of failures and cancellations too, or find what never ended",
    ),
    d("missing success records", "log.missing_success", "log the success, or find out that there was none"),
    d(
        "repeated errors without back-off",
        "log.no_back_off",
        "wait longer after each failure, with some chance in it",
    ),
    d("unexpected errors on the happy path", ERROR_RULE, ""),
    d("signs of deadlock or livelock", "log.livelock", "find what the cycle waits for"),
    d("memory growth", "log.memory", "find what is kept"),
    d("type errors", "log.value_type", "find where the value was turned into text"),
    d("secrets", "log.secret", "do not log it; change it, because it was written down"),
    d("telemetry loss", "log.loss", "find out why records were lost before you trust what is not in the log"),
];
