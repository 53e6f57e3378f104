//! `results/summary.json` and `results/tests.json`: what README and report say, for programs.
//!
//! The summary of a run is small, so that a page over thousands of runs reads nothing else of them.

use serde_json::{Map, Value, json};

use crate::classify::Severity;
use crate::finding::{FindingStatus, FindingType};
use crate::journal::record::{GoldenOutcome, TestStatus};
use crate::log::digest::DetectorOutcome;
use crate::run::state::TestState;

use super::dx;
use super::facts::{Facts, TestFate};
use super::metrics;
use super::next;

/// Format of both files.
const FORMAT: u32 = 1;

/// `results/summary.json`: verdict, counts, and everything that is missing.
pub fn summary(facts: &Facts<'_>) -> Value {
    let state = facts.state;
    let info = &state.info;
    let findings = &state.findings;
    let (records, lost) = facts.log_records();
    let detectors = counts(DetectorOutcome::ALL, |outcome| {
        facts.logs.values().map(|log| log.detectors_with(*outcome).count()).sum()
    });
    let registered = facts.registered();
    let fate = |wanted| registered.iter().filter(|(_, fate)| *fate == wanted).count();
    json!({
        "format": FORMAT,
        "entry": {
            "id": info.entry.id,
            "title": info.entry.title,
            "tier": info.entry.tier,
            "section": info.entry.section,
            "priority": info.entry.priority,
            "risk": info.entry.risk,
            "target": info.entry.target,
        },
        "run_id": info.run_id,
        "uuid": info.uuid,
        "invocation": info.invocation,
        // JavaScript's numbers cannot hold every seed.
        "seed": info.seed.to_string(),
        "git_commit": info.git_commit,
        "git_dirty": info.git_dirty,
        "started_at": info.started_at,
        "last_at": state.last_at,
        "seconds": facts.seconds(),
        "status": facts.status,
        "verdict": facts.verdict.word,
        "rule": facts.verdict.rule,
        "besides": facts.verdict.besides,
        "impossible": facts.impossible,
        "tests": counts(TestStatus::ALL, |status| facts.tests_with(*status)),
        "checks": { "passed": facts.checks_passed, "failed": facts.checks_failed },
        "goldens": counts(GoldenOutcome::ALL, |outcome| facts.goldens_with(*outcome)),
        "registered": state.catalogue.as_ref().map(|_| json!({
            "tests": registered.len(),
            "ran": fate(TestFate::Ran),
            "ignored": fate(TestFate::Ignored),
            "not_run": fate(TestFate::NotRun),
        })),
        "findings": {
            "total": findings.len(),
            "known": findings.iter().filter(|stored| stored.known.is_some()).count(),
            "by_severity": counts(Severity::ALL, |severity| facts.findings_at(*severity)),
            "by_type": counts(FindingType::ALL, |kind| facts.findings_of(*kind)),
            "by_status": counts(FindingStatus::ALL, |status| {
                findings.iter().filter(|stored| stored.status() == *status).count()
            }),
        },
        "logs": {
            "records": records,
            "lost": lost,
            "analysed": facts.logs.len(),
            "partial": facts.partial_logs(),
            "detectors": detectors,
        },
        "dx_score": dx::overall(state),
        "missing": facts.absences().into_iter()
            .map(|(what, count)| json!({ "what": what, "count": count }))
            .collect::<Vec<_>>(),
        "losses": state.losses,
        "next": next::json(&next::steps(facts)),
        "latency": metrics::series(state).iter().take(8).map(|series| {
            let value = |n: usize| series.percentiles()[n].1.clone().ok();
            json!({
                "test": series.test, "series": series.name, "n": series.count(),
                "p50": value(0), "p95": value(1), "p99": value(2),
            })
        }).collect::<Vec<_>>(),
    })
}

/// `results/tests.json`: every test with what belongs to it, and the registered ones that did not run.
pub fn tests(facts: &Facts<'_>) -> Value {
    let not_run: Vec<Value> = facts
        .registered()
        .into_iter()
        .filter(|(_, fate)| *fate != TestFate::Ran)
        .map(|(test, fate)| {
            let why = match fate {
                TestFate::Ignored => "ignored",
                _ => "filtered, or not begun",
            };
            json!({ "name": test.name, "crate": test.crate_name, "why": why, "reason": test.ignored })
        })
        .collect();
    let catalogue = facts.state.catalogue.as_ref();
    let assertions: Vec<Value> = catalogue
        .iter()
        .flat_map(|catalogue| &catalogue.assertions)
        .map(|place| {
            json!({
                "kind": place.place.kind.as_str(),
                "name": place.place.name,
                "file": place.place.file,
                "line": place.place.line,
                "satisfied": place.satisfied,
                "missing": place.is_missing(),
            })
        })
        .collect();
    json!({
        "format": FORMAT,
        "tests": facts.state.tests.iter().map(|test| one(facts, test)).collect::<Vec<_>>(),
        "not_run": not_run,
        "assertions": assertions,
        "processes": facts.state.processes.iter().map(|process| json!({
            "host": process.host, "pid": process.pid, "runner": process.runner, "sdk": process.sdk,
            "command": process.command,
        })).collect::<Vec<_>>(),
    })
}

fn one(facts: &Facts<'_>, test: &TestState) -> Value {
    let start = &test.start;
    let end = test.end.as_ref();
    let ids = facts.state.ids_of(test);
    let failed: Vec<Value> = test
        .checks
        .iter()
        .filter(|check| !check.passed)
        .map(|check| json!({ "name": check.name, "detail": check.detail, "file": check.file, "line": check.line }))
        .collect();
    json!({
        "name": start.name,
        "slug": start.slug,
        "kind": start.kind,
        "crate": start.crate_name,
        "package": start.package,
        "file": start.file,
        "line": start.line,
        "category": start.category,
        "pipeline": start.pipeline,
        "oracles": start.oracles,
        "patterns": start.patterns,
        "requirements": start.requirements,
        "tags": start.tags,
        "owner": start.owner,
        "seed": start.seed.to_string(),
        "iterations": start.iterations,
        "attempt": start.attempt,
        "fail_on": start.fail_on,
        "status": test.status,
        "reasons": end.map(|end| &end.reasons),
        "started_at": test.started_at,
        "ended_at": test.ended_at,
        "duration_ms": end.map(|end| end.duration_ms),
        "checks": { "passed": test.checks.len() - failed.len(), "failed": failed },
        "goldens": test.goldens.iter().map(|golden| json!({
            "name": golden.name, "outcome": golden.outcome, "why": golden.why, "diff": golden.diff,
            "files": golden.files, "file": golden.file, "line": golden.line,
        })).collect::<Vec<_>>(),
        "panics": test.panics.iter().map(|panic| json!({
            "message": panic.message, "file": panic.file, "line": panic.line, "thread": panic.thread,
            "background": panic.background, "expected": panic.expected,
        })).collect::<Vec<_>>(),
        "observers": test.observers.iter().map(|observer| json!({
            "name": observer.name, "findings": observer.findings, "panicked": observer.panicked,
        })).collect::<Vec<_>>(),
        "findings": ids,
        "log": start.log,
        "log_records": end.map(|end| end.log.records),
        "log_lost": end.map(|end| end.log.lost),
        "log_partial": end.and_then(|end| end.log.partial.as_ref()),
        "late_records": test.late,
        "reproduce": start.reproduce,
    })
}

/// Word to number, for every word: a zero is a count as well.
fn counts<T: serde::Serialize + std::fmt::Display>(
    all: &[T],
    of: impl Fn(&T) -> usize,
) -> Map<String, Value> {
    // Inserted one by one: collecting compiles a sort of its own for every type of iterator.
    let mut counts = Map::new();
    for word in all {
        counts.insert(word.to_string(), of(word).into());
    }
    counts
}
