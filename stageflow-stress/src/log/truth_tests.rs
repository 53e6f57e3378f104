//! The detectors on logs of real runs of stageflow-core whose injected faults are known. The folder is named by
//! `STAGEFLOW_CORE_LOGS`; without it, nothing is tested and the test says so.

use std::collections::BTreeMap;

use serde_json::Value;

use super::public::{Options, Report, analyze};
use crate::classify::Severity;

fn folder(variable: &str) -> Option<std::path::PathBuf> {
    let folder = std::env::var_os(variable).map(std::path::PathBuf::from);
    if folder.is_none() {
        println!("not tested: {variable} names no folder");
    }
    folder
}

/// Time of every line, in seconds.
fn times(text: &str) -> Vec<f64> {
    text.lines()
        .map(|line| {
            let record: Value = serde_json::from_str(line).unwrap_or_default();
            let stamp = record["timestamp"].as_str().unwrap_or_default().replace("+00:00", "Z");
            humantime::parse_rfc3339(&stamp)
                .ok()
                .and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok())
                .map_or(0.0, |since| since.as_secs_f64())
        })
        .collect()
}

/// Whether what a run logged is, value for value masked, what a healthy run logged, as often.
fn leaves_no_trace(truth: &Value, times: &[f64], lines: &[&str], within: &[u64]) -> bool {
    let forms = |of: &[u64]| {
        let mut forms: Vec<String> = of
            .iter()
            .map(|line| {
                let record: Value = serde_json::from_str(lines[*line as usize - 1]).unwrap_or_default();
                let mut form = Vec::new();
                super::mask::form(record["message"].as_str().unwrap_or_default(), &mut form);
                format!("{} {} {}", record["level"], record["logger"], String::from_utf8_lossy(&form))
            })
            .collect();
        forms.sort();
        forms
    };
    let own = forms(within);
    truth["runs"].as_array().into_iter().flatten().filter(|run| run["injected"].is_null()).any(|run| {
        let (from, to) = (run["t0"].as_f64().unwrap_or(0.0), run["t1"].as_f64().unwrap_or(0.0));
        let healthy: Vec<u64> = (1..=times.len() as u64)
            .filter(|line| (from..=to).contains(&times[*line as usize - 1]))
            .collect();
        forms(&healthy) == own
    })
}

/// Lines that any detector names, with its number, notes included.
fn named(report: &Report, errors: &Value) -> Vec<(u64, String)> {
    let mut named = Vec::new();
    for detector in report.detectors() {
        for observation in &detector.observations {
            named.extend(observation.lines.iter().map(|line| (u64::from(*line), detector.id.clone())));
        }
    }
    for error in errors["errors"].as_array().into_iter().flatten() {
        for line in error["lines"].as_array().into_iter().flatten().filter_map(Value::as_u64) {
            named.push((line, "D2".to_owned()));
        }
    }
    named
}

#[test]
fn injected_faults_of_real_runs_are_found() {
    let Some(folder) = folder("STAGEFLOW_CORE_LOGS") else { return };
    let log = std::fs::read(folder.join("py_json_mixed_failures.jsonl")).unwrap();
    let truth: Value = serde_json::from_slice(
        &std::fs::read(folder.join("py_json_mixed_failures.jsonl.truth.json")).unwrap(),
    )
    .unwrap();
    let report = analyze(&log, &Options::new().name("py_json_mixed_failures.jsonl"));
    assert_eq!(report.coverage(), Some(100.0));
    let errors: Value = serde_json::from_str(&report.errors_json()).unwrap();
    let named = named(&report, &errors);
    let text = String::from_utf8(log).unwrap();
    let times = times(&text);
    let lines: Vec<&str> = text.lines().collect();
    let mut table: BTreeMap<String, (u32, u32, Vec<String>)> = BTreeMap::new();
    let mut missed = Vec::new();
    for run in truth["runs"].as_array().unwrap() {
        let Some(fault) = run["injected"].as_str() else { continue };
        // A run without times is found by what it logs.
        let within: Vec<u64> = match (run["t0"].as_f64(), run["t1"].as_f64()) {
            (Some(from), Some(to)) => (1..=times.len() as u64)
                .filter(|line| (from..=to).contains(&times[*line as usize - 1]))
                .collect(),
            _ => {
                let mark = match fault {
                    "guard_recovered" => "unsafe",
                    "guard_exhausted" => "always unsafe",
                    "cleanup_failure" => "Cleanup failed",
                    "event_drop" => "dropped due to backpressure",
                    other => panic!("unknown fault {other}"),
                };
                (1..=lines.len() as u64).filter(|line| lines[*line as usize - 1].contains(mark)).collect()
            }
        };
        let mut by: Vec<String> = named
            .iter()
            .filter(|(line, _)| within.contains(line))
            .map(|(_, detector)| detector.clone())
            .collect();
        by.sort();
        by.dedup();
        let of = table.entry(fault.to_owned()).or_default();
        of.1 += 1;
        if by.is_empty() && leaves_no_trace(&truth, &times, &lines, &within) {
            of.2.push("no trace in the log".to_owned());
        } else if by.is_empty() {
            missed.push((
                fault.to_owned(),
                run["i"].clone(),
                within.first().copied(),
                within.last().copied(),
            ));
        } else {
            of.0 += 1;
        }
        of.2.extend(by);
    }
    for (fault, (found, all, by)) in &mut table {
        by.sort();
        by.dedup();
        println!("| {fault} | {found} of {all} | {} |", by.join(", "));
    }
    for detector in report.detectors() {
        println!("{} {}: {}", detector.id, detector.outcome, detector.why);
        for observation in &detector.observations {
            println!(
                "    {} {} x{} {:?}",
                observation.severity,
                observation.title,
                observation.count,
                &observation.lines[..observation.lines.len().min(6)]
            );
        }
    }
    println!("missed: {missed:?}");
    // What is no note must lie within a run with a fault, or be explained in `docs/log-analysis.md`.
    let faulty = |line: u64| {
        let at = times[line as usize - 1];
        let timed = truth["runs"].as_array().into_iter().flatten().any(|run| {
            run["injected"].is_string()
                && run["t0"].as_f64().is_some_and(|from| from <= at)
                && run["t1"].as_f64().is_some_and(|to| at <= to)
        });
        // Runs without times are known by what they log; what belongs to them stands around it.
        let marks = ["unsafe", "Cleanup failed", "backpressure", "guard"];
        let near = (line as usize).saturating_sub(20)..(line as usize + 20).min(lines.len());
        timed || lines[near].iter().any(|text| marks.iter().any(|mark| text.contains(mark)))
    };
    let mut wrong = Vec::new();
    for detector in report.detectors() {
        for observation in
            detector.observations.iter().filter(|observation| observation.severity > Severity::Info)
        {
            let outside: Vec<&u32> =
                observation.lines.iter().filter(|line| !faulty(u64::from(**line))).collect();
            if !outside.is_empty() {
                wrong.push(format!("{} {}: {outside:?}", detector.id, observation.title));
            }
        }
    }
    assert!(missed.is_empty(), "{missed:#?}");
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn the_log_of_healthy_runs_makes_no_finding() {
    let Some(folder) = folder("STAGEFLOW_CORE_LOGS") else { return };
    let log = std::fs::read(folder.join("py_plain_healthy.log")).unwrap();
    let report = analyze(&log, &Options::new().name("py_plain_healthy.log").passed(true));
    assert_eq!((report.coverage(), report.unparsed()), (Some(100.0), 0));
    for detector in report.detectors() {
        println!("{} {}: {}", detector.id, detector.outcome, detector.why);
    }
    let wrong: Vec<_> = report
        .findings()
        .iter()
        .filter(|finding| finding.severity > Severity::Info)
        .map(|finding| &finding.title)
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}
