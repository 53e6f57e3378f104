//! The end of the process: every run is folded, and a process that leaves in the middle of a test is not green.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, Once, PoisonError, TryLockError};
use std::time::Duration;

use super::session::Session;
use crate::capture;
use crate::classify::Severity;
use crate::context::Inner;
use crate::finding::{Finding, FindingType};
use crate::journal::record::{Record, TestEnd, TestStatus};
use crate::sys;
use crate::terminal::say;

/// The tests that began and did not end.
static UNFINISHED: Mutex<Vec<Arc<Inner>>> = Mutex::new(Vec::new());

/// The tests that said they could not run here. libtest shows them as passed, so the end of the process names them.
static SKIPPED: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// Whether somebody else has said where the run folders lie.
static SHOWN: AtomicBool = AtomicBool::new(false);

/// Leaves out the paths of the run folders at the end of the process.
pub fn folders_are_shown() {
    SHOWN.store(true, Ordering::Relaxed);
}

/// Notes that a test was skipped.
pub fn skipped(name: &str) {
    SKIPPED.lock().unwrap_or_else(PoisonError::into_inner).push(name.to_owned());
}

/// Registers the hook for the end of the process, once.
pub fn install() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        if !sys::at_exit(at_exit) {
            say!(
                "stageflow-stress: the system takes no hook for the end of the process; run folders are complete \
                 after `stageflow_stress::run::recover`"
            );
        }
    });
}

/// Notes that a test begins.
pub fn begin(inner: &Arc<Inner>) {
    UNFINISHED.lock().unwrap_or_else(PoisonError::into_inner).push(inner.clone());
}

/// Notes that a test has recorded its end.
pub fn ended(inner: &Arc<Inner>) {
    UNFINISHED.lock().unwrap_or_else(PoisonError::into_inner).retain(|other| !Arc::ptr_eq(other, inner));
}

/// Ends the process because a test neither ended nor could be stopped. Everything is recorded first.
pub fn give_up(inner: &Arc<Inner>, limit: Duration) {
    let message = format!(
        "`{}` did not end within {} and could not be stopped, because its thread never yields; the process is ended and \
         the tests after it did not run",
        inner.start.name,
        humantime::format_duration(limit)
    );
    let mut finding = Finding::new(FindingType::Reliability, "the test did not end and could not be stopped")
        .severity(inner.severity().max(Severity::High))
        .rule("runtime.hang")
        .description(message.clone())
        .evidence(
            "deadline",
            "the body was still running",
            serde_json::json!({ "limit_ms": limit.as_millis() as u64 }),
        );
    if let Some(diagnosis) = inner.background.diagnosis.get() {
        finding.description = format!("{message}\n\n```text\n{}\n```", diagnosis.text);
        finding = finding.evidence("watchdog", "what was running", diagnosis.facts.clone());
    }
    close(inner, finding, &message);
    capture::end_all();
    fold_all();
    std::process::exit(101);
}

extern "C" fn at_exit() {
    // Unwinding out of a C callback would abort and hide the reason.
    let must_fail = catch_unwind(AssertUnwindSafe(|| {
        let left_behind = match UNFINISHED.try_lock() {
            Ok(unfinished) => unfinished.clone(),
            Err(TryLockError::Poisoned(unfinished)) => unfinished.into_inner().clone(),
            Err(TryLockError::WouldBlock) => Vec::new(),
        };
        for inner in &left_behind {
            let message = format!(
                "the process exited while `{}` was running; the tests after it did not run",
                inner.start.name
            );
            let finding = Finding::new(FindingType::SilentFailure, "the process exited inside the test")
                .severity(Severity::Critical)
                .rule("runtime.exit_inside_test")
                .description(format!(
                    "{message}. Without this check the runner would have reported success."
                ));
            close(inner, finding, &message);
        }
        // Counted before the files are removed that would tell it.
        capture::end_all();
        fold_all();
        !left_behind.is_empty()
    }));
    if must_fail.unwrap_or(true) {
        sys::end_process_as_failed();
    }
}

/// Records the end of a test that cannot record it itself.
fn close(inner: &Arc<Inner>, finding: Finding, message: &str) {
    say!("stageflow-stress: {message}");
    let fingerprint = inner.file(finding, "runtime", None);
    let partial = Session::opened().and_then(|session| session.partial(inner));
    inner.run.journal.append(
        Some(inner.start.number),
        Record::TestEnd(Box::new(TestEnd {
            status: TestStatus::Failed,
            reasons: vec![message.to_owned()],
            duration_ms: 0.0,
            red: vec![fingerprint],
            log: inner.active.log.end(partial),
        })),
    );
    ended(inner);
    inner.run.fold_soon();
}

fn fold_all() {
    let Some(session) = Session::opened() else { return };
    // What must happen at least once is judged when the last test of the invocation has ended: in every run of it.
    let judged = session.catalogue.as_ref().is_some_and(|catalogue| catalogue.is_judged());
    if judged {
        session.store.fold_all_of_invocation();
    }
    for run in session.store.open_runs() {
        run.fold_if_dirty();
        if SHOWN.load(Ordering::Relaxed) {
            continue;
        }
        say!("stageflow-stress: {} {}", run.info.entry.id, run.dir.join("FINAL_REPORT.md").display());
    }
    #[cfg(feature = "html")]
    if !session.store.open_runs().is_empty() {
        session.store.refresh_index();
    }
    if !session.store.open_runs().is_empty() {
        say!(
            "stageflow-stress: seed {}; STAGEFLOW_SEED={0} gives every test the same seeds again",
            session.store.seed
        );
    }
    if let Ok(skipped) = SKIPPED.try_lock()
        && !skipped.is_empty()
    {
        say!("stageflow-stress: {} skipped, shown as passed above: {}", skipped.len(), skipped.join(", "));
    }
    let hits = crate::assertion::unattributed_count();
    if hits > 0 {
        say!("stageflow-stress: {hits} hits of assertions belonged to no test");
    }
    let unattributed = capture::unattributed_count();
    if unattributed > 0 {
        say!(
            "stageflow-stress: {unattributed} log records belonged to no test; they are in {}",
            session.store.runs.join(".stageflow").display()
        );
    }
}
