//! The determinism check: the body runs twice with one seed, and what it did is compared.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::execute::{BodyEnd, Executed, execute};
use super::verdict::{self, BodyOutcome};
use crate::classify::Severity;
use crate::context::{Collected, Inner, TestContext};
use crate::finding::{Finding, FindingType};
use crate::log::format::{LogRecord, parse};
use crate::registry::{Body, Flavor};

/// How many differences a finding shows.
const SHOWN: usize = 10;

/// Runs the body twice and compares. A second run is not made where the first one said that it cannot run here, or where
/// its deadline had to stop it: then there is nothing whole to compare.
pub fn twice(cx: &TestContext) -> (BodyOutcome, Duration) {
    let inner = &cx.inner;
    let (first, outcome, mut duration, stopped) = once(cx);
    if stopped || outcome.skipped.is_some() {
        return (outcome, duration);
    }
    let (second, second_outcome, again, stopped) = once(cx);
    duration += again;
    if !stopped {
        let volatile = inner.collected().volatile.clone();
        let differences =
            differences(&first.comparable(&volatile), &second.comparable(&volatile), ordered(inner));
        if !differences.is_empty() {
            inner.file(finding(inner, &differences), "runtime", None);
        }
    }
    (BodyOutcome { skipped: second_outcome.skipped, refused: None }, duration)
}

/// Whether what the body's thread did must come in the same order. Where the body itself moves between threads, only
/// what happened is compared, not when.
fn ordered(inner: &Inner) -> bool {
    matches!(inner.def.body, Body::Sync(_) | Body::SyncProbe(_))
        || inner.def.options.flavor == Flavor::CurrentThread
}

fn once(cx: &TestContext) -> (Stream, BodyOutcome, Duration, bool) {
    let inner = &cx.inner;
    let from = Mark::of(inner);
    let started = Instant::now();
    let executed = execute(cx);
    let duration = started.elapsed();
    let log = inner.active.log.read_from(from.log);
    let (end, stopped) = how(&executed);
    let outcome = verdict::file_findings(inner, Some(executed), None);
    let stream = Stream::collect(&from, &inner.collected(), log, end);
    (stream, outcome, duration, stopped)
}

fn how(executed: &Executed) -> (String, bool) {
    match &executed.end {
        BodyEnd::Returned(Ok(())) => ("returned".to_owned(), false),
        BodyEnd::Returned(Err(failure)) => (format!("returned an error: {failure}"), false),
        BodyEnd::Panicked(payload) => {
            (format!("panicked: {}", crate::capture::payload_text(&**payload)), false)
        }
        BodyEnd::TimedOut(_) => ("was stopped by its deadline".to_owned(), true),
    }
}

/// How much was recorded when a run began.
struct Mark {
    log: u64,
    checks: usize,
    goldens: usize,
    metrics: usize,
    findings: usize,
}

impl Mark {
    fn of(inner: &Inner) -> Mark {
        let collected = inner.collected();
        Mark {
            log: inner.active.log.length(),
            checks: collected.checks.len(),
            goldens: collected.goldens.len(),
            metrics: collected.metrics.len(),
            findings: collected.findings.len(),
        }
    }
}

/// What one run of the body did.
struct Stream {
    log: String,
    body_thread: String,
    others: Vec<Event>,
}

/// Something that happened: where it is compared, and its text.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Event {
    /// Events of one lane that come from the body's own thread are in order.
    lane: String,
    on_body: bool,
    text: String,
}

impl Stream {
    fn collect(from: &Mark, collected: &Collected, log: String, end: String) -> Stream {
        let event = |lane: &str, text: String| Event { lane: lane.to_owned(), on_body: true, text };
        let mut others = Vec::new();
        others.extend(collected.checks[from.checks..].iter().map(|check| {
            event(
                "checks",
                format!("{}: {} {}", check.name, check.passed, check.detail.as_deref().unwrap_or("")),
            )
        }));
        others.extend(
            collected.goldens[from.goldens..]
                .iter()
                .map(|(name, outcome)| event("goldens", format!("{name}: {outcome}"))),
        );
        others.extend(
            collected.metrics[from.metrics..]
                .iter()
                .filter(|metric| !is_time_like(&metric.name) && !is_time_unit(&metric.unit))
                .map(|metric| event("metrics", format!("{}: {} {}", metric.name, metric.value, metric.unit))),
        );
        others.extend(collected.findings[from.findings..].iter().map(|record| {
            let finding = &record.finding;
            event("findings", format!("{}: {}\n{}", finding.rule, finding.title, finding.description))
        }));
        others.push(event("end", end));
        let body_thread = std::thread::current().name().unwrap_or_default().to_owned();
        Stream { log, body_thread, others }
    }

    fn comparable(&self, volatile: &[String]) -> Vec<Event> {
        let log = parse(&self.log);
        let mut events: Vec<Event> = log
            .records
            .iter()
            .map(|record| Event {
                lane: format!("log of {}", record.target),
                on_body: record.thread == self.body_thread.as_str(),
                text: normalised(record, volatile),
            })
            .collect();
        events.extend(self.others.iter().cloned());
        events
    }
}

/// A record without what may differ: number, time, thread, span, route, and fields that measure or name a time.
fn normalised(record: &LogRecord<'_>, volatile: &[String]) -> String {
    let mut text = format!("{} {}", record.level.map_or("-", |level| level.as_str()), record.message);
    for (key, value) in &record.fields {
        if !is_time_like(key) && !volatile.iter().any(|name| name == key) {
            text.push_str(&format!(" {key}={value}"));
        }
    }
    text
}

/// Whether a name says that its value is a time, a duration, or the identity of a process or thread.
fn is_time_like(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let word = |word: &str| name.split(|c: char| !c.is_ascii_alphanumeric()).any(|part| part == word);
    [
        "time",
        "timestamp",
        "ts",
        "elapsed",
        "duration",
        "latency",
        "took",
        "ms",
        "us",
        "ns",
        "millis",
        "micros",
        "nanos",
    ]
    .into_iter()
    .chain(["secs", "seconds", "pid", "tid", "thread", "port"])
    .any(word)
}

fn is_time_unit(unit: &str) -> bool {
    matches!(unit, "s" | "ms" | "us" | "µs" | "ns" | "min" | "h") || unit.ends_with("/s")
}

fn differences(first: &[Event], second: &[Event], ordered: bool) -> Vec<Value> {
    let mut lanes: BTreeMap<&str, [Vec<&Event>; 2]> = BTreeMap::new();
    for (run, events) in [first, second].into_iter().enumerate() {
        for event in events {
            lanes.entry(&event.lane).or_default()[run].push(event);
        }
    }
    let mut found = Vec::new();
    for (lane, [left, right]) in lanes {
        let (left_body, left_rest): (Vec<&Event>, Vec<&Event>) =
            left.into_iter().partition(|event| ordered && event.on_body);
        let (right_body, right_rest): (Vec<&Event>, Vec<&Event>) =
            right.into_iter().partition(|event| ordered && event.on_body);
        let length = left_body.len().max(right_body.len());
        // After the first difference of a sequence the rest is shifted, and tells nothing more.
        if let Some(at) = (0..length).find(|at| left_body.get(*at) != right_body.get(*at)) {
            let text = |events: &[&Event]| events.get(at).map(|event| event.text.clone());
            found.push(json!({
                "where": lane, "position": at, "first": text(&left_body), "second": text(&right_body),
            }));
        }
        let mut counts: BTreeMap<&str, [u64; 2]> = BTreeMap::new();
        for (run, events) in [left_rest, right_rest].into_iter().enumerate() {
            for event in events {
                counts.entry(&event.text).or_default()[run] += 1;
            }
        }
        found.extend(counts.into_iter().filter(|(_, [left, right])| left != right).map(
            |(text, [left, right])| json!({ "where": lane, "event": text, "first": left, "second": right }),
        ));
    }
    found
}

fn finding(inner: &Inner, differences: &[Value]) -> Finding {
    let lanes: Vec<&str> = differences.iter().filter_map(|difference| difference["where"].as_str()).collect();
    Finding::new(FindingType::Reliability, "seed not replayable")
        .severity(inner.def.options.severity.unwrap_or(Severity::Medium))
        .rule("determinism.differs")
        .description(format!(
            "Two runs of the body with the seed {} differ in {} places, the first of them in {}. A run that cannot be \
             replayed from its seed cannot be reproduced when it fails.",
            inner.seed,
            differences.len(),
            lanes.first().copied().unwrap_or_default()
        ))
        .evidence(
            "differences",
            "the first differences between the two runs",
            json!({ "count": differences.len(), "shown": &differences[..differences.len().min(SHOWN)] }),
        )
}

#[cfg(test)]
#[path = "determinism_tests.rs"]
mod tests;
