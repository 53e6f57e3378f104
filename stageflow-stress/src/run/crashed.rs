//! Tests whose process died: their logs were recovered, and are analysed as the process would have done.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use super::files::{create_unique, write_whole};
use super::slug::file_time;
use super::state::{RunState, TestState};
use crate::journal::record::{LogSummary, TestStatus};
use crate::log::format::{ParsedLog, parse};
use crate::log::otlp::{TraceInput, trace};
use crate::log::rules::{Missing, Rules};
use crate::log::{AnalysisInput, LogDigest, analyze};
use crate::terminal::say;

/// What both a log and a trace of such a test lack.
const CUT: &str = "the process ended in the middle of the test, so what would have come is not there";

/// Analyses the logs of the tests that crashed and were not analysed. Their analyses make no findings: that the test crashed is
/// one, and it is filed.
pub fn analyse(state: &RunState) {
    let mut last: BTreeMap<&str, &TestState> = BTreeMap::new();
    for test in &state.tests {
        // The files of an analysis are those of the latest attempt.
        last.insert(&test.start.slug, test);
    }
    for (slug, test) in last.into_iter().filter(|(_, test)| test.status == TestStatus::Crashed) {
        let stem = state.dir.join("results/logs");
        let known = fs::read_to_string(stem.join(format!("{slug}_stats.json")))
            .ok()
            .and_then(|text| LogDigest::from_json(&text).ok());
        if known.is_some_and(|known| known.log == test.start.log) {
            continue;
        }
        let Ok(bytes) = fs::read(state.dir.join(&test.start.log)) else { continue };
        let text = String::from_utf8_lossy(&bytes);
        let log = parse(&text);
        // Without its statement, records may still lie in segments.
        if log.statement.0.is_empty() {
            continue;
        }
        let trace = write_crashed_trace(state, test, &log);
        let mut rules = Rules { losses: vec![Missing::Told(CUT.to_owned())], ..Rules::default() };
        for rule in &test.log_rules {
            rules.declare(rule.kind, rule.parts.clone(), rule.why.clone());
        }
        let expected: Vec<&str> = rules.expected_errors.iter().map(String::as_str).collect();
        let summary = LogSummary::default();
        let mut analysis = analyze(
            &bytes,
            &AnalysisInput {
                test: &test.start.name,
                slug,
                log: &test.start.log,
                reproduce: &test.start.reproduce,
                passed: Some(false),
                summary: &summary,
                expected: &expected,
                rules: Some(&rules),
            },
        );
        if let Some(name) = trace.as_deref().and_then(Path::file_name) {
            let path = format!("../traces/{}", name.to_string_lossy());
            analysis.references.push(("Trace, spans by id".to_owned(), path));
        }
        for (ending, content) in [
            ("_errors.json", analysis.errors_json()),
            ("_analysis.md", analysis.markdown()),
            // Last, because it says that the others are there.
            ("_stats.json", analysis.stats_json()),
        ] {
            let path = stem.join(format!("{slug}{ending}"));
            if let Err(error) = write_whole(&path, content.as_bytes()) {
                say!("stageflow-stress: cannot write {}: {error}", path.display());
                break;
            }
        }
    }
}

fn write_crashed_trace(state: &RunState, test: &TestState, log: &ParsedLog<'_>) -> Option<PathBuf> {
    let spans = log.spans.iter().map(|span| span.record.micros);
    let times = || log.records.iter().map(|record| record.micros).chain(spans.clone());
    let (started, ended) = (times().min()?, times().max()?);
    log.spans.first()?;
    let start = &test.start;
    let trace = trace(
        log,
        &TraceInput {
            test: &start.name,
            identity: &format!("{} {}", state.info.uuid, start.log),
            started: started.saturating_mul(1_000),
            ended: ended.saturating_mul(1_000),
            passed: false,
            reasons: &[CUT.to_owned()],
            attributes: &[
                ("stageflow.run", state.info.run_id.clone()),
                ("stageflow.seed", start.seed.to_string()),
                ("stageflow.attempt", start.attempt.to_string()),
                ("stageflow.status", test.status.to_string()),
            ],
            losses: &[CUT.to_owned()],
        },
    )?;
    let stem = format!("trace_{}_{}", file_time(UNIX_EPOCH + Duration::from_micros(ended)), start.slug);
    write_trace(&state.dir, &stem, &trace, &start.name)
}

/// Writes a trace into the folder of a run. Returns its path.
pub fn write_trace(run: &Path, stem: &str, trace: &serde_json::Value, test: &str) -> Option<PathBuf> {
    let written = create_unique(&run.join("results/traces"), stem, "json").and_then(|(path, file)| {
        let mut out = std::io::BufWriter::new(file);
        // Half a trace is none.
        serde_json::to_writer(&mut out, trace)
            .map_err(std::io::Error::from)
            .and_then(|()| out.flush())
            .inspect_err(|_| drop(fs::remove_file(&path)))
            .map(|()| path)
    });
    written.inspect_err(|error| say!("stageflow-stress: cannot write the trace of {test}: {error}")).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn traces_of_one_moment_are_kept_side_by_side() {
        let run = tempfile::tempdir().unwrap();
        let paths: std::collections::BTreeSet<_> = std::thread::scope(|scope| {
            let writers: Vec<_> = (0..8)
                .map(|n| {
                    let run = run.path();
                    scope.spawn(move || write_trace(run, "trace_20260114T150000_pay", &n.into(), "pay"))
                })
                .collect();
            writers.into_iter().map(|writer| writer.join().unwrap().unwrap()).collect()
        });
        let mut kept: Vec<String> = paths.iter().map(|path| fs::read_to_string(path).unwrap()).collect();
        kept.sort();
        assert_eq!(kept, ["0", "1", "2", "3", "4", "5", "6", "7"]);
        for path in paths {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            assert!(name.starts_with("trace_20260114T150000_pay") && name.ends_with(".json"), "{name}");
        }
    }
}
