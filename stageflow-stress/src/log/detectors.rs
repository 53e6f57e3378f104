//! What each detector makes of a log: findings, and an outcome with its reason.

use serde_json::json;

use super::analysis::{AnalysisInput, ErrorGroup};
use super::digest::{DetectorOutcome, DetectorResult, LogDigest};
use crate::classify::Severity;
use crate::finding::{Finding, FindingType};
use crate::markdown::count;

/// Findings that one log makes.
const FINDINGS: usize = 20;
/// The rule of a finding from an error-level record.
pub const ERROR_RULE: &str = "log.error_in_passing_test";

/// The findings of D2.
pub fn findings(groups: &[ErrorGroup], input: &AnalysisInput<'_>) -> Vec<Finding> {
    if !input.passed {
        return Vec::new();
    }
    groups
        .iter()
        .filter(|group| group.is_finding())
        .take(FINDINGS)
        .map(|group| {
            let times = count(group.count, "time", "times");
            let excerpt: Vec<String> =
                group.context.iter().map(|(line, text, own)| format!("{}{line}: {text}", if *own { ">" } else { " " })).collect();
            Finding::new(FindingType::LogIssue, format!("an error was logged in a passing test: {}", group.key))
                .severity(Severity::Low)
                .rule(ERROR_RULE)
                .key(format!("{} {}", group.target, group.key))
                .tag("log")
                .description(format!(
                    "The test passed, and its log holds {times} an error that nobody announced, first on line {} of {}:\n\n{}",
                    group.line, input.log, group.sample
                ))
                .recommend("if the error belongs to the scenario, announce it with `expect_errors(\"…\")`; if not, find what failed")
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
        })
        .collect()
}

/// Every detector with its outcome.
pub fn detectors(digest: &LogDigest, groups: &[ErrorGroup], findings: &[Finding]) -> Vec<DetectorResult> {
    use DetectorOutcome::{Clean, Finding, Inconclusive, NotApplicable};
    let lossy = digest.loss.reasons.join("; ");
    let d1 = if lossy.is_empty() {
        (Clean, format!("{} counted, nothing is missing", count(digest.records, "record", "records")))
    } else {
        (Inconclusive, format!("the counts are lower bounds: {lossy}"))
    };
    let candidates = groups.iter().filter(|group| group.is_finding()).count();
    let d2 = if !findings.is_empty() {
        let shown = count(findings.len() as u64, "unannounced error", "unannounced errors");
        let more = candidates - findings.len();
        (
            Finding,
            if more > 0 { format!("{shown}, and {more} more without a finding of their own") } else { shown },
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
    DETECTORS
        .iter()
        .enumerate()
        .map(|(n, name)| {
            let (outcome, why) = match n {
                0 => d1.clone(),
                1 => d2.clone(),
                _ => (DetectorOutcome::Missing, String::new()),
            };
            DetectorResult { id: format!("D{}", n + 1), name: (*name).to_owned(), outcome, why }
        })
        .collect()
}

/// The detectors, from D1.
const DETECTORS: [&str; 24] = [
    "levels, line counts and rates",
    "errors and stack traces",
    "keywords",
    "repeated warnings",
    "inconsistent levels",
    "long gaps",
    "order of records",
    "excessive frequency",
    "expected records present",
    "failures without a record",
    "errors without context",
    "correlation ids",
    "difference between passing and failing runs",
    "different paths for one input",
    "illegal state transitions",
    "starts without end",
    "missing success records",
    "repeated errors without back-off",
    "unexpected errors on the happy path",
    "signs of deadlock or livelock",
    "memory growth",
    "type errors",
    "secrets",
    "telemetry loss",
];
