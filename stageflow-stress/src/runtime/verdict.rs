//! From what happened to findings, and from findings to red or green.

use std::sync::PoisonError;

use serde_json::json;

use super::execute::{BodyEnd, Executed};
use super::faults;
use super::session::Session;
use crate::capture::{CaughtPanic, payload_text};
use crate::classify::Severity;
use crate::context::Inner;
use crate::finding::{Finding, FindingType};
use crate::golden;
use crate::install;
use crate::journal::record::{GoldenOutcome, GoldenRecord, PanicRecord, Record, TestStatus};
use crate::registry::BackgroundPanics;

/// What the body came to, before anybody judged it.
#[derive(Debug)]
pub struct BodyOutcome {
    /// It said that it cannot run here, and why.
    pub skipped: Option<String>,
    /// This version cannot honour one of its arguments.
    pub refused: Option<String>,
}

/// The verdict on a test.
#[derive(Debug)]
pub struct Verdict {
    /// How the test ended.
    pub status: TestStatus,
    /// What made it so, worst first.
    pub reasons: Vec<String>,
    /// Fingerprints of the red findings.
    pub red: Vec<String>,
}

/// Makes a finding of everything that can be red.
pub fn file_findings(inner: &Inner, executed: Option<Executed>, refused: Option<String>) -> BodyOutcome {
    let Some(Executed { end, leaked_tasks, leftovers }) = executed else {
        return BodyOutcome { skipped: None, refused };
    };
    let mut panics = std::mem::take(&mut *inner.active.panics.lock().unwrap_or_else(PoisonError::into_inner));
    let payload = match &end {
        BodyEnd::Panicked(payload) => Some(payload_text(&**payload)),
        _ => None,
    };
    let body_panic = payload.as_ref().and_then(|message| take_body_panic(inner, &mut panics, message));
    let mut skipped = None;
    match end {
        BodyEnd::Returned(Ok(())) => {}
        BodyEnd::Returned(Err(failure)) if failure.is_skip() => skipped = Some(failure.to_string()),
        BodyEnd::Returned(Err(failure)) => {
            let mut finding =
                Finding::new(FindingType::Bug, format!("the test returned an error: {failure}"))
                    .severity(inner.severity())
                    .rule("error")
                    .description(format!("The body returned `Err`: {failure}."))
                    .evidence(
                        "returned error",
                        "the error with its causes",
                        json!({
                            "message": failure.message, "causes": failure.causes, "debug": failure.debug,
                        }),
                    );
            finding.source_line = failure.location.and_then(|at| inner.source_line(at.file(), at.line()));
            inner.file(with_log(inner, finding), "runtime", failure.location);
        }
        BodyEnd::Panicked(_) => {}
        BodyEnd::TimedOut(limit) => {
            let shown = humantime::format_duration(limit);
            let diagnosis = inner.background.diagnosis.get();
            let seen =
                diagnosis.map_or(String::new(), |diagnosis| format!("\n\n```text\n{}\n```", diagnosis.text));
            let mut finding =
                Finding::new(FindingType::Reliability, "the test did not end within its deadline")
                    .severity(inner.severity())
                    .rule("runtime.timeout")
                    .description(format!(
                        "The body was still running after {shown}; it was dropped, or ended too late.{seen}"
                    ))
                    .evidence(
                        "deadline",
                        "the body was still running",
                        json!({ "limit_ms": limit.as_millis() as u64 }),
                    );
            if let Some(diagnosis) = diagnosis {
                finding = finding.evidence("watchdog", "what was running", diagnosis.facts.clone());
            }
            inner.file(with_log(inner, finding), "runtime", None);
        }
    }
    lost_wakeups(inner);
    judge_body_panic(inner, payload, body_panic);
    for panic in panics {
        background_panic(inner, panic);
    }
    if leaked_tasks > 0 {
        let finding = Finding::new(FindingType::Reliability, "tasks outlive the test")
            .severity(Severity::High)
            .rule("runtime.leaked_task")
            .description(format!("{leaked_tasks} tasks of the test were alive after its body had ended and a settling window had passed."))
            .evidence("tasks alive", "counted by the runtime", json!({ "alive": leaked_tasks }));
        inner.file(finding, "runtime", None);
    }
    if let Some(leftovers) = leftovers {
        leftovers.file(inner);
    }
    super::faults::judge(inner, skipped.is_none());
    super::probe::judge(inner, skipped.is_some());
    BodyOutcome { skipped, refused }
}

/// A future that was ready and that nobody had woken: without the watchdog, which asked it, it would wait for ever.
fn lost_wakeups(inner: &Inner) {
    let lost = inner.background.diagnosis.get().map_or(&[][..], |diagnosis| &diagnosis.lost);
    for label in lost {
        let finding = Finding::new(FindingType::Reliability, format!("a lost wake-up: {label}"))
            .severity(inner.severity().max(Severity::High))
            .rule("runtime.lost_wakeup")
            .key(label.as_str())
            .description(format!(
                "When the deadline had passed, {label} was polled once more and was ready, although nobody had woken it: a \
                 future within it returned `Pending` without registering the waker, or a waker was dropped unused."
            ));
        inner.file(with_log(inner, finding), "runtime", None);
    }
}

/// The panic that ended the body: the last one with its message on the body's thread; else, where the body passed on the
/// panic of a task it had awaited, that one.
fn take_body_panic(inner: &Inner, panics: &mut Vec<CaughtPanic>, message: &str) -> Option<CaughtPanic> {
    let position = panics
        .iter()
        .rposition(|panic| panic.thread == inner.active.body_thread && panic.message == message)
        .or_else(|| panics.iter().rposition(|panic| panic.message == message))?;
    Some(panics.remove(position))
}

fn judge_body_panic(inner: &Inner, payload: Option<String>, panic: Option<CaughtPanic>) {
    let expected = inner.def.options.expect_panic;
    let as_announced = match (expected, &payload) {
        (Some(text), Some(message)) => message.contains(text),
        _ => false,
    };
    if let Some(message) = &payload
        && !as_announced
    {
        let mut finding = Finding::new(FindingType::Bug, format!("the test panicked: {message}"))
            .severity(inner.severity())
            .rule("panic")
            .description(format!("The body panicked: {message}"));
        if bare_golden(inner, panic.as_ref(), message) {
            finding = finding.rule("golden.uncaptured").tag("golden").recommend(
                "compare with `TestContext::golden`, which keeps reference, value and difference in the run folder",
            );
        }
        if let Some(panic) = &panic {
            finding.location = Some(format!("{}:{}", inner.shown_file(&panic.file), panic.line));
            finding.source_line = inner.source_line(&panic.file, panic.line);
            finding = finding.evidence(
                "panic",
                "where it happened",
                json!({
                    "thread": panic.thread_name, "file": inner.shown_file(&panic.file), "line": panic.line,
                    "backtrace": backtrace(panic),
                }),
            );
        }
        inner.file(with_log(inner, finding), "runtime", None);
    }
    if let (Some(text), false) = (expected, as_announced) {
        let found = payload.as_deref().map_or("none".to_owned(), |message| format!("`{message}`"));
        let finding = Finding::new(FindingType::Bug, "the announced panic did not happen")
            .severity(inner.severity())
            .rule("expect_panic")
            .description(format!("The test announces a panic that contains `{text}`; found {found}."));
        inner.file(finding, "runtime", None);
    }
    if let Some(panic) = panic {
        record_panic(inner, &panic, false, as_announced);
    }
}

/// Counts a failed assertion of insta's own macros, of which the run folder holds no more than the panic.
fn bare_golden(inner: &Inner, panic: Option<&CaughtPanic>, message: &str) -> bool {
    let Some(name) = golden::bare_assertion(message) else { return false };
    inner.record(Record::Golden(GoldenRecord {
        name: name.to_owned(),
        outcome: GoldenOutcome::Unusable,
        files: Vec::new(),
        why: "not captured: it was compared by a macro of insta and not by the test's context".to_owned(),
        diff: String::new(),
        file: panic.map(|panic| inner.shown_file(&panic.file)).unwrap_or_default(),
        line: panic.map_or(0, |panic| panic.line),
    }));
    true
}

fn background_panic(inner: &Inner, panic: CaughtPanic) {
    record_panic(inner, &panic, true, false);
    bare_golden(inner, Some(&panic), &panic.message);
    let severity = match inner.def.options.background_panics {
        BackgroundPanics::Fail => inner.severity().max(Severity::High),
        BackgroundPanics::Record => Severity::Low,
    };
    let mut finding = Finding::new(
        FindingType::SilentFailure,
        format!("a panic that the test did not see: {}", panic.message),
    )
    .severity(severity)
    .rule("runtime.background_panic")
    .description(format!(
        "Thread `{}` panicked at {}:{}: {}\n\nThe body went on as if nothing had happened.",
        panic.thread_name,
        inner.shown_file(&panic.file),
        panic.line,
        panic.message
    ))
    .evidence(
        "panic",
        "where it happened",
        json!({
            "thread": panic.thread_name, "file": inner.shown_file(&panic.file), "line": panic.line,
            "route": panic.route.as_str(), "backtrace": backtrace(&panic),
        }),
    );
    finding.location = Some(format!("{}:{}", inner.shown_file(&panic.file), panic.line));
    finding.source_line = inner.source_line(&panic.file, panic.line);
    inner.file(with_log(inner, finding), "runtime", None);
}

fn record_panic(inner: &Inner, panic: &CaughtPanic, background: bool, expected: bool) {
    inner.record(Record::Panic(PanicRecord {
        thread: panic.thread_name.clone(),
        message: panic.message.clone(),
        file: inner.shown_file(&panic.file),
        line: panic.line,
        backtrace: backtrace(panic),
        background,
        expected,
        route: panic.route.as_str().to_owned(),
    }));
}

/// The frames between the panic machinery and ours, as text.
fn backtrace(panic: &CaughtPanic) -> String {
    let Some(backtrace) = &panic.backtrace else { return String::new() };
    let text = backtrace.to_string();
    let mut frames: Vec<(String, String)> = Vec::new();
    for line in text.lines().map(str::trim) {
        match line.strip_prefix("at ") {
            Some(place) => {
                if let Some(frame) = frames.last_mut() {
                    place.clone_into(&mut frame.1);
                }
            }
            None => {
                frames.push((line.split_once(": ").map_or(line, |(_, name)| name).to_owned(), String::new()))
            }
        }
    }
    let begin = frames
        .iter()
        .rposition(|(name, _)| name.contains("core::panicking::") || name.contains("begin_panic"))
        .map_or(0, |at| at + 1);
    let end = frames
        .iter()
        .position(|(name, _)| {
            name.contains("__rust_begin_short_backtrace") || name.contains("stageflow_stress::runtime::")
        })
        .unwrap_or(frames.len())
        .max(begin);
    let shown = frames[begin..end]
        .iter()
        .filter(|(name, _)| !name.starts_with("std::panicking") && !name.starts_with("tokio::"));
    shown
        .take(30)
        .map(|(name, place)| if place.is_empty() { name.clone() } else { format!("{name}\n  at {place}") })
        .collect::<Vec<_>>()
        .join("\n")
}

/// Adds the last lines of the test's log.
pub fn with_log(inner: &Inner, finding: Finding) -> Finding {
    let excerpt = crate::log::excerpt(&inner.active.log.text(), 20);
    if excerpt.is_empty() {
        return finding;
    }
    let log = inner.start.log.clone();
    finding.evidence("log", "the test's log around it", json!({ "excerpt": excerpt })).attach(
        "log of the test",
        log,
        "log",
    )
}

/// Red exactly if a finding at or above `fail_on` is not accepted in the committed file.
pub fn decide(inner: &Inner, session: &Session, outcome: &BodyOutcome) -> Verdict {
    let mut red: Vec<(Severity, String, String)> = Vec::new();
    for record in &inner.collected().findings {
        let accepted = session.known.accepts(&record.fingerprint);
        if record.finding.severity >= inner.start.fail_on
            && !accepted
            && !red.iter().any(|(_, _, fingerprint)| *fingerprint == record.fingerprint)
        {
            let title = match record.known.as_ref() {
                Some(known) if known.regression => {
                    format!("{} (was resolved: a regression)", record.finding.title)
                }
                _ => record.finding.title.clone(),
            };
            red.push((record.finding.severity, title, record.fingerprint.clone()));
        }
    }
    red.sort_by_key(|(severity, _, _)| std::cmp::Reverse(*severity));
    let mut reasons: Vec<String> =
        red.iter().map(|(severity, title, _)| format!("{severity}: {title}")).collect();
    let mut status = if red.is_empty() { TestStatus::Passed } else { TestStatus::Failed };
    if let Some((lost, why)) = inner.run.journal.lost()
        && session.store.settings.strict_store
    {
        status = TestStatus::Failed;
        reasons.push(format!("{lost} records could not be written: {why}"));
    }
    if let Some(why) = &session.store.fallback
        && session.store.settings.strict_store
    {
        status = TestStatus::Failed;
        reasons.push(why.clone());
    }
    if let Some(why) = &outcome.refused {
        status = TestStatus::Refused;
        reasons.insert(0, why.clone());
    }
    if let (Some(why), TestStatus::Passed) = (&outcome.skipped, status) {
        status = TestStatus::Skipped;
        reasons.push(why.clone());
    }
    Verdict { status, reasons, red: red.into_iter().map(|(_, _, fingerprint)| fingerprint).collect() }
}

/// Tells the person at the terminal what is red and what to do about it.
pub fn print(inner: &Inner, verdict: &Verdict) {
    match verdict.status {
        TestStatus::Passed => return,
        TestStatus::Skipped => {
            eprintln!("stageflow-stress: skipped `{}`: {}", inner.start.name, verdict.reasons.join("; "));
            return;
        }
        _ => {}
    }
    eprintln!("stageflow-stress: `{}` is red ({})", inner.start.name, inner.entry.id);
    for reason in &verdict.reasons {
        eprintln!("  {reason}");
    }
    eprintln!("  log: {}", inner.active.log.path().display());
    eprintln!("  run folder: {}", inner.run.dir.display());
    eprintln!("  reproduce: {}", inner.start.reproduce);
    if let Some(plan) = &inner.collected().stored_plan {
        eprintln!("  the same faults, whatever its source says: {}", faults::replay(inner, plan));
        eprintln!("  the fewest of them that fail alike: {}", faults::shrink(inner, plan));
    }
    let mut told = false;
    for record in &inner.collected().findings {
        if verdict.red.contains(&record.fingerprint) {
            let name = record.fingerprint.get(..17).unwrap_or(&record.fingerprint);
            eprintln!("\n  {}: {}", record.finding.severity, record.finding.title);
            eprintln!("  all about it: stageflow-test findings show {name}");
            eprintln!(
                "  once it is fixed: stageflow-test findings resolve {name} --type=fixed --commit=HASH --details=\"…\""
            );
            eprintln!("  to accept it as known: stageflow-test findings confirm {name} --why=\"…\"");
            eprintln!(
                "  or add to stageflow-known.toml and say why:\n{}",
                crate::finding::paste_block(
                    &record.fingerprint,
                    "",
                    &record.finding.title,
                    record.finding.severity
                )
            );
            told = true;
        }
    }
    if told {
        install_hint(&inner.root);
    }
}

/// Tells once how to get the command that the hints name, where it is not at hand.
fn install_hint(root: &std::path::Path) {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        if !install::on_path("stageflow-test") {
            eprintln!(
                "  stageflow-test is not installed; once: {}\n",
                install::command(&install::origin(root))
            );
        }
    });
}
