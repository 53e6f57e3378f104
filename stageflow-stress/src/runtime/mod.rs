//! One test from start to verdict: set up, execute, observe, analyse, document.

mod assertions;
mod capture_check;
mod determinism;
mod earlier_logs;
mod end;
mod execute;
mod faults;
mod frames;
mod hang;
mod isolate;
mod leftovers;
mod observe;
mod probe;
mod repeat;
mod session;
mod setup;
mod stacks;
mod stock;
mod traces;
mod verdict;
mod watchdog;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::assertion::AssertionRecord;
use crate::capture;
use crate::context::Inner;
use crate::journal::record::{Record, TestEnd, TestStatus};
use crate::registry::{Determinism, TestDef};
use crate::sys;
pub use repeat::{findings_so_far, repetition, set_repetition, states};
use session::Session;
use verdict::BodyOutcome;

/// Lets one test at a time run in this process, so that threads nobody tagged can only be its own.
static GATE: Mutex<()> = Mutex::new(());

/// Runs a test under libtest or nextest. Called by the generated `#[test]` function.
///
/// # Panics
/// If the test is red: that is how libtest learns it. The reasons have been printed by then.
pub fn libtest(def: &'static TestDef) {
    match own_main(def) {
        Ok(TestStatus::Passed | TestStatus::Skipped) => {}
        Ok(_) => stop("the test is red; see the reasons above".to_owned()),
        Err(message) => {
            eprintln!("stageflow-stress: {message}");
            stop(message);
        }
    }
}

/// Runs a test under the gate. `Err` means that it could not even begin.
pub fn own_main(def: &'static TestDef) -> Result<TestStatus, String> {
    let gate = (!def.options.concurrent).then(|| GATE.lock().unwrap_or_else(PoisonError::into_inner));
    let end = run(def);
    drop(gate);
    end
}

/// Fails the test without a second message from the panic hook.
fn stop(message: String) -> ! {
    std::panic::resume_unwind(Box::new(message))
}

/// Runs a test. `Err` means that it could not even begin: the settings or the store cannot be used.
fn run(def: &'static TestDef) -> Result<TestStatus, String> {
    if let Some(limits) = &def.options.isolate
        && sys::CHILDREN_CAN_BE_CONFINED
    {
        match isolate::place(def, limits)? {
            isolate::Place::Here => {}
            isolate::Place::Child => return isolate::run(def, limits),
        }
    }
    let session = Session::get(def)?;
    let cx = setup::set_up(session, def)?;
    let inner = &cx.inner;
    end::begin(inner);
    inner.record(Record::TestStart(Box::new(inner.start.clone())));
    let declared = setup::log_rules(def, &mut inner.collected().log_rules);
    for rule in declared {
        inner.record(Record::LogRule(rule));
    }
    capture::register(&inner.active);
    let tagged = capture::enter(&inner.active);

    // What happens after the body is ours: it must not look like the body's.
    let (outcome, duration) = match setup::refusal(def) {
        Some(refusal) => (verdict::file_findings(inner, None, Some(refusal)), Duration::ZERO),
        None if def.options.determinism == Determinism::Twice => determinism::twice(&cx),
        None => {
            let started = Instant::now();
            let body = execute::execute(&cx);
            let duration = started.elapsed();
            (verdict::file_findings(inner, Some(body), None), duration)
        }
    };
    let asserted = assertions::judge(inner);
    let status = finish(inner, session, &outcome, duration, Some(&asserted));
    drop(tagged);
    capture::unregister(&inner.active);
    Ok(status)
}

/// Judges a test whose body is over, and records its end. What it asserted is known only to the process that ran it.
fn finish(
    inner: &Arc<Inner>,
    session: &'static Session,
    outcome: &BodyOutcome,
    duration: Duration,
    asserted: Option<&[AssertionRecord]>,
) -> TestStatus {
    capture_check::check(inner, session);
    let analysis = observe::observe(inner, session, outcome);
    let verdict = verdict::decide(inner, session, outcome);
    let trace = traces::write(inner, session, &verdict);
    observe::cross_reference(inner, analysis, trace.as_deref());
    let log = inner.active.log.end(session.partial(inner));
    inner.run.journal.append(
        Some(inner.start.number),
        Record::TestEnd(Box::new(TestEnd {
            status: verdict.status,
            reasons: verdict.reasons.clone(),
            duration_ms: duration.as_secs_f64() * 1_000.0,
            red: verdict.red.clone(),
            log,
        })),
    );
    if let Some(asserted) = asserted {
        assertions::ended(inner, session, asserted);
    }
    end::ended(inner);
    verdict::print(inner, &verdict);
    if verdict.status == TestStatus::Skipped {
        end::skipped(&inner.start.name);
    }
    inner.run.fold_soon();
    verdict.status
}
