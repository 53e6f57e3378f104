//! One test from start to verdict: set up, execute, observe, analyse, document.

mod capture_check;
mod end;
mod execute;
mod frames;
mod hang;
mod leftovers;
mod observe;
mod session;
mod setup;
mod verdict;
mod watchdog;

use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use crate::capture;
use crate::journal::record::{Record, TestEnd, TestStatus};
use crate::registry::TestDef;
use session::Session;

/// Lets one test at a time run in this process, so that threads nobody tagged can only be its own.
static GATE: Mutex<()> = Mutex::new(());

/// Runs a test under libtest or nextest. Called by the generated `#[test]` function.
///
/// # Panics
/// If the test is red: that is how libtest learns it. The reasons have been printed by then.
pub fn libtest(def: &'static TestDef) {
    let gate = (!def.options.concurrent).then(|| GATE.lock().unwrap_or_else(PoisonError::into_inner));
    let end = run(def);
    drop(gate);
    match end {
        Ok(TestStatus::Passed | TestStatus::Skipped) => {}
        Ok(_) => stop("the test is red; see the reasons above".to_owned()),
        Err(message) => {
            eprintln!("stageflow-stress: {message}");
            stop(message);
        }
    }
}

/// Fails the test without a second message from the panic hook.
fn stop(message: String) -> ! {
    std::panic::resume_unwind(Box::new(message))
}

/// Runs a test. `Err` means that it could not even begin: the settings or the store cannot be used.
fn run(def: &'static TestDef) -> Result<TestStatus, String> {
    let session = Session::get(def)?;
    let cx = setup::set_up(session, def)?;
    let inner = &cx.inner;
    end::begin(inner);
    inner.record(Record::TestStart(Box::new(inner.start.clone())));
    capture::register(&inner.active);
    let tagged = capture::enter(&inner.active);

    let mark = leftovers::Mark::set(inner);
    let started = Instant::now();
    let refusal = setup::refusal(def);
    let body = match &refusal {
        Some(_) => None,
        None => Some(execute::execute(&cx)),
    };
    let duration = started.elapsed();
    let leftovers = mark.settle(inner);
    // What happens from here on is ours: it must not look like the body's.
    let outcome = verdict::file_findings(inner, body, refusal);
    leftovers.file(inner);
    capture_check::check(inner, session);
    observe::observe(inner, session, &outcome);

    let verdict = verdict::decide(inner, session, &outcome);
    drop(tagged);
    capture::unregister(&inner.active);
    let log = inner.active.log.summary(session.partial());
    inner.run.journal.append(
        Some(inner.start.number),
        Record::TestEnd(Box::new(TestEnd {
            status: verdict.status,
            reasons: verdict.reasons.clone(),
            duration_ms: duration.as_secs_f64() * 1_000.0,
            red: verdict.red.clone(),
            log,
        })),
        true,
    );
    end::ended(inner);
    verdict::print(inner, &verdict);
    if verdict.status == TestStatus::Skipped {
        end::skipped(&inner.start.name);
    }
    inner.run.fold_soon();
    Ok(verdict.status)
}
