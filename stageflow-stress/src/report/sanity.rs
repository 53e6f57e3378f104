//! Data that cannot be. A run that holds any is blocked: nothing that is computed from it can be believed.

use std::collections::{BTreeMap, BTreeSet};

use crate::journal::record::{GoldenOutcome, Instrument, TestStatus};
use crate::markdown::count;
use crate::run::state::{RunState, TestState};

use super::facts::time;

/// Everything that cannot be, in words. Empty: nothing was noticed.
pub fn impossible(state: &RunState) -> Vec<String> {
    let mut found = Vec::new();
    let known: BTreeSet<&str> = state.findings.iter().map(|stored| stored.fingerprint.as_str()).collect();
    // With journal lines missing, records that belong together may have been parted.
    let whole = state.unreadable_lines == 0;
    for test in &state.tests {
        let name = &test.start.name;
        found.extend(of_test(test, whole).into_iter().map(|what| format!("{name}: {what}")));
        for fingerprint in
            test.findings.iter().filter(|fingerprint| whole && !known.contains(fingerprint.as_str()))
        {
            found.push(format!("{name}: its finding {fingerprint} is not among the findings of the run"));
        }
    }
    let mut ids = BTreeSet::new();
    for stored in &state.findings {
        let id = &stored.id;
        if stored.occurrences == 0 {
            found.push(format!("finding {id}: it was seen 0 times"));
        } else if stored.occurrences < stored.tests.len() as u64 {
            found.push(format!(
                "finding {id}: seen {} by {}",
                count(stored.occurrences, "time", "times"),
                count(stored.tests.len(), "test", "tests")
            ));
        }
        // What was read from journals alone has no ids yet.
        if !id.is_empty() && !ids.insert(id) {
            found.push(format!("finding {id}: the id is given twice"));
        }
    }
    found
}

fn of_test(test: &TestState, whole: bool) -> Vec<String> {
    let mut found = Vec::new();
    let ended = matches!(
        test.status,
        TestStatus::Passed | TestStatus::Failed | TestStatus::Skipped | TestStatus::Refused
    );
    match &test.end {
        None if ended => found.push(format!("it {} without an end", test.status)),
        None => {}
        Some(end) => {
            if end.status != test.status {
                found.push(format!("it ended as {} and is listed as {}", end.status, test.status));
            }
            if !end.duration_ms.is_finite() || end.duration_ms < 0.0 {
                found.push(format!("it took {} ms", end.duration_ms));
            }
            if end.status == TestStatus::Passed && !end.red.is_empty() {
                found.push(format!("it passed with {}", count(end.red.len(), "red finding", "red findings")));
            }
            if end.status == TestStatus::Failed && end.red.is_empty() && end.reasons.is_empty() {
                found.push("it failed without a reason".to_owned());
            }
            let routed: u64 = end.log.routes.values().sum();
            if !end.log.routes.is_empty() && routed != end.log.records {
                found.push(format!("{} of its log have a route, and it has {}", routed, end.log.records));
            }
            let bad = test.checks.iter().filter(|check| !check.passed).count()
                + test.goldens.iter().filter(|golden| golden.outcome == GoldenOutcome::Mismatch).count();
            if whole && bad > 0 && test.findings.is_empty() {
                found.push(format!(
                    "{} or goldens did not hold, and no finding says so",
                    count(bad, "check", "checks")
                ));
            }
        }
    }
    if let Some(ended_at) = &test.ended_at {
        match (time(&test.started_at), time(ended_at)) {
            (Some(start), Some(end)) if end < start => {
                found.push(format!("it ended at {ended_at}, before it started at {}", test.started_at));
            }
            (Some(_), Some(_)) => {}
            _ => found.push(format!("its times {} and {ended_at} are no times", test.started_at)),
        }
    }
    let mut series: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
    for sample in &test.samples {
        let (n, greatest) = series.entry(&sample.series).or_default();
        *n += 1;
        *greatest = (*greatest).max(sample.nanos);
    }
    for (name, (n, greatest)) in series {
        if greatest == 0 {
            found.push(format!("all {} of `{name}` took 0 ns", count(n, "sample", "samples")));
        }
    }
    for throughput in &test.throughputs {
        let name = &throughput.series;
        if throughput.failed > throughput.count {
            found
                .push(format!("{} of {} operations of `{name}` failed", throughput.failed, throughput.count));
        }
        if throughput.nanos == 0 && throughput.count > 0 {
            found.push(format!(
                "{} of `{name}` took 0 ns",
                count(throughput.count, "operation", "operations")
            ));
        }
    }
    let loads = test.measured.iter().filter(|measured| measured.instrument == Instrument::Load);
    for load in loads.map(|measured| &measured.entry) {
        let of = |field: &str| load["counts"][field].as_u64().unwrap_or(0);
        let ends = ["succeeded", "failed", "panicked", "cancelled", "dropped", "in_flight"].map(of);
        if ends.iter().sum::<u64>() != of("offered") {
            found.push(format!(
                "{} of load {} were due, and {} came to some end",
                count(of("offered"), "operation", "operations"),
                load["name"],
                ends.iter().sum::<u64>()
            ));
        }
        for (kind, times) in [("response", &load["response"]), ("service", &load["service"])] {
            let n = times["count"].as_u64().unwrap_or(0);
            if n > 0 && times["max"].as_u64() == Some(0) {
                let operations = count(n, "operation", "operations");
                found.push(format!("the {kind} times of {operations} of load {} are all 0 ns", load["name"]));
            }
        }
    }
    for metric in test.metrics.iter().filter(|metric| !metric.value.is_finite()) {
        found.push(format!("the metric `{}` is {}", metric.name, metric.value));
    }
    for score in test.dx_scores.iter().filter(|score| !(1..=5).contains(&score.score)) {
        found.push(format!("{} is scored {} on a scale from 1 to 5", score.aspect, score.score));
    }
    for time in test.dx_times.iter().filter(|time| !time.minutes.is_finite() || time.minutes < 0.0) {
        found.push(format!("{} took {} minutes", time.what, time.minutes));
    }
    found
}
