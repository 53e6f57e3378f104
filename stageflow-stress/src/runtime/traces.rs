//! The trace of a test: what its spans were, as other tools read it.

use std::path::PathBuf;
use std::time::SystemTime;

use super::session::Session;
use super::verdict::Verdict;
use crate::context::Inner;
use crate::log::format::{micros_of, parse};
use crate::log::otlp::{TraceInput, trace};
use crate::run::{file_time, write_trace};

/// Writes `results/traces/trace_{time}_{test}.json`, if the test opened a span. Returns its path.
pub fn write(inner: &Inner, session: &Session, verdict: &Verdict) -> Option<PathBuf> {
    if !inner.active.log.has_spans() {
        return None;
    }
    let now = SystemTime::now();
    let ended = micros_of(now).saturating_mul(1_000);
    let text = inner.active.log.text();
    let log = parse(&text);
    // A test that a child process ran began before this process heard of it.
    let earliest = log.spans.iter().map(|span| span.record.micros).min().unwrap_or(u64::MAX);
    let started = micros_of(inner.active.began).min(earliest).saturating_mul(1_000);
    let summary = inner.active.log.summary(session.partial(inner));
    let mut losses: Vec<String> = summary.partial.into_iter().collect();
    if summary.lost > 0 {
        losses.push(format!("{} records were lost", summary.lost));
    }
    if log.holes() > 0 {
        losses.push(format!("{} record numbers are missing", log.holes()));
    }
    let start = &inner.start;
    let input = TraceInput {
        test: &start.name,
        identity: &format!("{} {}", inner.run.info.uuid, start.log),
        started,
        ended,
        passed: verdict.red.is_empty(),
        reasons: &verdict.reasons,
        attributes: &[
            ("stageflow.entry", inner.entry.id.to_owned()),
            ("stageflow.run", inner.run.info.run_id.clone()),
            ("stageflow.seed", start.seed.to_string()),
            ("stageflow.attempt", start.attempt.to_string()),
            ("stageflow.status", verdict.status.to_string()),
        ],
        losses: &losses,
    };
    let trace = trace(&log, &input)?;
    let stem = format!("trace_{}_{}", file_time(now), start.slug);
    write_trace(&inner.run.dir, &stem, &trace, &start.name)
}
